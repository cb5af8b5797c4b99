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
#include <ctype.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b2bua/call.h"
#include "base/text.h"
#include "lib/entropy.h"
#include "sip/frame.h"
#include "sip/msg.h"

enum {
	CONNS_MAX = 8,
	QUEUE_MAX = 64,
	VARS_MAX = 64,
	VALUE_MAX = 600,
	FLOWS_MAX = 64,
	SHOWN_MAX = 64,
	TEXT_MAX = 16384
};

struct conn {
	char name[32];
	char host[64]; /* of its address, must not show on the other side */
	struct dest dest;
	enum side side;
	char device[32];
	enum sig_level sig;
	struct call_policy policy;
	bool pass_auth;
	char *queue[QUEUE_MAX];
	size_t count;
};

struct var {
	char name[32];
	char value[VALUE_MAX];
};

struct run {
	const char *file;
	unsigned line;
	FILE *in;
	struct test_entropy entropy;
	struct calls_params p;
	struct calls *c;
	uint64_t now_ms;
	struct conn conn[CONNS_MAX];
	size_t conn_count;
	char *flow[QUEUE_MAX]; /* flow actions as text */
	size_t flow_count;
	char *record[QUEUE_MAX];
	size_t record_count;
	struct flow live[FLOWS_MAX];
	size_t live_count;
	struct var var[VARS_MAX];
	size_t var_count;
	uint64_t last_call;
	char *shown[SHOWN_MAX]; /* messages with ports in them */
	size_t shown_count;
};

static void fail(struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

static void fail(struct run *r, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: at %" PRIu64 " ms: ", r->file, r->line,
		r->now_ms);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	for (size_t i = 0; i < r->conn_count; i++)
		for (size_t k = 0; k < r->conn[i].count; k++)
			fprintf(stderr, "--- waiting for %s:\n%s\n",
				r->conn[i].name, r->conn[i].queue[k]);
	for (size_t i = 0; i < r->flow_count; i++)
		fprintf(stderr, "--- waiting: flow %s\n", r->flow[i]);
	for (size_t i = 0; i < r->record_count; i++)
		fprintf(stderr, "--- record %s\n", r->record[i]);
	exit(1);
}

/* --- variables and patterns ---------------------------------------------- */

static const char *var_get(const struct run *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->var_count; i++)
		if (strlen(r->var[i].name) == len &&
		    memcmp(r->var[i].name, name, len) == 0)
			return r->var[i].value;
	return NULL;
}

static void var_set(struct run *r, const char *name, size_t nlen,
		    const char *value, size_t vlen)
{
	struct var *v = NULL;

	for (size_t i = 0; i < r->var_count; i++)
		if (strlen(r->var[i].name) == nlen &&
		    memcmp(r->var[i].name, name, nlen) == 0)
			v = &r->var[i];
	if (!v && r->var_count == VARS_MAX)
		fail(r, "too many variables");
	if (!v)
		v = &r->var[r->var_count++];
	if (nlen >= sizeof(v->name) || vlen >= sizeof(v->value))
		fail(r, "variable too long");
	memcpy(v->name, name, nlen);
	v->name[nlen] = '\0';
	memcpy(v->value, value, vlen);
	v->value[vlen] = '\0';
}

/* Replace ${name} by its value; $(name) captures stay. */
static void expand(struct run *r, const char *in, char *out, size_t cap)
{
	size_t n = 0;

	while (*in) {
		const char *end;
		const char *v;

		if (in[0] != '$' || in[1] != '{') {
			if (n + 1 >= cap)
				fail(r, "text too long");
			out[n++] = *in++;
			continue;
		}
		end = strchr(in, '}');
		if (!end)
			fail(r, "unterminated ${");
		v = var_get(r, in + 2, (size_t)(end - in) - 2);
		if (!v)
			fail(r, "no variable %.*s", (int)(end - in - 1),
			     in + 2);
		if (n + strlen(v) + 1 >= cap)
			fail(r, "text too long");
		memcpy(out + n, v, strlen(v));
		n += strlen(v);
		in = end + 1;
	}
	out[n] = '\0';
}

static bool is_word(char ch)
{
	return ch && !strchr(" \t;,<>\"@:=", ch);
}

