/*
 * A Skinny phone's two connections, its registration, and who may say what.
 *
 *	CONNECTED --Register--> REGISTERING --RegisterAck--> REGISTERED
 *	    ^                      | RegisterReject             |
 *	    '----------------------'                            |
 *	    '-----------------UnregisterAck (0)-----------------'
 *
 * Before RegisterAck a phone may send what leads to it and keepalives, which
 * is all that a standby call manager ever hears.
 */
#include "b2bua/sccp.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"
#include "sccp/frame.h"

/* ---- sending --------------------------------------------------------------- */

static void send_bytes(struct calls *c, struct sccp_phone *p, enum side to,
		       struct slice bytes)
{
	/* A kept phone has nobody to send to. */
	if (!p->end[to].is_linked)
		return;
	/* One order for all that a phone sends and hears: what opens a channel
	 * waits for the media process, and all behind it. */
	calls_emit(c, &(struct action){.kind = ACTION_SCCP_SEND,
				       .call = handle_u64(p->obj.self),
				       .dest = p->dest[to],
				       .bytes = bytes});
}

void sccp_send(struct calls *c, struct sccp_phone *p, enum side to,
	       struct sccp_out *o)
{
	send_bytes(c, p, to, sccp_out_bytes(o));
	sccp_out_wipe(o);
}

void sccp_pass(struct calls *c, struct sccp_phone *p, enum side to,
	       const struct sccp_msg *m)
{
	send_bytes(c, p, to, m->bytes);
}

/* ---- beginning and end ------------------------------------------------------- */

uint32_t sccp_room(const struct calls *c)
{
	return c->p.sccp.phone_limit ? c->p.sccp.phone_limit
				     : c->p.binding_limit;
}

void sccp_limit(struct calls *c)
{
	size_t phones = sccp_room(c);

	c->sccp.eps.limit = phones * 2;
	c->sccp.names.limit = phones + c->sccp.kept;
}

int sccp_init(struct calls *c)
{
	table_init(&c->sccp.eps, 0, c->p.seed);
	table_init(&c->sccp.names, 0, c->p.seed);
	timerq_init(&c->sccp.timers);
	c->sccp.out = alloc_zero(sizeof(*c->sccp.out));
	return c->sccp.out ? 0 : ERR_NOMEM;
}

void sccp_done(struct calls *c)
{
	table_done(&c->sccp.eps);
	table_done(&c->sccp.names);
	timerq_done(&c->sccp.timers);
	alloc_free(c->sccp.out);
}

static struct sccp_phone *find_phone(const struct calls *c, struct handle ep)
{
	struct table_node *n;
	uint8_t key[8];

	calls_ep_key(ep, key);
	n = table_find(&c->sccp.eps, slice_make(key, sizeof(key)));
	return n ? TABLE_ENTRY(n, struct sccp_end, node)->phone : NULL;
}

static int link_ep(struct calls *c, struct sccp_phone *p, enum side side,
		   const struct dest *d)
{
	struct sccp_end *e = &p->end[side];
	int err;

	p->dest[side] = *d;
	e->phone = p;
	calls_ep_key(d->ep, e->key);
	err = table_add(&c->sccp.eps, &e->node,
			slice_make(e->key, sizeof(e->key)));
	e->is_linked = !err;
	return err;
}

static void unlink_ep(struct calls *c, struct sccp_phone *p, enum side side)
{
	if (p->end[side].is_linked)
		table_del(&c->sccp.eps, &p->end[side].node);
	p->end[side].is_linked = false;
}

static void forget_name(struct calls *c, struct sccp_phone *p)
{
	if (p->has_name)
		table_del(&c->sccp.names, &p->by_name);
	p->has_name = false;
}

