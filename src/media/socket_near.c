/*
 * A flow whose party proved where it is gets a second socket for RTP, connected
 * to it: the system then neither looks for the way to it nor for the flow of
 * what it sends. The first socket stays for everybody else, and for all when
 * descriptors are short. Whatever socket a packet came by, it is judged alike.
 */
#include <unistd.h>

#include "media/socket_int.h"
#include "media/udp.h"

enum { CONNECT_MAX = 4 /* in a round: each is some ten system calls */ };

/* Descriptors in use, or soon to be, in percent of those that may be. */
static uint64_t used(const struct relay *r)
{
	uint64_t n = 2 * (uint64_t)atomic_load(&r->flows) +
		     atomic_load(&r->connected);

	return r->descriptors > 0 ? n * 100 / r->descriptors : 100;
}

void socket_near_want(struct shard *s, struct relay_flow *f)
{
	uint32_t at = (s->waiting_head + s->waiting_count) % WAITING_MAX;

	if (f->is_waiting || f->connected >= 0 ||
	    s->waiting_count == WAITING_MAX)
		return;
	f->is_waiting = true;
	s->waiting[at] = f->handle;
	s->waiting_count++;
}

static bool may_connect(const struct relay *r, const struct relay_flow *f)
{
	return f->connected < 0 && f->to[0].len > 0 &&
	       path_is_proven(f->path) &&
	       path_flow(f->path)->group.family == ADDR_NONE &&
	       !addr_is_multicast(path_dest(f->path, false)) && used(r) < 50;
}

static void connect_flow(struct shard *s, struct relay_flow *f)
{
	struct relay *r = s->relay;

	f->is_waiting = false;
	if (!may_connect(r, f))
		return;
	f->connected = media_udp_open_connected(
		f->fd[0], &path_flow(f->path)->local, path_dest(f->path, false),
		r->params.dscp);
	if (f->connected < 0) {
		f->is_waiting = true; /* until its party moves */
		return;
	}
	(void)atomic_fetch_add(&r->connected, 1);
	if (socket_watch(s, f->connected,
			 media_udp_data(f->handle, MEDIA_UDP_CONNECTED)))
		socket_near_drop(r, f);
}

void socket_near_serve(struct shard *s)
{
	for (int i = 0; i < CONNECT_MAX && s->waiting_count > 0; i++) {
		struct relay_flow *f =
			slots_find(&s->slots, s->waiting[s->waiting_head]);

		s->waiting_head = (s->waiting_head + 1) % WAITING_MAX;
		s->waiting_count--;
		if (f)
			connect_flow(s, f);
	}
}

void socket_near_drop(struct relay *r, struct relay_flow *f)
{
	f->is_waiting = false;
	if (f->connected < 0)
		return;
	(void)close(f->connected);
	f->connected = -1;
	(void)atomic_fetch_sub(&r->connected, 1);
}

void socket_near_leave(struct shard *s, struct relay_flow *f)
{
	/* What waits in the first one is older, and a successor, who knows only
	 * the newest that was taken, would refuse it. */
	socket_drain(s, f, false);
	socket_drain(s, f, true);
	socket_near_drop(s->relay, f);
}

void socket_near_sweep(struct shard *s, struct relay_flow *f)
{
	if (f->connected >= 0 && used(s->relay) >= 75) {
		socket_near_leave(s, f);
	} else if (!f->is_waiting && may_connect(s->relay, f)) {
		socket_near_want(s, f);
	}
}
