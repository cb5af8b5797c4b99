/* Headers, the demultiplexer, packet indices and replay windows. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "rtp/rtp.h"
#include "rtp/window.h"

static const struct {
	uint8_t first, second;
	enum rtp_kind kind;
} kinds[] = {
	{0, 1, RTP_KIND_STUN},	    {3, 1, RTP_KIND_STUN},
	{4, 0, RTP_KIND_OTHER},	    {20, 254, RTP_KIND_DTLS},
	{63, 254, RTP_KIND_DTLS},   {64, 0, RTP_KIND_OTHER},
	{0x80, 0, RTP_KIND_RTP},    {0x80, 191, RTP_KIND_RTP},
	{0x80, 192, RTP_KIND_RTCP}, {0x81, 200, RTP_KIND_RTCP},
	{0x80, 223, RTP_KIND_RTCP}, {0x80, 224, RTP_KIND_RTP},
	{0xbf, 0x88, RTP_KIND_RTP}, {0xc0, 0, RTP_KIND_OTHER},
};

START_TEST(the_first_two_bytes_tell_the_kind)
{
	uint8_t b[2] = {kinds[_i].first, kinds[_i].second};

	ck_assert_int_eq(rtp_kind(slice_make(b, 2)), kinds[_i].kind);
	ck_assert_int_eq(rtp_kind(slice_make(b, 1)), RTP_KIND_OTHER);
}
END_TEST

/* Two CSRCs, an extension of one word, marker, payload type 111. */
static const uint8_t packet[] = {0x92, 0xef, 0x12, 0x34, 1, 2, 3, 4, 5,	  6,
				 7,    8,    9,	   9,	 9, 9, 8, 8, 8,	  8,
				 0xbe, 0xde, 0,	   1,	 1, 2, 3, 4, 0x55};

START_TEST(a_header_ends_where_its_lists_end)
{
	struct rtp_hdr h;

	ck_assert_int_eq(rtp_parse(slice_make(packet, sizeof(packet)), &h), 0);
	ck_assert_uint_eq(h.header_len, 28);
	ck_assert_uint_eq(h.pt, 111);
	ck_assert(h.marker);
	ck_assert_uint_eq(h.seq, 0x1234);
	ck_assert_uint_eq(h.timestamp, 0x01020304);
	ck_assert_uint_eq(h.ssrc, 0x05060708);
}
END_TEST

START_TEST(a_header_that_is_cut_is_refused)
{
	struct rtp_hdr h;

	for (size_t len = 0; len < 28; len++)
		ck_assert_int_eq(rtp_parse(slice_make(packet, len), &h),
				 ERR_BAD);
}
END_TEST

START_TEST(another_version_is_refused)
{
	uint8_t b[12] = {0x40};
	struct rtp_hdr h;
	uint32_t ssrc;

	ck_assert_int_eq(rtp_parse(slice_make(b, 12), &h), ERR_BAD);
	ck_assert_int_eq(rtcp_parse(slice_make(b, 12), &ssrc), ERR_BAD);
	ck_assert_int_eq(rtcp_check(slice_make(b, 12)), ERR_BAD);
}
END_TEST

START_TEST(a_compound_packet_chains_to_its_end)
{
	uint8_t b[16] = {0x80, 201, 0, 1, 1, 2, 3, 4,
			 0x81, 202, 0, 1, 1, 2, 3, 4};

	ck_assert_int_eq(rtcp_check(slice_make(b, 16)), 0);
	ck_assert_int_eq(rtcp_check(slice_make(b, 15)), ERR_BAD);
	ck_assert_int_eq(rtcp_check(slice_make(b, 8)), 0);
	ck_assert_int_eq(rtcp_check(slice_make(b, 4)), ERR_BAD);
	b[11] = 2;
	ck_assert_int_eq(rtcp_check(slice_make(b, 16)), ERR_BAD);
}
END_TEST

/* RFC 3711 section 3.3.1 and appendix A: highest index so far, sequence
 * number, index it must be taken for. */
