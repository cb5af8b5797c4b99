/*
 * Replays scenarios: whole calls as text, in virtual time, against the call
 * machine alone. Each file tests/replay/NAME.scn is one scenario; the language
 * is described in tests/replay/README.
 *
 * Whatever the scenario says, the runner itself checks after each step that
 * every port a session description shows belongs to a live flow, that each
 * FLOW_ADD has one FLOW_DEL, and that no address of one side is seen by the
 * other.
 */
#include "replay/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authn/cover.h"
#include "base/reader.h"
#include "base/writer.h"

static bool option(const char *word, const char *name, const char **ret)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) != 0 || word[n] != '=')
		return false;
	*ret = word + n + 1;
	return true;
}

static uint32_t number(const char *v)
{
	return (uint32_t)strtoul(v, NULL, 10);
}

static void set_transport(struct conn *k, const char *v)
{
	k->dest.is_tls = strcmp(v, "tls") == 0;
	k->dest.is_reliable = strcmp(v, "udp") != 0;
}

static void set_policy(struct run *r, struct conn *k, const char *v)
{
	if (strcmp(v, "rtp") == 0)
		k->policy.media = MEDIA_RTP_ONLY;
	else if (strcmp(v, "prefer") == 0)
		k->policy.media = MEDIA_SRTP_PREFER;
	else if (strcmp(v, "require") == 0)
		k->policy.media = MEDIA_SRTP_REQUIRE;
	else
		replay_fail(r, "policy %s", v);
}

static void set_sig(struct run *r, struct conn *k, const char *v)
{
	if (strcmp(v, "nonsecure") == 0)
		k->sig = SIG_NONSECURE;
	else if (strcmp(v, "authenticated") == 0)
		k->sig = SIG_AUTHENTICATED;
	else if (strcmp(v, "encrypted") == 0)
		k->sig = SIG_ENCRYPTED;
	else
		replay_fail(r, "sig %s", v);
}

/* In the order of enum srtp_offer and enum other_media. */
static const char *const offers[] = {"savp", "osrtp", "two-lines",
				     "cisco-fallback"};
static const char *const others[] = {"encrypt", "relay", "reject"};

static unsigned word_of(struct run *r, const char *v, const char *const *words,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v, words[i]) == 0)
			return (unsigned)i;
	replay_fail(r, "unknown word %s", v);
}

/* "SUITE,SUITE" */
static void set_suites(struct run *r, enum suite *list, uint32_t *count,
		       const char *v)
{
	*count = 0;
	while (*v) {
		size_t n = strcspn(v, ",");

		if (suite_find(slice_make(v, n), &list[(*count)++]) != 0)
			replay_fail(r, "suite %s", v);
		v += n + (v[n] == ',');
	}
}

static void conn_defaults(struct run *r, struct conn *k, const char *name)
{
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->dest.ep =
		(struct handle){.index = (uint32_t)r->conn_count, .gen = 1};
	k->side = SIDE_PHONE;
	k->sig = SIG_ENCRYPTED;
	k->policy.media = MEDIA_SRTP_PREFER;
	k->policy.suite[0] = SUITE_AES_CM_128_HMAC_SHA1_80;
	k->policy.suite[1] = SUITE_AES_CM_128_HMAC_SHA1_32;
	k->policy.suite_count = 2;
	set_transport(k, "tls");
	(void)!addr_parse(slice_str("192.0.2.1:5061"), 0, &k->dest.local);
}

