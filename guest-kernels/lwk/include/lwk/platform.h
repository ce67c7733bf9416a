/* SPDX-License-Identifier: Apache-2.0 */
/* What the firmware told about the machine, besides its topology. Constant after boot. */
#ifndef LWK_PLATFORM_H
#define LWK_PLATFORM_H

#include <lwk/types.h>

#define MAX_RAM_RANGES 64

/* Usable RAM: [base, end), ascending. */
struct ram_range {
	paddr_t base;
	paddr_t end;
};

struct platform {
	paddr_t rsdp;
	struct ram_range ram[MAX_RAM_RANGES];
	unsigned int ram_count;
	paddr_t memory_end; /* above every byte of RAM, also of what may be plugged in later */

	/* MCFG: PCI configuration space; base 0 if there is none */
	paddr_t ecam_base;
	uint8_t ecam_first_bus;
	uint8_t ecam_last_bus;

	/* FADT: 0 if there is none */
	uint16_t pm_timer_port;
	uint16_t pm1a_control_port;
	uint16_t s5_sleep_type;
	uint16_t reset_port;
	uint8_t reset_value;

	paddr_t local_apic;
};

extern struct platform platform;

#endif
