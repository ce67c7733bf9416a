# SPDX-License-Identifier: Apache-2.0
"""Loaded by gdb: `enclave gdb` does that, and so does `gdb -x start.py lwk.elf DUMP` for a memory dump.

The environment variable ENCLAVE_GDB, if set, describes the partition, as JSON (gdb_cli.py).
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from orchestrator.in_gdb import attach, ikc, lwk

lwk.register()
ikc.register()
if "ENCLAVE_GDB" in os.environ:
    attach.register(json.loads(os.environ["ENCLAVE_GDB"]))
