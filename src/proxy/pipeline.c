#include "proxy/pipeline.h"

#include "authn/digest.h"
#include "base/alloc.h"
#include "base/hex.h"
#include "base/secret.h"
#include "base/text.h"
#include "proxy/gate.h"
#include "sip/print.h"

enum {
	REPLY_MAX = 8192,     /* bytes of an answer made here */
	RULE_MAX = 512,	      /* bytes of what a rule is called in the log */
	LIMIT_ENTRIES = 20000 /* sources whose rate is watched */
};

/* A request that waits for the store, then for the keys process. */
struct parked {
	struct unit unit;
	struct handle ticket;
	struct timerq_node timer;
	uint8_t *raw; /* unit.msg views it */
};

struct pipeline {
	struct pipeline_params p;
	struct ingress in;
	struct slots parked;
	struct timerq timers;
	uint64_t stops[STOP_COUNT];
	uint64_t messages;
	uint64_t lost;	  /* call_step ran out of memory */
	struct unit unit; /* the one being run */
	uint8_t scratch[SIP_MSG_MAX];
	uint8_t out[REPLY_MAX]; /* an answer made here */
};

static void take_config(struct pipeline *p, const struct config *c)
{
	p->in.config = c;
	p->in.nonce.realm = slice_str(c->realm);
	p->in.nonce.lifetime_ms = (uint64_t)c->nonce_lifetime_min * 60000;
}

struct pipeline *pipeline_new(const struct pipeline_params *params)
{
	const struct config *c = params->config;
	struct pipeline *p = alloc_zero(sizeof(*p));
	struct limit_params lp = {.entries = LIMIT_ENTRIES,
				  .rate = c->limits.message_rate,
				  .burst = c->limits.message_burst,
				  .seed = params->seed};

	if (!p)
		return NULL;
	p->p = *params;
	p->in.retirees = params->retirees;
	p->in.nonce = (struct nonce_params){
		.key = slice_make(p->p.nonce_key, sizeof(p->p.nonce_key)),
		.worker = params->worker,
		.since_ms = p->p.since_ms,
	};
	take_config(p, c);
	p->in.window = nonce_window_new(PIPELINE_NONCES_MAX, params->seed);
	p->in.limit = limit_new(&lp);
	slots_init(&p->parked, PIPELINE_PARKED_MAX);
	timerq_init(&p->timers);
	if (!p->in.window || !p->in.limit)
		return pipeline_free(p);
	return p;
}

/* A message may carry media keys (a=crypto): its copy is wiped. */
static void raw_free(uint8_t *raw, size_t len)
{
	if (raw)
		secret_wipe(raw, len);
	alloc_free(raw);
}

static void parked_free(struct pipeline *p, struct parked *k)
{
	slots_del(&p->parked, k->ticket);
	timerq_clear(&p->timers, &k->timer);
	raw_free(k->raw, k->unit.msg.raw.len);
	alloc_free(k);
}

struct pipeline *pipeline_free(struct pipeline *p)
{
	struct parked *k;
	uint32_t i = 0;

	if (!p)
		return NULL;
	while ((k = slots_next(&p->parked, &i)))
		parked_free(p, k);
	slots_done(&p->parked);
	timerq_done(&p->timers);
	nonce_window_free(p->in.window);
	limit_free(p->in.limit);
	secret_wipe(p->p.nonce_key, sizeof(p->p.nonce_key));
	return alloc_free(p);
}

const char *pipeline_stop_str(enum pipeline_stop s)
{
	static const char *const names[STOP_COUNT] = {
		"none",	     "malformed",      "rate",
		"source",    "unknown-device", "security-mode",
		"challenge", "wrong-password", "no-credentials",
		"line",	     "presence-group", "calling-rights",
		"busy",
	};

	return names[s];
}

/* ---- answers made without the call machine ---------------------------- */

static void send_one(struct pipeline *p, const struct dest *to,
		     struct slice bytes, uint64_t now_ms)
{
	struct actions acts = {.item = NULL};
	struct action a = {
		.kind = ACTION_SIP_SEND, .dest = *to, .bytes = bytes};

	if (actions_add(&acts, &a) == 0)
		egress_run(p->p.egress, &acts, now_ms);
	actions_done(&acts);
}

/*
 * Answer a request statelessly: nothing is remembered for somebody who has
 * not proven who he is. header may be NULL.
 */
