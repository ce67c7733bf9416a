# SPDX-License-Identifier: Apache-2.0
"""Real enclaves. Most tests share `duo`; those that break one of its partitions leave it to be healed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import EnclaveError
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.run import RunFolder
from tests.e2e.quiet import require_quiet

pytest.register_assert_rewrite("tests.e2e.seen_on_lwk")

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COMMAND_DEADLINE_S = 120.0
# What tests choose by that take some of many nodes: the same each time, unless others are asked for.
NODES_SEED = int(os.environ.get("NODES_SEED", 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


_duo = pytest.StashKey[Enclave]()


@pytest.fixture(scope="session")
def duo_of_session(enclave_factory: EnclaveFactory, pytestconfig: pytest.Config) -> Iterator[Enclave]:
    with enclave_factory(ROOT / "specs" / "duo.yaml") as enclave:
        pytestconfig.stash[_duo] = enclave
        yield enclave


@pytest.fixture(scope="module", autouse=True)
def leaves_duo_quiet(request: pytest.FixtureRequest) -> Iterator[None]:
    """A module that leaves something at work on duo fails, and not the one that is disturbed by it."""
    yield
    if duo := request.config.stash.get(_duo, None):
        require_quiet(duo, request.node.name)


@pytest.fixture
def duo(duo_of_session: Enclave) -> Iterator[Enclave]:
    """specs/duo.yaml, all partitions READY; what a test broke is booted again for the next."""
    yield duo_of_session
    for partition in duo_of_session.status()["partitions"]:
        if partition["paused"]:
            duo_of_session.fault(partition["name"], "continue")
        if partition["state"] != "READY":
            duo_of_session.restart(partition["name"])
    duo_of_session.wait_for(links_run, "all links RUN", deadline_s=60.0)


def links_run(status: dict[str, Any]) -> bool:
    return all(set(each["links"].values()) == {"RUN"} for each in status["partitions"])


def build_program(name: str, folders: pytest.TempPathFactory) -> Path:
    """programs/NAME.c, for the host."""
    made = folders.mktemp("programs") / name
    include = [f"-I{ROOT / folder}" for folder in ("guest-kernels/ikc", "guest-kernels/linux/include")]
    source = HERE / "programs" / f"{name}.c"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-static", "-Wall", "-Wextra", *include, "-o", made, source], check=True
    )
    return made


def install(enclave: Enclave, program: str | Path, target: str) -> None:
    """In the host, where it can be run."""
    enclave.host.put(program, target)
    enclave.host.succeed("chmod", "+x", target)


class CommandLine:
    """The command `enclave`, as a person types it, on a runtime folder of its own."""

    program = Path(sys.executable).with_name("enclave")

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"ENCLAVE_RUNTIME_DIR": str(self.runtime)}

    def __call__(
        self, *arguments: str | Path, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.program, *arguments],
            env=self.environment | (environment or {}),
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.program, *arguments],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def duo_command(duo: Enclave) -> CommandLine:
    """The command line in the world where `duo` is the only enclave... of those that run there."""
    return CommandLine(duo.run.runtime)


@pytest.fixture
def command(
    enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """The command line in a world without enclaves; those that a test leaves are ended."""
    runtime = enclave_factory.runtime / f"world-{os.urandom(4).hex()}"
    yield CommandLine(runtime)
    for run in (RunFolder(path.name, runtime) for path in runtime.glob("*")):
        if run.is_running():
            from orchestrator.client import Client

            with suppress(EnclaveError):
                Client(run).down()


def processes_of(run: RunFolder) -> list[str]:
    """Every process that has to do with a run: it was started with its folder, or holds its lock."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with suppress(OSError):
            if str(run.path) in (process / "cmdline").read_text() or _has_open(process, run.lock):
                found.append((process / "cmdline").read_text().replace("\0", " ")[:100])
    return found


def _has_open(process: Path, file: Path) -> bool:
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError):
            if os.readlink(descriptor) == str(file):
                return True
    return False


def leftovers(run: RunFolder) -> list[str]:
    """What a run has left that it should not: processes, sockets, files in /dev/shm."""
    sockets = [str(path) for path in run.path.glob("*") if path.is_socket()]
    shared = [str(path) for path in Path("/dev/shm").iterdir() if run.name in path.name]
    return processes_of(run) + sockets + shared
