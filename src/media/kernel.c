#include "media/kernel.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/handle.h"
#include "base/table.h"
#include "log/log.h"
#include "media/kernel_int.h"
#include "media/udp.h"

enum { LEASE_S = 300 };

static struct kernel_relay *relay_of(struct media_backend *b)
{
	return (struct kernel_relay *)(void *)b;
}

/* --- records ------------------------------------------------------------ */

static void close_sockets(struct kernel_relay *r, struct kernel_flow *f)
{
	for (int i = 0; i < 2; i++) {
		if (f->fd[i] < 0)
			continue;
		(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, f->fd[i], NULL);
		(void)close(f->fd[i]);
		f->fd[i] = -1;
	}
}

/* had: sockets to use, -1 = open; they stay the caller's after an error. */
static int open_sockets(struct kernel_relay *r, struct kernel_flow *f,
			const int had[2])
{
	int err = 0;

	for (int i = 0; !err && i < 2; i++) {
		struct addr a = addr_with_port(&f->local,
					       (uint16_t)(f->local.port + i));

		f->fd[i] = had && had[i] >= 0
				   ? had[i]
				   : media_udp_open(&a, r->params.dscp);
		err = f->fd[i] < 0
			      ? ERR_IO
			      : kernel_watch(
					r, f->fd[i],
					media_udp_data(f->handle,
						       i == 1 ? MEDIA_UDP_RTCP
							      : MEDIA_UDP_RTP));
	}
	for (int i = 0; err && i < 2; i++) {
		if (!had || f->fd[i] < 0 || f->fd[i] != had[i])
			continue;
		(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, f->fd[i], NULL);
		f->fd[i] = -1;
	}
	return err;
}

static void forget(struct kernel_relay *r, struct kernel_flow *f)
{
	close_sockets(r, f);
	table_del(&r->by_key, &f->node);
	slots_del(&r->slots, f->handle);
	alloc_free(f);
}

static int remember(struct kernel_relay *r, uint64_t owner, uint64_t id,
		    struct kernel_flow **ret)
{
	struct kernel_flow *f;
	int err;

	if (r->slots.count >= r->params.max_flows)
		return ERR_LIMIT;
	f = alloc_zero(sizeof(*f));
	if (!f)
		return ERR_NOMEM;
	f->key[0] = owner;
	f->key[1] = id;
	f->fd[0] = f->fd[1] = -1;
	err = slots_add(&r->slots, f, &f->handle);
	if (!err)
		err = table_add(&r->by_key, &f->node,
				slice_make(f->key, sizeof(f->key)));
	if (err) {
		forget(r, f);
		return err;
	}
	*ret = f;
	return 0;
}

/* 0: plain. Costs a key derivation. */
static uint64_t out_print(const struct flow *conf)
{
	return conf->out.suite == SUITE_NONE ? 0 : rtp_srtp_print(&conf->out);
}

/* print: conf's, by out_print. */
static void set_facts(struct kernel_flow *f, const struct flow *conf,
		      uint64_t print)
{
	/* What leaves under a borrowed key, this flow does not number. */
	if (conf->is_borrowed)
		print = 0;
	if (print != f->out_print)
		rtp_spent_add(&f->spent, f->out_print);
	f->out_print = print;
	f->local = conf->local;
	f->peer_id = conf->peer_id;
	f->idle_ms = conf->idle_ms;
	f->is_rolled = false;
}

/* The module counts f's silence anew, and does not say ACTIVE of what it never
 * called idle, or called so in an event that is still to be read. */
static void end_silence(struct kernel_relay *r, struct kernel_flow *f)
{
	if (f->is_idle)
		kernel_emit(r, f, MEDIA_EVENT_ACTIVE);
	f->is_idle = false;
}

/* --- commands ----------------------------------------------------------- */

