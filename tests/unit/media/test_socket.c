/* The relay over UDP sockets does what a media backend must, and hears groups. */
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/run.h"
#include "media/socket_int.h"
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

/* --- a proven party's own socket ------------------------------------------ */

/* Sockets of this machine that are bound to port and connected. */
static int connected_to(sa_family_t family, uint16_t port)
{
	FILE *f = fopen(family == AF_INET ? "/proc/thread-self/net/udp"
					  : "/proc/thread-self/net/udp6",
			"re");
	unsigned local, remote;
	char line[512];
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*d: %*[^:]:%x %*[^:]:%x", &local,
			   &remote) == 2 &&
		    local == port && remote != 0)
			n++;
	}
	(void)fclose(f);
	return n;
}

/* Until there are that many at leg's port. */
static void wait_connected(const struct rig *r, int leg, int want)
{
	sa_family_t family =
		r->flow[leg].local.family == ADDR_V4 ? AF_INET : AF_INET6;
	int ms = 0;

	while (connected_to(family, r->flow[leg].local.port) != want &&
	       ms++ < conform_wait_ms())
		(void)poll(NULL, 0, 1);
	ck_assert_int_eq(connected_to(family, r->flow[leg].local.port), want);
}

/* Whatever he asks for. */
static void nobody_else_has(const struct addr *local)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(local, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), -1);
	(void)close(fd);
}

START_TEST(a_proven_party_has_a_socket_of_its_own)
{
	static const sa_family_t families[] = {AF_INET, AF_INET6};
	struct rig r = rig_new(families[_i], FLOW_LATCH_RESTRICTED);
	struct addr self;
	int stranger = conform_bound(families[_i], &self);

	for (int leg = 0; leg < 2; leg++)
		wait_connected(&r, leg, 0);
	rig_talk(&r, 1);
	rig_talk(&r, 2);
	for (int leg = 0; leg < 2; leg++)
		wait_connected(&r, leg, 1);
	for (uint16_t i = 3; i < 50; i++)
		rig_talk(&r, i);
	/* Strangers are heard of, but not heard. */
	conform_send(stranger, &r.flow[0].local, conform_rtp(50));
	rig_talk(&r, 50);
	while (rig_query(&r, 0).src_reject < 1)
		continue;
	nobody_else_has(&r.flow[0].local);
	ck_assert_int_eq(rig_del(&r, 0), 0);
	wait_connected(&r, 0, 0);
	(void)close(stranger);
	rig_free(&r);
}
END_TEST

/* A phone that is gone for a moment: the network's answer to what could not
 * be delivered costs no packet after it. */
START_TEST(an_answer_of_the_network_costs_no_packet)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&r.self[0][0], &ss);
	uint64_t sent;

	rig_talk(&r, 1);
	rig_talk(&r, 2);
	wait_connected(&r, 0, 1);
	for (uint16_t i = 3; i < 8; i++) {
		(void)close(r.fd[0][0]);
		sent = rig_query(&r, 1).rtp_packets;
		rig_send(&r, 1, false, conform_srtp(r.phone_out, i));
		for (int ms = 0; rig_query(&r, 1).rtp_packets == sent &&
				 ms < conform_wait_ms();
		     ms++)
			(void)poll(NULL, 0, 1);
		ck_assert_uint_eq(rig_query(&r, 1).rtp_packets, sent + 1);
		r.fd[0][0] = conform_socket(AF_INET, SOCK_DGRAM, 0);
		ck_assert_int_eq(bind(r.fd[0][0], (struct sockaddr *)&ss, len),
				 0);
		rig_send(&r, 1, false,
			 conform_srtp(r.phone_out, (uint16_t)(i + 100)));
		ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	}
	rig_free(&r);
}
END_TEST

/* The party of leg 0 is not there, and the phone's packets come by both of its
 * flow's sockets at once: what is answered to one of a round must not be taken
 * for the fate of the other. */
