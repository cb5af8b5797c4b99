/*
 * Calls of Skinny phones: what operators see of them, and the icon that the
 * phone shows. The call manager inside knows nothing of encryption, so what it
 * says of a call's security is replaced by what is true.
 */
#include "b2bua/sccp.h"

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"

enum { STATE_ON_HOOK = 2, STATE_CONNECTED = 5, TYPE_OUTGOING = 2 };

static struct sccp_call *find_call(const struct sccp_phone *p, uint32_t ref)
{
	struct list *l;

	list_for_each(l, &p->calls) {
		struct sccp_call *call = LIST_ENTRY(l, struct sccp_call, node);

		if (call->ref == ref)
			return call;
	}
	return NULL;
}

uint32_t sccp_line_of(const struct sccp_phone *p, uint32_t ref)
{
	const struct sccp_call *call = find_call(p, ref);

	return call ? call->line : 0;
}

static void call_free_one(struct calls *c, struct sccp_call *call)
{
	sccp_group_call_end(call->phone, call->ref);
	record_sccp_call(c, RECORD_CALL_END, call);
	list_del(&call->node);
	call->phone->call_count--;
	c->call_count--;
	obj_done(c, &call->obj);
	alloc_free(call->info);
	alloc_free(call);
}

/* NULL: there are too many; the call goes on unseen. */
static struct sccp_call *make_call(struct calls *c, struct sccp_phone *p,
				   uint32_t ref)
{
	struct sccp_call *call = find_call(p, ref);

	if (call || ref == 0)
		return call;
	if (p->call_count >= SCCP_CALLS_MAX || c->call_count >= c->p.call_limit)
		return NULL;
	call = alloc_zero(sizeof(*call));
	if (!call)
		return NULL;
	if (obj_init(c, &call->obj, OBJ_SCCP_CALL) != 0) {
		alloc_free(call);
		return NULL;
	}
	call->phone = p;
	call->ref = ref;
	call->start_ms = c->now_ms;
	list_append(&p->calls, &call->node);
	p->call_count++;
	c->call_count++;
	record_sccp_call(c, RECORD_CALL_START, call);
	return call;
}

void sccp_calls_end(struct calls *c, struct sccp_phone *p)
{
	while (!list_empty(&p->calls))
		call_free_one(
			c, LIST_ENTRY(p->calls.next, struct sccp_call, node));
}

/* ---- security ---------------------------------------------------------------- */

bool sccp_stream_is_of(const struct sccp_stream *s, uint32_t ref)
{
	return ref == 0 || s->call == ref || s->conf == ref;
}

static bool is_live(const struct sccp_stream *s, uint32_t ref)
{
	return !s->is_video && (s->is_receiving || s->is_sending) &&
	       sccp_stream_is_of(s, ref);
}

static bool is_keyed(const struct sccp_stream *s)
{
	return (!s->is_receiving ||
		s->flow[SIDE_CORE].out.suite != SUITE_NONE) &&
	       (!s->is_sending || s->flow[SIDE_PHONE].in.suite != SUITE_NONE);
}

enum call_security sccp_security_own(const struct sccp_phone *p, uint32_t ref)
{
	bool is_any = false;
	struct list *l;

	if (p->sig == SIG_NONSECURE)
		return CALL_NONSECURE;
	if (sccp_hears_group(p, ref))
		return CALL_AUTHENTICATED;
	list_for_each(l, &p->streams) {
		const struct sccp_stream *s =
			LIST_ENTRY(l, struct sccp_stream, node);

		if (!is_live(s, ref))
			continue;
		if (!is_keyed(s))
			return CALL_AUTHENTICATED;
		is_any = true;
	}
	return is_any && p->sig == SIG_ENCRYPTED ? CALL_ENCRYPTED
						 : CALL_AUTHENTICATED;
}

