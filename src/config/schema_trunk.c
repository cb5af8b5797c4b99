/* Options of trunks and of their profiles. */
#include "config/rows.h"

static const char *const words_direction[] = {"both", "in", "out", NULL};
static const char *const words_identify[] = {"auto", "address", "certificate",
					     "both", NULL};
static const char *const words_incoming[] = {"any", "udp-tcp", "udp",
					     "tcp", "tls",     NULL};
static const char *const words_outgoing[] = {"any", "udp", "tcp", "tls", NULL};
static const char *const words_srtp[] = {"auto", "off", "allowed", "required",
					 NULL};

#define TRUNK(m, key, kind, dflt, ...) \
	CONFIG_ROW(config_trunk, m, key, kind, dflt, __VA_ARGS__)

const struct config_option config_trunk_options[CONFIG_TRUNK_OPTIONS] = {
	TRUNK(description, "description", TEXT, "", .text = "Text for people."),
	TRUNK(profile_name, "profile", NAME, NULL, .example = "carrier-tls",
	      .text = "The trunk-profile that the trunk is held to."),
	TRUNK(listeners, "listeners", NAMES, NULL, .example = "{ \"trunks\" }",
	      .text = "Listeners where the trunk's requests arrive and from "
		      "which its peers are reached; they have serves = trunks, "
		      "or both. Several trunks may share one."),
	TRUNK(peers, "peers", TEXTS, "",
	      .example = "{ \"tls:sbc.example.com\" }",
	      .text = "Where the other end is: udp:, tcp: or tls: followed by "
		      "address:port or host:port, and ;priority=N (default 1). "
		      "A host name without a port is looked up by NAPTR and "
		      "SRV records. Of the peers that answer OPTIONS those "
		      "with the lowest number get the requests, the others "
		      "when these fail; see section failover."),
	TRUNK(sources, "sources", TEXTS, "", .example = "",
	      .text = "Addresses and prefixes (192.0.2.0/24) that the trunk's "
		      "requests come from, besides those of its peers that are "
		      "given as addresses."),
	TRUNK(subjects, "subjects", TEXTS, "", .example = "",
	      .text = "Names that the certificate of the trunk must have, one "
		      "of them, instead of the profile's subjects."),
	TRUNK(identify, "identify", WORD, "auto", .words = words_identify,
	      .text = "What tells that a request is the trunk's. address: "
		      "where it comes from. certificate: a name in the peer's "
		      "certificate. both. auto: certificate where the profile "
		      "has subjects or the trunk has, else address. Subjects "
		      "that are given are looked at in any case where the peer "
		      "shows a certificate."),
	TRUNK(direction, "direction", WORD, "both", .words = words_direction,
	      .text = "Who may begin calls and send other requests outside of "
		      "dialogs: the other end (in), the call managers (out), "
		      "or both."),
	TRUNK(call_managers, "call-managers", NAMES, "", .example = "",
	      .text = "Call managers that get the trunk's requests, in the "
		      "order of their priorities; they have serves = trunks or "
		      "both. None given is all of these. What arrives at the "
		      "local-address of a call-manager that serves this trunk "
		      "alone goes to this trunk."),
	TRUNK(hosts, "hosts", TEXTS, "", .example = "",
	      .text = "Hosts of request-URIs by which a call manager means "
		      "this trunk, whatever the local-address it sends to."),
	TRUNK(realm, "realm", TEXT, "",
	      .text = "Realm in which the trunk's requests are challenged; "
		      "empty is the name of the trunk."),
	TRUNK(presence_group, "presence-group", NAME, "default",
	      .text = "Presence group of who comes by the trunk: whom he may "
		      "watch (SUBSCRIBE to presence and dialog)."),
	TRUNK(calling_rights, "calling-rights", NAME, "", .example = "",
	      .text = "Section calling-rights: where those who come by the "
		      "trunk may call and transfer to; empty: anywhere the "
		      "call manager lets them."),
	TRUNK(ipsec, "require-ipsec", WORD, "no", .words = config_ipsec_words,
	      .text = "yes: nothing is sent to the addresses of the trunk, and "
		      "nothing taken from them, unless the kernel's policies "
		      "demand ESP for all traffic with them and live security "
		      "associations encrypt it, both ways. warn: the log says "
		      "what is missing. See sallyportctl ipsec."),
};

#define PROFILE(m, key, kind, dflt, ...) \
	CONFIG_ROW(config_trunk_profile, m, key, kind, dflt, __VA_ARGS__)

