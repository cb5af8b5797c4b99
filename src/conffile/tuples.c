#include "conffile/tuples.h"

#include "base/alloc.h"

/* Free what a list owns; struct slice is a view of const bytes. */
static void slice_free(struct slice s)
{
	void *p;

	memcpy(&p, &s.ptr, sizeof(p));
	alloc_free(p);
}

void tuples_done(struct tuples *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->item[i].name)
			slice_free(t->item[i].value);
		else
			slice_free(t->item[i].label);
	}
	alloc_free(t->item);
	*t = (struct tuples){0};
}

static int grow(struct tuples *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64;
	struct config_tuple *p;

	if (t->count >= TUPLES_MAX)
		return ERR_LIMIT;
	if (cap > TUPLES_MAX)
		cap = TUPLES_MAX;
	p = alloc_resize(t->item, cap, sizeof(*p));
	if (!p)
		return ERR_NOMEM;
	t->item = p;
	t->cap = cap;
	return 0;
}

int tuples_add(struct tuples *t, const struct config_tuple *add)
{
	struct slice text = add->name ? add->value : add->label;
	struct config_tuple *c;
	void *copy;
	int err = t->count == t->cap ? grow(t) : 0;

	if (err)
		return err;
	copy = alloc_copy(text);
	if (!copy)
		return ERR_NOMEM;
	c = &t->item[t->count++];
	*c = *add;
	if (add->name)
		c->value = slice_make(copy, text.len);
	else
		c->label = slice_make(copy, text.len);
	return 0;
}
