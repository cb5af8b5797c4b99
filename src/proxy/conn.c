#include "proxy/conn.h"

#include "base/alloc.h"

void conns_init(struct conns *cs, size_t limit, uint64_t seed)
{
	table_init(&cs->table, limit, seed);
}

void conns_done(struct conns *cs)
{
	for (size_t i = 0; i < cs->table.cap; i++)
		while (cs->table.bucket[i])
			conns_del(cs, TABLE_ENTRY(cs->table.bucket[i],
						  struct conn, node));
	table_done(&cs->table);
}

int conns_add(struct conns *cs, struct handle ep, struct conn **ret)
{
	struct conn *c = alloc_zero(sizeof(*c));
	int err;

	if (!c)
		return ERR_NOMEM;
	c->ep = ep;
	err = table_add(&cs->table, &c->node,
			slice_make(&c->ep, sizeof(c->ep)));
	if (err) {
		alloc_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

struct conn *conns_find(const struct conns *cs, struct handle ep)
{
	return TABLE_ENTRY(table_find(&cs->table, slice_make(&ep, sizeof(ep))),
			   struct conn, node);
}

void conns_del(struct conns *cs, struct conn *c)
{
	table_del(&cs->table, &c->node);
	alloc_free(c);
}

struct conn *conns_next(const struct conns *cs, size_t *bucket, struct conn *c)
{
	struct table_node *n = c ? c->node.next : NULL;

	while (!n && *bucket < cs->table.cap)
		n = cs->table.bucket[(*bucket)++];
	return TABLE_ENTRY(n, struct conn, node);
}
