/* Printing session descriptions with substitution: body in, body out. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sdp/sdp.h"

enum { PORT = 30000 };

/* Our addresses: session 203.0.113.1, id 7, version 9. */
static void print(const char *in, const struct sdp_edit *e, const char *want)
{
	struct sdp *s = calloc(1, sizeof(*s));
	char *out = calloc(1, SDP_PRINT_MAX + 1);
	struct writer w;

	ck_assert_int_eq(sdp_parse(slice_str(in), s), 0);
	writer_init(&w, out, SDP_PRINT_MAX);
	sdp_print(&w, s, e);
	ck_assert(writer_ok(&w));
	ck_assert_str_eq(out, want);
	free(out);
	free(s);
}

static struct addr ip(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse_ip(slice_str(text), &a), 0);
	return a;
}

static struct sdp_edit edit(void)
{
	struct sdp_edit e = {
		.sess_id = 7, .sess_version = 9, .addr = ip("203.0.113.1")};

	for (size_t i = 0; i < SDP_MEDIA_MAX; i++) {
		e.media[i].port = (uint16_t)(PORT + 2 * i);
		e.media[i].addr = e.addr;
	}
	return e;
}

#define IN_HEAD                                            \
	"v=0\r\no=alice 11 22 IN IP4 192.0.2.1\r\ns=x\r\n" \
	"c=IN IP4 192.0.2.1\r\nt=0 0\r\n"
#define OUT_HEAD                                       \
	"v=0\r\no=- 7 9 IN IP4 203.0.113.1\r\ns=x\r\n" \
	"c=IN IP4 203.0.113.1\r\nt=0 0\r\n"
#define KEY "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

static const struct {
	const char *what;
	const char *in;
	const char *out;
} rows[] = {
	{"address, port and session identity change, the rest stays",
	 IN_HEAD "a=tool:x  y \r\nm=audio 4000 RTP/AVP 0 101\r\n"
		 "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15 \r\n",
	 OUT_HEAD "a=tool:x  y \r\nm=audio 30000 RTP/AVP 0 101\r\n"
		  "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15 \r\n"},
	{"lines that end with LF alone get CRLF",
	 "v=0\no=a 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
	 "m=audio 4000 RTP/AVP 0",
	 "v=0\r\no=- 7 9 IN IP4 203.0.113.1\r\ns=-\r\n"
	 "c=IN IP4 203.0.113.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n"},
	{"a session without c= gets one at its place",
	 "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\ns=-\r\nb=AS:64\r\nt=0 0\r\n"
	 "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\na=ptime:20\r\n",
	 "v=0\r\no=- 7 9 IN IP4 203.0.113.1\r\ns=-\r\n"
	 "c=IN IP4 203.0.113.1\r\nb=AS:64\r\nt=0 0\r\n"
	 "m=audio 30000 RTP/AVP 0\r\na=ptime:20\r\n"},
	{"a session of few lines gets c= at its end",
	 "v=0\r\no=a 1 2 IN IP4 192.0.2.1\r\ns=-\r\n",
	 "v=0\r\no=- 7 9 IN IP4 203.0.113.1\r\ns=-\r\n"
	 "c=IN IP4 203.0.113.1\r\n"},
	{"ICE goes (RFC 8839)",
	 IN_HEAD "a=ice-lite\r\na=ice-options:trickle\r\n"
		 "m=audio 4000 RTP/AVP 0\r\na=ice-ufrag:8hhY\r\n"
		 "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
		 "a=candidate:1 1 UDP 2130706431 192.0.2.9 8998 typ host\r\n"
		 "a=remote-candidates:1 192.0.2.3 45664\r\n"
		 "a=end-of-candidates\r\na=ptime:20\r\n",
	 OUT_HEAD "m=audio 30000 RTP/AVP 0\r\na=ptime:20\r\n"},
	{"RTCP on other ports goes, feedback stays",
	 IN_HEAD "m=audio 4000 RTP/AVP 0\r\na=rtcp:5000 IN IP4 192.0.2.7\r\n"
		 "a=rtcp-mux\r\na=rtcp-mux-only\r\na=rtcp-rsize\r\n"
		 "a=rtcp-fb:0 nack\r\na=rtcp-xr:voip-metrics\r\n",
	 OUT_HEAD "m=audio 30000 RTP/AVP 0\r\na=rtcp-fb:0 nack\r\n"
		  "a=rtcp-xr:voip-metrics\r\n"},
	{"keys of every scheme go",
	 IN_HEAD "k=clear:geheim\r\na=fingerprint:sha-1 4A:AD\r\n"
		 "a=key-mgmt:mikey AQAF\r\na=crypto:1 X inline:y\r\n"
		 "m=audio 4000 RTP/AVP 0\r\nk=prompt\r\na=setup:actpass\r\n"
		 "a=connection:new\r\na=tls-id:abc\r\n"
		 "a=zrtp-hash:1.10 fe30\r\n"
		 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n"
		 "a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n"
		 "a=tcap:1 RTP/SAVP\r\na=pcfg:1 t=1 a=1\r\n",
	 OUT_HEAD "m=audio 30000 RTP/AVP 0\r\n"},
	{"bundles and alternative addresses go, other groups stay",
	 IN_HEAD "a=group:BUNDLE 0 1\r\na=group:LS 0 1\r\n"
		 "a=group:ANAT 0 1\r\n"
		 "m=audio 4000 RTP/AVP 0\r\na=mid:0\r\na=bundle-only\r\n"
		 "a=alt:1 1 : A 192.0.2.8 9000\r\n"
		 "a=source-filter: incl IN IP4 * 192.0.2.1\r\n"
		 "a=X-nat:0\r\na=ssrc:1 cname:x\r\n",
	 OUT_HEAD "a=group:LS 0 1\r\nm=audio 30000 RTP/AVP 0\r\na=mid:0\r\n"
		  "a=ssrc:1 cname:x\r\n"},
	{"names in other case do not slip through",
	 IN_HEAD "m=audio 4000 RTP/AVP 0\r\na=Candidate:1 1\r\n"
		 "a=ICE-UFRAG:x\r\na=CRYPTO:1 x\r\na=Rtcp:1\r\n",
	 OUT_HEAD "m=audio 30000 RTP/AVP 0\r\n"},
	{"the number of ports is one", IN_HEAD "m=audio 4000/2 RTP/AVP 0\r\n",
	 OUT_HEAD "m=audio 30000 RTP/AVP 0\r\n"},
	{"several streams each get their port",
	 IN_HEAD "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"
		 "m=video 4002 RTP/AVP 34\r\nb=AS:384\r\n",
	 OUT_HEAD "m=audio 30000 RTP/AVP 0\r\na=sendonly\r\n"
		  "m=video 30002 RTP/AVP 34\r\nb=AS:384\r\n"},
};

