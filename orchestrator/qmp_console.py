# SPDX-License-Identifier: Apache-2.0
"""The QMP prompt: completes and checks what is typed, shows answers, and events of all partitions above it.

Prints, to the terminal alone. Events come from the supervisor in a thread of their own.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import StdoutProxy

from orchestrator import qmp_text
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.partition_colours import names_in_colour
from orchestrator.qmp_completion import suggest
from orchestrator.qmp_exchange import Refused
from orchestrator.qmp_line import ALL, Line, parse
from orchestrator.qmp_session import Command, Session

REDRAW_S = 0.02  # between two drawings of the prompt, when events come in a crowd
RUNS_AGAIN_S = 0.5  # how often a console looks whether an enclave that ended runs again
OWN = {
    "hmp": "a command of the human monitor: :hmp info mtree",
    "save": "write the last answer to a file: :save FILE",
    "help": "this, or the arguments of a command: :help memsave",
    "quit": "leave; the partitions run on. Ctrl-D too",
}
HELP = """\
query-status                         a command of QMP; Tab completes, also arguments and their values
memsave val=0x1000 size=4096 filename=/tmp/page          its arguments
blockdev-add node-name=d driver=raw file.driver=null-co  arguments in arguments
send-key keys=[{"type": "qcode", "data": "a"}]           a value as JSON; all arguments, too: NAME {...}
@lwk1 stop      @lwk0,lwk1 cont      @all query-status   for other partitions than the prompt's
@lwk1                                they are the prompt's from now on
"""


def history_file() -> Path:
    """Where the lines that were typed are kept: XDG Base Directory Specification, XDG_STATE_HOME."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "enclave" / "qmp-history"


def _history() -> History:
    """Without a place to keep it, it lasts as long as the console."""
    file = history_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(file))


@contextmanager
def _interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Completer(Completer):
    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        session = self._session
        for found in suggest(session.schema, session.partitions, OWN, document.text_before_cursor):
            yield Completion(found.text, -found.length, display_meta=found.meta)


