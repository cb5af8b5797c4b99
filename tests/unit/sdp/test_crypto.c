/* The a=crypto attribute: RFC 4568. */
#include <check.h>
#include <stdlib.h>

#include "base/hex.h"
#include "lib/run.h"
#include "sdp/crypto.h"

/* The keys of the examples in RFC 4568 section 5.1 and 6.1. */
#define KEY30 "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
#define KEY46 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define KEY28 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define KEY44 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define S80   "AES_CM_128_HMAC_SHA1_80"
#define S32   "AES_CM_128_HMAC_SHA1_32"

/* out is what crypto_print makes of it; NULL: the same as in. */
static const struct {
	const char *in;
	int err;
	const char *out;
} rows[] = {
	/* RFC 4568 section 5.1.2 and 6.1 */
	{"1 " S80 " inline:" KEY30, 0, NULL},
	{"2 " S32 " inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32",
	 ERR_UNSUPPORTED, NULL},
	{"2 " S32 " inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:4",
	 0,
	 "2 " S32
	 " inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|1048576|1:4"},
	{"1 " S80 " inline:" KEY30 "|1066:4", 0, NULL},
	{"1 " S80 " inline:" KEY30 "|2^20|1:4;inline:" KEY30 "|2^20|2:4",
	 ERR_UNSUPPORTED, NULL},
	/* what phones send */
	{"1 " S80 " inline:" KEY30 "|2^48", 0,
	 "1 " S80 " inline:" KEY30 "|281474976710656"},
	{"1 " S80 " inline:" KEY30 "|1048576", 0, NULL},
	{"001 aes_cm_128_hmac_sha1_80 INLINE:" KEY30 " ", 0,
	 "1 " S80 " inline:" KEY30},
	{"999999999 AEAD_AES_128_GCM inline:" KEY28, 0, NULL},
	{"3 AEAD_AES_128_GCM inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0,
	 "3 AEAD_AES_128_GCM inline:" KEY28},
	{"4 AES_256_CM_HMAC_SHA1_80 inline:" KEY46, 0, NULL},
	{"5 AEAD_AES_256_GCM inline:" KEY44, 0, NULL},
	/* session parameters, section 6.3 */
	{"1 " S80 " inline:" KEY30 " WSH=64", 0, "1 " S80 " inline:" KEY30},
	{"1 " S80 " inline:" KEY30 " wsh=1024 -future", 0,
	 "1 " S80 " inline:" KEY30},
	{"1 " S80 " inline:" KEY30 " WSH=63", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 " WSH=", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 " KDR=0", ERR_UNSUPPORTED, NULL},
	{"1 " S80 " inline:" KEY30 " UNENCRYPTED_SRTP", ERR_UNSUPPORTED, NULL},
	{"1 " S80 " inline:" KEY30 " WSH=64 UNENCRYPTED_SRTCP", ERR_UNSUPPORTED,
	 NULL},
	{"1 " S80 " inline:" KEY30 " UNAUTHENTICATED_SRTP", ERR_UNSUPPORTED,
	 NULL},
	{"1 " S80 " inline:" KEY30 " FEC_ORDER=FEC_SRTP", ERR_UNSUPPORTED,
	 NULL},
	{"1 " S80 " inline:" KEY30 " FEC_KEY=inline:" KEY30, ERR_UNSUPPORTED,
	 NULL},
	{"1 " S80 " inline:" KEY30 " future", ERR_UNSUPPORTED, NULL},
	{"1 " S80 " inline:" KEY30 " -", ERR_BAD, NULL},
	/* suites */
	{"1 F8_128_HMAC_SHA1_80 inline:" KEY30, ERR_UNSUPPORTED, NULL},
	{"1 NULL_HMAC_SHA1_80 inline:" KEY30, ERR_UNSUPPORTED, NULL},
	{"1 none inline:", ERR_UNSUPPORTED, NULL},
	{"1 " S80 "X inline:" KEY30, ERR_UNSUPPORTED, NULL},
	/* keys */
	{"1 " S80 " inline:" KEY28, ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY46, ERR_BAD, NULL},
	{"1 AEAD_AES_128_GCM inline:" KEY30, ERR_BAD, NULL},
	{"1 " S80 " inline:", ERR_BAD, NULL},
	{"1 " S80 " inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSo!", ERR_BAD,
	 NULL},
	{"1 " S80 " inline:" KEY30 KEY30, ERR_BAD, NULL},
	{"1 " S80 " inlin:" KEY30, ERR_BAD, NULL},
	{"1 " S80 " uri:" KEY30, ERR_BAD, NULL},
	/* lifetime */
	{"1 " S80 " inline:" KEY30 "|", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|0", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|2^49", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|2^", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|281474976710657", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|-5", ERR_BAD, NULL},
	/* MKI */
	{"1 " S80 " inline:" KEY30 "|2^20|", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|2^20|1", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|1:0", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|1:5", ERR_UNSUPPORTED, NULL},
	{"1 " S80 " inline:" KEY30 "|1:129", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|255:1", 0, NULL},
	{"1 " S80 " inline:" KEY30 "|256:1", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|4294967295:4", 0, NULL},
	{"1 " S80 " inline:" KEY30 "|4294967296:4", ERR_BAD, NULL},
	{"1 " S80 " inline:" KEY30 "|1:4|2^20", ERR_BAD, NULL},
	/* the line */
	{"0 " S80 " inline:" KEY30, 0, NULL},
	{"", ERR_BAD, NULL},
	{"1", ERR_BAD, NULL},
	{"1 " S80, ERR_BAD, NULL},
	{"x " S80 " inline:" KEY30, ERR_BAD, NULL},
	{"-1 " S80 " inline:" KEY30, ERR_BAD, NULL},
	{"1000000000 " S80 " inline:" KEY30, ERR_BAD, NULL},
	{"0000000001 " S80 " inline:" KEY30, ERR_BAD, NULL},
};

START_TEST(a_line_is_read_and_printed_as_its_row_says)
{
	struct crypto_line c = {.tag = 77};
	char out[CRYPTO_LINE_MAX + 1] = "";
	const char *want = rows[_i].out ? rows[_i].out : rows[_i].in;
	struct writer w;
	int err = crypto_parse(slice_str(rows[_i].in), &c);

	ck_assert_msg(err == rows[_i].err, "%s: %s", rows[_i].in, err_str(err));
	if (err) {
		ck_assert_uint_eq(c.tag, 77); /* not touched */
		return;
	}
	writer_init(&w, out, CRYPTO_LINE_MAX);
	crypto_print(&w, &c);
	ck_assert(slice_starts(writer_slice(&w), "a=crypto:"));
	ck_assert_str_eq(out + 9, want);
}
END_TEST

/* RFC 4568 section 6.1: key first, salt behind it. */
START_TEST(key_and_salt_are_cut_at_the_suites_length)
{
	struct crypto_line c;
	char hex[64] = "";
	struct writer w;

	ck_assert_int_eq(crypto_parse(slice_str("1 " S80 " inline:" KEY30), &c),
			 0);
	writer_init(&w, hex, sizeof(hex) - 1);
	hex_encode(&w, slice_make(c.key.key, 16));
	ck_assert_str_eq(hex, "774466766726542b2978473740666235");
}
END_TEST

START_TEST(an_mki_is_big_endian)
{
	struct crypto_line c;

	ck_assert_int_eq(crypto_parse(slice_str("1 " S80 " inline:" KEY30
						"|2^20|66051:4"),
				      &c),
			 0);
	ck_assert_uint_eq(c.key.mki_len, 4);
	ck_assert_mem_eq(c.key.mki, "\0\1\2\3", 4);
	ck_assert_uint_eq(c.lifetime, 1 << 20);
}
END_TEST

START_TEST(wiping_leaves_nothing)
{
	static const struct crypto_line zero;
	struct crypto_line c;

	ck_assert_int_eq(crypto_parse(slice_str("1 " S80 " inline:" KEY30), &c),
			 0);
	crypto_wipe(&c, 1);
	ck_assert_mem_eq(&c.key, &zero.key, sizeof(c.key));
}
END_TEST

START_TEST(every_beginning_of_a_line_is_safe_to_read)
{
	static const char line[] =
		"1 " S80 " inline:" KEY30 "|2^20|1:4 WSH=64 -x";
	struct crypto_line c;

	for (size_t n = 0; n < sizeof(line); n++) {
		char *exact = malloc(n > 0 ? n : 1);

		memcpy(exact, line, n);
		(void)!crypto_parse(slice_make(exact, n), &c);
		free(exact);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("RFC 4568");

	tcase_add_loop_test(tc, a_line_is_read_and_printed_as_its_row_says, 0,
			    ROWS(rows));
	tcase_add_test(tc, key_and_salt_are_cut_at_the_suites_length);
	tcase_add_test(tc, an_mki_is_big_endian);
	tcase_add_test(tc, wiping_leaves_nothing);
	tcase_add_test(tc, every_beginning_of_a_line_is_safe_to_read);
	return run_case("sdp/crypto", tc);
}
