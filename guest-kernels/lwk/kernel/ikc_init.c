/* SPDX-License-Identifier: Apache-2.0 */
/* Brings up inter-kernel communication. */
#include <lwk/ikc.h>
#include <lwk/log.h>

void ikc_init(void)
{
	log_info("ikc: none");
}