/* '*' matches anything, $(name) a word, which is kept. */
static bool match(struct run *r, const char *pat, const char *s)
{
	if (!*pat)
		return !*s;
	if (*pat == '*') {
		for (;; s++) {
			if (match(r, pat + 1, s))
				return true;
			if (!*s)
				return false;
		}
	}
	if (pat[0] == '$' && pat[1] == '(') {
		const char *end = strchr(pat, ')');
		size_t n = 0;

		while (is_word(s[n]))
			n++;
		for (; n > 0; n--) {
			if (!match(r, end + 1, s + n))
				continue;
			var_set(r, pat + 2, (size_t)(end - pat) - 2, s, n);
			return true;
		}
		return false;
	}
	return *pat == *s && match(r, pat + 1, s + 1);
}

/* --- what comes out ------------------------------------------------------ */

static struct conn *conn_find(struct run *r, const char *name)
{
	for (size_t i = 0; i < r->conn_count; i++)
		if (strcmp(r->conn[i].name, name) == 0)
			return &r->conn[i];
	fail(r, "no connection %s", name);
}

static const char *suite_of(const struct flow_key *k)
{
	return suite_info(k->suite)->name;
}

static void flow_text(char *buf, size_t cap, const struct flow *f)
{
	char local[ADDR_STR_MAX];
	char remote[ADDR_STR_MAX] = "none";
	static const char *const latch[] = {"off", "restricted", "nat"};

	if (f->remote.family != ADDR_NONE)
		addr_str(&f->remote, remote);
	snprintf(buf, cap,
		 "id=%" PRIu64 " local=%s remote=%s in=%s/%02x%02x "
		 "out=%s/%02x%02x latch=%s %s idle=%u",
		 f->id, addr_str(&f->local, local), remote, suite_of(&f->in),
		 f->in.key[0], f->in.key[1], suite_of(&f->out), f->out.key[0],
		 f->out.key[1], latch[f->latch],
		 f->is_blocked ? "blocked" : "open", f->idle_ms);
}

static void live_add(struct run *r, const struct flow *f)
{
	for (size_t i = 0; i < r->live_count; i++)
		if (r->live[i].id == f->id ||
		    addr_eq(&r->live[i].local, &f->local))
			fail(r, "flow or port given twice");
	if (r->live_count == FLOWS_MAX)
		fail(r, "too many flows");
	r->live[r->live_count++] = *f;
}

static void live_del(struct run *r, uint64_t id)
{
	for (size_t i = 0; i < r->live_count; i++) {
		if (r->live[i].id != id)
			continue;
		r->live[i] = r->live[--r->live_count];
		return;
	}
	fail(r, "FLOW_DEL of flow %" PRIu64 ", which does not live", id);
}

static void flow_push(struct run *r, const char *text)
{
	if (r->flow_count == QUEUE_MAX)
		fail(r, "too many flow actions");
	r->flow[r->flow_count++] = strdup(text);
}

static void on_flow(struct run *r, const struct action *a)
{
	char buf[1024];
	char one[400];
	char two[400];

	flow_text(one, sizeof(one), &a->flow[0]);
	switch (a->kind) {
	case ACTION_FLOW_ADD:
		flow_text(two, sizeof(two), &a->flow[1]);
		snprintf(buf, sizeof(buf), "add %s | %s", one, two);
		live_add(r, &a->flow[0]);
		live_add(r, &a->flow[1]);
		r->last_call = a->call;
		break;
	case ACTION_FLOW_UPDATE:
		snprintf(buf, sizeof(buf), "update %s", one);
		break;
	case ACTION_FLOW_DEL:
		snprintf(buf, sizeof(buf), "del id=%" PRIu64, a->flow[0].id);
		live_del(r, a->flow[0].id);
		break;
	case ACTION_SIP_SEND:
	case ACTION_CONN_CLOSE:
	case ACTION_RECORD:
		return;
	}
	flow_push(r, buf);
}

