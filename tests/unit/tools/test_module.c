/* tools/module.c over machines that are made of a few files. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/run.h"
#include "tools/module.h"

static char root[64];
static char why[MODULE_WHY_MAX];

static void setup(void)
{
	(void)snprintf(root, sizeof(root), "/tmp/sallyport-module-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* A file with its directories. */
static void put(const char *name, const char *text, size_t len)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *ask(void)
{
	ck_assert(module_why(root, "6.1.0-9", why));
	return why;
}

static const char here[] = "/lib/modules/6.1.0-9/updates/dkms/nf_srtp.ko.xz";

START_TEST(each_reason_has_its_words)
{
	ck_assert_str_eq(ask(), "this kernel takes no modules");
	put("/proc/modules", "", 0);
	ck_assert_str_eq(ask(),
			 "module nf_srtp is not installed for kernel 6.1.0-9");
	put("/lib/modules/5.10.0-1/extra/nf_srtp.ko", "", 0);
	ck_assert_str_eq(ask(), "wrong kernel: it is built for 5.10.0-1, and "
				"6.1.0-9 is running");
	put("/usr/src/nf_srtp-1.0/dkms.conf", "", 0);
	ck_assert_str_eq(ask(), "it could not be built: the headers of kernel "
				"6.1.0-9 are missing (linux-headers-6.1.0-9)");
	put("/lib/modules/6.1.0-9/build/Makefile", "", 0);
	put(here, "", 0);
	ck_assert_str_eq(ask(),
			 "module nf_srtp is not loaded: modprobe nf_srtp");
	put("/sys/module/nf_srtp/refcnt", "1\n", 2);
	ck_assert(!module_why(root, "6.1.0-9", why));
}
END_TEST

START_TEST(sources_with_headers_are_only_not_built)
{
	put("/proc/modules", "", 0);
	put("/var/lib/dkms/nf_srtp/1.0/source", "", 0);
	put("/lib/modules/6.1.0-9/build/Makefile", "", 0);
	ck_assert_str_eq(ask(),
			 "it is not built for kernel 6.1.0-9: dkms status");
}
END_TEST

/* The kernel's parameter, its lockdown, the firmware's variable. */
START_TEST(secure_boot_is_seen)
{
	static const struct {
		const char *name, *text;
		size_t len;
		bool is_secure;
	} rows[] = {
		{"/sys/module/module/parameters/sig_enforce", "Y\n", 2, true},
		{"/sys/module/module/parameters/sig_enforce", "N\n", 2, false},
		{"/sys/kernel/security/lockdown",
		 "none [integrity] confidentiality\n", 33, true},
		{"/sys/kernel/security/lockdown",
		 "[none] integrity confidentiality\n", 33, false},
		{"/sys/firmware/efi/efivars/SecureBoot-8be4df61", "\6\0\0\0\1",
		 5, true},
		{"/sys/firmware/efi/efivars/SecureBoot-8be4df61", "\6\0\0\0\0",
		 5, false},
	};

	put("/proc/modules", "", 0);
	put(here, "", 0);
	put(rows[_i].name, rows[_i].text, rows[_i].len);
	ck_assert_int_eq(strstr(ask(), "Secure Boot") != NULL,
			 rows[_i].is_secure);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("module");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_reason_has_its_words);
	tcase_add_test(t, sources_with_headers_are_only_not_built);
	tcase_add_loop_test(t, secure_boot_is_seen, 0, 6);
	return run_case("tools/module", t);
}
