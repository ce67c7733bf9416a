# SPDX-License-Identifier: Apache-2.0
"""The run folder: where one life of an enclave keeps its lock, logs, sockets and plan.

    <runtime>/<name>/
        lock                     held while the enclave runs; the kernel lets go of it when the holders die
        plan.json                the resolved plan
        command-<partition>.txt  QEMU's command line as it was started, with the descriptors that it inherited
        repro.sh, repro.json     starts the same QEMUs by hand (repro_script.py)
        console-<partition>.log  serial console, every line stamped with seconds since `up`
        kernel-<partition>.log   kernel log out of shared memory, saved when the enclave ended
        qemu-<partition>.stderr  what QEMU itself complained of
        profile.json             where the time of the boot went, if `up` was asked for that
        crash/                   a folder for each partition that panicked, hung or died: crash_folder.py
        events.log               one JSON object a line: what happened, with seconds since `up`
        supervisor.log           the supervisor's own log
        status-final.json        how the run ended; absent while it lasts
        initramfs-<kernel>.cpio  that of each kind of Linux, with the keys of this run
        id_ed25519, known_hosts  to reach the host by SSH
        control.sock             the supervisor's, for `enclave` and the pytest plugin
        qmp-<partition>.sock     QEMU's monitor, for people
        gdb-<partition>.sock     for gdb: `target remote` of this path stops the partition
        lwk-<partition>.elf      the LWK that it has booted, with its symbols

The folder stays after `down`, without its sockets; the next `up` of that name empties it first.
"""

import errno
import fcntl
import os
import re
import shutil
import stat
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import DeadlineError, EnvironmentFault, UsageError

SOCKET_PATH_MAX = 107  # sun_path is 108 bytes with its NUL: unix(7)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class AlreadyRunning(UsageError):
    """An enclave of that name runs; nothing was changed."""


class NotRunning(UsageError):
    """No enclave of that name runs."""


def runtime_folder() -> Path:
    """The folder that holds all run folders of this user; it need not exist yet."""
    chosen = os.environ.get("ENCLAVE_RUNTIME_DIR")
    if chosen:
        return Path(chosen).absolute()
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session:
        with suppress(OSError):
            if os.stat(session).st_uid == os.getuid():
                return Path(session) / "enclave"
    return Path(f"/tmp/enclave-{os.getuid()}")


def _check_private(path: Path) -> None:
    """Refuses a folder in which somebody else could have put, or could put, things."""
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode):
        raise EnvironmentFault(f"{path} is not a directory", "remove it, or set ENCLAVE_RUNTIME_DIR")
    if info.st_uid != os.getuid():
        raise EnvironmentFault(
            f"{path} belongs to user {info.st_uid}, not to you ({os.getuid()})",
            "set ENCLAVE_RUNTIME_DIR to a directory of your own",
        )
    if info.st_mode & 0o022:
        raise EnvironmentFault(f"others may write to {path}", f"chmod 700 {path}")


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot create {path}: {error.strerror}", "set ENCLAVE_RUNTIME_DIR to a directory of your own"
        ) from error
    _check_private(path)


