#include "authn/cover.h"

#include "authn/digest.h"
#include "base/b64.h"
#include "base/secret.h"

/* "spn." and base64 of: IV, name in the stream that the IV begins. */
enum {
	IV_LEN = 12,
	RAW_MAX = IV_LEN + COVER_NAME_MAX,
	TEXT_MAX = (RAW_MAX + 2) / 3 * 4
};
enum { TAG_IV = 1, TAG_STREAM = 2 };

static const char prefix[] = "spn.";
static const char label[] = "sallyport names 1";

int cover_key(struct slice secret, uint8_t ret[COVER_KEY_LEN])
{
	if (secret.len < COVER_KEY_LEN)
		return ERR_BAD;
	return digest_hmac(secret, slice_make(label, sizeof(label)), ret);
}

static int make_iv(struct slice key, struct slice name, uint8_t ret[IV_LEN])
{
	uint8_t buf[1 + COVER_NAME_MAX];
	uint8_t mac[DIGEST_HMAC_LEN];
	struct writer w;
	int err;

	writer_init(&w, buf, sizeof(buf));
	writer_u8(&w, TAG_IV);
	writer_put(&w, name);
	err = digest_hmac(key, writer_slice(&w), mac);
	if (!err)
		memcpy(ret, mac, IV_LEN);
	return err;
}

/* Both ways. */
static int crypt(struct slice key, const uint8_t iv[IV_LEN], uint8_t *buf,
		 size_t len)
{
	uint8_t block[1 + IV_LEN + 1] = {TAG_STREAM};
	uint8_t mac[DIGEST_HMAC_LEN];

	memcpy(block + 1, iv, IV_LEN);
	for (size_t i = 0; i < len; i++) {
		if (i % sizeof(mac) == 0) {
			int err = digest_hmac(
				key, slice_make(block, sizeof(block)), mac);

			if (err)
				return err;
			block[1 + IV_LEN]++;
		}
		buf[i] ^= mac[i % sizeof(mac)];
	}
	return 0;
}

/* Of the alphabet of base64 those that a token must not have. */
static uint8_t swap(uint8_t c, const char *from, const char *to)
{
	for (size_t i = 0; from[i]; i++)
		if (c == (uint8_t)from[i])
			return (uint8_t)to[i];
	return c;
}

int cover_put(struct writer *w, struct slice key, struct slice name)
{
	uint8_t raw[RAW_MAX];
	uint8_t text[TEXT_MAX];
	struct writer wt;
	int err;

	if (name.len == 0 || name.len > COVER_NAME_MAX)
		return ERR_LIMIT;
	memcpy(raw + IV_LEN, name.ptr, name.len);
	err = make_iv(key, name, raw);
	if (!err)
		err = crypt(key, raw, raw + IV_LEN, name.len);
	if (err)
		return err;
	writer_init(&wt, text, sizeof(text));
	b64_encode(&wt, slice_make(raw, IV_LEN + name.len));
	writer_str(w, prefix);
	for (size_t i = 0; i < wt.len && text[i] != '='; i++)
		writer_u8(w, swap(text[i], "+/", "-_"));
	return 0;
}

int cover_open(struct writer *w, struct slice key, struct slice text)
{
	uint8_t b64[TEXT_MAX];
	uint8_t raw[RAW_MAX];
	uint8_t iv[IV_LEN];
	struct slice name;
	size_t len = 0;

	if (!slice_starts(text, prefix))
		return ERR_BAD;
	text = slice_from(text, sizeof(prefix) - 1);
	if (text.len > sizeof(b64))
		return ERR_BAD;
	for (size_t i = 0; i < text.len; i++)
		b64[i] = swap(text.ptr[i], "-_+/=", "+/***");
	if (b64_decode(slice_make(b64, text.len), raw, sizeof(raw), &len) !=
		    0 ||
	    len <= IV_LEN)
		return ERR_BAD;
	name = slice_make(raw + IV_LEN, len - IV_LEN);
	if (crypt(key, raw, raw + IV_LEN, name.len) != 0 ||
	    make_iv(key, name, iv) != 0 ||
	    !secret_eq(slice_make(iv, IV_LEN), slice_make(raw, IV_LEN)))
		return ERR_BAD;
	writer_put(w, name);
	return 0;
}
