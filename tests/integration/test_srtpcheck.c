/*
 * srtpcheck proves nothing unless it can fail: captures are made here, good
 * ones and ones with a single fault, and its verdict is compared.
 */
#include <check.h>
#include <srtp2/srtp.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/b64.h"

enum fault {
	FAULT_NONE,
	FAULT_PLAIN,	 /* one packet outside is RTP */
	FAULT_KEY,	 /* streams name another key */
	FAULT_CLEAR,	 /* outside is authentic but not encrypted */
	FAULT_PAYLOAD,	 /* one inside payload has another byte */
	FAULT_INVENTED,	 /* one inside packet was never outside */
	FAULT_LOST,	 /* one packet went down that was not inside */
	FAULT_SILENT,	 /* nothing came down */
	FAULT_FOREIGN,	 /* UDP outside that is of no stream */
	FAULT_SIP,	 /* SIP outside without TLS */
	FAULT_RTCP,	 /* RTCP inside that was not SRTCP outside */
	FAULT_RTCP_DOWN, /* we send plain RTCP */
	NO_FAULT_STUN	 /* the phone asks by STUN; nobody answers */
};

/* Of a joined call. */
enum joined {
	JOINED_SAME,	       /* down is what came up */
	JOINED_OTHER_KEY,      /* the same under another key */
	JOINED_INSIDE,	       /* one packet was inside */
	JOINED_LATE,	       /* the first one was, and did not go down */
	JOINED_LEAK,	       /* the first one was, and went down as well */
	JOINED_INVENTED,       /* one went down that never came up */
	JOINED_ECHO,	       /* a phone hears itself */
	JOINED_SILENT,	       /* nothing came down */
	JOINED_REPORT,	       /* RTCP was inside, and did not go down */
	JOINED_REPORT_LEAK,    /* it was, and went down as well */
	JOINED_REPORT_INVENTED /* it was, and never came up */
};

enum {
	PACKETS = 20,
	PAYLOAD = 160,
	PHONE = 0x0a4d000b, /* 10.77.0.11 */
	OURS = 0x0a4d0001,  /* 10.77.0.1 */
	INSIDE = 0x0a4d0101 /* 10.77.1.1 */
};

static char dir[] = "/tmp/srtpcheck.XXXXXX";

static FILE *create(const char *name)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	return f;
}

static FILE *capture(const char *name)
{
	const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
	FILE *f = create(name);

	ck_assert_uint_eq(fwrite(head, sizeof(head), 1, f), 1);
	return f;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* Ethernet, IPv4 and UDP (17) or TCP (6) around len bytes at data. */
static void frame(FILE *f, uint8_t proto, uint32_t src, unsigned sport,
		  uint32_t dst, unsigned dport, const uint8_t *data, size_t len)
{
	uint8_t b[14 + 20 + 20 + 1024] = {0};
	size_t head = proto == 6 ? 20 : 8;
	uint32_t rec[4] = {0};

	put16(b + 12, 0x0800);
	b[14] = 0x45;
	put16(b + 16, (unsigned)(20 + head + len));
	b[23] = proto;
	put32(b + 26, src);
	put32(b + 30, dst);
	put16(b + 34, sport);
	put16(b + 36, dport);
	b[34 + 12] = 0x50; /* TCP: header of 20 bytes; UDP: overwritten */
	memcpy(b + 34 + head, data, len);
	rec[2] = rec[3] = (uint32_t)(34 + head + len);
	ck_assert_uint_eq(fwrite(rec, sizeof(rec), 1, f), 1);
	ck_assert_uint_eq(fwrite(b, rec[2], 1, f), 1);
}

static srtp_t context(const uint8_t *key, bool is_clear)
{
	srtp_policy_t p = {0};
	uint8_t copy[30];
	srtp_t s;

	memcpy(copy, key, sizeof(copy));
	if (is_clear)
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&p.rtp);
	else
		srtp_crypto_policy_set_rtp_default(&p.rtp);
	srtp_crypto_policy_set_rtcp_default(&p.rtcp);
	p.ssrc.type = ssrc_any_outbound;
	p.key = copy;
	ck_assert_int_eq(srtp_create(&s, &p), srtp_err_status_ok);
	return s;
}