def _lock(kind: int) -> bytes:
    """A `struct flock` over the whole file; see fcntl(2), "Open file description locks"."""
    return struct.pack("@hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)


@dataclass(frozen=True, slots=True, order=True)
class RunFolder:
    """The run folder of the enclave called `name`. Making this object touches no file."""

    name: str
    runtime: Path = field(default_factory=runtime_folder)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} cannot be the name of an enclave",
                "use up to 64 letters, digits, '-', '_' and '.', and begin with a letter or digit",
            )

    @property
    def path(self) -> Path:
        return self.runtime / self.name

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def repro(self) -> Path:
        return self.path / "repro.sh"

    @property
    def repro_shared(self) -> Path:
        return self.path / "repro.json"

    @property
    def profile(self) -> Path:
        return self.path / "profile.json"

    @property
    def events(self) -> Path:
        return self.path / "events.log"

    @property
    def crashes(self) -> Path:
        return self.path / "crash"

    @property
    def supervisor_log(self) -> Path:
        return self.path / "supervisor.log"

    @property
    def status_final(self) -> Path:
        return self.path / "status-final.json"

    @property
    def key(self) -> Path:
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.path / "known_hosts"

    @property
    def control_socket(self) -> Path:
        return self.path / "control.sock"

    def qmp_socket(self, partition: str) -> Path:
        return self.path / f"qmp-{partition}.sock"

    def gdb_socket(self, partition: str) -> Path:
        return self.path / f"gdb-{partition}.sock"

    def gdb_stub_socket(self, partition: str) -> Path:
        """QEMU's own end of gdb's connection; there for a moment only. No longer than the others."""
        return self.path / f"dbg-{partition}.sock"

    def lwk(self, partition: str) -> Path:
        return self.path / f"lwk-{partition}.elf"

    def initramfs(self, kernel: str) -> Path:
        return self.path / f"initramfs-{kernel}.cpio"

    def command(self, partition: str) -> Path:
        return self.path / f"command-{partition}.txt"

    def console_log(self, partition: str) -> Path:
        return self.path / f"console-{partition}.log"

    def console_logs(self) -> dict[str, Path]:
        """Those that there are, by the names of their partitions."""
        found = {path.name[len("console-") : -len(".log")]: path for path in self.path.glob("console-*.log")}
        return dict(sorted(found.items()))

    def kernel_log(self, partition: str) -> Path:
        return self.path / f"kernel-{partition}.log"

    def qemu_stderr(self, partition: str) -> Path:
        return self.path / f"qemu-{partition}.stderr"

    def check_socket_paths(self, partitions: tuple[str, ...]) -> None:
        """Raises EnvironmentFault if a socket of this run would have a path that the kernel refuses."""
        for path in (self.control_socket, *(self.qmp_socket(name) for name in partitions)):
            length = len(os.fsencode(path))
            if length > SOCKET_PATH_MAX:
                raise EnvironmentFault(
                    f"{path} is {length} bytes long; the path of a socket may have {SOCKET_PATH_MAX}",
                    "set ENCLAVE_RUNTIME_DIR to a shorter path, or shorten the names",
                )

    def is_running(self) -> bool:
        """Whether a supervisor, or its guardian, lives. Only looks: it makes no claim fail."""
        try:
            with open(self.lock, "rb+") as file:
                answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _lock(fcntl.F_WRLCK))
        except (FileNotFoundError, NotADirectoryError):
            return False
        holder: int = struct.unpack_from("@h", answer)[0]
        return holder != fcntl.F_UNLCK

    def wait_until_over(self, deadline_s: float) -> None:
        """Returns when nobody holds the lock. Raises DeadlineError."""
        deadline = time.monotonic() + deadline_s
        while self.is_running():
            # A lock cannot be waited for with a deadline; this lasts some milliseconds.
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"the processes of enclave {self.name} did not end within {deadline_s:g} s",
                    f"`fuser {self.lock}` shows them",
                )
            time.sleep(0.002)

    def claim(self) -> int:
        """Makes the folder, empties it, and returns the descriptor that holds its lock.

        The lock lasts until every copy of the descriptor, in whatever process, is closed.
        Raises AlreadyRunning, or EnvironmentFault if the folder cannot be used.
        """
        _make_private(self.runtime)
        _make_private(self.path)
        descriptor = self._take_lock()
        for entry in os.scandir(self.path):
            if entry.name == self.lock.name:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        return descriptor

    def _take_lock(self) -> int:
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK))
        except OSError as error:
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise AlreadyRunning(
                f"enclave {self.name} is running already", f"`enclave down {self.name}` ends it"
            ) from None
        return descriptor

    def remove_sockets(self) -> None:
        """What makes the folder look alive; the logs stay."""
        for path in self.path.glob("*.sock"):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Deletes the folder of a run that is over. Raises AlreadyRunning if it is not."""
        descriptor = self._take_lock()
        try:
            shutil.rmtree(self.path)
        finally:
            os.close(descriptor)


def list_runs() -> list[RunFolder]:
    """Every run folder of this user, running or not, by name."""
    runtime = runtime_folder()
    if not runtime.exists():
        return []
    _check_private(runtime)
    names = (entry.name for entry in os.scandir(runtime) if entry.is_dir(follow_symlinks=False))
    return sorted(RunFolder(name, runtime) for name in names if NAME.fullmatch(name))
