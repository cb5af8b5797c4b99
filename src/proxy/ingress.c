#include "authn/digest.h"
#include "base/text.h"
#include "proxy/pipeline.h"

struct slice ingress_user(struct slice value)
{
	struct sip_nameaddr na;
	struct sip_uri uri;

	if (sip_nameaddr_parse(value, &na) != 0 ||
	    sip_uri_parse(na.uri, &uri) != 0)
		return SLICE_NULL;
	return uri.user;
}

static struct slice auth_value(const struct sip_msg *m)
{
	return sip_msg_value(m, SIP_HDR_AUTHORIZATION);
}

/*
 * Who speaks? A connection with a certificate was bound to its device when it
 * came up. Without one it is the device whose digest user, or else whose
 * line, the request names; what it claims is proven by digest, or, for a
 * device without digest, believed as the configuration asks.
 */
static const struct config_device *find_device(const struct ingress *in,
					       const struct unit *u)
{
	struct slice line = ingress_user(u->msg.from);
	const struct config_device *d;
	struct sip_cred cred;

	if (u->conn && u->conn->device)
		return u->conn->device;
	if (sip_cred_parse(auth_value(&u->msg), &cred) == 0) {
		d = config_device_by_user(in->config, cred.username);
		for (; d; d = config_device_by_user_next(d))
			if (config_device_has_line(d, line))
				return d;
	}
	d = config_device_by_line(in->config, line);
	return d ? d : retirees_by_line(in->retirees, line);
}

/* A device whose mode asks for TLS may not come in without it, nor over a
 * weaker suite than its mode names. */
bool ingress_mode_allows(const struct config *c, const struct config_device *d,
			 enum sig_level sig)
{
	switch (config_device_mode(c, d)) {
	case CONFIG_DEVICE_NONSECURE:
		return true;
	case CONFIG_DEVICE_AUTHENTICATED:
		return sig != SIG_NONSECURE;
	case CONFIG_DEVICE_ENCRYPTED:
		return sig == SIG_ENCRYPTED;
	}
	return false;
}

static bool checks_uri(enum config_digest_uri rule, const struct unit *u)
{
	switch (rule) {
	case CONFIG_URI_AUTO:
		return u->sig == SIG_NONSECURE;
	case CONFIG_URI_MATCH:
		return true;
	case CONFIG_URI_ANY:
		break;
	}
	return false;
}

struct digest_scope ingress_scope(const struct ingress *in,
				  const struct unit *u)
{
	/* What whoever is nobody's is offered: as most devices. */
	static const struct config_words auth = {.item = {CONFIG_QOP_AUTH},
						 .count = 1};
	const struct config_device *d = u->device;
	struct digest_scope s = {.realm = slice_str(in->config->realm),
				 .digests =
					 config_device_digests(in->config, d),
				 .qop = d ? &d->qop : &auth,
				 .nonce = in->nonce};

	if (u->trunk) {
		s.realm = config_trunk_realm(u->trunk);
		s.digests = &u->trunk->profile->digests;
		s.qop = &u->trunk->profile->qop;
		s.nextnonce = u->trunk->profile->nextnonce;
		s.checks_uri = checks_uri(u->trunk->profile->digest_uri, u);
		s.nonce.realm = s.realm;
		s.nonce.lifetime_ms =
			u->trunk->profile->nonce_lifetime_min * 60000ULL;
	} else if (d) {
		s.nextnonce = d->nextnonce;
		s.checks_uri = checks_uri(d->digest_uri, u);
		s.user = slice_str(d->digest_user);
	}
	return s;
}

static bool is_offered(const struct config_digests *l, enum digest_alg alg)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (l->item[i] == alg)
			return true;
	return false;
}

/* None at all (RFC 2069) protects what auth does, and is replayed less. */
static bool is_qop_offered(const struct config_words *l, struct slice qop)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (text_ieqs(qop, config_qop_str(l->item[i])) ||
		    (qop.len == 0 && l->item[i] == CONFIG_QOP_AUTH))
			return true;
	return false;
}

/*
 * Is the URI of the credentials the request's own (RFC 7616 section 3.4.6)? We
 * are the first to get a request of a phone or peer, so that no proxy has
 * changed it (RFC 3261 section 22.4); and we go by the request-URI, not by
 * Route.
 */
