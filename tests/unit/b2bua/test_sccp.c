/*
 * Skinny phones in the call machine, in virtual time: what each side sees of
 * registrations, channels and calls.
 */
#include <check.h>
#include <stdio.h>

#include "b2bua/call.h"
#include "base/alloc.h"
#include "lib/entropy.h"
#include "lib/run.h"
#include "rewrite/sccp_out.h"
#include "sccp/key.h"

enum { SENT_MAX = 512, PHONES = 4 };

/* What one connection was sent, in order. */
struct sent {
	struct dest dest;
	uint8_t bytes[1024];
	struct sccp_msg msg;
};

static struct calls *c;
static struct test_entropy entropy;
static uint64_t now_ms;
static struct sent sent[SENT_MAX];
static uint32_t sent_count;
static struct flow flows[64]; /* as the relay has them now; id 0: none */
static uint32_t closed;
static uint32_t links; /* asked for */
static uint64_t link_id[PHONES];
static uint32_t link_manager;
static struct sccp_out out;

static struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(text), 0, &a), 0);
	return a;
}

static struct dest phone_dest(unsigned i)
{
	struct dest d = {.ep = {.index = 10 + i, .gen = 1},
			 .peer = addr_of("198.51.100.7:40000"),
			 .local = addr_of("192.0.2.1:2443"),
			 .is_reliable = true,
			 .is_tls = true};

	d.peer.port = (uint16_t)(d.peer.port + i);
	return d;
}

static struct dest core_dest(unsigned i)
{
	return (struct dest){.ep = {.index = 50 + i, .gen = 1},
			     .peer = addr_of("10.0.0.2:2000"),
			     .local = addr_of("10.0.0.1:33000"),
			     .is_reliable = true};
}

static struct flow *flow_find(uint64_t id)
{
	for (size_t i = 0; i < 64; i++)
		if (flows[i].id == id)
			return &flows[i];
	return NULL;
}

static uint32_t flow_count(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < 64; i++)
		n += flows[i].id != 0;
	return n;
}

static void take_one(const struct action *a)
{
	struct sccp_pdu pdu;
	struct flow *f;

	switch (a->kind) {
	case ACTION_SCCP_SEND:
		ck_assert_uint_lt(sent_count, SENT_MAX);
		ck_assert_uint_le(a->bytes.len, sizeof(sent[0].bytes));
		memcpy(sent[sent_count].bytes, a->bytes.ptr, a->bytes.len);
		ck_assert_int_eq(sccp_frame(slice_make(sent[sent_count].bytes,
						       a->bytes.len),
					    SCCP_PDU_MAX, &pdu),
				 0);
		sccp_msg_parse(&pdu, &sent[sent_count].msg);
		sent[sent_count++].dest = a->dest;
		break;
	case ACTION_SCCP_LINK:
		link_id[links++ % PHONES] = a->id;
		link_manager = a->link[1];
		break;
	case ACTION_CONN_CLOSE:
		closed++;
		break;
	case ACTION_FLOW_ADD:
		for (int i = 0; i < 2; i++) {
			f = flow_find(0);
			ck_assert_ptr_nonnull(f);
			*f = a->flow[i];
		}
		break;
	case ACTION_FLOW_UPDATE:
		f = flow_find(a->flow[0].id);
		ck_assert_ptr_nonnull(f);
		*f = a->flow[0];
		break;
	case ACTION_FLOW_DEL:
		f = flow_find(a->flow[0].id);
		ck_assert_ptr_nonnull(f);
		f->id = 0;
		break;
	case ACTION_SIP_SEND:
	case ACTION_SCCP_UNLINK:
	case ACTION_ARRIVED:
	case ACTION_AUTH:
	case ACTION_RECORD:
	case ACTION_SAVE:
	case ACTION_FORGET:
		break;
	}
}

static void step(const struct event *ev)
{
	struct actions got = {.count = 0};

	ck_assert_int_eq(call_step(c, ev, now_ms, &got), 0);
	for (uint32_t i = 0; i < got.count; i++)
		take_one(&got.item[i]);
	actions_done(&got);
}

static struct call_policy policy = {
	.media = MEDIA_SRTP_PREFER,
	.suite = {SUITE_AEAD_AES_128_GCM, SUITE_AES_CM_128_HMAC_SHA1_80},
	.suite_count = 2,
};

static struct sccp_traits traits;

