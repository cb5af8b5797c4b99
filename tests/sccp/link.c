/* See peer.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

enum { OUT_MAX = 1 << 20 };

static enum link_event down(struct link *l, const char *why)
{
	link_close(l);
	l->why = why;
	return LINK_CLOSED;
}

static void tls_begin(struct link *l, const struct link_params *p)
{
	if (gnutls_init(&l->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK))
		die("cannot make a TLS session");
	if (p->priority ? gnutls_priority_set_direct(l->tls, p->priority, NULL)
			: gnutls_set_default_priority(l->tls))
		die("bad TLS priority %s", p->priority ? p->priority : "");
	if (gnutls_credentials_set(l->tls, GNUTLS_CRD_CERTIFICATE, p->cred))
		die("bad TLS credentials");
	if (p->ticket && p->ticket->size > 0)
		(void)gnutls_session_set_data(l->tls, p->ticket->data,
					      p->ticket->size);
	gnutls_transport_set_int(l->tls, l->fd);
}

void link_connect(struct link *l, const struct link_params *p)
{
	int one = 1;

	memset(l, 0, sizeof(*l));
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		die("socket: %m");
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (p->local) {
		(void)setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
				 &one, sizeof(one));
		if (bind(l->fd, (const struct sockaddr *)p->local,
			 sizeof(*p->local)))
			die("bind: %m");
	}
	l->state = LINK_CONNECTING;
	/* a refusal at once is one later: the socket reports it again */
	(void)!connect(l->fd, (const struct sockaddr *)&p->server,
		       sizeof(p->server));
	if (p->cred)
		tls_begin(l, p);
}

void link_accept(struct link *l, int fd)
{
	int one = 1;

	memset(l, 0, sizeof(*l));
	l->fd = fd;
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->state = LINK_UP;
}

uint32_t link_wants(const struct link *l)
{
	bool is_writing = l->state == LINK_CONNECTING || l->out_len > 0 ||
			  (l->state == LINK_HANDSHAKE &&
			   gnutls_record_get_direction(l->tls));

	return EPOLLIN | (is_writing ? (uint32_t)EPOLLOUT : 0);
}

static ssize_t raw_recv(struct link *l, uint8_t *b, size_t cap)
{
	ssize_t n;

	if (!l->tls) {
		n = recv(l->fd, b, cap, 0);
		return n < 0 && errno == EAGAIN ? GNUTLS_E_AGAIN : n;
	}
	do
		n = gnutls_record_recv(l->tls, b, cap);
	while (n == GNUTLS_E_INTERRUPTED);
	return n;
}

static ssize_t raw_send(struct link *l, const uint8_t *b, size_t len)
{
	ssize_t n;

	if (l->tls)
		return gnutls_record_send(l->tls, b, len);
	n = send(l->fd, b, len, MSG_NOSIGNAL);
	return n < 0 && errno == EAGAIN ? GNUTLS_E_AGAIN : n;
}

static void flush_out(struct link *l)
{
	size_t done = 0;

	while (done < l->out_len) {
		ssize_t n = raw_send(l, l->out + done, l->out_len - done);

		if (n <= 0)
			break; /* what is wrong shows when it is read */
		done += (size_t)n;
	}
	l->out_len -= done;
	memmove(l->out, l->out + done, l->out_len);
	if (l->out_len == 0) {
		free(l->out);
		l->out = NULL;
	}
}

bool link_send(struct link *l, const uint8_t *b, size_t len)
{
	uint8_t *grown;

	if (l->state != LINK_UP || l->out_len + len > OUT_MAX)
		return false;
	grown = realloc(l->out, l->out_len + len);
	if (!grown)
		die("no memory");
	l->out = grown;
	memcpy(l->out + l->out_len, b, len);
	l->out_len += len;
	flush_out(l);
	return true;
}

/* The first whole message of what has come. */
static enum link_event take(struct link *l, struct pdu *ret)
{
	size_t len;

	if (l->in_len < PDU_HEAD)
		return LINK_MORE;
	len = (size_t)u32le(l->in) + PDU_HEAD;
	if (len > PDU_MAX || len < PDU_MIN)
		return down(l, "a message of a length that cannot be");
	if (l->in_len < len)
		return LINK_MORE;
	ret->len = len;
	memcpy(ret->b, l->in, len);
	l->in_len -= len;
	memmove(l->in, l->in + len, l->in_len);
	return LINK_PDU;
}

/* More bytes behind those that are there: LINK_PDU when some came. */
static enum link_event more(struct link *l)
{
	ssize_t n;

	if (!l->in)
		l->in = malloc(2 * PDU_MAX);
	if (!l->in)
		die("no memory");
	n = raw_recv(l, l->in + l->in_len, 2 * PDU_MAX - l->in_len);
	if (n == GNUTLS_E_AGAIN) {
		if (l->in_len == 0) {
			free(l->in);
			l->in = NULL;
		}
		return LINK_MORE;
	}
	if (n == 0)
		return down(l, "closed by the other side");
	if (n < 0)
		return down(l,
			    l->tls ? gnutls_strerror((int)n) : strerror(errno));
	l->in_len += (size_t)n;
	return LINK_PDU;
}

static enum link_event receive(struct link *l, struct pdu *ret)
{
	for (;;) {
		enum link_event event = take(l, ret);

		if (event != LINK_MORE)
			return event;
		event = more(l);
		if (event != LINK_PDU)
			return event;
	}
}

static enum link_event handshake(struct link *l)
{
	int err = gnutls_handshake(l->tls);

	if (err == GNUTLS_E_AGAIN || err == GNUTLS_E_INTERRUPTED)
		return LINK_MORE;
	if (err)
		return down(l, gnutls_strerror(err));
	l->state = LINK_UP;
	return LINK_OPEN;
}

static enum link_event connected(struct link *l)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) || err)
		return down(l, strerror(err));
	if (l->tls) {
		l->state = LINK_HANDSHAKE;
		return handshake(l);
	}
	l->state = LINK_UP;
	return LINK_OPEN;
}

enum link_event link_step(struct link *l, struct pdu *ret_pdu)
{
	switch (l->state) {
	case LINK_CONNECTING:
		return connected(l);
	case LINK_HANDSHAKE:
		return handshake(l);
	case LINK_UP:
		if (l->out_len > 0)
			flush_out(l);
		return receive(l, ret_pdu);
	case LINK_DOWN:
		break;
	}
	return LINK_MORE;
}

void link_close(struct link *l)
{
	if (l->state == LINK_DOWN)
		return;
	if (l->tls) {
		if (l->state == LINK_UP)
			(void)gnutls_bye(l->tls, GNUTLS_SHUT_WR);
		gnutls_deinit(l->tls);
	}
	(void)close(l->fd);
	free(l->in);
	free(l->out);
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

struct in_addr link_address(const struct link *l)
{
	struct sockaddr_in a = {0};
	socklen_t len = sizeof(a);

	(void)getsockname(l->fd, (struct sockaddr *)&a, &len);
	return a.sin_addr;
}
