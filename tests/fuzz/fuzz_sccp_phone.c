/*
 * One Skinny phone and its call manager in the call machine, both of which say
 * whatever the input says: a byte tells who speaks or what happens, a message
 * follows. Whatever it was, no key is told inside, what the relay was asked for
 * is taken back in the end, and addresses of flows are of ports that are taken.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "b2bua/call.h"
#include "lib/entropy.h"
#include "sccp/frame.h"

enum { FLOWS = 256 };

static const struct call_policy policy = {
	.media = MEDIA_SRTP_PREFER,
	.suite = {SUITE_AES_CM_128_HMAC_SHA1_32},
	.suite_count = 1,
	.falls_back = true,
};

struct world {
	struct calls *c;
	uint64_t now_ms;
	uint64_t flow[FLOWS];
	uint64_t link;
	struct dest core;
};

static struct dest dest_of(uint32_t index)
{
	return (struct dest){
		.ep = {.index = index, .gen = 1},
		.peer = {.family = ADDR_V4, .ip = {10, 0, 0, 2}, .port = 2000},
		.local = {
			.family = ADDR_V4, .ip = {10, 0, 0, 1}, .port = 2443}};
}

static uint64_t *flow_find(struct world *w, uint64_t id)
{
	for (size_t i = 0; i < FLOWS; i++)
		if (w->flow[i] == id)
			return &w->flow[i];
	return NULL;
}

/* No key of ours may be seen by whoever listens inside. */
static void check_core(struct slice bytes)
{
	struct sccp_pdu pdu;
	struct sccp_msg m;

	fuzz_check(sccp_frame(bytes, SCCP_PDU_MAX + 128, &pdu) == 0);
	sccp_msg_parse(&pdu, &m);
	fuzz_check(!m.row || (m.row->dir & SCCP_FROM_PHONE));
}

static void take(struct world *w, const struct action *a)
{
	if (a->kind == ACTION_FLOW_ADD) {
		for (int i = 0; i < 2; i++) {
			uint64_t *f = flow_find(w, 0);

			fuzz_check(f != NULL);
			if (f)
				*f = a->flow[i].id;
		}
	} else if (a->kind == ACTION_FLOW_UPDATE) {
		fuzz_check(flow_find(w, a->flow[0].id) != NULL);
	} else if (a->kind == ACTION_FLOW_DEL) {
		uint64_t *f = flow_find(w, a->flow[0].id);

		fuzz_check(f != NULL);
		if (f)
			*f = 0;
	} else if (a->kind == ACTION_SCCP_LINK) {
		w->link = a->id;
	} else if (a->kind == ACTION_SCCP_SEND &&
		   handle_eq(a->dest.ep, w->core.ep)) {
		check_core(a->bytes);
	}
}

static void step(struct world *w, const struct event *ev)
{
	struct actions out = {.count = 0};

	if (call_step(w->c, ev, w->now_ms, &out) != 0)
		fuzz_check(false);
	for (uint32_t i = 0; i < out.count; i++)
		take(w, &out.item[i]);
	actions_done(&out);
}

static size_t message(struct world *w, enum side side, struct slice in)
{
	struct event ev = {.kind = EVENT_SCCP};
	struct sccp_pdu pdu;
	struct sccp_msg m;

	if (sccp_frame(in, SCCP_PDU_MAX, &pdu) != 0)
		return in.len;
	sccp_msg_parse(&pdu, &m);
	ev.sccp = (struct event_sccp){.msg = &m,
				      .from = side == SIDE_PHONE ? dest_of(1)
								 : w->core,
				      .side = side,
				      .device = SLICE("SEP001122334455"),
				      .sig = SIG_ENCRYPTED,
				      .policy = &policy,
				      .traits = {.encrypts = true},
				      .manager_count = 2};
	step(w, &ev);
	return pdu.bytes.len;
}

/* Something happens to the flow of this number. */
static void media(struct world *w, uint8_t what)
{
	static const enum event_kind kinds[] = {
		EVENT_FLOW_FAILED, EVENT_FLOW_JOINED, EVENT_FLOW_PARTED};
	struct flow_key key = {.suite = SUITE_AES_CM_128_HMAC_SHA1_32,
			       .key = {what}};
	struct event ev = {.kind = kinds[what % 3]};

	ev.flow = (struct event_flow){.call = w->link,
				      .flow = w->flow[what % 8],
				      .security = what % 3,
				      .key = &key};
	step(w, &ev);
}

static size_t one(struct world *w, struct slice in)
{
	struct event ev = {.kind = EVENT_TIMER};

	switch (in.ptr[0] & 7) {
	case 0:
	case 1:
		return 1 + message(w, SIDE_PHONE, slice_from(in, 1));
	case 2:
	case 3:
		return 1 + message(w, SIDE_CORE, slice_from(in, 1));
	case 4:
		w->now_ms += 1000u << (in.ptr[0] >> 5);
		step(w, &ev);
		return 1;
	case 5:
		ev = (struct event){.kind = EVENT_SCCP_LINK,
				    .link = {.id = w->link, .dest = w->core}};
		if (in.ptr[0] & 8)
			ev.link.dest.ep = HANDLE_NONE;
		step(w, &ev);
		return 1;
	case 6:
		ev = (struct event){.kind = EVENT_CONN_DOWN,
				    .conn = in.ptr[0] & 8 ? dest_of(1).ep
							  : w->core.ep};
		step(w, &ev);
		return 1;
	default:
		media(w, in.ptr[0] >> 3);
		return 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct test_entropy e;
	struct calls_params p = {
		.media_outside = {.family = ADDR_V4, .ip = {192, 0, 2, 1}},
		.media_inside = {.family = ADDR_V4, .ip = {10, 0, 0, 1}},
		.outside_port_min = 20000,
		.outside_port_max = 20099,
		.inside_port_min = 30000,
		.inside_port_max = 30099,
		.binding_limit = 4,
		.call_limit = 4,
		.txn_limit = 4,
		.sub_limit = 1,
		.end_to_end = true,
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.seed = 1,
		.entropy = test_entropy(&e, 1),
	};
	struct world w = {.now_ms = 1000, .core = dest_of(2)};
	struct event down = {.kind = EVENT_CONN_DOWN, .conn = dest_of(1).ep};

	w.c = calls_new(&p, w.now_ms);
	if (!w.c)
		return 0;
	for (int steps = 0; in.len > 0 && steps < 500; steps++)
		in = slice_from(in, one(&w, in));
	step(&w, &down);
	for (size_t i = 0; i < FLOWS; i++)
		fuzz_check(w.flow[i] == 0);
	calls_free(w.c);
	return 0;
}
