#include "proxy/formers.h"

#include "base/alloc.h"

struct former {
	struct list node;
	struct config *config; /* a reference */
	const struct config_trunk *trunk;
};

static struct former *of(struct list *n)
{
	return LIST_ENTRY(n, struct former, node);
}

static const struct config_trunk *trunk_of(struct list *n)
{
	return of(n)->trunk;
}

static void drop(struct former *e)
{
	list_del(&e->node);
	config_unref(e->config);
	alloc_free(e);
}

void formers_init(struct formers *f)
{
	list_init(&f->list);
}

void formers_done(struct formers *f)
{
	while (!list_empty(&f->list))
		drop(of(f->list.next));
}

int formers_add(struct formers *f, struct config *c,
		const struct config_trunk *t)
{
	struct former *e;
	struct list *n;

	list_for_each(n, &f->list)
		if (strcmp(trunk_of(n)->name, t->name) == 0 &&
		    config_trunk_same_sources(trunk_of(n), t))
			return 0;
	e = alloc_zero(sizeof(*e));
	if (!e)
		return ERR_NOMEM;
	e->config = config_ref(c);
	e->trunk = t;
	list_append(&f->list, &e->node);
	return 0;
}

const struct config_trunk *formers_identify(const struct formers *f,
					    const struct config *c,
					    const struct config_claim *q)
{
	struct list *n;

	if (!f)
		return NULL;
	list_for_each(n, &f->list) {
		const struct config_trunk *t = trunk_of(n);
		const struct config_trunk *now;

		if (!config_trunk_is(t, q))
			continue;
		now = config_trunk_find(c, slice_str(t->name));
		if (!now)
			return t;
		if (q->name_count == 0 ||
		    config_trunk_names(now, q->name, q->name_count))
			return now;
	}
	return NULL;
}

const struct config_trunk *formers_find(const struct formers *f,
					struct slice name)
{
	const struct config_trunk *found = NULL;
	struct list *n;

	list_for_each(n, &f->list)
		if (slice_eqs(name, trunk_of(n)->name))
			found = trunk_of(n);
	return found;
}

bool formers_sweep(struct formers *f,
		   bool (*keep)(void *ctx, const struct config_trunk *t),
		   void (*gone)(void *ctx, const struct config_trunk *t),
		   void *ctx)
{
	struct list *n = f->list.next;

	while (n != &f->list) {
		struct former *e = of(n);

		n = n->next;
		if (keep(ctx, e->trunk))
			continue;
		gone(ctx, e->trunk);
		drop(e);
	}
	return !list_empty(&f->list);
}
