#include "replay/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/msg.h"

struct conn *replay_conn_find(struct run *r, const char *name)
{
	for (size_t i = 0; i < r->conn_count; i++)
		if (strcmp(r->conn[i].name, name) == 0)
			return &r->conn[i];
	replay_fail(r, "no connection %s", name);
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
	char mki[40] = "";

	if (f->remote.family != ADDR_NONE)
		addr_str(&f->remote, remote);
	if (f->in.mki_len > 0 || f->out.mki_len > 0)
		snprintf(mki, sizeof(mki), " mki=%u:%u/%u:%u", f->in.mki[0],
			 f->in.mki_len, f->out.mki[0], f->out.mki_len);
	snprintf(buf, cap,
		 "id=%" PRIu64 " local=%s remote=%s in=%s/%02x%02x "
		 "out=%s/%02x%02x latch=%s %s idle=%u%s%s%s%s",
		 f->id, addr_str(&f->local, local), remote, suite_of(&f->in),
		 f->in.key[0], f->in.key[1], suite_of(&f->out), f->out.key[0],
		 f->out.key[1], latch[f->latch],
		 f->is_blocked ? "blocked" : "open", f->idle_ms,
		 f->is_borrowed ? " borrowed" : "", f->is_muxed ? " muxed" : "",
		 f->is_raw ? " raw" : "", mki);
}

static void live_add(struct run *r, const struct flow *f)
{
	for (size_t i = 0; i < r->live_count; i++)
		if (r->live[i].id == f->id ||
		    addr_eq(&r->live[i].local, &f->local))
			replay_fail(r, "flow or port given twice");
	if (r->live_count == FLOWS_MAX)
		replay_fail(r, "too many flows");
	r->live[r->live_count++] = *f;
}

static void live_update(struct run *r, const struct flow *f)
{
	for (size_t i = 0; i < r->live_count; i++)
		if (r->live[i].id == f->id)
			r->live[i] = *f;
}

static void live_del(struct run *r, uint64_t id)
{
	for (size_t i = 0; i < r->live_count; i++) {
		if (r->live[i].id != id)
			continue;
		r->live[i] = r->live[--r->live_count];
		return;
	}
	replay_fail(r, "FLOW_DEL of flow %" PRIu64 ", which does not live", id);
}

static void flow_push(struct run *r, const char *text)
{
	if (r->flow_count == QUEUE_MAX)
		replay_fail(r, "too many flow actions");
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
		live_update(r, &a->flow[0]);
		break;
	case ACTION_FLOW_DEL:
		snprintf(buf, sizeof(buf), "del id=%" PRIu64, a->flow[0].id);
		live_del(r, a->flow[0].id);
		break;
	case ACTION_SIP_SEND:
	case ACTION_SCCP_SEND:
	case ACTION_SCCP_LINK:
	case ACTION_SCCP_UNLINK:
	case ACTION_CONN_CLOSE:
	case ACTION_ARRIVED:
	case ACTION_AUTH:
	case ACTION_AUTH_INFO:
	case ACTION_RECORD:
	case ACTION_SAVE:
	case ACTION_FORGET:
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
		replay_fail(r, "too many descriptions");
	r->shown[r->shown_count++] = strdup(text);
	while ((m = strstr(m, "\nm="))) {
		unsigned long port;
		bool is_live = false;

		m += 3;
		port = strtoul(m + strcspn(m, " "), NULL, 10);
		if (port == 0)
			continue;
		for (size_t i = 0; i < r->live_count; i++)
			is_live |= r->live[i].local.port == port;
		if (!is_live)
			replay_fail(r, "port %lu is shown before its flow:\n%s",
				    port, text);
	}
}

static void check_hidden(struct run *r, const struct conn *to, const char *text)
{
	const char *id = hidden_find(&r->hidden, (int)to->side, text);

	if (id)
		replay_fail(r, "%s sees %s of the other side:\n%s", to->name,
			    id, text);
	hidden_learn(&r->hidden, (int)to->side, text);
	for (size_t i = 0; i < r->conn_count; i++)
		if (r->conn[i].side != to->side &&
		    strstr(text, r->conn[i].host))
			replay_fail(r, "%s sees the address of %s:\n%s",
				    to->name, r->conn[i].name, text);
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
		replay_fail(r, "message for nobody:\n%.*s",
			    SLICE_FMT(a->bytes));
	text = calloc(1, a->bytes.len + 1);
	if (!text || to->count == QUEUE_MAX)
		replay_fail(r, "too many messages");
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
		"registered", "unregistered", "start",	  "answer",
		"end",	      "refused",      "fallback", "core"};
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