static size_t rtp(uint8_t *p, unsigned seq, uint32_t ssrc)
{
	memset(p, 0, 12);
	p[0] = 0x80;
	put16(p + 2, seq);
	put32(p + 4, seq * PAYLOAD);
	put32(p + 8, ssrc);
	for (unsigned i = 0; i < PAYLOAD; i++)
		p[12 + i] = (uint8_t)(seq * 7 + i * i + ssrc);
	return 12 + PAYLOAD;
}

static void stream_line(FILE *f, bool is_up, const uint8_t *key, bool is_clear)
{
	uint8_t text[64];
	struct writer w;

	writer_init(&w, text, sizeof(text));
	b64_encode(&w, slice_make(key, 30));
	(void)fprintf(f, "a/1 %s %s %s %s %.*s\n", is_up ? "up" : "down",
		      is_up ? "10.77.0.11:20000" : "10.77.0.1:30000",
		      is_up ? "10.77.0.1:30000" : "10.77.0.11:20000",
		      is_clear ? "NULL_HMAC_SHA1_80"
			       : "AES_CM_128_HMAC_SHA1_80",
		      SLICE_FMT(writer_slice(&w)));
}

/* One end's packet outside: protected by s, or not. */
static void outside(FILE *out, srtp_t s, bool is_up, const uint8_t *clear,
		    size_t len, bool is_plain)
{
	uint8_t wire[1024];
	int wire_len = (int)len;

	memcpy(wire, clear, len);
	if (!is_plain)
		ck_assert_int_eq(srtp_protect(s, wire, &wire_len),
				 srtp_err_status_ok);
	frame(out, 17, is_up ? PHONE : OURS, is_up ? 20000 : 30000,
	      is_up ? OURS : PHONE, is_up ? 30000 : 20000, wire,
	      (size_t)wire_len);
}

/* One packet on its way: up from a phone, inside, down to the other. */
static void packet(FILE *out, FILE *in, const srtp_t s[2], unsigned seq,
		   enum fault fault)
{
	uint8_t clear[1024];
	size_t len = rtp(clear, seq, 1);

	if (seq != PACKETS / 2 && fault != FAULT_SILENT)
		fault = FAULT_NONE;
	if (fault != FAULT_INVENTED)
		outside(out, s[0], true, clear, len, fault == FAULT_PLAIN);
	if (fault != FAULT_SILENT)
		outside(out, s[1], false, clear, len, false);
	if (fault == FAULT_PAYLOAD)
		clear[100] ^= 1;
	if (fault != FAULT_LOST)
		frame(in, 17, INSIDE, 40000, INSIDE, 40002, clear, len);
}

static int verdict(enum fault fault, const char *mode)
{
	static const char *const names[] = {"streams", "out", "in"};
	static const uint8_t bye[8] = {0x81, 203, 0, 1, 1, 2, 3, 4};
	static const uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	uint8_t key[2][30], other[30];
	bool is_clear = fault == FAULT_CLEAR;
	FILE *out, *in, *streams;
	srtp_t s[2];
	char cmd[512];
	int ret;

	memset(key[0], 0x11, sizeof(key[0]));
	memset(key[1], 0x22, sizeof(key[1]));
	memset(other, 0x33, sizeof(other));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	streams = create("streams");
	stream_line(streams, true, fault == FAULT_KEY ? other : key[0],
		    is_clear);
	stream_line(streams, false, key[1], is_clear);
	(void)fclose(streams);
	out = capture("out");
	in = capture("in");
	s[0] = context(key[0], is_clear);
	s[1] = context(key[1], is_clear);
	for (unsigned seq = 0; seq < PACKETS; seq++)
		packet(out, in, s, seq, fault);
	if (fault == FAULT_FOREIGN)
		frame(out, 17, PHONE, 1234, OURS, 5678, (const uint8_t *)"x",
		      1);
	if (fault == FAULT_SIP)
		frame(out, 6, PHONE, 1234, OURS, 5060, (const uint8_t *)"x", 1);
	if (fault == FAULT_RTCP || fault == NO_FAULT_STUN)
		frame(out, 17, PHONE, 20001, OURS, 30001, bye, sizeof(bye));
	if (fault == FAULT_RTCP)
		frame(in, 17, INSIDE, 40001, INSIDE, 40003, bye, sizeof(bye));
	if (fault == FAULT_RTCP_DOWN)
		frame(out, 17, OURS, 30001, PHONE, 20001, bye, sizeof(bye));
	if (fault == NO_FAULT_STUN)
		frame(out, 17, PHONE, 20000, OURS, 30000, stun, sizeof(stun));
	(void)fclose(out);
	(void)fclose(in);
	ck_assert_int_eq(srtp_dealloc(s[0]), srtp_err_status_ok);
	ck_assert_int_eq(srtp_dealloc(s[1]), srtp_err_status_ok);
	(void)snprintf(cmd, sizeof(cmd),
		       "./integration/srtpcheck %s %s/streams 10.77.0.1 "
		       "%s/out %s/in",
		       mode, dir, dir, dir);
	ret = system(cmd);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(cmd, sizeof(cmd), "%s/%s", dir, names[i]);
		(void)unlink(cmd);
	}
	(void)rmdir(dir);
	return WIFEXITED(ret) ? WEXITSTATUS(ret) : -1;
}

