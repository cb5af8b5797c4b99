/* Names that tell strangers nothing: RFC 5297 section 2.6 is the shape. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "authn/cover.h"
#include "base/text.h"

static const char secret[] = "0123456789abcdef0123456789abcdef";

static struct slice key_of(const char *text, uint8_t *buf)
{
	ck_assert_int_eq(cover_key(slice_str(text), buf), 0);
	return slice_make(buf, COVER_KEY_LEN);
}

static struct slice put(struct slice key, struct slice name, uint8_t *buf,
			size_t cap)
{
	struct writer w;

	writer_init(&w, buf, cap);
	ck_assert_int_eq(cover_put(&w, key, name), 0);
	ck_assert(writer_ok(&w));
	return writer_slice(&w);
}

START_TEST(what_is_covered_is_a_token_and_comes_back)
{
	static uint8_t name[COVER_NAME_MAX];
	uint8_t kb[COVER_KEY_LEN], text[1024], back[1024];
	struct slice key = key_of(secret, kb);

	memset(name, '@', sizeof(name));
	for (size_t len = 1; len <= sizeof(name); len++) {
		struct slice s = slice_make(name, len);
		struct slice t = put(key, s, text, sizeof(text));
		struct writer w;

		ck_assert(text_all_token(t));
		writer_init(&w, back, sizeof(back));
		ck_assert_int_eq(cover_open(&w, key, t), 0);
		ck_assert(slice_eq(writer_slice(&w), s));
	}
}
END_TEST

START_TEST(one_name_has_one_cover_and_two_have_two)
{
	uint8_t kb[COVER_KEY_LEN], a[256], b[256];
	struct slice key = key_of(secret, kb);
	struct slice one = put(key, slice_str("x@10.0.0.2"), a, sizeof(a));

	ck_assert(
		slice_eq(one, put(key, slice_str("x@10.0.0.2"), b, sizeof(b))));
	ck_assert(!slice_eq(one,
			    put(key, slice_str("x@10.0.0.3"), b, sizeof(b))));
	/* Nothing of it shows, not even in the part that differs nowhere. */
	ck_assert(!slice_eq(
		slice_sub(one, 4, 16),
		slice_sub(put(key, slice_str("x@10.0.0.3"), b, sizeof(b)), 4,
			  16)));
}
END_TEST

START_TEST(what_was_not_made_under_this_key_is_no_name)
{
	uint8_t kb[COVER_KEY_LEN], ko[COVER_KEY_LEN], text[256], back[256];
	struct slice key = key_of(secret, kb);
	struct slice other = key_of("another 89abcdef0123456789abcdef", ko);
	struct slice t = put(key, slice_str("call-1"), text, sizeof(text));
	struct writer w;

	writer_init(&w, back, sizeof(back));
	ck_assert_int_eq(cover_open(&w, other, t), ERR_BAD);
	for (size_t i = 0; i < t.len; i++) {
		text[i] ^= 1;
		ck_assert_int_eq(cover_open(&w, key, t), ERR_BAD);
		text[i] ^= 1;
		ck_assert_int_eq(cover_open(&w, key, slice_sub(t, 0, i)),
				 ERR_BAD);
	}
	ck_assert_int_eq(cover_open(&w, key, slice_str("call-1")), ERR_BAD);
	ck_assert_int_eq(cover_open(&w, key, SLICE_NULL), ERR_BAD);
	ck_assert_uint_eq(w.len, 0);
	ck_assert_int_eq(cover_open(&w, key, t), 0);
}
END_TEST

START_TEST(names_have_a_length)
{
	static uint8_t name[COVER_NAME_MAX + 1];
	uint8_t kb[COVER_KEY_LEN], text[1024];
	struct slice key = key_of(secret, kb);
	struct writer w;

	memset(name, 'n', sizeof(name));
	writer_init(&w, text, sizeof(text));
	ck_assert_int_eq(cover_put(&w, key, SLICE_NULL), ERR_LIMIT);
	ck_assert_int_eq(cover_put(&w, key, slice_make(name, sizeof(name))),
			 ERR_LIMIT);
	ck_assert_int_eq(cover_key(slice_str("short"), kb), ERR_BAD);
	memset(text, 'A', sizeof(text));
	memcpy(text, "spn.", 4);
	writer_init(&w, name, sizeof(name));
	ck_assert_int_eq(cover_open(&w, key, slice_make(text, sizeof(text))),
			 ERR_BAD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("authn/cover");
	TCase *t = tcase_create("names");
	SRunner *r;
	int failed;

	tcase_add_test(t, what_is_covered_is_a_token_and_comes_back);
	tcase_add_test(t, one_name_has_one_cover_and_two_have_two);
	tcase_add_test(t, what_was_not_made_under_this_key_is_no_name);
	tcase_add_test(t, names_have_a_length);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