static void start(void)
{
	struct calls_params p = {
		.media_outside = addr_of("192.0.2.1:0"),
		.media_inside = addr_of("10.0.0.1:0"),
		.outside_port_min = 20000,
		.outside_port_max = 20099,
		.inside_port_min = 30000,
		.inside_port_max = 30099,
		.binding_limit = PHONES,
		.call_limit = 10,
		.txn_limit = 10,
		.sub_limit = 1,
		.end_to_end = true,
		.sccp = {.version_max = 20,
			 .phone_limit = PHONES,
			 .call_rate = 2,
			 .rule = {{0x7200, 0x7200, SCCP_ALLOW},
				  {0x7200, 0x72ff, SCCP_DROP}},
			 .rule_count = 2},
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.seed = 1,
	};

	p.entropy = test_entropy(&entropy, 7);
	now_ms = 1000;
	sent_count = closed = links = 0;
	memset(flows, 0, sizeof(flows));
	traits = (struct sccp_traits){.encrypts = true};
	policy.falls_back = false;
	policy.media = MEDIA_SRTP_PREFER;
	c = calls_new(&p, now_ms);
	ck_assert_ptr_nonnull(c);
}

static void stop(void)
{
	for (unsigned i = 0; i < PHONES; i++) {
		struct event ev = {.kind = EVENT_CONN_DOWN,
				   .conn = phone_dest(i).ep};

		step(&ev);
	}
	ck_assert_uint_eq(flow_count(), 0);
	c = calls_free(c);
}

/* The message in out goes in: from phone i, or from its call manager. */
static void say_as(unsigned i, enum side side, const char *device)
{
	static uint8_t copy[SCCP_OUT_MAX];
	struct sccp_msg m;
	struct sccp_pdu pdu;
	struct event ev = {.kind = EVENT_SCCP};

	memcpy(copy, out.buf, out.len);
	ck_assert_int_eq(
		sccp_frame(slice_make(copy, out.len), SCCP_PDU_MAX, &pdu), 0);
	sccp_msg_parse(&pdu, &m);
	ev.sccp = (struct event_sccp){
		.msg = &m,
		.from = side == SIDE_PHONE ? phone_dest(i) : core_dest(i),
		.side = side,
		.device = slice_str(device),
		.sig = SIG_ENCRYPTED,
		.policy = *device ? &policy : NULL,
		.traits = traits,
		.manager_count = 2,
	};
	step(&ev);
}

static const char *name_of(unsigned i)
{
	static char name[PHONES][16];

	(void)snprintf(name[i], sizeof(name[i]), "SEP00112233445%u", i);
	return name[i];
}

static void phone_says(unsigned i)
{
	say_as(i, SIDE_PHONE, name_of(i));
}

static void core_says(unsigned i)
{
	say_as(i, SIDE_CORE, "");
}

static void make(uint32_t id, uint32_t version, size_t len)
{
	sccp_out_make(&out, id, version, len);
}

static void set(enum sccp_field f, uint32_t v)
{
	sccp_out_u32(&out, f, v);
}

static void set_addr(const char *text)
{
	struct addr a = addr_of(text);

	ck_assert_int_eq(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a), 0);
}

/* The last message to phone i or its call manager, with this id. */
static struct sccp_msg *last(unsigned i, enum side to, uint32_t id)
{
	struct dest d = to == SIDE_PHONE ? phone_dest(i) : core_dest(i);

	for (uint32_t k = sent_count; k-- > 0;)
		if (handle_eq(sent[k].dest.ep, d.ep) && sent[k].msg.id == id)
			return &sent[k].msg;
	return NULL;
}

static uint32_t count_to(unsigned i, enum side to, uint32_t id)
{
	struct dest d = to == SIDE_PHONE ? phone_dest(i) : core_dest(i);
	uint32_t n = 0;

	for (uint32_t k = 0; k < sent_count; k++)
		n += handle_eq(sent[k].dest.ep, d.ep) && sent[k].msg.id == id;
	return n;
}

static void link_up(unsigned i)
{
	struct event ev = {.kind = EVENT_SCCP_LINK,
			   .link = {.id = link_id[i],
				    .dest = core_dest(i),
				    .manager = SLICE("cm1")}};

	step(&ev);
}

static void say_register(const char *name, uint32_t version)
{
	make(SCCP_REGISTER, 0, 136);
	sccp_out_text(&out, SCCP_NAME, slice_str(name));
	set(SCCP_MODEL, 115);
	set(SCCP_VERSION, version);
}

static void register_phone(unsigned i, uint32_t version)
{
	say_register(name_of(i), version);
	phone_says(i);
	link_up(i);
	make(SCCP_REGISTER_ACK, 0, 32);
	set(SCCP_KEEPALIVE_S, 30);
	set(SCCP_VERSION, version);
	core_says(i);
	ck_assert_ptr_nonnull(last(i, SIDE_PHONE, SCCP_REGISTER_ACK));
}

static struct flow_key key_in(const struct sccp_msg *m)
{
	struct flow_key k;

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(sccp_key_parse(slice_sub(m->bytes, m->at[SCCP_KEY],
						  sccp_key_len(m)),
					&k),
			 0);
	return k;
}

