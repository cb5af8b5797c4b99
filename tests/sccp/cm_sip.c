/* The SIP side of the call manager: a registrar and the ends of calls, over
 * UDP (RFC 3261). Just enough for calls between its SCCP and its SIP phones,
 * since nothing that can be installed speaks both. See cm.h. */
#include "cm.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	MSG_MAX = 8192,
	HEADER_MAX = 1024,
	PHONES_MAX = 32,
	T1_MS = 500,
	T2_MS = 4000,
	LINGER_MS = 32000, /* a message is sent again for so long */
	OK = 200,
	FINAL = 200
};

struct sip_phone {
	char number[NUMBER_LEN], contact[HEADER_MAX];
	struct sockaddr_in address;
};

/* A dialog; from and to are ours as the caller of a request of ours. */
struct sip_leg {
	struct leg *leg; /* NULL: over, kept for its last messages */
	bool is_ours;	 /* we sent the INVITE */
	bool is_up, is_inviting, is_changing, is_refused;
	char call_id[HEADER_MAX], local[HEADER_MAX], remote[HEADER_MAX];
	char target[HEADER_MAX]; /* their Contact */
	char route[HEADER_MAX];	 /* a header for each, or nothing */
	struct sockaddr_in peer;
	unsigned cseq;
	/* of their INVITE */
	char via[HEADER_MAX], record_route[HEADER_MAX], their_cseq[64];
	struct sockaddr_in media; /* they send there; 0: hold */
	/* sent again until it is answered or acknowledged */
	char last[MSG_MAX];
	uint64_t next_ms, interval_ms, end_ms;
	struct sip_leg *next;
};

static struct sip_phone sip_phones[PHONES_MAX];
static unsigned sip_phone_count;
static struct sip_leg *dialogs;
static int fd = -1;
static struct sockaddr_in here;

/* --- text --------------------------------------------------------------- */
/* The value of a header of msg, without its line end; "" when missing. */
static const char *header(const char *msg, const char *name, char *ret)
{
	size_t len = strlen(name), n;

	ret[0] = 0;
	for (const char *p = strstr(msg, "\r\n"); p;
	     p = strstr(p + 2, "\r\n")) {
		if (strncmp(p, "\r\n\r\n", 4) == 0)
			return ret;
		if (strncasecmp(p + 2, name, len) || p[2 + len] != ':')
			continue;
		p += 2 + len + 1;
		p += strspn(p, " ");
		n = strcspn(p, "\r");
		if (n >= HEADER_MAX)
			n = HEADER_MAX - 1;
		memcpy(ret, p, n);
		ret[n] = 0;
		return ret;
	}
	return ret;
}

/* All lines with that header, as a response repeats them. */
static void lines_of(const char *msg, const char *name, char *ret)
{
	size_t len = 0;

	ret[0] = 0;
	for (const char *p = strstr(msg, "\r\n");
	     p && strncmp(p, "\r\n\r\n", 4); p = strstr(p + 2, "\r\n")) {
		size_t n = strcspn(p + 2, "\r") + 2;

		if (strncasecmp(p + 2, name, strlen(name)) ||
		    len + n >= HEADER_MAX)
			continue;
		memcpy(ret + len, p + 2, n - 2);
		len += n - 2;
		memcpy(ret + len, "\r\n", 3);
		len += 2;
	}
}

/* The route set that msg makes (RFC 3261 section 12.1): its Record-Route, in
 * this order, or the other way round for who called. */
static void route_of(const char *msg, bool is_reversed, char *ret)
{
	const char *value[8];
	size_t len[8], n = 0, at = 0;

	for (const char *p = strstr(msg, "\r\n");
	     p && strncmp(p, "\r\n\r\n", 4) && n < 8;
	     p = strstr(p + 2, "\r\n")) {
		if (strncasecmp(p + 2, "Record-Route:", 13))
			continue;
		value[n] = p + 15 + strspn(p + 15, " ");
		len[n] = strcspn(value[n], "\r");
		n++;
	}
	ret[0] = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = is_reversed ? n - 1 - i : i;

		at += (size_t)snprintf(ret + at, HEADER_MAX - at,
				       "Route: %.*s\r\n", (int)len[k],
				       value[k]);
		if (at >= HEADER_MAX)
			die("a route of %zu bytes", at);
	}
}

/* What stands between the brackets of a name-addr. */
static void uri_of(const char *value, char *ret)
{
	const char *begin = strchr(value, '<');
	size_t n;

	begin = begin ? begin + 1 : value;
	n = strcspn(begin, ">");
	memmove(ret, begin, n);
	ret[n] = 0;
}