void sccp_phone_free(struct calls *c, struct sccp_phone *p)
{
	sccp_calls_end(c, p);
	sccp_media_free(c, p);
	unlink_ep(c, p, SIDE_PHONE);
	unlink_ep(c, p, SIDE_CORE);
	forget_name(c, p);
	if (p->phase == SCCP_REGISTERED)
		c->sccp.registered--;
	timerq_clear(&c->sccp.timers, &p->timer);
	buf_done(&p->pending);
	alloc_free(p->rates);
	obj_done(c, &p->obj);
	if (p->is_kept) {
		c->sccp.kept--;
		c->sccp.names.limit--;
	} else {
		c->sccp.count--;
	}
	alloc_free(p);
}

static void close_ep(struct calls *c, struct sccp_phone *p, enum side side)
{
	if (p->end[side].is_linked)
		calls_emit(c, &(struct action){.kind = ACTION_CONN_CLOSE,
					       .call = handle_u64(p->obj.self),
					       .dest = p->dest[side]});
}

void sccp_phone_end(struct calls *c, struct sccp_phone *p, const char *reason)
{
	uint64_t cookie = handle_u64(p->obj.self);

	if (p->name[0] != '\0')
		record_sccp(c,
			    p->phase == SCCP_REGISTERED || p->is_kept
				    ? RECORD_UNREGISTERED
				    : RECORD_REFUSED,
			    p, reason);
	sccp_media_end(c, p);
	sccp_save_done(c, p);
	close_ep(c, p, SIDE_PHONE);
	close_ep(c, p, SIDE_CORE);
	calls_emit(c, &(struct action){.kind = ACTION_SCCP_UNLINK,
				       .call = cookie,
				       .id = cookie});
	sccp_phone_free(c, p);
}

static void ask_link(struct calls *c, struct sccp_phone *p)
{
	uint64_t cookie = handle_u64(p->obj.self);

	calls_emit(c, &(struct action){.kind = ACTION_SCCP_LINK,
				       .id = cookie,
				       .link = {p->listener, p->manager}});
}

void sccp_arm(struct calls *c, struct sccp_phone *p)
{
	uint64_t at = p->heard_ms + (uint64_t)p->keepalive_ms * SCCP_MISSED +
		      p->keepalive_ms / 2;

	if (p->rekey_ms < at)
		at = p->rekey_ms;
	/* The node is in the queue since the phone came: cannot fail. */
	if (timerq_set(&c->sccp.timers, &p->timer, at) != 0)
		c->err = ERR_NOMEM;
}

/*
 * Neither connections nor a name yet. A kept phone takes nobody's room: as many
 * as were there before may come back while it is still there.
 */
static struct sccp_phone *phone_alloc(struct calls *c, bool is_kept)
{
	struct sccp_phone *p;

	if ((is_kept ? c->sccp.kept : c->sccp.count) >= sccp_room(c))
		return NULL;
	p = alloc_zero(sizeof(*p));
	if (!p)
		return NULL;
	list_init(&p->streams);
	list_init(&p->calls);
	p->heard_ms = p->since_ms = c->now_ms;
	p->rekey_ms = UINT64_MAX;
	p->keepalive_ms = SCCP_KEEPALIVE_MS;
	p->traits.encrypts = true;
	bucket_init(&p->calls_bucket, 1, 1, c->now_ms);
	if (obj_init(c, &p->obj, OBJ_SCCP) != 0) {
		alloc_free(p);
		return NULL;
	}
	p->is_kept = is_kept;
	if (is_kept) {
		c->sccp.kept++;
		c->sccp.names.limit++;
	} else {
		c->sccp.count++;
	}
	if (timerq_set(&c->sccp.timers, &p->timer, UINT64_MAX - 1) != 0) {
		sccp_phone_free(c, p);
		return NULL;
	}
	return p;
}

