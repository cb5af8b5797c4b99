/*
 * The configuration: text tuples in, one immutable struct config or messages
 * with file and line out. Files are read by conffile/; what an option is
 * called, its type, range, default and text stand in one row of schema.c, from
 * which the manual page and the commented default file are generated too.
 *
 * A struct config never changes after config_build. It is shared by reference
 * (config_ref, config_unref): whoever started with one configuration keeps it.
 * Every pointer inside belongs to the struct config and lives as long as it.
 * References are counted without locks: one process, one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "authn/digest.h"
#include "authz/decide.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/table.h"
#include "config/words.h"

enum {
	CONFIG_TEXT_MAX = 256,	      /* bytes of one value */
	CONFIG_NAME_MAX = 64,	      /* bytes of a section's label, a line */
	CONFIG_LIST_MAX = 32,	      /* items of one list */
	CONFIG_LISTENERS_MAX = 64,    /* listener sections */
	CONFIG_MANAGERS_MAX = 16,     /* call-manager sections */
	CONFIG_CORE_NONE = 0xffff,    /* no endpoint */
	CONFIG_DEVICES_MAX = 30000,   /* device sections */
	CONFIG_MESSAGES_MAX = 100,    /* messages kept by a report */
	CONFIG_WORKERS_MAX = 60,      /* worker processes */
	CONFIG_WORKER_PORTS = 8,      /* relay ports a worker needs at least */
	CONFIG_CERTIFICATES_MAX = 64, /* certificate sections */
	CONFIG_PROFILES_MAX = 1024,   /* trunk-profile sections */
	CONFIG_TRUNKS_MAX = 2048,     /* trunk sections */
	CONFIG_STEERED_MAX = 400,     /* sources of trunks at one listener whose
					  worker the kernel finds */
	CONFIG_PEERS_MAX = 16,	      /* peers of one trunk */
	CONFIG_NET_KINDS = 33 + 129,  /* lengths of prefixes */
	CONFIG_LISTENER_NONE = 0xffff,	/* no listener */
	CONFIG_ACLS_MAX = 1024,		/* acl sections */
	CONFIG_RIGHTS_MAX = 256,	/* calling-rights sections */
	CONFIG_GROUPS_MAX = 256,	/* presence-group sections */
	CONFIG_GATEWAYS_MAX = 1024,	/* gateway sections */
	CONFIG_GUARDS_MAX = 2500,	/* addresses watched for IPsec */
	CONFIG_APPLICATIONS_MAX = 4096, /* application-user sections */
	CONFIG_TRUNK_NONE = 0xffff,	/* no trunk */
	CONFIG_SCCP_MANAGERS_MAX = 16,	/* sccp-manager sections */
	CONFIG_MODELS_MAX = 256,	/* phone-model sections */
	CONFIG_SOURCE_PORTS = 28000	/* connections from one address to one
					  place, as Linux has them */
};

/* ---- what goes in ---------------------------------------------------- */

/* One thing a configuration file says. Slices and strings are the caller's,
 * valid during config_build. */
struct config_tuple {
	const char *section; /* "listener", "device", ...; "" = top level */
	struct slice label;  /* the section's name; empty where it has none */
	const char *name;    /* option; NULL = the section is opened here */
	struct slice value;  /* text; a list gives one tuple for each item */
	const char *file;    /* for messages */
	uint32_t line;	     /* from 1; 0 = the file as a whole */
	/* The section comes from the store: one with the same name in a file
	 * hides it, with a warning. All its tuples say so, after all files'. */
	bool is_stored;
};

/* A message about the configuration: "sallyport.conf:12: ...". */
struct config_message {
	struct config_message *next;
	bool is_error;	  /* else a warning */
	const char *text; /* "file:line: what, expected, got"; no newline */
};

/* Messages in the order they were found; owns them. */
struct config_report {
	struct config_message *first, *last;
	uint32_t errors, warnings; /* all found, kept or not */
};

/* ---- what comes out -------------------------------------------------- */

