# SPDX-License-Identifier: Apache-2.0
"""The supervisor's side of control.sock: requests in, events and one result out (see client.py).

    request   {"verb": VERB, ...}                        one line of JSON
    answer    {"event": {...}} ...                       while it lasts (wait, restart, down)
              {"ok": {...}}                              the result; after it, raw bytes (log, console)
              {"error": {"kind", "message", "hint", "exit_status"}}

A client that writes nonsense, reads nothing or dies harms nobody but itself.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from orchestrator.enclave import Enclave
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.records import as_json
from orchestrator.status import describe

REQUEST_MAX = 1 << 16  # bytes
REQUEST_DEADLINE_S = 10.0
SEND_DEADLINE_S = 10.0
LOG_EVERY_S = 0.1  # how often a follower's log is looked at: its writer does not ring for it
COMMANDS = ("shutdown", "restart", "panic", "hang")

Json = dict[str, Any]
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
            "wait": self._wait,
            "restart": self._restart,
            "command": self._command,
            "kill": self._kill,
            "log": self._log,
            "console": self._console,
            "down": self._end,
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
        partition = self._enclave.keeper(_word(request, "partition")).partition
        report = self._enclave.fabric.region.report(partition.index)
        if report is None:
            raise UsageError(f"{partition.name} has not reported what it found")
        return dict(as_json(report))

    async def _wait(self, request: Json, answer: "_Answer") -> Json:
        async with answer.following(self._enclave):
            await self._enclave.ready()
        return describe(self._enclave)

    async def _restart(self, request: Json, answer: "_Answer") -> Json:
        name = _word(request, "partition")
        async with answer.following(self._enclave, from_now=True):
            await self._enclave.restart(name)
        return describe(self._enclave)

    async def _command(self, request: Json, answer: "_Answer") -> Json:
        keeper = self._enclave.keeper(_word(request, "partition"))
        command = _word(request, "command")
        if command not in COMMANDS:
            raise UsageError(f"unknown command {command!r}", f"there are: {', '.join(COMMANDS)}")
        return {"answer": await keeper.command(command.upper())}

    async def _kill(self, request: Json, answer: "_Answer") -> Json:
        keeper = self._enclave.keeper(_word(request, "partition"))
        await keeper.kill()
        return {"reason": keeper.partition.reason}

    async def _log(self, request: Json, answer: "_Answer") -> None:
        log_reader = self._enclave.log(_word(request, "partition"))
        await answer.send({"ok": {}})
        while True:
            await answer.send_raw(log_reader.read())
            if request.get("follow") is not True or await answer.gone(LOG_EVERY_S):
                return

    async def _console(self, request: Json, answer: "_Answer") -> None:
        keeper = self._enclave.keeper(_word(request, "partition"))
        await answer.send({"ok": {}})
        await keeper.console.serve(answer.reader, answer.writer)

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
            raise UsageError(f"a request is one line of JSON: {error}") from None
        if not isinstance(request, dict):
            raise UsageError("a request is a JSON object")
        return request

    async def send(self, message: Json) -> None:
        await self.send_raw(json.dumps(message).encode() + b"\n")

    async def send_raw(self, data: bytes) -> None:
        """Raises ConnectionError or TimeoutError if the client does not take it."""
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), SEND_DEADLINE_S)

    async def refuse(self, error: EnclaveError) -> None:
        with suppress(ConnectionError, TimeoutError):
            await self.send({"error": error.as_json()})

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


def _word(request: Json, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise UsageError(f"`{key}` is missing or no text")
    return value
