/*
 * Devices of the store, changed by the operator over the control socket: read,
 * checked with the files, written by a store process, and taken up.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/mon.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "store/devices.h"

#define CSV	"\"file\":\"x.csv\""
#define ADD	CSV ",\"mode\":\"add\""
#define NAME(n) "\"name\":\"" n "\""

static const char file_device[] = "device \"FILE\" {\n"
				  "\tlines = { \"1000\" }\n"
				  "\tsecurity-mode = nonsecure\n}\n";

static void setup_none(void)
{
	mon_open(file_device);
}

static void setup(void)
{
	setup_none();
	(void)mon_store();
}

static void import(const char *args, const char *text)
{
	const char *a = mon_ask_file("device import", args, text);

	ck_assert_msg(mon_is_good(a), "%s", a);
}

static void refused(const char *args, const char *text, const char *why)
{
	const char *a = mon_ask_file("device import", args, text);

	ck_assert_msg(mon_is_bad(a, why), "%s", a);
}

static void bad(const char *command, const char *args, const char *why)
{
	const char *a = mon_ask(command, args);

	ck_assert_msg(mon_is_bad(a, why), "%s", a);
}

/* Is it in force, and in the store's own list? */
static bool has(const char *name)
{
	struct devset_item item;
	bool is_kept = devset_find(mon->devices, slice_str(name), &item);

	ck_assert_int_eq(is_kept, config_device_find(mon->config,
						     slice_str(name)) != NULL);
	return is_kept;
}

/* ---- what is taken up ----------------------------------------------------------- */

START_TEST(an_import_is_in_force_and_outlives_the_store_process)
{
	const char *a;

	import(CSV, "name,lines\nA,1001\nB,1002\n");
	ck_assert(has("A") && has("B"));
	a = mon_ask("device export", "");
	ck_assert_ptr_nonnull(strstr(a, "A,"));
	ck_assert_ptr_null(strstr(a, "FILE"));
	mon_store_kill();
	ck_assert(has("A")); /* as it was read */
	(void)mon_store();
	ck_assert(has("A") && has("B"));
	ck_assert_uint_eq(devset_count(mon->devices), 2);
}
END_TEST

START_TEST(an_import_goes_over_what_is_there_or_replaces_it)
{
	const char *a;

	import(CSV, "name,lines\nA,1001\nB,1002\n");
	import(CSV, "name,lines\nB,2002\nC,1003\n");
	a = mon_ask("device show", NAME("B"));
	ck_assert_ptr_nonnull(strstr(a, "2002"));
	ck_assert(has("A") && has("C"));
	import(CSV ",\"mode\":\"replace\"", "name,lines\nD,1004\n");
	ck_assert(has("D") && !has("A") && !has("B") && !has("C"));
	ck_assert_ptr_nonnull(
		config_device_find(mon->config, slice_str("FILE")));
	mon_store_kill();
	(void)mon_store();
	ck_assert_uint_eq(devset_count(mon->devices), 1);
}
END_TEST

START_TEST(a_dry_run_tells_and_changes_nothing)
{
	const char *a =
		mon_ask_file("device import", CSV ",\"dry-run\":\"yes\"",
			     "name,lines\nA,1001\n");

	ck_assert_msg(mon_is_good(a), "%s", a);
	ck_assert_ptr_nonnull(strstr(a, "\"devices-added\":1"));
	ck_assert(!has("A"));
	refused(CSV ",\"dry-run\":\"yes\"", "name,lines,security-mode\nA,1,x\n",
		"x.csv:2");
}
END_TEST

START_TEST(add_does_not_overwrite_and_delete_finds)
{
	const char *a;

	import(ADD, "name,lines\nA,1001\n");
	refused(ADD, "name,lines\nB,1002\nA,1003\n",
		"device \\\"A\\\" is in the store already");
	ck_assert(!has("B"));
	bad("device delete", NAME("B"), "no such device in the store");
	bad("device delete", NAME("FILE"), "this device stands in a file");
	a = mon_ask("device delete", NAME("A"));
	ck_assert_msg(mon_is_good(a), "%s", a);
	ck_assert_ptr_nonnull(strstr(a, "\"devices-removed\":1"));
	ck_assert(!has("A"));
	mon_store_kill();
	(void)mon_store();
	ck_assert_uint_eq(devset_count(mon->devices), 0);
}
END_TEST

