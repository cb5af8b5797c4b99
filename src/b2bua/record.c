/*
 * What happened, as "key=value ..." for log and call records. Values come
 * from the network: whatever could end a value or a line is written as %XX.
 */
#include "b2bua/sccp.h"

#include "base/hex.h"
#include "sip/hdr.h"

enum { RECORD_MAX = 1024, VALUE_MAX = 128 };

static void put_value(struct writer *w, struct slice v)
{
	static const char digit[] = "0123456789ABCDEF";

	v = slice_sub(v, 0, VALUE_MAX);
	if (v.len == 0)
		writer_str(w, "-");
	for (size_t i = 0; i < v.len; i++) {
		uint8_t b = v.ptr[i];

		if (b > ' ' && b < 0x7f && b != '"' && b != '%' && b != '=') {
			writer_u8(w, b);
			continue;
		}
		writer_u8(w, '%');
		writer_u8(w, (uint8_t)digit[b >> 4]);
		writer_u8(w, (uint8_t)digit[b & 15]);
	}
}

static void put(struct writer *w, const char *name, struct slice v)
{
	if (w->len > 0)
		writer_str(w, " ");
	writer_str(w, name);
	writer_str(w, "=");
	put_value(w, v);
}

static void put_dec(struct writer *w, const char *name, uint64_t v)
{
	if (w->len > 0)
		writer_str(w, " ");
	writer_str(w, name);
	writer_str(w, "=");
	writer_dec(w, v);
}

static void put_addr(struct writer *w, const char *name, const struct addr *a)
{
	char buf[ADDR_STR_MAX];

	put(w, name, slice_str(addr_str(a, buf)));
}

static void emit(struct calls *c, enum record_kind kind, uint64_t cookie,
		 const struct writer *w)
{
	calls_emit(c, &(struct action){.kind = ACTION_RECORD,
				       .call = cookie,
				       .record = kind,
				       .bytes = writer_slice(w)});
}

void record_call(struct calls *c, enum record_kind kind, struct call *call,
		 const char *reason)
{
	uint8_t buf[RECORD_MAX];
	struct writer w;

	if (kind == RECORD_FALLBACK)
		history_add(c, call,
			    &(struct history_item){.what = HISTORY_FALLBACK,
						   .text = reason});
	writer_init(&w, buf, sizeof(buf));
	put_dec(&w, "call", handle_u64(call->obj.self));
	put(&w, "device", slice_str(call->device));
	put(&w, "from", slice_str(call->from));
	put(&w, "to", slice_str(call->to));
	put(&w, "direction",
	    slice_str(call->caller == SIDE_PHONE ? "out" : "in"));
	if (kind == RECORD_CALL_ANSWER || kind == RECORD_CALL_END)
		put(&w, "security",
		    slice_str(call_security_str(security_state(c, call))));
	if (kind == RECORD_CALL_ANSWER)
		put(&w, "codec", slice_str(call->media.stream[0].codec));
	if (kind == RECORD_CALL_END) {
		uint64_t ms = call->answer_ms ? c->now_ms - call->answer_ms : 0;

		put_dec(&w, "duration_ms", ms);
	}
	if (reason)
		put(&w, "reason", slice_str(reason));
	emit(c, kind, handle_u64(call->obj.self), &w);
}

static void record_place(struct calls *c, enum record_kind kind,
			 const struct core_entry *e, const char *why)
{
	uint8_t buf[RECORD_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	put(&w, "name", slice_str(e->place.name));
	put_addr(&w, "peer", &e->place.dest.peer);
	put(&w, "state", slice_str(e->is_up ? "up" : "down"));
	put(&w, "reason", slice_str(why));
	emit(c, kind, 0, &w);
}

void record_core(struct calls *c, const struct core_entry *e, const char *why)
{
	record_place(c, RECORD_CORE, e, why);
}

void record_trunk(struct calls *c, const struct core_entry *e, const char *why)
{
	record_place(c, RECORD_TRUNK, e, why);
}

void record_refused(struct calls *c, const struct event_sip *ev,
		    const char *reason)
{
	uint8_t buf[RECORD_MAX];
	struct writer w;
	struct sip_nameaddr na;

	writer_init(&w, buf, sizeof(buf));
	put(&w, "method", ev->msg->method_name);
	put_addr(&w, "source", &ev->from.peer);
	put(&w, "device", ev->device);
	if (sip_nameaddr_parse(ev->msg->from, &na) == 0)
		put(&w, "from", na.uri);
	put(&w, "ruri", ev->msg->ruri);
	put(&w, "reason", slice_str(reason));
	emit(c, RECORD_REFUSED, 0, &w);
}

void record_binding(struct calls *c, enum record_kind kind,
		    const struct binding *b, const char *reason)
{
	const struct core_entry *e;
	uint8_t buf[RECORD_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	put(&w, "device", slice_str(b->line->device));
	put(&w, "aor", slice_str(b->line->aor));
	put(&w, "contact", slice_str(b->contact));
	put_addr(&w, "source", &b->dest.peer);
	e = core_get(&c->core, b->place);
	if (kind == RECORD_REGISTERED && e)
		put_addr(&w, "core", &e->place.dest.peer);
	if (kind == RECORD_REGISTERED)
		put_dec(&w, "expires_s", (b->expires_ms - c->now_ms) / 1000);
	if (reason)
		put(&w, "reason", slice_str(reason));
	emit(c, kind, 0, &w);
}

void record_sccp(struct calls *c, enum record_kind kind,
		 const struct sccp_phone *p, const char *reason)
{
	uint8_t buf[RECORD_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	put(&w, "device", slice_str(p->name));
	put(&w, "protocol", slice_str("sccp"));
	put_dec(&w, "version", p->version);
	put_dec(&w, "model", p->model);
	put_addr(&w, "peer", &p->dest[SIDE_PHONE].peer);
	if (p->manager_name[0] != '\0')
		put(&w, "manager", slice_str(p->manager_name));
	if (reason)
		put(&w, "reason", slice_str(reason));
	emit(c, kind, handle_u64(p->obj.self), &w);
}

void record_sccp_call(struct calls *c, enum record_kind kind,
		      const struct sccp_call *call)
{
	uint8_t buf[RECORD_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	put_dec(&w, "call", handle_u64(call->obj.self));
	put(&w, "device", slice_str(call->phone->name));
	put(&w, "protocol", slice_str("sccp"));
	put(&w, "from", slice_str(call->caller));
	put(&w, "to", slice_str(call->callee));
	if (call->answer_ms)
		put_dec(&w, "seconds", (c->now_ms - call->answer_ms) / 1000);
	emit(c, kind, handle_u64(call->phone->obj.self), &w);
}

void record_sccp_message(struct calls *c, const struct sccp_phone *p,
			 enum side from, const struct sccp_msg *m)
{
	uint8_t buf[RECORD_MAX];
	uint8_t id[2] = {(uint8_t)(m->id >> 8), (uint8_t)m->id};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	put(&w, "device", slice_str(p->name));
	writer_str(&w, " id=0x");
	hex_encode(&w, slice_make(id, sizeof(id)));
	put(&w, "name", slice_str(sccp_name(m->id)));
	put(&w, "from",
	    slice_str(from == SIDE_PHONE ? "phone" : "call-manager"));
	put_dec(&w, "bytes", m->bytes.len);
	emit(c, RECORD_MESSAGE, handle_u64(p->obj.self), &w);
}
