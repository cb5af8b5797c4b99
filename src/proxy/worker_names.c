/* Secrets that all workers and their successors share: of nonces, and of the
 * names that phones are told in place of others. */
#include "proxy/worker_int.h"

#include "base/secret.h"

int worker_nonce_key(struct worker *w, uint8_t ret[NONCE_KEY_MIN],
		     uint8_t ret_boot[NONCE_BOOT_LEN])
{
	uint8_t both[NONCE_KEY_MIN + NONCE_BOOT_LEN];
	struct writer key;
	int err = 0;

	if (!w->p.restores) {
		entropy_fill(&w->p.entropy, ret, NONCE_KEY_MIN);
		entropy_fill(&w->p.entropy, ret_boot, NONCE_BOOT_LEN);
		return 0;
	}
	writer_init(&key, both, sizeof(both));
	err = keys_client_nonce(w->keys, &key);
	if (!err && key.len != sizeof(both))
		err = ERR_BAD;
	if (!err) {
		memcpy(ret, both, NONCE_KEY_MIN);
		memcpy(ret_boot, both + NONCE_KEY_MIN, NONCE_BOOT_LEN);
	}
	secret_wipe(both, sizeof(both));
	return err;
}

static int cover_name(void *ctx, struct slice name, struct writer *w)
{
	const struct worker *worker = ctx;

	return cover_put(w, slice_make(worker->cover_key, COVER_KEY_LEN), name);
}

static int open_name(void *ctx, struct slice cover, struct writer *w)
{
	const struct worker *worker = ctx;

	return cover_open(w, slice_make(worker->cover_key, COVER_KEY_LEN),
			  cover);
}

int worker_names(struct worker *w, struct calls_names *ret)
{
	uint8_t key[NONCE_KEY_MIN];
	uint8_t boot[NONCE_BOOT_LEN];
	int err = worker_nonce_key(w, key, boot);

	if (!err)
		err = cover_key(slice_make(key, sizeof(key)), w->cover_key);
	secret_wipe(key, sizeof(key));
	*ret = (struct calls_names){
		.cover = cover_name, .open = open_name, .ctx = w};
	return err;
}
