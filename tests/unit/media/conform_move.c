/*
 * Streams move from one backend to another and back while packets come in:
 * no index is used twice, none is refused that was not used, and the sockets
 * are theirs all the time. The backend under test is the wanted one; the
 * relay over sockets takes over.
 */
#include <poll.h>
#include <unistd.h>

#include "unit/media/conform.h"

enum { WAITING = 40 /* packets; they fit any socket */ };

/* The socket relay under another name, where it is itself under test. */
struct alias {
	struct media_backend_ops ops;
	const struct media_backend_ops *real;
};

static struct alias alias;

static void alias_features(struct media_backend *b, struct media_features *ret)
{
	alias.real->features(b, ret);
	ret->backend = FLOW_BACKEND_QUEUE;
}

static struct media_backend *named_apart(struct media_backend *b)
{
	struct media_features f;

	b->ops->features(b, &f);
	if (f.backend != FLOW_BACKEND_SOCKET)
		return b;
	alias.real = b->ops;
	alias.ops = *b->ops;
	alias.ops.features = alias_features;
	b->ops = &alias.ops;
	return b;
}

static struct media *both(enum flow_backend *ret_first)
{
	struct media_socket_params sp = {.threads = 2};
	struct media_backend *b[2];
	struct media_params p = {.backend = b, .backend_count = 2};
	struct media_features f;
	struct media *m;

	ck_assert_int_eq(conform_backend->new (&sp, &b[0]), 0);
	b[0] = named_apart(b[0]);
	b[0]->ops->features(b[0], &f);
	*ret_first = f.backend;
	ck_assert_int_eq(media_socket_new(&sp, &b[1]), 0);
	ck_assert_int_eq(media_new(&p, &m), 0);
	return m;
}

static void move_all(struct media *m, enum flow_backend from, uint32_t flows)
{
	uint32_t moved = 0, n = 0;

	ck_assert(media_flows(m, from, &n));
	ck_assert_uint_eq(n, flows);
	ck_assert_int_eq(media_unload(m, from, &moved), 0);
	ck_assert_uint_eq(moved, flows);
	ck_assert(!media_flows(m, from, &n));
	ck_assert(media_flows(m, FLOW_BACKEND_SOCKET, &n));
	ck_assert_uint_eq(n, flows);
}

/* One SRTCP packet of the relay, opened by the phone. */
static void hear_rtcp(struct rig *r)
{
	size_t len;

	rig_send(r, 0, true, conform_rtcp());
	ck_assert_int_eq(conform_receive(r->fd[1][1]), 22);
	ck_assert_int_eq(
		rtp_srtp_unprotect_rtcp(r->phone_in, conform_buf, 22, &len), 0);
}

START_TEST(a_stream_moves_without_a_gap_in_its_index)
{
	enum flow_backend first;
	struct media *m = both(&first);
	struct rig r = rig_in(m, 1, FLOW_LATCH_NAT, 1);
	struct flow_stats st;
	size_t len;

	/* Through a roll-over, so that the counter must go along. */
	for (uint32_t i = 65500; i < 65600; i++)
		rig_talk(&r, (uint16_t)i);
	hear_rtcp(&r);
	ck_assert_uint_eq(rig_query(&r, 1).backend, first);
	/* What is said during the move waits in the sockets. */
	rig_send(&r, 1, false, conform_srtp(r.phone_out, 64));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	move_all(m, first, 2);
	st = rig_query(&r, 1);
	ck_assert_uint_eq(st.backend, FLOW_BACKEND_SOCKET);
	ck_assert_uint_eq(st.rtp_packets, 101);
	ck_assert(addr_eq(&st.latched, &r.self[1][0]));
	/* Had the phone to be heard first, this would not arrive. */
	rig_send(&r, 0, false, conform_rtp(64));
	ck_assert_int_eq(conform_receive(r.fd[1][0]), 182);
	ck_assert_int_eq(rtp_srtp_unprotect(r.phone_in, conform_buf, 182, &len),
			 0);
	for (uint16_t i = 65; i < 100; i++)
		rig_talk(&r, i);
	/* SRTCP counts for itself, and has left some out. */
	hear_rtcp(&r);
	/* What had been used is refused on both sides. */
	rig_send(&r, 0, false, conform_rtp(99));
	while (rig_query(&r, 0).replay == 0)
		continue;
	rig_free(&r);
}
END_TEST

