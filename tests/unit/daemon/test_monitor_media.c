/*
 * The packet queues' rules as the monitor has them set and taken away. The
 * keeper is played.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "lib/mon.h"
#include "lib/run.h"
#include "media/queue.h"

/* ---- the keeper ------------------------------------------------------------- */

struct keeper {
	bool is_there;
};

static struct keeper the_keeper;
static struct queue_rules rules; /* that were asked for last */
static struct addr rules_addr[2];
static bool is_marked;
static int starts, clears, removals; /* how often it was told to */
static int start_err, remove_err;
static uid_t uid;

uid_t geteuid(void)
{
	return uid;
}

int keeper_start(const struct queue_rules *r, struct keeper **ret,
		 char reterr[MEDIA_WHY_MAX])
{
	starts += r != NULL;
	clears += r == NULL;
	if (start_err) {
		(void)snprintf(reterr, MEDIA_WHY_MAX, "no tool will");
		return start_err;
	}
	if (r) {
		rules = *r;
		ck_assert_uint_le(r->addr_count, 2);
		memcpy(rules_addr, r->addr,
		       r->addr_count * sizeof(rules_addr[0]));
	}
	ck_assert(!the_keeper.is_there);
	the_keeper.is_there = true;
	*ret = &the_keeper;
	return 0;
}

const char *keeper_tool(const struct keeper *k)
{
	ck_assert(k->is_there);
	return "nftables";
}

static void is_path(const char *path)
{
	ck_assert_str_eq(path, mon_path("queue-rules"));
}

bool keeper_was_here(const char *path)
{
	is_path(path);
	return is_marked;
}

void keeper_mark(const char *path, bool has_rules)
{
	is_path(path);
	is_marked = has_rules;
}

int keeper_remove(struct keeper *k)
{
	ck_assert(k->is_there);
	removals++;
	return remove_err;
}

struct keeper *keeper_free(struct keeper *k)
{
	if (k)
		k->is_there = false;
	return NULL;
}

/* ---- the monitor -------------------------------------------------------------- */

static void setup(void)
{
	the_keeper.is_there = false;
	is_marked = false;
	starts = clears = removals = 0;
	start_err = remove_err = 0;
	uid = 0;
	mon_open("");
}

static void want_queues(void)
{
	struct config_words *l = &mon->config->media.backends;

	l->count = 2;
	l->item[0] = FLOW_BACKEND_QUEUE;
	l->item[1] = FLOW_BACKEND_SOCKET;
}

static void setup_queues(void)
{
	setup();
	want_queues();
}

/* What the media process tells of the queue's backend, as it is passed on. */
static const char *row(void)
{
	struct dwire_msg q;
	int client;

	if (!mon->child[MONITOR_MEDIA].channel)
		mon_up(MONITOR_MEDIA, 0);
	client = mon_send("media", "", -1);
	q = mon_question(MONITOR_MEDIA, 0);
	mon_rows(MONITOR_MEDIA, 0, q.number,
		 "[{\"backend\":\"queue\"},{\"backend\":\"socket\"}]", true);
	return mon_answer(client);
}

static void row_has(const char *text)
{
	const char *a = row();

	ck_assert_msg(mon_is_good(a) && strstr(a, text), "%s", a);
}

/* ---- setting ------------------------------------------------------------------- */

START_TEST(rules_are_for_what_the_relay_has)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	mon->config->media.queue_first = 700;
	monitor_media_open(mon);
	ck_assert_int_eq(starts, 1);
	ck_assert_uint_eq(rules.addr_count, 1); /* both sides have one */
	ck_assert(addr_ip_eq(&rules_addr[0],
			     &mon->config->media.outside_address));
	ck_assert_uint_eq(rules.port_min, 26000);
	ck_assert_uint_eq(rules.port_max, 26999);
	ck_assert_uint_eq(rules.first, 700);
	ck_assert_int_eq(rules.queues,
			 cpus > MEDIA_QUEUES_MAX ? MEDIA_QUEUES_MAX : cpus);
	ck_assert_uint_eq(mon->queues, rules.queues);
	ck_assert(is_marked);
	row_has("{\"backend\":\"queue\",\"rules\":\"nftables\"},"
		"{\"backend\":\"socket\"}");
}
END_TEST

START_TEST(two_addresses_are_two)
{
	mon->config->media.inside_address.ip[3] = 2;
	monitor_media_open(mon);
	ck_assert_uint_eq(rules.addr_count, 2);
	ck_assert(
		addr_ip_eq(&rules_addr[1], &mon->config->media.inside_address));
}
END_TEST

START_TEST(who_is_not_root_sets_none)
{
	uid = 1000;
	is_marked = true; /* of one who was */
	monitor_media_open(mon);
	ck_assert_int_eq(starts + clears, 0);
	ck_assert_uint_eq(mon->queues, 0);
	ck_assert(is_marked);
	row_has("{\"backend\":\"queue\",\"why\":\"sallyportd is not root");
}
END_TEST