const struct config_option config_profile_options[CONFIG_PROFILE_OPTIONS] = {
	PROFILE(description, "description", TEXT, "",
		.text = "Text for people."),
	PROFILE(security_mode, "security-mode", WORD, "encrypted",
		.words = config_words_security,
		.text = "encrypted: TLS with encryption. authenticated: TLS, "
			"also without encryption, and no media keys. "
			"nonsecure: any transport. It counts whatever "
			"cluster-security-mode says, which is about phones."),
	PROFILE(incoming, "incoming-transport", WORD, "any",
		.words = words_incoming,
		.text = "Transports that requests may come over."),
	PROFILE(outgoing, "outgoing-transport", WORD, "any",
		.words = words_outgoing,
		.text = "Transport that peers must be reached over."),
	PROFILE(subjects, "subjects", TEXTS, "",
		.example = "{ \"sbc.example.com\" }",
		.text = "Names that the certificate of the other end must "
			"have, one of them: as a DNS name, or as its common "
			"name. *.example.com stands for any one label before "
			"the dot. None given accepts any certificate that "
			"chains to the listener's trust directory."),
	PROFILE(mutual_tls, "mutual-tls", BOOL, "yes",
		.text = "Whoever connects by TLS must show a certificate. no: "
			"a trunk identified by its address need not."),
	PROFILE(digest, "digest", BOOL, "no",
		.text = "Challenge requests with digest authentication: all "
			"but ACK, CANCEL and OPTIONS that ask whether we are "
			"there. Who may answer is who has credentials in the "
			"trunk's realm; see sallyportctl user add."),
	PROFILE(per_application, "application-authorization", BOOL, "no",
		.text = "What the trunk's method list accepts is put to the "
			"list of the application, too: the application-user "
			"whom digest has named. Needs digest = yes."),
	CONFIG_ACCEPT_ROWS(config_trunk_profile, accept),
	PROFILE(digests, "digest-algorithms", DIGESTS,
		"{ \"SHA-256\", \"MD5\" }",
		.text = "Algorithms of the challenge, best first: "
			"SHA-512-256, SHA-256 and MD5, a challenge for each "
			"(RFC 8760). { \"MD5\" } is for peers that read the "
			"first challenge only."),
	PROFILE(qop, "digest-qop", WORDS, "{ \"auth\" }",
		.words = config_words_qop,
		.text = "What a digest protects: auth, request line and "
			"credentials; auth-int, the body too. The peer chooses "
			"from what is offered."),
	PROFILE(nextnonce, "digest-nextnonce", WORD, "auto",
		.words = config_words_nextnonce,
		.text = "Whether a 2xx tells the nonce of the next request; "
			"see section device."),
	PROFILE(digest_uri, "digest-uri", WORD, "auto",
		.words = config_words_digest_uri,
		.text = "Whether credentials must name the user and host of "
			"the request's own URI; see section device."),
	PROFILE(nonce_lifetime_min, "nonce-lifetime", UINT, "10", .min = 1,
		.max = 1440, .unit = "minutes",
		.text = "How long a nonce is good; after that the challenge "
			"says stale=true."),
	PROFILE(media, "srtp", WORD, "auto", .words = words_srtp,
		.text = "off: RTP only. allowed: SRTP where the other end can, "
			"else RTP. required: calls without SRTP are refused "
			"(488). auto: allowed for security-mode = encrypted, "
			"else off."),
	PROFILE(suites, "suites", SUITES,
		"{ \"AEAD_AES_128_GCM\", \"AES_CM_128_HMAC_SHA1_80\", "
		"\"AES_CM_128_HMAC_SHA1_32\" }",
		.text = "SRTP suites that are accepted, best first; offered "
			"too unless offer-suites names others."),
	PROFILE(offer_suites, "offer-suites", SUITES, "", .example = "",
		.text = "SRTP suites that are offered, best first; none stands "
			"for those of suites."),
	PROFILE(srtp_offer, "srtp-offer", WORD, "savp",
		.words = config_words_offer,
		.text = "How SRTP is offered; see section device."),
	PROFILE(other_media, "other-media", WORD, "encrypt",
		.words = config_words_other,
		.text = "What becomes of media that are not audio; see section "
			"device."),
	PROFILE(nat, "nat", BOOL, "no",
		.text = "The other end may be behind an address translator; "
			"see section device."),
	PROFILE(trusts_identity, "trust-identity", BOOL, "no",
		.text = "Pass P-Asserted-Identity, P-Preferred-Identity and "
			"Remote-Party-ID to the call managers, whomever they "
			"name. no: they are removed. For trunks whose other "
			"end asserts what it has checked (RFC 3325)."),
	PROFILE(lock, "trunk-lock", BOOL, "no",
		.text = "A call over the trunk may show the lock on a phone, "
			"while its signalling is TLS with encryption and its "
			"media is SRTP. no: the shield at most, as it was "
			"before trunks had SRTP."),
	PROFILE(call_limit, "call-limit", UINT, "0", .min = 0, .max = 100000,
		.unit = "calls",
		.text = "Calls of each trunk at once, both ways; 0 is no "
			"limit."),
	PROFILE(call_rate, "call-rate", UINT, "0", .min = 0, .max = 100000,
		.unit = "calls per second",
		.text = "Calls that each trunk may begin a second; 0 is no "
			"limit."),
	PROFILE(request_rate, "request-rate", UINT, "0", .min = 0,
		.max = 100000, .unit = "requests per second",
		.text = "Requests that each trunk may send a second; 0 is no "
			"limit."),
	PROFILE(request_burst, "burst", UINT, "20", .min = 1, .max = 100000,
		.unit = "requests",
		.text = "How many may come at once where call-rate or "
			"request-rate is set."),
};