/* conn NAME [key=value ...] */
static void do_conn(struct run *r, char *rest)
{
	char *save = NULL;
	char *word = strtok_r(rest, " ", &save);
	struct conn *k = &r->conn[r->conn_count];
	const char *v;

	if (!word || r->conn_count == CONNS_MAX)
		replay_fail(r, "conn");
	conn_defaults(r, k, word);
	while ((word = strtok_r(NULL, " ", &save))) {
		if (option(word, "addr", &v)) {
			if (addr_parse(slice_str(v), 0, &k->dest.peer) != 0)
				replay_fail(r, "addr %s", v);
			snprintf(k->host, sizeof(k->host), "%.*s",
				 (int)strcspn(v, ":"), v);
		} else if (option(word, "transport", &v)) {
			set_transport(k, v);
		} else if (option(word, "device", &v)) {
			snprintf(k->device, sizeof(k->device), "%s", v);
		} else if (option(word, "sig", &v)) {
			set_sig(r, k, v);
		} else if (option(word, "policy", &v)) {
			set_policy(r, k, v);
		} else if (option(word, "offer", &v)) {
			k->policy.srtp_offer = (enum srtp_offer)word_of(
				r, v, offers, sizeof(offers) / sizeof(*offers));
		} else if (option(word, "other", &v)) {
			k->policy.other_media = (enum other_media)word_of(
				r, v, others, sizeof(others) / sizeof(*others));
		} else if (option(word, "suites", &v)) {
			set_suites(r, k->policy.suite, &k->policy.suite_count,
				   v);
		} else if (option(word, "offered", &v)) {
			set_suites(r, k->policy.offer_suite,
				   &k->policy.offer_suite_count, v);
		} else if (option(word, "limit", &v)) {
			k->policy.call_limit = number(v);
		} else if (option(word, "priority", &v)) {
			k->priority = number(v);
			k->side = SIDE_CORE;
		} else if (strcmp(word, "passauth") == 0) {
			k->pass_auth = true;
		} else if (strcmp(word, "trunk") == 0) {
			k->is_trunk = true;
			memcpy(k->device, k->name, sizeof(k->device));
		} else if (strcmp(word, "named") == 0) {
			k->is_named = true;
		} else if (strcmp(word, "nat") == 0) {
			k->policy.nat = true;
		} else {
			replay_fail(r, "conn %s", word);
		}
	}
	r->conn_count++;
}

static void do_pass(struct run *r, const char *rest)
{
	struct event ev = {.kind = EVENT_TIMER};
	uint64_t target = r->now_ms + strtoull(rest, NULL, 10);

	while (calls_deadline(r->c) <= target) {
		uint64_t at = calls_deadline(r->c);

		if (at > r->now_ms)
			r->now_ms = at;
		replay_step(r, &ev);
		if (calls_deadline(r->c) <= at && at < r->now_ms)
			replay_fail(r, "timer does not move");
	}
	r->now_ms = target;
}

static void do_flow(struct run *r, const char *rest)
{
	char pat[512];
	char *got;

	replay_expand(r, rest, pat, sizeof(pat));
	if (strcmp(pat, "nothing") == 0) {
		if (r->flow_count > 0)
			replay_fail(r, "unexpected flow action");
		return;
	}
	if (r->flow_count == 0)
		replay_fail(r, "no flow action");
	if (!replay_match(r, pat, r->flow[0]))
		replay_fail(r, "flow action is not %s", pat);
	got = replay_queue_pop(r->flow, &r->flow_count);
	free(got);
}

/* Any record since the last one that was found. */
static void do_record(struct run *r, const char *rest)
{
	char pat[512];

	replay_expand(r, rest, pat, sizeof(pat));
	while (r->record_count > 0) {
		char *got = replay_queue_pop(r->record, &r->record_count);
		bool is_it = replay_match(r, pat, got);

		free(got);
		if (is_it)
			return;
	}
	replay_fail(r, "no record %s", pat);
}

static void do_counts(struct run *r, const char *rest)
{
	uint32_t calls;
	uint32_t bindings;
	uint32_t txns;
	char buf[128];
	char pat[128];

	calls_counts(r->c, &calls, &bindings, &txns);
	snprintf(buf, sizeof(buf), "calls=%u bindings=%u txns=%u flows=%zu",
		 calls, bindings, txns, r->live_count);
	replay_expand(r, rest, pat, sizeof(pat));
	if (!replay_match(r, pat, buf))
		replay_fail(r, "counts are %s", buf);
}

