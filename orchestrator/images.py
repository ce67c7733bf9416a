# SPDX-License-Identifier: Apache-2.0
"""The host partition's image: kernel and initramfs, built once per content and used by every run.

The initramfs is put together from Debian packages, the init of `images/init`, the files of `images/rootfs`,
what `guest-kernels/linux` makes, and what a spec adds. Equal inputs give equal bytes. Keys are no part of it:
each run puts its own into a small archive behind it, which is how Linux takes more than one.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator import cpio, debian, host_kernel, host_programs, host_tree, ssh_keys

# Counted up when the code makes another image from the same inputs.
_RECIPE = 4
_BASE_PACKAGES = ("busybox-static", "dropbear-bin")


@dataclass(frozen=True, slots=True)
class HostImage:
    """What QEMU starts in the host partition. `kernel` is a vmlinux with a PVH note; gdb reads it too."""

    kernel: Path
    initramfs: Path
    kernel_version: str


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


def write_run_initramfs(image: HostImage, initramfs: Path, user_key: Path, known_hosts: Path) -> None:
    """Writes a run's initramfs with fresh keys, the user's private one (0600), and the host's public one."""
    keys = ssh_keys.generate()
    ssh_keys.write_private(user_key, keys.user_private)
    # For every address: QEMU will choose the port.
    known_hosts.write_text(f"* {keys.host_public}\n")
    shutil.copyfile(image.initramfs, initramfs)
    with initramfs.open("ab") as archive:
        archive.write(cpio.archive(_tree_of_keys(keys)))


def _tree_of_keys(keys: ssh_keys.RunKeys) -> dict[str, cpio.Entry]:
    return {
        "etc/dropbear/host_key": cpio.regular_file(keys.host_private, 0o600),
        "root": cpio.folder(0o700),
        "root/.ssh": cpio.folder(0o700),
        "root/.ssh/authorized_keys": cpio.regular_file(f"{keys.user_public}\n".encode(), 0o600),
    }


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
