/*
 * What is left of a Skinny phone's streams when the process that looked after it
 * dies: its connection is gone with the process, and the phone goes on talking
 * until it comes back. So the streams are saved, and a successor keeps them for
 * a phone without connections, under its name. They end when the phone
 * registers anew, when nobody has sent anything for a while, or after an hour.
 */
#include "b2bua/coder.h"
#include "b2bua/sccp.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"

/* ---- one description for both directions ------------------------------------ */

/* A channel that was being opened anew: the phone may have said yes. It travels
 * as a flow does, which has a key. */
static void code_next(struct coder *k, struct sccp_stream *s)
{
	struct flow f = {.out = s->next, .is_borrowed = s->next_is_borrowed};

	s->has_next = coder_bool(k, s->has_next);
	if (!s->has_next)
		return;
	coder_flow(k, &f);
	s->next = f.out;
	s->next_is_borrowed = f.is_borrowed;
	flow_wipe(&f);
}

static void code_stream(struct coder *k, struct sccp_stream *s)
{
	s->party = coder_u32(k, s->party);
	s->conf = coder_u32(k, s->conf);
	s->call = coder_u32(k, s->call);
	s->codec = coder_u32(k, s->codec);
	s->is_video = coder_bool(k, s->is_video);
	s->is_receiving = coder_bool(k, s->is_receiving);
	s->is_heard = coder_bool(k, s->is_heard);
	s->is_sending = coder_bool(k, s->is_sending);
	s->is_borrowed = coder_bool(k, s->is_borrowed);
	s->is_learned = coder_bool(k, s->is_learned);
	s->is_plain = coder_bool(k, s->is_plain);
	s->is_refused = coder_bool(k, s->is_refused);
	code_next(k, s);
	for (int side = 0; side < 2; side++) {
		coder_flow(k, &s->flow[side]);
		s->port[side] = s->flow[side].local.port;
	}
}

/* What streams go by: without its policy a phone behind a NAT would be looked for
 * where it says it is, and none would be secure. */
static void code_phone(struct coder *k, struct sccp_phone *p)
{
	p->sig = (enum sig_level)coder_max(k, p->sig, SIG_ENCRYPTED);
	coder_policy(k, &p->policy);
	p->traits.encrypts = coder_bool(k, p->traits.encrypts);
}

/* ---- out ------------------------------------------------------------------- */

static void put_phone(struct coder *k, struct sccp_phone *p)
{
	struct list *l;

	writer_blob(&k->w, slice_str(p->name));
	code_phone(k, p);
	(void)coder_max(k, p->stream_count, SCCP_STREAMS_MAX);
	list_for_each(l, &p->streams)
		code_stream(k, sccp_stream_at(l));
}

void sccp_save(struct calls *c, struct sccp_phone *p)
{
	struct coder k;
	uint64_t hash;

	if (p->stream_count == 0 || p->name[0] == '\0') {
		sccp_save_done(c, p);
		return;
	}
	save_begin(c, &k, SAVE_SKINNY, p->name);
	writer_u8(&k.w, SAVE_VERSION);
	writer_u8(&k.w, SAVE_SKINNY);
	put_phone(&k, p);
	hash = table_hash(writer_slice(&k.w), c->p.seed) | 1;
	if (hash != p->saved_hash)
		save_emit(c, ACTION_SAVE, &k);
	p->saved_hash = hash;
	secret_wipe(c->msg_buf, k.w.len);
}

void sccp_save_done(struct calls *c, struct sccp_phone *p)
{
	if (p->saved_hash != 0)
		save_forget(c, SAVE_SKINNY, p->name);
	p->saved_hash = 0;
}

/* ---- in -------------------------------------------------------------------- */

/* Does anything pass? A channel that the phone has not said yes to, or that was
 * refused, is of no use to anybody. */
static bool is_open(const struct sccp_stream *s)
{
	return !s->flow[SIDE_PHONE].is_blocked ||
	       !s->flow[SIDE_CORE].is_blocked;
}

/* The phone was told that key before: by now it hears with it, and the relay may
 * have heard so, too. */
