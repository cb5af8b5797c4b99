#include "rewrite/hdr_rule.h"

#include "base/text.h"
#include "rewrite/dialog_id.h"
#include "rewrite/hosts.h"
#include "sip/hdr.h"
#include "sip/print.h"
#include "sip/uri.h"

enum rule {
	RULE_PASS,
	RULE_DROP,	/* ours to write, or of one hop only */
	RULE_AUTH,	/* passes when the call manager does the challenging */
	RULE_MAP,	/* hosts in its addresses are replaced */
	RULE_IDENTITY,	/* the same; from outside only if it names the sender,
			   or is trusted */
	RULE_INSIDE,	/* never shown to a phone */
	RULE_OPTIONS,	/* option tags that need our help are taken out */
	RULE_ALLOW,	/* methods that we do not relay are taken out */
	RULE_AGENT,	/* software names: inside ones are ours to say */
	RULE_WARNING,	/* its agent is a host name */
	RULE_EVENT,	/* ids differ on each side */
	RULE_DIALOG,	/* names a dialog */
	RULE_REFER_TO,	/* a URI that may name one */
	RULE_CALL_INFO, /* the security state is ours to say */
	RULE_BODY	/* describes the body: goes with it */
};

/* By id; ids without a row pass. */
static const uint8_t rule_of_id[SIP_HDR_COUNT] = {
	[SIP_HDR_ALLOW] = RULE_ALLOW,
	[SIP_HDR_AUTHORIZATION] = RULE_AUTH,
	[SIP_HDR_CALL_ID] = RULE_DROP,
	[SIP_HDR_CALL_INFO] = RULE_CALL_INFO,
	[SIP_HDR_CONTACT] = RULE_DROP,
	[SIP_HDR_CONTENT_LENGTH] = RULE_DROP,
	[SIP_HDR_CONTENT_TYPE] = RULE_DROP,
	[SIP_HDR_CSEQ] = RULE_DROP,
	[SIP_HDR_EVENT] = RULE_EVENT,
	[SIP_HDR_EXPIRES] = RULE_PASS,
	[SIP_HDR_FROM] = RULE_DROP,
	[SIP_HDR_MAX_FORWARDS] = RULE_DROP,
	[SIP_HDR_PATH] = RULE_DROP,
	[SIP_HDR_PROXY_AUTHENTICATE] = RULE_AUTH,
	[SIP_HDR_PROXY_AUTHORIZATION] = RULE_AUTH,
	[SIP_HDR_PROXY_REQUIRE] = RULE_DROP,
	[SIP_HDR_RACK] = RULE_DROP,
	[SIP_HDR_RECORD_ROUTE] = RULE_DROP,
	[SIP_HDR_REFER_TO] = RULE_REFER_TO,
	[SIP_HDR_REPLACES] = RULE_DIALOG,
	[SIP_HDR_REQUIRE] = RULE_OPTIONS,
	[SIP_HDR_ROUTE] = RULE_DROP,
	[SIP_HDR_RSEQ] = RULE_DROP,
	[SIP_HDR_SERVICE_ROUTE] = RULE_DROP,
	[SIP_HDR_SESSION_EXPIRES] = RULE_DROP,
	[SIP_HDR_SUPPORTED] = RULE_OPTIONS,
	[SIP_HDR_TO] = RULE_DROP,
	[SIP_HDR_UNSUPPORTED] = RULE_DROP,
	[SIP_HDR_USER_AGENT] = RULE_AGENT,
	[SIP_HDR_SERVER] = RULE_AGENT,
	[SIP_HDR_VIA] = RULE_DROP,
	[SIP_HDR_WARNING] = RULE_WARNING,
	[SIP_HDR_WWW_AUTHENTICATE] = RULE_AUTH,
};

struct named_rule {
	const char *name;
	enum rule rule;
};

