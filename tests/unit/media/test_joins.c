/* Which flows lead into each other: against a backend that only remembers. */
#include "lib/oom.h"
#include "lib/run.h"
#include "media/joins.h"

/* Joined pairs at this moment, as the backend has been told. */
struct memory {
	struct media_backend base;
	int joined;
	int err; /* of the next join */
};

static int remember_join(struct media_backend *b, const uint64_t flow[2],
			 const uint64_t far[2])
{
	struct memory *m = (struct memory *)(void *)b;

	ck_assert(flow[0] != far[0] || flow[1] != far[1]);
	if (m->err)
		return m->err;
	m->joined++;
	return 0;
}

static void remember_part(struct media_backend *b, const uint64_t flow[2])
{
	(void)flow;
	((struct memory *)(void *)b)->joined--;
}

static const struct media_backend_ops ops = {.join = remember_join,
					     .part = remember_part};

/* A stream: its phone's flow, and its inside flow at port; far is the port it
 * leads to. */
static void stream(struct flow f[2], uint64_t id, uint16_t port, uint16_t far)
{
	f[0] = (struct flow){
		.id = id, .peer_id = id + 1, .latch = FLOW_LATCH_NAT};
	f[0].local = (struct addr){ADDR_V4, {192, 0, 2, 1}, port};
	f[1] = (struct flow){.id = id + 1, .peer_id = id};
	f[1].local = (struct addr){ADDR_V4, {10, 0, 0, 1}, port};
	f[1].remote = (struct addr){ADDR_V4, {10, 0, 0, 1}, far};
}

static int add(struct joins *j, uint64_t owner, const struct flow f[2])
{
	int err = joins_add(j, owner, &f[0]);

	return err ? err : joins_add(j, owner, &f[1]);
}

static int events(struct joins *j, enum media_event_kind kind)
{
	struct media_event e;
	int n = 0;

	while (joins_next_event(j, &e))
		n += e.kind == kind;
	return n;
}

START_TEST(two_that_name_each_other_are_joined_until_one_does_not)
{
	struct memory m = {.base.ops = &ops};
	struct joins *j = joins_new(&m.base);
	struct flow a[2], b[2];

	stream(a, 1, 30000, 30002);
	stream(b, 1, 30002, 30000);
	ck_assert_int_eq(add(j, 1, a), 0);
	ck_assert_int_eq(m.joined, 0);
	ck_assert_int_eq(add(j, 2, b), 0);
	ck_assert_int_eq(m.joined, 1);
	ck_assert_int_eq(events(j, MEDIA_EVENT_JOINED), 2);
	/* RTCP that goes elsewhere is no join. */
	b[1].remote_rtcp = b[1].remote;
	b[1].remote_rtcp.port += 3;
	joins_update(j, 2, &b[1]);
	ck_assert_int_eq(m.joined, 0);
	ck_assert_int_eq(events(j, MEDIA_EVENT_PARTED), 2);
	b[1].remote_rtcp.port -= 2;
	joins_update(j, 2, &b[1]);
	ck_assert_int_eq(m.joined, 1);
	/* Parted and joined before anybody asked: nobody need know. */
	a[1].latch = FLOW_LATCH_RESTRICTED;
	joins_update(j, 1, &a[1]);
	ck_assert_int_eq(m.joined, 0);
	a[1].latch = FLOW_LATCH_OFF;
	joins_update(j, 1, &a[1]);
	ck_assert_int_eq(events(j, MEDIA_EVENT_PARTED), 0);
	joins_free(j);
}
END_TEST

START_TEST(a_third_that_names_one_of_them_takes_nothing)
{
	struct memory m = {.base.ops = &ops};
	struct joins *j = joins_new(&m.base);
	struct flow a[2], b[2], c[2];

	stream(a, 1, 30000, 30002);
	stream(b, 3, 30002, 30000);
	stream(c, 5, 30004, 30000);
	ck_assert_int_eq(add(j, 1, a), 0);
	ck_assert_int_eq(add(j, 1, b), 0);
	ck_assert_int_eq(add(j, 1, c), 0);
	ck_assert_int_eq(m.joined, 1);
	(void)events(j, MEDIA_EVENT_JOINED);
	/* A transfer: a names c, and b is left alone. */
	a[1].remote.port = 30004;
	joins_update(j, 1, &a[1]);
	ck_assert_int_eq(m.joined, 1);
	ck_assert_int_eq(events(j, MEDIA_EVENT_PARTED), 1);
	joins_free(j);
}
END_TEST

/* Whose stream has come far lends its key to nobody new: who is told the key is
 * told so, until it is another key. */