class QmpConsole:
    """`status` is that of the enclave; `targets` are whom a line without `@` is for."""

    def __init__(self, session: Session, status: Mapping[str, Any], targets: tuple[str, ...], colour: bool):
        self._session = session
        self._targets = targets
        self._out = StdoutProxy(sleep_between_writes=REDRAW_S, raw=True)  # writes above a prompt
        self._colour = colour
        self._names = names_in_colour(session.partitions, colour)
        self._states: dict[str, str] = {}
        self._learn(status)
        self._last: Mapping[str, Any] = {}
        self._own: Mapping[str, Callable[[str], None]] = {"save": self._save, "help": self._help}
        self._prompt: PromptSession[str] = PromptSession(
            completer=_Completer(session), history=_history(), complete_while_typing=True
        )

    def run(self) -> None:
        """Until `:quit` or the end of the input."""
        threading.Thread(target=self._load_schema, daemon=True).start()
        # At the prompt Ctrl-C is a key; in the moments around it, it means nothing.
        signal.signal(signal.SIGINT, lambda number, frame: None)
        with self._out:
            threading.Thread(target=self._follow, daemon=True).start()
            while True:
                try:
                    line = self._prompt.prompt(self._message)
                except KeyboardInterrupt:
                    continue  # gives up what was typed, as in a shell
                except EOFError:
                    return
                with _interruptible():
                    if line.strip() and self._obey(line):
                        return

    def _load_schema(self) -> None:
        """What was typed before QEMU had told what it understands is completed then."""
        self._session.load_schema(self._targets)
        prompt = self._prompt.app

        def complete() -> None:
            if prompt.is_running and prompt.current_buffer.text:
                prompt.current_buffer.start_completion()

        if prompt.loop is not None:
            prompt.loop.call_soon_threadsafe(complete)

    # ---- what is typed ----

    def _message(self) -> ANSI:
        """`lwk0> `, `lwk0 (EXITED)> `, `lwk0,lwk1> `, `all> `; drawn anew when a state changes."""
        if self._targets == self._session.partitions and len(self._targets) > 1:
            return ANSI(f"{ALL}> ")
        names = ",".join(self._names[name].replace(" ", "") for name in self._targets)
        states = {self._states[name] for name in self._targets}
        state = states.pop() if len(states) == 1 else ""
        return ANSI(f"{names} ({state})> " if state else f"{names}> ")

    def _obey(self, text: str) -> bool:
        """Whether that was the last line."""
        try:
            line = parse(text)
            if line.own == "quit":
                return True
            if line.own in self._own:
                self._own[line.own](line.text)
            elif line.own and line.own != "hmp":
                raise UsageError(
                    f"there is no :{line.own}", f"there are: {', '.join(f':{each}' for each in OWN)}"
                )
            elif line.targets and not line.command and not line.own:
                self._targets = self._session.find(line.targets)
            else:
                self._execute(line)
        except EnclaveError as error:
            self._complain(error)
        except KeyboardInterrupt:
            self._say("not waited for any longer; QEMU may still do it")
        return False

    def _execute(self, line: Line) -> None:
        command = self._session.check(line, self._targets)
        if command.name != "quit" or self._sure(command):
            self._last = self._session.run(command)
            for name, answer in self._last.items():
                self._show(name, answer, len(self._last) > 1)

    def _sure(self, command: Command) -> bool:
        """Who types `quit` may want to leave, and not to end a kernel."""
        whom = ", ".join(command.targets)
        asked: PromptSession[str] = PromptSession()
        try:
            answer = asked.prompt(f"end the QEMU of {whom}? (`:quit` leaves this console) [y/N] ")
        except (EOFError, KeyboardInterrupt):
            return False
        return answer.strip().lower() in ("y", "yes")

    # ---- the console's own words ----

    def _help(self, text: str) -> None:
        if text:
            schema = self._session.load_schema(self._targets)
            if schema is None:
                raise UsageError(
                    "no QEMU runs that could tell what it understands",
                    "`enclave restart PARTITION` boots one",
                )
            members = schema.members(schema.argument_type(text), {})
            self._say(f"{text} {schema.usage(schema.argument_type(text))}".rstrip())
            for each in members:
                self._say(
                    f"  {each.name:20} {schema.words(each.type)}{', optional' if each.optional else ''}"
                )
            return
        self._say(HELP.rstrip())
        for word, meaning in OWN.items():
            self._say(f":{word:35} {meaning}")

    def _save(self, text: str) -> None:
        if not text:
            raise UsageError(":save needs the name of a file", ":save mtree.txt")
        answers = {name: each for name, each in self._last.items() if not isinstance(each, EnclaveError)}
        if not answers:
            raise UsageError("there is no answer yet to save", "ask for something, as: query-status")
        try:
            size = Path(text).expanduser().write_text(_to_keep(answers))
        except OSError as error:
            raise UsageError(
                f"cannot write {text}: {error.strerror}", "name a file in a folder of yours"
            ) from error
        self._say(f"{text}: {size} characters")

    # ---- what is shown ----

    def _show(self, name: str, answer: Any, several: bool) -> None:
        if isinstance(answer, EnclaveError):
            self._complain(answer, self._names[name] if several else "")
            return
        text = qmp_text.answer(answer, self._prompt.output.get_size().columns - 1)
        if several:
            text = f"{self._names[name]}{chr(10) if chr(10) in text else ' '}{text}"
        self._say(text)

    def _complain(self, error: EnclaveError, name: str = "") -> None:
        kind = f" ({error.error.get('class')})" if isinstance(error, Refused) else ""
        self._say(f"{name} {click.style('error:', fg='red')} {error.message}{kind}".lstrip())
        for line in error.hint.splitlines():
            self._say(f"  {line}")

    def _say(self, text: str) -> None:
        self._out.write(f"{text if self._colour else click.unstyle(text)}\n")
        self._out.flush()

    # ---- events ----

    def _follow(self) -> None:
        client, gone = self._session.client, False
        while True:
            with suppress(EnclaveError, OSError, ValueError):
                events = client.events()
                self._learn(client.status())
                if gone:
                    self._say(f"enclave {client.run.name} runs again")
                gone = False
                for happened in events:
                    self._happened(happened)
            if not gone:
                self._say(
                    f"enclave {client.run.name} has ended; this console goes on when it is started again"
                )
            gone = True
            time.sleep(RUNS_AGAIN_S)

    def _happened(self, happened: dict[str, Any]) -> None:
        name, what = happened["partition"], happened["event"]
        if what == "state":
            self._states[name] = "" if happened["state"] == "READY" else happened["state"]
        elif what == "STOP" and not self._states[name]:
            self._states[name] = "paused"
        elif what == "RESUME" and self._states[name] == "paused":
            self._states[name] = ""
        line = qmp_text.event(happened, self._names.get(name, ""))
        if line:
            self._say(line)
        else:
            self._prompt.app.invalidate()  # it shows the state

    def _learn(self, status: Mapping[str, Any]) -> None:
        for each in status["partitions"]:
            state = "" if each["state"] == "READY" else each["state"]
            self._states[each["name"]] = "paused" if each["paused"] and not state else state


def _to_keep(answers: Mapping[str, Any]) -> str:
    """One answer as it is, several by the names of their partitions; text as text, all else as JSON."""
    import json

    only = next(iter(answers.values()))
    if len(answers) == 1 and isinstance(only, str):
        return only.replace("\r\n", "\n")
    return json.dumps(only if len(answers) == 1 else answers, indent=2, ensure_ascii=False) + "\n"
