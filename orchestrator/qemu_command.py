# SPDX-License-Identifier: Apache-2.0
"""Plan and wiring to QEMU's command line; pure. One function for each part of the machine.

QEMU's own words for all of this: qemu-system-x86_64(1), docs/system/qemu-cpu-models.rst, docs/pcie.txt,
docs/specs/ivshmem-spec.rst.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from orchestrator import pci_slots
from orchestrator.kinds import KernelKind
from orchestrator.placement import MemoryPlace, Placement
from orchestrator.plan import CpuPlan, PartitionPlan, Plan
from orchestrator.quantities import format_size
from orchestrator.topology import Position

QEMU = "qemu-system-x86_64"
CPU_DEVICE = "max-x86_64-cpu"
VECTORS = 6  # doorbells of each peer: enum ikc_vector

# More than the 1 GiB that q35 has for BARs below 4 GiB.
HIGH_BARS_RESERVE = "2G"
# What q35 has for BARs above 4 GiB, if nothing else is said.
HIGH_BARS_ROOM = 32 << 30

# QEMU's HPET has no more timers, and two are for what all CPUs share.
HPET_TIMERS_MAX = 32
HPET_TIMERS_SHARED = 2

# Ticks per second (CONFIG_HZ).
LINUX_HZ = {KernelKind.LINUX: 250, KernelKind.SOURCE: 100}


class Firmware(Enum):
    """By its file. SeaBIOS sets MTRRs and places BARs; qboot does neither, and takes a tenth of the time."""

    SEABIOS = ""  # QEMU's own choice
    QBOOT = "qboot.rom"

    @property
    def args(self) -> tuple[str, ...]:
        return ("-bios", self.value) if self.value else ()


class Acceleration(NamedTuple):
    """What differs between accelerators: QEMU's arguments, the firmware before Linux, and words for Linux's
    command line."""

    args: tuple[str, ...]
    linux_firmware: Firmware
    linux_words: tuple[str, ...]


# Both: `max` is every feature that the accelerator has, under KVM the same as `host`. Without MONITOR an idle
# CPU halts; TCG's MWAIT is a busy wait when there is more than one CPU.
ACCELERATIONS: Mapping[str, Acceleration] = {
    # Without MTRRs a processor would not cache the windows.
    "kvm": Acceleration(("-accel", "kvm", "-cpu", "max,monitor=off"), Firmware.SEABIOS, ()),
    "tcg": Acceleration(
        # A thread per CPU, which is also what makes locked instructions atomic across machines. By default
        # TCG's CPU is an AMD one without topoext: it has neither dies nor threads, and Linux does not trust
        # its TSC. With ERMS memory is copied by `rep movsb`, a loop of bytes there: 1.07 times the boot.
        ("-accel", "tcg,thread=multi", "-cpu", "max,vendor=GenuineIntel,monitor=off,erms=off"),
        # There are no caches, and Linux places BARs itself.
        Firmware.QBOOT,
        (
            # qboot leaves the MTRRs off, and what PAT adds to those would then be uncached: the windows.
            "nopat",
            # Init starts the others: before QEMU 8.1 a CPU may run on in an instruction that another has
            # patched meanwhile, for ever, and Linux patches itself all through its boot.
            "maxcpus=1",
            # To start a CPU is to wait for readers that are long gone, several times; this asks them at once.
            "rcupdate.rcu_expedited=1",
            # It would look for roots on all 256 buses, though ACPI has told of all that there are.
            "pci=lastbus=0",
            # Linux waits 10 ms before it starts each CPU of a family as old as the one it sees here.
            "cpu_init_udelay=0",
            # All CPUs read the computer's one TSC. To check that, two spin at once: slow on few cores.
            "tsc=reliable",
            # It panics if it is not scheduled for a few ticks; under KVM Linux skips it by itself.
            "no_timer_check",
            # A CPU that waits for its turn on a busy computer is not locked up.
            "nowatchdog",
            # Nothing speculates here, and they cost translated instructions.
            "mitigations=off",
            # Self-tests of ciphers that a test node does not use: a twentieth of the boot.
            "cryptomgr.notests",
            # Debian's kernel clears what it allocates, against leaks that a test node need not fear.
            "init_on_alloc=0",
            # Security modules that act by a policy, which nobody loads, would be asked at each ioctl.
            "lsm=landlock,yama",
            # Translated code is found again by its address: programs that are somewhere else each time are
            # translated anew each time.
            "norandmaps",
            # Debian's kernel moves its stack by some bytes at each system call, by a look at the clock.
            "randomize_kstack_offset=off",
        ),
    ),
}


class Wiring(NamedTuple):
    """How one QEMU reaches what is outside of it.

    `qmp`, `serial` and `fabric` are chardevs without their id, such as "socket,fd=5"; `people` is the path of
    a monitor socket for people; `memory` has a path for each of the partition's chunks (none for Linux, whose
    memory is its own), `windows` one for each window. `initrd` is "" if there is none.
    """

    qmp: str
    serial: str
    fabric: str
    people: Path
    memory: tuple[str, ...]
    windows: tuple[str, ...]
    kernel: Path
    initrd: str

    @classmethod
    def live(
        cls,
        qmp: int,
        serial: int,
        fabric: int,
        people: Path,
        memory: Sequence[int],
        windows: Sequence[int],
        kernel: Path,
        initrd: str,
    ) -> "Wiring":
        """Of descriptors that QEMU inherits under the same numbers."""
        return cls(
            qmp=f"socket,fd={qmp}",
            serial=f"socket,fd={serial}",
            fabric=f"socket,fd={fabric}",
            people=people,
            memory=tuple(f"/proc/self/fd/{descriptor}" for descriptor in memory),
            windows=tuple(f"/proc/self/fd/{descriptor}" for descriptor in windows),
            kernel=kernel,
            initrd=initrd,
        )

    @classmethod
    def by_hand(
        cls, plan: Plan, partition: PartitionPlan, folder: Path, kernel: Path, initrd: str
    ) -> "Wiring":
        """Of sockets and files in a folder, for a person; an ivshmem server has to listen there."""
        name = partition.name

        def memory_file(owner: PartitionPlan, chunk: int) -> str:
            return str(folder / f"memory-{owner.name}-{chunk}")

        return cls(
            qmp=_socket(folder / f"supervisor-{name}.sock", server=True),
            serial=_socket(folder / f"serial-{name}.sock", server=True),
            fabric=_socket(folder / f"fabric-{name}.sock", server=False),
            people=folder / f"qmp-{name}.sock",
            memory=tuple(memory_file(partition, chunk) for chunk in range(len(partition.memory)))
            if shares_memory(partition)
            else (),
            windows=tuple(memory_file(plan.partitions[of.partition], of.chunk) for of in partition.windows),
            kernel=kernel,
            initrd=initrd,
        )


def shares_memory(partition: PartitionPlan) -> bool:
    """Whether the host has windows onto this partition, so that its memory must be files."""
    return not partition.kind.runs_linux


def qemu_command(
    plan: Plan,
    partition: PartitionPlan,
    wiring: Wiring,
    accelerator: str,
    tsc_khz: int = 0,
    placement: Placement | None = None,
    wait_gdb: bool = False,
) -> list[str]:
    """The argv of one partition's QEMU; `accelerator` is "kvm" or "tcg", `tsc_khz` is 0 if not known; with
    `wait_gdb` it stops before the first instruction."""
    return [
        QEMU,
        *base_args(plan, partition),
        *accelerator_args(accelerator),
        *timer_args(partition, accelerator),
        *smp_args(partition),
        *memory_args(partition, wiring, placement),
        *numa_args(partition),
        *hmat_args(partition),
        *firmware_of(partition, accelerator).args,
        *kernel_args(partition, wiring, accelerator, tsc_khz),
        *monitor_args(wiring),
        *serial_args(wiring),
        *panic_args(partition),
        *verdict_args(partition),
        *fabric_args(wiring),
        *high_bars_args(partition, accelerator),
        *window_args(partition, wiring, placement),
        *network_args(partition),
        *(("-S",) if wait_gdb else ()),
    ]


def base_args(plan: Plan, partition: PartitionPlan) -> list[str]:
    """A bare machine that stops, and does not end, when its kernel powers off, resets or panics.

    With the IOAPIC in QEMU interrupt messages have 15 bits for an APIC id, as KVM tells its guests, and no
    IOMMU has to remap them (`KVM_FEATURE_MSI_EXT_DEST_ID`). The LWK has no use for an HPET: its registers are
    less than a page, of which QEMU keeps a map for each CPU, made anew whenever the firmware or a kernel
    changes what is mapped where.
    """
    irqchip = ",kernel-irqchip=split" if partition.needs_x2apic else ""
    hpet = ",hpet=off" if partition.kind is KernelKind.LWK else ""
    return [
        *("-name", f"{plan.name}-{partition.name},debug-threads=on"),
        *("-nodefaults", "-no-user-config"),
        *("-display", "none"),
        *("-machine", f"q35,hmat=on,smm=off,sata=off,smbus=off{hpet}{irqchip}"),
        *("-action", "reboot=shutdown,shutdown=pause,panic=pause"),
    ]


def accelerator_args(accelerator: str) -> list[str]:
    """`accelerator` is "kvm" or "tcg"."""
    return list(ACCELERATIONS[accelerator].args)


def timer_args(partition: PartitionPlan, accelerator: str) -> list[str]:
    """Under TCG an HPET that has a timer for each CPU of our own Linux, if there are that many.

    TCG's APIC has no TSC deadline, so Linux would spend 0.1 s on finding out how fast its timer is. The HPET
    says it. Debian's kernel keeps timers of the HPET for other uses: a CPU would be left without one.
    """
    if not _has_hpet_timers(partition, accelerator):
        return []
    timers = partition.smp.shape.cpu_count + HPET_TIMERS_SHARED
    # With ARAT Linux prefers the APIC's timer even if it may not use it.
    wanted = (f"{CPU_DEVICE}.arat=off", "hpet.msi=on", f"hpet.timers={timers}")
    return [word for each in wanted for word in ("-global", each)]


def _has_hpet_timers(partition: PartitionPlan, accelerator: str) -> bool:
    most = HPET_TIMERS_MAX - HPET_TIMERS_SHARED
    ours = accelerator == "tcg" and partition.kind is KernelKind.SOURCE
    return ours and partition.smp.shape.cpu_count <= most


def smp_args(partition: PartitionPlan) -> list[str]:
    """A regular shape is simply there; of an irregular one the first CPU is, and the rest are plugged."""
    shape, regular = partition.smp.shape, partition.smp.regular
    counts = {
        "cpus": shape.cpu_count if regular else 1,
        "sockets": shape.sockets,
        "dies": shape.dies,
        "cores": shape.cores,
        "threads": shape.threads,
        "maxcpus": shape.cpu_count,
    }
    args = ["-smp", ",".join(f"{key}={count}" for key, count in counts.items())]
    for cpu in () if regular else partition.cpus[1:]:
        args += ["-device", f"{CPU_DEVICE},{_place(cpu.at, with_die=True)}"]
    return args


def _place(at: Position, with_die: bool) -> str:
    die = f"die-id={at.die}," if with_die else ""
    return f"socket-id={at.socket},{die}core-id={at.core},thread-id={at.thread}"


def memory_args(partition: PartitionPlan, wiring: Wiring, placement: Placement | None) -> list[str]:
    """One backend per chunk: a shared file if the host has a window onto it."""
    args = ["-m", f"size={format_size(partition.memory_bytes)}"]
    for index, chunk in enumerate(partition.memory):
        size = format_size(chunk.size_bytes)
        at = _memory_place(placement, partition.index, index)
        if shares_memory(partition):
            args += _shared_file(f"ram{index}", size, wiring.memory[index], at)
        else:
            args += ["-object", f"{_private_memory(at)},id=ram{index},size={size}{_binding(at)}"]
    return args


def _memory_place(placement: Placement | None, partition: int, chunk: int) -> MemoryPlace:
    return placement.partitions[partition].memory[chunk] if placement else MemoryPlace()


def _private_memory(at: MemoryPlace) -> str:
    if not at.hugepage_bytes:
        return "memory-backend-ram"
    return f"memory-backend-memfd,share=off,hugetlb=on,hugetlbsize={format_size(at.hugepage_bytes)}"


def _shared_file(name: str, size: str, path: str, at: MemoryPlace) -> list[str]:
    """If it is of hugepages, the file is: nothing need be said of that here."""
    file = f"memory-backend-file,id={name},size={size},share=on,mem-path={_quoted(path)}"
    return ["-object", file + _binding(at)]


def _binding(at: MemoryPlace) -> str:
    nodes = "".join(f",host-nodes={node}" for node in at.nodes)
    return f"{nodes},policy=bind" if nodes else ""


def numa_args(partition: PartitionPlan) -> list[str]:
    """Every node, every place for a CPU (QEMU wants a node for the spare ones too), every distance."""
    chunk_of = {chunk.local_numa: index for index, chunk in enumerate(partition.memory)}
    args = []
    for numa in partition.numa:
        memory = f",memdev=ram{chunk_of[numa.local_id]}" if numa.local_id in chunk_of else ""
        initiator = "" if numa.local_cpus else f",initiator={numa.initiator}"
        args += ["-numa", f"node,nodeid={numa.local_id}{memory}{initiator}"]
    for at, numa_id in _places(partition):
        # QEMU 7.2 refuses die-id here when there is one die.
        place = _place(at, with_die=partition.smp.shape.dies > 1)
        args += ["-numa", f"cpu,node-id={numa_id},{place}"]
    for source in partition.numa:
        for target in partition.numa[source.local_id + 1 :]:
            distance = partition.distances[source.local_id][target.local_id]
            args += ["-numa", f"dist,src={source.local_id},dst={target.local_id},val={distance}"]
    return args


def _places(partition: PartitionPlan) -> list[tuple[Position, int]]:
    """All places of the shape with their local NUMA node; a spare one has that of its socket's first CPU."""
    owned = {cpu.at: cpu for cpu in partition.cpus}
    first_of_socket: dict[int, CpuPlan] = {}
    for cpu in partition.cpus:
        first_of_socket.setdefault(cpu.at.socket, cpu)
    return [
        (at, owned.get(at, first_of_socket.get(at.socket, partition.cpus[0])).local_numa)
        for at in partition.smp.shape.positions()
    ]