/* The least over all parties of the call, as far as media tell. */
static enum call_security state_of(const struct calls *c,
				   const struct sccp_phone *p, uint32_t ref,
				   bool *ret_has_media)
{
	enum call_security own = sccp_security_own(p, ref);
	enum call_security least = own;
	struct list *l;

	*ret_has_media = sccp_hears_group(p, ref);
	if (*ret_has_media && !c->p.show_phone_leg)
		least = CALL_NONSECURE;
	list_for_each(l, &p->streams) {
		const struct sccp_stream *s =
			LIST_ENTRY(l, struct sccp_stream, node);
		enum call_security far = CALL_NONSECURE;

		if (!is_live(s, ref) || s->is_refused)
			continue;
		/* The shield stays, whoever barges in. */
		if (own == CALL_AUTHENTICATED && sccp_is_guest(s))
			continue;
		*ret_has_media = true;
		if (s->far.is_joined)
			far = (enum call_security)s->far.security;
		if (!c->p.show_phone_leg && far < least)
			least = far;
	}
	if (!*ret_has_media && !c->p.show_phone_leg)
		least = CALL_NONSECURE;
	return least;
}

void sccp_note(struct calls *c, struct sccp_phone *p, uint32_t ref,
	       const struct history_item *item)
{
	struct sccp_call *call = find_call(p, ref);

	if (call)
		history_put(c, &call->history, item);
}

static uint32_t status_of(const struct calls *c, const struct sccp_phone *p,
			  uint32_t ref)
{
	bool has_media;

	switch (state_of(c, p, ref, &has_media)) {
	case CALL_NONSECURE:
		break;
	case CALL_AUTHENTICATED:
		return SCCP_SECURITY_AUTHENTICATED;
	case CALL_ENCRYPTED:
		return SCCP_SECURITY_ENCRYPTED;
	}
	return SCCP_SECURITY_NONE;
}

/* ---- what the call manager says ------------------------------------------------ */

static void take_text(const struct sccp_msg *m, size_t at, size_t len,
		      char ret[SCCP_PARTY_LEN])
{
	struct slice s = slice_sub(m->bytes, at, len);
	const uint8_t *nul = s.len ? memchr(s.ptr, 0, s.len) : NULL;

	if (nul)
		s = slice_sub(s, 0, (size_t)(nul - s.ptr));
	if (s.len == 0 || text_copy(slice_sub(s, 0, SCCP_PARTY_LEN - 1), ret,
				    SCCP_PARTY_LEN) != 0)
		ret[0] = '\0';
}

/* The n-th of the texts of a dynamic message, from offset at. */
static size_t text_at(const struct sccp_msg *m, size_t at, unsigned n)
{
	while (n > 0 && at < m->bytes.len)
		n -= m->bytes.ptr[at++] == 0;
	return at;
}

static void take_parties(struct sccp_call *call, const struct sccp_msg *m)
{
	enum { TEXTS = 44, CALLING = 52, CALLED = 116, NUMBER = 24 };

	if (m->id == SCCP_CALL_INFO_V2) {
		take_text(m, text_at(m, TEXTS, 0), SCCP_PARTY_LEN,
			  call->caller);
		take_text(m, text_at(m, TEXTS, 2), SCCP_PARTY_LEN,
			  call->callee);
		return;
	}
	take_text(m, CALLING, NUMBER, call->caller);
	take_text(m, CALLED, NUMBER, call->callee);
}

static void keep_info(struct sccp_call *call, const struct sccp_msg *m)
{
	uint8_t *copy = alloc_copy(m->bytes);

	alloc_free(call->info);
	call->info = copy;
	call->info_len = copy ? m->bytes.len : 0;
}

static enum call_security security_of(uint32_t status)
{
	return status == SCCP_SECURITY_ENCRYPTED       ? CALL_ENCRYPTED
	       : status == SCCP_SECURITY_AUTHENTICATED ? CALL_AUTHENTICATED
						       : CALL_NONSECURE;
}

/* call (may be NULL) is what m is about: the phone is to be shown status. */
static void send_info(struct calls *c, struct sccp_phone *p,
		      struct sccp_call *call, const struct sccp_msg *m,
		      uint32_t status)
{
	struct sccp_out *o = c->sccp.out;

	if (call && call->shown != status)
		history_put(
			c, &call->history,
			&(struct history_item){.what = HISTORY_SECURITY,
					       .text = call_security_str(
						       security_of(status))});
	if (call)
		call->shown = status;

	sccp_out_copy(o, m);
	sccp_out_clean(o);
	sccp_out_u32(o, SCCP_SECURITY, status);
	sccp_send(c, p, SIDE_PHONE, o);
}

