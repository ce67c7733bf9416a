# SPDX-License-Identifier: Apache-2.0
"""Tells step by step what `up` is doing: a line each on stderr, so that stdout has only the result."""

import time
from typing import Any

import click

from orchestrator import table


class Progress:
    """`step` for what is done here, `event` for what the supervisor tells."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def step(self, name: str, what: str) -> None:
        elapsed = click.style(f"{time.monotonic() - self._begin:7.2f} s", dim=True)
        click.echo(f"{elapsed}  {name:6}  {what}", err=True)

    def event(self, event: dict[str, Any]) -> None:
        if event["event"] != "state":
            return
        reason = f"  {event['reason']}" if event.get("reason") else ""
        self.step("boot", f"{event['partition']}: {table.state(event['state'])}{reason}")
