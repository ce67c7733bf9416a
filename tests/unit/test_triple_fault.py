# SPDX-License-Identifier: Apache-2.0
"""Each way in which the double fault's handler cannot be reached, and that none is seen where it can."""

import struct
from collections.abc import Iterator

import pytest

from orchestrator.registers import Table
from orchestrator.triple_fault import no_way_to_handler
from tests.unit.guest import Ram, cpu, ram

IDT, TSS, HANDLER, STACK = (
    0xFFFF_8000_0000_0000,
    0xFFFF_8000_0000_1000,
    0xFFFF_8000_0000_2000,
    0xFFFF_8000_0000_3000,
)
GATE_8 = 8 * 16


def gate(handler: int, kind: int = 0x8E, ist: int = 1) -> bytes:
    return struct.pack("<HHBBHII", handler & 0xFFFF, 8, ist, kind, handler >> 16 & 0xFFFF, handler >> 32, 0)


class Scene:
    """A CPU that can take a double fault, on IST1."""

    def __init__(self, guest: Ram) -> None:
        self.guest = guest
        self.limit = 0xFFF
        for number, address in enumerate((IDT, TSS, HANDLER, STACK)):
            guest.map(address, 0x8_0000 + number * 0x1000)
        guest.write(0x8_0000 + GATE_8, gate(HANDLER))
        guest.words(0x8_1024, STACK + 0x1000)

    def why(self, **words: int) -> str:
        made = cpu(rsp=STACK + 0x800, **words)._replace(idt=Table(IDT, self.limit), tss=Table(TSS, 0x67))
        return no_way_to_handler(made, self.guest.space(**words).read)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ram() as guest:
        yield Scene(guest)


def test_a_cpu_that_can_take_it(scene: Scene) -> None:
    assert scene.why() == ""
    scene.guest.write(0x8_0000 + GATE_8, gate(HANDLER, ist=0))
    assert scene.why() == ""


def test_table_too_short(scene: Scene) -> None:
    scene.limit = 0x8E
    assert "ends at byte 0x8e" in scene.why()
    scene.limit = 0x8F
    assert scene.why() == ""


def test_table_that_is_not_there(scene: Scene) -> None:
    scene.guest.map(IDT, 0x10_0000)  # behind the RAM
    assert scene.why() == f"its IDT at {IDT:#x} is not mapped"


@pytest.mark.parametrize("kind", [0x00, 0x0E, 0x89])
def test_gate_that_is_none(scene: Scene, kind: int) -> None:
    scene.guest.write(0x8_0000 + GATE_8, gate(HANDLER, kind))
    assert "the double fault's gate" in scene.why()


def test_handler_that_is_not_there(scene: Scene) -> None:
    scene.guest.write(0x8_0000 + GATE_8, gate(0xFFFF_8000_1234_5678))
    assert scene.why() == "the double fault's handler at 0xffff800012345678 is not mapped"


def test_stack_that_is_not_there(scene: Scene) -> None:
    scene.guest.words(0x8_1024, 0xFFFF_8000_4000_0000)
    assert scene.why() == "the double fault's stack IST1 below 0xffff800040000000 is not mapped"


def test_old_modes_say_nothing(scene: Scene) -> None:
    scene.limit = 0
    assert scene.why(efer=0) == ""


def test_without_memory_only_the_registers_are_looked_at() -> None:
    assert no_way_to_handler(cpu(), None) == ""
    assert "ends at byte 0x0" in no_way_to_handler(cpu()._replace(idt=Table(0, 0)), None)