static void user_of(const char *uri, char *ret)
{
	const char *begin = strstr(uri, "sip:");
	size_t n;

	ret[0] = 0;
	if (!begin)
		return;
	n = strcspn(begin + 4, "@;>");
	if (n >= NUMBER_LEN)
		n = NUMBER_LEN - 1;
	memcpy(ret, begin + 4, n);
	ret[n] = 0;
}

/* host:port of a URI, or what is given. */
static struct sockaddr_in host_of(const char *uri, struct sockaddr_in otherwise)
{
	const char *at = strchr(uri, '@'), *colon;
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[64];
	size_t n;

	at = at ? at + 1 : strstr(uri, "sip:") ? strstr(uri, "sip:") + 4 : uri;
	n = strcspn(at, ":;>");
	if (n >= sizeof(host))
		return otherwise;
	memcpy(host, at, n);
	host[n] = 0;
	colon = at[n] == ':' ? at + n + 1 : "5060";
	a.sin_port = htons((uint16_t)strtoul(colon, NULL, 10));
	return inet_pton(AF_INET, host, &a.sin_addr) == 1 ? a : otherwise;
}

/* Where the SDP of msg wants its audio; port 0 when it wants none. */
static struct sockaddr_in sdp_of(const char *msg)
{
	const char *body = strstr(msg, "\r\n\r\n");
	const char *c = body ? strstr(body, "c=IN IP4 ") : NULL;
	const char *m = body ? strstr(body, "m=audio ") : NULL;
	struct sockaddr_in a = {.sin_family = AF_INET};
	char ip[INET_ADDRSTRLEN];

	if (!c || !m)
		return a;
	(void)snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(c + 9, "\r"),
		       c + 9);
	if (inet_pton(AF_INET, ip, &a.sin_addr) == 1)
		a.sin_port = htons((uint16_t)strtoul(m + 8, NULL, 10));
	return a;
}

static size_t sdp_print(const struct sip_leg *d, char *ret, size_t cap)
{
	struct sockaddr_in a = d->media.sin_port ? d->media : here;
	char ip[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &a.sin_addr, ip, sizeof(ip));
	return (size_t)snprintf(
		ret, cap,
		"v=0\r\no=- %u %u IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
		"m=audio %u RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=%s\r\n",
		1u, d->cseq + 1, ip, ip,
		d->media.sin_port ? ntohs(d->media.sin_port) : 9,
		d->media.sin_port ? "sendrecv" : "inactive");
}

static const char *here_text(void)
{
	static char text[INET_ADDRSTRLEN + 8];
	char ip[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &here.sin_addr, ip, sizeof(ip));
	(void)snprintf(text, sizeof(text), "%s:%u", ip, ntohs(here.sin_port));
	return text;
}

/* --- sending ------------------------------------------------------------ */
static void transmit(const char *msg, struct sockaddr_in to)
{
	(void)!sendto(fd, msg, strlen(msg), 0, (struct sockaddr *)&to,
		      sizeof(to));
}

/* Send what is in d->last, again and again unless is_once. */
static void send_last(struct sip_leg *d, bool is_once)
{
	if (!cm.is_quiet)
		say("sip > %.*s", (int)strcspn(d->last, "\r"), d->last);
	transmit(d->last, d->peer);
	d->interval_ms = T1_MS;
	d->next_ms = is_once ? 0 : now_ms() + T1_MS;
	d->end_ms = now_ms() + LINGER_MS;
}

/* A request of ours in dialog d. */
static void request(struct sip_leg *d, const char *method, bool has_sdp,
		    char *ret, size_t cap)
{
	char sdp[512] = "";
	size_t len = has_sdp ? sdp_print(d, sdp, sizeof(sdp)) : 0;
	const char *user = strchr(d->local, ':');

	/* ACK and CANCEL have the number of their INVITE, and its branch; but
	 * the ACK of a 200 is a transaction of its own */
	if (strcmp(method, "ACK") && strcmp(method, "CANCEL"))
		d->cseq++;
	(void)snprintf(
		ret, cap,
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%u%s%s\r\n"
		"Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
		"CSeq: %u %s\r\nContact: <sip:%.*s@%s>\r\n%s%s"
		"Content-Length: %zu\r\n\r\n%s",
		method, d->target, here_text(), d->cseq, d->call_id,
		strcmp(method, "ACK") || d->is_refused ? "" : "a", d->local,
		d->remote, d->call_id, d->cseq, method,
		user ? (int)strcspn(user + 1, "@;>") : 0, user ? user + 1 : "",
		here_text(), d->route,
		has_sdp ? "Content-Type: application/sdp\r\n" : "", len, sdp);
}

