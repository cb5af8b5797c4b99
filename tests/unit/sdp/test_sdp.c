/* Reading session descriptions: RFC 8866, RFC 3605, RFC 3264. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sdp/sdp.h"

static struct sdp *parse(const char *text)
{
	struct sdp *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(sdp_parse(slice_str(text), s), 0);
	return s;
}

static void assert_slice(struct slice s, const char *want)
{
	ck_assert_msg(slice_eqs(s, want), "is '%.*s', should be '%s'",
		      SLICE_FMT(s), want);
}

static void assert_addr(const struct addr *a, const char *want)
{
	char buf[ADDR_STR_MAX];

	ck_assert_str_eq(addr_str(a, buf), want);
}

/* RFC 8866 section 5, shortened. */
START_TEST(the_rfc_example_is_read)
{
	struct sdp *s = parse("v=0\r\n"
			      "o=jdoe 3724394400 3724394405 IN IP4 "
			      "198.51.100.1\r\n"
			      "s=Call to John Smith\r\n"
			      "i=SDP Offer #1\r\n"
			      "u=http://www.jdoe.example.com/home.html\r\n"
			      "e=Jane Doe <jane@jdoe.example.com>\r\n"
			      "p=+1 617 555-6011\r\n"
			      "c=IN IP4 198.51.100.1\r\n"
			      "t=0 0\r\n"
			      "m=audio 49170 RTP/AVP 0\r\n"
			      "m=audio 49180 RTP/AVP 0\r\n"
			      "m=video 51372 RTP/AVP 99\r\n"
			      "c=IN IP6 2001:db8::2\r\n"
			      "a=rtpmap:99 h263-1998/90000\r\n");

	assert_slice(s->origin_user, "jdoe");
	assert_slice(s->sess_id, "3724394400");
	assert_slice(s->sess_version, "3724394405");
	ck_assert_uint_eq(s->media_count, 3);
	assert_slice(s->media[0].type, "audio");
	assert_slice(s->media[0].codec, "PCMU/8000");
	assert_addr(&s->media[0].addr, "198.51.100.1:49170");
	assert_addr(&s->media[1].rtcp, "198.51.100.1:49181");
	assert_addr(&s->media[2].addr, "[2001:db8::2]:51372");
	assert_slice(s->media[2].codec, "h263-1998/90000");
	assert_slice(s->media[2].text, "m=video 51372 RTP/AVP 99\r\n"
				       "c=IN IP6 2001:db8::2\r\n"
				       "a=rtpmap:99 h263-1998/90000");
	free(s);
}
END_TEST

#define HEAD "v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"

static const struct {
	const char *body;
	const char *proto;
	enum sdp_proto kind;
	const char *codec;
	const char *addr;
	const char *rtcp;
	enum sdp_dir dir;
} media_rows[] = {
	{HEAD "m=audio 4000 RTP/AVP 8 0", "RTP/AVP", SDP_PROTO_RTP_AVP,
	 "PCMA/8000", "192.0.2.1:4000", "192.0.2.1:4001", SDP_SENDRECV},
	{HEAD "a=sendonly\nm=audio 4000 RTP/SAVP 9\n", "RTP/SAVP",
	 SDP_PROTO_RTP_SAVP, "G722/8000", "192.0.2.1:4000", "192.0.2.1:4001",
	 SDP_SENDONLY},
	{HEAD "a=sendonly\nm=audio 4000 RTP/AVPF 96\na=inactive\n"
	      "a=rtpmap:97 x/1\na=rtpmap:96 opus/48000/2\n",
	 "RTP/AVPF", SDP_PROTO_RTP_AVPF, "opus/48000/2", "192.0.2.1:4000",
	 "192.0.2.1:4001", SDP_INACTIVE},
	{HEAD "m=audio 4000 RTP/SAVPF 96\na=rtcp:5000\na=recvonly\n",
	 "RTP/SAVPF", SDP_PROTO_RTP_SAVPF, "", "192.0.2.1:4000",
	 "192.0.2.1:5000", SDP_RECVONLY},
	{HEAD "m=audio 4000 RTP/AVP 0\na=rtcp:53020 IN IP4 198.51.100.9\n"
	      "c=IN IP4 0.0.0.0\n",
	 "RTP/AVP", SDP_PROTO_RTP_AVP, "PCMU/8000", "0.0.0.0:4000",
	 "198.51.100.9:53020", SDP_SENDRECV},
	{HEAD "m=audio 4000 RTP/AVP 0\na=rtcp:0\nc=IN IP4 phone.example.com",
	 "RTP/AVP", SDP_PROTO_RTP_AVP, "PCMU/8000", "-:4000", "-:4001",
	 SDP_SENDRECV},
	{HEAD "m=audio 4000 RTP/AVP 0\nc=IN IP4 233.252.0.1/127/3\n"
	      "c=IN IP4 233.252.0.4/127\n",
	 "RTP/AVP", SDP_PROTO_RTP_AVP, "PCMU/8000", "233.252.0.1:4000",
	 "233.252.0.1:4001", SDP_SENDRECV},
	{HEAD "m=image 4000 udptl t38\n", "udptl", SDP_PROTO_OTHER, "",
	 "192.0.2.1:4000", "192.0.2.1:4001", SDP_SENDRECV},
};

