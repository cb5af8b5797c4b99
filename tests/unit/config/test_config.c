/* config/: tuples in, an immutable configuration or messages out. Values and
 * messages are the business of tests/conf; here is what files cannot show. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "config/config.h"
#include "config/schema.h"
#include "lib/oom.h"
#include "lib/run.h"

enum { TUPLES = 40 };

struct tuples {
	struct config_tuple item[TUPLES];
	size_t count;
};

static void add(struct tuples *t, const char *section, const char *label,
		const char *name, const char *value)
{
	ck_assert_uint_lt(t->count, TUPLES);
	t->item[t->count] = (struct config_tuple){
		.section = section,
		.label = slice_str(label),
		.name = name,
		.value = slice_str(value),
		.file = "test.conf",
		.line = (uint32_t)t->count + 1,
	};
	t->count++;
}

static void add_base(struct tuples *t)
{
	add(t, "listener", "phones", NULL, "");
	add(t, "listener", "phones", "address", "tcp:192.0.2.1:5060");
	add(t, "certificate", "ecdsa", NULL, "");
	add(t, "certificate", "ecdsa", "file", "certs/e.pem");
	add(t, "certificate", "ecdsa", "key", "keys/e.key");
	add(t, "acl", "a", NULL, "");
	add(t, "acl", "a", "default", "deny");
	add(t, "calling-rights", "r", NULL, "");
	add(t, "calling-rights", "r", "default", "allow");
	add(t, "presence-group", "g", NULL, "");
	add(t, "application-user", "u", NULL, "");
	add(t, "gateway", "w", NULL, "");
	add(t, "gateway", "w", "address", "192.0.2.40");
	add(t, "call-manager", "cm", NULL, "");
	add(t, "call-manager", "cm", "address", "udp:192.0.2.10:5060");
	add(t, "call-manager", "cm", "local-address", "192.0.2.1:5070");
	add(t, "media", "", NULL, "");
	add(t, "media", "", "outside-address", "192.0.2.1");
	add(t, "media", "", "inside-address", "192.0.2.2");
}

static void add_device(struct tuples *t, const char *name, const char *line,
		       const char *user)
{
	add(t, "device", name, NULL, "");
	add(t, "device", name, "lines", line);
	if (user)
		add(t, "device", name, "digest-user", user);
}

static void add_trunk(struct tuples *t)
{
	add(t, "listener", "trunks", NULL, "");
	add(t, "listener", "trunks", "address", "tcp:192.0.2.1:5070");
	add(t, "listener", "trunks", "serves", "trunks");
	add(t, "call-manager", "cm2", NULL, "");
	add(t, "call-manager", "cm2", "address", "udp:192.0.2.10:5070");
	add(t, "call-manager", "cm2", "local-address", "192.0.2.1:5080");
	add(t, "call-manager", "cm2", "serves", "trunks");
	add(t, "trunk-profile", "plain", NULL, "");
	add(t, "trunk-profile", "plain", "security-mode", "nonsecure");
	add(t, "trunk", "T", NULL, "");
	add(t, "trunk", "T", "profile", "plain");
	add(t, "trunk", "T", "listeners", "trunks");
	add(t, "trunk", "T", "peers", "tcp:198.51.100.1:5060");
}

static struct config *must_build(const struct tuples *t)
{
	struct config_report rep;
	struct config *c = NULL;

	config_report_init(&rep);
	ck_assert_msg(config_build(t->item, t->count, "/etc/x", &rep, &c) == 0,
		      "%s", rep.first ? rep.first->text : "");
	config_report_done(&rep);
	return c;
}

static struct slice s(const char *text)
{
	return slice_str(text);
}

START_TEST(devices_are_found_by_name_line_and_user)
{
	struct tuples t = {.count = 0};
	struct config *c;
	const struct config_device *d;

	add_base(&t);
	add_device(&t, "A", "1001", "alice");
	add(&t, "device", "A", "lines", "1009");
	add_device(&t, "B", "1002", NULL);
	add_device(&t, "C", "1002", "alice");
	c = must_build(&t);
	ck_assert_uint_eq(c->device_count, 3);
	ck_assert_str_eq(config_device_find(c, s("B"))->name, "B");
	ck_assert_ptr_null(config_device_find(c, s("b")));
	ck_assert_ptr_null(config_device_find(c, s("")));
	ck_assert_str_eq(config_device_by_line(c, s("1009"))->name, "A");
	/* Shared lines belong to the first in the files. */
	ck_assert_str_eq(config_device_by_line(c, s("1002"))->name, "B");
	ck_assert_ptr_null(config_device_by_line(c, s("9")));
	d = config_device_by_user(c, s("alice"));
	ck_assert_ptr_nonnull(d);
	ck_assert_ptr_nonnull(config_device_by_user_next(d));
	ck_assert_ptr_ne(config_device_by_user_next(d), d);
	ck_assert_ptr_null(
		config_device_by_user_next(config_device_by_user_next(d)));
	ck_assert_ptr_null(config_device_by_user(c, s("")));
	d = config_device_find(c, s("A"));
	ck_assert(config_device_has_line(d, s("1001")));
	ck_assert(config_device_has_line(d, s("1009")));
	ck_assert(!config_device_has_line(d, s("100")));
	config_unref(c);
}
END_TEST

