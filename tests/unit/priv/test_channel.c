/* Messages between processes: whole or not at all, bounded, with fds. */
#include "priv/channel.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/oom.h"
#include "lib/run.h"

struct end {
	struct channel *ch;
	int messages;
	int downs;
	size_t bytes;
	char last[64];
	size_t last_len;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	bool frees; /* in message() */
	char reason[64];
};

static struct loop *loop;
static struct end a;
static struct end b;
static int raw_b; /* b's end when it has no channel */

static void on_message(void *ctx, struct slice bytes, const int *fds, size_t n)
{
	struct end *e = ctx;

	e->messages++;
	e->bytes += bytes.len;
	e->last_len = bytes.len < sizeof(e->last) ? bytes.len : sizeof(e->last);
	memcpy(e->last, bytes.ptr, e->last_len);
	if (n > 0)
		memcpy(e->fds, fds, n * sizeof(int));
	e->fd_count = n;
	if (e->frees) {
		e->ch = channel_free(e->ch);
		/* The bytes are still ours until we return. */
		ck_assert_uint_eq(bytes.ptr[0], (uint8_t)e->last[0]);
	}
}

static void on_down(void *ctx, const char *reason)
{
	struct end *e = ctx;

	e->downs++;
	(void)snprintf(e->reason, sizeof(e->reason), "%s", reason);
}

static struct channel *open_end(int fd, struct end *e, uint32_t queue_max)
{
	struct channel_params p = {.loop = loop,
				   .fd = fd,
				   .queue_max = queue_max,
				   .message = on_message,
				   .down = on_down,
				   .ctx = e};
	struct channel *ch;

	ck_assert_int_eq(channel_new(&p, &ch), 0);
	return ch;
}

static void set_up_with(uint32_t queue_max, bool both)
{
	int fds[2];

	a = (struct end){.ch = NULL};
	b = (struct end){.ch = NULL};
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(channel_pair(fds), 0);
	a.ch = open_end(fds[0], &a, queue_max);
	raw_b = fds[1];
	if (both)
		b.ch = open_end(fds[1], &b, 0);
}

static void set_up(void)
{
	set_up_with(0, true);
}

static void tear_down(void)
{
	a.ch = channel_free(a.ch);
	b.ch = channel_free(b.ch);
	loop = loop_free(loop);
}

#define RUN_UNTIL(cond)                                           \
	do {                                                      \
		int left = 500;                                   \
		while (!(cond) && left-- > 0)                     \
			ck_assert_int_eq(loop_step(loop, 10), 0); \
		ck_assert(cond);                                  \
	} while (0)

START_TEST(messages_keep_their_borders_and_order)
{
	ck_assert_int_eq(channel_send(a.ch, slice_str("one")), 0);
	ck_assert_int_eq(channel_send(a.ch, slice_str("second")), 0);
	ck_assert_int_eq(channel_send(b.ch, slice_str("back")), 0);
	RUN_UNTIL(b.messages == 2 && a.messages == 1);
	ck_assert_uint_eq(b.bytes, 9);
	ck_assert_uint_eq(b.last_len, 6);
	ck_assert_mem_eq(b.last, "second", 6);
	ck_assert_mem_eq(a.last, "back", 4);
}
END_TEST

START_TEST(longest_message_passes_and_one_byte_more_does_not)
{
	static uint8_t big[CHANNEL_MSG_MAX + 1];

	ck_assert_int_eq(channel_send(a.ch, slice_make(big, sizeof(big))),
			 ERR_LIMIT);
	ck_assert_int_eq(channel_send(a.ch, SLICE_NULL), ERR_LIMIT);
	ck_assert_int_eq(channel_send(a.ch, slice_make(big, CHANNEL_MSG_MAX)),
			 0);
	RUN_UNTIL(b.messages == 1);
	ck_assert_uint_eq(b.bytes, CHANNEL_MSG_MAX);
}
END_TEST

START_TEST(queue_grows_to_its_limit_and_drains_in_order)
{
	static uint8_t block[1024];
	int sent = 0;
	int err;

	a.ch = channel_free(a.ch);
	b.ch = channel_free(b.ch);
	loop = loop_free(loop);
	set_up_with(10240, true);
	/* Nobody reads: first the socket fills, then ten go to the queue. */
	for (;;) {
		memset(block, sent & 0x7f, sizeof(block));
		err = channel_send(a.ch, slice_make(block, sizeof(block)));
		if (err)
			break;
		sent++;
		ck_assert_int_lt(sent, 100000);
	}
	ck_assert_int_eq(err, ERR_LIMIT);
	ck_assert_uint_eq(channel_refused(a.ch), 1);
	RUN_UNTIL(b.messages == sent);
	ck_assert_uint_eq((uint8_t)b.last[0], (sent - 1) & 0x7f);
	ck_assert_int_eq(channel_send(a.ch, slice_str("again")), 0);
	RUN_UNTIL(b.messages == sent + 1);
}
END_TEST

