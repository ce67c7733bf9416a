# SPDX-License-Identifier: Apache-2.0
"""Doorbells by way of the supervisor: all arrive without a rule, and with one those that it lets pass."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from orchestrator.doorbell_faults import Doorbell, Fate, Rule, fate
from orchestrator.fabric import Fabric
from orchestrator.ikc_layout import Layout
from tests.unit.test_fabric import Peer, connected, identities, open_files, rung

HOST, LWK, MONITOR = 0, 1, 2
DATA = 1
DEADLINE_S = 60


class Found(NamedTuple):
    rule: int
    doorbell: Doorbell
    number: int
    fate: Fate


class Scene:
    """A host and an LWK with the supervisor's fabric between them."""

    def __init__(self, fabric: Fabric, host: Peer, lwk: Peer, faults: list[Found]) -> None:
        assert fabric.relay is not None
        self.fabric, self.relay = fabric, fabric.relay
        self.host, self.lwk = host, lwk
        self.faults = faults

    def ring(self, vector: int = DATA) -> None:
        os.eventfd_write(self.host.doorbell(LWK, vector), 1)

    async def arrives(self, vector: int = DATA) -> bool:
        """Whether what was rung, if it was forwarded at once, has reached the LWK."""
        # What was rung before is forwarded before this, which goes the same way.
        mark = self.lwk.doorbell(LWK, 5)
        os.eventfd_write(self.host.doorbell(LWK, 5), 1)
        await until(lambda: rung(mark))
        return rung(self.lwk.doorbell(LWK, vector))


async def until(predicate: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not predicate():  # noqa: ASYNC110, most of these are eventfds
            await asyncio.sleep(0)


@asynccontextmanager
async def scene(layout: Layout) -> AsyncIterator[Scene]:
    faults: list[Found] = []
    with (
        Fabric(layout, identities(2), {}, lambda *found: faults.append(Found(*found))) as fabric,
        connected(fabric, HOST) as host,
        connected(fabric, LWK) as lwk,
    ):
        yield Scene(fabric, host, lwk, faults)


def play(layout: Layout, act: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with scene(layout) as made:
            await act(made)

    asyncio.run(whole())


def test_every_doorbell_arrives_at_its_target_and_vector_alone(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(100):
            for vector in range(5):
                scene.ring(vector)
                assert await scene.arrives(vector)
                assert not any(rung(scene.lwk.doorbell(LWK, other)) for other in range(5))
        assert scene.faults == []

    play(layout, act)


def test_two_before_anybody_looked_arrive_as_one_and_the_next_arrives_too(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(3):
            scene.ring()
            scene.ring()
            assert await scene.arrives()
        assert not await scene.arrives()

    play(layout, act)


def test_monitor_is_reached_and_reaches(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        heard = asyncio.Event()
        scene.fabric.on_doorbell(heard.set)
        os.eventfd_write(scene.lwk.doorbell(MONITOR, 0), 1)
        await asyncio.wait_for(heard.wait(), DEADLINE_S)
        scene.fabric.ring(LWK, 0)
        assert rung(scene.lwk.doorbell(LWK, 0))

    play(layout, act)


def test_dropped_are_those_of_the_seed_and_all_others_arrive(layout: Layout) -> None:
    rule = Rule(source=HOST, vector=DATA, drop=0.5, seed=11)
    doorbell = Doorbell(HOST, LWK, DATA)

    async def act(scene: Scene) -> None:
        scene.relay.add(rule)
        for number in range(200):
            scene.ring()
            assert await scene.arrives() is not fate(rule, doorbell, number).dropped
        dropped = [number for number in range(200) if fate(rule, doorbell, number).dropped]
        assert [(each.rule, each.doorbell, each.number) for each in scene.faults] == [
            (1, doorbell, number) for number in dropped
        ]
        assert scene.relay.rules[0].done["dropped"] == len(dropped)
        assert scene.relay.rules[0].met[doorbell] == 200

    play(layout, act)


def test_late_one_arrives_later(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        scene.relay.add(Rule(target=LWK, vector=DATA, delay_s=0.2))
        scene.ring()
        assert not await scene.arrives()
        await until(lambda: rung(scene.lwk.doorbell(LWK, DATA)))
        assert scene.faults[0].fate.delay_s > 0

    play(layout, act)


def test_duplicate_rings_again_after_the_first_was_taken(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        scene.relay.add(Rule(vector=DATA, duplicate=1.0))
        scene.ring()
        for _ in range(2):
            await until(lambda: rung(scene.lwk.doorbell(LWK, DATA)))

    play(layout, act)


def test_without_its_rule_a_doorbell_arrives_again(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        scene.relay.add(Rule(drop=1.0))
        scene.ring()
        assert await lost(scene)
        (gone,) = scene.relay.clear()
        assert gone.done["dropped"] == 1
        assert scene.relay.rules == ()
        scene.ring()
        assert await scene.arrives()

    async def lost(scene: Scene) -> bool:
        await until(lambda: len(scene.faults) == 1)
        return not rung(scene.lwk.doorbell(LWK, DATA))

    play(layout, act)


def test_rules_have_their_say_each(layout: Layout) -> None:
    async def act(scene: Scene) -> None:
        scene.relay.add(Rule(vector=0, drop=1.0))
        scene.relay.add(Rule(vector=DATA, drop=1.0))
        scene.ring()
        scene.ring(vector=2)
        assert await scene.arrives(2)
        assert [(each.rule, each.doorbell.vector) for each in scene.faults] == [(2, DATA)]

    play(layout, act)


@pytest.mark.parametrize("late", [False, True])
def test_nothing_stays_open(layout: Layout, late: bool) -> None:
    async def whole() -> None:
        before = open_files()
        async with scene(layout) as made:
            if late:
                made.relay.add(Rule(delay_s=1000.0))
                made.ring()
                await until(lambda: bool(made.faults))
        assert open_files() == before

    asyncio.run(whole())
