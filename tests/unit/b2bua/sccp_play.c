/*
 * See sccp_play.h.
 */
#include "unit/b2bua/sccp_play.h"

#include <check.h>
#include <stdio.h>

#include "b2bua/save.h"

struct calls *c;
static struct test_entropy entropy;
uint64_t now_ms;
static struct sent sent[SENT_MAX];
uint32_t sent_count;
struct flow flows[64]; /* as the relay has them now; id 0: none */
struct calls_params params;
struct kept arrived;
struct kept saved[SAVED_MAX];
size_t saved_count;
uint32_t closed;
uint32_t records;
uint32_t links; /* asked for */
uint64_t link_id[PHONES];
uint32_t link_manager;
struct sccp_out out;

struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(text), 0, &a), 0);
	return a;
}

struct dest phone_dest(unsigned i)
{
	struct dest d = {.ep = {.index = 10 + i, .gen = 1},
			 .peer = addr_of("198.51.100.7:40000"),
			 .local = addr_of("192.0.2.1:2443"),
			 .is_reliable = true,
			 .is_tls = true};

	d.peer.port = (uint16_t)(d.peer.port + i);
	return d;
}

struct dest core_dest(unsigned i)
{
	return (struct dest){.ep = {.index = 50 + i, .gen = 1},
			     .peer = addr_of("10.0.0.2:2000"),
			     .local = addr_of("10.0.0.1:33000"),
			     .is_reliable = true};
}

struct flow *flow_find(uint64_t id)
{
	for (size_t i = 0; i < 64; i++)
		if (flows[i].id == id)
			return &flows[i];
	return NULL;
}

uint32_t flow_count(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < 64; i++)
		n += flows[i].id != 0;
	return n;
}

/* As the store keeps it: by its key. */
static void keep(const struct action *a)
{
	struct slice key, rest;
	size_t i = 0;

	ck_assert_int_eq(save_split(a->bytes, &key, &rest), 0);
	while (i < saved_count && !slice_eqs(key, saved[i].key))
		i++;
	if (a->kind == ACTION_FORGET) {
		ck_assert_uint_lt(i, saved_count);
		saved[i] = saved[--saved_count];
		return;
	}
	ck_assert_uint_lt(i, SAVED_MAX);
	ck_assert_uint_lt(rest.len, sizeof(saved[i].bytes));
	if (i == saved_count)
		saved_count++;
	memcpy(saved[i].key, key.ptr, key.len);
	saved[i].key[key.len] = '\0';
	memcpy(saved[i].bytes, rest.ptr, rest.len);
	saved[i].len = rest.len;
}

static void forget_saved(void)
{
	saved_count = 0;
}

static void reach_nobody(void *ctx, enum side side, struct dest *dest)
{
	(void)ctx;
	(void)side;
	dest->ep = HANDLE_NONE;
}

/* What is not to be had is forgotten, as a worker does. */
uint32_t restart(void)
{
	static const struct save_restore how = {.reach = reach_nobody};
	uint32_t n = 0;

	c = calls_free(c);
	params.entropy = test_entropy(&entropy, 99);
	c = calls_new(&params, now_ms);
	ck_assert_ptr_nonnull(c);
	links = 0;
	for (size_t i = 0; i < saved_count;) {
		struct slice s = slice_make(saved[i].bytes, saved[i].len);
		int err = calls_restore(c, s, &how, now_ms);

		if (!err) {
			n++;
			i++;
			continue;
		}
		ck_assert_int_eq(err, ERR_NOTFOUND);
		saved[i] = saved[--saved_count];
	}
	return n;
}

