# SPDX-License-Identifier: Apache-2.0
"""A kernel for Linux partitions built here: Debian's linux-source, configured by images/linux/host.config.

images/linux/ahead.h says what no configuration can; the sources stay as they are.
It takes minutes, once per version and configuration. A build that was interrupted goes on where it was.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator import debian
from orchestrator.errors import EnclaveError, EnvironmentFault
from orchestrator.host_kernel import HostKernel, require_pvh
from orchestrator.one_at_a_time import one_at_a_time

_OURS = Path(__file__).resolve().parents[1] / "images" / "linux"
CONFIG = _OURS / "host.config"
AHEAD = _OURS / "ahead.h"
INSTALL = "`make host-kernel` installs what the build needs, and builds it"

_METAPACKAGE = "linux-source"
_SELECTION = "kernel-source"
_TOOLS = ("bc", "bison", "flex")  # besides those that ikc.ko needs
_LIBELF = Path("/usr/include/libelf.h")
# What no configuration of ours compiles, but for Kconfig files: without it the tree is a third as large.
_LEFT_OUT = (
    "*/Documentation/*/*",
    "*/arch/*.dts*",
    "*/drivers/gpu/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/drivers/net/ethernet/*.[ch]",
    "*/drivers/net/wireless/*.[ch]",
    "*/drivers/staging/*.[ch]",
    "*/sound/*.[ch]",
)
# Kbuild's word for a step that goes well, such as "  CC      kernel/fork.o".
_STEP = re.compile(r" +([A-Z]+) +\S")
_OUTPUT_SHOWN = 20  # lines of a failed make, but for these
_FILES = 1100  # about
_FILES_PER_STEP = 200
# It takes its compilers with it, and leaves no half a file.
_DIE_WITH_US = ("setpriv", "--pdeathsig", "TERM")
# The same bytes each time.
_FIXED = {
    "LC_ALL": "C",
    "KBUILD_BUILD_TIMESTAMP": "@0",
    "KBUILD_BUILD_USER": "enclave",
    "KBUILD_BUILD_HOST": "enclave",
}
# A make that started us must not hand its flags and its job server on, nor a person's shell its kernel's.
_NOT_INHERITED = ("MAKE", "MFLAGS", "KBUILD", "KCONFIG", "ARCH", "CROSS_COMPILE", "LOCALVERSION")


def ensure_source_kernel(build: Path, progress: debian.Progress) -> HostKernel:
    """The kernel under `build`; built if it has not been built from these sources and this configuration.

    Raises EnvironmentFault if apt cannot get the sources or a tool is missing, EnclaveError if it does not
    build.
    """
    pool = debian.Pool(build / "debian")
    package = source_package(pool, progress)
    version = f"{package.version}-{_config_key()}"
    out = build / "kernel" / f"source-{version}"
    if not _stamp(out).exists():
        _require_tools()
        with one_at_a_time(build / "kernel", progress) as lock:
            if not _stamp(out).exists():
                source = _unpack(pool, package, build / "kernel", progress)
                _build(source, out, lock, progress)
    release = _stamp(out).read_text()
    return HostKernel(release, version, vmlinux=_bootable(out), headers=out, modules=None)


def source_package(pool: debian.Pool, progress: debian.Progress) -> debian.Package:
    """Debian's package with the sources; in the pool once it has been chosen."""
    (package,) = debian.selected(pool, _SELECTION, lambda: _select(pool), progress)
    return package


