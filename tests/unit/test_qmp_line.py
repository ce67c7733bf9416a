# SPDX-License-Identifier: Apache-2.0
"""How a line at the QMP prompt is taken apart; no line may end a console by a fault of ours."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.qmp_line import Line, parse
from orchestrator.qmp_schema import Text


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("", Line()),
        ("stop", Line(command="stop")),
        ("  stop  ", Line(command="stop")),
        ("@lwk0 stop", Line(("lwk0",), command="stop")),
        ("@lwk0,lwk1 stop", Line(("lwk0", "lwk1"), command="stop")),
        ("@all", Line(("all",))),
        (":hmp info mtree -f", Line(own="hmp", text="info mtree -f")),
        ("@lwk0 :hmp info roms", Line(("lwk0",), own="hmp", text="info roms")),
        ("c a=1 b.c=x", Line(command="c", arguments={"a": "1", "b": {"c": "x"}})),
        ("c a=x=y", Line(command="c", arguments={"a": "x=y"})),
        ("c a=", Line(command="c", arguments={"a": ""})),
        ("c a='x y' b=\"x\\ty\"", Line(command="c", arguments={"a": "x y", "b": "x\ty"})),
        ('c a={"b": [1, {}]} d=2', Line(command="c", arguments={"a": {"b": [1, {}]}, "d": "2"})),
        ('c {"a": 1} b=2', Line(command="c", arguments={"a": 1, "b": "2"})),
        ('{"execute": "c", "id": 7}', Line(command="c")),
        ('@lwk1 {"execute": "c",\n "arguments": {"a": 1}}', Line(("lwk1",), command="c", arguments={"a": 1})),
    ],
)
def test_lines(line: str, parsed: Line) -> None:
    assert parse(line) == parsed


def test_what_was_typed_without_quotes_has_no_type_yet() -> None:
    arguments = parse("c a=5 b='5' d=\"5\"").arguments
    assert [isinstance(arguments[name], Text) for name in "abd"] == [True, False, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("stop now", "'now' is no argument"),
        ("c =5", "'=5' is no argument"),
        ("c a=1 a=2", "a is given twice"),
        ("c a=1 a.b=2", "a.b is given twice: a has a value already"),
        ("c a.b=1 a=2", "a is given twice"),
        ("c a..b=1", "'a..b' is no name of an argument"),
        ("c a='x", "this quote has no end: 'x"),
        ("c a='x'y", "a=... is followed by y at once"),
        ("c a=[1,", "this is no JSON: [1,"),
        ("c a=[NaN]", "this is no JSON: [NaN]"),
        ('c a="\\ud800"', 'this is no JSON: "\\ud800"'),
        ("c a=" + "[" * 100_000, "this JSON is too deep"),
        ("{}", "a command as JSON has `execute`, and `arguments` if it takes any"),
        ('{"execute": "c", "argumnts": {}}', "a command as JSON has"),
        ('{"execute": "c"} x', "there is more behind the JSON: x"),
        ("@ stop", "`@` needs a partition"),
    ],
)
def test_what_cannot_be_read_is_told(line: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(line)
    assert raised.value.message.startswith(message)


@given(st.text(alphabet=st.sampled_from("ab.=@:{}[]\"'\\,1 \n"), max_size=30))
def test_any_line_is_read_or_refused(line: str) -> None:
    with suppress(UsageError):
        assert isinstance(parse(line), Line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=3))
def test_arguments_as_json_arrive_as_they_are(arguments: dict[str, Any]) -> None:
    assert parse(f"c {json.dumps(arguments)}").arguments == arguments
