#include "unit/proxy/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void must(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "world: %s\n", what);
	abort();
}

/* ---- configuration ------------------------------------------------------ */

#define DEV(n) "device", "SEP00000000000" n

static const char *const rows[][4] = {
	{"", "", NULL, NULL}, /* before the first section */
	{"listener", "tls", "address", "tls:192.0.2.1:5061"},
	{"listener", "tls", "certificate", "server.pem"},
	{"listener", "tls", "key", "server.key"},
	{"listener", "tls", "trust", "device"},
	{"listener", "udp", "address", "udp:192.0.2.1:5060"},
	{"listener", "udp", "unknown-lines", "refuse"},
	{"listener", "trunks", "address", "udp:192.0.2.1:5070"},
	{"listener", "trunks", "serves", "trunks"},
	{"listener", "trunks", "unknown", "refuse"},
	{"listener", "trunks", "unknown-rate", "5"},
	{"listener", "quiet", "address", "udp:192.0.2.1:5072"},
	{"listener", "quiet", "serves", "trunks"},
	{"listener", "tls-trunks", "address", "tls:192.0.2.1:5071"},
	{"listener", "tls-trunks", "certificate", "server.pem"},
	{"listener", "tls-trunks", "key", "server.key"},
	{"listener", "tls-trunks", "trust", "trunks"},
	{"listener", "tls-trunks", "serves", "trunks"},
	{"listener", "hiding", "address", "udp:192.0.2.1:5074"},
	{"call-manager", "cm", "address", "udp:10.0.0.2:5060"},
	{"call-manager", "cm", "local-address", "10.0.0.1:5070"},
	{"call-manager", "cm", "serves", "both"},
	{"call-manager", "cm-carrier", "address", "udp:10.0.0.2:5065"},
	{"call-manager", "cm-carrier", "local-address", "10.0.0.1:5080"},
	{"call-manager", "cm-carrier", "serves", "trunks"},
	{"trunk-profile", "plain", "security-mode", "nonsecure"},
	{"trunk-profile", "plain", "call-limit", "2"},
	{"trunk-profile", "plain", "trust-identity", "yes"},
	{"trunk-profile", "plain", "accept-presence-subscription", "yes"},
	{"trunk-profile", "plain", "accept-out-of-dialog-refer", "yes"},
	{"trunk-profile", "plain", "accept-unsolicited-notification", "yes"},
	{"trunk-profile", "asked", "security-mode", "nonsecure"},
	{"trunk-profile", "asked", "digest", "yes"},
	{"trunk-profile", "asked", "nonce-lifetime", "2"},
	{"trunk-profile", "asked", "call-rate", "1"},
	{"trunk-profile", "asked", "burst", "3"},
	{"trunk-profile", "locked", "trunk-lock", "yes"},
	{"trunk-profile", "shielded", "trunk-lock", "no"},
	{"trunk", "carrier", "profile", "plain"},
	{"trunk", "carrier", "listeners", "trunks"},
	{"trunk", "carrier", "peers", "udp:203.0.113.1:5060"},
	{"trunk", "carrier", "peers", "udp:203.0.113.2:5060;priority=2"},
	{"trunk", "carrier", "call-managers", "cm-carrier"},
	{"trunk", "asked", "profile", "asked"},
	{"trunk", "asked", "listeners", "trunks"},
	{"trunk", "asked", "sources", "203.0.113.64/26"},
	{"trunk", "asked", "call-managers", "cm"},
	{"trunk", "asked", "direction", "in"},
	{"trunk", "asked", "hosts", "in.example"},
	{"trunk", "asked", "realm", "asked.example"},
	{"trunk", "named", "profile", "plain"},
	{"trunk", "named", "listeners", "quiet"},
	{"trunk", "named", "peers", "udp:203.0.113.3:5060"},
	{"trunk", "named", "call-managers", "cm"},
	{"trunk", "named", "direction", "out"},
	{"trunk", "named", "hosts", "named.example"},
	{"trunk", "locked", "profile", "locked"},
	{"trunk", "locked", "listeners", "tls-trunks"},
	{"trunk", "locked", "peers", "tls:203.0.113.10:5061"},
	{"trunk", "locked", "call-managers", "cm"},
	{"trunk", "locked", "hosts", "locked.example"},
	{"trunk", "shielded", "profile", "shielded"},
	{"trunk", "shielded", "listeners", "tls-trunks"},
	{"trunk", "shielded", "peers", "tls:203.0.113.11:5061"},
	{"trunk", "shielded", "call-managers", "cm"},
	{"trunk", "shielded", "hosts", "shielded.example"},
	{"media", "", "outside-address", "192.0.2.1"},
	{"media", "", "inside-address", "10.0.0.1"},
	{"limits", "", "message-rate", "50"},
	{"limits", "", "message-burst", "200"},
	{"calling-rights", "guard", "rules", "deny call to=0900*"},
	{"calling-rights", "guard", "rules", "deny forward to=outside"},
	{"calling-rights", "guard", "rules",
	 "deny transfer from=outside to=outside"},
	{"calling-rights", "guard", "default", "allow"},
	{"presence-group", "apart", "may-watch", "default"},
	{"phone-model", "anything", "encrypts", "yes"},
	{DEV("1"), "lines", "2001"},
	{DEV("1"), "security-mode", "encrypted"},
	{DEV("1"), "digest", "no"},
	{DEV("2"), "lines", "2002"},
	{DEV("2"), "security-mode", "nonsecure"},
	{DEV("2"), "digest", "no"},
	{DEV("2"), "presence-group", "apart"},
	{DEV("2"), "calling-rights", "guard"},
	{DEV("3"), "lines", "2003"},
	{DEV("3"), "lines", "2033"},
	{DEV("3"), "security-mode", "nonsecure"},
	{DEV("3"), "digest", "yes"},
	{DEV("3"), "digest-user", "carol"},
	{DEV("3"), "digest-algorithms", "SHA-512-256"},
	{DEV("3"), "digest-algorithms", "SHA-256"},
	{DEV("3"), "digest-algorithms", "MD5"},
	{DEV("4"), "lines", "2004"},
	{DEV("4"), "security-mode", "authenticated"},
	{DEV("4"), "digest", "no"},
};

