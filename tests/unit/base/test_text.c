/* Text on slices. */
#include "lib/run.h"

#include "base/text.h"

START_TEST(token_characters_are_those_of_rfc_3261)
{
	/* section 25.1: token */
	const char *extra = "-.!%*_+`'~";

	for (unsigned c = 0; c < 256; c++) {
		bool want = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			    (c >= 'A' && c <= 'Z') ||
			    (c != 0 && c < 128 && strchr(extra, (int)c));

		ck_assert_int_eq(text_is_token((uint8_t)c), want);
	}
	ck_assert(text_all_token(slice_str("z9hG4bK-x.1")));
	ck_assert(!text_all_token(slice_str("a b")));
	ck_assert(!text_all_token(SLICE_NULL));
}
END_TEST

START_TEST(case_is_ignored_for_ascii_letters_only)
{
	ck_assert(text_ieqs(slice_str("InViTe"), "iNVItE"));
	ck_assert(!text_ieqs(slice_str("INVITE"), "INVIT"));
	ck_assert(!text_ieqs(slice_str("@[`{"), "`{@["));
	ck_assert(!text_ieqs(slice_str("\xc4"), "\xe4"));
	ck_assert(text_ieq(SLICE_NULL, SLICE_NULL));
	ck_assert_uint_eq(text_ihash(slice_str("ABC"), 1),
			  text_ihash(slice_str("abc"), 1));
	ck_assert_uint_ne(text_ihash(slice_str("abc"), 1),
			  text_ihash(slice_str("abc"), 2));
}
END_TEST

START_TEST(blanks_are_trimmed_at_both_ends)
{
	ck_assert(slice_eqs(text_trim(slice_str(" \t\r\na b\r\n")), "a b"));
	ck_assert_uint_eq(text_trim(slice_str(" \t ")).len, 0);
	ck_assert_uint_eq(text_trim(SLICE_NULL).len, 0);
}
END_TEST

START_TEST(a_text_is_cut_at_the_first_hit)
{
	struct slice head, tail;

	ck_assert(text_cut(slice_str("a:b:c"), ':', &head, &tail));
	ck_assert(slice_eqs(head, "a"));
	ck_assert(slice_eqs(tail, "b:c"));
	ck_assert(text_cut(slice_str("a:"), ':', &head, &tail));
	ck_assert_uint_eq(tail.len, 0);
	ck_assert(!text_cut(slice_str("abc"), ':', &head, &tail));
	ck_assert(slice_eqs(head, "abc"));
	ck_assert_uint_eq(tail.len, 0);
	ck_assert(!text_cut(SLICE_NULL, ':', NULL, NULL));
	tail = slice_str("x=1;y");
	ck_assert(text_cut(tail, ';', &head, &tail)); /* in place */
	ck_assert(slice_eqs(tail, "y"));
}
END_TEST

static const struct {
	const char *list;
	const char *item[5];
} list_rows[] = {
	{"a,b , c", {"a", "b", "c"}},
	{"", {NULL}},
	{",", {""}},
	{"a,,b", {"a", "", "b"}},
	{"\"x,y\", <sip:a,b>;q=1,c", {"\"x,y\"", "<sip:a,b>;q=1", "c"}},
	{"\"a\\\",b\",c", {"\"a\\\",b\"", "c"}},
	{"\"open,a", {"\"open,a"}},
	{"<open,a", {"<open,a"}},
	{"\"a<\",b", {"\"a<\"", "b"}},
	{"<a\">,b", {"<a\">", "b"}},
	{"\"end\\", {"\"end\\"}},
};

START_TEST(a_list_is_split_as_its_row_says)
{
	struct slice rest = slice_str(list_rows[_i].list);
	struct slice item;

	for (size_t i = 0; list_rows[_i].item[i]; i++) {
		ck_assert(text_next(&rest, ',', &item));
		ck_assert_msg(slice_eqs(item, list_rows[_i].item[i]), "'%.*s'",
			      SLICE_FMT(item));
	}
	ck_assert(!text_next(&rest, ',', &item));
}
END_TEST

