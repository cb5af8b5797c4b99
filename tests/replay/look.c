/*
 * What an operator sees, held against a pattern.
 */
#include "replay/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "b2bua/detail.h"

void look_subs(struct run *r, const char *pat)
{
	uint32_t subs;
	uint64_t refused;
	char buf[128];

	calls_subs(r->c, &subs, &refused);
	snprintf(buf, sizeof(buf), "%u refused=%" PRIu64, subs, refused);
	if (!replay_match(r, pat, buf))
		replay_fail(r, "subscriptions are %s", buf);
}

void look_early(struct run *r, const char *pat)
{
	const struct early_counts *n = calls_early(r->c);
	char buf[160];

	snprintf(buf, sizeof(buf),
		 "forks=%" PRIu64 "/%" PRIu64 "/%" PRIu64 " reliable=%" PRIu64
		 "/%" PRIu64 "/%" PRIu64,
		 n->forks, n->forks_ended, n->forks_refused, n->reliable,
		 n->reliable_again, n->reliable_failed);
	if (!replay_match(r, pat, buf))
		replay_fail(r, "early dialogs are %s", buf);
}

void look_call(struct run *r, char *rest)
{
	struct call_info info;
	uint32_t pos = 0;
	unsigned long n = strtoul(rest, &rest, 10);
	char buf[512];
	char pat[512];

	do {
		if (!calls_next(r->c, &pos, &info))
			replay_fail(r, "no such call");
	} while (--n > 0);
	snprintf(
		buf, sizeof(buf),
		"%s security=%s suite=%s codec=%.*s joined=%d end-to-end=%d device=%.*s "
		"caller=%.*s callee=%.*s",
		info.state, call_security_str(info.security),
		suite_info(info.suite)->name, SLICE_FMT(info.codec),
		info.is_joined, info.is_end_to_end, SLICE_FMT(info.device),
		SLICE_FMT(info.caller), SLICE_FMT(info.callee));
	replay_expand(r, rest + 1, pat, sizeof(pat));
	if (!replay_match(r, pat, buf))
		replay_fail(r, "call is %s", buf);
	r->last_call = info.id;
}

static void look(struct run *r, struct call_detail *d)
{
	if (!calls_detail(r->c, r->last_call, d))
		replay_fail(r, "that call is gone");
}

static void want(struct run *r, const char *pat, const char *seen)
{
	static char want[4096];

	replay_expand(r, pat, want, sizeof(want));
	if (!replay_match(r, want, seen))
		replay_fail(r, "it is %s", seen);
}

void look_history(struct run *r, const char *pat)
{
	static struct call_detail d;
	static char buf[HISTORY_MAX * (HISTORY_STR_MAX + 2)];
	size_t n;

	look(r, &d);
	n = (size_t)snprintf(buf, sizeof(buf), "%u lost", d.history_lost);
	for (uint32_t i = 0; i < d.history_count; i++) {
		char one[HISTORY_STR_MAX];

		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "; %s",
				      history_str(&d.history[i], one));
	}
	want(r, pat, buf);
}

void look_leg(struct run *r, const char *rest)
{
	static struct call_detail d;
	bool is_core = strncmp(rest, "core", 4) == 0;
	const struct call_leg *leg = &d.leg[is_core ? SIDE_CORE : SIDE_PHONE];
	char addr[ADDR_STR_MAX];
	char buf[512];

	look(r, &d);
	snprintf(buf, sizeof(buf),
		 "peer=%s confirmed=%d call-id=%.*s local=%.*s remote=%.*s "
		 "session=%u ours=%d",
		 addr_str(&leg->dest.peer, addr), leg->is_confirmed,
		 SLICE_FMT(leg->call_id), SLICE_FMT(leg->local_tag),
		 SLICE_FMT(leg->remote_tag), leg->session_s, leg->is_refreshed);
	want(r, strchr(rest, ' ') + 1, buf);
}

void look_stream(struct run *r, char *rest)
{
	static struct call_detail d;
	unsigned long i = strtoul(rest, &rest, 10) - 1;
	const struct call_stream *s = &d.stream[i];
	char local[2][ADDR_STR_MAX];
	char remote[2][ADDR_STR_MAX];
	char buf[512];

	look(r, &d);
	if (i >= d.stream_count)
		replay_fail(r, "it has %u streams", d.stream_count);
	for (int side = 0; side < 2; side++) {
		(void)addr_str(&s->local[side], local[side]);
		(void)addr_str(&s->remote[side], remote[side]);
	}
	snprintf(buf, sizeof(buf),
		 "%s %.*s phone %s<%s %s held=%d core %s<%s %s held=%d",
		 s->is_raw     ? "raw"
		 : s->is_audio ? "audio"
			       : "other",
		 SLICE_FMT(s->codec), local[0], remote[0],
		 suite_info(s->suite[0])->name, s->is_blocked[0], local[1],
		 remote[1], suite_info(s->suite[1])->name, s->is_blocked[1]);
	want(r, rest + 1, buf);
}
