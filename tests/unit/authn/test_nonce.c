/* Nonces and nonce counts: RFC 7616 sections 3.3, 3.4 and 5.4. */
#include <check.h>
#include <stdlib.h>

#include "authn/nonce.h"
#include "lib/entropy.h"
#include "lib/oom.h"
#include "lib/run.h"

enum { LIFE = 60000, NOW = 1000000 };

static struct nonce_params params(void)
{
	return (struct nonce_params){
		.key = slice_str("0123456789abcdef0123456789abcdef"),
		.realm = slice_str("sallyport"),
		.worker = 3,
		.lifetime_ms = LIFE,
	};
}

static struct slice make(const struct nonce_params *p, uint64_t now, char *buf)
{
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, now);

	ck_assert_int_eq(nonce_make(p, &e, now, buf), 0);
	return slice_make(buf, NONCE_LEN);
}

START_TEST(a_nonce_is_good_until_its_lifetime_ends)
{
	struct nonce_params p = params();
	char buf[NONCE_LEN];
	struct slice n = make(&p, NOW, buf);
	struct nonce_info info;

	ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_OK);
	ck_assert_uint_eq(info.issued_ms, NOW);
	ck_assert_uint_eq(info.expires_ms, NOW + LIFE);
	ck_assert_int_eq(nonce_check(&p, n, NOW + LIFE - 1, &info), NONCE_OK);
	ck_assert_int_eq(nonce_check(&p, n, NOW + LIFE, &info), NONCE_STALE);
	ck_assert_int_eq(nonce_check(&p, n, UINT64_MAX, &info), NONCE_STALE);
}
END_TEST

START_TEST(a_nonce_from_the_future_is_stale)
{
	struct nonce_params p = params();
	char buf[NONCE_LEN];
	struct slice n = make(&p, NOW, buf);
	struct nonce_info info;

	ck_assert_int_eq(nonce_check(&p, n, NOW - 1, &info), NONCE_STALE);
	n = make(&p, UINT64_MAX - 5, buf);
	ck_assert_int_eq(nonce_check(&p, n, UINT64_MAX - 5, &info), NONCE_OK);
	ck_assert_uint_eq(info.expires_ms, UINT64_MAX);
}
END_TEST

START_TEST(another_workers_nonce_is_stale)
{
	struct nonce_params p = params();
	char buf[NONCE_LEN];
	struct slice n = make(&p, NOW, buf);
	struct nonce_info info;

	p.worker = 4;
	ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_STALE);
}
END_TEST

START_TEST(a_nonce_of_another_boot_is_stale)
{
	struct nonce_params p = params();
	char buf[NONCE_LEN];
	struct slice n = make(&p, NOW, buf);
	struct nonce_info info;

	for (size_t i = 0; i < NONCE_BOOT_LEN; i++) {
		p.boot[i] ^= 1;
		ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_STALE);
		p.boot[i] ^= 1;
	}
	ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_OK);
}
END_TEST

START_TEST(another_key_or_realm_makes_it_a_forgery)
{
	struct nonce_params p = params();
	char buf[NONCE_LEN];
	struct slice n = make(&p, NOW, buf);
	struct nonce_info info;

	p.realm = slice_str("sallyporT");
	ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_FORGED);
	p = params();
	p.key = slice_str("0123456789abcdef0123456789abcdeX");
	ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_FORGED);
}
END_TEST

START_TEST(a_change_of_any_character_makes_it_a_forgery)
{
	struct nonce_params p = params();
	char buf[NONCE_LEN + 1];
	struct slice n = make(&p, NOW, buf);
	struct nonce_info info;

	for (size_t i = 0; i < NONCE_LEN; i++) {
		char keep = buf[i];

		buf[i] = keep == 'A' ? 'B' : 'A';
		ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_FORGED);
		buf[i] = '=';
		ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_FORGED);
		buf[i] = keep;
	}
	for (size_t i = 0; i < NONCE_LEN; i++)
		ck_assert_int_eq(
			nonce_check(&p, slice_make(buf, i), NOW, &info),
			NONCE_FORGED);
	buf[NONCE_LEN] = 'A';
	ck_assert_int_eq(
		nonce_check(&p, slice_make(buf, NONCE_LEN + 1), NOW, &info),
		NONCE_FORGED);
	ck_assert_int_eq(nonce_check(&p, n, NOW, &info), NONCE_OK);
}
END_TEST