static int check_flow(const struct kernel_relay *r, uint64_t owner,
		      const struct flow *f)
{
	if (owner >= MEDIA_KERNEL_OWNERS || f->id == 0 ||
	    f->local.family == ADDR_NONE || f->local.port == 0 ||
	    (f->local.port & 1))
		return ERR_BAD;
	if (!(r->features.suites & 1u << f->in.suite) ||
	    !(r->features.suites & 1u << f->out.suite))
		return ERR_UNSUPPORTED;
	/* Nobody there is a member of groups, or routes to them. */
	if (f->group.family != ADDR_NONE || addr_is_multicast(&f->remote))
		return ERR_UNSUPPORTED;
	return 0;
}

static int command_add(struct kernel_relay *r, uint64_t owner,
		       const struct flow *conf, const struct media_state *state)
{
	struct kernel_flow_options o = {.dscp = r->params.dscp, .state = state};
	struct nlmsghdr *h =
		kernel_msg_add(r->link.out, r->link.family,
			       kernel_owner_out(r, owner), conf, &o);

	return kernel_told(r, "a flow", kernel_link_do(&r->link, h, NULL));
}

static int command_set(struct kernel_relay *r, uint64_t owner,
		       const struct flow *conf)
{
	struct kernel_flow_options o = {.dscp = r->params.dscp};
	struct nlmsghdr *h =
		kernel_msg_set(r->link.out, r->link.family,
			       kernel_owner_out(r, owner), conf, &o);

	return kernel_told(r, "a change", kernel_link_do(&r->link, h, NULL));
}

static int command_del(struct kernel_relay *r, uint64_t owner, uint64_t id,
		       struct kernel_answer *ret)
{
	struct nlmsghdr *h = kernel_msg_del(r->link.out, r->link.family,
					    kernel_owner_out(r, owner), id, 0);

	return kernel_told(r, "a removal", kernel_link_do(&r->link, h, ret));
}

/* The answers of two flows that go in one step. */
struct pair {
	uint64_t id[2];
	struct kernel_answer *answer;
};

static void pair_answer(void *arg, const struct kernel_answer *a)
{
	struct pair *p = arg;

	for (int i = 0; i < 2; i++) {
		if (a->id == p->id[i])
			p->answer[i] = *a;
	}
}

/* Both of a stream in one step, or one. */
static int command_take(struct kernel_relay *r, uint64_t owner,
			const uint64_t *id, uint32_t n,
			struct kernel_answer ret[2])
{
	struct pair p = {.id = {id[0], n == 2 ? id[1] : 0}, .answer = ret};
	struct nlmsghdr *h =
		kernel_msg_del(r->link.out, r->link.family,
			       kernel_owner_out(r, owner), p.id[0], p.id[1]);

	return kernel_told(r, "a removal",
			   kernel_link_dump(&r->link, h, pair_answer, &p));
}

static void add_stats(struct flow_stats *s, const struct flow_stats *more)
{
	s->rtp_packets += more->rtp_packets;
	s->rtp_bytes += more->rtp_bytes;
	s->rtcp_packets += more->rtcp_packets;
	s->auth_fail += more->auth_fail;
	s->replay += more->replay;
	s->src_reject += more->src_reject;
	s->malformed += more->malformed;
	s->dropped += more->dropped;
}

static struct flow_stats stats_of(const struct kernel_flow *f,
				  const struct kernel_answer *a)
{
	struct flow_stats s = a->stats;

	add_stats(&s, &f->base);
	s.id = f->key[1];
	s.backend = FLOW_BACKEND_KERNEL;
	return s;
}

/* The flow and everything about it. */
void kernel_destroy(struct kernel_relay *r, struct kernel_flow *f,
		    struct kernel_answer *ret)
{
	(void)command_del(r, f->key[0], f->key[1], ret);
	forget(r, f);
}

/* A predecessor's flow that nobody has claimed does not keep its address from
 * whom it is given to now. Removes it, if there is one. */