START_TEST(a_media_section_means_what_its_row_says)
{
	struct sdp *s = parse(media_rows[_i].body);
	const struct sdp_media *m = &s->media[0];

	ck_assert_uint_eq(s->media_count, 1);
	assert_slice(m->proto_text, media_rows[_i].proto);
	ck_assert_int_eq(m->proto, media_rows[_i].kind);
	assert_slice(m->codec, media_rows[_i].codec);
	assert_addr(&m->addr, media_rows[_i].addr);
	assert_addr(&m->rtcp, media_rows[_i].rtcp);
	ck_assert_int_eq(m->dir, media_rows[_i].dir);
	free(s);
}
END_TEST

static const struct {
	const char *what;
	const char *body;
	int err;
} bad_rows[] = {
	{"empty", "", ERR_BAD},
	{"only blank lines", "\r\n\r\n", ERR_BAD},
	{"no version", "o=- 1 2 IN IP4 192.0.2.1\ns=-\n", ERR_BAD},
	{"version 1", "v=1\no=- 1 2 IN IP4 192.0.2.1\n", ERR_BAD},
	{"no origin", "v=0\ns=-\nt=0 0\n", ERR_BAD},
	{"short origin", "v=0\no=- 1 2 IN IP4\n", ERR_BAD},
	{"long origin", "v=0\no=a b 1 2 IN IP4 192.0.2.1\n", ERR_BAD},
	{"two origins",
	 "v=0\no=- 1 2 IN IP4 192.0.2.1\no=- 1 2 IN IP4 192.0.2.1\n", ERR_BAD},
	{"leading blank line", "\nv=0\no=- 1 2 IN IP4 192.0.2.1\n", ERR_BAD},
	{"blank line inside", "v=0\n\no=- 1 2 IN IP4 192.0.2.1\n", ERR_BAD},
	{"not a line", HEAD "hello\n", ERR_BAD},
	{"capital letter", HEAD "A=x\n", ERR_BAD},
	{"blank before =", HEAD "a =x\n", ERR_BAD},
	{"control byte", HEAD "a=x\001y\n", ERR_BAD},
	{"bare CR", HEAD "a=x\ry\n", ERR_BAD},
	{"DEL", HEAD "a=x\177y\n", ERR_BAD},
	{"second session c=", HEAD "c=IN IP4 192.0.2.1\n", ERR_BAD},
	{"c= without address", HEAD "m=audio 1 RTP/AVP 0\nc=IN IP4\n", ERR_BAD},
	{"c= with too much", HEAD "m=audio 1 RTP/AVP 0\nc=IN IP4 1.2.3.4 5\n",
	 ERR_BAD},
	{"m= without format", HEAD "m=audio 4000 RTP/AVP\n", ERR_BAD},
	{"m= without type", HEAD "m= 4000 RTP/AVP 0\n", ERR_BAD},
	{"m= port too large", HEAD "m=audio 65536 RTP/AVP 0\n", ERR_BAD},
	{"m= port negative", HEAD "m=audio -1 RTP/AVP 0\n", ERR_BAD},
	{"m= port count 0", HEAD "m=audio 4000/0 RTP/AVP 0\n", ERR_BAD},
	{"m= port count text", HEAD "m=audio 4000/x RTP/AVP 0\n", ERR_BAD},
	{"m= type not a token", HEAD "m=au/dio 4000 RTP/AVP 0\n", ERR_BAD},
};

