# SPDX-License-Identifier: Apache-2.0
"""The files of the host partition, put together in memory as a tree for `cpio`."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from orchestrator import cpio, host_kernel
from orchestrator.errors import EnvironmentFault, UsageError

Tree = dict[str, cpio.Entry]

_SOURCES = Path(__file__).resolve().parent.parent / "images"
_BOOT_MODULES = ("virtio_pci", "virtio_net", "pvpanic_pci")
_INIT_FLAGS = ("-std=gnu11", "-O2", "-static", "-s", "-Wl,--build-id=none")
# Debian 12 has these as links into usr, and packages name either place.
_MERGED_INTO_USR = ("bin", "lib", "lib64", "sbin")
_PROGRAM_FOLDERS = ("usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
# Every boot unpacks the archive: what nothing in a test node reads stays out.
_LEFT_OUT = (
    "usr/share/doc/",
    "usr/share/info/",
    "usr/share/lintian/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/lib/x86_64-linux-gnu/gconv/",
)
_FOLDERS = {
    "dev": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o555,
    "tmp": 0o1777,
    "usr/bin": 0o755,
    "usr/lib64": 0o755,
    "usr/sbin": 0o755,
    "var/log": 0o755,
}


def own_sources() -> Tree:
    """The files of this repository that an image is made of, by their path in `images`."""
    return {
        os.fspath(path.relative_to(_SOURCES)): _normal(_entry(path))
        for folder in ("init", "rootfs")
        for path in sorted((_SOURCES / folder).rglob("*"))
    }


def of_folder(root: Path) -> Tree:
    """What a folder holds, with the modes it has; empty if there is no such folder."""
    return {_merged(os.fspath(path.relative_to(root))): _entry(path) for path in _walk(root)}


def of_files(files: Mapping[str, Path]) -> Tree:
    """Files and folders of this computer at absolute paths of the guest.

    Raises UsageError if a path in the guest is not absolute, or a file is missing or of another kind.
    """
    tree: Tree = {}
    for inside, outside in files.items():
        place = os.path.normpath(inside)
        if not place.startswith("/") or place == "/":
            raise UsageError(f"host: files: {inside!r} is no absolute path in the guest", "write /path/in/the/guest")
        if not os.access(outside, os.R_OK):
            raise UsageError(f"host: files: {inside}: {os.fspath(outside)!r} does not exist or cannot be read")
        for path in [outside, *_walk(outside)]:
            relative = os.path.normpath(os.path.join(place, os.path.relpath(path, outside)))
            tree[_merged(relative.lstrip("/"))] = _entry(path if path != outside else outside.resolve())
    return tree


def compose(kernel: host_kernel.HostKernel, packages: Iterable[Path], added: Tree) -> Tree:
    """The whole tree: unpacked packages, our own files, modules, and what is added; later ones win."""
    tree: Tree = {link: cpio.symbolic_link(f"usr/{link}") for link in _MERGED_INTO_USR}
    tree |= {path: cpio.folder(mode) for path, mode in _FOLDERS.items()}
    for package in packages:
        tree |= {path: entry for path, entry in of_folder(package).items() if not path.startswith(_LEFT_OUT)}
    rootfs = {path: entry for path, entry in own_sources().items() if path.startswith("rootfs/")}
    tree |= {path.removeprefix("rootfs/"): entry for path, entry in rootfs.items()}
    tree["init"] = cpio.regular_file(_compile_init(), 0o755)
    tree |= added
    tree |= _modules(kernel, tree)
    return _busybox_applets(tree) | tree


def _modules(kernel: host_kernel.HostKernel, tree: Tree) -> Tree:
    """The modules to load at boot and their list: Debian's that we need, then every other in /lib/modules."""
    others = {path: tree[path].data for path in sorted(tree) if path.startswith("usr/lib/modules/") and _is_module(path)}
    needed = [name for module in others.values() for name in host_kernel.module_dependencies(module)]
    ours = {host_kernel.module_name(path) for path in others}
    debians = host_kernel.modules_in_load_order(kernel, [*_BOOT_MODULES, *(n for n in needed if n not in ours)])
    for path, module in others.items():
        _require_same_kernel(path, module, next(iter(debians.values())))
    paths = {f"usr/lib/modules/{kernel.release}/{name}.ko": module for name, module in debians.items()}
    listed = "".join(f"/{path}\n" for path in [*paths, *others])
    loaded = {path: cpio.regular_file(module) for path, module in paths.items()}
    return loaded | {"etc/modules": cpio.regular_file(listed.encode())}


def _is_module(path: str) -> bool:
    return path.endswith(".ko")


def _require_same_kernel(path: str, module: bytes, reference: bytes) -> None:
    built_for, wanted = host_kernel.module_vermagic(module), host_kernel.module_vermagic(reference)
    if built_for != wanted:
        raise EnvironmentFault(
            f"the kernel module {path} was built for {built_for!r}; the host runs {wanted!r}", "build it again: make clean"
        )


def _compile_init() -> bytes:
    sources = sorted(os.fspath(path) for path in (_SOURCES / "init").glob("*.c"))
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "init"
        command = ["gcc", *_INIT_FLAGS, "-o", os.fspath(program), *sources]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            raise EnvironmentFault("gcc is not on this computer", "sudo apt-get install gcc libc6-dev") from None
        if done.returncode:
            raise EnvironmentFault(f"init does not compile:\n{done.stderr}", "sudo apt-get install gcc libc6-dev")
        return program.read_bytes()


def _busybox_applets(tree: Tree) -> Tree:
    """A link for each applet of busybox, except where a real program of that name is in any program folder."""
    taken = {path.rpartition("/")[2] for path in tree if path.startswith(_PROGRAM_FOLDERS)}
    with tempfile.TemporaryDirectory() as scratch:
        busybox = Path(scratch) / "busybox"
        busybox.write_bytes(tree["usr/bin/busybox"].data)
        busybox.chmod(0o755)
        listed = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    applets = (_merged(path) for path in listed)
    return {path: cpio.symbolic_link("/bin/busybox") for path in applets if path.rpartition("/")[2] not in taken}


def _merged(path: str) -> str:
    return f"usr/{path}" if path.split("/")[0] in _MERGED_INTO_USR else path


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        for name in sorted(folders + files):
            yield Path(folder) / name


def _entry(path: Path) -> cpio.Entry:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return cpio.symbolic_link(os.readlink(path))
    if stat.S_ISDIR(mode):
        return cpio.folder(stat.S_IMODE(mode))
    if stat.S_ISREG(mode):
        return cpio.regular_file(path.read_bytes(), stat.S_IMODE(mode))
    raise UsageError(f"{os.fspath(path)!r} is no file, folder or link, and cannot be in the host image")


def _normal(entry: cpio.Entry) -> cpio.Entry:
    """A file of the repository, whose mode depends on the umask of who cloned it but for its execute bit."""
    if stat.S_ISDIR(entry.mode):
        return cpio.folder()
    return cpio.regular_file(entry.data, 0o755 if entry.mode & stat.S_IXUSR else 0o644)
