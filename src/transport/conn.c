#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "log/log.h"
#include "transport/internal.h"

/*
 *	           TCP
 *	(accept) -------------------------> UP
 *	    |  TLS                           ^  \ close, refusal
 *	    +--------------> HANDSHAKE ------+   +--> LINGER --> DEAD (freed)
 *	(connect)--> CONNECTING --^ TLS      ^
 *	                  \______ TCP _______/
 *
 * Every state but UP leads to DEAD on error or deadline. Memory is freed by
 * the work item of DEAD alone, so no caller further up the stack loses its
 * object.
 */

enum {
	USER_TIMEOUT_MS = 30000, /* unacknowledged data: the peer is gone */
	DN_MAX = 512
};

static void on_event(void *arg, uint32_t events);
static void on_timer(void *arg);
static void on_work(void *arg);
static void deliver(struct conn *c);

static void set_options(int fd)
{
	int on = 1;
	int timeout = USER_TIMEOUT_MS;

	/* Best effort: without them the connection still works. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
			 sizeof(timeout));
}

static bool has_out(const struct conn *c)
{
	if (c->tls)
		return tls_session_out(c->tls).len > 0;
	return c->out.len > 0;
}

/* For its turn. */
static bool is_waiting(const struct conn *c)
{
	return !list_empty(&c->turn_node);
}

static void want(struct conn *c)
{
	struct loop *loop = c->ep.t->loop;
	uint32_t events = c->state == CONN_CONNECTING ? 0 : LOOP_READ;

	if (is_waiting(c)) /* read again when its turn comes */
		events = 0;
	if (c->state == CONN_CONNECTING || (has_out(c) && !c->is_shut))
		events |= LOOP_WRITE;
	if (events)
		loop_fd_set(loop, &c->w, events);
	else
		loop_fd_pause(loop, &c->w);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* When the present state has lasted long enough; *ret_counter counts it. */
static uint64_t deadline(const struct conn *c, uint64_t **ret_counter,
			 const char **ret_reason)
{
	struct transport *t = c->ep.t;
	const struct transport_limits *l = &t->limits;
	/* While we do not read, silence says nothing. */
	uint64_t at =
		(is_waiting(c) ? loop_now_ms(t->loop) : c->rx_ms) + l->idle_ms;

	if (c->state == CONN_CONNECTING || c->state == CONN_HANDSHAKE) {
		*ret_counter = &t->stats.timeout_handshake;
		*ret_reason = c->state == CONN_CONNECTING
				      ? "connect timed out"
				      : "TLS handshake timed out";
		return c->since_ms + l->handshake_ms;
	}
	if (c->state == CONN_LINGER) {
		*ret_counter = NULL;
		*ret_reason = c->reason;
		return c->since_ms + l->linger_ms;
	}
	*ret_counter = &t->stats.timeout_idle;
	*ret_reason = "idle for too long";
	if (!c->is_first_done && !c->is_outgoing &&
	    c->since_ms + l->first_ms < at) {
		at = c->since_ms + l->first_ms;
		*ret_counter = &t->stats.timeout_first;
		*ret_reason = "no message in time";
	}
	if (c->unit_ms > 0 && c->unit_ms + l->rest_ms < at) {
		at = c->unit_ms + l->rest_ms;
		*ret_counter = &t->stats.timeout_rest;
		*ret_reason = "message was not completed in time";
	}
	return at;
}

/* The account of limits is settled when the descriptor is closed. */
static void settle(struct conn *c)
{
	struct transport *t = c->ep.t;

	if (!c->is_counted)
		return;
	conn_trust(c);
	if (c->source)
		source_drop(t, c->source);
	c->source = NULL;
	c->is_counted = false;
	t->stats.conns--;
	t->outgoing -= c->is_outgoing;
}

static void close_fd(struct conn *c)
{
	int fd = c->w.fd;

	loop_fd_del(c->ep.t->loop, &c->w);
	if (fd >= 0)
		(void)close(fd);
	settle(c);
}

/* Over: close now, tell and free from the loop. */
static void end(struct conn *c, const char *reason)
{
	struct transport *t = c->ep.t;

	if (c->state == CONN_DEAD)
		return;
	slots_del(&t->eps, c->ep.h);
	list_del(&c->turn_node);
	close_fd(c);
	loop_timer_clear(t->loop, &c->timer);
	if (c->state != CONN_LINGER)
		c->reason = reason;
	c->state = CONN_DEAD;
	loop_work_add(t->loop, &c->work);
}

static void count_end(struct conn *c, uint64_t *counter, const char *reason)
{
	if (c->state != CONN_LINGER && c->state != CONN_DEAD)
		(*counter)++;
	end(c, reason);
}

/* Make sure that the timer does not come later than the deadline. */
static void arm(struct conn *c)
{
	struct transport *t = c->ep.t;
	uint64_t *counter;
	const char *reason;
	uint64_t at;

	if (c->state == CONN_DEAD)
		return;
	at = deadline(c, &counter, &reason);
	if (c->timer.node.pos != TIMERQ_NONE && c->timer.node.at_ms <= at)
		return;
	if (loop_timer_set(t->loop, &c->timer, at) != 0)
		count_end(c, &t->stats.closed_by_error, "no memory");
}

static void on_timer(void *arg)
{
	struct conn *c = arg;
	uint64_t *counter;
	const char *reason;
	uint64_t at = deadline(c, &counter, &reason);

	if (loop_now_ms(c->ep.t->loop) < at) {
		arm(c);
		return;
	}
	if (counter)
		(*counter)++;
	end(c, reason);
}

/* Send what waits. */
static void flush(struct conn *c)
{
	struct transport *t = c->ep.t;

	while (c->w.fd >= 0 && !c->is_shut && has_out(c)) {
		struct slice s =
			c->tls ? tls_session_out(c->tls) : buf_slice(&c->out);
		ssize_t n = send(c->w.fd, s.ptr, s.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN))
			break;
		if (n < 0) {
			count_end(c, &t->stats.closed_by_error,
				  "connection broken");
			return;
		}
		t->stats.bytes_out += (uint64_t)n;
		if (c->tls)
			tls_session_sent(c->tls, (size_t)n);
		else
			buf_drop(&c->out, (size_t)n);
	}
	if (c->state == CONN_LINGER && !has_out(c) && !c->is_shut) {
		/* Reading until the peer's end keeps the kernel from sending a
		 * reset that would overtake our last bytes. */
		c->is_shut = true;
		(void)shutdown(c->w.fd, SHUT_WR);
	}
	want(c);
}

/* End politely: flush first; the handle is stale from now on. */
static void linger(struct conn *c, const char *reason)
{
	struct transport *t = c->ep.t;

	slots_del(&t->eps, c->ep.h);
	list_del(&c->turn_node);
	c->state = CONN_LINGER;
	c->reason = reason;
	c->since_ms = loop_now_ms(t->loop);
	loop_work_add(t->loop, &c->work);
	flush(c);
	arm(c);
}

void conn_close(struct conn *c, const char *reason)
{
	if (c->state == CONN_UP) {
		if (c->is_held)
			buf_done(&c->out);
		if (c->tls)
			tls_session_bye(c->tls);
		linger(c, reason);
	} else if (c->state != CONN_LINGER) {
		end(c, reason);
	}
}

void conn_resume(struct conn *c)
{
	if (c->state == CONN_UP)
		loop_work_add(c->ep.t->loop, &c->work);
}

/* The work item of a connection that is up: what waits is offered again. */
static void on_resumed(struct conn *c)
{
	deliver(c);
	if (c->state != CONN_UP)
		return;
	flush(c);
	arm(c);
}

/* The work item: tell the caller once, free when dead. */
static void on_work(void *arg)
{
	struct conn *c = arg;
	struct transport *t = c->ep.t;

	if (c->state == CONN_UP) {
		on_resumed(c);
		return;
	}
	if (!c->is_told) {
		c->is_told = true;
		connector_parted(t, c);
		if (c->was_up)
			t->cb->conn_down(t->ctx, c->ep.h, c->reason);
		else if (c->is_outgoing)
			connector_failed(t, c->origin, c->reason);
	}
	if (c->state == CONN_DEAD)
		conn_free(c);
}

void conn_free(struct conn *c)
{
	struct transport *t = c->ep.t;

	slots_del(&t->eps, c->ep.h);
	close_fd(c);
	loop_timer_clear(t->loop, &c->timer);
	loop_work_del(&c->work);
	list_del(&c->turn_node);
	list_del(&c->node);
	(void)tls_session_free(c->tls);
	buf_done(&c->in);
	buf_done(&c->out);
	(void)alloc_free(c);
}

void conn_trust(struct conn *c)
{
	if (!c->is_pending)
		return;
	c->is_pending = false;
	c->ep.t->stats.pending--;
	c->ep.t->pending[c->proto]--;
	if (c->source)
		c->source->pending--;
	listeners_wake(c->ep.t);
}

void conn_peer(const struct conn *c, struct transport_peer *ret)
{
	*ret = (struct transport_peer){
		.proto = c->proto,
		.tag = c->ep.tag,
		.origin = c->origin,
		.is_outgoing = c->is_outgoing,
		.peer = c->peer,
		.local = c->local,
		.tls = c->tls ? tls_session_facts(c->tls) : NULL,
	};
}

/* The caller does not want this stream. */
static void reject(struct conn *c, const char *reason)
{
	/* It may have closed the connection itself meanwhile. */
	if (c->state != CONN_UP)
		return;
	c->ep.t->stats.closed_by_caller++;
	conn_close(c, reason);
}

/* Hand the waiting plaintext to the caller until it wants more. */
static void deliver(struct conn *c)
{
	struct transport *t = c->ep.t;
	bool is_moved = false;

	while (c->state == CONN_UP && c->in.len > 0) {
		struct slice s = buf_slice(&c->in);
		const char *reason = "refused";
		long n = t->cb->data(t->ctx, c->ep.h, s.ptr, s.len, &reason);

		if (n == ERR_MORE) {
			/* The unit is complete: no deadline of its own runs. */
			c->is_first_done = true;
			c->unit_ms = 0;
			turn_wait(c, TURN_UNIT);
			return;
		}
		if (n < 0) {
			reject(c, reason);
			return;
		}
		if (n == 0)
			break;
		is_moved = true;
		c->is_first_done = true;
		buf_drop(&c->in, (size_t)n);
	}
	if (c->in.len == 0)
		c->unit_ms = 0;
	else if (is_moved || c->unit_ms == 0)
		c->unit_ms = loop_now_ms(t->loop);
}

/*
 * Read what the socket has into buf. 0 and *ret_len; ERR_MORE when there is
 * nothing; ERR_CLOSED; ERR_IO.
 */
static int receive(struct conn *c, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct transport *t = c->ep.t;
	ssize_t n;

	do
		n = recv(c->w.fd, buf, cap, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? ERR_MORE : ERR_IO;
	if (n == 0)
		return ERR_CLOSED;
	t->stats.bytes_in += (uint64_t)n;
	c->rx_ms = loop_now_ms(t->loop);
	*ret_len = (size_t)n;
	return 0;
}

/* Ciphertext from the socket into the session; errors as receive. */
static int feed(struct conn *c)
{
	struct transport *t = c->ep.t;
	size_t n = 0;
	int err = receive(c, t->scratch, SCRATCH_LEN, &n);

	if (err == ERR_CLOSED)
		tls_session_feed_end(c->tls);
	if (err)
		return err;
	return tls_session_feed(c->tls, slice_make(t->scratch, n));
}

/* Some plaintext from c into buf; errors as receive. */
static int read_plain(struct conn *c, uint8_t *buf, size_t cap, size_t *budget,
		      size_t *ret_len)
{
	int err;

	if (!c->tls) {
		if (*budget == 0)
			return ERR_MORE;
		err = receive(c, buf, cap, ret_len);
		if (!err)
			*budget -= min_size(*budget, *ret_len);
		return err;
	}
	/* What GnuTLS holds must be taken now: no event announces it. */
	for (;;) {
		err = tls_session_read(c->tls, buf, cap, ret_len);
		if (err != ERR_MORE)
			return err == ERR_BAD ? ERR_IO : err;
		if (*budget == 0)
			return ERR_MORE;
		err = feed(c);
		if (err && err != ERR_CLOSED)
			return err;
		*budget -= min_size(*budget, SCRATCH_LEN);
	}
}

static void on_readable(struct conn *c)
{
	struct transport *t = c->ep.t;
	uint8_t *buf = t->scratch + SCRATCH_LEN;
	size_t budget = READ_ROUND;
	int err = 0;

	while (c->state == CONN_UP && !is_waiting(c)) {
		size_t room = t->limits.read_max - c->in.len;
		size_t n = 0;

		if (c->in.len >= t->limits.read_max) {
			t->stats.closed_read_limit++;
			conn_close(c, "message longer than the limit");
			return;
		}
		err = read_plain(c, buf,
				 room < SCRATCH_LEN ? room : SCRATCH_LEN,
				 &budget, &n);
		if (err)
			break;
		err = buf_add(&c->in, slice_make(buf, n), t->limits.read_max);
		secret_wipe(buf, n);
		if (err)
			break;
		deliver(c);
	}
	if (c->state != CONN_UP)
		return;
	if (err == ERR_CLOSED) {
		count_end(c, &t->stats.closed_by_peer, "closed by the peer");
	} else if (err && err != ERR_MORE) {
		flush(c); /* an alert, perhaps */
		count_end(c, &t->stats.closed_by_error, "connection broken");
	} else {
		flush(c);
		arm(c);
	}
}

/* The caller wants this peer: it gets what has waited for it. */
static void release(struct conn *c)
{
	c->is_held = false;
	if (c->tls && c->out.len > 0) {
		if (tls_session_write(c->tls, buf_slice(&c->out)) != 0) {
			count_end(c, &c->ep.t->stats.closed_by_error,
				  "cannot encrypt");
			return;
		}
		buf_done(&c->out);
	}
	flush(c);
	arm(c);
}

/* The connection can be used. */
static void go_up(struct conn *c)
{
	struct transport *t = c->ep.t;
	const struct tls_facts *f = c->tls ? tls_session_facts(c->tls) : NULL;
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct transport_peer peer;

	/* A refused local address only hurts logs; it stays unset. */
	if (getsockname(c->w.fd, (struct sockaddr *)&ss, &len) < 0 ||
	    addr_from_sockaddr(&ss, &c->local) != 0)
		c->local = (struct addr){.family = ADDR_NONE};
	c->state = CONN_UP;
	c->since_ms = loop_now_ms(t->loop);
	c->rx_ms = c->since_ms;
	c->was_up = true;
	if (c->is_outgoing) {
		t->stats.connected++;
		connector_up(t, c->origin);
	}
	if (f) {
		t->stats.tls_up++;
		t->stats.tls_null += f->is_null;
		t->stats.tls_resumed += f->is_resumed;
		if (f->peer_cert.len > 0)
			conn_trust(c);
	}
	conn_peer(c, &peer);
	/* What was queued for the connector may be secret, and only conn_up
	 * knows whether this peer may have it (RFC 5922 section 7.3). */
	c->is_held = c->out.len > 0;
	t->cb->conn_up(t->ctx, c->ep.h, &peer);
	if (c->state == CONN_UP)
		release(c);
}

static void log_refused(struct conn *c)
{
	struct transport *t = c->ep.t;
	char addr[ADDR_STR_MAX];
	char dn[DN_MAX];
	char quoted[LOG_QUOTE_MAX];

	if (!transport_may_log(t))
		return;
	(void)tls_cert_subject(tls_session_refused_cert(c->tls), dn,
			       sizeof(dn));
	log_warn("transport: TLS refused: %s reason=%s peer=%s subject=\"%s\"",
		 tls_session_reason(c->tls),
		 tls_refusal_str(tls_session_refusal(c->tls)),
		 addr_str(&c->peer, addr), log_quote(slice_str(dn), quoted));
}

static void on_handshake(struct conn *c)
{
	struct transport *t = c->ep.t;
	int err;

	for (;;) {
		err = tls_session_handshake(c->tls);
		if (err != ERR_MORE)
			break;
		flush(c);
		if (c->state != CONN_HANDSHAKE)
			return;
		err = feed(c);
		if (err == ERR_MORE)
			return;
		if (err && err != ERR_CLOSED) {
			count_end(c, &t->stats.closed_by_error,
				  "connection broken in the TLS handshake");
			return;
		}
	}
	if (err == 0) {
		flush(c);
		if (c->state != CONN_HANDSHAKE)
			return;
		go_up(c);
		if (c->state == CONN_UP)
			on_readable(c);
		return;
	}
	if (err == ERR_CLOSED) {
		count_end(c, &t->stats.closed_by_peer,
			  "closed by the peer in the TLS handshake");
		return;
	}
	t->stats.tls_refused[tls_session_refusal(c->tls)]++;
	log_refused(c);
	linger(c, tls_session_reason(c->tls));
}

static void on_connected(struct conn *c)
{
	int e = 0;
	socklen_t len = sizeof(e);

	if (getsockopt(c->w.fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e != 0) {
		/* strerror's texts for known numbers are static. */
		end(c, strerror(e));
		return;
	}
	if (c->tls) {
		c->state = CONN_HANDSHAKE;
		turn_wait(c, TURN_HANDSHAKE);
	} else {
		go_up(c);
	}
}

/* Throw away what still comes until the peer's end. */
static void on_linger(struct conn *c)
{
	struct transport *t = c->ep.t;
	size_t n;
	int err = 0;

	for (int i = 0; i < 8 && !err; i++)
		err = receive(c, t->scratch, SCRATCH_LEN, &n);
	if (err && err != ERR_MORE)
		end(c, c->reason);
}

static void on_event(void *arg, uint32_t events)
{
	struct conn *c = arg;

	if (is_waiting(c)) {
		/* Broken or closed: its turn will tell. */
		if (events & LOOP_END)
			loop_fd_pause(c->ep.t->loop, &c->w);
		else if (events & LOOP_WRITE)
			flush(c);
		return;
	}
	switch (c->state) {
	case CONN_CONNECTING:
		on_connected(c);
		break;
	case CONN_HANDSHAKE:
		turn_wait(c, TURN_HANDSHAKE);
		break;
	case CONN_UP:
		if (events & LOOP_END) {
			turn_wait(c, TURN_PARTING);
			break;
		}
		if (events & LOOP_WRITE)
			flush(c);
		if (c->state == CONN_UP && (events & (LOOP_READ | LOOP_ERROR)))
			on_readable(c);
		break;
	case CONN_LINGER:
		if (events & LOOP_WRITE)
			flush(c);
		if (c->state == CONN_LINGER)
			on_linger(c);
		break;
	case CONN_DEAD:
		break;
	}
}

void conn_turn(struct conn *c, enum turn kind)
{
	if (kind == TURN_HANDSHAKE) {
		on_handshake(c);
		if (c->state == CONN_HANDSHAKE)
			want(c);
		return;
	}
	c->rx_ms = loop_now_ms(c->ep.t->loop); /* it was not read before */
	deliver(c);
	/* Also what GnuTLS holds by now, which no event announces. */
	if (c->state == CONN_UP)
		on_readable(c);
}

int conn_new(struct transport *t, const struct conn_params *p,
	     struct conn **ret)
{
	struct conn *c = alloc_zero(sizeof(*c));
	int err = ERR_NOMEM;

	if (!c)
		return ERR_NOMEM;
	list_init(&c->node);
	list_init(&c->turn_node);
	loop_work_init(&c->work, on_work, c);
	loop_timer_init(&c->timer, on_timer, c);
	c->w.fd = -1;
	c->proto = p->proto;
	c->is_outgoing = p->is_outgoing;
	c->origin = p->origin;
	c->peer = p->peer;
	c->since_ms = loop_now_ms(t->loop);
	c->rx_ms = c->since_ms;
	c->state = p->is_outgoing ? CONN_CONNECTING
		   : p->creds	  ? CONN_HANDSHAKE
				  : CONN_UP;
	if (p->creds) {
		err = tls_session_new(p->creds,
				      p->is_outgoing ? TLS_CLIENT : TLS_SERVER,
				      p->expect_name, &c->tls);
		if (err)
			goto out;
	}
	err = transport_ep_add(t, &c->ep, EP_CONN, p->tag);
	if (err)
		goto out;
	set_options(p->fd);
	err = loop_fd_add(t->loop, &c->w, p->fd,
			  p->is_outgoing ? LOOP_WRITE : LOOP_READ, on_event, c);
	if (err) {
		slots_del(&t->eps, c->ep.h);
		goto out;
	}
	list_append(&t->conns, &c->node);
	t->stats.conns++;
	t->outgoing += c->is_outgoing;
	c->is_counted = true;
	c->source = p->source;
	c->is_pending = p->is_pending;
	if (c->is_pending) {
		t->stats.pending++;
		t->pending[c->proto]++;
		if (c->source)
			c->source->pending++;
	}
	arm(c);
	if (c->state == CONN_UP)
		go_up(c);
	*ret = c;
	return 0;
out:
	(void)tls_session_free(c->tls);
	(void)alloc_free(c);
	return err;
}

int conn_send(struct conn *c, struct slice bytes)
{
	struct transport *t = c->ep.t;
	bool is_up = c->state == CONN_UP && !c->is_held;
	size_t waiting = c->out.len;
	int err = 0;

	if (c->state == CONN_LINGER || c->state == CONN_DEAD)
		return ERR_NOTFOUND;
	if (c->tls)
		waiting += tls_session_out(c->tls).len;
	if (waiting > t->limits.write_max ||
	    bytes.len > t->limits.write_max - waiting) {
		count_end(c, &t->stats.closed_write_limit,
			  "peer does not take what we send");
		return ERR_LIMIT;
	}
	if (c->tls && is_up)
		err = tls_session_write(c->tls, bytes);
	else
		err = buf_add(&c->out, bytes, t->limits.write_max);
	if (err) {
		count_end(c, &t->stats.closed_by_error, "no memory");
		return err;
	}
	if (is_up)
		flush(c);
	return 0;
}
