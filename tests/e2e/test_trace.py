# SPDX-License-Identifier: Apache-2.0
"""`enclave ikc trace`: what kernels say to each other, as it passes."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import CommandLine

SHOWN_WITHIN_S = 30.0


@contextmanager
def tracing(command: CommandLine, duo: Enclave, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = command.start("ikc", "trace", "-e", duo.name, *words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def lines_until(process: subprocess.Popen[bytes], duo: Enclave, word: str, *talk: str) -> list[str]:
    """Talks until the trace, which begins when it has got going, shows that."""
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(read_until, process, word)
        begin = time.monotonic()
        while not reading.done():
            if time.monotonic() > begin + SHOWN_WITHIN_S:
                process.kill()  # and so the reader ends
            duo.host.succeed(*talk)
        return reading.result()


def read_until(process: subprocess.Popen[bytes], word: str) -> list[str]:
    assert process.stdout is not None
    found: list[str] = []
    while not found or word not in found[-1]:
        line = process.stdout.readline().decode()
        assert line, f"no {word} in the trace: {found[-5:]}"
        found.append(line)
    return found


@pytest.mark.parametrize("name", ["host", "lwk0"])
def test_messages_are_shown_as_they_pass_and_no_more_when_nobody_looks(
    duo: Enclave, duo_command: CommandLine, name: str
) -> None:
    peer = "lwk0" if name == "host" else "host"
    ping = ("ikcctl", "ping", "lwk0", "-c", "1", "-W", "10")
    with tracing(duo_command, duo, name, "--follow") as trace:
        seen = lines_until(trace, duo, "PONG", *ping)
    arrow = "<-" if name == "host" else "->"
    assert f"{arrow} {peer}" in seen[-1]
    assert "control" in seen[-1]
    # It was killed; and still nothing is written down any more.
    duo.wait_for(lambda _: not grows(duo, name, *ping), f"{name} is not traced any more")


def grows(duo: Enclave, name: str, *talk: str) -> bool:
    def newest() -> int:
        return max((record["number"] for record in duo.client.trace(name) if "number" in record), default=-1)

    before = newest()
    duo.host.succeed(*talk)
    return newest() > before


def test_stream_is_decoded_to_the_last_message(duo: Enclave, duo_command: CommandLine) -> None:
    count = 40
    stream = ("ikcctl", "stream", "lwk0", "--to", "--count", str(count), "--seed", "9")
    with tracing(duo_command, duo, "lwk0", "--follow", "--json") as trace:
        # Once this is shown, the trace has all that comes; before, it may begin in the midst of a stream.
        lines_until(trace, duo, "PONG", "ikcctl", "ping", "lwk0", "-c", "1", "-W", "30")
        lines = lines_until(trace, duo, f"REPORT FINE, {count} taken", *stream)
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    says = [record["says"] for record in records if record.get("says")]
    begin = len(says) - 1 - says[::-1].index(f"SINK {count} seed 9")
    numbers = [said for said in says[begin:] if said.startswith("DATA")]
    assert numbers == [f"DATA #{number}" for number in range(count)]
    assert all(record["peer"] == "host" for record in records if record["says"].startswith("DATA"))


def test_count_ends_by_itself_and_a_dead_partition_still_has_its_last(
    duo: Enclave, duo_command: CommandLine
) -> None:
    with tracing(duo_command, duo, "lwk1", "--count", "4") as trace:
        while trace.poll() is None:
            duo.host.succeed("ikcctl", "ping", "lwk1", "-c", "1", "-W", "30")
        assert trace.stdout is not None
        assert len(trace.stdout.read().splitlines()) == 4
    duo.fault("lwk1", "kill")
    duo.wait_for_state("lwk1", "EXITED")
    last = duo_command("ikc", "trace", "-e", duo.name, "lwk1").stdout.decode()
    assert "PING" in last
    assert "PONG" in last


def test_no_message_is_missing_uncounted(duo: Enclave, duo_command: CommandLine) -> None:
    stream = ("ikcctl", "stream", "lwk0", "--from", "--count", "3000", "--seed", "4")
    with tracing(duo_command, duo, "lwk0", "--follow", "--json") as trace:
        lines = lines_until(trace, duo, "DATA #2900", *stream)
    due: int | None = None
    for item in map(json.loads, lines):
        if "lost" in item:
            due = None if due is None else due + item["lost"]
        else:
            assert due in (None, item["number"])
            due = item["number"] + 1
