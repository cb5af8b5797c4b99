#include "unit/b2bua/play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b2bua/save.h"
#include "base/text.h"
#include "lib/entropy.h"
#include "lib/hidden.h"
#include "lib/oom.h"
#include "sip/frame.h"
#include "sip/hdr.h"
#include "sip/msg.h"

/* For unit tests and fuzzers alike. */
#define play_check(cond)                                               \
	do {                                                           \
		if (!(cond)) {                                         \
			(void)fprintf(stderr, "%s:%d: not true: %s\n", \
				      __FILE__, __LINE__, #cond);      \
			abort();                                       \
		}                                                      \
	} while (0)

enum {
	PLAY_PEERS = 4,
	KEPT = 24,
	FLOWS = 64,
	TEXT = 8192,
	PLAY_SAVED_MAX = 256
};

/* A message that a peer got (or sent itself) and may act upon. */
struct kept {
	char *text;
	size_t len;
	int peer;
	bool is_ours; /* the peer sent it */
	bool is_done; /* somebody acted upon it */
};

struct world {
	struct calls *c;
	struct calls_params p;
	struct test_entropy entropy;
	struct entropy dice;
	uint64_t now_ms;
	struct dest peer[PLAY_PEERS]; /* 0 is the call manager */
	uint32_t gen[PLAY_PEERS];
	struct call_policy policy;
	struct kept kept[KEPT];
	unsigned next;
	struct flow live[FLOWS];
	unsigned live_count;
	struct hidden hidden;
	bool is_raw; /* peers may say anything */
	struct {
		uint8_t key[SAVE_KEY_MAX];
		size_t len;
	} saved[PLAY_SAVED_MAX];
	unsigned saved_count;
	bool has_oom;
	bool is_lossy; /* has_oom was on: actions may be lost */
	unsigned serial;
	unsigned answered;
};

static struct world *w;
static struct sip_msg msg;

static unsigned dice(unsigned n)
{
	return entropy_u32(&w->dice) % n;
}

/* Nothing that one side calls its own reaches the other. */
static void check_hidden(const char *text, int side, bool is_ours)
{
	const char *id = is_ours ? NULL : hidden_find(&w->hidden, side, text);

	if (!is_ours && strstr(text, side == 0 ? "198.51.100." : "10.0.0."))
		id = side == 0 ? "198.51.100." : "10.0.0.";
	if (id)
		(void)fprintf(stderr, "%s leaks in\n%s\n", id, text);
	play_check(!id);
	hidden_learn(&w->hidden, side, text);
}

/* Where a peer says that it is. */
static const char *host(int peer)
{
	static const char *const at[PLAY_PEERS] = {
		"10.0.0.2", "198.51.100.1", "198.51.100.2", "198.51.100.3"};

	return at[peer];
}

static void keep(const void *text, size_t len, int peer, bool is_ours)
{
	struct kept *k = &w->kept[w->next++ % KEPT];

	free(k->text);
	k->text = malloc(len + 1);
	memcpy(k->text, text, len);
	k->text[len] = '\0';
	k->len = len;
	k->peer = peer;
	k->is_ours = is_ours;
	k->is_done = is_ours;
	if (!w->is_raw)
		check_hidden(k->text, peer != 0, is_ours);
}

static void on_add(const struct flow *f)
{
	for (unsigned i = 0; i < w->live_count; i++) {
		play_check(w->live[i].id != f->id);
		play_check(!addr_eq(&w->live[i].local, &f->local));
	}
	play_check(w->live_count < FLOWS);
	w->live[w->live_count++] = *f;
}

static struct flow *live_find(uint64_t id)
{
	for (unsigned i = 0; i < w->live_count; i++)
		if (w->live[i].id == id)
			return &w->live[i];
	return NULL;
}

/* SRTP is on the phone's side only; where it is required nothing flows
 * without, where it is not allowed nothing with it. */
static void check_keys(const struct flow *f)
{
	bool is_out = addr_ip_eq(&f->local, &w->p.media_outside);
	const struct flow_key *outside = is_out ? &f->in : &f->out;
	const struct flow_key *inside = is_out ? &f->out : &f->in;

	play_check(inside->suite == SUITE_NONE);
	if (w->policy.media == MEDIA_SRTP_REQUIRE)
		play_check(outside->suite != SUITE_NONE);
	if (w->policy.media == MEDIA_RTP_ONLY)
		play_check(outside->suite == SUITE_NONE);
}

static void on_flow(const struct action *a)
{
	struct flow *f;

	if (w->is_lossy)
		return;
	if (a->kind == ACTION_FLOW_ADD) {
		on_add(&a->flow[0]);
		on_add(&a->flow[1]);
		return;
	}
	f = live_find(a->flow[0].id);
	play_check(f != NULL);
	if (a->kind == ACTION_FLOW_UPDATE)
		*f = a->flow[0];
	else
		*f = w->live[--w->live_count];
	if (a->kind == ACTION_FLOW_UPDATE && !a->flow[0].is_blocked)
		check_keys(&a->flow[0]);
}

/* What is saved is saved once, and what is forgotten was saved. */
static void on_save(const struct action *a)
{
	struct slice key;
	struct slice rest;
	size_t i = 0;

	play_check(save_split(a->bytes, &key, &rest) == 0);
	if (w->is_lossy)
		return;
	while (i < w->saved_count &&
	       !slice_eq(key, slice_make(w->saved[i].key, w->saved[i].len)))
		i++;
	if (a->kind == ACTION_FORGET) {
		play_check(i < w->saved_count);
		w->saved[i] = w->saved[--w->saved_count];
		return;
	}
	play_check(rest.len > 0 && i < PLAY_SAVED_MAX);
	if (i == w->saved_count)
		w->saved_count++;
	memcpy(w->saved[i].key, key.ptr, key.len);
	w->saved[i].len = key.len;
}

static void take(struct actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct action *a = &out->item[i];

		if (a->kind == ACTION_RECORD) {
			w->answered += a->record == RECORD_CALL_ANSWER;
			continue;
		}
		if (a->kind == ACTION_SAVE || a->kind == ACTION_FORGET) {
			on_save(a);
			continue;
		}
		if (a->kind != ACTION_SIP_SEND) {
			on_flow(a);
			continue;
		}
		for (int p = 0; p < PLAY_PEERS; p++)
			if (handle_eq(w->peer[p].ep, a->dest.ep))
				keep(a->bytes.ptr, a->bytes.len, p, false);
	}
	actions_done(out);
}