START_TEST(a_body_is_rewritten_as_its_row_says)
{
	struct sdp_edit e = edit();

	print(rows[_i].in, &e, rows[_i].out);
}
END_TEST

START_TEST(a_rejected_stream_has_port_zero_and_no_key)
{
	struct sdp_edit e = edit();

	e.media[1].port = 0;
	e.media[1].addr = ip("203.0.113.2");
	e.media[1].rtcp_port = 5;
	e.media[1].keep_crypto = true;
	print(IN_HEAD "m=audio 4000 RTP/AVP 0\r\nm=image 4002 udptl t38\r\n"
		      "c=IN IP4 192.0.2.1\r\na=crypto:1 x\r\n"
		      "a=T38FaxVersion:0\r\n",
	      &e,
	      OUT_HEAD "m=audio 30000 RTP/AVP 0\r\nm=image 0 udptl t38\r\n"
		       "a=T38FaxVersion:0\r\n");
}
END_TEST

START_TEST(a_section_gets_its_own_address_and_rtcp_port)
{
	struct sdp_edit e = edit();

	e.media[0].addr = ip("2001:db8::5");
	e.media[0].rtcp_port = PORT + 1;
	e.media[1].addr = ip("203.0.113.2");
	e.media[1].rtcp_port = 40001;
	print(IN_HEAD "m=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\n"
		      "i=two\r\nc=IN IP4 192.0.2.3\r\nb=AS:64\r\n"
		      "a=ptime:20\r\n",
	      &e,
	      OUT_HEAD "m=audio 30000 RTP/AVP 0\r\nc=IN IP6 2001:db8::5\r\n"
		       "m=audio 30002 RTP/AVP 0\r\ni=two\r\n"
		       "c=IN IP4 203.0.113.2\r\nb=AS:64\r\na=rtcp:40001\r\n"
		       "a=ptime:20\r\n");
}
END_TEST