static void on_arrived(struct run *r, struct slice bytes)
{
	if (bytes.len > sizeof(r->arrived))
		replay_fail(r, "too long: %zu bytes", bytes.len);
	memcpy(r->arrived, bytes.ptr, bytes.len);
	r->arrived_len = bytes.len;
}

void replay_take(struct run *r, struct actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct action *a = &out->item[i];

		if (a->kind == ACTION_AUTH)
			r->auth = a->id;
		else if (a->kind == ACTION_AUTH_INFO)
			r->auth_infos++;
		else if (a->kind == ACTION_ARRIVED)
			on_arrived(r, a->bytes);
		else if (a->kind == ACTION_SIP_SEND)
			on_send(r, a);
		else if (a->kind == ACTION_RECORD)
			on_record(r, a);
		else if (a->kind == ACTION_SAVE || a->kind == ACTION_FORGET)
			replay_save(r, a);
		else
			on_flow(r, a);
	}
	actions_done(out);
}

void replay_step(struct run *r, const struct event *ev)
{
	struct actions out = {.count = 0};

	if (call_step(r->c, ev, r->now_ms, &out) != 0)
		replay_fail(r, "call_step failed");
	replay_take(r, &out);
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
			replay_fail(r, "text too long");
	}
	return n;
}

void replay_send(struct run *r, struct conn *from)
{
	static char text[TEXT_MAX];
	static uint8_t wire[2 * TEXT_MAX];
	static struct sip_msg msg;
	struct sip_reject why = {0, ""};
	struct event ev = {.kind = EVENT_SIP};
	struct actions out = {.count = 0};
	size_t len;

	replay_read_text(r, text, sizeof(text));
	hidden_learn(&r->hidden, (int)from->side, text);
	len = to_wire(r, text, wire);
	if (sip_msg_parse(wire, len, &msg, &why) != 0)
		replay_fail(r, "not a message: %u %s\n%.*s", why.status,
			    why.reason, (int)len, (char *)wire);
	ev.sip = (struct event_sip){
		.msg = &msg,
		.from = from->dest,
		.side = from->side,
		.device = slice_str(from->device),
		.sig = from->sig,
		.policy = from->side == SIDE_PHONE ? &from->policy : NULL,
		.pass_auth = from->pass_auth,
		.trunk = from->is_trunk,
	};
	if (calls_absorb(r->c, &ev.sip, r->now_ms, &out)) {
		replay_take(r, &out);
		return;
	}
	replay_take(r, &out);
	replay_step(r, &ev);
}

static bool has_line(struct run *r, const char *text, const char *pat)
{
	static char line[4096];

	while (*text) {
		const char *end = strchr(text, '\n');
		size_t n = end ? (size_t)(end - text) : strlen(text);

		if (n >= sizeof(line))
			replay_fail(r, "line too long");
		memcpy(line, text, n);
		line[n] = '\0';
		if (replay_match(r, pat, line))
			return true;
		text += n + (end ? 1 : 0);
	}
	return false;
}

char *replay_queue_pop(char **queue, size_t *count)
{
	char *p = queue[0];

	memmove(queue, queue + 1, (*count - 1) * sizeof(*queue));
	(*count)--;
	return p;
}

/* "NAME receives START <<EOF" lines; "!" before what must not be there. */
void replay_receive(struct run *r, struct conn *at, char *rest)
{
	static char text[TEXT_MAX];
	char start[1024];
	char *more = strstr(rest, " <<EOF");
	char *got;
	char *p;

	if (strcmp(rest, "nothing") == 0) {
		if (at->count > 0)
			replay_fail(r, "%s has received something", at->name);
		return;
	}
	if (more)
		*more = '\0';
	replay_expand(r, rest, start, sizeof(start));
	text[0] = '\0';
	if (at->count == 0)
		replay_fail(r, "%s has received nothing", at->name);
	p = strchr(at->queue[0], '\n');
	*p = '\0';
	if (!replay_match(r, start, at->queue[0])) {
		*p = '\n';
		replay_fail(r, "%s: first line is not %s", at->name, start);
	}
	*p = '\n';
	if (more) {
		char *line;
		char *save = NULL;

		replay_read_text(r, text, sizeof(text));
		for (line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			bool is_not = line[0] == '!';

			if (has_line(r, at->queue[0], line + is_not) == is_not)
				replay_fail(r, "%s: %s: %s", at->name,
					    is_not ? "unwanted line"
						   : "no line",
					    line + is_not);
		}
	}
	got = replay_queue_pop(at->queue, &at->count);
	free(got);
}
