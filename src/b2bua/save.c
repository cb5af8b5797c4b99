/*
 * Calls and bindings field by field, and when they are saved. Subscriptions
 * are save_sub.c's.
 */
#include "b2bua/coder.h"
#include "b2bua/sccp.h"
#include "b2bua/sub.h"

#include "base/secret.h"

/* ---- a call ---------------------------------------------------------------- */

static void code_leg(struct coder *k, struct leg *leg)
{
	coder_peer(k, leg);
	coder_cseqs(k, leg);
	leg->is_confirmed = coder_bool(k, leg->is_confirmed);
	leg->sdp_id = coder_u64(k, leg->sdp_id);
	leg->sdp_version = coder_u64(k, leg->sdp_version);
	coder_bytes(k, &leg->sdp, &leg->sdp_len);
	coder_bytes(k, &leg->said, &leg->said_len);
	leg->allows_update = coder_bool(k, leg->allows_update);
	leg->session.interval_s = coder_u32(k, leg->session.interval_s);
	leg->session.min_s = coder_u32(k, leg->session.min_s);
	leg->session.is_ours = coder_bool(k, leg->session.is_ours);
	leg->session.start_ms = coder_u64(k, leg->session.start_ms);
}

static void code_party(struct coder *k, struct party *p)
{
	coder_addr(k, &p->rtp);
	coder_addr(k, &p->rtcp);
	p->is_on = coder_bool(k, p->is_on);
	p->sends = coder_bool(k, p->sends);
	p->wants = coder_bool(k, p->wants);
	p->is_muxed = coder_bool(k, p->is_muxed);
}

static void code_stream(struct coder *k, struct stream *s)
{
	/* A pending offer dies with us: what was agreed before it counts. */
	bool is_audio = s->is_agreed ? s->was_audio : s->is_audio;
	bool is_raw = s->has_flows ? s->flow[0].is_raw : s->is_raw;
	char codec[sizeof(s->codec)];
	size_t len;

	memcpy(codec, s->is_agreed ? s->was_codec : s->codec, sizeof(codec));
	len = strlen(codec);
	s->is_used = true;
	s->has_flows = coder_bool(k, s->has_flows);
	is_audio = coder_bool(k, is_audio);
	s->is_agreed = coder_bool(k, s->is_agreed);
	s->is_srtp = coder_bool(k, s->is_srtp);
	is_raw = coder_bool(k, is_raw);
	s->phone_proto = (enum sdp_proto)coder_max(k, s->phone_proto,
						   SDP_PROTO_RTP_SAVPF);
	len = coder_max(k, (unsigned)len, sizeof(codec) - 1);
	coder_chars(k, codec, len);
	if (k->is_reading) {
		s->is_audio = s->was_audio = is_audio;
		s->is_raw = is_raw;
		memcpy(s->codec, codec, sizeof(codec));
		memcpy(s->was_codec, codec, sizeof(codec));
	}
	for (int side = 0; side < 2; side++) {
		code_party(k, &s->next[side]);
		if (!s->has_flows)
			continue;
		coder_flow(k, &s->flow[side]);
		s->port[side] = s->flow[side].local.port;
	}
}

/* What a pending offer has begun is not saved: its exchange dies with us. */
static bool is_lasting(const struct stream *s)
{
	return s->is_used && !s->is_new;
}

static void code_media(struct coder *k, struct media *m)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (coder_bool(k, is_lasting(&m->stream[i])))
			code_stream(k, &m->stream[i]);
	for (size_t i = 0; i < SDP_MEDIA_MAX; i++) {
		uint8_t line = m->line[i];

		if (!k->is_reading && line > 0 &&
		    !is_lasting(&m->stream[line - 1]))
			line = 0;
		line = (uint8_t)coder_max(k, line, STREAMS_MAX);
		if (!k->is_reading)
			continue;
		if (line > 0 && !m->stream[line - 1].is_used)
			reader_fail(&k->r);
		m->line[i] = line;
	}
	m->twin_at = (uint8_t)coder_max(k, m->twin_at, SDP_MEDIA_MAX);
	m->twin_count = (uint8_t)coder_max(k, m->twin_count, SDP_MEDIA_MAX);
	for (size_t i = 0; i < SDP_MEDIA_MAX; i++)
		m->twin_of[i] =
			(uint8_t)coder_max(k, m->twin_of[i], SDP_MEDIA_MAX - 1);
	m->no_srtp = coder_bool(k, m->no_srtp);
	m->is_agreed = coder_bool(k, m->is_agreed);
}

