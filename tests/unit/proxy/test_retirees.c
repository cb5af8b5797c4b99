/* Devices that are gone from the configuration, but in a call. */
#include "proxy/retirees.h"

#include <check.h>
#include <string.h>

#include "lib/oom.h"
#include "lib/run.h"

static struct retirees retirees;
static struct config *was, *is;
static const char *kept; /* device that is still in a call */
static char gone[64];

/* A configuration with these devices, the line of each being its name's last
 * letter. */
static struct config *make(const char *const *device, size_t n)
{
	struct config_tuple t[16] = {
		{"listener", slice_str("l"), NULL, SLICE_NULL, "t", 1, false},
		{"listener", slice_str("l"), "address",
		 slice_str("udp:192.0.2.1:5060"), "t", 1, false},
		{"call-manager", slice_str("c"), NULL, SLICE_NULL, "t", 1,
		 false},
		{"call-manager", slice_str("c"), "address",
		 slice_str("udp:10.0.0.2:5060"), "t", 1, false},
		{"call-manager", slice_str("c"), "local-address",
		 slice_str("10.0.0.1:5070"), "t", 1, false},
		{"media", slice_str(""), "outside-address",
		 slice_str("192.0.2.1"), "t", 1, false},
		{"media", slice_str(""), "inside-address",
		 slice_str("10.0.0.1"), "t", 1, false}};
	struct config_report rep;
	struct config *c = NULL;
	size_t count = 7;

	for (size_t i = 0; i < n; i++) {
		struct slice name = slice_str(device[i]);

		t[count++] = (struct config_tuple){
			"device", name, NULL, SLICE_NULL, "t", 1, false};
		t[count++] = (struct config_tuple){
			"device", name, "lines", slice_from(name, name.len - 1),
			"t",	  1,	false};
		t[count++] = (struct config_tuple){"device",
						   name,
						   "security-mode",
						   slice_str("nonsecure"),
						   "t",
						   1,
						   false};
	}
	config_report_init(&rep);
	ck_assert_msg(config_build(t, count, "/", &rep, &c) == 0, "%s",
		      rep.first ? rep.first->text : "");
	config_report_done(&rep);
	return c;
}

static const struct config_device *device(struct config *c, const char *name)
{
	const struct config_device *d = config_device_find(c, slice_str(name));

	ck_assert_ptr_nonnull(d);
	return d;
}

static void setup(void)
{
	static const char *const two[] = {"SEP-A", "SEP-B"};
	static const char *const one[] = {"SEP-C"};

	was = make(two, 2);
	is = make(one, 1);
	retirees_init(&retirees);
	kept = NULL;
	gone[0] = '\0';
}

static void teardown(void)
{
	retirees_done(&retirees);
	config_unref(was);
	config_unref(is);
}

static bool keep(void *ctx, struct slice name)
{
	(void)ctx;
	return kept && slice_eqs(name, kept);
}

static void on_gone(void *ctx, const struct config_device *d)
{
	(void)ctx;
	strcat(gone, d->name);
}

START_TEST(a_retired_device_is_found_by_its_name_and_line)
{
	const struct config_device *a = device(was, "SEP-A");

	ck_assert_ptr_null(retirees_current(&retirees, is, slice_str("SEP-A")));
	ck_assert_int_eq(retirees_add(&retirees, was, a), 0);
	ck_assert_ptr_eq(retirees_current(&retirees, is, slice_str("SEP-A")),
			 a);
	ck_assert_ptr_eq(retirees_by_line(&retirees, slice_str("A")), a);
	ck_assert(retirees_has(&retirees, a));
	ck_assert(!retirees_has(&retirees, device(was, "SEP-B")));
	ck_assert_ptr_null(retirees_by_line(&retirees, slice_str("B")));
	/* One that the configuration has is that one. */
	ck_assert_ptr_eq(retirees_current(&retirees, is, slice_str("SEP-C")),
			 device(is, "SEP-C"));
	/* Nobody keeps any. */
	ck_assert(!retirees_has(NULL, a));
	ck_assert_ptr_null(retirees_by_line(NULL, slice_str("A")));
	ck_assert_ptr_null(retirees_current(NULL, is, slice_str("SEP-A")));
}
END_TEST

START_TEST(its_configuration_lives_as_long_as_it)
{
	const struct config_device *a = device(was, "SEP-A");

	ck_assert_int_eq(retirees_add(&retirees, was, a), 0);
	config_unref(was);
	was = NULL;
	/* A sanitizer sees it if the device is gone. */
	ck_assert_str_eq(a->name, "SEP-A");
	was = config_ref(is);
}
END_TEST

START_TEST(it_goes_when_its_calls_have_ended)
{
	ck_assert_int_eq(retirees_add(&retirees, was, device(was, "SEP-A")), 0);
	ck_assert_int_eq(retirees_add(&retirees, was, device(was, "SEP-B")), 0);
	kept = "SEP-B";
	ck_assert(retirees_sweep(&retirees, is, keep, on_gone, NULL));
	ck_assert_str_eq(gone, "SEP-A");
	kept = NULL;
	ck_assert(!retirees_sweep(&retirees, is, keep, on_gone, NULL));
	ck_assert_str_eq(gone, "SEP-ASEP-B");
	ck_assert(!retirees_sweep(&retirees, is, keep, on_gone, NULL));
}
END_TEST

START_TEST(it_goes_when_the_configuration_has_it_again)
{
	ck_assert_int_eq(retirees_add(&retirees, was, device(was, "SEP-A")), 0);
	kept = "SEP-A";
	ck_assert(retirees_sweep(&retirees, is, keep, on_gone, NULL));
	ck_assert(!retirees_sweep(&retirees, was, keep, on_gone, NULL));
	ck_assert_str_eq(gone, "SEP-A");
}
END_TEST

static void sweep_body(void *arg)
{
	struct retirees r;
	int err;

	(void)arg;
	retirees_init(&r);
	err = retirees_add(&r, was, device(was, "SEP-A"));
	ck_assert(err == 0 || err == ERR_NOMEM);
	ck_assert(retirees_has(&r, device(was, "SEP-A")) == (err == 0));
	retirees_done(&r);
}

START_TEST(no_memory_keeps_nothing)
{
	oom_sweep(sweep_body, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("retirees");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_retired_device_is_found_by_its_name_and_line);
	tcase_add_test(t, its_configuration_lives_as_long_as_it);
	tcase_add_test(t, it_goes_when_its_calls_have_ended);
	tcase_add_test(t, it_goes_when_the_configuration_has_it_again);
	tcase_add_test(t, no_memory_keeps_nothing);
	return run_case("proxy/retirees", t);
}