static void reply(struct pipeline *p, const struct unit *u, unsigned status,
		  const char *reason, const char *header, uint64_t now_ms)
{
	uint8_t raw_tag[8];
	uint8_t tag[16];
	struct writer w;
	struct writer tw;
	struct dest to = u->from;

	if (!u->msg.is_request || u->msg.method == SIP_METHOD_ACK ||
	    u->msg.via.len == 0)
		return;
	entropy_fill(&p->p.entropy, raw_tag, sizeof(raw_tag));
	writer_init(&tw, tag, sizeof(tag));
	hex_encode(&tw, slice_make(raw_tag, sizeof(raw_tag)));
	writer_init(&w, p->out, sizeof(p->out));
	sip_print_reply(&w, &u->msg, status, slice_str(reason),
			writer_slice(&tw), &u->from.peer);
	if (header)
		writer_str(&w, header);
	if (p->in.config->server_name[0] != '\0')
		sip_print_hdr(&w, "Server",
			      slice_str(p->in.config->server_name));
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	if (!to.is_reliable)
		to.peer = sip_response_addr(&u->msg, &u->from.peer);
	if (writer_ok(&w))
		send_one(p, &to, writer_slice(&w), now_ms);
}

/* Count and tell why a unit ends here. */
static void stop(struct pipeline *p, const struct unit *u,
		 enum pipeline_stop why, const char *text)
{
	p->stops[why]++;
	p->p.cb.stopped(p->p.cb.ctx, why, &u->msg, &u->from,
			u->device ? slice_str(u->device->name) : SLICE_NULL,
			text);
}

static void refuse(struct pipeline *p, const struct unit *u,
		   enum pipeline_stop why, uint64_t now_ms)
{
	static const struct {
		unsigned status;
		const char *header;
		const char *text;
	} rows[STOP_COUNT] = {
		[STOP_DEVICE] = {403, NULL, "no such device or line"},
		[STOP_MODE] = {403,
			       "Warning: 399 sallyport \"this device must use "
			       "TLS\"\r\n",
			       "the device's security mode asks for TLS"},
		[STOP_CREDENTIAL] = {403, NULL,
				     "digest is on, but the digest user has "
				     "no credentials in the store"},
		[STOP_LINE] = {403, NULL, "not a line of this device"},
		[STOP_BUSY] = {503, "Retry-After: 5\r\n",
			       "store or keys process did not answer"},
		[STOP_RATE] = {503, "Retry-After: 5\r\n",
			       "too many messages from this source"},
	};

	stop(p, u, why, rows[why].text);
	reply(p, u, rows[why].status, NULL, rows[why].header, now_ms);
}

/* 403 by a rule, which the log names; the peer is told of what kind it is. */
static void forbid(struct pipeline *p, const struct unit *u,
		   enum pipeline_stop why, const char *rule, uint64_t now_ms)
{
	static const char *const warnings[STOP_COUNT] = {
		[STOP_PRESENCE] =
			"Warning: 399 sallyport \"not allowed to watch\"\r\n",
		[STOP_RIGHTS] = "Warning: 399 sallyport \"not allowed to call, "
				"transfer or forward there\"\r\n",
	};

	stop(p, u, why, rule);
	reply(p, u, 403, NULL, warnings[why], now_ms);
}

/*
 * RFC 7616 section 3.7, RFC 8760 section 2.3: one header for each algorithm,
 * the best first, for the client to take the first it knows. All with the same
 * nonce, whose uses are counted together.
 */
static void print_challenge(const struct pipeline *p, struct writer *w,
			    enum digest_alg alg, struct slice nonce,
			    bool is_stale)
{
	writer_str(w, "WWW-Authenticate: Digest realm=\"");
	writer_str(w, p->in.config->realm);
	writer_str(w, "\", nonce=\"");
	writer_put(w, nonce);
	writer_str(w, "\", algorithm=");
	writer_str(w, digest_alg_name(alg));
	writer_str(w, ", qop=\"auth\"");
	if (is_stale)
		writer_str(w, ", stale=true");
	writer_str(w, "\r\n");
}