static struct addr addr_in(const struct sccp_msg *m)
{
	struct addr a;

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(sccp_addr(m, SCCP_ADDR, SCCP_PORT, &a), 0);
	return a;
}

/* The call manager opens a channel of phone i, which says yes. */
static void open_channel(unsigned i, uint32_t version, uint32_t party)
{
	bool is_long = version >= SCCP_VERSION_LONG;

	make(SCCP_OPEN_RECEIVE, version, is_long ? 140 : 80);
	set(SCCP_CONF, 900);
	set(SCCP_CALL, 900);
	set(SCCP_PARTY, party);
	set(SCCP_CODEC, 4);
	core_says(i);
	make(SCCP_OPEN_RECEIVE_ACK, version, is_long ? 48 : 32);
	set(SCCP_PARTY, party);
	set(SCCP_CALL, 900);
	set_addr("192.168.1.20:16500");
	phone_says(i);
}

static void start_sending(unsigned i, uint32_t version, uint32_t party,
			  const struct addr *to)
{
	make(SCCP_START_TRANSMISSION, version,
	     version >= SCCP_VERSION_LONG ? 144 : 96);
	set(SCCP_CONF, 900);
	set(SCCP_CALL, 900);
	set(SCCP_PARTY, party);
	ck_assert_int_eq(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, to), 0);
	core_says(i);
}

static void end_stream(unsigned i, uint32_t id, uint32_t party)
{
	make(id, 0, 28);
	set(SCCP_CONF, 900);
	set(SCCP_CALL, 900);
	set(SCCP_PARTY, party);
	core_says(i);
}

static struct flow *flow_at(const struct addr *local)
{
	for (size_t i = 0; i < 64; i++)
		if (flows[i].id && addr_eq(&flows[i].local, local))
			return &flows[i];
	ck_abort_msg("no flow there");
	return NULL;
}

static void far_is(enum event_kind kind, const struct addr *local,
		   uint8_t security)
{
	const struct flow *f = flow_at(local);
	struct flow_key none = {.suite = SUITE_NONE};
	struct event ev = {.kind = kind,
			   .flow = {.call = f->call,
				    .flow = f->id,
				    .security = security,
				    .key = &none}};

	step(&ev);
}

/* ---- registration ----------------------------------------------------------- */

static const struct {
	uint32_t offered, inside, agreed;
} versions[] = {
	{3, 3, 3},    {5, 5, 5},    {8, 8, 8},	  {10, 10, 10}, {11, 11, 11},
	{15, 15, 15}, {17, 17, 17}, {20, 20, 20}, {22, 20, 20},
};

START_TEST(a_registration_passes_with_what_both_can_do)
{
	struct sccp_info info;
	struct sccp_msg *m;
	struct addr local = core_dest(0).local;
	uint32_t pos = 0;

	say_register(name_of(0), versions[_i].offered);
	phone_says(0);
	ck_assert_uint_eq(links, 1);
	ck_assert_uint_eq(sent_count, 0); /* nobody is there yet */
	link_up(0);
	m = last(0, SIDE_CORE, SCCP_REGISTER);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(sccp_u32(m, SCCP_VERSION), versions[_i].inside);
	ck_assert_mem_eq(m->bytes.ptr + 36, local.ip, 4);
	make(SCCP_REGISTER_ACK, 0, 32);
	set(SCCP_KEEPALIVE_S, 30);
	set(SCCP_VERSION, 22);
	core_says(0);
	m = last(0, SIDE_PHONE, SCCP_REGISTER_ACK);
	ck_assert_uint_eq(sccp_u32(m, SCCP_VERSION), versions[_i].offered);
	ck_assert(sccp_next(c, &pos, &info));
	ck_assert_str_eq(info.state, "registered");
	ck_assert(slice_eqs(info.device, name_of(0)));
	ck_assert(slice_eqs(info.manager, "cm1"));
	ck_assert_uint_eq(info.model, 115);
}
END_TEST

START_TEST(a_wrong_name_is_rejected)
{
	say_register("SEP999999999999", 11);
	say_as(0, SIDE_PHONE, _i ? "" : name_of(0));
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_REGISTER_REJECT));
	ck_assert_uint_eq(closed, 1);
	link_up(0); /* too late: that connection is closed too */
	ck_assert_uint_eq(closed, 2);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_REGISTER));
}
END_TEST

