#include "daemon/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "authn/digest.h"
#include "base/alloc.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/config.h"
#include "daemon/keyfile.h"
#include "daemon/tickets.h"
#include "log/log.h"
#include "loop/loop.h"
#include "tls/creds.h"
#include "tls/keyring.h"
#include "tls/random.h"
#include "tls/seal.h"

enum {
	AAD_MAX = 512, /* users and realms have at most 128 bytes */
	PLAIN_MAX = KEYS_BLOB_MAX - SEAL_OVERHEAD,
	BOOT_MAX = 64,
	TICKET_PERIOD_S = 24 * 3600 /* unless the configuration says it */
};

struct keys {
	struct keyring *ring;
	struct secret store_key; /* empty: no credentials */
	struct tickets *tickets;
	uint8_t boot[BOOT_MAX]; /* the host's: of the time in nonces */
	size_t boot_len;
	uid_t owner; /* of key files, beside root: who we are at the start */
	struct keys_stats stats;
};

int keys_new(struct keys **ret)
{
	struct keys *k = alloc_zero(sizeof(*k));
	struct entropy e = tls_entropy();
	char why[KEYS_ERR_MAX];
	int err;

	if (!k)
		return ERR_NOMEM;
	k->owner = geteuid();
	entropy_fill(&e, k->boot, sizeof(k->boot));
	k->boot_len = sizeof(k->boot);
	err = tickets_open(NULL, SLICE_NULL, TICKET_PERIOD_S, &k->tickets, why);
	if (!err)
		err = keyring_new(&k->ring);
	if (err) {
		(void)keys_free(k);
		return err;
	}
	*ret = k;
	return 0;
}

void keys_boot(struct keys *k, struct slice name)
{
	if (name.len == 0 || name.len > sizeof(k->boot))
		return;
	memcpy(k->boot, name.ptr, name.len);
	k->boot_len = name.len;
}

struct keys *keys_free(struct keys *k)
{
	if (!k)
		return NULL;
	(void)keyring_free(k->ring);
	(void)tickets_free(k->tickets);
	secret_done(&k->store_key);
	return alloc_free(k);
}

const struct keys_stats *keys_stats(const struct keys *k)
{
	return &k->stats;
}

/* ---- private keys --------------------------------------------------------- */

static int explain_key(char *reterr, const char *path, struct slice pem,
		       int err)
{
	if (err == ERR_BAD && text_find(pem, "ENCRYPTED") >= 0)
		return keyfile_explain(
			reterr, path,
			"the private key is encrypted, and nobody is there "
			"to type a password: store it decrypted (openssl pkey) "
			"or in a PKCS#11 token",
			err);
	if (err == ERR_BAD)
		return keyfile_explain(reterr, path, "no private key in PEM",
				       err);
	if (err == ERR_UNSUPPORTED)
		return keyfile_explain(reterr, path,
				       "neither an RSA nor an ECDSA key", err);
	return keyfile_explain(reterr, path, err_str(err), err);
}

/* The key in an open file into the ring. The sandbox makes us another account,
 * whose files our successor, who begins as root, would refuse. */
static int add_file(struct keys *k, struct slice name, int fd, const char *path,
		    char *reterr)
{
	uint8_t *buf = alloc_zero(KEYFILE_MAX);
	size_t len = 0;
	int err;

	if (!buf)
		return keyfile_explain(reterr, path, "no memory", ERR_NOMEM);
	err = keyfile_read_fd(fd, path, k->owner, buf, &len, reterr);
	if (!err) {
		err = keyring_add(k->ring, name, slice_make(buf, len));
		if (err)
			(void)explain_key(reterr, path, slice_make(buf, len),
					  err);
	}
	secret_wipe(buf, KEYFILE_MAX);
	(void)alloc_free(buf);
	return err;
}