/* What the successor has to keep may not be what is waited for now. */
static void code_deadline(struct coder *k, struct call *call, enum side side,
			  enum call_deadline which)
{
	uint64_t at = coder_u64(k, session_successor_ms(&call->leg[side]));

	if (k->is_reading)
		call->deadline_ms[which] = at;
}

static void code_call(struct coder *k, struct call *call)
{
	call->caller = (enum side)coder_max(k, call->caller, SIDE_CORE);
	coder_text(k, &call->device);
	coder_text(k, &call->from);
	coder_text(k, &call->to);
	coder_policy(k, &call->policy);
	call->sig = (enum sig_level)coder_max(k, call->sig, SIG_ENCRYPTED);
	call->pass_auth = coder_bool(k, call->pass_auth);
	call->falls_back = coder_bool(k, call->falls_back);
	call->shown =
		(enum call_security)coder_max(k, call->shown, CALL_ENCRYPTED);
	call->is_shown = coder_bool(k, call->is_shown);
	call->start_ms = coder_u64(k, call->start_ms);
	call->answer_ms = coder_u64(k, call->answer_ms);
	code_deadline(k, call, SIDE_PHONE, DEADLINE_SESSION_PHONE);
	code_deadline(k, call, SIDE_CORE, DEADLINE_SESSION_CORE);
	code_leg(k, &call->leg[SIDE_PHONE]);
	code_leg(k, &call->leg[SIDE_CORE]);
	coder_refers(k, &call->refers);
	for (int side = 0; side < 2; side++)
		call->has_subscribed[side] =
			coder_bool(k, call->has_subscribed[side]);
	code_media(k, &call->media);
}

/* ---- a binding, and what its line has in common ------------------------------ */

static void code_line(struct coder *k, struct line *l)
{
	coder_text(k, &l->to);
	coder_text(k, &l->ruri);
	coder_dest(k, &l->core);
	coder_chars(k, l->call_id, TOKEN_LEN);
	coder_chars(k, l->tag, TAG_LEN);
	l->cseq = coder_u32(k, l->cseq);
}

static void code_binding(struct coder *k, struct binding *b)
{
	coder_text(k, &b->contact);
	coder_text(k, &b->params);
	coder_text(k, &b->instance);
	coder_text(k, &b->register_id);
	b->takes_service = coder_bool(k, b->takes_service);
	coder_dest(k, &b->dest);
	b->sig = (enum sig_level)coder_max(k, b->sig, SIG_ENCRYPTED);
	coder_policy(k, &b->policy);
	b->pass_auth = coder_bool(k, b->pass_auth);
	b->falls_back = coder_bool(k, b->falls_back);
	b->since_ms = coder_u64(k, b->since_ms);
	b->renew_ms = coder_u64(k, b->renew_ms);
}

/* The call manager b is registered with, by its address: handles are new. A
 * successor that does not know it registers b anew, elsewhere. */
static void code_place(struct coder *k, struct calls *c, struct binding *b)
{
	const struct core_entry *e = core_get(&c->core, b->place);
	struct addr peer = {.family = ADDR_NONE};

	if (!k->is_reading && e)
		peer = e->place.dest.peer;
	coder_addr(k, &peer);
	if (!k->is_reading)
		return;
	e = core_by_peer(&c->core, &peer);
	b->place = e ? core_handle(&c->core, e) : HANDLE_NONE;
	b->epoch = e ? e->epoch : 0;
}

/* ---- out ------------------------------------------------------------------- */

