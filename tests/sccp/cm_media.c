/* Who hears whom. See cm.h. */
#include "cm.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME = MEDIA_FRAME, PACKET_MS = 20, CODEC_ULAW = 4 };

struct leg *leg_by_party(uint32_t party, const struct cm_phone *p)
{
	for (struct leg *l = cm.legs; l; l = l->next)
		if (l->phone == p && l->party == party && l->is_open)
			return l;
	return NULL;
}

static void open_phone(struct leg *l)
{
	struct pdu m;

	l->party = ++cm.last_party;
	message_begin(l->phone, &m, 0x0105);
	pdu_set(&m, "conferenceId", l->conference_id);
	pdu_set(&m, "passThroughPartyId", l->party);
	pdu_set(&m, "packetMs", PACKET_MS);
	pdu_set(&m, "codec", CODEC_ULAW);
	pdu_set(&m, "callReference", l->ref);
	pdu_set(&m, "rfc2833", 101);
	pdu_set(&m, "dtmfType", 10);
	if (pdu_has(&m, "ip") && l->heard && l->heard->kind == LEG_PHONE) {
		/* a hint of where it will come from, with no port yet */
		pdu_set_ip(&m, "ip", link_address(&l->phone->link));
		pdu_set(&m, "port", 4000);
	}
	message_send(l->phone, &m);
}

/* Ask l where it hears. */
static void leg_open(struct leg *l)
{
	if (l->is_open)
		return;
	l->is_open = true;
	switch (l->kind) {
	case LEG_PHONE:
		open_phone(l);
		break;
	case LEG_MTP:
		media_address_is(l, media_address(l->port));
		break;
	case LEG_SIP: /* its SDP said so, or will */
		break;
	}
}

static void start_phone(struct leg *l, struct sockaddr_in to)
{
	struct pdu m;

	message_begin(l->phone, &m, 0x008A);
	pdu_set(&m, "conferenceId", l->conference_id);
	pdu_set(&m, "passThroughPartyId", l->party);
	pdu_set_ip(&m, "ip", to.sin_addr);
	pdu_set(&m, "port", ntohs(to.sin_port));
	pdu_set(&m, "packetMs", PACKET_MS);
	pdu_set(&m, "codec", CODEC_ULAW);
	pdu_set(&m, "precedence", 184);
	pdu_set(&m, "callReference", l->ref);
	pdu_set(&m, "rfc2833", 101);
	pdu_set(&m, "dtmfType", 10);
	message_send(l->phone, &m);
}

/* Tell l where the other one hears. */
static void leg_start(struct leg *l, struct sockaddr_in to)
{
	static const struct media_key clear;

	if (l->is_started)
		return;
	l->is_started = true;
	switch (l->kind) {
	case LEG_PHONE:
		start_phone(l, to);
		break;
	case LEG_MTP:
		(void)media_receive(l->port, &clear);
		(void)media_send(l->port, to, &clear);
		break;
	case LEG_SIP:
		sip_answer(l, to);
		break;
	}
}

static void both_start(struct leg *a, struct leg *b)
{
	if (!a->has_address || !b->has_address)
		return;
	leg_start(a, b->address);
	leg_start(b, a->address);
}

void media_connect(struct leg *a, struct leg *b)
{
	a->heard = b;
	b->heard = a;
	leg_open(a);
	leg_open(b);
	both_start(a, b);
}

void media_address_is(struct leg *l, struct sockaddr_in a)
{
	l->address = a;
	l->address.sin_family = AF_INET;
	l->has_address = true;
	if (l->heard)
		both_start(l, l->heard);
}

static void channel_end(struct leg *l, uint32_t id)
{
	struct pdu m;

	message_begin(l->phone, &m, id);
	pdu_set(&m, "conferenceId", l->conference_id);
	pdu_set(&m, "passThroughPartyId", l->party);
	pdu_set(&m, "callReference", l->ref);
	message_send(l->phone, &m);
}

/* Tell the phone to hear the music's group, or not any more. */
static void group_start(struct leg *l)
{
	struct pdu m;

	l->party = ++cm.last_party;
	l->has_group = true;
	message_begin(l->phone, &m, 0x0101);
	pdu_set(&m, "conferenceId", l->conference_id);
	pdu_set(&m, "passThroughPartyId", l->party);
	pdu_set_ip(&m, "ip", cm.group.sin_addr);
	pdu_set(&m, "port", ntohs(cm.group.sin_port));
	pdu_set(&m, "packetMs", PACKET_MS);
	pdu_set(&m, "codec", CODEC_ULAW);
	pdu_set(&m, "callReference", l->ref);
	message_send(l->phone, &m);
}

