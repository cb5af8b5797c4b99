/* config/reload: what differs, what can be taken up, and the way to the other
 * processes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/reload.h"
#include "lib/oom.h"
#include "lib/run.h"

#define BASE                                             \
	"listener|phones|\n"                             \
	"listener|phones|address|tcp:192.0.2.1:5060\n"   \
	"call-manager|cm|\n"                             \
	"call-manager|cm|address|udp:192.0.2.10:5060\n"  \
	"call-manager|cm|local-address|192.0.2.1:5070\n" \
	"media||outside-address|192.0.2.1\nmedia||inside-address|192.0.2.2\n"
#define MANAGER(address, local)                  \
	"call-manager|two|\n"                    \
	"call-manager|two|address|" address "\n" \
	"call-manager|two|local-address|" local "\n"
#define DEV_A "device|A|\ndevice|A|lines|1001\ndevice|A|lines|1002\n"
#define DEV_B "device|B|\ndevice|B|security-mode|nonsecure\n"

enum { TUPLES = 40 };

static char *word(char **rest, int end)
{
	char *at = *rest;
	char *stop = strchr(at, end);

	if (stop)
		*stop = '\0';
	*rest = stop ? stop + 1 : at + strlen(at);
	return at;
}

/* "section|label|option|value" lines; a third field that is empty opens the
 * section. */
static struct config *build(const char *lines)
{
	static char text[4096];
	struct config_tuple t[TUPLES];
	struct config_report rep;
	struct config *c = NULL;
	char *rest = text;
	size_t n = 0;

	ck_assert_uint_lt(strlen(lines), sizeof(text));
	memcpy(text, lines, strlen(lines) + 1);
	for (; *rest; n++) {
		char *line = word(&rest, '\n');
		char *section = word(&line, '|');
		char *label = word(&line, '|');
		char *name = word(&line, '|');

		ck_assert_uint_lt(n, TUPLES);
		t[n] = (struct config_tuple){.section = section,
					     .label = slice_str(label),
					     .name = name[0] ? name : NULL,
					     .value = slice_str(line),
					     .file = "t",
					     .line = 1};
	}
	config_report_init(&rep);
	ck_assert_msg(config_build(t, n, "/etc", &rep, &c) == 0, "%s",
		      rep.first ? rep.first->text : "");
	config_report_done(&rep);
	return c;
}

struct text {
	char buf[8192];
	size_t len;
};

static void collect(void *ctx, struct slice piece)
{
	struct text *t = ctx;

	ck_assert_uint_lt(t->len + piece.len, sizeof(t->buf));
	if (piece.len > 0)
		memcpy(t->buf + t->len, piece.ptr, piece.len);
	t->len += piece.len;
	t->buf[t->len] = '\0';
}

static void must_print_same(const struct config *a, const struct config *b)
{
	static struct text ta;
	static struct text tb;

	ta.len = 0;
	tb.len = 0;
	config_print(a, collect, &ta);
	config_print(b, collect, &tb);
	ck_assert_str_eq(ta.buf, tb.buf);
}

static struct config *through(const struct config *running,
			      const struct config *next)
{
	struct buf bytes = {.ptr = NULL};
	struct config_report rep;
	struct config *c = NULL;

	config_report_init(&rep);
	ck_assert_int_eq(config_pack(running, next, &bytes), 0);
	ck_assert_msg(config_unpack(buf_slice(&bytes), &rep, &c) == 0, "%s",
		      rep.first ? rep.first->text : "");
	config_report_done(&rep);
	buf_done(&bytes);
	return c;
}

START_TEST(what_is_packed_comes_out_equal)
{
	struct config *a = build(BASE DEV_A DEV_B
				 "device|C|\ndevice|C|suites|AES_CM_128_HMAC_"
				 "SHA1_80\n||realm|a \"b\" \\c\n");
	struct config *b;

	a->device[1].is_stored = true;
	b = through(NULL, a);
	must_print_same(a, b);
	ck_assert(!b->device[0].is_stored);
	ck_assert(b->device[1].is_stored);
	ck_assert_str_eq(config_device_by_line(b, slice_str("1002"))->name,
			 "A");
	config_unref(a);
	config_unref(b);
}
END_TEST

static void add_change(void *ctx, const struct config_change *c)
{
	static const char *const kind[] = {"=", "+", "-"};
	struct text *t = ctx;

	collect(t, slice_str(kind[c->kind]));
	collect(t, slice_str(c->section->name));
	collect(t, slice_str("|"));
	collect(t, c->label);
	collect(t, slice_str("|"));
	collect(t, slice_str(c->option ? c->option->name : ""));
	collect(t, slice_str(c->when == CONFIG_WHEN_RESTART ? " restart\n"
			     : c->when == CONFIG_WHEN_RESET ? " reset\n"
							    : "\n"));
}

