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

/* Where a datagram of this address goes. */
static uint32_t sent_to(const char *source)
{
	struct addr a;
	uint32_t found;
	int fd;

	ck_assert_int_eq(addr_parse_ip(slice_str(source), &a), 0);
	fd = from(TRANSPORT_UDP, &a);
	ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	found = who(TRANSPORT_UDP);
	(void)close(fd);
	return found;
}

static struct transport_rule rule_of(const char *net, uint8_t bits, uint32_t to)
{
	struct transport_rule r = {.bits = bits, .to = to};

	ck_assert_int_eq(addr_parse_ip(slice_str(net), &r.net), 0);
	return r;
}

START_TEST(the_first_rule_that_holds_decides)
{
	struct transport_rule r[] = {
		rule_of("2001:db8::1", 128, 0), /* another family's */
		rule_of("127.0.7.9", 32, 2),	rule_of("127.0.7.0", 24, 1),
		rule_of("127.0.8.0", 21, 2), /* 8 to 15 */
		rule_of("127.0.9.0", 24, 0), /* comes too late */
		rule_of("127.64.0.0", 10, 0),
	};
	struct addr a;

	open_group(TRANSPORT_UDP, "127.0.0.1");
	for (uint32_t rest = 0; rest < 2; rest++) {
		ck_assert_int_eq(transport_steer_by(group[0], ADDR_V4, GROUP, r,
						    6, rest),
				 0);
		ck_assert_uint_eq(sent_to("127.0.7.9"), 2);
		ck_assert_uint_eq(sent_to("127.0.7.8"), 1);
		ck_assert_uint_eq(sent_to("127.0.9.1"), 2);
		ck_assert_uint_eq(sent_to("127.0.15.255"), 2);
		ck_assert_uint_eq(sent_to("127.100.1.1"), 0);
		ck_assert_uint_eq(sent_to("127.0.16.1"), rest);
	}
	ck_assert_int_eq(transport_steer_by(group[0], ADDR_V4, GROUP, r, 6,
					    TRANSPORT_HASHED),
			 0);
	ck_assert_uint_eq(sent_to("127.0.7.8"), 1);
	ck_assert_int_eq(addr_parse_ip(slice_str("127.0.16.1"), &a), 0);
	ck_assert_uint_eq(sent_to("127.0.16.1"), transport_steered(&a, GROUP));
	close_group();
}
END_TEST

/* As many as there may be, the longest kind, all looked at. */
START_TEST(the_longest_list_of_rules_fits)
{
	static struct transport_rule r[TRANSPORT_RULES_MAX + 1];

	for (size_t i = 0; i < TRANSPORT_RULES_MAX + 1; i++)
		r[i] = rule_of("2001:db8::8000", 113, 1);
	r[TRANSPORT_RULES_MAX - 1] = rule_of("::", 97, 2);
	open_group(TRANSPORT_UDP, "::1");
	ck_assert_int_eq(transport_steer_by(group[0], ADDR_V6, GROUP, r,
					    TRANSPORT_RULES_MAX,
					    TRANSPORT_HASHED),
			 0);
	ck_assert_uint_eq(sent_to("::1"), 2);
	ck_assert_int_eq(transport_steer_by(group[0], ADDR_V6, GROUP, r,
					    TRANSPORT_RULES_MAX + 1,
					    TRANSPORT_HASHED),
			 ERR_LIMIT);
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

	tcase_add_test(t, the_first_rule_that_holds_decides);
	tcase_add_test(t, the_longest_list_of_rules_fits);
	tcase_add_test(t, datagrams_of_a_source_stay_together);
	tcase_add_test(t, connections_of_a_source_stay_together);
	tcase_add_test(t, ipv6_is_steered_too);
	tcase_add_test(t, neighbours_of_an_ipv6_network_are_one_source);
	tcase_add_test(t, a_group_of_none_is_refused);
	return run_case("transport/steer", t);
}