START_TEST(a_packet_taken_before_is_not_taken_after)
{
	enum flow_backend first;
	struct media *m = both(&first);
	struct rig r = rig_in(m, 1, FLOW_LATCH_OFF, 1);
	uint8_t kept[CONFORM_BUF];
	size_t len = conform_srtp(r.phone_out, 7);

	memcpy(kept, conform_buf, len);
	rig_send(&r, 1, false, len);
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	move_all(m, first, 2);
	memcpy(conform_buf, kept, len);
	rig_send(&r, 1, false, len);
	while (rig_query(&r, 1).replay == 0)
		continue;
	rig_talk(&r, 8);
	rig_free(&r);
}
END_TEST

START_TEST(what_waits_in_a_socket_arrives_after_the_move)
{
	enum flow_backend first;
	struct media *m = both(&first);
	struct rig r = rig_in(m, 1, FLOW_LATCH_OFF, 1);

	for (uint16_t i = 0; i < WAITING; i++)
		rig_send(&r, 1, false, conform_srtp(r.phone_out, i));
	move_all(m, first, 2);
	for (int i = 0; i < WAITING; i++)
		ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	rig_free(&r);
}
END_TEST

START_TEST(joined_streams_move_together)
{
	enum flow_backend first;
	struct media *m = both(&first);
	struct rig a = rig_in(m, 1, FLOW_LATCH_OFF, 1);
	struct rig b = rig_in(m, 2, FLOW_LATCH_OFF, 11);
	size_t len;

	a.flow[0].remote = b.flow[0].local;
	a.flow[0].remote_rtcp = (struct addr){.family = ADDR_NONE};
	b.flow[0].remote = a.flow[0].local;
	b.flow[0].remote_rtcp = (struct addr){.family = ADDR_NONE};
	ck_assert_int_eq(rig_update(&a, 0), 0);
	ck_assert_int_eq(rig_update(&b, 0), 0);
	move_all(m, first, 4);
	rig_send(&a, 1, false, conform_srtp(a.phone_out, 1));
	ck_assert_int_eq(conform_receive(b.fd[1][0]), 182);
	ck_assert_int_eq(rtp_srtp_unprotect(b.phone_in, conform_buf, 182, &len),
			 0);
	/* In one step: the inside sockets never saw a source. */
	ck_assert_uint_eq(rig_query(&b, 0).latched.family, ADDR_NONE);
	ck_assert_uint_eq(rig_query(&a, 1).rtp_packets, 1);
	ck_assert_uint_eq(rig_query(&b, 0).rtp_packets, 1);
	media_free(m);
	rig_done(&a);
	rig_done(&b);
}
END_TEST

START_TEST(the_last_backend_stays)
{
	enum flow_backend first;
	struct media *m = both(&first);
	struct rig r = rig_in(m, 1, FLOW_LATCH_OFF, 1);
	uint32_t n;

	ck_assert_int_eq(media_unload(m, FLOW_BACKEND_KERNEL, &n),
			 first == FLOW_BACKEND_KERNEL ? 0 : ERR_NOTFOUND);
	if (first != FLOW_BACKEND_KERNEL)
		move_all(m, first, 2);
	ck_assert_int_eq(media_unload(m, FLOW_BACKEND_SOCKET, &n), ERR_STATE);
	rig_talk(&r, 1);
	rig_free(&r);
}
END_TEST

