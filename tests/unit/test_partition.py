# SPDX-License-Identifier: Apache-2.0
"""Each fact that can be observed, and the state and reason that it makes."""

from typing import Any

import pytest

from orchestrator.ikc import Status
from orchestrator.kinds import KernelKind
from orchestrator.partition import Fault, Partition, Reset, State


def status(state: str, incarnation: int = 1, panic_text: str = "") -> Status:
    return Status(state, incarnation, 0, "DONE", 0, 1, 0, 0, 0, False, 0, panic_text, None)


def shutdown(reason: str) -> dict[str, Any]:
    return {"event": "SHUTDOWN", "data": {"guest": True, "reason": reason}}


@pytest.fixture
def booting() -> Partition:
    partition = Partition("lwk0", 1, KernelKind.LWK)
    partition.begin(1, now=100.0)
    return partition


@pytest.fixture
def ready(booting: Partition) -> Partition:
    booting.say(status("READY"), now=100.5)
    return booting


def test_ready_is_what_the_status_page_says(booting: Partition) -> None:
    booting.say(status("BOOTING"), now=100.1)
    assert booting.state is State.BOOTING
    booting.say(status("READY"), now=100.5)
    assert (booting.state, booting.ready_s, booting.speaks_ikc) == (State.READY, 0.5, True)


def test_a_page_of_an_earlier_life_says_nothing(ready: Partition) -> None:
    ready.begin(2, now=200.0)
    for state in ("READY", "PANICKED", "RESTARTING"):
        ready.say(status(state, incarnation=1, panic_text="old"), now=200.1)
        assert ready.state is State.BOOTING
    ready.say(status("READY", incarnation=2), now=201.0)
    assert (ready.state, ready.ready_s) == (State.READY, 1.0)


def test_panic_text_gives_the_reason(ready: Partition) -> None:
    ready.say(status("PANICKED", panic_text="panic: out of frames\nrip 0x1\n"), now=101)
    assert (ready.state, ready.reason) == (State.PANICKED, "guest panicked: out of frames")
    assert not ready.alive
    # pvpanic comes too, and knows less.
    ready.hear({"event": "GUEST_PANICKED"}, "some line")
    assert ready.reason == "guest panicked: out of frames"


def test_pvpanic_alone_is_told_with_the_console(booting: Partition) -> None:
    booting.hear({"event": "GUEST_PANICKED"}, "Kernel panic - not syncing: no init")
    assert booting.reason == "guest panicked: Kernel panic - not syncing: no init"


def test_panic_without_a_word(booting: Partition) -> None:
    booting.hear({"event": "GUEST_PANICKED"}, "")
    assert booting.reason == "guest panicked: it did not say why"


def test_power_off(ready: Partition) -> None:
    assert ready.hear(shutdown("guest-shutdown"), "") is Reset.NO
    assert (ready.state, ready.reason) == (State.EXITED, "powered off")


def test_reset_as_announced_is_granted(ready: Partition) -> None:
    ready.say(status("RESTARTING"), now=101)
    assert ready.hear(shutdown("guest-reset"), "") is Reset.NEW_LIFE
    assert ready.alive


def test_reset_unannounced_is_the_end(ready: Partition) -> None:
    assert ready.hear(shutdown("guest-reset"), "trap 8") is Reset.NO
    assert ready.state is State.EXITED
    assert ready.reason == "triple fault or reset nobody asked for; last console line: trap 8"


@pytest.fixture
def restarted(ready: Partition) -> Partition:
    """In its second life, which began by a reset and runs."""
    ready.say(status("RESTARTING"), now=101)
    ready.hear(shutdown("guest-reset"), "")
    ready.begin(2, now=102, by_reset=True)
    ready.hear({"event": "RESUME"}, "")
    return ready


def test_announcement_is_good_for_one_life(restarted: Partition) -> None:
    restarted.say(status("BOOTING", incarnation=2), now=102.1)
    assert restarted.hear(shutdown("guest-reset"), "") is Reset.NO
    assert restarted.state is State.EXITED


def test_firmware_may_reset_once_more_before_the_kernel_speaks(restarted: Partition) -> None:
    assert restarted.hear(shutdown("guest-reset"), "") is Reset.SAME_LIFE
    assert restarted.alive
    restarted.hear({"event": "RESUME"}, "")
    assert restarted.hear(shutdown("guest-reset"), "") is Reset.NO
    assert restarted.state is State.EXITED


def test_firmware_of_a_new_qemu_may_not(booting: Partition) -> None:
    assert booting.hear(shutdown("guest-reset"), "") is Reset.NO
    assert booting.state is State.EXITED


def test_a_reset_tried_twice_counts_once(ready: Partition) -> None:
    ready.say(status("RESTARTING"), now=101)
    assert ready.hear(shutdown("guest-reset"), "") is Reset.NEW_LIFE
    ready.begin(2, now=102, by_reset=True)
    ready.hear({"event": "STOP"}, "")
    assert ready.hear(shutdown("guest-reset"), "") is Reset.NO
    assert ready.state is State.BOOTING