static bool is_uri_right(const struct unit *u)
{
	struct sip_uri ours, theirs;

	if (sip_uri_parse(u->msg.ruri, &ours) != 0 ||
	    sip_uri_parse(u->cred.uri, &theirs) != 0)
		return slice_eq(u->msg.ruri, u->cred.uri);
	return sip_uri_is_same_party(&ours, &theirs);
}

bool ingress_find_cred(const struct ingress *in, const struct unit *u,
		       struct sip_cred *ret)
{
	struct slice realm = ingress_scope(in, u).realm;

	for (size_t i = 0; i < u->msg.hdr_count; i++)
		if (u->msg.hdr[i].id == SIP_HDR_AUTHORIZATION &&
		    sip_cred_parse(u->msg.hdr[i].value, ret) == 0 &&
		    slice_eq(ret->realm, realm))
			return true;
	return false;
}

enum authn_verdict ingress_judge_cred(const struct ingress *in, struct unit *u,
				      uint64_t now_ms)
{
	struct digest_scope scope = ingress_scope(in, u);
	struct sip_cred *cr = &u->cred;
	enum digest_alg alg;
	uint32_t nc;

	if (!ingress_find_cred(in, u, cr))
		return AUTHN_CHALLENGE;
	/* One that was not offered: it is told again what is. */
	if (digest_alg_find(cr->algorithm, &alg) != 0 ||
	    !is_offered(scope.digests, alg) ||
	    !is_qop_offered(scope.qop, cr->qop))
		return AUTHN_CHALLENGE;
	if (cr->username.len == 0 ||
	    (scope.user.len > 0 && !slice_eq(cr->username, scope.user)) ||
	    (cr->qop.len > 0 && nonce_count_parse(cr->nc, &nc) != 0))
		return AUTHN_WRONG;
	if (scope.checks_uri && !is_uri_right(u)) {
		u->why = "digest-uri: the credentials are for another "
			 "request-URI";
		return AUTHN_WRONG;
	}
	u->user = cr->username;
	switch (nonce_check(&scope.nonce, cr->nonce, now_ms, &u->nonce)) {
	case NONCE_OK:
		return AUTHN_OK;
	case NONCE_STALE:
		return AUTHN_STALE;
	case NONCE_FORGED:
		break;
	}
	return AUTHN_WRONG;
}

enum authn_verdict ingress_authn(const struct ingress *in, struct unit *u,
				 uint64_t now_ms, bool *ret_check,
				 enum pipeline_stop *ret_stop)
{
	enum authn_verdict v;

	*ret_check = false;
	u->device = find_device(in, u);
	if (!u->device ||
	    (u->msg.to_tag.len == 0 && retirees_has(in->retirees, u->device))) {
		*ret_stop = STOP_DEVICE;
		return AUTHN_REFUSE;
	}
	if (!ingress_mode_allows(in->config, u->device, u->sig)) {
		*ret_stop = STOP_MODE;
		return AUTHN_REFUSE;
	}
	/* A heartbeat that changes nothing is not worth a challenge, and
	 * phones do not answer one for it. */
	if (!u->device->digest || sip_is_keep_alive(&u->msg))
		return AUTHN_OK;
	v = ingress_judge_cred(in, u, now_ms);
	if (v == AUTHN_OK)
		*ret_check = true;
	return v;
}

enum authn_verdict ingress_authn_count(const struct ingress *in,
				       const struct unit *u, uint64_t now_ms)
{
	uint32_t nc = 1; /* without qop a nonce is good once */

	if (u->cred.qop.len > 0 && nonce_count_parse(u->cred.nc, &nc) != 0)
		return AUTHN_WRONG;
	switch (nonce_window_use(in->window, &u->nonce, nc, now_ms)) {
	case 0:
		return AUTHN_OK;
	case ERR_REPLAY:
		/* Without qop every further request is a "replay": the client
		 * did nothing wrong, it needs a fresh nonce. */
		return u->cred.qop.len > 0 ? AUTHN_WRONG : AUTHN_STALE;
	default:
		return AUTHN_STALE;
	}
}

bool ingress_wants_nonce(const struct ingress *in, const struct unit *u,
			 uint64_t now_ms)
{
	struct digest_scope s = ingress_scope(in, u);

	switch (s.nextnonce) {
	case CONFIG_NEXTNONCE_AUTO:
		/* Without qop a nonce is good once. */
		return u->cred.qop.len == 0 ||
		       now_ms - u->nonce.issued_ms >= s.nonce.lifetime_ms / 2;
	case CONFIG_NEXTNONCE_ALWAYS:
		return true;
	case CONFIG_NEXTNONCE_NEVER:
		break;
	}
	return false;
}

