#include "proxy/gate.h"

#include "base/hex.h"
#include "base/text.h"
#include "proxy/gate_list.h"
#include "rewrite/dialog_id.h"
#include "sip/hdr.h"
#include "sip/multipart.h"

/* ---- numbers ----------------------------------------------------------- */

/* Append s with its percent escapes decoded. */
static void put_decoded(struct writer *w, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (c == '%' && s.len - i > 2 &&
		    hex_decode(slice_sub(s, i + 1, 2), &c, 1) == 0)
			i += 2;
		writer_u8(w, c);
	}
}

static bool is_separator(uint8_t c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

/* Drop visual separators in place, if the text is a telephone number. */
static struct slice without_separators(char *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (!text_is_digit((uint8_t)buf[i]) &&
		    !is_separator((uint8_t)buf[i]) && !strchr("+*#", buf[i]))
			return slice_make(buf, len);
	for (size_t i = 0; i < len; i++)
		if (!is_separator((uint8_t)buf[i]))
			buf[n++] = buf[i];
	return slice_make(buf, n);
}

/*
 * The number a URI is about, into buf: of a tel: URI the subscriber, of a sip:
 * URI the user part, which may be empty. ERR_NOTFOUND for URIs of other
 * schemes, which reach nobody; ERR_BAD for what cannot be judged.
 */
static int number_of(struct slice uri, char buf[GATE_NUMBER_MAX],
		     struct slice *ret)
{
	struct sip_uri u;
	struct slice part;
	struct writer w;
	int err = sip_uri_parse(uri, &u);

	if (err == ERR_UNSUPPORTED && text_ieqs(u.scheme, "tel"))
		(void)text_cut(uri, ':', NULL, &part);
	else if (err)
		return err == ERR_UNSUPPORTED ? ERR_NOTFOUND : ERR_BAD;
	else
		part = u.user;
	(void)text_cut(part, ';', &part, NULL);
	writer_init(&w, buf, GATE_NUMBER_MAX);
	put_decoded(&w, part);
	if (!writer_ok(&w))
		return ERR_BAD;
	*ret = without_separators(buf, w.len);
	return 0;
}

/* The same of a From, To, Contact or Refer-To value. */
static int number_in(struct slice value, char buf[GATE_NUMBER_MAX],
		     struct slice *ret)
{
	struct sip_nameaddr na;

	if (sip_nameaddr_parse(value, &na) != 0)
		return ERR_BAD;
	return number_of(na.uri, buf, ret);
}

/* ---- facts for method lists --------------------------------------------- */

/* user@host of a name-addr or URI, decoded; empty when it cannot be read. */
static struct slice party_of(struct slice value, char buf[GATE_PARTY_MAX])
{
	char number[GATE_NUMBER_MAX];
	struct slice user = SLICE_NULL;
	struct sip_nameaddr na;
	struct sip_uri u = {.port = 0};
	struct writer w;

	if (sip_nameaddr_parse(value, &na) != 0 ||
	    number_of(na.uri, number, &user) != 0)
		return SLICE_NULL;
	writer_init(&w, buf, GATE_PARTY_MAX);
	writer_put(&w, user);
	if (sip_uri_parse(na.uri, &u) == 0) {
		writer_str(&w, "@");
		writer_put(&w, u.host);
	}
	return writer_slice(&w);
}

/* The value of a rule's event=: the package without its parameters. */
static struct slice package_of(struct slice event)
{
	(void)text_cut(event, ';', &event, NULL);
	return text_trim(event);
}

/* "presence", and its templates as "presence.winfo" (RFC 6665 section 4.1). */
static bool is_package(struct slice event, const char *name)
{
	struct slice head;

	(void)text_cut(package_of(event), '.', &head, NULL);
	return text_ieqs(head, name);
}

/* Is any Event header about this package? A peer that sends two of them has
 * the stricter one count. */
static bool has_package(const struct sip_msg *m, const char *name)
{
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id == SIP_HDR_EVENT &&
		    is_package(m->hdr[i].value, name))
			return true;
	return false;
}

/* Does s begin with word, whose letters may be escaped? */
static bool begins_escaped(struct slice s, const char *word)
{
	for (; *word && s.len > 0; word++) {
		uint8_t c = s.ptr[0];
		bool is_escape = c == '%' && s.len > 2 &&
				 hex_decode(slice_sub(s, 1, 2), &c, 1) == 0;

		if (text_lower(c) != (uint8_t)*word)
			return false;
		s = slice_from(s, is_escape ? 3 : 1);
	}
	return !*word;
}

