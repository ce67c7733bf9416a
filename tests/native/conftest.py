# SPDX-License-Identifier: Apache-2.0
"""What make does for the tests of this folder begins with the suite, and is done when their turn comes.

Enclaves leave processors idle while a kernel boots or a deadline passes: enough for one who is nice.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Should we be killed, it ends too.
NICE = ("setpriv", "--pdeathsig", "TERM", "nice", "-n", "10")
# In the place of 20: until a thread that was woken has a processor.
DEADLINE_S = "300"


class Makes:
    """One target after the other, in the order of the tests that ask for them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._said: dict[str, Future[str]] = {}
        self._running: subprocess.Popen[str] | None = None

    def begin(self, target: str) -> None:
        self._said[target] = self._thread.submit(self._make, target)

    def require(self, target: str) -> None:
        """Waits until it is made; raises AssertionError with all that was printed if it could not be."""
        complaint = self._said[target].result()
        assert not complaint, f"make {target}\n{complaint}"

    def end(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._running:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGTERM)
        self._thread.shutdown()

    def _make(self, target: str) -> str:
        # --keep-going: one run shows everything that fails.
        self._running = subprocess.Popen(
            [*NICE, "make", "-C", str(HERE), "--keep-going", "--silent", target],
            env=os.environ | {"IKC_DEADLINE_S": DEADLINE_S},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        said = self._running.communicate()[0]
        return f"{said}it ended with {self._running.returncode}" if self._running.returncode else ""


_makes = pytest.StashKey[Makes]()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    session.config.stash[_makes] = makes = Makes()
    if not session.config.option.collectonly:
        for item in session.items:
            for mark in item.iter_markers("made"):
                makes.begin(*mark.args)
    try:
        return (yield)
    finally:
        makes.end()


@pytest.fixture
def require_made(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Waits for what the test's marker `made` names."""
    mark = request.node.get_closest_marker("made")
    assert mark
    return partial(request.config.stash[_makes].require, *mark.args)
