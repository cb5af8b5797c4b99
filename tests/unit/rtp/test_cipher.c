/* The primitives against the vectors of their RFCs. */
#include <check.h>
#include <stdlib.h>

#include <nettle/hmac.h>

#include "base/hex.h"
#include "lib/run.h"
#include "rtp/cipher.h"

static size_t unhex(const char *hex, uint8_t *buf)
{
	size_t len = strlen(hex) / 2;

	ck_assert_int_eq(hex_decode(slice_str(hex), buf, len), 0);
	return len;
}

static void is_hex(const uint8_t *got, const char *want)
{
	uint8_t buf[128];
	size_t len = unhex(want, buf);

	ck_assert_mem_eq(got, buf, len);
}

/* RFC 3711 appendix B.2: session key, session salt, and the keystream. */
START_TEST(aes_cm_gives_the_keystream_of_rfc_3711)
{
	static struct cipher c = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80};
	uint8_t key[16], buf[48] = {0};

	unhex("2B7E151628AED2A6ABF7158809CF4F3C", key);
	aes128_set_encrypt_key(&c.enc.aes128, key);
	unhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD", c.salt);
	cipher_ctr(&c, 0, 0, buf, sizeof(buf));
	is_hex(buf, "E03EAD0935C95E80E166B16DD92B4EB4"
		    "D23513162B02D0F72A43A2FE4A5F97AB"
		    "41E95B3BB0A2E8DD477901E4FCA894C0");
}
END_TEST

/* RFC 6188 section 7.1. */
START_TEST(aes_256_cm_gives_the_keystream_of_rfc_6188)
{
	static struct cipher c = {.suite = SUITE_AES_256_CM_HMAC_SHA1_80};
	uint8_t key[32], buf[48] = {0};

	unhex("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
	      key);
	aes256_set_encrypt_key(&c.enc.aes256, key);
	unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd", c.salt);
	cipher_ctr(&c, 0, 0, buf, sizeof(buf));
	is_hex(buf, "92bdd28a93c3f52511c677d08b5515a4"
		    "9da71b2378a854f67050756ded165bac"
		    "63c4868b7096d88421b563b8c94c9a31");
}
END_TEST

/* Key derivation: RFC 3711 appendix B.3, RFC 6188 section 7.2. */
static const struct {
	enum suite suite;
	const char *master, *master_salt;
	const char *key, *salt, *auth;
} kdf[] = {
	{SUITE_AES_CM_128_HMAC_SHA1_80, "E1F97A0D3E018BE0D64FA32C06DE4139",
	 "0EC675AD498AFEEBB6960B3AABE6", "C61E7A93744F39EE10734AFE3FF7A087",
	 "30CBBC08863D8C85D49DB34A9AE1",
	 "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"},
	{SUITE_AES_256_CM_HMAC_SHA1_80,
	 "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
	 "3b04803de51ee7c96423ab5b78d2",
	 "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
	 "fa31791685ca444a9e07c6c64e93",
	 "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"},
};

START_TEST(session_keys_are_derived_as_the_rfc_says)
{
	struct flow_key k = {.suite = kdf[_i].suite};
	uint8_t key[32], auth[20], want[20], tag[20];
	uint8_t ours[32] = {0}, theirs[32] = {0};
	static struct cipher c, expect;
	struct hmac_sha1_ctx h;

	expect.suite = kdf[_i].suite;
	unhex(kdf[_i].master, k.key);
	unhex(kdf[_i].master_salt, k.salt);
	cipher_init(&c, &k, CIPHER_LABEL_RTP);
	is_hex(c.salt, kdf[_i].salt);
	/* The key is only visible in what it does. */
	if (unhex(kdf[_i].key, key) == 32)
		aes256_set_encrypt_key(&expect.enc.aes256, key);
	else
		aes128_set_encrypt_key(&expect.enc.aes128, key);
	unhex(kdf[_i].salt, expect.salt);
	cipher_ctr(&c, 1, 2, ours, sizeof(ours));
	cipher_ctr(&expect, 1, 2, theirs, sizeof(theirs));
	ck_assert_mem_eq(ours, theirs, sizeof(ours));
	unhex(kdf[_i].auth, auth);
	hmac_sha1_set_key(&h, 20, auth);
	hmac_sha1_update(&h, 4, (const uint8_t *)"abcd");
	hmac_sha1_digest(&h, 20, want);
	cipher_hmac(&c, slice_str("abc"), slice_str("d"), 20, tag);
	ck_assert_mem_eq(tag, want, 20);
}
END_TEST

/* Blocks of 64 bytes, of which the last holds the length: what lies at their
 * borders, by nettle's own HMAC. */
