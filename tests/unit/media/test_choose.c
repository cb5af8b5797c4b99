/* media/choose.c over backends that do what they are told, and say what they
 * were asked. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "media/choose.h"

enum { FLOWS = 200 };

struct fake {
	struct media_backend base;
	enum flow_backend which;
	int answer;	  /* of add, revive, update, give */
	uint32_t refuses; /* so many times; then */
	uint32_t gives;	  /* that succeed before answer counts */
	uint64_t id[FLOWS];
	uint32_t flows;
	uint32_t joins, parts, revived, sweeps;
	bool forgets; /* what it is asked for by take */
	int fd;
	bool is_freed;
};

static struct fake one, two;

static struct fake *fake_of(struct media_backend *b)
{
	return (struct fake *)(void *)b;
}

static void op_features(struct media_backend *b, struct media_features *ret)
{
	*ret = (struct media_features){.name = "fake",
				       .backend = fake_of(b)->which};
}

static int take_on(struct fake *k, const struct flow *f, uint32_t n, int err)
{
	for (uint32_t i = 0; !err && i < n; i++)
		k->id[k->flows++] = f[i].id;
	return err;
}

static int op_add(struct media_backend *b, uint64_t owner, const struct flow *f,
		  uint32_t n)
{
	(void)owner;
	return take_on(fake_of(b), f, n, fake_of(b)->answer);
}

static int op_revive(struct media_backend *b, uint64_t owner,
		     const struct flow *f, uint32_t n)
{
	(void)owner;
	fake_of(b)->revived++;
	return take_on(fake_of(b), f, n, fake_of(b)->answer);
}

static int op_update(struct media_backend *b, uint64_t owner,
		     const struct flow *f)
{
	(void)owner;
	(void)f;
	return fake_of(b)->answer;
}

static int op_join(struct media_backend *b, const uint64_t flow[2],
		   const uint64_t far[2])
{
	(void)flow;
	(void)far;
	fake_of(b)->joins++;
	return 0;
}

static void op_part(struct media_backend *b, const uint64_t flow[2])
{
	(void)flow;
	fake_of(b)->parts++;
}

static int drop(struct fake *k, uint64_t id)
{
	for (uint32_t i = 0; i < k->flows; i++) {
		if (k->id[i] == id) {
			k->id[i] = k->id[--k->flows];
			return 0;
		}
	}
	return ERR_NOTFOUND;
}

static int op_remove(struct media_backend *b, uint64_t owner, uint64_t id,
		     struct flow_stats *ret)
{
	(void)owner;
	if (ret)
		*ret = (struct flow_stats){.id = id};
	return drop(fake_of(b), id);
}

static int op_take(struct media_backend *b, uint64_t owner, const uint64_t *id,
		   uint32_t n, struct media_state *ret)
{
	(void)owner;
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(drop(fake_of(b), id[i]), 0);
		if (fake_of(b)->forgets)
			continue;
		ret[i] = (struct media_state){.fd = {dup(0), -1}};
	}
	return fake_of(b)->forgets ? ERR_CLOSED : 0;
}

static int op_give(struct media_backend *b, uint64_t owner,
		   const struct flow *f, const struct media_state *s,
		   uint32_t n)
{
	struct fake *k = fake_of(b);
	int err = k->refuses > 0 ? ERR_LIMIT : k->gives > 0 ? 0 : k->answer;

	(void)owner;
	if (k->refuses > 0)
		k->refuses--;
	else if (k->gives > 0)
		k->gives--;
	for (uint32_t i = 0; !err && i < n; i++)
		(void)close(s[i].fd[0]);
	return take_on(k, f, n, err);
}

static int op_query(struct media_backend *b, uint64_t owner, uint64_t id,
		    struct flow_stats *ret)
{
	(void)owner;
	for (uint32_t i = 0; i < fake_of(b)->flows; i++) {
		if (fake_of(b)->id[i] == id) {
			*ret = (struct flow_stats){.id = id};
			return 0;
		}
	}
	return ERR_NOTFOUND;
}

static void op_flush(struct media_backend *b, uint64_t owner)
{
	(void)owner;
	fake_of(b)->flows = 0;
}

static void op_sweep(struct media_backend *b, uint64_t owner)
{
	ck_assert_uint_eq(owner, 1);
	fake_of(b)->sweeps++;
}