static void step(const struct event *ev)
{
	struct actions out = {.count = 0};
	int err;

	if (w->has_oom && dice(4) == 0)
		oom_arm(1 + dice(30));
	err = call_step(w->c, ev, w->now_ms, &out);
	if (w->has_oom)
		oom_disarm();
	if (!w->is_lossy)
		play_check(err == 0);
	take(&out);
}

static void pass(uint64_t ms)
{
	uint64_t end = w->now_ms + ms;
	struct event ev = {.kind = EVENT_TIMER};

	while (calls_deadline(w->c) <= end) {
		if (calls_deadline(w->c) > w->now_ms)
			w->now_ms = calls_deadline(w->c);
		step(&ev);
	}
	w->now_ms = end;
}

static void send_text(int peer, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A message into the machine as one of the peer's; buf is parsed in place. */
static void deliver(int peer, char *buf, size_t len)
{
	struct event ev = {.kind = EVENT_SIP};
	struct actions out = {.count = 0};
	bool is_done;

	if (sip_msg_parse((uint8_t *)buf, len, &msg, NULL) != 0)
		return;
	ev.sip = (struct event_sip){
		.msg = &msg,
		.from = w->peer[peer],
		.side = peer == 0 ? SIDE_CORE : SIDE_PHONE,
		.device = slice_str(peer == 0	? ""
				    : peer == 1 ? "A"
						: "B"),
		.sig = peer == 3 ? SIG_NONSECURE : SIG_ENCRYPTED,
		.policy = peer == 0 ? NULL : &w->policy,
		.pass_auth = peer == 2,
	};
	is_done = calls_absorb(w->c, &ev.sip, w->now_ms, &out);
	take(&out);
	if (!is_done)
		step(&ev);
}

static void send_text(int peer, const char *fmt, ...)
{
	static char buf[TEXT];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(buf))
		return;
	keep(buf, (size_t)len, peer, true);
	deliver(peer, buf, (size_t)len);
}

static const char key[] = "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

