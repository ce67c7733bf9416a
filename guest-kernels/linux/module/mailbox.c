// SPDX-License-Identifier: GPL-2.0-only
/* The mailbox: commands of the monitor. */
#include <linux/cpumask.h>
#include <linux/panic.h>
#include <linux/reboot.h>
#include <linux/stop_machine.h>
#include <asm/desc.h>

#include "mailbox.h"

static int mailbox_hang(void *unused)
{
	for (;;)
		cpu_relax();
	return 0;
}

/* Neither the exception nor the double fault that comes of it has a gate. */
static void mailbox_triple_fault(void)
{
	static const struct desc_ptr no_table;

	local_irq_disable();
	native_load_idt(&no_table);
	asm volatile("int3");
}

static void mailbox_obey(u32 command)
{
	switch (command) {
	case IKC_COMMAND_SHUTDOWN:
		orderly_poweroff(true);
		break;
	case IKC_COMMAND_RESTART:
		orderly_reboot();
		break;
	case IKC_COMMAND_PANIC:
		panic("panic asked for by the monitor");
	case IKC_COMMAND_HANG:
		/* Every CPU, with interrupts off: no other of them may take over. */
		stop_machine(mailbox_hang, NULL, cpu_online_mask);
		break;
	case IKC_COMMAND_TRIPLE_FAULT:
		mailbox_triple_fault();
		break;
	default: /* the answer was all there is to do */
		break;
	}
}

void mailbox_serve(struct life *life)
{
	const struct ikc_mailbox *mailbox = &life->region->own->mailbox;
	u32 sequence = ikc_load_acquire(&mailbox->sequence);
	u32 command = ikc_load(&mailbox->command);

	if (sequence == life->answered)
		return;
	/* Answered first: after some of these there is nobody left to answer. */
	life_answer(life, sequence, command <= IKC_COMMAND_TRIPLE_FAULT ? IKC_MAILBOX_DONE : IKC_MAILBOX_UNKNOWN);
	mailbox_obey(command);
}
