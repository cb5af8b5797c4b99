/* Requests and answers of the keys process, cut at every length. */
#include "priv/keys_wire.h"

#include <check.h>
#include <stdlib.h>

#include "lib/run.h"

static struct slice str(const char *s)
{
	return slice_str(s);
}

static const struct keys_check check_fields = {
	.alg = 1,
	.blob = SLICE("blob"),
	.user = SLICE("alice"),
	.realm = SLICE("example.org"),
	.method = SLICE("REGISTER"),
	.uri = SLICE("sip:example.org"),
	.nonce = SLICE("n"),
	.nc = SLICE("00000001"),
	.cnonce = SLICE("c"),
	.qop = SLICE("auth"),
	.response = SLICE("r"),
};

static struct keys_request row(size_t i)
{
	struct keys_request q = {.number = 0x01020304};

	q.op = (uint8_t)(i + 1);
	q.key = str("key");
	q.alg = 0x0203;
	q.data = str("data");
	q.user = str("alice");
	q.realm = str("realm");
	q.ha1_count = 2;
	q.ha1[0] = (struct keys_ha1){0, str("00112233")};
	q.ha1[1] = (struct keys_ha1){1, str("44556677")};
	q.check = check_fields;
	return q;
}

static void expect_same(const struct keys_request *x,
			const struct keys_request *y)
{
	ck_assert_uint_eq(x->op, y->op);
	ck_assert_uint_eq(x->number, y->number);
	switch (x->op) {
	case KEYS_OP_SIGN:
		ck_assert_uint_eq(x->alg, y->alg);
		ck_assert(slice_eq(x->data, y->data));
		ck_assert(slice_eq(x->key, y->key));
		break;
	case KEYS_OP_SEAL:
		ck_assert(slice_eq(x->user, y->user));
		ck_assert(slice_eq(x->realm, y->realm));
		ck_assert_uint_eq(x->ha1_count, y->ha1_count);
		ck_assert_uint_eq(x->ha1[1].alg, y->ha1[1].alg);
		ck_assert(slice_eq(x->ha1[1].hex, y->ha1[1].hex));
		break;
	case KEYS_OP_CHECK:
		ck_assert(slice_eq(x->check.blob, y->check.blob));
		ck_assert(slice_eq(x->check.user, y->check.user));
		ck_assert(slice_eq(x->check.realm, y->check.realm));
		ck_assert(slice_eq(x->check.method, y->check.method));
		ck_assert(slice_eq(x->check.uri, y->check.uri));
		ck_assert(slice_eq(x->check.nonce, y->check.nonce));
		ck_assert(slice_eq(x->check.nc, y->check.nc));
		ck_assert(slice_eq(x->check.cnonce, y->check.cnonce));
		ck_assert(slice_eq(x->check.qop, y->check.qop));
		ck_assert(slice_eq(x->check.response, y->check.response));
		ck_assert_uint_eq(x->check.alg, y->check.alg);
		break;
	default:
		break;
	}
}

START_TEST(every_request_reads_back_and_nothing_shorter_does)
{
	for (size_t i = 0; i + 1 < KEYS_OP_COUNT; i++) {
		struct keys_request q = row(i);
		struct keys_request back;
		struct keys_answer err;
		uint8_t buf[1024];
		struct writer w;
		struct slice s;

		writer_init(&w, buf, sizeof(buf) - 1);
		keys_request_print(&q, &w);
		s = writer_slice(&w);
		ck_assert_uint_gt(s.len, 0);
		ck_assert_int_eq(keys_request_parse(s, &back, &err), 0);
		expect_same(&q, &back);
		for (size_t cut = 0; cut < s.len; cut++)
			ck_assert_int_eq(
				keys_request_parse(slice_sub(s, 0, cut), &back,
						   &err),
				ERR_BAD);
		buf[s.len] = 0;
		ck_assert_int_eq(keys_request_parse(slice_make(buf, s.len + 1),
						    &back, &err),
				 ERR_BAD);
		ck_assert_uint_eq(err.number, 0x01020304);
	}
}
END_TEST

START_TEST(unknown_versions_and_ops_are_told_apart)
{
	static const uint8_t rows[][7] = {
		{2, 1, 0, 0, 0, 5},
		{1, 0, 0, 0, 0, 5},
		{1, KEYS_OP_COUNT, 0, 0, 0, 5},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keys_request q;
		struct keys_answer err;

		ck_assert_int_eq(
			keys_request_parse(slice_make(rows[i], 6), &q, &err),
			ERR_UNSUPPORTED);
		ck_assert_uint_eq(err.number, 5);
		ck_assert_int_eq(err.err, ERR_UNSUPPORTED);
	}
}
END_TEST

START_TEST(counts_and_lengths_of_ha1_are_limited)
{
	static const struct {
		uint8_t count;
		size_t len;
		int want;
	} rows[] = {
		{1, 1, 0},
		{1, KEYS_HA1_HEX_MAX, 0},
		{1, KEYS_HA1_HEX_MAX + 1, ERR_BAD},
		{1, 0, ERR_BAD},
		{KEYS_HA1S_MAX, 32, 0},
		{0, 32, ERR_BAD},
	};
	static const uint8_t hex[KEYS_HA1_HEX_MAX + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct keys_request q = {.op = KEYS_OP_SEAL,
					 .ha1_count = rows[i].count};
		struct keys_answer err;
		uint8_t buf[1024];
		struct writer w;

		for (uint8_t j = 0; j < rows[i].count; j++)
			q.ha1[j].hex = slice_make(hex, rows[i].len);
		writer_init(&w, buf, sizeof(buf));
		keys_request_print(&q, &w);
		ck_assert_int_eq(keys_request_parse(writer_slice(&w), &q, &err),
				 rows[i].want);
	}
}
END_TEST

START_TEST(answers_read_back_and_nothing_shorter_does)
{
	struct keys_answer a = {.number = 7,
				.op = KEYS_OP_SIGN,
				.err = ERR_AGAIN,
				.data = str("signature")};
	struct keys_answer back;
	uint8_t buf[64];
	struct writer w;
	struct slice s;

	writer_init(&w, buf, sizeof(buf));
	keys_answer_print(&a, &w);
	s = writer_slice(&w);
	ck_assert_int_eq(keys_answer_parse(s, &back), 0);
	ck_assert_uint_eq(back.number, 7);
	ck_assert_int_eq(back.err, ERR_AGAIN);
	ck_assert(slice_eq(back.data, a.data));
	for (size_t cut = 0; cut < s.len; cut++)
		ck_assert_int_eq(keys_answer_parse(slice_sub(s, 0, cut), &back),
				 ERR_BAD);
	buf[0] = 9;
	ck_assert_int_eq(keys_answer_parse(s, &back), ERR_BAD);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("priv/keys_wire");
	TCase *tc = tcase_create("wire");

	tcase_add_test(tc, every_request_reads_back_and_nothing_shorter_does);
	tcase_add_test(tc, unknown_versions_and_ops_are_told_apart);
	tcase_add_test(tc, counts_and_lengths_of_ha1_are_limited);
	tcase_add_test(tc, answers_read_back_and_nothing_shorter_does);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
