#include "base/timerq.h"

#include <stddef.h>

#include "base/alloc.h"

enum { TIMERQ_FIRST = 64 };

void timerq_init(struct timerq *q)
{
	*q = (struct timerq){.heap = NULL};
}

void timerq_done(struct timerq *q)
{
	q->heap = alloc_free(q->heap);
	q->count = 0;
	q->cap = 0;
}

static void place(struct timerq *q, uint32_t i, struct timerq_node *node)
{
	q->heap[i] = node;
	node->pos = i + 1;
}

static void sift_up(struct timerq *q, uint32_t i)
{
	struct timerq_node *node = q->heap[i];

	while (i > 0) {
		uint32_t up = (i - 1) / 2;

		if (q->heap[up]->at_ms <= node->at_ms)
			break;
		place(q, i, q->heap[up]);
		i = up;
	}
	place(q, i, node);
}

static void sift_down(struct timerq *q, uint32_t i)
{
	struct timerq_node *node = q->heap[i];

	for (;;) {
		uint32_t kid = 2 * i + 1;

		if (kid >= q->count)
			break;
		if (kid + 1 < q->count &&
		    q->heap[kid + 1]->at_ms < q->heap[kid]->at_ms)
			kid++;
		if (node->at_ms <= q->heap[kid]->at_ms)
			break;
		place(q, i, q->heap[kid]);
		i = kid;
	}
	place(q, i, node);
}

int timerq_set(struct timerq *q, struct timerq_node *node, uint64_t at_ms)
{
	if (node->pos == TIMERQ_NONE) {
		if (q->count == q->cap) {
			uint32_t cap = q->cap ? q->cap * 2 : TIMERQ_FIRST;
			void *p = alloc_resize(q->heap, cap,
					       sizeof(struct timerq_node *));

			if (!p)
				return ERR_NOMEM;
			q->heap = p;
			q->cap = cap;
		}
		node->at_ms = at_ms;
		place(q, q->count++, node);
		sift_up(q, node->pos - 1);
		return 0;
	}
	node->at_ms = at_ms;
	sift_up(q, node->pos - 1);
	sift_down(q, node->pos - 1);
	return 0;
}

void timerq_clear(struct timerq *q, struct timerq_node *node)
{
	uint32_t i;
	struct timerq_node *last;

	if (node->pos == TIMERQ_NONE)
		return;
	i = node->pos - 1;
	node->pos = TIMERQ_NONE;
	last = q->heap[--q->count];
	if (last == node)
		return;
	place(q, i, last);
	sift_up(q, i);
	sift_down(q, last->pos - 1);
}

uint64_t timerq_next(const struct timerq *q)
{
	return q->count > 0 ? q->heap[0]->at_ms : UINT64_MAX;
}

struct timerq_node *timerq_pop(struct timerq *q, uint64_t now_ms)
{
	struct timerq_node *node;

	if (q->count == 0 || q->heap[0]->at_ms > now_ms)
		return NULL;
	node = q->heap[0];
	timerq_clear(q, node);
	return node;
}
