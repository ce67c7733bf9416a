/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of the monitor. Each is answered before it is obeyed, because most of them are not
 * survived.
 */
#include <arch/cpu.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_mailbox.h>
#include <lwk/ikc_status.h>
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/power.h>

static uint32_t answered;

uint32_t ikc_mailbox_init(void)
{
	answered = ikc_load_acquire(&ikc_local.partition->mailbox.sequence);
	return answered;
}

static _Noreturn void shut_down(void)
{
	log_info("ikc: the monitor asks for a shutdown");
	ikc_status_set(IKC_PARTITION_STOPPING);
	power_off();
}

static _Noreturn void restart(void)
{
	log_info("ikc: the monitor asks for a restart");
	ikc_status_set(IKC_PARTITION_RESTARTING);
	power_reset();
}

static _Noreturn void hang(void)
{
	log_info("ikc: the monitor asks this CPU to hang");
	for (;;)
		cpu_relax();
}

static void obey(enum ikc_command command)
{
	switch (command) {
	case IKC_COMMAND_SHUTDOWN:
		shut_down();
	case IKC_COMMAND_RESTART:
		restart();
	case IKC_COMMAND_PANIC:
		panic("panic asked for by the monitor");
	case IKC_COMMAND_HANG:
		hang();
	case IKC_COMMAND_TRIPLE_FAULT:
		log_info("ikc: the monitor asks for a triple fault");
		power_triple_fault();
	default: /* the answer was all there is to do */
		return;
	}
}

void ikc_mailbox_look(void)
{
	const struct ikc_mailbox *mailbox = &ikc_local.partition->mailbox;
	uint32_t sequence = ikc_load_acquire(&mailbox->sequence);
	uint32_t command = ikc_load(&mailbox->command);

	if (sequence == answered)
		return;
	answered = sequence;
	ikc_status_answer(sequence,
			  command <= IKC_COMMAND_TRIPLE_FAULT ? IKC_MAILBOX_DONE : IKC_MAILBOX_UNKNOWN);
	obey(command);
}
