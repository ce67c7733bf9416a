# SPDX-License-Identifier: Apache-2.0
"""The files of the host partition, put together in memory as a tree for `cpio`."""

import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from orchestrator import cpio
from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.host_kernel import HostKernel

Tree = dict[str, cpio.Entry]

_ROOT = Path(__file__).resolve().parent.parent
SOURCES = _ROOT / "images"
# The one header that init shares with the kernel module.
_UAPI = _ROOT / "guest-kernels" / "linux" / "include" / "ikc_uapi.h"
_FIRST_MODULES = ("virtio_pci", "virtio_net")
# Nobody waits for it; and at a panic it stops the machine, so ikc.ko, which has that to tell, comes before.
_LAST_MODULES = ("pvpanic_pci",)
# An added file that is loaded at boot.
_MODULE = re.compile(r"usr/lib/modules/[^/]+\.ko")
_INIT_FLAGS = ("-std=gnu11", "-O2", "-static", "-s", "-Wl,--build-id=none")
# Debian 12 has these as links into usr, and packages name either place.
_MERGED_INTO_USR = ("bin", "lib", "lib64", "sbin")
_PROGRAM_FOLDERS = ("usr/bin/", "usr/sbin/", "usr/local/bin/", "usr/local/sbin/")
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
    ".": 0o755,
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
    sources = {
        os.fspath(path.relative_to(SOURCES)): _normal(_entry(path))
        for folder in ("init", "rootfs")
        for path in _walk(SOURCES / folder)
    }
    return sources | {f"init/{_UAPI.name}": _normal(_entry(_UAPI))}


def of_programs(folder: Path) -> Tree:
    """The modules and the programs that lie in a folder of build output, where the host wants them."""
    tree: Tree = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix == ".ko":
            tree[f"usr/lib/modules/{path.name}"] = cpio.regular_file(path.read_bytes())
        elif path.is_file() and os.access(path, os.X_OK):
            tree[f"usr/sbin/{path.name}"] = cpio.regular_file(path.read_bytes(), 0o755)
    return tree


def of_files(files: Mapping[str, Path]) -> Tree:
    """Files of this computer, with their modes, at absolute paths of the guest.

    Raises UsageError if a path in the guest is not absolute, or a file is missing or of another kind.
    """
    tree: Tree = {}
    for inside, outside in files.items():
        place = os.path.normpath(inside)
        if not place.startswith("/") or place == "/":
            raise UsageError(f"host: files: {inside!r} is no path in the guest", "write it as /path/to/file")
        if not os.access(outside, os.R_OK):
            raise UsageError(
                f"host: files: {inside}: {outside} does not exist or cannot be read",
                "correct its path in the spec, or make the file",
            )
        entry = _entry(outside.resolve())
        if not stat.S_ISREG(entry.mode):
            raise UsageError(f"host: files: {inside}: {outside} is no file", "name each file of a folder")
        tree[_merged(place.lstrip("/"))] = entry
    return tree


def compose(kernel: HostKernel, packages: Iterable[Path], added: Tree) -> Tree:
    """The whole tree: unpacked packages, our own files, modules, and what is added; later ones win."""
    tree: Tree = {link: cpio.symbolic_link(f"usr/{link}") for link in _MERGED_INTO_USR}
    tree |= {path: cpio.folder(mode) for path, mode in _FOLDERS.items()}
    for package in packages:
        tree |= _of_package(package)
    for path, entry in own_sources().items():
        if path.startswith("rootfs/"):
            tree[path.removeprefix("rootfs/")] = entry
    tree["init"] = cpio.regular_file(_compile_init(), 0o755)
    tree |= added
    tree |= _modules(kernel, added)
    return _busybox_applets(tree) | tree


def _of_package(root: Path) -> Tree:
    """What a package holds, moved to where Debian 12 has it, without what no test node reads."""
    entries = ((_merged(os.fspath(path.relative_to(root))), path) for path in _walk(root))
    return {
        place: _entry(path)
        for place, path in entries
        if place not in _MERGED_INTO_USR and not place.startswith(_LEFT_OUT)
    }


