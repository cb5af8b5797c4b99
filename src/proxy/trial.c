#include "proxy/trial.h"

#include "base/alloc.h"
#include "base/text.h"
#include "proxy/gate.h"
#include "proxy/pipeline.h"

enum { MESSAGE_MAX = 8192 };

static const char test_body[] = "test";

static int bad(char *reterr, const char *what, const char *name)
{
	struct writer w;

	writer_init(&w, reterr, TRIAL_TEXT_MAX - 1);
	writer_str(&w, what);
	writer_put(&w, slice_sub(slice_str(name), 0, CONFIG_NAME_MAX));
	reterr[w.len] = '\0';
	return ERR_BAD;
}

/* ---- the message --------------------------------------------------------- */

/* A number, user@host or URI as a URI. */
static void put_uri(struct writer *w, const char *text)
{
	struct slice s = slice_str(text);

	writer_str(w, text_cut(s, ':', NULL, NULL) ? "" : "sip:");
	writer_put(w, s);
	writer_str(w,
		   text_cut(s, ':', NULL, NULL) || text_cut(s, '@', NULL, NULL)
			   ? ""
			   : "@localhost");
}

static void put_line(struct writer *w, const char *name, const char *value)
{
	if (!value)
		return;
	writer_str(w, name);
	writer_str(w, ": ");
	writer_str(w, value);
	writer_str(w, "\r\n");
}

static void put_refer_to(struct writer *w, const struct trial *t)
{
	const char *target = t->refer_to ? t->refer_to : t->to;

	writer_str(w, "Refer-To: <");
	put_uri(w, target ? target : "nobody");
	if (t->has_replaces)
		writer_str(w, "?Replaces=test%3Bto-tag%3Da%3Bfrom-tag%3Db");
	writer_str(w, ">\r\n");
}

static void put_rest(struct writer *w, const struct trial *t,
		     const char *method)
{
	bool is_refer = strcmp(method, "REFER") == 0;

	writer_str(w, "Call-ID: test\r\nCSeq: 1 ");
	writer_str(w, method);
	writer_str(w, "\r\n");
	put_line(w, "Event", t->event);
	if (is_refer)
		put_refer_to(w, t);
	else if (t->has_replaces)
		put_line(w, "Replaces", "test;to-tag=a;from-tag=b");
	if (t->forward) {
		writer_str(w, "Contact: <");
		put_uri(w, t->forward);
		writer_str(w, ">\r\n");
	}
	if (t->header) {
		writer_str(w, t->header);
		writer_str(w, "\r\n");
	}
	put_line(w, "Content-Type", t->body);
	writer_str(w, "Content-Length: ");
	writer_dec(w, t->body ? strlen(test_body) : 0);
	writer_str(w, "\r\n\r\n");
	writer_str(w, t->body ? test_body : "");
}

/* Where nobody is named, the first line of the device speaks. */
static const char *speaker(const struct trial *t, const struct config_device *d)
{
	if (t->from)
		return t->from;
	return d && !t->forward && d->lines.count > 0 ? d->lines.item[0]
						      : "nobody";
}

static struct slice write_message(const struct trial *t,
				  const struct config_device *d, uint8_t *buf)
{
	const char *method = t->forward ? "INVITE" : t->method;
	const char *to = t->to ? t->to : "nobody";
	struct writer w;

	writer_init(&w, buf, MESSAGE_MAX);
	if (t->forward) {
		writer_str(&w, "SIP/2.0 302 Moved Temporarily\r\n");
	} else {
		writer_str(&w, method);
		writer_str(&w, " ");
		put_uri(&w, to);
		writer_str(&w, " SIP/2.0\r\nMax-Forwards: 70\r\n");
	}
	writer_str(&w, "Via: SIP/2.0/UDP localhost;branch=z9hG4bKtest\r\n"
		       "From: <");
	put_uri(&w, speaker(t, d));
	writer_str(&w, ">;tag=f\r\nTo: <");
	put_uri(&w, to);
	writer_str(&w, t->is_in_dialog || t->forward ? ">;tag=t\r\n" : ">\r\n");
	put_rest(&w, t, method);
	return writer_slice(&w);
}

/* ---- the answer ------------------------------------------------------------ */

static void answer(struct trial_answer *ret, unsigned status, const char *rule)
{
	struct writer w;

	writer_init(&w, ret->rule, sizeof(ret->rule) - 1);
	writer_str(&w, rule);
	ret->rule[w.len] = '\0';
	ret->status = status;
}

