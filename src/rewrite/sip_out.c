#include "rewrite/sip_out.h"

#include "base/text.h"
#include "rewrite/body.h"
#include "rewrite/hdr_rule.h"
#include "rewrite/hosts.h"
#include "sip/hdr.h"
#include "sip/print.h"
#include "sip/uri.h"

/* Bytes of s before p, which points into s. */
static struct slice before(struct slice s, const uint8_t *p)
{
	return slice_sub(s, 0, (size_t)(p - s.ptr));
}

/* s after the host and its port. */
static struct slice after_host(struct slice s, const struct sip_uri *u)
{
	struct slice rest =
		slice_from(s, (size_t)(u->host.ptr - s.ptr) + u->host.len);

	if (rest.len == 0 || rest.ptr[0] != ':')
		return rest;
	rest = slice_from(rest, 1);
	while (rest.len > 0 && text_is_digit(rest.ptr[0]))
		rest = slice_from(rest, 1);
	return rest;
}

void sip_out_addr(struct writer *w, struct slice value,
		  const struct sip_out_map *map)
{
	struct sip_nameaddr na;
	struct sip_uri u;
	const struct addr *host;
	struct slice user;

	if (sip_nameaddr_parse(value, &na) != 0 ||
	    sip_uri_parse(na.uri, &u) != 0) {
		hosts_copy(w, value, map);
		return;
	}
	host = hosts_find(map, u.host, true);
	if (!host || host->family == ADDR_NONE) {
		hosts_copy(w, value, map);
		return;
	}
	if (hosts_find_user(map, host, u.user, &user)) {
		hosts_copy(w, before(value, u.user.ptr), map);
		writer_put(w, user);
		writer_u8(w, '@');
	} else {
		hosts_copy(w, before(value, u.host.ptr), map);
	}
	addr_print_host(w, host);
	hosts_copy(w, after_host(value, &u), map);
}

/* value without its ;tag= header parameter: head and tail around it. */
static void cut_tag(struct slice value, struct slice *ret_head,
		    struct slice *ret_tail)
{
	struct sip_nameaddr na;
	struct slice params;
	struct slice item;

	*ret_head = value;
	*ret_tail = SLICE_NULL;
	if (sip_nameaddr_parse(value, &na) != 0)
		return;
	params = na.params;
	while (text_next(&params, ';', &item)) {
		struct slice name;
		const uint8_t *semi;

		text_cut(item, '=', &name, NULL);
		if (!text_ieqs(text_trim(name), "tag"))
			continue;
		semi = item.ptr;
		while (semi > value.ptr && semi[-1] != ';')
			semi--;
		*ret_head = before(value, semi > value.ptr ? semi - 1 : semi);
		*ret_tail = slice_from(
			value, (size_t)(item.ptr + item.len - value.ptr));
		return;
	}
}

void sip_out_identity(struct writer *w, struct slice value,
		      const struct sip_out_map *map)
{
	struct slice head;
	struct slice tail;

	cut_tag(value, &head, &tail);
	sip_out_addr(w, text_trim(head), map);
	writer_put(w, tail);
}

static const char *transport_upper(const struct dest *d)
{
	if (d->is_tls)
		return "TLS";
	return d->is_reliable ? "TCP" : "UDP";
}

static const char *transport_lower(const struct dest *d)
{
	if (d->is_tls)
		return "tls";
	return d->is_reliable ? "tcp" : "udp";
}

void sip_out_via(struct writer *w, const struct dest *dest, struct slice branch)
{
	writer_str(w, "Via: SIP/2.0/");
	writer_str(w, transport_upper(dest));
	writer_str(w, " ");
	addr_print(w, &dest->local);
	writer_str(w, ";branch=");
	writer_put(w, branch);
	/* RFC 3581: harmless on streams, needed behind a NAT on UDP. */
	writer_str(w, ";rport\r\n");
}

void sip_out_contact(struct writer *w, const struct dest *dest,
		     struct slice user)
{
	writer_str(w, "<sip:");
	writer_put(w, user);
	writer_str(w, "@");
	addr_print(w, &dest->local);
	writer_str(w, ";transport=");
	writer_str(w, transport_lower(dest));
	writer_str(w, ">");
}

static void contact_line(struct writer *w, const struct dest *dest,
			 struct slice user)
{
	if (user.len == 0)
		return;
	writer_str(w, "Contact: ");
	sip_out_contact(w, dest, user);
	writer_str(w, "\r\n");
}

/* What a requester behind an address translator takes for its address. */
static struct addr sent_by(const struct sip_msg *m)
{
	struct addr a = {.family = ADDR_NONE};
	struct sip_via via;

	if (m->is_request && sip_via_parse(m->via, &via) == 0 &&
	    addr_parse_ip(via.host, &a) != 0)
		a.family = ADDR_NONE;
	return a;
}

