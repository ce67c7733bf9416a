/* SPDX-License-Identifier: Apache-2.0 */
/* IKC_PORT_BENCH: measurements between kernels, and of this one alone (ikc/ikc_bench.h). */
#ifndef LWK_IKC_BENCH_H
#define LWK_IKC_BENCH_H

#include <ikc/ikc_bench.h>
#include <lwk/ikc_channel.h>
#include <lwk/types.h>

/* The service and who takes orders; before the links start. */
void ikc_bench_init(void);

/* One measurement: there is no second at the same time. */
struct bench {
	uint32_t kind;
	uint32_t size;
	uint32_t count;
	unsigned int cpu_id; /* where this kernel's part is played */
	unsigned int peer_cpu; /* RING: where it is taken; else asked of the peer */
	uint64_t ns; /* what was found */

	struct channel *channel;
	bool ended; /* the channel, before its part began */

	/* while the part is played */
	uint8_t *buffer; /* of `size` bytes, and of a whole message */
	uint64_t *own; /* words of the bare kinds */
	const uint64_t *peer;
	uint32_t ticks; /* of the CPU's timer: who waits sees by them how long */
};

/* On bench->cpu_id, in work, with the channel open: what the service does, what an opener does. */
enum ikc_bench_fault bench_serve(struct bench *bench, const struct ikc_bench_request *request);
enum ikc_bench_fault bench_measure(struct bench *bench);

/* The kinds that need no peer; on bench->cpu_id, in work. */
enum ikc_bench_fault bench_measure_alone(struct bench *bench);

/* ---- for the parts ---- */

#define BENCH_TICK_MS 250
#define BENCH_TICKS (IKC_BENCH_PATIENCE_MS / BENCH_TICK_MS + 1) /* the first may come at once */

/* Lets the ticks run, and ends them. Each on bench->cpu_id. */
void bench_start_ticks(struct bench *bench);
void bench_stop_ticks(void);

static inline bool bench_is_late(const struct bench *bench, uint32_t since)
{
	return __atomic_load_n(&bench->ticks, __ATOMIC_RELAXED) - since >= BENCH_TICKS;
}

#endif
