/* SPDX-License-Identifier: Apache-2.0 */
/* Ways out of the virtual machine. */
#ifndef LWK_POWER_H
#define LWK_POWER_H

#include <lwk/types.h>

/* ACPI S5: QEMU ends, or tells QMP "SHUTDOWN". */
_Noreturn void power_off(void);

/*
 * Reset of the whole VM: QMP "RESET" or, by -action reboot=shutdown, "SHUTDOWN" with cause
 * guest-reset.
 */
_Noreturn void power_reset(void);

/* Fault injection: an exception that this CPU cannot take, which resets the whole VM unasked. */
_Noreturn void power_triple_fault(void);

/* QEMU's isa-debug-exit: QEMU ends with status 2 * value + 1. Without that device, powers off. */
_Noreturn void power_debug_exit(uint32_t value);

/* Tells QEMU's pvpanic device, if there is one. */
void power_notify_panic(void);

#endif
