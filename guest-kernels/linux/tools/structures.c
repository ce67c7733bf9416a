/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that take structures in which there are pointers. */
#define _GNU_SOURCE
#include "structures.h"

#include <errno.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/if_tun.h>
#include <linux/keyctl.h>
#include <linux/sockios.h>
#include <mqueue.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hot.h"
#include "program_memory.h"
#include "raw_call.h"

#define VECTORS_MAX 1024

/* As the kernel has them. */
struct message_header {
	uint64_t name;
	uint32_t name_size;
	uint32_t unused;
	uint64_t vectors;
	uint64_t vector_count;
	uint64_t control;
	uint64_t control_size;
	uint32_t flags;
	uint32_t unused_too;
};

/* Of recvmmsg and sendmmsg. */
struct many_header {
	struct message_header header;
	uint32_t length;
	uint32_t unused;
};

struct filter {
	uint64_t length;
	uint64_t instructions;
};

struct key_derivation {
	uint64_t hash_name;
	uint64_t other;
	uint32_t other_size;
	uint32_t spare[8];
};

static bool is_good(uint64_t pointer)
{
	return program_memory_has(pointer);
}

/* The call with another pointer, to a copy of ours. */
static long call_on_copy(uint64_t number, const uint64_t *words, int at, const void *copy)
{
	uint64_t own[6];

	memcpy(own, words, sizeof(own));
	own[at] = (uintptr_t)copy;
	return raw_call(number, own);
}

/* ---- vectors ---- */