/* without: an algorithm of no use to this user, DIGEST_COUNT for none. */
static void challenge_but(struct pipeline *p, const struct unit *u,
			  bool is_stale, enum digest_alg without,
			  uint64_t now_ms)
{
	const struct config_digests *l = &u->device->digests;
	char nonce[NONCE_LEN];
	char header[DIGEST_COUNT * 512];
	struct writer w;

	writer_init(&w, header, sizeof(header) - 1);
	if (nonce_make(&p->in.nonce, &p->p.entropy, now_ms, nonce) == 0)
		for (uint32_t i = 0; i < l->count; i++)
			if (l->item[i] != without)
				print_challenge(p, &w, l->item[i],
						slice_make(nonce, NONCE_LEN),
						is_stale);
	if (!writer_ok(&w) || w.len == 0) {
		refuse(p, u, STOP_BUSY, now_ms);
		return;
	}
	header[w.len] = '\0';
	reply(p, u, 401, NULL, header, now_ms);
}

static void challenge(struct pipeline *p, const struct unit *u, bool is_stale,
		      uint64_t now_ms)
{
	challenge_but(p, u, is_stale, DIGEST_COUNT, now_ms);
}

/* ---- parking ----------------------------------------------------------- */

static struct parked *parked_find(struct pipeline *p, uint64_t ticket)
{
	struct handle h = {.index = (uint32_t)ticket,
			   .gen = (uint32_t)(ticket >> 32)};

	return slots_find(&p->parked, h);
}

/* A retransmission of a request that is parked changes nothing. */
static bool is_parked(const struct pipeline *p, const struct unit *u)
{
	const struct parked *k;
	uint32_t i = 0;

	if (u->from.is_reliable)
		return false;
	while ((k = slots_next(&p->parked, &i)))
		if (dest_eq(&k->unit.from, &u->from) &&
		    k->unit.msg.cseq == u->msg.cseq &&
		    slice_eq(k->unit.msg.branch, u->msg.branch) &&
		    slice_eq(k->unit.msg.method_name, u->msg.method_name))
			return true;
	return false;
}

/* Copy u to the heap; its message then views its own bytes. */
static struct parked *parked_new(struct pipeline *p, const struct unit *u,
				 uint64_t now_ms)
{
	struct parked *k = alloc_zero(sizeof(*k));

	if (!k)
		return NULL;
	k->raw = alloc_copy(u->msg.raw);
	k->unit = *u;
	k->unit.conn = NULL; /* what it told stands in unit by now */
	if (!k->raw ||
	    sip_msg_parse(k->raw, u->msg.raw.len, &k->unit.msg, NULL) != 0 ||
	    sip_cred_parse(sip_msg_value(&k->unit.msg, SIP_HDR_AUTHORIZATION),
			   &k->unit.cred) != 0 ||
	    slots_add(&p->parked, k, &k->ticket) != 0) {
		raw_free(k->raw, u->msg.raw.len);
		return alloc_free(k);
	}
	if (timerq_set(&p->timers, &k->timer, now_ms + PIPELINE_PARK_MS)) {
		parked_free(p, k);
		return NULL;
	}
	return k;
}

static enum stage park(struct pipeline *p, struct unit *u, uint64_t now_ms)
{
	struct parked *k;

	if (is_parked(p, u))
		return STAGE_DONE;
	k = parked_new(p, u, now_ms);
	if (!k || p->p.cb.credential(p->p.cb.ctx, handle_u64(k->ticket),
				     slice_str(u->device->digest_user),
				     slice_str(p->in.config->realm)) != 0) {
		if (k)
			parked_free(p, k);
		refuse(p, u, STOP_BUSY, now_ms);
		return STAGE_DONE;
	}
	return STAGE_PARKED;
}

/* ---- the stages --------------------------------------------------------- */

static void fill_event(struct pipeline *p, const struct unit *u,
		       struct call_policy *policy, struct event_sip *ret)
{
	*ret = (struct event_sip){.msg = &u->msg,
				  .from = u->from,
				  .side = u->side,
				  .sig = u->sig};
	if (!u->device)
		return;
	ingress_policy(p->in.config, u->device, policy);
	ret->device = slice_str(u->device->name);
	ret->policy = policy;
	ret->pass_auth = !u->device->digest;
}

/* Strangers on the core side are not answered at all; nobody may send faster
 * than the limit. */