/* word is in lower case. */
static bool mentions(struct slice s, const char *word)
{
	for (size_t i = 0; i < s.len; i++)
		if (begins_escaped(slice_from(s, i), word))
			return true;
	return false;
}

/* Does the URI of a Refer-To carry a Replaces header, however it is spelled
 * (RFC 3261 section 19.1.1: names may be escaped)? */
static bool replaces_in_uri(struct slice refer_to)
{
	struct sip_nameaddr na;
	struct slice rest, field, name;
	char buf[16];
	struct writer w;

	/* What cannot be read might be read by somebody else. */
	if (sip_nameaddr_parse(refer_to, &na) != 0)
		return mentions(refer_to, "replaces");
	(void)text_cut(na.uri, '?', NULL, &rest);
	while (rest.len > 0) {
		(void)text_cut(rest, '&', &field, &rest);
		(void)text_cut(field, '=', &name, NULL);
		writer_init(&w, buf, sizeof(buf));
		put_decoded(&w, name);
		if (text_ieqs(text_trim(writer_slice(&w)), "Replaces"))
			return true;
	}
	return false;
}

static bool has_replaces(const struct sip_msg *m)
{
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id == SIP_HDR_REPLACES ||
		    (m->hdr[i].id == SIP_HDR_REFER_TO &&
		     replaces_in_uri(m->hdr[i].value)))
			return true;
	return false;
}

/* A rule names a header in full or in its compact form, and so may a peer. */
static bool is_named(const struct sip_hdr *h, struct slice pattern)
{
	enum sip_hdr_id id = sip_hdr_find(pattern);

	if (id != SIP_HDR_OTHER && id == h->id)
		return true;
	if (acl_match(pattern, h->name))
		return true;
	return h->id != SIP_HDR_OTHER &&
	       acl_match(pattern, slice_str(sip_hdr_name(h->id)));
}

static bool has_header(const void *ctx, struct slice name, struct slice value)
{
	const struct sip_msg *m = ctx;

	for (size_t i = 0; i < m->hdr_count; i++)
		if (is_named(&m->hdr[i], name) &&
		    acl_match(value, m->hdr[i].value))
			return true;
	return false;
}

static bool is_type(struct slice type, struct slice pattern)
{
	(void)text_cut(type, ';', &type, NULL);
	return acl_match(pattern, text_trim(type));
}

enum { BODY_DEPTH = 4 }; /* of multiparts in each other that are opened */

/* In a multipart body: of all its parts, and of theirs. */
static enum acl_body find_part(struct slice type, struct slice body,
			       struct slice pattern)
{
	struct sip_multipart level[BODY_DEPTH];
	enum acl_body found = ACL_BODY_NONE;
	struct sip_part part;
	int depth = 0;
	int err = sip_multipart_open(type, body, &level[0]);

	for (;;) {
		if (!err && ++depth == BODY_DEPTH) {
			found = ACL_BODY_UNCLEAR;
			depth--;
		} else if (err && err != ERR_NOTFOUND) {
			found = ACL_BODY_UNCLEAR;
		}
		while (depth > 0) {
			err = sip_multipart_next(&level[depth - 1], &part);
			if (!err)
				break;
			if (err != ERR_NOTFOUND)
				found = ACL_BODY_UNCLEAR;
			depth--;
		}
		if (depth == 0)
			return found;
		if (part.type.len == 0)
			part.type = slice_str("text/plain");
		if (is_type(part.type, pattern))
			return ACL_BODY_FOUND;
		err = sip_multipart_open(part.type, part.body, &level[depth]);
	}
}

static enum acl_body has_body(const void *ctx, struct slice pattern)
{
	const struct sip_msg *m = ctx;
	struct slice type = sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
	struct slice body = m->body;

	if (m->package.len > 0) {
		type = m->package_type;
		body = m->package;
	}
	if (body.len == 0)
		return ACL_BODY_NONE;
	return is_type(type, pattern) ? ACL_BODY_FOUND
				      : find_part(type, body, pattern);
}

void gate_facts(const struct sip_msg *m, const struct addr *source,
		struct slice user, struct gate_facts *ret)
{
	struct acl_query *q = &ret->request.query;