START_TEST(a_needle_is_found_or_not)
{
	ck_assert_int_eq(text_find(slice_str("abcabc"), "ca"), 2);
	ck_assert_int_eq(text_find(slice_str("abc"), "abc"), 0);
	ck_assert_int_eq(text_find(slice_str("abc"), "abcd"), -1);
	ck_assert_int_eq(text_find(slice_str("abc"), ""), -1);
	ck_assert_int_eq(text_find(SLICE_NULL, "a"), -1);
}
END_TEST

static const struct {
	const char *text;
	uint64_t max;
	int err;
	uint64_t value;
} dec_rows[] = {
	{"0", 10, 0, 0},
	{"007", 10, 0, 7},
	{"10", 10, 0, 10},
	{"11", 10, ERR_LIMIT, 0},
	{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
	{"18446744073709551616", UINT64_MAX, ERR_LIMIT, 0},
	{"99999999999999999999999", UINT64_MAX, ERR_LIMIT, 0},
	{"99999999999999999999x", UINT64_MAX, ERR_BAD, 0},
	{"", 10, ERR_BAD, 0},
	{"-1", 10, ERR_BAD, 0},
	{"+1", 10, ERR_BAD, 0},
	{" 1", 10, ERR_BAD, 0},
	{"1 ", 10, ERR_BAD, 0},
	{"0x1", 10, ERR_BAD, 0},
};

START_TEST(decimals_are_strict)
{
	uint64_t v = 0;

	ck_assert_int_eq(
		text_dec(slice_str(dec_rows[_i].text), dec_rows[_i].max, &v),
		dec_rows[_i].err);
	ck_assert_uint_eq(v, dec_rows[_i].value);
}
END_TEST

START_TEST(a_copy_needs_room_for_its_nul)
{
	char buf[4] = "zzz";

	ck_assert_int_eq(text_copy(slice_str("abc"), buf, 4), 0);
	ck_assert_str_eq(buf, "abc");
	ck_assert_int_eq(text_copy(slice_str("abcd"), buf, 4), ERR_SPACE);
	ck_assert_int_eq(text_copy(slice_make("a\0b", 3), buf, 4), ERR_BAD);
	ck_assert_int_eq(text_copy(SLICE_NULL, buf, 0), ERR_SPACE);
	ck_assert_int_eq(text_copy(SLICE_NULL, buf, 1), 0);
	ck_assert_str_eq(buf, "");
}
END_TEST

START_TEST(slices_clamp_and_compare)
{
	struct slice s = SLICE("hello");

	ck_assert(slice_eqs(slice_sub(s, 1, 3), "ell"));
	ck_assert(slice_eqs(slice_sub(s, 3, 99), "lo"));
	ck_assert_uint_eq(slice_sub(s, 99, 1).len, 0);
	ck_assert(slice_eqs(slice_from(s, 4), "o"));
	ck_assert_uint_eq(slice_from(SLICE_NULL, 4).len, 0);
	ck_assert(slice_starts(s, "hell"));
	ck_assert(slice_starts(s, ""));
	ck_assert(!slice_starts(s, "hello!"));
	ck_assert(slice_starts(SLICE_NULL, ""));
	ck_assert_uint_eq(slice_str(NULL).len, 0);
	ck_assert(slice_eq(SLICE_NULL, slice_str("")));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("text");

	tcase_add_test(tc, token_characters_are_those_of_rfc_3261);
	tcase_add_test(tc, case_is_ignored_for_ascii_letters_only);
	tcase_add_test(tc, blanks_are_trimmed_at_both_ends);
	tcase_add_test(tc, a_text_is_cut_at_the_first_hit);
	tcase_add_loop_test(tc, a_list_is_split_as_its_row_says, 0,
			    ROWS(list_rows));
	tcase_add_test(tc, a_needle_is_found_or_not);
	tcase_add_loop_test(tc, decimals_are_strict, 0, ROWS(dec_rows));
	tcase_add_test(tc, a_copy_needs_room_for_its_nul);
	tcase_add_test(tc, slices_clamp_and_compare);
	return run_case("base/text", tc);
}
