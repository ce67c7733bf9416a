# SPDX-License-Identifier: Apache-2.0
"""A measured figure beside its baseline. Pure: samples in, medians, ratios and a table out."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """`samples` and `baseline` were taken in turn in one run, the n-th of each right after each other.

    `limit` bounds the median of the pairs' ratios: a computer that runs faster for some minutes does so for
    both of a pair. Where there is nothing to compare with, `baseline` is empty and `limit` bounds the median.
    """

    name: str
    unit: str
    samples: Sequence[float]
    baseline_name: str = ""
    baseline: Sequence[float] = ()
    limit: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def baseline_median(self) -> float | None:
        return statistics.median(self.baseline) if self.baseline else None

    @property
    def ratio(self) -> float | None:
        pairs = zip(self.samples, self.baseline, strict=True)
        return statistics.median(sample / base for sample, base in pairs) if self.baseline else None

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        value = self.ratio if self.baseline else self.median
        return "within" if value is not None and value <= self.limit else "ABOVE"

    def to_json(self) -> dict[str, Any]:
        derived = {
            "median": self.median,
            "baseline_median": self.baseline_median,
            "ratio": self.ratio,
            "verdict": self.verdict,
        }
        return asdict(self) | derived


def in_turn(
    runs: int, sample: Callable[[], float], baseline: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Samples of both, as A B B A A B ...: neither always finds the computer as the other one left it."""
    samples: list[float] = []
    bases: list[float] = []
    for run in range(runs):
        order = [(samples, sample), (bases, baseline)]
        for taken, take in order if run % 2 == 0 else reversed(order):
            taken.append(take())
    return samples, bases


HEADER = ("figure", "median", "min..max", "baseline", "median", "ratio", "limit", "")


def row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        f"{figure.median:.3g} {figure.unit}",
        f"{min(figure.samples):.3g}..{max(figure.samples):.3g}",
        figure.baseline_name or "-",
        "-" if figure.baseline_median is None else f"{figure.baseline_median:.3g} {figure.unit}",
        "-" if figure.ratio is None else f"{figure.ratio:.2f}",
        "-" if figure.limit is None else f"{figure.limit:g}{'' if figure.baseline else ' ' + figure.unit}",
        figure.verdict,
    )
