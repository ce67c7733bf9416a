# SPDX-License-Identifier: Apache-2.0
"""What may be sent to QEMU, and how exactly a person is told of what may not. The whole schema: tests/e2e."""

from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.qmp_line import parse
from orchestrator.qmp_schema import Schema
from tests.unit.qmp_schemas import ENTITIES

SCHEMA = Schema(ENTITIES)


def sent(line: str) -> Any:
    parsed = parse(line)
    return SCHEMA.arguments(parsed.command, parsed.arguments)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("stop", {}),
        ("set-action reboot=reset panic=none", {"reboot": "reset", "panic": "none"}),
        ("memsave val=0x1000 size=16 filename=/tmp/a", {"val": 4096, "size": 16, "filename": "/tmp/a"}),
        ("memsave val=-1 size=1 filename=5", {"val": -1, "size": 1, "filename": "5"}),
        (
            "blockdev-add driver=raw node-name=d read-only=true file.driver=null-co file.size=512",
            {
                "driver": "raw",
                "node-name": "d",
                "read-only": True,
                "file": {"driver": "null-co", "size": 512},
            },
        ),
        ("blockdev-add driver=raw file=other", {"driver": "raw", "file": "other"}),
        (
            'blockdev-add {"driver": "raw", "file": {"driver": "null-co"}}',
            {"driver": "raw", "file": {"driver": "null-co"}},
        ),
        (
            'send-key keys=[{"type": "qcode", "data": "a"}] hold-time=5',
            {"keys": [{"type": "qcode", "data": "a"}], "hold-time": 5},
        ),
        ("device_add driver=edu addr=0x5 on=true", {"driver": "edu", "addr": 5, "on": True}),
        ("qom-set path=/a property=b value=7", {"path": "/a", "property": "b", "value": 7}),
        ("qom-set path=/a property=b value='7'", {"path": "/a", "property": "b", "value": "7"}),
        ('qom-set path=/a property=b value={"c": [1]}', {"path": "/a", "property": "b", "value": {"c": [1]}}),
        ("qom-set path=/a property=b value.c=x", {"path": "/a", "property": "b", "value": {"c": "x"}}),
        ("throttle factor=0.5 tls-creds=null", {"factor": 0.5, "tls-creds": None}),
        ("throttle tls-creds=tls0", {"tls-creds": "tls0"}),
        ('{"execute": "set-action", "arguments": {"panic": "pause"}}', {"panic": "pause"}),
    ],
)
def test_what_is_typed_becomes_what_qemu_wants(line: str, arguments: Any) -> None:
    assert sent(line) == arguments


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("query-statu", "QEMU has no command 'query-statu'", "close to it: query-status"),
        ("zzz", "QEMU has no command 'zzz'", "Tab shows all"),
        ("stop now=1", "stop has no argument 'now'", "it has none"),
        (
            "set-action rebot=reset",
            "set-action has no argument 'rebot'",
            "it has: reboot=reset|shutdown, panic=pause|shutdown|exit-failure|none",
        ),
        (
            "set-action reboot=rset",
            "set-action: reboot=rset is none of its 2 values",
            "there are: reset, shutdown",
        ),
        ("memsave size=1 filename=a", "memsave: val is missing", "val=int"),
        (
            "memsave val=four size=1 filename=a",
            "memsave: val=four is not of type int",
            "a whole number, as 4096 or 0x1000",
        ),
        (
            'memsave {"val": "4", "size": 1, "filename": "a"}',
            'memsave: val="4" is not of type int',
            "a whole number, as 4096 or 0x1000",
        ),
        (
            'memsave {"val": true, "size": 1, "filename": "a"}',
            "memsave: val=true is not of type int",
            "a whole number, as 4096 or 0x1000",
        ),
        (
            "blockdev-add driver=null-co read-only=yes",
            "blockdev-add: read-only=yes is not of type bool",
            "true or false",
        ),
        (
            "blockdev-add driver=null-co file=x",
            "blockdev-add with this driver has no argument 'file'",
            "it has: driver=null-co|raw, node-name=str, read-only=bool, size=int",
        ),
        (
            "blockdev-add driver=raw file.driver=null-co file.sise=1",
            "blockdev-add: file with this driver has no argument 'sise'",
            "it has: driver=null-co|raw, node-name=str, read-only=bool, size=int",
        ),
        (
            "blockdev-add driver=raw file.size=1",
            "blockdev-add: file.driver is missing",
            "file.driver=null-co|raw",
        ),
        (
            "send-key keys=a",
            "send-key: keys=a is not of type [{type, data}]",
            "a list, as JSON: keys=[...]",
        ),
        (
            'send-key keys=[{"type": "qcode", "data": "a"},{"type": "x", "data": "b"}]',
            'send-key: keys[1].type="x" is none of its 2 values',
            "there are: number, qcode",
        ),
        ("throttle factor=nan", "throttle: factor=nan is not of type number", "a number, as 0.5"),
        ("throttle tls-creds=5 factor=x", "throttle: factor=x is not of type number", "a number, as 0.5"),
        ("device_add id=a", "device_add: driver is missing", "driver=str"),
    ],
)
def test_what_qemu_would_not_take_is_told_exactly(line: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        sent(line)
    assert (raised.value.message, raised.value.hint) == (message, hint)


def test_among_many_values_only_those_that_are_close_are_told() -> None:
    many = {"meta-type": "enum", "name": "20", "values": [f"value{number:02}" for number in range(40)]}
    schema = Schema([many if entity["name"] == "20" else entity for entity in ENTITIES])
    with pytest.raises(UsageError) as raised:
        schema.arguments("set-action", {"reboot": "valu17"})
    assert raised.value.message == 'set-action: reboot="valu17" is none of its 40 values'
    assert "value17" in raised.value.hint
    assert len(raised.value.hint) < 60