static void invite(struct sip_leg *d)
{
	d->is_inviting = true;
	request(d, "INVITE", true, d->last, sizeof(d->last));
	send_last(d, false);
}

/* A response to a request that msg is; to: NULL = as in msg. */
static void respond(const char *msg, struct sockaddr_in peer, unsigned code,
		    const char *extra)
{
	static char buf[MSG_MAX];
	char via[HEADER_MAX], from[HEADER_MAX], to[HEADER_MAX];
	char id[HEADER_MAX], cseq[HEADER_MAX];

	lines_of(msg, "Via:", via);
	(void)header(msg, "To", to);
	(void)snprintf(
		buf, sizeof(buf),
		"SIP/2.0 %u %s\r\n%sFrom: %s\r\nTo: %s%s\r\n"
		"Call-ID: %s\r\nCSeq: %s\r\n%sContent-Length: 0\r\n\r\n",
		code, code < 300 ? "OK" : "No", via, header(msg, "From", from),
		to, strstr(to, "tag=") ? "" : ";tag=cm",
		header(msg, "Call-ID", id), header(msg, "CSeq", cseq), extra);
	transmit(buf, peer);
}

/* A response to the INVITE of theirs in dialog d. */
static void answer_invite(struct sip_leg *d, unsigned code)
{
	char sdp[512] = "";
	size_t len = code == OK ? sdp_print(d, sdp, sizeof(sdp)) : 0;

	(void)snprintf(
		d->last, sizeof(d->last),
		"SIP/2.0 %u %s\r\n%s%sFrom: %s\r\nTo: %s\r\n"
		"Call-ID: %s\r\nCSeq: %s\r\nContact: <sip:cm@%s>\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		code, code == OK ? "OK" : "Progress", d->via, d->record_route,
		d->remote, d->local, d->call_id, d->their_cseq, here_text(),
		len ? "Content-Type: application/sdp\r\n" : "", len, sdp);
	send_last(d, code < FINAL);
}

/* --- what the call manager wants ----------------------------------------- */
void sip_begin(struct sockaddr_in address)
{
	here = address;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)))
		die("cannot open the SIP socket: %m");
}

int sip_fd(void)
{
	return fd;
}

static struct sip_phone *phone_find(const char *number)
{
	for (unsigned i = 0; i < sip_phone_count; i++)
		if (strcmp(sip_phones[i].number, number) == 0)
			return &sip_phones[i];
	return NULL;
}

void sip_phone_add(const char *text)
{
	const char *address = strchr(text, '=');
	struct sip_phone *p;

	if (!address || sip_phone_count == PHONES_MAX)
		die("--sip-phone NUMBER=A:P, at most %d", PHONES_MAX);
	p = &sip_phones[sip_phone_count++];
	(void)snprintf(p->number, NUMBER_LEN, "%.*s", (int)(address - text),
		       text);
	(void)snprintf(p->contact, HEADER_MAX, "sip:%.*s@%.400s",
		       (int)(address - text), text, address + 1);
	p->address = address_of(address + 1);
}

bool sip_knows(const char *number)
{
	return phone_find(number) != NULL;
}

static struct sip_leg *dialog_new(struct leg *l)
{
	struct sip_leg *d = calloc(1, sizeof(*d));

	if (!d)
		die("no memory");
	d->leg = l;
	d->next = dialogs;
	dialogs = d;
	l->sip = d;
	return d;
}

void sip_invite(struct leg *l, const char *from, struct sockaddr_in media)
{
	const struct sip_phone *p = phone_find(l->digits);
	struct sip_leg *d;

	if (!p) {
		call_ended(l);
		return;
	}
	d = dialog_new(l);
	d->is_ours = true;
	d->peer = p->address;
	d->media = media;
	(void)snprintf(d->call_id, HEADER_MAX, "%u-%llu", l->ref,
		       (unsigned long long)now_us());
	(void)snprintf(d->target, HEADER_MAX, "%s", p->contact);
	(void)snprintf(d->local, HEADER_MAX, "<sip:%s@%s>;tag=cm%u", from,
		       here_text(), l->ref);
	(void)snprintf(d->remote, HEADER_MAX, "<sip:%s@%s>", l->digits,
		       here_text());
	invite(d);
}

void sip_ringing(struct leg *l)
{
	if (l->sip && !l->sip->is_ours && !l->sip->is_up)
		answer_invite(l->sip, 180);
}

static bool is_same(struct sockaddr_in a, struct sockaddr_in b)
{
	return a.sin_port == b.sin_port &&
	       a.sin_addr.s_addr == b.sin_addr.s_addr;
}

