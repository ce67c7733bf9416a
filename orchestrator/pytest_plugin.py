# SPDX-License-Identifier: Apache-2.0
"""Fixtures for any project's tests: enclaves that are up for a test, and gone after it.

    @pytest.mark.enclave("specs/duo.yaml")
    def test_something(enclave):
        assert enclave.host.succeed("uname") == "Linux\\n"

    @pytest.fixture(scope="module")
    def duo(enclave_factory):
        with enclave_factory("specs/duo.yaml") as enclave:
            yield enclave

When a test fails, the run folders of the enclaves that were up stay, and the report names them.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from orchestrator.run import RunFolder
    from orchestrator.ssh import Completed, Session

Status = dict[str, Any]
POLL_S = 0.02


class Host:
    """The Linux host: commands over one SSH connection, made when it is first needed."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._session: Session | None = None

    def run(self, *argv: str, input: bytes = b"", deadline_s: float = 60.0) -> "Completed":
        """Runs a command with exactly these arguments and returns what it left."""
        return self.session().run(*argv, input=input, deadline_s=deadline_s)

    def succeed(self, *argv: str, input: bytes = b"", deadline_s: float = 60.0) -> str:
        """What the command prints; an AssertionError with its complaint if it does not end with 0."""
        done = self.run(*argv, input=input, deadline_s=deadline_s)
        assert done.status == 0, f"{argv} ended with {done.status}: {done.complaint or done.text}"
        return done.text

    def session(self) -> "Session":
        from orchestrator.ssh import Endpoint, connect

        if self._session is None or not self._session.alive:
            self._session = connect(Endpoint.of_status(self._status()))
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


class Enclave:
    """A running enclave."""

    def __init__(self, plan: "Plan", run: "RunFolder") -> None:
        from orchestrator.client import Client

        self.plan = plan
        self.run = run
        self.client = Client(run)
        self.host = Host(self.status)

    @property
    def name(self) -> str:
        return self.run.name

    def status(self) -> Status:
        """As `enclave status --json` shows it."""
        return self.client.status()

    def partition(self, name: str) -> Status:
        """One partition's part of the status."""
        return next(dict(each) for each in self.status()["partitions"] if each["name"] == name)

    def log(self, partition: str) -> str:
        """The kernel log in shared memory."""
        return b"".join(self.client.log(partition)).decode(errors="replace")

    def restart(self, partition: str) -> Status:
        """Boots a partition again; returns when it is READY."""
        return self.client.restart(partition)

    def fault(self, partition: str, fault: str) -> None:
        """Makes a partition fail: panic, hang or kill."""
        if fault == "kill":
            self.client.kill(partition)
        else:
            self.client.command(partition, fault)

    def wait_for(self, predicate: Callable[[Status], bool], what: str, deadline_s: float = 10.0) -> Status:
        """The first status for which `predicate` is true; an AssertionError that says `what` did not come."""
        deadline = time.monotonic() + deadline_s
        while not predicate(status := self.status()):
            if time.monotonic() > deadline:
                from orchestrator import table

                raise AssertionError(f"{what}: not within {deadline_s:g} s\n{table.partitions(status)}")
            time.sleep(POLL_S)
        return status

    def wait_for_state(self, partition: str, state: str, deadline_s: float = 10.0) -> Status:
        """Waits until a partition is in a state; returns its part of the status."""

        def find(status: Status) -> Status:
            return next(dict(each) for each in status["partitions"] if each["name"] == partition)

        what = f"{partition} {state}"
        return find(self.wait_for(lambda status: find(status)["state"] == state, what, deadline_s))


class EnclaveFactory:
    """Boots enclaves, all in one runtime folder of their own so that they meet no other enclave."""

    def __init__(self) -> None:
        # Not pytest's own temporary folder: the path of a socket may not be long.
        self.runtime = Path(tempfile.mkdtemp(prefix="enclave-test-"))
        self.up: list[Enclave] = []
        self.kept: set[Path] = set()
        self._count = 0

    @contextmanager
    def __call__(
        self, spec: str | Path, *, accelerator: str = "auto", **defines: object
    ) -> Iterator[Enclave]:
        """Boots the enclave of a spec; `defines` are the variables of its template."""
        from orchestrator.planning import load_plan

        self._count += 1
        words = [f"{key}={value}" for key, value in defines.items()]
        plan = load_plan(Path(spec), words)
        enclave = self._boot(plan, accelerator)
        self.up.append(enclave)
        try:
            yield enclave
        finally:
            self.up.remove(enclave)
            self._end(enclave)

    def _boot(self, plan: "Plan", accelerator: str) -> Enclave:
        from orchestrator.launch import launch
        from orchestrator.run import RunFolder
        from orchestrator.standby import standby

        plan = plan._replace(name=f"{plan.name}-{self._count}")
        run = RunFolder(plan.name, self.runtime)
        try:
            with standby() as waiting:
                launch(waiting, plan, run, accelerator, _Silence())
        except Exception:
            if run.path.exists():
                self.kept.add(run.path)
            raise
        return Enclave(plan, run)

    def _end(self, enclave: Enclave) -> None:
        from orchestrator.run import NotRunning

        enclave.host.close()
        with suppress(NotRunning):
            enclave.client.down()
        if enclave.run.path not in self.kept:
            enclave.run.remove()

    def close(self) -> None:
        if not self.kept:
            shutil.rmtree(self.runtime)


class _Silence:
    def step(self, name: str, what: str) -> None:
        del name, what

    def event(self, event: dict[str, Any]) -> None:
        del event


_factory = pytest.StashKey[EnclaveFactory]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "enclave(spec, accelerator='auto', **defines): what the fixture `enclave` boots"
    )


@pytest.fixture(scope="session")
def enclave_factory(pytestconfig: pytest.Config) -> Iterator[EnclaveFactory]:
    """`with enclave_factory(spec, **defines) as enclave` boots an enclave and ends it."""
    factory = EnclaveFactory()
    pytestconfig.stash[_factory] = factory
    yield factory
    factory.close()


@pytest.fixture
def enclave(request: pytest.FixtureRequest, enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    """The enclave that the test's marker `enclave` asks for."""
    marker = request.node.get_closest_marker("enclave")
    if marker is None:
        raise pytest.UsageError(f'{request.node.nodeid} needs @pytest.mark.enclave("path/to/spec.yaml")')
    with enclave_factory(*marker.args, **marker.kwargs) as enclave:
        yield enclave


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    factory = item.config.stash.get(_factory, None)
    if factory is not None and report.failed:
        factory.kept |= {enclave.run.path for enclave in factory.up}
        if factory.kept:
            folders = "\n".join(str(path) for path in sorted(factory.kept))
            report.sections.append(("run folders with the logs of enclaves", folders))
    return report