struct config_listener {
	const char *name;
	struct config_endpoint address;
	const char *certificate; /* absolute file, PEM chain; "" unless TLS */
	const char *key;	 /* absolute file or pkcs11:; "" unless TLS */
	const char *ocsp;	 /* absolute file with a response; "" = none */
	const char *trust;	 /* absolute directory; "" unless TLS */
	const char *tls_policy;	 /* "default", "authenticated", "legacy" */
	bool check_purpose;	 /* peers need id-kp-clientAuth */
	enum config_crl crl_expired;
	enum config_serves serves;
	enum config_unknown unknown;
	uint32_t unknown_rate; /* answers a minute to one unknown source */
	enum config_unknown_lines unknown_lines;
	struct config_strings sccp_managers; /* names; none: all, in the order
						of the files */
	bool is_peer_optional; /* derived: some trunk there needs no client
				   certificate */
	uint32_t home; /* config_share: who serves strangers and trunks whose
			  sources are not known, where serves = trunks */
};

/* One more certificate of ours for one or more listeners. */
struct config_certificate {
	const char *name;
	const char *file; /* absolute, PEM chain */
	const char *key;  /* absolute file or pkcs11: */
	const char *ocsp; /* absolute file with a response; "" = none */
	struct config_strings listeners; /* names; empty = every tls: one */
};

struct config_call_manager {
	const char *name;
	struct config_remote address;
	struct addr local_address; /* ours towards it; port is never 0 */
	enum config_serves serves;
	uint32_t priority;	 /* the lowest that is up is asked first */
	bool large_by_tcp;	 /* UDP: what no datagram holds goes by TCP */
	const char *certificate; /* absolute file, PEM chain; "" = none */
	const char *key;	 /* absolute file; "" = none */
	const char *trust;	 /* absolute directory; used with TLS */
	uint32_t core;	       /* our endpoint in config.core; CONFIG_CORE_NONE:
				TLS without a certificate, nobody can
				connect */
	uint32_t core_large;   /* the same for large_by_tcp, else NONE */
	uint32_t own_trunk;    /* index of the trunk that what arrives at
				local_address is for; CONFIG_TRUNK_NONE */
	uint32_t first_worker; /* config_share: who is bound to local_address as
				  it stands */
};

/* An endpoint of ours on the inside; several call managers may share it. */
struct config_core {
	enum config_transport transport;
	uint32_t manager; /* the first that has it; its certificate is shown
				where the endpoint is TLS */
};

struct config_failover {
	uint32_t options_interval_s; /* 0 = no health checks */
	uint32_t failures;	     /* in a row, until it is down */
	uint32_t successes;	     /* in a row, until it is up again */
	uint32_t hold_down_s;	     /* up for so long before it is preferred */
	uint32_t try_timeout_ms;     /* patience while there is another one */
	uint32_t register_rate;	     /* registrations made anew a second */
	uint32_t datagram_max;	     /* bytes */
};

struct config_media {
	struct addr outside_address; /* towards phones; port 0 */
	struct addr inside_address;  /* towards the call manager; port 0 */
	struct config_ports ports;   /* as configured */
	/* As to be used: the range twice where the addresses differ, cut in
	 * halves where they are equal. */
	struct config_ports outside_ports, inside_ports;
	uint32_t idle_timeout_s; /* 0 = never */
	uint32_t cool_down_s;
	uint32_t dscp;		      /* 0..63 */
	struct config_words backends; /* enum flow_backend, most wanted first */
	uint32_t queue_first;	      /* number of the first packet queue */
	bool end_to_end;
};

/* A list of rules: an acl or calling-rights section. */
struct config_rules {
	const char *name;
	struct config_strings rules; /* as written, see authz/rule.h */
	enum config_right fallback;  /* when none holds */
	struct acl *acl;	     /* of these rules, never NULL */
};

/* What a method list accepts, see authz/decide.h. */
struct config_accept {
	bool presence, refer, notify, replaces;
	const char *acl; /* name; "" = none */
};

struct config_presence_group {
	const char *name;
	struct config_strings may_watch, may_not_watch; /* groups */
};

/* A gateway that others talk to from this machine: only its protection by
 * IPsec is watched. */
struct config_gateway {
	const char *name;
	struct addr address; /* port 0 */
	enum config_gateway_protocol protocol;
	enum config_ipsec ipsec; /* YES and WARN are both reported only */
};

/* An address whose protection by IPsec is watched. */
struct config_guard {
	const char *name; /* of the trunk or gateway */
	bool is_gateway;
	struct addr peer;	 /* port 0 */
	enum config_ipsec ipsec; /* not NO */
};