/* Every port shown must be one of a live flow. */
static void check_ports(struct run *r, const char *text)
{
	const char *m = text;

	/* A repetition may come after the media have ended. */
	if (!strstr(text, "\nm="))
		return;
	for (size_t i = 0; i < r->shown_count; i++)
		if (strcmp(text, r->shown[i]) == 0)
			return;
	if (r->shown_count == SHOWN_MAX)
		fail(r, "too many descriptions");
	r->shown[r->shown_count++] = strdup(text);
	while ((m = strstr(m, "\nm="))) {
		unsigned port = 0;
		bool is_live = false;

		m += 3;
		if (sscanf(m, "%*s %u", &port) != 1 || port == 0)
			continue;
		for (size_t i = 0; i < r->live_count; i++)
			is_live |= r->live[i].local.port == port;
		if (!is_live)
			fail(r, "port %u is shown before its flow:\n%s", port,
			     text);
	}
}

static void check_hidden(struct run *r, const struct conn *to, const char *text)
{
	for (size_t i = 0; i < r->conn_count; i++)
		if (r->conn[i].side != to->side &&
		    strstr(text, r->conn[i].host))
			fail(r, "%s sees the address of %s:\n%s", to->name,
			     r->conn[i].name, text);
}

static void on_send(struct run *r, const struct action *a)
{
	struct conn *to = NULL;
	char *text;
	size_t n = 0;

	for (size_t i = 0; i < r->conn_count; i++)
		if (handle_eq(r->conn[i].dest.ep, a->dest.ep) &&
		    addr_eq(&r->conn[i].dest.peer, &a->dest.peer))
			to = &r->conn[i];
	if (!to)
		fail(r, "message for nobody:\n%.*s", SLICE_FMT(a->bytes));
	text = calloc(1, a->bytes.len + 1);
	if (!text || to->count == QUEUE_MAX)
		fail(r, "too many messages");
	for (size_t i = 0; i < a->bytes.len; i++)
		if (a->bytes.ptr[i] != '\r')
			text[n++] = (char)a->bytes.ptr[i];
	check_ports(r, text);
	check_hidden(r, to, text);
	to->queue[to->count++] = text;
}

static void on_record(struct run *r, const struct action *a)
{
	static const char *const kind[] = {
		"registered", "unregistered", "start",	 "answer",
		"end",	      "refused",      "fallback"};
	char buf[2048];

	snprintf(buf, sizeof(buf), "%s %.*s", kind[a->record],
		 SLICE_FMT(a->bytes));
	if (r->record_count == QUEUE_MAX) {
		free(r->record[0]);
		memmove(r->record, r->record + 1,
			(QUEUE_MAX - 1) * sizeof(r->record[0]));
		r->record_count--;
	}
	r->record[r->record_count++] = strdup(buf);
}

static void take(struct run *r, struct actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct action *a = &out->item[i];

		if (a->kind == ACTION_SIP_SEND)
			on_send(r, a);
		else if (a->kind == ACTION_RECORD)
			on_record(r, a);
		else
			on_flow(r, a);
	}
	actions_done(out);
}

static void step(struct run *r, const struct event *ev)
{
	struct actions out = {.count = 0};

	if (call_step(r->c, ev, r->now_ms, &out) != 0)
		fail(r, "call_step failed");
	take(r, &out);
}

/* --- what goes in -------------------------------------------------------- */

static bool read_line(struct run *r, char *buf, size_t cap)
{
	size_t n;

	if (!fgets(buf, (int)cap, r->in))
		return false;
	r->line++;
	n = strlen(buf);
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		buf[--n] = '\0';
	return true;
}

/* The lines up to EOF, variables expanded, LF between them. */
static void read_text(struct run *r, char *out, size_t cap)
{
	static char line[2048];
	static char full[4096];
	size_t n = 0;

	out[0] = '\0';
	for (;;) {
		if (!read_line(r, line, sizeof(line)))
			fail(r, "EOF is missing");
		if (strcmp(line, "EOF") == 0)
			return;
		expand(r, line, full, sizeof(full));
		if (n + strlen(full) + 2 > cap)
			fail(r, "text too long");
		n += (size_t)sprintf(out + n, "%s\n", full);
	}
}

