# SPDX-License-Identifier: Apache-2.0
"""Every fault that is injected, in the run's log: events `fault`, with what it was as `fault`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from orchestrator.doorbell_faults import DONE, Doorbell, Fate
from orchestrator.doorbell_relay import ActiveRule
from orchestrator.events import Events

MONITOR = "monitor"  # how the supervisor is called as the source or target of a doorbell
EACH_MAX = 1000  # doorbells of one rule that are logged one by one; those after them are counted


class FaultLog:
    """`names` are those of the partitions, by their peer ids."""

    def __init__(self, events: Events, names: Sequence[str]) -> None:
        self._events = events
        self._names = (*names, MONITOR)
        self._logged: Counter[int] = Counter()

    def record(self, partition: str, fault: str, **details: object) -> None:
        self._events.record(partition, "fault", fault=fault, **details)

    # ---- doorbells ----

    def rule_added(self, active: ActiveRule) -> dict[str, Any]:
        described = self.describe(active)
        self.record("", "doorbell rule added", **described)
        return described

    def rule_removed(self, active: ActiveRule) -> dict[str, Any]:
        described = self.describe(active)
        self.record("", "doorbell rule removed", **described)
        return described

    def describe(self, active: ActiveRule) -> dict[str, Any]:
        """A rule, how many doorbells it has met, and how many of them it did what to."""
        rule = active.rule
        return {
            "rule": active.number,
            "from": self._name(rule.source),
            "to": self._name(rule.target),
            "vector": rule.vector,
            "drop": rule.drop,
            "delay_s": rule.delay_s,
            "duplicate": rule.duplicate,
            "seed": rule.seed,
            "met": active.met.total(),
            **{did: active.done[did] for did in DONE},
        }

    def _name(self, peer: int | None) -> str | None:
        return None if peer is None else self._names[peer]

    def doorbell(self, rule: int, doorbell: Doorbell, number: int, fate: Fate) -> None:
        """What befell the doorbell of that number under a rule. How many there were is told with its end."""
        self._logged[rule] += 1
        if self._logged[rule] > EACH_MAX:
            return
        self.record(
            self._names[doorbell.source],
            f"doorbell {' and '.join(fate.words)}",
            rule=rule,
            to=self._names[doorbell.target],
            vector=doorbell.vector,
            n=number,
            delay_s=round(fate.delay_s, 6),
        )
        if self._logged[rule] == EACH_MAX:
            self.record("", "doorbells are only counted from here on", rule=rule)
