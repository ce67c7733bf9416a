# SPDX-License-Identifier: Apache-2.0
"""The supervisor's side of control.sock: requests in, events and one result out (see client.py).

    request   {"verb": VERB, ...}                        one line of JSON
    answer    {"event": {...}} ...                       while it lasts (wait, restart, down)
              {"ok": {...}}                              the result; after it, raw bytes (log, console), or
                                                         lines of JSON (trace, events, consoles)
              {"error": {"kind", "message", "hint", "exit_status"}}

A client that writes nonsense, reads nothing or dies harms nobody but itself.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from orchestrator.enclave import Enclave
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.fault_verbs import FaultVerbs
from orchestrator.ikc_trace import Lost, Record, TraceReader
from orchestrator.look import look
from orchestrator.records import as_json
from orchestrator.request import Json, word, words
from orchestrator.status import describe

REQUEST_MAX = 1 << 16  # bytes
REQUEST_DEADLINE_S = 10.0
SEND_DEADLINE_S = 10.0
LOG_EVERY_S = 0.1  # how often a follower's log is looked at: its writer does not ring for it
TRACE_EVERY_S = 0.01  # under load the trace of a kernel goes round several times in this
REQUEST_HINT = 'such as {"verb": "status"}; orchestrator/client.py shows all'
COMMANDS = ("shutdown", "restart", "panic", "hang", "triple-fault")

log = logging.getLogger(__name__)


class Control:
    """Serves the verbs of one enclave. `down` has the supervisor end the run, and returns how that went."""

    def __init__(self, enclave: Enclave, down: Callable[[], Awaitable[dict[str, str]]]) -> None:
        self._enclave = enclave
        self._down = down
        self._serving: set[_Answer] = set()
        self._verbs: dict[str, Callable[[Json, _Answer], Awaitable[Json | None]]] = {
            "status": self._status,
            "report": self._report,
            "profile": self._profile,
            "look": self._look,
            "wait": self._wait,
            "restart": self._restart,
            "command": self._command,
            "kill": self._kill,
            "log": self._log,
            "console": self._console,
            "consoles": self._consoles,
            "events": self._events,
            "trace": self._trace,
            "settle": self._settle,
            "death": self._death,
            "dump": self._dump,
            "down": self._end,
            **FaultVerbs(enclave).verbs,
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request."""
        answer = _Answer(reader, writer)
        self._serving.add(answer)
        try:
            result = await self._obey(answer)
            if result is not None:
                await answer.send({"ok": result})
        except EnclaveError as error:
            await answer.refuse(error)
        except (ConnectionError, TimeoutError) as error:
            log.info("a client went away: %s", error)
        except Exception as error:
            log.exception("a request failed")
            await answer.refuse(EnclaveError(f"the supervisor failed: {error}", "its log tells more"))
        finally:
            writer.close()
            self._serving.discard(answer)
            self._enclave.events.pulse()

    async def idle(self, deadline_s: float) -> None:
        """Waits until every client has got its result, or the deadline."""
        await self._enclave.events.until(lambda: not self._serving, deadline_s)

    async def _obey(self, answer: "_Answer") -> Json | None:
        request = await answer.request()
        verb = self._verbs.get(str(request.get("verb")))
        if verb is None:
            raise UsageError(f"unknown verb {request.get('verb')!r}", f"there are: {', '.join(self._verbs)}")
        return await verb(request, answer)

    async def _status(self, request: Json, answer: "_Answer") -> Json:
        return describe(self._enclave)

    async def _report(self, request: Json, answer: "_Answer") -> Json:
        partition = self._enclave.keeper(word(request, "partition")).partition
        report = self._enclave.fabric.region.report(partition.index)
        if report is None:
            raise UsageError(
                f"{partition.name} has not reported what it found",
                "a kernel does before it is READY: `enclave status` tells whether it is",
            )
        return dict(as_json(report))

    async def _profile(self, request: Json, answer: "_Answer") -> Json:
        """`began` is the time of the order to boot, from which all others count, by time.monotonic()."""
        return {"began": self._enclave.started, "partitions": as_json(self._enclave.boots())}

    async def _look(self, request: Json, answer: "_Answer") -> Json:
        return await look(self._enclave)

    async def _wait(self, request: Json, answer: "_Answer") -> Json:
        async with answer.following(self._enclave):
            await self._enclave.ready()
        return describe(self._enclave)

    async def _restart(self, request: Json, answer: "_Answer") -> Json:
        name = word(request, "partition")
        async with answer.following(self._enclave, from_now=True):
            await self._enclave.restart(name, request.get("wait_gdb") is True)
        return describe(self._enclave)

    async def _command(self, request: Json, answer: "_Answer") -> Json:
        keeper = self._enclave.keeper(word(request, "partition"))
        command = word(request, "command")
        if command not in COMMANDS:
            raise UsageError(f"unknown command {command!r}", f"there are: {', '.join(COMMANDS)}")
        return {"answer": await keeper.command(command.upper().replace("-", "_"))}

    async def _kill(self, request: Json, answer: "_Answer") -> Json:
        keeper = self._enclave.keeper(word(request, "partition"))
        await keeper.kill()
        return {"reason": keeper.partition.reason}

    async def _log(self, request: Json, answer: "_Answer") -> None:
        log_reader = self._enclave.log(word(request, "partition"))
        await answer.send({"ok": {}})
        while True:
            await answer.send_raw(log_reader.read())
            if request.get("follow") is not True or await answer.gone(LOG_EVERY_S):
                return

    async def _console(self, request: Json, answer: "_Answer") -> None:
        keeper = self._enclave.keeper(word(request, "partition"))
        await answer.send({"ok": {}})
        await self._while_it_lasts(keeper.console.serve(answer.reader, answer.writer))

    async def _consoles(self, request: Json, answer: "_Answer") -> None:
        """Lines of JSON: pieces of several consoles (console.py), on one clock, the recent past first."""
        consoles = [self._enclave.keeper(name).console for name in words(request, "partitions")]
        await answer.send({"ok": {}})
        writer = answer.writer
        try:
            past = [piece for console in consoles for piece in console.watch(writer)]
            writer.write(b"".join(piece.as_line() for piece in sorted(past)))
            await self._while_it_lasts(answer.hung_up())
        finally:
            for console in consoles:
                console.detach(writer)

    async def _events(self, request: Json, answer: "_Answer") -> None:
        """Lines of JSON: what happens from now on (events.py), to the end of the last partition."""
        over = asyncio.Event()
        events = self._enclave.events
        begin = events.count
        await answer.send({"ok": {}})

        async def send() -> None:
            async for event in events.follow(begin, over):
                await answer.send(event)

        sending = asyncio.create_task(send())
        try:
            await self._while_it_lasts(answer.hung_up())
        finally:
            over.set()
            events.pulse()
            await sending

    async def _while_it_lasts(self, serving: Coroutine[Any, Any, None]) -> None:
        """Serves until that is done, or nothing more can happen in this enclave."""
        enclave = self._enclave

        def over() -> bool:
            return enclave.ending.is_set() and all(keeper.pid is None for keeper in enclave.keepers)

        tasks = (asyncio.create_task(serving), asyncio.create_task(enclave.events.until(over)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _trace(self, request: Json, answer: "_Answer") -> None:
        """Lines of JSON: a record each, or how many were lost there."""
        partition = self._enclave.keeper(word(request, "partition")).partition
        follow = request.get("follow") is True
        await answer.send({"ok": {}})
        reader = TraceReader(self._enclave.fabric.region, partition.index, from_now=follow)
        if follow:
            with self._enclave.traced(partition.index):
                while not self._enclave.ending.is_set():
                    await answer.send_lines(reader.read())
                    if not reader.more and await answer.gone(TRACE_EVERY_S):
                        return
        for found in reader.rest():
            await answer.send_lines(found)

    async def _settle(self, request: Json, answer: "_Answer") -> Json:
        await self._enclave.crashes.settled()
        return {}

    async def _death(self, request: Json, answer: "_Answer") -> Json:
        dying = asyncio.ensure_future(self._enclave.death(word(request, "partition")))
        going = asyncio.ensure_future(answer.reader.read(1))
        try:
            await asyncio.wait((dying, going), return_when=asyncio.FIRST_COMPLETED)
            if dying.done():
                dying.result()
        finally:
            dying.cancel()
            going.cancel()
        return {}

    async def _dump(self, request: Json, answer: "_Answer") -> Json:
        await self._enclave.keeper(word(request, "partition")).dump(word(request, "file"))
        return {}

    async def _end(self, request: Json, answer: "_Answer") -> Json:
        async with answer.following(self._enclave, from_now=True):
            return {"partitions": await self._down()}


class _Answer:
    """One client, and what is said to it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> Json:
        """Raises UsageError if what was sent is no request."""
        try:
            line = await asyncio.wait_for(self.reader.readline(), REQUEST_DEADLINE_S)
            request = json.loads(line)
        except ValueError as error:
            raise UsageError(f"a request is one line of JSON: {error}", REQUEST_HINT) from None
        if not isinstance(request, dict):
            raise UsageError("a request is a JSON object", REQUEST_HINT)
        return request

    async def send(self, message: Json) -> None:
        await self.send_raw(json.dumps(message).encode() + b"\n")

    async def send_raw(self, data: bytes) -> None:
        """Raises ConnectionError or TimeoutError if the client does not take it."""
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), SEND_DEADLINE_S)

    async def send_lines(self, found: list[Record | Lost]) -> None:
        await self.send_raw(b"".join(json.dumps(each.as_json()).encode() + b"\n" for each in found))

    async def refuse(self, error: EnclaveError) -> None:
        with suppress(ConnectionError, TimeoutError):
            await self.send({"error": error.as_json()})

    async def hung_up(self) -> None:
        """Returns when the client has; what it says before that is not heard."""
        with suppress(ConnectionError):
            while await self.reader.read(4096):
                pass

    async def gone(self, within_s: float) -> bool:
        """Whether the client hangs up within that time."""
        with suppress(TimeoutError):
            return not await asyncio.wait_for(self.reader.read(1), within_s)
        return False

    @asynccontextmanager
    async def following(self, enclave: Enclave, from_now: bool = False) -> AsyncIterator[None]:
        """Sends the events, while the body runs, of this time or of the whole run.

        What was asked for goes on if the client goes away.
        """
        events = enclave.events
        begin = events.count if from_now else 0
        over = asyncio.Event()

        async def send_events() -> None:
            async for event in events.follow(begin, over):
                await self.send({"event": event})

        sending = asyncio.create_task(send_events())
        try:
            yield
        finally:
            over.set()
            events.pulse()
            with suppress(ConnectionError, TimeoutError):
                await sending