/* More than one message of the store. */
START_TEST(many_devices_are_fetched_page_by_page)
{
	enum { DEVICES = 400 };
	static char text[64 * DEVICES];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "name,lines\n");
	for (int i = 0; i < DEVICES; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"SEP%012d,%d\n", i, 3000 + i);
	ck_assert_uint_gt(len, STORE_WIRE_MAX);
	import(CSV, text);
	mon_store_kill();
	(void)mon_store();
	ck_assert_uint_eq(devset_count(mon->devices), DEVICES);
	ck_assert(has("SEP000000000399"));
}
END_TEST

/* ---- what is refused -------------------------------------------------------------- */

START_TEST(mistakes_name_the_line_and_nothing_is_taken)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "x.csv: is empty"},
		{"lines\n1\n", "no column \\\"name\\\""},
		{"name,lies\nA,1\n", "did you mean"},
		{"name,lines\nA,1001\nA,1002\n", "x.csv:3"},
		{"name,lines\nA,1001\n\"B,1002\n", "x.csv:3"},
		{"name,lines,security-mode\nA,1001,loud\n", "x.csv:2"},
	};

	for (int i = 0; i < ROWS(rows); i++) {
		refused(CSV, rows[i].text, rows[i].why);
		ck_assert_uint_eq(devset_count(mon->devices), 0);
	}
}
END_TEST

/* An open file could change while it is read, or never end. */
START_TEST(only_a_sealed_file_is_read)
{
	int fds[2];
	FILE *f = fopen(mon_path("plain"), "w+");
	const char *a;

	bad("device import", CSV, "no sealed file came along");
	ck_assert_ptr_nonnull(f);
	a = mon_answer(mon_send("device import", CSV, fileno(f)));
	ck_assert_msg(mon_is_bad(a, "no sealed file came along"), "%s", a);
	(void)fclose(f);
	ck_assert_int_eq(pipe(fds), 0);
	a = mon_answer(mon_send("device import", CSV, fds[0]));
	ck_assert(mon_is_bad(a, "no sealed file came along"));
	(void)close(fds[0]);
	(void)close(fds[1]);
}
END_TEST

START_TEST(a_full_disk_leaves_everything_as_it_was)
{
	struct rlimit small = {.rlim_cur = 4096, .rlim_max = 4096};

	import(CSV, "name,lines\nA,1001\n");
	mon_store_kill();
	ck_assert_int_eq(prlimit(mon_store(), RLIMIT_FSIZE, &small, NULL), 0);
	refused(CSV, "name,lines\nB,1002\n", "nothing has changed");
	bad("device delete", NAME("A"), "nothing has changed");
	ck_assert(has("A") && !has("B"));
	mon_store_kill();
	(void)mon_store();
	ck_assert(has("A") && !has("B"));
}
END_TEST

/* ---- at the wrong time -------------------------------------------------------- */

START_TEST(before_the_store_has_told_them_nothing_is_changed)
{
	static const char *const modes[] = {CSV, ADD,
					    CSV ",\"mode\":\"replace\"",
					    CSV ",\"dry-run\":\"yes\""};

	ck_assert_ptr_null(mon->devices);
	for (int i = 0; i < ROWS(modes); i++)
		refused(modes[i], "name,lines\nA,1001\n",
			"the store is being started: try again");
	bad("device delete", NAME("A"),
	    "the store is being started: try again");
	bad("device delete", NAME("FILE"),
	    "the store is being started: try again");
}
END_TEST

START_TEST(a_change_waits_for_no_other)
{
	int first;

	mon_store_kill();
	mon_up(MONITOR_STORE, 0);
	first = mon_send("device delete", NAME("NONE"), -1);
	ck_assert(mon_is_bad(mon_answer(first), "no such device"));
	ck_assert_int_eq(
		devset_put(mon->devices, slice_str("A"), SLICE_NULL, 0), 0);
	first = mon_send("device delete", NAME("A"), -1);
	ck_assert(!mon_is_answered(first));
	bad("device delete", NAME("A"),
	    "another change of devices is under way");
	refused(CSV, "name,lines\nB,1002\n",
		"another change of devices is under way");
	mon_down(MONITOR_STORE, 0);
	ck_assert(mon_is_bad(mon_answer(first),
			     "the process that had to answer ended"));
	/* Whether it was made only the store knows. */
	ck_assert_ptr_null(mon->devices);
	bad("device delete", NAME("A"),
	    "the store is being started: try again");
	bad("reload", "", "the store is being started: try again");
	(void)mon_store();
	ck_assert_uint_eq(devset_count(mon->devices), 0);
}
END_TEST

