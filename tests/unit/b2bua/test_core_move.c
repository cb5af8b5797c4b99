/* Ten thousand registrations lose their call manager at the same moment. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "b2bua/call.h"
#include "base/alloc.h"
#include "lib/entropy.h"
#include "lib/run.h"
#include "sip/msg.h"

enum { PHONES = 10000, RATE = 500, TICK_MS = 100 };

static struct calls *c;
static struct test_entropy entropy;
static struct dest place[2];
static uint64_t now_ms = 1000;
static struct sip_msg msg;
static uint8_t wire[4096];
static uint32_t registered[2]; /* REGISTERs answered, by call manager */
static uint32_t peak;	       /* the same in one step */

static void make_place(unsigned i)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "10.0.0.%u:5060", i + 2);
	ck_assert_int_eq(addr_parse(slice_str(text), 0, &place[i].peer), 0);
	ck_assert_int_eq(
		addr_parse(slice_str("10.0.0.1:5060"), 0, &place[i].local), 0);
	place[i].ep = (struct handle){.index = i, .gen = 1};
}

static void say(const char *text, const struct dest *from, enum side side,
		const char *device);

/* What a registrar answers, 200, in the words of the request. */
static void answer(const struct action *a, unsigned i)
{
	static struct sip_msg q;
	static uint8_t copy[4096];
	char text[2048];

	ck_assert_uint_lt(a->bytes.len, sizeof(copy));
	memcpy(copy, a->bytes.ptr, a->bytes.len);
	ck_assert_int_eq(sip_msg_parse(copy, a->bytes.len, &q, NULL), 0);
	ck_assert(q.method == SIP_METHOD_REGISTER);
	(void)snprintf(text, sizeof(text),
		       "SIP/2.0 200 OK\r\nVia: %.*s\r\nFrom: %.*s\r\n"
		       "To: %.*s;tag=x\r\nCall-ID: %.*s\r\nCSeq: %u REGISTER"
		       "\r\nContent-Length: 0\r\n\r\n",
		       SLICE_FMT(q.via), SLICE_FMT(q.from), SLICE_FMT(q.to),
		       SLICE_FMT(q.call_id), q.cseq);
	registered[i]++;
	say(text, &place[i], SIDE_CORE, "");
}

static void take(struct actions *out)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < out->count; k++)
		for (unsigned i = 0; i < 2; i++)
			if (out->item[k].kind == ACTION_SIP_SEND &&
			    dest_eq(&out->item[k].dest, &place[i])) {
				answer(&out->item[k], i);
				n++;
			}
	if (n > peak)
		peak = n;
	actions_done(out);
}

static void step(const struct event *ev)
{
	struct actions out = {.count = 0};

	ck_assert_int_eq(call_step(c, ev, now_ms, &out), 0);
	take(&out);
}

static void say(const char *text, const struct dest *from, enum side side,
		const char *device)
{
	struct event ev = {.kind = EVENT_SIP};
	size_t len = strlen(text);

	memcpy(wire, text, len);
	ck_assert_int_eq(sip_msg_parse(wire, len, &msg, NULL), 0);
	ev.sip = (struct event_sip){.msg = &msg,
				    .from = *from,
				    .side = side,
				    .device = slice_str(device),
				    .sig = SIG_ENCRYPTED};
	step(&ev);
}