static struct sccp_phone *phone_new(struct calls *c,
				    const struct event_sccp *ev)
{
	struct sccp_phone *p = phone_alloc(c, false);

	if (!p)
		return NULL;
	p->listener = ev->listener;
	p->manager_count = ev->manager_count;
	p->sig = ev->sig;
	if (link_ep(c, p, SIDE_PHONE, &ev->from) != 0) {
		sccp_phone_free(c, p);
		return NULL;
	}
	sccp_arm(c, p);
	ask_link(c, p);
	return p;
}

struct sccp_phone *sccp_phone_kept(struct calls *c)
{
	struct sccp_phone *p = phone_alloc(c, true);

	if (!p)
		return NULL;
	/* As if it were so long until it has to say something. */
	p->keepalive_ms = SCCP_KEPT_MS / (2 * SCCP_MISSED + 1) * 2;
	sccp_arm(c, p);
	return p;
}

/* ---- what the phone says ------------------------------------------------------ */

static bool is_before_register(uint32_t id)
{
	enum { ENHANCED_ALARM = 0x015A };

	return id == SCCP_KEEPALIVE || id == SCCP_REGISTER ||
	       id == SCCP_IP_PORT || id == SCCP_ALARM || id == ENHANCED_ALARM ||
	       id == SCCP_TOKEN_REQ || id == SCCP_SPCP_TOKEN_REQ ||
	       id == SCCP_UNREGISTER;
}

static bool is_token(uint32_t id)
{
	return id == SCCP_TOKEN_REQ || id == SCCP_SPCP_TOKEN_REQ;
}

static bool begins_call(uint32_t id)
{
	enum { ENBLOC_CALL = 0x0004, OFF_HOOK = 0x0006, OFF_HOOK_FROM = 0x24 };

	return id == ENBLOC_CALL || id == OFF_HOOK || id == OFF_HOOK_FROM;
}

/* Rejected by us: the phone shows the text, and tries again later. */
static void reject(struct calls *c, struct sccp_phone *p, const char *text)
{
	enum { TEXT_LEN = 32 };
	struct sccp_out *o = c->sccp.out;
	struct slice s = slice_sub(slice_str(text), 0, TEXT_LEN - 1);

	sccp_out_make(o, SCCP_REGISTER_REJECT, 0, SCCP_HEAD_LEN + TEXT_LEN);
	memcpy(o->buf + SCCP_HEAD_LEN, s.ptr, s.len);
	sccp_send(c, p, SIDE_PHONE, o);
	c->sccp.counts.name++;
	sccp_phone_end(c, p, text);
}

/* Only one connection of a phone is registered: the old one is dead, though
 * nobody has noticed. */
static void replace_old(struct calls *c, struct sccp_phone *p)
{
	struct table_node *n = table_find(&c->sccp.names, slice_str(p->name));
	struct sccp_phone *old = TABLE_ENTRY(n, struct sccp_phone, by_name);

	if (old && old != p)
		sccp_phone_end(c, old, "registered anew");
}

/* Phones below this protocol version are told StartMediaReception, whose layout
 * nobody has published: their media pass as they are. */
static bool is_too_old(const struct event_sccp *ev)
{
	enum { FIRST_WITH_CHANNELS = 3 };

	return ev->policy->media == MEDIA_SRTP_REQUIRE &&
	       sccp_u32(ev->msg, SCCP_VERSION) < FIRST_WITH_CHANNELS;
}

