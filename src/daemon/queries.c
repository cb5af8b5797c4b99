#include "daemon/queries.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/text.h"
#include "daemon/report_call.h"
#include "daemon/reports.h"
#include "media/wire.h"

_Static_assert((int)MEDIA_WIRE_STATS_MAX >= 2 * (int)CALL_STREAMS_MAX,
	       "all flows of a call are asked for at once");

enum {
	QUERIES_MAX = 16,
	FILTER_MAX = 160,
	CALLS_AT_ONCE = MEDIA_WIRE_STATS_MAX / 2, /* two flows each */
	PATIENCE_MS = 1000			  /* with the media process */
};

struct query {
	uint32_t number;
	enum queries_kind kind;
	uint32_t pos; /* of the next row */
	char text[FILTER_MAX];
	struct reports_filter filter; /* views text */
};

struct queries {
	struct loop *loop;
	struct worker *worker;
	queries_emit_fn emit;
	void *ctx;
	struct query query[QUERIES_MAX]; /* the one being answered first */
	uint32_t count;
	struct loop_timer next; /* the next turn, or the end of patience */
	/* Calls whose counters are awaited; they are shown anew by position,
	 * since what a call shows does not outlive a step. */
	uint32_t from, to; /* positions */
	bool is_waiting;
	uint32_t asked; /* number of the question to the media process */
};

static void turn(void *arg);

struct queries *queries_new(struct loop *loop, struct worker *w,
			    queries_emit_fn emit, void *ctx)
{
	struct queries *q = alloc_zero(sizeof(*q));

	if (!q)
		return NULL;
	q->loop = loop;
	q->worker = w;
	q->emit = emit;
	q->ctx = ctx;
	loop_timer_init(&q->next, turn, q);
	return q;
}

struct queries *queries_free(struct queries *q)
{
	if (q)
		loop_timer_clear(q->loop, &q->next);
	return alloc_free(q);
}

/* The first question is answered. */
static void drop_first(struct queries *q)
{
	q->count--;
	for (uint32_t i = 0; i < q->count; i++) {
		q->query[i] = q->query[i + 1];
		/* The views move with their text. */
		(void)text_cut(slice_str(q->query[i].text), '\n',
			       &q->query[i].filter.device,
			       &q->query[i].filter.line);
	}
}

static void emit_first(void *ctx, struct slice text, bool is_last)
{
	struct queries *q = ctx;

	q->emit(q->ctx, q->query[0].number, text, is_last);
}

/* Without memory for the timer the question ends early. */
static void again(struct queries *q, uint64_t after_ms)
{
	while (q->count > 0 &&
	       loop_timer_set(q->loop, &q->next,
			      loop_now_ms(q->loop) + after_ms) != 0) {
		emit_first(q, slice_str("[]"), true);
		drop_first(q);
	}
}

/* ---- calls --------------------------------------------------------------- */

static const struct flow_stats *find(const struct flow_stats *s, uint32_t n,
				     uint64_t id)
{
	static const struct flow_stats none;

	for (uint32_t i = 0; i < n; i++)
		if (s[i].id == id)
			return &s[i];
	return &none;
}

/* Rows of the calls at the positions from..to, with what was counted. */
static void show_calls(struct queries *q, const struct flow_stats *s,
		       uint32_t n)
{
	struct query *first = &q->query[0];
	json_t *rows = json_array();
	struct call_info c;
	uint32_t pos = q->from;
	bool is_more;
	char *text;

	while ((is_more = calls_next(worker_calls(q->worker), &pos, &c)) &&
	       pos <= q->to)
		if (reports_call_wanted(&first->filter, &c))
			reports_call(q->worker, loop_now_ms(q->loop), &c,
				     find(s, n, c.flow_out_in),
				     find(s, n, c.flow_in_out), rows);
	text = json_dumps(rows, JSON_COMPACT);
	emit_first(q, slice_str(text ? text : "[]"), !is_more);
	free(text);
	json_decref(rows);
	q->is_waiting = false;
	first->pos = q->to;
	if (!is_more)
		drop_first(q);
	again(q, 0);
}

