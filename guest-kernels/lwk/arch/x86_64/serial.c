/* SPDX-License-Identifier: Apache-2.0 */
/* The serial console: a 16550 at COM1, output only, polled. */
#include <arch/console.h>
#include <arch/cpu.h>

#define COM1 0x3f8

/* register offsets (16550 data sheet, table 2) */
#define TRANSMIT 0
#define DIVISOR_LOW 0
#define DIVISOR_HIGH 1
#define INTERRUPT_ENABLE 1
#define FIFO_CONTROL 2
#define LINE_CONTROL 3
#define MODEM_CONTROL 4
#define LINE_STATUS 5
#define SCRATCH 7

#define LINE_8N1 0x03
#define LINE_DIVISOR_ACCESS 0x80
#define FIFO_ENABLE_CLEAR 0x07
#define MODEM_DTR_RTS 0x03
#define STATUS_TRANSMIT_EMPTY 0x20

#define FIFO_SIZE 16
#define POLL_LIMIT 1000000 /* a stuck line must not stop the kernel */

static bool present;

void console_init(void)
{
	out8(COM1 + SCRATCH, 0x5a);
	present = in8(COM1 + SCRATCH) == 0x5a;
	if (!present)
		return;
	out8(COM1 + INTERRUPT_ENABLE, 0);
	out8(COM1 + LINE_CONTROL, LINE_DIVISOR_ACCESS);
	out8(COM1 + DIVISOR_LOW, 1); /* 115200 baud */
	out8(COM1 + DIVISOR_HIGH, 0);
	out8(COM1 + LINE_CONTROL, LINE_8N1);
	out8(COM1 + FIFO_CONTROL, FIFO_ENABLE_CLEAR);
	out8(COM1 + MODEM_CONTROL, MODEM_DTR_RTS);
}

static void wait_until_empty(void)
{
	for (unsigned int i = 0; i < POLL_LIMIT; i++)
		if (in8(COM1 + LINE_STATUS) & STATUS_TRANSMIT_EMPTY)
			return;
}

void console_write(const char *text, size_t length)
{
	if (!present)
		return;
	/*
	 * an empty transmitter takes a FIFO full: one status read for 16 bytes, each read is a VM
	 * exit
	 */
	for (size_t i = 0; i < length; i++) {
		if (i % FIFO_SIZE == 0)
			wait_until_empty();
		out8(COM1 + TRANSMIT, text[i]);
	}
}