START_TEST(nonsecure_cluster_hides_security_but_keeps_it)
{
	struct tuples t = {.count = 0};
	struct config *c;
	const struct config_device *d;

	add_base(&t);
	add(&t, "", "", "cluster-security-mode", "nonsecure");
	add_device(&t, "A", "1", "alice");
	add(&t, "device", "A", "digest", "yes");
	c = must_build(&t);
	d = config_device_find(c, s("A"));
	ck_assert_int_eq(d->security_mode, CONFIG_DEVICE_ENCRYPTED);
	ck_assert_int_eq(d->media, CONFIG_MEDIA_SRTP_REQUIRED);
	ck_assert_int_eq(config_device_mode(c, d), CONFIG_DEVICE_NONSECURE);
	ck_assert_int_eq(config_device_media(c, d), CONFIG_MEDIA_RTP_ONLY);
	ck_assert(d->digest);
	config_unref(c);
}
END_TEST

START_TEST(mixed_cluster_lets_device_modes_count)
{
	struct tuples t = {.count = 0};
	struct config *c;
	const struct config_device *d;

	add_base(&t);
	add_device(&t, "A", "1", NULL);
	c = must_build(&t);
	d = config_device_find(c, s("A"));
	ck_assert_int_eq(config_device_mode(c, d), CONFIG_DEVICE_ENCRYPTED);
	ck_assert_int_eq(config_device_media(c, d), CONFIG_MEDIA_SRTP_REQUIRED);
	config_unref(c);
}
END_TEST

START_TEST(equal_media_addresses_share_the_ports_in_halves)
{
	static const struct {
		const char *inside, *ports;
		uint16_t out[2], in[2];
	} row[] = {
		{"192.0.2.2", "16384-32767", {16384, 32767}, {16384, 32767}},
		{"192.0.2.1", "16384-32767", {16384, 24575}, {24576, 32767}},
		{"192.0.2.1", "20000-20003", {20000, 20001}, {20002, 20003}},
		{"192.0.2.1", "20001-20006", {20002, 20003}, {20004, 20005}},
		{"192.0.2.1", "20000-20009", {20000, 20003}, {20004, 20009}},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct tuples t = {.count = 0};
		struct config *c;

		add_base(&t);
		t.item[t.count - 1].value = s(row[i].inside);
		add(&t, "media", "", "ports", row[i].ports);
		c = must_build(&t);
		ck_assert_uint_eq(c->media.outside_ports.min, row[i].out[0]);
		ck_assert_uint_eq(c->media.outside_ports.max, row[i].out[1]);
		ck_assert_uint_eq(c->media.inside_ports.min, row[i].in[0]);
		ck_assert_uint_eq(c->media.inside_ports.max, row[i].in[1]);
		config_unref(c);
	}
}
END_TEST

START_TEST(references_keep_a_configuration)
{
	struct tuples t = {.count = 0};
	struct config *c;

	add_base(&t);
	c = must_build(&t);
	ck_assert_ptr_eq(config_ref(c), c);
	ck_assert_ptr_null(config_unref(c));
	ck_assert_str_eq(c->realm, "sallyport");
	ck_assert_ptr_null(config_unref(c));
	ck_assert_ptr_null(config_unref(NULL));
}
END_TEST

START_TEST(tuples_that_no_file_gives_are_refused_or_skipped)
{
	static const struct config_tuple odd[] = {
		{.section = "nonsense", .name = "x", .file = "f", .line = 1},
		{.section = "nonsense", .file = "f", .line = 1},
		/* An option of a section that was never opened. */
		{.section = "device", .name = "nat", .file = "f", .line = 1},
		{.section = "", .name = "", .file = "f", .line = 1},
		{.section = "media", .name = NULL, .file = "f"},
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct config_report rep;
		struct config *c = NULL;

		config_report_init(&rep);
		ck_assert_int_eq(config_build(&odd[i], 1, "/", &rep, &c),
				 ERR_BAD);
		ck_assert_ptr_null(c);
		ck_assert_uint_gt(rep.errors, 0);
		config_report_done(&rep);
	}
}
END_TEST

