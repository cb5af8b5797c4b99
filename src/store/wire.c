#include "store/wire.h"

#include "store/store.h"

void store_request_write(struct writer *w, const struct store_request *r)
{
	writer_u8(w, (uint8_t)r->op);
	writer_u64be(w, r->id);
	writer_blob(w, r->user);
	writer_blob(w, r->realm);
	writer_blob(w, r->blob);
}

int store_request_read(struct slice s, struct store_request *ret)
{
	struct store_request q;
	struct reader r;
	uint8_t op;

	reader_init(&r, s);
	op = reader_u8(&r);
	q.id = reader_u64be(&r);
	q.user = reader_blob(&r);
	q.realm = reader_blob(&r);
	q.blob = reader_blob(&r);
	if (!reader_end(&r) || op < STORE_OP_GET || op > STORE_OP_LAST ||
	    q.user.len > STORE_NAME_MAX || q.realm.len > STORE_NAME_MAX ||
	    q.blob.len > STORE_BLOB_MAX)
		return ERR_BAD;
	q.op = (enum store_op)op;
	if ((q.op == STORE_OP_PUT) != (q.blob.len > 0))
		return ERR_BAD;
	*ret = q;
	return 0;
}

void store_reply_write(struct writer *w, const struct store_reply *r)
{
	writer_u8(w, (uint8_t)r->op);
	writer_u64be(w, r->id);
	writer_u8(w, (uint8_t)-r->status);
	writer_u8(w, r->is_last);
	writer_blob(w, r->blob);
}

int store_reply_read(struct slice s, struct store_reply *ret)
{
	struct store_reply p;
	struct reader r;
	uint8_t op, status, last;

	reader_init(&r, s);
	op = reader_u8(&r);
	p.id = reader_u64be(&r);
	status = reader_u8(&r);
	last = reader_u8(&r);
	p.blob = reader_blob(&r);
	if (!reader_end(&r) || op < STORE_OP_GET || op > STORE_OP_LAST ||
	    status > -ERR_AGAIN || last > 1)
		return ERR_BAD;
	p.op = (enum store_op)op;
	p.status = -(int)status;
	p.is_last = last == 1;
	*ret = p;
	return 0;
}

void store_item_write(struct writer *w, const struct store_item *item)
{
	writer_blob(w, item->user);
	writer_blob(w, item->realm);
	writer_u64be(w, item->created_s);
	writer_u64be(w, item->changed_s);
}

bool store_item_next(struct reader *r, struct store_item *ret)
{
	struct store_item i;

	if (reader_left(r) == 0)
		return false;
	i.user = reader_blob(r);
	i.realm = reader_blob(r);
	i.created_s = reader_u64be(r);
	i.changed_s = reader_u64be(r);
	if (!reader_ok(r))
		return false;
	*ret = i;
	return true;
}
