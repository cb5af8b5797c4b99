/*
 * media/kernel.c over a module that answers as these cases have it: what becomes
 * of the flows that a process left behind, when its successor is told of them,
 * of others on their ports, or of nothing.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <nf_srtp.h>

#include "lib/run.h"
#include "media/kernel_int.h"
#include "media/kernel_link.h"
#include "rtp/srtp.h"

#define INSTANCE 0x1122334455660000u

enum { OLD = 77, FRESH = 101, SECRET = 0x5a };

/* An even one that is free. */
static struct addr port;

static struct {
	bool has_old; /* the flow of a predecessor */
	int dels, adds, sets;
	bool is_mute; /* the last word of a flow does not come */
	bool has_expired;
	bool has_lost;	 /* events; what they said is in the flows */
	int dump_count;	 /* times that a list has the old flow... */
	uint64_t age_ms; /* ...idle so long in every second of them */
	uint64_t rtp;	 /* how far the old flow's stream has come in */
	int fd;
} module;

static struct media_backend *b;

static struct flow flow_of(uint64_t id, uint8_t secret)
{
	struct flow f = {.id = id, .peer_id = id + 1, .local = port};

	f.out.suite = SUITE_AES_CM_128_HMAC_SHA1_80;
	memset(f.out.key, secret, 16);
	return f;
}

static uint64_t owner_out(uint64_t owner)
{
	return (INSTANCE & ~(uint64_t)(MEDIA_KERNEL_OWNERS - 1)) | owner;
}

/* --- instead of media/kernel_link.c ---------------------------------------- */

int kernel_link_open(struct kernel_link *l, char *reterr)
{
	(void)reterr;
	*l = (struct kernel_link){.family = 30};
	module.fd = eventfd(0, EFD_CLOEXEC);
	return 0;
}

void kernel_link_close(struct kernel_link *l)
{
	(void)l;
	(void)close(module.fd);
}

int kernel_link_event_fd(const struct kernel_link *l)
{
	(void)l;
	return module.fd;
}

int kernel_link_event(struct kernel_link *l, struct kernel_answer *ret)
{
	(void)l;
	if (module.has_lost) {
		module.has_lost = false;
		return ERR_LIMIT;
	}
	if (!module.has_expired)
		return ERR_AGAIN;
	module.has_expired = false;
	*ret = (struct kernel_answer){.owner = owner_out(1),
				      .event = NF_SRTP_EVENT_EXPIRED};
	return 0;
}

int kernel_link_do(struct kernel_link *l, struct nlmsghdr *h,
		   struct kernel_answer *ret)
{
	const struct genlmsghdr *g = mnl_nlmsg_get_payload(h);

	(void)l;
	if (ret)
		*ret = (struct kernel_answer){0};
	switch (g->cmd) {
	case NF_SRTP_CMD_FEATURES:
		ret->features.suites = 0x7e;
		ret->features.flows_max = 100;
		break;
	case NF_SRTP_CMD_FLOW_DEL:
		module.dels++;
		module.has_old = false;
		break;
	case NF_SRTP_CMD_FLOW_SET:
		module.sets++;
		break;
	case NF_SRTP_CMD_FLOW_ADD:
		module.adds++;
		/* EADDRINUSE comes as that. */
		return module.has_old ? ERR_IO : 0;
	default:
		break;
	}
	return 0;
}

int kernel_link_dump(struct kernel_link *l, struct nlmsghdr *h,
		     kernel_link_fn fn, void *arg)
{
	const struct genlmsghdr *g = mnl_nlmsg_get_payload(h);
	struct flow old = flow_of(OLD, SECRET);
	struct kernel_answer a = {.owner = owner_out(1),
				  .id = OLD,
				  .local = port,
				  .in = {.count = 1, .mark[0].rtp = module.rtp},
				  .out.print = rtp_srtp_print(&old.out)};

	(void)l;
	if (g->cmd == NF_SRTP_CMD_FLOW_GET ? module.has_old : !module.is_mute)
		for (int i = 0; i < module.dump_count; i++) {
			a.age_ms = i % 2 == 0 ? module.age_ms : 0;
			fn(arg, &a);
		}
	return 0;
}

/* --- cases ----------------------------------------------------------------- */

static void find_port(void)
{
	struct sockaddr_storage ss;

	do {
		const struct addr any = {ADDR_V4, {127, 0, 0, 1}, 0};
		socklen_t len = addr_to_sockaddr(&any, &ss);
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
		ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len),
				 0);
		ck_assert_int_eq(addr_from_sockaddr(&ss, &port), 0);
		(void)close(fd);
	} while (port.port % 2);
}

