/* Principals: the names they show and the device they may be. */
#include <check.h>
#include <stdlib.h>

#include "authn/principal.h"
#include "lib/run.h"

START_TEST(a_principal_is_its_own_device_only)
{
	struct principal p = {.kind = PRINCIPAL_CERT,
			      .device = SLICE("SEP001122334455")};

	ck_assert(principal_is_device(&p, slice_str("sep001122334455")));
	ck_assert(!principal_is_device(&p, slice_str("SEP001122334456")));
	ck_assert(!principal_is_device(&p, SLICE_NULL));
	p.kind = PRINCIPAL_TRUNK;
	ck_assert(!principal_is_device(&p, p.device));
	p.kind = PRINCIPAL_NONE;
	ck_assert(!principal_is_device(&p, p.device));
	p = (struct principal){.kind = PRINCIPAL_DIGEST};
	ck_assert(!principal_is_device(&p, SLICE_NULL));
}
END_TEST

START_TEST(everything_has_a_name)
{
	ck_assert_str_eq(principal_kind_str(PRINCIPAL_CERT), "certificate");
	ck_assert_str_eq(principal_kind_str(PRINCIPAL_ADDR), "address");
	ck_assert_str_eq(principal_kind_str(PRINCIPAL_TRUNK), "trunk");
	ck_assert_str_eq(principal_level_str(PRINCIPAL_ENCRYPTED), "encrypted");
	ck_assert_str_eq(authn_verdict_str(AUTHN_OK), "ok");
	ck_assert_str_eq(authn_verdict_str(AUTHN_REFUSE), "refuse");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("principal");

	tcase_add_test(tc, a_principal_is_its_own_device_only);
	tcase_add_test(tc, everything_has_a_name);
	return run_case("authn/principal", tc);
}
