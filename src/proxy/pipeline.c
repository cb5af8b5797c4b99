#include "proxy/pipeline_int.h"

#include "authn/digest.h"
#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"

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
	p->in.formers = params->formers;
	p->in.nonce = (struct nonce_params){
		.key = slice_make(p->p.nonce_key, sizeof(p->p.nonce_key)),
		.worker = params->worker,
		.since_ms = p->p.since_ms,
	};
	memcpy(p->in.nonce.boot, p->p.nonce_boot, NONCE_BOOT_LEN);
	take_config(p, c);
	p->in.worker = params->worker;
	p->in.strangers = strangers_new(STRANGERS_MAX, params->seed);
	p->in.window = nonce_window_new(PIPELINE_NONCES_MAX, params->seed);
	p->in.limit = limit_new(&lp);
	slots_init(&p->parked, PIPELINE_PARKED_MAX);
	timerq_init(&p->timers);
	if (!p->in.window || !p->in.limit || !p->in.strangers ||
	    ingress_trunk_room(&p->in, c) != 0)
		return pipeline_free(p);
	ingress_trunk_config(&p->in, params->since_ms);
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
	strangers_free(p->in.strangers);
	alloc_free(p->in.gate);
	secret_wipe(p->p.nonce_key, sizeof(p->p.nonce_key));
	return alloc_free(p);
}

const char *pipeline_stop_str(enum pipeline_stop s)
{
	static const char *const names[STOP_COUNT] = {
		"none",	       "malformed",	 "rate",
		"source",      "unknown-device", "security-mode",
		"challenge",   "wrong-password", "no-credentials",
		"line",	       "presence-group", "calling-rights",
		"method-list", "direction",	 "trunk-rate",
		"stranger",    "busy",
	};

	return names[s];
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
	    !ingress_find_cred(&p->in, &k->unit, &k->unit.cred) ||
	    slots_add(&p->parked, k, &k->ticket) != 0) {
		raw_free(k->raw, u->msg.raw.len);
		return alloc_free(k);
	}
	k->unit.user = k->unit.cred.username;
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
	if (!k ||
	    p->p.cb.credential(p->p.cb.ctx, handle_u64(k->ticket), k->unit.user,
			       ingress_scope(&p->in, u).realm) != 0) {
		if (k)
			parked_free(p, k);
		pipeline_refuse(p, u, STOP_BUSY, now_ms);
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
				  .sig = u->sig,
				  .auth_info = u->auth_info};
	if (u->trunk) {
		ret->trunk = u->trunk->number + 1;
		if (u->side == SIDE_CORE)
			return; /* it is meant for the trunk */
		ingress_trunk_policy(u->trunk, policy);
		ret->device = slice_str(u->trunk->name);
		ret->policy = policy;
		return;
	}
	if (!u->device)
		return;
	ingress_policy(p->in.config, u->device, policy);
	ret->device = slice_str(u->device->name);
	ret->policy = policy;
	ret->pass_auth = !u->device->digest;
}

/* Nobody known where only trunks have business. */
static void stranger(struct pipeline *p, const struct unit *u, uint64_t now_ms)
{
	const struct config_listener *l = &p->in.config->listener[u->listener];
	bool may_answer = strangers_note(
		p->in.strangers, &u->from.peer, u->msg.method_name,
		sip_msg_value(&u->msg, SIP_HDR_USER_AGENT), l->unknown_rate,
		now_ms);

	if (l->unknown == CONFIG_UNKNOWN_REFUSE && may_answer)
		pipeline_refuse(p, u, STOP_STRANGER, now_ms);
	else
		pipeline_stop_unit(p, u, STOP_STRANGER,
				   "nobody known, not answered");
}

/* Strangers on the core side are not answered at all; nobody may send faster
 * than the limit. */
static enum stage stage_source(struct pipeline *p, struct unit *u,
			       uint64_t now_ms)
{
	if (u->side == SIDE_CORE) {
		if (!calls_is_core(p->p.calls, &u->from.peer)) {
			pipeline_stop_unit(p, u, STOP_SOURCE,
					   "not a call manager");
			return STAGE_DONE;
		}
		ingress_trunk_find(&p->in, p->p.calls, u);
		return STAGE_NEXT;
	}
	ingress_trunk_find(&p->in, p->p.calls, u);
	if (u->trunk) {
		if (ingress_trunk_rate(&p->in, u, now_ms))
			return STAGE_NEXT;
		pipeline_refuse(p, u, STOP_TRUNK_RATE, now_ms);
		return STAGE_DONE;
	}
	if (ingress_is_for_trunks(&p->in, u)) {
		stranger(p, u, now_ms);
		return STAGE_DONE;
	}
	if (limit_take_addr(p->in.limit, &u->from.peer, now_ms) == 0)
		return STAGE_NEXT;
	if (u->from.is_reliable)
		pipeline_refuse(p, u, STOP_RATE, now_ms);
	else
		pipeline_stop_unit(p, u, STOP_RATE,
				   "too many messages from this source");
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
	if (u->conn && !u->trunk)
		u->device = u->conn->device;
	fill_event(p, u, &policy, &ev);
	is_known = calls_absorb(p->p.calls, &ev, now_ms, &acts);
	egress_run(p->p.egress, &acts, now_ms);
	return is_known ? STAGE_DONE : STAGE_NEXT;
}

