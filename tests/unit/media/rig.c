#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/run.h"
#include "unit/media/conform.h"

const struct conform_backend *conform_backend;
uint8_t conform_buf[CONFORM_BUF];

/* An address of the parties' side or the relay's: the loopback, or what
 * CONFORM_PARTY and CONFORM_RELAY say, "IPv4 IPv6". */
static struct addr home(const char *variable, sa_family_t family)
{
	const char *text = getenv(variable);
	const char *v6 = text ? strchr(text, ' ') : NULL;
	struct addr a = {0};
	struct slice s;

	if (!v6)
		s = slice_str(family == AF_INET ? "127.0.0.1" : "::1");
	else if (family == AF_INET)
		s = slice_make(text, (size_t)(v6 - text));
	else
		s = slice_str(v6 + 1);
	ck_assert_int_eq(addr_parse_ip(s, &a), 0);
	return a;
}

int conform_socket(sa_family_t family, int type, int protocol)
{
	const char *path = getenv("CONFORM_NETNS");
	int here = -1, there = -1, fd;

	if (path) {
		here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		there = open(path, O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(here, 0);
		ck_assert_int_ge(there, 0);
		ck_assert_int_eq(setns(there, CLONE_NEWNET), 0);
	}
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (path) {
		ck_assert_int_eq(setns(here, CLONE_NEWNET), 0);
		(void)close(here);
		(void)close(there);
	}
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void bind_at(int fd, const struct addr *a, struct addr *ret)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(addr_from_sockaddr(&ss, ret), 0);
}

int conform_bound(sa_family_t family, struct addr *ret)
{
	struct addr a = home("CONFORM_PARTY", family);
	int fd = conform_socket(family, SOCK_DGRAM, 0);
	int size = 1 << 20;

	/* A relay in the kernel delivers a burst before the test reads. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	bind_at(fd, &a, ret);
	return fd;
}

/* An even port whose neighbour is free too. The relay opens the pair a moment
 * later; who else binds on this machine is told by EXISTS or IO, and the
 * caller tries another. */
struct addr conform_free_pair(sa_family_t family)
{
	struct addr a = home("CONFORM_RELAY", family);

	for (;;) {
		int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		struct addr bound;

		bind_at(fd, &a, &bound);
		(void)close(fd);
		if (bound.port % 2 == 0)
			return bound;
	}
}

struct media_reply *conform_ask(const struct rig *r, const struct writer *rq)
{
	static struct media_reply reply;
	uint8_t out[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, out, sizeof(out));
	ck_assert_int_eq(
		media_request_do(r->media, r->owner, writer_slice(rq), &w), 0);
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &reply), 0);
	return &reply;
}

int rig_add(const struct rig *r)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_add(&w, 1, r->flow, 2);
	return conform_ask(r, &w)->err;
}

int rig_update(const struct rig *r, int leg)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_update(&w, 2, &r->flow[leg]);
	return conform_ask(r, &w)->err;
}

struct flow_stats rig_query(const struct rig *r, int leg)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct media_reply *reply;
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_query(&w, 3, r->flow[leg].id);
	reply = conform_ask(r, &w);
	ck_assert_int_eq(reply->err, 0);
	ck_assert_uint_eq(reply->stats_count, 1);
	return reply->stats[0];
}

struct flow_key conform_key(uint8_t seed)
{
	struct flow_key k = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80};

	memset(k.key, seed, 16);
	memset(k.salt, seed, 14);
	return k;
}

