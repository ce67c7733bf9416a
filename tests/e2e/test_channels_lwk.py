# SPDX-License-Identifier: Apache-2.0
"""Channels between two LWKs: streams over them, and what a death or a kernel gone astray does to them."""

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from orchestrator.ikc import Region, View
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import HERE, build_program, install
from tests.e2e.shared_region import shared_region

PROGRAM = "/tmp/ikc_relay"
MESSAGES = 3000
WITHIN_S = 30.0
CHANNELS = 32
CHANNEL_SLOTS = 64
TRACE_RECORDS = 1024
OTHER = {"lwk0": "lwk1", "lwk1": "lwk0"}


@pytest.fixture(scope="module")
def pair(enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enclave]:
    """specs/channels.yaml, with programs/ikc_relay.c in its host."""
    made = build_program("ikc_relay", tmp_path_factory)
    with enclave_factory(HERE / "specs" / "channels.yaml") as enclave:
        install(enclave, made, PROGRAM)
        yield enclave


def numbers(pair: Enclave, *partitions: str) -> list[str]:
    return [str(pair.partition(name)["index"]) for name in partitions]


def relay(pair: Enclave, via: str, to: str, count: int) -> str:
    return pair.host.succeed(PROGRAM, "report", *numbers(pair, via, to), str(count), "5")


def wait_for_log(pair: Enclave, partition: str, words: str, times: int = 1) -> None:
    pair.wait_for(
        lambda _: len(re.findall(words, pair.log(partition))) >= times,
        f"{partition}'s log with {times} of {words!r}",
        WITHIN_S,
    )


def streamed(to: str) -> str:
    return rf"stream: {to} took {MESSAGES} of {MESSAGES} messages, \d+ bytes, fault 0 at 0, .* over a channel"


@pytest.mark.parametrize("lwk", ["lwk0", "lwk1"])
def test_boot_option_streams_over_a_channel(pair: Enclave, lwk: str) -> None:
    wait_for_log(pair, lwk, streamed(OTHER[lwk]))


def test_map_of_vectors_is_obeyed_and_a_bad_one_ignored(pair: Enclave) -> None:
    assert "ikc: channels are served on CPUs 1, 2, 0, 2" in pair.log("lwk0")
    assert "ikc_map=1,0,1,7: want the numbers of 4 CPUs that run" in pair.log("lwk1")
    assert "ikc: channels are served on CPUs 1, 1, 0, 0" in pair.log("lwk1")


@pytest.mark.parametrize("via", ["lwk0", "lwk1"])
def test_host_makes_one_lwk_stream_to_the_other(pair: Enclave, via: str) -> None:
    assert relay(pair, via, OTHER[via], 2000) == "2000 messages, fault 0\n"
    assert relay(pair, via, OTHER[via], 0) == "0 messages, fault 0\n"


def test_relays_run_side_by_side_each_on_a_channel_of_its_own(pair: Enclave) -> None:
    script = f"""
        for ways in "$0 $1" "$1 $0" "$0 $1" "$1 $0"; do
            {PROGRAM} report $ways 1000 5 & pids="$pids $!"
        done
        for pid in $pids; do wait $pid || exit 1; done
    """
    said = pair.host.succeed("sh", "-c", script, *numbers(pair, "lwk0", "lwk1"))
    assert said == 4 * "1000 messages, fault 0\n"


def test_killed_peer_ends_its_streams_and_the_other_lwk_goes_on(pair: Enclave) -> None:
    """kill -9 of the receiver in mid-stream: the sender lives on, and streams again to the next life."""
    incarnation = pair.partition("lwk0")["incarnation"]
    before = len(re.findall(streamed("lwk1"), pair.log("lwk0")))
    pair.host.succeed(PROGRAM, "begin", *numbers(pair, "lwk0", "lwk1"), "100000000", "5")
    os.kill(pair.partition("lwk1")["pid"], signal.SIGKILL)
    pair.wait_for_state("lwk1", "EXITED")
    wait_for_log(pair, "lwk0", "stream: a relayed one brought no report: the channel ended")

    pair.restart("lwk1")
    wait_for_log(pair, "lwk0", streamed("lwk1"), before + 1)
    assert relay(pair, "lwk0", "lwk1", 1000) == "1000 messages, fault 0\n"
    assert relay(pair, "lwk1", "lwk0", 1000) == "1000 messages, fault 0\n"
    assert pair.partition("lwk0")["incarnation"] == incarnation
    assert pair.partition("lwk0")["state"] == "READY"


