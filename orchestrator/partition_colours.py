# SPDX-License-Identifier: Apache-2.0
"""A colour for each partition, the same wherever their lines stand between each other.

None is red: that is for faults.
"""

from collections.abc import Mapping, Sequence

import click

COLOURS = (
    "cyan",
    "yellow",
    "magenta",
    "green",
    "bright_blue",
    "bright_cyan",
    "bright_yellow",
    "bright_magenta",
)


def names_in_colour(partitions: Sequence[str], colour: bool = True) -> Mapping[str, str]:
    """Each name as it is to be shown, all of one width."""
    width = max(map(len, partitions), default=0)
    return {
        name: click.style(f"{name:{width}}", fg=COLOURS[at % len(COLOURS)]) if colour else f"{name:{width}}"
        for at, name in enumerate(partitions)
    }