static int op_event_fd(struct media_backend *b)
{
	return fake_of(b)->fd;
}

static bool op_next_event(struct media_backend *b, struct media_event *ret)
{
	(void)b;
	(void)ret;
	return false;
}

static void op_free(struct media_backend *b)
{
	(void)close(fake_of(b)->fd);
	fake_of(b)->is_freed = true;
}

static const struct media_backend_ops ops = {.features = op_features,
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
					     .free = op_free};

static struct media_backend *made;

static int make(void)
{
	struct media_backend *b[2] = {&one.base, &two.base};

	one = (struct fake){.base = {&ops},
			    .which = FLOW_BACKEND_KERNEL,
			    .fd = eventfd(0, EFD_CLOEXEC)};
	two = (struct fake){.base = {&ops},
			    .which = FLOW_BACKEND_SOCKET,
			    .fd = eventfd(0, EFD_CLOEXEC)};
	return media_choose_new(b, 2, &made);
}

static void setup(void)
{
	ck_assert_int_eq(make(), 0);
}

static void teardown(void)
{
	made->ops->free(made);
	ck_assert(one.is_freed && two.is_freed);
}

/* The two flows of stream number s. */
static const struct flow *stream(uint64_t s)
{
	static struct flow f[2];

	for (uint64_t i = 0; i < 2; i++)
		f[i] = (struct flow){.id = 2 * s + i + 1,
				     .peer_id = 2 * s + 2 - i,
				     .local = {ADDR_V4, {127, 0, 0, 1}, 2000}};
	return f;
}

static int add(uint64_t s)
{
	return made->ops->add(made, 1, stream(s), 2);
}

static int backend_of(uint64_t id)
{
	struct flow_stats st;

	if (made->ops->query(made, 1, id, &st) != 0)
		return -1;
	return st.backend;
}

START_TEST(a_stream_goes_to_the_first_that_takes_it)
{
	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_KERNEL);
	one.answer = ERR_UNSUPPORTED;
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(backend_of(3), FLOW_BACKEND_SOCKET);
	ck_assert_int_eq(backend_of(4), FLOW_BACKEND_SOCKET);
	two.answer = ERR_LIMIT;
	ck_assert_int_eq(add(2), ERR_LIMIT);
	ck_assert_int_eq(backend_of(5), -1);
}
END_TEST

/* What is wrong everywhere is not tried everywhere. */
START_TEST(a_bad_request_is_not_passed_on)
{
	one.answer = ERR_BAD;
	ck_assert_int_eq(add(0), ERR_BAD);
	ck_assert_uint_eq(two.flows, 0);
	one.answer = 0;
	ck_assert_int_eq(add(0), 0);
	/* Known here, wherever it is. */
	one.answer = ERR_UNSUPPORTED;
	ck_assert_int_eq(add(0), ERR_EXISTS);
	ck_assert_uint_eq(two.flows, 0);
}
END_TEST

/* Whoever knows how far the keys were used goes on with them. */
START_TEST(an_old_stream_is_looked_for_everywhere)
{
	one.answer = ERR_STATE;
	ck_assert_int_eq(made->ops->revive(made, 1, stream(0), 2), 0);
	ck_assert_uint_eq(one.revived + two.revived, 2);
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_SOCKET);
	two.answer = ERR_STATE;
	ck_assert_int_eq(made->ops->revive(made, 1, stream(1), 2), ERR_STATE);
}
END_TEST

/* A new suite may be one that only the next can do. */
START_TEST(an_update_may_move_a_stream)
{
	ck_assert_int_eq(add(0), 0);
	one.answer = ERR_UNSUPPORTED;
	ck_assert_int_eq(made->ops->update(made, 1, stream(0)), 0);
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_SOCKET);
	ck_assert_int_eq(backend_of(2), FLOW_BACKEND_SOCKET);
	ck_assert_uint_eq(one.flows, 0);
}
END_TEST

/* Streams 0 and 2, in two backends. */
static void add_apart(void)
{
	ck_assert_int_eq(add(0), 0);
	one.answer = ERR_LIMIT;
	ck_assert_int_eq(add(2), 0);
	one.answer = 0;
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_KERNEL);
	ck_assert_int_eq(backend_of(5), FLOW_BACKEND_SOCKET);
}

