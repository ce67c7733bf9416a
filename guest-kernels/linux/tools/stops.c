/* SPDX-License-Identifier: Apache-2.0 */
/* A process that is stopped says nothing any more: the driver does that for it. */
#include "stops.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "error.h"

_Static_assert(sizeof(struct ikc_process_message) <= IKC_STOPS_LENGTH, "the driver keeps it");

void stops_tell(const struct proxy *proxy)
{
	struct ikc_process_message message = { .kind = IKC_PROCESS_STOP, .slot = UINT32_MAX };
	struct ikc_stops stops = { .length = sizeof(message) };

	memcpy(stops.continued, &message, sizeof(message));
	message.words[0] = 1;
	memcpy(stops.stopped, &message, sizeof(message));
	if (ioctl(proxy->channel, IKC_IOCTL_STOPS, &stops))
		die(EXIT_FAILED, "the channel to %s: %s", proxy->partition, strerror(errno));
}