enum { ROWS_MAX = sizeof(rows) / sizeof(rows[0]) };

/* Row i as a tuple, and one that opens its section before where it is new. */
static size_t add_row(struct config_tuple *t, const char *const *row,
		      const char *const *before, uint32_t line)
{
	struct config_tuple x = {.section = row[0],
				 .label = slice_str(row[1]),
				 .name = row[2],
				 .value = slice_str(row[3]),
				 .file = "test.conf",
				 .line = line};
	size_t n = 0;

	if (strcmp(row[0], before[0]) != 0 || strcmp(row[1], before[1]) != 0) {
		t[n] = x;
		t[n].name = NULL;
		t[n++].value = SLICE_NULL;
	}
	t[n++] = x;
	return n;
}

struct config *world_config(const char *const (*more)[4], size_t count,
			    const char *without)
{
	static struct config_tuple t[2 * (ROWS_MAX + WORLD_MORE_MAX)];
	struct config_report rep;
	struct config *c = NULL;
	size_t n = 0;

	must(count <= WORLD_MORE_MAX, "too many rows");
	for (size_t i = 1; i < ROWS_MAX; i++) {
		if (without && strcmp(rows[i][1], without) == 0)
			continue;
		n += add_row(t + n, rows[i], rows[i - 1], (uint32_t)i);
	}
	for (size_t i = 0; i < count; i++)
		n += add_row(t + n, more[i], i ? more[i - 1] : rows[0],
			     (uint32_t)(ROWS_MAX + i));
	config_report_init(&rep);
	if (config_build(t, n, "/etc/sallyport", &rep, &c) != 0) {
		for (struct config_message *m = rep.first; m; m = m->next)
			fprintf(stderr, "%s\n", m->text);
		abort();
	}
	config_report_done(&rep);
	return c;
}

/* ---- recorder ----------------------------------------------------------- */

static void on_send(void *ctx, const struct dest *to, struct slice bytes)
{
	struct world *w = ctx;
	struct world_sent *s = &w->sent[w->sent_count % WORLD_SENT_MAX];
	size_t len =
		bytes.len < WORLD_TEXT_MAX ? bytes.len : WORLD_TEXT_MAX - 1;

	s->to = *to;
	memcpy(s->text, bytes.ptr, len);
	s->text[len] = '\0';
	w->sent_count++;
	if (handle_eq(to->ep, w->answerer->ep) &&
	    strncmp(s->text, "SIP/2.0", 7) != 0 &&
	    strncmp(s->text, "ACK", 3) != 0)
		memcpy(w->asked, s->text, len + 1);
	if (w->on_send)
		w->on_send(w, to);
}

