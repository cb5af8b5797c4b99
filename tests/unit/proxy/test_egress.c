/* Stage 8 against a recorder: order, parking, refusal, time. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "proxy/egress.h"
#include "lib/run.h"

struct recorder {
	char log[1024];
	int add_err;
	uint32_t number; /* of the last flow_add */
};

static void note(struct recorder *r, const char *text, uint64_t v)
{
	size_t len = strlen(r->log);

	(void)snprintf(r->log + len, sizeof(r->log) - len, "%s%llu ", text,
		       (unsigned long long)v);
}

static void rec_send(void *ctx, const struct dest *to, struct slice bytes)
{
	(void)to;
	note(ctx, "send", bytes.ptr[0]);
}

static void rec_close(void *ctx, struct handle ep)
{
	note(ctx, "close", ep.index);
}

static int rec_add(void *ctx, uint32_t number, const struct flow f[2])
{
	struct recorder *r = ctx;

	if (r->add_err)
		return r->add_err;
	r->number = number;
	note(r, "add", f[0].id);
	return 0;
}

static void rec_update(void *ctx, const struct flow *f)
{
	note(ctx, "update", f->id);
}

static void rec_del(void *ctx, uint64_t id)
{
	note(ctx, "del", id);
}

static void rec_record(void *ctx, const struct action *a)
{
	note(ctx, "record", a->record);
}

static struct egress *make(struct recorder *r)
{
	struct egress_cb cb = {.send = rec_send,
			       .close = rec_close,
			       .flow_add = rec_add,
			       .flow_update = rec_update,
			       .flow_del = rec_del,
			       .record = rec_record,
			       .ctx = r};
	struct egress *e = egress_new(&cb, 1);

	ck_assert_ptr_nonnull(e);
	return e;
}

/* Append an action of call: 'a'dd flows n and 100 + n, 'A': that stream alone,
 * 's'end byte n and a media line over SIP, 'b'yte n only, 'k' so over Skinny,
 * 'u'pdate, 'd'elete, 'r'ecord. */
static void act(struct actions *a, uint64_t call, char what, uint8_t n)
{
	struct action x = {.call = call};
	uint8_t sdp[] = "N\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\n";

	x.flow[0].id = n;
	x.flow[0].call = call;
	x.flow[1].id = 100 + n;
	x.is_alone = what == 'A';
	sdp[0] = n;
	x.bytes = slice_make(sdp, what == 's' ? sizeof(sdp) - 1 : 1);
	x.kind = what == 'a' || what == 'A'   ? ACTION_FLOW_ADD
		 : what == 's' || what == 'b' ? ACTION_SIP_SEND
		 : what == 'k'		      ? ACTION_SCCP_SEND
		 : what == 'u'		      ? ACTION_FLOW_UPDATE
		 : what == 'd'		      ? ACTION_FLOW_DEL
					      : ACTION_RECORD;
	ck_assert_int_eq(actions_add(a, &x), 0);
}

START_TEST(sends_of_a_call_wait_for_its_flows_others_do_not)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};

	act(&a, 7, 's', 1);
	act(&a, 7, 'a', 2);
	act(&a, 7, 's', 3);
	act(&a, 8, 's', 4);
	act(&a, 0, 's', 5);
	egress_run(e, &a, 100);
	ck_assert_str_eq(r.log, "send1 add2 send4 send5 ");
	ck_assert_uint_eq(egress_waiting(e), 1);
	act(&a, 7, 'u', 6);
	egress_run(e, &a, 110);
	egress_answer(e, r.number, 0, 120);
	ck_assert_str_eq(r.log, "send1 add2 send4 send5 send3 update6 ");
	ck_assert_uint_eq(egress_waiting(e), 0);
	ck_assert_uint_eq(egress_deadline(e), UINT64_MAX);
	egress_free(e);
}
END_TEST

START_TEST(a_second_addition_in_the_rest_waits_anew)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};

	act(&a, 7, 'a', 1);
	act(&a, 7, 'a', 2);
	act(&a, 7, 's', 3);
	egress_run(e, &a, 0);
	egress_answer(e, r.number, 0, 10);
	ck_assert_str_eq(r.log, "add1 add2 ");
	egress_answer(e, r.number, 0, 20);
	ck_assert_str_eq(r.log, "add1 add2 send3 ");
	egress_free(e);
}
END_TEST

