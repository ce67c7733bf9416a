# SPDX-License-Identifier: Apache-2.0
"""What each CPU of a crashed partition was doing, in functions and lines, and which one it died on."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.backtrace import Chain, Step, follow_frames, guess_callers
from orchestrator.crash_taken import Stack, Taken
from orchestrator.guest_memory import Unmapped
from orchestrator.kallsyms import Kallsyms, NoTable, read_kallsyms
from orchestrator.kinds import KernelKind
from orchestrator.registers import GENERAL, Cpu, parse_registers
from orchestrator.symbols import Place, find_place, find_places

# The LWK's trap_entry.S makes the interrupted function look as if it had called trap_common(): the address
# that stands there is that of the instruction which trapped, and not of the one behind a call.
ENTRY = "trap_common"
PANICS = ("panic",)
PANICS_OF_TRAPS = ("panic_at", "panic_park")  # of an exception; of a CPU that is stopped because of another
LINUX_OOPS_REACH = 8192  # characters before the panic
# Where Linux says that it was; the first of "Call Trace:" that is not of the panic itself, nor a guess.
_LINUX_RIP = re.compile(r"RIP: [0-9a-f]+:([\w.]+)\+(0x[0-9a-f]+)/0x[0-9a-f]+(?: \[(\w+)\])?")
_LINUX_TRACE = re.compile(r"Call Trace:$(.*)", re.MULTILINE | re.DOTALL)
_LINUX_FRAME = re.compile(r"\]  ([\w.]+)\+(0x[0-9a-f]+)/0x[0-9a-f]+(?: \[(\w+)\])?$", re.MULTILINE)
_LINUX_OWN = ("dump_stack", "show_stack", "panic")

Frame = dict[str, Any]


def cpus_of(taken: Taken, kernel_cpu: int | None) -> list[dict[str, Any]]:
    """Every CPU, in QEMU's order; `kernel_cpu` is the kernel's number of the one that panicked, if it said.

    Each has `cpu` (the node's number, or None), `state`, `interrupts_off`, `died`, `no_way`, `registers` as
    hexadecimal text, `frames` and `end`, why there are no more of these.
    """
    cpus = parse_registers(taken.machinery.registers)
    kernel = _Kernel(taken)
    chains = {cpu.number: kernel.chain(cpu) for cpu in cpus}
    kernel.find_places(chains.values())
    local = {each.node_cpu: each.local_cpu for each in taken.plan.partitions[taken.partition].cpus}
    described = []
    for cpu in cpus:
        node_cpu = taken.machinery.node_cpus.get(cpu.number)
        described.append(
            {
                "cpu": node_cpu,
                "qemu_cpu": cpu.number,
                "state": _state(cpu),
                "interrupts_off": cpu.interrupts_off,
                "died": node_cpu is not None and local.get(node_cpu) == kernel_cpu,
                "no_way": taken.machinery.no_way.get(cpu.number, ""),
                "registers": {name: f"{cpu.words[name]:016x}" for name in GENERAL if name in cpu.words},
                "frames": kernel.frames(chains[cpu.number]),
                "end": chains[cpu.number].end,
            }
        )
    _find_the_dead(described, taken.fault)
    return described


def _state(cpu: Cpu) -> str:
    if cpu.halted:
        return "halted"
    return "in a program" if cpu.in_user_mode else "running"


def _find_the_dead(cpus: Sequence[dict[str, Any]], fault: str) -> None:
    """If the kernel did not say which CPU: the one that shows it."""
    if any(cpu["died"] for cpu in cpus):
        return
    for shows in _SHOWS.get(fault, ()):
        for cpu in cpus:
            if shows(cpu):
                cpu["died"] = True
                return


def _panics(cpu: Mapping[str, Any]) -> bool:
    return any(frame["function"] in ("panic", "panic_at") for frame in cpu["frames"])


def _is_stuck(cpu: Mapping[str, Any]) -> bool:
    return cpu["state"] == "running" and bool(cpu["interrupts_off"])


def _runs(cpu: Mapping[str, Any]) -> bool:
    return bool(cpu["state"] == "running")


_SHOWS: Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], ...]] = {
    "panic": (_panics,),
    "hang": (_is_stuck, _runs),
    "reset": (lambda cpu: bool(cpu["no_way"]),),
}


class _Kernel:
    """The names in the file that the partition booted."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._file = taken.kernel
        self._kind = taken.plan.partitions[taken.partition].kind
        self._places: Mapping[int, tuple[Place, ...]] = {}
        self._kallsyms = _kallsyms(taken)

    def chain(self, cpu: Cpu) -> Chain:
        found = self._taken.machinery.chains.get(cpu.number)
        if found is not None:
            return found
        stack = self._taken.machinery.stacks.get(cpu.number)
        if stack is None:
            return Chain((Step(cpu.rip),), "its stack was not had")
        if self._kind is KernelKind.SOURCE:  # configured with frame pointers
            return follow_frames(cpu, lambda address: _read64(stack, address))
        return guess_callers(cpu, stack.data, self._is_code)

    def _is_code(self, address: int) -> bool:
        return self._kallsyms is not None and self._kallsyms.is_code(address)

    def find_places(self, chains: Iterable[Chain]) -> None:
        addresses = {step.address - back for chain in chains for step in chain.steps for back in (0, 1)}
        if self._kallsyms is not None:
            self._places = self._kallsyms.places(addresses)
        elif not self._kind.runs_linux:
            self._places = find_places(self._file, addresses)

    def frames(self, chain: Chain) -> list[Frame]:
        found: list[Frame] = []
        exact = True
        for step in chain.steps:
            if not step.sure and self._places.get(step.address - 1) is None:
                continue  # no address of code
            # A return address is behind the call, and that may have been a function's last instruction.
            places = self._places.get(step.address if exact else step.address - 1, ())
            exact = step.sure and any(place.function == ENTRY for place in places)
            found += [
                {"address": f"{step.address:016x}", "sure": step.sure} | place._asdict()
                for place in places or (Place("", "", 0),)
            ]
        return found


def _read64(stack: Stack, address: int) -> int:
    at = address - stack.address
    if not 0 <= at <= len(stack.data) - 8:
        raise Unmapped(f"{address:#x} is on another stack")
    return int.from_bytes(stack.data[at : at + 8], "little")


def _kallsyms(taken: Taken) -> Kallsyms | None:
    """Of a partition that runs Linux; without it there are bare addresses."""
    if not taken.plan.partitions[taken.partition].kind.runs_linux:
        return None
    try:
        return read_kallsyms(taken.kernel)
    except (NoTable, OSError):
        return None


# ---- where ----


def where_it_died(
    cpus: Sequence[Mapping[str, Any]], log: str, module: Path | None = None
) -> dict[str, Any] | None:
    """The CPU, function, file and line at the bottom of it; None if nothing tells. `module` has the lines of
    ikc.ko.

    What a Linux that panicked writes into its log is better than what is left in its registers.
    """
    dead = next((cpu for cpu in cpus if cpu["died"]), None)
    told = _by_linux(log)
    if told:
        cpu = dead["cpu"] if dead else None
        place = _in_module(told, module) if module and told.module == module.stem else None
        file, line = (place.file, place.line) if place else ("", 0)
        return {"cpu": cpu, "function": told.function, "file": file, "line": line, "address": ""}
    for frame in frames_of_interest(dead["frames"]) if dead else ():
        if frame["function"] and not frame["file"].endswith(".h"):
            keys = ("function", "file", "line", "address")
            return {"cpu": dead["cpu"] if dead else None} | {key: frame[key] for key in keys}
    return None


class _Told(NamedTuple):
    """A place in Linux' words; `offset` in the function, `exact` or behind a call."""

    function: str
    offset: int
    module: str
    exact: bool


def _by_linux(log: str) -> _Told | None:
    panic = log.rfind("Kernel panic - ")
    if panic < 0:
        return None
    # An oops comes first, and the panic that it causes last.
    rips = _LINUX_RIP.findall(log[max(0, panic - LINUX_OOPS_REACH) :])
    if rips:
        function, offset, module = rips[0]
        return _Told(function, int(offset, 16), module, exact=True)
    trace = _LINUX_TRACE.search(log, panic)
    for function, offset, module in _LINUX_FRAME.findall(trace[1]) if trace else ():
        if not function.startswith(_LINUX_OWN):
            return _Told(function, int(offset, 16), module, exact=False)
    return None


def _in_module(told: _Told, module: Path) -> Place | None:
    """The innermost place in a source file: what is inlined there comes from headers too."""
    places = find_place(module, told.function, told.offset if told.exact else max(0, told.offset - 1))
    return next((place for place in places if not place.file.endswith(".h")), None)


def frames_of_interest(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Without those of the panic itself, which are at the top, and of the trap that led to it."""
    begin = 0
    for at, frame in enumerate(frames):
        if frame["function"] in PANICS:
            begin = at + 1
        elif frame["function"] in PANICS_OF_TRAPS:
            entry = (i for i in range(at, len(frames)) if frames[i]["function"] == ENTRY)
            begin = next(entry, at) + 1
    return frames[begin:] or frames
