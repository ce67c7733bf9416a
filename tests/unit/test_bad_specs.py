# SPDX-License-Identifier: Apache-2.0
"""Specs that cannot be used, and word for word what a person is told of each (bad_specs.yaml)."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.spec_error import SpecError
from orchestrator.spec_file import load_spec
from tests.unit.test_spec import DUO

GOOD = DUO
FILE = Path(__file__).with_name("bad_specs.yaml")
TABLE: dict[str, dict[str, str]] = yaml.safe_load(FILE.read_text())

Refusal = Callable[[str | bytes], SpecError]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """What is said of a spec.yaml in the folder that the command is called in."""

    def of(content: str | bytes) -> SpecError:
        spec = tmp_path / "spec.yaml"
        spec.write_bytes(content.encode() if isinstance(content, str) else content)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SpecError) as caught:
            load_spec(Path(spec.name), {})
        return caught.value

    return of


def block(told: str) -> str:
    """As it stands in the table."""
    return "\n  told: |-\n" + "".join(f"    {line}\n" for line in told.split("\n"))


@pytest.mark.parametrize("name", TABLE)
def test_bad_spec_is_told_word_for_word(name: str, refusal: Refusal) -> None:
    """With UPDATE_GOLDEN=1 in the environment the table is written anew, to be looked at with `git diff`."""
    bad = TABLE[name]
    assert bad["old"] in GOOD
    error = refusal(GOOD.replace(bad["old"], bad["new"], 1))
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(FILE.read_text().replace(block(bad["told"]), block(error.message)))
    else:
        assert error.message == bad["told"]
    assert error.exit_status == 2


@pytest.mark.parametrize("name", TABLE)
def test_message_says_where_and_shows_it(name: str) -> None:
    """Each paragraph has its line, what is wrong, and the line itself; and none has Python's words in it."""
    for paragraph in re.split(r"\n(?=\S)", TABLE[name]["told"]):
        where, shown, *_ = paragraph.splitlines()
        assert re.match(r"spec\.yaml:[0-9]+: \S", where)
        assert shown.startswith("  | ")
        assert not re.search(r"\bNone\b|\bTrue\b|\bFalse\b|\bdict|\btuple\b|pydantic", where)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (b"# nothing but a comment\n", "the file is empty"),
        (b"name: \xff\n", r"spec\.yaml:1: this is not UTF-8: byte 0xff at offset 6"),
        (b"\x7fELF\x00\x80", "this is not UTF-8"),
        (b"a\0b", "this is not YAML"),
        (b"- a\n- b\n", "a mapping .* belongs here"),
        (b"hello", "a mapping .* belongs here"),
        (b"[" * 10000, "nested too deeply"),
        (b"a: 2026-13-45", "this is not YAML"),
        (b"a: !!python/object:os.system x", "this is not YAML"),
    ],
)
def test_file_that_is_no_spec_is_told(content: bytes, what: str, refusal: Refusal) -> None:
    assert re.search(what, refusal(content).message)


def test_missing_file_and_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such file"):
        load_spec(tmp_path / "nowhere.yaml", {})
    with pytest.raises(SpecError, match="this is a directory"):
        load_spec(tmp_path, {})


def test_every_mistake_is_told_at_once(refusal: Refusal) -> None:
    text = GOOD.replace("cpus: 1-3", "cpus: 1-4").replace("{1: 256M, 2: 64M}", "{1: 256M, 9: 64M}")
    assert [problem.line for problem in refusal(text).problems] == [10, 11]


def test_mistake_in_a_loop_is_told_on_the_template_line(refusal: Refusal) -> None:
    line = "  lwk{{ lwk }}: {kernel: lwk, cpus: {{ lwk }}, memory: {0: 9T}}\n"
    loop = f"{{% for lwk in [1, 2] %}}\n{line}{{% endfor %}}\n"
    told = refusal(GOOD[: GOOD.index("  lwk0")] + loop).message
    assert told.count("spec.yaml:11: ") == 2
    assert "lwk2: {kernel: lwk, cpus: 2, memory: {0: 9T}}    <- as rendered, line 11" in told


def test_mistake_is_shown_as_rendered_where_the_template_line_cannot_be_told(refusal: Refusal) -> None:
    body = GOOD.replace("cpus: 1-3", "cpus: 1-9")
    # The marks that follow lines through a template make the text longer, and this one looks at its length.
    limit = len(body) + 1
    text = (
        f"{{% set text %}}\n{body}{{% endset %}}\n{{{{ text if text | length < {limit} else 'longer' }}}}\n"
    )
    assert "spec.yaml: line 10 of the file as rendered: " in refusal(text).message


def test_too_many_partitions_are_told(refusal: Refusal) -> None:
    text = GOOD + "".join(
        f"  more{index}: {{kernel: lwk, cpus: 1, memory: {{0: 16M}}}}\n" for index in range(61)
    )
    assert "at most 63" in refusal(text).message


def test_too_many_cpus_for_one_partition_are_told(refusal: Refusal) -> None:
    text = """
name: big
node: {cpus: {sockets: 2, cores: 200}, numa: [{cpus: 0-399, memory: 1G}]}
partitions: {host: {kernel: linux, cpus: 0-299, memory: {0: 512M}}}
"""
    assert "take 400 places, and QEMU has 288" in refusal(text).message
