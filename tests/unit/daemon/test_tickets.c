/* Keys of session tickets: replaced by time, and after a restart still there. */
#include "daemon/tickets.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keys.h"
#include "lib/certs.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "tls/creds.h"
#include "tls/random.h"
#include "tls/seal.h"

enum { PERIOD_S = 100, ALL = TICKETS_KEPT * TLS_TICKET_KEY_LEN };

static uint8_t seal_key[SEAL_KEY_LEN] = {1};
static char dir[64], path[96];

struct got {
	uint8_t bytes[ALL];
	size_t len;
};

static void set_up(void)
{
	ck_assert_int_eq(tls_global_init(), 0);
	test_tmpdir(dir);
	(void)snprintf(path, sizeof(path), "%s/tickets.key", dir);
}

static void tear_down(void)
{
	char cmd[96];

	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static struct tickets *start(const char *file)
{
	char why[KEYS_ERR_MAX] = "";
	struct tickets *t = NULL;

	ck_assert_msg(tickets_open(file, slice_make(seal_key, sizeof(seal_key)),
				   PERIOD_S, &t, why) == 0,
		      "%s", why);
	return t;
}

static struct got get(struct tickets *t, int64_t now_s)
{
	struct got g = {.len = 0};
	struct writer w;

	writer_init(&w, g.bytes, sizeof(g.bytes));
	tickets_get(t, now_s, &w);
	ck_assert(writer_ok(&w));
	g.len = w.len;
	return g;
}

/* Key i of a is key k of b. */
static bool is_same(const struct got *a, size_t i, const struct got *b,
		    size_t k)
{
	return memcmp(a->bytes + i * TLS_TICKET_KEY_LEN,
		      b->bytes + k * TLS_TICKET_KEY_LEN,
		      TLS_TICKET_KEY_LEN) == 0;
}

START_TEST(keys_are_replaced_by_time_and_the_one_before_stays_a_while)
{
	struct tickets *t = start(NULL);
	struct got a = get(t, 1000);
	struct got b = get(t, 1000 + PERIOD_S - 1);
	struct got c = get(t, 1000 + PERIOD_S);
	struct got d = get(t, 1000 + 2 * PERIOD_S - 1);
	struct got e = get(t, 1000 + 2 * PERIOD_S);

	ck_assert_uint_eq(a.len, TLS_TICKET_KEY_LEN);
	ck_assert_uint_eq(b.len, TLS_TICKET_KEY_LEN);
	ck_assert(is_same(&a, 0, &b, 0));
	ck_assert_uint_eq(c.len, ALL);
	ck_assert(is_same(&a, 0, &c, 1));
	ck_assert(!is_same(&a, 0, &c, 0));
	ck_assert_uint_eq(d.len, ALL);
	/* Too old now; the second is the one before. */
	ck_assert_uint_eq(e.len, ALL);
	ck_assert(is_same(&c, 0, &e, 1));
	ck_assert_uint_eq(get(t, 10000).len, TLS_TICKET_KEY_LEN);
	(void)tickets_free(t);
}
END_TEST

START_TEST(a_restart_finds_them_again)
{
	struct tickets *t = start(path);
	struct stat st;
	struct got a, b;

	for (int64_t now = 1000; now < 1000 + 5 * PERIOD_S; now += PERIOD_S) {
		a = get(t, now);
		t = tickets_free(t);
		t = start(path);
		b = get(t, now + PERIOD_S - 1);
		ck_assert_uint_eq(a.len, b.len);
		ck_assert_mem_eq(a.bytes, b.bytes, a.len);
	}
	(void)tickets_free(t);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

static struct slice contents(uint8_t *buf, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(buf, 1, cap, f);
	(void)fclose(f);
	return slice_make(buf, n);
}

START_TEST(the_file_tells_nothing_and_half_a_write_leaves_the_other_half)
{
	struct tickets *t = start(path);
	uint8_t buf[1024];
	struct got a = get(t, 1000);
	struct got b = get(t, 1000 + PERIOD_S);
	struct got c;
	struct slice file;
	size_t half;

	t = tickets_free(t);
	file = contents(buf, sizeof(buf));
	half = file.len / 2;
	for (size_t i = 0; i + TLS_TICKET_KEY_LEN <= file.len; i++)
		ck_assert(memcmp(buf + i, a.bytes, 16) != 0);
	/* The second writing went to the first place. */
	buf[10] ^= 1;
	test_write(path, file, 0600);
	t = start(path);
	c = get(t, 1000 + PERIOD_S - 1);
	ck_assert(is_same(&a, 0, &c, 0));
	t = tickets_free(t);
	buf[10] ^= 1;
	test_write(path, slice_make(buf, half), 0600);
	t = start(path);
	c = get(t, 1000 + PERIOD_S);
	ck_assert_mem_eq(b.bytes, c.bytes, b.len);
	(void)tickets_free(t);
}
END_TEST

START_TEST(another_key_or_a_wrong_clock_means_new_ones)
{
	struct tickets *t = start(path);
	struct got a = get(t, 1000000);
	struct got b;

	t = tickets_free(t);
	seal_key[0]++;
	t = start(path);
	b = get(t, 1000000);
	ck_assert_uint_eq(b.len, TLS_TICKET_KEY_LEN);
	ck_assert(!is_same(&a, 0, &b, 0));
	/* Made in what is the future now. */
	a = get(t, 1000);
	ck_assert_uint_eq(a.len, TLS_TICKET_KEY_LEN);
	ck_assert(!is_same(&a, 0, &b, 0));
	(void)tickets_free(t);
}
END_TEST

START_TEST(a_file_that_others_may_read_is_refused)
{
	char why[KEYS_ERR_MAX] = "";
	struct tickets *t = NULL;

	test_write(path, SLICE_NULL, 0644);
	ck_assert_int_eq(
		tickets_open(path, slice_make(seal_key, 32), PERIOD_S, &t, why),
		ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "chmod 600"));
	ck_assert_int_eq(tickets_open("/nonexistent/t",
				      slice_make(seal_key, 32), PERIOD_S, &t,
				      why),
			 ERR_IO);
}
END_TEST

static void sweep_body(void *arg)
{
	char why[KEYS_ERR_MAX] = "";
	struct tickets *t = NULL;
	int err = tickets_open(arg, slice_make(seal_key, sizeof(seal_key)),
			       PERIOD_S, &t, why);

	ck_assert_msg(err == 0 || err == ERR_NOMEM, "%s", why);
	if (err)
		return;
	(void)get(t, 1000);
	(void)tickets_free(t);
}

START_TEST(missing_memory_leaks_nothing_and_loses_no_key)
{
	struct tickets *t = start(path);
	struct got a = get(t, 1000);
	struct got b;

	t = tickets_free(t);
	oom_sweep(sweep_body, path);
	oom_sweep(sweep_body, NULL);
	t = start(path);
	b = get(t, 1000);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.bytes, b.bytes, a.len);
	(void)tickets_free(t);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("tickets");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(
		t, keys_are_replaced_by_time_and_the_one_before_stays_a_while);
	tcase_add_test(t, a_restart_finds_them_again);
	tcase_add_test(
		t,
		the_file_tells_nothing_and_half_a_write_leaves_the_other_half);
	tcase_add_test(t, another_key_or_a_wrong_clock_means_new_ones);
	tcase_add_test(t, a_file_that_others_may_read_is_refused);
	tcase_add_test(t, missing_memory_leaks_nothing_and_loses_no_key);
	return run_case("daemon/tickets", t);
}