static bool owns(const struct config_device *d, struct slice user)
{
	return config_device_has_line(d, user) || text_ieqs(user, d->name);
}

enum pipeline_stop ingress_authz(const struct unit *u)
{
	const struct sip_msg *m = &u->msg;

	if (m->method == SIP_METHOD_REGISTER)
		return owns(u->device, ingress_user(m->to)) ? STOP_NONE
							    : STOP_LINE;
	/* Inside a dialog the call machine knows the connection and device
	 * that belong to it. */
	if (m->to_tag.len > 0 || owns(u->device, ingress_user(m->from)))
		return STOP_NONE;
	return STOP_LINE;
}

static const enum srtp_offer srtp_offer[] = {
	[CONFIG_OFFER_SAVP] = SRTP_OFFER_SAVP,
	[CONFIG_OFFER_OSRTP] = SRTP_OFFER_OSRTP,
	[CONFIG_OFFER_TWO_LINES] = SRTP_OFFER_TWO_LINES,
	[CONFIG_OFFER_CISCO_FALLBACK] = SRTP_OFFER_CISCO_FALLBACK,
};

static const enum multicast multicast[] = {
	[CONFIG_MULTICAST_RELAY] = MULTICAST_RELAY,
	[CONFIG_MULTICAST_CLEAR] = MULTICAST_CLEAR,
	[CONFIG_MULTICAST_NO] = MULTICAST_NO,
};

static const enum other_media other_media[] = {
	[CONFIG_OTHER_ENCRYPT] = OTHER_MEDIA_ENCRYPT,
	[CONFIG_OTHER_RELAY] = OTHER_MEDIA_RELAY,
	[CONFIG_OTHER_REJECT] = OTHER_MEDIA_REJECT,
};

void ingress_media_policy(const struct media_terms *m, struct call_policy *ret)
{
	switch (m->policy) {
	case CONFIG_MEDIA_AUTO:
	case CONFIG_MEDIA_RTP_ONLY:
		ret->media = MEDIA_RTP_ONLY;
		break;
	case CONFIG_MEDIA_SRTP_PREFERRED:
		ret->media = MEDIA_SRTP_PREFER;
		break;
	case CONFIG_MEDIA_SRTP_REQUIRED:
		ret->media = MEDIA_SRTP_REQUIRE;
		break;
	}
	ret->suite_count = m->suites->count;
	memcpy(ret->suite, m->suites->item, sizeof(ret->suite));
	ret->offer_suite_count = m->offer_suites->count;
	memcpy(ret->offer_suite, m->offer_suites->item,
	       sizeof(ret->offer_suite));
	ret->srtp_offer = srtp_offer[m->srtp_offer];
	ret->other_media = other_media[m->other_media];
}

static void device_policy(const struct config *c, const struct config_device *d,
			  const struct config_suites *suites,
			  struct call_policy *ret)
{
	struct media_terms m = {
		.policy = config_device_media(c, d),
		.suites = suites,
		.offer_suites = &d->offer_suites,
		.srtp_offer = d->srtp_offer,
		.other_media = d->other_media,
	};

	*ret = (struct call_policy){.call_limit = d->call_limit,
				    .nat = d->nat,
				    .falls_back = d->falls_back,
				    .multicast = multicast[d->multicast]};
	ingress_media_policy(&m, ret);
}

void ingress_policy(const struct config *c, const struct config_device *d,
		    struct call_policy *ret)
{
	device_policy(c, d, &d->suites, ret);
}

void ingress_sccp_policy(const struct config *c, const struct config_device *d,
			 uint32_t type, struct call_policy *ret,
			 struct sccp_traits *ret_traits)
{
	const struct config_model *m = config_model_of(c, d, type);

	device_policy(c, d, config_suites_of(d, m), ret);
	*ret_traits = (struct sccp_traits){.encrypts = true};
	if (m)
		*ret_traits = (struct sccp_traits){
			.encrypts = m->encrypts,
			.refuses_barge = m->refuses_barge,
			.loses_wideband = m->loses_wideband};
}