static void on_close(void *ctx, struct handle ep)
{
	struct world *w = ctx;

	(void)ep;
	w->closes++;
}

static int on_flow_add(void *ctx, uint32_t number, const struct flow f[2])
{
	struct world *w = ctx;

	(void)f;
	w->number = number;
	w->is_asked = true;
	w->flow_adds++;
	return 0;
}

static void on_flow_update(void *ctx, const struct flow *f)
{
	(void)ctx;
	(void)f;
}

static void on_flow_del(void *ctx, uint64_t id)
{
	(void)ctx;
	(void)id;
}

static void on_record(void *ctx, const struct action *a)
{
	(void)ctx;
	(void)a;
}

static void copy(char *to, size_t size, struct slice s)
{
	must(s.len < size, "a field is too long");
	if (s.len > 0)
		memcpy(to, s.ptr, s.len);
	to[s.len] = '\0';
}

static int on_credential(void *ctx, uint64_t ticket, struct slice user,
			 struct slice realm)
{
	struct world *w = ctx;
	struct world_ask *a = &w->store[w->store_count];

	if (w->store_err)
		return w->store_err;
	must(w->store_count < WORLD_ASKS_MAX, "too many questions");
	*a = (struct world_ask){.ticket = ticket};
	copy(a->realm, sizeof(a->realm), realm);
	copy(a->user, sizeof(a->user), user);
	w->store_count++;
	return 0;
}

static int on_check(void *ctx, uint64_t ticket, struct keys_check *c)
{
	struct world *w = ctx;
	struct world_ask *a = &w->keys[w->keys_count];

	if (w->keys_err)
		return w->keys_err;
	must(w->keys_count < WORLD_ASKS_MAX, "too many questions");
	must(slice_eqs(c->blob, "sealed"), "blob");
	/* The keys process takes no message over KEYS_MSG_MAX. */
	if (c->uri.len >= sizeof(a->uri) || c->cnonce.len >= sizeof(a->cnonce))
		return ERR_LIMIT;
	*a = (struct world_ask){.ticket = ticket, .alg = c->alg};
	copy(a->user, sizeof(a->user), c->user);
	copy(a->realm, sizeof(a->realm), c->realm);
	copy(a->method, sizeof(a->method), c->method);
	copy(a->uri, sizeof(a->uri), c->uri);
	copy(a->nonce, sizeof(a->nonce), c->nonce);
	copy(a->nc, sizeof(a->nc), c->nc);
	copy(a->cnonce, sizeof(a->cnonce), c->cnonce);
	if (c->qop.len < sizeof(a->qop))
		copy(a->qop, sizeof(a->qop), c->qop);
	else
		copy(a->qop, sizeof(a->qop), slice_str("unknown"));
	if (c->response.len < sizeof(a->response))
		copy(a->response, sizeof(a->response), c->response);
	copy(a->body_hash, sizeof(a->body_hash), c->body_hash);
	w->keys_count++;
	return 0;
}

static void on_stopped(void *ctx, enum pipeline_stop why,
		       const struct sip_msg *m, const struct dest *from,
		       struct slice device, const char *text)
{
	struct world *w = ctx;

	(void)m;
	(void)from;
	(void)device;
	w->stop = why;
	(void)snprintf(w->why, sizeof(w->why), "%s", text);
}

static void on_admitted(void *ctx, struct handle conn)
{
	struct world *w = ctx;

	(void)conn;
	w->admitted++;
}

/* ---- composition --------------------------------------------------------- */

static struct addr ip(const char *text)
{
	struct addr a;

	must(addr_parse(slice_str(text), 0, &a) == 0, text);
	return a;
}

static void make_calls(struct world *w)
{
	const struct config *c = w->config;
	struct calls_params p = {
		.core = w->core,
		.group = {.failures = 1,
			  .successes = 1,
			  .try_timeout_ms = 4000},
		.phone_managers = 1,
		.trunk_limit = PIPELINE_TRUNKS_MAX,
		.media_outside = c->media.outside_address,
		.media_inside = c->media.inside_address,
		.outside_port_min = c->media.outside_ports.min,
		.outside_port_max = c->media.outside_ports.max,
		.inside_port_min = c->media.inside_ports.min,
		.inside_port_max = c->media.inside_ports.max,
		.port_cooldown_ms = c->media.cool_down_s * 1000,
		.binding_limit = 100,
		.call_limit = 20,
		.txn_limit = 100,
		.sub_limit = 10,
		.sub_device_limit = 5,
		.expires_min_s = c->sip.expires_min_s,
		.expires_max_s = c->sip.expires_max_s,
		.session_s = c->sip.session_expires_s,
		.session_min_s = c->sip.min_se_s,
		.t1_ms = c->sip.t1_ms,
		.t2_ms = c->sip.t2_ms,
		.t4_ms = c->sip.t4_ms,
		.server_name = c->server_name,
		.entropy = test_entropy(&w->entropy, 1),
		.seed = 2,
	};

	w->calls = calls_new(&p, w->now);
	must(w->calls, "calls");
}