START_TEST(descriptors_travel_with_their_message)
{
	int pipefd[2];
	char buf[8];

	ck_assert_int_eq(pipe(pipefd), 0);
	ck_assert_int_eq(channel_send_fds(a.ch, slice_str("pipe"), pipefd, 2),
			 0);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
	RUN_UNTIL(b.messages == 1);
	ck_assert_uint_eq(b.fd_count, 2);
	ck_assert_int_ne(fcntl(b.fds[0], F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(write(b.fds[1], "hello", 5), 5);
	ck_assert_int_eq(read(b.fds[0], buf, sizeof(buf)), 5);
	(void)close(b.fds[0]);
	(void)close(b.fds[1]);
}
END_TEST

START_TEST(queued_descriptors_survive_their_owners_close)
{
	static uint8_t block[32768];
	int pipefd[2];
	int sent = 0;
	char buf[8];

	for (int i = 0; i < 20; i++, sent++)
		ck_assert_int_eq(
			channel_send(a.ch, slice_make(block, sizeof(block))),
			0);
	ck_assert_int_eq(pipe(pipefd), 0);
	ck_assert_int_eq(channel_send_fds(a.ch, slice_str("pipe"), pipefd, 2),
			 0);
	(void)close(pipefd[0]);
	(void)close(pipefd[1]);
	RUN_UNTIL(b.messages == sent + 1);
	ck_assert_uint_eq(b.fd_count, 2);
	ck_assert_int_eq(write(b.fds[1], "x", 1), 1);
	ck_assert_int_eq(read(b.fds[0], buf, sizeof(buf)), 1);
	(void)close(b.fds[0]);
	(void)close(b.fds[1]);
}
END_TEST

START_TEST(end_of_the_other_process_is_told_once)
{
	ck_assert_int_eq(channel_send(b.ch, slice_str("last words")), 0);
	b.ch = channel_free(b.ch);
	RUN_UNTIL(a.downs == 1);
	ck_assert_int_eq(a.messages, 1);
	ck_assert_int_eq(channel_send(a.ch, slice_str("x")), ERR_CLOSED);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	ck_assert_int_eq(a.downs, 1);
}
END_TEST

START_TEST(sending_to_a_dead_process_tells_from_the_loop)
{
	b.ch = channel_free(b.ch);
	ck_assert_int_eq(channel_send(a.ch, slice_str("x")), ERR_CLOSED);
	ck_assert_int_eq(a.downs, 0);
	RUN_UNTIL(a.downs == 1);
}
END_TEST

START_TEST(channel_can_be_freed_inside_its_message)
{
	b.frees = true;
	ck_assert_int_eq(channel_send(a.ch, slice_str("one")), 0);
	ck_assert_int_eq(channel_send(a.ch, slice_str("two")), 0);
	RUN_UNTIL(b.messages == 1);
	RUN_UNTIL(a.downs == 1);
	ck_assert_int_eq(b.messages, 1);
	ck_assert_ptr_null(b.ch);
}
END_TEST

START_TEST(too_long_a_message_ends_the_channel)
{
	static uint8_t big[CHANNEL_MSG_MAX + 1];

	b.ch = channel_free(b.ch);
	a.ch = channel_free(a.ch);
	loop = loop_free(loop);
	set_up_with(0, false);
	ck_assert_int_eq(send(raw_b, big, sizeof(big), 0), sizeof(big));
	RUN_UNTIL(a.downs == 1);
	ck_assert_int_eq(a.messages, 0);
	(void)close(raw_b);
}
END_TEST

static void talk(void *arg)
{
	struct channel_params p = {.message = on_message, .down = on_down};
	struct loop *l = NULL;
	struct channel *x = NULL;
	struct channel *y = NULL;
	int fds[2];

	(void)arg;
	if (loop_new(&l) != 0)
		return;
	ck_assert_int_eq(channel_pair(fds), 0);
	p.loop = l;
	p.ctx = &a;
	p.fd = fds[0];
	if (channel_new(&p, &x) != 0)
		(void)close(fds[0]);
	p.ctx = &b;
	p.fd = fds[1];
	if (channel_new(&p, &y) != 0)
		(void)close(fds[1]);
	if (x && y) {
		static uint8_t block[32768];
		int n = 0;

		/* Beyond what the socket takes: the queue is used. */
		while (n < 20 &&
		       channel_send(x, slice_make(block, sizeof(block))) == 0)
			n++;
		for (int i = 0; i < 20; i++)
			ck_assert_int_eq(loop_step(l, 0), 0);
	}
	x = channel_free(x);
	y = channel_free(y);
	l = loop_free(l);
}

START_TEST(missing_memory_leaks_nothing)
{
	oom_sweep(talk, NULL);
	ck_assert_int_ge(b.messages, 20);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("priv/channel");
	TCase *tc = tcase_create("channel");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, messages_keep_their_borders_and_order);
	tcase_add_test(tc, longest_message_passes_and_one_byte_more_does_not);
	tcase_add_test(tc, queue_grows_to_its_limit_and_drains_in_order);
	tcase_add_test(tc, descriptors_travel_with_their_message);
	tcase_add_test(tc, queued_descriptors_survive_their_owners_close);
	tcase_add_test(tc, end_of_the_other_process_is_told_once);
	tcase_add_test(tc, sending_to_a_dead_process_tells_from_the_loop);
	tcase_add_test(tc, channel_can_be_freed_inside_its_message);
	tcase_add_test(tc, too_long_a_message_ends_the_channel);
	tcase_add_test(tc, missing_memory_leaks_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