/* An application that comes by a trunk, by its digest user. */
struct config_application {
	const char *name;
	const char *description;
	struct config_accept accept;
	const char *presence_group; /* "" = that of the trunk */
	struct authz_list list;	    /* what accept says */
	struct table_node by_name;  /* config_application_find */
};

/* A call manager that speaks Skinny. */
struct config_sccp_manager {
	const char *name;
	struct config_remote address; /* TCP, or TLS where has_tls */
	bool has_tls;
	const char *certificate, *key; /* absolute; "" = none */
	const char *trust;	       /* absolute */
	struct config_strings sources; /* addresses as written */
	struct addr *source;	       /* derived: source_count, port 0 */
	uint32_t source_count;	       /* 0: the system's choice */
};

enum config_verdict {
	CONFIG_SCCP_ALLOW,
	CONFIG_SCCP_DROP,
	CONFIG_SCCP_LOG, /* allowed, and logged */
	CONFIG_SCCP_RATE /* so many a second, the rest is dropped */
};

/* What happens to messages with an id in first..last. */
struct config_sccp_rule {
	uint32_t first, last;
	enum config_verdict verdict;
	uint32_t rate; /* CONFIG_SCCP_RATE: messages a second of a phone */
};

struct config_sccp {
	uint32_t version_max; /* protocol version offered inside */
	uint32_t call_rate;   /* calls a minute of one phone; 0 */
	uint32_t fail_back_s; /* a better call manager is up; 0 = never */
	struct config_strings rules; /* config_sccp_rule_parse */
};

/* What a model of phone can and cannot do. */
struct config_model {
	const char *name;
	uint32_t type; /* device type as it registers; 0 = not known */
	struct config_suites suites;   /* it knows, best first; none: any */
	struct config_digests digests; /* none: those of the top level */
	bool encrypts;
	bool refuses_barge;
	bool loses_wideband;
};

struct config_device {
	const char *name;
	const char *description;
	struct config_strings lines;	       /* user parts it may register */
	enum config_device_mode security_mode; /* as configured */
	bool digest;
	const char *digest_user;       /* "" = none */
	struct config_digests digests; /* none: config_device_digests */
	struct config_words qop;       /* enum config_qop, one at least */
	enum config_nextnonce nextnonce;
	enum config_digest_uri digest_uri;
	enum config_media_policy media; /* as configured, never AUTO */
	struct config_suites suites;	/* accepted */
	bool has_suites; /* derived: suites says more than the default */
	struct config_suites offer_suites; /* offered; none: suites */
	enum config_srtp_offer srtp_offer;
	enum config_other_media other_media;
	bool nat;
	uint32_t call_limit; /* 0 = no limit */
	const char *presence_group;
	const char *calling_rights;	   /* "" = none: everything goes */
	const struct config_rules *rights; /* the same; NULL = none */
	const char *model;    /* phone-model; "" = as it registers */
	const char *pool;     /* "" = none */
	bool built_in_bridge; /* as in the call manager */
	bool falls_back;      /* SCCP: RTP where the far end has no SRTP */
	enum config_multicast multicast; /* SCCP */
	bool is_stored;		   /* it comes from the store, not a file */
	struct table_node by_name; /* config_device_find */
	struct table_node by_user; /* config_device_by_user */
};

struct config_trunk_profile {
	const char *name;
	const char *description;
	enum config_device_mode security_mode;
	enum config_incoming incoming;
	enum config_outgoing outgoing;
	struct config_strings subjects; /* host names; "*.a.b" any label */
	bool mutual_tls;		/* TLS clients show a certificate */
	bool digest;
	bool per_application; /* only with digest */
	struct config_accept accept;
	struct authz_list list;	       /* what accept says */
	struct config_digests digests; /* challenged with, one at least */
	struct config_words qop;       /* enum config_qop, one at least */
	enum config_nextnonce nextnonce;
	enum config_digest_uri digest_uri;
	uint32_t nonce_lifetime_min;	   /* minutes */
	enum config_media_policy media;	   /* never AUTO when built */
	struct config_suites suites;	   /* accepted */
	struct config_suites offer_suites; /* offered; none: suites */
	enum config_srtp_offer srtp_offer;
	enum config_other_media other_media;
	bool nat;
	bool trusts_identity;	/* asserted identities pass inside */
	bool lock;		/* a trunk call may show the lock */
	uint32_t call_limit;	/* at once; 0 = no limit */
	uint32_t call_rate;	/* INVITEs outside of dialogs a second; 0 */
	uint32_t request_rate;	/* requests a second; 0 = no limit */
	uint32_t request_burst; /* at once, on top of both rates */
	struct table_node by_name;
};

