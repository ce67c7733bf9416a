# SPDX-License-Identifier: Apache-2.0
"""What `enclave top` shows of an activity: three views, each a table that is made to fit. Pure.

Of a table that is too wide the least important columns are left out, in an order that each view states.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.activity import Activity, CpuActivity, LinkActivity, PartitionActivity
from orchestrator.table import DEBUGGED, STATE_COLOURS

VIEWS = ("partitions", "cpus", "links")
SORTS = ("plan", "cpu", "memory", "messages")
KEYS = "q quit  space pause  v view  s sort  arrows scroll"
CELL_GAP = 1
NAME_WIDTH = 12  # of a partition's name: a longer one is cut where room is short
REASONS_SHOWN = 3
STATE_STYLES = STATE_COLOURS | {"running": "green", "paused": "yellow", "RUN": "green", "DOWN": "red"}


Row = TypeVar("Row")


class Look(NamedTuple):
    """What a person has chosen to see. `first` is the row at the top; `note` is told in the title."""

    view: str = VIEWS[0]
    sort: str = SORTS[0]
    first: int = 0
    note: str = ""


class Column(NamedTuple, Generic[Row]):
    """`spare` is how well one can do without: when not all columns fit, the highest number goes first."""

    title: str
    cell: Callable[[Row], str]
    spare: int = 0
    left: bool = False


# ---- cells ----


def short(value: float | None, base: int = 1000) -> str:
    """In four characters: 999, 1.2k, 35M. `base` is 1024 for bytes."""
    if value is None:
        return "-"
    for unit in ("", "k" if base == 1000 else "K", "M", "G", "T"):
        if (value < 9.95 and unit) or 0 < value < 0.95:
            return f"{value:.1f}{unit}"
        if value < base - 0.5 or unit == "T":
            return f"{value:.0f}{unit}"
        value /= base
    raise AssertionError("the last unit takes all")


def size(value: int | None) -> str:
    return short(value, 1024)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def duration(seconds: float | None) -> str:
    """`2h03m`, `12:31`, `850us`"""
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f}us"
    if seconds < 1:
        return f"{1e3 * seconds:.3g}ms"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes >= 60 else f"{minutes}:{rest:02}"


def _busy_cpus(partition: PartitionActivity) -> str:
    """How many of its CPUs run just now, of how many: 1/4."""
    running = sum(cpu.state == "running" for cpu in partition.cpus)
    return f"{running}/{len(partition.cpus)}"


def _links(partition: PartitionActivity) -> str:
    running = sum(link.state == "RUN" for link in partition.links)
    return f"{running}/{len(partition.links)}"


def _state(partition: PartitionActivity) -> str:
    return "PAUSED" if partition.paused and partition.state == "READY" else partition.state


def _rate(name: str) -> Callable[[PartitionActivity], str]:
    return lambda partition: short(partition.rates[name])


_PARTITION_COLUMNS: tuple[Column[PartitionActivity], ...] = (
    Column("PARTITION", lambda each: each.name, left=True),
    Column("STATE", _state, left=True),
    Column("CPUS", _busy_cpus, 1),
    Column("RUN%", lambda each: percent(each.run)),
    Column("WAIT%", lambda each: percent(each.wait), 4),
    Column("QEMU%", lambda each: percent(each.overhead), 7),
    Column("RAM", lambda each: size(each.ram_bytes), 2),
    Column("RES", lambda each: size(each.resident_bytes), 1),
    Column("FREE", lambda each: size(each.free_bytes), 1),
    Column("PROC", lambda each: _number(each.processes), 1),
    Column("THREADS", lambda each: _number(each.threads), 7),
    Column("IN/S", _rate("received")),
    Column("OUT/S", _rate("sent")),
    Column("FULL/S", _rate("full"), 8),
    Column("OFFL/S", lambda each: short(each.offloads), 1),
    Column("LATENCY", lambda each: duration(each.offload_s), 1),
    Column("BELL/S", _rate("doorbells"), 3),
    Column("INT/S", _rate("interrupts"), 3),
    Column("ANSWER", lambda each: duration(each.answer_s), 5),
    Column("PING", lambda each: duration(each.ping_s), 6),
    Column("LINKS", _links),
)


class _Cpu(NamedTuple):
    partition: PartitionActivity
    cpu: CpuActivity


_CPU_COLUMNS: tuple[Column[_Cpu], ...] = (
    Column("PARTITION", lambda each: each.partition.name, left=True),
    Column("CPU", lambda each: str(each.cpu.cpu)),
    Column("LOCAL", lambda each: str(each.cpu.local_cpu)),
    Column("STATE", lambda each: each.cpu.state, left=True),
    Column("RUN%", lambda each: percent(each.cpu.run)),
    Column("WAIT%", lambda each: percent(each.cpu.wait)),
    Column("HALT%", lambda each: percent(each.cpu.halt)),
    Column("ON", lambda each: _number(each.cpu.processor), 1),
    Column("THREAD", lambda each: _number(each.cpu.thread_id), 2),
)


class _Link(NamedTuple):
    partition: PartitionActivity
    link: LinkActivity


def _link_rate(name: str) -> Callable[[_Link], str]:
    return lambda each: short(each.link.rates[name])


_LINK_COLUMNS: tuple[Column[_Link], ...] = (
    Column("PARTITION", lambda each: each.partition.name, left=True),
    Column("PEER", lambda each: each.link.peer, left=True),
    Column("STATE", lambda each: each.link.state, left=True),
    Column("OURS", lambda each: each.link.generation, 1),
    Column("THEIRS", lambda each: each.link.peer_generation, 2),
    Column("IN/S", _link_rate("received")),
    Column("OUT/S", _link_rate("sent")),
    Column("INB/S", _link_rate("received_bytes"), 4),
    Column("OUTB/S", _link_rate("sent_bytes"), 4),
    Column("FULL/S", _link_rate("full"), 5),
    Column("BELL/S", _link_rate("doorbells"), 1),
    Column("INT/S", _link_rate("interrupts"), 1),
    Column("RESETS", lambda each: str(each.link.counters["resets"]), 3),
    Column("REFUSED", lambda each: str(each.link.counters["refused"]), 6),
)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


# ---- rows ----


def _sorted(activity: Activity, sort: str) -> list[PartitionActivity]:
    def key(partition: PartitionActivity) -> float:
        return -(
            {
                "cpu": partition.run,
                "memory": partition.resident_bytes,
                "messages": (partition.rates["sent"] or 0) + (partition.rates["received"] or 0),
            }[sort]
            or 0
        )

    partitions = list(activity.partitions)
    return partitions if sort == "plan" else sorted(partitions, key=key)


def _cpus(partitions: Iterable[PartitionActivity], sort: str) -> list[_Cpu]:
    rows = [_Cpu(partition, cpu) for partition in partitions for cpu in partition.cpus]
    return sorted(rows, key=lambda row: -(row.cpu.run or 0)) if sort == "cpu" else rows


def _links_of(partitions: Iterable[PartitionActivity], sort: str) -> list[_Link]:
    rows = [_Link(partition, link) for partition in partitions for link in partition.links]
    if sort != "messages":
        return rows
    return sorted(rows, key=lambda row: -((row.link.rates["sent"] or 0) + (row.link.rates["received"] or 0)))


# ---- the screen ----


def row_count(activity: Activity, view: str) -> int:
    if view == "partitions":
        return len(activity.partitions)
    return sum(len(each.cpus if view == "cpus" else each.links) for each in activity.partitions)


def rows_shown(activity: Activity, height: int) -> int:
    """How many rows a window has room for, beside title, header, reasons and keys."""
    return max(1, height - 4 - len(_reasons(activity)))


def screen(activity: Activity, look: Look, width: int, height: int) -> RenderableType:
    """What fills a window."""
    shown = rows_shown(activity, height)
    table = _table(activity, look, width, slice(look.first, look.first + shown))
    more = row_count(activity, look.view) - look.first - shown
    below = f"  {more} more below" if more > 0 else ""
    return Group(
        _title(activity, look),
        table,
        *_reasons(activity),
        Text(f"{KEYS}{below}", style="dim", no_wrap=True, overflow="ellipsis"),
    )


def page(activity: Activity, look: Look, width: int) -> RenderableType:
    """The whole view, for `--once`."""
    return Group(_title(activity, look), _table(activity, look, width, slice(None)), *_reasons(activity))


def _title(activity: Activity, look: Look) -> Text:
    used = [value for each in activity.partitions for value in (each.run, each.overhead) if value is not None]
    words = [
        *([look.note] if look.note else []),
        f"enclave {activity.enclave}, {activity.accelerator}, up {duration(activity.uptime_s)}",
        f"{sum(used):.2f} processors used",
        f"{look.view} by {look.sort}",
        f"{activity.interval_s:.1f} s",
    ]
    return Text(
        "  ".join([*words, *filter(None, [look.note])]), style="bold", no_wrap=True, overflow="ellipsis"
    )


def _reasons(activity: Activity) -> list[Text]:
    """Why a partition is not well, or stands still."""
    told = [(each.name, reason, style) for each in activity.partitions for reason, style in _reason(each)]
    return [
        Text(f"{name}: {reason}", no_wrap=True, overflow="ellipsis", style=style)
        for name, reason, style in told[:REASONS_SHOWN]
    ]


def _reason(partition: PartitionActivity) -> Iterator[tuple[str, str]]:
    """What to say of it and in which colour; nothing if it is well."""
    if partition.state not in ("READY", "BOOTING") and partition.reason:
        yield " ".join(partition.reason.split()), "red"
    elif partition.debugger:
        yield DEBUGGED[partition.debugger], "yellow"
    elif partition.paused:
        yield "paused", "yellow"


def _table(activity: Activity, look: Look, width: int, part: slice) -> Table:
    partitions = _sorted(activity, look.sort)
    if look.view == "cpus":
        return _fitted(_CPU_COLUMNS, _cpus(partitions, look.sort), width, part)
    if look.view == "links":
        return _fitted(_LINK_COLUMNS, _links_of(partitions, look.sort), width, part)
    return _fitted(_PARTITION_COLUMNS, partitions, width, part)


def _fitted(columns: Sequence[Column[Row]], rows: Sequence[Row], width: int, part: slice) -> Table:
    """Widths are those of all rows, so that nothing moves when one scrolls."""
    cells = {column.title: [column.cell(row) for row in rows] for column in columns}
    widths = {
        title: max(len(title), *(min(len(cell), NAME_WIDTH) for cell in found), 0)
        for title, found in cells.items()
    }
    kept = list(columns)
    while sum(widths[column.title] + CELL_GAP for column in kept) - CELL_GAP > width and len(kept) > 1:
        least = max(reversed(kept), key=lambda column: column.spare)
        kept.remove(least)
    table = Table(box=None, pad_edge=False, padding=(0, CELL_GAP, 0, 0), header_style="bold")
    for column in kept:
        table.add_column(
            column.title,
            justify="left" if column.left else "right",
            no_wrap=True,
            overflow="ellipsis",
            min_width=widths[column.title],
            max_width=max(widths[column.title], width // 4) if column.left else None,
        )
    for row in zip(*(cells[column.title][part] for column in kept), strict=True):
        table.add_row(*(_styled(column.title, cell) for column, cell in zip(kept, row, strict=True)))
    return table


def _styled(title: str, cell: str) -> Text:
    return Text(cell, style=STATE_STYLES.get(cell, "") if title == "STATE" else "")
