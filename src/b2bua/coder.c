/*
 * The parts that saved objects have in common.
 */
#include "b2bua/coder.h"

#include "base/alloc.h"

uint64_t coder_u64(struct coder *k, uint64_t v)
{
	if (k->is_reading)
		return reader_u64be(&k->r);
	writer_u64be(&k->w, v);
	return v;
}

uint32_t coder_u32(struct coder *k, uint32_t v)
{
	if (k->is_reading)
		return reader_u32be(&k->r);
	writer_u32be(&k->w, v);
	return v;
}

unsigned coder_max(struct coder *k, unsigned v, unsigned max)
{
	if (!k->is_reading) {
		writer_u8(&k->w, (uint8_t)v);
		return v;
	}
	v = reader_u8(&k->r);
	if (v > max)
		reader_fail(&k->r);
	return v > max ? 0 : v;
}

bool coder_bool(struct coder *k, bool v)
{
	return coder_max(k, v, 1) == 1;
}

void coder_chars(struct coder *k, char *buf, size_t len)
{
	struct slice s;

	if (!k->is_reading) {
		writer_bytes(&k->w, buf, len);
		return;
	}
	s = reader_bytes(&k->r, len);
	if (s.len == len)
		memcpy(buf, s.ptr, len);
	if (memchr(buf, 0, len) && reader_ok(&k->r))
		reader_fail(&k->r);
}

void coder_text(struct coder *k, char **p)
{
	struct slice s;

	if (!k->is_reading) {
		writer_blob(&k->w, slice_str(*p ? *p : ""));
		return;
	}
	s = reader_blob(&k->r);
	alloc_free(*p);
	*p = alloc_copy(s);
	if (!*p)
		k->err = ERR_NOMEM;
}

void coder_text_opt(struct coder *k, char **p)
{
	if (coder_bool(k, *p != NULL))
		coder_text(k, p);
}

void coder_addr(struct coder *k, struct addr *a)
{
	if (k->is_reading)
		addr_read(&k->r, a);
	else
		addr_write(&k->w, a);
}

void coder_flow(struct coder *k, struct flow *f)
{
	uint64_t call = f->call;

	f->call = 0;
	if (!k->is_reading)
		flow_write(&k->w, f);
	else if (flow_read(&k->r, f) != 0)
		reader_fail(&k->r);
	f->call = call;
}

void coder_dest(struct coder *k, struct dest *d)
{
	coder_addr(k, &d->peer);
	coder_addr(k, &d->local);
	d->is_reliable = coder_bool(k, d->is_reliable);
	d->is_tls = coder_bool(k, d->is_tls);
}

void coder_policy(struct coder *k, struct call_policy *p)
{
	p->media =
		(enum media_policy)coder_max(k, p->media, MEDIA_SRTP_REQUIRE);
	p->suite_count = coder_max(k, p->suite_count, SUITE_COUNT);
	for (uint32_t i = 0; i < p->suite_count; i++)
		p->suite[i] =
			(enum suite)coder_max(k, p->suite[i], SUITE_COUNT - 1);
	p->offer_suite_count = coder_max(k, p->offer_suite_count, SUITE_COUNT);
	for (uint32_t i = 0; i < p->offer_suite_count; i++)
		p->offer_suite[i] = (enum suite)coder_max(k, p->offer_suite[i],
							  SUITE_COUNT - 1);
	p->srtp_offer = (enum srtp_offer)coder_max(k, p->srtp_offer,
						   SRTP_OFFER_CISCO_FALLBACK);
	p->other_media = (enum other_media)coder_max(k, p->other_media,
						     OTHER_MEDIA_REJECT);
	p->call_limit = coder_u32(k, p->call_limit);
	p->trusts_identity = coder_bool(k, p->trusts_identity);
	p->no_lock = coder_bool(k, p->no_lock);
	p->nat = coder_bool(k, p->nat);
}

void coder_bytes(struct coder *k, uint8_t **p, size_t *len)
{
	struct slice s;

	if (!coder_bool(k, *p != NULL))
		return;
	if (!k->is_reading) {
		writer_blob(&k->w, slice_make(*p, *len));
		return;
	}
	s = reader_blob(&k->r);
	*p = (uint8_t *)alloc_copy(s);
	*len = *p ? s.len : 0;
	if (!*p)
		k->err = ERR_NOMEM;
}

static void code_dialog(struct coder *k, struct sip_dialog *d)
{
	coder_text(k, &d->call_id);
	coder_text(k, &d->local);
	coder_text(k, &d->remote);
	coder_text(k, &d->local_tag);
	coder_text_opt(k, &d->remote_tag);
	coder_text(k, &d->target);
	d->route_count = coder_max(k, d->route_count, SIP_ROUTES_MAX);
	for (uint32_t i = 0; i < d->route_count; i++)
		coder_text(k, &d->route[i]);
}

void coder_peer(struct coder *k, struct leg *leg)
{
	leg->is_uac = coder_bool(k, leg->is_uac);
	code_dialog(k, &leg->dialog);
	coder_dest(k, &leg->dest);
	coder_chars(k, leg->tag, TAG_LEN);
	/* A tag of ours, or a binding's token. */
	if (coder_bool(k, strlen(leg->contact_user) == TOKEN_LEN))
		coder_chars(k, leg->contact_user, TOKEN_LEN);
	else
		coder_chars(k, leg->contact_user, TAG_LEN);
}

void coder_cseqs(struct coder *k, struct leg *leg)
{
	struct sip_dialog *d = &leg->dialog;

	d->local_cseq = coder_u32(k, d->local_cseq);
	d->remote_cseq = coder_u32(k, d->remote_cseq);
}

void coder_refers(struct coder *k, struct refers *r)
{
	r->count = coder_max(k, r->count, REFERS_MAX);
	for (uint32_t i = 0; i < r->count; i++) {
		struct refer_ids *ids = &r->item[i];

		ids->from = (enum side)coder_max(k, ids->from, SIDE_CORE);
		ids->cseq[SIDE_PHONE] = coder_u32(k, ids->cseq[SIDE_PHONE]);
		ids->cseq[SIDE_CORE] = coder_u32(k, ids->cseq[SIDE_CORE]);
	}
}

int coder_end(const struct coder *k)
{
	return reader_end(&k->r) ? k->err : ERR_BAD;
}