def test_late_and_then_ready_after_all(booting: Partition) -> None:
    booting.late(30, "waiting for CPU 3")
    reason = "did not become READY within 30 s; last console line: waiting for CPU 3"
    assert (booting.state, booting.reason) == (State.HUNG, reason)
    booting.answer()
    assert booting.state is State.HUNG
    booting.say(status("READY"), now=140)
    assert (booting.state, booting.reason) == (State.READY, "")


def test_silence_and_an_answer(ready: Partition) -> None:
    ready.silent(5)
    assert (ready.state, ready.reason) == (State.HUNG, "did not answer a probe within 5 s")
    ready.say(status("READY"), now=110)
    assert ready.state is State.HUNG
    ready.answer()
    assert (ready.state, ready.reason) == (State.READY, "")


def test_silence_of_a_paused_machine_is_explained(ready: Partition) -> None:
    ready.hear({"event": "STOP"}, "")
    ready.silent(5)
    assert ready.reason == "did not answer a probe within 5 s; it is paused (QMP stop)"


def test_stopped_by_hand_is_held_until_it_is_resumed(ready: Partition) -> None:
    ready.hear({"event": "STOP"}, "")
    assert ready.held
    ready.hear({"event": "RESUME"}, "")
    assert not ready.held


@pytest.mark.parametrize("cause", ["guest-reset", "guest-shutdown", "guest-panic"])
def test_stopped_by_its_own_end_is_not_held(ready: Partition, cause: str) -> None:
    ready.hear(shutdown(cause), "")
    ready.hear({"event": "STOP"}, "")
    assert not ready.held


def test_quit_by_hand_is_named(ready: Partition) -> None:
    assert ready.hear(shutdown("host-qmp-quit"), "") is Reset.NO
    ready.end("QEMU ended")
    assert (ready.state, ready.reason) == (State.EXITED, "QEMU was told to quit (QMP quit)")


def test_reset_by_hand_begins_a_life(ready: Partition) -> None:
    assert ready.hear(shutdown("host-qmp-system-reset"), "") is Reset.NEW_LIFE
    ready.begin(2, now=102, by_reset=True)
    ready.hear({"event": "STOP"}, "")
    assert not ready.held
    ready.panic("oops")
    assert ready.hear(shutdown("host-qmp-system-reset"), "") is Reset.NEW_LIFE


def test_reset_by_hand_does_not_raise_the_dead(ready: Partition) -> None:
    ready.end("ended for a restart")
    assert ready.hear(shutdown("host-qmp-system-reset"), "") is Reset.NO


def test_reasons_of_other_events_are_no_reasons_to_end(ready: Partition) -> None:
    for name in ("RESET", "BLOCK_IO_ERROR"):
        assert ready.hear({"event": name, "data": {"guest": True, "reason": "guest-reset"}}, "") is Reset.NO
    assert ready.state is State.READY


def test_a_hold_is_over_with_the_life_that_was_held(ready: Partition) -> None:
    ready.hold()
    assert (ready.held, ready.holds) == (True, 1)
    ready.begin(2, now=200)
    assert (ready.held, ready.holds) == (False, 1)


def test_first_reason_of_an_end_stays(ready: Partition) -> None:
    ready.hear(shutdown("guest-shutdown"), "")
    ready.end("QEMU ended")
    assert ready.reason == "powered off"


def test_killed_after_a_panic(ready: Partition) -> None:
    ready.panic("oops")
    ready.end("QEMU was killed by signal 9 (SIGKILL)")
    assert ready.state is State.EXITED
    assert ready.reason == "guest panicked: oops; then QEMU was killed by signal 9 (SIGKILL)"


def test_the_dead_say_nothing(ready: Partition) -> None:
    ready.end("QEMU ended")
    ready.say(status("READY"), now=103)
    ready.panic("late news")
    ready.silent(5)
    ready.late(5, "")
    assert (ready.state, ready.reason) == (State.EXITED, "QEMU ended")


def test_nonsense_on_the_page_changes_nothing(ready: Partition) -> None:
    ready.say(status("UNKNOWN(77)"), now=101)
    assert ready.state is State.READY


# ---- faults ----


def test_each_fault_is_told_from_what_was_asked_for(ready: Partition) -> None:
    assert ready.fault is None
    ready.silent(5)
    assert ready.fault is Fault.HANG
    ready.answer()
    assert ready.fault is None
    ready.hear(shutdown("guest-reset"), "")
    assert (ready.state, ready.fault) == (State.EXITED, Fault.RESET)
    ready.begin(2, now=200.0)
    assert ready.fault is None
    ready.late(30, "")
    assert ready.fault is Fault.HANG
    ready.end("QEMU was killed by signal 9 (SIGKILL)", Fault.EXIT)
    assert ready.fault is Fault.EXIT
    ready.begin(3, now=300.0)
    ready.end("ended for a restart")
    assert ready.fault is None


def test_the_end_of_a_panicked_machine_is_no_second_fault(ready: Partition) -> None:
    ready.panic("no init")
    assert ready.fault is Fault.PANIC
    ready.end("QEMU ended", Fault.EXIT)
    assert ready.state is State.EXITED
    assert not ready.fault


def test_kernel_that_a_person_has_stopped_has_not_hung(ready: Partition) -> None:
    ready.hear({"event": "STOP"}, "")
    ready.silent(5)
    assert (ready.state, ready.fault) == (State.HUNG, None)
