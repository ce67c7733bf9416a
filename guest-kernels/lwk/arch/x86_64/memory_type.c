/* SPDX-License-Identifier: Apache-2.0 */
/* Which memory is cached how: decided by page tables alone. */
#include <arch/cpu.h>
#include <arch/memory_type.h>

/* SDM 3A, chapter 12.11 (MTRRs) and 12.12 (PAT) */
#define MSR_MTRR_CAP 0xfe
#define MSR_MTRR_PHYS_MASK(n) (0x201 + 2 * (n))
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ENABLE (1 << 11)
#define MTRR_WRITE_BACK 6
#define MSR_PAT 0x277

/*
 * Entry 0: write-back, 1 (PWT): write-combining, 2 (PCD): uncached unless an MTRR says
 * write-combining, 3 (PCD, PWT): uncached; the same again with the PAT bit.
 */
#define PAT_VALUE 0x0007010600070106

/*
 * qboot leaves the MTRRs off (all memory uncached), SeaBIOS makes the hole for 32-bit BARs
 * uncached, and an uncached MTRR beats a write-back page. So: no ranges, default write-back. A VM
 * needs no cache flush around it (SDM 12.11.8), which real processors would.
 */
void memory_type_init(void)
{
	unsigned int ranges = msr_read(MSR_MTRR_CAP) & 0xff;

	for (unsigned int i = 0; i < ranges; i++)
		msr_write(MSR_MTRR_PHYS_MASK(i), 0);
	msr_write(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | MTRR_WRITE_BACK);
	msr_write(MSR_PAT, PAT_VALUE);
}
