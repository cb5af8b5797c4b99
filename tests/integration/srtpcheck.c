/*
 * Proves from captures what lies outside and what lies inside:
 *
 *	srtpcheck [--joined|--end-to-end] STREAMS ADDRESS OUTSIDE.pcap
 *		INSIDE.pcap...
 *
 * STREAMS has a line per negotiated direction: name, "up" or "down", source
 * ip:port, destination ip:port, suite, base64 key and salt (RFC 4568).
 * ADDRESS is Sallyport's outside address. Independent of the program under
 * test: captures are read by hand, libsrtp2 (RFC 3711, 7714) decrypts. All of
 * this must hold, or the exit status is 1:
 *
 *  - every UDP packet from or to ADDRESS outside belongs to a named stream
 *    and authenticates under that stream's key, and every stream has packets.
 *    What phones send outside of SRTP is named and counted, if it is STUN or
 *    plain RTCP (baresip says hello and goodbye like that); no plain packet
 *    may come from ADDRESS, and none of these may get inside;
 *  - every TCP packet outside is from or to port 5061 (SIP over TLS) or 2443
 *    (Skinny over TLS);
 *  - every RTP packet inside equals, header and payload, a decrypted packet
 *    that came up, and every decrypted packet that went down equals one
 *    inside;
 *  - the same holds for RTCP;
 *  - in no such pair do 8 bytes of the inside payload stand at the same place
 *    of the packet outside.
 *
 * With --mixed (calls of every kind, and a call manager that plays and mixes
 * media itself) instead of the last three but the last:
 *
 *  - every packet that went down decrypts to one inside, or to what came up from
 *    another phone;
 *  - every RTP packet inside of a source (SSRC) that also came up equals a
 *    decrypted packet that came up; other sources are the call manager's own.
 *
 *  - at most JOIN_MAX packets of a stream may go down just as they came up from
 *    another phone, under the key that it had before both were told of a common
 *    one.
 *
 * With --joined (two phones whose calls lead into each other) instead:
 *
 *  - there is no RTP and no RTCP inside, except that the first JOIN_MAX packets
 *    of a sender may be there, those from before the two calls were joined, and
 *    LAST_MAX reports that came up and did not go down: a party's last one finds
 *    that the far half of the call has just gone;
 *  - every packet that went down decrypts to what a packet that came up, from
 *    the other phone, decrypts to.
 *
 * With --end-to-end moreover:
 *
 *  - every packet that went down equals the one that came up bit for bit: it
 *    is the other phone's own; but for the first JOIN_MAX where the phones were
 *    given a common key in place of their first one.
 */
#include <srtp2/srtp.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "integration/pcap.h"

enum {
	STREAM_MAX = 128,
	PACKETS_MAX = 50000, /* kept of one side */
	JOIN_MAX = 5,	     /* packets inside before calls are joined */
	LAST_MAX = 2,	     /* RTCP inside after that */
	RUN = 8		     /* bytes that must not repeat outside */
};

struct stream {
	char name[32], suite[48];
	bool is_up;
	struct end src, dst;
	srtp_t srtp;
	unsigned long rtp, rtcp, failed;
	unsigned long late; /* of the other phone, under the key it had */
	unsigned long stun, plain_rtcp; /* sent beside SRTP by the phone */
};

/* An RTP packet: inside, or outside with what it decrypted to. */
struct rtp {
	struct stream *stream; /* NULL inside */
	uint32_t ssrc;
	uint16_t seq, len, wire_len;
	bool is_used;
	uint8_t *clear, *wire; /* len, wire_len bytes */
};

struct side {
	struct rtp *rtp;
	unsigned long count;
};

enum mode { MODE_INSIDE, MODE_MIXED, MODE_JOINED, MODE_END_TO_END };

struct check {
	enum mode mode;
	struct stream stream[STREAM_MAX];
	unsigned stream_count;
	uint32_t address;
	struct side outside, inside;
	struct side outside_rtcp, inside_rtcp;
	unsigned long tls, sip, foreign, bad;
};