/* Headers of src that go on, then extra, then the body. */
static void print_rest(struct writer *w, const struct sip_msg *src,
		       const struct sip_out_rules *rules, struct slice extra,
		       struct slice type, struct slice body)
{
	struct sip_out_rules r;

	if (!src) {
		writer_put(w, extra);
		sip_print_body(w, type, body);
		return;
	}
	r = *rules;
	r.map.alias = sent_by(src);
	if (r.to_phone)
		r.map.inside = r.lookup;
	r.has_body = body_goes_on(src, rules, body);
	hdr_rule_copy(w, src, &r);
	writer_put(w, extra);
	body_print(w, src, &r, type, body);
}

void sip_out_request(struct writer *w, const struct sip_out_request *r)
{
	struct slice ruri = r->ruri;

	if (ruri.len == 0)
		ruri = sip_dialog_ruri(r->dialog);
	sip_print_request(w, r->method, ruri);
	sip_out_via(w, r->dest, r->branch);
	writer_str(w, "Max-Forwards: ");
	writer_dec(w, r->max_forwards);
	writer_str(w, "\r\n");
	sip_dialog_print_routes(w, r->dialog);
	sip_dialog_print_ids(w, r->dialog, r->cseq, r->method);
	contact_line(w, r->dest, r->contact_user);
	print_rest(w, r->src, r->rules, r->extra, r->type, r->body);
}

/* A reason phrase may tell who did not answer. */
static void status_line(struct writer *w, const struct sip_out_response *r)
{
	struct sip_out_map map;
	uint8_t buf[SIP_LINE_MAX];
	struct writer wr;

	writer_init(&wr, buf, sizeof(buf));
	if (r->src && r->reason.len > 0) {
		map = r->rules->map;
		if (r->rules->to_phone)
			map.inside = r->rules->lookup;
		hosts_copy(&wr, r->reason, &map);
	} else {
		writer_put(&wr, r->reason);
	}
	sip_print_status(w, r->status,
			 writer_ok(&wr) ? writer_slice(&wr) : SLICE_NULL);
}

void sip_out_response(struct writer *w, const struct sip_out_response *r)
{
	status_line(w, r);
	writer_put(w, r->head);
	contact_line(w, r->dest, r->contact_user);
	writer_put(w, r->info);
	print_rest(w, r->src, r->rules, r->extra, r->type, r->body);
}

void sip_out_reply_head(struct writer *w, const struct sip_msg *m,
			struct slice to_tag, const struct addr *source)
{
	uint8_t *start = w->buf + w->len;
	size_t from = w->len;
	size_t cut = 0;

	sip_print_reply(w, m, 100, SLICE_NULL, to_tag, source);
	if (!writer_ok(w))
		return;
	while (cut < w->len - from && start[cut] != '\n')
		cut++;
	cut++;
	if (cut > w->len - from)
		return;
	memmove(start, start + cut, w->len - from - cut);
	w->len -= cut;
	/* RFC 3261 section 12.1.1: the peer learns its route set from us. */
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id == SIP_HDR_RECORD_ROUTE)
			sip_print_hdr_copy(w, &m->hdr[i]);
}

/* Option tags that we serve, or that work end to end without our help. */
static bool is_known_option(struct slice tag)
{
	return text_ieqs(tag, "100rel") || text_ieqs(tag, "timer") ||
	       text_ieqs(tag, "norefersub") || text_ieqs(tag, "replaces") ||
	       text_ieqs(tag, "join") || text_ieqs(tag, "tdialog") ||
	       text_ieqs(tag, "eventlist") ||
	       text_ieqs(tag, "extended-refer") ||
	       (tag.len > 8 && text_ieqs(slice_sub(tag, 0, 8), "x-cisco-"));
}

bool sip_out_unsupported(const struct sip_msg *m, size_t *pos,
			 struct slice *ret_tag)
{
	/* Require first, then Proxy-Require: the top bit of *pos says which
	 * of the two lists is walked. */
	const size_t second = (size_t)1 << (sizeof(size_t) * 8 - 1);
	size_t p = *pos & ~second;
	struct slice tag;

	if (!(*pos & second)) {
		while (sip_msg_next(m, SIP_HDR_REQUIRE, &p, &tag)) {
			*pos = p;
			if (is_known_option(tag))
				continue;
			*ret_tag = tag;
			return true;
		}
		p = 0;
	}
	while (sip_msg_next(m, SIP_HDR_PROXY_REQUIRE, &p, &tag)) {
		*pos = p | second;
		if (is_known_option(tag))
			continue;
		*ret_tag = tag;
		return true;
	}
	*pos = p | second;
	return false;
}

const char *sip_out_allow(void)
{
	return "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, PRACK, "
	       "UPDATE, MESSAGE, NOTIFY, REFER, SUBSCRIBE, PUBLISH";
}
