#include "sccp/key.h"

#include "base/reader.h"
#include "base/secret.h"

static const struct {
	uint32_t alg;
	enum suite suite;
} algs[] = {
	{0, SUITE_NONE},
	{1, SUITE_AES_CM_128_HMAC_SHA1_32},
	{2, SUITE_AES_CM_128_HMAC_SHA1_80},
};

int sccp_alg_of(enum suite s, uint32_t *ret_alg)
{
	for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++) {
		if (algs[i].suite != s)
			continue;
		*ret_alg = algs[i].alg;
		return 0;
	}
	return ERR_UNSUPPORTED;
}

int sccp_alg_suite(uint32_t alg, enum suite *ret_suite)
{
	for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++) {
		if (algs[i].alg != alg)
			continue;
		*ret_suite = algs[i].suite;
		return 0;
	}
	return ERR_UNSUPPORTED;
}

int sccp_key_print(struct writer *w, const struct flow_key *key)
{
	const struct suite_info *info = suite_info(key->suite);
	uint8_t slot[2][SCCP_KEY_SLOT] = {{0}, {0}};
	uint32_t alg;
	int err = sccp_alg_of(key->suite, &alg);

	if (err)
		return err;
	if (key->suite != SUITE_NONE && key->mki_len > 0)
		return ERR_UNSUPPORTED;
	if (key->suite != SUITE_NONE) {
		memcpy(slot[0], key->key, info->key_len);
		memcpy(slot[1], key->salt, info->salt_len);
	}
	writer_u32le(w, alg);
	writer_u16le(w, alg == 0 ? 0 : info->key_len);
	writer_u16le(w, alg == 0 ? 0 : info->salt_len);
	writer_bytes(w, slot, sizeof(slot));
	secret_wipe(slot, sizeof(slot));
	return 0;
}

int sccp_key_parse(struct slice s, struct flow_key *ret)
{
	const struct suite_info *info;
	struct flow_key k = {.suite = SUITE_NONE};
	struct slice key, salt;
	uint16_t key_len, salt_len;
	uint32_t alg;
	struct reader r;
	int err;

	reader_init(&r, s);
	alg = reader_u32le(&r);
	key_len = reader_u16le(&r);
	salt_len = reader_u16le(&r);
	key = reader_bytes(&r, SCCP_KEY_SLOT);
	salt = reader_bytes(&r, SCCP_KEY_SLOT);
	if (!reader_ok(&r))
		return ERR_BAD;
	err = sccp_alg_suite(alg, &k.suite);
	if (err)
		return err;
	if (s.len >= SCCP_KEY_FULL && reader_u32le(&r) != 0 && alg != 0)
		return ERR_UNSUPPORTED;
	info = suite_info(k.suite);
	if (alg != 0 &&
	    (key_len != info->key_len || salt_len != info->salt_len))
		return ERR_BAD;
	if (alg != 0) {
		memcpy(k.key, key.ptr, info->key_len);
		memcpy(k.salt, salt.ptr, info->salt_len);
	}
	*ret = k;
	secret_wipe(&k, sizeof(k));
	return 0;
}
