# SPDX-License-Identifier: Apache-2.0
"""Figures of the tools that a person waits for: an answer, a prompt, a crash bundle.

There is nothing to compare them with; their limits are seconds, of whole processes from their start to what
was waited for. On a busy computer they are missed for its sake: the load is printed with them.
"""

import os
import sys
import tempfile
import time
from contextlib import closing

from orchestrator.client import Client
from orchestrator.errors import EnclaveError
from orchestrator.run import RunFolder
from tests.bench.boot import PROGRAM, ROOT, enclave, running, seconds_of
from tests.bench.figure import Figure
from tests.screen import Screen

NAME = "bench-tools"


def figures(runs: int) -> list[Figure]:
    with running(ROOT / "specs" / "duo.yaml", NAME):
        status = [seconds_of(str(PROGRAM), "status", "-e", NAME) for _ in range(3 * runs)]
        python = [seconds_of(sys.executable, "-c", "pass") for _ in range(3 * runs)]
        prompt = prompts(runs)
        bundle = [panic_to_bundle("lwk0") for _ in range(runs)]
    return [
        Figure("`enclave status`, start to end", "s", status, limit=0.3),
        Figure("Python doing nothing", "s", python),
        Figure("`enclave qmp`, start to its prompt", "s", prompt, limit=0.5),
        Figure("duo: from `enclave fault panic` to the bundle", "s", bundle, limit=3),
    ]


def prompts(runs: int) -> list[float]:
    """With a history of its own, so that nobody's is written to."""
    with tempfile.TemporaryDirectory(prefix="bench-") as state:
        environment = {**os.environ, "XDG_STATE_HOME": state}
        return [seconds_to_prompt(environment) for _ in range(runs)]


def seconds_to_prompt(environment: dict[str, str]) -> float:
    """Until it stands on the screen of a terminal."""
    begun = time.monotonic()
    command = [str(PROGRAM), "qmp", "-e", NAME, "lwk0"]
    with Screen(command, environment, ROOT, columns=110, rows=30) as screen:
        screen.until("lwk0> ")
        return time.monotonic() - begun


def panic_to_bundle(partition: str) -> float:
    """Until the supervisor tells that the bundle is complete. The partition is booted again afterwards."""
    client = Client.connect(RunFolder(NAME))
    with closing(client.events()) as events:
        begun = time.monotonic()
        enclave("fault", "panic", "-e", NAME, partition)
        told = next(each for each in events if each["event"] in ("crash", "no crash bundle"))
        took = time.monotonic() - begun
    if told["event"] != "crash":
        raise EnclaveError(f"{partition}: no crash bundle: {told['why']}")
    enclave("restart", "-e", NAME, partition)
    return took