void sccp_call_info(struct calls *c, struct sccp_phone *p,
		    const struct sccp_msg *m)
{
	uint32_t ref = sccp_u32(m, SCCP_CALL);
	uint32_t status = status_of(c, p, ref);
	struct sccp_call *call = make_call(c, p, ref);
	bool has_media;

	(void)state_of(c, p, ref, &has_media);
	/* While it rings servers say 0, and it means nothing yet. */
	if (!has_media && !c->p.show_phone_leg &&
	    sccp_u32(m, SCCP_SECURITY) == SCCP_SECURITY_UNKNOWN)
		status = SCCP_SECURITY_UNKNOWN;
	if (call) {
		call->from_phone = sccp_u32(m, SCCP_CALL_TYPE) == TYPE_OUTGOING;
		take_parties(call, m);
		keep_info(call, m);
	}
	/* What could not be taken back must not be shown. */
	if (!call || !call->info)
		status = SCCP_SECURITY_NONE;
	send_info(c, p, call, m, status);
}

/* For the history: static texts. */
static const char *state_name(const struct sccp_msg *m)
{
	static const char *const names[] = {
		"CallState idle",	    "CallState off hook",
		"CallState on hook",	    "CallState ring out",
		"CallState ring in",	    "CallState connected",
		"CallState busy",	    "CallState congestion",
		"CallState hold",	    "CallState call waiting",
		"CallState transfer",	    "CallState park",
		"CallState proceed",	    "CallState remote multiline",
		"CallState invalid number", "CallState hold revert",
		"CallState whisper",	    "CallState remote hold"};
	uint32_t state = sccp_u32(m, SCCP_STATE);

	return state < sizeof(names) / sizeof(names[0]) ? names[state]
							: m->row->name;
}

void sccp_call_state(struct calls *c, struct sccp_phone *p,
		     const struct sccp_msg *m)
{
	struct sccp_call *call = make_call(c, p, sccp_u32(m, SCCP_CALL));

	sccp_pass(c, p, SIDE_PHONE, m);
	if (!call)
		return;
	history_put(c, &call->history,
		    &(struct history_item){.what = HISTORY_SKINNY,
					   .side = SIDE_CORE,
					   .text = state_name(m)});
	call->state = sccp_u32(m, SCCP_STATE);
	call->line = sccp_u32(m, SCCP_LINE);
	if (call->state == STATE_CONNECTED && call->answer_ms == 0) {
		call->answer_ms = c->now_ms;
		record_sccp_call(c, RECORD_CALL_ANSWER, call);
	}
	if (call->state == STATE_ON_HOOK)
		call_free_one(c, call);
}

void sccp_show(struct calls *c, struct sccp_phone *p)
{
	struct list *l;

	list_for_each(l, &p->calls) {
		struct sccp_call *call = LIST_ENTRY(l, struct sccp_call, node);
		uint32_t status = status_of(c, p, call->ref);
		struct sccp_pdu pdu;
		struct sccp_msg m;

		if (status == call->shown || !call->info ||
		    (call->shown == SCCP_SECURITY_UNKNOWN &&
		     status == SCCP_SECURITY_NONE))
			continue;
		if (sccp_frame(slice_make(call->info, call->info_len),
			       SCCP_PDU_MAX, &pdu) != 0)
			continue;
		sccp_msg_parse(&pdu, &m);
		send_info(c, p, call, &m, status);
	}
}

/* ---- operators ------------------------------------------------------------------ */

static const struct sccp_stream *first_stream(const struct sccp_call *call)
{
	struct list *l;

	list_for_each(l, &call->phone->streams) {
		const struct sccp_stream *s =
			LIST_ENTRY(l, struct sccp_stream, node);

		if (is_live(s, call->ref))
			return s;
	}
	return NULL;
}

