# SPDX-License-Identifier: Apache-2.0
import subprocess
from pathlib import Path

from orchestrator.repro_script import repro_script

WORDS = [
    "-append",
    "a 'b' $c",
    "-chardev",
    "socket,id=q,fd=@QMP@",
    "-x",
    "",
    "@MEMORY0@",
    "it's @QMP@ and @FABRIC@",
]


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/bin"} | environment,
    )


def test_commands_reach_qemu_as_they_were_with_descriptors_in_place(tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    script.write_text(repro_script("duo", "python", {"host": ["printf", "%s\\n", *WORDS]}))
    done = run(script, "host", QMP="3", MEMORY0="4", FABRIC="5")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        *("-append", "a 'b' $c", "-chardev", "socket,id=q,fd=3", "-x", "", "4"),
        "it's 3 and 5",
    ]


def test_without_arguments_it_starts_the_one_that_makes_what_is_shared(tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    script.write_text(repro_script("duo", "echo", {"host": ["true"]}))
    assert run(script).stdout == f"-m orchestrator.repro {tmp_path}\n"


def test_unknown_partition_is_told(tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    script.write_text(repro_script("duo", "echo", {"host": ["true"]}))
    done = run(script, "lwk9")
    assert done.returncode == 2
    assert "there is no partition lwk9" in done.stderr


def test_variable_that_is_missing_is_an_error_and_not_an_empty_word(tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    script.write_text(repro_script("duo", "echo", {"host": ["true", "fd=@QMP@"]}))
    assert run(script, "host").returncode != 0
