/* Suites and flows as bytes. */
#include <check.h>
#include <stdlib.h>

#include "flow/flow.h"
#include "lib/run.h"

enum {
	LOCAL_AT = 25,
	LATCH_AT = LOCAL_AT + 7 + 19 + 1,
	MKI_AT = LATCH_AT + 1 + 1 + 16 + 14
};

/* Name and lengths as RFC 4568 section 6.2, RFC 6188 section 5 and RFC 7714
 * section 12 give them. */
static const struct {
	const char *name;
	enum suite suite;
	uint8_t key, salt, rtp_tag, rtcp_tag;
} rows[] = {
	{"AES_CM_128_HMAC_SHA1_80", SUITE_AES_CM_128_HMAC_SHA1_80, 16, 14, 10,
	 10},
	{"AES_CM_128_HMAC_SHA1_32", SUITE_AES_CM_128_HMAC_SHA1_32, 16, 14, 4,
	 10},
	{"AEAD_AES_128_GCM", SUITE_AEAD_AES_128_GCM, 16, 12, 16, 16},
	{"AES_256_CM_HMAC_SHA1_80", SUITE_AES_256_CM_HMAC_SHA1_80, 32, 14, 10,
	 10},
	{"aes_256_cm_hmac_sha1_32", SUITE_AES_256_CM_HMAC_SHA1_32, 32, 14, 4,
	 10},
	{"AEAD_AES_256_GCM", SUITE_AEAD_AES_256_GCM, 32, 12, 16, 16},
};

START_TEST(suites_have_the_lengths_of_their_rfcs)
{
	const struct suite_info *si;
	enum suite s;

	ck_assert_int_eq(suite_find(slice_str(rows[_i].name), &s), 0);
	ck_assert_int_eq(s, rows[_i].suite);
	si = suite_info(s);
	ck_assert_uint_eq(si->key_len, rows[_i].key);
	ck_assert_uint_eq(si->salt_len, rows[_i].salt);
	ck_assert_uint_eq(si->rtp_tag_len, rows[_i].rtp_tag);
	ck_assert_uint_eq(si->rtcp_tag_len, rows[_i].rtcp_tag);
}
END_TEST

START_TEST(an_unknown_suite_is_not_found)
{
	enum suite s;

	ck_assert_int_eq(suite_find(slice_str("NULL_HMAC_SHA1_80"), &s),
			 ERR_NOTFOUND);
	ck_assert_int_eq(suite_find(slice_str("none"), &s), ERR_NOTFOUND);
	ck_assert_int_eq(suite_find(SLICE_NULL, &s), ERR_NOTFOUND);
}
END_TEST

static struct flow sample(enum suite in, enum suite out)
{
	struct flow f = {.id = 7, .peer_id = 8, .call = 0x1122334455667788};

	f.local = (struct addr){ADDR_V4, {127, 0, 0, 1}, 40000};
	f.remote = (struct addr){ADDR_V6, {0x20, 1, 0xd, 0xb8}, 5004};
	f.latch = FLOW_LATCH_NAT;
	f.is_blocked = true;
	f.is_raw = true;
	f.is_borrowed = true;
	f.is_muxed = true;
	f.security = 2;
	f.idle_ms = 30000;
	f.group = (struct addr){ADDR_V4, {239, 1, 1, 1}, 4000};
	f.in.suite = in;
	f.out.suite = out;
	memset(f.in.key, 0x11, suite_info(in)->key_len);
	memset(f.in.salt, 0x12, suite_info(in)->salt_len);
	memset(f.out.key, 0x21, suite_info(out)->key_len);
	memset(f.out.salt, 0x22, suite_info(out)->salt_len);
	if (in != SUITE_NONE) {
		f.in.mki_len = 4;
		memcpy(f.in.mki, "\0\0\0\1", 4);
	}
	return f;
}

static struct slice serialise(const struct flow *f, uint8_t *buf)
{
	struct writer w;

	writer_init(&w, buf, FLOW_BYTES_MAX);
	flow_write(&w, f);
	ck_assert(writer_ok(&w));
	return writer_slice(&w);
}

START_TEST(a_flow_survives_writing_and_reading)
{
	struct flow f = sample((enum suite)_i, (enum suite)((_i + 1) % 7));
	struct flow g = {0};
	uint8_t buf[FLOW_BYTES_MAX], again[FLOW_BYTES_MAX];
	struct slice s = serialise(&f, buf);
	struct reader r;

	reader_init(&r, s);
	ck_assert_int_eq(flow_read(&r, &g), 0);
	ck_assert(reader_end(&r));
	ck_assert(slice_eq(s, serialise(&g, again)));
	ck_assert(addr_eq(&f.remote, &g.remote));
	ck_assert_mem_eq(&f.in, &g.in, sizeof(f.in));
	ck_assert_uint_eq(g.idle_ms, 30000);
	ck_assert(g.is_blocked);
	ck_assert(g.is_raw);
	ck_assert(g.is_borrowed);
	ck_assert(g.is_muxed);
	ck_assert_uint_eq(g.security, 2);
	ck_assert(addr_eq(&f.group, &g.group));
}
END_TEST

START_TEST(a_flow_cut_anywhere_is_refused)
{
	struct flow f = sample(SUITE_AEAD_AES_256_GCM, SUITE_NONE), g;
	uint8_t buf[FLOW_BYTES_MAX];
	struct slice s = serialise(&f, buf);

	for (size_t len = 0; len < s.len; len++) {
		struct reader r;

		reader_init(&r, slice_sub(s, 0, len));
		ck_assert_int_eq(flow_read(&r, &g), ERR_BAD);
	}
}
END_TEST

