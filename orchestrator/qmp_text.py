# SPDX-License-Identifier: Apache-2.0
"""Answers and events as lines for a person's terminal. Pure: nothing here prints."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import click

from orchestrator.ikc import printable

INDENT = "  "
# What the supervisor notes for itself, and says again in the state.
UNTOLD = frozenset({"ssh"})


def answer(value: Any, width: int) -> str:
    """JSON, in colours; an object or a list that fits into a line is one. Text alone, as HMP's, is itself."""
    if isinstance(value, str):
        return printable(value.replace("\r\n", "\n").rstrip("\n").encode())
    return "\n".join(_lines(value, width, ""))


def _lines(value: Any, width: int, indent: str) -> Iterator[str]:
    """The first goes on where the caller's line ends."""
    compact = json.dumps(value, ensure_ascii=False)
    inner = indent + INDENT
    if not isinstance(value, dict | list) or not value or len(indent) + len(compact) <= width:
        yield _coloured(value)
    elif isinstance(value, list):
        yield "["
        yield from _items(((f"{inner}", each) for each in value), len(value), width, inner)
        yield f"{indent}]"
    else:
        yield "{"
        pairs = ((f"{inner}{_key(key)}: ", each) for key, each in value.items())
        yield from _items(pairs, len(value), width, inner)
        yield f"{indent}}}"


def _items(items: Iterable[tuple[str, Any]], count: int, width: int, indent: str) -> Iterator[str]:
    for number, (begin, value) in enumerate(items, 1):
        # The key stands before the first line of its value, and a comma behind the last.
        taken = len(click.unstyle(begin)) - len(indent)
        lines = list(_lines(value, width - taken - 1, indent))
        lines[0] = begin + lines[0]
        lines[-1] += "," if number < count else ""
        yield from lines


def _coloured(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_coloured(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_coloured, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return click.style(_safe(text), fg="green")
    return click.style(text, fg="magenta" if value is None or isinstance(value, bool) else "yellow")


def _key(key: str) -> str:
    return _safe(json.dumps(key, ensure_ascii=False))


def _safe(text: str) -> str:
    """Without what a terminal would obey and JSON lets pass."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def event(happened: dict[str, Any], name: str) -> str:
    """A line for an event of the supervisor or of QEMU; "" if it tells nothing. `name` is in its colour."""
    what = happened["event"]
    if what in UNTOLD:
        return ""
    details = {key: value for key, value in happened.items() if key not in ("t", "partition", "event")}
    return f"{click.style(stamp(happened['t']), dim=True)} {name} {_told(what, details)}".rstrip()


def stamp(t: float) -> str:
    """Seconds since `up`, as in the logs."""
    return f"[{t:12.6f}]"


def _told(what: str, details: dict[str, Any]) -> str:
    if what == "state":
        reason = f": {details['reason']}" if details["reason"] else ""
        good = details["state"] in ("READY", "BOOTING")
        return click.style(f"is {details['state']}", fg="green" if good else "red") + _safe(reason)
    if what == "started":
        return f"QEMU was started, process {details['pid']}"
    if what == "answered":
        return "its monitor answers"
    if what == "ready":
        return f"all partitions are READY, {details['seconds']:.2f} s after `up`"
    if what == "ending":
        return f"the enclave ends: {_safe(details['reason'])}"
    said = details.pop("data", {}) | details
    return f"{click.style(what, bold=True)}{' ' + _coloured(said) if said else ''}"