def hmat_args(partition: PartitionPlan) -> list[str]:
    args = []
    for row in partition.hmat:
        pair = f"hmat-lb,initiator={row.initiator},target={row.target},hierarchy=memory"
        args += ["-numa", f"{pair},data-type=access-latency,latency={row.latency_ns}"]
        args += ["-numa", f"{pair},data-type=access-bandwidth,bandwidth={row.bandwidth_mbps}M"]
    return args


def firmware_of(partition: PartitionPlan, accelerator: str) -> Firmware:
    """The LWK sets MTRRs and BARs itself; of a kernel of somebody's own nothing is known."""
    if partition.kind.runs_linux:
        return ACCELERATIONS[accelerator].linux_firmware
    return Firmware.QBOOT if partition.kind is KernelKind.LWK else Firmware.SEABIOS


def kernel_args(partition: PartitionPlan, wiring: Wiring, accelerator: str, tsc_khz: int) -> list[str]:
    args = ["-kernel", str(wiring.kernel)]
    if wiring.initrd:
        args += ["-initrd", wiring.initrd]
    cmdline = partition.cmdline
    if partition.kind.runs_linux:
        cmdline = linux_cmdline(partition, accelerator, tsc_khz)
    if cmdline:
        args += ["-append", cmdline]
    return args


