/* A phone and its call managers. See phone.h. */
#include "phone.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
	TEXT_MAX = 4096,
	MISSED_MAX = 3, /* keepalives without an answer */
	SECONDARY_S = 60,
	CODEC_ALAW = 2,
	CODEC_ULAW = 4
};

uint64_t watch_key(const struct phone *p, unsigned slot)
{
	return (uint64_t)p->index << 8 | slot;
}

/* --- sending ------------------------------------------------------------ */
static void watch(struct phone *p, struct server *s)
{
	uint32_t wants = s->link.state == LINK_DOWN ? 0 : link_wants(&s->link);
	struct epoll_event ev = {
		.events = wants,
		.data.u64 = watch_key(p, (unsigned)(s - p->server))};

	if (wants == s->watched || wants == 0)
		return;
	if (epoll_ctl(setup.epoll, s->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      s->link.fd, &ev))
		die("epoll_ctl: %m");
	s->watched = wants;
}

static void log_pdu(const struct phone *p, char arrow, const struct pdu *m)
{
	static char text[TEXT_MAX];
	const char *wrong = pdu_print(m, text, sizeof(text));

	if (setup.is_logging)
		say("%s %c %s", p->name, arrow, text);
	if (wrong && arrow == '<') {
		setup.malformed++;
		say("%s MALFORMED %s: %s", p->name, text, wrong);
	}
}

static bool send_to(struct phone *p, struct server *s, const struct pdu *m)
{
	bool ok = link_send(&s->link, m->b, m->len);

	if (setup.is_logging)
		log_pdu(p, '>', m);
	setup.sent += ok;
	watch(p, s);
	return ok;
}

struct server *phone_server(struct phone *p)
{
	for (unsigned i = 0; i < setup.servers; i++)
		if (p->server[i].reg >= REG_SENT)
			return &p->server[i];
	return NULL;
}

static struct server *server_any(struct phone *p)
{
	struct server *s = phone_server(p);

	for (unsigned i = 0; !s && i < setup.servers; i++)
		if (p->server[i].link.state == LINK_UP)
			s = &p->server[i];
	return s;
}

bool phone_is_registered(struct phone *p)
{
	struct server *s = phone_server(p);

	return s && s->reg == REG_DONE;
}

bool phone_send(struct phone *p, const struct pdu *m)
{
	struct server *s = server_any(p);

	return s && send_to(p, s, m);
}

bool phone_send_raw(struct phone *p, const uint8_t *b, size_t len)
{
	struct server *s = server_any(p);
	bool ok = s && link_send(&s->link, b, len);

	if (s)
		watch(p, s);
	return ok;
}

/* A message without a body. */
static void send_bare(struct phone *p, struct server *s, uint32_t id)
{
	struct pdu m;

	pdu_init(&m, id, p->version);
	(void)send_to(p, s, &m);
}

/* --- registration ------------------------------------------------------- */
/* The forms of Register that phones of that version send. */
static uint32_t register_length(void)
{
	if (setup.register_len)
		return setup.register_len;
	if (setup.version < 5)
		return 68;
	if (setup.version < 16)
		return 72;
	return setup.version < 20 ? 128 : 176;
}

static void send_register(struct phone *p, struct server *s)
{
	struct in_addr ip = link_address(&s->link);
	struct pdu m;
	char text[80];

	p->version = setup.version;
	pdu_init_old(&m, 0x0020, p->version);
	pdu_set(&m, "severity", 2);
	(void)snprintf(text, sizeof(text),
		       "25: Name=%s Load=P0030801SR02 Last=Initialized",
		       p->name);
	pdu_set_text(&m, "text", text);
	pdu_set_ip(&m, "parm2", ip);
	(void)send_to(p, s, &m);
	pdu_init_old(&m, 0x0001, p->version);
	pdu_set_text(&m, "deviceName", p->name);
	pdu_set(&m, "instance", 1);
	pdu_set_ip(&m, "ip", ip);
	pdu_set(&m, "deviceType", setup.device_type);
	pdu_set(&m, "maxStreams", 5);
	pdu_set(&m, "protocolVer", setup.version);
	pdu_set(&m, "features1", 0x72);
	pdu_set(&m, "features2", 0x85);
	pdu_set_text(&m, "mac", p->name + 3);
	pdu_set(&m, "ipScope", 3);
	pdu_set(&m, "maxLines", 2);
	pdu_set_text(&m, "load", "TEST-1.0");
	pdu_cut(&m, register_length());
	(void)send_to(p, s, &m);
	pdu_init_old(&m, 0x0002, p->version);
	pdu_set(&m, "port", 0);
	(void)send_to(p, s, &m);
	s->reg = REG_SENT;
}