static enum event_kind flow_event_kind(const char *word)
{
	if (strcmp(word, "flow-failed") == 0)
		return EVENT_FLOW_FAILED;
	if (strcmp(word, "flow-rolled") == 0)
		return EVENT_FLOW_ROLLED;
	return strcmp(word, "flow-active") == 0 ? EVENT_FLOW_ACTIVE
						: EVENT_FLOW_IDLE;
}

/* flow-joined ID SECURITY SUITE:BYTE [rolled], the key being BYTE all over; or
 * flow-parted ID. */
static void do_join(struct run *r, const char *word, const char *rest)
{
	struct flow_key key = {.suite = SUITE_NONE};
	struct event ev = {.kind = EVENT_FLOW_PARTED};
	char arg[128];
	char *at;
	size_t n;

	replay_expand(r, rest, arg, sizeof(arg));
	ev.flow.call = r->last_call;
	ev.flow.flow = strtoull(arg, &at, 10);
	ev.flow.key = &key;
	if (strcmp(word, "flow-joined") == 0) {
		ev.kind = EVENT_FLOW_JOINED;
		ev.flow.security = (uint8_t)strtoul(at, &at, 10);
		at += *at == ' ';
		n = strcspn(at, ":");
		if (*at && suite_find(slice_make(at, n), &key.suite) != 0)
			replay_fail(r, "suite %s", at);
		if (*at)
			memset(key.key, (int)number(at + n + 1), SUITE_KEY_MAX);
		ev.flow.is_rolled = strstr(at, " rolled") != NULL;
	}
	replay_step(r, &ev);
}

/* flow-security ID LEVEL: what the media process was told last. */
static void check_told(struct run *r, const char *rest)
{
	char arg[128];
	char *at;
	uint64_t id;
	unsigned long level;

	replay_expand(r, rest, arg, sizeof(arg));
	id = strtoull(arg, &at, 10);
	level = strtoul(at, NULL, 10);
	for (size_t i = 0; i < r->live_count; i++) {
		if (r->live[i].id != id)
			continue;
		if (r->live[i].security != level)
			replay_fail(r, "flow %s, not %u", arg,
				    r->live[i].security);
		return;
	}
	replay_fail(r, "flow %s does not live", arg);
}

/* arrived MS [device=NAME|broken]: what the machine told last, as if another
 * one had told it MS later. */
static void do_arrived(struct run *r, char *rest)
{
	struct event ev = {.kind = EVENT_ARRIVED};
	struct reader in;
	struct writer out;
	uint8_t buf[600];
	uint64_t at;
	char *word;

	if (r->arrived_len == 0)
		replay_fail(r, "nobody has arrived");
	reader_init(&in, slice_make(r->arrived, r->arrived_len));
	at = reader_u64be(&in) + strtoul(rest, &word, 10);
	writer_init(&out, buf, sizeof(buf));
	writer_u64be(&out, at);
	word += *word == ' ';
	if (strncmp(word, "device=", 7) == 0) {
		(void)reader_blob(&in);
		writer_blob(&out, slice_str(word + 7));
	}
	writer_put(&out, reader_bytes(&in, reader_left(&in)));
	if (strcmp(word, "broken") == 0)
		out.len--;
	ev.bytes = writer_slice(&out);
	replay_step(r, &ev);
}

static void do_event(struct run *r, const char *word, const char *rest)
{
	struct event ev = {.kind = EVENT_TIMER};
	char arg[64];

	replay_expand(r, rest, arg, sizeof(arg));
	if (strcmp(word, "down") == 0) {
		ev.kind = EVENT_CONN_DOWN;
		ev.conn = replay_conn_find(r, arg)->dest.ep;
	} else if (strcmp(word, "drop") == 0) {
		ev.kind = EVENT_CALL_DROP;
		ev.call = r->last_call;
	} else {
		ev.kind = flow_event_kind(word);
		ev.flow.call = r->last_call;
		ev.flow.flow = strtoull(arg, NULL, 10);
	}
	replay_step(r, &ev);
}

