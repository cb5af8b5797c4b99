/*
 * What the module says by itself, what it leaves to the sockets, and the leases
 * of its flows.
 */
#include "media/kernel_int.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "log/log.h"
#include "media/udp.h"

enum {
	ROUND_MAX = 16,	 /* descriptors looked at in one go */
	PUNT_MAX = 1800, /* bytes of a packet that is handed back */
	/* Between two looks at a stream; five minutes of voice. */
	AHEAD = 16384
};

uint64_t kernel_owner_out(const struct kernel_relay *r, uint64_t owner)
{
	return (r->params.instance & ~(uint64_t)(MEDIA_KERNEL_OWNERS - 1)) |
	       owner;
}

bool kernel_owner_in(const struct kernel_relay *r, uint64_t owner,
		     uint64_t *ret)
{
	*ret = owner & (MEDIA_KERNEL_OWNERS - 1);
	return kernel_owner_out(r, *ret) == owner;
}

struct kernel_flow *kernel_find_any(const struct kernel_relay *r,
				    uint64_t owner, uint64_t id)
{
	uint64_t key[2] = {owner, id};

	return TABLE_ENTRY(table_find(&r->by_key, slice_make(key, sizeof(key))),
			   struct kernel_flow, node);
}

struct kernel_flow *kernel_find(const struct kernel_relay *r, uint64_t owner,
				uint64_t id)
{
	struct kernel_flow *f = kernel_find_any(r, owner, id);

	return f && !f->is_waiting ? f : NULL;
}

int kernel_told(struct kernel_relay *r, const char *what, int err)
{
	if (err && err != ERR_NOTFOUND)
		log_warn("nf_srtp refuses %s error=\"%s\" text=\"%s\"", what,
			 err_str(err), r->link.why);
	return err;
}

int kernel_watch(struct kernel_relay *r, int fd, uint64_t data)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = data};

	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : ERR_IO;
}

static bool put(struct kernel_relay *r, const struct kernel_flow *f,
		enum media_event_kind kind)
{
	struct media_event e = {
		.kind = kind, .owner = f->key[0], .flow = f->key[1]};

	if (r->out_count >= KERNEL_OUTBOX_MAX)
		return false;
	if (kind == MEDIA_EVENT_LATCHED)
		e.addr = f->latched;
	r->outbox[(r->out_head + r->out_count) % KERNEL_OUTBOX_MAX] = e;
	r->out_count++;
	return true;
}

/* False: there was no room for all. */
static bool tell_owed(struct kernel_relay *r, struct kernel_flow *f)
{
	for (int kind = 0; f->owed >> kind != 0; kind++) {
		if (!(f->owed & 1u << kind))
			continue;
		if (!put(r, f, (enum media_event_kind)kind))
			return false;
		f->owed &= (uint8_t) ~(1u << kind);
	}
	return true;
}

void kernel_tell_owed(struct kernel_relay *r)
{
	struct kernel_flow *f;
	uint32_t i = 0;

	if (!r->owes)
		return;
	while ((f = slots_next(&r->slots, &i))) {
		if (!tell_owed(r, f))
			return;
	}
	r->owes = false;
}

/* What finds no room waits in the flow, until its opposite takes it back. */
void kernel_emit(struct kernel_relay *r, struct kernel_flow *f,
		 enum media_event_kind kind)
{
	const unsigned idle = 1u << MEDIA_EVENT_IDLE;
	const unsigned active = 1u << MEDIA_EVENT_ACTIVE;
	unsigned bit = 1u << kind;

	if (bit & (idle | active) && f->owed & (idle | active) & ~bit) {
		f->owed &= (uint8_t) ~(idle | active);
		return;
	}
	f->owed |= (uint8_t)bit;
	r->owes |= !tell_owed(r, f);
}

static void note_event(struct kernel_relay *r, const struct media_event *e)
{
	struct kernel_flow *f = kernel_find(r, e->owner, e->flow);

	if (!f)
		return;
	if (e->kind == MEDIA_EVENT_LATCHED)
		f->latched = e->addr;
	if (e->kind == MEDIA_EVENT_IDLE || e->kind == MEDIA_EVENT_ACTIVE)
		f->is_idle = e->kind == MEDIA_EVENT_IDLE;
	kernel_emit(r, f, e->kind);
}

/* Events were lost: what they would have said is in the flows. */
static void catch_up(void *arg, const struct kernel_answer *a)
{
	struct kernel_relay *r = arg;
	struct media_event e = {.flow = a->id};
	struct kernel_flow *f;
	bool is_idle;

	if (!kernel_owner_in(r, a->owner, &e.owner))
		return;
	f = kernel_find(r, e.owner, a->id);
	if (!f)
		return;
	is_idle = f->idle_ms > 0 && a->age_ms >= f->idle_ms;
	if (a->latched[0].family != ADDR_NONE &&
	    !addr_eq(&a->latched[0], &f->latched)) {
		e.kind = MEDIA_EVENT_LATCHED;
		e.addr = a->latched[0];
		note_event(r, &e);
	}
	if (is_idle != f->is_idle) {
		e.kind = is_idle ? MEDIA_EVENT_IDLE : MEDIA_EVENT_ACTIVE;
		note_event(r, &e);
	}
}

int kernel_dump(struct kernel_relay *r, kernel_link_fn fn)
{
	return kernel_told(
		r, "a list of its flows",
		kernel_link_dump(&r->link,
				 kernel_msg_dump(r->link.out, r->link.family),
				 fn, r));
}

