/* SPDX-License-Identifier: Apache-2.0 */
/* How far apart the nodes are, out of SLIT and HMAT (ACPI 6.4, sections 5.2.17 and 5.2.27). */
#include <lwk/acpi.h>
#include <lwk/log.h>
#include <lwk/topology.h>

#define LOCAL_DISTANCE 10
#define REMOTE_DISTANCE 20

struct slit {
	struct acpi_table header;
	uint64_t count;
	uint8_t distances[];
} __attribute__((packed));

static void read_slit(void)
{
	const struct slit *slit = (const void *)acpi_find("SLIT");
	uint64_t count = 0;

	if (slit && slit->header.length >= sizeof(*slit) && slit->count <= 0xffff &&
	    slit->header.length >= sizeof(*slit) + slit->count * slit->count)
		count = slit->count;
	for (uint32_t from = 0; from < topology.node_count; from++) {
		for (uint32_t to = 0; to < topology.node_count; to++) {
			uint32_t row = topology.proximity_domain[from];
			uint32_t column = topology.proximity_domain[to];
			uint8_t distance = from == to ? LOCAL_DISTANCE : REMOTE_DISTANCE;

			if (row < count && column < count)
				distance = slit->distances[row * count + column];
			topology.distance[from][to] = distance;
		}
	}
}

#define HMAT_ENTRIES 40
#define HMAT_LATENCY_BANDWIDTH 1
#define HMAT_HIERARCHY 0x0f /* of the flags; 0: memory itself, not a cache in front of it */
#define HMAT_UNREACHABLE 0xffff

enum hmat_data { HMAT_ACCESS_LATENCY, HMAT_READ_LATENCY, HMAT_WRITE_LATENCY,
		 HMAT_ACCESS_BANDWIDTH, HMAT_READ_BANDWIDTH, HMAT_WRITE_BANDWIDTH };

struct hmat_entry {
	uint16_t type;
	uint16_t reserved;
	uint32_t length;
} __attribute__((packed));

/*
 * Behind it: initiators' domains, targets' domains, and a matrix of 16-bit entries, initiators by
 * targets.
 */
struct hmat_matrix {
	struct hmat_entry entry;
	uint8_t flags;
	uint8_t data_type;
	uint16_t reserved1;
	uint32_t initiator_count;
	uint32_t target_count;
	uint32_t reserved2;
	uint64_t base_unit; /* picoseconds (revision 1: nanoseconds), or MB/s */
	uint32_t domains[];
} __attribute__((packed));

static void set_matrix(const struct hmat_matrix *matrix, uint32_t (*values)[MAX_NODES],
		       uint64_t divisor)
{
	const uint32_t *targets = matrix->domains + matrix->initiator_count;
	const uint16_t *entries = (const void *)(targets + matrix->target_count);

	for (uint32_t i = 0; i < matrix->initiator_count; i++) {
		uint32_t from = topology_node_of(matrix->domains[i]);

		for (uint32_t t = 0; t < matrix->target_count; t++) {
			uint32_t to = topology_node_of(targets[t]);
			uint16_t value = entries[i * matrix->target_count + t];

			if (from != TOPOLOGY_NO_NODE && to != TOPOLOGY_NO_NODE &&
			    value != HMAT_UNREACHABLE)
				values[from][to] = value * matrix->base_unit / divisor;
		}
	}
}

static void read_matrix(const struct hmat_matrix *matrix, unsigned int revision)
{
	uint64_t i = matrix->initiator_count, t = matrix->target_count;

	if (i > 0xffff || t > 0xffff ||
	    matrix->entry.length < sizeof(*matrix) + 4 * (i + t) + 2 * i * t ||
	    matrix->flags & HMAT_HIERARCHY)
		return;
	switch (matrix->data_type) {
	case HMAT_ACCESS_LATENCY:
	case HMAT_READ_LATENCY:
		set_matrix(matrix, topology.read_latency_ns, revision >= 2 ? 1000 : 1);
		break;
	case HMAT_ACCESS_BANDWIDTH:
	case HMAT_READ_BANDWIDTH:
		set_matrix(matrix, topology.read_bandwidth_mibps, 1);
		break;
	default: /* writes are not reported */
		break;
	}
}

static void read_hmat(void)
{
	const struct acpi_table *hmat = acpi_find("HMAT");
	const char *at = (const char *)hmat + HMAT_ENTRIES;
	const char *end = hmat ? (const char *)hmat + hmat->length : NULL;

	while (hmat && at + sizeof(struct hmat_entry) <= end) {
		const struct hmat_entry *entry = (const void *)at;

		if (entry->length < sizeof(*entry) || entry->length > (size_t)(end - at))
			break;
		if (entry->type == HMAT_LATENCY_BANDWIDTH &&
		    entry->length >= sizeof(struct hmat_matrix))
			read_matrix((const void *)entry, hmat->revision);
		at += entry->length;
	}
}

void topology_distance_log(void)
{
	for (unsigned int from = 0; from < topology.node_count; from++)
		for (unsigned int to = 0; to < topology.node_count; to++)
			log_debug("topology: node %u to %u: distance %u, %u ns, %u MiB/s", from, to,
				  topology.distance[from][to], topology.read_latency_ns[from][to],
				  topology.read_bandwidth_mibps[from][to]);
}

void topology_distance_init(void)
{
	read_slit();
	read_hmat();
}
