/* A source belongs to one socket of a group: the kernel's program and our
 * function agree, over IPv4 and IPv6, datagrams and streams. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/run.h"
#include "transport/transport.h"

enum { GROUP = 3, SOURCES = 40, WAIT_MS = 5000 };

static int group[GROUP];
static struct addr where;

static void open_group(enum transport_proto proto, const char *ip)
{
	struct addr a;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	ck_assert_int_eq(addr_parse_ip(slice_str(ip), &a), 0);
	for (int i = 0; i < GROUP; i++) {
		ck_assert_int_eq(transport_bind(proto, &a, true, &group[i]), 0);
		ck_assert_int_eq(
			getsockname(group[i], (struct sockaddr *)&ss, &len), 0);
		ck_assert_int_eq(addr_from_sockaddr(&ss, &a), 0);
	}
	where = a;
	ck_assert_int_eq(transport_steer(group[0], a.family, GROUP), 0);
}

static void close_group(void)
{
	for (int i = 0; i < GROUP; i++)
		(void)close(group[i]);
}

/* A socket with this source address, connected to the group. */
static int from(enum transport_proto proto, const struct addr *source)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(source, &ss);
	int fd = socket(ss.ss_family,
			proto == TRANSPORT_UDP ? SOCK_DGRAM : SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	len = addr_to_sockaddr(&where, &ss);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* Who of the group has something to read; everything is read. */
static uint32_t who(enum transport_proto proto)
{
	struct pollfd p[GROUP];
	uint32_t found = GROUP;

	for (int i = 0; i < GROUP; i++)
		p[i] = (struct pollfd){.fd = group[i], .events = POLLIN};
	ck_assert_int_eq(poll(p, GROUP, WAIT_MS), 1);
	for (uint32_t i = 0; i < GROUP; i++) {
		char byte;

		if (!(p[i].revents & POLLIN))
			continue;
		found = i;
		if (proto == TRANSPORT_UDP)
			ck_assert_int_eq(recv(group[i], &byte, 1, 0), 1);
		else
			(void)close(accept(group[i], NULL, NULL));
	}
	return found;
}

static void check_sources(enum transport_proto proto)
{
	uint32_t hits[GROUP] = {0};

	open_group(proto, "127.0.0.1");
	for (uint32_t i = 0; i < SOURCES; i++) {
		struct addr a = {
			.family = ADDR_V4,
			.ip = {127, 0, (uint8_t)(i % 4), (uint8_t)(1 + i)}};
		uint32_t want = transport_steered(&a, GROUP);

		/* Twice: another port, the same place. */
		for (int again = 0; again < 2; again++) {
			int fd = from(proto, &a);

			if (proto == TRANSPORT_UDP)
				ck_assert_int_eq(send(fd, "x", 1, 0), 1);
			ck_assert_uint_eq(who(proto), want);
			(void)close(fd);
		}
		hits[want]++;
	}
	for (int i = 0; i < GROUP; i++)
		ck_assert_uint_gt(hits[i], SOURCES / GROUP / 3);
	close_group();
}

START_TEST(datagrams_of_a_source_stay_together)
{
	check_sources(TRANSPORT_UDP);
}
END_TEST

START_TEST(connections_of_a_source_stay_together)
{
	check_sources(TRANSPORT_TCP);
}
END_TEST

/* Loopback has one IPv6 address: the program is seen to run, and to agree. */
START_TEST(ipv6_is_steered_too)
{
	struct addr a;
	int fd;

	ck_assert_int_eq(addr_parse_ip(slice_str("::1"), &a), 0);
	open_group(TRANSPORT_UDP, "::1");
	fd = from(TRANSPORT_UDP, &a);
	ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	ck_assert_uint_eq(who(TRANSPORT_UDP), transport_steered(&a, GROUP));
	(void)close(fd);
	close_group();
}
END_TEST

START_TEST(neighbours_of_an_ipv6_network_are_one_source)
{
	struct addr a, b;
	uint32_t hits[GROUP] = {0};

	ck_assert_int_eq(addr_parse_ip(slice_str("2001:db8:1:2::5"), &a), 0);
	ck_assert_int_eq(addr_parse_ip(slice_str("2001:db8:1:2:a::9"), &b), 0);
	ck_assert_uint_eq(transport_steered(&a, GROUP),
			  transport_steered(&b, GROUP));
	for (int i = 0; i < 120; i++) {
		a.ip[7] = (uint8_t)i;
		hits[transport_steered(&a, GROUP)]++;
	}
	for (int i = 0; i < GROUP; i++)
		ck_assert_uint_gt(hits[i], 20);
}
END_TEST

START_TEST(a_group_of_none_is_refused)
{
	open_group(TRANSPORT_UDP, "127.0.0.1");
	ck_assert_int_eq(transport_steer(group[0], ADDR_V4, 0), ERR_IO);
	close_group();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("steer");

	tcase_add_test(t, datagrams_of_a_source_stay_together);
	tcase_add_test(t, connections_of_a_source_stay_together);
	tcase_add_test(t, ipv6_is_steered_too);
	tcase_add_test(t, neighbours_of_an_ipv6_network_are_one_source);
	tcase_add_test(t, a_group_of_none_is_refused);
	return run_case("transport/steer", t);
}