/* Requests of trunks: does the profile let them in at all? */
static enum stage stage_trunk(struct pipeline *p, struct unit *u,
			      uint64_t now_ms)
{
	enum pipeline_stop why;

	if (u->side == SIDE_CORE || !u->trunk || !u->msg.is_request)
		return STAGE_NEXT;
	if (ingress_trunk_is_new(u)) {
		if (u->listener < p->in.config->listener_count)
			stranger(p, u, now_ms);
		else
			pipeline_refuse(p, u, STOP_STRANGER, now_ms);
		return STAGE_DONE;
	}
	why = ingress_trunk_gate(&p->in, u, now_ms);
	if (why != STOP_NONE) {
		pipeline_refuse(p, u, why, now_ms);
		return STAGE_DONE;
	}
	return pipeline_gate_trunk(p, u, false, now_ms) ? STAGE_NEXT
							: STAGE_DONE;
}

static enum authn_verdict authn_trunk(struct pipeline *p, struct unit *u,
				      uint64_t now_ms, bool *ret_check)
{
	enum authn_verdict v;

	if (!ingress_trunk_digest(u))
		return AUTHN_OK;
	v = ingress_judge_cred(&p->in, u, now_ms);
	*ret_check = v == AUTHN_OK;
	return v;
}

/* The connection has shown whose it is: it is no stranger's any more. A
 * heartbeat shows it only of a device that need not prove itself. */
static void admit(struct pipeline *p, const struct unit *u)
{
	if (u->device->digest && u->user.len == 0)
		return;
	if (u->from.is_reliable && p->p.cb.admitted)
		p->p.cb.admitted(p->p.cb.ctx, u->from.ep);
}

/* All heartbeats have the same answer; who need not prove himself is admitted
 * with it. */
static void heartbeat(struct pipeline *p, struct unit *u, uint64_t now_ms)
{
	enum pipeline_stop why;
	bool must_check;

	if (ingress_authn(&p->in, u, now_ms, &must_check, &why) == AUTHN_OK)
		admit(p, u);
}

static enum stage stage_authn(struct pipeline *p, struct unit *u,
			      uint64_t now_ms)
{
	enum pipeline_stop why = STOP_NONE;
	bool must_check = false;
	enum authn_verdict v;

	if (u->side == SIDE_CORE || !u->msg.is_request)
		return STAGE_NEXT;
	if (pipeline_heartbeat(p, u, now_ms)) {
		heartbeat(p, u, now_ms);
		return STAGE_DONE;
	}
	v = u->trunk ? authn_trunk(p, u, now_ms, &must_check)
		     : ingress_authn(&p->in, u, now_ms, &must_check, &why);
	switch (v) {
	case AUTHN_OK:
		return must_check ? park(p, u, now_ms) : STAGE_NEXT;
	case AUTHN_CHALLENGE:
		p->stops[STOP_CHALLENGE]++;
		pipeline_challenge(p, u, false, DIGEST_COUNT, now_ms);
		break;
	case AUTHN_STALE:
		p->stops[STOP_CHALLENGE]++;
		pipeline_challenge(p, u, true, DIGEST_COUNT, now_ms);
		break;
	case AUTHN_WRONG:
		pipeline_wrong(p, u,
			       u->why ? u->why
				      : "digest user, nonce or nonce count is "
					"wrong",
			       now_ms);
		break;
	case AUTHN_REFUSE:
		if (u->conn && u->conn->device)
			pipeline_refuse(p, u, why, now_ms);
		else
			pipeline_decoy(p, u, why, now_ms);
		break;
	}
	return STAGE_DONE;
}