static void tell_place(struct world *w, uint32_t trunk, uint32_t manager,
		       uint32_t priority, const struct dest *d)
{
	struct core_place place = {
		.manager = manager, .priority = priority, .dest = *d};
	struct event ev = {.kind = EVENT_CORE,
			   .core = {.trunk = trunk,
				    .manager = manager,
				    .place = &place,
				    .count = 1}};

	pipeline_event(w->pipeline, &ev, w->now);
}

/* What a worker tells the call machine of trunks. */
static void tell_trunks(struct world *w)
{
	const struct config *c = w->config;

	for (uint32_t i = 0; i < c->trunk_count; i++) {
		struct event ev = {
			.kind = EVENT_TRUNK,
			.trunk = {.number = i,
				  .name = slice_str(c->trunk[i].name),
				  .managers = c->trunk[i].manager_bits,
				  .places = 4}};

		ingress_trunk_policy(&c->trunk[i], &ev.trunk.policy);
		pipeline_event(w->pipeline, &ev, w->now);
	}
	tell_place(w, 0, 1, 1, &w->core_trunk);
	tell_place(w, 1, 0, 1, &w->carrier[0]);
	tell_place(w, 1, 1, 2, &w->carrier[1]);
	tell_place(w, 3, 0, 1, &w->named);
	tell_place(w, 4, 0, 1, &w->secure[0]);
	tell_place(w, 5, 0, 1, &w->secure[1]);
}

static void make_pipeline(struct world *w)
{
	struct egress_cb ecb = {.send = on_send,
				.close = on_close,
				.flow_add = on_flow_add,
				.flow_update = on_flow_update,
				.flow_del = on_flow_del,
				.record = on_record,
				.ctx = w};
	struct pipeline_params p = {.config = w->config,
				    .calls = w->calls,
				    .retirees = &w->retirees,
				    .formers = &w->formers,
				    .cb = {.credential = on_credential,
					   .check = on_check,
					   .stopped = on_stopped,
					   .admitted = on_admitted,
					   .ctx = w},
				    .entropy = {.fill = NULL},
				    .nonce_key =
					    "0123456789abcdef0123456789abcde",
				    .seed = 3};

	p.entropy = test_entropy(&w->entropy, 4);
	w->egress = egress_new(&ecb, 5);
	p.egress = w->egress;
	must(w->egress, "egress");
	w->pipeline = pipeline_new(&p);
	must(w->pipeline, "pipeline");
}

/* Those of the last world: megabytes, which a fuzzer would otherwise get from
 * the system for each of its worlds. */
static struct {
	struct world_sent *sent;
	struct world_ask *store;
	struct world_ask *keys;
} spare;

static void take_records(struct world *w)
{
	w->sent = spare.sent;
	w->store = spare.store;
	w->keys = spare.keys;
	spare.sent = NULL;
	spare.store = spare.keys = NULL;
	for (int i = 0; w->sent && i < WORLD_SENT_MAX; i++)
		w->sent[i].text[0] = '\0';
	if (w->sent)
		return;
	w->sent = calloc(WORLD_SENT_MAX, sizeof(*w->sent));
	w->store = calloc(WORLD_ASKS_MAX, sizeof(*w->store));
	w->keys = calloc(WORLD_ASKS_MAX, sizeof(*w->keys));
	must(w->sent && w->store && w->keys, "memory");
}

static void give_records(struct world *w)
{
	free(spare.sent);
	free(spare.store);
	free(spare.keys);
	spare.sent = w->sent;
	spare.store = w->store;
	spare.keys = w->keys;
}

void world_init(struct world *w)
{
	world_init_more(w, NULL, 0);
}

