#include "authz/rule.h"

#include "base/text.h"

enum rule_target {
	TARGET_FIELD,  /* a pattern of acl_rule */
	TARGET_SIDE,   /* the same, but inside and outside are sides */
	TARGET_SOURCE, /* a network */
	TARGET_HEADER, /* NAME or NAME:value */
	TARGET_BODY
};

struct rule_key {
	const char *name;
	enum rule_kind kind;
	enum rule_target target;
	enum acl_field field;
	enum acl_field side; /* TARGET_SIDE */
};

static const struct rule_key keys[] = {
	{"method", RULE_METHODS, TARGET_FIELD, ACL_METHOD, 0},
	{"event", RULE_METHODS, TARGET_FIELD, ACL_EVENT, 0},
	{"from", RULE_METHODS, TARGET_FIELD, ACL_FROM, 0},
	{"to", RULE_METHODS, TARGET_FIELD, ACL_TO, 0},
	{"user", RULE_METHODS, TARGET_FIELD, ACL_PRINCIPAL, 0},
	{"header", RULE_METHODS, TARGET_HEADER, 0, 0},
	{"body", RULE_METHODS, TARGET_BODY, 0, 0},
	{"source", RULE_METHODS, TARGET_SOURCE, 0, 0},
	{"from", RULE_RIGHTS, TARGET_SIDE, ACL_FROM, ACL_FROM_SIDE},
	{"to", RULE_RIGHTS, TARGET_SIDE, ACL_TO, ACL_TO_SIDE},
};

/* What calling rights speak of. */
static const char *const acts[] = {"call", "transfer", "forward"};

static const char *const expected_conditions[] = {
	[RULE_METHODS] = "method=, event=, header=, body=, from=, to=, user= "
			 "or source= with a pattern, each once, after allow or "
			 "deny",
	[RULE_RIGHTS] = "call, transfer or forward, and from= or to= with a "
			"pattern, inside or outside, each once, after allow "
			"or deny",
};

static int bad(const char **reterr, const char *text)
{
	*reterr = text;
	return ERR_BAD;
}

static const struct rule_key *key_find(enum rule_kind kind, struct slice name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].kind == kind && text_ieqs(name, keys[i].name))
			return &keys[i];
	return NULL;
}

/* A second condition of one kind would silently win: it is refused. */
static int set_once(struct slice *at, struct slice value)
{
	if (at->len > 0)
		return ERR_BAD;
	*at = value;
	return 0;
}

static int set_source(struct acl_rule *r, struct slice value,
		      const char **reterr)
{
	struct slice head, tail;
	uint64_t bits;
	bool has_bits = text_cut(value, '/', &head, &tail);

	if (r->source.family != ADDR_NONE || addr_parse_ip(head, &r->source))
		return bad(reterr, "an address or network as source, once, as "
				   "in source=192.0.2.0/24");
	bits = r->source.family == ADDR_V4 ? 32 : 128;
	if (has_bits && text_dec(tail, bits, &bits) != 0)
		return bad(reterr, "a prefix length of at most 32 (IPv4) or "
				   "128 (IPv6) bits");
	r->source_bits = (unsigned)bits;
	return 0;
}

static int set_header(struct acl_rule *r, struct slice value,
		      const char **reterr)
{
	struct slice name, rest;

	(void)text_cut(value, ':', &name, &rest);
	if (r->header.len > 0 || name.len == 0)
		return bad(reterr, "the name of a header, once, as in "
				   "header=Diversion or header=Diversion:*");
	r->header = name;
	r->header_value = rest;
	return 0;
}

static int set_side(struct acl_rule *r, const struct rule_key *k,
		    struct slice value)
{
	bool is_side =
		text_ieqs(value, "inside") || text_ieqs(value, "outside");

	/* One of the two: a number says already where it is. */
	if (r->pattern[k->field].len > 0 || r->pattern[k->side].len > 0)
		return ERR_BAD;
	r->pattern[is_side ? k->side : k->field] = value;
	return 0;
}

static int set_condition(enum rule_kind kind, struct slice word,
			 struct acl_rule *r, const char **reterr)
{
	const struct rule_key *k;
	struct slice name, value;

	if (!text_cut(word, '=', &name, &value) || value.len == 0)
		return bad(reterr, expected_conditions[kind]);
	k = key_find(kind, name);
	if (!k)
		return bad(reterr, expected_conditions[kind]);
	*reterr = expected_conditions[kind];
	switch (k->target) {
	case TARGET_FIELD:
		return set_once(&r->pattern[k->field], value);
	case TARGET_SIDE:
		return set_side(r, k, value);
	case TARGET_SOURCE:
		return set_source(r, value, reterr);
	case TARGET_HEADER:
		return set_header(r, value, reterr);
	case TARGET_BODY:
		return set_once(&r->body, value);
	}
	return ERR_BAD;
}

/* No method list speaks of these (RFC 3261: ACK, BYE and CANCEL belong to a
 * dialog or transaction, PRACK and UPDATE to a dialog). */
static bool is_in_dialog_only(struct slice method)
{
	static const char *const names[] = {"ACK", "BYE", "CANCEL", "PRACK",
					    "UPDATE"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_ieqs(method, names[i]))
			return true;
	return false;
}

static bool take_act(enum rule_kind kind, struct slice word, struct acl_rule *r)
{
	if (kind != RULE_RIGHTS || r->pattern[ACL_METHOD].len > 0)
		return false;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (!text_ieqs(word, acts[i]))
			continue;
		r->pattern[ACL_METHOD] = word;
		return true;
	}
	return false;
}

/* The next word, blanks around it dropped; empty at the end. */
static struct slice next_word(struct slice *rest)
{
	struct slice word;

	*rest = text_trim(*rest);
	(void)text_cut(*rest, ' ', &word, rest);
	return word;
}

int rule_parse(enum rule_kind kind, struct slice text, struct acl_rule *ret,
	       const char **reterr)
{
	struct acl_rule r = {.action = ACL_DENY};
	struct slice rest = text;
	struct slice word = next_word(&rest);

	if (text.len > RULE_TEXT_MAX)
		return bad(reterr, "a rule of at most 256 bytes");
	if (text_ieqs(word, "allow"))
		r.action = ACL_ALLOW;
	else if (!text_ieqs(word, "deny"))
		return bad(reterr, "allow or deny as first word");
	for (word = next_word(&rest); word.len > 0; word = next_word(&rest)) {
		int err = take_act(kind, word, &r)
				  ? 0
				  : set_condition(kind, word, &r, reterr);

		if (err)
			return err;
	}
	if (is_in_dialog_only(r.pattern[ACL_METHOD]))
		return bad(reterr, "a method that comes outside of dialogs, "
				   "since no method list governs what is "
				   "inside a dialog");
	*ret = r;
	return 0;
}