static void begin_with(uint32_t lease_s)
{
	struct media_kernel_params p = {.instance = INSTANCE,
					.lease_s = lease_s};
	char why[MEDIA_WHY_MAX] = "";

	module.dels = module.adds = module.sets = 0;
	module.is_mute = module.has_expired = module.has_lost = false;
	module.dump_count = 1;
	module.age_ms = 0;
	module.has_old = true;
	find_port();
	ck_assert_int_eq(media_kernel_new(&p, &b, why), 0);
}

static void begin(void)
{
	begin_with(300);
}

/* Leases are renewed every second. */
static void begin_short(void)
{
	begin_with(1);
}

static void done(void)
{
	b->ops->free(b);
}

START_TEST(what_its_owner_does_not_claim_is_swept)
{
	struct flow_stats st;

	b->ops->sweep(b, 2);
	ck_assert_int_eq(module.dels, 0);
	b->ops->sweep(b, 1);
	ck_assert_int_eq(module.dels, 1);
	ck_assert_int_eq(b->ops->query(b, 1, OLD, &st), ERR_NOTFOUND);
}
END_TEST

START_TEST(what_is_claimed_stays)
{
	struct flow f = flow_of(OLD, SECRET);
	struct flow_stats st;

	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	ck_assert_int_eq(module.sets, 1);
	b->ops->sweep(b, 1);
	ck_assert_int_eq(module.dels, 0);
	ck_assert_int_eq(b->ops->query(b, 1, OLD, &st), 0);
}
END_TEST

/* How far another key was used nobody knows. */
START_TEST(a_flow_is_not_claimed_under_another_key)
{
	struct flow f = flow_of(OLD, SECRET + 1);

	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), ERR_STATE);
	f.out = (struct flow_key){0};
	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), ERR_STATE);
	ck_assert_int_eq(module.sets, 0);
}
END_TEST

/* Else the module would go on with it, packets of the new call and all. */
START_TEST(a_new_flow_has_the_port_of_one_that_waits)
{
	struct flow f = flow_of(FRESH, 3);

	ck_assert_int_eq(b->ops->add(b, 1, &f, 1), 0);
	ck_assert_int_eq(module.dels, 1);
	ck_assert_int_eq(module.adds, 2);
}
END_TEST

START_TEST(a_key_that_was_left_does_not_come_back)
{
	struct flow f = flow_of(OLD, SECRET);

	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	f = flow_of(OLD, 4);
	ck_assert_int_eq(b->ops->update(b, 1, &f), 0);
	f = flow_of(OLD, SECRET);
	ck_assert_int_eq(b->ops->update(b, 1, &f), ERR_STATE);
	ck_assert_int_eq(module.sets, 2);
}
END_TEST

static void close_taken(const struct media_state *s)
{
	for (int i = 0; i < 2; i++)
		(void)close(s->fd[i]);
}

/* Without it the next backend would begin anew with what was used. */
START_TEST(a_flow_without_its_last_word_is_not_moved)
{
	struct flow f = flow_of(OLD, SECRET);
	const uint64_t id = OLD;
	struct media_state s;

	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	module.is_mute = true;
	ck_assert_int_eq(b->ops->take(b, 1, &id, 1, &s), ERR_CLOSED);
	ck_assert_int_eq(b->ops->take(b, 1, &id, 1, &s), ERR_NOTFOUND);
	/* Its number and its ports are free. */
	module.is_mute = false;
	ck_assert_int_eq(b->ops->add(b, 1, &f, 1), 0);
	ck_assert_int_eq(b->ops->take(b, 1, &id, 1, &s), 0);
	close_taken(&s);
}
END_TEST