static void ask_token(struct phone *p, struct server *s)
{
	struct pdu m;

	pdu_init_old(&m, 0x0029, setup.version);
	pdu_set_text(&m, "deviceName", p->name);
	pdu_set_ip(&m, "ip", link_address(&s->link));
	pdu_set(&m, "deviceType", setup.device_type);
	s->reg = REG_TOKEN;
	(void)send_to(p, s, &m);
}

static void leave(struct phone *p, struct server *s)
{
	struct pdu m;

	if (s->reg == REG_DONE)
		setup.registered--;
	s->reg = REG_STANDBY;
	pdu_init(&m, 0x0027, p->version);
	(void)send_to(p, s, &m);
}

void phone_unregister(struct phone *p)
{
	struct server *s = phone_server(p);

	if (s)
		leave(p, s);
}

static void is_closed(struct phone *p, struct server *s, const char *why)
{
	if (s->reg == REG_DONE)
		setup.registered--;
	if (!setup.is_quiet)
		say("%s closed server=%u: %s", p->name,
		    (unsigned)(s - p->server), why);
	s->reg = REG_NONE;
	s->watched = 0;
	s->unanswered = 0;
	p->asked_us = 0;
	s->retry_ms = now_ms() + setup.retry_ms;
}

static void close_server(struct phone *p, struct server *s, const char *why)
{
	gnutls_datum_t d;

	if (s->link.state == LINK_DOWN)
		return;
	if (setup.use_tickets && s->link.state == LINK_UP && s->link.tls &&
	    gnutls_session_get_data2(s->link.tls, &d) == 0) {
		gnutls_free(p->ticket.data);
		p->ticket = d;
	}
	link_close(&s->link);
	is_closed(p, s, why);
}

void phone_drop(struct phone *p, const char *why)
{
	for (unsigned i = 0; i < setup.servers; i++)
		close_server(p, &p->server[i], why);
}

static void on_register_ack(struct phone *p, struct server *s,
			    const struct pdu *m)
{
	unsigned version = pdu_get(m, "protocolVer");

	/* An ack that ends before it comes from a very old server. */
	if (!pdu_has(m, "protocolVer"))
		version = 3;
	p->version = version < setup.version ? version : setup.version;
	p->keepalive_s = pdu_get(m, "keepAliveInterval");
	p->secondary_s = pdu_get(m, "secondaryKeepAlive");
	s->reg = REG_ACKED;
	s->keepalive_ms = now_ms() + p->keepalive_s * 1000;
	send_bare(p, s, 0x000E);
}

static void on_capabilities(struct phone *p, struct server *s)
{
	static const uint8_t codecs[] = {CODEC_ULAW, 0, 0, 0, 40, 0, 0, 0,
					 0,	     0, 0, 0, 0,  0, 0, 0,
					 CODEC_ALAW, 0, 0, 0, 40};
	struct pdu m;

	pdu_init(&m, 0x0010, p->version);
	pdu_set(&m, "count", 2);
	pdu_set_bytes(&m, "caps", codecs, sizeof(codecs));
	(void)send_to(p, s, &m);
}

static void ask_line(struct phone *p, struct server *s)
{
	struct pdu m;

	pdu_init(&m, 0x000B, p->version);
	pdu_set(&m, "line", 1);
	(void)send_to(p, s, &m);
}

static void on_line(struct phone *p, struct server *s)
{
	struct pdu m;

	if (s->reg == REG_DONE) {
		if (p->asked_us && setup.answered)
			setup.answered(p, p->asked_us);
		p->asked_us = 0;
		return;
	}
	pdu_init(&m, 0x002D, p->version);
	pdu_set(&m, "count", 1);
	(void)send_to(p, s, &m);
	send_bare(p, s, 0x000D);
}

static void on_time(struct phone *p, struct server *s)
{
	if (s->reg != REG_ACKED)
		return;
	s->reg = REG_DONE;
	setup.registered++;
	/* What was kept of the call manager before cannot be ended by this one. */
	call_clear(p);
	if (!setup.is_quiet)
		say("%s registered version=%u server=%u keepalive=%u", p->name,
		    p->version, (unsigned)(s - p->server), p->keepalive_s);
}

static void on_reject(struct phone *p, struct server *s, const struct pdu *m)
{
	char text[33];

	pdu_text(m, "text", text, sizeof(text));
	setup.rejected++;
	say("%s rejected: %s", p->name, text);
	close_server(p, s, "rejected");
}

static void on_token(struct phone *p, struct server *s, const struct pdu *m)
{
	struct server *old = phone_server(p);

	if (s->reg != REG_TOKEN)
		return;
	s->reg = REG_STANDBY;
	if (pdu_id(m) == 0x011B) {
		s->token_ms = now_ms() + pdu_get(m, "waitSeconds") * 1000;
		say("%s token refused for %u s", p->name,
		    pdu_get(m, "waitSeconds"));
		return;
	}
	say("%s token granted", p->name);
	if (old)
		leave(p, old);
	send_register(p, s);
}