START_TEST(a_key_that_cannot_be_lent_is_said_to_be_so)
{
	struct memory m = {.base.ops = &ops};
	struct joins *j = joins_new(&m.base);
	struct flow a[2], b[2];
	struct media_event e;

	stream(a, 1, 30000, 30002);
	stream(b, 3, 30002, 30000);
	a[0].in = (struct flow_key){.suite = SUITE_AES_CM_128_HMAC_SHA1_80,
				    .key = {1}};
	ck_assert_int_eq(add(j, 1, a), 0);
	joins_rolled(j, 1, 99);
	/* Also when it is said before anybody is there. */
	joins_rolled(j, 1, 1);
	ck_assert_int_eq(add(j, 2, b), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert(joins_next_event(j, &e));
		ck_assert_int_eq(e.kind, MEDIA_EVENT_JOINED);
		ck_assert_int_eq(e.is_rolled, e.owner == 2);
	}
	a[0].in.key[0] = 2;
	joins_update(j, 1, &a[0]);
	ck_assert(joins_next_event(j, &e));
	ck_assert(e.owner == 2 && !e.is_rolled);
	joins_update(j, 1, &a[0]);
	ck_assert(!joins_next_event(j, &e));
	joins_rolled(j, 1, 1);
	ck_assert(joins_next_event(j, &e));
	ck_assert(e.owner == 2 && e.is_rolled && e.key.key[0] == 2);
	joins_rolled(j, 1, 1);
	ck_assert(!joins_next_event(j, &e));
	/* The other worker dies: its successor is told the same. */
	joins_disown(j, 2);
	joins_claim(j, 2, 4);
	ck_assert(joins_next_event(j, &e));
	ck_assert(e.owner == 2 && e.is_rolled);
	joins_free(j);
}
END_TEST

START_TEST(what_the_backend_cannot_join_is_not_said_to_be)
{
	struct memory m = {.base.ops = &ops, .err = ERR_NOMEM};
	struct joins *j = joins_new(&m.base);
	struct flow a[2], b[2];

	stream(a, 1, 30000, 30002);
	stream(b, 3, 30002, 30000);
	ck_assert_int_eq(add(j, 1, a), 0);
	ck_assert_int_eq(add(j, 1, b), 0);
	ck_assert_int_eq(events(j, MEDIA_EVENT_JOINED), 0);
	m.err = 0;
	joins_update(j, 1, &a[1]);
	ck_assert_int_eq(events(j, MEDIA_EVENT_JOINED), 2);
	joins_free(j);
}
END_TEST

START_TEST(a_removed_flow_leaves_nothing_behind)
{
	struct memory m = {.base.ops = &ops};
	struct joins *j = joins_new(&m.base);
	struct flow a[2], b[2];

	stream(a, 1, 30000, 30002);
	stream(b, 1, 30002, 30000);
	ck_assert_int_eq(add(j, 1, a), 0);
	ck_assert_int_eq(add(j, 2, b), 0);
	(void)events(j, MEDIA_EVENT_JOINED);
	joins_flush(j, 2);
	ck_assert_int_eq(events(j, MEDIA_EVENT_PARTED), 1);
	joins_remove(j, 2, 1);
	joins_update(j, 2, &b[1]);
	joins_update(j, 1, &a[1]);
	ck_assert_int_eq(events(j, MEDIA_EVENT_JOINED), 0);
	ck_assert_int_eq(add(j, 3, b), 0);
	ck_assert_int_eq(events(j, MEDIA_EVENT_JOINED), 2);
	joins_free(j);
}
END_TEST

static void body(void *arg)
{
	struct memory m = {.base.ops = &ops};
	struct joins *j = joins_new(&m.base);
	struct flow a[2], b[2];

	(void)arg;
	if (!j)
		return;
	stream(a, 1, 30000, 30002);
	stream(b, 3, 30002, 30000);
	if (add(j, 1, a) == 0 && add(j, 1, b) == 0)
		ck_assert_int_eq(m.joined, 1);
	joins_flush(j, 1);
	joins_free(j);
}

START_TEST(no_memory_is_survived)
{
	oom_sweep(body, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("joins");

	tcase_add_test(t,
		       two_that_name_each_other_are_joined_until_one_does_not);
	tcase_add_test(t, a_third_that_names_one_of_them_takes_nothing);
	tcase_add_test(t, a_key_that_cannot_be_lent_is_said_to_be_so);
	tcase_add_test(t, what_the_backend_cannot_join_is_not_said_to_be);
	tcase_add_test(t, a_removed_flow_leaves_nothing_behind);
	tcase_add_test(t, no_memory_is_survived);
	return run_case("joins", t);
}
