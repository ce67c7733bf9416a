/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on who a process is to Linux. */
#include <lwk/calls.h>
#include <lwk/ids.h>

enum {
	CALL_GETUID = IDS_FIRST_CALL,
	CALL_GETGID = 104,
	CALL_SETUID = 105,
	CALL_SETGID = 106,
	CALL_GETEUID = 107,
	CALL_GETEGID = 108,
	CALL_SETREUID = 113,
	CALL_SETREGID = 114,
	CALL_SETRESUID = 117,
	CALL_SETRESGID = IDS_LAST_CALL,
};

static void forget(struct process *process)
{
	uint64_t flags = spin_lock(&process->lock);

	process->ids.changes++;
	process->ids.known = 0;
	spin_unlock(&process->lock, flags);
}

/* What the proxy said before a change, and is heard after it, is not kept. */
static void keep(struct process *process, enum id id, int64_t value, uint32_t changes)
{
	uint64_t flags = spin_lock(&process->lock);

	if (value >= 0 && process->ids.changes == changes) {
		process->ids.values[id] = value;
		process->ids.known |= 1u << id;
	}
	spin_unlock(&process->lock, flags);
}

void ids_note(struct process *process, uint64_t number, int64_t result, uint32_t changes)
{
	switch (number) {
	case CALL_SETUID:
	case CALL_SETGID:
	case CALL_SETREUID:
	case CALL_SETREGID:
	case CALL_SETRESUID:
	case CALL_SETRESGID:
		forget(process);
		break;
	case CALL_GETUID:
		keep(process, ID_USER, result, changes);
		break;
	case CALL_GETEUID:
		keep(process, ID_EFFECTIVE_USER, result, changes);
		break;
	case CALL_GETGID:
		keep(process, ID_GROUP, result, changes);
		break;
	case CALL_GETEGID:
		keep(process, ID_EFFECTIVE_GROUP, result, changes);
		break;
	}
}

static int64_t get(const struct call *call, enum id id)
{
	uint64_t flags = spin_lock(&call->process->lock);
	const struct ids *ids = &call->process->ids;
	int64_t value = ids->known >> id & 1 ? (int64_t)ids->values[id] : CALL_OFFLOAD;

	spin_unlock(&call->process->lock, flags);
	return value;
}

int64_t call_getuid(struct call *call)
{
	return get(call, ID_USER);
}

int64_t call_geteuid(struct call *call)
{
	return get(call, ID_EFFECTIVE_USER);
}

int64_t call_getgid(struct call *call)
{
	return get(call, ID_GROUP);
}

int64_t call_getegid(struct call *call)
{
	return get(call, ID_EFFECTIVE_GROUP);
}
