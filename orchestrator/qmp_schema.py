# SPDX-License-Identifier: Apache-2.0
"""What QEMU's monitor understands, as it says itself (`query-qmp-schema`): types in words, arguments checked.

Pure. What was typed without quotes is a `Text`, and becomes what the schema wants in its place; all else is
JSON already, and only checked. The entities: QEMU's docs/devel/qapi-code-gen, "Client JSON Protocol
introspection".
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from orchestrator.errors import UsageError

Json = dict[str, Any]

# QEMU takes properties of the device as well, which no schema has: its definition says 'gen': false.
OPEN_COMMANDS = frozenset({"device_add"})
WORDS = {"string": "str", "boolean": "bool", "value": "any"}
WANTED = {
    "int": "a whole number, as 4096 or 0x1000",
    "number": "a number, as 0.5",
    "bool": "true or false",
    "null": "null",
    "str": "text",
}
CONSTANTS: Mapping[str, Json] = {"boolean": {"true": True, "false": False}, "null": {"null": None}}
SHOWN_MAX = 48  # characters of a type in words


class Text(str):
    """A value as it was typed, its type still open."""

    __slots__ = ()


class Member(NamedTuple):
    name: str
    type: str
    optional: bool


class Schema:
    def __init__(self, entities: Iterable[Json]) -> None:
        """`entities` is what `query-qmp-schema` returned."""
        self._types: dict[str, Json] = {}
        self._arguments: dict[str, str] = {}
        for entity in entities:
            if entity["meta-type"] == "command":
                self._arguments[entity["name"]] = entity["arg-type"]
            elif entity["meta-type"] != "event":
                self._types[entity["name"]] = entity

    @property
    def commands(self) -> list[str]:
        return sorted(self._arguments)

    def argument_type(self, command: str) -> str:
        """The type of all its arguments together. Raises UsageError if there is no such command."""
        found = self._arguments.get(command)
        if found is None:
            close = get_close_matches(command, self._arguments, 3)
            hint = f"close to it: {', '.join(close)}" if close else "Tab shows all"
            raise UsageError(f"QEMU has no command {command!r}", hint)
        return found

    # ---- types in words ----

    def words(self, name: str) -> str:
        """A type as a person would write it: `int`, `[str]`, `on|off`, `{path, size?}`."""
        entity = self._types[name]
        kind = entity["meta-type"]
        if kind == "builtin":
            word: str = entity["json-type"]
            return WORDS.get(word, word)
        if kind == "array":
            return f"[{self.words(entity['element-type'])}]"
        if kind == "enum":
            return _shortened("|".join(entity["values"]))
        if kind == "alternate":
            return _shortened("|".join(self.words(each["type"]) for each in entity["members"]))
        return _shortened("{" + self.usage(name, ", ") + "}")

    def usage(self, name: str, between: str = " ") -> str:
        """The members of an object in words, those that it must have first."""
        members = sorted(self._members(name, {}), key=lambda member: member.optional)
        more = ["..."] if "variants" in self._types[name] else []
        return between.join([f"{each.name}{'?' * each.optional}" for each in members] + more)

    def is_object(self, name: str) -> bool:
        return bool(self._types[name]["meta-type"] == "object")

    def choices(self, name: str) -> list[str]:
        """What may be written for a type that has few values; none for others."""
        entity = self._types[name]
        if entity["meta-type"] == "enum":
            return list(entity["values"])
        if entity["meta-type"] == "alternate":
            return [choice for each in entity["members"] for choice in self.choices(each["type"])]
        return {"bool": ["true", "false"], "null": ["null"]}.get(name, [])

    def members(self, name: str, given: Mapping[str, object]) -> list[Member]:
        """Of an object, or of that which an alternate may be, `given` being there; none of other types."""
        entity = self._types[name]
        if entity["meta-type"] == "alternate":
            return [found for each in entity["members"] for found in self.members(each["type"], given)]
        return list(self._members(name, given)) if entity["meta-type"] == "object" else []

    def _members(self, name: str, given: Mapping[str, object]) -> Iterator[Member]:
        """Those that always are, and those of the case that the tag names."""
        entity = self._types[name]
        for each in entity["members"]:
            yield Member(each["name"], each["type"], "default" in each)
        case = given.get(entity.get("tag", ""))
        for each in entity.get("variants", ()):
            if each["case"] == case:
                yield from self._members(each["type"], given)

    # ---- arguments ----

    def arguments(self, command: str, given: Json) -> Json:
        """`given` as QEMU wants it. Raises UsageError, naming the argument, if it would not."""
        return dict(self._object(self.argument_type(command), given, command, "", command in OPEN_COMMANDS))

    def _fit(self, name: str, value: Any, command: str, path: str) -> Any:
        entity = self._types[name]
        kind = entity["meta-type"]
        if kind == "object":
            if not isinstance(value, dict):
                raise self._misfit(name, value, command, path, f"as {path}.NAME=VALUE, or as JSON")
            return self._object(name, value, command, path)
        if kind == "array":
            return self._array(name, value, command, path)
        if kind == "alternate":
            return self._alternate(name, value, command, path)
        if kind == "enum":
            if not isinstance(value, str) or value not in entity["values"]:
                close = get_close_matches(str(value), entity["values"], 3, 0.4)
                raise UsageError(
                    f"{command}: {path}={_shown(value)} is none of its {len(entity['values'])} values",
                    f"close to it: {', '.join(close)}"
                    if close and len(entity["values"]) > 12
                    else f"there are: {', '.join(entity['values'])}",
                )
            return str(value)
        return self._builtin(name, value, command, path)

    def _object(self, name: str, given: Json, command: str, path: str, is_open: bool = False) -> Json:
        members = {member.name: member for member in self._members(name, given)}
        made = {}
        tag = members.get(self._types[name].get("tag", ""))
        self._require([tag] if tag else [], given, command, path)  # what else there may be hangs on it
        for key, value in given.items():
            at = f"{path}.{key}" if path else key
            if key in members:
                made[key] = self._fit(members[key].type, value, command, at)
            elif is_open:
                made[key] = _guessed(value)
            else:
                raise self._unknown(name, members, key, command, path)
        self._require(members.values(), given, command, path)
        return made

    def _require(self, members: Iterable[Member], given: Json, command: str, path: str) -> None:
        for member in members:
            if member.name not in given and not member.optional:
                at = f"{path}.{member.name}" if path else member.name
                raise UsageError(f"{command}: {at} is missing", f"{at}={self.words(member.type)}")

    def _unknown(
        self, name: str, members: Mapping[str, Member], key: str, command: str, path: str
    ) -> UsageError:
        whose = f"{command}: {path}" if path else command
        tag = self._types[name].get("tag")
        if tag in members and key not in members:
            whose += f" with this {tag}" if members else ""
        known = ", ".join(f"{each.name}={self.words(each.type)}" for each in members.values())
        return UsageError(f"{whose} has no argument {key!r}", f"it has: {known}" if known else "it has none")

    def _array(self, name: str, value: Any, command: str, path: str) -> list[Any]:
        element = self._types[name]["element-type"]
        if not isinstance(value, list):
            raise self._misfit(name, value, command, path, f"a list, as JSON: {path}=[...]")
        return [self._fit(element, each, command, f"{path}[{at}]") for at, each in enumerate(value)]

    def _alternate(self, name: str, value: Any, command: str, path: str) -> Any:
        """The first of its types that the value fits; text last, which everything fits that was typed."""
        types = sorted(
            (each["type"] for each in self._types[name]["members"]), key=lambda kind: kind == "str"
        )
        for kind in types:
            if isinstance(value, dict) and self._types[kind]["meta-type"] == "object":
                return self._object(kind, value, command, path)
            try:
                return self._fit(kind, value, command, path)
            except UsageError:
                pass
        raise self._misfit(name, value, command, path, f"one of {', '.join(map(self.words, types))}")

    def _builtin(self, name: str, value: Any, command: str, path: str) -> Any:
        json_type: str = self._types[name]["json-type"]
        try:
            return _typed(json_type, value) if isinstance(value, Text) else _checked(json_type, value)
        except ValueError:
            wanted = WANTED[self.words(name)]
            raise self._misfit(name, value, command, path, wanted) from None

    def _misfit(self, name: str, value: Any, command: str, path: str, wanted: str) -> UsageError:
        return UsageError(f"{command}: {path}={_shown(value)} is not of type {self.words(name)}", wanted)


def _typed(json_type: str, text: Text) -> Any:
    """Raises ValueError if the text is no value of the type."""
    if json_type == "int":
        return int(text, 0)
    if json_type == "number":
        return _finite(float(text))
    if json_type in ("boolean", "null"):
        if text not in CONSTANTS[json_type]:
            raise ValueError
        return CONSTANTS[json_type][text]
    return str(text) if json_type == "string" else _guessed(text)


def _checked(json_type: str, value: Any) -> Any:
    """Raises ValueError if the JSON value is not of the type."""
    right: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "int": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
        "value": object,
    }
    if not isinstance(value, right[json_type]) or (
        isinstance(value, bool) and json_type in ("int", "number")
    ):
        raise ValueError
    return _untyped(value)


def _untyped(value: Any) -> Any:
    """JSON, where any type is right: what was typed in it is guessed."""
    if isinstance(value, dict):
        return {key: _untyped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_untyped(each) for each in value]
    return _guessed(value)


def _guessed(value: Any) -> Any:
    """A number, truth or null if it looks like one, else text."""
    if not isinstance(value, Text):
        return value
    try:
        return int(value, 0)
    except ValueError:
        return {"true": True, "false": False, "null": None}.get(value, str(value))


def _finite(number: float) -> float:
    if number - number != 0:
        raise ValueError  # JSON has no infinity, and no NaN
    return number


def _shown(value: object) -> str:
    return _shortened(value if isinstance(value, Text) else json.dumps(value))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."
