#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "transport/internal.h"

enum { GROWTH_MAX = 3 }; /* doublings of the pause */

int transport_connector(struct transport *t, const struct transport_connect *p,
			struct handle *ret)
{
	struct connector *k;
	int err;

	if (p->proto == TRANSPORT_UDP || p->peer.family == ADDR_NONE ||
	    (p->proto == TRANSPORT_TLS) != (p->creds != NULL))
		return ERR_UNSUPPORTED;
	k = alloc_zero(sizeof(*k));
	if (!k)
		return ERR_NOMEM;
	k->proto = p->proto;
	k->peer = p->peer;
	k->local = p->local;
	k->dscp = p->dscp;
	if (p->expect_name) {
		k->expect_name = alloc_copy(slice_str(p->expect_name));
		if (!k->expect_name) {
			(void)alloc_free(k);
			return ERR_NOMEM;
		}
	}
	err = transport_ep_add(t, &k->ep, EP_CONNECTOR, p->tag);
	if (err) {
		(void)alloc_free(k->expect_name);
		(void)alloc_free(k);
		return err;
	}
	if (p->creds)
		k->creds = tls_creds_ref(p->creds);
	*ret = k->ep.h;
	return 0;
}

void connector_free(struct connector *k)
{
	struct transport *t = k->ep.t;

	(void)tls_creds_unref(k->creds);
	(void)alloc_free(k->expect_name);
	slots_del(&t->eps, k->ep.h);
	t->ep_count--;
	(void)alloc_free(k);
}

void transport_connector_del(struct transport *t, struct handle connector)
{
	struct connector *k = (struct connector *)(void *)transport_ep_find(
		t, connector, EP_CONNECTOR);
	struct ep *c;

	if (!k)
		return;
	c = transport_ep_find(t, k->conn, EP_CONN);
	connector_free(k);
	if (c)
		conn_close((struct conn *)(void *)c, "connector removed");
}

/* A socket whose connect() is under way, or ERR_IO with errno. */
static int start(const struct connector *k, int *ret_fd)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int on = 1;
	int saved;
	int fd = socket(k->peer.family == ADDR_V6 ? AF_INET6 : AF_INET,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return ERR_IO;
	transport_set_dscp(fd, k->peer.family, k->dscp);
	if (k->local.family != ADDR_NONE) {
		len = addr_to_sockaddr(&k->local, &ss);
		/* A port is free where no connection to the same peer has it,
		 * which only connect() knows. */
		if (k->local.port == 0)
			(void)setsockopt(fd, IPPROTO_IP,
					 IP_BIND_ADDRESS_NO_PORT, &on,
					 sizeof(on));
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) <
			    0 ||
		    bind(fd, (struct sockaddr *)&ss, len) < 0)
			goto fail;
	}
	len = addr_to_sockaddr(&k->peer, &ss);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 &&
	    errno != EINPROGRESS)
		goto fail;
	*ret_fd = fd;
	return 0;
fail:
	saved = errno;
	(void)close(fd);
	errno = saved;
	return ERR_IO;
}

/* A peer that is away is not hammered, and yet found soon after it is back. */
static void rest(struct connector *k, const char *why)
{
	struct transport *t = k->ep.t;
	char buf[ADDR_STR_MAX];

	t->stats.connect_failed++;
	k->rest_until_ms = loop_now_ms(t->loop) +
			   ((uint64_t)t->limits.retry_ms << k->failures);
	if (k->failures < GROWTH_MAX)
		k->failures++;
	if (transport_may_log(t))
		log_warn("transport: cannot connect: %s proto=%s peer=%s", why,
			 transport_proto_str(k->proto),
			 addr_str(&k->peer, buf));
}

void connector_up(struct transport *t, struct handle connector)
{
	struct connector *k = (struct connector *)(void *)transport_ep_find(
		t, connector, EP_CONNECTOR);

	if (k)
		k->failures = 0;
}

void connector_parted(struct transport *t, const struct conn *c)
{
	struct connector *k = (struct connector *)(void *)transport_ep_find(
		t, c->origin, EP_CONNECTOR);

	if (k && handle_eq(k->conn, c->ep.h))
		k->conn = HANDLE_NONE;
}

void connector_failed(struct transport *t, struct handle connector,
		      const char *reason)
{
	struct connector *k = (struct connector *)(void *)transport_ep_find(
		t, connector, EP_CONNECTOR);

	/* Removed meanwhile: nobody waits for the news. */
	if (!k)
		return;
	rest(k, reason);
	t->cb->connect_failed(t->ctx, connector, reason);
}

static int begin(struct connector *k, struct conn **ret)
{
	struct transport *t = k->ep.t;
	struct conn_params p = {.proto = k->proto,
				.is_outgoing = true,
				.tag = k->ep.tag,
				.origin = k->ep.h,
				.peer = k->peer,
				.creds = k->creds,
				.expect_name = k->expect_name};
	int err;

	if (loop_now_ms(t->loop) < k->rest_until_ms)
		return ERR_CLOSED;
	if (t->outgoing >= transport_outgoing_max(&t->limits)) {
		t->stats.refused_total++;
		return ERR_LIMIT;
	}
	if (start(k, &p.fd) != 0) {
		rest(k, strerror(errno));
		return ERR_CLOSED;
	}
	err = conn_new(t, &p, ret);
	if (err) {
		(void)close(p.fd);
		return err;
	}
	k->conn = (*ret)->ep.h;
	return 0;
}

int connector_send(struct connector *k, struct slice bytes)
{
	struct ep *ep = transport_ep_find(k->ep.t, k->conn, EP_CONN);
	struct conn *c = (struct conn *)(void *)ep;

	if (!c) {
		/* The news of the last one's end, which are on their way, are
		 * about all that was sent: nothing may be on a new one. */
		int err = handle_is_none(k->conn) ? begin(k, &c) : ERR_CLOSED;

		if (err)
			return err;
	}
	return conn_send(c, bytes);
}