/* phone-reset|phone-restart N: all phones are told, which are N. */
static void do_reset(struct run *r, const char *word, const char *rest)
{
	enum phone_reset type =
		strcmp(word, "phone-reset") == 0 ? PHONE_RESET : PHONE_RESTART;
	struct binding_info info;
	uint32_t pos = 0;
	unsigned n = 0;

	while (bindings_next(r->c, &pos, &info)) {
		struct actions out = {.count = 0};

		n += binding_reset(r->c, info.token, type, r->now_ms, &out) ==
		     0;
		replay_take(r, &out);
	}
	if (n != strtoul(rest, NULL, 10))
		replay_fail(r, "%u phones were told", n);
}

/* What is left is of no interest. */
static void do_clear(struct run *r)
{
	for (size_t i = 0; i < r->conn_count; i++)
		while (r->conn[i].count > 0)
			free(replay_queue_pop(r->conn[i].queue,
					      &r->conn[i].count));
	while (r->flow_count > 0)
		free(replay_queue_pop(r->flow, &r->flow_count));
}

static void do_saved(struct run *r, const char *rest)
{
	char buf[64];

	snprintf(buf, sizeof(buf), "objects=%zu saves=%u", r->saved_count,
		 r->saves);
	if (!replay_match(r, rest, buf))
		replay_fail(r, "saved are %s", buf);
}

static void do_set(struct run *r, const char *rest)
{
	const char *eq = strchr(rest, '=');
	char value[VALUE_MAX];

	if (!eq)
		replay_fail(r, "set");
	replay_expand(r, eq + 1, value, sizeof(value));
	replay_var_set(r, rest, (size_t)(eq - rest), value, strlen(value));
}

static const char cover_key_text[] = "0123456789abcdef0123456789abcdef";

static int cover(void *ctx, struct slice name, struct writer *w)
{
	(void)ctx;
	return cover_put(w, slice_make(cover_key_text, COVER_KEY_LEN), name);
}

static int open_cover(void *ctx, struct slice text, struct writer *w)
{
	(void)ctx;
	return cover_open(w, slice_make(cover_key_text, COVER_KEY_LEN), text);
}

static void params_default(struct run *r)
{
	r->p = (struct calls_params){
		.end_to_end = true,
		.outside_port_min = 20000,
		.outside_port_max = 20019,
		.inside_port_min = 30000,
		.inside_port_max = 30019,
		.port_cooldown_ms = 1000,
		.binding_limit = 8,
		.call_limit = 4,
		.txn_limit = 64,
		.sub_limit = 16,
		.sub_device_limit = 8,
		.expires_min_s = 60,
		.expires_max_s = 3600,
		.session_min_s = 90,
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.server_name = "Sallyport",
		.names = {.cover = cover, .open = open_cover},
		.entropy = test_entropy(&r->entropy, 1),
		.trunk_limit = 1,
		.seed = 42,
	};
	(void)!addr_parse_ip(slice_str("192.0.2.1"), &r->p.media_outside);
	(void)!addr_parse_ip(slice_str("10.0.0.1"), &r->p.media_inside);
}

/* A call manager is there, with one place, or has none any more. */
static void set_core(struct run *r, struct conn *k, bool is_there)
{
	struct core_place place = {.manager = (uint32_t)(k - r->conn),
				   .priority = k->priority};
	struct event ev = {.kind = EVENT_CORE,
			   .core = {.manager = place.manager,
				    .place = &place,
				    .count = is_there}};

	k->device[0] = '\0';
	k->sig = SIG_NONSECURE;
	(void)!addr_parse(slice_str("10.0.0.1:5060"), 0, &k->dest.local);
	place.dest = k->dest;
	snprintf(place.name, sizeof(place.name), "%s", k->name);
	replay_step(r, &ev);
}

