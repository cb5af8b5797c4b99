/*
 * Answers that need no call machine: refusals and challenges.
 */
#include "authn/digest.h"
#include "base/hex.h"
#include "proxy/pipeline_int.h"
#include "sip/print.h"

enum { SCANNER_ANSWERS = 30 /* a minute, to one source */ };

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

void pipeline_reply(struct pipeline *p, const struct unit *u, unsigned status,
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

void pipeline_stop_unit(struct pipeline *p, const struct unit *u,
			enum pipeline_stop why, const char *text)
{
	p->stops[why]++;
	p->p.cb.stopped(p->p.cb.ctx, why, &u->msg, &u->from,
			u->trunk    ? slice_str(u->trunk->name)
			: u->device ? slice_str(u->device->name)
				    : SLICE_NULL,
			text);
}

/* What a refusal is: status, header lines (NULL: none), the reason. */
struct refusal {
	unsigned status;
	const char *header;
	const char *text;
};

static const struct refusal *refusal_of(enum pipeline_stop why)
{
	static const struct refusal rows[STOP_COUNT] = {
		[STOP_DEVICE] = {403, NULL, "no such device or line"},
		[STOP_MODE] = {403,
			       "Warning: 399 sallyport \"this device must use "
			       "TLS\"\r\n",
			       "the security mode or transports of the device "
			       "or trunk ask for another way"},
		[STOP_CREDENTIAL] = {403, NULL,
				     "digest is on, but the digest user has "
				     "no credentials in the store"},
		[STOP_LINE] = {403, NULL, "not a line of this device"},
		[STOP_DIRECTION] = {403, NULL,
				    "direction = out: the trunk begins "
				    "nothing"},
		[STOP_TRUNK_RATE] = {503, "Retry-After: 5\r\n",
				     "over a rate of the trunk's profile"},
		[STOP_STRANGER] = {403, NULL, "nobody known"},
		[STOP_BUSY] = {503, "Retry-After: 5\r\n",
			       "store or keys process did not answer"},
		[STOP_RATE] = {503, "Retry-After: 5\r\n",
			       "too many messages from this source"},
	};

	return &rows[why];
}

void pipeline_refuse(struct pipeline *p, const struct unit *u,
		     enum pipeline_stop why, uint64_t now_ms)
{
	const struct refusal *r = refusal_of(why);

	pipeline_stop_unit(p, u, why, r->text);
	pipeline_reply(p, u, r->status, NULL, r->header, now_ms);
}

static struct pipeline_trunk *trunk_count(struct pipeline *p,
					  const struct unit *u)
{
	return &p->in.gate[u->trunk->number].count;
}

void pipeline_forbid(struct pipeline *p, const struct unit *u,
		     enum pipeline_stop why, const char *rule, uint64_t now_ms)
{
	static const char *const warnings[STOP_COUNT] = {
		[STOP_PRESENCE] =
			"Warning: 399 sallyport \"not allowed to watch\"\r\n",
		[STOP_RIGHTS] = "Warning: 399 sallyport \"not allowed to call, "
				"transfer or forward there\"\r\n",
		[STOP_LIST] = "Warning: 399 sallyport \"not accepted on this "
			      "trunk\"\r\n",
	};

	if (u->trunk)
		trunk_count(p, u)->refused++;
	pipeline_stop_unit(p, u, why, rule);
	pipeline_reply(p, u, 403, NULL, warnings[why], now_ms);
}

/*
 * RFC 7616 section 3.7, RFC 8760 section 2.3: one header for each algorithm,
 * the best first, for the client to take the first it knows. All with the same
 * nonce, whose uses are counted together.
 */
static void print_challenge(struct writer *w, const struct digest_scope *s,
			    enum digest_alg alg, struct slice nonce,
			    bool is_stale)
{
	writer_str(w, "WWW-Authenticate: Digest realm=\"");
	writer_put(w, s->realm);
	writer_str(w, "\", nonce=\"");
	writer_put(w, nonce);
	writer_str(w, "\", algorithm=");
	writer_str(w, digest_alg_name(alg));
	writer_str(w, ", qop=\"");
	for (uint32_t i = 0; i < s->qop->count; i++) {
		writer_str(w, i > 0 ? "," : "");
		writer_str(w, config_qop_str(s->qop->item[i]));
	}
	writer_str(w, "\"");
	if (is_stale)
		writer_str(w, ", stale=true");
	writer_str(w, "\r\n");
}

void pipeline_challenge(struct pipeline *p, const struct unit *u, bool is_stale,
			enum digest_alg without, uint64_t now_ms)
{
	struct digest_scope scope = ingress_scope(&p->in, u);
	const struct config_digests *l = scope.digests;
	char nonce[NONCE_LEN];
	char header[DIGEST_COUNT * 512];
	struct writer w;

	writer_init(&w, header, sizeof(header) - 1);
	if (nonce_make(&scope.nonce, &p->p.entropy, now_ms, nonce) == 0)
		for (uint32_t i = 0; i < l->count; i++)
			if (l->item[i] != without)
				print_challenge(&w, &scope, l->item[i],
						slice_make(nonce, NONCE_LEN),
						is_stale);
	if (!writer_ok(&w) || w.len == 0) {
		pipeline_refuse(p, u, STOP_BUSY, now_ms);
		return;
	}
	header[w.len] = '\0';
	if (u->trunk)
		trunk_count(p, u)->challenged++;
	pipeline_reply(p, u, 401, NULL, header, now_ms);
}

void pipeline_next_nonce(struct pipeline *p, struct unit *u, uint64_t now_ms)
{
	struct digest_scope scope = ingress_scope(&p->in, u);
	char nonce[NONCE_LEN];
	struct writer w;

	if (!ingress_wants_nonce(&p->in, u, now_ms) ||
	    nonce_make(&scope.nonce, &p->p.entropy, now_ms, nonce) != 0)
		return;
	/* RFC 7616 section 3.5. */
	writer_init(&w, p->auth_info, sizeof(p->auth_info));
	writer_str(&w, "Authentication-Info: nextnonce=\"");
	writer_bytes(&w, nonce, sizeof(nonce));
	writer_str(&w, "\"\r\n");
	u->auth_info = writer_slice(&w);
}

static bool hides_lines(const struct pipeline *p, const struct unit *u)
{
	const struct config *c = p->in.config;

	return u->listener >= c->listener_count ||
	       c->listener[u->listener].unknown_lines == CONFIG_LINES_CHALLENGE;
}

bool pipeline_heartbeat(struct pipeline *p, const struct unit *u,
			uint64_t now_ms)
{
	if ((u->conn && u->conn->device) || u->trunk || !hides_lines(p, u) ||
	    !sip_is_keep_alive(&u->msg))
		return false;
	pipeline_reply(p, u, 200, NULL, NULL, now_ms);
	return true;
}

/* Those who try out lines or passwords, at a rate; status lists them. */
static bool may_answer(struct pipeline *p, const struct unit *u,
		       uint64_t now_ms)
{
	return strangers_note(p->in.strangers, &u->from.peer,
			      u->msg.method_name,
			      sip_msg_value(&u->msg, SIP_HDR_USER_AGENT),
			      SCANNER_ANSWERS, now_ms);
}

void pipeline_wrong(struct pipeline *p, const struct unit *u, const char *text,
		    uint64_t now_ms)
{
	if (u->trunk)
		trunk_count(p, u)->refused++;
	pipeline_stop_unit(p, u, STOP_PASSWORD, text);
	if (u->trunk || !hides_lines(p, u) || may_answer(p, u, now_ms))
		pipeline_challenge(p, u, false, DIGEST_COUNT, now_ms);
}

void pipeline_decoy(struct pipeline *p, struct unit *u, enum pipeline_stop why,
		    uint64_t now_ms)
{
	if (!hides_lines(p, u)) {
		pipeline_refuse(p, u, why, now_ms);
		return;
	}
	pipeline_stop_unit(p, u, why, refusal_of(why)->text);
	u->device = NULL; /* the challenge is nobody's */
	if (may_answer(p, u, now_ms))
		pipeline_challenge(p, u, false, DIGEST_COUNT, now_ms);
}
