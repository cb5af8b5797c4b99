/*
 * The gates of authz/ in the pipeline: what they say to a unit, and what its
 * sender hears of it.
 */
#include "authz/decide.h"
#include "proxy/gate.h"
#include "proxy/pipeline_int.h"

enum { RULE_MAX = 512 }; /* bytes of what a rule is called in the log */

/* Whom a forward came from: the device that was called. */
static const struct config_device *device_of_response(const struct pipeline *p,
						      const struct unit *u,
						      struct slice device)
{
	if (u->conn && u->conn->device)
		return u->conn->device;
	return device.len > 0
		       ? retirees_current(p->in.retirees, p->in.config, device)
		       : NULL;
}

/* Who may not forward where he says has refused the call. */
void pipeline_gate_response(struct pipeline *p, struct unit *u)
{
	const struct config_device *d;
	struct gate_party party = {.device = NULL};
	struct slice device = SLICE_NULL;
	char text[RULE_MAX];
	struct writer rule;

	writer_init(&rule, text, sizeof(text) - 1);
	(void)calls_party(p->p.calls, &u->msg, &party.far, &device);
	d = u->trunk ? NULL : device_of_response(p, u, device);
	party.device = d;
	party.rights = u->trunk ? u->trunk->rights : d ? d->rights : NULL;
	if (gate_response(p->in.config, &party, &u->msg, &rule) == GATE_OPEN)
		return;
	text[rule.len] = '\0';
	u->device = d;
	pipeline_stop_unit(p, u, STOP_RIGHTS, text);
	u->msg.status = 403;
	u->msg.reason = slice_str("Forbidden");
}

static bool far_party(void *ctx, const struct sip_out_ids *ids,
		      struct slice *ret_uri, struct slice *ret_contact)
{
	return calls_far_party(ctx, ids, ret_uri, ret_contact);
}

/* A call manager's INVITE that was forwarded by who may not. */
bool pipeline_gate_forwarded(struct pipeline *p, const struct unit *u,
			     uint64_t now_ms)
{
	char text[RULE_MAX];
	struct writer rule;

	writer_init(&rule, text, sizeof(text) - 1);
	if (gate_forwarded(p->in.config, &u->msg, &rule, NULL) == GATE_OPEN)
		return true;
	text[rule.len] = '\0';
	pipeline_forbid(p, u, STOP_RIGHTS, text, now_ms);
	return false;
}

static bool is_open(struct pipeline *p, const struct unit *u,
		    const struct gate_party *party, uint64_t now_ms)
{
	struct gate_dialogs dialogs = {.far = far_party, .ctx = p->p.calls};
	struct gate_party asker = *party;
	enum gate_answer answer;
	char text[RULE_MAX];
	struct writer rule;

	asker.dialogs = &dialogs;
	writer_init(&rule, text, sizeof(text) - 1);
	answer = gate_request(p->in.config, &asker, &u->msg, &rule);
	text[rule.len] = '\0';
	if (answer != GATE_OPEN)
		pipeline_forbid(p, u,
				answer == GATE_PRESENCE ? STOP_PRESENCE
							: STOP_RIGHTS,
				text, now_ms);
	return answer == GATE_OPEN;
}

bool pipeline_gate_device(struct pipeline *p, const struct unit *u,
			  uint64_t now_ms)
{
	struct gate_party party = {.device = u->device,
				   .rights = u->device->rights,
				   .presence_group = u->device->presence_group};

	(void)calls_party(p->p.calls, &u->msg, &party.far, NULL);
	return is_open(p, u, &party, now_ms);
}

bool pipeline_gate_trunk(struct pipeline *p, const struct unit *u,
			 bool is_proved, uint64_t now_ms)
{
	bool digest = ingress_trunk_digest(u);
	struct gate_trunk g = {
		.trunk = u->trunk,
		.digest = digest,
		.cred = is_proved && digest ? AUTHZ_CRED_GOOD : AUTHZ_CRED_NONE,
		.user = is_proved && digest ? u->user : SLICE_NULL,
		.source = u->from.peer,
	};
	struct authz_verdict v = gate_trunk(p->in.config, &g, &u->msg);
	struct gate_party party = gate_trunk_party(p->in.config, &g);
	char text[RULE_MAX];
	struct writer rule;

	(void)calls_party(p->p.calls, &u->msg, &party.far, NULL);
	/* Credentials are the next stage's business. */
	if (v.result != AUTHZ_FORBID)
		return !is_proved || is_open(p, u, &party, now_ms);
	writer_init(&rule, text, sizeof(text) - 1);
	authz_verdict_print(&rule, &v);
	text[rule.len] = '\0';
	pipeline_forbid(p, u, STOP_LIST, text, now_ms);
	return false;
}
