#include "rewrite/sccp_out.h"

#include "base/secret.h"
#include "base/writer.h"
#include "sccp/key.h"

static void parse(struct sccp_out *o)
{
	struct sccp_pdu pdu = {
		.bytes = slice_make(o->buf, o->len),
		.version = o->msg.version,
		.id = o->msg.id,
	};

	sccp_msg_parse(&pdu, &o->msg);
}

void sccp_out_copy(struct sccp_out *o, const struct sccp_msg *m)
{
	size_t len = m->bytes.len < SCCP_PDU_MAX ? m->bytes.len : SCCP_PDU_MAX;

	memcpy(o->buf, m->bytes.ptr, len);
	o->len = len;
	o->msg = *m;
	o->msg.bytes = slice_make(o->buf, len);
}

void sccp_out_make(struct sccp_out *o, uint32_t id, uint32_t version,
		   size_t len)
{
	struct writer w;

	memset(o->buf, 0, len);
	writer_init(&w, o->buf, sizeof(o->buf));
	writer_u32le(&w, (uint32_t)(len - SCCP_LENGTH_SKIP));
	writer_u32le(&w, version);
	writer_u32le(&w, id);
	o->len = len;
	o->msg = (struct sccp_msg){.id = id, .version = version};
	parse(o);
}

/* Bytes from..to of m, as far as it goes, at where at in o. */
static void put_part(struct sccp_out *o, size_t at, const struct sccp_msg *m,
		     size_t from, size_t to)
{
	size_t end = m->bytes.len < to ? m->bytes.len : to;

	if (from < end)
		memcpy(o->buf + at, m->bytes.ptr + from, end - from);
}

/*
 * The same fields stand in both pairs of messages: to receive, those behind the
 * group's address (packet size, codec, echo cancellation, rate, call) stand in
 * front of where an address would be; to send, all up to the call.
 */
void sccp_out_unicast(struct sccp_out *o, const struct sccp_msg *m, bool is_old)
{
	enum { BODY = 12, SHARED = 20, OPEN_PACKET = 20 };
	static const uint16_t len[2][3] = {
		/* old, with short and with long addresses */
		{80, 104, 140}, /* to receive */
		{96, 120, 144}	/* to send */
	};
	bool is_start = m->id == SCCP_START_MC_TRANSMISSION;
	size_t packet = m->is_long ? 44 : 28;
	size_t call_end = m->is_long ? 72 : 56;

	sccp_out_make(o, is_start ? SCCP_START_TRANSMISSION : SCCP_OPEN_RECEIVE,
		      m->version, len[is_start][m->is_long ? 2 : !is_old]);
	if (is_start) {
		put_part(o, BODY, m, BODY, call_end);
		return;
	}
	put_part(o, BODY, m, BODY, SHARED);
	put_part(o, OPEN_PACKET, m, packet, packet + 20);
}

/* A writer over field f alone, which is there. */
static struct writer field_writer(struct sccp_out *o, enum sccp_field f)
{
	struct writer w;

	writer_init(&w, o->buf + o->msg.at[f],
		    sccp_field_len(f, o->msg.is_long));
	return w;
}

void sccp_out_u32(struct sccp_out *o, enum sccp_field f, uint32_t v)
{
	struct writer w = field_writer(o, f);

	if (!sccp_has(&o->msg, f))
		return;
	if (f == SCCP_VERSION)
		writer_u8(&w, (uint8_t)v);
	else
		writer_u32le(&w, v);
}

static void put_addr(struct writer *w, bool is_long, const struct addr *a)
{
	if (is_long)
		writer_u32le(w, a->family == ADDR_V6 ? 1 : 0);
	writer_bytes(w, a->ip, is_long ? 16 : 4);
}

int sccp_out_addr(struct sccp_out *o, enum sccp_field f, enum sccp_field p,
		  const struct addr *a)
{
	struct writer w = field_writer(o, f);

	if (a->family == ADDR_V6 && !o->msg.is_long)
		return ERR_UNSUPPORTED;
	if (sccp_has(&o->msg, f))
		put_addr(&w, o->msg.is_long, a);
	sccp_out_u32(o, p, a->port);
	return 0;
}

void sccp_out_station(struct sccp_out *o, const struct addr *a)
{
	static const struct addr none;
	struct writer w = field_writer(o, SCCP_STATION_V4);

	if (sccp_has(&o->msg, SCCP_STATION_V4))
		writer_bytes(&w, a->family == ADDR_V4 ? a->ip : none.ip, 4);
	w = field_writer(o, SCCP_STATION_V6);
	if (sccp_has(&o->msg, SCCP_STATION_V6))
		writer_bytes(&w, a->family == ADDR_V6 ? a->ip : none.ip, 16);
}