START_TEST(an_answer_within_a_round_costs_no_packet)
{
	enum { BURST = 80, BURSTS = 10, LEN = 182 };
	static uint8_t pkt[BURST][LEN];
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct addr self;
	int other = conform_bound(AF_INET, &self);
	struct flow_stats st;
	uint16_t seq = 3;

	rig_talk(&r, 1);
	rig_talk(&r, 2);
	wait_connected(&r, 0, 1);
	wait_connected(&r, 1, 1);
	(void)close(r.fd[0][0]);
	for (int n = 1; n <= BURSTS; n++) {
		for (int i = 0; i < BURST; i++) {
			ck_assert_uint_eq(conform_srtp(r.phone_out, seq++),
					  LEN);
			memcpy(pkt[i], conform_buf, LEN);
		}
		/* No two in a row from elsewhere: the phone does not move. */
		for (int i = 0; i < BURST; i++) {
			memcpy(conform_buf, pkt[i], LEN);
			conform_send(i & 1 ? other : r.fd[1][0],
				     &r.flow[1].local, LEN);
		}
		for (int ms = 0; ms < conform_wait_ms(); ms++) {
			st = rig_query(&r, 1);
			if (st.rtp_packets + st.dropped ==
			    2u + (unsigned)n * BURST)
				break;
			(void)poll(NULL, 0, 1);
		}
	}
	ck_assert_uint_eq(st.dropped, 0);
	ck_assert_uint_eq(st.rtp_packets, 2u + BURSTS * BURST);
	r.fd[0][0] = other;
	rig_free(&r);
}
END_TEST

/* The socket goes with its party: to another address of the signalling's. */
START_TEST(a_moved_party_leaves_its_socket)
{
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	int was = r.fd[0][0];

	rig_talk(&r, 1);
	rig_talk(&r, 2);
	wait_connected(&r, 0, 1);
	r.fd[0][0] = conform_bound(AF_INET, &r.self[0][0]);
	r.flow[0].remote = r.self[0][0];
	ck_assert_int_eq(rig_update(&r, 0), 0);
	wait_connected(&r, 0, 0);
	nobody_else_has(&r.flow[0].local);
	rig_send(&r, 1, false, conform_srtp(r.phone_out, 3));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	rig_talk(&r, 4);
	wait_connected(&r, 0, 1);
	rig_talk(&r, 5);
	(void)close(was);
	rig_free(&r);
}
END_TEST

/* --- a move while packets wait ------------------------------------------------ */

struct move {
	struct media_backend *from;
	uint64_t id[2];
	struct media_state at[2];
	int err;
};

static void *take_both(void *arg)
{
	struct move *m = arg;

	m->err = m->from->ops->take(m->from, 1, m->id, 2, m->at);
	return NULL;
}

/* Older packets wait in the first socket, newer ones in the party's own: who goes
 * on elsewhere knows the newest that was taken, and refuses what is older. */
START_TEST(what_waits_in_either_socket_is_not_lost_in_a_move)
{
	enum { EACH = 5 };
	struct media_socket_params sp = {.threads = 1};
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct move m = {.id = {r.flow[0].id, r.flow[1].id}};
	struct media_backend *to;
	struct addr self;
	int other = conform_bound(AF_INET, &self);
	struct shard *s;
	pthread_t thread;

	/* Flows and addresses of the rig, backends of our own. */
	ck_assert_int_eq(rig_del(&r, 0), 0);
	ck_assert_int_eq(rig_del(&r, 1), 0);
	ck_assert_int_eq(media_socket_new(&sp, &m.from), 0);
	ck_assert_int_eq(media_socket_new(&sp, &to), 0);
	ck_assert_int_eq(m.from->ops->add(m.from, 1, r.flow, 2), 0);
	rig_send(&r, 1, false, conform_srtp(r.phone_out, 1));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	wait_connected(&r, 1, 1);
	s = &((struct relay *)(void *)m.from)->shard[0];
	(void)pthread_mutex_lock(&s->lock);
	/* No two in a row from elsewhere: the phone does not move. */
	for (uint16_t i = 0; i < 2 * EACH; i++)
		conform_send(i < EACH ? other : r.fd[1][0], &r.flow[1].local,
			     conform_srtp(r.phone_out, (uint16_t)(10 + 2 * i)));
	ck_assert_int_eq(pthread_create(&thread, NULL, take_both, &m), 0);
	while (atomic_load(&s->waiters) == 0)
		(void)sched_yield();
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(thread, NULL);
	ck_assert_int_eq(m.err, 0);
	ck_assert_int_eq(to->ops->give(to, 1, r.flow, m.at, 2), 0);
	for (int i = 0; i < 2 * EACH; i++)
		ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	m.from->ops->free(m.from);
	to->ops->free(to);
	(void)close(other);
	rig_free(&r);
}
END_TEST

/* --- news that find no room ---------------------------------------------------- */