START_TEST(a_short_key_makes_no_nonce)
{
	struct nonce_params p = params();
	struct test_entropy seed;
	struct entropy e = test_entropy(&seed, 1);
	char buf[NONCE_LEN];

	p.key.len = NONCE_KEY_MIN - 1;
	ck_assert_int_eq(nonce_make(&p, &e, NOW, buf), ERR_BAD);
}
END_TEST

static const struct {
	const char *text;
	int err;
	uint32_t value;
} count_rows[] = {
	{"00000001", 0, 1},
	{"0000000a", 0, 10},
	{"FFFFFFFF", 0, 4294967295U},
	{"00000000", ERR_BAD, 0},
	{"1", ERR_BAD, 0},
	{"000000001", ERR_BAD, 0},
	{"0000000g", ERR_BAD, 0},
	{"", ERR_BAD, 0},
	{"0x000001", ERR_BAD, 0},
};

START_TEST(a_nonce_count_is_eight_hexadecimal_digits)
{
	uint32_t v = 0;

	ck_assert_int_eq(nonce_count_parse(slice_str(count_rows[_i].text), &v),
			 count_rows[_i].err);
	ck_assert_uint_eq(v, count_rows[_i].value);
}
END_TEST

static struct nonce_info info_of(uint8_t id, uint64_t issued)
{
	return (struct nonce_info){
		.id = {id}, .issued_ms = issued, .expires_ms = issued + LIFE};
}

/* One nonce: counts in the order they arrive. */
static const struct {
	uint32_t nc;
	int err;
} use_rows[] = {
	{1, 0},
	{1, ERR_REPLAY},
	{3, 0},
	{2, 0},
	{2, ERR_REPLAY},
	{66, 0},
	{3, ERR_REPLAY},
	{4, 0},
	{4, ERR_REPLAY},
	{2, ERR_REPLAY},
	{65, 0},
	{200, 0},
	{136, ERR_REPLAY},
	{137, 0},
	{137, ERR_REPLAY},
	{200, ERR_REPLAY},
	{UINT32_MAX, 0},
	{UINT32_MAX, ERR_REPLAY},
	{UINT32_MAX - 63, 0},
	{UINT32_MAX - 64, ERR_REPLAY},
};

START_TEST(a_count_is_used_once_within_a_window_of_64)
{
	struct nonce_window *w = nonce_window_new(10, 1);
	struct nonce_info info = info_of(1, NOW);

	for (size_t i = 0; i < sizeof(use_rows) / sizeof(*use_rows); i++)
		ck_assert_msg(nonce_window_use(w, &info, use_rows[i].nc, NOW) ==
				      use_rows[i].err,
			      "row %zu", i);
	ck_assert_uint_eq(nonce_window_count(w), 1);
	w = nonce_window_free(w);
	ck_assert_ptr_null(w);
}
END_TEST

START_TEST(expired_nonces_make_room_first)
{
	struct nonce_window *w = nonce_window_new(2, 1);
	struct nonce_info a = info_of(1, NOW);
	struct nonce_info b = info_of(2, NOW + 1000);
	struct nonce_info c = info_of(3, NOW + LIFE);

	ck_assert_int_eq(nonce_window_use(w, &a, 1, NOW), 0);
	ck_assert_int_eq(nonce_window_use(w, &b, 1, NOW + 1000), 0);
	ck_assert_int_eq(nonce_window_use(w, &c, 1, NOW + LIFE), 0);
	ck_assert_uint_eq(nonce_window_count(w), 2);
	/* b is still known. */
	ck_assert_int_eq(nonce_window_use(w, &b, 1, NOW + LIFE), ERR_REPLAY);
	ck_assert_int_eq(nonce_window_use(w, &b, 2, NOW + LIFE), 0);
	/* a has expired. */
	ck_assert_int_eq(nonce_window_use(w, &a, 2, NOW + LIFE), ERR_STATE);
	nonce_window_free(w);
}
END_TEST

