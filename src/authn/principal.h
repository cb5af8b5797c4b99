/*
 * Who somebody turned out to be, and what authentication decided. Filled by
 * the pipeline from what tls/, digest.h and nonce.h found; read by authz/ and
 * the log.
 */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/slice.h"

enum principal_kind {
	PRINCIPAL_NONE,	  /* nobody yet */
	PRINCIPAL_CERT,	  /* by a verified TLS certificate */
	PRINCIPAL_DIGEST, /* by a password */
	PRINCIPAL_ADDR,	  /* by its address, where policy trusts it */
	PRINCIPAL_TRUNK	  /* a trunk, by what its section asks for */
};

/* What protects the signalling he came over. */
enum principal_level {
	PRINCIPAL_NONSECURE,	 /* clear text */
	PRINCIPAL_AUTHENTICATED, /* TLS, integrity only */
	PRINCIPAL_ENCRYPTED	 /* TLS with a real cipher */
};

struct config_trunk;

struct principal {
	enum principal_kind kind;
	enum principal_level level;
	struct slice device; /* name of device or trunk; views memory of the
				connection or configuration */
	struct slice user;   /* digest user; empty without digest */
	/* TRUNK: its section, with its profile; the configuration's. */
	const struct config_trunk *trunk;
	struct addr source; /* where he is */
};

enum authn_verdict {
	AUTHN_OK,	 /* go on */
	AUTHN_CHALLENGE, /* 401: no credentials, or for another realm */
	AUTHN_STALE,	 /* 401 with stale=true: right, but an old nonce */
	AUTHN_WRONG,	 /* wrong password, forged or replayed: 401, counted */
	AUTHN_REFUSE	 /* 403: may not come in at all */
};

/* "none", "certificate", "digest", "address", "trunk". Static. */
const char *principal_kind_str(enum principal_kind k);
/* "nonsecure", "authenticated", "encrypted". Static. */
const char *principal_level_str(enum principal_level l);
/* "ok", "challenge", "stale", "wrong", "refuse". Static. */
const char *authn_verdict_str(enum authn_verdict v);
/*
 * May principal p act as device name (in a REGISTER or a From)? True when the
 * names are equal (case-insensitive) and p is somebody, but no trunk.
 */
bool principal_is_device(const struct principal *p, struct slice name);