static const struct {
	enum fault fault;
	int verdict;
} row[] = {
	{FAULT_NONE, 0},    {FAULT_PLAIN, 1},	{FAULT_KEY, 1},
	{FAULT_CLEAR, 1},   {FAULT_PAYLOAD, 1}, {FAULT_INVENTED, 1},
	{FAULT_LOST, 1},    {FAULT_SILENT, 1},	{FAULT_FOREIGN, 1},
	{FAULT_SIP, 1},	    {FAULT_RTCP, 1},	{FAULT_RTCP_DOWN, 1},
	{NO_FAULT_STUN, 0},
};

enum { OTHER_PHONE = 0x0a4d000c /* 10.77.0.12 */ };

static void joined_line(FILE *f, bool is_up, const uint8_t *key)
{
	uint8_t text[64];
	struct writer w;

	writer_init(&w, text, sizeof(text));
	b64_encode(&w, slice_make(key, 30));
	(void)fprintf(f, "%s AES_CM_128_HMAC_SHA1_80 %.*s\n",
		      is_up ? "a/1 up 10.77.0.11:20000 10.77.0.1:30000"
			    : "b/1 down 10.77.0.1:30004 10.77.0.12:20004",
		      SLICE_FMT(writer_slice(&w)));
}

static void joined_packet(FILE *out, FILE *in, const srtp_t s[2], unsigned seq,
			  enum joined how)
{
	uint8_t clear[1024], up[1024], down[1024];
	size_t len = rtp(clear, seq, 1);
	int up_len = (int)len, down_len = (int)len;
	bool is_one = seq == PACKETS / 2;

	memcpy(up, clear, len);
	ck_assert_int_eq(srtp_protect(s[0], up, &up_len), srtp_err_status_ok);
	memcpy(down, clear, len);
	ck_assert_int_eq(srtp_protect(s[1], down, &down_len),
			 srtp_err_status_ok);
	if (how != JOINED_INVENTED || !is_one)
		frame(out, 17, how == JOINED_ECHO ? OTHER_PHONE : PHONE, 20000,
		      OURS, 30000, up, (size_t)up_len);
	if (how != JOINED_SILENT && (how != JOINED_LATE || seq != 0))
		frame(out, 17, OURS, 30004, OTHER_PHONE, 20004, down,
		      (size_t)down_len);
	if ((how == JOINED_INSIDE && is_one) ||
	    ((how == JOINED_LATE || how == JOINED_LEAK) && seq == 0))
		frame(in, 17, INSIDE, 40000, INSIDE, 40002, clear, len);
}

/* A report from the one party, inside too. */
static void joined_report(FILE *out, FILE *in, const srtp_t s[2],
			  enum joined how)
{
	static const uint8_t bye[8] = {0x81, 203, 0, 1, 1, 2, 3, 4};
	uint8_t up[64], down[64];
	int up_len = sizeof(bye), down_len = sizeof(bye);