/* What passes unopened between two streams passes in one backend only. */
START_TEST(streams_meet_in_one_backend_to_be_joined)
{
	const uint64_t a[2] = {1, 1}, c[2] = {1, 5};
	const uint64_t *flow[2] = {_i ? c : a, _i ? a : c};

	add_apart();
	ck_assert_int_eq(made->ops->join(made, flow[0], flow[1]), 0);
	ck_assert_uint_eq(one.joins, 1);
	ck_assert_uint_eq(one.flows, 4);
	ck_assert_int_eq(backend_of(6), FLOW_BACKEND_KERNEL);
	made->ops->part(made, c);
	ck_assert_uint_eq(one.parts, 1);
}
END_TEST

/* Where the more wanted backend has no room, the other has. */
START_TEST(streams_meet_where_there_is_room)
{
	const uint64_t a[2] = {1, 1}, c[2] = {1, 5};

	add_apart();
	one.answer = ERR_LIMIT;
	ck_assert_int_eq(made->ops->join(made, a, c), 0);
	ck_assert_uint_eq(two.joins, 1);
	ck_assert_uint_eq(two.flows, 4);
	ck_assert_int_eq(backend_of(2), FLOW_BACKEND_SOCKET);
}
END_TEST

START_TEST(streams_that_cannot_meet_are_not_joined)
{
	const uint64_t a[2] = {1, 1}, c[2] = {1, 5};

	add_apart();
	one.refuses = 1;
	/* It takes the one that it had, and no other. */
	two.gives = 1;
	two.answer = ERR_LIMIT;
	ck_assert_int_eq(made->ops->join(made, a, c), ERR_LIMIT);
	ck_assert_uint_eq(one.joins + two.joins, 0);
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_KERNEL);
	ck_assert_int_eq(backend_of(5), FLOW_BACKEND_SOCKET);
}
END_TEST

/* It is lost on its way, and with it what would have been joined. */
START_TEST(a_stream_may_be_lost_on_its_way_to_be_joined)
{
	const uint64_t a[2] = {1, 1}, c[2] = {1, 5};
	struct media_event e;

	add_apart();
	two.forgets = true;
	ck_assert_int_eq(made->ops->join(made, a, c), ERR_NOTFOUND);
	ck_assert_int_eq(backend_of(5), -1);
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_KERNEL);
	for (int i = 0; i < 2; i++) {
		ck_assert(made->ops->next_event(made, &e));
		ck_assert_int_eq(e.kind, MEDIA_EVENT_FAILED);
	}
}
END_TEST

START_TEST(joined_streams_are_joined_again_elsewhere)
{
	const uint64_t a[2] = {1, 1}, b[2] = {1, 3};
	uint32_t moved;

	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(made->ops->join(made, a, b), 0);
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	ck_assert_uint_eq(moved, 4);
	ck_assert_uint_eq(two.joins, 1);
	ck_assert_uint_eq(two.flows, 4);
	ck_assert(!one.is_freed);
	media_choose_close(made, FLOW_BACKEND_KERNEL);
	ck_assert(one.is_freed);
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 ERR_NOTFOUND);
	/* New ones have one place only. */
	ck_assert_int_eq(add(2), 0);
	ck_assert_int_eq(backend_of(5), FLOW_BACKEND_SOCKET);
}
END_TEST

