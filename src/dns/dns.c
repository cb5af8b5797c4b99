#include "dns/dns.h"

#include <arpa/nameser.h>
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

enum {
	SOCKS_MAX = 16,
	TARGETS_MAX = 8, /* SRV records of one name that count */
	HOST_BYTES = 256,
	TIMEOUT_MS = 2000,
	TRIES = 2,
	EDNS_BYTES = 1232
};

/* What a look-up is waiting for. */
enum step { STEP_NONE, STEP_NAPTR, STEP_SRV, STEP_ADDR };

/* A host that an SRV record names, or the name itself. */
struct target {
	char host[HOST_BYTES];
	uint16_t port;
	uint16_t priority;
	uint16_t weight;
};

/* A name that is watched. */
struct watch {
	struct dns *d;
	uint32_t id;
	struct dns_watch w;
	char host[HOST_BYTES];
	enum step step;
	bool is_off; /* nobody asks for it; free once step is STEP_NONE */
	struct target target[TARGETS_MAX];
	uint32_t target_count;
	uint32_t next;	/* target whose address is asked for */
	uint32_t ttl_s; /* least so far in this look-up */
	struct dns_place found[DNS_PLACES_MAX];
	uint32_t found_count;
	struct dns_place place[DNS_PLACES_MAX]; /* the last good answer */
	uint32_t place_count;
	struct loop_timer timer;
};

struct sock {
	struct loop_fd w;
	struct dns *d;
};

struct dns {
	struct dns_params p;
	ares_channel ares;
	bool has_ares;
	struct loop_timer timer; /* c-ares' own timeouts */
	struct sock sock[SOCKS_MAX];
	struct watch watch[DNS_WATCHES_MAX];
	uint32_t watch_count;
};

static void begin(struct watch *w);

/* ---- c-ares in the loop ---------------------------------------------------- */

