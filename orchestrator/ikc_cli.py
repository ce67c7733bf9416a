# SPDX-License-Identifier: Apache-2.0
"""The verbs `enclave ikc ...`: a look at what kernels say to each other."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from orchestrator import cli_options
from orchestrator.selection import connect, find_partition

_enclave, _json, _partition = cli_options.enclave, cli_options.as_json, cli_options.partition


@click.group()
def ikc() -> None:
    """Look at what kernels say to each other."""


@ikc.command()
@_partition
@click.option("-f", "--follow", is_flag=True, help="Trace from now on, until Ctrl-C.")
@click.option("-c", "--count", type=click.IntRange(1), metavar="N", help="Trace from now on, N messages.")
@_enclave
@_json
def trace(partition: str, follow: bool, count: int | None, enclave: str | None, as_json: bool) -> None:
    """Print the messages that a partition sends and takes, as they pass.

    Without --follow and --count, those of the last time that it was traced, as far as they are left; a dead
    partition still has them.
    """
    from orchestrator.ikc_decode import Decoder
    from orchestrator.ikc_layout import ensure_layout
    from orchestrator.ikc_trace import Record
    from orchestrator.lwk import BUILD

    client = connect(enclave)
    status = client.status()
    find_partition(status, partition)
    decoder = Decoder(ensure_layout(BUILD), [each["name"] for each in status["partitions"]])
    # Whoever reads our output may have enough of it, as `head` does.
    with suppress(BrokenPipeError):
        for item in _first(client.trace(partition, follow or count is not None), count):
            record = None if "lost" in item else Record.from_json(item)
            if as_json:
                click.echo(json.dumps(decoder.decode(record) if record else item))
            elif record:
                click.echo(decoder.line(record))
            else:
                click.echo(f"... {item['lost']} messages were overwritten before they could be read")
            sys.stdout.flush()


def _first(items: Iterator[dict[str, Any]], count: int | None) -> Iterator[dict[str, Any]]:
    """Up to that many messages, with what was lost between them."""
    seen = 0
    for item in items:
        yield item
        seen += "lost" not in item
        if seen == count:
            return
