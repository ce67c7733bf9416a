# SPDX-License-Identifier: Apache-2.0
"""Does something so many times a second, beside everything else that this process has to do."""

import asyncio
import time
from collections.abc import Callable

BURST_MAX = 200  # a process that fell behind catches up in pieces, so that others have their turn
PAUSE_MIN_S = 0.001


async def paced(act: Callable[[], None], rate: float, seconds: float) -> int:
    """Calls `act` rate x seconds times, which takes longer if this computer cannot; returns how often."""
    total = round(rate * seconds)
    begin = time.monotonic()
    done = 0
    while done < total:
        due = min(total, int((time.monotonic() - begin) * rate) + 1, done + BURST_MAX)
        while done < due:
            act()
            done += 1
        await asyncio.sleep(max(PAUSE_MIN_S, begin + done / rate - time.monotonic()))
    return done