static void group_stop(struct leg *l)
{
	if (l->has_group && l->phone->link.state == LINK_UP)
		channel_end(l, 0x0103);
	l->has_group = false;
}

void media_group(struct sockaddr_in group)
{
	static const struct media_key clear;

	cm.group = group;
	cm.group_port = media_free(cm.group_port);
	if (group.sin_port == 0)
		return;
	cm.group_port = media_new(cm.address, "music");
	(void)media_send(cm.group_port, group, &clear);
}

static void leg_close(struct leg *l)
{
	group_stop(l);
	if (l->kind == LEG_PHONE && l->phone->link.state == LINK_UP) {
		if (l->is_open)
			channel_end(l, 0x0106);
		if (l->is_started)
			channel_end(l, 0x008B);
	}
	if (l->kind == LEG_SIP && l->is_started && !l->is_ending)
		sip_hold(l);
	l->is_open = l->is_started = false;
	l->heard = NULL;
	/* a SIP phone hears where it heard before */
	if (l->kind != LEG_SIP)
		l->has_address = false;
}

void media_disconnect(struct leg *l)
{
	struct leg *other = l->heard;

	leg_close(l);
	if (!other)
		return;
	leg_close(other);
	if (other->kind == LEG_MTP)
		leg_free(other);
}

static struct leg *mtp_new(struct conference *c)
{
	struct leg *m = leg_new(LEG_MTP, NULL);

	m->port = media_new(cm.address, c ? "conference" : "music");
	m->conference = c;
	return m;
}

void media_music(struct leg *l)
{
	if (cm.group_port && l->kind == LEG_PHONE)
		group_start(l);
	else if (cm.has_music)
		media_connect(l, mtp_new(NULL));
}

void media_confer(struct leg *l, struct conference *c)
{
	l->conference = c;
	c->members++;
	media_connect(l, mtp_new(c));
}

void leg_rekey(struct leg *l)
{
	struct leg *other = l->heard;

	if (!other)
		return;
	leg_close(l);
	leg_close(other);
	media_connect(l, other);
}

void media_fork(struct leg *l, struct sockaddr_in to)
{
	uint32_t party = l->party;

	l->party = ++cm.last_party;
	start_phone(l, to);
	l->party = party;
}

/* --- mixing (ITU-T G.711, u-law) ----------------------------------------- */
static int decode(uint8_t u)
{
	int t;

	u = (uint8_t)~u;
	t = (((u & 15) << 3) + 132) << (u >> 4 & 7);
	return u & 128 ? 132 - t : t - 132;
}

static uint8_t encode(int v)
{
	int sign = v < 0 ? 128 : 0, exponent = 7;

	v = (v < 0 ? -v : v) + 132;
	if (v > 32767)
		v = 32767;
	while (exponent > 0 && !(v & 128 << exponent))
		exponent--;
	return (uint8_t) ~(sign | exponent << 4 | (v >> (exponent + 3) & 15));
}

/* What all others of m's conference said last. */
static void mix_for(struct leg *m)
{
	uint8_t frame[FRAME], heard[FRAME];
	int sum[FRAME] = {0};

	for (struct leg *o = cm.legs; o; o = o->next) {
		if (o == m || o->kind != LEG_MTP ||
		    o->conference != m->conference ||
		    !media_heard(o->port, heard))
			continue;
		for (unsigned i = 0; i < FRAME; i++)
			sum[i] += decode(heard[i]);
	}
	for (unsigned i = 0; i < FRAME; i++)
		frame[i] = encode(sum[i]);
	media_say(m->port, frame);
}

void media_mix(uint64_t now_ms)
{
	static uint64_t next_ms;

	if (cm.group_port)
		media_tick(cm.group_port, now_ms);
	for (struct leg *m = cm.legs; m; m = m->next)
		if (m->kind == LEG_MTP) {
			media_readable(m->port);
			if (!m->conference)
				media_tick(m->port, now_ms);
		}
	if (now_ms < next_ms)
		return;
	next_ms = now_ms + PACKET_MS;
	for (struct leg *m = cm.legs; m; m = m->next)
		if (m->kind == LEG_MTP && m->conference && m->is_started)
			mix_for(m);
}