static enum stage stage_source(struct pipeline *p, struct unit *u,
			       uint64_t now_ms)
{
	if (u->side == SIDE_CORE) {
		if (calls_is_core(p->p.calls, &u->from.peer))
			return STAGE_NEXT;
		stop(p, u, STOP_SOURCE, "not a call manager");
		return STAGE_DONE;
	}
	if (limit_take_addr(p->in.limit, &u->from.peer, now_ms) == 0)
		return STAGE_NEXT;
	if (u->from.is_reliable)
		refuse(p, u, STOP_RATE, now_ms);
	else
		stop(p, u, STOP_RATE, "too many messages from this source");
	return STAGE_DONE;
}

/* Retransmissions, ACKs and CANCELs of transactions we know: they cannot be
 * challenged, and a repeated request would look like a replayed nonce. */
static enum stage stage_absorb(struct pipeline *p, struct unit *u,
			       uint64_t now_ms)
{
	struct actions acts = {.item = NULL};
	struct call_policy policy;
	struct event_sip ev;
	bool is_known;

	if (!u->msg.is_request)
		return STAGE_NEXT;
	if (u->conn)
		u->device = u->conn->device;
	fill_event(p, u, &policy, &ev);
	is_known = calls_absorb(p->p.calls, &ev, now_ms, &acts);
	egress_run(p->p.egress, &acts, now_ms);
	return is_known ? STAGE_DONE : STAGE_NEXT;
}

static enum stage stage_authn(struct pipeline *p, struct unit *u,
			      uint64_t now_ms)
{
	enum pipeline_stop why = STOP_NONE;
	bool must_check = false;

	if (u->side == SIDE_CORE || !u->msg.is_request)
		return STAGE_NEXT;
	switch (ingress_authn(&p->in, u, now_ms, &must_check, &why)) {
	case AUTHN_OK:
		return must_check ? park(p, u, now_ms) : STAGE_NEXT;
	case AUTHN_CHALLENGE:
		p->stops[STOP_CHALLENGE]++;
		challenge(p, u, false, now_ms);
		break;
	case AUTHN_STALE:
		p->stops[STOP_CHALLENGE]++;
		challenge(p, u, true, now_ms);
		break;
	case AUTHN_WRONG:
		stop(p, u, STOP_PASSWORD,
		     "digest user, nonce or nonce count is wrong");
		challenge(p, u, false, now_ms);
		break;
	case AUTHN_REFUSE:
		refuse(p, u, why, now_ms);
		break;
	}
	return STAGE_DONE;
}

/* Whom a forward came from: the device of the connection, or of the line. */
static const struct config_device *device_of_response(const struct pipeline *p,
						      const struct unit *u)
{
	if (u->conn)
		return u->conn->device;
	return config_device_by_line(p->in.config, ingress_user(u->msg.to));
}

/* A phone that may not forward where it says has refused the call. */
static void judge_response(struct pipeline *p, struct unit *u)
{
	const struct config_device *d = device_of_response(p, u);
	struct gate_party party = {.device = d};
	char text[RULE_MAX];
	struct writer rule;

	writer_init(&rule, text, sizeof(text) - 1);
	party.rights = d ? d->rights : NULL;
	if (gate_response(p->in.config, &party, &u->msg, &rule) == GATE_OPEN)
		return;
	text[rule.len] = '\0';
	u->device = d;
	stop(p, u, STOP_RIGHTS, text);
	u->msg.status = 403;
	u->msg.reason = slice_str("Forbidden");
}

/* Presence groups and calling rights of the device. */
static bool is_open(struct pipeline *p, const struct unit *u, uint64_t now_ms)
{
	struct gate_party party = {.device = u->device,
				   .rights = u->device->rights,
				   .presence_group = u->device->presence_group};
	enum gate_answer answer;
	char text[RULE_MAX];
	struct writer rule;

	writer_init(&rule, text, sizeof(text) - 1);
	answer = gate_request(p->in.config, &party, &u->msg, &rule);
	text[rule.len] = '\0';
	if (answer != GATE_OPEN)
		forbid(p, u,
		       answer == GATE_PRESENCE ? STOP_PRESENCE : STOP_RIGHTS,
		       text, now_ms);
	return answer == GATE_OPEN;
}

