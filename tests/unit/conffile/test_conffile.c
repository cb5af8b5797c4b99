/* conffile/ and the file system: what tests/conf cannot put into a file. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conffile/conffile.h"
#include "conffile/tuples.h"
#include "lib/oom.h"
#include "lib/run.h"

static char dir[64];
static char path[128];
static struct config_report rep;

static const char base[] = "listener \"phones\" {\n"
			   "\taddress = \"tls:192.0.2.1:5061\"\n"
			   "\tcertificate = \"server.pem\"\n"
			   "\tkey = \"server.key\"\n"
			   "\ttrust = \"device\"\n"
			   "}\n"
			   "call-manager \"cm\" {\n"
			   "\taddress = \"udp:192.0.2.10:5060\"\n"
			   "\tlocal-address = \"192.0.2.1:5070\"\n"
			   "}\n"
			   "media {\n"
			   "\toutside-address = \"192.0.2.1\"\n"
			   "\tinside-address = \"192.0.2.2\"\n"
			   "}\n";

static const char *at(const char *name)
{
	static char full[4][160];
	static unsigned turn;
	char *p = full[turn++ % 4];

	(void)snprintf(p, sizeof(full[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void set_up(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/sallyport-conf-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sallyport.conf", dir);
	config_report_init(&rep);
}

static void tear_down(void)
{
	char command[128];

	config_report_done(&rep);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void must_refuse(const char *message)
{
	struct config *c = NULL;
	char want[256];

	ck_assert_int_eq(conffile_load(path, &rep, &c), ERR_BAD);
	ck_assert_ptr_null(c);
	(void)snprintf(want, sizeof(want), "%s%s", path, message);
	ck_assert_str_eq(rep.first->text, want);
}

static struct config *must_load(void)
{
	struct config *c = NULL;

	ck_assert_msg(conffile_load(path, &rep, &c) == 0, "%s",
		      rep.first ? rep.first->text : "");
	return c;
}

START_TEST(missing_file_is_told)
{
	must_refuse(": No such file or directory");
}
END_TEST

START_TEST(directory_is_no_file)
{
	ck_assert_int_eq(mkdir(path, 0700), 0);
	must_refuse(": is no regular file");
}
END_TEST

START_TEST(pipe_does_not_block)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	must_refuse(": is no regular file");
}
END_TEST

START_TEST(too_long_file_is_not_read)
{
	put("sallyport.conf", "", 0600);
	ck_assert_int_eq(truncate(path, CONFFILE_SIZE_MAX + 1L), 0);
	must_refuse(": is too long");
}
END_TEST

START_TEST(file_without_newline_at_its_end_is_read)
{
	char text[sizeof(base) + 32];

	(void)snprintf(text, sizeof(text), "%s# the end", base);
	put("sallyport.conf", text, 0600);
	config_unref(must_load());
}
END_TEST

START_TEST(environment_and_locale_do_not_count)
{
	struct config *c;

	(void)setenv("LC_ALL", "de_DE.UTF-8", 1);
	(void)setenv("HOME", "/evil", 1);
	put("sallyport.conf", base, 0600);
	c = must_load();
	ck_assert_str_eq(c->realm, "sallyport");
	config_unref(c);
	put("sallyport.conf", "realm = \"${HOME}\"\n", 0600);
	must_refuse(":1: variables are not expanded: write the value "
		    "instead of ${...}");
}
END_TEST

START_TEST(files_of_the_directory_follow_in_order_of_names)
{
	struct config *c;

	put("sallyport.conf", base, 0600);
	ck_assert_int_eq(mkdir(at("conf.d"), 0700), 0);
	put("conf.d/b.conf", "device \"second\" { lines = { \"1\" } }\n", 0600);
	put("conf.d/a.conf", "device \"first\" { lines = { \"2\" } }\n", 0600);
	put("conf.d/.hidden.conf", "broken {", 0600);
	put("conf.d/c.conf.bak", "broken {", 0600);
	c = must_load();
	ck_assert_uint_eq(c->device_count, 2);
	ck_assert_str_eq(c->device[0].name, "first");
	ck_assert_str_eq(c->device[1].name, "second");
	config_unref(c);
}
END_TEST

START_TEST(paths_are_taken_from_the_directory_of_the_file)
{
	struct config *c;

	put("sallyport.conf", base, 0600);
	ck_assert_int_eq(chdir(dir), 0);
	(void)snprintf(path, sizeof(path), "sallyport.conf");
	c = must_load();
	ck_assert_str_eq(c->listener[0].certificate, at("server.pem"));
	ck_assert_str_eq(c->listener[0].trust, at("trust/device"));
	config_unref(c);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(named_files_are_looked_for)
{
	struct config *c;

	put("sallyport.conf", base, 0600);
	c = must_load();
	ck_assert_int_eq(conffile_check_files(c, &rep), ERR_BAD);
	ck_assert_uint_eq(rep.errors, 3);
	ck_assert_ptr_nonnull(strstr(rep.first->text,
				     "server.pem: No such file or directory "
				     "(certificate of listener \"phones\")"));
	config_report_done(&rep);
	put("server.pem", "x", 0644);
	put("server.key", "x", 0644);
	ck_assert_int_eq(mkdir(at("trust"), 0700), 0);
	ck_assert_int_eq(mkdir(at("trust/device"), 0700), 0);
	ck_assert_int_eq(conffile_check_files(c, &rep), 0);
	ck_assert_uint_eq(rep.warnings, 1);
	ck_assert_ptr_nonnull(strstr(rep.first->text, "chmod 600"));
	config_report_done(&rep);
	ck_assert_int_eq(chmod(at("server.key"), 0600), 0);
	ck_assert_int_eq(conffile_check_files(c, &rep), 0);
	ck_assert_uint_eq(rep.warnings, 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(at("server.key"), 1, 1), 0);
		ck_assert_int_eq(conffile_check_files(c, &rep), 0);
		ck_assert_uint_eq(rep.warnings, 1);
		ck_assert_ptr_nonnull(
			strstr(rep.first->text, "must belong to root"));
		config_report_done(&rep);
	}
	config_unref(c);
}
END_TEST

/* As many devices as there may be, and one more; linear in their number. */
START_TEST(devices_at_their_limit_are_read_and_beyond_refused)
{
	for (int extra = 0; extra < 2; extra++) {
		FILE *f = fopen(path, "we");
		struct config *c = NULL;
		int err;

		ck_assert_ptr_nonnull(f);
		(void)fputs(base, f);
		for (int i = 0; i < CONFIG_DEVICES_MAX + extra; i++)
			(void)fprintf(f,
				      "device \"SEP%012d\" {\n"
				      "\tlines = { \"%d\" }\n}\n",
				      i, i);
		ck_assert_int_eq(fclose(f), 0);
		err = conffile_load(path, &rep, &c);
		ck_assert_int_eq(err, extra ? ERR_BAD : 0);
		if (extra)
			ck_assert_ptr_nonnull(
				strstr(rep.first->text,
				       "device \"SEP000000030000\": too many "
				       "such sections"));
		else
			ck_assert_uint_eq(c->device_count, CONFIG_DEVICES_MAX);
		config_unref(c);
	}
}
END_TEST

