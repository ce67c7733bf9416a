# SPDX-License-Identifier: Apache-2.0
"""What a person types at the QMP prompt, taken apart. Pure.

query-status                                 a command
set-action reboot=shutdown                   with arguments
blockdev-add node-name=d file.driver=null-co driver=raw      and arguments inside arguments
human-monitor-command {"command-line": "info mtree"}         arguments as JSON
send-key keys=[{"type": "qcode", "data": "a"}] hold-time=5   a value as JSON, or text in quotes
{"execute": "stop"}                          the whole as JSON
@lwk1 stop    @lwk0,lwk1 stop    @all stop   to other partitions than those of the prompt
@lwk1                                        those of the prompt, from now on
:hmp info mtree                              words that begin with a colon are the console's own
"""

import json
import re
from typing import Any, NamedTuple

from orchestrator.errors import UsageError
from orchestrator.qmp_schema import Json, Text

ALL = "all"
_BLANK = re.compile(r"\s*")
_WORD = re.compile(r"\S*")
_KEY = re.compile(r"[^\s={}\[\]\"']+")


class Line(NamedTuple):
    """`targets` are empty if none were named. One of `own` (`:WORD`, with the rest of the line in `text`) and
    `command` is set, or none if only targets were named, or nothing."""

    targets: tuple[str, ...] = ()
    own: str = ""
    text: str = ""
    command: str = ""
    arguments: Json = {}  # noqa: RUF012  never changed


def parse(line: str) -> Line:
    """Raises UsageError if it cannot be read."""
    targets, rest = split_targets(line)
    if rest.startswith(":"):
        own, _, text = rest[1:].partition(" ")
        return Line(targets, own=own, text=text.strip())
    if rest.startswith("{"):
        return _request(targets, rest)
    command = _word(rest, 0)
    return Line(targets, command=command, arguments=parse_arguments(rest[len(command) :]))


def split_targets(line: str) -> tuple[tuple[str, ...], str]:
    """The partitions of `@a,b`, and the rest of the line."""
    line = line.strip()
    if not line.startswith("@"):
        return (), line
    names, _, rest = line[1:].partition(" ")
    targets = tuple(name for name in names.split(",") if name)
    if not targets:
        raise UsageError("`@` needs a partition", f"@NAME, @NAME,NAME or @{ALL}")
    return targets, rest.strip()


def _request(targets: tuple[str, ...], text: str) -> Line:
    request, end = _json(text, 0)
    if text[end:].strip():
        raise UsageError(f"there is more behind the JSON: {text[end:].strip()}", "one command a line")
    command, arguments = request.get("execute"), request.get("arguments", {})
    unknown = ", ".join(request.keys() - {"execute", "arguments", "id"})
    if not isinstance(command, str) or not isinstance(arguments, dict) or unknown:
        wrong = f", and no {unknown}" if unknown else ""
        raise UsageError(
            f"a command as JSON has `execute`, and `arguments` if it takes any{wrong}",
            '{"execute": "stop"}',
        )
    return Line(targets, command=command, arguments=arguments)


def parse_arguments(text: str) -> Json:
    """`a=1 b.c=x d={"e": 2}` or JSON, as a tree. Raises UsageError."""
    arguments: Json = {}
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "{":
            found, at = _json(text, at)
            for key, value in found.items():
                _put(arguments, [key], key, value)
        else:
            at = _pair(arguments, text, at)
        at = _skip(text, at)
    return arguments


def _pair(arguments: Json, text: str, at: int) -> int:
    key = _KEY.match(text, at)
    if key is None or text[key.end() : key.end() + 1] != "=":
        raise UsageError(f"{_word(text, at)!r} is no argument", "write NAME=VALUE, or all arguments as JSON")
    path = key[0].split(".")
    if not all(path):
        raise UsageError(f"{key[0]!r} is no name of an argument", "write a.b=VALUE")
    value, at = _value(text, key.end() + 1)
    if at < len(text) and not text[at].isspace():
        raise UsageError(f"{key[0]}=... is followed by {_word(text, at)} at once", "leave a blank between")
    _put(arguments, path, key[0], value)
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first == "'":
        end = text.find("'", at + 1)
        if end < 0:
            raise UsageError(f"this quote has no end: {text[at:]}", "end it with '")
        return text[at + 1 : end], end + 1
    if first in ("{", "[", '"') and first:
        return _json(text, at)
    word = _word(text, at)
    return Text(word), at + len(word)


def _put(arguments: Json, path: list[str], name: str, value: object) -> None:
    *above, last = path
    for each in above:
        arguments = arguments.setdefault(each, {})
        if not isinstance(arguments, dict):
            raise UsageError(
                f"{name} is given twice: {each} has a value already",
                f"write {each}=, or {each}.MEMBER=, not both",
            )
    if last in arguments:
        raise UsageError(f"{name} is given twice", "leave one out")
    arguments[last] = value


def _json(text: str, at: int) -> tuple[Any, int]:
    """The JSON value that begins there, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, at)
        json.dumps(value, ensure_ascii=False).encode()  # a surrogate alone is no character
    except RecursionError:
        raise UsageError("this JSON is too deep", "nest it less") from None
    except ValueError as error:
        raise UsageError(f"this is no JSON: {text[at:]}", str(error)) from None
    return value, end


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _word(text: str, at: int) -> str:
    found = _WORD.match(text, at)
    return found[0] if found else ""