START_TEST(messages_are_escaped_and_limited)
{
	struct config_report rep;
	uint32_t n = 0;

	config_report_init(&rep);
	config_report_add(&rep, false, "f", 3, s("a\033[2Jb"));
	ck_assert_str_eq(rep.first->text, "f:3: a\\x1b[2Jb");
	ck_assert(!rep.first->is_error);
	for (int i = 0; i < 2 * CONFIG_MESSAGES_MAX; i++)
		config_report_add(&rep, true, "f", 0, s("x"));
	for (const struct config_message *m = rep.first; m; m = m->next)
		n++;
	ck_assert_uint_eq(n, CONFIG_MESSAGES_MAX);
	ck_assert_uint_eq(rep.errors, 2 * CONFIG_MESSAGES_MAX);
	config_report_done(&rep);
	ck_assert_ptr_null(rep.first);
}
END_TEST

START_TEST(nearest_name_is_near)
{
	static const struct {
		const char *section, *name, *near;
	} row[] = {
		{"", "relm", "realm"},
		{"", "Realm", "realm"},
		{"", "devise", "device"},
		{"", "callmanager", "call-manager"},
		{"device", "securitymode", "security-mode"},
		{"device", "realm", NULL},
		{"device", "x", NULL},
		{"limits", "connections-per-adress", "connections-per-address"},
		{"limits", "", NULL},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *near = config_nearest(
			config_section_find(s(row[i].section)), s(row[i].name));

		if (row[i].near)
			ck_assert_str_eq(near, row[i].near);
		else
			ck_assert_msg(!near, "%s: %s", row[i].name, near);
	}
}
END_TEST

/* The rules that the rows of the schema must keep by themselves. */
START_TEST(schema_rows_are_complete)
{
	for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
		const struct config_section *sec = &config_schema[i];

		ck_assert_uint_le(sec->count, CONFIG_OPTIONS_MAX);
		ck_assert_ptr_nonnull(sec->text);
		for (uint32_t k = 0; k < sec->count; k++) {
			const struct config_option *o = &sec->option[k];

			ck_assert_msg(o->text && o->text[0], "%s", o->name);
			ck_assert_ptr_eq(config_option_find(sec, s(o->name)),
					 o);
			ck_assert_msg(o->value || o->example, "%s", o->name);
		}
	}
}
END_TEST

struct text {
	char buf[8192];
	size_t len;
};

static void collect(void *ctx, struct slice piece)
{
	struct text *t = ctx;

	ck_assert_uint_lt(t->len + piece.len, sizeof(t->buf));
	memcpy(t->buf + t->len, piece.ptr, piece.len);
	t->len += piece.len;
	t->buf[t->len] = '\0';
}

START_TEST(limits_over_what_the_system_has_are_warned_about)
{
	static const struct {
		const char *option, *value;
		uint64_t descriptors;
		const char *warning;
		uint64_t mib; /* of memory; 0 = without end */
	} rows[] = {
		{"calls", "100", 100000, NULL, 0},
		{"connections", "40000", 40127,
		 "limits: connections: so many may need 40128 "
		 "descriptors in one worker, and a process may have "
		 "40127",
		 0},
		{"calls", "8193", 100000,
		 "limits: calls: so many need 16386 relay ports on each side, "
		 "and media: ports has 16384",
		 0},
		{"calls", "8000", 32127,
		 "limits: calls: so many need 32128 descriptors in the media "
		 "process, and a process may have 32127",
		 0},
		{"calls", "1000", 100000, NULL, 740},
		{"calls", "1000", 100000,
		 "limits: connections, calls and others: all of them may need "
		 "736 MiB of memory, and there are 735",
		 735},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tuples t = {.count = 0};
		struct config_report rep;
		struct config *c;

		add_base(&t);
		add(&t, "limits", "", rows[i].option, rows[i].value);
		c = must_build(&t);
		config_report_init(&rep);
		config_check_needs(c, rows[i].descriptors,
				   rows[i].mib ? rows[i].mib << 20 : UINT64_MAX,
				   &rep);
		ck_assert_uint_eq(rep.errors, 0);
		ck_assert_uint_eq(rep.warnings, rows[i].warning ? 1 : 0);
		if (rows[i].warning)
			ck_assert_str_eq(rep.first->text, rows[i].warning);
		config_report_done(&rep);
		config_unref(c);
	}
}
END_TEST

