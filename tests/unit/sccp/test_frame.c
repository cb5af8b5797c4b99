/* Cutting a stream into messages. */
#include <check.h>
#include <stdlib.h>

#include "base/writer.h"
#include "lib/run.h"
#include "sccp/frame.h"

static uint8_t buf[2 * SCCP_PDU_MAX];

static struct slice put(struct writer *w, uint32_t length, uint32_t version)
{
	writer_u32le(w, length);
	writer_u32le(w, version);
	writer_u32le(w, 0x12345678);
	while (w->len % (length + 8) != 0)
		writer_u8(w, (uint8_t)w->len);
	return writer_slice(w);
}

START_TEST(a_message_ends_where_its_length_says)
{
	struct writer w;
	struct slice s;
	struct sccp_pdu p;

	writer_init(&w, buf, sizeof(buf));
	(void)put(&w, 20, 17);
	s = put(&w, 20, 17);
	for (size_t n = 0; n < 28; n++)
		ck_assert_int_eq(sccp_frame(slice_sub(s, 0, n), 4096, &p),
				 ERR_MORE);
	for (size_t n = 28; n <= s.len; n++) {
		ck_assert_int_eq(sccp_frame(slice_sub(s, 0, n), 4096, &p), 0);
		ck_assert_uint_eq(p.bytes.len, 28);
		ck_assert_uint_eq(p.version, 17);
		ck_assert_uint_eq(p.id, 0x12345678);
	}
}
END_TEST

static const struct {
	uint32_t length, version;
	size_t limit;
	int err;
} heads[] = {
	{4, 0, 4096, 0},
	{3, 0, 4096, ERR_BAD},
	{0, 0, 4096, ERR_BAD},
	{4, 22, 4096, 0},
	{4, 23, 4096, ERR_BAD},
	{4, 0xffffffff, 4096, ERR_BAD},
	{4088, 0, 4096, 0},
	{4089, 0, 4096, ERR_LIMIT},
	{100, 0, 108, 0},
	{101, 0, 108, ERR_LIMIT},
	{0xffffffff, 0, 4096, ERR_LIMIT},
	{0xfffffff8, 0, 4096, ERR_LIMIT},
};

START_TEST(a_header_that_cannot_be_one_is_refused_at_once)
{
	struct sccp_pdu p;
	struct writer w;
	int err;

	memset(buf, 0, sizeof(buf));
	writer_init(&w, buf, sizeof(buf));
	writer_u32le(&w, heads[_i].length);
	writer_u32le(&w, heads[_i].version);
	err = sccp_frame(slice_make(buf, sizeof(buf)), heads[_i].limit, &p);
	ck_assert_int_eq(err, heads[_i].err);
	/* As soon as the eight bytes are there. */
	err = sccp_frame(slice_make(buf, 8), heads[_i].limit, &p);
	ck_assert_int_eq(err, heads[_i].err ? heads[_i].err : ERR_MORE);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("frame");

	tcase_add_test(tc, a_message_ends_where_its_length_says);
	tcase_add_loop_test(tc, a_header_that_cannot_be_one_is_refused_at_once,
			    0, ROWS(heads));
	return run_case("sccp/frame", tc);
}