	*ret = (struct gate_facts){
		.msg = m,
		.request = {.is_in_dialog = m->to_tag.len > 0,
			    .is_presence = has_package(m, "presence"),
			    .has_replaces = has_replaces(m)}};
	*q = (struct acl_query){.source = *source,
				.has_header = has_header,
				.has_body = has_body,
				.ctx = m};
	q->value[ACL_PRINCIPAL] = user;
	q->value[ACL_METHOD] = m->method_name;
	q->value[ACL_EVENT] = package_of(sip_msg_value(m, SIP_HDR_EVENT));
	q->value[ACL_FROM] = party_of(m->from, ret->from);
	q->value[ACL_TO] = party_of(m->ruri, ret->to);
}

/* ---- calling rights ------------------------------------------------------ */

static struct slice side_of(const struct config *c, struct slice number)
{
	return slice_str(config_is_inside(c, number) ? "inside" : "outside");
}

static void put_rule(struct writer *rule, const struct config_rules *r, int n)
{
	writer_str(rule, "calling-rights \"");
	writer_str(rule, r->name);
	writer_str(rule, n == ACL_NO_RULE ? "\" default" : "\" rule ");
	if (n != ACL_NO_RULE)
		writer_dec(rule, (uint64_t)n + 1);
}

static enum gate_answer cannot(struct writer *rule,
			       const struct config_rules *r, const char *why)
{
	writer_str(rule, "calling-rights \"");
	writer_str(rule, r->name);
	writer_str(rule, "\": ");
	writer_str(rule, why);
	return GATE_RIGHTS;
}

static enum gate_answer unreadable(struct writer *rule,
				   const struct config_rules *r)
{
	return cannot(rule, r, "a number cannot be read");
}

struct act {
	const char *name;
	struct slice from, from_side, to;
};

static enum gate_answer judge_act(const struct config *c,
				  const struct config_rules *r,
				  const struct act *a, struct writer *rule)
{
	struct acl_query q = {.source.family = ADDR_NONE};
	int n;

	q.value[ACL_METHOD] = slice_str(a->name);
	q.value[ACL_FROM] = a->from;
	q.value[ACL_FROM_SIDE] = a->from_side;
	q.value[ACL_TO] = a->to;
	q.value[ACL_TO_SIDE] = side_of(c, a->to);
	if (acl_eval(r->acl, &q, &n) == ACL_ALLOW)
		return GATE_OPEN;
	put_rule(rule, r, n);
	return GATE_RIGHTS;
}

/* Whoever comes by a trunk is outside, whatever number he gives. */
static struct slice caller_side(const struct gate_party *p)
{
	return slice_str(p->device ? "inside" : "outside");
}

static enum gate_answer judge_call(const struct config *c,
				   const struct gate_party *p,
				   const struct sip_msg *m, struct writer *rule)
{
	char from[GATE_NUMBER_MAX], to[GATE_NUMBER_MAX];
	struct act a = {.name = "call", .from_side = caller_side(p)};

	if (number_in(m->from, from, &a.from) != 0 ||
	    number_of(m->ruri, to, &a.to) != 0)
		return unreadable(rule, p->rights);
	return judge_act(c, p->rights, &a, rule);
}

/* Who is handed over: inside a call the far party, outside of one whom the
 * request is sent to. */
static int transferred(const struct gate_party *p, const struct sip_msg *m,
		       char *buf, struct slice *ret)
{
	if (p->far.len > 0)
		return number_in(p->far, buf, ret);
	/* In a dialog nobody knows, which is refused later. */
	if (m->to_tag.len > 0)
		return number_in(m->to, buf, ret);
	return number_of(m->ruri, buf, ret);
}

/*
 * Whom one speaks with is who the dialog says, whatever number stands beside it;
 * *ret_is_contact: that is the Contact of the dialog, which is nobody's number.
 * Of several, for whoever reads the last, each.
 */
static enum gate_answer judge_replaced(const struct config *c,
				       const struct gate_party *p,
				       const struct act *from, struct slice uri,
				       bool *ret_is_contact,
				       struct writer *rule)
{
	struct sip_uri u = {.port = 0};
	struct slice user = sip_uri_parse(uri, &u) == 0 ? u.user : SLICE_NULL;
	enum gate_answer answer = GATE_OPEN;
	struct dialog_id_named n;
	struct act a = *from;
	char to[GATE_NUMBER_MAX];
	size_t pos = 0;