/* A device and count lines: count + 1 tuples. */
static char *add_device(char *p, size_t number, size_t count)
{
	p += sprintf(p, "device \"D%zu\" { lines = {", number);
	for (size_t i = 0; i < count; i++) {
		*p++ = '1';
		*p++ = ',';
	}
	/* over the last comma */
	return p - 1 + sprintf(p - 1, "} }\n");
}

/* The section that the last option opens is read, the next one is an error of its
 * line: libconfuse ends the process when a section cannot be opened. Many short
 * lists: it makes each one longer by one, and a sanitizer copies it for that. */
START_TEST(a_section_that_is_one_option_too_many_is_told)
{
	enum { EACH = 1000, DEVICES = TUPLES_MAX / EACH };
	char *text = malloc((size_t)DEVICES * (EACH * 2 + 40) + 80);
	char *p = text;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 1; i < DEVICES; i++)
		p = add_device(p, i, EACH - 1);
	p = add_device(p, DEVICES, EACH - 2);
	(void)sprintf(p, "device \"B\" { }\ndevice \"C\" { }\n");
	put("sallyport.conf", text, 0600);
	free(text);
	must_refuse(":902: too many options");
}
END_TEST

START_TEST(loading_again_is_independent)
{
	put("sallyport.conf", "realm = {\n", 0600);
	must_refuse(":1: this { is not closed by }");
	config_report_done(&rep);
	put("sallyport.conf", base, 0600);
	config_unref(must_load());
	config_unref(must_load());
}
END_TEST

static void load_once(void *arg)
{
	struct config_report r;
	struct config *c = NULL;
	int err;

	(void)arg;
	config_report_init(&r);
	err = conffile_load(path, &r, &c);
	/* Messages need memory, too. */
	ck_assert(err == 0 || err == ERR_NOMEM || err == ERR_BAD);
	ck_assert_int_eq(err == 0, c != NULL);
	config_unref(c);
	config_report_done(&r);
}

/* libconfuse ends the process when what opens a section fails. */
START_TEST(every_failure_of_memory_is_an_error)
{
	put("sallyport.conf", base, 0600);
	oom_sweep(load_once, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("files");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, missing_file_is_told);
	tcase_add_test(tc, directory_is_no_file);
	tcase_add_test(tc, pipe_does_not_block);
	tcase_add_test(tc, too_long_file_is_not_read);
	tcase_add_test(tc, file_without_newline_at_its_end_is_read);
	tcase_add_test(tc, environment_and_locale_do_not_count);
	tcase_add_test(tc, files_of_the_directory_follow_in_order_of_names);
	tcase_add_test(tc, paths_are_taken_from_the_directory_of_the_file);
	tcase_add_test(tc, named_files_are_looked_for);
	tcase_add_test(tc, devices_at_their_limit_are_read_and_beyond_refused);
	tcase_add_test(tc, a_section_that_is_one_option_too_many_is_told);
	tcase_add_test(tc, loading_again_is_independent);
	tcase_add_test(tc, every_failure_of_memory_is_an_error);
	return run_case("conffile", tc);
}
