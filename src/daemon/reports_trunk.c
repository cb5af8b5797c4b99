/*
 * What operators see of trunks, and of those who are none.
 */
#include "daemon/reports_int.h"

enum { STATUS_STRANGERS = 10 }; /* that status names */

static void put_text(json_t *obj, const char *name, struct slice s)
{
	(void)json_object_set_new(obj, name,
				  json_stringn((const char *)s.ptr, s.len));
}

/* ---- trunks -------------------------------------------------------------- */

static json_t *trunk_row(struct worker *w, uint32_t number)
{
	const struct config_trunk *t = &worker_config(w)->trunk[number];
	const struct pipeline_trunk *n =
		pipeline_trunk(worker_pipeline(w), number);
	struct slice name = slice_str(t->name);
	json_t *row = json_object();

	put_text(row, "trunk", name);
	put_text(row, "profile", slice_str(t->profile_name));
	reports_put(row, "worker", t->worker);
	reports_put(row, "calls", calls_of_device(worker_calls(w), name));
	reports_put(row, "requests", n->requests);
	reports_put(row, "challenged", n->challenged);
	reports_put(row, "refused", n->refused);
	reports_put(row, "over-limit", n->over);
	return row;
}

static void add_place(json_t *row, const struct core_info *info)
{
	char addr[ADDR_STR_MAX];
	enum transport_proto proto = info->dest.is_tls	      ? TRANSPORT_TLS
				     : info->dest.is_reliable ? TRANSPORT_TCP
							      : TRANSPORT_UDP;

	put_text(row, "peer", slice_str(addr_str(&info->dest.peer, addr)));
	put_text(row, "transport", slice_str(transport_proto_str(proto)));
	put_text(row, "state", slice_str(info->is_up ? "up" : "down"));
	reports_put(row, "priority", info->priority);
	reports_put(row, "failures", info->failures);
}

/* Rows of the trunks of this worker among first..end - 1. */
static void add_without_place(struct piece *p, struct worker *w, uint32_t first,
			      uint32_t end)
{
	const struct config *c = worker_config(w);

	for (uint32_t i = first; i < end; i++)
		if (c->trunk[i].worker == worker_number(w))
			piece_add(p, trunk_row(w, i));
}

void reports_trunks(struct worker *w, reports_emit_fn emit, void *ctx)
{
	const struct config *c = worker_config(w);
	struct core_info info;
	struct piece p;
	uint64_t pos = 0;
	uint32_t next = 0; /* without a row yet */

	piece_begin(&p, emit, ctx);
	while (trunk_next(worker_calls(w), &pos, &info)) {
		uint32_t number = (uint32_t)(pos >> 32);
		json_t *row;

		add_without_place(&p, w, next, number);
		next = number + 1;
		row = trunk_row(w, number);
		add_place(row, &info);
		piece_add(&p, row);
	}
	add_without_place(&p, w, next, c->trunk_count);
	piece_end(&p);
}

/* ---- strangers ------------------------------------------------------------- */

static json_t *stranger_row(const struct stranger *s, uint64_t now_ms)
{
	json_t *row = json_object();
	char addr[ADDR_STR_MAX];
	struct writer w;

	writer_init(&w, addr, sizeof(addr));
	addr_print_ip(&w, &s->source);
	put_text(row, "source", writer_slice(&w));
	reports_put(row, "messages", s->count);
	reports_put(row, "answered", s->answered);
	reports_put(row, "first", (now_ms - s->first_ms) / 1000);
	reports_put(row, "last", (now_ms - s->last_ms) / 1000);
	put_text(row, "method", s->method);
	put_text(row, "agent", s->agent);
	return row;
}

void reports_strangers(struct worker *w, uint64_t now_ms, reports_emit_fn emit,
		       void *ctx)
{
	const struct strangers *all = pipeline_strangers(worker_pipeline(w));
	struct stranger s;
	struct piece p;
	uint32_t pos = 0;

	piece_begin(&p, emit, ctx);
	while (pos < REPORTS_ROWS && strangers_next(all, &pos, &s))
		piece_add(&p, stranger_row(&s, now_ms));
	piece_end(&p);
}

void reports_strangers_status(struct worker *w, json_t *row)
{
	const struct strangers *all = pipeline_strangers(worker_pipeline(w));
	json_t *recent = json_array();
	struct stranger s;
	uint64_t messages;
	uint32_t sources;
	uint32_t pos = 0;

	strangers_counts(all, &sources, &messages);
	reports_put(row, "strangers", sources);
	reports_put(row, "messages-of-strangers", messages);
	while (pos < STATUS_STRANGERS && strangers_next(all, &pos, &s)) {
		json_t *one = json_object();
		char addr[ADDR_STR_MAX];
		struct writer to;

		writer_init(&to, addr, sizeof(addr));
		addr_print_ip(&to, &s.source);
		put_text(one, "source", writer_slice(&to));
		reports_put(one, "messages", s.count);
		reports_put(one, "answered", s.answered);
		put_text(one, "agent", s.agent);
		(void)json_array_append_new(recent, one);
	}
	/* Only the worker that has some: they are not added up. */
	if (json_array_size(recent) > 0)
		(void)json_object_set(row, "strangers-recent", recent);
	json_decref(recent);
}