/* The path in the pin-source of a URI; empty without one. */
static int pin_path(const char *uri, char path[KEYS_ERR_MAX], char *reterr)
{
	const char *at = strstr(uri, "pin-source=");
	size_t len;

	path[0] = '\0';
	if (!at)
		return 0;
	at += strlen("pin-source=");
	if (strncmp(at, "file:", strlen("file:")) == 0)
		at += strlen("file:");
	len = strcspn(at, ";&?");
	if (at[0] != '/' || len >= KEYS_ERR_MAX || memchr(at, '%', len))
		return keyfile_explain(reterr, uri,
				       "pin-source must be file: and an "
				       "absolute path without %",
				       ERR_BAD);
	memcpy(path, at, len);
	path[len] = '\0';
	return 0;
}

static int add_token(struct keyring *ring, struct slice name, const char *uri,
		     char *reterr)
{
	char path[KEYS_ERR_MAX];
	uint8_t *buf = alloc_zero(KEYFILE_MAX);
	const char *why = "";
	size_t len = 0;
	int err = buf ? pin_path(uri, path, reterr) : ERR_NOMEM;

	/* The file with the PIN must be as closed as a key: it is one. */
	if (!err && path[0])
		err = keyfile_read(path, buf, &len, reterr);
	while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
		len--;
	if (!err) {
		err = keyring_add_token(ring, name, uri, slice_make(buf, len),
					&why);
		if (err)
			(void)keyfile_explain(reterr, uri,
					      why[0] ? why : err_str(err), err);
	}
	if (buf)
		secret_wipe(buf, KEYFILE_MAX);
	(void)alloc_free(buf);
	return err;
}

int keys_load(struct keys *k, struct slice name, const char *path, char *reterr)
{
	int fd;
	int err;

	if (config_key_is_token(path))
		return add_token(k->ring, name, path, reterr);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return keyfile_explain_errno(reterr, path, "cannot open");
	err = add_file(k, name, fd, path, reterr);
	(void)close(fd);
	return err;
}

int keys_load_fd(struct keys *k, int fd, char *reterr)
{
	int err = add_file(k, SLICE_NULL, fd, "private key", reterr);

	return err == ERR_EXISTS ? 0 : err;
}

int keys_keep_token(struct keys *k, struct slice uri, char *reterr)
{
	int err = keyring_keep_token(k->ring, uri);

	return err ? keyfile_explain(reterr, "private key",
				     "another PKCS#11 token or object needs a "
				     "restart",
				     err)
		   : 0;
}

void keys_commit(struct keys *k)
{
	keyring_commit(k->ring);
}

void keys_settle(struct keys *k)
{
	keyring_settle(k->ring);
}

/* ---- the key of the store, and those of tickets --------------------------- */

int keys_load_tickets(struct keys *k, const char *path, uint32_t period_s,
		      char *reterr)
{
	struct tickets *t = NULL;
	int err;

	if (!k->store_key.ptr)
		return keyfile_explain(reterr, path,
				       "no key to encrypt it with", ERR_STATE);
	err = tickets_open(path, secret_slice(&k->store_key), period_s, &t,
			   reterr);
	if (err)
		return err;
	(void)tickets_free(k->tickets);
	k->tickets = t;
	return 0;
}

/* A new random store key, written so that a crash leaves all or nothing. */
static int make_store_key(const char *path, char *reterr)
{
	struct entropy e = tls_entropy();
	uint8_t key[SEAL_KEY_LEN];
	char tmp[2048];
	int fd;
	bool ok;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return keyfile_explain(reterr, path, "path too long",
				       ERR_LIMIT);
	(void)unlink(tmp); /* left by a crash, or not there */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return keyfile_explain_errno(reterr, tmp, "cannot make");
	entropy_fill(&e, key, sizeof(key));
	ok = write(fd, key, sizeof(key)) == (ssize_t)sizeof(key) &&
	     fsync(fd) == 0;
	secret_wipe(key, sizeof(key));
	ok = close(fd) == 0 && ok;
	/* link, not rename: a key that appeared meanwhile is not replaced. */
	if (!ok || link(tmp, path) < 0) {
		int err = keyfile_explain_errno(reterr, path, "cannot write");

		(void)unlink(tmp);
		return err;
	}
	(void)unlink(tmp);
	log_info("keys: made a new key of the credential store path=%s", path);
	return 0;
}

