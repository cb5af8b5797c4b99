#include "base/alloc.h"
#include "transport/internal.h"

/* One customer's IPv6 network is one source: it has 2^64 addresses. */
static void make_key(const struct addr *a, uint8_t key[SOURCE_KEY_LEN])
{
	memset(key, 0, SOURCE_KEY_LEN);
	key[0] = (uint8_t)a->family;
	memcpy(key + 1, a->ip, a->family == ADDR_V4 ? 4 : 8);
}

static struct source *source_get(struct transport *t, const struct addr *peer)
{
	uint8_t key[SOURCE_KEY_LEN];
	struct table_node *node;
	struct source *s;

	make_key(peer, key);
	node = table_find(&t->sources, slice_make(key, sizeof(key)));
	if (node)
		return TABLE_ENTRY(node, struct source, node);
	s = alloc_zero(sizeof(*s));
	if (!s)
		return NULL;
	memcpy(s->key, key, sizeof(key));
	if (table_add(&t->sources, &s->node,
		      slice_make(s->key, sizeof(s->key))) != 0)
		return alloc_free(s);
	return s;
}

struct source *source_take(struct transport *t, const struct addr *peer,
			   uint64_t **ret_counter)
{
	struct source *s;

	s = source_get(t, peer);
	if (!s) {
		*ret_counter = &t->stats.accept_errors;
		return NULL;
	}
	if (s->conns >= t->limits.conn_source_max)
		*ret_counter = &t->stats.refused_source;
	else if (s->pending >= t->limits.pending_source_max)
		*ret_counter = &t->stats.refused_pending_source;
	else {
		s->conns++;
		return s;
	}
	return NULL;
}

void source_drop(struct transport *t, struct source *s)
{
	if (--s->conns > 0)
		return;
	table_del(&t->sources, &s->node);
	(void)alloc_free(s);
}
