/*
 * Watching what IPsec has to protect: whom the kernel's answers reach, and what
 * remains of them when the configuration changes. The watch is played.
 */
#include <errno.h>
#include <string.h>

#include "ipsec/watch.h"
#include "lib/mon.h"
#include "lib/oom.h"
#include "lib/run.h"
#include "proxy/shield.h"

/* ---- the watch ---------------------------------------------------------------- */

enum { FLOWS = 8 };

struct ipsec_watch {
	struct ipsec_watch_params p;
	struct addr peer[FLOWS];
	enum ipsec_verdict verdict[FLOWS];
};

static struct ipsec_watch *watch; /* the last that began; NULL: none */
static int watches;		  /* that there are */
static int watch_err;

int ipsec_watch_new(const struct ipsec_watch_params *p,
		    struct ipsec_watch **ret)
{
	if (watch_err) {
		errno = EPROTONOSUPPORT;
		return watch_err;
	}
	watch = calloc(1, sizeof(*watch));
	ck_assert_ptr_nonnull(watch);
	ck_assert_uint_le(p->count, FLOWS);
	watch->p = *p;
	for (size_t i = 0; i < p->count; i++) {
		watch->peer[i] = p->flow[i].peer;
		watch->verdict[i] = IPSEC_UNKNOWN;
	}
	watches++;
	*ret = watch;
	return 0;
}

struct ipsec_watch *ipsec_watch_free(struct ipsec_watch *w)
{
	watches -= w != NULL;
	if (w == watch)
		watch = NULL;
	free(w);
	return NULL;
}

/* The kernel's answer for an address. */
static void verdict(const char *peer, enum ipsec_verdict v)
{
	struct addr a;
	bool is_watched = false;

	ck_assert_int_eq(addr_parse_ip(slice_str(peer), &a), 0);
	for (size_t i = 0; i < watch->p.count; i++) {
		if (!addr_ip_eq(&watch->peer[i], &a))
			continue;
		watch->verdict[i] = v;
		is_watched = true;
	}
	ck_assert(is_watched);
	watch->p.changed(watch->p.ctx, watch->verdict, watch->p.count);
}

/* ---- the monitor -------------------------------------------------------------- */

#define GATEWAY(n, ip, ipsec)                                              \
	"gateway \"" n "\" {\n\taddress = \"" ip "\"\n\tprotocol = mgcp\n" \
	"\trequire-ipsec = " ipsec "\n}\n"

static const char guarded[] =
	"listener \"t\" {\n\taddress = \"udp:127.0.0.1:45062\"\n"
	"\tserves = trunks\n}\n"
	"call-manager \"t\" {\n\taddress = \"udp:127.0.0.1:45072\"\n"
	"\tlocal-address = \"127.0.0.1:45082\"\n\tserves = trunks\n}\n"
	"trunk-profile \"p\" {\n\tsecurity-mode = nonsecure\n}\n"
	"trunk \"c\" {\n\tprofile = \"p\"\n\tlisteners = { \"t\" }\n"
	"\tpeers = { \"udp:192.0.2.9:5060\" }\n"
	"\tcall-managers = { \"t\" }\n\trequire-ipsec = yes\n}\n";

static const char gateway[] = GATEWAY("g", "192.0.2.7", "warn");
static const char gateways[] =
	GATEWAY("g", "192.0.2.7", "warn") GATEWAY("h", "192.0.2.8", "yes");

static char text[2048];

static const char *with(const char *more)
{
	(void)snprintf(text, sizeof(text), "%s%s", guarded, more);
	return text;
}

static void setup(void)
{
	watch_err = 0;
	mon_open(with(gateway));
	mon_up(MONITOR_WORKER, 0);
}

static void begin(void)
{
	ck_assert_int_eq(monitor_ipsec_begin(mon), 0);
}

static void setup_watch(void)
{
	setup();
	begin();
}

static void teardown(void)
{
	mon_close();
	ck_assert_int_eq(watches, 0);
}

/* Another configuration in force, as after a reload. */
static void follow(const char *more)
{
	struct config_report rep;
	struct config *next = NULL;

	mon_config(with(more));
	config_report_init(&rep);
	ck_assert_int_eq(monitor_config_read(mon, NULL, "", &rep, &next), 0);
	config_report_done(&rep);
	config_unref(mon->config);
	mon->config = next;
	monitor_ipsec_follow(mon);
}

/* What worker is told to let pass: does the shield hold the trunk's address? -1:
 * it was told nothing. */
static int told(uint32_t worker)
{
	struct slice s = mon_hear(MONITOR_WORKER, worker, NULL);
	struct shield *shield;
	struct dwire_msg msg;
	struct addr a;
	int holds;

	if (s.len == 0)
		return -1;
	ck_assert_int_eq(dwire_read(s, &msg), 0);
	ck_assert_int_eq(msg.op, DWIRE_SHIELD);
	shield = shield_new(mon->config, 1);
	ck_assert_ptr_nonnull(shield);
	ck_assert_int_eq(shield_set(shield, msg.text), 0);
	ck_assert_int_eq(addr_parse_ip(slice_str("192.0.2.9"), &a), 0);
	holds = shield_holds(shield, &a, false);
	(void)shield_free(shield);
	return holds;
}

static void shows(const char *name, enum ipsec_verdict v)
{
	char want[160];
	const char *a = mon_ask("ipsec", "");
	const char *row = strstr(a, name);

	(void)snprintf(want, sizeof(want), "\"state\":\"%s\"",
		       ipsec_verdict_str(v));
	ck_assert_msg(row && strchr(row, '}'), "%s", a);
	row = strstr(row, "\"state\"");
	ck_assert_msg(row && strncmp(row, want, strlen(want)) == 0, "%s", a);
}

