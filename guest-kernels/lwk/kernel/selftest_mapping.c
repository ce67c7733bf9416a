/* SPDX-License-Identifier: Apache-2.0 */
/* Self-test of the address space: what may be read, written and executed. */
#include <arch/boot.h>
#include <arch/selftest.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/selftest.h>

static const char read_only[] = "read only";
static uint64_t writable;

const char *selftest_mapping(void)
{
	paddr_t page = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	volatile uint64_t *twice = map_physical(page, PAGE_SIZE, MEMORY_WRITE_BACK);

	SELFTEST_EXPECT(page && twice);
	twice[3] = 0x1234;
	SELFTEST_EXPECT(((uint64_t *)phys_to_virt(page))[3] == 0x1234);
	SELFTEST_EXPECT(virt_to_phys(phys_to_virt(page)) == page);

	SELFTEST_EXPECT(!traps_on_write(&writable));
	SELFTEST_EXPECT(traps_on_write((void *)read_only));
	SELFTEST_EXPECT(traps_on_write(text_start));
	SELFTEST_EXPECT(traps_on_write(symbols_start));
	SELFTEST_EXPECT(traps_on_execution_of_data());
	SELFTEST_EXPECT(traps_on_write((void *)0x1000));
	return NULL;
}
