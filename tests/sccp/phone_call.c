/* Calls of a phone and their media. See phone.h. */
#include "phone.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { ACKS_TRANSMISSION = 17 /* versions that answer StartMedia... */ };

const char *call_state_name(uint32_t state)
{
	static const char *const names[] = {
		"idle",	       "off-hook", "on-hook",	 "ring-out", "ring-in",
		"connected",   "busy",	   "congestion", "hold",     "waiting",
		"transfer",    "park",	   "proceed",	 "in-use",   "invalid",
		"hold-revert", "whisper",  "remote-hold"};

	return state < sizeof(names) / sizeof(names[0]) ? names[state]
							: "unknown";
}

struct call *call_find(struct phone *p, uint32_t state)
{
	struct call *found = NULL;

	for (unsigned i = 0; i < CALLS; i++) {
		struct call *c = &p->call[i];

		if (c->ref && (!state || c->state == state) &&
		    (!found || c->ref > found->ref))
			found = c;
	}
	return found;
}

unsigned call_count(const struct phone *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CALLS; i++)
		n += p->call[i].ref != 0;
	return n;
}

static struct call *call_of(struct phone *p, uint32_t ref, bool is_new)
{
	struct call *free_one = NULL;

	for (unsigned i = 0; i < CALLS; i++) {
		if (p->call[i].ref == ref)
			return &p->call[i];
		if (!p->call[i].ref)
			free_one = &p->call[i];
	}
	if (!is_new || !free_one || !ref)
		return NULL;
	memset(free_one, 0, sizeof(*free_one));
	free_one->ref = ref;
	return free_one;
}

/* --- streams ------------------------------------------------------------ */
static struct stream *stream_of(struct phone *p, uint32_t party)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i] && p->stream[i]->party == party)
			return p->stream[i];
	return NULL;
}

static struct in_addr media_home(struct phone *p)
{
	for (unsigned i = 0; i < setup.servers; i++)
		if (p->server[i].link.state == LINK_UP)
			return link_address(&p->server[i].link);
	return setup.local.sin_addr;
}

static struct stream *stream_new(struct phone *p, uint32_t party)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		struct epoll_event ev = {.events = EPOLLIN,
					 .data.u64 = watch_key(p, SERVERS + i)};
		struct stream *t;

		if (p->stream[i])
			continue;
		t = calloc(1, sizeof(*t));
		if (!t)
			die("no memory");
		t->party = party;
		t->media = media_new(media_home(p), p->name);
		p->stream[i] = t;
		setup.streams++;
		if (epoll_ctl(setup.epoll, EPOLL_CTL_ADD, media_fd(t->media),
			      &ev))
			die("epoll_ctl: %m");
		return t;
	}
	return NULL;
}

static void base64(const uint8_t *b, size_t len, char *ret)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	/* MASTER_LEN is a multiple of 3: no padding */
	for (size_t i = 0; i + 2 < len; i += 3) {
		uint32_t v = (uint32_t)b[i] << 16 | (uint32_t)b[i + 1] << 8 |
			     b[i + 2];

		for (unsigned k = 0; k < 4; k++)
			*ret++ = digits[v >> (18 - 6 * k) & 63];
	}
	*ret = 0;
}

static void say_stream(const struct phone *p, bool is_up,
		       const struct stream *t, const struct media_key *k)
{
	struct sockaddr_in here = media_address(t->media);
	char key[64], from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
	/* what only hears knows the other end by the hint */
	struct sockaddr_in far = t->to.sin_port ? t->to : t->from;
	struct sockaddr_in a = is_up ? here : far, b = is_up ? far : here;

	(void)inet_ntop(AF_INET, &a.sin_addr, from, sizeof(from));
	(void)inet_ntop(AF_INET, &b.sin_addr, to, sizeof(to));
	base64(k->master, MASTER_LEN, key);
	say("STREAM %s/%u %s %s:%u %s:%u AES_CM_128_HMAC_SHA1_%s %s", p->name,
	    t->party, is_up ? "up" : "down", from, ntohs(a.sin_port), to,
	    ntohs(b.sin_port), k->algorithm == 2 ? "80" : "32", key);
}

