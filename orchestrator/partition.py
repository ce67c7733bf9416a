# SPDX-License-Identifier: Apache-2.0
"""What state a partition is in, and why: told by its kernel, by QEMU, and by what did not happen in time.

    BOOTING ──> READY <──> HUNG          HUNG: late in becoming ready, or silent since
       │          │         │
       └──────────┴─────────┴──> PANICKED ──> EXITED     EXITED: it runs no more; QEMU may still be there

Pure: every method is a fact that was observed, and none waits or asks anybody.
"""

import enum
from dataclasses import dataclass
from typing import Any

from orchestrator.ikc import Status

ALIVE = frozenset({"BOOTING", "READY", "HUNG"})


class State(enum.StrEnum):
    BOOTING = "BOOTING"
    READY = "READY"
    PANICKED = "PANICKED"
    HUNG = "HUNG"
    EXITED = "EXITED"


class Reset(enum.Enum):
    """What is to be done about a guest that was reset, and stands still now."""

    NO = "leave it"
    NEW_LIFE = "start it: it announced a restart"
    SAME_LIFE = "start it: its firmware is not done"


@dataclass(slots=True)
class Partition:
    """`kernel` is linux, lwk or custom; `ready_s` is the time from the beginning of this life to READY;
    `speaks_ikc` says that its kernel takes commands from its mailbox: it has said READY in the region."""

    name: str
    index: int
    kernel: str
    state: State = State.EXITED
    reason: str = "not started"
    incarnation: int = 0
    began: float = 0.0  # of this life, by time.monotonic()
    ready_s: float | None = None
    speaks_ikc: bool = False
    _paused: bool = False
    _restarting: bool = False
    _firmware_may_reset: bool = False

    @property
    def alive(self) -> bool:
        """Whether a kernel may be running in it: what its peers are told in the region."""
        return self.state in ALIVE

    def begin(self, incarnation: int, now: float, by_reset: bool = False) -> None:
        """A life begins: in a new QEMU, or by a reset of the one that there is."""
        self._firmware_may_reset = by_reset
        self.incarnation = incarnation
        self.began = now
        self.ready_s = None
        self.speaks_ikc = self._restarting = False
        self._paused = by_reset  # until it is resumed
        self._enter(State.BOOTING, "")

    def say(self, status: Status, now: float) -> None:
        """What its status page says now; a page of an earlier life says nothing."""
        if not self.alive or status.incarnation != self.incarnation or status.state == "NONE":
            return
        self._firmware_may_reset = False
        self._restarting = status.state == "RESTARTING"
        if status.state == "PANICKED":
            self.panic(status.panic_text)
        elif status.state == "READY":
            self.speaks_ikc = True
            if self.ready_s is None:
                self.ready(now)

    def ready(self, now: float) -> None:
        self.ready_s = now - self.began
        self._enter(State.READY, "")

    def panic(self, text: str) -> None:
        if self.state is not State.EXITED:
            lines = text.strip().splitlines() or ["it did not say why"]
            self._enter(State.PANICKED, f"guest panicked: {lines[0].removeprefix('panic: ')}")

    def hear(self, event: dict[str, Any], last_line: str) -> Reset:
        """A QMP event, and what its console said last. Returns what to do about the guest."""
        data = event.get("data", {})
        cause = data.get("reason")
        if event["event"] in ("STOP", "RESUME"):
            self._paused = event["event"] == "STOP"
        elif event["event"] == "GUEST_PANICKED" or cause == "guest-panic":
            if self.state is not State.PANICKED:
                self.panic(last_line)
        elif cause == "guest-shutdown":
            self.end("powered off")
        elif cause == "guest-reset" and self.alive and not self._paused:
            return self._hear_reset(last_line)
        return Reset.NO

    def _hear_reset(self, last_line: str) -> Reset:
        # A kernel or firmware may try several ways to reset before QEMU has stopped it.
        self._paused = True
        if self._restarting:
            return Reset.NEW_LIFE
        if self._firmware_may_reset:
            # At a reset, SeaBIOS (src/resume.c) puts its own image in order and resets once more.
            self._firmware_may_reset = False
            return Reset.SAME_LIFE
        self.end(_with_last_line("triple fault or reset nobody asked for", last_line))
        return Reset.NO

    def late(self, deadline_s: float, last_line: str) -> None:
        if self.state is State.BOOTING:
            reason = f"did not become READY within {deadline_s:g} s"
            self._enter(State.HUNG, _with_last_line(reason, last_line))

    def silent(self, deadline_s: float) -> None:
        if self.state is State.READY:
            why = "; it is paused (QMP stop)" if self._paused else ""
            self._enter(State.HUNG, f"did not answer a probe within {deadline_s:g} s{why}")

    def answer(self) -> None:
        if self.state is State.HUNG and self.ready_s is not None:
            self._enter(State.READY, "")

    def end(self, reason: str) -> None:
        """Its machine does not run it any more. The first reason is the true one."""
        if self.state is State.PANICKED:
            reason = f"{self.reason}; then {reason}"
        if self.state is not State.EXITED:
            self._enter(State.EXITED, reason)

    def _enter(self, state: State, reason: str) -> None:
        self.state = state
        self.reason = reason


def _with_last_line(reason: str, last_line: str) -> str:
    return f"{reason}; last console line: {last_line}" if last_line else reason
