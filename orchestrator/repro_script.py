# SPDX-License-Identifier: Apache-2.0
"""The file repro.sh of a run folder: every QEMU of the run as a command that a person can read and change.

What no command line can hold, memory, doorbells and monitors, is made by repro.py. The script starts it, and
is run by it once more for each partition, with the numbers of descriptors in the environment. Pure.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.ikc import Identity
from orchestrator.plan import PartitionPlan
from orchestrator.qemu_command import Wiring, shares_memory

VARIABLE = re.compile(r"@([A-Z0-9_]+)@")  # of the script, in a word of a command


class Shared(NamedTuple):
    """repro.json: what the partitions share. `memory` and `hugepages` are bytes by the name of a chunk, and
    `chunks` and `windows` such names by partition."""

    identities: tuple[Identity, ...]
    memory: dict[str, int]
    hugepages: dict[str, int]
    chunks: dict[str, list[str]]
    windows: dict[str, list[str]]


def wiring_by_variables(partition: PartitionPlan, folder: Path, kernel: Path, initrd: str) -> Wiring:
    """Descriptors are named by the script's variables: QMP, SERIAL, FABRIC, MEMORY0 .., WINDOW0 .."""
    chunks = len(partition.memory) if shares_memory(partition) else 0
    return Wiring(
        qmp="socket,fd=@QMP@",
        serial="socket,fd=@SERIAL@",
        fabric="socket,fd=@FABRIC@",
        people=folder / f"repro-{partition.name}.sock",
        memory=tuple(f"/proc/self/fd/@MEMORY{index}@" for index in range(chunks)),
        windows=tuple(f"/proc/self/fd/@WINDOW{index}@" for index in range(len(partition.windows))),
        kernel=kernel,
        initrd=initrd,
    )


def repro_script(name: str, python: str, commands: Mapping[str, Sequence[str]]) -> str:
    """The text of the script; `commands` have variables, `python` is the interpreter that has repro.py."""
    cases = "\n".join(f"{shlex.quote(each)})\n{_exec(command)}\n\t;;" for each, command in commands.items())
    return f"""#!/bin/sh
# The QEMUs of enclave {name} as they were started, to be started by hand. The enclave need not run.
#
#   ./repro.sh     all of them: consoles go to this terminal, Ctrl-C ends them
#
# Change the commands as you like, or put a program in front of one (strace, perf, gdb --args). While they
# run each has a monitor for people at ./repro-PARTITION.sock. What no command line can hold, shared memory,
# doorbells, the other ends of consoles, is made by orchestrator.repro, which runs this script again for each
# partition, with the numbers of its descriptors in variables.
set -eu

case ${{1-}} in
{cases}
"")
	exec {shlex.quote(python)} -m orchestrator.repro "$(dirname "$0")"
	;;
*)
	echo "repro.sh: there is no partition $1: run it without arguments" >&2
	exit 2
	;;
esac
"""


def _exec(command: Sequence[str]) -> str:
    """One option a line."""
    lines = [f"\texec {_quoted(command[0])}"]
    for word in command[1:]:
        if word.startswith("-"):
            lines.append(f"\t\t{_quoted(word)}")
        else:
            lines[-1] += f" {_quoted(word)}"
    return " \\\n".join(lines)


def _quoted(word: str) -> str:
    """A word for the shell, in which variables are expanded."""
    text, *rest = VARIABLE.split(word)
    pieces = [shlex.quote(text) if text or not rest else ""]
    for variable, after in zip(rest[::2], rest[1::2], strict=True):
        pieces += [f'"${variable}"', shlex.quote(after) if after else ""]
    return "".join(pieces)