START_TEST(a_nonce_that_was_pushed_out_cannot_be_replayed)
{
	struct nonce_window *w = nonce_window_new(2, 1);
	struct nonce_info a = info_of(1, NOW);
	struct nonce_info b = info_of(2, NOW + 1);
	struct nonce_info c = info_of(3, NOW + 2);
	struct nonce_info old = info_of(4, NOW);

	ck_assert_int_eq(nonce_window_use(w, &b, 1, NOW + 5), 0);
	ck_assert_int_eq(nonce_window_use(w, &a, 1, NOW + 5), 0);
	ck_assert_int_eq(nonce_window_use(w, &c, 1, NOW + 5), 0);
	ck_assert_uint_eq(nonce_window_count(w), 2);
	ck_assert_int_eq(nonce_window_use(w, &a, 1, NOW + 5), ERR_STATE);
	ck_assert_int_eq(nonce_window_use(w, &a, 2, NOW + 5), ERR_STATE);
	/* Nor does one of the same age that was never seen come in. */
	ck_assert_int_eq(nonce_window_use(w, &old, 1, NOW + 5), ERR_STATE);
	ck_assert_int_eq(nonce_window_use(w, &b, 1, NOW + 5), ERR_REPLAY);
	ck_assert_int_eq(nonce_window_use(w, &c, 1, NOW + 5), ERR_REPLAY);
	nonce_window_free(w);
}
END_TEST

START_TEST(an_older_nonce_does_not_push_a_younger_one_out)
{
	struct nonce_window *w = nonce_window_new(1, 1);
	struct nonce_info young = info_of(1, NOW + 10);
	struct nonce_info old = info_of(2, NOW);

	ck_assert_int_eq(nonce_window_use(w, &young, 1, NOW + 20), 0);
	ck_assert_int_eq(nonce_window_use(w, &old, 1, NOW + 20), ERR_STATE);
	ck_assert_int_eq(nonce_window_use(w, &young, 2, NOW + 20), 0);
	nonce_window_free(w);
}
END_TEST

static void use_some(void *arg)
{
	struct nonce_window *w = nonce_window_new(4, 1);

	(void)arg;
	for (uint8_t i = 0; w && i < 6; i++) {
		struct nonce_info info = info_of(i, NOW + i);
		int err = nonce_window_use(w, &info, 1, NOW + 10);

		ck_assert(err == 0 || err == ERR_NOMEM);
		if (err == 0)
			ck_assert_int_eq(
				nonce_window_use(w, &info, 1, NOW + 10),
				ERR_REPLAY);
	}
	nonce_window_free(w);
}

START_TEST(a_window_survives_failing_memory)
{
	oom_sweep(use_some, NULL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("nonce");

	tcase_add_test(tc, a_nonce_is_good_until_its_lifetime_ends);
	tcase_add_test(tc, a_nonce_from_the_future_is_stale);
	tcase_add_test(tc, another_workers_nonce_is_stale);
	tcase_add_test(tc, a_nonce_of_another_boot_is_stale);
	tcase_add_test(tc, another_key_or_realm_makes_it_a_forgery);
	tcase_add_test(tc, a_change_of_any_character_makes_it_a_forgery);
	tcase_add_test(tc, a_short_key_makes_no_nonce);
	tcase_add_loop_test(tc, a_nonce_count_is_eight_hexadecimal_digits, 0,
			    ROWS(count_rows));
	tcase_add_test(tc, a_count_is_used_once_within_a_window_of_64);
	tcase_add_test(tc, expired_nonces_make_room_first);
	tcase_add_test(tc, a_nonce_that_was_pushed_out_cannot_be_replayed);
	tcase_add_test(tc, an_older_nonce_does_not_push_a_younger_one_out);
	tcase_add_test(tc, a_window_survives_failing_memory);
	return run_case("authn/nonce", tc);
}
