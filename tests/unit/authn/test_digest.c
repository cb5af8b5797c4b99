/* Digest arithmetic: RFC 7616, RFC 8760, RFC 2617, RFC 2069, RFC 4231. */
#include <check.h>
#include <stdlib.h>

#include "authn/digest.h"
#include "base/hex.h"
#include "base/writer.h"
#include "lib/run.h"

static const struct {
	const char *source;
	enum digest_alg alg;
	const char *user, *realm, *password;
	const char *method, *uri, *nonce;
	const char *qop, *nc, *cnonce;
	const char *response;
} vectors[] = {
	{"RFC 7616 section 3.9.1", DIGEST_MD5, "Mufasa",
	 "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
	 "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "auth", "00000001",
	 "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	 "8ca523f5e9506fed4657c9700eebdbec"},
	{"RFC 7616 section 3.9.1", DIGEST_SHA256, "Mufasa",
	 "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
	 "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "auth", "00000001",
	 "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	 "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	/* The RFC's example for this algorithm is in doubt (its errata): these
	 * are the values above under OpenSSL's SHA-512/256. */
	{"OpenSSL 3.0", DIGEST_SHA512_256, "Mufasa", "http-auth@example.org",
	 "Circle of Life", "GET", "/dir/index.html",
	 "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "auth", "00000001",
	 "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	 "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0"},
	{"RFC 2617 section 3.5", DIGEST_MD5, "Mufasa", "testrealm@host.com",
	 "Circle Of Life", "GET", "/dir/index.html",
	 "dcd98b7102dd2f0e8b11d0f600bfb0c093", "auth", "00000001", "0a4f113b",
	 "6629fae49393a05397450978507c4ef1"},
	{"RFC 2069 section 2.4 with erratum 749", DIGEST_MD5, "Mufasa",
	 "testrealm@host.com", "CircleOfLife", "GET", "/dir/index.html",
	 "dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", "",
	 "1949323746fe6a43ef61f9606e7febea"},
};

static struct digest_fields fields(int i)
{
	return (struct digest_fields){
		.alg = vectors[i].alg,
		.method = slice_str(vectors[i].method),
		.uri = slice_str(vectors[i].uri),
		.nonce = slice_str(vectors[i].nonce),
		.qop = slice_str(vectors[i].qop),
		.nc = slice_str(vectors[i].nc),
		.cnonce = slice_str(vectors[i].cnonce),
	};
}

static struct digest_hex ha1(int i)
{
	struct digest_hex h;

	ck_assert_int_eq(digest_ha1(vectors[i].alg, slice_str(vectors[i].user),
				    slice_str(vectors[i].realm),
				    slice_str(vectors[i].password), &h),
			 0);
	return h;
}

START_TEST(the_response_is_the_rfcs)
{
	struct digest_fields f = fields(_i);
	struct digest_hex h = ha1(_i);
	struct digest_hex r;

	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r), 0);
	ck_assert_msg(slice_eqs(digest_hex_slice(&r), vectors[_i].response),
		      "%s: %.*s", vectors[_i].source,
		      SLICE_FMT(digest_hex_slice(&r)));
	ck_assert(digest_eq(&r, slice_str(vectors[_i].response)));
}
END_TEST

START_TEST(a_change_of_any_field_changes_the_response)
{
	struct digest_fields f = fields(0);
	struct slice *field[] = {&f.method, &f.uri, &f.nonce, &f.nc, &f.cnonce};
	struct digest_hex h = ha1(0);
	struct digest_hex r;

	for (size_t i = 0; i < sizeof(field) / sizeof(*field); i++) {
		struct slice keep = *field[i];

		field[i]->len--;
		ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r),
				 0);
		ck_assert(!digest_eq(&r, slice_str(vectors[0].response)));
		*field[i] = keep;
	}
	h.text[0] ^= 1;
	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r), 0);
	ck_assert(!digest_eq(&r, slice_str(vectors[0].response)));
}
END_TEST

/* The example of RFC 2617 section 3.5 with qop=auth-int and a body; the expected
 * digits were calculated with Python's hashlib by section 3.2.2.3. */