void world_init_more(struct world *w, const char *const (*more)[4],
		     size_t count)
{
	*w = (struct world){.now = 1000000};
	take_records(w);
	w->core = (struct dest){.ep = {.index = 2, .gen = 1},
				.peer = ip("10.0.0.2:5060"),
				.local = ip("10.0.0.1:5070")};
	w->udp = (struct dest){.ep = {.index = 1, .gen = 1},
			       .peer = ip("198.51.100.7:5060"),
			       .local = ip("192.0.2.1:5060")};
	w->core_trunk = (struct dest){.ep = {.index = 9, .gen = 1},
				      .peer = ip("10.0.0.2:5065"),
				      .local = ip("10.0.0.1:5080")};
	/* The index of an outside endpoint is its listener's. */
	w->carrier[0] = (struct dest){.ep = {.index = 2, .gen = 2},
				      .peer = ip("203.0.113.1:5060"),
				      .local = ip("192.0.2.1:5070")};
	w->carrier[1] = w->carrier[0];
	w->carrier[1].peer = ip("203.0.113.2:5060");
	w->asked_trunk = w->carrier[0];
	w->asked_trunk.peer = ip("203.0.113.65:5060");
	w->named = (struct dest){.ep = {.index = 3, .gen = 2},
				 .peer = ip("203.0.113.3:5060"),
				 .local = ip("192.0.2.1:5072")};
	for (int i = 0; i < 2; i++)
		w->secure[i] = (struct dest){
			.ep = {.index = 4, .gen = 3 + (uint32_t)i},
			.peer = ip(i == 0 ? "203.0.113.10:5061"
					  : "203.0.113.11:5061"),
			.local = ip("192.0.2.1:5071"),
			.is_reliable = true,
			.is_tls = true};
	w->hiding = (struct dest){.ep = {.index = 5, .gen = 2},
				  .peer = ip("198.51.100.9:5060"),
				  .local = ip("192.0.2.1:5074")};
	w->config = world_config(more, count, NULL);
	w->phone = (struct conn){
		.ep = {.index = 10, .gen = 1},
		.dest = {.ep = {.index = 10, .gen = 1},
			 .peer = ip("198.51.100.1:40001"),
			 .local = ip("192.0.2.1:5061"),
			 .is_reliable = true,
			 .is_tls = true},
		.side = SIDE_PHONE,
		.sig = SIG_ENCRYPTED,
		.device = config_device_find(w->config,
					     slice_str("SEP000000000001")),
	};
	must(w->phone.device, "device");
	w->answerer = &w->core;
	retirees_init(&w->retirees);
	formers_init(&w->formers);
	make_calls(w);
	make_pipeline(w);
	tell_trunks(w);
}

void world_done(struct world *w)
{
	pipeline_free(w->pipeline);
	egress_free(w->egress);
	calls_free(w->calls);
	retirees_done(&w->retirees);
	formers_done(&w->formers);
	config_unref(w->config);
	give_records(w);
}

void world_forget(struct world *w)
{
	w->sent_count = 0;
	w->closes = 0;
	w->flow_adds = 0;
	w->stop = STOP_NONE;
	w->why[0] = '\0';
}

void world_say(struct world *w, const struct dest *from, enum side side,
	       struct conn *c, const char *text)
{
	const char *body = strstr(text, "\n\n");
	size_t size = 2 * strlen(text) + 64;
	char *buf = malloc(size);
	size_t lines = 0;
	size_t head;
	size_t n = 0;

	must(buf, "memory");
	head = body ? (size_t)(body - text) + 1 : strlen(text);
	body = body ? body + 2 : "";
	for (const char *p = body; *p; p++)
		lines += *p == '\n';
	for (const char *p = text; p < text + head; p++) {
		if (*p == '\n')
			buf[n++] = '\r';
		buf[n++] = *p;
	}
	n += (size_t)snprintf(buf + n, size - n, "Content-Length: %zu\r\n\r\n",
			      strlen(body) + lines);
	for (const char *p = body; *p; p++) {
		if (*p == '\n')
			buf[n++] = '\r';
		buf[n++] = *p;
	}
	pipeline_run(w->pipeline,
		     &(struct pipeline_in){.bytes = slice_make(buf, n),
					   .from = from,
					   .side = side,
					   .listener = c ? c->listener
							 : from->ep.index,
					   .conn = c},
		     w->now);
	free(buf);
}

/* Append fmt to text of size WORLD_TEXT_MAX. */
static void add(char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(char *text, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text + n, WORLD_TEXT_MAX - n, fmt, ap);
	va_end(ap);
	must(len >= 0 && (size_t)len < WORLD_TEXT_MAX - n, "too long");
}