/* One address of a trunk's other end. */
struct config_peer {
	struct config_remote remote;
	uint32_t priority; /* the lowest that is up is asked first */
};

struct config_net {
	struct addr addr;
	unsigned bits; /* that count */
};

struct config_trunk {
	const char *name;
	const char *description;
	const char *profile_name;
	struct config_strings listeners;     /* names, one at least */
	struct config_strings peers;	     /* as written */
	struct config_strings sources;	     /* as written */
	struct config_strings subjects;	     /* none: the profile's */
	struct config_strings call_managers; /* names; none: all for trunks */
	struct config_strings hosts;	     /* of request-URIs from inside */
	enum config_direction direction;
	enum config_identify identify; /* never AUTO when built */
	const char *realm;	       /* as written; "" = the name */
	const char *presence_group;
	const char *calling_rights; /* "" = none: everything goes */
	enum config_ipsec ipsec;
	/* derived */
	const struct config_rules *rights; /* NULL = none */
	const struct config_trunk_profile *profile;
	struct config_peer *peer; /* peer_count */
	uint32_t peer_count;
	struct config_net *source; /* source_count: sources, numeric peers */
	uint32_t source_count;
	uint64_t listener_bits; /* indexes in config.listener */
	uint32_t manager_bits;	/* indexes in config.call_manager */
	/* Of manager_bits those whose local-address no other trunk has, nor
	 * phones: what arrives there goes to this trunk. 0: hosts tell. */
	uint32_t own_bits;
	/* config_share: whose it is; and whether its sources alone, which are
	 * known, tell that: the kernel takes them there. */
	uint32_t worker;
	bool is_steered;
	/* In one worker, below 2 * CONFIG_TRUNKS_MAX. When built its index; a
	 * worker that takes up another configuration keeps those it gave. */
	uint32_t number;
	struct table_node by_name;
};

/* What is known of who sent something. */
struct config_claim {
	uint32_t listener;	  /* index: where it came in */
	struct addr source;	  /* ports do not count */
	bool is_tls;		  /* it came over TLS */
	const struct slice *name; /* names in the verified certificate */
	size_t name_count;	  /* 0 = no certificate */
};

struct config_sip {
	uint32_t expires_min_s, expires_max_s;
	uint32_t session_expires_s;   /* session timers; 0 = none */
	uint32_t min_se_s;	      /* not above the one before, unless 0 */
	uint32_t t1_ms, t2_ms, t4_ms; /* RFC 3261 timers */
	enum config_icon security_icon;
};

/* The most that limits allow, and what can be saved of all that: calls,
 * registrations, subscriptions, and Skinny phones, which are connections. */
enum {
	CONFIG_CONNECTIONS_MAX = 1000000,
	CONFIG_REGISTRATIONS_MAX = 1000000,
	CONFIG_CALLS_MAX = 100000,
	CONFIG_SUBSCRIPTIONS_MAX = 1000000,
	CONFIG_SAVED_MAX = CONFIG_CONNECTIONS_MAX + CONFIG_REGISTRATIONS_MAX +
			   CONFIG_CALLS_MAX + CONFIG_SUBSCRIPTIONS_MAX
};

struct config_limits {
	uint32_t connections;
	uint32_t connections_per_address;
	uint32_t handshakes; /* TLS handshakes at once */
	uint32_t handshakes_per_address;
	uint32_t handshake_timeout_s;	  /* TLS handshake, connect */
	uint32_t first_message_timeout_s; /* from the handshake's end */
	uint32_t message_timeout_s;	  /* until a begun message is whole */
	uint32_t idle_timeout_s;	  /* without a received byte */
	uint32_t output_bytes;		  /* waiting for one peer */
	uint32_t message_rate;	/* messages a second from one source */
	uint32_t message_burst; /* at once, on top of the rate */
	uint32_t registrations;
	uint32_t calls;
	uint32_t transactions;
	uint32_t subscriptions;
	uint32_t subscriptions_per_device;
};

