# SPDX-License-Identifier: Apache-2.0
"""What a user may rely on in the Linux host: packages, files, who gets in, and an init that lasts."""

import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory

SHELL_WITHIN_S = 60.0
SPEC = """
name: image
node:
  cpus: {sockets: 1, cores: 4, threads: 1}
  numa: [{cpus: 0-3, memory: 1G}]
partitions:
  host:
    kernel: linux
    cpus: 0-1
    memory: {0: 512M}
    packages: [hwloc-nox]
    files: {/opt/script: script}
  lwk0: {kernel: lwk, cpus: 2-3, memory: {0: 128M}}
"""


@pytest.fixture(scope="module")
def image(enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enclave]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "script").write_text("#!/bin/sh\necho the script of the spec\n")
    (folder / "script").chmod(0o700)
    (folder / "image.yaml").write_text(SPEC)
    with enclave_factory(folder / "image.yaml") as enclave:
        yield enclave


def test_a_packages_program_runs_with_its_libraries(image: Enclave) -> None:
    assert image.host.succeed("hwloc-calc", "--number-of", "PU", "all").strip() == "2"


def test_a_file_of_the_spec_is_there_with_its_mode(image: Enclave) -> None:
    assert image.host.succeed("/opt/script") == "the script of the spec\n"
    assert image.host.succeed("stat", "-c", "%a %U", "/opt/script").split() == ["700", "root"]


def test_nobody_gets_in_by_password(image: Enclave) -> None:
    address = image.status()["ssh"]
    with paramiko.Transport((address["host"], address["port"])) as transport:
        transport.start_client(timeout=60)
        with pytest.raises(paramiko.BadAuthenticationType) as refused:
            transport.auth_password("root", "")
    assert refused.value.allowed_types == ["publickey"]


def processes(image: Enclave) -> dict[int, tuple[str, str]]:
    """State and name of each process, by pid."""
    text = image.host.succeed("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true")
    found = {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" (")
        name, _, numbers = rest.rpartition(") ")
        found[int(pid)] = (numbers.split()[0], name)
    return found


def test_orphans_are_reaped(image: Enclave) -> None:
    orphan = image.host.succeed("sh", "-c", "(usleep 1000 & echo $!)").strip()
    image.host.succeed("sh", "-c", f"while [ -e /proc/{orphan} ]; do usleep 1000; done")


def shell_of_console(image: Enclave) -> int | None:
    script = (
        'for p in /proc/[0-9]*; do [ "$(readlink $p/fd/0)" = /dev/ttyS0 ] && echo ${p#/proc/}; done; true'
    )
    pids = image.host.succeed("sh", "-c", script).split()
    return int(pids[0]) if pids else None


def wait_for_another_shell(image: Enclave, than: int | None) -> int:
    deadline = time.monotonic() + SHELL_WITHIN_S
    while time.monotonic() < deadline:
        shell = shell_of_console(image)
        if shell not in (None, than):
            return shell
    raise AssertionError(f"no shell on the console but {than} within {SHELL_WITHIN_S:g} s")


def test_the_consoles_shell_is_started_again_when_it_ends(image: Enclave) -> None:
    first = wait_for_another_shell(image, than=None)
    image.host.succeed("kill", "-KILL", str(first))
    wait_for_another_shell(image, than=first)


def test_init_has_nothing_to_complain_of(image: Enclave) -> None:
    said = [line for line in image.host.succeed("dmesg").splitlines() if "] init: " in line]
    assert [line for line in said if "] init: times: " not in line] == []


def test_a_host_that_powers_off_is_exited_and_boots_again(image: Enclave) -> None:
    image.host.succeed("sh", "-c", "(usleep 100000; poweroff) >/dev/null 2>&1 &")
    image.wait_for_state("host", "EXITED", deadline_s=60)
    assert image.partition("host")["reason"] == "powered off"
    assert "init: powering off" in image.log("host")
    image.restart("host")
    assert image.host.succeed("hostname").strip() == "host"


def test_the_keys_of_a_run_are_its_own(image: Enclave, duo: Enclave) -> None:
    assert image.run.key.read_bytes() != duo.run.key.read_bytes()
    assert image.run.known_hosts.read_bytes() != duo.run.known_hosts.read_bytes()
    assert Path(image.run.key).stat().st_mode & 0o077 == 0