/* True: p may go on. */
static bool take_register(struct calls *c, struct sccp_phone *p,
			  const struct event_sccp *ev)
{
	struct slice name = sccp_text(ev->msg, SCCP_NAME);

	/* What is saved of it is known by the name it had. */
	sccp_save_done(c, p);
	save_touch(c, &p->obj);
	if (ev->device.len == 0 || !ev->policy || name.len == 0 ||
	    name.len >= sizeof(p->name) || !text_ieq(name, ev->device)) {
		if (text_copy(slice_sub(name, 0, sizeof(p->name) - 1), p->name,
			      sizeof(p->name)) != 0)
			p->name[0] = '?';
		reject(c, p, "Sallyport: device is not known");
		return false;
	}
	if (is_too_old(ev)) {
		reject(c, p, "Sallyport: too old to encrypt");
		return false;
	}
	forget_name(c, p);
	memcpy(p->name, ev->device.ptr, ev->device.len);
	p->name[ev->device.len] = '\0';
	p->policy = *ev->policy;
	p->traits = ev->traits;
	p->sig = ev->sig;
	p->model = sccp_u32(ev->msg, SCCP_MODEL);
	p->version_offered = (uint8_t)sccp_u32(ev->msg, SCCP_VERSION);
	replace_old(c, p);
	if (table_add(&c->sccp.names, &p->by_name, slice_str(p->name)) != 0) {
		reject(c, p, "Sallyport: too many phones");
		return false;
	}
	p->has_name = true;
	if (p->phase == SCCP_REGISTERED)
		c->sccp.registered--;
	p->phase = SCCP_REGISTERING;
	if (c->p.sccp.call_rate > 0)
		bucket_init(&p->calls_bucket, c->p.sccp.call_rate,
			    c->p.sccp.call_rate, c->now_ms / 60);
	return true;
}

/* Its limit of calls at once, and a rate of calls by the minute, in a bucket that knows seconds: it is shown
 * a clock that goes sixty times slower. */
static bool may_call(struct calls *c, struct sccp_phone *p)
{
	if (p->policy.call_limit > 0 && p->call_count >= p->policy.call_limit)
		return false;
	return c->p.sccp.call_rate == 0 ||
	       bucket_take(&p->calls_bucket, c->now_ms / 60);
}

/* May this message go on at all? False: it is dropped, or, *ret_end set, the
 * phone is. */
static bool is_admitted(struct calls *c, struct sccp_phone *p,
			const struct sccp_msg *m, const char **ret_end)
{
	/* Those of bridges and MTPs pass in neither direction. */
	if (m->row && m->row->dir == SCCP_MEDIA_RESOURCE) {
		c->sccp.counts.dropped++;
		return false;
	}
	if (m->row && !(m->row->dir & SCCP_FROM_PHONE)) {
		c->sccp.counts.direction++;
		*ret_end = "a message that only call managers send";
		return false;
	}
	if (p->phase != SCCP_REGISTERED && !is_before_register(m->id) &&
	    p->phase != SCCP_REGISTERING) {
		c->sccp.counts.state++;
		*ret_end = "a message before it registered";
		return false;
	}
	if (p->phase == SCCP_REGISTERING && !is_before_register(m->id)) {
		c->sccp.counts.dropped++;
		return false;
	}
	if (begins_call(m->id) && !may_call(c, p)) {
		c->sccp.counts.flood++;
		return false;
	}
	return true;
}

static void pass_register(struct calls *c, struct sccp_phone *p,
			  const struct sccp_msg *m)
{
	uint32_t max = c->p.sccp.version_max ? c->p.sccp.version_max
					     : SCCP_VERSION_MAX;
	struct sccp_out *o = c->sccp.out;

	sccp_out_copy(o, m);
	sccp_out_station(o, &p->dest[SIDE_CORE].local);
	if (sccp_u32(m, SCCP_VERSION) > max)
		sccp_out_u32(o, SCCP_VERSION, max);
	sccp_send(c, p, SIDE_CORE, o);
}

