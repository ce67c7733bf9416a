# SPDX-License-Identifier: Apache-2.0
"""The verb `enclave top`: what the partitions of an enclave do, looked at again and again."""

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from orchestrator import cli_options, habits
from orchestrator.errors import DeadlineError, EnclaveError, UsageError
from orchestrator.selection import connect, how_it_ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.live import Live

    from orchestrator.activity import Activity, Sample
    from orchestrator.client import Client
    from orchestrator.linux_watch import LinuxWatch
    from orchestrator.terminal import Keys
    from orchestrator.top_text import Look

ANY_WIDTH = 250  # columns of a page for a pipe: nothing is left out
FIRST_S = 0.3  # from the first look to the second, so that there is something to see
LINUX_S = 5.0  # for Linux to answer where one table is all that there will be
PAUSE_S = 3600.0  # nothing changes but by a key
QUIT = ("q", "\x1b", "\x04")


@click.command()
@cli_options.enclave
@click.option(
    "-i", "--interval", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True,
    metavar="SECONDS", help="From one look to the next.",
)  # fmt: skip
@click.option(
    "--once", is_flag=True, help="Two looks, one interval apart, and the table of what was between."
)
@click.option("--view", type=click.Choice(["partitions", "cpus", "links"]), default="partitions")
@click.option("--sort", type=click.Choice(["plan", "cpu", "memory", "messages"]), default="plan")
@click.option("--ping", is_flag=True, help="Have the host ping each partition at each look.")
@cli_options.as_json
def top(
    enclave: str | None, interval: float, once: bool, view: str, sort: str, ping: bool, as_json: bool
) -> None:
    """Watch the partitions: CPUs, memory, messages, doorbells, interrupts, links.

    The screen tells its keys. With --json it prints a line for each interval, until the enclave ends.
    """
    from orchestrator.linux_watch import LinuxWatch
    from orchestrator.top_text import Look

    client = connect(enclave)
    if not (once or as_json or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise UsageError(
            "this is no terminal", "`enclave top --once` prints one table, --json is for programs"
        )
    watch = LinuxWatch(client, ping)
    source = _Looks(client, watch)
    try:
        if as_json:
            _print_json(source, interval, once)
        elif once:
            _print_once(source, interval, Look(view, sort))
        else:
            _watch(source, interval, Look(view, sort))
    except EnclaveError:
        if client.run.is_running():
            raise
        habits.say(f"enclave {client.run.name} has ended{how_it_ended(client.run)}", err=True)
    finally:
        watch.stop()


class _Looks:
    """Samples of an enclave, and what happened between the last two."""

    def __init__(self, client: "Client", watch: "LinuxWatch") -> None:
        self._client = client
        self._watch = watch
        self._last: Sample | None = None

    def wait_for_linux(self) -> None:
        self._watch.wait(LINUX_S)

    def next(self) -> "Activity | None":
        """None the first time. Raises NotRunning, EnclaveError or DeadlineError."""
        from orchestrator.activity import Sample, activity
        from orchestrator.process_times import process_use, thread_times

        found = self._client.look()
        now = time.monotonic()
        threads = {
            cpu["thread_id"]: thread_times(each["pid"], cpu["thread_id"])
            for each in found["partitions"]
            for cpu in each["cpus"]
            if each["pid"] and cpu["thread_id"]
        }
        processes = {each["pid"]: process_use(each["pid"]) for each in found["partitions"] if each["pid"]}
        sample = Sample(
            found,
            now,
            {thread: times for thread, times in threads.items() if times},
            {process: use for process, use in processes.items() if use},
            dict(self._watch.said),
        )
        self._watch.ask(found["partitions"])
        last, self._last = self._last, sample
        return activity(last, sample) if last else None


def _print_json(source: _Looks, interval: float, once: bool) -> None:
    from orchestrator.records import as_json

    for activity in [_once(source, interval)] if once else _paced(source, interval):
        click.echo(json.dumps(as_json(activity)))
        sys.stdout.flush()


def _print_once(source: _Looks, interval: float, look: "Look") -> None:
    from orchestrator.top_text import page

    console = cli_options.rich_console()
    if not console.is_terminal:
        console.width = ANY_WIDTH
    console.print(page(_once(source, interval), look, console.width))


def _once(source: _Looks, interval: float) -> "Activity":
    """What happened in an interval; in a longer one, if Linux is slow to say of itself."""
    source.next()
    time.sleep(interval)
    source.wait_for_linux()
    found = source.next()
    assert found is not None
    return found


def _paced(source: _Looks, interval: float) -> "Iterator[Activity]":
    while True:
        due = time.monotonic() + interval
        found = source.next()
        if found:
            yield found
        time.sleep(max(0.0, due - time.monotonic()))


# ---- the live screen ----


def _watch(source: _Looks, interval: float, look: "Look") -> None:
    from rich.live import Live

    from orchestrator import terminal

    console = cli_options.rich_console()
    with (
        terminal.keys(sys.stdin.fileno()) as keys,
        Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live,
    ):
        _Screen(source, interval, look, live, keys).run()


class _Screen:
    """The live view: looks when it is time, and does what keys say in between."""

    def __init__(self, source: _Looks, interval: float, look: "Look", live: "Live", keys: "Keys") -> None:
        self._source = source
        self._interval = interval
        self._look = look
        self._live = live
        self._keys = keys
        self._paused = False
        self._activity: Activity | None = None

    def run(self) -> None:
        """Until somebody quits. Raises EnclaveError when the enclave is gone."""
        due = time.monotonic()
        while True:
            if time.monotonic() >= due and not self._paused:
                self._take()
                due = time.monotonic() + (self._interval if self._activity else min(FIRST_S, self._interval))
            self._draw()
            key = self._keys.wait(due - time.monotonic() if not self._paused else PAUSE_S)
            if key in QUIT:
                return
            self._obey(key)

    def _take(self) -> None:
        try:
            self._activity = self._source.next() or self._activity
            self._look = self._look._replace(note="")
        except DeadlineError:
            self._look = self._look._replace(note="THE SUPERVISOR DOES NOT ANSWER")

    def _draw(self) -> None:
        from orchestrator.top_text import screen

        if self._activity:
            width, height = self._live.console.size
            look = self._look._replace(note="PAUSED") if self._paused else self._look
            self._live.update(screen(self._activity, look, width, height), refresh=True)

    def _obey(self, key: str | None) -> None:
        from orchestrator.top_text import SORTS, VIEWS

        look = self._look
        if key == " " or key == "p":
            self._paused = not self._paused
        elif key == "v":
            self._look = look._replace(view=_after(look.view, VIEWS), first=0)
        elif key == "s":
            self._look = look._replace(sort=_after(look.sort, SORTS), first=0)
        elif key and self._activity:
            self._look = look._replace(first=self._scrolled(key, self._activity))

    def _scrolled(self, key: str, activity: "Activity") -> int:
        """The row at the top after a key; the last page stays full."""
        from orchestrator.top_text import row_count, rows_shown

        shown = rows_shown(activity, self._live.console.height)
        last = max(0, row_count(activity, self._look.view) - shown)
        steps = {"up": -1, "down": 1, "page up": -shown, "page down": shown, "home": -last, "end": last}
        return min(max(0, self._look.first + steps.get(key, 0)), last)


def _after(value: str, values: "Sequence[str]") -> str:
    return values[(values.index(value) + 1) % len(values)]
