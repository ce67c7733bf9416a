# SPDX-License-Identifier: Apache-2.0
"""Where the threads and the memory of an enclave are, as this computer's Linux tells it."""

import json
import os
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.quantities import format_cpu_list
from tests.e2e.conftest import HERE, CommandLine

SPEC = HERE / "specs" / "placed.yaml"

ALONE = """
name: alone
node: {cpus: {sockets: 1, cores: 1}, numa: [{cpus: 0, memory: 256M}]}
partitions:
  host: {kernel: linux, cpus: 0, memory: {0: 160M}}
"""
HUGEPAGES_OF_ALONE = 80

needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor cannot be given away")


def allowed(pid: int) -> dict[str, str]:
    """Where each thread of a process may run, by the thread's name."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines())
        found[f"{status['Name']} {thread.name}"] = status["Cpus_allowed_list"]
    return found


def require_apart(enclave: Enclave, processor: int, others: str) -> None:
    """The LWK's CPU has the processor, and nothing else of the enclave may run there."""
    status = enclave.status()
    lwk0, host = (allowed(enclave.partition(name)["pid"]) for name in ("lwk0", "host"))
    of_cpus = [where for thread, where in lwk0.items() if thread.startswith("CPU 0/")]
    rest = [where for thread, where in lwk0.items() if not thread.startswith("CPU 0/")]
    assert of_cpus == [str(processor)]
    assert {*rest, *host.values(), *allowed(status["supervisor_pid"]).values()} == {others}
    assert len(rest) >= 2
    assert len(host) >= 3


@needs_two
def test_pinned_cpu_has_a_processor_for_itself_in_each_life(enclave_factory: EnclaveFactory) -> None:
    *others, processor = sorted(os.sched_getaffinity(0))
    with enclave_factory(SPEC, processor=processor) as enclave:
        require_apart(enclave, processor, format_cpu_list(others))
        placement = enclave.partition("lwk0")["placement"]
        assert placement["processors"] == {"1": processor}
        assert placement["memory"] == [{"node": 0, "nodes": [0], "hugepage_bytes": 0}]
        assert enclave.status()["other_processors"] == others

        # By QMP and by Linux: the window in the host's QEMU is bound too.
        for name in ("lwk0", "host"):
            maps = Path(f"/proc/{enclave.partition(name)['pid']}/numa_maps").read_text().splitlines()
            assert [line.split()[1] for line in maps if "lwk0-0" in line] == ["bind:0"], name

        enclave.restart("lwk0")
        require_apart(enclave, processor, format_cpu_list(others))
        enclave.host.succeed("ikcctl", "ping", "lwk0", "-c", "3", "-W", "30")


@needs_two
def test_status_and_plan_show_the_placement(command: CommandLine) -> None:
    processor = max(os.sched_getaffinity(0))
    define = f"processor={processor}"
    assert command("up", SPEC, "-D", define).returncode == 0
    row = f"lwk0      1: {processor}"
    for shown in (command("status"), command("plan", SPEC, "-D", define)):
        assert row in shown.stdout.decode(), shown
    plan = json.loads(command("plan", SPEC, "-D", define, "--json").stdout)
    assert plan["partitions"][1]["placement"]["processors"] == {"1": processor}
    # A second enclave cannot have the processor, and keeps off it with all that it has.
    refused = command("up", SPEC, "-D", define, "--name", "second")
    assert refused.returncode == 3
    assert f"other enclaves have {processor}" in refused.stderr.decode()
    assert "PLACED" not in command("plan", SPEC, "-D", define, "--place", "none").stdout.decode()


@needs_two
def test_auto_parts_the_cpus_from_all_else(command: CommandLine, tmp_path: Path) -> None:
    spec = tmp_path / "alone.yaml"
    spec.write_text(ALONE)
    done = command("up", spec, "--place", "auto", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    processor = status["partitions"][0]["placement"]["processors"]["0"]
    assert status["other_processors"] == sorted(os.sched_getaffinity(0) - {processor})
    threads = allowed(status["partitions"][0]["pid"])
    on_it = [thread for thread, where in threads.items() if where == str(processor)]
    assert [thread.partition("/")[0] for thread in on_it] == ["CPU 0"]


def test_hugepages_that_are_not_free_are_refused(command: CommandLine, tmp_path: Path) -> None:
    pool = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
    if not pool.exists() or int((pool / "free_hugepages").read_text()) >= HUGEPAGES_OF_ALONE:
        pytest.skip("this computer has none, or enough")
    spec = tmp_path / "alone.yaml"
    spec.write_text(ALONE.replace("memory: {0: 160M}", "memory: {0: 160M}, place: {hugepages: 2M}"))
    refused = command("up", spec)
    assert refused.returncode == 3
    assert f"{HUGEPAGES_OF_ALONE} hugepages of 2M are needed, " in refused.stderr.decode()
    assert f"> {pool}/nr_hugepages" in refused.stderr.decode()


@pytest.mark.parametrize("verb", ["up", "plan"])
def test_what_this_computer_cannot_do_is_refused_with_what_it_has(command: CommandLine, verb: str) -> None:
    refused = command(verb, SPEC, "-D", "processor=4095")
    assert refused.returncode == 3
    complaint = refused.stderr.decode()
    assert "processor 4095 is not there, or not for us" in complaint
    assert f"({format_cpu_list(os.sched_getaffinity(0))})" in complaint

    refused = command(verb, SPEC, "-D", "processor=0", "-D", "node=62")
    assert refused.returncode == 3
    assert "lwk0: this computer has no NUMA node 62" in refused.stderr.decode()
