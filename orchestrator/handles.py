# SPDX-License-Identifier: Apache-2.0
"""A running enclave and its partitions as objects: what tests have from the pytest plugin, and people in
`enclave shell`.

    enclave.host.succeed("uname", "-r")      enclave["lwk0"].log()
    enclave["lwk0"].fault("panic")           enclave["lwk0"].wait_for_state("PANICKED")
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.client import Client
from orchestrator.errors import DeadlineError, EnclaveError
from orchestrator.run import RunFolder
from orchestrator.selection import find_host, find_partition

if TYPE_CHECKING:
    from orchestrator.death import DeathWatch
    from orchestrator.ssh import Completed, Session

Status = dict[str, Any]
POLL_S = 0.02
WAIT_S = 30.0  # for a state: on a computer that may be busy
QMP_DEADLINE_S = 10.0


class Partition:
    """One partition, life after life."""

    def __init__(self, enclave: "Enclave", name: str) -> None:
        self.enclave = enclave
        self.name = name
        self._session: Session | None = None
        self._watch: DeathWatch | None = None

    def __repr__(self) -> str:
        status = self.status()
        return f"<{self.name}: {status['kernel']}, {status['state']}>"

    def status(self) -> Status:
        """Its part of the enclave's status."""
        return find_partition(self.enclave.status(), self.name)

    @property
    def state(self) -> str:
        return str(self.status()["state"])

    def log(self) -> str:
        """The kernel log in shared memory, also of a dead kernel."""
        return b"".join(self.enclave.client.log(self.name)).decode(errors="replace")

    def console(self) -> str:
        """What came over the serial console so far, each line with the seconds since `up`."""
        return self.enclave.run.console_log(self.name).read_text(errors="replace")

    def report(self) -> Status:
        """What the kernel found of CPUs, memory and distances, by its own numbers."""
        return self.enclave.client.report(self.name)

    def restart(self) -> Status:
        """Boots it again; returns its status when it is READY."""
        return find_partition(self.enclave.client.restart(self.name), self.name)

    def fault(self, fault: str) -> None:
        """Makes it fail: panic, hang, triple-fault, kill, pause, or continue after that."""
        self.enclave.fault(self.name, fault)

    def wait_for_state(self, state: str, deadline_s: float = WAIT_S) -> Status:
        """Its status once it is in that state; an AssertionError with the last one if that does not come."""
        return self.enclave.wait_for_state(self.name, state, deadline_s)

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Runs a QMP command by the monitor for people: `qmp("query-status")`. Names with a hyphen: **{...}.

        Raises EnclaveError with QEMU's words if it fails, DeadlineError if another program keeps it.
        """
        from orchestrator.qmp_exchange import Exchange

        exchange = Exchange(self.enclave.run.qmp_socket(self.name))
        try:
            return exchange.run(command, arguments, QMP_DEADLINE_S)
        except DeadlineError as error:
            raise DeadlineError(f"{self.name}: {error.message}", error.hint) from None
        except EnclaveError as error:
            hint = f"`enclave status` tells how {self.name} is"
            raise EnclaveError(f"{self.name}: QMP `{command}` failed: {error.message}", hint) from error

    # ---- where Linux runs; by one SSH connection, made when it is first needed ----

    def run(self, *argv: str, input: bytes = b"", deadline_s: float = 60.0) -> "Completed":
        """Runs a command with exactly these arguments; returns what it left. Raises UsageError on an LWK.

        Raises GuestError if the partition dies meanwhile, DeadlineError if the command does not end in time.
        """
        session = self.session()
        assert self._watch
        with self._watch.blames():
            return session.run(*argv, input=input, deadline_s=deadline_s)

    def succeed(self, *argv: str, input: bytes = b"", deadline_s: float = 60.0) -> str:
        """What the command prints; an AssertionError with its complaint if it does not end with 0."""
        done = self.run(*argv, input=input, deadline_s=deadline_s)
        assert done.status == 0, f"{argv} ended with {done.status}: {done.complaint or done.text}"
        return done.text

    def put(self, source: str | Path, target: str) -> None:
        """Copies a file of this computer into the partition."""
        self.session().put(Path(source), target)

    def get(self, source: str, target: str | Path) -> None:
        """Copies a file of the partition to this computer."""
        self.session().get(source, Path(target))

    def session(self) -> "Session":
        from orchestrator.death import DeathWatch, require_alive
        from orchestrator.ssh import Endpoint, connect

        if self._session is None or not self._session.alive:
            status = self.status()
            require_alive(self.enclave.client, status)
            endpoint = Endpoint.of_partition(status)
            self._watch = DeathWatch(self.enclave.client, self.name)
            with self._watch.blames():
                self._session = connect(endpoint)
            self._watch.closes(self._session.close)
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


Linux = Partition  # by this name tests know one that runs Linux


class Enclave:
    """A running enclave. `enclave["lwk0"]` is a partition, `enclave.host` the one with the files."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.client = Client(run)
        self._partitions: dict[str, Partition] = {}

    def __repr__(self) -> str:
        return f"<enclave {self.name}: {', '.join(map(repr, self))}>"

    def __getitem__(self, name: str) -> Partition:
        """Raises UsageError with the names that there are."""
        if name not in self._partitions:
            find_partition(self.status(), name)
            self._partitions[name] = Partition(self, name)
        return self._partitions[name]

    def __iter__(self) -> Iterator[Partition]:
        """The partitions in the order of the plan."""
        return iter([self[each["name"]] for each in self.status()["partitions"]])

    @property
    def name(self) -> str:
        return self.run.name

    @cached_property
    def host(self) -> Partition:
        """Asked of the supervisor once: later it may be busy, or stopped."""
        return self[find_host(self.status())["name"]]

    def linux(self, name: str) -> Partition:
        """The same as enclave[name]: for tests, that mean one which runs Linux."""
        return self[name]

    def close(self) -> None:
        """Ends the connections that were made; the enclave runs on."""
        for partition in self._partitions.values():
            partition.close()

    def status(self) -> Status:
        """As `enclave status --json` shows it."""
        return self.client.status()

    def partition(self, name: str) -> Status:
        """One partition's part of the status."""
        return find_partition(self.status(), name)

    def log(self, partition: str) -> str:
        """The kernel log in shared memory."""
        return self[partition].log()

    def restart(self, partition: str) -> Status:
        """Boots a partition again; returns when it is READY."""
        return self.client.restart(partition)

    def fault(self, partition: str, fault: str) -> None:
        """Makes a partition fail: panic, hang, triple-fault, kill, pause, or continue after that."""
        others = {"kill": self.client.kill, "pause": self.client.pause, "continue": self.client.resume}
        if fault in others:
            others[fault](partition)
        else:
            self.client.command(partition, fault)

    def down(self) -> None:
        """Ends it; its logs stay in the run folder."""
        self.close()
        self.client.down()

    @contextmanager
    def doorbell_faults(
        self,
        source: str | None = None,
        target: str | None = None,
        vector: int | None = None,
        *,
        drop: float = 0.0,
        delay_s: float = 0.0,
        duplicate: float = 0.0,
        seed: int = 0,
    ) -> Iterator[None]:
        """Doorbells are lost, late or doubled meanwhile (doorbell_faults.py); no rule is left at the end."""
        self.client.add_doorbell_rule(
            source, target, vector, drop=drop, delay_s=delay_s, duplicate=duplicate, seed=seed
        )
        try:
            yield
        finally:
            self.client.clear_doorbell_rules()

    def storm(self, source: str, target: str, vector: int, rate: float = 1000, seconds: float = 1) -> int:
        """Rings a doorbell rate x seconds times; returns when that is over."""
        return self.client.storm(source, target, vector, rate, seconds)

    def scribble(
        self,
        partition: str,
        group: str,
        *,
        peer: str | None = None,
        seed: int = 0,
        rate: float = 10_000,
        seconds: float = 1,
    ) -> int:
        """Random words over what a partition may write (scribble_groups.py); returns when that is over."""
        return self.client.scribble(partition, group, seed, rate, seconds, peer)

    def events(self, what: str) -> list[dict[str, Any]]:
        """What there is of an event in the run's log, such as "state" or "fault"."""
        lines = self.run.events.read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == what]

    def crashes(self) -> list[dict[str, Any]]:
        """The stories of its crash bundles (crash.json), the oldest first; waits for those in the making."""
        from orchestrator.crash_folder import bundles_of, load_story

        with suppress(EnclaveError):  # it is down, or cannot say
            self.client.settle()
        return [load_story(bundle) for bundle in bundles_of(self.run)]

    def wait_for(self, predicate: Callable[[Status], bool], what: str, deadline_s: float = WAIT_S) -> Status:
        """The first status for which `predicate` is true; an AssertionError that says `what` did not come."""
        deadline = time.monotonic() + deadline_s
        while not predicate(status := self.status()):
            if time.monotonic() > deadline:
                from orchestrator import table

                raise AssertionError(f"{what}: not within {deadline_s:g} s\n{table.partitions(status)}")
            time.sleep(POLL_S)
        return status

    def wait_for_state(self, partition: str, state: str, deadline_s: float = WAIT_S) -> Status:
        """Waits until a partition is in a state; returns its part of the status."""

        def reached(status: Status) -> bool:
            return bool(find_partition(status, partition)["state"] == state)

        return find_partition(self.wait_for(reached, f"{partition} {state}", deadline_s), partition)
