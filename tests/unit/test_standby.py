# SPDX-License-Identifier: Apache-2.0
"""Callers that are killed while they hand a run over: whoever stood by clears up."""

import os
import pickle
import time
from pathlib import Path

import pytest

from orchestrator.run import RunFolder
from orchestrator.standby import standby
from tests.unit.enclaves import eventually


def hand_over_until(moment: str, run: RunFolder) -> None:
    """What `Standby.start` does up to a moment, at which the caller is gone."""
    with standby() as waiting:
        lock = run.claim()
        order = pickle.dumps((run, None, None, time.monotonic()))
        if moment != "claimed":
            waiting._send_order(order, lock)
        os.close(lock)
        if moment == "bound":
            run.control_socket.touch()


@pytest.mark.parametrize("moment", ["claimed", "ordered", "bound"])
def test_caller_that_dies_leaves_no_socket_and_no_lock(moment: str, tmp_path: Path) -> None:
    run = RunFolder("died", tmp_path)
    hand_over_until(moment, run)
    eventually(lambda: not run.is_running())
    assert [path.name for path in run.path.iterdir()] == ["lock"]