START_TEST(tools_that_fail_are_told)
{
	start_err = ERR_UNSUPPORTED;
	monitor_media_open(mon);
	ck_assert_int_eq(starts, 1);
	ck_assert_uint_eq(mon->queues, 0);
	ck_assert(!is_marked);
	row_has("{\"backend\":\"queue\",\"why\":\"no tool will\"},"
		"{\"backend\":\"socket\"}");
}
END_TEST

START_TEST(nobody_who_wants_no_queues_has_a_keeper)
{
	monitor_media_open(mon);
	ck_assert_int_eq(starts + clears, 0);
	ck_assert_ptr_null(mon->keeper);
	ck_assert(!is_marked);
	row_has("{\"backend\":\"queue\"},");
}
END_TEST

START_TEST(what_a_killed_daemon_has_left_is_cleared)
{
	is_marked = true;
	monitor_media_open(mon);
	ck_assert_int_eq(clears, 1);
	ck_assert_int_eq(starts, 0);
	ck_assert(!the_keeper.is_there);
	ck_assert(!is_marked);
}
END_TEST

START_TEST(what_could_not_be_cleared_is_looked_for_again)
{
	is_marked = true;
	start_err = ERR_TIMEOUT;
	monitor_media_open(mon);
	ck_assert_int_eq(clears, 1);
	ck_assert(is_marked);
}
END_TEST

/* ---- taking away ------------------------------------------------------------------ */

START_TEST(at_the_end_they_go)
{
	monitor_media_open(mon);
	monitor_media_close(mon);
	ck_assert_int_eq(removals, 1);
	ck_assert(!the_keeper.is_there);
	ck_assert(!is_marked);
}
END_TEST

START_TEST(at_the_end_what_does_not_go_stays_marked)
{
	monitor_media_open(mon);
	remove_err = ERR_TIMEOUT;
	monitor_media_close(mon);
	ck_assert(!the_keeper.is_there); /* it goes on trying by itself */
	ck_assert(is_marked);
}
END_TEST

/* "media unload queue", whose streams have moved. */
static const char *unload(void)
{
	int client = mon_send("media unload", "\"backend\":\"queue\"", -1);
	struct dwire_msg q = mon_question(MONITOR_MEDIA, 0);

	ck_assert(slice_eqs(q.text, "queue"));
	ck_assert_int_eq(removals, 0); /* not while streams are there */
	mon_rows(MONITOR_MEDIA, 0, q.number, "[{\"error\":\"\",\"moved\":3}]",
		 true);
	return mon_answer(client);
}

START_TEST(with_its_backend_they_go)
{
	struct dwire_msg q;
	const char *a;

	monitor_media_open(mon);
	mon_up(MONITOR_MEDIA, 0);
	a = unload();
	ck_assert_msg(mon_is_good(a) && strstr(a, "\"streams-moved\":3"), "%s",
		      a);
	ck_assert_int_eq(removals, 1);
	ck_assert(!the_keeper.is_there && !is_marked);
	ck_assert_uint_eq(mon->queues, 0);
	q = mon_question(MONITOR_MEDIA, 0); /* now it may end */
	ck_assert(slice_eqs(q.text, "-queue"));
	row_has("{\"backend\":\"queue\",\"why\":\"it was unloaded");
}
END_TEST

START_TEST(a_backend_whose_rules_stay_stays)
{
	const char *a;

	monitor_media_open(mon);
	mon_up(MONITOR_MEDIA, 0);
	remove_err = ERR_IO;
	a = unload();
	ck_assert_msg(mon_is_bad(a, "could not be removed"), "%s", a);
	ck_assert(the_keeper.is_there && is_marked);
	ck_assert_uint_gt(mon->queues, 0);
	ck_assert_uint_eq(mon_hear(MONITOR_MEDIA, 0, NULL).len, 0);
	row_has("\"rules\":\"nftables\"");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon/monitor_media");
	TCase *t = tcase_create("queues");
	TCase *none = tcase_create("no queues");

	tcase_add_checked_fixture(t, setup_queues, mon_close);
	tcase_add_test(t, rules_are_for_what_the_relay_has);
	tcase_add_test(t, two_addresses_are_two);
	tcase_add_test(t, who_is_not_root_sets_none);
	tcase_add_test(t, tools_that_fail_are_told);
	tcase_add_test(t, at_the_end_they_go);
	tcase_add_test(t, at_the_end_what_does_not_go_stays_marked);
	tcase_add_test(t, with_its_backend_they_go);
	tcase_add_test(t, a_backend_whose_rules_stay_stays);
	tcase_add_checked_fixture(none, setup, mon_close);
	tcase_add_test(none, nobody_who_wants_no_queues_has_a_keeper);
	tcase_add_test(none, what_a_killed_daemon_has_left_is_cleared);
	tcase_add_test(none, what_could_not_be_cleared_is_looked_for_again);
	suite_add_tcase(s, t);
	suite_add_tcase(s, none);
	return run_suite(s);
}