static void fail(struct check *c, const char *what, const struct packet *p)
{
	if (c->bad++ < 20)
		(void)printf("  NOT TRUE: %s (%08x:%u -> %08x:%u, %u bytes)\n",
			     what, p->src.ip, p->src.port, p->dst.ip,
			     p->dst.port, p->len);
}

/* -- RTP ------------------------------------------------------------------- */

static bool is_rtcp(const struct packet *p)
{
	return p->len >= 8 && p->data[0] >> 6 == 2 && p->data[1] >= 192 &&
	       p->data[1] <= 223;
}

static bool is_rtp(const struct packet *p)
{
	return p->len >= 12 && p->data[0] >> 6 == 2 && !is_rtcp(p);
}

/* Bytes of the RTP header with CSRC list and extension; RFC 3550 5.1. */
static size_t rtp_header_len(const uint8_t *p, size_t len)
{
	size_t n = 12 + (size_t)(p[0] & 15) * 4;

	if (p[0] & 0x10 && n + 4 <= len)
		n += 4 + (size_t)be16(p + n + 2) * 4;
	return n < len ? n : len;
}

static uint8_t *copy(const uint8_t *p, size_t len)
{
	uint8_t *q = malloc(len ? len : 1);

	if (!q)
		abort();
	memcpy(q, p, len);
	return q;
}

static bool is_stun(const struct packet *p) /* RFC 8489 section 5 */
{
	return p->len >= 20 && p->data[0] < 4 &&
	       be32(p->data + 4) == 0x2112a442;
}

static void side_add(struct side *s, struct stream *stream,
		     const uint8_t *clear, size_t len, const struct packet *p)
{
	struct rtp *r;

	if (s->count >= PACKETS_MAX)
		return;
	r = &s->rtp[s->count++];
	r->stream = stream;
	r->ssrc = len >= 12 ? be32(clear + 8) : 0;
	r->seq = be16(clear + 2);
	r->len = (uint16_t)len;
	r->wire_len = p->len;
	r->clear = copy(clear, len);
	r->wire = copy(p->data, p->len);
}

static bool is_same_stream(const struct stream *a, const struct stream *b)
{
	return a->src.ip == b->src.ip && a->src.port == b->src.port &&
	       a->dst.ip == b->dst.ip && a->dst.port == b->dst.port;
}

/* The next stream of the packet after that one, NULL = the first: keyed anew, a
 * stream is there once for each key. */
static struct stream *stream_find(struct check *c, const struct stream *after,
				  const struct packet *p, uint16_t shift)
{
	for (unsigned i = after ? (unsigned)(after - c->stream) + 1 : 0;
	     i < c->stream_count; i++) {
		struct stream *s = &c->stream[i];

		if (s->src.ip == p->src.ip && s->dst.ip == p->dst.ip &&
		    s->src.port + shift == p->src.port &&
		    s->dst.port + shift == p->dst.port)
			return s;
	}
	return NULL;
}

/* Does a run of 8 payload bytes stand at the same place of the packet? */
static bool has_run(const struct rtp *inside, const struct rtp *outside)
{
	size_t run = 0;

	for (size_t i = rtp_header_len(inside->clear, inside->len);
	     i < inside->len && i < outside->wire_len; i++) {
		run = inside->clear[i] == outside->wire[i] ? run + 1 : 0;
		if (run == RUN)
			return true;
	}
	return false;
}

/* Passed on bit for bit while the phones were told of a common key? */
static bool is_as_it_came(const struct check *c, const struct stream *s,
			  const struct packet *p)
{
	for (unsigned long i = 0; i < c->outside.count && !s->is_up; i++) {
		const struct rtp *x = &c->outside.rtp[i];

		if (x->stream->is_up && x->wire_len == p->len &&
		    memcmp(x->wire, p->data, p->len) == 0)
			return true;
	}
	return false;
}