static void use_next(struct sccp_stream *s)
{
	struct flow *f = &s->flow[SIDE_CORE];

	if (!s->has_next)
		return;
	s->has_next = false;
	s->is_borrowed = s->is_learned = s->next_is_borrowed;
	f->out = s->next;
	f->is_borrowed = s->is_borrowed;
	secret_wipe(&s->next, sizeof(s->next));
}

static void stream_drop(struct sccp_stream *s)
{
	secret_wipe(s, sizeof(*s));
	alloc_free(s);
}

/* Its ports are ours again, or it is not taken. */
static int take_stream(struct calls *c, struct sccp_phone *p, struct coder *k)
{
	struct sccp_stream *s = alloc_zero(sizeof(*s));
	uint64_t cookie = handle_u64(p->obj.self);
	int err;

	if (!s)
		return ERR_NOMEM;
	s->phone = p;
	code_stream(k, s);
	err = reader_ok(&k->r) ? 0 : ERR_BAD;
	if (!err && is_open(s))
		err = stream_ports_claim(c, cookie, s->port, s->flow);
	if (err || !is_open(s)) {
		stream_drop(s);
		return err;
	}
	for (int side = 0; side < 2; side++)
		if (!s->flow[side].is_blocked)
			s->flow[side].idle_ms = SCCP_KEPT_IDLE_MS;
	use_next(s);
	list_append(&p->streams, &s->node);
	p->stream_count++;
	return 0;
}

static int take_phone(struct calls *c, struct sccp_phone *p, struct coder *k)
{
	struct slice name = reader_blob(&k->r);
	unsigned count;
	int err;

	code_phone(k, p);
	count = coder_max(k, 0, SCCP_STREAMS_MAX);
	if (!reader_ok(&k->r) || name.len == 0 || name.len >= sizeof(p->name) ||
	    count == 0)
		return ERR_BAD;
	if (table_find(&c->sccp.names, name))
		return ERR_EXISTS;
	memcpy(p->name, name.ptr, name.len);
	err = table_add(&c->sccp.names, &p->by_name, slice_str(p->name));
	p->has_name = !err;
	for (unsigned i = 0; !err && i < count; i++)
		err = take_stream(c, p, k);
	if (!err)
		err = coder_end(k);
	return err || p->stream_count > 0 ? err : ERR_NOTFOUND;
}

int sccp_restore(struct calls *c, struct coder *k)
{
	struct sccp_phone *p = sccp_phone_kept(c);
	int err;

	if (!p)
		return ERR_LIMIT;
	err = take_phone(c, p, k);
	/* It is in the store: somebody must take it out. */
	p->saved_hash = 1;
	if (err) {
		for (struct list *l = p->streams.next; l != &p->streams;
		     l = l->next)
			stream_ports_give(c, sccp_stream_at(l)->port);
		sccp_phone_free(c, p);
	}
	return err;
}

/* ---- silence --------------------------------------------------------------- */

static bool is_silent(const struct sccp_phone *p)
{
	struct list *l;

	list_for_each(l, &p->streams) {
		const struct sccp_stream *s = sccp_stream_at(l);

		for (int side = 0; side < 2; side++)
			if (s->flow[side].idle_ms != 0 && !s->is_idle[side])
				return false;
	}
	return true;
}

void sccp_kept_event(struct calls *c, struct sccp_phone *p,
		     const struct event *ev)
{
	struct list *l;

	list_for_each(l, &p->streams) {
		struct sccp_stream *s = sccp_stream_at(l);

		for (int side = 0; side < 2; side++)
			if (s->flow[side].id == ev->flow.flow)
				s->is_idle[side] = ev->kind == EVENT_FLOW_IDLE;
	}
	if (is_silent(p))
		sccp_phone_end(c, p, "silence after its process died");
}

void sccp_media_new(struct sccp_phone *p)
{
	struct list *l;

	list_for_each(l, &p->streams) {
		struct sccp_stream *s = sccp_stream_at(l);

		memset(s->is_idle, 0, sizeof(s->is_idle));
	}
}

void sccp_left(struct calls *c, struct slice name)
{
	struct table_node *n = table_find(&c->sccp.names, name);
	struct sccp_phone *p = TABLE_ENTRY(n, struct sccp_phone, by_name);

	if (!p || !p->is_kept)
		return;
	c->cookie = handle_u64(p->obj.self);
	sccp_phone_end(c, p, "registered with another worker");
}