START_TEST(without_a_store_process_it_is_told)
{
	mon_store_kill();
	refused(CSV, "name,lines\nA,1001\n",
		"the store process is not running");
	ck_assert(!has("A"));
	import(CSV ",\"dry-run\":\"yes\"", "name,lines\nA,1001\n");
}
END_TEST

/* ---- a store that does not tell --------------------------------------------- */

static uint64_t now;

static uint64_t clock_of(void *arg)
{
	(void)arg;
	return now;
}

static void setup_played(void)
{
	setup_none();
	now = 1000000;
	loop_set_clock(mon->loop, clock_of, NULL);
	mon_up(MONITOR_STORE, 0);
	ck_assert_int_eq(monitor_devices_fetch(mon), 0);
}

/* Is the store asked for the devices after this name? */
static bool is_asked(const char *after)
{
	struct store_request q;
	struct slice s;
	uint8_t level;

	do {
		s = mon_hear(MONITOR_STORE, 0, NULL);
		if (s.len == 0)
			return false;
	} while (dwire_ping_read(s, &level) == 0); /* of a reload */
	ck_assert_int_eq(store_request_read(s, &q), 0);
	ck_assert_int_eq(q.op, STORE_OP_DEVICES);
	ck_assert(slice_eqs(q.user, after));
	return true;
}

static bool is_asked_in(uint32_t ms)
{
	now += ms;
	return is_asked("");
}

/* It tells one device, or (NULL) nothing. */
static void tell(int status, const char *name, bool is_last)
{
	static uint8_t blob[256];
	struct store_reply reply = {
		.op = STORE_OP_DEVICES, .status = status, .is_last = is_last};
	struct store_change c = {.kind = STORE_CHANGE_PUT,
				 .name = slice_str(name),
				 .text = slice_str("lines=1001\n")};
	struct writer w;

	writer_init(&w, blob, sizeof(blob));
	if (name)
		store_change_write(&w, &c);
	reply.blob = writer_slice(&w);
	monitor_ctl_store(mon, &reply);
}

static void status_has(const char *text)
{
	const char *a = mon_ask("status", "");

	ck_assert_msg(mon_is_good(a) && strstr(a, text), "%s", a);
}

START_TEST(a_list_that_is_refused_is_asked_for_again)
{
	ck_assert(is_asked(""));
	tell(ERR_IO, NULL, true);
	status_has("\"store-devices\":{\"error\":\"system error\","
		   "\"failures\":1,\"next-try\":1}");
	refused(CSV, "name,lines\nA,1001\n", "status tells why");
	bad("reload", "", "status tells why");
	ck_assert(!is_asked_in(499));
	ck_assert(is_asked_in(1));
	ck_assert(!is_asked_in(100000)); /* not before it has answered */
	status_has("\"failures\":1,\"next-try\":0}");
	tell(ERR_IO, NULL, true);
	status_has("\"failures\":2,\"next-try\":1}");
	ck_assert(!is_asked_in(999));
	ck_assert(is_asked_in(1));
	tell(0, "A", true);
	ck_assert(has("A"));
	ck_assert(!is_asked_in(100000));
	bad("status", "", "no worker is running");
}
END_TEST

START_TEST(the_pauses_have_an_end_and_begin_anew)
{
	for (int i = 0; i < 20; i++) {
		ck_assert(is_asked_in(60000));
		tell(ERR_TIMEOUT, NULL, true);
	}
	ck_assert(!is_asked_in(59999));
	ck_assert(is_asked_in(1));
	tell(0, NULL, true);
	mon->devices = devset_free(mon->devices);
	ck_assert_int_eq(monitor_devices_fetch(mon), 0);
	ck_assert(is_asked(""));
	tell(ERR_TIMEOUT, NULL, true);
	ck_assert(is_asked_in(500));
}
END_TEST

/* Pages of two lists are not mixed. */
START_TEST(after_an_error_it_is_asked_from_the_beginning)
{
	ck_assert(is_asked(""));
	tell(0, "A", false);
	ck_assert(is_asked("A"));
	tell(ERR_IO, NULL, true);
	tell(0, "C", true); /* nobody has asked for this */
	ck_assert_ptr_null(mon->devices);
	ck_assert(is_asked_in(500));
	tell(0, "B", true);
	ck_assert(has("B") && !has("A") && !has("C"));
}
END_TEST