static void set_timer(struct dns *d)
{
	struct timeval most = {.tv_sec = 60};
	struct timeval tv;
	const struct timeval *t = ares_timeout(d->ares, &most, &tv);
	uint64_t ms = (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000;

	if (t == &most) { /* nothing is under way */
		loop_timer_clear(d->p.loop, &d->timer);
		return;
	}
	/* Without it a query that is never answered would wait for another
	 * event: nothing is lost by that but time. */
	if (loop_timer_set(d->p.loop, &d->timer,
			   loop_now_ms(d->p.loop) + ms + 1) != 0)
		return;
}

static void on_timer(void *arg)
{
	struct dns *d = arg;

	ares_process_fd(d->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(d);
}

static void on_socket(void *arg, uint32_t events)
{
	struct sock *s = arg;
	struct dns *d = s->d;
	int fd = s->w.fd;
	bool is_read = events & (LOOP_READ | LOOP_ERROR);
	bool is_write = events & (LOOP_WRITE | LOOP_ERROR);

	ares_process_fd(d->ares, is_read ? fd : ARES_SOCKET_BAD,
			is_write ? fd : ARES_SOCKET_BAD);
	set_timer(d);
}

static struct sock *sock_find(struct dns *d, int fd)
{
	for (size_t i = 0; i < SOCKS_MAX; i++)
		if (d->sock[i].w.fd == fd)
			return &d->sock[i];
	return NULL;
}

/* c-ares says what it wants to know of a socket; nothing: it closes it. */
static void on_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = arg;
	uint32_t events =
		(readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);
	struct sock *s = sock_find(d, fd);

	if (s && events == 0) {
		loop_fd_del(d->p.loop, &s->w);
		return;
	}
	if (s) {
		loop_fd_set(d->p.loop, &s->w, events);
		return;
	}
	s = events ? sock_find(d, -1) : NULL;
	/* One that is not watched times out. */
	if (s && loop_fd_add(d->p.loop, &s->w, fd, events, on_socket, s) != 0)
		s->w.fd = -1;
}

/* ---- the end of a look-up --------------------------------------------------- */

static void again_in(struct watch *w, uint32_t seconds)
{
	w->step = STEP_NONE;
	if (w->is_off)
		return;
	if (loop_timer_set(w->d->p.loop, &w->timer,
			   loop_now_ms(w->d->p.loop) +
				   (uint64_t)seconds * 1000) != 0)
		w->d->p.failed(w->d->p.ctx, w->id, "out of memory");
}

static void give_up(struct watch *w, const char *why)
{
	again_in(w, DNS_RETRY_S);
	if (!w->is_off)
		w->d->p.failed(w->d->p.ctx, w->id, why);
}

static bool is_same(const struct watch *w)
{
	if (w->found_count != w->place_count)
		return false;
	for (uint32_t i = 0; i < w->found_count; i++)
		if (!addr_eq(&w->found[i].addr, &w->place[i].addr) ||
		    w->found[i].priority != w->place[i].priority ||
		    w->found[i].weight != w->place[i].weight)
			return false;
	return true;
}

/* Servers turn the order of addresses round: that is no news. */
static void sort_found(struct watch *w)
{
	for (uint32_t i = 1; i < w->found_count; i++) {
		struct dns_place p = w->found[i];
		uint32_t k = i;

		while (k > 0 &&
		       (w->found[k - 1].priority > p.priority ||
			(w->found[k - 1].priority == p.priority &&
			 memcmp(w->found[k - 1].addr.ip, p.addr.ip, 16) > 0))) {
			w->found[k] = w->found[k - 1];
			k--;
		}
		w->found[k] = p;
	}
}

static void finish(struct watch *w)
{
	uint32_t ttl = w->ttl_s;

	if (w->found_count == 0) {
		give_up(w, "no address");
		return;
	}
	if (ttl < DNS_TTL_MIN_S)
		ttl = DNS_TTL_MIN_S;
	if (ttl > DNS_TTL_MAX_S)
		ttl = DNS_TTL_MAX_S;
	again_in(w, ttl);
	sort_found(w);
	if (w->is_off || is_same(w))
		return;
	memcpy(w->place, w->found, sizeof(w->place));
	w->place_count = w->found_count;
	w->d->p.changed(w->d->p.ctx, w->id, w->place, w->place_count);
}

static void take_ttl(struct watch *w, const unsigned char *buf, int len)
{
	uint32_t ttl;

	if (len > 0 && dns_ttl(slice_make(buf, (size_t)len), &ttl) == 0 &&
	    ttl < w->ttl_s)
		w->ttl_s = ttl;
}

/* There is no such name or record, which is an answer; or there is none. */
static bool is_absent(int status)
{
	return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

/* ---- addresses --------------------------------------------------------------- */

static void ask_addr(struct watch *w);

static void add_place(struct watch *w, const void *ip)
{
	const struct target *t = &w->target[w->next];
	struct dns_place *p = &w->found[w->found_count];

	if (w->found_count == DNS_PLACES_MAX)
		return;
	*p = (struct dns_place){.priority = t->priority, .weight = t->weight};
	p->addr.family = w->w.family;
	p->addr.port = t->port;
	memcpy(p->addr.ip, ip, w->w.family == ADDR_V6 ? 16 : 4);
	w->found_count++;
}

static void take_addrs(struct watch *w, const unsigned char *buf, int len)
{
	struct ares_addrttl a[DNS_PLACES_MAX];
	struct ares_addr6ttl a6[DNS_PLACES_MAX];
	int n = DNS_PLACES_MAX;

	if (w->w.family == ADDR_V6) {
		if (ares_parse_aaaa_reply(buf, len, NULL, a6, &n) != 0)
			return;
		for (int i = 0; i < n; i++)
			add_place(w, &a6[i].ip6addr);
		return;
	}
	if (ares_parse_a_reply(buf, len, NULL, a, &n) != 0)
		return;
	for (int i = 0; i < n; i++)
		add_place(w, &a[i].ipaddr);
}

static void on_addr(void *arg, int status, int timeouts, unsigned char *buf,
		    int len)
{
	struct watch *w = arg;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return;
	if (status == ARES_SUCCESS) {
		take_ttl(w, buf, len);
		take_addrs(w, buf, len);
	} else if (!is_absent(status)) {
		/* Half an answer would put calls at the wrong place. */
		give_up(w, ares_strerror(status));
		return;
	}
	w->next++;
	ask_addr(w);
}

static void ask_addr(struct watch *w)
{
	w->step = STEP_ADDR;
	if (w->next == w->target_count) {
		finish(w);
		return;
	}
	ares_query(w->d->ares, w->target[w->next].host, C_IN,
		   w->w.family == ADDR_V6 ? T_AAAA : T_A, on_addr, w);
}

/* The name itself, at this port. */
static void ask_host(struct watch *w, uint16_t port)
{
	struct target *t = &w->target[0];

	*t = (struct target){.port = port};
	(void)snprintf(t->host, sizeof(t->host), "%s", w->host);
	w->target_count = 1;
	w->next = 0;
	ask_addr(w);
}

/* ---- SRV and NAPTR ------------------------------------------------------------ */

static uint16_t default_port(const struct watch *w)
{
	return w->w.transport == DNS_TLS ? 5061 : 5060;
}

static void take_srv(struct watch *w, const struct ares_srv_reply *list)
{
	for (const struct ares_srv_reply *s = list; s; s = s->next) {
		struct target *t = &w->target[w->target_count];

		/* RFC 2782: "." says that there is no such service. */
		if (w->target_count == TARGETS_MAX || s->host[0] == '\0' ||
		    strcmp(s->host, ".") == 0 || s->port == 0 ||
		    strlen(s->host) >= sizeof(t->host))
			continue;
		*t = (struct target){.port = s->port,
				     .priority = s->priority,
				     .weight = s->weight};
		(void)snprintf(t->host, sizeof(t->host), "%s", s->host);
		w->target_count++;
	}
}

static void on_srv(void *arg, int status, int timeouts, unsigned char *buf,
		   int len)
{
	struct watch *w = arg;
	struct ares_srv_reply *list = NULL;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return;
	if (is_absent(status)) {
		ask_host(w, default_port(w));
		return;
	}
	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(buf, len, &list);
	if (status != ARES_SUCCESS) {
		give_up(w, ares_strerror(status));
		return;
	}
	take_ttl(w, buf, len);
	w->target_count = 0;
	w->next = 0;
	take_srv(w, list);
	ares_free_data(list);
	ask_addr(w);
}

static void ask_srv(struct watch *w, const char *name)
{
	static const char *const prefix[] = {[DNS_UDP] = "_sip._udp.",
					     [DNS_TCP] = "_sip._tcp.",
					     [DNS_TLS] = "_sips._tcp."};
	char buf[HOST_BYTES + 16];

	w->step = STEP_SRV;
	(void)snprintf(buf, sizeof(buf), "%s%s",
		       name ? "" : prefix[w->w.transport],
		       name ? name : w->host);
	ares_query(w->d->ares, buf, C_IN, T_SRV, on_srv, w);
}

/* The best record for our transport that leads to SRV records. */
static const struct ares_naptr_reply *
best_naptr(const struct watch *w, const struct ares_naptr_reply *list)
{
	static const char *const service[] = {[DNS_UDP] = "SIP+D2U",
					      [DNS_TCP] = "SIP+D2T",
					      [DNS_TLS] = "SIPS+D2T"};
	const struct ares_naptr_reply *best = NULL;

	for (; list; list = list->next) {
		struct slice s = slice_str((const char *)list->service);

		if (!text_ieqs(s, service[w->w.transport]) ||
		    !text_ieqs(slice_str((const char *)list->flags), "s") ||
		    list->replacement[0] == '\0' ||
		    strlen(list->replacement) >= HOST_BYTES)
			continue;
		if (!best || list->order < best->order ||
		    (list->order == best->order &&
		     list->preference < best->preference))
			best = list;
	}
	return best;
}

static void on_naptr(void *arg, int status, int timeouts, unsigned char *buf,
		     int len)
{
	struct watch *w = arg;
	struct ares_naptr_reply *list = NULL;
	const struct ares_naptr_reply *best = NULL;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return;
	if (status != ARES_SUCCESS && !is_absent(status)) {
		give_up(w, ares_strerror(status));
		return;
	}
	/* What cannot be read leads nowhere: SRV under its usual name may. */
	if (status == ARES_SUCCESS &&
	    ares_parse_naptr_reply(buf, len, &list) == ARES_SUCCESS)
		best = best_naptr(w, list);
	if (best)
		take_ttl(w, buf, len);
	ask_srv(w, best ? best->replacement : NULL);
	ares_free_data(list);
}

static void begin(struct watch *w)
{
	w->found_count = 0;
	w->ttl_s = DNS_TTL_MAX_S;
	if (w->w.port > 0) {
		ask_host(w, w->w.port);
	} else {
		w->step = STEP_NAPTR;
		ares_query(w->d->ares, w->host, C_IN, T_NAPTR, on_naptr, w);
	}
	set_timer(w->d);
}

static void on_due(void *arg)
{
	struct watch *w = arg;

	if (w->step == STEP_NONE)
		begin(w);
}

/* ---- making and ending ---------------------------------------------------------- */

int dns_new(const struct dns_params *p, struct dns **ret)
{
	struct dns *d = alloc_zero(sizeof(*d));
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS,
		.timeout = (int)(p->timeout_ms ? p->timeout_ms : TIMEOUT_MS),
		.tries = TRIES,
		.ednspsz = EDNS_BYTES,
		.sock_state_cb = on_state,
		.sock_state_cb_data = d,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		   ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB;

	if (!d)
		return ERR_NOMEM;
	d->p = *p;
	loop_timer_init(&d->timer, on_timer, d);
	for (size_t i = 0; i < SOCKS_MAX; i++) {
		d->sock[i].w.fd = -1;
		d->sock[i].d = d;
	}
	d->has_ares = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS &&
		      ares_init_options(&d->ares, &o, mask) == ARES_SUCCESS;
	if (!d->has_ares ||
	    (p->servers &&
	     ares_set_servers_ports_csv(d->ares, p->servers) != ARES_SUCCESS)) {
		(void)dns_free(d);
		return ERR_IO;
	}
	*ret = d;
	return 0;
}

struct dns *dns_free(struct dns *d)
{
	if (!d)
		return NULL;
	if (d->has_ares)
		ares_destroy(d->ares);
	ares_library_cleanup();
	loop_timer_clear(d->p.loop, &d->timer);
	for (uint32_t i = 0; i < d->watch_count; i++)
		loop_timer_clear(d->p.loop, &d->watch[i].timer);
	for (size_t i = 0; i < SOCKS_MAX; i++)
		loop_fd_del(d->p.loop, &d->sock[i].w);
	return alloc_free(d);
}

/* Number of a watch that nothing is told of; DNS_WATCHES_MAX: none. */
static uint32_t free_watch(const struct dns *d)
{
	for (uint32_t i = 0; i < d->watch_count; i++)
		if (d->watch[i].is_off && d->watch[i].step == STEP_NONE)
			return i;
	return d->watch_count;
}

int dns_watch(struct dns *d, const struct dns_watch *p, uint32_t *ret_id)
{
	uint32_t id = free_watch(d);
	struct watch *w = &d->watch[id];
	int err;

	if (id == DNS_WATCHES_MAX || strlen(p->host) >= sizeof(w->host))
		return ERR_LIMIT;
	*w = (struct watch){.d = d, .id = id, .w = *p, .is_off = true};
	(void)snprintf(w->host, sizeof(w->host), "%s", p->host);
	loop_timer_init(&w->timer, on_due, w);
	/* From the loop: what the caller does with the answer may need more
	 * than is there yet. */
	err = loop_timer_set(d->p.loop, &w->timer, loop_now_ms(d->p.loop));
	if (id == d->watch_count)
		d->watch_count++;
	if (err)
		return err;
	w->is_off = false;
	*ret_id = id;
	return 0;
}

void dns_repeat(struct dns *d, uint32_t id)
{
	const struct watch *w = &d->watch[id];

	if (!w->is_off && w->place_count > 0)
		d->p.changed(d->p.ctx, id, w->place, w->place_count);
}

void dns_unwatch(struct dns *d, uint32_t id)
{
	struct watch *w = &d->watch[id];

	/* c-ares may have a question of it under way, and tells it to w. */
	w->is_off = true;
	loop_timer_clear(d->p.loop, &w->timer);
}