static const struct {
	uint32_t id;
	uint32_t closed;
} strangers[] = {
	{SCCP_KEEPALIVE, 0},
	{SCCP_ALARM, 0},
	{SCCP_IP_PORT, 0},
	{0x0006, 1},
	{0x0003, 1},
	{0x7777, 1},
	{SCCP_OPEN_RECEIVE, 1},
	{SCCP_REGISTER_ACK, 1},
	{SCCP_RESET, 1},
	{SCCP_PORT_RES, 1},
	{SCCP_OPEN_RECEIVE_ACK, 1},
};

START_TEST(before_registering_little_is_allowed)
{
	make(strangers[_i].id, 0, 48);
	phone_says(0);
	ck_assert_uint_eq(closed, strangers[_i].closed);
}
END_TEST

START_TEST(a_phone_that_speaks_as_call_manager_is_closed)
{
	register_phone(0, 11);
	make(SCCP_START_TRANSMISSION, 11, 120);
	phone_says(0);
	ck_assert_uint_eq(closed, 2);
	ck_assert_ptr_null(last(0, SIDE_CORE, SCCP_START_TRANSMISSION));
}
END_TEST

START_TEST(what_nobody_knows_passes_bit_for_bit)
{
	register_phone(0, 11);
	make(0x7123, 11, 333);
	for (size_t i = 12; i < 333; i++)
		out.buf[i] = (uint8_t)(i * 7);
	phone_says(0);
	ck_assert(slice_eq(last(0, SIDE_CORE, 0x7123)->bytes,
			   sccp_out_bytes(&out)));
	core_says(0);
	ck_assert(slice_eq(last(0, SIDE_PHONE, 0x7123)->bytes,
			   sccp_out_bytes(&out)));
}
END_TEST

START_TEST(the_next_call_manager_is_tried_then_the_phone_is_let_go)
{
	struct event ev = {.kind = EVENT_SCCP_LINK};

	make(SCCP_KEEPALIVE, 0, 12);
	phone_says(0);
	ck_assert_uint_eq(link_manager, 0);
	ev.link.id = link_id[0];
	step(&ev);
	ck_assert_uint_eq(links, 2);
	ck_assert_uint_eq(link_manager, 1);
	ck_assert_uint_eq(closed, 0);
	step(&ev);
	ck_assert_uint_eq(closed, 1);
}
END_TEST

START_TEST(a_standby_hears_keepalives_and_nothing_else_is_asked_of_it)
{
	for (int i = 0; i < 10; i++) {
		make(SCCP_KEEPALIVE, 0, 12);
		phone_says(0);
		if (i == 0)
			link_up(0);
		now_ms += 60000;
		step(&(struct event){.kind = EVENT_TIMER});
	}
	ck_assert_uint_eq(count_to(0, SIDE_CORE, SCCP_KEEPALIVE), 10);
	ck_assert_uint_eq(closed, 0);
}
END_TEST

START_TEST(a_phone_without_keepalives_is_closed)
{
	register_phone(0, 11);
	now_ms += 104999;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(closed, 0);
	ck_assert_uint_le(calls_deadline(c), now_ms + 1);
	now_ms += 1;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(closed, 2);
}
END_TEST

START_TEST(a_phone_that_comes_back_replaces_its_old_connection)
{
	uint32_t phones, registered;

	register_phone(0, 11);
	say_register(name_of(0), 11);
	say_as(1, SIDE_PHONE, name_of(0));
	ck_assert_uint_eq(closed, 2);
	(void)sccp_counts(c, &phones, &registered);
	ck_assert_uint_eq(phones, 1);
	ck_assert_uint_eq(registered, 0);
}
END_TEST

START_TEST(there_is_room_for_so_many_phones)
{
	struct dest d = phone_dest(0);
	struct sccp_pdu pdu;
	struct sccp_msg m;
	struct event ev = {.kind = EVENT_SCCP};

	make(SCCP_KEEPALIVE, 0, 12);
	for (unsigned i = 0; i < PHONES; i++)
		phone_says(i);
	ck_assert_uint_eq(closed, 0);
	d.ep.index = 99;
	ck_assert_int_eq(sccp_frame(sccp_out_bytes(&out), SCCP_PDU_MAX, &pdu),
			 0);
	sccp_msg_parse(&pdu, &m);
	ev.sccp = (struct event_sccp){.msg = &m, .from = d, .side = SIDE_PHONE};
	step(&ev);
	ck_assert_uint_eq(closed, 1);
}
END_TEST

/* ---- media --------------------------------------------------------------------- */

static const uint32_t forms[] = {0, 11, 17, 20, 22};

