// SPDX-License-Identifier: GPL-2.0-only
/* The status page of this partition: states, CPUs, and the text of a panic. */
#include <linux/cpu.h>
#include <linux/kmsg_dump.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/timekeeping.h>

#include <asm/tsc.h>

#include "life.h"
#include "report.h"

/* What panic() prints before the reason. */
#define LIFE_PANIC_MESSAGE "Kernel panic - not syncing: "

static void life_say(struct life *life, enum ikc_partition_state state)
{
	ikc_store_release(&life->status->state, (u32)state);
	region_ring_monitor(life->region);
}

void life_set_ready(struct life *life)
{
	ikc_store(&life->status->ready_ns, ktime_get_ns());
	life_say(life, IKC_PARTITION_READY);
	klog_flush(life->klog);
}

void life_answer(struct life *life, u32 sequence, enum ikc_mailbox_result result)
{
	struct ikc_status *status = life->status;

	life->answered = sequence;
	ikc_store(&status->heartbeat, ikc_load(&status->heartbeat) + 1);
	ikc_store(&status->answer, (u32)result);
	ikc_store_release(&status->answered, sequence);
	region_ring_monitor(life->region);
}

/*
 * Where the panic's own text begins in the newest lines of the log: at its message, if a backtrace comes
 * after that. If none does, it came from an oops, which is before the message. NULL: not found.
 */
static const char *life_find_panic(const char *lines)
{
	const char *message = strstr(lines, LIFE_PANIC_MESSAGE);
	const char *end = message ? strchr(message, '\n') : NULL;

	return end && end[1] ? message : NULL;
}

static u32 life_write_panic_text(struct life *life, const char *reason)
{
	char *shared = life->status->panic_text;
	struct kmsg_dump_iter at;
	const char *message;
	size_t length = 0;

	kmsg_dump_rewind(&at);
	kmsg_dump_get_buffer(&at, false, life->lines, sizeof(life->lines) - 1, &length);
	life->lines[length] = '\0';
	message = life_find_panic(life->lines);
	if (message)
		return scnprintf(shared, IKC_PANIC_TEXT_SIZE, "%s", message);
	return scnprintf(shared, IKC_PANIC_TEXT_SIZE, LIFE_PANIC_MESSAGE "%s\n%s", reason, life->lines);
}

static int life_panic(struct notifier_block *block, unsigned long event, void *reason)
{
	struct life *life = container_of(block, struct life, panic);
	u32 length = life_write_panic_text(life, reason);

	klog_flush(life->klog);
	ikc_store(&life->status->panic_length, length);
	ikc_store(&life->status->panic_cpu, (u32)raw_smp_processor_id());
	life_say(life, IKC_PARTITION_PANICKED);
	return NOTIFY_DONE;
}

static int life_reboot(struct notifier_block *block, unsigned long event, void *unused)
{
	struct life *life = container_of(block, struct life, reboot);

	klog_flush(life->klog);
	life_say(life, event == SYS_RESTART ? IKC_PARTITION_RESTARTING : IKC_PARTITION_STOPPING);
	return NOTIFY_DONE;
}

static void life_say_cpus(struct hlist_node *node, u32 online)
{
	struct life *life = hlist_entry(node, struct life, hotplug);

	ikc_store(&life->status->cpus_online, online);
	region_ring_monitor(life->region);
}

static int life_cpu_up(unsigned int cpu, struct hlist_node *node)
{
	life_say_cpus(node, num_online_cpus());
	return 0;
}

/* Called on the CPU that goes down, while it still counts. */
static int life_cpu_down(unsigned int cpu, struct hlist_node *node)
{
	life_say_cpus(node, num_online_cpus() - 1);
	return 0;
}

static int life_follow_cpus(struct life *life)
{
	int err;

	life->hotplug_state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "ikc:online", life_cpu_up,
						      life_cpu_down);
	if (life->hotplug_state < 0)
		return life->hotplug_state;
	err = cpuhp_state_add_instance_nocalls(life->hotplug_state, &life->hotplug);
	if (err)
		cpuhp_remove_multi_state(life->hotplug_state);
	return err;
}

/* In the order that struct ikc_status asks for: nothing of an earlier life is taken for ours. */
static int life_begin_page(struct life *life)
{
	struct ikc_status *status = life->status;
	int err;

	ikc_store_release(&status->state, (u32)IKC_PARTITION_NONE);
	ikc_store(&status->report_valid, 0);
	ikc_store(&status->panic_length, 0);
	ikc_store(&status->heartbeat, 0);
	ikc_store(&status->ready_ns, 0);
	ikc_store(&status->entry_ns, ktime_get_ns());
	ikc_store(&status->tsc_khz, tsc_khz);
	ikc_store(&status->cpus_online, num_online_cpus());
	err = report_write(&life->region->own->report);
	if (err)
		return err;
	ikc_store_release(&status->report_valid, 1);
	/* Commands from before this moment were meant for an earlier life. */
	life->answered = ikc_load_acquire(&life->region->own->mailbox.sequence);
	ikc_store_release(&status->answered, life->answered);
	ikc_store_release(&status->incarnation, life->region->incarnation);
	return 0;
}

int life_start(struct life *life, const struct region *region, struct klog *klog)
{
	int err;

	life->region = region;
	life->klog = klog;
	life->status = &region->own->status;
	/* First of all: another notifier may stop the machine (pvpanic does). */
	life->panic = (struct notifier_block) { .notifier_call = life_panic, .priority = INT_MAX };
	life->reboot = (struct notifier_block) { .notifier_call = life_reboot };
	err = life_begin_page(life);
	if (err)
		return err;

	err = life_follow_cpus(life);
	if (err)
		return err;
	err = register_reboot_notifier(&life->reboot);
	if (err)
		goto unfollow;
	atomic_notifier_chain_register(&panic_notifier_list, &life->panic);
	life_say(life, IKC_PARTITION_BOOTING);
	return 0;

unfollow:
	cpuhp_state_remove_instance_nocalls(life->hotplug_state, &life->hotplug);
	cpuhp_remove_multi_state(life->hotplug_state);
	return err;
}

void life_stop(struct life *life)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &life->panic);
	unregister_reboot_notifier(&life->reboot);
	cpuhp_state_remove_instance_nocalls(life->hotplug_state, &life->hotplug);
	cpuhp_remove_multi_state(life->hotplug_state);
	life_say(life, IKC_PARTITION_NONE);
}
