# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import time
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.events import Events


def test_followers_get_the_past_and_then_the_present_to_the_end(tmp_path: Path) -> None:
    async def scene() -> None:
        over = asyncio.Event()
        heard: list[str] = []
        with Events(tmp_path / "log", time.monotonic()) as log:

            async def follow() -> None:
                async for event in log.follow(0, over):
                    heard.append(event["event"])

            log.record("lwk0", "one")
            following = asyncio.create_task(follow())
            await log.until(lambda: False, 0)
            log.record("lwk0", "two")
            log.record("lwk0", "three")
            over.set()
            log.record("lwk0", "four")
            await asyncio.wait_for(following, 5)
        assert heard == ["one", "two", "three", "four"]

    asyncio.run(scene())
    written = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["event"] for event in written] == ["one", "two", "three", "four"]
    assert sorted(event["t"] for event in written) == [event["t"] for event in written]


def test_what_is_kept_is_bounded_and_numbers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 3)

    async def scene() -> list[int]:
        over = asyncio.Event()
        over.set()
        with Events(tmp_path / "log", time.monotonic()) as log:
            for number in range(10):
                log.record("", "count", number=number)
            assert log.count == 10
            return [event["number"] async for event in log.follow(0, over)]

    assert asyncio.run(scene()) == [7, 8, 9]
    assert len((tmp_path / "log").read_text().splitlines()) == 10


def test_until_is_true_when_it_becomes_so_and_false_at_the_deadline(tmp_path: Path) -> None:
    async def scene() -> None:
        seen: list[int] = []
        with Events(tmp_path / "log", time.monotonic()) as log:
            waiting = asyncio.create_task(log.until(lambda: len(seen) == 2, 5))
            for number in range(2):
                await asyncio.sleep(0)
                assert not waiting.done()
                seen.append(number)
                log.pulse()
            assert await waiting
            assert not await log.until(lambda: False, 0.01)

    asyncio.run(scene())


def test_until_looks_once_more_at_the_deadline(tmp_path: Path) -> None:
    """A supervisor that was stopped past the deadline must not blame a kernel that has answered long ago."""

    async def scene() -> None:
        began = time.monotonic()
        with Events(tmp_path / "log", began) as log:
            assert await log.until(lambda: time.monotonic() > began + 0.02, 0.05)

    asyncio.run(scene())


def test_a_full_disk_ends_nothing() -> None:
    async def scene() -> None:
        with Events(Path("/dev/full"), time.monotonic()) as log:
            log.record("", "one")
            assert log.count == 1

    asyncio.run(scene())
