/* SPDX-License-Identifier: Apache-2.0 */
/* A log and a trace that hold what libFuzzer likes, and their readers. */
#include "check.h"
#include "fuzz.h"
#include "guarded.h"
#include "ikc_log.h"
#include "ikc_trace.h"
#include "trace_reader.h"

#define pages_of(type) ((sizeof(type) + IKC_PAGE_SIZE - 1) / IKC_PAGE_SIZE * IKC_PAGE_SIZE)

static struct ikc_log *text;
static struct ikc_trace *trace;
static char *buffer;

/* Each ends where its memory does. */
static void *at_the_end(size_t pages, size_t size)
{
	struct guarded memory = guarded_create(pages);

	return (uint8_t *)memory.at[0] + memory.size - size;
}

static void begin(void)
{
	if (!text) {
		text = at_the_end(pages_of(struct ikc_log), sizeof(*text));
		trace = at_the_end(pages_of(struct ikc_trace), sizeof(*trace));
		buffer = guarded_end(IKC_PAGE_SIZE);
	}
	text->reserved = text->written = 0;
	memset(trace, 0, sizeof(*trace));
}

static void read_log(struct script *script, uint64_t *at)
{
	uint32_t capacity = script_choice(script, IKC_PAGE_SIZE + 1);
	uint64_t lost, before = *at;
	uint32_t count = ikc_log_read(text, at, buffer + IKC_PAGE_SIZE - capacity, capacity, &lost);

	CHECK(count <= capacity);
	CHECK(*at < before || *at - before >= count);
}

static void read_trace(uint64_t *at)
{
	struct ikc_trace_record record;
	uint64_t lost = 0;

	for (uint32_t i = 0; trace_next(trace, at, &record, &lost); i++)
		CHECK(i < IKC_TRACE_RECORDS);
}

static void write_some(struct script *script)
{
	struct ikc_passage passage = { .time_ns = 1 };
	struct ikc_message message = { script_choice(script, IKC_PAGE_SIZE + 1), 1, 2 };
	char *from = buffer + IKC_PAGE_SIZE - message.length;

	ikc_trace_write(trace, &passage, &message, from);
	ikc_log_write(text, from, message.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, data + size };
	uint64_t log_at = 0, trace_at = 0;

	begin();
	while (script.at < script.end) {
		switch (script_choice(&script, 6)) {
		case 0:
			read_log(&script, &log_at);
			break;
		case 1:
			read_trace(&trace_at);
			break;
		case 2:
			write_some(&script);
			break;
		case 3:
			script_scribbles(&script, text, 64);
			break;
		case 4:
			script_scribbles(&script, trace, 8);
			break;
		default:
			script_scribbles(&script, trace->records, sizeof(trace->records));
		}
	}
	return 0;
}