/* core-gone NAME, core-back NAME */
static void do_core(struct run *r, const char *word, const char *rest)
{
	set_core(r, replay_conn_find(r, rest), strcmp(word, "core-back") == 0);
}

/* auth LINE: what answers the challenge that waits; "auth nothing": nobody
 * knows an answer; "auth none": no challenge waits. */
static void do_auth(struct run *r, const char *rest)
{
	struct event ev = {.kind = EVENT_AUTH, .auth = {.id = r->auth}};
	char line[1024];

	if (strncmp(rest, "told ", 5) == 0) {
		if (r->auth_infos != strtoul(rest + 5, NULL, 10))
			replay_fail(r, "%u nonces were told", r->auth_infos);
		return;
	}
	if (strcmp(rest, "none") == 0) {
		if (r->auth != 0)
			replay_fail(r, "a challenge waits");
		return;
	}
	if (r->auth == 0)
		replay_fail(r, "no challenge waits");
	snprintf(line, sizeof(line), "%s\r\n", rest);
	if (strcmp(rest, "nothing") != 0)
		ev.auth.lines = slice_str(line);
	r->auth = 0;
	replay_step(r, &ev);
}

/* trunk-at NAME: the trunk's name has led to its peer. */
static void do_trunk_at(struct run *r, const char *rest)
{
	const struct conn *k = replay_conn_find(r, rest);
	struct core_place place = {.priority = k->priority, .dest = k->dest};
	struct event ev = {.kind = EVENT_CORE,
			   .core = {.trunk = 1, .place = &place, .count = 1}};

	replay_step(r, &ev);
}

/* cores PATTERN: all call managers as the operator sees them. */
static void do_cores(struct run *r, const char *rest)
{
	struct core_info info;
	char buf[512] = "";
	size_t n = 0;
	uint32_t pos = 0;

	while (core_next(r->c, &pos, &info))
		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s%.*s=%s",
				      n > 0 ? " " : "", SLICE_FMT(info.name),
				      !info.is_up	? "down"
				      : info.is_settled ? "up"
							: "held");
	if (!replay_match(r, rest, buf))
		replay_fail(r, "call managers are %s", buf);
}

/* A trunk, whose peer is not known yet. */
static void set_trunk(struct run *r, const struct conn *k)
{
	struct event ev = {.kind = EVENT_TRUNK,
			   .trunk = {.name = slice_str(k->name),
				     .managers = UINT32_MAX,
				     .policy = k->policy,
				     .places = 2}};

	replay_step(r, &ev);
}

void replay_cores(struct run *r)
{
	for (size_t i = 0; i < r->conn_count; i++) {
		if (r->conn[i].side == SIDE_CORE && !r->conn[i].is_named)
			set_core(r, &r->conn[i], true);
		else if (r->conn[i].is_trunk)
			set_trunk(r, &r->conn[i]);
	}
}

/* start: the machine, after "param" and "conn core" lines. */
/* A new configuration: what "param" lines said since counts from now on. */
static void do_update(struct run *r)
{
	struct calls_update u = {.binding_limit = r->p.binding_limit,
				 .call_limit = r->p.call_limit,
				 .txn_limit = r->p.txn_limit,
				 .sub_limit = r->p.sub_limit,
				 .sub_device_limit = r->p.sub_device_limit,
				 .sccp_phone_limit = r->p.sccp.phone_limit,
				 .phone_managers = r->p.phone_managers,
				 .expires_min_s = r->p.expires_min_s,
				 .expires_max_s = r->p.expires_max_s,
				 .media_idle_ms = r->p.media_idle_ms,
				 .port_cooldown_ms = r->p.port_cooldown_ms,
				 .end_to_end = r->p.end_to_end,
				 .show_phone_leg = r->p.show_phone_leg,
				 .server_name = r->p.server_name};

	if (calls_update(r->c, &u) != 0)
		replay_fail(r, "calls_update");
}