/* The scratch buffer holds key and bytes; ours may be as long as a message. */
void save_begin(struct calls *c, struct coder *k, uint8_t kind,
		const char *name)
{
	*k = (struct coder){.err = 0};
	writer_init(&k->w, c->msg_buf, sizeof(c->msg_buf));
	writer_u8(&k->w, (uint8_t)(1 + strlen(name)));
	writer_u8(&k->w, kind);
	writer_str(&k->w, name);
}

void save_emit(struct calls *c, enum action_kind kind, const struct coder *k)
{
	if (writer_ok(&k->w))
		calls_emit(c, &(struct action){.kind = kind,
					       .bytes = writer_slice(&k->w)});
}

void save_forget(struct calls *c, uint8_t kind, const char *name)
{
	struct coder k;

	/* At the end of the process nothing is over but the process. */
	if (!c->out)
		return;
	save_begin(c, &k, kind, name);
	save_emit(c, ACTION_FORGET, &k);
}

/* Calls are called by their tag towards the core, which nobody else has. */
static const char *call_name(const struct call *call)
{
	return call->leg[SIDE_CORE].tag;
}

static void save_call(struct calls *c, struct call *call)
{
	struct coder k;
	uint64_t hash;

	if (call->state != CALL_UP)
		return;
	save_begin(c, &k, SAVE_CALL, call_name(call));
	writer_u8(&k.w, SAVE_VERSION);
	writer_u8(&k.w, SAVE_CALL);
	code_call(&k, call);
	hash = table_hash(writer_slice(&k.w), c->p.seed);
	if (!call->is_saved || hash != call->saved_hash)
		save_emit(c, ACTION_SAVE, &k);
	call->is_saved = true;
	call->saved_hash = hash;
	secret_wipe(c->msg_buf, k.w.len);
}

void save_touch(struct calls *c, struct obj *o)
{
	if (o && list_empty(&o->touched))
		list_append(&c->touched, &o->touched);
}

void save_touch_leg(struct calls *c, const struct leg *leg)
{
	if (leg->call)
		save_touch(c, &leg->call->obj);
	else if (leg->sub)
		save_touch(c, &leg->sub->obj);
}

static void save_obj(struct calls *c, struct obj *o)
{
	if (o->kind == OBJ_CALL)
		save_call(c, LIST_ENTRY(o, struct call, obj));
	else if (o->kind == OBJ_SUB)
		save_sub(c, LIST_ENTRY(o, struct sub, obj));
	else if (o->kind == OBJ_SCCP)
		sccp_save(c, LIST_ENTRY(o, struct sccp_phone, obj));
}

void save_touched(struct calls *c)
{
	while (!list_empty(&c->touched)) {
		struct obj *o =
			LIST_ENTRY(c->touched.next, struct obj, touched);

		list_del(&o->touched);
		save_obj(c, o);
	}
}

void save_call_done(struct calls *c, struct call *call)
{
	if (call->is_saved)
		save_forget(c, SAVE_CALL, call_name(call));
}

/*
 * A phone registers again and again, and mostly nothing but the time changes:
 * so a time somewhat ahead is saved, and the next save is due when that is
 * overtaken. A successor may keep a binding that much too long.
 */
void save_binding(struct calls *c, struct binding *b)
{
	uint64_t left =
		b->expires_ms > c->now_ms ? b->expires_ms - c->now_ms : 0;
	uint64_t until = b->expires_ms + left / 4;
	struct coder k;
	uint64_t hash;

	save_begin(c, &k, SAVE_BINDING, b->token);
	writer_u8(&k.w, SAVE_VERSION);
	writer_u8(&k.w, SAVE_BINDING);
	writer_blob(&k.w, slice_str(b->line->aor));
	writer_blob(&k.w, slice_str(b->line->device));
	writer_bytes(&k.w, b->token, TOKEN_LEN);
	code_binding(&k, b);
	code_place(&k, c, b);
	hash = table_hash(writer_slice(&k.w), c->p.seed);
	if (b->saved_until_ms >= b->expires_ms && hash == b->saved_hash)
		return;
	coder_u64(&k, until);
	code_line(&k, b->line);
	save_emit(c, ACTION_SAVE, &k);
	b->saved_hash = hash;
	b->saved_until_ms = until;
}