@pytest.fixture
def region(pair: Enclave) -> Iterator[Region]:
    """The shared memory of the partitions, where a test can write whatever a kernel gone astray could."""
    with shared_region(pair) as region:
        yield region


def begin_stream(pair: Enclave, via: str) -> None:
    pair.host.succeed(PROGRAM, "begin", *numbers(pair, via, OTHER[via]), "100000000", "5")


def channels_of_lwk1(pair: Enclave, region: Region) -> View:
    """What lwk1 says to lwk0."""
    return region.half(pair.partition("lwk1")["index"], pair.partition("lwk0")["index"])


def expect_reset(pair: Enclave, reason: str, spoil: Callable[[], None], again: bool) -> None:
    """Spoils words of lwk1, again and again if `again`, until lwk0 resets the link; then both talk again."""
    before = {name: pair.partition(name)["incarnation"] for name in OTHER}
    words = f"ikc: link to lwk1 reset: {reason}"
    already = pair.log("lwk0").count(words)

    def noticed(_: object) -> bool:
        if again:
            spoil()
        return pair.log("lwk0").count(words) > already

    spoil()
    pair.wait_for(noticed, words, WITHIN_S)
    for via in OTHER:
        # What was spoilt last may cost the next life of the link too.
        pair.wait_for(partial(streams_again, pair, via), f"{via} streams again", WITHIN_S)
    assert before == {name: pair.partition(name)["incarnation"] for name in OTHER}


def streams_again(pair: Enclave, via: str, _: object) -> bool:
    return relay(pair, via, OTHER[via], 500) == "500 messages, fault 0\n"


def test_tail_that_cannot_be_resets_the_link_and_no_more(pair: Enclave, region: Region) -> None:
    begin_stream(pair, "lwk0")
    words = channels_of_lwk1(pair, region)

    def spoil() -> None:
        for channel in range(CHANNELS):
            words.inner("channel_cursors", channel).store("tail", 0x7FFFFFFF)

    expect_reset(pair, "the peer took what was never sent", spoil, again=True)


def test_message_that_cannot_be_resets_the_link_and_no_more(pair: Enclave, region: Region) -> None:
    begin_stream(pair, "lwk1")
    words = channels_of_lwk1(pair, region)

    def spoil() -> None:
        for channel in range(CHANNELS):
            for slot in range(CHANNEL_SLOTS):
                words.inner("channel_slots", channel, slot).store("length", 0xFFFFFFFF)

    expect_reset(pair, "the peer sent an impossible message", spoil, again=True)


@pytest.mark.parametrize("state", [0, 77])
def test_channel_state_that_cannot_be_resets_the_link_and_no_more(
    pair: Enclave, region: Region, state: int
) -> None:
    begin_stream(pair, "lwk0")
    words = channels_of_lwk1(pair, region)

    def spoil() -> None:
        for channel in range(CHANNELS):
            words.inner("channels", channel).store("state", state)
        words.store("channel_turn", words.load("channel_turn") + 1)

    expect_reset(pair, "the peer's words about a channel make no sense", spoil, again=False)


def test_trace_has_each_message_of_a_channel_while_it_is_asked_for(pair: Enclave, region: Region) -> None:
    own, peer = (pair.partition(name)["index"] for name in ("lwk0", "lwk1"))
    mailbox = region.partition(own).inner("mailbox")
    trace = region.partition(own).inner("trace")
    before = trace.load("written")
    mailbox.store("trace", 1)
    relay(pair, "lwk0", "lwk1", 20)
    mailbox.store("trace", 0)
    after = trace.load("written")
    records = [trace.inner("records", number % TRACE_RECORDS) for number in range(before, after)]
    assert [record.load("stamp") for record in records] == list(range(before + 1, after + 1))

    ways = Counter(
        (record.load("direction"), record.load("ring") >= 2)
        for record in records
        if record.load("peer") == peer
    )
    assert ways[0, True] == 1 + 20  # the request and the messages
    assert ways[1, True] == 1  # the report
    on_data = [record for record in records if record.load("ring") == 1 and record.load("peer") != peer]
    assert [record.load("direction") for record in on_data] == [1, 0]  # the order, and what it brought
    relay(pair, "lwk0", "lwk1", 20)
    assert trace.load("written") == after