/* The wideband codec of a phone that cannot encrypt it is not told inside. */
static void pass_capabilities(struct calls *c, struct sccp_phone *p,
			      const struct sccp_msg *m)
{
	enum { COUNT_AT = 12, FIRST = 16, ITEM = 16, WIDEBAND = 25 };
	struct sccp_out *o = c->sccp.out;
	uint8_t *b = o->buf;
	uint32_t kept = 0;
	uint32_t count;

	sccp_out_copy(o, m);
	count = o->len > FIRST ? b[COUNT_AT] : 0;
	for (uint32_t i = 0; i < count; i++) {
		size_t at = FIRST + (size_t)i * ITEM;

		if (at + ITEM > o->len)
			break;
		if (p->traits.loses_wideband && sccp_is_secure(p) &&
		    b[at] == WIDEBAND && b[at + 1] == 0)
			continue;
		memmove(b + FIRST + (size_t)kept++ * ITEM, b + at, ITEM);
	}
	for (uint32_t i = kept; i < count; i++)
		if (FIRST + (size_t)(i + 1) * ITEM <= o->len)
			memset(b + FIRST + (size_t)i * ITEM, 0, ITEM);
	if (kept < count && o->len >= FIRST + (size_t)count * ITEM)
		b[COUNT_AT] = (uint8_t)kept;
	sccp_send(c, p, SIDE_CORE, o);
}

static void to_core(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m)
{
	enum { CAPABILITIES = 0x0010 };
	struct sccp_out *o = c->sccp.out;

	if (!sccp_msg_is_whole(m)) {
		c->sccp.counts.malformed++;
		return;
	}
	if (sccp_media_from_phone(c, p, m))
		return;
	switch (m->id) {
	case SCCP_REGISTER:
		pass_register(c, p, m);
		return;
	case SCCP_TOKEN_REQ:
	case SCCP_SPCP_TOKEN_REQ:
		sccp_out_copy(o, m);
		sccp_out_station(o, &p->dest[SIDE_CORE].local);
		sccp_send(c, p, SIDE_CORE, o);
		return;
	case CAPABILITIES:
		pass_capabilities(c, p, m);
		return;
	default:
		sccp_pass(c, p, SIDE_CORE, m);
		return;
	}
}

static void from_phone(struct calls *c, const struct event_sccp *ev)
{
	struct sccp_phone *p = find_phone(c, ev->from.ep);
	const char *end = NULL;

	c->sccp.counts.from_phone++;
	if (!p)
		p = phone_new(c, ev);
	if (!p) {
		calls_emit(c, &(struct action){.kind = ACTION_CONN_CLOSE,
					       .dest = ev->from});
		return;
	}
	c->cookie = handle_u64(p->obj.self);
	p->heard_ms = c->now_ms;
	if (!is_admitted(c, p, ev->msg, &end)) {
		if (end)
			sccp_phone_end(c, p, end);
		return;
	}
	if (!sccp_may_pass(c, p, SIDE_PHONE, ev->msg))
		return;
	if (ev->msg->id == SCCP_REGISTER &&
	    (!sccp_msg_is_whole(ev->msg) || !take_register(c, p, ev)))
		return;
	if (is_token(ev->msg->id) &&
	    !text_ieq(sccp_text(ev->msg, SCCP_NAME), ev->device)) {
		c->sccp.counts.name++;
		sccp_phone_end(c, p, "a token for another name");
		return;
	}
	if (p->is_linked)
		to_core(c, p, ev->msg);
	else if (buf_add(&p->pending, ev->msg->bytes, SCCP_PENDING_MAX) != 0)
		sccp_phone_end(c, p, "the call manager does not answer");
}

/* ---- what the call manager says --------------------------------------------- */

static void take_ack(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m)
{
	struct sccp_out *o = c->sccp.out;
	uint32_t version = sccp_u32(m, SCCP_VERSION);
	uint32_t s = sccp_u32(m, SCCP_KEEPALIVE_S);

	if (p->phase == SCCP_CONNECTED) {
		c->sccp.counts.dropped++;
		return;
	}
	/* Nobody speaks what the other cannot, whatever a server says. */
	if (version > p->version_offered)
		version = p->version_offered;
	sccp_out_copy(o, m);
	sccp_out_u32(o, SCCP_VERSION, version);
	sccp_out_clean(o);
	p->version = version;
	if (s > 0 && s <= 3600)
		p->keepalive_ms = s * 1000;
	if (p->phase != SCCP_REGISTERED)
		c->sccp.registered++;
	p->phase = SCCP_REGISTERED;
	p->since_ms = c->now_ms;
	sccp_arm(c, p);
	record_sccp(c, RECORD_REGISTERED, p, NULL);
	sccp_send(c, p, SIDE_PHONE, o);
	arrive_tell_sccp(c, p->name);
}