/* What is encrypted of it now, before that changes. */
static void stream_keys(const struct phone *p, const struct stream *t)
{
	if (media_is_sending(t->media) && t->out.algorithm)
		say_stream(p, true, t, &t->out);
	if (t->is_open && t->in.algorithm &&
	    (t->to.sin_port || media_count(t->media).received))
		say_stream(p, false, t, &t->in);
}

static void stream_drop(struct phone *p, struct stream *t)
{
	struct media_count n = media_count(t->media);

	stream_keys(p, t);
	say("%s stream party=%u ended sent=%lu received=%lu refused=%lu",
	    p->name, t->party, n.sent, n.received, n.refused);
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i] == t)
			p->stream[i] = NULL;
	setup.streams--;
	media_free(t->media);
	free(t);
}

/* It goes when it neither hears nor sends. */
static void stream_settle(struct phone *p, struct stream *t)
{
	if (!t->is_open && !media_is_sending(t->media))
		stream_drop(p, t);
}

static void key_from(const struct pdu *m, struct media_key *ret)
{
	ret->algorithm = pdu_get(m, "algorithm");
	pdu_bytes(m, "key", ret->master, 16);
	pdu_bytes(m, "salt", ret->master + 16, 14);
	if (ret->algorithm &&
	    (pdu_get(m, "keyLen") != 16 || pdu_get(m, "saltLen") != 14))
		say("KEY-LENGTHS %u %u", pdu_get(m, "keyLen"),
		    pdu_get(m, "saltLen"));
}

static void say_key(const struct phone *p, const char *what,
		    const struct stream *t, const struct media_key *k,
		    struct sockaddr_in a)
{
	char hex[2 * MASTER_LEN + 1], ip[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &a.sin_addr, ip, sizeof(ip));
	say("%s %s party=%u call=%u address=%s:%u algorithm=%u key=%s", p->name,
	    what, t->party, t->call, ip, ntohs(a.sin_port), k->algorithm,
	    hex_text(k->master, MASTER_LEN, hex));
}

static void on_open(struct phone *p, const struct pdu *m)
{
	uint32_t party = pdu_get(m, "passThroughPartyId");
	struct stream *t = stream_of(p, party);
	struct sockaddr_in a = {0};
	struct pdu ack;
	bool ok = false;

	if (!t)
		t = stream_new(p, party);
	if (t) {
		stream_keys(p, t);
		key_from(m, &t->in);
		t->conference = pdu_get(m, "conferenceId");
		t->call = pdu_has(m, "callReference")
				  ? pdu_get(m, "callReference")
				  : t->conference;
		t->from = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_addr = pdu_ip(m, "ip"),
			.sin_port = htons((uint16_t)pdu_get(m, "port"))};
		ok = t->is_open = media_receive(t->media, &t->in);
		a = media_address(t->media);
		say_key(p, "receives", t, &t->in, a);
	}
	pdu_init(&ack, 0x0022, p->version);
	pdu_set(&ack, "status", ok ? 0 : 1);
	pdu_set_ip(&ack, "ip", a.sin_addr);
	pdu_set(&ack, "port", ntohs(a.sin_port));
	pdu_set(&ack, "passThroughPartyId", party);
	pdu_set(&ack, "callReference", t ? t->call : 0);
	if (p->version <= 5)
		pdu_cut(&ack, 20);
	(void)phone_send(p, &ack);
}

static void ack_transmission(struct phone *p, const struct stream *t)
{
	struct sockaddr_in a = media_address(t->media);
	struct pdu ack;

	if (p->version < ACKS_TRANSMISSION)
		return;
	pdu_init(&ack, 0x0154, p->version);
	pdu_set(&ack, "conferenceId", t->conference);
	pdu_set(&ack, "passThroughPartyId", t->party);
	pdu_set(&ack, "callReference", t->call);
	pdu_set_ip(&ack, "ip", a.sin_addr);
	pdu_set(&ack, "port", ntohs(a.sin_port));
	(void)phone_send(p, &ack);
}

