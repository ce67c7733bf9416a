# SPDX-License-Identifier: Apache-2.0
"""`info registers -a`, as QEMU 7.2 prints it."""

from orchestrator.registers import Table, parse_registers

# Of two CPUs: one of an LWK that halts, one that runs a program; what is not looked at is left out.
TEXT = """\r
CPU#0\r
RAX=0000000000000001 RBX=0000000000000003 RCX=0000000000000000 RDX=0000000000000505\r
R8 =0000000000000032 R9 =ffffd00000004a40 R10=ffffd00000004b30 R11=00000000000000ff\r
RIP=ffffffff8020fb93 RFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\r
CS =0008 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\r
TR =0018 ffffffff802240c8 00000067 00008900 DPL=0 TSS64-avl\r
GDT=     ffffffff802240a0 00000027\r
IDT=     ffffffff80229020 00000fff\r
CR0=80010033 CR2=0000000000000010 CR3=0000000000263000 CR4=000000e0\r
EFER=0000000000000d00\r
FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\r
\r
CPU#1
RIP=0000000000401000 RFL=00000246 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0
EFER=0000000000000d01
"""


def test_words_and_tables_of_each_cpu() -> None:
    halted, running = parse_registers(TEXT)
    assert (halted.number, halted.rip, halted.words["r8"]) == (0, 0xFFFF_FFFF_8020_FB93, 0x32)
    assert (halted.words["cr2"], halted.words["cr3"], halted.words["cr4"]) == (0x10, 0x26_3000, 0xE0)
    assert halted.idt == Table(0xFFFF_FFFF_8022_9020, 0xFFF)
    assert halted.tss == Table(0xFFFF_FFFF_8022_40C8, 0x67)
    assert (halted.halted, halted.interrupts_off, halted.in_user_mode) == (True, True, False)
    assert (running.number, running.rip) == (1, 0x40_1000)
    assert (running.halted, running.interrupts_off, running.in_user_mode) == (False, False, True)
    assert running.in_long_mode


def test_old_modes_have_the_same_names() -> None:
    (cpu,) = parse_registers(
        "CPU#0\nEAX=00000007 EBP=00000010\nEIP=0000fff0 EFL=00000202 CPL=0 HLT=0\nES =0010 0"
    )
    assert (cpu.rip, cpu.words["rax"], cpu.words["rbp"]) == (0xFFF0, 7, 0x10)
    assert not cpu.interrupts_off
    assert not cpu.in_long_mode


def test_what_is_no_dump_has_no_cpus() -> None:
    assert parse_registers("") == []
    assert parse_registers("unknown command: 'info registers -a'\r\n") == []
    (cpu,) = parse_registers("CPU#3\nnothing that is known")
    assert (cpu.number, cpu.rip, cpu.halted) == (3, 0, False)
