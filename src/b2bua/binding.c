/*
 * The store of lines and their bindings; reg.c decides what goes in.
 */
#include "b2bua/machine.h"

#include "base/alloc.h"
#include "base/text.h"
#include "sip/hdr.h"
#include "sip/uri.h"

enum {
	LINE_KEY_MAX = 512,
	RENEW_AGAIN_MS = 10000, /* when that had no success */
	RENEW_SPREAD_MS = 10000
};

static size_t print_key(uint8_t *buf, struct slice aor, struct slice device)
{
	struct writer w;

	writer_init(&w, buf, LINE_KEY_MAX);
	writer_put(&w, aor);
	writer_u8(&w, '\n');
	writer_put(&w, device);
	return writer_ok(&w) ? w.len : 0;
}

struct line *line_find(const struct calls *c, struct slice aor,
		       struct slice device)
{
	uint8_t buf[LINE_KEY_MAX];
	size_t len = print_key(buf, aor, device);

	return TABLE_ENTRY(table_find(&c->lines, slice_make(buf, len)),
			   struct line, node);
}

uint32_t line_cseq(const struct calls *c, struct slice call_id, uint32_t least)
{
	struct line *l = TABLE_ENTRY(table_find(&c->line_ids, call_id),
				     struct line, by_id);

	if (!l)
		return least;
	l->cseq = l->cseq < least ? least : l->cseq + 1;
	return l->cseq;
}

int line_link_id(struct calls *c, struct line *l)
{
	table_del(&c->line_ids, &l->by_id);
	return table_add(&c->line_ids, &l->by_id, slice_str(l->call_id));
}

/* The user part in small letters: a device's name is compared like that. */
static size_t print_user_key(uint8_t *buf, struct slice aor,
			     struct slice device)
{
	struct slice user;
	struct writer w;

	text_cut(aor, '@', &user, NULL);
	writer_init(&w, buf, LINE_KEY_MAX);
	for (size_t i = 0; i < user.len; i++)
		writer_u8(&w, text_lower(user.ptr[i]));
	writer_u8(&w, '\n');
	writer_put(&w, device);
	return writer_ok(&w) ? w.len : 0;
}

static int link_line(struct calls *c, struct line *l, struct slice key,
		     struct slice user_key)
{
	int err;

	l->key = alloc_copy(key);
	l->user_key = alloc_copy(user_key);
	if (!l->key || !l->user_key)
		return ERR_NOMEM;
	err = table_add(&c->line_users, &l->by_user,
			slice_make(l->user_key, user_key.len));
	if (!err)
		err = line_link_id(c, l);
	return err ? err
		   : table_add(&c->lines, &l->node,
			       slice_make(l->key, key.len));
}

static void line_free(struct line *l)
{
	alloc_free(l->user_key);
	alloc_free(l->key);
	alloc_free(l->aor);
	alloc_free(l->device);
	alloc_free(l->to);
	alloc_free(l->ruri);
	alloc_free(l->headers);
	alloc_free(l);
}

struct line *line_make(struct calls *c, struct slice aor, struct slice device)
{
	uint8_t buf[LINE_KEY_MAX];
	uint8_t user[LINE_KEY_MAX];
	size_t len = print_key(buf, aor, device);
	size_t user_len = print_user_key(user, aor, device);
	struct line *l = line_find(c, aor, device);

	if (l)
		return l;
	l = len > 0 && user_len > 0 ? alloc_zero(sizeof(*l)) : NULL;
	if (!l)
		return NULL;
	list_init(&l->bindings);
	l->aor = alloc_copy(aor);
	l->device = alloc_copy(device);
	calls_hex(c, l->call_id, TOKEN_LEN);
	calls_hex(c, l->tag, TAG_LEN);
	if (!l->aor || !l->device ||
	    link_line(c, l, slice_make(buf, len), slice_make(user, user_len)) !=
		    0) {
		table_del(&c->line_users, &l->by_user);
		table_del(&c->line_ids, &l->by_id);
		line_free(l);
		return NULL;
	}
	return l;
}

void line_drop(struct calls *c, struct line *l)
{
	if (!list_empty(&l->bindings) || l->try_count > 0)
		return;
	table_del(&c->lines, &l->node);
	table_del(&c->line_users, &l->by_user);
	table_del(&c->line_ids, &l->by_id);
	line_free(l);
}

