/* Calls of the call manager. See cm.h. */
#include "cm.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	EV_NEW_CALL = 2,
	EV_HOLD = 3,
	EV_TRANSFER = 4,
	EV_END_CALL = 9,
	EV_RESUME = 10,
	EV_ANSWER = 11,
	EV_CONFERENCE = 13,
	TONE_DIAL = 0x21,
	TONE_BUSY = 0x23,
	TONE_RINGING = 0x24,
	CALL_INBOUND = 1,
	CALL_OUTBOUND = 2,
	SECURITY_UNKNOWN = 0,
	SECURITY_NONE = 1,
	VERSION_DYNAMIC = 11,
	LINE = 1
};

/* --- legs --------------------------------------------------------------- */
struct leg *leg_new(enum leg_kind kind, struct cm_phone *p)
{
	struct leg *l = calloc(1, sizeof(*l));

	if (!l)
		die("no memory");
	l->kind = kind;
	l->phone = p;
	l->ref = ++cm.last_ref;
	l->conference_id = l->ref;
	l->next = cm.legs;
	cm.legs = l;
	return l;
}

void leg_free(struct leg *l)
{
	struct leg **at = &cm.legs;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	for (struct leg *o = cm.legs; o; o = o->next) {
		if (o->peer == l)
			o->peer = NULL;
		if (o->heard == l)
			o->heard = NULL;
		if (o->consults == l)
			o->consults = NULL;
	}
	media_free(l->port);
	free(l);
}

const char *leg_number(const struct leg *l)
{
	return l->kind == LEG_PHONE ? l->phone->number : l->digits;
}

/* The leg a message of the phone is about: by reference, else the latest. */
static struct leg *leg_find(const struct cm_phone *p, uint32_t ref)
{
	for (struct leg *l = cm.legs; l; l = l->next)
		if (l->phone == p && (!ref || l->ref == ref))
			return l;
	return NULL;
}

struct leg *leg_of_phone(const struct cm_phone *p)
{
	return leg_find(p, 0);
}

static struct leg *leg_in(const struct cm_phone *p, uint32_t ref,
			  uint32_t state)
{
	for (struct leg *l = cm.legs; l; l = l->next)
		if (l->phone == p && (!ref || l->ref == ref) &&
		    l->state == state)
			return l;
	return NULL;
}

/* --- what a phone shows -------------------------------------------------- */
static void prompt(struct leg *l, const char *text)
{
	struct cm_phone *p = l->phone;
	struct pdu m;

	if (p->version >= VERSION_DYNAMIC && cm.form == FORM_NEW) {
		message_begin(p, &m, 0x0145);
		pdu_strings(&m, 1, &text);
	} else {
		message_begin(p, &m, 0x0112);
		pdu_set_text(&m, "text", text);
	}
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	message_send(p, &m);
}

static void tone(struct leg *l, uint32_t which)
{
	struct pdu m;

	message_begin(l->phone, &m, which ? 0x0082 : 0x0083);
	if (which)
		pdu_set(&m, "tone", which);
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	message_send(l->phone, &m);
}

static void ring(struct leg *l, bool is_on)
{
	struct pdu m;

	message_begin(l->phone, &m, 0x0085);
	pdu_set(&m, "mode", is_on ? 2 : 1);
	pdu_set(&m, "duration", 1);
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	message_send(l->phone, &m);
	message_begin(l->phone, &m, 0x0086);
	pdu_set(&m, "stimulus", 9);
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "mode", is_on ? 5 : 1);
	message_send(l->phone, &m);
}

static void show_state(struct leg *l, uint32_t state)
{
	struct pdu m;

	l->state = state;
	if (l->kind != LEG_PHONE)
		return;
	message_begin(l->phone, &m, 0x0111);
	pdu_set(&m, "state", state);
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	message_send(l->phone, &m);
	if (state == ST_ON_HOOK)
		return;
	message_begin(l->phone, &m, 0x0110);
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	pdu_set(&m, "set",
		state == ST_CONNECTED ? 1
		: state == ST_HOLD    ? 2
				      : 0);
	pdu_set(&m, "mask", 0xffff);
	message_send(l->phone, &m);
}

/* Real ones show security 0 while it rings and 1, none, once connected. */
static void show_info(struct leg *l)
{
	const char *me = leg_number(l), *from = l->is_caller ? me : l->other;
	const char *to = l->is_caller ? l->other : me;
	const char *const text[] = {from, "",	to, to, "", "", "", "",
				    "",	  from, to, to, "", "", ""};
	uint32_t security =
		l->state == ST_CONNECTED ? SECURITY_NONE : SECURITY_UNKNOWN;
	struct pdu m;

	if (l->kind != LEG_PHONE)
		return;
	if (l->phone->version >= VERSION_DYNAMIC && cm.form == FORM_NEW) {
		message_begin(l->phone, &m, 0x014A);
		/* the hunt pilot's number and name came with version 17 */
		pdu_strings(&m, l->phone->version >= 17 ? 15 : 13, text);
	} else {
		message_begin(l->phone, &m, 0x008F);
		pdu_set_text(&m, "callingName", from);
		pdu_set_text(&m, "callingNumber", from);
		pdu_set_text(&m, "calledName", to);
		pdu_set_text(&m, "calledNumber", to);
	}
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	pdu_set(&m, "callType", l->is_caller ? CALL_OUTBOUND : CALL_INBOUND);
	pdu_set(&m, "instance", 1);
	pdu_set(&m, "security", security);
	message_send(l->phone, &m);
}