static void wait_sweeps(struct shard *s, int n)
{
	uint64_t was = 0, at = 0;

	for (int ms = 0; n >= 0 && ms < conform_wait_ms(); ms++) {
		(void)pthread_mutex_lock(&s->lock);
		at = s->next_sweep_ms;
		(void)pthread_mutex_unlock(&s->lock);
		n -= at != was;
		was = at;
		(void)poll(NULL, 0, 1);
	}
	ck_assert_int_lt(n, 0);
}

/* Until a round of the thread has seen that nothing came for long, its flow's
 * owner takes no event. */
START_TEST(what_finds_no_room_is_said_when_there_is_some)
{
	struct media_socket_params sp = {.threads = 1};
	struct rig r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	struct media_backend *b;
	struct media_event e;
	struct relay *relay;
	struct relay_flow *f;
	struct pollfd p = {.events = POLLIN};
	uint32_t at = 0, idle = 0, latched = 0;

	for (int leg = 0; leg < 2; leg++)
		ck_assert_int_eq(rig_del(&r, leg), 0);
	ck_assert_int_eq(media_socket_new(&sp, &b), 0);
	ck_assert_int_eq(b->ops->add(b, 1, r.flow, 2), 0);
	relay = (struct relay *)(void *)b;
	f = slots_next(&relay->shard[0].slots, &at);
	while (socket_emit(relay, MEDIA_EVENT_ROLLED, f))
		continue;
	rig_send(&r, 1, false, conform_srtp(r.phone_out, 1));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	r.flow[1].idle_ms = 1;
	ck_assert_int_eq(b->ops->update(b, 1, &r.flow[1]), 0);
	wait_sweeps(&relay->shard[0], 3);
	for (int i = 0; i < OUTBOX_MAX; i++) {
		ck_assert(b->ops->next_event(b, &e));
		ck_assert_int_eq(e.kind, MEDIA_EVENT_ROLLED);
	}
	p.fd = b->ops->event_fd(b);
	while (idle + latched < 2) {
		if (!b->ops->next_event(b, &e)) {
			ck_assert_int_eq(poll(&p, 1, conform_wait_ms()), 1);
			continue;
		}
		ck_assert_uint_eq(e.flow, r.flow[1].id);
		idle += e.kind == MEDIA_EVENT_IDLE;
		latched += e.kind == MEDIA_EVENT_LATCHED;
	}
	ck_assert_uint_eq(idle, 1);
	ck_assert_uint_eq(latched, 1);
	b->ops->free(b);
	rig_free(&r);
}
END_TEST

static int few_descriptors(const struct media_socket_params *p,
			   struct media_backend **ret)
{
	struct media_socket_params few = *p;

	/* Two sockets of two flows are half of them. */
	few.descriptors = 8;
	return media_socket_new(&few, ret);
}

START_TEST(few_descriptors_are_for_flows)
{
	const struct conform_backend few = {"socket", few_descriptors};
	const struct conform_backend *was = conform_backend;
	struct rig r;

	conform_backend = &few;
	r = rig_new(AF_INET, FLOW_LATCH_RESTRICTED);
	conform_backend = was;
	for (uint16_t i = 1; i < 20; i++)
		rig_talk(&r, i);
	wait_connected(&r, 0, 0);
	wait_connected(&r, 1, 0);
	rig_free(&r);
}
END_TEST

int main(void)
{
	const struct conform_backend b = {"socket", media_socket_new};
	TCase *tc = tcase_create("sockets");

	tcase_set_timeout(tc, 30);

	tcase_add_loop_test(tc, a_proven_party_has_a_socket_of_its_own, 0, 2);
	tcase_add_test(tc, an_answer_of_the_network_costs_no_packet);
	tcase_add_test(tc, an_answer_within_a_round_costs_no_packet);
	tcase_add_test(tc, a_moved_party_leaves_its_socket);
	tcase_add_test(tc, few_descriptors_are_for_flows);
	tcase_add_test(tc, what_waits_in_either_socket_is_not_lost_in_a_move);
	tcase_add_test(tc, what_finds_no_room_is_said_when_there_is_some);

	if (!emulation_lacks("options")) {
		tcase_add_loop_test(
			tc, a_group_reaches_every_phone_that_hears_it, 0, 2);
		tcase_add_test(tc, a_membership_is_for_as_long_as_the_flow);
		tcase_add_test(tc, a_phone_s_media_leave_for_a_group);
	}
	return conform_run(&b, tc) ? EXIT_FAILURE : EXIT_SUCCESS;
}