/* ---- what the kernel says -------------------------------------------------------- */

START_TEST(nothing_to_guard_is_no_watch)
{
	monitor_ipsec_end(mon);
	mon_close();
	mon_open("");
	begin();
	ck_assert_ptr_null(mon->ipsec);
	ck_assert_int_eq(watches, 0);
	monitor_ipsec_tell(mon, monitor_worker(mon, 0));
}
END_TEST

START_TEST(each_change_reaches_all_workers)
{
	mon_up(MONITOR_WORKER, 1);
	shows("\"c\"", IPSEC_UNKNOWN);
	verdict("192.0.2.9", IPSEC_PROTECTED);
	for (uint32_t i = 0; i < MON_WORKERS; i++) {
		ck_assert_int_eq(told(i), 0);
		ck_assert_int_eq(told(i), -1);
	}
	shows("\"c\"", IPSEC_PROTECTED);
	shows("\"g\"", IPSEC_UNKNOWN);
	verdict("192.0.2.9", IPSEC_NO_STATE_IN);
	for (uint32_t i = 0; i < MON_WORKERS; i++)
		ck_assert_int_eq(told(i), 1);
	shows("\"c\"", IPSEC_NO_STATE_IN);
}
END_TEST

START_TEST(a_worker_that_begins_is_told_what_is_known)
{
	mon_up(MONITOR_WORKER, 1);
	verdict("192.0.2.9", IPSEC_PROTECTED);
	(void)told(1);
	mon_down(MONITOR_WORKER, 1);
	verdict("192.0.2.7", IPSEC_PROTECTED); /* nobody hears it there */
	mon_up(MONITOR_WORKER, 1);
	monitor_ipsec_tell(mon, monitor_worker(mon, 1));
	ck_assert_int_eq(told(1), 0);
}
END_TEST

START_TEST(a_kernel_that_does_not_answer_protects_nothing)
{
	watch_err = ERR_IO;
	begin();
	ck_assert_int_eq(watches, 0);
	shows("\"c\"", IPSEC_UNKNOWN);
	monitor_ipsec_tell(mon, monitor_worker(mon, 0));
	ck_assert_int_eq(told(0), 1);
}
END_TEST

/* ---- another configuration ------------------------------------------------------- */

START_TEST(the_same_guards_are_watched_on)
{
	const struct ipsec_watch *before = watch;

	verdict("192.0.2.9", IPSEC_PROTECTED);
	follow(gateway);
	ck_assert_ptr_eq(watch, before);
	shows("\"c\"", IPSEC_PROTECTED);
}
END_TEST

START_TEST(what_is_known_of_an_address_stays)
{
	verdict("192.0.2.9", IPSEC_PROTECTED);
	ck_assert_int_eq(told(0), 0);
	follow(gateways);
	ck_assert_int_eq(watches, 1);
	shows("\"c\"", IPSEC_PROTECTED);
	shows("\"g\"", IPSEC_UNKNOWN);
	shows("\"h\"", IPSEC_UNKNOWN);
	monitor_ipsec_tell(mon, monitor_worker(mon, 0));
	ck_assert_int_eq(told(0), 0);
	verdict("192.0.2.8", IPSEC_PROTECTED);
	shows("\"h\"", IPSEC_PROTECTED);
}
END_TEST

START_TEST(another_demand_is_another_watch)
{
	const struct ipsec_watch *before = watch;

	follow(GATEWAY("g", "192.0.2.7", "yes"));
	ck_assert_ptr_ne(watch, before);
	ck_assert_int_eq(watches, 1);
}
END_TEST

START_TEST(an_ended_watch_can_begin_anew)
{
	monitor_ipsec_end(mon);
	ck_assert_int_eq(watches, 0);
	monitor_ipsec_end(mon); /* harmless */
	follow(gateway);
	ck_assert_int_eq(watches, 1);
}
END_TEST

START_TEST(without_memory_the_old_watch_goes_on)
{
	bool is_short = true;

	verdict("192.0.2.9", IPSEC_PROTECTED);
	for (uint64_t n = 1; is_short; n++) {
		const struct ipsec_watch *before = watch;
		struct config_report rep;
		struct config *next = NULL;

		mon_config(with(n % 2 ? gateways : gateway));
		config_report_init(&rep);
		ck_assert_int_eq(
			monitor_config_read(mon, NULL, "", &rep, &next), 0);
		config_report_done(&rep);
		config_unref(mon->config);
		mon->config = next;
		oom_arm(n);
		monitor_ipsec_follow(mon);
		is_short = oom_disarm();
		ck_assert_ptr_nonnull(mon->ipsec);
		ck_assert_int_eq(watches, 1);
		if (is_short)
			ck_assert_ptr_eq(watch, before);
		ck_assert_uint_lt(n, 50);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon/monitor_ipsec");
	TCase *t = tcase_create("watching");
	TCase *none = tcase_create("not yet");

	tcase_add_checked_fixture(t, setup_watch, teardown);
	tcase_add_test(t, nothing_to_guard_is_no_watch);
	tcase_add_test(t, each_change_reaches_all_workers);
	tcase_add_test(t, a_worker_that_begins_is_told_what_is_known);
	tcase_add_test(t, the_same_guards_are_watched_on);
	tcase_add_test(t, what_is_known_of_an_address_stays);
	tcase_add_test(t, another_demand_is_another_watch);
	tcase_add_test(t, an_ended_watch_can_begin_anew);
	tcase_add_test(t, without_memory_the_old_watch_goes_on);
	tcase_add_checked_fixture(none, setup, teardown);
	tcase_add_test(none, a_kernel_that_does_not_answer_protects_nothing);
	suite_add_tcase(s, t);
	suite_add_tcase(s, none);
	return run_suite(s);
}
