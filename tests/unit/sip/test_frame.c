/* Cutting streams and datagrams: RFC 3261 sections 7.5, 18.3; our limits. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/run.h"
#include "sip/frame.h"
#include "sip/msg.h"

static char buf[SIP_MSG_MAX + 2 * SIP_HEAD_MAX];

static int stream(const char *s, size_t len, struct sip_frame *ret)
{
	size_t scanned = 0;
	const char *why = "";

	return sip_frame_stream((const uint8_t *)s, len, &scanned, ret, &why);
}

#define START "OPTIONS sip:a@b SIP/2.0\r\n"

static const struct {
	const char *name;
	const char *bytes;
	int stream;   /* result */
	int datagram; /* result */
	enum sip_frame_kind kind;
	size_t len; /* of the stream's unit */
} rows[] = {
	{"ping", "\r\n\r\n", 0, 0, SIP_FRAME_PING, 4},
	{"ping and more", "\r\n\r\nOPT", 0, 0, SIP_FRAME_PING, 4},
	{"half a ping", "\r\n", ERR_MORE, 0, SIP_FRAME_SKIP, 0},
	{"three bytes of ping", "\r\n\r", ERR_MORE, 0, SIP_FRAME_SKIP, 0},
	{"stray CRLF", "\r\n" START "l:0\r\n\r\n", 0, 0, SIP_FRAME_SKIP, 2},
	{"message", START "l:0\r\n\r\n", 0, 0, SIP_FRAME_MSG, 32},
	{"message and more", START "l: 2\r\n\r\nabXY", 0, 0, SIP_FRAME_MSG, 35},
	{"blank before the colon", START "Content-Length : 2\r\n\r\nab", 0, 0,
	 SIP_FRAME_MSG, 49},
	{"folded length", START "l:\r\n 2\r\n\r\nab", 0, 0, SIP_FRAME_MSG, 37},
	{"half a head", START "l:0\r\n", ERR_MORE, ERR_BAD, SIP_FRAME_MSG, 0},
	{"half a body", START "l:3\r\n\r\nab", ERR_MORE, 0, SIP_FRAME_MSG, 0},
	{"no length", START "a:b\r\n\r\n", ERR_BAD, 0, SIP_FRAME_MSG, 0},
	{"two lengths", START "l:0\r\nl:0\r\n\r\n", ERR_BAD, 0, SIP_FRAME_MSG,
	 0},
	{"long and short length", START "Content-Length:0\r\nl:2\r\n\r\nab",
	 ERR_BAD, 0, SIP_FRAME_MSG, 0},
	{"signed length", START "l: +3\r\n\r\nabc", ERR_BAD, 0, SIP_FRAME_MSG,
	 0},
	{"negative length", START "l: -1\r\n\r\n", ERR_BAD, 0, SIP_FRAME_MSG,
	 0},
	{"length in parts", START "l: 1\r\n 0\r\n\r\n0123456789", ERR_BAD, 0,
	 SIP_FRAME_MSG, 0},
	{"length of 2^64", START "l: 18446744073709551616\r\n\r\n", ERR_BAD, 0,
	 SIP_FRAME_MSG, 0},
	{"length over 64 KB", START "l: 65535\r\n\r\n", ERR_LIMIT, 0,
	 SIP_FRAME_MSG, 0},
	{"bare LF", "OPTIONS sip:a@b SIP/2.0\nl:0\n\n", ERR_BAD, ERR_BAD,
	 SIP_FRAME_MSG, 0},
	{"bare CR", START "a: b\rc: d\r\nl:0\r\n\r\n", ERR_BAD, ERR_BAD,
	 SIP_FRAME_MSG, 0},
	{"CR CR LF", START "a: b\r\r\nl:0\r\n\r\n", ERR_BAD, ERR_BAD,
	 SIP_FRAME_MSG, 0},
	{"control byte", START "a: \001\r\nl:0\r\n\r\n", ERR_BAD, ERR_BAD,
	 SIP_FRAME_MSG, 0},
	{"DEL", START "a: \177\r\nl:0\r\n\r\n", ERR_BAD, ERR_BAD, SIP_FRAME_MSG,
	 0},
	{"escaped control byte", START "a:\"\\\001\"\r\nl:0\r\n\r\n", 0, 0,
	 SIP_FRAME_MSG, 40},
	{"TLS ClientHello", "\026\003\001\002", ERR_BAD, ERR_BAD, SIP_FRAME_MSG,
	 0},
	{"blanks", "  ", ERR_MORE, 0, SIP_FRAME_SKIP, 0},
};

