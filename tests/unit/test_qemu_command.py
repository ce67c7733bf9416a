# SPDX-License-Identifier: Apache-2.0
"""QEMU's command lines: those of duo word for word, and what must hold in all."""

import os
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.placement import MemoryPlace, PartitionPlacement, Placement
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.qemu_command import Wiring, qemu_command
from orchestrator.resolve import resolve
from orchestrator.spec import Spec
from orchestrator.spec_file import load_spec

SPECS = Path(__file__).parents[2] / "specs"
GOLDEN = Path(__file__).parent / "golden"


def plan_of(name: str) -> Plan:
    path = SPECS / f"{name}.yaml"
    return resolve(load_spec(path, {}), path)


def plan_with(
    cpus: str = "0-1", kernel: object = "lwk", cmdline: str = "", memory: str = "64M", of_node: str = "1G"
) -> Plan:
    """A host on the last CPU of 2 sockets, 2 cores, 2 threads, and a partition called `it`."""
    it = {"kernel": kernel, "cpus": cpus, "memory": {0: memory}, "cmdline": cmdline}
    spec = {
        "name": "some",
        "node": {
            "cpus": {"sockets": 2, "cores": 2, "threads": 2},
            "numa": [{"cpus": "0-3", "memory": of_node}, {"cpus": "4-7", "memory": "1G"}],
        },
        "partitions": {"it": it, "host": {"kernel": "linux", "cpus": 7, "memory": {0: "512M"}}},
    }
    return resolve(Spec.model_validate(spec), Path("some.yaml"))


def by_hand(plan: Plan, partition: PartitionPlan, accelerator: str = "tcg") -> list[str]:
    initrd = "/build/initramfs" if partition.is_host else ""
    kernel = Path("/build/kernel") / partition.kind
    wiring = Wiring.by_hand(plan, partition, Path("/run/enclave/duo"), kernel, initrd)
    return qemu_command(plan, partition, wiring, accelerator)


def values(command: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(command) if name == option]


@pytest.mark.parametrize("accelerator", ["tcg", "kvm"])
@pytest.mark.parametrize("index", range(3))
def test_duo_word_for_word(index: int, accelerator: str) -> None:
    """With UPDATE_GOLDEN=1 in the environment the files are written anew, to be looked at with `git diff`."""
    plan = plan_of("duo")
    partition = plan.partitions[index]
    golden = GOLDEN / f"duo-{partition.name}-{accelerator}.txt"
    text = shlex.join(by_hand(plan, partition, accelerator)).replace(" -", " \\\n  -") + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_linux_is_told_the_frequency_of_its_clock_where_it_is_known() -> None:
    plan = plan_of("duo")
    host = plan.partitions[0]
    wiring = Wiring.by_hand(plan, host, Path("/run/enclave/duo"), Path("/build/kernel"), "/build/initramfs")
    told = qemu_command(plan, host, wiring, "tcg", tsc_khz=2_445_435)
    assert "tsc_early_khz=2445435" in values(told, "-append")[0].split()
    assert "tsc_early_khz" not in values(qemu_command(plan, host, wiring, "tcg"), "-append")[0]


def test_live_wiring_names_descriptors() -> None:
    plan = plan_of("duo")
    host, _, lwk1 = plan.partitions
    kernel, people = Path("/k"), Path("/p.sock")
    wiring = Wiring.live(5, 6, 7, people, memory=[8, 9], windows=[], kernel=kernel, initrd="")
    command = qemu_command(plan, lwk1, wiring, "tcg")
    assert {"socket,id=qmp,fd=5", "socket,id=serial,fd=6", "socket,id=fabric,fd=7"} < set(
        values(command, "-chardev")
    )
    assert [value.split("mem-path=")[1] for value in values(command, "-object")] == [
        "/proc/self/fd/8",
        "/proc/self/fd/9",
    ]
    wiring = Wiring.live(5, 6, 7, people, memory=[], windows=[10, 11, 12], kernel=kernel, initrd="")
    files = [value for value in values(qemu_command(plan, host, wiring, "tcg"), "-object") if "file" in value]
    assert [value.split("mem-path=")[1] for value in files] == [f"/proc/self/fd/{fd}" for fd in (10, 11, 12)]


