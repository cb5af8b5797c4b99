/* Hexadecimal: RFC 4648 section 8. */
#include "lib/run.h"

#include "base/hex.h"

START_TEST(bytes_go_both_ways)
{
	static const uint8_t raw[] = {0x00, 0x0f, 0xf0, 0xab, 0xff};
	uint8_t back[5];
	char out[11] = "";
	struct writer w;

	writer_init(&w, out, sizeof(out) - 1);
	hex_encode(&w, slice_make(raw, sizeof(raw)));
	ck_assert_str_eq(out, "000ff0abff");
	ck_assert_int_eq(hex_decode(slice_str("000Ff0ABff"), back, 5), 0);
	ck_assert_mem_eq(back, raw, 5);
	ck_assert_int_eq(hex_decode(SLICE_NULL, back, 0), 0);
}
END_TEST

static const char *const bad[] = {"",	    "0",      "00ff0",	"00ff00f",
				  "00ff0g", "00 f00", "0x00ff", "00ff00ff"};

START_TEST(other_text_or_length_is_refused)
{
	uint8_t back[3];

	ck_assert_int_eq(hex_decode(slice_str(bad[_i]), back, 3), ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("hex");

	tcase_add_test(tc, bytes_go_both_ways);
	tcase_add_loop_test(tc, other_text_or_length_is_refused, 0, ROWS(bad));
	return run_case("base/hex", tc);
}