static void add_body(char *text, const char *sdp)
{
	size_t lines = 0;

	for (const char *p = sdp; *p; p++)
		lines += *p == '\n';
	if (lines > 0)
		add(text, "Content-Type: application/sdp\r\n");
	add(text, "Content-Length: %zu\r\n\r\n", strlen(sdp) + lines);
	for (const char *p = sdp; *p; p++)
		add(text, *p == '\n' ? "\r\n" : "%c", *p);
}

void world_answer(struct world *w, const char *status, const char *sdp)
{
	static const char *const names[] = {
		"Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "};
	char *text = calloc(1, WORLD_TEXT_MAX);
	bool is_core = w->answerer == &w->core || w->answerer == &w->core_trunk;
	char addr[ADDR_STR_MAX];

	must(text, "memory");
	add(text, "SIP/2.0 %s\r\n", status);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[16];
		const char *p;

		(void)snprintf(name, sizeof(name), "\r\n%s", names[i]);
		p = strstr(w->asked, name);
		if (!p) {
			free(text);
			return; /* nothing was asked */
		}
		add(text, "%.*s", (int)strcspn(p + 2, "\r"), p + 2);
		if (i == 2 && !strstr(w->asked, ";tag=core"))
			add(text, ";tag=core");
		add(text, "\r\n");
	}
	if (strncmp(w->asked, "REGISTER", 8) != 0)
		add(text, "Contact: <sip:cm@%s>\r\n",
		    addr_str(&w->answerer->peer, addr));
	add_body(text, sdp);
	pipeline_run(
		w->pipeline,
		&(struct pipeline_in){.bytes = slice_str(text),
				      .from = w->answerer,
				      .side = is_core ? SIDE_CORE : SIDE_PHONE,
				      .listener = w->answerer->ep.index},
		w->now);
	free(text);
}

/* ---- the other processes ------------------------------------------------- */

void world_store(struct world *w, int err)
{
	uint32_t n = w->store_count;

	w->store_count = 0;
	for (uint32_t i = 0; i < n; i++)
		pipeline_credential(w->pipeline, w->store[i].ticket, err,
				    slice_str(err ? "" : "sealed"), w->now);
}

void world_keys(struct world *w, int err)
{
	uint32_t n = w->keys_count;

	w->keys_count = 0;
	for (uint32_t i = 0; i < n; i++)
		pipeline_checked(w->pipeline, w->keys[i].ticket, err, w->now);
}

static int judge(const struct world_ask *a)
{
	struct digest_fields f = {.alg = (enum digest_alg)a->alg,
				  .method = slice_str(a->method),
				  .uri = slice_str(a->uri),
				  .nonce = slice_str(a->nonce),
				  .qop = slice_str(a->qop),
				  .nc = slice_str(a->nc),
				  .cnonce = slice_str(a->cnonce),
				  .body_hash = slice_str(a->body_hash)};
	struct digest_hex ha1;
	struct digest_hex want;

	if (a->alg == DIGEST_SHA256)
		return ERR_NOTFOUND;
	if (digest_ha1(f.alg, slice_str(a->user), slice_str(a->realm),
		       slice_str("secret"), &ha1) != 0 ||
	    digest_response(digest_hex_slice(&ha1), &f, &want) != 0)
		return ERR_BAD;
	return digest_eq(&want, slice_str(a->response)) ? 0 : ERR_AUTH;
}

void world_settle(struct world *w)
{
	uint32_t n;

	world_store(w, 0);
	n = w->keys_count;
	w->keys_count = 0;
	for (uint32_t i = 0; i < n; i++)
		pipeline_checked(w->pipeline, w->keys[i].ticket,
				 judge(&w->keys[i]), w->now);
}

void world_media(struct world *w, int err)
{
	if (!w->is_asked)
		return;
	w->is_asked = false;
	egress_answer(w->egress, w->number, err, w->now);
	pipeline_expire(w->pipeline, w->now);
}

void world_pass(struct world *w, uint64_t t)
{
	uint64_t next;

	while ((next = pipeline_deadline(w->pipeline)) <= t) {
		must(next != UINT64_MAX, "time");
		if (next > w->now)
			w->now = next;
		pipeline_expire(w->pipeline, w->now);
		must(pipeline_deadline(w->pipeline) > w->now,
		     "what was due is still due");
	}
	w->now = t;
}