struct config {
	uint32_t refs;
	/* top level */
	enum config_mode mode;
	const char *realm;
	const char *user, *group; /* system account of the processes */
	enum config_log log_level;
	uint32_t nonce_lifetime_min;   /* minutes */
	struct config_digests digests; /* for phones, one at least */
	const char *server_name;       /* Server header; "" = none */
	const char *state_directory;   /* absolute */
	const char *control_socket;    /* absolute */
	enum config_sandbox sandbox;
	uint32_t workers;	       /* 0 = one for each processor */
	uint32_t session_lifetime_min; /* of TLS sessions; 0 = none resumed */
	uint32_t expiry_warning_days;  /* before a certificate ends; 0 = off */
	uint32_t restart_lease_s;
	enum config_right presence_between_groups;
	struct config_strings inside_numbers; /* patterns */
	/* sections */
	struct config_listener *listener;
	uint32_t listener_count;
	struct config_certificate *certificate;
	uint32_t certificate_count;
	struct config_call_manager *call_manager;
	uint32_t call_manager_count; /* 1..CONFIG_MANAGERS_MAX */
	struct config_core core[2 * CONFIG_MANAGERS_MAX];
	uint32_t core_count;
	struct config_failover failover;
	struct config_media media;
	struct config_sip sip;
	struct config_sccp sccp;
	struct config_sccp_manager *sccp_manager;
	uint32_t sccp_manager_count;
	struct config_model *model;
	uint32_t model_count;
	struct config_limits limits;
	struct config_trunk_profile *trunk_profile;
	uint32_t trunk_profile_count;
	struct config_trunk *trunk;
	uint32_t trunk_count;
	struct config_rules *acl;
	uint32_t acl_count;
	struct config_rules *rights;
	uint32_t rights_count;
	struct config_presence_group *presence_group;
	uint32_t presence_group_count;
	struct config_gateway *gateway;
	uint32_t gateway_count;
	struct config_application *application;
	uint32_t application_count;
	struct config_device *device;
	uint32_t device_count;
	/* private: use the functions below */
	struct config_block *blocks;
	struct table devices_by_name, devices_by_user, devices_by_line;
	struct table profiles_by_name, trunks_by_name;
	struct table trunks_by_subject, trunks_by_net, trunks_by_host;
	struct config_net net_kind[CONFIG_NET_KINDS]; /* family and bits */
	uint32_t net_kind_count;
	struct table applications_by_name;
};

/*
 * Build a configuration from count tuples in the order of the files. base_dir:
 * absolute directory of the configuration file; certificates, keys and trust
 * directories that are no absolute paths are taken from it. rep (initialised)
 * gets every error and warning found, not only the first. ERR_BAD when there
 * was an error; ERR_NOMEM. *ret_config has one reference, the caller's.
 */
MUST_CHECK int config_build(const struct config_tuple *t, size_t count,
			    const char *base_dir, struct config_report *rep,
			    struct config **ret_config);
/* One more reference to c; returns c. */
struct config *config_ref(struct config *c);
/* One reference less; frees c with the last. c may be NULL; returns NULL. */
struct config *config_unref(struct config *c);

/* Device of this name (exact), or NULL. O(1). */
const struct config_device *config_device_find(const struct config *c,
					       struct slice name);
/* A device whose digest-user this is, or NULL; the others follow with
 * config_device_by_user_next, in no particular order. O(1). */
const struct config_device *config_device_by_user(const struct config *c,
						  struct slice user);
/* Next device with the same digest-user as d, or NULL. */
const struct config_device *
config_device_by_user_next(const struct config_device *d);
/* Device that has this line; the first in the files where several share it.
 * NULL when no device has it. O(1). */
const struct config_device *config_device_by_line(const struct config *c,
						  struct slice line);
/* True when d may register this user part. O(lines of d). */
bool config_device_has_line(const struct config_device *d, struct slice line);
/* Trunk of this name (exact), or NULL. O(1). */
const struct config_trunk *config_trunk_find(const struct config *c,
					     struct slice name);