START_TEST(what_is_no_session_description_is_refused)
{
	struct sdp *s = calloc(1, sizeof(*s));

	ck_assert_msg(sdp_parse(slice_str(bad_rows[_i].body), s) ==
			      bad_rows[_i].err,
		      "%s", bad_rows[_i].what);
	free(s);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	static const char body[] = HEAD "a=x\0y\n";
	struct sdp *s = calloc(1, sizeof(*s));

	ck_assert_int_eq(sdp_parse(slice_make(body, sizeof(body) - 1), s),
			 ERR_BAD);
	free(s);
}
END_TEST

/* HEAD is five lines. */
static int parse_lines(size_t n, const char *line)
{
	char *text = calloc(1, SDP_MAX * 2);
	struct sdp *s = calloc(1, sizeof(*s));
	char *p = text + sprintf(text, HEAD);
	int err;

	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s\n", line);
	err = sdp_parse(slice_str(text), s);
	free(text);
	free(s);
	return err;
}

START_TEST(two_hundred_lines_are_read_and_one_more_is_not)
{
	ck_assert_int_eq(parse_lines(SDP_LINES_MAX - 5, "a=x"), 0);
	ck_assert_int_eq(parse_lines(SDP_LINES_MAX - 4, "a=x"), ERR_LIMIT);
}
END_TEST

START_TEST(sixteen_streams_are_read_and_one_more_is_not)
{
	ck_assert_int_eq(parse_lines(SDP_MEDIA_MAX, "m=audio 1 RTP/AVP 0"), 0);
	ck_assert_int_eq(parse_lines(SDP_MEDIA_MAX + 1, "m=audio 1 RTP/AVP 0"),
			 ERR_LIMIT);
}
END_TEST

START_TEST(eight_kilobytes_are_read_and_one_byte_more_is_not)
{
	char *text = malloc(SDP_MAX + 1);
	struct sdp *s = calloc(1, sizeof(*s));
	size_t n = (size_t)sprintf(text, HEAD "a=");

	memset(text + n, 'x', SDP_MAX + 1 - n);
	ck_assert_int_eq(sdp_parse(slice_make(text, SDP_MAX), s), 0);
	ck_assert_int_eq(sdp_parse(slice_make(text, SDP_MAX + 1), s),
			 ERR_LIMIT);
	free(text);
	free(s);
}
END_TEST

START_TEST(every_beginning_of_a_body_is_safe_to_read)
{
	static const char body[] =
		HEAD "m=audio 4000 RTP/SAVP 0 101\r\n"
		     "a=rtcp:53020 IN IP4 198.51.100.9\r\n"
		     "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
	struct sdp *s = calloc(1, sizeof(*s));

	for (size_t n = 0; n < sizeof(body); n++) {
		char *exact = malloc(n > 0 ? n : 1);

		memcpy(exact, body, n);
		(void)!sdp_parse(slice_make(exact, n), s);
		free(exact);
	}
	free(s);
}
END_TEST

START_TEST(crypto_lines_are_walked_in_order)
{
	struct sdp *s = parse(HEAD "a=crypto:0 session level is ignored\n"
				   "m=audio 4000 RTP/SAVP 0\n"
				   "a=crypto:1 one\na=ptime:20\n"
				   "a=crypto:2 two\n"
				   "m=audio 4002 RTP/SAVP 0\n"
				   "a=crypto:3 three\n");
	struct slice v;
	size_t pos = 0;

	ck_assert_uint_eq(s->media[0].crypto_count, 2);
	ck_assert(sdp_crypto_next(&s->media[0], &pos, &v));
	assert_slice(v, "1 one");
	ck_assert(sdp_crypto_next(&s->media[0], &pos, &v));
	assert_slice(v, "2 two");
	ck_assert(!sdp_crypto_next(&s->media[0], &pos, &v));
	ck_assert(!sdp_crypto_next(&s->media[0], &pos, &v));
	free(s);
}
END_TEST

START_TEST(an_attribute_is_found_with_and_without_value)
{
	struct sdp *s = parse(HEAD "m=audio 4000 RTP/AVP 0\na=ptime:20\n"
				   "a=rtcp-mux\n");
	struct slice v;

	ck_assert(s->media[0].has_rtcp_mux);
	ck_assert(sdp_media_attr(&s->media[0], "ptime", &v));
	assert_slice(v, "20");
	ck_assert(sdp_media_attr(&s->media[0], "rtcp-mux", &v));
	assert_slice(v, "");
	ck_assert(!sdp_media_attr(&s->media[0], "ptim", &v));
	free(s);
}
END_TEST