/* Not SRTP: what a phone may send beside it, or a failure. */
static void outside_other(struct check *c, struct stream *s,
			  const struct packet *p)
{
	if (c->mode == MODE_MIXED && s->late < JOIN_MAX && !s->is_up &&
	    is_as_it_came(c, s, p)) {
		s->late++;
	} else if (s->is_up && is_stun(p)) {
		s->stun++;
	} else if (s->is_up && is_rtcp(p)) {
		s->plain_rtcp++; /* compare_rtcp: it is not inside */
	} else {
		s->failed++;
		fail(c, "authenticates with the negotiated key", p);
	}
}

static void outside_rtp(struct check *c, struct stream *s,
			const struct packet *p)
{
	struct stream *next = stream_find(c, s, p, 0);
	uint8_t buf[PACKET_MAX];
	int len = p->len;

	memcpy(buf, p->data, p->len);
	if (!is_rtp(p) || srtp_unprotect(s->srtp, buf, &len) != 0 || len < 12) {
		if (next) {
			outside_rtp(c, next, p);
			return;
		}
		outside_other(c, s, p);
		return;
	}
	s->rtp++;
	side_add(&c->outside, s, buf, (size_t)len, p);
}

static void outside_rtcp(struct check *c, struct stream *s,
			 const struct packet *p, uint16_t shift)
{
	struct stream *next = stream_find(c, s, p, shift);
	uint8_t buf[PACKET_MAX];
	int len = p->len;

	memcpy(buf, p->data, p->len);
	if (!is_rtcp(p) || srtp_unprotect_rtcp(s->srtp, buf, &len) != 0 ||
	    len < 8) {
		if (next) {
			outside_rtcp(c, next, p, shift);
			return;
		}
		outside_other(c, s, p);
		return;
	}
	s->rtcp++;
	side_add(&c->outside_rtcp, s, buf, (size_t)len, p);
}

static bool is_tls_port(uint16_t port)
{
	return port == 5061 || port == 2443; /* SIP, Skinny */
}

static void outside_packet(void *arg, const struct packet *p)
{
	struct check *c = arg;
	struct stream *s;

	if (p->src.ip != c->address && p->dst.ip != c->address)
		return;
	if (p->is_tcp) {
		if (!is_tls_port(p->src.port) && !is_tls_port(p->dst.port))
			fail(c, "only TLS to port 5061 or 2443 outside", p);
		else if (p->len)
			c->tls++;
		return;
	}
	s = stream_find(c, NULL, p, 0);
	if (s && is_rtcp(p)) /* multiplexed, RFC 5761 */
		outside_rtcp(c, s, p, 0);
	else if (s)
		outside_rtp(c, s, p);
	else if ((s = stream_find(c, NULL, p, 1)))
		outside_rtcp(c, s, p, 1);
	else
		fail(c, "every UDP packet outside is of a negotiated stream",
		     p);
}

static void inside_packet(void *arg, const struct packet *p)
{
	struct check *c = arg;

	if (p->src.port == 5060 || p->dst.port == 5060) {
		if (memmem(p->data, p->len, "SIP/2.0", 7))
			c->sip++;
		return;
	}
	if (p->is_tcp)
		return;
	if (is_rtp(p))
		side_add(&c->inside, NULL, p->data, p->len, p);
	else if (is_rtcp(p))
		side_add(&c->inside_rtcp, NULL, p->data, p->len, p);
	else
		c->foreign++;
}

/* -- the proof --------------------------------------------------------------- */

