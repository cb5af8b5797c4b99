/* A phone: TLS with its own certificate, registration with digest, calls. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authn/digest.h"
#include "load.h"

enum phone_state { PHONE_DOWN, PHONE_CONNECTING, PHONE_HANDSHAKE, PHONE_UP };

/* What it waits for. */
enum phone_task { TASK_NONE, TASK_REGISTER, TASK_INVITE, TASK_BYE };

struct phone {
	enum phone_state state;
	enum phone_task task;
	bool has_answered; /* the challenge, in this task */
	bool is_registered;
	bool had_180;
	int fd;
	unsigned cseq;
	unsigned call; /* number of the present one */
	uint64_t begun_us;
	gnutls_session_t tls;
	gnutls_datum_t ticket;
	char to[160], uri[160], route[320]; /* of the call's dialog */
	char *in; /* MSG_MAX, while a message is incomplete */
	size_t in_len;
};

static const char sdp[] =
	"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"
	"t=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n"
	"a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
	"inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw\r\n";

static unsigned index_of(const struct load *l, const struct phone *p)
{
	return (unsigned)(p - l->phone);
}

/* Its number among all phones of all load processes: it is in every name it
 * gives to calls and transactions. */
static unsigned number_of(const struct load *l, const struct phone *p)
{
	return l->first + index_of(l, p);
}

static void fail(struct load *l, struct phone *p, const char *why)
{
	(void)snprintf(l->last_error, sizeof(l->last_error), "phone %u: %s",
		       index_of(l, p), why);
	l->failed++;
	if (p->task == TASK_INVITE || p->task == TASK_BYE)
		l->calls_failed++;
	phone_close(l, index_of(l, p));
}

static void task_end(struct load *l, struct phone *p)
{
	if (p->task != TASK_NONE)
		l->busy--;
	p->task = TASK_NONE;
}

static void task_begin(struct load *l, struct phone *p, enum phone_task t)
{
	if (p->task == TASK_NONE)
		l->busy++;
	p->task = t;
	p->has_answered = false;
	p->begun_us = now_us();
}

/* --- messages ----------------------------------------------------------- */

static void out(struct load *l, struct phone *p, const char *msg, size_t len)
{
	/* A message is small and the server reads: the socket takes it. */
	if (gnutls_record_send(p->tls, msg, len) != (ssize_t)len)
		fail(l, p, "cannot send");
}

static struct slice text(const char *s)
{
	return slice_make(s, strlen(s));
}

/* The challenge in msg whose hash is MD5, which all servers compared here
 * offer, so that they do the same work; NULL without one. */
static const char *challenge_of(const char *msg, const char *name)
{
	const char *h = msg;
	char alg[32];

	while ((h = header_of(h, name))) {
		param_of(h, "algorithm", alg, sizeof(alg));
		if (!alg[0] || strcasecmp(alg, "MD5") == 0)
			break;
	}
	return h;
}

/* The header that answers the challenge in msg; "" without one. */
static void answer(const struct load *l, const char *msg, const char *method,
		   const char *uri, char *ret, size_t cap)
{
	const char *h = challenge_of(msg, "WWW-Authenticate:");
	char realm[128], nonce[512], alg[32], qop[32];
	struct digest_fields f = {.method = text(method), .uri = text(uri)};
	struct digest_hex ha1, resp;
	const char *name = "Authorization";

	ret[0] = 0;
	if (!h) {
		h = challenge_of(msg, "Proxy-Authenticate:");
		name = "Proxy-Authorization";
	}
	if (!h)
		return;
	param_of(h, "realm", realm, sizeof(realm));
	param_of(h, "nonce", nonce, sizeof(nonce));
	param_of(h, "algorithm", alg, sizeof(alg));
	param_of(h, "qop", qop, sizeof(qop));
	f.nonce = text(nonce);
	if (qop[0]) {
		f.qop = text("auth");
		f.nc = text("00000001");
		f.cnonce = text("0a4f113b");
	}
	if (digest_alg_find(text(alg), &f.alg) ||
	    digest_ha1(f.alg, text(l->user), text(realm), text(PASSWORD),
		       &ha1) ||
	    digest_response(digest_hex_slice(&ha1), &f, &resp))
		die("digest: algorithm %s", alg);
	(void)snprintf(ret, cap,
		       "%s: Digest username=\"%s\", realm=\"%s\", "
		       "nonce=\"%s\", uri=\"%s\", response=\"%.*s\", "
		       "algorithm=%s%s\r\n",
		       name, l->user, realm, nonce, uri, (int)resp.len,
		       resp.text, alg[0] ? alg : "MD5",
		       qop[0] ? ", qop=auth, nc=00000001, cnonce=\"0a4f113b\""
			      : "");
}