static enum stage stage_authz(struct pipeline *p, struct unit *u,
			      uint64_t now_ms)
{
	enum pipeline_stop why;

	if (u->side == SIDE_CORE)
		return STAGE_NEXT;
	if (!u->msg.is_request) {
		judge_response(p, u);
		return STAGE_NEXT;
	}
	why = ingress_authz(u);
	if (why != STOP_NONE) {
		refuse(p, u, why, now_ms);
		return STAGE_DONE;
	}
	if (!is_open(p, u, now_ms))
		return STAGE_DONE;
	if (u->conn && p->p.cb.admitted)
		p->p.cb.admitted(p->p.cb.ctx, u->from.ep);
	return STAGE_NEXT;
}

static void step(struct pipeline *p, const struct event *ev, uint64_t now_ms)
{
	struct actions acts = {.item = NULL};

	/* Lost actions are lost messages: counted, and the peer asks again. */
	if (call_step(p->p.calls, ev, now_ms, &acts) != 0)
		p->lost++;
	egress_run(p->p.egress, &acts, now_ms);
}

/* Refused flows come back into the machine as events until none is left;
 * each failure ends a call, so this ends too. */
static void run_failures(struct pipeline *p, uint64_t now_ms)
{
	struct event ev = {.kind = EVENT_FLOW_FAILED};

	while (egress_next_failed(p->p.egress, &ev.flow.call, &ev.flow.flow)) {
		step(p, &ev, now_ms);
	}
}

void pipeline_event(struct pipeline *p, const struct event *ev, uint64_t now_ms)
{
	step(p, ev, now_ms);
	run_failures(p, now_ms);
}

static enum stage stage_b2bua(struct pipeline *p, struct unit *u,
			      uint64_t now_ms)
{
	struct event ev = {.kind = EVENT_SIP};
	struct call_policy policy;

	fill_event(p, u, &policy, &ev.sip);
	pipeline_event(p, &ev, now_ms);
	return STAGE_DONE;
}

static enum stage (*const stages[])(struct pipeline *, struct unit *,
				    uint64_t) = {
	stage_source, stage_absorb, stage_authn, stage_authz, stage_b2bua,
};

enum { STAGE_AFTER_AUTHN = 3 };

