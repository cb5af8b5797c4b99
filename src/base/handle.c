#include "base/handle.h"

#include "base/alloc.h"

enum { SLOTS_FIRST = 16 };

void slots_init(struct slots *s, uint32_t limit)
{
	*s = (struct slots){.limit = limit, .free = UINT32_MAX};
}

void slots_done(struct slots *s)
{
	s->slot = alloc_free(s->slot);
	s->cap = 0;
	s->count = 0;
	s->free = UINT32_MAX;
}

static int slots_grow(struct slots *s)
{
	uint32_t cap = s->cap ? s->cap * 2 : SLOTS_FIRST;
	struct slot *p;

	if (cap > s->limit)
		cap = s->limit;
	if (cap <= s->cap)
		return ERR_LIMIT;
	p = alloc_resize(s->slot, cap, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	for (uint32_t i = cap; i > s->cap; i--) {
		p[i - 1] = (struct slot){.next = s->free};
		s->free = i - 1;
	}
	s->slot = p;
	s->cap = cap;
	return 0;
}

int slots_add(struct slots *s, void *obj, struct handle *ret)
{
	struct slot *p;
	uint32_t i;

	if (s->free == UINT32_MAX) {
		int err = slots_grow(s);

		if (err)
			return err;
	}
	i = s->free;
	p = &s->slot[i];
	s->free = p->next;
	p->obj = obj;
	if (++p->gen == 0)
		p->gen = 1;
	s->count++;
	*ret = (struct handle){.index = i, .gen = p->gen};
	return 0;
}

void *slots_find(const struct slots *s, struct handle h)
{
	if (h.gen == 0 || h.index >= s->cap || s->slot[h.index].gen != h.gen)
		return NULL;
	return s->slot[h.index].obj;
}

void slots_del(struct slots *s, struct handle h)
{
	if (!slots_find(s, h))
		return;
	s->slot[h.index].obj = NULL;
	s->slot[h.index].next = s->free;
	s->free = h.index;
	s->count--;
}

void *slots_next(const struct slots *s, uint32_t *index)
{
	while (*index < s->cap) {
		void *obj = s->slot[(*index)++].obj;

		if (obj)
			return obj;
	}
	return NULL;
}