static int rtp_order(const void *a, const void *b)
{
	const struct rtp *x = a, *y = b;

	if (x->ssrc != y->ssrc)
		return x->ssrc < y->ssrc ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* The inside packet with the bytes of r, or NULL. Sequence numbers may come
 * round in two calls, so all that compare equal are looked at. */
static struct rtp *inside_find(struct check *c, const struct rtp *r)
{
	struct rtp *end = c->inside.rtp + c->inside.count;
	struct rtp *i = bsearch(r, c->inside.rtp, c->inside.count, sizeof(*r),
				rtp_order);

	if (!i)
		return NULL;
	while (i > c->inside.rtp && rtp_order(i - 1, r) == 0)
		i--;
	for (; i < end && rtp_order(i, r) == 0; i++)
		if (i->len == r->len && memcmp(i->clear, r->clear, r->len) == 0)
			return i;
	return NULL;
}

/* i was seen outside, and so were its like: an endpoint inside may echo. */
static void mark_used(struct check *c, struct rtp *i)
{
	struct rtp *end = c->inside.rtp + c->inside.count;
	const struct rtp *first = i;

	for (; i < end && rtp_order(i, first) == 0; i++)
		i->is_used |= i->len == first->len &&
			      memcmp(i->clear, first->clear, i->len) == 0;
}

/* Is there a packet with the bytes of r in s, of a stream in that direction
 * when s is outside? */
static bool side_has(const struct side *s, const struct rtp *r, bool is_up)
{
	for (unsigned long i = 0; i < s->count; i++) {
		const struct rtp *x = &s->rtp[i];

		if (x->len == r->len &&
		    memcmp(x->clear, r->clear, r->len) == 0 &&
		    (!x->stream || x->stream->is_up == is_up))
			return true;
	}
	return false;
}

/* The packet that came up from another phone and is what went down with r. */
static const struct rtp *came_up(const struct side *s, const struct rtp *r)
{
	for (unsigned long i = 0; i < s->count; i++) {
		const struct rtp *x = &s->rtp[i];

		if (x->stream->is_up &&
		    x->stream->src.ip != r->stream->dst.ip &&
		    x->len == r->len && memcmp(x->clear, r->clear, r->len) == 0)
			return x;
	}
	return NULL;
}

static void compare_rtcp(struct check *c)
{
	struct packet none = {0};

	for (unsigned long i = 0; i < c->inside_rtcp.count; i++)
		if (!side_has(&c->outside_rtcp, &c->inside_rtcp.rtp[i], true))
			fail(c, "RTCP inside was SRTCP outside", &none);
	for (unsigned long i = 0; i < c->outside_rtcp.count; i++)
		if (!c->outside_rtcp.rtp[i].stream->is_up &&
		    !side_has(&c->inside_rtcp, &c->outside_rtcp.rtp[i], true) &&
		    (c->mode != MODE_MIXED ||
		     !came_up(&c->outside_rtcp, &c->outside_rtcp.rtp[i])))
			fail(c, "SRTCP that goes down was RTCP inside", &none);
}

/* Is a stream there under two keys? Then some packets are decrypted and
 * encrypted until both phones have the common one. */
static bool is_keyed_anew(const struct check *c)
{
	for (unsigned i = 0; i < c->stream_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (is_same_stream(&c->stream[i], &c->stream[k]))
				return true;
	return false;
}

static void compare_joined(struct check *c, const struct side *s,
			   const char *name)
{
	unsigned long down = 0, same = 0;
	struct packet none = {0};

	for (unsigned long i = 0; i < s->count; i++) {
		const struct rtp *r = &s->rtp[i];
		const struct rtp *up;

		if (r->stream->is_up)
			continue;
		down++;
		up = came_up(s, r);
		if (!up) {
			fail(c, "what goes down came up", &none);
			continue;
		}
		same += up->wire_len == r->wire_len &&
			memcmp(up->wire, r->wire, r->wire_len) == 0;
	}
	if (c->mode == MODE_END_TO_END &&
	    down - same > (is_keyed_anew(c) ? JOIN_MAX : 0))
		fail(c, "what goes down is what came up, bit for bit", &none);
	(void)printf("joined:  %lu %s packets went down, %lu of them bit for"
		     " bit as they came up\n",
		     down, name, same);
}

/* r, inside, came up before everything of its sender that went down. */
static bool is_before_the_join(const struct side *outside, const struct rtp *r)
{
	bool has_come_up = false;

	for (unsigned long i = 0; i < outside->count; i++) {
		const struct rtp *x = &outside->rtp[i];

		if (x->ssrc != r->ssrc)
			continue;
		if (x->stream->is_up)
			has_come_up |= x->len == r->len &&
				       memcmp(x->clear, r->clear, r->len) == 0;
		else if ((int16_t)(x->seq - r->seq) <= 0)
			return false;
	}
	return has_come_up;
}

/* r, RTCP inside, came up and did not go down. */
static bool is_last_report(const struct side *outside, const struct rtp *r)
{
	return side_has(outside, r, true) && !side_has(outside, r, false);
}

static void compare_all_joined(struct check *c)
{
	struct packet none = {0};
	unsigned long before = 0, last = 0;

	for (unsigned long i = 0; i < c->inside.count; i++)
		before += is_before_the_join(&c->outside, &c->inside.rtp[i]);
	for (unsigned long i = 0; i < c->inside_rtcp.count; i++)
		last += is_last_report(&c->outside_rtcp,
				       &c->inside_rtcp.rtp[i]);
	if (before < c->inside.count || before > JOIN_MAX ||
	    last < c->inside_rtcp.count || last > LAST_MAX)
		fail(c, "there is no media inside", &none);
	(void)printf("inside:  %lu RTP packets, %lu RTCP, %lu SIP packets in"
		     " plain text\n",
		     c->inside.count, c->inside_rtcp.count, c->sip);
	compare_joined(c, &c->outside, "RTP");
	compare_joined(c, &c->outside_rtcp, "RTCP");
}

static void compare(struct check *c)
{
	unsigned long up = 0, down = 0, unmatched_up = 0, bytes = 0,
		      missing = 0;
	struct packet none = {0};

	qsort(c->inside.rtp, c->inside.count, sizeof(struct rtp), rtp_order);
	for (unsigned long i = 0; i < c->outside.count; i++) {
		struct rtp *o = &c->outside.rtp[i];
		struct rtp *in = inside_find(c, o);

		if (!in && o->stream->is_up) {
			unmatched_up++; /* before the far end had answered */
			continue;
		}
		if (!in) {
			fail(c, "what goes down was inside", &none);
			continue;
		}
		if (has_run(in, o))
			fail(c, "no 8 bytes inside stand outside", &none);
		bytes += in->len - rtp_header_len(in->clear, in->len);
		if (o->stream->is_up) {
			mark_used(c, in);
			up++;
		} else {
			down++;
		}
	}
	for (unsigned long i = 0; i < c->inside.count; i++)
		missing += !c->inside.rtp[i].is_used;
	if (missing)
		fail(c, "every RTP packet inside came from outside", &none);
	if (!up || !down)
		fail(c, "media went up and came down", &none);
	(void)printf("inside:  %lu RTP packets, %lu RTCP, %lu SIP packets in"
		     " plain text, %lu other\n",
		     c->inside.count, c->inside_rtcp.count, c->sip, c->foreign);
	(void)printf(
		"pairs:   %lu up and %lu down decrypt to exactly the inside"
		" packet (%lu payload bytes);\n         %lu inside without"
		" a pair, %lu up not forwarded\n",
		up, down, bytes, missing, unmatched_up);
}

/* Did packets of that source come up? */
static bool source_came_up(const struct check *c, uint32_t ssrc)
{
	for (unsigned long i = 0; i < c->outside.count; i++)
		if (c->outside.rtp[i].ssrc == ssrc &&
		    c->outside.rtp[i].stream->is_up)
			return true;
	return false;
}

static void compare_mixed(struct check *c)
{
	unsigned long inside = 0, joined = 0, missing = 0;
	struct packet none = {0};

	qsort(c->inside.rtp, c->inside.count, sizeof(struct rtp), rtp_order);
	for (unsigned long i = 0; i < c->outside.count; i++) {
		struct rtp *o = &c->outside.rtp[i];
		struct rtp *in = inside_find(c, o);

		if (in && has_run(in, o))
			fail(c, "no 8 bytes inside stand outside", &none);
		if (in && o->stream->is_up)
			mark_used(c, in);
		if (o->stream->is_up)
			continue;
		if (in)
			inside++;
		else if (came_up(&c->outside, o))
			joined++;
		else
			fail(c, "what goes down was inside or came up", &none);
	}
	for (unsigned long i = 0; i < c->inside.count; i++)
		missing += !c->inside.rtp[i].is_used &&
			   source_came_up(c, c->inside.rtp[i].ssrc);
	if (missing)
		fail(c, "what is inside of a phone came up", &none);
	if (!inside && !joined)
		fail(c, "media came down", &none);
	(void)printf("mixed:   %lu RTP packets inside; down went %lu of these "
		     "and %lu that came up\n",
		     c->inside.count, inside, joined);
}

/* -- streams ------------------------------------------------------------------- */

static bool end_parse(const char *text, struct end *ret)
{
	char ip[64];
	const char *colon = strrchr(text, ':');
	struct in_addr a;

	if (!colon || (size_t)(colon - text) >= sizeof(ip))
		return false;
	memcpy(ip, text, (size_t)(colon - text));
	ip[colon - text] = 0;
	if (inet_pton(AF_INET, ip, &a) != 1)
		return false;
	ret->ip = ntohl(a.s_addr);
	ret->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return true;
}

static bool suite_policy(const char *suite, srtp_policy_t *p, size_t *ret_len)
{
	*ret_len = 30;
	if (strcmp(suite, "AES_CM_128_HMAC_SHA1_80") == 0) {
		srtp_crypto_policy_set_rtp_default(&p->rtp);
		srtp_crypto_policy_set_rtcp_default(&p->rtcp);
	} else if (strcmp(suite, "AES_CM_128_HMAC_SHA1_32") == 0) {
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&p->rtp);
		srtp_crypto_policy_set_rtcp_default(&p->rtcp);
	} else if (strcmp(suite, "NULL_HMAC_SHA1_80") == 0) {
		/* for the test of the test: authentic, yet in the clear */
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&p->rtp);
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&p->rtcp);
	} else if (strcmp(suite, "AES_256_CM_HMAC_SHA1_80") == 0) {
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtp);
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
		*ret_len = 46;
	} else if (strcmp(suite, "AES_256_CM_HMAC_SHA1_32") == 0) {
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&p->rtp);
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
		*ret_len = 46;
	} else if (strcmp(suite, "AEAD_AES_256_GCM") == 0) {
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
		*ret_len = 44;
	} else if (strcmp(suite, "AEAD_AES_128_GCM") == 0) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
		*ret_len = 28;
	} else {
		return false;
	}
	return true;
}

