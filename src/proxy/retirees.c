#include "proxy/retirees.h"

#include "base/alloc.h"

struct retiree {
	struct list node;
	struct config *config; /* a reference */
	const struct config_device *device;
};

static struct retiree *of(struct list *n)
{
	return LIST_ENTRY(n, struct retiree, node);
}

static void drop(struct retiree *e)
{
	list_del(&e->node);
	config_unref(e->config);
	alloc_free(e);
}

void retirees_init(struct retirees *r)
{
	list_init(&r->list);
}

void retirees_done(struct retirees *r)
{
	while (!list_empty(&r->list))
		drop(of(r->list.next));
}

int retirees_add(struct retirees *r, struct config *c,
		 const struct config_device *d)
{
	struct retiree *e = alloc_zero(sizeof(*e));

	if (!e)
		return ERR_NOMEM;
	e->config = config_ref(c);
	e->device = d;
	list_append(&r->list, &e->node);
	return 0;
}

bool retirees_has(const struct retirees *r, const struct config_device *d)
{
	struct list *n;

	if (r)
		list_for_each(n, &r->list)
			if (LIST_ENTRY(n, struct retiree, node)->device == d)
				return true;
	return false;
}

const struct config_device *retirees_current(const struct retirees *r,
					     const struct config *c,
					     struct slice name)
{
	const struct config_device *d = config_device_find(c, name);
	struct list *n;

	if (d || !r)
		return d;
	list_for_each(n, &r->list) {
		d = LIST_ENTRY(n, struct retiree, node)->device;
		if (slice_eqs(name, d->name))
			return d;
	}
	return NULL;
}

const struct config_device *retirees_by_line(const struct retirees *r,
					     struct slice line)
{
	struct list *n;

	if (!r)
		return NULL;
	list_for_each(n, &r->list) {
		const struct config_device *d =
			LIST_ENTRY(n, struct retiree, node)->device;

		if (config_device_has_line(d, line))
			return d;
	}
	return NULL;
}

bool retirees_sweep(struct retirees *r, const struct config *c,
		    bool (*keep)(void *ctx, struct slice name),
		    void (*gone)(void *ctx, const struct config_device *d),
		    void *ctx)
{
	struct list *n = r->list.next;

	while (n != &r->list) {
		struct retiree *e = of(n);
		struct slice name = slice_str(e->device->name);

		n = n->next;
		if (!config_device_find(c, name) && keep(ctx, name))
			continue;
		gone(ctx, e->device);
		drop(e);
	}
	return !list_empty(&r->list);
}