def linux_cmdline(partition: PartitionPlan, accelerator: str, tsc_khz: int) -> str:
    """What a person wrote comes last, and so wins."""
    words = [
        "console=ttyS0",
        # Each byte on the serial line costs an exit; panics are printed all the same, and dmesg has the rest.
        "quiet",
        # Reset when the panic notifiers have run: a dead kernel must not stay silent for ever.
        "panic=-1",
        # With one CPU Linux takes the lock prefixes out of itself and ikc.ko, but the region has many users.
        "noreplace-smp",
        f"enclave.partition={partition.name}",
        *ACCELERATIONS[accelerator].linux_words,
        "noapictimer" if _has_hpet_timers(partition, accelerator) else "",
        # Under TCG calibration takes a second per CPU. This is right for a TSC of 2.5 GHz; it only scales
        # short delays, so half or twice that does no harm.
        f"lpj={2_500_000_000 // LINUX_HZ[partition.kind]}" if accelerator == "tcg" else "",
        # By the emulated PIT it often fails on a busy computer, and then takes half a second.
        f"tsc_early_khz={tsc_khz}" if tsc_khz else "",
        partition.cmdline,
    ]
    return " ".join(filter(None, words))


def monitor_args(wiring: Wiring) -> list[str]:
    """One monitor for the supervisor, and one for people: a monitor serves one client at a time."""
    people = f"socket,id=people,path={_quoted(wiring.people)},server=on,wait=off"
    return [
        *("-chardev", _with_id(wiring.qmp, "qmp")),
        *("-mon", "chardev=qmp,mode=control"),
        *("-chardev", people),
        *("-mon", "chardev=people,mode=control"),
    ]


