# SPDX-License-Identifier: Apache-2.0
"""A page that Linux still has hold of, as for O_DIRECT, is no other program's before it has let go."""

import shlex
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

LWK = "lwk0"

# The program and who pins its page each wait for a word on their standard input.
GIVE_BACK = f"""
cd /tmp; rm -f give pin given pinned; mkfifo give pin
wait_for() {{ until grep -qx "$1" "$2"; do usleep 10000; done; }}
lwkexec -p {LWK} /tmp/process_lives give <give >given & proxy=$!
exec 3>give
wait_for 'has it' given
line='s/.*window of {LWK}: .* at \\(0x[0-9a-f]*\\), here at \\(0x[0-9a-f]*\\),.*/\\1 \\2/p'
where=$(dmesg | sed -n "$line" | tail -n 1) # the driver may have been loaded more than once
/tmp/pin_page /dev/ikc-window-{LWK} $where $proxy 0x10000000 <pin >pinned & pins=$!
exec 4>pin
wait_for pinned pinned
END_OF_PROGRAM
usleep 500000; cat given; lwkexec -p {LWK} --memory | cut -d, -f1
exec 4>&-; wait $pins; echo "let go: $?"
wait $proxy; echo "ended: $?"; tail -n 1 given
until lwkexec -p {LWK} --memory | grep -q '^0 processes'; do usleep 10000; done
"""

ENDS = {
    "gives it back": ("echo >&3", ["has it", "1 processes", "let go: 0", "ended: 0", "gave it back"]),
    "is killed": ("kill -KILL $proxy", ["has it", "1 processes", "let go: 0", "ended: 137", "has it"]),
    "ends": ("kill -TERM $proxy", ["has it", "1 processes", "let go: 0", "ended: 143", "has it"]),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: str(build_program(name, tmp_path_factory)) for name in ("process_lives", "pin_page")}


@pytest.mark.parametrize("end", ENDS)
def test_page_is_given_to_nobody_while_linux_has_hold_of_it(
    end: str, duo: Enclave, programs: dict[str, str]
) -> None:
    for name, path in programs.items():
        install(duo, path, f"/tmp/{name}")
    command, told = ENDS[end]
    script = GIVE_BACK.replace("END_OF_PROGRAM", command)
    done = duo.host.run("timeout", "-s", "KILL", "60", "sh", "-c", script)
    assert (done.status, done.text.splitlines()) == (0, told), done


RAM_DISK = "/dev/ram0"
READ_BACK = "written: 1048576\nread: 1048576\nthe same: 1\n"


def kernel_folder(enclave: Enclave) -> Path:
    """Debian's kernel, as it was unpacked, with all its modules."""
    command = shlex.split((Path(enclave.status()["run_folder"]) / "command-host.txt").read_text())
    return Path(command[command.index("-kernel") + 1]).parent


def test_device_reads_and_writes_the_memory_of_a_program(
    duo: Enclave, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """O_DIRECT: the pages of the LWK go to the device as they are."""
    install(duo, build_program("direct_io", tmp_path_factory), "/tmp/direct_io")
    duo.host.put(next(kernel_folder(duo).rglob("brd.ko")), "/tmp/brd.ko")
    duo.host.succeed("insmod", "/tmp/brd.ko", "rd_nr=1", "rd_size=4096")
    try:
        on_linux = duo.host.run("/tmp/direct_io", RAM_DISK)
        assert on_linux.text.startswith(READ_BACK)
        assert duo.host.run("lwkexec", "-p", LWK, "/tmp/direct_io", RAM_DISK) == on_linux
    finally:
        duo.host.succeed("rmmod", "brd")