static void leave(struct calls *c, struct sccp_phone *p, const char *reason)
{
	if (p->phase != SCCP_CONNECTED)
		record_sccp(c, RECORD_UNREGISTERED, p, reason);
	sccp_media_end(c, p);
	sccp_calls_end(c, p);
	forget_name(c, p);
	if (p->phase == SCCP_REGISTERED)
		c->sccp.registered--;
	p->phase = SCCP_CONNECTED;
}

static void pass_clean(struct calls *c, struct sccp_phone *p,
		       const struct sccp_msg *m)
{
	struct sccp_out *o = c->sccp.out;

	if (!m->row || !m->row->string) {
		sccp_pass(c, p, SIDE_PHONE, m);
		return;
	}
	sccp_out_copy(o, m);
	sccp_out_clean(o);
	sccp_send(c, p, SIDE_PHONE, o);
}

/* The phone is to come back here, and nowhere else. */
static void pass_servers(struct calls *c, struct sccp_phone *p,
			 const struct sccp_msg *m)
{
	struct sccp_out *o = c->sccp.out;

	sccp_out_copy(o, m);
	if (sccp_out_servers(o, &p->dest[SIDE_PHONE].local, 1) == 0)
		sccp_send(c, p, SIDE_PHONE, o);
	else
		c->sccp.counts.dropped++;
}

static void to_phone(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m)
{
	switch (m->id) {
	case SCCP_REGISTER_ACK:
		take_ack(c, p, m);
		return;
	case SCCP_REGISTER_REJECT:
		pass_clean(c, p, m);
		leave(c, p, "refused by the call manager");
		return;
	case SCCP_UNREGISTER_ACK:
		sccp_pass(c, p, SIDE_PHONE, m);
		if (sccp_u32(m, SCCP_STATUS) == 0)
			leave(c, p, "unregistered");
		return;
	case SCCP_SERVER_RES:
		pass_servers(c, p, m);
		return;
	case SCCP_CALL_INFO:
	case SCCP_CALL_INFO_V2:
		sccp_call_info(c, p, m);
		return;
	case SCCP_CALL_STATE:
		sccp_call_state(c, p, m);
		return;
	default:
		pass_clean(c, p, m);
		return;
	}
}

static void from_core(struct calls *c, const struct event_sccp *ev)
{
	struct sccp_phone *p = find_phone(c, ev->from.ep);
	const struct sccp_msg *m = ev->msg;

	c->sccp.counts.from_core++;
	if (!p) {
		calls_emit(c, &(struct action){.kind = ACTION_CONN_CLOSE,
					       .dest = ev->from});
		return;
	}
	c->cookie = handle_u64(p->obj.self);
	p->header = m->version;
	if (m->row && !(m->row->dir & SCCP_FROM_CORE)) {
		c->sccp.counts.dropped++;
		return;
	}
	if (!sccp_may_pass(c, p, SIDE_CORE, m))
		return;
	if (!sccp_msg_is_whole(m)) {
		c->sccp.counts.malformed++;
		return;
	}
	if (m->row && m->row->is_media && p->phase != SCCP_REGISTERED) {
		c->sccp.counts.state++;
		return;
	}
	if (!sccp_media_from_core(c, p, m))
		to_phone(c, p, m);
}

void sccp_event(struct calls *c, const struct event_sccp *ev)
{
	if (!ev->msg->row)
		c->sccp.counts.unknown++;
	if (ev->side == SIDE_PHONE)
		from_phone(c, ev);
	else
		from_core(c, ev);
}