void save_binding_done(struct calls *c, struct binding *b)
{
	if (b->saved_until_ms > 0)
		save_forget(c, SAVE_BINDING, b->token);
}

/* ---- in -------------------------------------------------------------------- */

int save_split(struct slice bytes, struct slice *ret_key,
	       struct slice *ret_rest)
{
	struct reader r;
	uint8_t len;

	reader_init(&r, bytes);
	len = reader_u8(&r);
	*ret_key = reader_bytes(&r, len);
	if (!reader_ok(&r) || len == 0 || len > SAVE_KEY_MAX)
		return ERR_BAD;
	*ret_rest = slice_from(bytes, 1u + len);
	return 0;
}

/* Its ports are ours again; what could not be had is not to be given back. */
static int claim_stream(struct calls *c, struct stream *s, uint64_t cookie)
{
	int err;

	if (!s->has_flows)
		return 0;
	s->has_flows = false;
	err = stream_ports_claim(c, cookie, s->port, s->flow);
	s->has_flows = !err;
	return err;
}

/* Who is asked for a way to a call manager knows addresses only: where the
 * call manager at this one is known, its own way counts. */
static struct dest core_way(struct calls *c, const struct dest *from)
{
	struct dest d = core_reply_dest(c, from);

	return addr_eq(&d.peer, &from->peer) &&
			       d.is_reliable == from->is_reliable &&
			       d.is_tls == from->is_tls
		       ? d
		       : *from;
}

int save_link_leg(struct calls *c, struct leg *leg,
		  const struct save_restore *how, uint32_t gap)
{
	struct dest dest = leg->dest;
	int err = leg_link(c, leg);

	leg->dialog.local_cseq += gap;
	how->reach(how->ctx, leg->side, &dest);
	if (leg->trunk)
		dest = trunk_reply_dest(leg->trunk, &dest);
	else if (leg->side == SIDE_CORE)
		dest = core_way(c, &dest);
	leg->dest = dest;
	if (err || handle_is_none(dest.ep))
		return err;
	return leg_set_dest(c, leg, &dest);
}

static int link_call(struct calls *c, struct call *call,
		     const struct save_restore *how)
{
	int err = 0;

	call->leg[SIDE_PHONE].trunk = trunk_by_name(c, slice_str(call->device));
	for (int side = 0; !err && side < 2; side++) {
		err = save_link_leg(c, &call->leg[side], how, CSEQ_GAP);
		/* A version that went out unsaved must not come again with
		 * something else in it (RFC 3264 section 8). */
		call->leg[side].sdp_version += SDP_GAP;
	}
	if (!err && call->device[0]) {
		err = table_add(&c->devices, &call->by_device,
				slice_str(call->device));
		call->has_device = !err;
	}
	/* As it was read, into the heap of deadlines. */
	deadline_set(c, call, DEADLINE_SESSION_PHONE,
		     call->deadline_ms[DEADLINE_SESSION_PHONE]);
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *s = &call->media.stream[i];

		/* All of them: none must be left that is not ours. */
		if (err)
			s->has_flows = false;
		else
			err = claim_stream(c, s, handle_u64(call->obj.self));
	}
	return err;
}

static bool is_there(const struct calls *c, const struct call *call)
{
	struct obj *o;
	uint32_t i = 0;

	while ((o = slots_next(&c->objs, &i))) {
		const struct call *other;

		if (o->kind != OBJ_CALL)
			continue;
		other = LIST_ENTRY(o, struct call, obj);
		if (other != call &&
		    strcmp(call_name(other), call_name(call)) == 0)
			return true;
	}
	return false;
}

