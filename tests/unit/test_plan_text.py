# SPDX-License-Identifier: Apache-2.0
import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.plan_text import command_lines

SPECS = Path(__file__).parents[2] / "specs"


def plan(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["plan", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose header begins with that word."""
    table = next(part for part in text.split("\n\n") if part.startswith(first))
    return [line.split() for line in table.splitlines()[1:]]


def test_partition_map_has_every_cpu_once() -> None:
    text = plan(str(SPECS / "duo.yaml"))
    assert [row[:4] for row in rows(text, "PARTITION  PEER")] == [
        ["host", "0", "linux", "0,4"],
        ["lwk0", "1", "lwk", "1-3"],
        ["lwk1", "2", "lwk", "5-7"],
    ]


def test_memory_map_says_whose_every_byte_is() -> None:
    text = plan(str(SPECS / "duo.yaml"))
    owners = {row[0]: " ".join(row[4:]) for row in rows(text, "NUMA NODE")}
    assert owners == {
        "0": "host 512M, lwk0 256M, nobody 1280M",
        "1": "lwk1 256M, nobody 1792M",
        "2": "lwk1 64M, nobody 960M",
    }
    assert ["lwk1", "0x0010000000-0x0013ffffff", "64M", "2", "08.2"] in rows(text, "PARTITION  GUEST")


def test_every_command_line_can_be_pasted_and_is_that_of_the_json() -> None:
    text = plan(str(SPECS / "duo.yaml"))
    whole = json.loads(plan(str(SPECS / "duo.yaml"), "--json"))
    assert [each["name"] for each in whole["partitions"]] == ["host", "lwk0", "lwk1"]
    for partition in whole["partitions"]:
        shown = text.split(f"\n\n{partition['name']}:\n")[1].split("\n\n")[0]
        assert shlex.split(shown.replace("\\\n", " ")) == partition["command"]


def test_options_and_values_share_a_line() -> None:
    assert (
        command_lines(["qemu", "-m", "64M", "-append", "a b"]) == "qemu \\\n    -m 64M \\\n    -append 'a b'"
    )


def test_accelerator_and_name_are_taken_up() -> None:
    text = plan(str(SPECS / "solo.yaml"), "--accel", "kvm", "--name", "other")
    assert "-accel kvm" in text
    assert "-name other-lwk0," in text
    assert "enclave other:" in text


def test_variables_reach_the_template() -> None:
    whole = json.loads(plan(str(SPECS / "family.yaml"), "-D", "lwks=5", "--json"))
    assert len(whole["partitions"]) == 6


@pytest.mark.parametrize("verb", ["plan", "check"])
def test_nothing_is_written(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", str(tmp_path / "runtime"))
    assert CliRunner().invoke(main, [verb, str(SPECS / "solo.yaml")]).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_schema_is_one() -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema"]).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert set(schema["required"]) == {"name", "node", "partitions"}
