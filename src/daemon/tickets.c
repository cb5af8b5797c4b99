#include "daemon/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/reader.h"
#include "base/secret.h"
#include "daemon/keyfile.h"
#include "log/log.h"
#include "tls/creds.h"
#include "tls/random.h"
#include "tls/seal.h"

enum {
	PLACES = 2,
	PLAIN_LEN = 4 + 1 + TICKETS_KEPT * (8 + TLS_TICKET_KEY_LEN),
	PLACE_LEN = PLAIN_LEN + SEAL_OVERHEAD
};

struct key {
	int64_t made_s;
	uint8_t bytes[TLS_TICKET_KEY_LEN];
};

struct tickets {
	int fd; /* -1: memory only */
	struct slice seal_key;
	uint32_t period_s;
	uint32_t number; /* of the writing; its parity is the place */
	struct key key[TICKETS_KEPT]; /* the newest first */
	unsigned count;
};

static struct slice bound_to(void)
{
	return slice_str("sallyport ticket keys");
}

/* ---- the file ------------------------------------------------------------- */

static int read_at(int fd, off_t at, uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		done += (size_t)n;
	}
	return 0;
}

static void parse(struct tickets *t, struct slice plain)
{
	struct reader r;
	uint32_t number;
	unsigned count;

	reader_init(&r, plain);
	number = reader_u32be(&r);
	count = reader_u8(&r);
	if (count > TICKETS_KEPT || (t->count > 0 && number < t->number))
		return;
	t->number = number;
	t->count = count;
	for (unsigned i = 0; i < TICKETS_KEPT; i++) {
		struct slice key;

		t->key[i].made_s = (int64_t)reader_u64be(&r);
		key = reader_bytes(&r, TLS_TICKET_KEY_LEN);
		if (reader_ok(&r))
			memcpy(t->key[i].bytes, key.ptr, key.len);
	}
	if (!reader_ok(&r))
		t->count = 0;
}

/* The newest of the places that can be decrypted, if one can. */
static void load(struct tickets *t)
{
	uint8_t blob[PLACE_LEN];
	uint8_t plain[PLAIN_LEN];
	size_t len = 0;

	for (int i = 0; i < PLACES; i++)
		if (read_at(t->fd, (off_t)i * PLACE_LEN, blob, PLACE_LEN) ==
			    0 &&
		    seal_open(t->seal_key, bound_to(),
			      slice_make(blob, PLACE_LEN), plain, sizeof(plain),
			      &len) == 0)
			parse(t, slice_make(plain, len));
	secret_wipe(plain, sizeof(plain));
}

static bool write_place(int fd, off_t at, struct slice blob)
{
	return lseek(fd, at, SEEK_SET) == at &&
	       write(fd, blob.ptr, blob.len) == (ssize_t)blob.len;
}

/* Not synced: what a power failure takes is worth full handshakes only. */
static void save(struct tickets *t)
{
	uint8_t plain[PLAIN_LEN] = {0};
	uint8_t blob[PLACE_LEN];
	struct writer w;
	struct writer b;

	if (t->fd < 0)
		return;
	t->number++;
	writer_init(&w, plain, sizeof(plain));
	writer_u32be(&w, t->number);
	writer_u8(&w, (uint8_t)t->count);
	for (unsigned i = 0; i < TICKETS_KEPT; i++) {
		writer_u64be(&w, (uint64_t)t->key[i].made_s);
		writer_bytes(&w, t->key[i].bytes, TLS_TICKET_KEY_LEN);
	}
	writer_init(&b, blob, sizeof(blob));
	if (seal_close(t->seal_key, bound_to(), writer_slice(&w), &b) != 0 ||
	    !write_place(t->fd, (off_t)(t->number % PLACES) * PLACE_LEN,
			 writer_slice(&b)))
		log_error("the keys of session tickets cannot be stored: %s",
			  strerror(errno));
	secret_wipe(plain, sizeof(plain));
}

static int open_file(const char *path, int *ret_fd, char *reterr)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0)
		return keyfile_explain_errno(reterr, path, "cannot open");
	err = keyfile_check(fd, path, geteuid(), reterr);
	if (err)
		(void)close(fd);
	else
		*ret_fd = fd;
	return err;
}

int tickets_open(const char *path, struct slice seal_key, uint32_t period_s,
		 struct tickets **ret, char *reterr)
{
	struct tickets *t = alloc_zero(sizeof(*t));
	int err = 0;

	if (!t)
		return keyfile_explain(reterr, path ? path : "tickets",
				       "no memory", ERR_NOMEM);
	t->fd = -1;
	t->seal_key = seal_key;
	t->period_s = period_s;
	if (path)
		err = open_file(path, &t->fd, reterr);
	if (err) {
		(void)tickets_free(t);
		return err;
	}
	if (path)
		load(t);
	*ret = t;
	return 0;
}

struct tickets *tickets_free(struct tickets *t)
{
	if (!t)
		return NULL;
	if (t->fd >= 0)
		(void)close(t->fd);
	secret_wipe(t->key, sizeof(t->key));
	return alloc_free(t);
}

/* A key of the future was made by a clock that was wrong: it goes, too. */
static bool is_over(const struct key *k, int64_t now_s, int64_t age_s)
{
	return now_s - k->made_s >= age_s || k->made_s - now_s >= age_s;
}

void tickets_get(struct tickets *t, int64_t now_s, struct writer *ret)
{
	struct entropy e = tls_entropy();
	int64_t period_s = t->period_s;

	/* Its last ticket was made a period after the key, and is good for
	 * another one. */
	while (t->count > 0 &&
	       is_over(&t->key[t->count - 1], now_s, 2 * period_s))
		secret_wipe(&t->key[--t->count], sizeof(t->key[0]));
	if (t->count == 0 || is_over(&t->key[0], now_s, period_s)) {
		t->key[1] = t->key[0];
		t->count = t->count > 0 ? 2 : 1;
		t->key[0].made_s = now_s;
		entropy_fill(&e, t->key[0].bytes, TLS_TICKET_KEY_LEN);
		save(t);
	}
	for (unsigned i = 0; i < t->count; i++)
		writer_bytes(ret, t->key[i].bytes, TLS_TICKET_KEY_LEN);
}