/* A body, with its headers; now and then a bad one. */
static const char *body(int peer)
{
	static char sdp[1024];
	static char out[2048];
	bool is_phone = peer != 0;
	const char *ip = is_phone ? "198.51.100.9" : "10.0.0.9";
	unsigned n = 1 + (dice(6) == 0 ? 1U : 0U) + (dice(40) == 0 ? 5U : 0U);
	int len;

	if (dice(5) == 0)
		return "Content-Length: 0\r\n\r\n";
	len = snprintf(sdp, sizeof(sdp),
		       "v=0\r\no=x 1 %u IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\n"
		       "t=0 0\r\n",
		       dice(9), ip, dice(9) ? ip : "0.0.0.0");
	if (!is_phone && dice(3) == 0 && w->live_count > 0)
		ip = "10.0.0.1";
	while (n-- > 0) {
		bool is_savp = is_phone ? dice(4) > 0 : dice(20) == 0;

		len += snprintf(
			sdp + len, sizeof(sdp) - (size_t)len,
			"m=%s %u RTP/%s 0\r\n%s%s%s%s",
			dice(5) ? "audio" : "image",
			dice(9) ? 5000U + 2U * dice(500) : 0U,
			is_savp ? "SAVP" : "AVP",
			is_savp || dice(9) == 0
				? "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
				: "",
			is_savp ? key : "", is_savp ? "\r\n" : "",
			dice(4) ? "" : "a=sendonly\r\n");
	}
	if (dice(30) == 0)
		len /= 2;
	snprintf(out, sizeof(out),
		 "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n"
		 "%.*s",
		 len, len, sdp);
	return out;
}

static const char *via(int peer)
{
	static char out[256];
	char a[ADDR_STR_MAX];

	snprintf(out, sizeof(out), "Via: SIP/2.0/%s %s;branch=z9hG4bK-%u-x\r\n",
		 peer == 0 ? "UDP" : "TLS", addr_str(&w->peer[peer].peer, a),
		 ++w->serial);
	return out;
}

static void do_register(int peer)
{
	send_text(
		peer,
		"REGISTER sip:x SIP/2.0\r\n%sFrom: <sip:%d@x>;tag=r\r\n"
		"To: <sip:%d@x>\r\nCall-ID: registration-%d-x\r\nCSeq: %u REGISTER\r\n"
		"%s%sContent-Length: 0\r\n\r\n",
		via(peer), peer, peer, peer, w->serial,
		dice(9) ? "Contact: <sip:p@198.51.100.9>\r\n"
			: "Contact: *\r\n",
		dice(5) ? "Expires: 600\r\n" : "Expires: 0\r\n");
}

/* A token that the call manager has seen. */
static bool any_token(char *out, size_t cap)
{
	uint32_t pos = 0;
	struct binding_info b;
	unsigned skip = dice(3);

	while (bindings_next(w->c, &pos, &b)) {
		if (skip-- > 0)
			continue;
		snprintf(out, cap, "%.*s", SLICE_FMT(b.token));
		return true;
	}
	return false;
}

static const char *const extension[] = {"", "Supported: 100rel\r\n",
					"Supported: 100rel\r\n",
					"Require: 100rel\r\n"};

/* What makes a provisional reliable, and says of sessions, now and then. */
static const char *promises(unsigned status)
{
	static char out[64];

	out[0] = '\0';
	if (status == 422)
		return "Min-SE: 200\r\n";
	if (status == 200 && dice(2))
		return dice(2) ? "Session-Expires: 90;refresher=uac\r\n"
			       : "Session-Expires: 100;refresher=uas\r\n";
	if (status > 100 && status < 200 && dice(2))
		snprintf(out, sizeof(out), "Require: 100rel\r\nRSeq: %u\r\n",
			 1 + dice(3));
	return out;
}

/* What acknowledges a provisional that the peer got, if msg is one. */
static const char *rack(void)
{
	static char out[128];
	struct slice rseq = sip_msg_value(&msg, SIP_HDR_RSEQ);

	out[0] = '\0';
	if (rseq.len > 0 && rseq.len < 12)
		snprintf(out, sizeof(out), "RAck: %.*s %u INVITE\r\n",
			 SLICE_FMT(rseq), msg.cseq);
	return out;
}