/* What a hold looks like: RFC 3264 section 8.4, and RFC 2543 appendix B.5. */
static const struct {
	const char *section;
	bool wants;
	bool sends;
} hold_rows[] = {
	{"m=audio 4000 RTP/AVP 0\n", true, true},
	{"m=audio 4000 RTP/AVP 0\na=sendonly\n", false, true},
	{"m=audio 4000 RTP/AVP 0\na=recvonly\n", true, false},
	{"m=audio 4000 RTP/AVP 0\na=inactive\n", false, false},
	{"m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", false, true},
	{"m=audio 4000 RTP/AVP 0\nc=IN IP6 ::\n", false, true},
	{"m=audio 0 RTP/AVP 0\n", false, false},
};

START_TEST(hold_is_recognised_in_all_its_forms)
{
	char text[512];
	struct sdp *s;

	snprintf(text, sizeof(text), "%s%s", HEAD, hold_rows[_i].section);
	s = parse(text);
	ck_assert_int_eq(sdp_wants_media(&s->media[0]), hold_rows[_i].wants);
	ck_assert_int_eq(sdp_sends_media(&s->media[0]), hold_rows[_i].sends);
	free(s);
}
END_TEST

START_TEST(profiles_gain_and_lose_srtp_and_keep_feedback)
{
	ck_assert_int_eq(sdp_proto_with(SDP_PROTO_RTP_AVP, true),
			 SDP_PROTO_RTP_SAVP);
	ck_assert_int_eq(sdp_proto_with(SDP_PROTO_RTP_SAVPF, false),
			 SDP_PROTO_RTP_AVPF);
	ck_assert_int_eq(sdp_proto_with(SDP_PROTO_RTP_SAVPF, true),
			 SDP_PROTO_RTP_SAVPF);
	ck_assert_int_eq(sdp_proto_with(SDP_PROTO_OTHER, true),
			 SDP_PROTO_OTHER);
	ck_assert_str_eq(sdp_proto_str(SDP_PROTO_RTP_SAVP), "RTP/SAVP");
	ck_assert_str_eq(sdp_proto_str(SDP_PROTO_OTHER), "");
	ck_assert(sdp_proto_is_secure(SDP_PROTO_RTP_SAVPF));
	ck_assert(!sdp_proto_is_secure(SDP_PROTO_RTP_AVPF));
}
END_TEST

START_TEST(directions_turn_around)
{
	ck_assert_int_eq(sdp_dir_reverse(SDP_SENDONLY), SDP_RECVONLY);
	ck_assert_int_eq(sdp_dir_reverse(SDP_RECVONLY), SDP_SENDONLY);
	ck_assert_int_eq(sdp_dir_reverse(SDP_SENDRECV), SDP_SENDRECV);
	ck_assert_int_eq(sdp_dir_reverse(SDP_INACTIVE), SDP_INACTIVE);
	ck_assert_str_eq(sdp_dir_str(SDP_INACTIVE), "inactive");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("reading");

	tcase_add_test(tc, the_rfc_example_is_read);
	tcase_add_loop_test(tc, a_media_section_means_what_its_row_says, 0,
			    ROWS(media_rows));
	tcase_add_loop_test(tc, what_is_no_session_description_is_refused, 0,
			    ROWS(bad_rows));
	tcase_add_test(tc, nul_bytes_are_refused);
	tcase_add_test(tc, two_hundred_lines_are_read_and_one_more_is_not);
	tcase_add_test(tc, sixteen_streams_are_read_and_one_more_is_not);
	tcase_add_test(tc, eight_kilobytes_are_read_and_one_byte_more_is_not);
	tcase_add_test(tc, every_beginning_of_a_body_is_safe_to_read);
	tcase_add_test(tc, crypto_lines_are_walked_in_order);
	tcase_add_test(tc, an_attribute_is_found_with_and_without_value);
	tcase_add_loop_test(tc, hold_is_recognised_in_all_its_forms, 0,
			    ROWS(hold_rows));
	tcase_add_test(tc, profiles_gain_and_lose_srtp_and_keep_feedback);
	tcase_add_test(tc, directions_turn_around);
	return run_case("sdp/sdp", tc);
}
