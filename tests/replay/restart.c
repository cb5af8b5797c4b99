/*
 * What the machine has saved, kept as the store process keeps it, and the
 * restart: a new machine that knows nothing else. The check that nothing is
 * forgotten: what the successor would save is what it was given, byte for
 * byte but for the numbers of requests.
 */
#include "replay/replay.h"

#include <stdlib.h>
#include <string.h>

#include "b2bua/save.h"

enum { OTHER_WAY = 1000 };

static struct saved *find(struct run *r, const char *key)
{
	for (size_t i = 0; i < r->saved_count; i++)
		if (strcmp(r->saved[i].key, key) == 0)
			return &r->saved[i];
	return NULL;
}

void replay_save(struct run *r, const struct action *a)
{
	struct slice key;
	struct slice rest;
	char text[48];
	struct saved *s;

	if (save_split(a->bytes, &key, &rest) != 0 || key.len >= sizeof(text))
		replay_fail(r, "unreadable save");
	memcpy(text, key.ptr, key.len);
	text[key.len] = '\0';
	s = find(r, text);
	if (a->kind == ACTION_FORGET) {
		if (!s)
			replay_fail(r, "%s is forgotten, not saved", text);
		free(s->bytes);
		*s = r->saved[--r->saved_count];
		return;
	}
	if (rest.len == 0 || r->saved_count == SAVED_MAX)
		replay_fail(r, "save of %s", text);
	r->saves++;
	if (r->on_save)
		r->on_save(r->ctx, text, rest);
	if (!s) {
		s = &r->saved[r->saved_count++];
		strcpy(s->key, text);
	} else {
		free(s->bytes);
	}
	s->bytes = malloc(rest.len);
	s->len = rest.len;
	memcpy(s->bytes, rest.ptr, rest.len);
}

void replay_saved_done(struct run *r)
{
	while (r->saved_count > 0)
		free(r->saved[--r->saved_count].bytes);
}

/* Datagrams reach who they reached; a phone's stream has gone with its process.
 * Another way leads to a call manager's address than its own. */
static void reach(void *ctx, enum side side, struct dest *dest)
{
	struct run *r = ctx;

	dest->ep = HANDLE_NONE;
	for (size_t i = 0; i < r->conn_count; i++) {
		const struct conn *k = &r->conn[i];

		if (k->side == side && addr_eq(&k->dest.peer, &dest->peer) &&
		    (side == SIDE_CORE || !dest->is_reliable))
			dest->ep = k->dest.ep;
	}
	if (side == SIDE_CORE && dest->is_reliable)
		dest->ep.gen += OTHER_WAY;
}

/* Bytes that differ. */
static size_t differences(const struct saved *s, struct slice now)
{
	size_t n = 0;

	if (s->len != now.len)
		return SIZE_MAX;
	for (size_t i = 0; i < now.len; i++)
		n += s->bytes[i] != now.ptr[i];
	return n;
}

static void check_same(struct run *r)
{
	/* One byte of each leg's CSeq, and of its SDP's version; of a binding,
	 * CSeq and time; of a subscription, both. */
	enum { CALL_DIFFS = 4, BINDING_DIFFS_MAX = 5, SUB_DIFFS_MAX = 8 };
	struct actions out = {.count = 0};
	struct slice key;
	struct slice rest;

	if (calls_save_all(r->c, &out) != 0 || out.count != r->saved_count)
		replay_fail(r, "%u objects of %zu are there again", out.count,
			    r->saved_count);
	for (uint32_t i = 0; i < out.count; i++) {
		char text[48] = "";
		const struct saved *s;
		size_t n;

		if (out.item[i].kind != ACTION_SAVE ||
		    save_split(out.item[i].bytes, &key, &rest) != 0)
			replay_fail(r, "unreadable save");
		memcpy(text, key.ptr, key.len);
		s = find(r, text);
		n = s ? differences(s, rest) : SIZE_MAX;
		if (text[0] == 'C'   ? n != CALL_DIFFS
		    : text[0] == 'S' ? n > SUB_DIFFS_MAX
				     : n > BINDING_DIFFS_MAX)
			replay_fail(r, "%s is not what it was: %zu of %zu, %zu",
				    text, n, rest.len, s ? s->len : 0);
	}
	replay_take(r, &out);
}

static void check_flows(struct run *r)
{
	struct flow f[2];
	uint64_t pos = 0;
	size_t n = 0;

	while (calls_flows(r->c, &pos, f)) {
		n += 2;
		r->last_call = f[0].call;
		flow_wipe(&f[0]);
		flow_wipe(&f[1]);
	}
	if (n != r->live_count)
		replay_fail(r, "%zu flows of %zu are known", n, r->live_count);
}

void replay_restart(struct run *r)
{
	struct save_restore how = {.reach = reach, .ctx = r};

	calls_free(r->c);
	r->p.seed++;
	r->c = calls_new(&r->p, r->now_ms);
	if (!r->c)
		replay_fail(r, "calls_new");
	replay_cores(r);
	for (size_t i = 0; i < r->conn_count; i++)
		if (r->conn[i].side == SIDE_PHONE &&
		    r->conn[i].dest.is_reliable)
			r->conn[i].dest.ep.gen++;
	for (size_t i = 0; i < r->saved_count; i++) {
		struct slice s = slice_make(r->saved[i].bytes, r->saved[i].len);
		int err = calls_restore(r->c, s, &how, r->now_ms);

		if (err)
			replay_fail(r, "%s: %s", r->saved[i].key, err_str(err));
		if (calls_restore(r->c, s, &how, r->now_ms) != ERR_EXISTS)
			replay_fail(r, "%s: twice", r->saved[i].key);
	}
	check_same(r);
	check_flows(r);
}