static const char *codec_name(uint32_t codec)
{
	static const struct {
		uint32_t codec;
		const char *name;
	} names[] = {
		{2, "PCMA/8000"},  {4, "PCMU/8000"},  {6, "G722/8000"},
		{7, "G722/8000"},  {8, "G722/8000"},  {9, "G723/8000"},
		{10, "G728/8000"}, {11, "G729/8000"}, {12, "G729/8000"},
		{15, "G729/8000"}, {16, "G729/8000"}, {18, "GSM/8000"},
		{25, "L16/16000"}, {86, "iLBC/8000"}, {90, "opus/48000"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].codec == codec)
			return names[i].name;
	return "";
}

void sccp_call_fill(const struct calls *c, const struct sccp_call *call,
		    struct call_info *ret)
{
	const struct sccp_stream *s = first_stream(call);
	bool has_media;

	*ret = (struct call_info){
		.id = handle_u64(call->obj.self),
		.device = slice_str(call->phone->name),
		.caller = slice_str(call->caller),
		.callee = slice_str(call->callee),
		.from_phone = call->from_phone,
		.state = call->answer_ms ? "established" : "ringing",
		.security = state_of(c, call->phone, call->ref, &has_media),
		.start_ms = call->start_ms,
		.answer_ms = call->answer_ms,
	};
	if (!s)
		return;
	ret->suite = s->flow[SIDE_CORE].out.suite;
	ret->codec = slice_str(codec_name(s->codec));
	ret->is_joined = s->far.is_joined;
	ret->is_end_to_end = s->far.is_joined && s->is_borrowed;
	ret->flow_out_in = s->flow[SIDE_PHONE].id;
	ret->flow_in_out = s->flow[SIDE_CORE].id;
}

static void fill_stream(const struct sccp_stream *s, struct call_stream *ret)
{
	*ret = (struct call_stream){
		.is_audio = !s->is_video,
		.codec = slice_str(codec_name(s->codec)),
		.suite = {[SIDE_PHONE] = s->flow[SIDE_PHONE].in.suite,
			  [SIDE_CORE] = s->flow[SIDE_CORE].out.suite},
		.is_borrowed = s->is_borrowed,
	};
	for (int side = 0; side < 2; side++) {
		ret->local[side] = s->flow[side].group.family == ADDR_NONE
					   ? s->flow[side].local
					   : s->flow[side].group;
		ret->remote[side] = s->flow[side].remote;
		ret->is_blocked[side] = s->flow[side].is_blocked;
		ret->flow[side] = s->flow[side].id;
	}
}

void sccp_call_detail(const struct sccp_call *call, struct call_detail *ret)
{
	const struct sccp_phone *p = call->phone;
	struct list *l;

	for (int side = 0; side < 2; side++) {
		ret->leg[side].dest = p->dest[side];
		ret->leg[side].is_confirmed = call->answer_ms > 0;
	}
	ret->is_shown = call->shown != SCCP_SECURITY_UNKNOWN;
	ret->shown = security_of(call->shown);
	list_for_each(l, &p->streams) {
		const struct sccp_stream *s =
			LIST_ENTRY(l, struct sccp_stream, node);

		if (sccp_stream_is_of(s, call->ref) &&
		    ret->stream_count < CALL_STREAMS_MAX)
			fill_stream(s, &ret->stream[ret->stream_count++]);
	}
}

/* There is no message by which a proxy ends one call of a phone: its streams
 * end, and call manager and phone hear that they failed. */
void sccp_call_drop(struct calls *c, struct sccp_call *call)
{
	enum { ON_HOOK = 0x0007, ON_HOOK_LEN = 20 };
	struct sccp_phone *p = call->phone;
	struct sccp_out *o = c->sccp.out;
	struct writer w;

	/* As if the phone had gone on hook: line, then the call. */
	sccp_out_make(o, ON_HOOK, p->header, ON_HOOK_LEN);
	writer_init(&w, o->buf + 12, 8);
	writer_u32le(&w, call->line);
	writer_u32le(&w, call->ref);
	sccp_send(c, p, SIDE_CORE, o);
}