START_TEST(a_message_of_any_length_has_its_hmac)
{
	struct flow_key k = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80};
	uint8_t msg[260], auth[20], tag[20], want[20];
	static struct cipher c;
	struct hmac_sha1_ctx h;

	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)(i * 7 + 1);
	memcpy(k.key, msg, sizeof(k.key) / 2);
	cipher_init(&c, &k, CIPHER_LABEL_RTP);
	cipher_derive(&k, CIPHER_LABEL_RTP + 1, auth, sizeof(auth));
	hmac_sha1_set_key(&h, sizeof(auth), auth);
	for (size_t len = 0; len < sizeof(msg); len++) {
		for (size_t tail = 0; tail <= 4 && tail <= len; tail++) {
			hmac_sha1_update(&h, len, msg);
			hmac_sha1_digest(&h, sizeof(want), want);
			cipher_hmac(&c, slice_make(msg, len - tail),
				    slice_make(msg + len - tail, tail),
				    sizeof(tag), tag);
			ck_assert_mem_eq(tag, want, sizeof(tag));
		}
	}
	memset(tag, 0, sizeof(tag));
	cipher_hmac(&c, slice_make(msg, 100), SLICE_NULL, 4, tag);
	hmac_sha1_update(&h, 100, msg);
	hmac_sha1_digest(&h, 4, want);
	ck_assert_mem_eq(tag, want, 4);
	ck_assert_uint_eq(tag[4], 0);
}
END_TEST

/* RFC 7714 sections 16.1.1, 16.2.1 and 17.1: session key, then what goes
 * in and what comes out, tag behind. */
static const struct {
	enum suite suite;
	const char *key;
	uint32_t ssrc;
	uint64_t index;
	const char *aad, *plain, *sealed;
} gcm[] = {
	{SUITE_AEAD_AES_128_GCM, "000102030405060708090a0b0c0d0e0f", 0x5501a0b2,
	 0xf17b, "8040f17b8041f8d35501a0b2",
	 "47616c6c696120657374206f6d6e69732064697669736120"
	 "696e207061727465732074726573",
	 "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f"
	 "42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf"
	 "765ee4390cce"},
	{SUITE_AEAD_AES_256_GCM,
	 "000102030405060708090a0b0c0d0e0f"
	 "101112131415161718191a1b1c1d1e1f",
	 0x5501a0b2, 0xf17b, "8040f17b8041f8d35501a0b2",
	 "47616c6c696120657374206f6d6e69732064697669736120"
	 "696e207061727465732074726573",
	 "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3"
	 "b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb"
	 "7878d7a76c13"},
	{SUITE_AEAD_AES_128_GCM, "000102030405060708090a0b0c0d0e0f", 0x4d617273,
	 0x5d4, "81c8000d4d617273800005d4",
	 "4e5450314e545032525450200000042a0000e9304c756e61"
	 "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
	 "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d"
	 "c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa458"
	 "96cf4d2fc5abf87245d9eade"},
};

START_TEST(aes_gcm_seals_and_opens_as_in_rfc_7714)
{
	static struct cipher c;
	uint8_t key[32], aad[16], buf[64], want[96], plain[64], tag[16];
	struct cipher_aead op = {gcm[_i].ssrc, gcm[_i].index, SLICE_NULL, buf,
				 0};

	c.suite = gcm[_i].suite;
	if (unhex(gcm[_i].key, key) == 32)
		gcm_aes256_set_key(&c.enc.gcm256, key);
	else
		gcm_aes128_set_key(&c.enc.gcm128, key);
	unhex("517569642070726f2071756f", c.salt);
	op.aad = slice_make(aad, unhex(gcm[_i].aad, aad));
	op.len = unhex(gcm[_i].plain, buf);
	memcpy(plain, buf, op.len);
	unhex(gcm[_i].sealed, want);
	cipher_seal(&c, &op, tag);
	ck_assert_mem_eq(buf, want, op.len);
	ck_assert_mem_eq(tag, want + op.len, 16);
	memset(tag, 0, sizeof(tag));
	cipher_open(&c, &op, tag);
	ck_assert_mem_eq(buf, plain, op.len);
	ck_assert_mem_eq(tag, want + op.len, 16);
}
END_TEST

START_TEST(done_leaves_nothing)
{
	struct flow_key k = {.suite = SUITE_AEAD_AES_256_GCM, .key = {1}};
	static const struct cipher zero;
	static struct cipher c;

	cipher_init(&c, &k, CIPHER_LABEL_RTCP);
	cipher_done(&c);
	ck_assert_mem_eq(&c, &zero, sizeof(c));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("vectors");

	tcase_add_test(t, aes_cm_gives_the_keystream_of_rfc_3711);
	tcase_add_test(t, aes_256_cm_gives_the_keystream_of_rfc_6188);
	tcase_add_loop_test(t, session_keys_are_derived_as_the_rfc_says, 0, 2);
	tcase_add_test(t, a_message_of_any_length_has_its_hmac);
	tcase_add_loop_test(t, aes_gcm_seals_and_opens_as_in_rfc_7714, 0, 3);
	tcase_add_test(t, done_leaves_nothing);
	return run_case("cipher", t);
}
