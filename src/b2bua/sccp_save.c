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
#include "base/reader.h"
#include "base/secret.h"
#include "base/text.h"

enum {
	FLAG_VIDEO = 1,
	FLAG_RECEIVING = 2,
	FLAG_HEARD = 4,
	FLAG_SENDING = 8,
	FLAG_BORROWED = 16,
	FLAG_LEARNED = 32,
	FLAG_PLAIN = 64,
	FLAG_REFUSED = 128
};

/* ---- out ------------------------------------------------------------------- */

static uint8_t flags_of(const struct sccp_stream *s)
{
	return (uint8_t)((s->is_video ? FLAG_VIDEO : 0) |
			 (s->is_receiving ? FLAG_RECEIVING : 0) |
			 (s->is_heard ? FLAG_HEARD : 0) |
			 (s->is_sending ? FLAG_SENDING : 0) |
			 (s->is_borrowed ? FLAG_BORROWED : 0) |
			 (s->is_learned ? FLAG_LEARNED : 0) |
			 (s->is_plain ? FLAG_PLAIN : 0) |
			 (s->is_refused ? FLAG_REFUSED : 0));
}

static void put_stream(struct writer *w, const struct sccp_stream *s)
{
	writer_u32be(w, s->party);
	writer_u32be(w, s->conf);
	writer_u32be(w, s->call);
	writer_u32be(w, s->codec);
	writer_u8(w, flags_of(s));
	for (int side = 0; side < 2; side++) {
		struct flow f = s->flow[side];

		writer_u16be(w, s->port[side]);
		/* Handles mean nothing to a successor. */
		f.call = 0;
		flow_write(w, &f);
		flow_wipe(&f);
	}
}

static void put_phone(struct writer *w, const struct sccp_phone *p)
{
	struct list *l;

	writer_blob(w, slice_str(p->name));
	writer_u8(w, (uint8_t)p->sig);
	writer_u8(w, (uint8_t)p->stream_count);
	list_for_each(l, &p->streams)
		put_stream(w, sccp_stream_at(l));
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
	put_phone(&k.w, p);
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

static void take_flags(struct sccp_stream *s, uint8_t flags)
{
	s->is_video = flags & FLAG_VIDEO;
	s->is_receiving = flags & FLAG_RECEIVING;
	s->is_heard = flags & FLAG_HEARD;
	s->is_sending = flags & FLAG_SENDING;
	s->is_borrowed = flags & FLAG_BORROWED;
	s->is_learned = flags & FLAG_LEARNED;
	s->is_plain = flags & FLAG_PLAIN;
	s->is_refused = flags & FLAG_REFUSED;
}

static int read_stream(struct reader *r, struct sccp_stream *s)
{
	int err = 0;

	s->party = reader_u32be(r);
	s->conf = reader_u32be(r);
	s->call = reader_u32be(r);
	s->codec = reader_u32be(r);
	take_flags(s, reader_u8(r));
	for (int side = 0; !err && side < 2; side++) {
		s->port[side] = reader_u16be(r);
		err = flow_read(r, &s->flow[side]);
	}
	return reader_ok(r) ? err : ERR_BAD;
}

/* Its ports are ours again, or it is not taken. */
static int take_stream(struct calls *c, struct sccp_phone *p, struct reader *r)
{
	struct sccp_stream *s = alloc_zero(sizeof(*s));
	uint64_t cookie = handle_u64(p->obj.self);
	int err;

	if (!s)
		return ERR_NOMEM;
	s->phone = p;
	err = read_stream(r, s);
	if (!err)
		err = stream_ports_claim(c, cookie, s->port, s->flow);
	if (err) {
		secret_wipe(s, sizeof(*s));
		alloc_free(s);
		return err;
	}
	for (int side = 0; side < 2; side++)
		if (!s->flow[side].is_blocked)
			s->flow[side].idle_ms = SCCP_KEPT_IDLE_MS;
	list_append(&p->streams, &s->node);
	p->stream_count++;
	return 0;
}

static int take_phone(struct calls *c, struct sccp_phone *p, struct reader *r)
{
	struct slice name = reader_blob(r);
	uint8_t sig = reader_u8(r);
	uint8_t count = reader_u8(r);
	int err;

	if (!reader_ok(r) || name.len == 0 || name.len >= sizeof(p->name) ||
	    sig > SIG_ENCRYPTED || count == 0 || count > SCCP_STREAMS_MAX)
		return ERR_BAD;
	if (table_find(&c->sccp.names, name))
		return ERR_EXISTS;
	memcpy(p->name, name.ptr, name.len);
	p->sig = (enum sig_level)sig;
	err = table_add(&c->sccp.names, &p->by_name, slice_str(p->name));
	p->has_name = !err;
	for (uint8_t i = 0; !err && i < count; i++)
		err = take_stream(c, p, r);
	return err || reader_end(r) ? err : ERR_BAD;
}

int sccp_restore(struct calls *c, struct reader *r)
{
	struct sccp_phone *p = sccp_phone_kept(c);
	int err;

	if (!p)
		return ERR_LIMIT;
	err = take_phone(c, p, r);
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

void sccp_kept_idle(struct calls *c, struct sccp_phone *p,
		    struct sccp_stream *s, const struct event *ev)
{
	for (int side = 0; side < 2; side++)
		if (s->flow[side].id == ev->flow.flow)
			s->is_idle[side] = ev->kind == EVENT_FLOW_IDLE;
	if (is_silent(p))
		sccp_phone_end(c, p, "silence after its process died");
}