/* Presence groups and calling rights come last; rule, if it is not empty, is
 * what decided before. */
static void ask_party(const struct config *c, const struct gate_party *p,
		      const struct sip_msg *m, const char *rule,
		      struct trial_answer *ret)
{
	struct writer w;
	enum gate_answer a;

	writer_init(&w, ret->rule, sizeof(ret->rule) - 1);
	a = m->is_request ? gate_request(c, p, m, &w)
			  : gate_response(c, p, m, &w);
	if (a == GATE_OPEN)
		writer_str(&w, rule);
	ret->rule[w.len] = '\0';
	ret->status = a == GATE_OPEN ? 0 : 403;
}

static void ask_device(const struct config *c, const struct config_device *d,
		       const struct trial *t, const struct unit *u,
		       struct trial_answer *ret)
{
	struct gate_party party = {.device = d,
				   .rights = d->rights,
				   .presence_group = d->presence_group};
	bool is_request = u->msg.is_request;

	if (is_request && d->digest && !t->user)
		answer(ret, 401, "digest: no valid credentials");
	else if (is_request && d->digest &&
		 strcmp(t->user, d->digest_user) != 0)
		answer(ret, 401, "digest: not the digest-user of the device");
	else if (is_request && ingress_authz(u) != STOP_NONE)
		answer(ret, 403, "lines: not one of the device");
	else
		ask_party(c, &party, &u->msg, "nothing objects", ret);
}

static void ask_trunk(const struct config *c, const struct config_trunk *k,
		      const struct trial *t, const struct addr *source,
		      const struct sip_msg *m, struct trial_answer *ret)
{
	struct gate_trunk g = {
		.trunk = k,
		.digest = k->profile->digest,
		.cred = t->user ? AUTHZ_CRED_GOOD : AUTHZ_CRED_NONE,
		.user = t->user ? slice_str(t->user) : SLICE_NULL,
		.source = *source,
	};
	struct gate_party party = gate_trunk_party(c, &g);
	char rule[TRIAL_TEXT_MAX];
	struct authz_verdict v;
	struct writer w;

	writer_init(&w, rule, sizeof(rule) - 1);
	v = gate_trunk(c, &g, m);
	authz_verdict_print(&w, &v);
	rule[w.len] = '\0';
	switch (v.result) {
	case AUTHZ_ALLOW:
		ask_party(c, &party, m, rule, ret);
		break;
	case AUTHZ_FORBID:
		answer(ret, 403, rule);
		break;
	case AUTHZ_CHALLENGE:
	case AUTHZ_CHECK:
		answer(ret, 401, rule);
		break;
	}
}

static int run(const struct config *c, const struct trial *t, struct unit *u,
	       uint8_t *buf, struct trial_answer *ret, char *reterr)
{
	const struct config_trunk *k = NULL;
	const struct config_device *d = NULL;
	struct addr source = {.family = ADDR_NONE};
	struct sip_reject why = {400, ""};
	struct slice text;

	if (!t->trunk == !t->device)
		return bad(reterr, "either a trunk or a device must be given",
			   "");
	if (t->trunk && !(k = config_trunk_find(c, slice_str(t->trunk))))
		return bad(reterr, "no such trunk: ", t->trunk);
	if (t->device && !(d = config_device_find(c, slice_str(t->device))))
		return bad(reterr, "no such device: ", t->device);
	if (!t->method == !t->forward)
		return bad(reterr, "either a method or a forward must be given",
			   "");
	if (t->source && addr_parse_ip(slice_str(t->source), &source) != 0)
		return bad(reterr, "no address: ", t->source);
	text = write_message(t, d, buf);
	if (text.len == 0 || sip_msg_parse(buf, text.len, &u->msg, &why) != 0)
		return bad(reterr, "such a message is no SIP: ", why.reason);
	u->device = d;
	if (d)
		ask_device(c, d, t, u, ret);
	else
		ask_trunk(c, k, t, &source, &u->msg, ret);
	return 0;
}

int trial_run(const struct config *c, const struct trial *t,
	      struct trial_answer *ret, char *reterr)
{
	struct unit *u = alloc_zero(sizeof(*u));
	uint8_t *buf = alloc_zero(MESSAGE_MAX);
	int err = u && buf ? run(c, t, u, buf, ret, reterr) : ERR_NOMEM;

	alloc_free(u);
	alloc_free(buf);
	return err;
}