def test_shared_memory_is_shared_and_the_hosts_own_is_not() -> None:
    plan = plan_of("duo")
    for partition in plan.partitions:
        for backend in values(by_hand(plan, partition), "-object"):
            # Without share=on QEMU maps the file privately and says nothing.
            assert ("share=on" in backend) == ("mem-path=" in backend)
            assert ("mem-path=" in backend) == (not partition.is_host or "window" in backend)


def test_irregular_cpus_are_plugged_one_by_one() -> None:
    plan = plan_with("0-1,4")
    command = by_hand(plan, plan.partitions[0])
    assert values(command, "-smp") == ["cpus=1,sockets=2,dies=1,cores=1,threads=2,maxcpus=4"]
    assert [value for value in values(command, "-device") if "x86_64-cpu" in value] == [
        "max-x86_64-cpu,socket-id=0,die-id=0,core-id=0,thread-id=1",
        "max-x86_64-cpu,socket-id=1,die-id=0,core-id=0,thread-id=0",
    ]
    assert [value for value in values(command, "-numa") if value.startswith("cpu")] == [
        "cpu,node-id=0,socket-id=0,core-id=0,thread-id=0",
        "cpu,node-id=0,socket-id=0,core-id=0,thread-id=1",
        "cpu,node-id=1,socket-id=1,core-id=0,thread-id=0",
        "cpu,node-id=1,socket-id=1,core-id=0,thread-id=1",
    ]


def test_one_cpu_is_started_with_room_for_two() -> None:
    plan = plan_with("2")
    assert values(by_hand(plan, plan.partitions[0]), "-smp") == [
        "cpus=1,sockets=2,dies=1,cores=1,threads=1,maxcpus=2"
    ]


def test_custom_kernel_has_its_command_line_and_the_ordinary_firmware() -> None:
    plan = plan_with(kernel={"path": "my-kernel", "cmdline": "a=1 b"})
    it = plan.partitions[0]
    assert it.kernel_path == str(Path("my-kernel").absolute())
    command = by_hand(plan, it)
    assert values(command, "-append") == ["a=1 b"]
    assert "-bios" not in command
    assert "-netdev" not in command


@pytest.mark.parametrize(("cmdline", "ends"), [("selftest=all", True), ("loglevel=debug", False)])
def test_only_a_self_test_may_end_qemu(cmdline: str, ends: bool) -> None:
    plan = plan_with(cmdline=cmdline)
    devices = values(by_hand(plan, plan.partitions[0]), "-device")
    assert any(device.startswith("isa-debug-exit") for device in devices) == ends


def test_what_a_person_adds_to_linux_comes_last() -> None:
    plan = plan_with(kernel="linux", cmdline="loglevel=7")
    assert values(by_hand(plan, plan.partitions[0]), "-append")[0].endswith(" loglevel=7")


@pytest.mark.parametrize(("kernel", "lpj"), [("linux", 10000000), ("source", 25000000)])
def test_loops_per_tick_follow_the_kernels_tick(kernel: str, lpj: int) -> None:
    plan = plan_with(kernel=kernel)
    words = values(by_hand(plan, plan.partitions[0]), "-append")[0].split()
    assert [word for word in words if word.startswith("lpj=")] == [f"lpj={lpj}"]


def test_comma_in_a_path_is_no_separator() -> None:
    plan = plan_of("duo")
    wiring = Wiring.by_hand(plan, plan.partitions[1], Path("/run/a,b"), Path("/k,1"), "")
    command = qemu_command(plan, plan.partitions[1], wiring, "tcg")
    assert all("/run/a,,b/" in value for value in values(command, "-chardev"))
    assert all("/run/a,,b/" in value for value in values(command, "-object"))
    assert values(command, "-kernel") == ["/k,1"]


def test_placed_memory_is_bound_in_every_qemu_that_maps_it() -> None:
    plan = plan_of("duo")
    bound, huge = MemoryPlace((1,)), MemoryPlace((0, 2), 2 << 20)
    placement = Placement(
        (
            PartitionPlacement((), (huge,)),
            PartitionPlacement((), (bound,)),
            PartitionPlacement((), (MemoryPlace(), MemoryPlace())),
        ),
        (),
    )
    host, lwk0, _ = plan.partitions
    objects = values(placed(plan, host, placement), "-object")
    assert objects[0] == (
        "memory-backend-memfd,share=off,hugetlb=on,hugetlbsize=2M,id=ram0,size=512M,"
        "host-nodes=0,host-nodes=2,policy=bind"
    )
    assert [text.partition("host-nodes")[2] for text in objects[1:]] == ["=1,policy=bind", "", ""]
    assert values(placed(plan, lwk0, placement), "-object")[0].endswith(",host-nodes=1,policy=bind")


