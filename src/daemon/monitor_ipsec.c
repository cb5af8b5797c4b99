/*
 * Which addresses IPsec protects: the kernel is asked here, since the monitor
 * has the right to, and the workers are told. What it reads is the kernel's,
 * not an outsider's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "daemon/monitor.h"
#include "ipsec/watch.h"
#include "proxy/shield.h"

enum {
	NEWS_MAX = 4 + 24 * CONFIG_GUARDS_MAX,
	RULE_LINE_MAX = 256 /* bytes of one rule */
};

struct monitor_ipsec {
	struct monitor *m;
	struct config *config;	    /* a reference: whose names guard has */
	struct ipsec_watch *watch;  /* NULL: the kernel does not answer */
	struct config_guard *guard; /* count */
	enum ipsec_verdict *verdict;
	struct addr *open; /* room for those that are protected */
	uint32_t count;
	uint8_t news[NEWS_MAX];
	uint8_t out[NEWS_MAX + 16];
};

/* ---- workers -------------------------------------------------------------- */

void monitor_ipsec_tell(struct monitor *m, struct monitor_child *worker)
{
	struct dwire_msg msg = {.op = DWIRE_SHIELD};
	struct monitor_ipsec *x = m->ipsec;
	struct writer w;
	uint32_t n = 0;

	if (!x || !worker->channel)
		return;
	for (uint32_t i = 0; i < x->count; i++)
		if (x->verdict[i] == IPSEC_PROTECTED)
			x->open[n++] = x->guard[i].peer;
	writer_init(&w, x->news, sizeof(x->news));
	shield_write(&w, x->open, n);
	msg.text = writer_slice(&w);
	writer_init(&w, x->out, sizeof(x->out));
	dwire_write(&w, &msg);
	if (channel_send(worker->channel, writer_slice(&w)) != 0)
		log_error("%s is not told of IPsec", worker->name);
}

/* ---- the log -------------------------------------------------------------- */

static void say(const struct config_guard *g, enum ipsec_verdict v)
{
	const char *kind = g->is_gateway ? "gateway" : "trunk";
	char addr[ADDR_STR_MAX];

	addr_str(&g->peer, addr);
	if (v == IPSEC_PROTECTED)
		log_info("IPsec protects %s=%s peer=%s", kind, g->name, addr);
	else if (g->ipsec == CONFIG_IPSEC_WARN)
		log_warn("IPsec does not protect %s=%s peer=%s reason=\"%s\"",
			 kind, g->name, addr, ipsec_verdict_str(v));
	else
		log_error("IPsec does not protect %s=%s peer=%s reason=\"%s\""
			  "%s",
			  kind, g->name, addr, ipsec_verdict_str(v),
			  g->is_gateway ? "" : ": it is held back");
}

static void on_changed(void *ctx, const enum ipsec_verdict *verdict,
		       size_t count)
{
	struct monitor_ipsec *x = ctx;

	for (uint32_t i = 0; i < count && i < x->count; i++) {
		if (verdict[i] != x->verdict[i])
			say(&x->guard[i], verdict[i]);
		x->verdict[i] = verdict[i];
	}
	for (uint32_t i = 0; i < x->m->workers; i++)
		monitor_ipsec_tell(x->m, monitor_worker(x->m, i));
}

/* ---- from beginning to end -------------------------------------------------- */

static int begin_watch(struct monitor_ipsec *x)
{
	struct ipsec_flow *flow = alloc_array(x->count, sizeof(*flow));
	struct ipsec_watch_params p = {.loop = x->m->loop,
				       .flow = flow,
				       .count = x->count,
				       .changed = on_changed,
				       .ctx = x};
	int err = flow ? 0 : ERR_NOMEM;

	for (uint32_t i = 0; !err && i < x->count; i++)
		flow[i].peer = x->guard[i].peer;
	if (!err)
		err = ipsec_watch_new(&p, &x->watch);
	alloc_free(flow);
	/* Then nothing is known to be protected, which holds back what must
	 * be: the rest of the house goes on. */
	if (err == ERR_IO) {
		log_error("IPsec: the kernel does not answer error=\"%s\"",
			  strerror(errno));
		return 0;
	}
	return err;
}

