/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "check.h"
#include "link_ring.h"
#include "region_pair.h"
#include "waiting.h"

/* As long as a computer with much else to do may take. */
#define LINK_DEADLINE_MS 20000

struct machine machine;

struct fabric *end_fabric(struct end *end)
{
	return pci_get_drvdata(&end->pdev);
}

struct link *end_link(struct end *end, u32 peer)
{
	return fabric_link(end_fabric(end), peer);
}

/* ---- doorbells ---- */

static struct end *end_of_registers(const void *registers)
{
	for (u32 i = 0; i < machine.count; i++)
		if (machine.ends[i].pdev.registers == registers)
			return &machine.ends[i];
	CHECK(!"a doorbell's register");
	return NULL;
}

struct pci_dev *pci_peer(const void *registers, u32 peer)
{
	bool lost = peer >= machine.count || READ_ONCE(end_of_registers(registers)->cut);

	return lost ? NULL : &machine.ends[peer].pdev;
}

static void monitor_rings_everybody(void)
{
	for (u32 i = 0; i < machine.count; i++)
		pci_ring(&machine.ends[i].pdev, IKC_VECTOR_CONTROL);
}

/* ---- lives ---- */

int end_start(struct end *end)
{
	int err = fabric_probe(&end->pdev);

	if (err)
		pci_release(&end->pdev);
	return err;
}

void end_stop(struct end *end)
{
	const struct ikc_pool *pool = &end_fabric(end)->shared.lending.pool;

	fabric_remove(&end->pdev);
	for (u32 i = 0; i < IKC_POOL_PAGES; i++)
		CHECK(!ikc_pool_is_used(pool, i));
	pci_release(&end->pdev);
	pci_set_drvdata(&end->pdev, NULL);
}

void end_kill(struct end *end)
{
	WRITE_ONCE(end->cut, true);
	guarded_cut(&machine.memory, (int)end->index);
	monitor_ends_life(&machine.memory, end->index);
	monitor_rings_everybody();
}

void end_boot(struct end *end)
{
	guarded_join(&machine.memory, (int)end->index);
	WRITE_ONCE(end->cut, false);
	monitor_begins_life(&machine.memory, end->index);
	monitor_rings_everybody();
}

void end_reset_link(struct end *end, u32 peer)
{
	struct link *link = end_link(end, peer);

	mutex_lock(&link->lock);
	link_give_up(link);
	link_schedule_control(link->works);
	mutex_unlock(&link->lock);
}

static int link_try_running(void *context)
{
	struct link *link = context;
	bool runs;

	mutex_lock(&link->lock);
	runs = link_runs(link);
	mutex_unlock(&link->lock);
	return runs ? 0 : -EAGAIN;
}

void end_await_link(struct end *end, u32 peer)
{
	struct link *link = end_link(end, peer);
	long left = msecs_to_jiffies(LINK_DEADLINE_MS);

	if (!waiting_for(&link->writable, link_try_running, link, &left))
		return;
	fprintf(stderr, "the link from %u to %u did not come to RUN: it is in state %d\n", end->index, peer,
		(int)link->ikc.state);
	abort();
}

void machine_await_links(void)
{
	for (u32 i = 0; i < machine.count; i++)
		for (u32 peer = 0; peer < machine.count; peer++)
			if (peer != i)
				end_await_link(&machine.ends[i], peer);
}

static void end_create(struct end *end, u32 index)
{
	end->index = index;
	end->pdev.registers[IKC_REG_IVPOSITION / sizeof(u32)] = index;
	end->pdev.memory = machine.memory.at[index];
	end->pdev.memory_size = machine.memory.size;
	pci_start(&end->pdev);
	monitor_begins_life(&machine.memory, index);
}

void machine_start(u32 count)
{
	memset(&machine, 0, sizeof(machine));
	machine.memory = region_create(count);
	machine.count = count;
	workqueues_start();
	for (u32 i = 0; i < count; i++)
		end_create(&machine.ends[i], i);
	for (u32 i = 0; i < count; i++)
		CHECK_EQ(end_start(&machine.ends[i]), 0);
	machine_await_links();
}

void machine_stop(void)
{
	for (u32 i = 0; i < machine.count; i++)
		if (end_fabric(&machine.ends[i]))
			end_stop(&machine.ends[i]);
	for (u32 i = 0; i < machine.count; i++)
		pci_stop(&machine.ends[i].pdev);
	workqueues_stop();
	CHECK_EQ(slab_live(), 0);
	guarded_destroy(&machine.memory);
}