START_TEST(units_are_cut_as_the_table_says)
{
	struct sip_frame f = {.len = 0};
	const char *why = "";
	size_t len = strlen(rows[_i].bytes);

	ck_assert_msg(stream(rows[_i].bytes, len, &f) == rows[_i].stream,
		      "%s on a stream", rows[_i].name);
	ck_assert_msg(f.len == rows[_i].len, "%s: %zu", rows[_i].name, f.len);
	if (rows[_i].stream == 0)
		ck_assert_int_eq(f.kind, rows[_i].kind);
	ck_assert_msg(sip_frame_datagram((const uint8_t *)rows[_i].bytes, len,
					 &f, &why) == rows[_i].datagram,
		      "%s in a datagram: %s", rows[_i].name, why);
	if (rows[_i].datagram == 0)
		ck_assert_int_eq(f.kind, rows[_i].kind);
}
END_TEST

START_TEST(units_come_one_after_the_other)
{
	static const char in[] = "\r\n\r\n" START "l:3\r\n\r\nabc"
				 "\r\n" START "l:0\r\n\r\n\r\n\r\n";
	static const struct sip_frame want[] = {
		{SIP_FRAME_PING, 4}, {SIP_FRAME_MSG, 35}, {SIP_FRAME_SKIP, 2},
		{SIP_FRAME_MSG, 32}, {SIP_FRAME_PING, 4},
	};
	size_t off = 0;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct sip_frame f = {.len = 0};

		ck_assert_int_eq(stream(in + off, sizeof(in) - 1 - off, &f), 0);
		ck_assert_int_eq(f.kind, want[i].kind);
		ck_assert_uint_eq(f.len, want[i].len);
		off += f.len;
	}
	ck_assert_uint_eq(off, sizeof(in) - 1);
}
END_TEST

/* A head whose one header has name and a value of len bytes. */
static size_t with_line(const char *name, size_t len, char fill)
{
	int n = sprintf(buf, START "%s:", name);
	size_t pos = (size_t)n;

	memset(buf + pos, fill, len);
	pos += len;
	pos += (size_t)sprintf(buf + pos, "\r\nl:0\r\n\r\n");
	return pos;
}

static const struct {
	const char *name;
	size_t line; /* longest line */
} lines[] = {
	{"Subject", SIP_LINE_MAX},
	{"Contact", SIP_LINE_MAX},
	{"Authorization", SIP_LINE_LONG_MAX},
	{"Proxy-Authorization", SIP_LINE_LONG_MAX},
	{"Route", SIP_LINE_LONG_MAX},
	{"Record-Route", SIP_LINE_LONG_MAX},
	{"v", SIP_LINE_LONG_MAX},
};

START_TEST(header_lines_have_a_limit)
{
	size_t room = lines[_i].line - strlen(lines[_i].name) - 1;
	struct sip_frame f;

	ck_assert_int_eq(stream(buf, with_line(lines[_i].name, room, 'x'), &f),
			 0);
	ck_assert_int_eq(
		stream(buf, with_line(lines[_i].name, room + 1, 'x'), &f),
		ERR_LIMIT);
}
END_TEST

START_TEST(parameters_have_a_limit)
{
	struct sip_frame f;

	ck_assert_int_eq(stream(buf, with_line("m", SIP_PARAMS_MAX, ';'), &f),
			 0);
	ck_assert_int_eq(
		stream(buf, with_line("m", SIP_PARAMS_MAX + 1, ';'), &f),
		ERR_LIMIT);
}
END_TEST

START_TEST(header_count_has_a_limit)
{
	for (int n = SIP_HDRS_MAX - 1; n <= SIP_HDRS_MAX; n++) {
		size_t pos = (size_t)sprintf(buf, START);
		struct sip_frame f;

		for (int i = 0; i < n; i++)
			pos += (size_t)sprintf(buf + pos, "a:b\r\n");
		pos += (size_t)sprintf(buf + pos, "l:0\r\n\r\n");
		ck_assert_int_eq(stream(buf, pos, &f),
				 n < SIP_HDRS_MAX ? 0 : ERR_LIMIT);
	}
}
END_TEST