static int fill(struct monitor_ipsec *x)
{
	struct config_guard g;

	while (config_guard_at(x->config, x->count, &g))
		x->count++;
	x->guard = alloc_array(x->count, sizeof(*x->guard));
	x->verdict = alloc_array(x->count, sizeof(*x->verdict));
	x->open = alloc_array(x->count, sizeof(*x->open));
	if (!x->guard || !x->verdict || !x->open)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < x->count; i++) {
		(void)config_guard_at(x->config, i, &x->guard[i]);
		/* The first reading tells each change from this. */
		x->verdict[i] = IPSEC_UNKNOWN;
	}
	return 0;
}

int monitor_ipsec_begin(struct monitor *m)
{
	struct config_guard g;
	int err;

	if (!config_guard_at(m->config, 0, &g))
		return 0;
	m->ipsec = alloc_zero(sizeof(*m->ipsec));
	if (!m->ipsec)
		return ERR_NOMEM;
	m->ipsec->m = m;
	m->ipsec->config = config_ref(m->config);
	err = fill(m->ipsec);
	return err ? err : begin_watch(m->ipsec);
}

static void free_watch(struct monitor_ipsec *x)
{
	if (!x)
		return;
	ipsec_watch_free(x->watch);
	alloc_free(x->guard);
	alloc_free(x->verdict);
	alloc_free(x->open);
	config_unref(x->config);
	alloc_free(x);
}

void monitor_ipsec_end(struct monitor *m)
{
	free_watch(m->ipsec);
	m->ipsec = NULL;
}

/* ---- another configuration -------------------------------------------------- */

static bool is_same_guard(const struct config_guard *a,
			  const struct config_guard *b)
{
	return strcmp(a->name, b->name) == 0 && addr_eq(&a->peer, &b->peer) &&
	       a->ipsec == b->ipsec && a->is_gateway == b->is_gateway;
}

static bool is_watched(const struct monitor_ipsec *x, const struct config *c)
{
	struct config_guard g;
	uint32_t n = 0;

	for (; config_guard_at(c, n, &g); n++)
		if (!x || n >= x->count || !is_same_guard(&g, &x->guard[n]))
			return false;
	return n == (x ? x->count : 0);
}

/* Until the first reading: an address that was protected is so still. */
static void take_verdicts(struct monitor_ipsec *x,
			  const struct monitor_ipsec *old)
{
	for (uint32_t i = 0; old && i < x->count; i++)
		for (uint32_t k = 0; k < old->count; k++)
			if (addr_ip_eq(&x->guard[i].peer, &old->guard[k].peer))
				x->verdict[i] = old->verdict[k];
}

void monitor_ipsec_follow(struct monitor *m)
{
	struct monitor_ipsec *old = m->ipsec;

	if (is_watched(old, m->config))
		return;
	m->ipsec = NULL;
	if (monitor_ipsec_begin(m) != 0) {
		log_error("IPsec: no memory: what was guarded before is "
			  "watched, and nothing else");
		monitor_ipsec_end(m);
		m->ipsec = old;
		return;
	}
	if (m->ipsec)
		take_verdicts(m->ipsec, old);
	free_watch(old);
}

/* ---- the operator ------------------------------------------------------------- */

static const char *ip_text(const struct addr *a, char buf[ADDR_STR_MAX])
{
	struct writer w;

	writer_init(&w, buf, ADDR_STR_MAX - 1);
	addr_print_ip(&w, a);
	buf[w.len] = '\0';
	return buf;
}