START_TEST(auth_int_covers_the_body)
{
	static const struct {
		enum digest_alg alg;
		const char *response;
	} rows[] = {
		{DIGEST_MD5, "1aed518663dd811df364b00e4baf2e93"},
		{DIGEST_SHA256, "08bb07f408337f2611c1698cffd2eb3b"
				"b5a9bb64700f5373a60f9fd180703cf8"},
	};
	struct digest_hex h, body, r;
	struct digest_fields f = {
		.alg = rows[_i].alg,
		.method = SLICE("GET"),
		.uri = SLICE("/dir/index.html"),
		.nonce = SLICE("dcd98b7102dd2f0e8b11d0f600bfb0c093"),
		.qop = SLICE("auth-int"),
		.nc = SLICE("00000001"),
		.cnonce = SLICE("0a4f113b")};

	ck_assert_int_eq(digest_ha1(f.alg, slice_str("Mufasa"),
				    slice_str("testrealm@host.com"),
				    slice_str("Circle Of Life"), &h),
			 0);
	digest_hash(f.alg, slice_str("Hello"), &body);
	f.body_hash = digest_hex_slice(&body);
	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r), 0);
	ck_assert(digest_eq(&r, slice_str(rows[_i].response)));
	digest_hash(f.alg, slice_str("hello"), &body);
	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r), 0);
	ck_assert(!digest_eq(&r, slice_str(rows[_i].response)));
	f.body_hash.len--;
	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r),
			 ERR_BAD);
}
END_TEST

START_TEST(body_integrity_and_wrong_lengths_are_refused)
{
	struct digest_fields f = fields(0);
	struct digest_hex h = ha1(0);
	struct digest_hex r;

	f.qop = slice_str("auth-int");
	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r),
			 ERR_UNSUPPORTED);
	f = fields(0);
	f.alg = DIGEST_SHA256;
	ck_assert_int_eq(digest_response(digest_hex_slice(&h), &f, &r),
			 ERR_BAD);
	ck_assert_int_eq(digest_response(SLICE_NULL, &f, &r), ERR_BAD);
}
END_TEST

START_TEST(responses_compare_in_either_case_and_only_whole)
{
	struct digest_hex h = {.text = "0123456789abcdef0123456789abcdef",
			       .len = 32};

	ck_assert(digest_eq(&h, slice_str("0123456789ABCDEF0123456789abcdef")));
	ck_assert(!digest_eq(&h, slice_str("0123456789abcdef0123456789abcde")));
	ck_assert(
		!digest_eq(&h, slice_str("0123456789abcdef0123456789abcdef0")));
	ck_assert(
		!digest_eq(&h, slice_str("0123456789abcdef0123456789abcdee")));
	ck_assert(!digest_eq(&h, SLICE_NULL));
}
END_TEST

START_TEST(algorithms_are_found_by_name)
{
	enum digest_alg a;

	ck_assert_int_eq(digest_alg_find(SLICE_NULL, &a), 0);
	ck_assert_int_eq(a, DIGEST_MD5);
	ck_assert_int_eq(digest_alg_find(slice_str("md5"), &a), 0);
	ck_assert_int_eq(a, DIGEST_MD5);
	ck_assert_int_eq(digest_alg_find(slice_str("SHA-256"), &a), 0);
	ck_assert_int_eq(a, DIGEST_SHA256);
	ck_assert_int_eq(digest_alg_find(slice_str("MD5-sess"), &a),
			 ERR_UNSUPPORTED);
	ck_assert_int_eq(digest_alg_find(slice_str("sha-512-256"), &a), 0);
	ck_assert_int_eq(a, DIGEST_SHA512_256);
	ck_assert_int_eq(digest_alg_find(slice_str("SHA-512"), &a),
			 ERR_UNSUPPORTED);
	ck_assert_str_eq(digest_alg_name(DIGEST_SHA256), "SHA-256");
	ck_assert_uint_eq(digest_hex_len(DIGEST_MD5), 32);
	ck_assert_uint_eq(digest_hex_len(DIGEST_SHA256), 64);
}
END_TEST

static const struct {
	const char *key, *data, *mac;
} macs[] = {
	/* RFC 4231 sections 4.2 and 4.3 */
	{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
	 "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
	 "Hi There",
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"Jefe", "what do ya want for nothing?",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
};

START_TEST(the_mac_is_the_rfcs)
{
	uint8_t mac[DIGEST_HMAC_LEN];
	char hex[2 * DIGEST_HMAC_LEN + 1] = "";
	struct writer w;

	ck_assert_int_eq(digest_hmac(slice_str(macs[_i].key),
				     slice_str(macs[_i].data), mac),
			 0);
	writer_init(&w, hex, sizeof(hex) - 1);
	hex_encode(&w, slice_make(mac, sizeof(mac)));
	ck_assert_str_eq(hex, macs[_i].mac);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("digest");

	tcase_add_loop_test(tc, the_response_is_the_rfcs, 0, ROWS(vectors));
	tcase_add_test(tc, a_change_of_any_field_changes_the_response);
	tcase_add_test(tc, body_integrity_and_wrong_lengths_are_refused);
	tcase_add_loop_test(tc, auth_int_covers_the_body, 0, 2);
	tcase_add_test(tc, responses_compare_in_either_case_and_only_whole);
	tcase_add_test(tc, algorithms_are_found_by_name);
	tcase_add_loop_test(tc, the_mac_is_the_rfcs, 0, ROWS(macs));
	return run_case("authn/digest", tc);
}
