/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_LIST_H
#define NATIVE_LINUX_LIST_H

#include <linux/kernel.h>

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return READ_ONCE(head->next) == head;
}

static inline void list_insert(struct list_head *entry, struct list_head *prev, struct list_head *next)
{
	entry->prev = prev;
	entry->next = next;
	next->prev = entry;
	WRITE_ONCE(prev->next, entry);
}

static inline void list_add(struct list_head *entry, struct list_head *head)
{
	list_insert(entry, head, head->next);
}

static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	list_insert(entry, head->prev, head);
}

static inline void list_unlink(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	WRITE_ONCE(entry->prev->next, entry->next);
}

/* Whoever takes it out twice, or uses it after, is found out. */
static inline void list_del(struct list_head *entry)
{
	list_unlink(entry);
	entry->next = NULL;
	entry->prev = NULL;
}

static inline void list_del_init(struct list_head *entry)
{
	list_unlink(entry);
	INIT_LIST_HEAD(entry);
}

#define list_entry(pointer, type, member) container_of(pointer, type, member)

#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))

#define list_next_entry(entry, member) list_entry((entry)->member.next, __typeof__(*(entry)), member)

#define list_for_each_entry(entry, head, member)                                                      \
	for ((entry) = list_entry((head)->next, __typeof__(*(entry)), member); &(entry)->member != (head); \
	     (entry) = list_next_entry(entry, member))

#define list_for_each_entry_safe(entry, following, head, member)                                 \
	for ((entry) = list_entry((head)->next, __typeof__(*(entry)), member),                   \
	    (following) = list_next_entry(entry, member);                                        \
	     &(entry)->member != (head);                                                         \
	     (entry) = (following), (following) = list_next_entry(following, member))

/* ---- lists whose head is one pointer ---- */

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	if (node->next)
		node->next->pprev = &node->next;
	node->pprev = &head->first;
	head->first = node;
}

static inline void hlist_del(struct hlist_node *node)
{
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
	node->pprev = NULL;
}

#define hlist_entry_or_null(node, type, member)                              \
	({                                                                   \
		struct hlist_node *node_ = (node);                           \
		node_ ? container_of(node_, type, member) : NULL;            \
	})

#define hlist_for_each_entry(entry, head, member)                                                     \
	for ((entry) = hlist_entry_or_null((head)->first, __typeof__(*(entry)), member); (entry);      \
	     (entry) = hlist_entry_or_null((entry)->member.next, __typeof__(*(entry)), member))

#endif