static const struct {
	const char *from, *to, *changes;
} diffs[] = {
	{BASE DEV_A, BASE DEV_A, ""},
	{BASE DEV_A, BASE DEV_B, "+device|B|\n-device|A|\n"},
	{BASE, BASE "||realm|other\n||workers|0\n||log-level|debug\n",
	 "=||realm\n=||log-level\n"},
	{BASE, BASE "||user|nobody\n", "=||user restart\n"},
	{BASE, BASE "media||dscp|0\nmedia||cool-down|1\nlimits||calls|1\n",
	 "=media||cool-down\n=media||dscp restart\n=limits||calls\n"},
	{BASE,
	 BASE "listener|more|\nlistener|more|address|udp:192.0.2.1:5060\n",
	 "+listener|more|\n"},
	{BASE "listener|more|\nlistener|more|address|udp:192.0.2.1:5060\n",
	 BASE, "-listener|more| restart\n"},
	/* another name at an address that is taken */
	{BASE "listener|more|\nlistener|more|address|udp:192.0.2.1:5060\n",
	 BASE "listener|less|\nlistener|less|address|udp:192.0.2.1:5060\n",
	 "+listener|less| restart\n-listener|more| restart\n"},
	/* a call manager begins where a socket of ours is, or none is needed */
	{BASE, BASE MANAGER("udp:192.0.2.11:5060", "192.0.2.1:5070"),
	 "+call-manager|two|\n"},
	{BASE,
	 BASE MANAGER("udp:192.0.2.11:5060",
		      "192.0.2.1:5070") "call-manager|two|serves|phones\n",
	 "+call-manager|two|\n"},
	{BASE, BASE MANAGER("udp:192.0.2.11:5060", "192.0.2.1:5071"),
	 "+call-manager|two| restart\n"},
	{BASE, BASE MANAGER("tcp:192.0.2.11:5060", "192.0.2.1:5071"),
	 "+call-manager|two| restart\n"},
	{BASE, BASE MANAGER("tls:192.0.2.11:5061", "192.0.2.1:5071"),
	 "+call-manager|two|\n"},
	{BASE,
	 BASE MANAGER("udp:192.0.2.11:5060",
		      "192.0.2.1:5070") "call-manager|two|large-by-tcp|yes\n",
	 "+call-manager|two| restart\n"},
	{BASE MANAGER("udp:192.0.2.11:5060", "192.0.2.1:5070"), BASE,
	 "-call-manager|two| restart\n"},
	{BASE DEV_A, BASE "device|A|\ndevice|A|lines|1001\ndevice|A|nat|yes\n",
	 "=device|A|lines reset\n=device|A|nat\n"},
	{BASE DEV_A,
	 BASE "device|A|\ndevice|A|lines|1002\ndevice|A|lines|1001\n",
	 "=device|A|lines reset\n"},
};

START_TEST(differences_are_told_with_what_they_need)
{
	static struct text t;
	struct config *a = build(diffs[_i].from);
	struct config *b = build(diffs[_i].to);

	t.len = 0;
	t.buf[0] = '\0';
	config_diff(a, b, add_change, &t);
	ck_assert_str_eq(t.buf, diffs[_i].changes);
	config_unref(a);
	config_unref(b);
}
END_TEST

/* Connections, sockets and trunks know a listener by its number. */
START_TEST(a_new_listener_comes_after_those_that_run)
{
	struct config *a = build(BASE);
	struct config *b =
		build("listener|more|\n"
		      "listener|more|address|udp:192.0.2.1:5090\n"
		      "listener|more|serves|trunks\n"
		      "listener|phones|\n"
		      "listener|phones|address|tcp:192.0.2.1:5099\n"
		      "call-manager|cm|\n"
		      "call-manager|cm|address|udp:192.0.2.10:5060\n"
		      "call-manager|cm|local-address|192.0.2.1:5070\n"
		      "media||outside-address|192.0.2.1\n"
		      "media||inside-address|192.0.2.2\n");
	struct config *c = through(a, b);

	ck_assert_uint_eq(c->listener_count, 2);
	ck_assert_str_eq(c->listener[0].name, "phones");
	ck_assert_uint_eq(c->listener[0].address.addr.port, 5060);
	ck_assert_str_eq(c->listener[1].name, "more");
	ck_assert_uint_eq(c->listener[1].address.addr.port, 5090);
	ck_assert_int_eq(c->listener[1].serves, CONFIG_TRUNKS);
	config_unref(a);
	config_unref(b);
	config_unref(c);
}
END_TEST

