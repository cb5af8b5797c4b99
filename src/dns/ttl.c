#include "base/reader.h"
#include "dns/dns.h"

enum { NAME_LABELS_MAX = 128, POINTER = 0xc0 };

/* A name is labels up to an empty one or a pointer (RFC 1035 4.1.4). */
static void skip_name(struct reader *r)
{
	for (int i = 0; i < NAME_LABELS_MAX && reader_ok(r); i++) {
		uint8_t len = reader_u8(r);

		if (len == 0)
			return;
		if ((len & POINTER) == POINTER) {
			(void)reader_u8(r);
			return;
		}
		if (len & POINTER)
			break;
		(void)reader_bytes(r, len);
	}
	reader_fail(r);
}

int dns_ttl(struct slice bytes, uint32_t *ret_s)
{
	uint32_t least = UINT32_MAX;
	struct reader r;
	uint16_t questions;
	uint16_t answers;

	reader_init(&r, bytes);
	(void)reader_u32be(&r); /* id and flags */
	questions = reader_u16be(&r);
	answers = reader_u16be(&r);
	(void)reader_u32be(&r); /* the counts of what follows */
	for (uint16_t i = 0; i < questions && reader_ok(&r); i++) {
		skip_name(&r);
		(void)reader_u32be(&r); /* type and class */
	}
	for (uint16_t i = 0; i < answers && reader_ok(&r); i++) {
		uint32_t ttl;

		skip_name(&r);
		(void)reader_u32be(&r); /* type and class */
		ttl = reader_u32be(&r);
		(void)reader_bytes(&r, reader_u16be(&r));
		/* RFC 2181 section 8: the top bit set means 0. */
		if (ttl > INT32_MAX)
			ttl = 0;
		if (ttl < least)
			least = ttl;
	}
	if (!reader_ok(&r))
		return ERR_BAD;
	if (answers == 0)
		return ERR_NOTFOUND;
	*ret_s = least;
	return 0;
}