static void do_invite(int peer)
{
	char token[64] = "77";

	if (peer == 0 && !any_token(token, sizeof(token)))
		return;
	send_text(
		peer,
		"INVITE sip:%s@x SIP/2.0\r\n%sFrom: <sip:%d@x>;tag=inviter-%u-x\r\n"
		"To: <sip:z@x>\r\nCall-ID: invitation-%u-x\r\nCSeq: 1 INVITE\r\n"
		"Max-Forwards: 70\r\nContact: <sip:p@%s>\r\n"
		"%s%s%s",
		token, via(peer), peer, w->serial, w->serial, host(peer),
		dice(3) ? "Allow: UPDATE\r\n" : "",
		extension[dice(sizeof(extension) / sizeof(extension[0]))],
		body(peer));
}

/* A request outside of dialogs, which may make one. */
static void do_request(int peer)
{
	static const char *const method[] = {"SUBSCRIBE", "SUBSCRIBE", "REFER",
					     "MESSAGE",	  "PUBLISH",   "NOTIFY",
					     "OPTIONS"};
	const char *name = method[dice(sizeof(method) / sizeof(method[0]))];
	char token[64] = "77";

	if (peer == 0 && !any_token(token, sizeof(token)))
		return;
	send_text(
		peer,
		"%s sip:%s@x SIP/2.0\r\n%sFrom: <sip:%d@x>;tag=subscriber-%u-x\r\n"
		"To: <sip:z@x>\r\nCall-ID: subscription-%u-x\r\nCSeq: 1 %s\r\n"
		"Max-Forwards: 70\r\nContact: <sip:p@%s>\r\n"
		"Event: dialog\r\nExpires: %u\r\nRefer-To: <sip:1@%s>\r\n"
		"%s%s",
		name, token, via(peer), peer, w->serial, w->serial, name,
		host(peer), dice(4) * 300,
		peer == 0 ? "10.0.0.77" : "192.0.2.1",
		dice(9) ? "" : "Refer-Sub: false\r\n", body(peer));
}

static void parse_kept(const struct kept *k, char *buf)
{
	memcpy(buf, k->text, k->len);
	if (sip_msg_parse((uint8_t *)buf, k->len, &msg, NULL) != 0)
		msg.call_id = SLICE_NULL;
}

/* Answer a request that the peer got. */
static void do_respond(const struct kept *k)
{
	static const unsigned status[] = {100, 180, 183, 200, 200, 200, 200,
					  200, 302, 401, 404, 408, 422, 481,
					  487, 488, 491, 500, 603};
	static char buf[TEXT * 2];
	char tag[32] = "";
	char contact[128] = "";
	unsigned s = dice(2) ? 200
			     : status[dice(sizeof(status) / sizeof(status[0]))];

	if (k->len > sizeof(buf))
		return;
	parse_kept(k, buf);
	if (msg.call_id.len == 0 || msg.method == SIP_METHOD_ACK)
		return;
	if (msg.to_tag.len == 0)
		snprintf(tag, sizeof(tag), ";tag=answerer%d-%u", k->peer,
			 dice(3));
	if (msg.method == SIP_METHOD_REGISTER && dice(3)) {
		struct slice v = sip_msg_value(&msg, SIP_HDR_CONTACT);

		if (v.len < 90)
			snprintf(contact, sizeof(contact), "Contact: %.*s\r\n",
				 SLICE_FMT(v));
	} else if (dice(20)) {
		snprintf(contact, sizeof(contact), "Contact: <sip:c@%s>\r\n",
			 host(k->peer));
	}
	send_text(k->peer,
		  "SIP/2.0 %u X\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s%s\r\n"
		  "Call-ID: %.*s\r\nCSeq: %u %.*s\r\n%s%s%s",
		  s, SLICE_FMT(msg.via), SLICE_FMT(msg.from), SLICE_FMT(msg.to),
		  tag, SLICE_FMT(msg.call_id), msg.cseq,
		  SLICE_FMT(msg.method_name), contact, promises(s),
		  msg.method == SIP_METHOD_INVITE ||
				  msg.method == SIP_METHOD_UPDATE
			  ? body(k->peer)
			  : "Content-Length: 0\r\n\r\n");
}