/* One line of STREAMS; false when it is not one. */
static bool stream_parse(struct stream *s, const char *line)
{
	char way[8], src[64], dst[64], key64[128];
	uint8_t key[128];
	srtp_policy_t policy = {0};
	size_t want, len;

	if (sscanf(line, "%31s %7s %63s %63s %47s %127s", s->name, way, src,
		   dst, s->suite, key64) != 6 ||
	    !end_parse(src, &s->src) || !end_parse(dst, &s->dst) ||
	    !suite_policy(s->suite, &policy, &want))
		return false;
	if (b64_decode(slice_str(key64), key, sizeof(key), &len) != 0 ||
	    len != want)
		return false;
	s->is_up = strcmp(way, "up") == 0;
	policy.ssrc.type = ssrc_any_inbound;
	policy.key = key;
	policy.window_size = 1024;
	return srtp_create(&s->srtp, &policy) == 0;
}

static bool streams_read(struct check *c, const char *path)
{
	char line[512];
	FILE *f = fopen(path, "r");

	if (!f) {
		(void)printf("%s: %s\n", path, strerror(errno));
		return false;
	}
	while (fgets(line, sizeof(line), f) && c->stream_count < STREAM_MAX) {
		if (!stream_parse(&c->stream[c->stream_count], line)) {
			(void)printf("%s: stream %u is not understood\n", path,
				     c->stream_count + 1);
			(void)fclose(f);
			return false;
		}
		c->stream_count++;
	}
	(void)fclose(f);
	return c->stream_count > 0;
}

