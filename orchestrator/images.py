# SPDX-License-Identifier: Apache-2.0
"""The host partition's image: kernel and initramfs, built once per content and used by every run.

The initramfs is put together from Debian packages, the init of `images/init`, the files of `images/rootfs`
and of `build/host-root` (where the build of `guest-kernels/linux` installs), and what a spec adds. Equal
inputs give equal bytes. Keys are no part of it: each run puts its own into a small archive behind it.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator import cpio, debian, host_kernel, host_tree, ssh_keys

# Counted up when the code makes another image from the same inputs.
_RECIPE = 1
_BASE_PACKAGES = ("busybox-static", "dropbear-bin")


@dataclass(frozen=True, slots=True)
class HostImage:
    """What QEMU starts in the host partition. `kernel` is a vmlinux with a PVH entry point; gdb reads it too."""

    kernel: Path
    initramfs: Path
    kernel_version: str


@dataclass(frozen=True, slots=True)
class RunImage:
    """What one run adds: its initramfs, the private key to log in with, and the key to know the host by."""

    initramfs: Path
    user_key: Path
    known_hosts: Path


def ensure_host_image(
    build: Path, packages: Sequence[str], files: Mapping[str, Path], progress: debian.Progress
) -> HostImage:
    """The image under `build`; made if its content has not been made before, else found in milliseconds.

    `packages` are Debian packages to add with their dependencies (their maintainer scripts are not run),
    `files` maps absolute paths in the guest to files or folders of this computer, which keep their modes.
    Raises UsageError for an unknown package or a file that cannot be added, EnvironmentFault if a download
    or a compiler is missing; nothing half-made is left.
    """
    kernel = host_kernel.ensure_host_kernel(build, progress)
    pool = debian.Pool(build / "debian")
    userland = _ensure_selection(pool, packages, progress)
    added = host_tree.of_folder(build / "host-root") | host_tree.of_files(files)
    folder = build / "host" / _content_key(kernel, userland, added)
    initramfs = folder / "initramfs.cpio"
    if not initramfs.exists():
        debian.download(pool, userland, progress)
        progress(f"building the host image (Linux {kernel.release}, {len(userland)} Debian packages)")
        unpacked = [debian.unpack(pool, package) for package in userland]
        tree = host_tree.compose(kernel, unpacked, added)
        debian.write_atomically(initramfs, cpio.archive(tree))
    return HostImage(kernel.vmlinux, initramfs, kernel.release)


def write_run_image(image: HostImage, run_folder: Path) -> RunImage:
    """Writes `initramfs.cpio`, `ssh_key` (0600) and `known_hosts` of one run, with fresh keys, into its folder."""
    keys = ssh_keys.generate()
    run = RunImage(run_folder / "initramfs.cpio", run_folder / "ssh_key", run_folder / "known_hosts")
    ssh_keys.write_private(run.user_key, keys.user_private)
    # The port is QEMU's choice and not known yet.
    run.known_hosts.write_text(f"* {keys.host_public}\n")
    shutil.copyfile(image.initramfs, run.initramfs)
    with run.initramfs.open("ab") as archive:
        archive.write(cpio.archive(_tree_of_keys(keys)))
    return run


def _tree_of_keys(keys: ssh_keys.RunKeys) -> dict[str, cpio.Entry]:
    return {
        "etc/dropbear/host_key": cpio.regular_file(keys.host_private, 0o600),
        "root": cpio.folder(0o700),
        "root/.ssh": cpio.folder(0o700),
        "root/.ssh/authorized_keys": cpio.regular_file(f"{keys.user_public}\n".encode(), 0o600),
    }


def _ensure_selection(
    pool: debian.Pool, packages: Sequence[str], progress: debian.Progress
) -> tuple[debian.Package, ...]:
    wanted = sorted({*_BASE_PACKAGES, *packages})
    name = "host-" + hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:16]
    selected = debian.read_selection(pool, name)
    if selected is None:
        progress(f"choosing the Debian packages for {', '.join(wanted)}")
        selected = debian.select_with_dependencies(pool, wanted)
        debian.write_selection(pool, name, selected)
    return selected


def _content_key(
    kernel: host_kernel.HostKernel, userland: Sequence[debian.Package], added: Mapping[str, cpio.Entry]
) -> str:
    digest = hashlib.sha256(f"{_RECIPE} {kernel.release} {kernel.package_version}".encode())
    for package in userland:
        digest.update(f"\n{package.archive}".encode())
    for path, entry in sorted((host_tree.own_sources() | dict(added)).items()):
        digest.update(f"\n{path} {entry.mode:o} {len(entry.data)}\n".encode())
        digest.update(entry.data)
    return digest.hexdigest()[:32]
