# SPDX-License-Identifier: Apache-2.0
"""The host partition's image: kernel and initramfs, built once per content and used by every run.

The initramfs is put together from Debian packages, the init of `images/init`, the files of `images/rootfs`,
what `guest-kernels/linux` makes, and what a spec adds. Equal inputs give equal bytes. Keys are no part of it
(run_initramfs.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator import cpio, debian, host_kernel, host_programs, host_tree, source_kernel
from orchestrator.host_image import HostImage
from orchestrator.kinds import KernelKind
from orchestrator.one_at_a_time import one_at_a_time

# Counted up when the code makes another image from the same inputs.
_RECIPE = 6
_BASE_PACKAGES = ("busybox-static", "dropbear-bin")


def ensure_host_image(
    build: Path,
    kind: KernelKind,
    packages: Sequence[str],
    files: Mapping[str, Path],
    progress: debian.Progress,
) -> HostImage:
    """The image under `build` of a kind of Linux; made if its content has not been made before, else found in
    milliseconds.

    `packages` are Debian packages to add with their dependencies (their maintainer scripts are not run),
    `files` maps absolute paths in the guest to files of this computer, which keep their modes.
    Raises UsageError for an unknown package or a file that cannot be added, EnvironmentFault if a download
    or a compiler is missing; nothing half-made is left.
    """
    # That takes minutes, in which others may use what is there; it has a lock of its own.
    source = source_kernel.ensure_source_kernel(build, progress) if kind is KernelKind.SOURCE else None
    with one_at_a_time(build, progress):
        kernel = source or host_kernel.ensure_host_kernel(build, progress)
        programs = host_programs.ensure_host_programs(build, kernel, progress)
        userland = _ensure_selection(build, packages, progress)
        added = host_tree.of_programs(programs) | host_tree.of_files(files)
        initramfs = build / "host" / _content_key(kernel, userland, added) / "initramfs.cpio"
        if not initramfs.exists():
            pool = debian.Pool(build / "debian")
            debian.download(pool, userland, progress)
            progress(f"building the host's image from {len(userland)} Debian packages")
            unpacked = [debian.unpack(pool, package) for package in userland]
            tree = host_tree.compose(kernel, unpacked, added)
            debian.write_atomically(initramfs, cpio.archive(tree))
        return HostImage(kernel.vmlinux, initramfs, kernel.release)


def _ensure_selection(
    build: Path, packages: Sequence[str], progress: debian.Progress
) -> tuple[debian.Package, ...]:
    pool = debian.Pool(build / "debian")
    wanted = sorted({*_BASE_PACKAGES, *packages})
    name = "host-" + hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:16]
    return debian.selected(pool, name, lambda: debian.select_with_dependencies(pool, wanted), progress)


def _content_key(
    kernel: host_kernel.HostKernel, userland: Sequence[debian.Package], added: Mapping[str, cpio.Entry]
) -> str:
    digest = hashlib.sha256(f"{_RECIPE} {kernel.release} {kernel.package_version}".encode())
    for package in userland:
        digest.update(f"\n{package.archive}".encode())
    for path, entry in [*sorted(host_tree.own_sources().items()), *sorted(added.items())]:
        digest.update(f"\n{path} {entry.mode:o} {len(entry.data)}\n".encode() + entry.data)
    return digest.hexdigest()[:32]
