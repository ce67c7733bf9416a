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
from orchestrator.kinds import KernelKind

ALIVE = frozenset({"BOOTING", "READY", "HUNG"})


class State(enum.StrEnum):
    BOOTING = "BOOTING"
    READY = "READY"
    PANICKED = "PANICKED"
    HUNG = "HUNG"
    EXITED = "EXITED"


class Fault(enum.StrEnum):
    """What a partition has come to that nobody asked for; each is worth a crash bundle."""

    PANIC = "panic"
    HANG = "hang"
    RESET = "reset"
    EXIT = "exit"


class Reset(enum.Enum):
    """What is to be done about a guest that was reset, and stands still now."""

    NO = "leave it"
    NEW_LIFE = "start it: it announced a restart, or a person reset it"
    SAME_LIFE = "start it: its firmware is not done"


class Debugging(enum.StrEnum):
    NONE = "none"
    AWAITED = "awaited"  # it has not executed an instruction: it waits for gdb
    ATTACHED = "attached"


@dataclass(slots=True)
class Partition:
    """`ready_s` is the time from the beginning of this life to READY;
    `speaks_ikc` says that its kernel takes commands from its mailbox: it has said READY in the region;
    `held` that its CPUs are stopped because somebody wants that, and `holds` counts what excused its silence;
    `fault` is what brought it into its present state, if that was one."""

    name: str
    index: int
    kernel: KernelKind
    state: State = State.EXITED
    reason: str = "not started"
    incarnation: int = 0
    began: float = 0.0  # of this life, by time.monotonic()
    ready_s: float | None = None
    speaks_ikc: bool = False
    held: bool = False
    holds: int = 0
    debugging: Debugging = Debugging.NONE
    fault: Fault | None = None
    _paused: bool = False
    _restarting: bool = False
    _firmware_may_reset: bool = False
    _stays_paused: bool = False

    @property
    def alive(self) -> bool:
        """Whether a kernel may be running in it: what its peers are told in the region."""
        return self.state in ALIVE

    @property
    def debugged(self) -> bool:
        """gdb may have stopped it at any moment: no silence of it says anything, and no deadline runs."""
        return self.debugging is not Debugging.NONE

    @property
    def excused(self) -> bool:
        return self.held or self.debugged

    @property
    def stopped_by_debugger(self) -> bool:
        return self.debugging is Debugging.ATTACHED and self._paused

    @property
    def debugger(self) -> str | None:
        """It `waits` for one before its first instruction; is `stopped` by one, or `running` under it."""
        if self.debugging is Debugging.ATTACHED:
            return "stopped" if self.stopped_by_debugger else "running"
        return "waits" if self.debugged else None

    @property
    def stands_still(self) -> bool:
        """Whether QEMU has stopped its CPUs, for whatever reason."""
        return self._paused

    def begin(self, incarnation: int, now: float, by_reset: bool = False, awaits_gdb: bool = False) -> None:
        """A life begins: in a new QEMU, which may wait for gdb, or by a reset of the one that there is."""
        self._firmware_may_reset = by_reset
        self.incarnation = incarnation
        self.began = now
        self.ready_s = None
        self.speaks_ikc = self.held = self._restarting = False
        self._paused = by_reset or awaits_gdb  # until it is resumed
        if not by_reset:
            self.debugging = Debugging.AWAITED if awaits_gdb else Debugging.NONE
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
            self._enter(State.PANICKED, f"guest panicked: {lines[0].removeprefix('panic: ')}", Fault.PANIC)

    def hear(self, event: dict[str, Any], last_line: str) -> Reset:
        """A QMP event, and what its console said last. Returns what to do about the guest."""
        # Events of other kinds have reasons too, which mean something else.
        cause = event.get("data", {}).get("reason") if event["event"] == "SHUTDOWN" else None
        if event["event"] == "STOP":
            self._hear_stop()
        elif event["event"] == "RESUME":
            self._paused = False
            self.release()
        elif event["event"] == "GUEST_PANICKED" or cause == "guest-panic":
            if self.state is not State.PANICKED:
                self.panic(last_line)
        elif cause == "guest-shutdown":
            self.end("powered off")
        elif cause == "host-qmp-quit":
            self.end("QEMU was told to quit (QMP quit)")
        elif cause == "host-qmp-system-reset" and self.state is not State.EXITED:
            self._paused = True
            return Reset.NEW_LIFE
        elif cause == "guest-reset" and self.alive and not self._paused:
            return self._hear_reset(last_line)
        return Reset.NO

    def _hear_stop(self) -> None:
        """By hand, unless a debugger did, or its kernel's end or a reset: those were told before."""
        if self.alive and not self._paused and self.debugging is not Debugging.ATTACHED:
            self.hold()
        self._paused = True

    def _hear_reset(self, last_line: str) -> Reset:
        # A kernel or firmware may try several ways to reset before QEMU has stopped it.
        self._paused = True
        if self._restarting:
            return Reset.NEW_LIFE
        if self._firmware_may_reset:
            # At a reset, SeaBIOS (src/resume.c) puts its own image in order and resets once more.
            self._firmware_may_reset = False
            return Reset.SAME_LIFE
        self.end(_with_last_line("triple fault or reset nobody asked for", last_line), Fault.RESET)
        return Reset.NO

    def late(self, deadline_s: float, last_line: str) -> None:
        if self.state is State.BOOTING:
            reason = f"did not become READY within {deadline_s:g} s"
            self._enter(State.HUNG, _with_last_line(reason, last_line), self._hang)

    def silent(self, deadline_s: float) -> None:
        if self.state is State.READY:
            why = "; it is paused (QMP stop)" if self._paused else ""
            self._enter(State.HUNG, f"did not answer a probe within {deadline_s:g} s{why}", self._hang)

    @property
    def _hang(self) -> Fault | None:
        """A kernel that a person has stopped, in a debugger perhaps, is silent and well."""
        return None if self._paused else Fault.HANG

    def hold(self) -> None:
        self.held = True
        self.holds += 1

    def release(self) -> None:
        self.held = False
        if self.debugging is Debugging.AWAITED:
            self.debugging = Debugging.NONE

    def attach(self) -> None:
        """A debugger comes, and stops it."""
        self._stays_paused = self._paused and self.debugging is Debugging.NONE
        self.debugging = Debugging.ATTACHED
        self.holds += 1

    def detach(self) -> bool:
        """It has gone, and had the guest run on. Whether that is to be paused again, as it was before."""
        self.debugging = Debugging.NONE
        return self._stays_paused

    def answer(self) -> None:
        if self.state is State.HUNG and self.ready_s is not None:
            self._enter(State.READY, "")

    def end(self, reason: str, fault: Fault | None = None) -> None:
        """Its machine does not run it any more. The first reason, and the first fault, is the true one."""
        if self.state is State.PANICKED:
            reason, fault = f"{self.reason}; then {reason}", None
        if self.state is not State.EXITED:
            self._enter(State.EXITED, reason, fault)

    def _enter(self, state: State, reason: str, fault: Fault | None = None) -> None:
        self.state = state
        self.reason = reason
        self.fault = fault


def _with_last_line(reason: str, last_line: str) -> str:
    return f"{reason}; last console line: {last_line}" if last_line else reason
