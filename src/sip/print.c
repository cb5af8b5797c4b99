#include "sip/print.h"

#include "base/text.h"
#include "sip/hdr.h"

void sip_print_request(struct writer *w, struct slice method, struct slice ruri)
{
	writer_put(w, method);
	writer_u8(w, ' ');
	writer_put(w, ruri);
	writer_str(w, " SIP/2.0\r\n");
}

void sip_print_status(struct writer *w, unsigned status, struct slice reason)
{
	writer_str(w, "SIP/2.0 ");
	writer_dec(w, status);
	writer_u8(w, ' ');
	if (reason.len > 0)
		writer_put(w, reason);
	else
		writer_str(w, sip_status_reason(status));
	writer_str(w, "\r\n");
}

void sip_print_hdr(struct writer *w, const char *name, struct slice value)
{
	writer_str(w, name);
	writer_str(w, ": ");
	writer_put(w, value);
	writer_str(w, "\r\n");
}

void sip_print_hdr_copy(struct writer *w, const struct sip_hdr *hdr)
{
	writer_put(w, hdr->name);
	writer_str(w, ": ");
	writer_put(w, hdr->value);
	writer_str(w, "\r\n");
}

void sip_print_body(struct writer *w, struct slice type, struct slice body)
{
	if (type.len > 0)
		sip_print_hdr(w, "Content-Type", type);
	writer_str(w, "Content-Length: ");
	writer_dec(w, body.len);
	writer_str(w, "\r\n\r\n");
	writer_put(w, body);
}

/*
 * The first Via as it goes back: received and rport say where the request
 * really came from (RFC 3261 section 18.2.1, RFC 3581 section 4). What the
 * sender put there itself is dropped, or it could lie to its own proxy.
 */
static void print_top_via(struct writer *w, struct slice value,
			  const struct addr *source)
{
	struct sip_via via;
	struct addr sent_by;
	struct slice rest;
	struct slice name;
	struct slice v;
	bool has_rport;

	if (!source || source->family == ADDR_NONE ||
	    sip_via_parse(value, &via) != 0) {
		writer_put(w, value);
		return;
	}
	has_rport = sip_param(via.params, "rport", NULL);
	(void)text_cut(value, ';', &v, NULL);
	writer_put(w, text_trim(v));
	rest = via.params;
	while (sip_param_next(&rest, &name, &v)) {
		if (text_ieqs(name, "received") || text_ieqs(name, "rport"))
			continue;
		writer_u8(w, ';');
		writer_put(w, name);
		if (v.len > 0)
			writer_u8(w, '=');
		writer_put(w, v);
	}
	if (has_rport || addr_parse_ip(via.host, &sent_by) != 0 ||
	    !addr_ip_eq(&sent_by, source)) {
		writer_str(w, ";received=");
		addr_print_ip(w, source);
	}
	if (has_rport) {
		writer_str(w, ";rport=");
		writer_dec(w, source->port);
	}
}

static void print_vias(struct writer *w, const struct sip_msg *m,
		       const struct addr *source)
{
	struct slice value;
	bool is_first = true;

	for (size_t i = 0; i < m->hdr_count; i++) {
		struct slice rest = m->hdr[i].value;

		if (m->hdr[i].id != SIP_HDR_VIA)
			continue;
		writer_str(w, "Via: ");
		if (is_first && text_next(&rest, ',', &value)) {
			print_top_via(w, value, source);
			if (rest.len > 0)
				writer_str(w, ", ");
			rest = text_trim(rest);
			is_first = false;
		}
		writer_put(w, rest);
		writer_str(w, "\r\n");
	}
}

void sip_print_reply(struct writer *w, const struct sip_msg *m, unsigned status,
		     struct slice reason, struct slice to_tag,
		     const struct addr *source)
{
	sip_print_status(w, status, reason);
	print_vias(w, m, source);
	sip_print_hdr(w, "From", m->from);
	writer_str(w, "To: ");
	writer_put(w, m->to);
	if (m->to_tag.len == 0 && to_tag.len > 0) {
		writer_str(w, ";tag=");
		writer_put(w, to_tag);
	}
	writer_str(w, "\r\n");
	sip_print_hdr(w, "Call-ID", m->call_id);
	sip_print_hdr(w, "CSeq", sip_msg_value(m, SIP_HDR_CSEQ));
}