static void on_server_list(const struct phone *p, const struct pdu *m)
{
	char name[49], text[32];
	struct in_addr ip = pdu_ip(m, "ip1");

	pdu_text(m, "name1", name, sizeof(name));
	say("%s first server name=%s port=%u ip=%s", p->name, name,
	    pdu_get(m, "port1"), hex_text((uint8_t *)&ip, 4, text));
}

static void message(struct phone *p, struct server *s, const struct pdu *m)
{
	switch (pdu_id(m)) {
	case 0x0081:
		on_register_ack(p, s, m);
		break;
	case 0x009D:
		on_reject(p, s, m);
		break;
	case 0x0100:
		s->unanswered = 0;
		break;
	case 0x009B:
		on_capabilities(p, s);
		break;
	case 0x0097: /* each answer asks the next question */
		send_bare(p, s, 0x0028);
		break;
	case 0x0108:
		send_bare(p, s, 0x0025);
		break;
	case 0x0109:
		send_bare(p, s, 0x000C);
		break;
	case 0x0093:
		ask_line(p, s);
		break;
	case 0x0092:
	case 0x0147:
		on_line(p, s);
		break;
	case 0x0094:
		on_time(p, s);
		break;
	case 0x009E:
		on_server_list(p, m);
		break;
	case 0x009F:
		say("%s reset type=%u", p->name, pdu_get(m, "type"));
		close_server(p, s, "reset");
		break;
	case 0x011A:
	case 0x011B:
		on_token(p, s, m);
		break;
	default:
		(void)call_message(p, m);
	}
}

/* --- connections -------------------------------------------------------- */
static void server_ready(struct phone *p, struct server *s)
{
	static struct pdu m;

	for (;;) {
		m.version = p->version;
		switch (link_step(&s->link, &m)) {
		case LINK_MORE:
			watch(p, s);
			return;
		case LINK_CLOSED:
			is_closed(p, s, s->link.why);
			return;
		case LINK_OPEN:
			setup.connections++;
			setup.resumed += s->link.tls &&
					 gnutls_session_is_resumed(s->link.tls);
			s->reg = REG_STANDBY;
			s->keepalive_ms = now_ms() + SECONDARY_S * 1000;
			phone_tick(p, now_ms());
			break;
		case LINK_PDU:
			setup.taken++;
			log_pdu(p, '<', &m);
			message(p, s, &m);
			break;
		}
	}
}

void phone_ready(struct phone *p, unsigned slot)
{
	if (slot < SERVERS)
		server_ready(p, &p->server[slot]);
	else if (slot - SERVERS < STREAMS && p->stream[slot - SERVERS])
		media_readable(p->stream[slot - SERVERS]->media);
}

static void connect_server(struct phone *p, unsigned i)
{
	struct server *s = &p->server[i];
	struct sockaddr_in local = setup.local;
	struct link_params params = {
		.server = setup.server[i],
		.local = setup.has_local ? &local : NULL,
		.cred = setup.cred ? setup.cred[p->index] : NULL,
		.priority = setup.priority,
		.ticket = setup.use_tickets ? &p->ticket : NULL};

	if (setup.spread)
		local.sin_addr.s_addr = htonl(ntohl(local.sin_addr.s_addr) +
					      p->index % setup.spread);
	link_connect(&s->link, &params);
	s->watched = 0;
	watch(p, s);
}

static void keep_alive(struct phone *p, struct server *s, uint64_t now_ms)
{
	bool is_active = s->reg >= REG_ACKED;
	unsigned every_s = is_active	    ? p->keepalive_s
			   : p->secondary_s ? p->secondary_s
					    : SECONDARY_S;
	struct pdu m;

	if (s->reg == REG_NONE || s->reg == REG_SENT ||
	    now_ms < s->keepalive_ms)
		return;
	if (is_active && s->unanswered >= MISSED_MAX) {
		close_server(p, s, "keepalives are not answered");
		return;
	}
	s->unanswered += is_active;
	s->keepalive_ms = now_ms + every_s * 1000;
	pdu_init_old(&m, 0x0000, p->version);
	(void)send_to(p, s, &m);
}

void phone_tick(struct phone *p, uint64_t now_ms)
{
	struct server *at = phone_server(p);

	for (unsigned i = 0; i < setup.servers; i++) {
		struct server *s = &p->server[i];

		if (s->link.state == LINK_DOWN) {
			if (!setup.is_slow && now_ms >= s->retry_ms)
				connect_server(p, i);
			continue;
		}
		/* The first that is up; back to a better one by its token. */
		if (s->reg == REG_STANDBY && !at) {
			send_register(p, s);
			at = s;
		} else if (s->reg == REG_STANDBY && s < at &&
			   at->reg == REG_DONE && call_count(p) == 0 &&
			   now_ms >= s->token_ms) {
			ask_token(p, s);
		}
		keep_alive(p, s, now_ms);
	}
}
