/*
 * The operator's commands about credentials, over the control socket, with a
 * keys process that seals and a store process that keeps.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/mon.h"
#include "lib/run.h"

#define MD5 "\"md5\":\"0123456789abcdef0123456789abcdef\""
#define SHA                                                           \
	"\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcd" \
	"ef0123456789abcdef\""
#define HA1   MD5 "," SHA
#define ALICE "\"name\":\"alice\""

static void setup(void)
{
	mon_open("realm = \"house\"\n");
}

static void setup_all(void)
{
	setup();
	mon_keys();
	(void)mon_store();
}

static void good(const char *command, const char *args)
{
	const char *a = mon_ask(command, args);

	ck_assert_msg(mon_is_good(a), "%s %s: %s", command, args, a);
}

static void bad(const char *command, const char *args, const char *text)
{
	const char *a = mon_ask(command, args);

	ck_assert_msg(mon_is_bad(a, text), "%s %s: %s", command, args, a);
}

static bool lists(const char *command, const char *text)
{
	const char *a = mon_ask(command, "");

	ck_assert_msg(mon_is_good(a), "%s", a);
	return strstr(a, text) != NULL;
}

/* ---- users ------------------------------------------------------------------ */

START_TEST(a_user_is_added_changed_and_deleted)
{
	bad("user passwd", ALICE "," HA1, "no such user in this realm");
	good("user add", ALICE "," HA1);
	bad("user add", ALICE "," HA1, "this user exists");
	ck_assert(lists("user list", "alice"));
	ck_assert(lists("user list", "house"));
	good("user passwd", ALICE "," HA1);
	good("user delete", ALICE);
	bad("user delete", ALICE, "no such user in this realm");
	ck_assert(!lists("user list", "alice"));
}
END_TEST

START_TEST(the_same_name_in_another_realm_is_another_user)
{
	good("user add", ALICE "," HA1);
	good("user add", ALICE ",\"realm\":\"garden\"," HA1);
	good("user delete", ALICE);
	ck_assert(lists("user list", "garden"));
	ck_assert(!lists("user list", "house"));
	bad("user passwd", ALICE "," HA1, "no such user in this realm");
}
END_TEST

START_TEST(users_outlive_the_store_process)
{
	good("user add", ALICE "," HA1);
	mon_store_kill();
	bad("user list", "", "the store process is not running");
	(void)mon_store();
	ck_assert(lists("user list", "alice"));
}
END_TEST

START_TEST(a_list_of_several_pages_has_everybody_once)
{
	enum { USERS = 150 };
	char args[300], name[64];
	const char *list;

	for (int i = 0; i < USERS; i++) {
		(void)snprintf(name, sizeof(name), "u%055d", i);
		(void)snprintf(args, sizeof(args), "\"name\":\"%s\"," HA1,
			       name);
		good("user add", args);
	}
	list = mon_ask("user list", "");
	ck_assert(mon_is_good(list));
	/* More than a message of the store can hold. */
	ck_assert_uint_gt(USERS * 64, STORE_WIRE_MAX);
	for (int i = 0; i < USERS; i++) {
		const char *found;

		(void)snprintf(name, sizeof(name), "u%055d", i);
		found = strstr(list, name);
		ck_assert_ptr_nonnull(found);
		ck_assert_ptr_null(strstr(found + 1, name));
	}
}
END_TEST

START_TEST(what_is_no_hash_is_refused)
{
	static const char wrong[] = "\"md5\":\"abc\",\"sha256\":\"abc\"";
	char args[400];

	(void)snprintf(args, sizeof(args), ALICE ",%s", wrong);
	bad("user add", args, "unusable");
	bad("user passwd", args, "unusable");
	/* One of them is enough. */
	good("user add", ALICE "," MD5 ",\"sha256\":\"abc\"");
	bad("user add", ALICE, "an argument is missing");
	bad("user add", HA1, "an argument is missing");
}
END_TEST

/* ---- realms ------------------------------------------------------------------- */

#define REALM "\"realm\":\"pbx\""

START_TEST(credentials_of_a_realm_are_kept_apart_from_users)
{
	good("realm add", REALM ",\"user\":\"us\",\"password\":\"first\"");
	good("realm add", REALM ",\"user\":\"us\",\"password\":\"second\"");
	good("user add", ALICE "," HA1);
	ck_assert(lists("realm list", "pbx"));
	ck_assert(!lists("realm list", "alice"));
	ck_assert(!lists("user list", "pbx"));
	good("realm delete", REALM);
	bad("realm delete", REALM, "no such realm");
	ck_assert(!lists("realm list", "pbx"));
	ck_assert(lists("user list", "alice"));
}
END_TEST

START_TEST(quotes_that_would_break_a_header_are_refused)
{
	static const char *const rows[] = {
		"\"realm\":\"p\\\"x\",\"user\":\"us\"",
		"\"realm\":\"pbx\",\"user\":\"u\\\"s\"",
		"\"realm\":\"pbx\",\"user\":\"u\\\\s\"",
	};
	char args[200];

	for (int i = 0; i < ROWS(rows); i++) {
		(void)snprintf(args, sizeof(args), "%s,\"password\":\"x\"",
			       rows[i]);
		bad("realm add", args, "must not hold quotes");
	}
	ck_assert(lists("realm list", "[]"));
}
END_TEST