uint32_t claim_flows(void)
{
	bool is_claimed[64] = {false};
	struct flow f[2];
	uint64_t pos = 0;
	uint32_t n = 0;

	while (calls_flows(c, &pos, f))
		for (int side = 0; side < 2; side++) {
			struct flow *k = flow_find(f[side].id);

			ck_assert_ptr_nonnull(k);
			ck_assert(addr_eq(&k->local, &f[side].local));
			ck_assert(addr_eq(&k->remote, &f[side].remote));
			ck_assert(flow_key_eq(&k->in, &f[side].in));
			ck_assert_int_eq(k->latch, f[side].latch);
			ck_assert_int_eq(k->security, f[side].security);
			ck_assert_int_eq(k->is_blocked, f[side].is_blocked);
			/* As the relay has it from now on. */
			*k = f[side];
			is_claimed[k - flows] = true;
			n++;
		}
	for (size_t i = 0; i < 64; i++)
		if (!is_claimed[i])
			flows[i].id = 0;
	return n;
}

void take_one(const struct action *a)
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
	case ACTION_AUTH:
	case ACTION_AUTH_INFO:
	case ACTION_RECORD:
		records += a->record == RECORD_MESSAGE;
		break;
	case ACTION_SAVE:
	case ACTION_FORGET:
		keep(a);
		break;
	case ACTION_ARRIVED:
		ck_assert_uint_le(a->bytes.len, sizeof(arrived.bytes));
		memcpy(arrived.bytes, a->bytes.ptr, a->bytes.len);
		arrived.len = a->bytes.len;
		break;
	}
}

void step(const struct event *ev)
{
	struct actions got = {.count = 0};

	ck_assert_int_eq(call_step(c, ev, now_ms, &got), 0);
	for (uint32_t i = 0; i < got.count; i++)
		take_one(&got.item[i]);
	actions_done(&got);
}

struct call_policy policy = {
	.media = MEDIA_SRTP_PREFER,
	.suite = {SUITE_AEAD_AES_128_GCM, SUITE_AES_CM_128_HMAC_SHA1_80},
	.suite_count = 2,
};

struct sccp_traits traits;

void start(void)
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
			 .rule = {{0x7200, 0x7200, SCCP_ALLOW, 0},
				  {0x7200, 0x72ff, SCCP_DROP, 0},
				  {0x7300, 0x7300, SCCP_LOG, 0},
				  {0x7301, 0x7302, SCCP_RATE, 3}},
			 .rule_count = 4},
		.t1_ms = 500,
		.t2_ms = 4000,
		.t4_ms = 5000,
		.seed = 1,
	};

	p.entropy = test_entropy(&entropy, 7);
	now_ms = 1000;
	sent_count = closed = links = records = 0;
	arrived.len = 0;
	forget_saved();
	memset(flows, 0, sizeof(flows));
	traits = (struct sccp_traits){.encrypts = true};
	policy.falls_back = policy.nat = false;
	policy.media = MEDIA_SRTP_PREFER;
	params = p;
	c = calls_new(&p, now_ms);
	ck_assert_ptr_nonnull(c);
}

void stop(void)
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
void say_as(unsigned i, enum side side, const char *device)
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

const char *name_of(unsigned i)
{
	static char name[PHONES][16];

	(void)snprintf(name[i], sizeof(name[i]), "SEP00112233445%u", i);
	return name[i];
}

void phone_says(unsigned i)
{
	say_as(i, SIDE_PHONE, name_of(i));
}

void core_says(unsigned i)
{
	say_as(i, SIDE_CORE, "");
}

void make(uint32_t id, uint32_t version, size_t len)
{
	sccp_out_make(&out, id, version, len);
}

void set(enum sccp_field f, uint32_t v)
{
	sccp_out_u32(&out, f, v);
}

void set_addr(const char *text)
{
	struct addr a = addr_of(text);

	ck_assert_int_eq(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a), 0);
}

/* The last message to phone i or its call manager, with this id. */
struct sccp_msg *last(unsigned i, enum side to, uint32_t id)
{
	struct dest d = to == SIDE_PHONE ? phone_dest(i) : core_dest(i);

	for (uint32_t k = sent_count; k-- > 0;)
		if (handle_eq(sent[k].dest.ep, d.ep) && sent[k].msg.id == id)
			return &sent[k].msg;
	return NULL;
}

