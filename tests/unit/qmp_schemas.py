# SPDX-License-Identifier: Apache-2.0
"""A schema with one of everything that QEMU's has, as query-qmp-schema gives it: numbers are types' names."""

from typing import Any


def _builtin(name: str, json_type: str) -> dict[str, Any]:
    return {"meta-type": "builtin", "name": name, "json-type": json_type}


def _object(name: str, *members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"meta-type": "object", "name": name, "members": list(members)} | more


def _command(name: str, arguments: str) -> dict[str, Any]:
    return {"meta-type": "command", "name": name, "arg-type": arguments, "ret-type": "0"}


def _must(name: str, type_: str) -> dict[str, Any]:
    return {"name": name, "type": type_}


def _may(name: str, type_: str) -> dict[str, Any]:
    return {"name": name, "type": type_, "default": None}


ENTITIES = [
    _command("query-status", "0"),
    _command("stop", "0"),
    _command("set-action", "1"),
    _command("memsave", "2"),
    _command("blockdev-add", "3"),
    _command("send-key", "4"),
    _command("device_add", "5"),
    _command("qom-set", "6"),
    _command("throttle", "7"),
    _command("human-monitor-command", "8"),
    {"meta-type": "event", "name": "STOP", "arg-type": "0"},
    _object("0"),
    _object("1", _may("reboot", "20"), _may("panic", "21")),
    _object(
        "2", _must("val", "int"), _must("size", "int"), _must("filename", "str"), _may("cpu-index", "int")
    ),
    _object(
        "3",
        _must("driver", "22"),
        _may("node-name", "str"),
        _may("read-only", "bool"),
        tag="driver",
        variants=[{"case": "null-co", "type": "9"}, {"case": "raw", "type": "10"}],
    ),
    _object("4", _must("keys", "[11]"), _may("hold-time", "int")),
    _object("5", _must("driver", "str"), _may("id", "str")),
    _object("6", _must("path", "str"), _must("property", "str"), _must("value", "any")),
    _object("7", _may("factor", "number"), _may("tls-creds", "24")),
    _object("8", _must("command-line", "str"), _may("cpu-index", "int")),
    _object("9", _may("size", "int")),
    _object("10", _must("file", "23")),
    _object("11", _must("type", "25"), _must("data", "str")),
    {"meta-type": "enum", "name": "20", "values": ["reset", "shutdown"]},
    {"meta-type": "enum", "name": "21", "values": ["pause", "shutdown", "exit-failure", "none"]},
    {"meta-type": "enum", "name": "22", "values": ["null-co", "raw"]},
    {"meta-type": "alternate", "name": "23", "members": [{"type": "3"}, {"type": "str"}]},
    {"meta-type": "alternate", "name": "24", "members": [{"type": "str"}, {"type": "null"}]},
    {"meta-type": "enum", "name": "25", "values": ["number", "qcode"]},
    {"meta-type": "array", "name": "[11]", "element-type": "11"},
    _builtin("str", "string"),
    _builtin("int", "int"),
    _builtin("number", "number"),
    _builtin("bool", "boolean"),
    _builtin("null", "null"),
    _builtin("any", "value"),
]
