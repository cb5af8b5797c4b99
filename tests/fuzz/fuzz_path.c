/*
 * media/path: any order of packets, updates and joins. Each four bytes are one
 * step. Whatever happens, a packet leaves only when nothing blocks it; under a
 * borrowed key only the very bytes that came leave, and only those under that
 * key; what is opened and closed again is what was sent. No key of ours is used
 * again after another.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "media/path.h"
#include "rtp/srtp.h"

enum { KEYS = 3, PAYLOAD = 20, LEN = 12 + PAYLOAD };

static const struct addr phone = {ADDR_V4, {192, 0, 2, 1}, 5004};
static const struct addr stranger = {ADDR_V4, {203, 0, 113, 9}, 5004};

/* The phone's flow and the far call's inside flow. */
struct world {
	struct flow flow[2];
	struct path *path[2];
	struct rtp_srtp *sender[KEYS];
	bool is_joined;
	bool is_spent[KEYS]; /* the far flow has left it */
	uint8_t own; /* the far flow sends under it; 0: none of its own */
	uint64_t now;
};

static struct flow_key key(uint8_t i)
{
	struct flow_key k = {.suite = i == 0   ? SUITE_NONE
				      : i == 1 ? SUITE_AES_CM_128_HMAC_SHA1_80
					       : SUITE_AEAD_AES_128_GCM};

	memset(k.key, i, sizeof(k.key));
	memset(k.salt, i, sizeof(k.salt));
	return k;
}

static struct world *world_new(void)
{
	static struct world w;

	w = (struct world){.now = 1000};
	for (uint8_t i = 0; i < 2; i++) {
		w.flow[i] = (struct flow){.id = i + 1u, .peer_id = 9};
		w.flow[i].remote = phone;
		w.flow[i].latch = i ? FLOW_LATCH_OFF : FLOW_LATCH_NAT;
		w.path[i] = path_new(&w.flow[i], w.now);
		fuzz_check(w.path[i] != NULL);
	}
	for (uint8_t i = 1; i < KEYS; i++) {
		struct flow_key k = key(i);

		w.sender[i] = rtp_srtp_new(&k);
		fuzz_check(w.sender[i] != NULL);
	}
	return &w;
}

static void world_free(struct world *w)
{
	path_free(w->path[0]);
	path_free(w->path[1]);
	for (int i = 1; i < KEYS; i++)
		rtp_srtp_free(w->sender[i]);
}

static void update(struct world *w, uint8_t which, uint8_t a, uint8_t b)
{
	struct flow *f = &w->flow[which & 1];
	struct flow before = *f;
	uint8_t own = 0;

	f->in = key(which & 1 ? 0 : a % KEYS);
	f->out = key(which & 1 ? b % KEYS : 0);
	f->is_borrowed = a & 0x10;
	f->is_blocked = a & 0x20;
	f->is_raw = a & 0x40;
	if (which & 1 && !f->is_borrowed)
		own = b % KEYS;
	/* A key of ours that was left does not come back. */
	if (w->is_spent[own] && own > 0) {
		fuzz_check(path_update(w->path[1], f, w->now) == ERR_STATE);
		*f = before;
		return;
	}
	fuzz_check(path_update(w->path[which & 1], f, w->now) == 0);
	if (which & 1) {
		w->is_spent[w->own] |= own != w->own;
		w->own = own;
	}
	path_join(w->path[0], w->is_joined ? w->path[1] : NULL);
}

/* May what came under key k leave at all? */
static bool may_leave(const struct world *w, uint8_t k)
{
	const struct flow *out = &w->flow[w->is_joined];
	struct flow_key sent = key(k);

	if (w->flow[0].is_blocked || out->is_blocked)
		return false;
	if (!out->is_borrowed || w->flow[0].is_raw)
		return !out->is_borrowed;
	/* Under the key before, too, for a while: see PATH_GRACE_MS. */
	return w->is_joined && flow_key_eq(&w->flow[0].in, &out->out) &&
	       sent.suite != SUITE_NONE;
}

static void arrive(struct world *w, uint8_t how, uint8_t seq, uint8_t from)
{
	static uint8_t buf[PATH_BUF_MAX], sent[PATH_BUF_MAX];
	uint8_t k = how % KEYS;
	struct path_packet pkt = {buf, LEN, from & 1 ? stranger : phone,
				  from & 2};
	size_t len = LEN;

	memset(buf, seq, sizeof(buf));
	memset(buf, 0, 12);
	buf[0] = 0x80;
	buf[3] = seq;
	if (k > 0 &&
	    rtp_srtp_protect(w->sender[k], buf, len, sizeof(buf), &len) != 0)
		return;
	if (how & 0x80)
		buf[how % len] ^= how;
	pkt.len = len;
	memcpy(sent, buf, len);
	if (path_receive(w->path[0], &pkt, w->now) != 0)
		return;
	path_sent(w->path[0], pkt.is_rtcp, len, 0);
	fuzz_check(may_leave(w, k));
	fuzz_check(pkt.len <= PATH_BUF_MAX);
	if (w->flow[w->is_joined].is_borrowed || w->flow[0].is_raw)
		fuzz_check(w->flow[w->is_joined].out.suite != SUITE_NONE ||
			   (pkt.len == len && memcmp(sent, buf, len) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world_new();

	for (size_t i = 0; i + 4 <= size; i += 4) {
		switch (data[i] % 4) {
		case 0:
		case 1:
			arrive(w, data[i + 1], data[i + 2], data[i + 3]);
			break;
		case 2:
			update(w, data[i + 1], data[i + 2], data[i + 3]);
			break;
		default:
			w->is_joined = data[i + 1] & 1;
			path_join(w->path[0], w->is_joined ? w->path[1] : NULL);
			w->now += data[i + 2] * 16u;
			break;
		}
	}
	world_free(w);
	return 0;
}