/* Profile of this name (exact), or NULL. O(1). */
const struct config_trunk_profile *config_profile_find(const struct config *c,
						       struct slice name);
/*
 * The trunk that q is, by what its identify asks for, or NULL. Of several the
 * first in the files. Whether the profile allows the way it came is not asked
 * here. O(names of q + lengths of prefixes), not of trunks.
 */
const struct config_trunk *config_trunk_identify(const struct config *c,
						 const struct config_claim *q);
/* The trunk that this host of a request-URI names, or NULL; case does not
 * count. O(1). */
const struct config_trunk *config_trunk_by_host(const struct config *c,
						struct slice host);
/* May q come in as t? What config_trunk_identify asks of a candidate. */
bool config_trunk_is(const struct config_trunk *t,
		     const struct config_claim *q);
/* True when a name in a certificate is one of the subjects t accepts; t
 * without subjects accepts any. */
bool config_trunk_names(const struct config_trunk *t, const struct slice *name,
			size_t count);
/* Is the address one of t's sources? O(sources of t). */
bool config_trunk_has_source(const struct config_trunk *t,
			     const struct addr *a);
/* Do a and b ask the same of a certificate? */
bool config_trunk_same_names(const struct config_trunk *a,
			     const struct config_trunk *b);
/* Are a and b told by the same listeners, sources and kind of proof? Both of
 * configurations with the same listeners. O(sources). */
bool config_trunk_same_sources(const struct config_trunk *a,
			       const struct config_trunk *b);
/* Do two trunks' subjects, or one's and a name, agree? subject may begin with
 * "*.": exactly one label. Case does not count. */
bool config_subject_match(struct slice subject, struct slice name);
/* Does p let requests in over this transport? */
bool config_profile_may_come(const struct config_trunk_profile *p,
			     enum config_transport transport);
/* Do a and b name the same place, the same way? */
bool config_remote_eq(const struct config_remote *a,
		      const struct config_remote *b);
/* The realm that t's requests are challenged for. */
struct slice config_trunk_realm(const struct config_trunk *t);
/* Application with this digest user, or NULL. O(1). */
const struct config_application *config_application_find(const struct config *c,
							 struct slice user);
/*
 * May a watcher of one presence group subscribe to somebody of another? Names
 * of groups; one that is no section has no pairs of its own. *ret_rule says
 * what decided: "the same presence group". O(pairs of the watcher's group).
 */
bool config_presence_allows(const struct config *c, const char *watcher,
			    const char *watched, const char **ret_rule);
/* Address number i, from 0, that IPsec has to protect: those of trunks, then
 * gateways; false at the end, *ret is then untouched. O(trunks + gateways). */
bool config_guard_at(const struct config *c, uint32_t i,
		     struct config_guard *ret);
/* Is this user part one of ours: a line of a device, or an inside number? */
bool config_is_inside(const struct config *c, struct slice user);
/* Number n (from 0) of the call managers that phones at l are taken to, or
 * NULL behind the last. */
const struct config_sccp_manager *
config_sccp_manager_of(const struct config *c, const struct config_listener *l,
		       uint32_t n);
/* Does d have calling-rights, or a presence group that is not the default? They
 * are asked about requests of SIP only. */
bool config_device_asks_rights(const struct config_device *d);
/* The model that d says it is, else the one of this device type, or NULL.
 * d may be NULL. O(models). */
const struct config_model *config_model_of(const struct config *c,
					   const struct config_device *d,
					   uint32_t type);
/* The SRTP suites of d when it is this model (NULL: an unknown one): its own
 * where they were given, else those that the model knows. */
const struct config_suites *config_suites_of(const struct config_device *d,
					     const struct config_model *m);
/* "drop 0x0049", "allow 0x0100-0x0180", "log 0x0049", "rate 5 0x0005". ERR_BAD.
 */
MUST_CHECK int config_sccp_rule_parse(struct slice s,
				      struct config_sccp_rule *ret);
/* Security mode that counts: nonsecure where the cluster is nonsecure. */
enum config_device_mode config_device_mode(const struct config *c,
					   const struct config_device *d);
/* The name of a protection as a header has it: "auth". Static. */
const char *config_qop_str(enum config_qop q);
/* Algorithms that d (NULL: whoever is nobody's) is challenged with: its own,
 * else its model's, else the top level's. O(models) where d names one. */