static void change(struct sip_leg *d, struct sockaddr_in media)
{
	if (is_same(d->media, media))
		return;
	d->media = media;
	d->is_changing = d->is_inviting || !d->is_up;
	if (!d->is_changing)
		invite(d);
}

void sip_answer(struct leg *l, struct sockaddr_in media)
{
	struct sip_leg *d = l->sip;

	if (!d)
		return;
	if (d->is_ours || d->is_up) {
		change(d, media);
		return;
	}
	d->media = media;
	d->is_up = true;
	d->is_inviting = true; /* until its ACK */
	answer_invite(d, OK);
}

void sip_hold(struct leg *l)
{
	static const struct sockaddr_in nowhere;

	if (l->sip && l->sip->is_up)
		change(l->sip, nowhere);
}

void sip_end(struct leg *l)
{
	struct sip_leg *d = l->sip;

	if (!d)
		return;
	d->leg = NULL;
	l->sip = NULL;
	if (d->is_up) {
		request(d, "BYE", false, d->last, sizeof(d->last));
		send_last(d, false);
	} else if (d->is_ours && d->is_inviting) {
		request(d, "CANCEL", false, d->last, sizeof(d->last));
		send_last(d, false);
	} else if (!d->is_ours) {
		answer_invite(d, 487);
	}
}

void sip_tick(uint64_t now_ms)
{
	struct sip_leg **at = &dialogs;

	while (*at) {
		struct sip_leg *d = *at;

		if (d->next_ms && now_ms >= d->next_ms) {
			transmit(d->last, d->peer);
			d->interval_ms = d->interval_ms < T2_MS / 2
						 ? 2 * d->interval_ms
						 : T2_MS;
			d->next_ms = now_ms + d->interval_ms;
		}
		if (now_ms > d->end_ms)
			d->next_ms = 0;
		if (!d->leg && !d->next_ms) {
			*at = d->next;
			free(d);
			continue;
		}
		at = &d->next;
	}
}

/* --- what SIP phones say -------------------------------------------------- */
static struct sip_leg *dialog_of(const char *msg)
{
	char id[HEADER_MAX];

	(void)header(msg, "Call-ID", id);
	for (struct sip_leg *d = dialogs; d; d = d->next)
		if (strcmp(d->call_id, id) == 0)
			return d;
	return NULL;
}

static void on_register(const char *msg, struct sockaddr_in from)
{
	char to[HEADER_MAX], contact[HEADER_MAX], number[NUMBER_LEN];
	char extra[2 * HEADER_MAX];
	struct sip_phone *p;

	(void)header(msg, "Contact", contact);
	user_of(header(msg, "To", to), number);
	p = phone_find(number);
	if (!p && sip_phone_count < PHONES_MAX)
		p = &sip_phones[sip_phone_count++];
	if (p && contact[0] == '<') {
		(void)snprintf(p->number, NUMBER_LEN, "%s", number);
		uri_of(contact, p->contact);
		p->address = host_of(p->contact, from);
		say("sip registered number=%s", number);
	}
	(void)snprintf(extra, sizeof(extra),
		       "Contact: %s%s\r\nExpires: 300\r\n", contact,
		       strstr(contact, "expires=") ? "" : ";expires=300");
	respond(msg, from, OK, extra);
}

/* Their first INVITE: the phone that is called rings, if it is one. */
static void on_invite(const char *msg, struct sockaddr_in from)
{
	struct leg *l = leg_new(LEG_SIP, NULL);
	struct sip_leg *d = dialog_new(l);
	char value[HEADER_MAX], number[NUMBER_LEN];

	d->peer = from;
	l->is_caller = true;
	lines_of(msg, "Via:", d->via);
	(void)header(msg, "Call-ID", d->call_id);
	(void)header(msg, "From", d->remote);
	route_of(msg, false, d->route);
	lines_of(msg, "Record-Route:", d->record_route);
	(void)snprintf(d->local, HEADER_MAX, "%.400s;tag=cm%u",
		       header(msg, "To", value), l->ref);
	(void)snprintf(d->their_cseq, sizeof(d->their_cseq), "%.60s",
		       header(msg, "CSeq", value));
	uri_of(header(msg, "Contact", value), d->target);
	user_of(d->remote, l->digits);
	user_of(msg, number);
	d->end_ms = now_ms() + LINGER_MS;
	media_address_is(l, sdp_of(msg));
	if (!call_route(l, number)) {
		d->leg = NULL;
		l->sip = NULL;
		answer_invite(d, 404);
		leg_free(l);
	}
}