START_TEST(hold_with_the_zero_address_can_be_written)
{
	struct sdp_edit e = edit();

	e.media[0].addr = ip("0.0.0.0");
	print(IN_HEAD "m=audio 4000 RTP/AVP 0\r\n", &e,
	      OUT_HEAD "m=audio 30000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
}
END_TEST

START_TEST(profile_direction_and_keys_are_replaced)
{
	struct sdp_edit e = edit();
	struct crypto_line c[2];

	ck_assert_int_eq(
		crypto_parse(slice_str("1 AES_CM_128_HMAC_SHA1_80 " KEY),
			     &c[0]),
		0);
	c[1] = c[0];
	c[1].tag = 2;
	c[1].key.suite = SUITE_AES_CM_128_HMAC_SHA1_32;
	e.media[0].proto = SDP_PROTO_RTP_SAVP;
	e.media[0].crypto = c;
	e.media[0].crypto_count = 2;
	e.media[0].set_dir = true;
	e.media[0].dir = SDP_INACTIVE;
	print(IN_HEAD "a=sendrecv\r\nm=audio 4000 RTP/AVP 0\r\n"
		      "a=rtpmap:0 PCMU/8000\r\na=sendonly\r\n"
		      "a=crypto:9 theirs\r\n",
	      &e,
	      OUT_HEAD "a=sendrecv\r\nm=audio 30000 RTP/SAVP 0\r\n"
		       "a=inactive\r\n"
		       "a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY "\r\n"
		       "a=crypto:2 AES_CM_128_HMAC_SHA1_32 " KEY "\r\n"
		       "a=rtpmap:0 PCMU/8000\r\n");
}
END_TEST

START_TEST(keys_are_kept_when_asked)
{
	struct sdp_edit e = edit();

	e.media[0].keep_crypto = true;
	print(IN_HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:9 theirs\r\n", &e,
	      OUT_HEAD "m=audio 30000 RTP/SAVP 0\r\na=crypto:9 theirs\r\n");
}
END_TEST

/* The largest body, all of it lines that grow, with every addition. */
START_TEST(the_largest_body_fits_its_buffer)
{
	struct sdp_edit e = edit();
	struct sdp *s = calloc(1, sizeof(*s));
	char *in = calloc(1, SDP_MAX + 1);
	char *out = malloc(SDP_PRINT_MAX);
	struct crypto_line c[SUITE_COUNT];
	struct writer w;
	size_t n;

	for (size_t i = 0; i < SUITE_COUNT; i++)
		c[i] = (struct crypto_line){
			.tag = CRYPTO_TAG_MAX,
			.lifetime = UINT64_MAX,
			.key = {.suite = SUITE_AES_256_CM_HMAC_SHA1_80,
				.mki = {255, 255, 255, 255},
				.mki_len = 4}};
	e.sess_id = e.sess_version = UINT64_MAX;
	e.addr = ip("2001:db8:1111:2222:3333:4444:5555:6666");
	for (size_t i = 0; i < SDP_MEDIA_MAX; i++)
		e.media[i] = (struct sdp_media_edit){
			.port = 65534,
			.rtcp_port = 65533,
			.addr = ip("2001:db8:1111:2222:3333:4444:5555:7777"),
			.proto = SDP_PROTO_RTP_SAVPF,
			.crypto = c,
			.crypto_count = SUITE_COUNT,
			.set_dir = true,
		};
	n = (size_t)sprintf(in, "v=0\no=- 1 2 IN IP4 1.1.1.1\n");
	for (size_t i = 0; i < SDP_MEDIA_MAX; i++)
		n += (size_t)sprintf(in + n, "m=audio 1 x 0\n");
	for (size_t i = 2 + SDP_MEDIA_MAX; i < SDP_LINES_MAX - 1; i++)
		n += (size_t)sprintf(in + n, "a=x\n");
	n += (size_t)sprintf(in + n, "a=");
	memset(in + n, 'y', SDP_MAX - n);
	ck_assert_int_eq(sdp_parse(slice_make(in, SDP_MAX), s), 0);
	writer_init(&w, out, SDP_PRINT_MAX);
	sdp_print(&w, s, &e);
	ck_assert(writer_ok(&w));
	free(in);
	free(out);
	free(s);
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_noticed)
{
	static const char body[] = IN_HEAD "m=audio 4000 RTP/AVP 0\r\n";
	struct sdp_edit e = edit();
	struct sdp *s = calloc(1, sizeof(*s));
	char out[sizeof(body) + 16];
	struct writer w;
	size_t full;

	ck_assert_int_eq(sdp_parse(slice_str(body), s), 0);
	writer_init(&w, out, sizeof(out));
	sdp_print(&w, s, &e);
	full = w.len;
	ck_assert(writer_ok(&w));
	for (size_t n = 0; n < full; n++) {
		writer_init(&w, out, n);
		sdp_print(&w, s, &e);
		ck_assert(!writer_ok(&w));
	}
	free(s);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("printing");

	tcase_add_loop_test(tc, a_body_is_rewritten_as_its_row_says, 0,
			    ROWS(rows));
	tcase_add_test(tc, a_rejected_stream_has_port_zero_and_no_key);
	tcase_add_test(tc, a_section_gets_its_own_address_and_rtcp_port);
	tcase_add_test(tc, hold_with_the_zero_address_can_be_written);
	tcase_add_test(tc, profile_direction_and_keys_are_replaced);
	tcase_add_test(tc, keys_are_kept_when_asked);
	tcase_add_test(tc, the_largest_body_fits_its_buffer);
	tcase_add_test(tc, a_buffer_that_is_too_small_is_noticed);
	return run_case("sdp/edit", tc);
}