/* ---- who does not answer -------------------------------------------------------- */

START_TEST(a_device_that_has_shown_no_lsc_is_told)
{
	bad("device reset-lsc", ALICE, "this device has shown no LSC");
}
END_TEST

static const struct {
	const char *command, *args;
} seals[] = {{"user add", ALICE "," HA1},
	     {"user passwd", ALICE "," HA1},
	     {"realm add", REALM ",\"user\":\"us\",\"password\":\"x\""}},
  keeps[] = {{"user list", ""},
	     {"user delete", ALICE},
	     {"realm list", ""},
	     {"realm delete", REALM},
	     {"device reset-lsc", ALICE}};

START_TEST(without_a_keys_process_nothing_is_sealed)
{
	(void)mon_store();
	for (int i = 0; i < ROWS(seals); i++)
		bad(seals[i].command, seals[i].args,
		    "the keys process did not seal the password");
	ck_assert(lists("user list", "[]"));
}
END_TEST

START_TEST(without_a_store_process_every_command_says_so)
{
	mon_keys();
	for (int i = 0; i < ROWS(seals); i++)
		bad(seals[i].command, seals[i].args,
		    "the store process is not running");
	for (int i = 0; i < ROWS(keeps); i++)
		bad(keeps[i].command, keeps[i].args,
		    "the store process is not running");
}
END_TEST

START_TEST(a_store_that_dies_before_it_answers_is_told)
{
	int client[ROWS(seals) + ROWS(keeps)];
	int n = 0;

	mon_keys();
	mon_up(MONITOR_STORE, 0);
	for (int i = 0; i < ROWS(seals); i++)
		client[n++] = mon_send(seals[i].command, seals[i].args, -1);
	for (int i = 0; i < ROWS(keeps); i++)
		client[n++] = mon_send(keeps[i].command, keeps[i].args, -1);
	for (int i = 0; i < n; i++)
		ck_assert(!mon_is_answered(client[i]));
	mon_down(MONITOR_STORE, 0);
	for (int i = 0; i < n; i++)
		ck_assert(mon_is_bad(mon_answer(client[i]),
				     "the process that had to answer ended"));
	for (int i = 0; i < MONITOR_ASKED_MAX; i++)
		ck_assert_uint_eq(mon->asked[i].token, 0);
}
END_TEST

START_TEST(a_full_disk_is_told_and_what_was_there_stays)
{
	struct rlimit small = {.rlim_cur = 4096, .rlim_max = 4096};
	pid_t store;

	mon_keys();
	store = mon_store();
	good("user add", ALICE "," HA1);
	ck_assert_int_eq(prlimit(store, RLIMIT_FSIZE, &small, NULL), 0);
	bad("user add", "\"name\":\"bob\"," HA1, "store: ");
	bad("user delete", ALICE, "store: ");
	ck_assert(lists("user list", "alice"));
	ck_assert(!lists("user list", "bob"));
	mon_store_kill();
	(void)mon_store();
	ck_assert(lists("user list", "alice"));
	good("user add", "\"name\":\"bob\"," HA1);
}
END_TEST

START_TEST(one_command_more_than_there_is_room_for_is_refused)
{
	struct monitor_asked *a[MONITOR_ASKED_MAX];

	for (int i = 0; i < MONITOR_ASKED_MAX; i++) {
		a[i] = monitor_ctl_asked(mon, MONITOR_TOKEN_NONE,
					 CONTROL_USER_LIST);
		ck_assert_ptr_nonnull(a[i]);
	}
	for (int i = 0; i < ROWS(seals); i++)
		bad(seals[i].command, seals[i].args,
		    "too many commands at once");
	for (int i = 0; i < ROWS(keeps); i++)
		bad(keeps[i].command, keeps[i].args,
		    "too many commands at once");
	monitor_ctl_fail(mon, a[7], "");
	ck_assert(lists("user list", "[]"));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("users");
	TCase *none = tcase_create("without processes");
	Suite *s = suite_create("daemon/monitor_users");

	tcase_add_checked_fixture(t, setup_all, mon_close);
	tcase_add_test(t, a_user_is_added_changed_and_deleted);
	tcase_add_test(t, the_same_name_in_another_realm_is_another_user);
	tcase_add_test(t, users_outlive_the_store_process);
	tcase_add_test(t, a_list_of_several_pages_has_everybody_once);
	tcase_add_test(t, what_is_no_hash_is_refused);
	tcase_add_test(t, credentials_of_a_realm_are_kept_apart_from_users);
	tcase_add_test(t, quotes_that_would_break_a_header_are_refused);
	tcase_add_test(t, a_device_that_has_shown_no_lsc_is_told);
	tcase_add_test(t, one_command_more_than_there_is_room_for_is_refused);
	tcase_add_checked_fixture(none, setup, mon_close);
	tcase_add_test(none, without_a_keys_process_nothing_is_sealed);
	tcase_add_test(none, without_a_store_process_every_command_says_so);
	tcase_add_test(none, a_store_that_dies_before_it_answers_is_told);
	tcase_add_test(none, a_full_disk_is_told_and_what_was_there_stays);
	suite_add_tcase(s, t);
	suite_add_tcase(s, none);
	return run_suite(s);
}
