# SPDX-License-Identifier: Apache-2.0
"""The faults that the supervisor can inject. Each is in the run's log, and ends with the enclave."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

from orchestrator.doorbell_faults import Rule
from orchestrator.doorbell_relay import DoorbellRelay
from orchestrator.enclave import Enclave
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.fault_log import MONITOR
from orchestrator.paced import paced
from orchestrator.scribble import Scribbler, check, spans


class Pace(NamedTuple):
    """So many a second, for so long."""

    rate: float
    seconds: float


class Faults:
    def __init__(self, enclave: Enclave) -> None:
        self._enclave = enclave
        self._log = enclave.faults
        self._vectors = enclave.options.layout.enums["ikc_vector"]["IKC_VECTORS"]

    def peer(self, name: str) -> int:
        """The peer id of a partition, or of the monitor. Raises UsageError if there is none of that name."""
        if name == MONITOR and all(each.partition.name != MONITOR for each in self._enclave.keepers):
            return self._enclave.fabric.monitor_id
        return self._enclave.keeper(name).partition.index

    async def pause(self, name: str) -> None:
        await self._enclave.keeper(name).pause()
        self._log.record(name, "pause")

    async def resume(self, name: str) -> None:
        await self._enclave.keeper(name).resume()
        self._log.record(name, "continue")

    # ---- doorbells ----

    @property
    def _relay(self) -> DoorbellRelay:
        relay = self._enclave.fabric.relay
        if relay is None:
            raise UsageError(
                f"the doorbells of enclave {self._enclave.run.name} go from QEMU to QEMU",
                "start it with: enclave up --interpose SPEC",
            )
        return relay

    def _check_vector(self, vector: int | None) -> None:
        if vector is not None and vector >= self._vectors:
            raise UsageError(f"there is no vector {vector}", f"there are: 0 to {self._vectors - 1}")

    def add_rule(self, rule: Rule) -> dict[str, Any]:
        self._check_vector(rule.vector)
        return self._log.rule_added(self._relay.add(rule))

    def clear_rules(self) -> list[dict[str, Any]]:
        return [self._log.rule_removed(active) for active in self._relay.clear()]

    def rules(self) -> list[dict[str, Any]]:
        return [self._log.describe(active) for active in self._relay.rules]

    async def storm(self, source: str, target: str, vector: int, pace: Pace) -> int:
        """Rings a doorbell over and over; returns how often. It meets the rules that there are."""
        self._check_vector(vector)
        from_, to = self.peer(source), self.peer(target)
        if from_ == to:
            raise UsageError(f"{source} does not ring itself", "take another --to")
        fabric = self._enclave.fabric
        details = {"to": target, "vector": vector, **pace._asdict()}
        self._log.record(source, "storm begins", **details)
        count = await self._to_its_end(paced(lambda: fabric.ring(to, vector, from_), *pace))
        self._log.record(source, "storm over", **details, count=count)
        return count

    # ---- the region ----

    async def scribble(self, name: str, group: str, peer: str | None, seed: int, pace: Pace) -> int:
        """Writes nonsense over what a partition may write; returns how many words."""
        check(group, peer is not None)
        own = self._enclave.keeper(name).partition.index
        others = [each.partition.index for each in self._enclave.keepers if each.partition.index != own]
        peers = others if peer is None else [self._enclave.keeper(peer).partition.index]
        if own in peers:
            raise UsageError(f"{name} has no link to itself", "take another --peer")
        region = self._enclave.fabric.region
        scribbler = Scribbler(region, spans(region, own, group, peers), seed)
        details = {"group": group, "peer": peer, "seed": seed, **pace._asdict()}
        self._log.record(name, "scribble begins", **details)
        count = await self._to_its_end(paced(scribbler.scribble, *pace))
        self._log.record(name, "scribble over", **details, count=count)
        return count

    async def _to_its_end(self, fault: Coroutine[Any, Any, int]) -> int:
        """Raises EnclaveError if the enclave ends before."""
        running = asyncio.ensure_future(fault)
        ending = asyncio.ensure_future(self._enclave.ending.wait())
        try:
            await asyncio.wait((running, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            if not running.done():
                running.cancel()
        if not running.done():
            raise EnclaveError("the enclave ended before the fault did", "start one anew: enclave up SPEC")
        return running.result()
