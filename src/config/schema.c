#include "config/schema.h"

#include "base/text.h"
#include "config/rows.h"

/* Words of the options; their order is that of the enums in config.h. */
static const char *const words_mode[] = {"mixed", "nonsecure", NULL};
static const char *const words_sandbox[] = {"enforce", "log", "off", NULL};
static const char *const words_log[] = {"error", "warning", "info", "debug",
					NULL};
const char *const config_words_security[] = {"nonsecure", "authenticated",
					     "encrypted", NULL};
/* In the order of enum flow_backend. */
static const char *const words_backends[] = {"kernel", "queue", "socket", NULL};
static const char *const words_media[] = {"auto", "rtp-only", "srtp-preferred",
					  "srtp-required", NULL};
const char *const config_words_offer[] = {"savp", "osrtp", "two-lines",
					  "cisco-fallback", NULL};
static const char *const words_multicast[] = {"relay", "clear", "no", NULL};
const char *const config_words_other[] = {"encrypt", "relay", "reject", NULL};
static const char *const words_icon[] = {"whole-call", "phone-leg", NULL};
static const char *const words_policy[] = {"default", "authenticated", "legacy",
					   NULL};
static const char *const words_serves[] = {"phones", "trunks", "both", NULL};
static const char *const words_unknown[] = {"ignore", "refuse", NULL};
static const char *const words_crl[] = {"refuse", "warn", NULL};
const char *const config_words_qop[] = {"auth", "auth-int", NULL};
const char *const config_words_nextnonce[] = {"auto", "always", "never", NULL};
const char *const config_words_digest_uri[] = {"auto", "match", "any", NULL};
static const char *const words_lines[] = {"challenge", "refuse", NULL};
static const char *const any_transport[] = {"udp", "tcp", "tls", NULL};
/* Skinny goes over the two that follow udp, in their order. */
static const char *const any_protocol[] = {"udp",  "tcp",   "tls",
					   "sccp", "sccps", NULL};
const char *const config_below_base[] = {"", NULL};
const char *const config_below_trust[] = {"trust", NULL};

#define OPTION CONFIG_ROW