/* Headers without an id; names without a row pass. */
static const struct named_rule rule_of_name[] = {
	{"Alert-Info", RULE_MAP},
	{"Authentication-Info", RULE_AUTH},
	{"Content-Disposition", RULE_BODY},
	{"Content-Encoding", RULE_BODY},
	{"Content-Language", RULE_BODY},
	{"Diversion", RULE_MAP},
	{"Error-Info", RULE_MAP},
	{"Flow-Timer", RULE_DROP},
	{"History-Info", RULE_MAP},
	{"In-Reply-To", RULE_DROP},
	{"Join", RULE_DIALOG},
	{"Max-Breadth", RULE_DROP},
	{"MIME-Version", RULE_BODY},
	{"Min-SE", RULE_DROP},
	{"P-Asserted-Identity", RULE_IDENTITY},
	{"P-Charging-Function-Addresses", RULE_INSIDE},
	{"P-Charging-Vector", RULE_INSIDE},
	{"P-Preferred-Identity", RULE_IDENTITY},
	{"P-Served-User", RULE_IDENTITY},
	{"Proxy-Authentication-Info", RULE_AUTH},
	{"Referred-By", RULE_MAP},
	{"b", RULE_MAP},  /* compact Referred-By */
	{"e", RULE_BODY}, /* compact Content-Encoding */
	{"Remote-Party-ID", RULE_IDENTITY},
	{"Security-Client", RULE_DROP},
	{"Security-Server", RULE_DROP},
	{"Security-Verify", RULE_DROP},
	{"Target-Dialog", RULE_DIALOG},
	{"x", RULE_DROP}, /* compact Session-Expires */
};

/* Option tags that promise something of the hop to us: what we do of it
 * (reliable provisionals, session timers), the call machine says itself. */
static const char *const hop_option[] = {"100rel",	"timer", "path",
					 "outbound",	"gruu",	 "sec-agree",
					 "precondition"};

static const char *const relayed_method[] = {
	"INVITE", "ACK",      "CANCEL",	   "BYE",     "OPTIONS",
	"INFO",	  "PRACK",    "UPDATE",	   "MESSAGE", "NOTIFY",
	"REFER",  "REGISTER", "SUBSCRIBE", "PUBLISH"};

static enum rule find_rule(const struct sip_hdr *h)
{
	if (h->id != SIP_HDR_OTHER)
		return (enum rule)rule_of_id[h->id];
	for (size_t i = 0; i < sizeof(rule_of_name) / sizeof(rule_of_name[0]);
	     i++)
		if (text_ieqs(h->name, rule_of_name[i].name))
			return rule_of_name[i].rule;
	return RULE_PASS;
}

static bool in_list(struct slice tag, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text_ieqs(tag, list[i]))
			return true;
	return false;
}

/* "Name: " once, ", " between values. */
static void begin_item(struct writer *w, const struct sip_hdr *h, bool *first)
{
	if (*first) {
		writer_put(w, h->name);
		writer_str(w, ": ");
	} else {
		writer_str(w, ", ");
	}
	*first = false;
}

static void end_items(struct writer *w, bool first)
{
	if (!first)
		writer_str(w, "\r\n");
}

static void copy_options(struct writer *w, const struct sip_hdr *h)
{
	struct slice list = h->value;
	struct slice tag;
	bool first = true;

	while (text_next(&list, ',', &tag)) {
		if (tag.len == 0 ||
		    in_list(tag, hop_option,
			    sizeof(hop_option) / sizeof(hop_option[0])))
			continue;
		begin_item(w, h, &first);
		writer_put(w, tag);
	}
	end_items(w, first);
}

static void copy_allow(struct writer *w, const struct sip_hdr *h)
{
	struct slice list = h->value;
	struct slice tag;
	bool first = true;

	while (text_next(&list, ',', &tag)) {
		if (!in_list(tag, relayed_method,
			     sizeof(relayed_method) /
				     sizeof(relayed_method[0])))
			continue;
		begin_item(w, h, &first);
		writer_put(w, tag);
	}
	end_items(w, first);
}

