/*
 * The relay over packet queues does what a media backend must. Needs root and
 * a network namespace of its own, since it sets firewall rules for the whole
 * loopback: tests/integration/queue.sh makes one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper.h"
#include "media/queue.h"
#include "unit/media/conform.h"

enum { QUEUES = 2, FIRST = 6060 };

/* As many threads as the rules have queues, whatever the case asks for. */
static int new_queue(const struct media_socket_params *p,
		     struct media_backend **ret)
{
	struct media_queue_params qp = {.socket = *p, .first = FIRST};
	char why[MEDIA_WHY_MAX];
	int err;

	qp.socket.threads = QUEUES;
	err = media_queue_new(&qp, ret, why);
	if (err)
		(void)fprintf(stderr, "%s\n", why);
	return err;
}

/* Two processes cannot have one queue. */
START_TEST(a_queue_that_is_taken_is_told)
{
	struct media_queue_params p = {.socket = {.threads = QUEUES},
				       .first = FIRST};
	struct media_backend *b, *c;
	char why[MEDIA_WHY_MAX];

	ck_assert_int_eq(media_queue_new(&p, &b, why), 0);
	ck_assert_int_eq(media_queue_new(&p, &c, why), ERR_EXISTS);
	ck_assert_str_eq(why, "packet queue 6060: another process has it");
	b->ops->free(b);
	ck_assert_int_eq(media_queue_new(&p, &b, why), 0);
	b->ops->free(b);
}
END_TEST

int main(void)
{
	static const struct addr loopback[] = {
		{ADDR_V4, {127, 0, 0, 1}, 0},
		{ADDR_V6, {[15] = 1}, 0},
	};
	const struct queue_rules r = {.addr = loopback,
				      .addr_count = 2,
				      .port_min = 1024,
				      .port_max = 65535,
				      .first = FIRST,
				      .queues = QUEUES};
	const struct conform_backend b = {"queue", new_queue};
	TCase *own = tcase_create("queue");
	struct keeper *k;
	char why[MEDIA_WHY_MAX];
	int failed, err = ERR_IO;

	/* The first time, on a slow machine, the tool and the kernel's modules
	 * may take longer to read than a daemon would wait. */
	for (int i = 0; err && i < 5; i++)
		err = keeper_start(&r, &k, why);
	if (err) {
		(void)fprintf(stderr, "no rules: %s\n", why);
		return EXIT_FAILURE;
	}
	(void)printf("rules by %s\n", keeper_tool(k));
	tcase_add_test(own, a_queue_that_is_taken_is_told);
	failed = conform_run(&b, own);
	if (keeper_remove(k) != 0) {
		(void)fprintf(stderr, "the rules were not removed\n");
		failed++;
	}
	keeper_free(k);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
