# SPDX-License-Identifier: Apache-2.0
"""Writes nonsense over what a partition may write of the region, as a kernel gone astray would.

Places and kinds of values follow from the seed alone; a value that is made of what stands there already
(one more, another generation, a word from elsewhere) follows from that too.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from orchestrator.errors import UsageError
from orchestrator.ikc import Region
from orchestrator.scribble_groups import ALL, GROUPS, OF_HALF, OF_PARTITION

WIDTHS = {8: "u64", 4: "u32", 2: "u16", 1: "u8"}
SMALL = 16


class Span(NamedTuple):
    """Bytes of the region."""

    begin: int
    end: int


def spans(region: Region, partition: int, group: str, peers: Sequence[int]) -> list[Span]:
    """What the partition writes of a group: for everybody, and in its halves for `peers`."""
    of_partition = OF_PARTITION if group == ALL else {group: OF_PARTITION.get(group, ())}
    of_half = OF_HALF if group == ALL else {group: OF_HALF.get(group, ())}
    page = region.partition(partition)
    return [
        *(Span(*page.span(field)) for fields in of_partition.values() for field in fields),
        *(
            Span(*region.half(partition, peer).span(field))
            for peer in peers
            for fields in of_half.values()
            for field in fields
        ),
    ]


def check(group: str, with_peer: bool) -> None:
    """Raises UsageError if there is no such group, or none that has to do with a peer."""
    if group not in GROUPS:
        raise UsageError(f"there is no group {group!r}", f"there are: {', '.join(GROUPS)}")
    if with_peer and group in OF_PARTITION:
        raise UsageError(
            f"{group} is there once, not for each peer", f"those for a peer are: {', '.join(OF_HALF)}"
        )


class Scribbler:
    """Each call of `scribble` writes one word somewhere in `spans`, each of which gets as many as another."""

    def __init__(self, region: Region, spans: Sequence[Span], seed: int) -> None:
        self._region = region
        self._spans = spans
        self._random = Random(seed)
        self._values: tuple[Callable[[int, int], int], ...] = (
            self._any,
            self._small,
            self._near,
            self._other_generation,
            self._from_elsewhere,
            self._ones,
        )

    def scribble(self) -> None:
        width, at = self._place()
        value = self._random.choice(self._values)(width, at)
        self._region.store(WIDTHS[width], at, value % (1 << 8 * width))

    def _place(self) -> tuple[int, int]:
        """A word, at a multiple of its size as all are."""
        span = self._random.choice(self._spans)
        byte = self._random.randrange(span.begin, span.end)
        most = 1 << self._random.randrange(4)
        for width in (width for width in WIDTHS if width <= most):
            at = byte - byte % width
            if span.begin <= at and at + width <= span.end:
                return width, at
        raise AssertionError("a byte fits everywhere")

    def _load(self, width: int, at: int) -> int:
        return self._region.load(WIDTHS[width], at)

    # ---- values ----

    def _any(self, width: int, at: int) -> int:
        return self._random.getrandbits(8 * width)

    def _small(self, width: int, at: int) -> int:
        return self._random.randrange(SMALL)

    def _near(self, width: int, at: int) -> int:
        return self._load(width, at) + self._random.choice((-2, -1, 1, 2))

    def _other_generation(self, width: int, at: int) -> int:
        """Generations are the upper halves of words, and incarnations those of generations."""
        shift = self._random.choice((16, 32, 48)) % (8 * width)
        return self._load(width, at) + (self._random.choice((-1, 1)) << shift)

    def _from_elsewhere(self, width: int, at: int) -> int:
        span = self._random.choice(self._spans)
        other = self._random.randrange(span.begin, span.end)
        return self._load(width, other - other % width)

    def _ones(self, width: int, at: int) -> int:
        return -1