static void copy_map(struct writer *w, const struct sip_hdr *h,
		     const struct sip_out_map *map)
{
	struct slice list = h->value;
	struct slice item;
	bool first = true;

	while (text_next(&list, ',', &item)) {
		if (item.len == 0)
			continue;
		begin_item(w, h, &first);
		sip_out_addr(w, item, map);
	}
	end_items(w, first);
}

static bool user_of(struct slice value, struct slice *ret)
{
	struct sip_nameaddr na;
	struct sip_uri u;

	if (sip_nameaddr_parse(value, &na) != 0 ||
	    sip_uri_parse(na.uri, &u) != 0)
		return false;
	*ret = u.user;
	return true;
}

/* RFC 3325 section 5 has untrusted assertions removed; From and To of a message
 * inside a dialog, or of a response, are the sender's claims like this one. */
static bool is_own_identity(const struct sip_out_rules *r, struct slice value)
{
	struct slice said;

	return r->identity.len > 0 && user_of(value, &said) &&
	       slice_eq(said, r->identity);
}

static void copy_identity(struct writer *w, const struct sip_hdr *h,
			  const struct sip_out_rules *r)
{
	if (r->to_phone || r->trusts_identity || is_own_identity(r, h->value))
		copy_map(w, h, &r->map);
}

/* Warning: code agent "text", ... (RFC 3261 section 20.43). */
static void copy_warning(struct writer *w, const struct sip_hdr *h,
			 const struct sip_out_rules *r)
{
	struct slice list = h->value;
	struct slice item;
	struct slice code;
	struct slice text;
	bool first = true;

	while (text_next(&list, ',', &item)) {
		text_cut(item, ' ', &code, &text);
		text_cut(text_trim(text), ' ', NULL, &text);
		if (item.len == 0)
			continue;
		begin_item(w, h, &first);
		writer_put(w, code);
		writer_str(w, " ");
		writer_put(w, r->agent.len > 0 && text_all_token(r->agent)
				      ? r->agent
				      : (struct slice)SLICE("sallyport"));
		writer_str(w, " ");
		hosts_copy(w, text, &r->map);
	}
	end_items(w, first);
}

static bool is_callinfo(struct slice value, struct slice *ret_params)
{
	struct sip_nameaddr na;

	if (sip_nameaddr_parse(value, &na) != 0 ||
	    !text_ieqs(na.uri, "urn:x-cisco-remotecc:callinfo"))
		return false;
	*ret_params = na.params;
	return true;
}

/* A parameter of the callinfo URN that we write ourselves when we show a
 * state: the peer's word about it does not count. */
static bool is_our_param(struct slice item, bool is_shown)
{
	struct slice name;

	text_cut(item, '=', &name, NULL);
	name = text_trim(name);
	return text_ieqs(name, "security") ||
	       (is_shown && text_ieqs(name, "orientation"));
}

static void print_callinfo(struct writer *w, struct slice params,
			   const struct sip_out_rules *r)
{
	struct slice item;

	writer_str(w, "Call-Info: <urn:x-cisco-remotecc:callinfo>");
	if (r->security)
		writer_str(w, r->orientation_from ? ";orientation=from"
						  : ";orientation=to");
	while (text_next(&params, ';', &item)) {
		if (item.len == 0 || is_our_param(item, r->security != NULL))
			continue;
		writer_str(w, ";");
		writer_put(w, item);
	}
	if (r->security) {
		writer_str(w, ";security=");
		writer_str(w, r->security);
	}
	writer_str(w, "\r\n");
}

/* True when one of the values was the callinfo URN. */
static bool copy_call_info(struct writer *w, const struct sip_hdr *h,
			   const struct sip_out_rules *r, bool is_done)
{
	struct slice list = h->value;
	struct slice item;
	struct slice params;

	while (text_next(&list, ',', &item)) {
		if (!is_callinfo(item, &params)) {
			writer_str(w, "Call-Info: ");
			hosts_copy(w, item, &r->map);
			writer_str(w, "\r\n");
			continue;
		}
		if (!is_done)
			print_callinfo(w, params, r);
		is_done = true;
	}
	return is_done;
}