static void on_start(struct phone *p, const struct pdu *m)
{
	uint32_t party = pdu_get(m, "passThroughPartyId");
	struct stream *t = stream_of(p, party);

	if (!t)
		t = stream_new(p, party);
	if (!t)
		return;
	stream_keys(p, t);
	t->conference = pdu_get(m, "conferenceId");
	t->call = pdu_has(m, "callReference") ? pdu_get(m, "callReference")
					      : t->conference;
	t->to = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = pdu_ip(m, "ip"),
		.sin_port = htons((uint16_t)pdu_get(m, "port"))};
	key_from(m, &t->out);
	if (!media_send(t->media, t->to, &t->out))
		say("%s cannot use the key of party=%u", p->name, party);
	say_key(p, "sends", t, &t->out, t->to);
	ack_transmission(p, t);
}

static void on_close(struct phone *p, const struct pdu *m)
{
	struct stream *t = stream_of(p, pdu_get(m, "passThroughPartyId"));

	if (!t)
		return;
	stream_keys(p, t);
	if (pdu_id(m) == 0x0106) {
		media_receive_stop(t->media);
		t->is_open = false;
	} else {
		media_send_stop(t->media);
	}
	say("%s %s party=%u", p->name,
	    pdu_id(m) == 0x0106 ? "receives-no-more" : "sends-no-more",
	    t->party);
	stream_settle(p, t);
}

static void on_statistics(struct phone *p, const struct pdu *m)
{
	uint32_t ref = pdu_get(m, "callReference");
	struct media_count n = {0};
	char dn[29];
	struct pdu r;

	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i] && p->stream[i]->call == ref)
			n = media_count(p->stream[i]->media);
	pdu_text(m, "dn", dn, sizeof(dn));
	pdu_init(&r, 0x0023, p->version);
	pdu_set_text(&r, "dn", dn);
	pdu_set(&r, "callReference", ref);
	pdu_set(&r, "packetsSent", (uint32_t)n.sent);
	pdu_set(&r, "octetsSent", (uint32_t)n.sent * 160);
	pdu_set(&r, "packetsReceived", (uint32_t)n.received);
	pdu_set(&r, "octetsReceived", (uint32_t)n.received * 160);
	(void)phone_send(p, &r);
}

/* --- calls -------------------------------------------------------------- */
static void call_end(struct phone *p, struct call *c)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i] && p->stream[i]->call == c->ref)
			stream_drop(p, p->stream[i]);
	c->ref = 0;
}

void call_clear(struct phone *p)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i])
			stream_drop(p, p->stream[i]);
	memset(p->call, 0, sizeof(p->call));
}

static void on_state(struct phone *p, const struct pdu *m)
{
	uint32_t state = pdu_get(m, "state");
	struct call *c = call_of(p, pdu_get(m, "callReference"),
				 state != CALL_ON_HOOK && state != 0);

	if (!c)
		return;
	c->state = state;
	c->line = pdu_get(m, "line");
	say("%s call=%u state=%s", p->name, c->ref, call_state_name(state));
	if (state == CALL_ON_HOOK) {
		call_end(p, c);
	} else if (state == CALL_OFF_HOOK && p->digits[0]) {
		char digits[DIGITS];

		memcpy(digits, p->digits, sizeof(digits));
		p->digits[0] = 0;
		call_digits(p, digits);
	} else if (state == CALL_RING_IN && setup.is_answering) {
		call_answer(p);
	}
}

static void on_info(struct phone *p, const struct pdu *m)
{
	struct call *c = call_of(p, pdu_get(m, "callReference"), false);
	char from[40], to[40];

	if (!c)
		return;
	c->security = pdu_get(m, "security");
	if (pdu_id(m) == 0x008F) {
		pdu_text(m, "callingNumber", from, sizeof(from));
		pdu_text(m, "calledNumber", to, sizeof(to));
	} else {
		(void)pdu_string(m, 0, from, sizeof(from));
		(void)pdu_string(m, 2, to, sizeof(to));
	}
	say("%s call=%u from=%s to=%s security=%u", p->name, c->ref, from, to,
	    c->security);
}