/* A request in the dialog that k's message belongs to. */
static void do_in_dialog(const struct kept *k)
{
	static const char *const method[] = {
		"ACK",	  "ACK",    "ACK",	 "ACK",	    "ACK",    "ACK",
		"BYE",	  "INVITE", "INFO",	 "UPDATE",  "REFER",  "PRACK",
		"NOTIFY", "NOTIFY", "SUBSCRIBE", "MESSAGE", "OPTIONS"};
	static const char *const state[] = {
		"Event: dialog\r\nSubscription-State: active;expires=60\r\n",
		"Event: dialog\r\nSubscription-State: terminated\r\n",
		"Event: refer\r\nSubscription-State: terminated\r\n",
		"Event: refer;id=2\r\nSubscription-State: active\r\n",
		"Event: dialog\r\nExpires: 0\r\n"};
	static char buf[TEXT * 2];
	const char *name = method[dice(sizeof(method) / sizeof(method[0]))];
	struct slice from;
	struct slice to;
	char tag[32] = "";
	unsigned cseq;

	if (k->len > sizeof(buf))
		return;
	parse_kept(k, buf);
	if (msg.call_id.len == 0)
		return;
	/* A response we got: we are its From. A request we got: its To. */
	from = msg.is_request ? msg.to : msg.from;
	to = msg.is_request ? msg.from : msg.to;
	if (!msg.is_request && msg.method == SIP_METHOD_INVITE && dice(6) > 0)
		name = msg.status < 200 ? "PRACK" : "ACK";
	if (msg.is_request && msg.to_tag.len == 0)
		snprintf(tag, sizeof(tag), ";tag=answerer%d-0", k->peer);
	cseq = strcmp(name, "ACK") == 0 ? msg.cseq : msg.cseq + dice(5);
	send_text(k->peer,
		  "%s sip:x SIP/2.0\r\n%sFrom: %.*s%s\r\nTo: %.*s\r\n"
		  "Call-ID: %.*s\r\nCSeq: %u %s\r\nMax-Forwards: 9\r\n"
		  "Contact: <sip:n@%s>\r\n%s%s%s%s",
		  name, via(k->peer), SLICE_FMT(from), tag, SLICE_FMT(to),
		  SLICE_FMT(msg.call_id), cseq, name, host(k->peer),
		  state[dice(sizeof(state) / sizeof(state[0]))], rack(),
		  dice(2) ? "Allow: UPDATE\r\nSupported: 100rel\r\n" : "",
		  body(k->peer));
}

/* CANCEL, or repeat, a request of the peer's own. */
static void do_again(const struct kept *k)
{
	static char buf[TEXT * 2];

	if (k->len > sizeof(buf) - 1)
		return;
	parse_kept(k, buf);
	if (msg.call_id.len == 0 || !msg.is_request)
		return;
	if (dice(2)) {
		send_text(k->peer, "%s", k->text);
		return;
	}
	send_text(k->peer,
		  "CANCEL %.*s SIP/2.0\r\nVia: %.*s\r\nFrom: %.*s\r\n"
		  "To: %.*s\r\nCall-ID: %.*s\r\nCSeq: %u CANCEL\r\n"
		  "Content-Length: 0\r\n\r\n",
		  SLICE_FMT(msg.ruri), SLICE_FMT(msg.via), SLICE_FMT(msg.from),
		  SLICE_FMT(msg.to), SLICE_FMT(msg.call_id), msg.cseq);
}

static void conn_down(int peer)
{
	struct event ev = {.kind = EVENT_CONN_DOWN, .conn = w->peer[peer].ep};

	step(&ev);
	w->peer[peer].ep.gen = ++w->gen[peer];
}

static void do_other(void)
{
	struct event ev = {.kind = EVENT_FLOW_IDLE};
	struct call_info info;
	uint32_t pos = 0;

	switch (dice(6)) {
	case 0:
		conn_down(1 + (int)dice(PLAY_PEERS - 1));
		return;
	case 1:
	case 2:
		ev.kind = dice(2) ? EVENT_FLOW_FAILED : EVENT_FLOW_IDLE;
		if (w->live_count == 0)
			return;
		ev.flow.flow = w->live[dice(w->live_count)].id;
		ev.flow.call = w->live[0].call;
		break;
	case 3:
		ev.kind = EVENT_CALL_DROP;
		if (!calls_next(w->c, &pos, &info))
			return;
		ev.call = info.id;
		break;
	default:
		pass(dice(2) ? dice(1000) : dice(40) * 1000);
		return;
	}
	step(&ev);
}