static void run_from(struct pipeline *p, struct unit *u, size_t first,
		     uint64_t now_ms)
{
	for (size_t i = first; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (stages[i](p, u, now_ms) != STAGE_NEXT)
			return;
}

void pipeline_run(struct pipeline *p, struct slice bytes,
		  const struct dest *from, enum side side, struct conn *conn,
		  uint64_t now_ms)
{
	struct unit *u = &p->unit;
	struct sip_reject why = {400, "Bad Request"};

	p->messages++;
	*u = (struct unit){.from = *from, .side = side, .conn = conn};
	u->sig = conn ? conn->sig : SIG_NONSECURE;
	if (bytes.len > sizeof(p->scratch))
		return;
	memcpy(p->scratch, bytes.ptr, bytes.len);
	if (sip_msg_parse(p->scratch, bytes.len, &u->msg, &why) != 0) {
		stop(p, u, STOP_MALFORMED, why.reason);
		if (side == SIDE_PHONE ||
		    calls_is_core(p->p.calls, &from->peer))
			reply(p, u, why.status, why.reason, NULL, now_ms);
	} else {
		run_from(p, u, 0, now_ms);
	}
	secret_wipe(p->scratch, bytes.len); /* may have carried media keys */
}

/* ---- answers of other processes ---------------------------------------- */

void pipeline_credential(struct pipeline *p, uint64_t ticket, int err,
			 struct slice blob, uint64_t now_ms)
{
	struct parked *k = parked_find(p, ticket);
	struct unit *u;
	enum digest_alg alg = DIGEST_MD5;
	struct keys_check check;

	if (!k)
		return;
	u = &k->unit;
	if (!err && digest_alg_find(u->cred.algorithm, &alg) != 0)
		err = ERR_UNSUPPORTED;
	check = (struct keys_check){
		.blob = blob,
		.user = slice_str(u->device->digest_user),
		.realm = slice_str(p->in.config->realm),
		.alg = (uint8_t)alg,
		.method = u->msg.method_name,
		.uri = u->cred.uri,
		.nonce = u->cred.nonce,
		.nc = u->cred.nc,
		.cnonce = u->cred.cnonce,
		.qop = u->cred.qop,
		.response = u->cred.response,
	};
	if (!err)
		err = p->p.cb.check(p->p.cb.ctx, ticket, &check);
	if (err) {
		refuse(p, u, err == ERR_NOTFOUND ? STOP_CREDENTIAL : STOP_BUSY,
		       now_ms);
		parked_free(p, k);
	}
}

/* The password was right: the unit goes on where it was parked. */
static void resume(struct pipeline *p, struct parked *k, uint64_t now_ms)
{
	struct unit *u = &k->unit;

	switch (ingress_authn_count(&p->in, u, now_ms)) {
	case AUTHN_OK:
		run_from(p, u, STAGE_AFTER_AUTHN, now_ms);
		break;
	case AUTHN_WRONG:
		stop(p, u, STOP_PASSWORD, "the nonce count was used before");
		challenge(p, u, false, now_ms);
		break;
	case AUTHN_CHALLENGE:
	case AUTHN_STALE:
	case AUTHN_REFUSE:
		p->stops[STOP_CHALLENGE]++;
		challenge(p, u, true, now_ms);
		break;
	}
}

void pipeline_checked(struct pipeline *p, uint64_t ticket, int err,
		      uint64_t now_ms)
{
	struct parked *k = parked_find(p, ticket);
	enum digest_alg alg;

	if (!k)
		return;
	if (!err) {
		resume(p, k, now_ms);
	} else if (err == ERR_AUTH) {
		stop(p, &k->unit, STOP_PASSWORD, "the password is wrong");
		challenge(p, &k->unit, false, now_ms);
	} else if (err == ERR_NOTFOUND &&
		   digest_alg_find(k->unit.cred.algorithm, &alg) == 0) {
		/* The password was stored before this algorithm was known. */
		stop(p, &k->unit, STOP_CREDENTIAL,
		     "the stored credentials lack this algorithm: set the "
		     "password anew");
		challenge_but(p, &k->unit, true, alg, now_ms);
	} else {
		refuse(p, &k->unit, STOP_BUSY, now_ms);
	}
	parked_free(p, k);
}

/* ---- time and connections ---------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t pipeline_deadline(const struct pipeline *p)
{
	return earlier(timerq_next(&p->timers),
		       earlier(calls_deadline(p->p.calls),
			       egress_deadline(p->p.egress)));
}

void pipeline_expire(struct pipeline *p, uint64_t now_ms)
{
	struct timerq_node *n;

	while ((n = timerq_pop(&p->timers, now_ms))) {
		struct parked *k = TIMERQ_ENTRY(n, struct parked, timer);

		refuse(p, &k->unit, STOP_BUSY, now_ms);
		parked_free(p, k);
	}
	if (egress_deadline(p->p.egress) <= now_ms)
		egress_expire(p->p.egress, now_ms);
	if (calls_deadline(p->p.calls) <= now_ms) {
		struct event ev = {.kind = EVENT_TIMER};

		pipeline_event(p, &ev, now_ms);
	}
	run_failures(p, now_ms);
}

void pipeline_conn_down(struct pipeline *p, struct handle ep, uint64_t now_ms)
{
	struct event ev = {.kind = EVENT_CONN_DOWN, .conn = ep};
	struct parked *k;
	uint32_t i = 0;

	while ((k = slots_next(&p->parked, &i)))
		if (handle_eq(k->unit.from.ep, ep) && k->unit.from.is_reliable)
			parked_free(p, k);
	pipeline_event(p, &ev, now_ms);
}

void pipeline_reload(struct pipeline *p, const struct config *c,
		     uint64_t now_ms)
{
	struct parked *k;
	uint32_t i = 0;

	take_config(p, c);
	limit_set_rate(p->in.limit, c->limits.message_rate,
		       c->limits.message_burst);
	while ((k = slots_next(&p->parked, &i))) {
		struct slice name = slice_str(k->unit.device->name);

		k->unit.device = retirees_current(p->in.retirees, c, name);
		if (k->unit.device)
			continue;
		refuse(p, &k->unit, STOP_DEVICE, now_ms);
		parked_free(p, k);
	}
}

const uint64_t *pipeline_stops(const struct pipeline *p)
{
	return p->stops;
}

uint64_t pipeline_messages(const struct pipeline *p)
{
	return p->messages;
}

uint64_t pipeline_lost(const struct pipeline *p)
{
	return p->lost;
}
