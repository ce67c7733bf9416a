# SPDX-License-Identifier: Apache-2.0
"""What Tab offers at the QMP prompt."""

import pytest

from orchestrator.qmp_completion import Suggestion, suggest
from orchestrator.qmp_schema import Schema
from tests.unit.qmp_schemas import ENTITIES

SCHEMA = Schema(ENTITIES)
PARTITIONS = ("host", "lwk0", "lwk1")
OWN = {"hmp": "human", "quit": "leave"}


def offered(before: str, schema: Schema | None = SCHEMA) -> list[Suggestion]:
    return list(suggest(schema, PARTITIONS, OWN, before))


@pytest.mark.parametrize(
    ("before", "texts"),
    [
        ("st", ["stop", "query-status"]),
        ("@", ["@host", "@lwk0", "@lwk1", "@all"]),
        ("@l", ["@lwk0", "@lwk1"]),
        ("@lwk0,", ["@lwk0,host", "@lwk0,lwk1"]),
        ("@lwk0 st", ["stop", "query-status"]),
        (":", [":hmp", ":quit"]),
        ("stop ", []),
        ("set-action ", ["reboot=", "panic="]),
        ("set-action reboot=", ["reset", "shutdown"]),
        ("set-action reboot=s", ["shutdown"]),
        ("set-action reboot=reset ", ["panic="]),
        ("blockdev-add read-only=", ["true", "false"]),
        ("blockdev-add driver=null-co s", ["size="]),
        ("blockdev-add driver=raw s", []),
        ("blockdev-add driver=raw f", ["file.", "file="]),
        ("blockdev-add driver=raw file.", ["driver=", "node-name=", "read-only="]),
        ("blockdev-add driver=raw file.driver=", ["null-co", "raw"]),
        ("blockdev-add driver=raw file.driver=null-co file.s", ["size="]),
        ("blockdev-add driver=raw file.driver=null-co f", ["file."]),
        ("memsave val=1 nonsense ", ["val=", "size=", "filename=", "cpu-index="]),
        ("no-such-command ", []),
    ],
)
def test_what_comes_next(before: str, texts: list[str]) -> None:
    assert [each.text for each in offered(before)] == texts


def test_types_are_told() -> None:
    assert [each.meta for each in offered("memsave ")] == ["int", "int", "str", "int, optional"]
    assert offered("set-action r") == [Suggestion("reboot=", 1, "reset|shutdown, optional")]
    assert offered("memsav") == [Suggestion("memsave", 6, "val size filename cpu-index?")]


def test_without_a_schema_what_needs_none_is_offered() -> None:
    assert offered("st", None) == []
    assert [each.text for each in offered("@lwk1", None)] == ["@lwk1"]