/* Trunks, credentials and the machine know a call manager by its number; and
 * endpoints that are bound stay what they are. */
START_TEST(a_new_call_manager_comes_after_those_that_run)
{
	struct config *a =
		build(BASE MANAGER("udp:192.0.2.9:5060", "192.0.2.1:5071"));
	struct config *b =
		build("call-manager|new|\n"
		      "call-manager|new|address|udp:192.0.2.11:5060\n"
		      "call-manager|new|local-address|192.0.2.1:5071\n"
		      "call-manager|own|\n"
		      "call-manager|own|address|udp:192.0.2.12:5060\n"
		      "call-manager|own|local-address|192.0.2.1:5073\n"
		      "listener|more|\n"
		      "listener|more|address|udp:192.0.2.1:5090\n"
		      "listener|more|serves|trunks\n" BASE);
	struct config *c = through(a, b);

	ck_assert_uint_eq(c->call_manager_count, 3);
	ck_assert_str_eq(c->call_manager[0].name, "cm");
	ck_assert_str_eq(c->call_manager[1].name, "two");
	ck_assert_str_eq(c->call_manager[2].name, "new");
	ck_assert_uint_eq(c->call_manager[2].core, 1);
	ck_assert_uint_eq(c->core_count, a->core_count);
	ck_assert_uint_eq(c->listener_count, 2);
	config_unref(a);
	config_unref(b);
	config_unref(c);
}
END_TEST

START_TEST(what_needs_a_restart_stays_as_it_runs)
{
	struct config *a = build(BASE DEV_A "||user|one\nmedia||dscp|1\n");
	struct config *b =
		build("listener|other|\n"
		      "listener|other|address|tcp:192.0.2.1:5099\n"
		      "call-manager|cm|\n"
		      "call-manager|cm|address|udp:192.0.2.99:5060\n"
		      "call-manager|cm|local-address|192.0.2.1:5071\n"
		      "media||outside-address|192.0.2.1\n"
		      "media||inside-address|192.0.2.2\nmedia||dscp|2\n"
		      "media||idle-timeout|7\n||user|two\n||realm|new\n" DEV_B);
	struct config *c = through(a, b);

	/* The one is closed by a restart, the other joins. */
	ck_assert_uint_eq(c->listener_count, 2);
	ck_assert_str_eq(c->listener[0].name, "phones");
	ck_assert(addr_eq(&c->call_manager[0].local_address,
			  &a->call_manager[0].local_address));
	ck_assert_uint_eq(c->media.dscp, 1);
	ck_assert_str_eq(c->user, "one");
	/* and the rest is new */
	ck_assert(addr_eq(&c->call_manager[0].address.addr,
			  &b->call_manager[0].address.addr));
	ck_assert_uint_eq(c->media.idle_timeout_s, 7);
	ck_assert_str_eq(c->realm, "new");
	ck_assert_uint_eq(c->device_count, 1);
	ck_assert_ptr_nonnull(config_device_find(c, slice_str("B")));
	config_unref(a);
	config_unref(b);
	config_unref(c);
}
END_TEST

START_TEST(old_and_new_that_do_not_go_together_are_refused)
{
	struct config *a = build(BASE);
	struct config *b = build(BASE);
	struct buf bytes = {.ptr = NULL};
	struct config_report rep;
	struct config *c = NULL;

	config_report_init(&rep);
	a->sip.t1_ms = 5000; /* over t2, which may be: nobody checked it */
	ck_assert_int_eq(config_pack(a, b, &bytes), 0);
	ck_assert_int_eq(config_unpack(buf_slice(&bytes), &rep, &c), ERR_BAD);
	ck_assert_ptr_nonnull(strstr(rep.first->text, "t1"));
	ck_assert_ptr_null(c);
	config_report_done(&rep);
	buf_done(&bytes);
	config_unref(a);
	config_unref(b);
}
END_TEST

START_TEST(other_bytes_are_refused)
{
	struct config *a = build(BASE DEV_A);
	struct buf bytes = {.ptr = NULL};
	struct config_report rep;
	struct config *c = NULL;
	struct slice all;

	config_report_init(&rep);
	ck_assert_int_eq(config_pack(NULL, a, &bytes), 0);
	all = buf_slice(&bytes);
	for (size_t n = 1; n < 4; n++)
		ck_assert_int_eq(
			config_unpack(slice_sub(all, 0, all.len - n), &rep, &c),
			ERR_BAD);
	ck_assert_int_eq(config_unpack(slice_str("\x63"
						 "abc"),
				       &rep, &c),
			 ERR_BAD);
	ck_assert_int_eq(config_unpack(SLICE_NULL, &rep, &c), ERR_BAD);
	ck_assert_ptr_null(c);
	config_report_done(&rep);
	buf_done(&bytes);
	config_unref(a);
}
END_TEST