START_TEST(a_backend_is_taken_back_with_its_streams)
{
	static struct fake again;
	const uint64_t a[2] = {1, 1}, b[2] = {1, 3};
	uint32_t moved;

	again = (struct fake){.base = {&ops},
			      .which = FLOW_BACKEND_KERNEL,
			      .fd = eventfd(0, EFD_CLOEXEC)};
	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(made->ops->join(made, a, b), 0);
	/* While the first of its kind is in use. */
	ck_assert_int_eq(media_choose_load(made, &again.base, &moved),
			 ERR_EXISTS);
	ck_assert(again.is_freed);
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	ck_assert_int_eq(add(2), 0);
	again.fd = eventfd(0, EFD_CLOEXEC);
	again.is_freed = false;
	/* It has room for the joined ones, whichever comes first, or not. */
	again.gives = 2;
	again.answer = ERR_LIMIT;
	ck_assert_int_eq(media_choose_load(made, &again.base, &moved), 0);
	ck_assert(one.is_freed);
	ck_assert_uint_eq(moved, again.flows);
	ck_assert_uint_eq(again.flows + two.flows, 6);
	ck_assert_int_eq(backend_of(1), backend_of(3));
	/* And now for all. */
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	media_choose_close(made, FLOW_BACKEND_KERNEL);
	ck_assert(again.is_freed);
	again.fd = eventfd(0, EFD_CLOEXEC);
	again.is_freed = false;
	again.gives = 6;
	again.joins = 0;
	ck_assert_int_eq(media_choose_load(made, &again.base, &moved), 0);
	ck_assert_uint_eq(moved, 6);
	ck_assert_uint_eq(again.joins, 1);
	again.answer = 0;
	ck_assert_int_eq(add(3), 0);
	ck_assert_int_eq(backend_of(7), FLOW_BACKEND_KERNEL);
}
END_TEST

START_TEST(joined_streams_move_together_or_not_at_all)
{
	const uint64_t a[2] = {1, 1}, b[2] = {1, 3};
	uint32_t moved;

	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(made->ops->join(made, a, b), 0);
	two.answer = ERR_LIMIT;
	two.gives = 1;
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 ERR_LIMIT);
	ck_assert_uint_eq(moved, 0);
	ck_assert_uint_eq(one.flows, 4);
	ck_assert_uint_eq(two.flows, 0);
	/* Joined once more, where they were. */
	ck_assert_uint_eq(one.joins, 2);
}
END_TEST

/* The first half of a joined pair finds no room elsewhere: it is where it was,
 * and has to lead where it led. */
START_TEST(a_joined_stream_that_cannot_move_stays_joined)
{
	const uint64_t a[2] = {1, 1}, b[2] = {1, 3};
	uint32_t moved;

	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(made->ops->join(made, a, b), 0);
	ck_assert_uint_eq(one.joins, 1);
	two.answer = ERR_LIMIT;
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 ERR_LIMIT);
	ck_assert_uint_eq(one.flows, 4);
	/* It was taken there, which ended the join. */
	ck_assert_uint_eq(one.joins, 2);
}
END_TEST

START_TEST(what_cannot_move_stays_where_it_was)
{
	uint32_t moved, n;

	ck_assert_int_eq(add(0), 0);
	two.answer = ERR_LIMIT;
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 ERR_LIMIT);
	ck_assert_uint_eq(moved, 0);
	ck_assert_int_eq(backend_of(1), FLOW_BACKEND_KERNEL);
	ck_assert(media_choose_flows(made, FLOW_BACKEND_KERNEL, &n));
	ck_assert_uint_eq(n, 2);
	/* A close would take its flows away: it is refused. */
	media_choose_close(made, FLOW_BACKEND_KERNEL);
	ck_assert(!one.is_freed);
	/* It is in use as before: new streams, too, have one place only. */
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(backend_of(3), FLOW_BACKEND_KERNEL);
	ck_assert_int_eq(made->ops->remove(made, 1, 3, NULL), 0);
	ck_assert_int_eq(made->ops->remove(made, 1, 4, NULL), 0);
	two.answer = 0;
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	ck_assert_uint_eq(moved, 2);
}
END_TEST

/* That the n flows from 1 on have failed, and nothing else. */
static void lost(unsigned n)
{
	struct media_event e;
	bool seen[FLOWS + 1] = {false};

	for (unsigned i = 0; i < n; i++) {
		ck_assert(made->ops->next_event(made, &e));
		ck_assert_int_eq(e.kind, MEDIA_EVENT_FAILED);
		ck_assert_uint_eq(e.owner, 1);
		ck_assert_uint_ge(e.flow, 1);
		ck_assert_uint_le(e.flow, n);
		ck_assert(!seen[e.flow]);
		seen[e.flow] = true;
	}
	ck_assert(!made->ops->next_event(made, &e));
	ck_assert_int_eq(backend_of(1), -1);
}

/* Neither takes it: nobody must believe that it goes on. */
START_TEST(a_stream_that_is_lost_is_told)
{
	uint32_t moved;

	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(add(1), 0);
	one.answer = two.answer = ERR_NOMEM;
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	lost(4);
}
END_TEST

