/* The end of every small test program: run one case, say how it went. */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Number of rows of a table, as loop tests count. */
#define ROWS(a) ((int)(sizeof(a) / sizeof(*(a))))

/* Is the program run by an emulator without what? See tests/matrix/emulate. */
static inline bool emulation_lacks(const char *what)
{
	const char *lacks = getenv("EMULATION_LACKS");

	return lacks && strstr(lacks, what);
}

/* Run suite, which ends with it; the exit status for main. */
static inline int run_suite(Suite *suite)
{
	SRunner *r = srunner_create(suite);
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Run the tests of tc under the suite's name; the exit status for main. */
static inline int run_case(const char *name, TCase *tc)
{
	Suite *suite = suite_create(name);

	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