int keys_load_store_key(struct keys *k, const char *path, char *reterr)
{
	uint8_t *buf;
	size_t len = 0;
	int err = 0;

	if (k->store_key.ptr)
		return keyfile_explain(reterr, path, "already loaded",
				       ERR_EXISTS);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		err = make_store_key(path, reterr);
	if (err)
		return err;
	buf = alloc_zero(KEYFILE_MAX);
	if (!buf)
		return keyfile_explain(reterr, path, "no memory", ERR_NOMEM);
	err = keyfile_read(path, buf, &len, reterr);
	if (!err && len != SEAL_KEY_LEN)
		err = keyfile_explain(reterr, path, "not a key of 32 bytes",
				      ERR_BAD);
	if (!err)
		err = secret_init(&k->store_key, slice_make(buf, len));
	secret_wipe(buf, KEYFILE_MAX);
	(void)alloc_free(buf);
	return err;
}

/* What a credential is bound to: a blob of one user is nothing for another. */
static struct slice make_aad(struct slice user, struct slice realm,
			     uint8_t buf[AAD_MAX])
{
	struct writer w;

	writer_init(&w, buf, AAD_MAX);
	writer_str(&w, "sallyport credential");
	writer_blob(&w, user);
	writer_blob(&w, realm);
	return writer_slice(&w); /* empty when user and realm are too long */
}

static int do_seal(struct keys *k, const struct keys_request *q,
		   struct writer *ret)
{
	uint8_t plain[PLAIN_MAX];
	uint8_t aad[AAD_MAX];
	struct slice bound = make_aad(q->user, q->realm, aad);
	struct writer w;
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	if (bound.len == 0 || q->user.len == 0)
		return ERR_BAD;
	writer_init(&w, plain, sizeof(plain));
	writer_u8(&w, q->ha1_count);
	for (uint8_t i = 0; i < q->ha1_count; i++) {
		if (q->ha1[i].alg >= DIGEST_COUNT ||
		    q->ha1[i].hex.len !=
			    digest_hex_len((enum digest_alg)q->ha1[i].alg))
			writer_bytes(&w, NULL, sizeof(plain) + 1);
		writer_u8(&w, q->ha1[i].alg);
		writer_blob(&w, q->ha1[i].hex);
	}
	err = writer_ok(&w) ? seal_close(secret_slice(&k->store_key), bound,
					 writer_slice(&w), ret)
			    : ERR_BAD;
	secret_wipe(plain, sizeof(plain));
	return err;
}

/* The HA1 of alg in an opened credential, a view of plain. */
static int find_ha1(struct slice plain, uint8_t alg, struct slice *ret)
{
	struct reader r;
	uint8_t count;

	reader_init(&r, plain);
	count = reader_u8(&r);
	for (uint8_t i = 0; i < count && reader_ok(&r); i++) {
		uint8_t a = reader_u8(&r);
		struct slice hex = reader_blob(&r);

		if (reader_ok(&r) && a == alg) {
			*ret = hex;
			return 0;
		}
	}
	return reader_ok(&r) ? ERR_NOTFOUND : ERR_BAD;
}

/* What the store keeps sealed for c, under the names it is bound to. ret of
 * PLAIN_MAX bytes is a secret, to be wiped whatever is returned. */
static int open_stored(const struct keys *k, const struct keys_check *c,
		       struct slice bound, uint8_t *ret, size_t *ret_len)
{
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	if (bound.len == 0 || c->alg >= DIGEST_COUNT)
		return ERR_BAD;
	err = seal_open(secret_slice(&k->store_key), bound, c->blob, ret,
			PLAIN_MAX, ret_len);
	/* A wrong blob is our own trouble, not a wrong password. */
	return err == ERR_AUTH ? ERR_BAD : err;
}

