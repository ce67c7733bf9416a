# SPDX-License-Identifier: Apache-2.0
"""`enclave console` where nothing runs any more, and `enclave qmp` across the end of an enclave."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.run import RunFolder
from tests.screen import Screen
from tests.unit.enclaves import ROOT, Computer


def enclave(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFolder]:
    """The folder of a run that is over."""
    with tempfile.TemporaryDirectory(prefix="enclave-test-") as folder:
        monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", folder)
        run = RunFolder("duo")
        run.path.mkdir(mode=0o700)
        run.console_log("host").write_text("[    1.000000] one\r\n[    3.000000] three\r\n")
        run.console_log("lwk0").write_text("[    2.000000] \x1b[1mtwo\x1b[0m\n[    4.000000] four")
        yield run


def test_consoles_of_an_enclave_that_ended_are_read_from_its_logs(ended: RunFolder) -> None:
    shown = enclave("console", "--all", "-e", "duo")
    assert shown.exit_code == 0
    assert shown.stdout == (
        "[    1.000000] host one\n"
        "[    2.000000] lwk0 two\n"
        "[    3.000000] host three\n"
        "[    4.000000] lwk0 four\n"
    )
    assert enclave("console", "host", "lwk0", "-e", "duo").stdout == shown.stdout


def test_a_log_that_there_is_not(ended: RunFolder) -> None:
    refused = enclave("console", "host", "lwk7", "-e", "duo")
    assert refused.exit_code == 2
    assert refused.stderr == (
        "enclave: enclave duo is not running, and left no console log of 'lwk7'\n"
        "  hint: it left those of: host, lwk0\n"
    )


def test_the_prompt_survives_the_end_of_the_enclave(computer: Computer, tmp_path: Path) -> None:
    client = computer.up("again")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    command = [str(Path(sys.executable).with_name("enclave")), "qmp", "lwk0"]
    with Screen(command, environment, ROOT, 100, 30) as screen:
        screen.until("lwk0> ")
        client.kill("lwk1")
        screen.until("lwk1 is EXITED: QEMU was killed by signal 9")
        client.down()
        screen.until("enclave again has ended; this console goes on when it is started again")
        screen.type("@lwk1\r")
        screen.until("lwk1 (EXITED)> ")
        screen.type(":hmp info name\r")
        screen.until("error: enclave again is not running")
        client = computer.up("again")
        screen.until("enclave again runs again", "lwk1> ")
        client.kill("lwk0")
        screen.until("lwk0 is EXITED: QEMU was killed by signal 9")
        screen.type(":quit\r")
        assert screen.until_end() == 0