START_TEST(refused_flows_drop_the_sends_and_are_told_once)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'a', 1);
	act(&a, 7, 's', 2);
	act(&a, 7, 'r', 0);
	egress_run(e, &a, 0);
	egress_answer(e, r.number, ERR_LIMIT, 10);
	ck_assert(egress_next_failed(e, 0, &call, &flow));
	ck_assert_uint_eq(call, 7);
	ck_assert_uint_eq(flow, 1);
	ck_assert(!egress_next_failed(e, 0, &call, &flow));
	ck_assert_str_eq(r.log, "add1 del1 del101 record0 ");
	/* Now the call may speak again: its 503. */
	act(&a, 7, 's', 9);
	egress_run(e, &a, 11);
	ck_assert_str_eq(r.log, "add1 del1 del101 record0 send9 ");
	egress_free(e);
}
END_TEST

START_TEST(what_has_no_media_line_is_sent_after_a_refusal)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'a', 1);
	act(&a, 7, 's', 2); /* the offer with the new stream */
	act(&a, 7, 'b', 3); /* 200 to the BYE of one side, the other's BYE */
	act(&a, 7, 'b', 4);
	egress_run(e, &a, 0);
	egress_answer(e, r.number, ERR_LIMIT, 10);
	/* Said between the refusal and its telling. */
	act(&a, 7, 's', 5);
	act(&a, 7, 'b', 6);
	egress_run(e, &a, 10);
	ck_assert_str_eq(r.log, "add1 ");
	ck_assert(egress_next_failed(e, 10, &call, &flow));
	ck_assert_str_eq(r.log, "add1 del1 del101 send3 send4 send6 ");
	ck_assert_uint_eq(egress_waiting(e), 0);
	egress_free(e);
}
END_TEST

START_TEST(silence_of_the_media_process_is_a_refusal_after_200_ms)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'a', 1);
	act(&a, 7, 's', 2);
	egress_run(e, &a, 1000);
	ck_assert_uint_eq(egress_deadline(e), 1000 + EGRESS_MEDIA_MS);
	egress_expire(e, 1000 + EGRESS_MEDIA_MS - 1);
	ck_assert(!egress_next_failed(e, 0, &call, &flow));
	egress_expire(e, 1000 + EGRESS_MEDIA_MS);
	ck_assert(egress_next_failed(e, 0, &call, &flow));
	/* A late answer finds nobody. */
	egress_answer(e, r.number, 0, 1300);
	ck_assert_str_eq(r.log, "add1 del1 del101 ");
	egress_free(e);
}
END_TEST

START_TEST(a_request_that_cannot_be_made_fails_at_once)
{
	struct recorder r = {.add_err = ERR_CLOSED};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'a', 1);
	act(&a, 7, 's', 2);
	egress_run(e, &a, 0);
	ck_assert(egress_next_failed(e, 0, &call, &flow));
	ck_assert_str_eq(r.log, "del1 del101 ");
	egress_free(e);
}
END_TEST

START_TEST(the_media_process_s_death_fails_every_waiting_call)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;
	int n = 0;

	for (uint8_t i = 1; i <= 9; i++)
		act(&a, i, 'a', i);
	egress_run(e, &a, 0);
	egress_media_down(e);
	while (egress_next_failed(e, 0, &call, &flow))
		n++;
	ck_assert_int_eq(n, 9);
	egress_free(e);
}
END_TEST

START_TEST(a_call_that_floods_while_it_waits_fails)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'a', 1);
	for (int i = 0; i < EGRESS_PARKED_MAX; i++)
		act(&a, 7, 's', 2);
	egress_run(e, &a, 0);
	ck_assert(!egress_next_failed(e, 0, &call, &flow));
	act(&a, 7, 's', 2);
	egress_run(e, &a, 0);
	ck_assert(egress_next_failed(e, 0, &call, &flow));
	egress_free(e);
}
END_TEST