/* Packets of the stream under any key it had. */
static unsigned long rtp_of_all_keys(const struct check *c,
				     const struct stream *s)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < c->stream_count; i++) {
		const struct stream *x = &c->stream[i];

		if (is_same_stream(x, s))
			n += x->rtp;
	}
	return n;
}

static void streams_print(struct check *c)
{
	struct packet none = {0};

	(void)printf("outside: %lu packets of TLS to port 5061\n", c->tls);
	for (unsigned i = 0; i < c->stream_count; i++) {
		const struct stream *s = &c->stream[i];

		(void)printf("outside: %-16s %-4s %-25s %5lu SRTP, %lu SRTCP"
			     " authenticate, %lu do not\n",
			     s->name, s->is_up ? "up" : "down", s->suite,
			     s->rtp, s->rtcp, s->failed);
		if (s->stun || s->plain_rtcp)
			(void)printf(
				"         (the phone also sent %lu STUN and"
				" %lu plain RTCP packets: not let in)\n",
				s->stun, s->plain_rtcp);
		if (!rtp_of_all_keys(c, s) && c->mode != MODE_MIXED)
			fail(c, "every stream has packets", &none);
	}
}

/* Takes an option away. */
static enum mode mode_parse(int *argc, char ***argv)
{
	enum mode mode = MODE_INSIDE;

