/*
 * Dialogs that are named in messages: which of ours, and what stands for it
 * on the other side. A name counts when Call-ID and both tags are those of a
 * dialog on the side that the message comes from; they are 64 and more bits
 * that nobody can guess, so whoever knows them was told.
 */
#include "b2bua/sub.h"

#include "base/text.h"
#include "sip/uri.h"

static struct leg *leg_other(const struct leg *leg)
{
	return leg->call ? &leg->call->leg[!leg->side]
			 : &leg->sub->leg[!leg->side];
}

/* The leg on this side with these tags; theirs may be empty. */
static struct leg *find(struct calls *c, enum side side, struct slice call_id,
			struct slice ours, struct slice theirs)
{
	struct table_node *n = leg_find_first(c, call_id, ours);

	for (; n; n = table_find_next(n)) {
		struct leg *leg = TABLE_ENTRY(n, struct leg, node);

		if (leg->side == side && leg->dialog.remote_tag &&
		    (theirs.len == 0 ||
		     slice_eqs(theirs, leg->dialog.remote_tag)))
			return leg;
	}
	return NULL;
}

/*
 * RFC 3891 section 3: the to-tag is that of the one who gets the INVITE, so a
 * dialog of which it is our tag comes first; where the call manager passes a
 * phone's dialog on to another phone, both ends of it are here.
 */
static struct leg *find_named(struct calls *c, enum side side,
			      const struct sip_out_ids *in)
{
	struct leg *leg = NULL;

	if (in->tag[0].len > 0)
		leg = find(c, side, in->call_id, in->tag[0], in->tag[1]);
	if (!leg && in->tag[1].len > 0)
		leg = find(c, side, in->call_id, in->tag[1], in->tag[0]);
	return leg;
}

/* The tag on the other leg of whom this one is of. */
static struct slice map_tag(const struct leg *leg, struct slice tag)
{
	const struct leg *other = leg_other(leg);

	if (tag.len == 0)
		return tag;
	return slice_str(slice_eqs(tag, leg->tag) ? other->dialog.remote_tag
						  : other->tag);
}

static bool find_dialog(void *ctx, bool to_phone, const struct sip_out_ids *in,
			struct sip_out_ids *ret)
{
	struct leg *leg =
		find_named(ctx, to_phone ? SIDE_CORE : SIDE_PHONE, in);
	const struct leg *other = leg ? leg_other(leg) : NULL;

	if (!other || !other->dialog.remote_tag)
		return false;
	*ret = (struct sip_out_ids){
		.call_id = slice_str(other->dialog.call_id),
		.tag = {map_tag(leg, in->tag[0]), map_tag(leg, in->tag[1])}};
	return true;
}

bool calls_far_party(struct calls *c, const struct sip_out_ids *ids,
		     struct slice *ret_uri, struct slice *ret_contact)
{
	const struct leg *leg = find_named(c, SIDE_PHONE, ids);

	if (!leg || !leg->call)
		return false;
	*ret_contact = slice_str(leg->contact_user);
	*ret_uri = slice_str(leg->call->caller == SIDE_PHONE ? leg->call->to
							     : leg->call->from);
	return true;
}

/* A leg on this side whose Contact has this user. */
static struct leg *find_leg(struct calls *c, enum side side, struct slice user)
{
	struct obj *o;
	uint32_t i = 0;

	while ((o = slots_next(&c->objs, &i))) {
		struct leg *leg = obj_legs(o);

		if (leg && slice_eqs(user, leg[side].contact_user))
			return &leg[side];
	}
	return NULL;
}

static bool find_contact(void *ctx, bool to_phone, struct slice user,
			 struct slice *ret_uri, struct slice *ret_user)
{
	struct calls *c = ctx;
	const struct binding *b;
	const struct leg *leg;

	if (to_phone) {
		b = binding_find(c, user);
		if (b)
			text_cut(slice_str(b->line->aor), '@', ret_user, NULL);
		return b != NULL;
	}
	if (user.len != TAG_LEN)
		return false; /* spares the walk over all calls */
	leg = find_leg(c, SIDE_PHONE, user);
	if (!leg || !leg_other(leg)->dialog.target)
		return false;
	*ret_uri = slice_str(leg_other(leg)->dialog.target);
	return true;
}

static bool find_name(void *ctx, bool to_phone, struct slice in,
		      struct writer *w)
{
	const struct calls *c = ctx;
	const struct calls_names *n = &c->p.names;

	return to_phone ? n->cover(n->ctx, in, w) == 0
			: n->open(n->ctx, in, w) == 0;
}

/* Every call manager's, and ours among them. */
static bool is_inside(void *ctx, const struct addr *a)
{
	const struct calls *c = ctx;

	for (uint32_t i = 0; i < c->core.used; i++) {
		const struct core_place *p = &c->core.entry[i].place;

		if (c->core.entry[i].gen != 0 &&
		    (addr_ip_eq(a, &p->dest.peer) ||
		     addr_ip_eq(a, &p->dest.local)))
			return true;
	}
	return addr_ip_eq(a, &c->p.media_inside);
}

void replaces_init(struct calls *c)
{
	c->lookup = (struct sip_out_lookup){.dialog = find_dialog,
					    .contact = find_contact,
					    .name = c->p.names.cover ? find_name
								     : NULL,
					    .is_inside = is_inside,
					    .ctx = c};
}

static uint32_t count(const struct sip_msg *m, const char *name,
		      struct slice *ret_value)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->hdr_count; i++) {
		if (!text_ieqs(m->hdr[i].name, name))
			continue;
		*ret_value = m->hdr[i].value;
		n++;
	}
	return n;
}

static bool is_known(struct calls *c, struct slice value)
{
	struct sip_out_ids ids = {.call_id = SLICE_NULL};
	struct sip_out_ids other;
	struct slice params;

	text_cut(value, ';', &ids.call_id, &params);
	ids.call_id = text_trim(ids.call_id);
	(void)sip_param(params, "to-tag", &ids.tag[0]);
	(void)sip_param(params, "from-tag", &ids.tag[1]);
	return find_dialog(c, true, &ids, &other);
}

bool replaces_refuse(struct calls *c, const struct event_sip *ev)
{
	struct slice value = SLICE_NULL;
	uint32_t n = count(ev->msg, "Replaces", &value) +
		     count(ev->msg, "Join", &value);

	if (n == 0)
		return false;
	if (n > 1) {
		sip_refuse(c, ev, 400, "more than one Replaces or Join", "");
		return true;
	}
	/* All dialogs of a phone are ours, so one that we do not know it does
	 * not know either. The call manager may have others. */
	if (ev->side == SIDE_PHONE || is_known(c, value))
		return false;
	sip_refuse(c, ev, 481, "no such dialog to replace or join", "");
	return true;
}