static int set_text(char **field, struct slice s)
{
	char *p = alloc_copy(s);

	if (!p)
		return ERR_NOMEM;
	alloc_free(*field);
	*field = p;
	return 0;
}

/* The Contact parameters that the call manager shall see: all but those that
 * speak about the hop to us (RFC 5626, RFC 5627). */
static int set_params(struct binding *b, struct slice params)
{
	static const char *const hop[] = {"expires", "reg-id", "pub-gruu",
					  "temp-gruu"};
	uint8_t buf[1024];
	struct writer w;
	struct slice item;

	writer_init(&w, buf, sizeof(buf));
	while (text_next(&params, ';', &item)) {
		struct slice name;
		bool is_hop = item.len == 0;

		text_cut(item, '=', &name, NULL);
		for (size_t i = 0; i < sizeof(hop) / sizeof(hop[0]); i++)
			is_hop |= text_ieqs(text_trim(name), hop[i]);
		if (is_hop)
			continue;
		writer_str(&w, ";");
		writer_put(&w, item);
	}
	if (!writer_ok(&w))
		return ERR_LIMIT;
	return set_text(&b->params, writer_slice(&w));
}

int binding_set_ep(struct calls *c, struct binding *b, const struct dest *dest)
{
	int err;

	table_del(&c->binding_eps, &b->by_ep);
	calls_ep_key(dest->ep, b->ep_key);
	err = table_add(&c->binding_eps, &b->by_ep,
			slice_make(b->ep_key, sizeof(b->ep_key)));
	if (err == 0)
		b->dest = *dest;
	return err;
}

int binding_refresh(struct calls *c, struct binding *b,
		    const struct event_sip *ev, struct slice uri,
		    struct slice params)
{
	struct slice instance = SLICE_NULL;
	int err = set_text(&b->contact, uri);

	(void)sip_param(params, "+sip.instance", &instance);
	if (!err)
		err = set_params(b, params);
	if (!err)
		err = set_text(&b->instance, instance);
	if (!err)
		err = set_text(&b->register_id, ev->msg->call_id);
	if (!err)
		err = binding_set_ep(c, b, &ev->from);
	if (err)
		return err;
	b->takes_service = sip_msg_has_token(ev->msg, SIP_HDR_SUPPORTED,
					     "X-cisco-service-control");
	b->sig = ev->sig;
	if (ev->policy)
		b->policy = *ev->policy;
	b->pass_auth = ev->pass_auth;
	b->falls_back = sip_msg_has_token(ev->msg, SIP_HDR_SUPPORTED,
					  "X-cisco-srtp-fallback");
	return 0;
}

/* Bindings of l and of all lines with the same device and user: the host of an
 * address of record is the phone's own choice. */
static uint32_t bindings_of_user(const struct calls *c, const struct line *l)
{
	struct table_node *node = table_find(&c->line_users, l->by_user.key);
	uint32_t count = 0;
	struct list *n;

	while (node) {
		const struct line *same =
			TABLE_ENTRY(node, struct line, by_user);

		list_for_each(n, &same->bindings)
			count++;
		node = table_find_next(node);
	}
	return count;
}

int binding_alloc(struct calls *c, struct line *l,
		  const char token[TOKEN_LEN + 1], struct binding **ret)
{
	struct binding *b;
	int err;

	/* One device must not use up the places of all. */
	if (bindings_of_user(c, l) >= CONTACTS_MAX)
		return ERR_LIMIT;
	b = alloc_zero(sizeof(*b));
	if (!b)
		return ERR_NOMEM;
	b->line = l;
	list_append(&l->bindings, &b->node);
	memcpy(b->token, token, TOKEN_LEN);
	b->since_ms = c->now_ms;
	err = slots_add(&c->bindings, b, &b->self);
	if (!err)
		err = table_add(&c->tokens, &b->by_token,
				slice_make(b->token, TOKEN_LEN));
	if (err) {
		binding_free(c, b);
		return err;
	}
	*ret = b;
	return 0;
}

int binding_new(struct calls *c, struct line *l, const struct event_sip *ev,
		struct slice uri, struct slice params, struct binding **ret)
{
	char token[TOKEN_LEN + 1];
	struct binding *b;
	int err;

