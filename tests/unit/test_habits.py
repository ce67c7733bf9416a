# SPDX-License-Identifier: Apache-2.0
"""What all verbs have in common: -q, -v, --json, colours, completion, settings."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.run import RunFolder
from tests.e2e.screen import in_terminal
from tests.unit.fake_supervisor import FakeSupervisor

ROOT = Path(__file__).parents[2]
# Its output is another program's, a kernel's, or made for machines already.
WITHOUT_JSON = {"schema", "log", "console", "ssh", "exec", "gdb", "qmp", "shell", "completion", "man"}
# They do what they are told, and have nothing to tell.
SILENT = {"panic", "hang", "triple-fault", "kill", "pause", "continue", "push"}


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No enclaves, no settings, no wishes about colours."""
    with tempfile.TemporaryDirectory(prefix="enclave-test-") as folder:
        monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", f"{folder}/run")
        monkeypatch.setenv("XDG_CONFIG_HOME", f"{folder}/config")
        for variable in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(variable, raising=False)
        yield Path(folder)


@pytest.fixture
def duo() -> Iterator[FakeSupervisor]:
    with closing(FakeSupervisor(RunFolder("duo"))) as supervisor:
        partitions = [{"name": each["name"]} for each in supervisor.status["partitions"]]
        supervisor.run.plan.write_text(json.dumps({"partitions": partitions}))
        yield supervisor


def enclave(*arguments: str, color: bool = False) -> Result:
    return CliRunner().invoke(main, arguments, color=color)


def verbs(group: click.Group = main) -> Iterator[tuple[str, click.Command]]:
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group):
            yield from verbs(verb)
        else:
            yield name, verb


def options(verb: click.Command) -> set[str]:
    return {name for param in verb.params for name in param.opts}


# ---- -q, -v, --json ----


def test_every_verb_has_the_options_of_all() -> None:
    found = dict(verbs())
    assert len(found) > 20
    assert [name for name, verb in found.items() if not {"-q", "-v"} <= options(verb)] == []
    without = {name for name, verb in found.items() if "--json" not in options(verb)}
    assert without == WITHOUT_JSON | SILENT


def test_quiet_says_only_what_was_asked_for(duo: FakeSupervisor) -> None:
    assert "lwk0" in enclave("status", "-q").stdout
    for words in (["restart", "lwk0", "-q"], ["-q", "restart", "lwk0"], ["check", "specs/duo.yaml", "-q"]):
        result = enclave(*words)
        assert (result.exit_code, result.output) == (0, "")
    assert json.loads(enclave("restart", "lwk0", "-q", "--json").stdout)["enclave"] == "duo"
    down = enclave("down", "-q")
    assert (down.exit_code, down.output) == (0, "")


def test_quiet_does_not_hide_errors() -> None:
    assert "no enclave is running" in enclave("status", "-q").stderr


def test_verbose_tells_requests_and_what_is_behind_an_error(duo: FakeSupervisor) -> None:
    # In a process of its own: an audit hook stays for ever.
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("enclave")
        return subprocess.run([program, *words], capture_output=True, text=True, check=False)

    quiet, told = run("restart", "lwk0"), run("restart", "lwk0", "-v")
    assert quiet.stderr == ""
    assert told.stderr.splitlines() == [
        "asks enclave duo: status",
        "asks enclave duo: restart partition=lwk0",
    ]
    assert told.stdout == quiet.stdout
    assert "Traceback" in run("-v", "restart", "nobody").stderr
    assert "Traceback" not in run("restart", "nobody").stderr


def test_quiet_and_verbose_at_once_are_refused() -> None:
    result = enclave("status", "-q", "-v")
    assert result.exit_code == 2
    assert "contradict" in result.stderr


def test_down_and_gc_tell_programs_what_they_did(duo: FakeSupervisor) -> None:
    duo.answers["down"] = [{"ok": {"partitions": {"host": "powered off"}}}]
    (ended,) = json.loads(enclave("down", "--json").stdout)
    assert (ended["enclave"], ended["partitions"]) == ("duo", {"host": "powered off"})
    assert json.loads(enclave("gc", "--json").stdout) == {"removed": [str(duo.run.path)]}


# ---- colours ----


@pytest.mark.parametrize(
    ("environment", "setting", "terminal", "coloured"),
    [
        ({}, "", True, True),
        ({}, "", False, False),
        ({"NO_COLOR": "1"}, "", True, False),
        ({"NO_COLOR": ""}, "", True, True),
        ({"FORCE_COLOR": "1"}, "", False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "", True, False),
        ({}, "never", True, False),
        ({}, "always", False, True),
        ({"NO_COLOR": "1"}, "always", False, False),
        ({"FORCE_COLOR": "1"}, "never", False, True),
    ],
)
def test_colours(
    environment: dict[str, str], setting: str, terminal: bool, coloured: bool,
    duo: FakeSupervisor, monkeypatch: pytest.MonkeyPatch, world: Path,
) -> None:  # fmt: skip
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    if setting:
        (world / "config" / "enclave").mkdir(parents=True)
        (world / "config" / "enclave" / "config.toml").write_text(f'colour = "{setting}"')
    # The runner's `color` is whether its streams are terminals.
    told = enclave("status", color=terminal)
    assert ("\x1b[" in told.stdout) == coloured
    failed = enclave("restart", "nobody", color=terminal)
    assert failed.exit_code == 2
    assert ("\x1b[" in failed.stderr) == coloured