def placed(plan: Plan, partition: PartitionPlan, placement: Placement) -> list[str]:
    wiring = Wiring.by_hand(plan, partition, Path("/run"), Path("/kernel"), "")
    return qemu_command(plan, partition, wiring, "tcg", placement=placement)


@pytest.mark.parametrize(("cores", "split"), [(127, False), (129, True)])
def test_messages_have_room_for_large_apic_ids_where_there_are_any(cores: int, split: bool) -> None:
    last = 2 * cores - 1
    spec = {
        "name": "many",
        "node": {"cpus": {"sockets": 2, "cores": cores}, "numa": [{"cpus": f"0-{last}", "memory": "1G"}]},
        "partitions": {"host": {"kernel": "linux", "cpus": f"0-{last}", "memory": {0: "512M"}}},
    }
    plan = resolve(Spec.model_validate(spec), Path("many.yaml"))
    (machine,) = values(by_hand(plan, plan.host, "kvm"), "-machine")
    assert ("kernel-irqchip=split" in machine.split(",")) == split


@pytest.mark.parametrize("kernel", ["linux", "source"])
def test_linux_has_the_firmware_that_sets_mtrrs_where_there_are_caches(kernel: str) -> None:
    plan = plan_with(kernel=kernel)
    assert values(by_hand(plan, plan.partitions[0], "tcg"), "-bios") == ["qboot.rom"]
    assert values(by_hand(plan, plan.partitions[0], "kvm"), "-bios") == []


@pytest.mark.parametrize("accelerator", ["tcg", "kvm"])
def test_kernel_of_ones_own_has_the_firmware_that_does_most(accelerator: str) -> None:
    plan = plan_with(kernel={"path": "own.elf"})
    assert values(by_hand(plan, plan.partitions[0], accelerator), "-bios") == []


def test_windows_have_room_above_4_gib_however_large_they_are() -> None:
    def room(lwk_memory: str) -> list[str]:
        plan = plan_with(memory=lwk_memory, of_node="64G")
        command = by_hand(plan, plan.partitions[1], "tcg")
        return [value for value in values(command, "-global") if "hole64" in value]

    assert room("16G") == []
    assert room("32G") == ["q35-pcihost.pci-hole64-size=64G"]


@pytest.mark.parametrize(("cpus", "timers"), [(1, 4), (30, 32), (31, None)])
def test_each_cpu_of_our_linux_has_a_timer_of_the_hpet_under_tcg_or_all_use_their_own(
    cpus: int, timers: int | None
) -> None:
    spec = {
        "name": "some",
        "node": {
            "cpus": {"sockets": 1, "cores": 31},
            "numa": [{"cpus": "0-30", "memory": "1G"}],
        },
        "partitions": {"host": {"kernel": "source", "cpus": f"0-{cpus - 1}", "memory": {0: "512M"}}},
    }
    plan = resolve(Spec.model_validate(spec), Path("some.yaml"))
    command = by_hand(plan, plan.partitions[0], "tcg")
    wanted = [] if timers is None else ["hpet.msi=on", f"hpet.timers={timers}"]
    assert [value for value in values(command, "-global") if "hpet" in value] == wanted
    assert ("noapictimer" in values(command, "-append")[0].split()) is bool(wanted)


@pytest.mark.parametrize(("kernel", "accelerator"), [("linux", "tcg"), ("source", "kvm"), ("linux", "kvm")])
def test_any_other_linux_uses_the_timers_of_its_cpus(kernel: str, accelerator: str) -> None:
    plan = plan_with(kernel=kernel)
    command = by_hand(plan, plan.partitions[0], accelerator)
    assert "noapictimer" not in values(command, "-append")[0].split()
    assert [value for value in values(command, "-global") if "hpet" in value] == []