static bool evict(struct kernel_relay *r, const struct addr *local)
{
	struct kernel_flow *f;
	uint32_t i = 0;

	while ((f = slots_next(&r->slots, &i))) {
		if (f->is_waiting && addr_eq(&f->local, local)) {
			kernel_destroy(r, f, NULL);
			return true;
		}
	}
	return false;
}

/* Ports first: while the module has not got the flow, what arrives waits in
 * the sockets and is handed over later. */
static int create(struct kernel_relay *r, uint64_t owner,
		  const struct flow *conf, const struct media_state *state)
{
	struct kernel_flow *f = kernel_find_any(r, owner, conf->id);
	int err = check_flow(r, owner, conf);

	if (err)
		return err;
	/* Nobody will revive what somebody makes anew. */
	if (f && f->is_waiting)
		kernel_destroy(r, f, NULL);
	else if (f)
		return ERR_EXISTS;
	err = remember(r, owner, conf->id, &f);
	if (err)
		return err;
	set_facts(f, conf, out_print(conf));
	if (state) {
		f->base = state->stats;
		f->spent = state->spent;
		f->is_idle = state->is_idle;
		f->latched = state->proven[0];
	}
	err = open_sockets(r, f, state ? state->fd : NULL);
	if (!err)
		err = command_add(r, owner, conf, state);
	if ((err == ERR_IO || err == ERR_EXISTS) && evict(r, &conf->local))
		err = command_add(r, owner, conf, state);
	/* Its ports are ours: then it is one of nobody we know. */
	if (err == ERR_EXISTS)
		err = ERR_IO;
	if (!err)
		return 0;
	for (int i = 0; state && i < 2; i++) {
		if (f->fd[i] >= 0 && f->fd[i] == state->fd[i]) {
			(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, f->fd[i],
					NULL);
			f->fd[i] = -1;
		}
	}
	forget(r, f);
	return err;
}

/* All or none: those before the one that failed go. */
static void undo(struct kernel_relay *r, uint64_t owner,
		 const struct flow *conf, const struct media_state *state,
		 uint32_t n)
{
	while (n-- > 0) {
		struct kernel_flow *f = kernel_find(r, owner, conf[n].id);

		for (int i = 0; state && f && i < 2; i++) {
			if (f->fd[i] != state[n].fd[i])
				continue;
			(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, f->fd[i],
					NULL);
			f->fd[i] = -1;
		}
		if (f)
			kernel_destroy(r, f, NULL);
	}
}

static int add_flows(struct kernel_relay *r, uint64_t owner,
		     const struct flow *conf, const struct media_state *state,
		     uint32_t n)
{
	int err = 0;
	uint32_t i;

	for (i = 0; !err && i < n; i++)
		err = create(r, owner, &conf[i], state ? &state[i] : NULL);
	if (err)
		undo(r, owner, conf, state, i - 1);
	else
		kernel_lease(r, owner);
	for (i = 0; !err && i < n; i++)
		end_silence(r, kernel_find(r, owner, conf[i].id));
	return err;
}

static int op_add(struct media_backend *b, uint64_t owner, const struct flow *f,
		  uint32_t n)
{
	return add_flows(relay_of(b), owner, f, NULL, n);
}

static int op_give(struct media_backend *b, uint64_t owner,
		   const struct flow *f, const struct media_state *s,
		   uint32_t n)
{
	return add_flows(relay_of(b), owner, f, s, n);
}

/* The module has it still, with its keys' indices: change what its owner
 * knows better, and have its ports again. */