def serial_args(wiring: Wiring) -> list[str]:
    return ["-chardev", _with_id(wiring.serial, "serial"), "-serial", "chardev:serial"]


def panic_args(partition: PartitionPlan) -> list[str]:
    """pvpanic: on PCI for Linux, whose driver of that name needs no ACPI; else on its ISA port."""
    if partition.kind.runs_linux:
        return ["-device", f"pvpanic-pci,bus=pcie.0,addr={pci_slots.PANIC:#x}"]
    return ["-device", "pvpanic"]


def verdict_args(partition: PartitionPlan) -> list[str]:
    """An LWK that is told to test itself ends QEMU with its verdict as exit status, 2 * verdict + 1."""
    if partition.kind is KernelKind.LWK and "selftest=" in partition.cmdline:
        return ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    return []


def fabric_args(wiring: Wiring) -> list[str]:
    device = f"ivshmem-doorbell,chardev=fabric,vectors={VECTORS},bus=pcie.0,addr={pci_slots.FABRIC:#x}"
    return ["-chardev", _with_id(wiring.fabric, "fabric"), "-device", device]


def high_bars_args(partition: PartitionPlan, accelerator: str) -> list[str]:
    """What gets windows above 4 GiB, where MTRRs let Linux map them write-back.

    SeaBIOS moves 64-bit BARs up only when they do not all fit below, so a root port without a device asks for
    more room than there is; and as much room as it takes up there, Linux is told of. Linux itself has them up
    there anyhow, and must be told beforehand.
    """
    if not partition.windows:
        return []
    if firmware_of(partition, accelerator) is Firmware.SEABIOS:
        port = f"pcie-root-port,id=high-bars,chassis=1,slot=1,pref64-reserve={HIGH_BARS_RESERVE}"
        return ["-device", f"{port},bus=pcie.0,addr={pci_slots.HIGH_BARS:#x}"]
    # Each is aligned to its size.
    room = 2 * sum(window.size_bytes for window in partition.windows)
    if room <= HIGH_BARS_ROOM:
        return []
    return ["-global", f"q35-pcihost.pci-hole64-size={format_size(room)}"]