START_TEST(a_page_that_cannot_be_read_is_an_error)
{
	struct store_reply reply = {.op = STORE_OP_DEVICES,
				    .is_last = true,
				    .blob = slice_str("nonsense")};

	ck_assert(is_asked(""));
	monitor_ctl_store(mon, &reply);
	ck_assert_ptr_null(mon->devices);
	status_has("\"store-devices\":{\"error\":");
	ck_assert(is_asked_in(500));
}
END_TEST

START_TEST(a_store_that_dies_before_it_has_told_is_followed_by_another)
{
	ck_assert(is_asked(""));
	tell(0, "A", false);
	mon_down(MONITOR_STORE, 0);
	ck_assert_ptr_null(mon->fetched);
	status_has("\"store-devices\":{\"error\":\"closed");
	mon_up(MONITOR_STORE, 0);
	ck_assert(!is_asked_in(100000)); /* who starts it asks */
	ck_assert_int_eq(monitor_devices_fetch(mon), 0);
	ck_assert(is_asked(""));
	tell(0, "B", true);
	ck_assert(has("B") && !has("A"));
}
END_TEST

/* Its line is broken before the monitor knows of its end. */
START_TEST(who_cannot_be_asked_is_asked_again)
{
	ck_assert(is_asked(""));
	tell(ERR_IO, NULL, true);
	mon->child[MONITOR_STORE].channel =
		channel_free(mon->child[MONITOR_STORE].channel);
	now += 500;
	mon_turn();
	status_has("\"failures\":2,\"next-try\":1}");
}
END_TEST

/* ---- no memory -------------------------------------------------------------------- */

static void try_import(void *arg)
{
	struct devset_item item;
	const char *a = mon_ask_file("device import", CSV, arg);
	bool is_good = mon_is_good(a);

	/* What is answered is true, and what is refused has not happened. */
	ck_assert_int_le(is_good,
			 devset_find(mon->devices, slice_str("A"), &item));
}

START_TEST(an_import_survives_every_failure_of_memory)
{
	char text[] = "name,lines\nA,1001\nB,1002\n";

	oom_sweep(try_import, text);
	ck_assert(has("A") && has("B"));
	import(CSV, text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("devices");
	TCase *none = tcase_create("no store");
	TCase *played = tcase_create("a store that is played");
	Suite *s = suite_create("daemon/monitor_devices");

	tcase_add_checked_fixture(t, setup, mon_close);
	tcase_add_test(t, an_import_is_in_force_and_outlives_the_store_process);
	tcase_add_test(t, an_import_goes_over_what_is_there_or_replaces_it);
	tcase_add_test(t, a_dry_run_tells_and_changes_nothing);
	tcase_add_test(t, add_does_not_overwrite_and_delete_finds);
	tcase_add_test(t, many_devices_are_fetched_page_by_page);
	tcase_add_test(t, mistakes_name_the_line_and_nothing_is_taken);
	tcase_add_test(t, only_a_sealed_file_is_read);
	tcase_add_test(t, a_full_disk_leaves_everything_as_it_was);
	tcase_add_test(t, a_change_waits_for_no_other);
	tcase_add_test(t, without_a_store_process_it_is_told);
	tcase_add_test(t, an_import_survives_every_failure_of_memory);
	tcase_add_checked_fixture(none, setup_none, mon_close);
	tcase_add_test(none, before_the_store_has_told_them_nothing_is_changed);
	tcase_add_checked_fixture(played, setup_played, mon_close);
	tcase_add_test(played, a_list_that_is_refused_is_asked_for_again);
	tcase_add_test(played, the_pauses_have_an_end_and_begin_anew);
	tcase_add_test(played, after_an_error_it_is_asked_from_the_beginning);
	tcase_add_test(played, a_page_that_cannot_be_read_is_an_error);
	tcase_add_test(
		played,
		a_store_that_dies_before_it_has_told_is_followed_by_another);
	tcase_add_test(played, who_cannot_be_asked_is_asked_again);
	suite_add_tcase(s, t);
	suite_add_tcase(s, none);
	suite_add_tcase(s, played);
	return run_suite(s);
}
