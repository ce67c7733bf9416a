/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/ikc: the region behind it, and the partitions in it. */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "error.h"

struct device device_open(void)
{
	struct device device;
	const char *fault;
	void *region;

	device.fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (device.fd < 0)
		die(EXIT_ENVIRONMENT, "%s: %s: %s", DEVICE_PATH, strerror(errno),
		    errno == EACCES ? "only root may use it" : "is ikc.ko loaded?");
	if (ioctl(device.fd, IKC_IOCTL_INFO, &device.info))
		die(EXIT_ENVIRONMENT, "%s: INFO: %s: is ikc.ko of the same build?", DEVICE_PATH,
		    strerror(errno));
	region = mmap(NULL, device.info.region_size, PROT_READ, MAP_SHARED, device.fd, 0);
	if (region == MAP_FAILED)
		die(EXIT_ENVIRONMENT, "%s: mmap of %llu bytes: %s", DEVICE_PATH,
		    (unsigned long long)device.info.region_size, strerror(errno));
	fault = ikc_map_region(&device.map, region, device.info.region_size);
	if (fault)
		die(EXIT_ENVIRONMENT, "%s: the region has %s", DEVICE_PATH, fault);
	return device;
}

const struct ikc_partition *device_partition(const struct device *device, uint32_t index)
{
	return ikc_partition_at(&device->map, index);
}

void device_name(const struct device *device, uint32_t index, char name[IKC_NAME_SIZE])
{
	memcpy(name, device_partition(device, index)->identity.name, IKC_NAME_SIZE);
	name[IKC_NAME_SIZE - 1] = '\0';
}

static void device_list_names(const struct device *device, char *text, size_t size)
{
	char name[IKC_NAME_SIZE];
	size_t length = 0;
	uint32_t i;

	for (i = 0; i < device->info.partition_count && length < size; i++) {
		device_name(device, i, name);
		length += snprintf(text + length, size - length, "%s%s (%u)", i ? ", " : "", name, i);
	}
}

uint32_t device_find(const struct device *device, const char *text)
{
	char name[IKC_NAME_SIZE], names[IKC_PARTITIONS_MAX * (IKC_NAME_SIZE + 8)];
	unsigned long number;
	char *end;
	uint32_t i;

	for (i = 0; i < device->info.partition_count; i++) {
		device_name(device, i, name);
		if (!strcmp(name, text))
			return i;
	}
	number = strtoul(text, &end, 10);
	if (*text && !*end && number < device->info.partition_count)
		return number;
	device_list_names(device, names, sizeof(names));
	die(EXIT_USAGE, "no partition \"%s\": there are %s", text, names);
}

uint32_t device_find_peer(const struct device *device, const char *text)
{
	uint32_t peer = device_find(device, text);

	if (peer == device->info.own_id)
		die(EXIT_USAGE, "\"%s\" is this partition itself: name another", text);
	return peer;
}