static const char *server_name(const struct load *l)
{
	static char name[32];
	uint32_t ip = ntohl(l->server.sin_addr.s_addr);

	(void)snprintf(name, sizeof(name), "%u.%u.%u.%u", ip >> 24,
		       ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return name;
}

/* The request that belongs to the task; challenge: the 401 to be answered. */
static void request(struct load *l, struct phone *p, const char *challenge)
{
	unsigned i = number_of(l, p), line = phone_line(i);
	bool is_call = p->task == TASK_INVITE;
	const char *host = server_name(l);
	static char msg[MSG_MAX];
	char uri[64], auth[1024] = "";
	int n;

	if (is_call)
		(void)snprintf(uri, sizeof(uri), "sip:9%u@%s", line, host);
	else
		(void)snprintf(uri, sizeof(uri), "sip:%s", host);
	if (challenge)
		answer(l, challenge, is_call ? "INVITE" : "REGISTER", uri, auth,
		       sizeof(auth));
	p->cseq++;
	n = snprintf(msg, sizeof(msg),
		     "%s %s SIP/2.0\r\n"
		     "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK%u-%u;"
		     "rport\r\n"
		     "From: <sip:%u@%s>;tag=%u\r\nTo: <sip:%s%u@%s>\r\n"
		     "Call-ID: %s%u-%u@load\r\nCSeq: %u %s\r\n"
		     "Contact: <sip:%u@127.0.0.1:5061;transport=tls>\r\n"
		     "%s%sMax-Forwards: 70\r\n%sContent-Length: %zu\r\n\r\n%s",
		     is_call ? "INVITE" : "REGISTER", uri, i, p->cseq, line,
		     host, i, is_call ? "9" : "", line, host,
		     is_call ? "c" : "r", i, is_call ? p->call : 0, p->cseq,
		     is_call ? "INVITE" : "REGISTER", line, auth,
		     is_call ? "" : "Expires: 3600\r\n",
		     is_call ? "Content-Type: application/sdp\r\n" : "",
		     is_call ? strlen(sdp) : 0, is_call ? sdp : "");
	out(l, p, msg, (size_t)n);
}

/* Copy a header's value without its line end. */
static void value_of(const char *msg, const char *name, char *ret, size_t cap)
{
	const char *h = header_of(msg, name);
	size_t n;

	ret[0] = 0;
	if (!h)
		return;
	h += strlen(name);
	h += strspn(h, " ");
	n = strcspn(h, "\r");
	if (n >= cap)
		n = cap - 1;
	memcpy(ret, h, n);
	ret[n] = 0;
}

/* Remember the dialog that the 2xx msg makes. */
static void dialog_from(struct phone *p, const char *msg)
{
	char contact[200], rr[300];

	value_of(msg, "To:", p->to, sizeof(p->to));
	value_of(msg, "Contact:", contact, sizeof(contact));
	value_of(msg, "Record-Route:", rr, sizeof(rr));
	contact[strcspn(contact, ">")] = 0;
	(void)snprintf(p->uri, sizeof(p->uri), "%.150s",
		       contact[0] == '<' ? contact + 1 : contact);
	p->route[0] = 0;
	if (rr[0])
		(void)snprintf(p->route, sizeof(p->route), "Route: %s\r\n", rr);
}

/* A request was refused by msg. */
static void refused(struct load *l, struct phone *p, const char *what,
		    const char *msg)
{
	(void)snprintf(l->last_error, sizeof(l->last_error), "%s: %.60s", what,
		       msg);
	l->last_error[strcspn(l->last_error, "\r")] = 0;
	if (p->task == TASK_REGISTER)
		l->failed++;
	else
		l->calls_failed++;
	task_end(l, p);
}

/* ACK or BYE in the dialog; challenge: the 401 to be answered. */
static void in_dialog(struct load *l, struct phone *p, const char *method,
		      const char *challenge)
{
	static char buf[MSG_MAX];
	unsigned i = number_of(l, p);
	char auth[1024] = "";
	int n;

	if (challenge)
		answer(l, challenge, method, p->uri, auth, sizeof(auth));
	n = snprintf(buf, sizeof(buf),
		     "%s %s SIP/2.0\r\n"
		     "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK%u-%u%s;"
		     "rport\r\n"
		     "From: <sip:%u@%s>;tag=%u\r\nTo: %s\r\n"
		     "Call-ID: c%u-%u@load\r\nCSeq: %u %s\r\n%s%s"
		     "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		     method, p->uri, i, p->cseq, method, phone_line(i),
		     server_name(l), i, p->to, i, p->call, p->cseq, method,
		     p->route, auth);
	out(l, p, buf, (size_t)n);
}

/* The ACK of a refusal belongs to the INVITE's transaction. */
static void ack_refusal(struct load *l, struct phone *p, const char *msg)
{
	static char buf[MSG_MAX];
	unsigned i = number_of(l, p), line = phone_line(i);
	const char *host = server_name(l);
	char to[160];
	int n;

	value_of(msg, "To:", to, sizeof(to));
	n = snprintf(buf, sizeof(buf),
		     "ACK sip:9%u@%s SIP/2.0\r\n"
		     "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK%u-%u;"
		     "rport\r\n"
		     "From: <sip:%u@%s>;tag=%u\r\nTo: %s\r\n"
		     "Call-ID: c%u-%u@load\r\nCSeq: %u ACK\r\n"
		     "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		     line, host, i, p->cseq, line, host, i, to, i, p->call,
		     p->cseq);
	out(l, p, buf, (size_t)n);
}

static void bye_response(struct load *l, struct phone *p, const char *msg,
			 unsigned code)
{
	if (code < 200)
		return;
	if ((code == 401 || code == 407) && !p->has_answered) {
		p->has_answered = true;
		p->cseq++;
		in_dialog(l, p, "BYE", msg);
		return;
	}
	if (code >= 300) {
		refused(l, p, "BYE", msg);
		return;
	}
	l->calls_done++;
	task_end(l, p);
}

static void invite_response(struct load *l, struct phone *p, const char *msg,
			    unsigned code)
{
	if (code < 200) {
		if (code == 180 && !p->had_180)
			sample(l, p->begun_us);
		p->had_180 |= code == 180;
		return;
	}
	if (code >= 300)
		ack_refusal(l, p, msg);
	if (p->state != PHONE_UP)
		return;
	if ((code == 401 || code == 407) && !p->has_answered) {
		p->has_answered = true;
		request(l, p, msg);
		return;
	}
	if (code >= 300) {
		refused(l, p, "INVITE", msg);
		return;
	}
	dialog_from(p, msg);
	in_dialog(l, p, "ACK", NULL);
	p->task = TASK_BYE;
	p->has_answered = false;
	p->cseq++;
	in_dialog(l, p, "BYE", NULL);
}

static void register_response(struct load *l, struct phone *p, const char *msg,
			      unsigned code)
{
	if (code < 200)
		return;
	if (code == 401 && !p->has_answered) {
		p->has_answered = true;
		request(l, p, msg);
		return;
	}
	if (code != 200) {
		refused(l, p, "REGISTER", msg);
		return;
	}
	if (!p->is_registered)
		l->up++;
	p->is_registered = true;
	l->transactions++;
	task_end(l, p);
	if (l->is_cycling)
		phone_register(l, index_of(l, p));
}

/* A request from the server (the lock of a call, a NOTIFY): taken. */
static void request_in(struct load *l, struct phone *p, const char *msg)
{
	static const char *const copied[] = {
		"Via:", "From:", "To:", "Call-ID:", "CSeq:"};
	static char buf[MSG_MAX];
	char value[512];
	size_t n = 0;

	if (strncmp(msg, "ACK ", 4) == 0)
		return;
	n += (size_t)snprintf(buf, sizeof(buf), "SIP/2.0 200 OK\r\n");
	for (unsigned i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		value_of(msg, copied[i], value, sizeof(value));
		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s %s\r\n",
				      copied[i], value);
	}
	n += (size_t)snprintf(buf + n, sizeof(buf) - n,
			      "Content-Length: 0\r\n\r\n");
	out(l, p, buf, n);
}