def _modules(kernel: HostKernel, added: Tree) -> Tree:
    """The kernel's own modules that are needed, and lists in /etc/modules of all that are loaded at boot, in
    order: libraries while CPUs start, drivers when they run, and the last ones when the host is READY.
    """
    # Imported here: it takes longer than to find out that everything is built.
    from orchestrator import kernel_module

    its_own = kernel.modules.rglob("*.ko") if kernel.modules else ()
    shipped = {kernel_module.name_of(path.name): path for path in its_own}
    first, last = (_FIRST_MODULES, _LAST_MODULES) if shipped else ((), ())
    others = {kernel_module.name_of(path): path for path in sorted(added) if _MODULE.fullmatch(path)}

    def load(name: str) -> bytes:
        if name in others:
            return added[others[name]].data
        if name in shipped:
            return kernel_module.without_ballast(shipped[name])
        raise UsageError(
            f"Linux {kernel.release} has no module {name!r}, on which an added one depends",
            "add that one too, under `files`",
        )

    awaited = kernel_module.in_load_order(load, [*first, *others])
    ordered = kernel_module.in_load_order(load, [*awaited, *last])
    magic = kernel_module.vermagic_wanted(kernel.vmlinux, kernel.release)
    for name, path in others.items():
        built_for = kernel_module.vermagic(ordered[name])
        if built_for != magic:
            raise UsageError(
                f"the host runs Linux {magic!r}, but the module /{path} is for {built_for!r}",
                "build it for that kernel: make -C HEADERS M=FOLDER; docs/index.md tells where they are",
            )
    places = {name: others.get(name, f"usr/lib/modules/{name}.ko") for name in ordered}
    tree = {places[name]: cpio.regular_file(ordered[name]) for name in ordered if name not in others}
    libraries = kernel_module.libraries({name: awaited[name] for name in awaited if name not in others})
    stages = {
        "libraries": libraries,
        "drivers": [name for name in awaited if name not in libraries],
        "last": [name for name in ordered if name not in awaited],
    }
    for stage, names in stages.items():
        listed = "".join(f"/{places[name]}\n" for name in names)
        tree[f"etc/modules/{stage}"] = cpio.regular_file(listed.encode())
    return tree


def _compile_init() -> bytes:
    sources = sorted(os.fspath(path) for path in (SOURCES / "init").glob("*.c"))
    hint = "sudo apt-get install gcc libc6-dev"
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "init"
        command = ["gcc", *_INIT_FLAGS, f"-I{_UAPI.parent}", "-o", os.fspath(program), *sources]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise EnvironmentFault("gcc is not on this computer", hint) from None
        if done.returncode:
            raise EnvironmentFault(f"the host's init does not compile:\n{done.stderr.strip()}", hint)
        return program.read_bytes()


def _busybox_applets(tree: Tree) -> Tree:
    """A link for each applet of busybox, except where any program folder has a real program of that name."""
    taken = {path.rpartition("/")[2] for path in tree if path.startswith(_PROGRAM_FOLDERS)}
    with tempfile.TemporaryDirectory() as scratch:
        busybox = Path(scratch) / "busybox"
        busybox.write_bytes(tree["usr/bin/busybox"].data)
        busybox.chmod(0o755)
        listed = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True).stdout
    # Linux asks modprobe several times during boot for what it can do without: here it has no module index to
    # answer from, and costs a process each time.
    taken.add("modprobe")
    applets = (_merged(path) for path in listed.split())
    return {
        path: cpio.symbolic_link("/usr/bin/busybox")
        for path in applets
        if path.startswith(_PROGRAM_FOLDERS) and path.rpartition("/")[2] not in taken
    }


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
    raise UsageError(
        f"{path} is no file, folder or link, and cannot be in the host's image",
        "take it out of `files` or `packages`",
    )


def _normal(entry: cpio.Entry) -> cpio.Entry:
    """A file of this repository: git keeps its execute bit; who cloned it, by their umask, the rest."""
    if stat.S_ISDIR(entry.mode):
        return cpio.folder()
    return cpio.regular_file(entry.data, 0o755 if entry.mode & stat.S_IXUSR else 0o644)