# ---- settings ----


def test_spec_of_the_settings_is_taken_when_none_is_named(world: Path) -> None:
    without = enclave("check")
    assert without.exit_code == 2
    assert f"or set `spec` in {world}/config/enclave/config.toml" in without.stderr
    (world / "config" / "enclave").mkdir(parents=True)
    (world / "config" / "enclave" / "config.toml").write_text(f'spec = "{ROOT}/specs/solo.yaml"')
    assert "enclave solo" in enclave("check").stdout
    assert "enclave duo" in enclave("check", str(ROOT / "specs" / "duo.yaml")).stdout


def test_settings_that_cannot_be_used_end_every_verb_with_2(world: Path) -> None:
    (world / "config" / "enclave").mkdir(parents=True)
    (world / "config" / "enclave" / "config.toml").write_text("speck = 1")
    result = enclave("status")
    assert result.exit_code == 2
    assert "unknown key 'speck'" in result.stderr


# ---- completion ----


def completed(line: str, cwd: Path = ROOT) -> list[str]:
    """What bash would offer at the end of a line."""
    words = line.split(" ")
    environment = os.environ | {
        "_ENCLAVE_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    program = Path(sys.executable).with_name("enclave")
    done = subprocess.run([program], capture_output=True, text=True, check=True, env=environment, cwd=cwd)
    assert done.stderr == ""
    return [
        item for kind, _, item in (each.partition(",") for each in done.stdout.split()) if kind == "plain"
    ]


def test_verbs_partitions_enclaves_and_specs_are_completed(duo: FakeSupervisor) -> None:
    assert {"up", "down", "top", "shell"} <= set(completed("enclave "))
    assert completed("enclave restart ") == ["host", "lwk0"]
    assert completed("enclave restart l") == ["lwk0"]
    assert completed("enclave fault scribble lwk0 --peer ") == ["host", "lwk0"]
    for verb in ("gdb", "dump", "console", "exec", "console host"):
        assert completed(f"enclave {verb} l") == ["lwk0"]
    assert completed("enclave qmp ") == ["host", "lwk0", "all"]
    assert completed("enclave qmp lwk0,") == ["lwk0,host"]
    assert completed("enclave crash ") == ["duo"]
    assert completed("enclave status -e ") == ["duo"]
    assert completed("enclave log -e nobody ") == []
    assert completed("enclave up specs/du") == ["specs/duo.yaml"]
    assert completed("enclave up specs/duo.yaml --wait-gdb ") == ["host", "lwk0", "lwk1"]
    assert completed("enclave up specs/duo.yaml --wait-gdb lwk") == ["lwk0", "lwk1"]
    assert completed("enclave up --wait-gdb ") == completed("enclave up no-such.yaml --wait-gdb ") == []
    assert not duo.requests  # a supervisor may be slow: it is not asked


def test_completion_in_a_broken_world_offers_nothing_and_says_nothing(world: Path) -> None:
    (world / "run").write_text("no folder")
    assert completed("enclave restart ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_each_shell_tells_how_it_is_installed_and_parses(shell: str) -> None:
    script = enclave("completion", shell).stdout
    assert "To have it always" in script
    assert "_ENCLAVE_COMPLETE" in script
    if shell == "zsh":
        assert script.startswith("#compdef enclave\n")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)


# How each is started without anybody's files, its prompt made known, and completion switched on.
SHELLS = {
    "bash": ("--norc --noprofile -i", "PS1='ready: '", 'eval "$(enclave completion bash)"'),
    "zsh": ("-f -i", "PS1='ready: '", 'autoload -U compinit; compinit -D; eval "$(enclave completion zsh)"'),
    "fish": ("-N -i", "function fish_prompt; echo 'ready: '; end", "enclave completion fish | source"),
}


@pytest.mark.parametrize("name", SHELLS)
def test_person_presses_tab(name: str, duo: FakeSupervisor, tmp_path: Path) -> None:
    options, prompt, completion = SHELLS[name]
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    program = shutil.which(name)
    assert program, f"{name} is missing: make setup-test installs it"
    with in_terminal(Path(program), *options.split(), environment=environment) as shell:
        shell.press(f"cd {ROOT}; {prompt}; {completion}; clear\n")
        shell.wait_for(lambda lines: lines[0].rstrip() == "ready:", "a clear screen")
        shell.press("enclave restart l\t")
        assert shell.wait_for_text("lwk0")[0] == "ready: enclave restart lwk0"
        shell.press("\x15enclave up sp\t")
        shell.wait_for_text("enclave up specs/")
        shell.press("kn\t")
        shell.wait_for_text("enclave up specs/knl.yaml")
