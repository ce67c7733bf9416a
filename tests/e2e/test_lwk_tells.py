# SPDX-License-Identifier: Apache-2.0
"""What an LWK tells of itself, compared with the spec: /proc and /sys of its programs, and `ikcctl ps`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.pytest_plugin import Enclave
from orchestrator.spec_file import load_spec
from orchestrator.ssh import Completed
from tests.e2e.conftest import ROOT, build_program, install
from tests.e2e.node_slice import Slice, grouped, slice_of
from tests.e2e.seen_on_lwk import SYSTEM, Tree, check_cpus, check_nodes, sizes

LWKS = ("lwk0", "lwk1")
PROGRAM = "/tmp/tells"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("tells", tmp_path_factory)


@pytest.fixture
def host(duo: Enclave, program: Path) -> Enclave:
    """duo, with programs/tells.c in its host."""
    if duo.host.run("test", "-x", PROGRAM).status:
        install(duo, program, PROGRAM)
    return duo


def on_lwk(enclave: Enclave, lwk: str, *command: str) -> Completed:
    return enclave.host.run("lwkexec", "-p", lwk, "--", *command)


def told(enclave: Enclave, lwk: str, *command: str) -> str:
    done = on_lwk(enclave, lwk, *command)
    assert done.status == 0, done.complaint
    return done.text


def given(lwk: str) -> Slice:
    return slice_of(load_spec(ROOT / "specs" / "duo.yaml", {}), lwk)


# ---- CPUs and nodes ----


@pytest.mark.parametrize("lwk", LWKS)
def test_sys_has_the_cpus_and_nodes_of_the_lwk(lwk: str, host: Enclave) -> None:
    tree = Tree(host, lwk)
    check_cpus(tree, given(lwk))
    check_nodes(tree, given(lwk))


def test_cpus_and_nodes_are_linked(host: Enclave) -> None:
    text = told(host, "lwk1", "busybox", "ls", "-l", f"{SYSTEM}/node/node0", f"{SYSTEM}/cpu/cpu2")
    links = dict(re.findall(r"(\S+) -> (\S+)$", text, re.M))
    assert links == {f"cpu{cpu}": f"../../cpu/cpu{cpu}" for cpu in range(3)} | {"node0": "../../node/node0"}


@pytest.mark.parametrize("lwk", LWKS)
def test_programs_count_the_cpus_of_the_lwk(lwk: str, host: Enclave) -> None:
    cpus = given(lwk).cpus
    assert told(host, lwk, PROGRAM, "cpus").split() == [str(cpus)] * 6
    assert int(told(host, lwk, "busybox", "nproc")) == cpus
    named = host.host.run("lwkexec", "-p", lwk, "--cpus", "1", PROGRAM, "cpus").text.split()
    assert named == [str(cpus), str(cpus), str(cpus), "1", str(cpus), str(cpus)]


@pytest.mark.parametrize("lwk", LWKS)
def test_cpuinfo_is_of_the_lwk(lwk: str, host: Enclave) -> None:
    blocks = told(host, lwk, "busybox", "cat", "/proc/cpuinfo").strip().split("\n\n")
    infos = [dict(re.findall(r"^(.*?)\t*: ?(.*)$", block, re.M)) for block in blocks]
    plan = next(each for each in host.plan.partitions if each.name == lwk)
    slice_ = given(lwk)
    assert [int(info["processor"]) for info in infos] == list(range(slice_.cpus))
    assert [int(info["apicid"]) for info in infos] == [cpu.apic_id for cpu in plan.cpus]
    assert [info["initial apicid"] for info in infos] == [info["apicid"] for info in infos]
    place_of: dict[int, tuple[int, ...]] = {
        cpu: (int(info["physical id"]), int(info["core id"])) for cpu, info in enumerate(infos)
    }
    assert grouped(place_of) == slice_.cores
    for cpu, info in enumerate(infos):
        (socket,) = (each for each in slice_.sockets if cpu in each)
        assert int(info["siblings"]) == len(socket)
        assert int(info["cpu cores"]) == len({core for core in slice_.cores if core <= socket})
    of_host = re.search(r"^flags\t+: (.*)$", host.host.succeed("cat", "/proc/cpuinfo"), re.M)
    assert of_host is not None
    assert set(of_host[1].split()) - set(infos[0]["flags"].split()) <= {"fsgsbase"}


@pytest.mark.parametrize("lwk", LWKS)
def test_memory_is_the_sum_of_the_nodes(lwk: str, host: Enclave) -> None:
    text = told(host, lwk, "busybox", "cat", "/proc/meminfo")
    found = sizes(text)
    memory = sum(given(lwk).memory)
    assert 0.9 * memory <= found["MemTotal"] << 10 <= memory
    assert found["MemAvailable"] == found["MemFree"] < found["MemTotal"]


# ---- a process ----


@pytest.mark.parametrize(
    "deed",
    [
        "maps",
        "mapped",
        "many",
        "stack",
        "stat",
        "tasks",
        "given",
        "memory",
        "paths",
        "bad",
        "race",
        "threads",
    ],
)
def test_program_finds_of_itself_what_is_so(deed: str, host: Enclave) -> None:
    done = on_lwk(host, "lwk0", PROGRAM, deed)
    assert (done.text, done.status) == ("", 0)


def test_status_has_the_sets_of_the_lwk(host: Enclave) -> None:
    assert told(host, "lwk1", PROGRAM, "status") == "0-2 0-1\n"
    assert host.host.run("lwkexec", "-p", "lwk1", "--cpus", "0,2", PROGRAM, "status").text == "0,2 0-1\n"


def test_words_and_environment_are_those_of_the_program(host: Enclave) -> None:
    lwkexec, busybox = host.host.succeed("which", "lwkexec", "busybox").split()
    words = [busybox, "cat", "/proc/self/cmdline", "/proc/self/environ"]
    done = host.host.run("env", "-i", "TELLS=yes", lwkexec, "-p", "lwk0", "--", *words)
    assert done.text.split("\0") == [*words, "TELLS=yes", ""]


def test_all_else_is_the_hosts(host: Enclave) -> None:
    for path in ("/proc/version", "/proc/sys/kernel/hostname", "/sys/kernel/mm/transparent_hugepage/enabled"):
        assert told(host, "lwk0", "busybox", "cat", path) == host.host.succeed("cat", path)
    for path in ("/proc/1/stat", "/proc/1/maps"):
        head = ("busybox", "head", "-c", "20", path)
        assert told(host, "lwk0", *head) == host.host.succeed(*head)
    listed = told(host, "lwk0", "busybox", "ls", "/sys/devices/system")
    assert listed == host.host.succeed("busybox", "ls", "/sys/devices/system")


def test_nothing_is_mounted_for_it(host: Enclave) -> None:
    """Not even while it looks, so nothing is left when it is killed then."""
    before = host.host.succeed("cat", "/proc/mounts")
    start = f"lwkexec -p lwk0 busybox tail -f {SYSTEM}/cpu/online >/tmp/told & "
    line = f"{start} until grep -q 0-2 /tmp/told; do usleep 20000; done; cat /proc/mounts; kill -9 $!"
    assert host.host.run("timeout", "30", "sh", "-c", line).text == before


# ---- ikcctl ps, and ps of Linux ----


@pytest.fixture
def sleeper(host: Enclave) -> Iterator[int]:
    """The process id of a program on lwk0 that has come to wait, and made no thread."""
    start = "lwkexec -p lwk0 -- busybox sleep 1000 >/dev/null 2>&1 & echo $!"
    pid = int(host.host.succeed("sh", "-c", start))
    try:
        has_called = f'"pid": {pid}, .*"offloads": [1-9]'
        ready = f"until ikcctl ps lwk0 --json | grep -q '{has_called}'; do usleep 20000; done"
        assert host.host.run("timeout", "30", "sh", "-c", ready).status == 0
        yield pid
    finally:
        host.host.succeed("sh", "-c", f"kill {pid}; while kill -0 {pid} 2>/dev/null; do usleep 20000; done")


def processes(enclave: Enclave, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in enclave.host.succeed("ikcctl", "ps", "--json", *words).splitlines()]


def test_ikcctl_ps_lists_the_processes_of_lwks(host: Enclave, sleeper: int) -> None:
    (found,) = (each for each in processes(host) if each["pid"] == sleeper)
    assert found["partition"] == "lwk0"
    assert found["proxy_on"] == "host"
    assert found["name"] == "busybox"
    assert found["state"] == "RUNNING"
    assert found["threads"] == 1
    assert found["cpus"] in ("0", "1", "2")
    assert 0 < found["cpu_ns"] < 60e9
    assert found["offloads"] > 0
    size = told(host, "lwk0", "busybox", "cat", "/proc/self/statm").split()[1]
    assert abs(found["memory_bytes"] - int(size) * 4096) < 1 << 20
    assert processes(host, "lwk1") == []
    rows = [row.split() for row in host.host.succeed("ikcctl", "ps", "lwk0").splitlines()]
    assert ["lwk0", str(sleeper), "host", "RUNNING", "1"] in [row[:5] for row in rows]
    assert "busybox" in [row[-1] for row in rows]


def test_linux_ps_shows_a_proxy_under_the_name_of_its_program(host: Enclave, sleeper: int) -> None:
    rows = host.host.succeed("ps").splitlines()
    assert any(re.fullmatch(rf" *{sleeper} +root +busybox sleep 1000", row) for row in rows)


def test_ikcctl_ps_needs_no_free_channel(host: Enclave) -> None:
    """As many programs as an LWK has channels for: there is none left to ask by."""
    start = "; ".join(['lwkexec -p lwk1 -- busybox sleep 1000 >/dev/null 2>&1 & all="$all $!"'] * 16)
    count = "until [ $(ikcctl ps lwk1 --json | wc -l) = 16 ]; do usleep 50000; done"
    done = host.host.run("timeout", "60", "sh", "-c", f"{start}; {count}; ikcctl ps lwk1; kill $all; wait")
    assert done.text.count("busybox") == 16
    gone = 'until [ -z "$(ikcctl ps lwk1 --json)" ]; do usleep 50000; done'
    assert host.host.run("timeout", "30", "sh", "-c", gone).status == 0


def test_ikcctl_ps_says_what_is_wrong(host: Enclave) -> None:
    done = host.host.run("ikcctl", "ps", "nowhere")
    assert (done.status, done.text) == (2, "")
    assert 'no partition "nowhere": there are host (0), lwk0 (1), lwk1 (2)' in done.complaint
    done = host.host.run("ikcctl", "ps", "host")
    assert (done.status, done.text) == (2, "")
    assert '"host" runs no LWK' in done.complaint
