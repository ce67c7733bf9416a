# SPDX-License-Identifier: Apache-2.0
"""What the supervisor streams to whoever watches: events, and several consoles on one clock."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.ikc_layout import Layout
from tests.unit.enclaves import Computer, fails_with, partition
from tests.unit.fake_qemu import FLOOD

Json = dict[str, Any]


def lines(connection: socket.socket) -> Iterator[Json]:
    connection.settimeout(30)
    with connection.makefile("rb") as file:
        for line in file:
            yield json.loads(line)


def until(items: Iterator[Json], text: str) -> list[Json]:
    """Those up to the one that has this text."""
    seen = []
    for item in items:
        seen.append(item)
        if text in json.dumps(item):
            return seen
    raise AssertionError(f"no {text} in {seen}")


def write(client: Client, name: str, text: str) -> None:
    with client.console(name) as console:
        console.sendall(text.encode() + b"\n")
        seen = b""
        while text.encode() not in seen:
            seen += console.recv(4096)


def test_pieces_of_all_consoles_come_in_order_with_their_times(running: Client) -> None:
    write(running, "lwk1", "before")
    with running.consoles(["lwk0", "lwk1"]) as pieces:
        shown = lines(pieces)
        until(shown, "before")
        for name, text in (("lwk0", "one"), ("lwk1", "two"), ("lwk0", "three")):
            write(running, name, text)
        write(running, "host", "nobody watches this")
        write(running, "lwk1", "end")
        seen = until(shown, "end")
    texts = "".join(f"{piece['partition']}: {piece['text']}" for piece in seen)
    assert texts == "lwk0: one\nlwk1: two\nlwk0: three\nlwk1: end\n"
    times = [piece["t"] for piece in seen]
    assert times == sorted(times)
    logged = running.run.console_log("lwk0").read_text()
    three = next(piece["t"] for piece in seen if "three" in piece["text"])
    assert f"[{three:12.6f}] three" in logged


def test_bytes_that_are_no_text_come_as_they_are(running: Client) -> None:
    with running.consoles(["lwk0"]) as pieces, running.console("lwk0") as console:
        console.sendall(b"\xff\xc3\n-end\n")
        seen = "".join(piece["text"] for piece in until(lines(pieces), "-end"))
    assert b"\xff\xc3\n-end" in seen.encode(errors="surrogateescape")


def test_a_watcher_that_does_not_read_is_dropped(running: Client) -> None:
    with running.consoles(["lwk0"]) as lazy, running.console("lwk0") as eager:
        eager.settimeout(30)
        for _ in range(16):
            eager.sendall(b"flood\n")
            seen = 0
            while seen < FLOOD:
                piece = eager.recv(FLOOD)
                assert piece
                seen += piece.count(b"x")
        lazy.settimeout(30)
        taken = 0
        with suppress(ConnectionResetError):
            while piece := lazy.recv(1 << 16):
                taken += len(piece)
    assert taken < 16 * FLOOD


def test_unknown_consoles_are_told(running: Client) -> None:
    assert "has no partition 'lwk9'" in fails_with(UsageError, running.consoles, ["lwk0", "lwk9"])


def test_every_watcher_gets_the_events(running: Client) -> None:
    one, other = running.events(), running.events()
    running.kill("lwk1")
    running.restart("lwk1")
    for events in (one, other):
        seen = until(events, '"READY"')
        assert [each["state"] for each in seen if each["event"] == "state"] == ["EXITED", "BOOTING", "READY"]
        events.close()
    assert partition(running, "lwk1")["state"] == "READY"


def test_streams_end_with_the_enclave_and_tell_its_end(tmp_path: Any, layout: Layout) -> None:
    computer = Computer(tmp_path, layout)
    with pytest.MonkeyPatch.context() as patch, closing(computer):
        computer.install(patch.setenv)
        client = computer.up("ending")
        events = client.events()
        with client.consoles(["lwk0"]) as pieces:
            client.down()
            ends = {each["partition"] for each in events if each.get("state") == "EXITED"}
            assert ends == {"host", "lwk0", "lwk1"}
            assert all(piece["partition"] == "lwk0" for piece in lines(pieces))