/* Whatever it is, no address of the other side is in it. */
static void copy_text(struct writer *w, const struct sip_hdr *h,
		      const struct sip_out_map *map)
{
	writer_put(w, h->name);
	writer_str(w, ": ");
	hosts_copy(w, h->value, map);
	writer_str(w, "\r\n");
}

static void copy_named(struct writer *w, const struct sip_hdr *h,
		       const struct sip_out_rules *r,
		       void (*copy)(struct writer *w, struct slice value,
				    const struct sip_out_rules *r))
{
	writer_put(w, h->name);
	writer_str(w, ": ");
	copy(w, h->value, r);
	writer_str(w, "\r\n");
}

static void copy_event(struct writer *w, const struct sip_hdr *h,
		       const struct sip_out_rules *r)
{
	if (r->event.len > 0)
		sip_print_hdr(w, "Event", r->event);
	else
		copy_named(w, h, r, dialog_id_copy_event);
}

/* Where a 3xx leads is like where a REFER does: it may be a Contact of ours, or
 * name a dialog. Whose Contact it is takes a look at all calls, so the first ones
 * have to do. */
static void copy_redirect(struct writer *w, const struct sip_msg *m,
			  const struct sip_out_rules *r)
{
	struct slice value;
	size_t pos = 0;

	for (int i = 0; i < HDR_REDIRECTS_MAX &&
			sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value);
	     i++) {
		writer_str(w, "Contact: ");
		dialog_id_copy_refer_to(w, value, r);
		writer_str(w, "\r\n");
	}
}

static void copy_one(struct writer *w, const struct sip_hdr *h,
		     const struct sip_out_rules *r)
{
	switch (find_rule(h)) {
	case RULE_DROP:
	case RULE_CALL_INFO:
		return;
	case RULE_AUTH:
		if (r->pass_auth)
			break;
		return;
	case RULE_MAP:
		copy_map(w, h, &r->map);
		return;
	case RULE_IDENTITY:
		copy_identity(w, h, r);
		return;
	case RULE_INSIDE:
		if (!r->to_phone)
			break;
		return;
	case RULE_OPTIONS:
		copy_options(w, h);
		return;
	case RULE_ALLOW:
		copy_allow(w, h);
		return;
	case RULE_AGENT:
		if (!r->to_phone)
			break;
		return;
	case RULE_WARNING:
		copy_warning(w, h, r);
		return;
	case RULE_EVENT:
		copy_event(w, h, r);
		return;
	case RULE_DIALOG:
		copy_named(w, h, r, dialog_id_copy);
		return;
	case RULE_REFER_TO:
		copy_named(w, h, r, dialog_id_copy_refer_to);
		return;
	case RULE_BODY:
		if (r->has_body)
			break;
		return;
	case RULE_PASS:
		copy_text(w, h, &r->map);
		return;
	}
	sip_print_hdr_copy(w, h);
}

void hdr_rule_copy(struct writer *w, const struct sip_msg *m,
		   const struct sip_out_rules *r)
{
	bool is_shown = false;

	for (size_t i = 0; i < m->hdr_count; i++) {
		const struct sip_hdr *h = &m->hdr[i];

		copy_one(w, h, r);
		if (find_rule(h) == RULE_CALL_INFO)
			is_shown = copy_call_info(w, h, r, is_shown);
	}
	if (r->security && !is_shown)
		print_callinfo(w, SLICE_NULL, r);
	if (m->status >= 300 && m->status < 400)
		copy_redirect(w, m, r);
	if (r->to_phone && r->agent.len > 0)
		sip_print_hdr(w, m->is_request ? "User-Agent" : "Server",
			      r->agent);
}
