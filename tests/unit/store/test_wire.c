/* store/wire.c: what one side writes the other reads, and nothing else. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "store/store.h"
#include "store/wire.h"

static uint8_t buf[STORE_WIRE_MAX];

static struct slice request(enum store_op op, const char *blob)
{
	struct store_request q = {.op = op,
				  .id = 0x1122334455667788,
				  .user = slice_str("alice"),
				  .realm = slice_str("office"),
				  .blob = slice_str(blob)};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	store_request_write(&w, &q);
	return writer_slice(&w);
}

START_TEST(request_reads_as_written)
{
	struct store_request q;

	ck_assert_int_eq(store_request_read(request(STORE_OP_PUT, "blob"), &q),
			 0);
	ck_assert_int_eq(q.op, STORE_OP_PUT);
	ck_assert_uint_eq(q.id, 0x1122334455667788);
	ck_assert(slice_eqs(q.user, "alice"));
	ck_assert(slice_eqs(q.realm, "office"));
	ck_assert(slice_eqs(q.blob, "blob"));
}
END_TEST

START_TEST(blob_belongs_to_put_only)
{
	struct store_request q;

	ck_assert_int_eq(store_request_read(request(STORE_OP_GET, "x"), &q),
			 ERR_BAD);
	ck_assert_int_eq(store_request_read(request(STORE_OP_PUT, ""), &q),
			 ERR_BAD);
	ck_assert_int_eq(store_request_read(request(STORE_OP_GET, ""), &q), 0);
}
END_TEST

START_TEST(cut_longer_or_unknown_requests_are_refused)
{
	struct slice s = request(STORE_OP_PUT, "blob");
	struct store_request q;

	for (size_t n = 0; n < s.len; n++)
		ck_assert_int_eq(store_request_read(slice_sub(s, 0, n), &q),
				 ERR_BAD);
	buf[s.len] = 0;
	ck_assert_int_eq(store_request_read(slice_make(buf, s.len + 1), &q),
			 ERR_BAD);
	buf[0] = 0;
	ck_assert_int_eq(store_request_read(s, &q), ERR_BAD);
	buf[0] = 99;
	ck_assert_int_eq(store_request_read(s, &q), ERR_BAD);
}
END_TEST

START_TEST(names_at_their_limit_pass_and_beyond_are_refused)
{
	static uint8_t name[STORE_NAME_MAX + 1];
	struct store_request q = {.op = STORE_OP_GET};
	struct writer w;

	for (size_t extra = 0; extra < 2; extra++) {
		q.user = slice_make(name, STORE_NAME_MAX + extra);
		writer_init(&w, buf, sizeof(buf));
		store_request_write(&w, &q);
		ck_assert_int_eq(store_request_read(writer_slice(&w), &q),
				 extra ? ERR_BAD : 0);
	}
}
END_TEST

START_TEST(reply_reads_as_written)
{
	struct store_reply p = {.op = STORE_OP_GET,
				.id = 7,
				.status = ERR_NOTFOUND,
				.blob = slice_str("abc"),
				.is_last = true};
	struct store_reply q;
	struct slice s;
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	store_reply_write(&w, &p);
	s = writer_slice(&w);
	ck_assert_int_eq(store_reply_read(s, &q), 0);
	ck_assert_uint_eq(q.id, 7);
	ck_assert_int_eq(q.status, ERR_NOTFOUND);
	ck_assert(q.is_last);
	ck_assert(slice_eqs(q.blob, "abc"));
	for (size_t n = 0; n < s.len; n++)
		ck_assert_int_eq(store_reply_read(slice_sub(s, 0, n), &q),
				 ERR_BAD);
	buf[9] = 200; /* no such error */
	ck_assert_int_eq(store_reply_read(s, &q), ERR_BAD);
}
END_TEST

START_TEST(items_are_taken_one_by_one)
{
	struct store_item a = {slice_str("alice"), slice_str("office"), 1, 2};
	struct store_item b = {slice_str("bob"), slice_str("office"), 3, 4};
	struct store_item i;
	struct reader r;
	struct writer w;
	struct slice s;

	writer_init(&w, buf, sizeof(buf));
	store_item_write(&w, &a);
	store_item_write(&w, &b);
	s = writer_slice(&w);
	reader_init(&r, s);
	ck_assert(store_item_next(&r, &i));
	ck_assert(slice_eqs(i.user, "alice"));
	ck_assert(store_item_next(&r, &i));
	ck_assert(slice_eqs(i.user, "bob"));
	ck_assert_uint_eq(i.changed_s, 4);
	ck_assert(!store_item_next(&r, &i));
	ck_assert(reader_end(&r));
	reader_init(&r, slice_sub(s, 0, s.len - 1));
	ck_assert(store_item_next(&r, &i));
	ck_assert(!store_item_next(&r, &i));
	ck_assert(!reader_end(&r));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("messages");

	tcase_add_test(tc, request_reads_as_written);
	tcase_add_test(tc, blob_belongs_to_put_only);
	tcase_add_test(tc, cut_longer_or_unknown_requests_are_refused);
	tcase_add_test(tc, names_at_their_limit_pass_and_beyond_are_refused);
	tcase_add_test(tc, reply_reads_as_written);
	tcase_add_test(tc, items_are_taken_one_by_one);
	return run_case("store/wire", tc);
}