static int do_check(struct keys *k, const struct keys_check *c)
{
	uint8_t plain[PLAIN_MAX];
	uint8_t aad[AAD_MAX];
	struct slice bound = make_aad(c->user, c->realm, aad);
	struct digest_fields f = {.alg = (enum digest_alg)c->alg,
				  .method = c->method,
				  .uri = c->uri,
				  .nonce = c->nonce,
				  .qop = c->qop,
				  .nc = c->nc,
				  .cnonce = c->cnonce,
				  .body_hash = c->body_hash};
	struct digest_hex want = {.len = 0};
	struct slice ha1;
	size_t len = 0;
	int err;

	err = open_stored(k, c, bound, plain, &len);
	if (!err)
		err = find_ha1(slice_make(plain, len), c->alg, &ha1);
	if (!err)
		err = digest_response(ha1, &f, &want);
	if (!err && !digest_eq(&want, c->response))
		err = ERR_AUTH;
	secret_wipe(&want, sizeof(want));
	secret_wipe(plain, sizeof(plain));
	return err;
}

/* A worker's data key: what it leaves to its successor is encrypted with it,
 * without asking us each time, and it is left beside in a form that only we
 * can open. */
static const struct slice wrap_aad = SLICE("sallyport state");

static int do_wrap(struct keys *k, struct writer *ret)
{
	struct entropy e = tls_entropy();
	uint8_t key[KEYS_WRAP_LEN];
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	entropy_fill(&e, key, sizeof(key));
	writer_bytes(ret, key, sizeof(key));
	err = seal_close(secret_slice(&k->store_key), wrap_aad,
			 slice_make(key, sizeof(key)), ret);
	secret_wipe(key, sizeof(key));
	return err;
}

/* The key outlives reboots, so that a nonce of before is stale and no forgery;
 * the clock does not, so a nonce says which boot's time it is. */
static int do_nonce(struct keys *k, struct writer *ret)
{
	static const char label[] = "sallyport boot";
	uint8_t text[sizeof(label) + BOOT_MAX];
	uint8_t boot[SEAL_KEY_LEN];
	uint8_t key[SEAL_KEY_LEN];
	struct writer w;
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	err = seal_derive(secret_slice(&k->store_key),
			  slice_str("sallyport nonce"), key);
	writer_init(&w, text, sizeof(text));
	writer_bytes(&w, label, sizeof(label));
	writer_bytes(&w, k->boot, k->boot_len);
	if (!err)
		err = seal_derive(secret_slice(&k->store_key), writer_slice(&w),
				  boot);
	if (!err) {
		writer_bytes(ret, key, sizeof(key));
		writer_bytes(ret, boot, KEYS_BOOT_LEN);
	}
	secret_wipe(key, sizeof(key));
	return err;
}

static int do_unwrap(struct keys *k, struct slice wrapped, struct writer *ret)
{
	uint8_t key[KEYS_WRAP_LEN];
	size_t len = 0;
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	err = seal_open(secret_slice(&k->store_key), wrap_aad, wrapped, key,
			sizeof(key), &len);
	if (!err)
		writer_bytes(ret, key, len);
	secret_wipe(key, sizeof(key));
	return err == ERR_AUTH ? ERR_BAD : err;
}

/* A realm's credentials are bound to it, and are no phone's. */
static struct slice realm_aad(struct slice realm, uint8_t buf[AAD_MAX])
{
	struct writer w;

	writer_init(&w, buf, AAD_MAX);
	writer_str(&w, "sallyport realm");
	writer_blob(&w, realm);
	return writer_slice(&w);
}

static int do_seal_realm(struct keys *k, const struct keys_request *q,
			 struct writer *ret)
{
	uint8_t plain[PLAIN_MAX];
	uint8_t aad[AAD_MAX];
	struct slice bound = realm_aad(q->realm, aad);
	struct writer w;
	int err;

	if (!k->store_key.ptr)
		return ERR_STATE;
	writer_init(&w, plain, sizeof(plain));
	writer_blob(&w, q->user);
	writer_blob(&w, q->data);
	err = writer_ok(&w) && bound.len > 0 && q->realm.len > 0 &&
			      q->user.len > 0
		      ? seal_close(secret_slice(&k->store_key), bound,
				   writer_slice(&w), ret)
		      : ERR_BAD;
	secret_wipe(plain, sizeof(plain));
	return err;
}