/* One phone and a gateway inside that knows no encryption. */
START_TEST(a_channel_gets_our_addresses_and_a_key_of_its_own)
{
	uint32_t version = forms[_i];
	struct addr gateway = addr_of("10.0.0.77:7000");
	struct flow_key rx, tx;
	struct addr out_addr, in_addr;

	register_phone(0, version ? version : 5);
	open_channel(0, version, 17);
	start_sending(0, version, 17, &gateway);
	rx = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	tx = key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	ck_assert_int_eq(rx.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_int_eq(tx.suite, SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert(!flow_key_eq(&rx, &tx));
	out_addr = addr_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	in_addr = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ck_assert(addr_ip_eq(&out_addr, &(struct addr){.family = ADDR_V4,
						       .ip = {192, 0, 2, 1}}));
	ck_assert(addr_ip_eq(&in_addr, &(struct addr){.family = ADDR_V4,
						      .ip = {10, 0, 0, 1}}));
	ck_assert(flow_key_eq(&flow_at(&out_addr)->in, &tx));
	ck_assert(flow_key_eq(&flow_at(&in_addr)->out, &rx));
	ck_assert_int_eq(flow_at(&in_addr)->in.suite, SUITE_NONE);
	ck_assert(addr_eq(&flow_at(&in_addr)->remote, &gateway));
	ck_assert_uint_eq(flow_at(&out_addr)->remote.port, 16500);
	ck_assert(!flow_at(&in_addr)->is_blocked);
	ck_assert(!flow_at(&out_addr)->is_blocked);
	end_stream(0, SCCP_STOP_TRANSMISSION, 17);
	ck_assert(flow_at(&out_addr)->is_blocked);
	end_stream(0, SCCP_CLOSE_RECEIVE, 17);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* A call manager of protocol 3 leaves no room for a key. */
START_TEST(an_old_form_becomes_longer)
{
	struct sccp_msg *m;

	register_phone(0, 3);
	make(SCCP_OPEN_RECEIVE, 0, 40);
	set(SCCP_PARTY, 5);
	core_says(0);
	m = last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE);
	ck_assert_uint_eq(m->bytes.len, 80);
	ck_assert_int_eq(key_in(m).suite, SUITE_AES_CM_128_HMAC_SHA1_80);
}
END_TEST

/* The channel of one phone is opened, then the other is told to send there. */
static void call_between(uint32_t version)
{
	struct addr a, b;

	open_channel(0, version, 17);
	open_channel(1, version, 18);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	b = addr_in(last(1, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	start_sending(0, version, 17, &b);
	start_sending(1, version, 18, &a);
}

START_TEST(two_phones_have_one_key_set_for_each_direction)
{
	struct flow_key rx[2], tx[2];
	struct addr a;

	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	for (unsigned i = 0; i < 2; i++) {
		rx[i] = key_in(last(i, SIDE_PHONE, SCCP_OPEN_RECEIVE));
		tx[i] = key_in(last(i, SIDE_PHONE, SCCP_START_TRANSMISSION));
	}
	ck_assert(flow_key_eq(&rx[0], &tx[1]));
	ck_assert(flow_key_eq(&rx[1], &tx[0]));
	ck_assert(!flow_key_eq(&rx[0], &rx[1]));
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	/* Whatever is not the other phone's passes encrypted by nobody. */
	ck_assert(flow_at(&a)->is_borrowed);
	/* One leaves: what it knows soon counts no more. */
	end_stream(1, SCCP_STOP_TRANSMISSION, 18);
	ck_assert(!flow_at(&a)->is_borrowed);
	now_ms += 500;
	step(&(struct event){.kind = EVENT_TIMER});
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 2);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	rx[1] = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert(!flow_key_eq(&rx[0], &rx[1]));
	ck_assert(flow_key_eq(&flow_at(&a)->out, &rx[1]));
	/* The phone's answer to that is ours alone. */
	make(SCCP_OPEN_RECEIVE_ACK, 17, 48);
	set(SCCP_PARTY, 17);
	set_addr("192.168.1.20:16700");
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK), 1);
}
END_TEST

START_TEST(a_phone_falls_back_to_rtp_and_comes_back)
{
	struct addr gateway = addr_of("10.0.0.77:7000");
	struct addr b;

	policy.falls_back = true;
	register_phone(0, 17);
	register_phone(1, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &gateway);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_NONE);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_NONE);
	open_channel(1, 17, 18);
	b = addr_in(last(1, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	start_sending(0, 17, 17, &b);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 2);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_uint_eq(
		sccp_counts(c, &(uint32_t){0}, &(uint32_t){0})->fallbacks, 1);
}
END_TEST

/* That the far phone is in the clear is known when the media process tells. */
START_TEST(a_call_falls_back_in_its_middle)
{
	struct addr far = addr_of("10.0.0.1:45000");
	struct addr a;

	policy.falls_back = true;
	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, 0);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_STOP_TRANSMISSION), 1);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_NONE);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_NONE);
	ck_assert_int_eq(flow_at(&a)->out.suite, SUITE_NONE);
	far_is(EVENT_FLOW_JOINED, &a, 2);
	ck_assert_int_eq(key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE)).suite,
			 SUITE_AES_CM_128_HMAC_SHA1_80);
	ck_assert_int_eq(
		key_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION)).suite,
		SUITE_AES_CM_128_HMAC_SHA1_80);
}
END_TEST