#define TOP(member, key, kind, dflt, ...) \
	OPTION(config, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option top_options[] = {
	TOP(mode, "cluster-security-mode", WORD, "mixed", .words = words_mode,
	    .when = CONFIG_WHEN_NOW,
	    .text = "mixed: every device is held to its own security-mode. "
		    "nonsecure: security modes, media encryption and TLS "
		    "identities are kept in this file but do not count; "
		    "digest authentication still does."),
	TOP(realm, "realm", TEXT, "sallyport", .min = 1,
	    .when = CONFIG_WHEN_NOW,
	    .text = "Station realm: the realm of digest challenges to phones. "
		    "Stored credentials belong to one realm; after a change "
		    "they must be made anew."),
	TOP(user, "user", NAME, "sallyport",
	    .text = "System account the processes run under after start."),
	TOP(group, "group", NAME, "sallyport",
	    .text = "System group of the processes; its members may use the "
		    "control socket."),
	TOP(log_level, "log-level", WORD, "info", .words = words_log,
	    .when = CONFIG_WHEN_NOW,
	    .text = "The least important messages that are logged."),
	TOP(nonce_lifetime_min, "nonce-lifetime", UINT, "10", .min = 1,
	    .max = 1440, .unit = "minutes", .when = CONFIG_WHEN_NOW,
	    .text = "How long a digest nonce is good before the phone gets a "
		    "new one (stale=true, no password is asked)."),
	TOP(digests, "digest-algorithms", DIGESTS, "{ \"MD5\" }",
	    .when = CONFIG_WHEN_NOW,
	    .text = "Algorithms that phones are challenged with, best first: "
		    "SHA-512-256, SHA-256 and MD5; one that a phone is not "
		    "challenged with is not taken. Sections phone-model and "
		    "device may say otherwise for theirs. MD5 alone is what "
		    "every phone knows: of several challenges (RFC 8760) many "
		    "read the first only, and give up when they do not know "
		    "its algorithm."),
	TOP(server_name, "server-name", TEXT, "", .when = CONFIG_WHEN_NOW,
	    .text = "Value of the Server and User-Agent headers; empty sends "
		    "none."),
	TOP(state_directory, "state-directory", PATH, "/var/lib/sallyport",
	    .words = config_below_base,
	    .text = "Directory of what outlives a restart: the credential "
		    "database and the key that encrypts it."),
	TOP(control_socket, "control-socket", PATH,
	    "/run/sallyport/control.sock", .words = config_below_base,
	    .max = 107, .text = "Socket on which sallyportctl(8) is answered."),
	TOP(sandbox, "sandbox", WORD, "enforce", .words = words_sandbox,
	    .text = "System call filter of the processes. log: a call outside "
		    "the list is logged and done; off: no filter."),
	TOP(restart_lease_s, "restart-lease", UINT, "300", .max = 86400,
	    .unit = "seconds",
	    .text = "After a restart within so long calls, registrations and "
		    "subscriptions go on; 0 lets them end with the daemon."),
	TOP(workers, "workers", UINT, "0", .max = CONFIG_WORKERS_MAX,
	    .text = "Worker processes, which share the phones by their "
		    "address; 0 is one for each processor. Each worker has "
		    "ports of its own towards the call managers: local-address "
		    "and as many ports above it."),
	TOP(session_lifetime_min, "tls-session-lifetime", UINT, "1440",
	    .min = 0, .max = 10080, .unit = "minutes",
	    .text = "How long a TLS session can be resumed, which is cheaper "
		    "than a full handshake. The keys of tickets are replaced "
		    "as often and outlive a restart. 0: never."),
	TOP(expiry_warning_days, "certificate-warning", UINT, "30", .min = 0,
	    .max = 3650, .unit = "days", .when = CONFIG_WHEN_NOW,
	    .text = "How long before one of our certificates or a trusted one "
		    "expires the log and sallyportctl(8) say so; 0 is never."),
	TOP(presence_between_groups, "presence-between-groups", WORD, "deny",
	    .words = config_right_words, .when = CONFIG_WHEN_NOW,
	    .text = "Whether members of one presence group may subscribe to "
		    "the state of another's, where neither may-watch nor "
		    "may-not-watch of the watcher's group names it."),
	TOP(inside_numbers, "inside-numbers", NAMES, "", .example = "",
	    .when = CONFIG_WHEN_NOW,
	    .text = "Patterns of numbers that count as inside for calling "
		    "rights, beside the lines of the devices here. All others "
		    "are outside, and so is whoever comes by a trunk."),
};

#define KEY_TEXT                                                              \
	"File with the private key of the certificate (PEM, not encrypted), " \
	"or a PKCS#11 URI (\"pkcs11:token=...;object=...\") whose "           \
	"pin-source names a file with the PIN. Only the keys process uses it."
#define OCSP_TEXT                                                           \
	"File with an OCSP response about the certificate (DER), shown to " \
	"clients that ask; kept current by the operator and read at a reload."

#define LISTENER(member, key, kind, dflt, ...) \
	OPTION(config_listener, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option listener_options[] = {
	LISTENER(address, "address", ENDPOINT, NULL, .words = any_protocol,
		 .example = "tls:192.0.2.1:5061",
		 .text = "Transport, address and port where phones connect: "
			 "tls:, tcp: or udp: for SIP, sccps: (over TLS, port "
			 "2443) or sccp: (port 2000) for Skinny, followed by "
			 "address:port; IPv6 addresses in brackets."),
	LISTENER(certificate, "certificate", PATH, "",
		 .words = config_below_base, .example = "certs/server.pem",
		 .when = CONFIG_WHEN_NOW,
		 .text = "File with our certificate and its chain (PEM) for a "
			 "tls: listener. Names that are not absolute are taken "
			 "from the directory of this file."),
	LISTENER(key, "key", KEY, "", .words = config_below_base,
		 .example = "keys/server.key", .when = CONFIG_WHEN_NOW,
		 .text = KEY_TEXT),
	LISTENER(ocsp, "ocsp", PATH, "", .words = config_below_base,
		 .when = CONFIG_WHEN_NOW, .text = OCSP_TEXT),
	LISTENER(trust, "trust", PATH, "", .words = config_below_trust,
		 .example = "device", .when = CONFIG_WHEN_NOW,
		 .text = "Directory with the certificates that phones' "
			 "certificates must chain to, below the directory "
			 "trust/ unless absolute."),
	LISTENER(tls_policy, "tls-policy", CHOICE, "default",
		 .words = words_policy, .when = CONFIG_WHEN_NOW,
		 .text = "default: TLS 1.2 and 1.3 with forward secrecy. "
			 "authenticated: also suites without encryption, for "
			 "phones whose security-mode is authenticated. "
			 "legacy: from TLS 1.0 to 1.2, also what phones of "
			 "2006 need; choose it for them alone."),
	LISTENER(check_purpose, "check-purpose", BOOL, "no",
		 .when = CONFIG_WHEN_NOW,
		 .text = "Refuse a certificate that is not meant for TLS "
			 "clients (extended key usage), and of a trunk's peer "
			 "that we connect to one that is not meant for TLS "
			 "servers. Certificates that manufacturers install "
			 "often carry none."),
	LISTENER(crl_expired, "crl-expired", WORD, "refuse", .words = words_crl,
		 .when = CONFIG_WHEN_NOW,
		 .text = "When a revocation list in the trust directory is "
			 "past its next update: refuse the certificates of its "
			 "issuer, or warn in the log and go by the old list."),
	LISTENER(serves, "serves", WORD, "phones", .words = words_serves,
		 .text = "Who comes here: phones, trunks (see section trunk), "
			 "or both. Where both come, whoever is not identified "
			 "as a trunk is taken for a phone. With several "
			 "workers each trunk is one's; see doc/trunks.md."),
	LISTENER(unknown, "unknown", WORD, "ignore", .words = words_unknown,
		 .when = CONFIG_WHEN_NOW,
		 .text = "For serves = trunks: what a request gets that comes "
			 "from nobody known. ignore: no answer, and a "
			 "connection is closed; refuse: 403."),
	LISTENER(unknown_lines, "unknown-lines", WORD, "challenge",
		 .words = words_lines, .when = CONFIG_WHEN_NOW,
		 .text = "Without a certificate: who names a line that no "
			 "device has, or one that must come by TLS, is asked "
			 "for a password that nobody knows, so that whoever "
			 "tries out lines finds no difference; 30 answers a "
			 "minute go to one source of such and of wrong "
			 "passwords. refuse: 403 says so at once. The log has "
			 "the reason either way."),
	LISTENER(unknown_rate, "unknown-rate", UINT, "10", .min = 1,
		 .max = 100000, .unit = "messages per minute",
		 .when = CONFIG_WHEN_NOW,
		 .text = "For serves = trunks and unknown = refuse: so many "
			 "messages of an unknown source are answered; the "
			 "others are not."),
	LISTENER(sccp_managers, "sccp-managers", NAMES, "",
		 .when = CONFIG_WHEN_NOW,
		 .text = "For sccp: and sccps:, names of the sccp-manager "
			 "sections that phones here are taken to: the first "
			 "that can be reached. None given is all of them, in "
			 "the order of the files. A phone with a primary and "
			 "a standby is given one listener for each."),
};

#define CERTIFICATE(member, key, kind, dflt, ...) \
	OPTION(config_certificate, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option certificate_options[] = {
	CERTIFICATE(file, "file", PATH, NULL, .words = config_below_base,
		    .example = "certs/server-ecdsa.pem",
		    .text = "File with the certificate and its chain (PEM)."),
	CERTIFICATE(key, "key", KEY, NULL, .words = config_below_base,
		    .example = "keys/server-ecdsa.key", .text = KEY_TEXT),
	CERTIFICATE(ocsp, "ocsp", PATH, "", .words = config_below_base,
		    .text = OCSP_TEXT),
	CERTIFICATE(listeners, "listeners", NAMES, "",
		    .example = "{ \"phones\" }",
		    .text = "Listeners that show it; none given is every tls: "
			    "listener."),
};

#define MANAGER(member, key, kind, dflt, ...) \
	OPTION(config_call_manager, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option manager_options[] = {
	MANAGER(address, "address", REMOTE, NULL, .words = any_transport,
		.example = "udp:192.0.2.10:5060", .when = CONFIG_WHEN_NOW,
		.text = "Where the call manager listens: udp:, tcp: or tls: "
			"followed by address:port or host:port. A host name "
			"without a port is looked up by SRV records, whose "
			"targets are taken in the order of their priorities."),
	MANAGER(local_address, "local-address", ADDRPORT, NULL,
		.example = "192.0.2.1:5070",
		.text = "Our own address and port towards it: where its "
			"requests arrive. Several call managers may share it. "
			"Further workers use the ports that follow."),
	MANAGER(serves, "serves", WORD, "phones", .words = words_serves,
		.text = "Whom it serves: phones, trunks (which name it in "
			"call-managers), or both."),
	MANAGER(priority, "priority", UINT, "1", .min = 0, .max = 65535,
		.when = CONFIG_WHEN_NOW,
		.text = "Of the call managers that are up those with the "
			"lowest number serve the phones; phones are spread "
			"over equal ones."),
	MANAGER(large_by_tcp, "large-by-tcp", BOOL, "no",
		.text = "For a udp: address: requests that are longer than "
			"datagram-max go to the same address and port by "
			"TCP (RFC 3261 section 18.1.1)."),
	MANAGER(certificate, "certificate", PATH, "",
		.words = config_below_base, .example = "",
		.text = "File with our certificate and its chain (PEM) for a "
			"tls: address: shown to the call manager, both when we "
			"connect and when it does. Without one it cannot "
			"connect to us."),
	MANAGER(key, "key", PATH, "", .words = config_below_base, .example = "",
		.text = "File with the private key of the certificate (PEM). "
			"Only the keys process reads it."),
	MANAGER(trust, "trust", PATH, "call-manager",
		.words = config_below_trust,
		.text = "Directory with the certificates that the certificate "
			"of a tls: call manager must chain to, below the "
			"directory trust/ unless absolute. Where address is a "
			"host name the certificate must name it too, "
			"whoever of the two connects."),
};

#define MEDIA(member, key, kind, dflt, ...) \
	OPTION(config_media, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option media_options[] = {
	MEDIA(outside_address, "outside-address", ADDR, NULL,
	      .example = "192.0.2.1",
	      .text = "Our media address that phones are told (SRTP)."),
	MEDIA(inside_address, "inside-address", ADDR, NULL,
	      .example = "192.0.2.1",
	      .text = "Our media address that the call manager is told "
		      "(RTP)."),
	MEDIA(ports, "ports", PORTS, "16384-32767", .min = 1024, .max = 65535,
	      .text = "Relay ports. Each side uses the whole range; where both "
		      "addresses are the same, the lower half is outside, the "
		      "upper half inside."),
	MEDIA(idle_timeout_s, "idle-timeout", UINT, "60", .min = 0,
	      .max = 86400, .unit = "seconds", .when = CONFIG_WHEN_NOW,
	      .text = "A call none of whose media arrived for so long is "
		      "ended; 0 never ends it."),
	MEDIA(cool_down_s, "cool-down", UINT, "10", .min = 0, .max = 600,
	      .unit = "seconds", .when = CONFIG_WHEN_NOW,
	      .text = "How long a relay port rests after a call, so that late "
		      "packets do not reach another."),
	MEDIA(dscp, "dscp", UINT, "46", .min = 0, .max = 63,
	      .text = "Differentiated services code point of relayed media "
		      "(46 is expedited forwarding)."),
	MEDIA(backends, "backends", WORDS, "{ \"kernel\", \"socket\" }",
	      .words = words_backends,
	      .text = "What relays media, the most wanted first; a stream goes "
		      "to the first that can be had and takes it. kernel: the "
		      "module nf_srtp. queue: the kernel's packet queues, with "
		      "firewall rules of Sallyport's own, for machines that "
		      "may load no module. socket: sockets, which always work. "
		      "Without a backend that can be had the daemon does not "
		      "start."),
	MEDIA(queue_first, "queue-first", UINT, "5060", .min = 0, .max = 65000,
	      .text = "Number of the first packet queue of the backend queue; "
		      "each processor has one (16 at most), and no other "
		      "program may use them."),
	MEDIA(end_to_end, "end-to-end", BOOL, "yes", .when = CONFIG_WHEN_NOW,
	      .text = "Where two phones of Sallyport talk to each other and "
		      "their suites agree, each is given the other's key, and "
		      "media passes without being opened. no: Sallyport has "
		      "keys of its own with each of them."),
};

#define SIP(member, key, kind, dflt, ...) \
	OPTION(config_sip, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option sip_options[] = {
	SIP(expires_min_s, "expires-min", UINT, "60", .min = 10, .max = 86400,
	    .unit = "seconds", .when = CONFIG_WHEN_NOW,
	    .text = "Shortest registration taken from a phone; a shorter one "
		    "is answered 423."),
	SIP(expires_max_s, "expires-max", UINT, "3600", .min = 10,
	    .max = 604800, .unit = "seconds", .when = CONFIG_WHEN_NOW,
	    .text = "Longest registration granted to a phone; a longer wish "
		    "is shortened."),
	SIP(session_expires_s, "session-expires", UINT, "1800", .min = 0,
	    .max = 86400, .unit = "seconds",
	    .text = "Session timer of calls (RFC 4028), on each leg for "
		    "itself: we ask for it, refresh where the peer does not, "
		    "and end a call that nobody refreshed in time. 0 uses no "
		    "session timers; otherwise at least min-se."),
	SIP(min_se_s, "min-se", UINT, "90", .min = 90, .max = 86400,
	    .unit = "seconds",
	    .text = "Shortest session timer granted; a peer that asks for "
		    "less is answered 422."),
	SIP(t1_ms, "t1", UINT, "500", .min = 50, .max = 5000,
	    .unit = "milliseconds",
	    .text = "Timer T1 of RFC 3261: estimate of the round trip."),
	SIP(t2_ms, "t2", UINT, "4000", .min = 100, .max = 60000,
	    .unit = "milliseconds",
	    .text = "Timer T2: longest interval between retransmissions."),
	SIP(t4_ms, "t4", UINT, "5000", .min = 100, .max = 60000,
	    .unit = "milliseconds",
	    .text = "Timer T4: how long a message stays in the network."),
	SIP(security_icon, "security-icon", WORD, "whole-call",
	    .words = words_icon, .when = CONFIG_WHEN_NOW,
	    .text = "What the lock on a phone stands for. whole-call: for "
		    "all parties; where one is not a phone of Sallyport, its "
		    "media is in the clear inside and there is no lock. "
		    "phone-leg: for the way between this phone and Sallyport "
		    "alone, whatever is behind."),
};

#define DEVICE(member, key, kind, dflt, ...) \
	OPTION(config_device, member, key, kind, dflt, __VA_ARGS__)

static const struct config_option device_options[] = {
	DEVICE(description, "description", TEXT, "",
	       .text = "Text for people."),
	DEVICE(lines, "lines", NAMES, "", .example = "{ \"1001\" }",
	       .when = CONFIG_WHEN_RESET,
	       .text = "User parts the device may register and call from; it "
		       "may register nothing else."),
	DEVICE(security_mode, "security-mode", WORD, "encrypted",
	       .words = config_words_security, .when = CONFIG_WHEN_RESET,
	       .text = "encrypted: TLS with a client certificate that names "
		       "the device. authenticated: the same, but no media "
		       "keys. nonsecure: any transport, no certificate."),
	DEVICE(digest, "digest", BOOL, "no",
	       .text = "Challenge the device's requests with digest "
		       "authentication. Skinny has none: there such a device "
		       "needs TLS."),
	DEVICE(digest_user, "digest-user", NAME, "", .example = "",
	       .when = CONFIG_WHEN_RESET,
	       .text = "User name the device must answer challenges with; see "
		       "sallyportctl user add."),
	DEVICE(digests, "digest-algorithms", DIGESTS, "", .example = "",
	       .text = "Algorithms the device is challenged with, best "
		       "first. None stands for those of its phone-model, or "
		       "else for digest-algorithms at the top level."),
	DEVICE(qop, "digest-qop", WORDS, "{ \"auth\" }",
	       .words = config_words_qop,
	       .text = "What a digest protects: auth, request line and "
		       "credentials; auth-int, the body too. The phone chooses "
		       "from what is offered; auth-int alone takes nothing "
		       "else, and is for phones that are known to do it."),
	DEVICE(nextnonce, "digest-nextnonce", WORD, "auto",
	       .words = config_words_nextnonce,
	       .text = "Whether a 2xx tells the phone the nonce of its next "
		       "request (Authentication-Info). auto: where its old one "
		       "would soon be stale, or is good for one request only, "
		       "so that a challenge is spared; always; never."),
	DEVICE(digest_uri, "digest-uri", WORD, "auto",
	       .words = config_words_digest_uri,
	       .text = "match: credentials must name the user and host of the "
		       "request's own URI (RFC 7616 section 3.4.6), so that "
		       "nobody on the way uses them for another call. any: for "
		       "phones that write something else. auto: match, unless "
		       "the request came over TLS."),
	DEVICE(media, "media", WORD, "auto", .words = words_media,
	       .text = "srtp-required: calls without SRTP are refused (488). "
		       "srtp-preferred: RTP where the phone offers nothing "
		       "else. rtp-only: no SRTP. auto: srtp-required for an "
		       "encrypted device, rtp-only for others."),
	DEVICE(suites, "suites", SUITES,
	       "{ \"AEAD_AES_128_GCM\", \"AES_CM_128_HMAC_SHA1_80\", "
	       "\"AES_CM_128_HMAC_SHA1_32\" }",
	       .text = "SRTP suites that are accepted, best first; offered "
		       "too unless offer-suites names others."),
	DEVICE(offer_suites, "offer-suites", SUITES, "", .example = "",
	       .text = "SRTP suites that are offered to the device, best "
		       "first; none stands for those of suites. For phones "
		       "that stumble over a long list."),
	DEVICE(srtp_offer, "srtp-offer", WORD, "savp",
	       .words = config_words_offer,
	       .text = "How SRTP is offered to the device. savp: as RTP/SAVP; "
		       "if the phone refuses and media = srtp-preferred it is "
		       "asked again without. osrtp: as RTP/AVP with keys, "
		       "which a phone without SRTP ignores (RFC 8643). "
		       "two-lines: as two lines of the same media, RTP/SAVP "
		       "and RTP/AVP, of which the phone rejects one; with "
		       "srtp-required only the first is offered. "
		       "cisco-fallback: as RTP/SAVP with Supported: "
		       "X-cisco-srtp-fallback, to which a phone without SRTP "
		       "answers RTP/AVP. All of these are accepted from any "
		       "phone."),
	DEVICE(other_media, "other-media", WORD, "encrypt",
	       .words = config_words_other,
	       .text = "What becomes of media that are not audio. encrypt: "
		       "video and other RTP media are treated like audio, what "
		       "is not RTP (fax by T.38, messages) is rejected, since "
		       "nothing would encrypt it. relay: all that goes over "
		       "UDP is relayed, encrypted where the phone offers it. "
		       "reject: audio only."),
	DEVICE(nat, "nat", BOOL, "no",
	       .text = "The device may be behind an address translator: its "
		       "media is taken from wherever the first authentic "
		       "packet comes from."),
	DEVICE(model, "model", NAME, "", .example = "",
	       .text = "The phone-model it is; empty goes by what it "
		       "registers as (SCCP)."),
	DEVICE(pool, "pool", NAME, "", .example = "",
	       .text = "Device pool it belongs to: a name by which operators "
		       "reset several at once (sallyportctl device reset "
		       "--pool)."),
	DEVICE(built_in_bridge, "built-in-bridge", BOOL, "no",
	       .text = "Its Built In Bridge is on in the call manager. Only "
		       "said so that a warning can be given where it does not "
		       "go with encryption."),
	DEVICE(falls_back, "srtp-fallback", BOOL, "no",
	       .text = "For SCCP and media = srtp-preferred: where the far end "
		       "is none of Sallyport's phones the channels of this one "
		       "are opened anew without keys. no: its media stays "
		       "encrypted up to Sallyport."),
	DEVICE(multicast, "multicast", WORD, "relay", .words = words_multicast,
	       .text = "For SCCP: what becomes of multicast media (music on "
		       "hold), whose messages have no room for keys. relay: "
		       "Sallyport hears the group inside (it joins it at the "
		       "interface of the relay's inside address), and the phone "
		       "is sent a stream of its own, encrypted as any other. "
		       "clear: the phone is told of the group as the call "
		       "manager said it, to be heard in the clear if the "
		       "network brings the group to it, but not with "
		       "srtp-required. no: the call manager hears that it "
		       "failed."),
	DEVICE(call_limit, "call-limit", UINT, "0", .min = 0, .max = 1000,
	       .unit = "calls",
	       .text = "Calls of the device at once; 0 is no limit."),
	DEVICE(presence_group, "presence-group", NAME, "default",
	       .text = "Presence group of the device and its lines: who may "
		       "watch them, and whom the device may watch "
		       "(SUBSCRIBE to presence and dialog). Without effect for "
		       "what the device itself watches over Skinny: the call "
		       "manager decides what it is told."),
	DEVICE(calling_rights, "calling-rights", NAME, "", .example = "",
	       .text = "Section calling-rights: where the device may call, "
		       "transfer and forward to; empty: anywhere the call "
		       "manager lets it. Without effect over Skinny, where the "
		       "call manager collects the digits: its own classes of "
		       "service apply there, and the check warns."),
};

#define ROWS(a) .option = (a), .count = sizeof(a) / sizeof((a)[0])

const struct config_section config_schema[CONFIG_SECTIONS] = {
	{.name = "",
	 .offset = 0,
	 .max = 1,
	 ROWS(top_options),
	 .when = CONFIG_WHEN_RESTART,
	 .text = "Options of the whole daemon stand outside of any "
		 "section."},
	{.name = "listener",
	 .label = "phones",
	 .offset = offsetof(struct config, listener),
	 .count_offset = offsetof(struct config, listener_count),
	 .size = sizeof(struct config_listener),
	 .max = CONFIG_LISTENERS_MAX,
	 ROWS(listener_options),
	 .when = CONFIG_WHEN_RESTART,
	 .grows = true,
	 .text = "Where phones connect; one section for each address. A reload "
		 "opens new ones; to change or close one takes a restart."},
	{.name = "certificate",
	 .label = "ecdsa",
	 .offset = offsetof(struct config, certificate),
	 .count_offset = offsetof(struct config, certificate_count),
	 .size = sizeof(struct config_certificate),
	 .max = CONFIG_CERTIFICATES_MAX,
	 ROWS(certificate_options),
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "A further certificate of ours beside the one of the "
		 "listener: with another kind of key (which the client can "
		 "use decides) or for another name (which the client asks "
		 "for by SNI decides)."},
	{.name = "call-manager",
	 .label = "cm1",
	 .offset = offsetof(struct config, call_manager),
	 .count_offset = offsetof(struct config, call_manager_count),
	 .size = sizeof(struct config_call_manager),
	 .max = CONFIG_MANAGERS_MAX,
	 ROWS(manager_options),
	 .when = CONFIG_WHEN_RESTART,
	 .grows = true,
	 .text = "A call manager behind Sallyport; one section for each. A "
		 "reload takes in new ones that share their transport and "
		 "local-address with one that runs, or are reached over TLS "
		 "without a certificate; others, and the end of one, wait for "
		 "a restart."},
	{.name = "failover",
	 .offset = offsetof(struct config, failover),
	 .max = 1,
	 .option = config_failover_rows,
	 .count = CONFIG_FAILOVER_ROWS,
	 .when = CONFIG_WHEN_RESTART,
	 .text = "When a call manager counts as down, and what follows."},
	{.name = "media",
	 .offset = offsetof(struct config, media),
	 .max = 1,
	 ROWS(media_options),
	 .when = CONFIG_WHEN_RESTART,
	 .text = "The media relay."},
	{.name = "sip",
	 .offset = offsetof(struct config, sip),
	 .max = 1,
	 ROWS(sip_options),
	 .when = CONFIG_WHEN_RESTART,
	 .text = "Registration times and SIP timers."},
	{.name = "sccp",
	 .offset = offsetof(struct config, sccp),
	 .max = 1,
	 .option = config_sccp_rows,
	 .count = CONFIG_SCCP_ROWS,
	 .when = CONFIG_WHEN_RESTART,
	 .text = "Phones that speak Skinny (SCCP)."},
	{.name = "sccp-manager",
	 .label = "cm1",
	 .offset = offsetof(struct config, sccp_manager),
	 .count_offset = offsetof(struct config, sccp_manager_count),
	 .size = sizeof(struct config_sccp_manager),
	 .max = CONFIG_SCCP_MANAGERS_MAX,
	 .option = config_sccp_manager_rows,
	 .count = CONFIG_SCCP_MANAGER_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "A call manager for phones that speak Skinny."},
	{.name = "phone-model",
	 .label = "7960",
	 .offset = offsetof(struct config, model),
	 .count_offset = offsetof(struct config, model_count),
	 .size = sizeof(struct config_model),
	 .max = CONFIG_MODELS_MAX,
	 .option = config_model_rows,
	 .count = CONFIG_MODEL_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "What a model of phone can and cannot do; "
		 "conf.d/phone-models.conf has those that are known. A model "
		 "that is not listed is taken to encrypt."},
	{.name = "limits",
	 .offset = offsetof(struct config, limits),
	 .max = 1,
	 .option = config_limit_rows,
	 .count = CONFIG_LIMIT_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .text = "What outsiders can use up has an end."},
	{.name = "trunk-profile",
	 .label = "carrier-tls",
	 .offset = offsetof(struct config, trunk_profile),
	 .count_offset = offsetof(struct config, trunk_profile_count),
	 .size = sizeof(struct config_trunk_profile),
	 .max = CONFIG_PROFILES_MAX,
	 .option = config_profile_options,
	 .count = CONFIG_PROFILE_OPTIONS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "What trunks that name it are held to: the security profile "
		 "of trunks."},
	{.name = "trunk",
	 .label = "carrier",
	 .offset = offsetof(struct config, trunk),
	 .count_offset = offsetof(struct config, trunk_count),
	 .size = sizeof(struct config_trunk),
	 .max = CONFIG_TRUNKS_MAX,
	 .option = config_trunk_options,
	 .count = CONFIG_TRUNK_OPTIONS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "A SIP trunk: another system outside, such as a carrier's "
		 "session border controller, a proxy or a gateway, with which "
		 "the call managers exchange calls."},
	{.name = "acl",
	 .label = "trunks",
	 .offset = offsetof(struct config, acl),
	 .count_offset = offsetof(struct config, acl_count),
	 .size = sizeof(struct config_rules),
	 .max = CONFIG_ACLS_MAX,
	 .option = config_acl_rows,
	 .count = CONFIG_ACL_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "A list of rules for requests that come by trunks, beyond "
		 "what accept-... of the trunk-profile or application-user "
		 "says. It is not asked about INVITE without Replaces, nor "
		 "about requests inside a dialog: those are a matter of "
		 "calling-rights."},
	{.name = "calling-rights",
	 .label = "lobby",
	 .offset = offsetof(struct config, rights),
	 .count_offset = offsetof(struct config, rights_count),
	 .size = sizeof(struct config_rules),
	 .max = CONFIG_RIGHTS_MAX,
	 .option = config_rights_rows,
	 .count = CONFIG_RIGHTS_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "Where a line or trunk may call, transfer and forward to."},
	{.name = "presence-group",
	 .label = "sales",
	 .offset = offsetof(struct config, presence_group),
	 .count_offset = offsetof(struct config, presence_group_count),
	 .size = sizeof(struct config_presence_group),
	 .max = CONFIG_GROUPS_MAX,
	 .option = config_group_rows,
	 .count = CONFIG_GROUP_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "Who may watch whom. The group default is always there; a "
		 "section of that name gives it pairs."},
	{.name = "gateway",
	 .label = "pstn",
	 .offset = offsetof(struct config, gateway),
	 .count_offset = offsetof(struct config, gateway_count),
	 .size = sizeof(struct config_gateway),
	 .max = CONFIG_GATEWAYS_MAX,
	 .option = config_gateway_rows,
	 .count = CONFIG_GATEWAY_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "A gateway that the call manager controls by MGCP or H.323, "
		 "which Sallyport does not speak: whether IPsec protects it is "
		 "watched."},
	{.name = "application-user",
	 .label = "crm",
	 .offset = offsetof(struct config, application),
	 .count_offset = offsetof(struct config, application_count),
	 .size = sizeof(struct config_application),
	 .max = CONFIG_APPLICATIONS_MAX,
	 .option = config_application_rows,
	 .count = CONFIG_APPLICATION_ROWS,
	 .when = CONFIG_WHEN_NOW,
	 .is_example = true,
	 .text = "An application that comes by a trunk and is known by its "
		 "digest user, which is the name of the section: what it may "
		 "do where the trunk-profile asks for application "
		 "authorization. Its password: sallyportctl user add."},
	{.name = "device",
	 .label = "SEP001122334455",
	 .offset = offsetof(struct config, device),
	 .count_offset = offsetof(struct config, device_count),
	 .size = sizeof(struct config_device),
	 .max = CONFIG_DEVICES_MAX,
	 ROWS(device_options),
	 .when = CONFIG_WHEN_NOW,
	 .text = "A phone that may register, by its device name, which is "
		 "the common name of its certificate."},
};

_Static_assert(sizeof(top_options) / sizeof(top_options[0]) <=
		       CONFIG_OPTIONS_MAX,
	       "places of options");

const struct config_section *config_section_find(struct slice name)
{
	for (size_t i = 0; i < CONFIG_SECTIONS; i++)
		if (slice_eqs(name, config_schema[i].name))
			return &config_schema[i];
	return NULL;
}

const struct config_option *config_option_find(const struct config_section *s,
					       struct slice name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (slice_eqs(name, s->option[i].name))
			return &s->option[i];
	return NULL;
}

bool config_option_is_list(const struct config_option *o)
{
	return o->type == CONFIG_TYPE_NAMES || o->type == CONFIG_TYPE_TEXTS ||
	       o->type == CONFIG_TYPE_RULES || o->type == CONFIG_TYPE_WORDS ||
	       o->type == CONFIG_TYPE_SUITES || o->type == CONFIG_TYPE_DIGESTS;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance without regard to case, one row at a time. */
static size_t distance(struct slice a, struct slice b)
{
	size_t row[CONFIG_NAME_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diag = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = text_lower(a.ptr[i - 1]) ==
				    text_lower(b.ptr[j - 1]);
			size_t up = row[j];

			row[j] = min3(row[j - 1] + 1, up + 1,
				      diag + (same ? 0 : 1));
			diag = up;
		}
	}
	return row[b.len];
}

static void nearer(struct slice name, const char *known, size_t *best,
		   const char **ret)
{
	struct slice k = slice_str(known);
	size_t d = k.len <= CONFIG_NAME_MAX ? distance(name, k) : *best;

	if (d < *best) {
		*best = d;
		*ret = known;
	}
}

const char *config_nearest(const struct config_section *s, struct slice name)
{
	size_t best = name.len / 3 + 2;
	const char *ret = NULL;

	if (name.len == 0 || name.len > CONFIG_NAME_MAX)
		return NULL;
	for (uint32_t i = 0; i < s->count; i++)
		nearer(name, s->option[i].name, &best, &ret);
	for (size_t i = 1; i < CONFIG_SECTIONS && s == &config_schema[0]; i++)
		nearer(name, config_schema[i].name, &best, &ret);
	return ret;
}