	if (*argc < 2 || strncmp((*argv)[1], "--", 2) != 0)
		return mode;
	if (strcmp((*argv)[1], "--joined") == 0)
		mode = MODE_JOINED;
	else if (strcmp((*argv)[1], "--mixed") == 0)
		mode = MODE_MIXED;
	else if (strcmp((*argv)[1], "--end-to-end") == 0)
		mode = MODE_END_TO_END;
	(*argc)--;
	(*argv)++;
	return mode;
}

int main(int argc, char **argv)
{
	static const char *const proofs[] = {
		[MODE_INSIDE] = "outside: SRTP; inside: RTP",
		[MODE_MIXED] = "outside: SRTP; inside: RTP, or nothing",
		[MODE_JOINED] = "outside: SRTP; inside: nothing",
		[MODE_END_TO_END] = ("outside: SRTP from phone to phone; "
				     "inside: nothing"),
	};
	static struct check c;
	struct end a;
	char addr[64];

	c.mode = mode_parse(&argc, &argv);
	if (argc < 5) {
		(void)fprintf(
			stderr,
			"usage: srtpcheck [--mixed|--joined|--end-to-end] "
			"STREAMS ADDRESS OUTSIDE.pcap INSIDE.pcap...\n");
		return 2;
	}
	(void)snprintf(addr, sizeof(addr), "%s:0", argv[2]);
	c.outside.rtp = calloc(PACKETS_MAX, sizeof(struct rtp));
	c.inside.rtp = calloc(PACKETS_MAX, sizeof(struct rtp));
	c.outside_rtcp.rtp = calloc(PACKETS_MAX, sizeof(struct rtp));
	c.inside_rtcp.rtp = calloc(PACKETS_MAX, sizeof(struct rtp));
	if (!c.outside.rtp || !c.inside.rtp || !c.outside_rtcp.rtp ||
	    !c.inside_rtcp.rtp || srtp_init() != 0 || !end_parse(addr, &a) ||
	    !streams_read(&c, argv[1]))
		return 2;
	c.address = a.ip;
	if (!capture_read(argv[3], outside_packet, &c))
		return 2;
	for (int i = 4; i < argc; i++)
		if (!capture_read(argv[i], inside_packet, &c))
			return 2;
	streams_print(&c);
	if (c.mode == MODE_INSIDE) {
		compare(&c);
		compare_rtcp(&c);
	} else if (c.mode == MODE_MIXED) {
		compare_mixed(&c);
		compare_rtcp(&c);
	} else {
		compare_all_joined(&c);
	}
	(void)printf("proof:   %s\n", c.bad ? "FAILED" : proofs[c.mode]);
	return c.bad ? 1 : 0;
}
