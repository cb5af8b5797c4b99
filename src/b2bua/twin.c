/*
 * Best-effort SRTP with two m= lines: a phone that is called may be offered
 * the same audio twice, as RTP/SAVP and, further down, as RTP/AVP (its twin),
 * and rejects one. The call manager knows nothing of twins: they are taken out
 * of what the phone says and put into what it is told, so that elsewhere the
 * m= lines of both sides correspond one to one.
 */
#include "b2bua/machine.h"

#include "base/text.h"

void twin_make(struct media *m, const struct sdp *s)
{
	m->twin_at = (uint8_t)s->media_count;
	m->twin_count = 0;
	for (size_t i = 0; i < s->media_count; i++) {
		const struct stream *st = stream_of(m, i);

		if (st && st->is_offered && st->offer.count > 0 &&
		    text_ieqs(s->media[i].type, "audio") &&
		    s->media_count + m->twin_count < SDP_MEDIA_MAX)
			m->twin_of[m->twin_count++] = (uint8_t)i;
	}
}

int twin_take(const struct media *m, struct sdp *s)
{
	size_t end = (size_t)m->twin_at + m->twin_count;

	if (m->twin_count == 0)
		return 0;
	if (s->media_count < end)
		return ERR_BAD;
	for (size_t k = 0; k < m->twin_count; k++) {
		struct sdp_media *own = &s->media[m->twin_of[k]];

		if (own->port == 0)
			*own = s->media[m->twin_at + k];
	}
	memmove(&s->media[m->twin_at], &s->media[end],
		(s->media_count - end) * sizeof(*s->media));
	s->media_count -= m->twin_count;
	return 0;
}

int twin_put(const struct media *m, struct sdp *s, struct sdp_edit *e,
	     bool is_first)
{
	size_t at = m->twin_at;
	size_t n = m->twin_count;

	if (n == 0)
		return 0;
	if (s->media_count < at || s->media_count + n > SDP_MEDIA_MAX)
		return ERR_LIMIT;
	memmove(&s->media[at + n], &s->media[at],
		(s->media_count - at) * sizeof(*s->media));
	memmove(&e->media[at + n], &e->media[at],
		(s->media_count - at) * sizeof(*e->media));
	s->media_count += n;
	for (size_t k = 0; k < n; k++) {
		struct sdp_media_edit *own = &e->media[m->twin_of[k]];
		struct sdp_media_edit *twin = &e->media[at + k];
		enum sdp_proto plain = sdp_proto_with(own->proto, false);

		s->media[at + k] = s->media[m->twin_of[k]];
		*twin = *own;
		twin->proto = plain;
		twin->crypto_count = 0;
		if (is_first)
			continue;
		/* Whichever is in use; the other stays rejected. */
		if (own->crypto_count > 0) {
			twin->port = 0;
		} else {
			own->port = 0;
			own->proto = sdp_proto_with(plain, true);
		}
	}
	return 0;
}

/* Could the phone's line be SRTP with us? */
static bool is_usable(const struct sdp_media *m, const struct answer_policy *p)
{
	struct answer_offer o;
	bool is_any;

	answer_usable(m, p, &o);
	is_any = o.count > 0;
	answer_offer_wipe(&o);
	return is_any;
}

/* The same media twice: from one port, or in two lines that follow each other
 * and differ in nothing but the profile. Two streams in their own right may be
 * secure and plain, too. */
static bool is_alternative(const struct sdp *s, size_t i, size_t k)
{
	const struct sdp_media *a = &s->media[i];
	const struct sdp_media *b = &s->media[k];

	if (a == b || a->port == 0 || b->port == 0 ||
	    !text_ieq(a->type, b->type) || !sdp_proto_is_rtp(a->proto) ||
	    !sdp_proto_is_rtp(b->proto) ||
	    sdp_proto_is_secure(a->proto) == sdp_proto_is_secure(b->proto))
		return false;
	return addr_eq(&a->addr, &b->addr) ||
	       ((i == k + 1 || k == i + 1) && slice_eq(a->formats, b->formats));
}

bool twin_is_spare(const struct sdp *s, size_t line,
		   const struct answer_policy *p)
{
	const struct sdp_media *own = &s->media[line];

	for (size_t i = 0; i < s->media_count; i++) {
		if (!is_alternative(s, line, i))
			continue;
		if (!sdp_proto_is_secure(own->proto))
			return is_usable(&s->media[i], p);
		return p->srtp != ANSWER_SRTP_REQUIRE && !is_usable(own, p);
	}
	return false;
}