static int revive(struct kernel_relay *r, uint64_t owner,
		  const struct flow *conf)
{
	struct kernel_flow *f = kernel_find_any(r, owner, conf->id);
	uint64_t print = out_print(conf);
	int err = check_flow(r, owner, conf);

	if (!err && (!f || !f->is_waiting))
		err = f ? ERR_EXISTS : ERR_STATE;
	if (!err && !addr_eq(&f->local, &conf->local))
		err = ERR_STATE;
	/* Of another key nobody knows how far it was used. */
	if (!err && f->out_print != print)
		err = ERR_STATE;
	if (err)
		return err;
	set_facts(f, conf, print);
	err = open_sockets(r, f, NULL);
	if (!err)
		err = command_set(r, owner, conf);
	if (err) {
		close_sockets(r, f);
		return err;
	}
	f->is_waiting = false;
	kernel_lease(r, owner);
	return 0;
}

static int op_revive(struct media_backend *b, uint64_t owner,
		     const struct flow *f, uint32_t n)
{
	struct kernel_relay *r = relay_of(b);
	int err = 0;
	uint32_t i;

	for (i = 0; !err && i < n; i++)
		err = revive(r, owner, &f[i]);
	/* They wait on, for somebody who knows them. */
	while (err && i-- > 1) {
		struct kernel_flow *k = kernel_find(r, owner, f[i - 1].id);

		close_sockets(r, k);
		k->is_waiting = true;
	}
	return err;
}

static int op_update(struct media_backend *b, uint64_t owner,
		     const struct flow *conf)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_flow *f = kernel_find(r, owner, conf->id);
	uint64_t print = out_print(conf);
	int err;

	if (!f)
		return ERR_NOTFOUND;
	err = check_flow(r, owner, conf);
	if (!err &&
	    (!addr_eq(&f->local, &conf->local) || f->peer_id != conf->peer_id))
		err = ERR_UNSUPPORTED;
	if (!err && !conf->is_borrowed && rtp_spent_has(&f->spent, print))
		err = ERR_STATE;
	if (!err)
		err = command_set(r, owner, conf);
	if (err)
		return err;
	set_facts(f, conf, print);
	end_silence(r, f);
	return 0;
}

static int op_join(struct media_backend *b, const uint64_t flow[2],
		   const uint64_t far[2])
{
	struct kernel_relay *r = relay_of(b);
	const uint64_t to[2] = {kernel_owner_out(r, flow[0]), flow[1]};
	const uint64_t from[2] = {kernel_owner_out(r, far[0]), far[1]};

	if (!kernel_find(r, flow[0], flow[1]) ||
	    !kernel_find(r, far[0], far[1]))
		return ERR_NOTFOUND;
	return kernel_told(
		r, "to join flows",
		kernel_link_do(
			&r->link,
			kernel_msg_join(r->link.out, r->link.family, to, from),
			NULL));
}

static void op_part(struct media_backend *b, const uint64_t flow[2])
{
	struct kernel_relay *r = relay_of(b);
	const uint64_t key[2] = {kernel_owner_out(r, flow[0]), flow[1]};

	if (!kernel_find(r, flow[0], flow[1]))
		return;
	(void)kernel_told(r, "to part flows",
			  kernel_link_do(&r->link,
					 kernel_msg_part(r->link.out,
							 r->link.family, key),
					 NULL));
}

static int op_remove(struct media_backend *b, uint64_t owner, uint64_t id,
		     struct flow_stats *ret_last)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_flow *f = kernel_find(r, owner, id);
	struct kernel_answer a;

	if (!f)
		return ERR_NOTFOUND;
	(void)command_del(r, owner, id, &a);
	if (ret_last)
		*ret_last = stats_of(f, &a);
	forget(r, f);
	return 0;
}

static void fill_state(const struct kernel_relay *r, struct kernel_flow *f,
		       const struct kernel_answer *a, struct media_state *ret)
{
	*ret = (struct media_state){.in = a->in,
				    .out = a->out,
				    .proven = {a->latched[0], a->latched[1]},
				    .stats = stats_of(f, a),
				    .spent = f->spent,
				    .is_idle = f->is_idle,
				    .fd = {f->fd[0], f->fd[1]}};
	/* What was told, not what is owed. */
	if (f->owed & (1u << MEDIA_EVENT_IDLE | 1u << MEDIA_EVENT_ACTIVE))
		ret->is_idle = !f->is_idle;
	for (int i = 0; i < 2; i++) {
		if (f->fd[i] >= 0)
			(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, f->fd[i],
					NULL);
		f->fd[i] = -1;
	}
}