START_TEST(without_srtp_a_phone_that_must_have_it_gets_no_channel)
{
	policy.media = MEDIA_SRTP_REQUIRE;
	policy.suite_count = 1; /* GCM: key info has no room for it */
	register_phone(0, 17);
	make(SCCP_OPEN_RECEIVE, 17, 140);
	set(SCCP_PARTY, 5);
	core_says(0);
	policy.suite_count = 2;
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
}
END_TEST

START_TEST(a_failed_channel_says_nothing_of_addresses)
{
	register_phone(0, 17);
	make(SCCP_OPEN_RECEIVE, 17, 140);
	set(SCCP_PARTY, 5);
	core_says(0);
	make(SCCP_OPEN_RECEIVE_ACK, 17, 48);
	set(SCCP_STATUS, 1);
	set(SCCP_PARTY, 5);
	set_addr("192.168.1.20:16500");
	phone_says(0);
	ck_assert_uint_eq(
		addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK)).port, 0);
}
END_TEST

START_TEST(copies_for_a_recorder_are_streams_of_their_own)
{
	struct addr rec = addr_of("10.0.0.88:9000");
	struct addr a[3];

	register_phone(0, 20);
	open_channel(0, 20, 17);
	for (uint32_t i = 0; i < 3; i++) {
		start_sending(0, 20, 17 + i, &rec);
		a[i] = addr_in(last(0, SIDE_PHONE, SCCP_START_TRANSMISSION));
	}
	ck_assert_uint_eq(flow_count(), 6);
	ck_assert(a[0].port != a[1].port && a[1].port != a[2].port);
}
END_TEST

START_TEST(there_is_room_for_so_many_streams)
{
	register_phone(0, 20);
	for (uint32_t i = 0; i < 25; i++)
		open_channel(0, 20, 100 + i);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 24);
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
}
END_TEST

START_TEST(the_relay_without_room_fails_the_channel)
{
	struct event ev = {.kind = EVENT_FLOW_FAILED};

	register_phone(0, 20);
	make(SCCP_OPEN_RECEIVE, 20, 140);
	set(SCCP_PARTY, 5);
	core_says(0);
	ev.flow.call = flows[0].call;
	ev.flow.flow = flows[0].id;
	step(&ev);
	ck_assert_uint_eq(flow_count(), 0);
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE));
}
END_TEST

START_TEST(multicast_is_refused_for_the_phone)
{
	register_phone(0, 20);
	make(SCCP_START_MC_RECEPTION, 20, 64);
	set(SCCP_PARTY, 5);
	set_addr("239.1.1.1:4000");
	core_says(0);
	ck_assert_ptr_null(last(0, SIDE_PHONE, SCCP_START_MC_RECEPTION));
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_MULTICAST_RECEPTION_ACK),
			 SCCP_STATUS),
		1);
}
END_TEST

/* Somebody barges in: a second channel in the same call. */
START_TEST(a_model_that_cannot_mix_keys_refuses_barge)
{
	traits.refuses_barge = true;
	register_phone(0, 11);
	open_channel(0, 11, 17);
	open_channel(0, 11, 18);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 1);
	ck_assert_uint_eq(sccp_u32(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK),
				   SCCP_STATUS),
			  2);
	end_stream(0, SCCP_CLOSE_RECEIVE, 17);
	open_channel(0, 11, 18);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_OPEN_RECEIVE), 2);
}
END_TEST

/* Three codecs, the second of them wideband. */
START_TEST(a_model_that_loses_wideband_does_not_offer_it)
{
	enum { CAPABILITIES = 0x0010, LEN = 304 };
	const struct sccp_msg *m;

	traits.loses_wideband = _i != 0;
	register_phone(0, 11);
	make(CAPABILITIES, 11, LEN);
	out.buf[12] = 3;
	out.buf[16] = 4;
	out.buf[32] = 25;
	out.buf[48] = 11;
	phone_says(0);
	m = last(0, SIDE_CORE, CAPABILITIES);
	ck_assert_uint_eq(m->bytes.len, LEN);
	ck_assert_uint_eq(m->bytes.ptr[12], _i ? 2 : 3);
	ck_assert_uint_eq(m->bytes.ptr[16], 4);
	ck_assert_uint_eq(m->bytes.ptr[32], _i ? 11 : 25);
	ck_assert_uint_eq(m->bytes.ptr[48], _i ? 0 : 11);
}
END_TEST

