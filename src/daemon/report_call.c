#include "daemon/report_call.h"

#include "control/rows.h"
#include "daemon/reports.h"
#include "transport/transport.h"

static const char *const side_name[] = {
	[SIDE_PHONE] = "phone", [SIDE_CORE] = "call manager"};

/* jansson takes NULL for a value as an error and the row is left without it:
 * without memory an operator sees less. */
static void put(json_t *obj, const char *name, json_t *value)
{
	(void)json_object_set_new(obj, name, value);
}

static void put_number(json_t *obj, const char *name, uint64_t v)
{
	put(obj, name, json_integer((json_int_t)v));
}

static void put_addr(json_t *obj, const char *name, const struct addr *a)
{
	char buf[ADDR_STR_MAX];

	put(obj, name,
	    json_string(a->family == ADDR_NONE ? "" : addr_str(a, buf)));
}

/* ---- legs ---------------------------------------------------------------- */

static json_t *leg_row(const struct worker *w, const struct call_detail *d,
		       enum side side)
{
	const struct call_leg *leg = &d->leg[side];
	json_t *row = json_object();
	enum transport_proto proto;

	(void)worker_subject(w, &leg->dest, &proto);
	put(row, "side", json_string(side_name[side]));
	put_addr(row, "peer", &leg->dest.peer);
	put(row, "transport", json_string(transport_proto_str(proto)));
	put(row, "confirmed", json_boolean(leg->is_confirmed));
	if (d->is_skinny)
		return row;
	put(row, "call-id", rows_text(leg->call_id));
	put(row, "local-tag", rows_text(leg->local_tag));
	put(row, "remote-tag", rows_text(leg->remote_tag));
	put_number(row, "session", leg->session_s);
	put(row, "refreshed-by",
	    json_string(leg->session_s == 0 ? ""
			: leg->is_refreshed ? "sallyport"
					    : "peer"));
	return row;
}

/* ---- streams ------------------------------------------------------------- */

static const struct flow_stats *stats_find(const struct flow_stats *s,
					   uint32_t n, uint64_t id)
{
	static const struct flow_stats none;

	for (uint32_t i = 0; i < n; i++)
		if (s[i].id == id)
			return &s[i];
	return &none;
}

/* One direction: what comes from side. */
static json_t *stream_row(uint32_t number, const struct call_stream *s,
			  enum side side, const struct flow_stats *n)
{
	json_t *row = json_object();

	put_number(row, "stream", number);
	put(row, "kind",
	    json_string(s->is_raw     ? "datagrams"
			: s->is_audio ? "audio"
				      : "other"));
	put(row, "codec", rows_text(s->codec));
	put(row, "from", json_string(side_name[side]));
	put_addr(row, "port", &s->local[side]);
	put_addr(row, "remote", &s->remote[side]);
	put_addr(row, "latched", &n->latched);
	/* What is plain inside is protected on the phone's side. */
	put(row, "suite", json_string(suite_info(s->suite[side])->name));
	put(row, "shared-key", json_boolean(s->is_borrowed));
	put(row, "held", json_boolean(s->is_blocked[side]));
	put(row, "silent", json_boolean(s->is_idle[side]));
	put_number(row, "packets", n->rtp_packets);
	put_number(row, "bytes", n->rtp_bytes);
	put_number(row, "rtcp-packets", n->rtcp_packets);
	put_number(row, "auth-failed", n->auth_fail);
	put_number(row, "replayed", n->replay);
	put_number(row, "source-refused", n->src_reject);
	put_number(row, "malformed", n->malformed);
	put_number(row, "dropped", n->dropped);
	return row;
}

static json_t *streams(const struct call_detail *d,
		       const struct flow_stats *stats, uint32_t n)
{
	json_t *rows = json_array();

	for (uint32_t i = 0; i < d->stream_count; i++) {
		for (int side = 0; side < 2; side++) {
			const struct call_stream *s = &d->stream[i];
			const struct flow_stats *counted =
				stats_find(stats, n, s->flow[side]);

			(void)json_array_append_new(
				rows,
				stream_row(i, s, (enum side)side, counted));
		}
	}
	return rows;
}

/* ---- history ------------------------------------------------------------- */

static json_t *history(const struct call_detail *d)
{
	json_t *rows = json_array();

	for (uint32_t i = 0; i < d->history_count; i++) {
		const struct history_item *h = &d->history[i];
		json_t *row = json_object();
		char event[HISTORY_STR_MAX];
		put_number(row, "ms",
			   h->at_ms > d->info.start_ms
				   ? h->at_ms - d->info.start_ms
				   : 0);
		put(row, "event", json_string(history_str(h, event)));
		(void)json_array_append_new(rows, row);
	}
	return rows;
}

json_t *report_call(struct worker *w, uint64_t now_ms,
		    const struct call_detail *d, const struct flow_stats *stats,
		    uint32_t n)
{
	const struct call_info *c = &d->info;
	json_t *row = json_object();
	json_t *legs = json_array();

	put_number(row, "id", reports_call_id(w, c->id));
	put_number(row, "worker", worker_number(w));
	put(row, "device", rows_text(c->device));
	put(row, "protocol", json_string(d->is_skinny ? "sccp" : "sip"));
	if (d->is_skinny)
		put_number(row, "reference", d->reference);
	put(row, "direction", json_string(c->from_phone ? "out" : "in"));
	put(row, "from", rows_text(c->caller));
	put(row, "to", rows_text(c->callee));
	put(row, "state", json_string(c->state));
	put(row, "security", json_string(call_security_str(c->security)));
	put(row, "shown",
	    json_string(d->is_shown ? call_security_str(d->shown) : ""));
	put(row, "joined", json_boolean(c->is_joined));
	put(row, "end-to-end", json_boolean(c->is_end_to_end));
	put_number(row, "age", (now_ms - c->start_ms) / 1000);
	put_number(row, "duration",
		   c->answer_ms > 0 ? (now_ms - c->answer_ms) / 1000 : 0);
	for (int side = 0; side < 2; side++)
		(void)json_array_append_new(legs,
					    leg_row(w, d, (enum side)side));
	put(row, "legs", legs);
	put(row, "streams", streams(d, stats, n));
	put(row, "history", history(d));
	put_number(row, "history-lost", d->history_lost);
	return row;
}