def unpack_source(pool: debian.Pool, package: debian.Package, tree: Path, *what: str) -> None:
    """Those files of a downloaded package that tar's arguments `what` name, or all, into `tree`."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        debian.unpack_into(pool, package, Path(scratch))
        tarball = os.path.join(scratch, "usr", "src", f"{package.name}.tar.xz")
        _run(["tar", "-xJf", tarball, "-C", os.fspath(tree), "--strip-components=1", *what])


def built(build: Path) -> list[str]:
    """The releases with the configuration of now that have been built under `build`; asks nobody."""
    folders = sorted((build / "kernel").glob(f"source-*-{_config_key()}"))
    return [_stamp(folder).read_text() for folder in folders if _stamp(folder).exists()]


def missing_tools() -> list[str]:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return missing if _LIBELF.exists() else [*missing, "libelf-dev"]


def _select(pool: debian.Pool) -> tuple[debian.Package, ...]:
    depends = debian.show(pool, _METAPACKAGE)["Depends"]
    return debian.select_exactly(pool, [depends.split()[0]])


def _config_key() -> str:
    return hashlib.sha256(CONFIG.read_bytes() + AHEAD.read_bytes()).hexdigest()[:8]


def _stamp(out: Path) -> Path:
    """Holds the release; written last."""
    return out / ".built"


def _bootable(out: Path) -> Path:
    return out / "vmlinux.boot"


def _require_tools() -> None:
    missing = missing_tools()
    if missing:
        raise EnvironmentFault(f"Linux cannot be built here: {', '.join(missing)} missing", INSTALL)


def _unpack(pool: debian.Pool, package: debian.Package, folder: Path, progress: debian.Progress) -> Path:
    """The source tree; unpacked once."""
    source = folder / f"{package.name}_{package.version}"
    if not source.is_dir():
        debian.download(pool, (package,), progress)
        progress(f"unpacking the sources of Linux ({package.name} {package.version})")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            tree = Path(scratch) / "tree"
            tree.mkdir()
            unpack_source(pool, package, tree, *(f"--exclude={pattern}" for pattern in _LEFT_OUT))
            tree.rename(source)
    return source


def _build(source: Path, out: Path, lock: int, progress: debian.Progress) -> None:
    make = _make(source, out)
    progress("configuring Linux")
    out.mkdir(parents=True, exist_ok=True)
    _run([*make, "allnoconfig"], {"KCONFIG_ALLCONFIG": os.fspath(CONFIG)})
    _require_config(out / ".config")
    _compile([*make, f"-j{os.cpu_count() or 1}", "vmlinux", "modules"], lock, progress)
    # Its symbols serve gdb; QEMU would copy them at each start.
    _run(["objcopy", "--strip-all", os.fspath(out / "vmlinux"), os.fspath(_bootable(out))])
    require_pvh(_bootable(out))
    release = (out / "include" / "config" / "kernel.release").read_text().strip()
    debian.write_atomically(_stamp(out), release.encode())


def _make(source: Path, out: Path) -> list[str]:
    """The release, and with it the vermagic, names the configuration: a module for another one is refused."""
    local, ahead = f"LOCALVERSION=-{_config_key()}", f"KCFLAGS=-include {AHEAD}"
    return ["make", "-C", os.fspath(source.absolute()), f"O={out.absolute()}", local, ahead]


def _require_config(config: Path) -> None:
    """Kconfig leaves out in silence what lacks a dependency; what we asked for must be there."""
    made = set(config.read_text().splitlines())
    wanted = [line for line in CONFIG.read_text().splitlines() if line.startswith("CONFIG_")]
    missing = [line for line in wanted if not line.endswith("=n") and line not in made]
    if missing:
        raise EnclaveError(f"Linux cannot be configured with {', '.join(missing)}", f"see {CONFIG}")


def _compile(command: Sequence[str], lock: int, progress: debian.Progress) -> None:
    """Runs make, and tells now and then how far it is. While any of it runs, the lock is held."""
    progress("compiling Linux: this takes some minutes, once")
    tail: list[str] = []
    compiled = 0
    with subprocess.Popen(
        [*_DIE_WITH_US, *command],
        env=_environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[lock],
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                step = _STEP.match(line)
                if not step:
                    tail = [*tail[1 - _OUTPUT_SHOWN :], line.rstrip()]
                elif step[1] == "CC":
                    compiled += 1
                    if compiled % _FILES_PER_STEP == 0:
                        progress(f"compiling Linux: {compiled} of about {_FILES} files")
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)  # compilers too, which make would leave alone
            raise
    if process.returncode:
        raise EnclaveError("Linux does not build:\n" + "\n".join(tail), f"all of it: {' '.join(command)}")


def _run(command: Sequence[str], more: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env=_environment(more or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-_OUTPUT_SHOWN:])
        raise EnclaveError(
            f"{command[0]} failed with status {done.returncode}:\n{said}", f"all of it: {' '.join(command)}"
        )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
    return inherited | _FIXED | dict(more)