static void message(struct load *l, struct phone *p, const char *msg)
{
	char cseq[64];
	unsigned code, number = 0;

	if (strncmp(msg, "SIP/2.0 ", 8) != 0) {
		request_in(l, p, msg);
		return;
	}
	code = (unsigned)strtoul(msg + 8, NULL, 10);
	value_of(msg, "CSeq:", cseq, sizeof(cseq));
	number = (unsigned)strtoul(cseq, NULL, 10);
	if (p->task == TASK_REGISTER && strstr(cseq, "REGISTER")) {
		register_response(l, p, msg, code);
	} else if (p->task == TASK_INVITE && strstr(cseq, "INVITE") &&
		   number == p->cseq) {
		invite_response(l, p, msg, code);
	} else if (p->task == TASK_BYE && strstr(cseq, "BYE") &&
		   number == p->cseq) {
		bye_response(l, p, msg, code);
	}
}

/* Take the whole messages off the phone's bytes. */
static void messages(struct load *l, struct phone *p)
{
	for (;;) {
		char *end, kept;
		const char *h;
		size_t len;

		p->in[p->in_len] = 0;
		end = strstr(p->in, "\r\n\r\n");
		if (!end)
			return;
		h = header_of(p->in, "Content-Length:");
		len = (size_t)(end + 4 - p->in) +
		      (h && h < end ? strtoul(h + 15, NULL, 10) : 0);
		if (len > p->in_len)
			return;
		kept = p->in[len];
		p->in[len] = 0;
		message(l, p, p->in);
		if (p->state != PHONE_UP)
			return;
		p->in[len] = kept;
		memmove(p->in, p->in + len, p->in_len - len);
		p->in_len -= len;
	}
}