bool call_message(struct phone *p, const struct pdu *m)
{
	switch (pdu_id(m)) {
	case 0x0105:
		on_open(p, m);
		return true;
	case 0x008A:
		on_start(p, m);
		return true;
	case 0x0106:
	case 0x008B:
		on_close(p, m);
		return true;
	case 0x0107:
		on_statistics(p, m);
		return true;
	case 0x0111:
		on_state(p, m);
		return true;
	case 0x008F:
	case 0x014A:
		on_info(p, m);
		return true;
	default:
		return false;
	}
}

/* --- what a user does --------------------------------------------------- */
static void hook(struct phone *p, uint32_t id, const struct call *c)
{
	struct pdu m;

	pdu_init(&m, id, p->version);
	pdu_set(&m, "line", c ? c->line : 1);
	pdu_set(&m, "callReference", c ? c->ref : 0);
	/* Old phones do not say which call. */
	if (p->version < 8)
		pdu_cut(&m, 4);
	(void)phone_send(p, &m);
}

void call_softkey(struct phone *p, enum softkey key, const struct call *c)
{
	struct pdu m;

	pdu_init(&m, 0x0026, p->version);
	pdu_set(&m, "event", key);
	pdu_set(&m, "line", c ? c->line : 1);
	pdu_set(&m, "callReference", c ? c->ref : 0);
	(void)phone_send(p, &m);
}

void call_dial(struct phone *p, const char *digits)
{
	(void)snprintf(p->digits, sizeof(p->digits), "%s", digits);
	if (call_count(p) == 0)
		hook(p, 0x0006, NULL);
	else
		call_softkey(p, KEY_NEW_CALL, NULL);
}

void call_digits(struct phone *p, const char *digits)
{
	const struct call *c = call_find(p, 0);
	struct pdu m;

	for (; *digits; digits++) {
		uint32_t button = *digits == '*'   ? 14
				  : *digits == '#' ? 15
						   : (uint32_t)(*digits - '0');

		pdu_init(&m, 0x0003, p->version);
		pdu_set(&m, "button", button);
		pdu_set(&m, "line", c ? c->line : 1);
		pdu_set(&m, "callReference", c ? c->ref : 0);
		if (p->version < 8)
			pdu_cut(&m, 8);
		(void)phone_send(p, &m);
	}
}

void call_answer(struct phone *p)
{
	const struct call *c = call_find(p, CALL_RING_IN);

	if (!c)
		return;
	if (call_count(p) == 1)
		hook(p, 0x0006, c);
	else
		call_softkey(p, KEY_ANSWER, c);
}

void call_hang_up(struct phone *p)
{
	const struct call *c = call_find(p, 0);

	if (!phone_is_registered(p))
		call_clear(p);
	else if (call_count(p) == 1)
		hook(p, 0x0007, c);
	else if (c)
		call_softkey(p, KEY_END_CALL, c);
}

void call_tick(struct phone *p, uint64_t now_ms)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i])
			media_tick(p->stream[i]->media, now_ms);
}

/* --- reports ------------------------------------------------------------ */
void call_status(struct phone *p)
{
	char hex[9];

	for (unsigned i = 0; i < CALLS; i++)
		if (p->call[i].ref)
			say("%s STATUS call=%u state=%s security=%u", p->name,
			    p->call[i].ref, call_state_name(p->call[i].state),
			    p->call[i].security);
	for (unsigned i = 0; i < STREAMS; i++) {
		struct media_count n;

		if (!p->stream[i])
			continue;
		n = media_count(p->stream[i]->media);
		say("%s STATUS stream party=%u receive=%s send=%s sent=%lu "
		    "received=%lu refused=%lu hears=%s",
		    p->name, p->stream[i]->party,
		    !p->stream[i]->is_open	 ? "no"
		    : p->stream[i]->in.algorithm ? "srtp"
						 : "rtp",
		    !media_is_sending(p->stream[i]->media) ? "no"
		    : p->stream[i]->out.algorithm	   ? "srtp"
							   : "rtp",
		    n.sent, n.received, n.refused,
		    hex_text(n.payload, sizeof(n.payload), hex));
	}
}

void call_streams(struct phone *p)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (p->stream[i])
			stream_keys(p, p->stream[i]);
}