static void do_start(struct run *r)
{
	replay_conn_find(r, "core")->side = SIDE_CORE;
	r->c = calls_new(&r->p, r->now_ms);
	if (!r->c)
		replay_fail(r, "calls_new");
	replay_cores(r);
}

static void do_param(struct run *r, const char *rest)
{
	static char name[257];
	const char *v;

	if (option(rest, "end_to_end", &v))
		r->p.end_to_end = number(v) != 0;
	else if (option(rest, "show_phone_leg", &v))
		r->p.show_phone_leg = number(v) != 0;
	else if (option(rest, "call_limit", &v))
		r->p.call_limit = number(v);
	else if (option(rest, "binding_limit", &v))
		r->p.binding_limit = number(v);
	else if (option(rest, "txn_limit", &v))
		r->p.txn_limit = number(v);
	else if (option(rest, "sub_limit", &v))
		r->p.sub_limit = number(v);
	else if (option(rest, "sub_device_limit", &v))
		r->p.sub_device_limit = number(v);
	else if (option(rest, "has_realms", &v))
		r->p.has_realms = number(v) != 0;
	else if (option(rest, "has_siblings", &v))
		r->p.has_siblings = number(v) != 0;
	else if (option(rest, "options_interval_ms", &v))
		r->p.group.options_interval_ms = number(v);
	else if (option(rest, "failures", &v))
		r->p.group.failures = number(v);
	else if (option(rest, "successes", &v))
		r->p.group.successes = number(v);
	else if (option(rest, "hold_down_ms", &v))
		r->p.group.hold_down_ms = number(v);
	else if (option(rest, "try_timeout_ms", &v))
		r->p.group.try_timeout_ms = number(v);
	else if (option(rest, "register_rate", &v))
		r->p.group.register_rate = number(v);
	else if (option(rest, "media_idle_ms", &v))
		r->p.media_idle_ms = number(v);
	else if (option(rest, "session_s", &v))
		r->p.session_s = number(v);
	else if (option(rest, "session_min_s", &v))
		r->p.session_min_s = number(v);
	else if (option(rest, "outside_port_max", &v))
		r->p.outside_port_max = (uint16_t)number(v);
	else if (option(rest, "server_name", &v) && strlen(v) < sizeof(name))
		r->p.server_name = strcpy(name, v);
	else
		replay_fail(r, "param %s", rest);
}

static void include(struct run *r, const char *name);

static void do_line(struct run *r, char *line)
{
	char *rest = strchr(line, ' ');
	static char empty[1];

	if (!rest)
		rest = line + strlen(line);
	else
		*rest++ = '\0';
	if (!*rest)
		rest = empty;
	if (strcmp(line, "conn") == 0)
		do_conn(r, rest);
	else if (strcmp(line, "param") == 0)
		do_param(r, rest);
	else if (strcmp(line, "start") == 0)
		do_start(r);
	else if (strcmp(line, "update") == 0)
		do_update(r);
	else if (strcmp(line, "include") == 0)
		include(r, rest);
	else if (strcmp(line, "set") == 0)
		do_set(r, rest);
	else if (strcmp(line, "pass") == 0)
		do_pass(r, rest);
	else if (strcmp(line, "flow") == 0)
		do_flow(r, rest);
	else if (strcmp(line, "record") == 0)
		do_record(r, rest);
	else if (strcmp(line, "counts") == 0)
		do_counts(r, rest);
	else if (strcmp(line, "history") == 0)
		look_history(r, rest);
	else if (strcmp(line, "leg") == 0)
		look_leg(r, rest);
	else if (strcmp(line, "stream") == 0)
		look_stream(r, rest);
	else if (strcmp(line, "subs") == 0)
		look_subs(r, rest);
	else if (strcmp(line, "early") == 0)
		look_early(r, rest);
	else if (strcmp(line, "call") == 0)
		look_call(r, rest);
	else if (strcmp(line, "core-gone") == 0 ||
		 strcmp(line, "core-back") == 0)
		do_core(r, line, rest);
	else if (strcmp(line, "trunk-at") == 0)
		do_trunk_at(r, rest);
	else if (strcmp(line, "auth") == 0)
		do_auth(r, rest);
	else if (strcmp(line, "arrived") == 0)
		do_arrived(r, rest);
	else if (strcmp(line, "cores") == 0)
		do_cores(r, rest);
	else if (strcmp(line, "media-new") == 0)
		calls_media_new(r->c);
	else if (strcmp(line, "clear") == 0)
		do_clear(r);
	else if (strcmp(line, "flow-security") == 0)
		check_told(r, rest);
	else if (strcmp(line, "flow-joined") == 0 ||
		 strcmp(line, "flow-parted") == 0)
		do_join(r, line, rest);
	else if (strcmp(line, "restart") == 0)
		replay_restart(r);
	else if (strcmp(line, "phone-reset") == 0 ||
		 strcmp(line, "phone-restart") == 0)
		do_reset(r, line, rest);
	else if (strcmp(line, "saved") == 0)
		do_saved(r, rest);
	else if (strcmp(line, "down") == 0 || strcmp(line, "drop") == 0 ||
		 strcmp(line, "flow-failed") == 0 ||
		 strcmp(line, "flow-idle") == 0 ||
		 strcmp(line, "flow-rolled") == 0 ||
		 strcmp(line, "flow-active") == 0)
		do_event(r, line, rest);
	else if (strncmp(rest, "sends", 5) == 0)
		replay_send(r, replay_conn_find(r, line));
	else if (strncmp(rest, "receives ", 9) == 0)
		replay_receive(r, replay_conn_find(r, line), rest + 9);
	else
		replay_fail(r, "unknown command %s %s", line, rest);
}