static void readable(struct load *l, struct phone *p)
{
	if (!p->in)
		p->in = malloc(MSG_MAX);
	while (p->in && p->state == PHONE_UP) {
		ssize_t n = gnutls_record_recv(p->tls, p->in + p->in_len,
					       MSG_MAX - 1 - p->in_len);

		if (n == GNUTLS_E_AGAIN)
			break;
		if (n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n <= 0) {
			fail(l, p,
			     n == 0 ? "closed by the server"
				    : gnutls_strerror((int)n));
			return;
		}
		p->in_len += (size_t)n;
		messages(l, p);
	}
	if (p->in_len == 0) {
		free(p->in);
		p->in = NULL;
	}
}

/* --- connections -------------------------------------------------------- */

static void watch(struct load *l, struct phone *p, uint32_t events, int op)
{
	struct epoll_event ev = {.events = events, .data.u32 = index_of(l, p)};

	if (epoll_ctl(l->epoll, op, p->fd, &ev))
		die("epoll_ctl: %m");
}

static void handshake(struct load *l, struct phone *p)
{
	int err = gnutls_handshake(p->tls);

	if (err == GNUTLS_E_AGAIN || err == GNUTLS_E_INTERRUPTED) {
		watch(l, p,
		      gnutls_record_get_direction(p->tls) ? EPOLLOUT : EPOLLIN,
		      EPOLL_CTL_MOD);
		return;
	}
	if (err) {
		fail(l, p, gnutls_strerror(err));
		return;
	}
	p->state = PHONE_UP;
	l->resumed += gnutls_session_is_resumed(p->tls) != 0;
	watch(l, p, EPOLLIN, EPOLL_CTL_MOD);
	request(l, p, NULL);
}

