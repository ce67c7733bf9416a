# SPDX-License-Identifier: Apache-2.0
"""The commands `lwk ...`: CPUs, what they do, memory and log of the lightweight kernel."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import gdb

from orchestrator.in_gdb import reading

LWK = "the LWK"
HLT = b"\xf4"
RUNS_WORK = "work_list_run_one"
THREADS_MAX = 256  # lwk/process.h: PROCESS_THREADS_MAX
BLOCKS_SHOWN = 100_000  # of one list of free pages: more is a list that was overwritten

# lwk/memory_map.h
DIRECT_BASE = 0xFFFF800000000000
AREAS = (
    (0xFFFFFFFF80000000, "kernel image"),
    (0xFFFFD00000000000, "stacks"),
    (0xFFFFC00000000000, "devices"),
    (DIRECT_BASE, "all RAM"),
    (0, "user half"),
)
# SDM 3A, tables 4-15 to 4-20
PRESENT, WRITABLE, USER, WRITE_THROUGH, CACHE_DISABLE, LARGE = 1, 2, 4, 8, 16, 128
NO_EXECUTE = 1 << 63
ADDRESS = 0x000FFFFFFFFFF000
LEVELS = 4


class Cpu(NamedTuple):
    """A struct cpu, and the thread that gdb makes of the CPU; None if it is not known which one that is."""

    id: int
    struct: gdb.Value
    thread: gdb.InferiorThread | None


def cpus() -> list[Cpu]:
    """All CPUs that the kernel found, with those of gdb's threads that have come to its code."""
    pointers = reading.variable("cpus", LWK)
    owned = [pointers[number] for number in range(int(reading.variable("cpu_count", LWK)))]
    threads = _threads_by_struct()
    if not threads:
        # A dump does not tell the segment bases; QEMU and the firmware count CPUs alike.
        threads = {int(at): thread for at, thread in zip(owned, reading.threads(), strict=False)}
    return [Cpu(number, at.dereference(), threads.get(int(at))) for number, at in enumerate(owned) if int(at)]


def _threads_by_struct() -> dict[int, gdb.InferiorThread]:
    found: dict[int, gdb.InferiorThread] = {}
    with reading.looking_elsewhere():
        for thread in reading.threads():
            thread.switch()
            found |= dict.fromkeys(_kernel_bases(), thread)
    return found


def _kernel_bases() -> list[int]:
    """Where the selected CPU's GS points in the kernel. In a program that waits in the other register."""
    try:
        bases = [int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in ("gs_base", "k_gs_base")]
    except gdb.error:
        return []
    return [base for base in bases if base >= DIRECT_BASE]


# ---- what a CPU does ----


def _state(cpu: Cpu) -> str:
    """With the CPU's thread selected."""
    if not cpu.struct["online"]:
        return "offline"
    if cpu.struct["parked"]:
        return "parked"
    return "halted" if _halted() else "running"


def _halted() -> bool:
    try:
        return reading.memory(gdb.newest_frame().pc() - 1, 1) == HLT
    except gdb.GdbError:
        return False


def _does(cpu: Cpu, names: list[str]) -> str:
    """In words, by the names of the functions on its stack, the innermost first."""
    if "panic_with" in names or "panic_park" in names:
        return "panic" if "panic_with" in names else "parked"
    if "trap_dispatch" in names:
        return "interrupt" if "irq_dispatch" in names else "exception"
    if int(cpu.struct["thread"]):
        return "thread"
    if RUNS_WORK in names:
        return "work"
    return "idle" if "cpu_idle" in names else "boot" if "boot_main" in names else "-"


def _work(cpu: Cpu, names: list[str]) -> str:
    """The function that the idle loop has called, or the id of the thread that it has switched to."""
    thread = cpu.struct["thread"]
    if int(thread):
        return str(int(thread["id"]))
    at = names.index(RUNS_WORK) if RUNS_WORK in names else 0
    return names[at - 1] if at else "-"


def _queued(cpu: Cpu) -> list[gdb.Value]:
    """The oldest first, as they will run."""
    works = cpu.struct["works"]
    added = list(reading.linked(works["added"], "next"))
    return [*reading.linked(works["batch"], "next"), *added[::-1]]


def _processes() -> list[gdb.Value]:
    return list(reading.linked(reading.variable("'kernel/process.c'::all", LWK), "next"))


def _threads(process: gdb.Value) -> list[gdb.Value]:
    found = []
    for slot in range(THREADS_MAX):
        thread = process["threads"][slot]
        if int(thread):
            found.append(thread.dereference())
        if len(found) == int(process["thread_count"]):
            break
    return found


def _thread_state(thread: gdb.Value, running: set[int]) -> str:
    if reading.address(thread) in running:
        return "runs"
    if thread["ended"]:
        return "ended"
    if thread["work"]["queued"]:
        return "can run"
    return "asks its proxy" if thread["waits"] else "waits"


