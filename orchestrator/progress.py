# SPDX-License-Identifier: Apache-2.0
"""Tells step by step what `up` is doing: a line each on stderr, so that stdout has only the result."""

import time
from collections.abc import Callable
from typing import Any

import click

from orchestrator import habits, table


class Progress:
    """`step` for what is done here, `event` for what the supervisor tells; times are since `began`, by
    time.monotonic(), or since now. `interrupted` is called at each, to raise KeyboardInterrupt if that is
    still due."""

    def __init__(self, interrupted: Callable[[], None] = lambda: None, began: float | None = None) -> None:
        self._began = time.monotonic() if began is None else began
        self._interrupted = interrupted

    def step(self, name: str, what: str) -> None:
        self._interrupted()
        if habits.is_quiet():
            return
        elapsed = click.style(f"{time.monotonic() - self._began:7.2f} s", dim=True)
        click.echo(f"{elapsed}  {name:6}  {what}", err=True)

    def event(self, event: dict[str, Any]) -> None:
        if event["event"] == "state":
            reason = f"  {event['reason']}" if event.get("reason") else ""
            self.step("boot", f"{event['partition']}: {table.state(event['state'])}{reason}")
        elif habits.is_verbose():
            details = {key: value for key, value in event.items() if key not in ("t", "partition", "event")}
            words = " ".join(f"{key}={value}" for key, value in details.items())
            self.step("event", f"{event['partition'] or 'enclave'}: {event['event']} {words}".rstrip())