/* The shortest message of this form that somebody sends and that has at least
 * len bytes; len where there is none. */
static size_t next_known(const struct sccp_msg *m, size_t len)
{
	const uint16_t *known = m->row->known[m->is_long];
	size_t best = 0;

	for (size_t i = 0; i < SCCP_KNOWN_MAX; i++) {
		size_t n = known[i] + (size_t)SCCP_LENGTH_SKIP;

		if (known[i] && n >= len && (best == 0 || n < best))
			best = n;
	}
	return best ? best : len;
}

/* Zeros up to len bytes at least. */
static int grow(struct sccp_out *o, size_t len)
{
	struct writer w;

	len = next_known(&o->msg, len);
	if (len > sizeof(o->buf))
		return ERR_LIMIT;
	if (len <= o->len)
		return 0;
	memset(o->buf + o->len, 0, len - o->len);
	o->len = len;
	writer_init(&w, o->buf, sizeof(o->buf));
	writer_u32le(&w, (uint32_t)(len - SCCP_LENGTH_SKIP));
	parse(o);
	return 0;
}

int sccp_out_key(struct sccp_out *o, const struct flow_key *key)
{
	struct writer w;
	uint16_t at = 0;
	uint32_t alg;
	int err = sccp_alg_of(key->suite, &alg);

	if (err)
		return err;
	if (o->msg.row)
		at = sccp_row_place(o->msg.row, SCCP_KEY, o->msg.is_long);
	if (!at)
		return alg == 0 ? 0 : ERR_UNSUPPORTED;
	if (!sccp_has(&o->msg, SCCP_KEY)) {
		if (alg == 0)
			return 0;
		err = grow(o, (size_t)at + SCCP_KEY_SHORT);
		if (err)
			return err;
	}
	writer_init(&w, o->buf + at, sccp_key_len(&o->msg));
	err = sccp_key_print(&w, key);
	if (err)
		return err;
	while (w.len < w.cap) /* no MKI, no derivation rate */
		writer_u8(&w, 0);
	return 0;
}

void sccp_out_text(struct sccp_out *o, enum sccp_field f, struct slice s)
{
	size_t len = sccp_field_len(f, o->msg.is_long);
	struct writer w = field_writer(o, f);

	if (!sccp_has(&o->msg, f))
		return;
	writer_put(&w, slice_sub(s, 0, len - 1));
	while (w.len < w.cap)
		writer_u8(&w, 0);
}

int sccp_out_servers(struct sccp_out *o, const struct addr *server,
		     size_t count)
{
	static const struct addr none;
	const struct addr *of[SCCP_SERVER_COUNT];
	struct writer w = field_writer(o, SCCP_SERVERS);

	if (!sccp_has(&o->msg, SCCP_SERVERS))
		return 0;
	for (size_t i = 0; i < SCCP_SERVER_COUNT; i++) {
		of[i] = i < count ? &server[i] : &none;
		if (of[i]->family == ADDR_V6 && !o->msg.is_long)
			return ERR_UNSUPPORTED;
	}
	for (size_t i = 0; i < SCCP_SERVER_COUNT; i++) {
		size_t end = w.len + SCCP_SERVER_NAME;

		if (of[i]->family != ADDR_NONE)
			addr_print_ip(&w, of[i]);
		while (w.len < end)
			writer_u8(&w, 0);
	}
	for (size_t i = 0; i < SCCP_SERVER_COUNT; i++)
		writer_u32le(&w, of[i]->port);
	for (size_t i = 0; i < SCCP_SERVER_COUNT; i++)
		put_addr(&w, o->msg.is_long, of[i]);
	return 0;
}

static void clean_one(struct sccp_out *o, size_t at, size_t len)
{
	uint8_t *nul;

	if (at >= o->len)
		return;
	if (len > o->len - at)
		len = o->len - at;
	nul = memchr(o->buf + at, 0, len);
	if (nul)
		memset(nul, 0, len - (size_t)(nul - (o->buf + at)));
}

void sccp_out_clean(struct sccp_out *o)
{
	const struct sccp_string *s = o->msg.row ? o->msg.row->string : NULL;

	for (; s && s->at; s++)
		for (size_t i = 0; i < (s->count ? s->count : 1u); i++)
			clean_one(o, s->at + i * s->step, s->len);
}

struct slice sccp_out_bytes(const struct sccp_out *o)
{
	return slice_make(o->buf, o->len);
}

void sccp_out_wipe(struct sccp_out *o)
{
	secret_wipe(o, sizeof(*o));
}