	calls_hex(c, token, TOKEN_LEN);
	err = binding_alloc(c, l, token, &b);
	if (err)
		return err;
	err = binding_refresh(c, b, ev, uri, params);
	if (err)
		binding_free(c, b);
	else
		*ret = b;
	return err;
}

void binding_free(struct calls *c, struct binding *b)
{
	struct line *l = b->line;

	save_binding_done(c, b);
	timerq_clear(&c->binding_timers, &b->timer);
	table_del(&c->tokens, &b->by_token);
	table_del(&c->binding_eps, &b->by_ep);
	slots_del(&c->bindings, b->self);
	list_del(&b->node);
	alloc_free(b->contact);
	alloc_free(b->params);
	alloc_free(b->instance);
	alloc_free(b->register_id);
	alloc_free(b);
	line_drop(c, l);
}

struct binding *binding_find(const struct calls *c, struct slice token)
{
	return TABLE_ENTRY(table_find(&c->tokens, token), struct binding,
			   by_token);
}

struct binding *binding_of(const struct calls *c, struct slice aor_user,
			   struct slice device, const struct dest *dest)
{
	uint8_t key[8];
	struct table_node *n;

	calls_ep_key(dest->ep, key);
	n = table_find(&c->binding_eps, slice_make(key, sizeof(key)));
	for (; n; n = table_find_next(n)) {
		struct binding *b = TABLE_ENTRY(n, struct binding, by_ep);
		struct slice user;

		text_cut(slice_str(b->line->aor), '@', &user, NULL);
		if (b->is_active && slice_eq(user, aor_user) &&
		    slice_eqs(device, b->line->device) &&
		    addr_ip_eq(&b->dest.peer, &dest->peer))
			return b;
	}
	return NULL;
}

struct binding *binding_of_caller(const struct calls *c,
				  const struct event_sip *ev)
{
	struct sip_nameaddr na;
	struct sip_uri u;

	if (sip_nameaddr_parse(ev->msg->from, &na) != 0 ||
	    sip_uri_parse(na.uri, &u) != 0)
		return NULL;
	return binding_of(c, u.user, ev->device, &ev->from);
}

void binding_conn_down(struct calls *c, struct handle conn)
{
	struct binding *b[CONTACTS_MAX];
	uint8_t key[8];
	struct table_node *n;

	calls_ep_key(conn, key);
	while ((n = table_find(&c->binding_eps, slice_make(key, 8)))) {
		struct line *l;
		uint32_t count = 1;

		b[0] = TABLE_ENTRY(n, struct binding, by_ep);
		l = b[0]->line;
		/* All of one line in one REGISTER. */
		while (count < CONTACTS_MAX && (n = table_find_next(n))) {
			struct binding *next =
				TABLE_ENTRY(n, struct binding, by_ep);

			if (next->line == l)
				b[count++] = next;
		}
		reg_remove(c, l, b, count);
		for (uint32_t i = 0; i < count; i++) {
			if (b[i]->is_active)
				record_binding(c, RECORD_UNREGISTERED, b[i],
					       "connection lost");
			binding_free(c, b[i]);
		}
	}
}

/* The call manager gave less time than the phone has (RFC 3261 section 10.2.4).
 * One that is down is core_move.c's. */
static void renew(struct calls *c, struct binding *b)
{
	const struct core_entry *e = core_get(&c->core, b->place);
	uint64_t again_ms = c->now_ms + RENEW_AGAIN_MS +
			    entropy_u32(&c->p.entropy) % RENEW_SPREAD_MS;

	if (again_ms > b->expires_ms)
		again_ms = b->expires_ms;
	/* Its place in the heap was left a moment ago. */
	if (timerq_set(&c->binding_timers, &b->timer, again_ms) != 0)
		c->err = ERR_NOMEM;
	if (e && e->is_up && b->line->try_count == 0 &&
	    reg_move(c, b->line, e) == ERR_NOMEM)
		c->err = ERR_NOMEM;
}

void binding_timer(struct calls *c, struct binding *b)
{
	if (b->expires_ms > c->now_ms) {
		renew(c, b);
		return;
	}
	/* It ends inside at the same time, as a rule. */
	if (b->is_longer)
		reg_remove(c, b->line, &b, 1);
	record_binding(c, RECORD_UNREGISTERED, b, "expired");
	binding_free(c, b);
}
