# SPDX-License-Identifier: Apache-2.0
"""`enclave shell`, typed at in a terminal and run by scripts."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import CommandLine
from tests.e2e.screen import Terminal, in_terminal

PROMPT = ">>>"


def typed(shell: Terminal, line: str, answer: str) -> list[str]:
    """Types a line at a fresh prompt and waits for what it prints."""
    shell.wait_for(lambda lines: [line for line in lines if line][-1:] == [PROMPT], "a prompt")
    shell.press(f"{line}\n")
    return shell.wait_for(lambda lines: any(answer in shown for shown in lines), answer)


@pytest.fixture
def environment(duo_command: CommandLine, tmp_path: Path) -> dict[str, str]:
    return duo_command.environment | {"XDG_STATE_HOME": str(tmp_path), "INPUTRC": "/dev/null"}


def test_person_at_the_prompt(duo: Enclave, duo_command: CommandLine, environment: dict[str, str]) -> None:
    arguments = ("shell", "-e", duo.name)
    with in_terminal(duo_command.program, *arguments, columns=120, environment=environment) as shell:
        before = shell.modes()
        lines = shell.wait_for_text("Ctrl-D leaves")
        assert lines[0] == f"enclave {duo.name}: host, lwk0, lwk1"
        typed(shell, "enclave.host.succeed('uname')", "'Linux\\n'")
        typed(shell, "enclave['lwk0']", "<lwk0: lwk, READY>")
        typed(shell, "enclave['lwk7']", "hint: it has: host, lwk0, lwk1")
        typed(shell, "enclave['lwk1'].run('ls')", "enclave: lwk1 runs no Linux")
        typed(shell, "enclave['lwk0'].qmp('query-status')['status']", "'running'")
        # Tab completes what there is.
        shell.wait_for(lambda lines: [line for line in lines if line][-1:] == [PROMPT], "a prompt")
        shell.press("enclave.host.succ\t")
        shell.wait_for_text("enclave.host.succeed(")
        shell.press("'echo', 'fine')\n")
        shell.wait_for_text("'fine\\n'")
        # An interrupt ends what runs, and not the prompt.
        typed(shell, "enclave.host.run('sleep', '1000')", "1000")
        shell.wait_for(lambda lines: "sleep 1000" in duo.host.succeed("ps"), "sleep, in the host")
        shell.press("\x03")
        shell.wait_for_text("interrupted")
        typed(shell, "'still ' + 'here'", "'still here'")
        shell.press("\x04")
        assert shell.end() == 0
        assert shell.modes() == before
    with in_terminal(duo_command.program, *arguments, columns=120, environment=environment) as again:
        again.wait_for_text(PROMPT)
        again.press("\x1b[A")  # up: the history of last time
        again.wait_for_text("'still ' + 'here'")


def test_scripts_end_as_they_should(duo: Enclave, duo_command: CommandLine) -> None:
    def run(code: str) -> tuple[int, str, str]:
        done = duo_command("shell", "-e", duo.name, stdin=code.encode())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    assert run("print(enclave.name, [each.name for each in enclave])") == (
        0, f"{duo.name} ['host', 'lwk0', 'lwk1']\n", "",
    )  # fmt: skip
    assert run("import sys; sys.exit(7)")[0] == 7
    status, _, complaint = run("x = 1\nassert x == 2")
    assert status == 1
    assert complaint.splitlines() == [
        "Traceback (most recent call last):",
        '  File "<stdin>", line 2, in <module>',
        "AssertionError",
    ]
    status, _, complaint = run("enclave['nobody']")
    assert status == 2
    assert complaint.startswith(f"enclave: enclave {duo.name} has no partition 'nobody'\n  hint: ")


def test_files_faults_and_logs_by_a_line_of_code(
    duo: Enclave, duo_command: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(bytes(range(256)))
    code = f"""
enclave.host.put("{tmp_path}/here", "/tmp/there"); enclave.host.get("/tmp/there", "{tmp_path}/back")
lwk = enclave["lwk0"]
lwk.fault("panic"); lwk.wait_for_state("PANICKED")
print("lwk: ready" in lwk.log(), "lwk: ready" in lwk.console(), lwk.restart()["state"])
"""
    done = duo_command("shell", "-e", duo.name, "-c", code)
    assert done.stderr == b""
    assert done.stdout.decode().split() == ["True", "True", "READY"]
    assert (tmp_path / "back").read_bytes() == bytes(range(256))


def test_ipython_is_used_where_it_is(
    duo: Enclave, duo_command: CommandLine, environment: dict[str, str], tmp_path: Path
) -> None:
    """A made-up one: the real one is no part of what is installed here."""
    package = tmp_path / "IPython" / "terminal"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "ipapp.py").write_text(
        """
class TerminalIPythonApp:
    @classmethod
    def instance(cls, user_ns):
        app = cls()
        app.shell, app.names = app, user_ns
        return app
    def initialize(self, argv): pass
    def set_custom_exc(self, kinds, tell): self.kinds, self.tell = kinds, tell
    def start(self):
        try:
            self.names["enclave"]["nobody"]
        except self.kinds as error:
            self.tell(self, type(error), error, None)
        print("made-up", self.names["enclave"].name)
"""
    )
    with in_terminal(
        duo_command.program,
        "shell",
        "-e",
        duo.name,
        columns=120,
        environment=environment | {"PYTHONPATH": str(tmp_path)},
    ) as shell:
        assert shell.end() == 0
        assert f"made-up {duo.name}" in shell.raw
        assert "has no partition 'nobody'" in shell.raw