/* The other way: a flow that the wanted backend gives away comes back. */
START_TEST(a_stream_moves_back)
{
	struct media_socket_params sp = {.threads = 1};
	struct media_backend *b[2];
	struct rig r = rig_new(AF_INET, FLOW_LATCH_OFF);
	struct media_state s[2];
	uint64_t id[2] = {r.flow[0].id, r.flow[1].id};
	struct flow_stats st;

	media_free(r.media);
	r.media = NULL;
	ck_assert_int_eq(media_socket_new(&sp, &b[0]), 0);
	ck_assert_int_eq(conform_backend->new (&sp, &b[1]), 0);
	ck_assert_int_eq(b[0]->ops->add(b[0], 1, r.flow, 2), 0);
	for (uint32_t i = 0; i < 100; i++) {
		struct media_backend *from = b[i % 2], *to = b[1 - i % 2];

		rig_talk(&r, (uint16_t)(65490 + i));
		ck_assert_int_eq(from->ops->take(from, 1, id, 2, s), 0);
		ck_assert_int_eq(from->ops->take(from, 1, id, 2, s),
				 ERR_NOTFOUND);
		ck_assert_int_eq(to->ops->give(to, 1, r.flow, s, 2), 0);
		/* Not twice, and what came with it is not closed by that. */
		ck_assert_int_eq(to->ops->give(to, 1, r.flow, s, 2),
				 ERR_EXISTS);
	}
	rig_talk(&r, (uint16_t)(65490 + 100));
	ck_assert_int_eq(b[0]->ops->query(b[0], 1, id[1], &st), 0);
	ck_assert_uint_eq(st.rtp_packets, 101);
	b[0]->ops->free(b[0]);
	b[1]->ops->free(b[1]);
	rig_done(&r);
}
END_TEST

/* A phone that is not where it said, and that keeps silent after the move. */
START_TEST(a_source_that_was_proven_stays_proven)
{
	struct media_socket_params sp = {.threads = 1};
	struct media_backend *b[2];
	struct rig r = rig_new(AF_INET, FLOW_LATCH_NAT);
	uint64_t id[2] = {r.flow[0].id, r.flow[1].id};
	struct media_state s[2];
	struct addr self;
	struct flow_stats st;
	int fd = conform_bound(AF_INET, &self);

	media_free(r.media);
	r.media = NULL;
	ck_assert_int_eq(media_socket_new(&sp, &b[0]), 0);
	ck_assert_int_eq(conform_backend->new (&sp, &b[1]), 0);
	ck_assert_int_eq(b[0]->ops->add(b[0], 1, r.flow, 2), 0);
	conform_send(fd, &r.flow[1].local, conform_srtp(r.phone_out, 1));
	ck_assert_int_eq(conform_receive(r.fd[0][0]), 172);
	for (uint16_t i = 0; i < 4; i++) {
		struct media_backend *from = b[i % 2], *to = b[1 - i % 2];

		ck_assert_int_eq(from->ops->take(from, 1, id, 2, s), 0);
		ck_assert_int_eq(to->ops->give(to, 1, r.flow, s, 2), 0);
		rig_send(&r, 0, false, conform_rtp(i));
		ck_assert_int_eq(conform_receive(fd), 182);
		ck_assert_int_eq(to->ops->query(to, 1, id[1], &st), 0);
		ck_assert(addr_eq(&st.latched, &self));
	}
	b[0]->ops->free(b[0]);
	b[1]->ops->free(b[1]);
	(void)close(fd);
	rig_done(&r);
}
END_TEST

TCase *conform_move_cases(void)
{
	TCase *t = tcase_create("move");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_stream_moves_without_a_gap_in_its_index);
	tcase_add_test(t, a_packet_taken_before_is_not_taken_after);
	tcase_add_test(t, what_waits_in_a_socket_arrives_after_the_move);
	tcase_add_test(t, joined_streams_move_together);
	tcase_add_test(t, the_last_backend_stays);
	tcase_add_test(t, a_stream_moves_back);
	tcase_add_test(t, a_source_that_was_proven_stays_proven);
	return t;
}