/* Two flows for each call, as far as processes can hold them. */
START_TEST(flows_of_many_calls_are_warned_about)
{
	static const struct {
		const char *calls, *workers;
		const char *warning[2];
	} rows[] = {
		{"10000", "1", {NULL}},
		{"10001",
		 "1",
		 {"limits: calls: so many have 20002 flows, and those that "
		  "outlive the media process in its sockets are 20000"}},
		{"20001",
		 "1",
		 {"limits: calls: so many have 40002 flows, and the workers "
		  "can look after 40000",
		  "limits: calls: so many have 40002 flows, and those that "
		  "outlive the media process in its sockets are 20000"}},
		{"20001",
		 "2",
		 {"limits: calls: so many have 40002 flows, and those that "
		  "outlive the media process in its sockets are 20000"}},
	};
	struct tuples t = {.count = 0};
	const struct config_message *m;
	struct config_report rep;
	struct config *c;

	add_base(&t);
	add(&t, "media", "", "ports", "8000-65535");
	add(&t, "", "", "workers", rows[_i].workers);
	add(&t, "limits", "", "calls", rows[_i].calls);
	c = must_build(&t);
	config_report_init(&rep);
	config_check_needs(c, UINT64_MAX, UINT64_MAX, &rep);
	m = rep.first;
	for (int i = 0; i < 2 && rows[_i].warning[i]; i++, m = m->next) {
		ck_assert_ptr_nonnull(m);
		ck_assert_str_eq(m->text, rows[_i].warning[i]);
	}
	ck_assert_ptr_null(m);
	config_report_done(&rep);
	config_unref(c);
}
END_TEST

/* Each Skinny phone has a connection inside too. */
START_TEST(needs_of_skinny_are_descriptors_and_ports)
{
	struct tuples t = {.count = 0};
	struct config_report rep;
	struct config *c;

	add_base(&t);
	add(&t, "listener", "sccp", NULL, "");
	add(&t, "listener", "sccp", "address", "sccp:192.0.2.1:2000");
	add(&t, "sccp-manager", "cm", NULL, "");
	add(&t, "sccp-manager", "cm", "address", "192.0.2.10:2000");
	add(&t, "limits", "", "connections", "28001");
	add(&t, "limits", "", "calls", "10");
	c = must_build(&t);
	config_report_init(&rep);
	config_check_needs(c, 56130, UINT64_MAX, &rep);
	ck_assert_uint_eq(rep.warnings, 1);
	ck_assert_str_eq(rep.first->text,
			 "limits: connections: so many need ports for 28001 "
			 "connections to an sccp-manager, and its "
			 "source-addresses have 28000");
	config_report_done(&rep);
	config_report_init(&rep);
	config_check_needs(c, 56129, UINT64_MAX, &rep);
	ck_assert_uint_eq(rep.warnings, 2);
	config_report_done(&rep);
	config_unref(c);
}
END_TEST

/* The suites of a model count where a device says nothing of its own. */
START_TEST(a_device_has_the_suites_of_its_model)
{
	static const struct {
		const char *of_model, *of_device;
		enum suite first;
	} rows[] = {
		{NULL, NULL, SUITE_AEAD_AES_128_GCM},
		{"AES_CM_128_HMAC_SHA1_32", NULL,
		 SUITE_AES_CM_128_HMAC_SHA1_32},
		{"AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80",
		 SUITE_AES_CM_128_HMAC_SHA1_80},
		{NULL, "AES_CM_128_HMAC_SHA1_80",
		 SUITE_AES_CM_128_HMAC_SHA1_80},
	};
	struct tuples t = {.count = 0};
	const struct config_device *d;
	struct config *c;

	add_base(&t);
	add(&t, "phone-model", "7960", NULL, "");
	add(&t, "phone-model", "7960", "type", "7");
	if (rows[_i].of_model)
		add(&t, "phone-model", "7960", "suites", rows[_i].of_model);
	add_device(&t, "A", "1", NULL);
	if (rows[_i].of_device)
		add(&t, "device", "A", "suites", rows[_i].of_device);
	c = must_build(&t);
	d = config_device_find(c, s("A"));
	ck_assert_int_eq(config_suites_of(d, config_model_of(c, d, 7))->item[0],
			 rows[_i].first);
	/* Of a model that nobody knows it has its own. */
	ck_assert_ptr_eq(config_suites_of(d, config_model_of(c, d, 8)),
			 &d->suites);
	config_unref(c);
}
END_TEST

