# SPDX-License-Identifier: Apache-2.0
"""The host partition's image: kernel and initramfs, built once per content and used by every run.

The initramfs is put together from Debian packages, the init of `images/init`, the files of `images/rootfs`,
what `guest-kernels/linux` makes, and what a spec adds. Equal inputs give equal bytes. Keys are no part of it
(run_initramfs.py).
"""

import fcntl
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator import cpio, debian, host_kernel, host_programs, host_tree
from orchestrator.host_image import HostImage

# Counted up when the code makes another image from the same inputs.
_RECIPE = 5
_BASE_PACKAGES = ("busybox-static", "dropbear-bin")


def ensure_host_image(
    build: Path, packages: Sequence[str], files: Mapping[str, Path], progress: debian.Progress
) -> HostImage:
    """The image under `build`; made if its content has not been made before, else found in milliseconds.

    `packages` are Debian packages to add with their dependencies (their maintainer scripts are not run),
    `files` maps absolute paths in the guest to files of this computer, which keep their modes.
    Raises UsageError for an unknown package or a file that cannot be added, EnvironmentFault if a download
    or a compiler is missing; nothing half-made is left.
    """
    with _one_at_a_time(build, progress):
        kernel = host_kernel.ensure_host_kernel(build, progress)
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


@contextmanager
def _one_at_a_time(build: Path, progress: debian.Progress) -> Iterator[None]:
    """Only one process makes something in `build`; the kernel lets the next one in if this one dies."""
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another build in {build}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