	*ret_is_contact = false;
	while (answer == GATE_OPEN && dialog_id_next_uri(uri, &pos, &n)) {
		struct slice far, contact;

		if (n.ids.call_id.len == 0 || !p->dialogs ||
		    !p->dialogs->far(p->dialogs->ctx, &n.ids, &far, &contact))
			return cannot(rule, p->rights,
				      "names a dialog that is not known");
		if (number_of(far, to, &a.to) != 0 || a.from_side.len == 0)
			return unreadable(rule, p->rights);
		*ret_is_contact |= user.len > 0 && slice_eq(user, contact);
		answer = judge_act(c, p->rights, &a, rule);
	}
	return answer;
}

/* Where one value of Refer-To leads. */
static enum gate_answer judge_target(const struct config *c,
				     const struct gate_party *p,
				     const struct act *from, struct slice value,
				     struct writer *rule)
{
	char to[GATE_NUMBER_MAX];
	struct sip_nameaddr na;
	struct act a = *from;
	enum gate_answer answer;
	bool is_contact;
	int err;

	if (sip_nameaddr_parse(value, &na) != 0)
		return unreadable(rule, p->rights);
	answer = judge_replaced(c, p, from, na.uri, &is_contact, rule);
	if (answer != GATE_OPEN || is_contact)
		return answer;
	err = number_of(na.uri, to, &a.to);
	if (err == ERR_NOTFOUND) /* cid: of a body, urn: of a service */
		return GATE_OPEN;
	return err || a.from_side.len == 0 ? unreadable(rule, p->rights)
					   : judge_act(c, p->rights, &a, rule);
}

/* Several Refer-To are several transfers for whoever reads the last. */
static enum gate_answer judge_transfer(const struct config *c,
				       const struct gate_party *p,
				       const struct sip_msg *m,
				       struct writer *rule)
{
	char from[GATE_NUMBER_MAX];
	struct act a = {.name = "transfer"};
	enum gate_answer answer = GATE_OPEN;

	if (transferred(p, m, from, &a.from) == 0)
		a.from_side = side_of(c, a.from);
	for (size_t i = 0; i < m->hdr_count && answer == GATE_OPEN; i++)
		if (m->hdr[i].id == SIP_HDR_REFER_TO)
			answer = judge_target(c, p, &a, m->hdr[i].value, rule);
	return answer;
}

/* ---- transfers by remotecc -------------------------------------------------- */

enum { REMOTECC_CALLS_MAX = 8 };

/* The calls that a remotecc request names, by who is at the other end. */
struct named_calls {
	struct slice uri[REMOTECC_CALLS_MAX]; /* empty: not known */
	bool is_target[REMOTECC_CALLS_MAX];
	uint32_t count;
	bool is_too_many;
};

/* What connects calls, too, but keeps the phone in them. */
static bool keeps_phone(struct slice event)
{
	static const char *const names[] = {"Conference", "Join", "Select"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eqs(event, names[i]))
			return true;
	return false;
}

/* Are all the keys in it of that kind? A body without any is not. */
static bool all_keep_phone(struct slice xml)
{
	struct slice event;
	size_t pos = 0;
	bool is_any = false;

	while (dialog_id_next_text(xml, &pos, "softkeyevent", &event)) {
		is_any = true;
		if (!keeps_phone(event))
			return false;
	}
	return is_any;
}

static void find_calls(const struct gate_party *p, struct slice xml,
		       struct named_calls *ret)
{
	struct dialog_id_named n;
	struct slice contact;
	size_t pos = 0;

	ret->count = 0;
	ret->is_too_many = false;
	while (dialog_id_next_xml(xml, &pos, &n)) {
		if (ret->count == REMOTECC_CALLS_MAX) {
			ret->is_too_many = true;
			return;
		}
		ret->is_target[ret->count] =
			text_ieqs(n.outer, "consultdialogid");
		if (!p->dialogs ||
		    !p->dialogs->far(p->dialogs->ctx, &n.ids,
				     &ret->uri[ret->count], &contact))
			ret->uri[ret->count] = SLICE_NULL;
		ret->count++;
	}
}

/* From whom call i of n leads, to whom call k does. */
static enum gate_answer judge_pair(const struct config *c,
				   const struct gate_party *p,
				   const struct named_calls *n, uint32_t i,
				   uint32_t k, struct writer *rule)
{
	char from[GATE_NUMBER_MAX], to[GATE_NUMBER_MAX];
	struct act a = {.name = "transfer"};

	if (number_of(n->uri[i], from, &a.from) != 0 ||
	    number_of(n->uri[k], to, &a.to) != 0)
		return unreadable(rule, p->rights);
	a.from_side = side_of(c, a.from);
	return judge_act(c, p->rights, &a, rule);
}