	memcpy(up, bye, sizeof(bye));
	memcpy(down, bye, sizeof(bye));
	ck_assert_int_eq(srtp_protect_rtcp(s[0], up, &up_len),
			 srtp_err_status_ok);
	ck_assert_int_eq(srtp_protect_rtcp(s[1], down, &down_len),
			 srtp_err_status_ok);
	if (how != JOINED_REPORT_INVENTED)
		frame(out, 17, PHONE, 20001, OURS, 30001, up, (size_t)up_len);
	if (how == JOINED_REPORT_LEAK)
		frame(out, 17, OURS, 30005, OTHER_PHONE, 20005, down,
		      (size_t)down_len);
	frame(in, 17, INSIDE, 40001, INSIDE, 40003, bye, sizeof(bye));
}

static int joined_verdict(enum joined how, const char *mode)
{
	uint8_t key[2][30];
	FILE *out, *in, *streams;
	srtp_t s[2];
	char cmd[512];
	int ret;

	memset(key[0], 0x11, sizeof(key[0]));
	memset(key[1], how == JOINED_OTHER_KEY ? 0x22 : 0x11, sizeof(key[1]));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	streams = create("streams");
	joined_line(streams, true, key[0]);
	joined_line(streams, false, key[1]);
	(void)fclose(streams);
	out = capture("out");
	in = capture("in");
	s[0] = context(key[0], false);
	s[1] = context(key[1], false);
	for (unsigned seq = 0; seq < PACKETS; seq++)
		joined_packet(out, in, s, seq, how);
	if (how >= JOINED_REPORT)
		joined_report(out, in, s, how);
	(void)fclose(out);
	(void)fclose(in);
	ck_assert_int_eq(srtp_dealloc(s[0]), srtp_err_status_ok);
	ck_assert_int_eq(srtp_dealloc(s[1]), srtp_err_status_ok);
	(void)snprintf(cmd, sizeof(cmd),
		       "./integration/srtpcheck %s %s/streams 10.77.0.1 "
		       "%s/out %s/in; r=$?; rm -r %s; exit $r",
		       mode, dir, dir, dir, dir);
	ret = system(cmd);
	return WIFEXITED(ret) ? WEXITSTATUS(ret) : -1;
}

static const struct {
	enum joined how;
	int joined, end_to_end, mixed;
} joined_row[] = {
	{JOINED_SAME, 0, 0, 0},
	{JOINED_OTHER_KEY, 0, 1, 0},
	{JOINED_INSIDE, 1, 1, 0},
	{JOINED_LATE, 0, 0, 0},
	{JOINED_LEAK, 1, 1, 0},
	{JOINED_INVENTED, 1, 1, 1},
	{JOINED_ECHO, 1, 1, 1},
	{JOINED_SILENT, 1, 1, 1},
	{JOINED_REPORT, 0, 0, 0},
	{JOINED_REPORT_LEAK, 1, 1, 0},
	{JOINED_REPORT_INVENTED, 1, 1, 1},
};

START_TEST(a_joined_call_is_what_it_is_said_to_be)
{
	ck_assert_int_eq(joined_verdict(joined_row[_i].how, "--joined"),
			 joined_row[_i].joined);
	memcpy(dir, "/tmp/srtpcheck.XXXXXX", sizeof(dir));
	ck_assert_int_eq(joined_verdict(joined_row[_i].how, "--end-to-end"),
			 joined_row[_i].end_to_end);
	memcpy(dir, "/tmp/srtpcheck.XXXXXX", sizeof(dir));
	ck_assert_int_eq(joined_verdict(joined_row[_i].how, "--mixed"),
			 joined_row[_i].mixed);
}
END_TEST

START_TEST(one_fault_anywhere_is_found)
{
	ck_assert_int_eq(verdict(row[_i].fault, ""), row[_i].verdict);
	memcpy(dir, "/tmp/srtpcheck.XXXXXX", sizeof(dir));
	ck_assert_int_eq(verdict(row[_i].fault, "--mixed"), row[_i].verdict);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("srtpcheck");
	TCase *tc = tcase_create("faults");
	SRunner *sr = srunner_create(s);
	int failed;

	if (srtp_init() != srtp_err_status_ok)
		return 1;
	tcase_add_loop_test(tc, one_fault_anywhere_is_found, 0,
			    sizeof(row) / sizeof(row[0]));
	tcase_add_loop_test(tc, a_joined_call_is_what_it_is_said_to_be, 0,
			    sizeof(joined_row) / sizeof(joined_row[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
