/*
 * What the keys process is asked and what it answers: tagged byte strings,
 * read and written here by both sides. Pure functions. One request is one
 * channel message and gets exactly one answer with the same number, in order.
 *
 * Request: u8 version, u8 op, u32 number, then the op's fields as blobs.
 * Answer:  u8 version, u8 op, u32 number, u8 minus the enum err, one blob.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

enum { KEYS_WIRE_VERSION = 1 };

enum keys_op {
	KEYS_OP_SIGN = 1,    /* key, alg, data -> signature */
	KEYS_OP_DECRYPT = 2, /* key, data -> plain text */
	KEYS_OP_PUBKEY = 3,  /* key -> SubjectPublicKeyInfo, DER */
	KEYS_OP_SEAL = 4,    /* user, realm, ha1s -> blob */
	KEYS_OP_CHECK = 5,   /* blob, user, realm, digest fields -> empty when
				the response is right, ERR_AUTH when not */
	KEYS_OP_TICKET = 6,  /* -> TLS_TICKET_KEY_LEN bytes, the same for all */
	KEYS_OP_WRAP = 7,    /* -> a new key (KEYS_WRAP_LEN), and the same
				encrypted for KEYS_OP_UNWRAP */
	KEYS_OP_UNWRAP = 8,  /* data -> the key */
	KEYS_OP_NONCE = 9,   /* -> KEYS_WRAP_LEN bytes, the key of nonces: the
				same for all, and after a restart; then
				KEYS_BOOT_LEN bytes that name the boot */
	KEYS_OP_SEAL_REALM = 10, /* user, realm, data: password -> blob */
	KEYS_OP_ANSWER = 11,	 /* check without user and response -> user and
			       response, as blobs */
	KEYS_OP_COUNT
};

/* Bit of an op in a client's permissions. */
#define KEYS_MAY(op) (1u << (op))

enum {
	KEYS_MSG_MAX = 16384,	/* bytes of a request */
	KEYS_ANSWER_MAX = 2048, /* bytes of an answer */
	KEYS_HA1_HEX_MAX = 64,	/* digits of one HA1 */
	KEYS_HA1S_MAX = 4,	/* HA1s of a credential, one per algorithm */
	KEYS_BLOB_MAX = 512,	/* bytes of a sealed credential */
	KEYS_BOOT_LEN = 6,	/* bytes that name a boot of the host */
	KEYS_WRAP_LEN = 32,	/* bytes of a key that is wrapped */
	KEYS_WRAPPED_MAX = 64	/* bytes of it encrypted */
};

/* H(user:realm:password) in lower-case hexadecimal. A secret. */
struct keys_ha1 {
	uint8_t alg;	  /* enum digest_alg (authn/digest.h) */
	struct slice hex; /* 1..KEYS_HA1_HEX_MAX digits */
};

/* A digest response to check, as it stood in the Authorization header,
 * unquoted. RFC 7616 section 3.4. */
struct keys_check {
	struct slice blob; /* sealed credential */
	struct slice user; /* username */
	struct slice realm;
	uint8_t alg;	     /* enum digest_alg */
	struct slice method; /* of the request */
	struct slice uri;    /* digest-uri */
	struct slice nonce;
	struct slice nc;	/* 8 hex digits; empty without qop */
	struct slice cnonce;	/* empty without qop */
	struct slice qop;	/* "auth", "auth-int" or empty */
	struct slice response;	/* hexadecimal */
	struct slice body_hash; /* hexadecimal; with "auth-int" */
};

/* One request; which fields count depends on op. Slices point into the
 * bytes it was read from, or to the caller's. */
struct keys_request {
	uint32_t number;  /* comes back in the answer */
	uint8_t op;	  /* enum keys_op */
	uint16_t alg;	  /* SIGN: as in pki/signer.h */
	struct slice key; /* SIGN, DECRYPT, PUBKEY: name */
	struct slice
		data; /* SIGN: hash; DECRYPT: cipher text; UNWRAP; SEAL_REALM:
			       password */
	struct slice user;		    /* SEAL, SEAL_REALM */
	struct slice realm;		    /* SEAL, SEAL_REALM */
	struct keys_ha1 ha1[KEYS_HA1S_MAX]; /* SEAL */
	uint8_t ha1_count;		    /* SEAL: 1.. */
	struct keys_check check;	    /* CHECK, ANSWER */
};

struct keys_answer {
	uint32_t number;
	uint8_t op;	   /* of the request; 0 when it was unreadable */
	int err;	   /* enum err */
	struct slice data; /* result, empty on error */
};

/* Write q; the caller asks writer_ok. */
void keys_request_print(const struct keys_request *q, struct writer *w);
/* Read a request; *ret views bytes. ERR_BAD (grammar, lengths, trailing
 * bytes), ERR_UNSUPPORTED (version or op). *reterr is then the answer, with
 * the request's op and number as far as they could be read. */
MUST_CHECK int keys_request_parse(struct slice bytes, struct keys_request *ret,
				  struct keys_answer *reterr);
/* Write a; the caller asks writer_ok. */
void keys_answer_print(const struct keys_answer *a, struct writer *w);
/* Read an answer; *ret views bytes. ERR_BAD. */
MUST_CHECK int keys_answer_parse(struct slice bytes, struct keys_answer *ret);