static enum gate_answer judge_remotecc(const struct config *c,
				       const struct gate_party *p,
				       struct slice xml, struct writer *rule)
{
	enum gate_answer answer = GATE_OPEN;
	struct named_calls n;

	if (all_keep_phone(xml))
		return GATE_OPEN;
	find_calls(p, xml, &n);
	if (n.is_too_many)
		return unreadable(rule, p->rights);
	for (uint32_t i = 0; i < n.count; i++)
		for (uint32_t k = 0; answer == GATE_OPEN && k < n.count; k++)
			if (!n.is_target[i] && n.is_target[k])
				answer = judge_pair(c, p, &n, i, k, rule);
	return answer;
}

/* The body of m, or each part of it. */
static enum gate_answer judge_bodies(const struct config *c,
				     const struct gate_party *p,
				     const struct sip_msg *m,
				     struct writer *rule)
{
	static const char remotecc[] =
		"application/x-cisco-remotecc-request+xml";
	struct slice type = m->package.len > 0
				    ? m->package_type
				    : sip_msg_value(m, SIP_HDR_CONTENT_TYPE);
	enum gate_answer answer = GATE_OPEN;
	struct sip_multipart parts;
	struct sip_part part;

	if (sip_type_is(type, remotecc))
		return judge_remotecc(c, p, sip_msg_entity(m), rule);
	if (sip_multipart_open(type, sip_msg_entity(m), &parts) != 0)
		return GATE_OPEN;
	while (answer == GATE_OPEN && sip_multipart_next(&parts, &part) == 0)
		if (sip_type_is(part.type, remotecc))
			answer = judge_remotecc(c, p, part.body, rule);
	return answer;
}

/* ---- forwards ---------------------------------------------------------------- */

/* Has d, who forwarded, the right to? */
static enum gate_answer judge_diverted(const struct config *c,
				       const struct config_device *d,
				       const struct sip_msg *m,
				       struct writer *rule)
{
	char from[GATE_NUMBER_MAX], to[GATE_NUMBER_MAX];
	struct act a = {.name = "forward"};

	if (number_in(m->from, from, &a.from) != 0 ||
	    number_of(m->ruri, to, &a.to) != 0)
		return unreadable(rule, d->rights);
	a.from_side = side_of(c, a.from);
	return judge_act(c, d->rights, &a, rule);
}

/* The device whose line this value names, if it has rights. */
static const struct config_device *diverter(const struct config *c,
					    struct slice value)
{
	char buf[GATE_NUMBER_MAX];
	const struct config_device *d;
	struct slice number;

	if (number_in(value, buf, &number) != 0)
		return NULL;
	d = config_device_by_line(c, number);
	return d && d->rights ? d : NULL;
}

/* Who forwarded last: the first Diversion, or the History-Info before the
 * last, which is where the call goes now. */
static const struct config_device *last_diverter(const struct config *c,
						 const struct sip_msg *m)
{
	struct slice before = SLICE_NULL;
	struct slice last = SLICE_NULL;
	struct slice item;

	for (size_t i = 0; i < m->hdr_count; i++) {
		struct slice value = m->hdr[i].value;

		if (text_ieqs(m->hdr[i].name, "Diversion") &&
		    text_next(&value, ',', &item))
			return diverter(c, item);
		if (!text_ieqs(m->hdr[i].name, "History-Info"))
			continue;
		while (text_next(&value, ',', &item)) {
			before = last;
			last = item;
		}
	}
	return before.len > 0 ? diverter(c, before) : NULL;
}

enum gate_answer gate_forwarded(const struct config *c, const struct sip_msg *m,
				struct writer *rule,
				const struct config_device **ret_device)
{
	const struct config_device *d = NULL;
	enum gate_answer answer;

	if (m->method == SIP_METHOD_INVITE && m->to_tag.len == 0)
		d = last_diverter(c, m);
	if (!d)
		return GATE_OPEN;
	answer = judge_diverted(c, d, m, rule);
	if (answer != GATE_OPEN && ret_device)
		*ret_device = d;
	return answer;
}

