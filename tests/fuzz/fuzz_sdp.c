/*
 * Session descriptions: what is read can be printed, what is printed says
 * what it was told to and nothing that was to be dropped, and no answer is
 * weaker than policy or enables what the offer disabled.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "lib/entropy.h"
#include "sdp/answer.h"
#include "sdp/sdp.h"

static const enum suite suites[] = {SUITE_AEAD_AES_128_GCM,
				    SUITE_AES_CM_128_HMAC_SHA1_80};

/* Each line is of another suite, in the order of policy. */
static void check_usable(const struct sdp_media *m,
			 const struct answer_policy *p)
{
	struct answer_offer o;

	answer_usable(m, p, &o);
	fuzz_check(o.count <= p->suite_count && o.count <= m->crypto_count);
	fuzz_check(o.count == 0 || p->srtp != ANSWER_SRTP_NEVER);
	for (size_t i = 0, k = 0; i < o.count; i++, k++) {
		while (k < p->suite_count && p->suite[k] != o.line[i].key.suite)
			k++;
		fuzz_check(k < p->suite_count);
	}
	answer_offer_wipe(&o);
}

static void check_answer(const struct sdp_media *m, enum answer_srtp srtp,
			 bool falls_back)
{
	struct answer_policy p = {.srtp = srtp,
				  .suite = suites,
				  .suite_count = 2,
				  .peer_falls_back = falls_back};
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 1);
	struct answer a;

	answer_decide(m, &p, &e, &a);
	fuzz_check((a.kind == ANSWER_OFF) == (m->port == 0));
	fuzz_check(a.kind != ANSWER_PLAIN || srtp != ANSWER_SRTP_REQUIRE);
	fuzz_check(a.kind != ANSWER_PLAIN || !sdp_proto_is_secure(a.proto));
	fuzz_check(a.kind != ANSWER_PLAIN || falls_back || a.proto == m->proto);
	fuzz_check(a.kind != ANSWER_SRTP || srtp != ANSWER_SRTP_NEVER);
	fuzz_check(a.kind != ANSWER_SRTP || a.own.tag == a.peer.tag);
	fuzz_check(a.kind != ANSWER_SRTP ||
		   a.own.key.suite == a.peer.key.suite);
	fuzz_check(a.kind != ANSWER_REFUSE || a.reason);
	answer_wipe(&a);
	check_usable(m, &p);
}

static void fill_edit(struct sdp_edit *e, const struct crypto_line *c)
{
	e->sess_id = 1;
	e->sess_version = 2;
	fuzz_check(addr_parse_ip(slice_str("203.0.113.1"), &e->addr) == 0);
	for (size_t i = 0; i < SDP_MEDIA_MAX; i++) {
		e->media[i] = (struct sdp_media_edit){
			.port = (uint16_t)(i % 3 ? 30000 + 2 * i : 0),
			.addr = e->addr,
			.crypto = c,
			.crypto_count = i % 2,
			.rtcp_mux = i % 4 == 1,
		};
		e->media[i].addr.ip[3] = (uint8_t)(1 + i % 2);
	}
}

/* What we printed, read again. */
static void check_print(const struct sdp *in, const struct sdp_edit *e,
			struct slice text)
{
	static struct sdp out;
	int err = sdp_parse(text, &out);

	if (err == ERR_LIMIT && text.len > in->text.len)
		return; /* it grew over the limit of bodies */
	fuzz_check(err == 0);
	fuzz_check(out.media_count == in->media_count);
	fuzz_check(slice_eqs(out.origin_user, "-"));
	fuzz_check(addr_ip_eq(&out.addr, &e->addr));
	for (size_t i = 0; i < out.media_count; i++) {
		const struct sdp_media *m = &out.media[i];
		const struct sdp_media_edit *me = &e->media[i];

		fuzz_check(m->port == me->port);
		fuzz_check(m->port == 0 || addr_ip_eq(&m->addr, &me->addr));
		fuzz_check(!m->has_rtcp);
		fuzz_check(m->has_rtcp_mux == (me->rtcp_mux && me->port > 0));
		fuzz_check(m->crypto_count ==
			   (me->port > 0 ? me->crypto_count : 0));
		fuzz_check(slice_eq(m->formats, in->media[i].formats));
		fuzz_check(m->dir == in->media[i].dir);
		fuzz_check(slice_eq(m->codec, in->media[i].codec));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[SDP_PRINT_MAX];
	static struct sdp s;
	static struct sdp_edit e;
	struct crypto_line c = {.tag = 1,
				.key.suite = SUITE_AES_CM_128_HMAC_SHA1_80};
	struct writer w;

	if (sdp_parse(slice_make(data, size), &s) != 0)
		return 0;
	for (size_t i = 0; i < s.media_count; i++) {
		for (int srtp = 0; srtp < 3; srtp++) {
			check_answer(&s.media[i], (enum answer_srtp)srtp,
				     false);
			check_answer(&s.media[i], (enum answer_srtp)srtp, true);
		}
	}
	fill_edit(&e, &c);
	writer_init(&w, buf, sizeof(buf));
	sdp_print(&w, &s, &e);
	fuzz_check(writer_ok(&w));
	check_print(&s, &e, writer_slice(&w));
	return 0;
}