#define TRUNK(n, src)                                                         \
	"trunk|" n "|\ntrunk|" n "|profile|p\n"                               \
	"trunk|" n "|listeners|trunks\ntrunk|" n "|sources|" src "\ntrunk|" n \
	"|direction|in\n"
#define TRUNKS                                              \
	BASE "call-manager|cm|serves|both\n"                \
	     "listener|trunks|\n"                           \
	     "listener|trunks|address|udp:192.0.2.1:5080\n" \
	     "listener|trunks|serves|trunks\n"              \
	     "trunk-profile|p|\ntrunk-profile|p|security-mode|nonsecure\n"

/* The other processes hear whose each trunk is, and do not work it out. */
START_TEST(who_serves_what_comes_through)
{
	struct config *a =
		build(TRUNKS TRUNK("x", "192.0.2.8") TRUNK("y", "192.0.2.9"));
	struct buf bytes = {.ptr = NULL};
	struct config_report rep;
	struct config *c = NULL;
	struct slice all;

	a->trunk[0].worker = 3;
	a->trunk[0].is_steered = true;
	a->trunk[1].worker = 59;
	a->listener[1].home = 2;
	a->call_manager[0].first_worker = 1;
	config_report_init(&rep);
	ck_assert_int_eq(config_pack(NULL, a, &bytes), 0);
	ck_assert_int_eq(config_pack_share(a, &bytes), 0);
	all = buf_slice(&bytes);
	ck_assert_int_eq(
		config_unpack(slice_sub(all, 0, all.len - 1), &rep, &c),
		ERR_BAD);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(config_unpack(all, &rep, &c), 0);
	ck_assert_uint_eq(c->trunk[0].worker, 3);
	ck_assert(c->trunk[0].is_steered);
	ck_assert_uint_eq(c->trunk[1].worker, 59);
	ck_assert(!c->trunk[1].is_steered);
	ck_assert_uint_eq(c->listener[0].home, 0);
	ck_assert_uint_eq(c->listener[1].home, 2);
	ck_assert_uint_eq(c->call_manager[0].first_worker, 1);
	config_report_done(&rep);
	buf_done(&bytes);
	config_unref(a);
	config_unref(c);
}
END_TEST

START_TEST(trunks_come_and_go)
{
	struct config *a = build(TRUNKS TRUNK("x", "192.0.2.8"));
	struct config *b = build(TRUNKS TRUNK("y", "192.0.2.9"));
	struct config *c = through(a, b);

	ck_assert_uint_eq(c->trunk_count, 1);
	ck_assert_ptr_nonnull(config_trunk_find(c, slice_str("y")));
	must_print_same(b, c);
	config_unref(a);
	config_unref(b);
	config_unref(c);
}
END_TEST

static void round_trip(void *arg)
{
	struct buf bytes = {.ptr = NULL};
	struct config_report rep;
	struct config *c = NULL;

	config_report_init(&rep);
	if (config_pack(arg, arg, &bytes) == 0 &&
	    config_pack_share(arg, &bytes) == 0 &&
	    config_unpack(buf_slice(&bytes), &rep, &c) == 0)
		config_unref(c);
	config_report_done(&rep);
	buf_done(&bytes);
}

START_TEST(no_memory_is_survived)
{
	struct config *a = build(BASE DEV_A DEV_B);

	oom_sweep(round_trip, a);
	config_unref(a);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("reload");

	tcase_add_test(t, what_is_packed_comes_out_equal);
	tcase_add_test(t, who_serves_what_comes_through);
	tcase_add_test(t, trunks_come_and_go);
	tcase_add_loop_test(t, differences_are_told_with_what_they_need, 0,
			    ROWS(diffs));
	tcase_add_test(t, a_new_listener_comes_after_those_that_run);
	tcase_add_test(t, a_new_call_manager_comes_after_those_that_run);
	tcase_add_test(t, what_needs_a_restart_stays_as_it_runs);
	tcase_add_test(t, old_and_new_that_do_not_go_together_are_refused);
	tcase_add_test(t, other_bytes_are_refused);
	tcase_add_test(t, no_memory_is_survived);
	return run_case("config/reload", t);
}
