#include "authn/nonce.h"

#include "authn/digest.h"
#include "base/alloc.h"
#include "base/b64.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/table.h"
#include "base/timerq.h"
#include "base/writer.h"

/*
 * A nonce is base64 of: issued_ms (8 bytes), random (8), worker (2), boot (6),
 * and the first 18 bytes of HMAC-SHA-256 over label, those 24 bytes and the
 * realm. 42 bytes leave no padding and no second spelling.
 */
enum {
	BODY_LEN = 18 + NONCE_BOOT_LEN,
	MAC_LEN = 18,
	RAW_LEN = BODY_LEN + MAC_LEN
};
enum { REALM_MAX = 256, WINDOW = 64 };

static const char label[] = "sallyport nonce 2";

struct entry {
	struct table_node node;	  /* by id */
	struct timerq_node timer; /* at expires_ms */
	uint8_t id[NONCE_ID_LEN];
	uint32_t highest; /* count seen */
	uint64_t seen;	  /* bit i: highest - i was used */
};

struct nonce_window {
	struct table table;
	struct timerq oldest;
	uint64_t floor_ms; /* nonces that expire up to here and are not in
			      the table may have been pushed out of it */
};

static int body_mac(const struct nonce_params *p, const uint8_t *body,
		    uint8_t *ret)
{
	uint8_t buf[sizeof(label) + BODY_LEN + REALM_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_bytes(&w, label, sizeof(label));
	writer_bytes(&w, body, BODY_LEN);
	writer_put(&w, p->realm);
	if (!writer_ok(&w) || p->key.len < NONCE_KEY_MIN)
		return ERR_BAD;
	return digest_hmac(p->key, writer_slice(&w), ret);
}

int nonce_make(const struct nonce_params *p, const struct entropy *e,
	       uint64_t now_ms, char *ret)
{
	uint8_t mac[DIGEST_HMAC_LEN];
	uint8_t raw[RAW_LEN];
	struct writer w;
	int err;

	writer_init(&w, raw, sizeof(raw));
	writer_u64be(&w, now_ms);
	writer_u64be(&w, entropy_u64(e));
	writer_u16be(&w, p->worker);
	writer_bytes(&w, p->boot, sizeof(p->boot));
	err = body_mac(p, raw, mac);
	if (err)
		return err;
	writer_bytes(&w, mac, MAC_LEN);
	writer_init(&w, ret, NONCE_LEN);
	b64_encode(&w, slice_make(raw, sizeof(raw)));
	return 0;
}

enum nonce_verdict nonce_check(const struct nonce_params *p, struct slice nonce,
			       uint64_t now_ms, struct nonce_info *ret)
{
	struct nonce_info info;
	uint8_t mac[DIGEST_HMAC_LEN];
	uint8_t raw[RAW_LEN];
	struct reader r;
	struct slice boot;
	size_t len;
	uint16_t worker;

	if (nonce.len != NONCE_LEN ||
	    b64_decode(nonce, raw, sizeof(raw), &len) != 0 || len != RAW_LEN ||
	    body_mac(p, raw, mac) != 0 ||
	    !secret_eq(slice_make(raw + BODY_LEN, MAC_LEN),
		       slice_make(mac, MAC_LEN)))
		return NONCE_FORGED;
	reader_init(&r, slice_make(raw, BODY_LEN));
	memcpy(info.id, raw, NONCE_ID_LEN);
	info.issued_ms = reader_u64be(&r);
	(void)reader_u64be(&r);
	worker = reader_u16be(&r);
	boot = reader_bytes(&r, NONCE_BOOT_LEN);
	if (__builtin_add_overflow(info.issued_ms, p->lifetime_ms,
				   &info.expires_ms))
		info.expires_ms = UINT64_MAX;
	if (worker != p->worker ||
	    !slice_eq(boot, slice_make(p->boot, sizeof(p->boot))) ||
	    now_ms < info.issued_ms || info.issued_ms < p->since_ms ||
	    now_ms >= info.expires_ms)
		return NONCE_STALE;
	*ret = info;
	return NONCE_OK;
}

int nonce_count_parse(struct slice nc, uint32_t *ret)
{
	uint8_t raw[4];
	struct reader r;
	uint32_t v;

	if (hex_decode(nc, raw, sizeof(raw)) != 0)
		return ERR_BAD;
	reader_init(&r, slice_make(raw, sizeof(raw)));
	v = reader_u32be(&r);
	if (v == 0)
		return ERR_BAD;
	*ret = v;
	return 0;
}

struct nonce_window *nonce_window_new(uint32_t limit, uint64_t seed)
{
	struct nonce_window *w = alloc_zero(sizeof(*w));

	if (!w)
		return NULL;
	table_init(&w->table, limit, seed);
	timerq_init(&w->oldest);
	return w;
}

static void drop_oldest(struct nonce_window *w, uint64_t now_ms)
{
	struct timerq_node *t = timerq_pop(&w->oldest, now_ms);
	struct entry *e = TIMERQ_ENTRY(t, struct entry, timer);

	table_del(&w->table, &e->node);
	alloc_free(e);
}

struct nonce_window *nonce_window_free(struct nonce_window *w)
{
	if (!w)
		return NULL;
	while (w->oldest.count > 0)
		drop_oldest(w, UINT64_MAX);
	timerq_done(&w->oldest);
	table_done(&w->table);
	return alloc_free(w);
}

/* A place for one more: expired nonces go first, then the oldest one, which
 * nobody can replay because the floor rises to it. A nonce that is older
 * still finds no place. */
static int make_room(struct nonce_window *w, uint64_t expires_ms,
		     uint64_t now_ms)
{
	while (w->oldest.count > 0 && timerq_next(&w->oldest) <= now_ms)
		drop_oldest(w, now_ms);
	if (w->oldest.count == 0 || w->table.count < w->table.limit)
		return 0;
	if (expires_ms < timerq_next(&w->oldest))
		return ERR_STATE;
	w->floor_ms = timerq_next(&w->oldest); /* above the old floor:
						     what is below is refused */
	drop_oldest(w, UINT64_MAX);
	return 0;
}

static int add(struct nonce_window *w, const struct nonce_info *info,
	       uint32_t nc)
{
	struct entry *e = alloc_zero(sizeof(*e));
	int err;

	if (!e)
		return ERR_NOMEM;
	memcpy(e->id, info->id, sizeof(e->id));
	e->highest = nc;
	e->seen = 1;
	err = table_add(&w->table, &e->node, slice_make(e->id, sizeof(e->id)));
	if (err) {
		alloc_free(e);
		return err;
	}
	err = timerq_set(&w->oldest, &e->timer, info->expires_ms);
	if (err) {
		table_del(&w->table, &e->node);
		alloc_free(e);
	}
	return err;
}

/* The window of RFC 3711 section 3.3.2, for counts instead of packets. */
static int use(struct entry *e, uint32_t nc)
{
	uint32_t back;

	if (nc > e->highest) {
		uint32_t ahead = nc - e->highest;

		e->seen = ahead < WINDOW ? e->seen << ahead : 0;
		e->seen |= 1;
		e->highest = nc;
		return 0;
	}
	back = e->highest - nc;
	if (back >= WINDOW || (e->seen >> back & 1))
		return ERR_REPLAY;
	e->seen |= 1ULL << back;
	return 0;
}

int nonce_window_use(struct nonce_window *w, const struct nonce_info *info,
		     uint32_t nc, uint64_t now_ms)
{
	struct table_node *n =
		table_find(&w->table, slice_make(info->id, sizeof(info->id)));
	int err;

	if (now_ms >= info->expires_ms)
		return ERR_STATE;
	if (n)
		return use(TABLE_ENTRY(n, struct entry, node), nc);
	if (info->expires_ms <= w->floor_ms)
		return ERR_STATE;
	err = make_room(w, info->expires_ms, now_ms);
	return err ? err : add(w, info, nc);
}

uint32_t nonce_window_count(const struct nonce_window *w)
{
	return (uint32_t)w->table.count;
}