static json_t *guard_row(const struct config_guard *g, enum ipsec_verdict v)
{
	static const char *const words[] = {"no", "warn", "yes"};
	char addr[ADDR_STR_MAX];

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind",
			 g->is_gateway ? "gateway" : "trunk", "name", g->name,
			 "address", ip_text(&g->peer, addr), "require-ipsec",
			 words[g->ipsec], "state", ipsec_verdict_str(v));
}

void monitor_ipsec_list(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	json_t *rows = json_array();

	(void)args;
	for (uint32_t i = 0; m->ipsec && i < m->ipsec->count; i++)
		(void)json_array_append_new(
			rows,
			guard_row(&m->ipsec->guard[i], m->ipsec->verdict[i]));
	control_reply(m->control, token, rows);
}

/* What gateways are controlled by: MGCP (RFC 3435 section 3.5: 2427 and 2727;
 * its backhaul on TCP 2428), H.225 call signalling (TCP 1720) and RAS (UDP
 * 1718, 1719), H.245 on a TCP port of its own choice. */
static const struct {
	const char *proto, *ports;
} signalling[][2] = {
	[CONFIG_GATEWAY_MGCP] = {{"udp", "{ 2427, 2727 }"}, {"tcp", "2428"}},
	[CONFIG_GATEWAY_H323] = {{"udp", "{ 1718, 1719 }"},
				 {"tcp", "{ 1720, 1024-65535 }"}},
};

static void add_line(json_t *rows, const char *text)
{
	(void)json_array_append_new(rows, json_pack("{s:s}", "csv", text));
}

/* In clear nothing of the signalling passes, whoever sends it. */
static void add_rule(json_t *rows, const struct config_gateway *g, bool is_out,
		     int which)
{
	char addr[ADDR_STR_MAX];
	char line[RULE_LINE_MAX];

	(void)snprintf(line, sizeof(line),
		       "add rule inet sallyport_ipsec %s %s %s %s %s dport %s "
		       "%s counter drop comment \"%.64s\"",
		       is_out ? "out" : "in",
		       g->address.family == ADDR_V4 ? "ip" : "ip6",
		       is_out ? "daddr" : "saddr", ip_text(&g->address, addr),
		       signalling[g->protocol][which].proto,
		       signalling[g->protocol][which].ports,
		       is_out ? "rt ipsec missing" : "meta ipsec missing",
		       g->name);
	add_line(rows, line);
}

/* nft takes a script as a whole or not at all. A table that is not there cannot be
 * deleted, so it is made before. */
static void add_removal(json_t *rows)
{
	add_line(rows, "add table inet sallyport_ipsec");
	add_line(rows, "delete table inet sallyport_ipsec");
}

void monitor_ipsec_no_rules(void *ctx, uint64_t token, const json_t *args)
{
	struct monitor *m = ctx;
	json_t *rows = json_array();

	(void)args;
	add_removal(rows);
	control_reply(m->control, token, rows);
}

void monitor_ipsec_rules(void *ctx, uint64_t token, const json_t *args)
{
	static const char *const head[] = {
		"add table inet sallyport_ipsec",
		"add chain inet sallyport_ipsec in "
		"{ type filter hook prerouting priority raw + 10; }",
		"add chain inet sallyport_ipsec out "
		"{ type filter hook output priority filter - 10; }",
	};
	struct monitor *m = ctx;
	json_t *rows = json_array();

	(void)args;
	add_line(rows, "#!/usr/sbin/nft -f");
	add_line(rows, "# Signalling of gateways passes inside IPsec only.");
	add_removal(rows);
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		add_line(rows, head[i]);
	for (uint32_t i = 0; i < m->config->gateway_count; i++) {
		const struct config_gateway *g = &m->config->gateway[i];

		for (int k = 0; k < 4 && g->ipsec != CONFIG_IPSEC_NO; k++)
			add_rule(rows, g, k / 2, k % 2);
	}
	control_reply(m->control, token, rows);
}