uint32_t count_to(unsigned i, enum side to, uint32_t id)
{
	struct dest d = to == SIDE_PHONE ? phone_dest(i) : core_dest(i);
	uint32_t n = 0;

	for (uint32_t k = 0; k < sent_count; k++)
		n += handle_eq(sent[k].dest.ep, d.ep) && sent[k].msg.id == id;
	return n;
}

void link_up(unsigned i)
{
	struct event ev = {.kind = EVENT_SCCP_LINK,
			   .link = {.id = link_id[i],
				    .dest = core_dest(i),
				    .manager = SLICE("cm1")}};

	step(&ev);
}

void say_register(const char *name, uint32_t version)
{
	make(SCCP_REGISTER, 0, 136);
	sccp_out_text(&out, SCCP_NAME, slice_str(name));
	set(SCCP_MODEL, 115);
	set(SCCP_VERSION, version);
}

void register_phone(unsigned i, uint32_t version)
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

struct flow_key key_in(const struct sccp_msg *m)
{
	struct flow_key k;

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(sccp_key_parse(slice_sub(m->bytes, m->at[SCCP_KEY],
						  sccp_key_len(m)),
					&k),
			 0);
	return k;
}

struct addr addr_in(const struct sccp_msg *m)
{
	struct addr a;

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(sccp_addr(m, SCCP_ADDR, SCCP_PORT, &a), 0);
	return a;
}

void say_open(unsigned i, uint32_t version, uint32_t party)
{
	make(SCCP_OPEN_RECEIVE_ACK, version,
	     version >= SCCP_VERSION_LONG ? 48 : 32);
	set(SCCP_PARTY, party);
	set(SCCP_CALL, 900);
	set_addr("192.168.1.20:16500");
	phone_says(i);
}

/* The call manager opens a channel of phone i, which says yes. */
void open_channel(unsigned i, uint32_t version, uint32_t party)
{
	bool is_long = version >= SCCP_VERSION_LONG;

	make(SCCP_OPEN_RECEIVE, version, is_long ? 140 : 80);
	set(SCCP_CONF, 900);
	set(SCCP_CALL, 900);
	set(SCCP_PARTY, party);
	set(SCCP_CODEC, 4);
	core_says(i);
	say_open(i, version, party);
}

void start_sending(unsigned i, uint32_t version, uint32_t party,
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

void end_stream(unsigned i, uint32_t id, uint32_t party)
{
	make(id, 0, 28);
	set(SCCP_CONF, 900);
	set(SCCP_CALL, 900);
	set(SCCP_PARTY, party);
	core_says(i);
}

struct flow *flow_at(const struct addr *local)
{
	for (size_t i = 0; i < 64; i++)
		if (flows[i].id && addr_eq(&flows[i].local, local))
			return &flows[i];
	ck_abort_msg("no flow there");
	return NULL;
}

void far_is(enum event_kind kind, const struct addr *local, uint8_t security)
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

void far_sends(const struct addr *local, const struct flow_key *key)
{
	struct event ev = {.kind = EVENT_FLOW_JOINED};

	ev.flow = (struct event_flow){.call = flow_at(local)->call,
				      .flow = flow_at(local)->id,
				      .security = 2,
				      .key = key};
	step(&ev);
}

/* The channel of one phone is opened, then the other is told to send there. */
void call_between(uint32_t version)
{
	struct addr a, b;

	open_channel(0, version, 17);
	open_channel(1, version, 18);
	a = addr_in(last(0, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	b = addr_in(last(1, SIDE_CORE, SCCP_OPEN_RECEIVE_ACK));
	start_sending(0, version, 17, &b);
	start_sending(1, version, 18, &a);
}

void call_info(unsigned i, uint32_t status)
{
	make(SCCP_CALL_INFO_V2, 17, 88);
	set(SCCP_LINE, 1);
	set(SCCP_CALL, 900);
	set(SCCP_CALL_TYPE, 2);
	set(SCCP_SECURITY, status);
	memcpy(out.buf + 44, "1001\0\0001002\0", 12);
	core_says(i);
}

uint32_t shown(unsigned i)
{
	return sccp_u32(last(i, SIDE_PHONE, SCCP_CALL_INFO_V2), SCCP_SECURITY);
}
