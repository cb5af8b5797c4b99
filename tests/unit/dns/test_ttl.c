/* The least time to live in a DNS message (RFC 1035 section 4.1). */
#include <check.h>

#include "dns/dns.h"
#include "lib/run.h"

/* id, flags, 1 question, 2 answers; "a" A IN; two answers. */
static const uint8_t two[] = {
	0,    1,   0x81, 0x80, 0, 1, 0, 2, 0, 0,  0, 0, /* head */
	1,    'a', 0,	 0,    1, 0, 1,			/* question */
	0xc0, 12,  0,	 1,    0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1, 1,
	'b',  0,   0,	 1,    0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 2,
};

START_TEST(the_least_counts)
{
	uint32_t ttl;

	ck_assert_int_eq(dns_ttl(slice_make(two, sizeof(two)), &ttl), 0);
	ck_assert_uint_eq(ttl, 30);
}
END_TEST

START_TEST(no_beginning_of_it_is_a_message)
{
	uint32_t ttl;

	for (size_t n = 0; n < sizeof(two); n++)
		ck_assert_int_eq(dns_ttl(slice_make(two, n), &ttl), ERR_BAD);
}
END_TEST

START_TEST(without_answers_there_is_none)
{
	uint8_t copy[sizeof(two)];
	uint32_t ttl;

	memcpy(copy, two, sizeof(two));
	copy[7] = 0;
	ck_assert_int_eq(dns_ttl(slice_make(copy, 19), &ttl), ERR_NOTFOUND);
}
END_TEST

START_TEST(the_top_bit_means_none)
{
	uint8_t copy[sizeof(two)];
	uint32_t ttl;

	memcpy(copy, two, sizeof(two));
	copy[25] = 0x80;
	ck_assert_int_eq(dns_ttl(slice_make(copy, sizeof(copy)), &ttl), 0);
	ck_assert_uint_eq(ttl, 0);
}
END_TEST

START_TEST(a_label_of_an_unknown_kind_is_refused)
{
	uint8_t copy[sizeof(two)];
	uint32_t ttl;

	memcpy(copy, two, sizeof(two));
	copy[12] = 0x41;
	ck_assert_int_eq(dns_ttl(slice_make(copy, sizeof(copy)), &ttl),
			 ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ttl");

	tcase_add_test(t, the_least_counts);
	tcase_add_test(t, no_beginning_of_it_is_a_message);
	tcase_add_test(t, without_answers_there_is_none);
	tcase_add_test(t, the_top_bit_means_none);
	tcase_add_test(t, a_label_of_an_unknown_kind_is_refused);
	return run_case("dns/ttl", t);
}