static int restore_call(struct calls *c, struct coder *k,
			const struct save_restore *how)
{
	struct call *call = call_alloc(c);
	int err;

	if (!call)
		return c->call_count >= c->p.call_limit ? ERR_LIMIT : ERR_NOMEM;
	code_call(k, call);
	call->state = CALL_UP;
	call->is_saved = true;
	err = coder_end(k);
	if (!err && is_there(c, call))
		err = ERR_EXISTS;
	if (err) {
		for (size_t i = 0; i < STREAMS_MAX; i++)
			call->media.stream[i].has_flows = false;
	} else {
		err = link_call(c, call, how);
		history_add(c, call,
			    &(struct history_item){.what = HISTORY_RESTORED});
	}
	if (err)
		call_free(c, call, NULL);
	return err;
}

static int fill_binding(struct calls *c, struct coder *k, struct binding *b,
			const struct save_restore *how)
{
	uint64_t until;
	int err;

	code_binding(k, b);
	code_place(k, c, b);
	until = coder_u64(k, 0);
	code_line(k, b->line);
	b->line->cseq += CSEQ_GAP_LINE;
	err = coder_end(k);
	if (!err)
		err = line_link_id(c, b->line);
	if (err)
		return err;
	if (until <= c->now_ms)
		return ERR_NOTFOUND;
	b->expires_ms = until;
	b->saved_until_ms = until;
	b->is_active = true;
	how->reach(how->ctx, SIDE_PHONE, &b->dest);
	err = timerq_set(&c->binding_timers, &b->timer,
			 b->renew_ms != 0 ? b->renew_ms : until);
	if (!err && !handle_is_none(b->dest.ep))
		err = binding_set_ep(c, b, &b->dest);
	return err;
}

static int restore_binding(struct calls *c, struct coder *k,
			   const struct save_restore *how)
{
	struct slice aor = reader_blob(&k->r);
	struct slice device = reader_blob(&k->r);
	char token[TOKEN_LEN + 1] = "";
	struct line *l = line_make(c, aor, device);
	struct binding *b = NULL;
	int err;

	coder_chars(k, token, TOKEN_LEN);
	if (!l)
		return ERR_NOMEM;
	l->try_count++; /* not to be dropped under our hands */
	err = binding_find(c, slice_make(token, TOKEN_LEN)) ? ERR_EXISTS : 0;
	if (!err)
		err = binding_alloc(c, l, token, &b);
	if (!err)
		err = fill_binding(c, k, b, how);
	if (err && b)
		binding_free(c, b);
	l->try_count--;
	if (err)
		line_drop(c, l);
	return err;
}

int calls_restore(struct calls *c, struct slice bytes,
		  const struct save_restore *how, uint64_t now_ms)
{
	struct coder k = {.is_reading = true};
	uint8_t kind;

	c->now_ms = now_ms;
	c->out = NULL;
	reader_init(&k.r, bytes);
	if (reader_u8(&k.r) != SAVE_VERSION)
		return ERR_BAD;
	kind = reader_u8(&k.r);
	if (kind == SAVE_CALL)
		return restore_call(c, &k, how);
	if (kind == SAVE_BINDING)
		return restore_binding(c, &k, how);
	if (kind == SAVE_SUB)
		return save_restore_sub(c, &k, how);
	if (kind == SAVE_SKINNY)
		return sccp_restore(c, &k);
	return ERR_BAD;
}

/* ---- walks ------------------------------------------------------------------- */

int calls_save_all(struct calls *c, struct actions *ret_out)
{
	struct obj *o;
	struct binding *b;
	uint32_t i = 0;

	c->out = ret_out;
	c->err = 0;
	while ((o = slots_next(&c->objs, &i))) {
		if (o->kind == OBJ_CALL)
			LIST_ENTRY(o, struct call, obj)->is_saved = false;
		else if (o->kind == OBJ_SUB)
			LIST_ENTRY(o, struct sub, obj)->is_saved = false;
		else if (o->kind == OBJ_SCCP)
			LIST_ENTRY(o, struct sccp_phone, obj)->saved_hash = 0;
		save_obj(c, o);
	}
	i = 0;
	while ((b = slots_next(&c->bindings, &i))) {
		b->saved_until_ms = 0;
		if (b->is_active)
			save_binding(c, b);
	}
	c->out = NULL;
	return c->err;
}

