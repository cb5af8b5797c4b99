/* The relay over UDP sockets does what a media backend must, and hears groups. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/run.h"
#include "unit/media/conform.h"

static const struct {
	sa_family_t family;
	const char *group, *other;
} groups[] = {
	{AF_INET, "239.192.7.1", "239.192.7.2"},
	{AF_INET6, "[ff15::7:1]", "[ff15::7:2]"},
};

static struct addr group_of(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(text), port, &a), 0);
	return a;
}

/* The rig's stream again, whose inside hears a group. */
static int hear(struct rig *r, const struct addr *group)
{
	for (int leg = 0; leg < 2; leg++)
		ck_assert_int_eq(rig_del(r, leg), 0);
	r->flow[0].group = *group;
	r->flow[0].remote = (struct addr){.family = ADDR_NONE};
	r->flow[0].remote_rtcp = r->flow[0].remote;
	r->flow[1].is_blocked = true;
	return rig_add(r);
}

static void heard_by(struct rig *r)
{
	size_t len;

	ck_assert_int_eq(conform_receive(r->fd[1][0]), 182);
	ck_assert_int_eq(
		rtp_srtp_unprotect(r->phone_in, conform_buf, 182, &len), 0);
	conform_is_payload();
}

/* Two phones hear the same group, each under its own key; another group at the
 * same port is not theirs, nor is anything when their flows are gone. */
START_TEST(a_group_reaches_every_phone_that_hears_it)
{
	sa_family_t family = groups[_i].family;
	struct addr self, second_self, group, other;
	struct rig a, b = {.media = NULL};
	int fd, second;

	/* Over the loopback IPv6 has none: see rig.c for two namespaces. */
	if (family == AF_INET6 && !getenv("CONFORM_NETNS"))
		return;
	a = rig_new(family, FLOW_LATCH_RESTRICTED);
	fd = conform_bound(family, &self);
	second = conform_bound(family, &second_self);
	group = group_of(groups[_i].group, a.flow[0].local.port);
	other = group_of(groups[_i].other, a.flow[0].local.port);
	ck_assert_int_eq(hear(&a, &group), 0);
	if (family == AF_INET) {
		b = rig_in(a.media, 2, FLOW_LATCH_RESTRICTED, 40);
		ck_assert_int_eq(hear(&b, &group), 0);
	}
	for (uint16_t i = 1; i < 20; i++) {
		conform_send(fd, &other, conform_rtp(i));
		conform_send(fd, &group, conform_rtp(i));
		heard_by(&a);
		if (b.media)
			heard_by(&b);
	}
	/* Another sender, who needs no proof, goes on. */
	conform_send(second, &group, conform_rtp(20));
	heard_by(&a);
	ck_assert_uint_eq(rig_query(&a, 0).rtp_packets, 20);
	ck_assert_uint_eq(rig_query(&a, 0).src_reject, 0);
	/* What is no RTP is not passed on, and nothing comes back. */
	conform_buf[0] = 0;
	conform_send(fd, &group, 172);
	rig_send(&a, 1, false, conform_srtp(a.phone_out, 1));
	conform_send(fd, &group, conform_rtp(21));
	heard_by(&a);
	ck_assert_uint_eq(rig_query(&a, 0).malformed, 1);
	ck_assert_uint_eq(rig_query(&a, 1).dropped, 1);
	if (b.media)
		rig_done(&b);
	(void)close(fd);
	(void)close(second);
	rig_free(&a);
}
END_TEST

START_TEST(a_membership_is_for_as_long_as_the_flow)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct addr group = group_of("239.192.7.3", r.flow[0].local.port);
	struct addr other = group_of("239.192.7.4", r.flow[0].local.port);

	ck_assert_int_eq(hear(&r, &group), 0);
	r.flow[0].group = other;
	ck_assert_int_eq(rig_update(&r, 0), ERR_UNSUPPORTED);
	r.flow[0].group = group;
	ck_assert_int_eq(rig_update(&r, 0), 0);
	rig_free(&r);
}
END_TEST

START_TEST(a_phone_s_media_leave_for_a_group)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct addr self;
	int probe = conform_bound(AF_INET, &self);
	struct ip_mreqn m = {.imr_ifindex = 0};
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(0xefc00705)};
	socklen_t len = sizeof(in);
	int fd = conform_socket(AF_INET, SOCK_DGRAM, 0);
	size_t n;

	(void)close(probe);
	memcpy(&m.imr_address, self.ip, sizeof(m.imr_address));
	m.imr_multiaddr = in.sin_addr;
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	ck_assert_int_eq(
		setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)),
		0);
	r.flow[0].remote = group_of("239.192.7.5", ntohs(in.sin_port));
	r.flow[0].remote_rtcp = (struct addr){.family = ADDR_NONE};
	ck_assert_int_eq(rig_update(&r, 0), 0);
	for (uint16_t i = 1; i < 5; i++) {
		n = conform_srtp(r.phone_out, i);
		rig_send(&r, 1, false, n);
		ck_assert_int_eq(conform_receive(fd), 172);
		conform_is_payload();
	}
	(void)close(fd);
	rig_free(&r);
}
END_TEST

int main(void)
{
	const struct conform_backend b = {"socket", media_socket_new};
	TCase *tc = tcase_create("groups");

	if (!emulation_lacks("options")) {
		tcase_add_loop_test(
			tc, a_group_reaches_every_phone_that_hears_it, 0, 2);
		tcase_add_test(tc, a_membership_is_for_as_long_as_the_flow);
		tcase_add_test(tc, a_phone_s_media_leave_for_a_group);
	}
	return conform_run(&b, tc) ? EXIT_FAILURE : EXIT_SUCCESS;
}
