# SPDX-License-Identifier: Apache-2.0
"""Fixtures for any project's tests: enclaves that are up for a test, and gone after it.

    @pytest.mark.enclave("specs/duo.yaml")
    def test_something(enclave):
        assert enclave.host.succeed("uname") == "Linux\\n"

    @pytest.fixture(scope="module")
    def duo(enclave_factory):
        with enclave_factory("specs/duo.yaml") as enclave:
            yield enclave

When a test fails, the run folders of the enclaves that were up stay, and the report names them, and tells
what crashed in them.
"""

import shutil
import signal
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import handles
from orchestrator.handles import Linux

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from orchestrator.run import RunFolder

__all__ = ["Enclave", "EnclaveFactory", "Linux"]


class Enclave(handles.Enclave):
    """A running enclave (handles.py), and the plan that it was booted from."""

    def __init__(self, plan: "Plan", run: "RunFolder") -> None:
        super().__init__(run)
        self.plan = plan


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
        self, spec: str | Path, *, accelerator: str = "auto", interpose: bool = False, **defines: object
    ) -> Iterator[Enclave]:
        """Boots the enclave of a spec; `defines` are the variables of its template, and with `interpose`
        its doorbells can be disturbed."""
        from orchestrator.planning import load_plan

        words = [f"{key}={value}" for key, value in defines.items()]
        with self.of_plan(load_plan(Path(spec), words), accelerator, interpose) as enclave:
            yield enclave

    @contextmanager
    def of_plan(self, plan: "Plan", accelerator: str = "auto", interpose: bool = False) -> Iterator[Enclave]:
        """Boots a plan that was made or changed elsewhere."""
        self._count += 1
        enclave = self._boot(plan, accelerator, interpose)
        self.up.append(enclave)
        try:
            yield enclave
        finally:
            self.up.remove(enclave)
            self._end(enclave)

    def _boot(self, plan: "Plan", accelerator: str, interpose: bool) -> Enclave:
        from orchestrator.launch import launch
        from orchestrator.run import RunFolder
        from orchestrator.standby import standby

        plan = plan._replace(name=f"{plan.name}-{self._count}")
        run = RunFolder(plan.name, self.runtime)
        try:
            with standby() as waiting:
                launch(waiting, plan, run, accelerator, _Silence(), interpose)
        except Exception:
            if run.path.exists():
                self.kept.add(run.path)
            raise
        return Enclave(plan, run)

    def _end(self, enclave: Enclave) -> None:
        from orchestrator.run import NotRunning

        enclave.close()
        with suppress(NotRunning):
            enclave.client.down()
        if enclave.run.path not in self.kept:
            enclave.run.remove()

    def close(self) -> None:
        if not self.kept:
            shutil.rmtree(self.runtime)


def _crashes(enclave: Enclave) -> str:
    """Its last crash, and where the others are."""
    import click

    from orchestrator.crash_story import screen

    *others, last = enclave.crashes()
    return "\n".join([click.unstyle(screen(last)), *(story["bundle"] for story in reversed(others))])


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
    with _ended_in_order():
        yield factory
        factory.close()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, which CI systems and timeout(1) send, ends the tests as Ctrl-C does: fixtures let go first.

    Not if somebody else takes care of SIGTERM, or if this is no thread that may.
    """

    def end(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # they let go already; SIGKILL is harder
        pytest.exit("ended by SIGTERM", returncode=128 + number)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
        report.sections += [
            ("enclave crash", _crashes(enclave)) for enclave in factory.up if enclave.crashes()
        ]
    return report