START_TEST(a_port_that_is_asked_for_is_ours)
{
	struct addr a;

	register_phone(0, 20);
	make(SCCP_PORT_REQ, 20, 36);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	core_says(0);
	ck_assert_ptr_nonnull(last(0, SIDE_PHONE, SCCP_PORT_REQ));
	make(SCCP_PORT_RES, 20, 56);
	set(SCCP_PARTY, 5);
	set(SCCP_CALL, 900);
	set_addr("192.168.1.20:16500");
	set(SCCP_RTCP_PORT, 16501);
	phone_says(0);
	a = addr_in(last(0, SIDE_CORE, SCCP_PORT_RES));
	ck_assert_uint_eq(flow_at(&a)->local.port, a.port);
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_CORE, SCCP_PORT_RES), SCCP_RTCP_PORT),
		a.port + 1u);
	make(SCCP_PORT_CLOSE, 20, 28);
	set(SCCP_PARTY, 5);
	core_says(0);
	ck_assert_uint_eq(flow_count(), 0);
}
END_TEST

/* ---- what passes ------------------------------------------------------------------ */

START_TEST(rules_drop_messages_by_their_id)
{
	register_phone(0, 11);
	make(0x7200, 11, 16);
	phone_says(0);
	core_says(0);
	make(0x7201, 11, 16);
	phone_says(0);
	core_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7200), 1);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, 0x7200), 1);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, 0x7201), 0);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, 0x7201), 0);
}
END_TEST

START_TEST(a_phone_begins_so_many_calls_a_minute)
{
	enum { OFF_HOOK = 0x0006 };

	register_phone(0, 11);
	for (int i = 0; i < 5; i++) {
		make(OFF_HOOK, 11, 20);
		phone_says(0);
	}
	ck_assert_uint_eq(count_to(0, SIDE_CORE, OFF_HOOK), 2);
	now_ms += 31000;
	phone_says(0);
	phone_says(0);
	ck_assert_uint_eq(count_to(0, SIDE_CORE, OFF_HOOK), 3);
	ck_assert_uint_eq(closed, 0);
}
END_TEST

START_TEST(stack_garbage_stays_inside)
{
	enum { TEXT = 0x0099 };
	const struct sccp_msg *m;

	register_phone(0, 11);
	make(TEXT, 11, 44);
	memcpy(out.buf + 12, "Hello\0secret of the stack", 25);
	core_says(0);
	m = last(0, SIDE_PHONE, TEXT);
	ck_assert_str_eq((const char *)m->bytes.ptr + 12, "Hello");
	for (size_t i = 17; i < m->bytes.len; i++)
		ck_assert_uint_eq(m->bytes.ptr[i], 0);
}
END_TEST

START_TEST(what_is_between_bridges_passes_nowhere)
{
	enum { ADD_PARTICIPANT = 0x013A };

	register_phone(0, 11);
	make(ADD_PARTICIPANT, 11, 120);
	phone_says(0);
	core_says(0);
	ck_assert_ptr_null(last(0, SIDE_CORE, ADD_PARTICIPANT));
	ck_assert_ptr_null(last(0, SIDE_PHONE, ADD_PARTICIPANT));
	ck_assert_uint_eq(closed, 0);
}
END_TEST

/* ---- what phones show ------------------------------------------------------------ */

static void call_info(unsigned i, uint32_t status)
{
	make(SCCP_CALL_INFO_V2, 17, 88);
	set(SCCP_LINE, 1);
	set(SCCP_CALL, 900);
	set(SCCP_CALL_TYPE, 2);
	set(SCCP_SECURITY, status);
	memcpy(out.buf + 44, "1001\0\0001002\0", 12);
	core_says(i);
}

static uint32_t shown(unsigned i)
{
	return sccp_u32(last(i, SIDE_PHONE, SCCP_CALL_INFO_V2), SCCP_SECURITY);
}

START_TEST(the_lock_is_there_while_it_is_true)
{
	struct call_info info;
	struct addr a;
	uint32_t pos = 0;

	register_phone(0, 17);
	register_phone(1, 17);
	call_info(0, 0);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_UNKNOWN);
	call_info(0, 3); /* nobody inside can know that */
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
	call_between(17);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	far_is(EVENT_FLOW_JOINED, &a, 2);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_ENCRYPTED);
	ck_assert(calls_next(c, &pos, &info));
	ck_assert(slice_eqs(info.caller, "1001"));
	ck_assert(slice_eqs(info.callee, "1002"));
	ck_assert_int_eq(info.security, CALL_ENCRYPTED);
	ck_assert(info.is_end_to_end);
	far_is(EVENT_FLOW_JOINED, &a, 1);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_AUTHENTICATED);
	far_is(EVENT_FLOW_PARTED, &a, 0);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
	call_info(0, 1);
	ck_assert_uint_eq(shown(0), SCCP_SECURITY_NONE);
}
END_TEST

