#include "media/wire.h"

#include "base/reader.h"
#include "base/secret.h"

/* First byte of a message; requests use enum media_op. */
enum { TAG_ANSWER = 0x40, TAG_EVENT = 0x41 };

static void head(struct writer *w, enum media_op op, uint32_t req)
{
	writer_u8(w, (uint8_t)op);
	writer_u32be(w, req);
}

static void put_flows(struct writer *w, const struct flow *f, uint32_t n)
{
	writer_u8(w, (uint8_t)n);
	for (uint32_t i = 0; i < n; i++)
		flow_write(w, &f[i]);
}

void media_wire_add(struct writer *w, uint32_t req, const struct flow *f,
		    uint32_t n)
{
	head(w, MEDIA_OP_ADD, req);
	put_flows(w, f, n);
}

void media_wire_claim(struct writer *w, uint32_t req, const struct flow f[2])
{
	head(w, MEDIA_OP_CLAIM, req);
	put_flows(w, f, 2);
}

void media_wire_disown(struct writer *w, uint32_t req)
{
	head(w, MEDIA_OP_DISOWN, req);
}

void media_wire_sweep(struct writer *w, uint32_t req)
{
	head(w, MEDIA_OP_SWEEP, req);
}

void media_wire_update(struct writer *w, uint32_t req, const struct flow *f)
{
	head(w, MEDIA_OP_UPDATE, req);
	flow_write(w, f);
}

void media_wire_del(struct writer *w, uint32_t req, uint64_t id)
{
	head(w, MEDIA_OP_DEL, req);
	writer_u64be(w, id);
}

void media_wire_query(struct writer *w, uint32_t req, uint64_t id)
{
	head(w, MEDIA_OP_QUERY, req);
	writer_u64be(w, id);
}

void media_wire_flush(struct writer *w, uint32_t req)
{
	head(w, MEDIA_OP_FLUSH, req);
}

void media_wire_stats(struct writer *w, uint32_t req, const uint64_t *id,
		      uint32_t n)
{
	head(w, MEDIA_OP_STATS, req);
	writer_u8(w, (uint8_t)n);
	for (uint32_t i = 0; i < n; i++)
		writer_u64be(w, id[i]);
}

static int read_flows(struct reader *r, struct media_request *ret, uint8_t n)
{
	int err = 0;

	if (n == 0 || n > MEDIA_WIRE_FLOWS_MAX)
		return ERR_BAD;
	for (uint8_t i = 0; !err && i < n; i++)
		err = flow_read(r, &ret->flow[i]);
	ret->flow_count = n;
	return err;
}

static int read_ids(struct reader *r, struct media_request *ret, uint8_t n)
{
	if (n == 0 || n > MEDIA_WIRE_STATS_MAX)
		return ERR_BAD;
	for (uint8_t i = 0; i < n; i++)
		ret->id[i] = reader_u64be(r);
	ret->id_count = n;
	return 0;
}

static int read_body(struct reader *r, uint8_t op, struct media_request *ret)
{
	switch (op) {
	case MEDIA_OP_ADD:
		return read_flows(r, ret, reader_u8(r));
	case MEDIA_OP_CLAIM:
		return reader_u8(r) == 2 ? read_flows(r, ret, 2) : ERR_BAD;
	case MEDIA_OP_UPDATE:
		return read_flows(r, ret, 1);
	case MEDIA_OP_DEL:
	case MEDIA_OP_QUERY:
		return read_ids(r, ret, 1);
	case MEDIA_OP_STATS:
		return read_ids(r, ret, reader_u8(r));
	case MEDIA_OP_FLUSH:
	case MEDIA_OP_DISOWN:
	case MEDIA_OP_SWEEP:
		return 0;
	default:
		return ERR_BAD;
	}
}

int media_wire_read_request(struct slice msg, struct media_request *ret)
{
	struct reader r;
	uint8_t op;
	int err;

	*ret = (struct media_request){0};
	reader_init(&r, msg);
	op = reader_u8(&r);
	ret->req = reader_u32be(&r);
	err = read_body(&r, op, ret);
	if (!err && !reader_end(&r))
		err = ERR_BAD;
	if (err) {
		media_request_wipe(ret);
		return err;
	}
	ret->op = (enum media_op)op;
	return 0;
}

void media_request_wipe(struct media_request *r)
{
	for (uint32_t i = 0; i < MEDIA_WIRE_FLOWS_MAX; i++)
		flow_wipe(&r->flow[i]);
}

void media_wire_answer(struct writer *w, uint32_t req, int err,
		       const struct flow_stats *s, uint32_t n)
{
	writer_u8(w, TAG_ANSWER);
	writer_u32be(w, req);
	writer_u8(w, (uint8_t)-err);
	writer_u8(w, (uint8_t)n);
	for (uint32_t i = 0; i < n; i++)
		flow_stats_write(w, &s[i]);
}

/* What an event says travels as a flow: one encoding of addresses and keys is
 * enough, and events are rare. */
void media_wire_event(struct writer *w, const struct media_event *e)
{
	struct flow f = {.id = e->flow,
			 .remote = e->addr,
			 .security = e->security,
			 .is_blocked = e->is_rolled,
			 .in = e->key};

	writer_u8(w, TAG_EVENT);
	writer_u8(w, (uint8_t)e->kind);
	flow_write(w, &f);
	flow_wipe(&f);
}

static int read_event(struct reader *r, struct media_reply *ret)
{
	uint8_t kind = reader_u8(r);
	struct flow f;
	int err = flow_read(r, &f);

	if (err)
		return err;
	ret->is_event = true;
	ret->event = (struct media_event){.kind = (enum media_event_kind)kind,
					  .flow = f.id,
					  .addr = f.remote,
					  .security = f.security,
					  .is_rolled = f.is_blocked,
					  .key = f.in};
	flow_wipe(&f);
	return kind > MEDIA_EVENT_PARTED ? ERR_BAD : 0;
}

static int read_answer(struct reader *r, struct media_reply *ret)
{
	uint8_t err, n;

	ret->req = reader_u32be(r);
	err = reader_u8(r);
	n = reader_u8(r);
	if (n > MEDIA_WIRE_STATS_MAX || err > -ERR_AGAIN)
		return ERR_BAD;
	for (uint8_t i = 0; i < n; i++) {
		if (flow_stats_read(r, &ret->stats[i]))
			return ERR_BAD;
	}
	ret->err = -(int)err;
	ret->stats_count = n;
	return 0;
}

int media_wire_read_reply(struct slice msg, struct media_reply *ret)
{
	struct reader r;
	uint8_t tag;
	int err;

	*ret = (struct media_reply){0};
	reader_init(&r, msg);
	tag = reader_u8(&r);
	if (tag == TAG_ANSWER)
		err = read_answer(&r, ret);
	else if (tag == TAG_EVENT)
		err = read_event(&r, ret);
	else
		err = ERR_BAD;
	if (!err && reader_end(&r))
		return 0;
	media_reply_wipe(ret);
	return ERR_BAD;
}

void media_reply_wipe(struct media_reply *r)
{
	secret_wipe(&r->event.key, sizeof(r->event.key));
}