static enum stage stage_authz(struct pipeline *p, struct unit *u,
			      uint64_t now_ms)
{
	enum pipeline_stop why;

	if (u->side == SIDE_CORE)
		return !u->msg.is_request ||
				       pipeline_gate_forwarded(p, u, now_ms)
			       ? STAGE_NEXT
			       : STAGE_DONE;
	if (!u->msg.is_request) {
		pipeline_gate_response(p, u);
		return STAGE_NEXT;
	}
	if (u->trunk)
		return pipeline_gate_trunk(p, u, true, now_ms) ? STAGE_NEXT
							       : STAGE_DONE;
	why = ingress_authz(u);
	if (why != STOP_NONE) {
		pipeline_refuse(p, u, why, now_ms);
		return STAGE_DONE;
	}
	if (!pipeline_gate_device(p, u, now_ms))
		return STAGE_DONE;
	admit(p, u);
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
 * each failure ends a call or a stream, so this ends too. */
static void run_failures(struct pipeline *p, uint64_t now_ms)
{
	struct event ev = {.kind = EVENT_FLOW_FAILED};

	while (egress_next_failed(p->p.egress, now_ms, &ev.flow.call,
				  &ev.flow.flow))
		step(p, &ev, now_ms);
}

void pipeline_event(struct pipeline *p, const struct event *ev, uint64_t now_ms)
{
	step(p, ev, now_ms);
	run_failures(p, now_ms);
}

/* A connection's own: a whole office may be behind one address. No name has a
 * NUL in it. */
static int take_connection(struct pipeline *p, struct handle ep,
			   uint64_t now_ms)
{
	char key[2 + sizeof(uint64_t)] = {'\0', 'c'};
	uint64_t v = handle_u64(ep);

	memcpy(key + 2, &v, sizeof(v));
	return limit_take(p->in.limit, slice_make(key, sizeof(key)), now_ms);
}

int pipeline_sccp(struct pipeline *p, const struct event *ev, uint64_t now_ms)
{
	p->messages++;
	if (ev->sccp.side == SIDE_PHONE &&
	    take_connection(p, ev->sccp.from.ep, now_ms) != 0) {
		p->stops[STOP_RATE]++;
		return ERR_LIMIT;
	}
	pipeline_event(p, ev, now_ms);
	return 0;
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
	stage_source, stage_absorb, stage_trunk,
	stage_authn,  stage_authz,  stage_b2bua,
};

enum { STAGE_AFTER_AUTHN = 4 };

static void run_from(struct pipeline *p, struct unit *u, size_t first,
		     uint64_t now_ms)
{
	for (size_t i = first; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (stages[i](p, u, now_ms) != STAGE_NEXT)
			return;
}

static void malformed(struct pipeline *p, struct unit *u,
		      const struct sip_reject *why, uint64_t now_ms)
{
	bool is_known = calls_is_core(p->p.calls, &u->from.peer);

	if (u->side == SIDE_PHONE) {
		ingress_trunk_find(&p->in, p->p.calls, u);
		is_known = u->trunk || !ingress_is_for_trunks(&p->in, u);
		if (!is_known)
			(void)strangers_note(p->in.strangers, &u->from.peer,
					     slice_str("malformed"), SLICE_NULL,
					     1, now_ms);
	}
	if (is_known && u->side == SIDE_PHONE &&
	    limit_take_addr(p->in.limit, &u->from.peer, now_ms) != 0) {
		pipeline_stop_unit(p, u, STOP_RATE,
				   "too many messages from this source");
		return;
	}
	pipeline_stop_unit(p, u, STOP_MALFORMED, why->reason);
	if (is_known)
		pipeline_reply(p, u, why->status, why->reason, NULL, now_ms);
}

void pipeline_run(struct pipeline *p, const struct pipeline_in *in,
		  uint64_t now_ms)
{
	struct unit *u = &p->unit;
	struct sip_reject why = {400, "Bad Request"};

	p->messages++;
	/* In place: a compound literal of that size may get a frame. */
	memset(u, 0, sizeof(*u));
	u->from = *in->from;
	u->side = in->side;
	u->listener = in->listener;
	u->conn = in->conn;
	u->sig = in->conn ? in->conn->sig : SIG_NONSECURE;
	if (in->bytes.len > sizeof(p->scratch))
		return;
	memcpy(p->scratch, in->bytes.ptr, in->bytes.len);
	if (sip_msg_parse(p->scratch, in->bytes.len, &u->msg, &why) == 0)
		run_from(p, u, 0, now_ms);
	else
		malformed(p, u, &why, now_ms);
	/* It may have carried media keys. */
	secret_wipe(p->scratch, in->bytes.len);
}

/* ---- answers of other processes ---------------------------------------- */

void pipeline_credential(struct pipeline *p, uint64_t ticket, int err,
			 struct slice blob, uint64_t now_ms)
{
	struct parked *k = parked_find(p, ticket);
	struct unit *u;
	enum digest_alg alg = DIGEST_MD5;
	struct digest_hex body = {.len = 0};
	struct keys_check check;

	if (!k)
		return;
	u = &k->unit;
	if (!err && digest_alg_find(u->cred.algorithm, &alg) != 0)
		err = ERR_UNSUPPORTED;
	if (text_ieqs(u->cred.qop, "auth-int"))
		digest_hash(alg, sip_msg_entity(&u->msg), &body);
	check = (struct keys_check){
		.blob = blob,
		.user = u->user,
		.realm = ingress_scope(&p->in, u).realm,
		.alg = (uint8_t)alg,
		.method = u->msg.method_name,
		.uri = u->cred.uri,
		.nonce = u->cred.nonce,
		.nc = u->cred.nc,
		.cnonce = u->cred.cnonce,
		.qop = u->cred.qop,
		.response = u->cred.response,
		.body_hash = digest_hex_slice(&body),
	};
	if (!err)
		err = p->p.cb.check(p->p.cb.ctx, ticket, &check);
	if (err == ERR_NOTFOUND && u->trunk) {
		/* As a wrong password: who exists is nobody's business. */
		pipeline_wrong(
			p, u,
			"no credentials of this user in the trunk's realm",
			now_ms);
		parked_free(p, k);
	} else if (err) {
		pipeline_refuse(
			p, u, err == ERR_NOTFOUND ? STOP_CREDENTIAL : STOP_BUSY,
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
		pipeline_next_nonce(p, u, now_ms);
		run_from(p, u, STAGE_AFTER_AUTHN, now_ms);
		break;
	case AUTHN_WRONG:
		pipeline_wrong(p, u, "the nonce count was used before", now_ms);
		break;
	case AUTHN_CHALLENGE:
	case AUTHN_STALE:
	case AUTHN_REFUSE:
		p->stops[STOP_CHALLENGE]++;
		pipeline_challenge(p, u, true, DIGEST_COUNT, now_ms);
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
		pipeline_wrong(p, &k->unit, "the password is wrong", now_ms);
	} else if (err == ERR_NOTFOUND &&
		   digest_alg_find(k->unit.cred.algorithm, &alg) == 0) {
		/* The password was stored before this algorithm was known. */
		pipeline_stop_unit(
			p, &k->unit, STOP_CREDENTIAL,
			"the stored credentials lack this algorithm: set the "
			"password anew");
		pipeline_challenge(p, &k->unit, true, alg, now_ms);
	} else {
		pipeline_refuse(p, &k->unit, STOP_BUSY, now_ms);
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

		pipeline_refuse(p, &k->unit, STOP_BUSY, now_ms);
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

static void drop_parked(struct pipeline *p, struct parked *k,
			enum pipeline_stop why, uint64_t now_ms)
{
	pipeline_refuse(p, &k->unit, why, now_ms);
	parked_free(p, k);
}

int pipeline_room(struct pipeline *p, const struct config *c)
{
	return ingress_trunk_room(&p->in, c);
}

void pipeline_reload(struct pipeline *p, const struct config *c,
		     uint64_t now_ms)
{
	struct parked *k;
	uint32_t i = 0;

	take_config(p, c);
	limit_set_rate(p->in.limit, c->limits.message_rate,
		       c->limits.message_burst);
	ingress_trunk_config(&p->in, now_ms);
	while ((k = slots_next(&p->parked, &i))) {
		struct slice name;

		if (k->unit.trunk) {
			const struct config_trunk *t = config_trunk_find(
				c, slice_str(k->unit.trunk->name));

			if (t)
				k->unit.trunk = t;
			else
				drop_parked(p, k, STOP_STRANGER, now_ms);
			continue;
		}
		name = slice_str(k->unit.device->name);

		k->unit.device = retirees_current(p->in.retirees, c, name);
		if (!k->unit.device)
			drop_parked(p, k, STOP_DEVICE, now_ms);
	}
}

void pipeline_forget_device(struct pipeline *p, const struct config_device *d,
			    uint64_t now_ms)
{
	struct parked *k;
	uint32_t i = 0;

	while ((k = slots_next(&p->parked, &i))) {
		if (k->unit.device == d)
			drop_parked(p, k, STOP_DEVICE, now_ms);
	}
}

void pipeline_forget_trunk(struct pipeline *p, const struct config_trunk *t,
			   uint64_t now_ms)
{
	struct parked *k;
	uint32_t i = 0;

	while ((k = slots_next(&p->parked, &i)))
		if (k->unit.trunk == t)
			drop_parked(p, k, STOP_STRANGER, now_ms);
}

const struct pipeline_trunk *pipeline_trunk(const struct pipeline *p,
					    uint32_t i)
{
	return &p->in.gate[i].count;
}

const struct strangers *pipeline_strangers(const struct pipeline *p)
{
	return p->in.strangers;
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