def window_args(partition: PartitionPlan, wiring: Wiring, placement: Placement | None) -> list[str]:
    args = []
    for index, window in enumerate(partition.windows):
        # Bound as its owner binds it: whoever touches a page first places it.
        bound = _memory_place(placement, window.partition, window.chunk)
        args += _shared_file(f"window{index}", format_size(window.size_bytes), wiring.windows[index], bound)
        at = f"bus=pcie.0,addr={window.slot:#x}.{window.function},multifunction=on"
        args += ["-device", f"ivshmem-plain,memdev=window{index},{at}"]
    return args


def network_args(partition: PartitionPlan) -> list[str]:
    """Linux can be reached by SSH on a port of this computer that QEMU picks, and reaches nothing itself."""
    if not partition.kind.runs_linux:
        return []
    return [
        *("-netdev", "user,id=network,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"),
        # Without its boot ROM, which the firmware would run.
        *("-device", f"virtio-net-pci,netdev=network,romfile=,bus=pcie.0,addr={pci_slots.NETWORK:#x}"),
    ]


def _socket(path: Path, server: bool) -> str:
    return f"socket,path={_quoted(path)}" + (",server=on,wait=off" if server else "")


def _with_id(chardev: str, name: str) -> str:
    backend, _, options = chardev.partition(",")
    return f"{backend},id={name},{options}" if options else f"{backend},id={name}"


def _quoted(path: Path | str) -> str:
    """A comma would begin QEMU's next option."""
    return str(path).replace(",", ",,")
