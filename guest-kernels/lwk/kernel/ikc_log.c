/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel log's copy in the region, which outlives this kernel: it goes on where the last life
 * ended.
 */
#include <ikc/ikc_log.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_status.h>
#include <lwk/log.h>

/* The log's lock is held. */
static void write_log(const char *text, size_t length)
{
	ikc_log_write(&ikc_local.partition->log, text, length);
}

void ikc_log_init(void)
{
	log_attach_sink(write_log);
}
