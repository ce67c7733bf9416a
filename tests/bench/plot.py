# SPDX-License-Identifier: Apache-2.0
"""The matrix of messages as a picture: time against size, a panel for each pair."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.bench.ikc import Cell


def plot(cells: Sequence[Cell], path: Path) -> None:
    """Writes medians over the repeats, with both scales logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels: dict[tuple[str, str], dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for cell in cells:
        line = cell.test if cell.variant == "-" else f"{cell.test} by {cell.variant}"
        panels[cell.cpu_a, cell.cpu_b][line][cell.size].append(cell.value)
    columns = 2
    rows = -(-len(panels) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(11, 3.2 * rows), sharex=True, sharey=True, squeeze=False
    )
    for axis, ((one, other), lines) in zip(axes.flat, sorted(panels.items()), strict=False):
        for line, sizes in sorted(lines.items()):
            points = [(size, statistics.median(values) / 1000) for size, values in sorted(sizes.items())]
            axis.plot(*zip(*points, strict=True), marker="o", label=line)
        axis.set(title=f"{one} and {other}", xscale="log", yscale="log", xlabel="bytes", ylabel="us each")
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
