/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_HASHTABLE_H
#define NATIVE_LINUX_HASHTABLE_H

#include <linux/list.h>

#define DECLARE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)]

#define HASH_SIZE(table) (sizeof(table) / sizeof((table)[0]))

#define hash_init(table) memset((table), 0, sizeof(table))
#define hash_bucket(table, key) (&(table)[(u32)(key) * 0x9e3779b1u % HASH_SIZE(table)])
#define hash_add(table, node, key) hlist_add_head(node, hash_bucket(table, key))
#define hash_del(node) hlist_del(node)

#define hash_for_each_possible(table, entry, member, key) \
	hlist_for_each_entry(entry, hash_bucket(table, key), member)

#define hash_for_each(table, bucket, entry, member)               \
	for ((bucket) = 0; (bucket) < HASH_SIZE(table); (bucket)++) \
		hlist_for_each_entry(entry, &(table)[bucket], member)

#endif
