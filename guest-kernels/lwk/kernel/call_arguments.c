/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers of a program, before its proxy uses them: there they could lead to what is the proxy's. */
#include <lwk/call_arguments.h>
#include <lwk/user_copy.h>

#define PROXY_END 0x800000000000ull /* what Linux gives a process ends here */

#define VECTORS_MAX 1024 /* more are EINVAL, by the proxy; of messages it takes no more at once */

struct vector {
	uint64_t start;
	uint64_t size;
};

struct message_header {
	uint64_t name;
	uint64_t name_size;
	uint64_t vectors;
	uint64_t vector_count;
	uint64_t control;
	uint64_t control_size;
	uint64_t flags;
};

/* Of recvmmsg and sendmmsg. */
struct many_header {
	struct message_header header;
	uint64_t length;
};

/* Another thread may change them after this: then the proxy's rights are what is left to protect. */
static bool vectors_are_good(uint64_t at, uint64_t count)
{
	struct vector vector;

	for (uint64_t i = 0; i < MIN(count, (uint64_t)VECTORS_MAX); i++) {
		if (copy_from_user(&vector, at + i * sizeof(vector), sizeof(vector)))
			return false;
		if (vector.size && vector.start >= IKC_USER_END)
			return false;
	}
	return true;
}

static bool header_is_good(uint64_t at)
{
	struct message_header header;

	return !copy_from_user(&header, at, sizeof(header)) && header.name < IKC_USER_END &&
	       header.control < IKC_USER_END && vectors_are_good(header.vectors, header.vector_count);
}

static bool headers_are_good(uint64_t at, uint32_t count)
{
	for (uint32_t i = 0; i < MIN(count, (uint32_t)VECTORS_MAX); i++)
		if (!header_is_good(at + i * sizeof(struct many_header)))
			return false;
	return true;
}

/* Vectors of a process: of another one they lead to whatever that has. */
static bool remote_vectors_are_good(const struct call *call, uint64_t at, uint64_t count)
{
	return (uint32_t)call->args[0] == call->process->id ? vectors_are_good(at, count) : at < IKC_USER_END;
}

/* A set of signals and its size, by which pselect6 has a seventh argument. */
static bool set_is_good(uint64_t at)
{
	struct vector set;

	return !at || (!copy_from_user(&set, at, sizeof(set)) && set.start < IKC_USER_END);
}

static bool argument_is_good(const struct call *call, char kind, int at)
{
	uint64_t value = call->args[at];

	switch (kind) {
	case 'p':
	case 's':
		return value < IKC_USER_END;
	case 'v':
		return value < IKC_USER_END || value >= PROXY_END;
	case 'w':
		return vectors_are_good(value, call->args[at + 1]);
	case 'o':
		return remote_vectors_are_good(call, value, call->args[at + 1]);
	case 'm':
		return header_is_good(value);
	case 'M':
		return headers_are_good(value, call->args[at + 1]);
	case 'k':
		return set_is_good(value);
	default:
		return true;
	}
}

HOT bool call_arguments_are_good(const struct call *call, const char *kinds)
{
	for (int i = 0; kinds[i]; i++)
		if (!argument_is_good(call, kinds[i], i))
			return false;
	return true;
}