enum gate_answer gate_response(const struct config *c,
			       const struct gate_party *p,
			       const struct sip_msg *m, struct writer *rule)
{
	char from[GATE_NUMBER_MAX], to[GATE_NUMBER_MAX];
	struct act a = {.name = "forward"};
	enum gate_answer answer = GATE_OPEN;
	struct slice contact;
	size_t pos = 0;

	if (m->is_request || m->status < 300 || m->status > 399 ||
	    m->method != SIP_METHOD_INVITE || !p->rights)
		return GATE_OPEN;
	if (number_in(p->far.len > 0 ? p->far : m->from, from, &a.from) != 0)
		return unreadable(rule, p->rights);
	a.from_side = side_of(c, a.from);
	while (answer == GATE_OPEN &&
	       sip_msg_next(m, SIP_HDR_CONTACT, &pos, &contact)) {
		int err = number_in(contact, to, &a.to);

		if (err != ERR_NOTFOUND)
			answer = err ? unreadable(rule, p->rights)
				     : judge_act(c, p->rights, &a, rule);
	}
	return answer;
}

/* ---- presence groups ------------------------------------------------------ */

static enum gate_answer judge_watched(const struct config *c,
				      const struct gate_party *p,
				      struct slice uri, struct writer *rule)
{
	const struct config_device *d;
	char buf[GATE_NUMBER_MAX];
	struct slice number;
	const char *why;

	if (number_of(uri, buf, &number) != 0) {
		writer_str(rule, "presence groups: nobody can tell who is "
				 "watched");
		return GATE_PRESENCE;
	}
	d = config_device_by_line(c, number);
	/* One's own state, also of a line that several share. */
	if (p->device &&
	    (d == p->device || config_device_has_line(p->device, number)))
		return GATE_OPEN;
	if (config_presence_allows(c, p->presence_group,
				   d ? d->presence_group : "default", &why))
		return GATE_OPEN;
	writer_str(rule, "presence-group \"");
	writer_str(rule, p->presence_group);
	writer_str(rule, "\" watches \"");
	writer_str(rule, d ? d->presence_group : "default");
	writer_str(rule, "\": ");
	writer_str(rule, why);
	return GATE_PRESENCE;
}

static enum gate_answer judge_presence(const struct config *c,
				       const struct gate_party *p,
				       const struct sip_msg *m,
				       struct writer *rule)
{
	/* Inside a dialog the URI is a Contact of ours; the list may be new. */
	enum gate_answer answer = m->to_tag.len > 0
					  ? GATE_OPEN
					  : judge_watched(c, p, m->ruri, rule);
	struct gate_list list;
	struct slice uri;

	gate_list_init(&list, m);
	for (int n = 0; answer == GATE_OPEN && gate_list_next(&list, &uri); n++)
		answer = judge_watched(
			c, p, n < GATE_ENTRIES_MAX ? uri : SLICE_NULL, rule);
	return answer;
}

enum gate_answer gate_request(const struct config *c,
			      const struct gate_party *p,
			      const struct sip_msg *m, struct writer *rule)
{
	bool is_new = m->to_tag.len == 0;

	if (m->method == SIP_METHOD_SUBSCRIBE &&
	    (has_package(m, "presence") || has_package(m, "dialog")))
		return judge_presence(c, p, m, rule);
	if (m->method == SIP_METHOD_INVITE && is_new && p->rights)
		return judge_call(c, p, m, rule);
	if (m->method == SIP_METHOD_REFER && p->rights) {
		enum gate_answer answer = judge_transfer(c, p, m, rule);

		return answer == GATE_OPEN ? judge_bodies(c, p, m, rule)
					   : answer;
	}
	return GATE_OPEN;
}

/* ---- trunks ------------------------------------------------------------------ */

static const struct config_application *
application_of(const struct config *c, const struct gate_trunk *g)
{
	if (g->cred != AUTHZ_CRED_GOOD || !g->trunk->profile->per_application)
		return NULL;
	return config_application_find(c, g->user);
}

struct authz_verdict gate_trunk(const struct config *c,
				const struct gate_trunk *g,
				const struct sip_msg *m)
{
	const struct config_application *app = application_of(c, g);
	struct authz_case ac = {
		.trunk = &g->trunk->profile->list,
		.digest = g->digest,
		.per_application =
			g->digest && g->trunk->profile->per_application,
		.cred = g->cred,
		.application = app ? &app->list : NULL,
	};
	struct gate_facts f;

	gate_facts(m, &g->source, g->user, &f);
	return authz_decide(&ac, &f.request);
}

struct gate_party gate_trunk_party(const struct config *c,
				   const struct gate_trunk *g)
{
	const struct config_application *app = application_of(c, g);
	struct gate_party p = {.presence_group = g->trunk->presence_group,
			       .rights = g->trunk->rights};

	if (app && app->presence_group[0])
		p.presence_group = app->presence_group;
	return p;
}
