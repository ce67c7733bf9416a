# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping

from orchestrator.backtrace import FRAMES_MAX, STACK_BYTES, follow_frames, guess_callers, stack_of
from orchestrator.guest_memory import Unmapped
from tests.unit.guest import cpu


class Memory:
    def __init__(self, words: Mapping[int, int]) -> None:
        self.words = words

    def read64(self, address: int) -> int:
        if address not in self.words:
            raise Unmapped(f"{address:#x} is not mapped")
        return self.words[address]


def addresses(words: Mapping[int, int], **registers: int) -> tuple[list[tuple[int, bool]], str]:
    chain = follow_frames(cpu(**registers), Memory(words).read64)
    return [(step.address, step.sure) for step in chain.steps], chain.end


def test_frames_are_followed_to_the_first() -> None:
    words = {0x100: 0x200, 0x108: 11, 0x200: 0, 0x208: 22}
    assert addresses(words, rip=1, rbp=0x100, rsp=0x100) == ([(1, True), (11, True), (22, True)], "")


def test_a_function_without_a_frame_does_not_hide_its_caller() -> None:
    words = {0xF0: 33, 0x100: 0, 0x108: 11}
    assert addresses(words, rip=1, rbp=0x100, rsp=0xF0)[0] == [(1, True), (33, False), (11, True)]


def test_a_chain_that_breaks_says_where() -> None:
    assert addresses({0x100: 0x300, 0x108: 11}, rip=1, rbp=0x100, rsp=0x100) == (
        [(1, True), (11, True)],
        "0x300 is not mapped",
    )
    assert addresses({}, rip=1, rbp=0x101, rsp=0x101) == ([(1, True)], "0x101 is no frame pointer")


def test_a_chain_that_bites_its_tail_ends() -> None:
    steps, end = addresses({0x100: 0x100, 0x108: 11}, rip=1, rbp=0x100, rsp=0x100)
    assert (len(steps), end) == (FRAMES_MAX, f"more than {FRAMES_MAX} frames")


def test_guesses_are_what_is_code_and_are_not_sure() -> None:
    stack = b"".join(word.to_bytes(8, "little") for word in (5, 0xC0DE, 6, 0xC0DF)) + b"end"
    chain = guess_callers(cpu(rip=1), stack, lambda address: address >= 0xC000)
    assert [(step.address, step.sure) for step in chain.steps] == [
        (1, True),
        (0xC0DE, False),
        (0xC0DF, False),
    ]


def test_the_stack_of_a_thread_ends_where_the_next_begins() -> None:
    assert stack_of(cpu(rsp=STACK_BYTES * 5 + 0x123)) == (STACK_BYTES * 5 + 0x120, STACK_BYTES - 0x120)
