# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measures, prints a table, and writes every sample as JSON.

Figures are medians of several runs, each beside a baseline measured in turn with it. On shared cores the
ratio is what counts; the load is printed with it. Nothing here is a verdict of the test suite.
"""

import json
import os
import platform
from pathlib import Path

import click

from orchestrator.table import columns
from tests.bench import boot
from tests.bench.figure import HEADER, row


@click.command()
@click.option("--runs", default=8, show_default=True, help="Samples of each figure.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Where to write the samples.")
def main(runs: int, json_path: Path | None) -> None:
    """Measure booting."""
    load_before = os.getloadavg()[0]
    figures = boot.figures(runs)
    machine = {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "load_before": load_before,
        "load_after": os.getloadavg()[0],
    }
    click.echo(columns(HEADER, [row(figure) for figure in figures]))
    click.echo(
        f"\n{os.cpu_count()} processors; load {load_before:.1f} before, {machine['load_after']:.1f} after"
    )
    if json_path:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(
            json.dumps({"machine": machine, "figures": [figure.to_json() for figure in figures]}, indent=1)
        )
        click.echo(f"samples: {json_path}")


if __name__ == "__main__":
    main()