/* The module has removed both, and told of one. */
START_TEST(half_a_stream_is_not_moved)
{
	struct flow f[2] = {flow_of(OLD, SECRET), flow_of(OLD + 1, 3)};
	const uint64_t id[2] = {OLD, OLD + 1};
	struct media_state s[2];
	int dels;

	f[1].peer_id = OLD;
	ck_assert_int_eq(b->ops->revive(b, 1, f, 1), 0);
	module.has_old = false;
	find_port();
	f[1].local = port;
	ck_assert_int_eq(b->ops->add(b, 1, f + 1, 1), 0);
	dels = module.dels;
	ck_assert_int_eq(b->ops->take(b, 1, id, 2, s), ERR_CLOSED);
	ck_assert_int_eq(module.dels, dels + 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(b->ops->take(b, 1, id + i, 1, s),
				 ERR_NOTFOUND);
}
END_TEST

START_TEST(flows_whose_lease_has_run_out_are_told_of)
{
	struct flow f = flow_of(OLD, SECRET);
	uint64_t one = 1;
	struct media_event e;

	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	module.has_expired = true;
	ck_assert_int_eq(write(module.fd, &one, sizeof(one)), sizeof(one));
	ck_assert(b->ops->next_event(b, &e));
	ck_assert_int_eq(e.kind, MEDIA_EVENT_FAILED);
	ck_assert_uint_eq(e.flow, OLD);
	ck_assert(!b->ops->next_event(b, &e));
}
END_TEST

/* More at once than the outbox holds: the last that is told is how it is. */
START_TEST(what_finds_no_room_is_said_when_there_is_some)
{
	struct flow f = flow_of(OLD, SECRET);
	uint64_t one = 1;
	struct media_event e, last = {.kind = MEDIA_EVENT_LATCHED};
	int failed = 0;

	f.idle_ms = 1000;
	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	module.has_lost = module.has_expired = true;
	module.dump_count = KERNEL_OUTBOX_MAX + 1;
	module.age_ms = f.idle_ms;
	ck_assert_int_eq(write(module.fd, &one, sizeof(one)), sizeof(one));
	while (b->ops->next_event(b, &e)) {
		ck_assert_uint_eq(e.flow, OLD);
		if (e.kind == MEDIA_EVENT_FAILED)
			failed++;
		else
			last = e;
	}
	ck_assert_int_eq(last.kind, MEDIA_EVENT_IDLE);
	ck_assert_int_eq(failed, 1);
}
END_TEST

static void is_told(enum media_event_kind kind)
{
	struct media_event e;

	ck_assert(b->ops->next_event(b, &e));
	ck_assert_int_eq(e.kind, kind);
	ck_assert_uint_eq(e.flow, OLD);
	ck_assert(!b->ops->next_event(b, &e));
}

/* The module counts anew, after an update and for a flow that comes from
 * elsewhere, and says ACTIVE only of what it called idle. */
START_TEST(a_silence_that_is_counted_anew_has_ended)
{
	struct flow f = flow_of(OLD, SECRET);
	const uint64_t id = OLD;
	struct media_state s;
	uint64_t one = 1;

	f.idle_ms = 1000;
	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	module.has_lost = true;
	module.age_ms = f.idle_ms;
	ck_assert_int_eq(write(module.fd, &one, sizeof(one)), sizeof(one));
	is_told(MEDIA_EVENT_IDLE);
	ck_assert_int_eq(b->ops->update(b, 1, &f), 0);
	is_told(MEDIA_EVENT_ACTIVE);
	module.has_lost = true;
	is_told(MEDIA_EVENT_IDLE);
	ck_assert_int_eq(b->ops->take(b, 1, &id, 1, &s), 0);
	ck_assert(s.is_idle);
	module.has_old = false;
	ck_assert_int_eq(b->ops->give(b, 1, &f, &s, 1), 0);
	is_told(MEDIA_EVENT_ACTIVE);
}
END_TEST

/* The leases are renewed, and flows looked at by the way. */
static bool is_told_at_renewal(void)
{
	struct pollfd p = {.fd = b->ops->event_fd(b), .events = POLLIN};
	struct media_event e;

	ck_assert_int_eq(poll(&p, 1, 60000), 1);
	if (!b->ops->next_event(b, &e))
		return false;
	ck_assert_int_eq(e.kind, MEDIA_EVENT_ROLLED);
	ck_assert_uint_eq(e.owner, 1);
	ck_assert_uint_eq(e.flow, OLD);
	return true;
}

START_TEST(a_stream_that_has_come_far_is_told)
{
	struct flow f = flow_of(OLD, SECRET);

	ck_assert_int_eq(b->ops->revive(b, 1, &f, 1), 0);
	module.rtp = 0x8000;
	ck_assert(!is_told_at_renewal());
	module.rtp = 0xf000;
	ck_assert(is_told_at_renewal());
	ck_assert(!is_told_at_renewal());
	/* Whoever claims it has not heard that. */
	ck_assert_int_eq(b->ops->update(b, 1, &f), 0);
	ck_assert(is_told_at_renewal());
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("claim");
	int failed;

	tcase_add_checked_fixture(t, begin, done);
	tcase_add_test(t, what_its_owner_does_not_claim_is_swept);
	tcase_add_test(t, what_is_claimed_stays);
	tcase_add_test(t, a_flow_is_not_claimed_under_another_key);
	tcase_add_test(t, a_new_flow_has_the_port_of_one_that_waits);
	tcase_add_test(t, a_key_that_was_left_does_not_come_back);
	tcase_add_test(t, a_flow_without_its_last_word_is_not_moved);
	tcase_add_test(t, half_a_stream_is_not_moved);
	tcase_add_test(t, flows_whose_lease_has_run_out_are_told_of);
	tcase_add_test(t, what_finds_no_room_is_said_when_there_is_some);
	tcase_add_test(t, a_silence_that_is_counted_anew_has_ended);
	failed = run_case("media/kernel", t);
	t = tcase_create("renewal");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, begin_short, done);
	tcase_add_test(t, a_stream_that_has_come_far_is_told);
	return failed | run_case("media/kernel", t);
}