void phone_connect(struct load *l, unsigned i)
{
	struct phone *p = &l->phone[i];
	struct sockaddr_in from;
	int one = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		die("socket: %m");
	/* An ACK and the next request are two small packets. */
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (l->local) {
		from = address_of(l->local);
		(void)setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
				 &one, sizeof(one));
		if (bind(p->fd, (struct sockaddr *)&from, sizeof(from)))
			die("bind %s: %m", l->local);
	}
	if (connect(p->fd, (struct sockaddr *)&l->server, sizeof(l->server)) &&
	    errno != EINPROGRESS)
		die("connect: %m");
	if (gnutls_init(&p->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK) ||
	    gnutls_set_default_priority(p->tls) ||
	    gnutls_credentials_set(p->tls, GNUTLS_CRD_CERTIFICATE, l->cred[i]))
		die("cannot make a TLS session");
	if (l->use_tickets && p->ticket.size > 0)
		(void)gnutls_session_set_data(p->tls, p->ticket.data,
					      p->ticket.size);
	gnutls_transport_set_int(p->tls, p->fd);
	p->state = PHONE_CONNECTING;
	task_begin(l, p, TASK_REGISTER);
	watch(l, p, EPOLLOUT, EPOLL_CTL_ADD);
}

void phone_close(struct load *l, unsigned i)
{
	struct phone *p = &l->phone[i];

	if (p->state == PHONE_DOWN)
		return;
	if (p->state == PHONE_UP) {
		gnutls_datum_t d;

		if (gnutls_session_get_data2(p->tls, &d) == 0) {
			gnutls_free(p->ticket.data);
			p->ticket = d;
		}
	}
	gnutls_deinit(p->tls);
	(void)close(p->fd);
	task_end(l, p);
	if (p->is_registered)
		l->up--;
	p->is_registered = false;
	p->state = PHONE_DOWN;
	p->in_len = 0;
}

void phone_register(struct load *l, unsigned i)
{
	task_begin(l, &l->phone[i], TASK_REGISTER);
	request(l, &l->phone[i], NULL);
}

void phone_call(struct load *l, unsigned i)
{
	struct phone *p = &l->phone[i];

	l->calls_begun++;
	p->call++;
	p->had_180 = false;
	task_begin(l, p, TASK_INVITE);
	request(l, p, NULL);
}

bool phone_is_ready(const struct load *l, unsigned i)
{
	const struct phone *p = &l->phone[i];

	return p->state == PHONE_UP && p->is_registered && p->task == TASK_NONE;
}

void phones_init(struct load *l)
{
	l->phone = calloc(l->phones, sizeof(*l->phone));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!l->phone || l->epoll < 0)
		die("no memory");
}

void phones_poll(struct load *l, int wait_ms)
{
	struct epoll_event ev[256];
	int n = epoll_wait(l->epoll, ev, 256, wait_ms);

	for (int k = 0; k < n; k++) {
		struct phone *p = &l->phone[ev[k].data.u32];

		switch (p->state) {
		case PHONE_DOWN:
			break;
		case PHONE_CONNECTING:
			p->state = PHONE_HANDSHAKE;
			handshake(l, p);
			break;
		case PHONE_HANDSHAKE:
			handshake(l, p);
			break;
		case PHONE_UP:
			readable(l, p);
			break;
		}
	}
}