/* Many lines of 1000 bytes; the last one makes the head len bytes long. */
static size_t with_head(size_t len)
{
	size_t pos = (size_t)sprintf(buf, START "l:0\r\n");

	while (len - pos > 1500) {
		memset(buf + pos, 'a', 1000);
		memcpy(buf + pos + 1, ":", 1);
		memcpy(buf + pos + 998, "\r\n", 2);
		pos += 1000;
	}
	memset(buf + pos, 'a', len - pos);
	memcpy(buf + pos + 1, ":", 1);
	memcpy(buf + len - 4, "\r\n\r\n", 4);
	return len;
}

START_TEST(head_has_a_limit)
{
	struct sip_frame f;
	size_t scanned = 0;

	ck_assert_int_eq(stream(buf, with_head(SIP_HEAD_MAX), &f), 0);
	ck_assert_uint_eq(f.len, SIP_HEAD_MAX);
	ck_assert_int_eq(stream(buf, with_head(SIP_HEAD_MAX + 1), &f),
			 ERR_LIMIT);
	/* Refused before it all came: the end is out of reach already. */
	memset(buf, 'a', SIP_HEAD_MAX);
	ck_assert_int_eq(sip_frame_stream((uint8_t *)buf, SIP_HEAD_MAX - 1,
					  &scanned, &f, NULL),
			 ERR_MORE);
	ck_assert_int_eq(sip_frame_stream((uint8_t *)buf, SIP_HEAD_MAX,
					  &scanned, &f, NULL),
			 ERR_LIMIT);
}
END_TEST

START_TEST(message_has_a_limit)
{
	size_t head;
	struct sip_frame f;

	head = (size_t)sprintf(buf, START "l:%d\r\n\r\n", SIP_MSG_MAX - 36);
	ck_assert_uint_eq(head, 36);
	ck_assert_int_eq(stream(buf, SIP_MSG_MAX, &f), 0);
	ck_assert_uint_eq(f.len, SIP_MSG_MAX);
	sprintf(buf, START "l:%d\r\n\r\n", SIP_MSG_MAX - 35);
	ck_assert_int_eq(stream(buf, SIP_MSG_MAX + 1, &f), ERR_LIMIT);
	ck_assert_int_eq(
		sip_frame_datagram((uint8_t *)buf, SIP_MSG_MAX + 1, &f, NULL),
		ERR_LIMIT);
}
END_TEST

/* A body that comes byte by byte must not cost a walk over the head each:
 * the head is not looked at before the last byte is there. */
START_TEST(body_arriving_in_bytes_leaves_the_head_alone)
{
	struct sip_frame f;
	size_t scanned = 0;
	size_t head = (size_t)sprintf(buf, START "l:1000\r\n\r\n");
	int err;

	err = sip_frame_stream((uint8_t *)buf, head, &scanned, &f, NULL);
	ck_assert_int_eq(err, ERR_MORE);
	memset(buf, '\001', head);
	for (size_t n = head + 1; n < head + 1000; n++) {
		err = sip_frame_stream((uint8_t *)buf, n, &scanned, &f, NULL);
		ck_assert_int_eq(err, ERR_MORE);
	}
	err = sip_frame_stream((uint8_t *)buf, head + 1000, &scanned, &f, NULL);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(f.len, head + 1000);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("units and limits");

	tcase_add_loop_test(tc, units_are_cut_as_the_table_says, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, units_come_one_after_the_other);
	tcase_add_loop_test(tc, header_lines_have_a_limit, 0,
			    (int)(sizeof(lines) / sizeof(lines[0])));
	tcase_add_test(tc, parameters_have_a_limit);
	tcase_add_test(tc, header_count_has_a_limit);
	tcase_add_test(tc, head_has_a_limit);
	tcase_add_test(tc, message_has_a_limit);
	tcase_add_test(tc, body_arriving_in_bytes_leaves_the_head_alone);
	return run_case("frame", tc);
}
