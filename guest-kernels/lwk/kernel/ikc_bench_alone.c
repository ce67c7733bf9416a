/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What messages between kernels are compared with, inside of this one: a bare ring between two of its
 * CPUs, and the copying of memory.
 */
#include <lwk/cpu.h>
#include <lwk/ikc_bench.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/work.h>

#define SLOTS IKC_CHANNEL_SLOTS

/* One sender, one receiver, and nothing that a stranger could do to it. */
struct ring {
	_Alignas(CACHE_LINE) uint32_t head;
	_Alignas(CACHE_LINE) uint32_t tail;
	_Alignas(CACHE_LINE) uint8_t slots[SLOTS][IKC_MESSAGE_MAX];
};

struct receiving {
	struct work work;
	struct bench *bench;
	struct ring *ring;
	uint8_t *item;
	bool here;
	bool gone; /* last: nothing of it is used any more */
};

static bool await_change(const struct bench *bench, const uint32_t *word, uint32_t unwanted)
{
	uint32_t since = ikc_load(&bench->ticks);

	while (ikc_load_acquire(word) == unwanted)
		if (bench_is_late(bench, since))
			return false;
	return true;
}

static void receive(struct work *work)
{
	struct receiving *receiving = container_of(work, struct receiving, work);
	struct bench *bench = receiving->bench;
	struct ring *ring = receiving->ring;
	uint32_t tail;

	__atomic_store_n(&receiving->here, true, __ATOMIC_RELEASE);
	for (tail = 0; tail < bench->count && await_change(bench, &ring->head, tail); tail++) {
		memcpy(receiving->item, ring->slots[tail % SLOTS], bench->size);
		ikc_store_release(&ring->tail, tail + 1);
	}
	__atomic_store_n(&receiving->gone, true, __ATOMIC_RELEASE);
}

static bool send_all(struct bench *bench, struct ring *ring, const uint8_t *item)
{
	uint32_t head, tail;

	for (head = 0; head < bench->count; head++) {
		if (!await_change(bench, &ring->tail, head - SLOTS))
			return false;
		memcpy(ring->slots[head % SLOTS], item, bench->size);
		ikc_store_release(&ring->head, head + 1);
	}
	while ((tail = ikc_load_acquire(&ring->tail)) != head)
		if (!await_change(bench, &ring->tail, tail))
			return false;
	return true;
}

/* The receiver gives up as the sender does, and only then the ring may go. */
static enum ikc_bench_fault measure_ring(struct bench *bench, struct ring *ring, uint8_t *items)
{
	struct receiving receiving = {
		.work = { .run = receive },
		.bench = bench,
		.ring = ring,
		.item = items + IKC_MESSAGE_MAX,
	};
	bool fine;
	uint64_t begin;

	ring->head = 0;
	ring->tail = 0;
	work_queue(bench->peer_cpu, &receiving.work);
	while (!__atomic_load_n(&receiving.here, __ATOMIC_ACQUIRE))
		cpu_relax();
	begin = time_ns();
	fine = send_all(bench, ring, items);
	bench->ns = time_ns() - begin;
	while (!__atomic_load_n(&receiving.gone, __ATOMIC_ACQUIRE))
		cpu_relax();
	return fine ? IKC_BENCH_FINE : IKC_BENCH_TOO_SLOW;
}

static enum ikc_bench_fault measure_memcpy(struct bench *bench, uint8_t *to, const uint8_t *from)
{
	uint64_t begin = time_ns();

	for (uint32_t i = 0; i < bench->count; i++)
		memcpy(to, from, bench->size);
	bench->ns = time_ns() - begin;
	return IKC_BENCH_FINE;
}

static unsigned int order_of(uint64_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static enum ikc_bench_fault measure(struct bench *bench, uint8_t *memory)
{
	struct ring *ring = (struct ring *)memory;

	if (bench->kind == IKC_BENCH_MEMCPY)
		return measure_memcpy(bench, memory, memory + ALIGN_UP((uint64_t)bench->size, PAGE_SIZE));
	return measure_ring(bench, ring, (uint8_t *)(ring + 1));
}

enum ikc_bench_fault bench_measure_alone(struct bench *bench)
{
	uint64_t size = bench->kind == IKC_BENCH_MEMCPY ? 2 * ALIGN_UP((uint64_t)bench->size, PAGE_SIZE)
							 : sizeof(struct ring) + 2 * IKC_MESSAGE_MAX;
	paddr_t pages = page_alloc(order_of(size), NODE_LOCAL, PAGE_ZERO);
	enum ikc_bench_fault fault;

	if (!pages)
		return IKC_BENCH_BAD_REQUEST;
	bench_start_ticks(bench);
	fault = measure(bench, phys_to_virt(pages));
	bench_stop_ticks();
	page_free(pages, order_of(size));
	return fault;
}
