#include "sip/dialog.h"

#include "base/alloc.h"
#include "base/text.h"
#include "sip/hdr.h"
#include "sip/print.h"
#include "sip/uri.h"

/* A route set being built, to be swapped in when it is whole. */
struct routes {
	char *value[SIP_ROUTES_MAX];
	uint32_t count;
};

static void routes_done(char **value, uint32_t *count)
{
	for (uint32_t i = 0; i < *count; i++)
		value[i] = alloc_free(value[i]);
	*count = 0;
}

void sip_dialog_done(struct sip_dialog *d)
{
	routes_done(d->route, &d->route_count);
	alloc_free(d->call_id);
	alloc_free(d->local);
	alloc_free(d->remote);
	alloc_free(d->local_tag);
	alloc_free(d->remote_tag);
	alloc_free(d->target);
	*d = (struct sip_dialog){.call_id = NULL};
}

static int set(char **field, struct slice s)
{
	char *p = alloc_copy(s);

	if (!p)
		return ERR_NOMEM;
	alloc_free(*field);
	*field = p;
	return 0;
}

/* A From or To value without its tag parameter, everything else as it was. */
static int set_party(char **field, struct slice value)
{
	struct sip_nameaddr a;
	struct slice rest;
	struct slice name;
	struct slice v;
	uint8_t *p;
	struct writer w;
	size_t head;

	if (sip_nameaddr_parse(value, &a) != 0)
		return ERR_BAD;
	if (!sip_param(a.params, "tag", NULL))
		return set(field, value);
	p = alloc_zero(value.len + 1);
	if (!p)
		return ERR_NOMEM;
	/* All before the ';' that begins the parameters. */
	head = (size_t)(a.params.ptr - value.ptr) - 1;
	writer_init(&w, p, value.len);
	writer_put(&w, text_trim(slice_sub(value, 0, head)));
	rest = a.params;
	while (sip_param_next(&rest, &name, &v)) {
		if (name.len == 0 || text_ieqs(name, "tag"))
			continue;
		writer_u8(&w, ';');
		writer_put(&w, name);
		if (v.len > 0)
			writer_u8(&w, '=');
		writer_put(&w, v);
	}
	alloc_free(*field);
	*field = (char *)p;
	return 0;
}

/* Take the Contact of m as target; missing is no error, "*" is. */
static int set_target(char **field, const struct sip_msg *m)
{
	struct sip_nameaddr a;
	struct sip_uri u;
	struct slice value;
	size_t pos = 0;

	if (!sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value))
		return 0;
	if (sip_nameaddr_parse(value, &a) != 0 ||
	    sip_uri_parse(a.uri, &u) == ERR_BAD)
		return ERR_BAD;
	return set(field, a.uri);
}

/* Copy the Record-Route values of m in their order. */
static int collect(const struct sip_msg *m, struct routes *r)
{
	struct sip_nameaddr a;
	struct slice value;
	size_t pos = 0;

	while (sip_msg_next(m, SIP_HDR_RECORD_ROUTE, &pos, &value)) {
		if (r->count == SIP_ROUTES_MAX)
			return ERR_LIMIT;
		/* Without brackets its parameters would be the header's. */
		if (sip_nameaddr_parse(value, &a) != 0 ||
		    !memchr(value.ptr, '<', value.len))
			return ERR_BAD;
		r->value[r->count] = alloc_copy(value);
		if (!r->value[r->count])
			return ERR_NOMEM;
		r->count++;
	}
	return 0;
}

/* Replace the route set by the Record-Routes of m: in order for the UAS,
 * reversed for the UAC (12.1.1, 12.1.2). */
static int set_routes(struct sip_dialog *d, const struct sip_msg *m,
		      bool is_reversed)
{
	struct routes r = {.count = 0};
	int err = collect(m, &r);

	if (err) {
		routes_done(r.value, &r.count);
		return err;
	}
	routes_done(d->route, &d->route_count);
	for (uint32_t i = 0; i < r.count; i++)
		d->route[i] = r.value[is_reversed ? r.count - 1 - i : i];
	d->route_count = r.count;
	return 0;
}

int sip_dialog_init_uac(struct sip_dialog *d, struct slice call_id,
			struct slice local, struct slice local_tag,
			struct slice remote, struct slice target)
{
	*d = (struct sip_dialog){.call_id = NULL};
	if (set(&d->call_id, call_id) || set(&d->local, local) ||
	    set(&d->local_tag, local_tag) || set(&d->remote, remote))
		return ERR_NOMEM;
	return target.len > 0 ? set(&d->target, target) : 0;
}

int sip_dialog_init_uas(struct sip_dialog *d, const struct sip_msg *m,
			struct slice local_tag)
{
	int err;

	*d = (struct sip_dialog){.remote_cseq = m->cseq};
	err = set_party(&d->local, m->to);
	if (!err)
		err = set_party(&d->remote, m->from);
	if (!err)
		err = set_target(&d->target, m);
	if (!err)
		err = set_routes(d, m, false);
	if (err)
		return err;
	if (set(&d->call_id, m->call_id) || set(&d->local_tag, local_tag))
		return ERR_NOMEM;
	/* RFC 2543 peers have no tag; it stays NULL then (12.1.1). */
	if (m->from_tag.len > 0 && set(&d->remote_tag, m->from_tag))
		return ERR_NOMEM;
	return 0;
}