static int answer_with(struct slice plain, const struct keys_check *c,
		       struct writer *ret)
{
	struct digest_fields f = {.alg = (enum digest_alg)c->alg,
				  .method = c->method,
				  .uri = c->uri,
				  .nonce = c->nonce,
				  .qop = c->qop,
				  .nc = c->nc,
				  .cnonce = c->cnonce,
				  .body_hash = c->body_hash};
	struct digest_hex response = {.len = 0};
	struct digest_hex ha1 = {.len = 0};
	struct slice password;
	struct slice user;
	struct reader r;
	int err;

	reader_init(&r, plain);
	user = reader_blob(&r);
	password = reader_blob(&r);
	if (!reader_end(&r))
		return ERR_BAD;
	err = digest_ha1(f.alg, user, c->realm, password, &ha1);
	if (!err)
		err = digest_response(digest_hex_slice(&ha1), &f, &response);
	secret_wipe(&ha1, sizeof(ha1));
	if (err)
		return err;
	writer_blob(ret, user);
	writer_blob(ret, digest_hex_slice(&response));
	return writer_ok(ret) ? 0 : ERR_SPACE;
}

/* The password leaves its cipher here only, for this one calculation. */
static int do_answer(struct keys *k, const struct keys_check *c,
		     struct writer *ret)
{
	uint8_t plain[PLAIN_MAX];
	uint8_t aad[AAD_MAX];
	struct slice bound = realm_aad(c->realm, aad);
	size_t len = 0;
	int err;

	err = open_stored(k, c, bound, plain, &len);
	if (!err)
		err = answer_with(slice_make(plain, len), c, ret);
	secret_wipe(plain, sizeof(plain));
	return err;
}

static int serve(struct keys *k, const struct keys_request *q,
		 struct writer *ret)
{
	const struct signer *s = keyring_signer(k->ring);

	switch ((enum keys_op)q->op) {
	case KEYS_OP_SIGN:
		return s->sign(s->ctx, q->key, q->alg, q->data, ret);
	case KEYS_OP_DECRYPT:
		return s->decrypt(s->ctx, q->key, q->data, ret);
	case KEYS_OP_PUBKEY:
		return keyring_pubkey(k->ring, q->key, ret);
	case KEYS_OP_SEAL:
		return do_seal(k, q, ret);
	case KEYS_OP_CHECK:
		return do_check(k, &q->check);
	case KEYS_OP_SEAL_REALM:
		return do_seal_realm(k, q, ret);
	case KEYS_OP_ANSWER:
		return do_answer(k, &q->check, ret);
	case KEYS_OP_TICKET:
		tickets_get(k->tickets, (int64_t)loop_wall_s(), ret);
		return writer_ok(ret) ? 0 : ERR_SPACE;
	case KEYS_OP_WRAP:
		return do_wrap(k, ret);
	case KEYS_OP_UNWRAP:
		return do_unwrap(k, q->data, ret);
	case KEYS_OP_NONCE:
		return do_nonce(k, ret);
	case KEYS_OP_COUNT:
		break;
	}
	return ERR_UNSUPPORTED;
}

void keys_serve(struct keys *k, uint32_t may, struct slice request,
		struct writer *w)
{
	struct keys_request q = {.op = 0};
	struct keys_answer a;
	uint8_t out[KEYS_ANSWER_MAX - 64];
	struct writer result;

	writer_init(&result, out, sizeof(out));
	if (keys_request_parse(request, &q, &a) != 0) {
		k->stats.requests[0]++;
		k->stats.refused++;
		keys_answer_print(&a, w);
		return;
	}
	k->stats.requests[q.op]++;
	a = (struct keys_answer){.number = q.number, .op = q.op};
	a.err = may & KEYS_MAY(q.op) ? serve(k, &q, &result) : ERR_DENIED;
	if (!a.err)
		a.data = writer_slice(&result);
	if (a.err == ERR_AUTH)
		k->stats.failed++;
	else if (a.err)
		k->stats.refused++;
	keys_answer_print(&a, w);
	secret_wipe(out, result.len);
}