static int lose(struct kernel_relay *r, uint64_t owner, const uint64_t *id,
		uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		kernel_destroy(r, kernel_find(r, owner, id[i]), NULL);
	return ERR_CLOSED;
}

static int op_take(struct media_backend *b, uint64_t owner, const uint64_t *id,
		   uint32_t n, struct media_state *ret)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_answer *a = r->taken;
	int err;

	memset(r->taken, 0, sizeof(r->taken));
	for (uint32_t i = 0; i < n; i++) {
		if (!kernel_find(r, owner, id[i]))
			return ERR_NOTFOUND;
	}
	err = command_take(r, owner, id, n, a);
	if (err)
		return err;
	/* The module has done it. Who does not know how far a key has come
	 * must not go on with it: then the stream ends. */
	for (uint32_t i = 0; i < n; i++) {
		if (a[i].id != id[i])
			return lose(r, owner, id, n);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct kernel_flow *f = kernel_find(r, owner, id[i]);

		fill_state(r, f, &a[i], &ret[i]);
		forget(r, f);
	}
	return 0;
}

static int op_query(struct media_backend *b, uint64_t owner, uint64_t id,
		    struct flow_stats *ret)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_flow *f = kernel_find(r, owner, id);
	struct kernel_answer a;
	int err;

	if (!f)
		return ERR_NOTFOUND;
	kernel_hand_back(r, f);
	err = kernel_link_do(&r->link,
			     kernel_msg_get(r->link.out, r->link.family,
					    kernel_owner_out(r, owner), id),
			     &a);
	if (!err)
		*ret = stats_of(f, &a);
	return kernel_told(r, "to tell of a flow", err);
}

static void op_flush(struct media_backend *b, uint64_t owner)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_flow *f;
	uint32_t i = 0;

	(void)kernel_told(
		r, "a flush",
		kernel_link_do(&r->link,
			       kernel_msg_flush(r->link.out, r->link.family,
						kernel_owner_out(r, owner)),
			       NULL));
	while ((f = slots_next(&r->slots, &i))) {
		if (f->key[0] == owner)
			forget(r, f);
	}
}

static void op_sweep(struct media_backend *b, uint64_t owner)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_flow *f;
	uint32_t i = 0;

	while ((f = slots_next(&r->slots, &i))) {
		if (f->is_waiting && f->key[0] == owner)
			kernel_destroy(r, f, NULL);
	}
}

/* --- beginning and end -------------------------------------------------- */

static int op_event_fd(struct media_backend *b)
{
	return relay_of(b)->epoll;
}

static bool op_next_event(struct media_backend *b, struct media_event *ret)
{
	struct kernel_relay *r = relay_of(b);

	if (r->out_count == 0)
		kernel_tell_owed(r);
	if (r->out_count == 0)
		kernel_look(r);
	if (r->out_count == 0)
		return false;
	*ret = r->outbox[r->out_head];
	r->out_head = (r->out_head + 1) % KERNEL_OUTBOX_MAX;
	r->out_count--;
	return true;
}

static void op_features(struct media_backend *b, struct media_features *ret)
{
	*ret = (struct media_features){
		.name = "kernel",
		.backend = FLOW_BACKEND_KERNEL,
		.suites = relay_of(b)->features.suites,
		.is_in_kernel = true,
		.survives_daemon = true,
	};
}

