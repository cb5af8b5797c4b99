/* Messages of the media channel. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "media/wire.h"

static uint8_t buf[MEDIA_WIRE_MAX];

static struct flow sample(uint64_t id)
{
	struct flow f = {.id = id, .peer_id = 3 - id};

	f.local = (struct addr){ADDR_V6, {0xfe, 0x80}, 40000};
	f.remote = f.remote_rtcp = f.local;
	f.in.suite = f.out.suite = SUITE_AES_256_CM_HMAC_SHA1_80;
	f.in.mki_len = f.out.mki_len = 4;
	return f;
}

/* Each request once, at its largest. */
static struct slice request(int op)
{
	struct flow f[2] = {sample(1), sample(2)};
	uint64_t ids[MEDIA_WIRE_STATS_MAX] = {5, 6};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	switch (op) {
	case MEDIA_OP_ADD:
		media_wire_add(&w, 77, f, 2);
		break;
	case MEDIA_OP_UPDATE:
		media_wire_update(&w, 77, f);
		break;
	case MEDIA_OP_DEL:
		media_wire_del(&w, 77, 5);
		break;
	case MEDIA_OP_QUERY:
		media_wire_query(&w, 77, 5);
		break;
	case MEDIA_OP_FLUSH:
		media_wire_flush(&w, 77);
		break;
	default:
		media_wire_stats(&w, 77, ids, MEDIA_WIRE_STATS_MAX);
		break;
	}
	ck_assert(writer_ok(&w));
	return writer_slice(&w);
}

START_TEST(every_request_is_read_as_written)
{
	static const uint32_t flows[] = {0, 2, 1, 0, 0, 0, 0};
	static const uint32_t ids[] = {0, 0, 0, 1, 1, 0, MEDIA_WIRE_STATS_MAX};
	struct media_request rq;

	ck_assert_int_eq(media_wire_read_request(request(_i), &rq), 0);
	ck_assert_int_eq(rq.op, _i);
	ck_assert_uint_eq(rq.req, 77);
	ck_assert_uint_eq(rq.flow_count, flows[_i]);
	ck_assert_uint_eq(rq.id_count, ids[_i]);
	if (rq.flow_count > 0)
		ck_assert_uint_eq(rq.flow[0].id, 1);
	if (rq.id_count > 0)
		ck_assert_uint_eq(rq.id[0], 5);
}
END_TEST

START_TEST(a_request_cut_or_with_a_tail_is_refused)
{
	struct slice s = request(_i);
	struct media_request rq;

	for (size_t len = 0; len < s.len; len++)
		ck_assert_int_eq(
			media_wire_read_request(slice_sub(s, 0, len), &rq),
			ERR_BAD);
	buf[s.len] = 0;
	ck_assert_int_eq(
		media_wire_read_request(slice_make(buf, s.len + 1), &rq),
		ERR_BAD);
}
END_TEST

START_TEST(counts_outside_their_range_are_refused)
{
	struct media_request rq;
	struct slice s = request(MEDIA_OP_ADD);

	buf[5] = 0;
	ck_assert_int_eq(media_wire_read_request(s, &rq), ERR_BAD);
	buf[5] = 3;
	ck_assert_int_eq(media_wire_read_request(s, &rq), ERR_BAD);
	s = request(MEDIA_OP_STATS);
	buf[5] = MEDIA_WIRE_STATS_MAX + 1;
	ck_assert_int_eq(media_wire_read_request(s, &rq), ERR_BAD);
	buf[0] = 7;
	ck_assert_int_eq(media_wire_read_request(s, &rq), ERR_BAD);
}
END_TEST

START_TEST(answers_are_read_as_written)
{
	static struct media_reply r;
	struct flow_stats st[MEDIA_WIRE_STATS_MAX] = {{.id = 1}};
	struct writer w;

	st[MEDIA_WIRE_STATS_MAX - 1].replay = 42;
	writer_init(&w, buf, sizeof(buf));
	media_wire_answer(&w, 9, ERR_LIMIT, st, MEDIA_WIRE_STATS_MAX);
	ck_assert(writer_ok(&w));
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &r), 0);
	ck_assert(!r.is_event);
	ck_assert_uint_eq(r.req, 9);
	ck_assert_int_eq(r.err, ERR_LIMIT);
	ck_assert_uint_eq(r.stats_count, MEDIA_WIRE_STATS_MAX);
	ck_assert_uint_eq(r.stats[MEDIA_WIRE_STATS_MAX - 1].replay, 42);
	for (size_t len = 0; len < w.len; len++)
		ck_assert_int_eq(
			media_wire_read_reply(slice_make(buf, len), &r),
			ERR_BAD);
}
END_TEST

START_TEST(events_are_read_as_written)
{
	static struct media_reply r;
	struct media_event e = {.kind = MEDIA_EVENT_LATCHED,
				.owner = 5,
				.flow = 6,
				.addr = {ADDR_V4, {1, 2, 3, 4}, 5}};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	media_wire_event(&w, &e);
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &r), 0);
	ck_assert(r.is_event);
	ck_assert_int_eq(r.event.kind, MEDIA_EVENT_LATCHED);
	ck_assert_uint_eq(r.event.flow, 6);
	ck_assert(addr_eq(&r.event.addr, &e.addr));
	ck_assert_int_eq(r.event.key.suite, SUITE_NONE);
	buf[1] = MEDIA_EVENT_PARTED + 1;
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &r), ERR_BAD);
	buf[0] = 1;
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &r), ERR_BAD);
}
END_TEST

START_TEST(a_join_brings_the_far_phones_key)
{
	static struct media_reply r;
	struct media_event e = {.kind = MEDIA_EVENT_JOINED,
				.flow = 6,
				.security = 2,
				.is_rolled = true,
				.key = {.suite = SUITE_AEAD_AES_256_GCM}};
	struct writer w;

	memset(e.key.key, 7, 32);
	writer_init(&w, buf, sizeof(buf));
	media_wire_event(&w, &e);
	ck_assert_int_eq(media_wire_read_reply(writer_slice(&w), &r), 0);
	ck_assert_uint_eq(r.event.security, 2);
	ck_assert(flow_key_eq(&r.event.key, &e.key));
	ck_assert(r.event.is_rolled);
	media_reply_wipe(&r);
	ck_assert_uint_eq(r.event.key.key[0], 0);
	for (size_t len = 0; len < w.len; len++)
		ck_assert_int_eq(
			media_wire_read_reply(slice_make(buf, len), &r),
			ERR_BAD);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("wire");

	tcase_add_loop_test(t, every_request_is_read_as_written, MEDIA_OP_ADD,
			    MEDIA_OP_STATS + 1);
	tcase_add_loop_test(t, a_request_cut_or_with_a_tail_is_refused,
			    MEDIA_OP_ADD, MEDIA_OP_STATS + 1);
	tcase_add_test(t, counts_outside_their_range_are_refused);
	tcase_add_test(t, answers_are_read_as_written);
	tcase_add_test(t, events_are_read_as_written);
	tcase_add_test(t, a_join_brings_the_far_phones_key);
	return run_case("wire", t);
}