/* ---- the connection to the call manager -------------------------------------- */

/* What the phone has said while nobody was there to hear it. */
static void flush(struct calls *c, struct sccp_phone *p)
{
	struct sccp_pdu pdu;
	struct sccp_msg m;

	while (sccp_frame(buf_slice(&p->pending), SCCP_PDU_MAX, &pdu) == 0) {
		sccp_msg_parse(&pdu, &m);
		to_core(c, p, &m);
		buf_drop(&p->pending, pdu.bytes.len);
	}
	buf_done(&p->pending);
}

void sccp_link(struct calls *c, const struct event_link *ev)
{
	struct obj *o = obj_find(c, ev->id);
	struct sccp_phone *p;

	if (!o || o->kind != OBJ_SCCP ||
	    LIST_ENTRY(o, struct sccp_phone, obj)->is_linked) {
		if (!handle_is_none(ev->dest.ep))
			calls_emit(c,
				   &(struct action){.kind = ACTION_CONN_CLOSE,
						    .dest = ev->dest});
		return;
	}
	p = LIST_ENTRY(o, struct sccp_phone, obj);
	c->cookie = ev->id;
	if (handle_is_none(ev->dest.ep)) {
		p->manager++;
		if (p->manager < p->manager_count)
			ask_link(c, p);
		else
			sccp_phone_end(c, p, "no call manager can be reached");
		return;
	}
	if (link_ep(c, p, SIDE_CORE, &ev->dest) != 0) {
		sccp_phone_end(c, p, "no memory");
		return;
	}
	if (text_copy(slice_sub(ev->manager, 0, sizeof(p->manager_name) - 1),
		      p->manager_name, sizeof(p->manager_name)) != 0)
		p->manager_name[0] = '\0';
	p->is_linked = true;
	flush(c, p);
}

void sccp_conn_down(struct calls *c, struct handle conn)
{
	struct sccp_phone *p = find_phone(c, conn);

	if (!p)
		return;
	for (int side = 0; side < 2; side++)
		if (handle_eq(p->dest[side].ep, conn))
			unlink_ep(c, p, (enum side)side);
	c->cookie = handle_u64(p->obj.self);
	sccp_phone_end(c, p,
		       p->end[SIDE_PHONE].is_linked ? "the call manager hung up"
						    : "connection lost");
}

void sccp_timers(struct calls *c)
{
	while (timerq_next(&c->sccp.timers) <= c->now_ms) {
		struct sccp_phone *p = TIMERQ_ENTRY(c->sccp.timers.heap[0],
						    struct sccp_phone, timer);
		uint64_t silent = c->now_ms - p->heard_ms;

		c->cookie = handle_u64(p->obj.self);
		if (p->rekey_ms <= c->now_ms) {
			p->rekey_ms = UINT64_MAX;
			p->rekey_ms = sccp_switch_due(c, p);
			sccp_rekey(c, p);
		}
		if (silent >= (uint64_t)p->keepalive_ms * SCCP_MISSED +
				      p->keepalive_ms / 2)
			sccp_phone_end(c, p, "no keepalive");
		else
			sccp_arm(c, p);
	}
}

/* ---- another configuration ---------------------------------------------------- */

int sccp_policy(struct calls *c, uint64_t id, const struct call_policy *policy,
		const struct sccp_traits *traits, uint64_t now_ms,
		struct actions *ret_out)
{
	struct obj *o = obj_find(c, id);
	struct sccp_phone *p;

	if (!o || o->kind != OBJ_SCCP)
		return 0;
	p = LIST_ENTRY(o, struct sccp_phone, obj);
	calls_begin(c, now_ms, ret_out);
	c->cookie = id;
	if (policy) {
		p->policy = *policy;
		p->traits = *traits;
	} else {
		sccp_phone_end(c, p, "the configuration says so");
	}
	return calls_end(c);
}