/* However many: a call whose flows are gone without a word would be silent. */
START_TEST(all_streams_that_are_lost_are_told)
{
	uint32_t moved;

	for (uint64_t s = 0; s < FLOWS / 2; s++)
		ck_assert_int_eq(add(s), 0);
	one.answer = two.answer = ERR_NOMEM;
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	lost(FLOWS);
}
END_TEST

/* Where it was it is not, and nobody knows how far its keys have come. */
START_TEST(a_stream_without_its_last_word_is_lost)
{
	const uint64_t id[2] = {1, 2};
	struct media_state s[2];
	uint32_t moved;

	one.forgets = true;
	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			 0);
	lost(2);
	ck_assert_uint_eq(two.flows, 0);
	two.forgets = true;
	ck_assert_int_eq(add(0), 0);
	ck_assert_uint_eq(two.flows, 2);
	ck_assert_int_eq(made->ops->take(made, 1, id, 2, s), ERR_CLOSED);
	lost(2);
}
END_TEST

START_TEST(a_removed_or_flushed_flow_is_forgotten)
{
	struct flow_stats st;

	ck_assert_int_eq(add(0), 0);
	ck_assert_int_eq(add(1), 0);
	ck_assert_int_eq(made->ops->remove(made, 1, 1, &st), 0);
	ck_assert_uint_eq(st.backend, FLOW_BACKEND_KERNEL);
	ck_assert_int_eq(made->ops->remove(made, 1, 1, &st), ERR_NOTFOUND);
	made->ops->sweep(made, 1);
	ck_assert_uint_eq(one.sweeps + two.sweeps, 2);
	made->ops->flush(made, 1);
	ck_assert_int_eq(made->ops->update(made, 1, stream(1)), ERR_NOTFOUND);
	ck_assert_int_eq(add(1), 0);
}
END_TEST

/* With the n-th allocation failing nothing is left half done. */
static void sweep_body(void *arg)
{
	uint32_t moved;

	(void)arg;
	if (make() != 0) {
		ck_assert(one.is_freed && two.is_freed);
		return;
	}
	if (add(0) != 0) {
		ck_assert_int_eq(backend_of(1), -1);
		ck_assert_int_eq(backend_of(2), -1);
		ck_assert_uint_eq(one.flows + two.flows, 0);
	} else {
		ck_assert_int_eq(
			media_choose_unload(made, FLOW_BACKEND_KERNEL, &moved),
			0);
		ck_assert_uint_eq(two.flows, 2);
	}
	teardown();
}

START_TEST(no_memory_is_survived)
{
	oom_sweep(sweep_body, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("media/choose");
	TCase *t = tcase_create("choose");
	TCase *sweep = tcase_create("memory");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_stream_goes_to_the_first_that_takes_it);
	tcase_add_test(t, a_bad_request_is_not_passed_on);
	tcase_add_test(t, an_old_stream_is_looked_for_everywhere);
	tcase_add_test(t, an_update_may_move_a_stream);
	tcase_add_loop_test(t, streams_meet_in_one_backend_to_be_joined, 0, 2);
	tcase_add_test(t, streams_meet_where_there_is_room);
	tcase_add_test(t, streams_that_cannot_meet_are_not_joined);
	tcase_add_test(t, a_stream_may_be_lost_on_its_way_to_be_joined);
	tcase_add_test(t, joined_streams_are_joined_again_elsewhere);
	tcase_add_test(t, a_backend_is_taken_back_with_its_streams);
	tcase_add_test(t, joined_streams_move_together_or_not_at_all);
	tcase_add_test(t, a_joined_stream_that_cannot_move_stays_joined);
	tcase_add_test(t, what_cannot_move_stays_where_it_was);
	tcase_add_test(t, a_stream_that_is_lost_is_told);
	tcase_add_test(t, all_streams_that_are_lost_are_told);
	tcase_add_test(t, a_stream_without_its_last_word_is_lost);
	tcase_add_test(t, a_removed_or_flushed_flow_is_forgotten);
	suite_add_tcase(s, t);
	tcase_add_test(sweep, no_memory_is_survived);
	suite_add_tcase(s, sweep);
	return run_suite(s);
}