const struct config_digests *
config_device_digests(const struct config *c, const struct config_device *d);
/* Media policy that counts: RTP only where the cluster is nonsecure. */
enum config_media_policy config_device_media(const struct config *c,
					     const struct config_device *d);

/*
 * Share trunks among workers: each belongs to one, by its name, which the call
 * manager reaches at the local-address of the trunk's own call-manager sections
 * as it stands. Where the kernel cannot tell a trunk from others by the source
 * (its sources are not known, or too many) it belongs to the worker of its
 * listener; one that is told by hosts alone to the first, whom call managers
 * know. Depends on c and workers only. Fills in trunk.worker, trunk.is_steered,
 * listener.home and call_manager.first_worker; O(trunks + sources).
 */
void config_share(struct config *c, uint32_t workers);
/*
 * The same for c, which follows running: what is bound and whom messages find
 * stays as it is, so trunks keep their workers, and a new one belongs to the
 * worker that has its listener or the address of its own call managers. A trunk
 * for which that does not go together, or a call manager (the same as running's,
 * in its order) with another transport, is an error in rep, since it needs a
 * restart. ERR_BAD when there was one. running has what config_share fills in.
 */
MUST_CHECK int config_share_on(struct config *c, const struct config *running,
			       uint32_t workers, struct config_report *rep);
/* What worker number (from 0) is bound to towards call manager m: the port is
 * local-address's plus its number, but its first_worker and worker 0 have
 * changed places. */
struct addr config_local_address(const struct config_call_manager *m,
				 uint32_t worker);
/* The part of all that belongs to a worker, when there are count of them: equal
 * parts of whole RTP and RTCP pairs, in the order of their numbers; what does
 * not divide is left out. */
struct config_ports config_worker_ports(const struct config_ports *all,
					uint32_t worker, uint32_t count);
/*
 * Is there room for this many workers? Each needs a port of its own towards
 * every call manager, which must not meet another listener's or manager's, and
 * its part of the relay ports. What stands in the way is an error in rep.
 * ERR_BAD when there was one.
 */
MUST_CHECK int config_check_workers(const struct config *c, uint32_t workers,
				    struct config_report *rep);
/* One of our certificates with its key, wherever it is configured. */
struct config_identity {
	const struct config_listener *owner; /* NULL: a certificate section */
	const struct config_certificate *section;  /* or NULL */
	const struct config_call_manager *manager; /* or NULL */
	const struct config_sccp_manager *sccp;	   /* or NULL */
	const char *certificate, *key, *ocsp; /* as in struct config_listener */
};

/* Identity number i from 0, those of tls: listeners first; false at the end,
 * *ret is then untouched. */
bool config_identity_at(const struct config *c, uint32_t i,
			struct config_identity *ret);
/* True when this listener shows that certificate. */
bool config_identity_serves(const struct config_identity *id,
			    const struct config_listener *l);
/* True when the key is in a PKCS#11 token, not in a file. */
bool config_key_is_token(const char *key);

/* Flows, two for each stream. */
enum {
	CONFIG_WORKER_FLOWS = 40000, /* that one worker can look after */
	CONFIG_NOTED_FLOWS = 20000 /* whose keys' indices outlive the process */
};

/*
 * Warn in rep when the limits of c need more descriptors than a process may
 * have, more relay ports or flows than there are, or more memory (bytes).
 */
void config_check_needs(const struct config *c, uint64_t descriptors,
			uint64_t memory, struct config_report *rep);

/*
 * Print c as configuration text, each option with its value, through emit,
 * piece by piece. Reading that text gives an equal configuration. No secret is
 * part of a configuration, so none is printed.
 */
void config_print(const struct config *c,
		  void (*emit)(void *ctx, struct slice piece), void *ctx);

/* ---- messages -------------------------------------------------------- */

/* Empty report. */
void config_report_init(struct config_report *rep);
/* Free the messages; rep is empty afterwards. */
void config_report_done(struct config_report *rep);
/*
 * Add a message about file:line (line 0 = the file as a whole). text is
 * copied, control bytes in it are escaped. A message that does not fit the
 * limit, or memory, is only counted.
 */
void config_report_add(struct config_report *rep, bool is_error,
		       const char *file, uint32_t line, struct slice text);
