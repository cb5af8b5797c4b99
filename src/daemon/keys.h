/*
 * The keys process: holds private keys and the key of the credential store,
 * signs, decrypts and checks for its clients, and never sees network bytes.
 * Requests are those of priv/keys_wire.h. Refusals are counted and logged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "priv/keys_wire.h"
#include "priv/sandbox.h"

struct keys;

enum { KEYS_ERR_MAX = 512, KEYS_NAMED_MAX = 64 };

/* Permissions of a worker's and of the monitor's client channel. */
enum {
	KEYS_CLIENT_WORKER = 1u << KEYS_OP_SIGN | 1u << KEYS_OP_DECRYPT |
			     1u << KEYS_OP_PUBKEY | 1u << KEYS_OP_CHECK |
			     1u << KEYS_OP_TICKET | 1u << KEYS_OP_WRAP |
			     1u << KEYS_OP_UNWRAP | 1u << KEYS_OP_NONCE |
			     1u << KEYS_OP_ANSWER,
	KEYS_CLIENT_MONITOR = 1u << KEYS_OP_PUBKEY | 1u << KEYS_OP_SEAL |
			      1u << KEYS_OP_SEAL_REALM
};

/* Counters since the start. */
struct keys_stats {
	uint64_t requests[KEYS_OP_COUNT]; /* by op; 0: unreadable */
	uint64_t refused; /* not permitted, unknown key or algorithm */
	uint64_t failed;  /* wrong responses (CHECK) */
};

/* A key ring without keys; keys of tickets live in memory. ERR_NOMEM. */
MUST_CHECK int keys_new(struct keys **ret);
/* What this boot of the host is called (daemon/setup.h); until then, or when
 * it is empty, every key ring has a boot of its own. */
void keys_boot(struct keys *k, struct slice name);
/* Wipe and free; takes NULL, returns NULL. */
struct keys *keys_free(struct keys *k);
/*
 * Load the private key in a PEM file, or name the one that a PKCS#11 URI leads
 * to, under a name (up to SIGNER_KEY_ID_MAX bytes; empty: by its public key).
 * The file must be regular, owned by root or who we were at keys_new, and closed
 * to group and others (mode & 077 == 0). ERR_DENIED (permissions), ERR_IO,
 * ERR_BAD, ERR_EXISTS, ERR_LIMIT, with reterr (KEYS_ERR_MAX bytes) naming file
 * and cure.
 */
MUST_CHECK int keys_load(struct keys *k, struct slice name, const char *path,
			 char *reterr);
/* Load the 32-byte key of the credential store; when the file does not exist
 * it is made (mode 0600, random). Errors as keys_load. */
MUST_CHECK int keys_load_store_key(struct keys *k, const char *path,
				   char *reterr);
/* Keep the keys of session tickets in the file at path, encrypted with the key
 * of the credential store, which must be loaded; each is in use for period_s
 * seconds (daemon/tickets.h). ERR_STATE, ERR_IO, ERR_DENIED, ERR_NOMEM. */
MUST_CHECK int keys_load_tickets(struct keys *k, const char *path,
				 uint32_t period_s, char *reterr);
/* A reload: the key in the PEM file open at fd is wanted, whether it is there
 * already or not. fd stays the caller's. Errors as keys_load. */
MUST_CHECK int keys_load_fd(struct keys *k, int fd, char *reterr);
/* A reload: the key of this PKCS#11 URI is wanted. It must be there, since a
 * token cannot be opened in the sandbox: ERR_NOTFOUND. */
MUST_CHECK int keys_keep_token(struct keys *k, struct slice uri, char *reterr);
/* All wanted keys are there: see keyring_commit. */
void keys_commit(struct keys *k);
/* Everybody uses them: see keyring_settle. */
void keys_settle(struct keys *k);
/* Answer one request of a client with permissions may (KEYS_CLIENT_*) into w
 * (KEYS_ANSWER_MAX bytes). Always writes an answer. */
void keys_serve(struct keys *k, uint32_t may, struct slice request,
		struct writer *w);
/* Counters; lifetime of k. */
const struct keys_stats *keys_stats(const struct keys *k);

/*
 * What the monitor and the role say on the control channel. Monitor: a client's
 * line (daemon/wire.h), or "M" with its own; or a reload: for each key FILE
 * with a descriptor or TOKEN with the URI behind it, then END, or ABORT when it
 * cannot go on; and SETTLED when all workers have taken up the last reload.
 * Role: READY once; RELOADED, or the text of an error, after END.
 */
#define KEYS_READY	  "ready"
#define KEYS_RELOADED	  "reloaded"
#define KEYS_RELOAD_FILE  "F"
#define KEYS_RELOAD_TOKEN "T"
#define KEYS_RELOAD_END	  "E"
#define KEYS_RELOAD_ABORT "A"
#define KEYS_SETTLED	  "S"

struct keys_main_params {
	const char *const *files; /* private keys: paths, PKCS#11 URIs */
	size_t file_count;
	const char *store_key;	 /* path, NULL = no credentials */
	const char *ticket_file; /* path, NULL = keys of tickets in memory */
	uint32_t ticket_period_s;
	int control_fd; /* from the monitor: SEQPACKET; when it closes the
			   process ends. A message with one fd, as
			   dwire_adopt_write writes it or the byte 'M', adds a
			   client with a worker's or the monitor's
			   permissions. It answers "ready" once. */
	struct sandbox_params sandbox;
};

/*
 * The role: load the keys, enter the sandbox, say "ready" on the control
 * channel, serve until it closes or SIGTERM. Returns the exit status; what went
 * wrong was logged.
 */
int keys_main(const struct keys_main_params *p);
