#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "transport/internal.h"

enum {
	BACKLOG = 512,
	ACCEPT_ROUND = 32, /* connections accepted per loop round */
	PAUSE_MS = 100	   /* after running out of descriptors */
};

static int set_int(int fd, int level, int name, int v)
{
	return setsockopt(fd, level, name, &v, sizeof(v));
}

int transport_bind(enum transport_proto proto, const struct addr *addr,
		   bool reuse_port, int *ret_fd)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, &ss);
	bool is_stream = proto != TRANSPORT_UDP;
	int saved;
	int fd;

	fd = socket(addr->family == ADDR_V6 ? AF_INET6 : AF_INET,
		    (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK |
			    SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		return ERR_IO;
	/* For datagrams SO_REUSEADDR would let a second process share the
	 * port silently; for streams it only skips TIME_WAIT. */
	if ((is_stream && set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0) ||
	    (reuse_port && set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
	    (addr->family == ADDR_V6 &&
	     set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    (is_stream && listen(fd, BACKLOG) < 0)) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

void transport_set_dscp(int fd, enum addr_family family, uint8_t dscp)
{
	int rc;

	if (dscp == 0)
		return;
	/* RFC 2474: the upper six bits of the octet. */
	rc = family == ADDR_V6
		     ? set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, dscp << 2)
		     : set_int(fd, IPPROTO_IP, IP_TOS, dscp << 2);
	if (rc < 0)
		log_warn("transport: cannot set DSCP value=%u error=%s", dscp,
			 strerror(errno));
}

/* A connection refused before it began: one line, rate-limited. */
static void log_refusal(struct listener *l, const struct addr *peer,
			const uint64_t *counter)
{
	struct transport *t = l->ep.t;
	const struct transport_stats *s = &t->stats;
	char buf[ADDR_STR_MAX];
	const char *why = "cannot be taken over";

	if (!transport_may_log(t))
		return;
	if (counter == &s->refused_total)
		why = "connection limit reached";
	else if (counter == &s->refused_source)
		why = "connection limit of the source reached";
	else if (counter == &s->refused_pending_source)
		why = "too many unauthenticated connections of the source";
	log_warn("transport: connection refused: %s proto=%s peer=%s", why,
		 transport_proto_str(l->proto), addr_str(peer, buf));
}

/* Take over an accepted descriptor or close it. */
static void take(struct listener *l, int fd, const struct addr *peer)
{
	struct transport *t = l->ep.t;
	struct conn_params p = {.fd = fd,
				.proto = l->proto,
				.tag = l->ep.tag,
				.origin = l->ep.h,
				.peer = *peer,
				.creds = l->creds};
	uint64_t *counter = &t->stats.accept_errors;
	struct conn *c;

	if (t->stats.conns >= t->limits.conn_max) {
		counter = &t->stats.refused_total;
		goto refuse;
	}
	if (!l->is_trusted) {
		p.source = source_take(t, peer, &counter);
		if (!p.source)
			goto refuse;
		p.is_pending = true;
	}
	transport_set_dscp(fd, peer->family, l->dscp);
	if (conn_new(t, &p, &c) != 0) {
		if (p.source)
			source_drop(t, p.source);
		goto refuse;
	}
	t->stats.accepted++;
	return;
refuse:
	(*counter)++;
	log_refusal(l, peer, counter);
	(void)close(fd);
}

static void on_pause_over(void *arg)
{
	struct listener *l = arg;

	if (list_empty(&l->wait_node))
		loop_fd_set(l->ep.t->loop, &l->w, LOOP_READ);
}

/* Without descriptors the listener stays readable: rest, do not spin. */
static void pause_listener(struct listener *l)
{
	struct transport *t = l->ep.t;

	t->stats.accept_errors++;
	if (transport_may_log(t))
		log_error("transport: accept failed error=%s", strerror(errno));
	if (loop_timer_set(t->loop, &l->pause,
			   loop_now_ms(t->loop) + PAUSE_MS) == 0)
		loop_fd_set(t->loop, &l->w, 0);
}

/*
 * As many connections are unauthenticated as may be: further ones wait in the
 * kernel. After a restart all phones come at once, and turning them away would
 * only make them come again. TLS and plain connections are counted apart: who
 * opens plain ones and says nothing keeps nobody from TLS.
 */
static bool must_wait(struct listener *l)
{
	struct transport *t = l->ep.t;

	if (l->is_trusted || t->pending[l->proto] < t->limits.pending_max)
		return false;
	t->stats.accept_waits++;
	loop_fd_set(t->loop, &l->w, 0);
	list_append(&t->waiting, &l->wait_node);
	if (transport_may_log(t))
		log_warn("transport: too many unauthenticated connections, "
			 "more have to wait count=%u",
			 t->pending[l->proto]);
	return true;
}

void listeners_wake(struct transport *t)
{
	while (!list_empty(&t->waiting)) {
		struct listener *l =
			LIST_ENTRY(t->waiting.next, struct listener, wait_node);

		list_del(&l->wait_node);
		loop_fd_set(t->loop, &l->w, LOOP_READ);
	}
}

static bool is_shortage(int e)
{
	return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

/* One connection; false when there is nothing more to do for now. */
static bool accept_one(struct listener *l)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct addr peer;
	int fd = accept4(l->w.fd, (struct sockaddr *)&ss, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && errno == EAGAIN)
		return false;
	if (fd < 0 && is_shortage(errno)) {
		pause_listener(l);
		return false;
	}
	if (fd < 0) {
		/* The peer reset it meanwhile: next one. */
		l->ep.t->stats.accept_errors++;
	} else if (addr_from_sockaddr(&ss, &peer) != 0) {
		l->ep.t->stats.accept_errors++;
		(void)close(fd);
	} else {
		take(l, fd, &peer);
	}
	return true;
}

static void on_accept(void *arg, uint32_t events)
{
	struct listener *l = arg;

	(void)events;
	for (int i = 0; i < ACCEPT_ROUND; i++)
		if (must_wait(l) || !accept_one(l))
			return;
}

static int local_of(int fd, struct addr *ret)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return ERR_IO;
	return addr_from_sockaddr(&ss, ret) == 0 ? 0 : ERR_IO;
}

int transport_listen(struct transport *t, const struct transport_listen *p,
		     struct handle *ret)
{
	struct listener *l;
	int err;

	if (p->proto == TRANSPORT_UDP)
		return dgram_listen(t, p, ret);
	if ((p->proto == TRANSPORT_TLS) != (p->creds != NULL))
		return ERR_UNSUPPORTED;
	l = alloc_zero(sizeof(*l));
	if (!l)
		return ERR_NOMEM;
	l->w.fd = -1;
	l->proto = p->proto;
	l->dscp = p->dscp;
	l->is_trusted = p->is_trusted;
	list_init(&l->wait_node);
	loop_timer_init(&l->pause, on_pause_over, l);
	err = local_of(p->fd, &l->local);
	if (!err)
		err = transport_ep_add(t, &l->ep, EP_LISTENER, p->tag);
	if (err) {
		(void)alloc_free(l);
		return err;
	}
	err = loop_fd_add(t->loop, &l->w, p->fd, LOOP_READ, on_accept, l);
	if (err) {
		listener_free(l);
		return err;
	}
	if (p->creds)
		l->creds = tls_creds_ref(p->creds);
	*ret = l->ep.h;
	return 0;
}

int transport_set_creds(struct transport *t, struct handle ep,
			struct tls_creds *creds)
{
	struct listener *l = (struct listener *)(void *)transport_ep_find(
		t, ep, EP_LISTENER);
	struct connector *k = (struct connector *)(void *)transport_ep_find(
		t, ep, EP_CONNECTOR);
	struct tls_creds **at = l ? &l->creds : k ? &k->creds : NULL;

	if (!at || !*at)
		return ERR_NOTFOUND;
	(void)tls_creds_ref(creds);
	(void)tls_creds_unref(*at);
	*at = creds;
	return 0;
}

void listener_free(struct listener *l)
{
	struct transport *t = l->ep.t;
	int fd = l->w.fd;

	loop_fd_del(t->loop, &l->w);
	loop_timer_clear(t->loop, &l->pause);
	list_del(&l->wait_node);
	if (fd >= 0)
		(void)close(fd);
	(void)tls_creds_unref(l->creds);
	slots_del(&t->eps, l->ep.h);
	t->ep_count--;
	(void)alloc_free(l);
}

void transport_unlisten(struct transport *t, struct handle listener)
{
	struct ep *ep = slots_find(&t->eps, listener);

	if (ep && ep->kind == EP_LISTENER)
		listener_free((struct listener *)(void *)ep);
	else if (ep && ep->kind == EP_DGRAM)
		dgram_free((struct dgram *)(void *)ep);
}