int rig_del(const struct rig *r, int leg)
{
	uint8_t bytes[MEDIA_WIRE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	media_wire_del(&w, 4, r->flow[leg].id);
	return conform_ask(r, &w)->err;
}

struct media *conform_media(const struct media_params *p)
{
	struct media_params with = *p;
	struct media_backend *b;
	struct media *m;

	ck_assert_int_eq(conform_backend->new (&p->socket, &b), 0);
	with.backend = &b;
	with.backend_count = 1;
	ck_assert_int_eq(media_new(&with, &m), 0);
	return m;
}

static struct rig make(struct media *m, uint64_t owner, sa_family_t family,
		       enum flow_latch latch, uint8_t seed)
{
	struct flow_key up = conform_key(seed);
	struct flow_key down = conform_key((uint8_t)(seed + 1));
	struct rig r = {.media = m, .owner = owner};
	int err = ERR_IO;

	for (int leg = 0; leg < 2; leg++) {
		struct flow *f = &r.flow[leg];

		r.fd[leg][0] = conform_bound(family, &r.self[leg][0]);
		r.fd[leg][1] = conform_bound(family, &r.self[leg][1]);
		f->id = (uint64_t)(seed + leg);
		f->peer_id = (uint64_t)(seed + 1 - leg);
		f->latch = latch;
		f->remote = r.self[leg][0];
		f->remote_rtcp = r.self[leg][1];
	}
	r.flow[0].out = down;
	r.flow[1].in = up;
	r.phone_out = rtp_srtp_new(&up);
	r.phone_in = rtp_srtp_new(&down);
	for (int i = 0; err == ERR_IO && i < 100; i++) {
		r.flow[0].local = conform_free_pair(family);
		r.flow[1].local = conform_free_pair(family);
		err = rig_add(&r);
	}
	ck_assert_int_eq(err, 0);
	return r;
}

struct rig rig_new(sa_family_t family, enum flow_latch latch)
{
	struct media_params p = {.socket = {.dscp = 46}};

	return make(conform_media(&p), 1, family, latch, 1);
}

struct rig rig_in(struct media *m, uint64_t owner, enum flow_latch latch,
		  uint8_t seed)
{
	return make(m, owner, AF_INET, latch, seed);
}

void rig_done(struct rig *r)
{
	for (int i = 0; i < 4; i++)
		(void)close(r->fd[i / 2][i % 2]);
	rtp_srtp_free(r->phone_out);
	rtp_srtp_free(r->phone_in);
}

void rig_free(struct rig *r)
{
	media_free(r->media);
	rig_done(r);
}

void conform_send(int fd, const struct addr *to, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(to, &ss);

	ck_assert_int_eq(
		sendto(fd, conform_buf, len, 0, (struct sockaddr *)&ss, ss_len),
		(ssize_t)len);
}

void rig_send(const struct rig *r, int leg, bool rtcp, size_t len)
{
	struct addr to =
		addr_with_port(&r->flow[leg].local,
			       (uint16_t)(r->flow[leg].local.port + rtcp));

	conform_send(r->fd[leg][rtcp], &to, len);
}

int conform_wait_ms(void)
{
	const char *times = getenv("CK_TIMEOUT_MULTIPLIER");
	int n = times ? (int)strtol(times, NULL, 10) : 1;

	return 5000 * (n > 0 && n <= 100 ? n : 1);
}

ssize_t conform_receive(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, conform_wait_ms()) != 1)
		return -1;
	return recv(fd, conform_buf, sizeof(conform_buf), 0);
}

size_t conform_rtp(uint16_t seq)
{
	memset(conform_buf, 0x5a, 172);
	memset(conform_buf, 0, 12);
	conform_buf[0] = 0x80;
	conform_buf[2] = (uint8_t)(seq >> 8);
	conform_buf[3] = (uint8_t)seq;
	return 172;
}

size_t conform_rtcp(void)
{
	memset(conform_buf, 0, 8);
	conform_buf[0] = 0x80;
	conform_buf[1] = 201;
	conform_buf[3] = 1;
	return 8;
}

size_t conform_srtp(struct rtp_srtp *s, uint16_t seq)
{
	size_t len = conform_rtp(seq);

	ck_assert_int_eq(
		rtp_srtp_protect(s, conform_buf, len, CONFORM_BUF, &len), 0);
	return len;
}

void conform_is_payload(void)
{
	for (int i = 12; i < 172; i++)
		ck_assert_uint_eq(conform_buf[i], 0x5a);
}

/* One RTP packet each way, checked at its end. */
void rig_talk(struct rig *r, uint16_t seq)
{
	size_t len;

	rig_send(r, 1, false, conform_srtp(r->phone_out, seq));
	ck_assert_int_eq(conform_receive(r->fd[0][0]), 172);
	conform_is_payload();
	rig_send(r, 0, false, conform_rtp(seq));
	ck_assert_int_eq(conform_receive(r->fd[1][0]), 182);
	ck_assert_int_eq(
		rtp_srtp_unprotect(r->phone_in, conform_buf, 182, &len), 0);
	ck_assert_uint_eq(len, 172);
	conform_is_payload();
}

int conform_run(const struct conform_backend *b, TCase *more)
{
	Suite *s = suite_create(b->name);

	conform_backend = b;
	suite_add_tcase(s, conform_stream_cases());
	suite_add_tcase(s, conform_suite_cases());
	suite_add_tcase(s, conform_attack_cases());
	suite_add_tcase(s, conform_join_cases());
	suite_add_tcase(s, conform_move_cases());
	if (more)
		suite_add_tcase(s, more);
	return run_suite(s);
}