START_TEST(a_refused_stream_leaves_the_others_of_its_phone_whole)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'A', 1);
	act(&a, 7, 'u', 1); /* of the stream that fails: nobody has it */
	act(&a, 7, 'u', 101);
	act(&a, 7, 'u', 5); /* of another one */
	act(&a, 7, 'k', 6);
	act(&a, 7, 'A', 2);
	act(&a, 7, 'u', 2);
	act(&a, 7, 'k', 8);
	egress_run(e, &a, 0);
	egress_answer(e, r.number, ERR_LIMIT, 10);
	/* Said between the refusal and its telling. */
	act(&a, 7, 'A', 3);
	act(&a, 7, 'u', 5);
	egress_run(e, &a, 10);
	ck_assert_uint_eq(egress_deadline(e), 0);
	ck_assert(egress_next_failed(e, 10, &call, &flow));
	ck_assert_uint_eq(flow, 1);
	ck_assert(!egress_next_failed(e, 10, &call, &flow));
	ck_assert_str_eq(r.log, "add1 del1 del101 update5 send6 add2 ");
	ck_assert_uint_eq(egress_deadline(e), 10 + EGRESS_MEDIA_MS);
	egress_answer(e, r.number, 0, 20);
	ck_assert_str_eq(r.log, "add1 del1 del101 update5 send6 add2 "
				"update2 send8 add3 ");
	egress_answer(e, r.number, ERR_LIMIT, 30);
	ck_assert(egress_next_failed(e, 30, &call, &flow));
	ck_assert_uint_eq(flow, 3);
	ck_assert_str_eq(r.log, "add1 del1 del101 update5 send6 add2 "
				"update2 send8 add3 del3 del103 update5 ");
	ck_assert_uint_eq(egress_waiting(e), 0);
	egress_free(e);
}
END_TEST

START_TEST(every_stream_that_cannot_be_asked_for_is_told)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;

	act(&a, 7, 'A', 1);
	egress_run(e, &a, 0);
	r.add_err = ERR_CLOSED;
	act(&a, 7, 'A', 2);
	act(&a, 7, 'k', 9);
	act(&a, 7, 'A', 3);
	egress_run(e, &a, 0);
	egress_media_down(e);
	for (uint64_t i = 1; i <= 3; i++) {
		ck_assert(egress_next_failed(e, 5, &call, &flow));
		ck_assert_uint_eq(flow, i);
	}
	ck_assert(!egress_next_failed(e, 5, &call, &flow));
	ck_assert_str_eq(r.log, "add1 del1 del101 del2 del102 send9 "
				"del3 del103 ");
	egress_free(e);
}
END_TEST

START_TEST(a_phone_that_floods_while_it_waits_loses_no_message)
{
	struct recorder r = {.log = ""};
	struct egress *e = make(&r);
	struct actions a = {.item = NULL};
	uint64_t call;
	uint64_t flow;
	size_t n = 0;

	act(&a, 7, 'A', 1);
	for (int i = 0; i < EGRESS_PARKED_MAX + 3; i++)
		act(&a, 7, 'k', 2);
	egress_run(e, &a, 0);
	ck_assert(egress_next_failed(e, 0, &call, &flow));
	for (const char *p = r.log; (p = strstr(p, "send2 ")); p++)
		n++;
	ck_assert_uint_eq(n, EGRESS_PARKED_MAX + 3);
	egress_free(e);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("order");

	tcase_add_test(t, sends_of_a_call_wait_for_its_flows_others_do_not);
	tcase_add_test(t, a_second_addition_in_the_rest_waits_anew);
	tcase_add_test(t, refused_flows_drop_the_sends_and_are_told_once);
	tcase_add_test(t, what_has_no_media_line_is_sent_after_a_refusal);
	tcase_add_test(t,
		       silence_of_the_media_process_is_a_refusal_after_200_ms);
	tcase_add_test(t, a_request_that_cannot_be_made_fails_at_once);
	tcase_add_test(t, the_media_process_s_death_fails_every_waiting_call);
	tcase_add_test(t, a_call_that_floods_while_it_waits_fails);
	tcase_add_test(t,
		       a_refused_stream_leaves_the_others_of_its_phone_whole);
	tcase_add_test(t, every_stream_that_cannot_be_asked_for_is_told);
	tcase_add_test(t, a_phone_that_floods_while_it_waits_loses_no_message);
	return run_case("proxy/egress", t);
}
