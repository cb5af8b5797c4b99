#include "sccp/msg.h"

#include "base/reader.h"
#include "sccp/key.h"

size_t sccp_field_len(enum sccp_field f, bool is_long)
{
	switch (f) {
	case SCCP_ADDR:
	case SCCP_SRC_ADDR:
		return is_long ? SCCP_ADDR_LONG : SCCP_ADDR_SHORT;
	case SCCP_KEY:
		return SCCP_KEY_SHORT;
	case SCCP_NAME:
		return SCCP_NAME_LEN;
	case SCCP_STATION_V6:
		return 16;
	case SCCP_VERSION:
		return 1;
	case SCCP_SERVERS:
		return is_long ? SCCP_SERVERS_LONG : SCCP_SERVERS_SHORT;
	case SCCP_CONF:
	case SCCP_PARTY:
	case SCCP_CALL:
	case SCCP_STATUS:
	case SCCP_PORT:
	case SCCP_RTCP_PORT:
	case SCCP_SRC_PORT:
	case SCCP_CODEC:
	case SCCP_PACKET_MS:
	case SCCP_STATION_V4:
	case SCCP_MODEL:
	case SCCP_KEEPALIVE_S:
	case SCCP_KEEPALIVE_SECOND:
	case SCCP_SECURITY:
	case SCCP_LINE:
	case SCCP_CALL_TYPE:
	case SCCP_STATE:
	case SCCP_WAIT_S:
	case SCCP_RESET_TYPE:
	case SCCP_FIELD_COUNT:
		break;
	}
	return 4;
}

uint16_t sccp_row_place(const struct sccp_row *row, enum sccp_field f,
			bool is_long)
{
	const struct sccp_place *p = row->place;

	for (; p && (p->at[0] || p->at[1]); p++)
		if (p->field == f)
			return p->at[is_long];
	return 0;
}

static bool is_known(const struct sccp_row *row, bool is_long, size_t length)
{
	for (size_t i = 0; i < SCCP_KNOWN_MAX; i++)
		if (row->known[is_long][i] == length)
			return true;
	return false;
}

/*
 * The header's version says how addresses look. Servers have been seen that
 * write a header of zero whatever they speak, so a length that only the other
 * form has counts more than the header.
 */
static bool form_of(const struct sccp_row *row, uint32_t version, size_t length)
{
	bool is_long = version >= SCCP_VERSION_LONG;

	if (!is_known(row, is_long, length) && is_known(row, !is_long, length))
		return !is_long;
	return is_long;
}

void sccp_msg_parse(const struct sccp_pdu *pdu, struct sccp_msg *ret)
{
	const struct sccp_place *p;

	*ret = (struct sccp_msg){
		.bytes = pdu->bytes,
		.version = pdu->version,
		.id = pdu->id,
		.row = sccp_row_find(pdu->id),
	};
	if (!ret->row)
		return;
	ret->is_long = form_of(ret->row, pdu->version,
			       pdu->bytes.len - SCCP_LENGTH_SKIP);
	for (p = ret->row->place; p && (p->at[0] || p->at[1]); p++) {
		uint16_t at = p->at[ret->is_long];

		if (at && at + sccp_field_len(p->field, ret->is_long) <=
				  pdu->bytes.len)
			ret->at[p->field] = at;
	}
}

bool sccp_msg_is_whole(const struct sccp_msg *m)
{
	return !m->row || m->bytes.len >= m->row->need[m->is_long];
}

bool sccp_has(const struct sccp_msg *m, enum sccp_field f)
{
	return m->at[f] != 0;
}

static struct reader field_reader(const struct sccp_msg *m, enum sccp_field f)
{
	struct reader r;

	reader_init(&r, slice_sub(m->bytes, m->at[f],
				  sccp_field_len(f, m->is_long)));
	return r;
}

uint32_t sccp_u32(const struct sccp_msg *m, enum sccp_field f)
{
	struct reader r = field_reader(m, f);

	if (!sccp_has(m, f))
		return 0;
	return f == SCCP_VERSION ? reader_u8(&r) : reader_u32le(&r);
}

struct slice sccp_text(const struct sccp_msg *m, enum sccp_field f)
{
	struct slice s =
		slice_sub(m->bytes, m->at[f], sccp_field_len(f, m->is_long));
	const uint8_t *nul;

	if (!sccp_has(m, f))
		return SLICE_NULL;
	nul = memchr(s.ptr, 0, s.len);
	return nul ? slice_sub(s, 0, (size_t)(nul - s.ptr)) : s;
}

int sccp_addr(const struct sccp_msg *m, enum sccp_field f, enum sccp_field p,
	      struct addr *ret)
{
	struct reader r = field_reader(m, f);
	struct addr a = {.family = ADDR_V4};
	uint32_t port = sccp_u32(m, p);
	uint32_t type = 0;
	size_t len = 4;

	if (!sccp_has(m, f) || !sccp_has(m, p))
		return ERR_NOTFOUND;
	if (m->is_long)
		type = reader_u32le(&r);
	if (type > 1 || port > UINT16_MAX)
		return ERR_BAD;
	if (type == 1) {
		a.family = ADDR_V6;
		len = 16;
	}
	memcpy(a.ip, reader_bytes(&r, len).ptr, len);
	a.port = (uint16_t)port;
	*ret = a;
	return 0;
}

size_t sccp_key_len(const struct sccp_msg *m)
{
	if (!sccp_has(m, SCCP_KEY))
		return 0;
	return m->bytes.len >= (size_t)m->at[SCCP_KEY] + SCCP_KEY_FULL
		       ? SCCP_KEY_FULL
		       : SCCP_KEY_SHORT;
}
