#include "unit/transport/rig.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct loop *loop;
struct transport *t;
struct seen seen;
uint64_t now_ms;
struct test_cert *ca;
struct test_cert *server_cert;
struct test_cert *phone;
struct keyring *ring;

static uint64_t clock_fn(void *arg)
{
	(void)arg;
	return now_ms;
}

static void on_up(void *ctx, struct handle conn,
		  const struct transport_peer *peer)
{
	struct seen *s = ctx;

	s->ups++;
	s->conn = conn;
	s->origin = peer->origin;
	s->tag = peer->tag;
	s->is_outgoing = peer->is_outgoing;
	s->has_tls = peer->tls != NULL;
	s->has_cert = peer->tls && peer->tls->peer_cert.len > 0;
	if (!peer->is_outgoing)
		return;
	if (s->greeting) {
		struct dest d = {.ep = conn};

		ck_assert_int_eq(transport_send(t, &d, slice_str(s->greeting)),
				 0);
	}
	if (s->parts)
		transport_close(t, conn, "not whom we meant");
}

static long on_data(void *ctx, struct handle conn, const uint8_t *buf,
		    size_t len, const char **reterr_reason)
{
	struct seen *s = ctx;
	size_t n = s->eats_all ? len : len >= UNIT_LEN ? UNIT_LEN : 0;

	if (s->holds)
		return 0;
	if (n > 0 && buf[0] == 'T') {
		if (!transport_turn(t))
			return ERR_MORE;
		s->turns++;
	}
	if (s->refuses) {
		*reterr_reason = "not what we speak";
		return ERR_BAD;
	}
	if (s->closes)
		transport_close(t, conn, "enough");
	if (n > 0 && s->len + n < sizeof(s->text)) {
		memcpy(s->text + s->len, buf, n);
		s->len += n;
	}
	return (long)n;
}

static void on_datagram(void *ctx, uint32_t tag, const struct dest *from,
			struct slice bytes)
{
	struct seen *s = ctx;

	s->datagrams++;
	s->tag = tag;
	s->from = *from;
	if (bytes.len < sizeof(s->dgram)) {
		memcpy(s->dgram, bytes.ptr, bytes.len);
		s->dgram_len = bytes.len;
	}
}

static void on_down(void *ctx, struct handle conn, const char *reason)
{
	struct seen *s = ctx;
	struct transport_peer peer;

	s->downs++;
	/* The handle is stale already. */
	ck_assert_int_eq(transport_peer(t, conn, &peer), ERR_NOTFOUND);
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static void on_failed(void *ctx, struct handle connector, const char *reason)
{
	struct seen *s = ctx;

	s->failed++;
	s->origin = connector;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

const struct transport_cb cb = {.conn_up = on_up,
				.data = on_data,
				.datagram = on_datagram,
				.conn_down = on_down,
				.connect_failed = on_failed};

const struct transport_stats *stats(void)
{
	return transport_stats(t);
}

void start(struct transport_limits limits)
{
	struct transport_params p = {
		.loop = loop, .cb = &cb, .ctx = &seen, .limits = limits};

	ck_assert_int_eq(transport_new(&p, &t), 0);
}

void set_up(void)
{
	seen = (struct seen){.eats_all = false};
	ck_assert_int_eq(tls_global_init(), 0);
	ck_assert_int_eq(loop_new(&loop), 0);
	now_ms = 1000000;
	loop_set_clock(loop, clock_fn, NULL);
}

void tear_down(void)
{
	t = transport_free(t);
	loop = loop_free(loop);
}

void set_up_tls(void)
{
	set_up();
	ca = test_cert_new(
		&(struct test_cert_spec){.cn = "Test CA", .is_ca = true});
	server_cert = test_cert_new(
		&(struct test_cert_spec){.cn = "proxy", .issuer = ca});
	phone = test_cert_new(&(struct test_cert_spec){.cn = "SEP001122334455",
						       .issuer = ca});
	ck_assert_int_eq(keyring_new(&ring), 0);
	ck_assert_int_eq(keyring_add(ring, slice_str("server"),
				     test_datum(&server_cert->key_pem)),
			 0);
	ck_assert_int_eq(keyring_add(ring, slice_str("phone"),
				     test_datum(&phone->key_pem)),
			 0);
}

void tear_down_tls(void)
{
	tear_down();
	ring = keyring_free(ring);
	test_cert_free(phone);
	test_cert_free(server_cert);
	test_cert_free(ca);
}

/* One round of the loop, waiting at most 10 ms for a descriptor. */
void step(void)
{
	ck_assert_int_eq(loop_step(loop, 10), 0);
}

struct addr loopback(uint16_t port)
{
	struct addr a = {.family = ADDR_V4, .ip = {127, 0, 0, 1}, .port = port};

	return a;
}

struct handle listen_on(enum transport_proto proto, struct tls_creds *creds,
			bool is_trusted, struct addr *ret)
{
	struct addr any = loopback(0);
	struct transport_listen p = {.proto = proto,
				     .tag = 7,
				     .creds = creds,
				     .is_trusted = is_trusted,
				     .dscp = 24};
	struct handle h;

	ck_assert_int_eq(transport_bind(proto, &any, true, &p.fd), 0);
	ck_assert_int_eq(transport_listen(t, &p, &h), 0);
	ck_assert_int_eq(transport_local(t, h, ret), 0);
	ck_assert_uint_ne(ret->port, 0);
	return h;
}

int dial(const struct addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (long)strlen(text));
}

/* What has come on fd without waiting; 0 = closed, -1 = nothing. */
long hear(int fd, char *buf, size_t cap)
{
	return recv(fd, buf, cap, MSG_DONTWAIT);
}

bool is_closed(int fd)
{
	char c;
	long n = hear(fd, &c, 1);

	return n == 0 || (n < 0 && errno != EAGAIN);
}
