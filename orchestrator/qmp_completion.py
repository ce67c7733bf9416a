# SPDX-License-Identifier: Apache-2.0
"""What can come next at the QMP prompt: commands, arguments and their values, with types in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from orchestrator.errors import UsageError
from orchestrator.qmp_line import ALL, parse_arguments
from orchestrator.qmp_schema import Json, Member, Schema


class Suggestion(NamedTuple):
    """`text` takes the place of the last `length` characters before the cursor."""

    text: str
    length: int
    meta: str = ""


def suggest(
    schema: Schema | None, partitions: Sequence[str], own: Mapping[str, str], before: str
) -> Iterator[Suggestion]:
    """For the line up to the cursor. `own` are the console's own words, with their meaning."""
    before = before.lstrip()
    words = before.split()
    if not before or before[-1].isspace():
        words.append("")
    if words[0].startswith("@"):
        if len(words) == 1:
            yield from _partitions(partitions, words[0])
            return
        del words[0]
    last = words[-1]
    if len(words) == 1:
        if last.startswith(":"):
            yield from _beginning(last, [(f":{word}", meaning) for word, meaning in own.items()])
        elif schema:
            yield from _commands(schema, last)
    elif schema and words[0] in schema.commands:
        yield from _arguments(schema, words[0], words[1:-1], last)


def _partitions(partitions: Sequence[str], word: str) -> Iterator[Suggestion]:
    done, comma, _ = word[1:].rpartition(",")
    names = [*partitions, ALL] if not comma else partitions
    given = done.split(",")
    yield from _beginning(word, [(f"@{done}{comma}{name}", "") for name in names if name not in given])


def _commands(schema: Schema, word: str) -> Iterator[Suggestion]:
    named = [(name, schema.usage(schema.argument_type(name))) for name in schema.commands]
    yield from _beginning(word, named)


def _arguments(schema: Schema, command: str, earlier: Sequence[str], word: str) -> Iterator[Suggestion]:
    try:
        given: Json = parse_arguments(" ".join(earlier))
    except UsageError:
        given = {}
    name, equals, value = word.partition("=")
    *above, last = name.split(".")
    kind = schema.argument_type(command)
    for each in above:
        kind, given = _inside(schema, kind, given, each)
        if not kind:
            return
    members = {member.name: member for member in schema.members(kind, given)}
    if equals and last in members:
        for choice in schema.choices(members[last].type):
            if choice.startswith(value):
                yield Suggestion(choice, len(value))
    elif not equals:
        for member in members.values():
            if member.name.startswith(last):
                yield from _member(schema, member, given.get(member.name), len(last))


def _member(schema: Schema, member: Member, given: object, length: int) -> Iterator[Suggestion]:
    """`name=`, or `name.` where it may be an object; or both, and neither if it has got its value."""
    meta = schema.words(member.type) + (", optional" if member.optional else "")
    inner = schema.members(member.type, {})
    if inner and (given is None or isinstance(given, dict)):
        yield Suggestion(f"{member.name}.", length, meta)
    if given is None and not (inner and schema.is_object(member.type)):
        yield Suggestion(f"{member.name}=", length, meta)


def _inside(schema: Schema, kind: str, given: Json, name: str) -> tuple[str, Json]:
    """The type of a member that has members itself, and what was given of those; no type if it has none."""
    found = next((member.type for member in schema.members(kind, given) if member.name == name), "")
    inner = given.get(name)
    return found, inner if isinstance(inner, dict) else {}


def _beginning(word: str, known: Sequence[tuple[str, str]]) -> Iterator[Suggestion]:
    """Those that begin with the word, then those that have it somewhere in them."""
    wanted = word.lower()
    for text, meta in known:
        if text.lower().startswith(wanted):
            yield Suggestion(text, len(word), meta)
    for text, meta in known:
        if wanted in text.lower()[1:] and not text.lower().startswith(wanted):
            yield Suggestion(text, len(word), meta)
