/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on who a process is to Linux. */
#include <lwk/calls.h>
#include <lwk/ids.h>

/* setuid and its like; setfsuid and capset change none of these. */
bool ids_are_changed_by(uint64_t number)
{
	static const uint8_t numbers[] = { 105, 106, 113, 114, 117, 119 };

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

void ids_forget(struct process *process)
{
	uint64_t flags = spin_lock(&process->lock);

	process->ids.changes++;
	process->ids.known = 0;
	spin_unlock(&process->lock, flags);
}

/* What the proxy said before a change, and is heard after it, is not kept. */
static void keep(struct process *process, enum id id, uint32_t value, uint32_t changes)
{
	uint64_t flags = spin_lock(&process->lock);

	if (process->ids.changes == changes) {
		process->ids.values[id] = value;
		process->ids.known |= 1u << id;
	}
	spin_unlock(&process->lock, flags);
}

static int64_t get(struct call *call, enum id id)
{
	struct process *process = call->process;
	uint64_t flags = spin_lock(&process->lock);
	uint32_t changes = process->ids.changes;
	bool known = process->ids.known >> id & 1;
	int64_t value = process->ids.values[id];

	spin_unlock(&process->lock, flags);
	if (known)
		return value;
	value = offload(call);
	if (value >= 0)
		keep(process, id, value, changes);
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