static void show_dialled(struct leg *l)
{
	struct pdu m;

	message_begin(l->phone, &m, 0x011D);
	pdu_set_text(&m, "dn", l->other);
	pdu_set(&m, "line", LINE);
	pdu_set(&m, "callReference", l->ref);
	message_send(l->phone, &m);
}

/* --- setting up ---------------------------------------------------------- */
static struct leg *off_hook(struct cm_phone *p)
{
	struct leg *l = leg_new(LEG_PHONE, p);

	l->is_caller = true;
	show_state(l, ST_OFF_HOOK);
	prompt(l, "Enter number");
	tone(l, TONE_DIAL);
	return l;
}

static void pair(struct leg *a, struct leg *b)
{
	a->peer = b;
	b->peer = a;
	(void)snprintf(a->other, sizeof(a->other), "%s", leg_number(b));
	(void)snprintf(b->other, sizeof(b->other), "%s", leg_number(a));
}

static void ring_phone(struct leg *from, struct cm_phone *to)
{
	struct leg *l = leg_new(LEG_PHONE, to);

	pair(from, l);
	show_state(l, ST_RING_IN);
	show_info(l);
	prompt(l, "From");
	ring(l, true);
	call_ringing(from);
}

bool call_route(struct leg *from, const char *number)
{
	struct cm_phone *to = phone_by_number(number);

	if (to && to != from->phone) {
		ring_phone(from, to);
		return true;
	}
	if (from->kind == LEG_PHONE && sip_knows(number)) {
		struct leg *l = leg_new(LEG_SIP, NULL);

		(void)snprintf(l->digits, sizeof(l->digits), "%s", number);
		pair(from, l);
		/* its media have to be known before the INVITE: it asks */
		media_connect(from, l);
		return true;
	}
	return false;
}

void call_ringing(struct leg *l)
{
	if (l->kind == LEG_SIP) {
		sip_ringing(l);
		return;
	}
	show_state(l, ST_RING_OUT);
	show_info(l);
	tone(l, TONE_RINGING);
}

static void on_digit(struct leg *l, uint32_t button)
{
	size_t n = strlen(l->digits);

	if (l->state != ST_OFF_HOOK || n + 1 >= sizeof(l->digits))
		return;
	if (n == 0)
		tone(l, 0);
	l->digits[n] = (char)('0' + button % 10);
	l->digits[n + 1] = 0;
	if (!phone_by_number(l->digits) && !sip_knows(l->digits))
		return;
	(void)snprintf(l->other, sizeof(l->other), "%s", l->digits);
	show_dialled(l);
	show_state(l, ST_PROCEED);
	if (!call_route(l, l->digits)) {
		show_state(l, ST_BUSY);
		tone(l, TONE_BUSY);
	}
}

static void connected(struct leg *l)
{
	if (l->kind == LEG_PHONE && l->is_caller)
		tone(l, 0);
	show_state(l, ST_CONNECTED);
	show_info(l);
}

void call_answered(struct leg *l)
{
	if (l->kind == LEG_PHONE)
		ring(l, false);
	connected(l);
	connected(l->peer);
	media_connect(l, l->peer);
}

/* --- ending -------------------------------------------------------------- */
/* The leg is over for its side. */
static void finish(struct leg *l)
{
	if (l->kind == LEG_SIP) {
		sip_end(l);
	} else if (l->phone->link.state == LINK_UP) {
		if (l->state == ST_RING_IN)
			ring(l, false);
		if (l->state < ST_CONNECTED || l->state == ST_BUSY)
			tone(l, 0);
		show_state(l, ST_ON_HOOK);
	}
	leg_free(l);
}

static struct leg *member_of(const struct conference *c)
{
	for (struct leg *l = cm.legs; l; l = l->next)
		if (l->conference == c && l->kind != LEG_MTP)
			return l;
	return NULL;
}

static void leave_conference(struct leg *l)
{
	struct conference *c = l->conference;
	struct leg *last;

	l->conference = NULL;
	if (--c->members > 1)
		return;
	last = member_of(c);
	if (last) {
		last->is_ending = true;
		media_disconnect(last);
		last->conference = NULL;
		finish(last);
	}
	free(c);
}

void call_ended(struct leg *l)
{
	struct leg *peer = l->peer;

	l->is_ending = true;
	if (peer && !l->conference)
		peer->is_ending = true;
	media_disconnect(l);
	if (l->conference)
		leave_conference(l);
	else if (peer) {
		media_disconnect(peer);
		finish(peer);
	}
	finish(l);
}

void call_phone_gone(struct cm_phone *p)
{
	for (struct leg *l = leg_of_phone(p); l; l = leg_of_phone(p))
		call_ended(l);
}