/* A SIP phone, or one of another worker, sends under a key of its own. */
START_TEST(the_key_of_a_far_phone_is_learned_by_opening_anew)
{
	struct flow_key theirs = {.suite = SUITE_AES_CM_128_HMAC_SHA1_80,
				  .key = {9, 9, 9}};
	struct addr far = addr_of("10.0.0.1:45000");
	struct event ev = {.kind = EVENT_FLOW_JOINED};
	struct flow_key k;
	struct addr a;

	register_phone(0, 17);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &far);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	ev.flow = (struct event_flow){.call = flow_at(&a)->call,
				      .flow = flow_at(&a)->id,
				      .security = 2,
				      .key = &theirs};
	step(&ev);
	k = key_in(last(0, SIDE_PHONE, SCCP_OPEN_RECEIVE));
	ck_assert(flow_key_eq(&k, &theirs));
	ck_assert(flow_at(&a)->is_borrowed);
	ck_assert_uint_eq(count_to(0, SIDE_PHONE, SCCP_CLOSE_RECEIVE), 1);
}
END_TEST

START_TEST(an_operator_resets_a_phone)
{
	struct actions got = {.count = 0};

	ck_assert_int_eq(sccp_reset(c, slice_str(name_of(0)), 2, now_ms, &got),
			 ERR_NOTFOUND);
	register_phone(0, 17);
	ck_assert_int_eq(sccp_reset(c, slice_str(name_of(0)), 2, now_ms, &got),
			 0);
	ck_assert_uint_eq(got.count, 1);
	take_one(&got.item[0]);
	actions_done(&got);
	ck_assert_uint_eq(
		sccp_u32(last(0, SIDE_PHONE, SCCP_RESET), SCCP_RESET_TYPE), 2);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sccp");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, a_registration_passes_with_what_both_can_do, 0,
			    ROWS(versions));
	tcase_add_loop_test(tc, a_wrong_name_is_rejected, 0, 2);
	tcase_add_loop_test(tc, before_registering_little_is_allowed, 0,
			    ROWS(strangers));
	tcase_add_test(tc, a_phone_that_speaks_as_call_manager_is_closed);
	tcase_add_test(tc, what_nobody_knows_passes_bit_for_bit);
	tcase_add_test(tc,
		       the_next_call_manager_is_tried_then_the_phone_is_let_go);
	tcase_add_test(
		tc, a_standby_hears_keepalives_and_nothing_else_is_asked_of_it);
	tcase_add_test(tc, a_phone_without_keepalives_is_closed);
	tcase_add_test(tc, a_phone_that_comes_back_replaces_its_old_connection);
	tcase_add_test(tc, there_is_room_for_so_many_phones);
	tcase_add_loop_test(tc,
			    a_channel_gets_our_addresses_and_a_key_of_its_own,
			    0, ROWS(forms));
	tcase_add_test(tc, an_old_form_becomes_longer);
	tcase_add_test(tc, two_phones_have_one_key_set_for_each_direction);
	tcase_add_test(tc, a_phone_falls_back_to_rtp_and_comes_back);
	tcase_add_test(tc, a_call_falls_back_in_its_middle);
	tcase_add_test(tc,
		       without_srtp_a_phone_that_must_have_it_gets_no_channel);
	tcase_add_test(tc, a_failed_channel_says_nothing_of_addresses);
	tcase_add_test(tc, copies_for_a_recorder_are_streams_of_their_own);
	tcase_add_test(tc, there_is_room_for_so_many_streams);
	tcase_add_test(tc, the_relay_without_room_fails_the_channel);
	tcase_add_test(tc, multicast_is_refused_for_the_phone);
	tcase_add_test(tc, a_model_that_cannot_mix_keys_refuses_barge);
	tcase_add_loop_test(tc, a_model_that_loses_wideband_does_not_offer_it,
			    0, 2);
	tcase_add_test(tc, a_port_that_is_asked_for_is_ours);
	tcase_add_test(tc, rules_drop_messages_by_their_id);
	tcase_add_test(tc, a_phone_begins_so_many_calls_a_minute);
	tcase_add_test(tc, stack_garbage_stays_inside);
	tcase_add_test(tc, what_is_between_bridges_passes_nowhere);
	tcase_add_test(tc, the_lock_is_there_while_it_is_true);
	tcase_add_test(tc, the_key_of_a_far_phone_is_learned_by_opening_anew);
	tcase_add_test(tc, an_operator_resets_a_phone);
	return run_case("b2bua/sccp", tc);
}
