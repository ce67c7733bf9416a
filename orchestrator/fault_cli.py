# SPDX-License-Identifier: Apache-2.0
"""The verbs `enclave fault ...`: make a partition fail, or what is between partitions."""

import json
from collections.abc import Callable
from typing import Any

import click

from orchestrator import cli_options, habits, table
from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.scribble_groups import GROUPS
from orchestrator.selection import connect, find_partition

_enclave, _json, _partition = cli_options.enclave, cli_options.as_json, cli_options.partition
_seconds = click.option(
    "--seconds", type=click.FloatRange(0, 3600), default=1.0, show_default=True, help="How long."
)


def _rate(default: float) -> Callable[..., Any]:
    return click.option(
        "--rate", type=click.FloatRange(1, 1e6), default=default, show_default=True, help="How many a second."
    )


def _partition_option(*names: str, **more: Any) -> Callable[..., Any]:
    return click.option(*names, metavar="P", shell_complete=cli_options.complete_partition, **more)


def _seed() -> Callable[..., Any]:
    return click.option(
        "--seed",
        type=click.IntRange(0, (1 << 64) - 1),
        default=0,
        show_default=True,
        help="The same, the same.",
    )


class _Part(click.ParamType[float]):
    name = "R"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        from orchestrator.doorbell_faults import parse_part

        try:
            return parse_part(str(value))
        except ValueError as error:
            self.fail(f"{error}: write 0.25, or 1/4", param, ctx)


@click.group()
def fault() -> None:
    """Make a partition fail, or disturb what is between partitions. All of it is in the run's events.log."""


def _of(enclave: str | None, *partitions: str | None) -> Client:
    """The enclave, if it has these partitions."""
    client = connect(enclave)
    status = client.status()
    for partition in partitions:
        if partition not in (None, "monitor"):
            find_partition(status, str(partition))
    return client


# ---- a partition ----


@fault.command()
@_partition
@_enclave
def panic(partition: str, enclave: str | None) -> None:
    """Have its kernel panic."""
    _of(enclave, partition).command(partition, "panic")


@fault.command()
@_partition
@_enclave
def hang(partition: str, enclave: str | None) -> None:
    """Have its kernel spin for ever with interrupts off."""
    _of(enclave, partition).command(partition, "hang")


@fault.command(name="triple-fault")
@_partition
@_enclave
def triple_fault(partition: str, enclave: str | None) -> None:
    """Have its kernel meet an exception that it cannot take, which resets its machine."""
    _of(enclave, partition).command(partition, "triple-fault")


@fault.command()
@_partition
@_enclave
def kill(partition: str, enclave: str | None) -> None:
    """SIGKILL its QEMU."""
    _of(enclave, partition).kill(partition)


@fault.command()
@_partition
@_enclave
def pause(partition: str, enclave: str | None) -> None:
    """Stop its CPUs until `continue`. It is not taken for hung."""
    _of(enclave, partition).pause(partition)


@fault.command(name="continue")
@_partition
@_enclave
def continue_(partition: str, enclave: str | None) -> None:
    """Let a paused partition run on."""
    _of(enclave, partition).resume(partition)


# ---- doorbells ----


@fault.command()
@_partition_option("--from", "source", help="Only those that this partition rings.")
@_partition_option("--to", "target", help="Only those that ring this partition.")
@click.option("--vector", type=click.IntRange(0), metavar="V", help="Only those of this vector.")
@click.option("--drop", type=_Part(), default=0.0, help="This part of them is lost: 0.25, or 1/4.")
@click.option(
    "--delay", type=click.FloatRange(0, 60_000), default=0.0, metavar="MS", help="Late by up to MS."
)
@click.option("--duplicate", type=_Part(), default=0.0, help="This part of them rings twice.")
@_seed()
@click.option("--list", "listed", is_flag=True, help="Show the rules, and what each has done.")
@click.option("--clear", is_flag=True, help="Take all rules away.")
@_enclave
@_json
def doorbells(
    source: str | None,
    target: str | None,
    vector: int | None,
    drop: float,
    delay: float,
    duplicate: float,
    seed: int,
    listed: bool,
    clear: bool,
    enclave: str | None,
    as_json: bool,
) -> None:
    """Add a rule: doorbells are lost, late or doubled. The monitor's are spared unless P is `monitor`.

    The enclave must have been started with --interpose. The same seed gives the same faults.
    """
    client = _of(enclave, source, target)
    if clear:
        _show_rules(client.clear_doorbell_rules(), as_json)
    elif listed:
        _show_rules(client.doorbell_rules(), as_json)
    elif not (drop or delay or duplicate):
        raise UsageError("this rule would do nothing", "give it --drop R, --delay MS or --duplicate R")
    else:
        faults = {"drop": drop, "delay_s": delay / 1000, "duplicate": duplicate}
        _show_rules([client.add_doorbell_rule(source, target, vector, **faults, seed=seed)], as_json)


def _show_rules(rules: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rules, indent=2))
    elif rules:
        click.echo(table.doorbell_rules(rules))
    else:
        click.echo("no rules")


@fault.command()
@_partition_option("--from", "source", required=True, help="The partition that seems to ring.")
@_partition_option("--to", "target", required=True, help="The partition that is rung.")
@click.option("--vector", type=click.IntRange(0), metavar="V", required=True)
@_rate(1000)
@_seconds
@_enclave
@_json
def storm(
    source: str, target: str, vector: int, rate: float, seconds: float, enclave: str | None, as_json: bool
) -> None:
    """Ring a doorbell over and over."""
    count = _of(enclave, source, target).storm(source, target, vector, rate, seconds)
    _tell_count(count, f"rang {target} {count} times", as_json)


def _tell_count(count: int, text: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"count": count}))
    else:
        habits.say(text)


# ---- the region ----


@fault.command()
@_partition
@click.option("--group", type=click.Choice(GROUPS), required=True, help="Which fields.")
@_partition_option("--peer", help="Only what it writes for this partition.")
@_rate(10_000)
@_seconds
@_seed()
@_enclave
@_json
def scribble(
    partition: str,
    group: str,
    peer: str | None,
    rate: float,
    seconds: float,
    seed: int,
    enclave: str | None,
    as_json: bool,
) -> None:
    """Write random words over what a partition may write in shared memory."""
    count = _of(enclave, partition, peer).scribble(partition, group, seed, rate, seconds, peer)
    _tell_count(count, f"wrote {count} words over {group} of {partition}", as_json)
