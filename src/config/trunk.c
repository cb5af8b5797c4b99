/*
 * Which trunk somebody is. Subjects, networks and hosts are found by hashing,
 * so that a thousand trunks cost no more than one.
 */
#include "base/text.h"
#include "config/build.h"

enum { NET_KEY_LEN = 18, NAME_MAX_LEN = CONFIG_TEXT_MAX };

struct trunk_node {
	struct table_node node;
	const struct config_trunk *trunk;
};

/* ---- keys ------------------------------------------------------------- */

static void mask(struct addr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->ip); i++) {
		unsigned left = bits > i * 8 ? bits - i * 8 : 0;

		if (left < 8)
			a->ip[i] &= (uint8_t)(0xff00U >> left);
	}
}

static struct slice net_key(const struct addr *a, unsigned bits,
			    uint8_t buf[NET_KEY_LEN])
{
	struct addr m = *a;

	mask(&m, bits);
	buf[0] = (uint8_t)a->family;
	buf[1] = (uint8_t)bits;
	memcpy(buf + 2, m.ip, sizeof(m.ip));
	return slice_make(buf, NET_KEY_LEN);
}

/* Lower case, without the dot that ends an absolute name. */
static struct slice name_key(struct slice name, char buf[NAME_MAX_LEN])
{
	if (name.len > 0 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (name.len > NAME_MAX_LEN)
		return SLICE_NULL;
	for (size_t i = 0; i < name.len; i++)
		buf[i] = (char)text_lower(name.ptr[i]);
	return slice_make(buf, name.len);
}

static int add(struct config *c, struct table *t,
	       const struct config_trunk *trunk, struct slice key)
{
	struct trunk_node *n = config_alloc(c, sizeof(*n));
	const char *kept = config_keep(c, key);

	if (!n || !kept)
		return ERR_NOMEM;
	n->trunk = trunk;
	return table_add(t, &n->node, slice_make(kept, key.len));
}

int config_trunk_add_subject(struct config *c, const struct config_trunk *t,
			     const char *subject)
{
	char buf[NAME_MAX_LEN];

	return add(c, &c->trunks_by_subject, t,
		   name_key(slice_str(subject), buf));
}

int config_trunk_add_host(struct config *c, const struct config_trunk *t,
			  const char *host)
{
	char buf[NAME_MAX_LEN];

	return add(c, &c->trunks_by_host, t, name_key(slice_str(host), buf));
}

/* The lengths in use, the longest first: a host counts before its network. */
static void add_kind(struct config *c, const struct config_net *net)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < c->net_kind_count; i++) {
		const struct config_net *k = &c->net_kind[i];

		if (k->addr.family == net->addr.family && k->bits == net->bits)
			return;
		if (k->bits > net->bits)
			at = i + 1;
	}
	for (uint32_t i = c->net_kind_count; i > at; i--)
		c->net_kind[i] = c->net_kind[i - 1];
	c->net_kind[at] = *net;
	c->net_kind_count++;
}

int config_trunk_add_net(struct config *c, const struct config_trunk *t,
			 const struct config_net *net)
{
	uint8_t buf[NET_KEY_LEN];

	add_kind(c, net);
	return add(c, &c->trunks_by_net, t,
		   net_key(&net->addr, net->bits, buf));
}

const struct config_trunk *config_trunk_by_net(const struct config *c,
					       const struct config_net *net,
					       uint64_t listener_bits)
{
	uint8_t buf[NET_KEY_LEN];
	const struct table_node *n = table_find(
		&c->trunks_by_net, net_key(&net->addr, net->bits, buf));

	for (; n; n = table_find_next(n)) {
		const struct trunk_node *k =
			(const struct trunk_node *)(const void *)n;

		if ((k->trunk->listener_bits & listener_bits) != 0)
			return k->trunk;
	}
	return NULL;
}

/* ---- names -------------------------------------------------------------- */

bool config_subject_match(struct slice subject, struct slice name)
{
	char sbuf[NAME_MAX_LEN];
	char nbuf[NAME_MAX_LEN];
	struct slice s = name_key(subject, sbuf);
	struct slice n = name_key(name, nbuf);
	struct slice tail;

	if (s.len == 0 || n.len == 0)
		return false;
	if (s.len < 3 || s.ptr[0] != '*' || s.ptr[1] != '.')
		return slice_eq(s, n);
	/* One whole label and not more (RFC 6125 section 6.4.3). */
	return text_cut(n, '.', NULL, &tail) && n.ptr[0] != '.' &&
	       slice_eq(slice_from(s, 2), tail);
}

const struct config_strings *config_trunk_subjects(const struct config_trunk *t)
{
	return t->subjects.count > 0 || !t->profile ? &t->subjects
						    : &t->profile->subjects;
}

bool config_trunk_names(const struct config_trunk *t, const struct slice *name,
			size_t count)
{
	const struct config_strings *l = config_trunk_subjects(t);

	for (uint32_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < count; k++)
			if (config_subject_match(slice_str(l->item[i]),
						 name[k]))
				return true;
	return l->count == 0;
}

