# SPDX-License-Identifier: Apache-2.0
import asyncio

from orchestrator.paced import BURST_MAX, paced


def test_it_happens_as_often_as_asked_and_leaves_others_their_turn() -> None:
    done: list[int] = []
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(len(done))
            await asyncio.sleep(0)

    async def scene() -> int:
        beside = asyncio.create_task(others())
        count = await paced(lambda: done.append(0), rate=1e9, seconds=1e-6 * 2)
        beside.cancel()
        return count

    assert asyncio.run(scene()) == len(done) == 2000
    seen = {0, *turns, 2000}
    assert seen >= set(range(BURST_MAX, 2000, BURST_MAX)), "a turn after each burst"


def test_nothing_to_do() -> None:
    assert asyncio.run(paced(lambda: None, rate=10, seconds=0)) == 0