/* Offset of a byte, and a value it must not have. */
static const struct {
	size_t at;
	uint8_t value;
} wrong[] = {
	{0, 1}, /* version */
	{0, 4},
	{LOCAL_AT, 5}, /* family */
	{LATCH_AT, 3},
	{LATCH_AT + 1, 7}, /* suite of in */
	/* Behind two suites without keys: raw, borrowed, muxed, security, blocked */
	{LATCH_AT + 3, 2},
	{LATCH_AT + 4, 2},
	{LATCH_AT + 5, 2},
	{LATCH_AT + 6, FLOW_SECURITY_MAX + 1},
	{LATCH_AT + 7, 2},
};

START_TEST(values_that_do_not_exist_are_refused)
{
	struct flow f = sample(SUITE_NONE, SUITE_NONE), g;
	uint8_t buf[FLOW_BYTES_MAX];
	struct slice s = serialise(&f, buf);
	struct reader r;

	buf[wrong[_i].at] = wrong[_i].value;
	reader_init(&r, s);
	ck_assert_int_eq(flow_read(&r, &g), ERR_BAD);
}
END_TEST

/* Of the wrong family, not a group, without a port, without one for RTCP. */
static const struct addr wrong_groups[] = {
	{ADDR_V6, {0xff, 5}, 4000},
	{ADDR_V4, {10, 1, 1, 1}, 4000},
	{ADDR_V4, {239, 1, 1, 1}, 0},
	{ADDR_V4, {239, 1, 1, 1}, 65535},
};

START_TEST(what_is_no_group_is_refused)
{
	struct flow f = sample(SUITE_NONE, SUITE_NONE), g;
	uint8_t buf[FLOW_BYTES_MAX];
	struct reader r;

	f.group = wrong_groups[_i];
	reader_init(&r, serialise(&f, buf));
	ck_assert_int_eq(flow_read(&r, &g), ERR_BAD);
}
END_TEST

/* One value has one form: without a group the version is another. */
START_TEST(a_group_that_is_none_is_refused)
{
	struct flow f = sample(SUITE_NONE, SUITE_NONE), g;
	uint8_t buf[FLOW_BYTES_MAX + 1];
	struct slice s;
	struct reader r;

	f.group.family = ADDR_NONE;
	s = serialise(&f, buf);
	buf[0] = 3;
	buf[s.len] = ADDR_NONE;
	reader_init(&r, slice_make(buf, s.len + 1));
	ck_assert_int_eq(flow_read(&r, &g), ERR_BAD);
}
END_TEST

START_TEST(an_mki_longer_than_four_bytes_is_refused)
{
	struct flow f = sample(SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_NONE), g;
	uint8_t buf[FLOW_BYTES_MAX];
	struct slice s = serialise(&f, buf);
	struct reader r;

	/* Behind suite, key and salt. */
	ck_assert_uint_eq(buf[MKI_AT], 4);
	buf[MKI_AT] = 5;
	reader_init(&r, s);
	ck_assert_int_eq(flow_read(&r, &g), ERR_BAD);
}
END_TEST

START_TEST(counters_survive_writing_and_reading)
{
	struct flow_stats s = {.id = 1,
			       .latched = {ADDR_V4, {10, 1, 2, 3}, 99},
			       .rtp_packets = 2,
			       .rtp_bytes = 3,
			       .rtcp_packets = 4,
			       .auth_fail = 5,
			       .replay = 6,
			       .src_reject = 7,
			       .malformed = 8,
			       .dropped = 1ull << 40};
	struct flow_stats t = {0};
	uint8_t buf[256];
	struct writer w;
	struct reader r;

	writer_init(&w, buf, sizeof(buf));
	flow_stats_write(&w, &s);
	reader_init(&r, writer_slice(&w));
	ck_assert_int_eq(flow_stats_read(&r, &t), 0);
	ck_assert(reader_end(&r));
	ck_assert_uint_eq(t.dropped, s.dropped);
	ck_assert_uint_eq(t.rtp_bytes, 3);
	ck_assert(addr_eq(&t.latched, &s.latched));
	reader_init(&r, slice_sub(writer_slice(&w), 0, w.len - 1));
	ck_assert_int_eq(flow_stats_read(&r, &t), ERR_BAD);
}
END_TEST

START_TEST(wiping_leaves_no_key)
{
	struct flow f = sample(SUITE_AEAD_AES_128_GCM, SUITE_AEAD_AES_256_GCM);
	static const struct flow_key zero;

	flow_wipe(&f);
	ck_assert_mem_eq(&f.in, &zero, sizeof(zero));
	ck_assert_mem_eq(&f.out, &zero, sizeof(zero));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flow");
	TCase *t = tcase_create("suite");

	tcase_add_loop_test(t, suites_have_the_lengths_of_their_rfcs, 0, 6);
	tcase_add_test(t, an_unknown_suite_is_not_found);
	suite_add_tcase(s, t);
	t = tcase_create("bytes");
	tcase_add_loop_test(t, a_flow_survives_writing_and_reading, 0, 7);
	tcase_add_test(t, a_flow_cut_anywhere_is_refused);
	tcase_add_loop_test(t, values_that_do_not_exist_are_refused, 0,
			    sizeof(wrong) / sizeof(*wrong));
	tcase_add_test(t, a_group_that_is_none_is_refused);
	tcase_add_loop_test(t, what_is_no_group_is_refused, 0,
			    sizeof(wrong_groups) / sizeof(*wrong_groups));
	tcase_add_test(t, an_mki_longer_than_four_bytes_is_refused);
	tcase_add_test(t, counters_survive_writing_and_reading);
	tcase_add_test(t, wiping_leaves_no_key);
	suite_add_tcase(s, t);
	return run_suite(s);
}