/* CRLF everywhere, Content-Length computed. */
static size_t to_wire(struct run *r, const char *text, uint8_t *out)
{
	const char *split = strstr(text, "\n\n");
	size_t body = 0;
	size_t n = 0;

	if (!split)
		split = text + strlen(text) - 1;
	for (const char *p = split + 2; split[1] && *p; p++)
		body += *p == '\n' ? 2 : 1;
	for (const char *p = text; p <= split; p++) {
		if (*p == '\n')
			out[n++] = '\r';
		out[n++] = (uint8_t)*p;
	}
	if (!strstr(text, "Content-Length:"))
		n += (size_t)sprintf((char *)out + n, "Content-Length: %zu\r\n",
				     body);
	out[n++] = '\r';
	out[n++] = '\n';
	for (const char *p = split + 2; split[1] && *p; p++) {
		if (*p == '\n')
			out[n++] = '\r';
		out[n++] = (uint8_t)*p;
		if (n > 2 * TEXT_MAX - 8)
			fail(r, "text too long");
	}
	return n;
}

static void do_send(struct run *r, struct conn *from)
{
	static char text[TEXT_MAX];
	static uint8_t wire[2 * TEXT_MAX];
	static struct sip_msg msg;
	struct sip_reject why = {0, ""};
	struct event ev = {.kind = EVENT_SIP};
	struct actions out = {.count = 0};
	size_t len;

	read_text(r, text, sizeof(text));
	len = to_wire(r, text, wire);
	if (sip_msg_parse(wire, len, &msg, &why) != 0)
		fail(r, "not a message: %u %s\n%.*s", why.status, why.reason,
		     (int)len, (char *)wire);
	ev.sip = (struct event_sip){
		.msg = &msg,
		.from = from->dest,
		.side = from->side,
		.device = slice_str(from->device),
		.sig = from->sig,
		.policy = from->side == SIDE_PHONE ? &from->policy : NULL,
		.pass_auth = from->pass_auth,
	};
	if (calls_absorb(r->c, &ev.sip, r->now_ms, &out)) {
		take(r, &out);
		return;
	}
	take(r, &out);
	step(r, &ev);
}

static bool has_line(struct run *r, const char *text, const char *pat)
{
	static char line[4096];

	while (*text) {
		const char *end = strchr(text, '\n');
		size_t n = end ? (size_t)(end - text) : strlen(text);

		if (n >= sizeof(line))
			fail(r, "line too long");
		memcpy(line, text, n);
		line[n] = '\0';
		if (match(r, pat, line))
			return true;
		text += n + (end ? 1 : 0);
	}
	return false;
}

static char *queue_pop(char **queue, size_t *count)
{
	char *p = queue[0];

	memmove(queue, queue + 1, (*count - 1) * sizeof(*queue));
	(*count)--;
	return p;
}

/* "NAME receives START <<EOF" lines; "!" before what must not be there. */
static void do_receive(struct run *r, struct conn *at, char *rest)
{
	static char text[TEXT_MAX];
	char start[1024];
	char *more = strstr(rest, " <<EOF");
	char *got;
	char *p;

	if (strcmp(rest, "nothing") == 0) {
		if (at->count > 0)
			fail(r, "%s has received something", at->name);
		return;
	}
	if (more)
		*more = '\0';
	expand(r, rest, start, sizeof(start));
	text[0] = '\0';
	if (at->count == 0)
		fail(r, "%s has received nothing", at->name);
	p = strchr(at->queue[0], '\n');
	*p = '\0';
	if (!match(r, start, at->queue[0])) {
		*p = '\n';
		fail(r, "%s: first line is not %s", at->name, start);
	}
	*p = '\n';
	if (more) {
		char *line;
		char *save = NULL;

		read_text(r, text, sizeof(text));
		for (line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			bool is_not = line[0] == '!';

			if (has_line(r, at->queue[0], line + is_not) == is_not)
				fail(r, "%s: %s: %s", at->name,
				     is_not ? "unwanted line" : "no line",
				     line + is_not);
		}
	}
	got = queue_pop(at->queue, &at->count);
	free(got);
}

/* --- commands ------------------------------------------------------------ */