/* Stream k of a SIP call, or a later one that has flows; false: none. */
static bool call_flows(const struct call *call, uint32_t *k, struct flow ret[2])
{
	for (; *k < STREAMS_MAX; (*k)++) {
		const struct stream *s = &call->media.stream[*k];

		if (!s->has_flows)
			continue;
		ret[0] = s->flow[0];
		ret[1] = s->flow[1];
		return true;
	}
	return false;
}

/* The same of a Skinny phone. */
static bool phone_flows(const struct sccp_phone *p, uint32_t k,
			struct flow ret[2])
{
	struct list *l;

	list_for_each(l, &p->streams) {
		if (k-- > 0)
			continue;
		ret[0] = sccp_stream_at(l)->flow[0];
		ret[1] = sccp_stream_at(l)->flow[1];
		return true;
	}
	return false;
}

bool calls_flows(const struct calls *c, uint64_t *pos, struct flow ret[2])
{
	/* Which object, and which of its streams. */
	uint32_t i = (uint32_t)(*pos >> 32);
	uint32_t k = (uint32_t)*pos;
	uint32_t next = i;
	struct obj *o;

	while ((o = slots_next(&c->objs, &next))) {
		if (next - 1 != i)
			k = 0;
		i = next - 1;
		if ((o->kind == OBJ_CALL &&
		     call_flows(LIST_ENTRY(o, struct call, obj), &k, ret)) ||
		    (o->kind == OBJ_SCCP &&
		     phone_flows(LIST_ENTRY(o, struct sccp_phone, obj), k,
				 ret))) {
			*pos = (uint64_t)i << 32 | (k + 1);
			return true;
		}
		i = next;
		k = 0;
	}
	return false;
}

/* The phone is reached over a new connection: so are its calls that a
 * predecessor of ours left without one. */
void save_follow(struct calls *c, const struct binding *b)
{
	struct table_node *n =
		table_find(&c->devices, slice_str(b->line->device));

	/* Registered anew by ourselves; the phone has not come yet. */
	if (handle_is_none(b->dest.ep))
		return;
	for (; n; n = table_find_next(n)) {
		struct call *call = TABLE_ENTRY(n, struct call, by_device);
		struct leg *leg = &call->leg[SIDE_PHONE];

		if (leg->has_ep || leg_set_dest(c, leg, &b->dest) != 0)
			continue;
		/* The phone may have come back over something else. */
		call->sig = b->sig;
		save_touch(c, &call->obj);
		/* What has changed while it was away. */
		security_update(c, call);
	}
	save_follow_subs(c, b);
}

/* The places of t are known only now, or others are: a leg that was restored
 * without one is reached where it was, as if they had been known then. At
 * another host its dialog is not known. False: it needs none, or there is
 * none. */
bool save_follow_leg(struct calls *c, struct leg *leg, struct trunk *t)
{
	struct dest dest;

	if (leg->trunk != t || !leg_is_away(leg))
		return false;
	dest = trunk_reply_dest(t, &leg->dest);
	return !handle_is_none(dest.ep) && leg_set_dest(c, leg, &dest) == 0;
}

void save_follow_trunk(struct calls *c, struct trunk *t)
{
	struct table_node *n = table_find(&c->devices, slice_str(t->name));

	for (; n; n = table_find_next(n)) {
		struct call *call = TABLE_ENTRY(n, struct call, by_device);

		if (!save_follow_leg(c, &call->leg[SIDE_PHONE], t))
			continue;
		save_touch(c, &call->obj);
		security_update(c, call);
	}
	save_follow_trunk_subs(c, t);
}

void save_follow_core(struct calls *c)
{
	struct obj *o;
	uint32_t i = 0;

	while ((o = slots_next(&c->objs, &i))) {
		struct leg *leg = obj_legs(o);

		/* The address stays: there is nothing to be saved. */
		if (leg && !core_by_dest(&c->core, &leg[SIDE_CORE].dest))
			leg[SIDE_CORE].dest = core_way(c, &leg[SIDE_CORE].dest);
	}
}
