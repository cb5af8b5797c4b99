#include "daemon/wire.h"

#include "base/reader.h"

void dwire_adopt_write(struct writer *w, uint32_t worker)
{
	writer_u8(w, 'W');
	writer_u32be(w, worker);
}

int dwire_adopt_read(struct slice s, uint32_t *ret_worker)
{
	struct reader r;
	uint8_t tag;
	uint32_t worker;

	reader_init(&r, s);
	tag = reader_u8(&r);
	worker = reader_u32be(&r);
	if (!reader_end(&r) || tag != 'W')
		return ERR_BAD;
	*ret_worker = worker;
	return 0;
}

void dwire_ping_write(struct writer *w, uint8_t level)
{
	writer_u8(w, 'P');
	writer_u8(w, level);
}

int dwire_ping_read(struct slice s, uint8_t *ret_level)
{
	struct reader r;
	uint8_t op;
	uint8_t level;

	reader_init(&r, s);
	op = reader_u8(&r);
	level = reader_u8(&r);
	if (!reader_end(&r) || op != 'P')
		return ERR_BAD;
	*ret_level = level;
	return 0;
}

void dwire_write(struct writer *w, const struct dwire_msg *m)
{
	writer_u8(w, (uint8_t)m->op);
	switch (m->op) {
	case DWIRE_READY:
		break;
	case DWIRE_QUERY:
		writer_u32be(w, m->number);
		writer_u8(w, m->command);
		writer_blob(w, m->text);
		break;
	case DWIRE_ROWS:
		writer_u32be(w, m->number);
		writer_u8(w, m->is_last);
		writer_blob(w, m->text);
		break;
	case DWIRE_ARRIVED:
	case DWIRE_SHIELD:
		writer_blob(w, m->text);
		break;
	case DWIRE_LINK:
		writer_u8(w, (uint8_t)m->link);
		break;
	case DWIRE_LEASE:
	case DWIRE_USE:
		writer_u8(w, (uint8_t)m->limit);
		writer_u32be(w, m->number);
		writer_u32be(w, m->amount);
		writer_u32be(w, m->used);
		break;
	}
}

static void read_lease(struct reader *r, struct dwire_msg *m)
{
	uint8_t limit = reader_u8(r);

	m->number = reader_u32be(r);
	m->amount = reader_u32be(r);
	m->used = reader_u32be(r);
	if (limit >= DWIRE_LIMITS)
		reader_fail(r);
	else
		m->limit = (enum dwire_limit)limit;
}

int dwire_read(struct slice s, struct dwire_msg *ret)
{
	struct reader r;
	struct dwire_msg m = {.op = DWIRE_READY};
	uint8_t op;

	reader_init(&r, s);
	op = reader_u8(&r);
	switch (op) {
	case DWIRE_READY:
		break;
	case DWIRE_QUERY:
		m.number = reader_u32be(&r);
		m.command = reader_u8(&r);
		m.text = reader_blob(&r);
		break;
	case DWIRE_ROWS:
		m.number = reader_u32be(&r);
		m.is_last = reader_u8(&r) != 0;
		m.text = reader_blob(&r);
		break;
	case DWIRE_ARRIVED:
	case DWIRE_SHIELD:
		m.text = reader_blob(&r);
		break;
	case DWIRE_LINK:
		m.link = (enum dwire_link)reader_u8(&r);
		if (m.link != DWIRE_MEDIA && m.link != DWIRE_STORE &&
		    m.link != DWIRE_KEYS)
			reader_fail(&r);
		break;
	case DWIRE_LEASE:
	case DWIRE_USE:
		read_lease(&r, &m);
		break;
	default:
		return ERR_BAD;
	}
	m.op = (enum dwire_op)op;
	if (!reader_end(&r))
		return ERR_BAD;
	*ret = m;
	return 0;
}