/* Mostly what nobody has acted upon yet, so that calls come about; else
 * anything. */
static struct kept *pick(void)
{
	if (dice(4) == 0)
		return &w->kept[dice(KEPT)];
	for (unsigned i = 0; i < KEPT; i++) {
		struct kept *k = &w->kept[(w->next + i) % KEPT];

		if (k->text && !k->is_done)
			return k;
	}
	return &w->kept[dice(KEPT)];
}

static void act_upon(const struct kept *k)
{
	bool is_response = strncmp(k->text, "SIP/2.0", 7) == 0;

	if (k->is_ours)
		do_again(k);
	else if (!is_response && dice(6) > 0)
		do_respond(k);
	else
		do_in_dialog(k);
}

/* Every phone is where it was, or has gone. */
static void reach(void *ctx, enum side side, struct dest *dest)
{
	(void)ctx;
	dest->ep = side == SIDE_CORE ? w->p.core.ep : HANDLE_NONE;
}

/* What one action saved, for a machine that has nothing of it. Whole, it comes
 * back; with a byte changed, it is refused or comes back, never more. */
static void succeed(struct calls *next, const struct action *a)
{
	static const struct save_restore how = {.reach = reach};
	struct slice name;
	struct slice rest;
	uint8_t *copy;
	int err;

	play_check(save_split(a->bytes, &name, &rest) == 0);
	copy = malloc(rest.len);
	play_check(copy != NULL);
	memcpy(copy, rest.ptr, rest.len);
	err = calls_restore(next, slice_make(copy, rest.len - 1), &how,
			    w->now_ms);
	play_check(err != 0);
	copy[dice((unsigned)rest.len)] ^= (uint8_t)(1 + dice(255));
	(void)!calls_restore(next, slice_make(copy, rest.len), &how, w->now_ms);
	free(copy);
	err = calls_restore(next, rest, &how, w->now_ms);
	play_check(err == 0 || err == ERR_EXISTS || err == ERR_NOTFOUND ||
		   err == ERR_LIMIT);
}

static void successor(void)
{
	struct actions out = {.count = 0};
	struct calls *next = calls_new(&w->p, w->now_ms);
	struct flow f[2];
	uint64_t pos = 0;

	play_check(next != NULL);
	play_check(calls_save_all(w->c, &out) == 0);
	for (uint32_t i = 0; i < out.count; i++)
		succeed(next, &out.item[i]);
	take(&out);
	while (calls_flows(next, &pos, f))
		play_check(f[0].peer_id == f[1].id || f[0].id != 0);
	calls_free(next);
}

void play_step(void)
{
	unsigned what = dice(25);
	struct kept *k;
	struct kept copy;

	if (what == 0)
		do_register(1 + (int)dice(PLAY_PEERS - 1));
	else if (what < 3)
		do_invite((int)dice(PLAY_PEERS));
	else if (what > 23)
		do_request((int)dice(PLAY_PEERS));
	else if (what == 3 && dice(4) == 0)
		do_other();
	else if (what == 4)
		pass(dice(200));
	else if (what == 5 && !w->is_lossy)
		successor();
	k = pick();
	if (what < 5 || what > 23 || !k->text)
		return;
	k->is_done = true;
	copy = *k; /* sending may overwrite the place */
	copy.text = strdup(k->text);
	act_upon(&copy);
	free(copy.text);
}

static void world_peers(void)
{
	static const char *const addr[PLAY_PEERS] = {
		"10.0.0.2:5060", "198.51.100.1:4001", "198.51.100.2:4002",
		"198.51.100.3:4003"};

	for (int i = 0; i < PLAY_PEERS; i++) {
		struct dest *d = &w->peer[i];

		d->ep = (struct handle){.index = (uint32_t)i, .gen = 1};
		w->gen[i] = 1;
		play_check(addr_parse(slice_str(addr[i]), 0, &d->peer) == 0);
		play_check(addr_parse(slice_str(i == 0 ? "10.0.0.1:5060"
						       : "192.0.2.1:5061"),
				      0, &d->local) == 0);
		d->is_tls = i != 0;
		d->is_reliable = i != 0;
	}
}

