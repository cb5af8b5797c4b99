#include "authz/decide.h"

#include "base/text.h"

static const struct {
	enum authz_kind kind;
	const char *option;
} kinds[] = {
	{AUTHZ_PRESENCE, "accept-presence-subscription"},
	{AUTHZ_REFER, "accept-out-of-dialog-refer"},
	{AUTHZ_NOTIFY, "accept-unsolicited-notification"},
	{AUTHZ_REPLACES, "accept-replaces"},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool is_method(const struct authz_request *r, const char *name)
{
	return slice_eqs(r->query.value[ACL_METHOD], name);
}

unsigned authz_kinds(const struct authz_request *r)
{
	unsigned asks = r->has_replaces ? AUTHZ_REPLACES : 0;

	if (r->is_in_dialog)
		return asks;
	if (is_method(r, "SUBSCRIBE") && r->is_presence)
		asks |= AUTHZ_PRESENCE;
	if (is_method(r, "REFER"))
		asks |= AUTHZ_REFER;
	if (is_method(r, "NOTIFY"))
		asks |= AUTHZ_NOTIFY;
	return asks;
}

bool authz_can_challenge(struct slice method)
{
	return !slice_eqs(method, "ACK") && !slice_eqs(method, "CANCEL");
}

/* Do the rules of a list speak of r, beyond the kinds it asks for? */
static bool is_governed(const struct authz_request *r)
{
	if (r->is_in_dialog || !authz_can_challenge(r->query.value[ACL_METHOD]))
		return false;
	return !is_method(r, "INVITE") || r->has_replaces;
}

/* One gate of kinds and rules; allows or forbids. */
static struct authz_verdict ask_list(const struct authz_list *l,
				     const struct authz_request *r,
				     enum authz_gate gate)
{
	struct authz_verdict v = {.gate = gate, .result = AUTHZ_FORBID};
	unsigned asks = authz_kinds(r);
	unsigned refused = asks & ~l->accept;

	for (size_t i = 0; i < KINDS; i++) {
		if (!(refused & kinds[i].kind))
			continue;
		v.rule = AUTHZ_RULE_KIND;
		v.kind = kinds[i].kind;
		return v;
	}
	v.result = AUTHZ_ALLOW;
	if (!is_governed(r)) {
		v.rule = asks ? AUTHZ_RULE_NONE : AUTHZ_RULE_UNGOVERNED;
		return v;
	}
	if (!l->acl)
		return v;
	v.rule = AUTHZ_RULE_ACL;
	v.acl_name = l->acl_name;
	if (acl_eval(l->acl, &r->query, &v.acl_rule) == ACL_DENY)
		v.result = AUTHZ_FORBID;
	return v;
}

static struct authz_verdict ask_digest(const struct authz_case *c)
{
	struct authz_verdict v = {.gate = AUTHZ_BY_DIGEST,
				  .rule = AUTHZ_RULE_CRED};

	switch (c->cred) {
	case AUTHZ_CRED_NONE:
	case AUTHZ_CRED_WRONG:
		v.result = AUTHZ_CHALLENGE;
		break;
	case AUTHZ_CRED_GIVEN:
		v.result = AUTHZ_CHECK;
		break;
	case AUTHZ_CRED_GOOD:
		v.result = AUTHZ_ALLOW;
		break;
	}
	return v;
}

struct authz_verdict authz_decide(const struct authz_case *c,
				  const struct authz_request *r)
{
	struct authz_verdict v = ask_list(c->trunk, r, AUTHZ_BY_TRUNK);

	/* Who the application is, digest alone can say: a profile that asks
	 * for it without is refused before, and would let nobody in here. */
	if (v.result != AUTHZ_ALLOW || (!c->digest && !c->per_application) ||
	    !authz_can_challenge(r->query.value[ACL_METHOD]))
		return v;
	v = ask_digest(c);
	if (v.result != AUTHZ_ALLOW || !c->per_application)
		return v;
	if (!c->application)
		return (struct authz_verdict){.gate = AUTHZ_BY_APPLICATION,
					      .result = AUTHZ_FORBID,
					      .rule = AUTHZ_RULE_UNKNOWN};
	return ask_list(c->application, r, AUTHZ_BY_APPLICATION);
}

const char *authz_kind_option(enum authz_kind k)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == k)
			return kinds[i].option;
	return "";
}

static void print_acl(struct writer *w, const struct authz_verdict *v)
{
	writer_str(w, "acl \"");
	writer_str(w, v->acl_name);
	if (v->acl_rule == ACL_NO_RULE) {
		writer_str(w, "\" default");
		return;
	}
	writer_str(w, "\" rule ");
	writer_dec(w, (uint64_t)v->acl_rule + 1);
}

void authz_verdict_print(struct writer *w, const struct authz_verdict *v)
{
	static const char *const gates[] = {
		[AUTHZ_BY_TRUNK] = "trunk: ",
		[AUTHZ_BY_DIGEST] = "digest: ",
		[AUTHZ_BY_APPLICATION] = "application: ",
	};
	static const char *const creds[] = {
		[AUTHZ_ALLOW] = "credentials are good",
		[AUTHZ_FORBID] = "credentials are refused",
		[AUTHZ_CHALLENGE] = "no valid credentials",
		[AUTHZ_CHECK] = "credentials are to be checked",
	};

	writer_str(w, gates[v->gate]);
	switch (v->rule) {
	case AUTHZ_RULE_NONE:
		writer_str(w, "nothing objects");
		break;
	case AUTHZ_RULE_UNGOVERNED:
		writer_str(w, "not governed by method lists");
		break;
	case AUTHZ_RULE_KIND:
		writer_str(w, authz_kind_option(v->kind));
		writer_str(w, " = no");
		break;
	case AUTHZ_RULE_ACL:
		print_acl(w, v);
		break;
	case AUTHZ_RULE_CRED:
		writer_str(w, creds[v->result]);
		break;
	case AUTHZ_RULE_UNKNOWN:
		writer_str(w, "the user is no application-user");
		break;
	}
}
