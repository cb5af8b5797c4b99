/*
 * Long questions to a worker. The worker, its calls and the rows are played
 * here, so that only daemon/queries.c and the loop are real.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/queries.h"
#include "daemon/report_call.h"
#include "daemon/reports.h"
#include "lib/run.h"
#include "media/wire.h"

enum { CALLS_MAX = 100, PIECES_MAX = 64, TURNS = 4000 };

static struct loop *loop;
static struct queries *queries;
static uint32_t call_count;    /* that there are */
static uint32_t registrations; /* turns that they take */
static int stats_err;	       /* what worker_stats says */
static uint32_t asked_number;  /* of the last question to the media process */
static uint64_t asked[MEDIA_WIRE_STATS_MAX];
static uint32_t asked_count; /* ids; 0: nothing was asked */
static char rows[65536];     /* of all pieces, one behind the other */
static uint32_t numbers[PIECES_MAX], piece_count, last_count;

/* ---- the worker ------------------------------------------------------------ */

const struct calls *worker_calls(const struct worker *w)
{
	(void)w;
	return NULL;
}

/* Call i has the id i + 1, and flows of hundred times that. */
static void make_call(uint32_t i, struct call_info *ret)
{
	*ret = (struct call_info){.id = i + 1,
				  .device = slice_str(i % 2 ? "odd" : "even"),
				  .flow_out_in = 100 * (i + 1),
				  .flow_in_out = 100 * (i + 1) + 1};
}

bool calls_next(const struct calls *c, uint32_t *pos, struct call_info *ret)
{
	(void)c;
	if (*pos >= call_count)
		return false;
	make_call((*pos)++, ret);
	return true;
}

bool calls_detail(const struct calls *c, uint64_t cookie,
		  struct call_detail *ret)
{
	(void)c;
	*ret = (struct call_detail){.stream_count = 1};
	ret->stream[0].flow[0] = 100 * cookie;
	ret->stream[0].flow[1] = 100 * cookie + 1;
	return cookie <= call_count;
}

int worker_stats(struct worker *w, const uint64_t *id, uint32_t n,
		 uint32_t *ret_number)
{
	(void)w;
	ck_assert_uint_le(n, MEDIA_WIRE_STATS_MAX);
	if (stats_err)
		return stats_err;
	memcpy(asked, id, n * sizeof(*id));
	asked_count = n;
	*ret_number = ++asked_number;
	return 0;
}

uint64_t reports_call_id(const struct worker *w, uint64_t cookie)
{
	(void)w;
	return cookie + 7000;
}

bool reports_call_wanted(const struct reports_filter *f,
			 const struct call_info *c)
{
	return f->device.len == 0 || slice_eq(f->device, c->device);
}

static void put_row(json_t *list, uint64_t id, uint64_t packets)
{
	(void)json_array_append_new(list,
				    json_pack("{s:I,s:I}", "id", (json_int_t)id,
					      "packets", (json_int_t)packets));
}

void reports_call(struct worker *w, uint64_t now_ms, const struct call_info *c,
		  const struct flow_stats *in, const struct flow_stats *out,
		  json_t *ret_rows)
{
	(void)w;
	(void)now_ms;
	put_row(ret_rows, c->id, in->rtp_packets + out->rtp_packets);
}

json_t *report_call(struct worker *w, uint64_t now_ms,
		    const struct call_detail *d, const struct flow_stats *stats,
		    uint32_t n)
{
	(void)w;
	(void)now_ms;
	return json_pack("{s:I,s:I}", "flow", (json_int_t)d->stream[0].flow[0],
			 "packets",
			 (json_int_t)(n > 0 ? stats[0].rtp_packets : 0));
}

bool reports_registrations(struct worker *w, uint64_t now_ms,
			   const struct reports_filter *f, uint32_t *pos,
			   reports_emit_fn emit, void *ctx)
{
	char text[64];

	(void)w;
	(void)now_ms;
	(void)snprintf(text, sizeof(text), "[\"%u %.*s\"]", *pos,
		       (int)f->line.len, (const char *)f->line.ptr);
	++*pos;
	emit(ctx, slice_str(text), *pos >= registrations);
	return *pos < registrations;
}

/* ---- the operator ------------------------------------------------------------ */

static void on_rows(void *ctx, uint32_t number, struct slice text, bool is_last)
{
	size_t len = strlen(rows);

	(void)ctx;
	ck_assert_uint_lt(piece_count, PIECES_MAX);
	numbers[piece_count++] = number;
	last_count += is_last;
	(void)snprintf(rows + len, sizeof(rows) - len, "%.*s%s", (int)text.len,
		       (const char *)text.ptr, is_last ? "." : "");
}

static void ask(uint32_t number, enum queries_kind kind, const char *text)
{
	queries_add(queries, number, kind, slice_str(text));
}

static void setup(void)
{
	call_count = registrations = piece_count = last_count = 0;
	asked_count = 0;
	stats_err = 0;
	rows[0] = '\0';
	ck_assert_int_eq(loop_new(&loop), 0);
	queries = queries_new(loop, NULL, on_rows, NULL);
	ck_assert_ptr_nonnull(queries);
}

static void teardown(void)
{
	queries = queries_free(queries);
	loop_free(loop);
}

/* Turns of the loop until n answers are whole; counters are answered at once
 * unless the media process is deaf: call i has 10 * (i + 1) packets a flow. */
