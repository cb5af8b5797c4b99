/* What waits for the store: how much, and that there may be more. */
#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/run.h"
#include "priv/keys_wire.h"
#include "proxy/keep.h"
#include "store/state_wire.h"

static struct loop *loop;
static struct keys_client *client;
static struct keep *keep;
static struct channel *channel;
static int keys, store;

/* The keys process has answered before it is asked. */
static void give_data_key(void)
{
	static const uint8_t data[KEYS_WRAP_LEN + 16] = {1};
	struct keys_answer a = {.number = 1,
				.op = KEYS_OP_WRAP,
				.data = slice_make(data, sizeof(data))};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	keys_answer_print(&a, &w);
	ck_assert_int_eq(send(keys, buf, w.len, 0), (ssize_t)w.len);
}

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	(void)ctx;
	(void)bytes;
	(void)fds;
	(void)n;
}

static void on_down(void *ctx, const char *reason)
{
	(void)ctx;
	(void)reason;
}

static void setup(void)
{
	struct keys_client_params kp = {.timeout_ms = 5000};
	struct channel_params cp = {.message = on_message, .down = on_down};
	int k[2], s[2];

	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(channel_pair(k), 0);
	ck_assert_int_eq(channel_pair(s), 0);
	kp.loop = cp.loop = loop;
	kp.fd = k[0];
	keys = k[1];
	cp.fd = s[0];
	store = s[1];
	ck_assert_int_eq(keys_client_new(&kp, &client), 0);
	ck_assert_int_eq(channel_new(&cp, &channel), 0);
	give_data_key();
	ck_assert_int_eq(keep_new(loop, client, 0, 2, &keep), 0);
}

static void teardown(void)
{
	keep_free(keep, NULL);
	channel_free(channel);
	keys_client_free(client);
	loop_free(loop);
	(void)close(keys);
	(void)close(store);
}

static void saves(const char *name)
{
	uint8_t buf[64];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_u8(&w, (uint8_t)strlen(name));
	writer_str(&w, name);
	writer_str(&w, "object");
	keep_action(keep, true, writer_slice(&w));
}

/* All that waits goes to the store; how much is it? */
static unsigned saved(void)
{
	static uint8_t buf[STATE_WIRE_MAX];
	unsigned count = 0;
	ssize_t n;

	keep = keep_free(keep, channel);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	while ((n = recv(store, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		struct state_request q;

		ck_assert_int_eq(
			state_request_read(slice_make(buf, (size_t)n), &q), 0);
		ck_assert_int_eq(q.op, STATE_OP_SAVE);
		count++;
	}
	return count;
}

START_TEST(so_much_waits_and_no_more)
{
	saves("a");
	saves("b");
	saves("c");
	saves("a");
	ck_assert_uint_eq(saved(), 2);
}
END_TEST

START_TEST(there_may_be_more_later)
{
	saves("a");
	keep_room(keep, 3);
	saves("b");
	saves("c");
	saves("d");
	ck_assert_uint_eq(saved(), 3);
}
END_TEST

/* Lower limits end no call. */
START_TEST(there_is_never_less)
{
	keep_room(keep, 1);
	saves("a");
	saves("b");
	ck_assert_uint_eq(saved(), 2);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("room");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, so_much_waits_and_no_more);
	tcase_add_test(t, there_may_be_more_later);
	tcase_add_test(t, there_is_never_less);
	return run_case("proxy/keep", t);
}
