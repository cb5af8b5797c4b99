/* Messages of the kernel backend: the attributes of requests and answers are
 * one set, so what is written can be read. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "lib/run.h"
#include "media/kernel_msg.h"

static uint8_t buf[KERNEL_MSG_MAX];

static struct flow some_flow(enum suite suite)
{
	struct flow f = {.id = 7, .peer_id = 8, .call = 9};

	f.local = (struct addr){ADDR_V4, {192, 0, 2, 1}, 30000};
	f.remote = (struct addr){ADDR_V4, {192, 0, 2, 2}, 4000};
	f.latch = FLOW_LATCH_NAT;
	f.is_blocked = true;
	f.in.suite = f.out.suite = suite;
	memset(f.in.key, 1, sizeof(f.in.key));
	memset(f.out.salt, 2, sizeof(f.out.salt));
	return f;
}

START_TEST(a_flow_says_who_and_where_it_is)
{
	struct flow f = some_flow((enum suite)_i);
	struct kernel_flow_options o = {.dscp = 46};
	struct nlmsghdr *h = kernel_msg_add(buf, 33, 0x10001, &f, &o);
	struct kernel_answer a;

	ck_assert_uint_eq(h->nlmsg_type, 33);
	ck_assert_int_eq(kernel_msg_read(h, &a), 0);
	ck_assert_uint_eq(a.owner, 0x10001);
	ck_assert_uint_eq(a.id, 7);
	ck_assert(addr_eq(&a.local, &f.local));
	ck_assert_uint_eq(a.in.count, 0);
}
END_TEST

START_TEST(a_key_has_the_lengths_of_its_suite)
{
	struct flow f = some_flow((enum suite)_i);
	struct kernel_flow_options o = {0};
	struct flow plain = f;
	uint32_t with, without;
	const struct suite_info *s = suite_info((enum suite)_i);

	with = kernel_msg_add(buf, 33, 1, &f, &o)->nlmsg_len;
	plain.in.suite = SUITE_NONE;
	without = kernel_msg_add(buf, 33, 1, &plain, &o)->nlmsg_len;
	/* nest, suite, key, salt, each with a header and padded */
	ck_assert_uint_eq(with - without,
			  4 + 8 + 4 + (s->key_len + 3u) / 4 * 4 + 4 +
				  (s->salt_len + 3u) / 4 * 4);
}
END_TEST

START_TEST(streams_go_on_behind_what_was_used)
{
	struct flow f = some_flow(SUITE_AES_CM_128_HMAC_SHA1_80);
	struct media_state s = {.in.count = RTP_SSRC_MAX,
				.out.count = RTP_SSRC_MAX};
	struct kernel_flow_options o = {.state = &s};
	struct kernel_answer a;

	for (uint32_t i = 0; i < RTP_SSRC_MAX; i++) {
		s.in.mark[i] = (struct rtp_mark){i, i * 2, i * 3ull << 32};
		s.out.mark[i] = s.in.mark[i];
	}
	ck_assert_int_eq(
		kernel_msg_read(kernel_msg_add(buf, 33, 1, &f, &o), &a), 0);
	ck_assert_uint_eq(a.in.count, RTP_SSRC_MAX);
	ck_assert_uint_eq(a.out.count, RTP_SSRC_MAX);
	for (uint32_t i = 0; i < RTP_SSRC_MAX; i++) {
		ck_assert_uint_eq(a.in.mark[i].ssrc, i);
		ck_assert_uint_eq(a.in.mark[i].rtp, i * 3ull << 32);
		ck_assert_uint_eq(a.in.mark[i].rtcp, i * 2);
		ck_assert_uint_eq(a.out.mark[i].rtp, i * 3ull << 32);
		ck_assert_uint_eq(a.out.mark[i].rtcp, i * 2 + MEDIA_RTCP_SKIP);
	}
}
END_TEST

START_TEST(who_was_proven_goes_along)
{
	struct flow f = some_flow(SUITE_AES_CM_128_HMAC_SHA1_80);
	struct media_state s = {.proven = {{ADDR_V4, {192, 0, 2, 9}, 4444}}};
	struct kernel_flow_options o = {.state = &s};
	struct kernel_answer a;

	ck_assert_int_eq(
		kernel_msg_read(kernel_msg_add(buf, 33, 1, &f, &o), &a), 0);
	ck_assert(addr_eq(&a.latched[0], &s.proven[0]));
	ck_assert_uint_eq(a.latched[1].family, ADDR_NONE);
}
END_TEST

START_TEST(an_answer_cut_anywhere_does_no_harm)
{
	struct flow f = some_flow(SUITE_AEAD_AES_256_GCM);
	struct media_state s = {.in.count = 3, .out.count = 3};
	struct kernel_flow_options o = {.state = &s};
	uint32_t len = kernel_msg_add(buf, 33, 1, &f, &o)->nlmsg_len;
	struct kernel_answer a;

	for (uint32_t n = sizeof(struct nlmsghdr); n < len; n++) {
		/* Memory of just that size, for the sanitizer, and the
		 * padding that every message has. */
		struct nlmsghdr *h = calloc(1, (n + 3) / 4 * 4);

		ck_assert_ptr_nonnull(h);
		memcpy(h, buf, n);
		h->nlmsg_len = n;
		if (kernel_msg_read(h, &a) == 0)
			ck_assert_uint_le(a.in.count, 3);
		free(h);
	}
}
END_TEST

START_TEST(a_message_without_a_header_is_none)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct kernel_answer a;

	ck_assert_int_eq(kernel_msg_read(h, &a), ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("messages");
	int n = SUITE_COUNT;

	tcase_add_loop_test(t, a_flow_says_who_and_where_it_is, 0, n);
	tcase_add_loop_test(t, a_key_has_the_lengths_of_its_suite, 1, n);
	tcase_add_test(t, streams_go_on_behind_what_was_used);
	tcase_add_test(t, who_was_proven_goes_along);
	tcase_add_test(t, an_answer_cut_anywhere_does_no_harm);
	tcase_add_test(t, a_message_without_a_header_is_none);
	return run_case("kernel_msg", t);
}