static void register_phone(unsigned i)
{
	struct dest from = {.ep = {.index = 100 + i, .gen = 1},
			    .is_reliable = true,
			    .is_tls = true};
	char device[32];
	char text[1024];

	(void)!addr_parse(slice_str("198.51.100.7:40000"), 0, &from.peer);
	(void)!addr_parse(slice_str("192.0.2.1:5061"), 0, &from.local);
	(void)snprintf(device, sizeof(device), "SEP%012u", i);
	(void)snprintf(text, sizeof(text),
		       "REGISTER sip:192.0.2.1 SIP/2.0\r\n"
		       "Via: SIP/2.0/TLS 198.51.100.7:40000;branch=z9hG4bK%u"
		       "\r\nFrom: <sip:%u@192.0.2.1>;tag=a\r\n"
		       "To: <sip:%u@192.0.2.1>\r\nCall-ID: c%u\r\n"
		       "CSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n"
		       "Contact: <sip:%u@198.51.100.7:40000;transport=tls>"
		       ";expires=3600\r\nContent-Length: 0\r\n\r\n",
		       i, i, i, i, i);
	say(text, &from, SIDE_PHONE, device);
}

static void run_until(uint64_t end_ms)
{
	struct event ev = {.kind = EVENT_TIMER};

	while (calls_deadline(c) <= end_ms) {
		if (calls_deadline(c) > now_ms)
			now_ms = calls_deadline(c);
		step(&ev);
	}
	now_ms = end_ms;
}

static uint32_t at_manager(unsigned i)
{
	struct binding_info b;
	uint32_t pos = 0;
	uint32_t n = 0;
	char name[8];

	(void)snprintf(name, sizeof(name), "cm%u", i);
	while (bindings_next(c, &pos, &b))
		n += slice_eqs(b.manager, name);
	return n;
}

static void name_place(unsigned i, uint32_t count)
{
	struct core_place p = {.manager = i, .priority = i, .dest = place[i]};
	struct event ev = {.kind = EVENT_CORE,
			   .core = {.manager = i, .place = &p, .count = count}};

	(void)snprintf(p.name, sizeof(p.name), "cm%u", i);
	step(&ev);
}

START_TEST(all_follow_at_the_pace_that_was_set)
{
	struct calls_params p = {
		.group = {.failures = 1, .successes = 1, .register_rate = RATE},
		.outside_port_min = 20000,
		.outside_port_max = 20003,
		.inside_port_min = 30000,
		.inside_port_max = 30003,
		.binding_limit = PHONES,
		.call_limit = 1,
		.txn_limit = 2 * PHONES + 10,
		.expires_min_s = 60,
		.expires_max_s = 3600,
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.entropy = test_entropy(&entropy, 1),
		.seed = 3,
	};
	uint64_t start_ms;

	make_place(0);
	make_place(1);
	c = calls_new(&p, now_ms);
	ck_assert_ptr_nonnull(c);
	name_place(0, 1);
	name_place(1, 1);
	for (unsigned i = 0; i < PHONES; i++)
		register_phone(i);
	ck_assert_uint_eq(registered[0], PHONES);
	ck_assert_uint_eq(at_manager(0), PHONES);
	run_until(now_ms + 60000);
	ck_assert_uint_eq(registered[1], 0);

	/* The first one is gone: its name leads nowhere. */
	peak = 0;
	start_ms = now_ms;
	name_place(0, 0);
	run_until(start_ms + 1000);
	ck_assert_uint_ge(registered[1], RATE);
	ck_assert_uint_le(registered[1], RATE + RATE * TICK_MS / 1000);
	ck_assert_uint_le(peak, RATE * TICK_MS / 1000);
	run_until(start_ms + 1000ULL * PHONES / RATE + 1000);
	ck_assert_uint_eq(registered[1], PHONES);
	ck_assert_uint_eq(at_manager(1), PHONES);

	/* And back. Nothing is left to do then. */
	name_place(0, 1);
	run_until(now_ms + 1000ULL * PHONES / RATE + 1000);
	ck_assert_uint_eq(registered[0], 2 * PHONES);
	ck_assert_uint_eq(at_manager(0), PHONES);
	run_until(now_ms + 60000);
	ck_assert_uint_eq(registered[0], 2 * PHONES);
	ck_assert_uint_eq(registered[1], PHONES);
	c = calls_free(c);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("pace");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, all_follow_at_the_pace_that_was_set);
	return run_case("b2bua/core_move", t);
}
