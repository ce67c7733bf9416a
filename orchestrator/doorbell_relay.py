# SPDX-License-Identifier: Apache-2.0
"""Every doorbell by way of this process, so that faults can be put in its way.

Each source has an eventfd for each target and vector, and we ring the target's own for it. An eventfd that
was written several times before we look rings once, as at QEMU: a doorbell is no counter (ikc-protocol.md,
"Doorbells"), so none is lost. Without a rule that means it, a doorbell goes straight on.
"""

import asyncio
import os
import resource
import select
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress

from orchestrator.doorbell_faults import HARMLESS, Doorbell, Fate, Rule, applies, fate

AGAIN_AFTER_S = 0.001  # a doorbell that rings twice: at once, the two would be one
# Told of the number of a rule, a doorbell, its number under that rule, and what befell it.
OnFault = Callable[[int, Doorbell, int, Fate], None]


class ActiveRule:
    """A rule, the doorbells that it has met, by source, target and vector, and what it did to them."""

    def __init__(self, number: int, rule: Rule) -> None:
        self.number = number
        self.rule = rule
        self.met: Counter[Doorbell] = Counter()
        self.done: Counter[str] = Counter()

    def judge(self, doorbell: Doorbell, on_fault: OnFault) -> Fate:
        number = self.met[doorbell]
        self.met[doorbell] += 1
        found = fate(self.rule, doorbell, number)
        if not found.harmless:
            self.done.update(found.words)
            on_fault(self.number, doorbell, number, found)
        return found


class DoorbellRelay:
    """`bells` are the eventfds that each peer listens to, by peer and vector; the last peer is the monitor.

    Everything that was made is closed with `stack`.
    """

    def __init__(self, stack: ExitStack, bells: Sequence[Sequence[int]], on_fault: OnFault) -> None:
        self._loop = asyncio.get_running_loop()
        self._bells = bells
        self._monitor = len(bells) - 1
        self._on_fault = on_fault
        self._rules: list[ActiveRule] = []
        self._added = 0
        self._meant: dict[Doorbell, tuple[ActiveRule, ...]] = {}
        self._late: set[asyncio.TimerHandle] = set()
        _allow_many_files()
        # One for all: the event loop would need microseconds for each of them.
        self._poll = stack.enter_context(select.epoll())
        self._entries = {doorbell: self._entry(stack) for doorbell in self._doorbells()}
        self._doorbell_of = {entry: doorbell for doorbell, entry in self._entries.items()}
        self._loop.add_reader(self._poll, self._forward)
        stack.callback(self._close)

    def _doorbells(self) -> Iterable[Doorbell]:
        return (
            Doorbell(source, target, vector)
            for source in range(self._monitor)
            for target, vectors in enumerate(self._bells)
            if source != target
            for vector in range(len(vectors))
        )

    def _entry(self, stack: ExitStack) -> int:
        descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        stack.callback(os.close, descriptor)
        # Told once for each time that it is written, without being read.
        self._poll.register(descriptor, select.EPOLLIN | select.EPOLLET)
        return descriptor

    def _close(self) -> None:
        self._loop.remove_reader(self._poll)
        for late in self._late:
            late.cancel()

    def entry(self, doorbell: Doorbell) -> int:
        """The eventfd that a source's QEMU writes to ring that doorbell."""
        return self._entries[doorbell]

    def _forward(self) -> None:
        for entry, _ in self._poll.poll(0):
            self.ring(self._doorbell_of[entry])

    def ring(self, doorbell: Doorbell) -> None:
        """Sends a doorbell on its way, as if its source had rung it."""
        rules = self._meant.get(doorbell)
        if rules:
            self._judge(doorbell, rules)
        else:
            self._deliver(doorbell)

    def _deliver(self, doorbell: Doorbell) -> None:
        with suppress(BlockingIOError):
            os.eventfd_write(self._bells[doorbell.target][doorbell.vector], 1)

    def _judge(self, doorbell: Doorbell, rules: Iterable[ActiveRule]) -> None:
        found = HARMLESS
        for rule in rules:
            found = found.and_then(rule.judge(doorbell, self._on_fault))
        if found.dropped:
            return
        if found.delay_s:
            self._deliver_later(doorbell, found.delay_s)
        else:
            self._deliver(doorbell)
        if found.duplicated:
            self._deliver_later(doorbell, found.delay_s + AGAIN_AFTER_S)

    def _deliver_later(self, doorbell: Doorbell, delay_s: float) -> None:
        def deliver() -> None:
            self._late.discard(late)
            self._deliver(doorbell)

        late = self._loop.call_later(delay_s, deliver)
        self._late.add(late)

    # ---- rules ----

    @property
    def rules(self) -> tuple[ActiveRule, ...]:
        return tuple(self._rules)

    def add(self, rule: Rule) -> ActiveRule:
        """All rules that mean a doorbell have their say, each by itself."""
        self._added += 1
        active = ActiveRule(self._added, rule)
        self._rules.append(active)
        self._sort_out()
        return active

    def clear(self) -> tuple[ActiveRule, ...]:
        """Takes all rules away, and returns them. What is late still arrives."""
        gone = self.rules
        self._rules.clear()
        self._sort_out()
        return gone

    def _sort_out(self) -> None:
        every = (*self._doorbells(), *self._from_monitor())
        meant = {
            doorbell: tuple(each for each in self._rules if applies(each.rule, doorbell, self._monitor))
            for doorbell in every
        }
        self._meant = {doorbell: rules for doorbell, rules in meant.items() if rules}

    def _from_monitor(self) -> Iterable[Doorbell]:
        return (
            Doorbell(self._monitor, target, vector)
            for target, vectors in enumerate(self._bells[: self._monitor])
            for vector in range(len(vectors))
        )


def _allow_many_files() -> None:
    """16 LWKs make two thousand eventfds, and a process may usually have a thousand open unless it asks."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
