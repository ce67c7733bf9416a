/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs, memory and NUMA nodes out of MADT and SRAT (ACPI 6.4, sections 5.2.12 and 5.2.16). */
#include <arch/cpu_topology.h>
#include <lwk/acpi.h>
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/platform.h>
#include <lwk/string.h>
#include <lwk/topology.h>

struct topology topology;

#define MADT_LOCAL_APIC_ADDRESS 36
#define MADT_ENTRIES 44
#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_APIC_OVERRIDE 5
#define MADT_LOCAL_X2APIC 9
#define MADT_ENABLED 1

struct madt_local_apic {
	struct acpi_entry entry;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_local_x2apic {
	struct acpi_entry entry;
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t uid;
} __attribute__((packed));

struct madt_local_apic_override {
	struct acpi_entry entry;
	uint16_t reserved;
	uint64_t address;
} __attribute__((packed));

#define SRAT_ENTRIES 48
#define SRAT_LOCAL_APIC 0
#define SRAT_MEMORY 1
#define SRAT_LOCAL_X2APIC 2
#define SRAT_ENABLED 1
#define SRAT_HOT_PLUGGABLE 2
#define SRAT_NON_VOLATILE 4

struct srat_local_apic {
	struct acpi_entry entry;
	uint8_t domain_low;
	uint8_t apic_id;
	uint32_t flags;
	uint8_t eid;
	uint8_t domain_high[3];
	uint32_t clock_domain;
} __attribute__((packed));

struct srat_memory {
	struct acpi_entry entry;
	uint32_t domain;
	uint16_t reserved1;
	uint64_t base;
	uint64_t size;
	uint32_t reserved2;
	uint32_t flags;
	uint64_t reserved3;
} __attribute__((packed));

struct srat_local_x2apic {
	struct acpi_entry entry;
	uint16_t reserved1;
	uint32_t domain;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t clock_domain;
	uint32_t reserved2;
} __attribute__((packed));

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
	struct topology_cpu *cpu = &topology.cpus[topology.cpu_count];

	if (!(flags & MADT_ENABLED))
		return;
	if (topology.cpu_count == MAX_CPUS) {
		log_warn("topology: more than %u CPUs, that with APIC id %u is not used", MAX_CPUS,
			 apic_id);
		return;
	}
	topology.cpu_count++;
	cpu->apic_id = apic_id;
	cpu_topology_split(apic_id, &cpu->package, &cpu->core, &cpu->thread);
}

/* The boot CPU gets id 0; the others keep the order of the table. */
static void move_boot_cpu_first(void)
{
	uint32_t boot_apic_id = cpu_topology_apic_id();

	for (unsigned int at = 0; at < topology.cpu_count; at++) {
		struct topology_cpu boot = topology.cpus[at];

		if (boot.apic_id != boot_apic_id)
			continue;
		memmove(&topology.cpus[1], &topology.cpus[0], at * sizeof(boot));
		topology.cpus[0] = boot;
		return;
	}
	panic("MADT: no entry for the boot CPU, APIC id %u", boot_apic_id);
}

static void read_madt(void)
{
	const struct acpi_table *madt = acpi_find("APIC");
	const struct acpi_entry *entry = NULL;
	uint32_t address;

	if (!madt || madt->length < MADT_ENTRIES)
		panic("no ACPI table MADT: which CPUs are there?");
	memcpy(&address, (const char *)madt + MADT_LOCAL_APIC_ADDRESS, sizeof(address));
	platform.local_apic = address;
	while ((entry = acpi_next_entry(madt, MADT_ENTRIES, entry))) {
		const struct madt_local_apic *apic = (const void *)entry;
		const struct madt_local_x2apic *x2apic = (const void *)entry;
		const struct madt_local_apic_override *override = (const void *)entry;

		if (entry->type == MADT_LOCAL_APIC && entry->length >= sizeof(*apic))
			add_cpu(apic->apic_id, apic->flags);
		else if (entry->type == MADT_LOCAL_X2APIC && entry->length >= sizeof(*x2apic))
			add_cpu(x2apic->apic_id, x2apic->flags);
		else if (entry->type == MADT_LOCAL_APIC_OVERRIDE &&
			 entry->length >= sizeof(*override))
			platform.local_apic = override->address;
	}
	move_boot_cpu_first();
}

uint32_t topology_node_of(uint32_t domain)
{
	for (uint32_t node = 0; node < topology.node_count; node++)
		if (topology.proximity_domain[node] == domain)
			return node;
	return TOPOLOGY_NO_NODE;
}

/* Keeps them ascending, so that node ids are in the order of the firmware's. */
static void add_domain(uint32_t domain)
{
	uint32_t at = topology.node_count;

	if (topology_node_of(domain) != TOPOLOGY_NO_NODE)
		return;
	if (at == MAX_NODES)
		panic("SRAT: more than %u NUMA nodes", MAX_NODES);
	topology.node_count++;
	for (; at > 0 && topology.proximity_domain[at - 1] > domain; at--)
		topology.proximity_domain[at] = topology.proximity_domain[at - 1];
	topology.proximity_domain[at] = domain;
}