def _where() -> str:
    frame = gdb.newest_frame()
    at = frame.find_sal()
    line = f" at {at.symtab.filename}:{at.line}" if at.symtab else ""
    return reading.symbol(frame.pc()) + line


def _each_with_thread() -> Iterator[Cpu]:
    """Every CPU, with its thread selected meanwhile."""
    with reading.looking_elsewhere():
        for cpu in cpus():
            if cpu.thread is not None:
                cpu.thread.switch()
            yield cpu


# ---- the commands ----


class _Lwk(gdb.Command):
    """The lightweight kernel: CPUs, what they do, memory, log."""

    def __init__(self) -> None:
        super().__init__("lwk", gdb.COMMAND_DATA, prefix=True)


class _Cpus(reading.Command):
    """lwk cpus: each CPU, its thread in gdb, and where it is. `running` is: not in a halt."""

    name = "lwk cpus"

    def run(self, argument: str) -> None:
        header = ("CPU", "THREAD", "APIC", "NODE", "STATE", "INTERRUPTS", "TIMER", "AT")
        reading.table(header, [self._row(cpu) for cpu in _each_with_thread()])

    def _row(self, cpu: Cpu) -> list[object]:
        told, thread = cpu.struct, cpu.thread
        # At once: each element would be a question of its own to the machine.
        counts = reading.numbers(told["irq_counts"])
        handler = int(told["timer"]["handler"])
        timer = (
            f"{reading.symbol(handler)} at {int(told['timer']['deadline_ns']) / 1e9:.6f}" if handler else "-"
        )
        seen = (_state(cpu), _where()) if thread else ("offline", "-")
        who = thread.num if thread else "-"
        return [cpu.id, who, int(told["apic_id"]), int(told["node"]), seen[0], sum(counts), timer, seen[1]]


class _Ps(reading.Command):
    """lwk ps: what each CPU does, the work that is queued for it, and all threads of programs."""

    name = "lwk ps"

    def run(self, argument: str) -> None:
        header = ("CPU", "DOES", "WORK", "IN", "QUEUED")
        reading.table(header, [self._row(cpu) for cpu in _each_with_thread()])
        running = {int(cpu.struct["thread"]) for cpu in cpus()}
        rows = [
            (
                *(int(each) for each in (process["id"], thread["id"], thread["cpu_id"], thread["offloads"])),
                _thread_state(thread, running),
            )
            for process in _processes()
            for thread in _threads(process)
        ]
        if rows:
            reading.table(("PROCESS", "THREAD", "CPU", "OFFLOADS", "STATE"), rows)

    def _row(self, cpu: Cpu) -> list[object]:
        names = [frame.name() or "?" for frame in reading.frames()] if cpu.thread else []
        queued = ", ".join(reading.symbol(int(work["run"])) for work in _queued(cpu))
        inside = names[0] if names else "-"
        return [cpu.id, _does(cpu, names) if names else "offline", _work(cpu, names), inside, queued or "-"]


class _Backtrace(reading.Command):
    """lwk backtrace [CPU | all]: the calls of one CPU, by the kernel's number of it, or of every one."""

    name = "lwk backtrace"

    def run(self, argument: str) -> None:
        wanted = argument or "all"
        known = [str(cpu.id) for cpu in cpus()]
        if wanted != "all" and wanted not in known:
            raise gdb.GdbError(f"no CPU {wanted}: there are {', '.join(known)}, and `all`")
        for cpu in _each_with_thread():
            if wanted in ("all", str(cpu.id)):
                thread = f"thread {cpu.thread.num}" if cpu.thread else "not started"
                gdb.write(f"CPU {cpu.id} ({thread}), node {int(cpu.struct['node'])}:\n")
                if cpu.thread:
                    gdb.write(gdb.execute("backtrace", to_string=True))


class _Log(reading.Command):
    """lwk log [LINES]: the kernel log as far as it is kept, or its last lines."""

    name = "lwk log"

    def run(self, argument: str) -> None:
        if argument and not argument.isdigit():
            raise gdb.GdbError(f"lwk log: {argument!r} is no number of lines")
        lines = log_text().splitlines(keepends=True)
        gdb.write("".join(lines[-int(argument) :] if argument else lines))


def log_text() -> str:
    """From the shared region, which keeps the most, or from the kernel's own memory before it has one."""
    partition = reading.variable("ikc_local", LWK)["partition"]
    if int(partition):
        ring = partition["log"]
        return _ring(ring["data"], int(ring["written"]))
    return _ring(reading.variable("'kernel/log.c'::kept", LWK), int(gdb.parse_and_eval("kept_end")))


def _ring(data: gdb.Value, written: int) -> str:
    """The newest bytes of a ring of text, the index of which runs free."""
    size = data.type.sizeof
    kept = min(size, written)
    text = reading.memory(reading.address(data), size if written > size else kept)
    if written > size:
        text = text[written % size :] + text[: written % size]
    return text.decode(errors="replace")


