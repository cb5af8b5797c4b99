#include "priv/keys_wire.h"

#include "base/reader.h"

static void print_check(const struct keys_check *c, struct writer *w)
{
	writer_u8(w, c->alg);
	writer_blob(w, c->blob);
	writer_blob(w, c->user);
	writer_blob(w, c->realm);
	writer_blob(w, c->method);
	writer_blob(w, c->uri);
	writer_blob(w, c->nonce);
	writer_blob(w, c->nc);
	writer_blob(w, c->cnonce);
	writer_blob(w, c->qop);
	writer_blob(w, c->response);
	writer_blob(w, c->body_hash);
}

static void parse_check(struct reader *r, struct keys_check *c)
{
	c->alg = reader_u8(r);
	c->blob = reader_blob(r);
	c->user = reader_blob(r);
	c->realm = reader_blob(r);
	c->method = reader_blob(r);
	c->uri = reader_blob(r);
	c->nonce = reader_blob(r);
	c->nc = reader_blob(r);
	c->cnonce = reader_blob(r);
	c->qop = reader_blob(r);
	c->response = reader_blob(r);
	c->body_hash = reader_blob(r);
}

static void print_seal(const struct keys_request *q, struct writer *w)
{
	writer_blob(w, q->user);
	writer_blob(w, q->realm);
	writer_u8(w, q->ha1_count);
	for (uint8_t i = 0; i < q->ha1_count && i < KEYS_HA1S_MAX; i++) {
		writer_u8(w, q->ha1[i].alg);
		writer_blob(w, q->ha1[i].hex);
	}
}

static void parse_seal(struct reader *r, struct keys_request *q)
{
	q->user = reader_blob(r);
	q->realm = reader_blob(r);
	q->ha1_count = reader_u8(r);
	if (q->ha1_count == 0 || q->ha1_count > KEYS_HA1S_MAX) {
		reader_fail(r);
		return;
	}
	for (uint8_t i = 0; i < q->ha1_count; i++) {
		q->ha1[i].alg = reader_u8(r);
		q->ha1[i].hex = reader_blob(r);
		if (q->ha1[i].hex.len == 0 ||
		    q->ha1[i].hex.len > KEYS_HA1_HEX_MAX)
			reader_fail(r);
	}
}

void keys_request_print(const struct keys_request *q, struct writer *w)
{
	writer_u8(w, KEYS_WIRE_VERSION);
	writer_u8(w, q->op);
	writer_u32be(w, q->number);
	switch (q->op) {
	case KEYS_OP_SIGN:
		writer_blob(w, q->key);
		writer_u16be(w, q->alg);
		writer_blob(w, q->data);
		break;
	case KEYS_OP_DECRYPT:
		writer_blob(w, q->key);
		writer_blob(w, q->data);
		break;
	case KEYS_OP_PUBKEY:
		writer_blob(w, q->key);
		break;
	case KEYS_OP_SEAL:
		print_seal(q, w);
		break;
	case KEYS_OP_UNWRAP:
		writer_blob(w, q->data);
		break;
	case KEYS_OP_CHECK:
	case KEYS_OP_ANSWER:
		print_check(&q->check, w);
		break;
	case KEYS_OP_SEAL_REALM:
		writer_blob(w, q->user);
		writer_blob(w, q->realm);
		writer_blob(w, q->data);
		break;
	default: /* KEYS_OP_TICKET, WRAP and NONCE have no fields */
		break;
	}
}

/* The fields of op; false for an op we do not know. */
static bool parse_fields(struct reader *r, struct keys_request *q)
{
	switch (q->op) {
	case KEYS_OP_SIGN:
		q->key = reader_blob(r);
		q->alg = reader_u16be(r);
		q->data = reader_blob(r);
		return true;
	case KEYS_OP_DECRYPT:
		q->key = reader_blob(r);
		q->data = reader_blob(r);
		return true;
	case KEYS_OP_PUBKEY:
		q->key = reader_blob(r);
		return true;
	case KEYS_OP_SEAL:
		parse_seal(r, q);
		return true;
	case KEYS_OP_CHECK:
	case KEYS_OP_ANSWER:
		parse_check(r, &q->check);
		return true;
	case KEYS_OP_SEAL_REALM:
		q->user = reader_blob(r);
		q->realm = reader_blob(r);
		q->data = reader_blob(r);
		return true;
	case KEYS_OP_UNWRAP:
		q->data = reader_blob(r);
		return true;
	case KEYS_OP_TICKET:
	case KEYS_OP_WRAP:
	case KEYS_OP_NONCE:
		return true;
	default:
		return false;
	}
}

int keys_request_parse(struct slice bytes, struct keys_request *ret,
		       struct keys_answer *reterr)
{
	struct keys_request q = {.op = 0};
	struct reader r;
	uint8_t version;

	reader_init(&r, bytes);
	version = reader_u8(&r);
	q.op = reader_u8(&r);
	q.number = reader_u32be(&r);
	*reterr = (struct keys_answer){.err = ERR_BAD};
	if (!reader_ok(&r) || bytes.len > KEYS_MSG_MAX)
		return ERR_BAD;
	reterr->op = q.op;
	reterr->number = q.number;
	reterr->err = ERR_UNSUPPORTED;
	if (version != KEYS_WIRE_VERSION || !parse_fields(&r, &q))
		return ERR_UNSUPPORTED;
	if (!reader_end(&r)) {
		reterr->err = ERR_BAD;
		return ERR_BAD;
	}
	*ret = q;
	return 0;
}

void keys_answer_print(const struct keys_answer *a, struct writer *w)
{
	writer_u8(w, KEYS_WIRE_VERSION);
	writer_u8(w, a->op);
	writer_u32be(w, a->number);
	writer_u8(w, (uint8_t)-a->err);
	writer_blob(w, a->data);
}

int keys_answer_parse(struct slice bytes, struct keys_answer *ret)
{
	struct keys_answer a;
	struct reader r;
	uint8_t version;

	reader_init(&r, bytes);
	version = reader_u8(&r);
	a.op = reader_u8(&r);
	a.number = reader_u32be(&r);
	a.err = -(int)reader_u8(&r);
	a.data = reader_blob(&r);
	if (!reader_end(&r) || version != KEYS_WIRE_VERSION)
		return ERR_BAD;
	*ret = a;
	return 0;
}