/* Ask for the counters of the next few calls. */
static void begin_calls(struct queries *q)
{
	struct query *first = &q->query[0];
	uint64_t id[2 * CALLS_AT_ONCE];
	struct call_info c;
	uint32_t calls = 0;
	uint32_t n = 0;

	q->from = first->pos;
	q->to = first->pos;
	while (calls < CALLS_AT_ONCE &&
	       calls_next(worker_calls(q->worker), &q->to, &c)) {
		calls++;
		if (c.flow_out_in == 0)
			continue;
		id[n++] = c.flow_out_in;
		id[n++] = c.flow_in_out;
	}
	q->is_waiting = n > 0 && worker_stats(q->worker, id, n, &q->asked) == 0;
	if (q->is_waiting)
		again(q, PATIENCE_MS);
	else
		show_calls(q, NULL, 0);
}

/* ---- one call ------------------------------------------------------------ */

/* The cookie of the call that is asked for. */
static bool find_call(struct queries *q, uint64_t *ret_cookie)
{
	struct call_info c;
	uint32_t pos = 0;
	uint64_t id;

	if (text_dec(slice_str(q->query[0].text), UINT64_MAX, &id) != 0)
		return false;
	while (calls_next(worker_calls(q->worker), &pos, &c)) {
		if (reports_call_id(q->worker, c.id) != id)
			continue;
		*ret_cookie = c.id;
		return true;
	}
	return false;
}

/* The call, if it is still there, with what was counted. */
static void show_call(struct queries *q, const struct flow_stats *s, uint32_t n)
{
	struct call_detail d;
	uint64_t cookie;
	json_t *rows = json_array();
	char *text;

	if (find_call(q, &cookie) &&
	    calls_detail(worker_calls(q->worker), cookie, &d))
		(void)json_array_append_new(
			rows,
			report_call(q->worker, loop_now_ms(q->loop), &d, s, n));
	text = json_dumps(rows, JSON_COMPACT);
	emit_first(q, slice_str(text ? text : "[]"), true);
	free(text);
	json_decref(rows);
	q->is_waiting = false;
	drop_first(q);
	again(q, 0);
}

static void begin_call(struct queries *q)
{
	uint64_t id[2 * CALL_STREAMS_MAX];
	struct call_detail d = {.stream_count = 0};
	uint64_t cookie;
	uint32_t n = 0;

	if (find_call(q, &cookie) &&
	    calls_detail(worker_calls(q->worker), cookie, &d))
		for (uint32_t i = 0; i < d.stream_count; i++)
			for (int side = 0; side < 2; side++)
				id[n++] = d.stream[i].flow[side];
	q->is_waiting = n > 0 && worker_stats(q->worker, id, n, &q->asked) == 0;
	if (q->is_waiting)
		again(q, PATIENCE_MS);
	else
		show_call(q, NULL, 0);
}

static void show(struct queries *q, const struct flow_stats *s, uint32_t n)
{
	if (q->query[0].kind == QUERIES_CALL)
		show_call(q, s, n);
	else
		show_calls(q, s, n);
}

void queries_stats(struct queries *q, uint32_t number,
		   const struct flow_stats *s, uint32_t n)
{
	if (q->is_waiting && number == q->asked)
		show(q, s, n);
}

/* ---- turns --------------------------------------------------------------- */

static void turn(void *arg)
{
	struct queries *q = arg;
	struct query *first = &q->query[0];

	if (q->count == 0)
		return;
	if (q->is_waiting) {
		show(q, NULL, 0); /* the media process is slow */
	} else if (first->kind == QUERIES_CALLS) {
		begin_calls(q);
	} else if (first->kind == QUERIES_CALL) {
		begin_call(q);
	} else {
		if (!reports_registrations(q->worker, loop_now_ms(q->loop),
					   &first->filter, &first->pos,
					   emit_first, q))
			drop_first(q);
		again(q, 0);
	}
}

void queries_add(struct queries *q, uint32_t number, enum queries_kind kind,
		 struct slice text)
{
	struct query *k = &q->query[q->count];

	if (q->count == QUERIES_MAX ||
	    text_copy(text, k->text, sizeof(k->text)) != 0) {
		q->emit(q->ctx, number, slice_str("[]"), true);
		return;
	}
	k->number = number;
	k->kind = kind;
	k->pos = 0;
	(void)text_cut(slice_str(k->text), '\n', &k->filter.device,
		       &k->filter.line);
	if (q->count++ == 0)
		again(q, 0);
}
