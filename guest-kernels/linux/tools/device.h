/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/ikc: the region behind it, and the partitions in it. */
#ifndef DEVICE_H
#define DEVICE_H

#include "ikc_layout.h"
#include "ikc_uapi.h"

#define DEVICE_PATH "/dev/ikc"

struct device {
	int fd;
	struct ikc_info info;
	struct ikc_map map; /* can be read only */
};

/* Opens and maps; exits with EXIT_ENVIRONMENT if there is none. */
struct device device_open(void);

const struct ikc_partition *device_partition(const struct device *device, uint32_t index);

/* Copies the name of a partition; text for people. */
void device_name(const struct device *device, uint32_t index, char name[IKC_NAME_SIZE]);

/* By name or number; exits with EXIT_USAGE, and says which there are. */
uint32_t device_find(const struct device *device, const char *text);

/* As device_find, and not this partition itself. */
uint32_t device_find_peer(const struct device *device, const char *text);

#endif
