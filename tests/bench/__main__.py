# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measures, prints a table, and writes every sample as JSON.

Figures are medians of several runs, each beside a baseline measured in turn with it. On shared cores the
ratio is what counts; the load is printed with it. Nothing here is a verdict of the test suite.
"""

import json
import os
import platform
from pathlib import Path
from typing import Any

import click

from orchestrator.table import columns
from tests.bench import boot, ikc, offload, plot, tools
from tests.bench.figure import HEADER, Figure, row

PARTS = {"boot": boot.figures, "ikc": ikc.figures, "offload": offload.figures, "tools": tools.figures}


def machine() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "load_before": os.getloadavg()[0],
    }


def write_matrix(folder: Path, repeats: int) -> None:
    cells = ikc.matrix(repeats)
    (folder / "ikc.csv").write_text(ikc.to_csv(cells))
    (folder / "ikc.json").write_text(json.dumps([cell._asdict() for cell in cells], indent=1))
    plot.plot(cells, folder / "ikc.png")
    click.echo(f"messages over pairs, sizes and CPUs: {folder / 'ikc.csv'}, ikc.json and ikc.png")


@click.command()
@click.option("--runs", default=8, show_default=True, help="Samples of each figure.")
@click.option("--part", type=click.Choice([*PARTS]), multiple=True, help="Only this; all if not given.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bench"),
    show_default=True,
    help="Where to write the samples.",
)
def main(runs: int, part: tuple[str, ...], out: Path) -> None:
    """Measure booting, messages between kernels, programs on an LWK, and the tools that people wait for."""
    found: list[Figure] = []
    about = machine()
    for name in part or tuple(PARTS):
        found += PARTS[name](runs)
    about["load_after"] = os.getloadavg()[0]
    click.echo(columns(HEADER, [row(figure) for figure in found]))
    click.echo(
        f"\n{about['processors']} processors; load {about['load_before']:.1f} before, "
        f"{about['load_after']:.1f} after"
    )
    out.mkdir(parents=True, exist_ok=True)
    samples = {"machine": about, "figures": [figure.to_json() for figure in found]}
    (out / "bench.json").write_text(json.dumps(samples, indent=1))
    click.echo(f"samples: {out / 'bench.json'}")
    if not part or "ikc" in part:
        write_matrix(out, repeats=max(1, runs // 4))


if __name__ == "__main__":
    main()
