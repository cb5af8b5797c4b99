/*
 * Intrusive doubly linked list: the node lives in the object, so linking
 * never allocates. A list head is a node that is linked to itself when empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

/* Object of type that holds the node ptr as member. */
#define LIST_ENTRY(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Walk all nodes of head; the body must not unlink pos. */
#define list_for_each(pos, head) \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* Walk all nodes of head; the body may unlink pos; tmp is scratch. */
#define list_for_each_safe(pos, tmp, head)                               \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); \
	     (pos) = (tmp), (tmp) = (pos)->next)

/* Make a head empty, or a node unlinked. */
static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

/* True when nothing is linked to l. */
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Append node, which must be unlinked, at the end of head. */
static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Unlink node; harmless when it is not linked. */
static inline void list_del(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}
