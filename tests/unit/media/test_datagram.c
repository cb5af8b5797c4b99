/* media/datagram.c on packets written out here: RFC 791, RFC 8200, RFC 768. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "media/datagram.h"

/* 192.0.2.1:4660 -> 198.51.100.2:22136, "hello"; sums by hand. */
static const uint8_t v4[] = {
	0x45, 0x00, 0x00, 0x21, 0x00, 0x00, 0x40, 0x00, 64,  17,   0,
	0,    192,  0,	  2,	1,    198,  51,	  100,	2,   0x12, 0x34,
	0x56, 0x78, 0x00, 0x0d, 0x67, 0x1e, 'h',  'e',	'l', 'l',  'o'};
enum { V4_LEN = sizeof(v4), V4_UDP = 20, SUM = 26 };

/* 2001:db8::1 -> 2001:db8::2, 1 -> 2, "hi!"; behind destination options. */
static const uint8_t v6[] = {
	/* header */
	0x60, 0, 0, 0, 0, 19, 60, 64,
	/* source, destination */
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0x01,
	0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	/* destination options, padding only */
	17, 0, 1, 4, 0, 0, 0, 0,
	/* UDP */
	0, 1, 0, 2, 0, 11, 0x1a, 0xf7, 'h', 'i', '!'};
enum { V6_NEXT = 40, V6_SUM = 54 };

static uint8_t buf[256];

static int parse(size_t len, bool is_checked, struct datagram *ret)
{
	return datagram_parse(slice_make(buf, len), is_checked, ret);
}

START_TEST(ipv4_is_read)
{
	struct datagram d;
	char text[ADDR_STR_MAX];

	memcpy(buf, v4, sizeof(v4));
	ck_assert_int_eq(parse(V4_LEN, false, &d), 0);
	ck_assert_str_eq(addr_str(&d.src, text), "192.0.2.1:4660");
	ck_assert_str_eq(addr_str(&d.dst, text), "198.51.100.2:22136");
	ck_assert_uint_eq(d.len, 5);
	ck_assert(slice_eqs(d.payload, "hello"));
	/* What a small frame was filled up with is not the payload's. */
	ck_assert_int_eq(parse(V4_LEN + 13, false, &d), 0);
	ck_assert(slice_eqs(d.payload, "hello"));
}
END_TEST

START_TEST(ipv6_is_read_behind_options)
{
	struct datagram d;
	char text[ADDR_STR_MAX];

	memcpy(buf, v6, sizeof(v6));
	ck_assert_int_eq(parse(sizeof(v6), false, &d), 0);
	ck_assert_str_eq(addr_str(&d.src, text), "[2001:db8::1]:1");
	ck_assert_str_eq(addr_str(&d.dst, text), "[2001:db8::2]:2");
	ck_assert(slice_eqs(d.payload, "hi!"));
	/* A header we do not know (50 is ESP). */
	buf[V6_NEXT] = 50;
	ck_assert_int_eq(parse(sizeof(v6), false, &d), ERR_UNSUPPORTED);
	/* One that goes beyond the packet. */
	buf[V6_NEXT] = 17;
	buf[V6_NEXT + 1] = 200;
	ck_assert_int_eq(parse(sizeof(v6), false, &d), ERR_BAD);
}
END_TEST

START_TEST(a_wrong_checksum_is_found_unless_it_was_checked)
{
	struct datagram d;

	memcpy(buf, v4, sizeof(v4));
	buf[V4_LEN - 1] ^= 1;
	ck_assert_int_eq(parse(V4_LEN, false, &d), ERR_BAD);
	ck_assert_int_eq(parse(V4_LEN, true, &d), 0);
	/* IPv4 may come without one, IPv6 may not. */
	buf[SUM] = buf[SUM + 1] = 0;
	ck_assert_int_eq(parse(V4_LEN, false, &d), 0);
	memcpy(buf, v6, sizeof(v6));
	buf[V6_SUM] = buf[V6_SUM + 1] = 0;
	ck_assert_int_eq(parse(sizeof(v6), false, &d), ERR_BAD);
}
END_TEST

/* What the kernel handed out is a beginning: the true length still is told. */
START_TEST(a_cut_packet_tells_how_long_it_was)
{
	struct datagram d;

	memcpy(buf, v4, sizeof(v4));
	ck_assert_int_eq(parse(V4_LEN - 2, false, &d), 0);
	ck_assert_uint_eq(d.len, 5);
	ck_assert(slice_eqs(d.payload, "hel"));
	for (size_t len = 0; len < V4_UDP + 8; len++)
		ck_assert_int_ne(parse(len, false, &d), 0);
	memcpy(buf, v6, sizeof(v6));
	for (size_t len = 0; len < 56; len++)
		ck_assert_int_ne(parse(len, false, &d), 0);
}
END_TEST

/* What is missing must not be what the buffer held before. */
START_TEST(a_cut_or_long_packet_is_not_copied)
{
	struct datagram d;
	char to[8];

	memcpy(buf, v4, sizeof(v4));
	ck_assert_int_eq(parse(V4_LEN, false, &d), 0);
	memset(to, '-', sizeof(to));
	ck_assert_uint_eq(datagram_copy(&d, to, 5), 5);
	ck_assert_mem_eq(to, "hello---", 8);
	memset(to, '-', sizeof(to));
	ck_assert_uint_eq(datagram_copy(&d, to, 4), 5);
	ck_assert_int_eq(parse(V4_LEN - 2, true, &d), 0);
	ck_assert_uint_eq(datagram_copy(&d, to, 8), 9);
	ck_assert_mem_eq(to, "--------", 8);
}
END_TEST

START_TEST(what_is_not_ours_is_left_to_the_kernel)
{
	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} rows[] = {
		{0, 0x44, ERR_BAD},	    /* header of 16 bytes */
		{0, 0x55, ERR_UNSUPPORTED}, /* version 5 */
		{3, 19, ERR_BAD},	    /* shorter than its header */
		{6, 0x20, ERR_UNSUPPORTED}, /* more fragments */
		{7, 1, ERR_UNSUPPORTED},    /* a later fragment */
		{9, 6, ERR_UNSUPPORTED},    /* TCP */
		{25, 7, ERR_BAD},	    /* UDP shorter than its header */
		{25, 14, ERR_BAD},	    /* longer than its packet */
	};
	struct datagram d;

	memcpy(buf, v4, sizeof(v4));
	buf[rows[_i].at] = rows[_i].value;
	ck_assert_int_eq(parse(V4_LEN, true, &d), rows[_i].err);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("datagram");

	tcase_add_test(t, ipv4_is_read);
	tcase_add_test(t, ipv6_is_read_behind_options);
	tcase_add_test(t, a_wrong_checksum_is_found_unless_it_was_checked);
	tcase_add_test(t, a_cut_packet_tells_how_long_it_was);
	tcase_add_test(t, a_cut_or_long_packet_is_not_copied);
	tcase_add_loop_test(t, what_is_not_ours_is_left_to_the_kernel, 0, 8);
	return run_case("media/datagram", t);
}
