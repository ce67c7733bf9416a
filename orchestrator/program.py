# SPDX-License-Identifier: Apache-2.0
"""What a shell calls as `enclave`."""

import sys
import time
from typing import NoReturn


def main() -> NoReturn:
    began = time.monotonic()
    waiting = None
    if sys.argv[1:2] == ["up"]:
        # Before all else is loaded: what stands by has the most to load, and is waited for.
        from orchestrator.standby import standby

        waiting = standby(began)
    from orchestrator.cli import run

    run(waiting)
