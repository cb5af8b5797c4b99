/* Base64: RFC 4648 section 4, and what phones make of it. */
#include "lib/run.h"

#include "base/b64.h"

/* RFC 4648 section 10, and all 64 characters. */
static const struct {
	const char *plain, *text;
} vectors[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xef\xbe\xff\xff\xff", "++++////"},
};

START_TEST(vectors_go_both_ways_with_and_without_padding)
{
	char out[16] = "";
	uint8_t in[16];
	struct slice text = slice_str(vectors[_i].text);
	size_t len = 99;
	struct writer w;

	writer_init(&w, out, sizeof(out) - 1);
	b64_encode(&w, slice_str(vectors[_i].plain));
	ck_assert_str_eq(out, vectors[_i].text);
	ck_assert_int_eq(b64_decode(text, in, sizeof(in), &len), 0);
	ck_assert(slice_eqs(slice_make(in, len), vectors[_i].plain));
	while (text.len > 0 && text.ptr[text.len - 1] == '=')
		text.len--;
	ck_assert_int_eq(b64_decode(text, in, sizeof(in), &len), 0);
	ck_assert(slice_eqs(slice_make(in, len), vectors[_i].plain));
}
END_TEST

static const char *const bad[] = {
	"A",	"A===", "====", "=",	  "Zg=",  "Zm9v=", "Zm9v==", "Zg==Zg==",
	"Zm 9", "Zm9-", "Zm9_", "Zm9v\n", "Zh==", "Zm9=",  "Zh",     "Zm9"};

START_TEST(other_text_is_refused)
{
	uint8_t in[16];
	size_t len;

	ck_assert_msg(b64_decode(slice_str(bad[_i]), in, sizeof(in), &len) ==
			      ERR_BAD,
		      "%s", bad[_i]);
}
END_TEST

START_TEST(a_buffer_must_hold_all_of_it)
{
	uint8_t in[3];
	size_t len = 99;

	ck_assert_int_eq(b64_decode(slice_str("Zm9v"), in, 2, &len), ERR_SPACE);
	ck_assert_uint_eq(len, 99);
	ck_assert_int_eq(b64_decode(slice_str("Zm9v"), in, 3, &len), 0);
	ck_assert_int_eq(b64_decode(SLICE_NULL, in, 0, &len), 0);
	ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(every_byte_survives)
{
	uint8_t plain[256], back[256];
	char text[400];
	struct writer w;
	size_t len;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)i;
	for (size_t n = 0; n <= sizeof(plain); n++) {
		writer_init(&w, text, sizeof(text));
		b64_encode(&w, slice_make(plain, n));
		ck_assert_int_eq(
			b64_decode(writer_slice(&w), back, sizeof(back), &len),
			0);
		ck_assert_uint_eq(len, n);
		ck_assert_mem_eq(back, plain, n);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("RFC 4648");

	tcase_add_loop_test(tc, vectors_go_both_ways_with_and_without_padding,
			    0, ROWS(vectors));
	tcase_add_loop_test(tc, other_text_is_refused, 0, ROWS(bad));
	tcase_add_test(tc, a_buffer_must_hold_all_of_it);
	tcase_add_test(tc, every_byte_survives);
	return run_case("base/b64", tc);
}
