#include "store/state_wire.h"

#include "store/state.h"

bool state_wire_is(struct slice s)
{
	return s.len > 0 && s.ptr[0] >= STATE_OP_SAVE &&
	       s.ptr[0] <= STATE_OP_SWEEP;
}

void state_request_write(struct writer *w, const struct state_request *r)
{
	writer_u8(w, (uint8_t)r->op);
	writer_blob(w, r->key);
	writer_blob(w, r->blob);
}

int state_request_read(struct slice s, struct state_request *ret)
{
	struct state_request q;
	struct reader r;
	uint8_t op;

	reader_init(&r, s);
	op = reader_u8(&r);
	q.key = reader_blob(&r);
	q.blob = reader_blob(&r);
	if (!reader_end(&r) || op < STATE_OP_SAVE || op > STATE_OP_SWEEP ||
	    q.key.len > STATE_KEY_MAX || q.blob.len > STATE_BLOB_MAX)
		return ERR_BAD;
	q.op = (enum state_op)op;
	if ((q.op == STATE_OP_SAVE) != (q.blob.len > 0) ||
	    ((q.op == STATE_OP_SAVE || q.op == STATE_OP_FORGET) &&
	     q.key.len == 0) ||
	    (q.op >= STATE_OP_MARK && q.key.len > 0))
		return ERR_BAD;
	*ret = q;
	return 0;
}

void state_again_write(struct writer *w)
{
	writer_u8(w, STATE_OP_AGAIN);
}

bool state_again_is(struct slice s)
{
	return s.len == 1 && s.ptr[0] == STATE_OP_AGAIN;
}

void state_page_begin(struct writer *w)
{
	writer_u8(w, STATE_OP_RESTORE);
	writer_u8(w, 0);
}

bool state_page_add(struct writer *w, struct slice key, struct slice blob)
{
	if (w->full || w->cap - w->len < 8 + key.len + blob.len)
		return false;
	writer_blob(w, key);
	writer_blob(w, blob);
	return true;
}

void state_page_last(struct writer *w)
{
	w->buf[1] = 1;
}

int state_page_read(struct slice s, bool *ret_is_last, struct reader *ret_r)
{
	struct reader r;
	uint8_t op, last;

	reader_init(&r, s);
	op = reader_u8(&r);
	last = reader_u8(&r);
	if (!reader_ok(&r) || op != STATE_OP_RESTORE || last > 1)
		return ERR_BAD;
	*ret_is_last = last == 1;
	*ret_r = r;
	return 0;
}

bool state_page_next(struct reader *r, struct slice *ret_key,
		     struct slice *ret_blob)
{
	if (reader_left(r) == 0)
		return false;
	*ret_key = reader_blob(r);
	*ret_blob = reader_blob(r);
	return reader_ok(r);
}