/* --- hold, transfer, conference ------------------------------------------ */
static void hold(struct leg *l)
{
	media_disconnect(l);
	show_state(l, ST_HOLD);
	if (l->peer)
		media_music(l->peer);
}

static void resume(struct leg *l)
{
	struct leg *active = leg_in(l->phone, 0, ST_CONNECTED);

	if (active)
		hold(active);
	if (!l->peer)
		return;
	media_disconnect(l->peer); /* the music */
	connected(l);
	media_connect(l, l->peer);
}

static void consult(struct leg *l, bool for_conference)
{
	struct leg *n;

	hold(l);
	n = off_hook(l->phone);
	n->consults = l;
	n->for_conference = for_conference;
}

/* The held party and the one that was asked become peers. */
static void transfer(struct leg *l)
{
	struct leg *held = l->consults, *a = held->peer, *b = l->peer;
	bool is_ringing = b && b->state == ST_RING_IN;

	if (!a || !b)
		return;
	media_disconnect(l);
	media_disconnect(a);
	held->peer = l->peer = NULL;
	pair(a, b);
	finish(l);
	finish(held);
	show_info(b);
	if (is_ringing) {
		call_ringing(a);
		return;
	}
	show_info(a);
	media_connect(a, b);
}

static void confer(struct leg *l)
{
	struct leg *held = l->consults, *a, *b;
	struct conference *c;

	a = held->peer;
	b = l->peer;
	if (!a || !b || l->state != ST_CONNECTED)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		die("no memory");
	c->id = ++cm.last_ref;
	media_disconnect(l);
	media_disconnect(a);
	held->peer = l->peer = a->peer = b->peer = NULL;
	finish(l);
	(void)snprintf(held->other, sizeof(held->other), "Conference");
	show_state(held, ST_CONNECTED);
	show_info(held);
	media_confer(held, c);
	media_confer(a, c);
	media_confer(b, c);
}

static void softkey(struct cm_phone *p, uint32_t event, uint32_t ref)
{
	struct leg *l = leg_find(p, ref);

	if (event == EV_NEW_CALL) {
		struct leg *active = leg_in(p, 0, ST_CONNECTED);

		if (active)
			hold(active);
		(void)off_hook(p);
		return;
	}
	if (!l)
		return;
	if (event == EV_HOLD && l->state == ST_CONNECTED)
		hold(l);
	else if (event == EV_RESUME && l->state == ST_HOLD)
		resume(l);
	else if (event == EV_ANSWER && l->state == ST_RING_IN)
		call_answered(l);
	else if (event == EV_END_CALL)
		call_ended(l);
	else if (event == EV_TRANSFER && l->consults)
		transfer(l);
	else if (event == EV_CONFERENCE && l->consults)
		confer(l);
	else if ((event == EV_TRANSFER || event == EV_CONFERENCE) &&
		 l->state == ST_CONNECTED)
		consult(l, event == EV_CONFERENCE);
}

/* --- messages ------------------------------------------------------------ */
static void on_off_hook(struct cm_phone *p, uint32_t ref)
{
	struct leg *ringing = leg_in(p, ref, ST_RING_IN);

	if (ringing)
		call_answered(ringing);
	else if (!leg_of_phone(p))
		(void)off_hook(p);
}

static void on_channel(struct cm_phone *p, const struct pdu *m)
{
	struct leg *l = leg_by_party(pdu_get(m, "passThroughPartyId"), p);
	struct sockaddr_in a = {.sin_addr = pdu_ip(m, "ip"),
				.sin_port =
					htons((uint16_t)pdu_get(m, "port"))};

	if (!l)
		return;
	if (pdu_get(m, "status")) {
		say("%s cannot receive: status=%u", p->name,
		    pdu_get(m, "status"));
		call_ended(l);
		return;
	}
	if (l->heard && l->heard->kind == LEG_SIP && !l->heard->sip)
		sip_invite(l->heard, leg_number(l), a);
	media_address_is(l, a);
}

static void on_statistics(struct cm_phone *p, const struct pdu *m)
{
	say("%s statistics sent=%u received=%u", p->name,
	    pdu_get(m, "packetsSent"), pdu_get(m, "packetsReceived"));
}

void call_message(struct cm_phone *p, const struct pdu *m)
{
	uint32_t ref = pdu_get(m, "callReference");
	struct leg *l = leg_find(p, ref);

	switch (pdu_id(m)) {
	case 0x0006:
		on_off_hook(p, ref);
		break;
	case 0x0007:
		if (l)
			call_ended(l);
		break;
	case 0x0003:
		if (l)
			on_digit(l, pdu_get(m, "button"));
		break;
	case 0x0026:
		softkey(p, pdu_get(m, "event"), ref);
		break;
	case 0x0022:
		on_channel(p, m);
		break;
	case 0x0021:
		say("%s hears the group: status=%u", p->name,
		    pdu_get(m, "status"));
		break;
	case 0x0023:
		on_statistics(p, m);
		break;
	default:
		break;
	}
}
