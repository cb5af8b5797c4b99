#include "sdp/crypto.h"

#include "base/b64.h"
#include "base/secret.h"
#include "base/text.h"
#include "sdp/line.h"

enum {
	LIFETIME_LOG_MAX = 48, /* packets: RFC 3711 section 9.2 */
	MKI_LEN_MAX = 128,     /* bytes: RFC 4568 section 6.1 */
	WSH_MIN = 64	       /* RFC 4568 section 6.3.6 */
};

/* "2^20" or "1048576". */
static int parse_lifetime(struct slice s, uint64_t *ret)
{
	uint64_t max = 1ULL << LIFETIME_LOG_MAX;
	uint64_t v;

	if (slice_starts(s, "2^")) {
		if (text_dec(slice_from(s, 2), LIFETIME_LOG_MAX, &v) != 0)
			return ERR_BAD;
		v = 1ULL << v;
	} else if (text_dec(s, max, &v) != 0) {
		return ERR_BAD;
	}
	if (v == 0)
		return ERR_BAD;
	*ret = v;
	return 0;
}

/* "value:length", the value in decimal, as long on the wire as length says
 * (RFC 4568 section 6.1). */
static int parse_mki(struct slice s, struct flow_key *k)
{
	struct slice text, len_text;
	uint64_t v, len;

	if (!text_cut(s, ':', &text, &len_text) ||
	    text_dec(len_text, MKI_LEN_MAX, &len) != 0 || len == 0)
		return ERR_BAD;
	if (len > sizeof(k->mki))
		return ERR_UNSUPPORTED;
	if (text_dec(text, (1ULL << 8 * len) - 1, &v) != 0)
		return ERR_BAD;
	for (size_t i = (size_t)len; i > 0; i--) {
		k->mki[i - 1] = (uint8_t)v;
		v >>= 8;
	}
	k->mki_len = (uint8_t)len;
	return 0;
}

static int parse_key_salt(struct slice s, struct flow_key *k)
{
	const struct suite_info *info = suite_info(k->suite);
	uint8_t raw[SUITE_INLINE_MAX];
	size_t len = 0;
	int err = b64_decode(s, raw, sizeof(raw), &len);

	if (err || len != (size_t)info->key_len + info->salt_len) {
		err = ERR_BAD;
	} else {
		memcpy(k->key, raw, info->key_len);
		memcpy(k->salt, raw + info->key_len, info->salt_len);
	}
	secret_wipe(raw, sizeof(raw));
	return err;
}

/* "inline:KEYSALT|lifetime|MKI:length"; the last two may be missing. */
static int parse_key_params(struct slice s, struct crypto_line *c)
{
	struct slice part;
	bool more;
	int err;

	if (!text_ieq(slice_sub(s, 0, 7), slice_str("inline:")))
		return ERR_BAD;
	if (memchr(s.ptr, ';', s.len))
		return ERR_UNSUPPORTED; /* several keys under MKIs */
	more = text_cut(slice_from(s, 7), '|', &part, &s);
	err = parse_key_salt(part, &c->key);
	if (err || !more)
		return err;
	more = text_cut(s, '|', &part, &s);
	if (part.len > 0 && memchr(part.ptr, ':', part.len))
		return more ? ERR_BAD : parse_mki(part, &c->key);
	err = parse_lifetime(part, &c->lifetime);
	if (err || !more)
		return err;
	return parse_mki(s, &c->key);
}

/*
 * RFC 4568 section 6.3: all but WSH change what goes over the wire and are
 * not ours; an unknown parameter may be ignored only when it begins with '-'.
 */
static int check_session_param(struct slice s)
{
	uint64_t v;

	if (slice_starts(s, "-"))
		return s.len > 1 ? 0 : ERR_BAD;
	if (!text_ieq(slice_sub(s, 0, 4), slice_str("WSH=")))
		return ERR_UNSUPPORTED;
	if (text_dec(slice_from(s, 4), UINT32_MAX, &v) != 0 || v < WSH_MIN)
		return ERR_BAD;
	return 0;
}

static int parse_line(struct slice v, struct crypto_line *c)
{
	struct slice tag_text = sdp_line_field(&v);
	struct slice suite_text = sdp_line_field(&v);
	struct slice params = sdp_line_field(&v);
	struct slice s;
	uint64_t tag;
	int err;

	if (tag_text.len > 9 || text_dec(tag_text, CRYPTO_TAG_MAX, &tag) != 0 ||
	    params.len == 0)
		return ERR_BAD;
	c->tag = (uint32_t)tag;
	if (suite_find(suite_text, &c->key.suite) != 0 ||
	    c->key.suite == SUITE_NONE)
		return ERR_UNSUPPORTED;
	err = parse_key_params(params, c);
	while (!err && (s = sdp_line_field(&v)).len > 0)
		err = check_session_param(s);
	return err;
}

int crypto_parse(struct slice value, struct crypto_line *ret)
{
	struct crypto_line c = {.tag = 0};
	int err = parse_line(value, &c);

	if (!err)
		*ret = c;
	crypto_wipe(&c, 1);
	return err;
}

void crypto_print(struct writer *w, const struct crypto_line *c)
{
	const struct suite_info *info = suite_info(c->key.suite);
	uint8_t raw[SUITE_INLINE_MAX];
	uint32_t mki = 0;

	writer_str(w, "a=crypto:");
	writer_dec(w, c->tag);
	writer_u8(w, ' ');
	writer_str(w, info->name);
	writer_str(w, " inline:");
	memcpy(raw, c->key.key, info->key_len);
	memcpy(raw + info->key_len, c->key.salt, info->salt_len);
	b64_encode(w, slice_make(raw, (size_t)info->key_len + info->salt_len));
	secret_wipe(raw, sizeof(raw));
	if (c->lifetime > 0) {
		writer_u8(w, '|');
		writer_dec(w, c->lifetime);
	}
	if (c->key.mki_len == 0)
		return;
	for (size_t i = 0; i < c->key.mki_len; i++)
		mki = mki << 8 | c->key.mki[i];
	writer_u8(w, '|');
	writer_dec(w, mki);
	writer_u8(w, ':');
	writer_dec(w, c->key.mki_len);
}

void crypto_wipe(struct crypto_line *c, size_t n)
{
	secret_wipe(c, n * sizeof(*c));
}
