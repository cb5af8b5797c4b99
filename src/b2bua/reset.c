/*
 * Phones that are told to start from anew, or to register anew, as their call
 * manager would: Skinny phones by Reset, SIP phones by a NOTIFY outside of
 * dialogs. Cisco's take "service-control", whose body names the Call-ID of the
 * phone's own REGISTER, by which it knows that the order is its registrar's;
 * others take "check-sync" (draft-ietf-sip-config-framework calls it by that
 * name, phones of many makers do it).
 */
#include "b2bua/sccp.h"

#include "base/text.h"
#include "rewrite/sccp_out.h"

int sccp_reset(struct calls *c, struct slice device, uint32_t type,
	       uint64_t now_ms, struct actions *ret_out)
{
	enum { RESET_LEN = 16 };
	struct table_node *n = table_find(&c->sccp.names, device);
	struct sccp_phone *p = TABLE_ENTRY(n, struct sccp_phone, by_name);
	struct sccp_out *o = c->sccp.out;

	if (!p || p->phase != SCCP_REGISTERED)
		return ERR_NOTFOUND;
	calls_begin(c, now_ms, ret_out);
	c->cookie = handle_u64(p->obj.self);
	sccp_out_make(o, SCCP_RESET, p->header, RESET_LEN);
	sccp_out_u32(o, SCCP_RESET_TYPE, type);
	p->told_ms = now_ms;
	sccp_send(c, p, SIDE_PHONE, o);
	return calls_end(c);
}

/* A phone with several lines has a binding for each: one of them is enough. */
static bool is_first_of_phone(const struct calls *c, const struct binding *b)
{
	struct table_node *n = table_find(
		&c->binding_eps, slice_make(b->ep_key, sizeof(b->ep_key)));

	if (!b->dest.is_reliable)
		return true;
	for (; n; n = table_find_next(n)) {
		const struct binding *k = TABLE_ENTRY(n, struct binding, by_ep);

		if (k->is_active &&
		    strcmp(k->line->device, b->line->device) == 0)
			return k == b;
	}
	return true;
}

/* One that a predecessor of ours left has no connection until it comes. */
static bool has_way(const struct binding *b)
{
	return !b->dest.is_reliable || !handle_is_none(b->dest.ep);
}

/* What CUCM writes; stamps of zeros say that nothing the phone has kept
 * counts. */
static void put_service(struct writer *w, const struct binding *b,
			uint32_t type)
{
	static const char *const stamps[] = {"Config", "Dialplan", "Softkey",
					     "FeatureControl"};

	writer_str(w, "action=");
	writer_str(w, type == PHONE_RESET ? "reset" : "restart");
	writer_str(w, "\r\nRegisterCallId={");
	writer_str(w, b->register_id);
	writer_str(w, "}\r\n");
	for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
		writer_str(w, stamps[i]);
		writer_str(w, "VersionStamp="
			      "{00000000-0000-0000-0000-000000000000}\r\n");
	}
}

static void put_event(struct writer *w, const struct binding *b, uint32_t type)
{
	writer_str(w, "Event: ");
	if (b->takes_service)
		writer_str(w, "service-control");
	else
		writer_str(w, type == PHONE_RESET ? "check-sync;reboot=true"
						  : "check-sync;reboot=false");
	writer_str(w, "\r\nSubscription-State: active\r\n");
}

static int open_dialog(struct calls *c, const struct binding *b,
		       struct leg *leg)
{
	char call_id[TOKEN_LEN + 1];
	uint8_t who[SIP_LINE_MAX];
	struct writer w;

	calls_hex(c, call_id, TOKEN_LEN);
	calls_hex(c, leg->tag, TAG_LEN);
	memcpy(leg->contact_user, leg->tag, TAG_LEN + 1);
	writer_init(&w, who, sizeof(who));
	writer_str(&w, "<sip:");
	writer_str(&w, b->line->aor);
	writer_str(&w, ">");
	if (!writer_ok(&w))
		return ERR_LIMIT;
	/* The line speaks to itself, as with a call manager. */
	return sip_dialog_init_uac(&leg->dialog, slice_str(call_id),
				   writer_slice(&w), slice_str(leg->tag),
				   writer_slice(&w), slice_str(b->contact));
}

static int notify(struct calls *c, const struct binding *b, uint32_t type)
{
	struct leg leg = {.side = SIDE_PHONE, .is_uac = true, .dest = b->dest};
	struct sip_out_request m = {.method = SLICE("NOTIFY")};
	struct handle txn = HANDLE_NONE;
	uint8_t extra[128];
	struct writer wb;
	struct writer we;
	int err;

	writer_init(&wb, c->body_buf, sizeof(c->body_buf));
	writer_init(&we, extra, sizeof(extra));
	put_event(&we, b, type);
	m.extra = writer_slice(&we);
	if (b->takes_service) {
		put_service(&wb, b, type);
		m.type = (struct slice)SLICE("text/plain");
		m.body = writer_slice(&wb);
	}
	if (!writer_ok(&wb) || !writer_ok(&we))
		return ERR_LIMIT;
	err = open_dialog(c, b, &leg);
	if (!err)
		err = leg_request(c, &leg, SIP_METHOD_NOTIFY, &m, 0, &txn);
	sip_dialog_done(&leg.dialog);
	return err;
}

int binding_reset(struct calls *c, struct slice token, uint32_t type,
		  uint64_t now_ms, struct actions *ret_out)
{
	const struct binding *b = binding_find(c, token);
	int lost;
	int err;

	if (!b || !b->is_active || !has_way(b) || !is_first_of_phone(c, b))
		return ERR_NOTFOUND;
	calls_begin(c, now_ms, ret_out);
	err = notify(c, b, type);
	lost = calls_end(c);
	return err ? err : lost;
}
