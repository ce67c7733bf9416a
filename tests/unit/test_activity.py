# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.activity import activity
from orchestrator.process_times import process_use, thread_times
from tests.unit import looks

BEFORE = looks.sample(looks.enclave(1, 10.0, 100), ran_s=5.0, waited_s=1.0)


def test_rates_are_per_second_and_summed_over_links() -> None:
    after = looks.sample(looks.enclave(2, 12.0, 400))
    host = activity(looks.sample(looks.enclave(2, 10.0, 100)), after).partitions[0]
    assert host.rates["sent"] == 300
    assert [link.rates["doorbells"] for link in host.links] == [150, 150]
    assert (host.links[0].generation, host.links[0].peer_generation) == ("1.2", "1.1")
    assert (host.free_bytes, host.processes) == (1 << 20, 40)


def test_shares_are_of_one_processor() -> None:
    after = looks.sample(looks.enclave(1, 12.0, 100), ran_s=6.0, waited_s=1.5, runnable=True)
    lwk = activity(BEFORE, after).partitions[1]
    assert [(cpu.run, cpu.wait, cpu.halt) for cpu in lwk.cpus] == [(0.5, 0.25, 0.25)] * 2
    assert (lwk.run, lwk.wait) == (1.0, 0.5)
    assert lwk.overhead == pytest.approx(0.05)
    assert [cpu.state for cpu in lwk.cpus] == ["running"] * 2


def test_shares_stay_shares_when_clocks_disagree() -> None:
    lwk = activity(BEFORE, looks.sample(looks.enclave(1, 11.0, 100), ran_s=6.2, waited_s=9.0)).partitions[1]
    assert (lwk.cpus[0].run, lwk.cpus[0].wait, lwk.cpus[0].halt) == (1.0, 0.0, 0.0)


def test_of_a_qemu_that_is_new_nothing_is_made_up() -> None:
    again = looks.enclave(1, 12.0, 100)
    # Thread ids come round again; that of the process is another all the same.
    again["partitions"][1] |= {"pid": 999, "incarnation": 2}
    lwk = activity(BEFORE, looks.sample(again, ran_s=6.0)).partitions[1]
    assert (lwk.run, lwk.overhead, lwk.cpus[0].run) == (None, None, None)
    assert lwk.incarnation == 2
    assert lwk.rates["sent"] == 0


def test_dead_partition_has_no_share_and_no_memory() -> None:
    dead = looks.enclave(1, 12.0, 100)
    dead["partitions"][1] |= {"state": "EXITED", "pid": None}
    lwk = activity(BEFORE, looks.sample(dead)).partitions[1]
    assert (lwk.run, lwk.resident_bytes, lwk.cpus[0].state) == (None, None, "-")


def test_what_an_lwk_says_of_its_programs() -> None:
    host, lwk = activity(BEFORE, looks.sample(looks.enclave(1, 12.0, 400))).partitions
    assert (lwk.memory_bytes, lwk.free_bytes) == (240 << 20, 200 << 20)
    assert (lwk.processes, lwk.threads) == (1, 3)
    assert (lwk.offloads, lwk.offload_s) == (150, 0.002)
    assert (host.threads, host.offloads, host.offload_s) == (None, None, None)


def test_no_offload_takes_no_time() -> None:
    lwk = activity(BEFORE, looks.sample(looks.enclave(1, 12.0, 100))).partitions[1]
    assert (lwk.offloads, lwk.offload_s) == (0, None)


@pytest.mark.parametrize(
    "changes",
    [{"use": None}, {"incarnation": 2}, {"use": looks.use(99)}, {"use": looks.use(400) | {"offload_ns": 0}}],
)
def test_offloads_of_another_life_and_scribbled_ones_make_no_rate(changes: dict[str, Any]) -> None:
    new = looks.enclave(1, 12.0, 400)
    new["partitions"][1] |= changes
    lwk = activity(BEFORE, looks.sample(new)).partitions[1]
    assert (lwk.offloads, lwk.offload_s) == (None, None)


def test_counter_that_ran_backwards_has_no_rate() -> None:
    host = activity(BEFORE, looks.sample(looks.enclave(1, 12.0, 99))).partitions[0]
    assert host.links[0].rates["sent"] is None
    assert host.rates["sent"] is None


def test_paused_partition_is_neither_running_nor_halted() -> None:
    paused = looks.enclave(1, 12.0, 100)
    paused["partitions"][1]["paused"] = True
    assert activity(BEFORE, looks.sample(paused)).partitions[1].cpus[0].state == "paused"


def test_own_thread_is_found_in_proc() -> None:
    pid = os.getpid()
    before, used = thread_times(pid, pid), process_use(pid)
    sum(range(3_000_000))
    after = thread_times(pid, pid)
    assert before is not None
    assert after is not None
    assert used is not None
    assert before.ran_s < after.ran_s
    assert used.resident_bytes > 1 << 20
    assert after.runnable


def test_thread_that_is_gone_is_none(tmp_path: Path) -> None:
    assert thread_times(os.getpid(), 1 << 30) is None
    assert process_use(1, proc=tmp_path) is None


def test_name_of_a_process_may_have_spaces_and_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "7" / "task" / "8"
    folder.mkdir(parents=True)
    (folder / "schedstat").write_text("2000000000 500000000 3\n")
    fields = ["R", *(str(number) for number in range(4, 53))]
    (folder / "stat").write_text(f"8 (CPU 0/TCG) x) {' '.join(fields)}\n")
    assert thread_times(7, 8, tmp_path) == (2.0, 0.5, True, 39)