static bool option(const char *word, const char *name, const char **ret)
{
	size_t n = strlen(name);

	if (strncmp(word, name, n) != 0 || word[n] != '=')
		return false;
	*ret = word + n + 1;
	return true;
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
		fail(r, "policy %s", v);
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
		fail(r, "sig %s", v);
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
		fail(r, "conn");
	conn_defaults(r, k, word);
	while ((word = strtok_r(NULL, " ", &save))) {
		if (option(word, "addr", &v)) {
			if (addr_parse(slice_str(v), 0, &k->dest.peer) != 0)
				fail(r, "addr %s", v);
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
		} else if (option(word, "limit", &v)) {
			k->policy.call_limit = (uint32_t)atoi(v);
		} else if (strcmp(word, "passauth") == 0) {
			k->pass_auth = true;
		} else if (strcmp(word, "nat") == 0) {
			k->policy.nat = true;
		} else {
			fail(r, "conn %s", word);
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
		step(r, &ev);
		if (calls_deadline(r->c) <= at && at < r->now_ms)
			fail(r, "timer does not move");
	}
	r->now_ms = target;
}

static void do_flow(struct run *r, const char *rest)
{
	char pat[1024];
	char *got;

	expand(r, rest, pat, sizeof(pat));
	if (strcmp(pat, "nothing") == 0) {
		if (r->flow_count > 0)
			fail(r, "unexpected flow action");
		return;
	}
	if (r->flow_count == 0)
		fail(r, "no flow action");
	if (!match(r, pat, r->flow[0]))
		fail(r, "flow action is not %s", pat);
	got = queue_pop(r->flow, &r->flow_count);
	free(got);
}

/* Any record since the last one that was found. */
static void do_record(struct run *r, const char *rest)
{
	char pat[1024];

	expand(r, rest, pat, sizeof(pat));
	while (r->record_count > 0) {
		char *got = queue_pop(r->record, &r->record_count);
		bool is_it = match(r, pat, got);

		free(got);
		if (is_it)
			return;
	}
	fail(r, "no record %s", pat);
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
	expand(r, rest, pat, sizeof(pat));
	if (!match(r, pat, buf))
		fail(r, "counts are %s", buf);
}

/* call N PATTERN: what the operator sees of the n-th call. */
static void do_call(struct run *r, char *rest)
{
	struct call_info info;
	uint32_t pos = 0;
	unsigned long n = strtoul(rest, &rest, 10);
	char buf[1024];
	char pat[1024];

	do {
		if (!calls_next(r->c, &pos, &info))
			fail(r, "no such call");
	} while (--n > 0);
	snprintf(buf, sizeof(buf),
		 "%s security=%s suite=%s codec=%.*s joined=%d device=%.*s "
		 "caller=%.*s callee=%.*s",
		 info.state, call_security_str(info.security),
		 suite_info(info.suite)->name, SLICE_FMT(info.codec),
		 info.is_joined, SLICE_FMT(info.device), SLICE_FMT(info.caller),
		 SLICE_FMT(info.callee));
	expand(r, rest + 1, pat, sizeof(pat));
	if (!match(r, pat, buf))
		fail(r, "call is %s", buf);
	r->last_call = info.id;
}

static void do_event(struct run *r, const char *word, const char *rest)
{
	struct event ev = {.kind = EVENT_TIMER};
	char arg[64];

	expand(r, rest, arg, sizeof(arg));
	if (strcmp(word, "down") == 0) {
		ev.kind = EVENT_CONN_DOWN;
		ev.conn = conn_find(r, arg)->dest.ep;
	} else if (strcmp(word, "drop") == 0) {
		ev.kind = EVENT_CALL_DROP;
		ev.call = r->last_call;
	} else {
		ev.kind = strcmp(word, "flow-failed") == 0 ? EVENT_FLOW_FAILED
							   : EVENT_FLOW_IDLE;
		ev.flow.call = r->last_call;
		ev.flow.flow = strtoull(arg, NULL, 10);
	}
	step(r, &ev);
}

/* What is left is of no interest. */
static void do_clear(struct run *r)
{
	for (size_t i = 0; i < r->conn_count; i++)
		while (r->conn[i].count > 0)
			free(queue_pop(r->conn[i].queue, &r->conn[i].count));
	while (r->flow_count > 0)
		free(queue_pop(r->flow, &r->flow_count));
}

static void do_set(struct run *r, const char *rest)
{
	const char *eq = strchr(rest, '=');
	char value[VALUE_MAX];

	if (!eq)
		fail(r, "set");
	expand(r, eq + 1, value, sizeof(value));
	var_set(r, rest, (size_t)(eq - rest), value, strlen(value));
}

static void params_default(struct run *r)
{
	r->p = (struct calls_params){
		.outside_port_min = 20000,
		.outside_port_max = 20019,
		.inside_port_min = 30000,
		.inside_port_max = 30019,
		.port_cooldown_ms = 1000,
		.binding_limit = 8,
		.call_limit = 4,
		.txn_limit = 64,
		.expires_min_s = 60,
		.expires_max_s = 3600,
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.server_name = "Sallyport",
		.entropy = test_entropy(&r->entropy, 1),
		.seed = 42,
	};
	(void)!addr_parse_ip(slice_str("192.0.2.1"), &r->p.media_outside);
	(void)!addr_parse_ip(slice_str("10.0.0.1"), &r->p.media_inside);
}

/* start: the machine, after "param" and "conn core" lines. */
static void do_start(struct run *r)
{
	struct conn *core = conn_find(r, "core");

	core->side = SIDE_CORE;
	core->device[0] = '\0';
	core->sig = SIG_NONSECURE;
	(void)!addr_parse(slice_str("10.0.0.1:5060"), 0, &core->dest.local);
	r->p.core = core->dest;
	r->c = calls_new(&r->p, r->now_ms);
	if (!r->c)
		fail(r, "calls_new");
}

static void do_param(struct run *r, const char *rest)
{
	const char *v;

	if (option(rest, "call_limit", &v))
		r->p.call_limit = (uint32_t)atoi(v);
	else if (option(rest, "binding_limit", &v))
		r->p.binding_limit = (uint32_t)atoi(v);
	else if (option(rest, "txn_limit", &v))
		r->p.txn_limit = (uint32_t)atoi(v);
	else if (option(rest, "media_idle_ms", &v))
		r->p.media_idle_ms = (uint32_t)atoi(v);
	else if (option(rest, "outside_port_max", &v))
		r->p.outside_port_max = (uint16_t)atoi(v);
	else
		fail(r, "param %s", rest);
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
	else if (strcmp(line, "call") == 0)
		do_call(r, rest);
	else if (strcmp(line, "clear") == 0)
		do_clear(r);
	else if (strcmp(line, "down") == 0 || strcmp(line, "drop") == 0 ||
		 strcmp(line, "flow-failed") == 0 ||
		 strcmp(line, "flow-idle") == 0)
		do_event(r, line, rest);
	else if (strncmp(rest, "sends", 5) == 0)
		do_send(r, conn_find(r, line));
	else if (strncmp(rest, "receives ", 9) == 0)
		do_receive(r, conn_find(r, line), rest + 9);
	else
		fail(r, "unknown command %s %s", line, rest);
}

static void run_lines(struct run *r)
{
	char line[2048];

	while (read_line(r, line, sizeof(line)))
		if (line[0] && line[0] != '#')
			do_line(r, line);
}

static void open_file(struct run *r, const char *path)
{
	r->in = fopen(path, "r");
	r->file = path;
	r->line = 0;
	if (!r->in)
		fail(r, "cannot be read");
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
			fail(r, "%s was sent more than was expected",
			     r->conn[i].name);
	if (r->flow_count > 0)
		fail(r, "more flow actions than expected");
	calls_counts(r->c, &calls, &bindings, &txns);
	if (calls == 0 && r->live_count > 0)
		fail(r, "flows outlive their calls");
	calls_free(r->c);
	for (size_t i = 0; i < r->record_count; i++)
		free(r->record[i]);
	for (size_t i = 0; i < r->shown_count; i++)
		free(r->shown[i]);
}

static void run_file(const char *path)
{
	static struct run r;

	memset(&r, 0, sizeof(r));
	r.now_ms = 1000000;
	params_default(&r);
	var_set(&r, "in", 2, "1", 1); /* numbers in branches of *.inc */
	var_set(&r, "out", 3, "1", 1);
	open_file(&r, path);
	run_lines(&r);
	fclose(r.in);
	finish(&r);
	printf("ok %s\n", strrchr(path, '/') + 1);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	glob_t g;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
		return 0;
	}
	if (glob(TEST_SRCDIR "/replay/*.scn", 0, NULL, &g) != 0)
		return 1;
	for (size_t i = 0; i < g.gl_pathc; i++)
		run_file(g.gl_pathv[i]);
	globfree(&g);
	return 0;
}
