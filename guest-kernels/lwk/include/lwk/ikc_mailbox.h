/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the monitor. */
#ifndef LWK_IKC_MAILBOX_H
#define LWK_IKC_MAILBOX_H

#include <lwk/types.h>

/* What is in the mailbox now was meant for an earlier life. Returns its sequence. */
uint32_t ikc_mailbox_init(void);

/* Obeys the command that is there, if it is new. CPU 0, interrupts off; may not return. */
void ikc_mailbox_look(void);

#endif