START_TEST(print_shows_every_option_of_every_section)
{
	static struct text text;
	struct tuples t = {.count = 0};
	struct config *c;

	add_base(&t);
	add_device(&t, "A", "1", NULL);
	add_trunk(&t);
	add(&t, "sccp-manager", "cm", NULL, "");
	add(&t, "sccp-manager", "cm", "address", "192.0.2.10:2000");
	add(&t, "phone-model", "7960", NULL, "");
	add(&t, "phone-model", "7960", "type", "7");
	c = must_build(&t);
	config_print(c, collect, &text);
	for (size_t i = 0; i < CONFIG_SECTIONS; i++)
		for (uint32_t k = 0; k < config_schema[i].count; k++)
			ck_assert_ptr_nonnull(strstr(
				text.buf, config_schema[i].option[k].name));
	config_unref(c);
}
END_TEST

START_TEST(many_devices_are_built_and_found)
{
	enum { DEVICES = 20000 };
	struct tuples base = {.count = 0};
	size_t count;
	struct config_tuple *all;
	char(*name)[16];
	struct config_report rep;
	struct config *c = NULL;

	add_base(&base);
	all = alloc_array(base.count + 2 * DEVICES, sizeof(*all));
	name = alloc_array(DEVICES, sizeof(*name));
	ck_assert(all && name);
	memcpy(all, base.item, base.count * sizeof(*all));
	count = base.count;
	for (int i = 0; i < DEVICES; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "SEP%012d", i);
		all[count] = (struct config_tuple){.section = "device",
						   .label = s(name[i]),
						   .file = "f",
						   .line = 1};
		all[count + 1] = all[count];
		all[count + 1].name = "lines";
		all[count + 1].value = s(name[i]);
		count += 2;
	}
	config_report_init(&rep);
	ck_assert_int_eq(config_build(all, count, "/", &rep, &c), 0);
	config_report_done(&rep);
	for (int i = 0; i < DEVICES; i += 97) {
		ck_assert_str_eq(config_device_find(c, s(name[i]))->name,
				 name[i]);
		ck_assert_str_eq(config_device_by_line(c, s(name[i]))->name,
				 name[i]);
	}
	config_unref(c);
	alloc_free(all);
	alloc_free(name);
}
END_TEST

static void build_once(void *arg)
{
	const struct tuples *t = arg;
	struct config_report rep;
	struct config *c = NULL;

	config_report_init(&rep);
	if (config_build(t->item, t->count, "/etc/x", &rep, &c) == 0)
		config_unref(c);
	else
		ck_assert_ptr_null(c);
	config_report_done(&rep);
}

START_TEST(every_failed_allocation_is_survived)
{
	struct tuples t = {.count = 0};

	add_base(&t);
	add_device(&t, "A", "1001", "alice");
	add_device(&t, "B", "1001", "bob");
	add(&t, "device", "B", "suites", "AEAD_AES_128_GCM");
	add(&t, "", "", "realm", "");
	oom_sweep(build_once, &t);
	t.count--;
	oom_sweep(build_once, &t);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("configuration");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, devices_are_found_by_name_line_and_user);
	tcase_add_test(tc, nonsecure_cluster_hides_security_but_keeps_it);
	tcase_add_test(tc, mixed_cluster_lets_device_modes_count);
	tcase_add_test(tc, equal_media_addresses_share_the_ports_in_halves);
	tcase_add_test(tc, references_keep_a_configuration);
	tcase_add_test(tc, tuples_that_no_file_gives_are_refused_or_skipped);
	tcase_add_test(tc, messages_are_escaped_and_limited);
	tcase_add_test(tc, nearest_name_is_near);
	tcase_add_test(tc, schema_rows_are_complete);
	tcase_add_test(tc, limits_over_what_the_system_has_are_warned_about);
	tcase_add_loop_test(tc, a_device_has_the_suites_of_its_model, 0, 4);
	tcase_add_test(tc, print_shows_every_option_of_every_section);
	tcase_add_test(tc, needs_of_skinny_are_descriptors_and_ports);
	tcase_add_loop_test(tc, flows_of_many_calls_are_warned_about, 0, 4);
	tcase_add_test(tc, many_devices_are_built_and_found);
	tcase_add_test(tc, every_failed_allocation_is_survived);
	return run_case("config", tc);
}
