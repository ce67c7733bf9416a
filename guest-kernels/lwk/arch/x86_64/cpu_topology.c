/* SPDX-License-Identifier: Apache-2.0 */
/* What an APIC id is made of: CPUID leaves 0x1f and 0xb (SDM 3A, section 9.9.3). */
#include <arch/cpu.h>
#include <arch/cpu_topology.h>

#define LEVEL_NONE 0
#define LEVEL_THREAD 1
#define LEVEL_TYPE(ecx) ((ecx) >> 8 & 0xff)
#define SHIFT(eax) ((eax) & 0x1f)

/* Of the two leaves the better one that is there, or 0. */
static uint32_t topology_leaf(void)
{
	if (cpuid_has_leaf(0x1f) && cpuid(0x1f, 0).ebx)
		return 0x1f;
	if (cpuid_has_leaf(0xb) && cpuid(0xb, 0).ebx)
		return 0xb;
	return 0;
}

uint32_t cpu_topology_apic_id(void)
{
	uint32_t leaf = topology_leaf();

	return leaf ? cpuid(leaf, 0).edx : cpuid(1, 0).ebx >> 24;
}

/* Bits below the core's and below the package's part. */
static void shifts(unsigned int *core_shift, unsigned int *package_shift)
{
	uint32_t leaf = topology_leaf();

	*core_shift = 0;
	*package_shift = 0;
	for (uint32_t level = 0; leaf; level++) {
		struct cpuid r = cpuid(leaf, level);

		if (LEVEL_TYPE(r.ecx) == LEVEL_NONE)
			return;
		if (LEVEL_TYPE(r.ecx) == LEVEL_THREAD)
			*core_shift = SHIFT(r.eax);
		*package_shift = SHIFT(r.eax);
	}
}

void cpu_topology_split(uint32_t apic_id, uint32_t *package, uint32_t *core, uint32_t *thread)
{
	unsigned int core_shift, package_shift;

	shifts(&core_shift, &package_shift);
	*thread = apic_id & ((1u << core_shift) - 1);
	*core = (apic_id & ((1u << package_shift) - 1)) >> core_shift;
	*package = apic_id >> package_shift;
}
