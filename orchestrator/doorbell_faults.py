# SPDX-License-Identifier: Apache-2.0
"""What befalls a doorbell on its way: rules, and the fate that they give to each. Pure.

The fate of the n-th doorbell of a source, target and vector under a rule depends on these four and the
rule's seed alone: not on the time, nor on what else is rung. So the same seed gives the same faults.
"""

import struct
from hashlib import blake2b
from typing import NamedTuple

_WORDS = struct.Struct("<3Q")
_WORD_MAX = 1 << 64
DONE = ("dropped", "delayed", "duplicated")


class Doorbell(NamedTuple):
    """Peer ids, and a vector of the target's."""

    source: int
    target: int
    vector: int


class Rule(NamedTuple):
    """`source`, `target` and `vector` say which doorbells (None: any). Of these a part is lost (`drop`, a
    probability), a part rings once more a little later (`duplicate`), and each that is not lost is late by
    up to `delay_s`."""

    source: int | None = None
    target: int | None = None
    vector: int | None = None
    drop: float = 0.0
    delay_s: float = 0.0
    duplicate: float = 0.0
    seed: int = 0


class Fate(NamedTuple):
    dropped: bool
    delay_s: float
    duplicated: bool

    @property
    def harmless(self) -> bool:
        return self == HARMLESS

    @property
    def words(self) -> list[str]:
        """What it is, in words of DONE."""
        did = (self.dropped, self.delay_s > 0, self.duplicated)
        return [word for word, true in zip(DONE, did, strict=True) if true]

    def and_then(self, other: "Fate") -> "Fate":
        """Of a doorbell that two rules meet."""
        return Fate(
            self.dropped or other.dropped,
            self.delay_s + other.delay_s,
            self.duplicated or other.duplicated,
        )


HARMLESS = Fate(False, 0.0, False)


def applies(rule: Rule, doorbell: Doorbell, monitor: int) -> bool:
    """Whether a rule means a doorbell. Those from and to the monitor only if the rule names it: without them
    a partition is taken for hung, or nobody looks at what it says."""
    if monitor in (doorbell.source, doorbell.target) and monitor not in (rule.source, rule.target):
        return False
    return all(
        wanted is None or wanted == found
        for wanted, found in zip((rule.source, rule.target, rule.vector), doorbell, strict=True)
    )


def fate(rule: Rule, doorbell: Doorbell, number: int) -> Fate:
    """That of the doorbell of this number, counted from 0 since there is the rule."""
    drop, duplicate, delay = _draws(rule.seed, doorbell, number)
    if drop < rule.drop:
        return Fate(True, 0.0, False)
    return Fate(False, delay * rule.delay_s, duplicate < rule.duplicate)


def _draws(seed: int, doorbell: Doorbell, number: int) -> list[float]:
    """Three numbers of [0, 1), each as good as independent of all others."""
    text = struct.pack("<QHHHQ", seed % _WORD_MAX, *doorbell, number % _WORD_MAX)
    return [word / _WORD_MAX for word in _WORDS.unpack(blake2b(text, digest_size=_WORDS.size).digest())]


def parse_part(text: str) -> float:
    """A probability: 0.25, or 1/4. Raises ValueError."""
    above, slash, below = text.partition("/")
    try:
        part = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is no probability") from None
    if not 0 <= part <= 1:
        raise ValueError(f"{text!r} is no probability")
    return part
