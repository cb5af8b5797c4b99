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

static json_t *trunk_row(struct worker *w, const struct config_trunk *t)
{
	const struct pipeline_trunk *n =
		pipeline_trunk(worker_pipeline(w), t->number);
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

static void add_trunk(struct piece *p, struct worker *w,
		      const struct config_trunk *t)
{
	struct core_info info;
	bool is_any = false;
	uint32_t pos = 0;

	while (trunk_next(worker_calls(w), t->number, &pos, &info)) {
		json_t *row = trunk_row(w, t);

		add_place(row, &info);
		piece_add(p, row);
		is_any = true;
	}
	if (!is_any && t->worker == worker_number(w))
		piece_add(p, trunk_row(w, t));
}

/* Configured no more, but in calls that go on. */
static void add_gone(struct piece *p, struct worker *w, uint32_t number)
{
	struct slice name = worker_trunk_gone(w, number);
	json_t *row;

	if (name.len == 0)
		return;
	row = json_object();
	put_text(row, "trunk", name);
	reports_put(row, "worker", worker_number(w));
	reports_put(row, "calls", calls_of_device(worker_calls(w), name));
	put_text(row, "state", slice_str("removed"));
	piece_add(p, row);
}

void reports_trunks(struct worker *w, reports_emit_fn emit, void *ctx)
{
	const struct config *c = worker_config(w);
	struct piece p;

	piece_begin(&p, emit, ctx);
	for (uint32_t i = 0; i < c->trunk_count; i++)
		add_trunk(&p, w, &c->trunk[i]);
	for (uint32_t n = 0; n < PIPELINE_TRUNKS_MAX; n++)
		add_gone(&p, w, n);
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
