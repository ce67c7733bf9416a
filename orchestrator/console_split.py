# SPDX-License-Identifier: Apache-2.0
"""Several consoles side by side on one screen; what is typed goes to the one that has the focus."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Container, DynamicContainer, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension

from orchestrator.console_pane import Pane
from orchestrator.terminal import CHUNK_BYTES

PANE_ROWS = 5  # with fewer for each, panes go side by side
KEYS = "Ctrl-\\ next   PgUp PgDn scroll   Ctrl-] leave"


class Attached(NamedTuple):
    """A console that is to be shown: a connected socket of raw bytes, and the colour of its title."""

    name: str
    connection: socket.socket
    bare_newlines: bool
    colour: str


class _View:
    """One console on the screen."""

    def __init__(self, attached: Attached) -> None:
        self.name = attached.name
        self.ended = False
        self._connection = attached.connection
        self._connection.setblocking(False)
        self._colour = attached.colour
        self.pane = Pane(attached.bare_newlines, self.send)
        self.window = Window(self.pane, height=_share())
        title = Window(FormattedTextControl(self._title), height=1, style=f"reverse fg:ansi{self._colour}")
        self.container = HSplit([title, self.window])

    def _title(self) -> StyleAndTextTuples:
        states = ["ended"] * self.ended + ["scrolled"] * self.pane.scrolled
        focused = get_app().layout.has_focus(self.window)
        text = f" {'>' if focused else ' '} {self.name} {' '.join(f'({each})' for each in states)}"
        return [("bold" if focused else "", f"{text:24}{KEYS if focused else ''}")]

    def send(self, data: bytes) -> None:
        """More than the guest takes is lost, as on a real line."""
        with suppress(OSError):
            self._connection.send(data)

    async def receive(self) -> None:
        """Until the console ends."""
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while data := await loop.sock_recv(self._connection, CHUNK_BYTES):
                self.pane.feed(data)
                get_app().invalidate()
        self.ended = True
        get_app().invalidate()


def split(consoles: Sequence[Attached]) -> bool:
    """Until the user leaves, or all consoles have ended; whether the user left."""
    return asyncio.run(_split([_View(each) for each in consoles]))


async def _split(views: Sequence[_View]) -> bool:
    body = DynamicContainer(lambda: _arranged(views, get_app().output.get_size().rows))
    application: Application[bool] = Application(
        Layout(body, focused_element=views[0].window), key_bindings=_keys(views), full_screen=True
    )
    application.ttimeoutlen = 0.05  # an Escape goes to the guest at once

    async def receive_all() -> None:
        await asyncio.gather(*(view.receive() for view in views))
        application.exit(result=False)

    def begin() -> None:
        application.create_background_task(receive_all())

    return await application.run_async(pre_run=begin)


def _share() -> Dimension:
    """As much as each of the others."""
    return Dimension(preferred=1, weight=1)


def _arranged(views: Sequence[_View], rows: int) -> Container:
    """One above the other, in as many columns as it takes."""
    in_a_column = max(1, rows // (PANE_ROWS + 1))
    columns = -(-len(views) // in_a_column)
    height = -(-len(views) // columns)
    stacks = [
        HSplit([view.container for view in views[at : at + height]], width=_share())
        for at in range(0, len(views), height)
    ]
    return VSplit(stacks, padding=1, padding_char="│") if len(stacks) > 1 else stacks[0]


def _keys(views: Sequence[_View]) -> KeyBindings:
    bindings = KeyBindings()

    def focused() -> _View:
        return next((view for view in views if get_app().layout.has_focus(view.window)), views[0])

    @bindings.add(Keys.ControlSquareClose)
    def leave(event: KeyPressEvent) -> None:
        event.app.exit(result=True)

    @bindings.add(Keys.ControlBackslash)
    def next_one(event: KeyPressEvent) -> None:
        at = views.index(focused())
        event.app.layout.focus(views[(at + 1) % len(views)].window)

    @bindings.add(Keys.PageUp)
    def up(event: KeyPressEvent) -> None:
        focused().pane.scroll(1)

    @bindings.add(Keys.PageDown)
    def down(event: KeyPressEvent) -> None:
        focused().pane.scroll(-1)

    @bindings.add(Keys.Any)
    def typed(event: KeyPressEvent) -> None:
        view = focused()
        view.pane.follow()
        view.send("".join(press.data for press in event.key_sequence).encode())

    return bindings