static void run_lines(struct run *r)
{
	char line[2048];

	while (replay_read_line(r, line, sizeof(line)))
		if (line[0] && line[0] != '#')
			do_line(r, line);
}

static void open_file(struct run *r, const char *path)
{
	r->in = fopen(path, "r");
	r->file = path;
	r->line = 0;
	if (!r->in)
		replay_fail(r, "cannot be read");
}

/* Common openings are files of their own. */
static void include(struct run *r, const char *name)
{
	FILE *in = r->in;
	const char *file = r->file;
	unsigned line = r->line;
	char path[1024];

	snprintf(path, sizeof(path), "%s/replay/%s", TEST_SRCDIR, name);
	open_file(r, path);
	run_lines(r);
	fclose(r->in);
	r->in = in;
	r->file = file;
	r->line = line;
}

static void finish(struct run *r)
{
	uint32_t calls;
	uint32_t bindings;
	uint32_t txns;

	for (size_t i = 0; i < r->conn_count; i++)
		if (r->conn[i].count > 0)
			replay_fail(r, "%s was sent more than was expected",
				    r->conn[i].name);
	if (r->flow_count > 0)
		replay_fail(r, "more flow actions than expected");
	calls_counts(r->c, &calls, &bindings, &txns);
	if (calls == 0 && r->live_count > 0)
		replay_fail(r, "flows outlive their calls");
	if (calls == 0 && bindings == 0 && r->saved_count > 0)
		replay_fail(r, "something stays saved");
	calls_free(r->c);
	replay_saved_done(r);
	for (size_t i = 0; i < r->record_count; i++)
		free(r->record[i]);
	for (size_t i = 0; i < r->shown_count; i++)
		free(r->shown[i]);
}

void replay_file(struct run *r, const char *path)
{
	void (*on_save)(void *ctx, const char *key, struct slice bytes) =
		r->on_save;
	void *ctx = r->ctx;

	memset(r, 0, sizeof(*r));
	r->on_save = on_save;
	r->ctx = ctx;
	r->now_ms = 1000000;
	params_default(r);
	replay_var_set(r, "in", 2, "1", 1); /* numbers in branches of *.inc */
	replay_var_set(r, "out", 3, "1", 1);
	open_file(r, path);
	run_lines(r);
	fclose(r->in);
	finish(r);
}