/* We were away for longer than the lease, and still believe in the flows. */
static void tell_expired(struct kernel_relay *r, uint64_t owner)
{
	struct kernel_flow *f;
	uint32_t i = 0, n = 0;

	while ((f = slots_next(&r->slots, &i))) {
		if (f->key[0] != owner || f->is_waiting)
			continue;
		n++;
		kernel_emit(r, f, MEDIA_EVENT_FAILED);
	}
	log_error("nf_srtp ended flows whose lease had run out owner=%lu "
		  "flows=%u",
		  (unsigned long)owner, n);
}

static void read_events(struct kernel_relay *r)
{
	struct kernel_answer a;
	struct media_event e;
	uint64_t owner;
	int err = 0;

	for (int i = 0; err != ERR_AGAIN && i < ROUND_MAX; i++) {
		err = kernel_link_event(&r->link, &a);
		if (err == ERR_LIMIT)
			(void)!kernel_dump(r, catch_up);
		if (err || !kernel_owner_in(r, a.owner, &owner))
			continue;
		if (kernel_msg_is_expiry(&a))
			tell_expired(r, owner);
		if (!kernel_msg_event(&a, &e))
			continue;
		e.owner = owner;
		note_event(r, &e);
	}
}

/* A packet that the module left to the socket. False: there was none. */
static bool hand_back(struct kernel_relay *r, struct kernel_flow *f, bool odd)
{
	const uint64_t key[2] = {kernel_owner_out(r, f->key[0]), f->key[1]};
	uint8_t buf[PUNT_MAX];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr from;
	ssize_t n = recvfrom(f->fd[odd], buf, sizeof(buf), MSG_TRUNC,
			     (struct sockaddr *)&ss, &len);

	if (n < 0 && (errno == EBADF || errno == ENOTSOCK))
		kernel_emit(r, f, MEDIA_EVENT_FAILED);
	if (n < 0 || addr_from_sockaddr(&ss, &from))
		return false;
	if (n > PUNT_MAX) {
		f->base.malformed++;
		return true;
	}
	/* Counted there; a refusal is not news. */
	(void)!kernel_link_do(&r->link,
			      kernel_msg_packet(r->link.out, r->link.family,
						key, &from, odd,
						slice_make(buf, (size_t)n)),
			      NULL);
	return true;
}

void kernel_hand_back(struct kernel_relay *r, struct kernel_flow *f)
{
	for (int i = 0; i < 2; i++) {
		int n = 0;

		while (f->fd[i] >= 0 && n++ < ROUND_MAX &&
		       hand_back(r, f, i == 1))
			continue;
	}
}

uint64_t kernel_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int renew(struct kernel_relay *r, uint64_t owner)
{
	struct nlmsghdr *h =
		kernel_msg_owner(r->link.out, r->link.family,
				 kernel_owner_out(r, owner), r->params.lease_s);

	return kernel_told(r, "a lease", kernel_link_do(&r->link, h, NULL));
}

void kernel_lease(struct kernel_relay *r, uint64_t owner)
{
	uint8_t bit = (uint8_t)(1u << owner % 8);

	if (r->leased[owner / 8] & bit)
		return;
	if (renew(r, owner) == 0)
		r->leased[owner / 8] |= bit;
}

/* The module does not say by itself how far streams have come. */
static void look_rolled(void *arg, const struct kernel_answer *a)
{
	struct kernel_relay *r = arg;
	struct kernel_flow *f;
	bool has_rolled = false;
	uint64_t owner;

	if (!kernel_owner_in(r, a->owner, &owner))
		return;
	f = kernel_find(r, owner, a->id);
	if (!f || f->is_rolled)
		return;
	for (uint32_t i = 0; i < a->in.count; i++)
		has_rolled |= a->in.mark[i].rtp >= RTP_LEND_MAX - AHEAD;
	f->is_rolled = has_rolled;
	if (has_rolled)
		kernel_emit(r, f, MEDIA_EVENT_ROLLED);
}

/* Once for each owner of flows. What waits longer than the lease goes. */
static void renew_all(struct kernel_relay *r)
{
	bool is_late = kernel_now_ms() >= r->deadline_ms;
	struct kernel_flow *f;
	uint64_t n;
	uint32_t i = 0;

	(void)!read(r->timer, &n, sizeof(n));
	memset(r->leased, 0, sizeof(r->leased));
	while ((f = slots_next(&r->slots, &i))) {
		if (f->is_waiting && is_late)
			kernel_destroy(r, f, NULL);
		else
			kernel_lease(r, f->key[0]);
	}
	if (r->slots.count > 0)
		(void)!kernel_dump(r, look_rolled);
}

void kernel_look(struct kernel_relay *r)
{
	struct epoll_event ev[ROUND_MAX];
	int n = epoll_wait(r->epoll, ev, ROUND_MAX, 0);

	for (int i = 0; i < n; i++) {
		uint64_t data = ev[i].data.u64;
		enum media_udp_which which;
		struct kernel_flow *f;

		if (data == KERNEL_DATA_EVENTS) {
			read_events(r);
		} else if (data == KERNEL_DATA_TIMER) {
			renew_all(r);
		} else {
			f = slots_find(&r->slots,
				       media_udp_handle(data, &which));
			if (f)
				(void)hand_back(r, f, which == MEDIA_UDP_RTCP);
		}
	}
}
