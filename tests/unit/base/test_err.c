/* Names of errors. */
#include "lib/run.h"

#include <string.h>

#include "base/err.h"

START_TEST(every_error_has_a_name_of_its_own)
{
	for (int a = ERR_AGAIN; a <= 0; a++) {
		ck_assert_str_ne(err_str(a), "unknown error");
		for (int b = a + 1; b <= 0; b++)
			ck_assert_str_ne(err_str(a), err_str(b));
	}
}
END_TEST

START_TEST(other_numbers_are_unknown)
{
	ck_assert_str_eq(err_str(1), "unknown error");
	ck_assert_str_eq(err_str(ERR_AGAIN - 1), "unknown error");
	ck_assert_str_eq(err_str(-2147483647 - 1), "unknown error");
	ck_assert_str_eq(err_str(2147483647), "unknown error");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("err");

	tcase_add_test(tc, every_error_has_a_name_of_its_own);
	tcase_add_test(tc, other_numbers_are_unknown);
	return run_case("base/err", tc);
}