/* Their media have moved: everybody is told. */
static void on_reinvite(struct sip_leg *d, const char *msg)
{
	struct sockaddr_in a = sdp_of(msg);
	char value[HEADER_MAX];

	lines_of(msg, "Via:", d->via);
	(void)snprintf(d->their_cseq, sizeof(d->their_cseq), "%.60s",
		       header(msg, "CSeq", value));
	answer_invite(d, OK);
	if (d->leg && a.sin_port && !is_same(a, d->leg->address)) {
		d->leg->address = a;
		leg_rekey(d->leg);
	}
}

static void sip_request(const char *msg, struct sockaddr_in from)
{
	struct sip_leg *d = dialog_of(msg);

	if (strncmp(msg, "REGISTER ", 9) == 0) {
		on_register(msg, from);
	} else if (strncmp(msg, "INVITE ", 7) == 0) {
		respond(msg, from, 100, "");
		if (!d)
			on_invite(msg, from);
		else if (d->is_up)
			on_reinvite(d, msg);
		else if (d->last[0])
			transmit(d->last, d->peer);
	} else if (strncmp(msg, "ACK ", 4) == 0) {
		if (!d)
			return;
		d->next_ms = 0;
		d->is_inviting = false;
		if (d->is_changing) {
			d->is_changing = false;
			invite(d);
		}
	} else {
		bool is_end = strncmp(msg, "BYE ", 4) == 0 ||
			      strncmp(msg, "CANCEL ", 7) == 0;

		respond(msg, from, d || !is_end ? OK : 481, "");
		if (!d || !d->leg || !is_end)
			return;
		/* after a BYE nothing more is said; a CANCEL is a refusal */
		if (msg[0] == 'B') {
			struct leg *l = d->leg;

			l->sip = NULL;
			d->leg = NULL;
			d->next_ms = 0;
			call_ended(l);
		} else if (!d->is_up) {
			call_ended(d->leg);
		}
	}
}

static void acknowledge(struct sip_leg *d, bool is_refused)
{
	static char buf[MSG_MAX];

	d->is_refused = is_refused;
	request(d, "ACK", false, buf, sizeof(buf));
	transmit(buf, d->peer);
	d->next_ms = 0;
	d->is_inviting = false;
}

static void invite_ok(struct sip_leg *d, const char *msg)
{
	struct sockaddr_in a = sdp_of(msg);
	bool is_first = !d->is_up;
	char value[HEADER_MAX];

	if (is_first)
		route_of(msg, true, d->route);
	(void)header(msg, "To", d->remote);
	uri_of(header(msg, "Contact", value), d->target);
	acknowledge(d, false);
	d->is_up = true;
	if (!d->leg) { /* it was cancelled too late */
		request(d, "BYE", false, d->last, sizeof(d->last));
		send_last(d, false);
		return;
	}
	if (is_first) {
		media_address_is(d->leg, a);
		call_answered(d->leg);
	} else if (a.sin_port) {
		d->leg->address = a;
	}
	if (d->is_changing) {
		d->is_changing = false;
		invite(d);
	}
}

static void sip_response(const char *msg)
{
	unsigned code = (unsigned)strtoul(msg + 8, NULL, 10);
	struct sip_leg *d = dialog_of(msg);
	char cseq[HEADER_MAX];

	if (!d)
		return;
	(void)header(msg, "CSeq", cseq);
	if (!strstr(cseq, "INVITE")) {
		if (code >= FINAL)
			d->next_ms = 0;
		return;
	}
	if (strtoul(cseq, NULL, 10) != d->cseq)
		return;
	if (code < FINAL) {
		d->next_ms = 0;
		if (code == 180 && d->leg && d->leg->peer && !d->is_up)
			call_ringing(d->leg->peer);
	} else if (code < 300) {
		invite_ok(d, msg);
	} else {
		struct leg *l = d->leg;

		(void)header(msg, "To", d->remote);
		acknowledge(d, true);
		if (l && !d->is_up) {
			l->sip = NULL;
			d->leg = NULL;
			call_ended(l);
		}
	}
}

void sip_readable(void)
{
	static char msg[MSG_MAX];
	struct sockaddr_in from;

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, msg, sizeof(msg) - 1, 0,
				     (struct sockaddr *)&from, &len);

		if (n < 0)
			return;
		msg[n] = 0;
		if (!cm.is_quiet && n > 16)
			say("sip < %.*s", (int)strcspn(msg, "\r"), msg);
		if (strncmp(msg, "SIP/2.0 ", 8) == 0)
			sip_response(msg);
		else
			sip_request(msg, from);
	}
}
