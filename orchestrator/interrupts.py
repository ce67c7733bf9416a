# SPDX-License-Identifier: Apache-2.0
"""Signals that end a verb, as the one exception by which all that it holds is let go of."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Whoever ends us by a signal gets the enclave taken down as by Ctrl-C.

    Yields what raises KeyboardInterrupt once more: Python drops one that it raises in a callback, as those of
    its imports, and `up` would go on.
    """
    heard = []

    def interrupt(number: int, frame: object) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    def interrupted() -> None:
        if heard:
            raise KeyboardInterrupt

    # Under nohup SIGHUP is ignored, and stays so.
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