/* The process ends, its flows do not. */
static void op_free(struct media_backend *b)
{
	struct kernel_relay *r = relay_of(b);
	struct kernel_flow *f;
	uint32_t i = 0;

	while ((f = slots_next(&r->slots, &i)))
		forget(r, f);
	table_done(&r->by_key);
	slots_done(&r->slots);
	kernel_link_close(&r->link);
	if (r->epoll >= 0)
		(void)close(r->epoll);
	if (r->timer >= 0)
		(void)close(r->timer);
	alloc_free(r);
}

static const struct media_backend_ops ops = {
	.features = op_features,
	.add = op_add,
	.revive = op_revive,
	.update = op_update,
	.join = op_join,
	.part = op_part,
	.remove = op_remove,
	.take = op_take,
	.give = op_give,
	.query = op_query,
	.flush = op_flush,
	.sweep = op_sweep,
	.event_fd = op_event_fd,
	.next_event = op_next_event,
	.free = op_free,
};

/* A flow that a predecessor left. */
static void found(void *arg, const struct kernel_answer *a)
{
	struct kernel_relay *r = arg;
	struct kernel_flow *f;
	uint64_t owner;

	if (!kernel_owner_in(r, a->owner, &owner) ||
	    remember(r, owner, a->id, &f))
		return;
	f->local = a->local;
	f->latched = a->latched[0];
	f->out_print = a->out.print;
	f->is_waiting = true;
}

static int start(struct kernel_relay *r)
{
	time_t every = (time_t)(r->params.lease_s / 3 + 1);
	struct itimerspec t = {.it_interval.tv_sec = every,
			       .it_value.tv_sec = every};
	int err;

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->epoll < 0 || r->timer < 0 ||
	    timerfd_settime(r->timer, 0, &t, NULL) < 0 ||
	    kernel_watch(r, r->timer, KERNEL_DATA_TIMER) ||
	    kernel_watch(r, kernel_link_event_fd(&r->link), KERNEL_DATA_EVENTS))
		return ERR_IO;
	err = kernel_dump(r, found);
	if (!err && r->slots.count > 0)
		log_info("nf_srtp has flows of a predecessor flows=%u",
			 r->slots.count);
	r->deadline_ms = kernel_now_ms() + 1000u * r->params.lease_s;
	return err;
}

static int ask_features(struct kernel_relay *r)
{
	struct kernel_answer a;
	int err = kernel_link_do(
		&r->link, kernel_msg_features(r->link.out, r->link.family), &a);

	if (err)
		return err;
	r->features = a.features;
	/* Plain is no suite of the module's list. */
	r->features.suites |= 1u << SUITE_NONE;
	if (r->params.max_flows == 0 ||
	    r->params.max_flows > a.features.flows_max)
		r->params.max_flows = a.features.flows_max;
	return 0;
}

int media_kernel_new(const struct media_kernel_params *p,
		     struct media_backend **ret, char *reterr)
{
	struct kernel_relay *r = alloc_zero(sizeof(*r));
	int err;

	if (!r) {
		(void)snprintf(reterr, MEDIA_WHY_MAX, "out of memory");
		return ERR_NOMEM;
	}
	r->base.ops = &ops;
	r->params = *p;
	if (r->params.lease_s == 0)
		r->params.lease_s = LEASE_S;
	r->epoll = r->timer = -1;
	err = kernel_link_open(&r->link, reterr);
	if (!err) {
		err = ask_features(r);
		/* Keys of this table are our own workers' numbers: nobody
		 * outside can choose them to collide. */
		table_init(&r->by_key, r->params.max_flows, 0);
		slots_init(&r->slots, r->params.max_flows);
		if (!err)
			err = start(r);
		if (err)
			(void)snprintf(reterr, MEDIA_WHY_MAX, "%.*s",
				       MEDIA_WHY_MAX - 1,
				       r->link.why[0] ? r->link.why
						      : err_str(err));
	}
	if (err) {
		op_free(&r->base);
		return err;
	}
	*ret = &r->base;
	return 0;
}