static void run(uint32_t n, bool is_deaf)
{
	for (int i = 0; i < TURNS && last_count < n; i++) {
		struct flow_stats s[MEDIA_WIRE_STATS_MAX] = {{.id = 0}};
		uint32_t count;

		ck_assert_int_eq(loop_step(loop, 1), 0);
		if (is_deaf || asked_count == 0)
			continue;
		for (uint32_t k = 0; k < asked_count; k++) {
			s[k].id = asked[k];
			s[k].rtp_packets = asked[k] / 100 * 10;
		}
		count = asked_count;
		asked_count = 0;
		/* Not what was asked for last; and an answer twice. */
		queries_stats(queries, asked_number + 1, NULL, 0);
		queries_stats(queries, asked_number, s, count);
		queries_stats(queries, asked_number, s, count);
	}
	ck_assert_uint_eq(last_count, n);
}

/* Rows of all pieces for number; *ret_sum: of their counters. */
static uint32_t count_rows(uint64_t *ret_sum)
{
	uint32_t n = 0;

	*ret_sum = 0;
	for (const char *p = rows; (p = strstr(p, "\"packets\":")); n++) {
		p += strlen("\"packets\":");
		*ret_sum += strtoull(p, NULL, 10);
	}
	return n;
}

START_TEST(calls_are_told_a_few_at_a_time_with_their_counters)
{
	uint64_t sum;

	call_count = CALLS_MAX;
	ask(5, QUERIES_CALLS, "\n");
	run(1, false);
	ck_assert_uint_eq(count_rows(&sum), CALLS_MAX);
	/* Two flows of each: 2 * 10 * (1 + ... + 100). */
	ck_assert_uint_eq(sum, 2 * 10 * 5050);
	ck_assert_uint_gt(piece_count, 10);
	for (uint32_t i = 0; i < piece_count; i++)
		ck_assert_uint_eq(numbers[i], 5);
}
END_TEST

START_TEST(only_what_is_wanted_is_told)
{
	uint64_t sum;

	call_count = 10;
	ask(5, QUERIES_CALLS, "odd\n");
	run(1, false);
	ck_assert_uint_eq(count_rows(&sum), 5);
	ck_assert_ptr_null(strstr(rows, "\"id\":1,"));
	ck_assert_ptr_nonnull(strstr(rows, "\"id\":2,"));
}
END_TEST

/* _i: 0 it does not answer in time, 1 it is not there. */
START_TEST(without_the_media_process_there_are_no_counters)
{
	uint64_t sum;

	call_count = 2;
	stats_err = _i == 1 ? ERR_CLOSED : 0;
	ask(5, QUERIES_CALLS, "\n");
	run(1, true);
	ck_assert_uint_eq(count_rows(&sum), 2);
	ck_assert_uint_eq(sum, 0);
}
END_TEST

START_TEST(calls_that_end_meanwhile_are_not_told)
{
	struct flow_stats s = {.id = 100};

	call_count = 3;
	ask(5, QUERIES_CALLS, "\n");
	for (int i = 0; i < TURNS && asked_count == 0; i++)
		ck_assert_int_eq(loop_step(loop, 1), 0);
	call_count = 0;
	queries_stats(queries, asked_number, &s, 1);
	ck_assert_str_eq(rows, "[].");
}
END_TEST

START_TEST(one_call_is_found_by_its_number)
{
	call_count = 3;
	ask(1, QUERIES_CALL, "7002");
	ask(2, QUERIES_CALL, "7004");
	ask(3, QUERIES_CALL, "2");
	ask(4, QUERIES_CALL, "two");
	run(4, false);
	ck_assert_str_eq(rows, "[{\"flow\":200,\"packets\":20}].[].[].[].");
}
END_TEST

START_TEST(questions_are_answered_one_after_the_other)
{
	call_count = 1;
	registrations = 3;
	ask(1, QUERIES_REGISTRATIONS, "\n1001");
	ask(2, QUERIES_CALLS, "\n");
	ask(3, QUERIES_REGISTRATIONS, "\n1002");
	ck_assert_uint_eq(piece_count, 0); /* not in the turn of the question */
	run(3, false);
	ck_assert_str_eq(rows, "[\"0 1001\"][\"1 1001\"][\"2 1001\"]."
			       "[{\"id\":1,\"packets\":20}]."
			       "[\"0 1002\"][\"1 1002\"][\"2 1002\"].");
}
END_TEST

START_TEST(one_question_too_many_is_answered_with_nothing)
{
	char longest[512];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	registrations = 1;
	for (uint32_t i = 0; i < 16; i++)
		ask(i, QUERIES_REGISTRATIONS, "\n");
	ck_assert_uint_eq(piece_count, 0);
	ask(16, QUERIES_REGISTRATIONS, "\n");
	ck_assert_str_eq(rows, "[].");
	ck_assert_uint_eq(numbers[0], 16);
	run(17, false);
	rows[0] = '\0';
	ask(17, QUERIES_CALL, longest);
	ck_assert_str_eq(rows, "[].");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("queries");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, calls_are_told_a_few_at_a_time_with_their_counters);
	tcase_add_test(t, only_what_is_wanted_is_told);
	tcase_add_loop_test(t, without_the_media_process_there_are_no_counters,
			    0, 2);
	tcase_add_test(t, calls_that_end_meanwhile_are_not_told);
	tcase_add_test(t, one_call_is_found_by_its_number);
	tcase_add_test(t, questions_are_answered_one_after_the_other);
	tcase_add_test(t, one_question_too_many_is_answered_with_nothing);
	return run_case("daemon/queries", t);
}
