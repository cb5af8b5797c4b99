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
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/table.h"
#include "flow/suite.h"

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

enum config_mode {
	CONFIG_MODE_MIXED,    /* device security modes count */
	CONFIG_MODE_NONSECURE /* they are kept but ignored; digest counts */
};

enum config_sandbox {
	CONFIG_SANDBOX_ENFORCE,
	CONFIG_SANDBOX_LOG,
	CONFIG_SANDBOX_OFF
};

/* The order is that of enum log_level. */
enum config_log {
	CONFIG_LOG_ERROR,
	CONFIG_LOG_WARN,
	CONFIG_LOG_INFO,
	CONFIG_LOG_DEBUG
};

enum config_transport { CONFIG_UDP, CONFIG_TCP, CONFIG_TLS };

enum config_device_mode {
	CONFIG_DEVICE_NONSECURE,
	CONFIG_DEVICE_AUTHENTICATED,
	CONFIG_DEVICE_ENCRYPTED
};

enum config_media_policy {
	CONFIG_MEDIA_AUTO, /* never left in a built configuration */
	CONFIG_MEDIA_RTP_ONLY,
	CONFIG_MEDIA_SRTP_PREFERRED,
	CONFIG_MEDIA_SRTP_REQUIRED
};

/* What to do with a peer whose issuer's revocation list is out of date. */
enum config_crl { CONFIG_CRL_REFUSE, CONFIG_CRL_WARN };

/* How SRTP is offered to a phone (see call_policy of b2bua/event.h). */
enum config_srtp_offer {
	CONFIG_OFFER_SAVP,
	CONFIG_OFFER_OSRTP,
	CONFIG_OFFER_TWO_LINES,
	CONFIG_OFFER_CISCO_FALLBACK
};

/* What becomes of media that are not audio. */
enum config_other_media {
	CONFIG_OTHER_ENCRYPT,
	CONFIG_OTHER_RELAY,
	CONFIG_OTHER_REJECT
};

/* What the icon on a phone speaks of. */
enum config_icon { CONFIG_ICON_WHOLE_CALL, CONFIG_ICON_PHONE_LEG };

struct config_endpoint {
	enum config_transport transport;
	struct addr addr; /* port is never 0 */
};

/* Somebody else's address: as numbers, or a name to be looked up. */
struct config_remote {
	enum config_transport transport;
	const char *host; /* as written, without port and brackets */
	struct addr addr; /* family NONE: host is a name; else with port */
	uint16_t port;	  /* 0: a name whose port the DNS tells (SRV) */
};

struct config_ports {
	uint16_t min, max; /* UDP, inclusive; min is even, max is odd */
};

struct config_strings {
	const char **item; /* count strings */
	uint32_t count;
};

struct config_suites {
	enum suite item[SUITE_COUNT]; /* best first */
	uint32_t count;
};

struct config_digests {
	enum digest_alg item[DIGEST_COUNT]; /* best first */
	uint32_t count;
};

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
	uint32_t priority;	   /* the lowest that is up is asked first */
	bool large_by_tcp;	   /* UDP: what no datagram holds goes by TCP */
	const char *certificate;   /* absolute file, PEM chain; "" = none */
	const char *key;	   /* absolute file; "" = none */
	const char *trust;	   /* absolute directory; used with TLS */
	uint32_t core;	     /* our endpoint in config.core; CONFIG_CORE_NONE:
				TLS without a certificate, nobody can
				connect */
	uint32_t core_large; /* the same for large_by_tcp, else NONE */
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
	uint32_t dscp; /* 0..63 */
	bool end_to_end;
};

struct config_device {
	const char *name;
	const char *description;
	struct config_strings lines;	       /* user parts it may register */
	enum config_device_mode security_mode; /* as configured */
	bool digest;
	const char *digest_user;	   /* "" = none */
	struct config_digests digests;	   /* challenged with, one at least */
	enum config_media_policy media;	   /* as configured, never AUTO */
	struct config_suites suites;	   /* accepted */
	struct config_suites offer_suites; /* offered; none: suites */
	enum config_srtp_offer srtp_offer;
	enum config_other_media other_media;
	bool nat;
	uint32_t call_limit;	   /* 0 = no limit */
	bool is_stored;		   /* it comes from the store, not a file */
	struct table_node by_name; /* config_device_find */
	struct table_node by_user; /* config_device_by_user */
};

struct config_sip {
	uint32_t expires_min_s, expires_max_s;
	uint32_t session_expires_s;   /* session timers; 0 = none */
	uint32_t min_se_s;	      /* not above the one before, unless 0 */
	uint32_t t1_ms, t2_ms, t4_ms; /* RFC 3261 timers */
	enum config_icon security_icon;
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
	uint32_t nonce_lifetime_min; /* minutes */
	const char *server_name;     /* Server header; "" = none */
	const char *state_directory; /* absolute */
	const char *control_socket;  /* absolute */
	enum config_sandbox sandbox;
	uint32_t workers;	       /* 0 = one for each processor */
	uint32_t session_lifetime_min; /* of TLS sessions; 0 = none resumed */
	uint32_t expiry_warning_days;  /* before a certificate ends; 0 = off */
	uint32_t restart_lease_s;
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
	struct config_limits limits;
	struct config_device *device;
	uint32_t device_count;
	/* private: use the functions below */
	struct config_block *blocks;
	struct table devices_by_name, devices_by_user, devices_by_line;
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
/* Security mode that counts: nonsecure where the cluster is nonsecure. */
enum config_device_mode config_device_mode(const struct config *c,
					   const struct config_device *d);
/* Media policy that counts: RTP only where the cluster is nonsecure. */
enum config_media_policy config_device_media(const struct config *c,
					     const struct config_device *d);

/* What worker number (from 0) is bound to towards call manager m: the port is
 * local-address's plus its number. */
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

/*
 * Warn in rep when the limits of c need more descriptors than a process may
 * have, or more relay ports than there are.
 */
void config_check_needs(const struct config *c, uint64_t descriptors,
			struct config_report *rep);

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
