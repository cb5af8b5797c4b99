/* What a worker keeps in the store: told anew, told again, restored. */
#include <string.h>
#include <unistd.h>

#include "lib/run.h"
#include "store/state_wire.h"
#include "unit/proxy/worker_world.h"

static const uint8_t again[] = {STATE_OP_AGAIN};

static void setup_keeping(void)
{
	static const uint8_t nothing[] = {STATE_OP_RESTORE, 1};

	core_type = SOCK_DGRAM;
	start(slice_make(nothing, sizeof(nothing)), SLICE_NULL);
}

/* The store has lost something of the predecessor's. */
static void setup_told(void)
{
	static const uint8_t nothing[] = {STATE_OP_RESTORE, 1};

	core_type = SOCK_DGRAM;
	start(slice_make(nothing, sizeof(nothing)),
	      slice_make(again, sizeof(again)));
}

/* The store has entries and cannot read them. */
static void setup_unread(void)
{
	static const uint8_t none[] = {STATE_OP_RESTORE, 0};

	core_type = SOCK_DGRAM;
	start(slice_make(none, sizeof(none)), SLICE_NULL);
}

/* What the worker has kept, or forgotten, next. */
static enum state_op keeps(int fd)
{
	struct state_request q;
	size_t len;

	do {
		len = wait_at(fd);
	} while (!state_wire_is(slice_make((uint8_t *)text, len)) ||
		 text[0] == STATE_OP_RESTORE);
	ck_assert_int_eq(
		state_request_read(slice_make((uint8_t *)text, len), &q), 0);
	return q.op;
}

static void registers_2002(void)
{
	phone_registers("2002", "");
	wait_at(cm);
	cm_accepts();
	wait_at(phone);
	ck_assert_ptr_eq(strstr(text, "SIP/2.0 200 "), text);
}

/* What the store was told and lost is not there when it is told all anew. */
START_TEST(a_new_store_gets_everything_before_it_forgets)
{
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
	/* One store is gone before it was told anything. */
	for (int i = 0; i < 2; i++) {
		(void)close(store);
		ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	}
	ck_assert_int_eq(keeps(store), STATE_OP_MARK);
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
	ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
}
END_TEST

START_TEST(a_new_store_forgets_although_there_is_nothing_to_keep)
{
	(void)close(store);
	ck_assert_int_eq(worker_new_store(worker, pair(&store)), 0);
	ck_assert_int_eq(keeps(store), STATE_OP_MARK);
	ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
}
END_TEST

/* The same store, whose disk was full. */
START_TEST(a_store_that_lost_something_gets_everything)
{
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
	for (int i = 0; i < 2; i++) {
		store_says(slice_make(again, sizeof(again)));
		ck_assert_int_eq(keeps(store), STATE_OP_MARK);
		ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
		ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
	}
}
END_TEST

START_TEST(who_keeps_nothing_has_nothing_to_say_again)
{
	store_says(slice_make(again, sizeof(again)));
	phone_registers("2002", "");
	wait_at(cm);
	ck_assert_ptr_eq(strstr(text, "REGISTER "), text);
}
END_TEST

START_TEST(a_loss_does_not_disturb_who_begins)
{
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
}
END_TEST

START_TEST(what_cannot_be_restored_is_swept)
{
	ck_assert_int_eq(keeps(store), STATE_OP_MARK);
	ck_assert_int_eq(keeps(store), STATE_OP_SWEEP);
	registers_2002();
	ck_assert_int_eq(keeps(store), STATE_OP_SAVE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy/worker_keep");
	TCase *t = tcase_create("worker");
	TCase *keeping = tcase_create("keeping");
	TCase *told = tcase_create("told");
	TCase *unread = tcase_create("unread");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, who_keeps_nothing_has_nothing_to_say_again);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(keeping, setup_keeping, teardown);
	tcase_add_test(keeping, a_new_store_gets_everything_before_it_forgets);
	tcase_add_test(keeping,
		       a_new_store_forgets_although_there_is_nothing_to_keep);
	tcase_add_test(keeping, a_store_that_lost_something_gets_everything);
	suite_add_tcase(suite, keeping);
	tcase_add_checked_fixture(told, setup_told, teardown);
	tcase_add_test(told, a_loss_does_not_disturb_who_begins);
	suite_add_tcase(suite, told);
	tcase_add_checked_fixture(unread, setup_unread, teardown);
	tcase_add_test(unread, what_cannot_be_restored_is_swept);
	suite_add_tcase(suite, unread);
	return run_suite(suite);
}