void play_new(const struct play_params *p)
{
	w = calloc(1, sizeof(*w));
	w->now_ms = 5000;
	w->has_oom = p->has_oom;
	w->is_lossy = p->has_oom || p->is_lossy;
	w->dice = p->dice;
	world_peers();
	w->policy = (struct call_policy){
		.media = (enum media_policy)(p->policy % 3),
		.suite = {SUITE_AES_CM_128_HMAC_SHA1_80},
		.suite_count = 1,
		.call_limit = 3,
	};
	w->p = (struct calls_params){
		.core = w->peer[0],
		.outside_port_min = 20000,
		.outside_port_max = 20031,
		.inside_port_min = 30000,
		.inside_port_max = 30031,
		.binding_limit = 4,
		.call_limit = 6,
		.txn_limit = 60,
		.sub_limit = 8,
		.sub_device_limit = 4,
		.expires_min_s = 60,
		.expires_max_s = 3600,
		.session_s = 120,
		.session_min_s = 90,
		.media_idle_ms = 10000,
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.server_name = "S",
		.entropy = test_entropy(&w->entropy, p->seed),
		.seed = p->seed,
	};
	play_check(addr_parse_ip(slice_str("192.0.2.1"), &w->p.media_outside) ==
		   0);
	play_check(addr_parse_ip(slice_str("10.0.0.1"), &w->p.media_inside) ==
		   0);
	w->c = calls_new(&w->p, w->now_ms);
	play_check(w->c != NULL);
}

void play_free(void)
{
	calls_free(w->c);
	for (int i = 0; i < KEPT; i++)
		free(w->kept[i].text);
	free(w);
}

/* What stands for values that only the machine knows: the newest message of
 * the peer has them. */
static size_t substitute(int peer, const uint8_t *in, size_t len, char *out,
			 size_t cap)
{
	static char buf[TEXT * 2];
	size_t n = 0;

	msg.call_id = SLICE_NULL;
	for (unsigned i = 1; i <= KEPT && msg.call_id.len == 0; i++) {
		const struct kept *k = &w->kept[(w->next - i) % KEPT];

		if (k->text && k->peer == peer && !k->is_ours &&
		    k->len <= sizeof(buf))
			parse_kept(k, buf);
	}
	for (size_t i = 0; i < len && n + 300 < cap; i++) {
		struct slice v = SLICE_NULL;

		if (in[i] == 1)
			v = msg.branch;
		else if (in[i] == 2)
			v = msg.call_id;
		else if (in[i] == 3)
			v = msg.from_tag;
		else if (in[i] == 4)
			v = msg.to_tag;
		else
			out[n++] = (char)in[i];
		if (msg.call_id.len == 0 || v.len == 0)
			continue;
		v = slice_sub(v, 0, 200);
		memcpy(out + n, v.ptr, v.len);
		n += v.len;
	}
	return n;
}

void play_raw(int peer, const uint8_t *data, size_t len)
{
	static char buf[TEXT];
	char token[64];
	size_t n = substitute(peer, data, len, buf, sizeof(buf));
	struct sip_frame f;
	const char *why;

	w->is_raw = true;
	if (peer == 0 && n > 0 && any_token(token, sizeof(token))) {
		/* "TOKEN" in the first line: a registered phone's. */
		char *p = memmem(buf, n, "TOKEN", 5);

		if (p && n + 32 < sizeof(buf)) {
			memmove(p + 32, p + 5, n - 5 - (size_t)(p - buf));
			memcpy(p, token, 32);
			n += 27;
		}
	}
	if (sip_frame_datagram((uint8_t *)buf, n, &f, &why) == 0 &&
	    f.kind == SIP_FRAME_MSG)
		deliver(peer, buf, f.len);
}

void play_end(void)
{
	uint32_t calls;
	uint32_t bindings;
	uint32_t txns;
	uint32_t subs;
	uint64_t refused;

	w->has_oom = false;
	for (int i = 1; i < PLAY_PEERS; i++)
		conn_down(i);
	pass(1000000);
	calls_counts(w->c, &calls, &bindings, &txns);
	calls_subs(w->c, &subs, &refused);
	play_check(calls == 0);
	play_check(subs == 0);
	play_check(bindings == 0);
	play_check(txns == 0);
	play_check(w->is_lossy || w->live_count == 0);
	play_check(w->is_lossy || w->saved_count == 0);
	play_check(calls_deadline(w->c) == UINT64_MAX);
}

unsigned play_answered(void)
{
	return w->answered;
}
