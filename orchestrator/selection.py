# SPDX-License-Identifier: Apache-2.0
"""Which enclave and which partition a person means by what was typed, or left out."""

import json
from typing import Any

from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.run import NotRunning, RunFolder, list_runs


def running() -> list[RunFolder]:
    return [run for run in list_runs() if run.is_running()]


def pick(name: str | None) -> RunFolder:
    """The enclave of that name, or the only one that runs. Raises NotRunning or UsageError."""
    if name is not None:
        return RunFolder(name)
    runs = running()
    if not runs:
        raise NotRunning("no enclave is running", "start one: enclave up SPEC")
    if len(runs) > 1:
        names = ", ".join(run.name for run in runs)
        raise UsageError(f"several enclaves are running: {names}", "say which: -e NAME")
    return runs[0]


def connect(name: str | None) -> Client:
    """Raises NotRunning, with how it ended if that is known."""
    run = pick(name)
    if not run.is_running():
        raise NotRunning(f"enclave {run.name} is not running{how_it_ended(run)}", "start it: enclave up SPEC")
    return Client.connect(run)


def how_it_ended(run: RunFolder) -> str:
    """`: why`, if it ended by itself."""
    try:
        reason = json.loads(run.status_final.read_text()).get("reason", "")
    except (OSError, ValueError):
        return ""
    return f": {reason}" if reason else ""


def find_host(status: dict[str, Any]) -> dict[str, Any]:
    """The host's part of the status."""
    return next(dict(found) for found in status["partitions"] if found["is_host"])


def find_partition(status: dict[str, Any], partition: str) -> dict[str, Any]:
    """Its part of the status. Raises UsageError with the names that there are."""
    for found in status["partitions"]:
        if found["name"] == partition:
            return dict(found)
    names = ", ".join(each["name"] for each in status["partitions"])
    raise UsageError(f"enclave {status['enclave']} has no partition {partition!r}", f"it has: {names}")