static struct topology_cpu *cpu_with(uint32_t apic_id)
{
	for (unsigned int i = 0; i < topology.cpu_count; i++)
		if (topology.cpus[i].apic_id == apic_id)
			return &topology.cpus[i];
	return NULL;
}

static void place_memory(uint64_t base, uint64_t size, uint32_t node)
{
	if (topology.memory_count == MAX_MEMORY_RANGES)
		panic("SRAT: more than %u ranges of memory", MAX_MEMORY_RANGES);
	topology.memory[topology.memory_count++] = (struct topology_memory){ base, size, node };
}

/*
 * Calls back with the proximity domain of each CPU and each range of memory that is there. Room for
 * memory that may be plugged in later, and persistent memory, is none.
 */
static void walk_srat(const struct acpi_table *srat,
		      void (*cpu_found)(uint32_t domain, uint32_t apic_id),
		      void (*memory_found)(uint32_t domain, const struct srat_memory *memory))
{
	const struct acpi_entry *entry = NULL;

	while ((entry = acpi_next_entry(srat, SRAT_ENTRIES, entry))) {
		const struct srat_local_apic *apic = (const void *)entry;
		const struct srat_local_x2apic *x2apic = (const void *)entry;
		const struct srat_memory *memory = (const void *)entry;
		uint32_t domain;

		if (entry->type == SRAT_LOCAL_APIC && entry->length >= sizeof(*apic)) {
			domain = apic->domain_low | apic->domain_high[0] << 8 |
				 apic->domain_high[1] << 16 | (uint32_t)apic->domain_high[2] << 24;
			if (apic->flags & SRAT_ENABLED && cpu_with(apic->apic_id))
				cpu_found(domain, apic->apic_id);
		} else if (entry->type == SRAT_LOCAL_X2APIC && entry->length >= sizeof(*x2apic)) {
			if (x2apic->flags & SRAT_ENABLED && cpu_with(x2apic->apic_id))
				cpu_found(x2apic->domain, x2apic->apic_id);
		} else if (entry->type == SRAT_MEMORY && entry->length >= sizeof(*memory)) {
			if (!(memory->flags & SRAT_ENABLED) || !memory->size)
				continue;
			platform.memory_end = MAX(platform.memory_end, memory->base + memory->size);
			if (!(memory->flags & (SRAT_HOT_PLUGGABLE | SRAT_NON_VOLATILE)))
				memory_found(memory->domain, memory);
		}
	}
}

static void note_cpu_domain(uint32_t domain, uint32_t apic_id)
{
	(void)apic_id;
	add_domain(domain);
}

static void note_memory_domain(uint32_t domain, const struct srat_memory *memory)
{
	(void)memory;
	add_domain(domain);
}

static void assign_cpu(uint32_t domain, uint32_t apic_id)
{
	cpu_with(apic_id)->node = topology_node_of(domain);
}

static void assign_memory(uint32_t domain, const struct srat_memory *memory)
{
	place_memory(memory->base, memory->size, topology_node_of(domain));
}

static void make_one_node(void)
{
	add_domain(0);
	for (unsigned int i = 0; i < platform.ram_count; i++) {
		const struct ram_range *ram = &platform.ram[i];

		place_memory(ram->base, ram->end - ram->base, 0);
	}
}

static void read_srat(void)
{
	const struct acpi_table *srat = acpi_find("SRAT");

	if (srat)
		walk_srat(srat, note_cpu_domain, note_memory_domain);
	if (!topology.node_count) {
		make_one_node();
		return;
	}
	walk_srat(srat, assign_cpu, assign_memory);
}

uint64_t topology_node_memory(unsigned int node)
{
	uint64_t size = 0;

	for (unsigned int i = 0; i < topology.memory_count; i++)
		if (topology.memory[i].node == node)
			size += topology.memory[i].size;
	return size;
}

/* With loglevel=debug: all that there is to compare with what the machine was asked to be. */
static void log_details(void)
{
	for (unsigned int i = 0; i < topology.cpu_count; i++) {
		const struct topology_cpu *cpu = &topology.cpus[i];

		log_debug("topology: CPU %u: APIC id %u, node %u, package %u, core %u, thread %u",
			  i, cpu->apic_id, cpu->node, cpu->package, cpu->core, cpu->thread);
	}
	for (unsigned int i = 0; i < topology.memory_count; i++) {
		const struct topology_memory *memory = &topology.memory[i];

		log_debug("topology: memory 0x%lx-0x%lx: node %u", memory->base,
			  memory->base + memory->size, memory->node);
	}
	topology_distance_log();
}

void topology_init(void)
{
	read_madt();
	read_srat();
	topology_distance_init();
	log_info("topology: %u CPUs, %u nodes", topology.cpu_count, topology.node_count);
	log_details();
}