bool config_trunk_has_source(const struct config_trunk *t, const struct addr *a)
{
	for (uint32_t i = 0; i < t->source_count; i++)
		if (addr_in_prefix(a, &t->source[i].addr, t->source[i].bits))
			return true;
	return false;
}

/* ---- has it changed? ------------------------------------------------------ */

bool config_remote_eq(const struct config_remote *a,
		      const struct config_remote *b)
{
	return a->transport == b->transport && a->port == b->port &&
	       addr_eq(&a->addr, &b->addr) && strcmp(a->host, b->host) == 0;
}

bool config_trunk_same_names(const struct config_trunk *a,
			     const struct config_trunk *b)
{
	const struct config_strings *x = config_trunk_subjects(a);
	const struct config_strings *y = config_trunk_subjects(b);

	for (uint32_t i = 0; i < x->count && i < y->count; i++)
		if (strcmp(x->item[i], y->item[i]) != 0)
			return false;
	return x->count == y->count && a->identify == b->identify &&
	       a->profile->mutual_tls == b->profile->mutual_tls &&
	       a->profile->security_mode == b->profile->security_mode;
}

bool config_trunk_same_sources(const struct config_trunk *a,
			       const struct config_trunk *b)
{
	if (a->source_count != b->source_count || a->identify != b->identify ||
	    a->listener_bits != b->listener_bits)
		return false;
	for (uint32_t i = 0; i < a->source_count; i++)
		if (a->source[i].bits != b->source[i].bits ||
		    !addr_eq(&a->source[i].addr, &b->source[i].addr))
			return false;
	return true;
}

/* ---- who is it ----------------------------------------------------------- */

bool config_trunk_is(const struct config_trunk *t, const struct config_claim *q)
{
	bool needs_address = t->identify != CONFIG_IDENTIFY_CERTIFICATE;
	bool needs_cert = t->identify != CONFIG_IDENTIFY_ADDRESS ||
			  (q->is_tls && t->profile->mutual_tls);

	if (q->listener >= CONFIG_LISTENERS_MAX ||
	    !(t->listener_bits >> q->listener & 1))
		return false;
	if (needs_address && !config_trunk_has_source(t, &q->source))
		return false;
	if (needs_cert && q->name_count == 0)
		return false;
	return q->name_count == 0 ||
	       config_trunk_names(t, q->name, q->name_count);
}

/* The trunk under key of which q may come in, and that stands before best. */
static const struct config_trunk *first(const struct table *t, struct slice key,
					const struct config_claim *q,
					const struct config_trunk *best)
{
	const struct table_node *n = key.len > 0 ? table_find(t, key) : NULL;

	for (; n; n = table_find_next(n)) {
		const struct trunk_node *k =
			(const struct trunk_node *)(const void *)n;

		if ((!best || k->trunk < best) && config_trunk_is(k->trunk, q))
			best = k->trunk;
	}
	return best;
}

_Static_assert(offsetof(struct trunk_node, node) == 0, "node comes first");

static const struct config_trunk *by_names(const struct config *c,
					   const struct config_claim *q)
{
	const struct config_trunk *best = NULL;
	char buf[NAME_MAX_LEN];

	for (size_t i = 0; i < q->name_count; i++) {
		struct slice key = name_key(q->name[i], buf);
		char wild[NAME_MAX_LEN + 2];
		struct writer w;
		struct slice tail;

		best = first(&c->trunks_by_subject, key, q, best);
		if (!text_cut(key, '.', NULL, &tail) || tail.len == 0)
			continue;
		writer_init(&w, wild, sizeof(wild));
		writer_str(&w, "*.");
		writer_put(&w, tail);
		best = first(&c->trunks_by_subject, writer_slice(&w), q, best);
	}
	return best;
}

const struct config_trunk *config_trunk_identify(const struct config *c,
						 const struct config_claim *q)
{
	const struct config_trunk *t = by_names(c, q);
	uint8_t buf[NET_KEY_LEN];

	for (uint32_t i = 0; !t && i < c->net_kind_count; i++) {
		const struct config_net *k = &c->net_kind[i];

		if (k->addr.family == q->source.family)
			t = first(&c->trunks_by_net,
				  net_key(&q->source, k->bits, buf), q, NULL);
	}
	return t;
}

const struct config_trunk *config_trunk_by_host(const struct config *c,
						struct slice host)
{
	char buf[NAME_MAX_LEN];
	struct slice key = name_key(host, buf);
	const struct table_node *n =
		key.len > 0 ? table_find(&c->trunks_by_host, key) : NULL;

	return n ? ((const struct trunk_node *)(const void *)n)->trunk : NULL;
}

const struct config_trunk *config_trunk_find(const struct config *c,
					     struct slice name)
{
	return TABLE_ENTRY(table_find(&c->trunks_by_name, name),
			   struct config_trunk, by_name);
}

const struct config_trunk_profile *config_profile_find(const struct config *c,
						       struct slice name)
{
	return TABLE_ENTRY(table_find(&c->profiles_by_name, name),
			   struct config_trunk_profile, by_name);
}

struct slice config_trunk_realm(const struct config_trunk *t)
{
	return slice_str(t->realm[0] ? t->realm : t->name);
}