static int copy(char **field, const char *text)
{
	return text ? set(field, slice_str(text)) : 0;
}

int sip_dialog_copy(struct sip_dialog *d, const struct sip_dialog *src,
		    struct slice local_tag)
{
	*d = (struct sip_dialog){.call_id = NULL};
	if (copy(&d->call_id, src->call_id) || copy(&d->local, src->local) ||
	    copy(&d->remote, src->remote) || set(&d->local_tag, local_tag) ||
	    copy(&d->remote_tag, src->remote_tag) ||
	    copy(&d->target, src->target))
		return ERR_NOMEM;
	while (d->route_count < src->route_count) {
		if (copy(&d->route[d->route_count], src->route[d->route_count]))
			return ERR_NOMEM;
		d->route_count++;
	}
	return 0;
}

/* Remote tag, target and routes as m, a response or a request, has them. */
static int learn(struct sip_dialog *d, const struct sip_msg *m)
{
	char *target = NULL;
	char *tag = NULL;
	int err = set_target(&target, m);

	if (!err)
		err = set(&tag, m->is_request ? m->from_tag : m->to_tag);
	if (!err)
		err = set_routes(d, m, !m->is_request);
	if (err) {
		alloc_free(target);
		alloc_free(tag);
		return err;
	}
	alloc_free(d->remote_tag);
	d->remote_tag = tag;
	if (target) {
		alloc_free(d->target);
		d->target = target;
	}
	return 0;
}

int sip_dialog_learn(struct sip_dialog *d, const struct sip_msg *m)
{
	return m->to_tag.len > 0 ? learn(d, m) : 0; /* 100 makes no dialog */
}

int sip_dialog_adopt(struct sip_dialog *d, const struct sip_msg *m)
{
	return learn(d, m);
}

int sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m)
{
	return set_target(&d->target, m);
}

static bool is_tag(const char *ours, struct slice theirs)
{
	return slice_eqs(theirs, ours ? ours : "");
}

bool sip_dialog_match(const struct sip_dialog *d, const struct sip_msg *m)
{
	if (!d->call_id || !slice_eqs(m->call_id, d->call_id))
		return false;
	if (m->is_request)
		return is_tag(d->local_tag, m->to_tag) &&
		       is_tag(d->remote_tag, m->from_tag);
	return is_tag(d->local_tag, m->from_tag) &&
	       (!d->remote_tag || is_tag(d->remote_tag, m->to_tag));
}

int sip_dialog_recv(struct sip_dialog *d, const struct sip_msg *m)
{
	/* An ACK and a CANCEL have the number of their INVITE. */
	if (m->method == SIP_METHOD_ACK || m->method == SIP_METHOD_CANCEL)
		return 0;
	if (d->remote_cseq != 0 && m->cseq < d->remote_cseq)
		return ERR_BAD;
	d->remote_cseq = m->cseq;
	return 0;
}

/* URI of the first route; true when it is a strict router (no ;lr). */
static bool is_strict(const struct sip_dialog *d, struct slice *ret_uri)
{
	struct sip_nameaddr a;
	struct sip_uri u;

	if (d->route_count == 0 ||
	    sip_nameaddr_parse(slice_str(d->route[0]), &a) != 0 ||
	    sip_uri_parse(a.uri, &u) != 0 || sip_param(u.params, "lr", NULL))
		return false;
	*ret_uri = a.uri;
	return true;
}

struct slice sip_dialog_ruri(const struct sip_dialog *d)
{
	struct slice uri;

	return is_strict(d, &uri) ? uri : slice_str(d->target);
}

void sip_dialog_print_routes(struct writer *w, const struct sip_dialog *d)
{
	struct slice uri;
	bool strict = is_strict(d, &uri);

	/* 12.2.1.1: to a strict router go the rest of the routes, and the
	 * target last, which the request-URI had to make room for. */
	for (uint32_t i = strict ? 1 : 0; i < d->route_count; i++)
		sip_print_hdr(w, "Route", slice_str(d->route[i]));
	if (strict && d->target) {
		writer_str(w, "Route: <");
		writer_str(w, d->target);
		writer_str(w, ">\r\n");
	}
}

static void print_party(struct writer *w, const char *name, const char *value,
			const char *tag)
{
	writer_str(w, name);
	writer_str(w, value);
	if (tag) {
		writer_str(w, ";tag=");
		writer_str(w, tag);
	}
	writer_str(w, "\r\n");
}

void sip_dialog_print_ids(struct writer *w, const struct sip_dialog *d,
			  uint32_t cseq, struct slice method)
{
	print_party(w, "From: ", d->local, d->local_tag);
	print_party(w, "To: ", d->remote, d->remote_tag);
	sip_print_hdr(w, "Call-ID", slice_str(d->call_id));
	writer_str(w, "CSeq: ");
	writer_dec(w, cseq);
	writer_u8(w, ' ');
	writer_put(w, method);
	writer_str(w, "\r\n");
}