static long copy_vectors(uint64_t from, uint64_t count, struct iovec *to)
{
	uint64_t i;

	if (count > VECTORS_MAX)
		return -EINVAL;
	if (!program_memory_read(from, to, count * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < count; i++)
		if (to[i].iov_len && !is_good((uintptr_t)to[i].iov_base))
			return -EFAULT;
	return 0;
}

static long call_with_vectors(uint64_t number, const uint64_t *words, int at)
{
	struct iovec vectors[VECTORS_MAX];
	uint32_t count = words[at + 1]; /* as much of it as Linux looks at, in some of these calls */
	long error;

	if (count > VECTORS_MAX)
		return raw_call(number, words); /* which looks at none of them */
	error = copy_vectors(words[at], count, vectors);
	return error ? error : call_on_copy(number, words, at, vectors);
}

/* By the number of the process alone: those of the proxy's threads are not the program's. */
static long call_on_process(uint64_t number, const uint64_t *words)
{
	struct iovec vectors[VECTORS_MAX];
	pid_t process = words[0], self = getpid();
	uint64_t own[6];
	long error;

	if (process != self && !syscall(SYS_tgkill, self, process, 0))
		return -ESRCH;
	if (process != self)
		return call_with_vectors(number, words, 1);
	error = copy_vectors(words[3], words[4], vectors);
	memcpy(own, words, sizeof(own));
	own[3] = (uintptr_t)vectors;
	return error ? error : call_with_vectors(number, own, 1);
}

/* ---- messages ---- */

static bool give_back(uint64_t to, const struct message_header *header)
{
	return program_memory_write(to + offsetof(struct message_header, name_size), &header->name_size,
				    sizeof(header->name_size)) &&
	       program_memory_write(to + offsetof(struct message_header, control_size), &header->control_size,
				    sizeof(header->control_size)) &&
	       program_memory_write(to + offsetof(struct message_header, flags), &header->flags,
				    sizeof(header->flags));
}

/* The header leads to the copy then. */
static long copy_what_it_leads_to(struct message_header *header, struct iovec *vectors)
{
	long error;

	if (!is_good(header->name) || !is_good(header->control))
		return -EFAULT;
	if (header->vector_count > VECTORS_MAX)
		return -EMSGSIZE;
	error = copy_vectors(header->vectors, header->vector_count, vectors);
	header->vectors = (uintptr_t)vectors;
	return error;
}

static long call_with_message(uint64_t number, const uint64_t *words)
{
	struct iovec vectors[VECTORS_MAX];
	struct message_header header;
	long result;

	if (!program_memory_read(words[1], &header, sizeof(header)))
		return -EFAULT;
	result = copy_what_it_leads_to(&header, vectors);
	if (result)
		return result;
	result = call_on_copy(number, words, 1, &header);
	return result >= 0 && number == SYS_recvmsg && !give_back(words[1], &header) ? -EFAULT : result;
}

/* Returns them all, one behind the other; NULL: *error says why not. */
static struct iovec *copy_all(struct many_header *headers, uint64_t count, long *error)
{
	struct iovec *vectors;
	uint64_t i, sum = 0;

	*error = -EMSGSIZE;
	for (i = 0; i < count; sum += headers[i++].header.vector_count)
		if (headers[i].header.vector_count > VECTORS_MAX)
			return NULL;
	*error = -ENOMEM;
	vectors = malloc((sum + 1) * sizeof(*vectors));
	if (!vectors)
		return NULL;
	*error = 0;
	for (i = 0, sum = 0; i < count && !*error; sum += headers[i++].header.vector_count)
		*error = copy_what_it_leads_to(&headers[i].header, vectors + sum);
	if (!*error)
		return vectors;
	free(vectors);
	return NULL;
}

static bool give_all_back(uint64_t number, uint64_t to, const struct many_header *headers, long count)
{
	bool good = true;
	long i;

	for (i = 0; i < count && good; i++, to += sizeof(*headers))
		good = (number == SYS_sendmmsg || give_back(to, &headers[i].header)) &&
		       program_memory_write(to + offsetof(struct many_header, length), &headers[i].length,
					    sizeof(headers[i].length));
	return good;
}

static long call_with_messages(uint64_t number, const uint64_t *words)
{
	uint64_t count = (uint32_t)words[2] < VECTORS_MAX ? (uint32_t)words[2] : VECTORS_MAX;
	struct many_header *headers = malloc((count + 1) * sizeof(*headers));
	struct iovec *vectors = NULL;
	long result = headers ? -EFAULT : -ENOMEM;

	if (headers && program_memory_read(words[1], headers, count * sizeof(*headers)))
		vectors = copy_all(headers, count, &result);
	if (vectors)
		result = call_on_copy(number, words, 1, headers);
	if (result > 0 && !give_all_back(number, words[1], headers, result))
		result = -EFAULT;
	free(vectors);
	free(headers);
	return result;
}

/* ---- a structure that is all there is ---- */

#define POINTERS 2

struct rule {
	uint64_t request;
	uint16_t size;
	bool answers; /* Linux writes to it */
	uint16_t count; /* of pointers, and where they are */
	uint16_t pointers[POINTERS];
};

static long call_by_rule(uint64_t number, const uint64_t *words, int at, const struct rule *rule)
{
	uint64_t copy[32] = { 0 };
	long result;
	uint16_t i;

	if (!program_memory_read(words[at], copy, rule->size))
		return -EFAULT;
	for (i = 0; i < rule->count; i++)
		if (!is_good(copy[rule->pointers[i] / sizeof(copy[0])]))
			return -EFAULT;
	result = call_on_copy(number, words, at, copy);
	return result >= 0 && rule->answers && !program_memory_write(words[at], copy, rule->size) ? -EFAULT : result;
}

/* Those that programs of all kinds know; what drivers have besides is not looked at. */
static const struct rule ioctls[] = {
	{ SIOCGIFCONF, sizeof(struct ifconf), true, 1, { offsetof(struct ifconf, ifc_buf) } },
	{ SIOCETHTOOL, sizeof(struct ifreq), true, 1, { offsetof(struct ifreq, ifr_data) } },
	{ SIOCGHWTSTAMP, sizeof(struct ifreq), true, 1, { offsetof(struct ifreq, ifr_data) } },
	{ SIOCSHWTSTAMP, sizeof(struct ifreq), true, 1, { offsetof(struct ifreq, ifr_data) } },
	{ SIOCADDRT, sizeof(struct rtentry), false, 1, { offsetof(struct rtentry, rt_dev) } },
	{ SIOCDELRT, sizeof(struct rtentry), false, 1, { offsetof(struct rtentry, rt_dev) } },
	{ BLKPG, sizeof(struct blkpg_ioctl_arg), false, 1, { offsetof(struct blkpg_ioctl_arg, data) } },
	{ TUNATTACHFILTER, sizeof(struct filter), false, 1, { offsetof(struct filter, instructions) } },
	{ FS_IOC_READ_VERITY_METADATA, sizeof(struct fsverity_read_metadata_arg), false, 1,
	  { offsetof(struct fsverity_read_metadata_arg, buf_ptr) } },
	{ FS_IOC_ENABLE_VERITY, sizeof(struct fsverity_enable_arg), false, 2,
	  { offsetof(struct fsverity_enable_arg, salt_ptr), offsetof(struct fsverity_enable_arg, sig_ptr) } },
};

/* Of a driver's own kind, or with pointers to pointers. */
static bool is_refused(uint32_t request)
{
	return request == SG_IO || request == SIOCWANDEV || request == SIOCGIFBR || request == SIOCSIFBR ||
	       (request >= SIOCDEVPRIVATE && request < SIOCDEVPRIVATE + 16) ||
	       (request >= SIOCBONDENSLAVE && request <= SIOCBONDCHANGEACTIVE);
}

static bool ioctl_call(const uint64_t *words, long *result)
{
	uint32_t request = words[1];
	size_t i;

	if (is_refused(request)) {
		*result = -ENOTTY;
		return true;
	}
	for (i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		if (ioctls[i].request == request) {
			*result = call_by_rule(SYS_ioctl, words, 2, &ioctls[i]);
			return true;
		}
	return false;
}

/* ---- sockets ---- */

/* Tables of packet filters are replaced, and read, with pointers inside. */
static bool is_of_packet_filters(uint32_t level, uint32_t option)
{
	return (level == IPPROTO_IP && (option == 64 || option == 96 || (option >= 128 && option <= 131))) ||
	       (level == IPPROTO_IPV6 && option == 64);
}

static bool set_option(const uint64_t *words, long *result)
{
	static const struct rule filter = { 0, sizeof(struct filter), false, 1, { offsetof(struct filter, instructions) } };
	uint32_t level = words[1], option = words[2];

	*result = -ENOPROTOOPT;
	if (is_of_packet_filters(level, option))
		return true;
	if (level != SOL_SOCKET || (option != SO_ATTACH_FILTER && option != SO_ATTACH_REUSEPORT_CBPF) ||
	    (uint32_t)words[4] != filter.size)
		return false;
	*result = call_by_rule(SYS_setsockopt, words, 3, &filter);
	return true;
}

static bool get_option(const uint64_t *words, long *result)
{
	uint32_t level = words[1], option = words[2];

	*result = -ENOPROTOOPT;
	return (level == IPPROTO_TCP && option == TCP_ZEROCOPY_RECEIVE) || is_of_packet_filters(level, option);
}

/* ---- the others ---- */

static bool call_about_keys(const uint64_t *words, long *result)
{
	static const struct rule derivation = {
		0, sizeof(struct key_derivation), false, 2,
		{ offsetof(struct key_derivation, hash_name), offsetof(struct key_derivation, other) },
	};

	if ((uint32_t)words[0] == KEYCTL_INSTANTIATE_IOV && words[2]) {
		*result = call_with_vectors(SYS_keyctl, words, 2);
		return true;
	}
	if ((uint32_t)words[0] != KEYCTL_DH_COMPUTE || !words[4])
		return false;
	*result = call_by_rule(SYS_keyctl, words, 4, &derivation);
	return true;
}

/* Its last argument is a set of signals, and its size. */
static bool select_with_set(const uint64_t *words, long *result)
{
	static const struct rule set = { 0, 2 * sizeof(uint64_t), false, 1, { 0 } };

	if (!words[5])
		return false;
	*result = call_by_rule(SYS_pselect6, words, 5, &set);
	return true;
}

/* For a thread that would be begun Linux keeps some bytes from where the value points to. */
static bool be_notified(const uint64_t *words, long *result)
{
	struct sigevent event;

	if (!words[1])
		return false;
	*result = -EFAULT;
	if (program_memory_read(words[1], &event, sizeof(event)) &&
	    (event.sigev_notify != SIGEV_THREAD || is_good((uintptr_t)event.sigev_value.sival_ptr)))
		*result = call_on_copy(SYS_mq_notify, words, 1, &event);
	return true;
}

HOT bool structures_call(uint64_t number, const uint64_t *words, long *result)
{
	switch (number) {
	case SYS_readv:
	case SYS_writev:
	case SYS_preadv:
	case SYS_pwritev:
	case SYS_preadv2:
	case SYS_pwritev2:
		*result = call_with_vectors(number, words, 1);
		return true;
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
		*result = call_on_process(number, words);
		return true;
	case SYS_sendmsg:
	case SYS_recvmsg:
		*result = call_with_message(number, words);
		return true;
	case SYS_sendmmsg:
	case SYS_recvmmsg:
		*result = call_with_messages(number, words);
		return true;
	case SYS_pselect6:
		return select_with_set(words, result);
	case SYS_ioctl:
		return ioctl_call(words, result);
	case SYS_setsockopt:
		return set_option(words, result);
	case SYS_getsockopt:
		return get_option(words, result);
	case SYS_keyctl:
		return call_about_keys(words, result);
	case SYS_mq_notify:
		return be_notified(words, result);
	default:
		return false;
	}
}