static const struct {
	uint64_t top;
	uint16_t seq;
	uint64_t want;
} guesses[] = {
	{5, 6, 6},
	{5, 4, 4},
	{65535, 0, 65536},
	{65535, 32766, 65536 + 32766},
	{65535, 32768, 32768},
	{65536, 65535, 65535},
	{65536 + 100, 65500, 65500},
	{65536 + 100, 32868, 65536 + 32868},
	{65536 + 100, 32869, 32869},
	{65536 + 40000, 7231, 131072 + 7231},
	{65536 + 40000, 7232, 65536 + 7232},
	{100, 60000, 60000}, /* no roll-over counter of -1 */
	{0xffffffffffff, 0, 0x1000000000000},
};

START_TEST(an_index_is_guessed_as_in_appendix_a)
{
	struct window w = {0};

	window_commit(&w, guesses[_i].top);
	ck_assert_uint_eq(window_guess(&w, guesses[_i].seq), guesses[_i].want);
}
END_TEST

START_TEST(a_window_remembers_what_it_saw)
{
	struct window w = {0};

	ck_assert_uint_eq(window_guess(&w, 65530), 65530);
	for (uint64_t i = 65530; i < 65540; i += 2) {
		ck_assert_int_eq(window_test(&w, i), 0);
		window_commit(&w, i);
	}
	for (uint64_t i = 65530; i < 65540; i++)
		ck_assert_int_eq(window_test(&w, i), i % 2 ? 0 : ERR_REPLAY);
}
END_TEST

START_TEST(the_window_ends_at_its_last_bit)
{
	struct window w = {0};

	window_commit(&w, 10000);
	ck_assert_int_eq(window_test(&w, 10000 - WINDOW_BITS + 1), 0);
	ck_assert_int_eq(window_test(&w, 10000 - WINDOW_BITS), ERR_REPLAY);
	window_commit(&w, 10000 - WINDOW_BITS + 1);
	ck_assert_int_eq(window_test(&w, 10000 - WINDOW_BITS + 1), ERR_REPLAY);
	ck_assert_uint_eq(w.top, 10000);
}
END_TEST

START_TEST(a_gap_clears_what_it_passes_over)
{
	static const uint64_t gaps[] = {1, 63, 64, 65, 1023, 1024, 1025, 70000};
	struct window w = {0};

	for (uint64_t i = 0; i < 2000; i++)
		window_commit(&w, i);
	window_commit(&w, 1999 + gaps[_i]);
	for (uint64_t i = 2000; i < 1999 + gaps[_i]; i++) {
		if (1999 + gaps[_i] - i < WINDOW_BITS)
			ck_assert_int_eq(window_test(&w, i), 0);
	}
	ck_assert_int_eq(window_test(&w, 1999), ERR_REPLAY);
	ck_assert_int_eq(window_test(&w, 1999 + gaps[_i]), ERR_REPLAY);
	ck_assert_int_eq(window_test(&w, 2000 + gaps[_i]), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rtp");
	TCase *t = tcase_create("headers");

	tcase_add_loop_test(t, the_first_two_bytes_tell_the_kind, 0, 14);
	tcase_add_test(t, a_header_ends_where_its_lists_end);
	tcase_add_test(t, a_header_that_is_cut_is_refused);
	tcase_add_test(t, another_version_is_refused);
	tcase_add_test(t, a_compound_packet_chains_to_its_end);
	suite_add_tcase(s, t);
	t = tcase_create("window");
	tcase_add_loop_test(t, an_index_is_guessed_as_in_appendix_a, 0,
			    sizeof(guesses) / sizeof(guesses[0]));
	tcase_add_test(t, a_window_remembers_what_it_saw);
	tcase_add_test(t, the_window_ends_at_its_last_bit);
	tcase_add_loop_test(t, a_gap_clears_what_it_passes_over, 0, 8);
	suite_add_tcase(s, t);
	return run_suite(s);
}