class _Memory(reading.Command):
    """lwk memory: the pages of each node, and its free blocks by their size."""

    name = "lwk memory"

    def run(self, argument: str) -> None:
        nodes = reading.variable("'kernel/page_alloc.c'::nodes", LWK)
        count = int(reading.variable("topology", LWK)["node_count"])
        header = ("NODE", "DOMAIN", "PAGES", "FREE", "FREE BLOCKS")
        reading.table(header, [self._row(number, nodes[number]) for number in range(count)])

    def _row(self, number: int, node: gdb.Value) -> list[object]:
        usage, lists = node["usage"], node["free"]
        first, last = lists.type.range()
        counts = {order: _length(lists[order]) for order in range(first, last + 1)}
        free = ", ".join(f"{count} of {_size(4096 << order)}" for order, count in counts.items() if count)
        domain = int(gdb.parse_and_eval(f"topology.proximity_domain[{number}]"))
        return [number, domain, int(usage["total_pages"]), int(usage["free_pages"]), free or "-"]


def _length(first: gdb.Value) -> int:
    length = 0
    for _ in reading.linked(first, "next"):
        length += 1
        if length == BLOCKS_SHOWN:
            break
    return length


def _size(size: int) -> str:
    for unit, name in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


class Mapped(NamedTuple):
    """[start, end) of the address space, which is mapped to physical memory in one piece."""

    start: int
    end: int
    physical: int
    flags: int
    page_size: int


class _Map(reading.Command):
    """lwk map [ADDRESS]: the selected CPU's address space by its page tables, or what is at one address."""

    name = "lwk map"

    def run(self, argument: str) -> None:
        found = list(address_space(root()))
        if argument:
            at = int(gdb.parse_and_eval(f"(unsigned long)({argument})"))
            found = [each for each in found if each.start <= at < each.end]
            if not found:
                raise gdb.GdbError(f"{at:#x} is not mapped")
        header = ("ADDRESS", "TO", "PHYSICAL", "SIZE", "PAGES", "ACCESS", "AREA")
        reading.table(header, [_row_of(each) for each in found])


def root() -> int:
    """Physical address of the tables: of the selected CPU's program, of the kernel, or of its boot."""
    for cpu in cpus():
        if cpu.thread == gdb.selected_thread() and int(cpu.struct["user_tables"]):
            return int(cpu.struct["user_tables"])
    own = int(reading.variable("paging_root", LWK))
    return own or int(gdb.parse_and_eval("(unsigned long)&boot_pml4")) - AREAS[0][0]


def address_space(tables: int) -> Iterator[Mapped]:
    """Pieces that are mapped alike and follow each other are one."""
    last: Mapped | None = None
    for piece in _pieces(tables, LEVELS, 0):
        if last and _continues(last, piece):
            last = last._replace(end=piece.end)
        else:
            if last:
                yield last
            last = piece
    if last:
        yield last


def _continues(last: Mapped, piece: Mapped) -> bool:
    follows = last.end == piece.start and last.physical + last.end - last.start == piece.physical
    return follows and (last.flags, last.page_size) == (piece.flags, piece.page_size)


def _pieces(table: int, level: int, base: int) -> Iterator[Mapped]:
    shift = 12 + 9 * (level - 1)
    entries = struct.unpack("<512Q", reading.memory(DIRECT_BASE + table, 4096))
    for index, entry in enumerate(entries):
        if not entry & PRESENT:
            continue
        start = base + (index << shift)
        if level == LEVELS and index >= 256:
            start |= 0xFFFF << 48
        if level > 1 and not entry & LARGE:
            yield from _pieces(entry & ADDRESS, level - 1, start)
        else:
            physical = entry & ADDRESS & ~((1 << shift) - 1)
            flags = entry & (WRITABLE | USER | WRITE_THROUGH | CACHE_DISABLE | NO_EXECUTE)
            yield Mapped(start, start + (1 << shift), physical, flags, 1 << shift)


def _row_of(each: Mapped) -> list[object]:
    access = "r" + ("w" if each.flags & WRITABLE else "-") + ("-" if each.flags & NO_EXECUTE else "x")
    kind = {0: "", WRITE_THROUGH: " write-combining"}.get(
        each.flags & (WRITE_THROUGH | CACHE_DISABLE), " uncached"
    )
    user = " user" if each.flags & USER else ""
    area = next(name for base, name in AREAS if each.start >= base)
    size = _size(each.end - each.start)
    ends = (f"{each.start:#018x}", f"{each.end - 1:#018x}", f"{each.physical:#x}")
    return [*ends, size, _size(each.page_size), access + user + kind, area]


def register() -> None:
    for command in (_Lwk, _Cpus, _Ps, _Backtrace, _Log, _Memory, _Map):
        command()
