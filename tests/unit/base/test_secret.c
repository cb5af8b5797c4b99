/* Secrets: copies that vanish, comparison in constant time. */
#include "lib/run.h"

#include "base/secret.h"

START_TEST(a_secret_holds_a_copy_until_it_is_done)
{
	char text[] = "geheim";
	struct secret s = {NULL, 0};

	ck_assert_int_eq(secret_init(&s, slice_str(text)), 0);
	memset(text, 'x', sizeof(text));
	ck_assert(slice_eqs(secret_slice(&s), "geheim"));
	secret_done(&s);
	ck_assert_ptr_null(s.ptr);
	ck_assert_uint_eq(secret_slice(&s).len, 0);
	secret_done(&s);
}
END_TEST

START_TEST(an_empty_secret_is_allowed)
{
	struct secret s = {NULL, 0};

	ck_assert_int_eq(secret_init(&s, SLICE_NULL), 0);
	ck_assert_uint_eq(s.len, 0);
	secret_done(&s);
}
END_TEST

START_TEST(wiping_overwrites)
{
	char buf[8] = "geheim";

	secret_wipe(buf, 0);
	ck_assert_str_eq(buf, "geheim");
	secret_wipe(buf, 3);
	ck_assert_mem_eq(buf, "\0\0\0eim", 6);
	secret_wipe(NULL, 0);
}
END_TEST

START_TEST(comparison_sees_every_byte_and_the_length)
{
	char a[] = "0123456789", b[] = "0123456789";

	ck_assert(secret_eq(slice_str(a), slice_str(b)));
	ck_assert(secret_eq(SLICE_NULL, SLICE_NULL));
	ck_assert(!secret_eq(slice_str(a), SLICE_NULL));
	ck_assert(!secret_eq(slice_make(a, 9), slice_make(b, 10)));
	for (size_t i = 0; i < 10; i++) {
		b[i] = (char)(b[i] ^ 0x80);
		ck_assert(!secret_eq(slice_str(a), slice_str(b)));
		b[i] = a[i];
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("secret");

	tcase_add_test(tc, a_secret_holds_a_copy_until_it_is_done);
	tcase_add_test(tc, an_empty_secret_is_allowed);
	tcase_add_test(tc, wiping_overwrites);
	tcase_add_test(tc, comparison_sees_every_byte_and_the_length);
	return run_case("base/secret", tc);
}
