#include "sip/msg.h"

#include "base/text.h"
#include "sip/hdr.h"
#include "sip/multipart.h"
#include "sip/uri.h"

enum { CSEQ_MAX = 0x7fffffff, POS_SHIFT = 16 };

/* Headers that may stand once only: a second one is a way to make two
 * readers of the same message see different things (RFC 4475 3.3.8). */
static const bool is_singular[SIP_HDR_COUNT] = {
	[SIP_HDR_CALL_ID] = true,
	[SIP_HDR_CONTENT_LENGTH] = true,
	[SIP_HDR_CONTENT_TYPE] = true,
	[SIP_HDR_CSEQ] = true,
	[SIP_HDR_EVENT] = true,
	[SIP_HDR_EXPIRES] = true,
	[SIP_HDR_FROM] = true,
	[SIP_HDR_MAX_FORWARDS] = true,
	[SIP_HDR_MIN_EXPIRES] = true,
	[SIP_HDR_RACK] = true,
	[SIP_HDR_REFER_TO] = true,
	[SIP_HDR_REPLACES] = true,
	[SIP_HDR_RETRY_AFTER] = true,
	[SIP_HDR_RSEQ] = true,
	[SIP_HDR_SESSION_EXPIRES] = true,
	[SIP_HDR_TO] = true,
};

/* A parse under way; the first reason found wins. */
struct parse {
	struct sip_msg *m;
	struct sip_reject reject; /* status 0 = nothing wrong yet */
};

static void reject(struct parse *p, unsigned status, const char *reason)
{
	if (p->reject.status == 0)
		p->reject = (struct sip_reject){status, reason};
}

static bool has_blank(struct slice s)
{
	return s.len > 0 && (memchr(s.ptr, ' ', s.len) != NULL ||
			     memchr(s.ptr, '\t', s.len) != NULL);
}

/*
 * Make the line at buf[pos..] one logical line: folds become blanks, escaped
 * control bytes (legal in quoted strings, useful to nobody behind us) become
 * '?', so no control byte but TAB is left in any slice we hand out. Returns
 * the offset of the line's CRLF, or SIZE_MAX when there is none.
 */
static size_t unfold(uint8_t *buf, size_t len, size_t pos, bool may_fold,
		     struct parse *p)
{
	for (size_t i = pos; i + 1 < len; i++) {
		uint8_t c = buf[i];

		if (c >= 0x20 && c != 0x7f)
			continue;
		if (c == '\r' && buf[i + 1] == '\n') {
			if (!may_fold || i + 2 >= len ||
			    (buf[i + 2] != ' ' && buf[i + 2] != '\t'))
				return i;
			buf[i] = ' ';
			buf[i + 1] = ' ';
		} else if (c != '\t') {
			if (i == pos || buf[i - 1] != '\\')
				reject(p, 400, "Control byte in a header");
			buf[i] = '?';
		}
	}
	return SIZE_MAX;
}

static void parse_status_line(struct parse *p, struct slice line)
{
	struct sip_msg *m = p->m;
	struct slice code;
	uint64_t v;

	line = slice_from(line, 8);
	(void)text_cut(line, ' ', &code, &m->reason);
	if (code.len != 3 || text_dec(code, 699, &v) != 0 || v < 100) {
		reject(p, 400, "Bad status code");
		return;
	}
	m->status = (unsigned)v;
}

/* "SIP/2.0", or another version in the same form, or something else. */
static void check_version(struct parse *p, struct slice version)
{
	struct slice name;
	struct slice number;

	if (text_ieqs(version, "SIP/2.0"))
		return;
	if (text_cut(version, '/', &name, &number) && text_ieqs(name, "SIP") &&
	    number.len > 0 && text_is_digit(number.ptr[0]))
		reject(p, 505, "Version not supported");
	else
		reject(p, 400, "Bad request line");
}

static void check_ruri(struct parse *p)
{
	struct sip_uri u;
	int err = sip_uri_parse(p->m->ruri, &u);

	if (err == ERR_BAD)
		reject(p, 400, "Bad Request-URI");
	else if (err == ERR_UNSUPPORTED && !text_ieqs(u.scheme, "tel") &&
		 !text_ieqs(u.scheme, "urn"))
		reject(p, 416, "Unsupported URI scheme");
	else if (err == 0 && u.headers.len > 0)
		reject(p, 400, "Headers in the Request-URI");
}

static void parse_request_line(struct parse *p, struct slice line)
{
	struct sip_msg *m = p->m;
	struct slice rest;
	struct slice version;

	/* Exactly one SP twice: RFC 4475 lwsstart, lwsruri, trws. */
	if (!text_cut(line, ' ', &m->method_name, &rest) ||
	    !text_cut(rest, ' ', &m->ruri, &version) || has_blank(version)) {
		reject(p, 400, "Bad request line");
		return;
	}
	if (!text_all_token(m->method_name)) {
		reject(p, 400, "Bad method");
		return;
	}
	m->method = sip_method_find(m->method_name);
	check_version(p, version);
	check_ruri(p);
}

static void parse_start(struct parse *p, struct slice line)
{
	struct slice head = slice_sub(line, 0, 4);

	p->m->is_request = !text_ieqs(head, "SIP/");
	if (p->m->is_request)
		parse_request_line(p, line);
	else if (text_ieqs(slice_sub(line, 0, 8), "SIP/2.0 "))
		parse_status_line(p, line);
	else
		reject(p, 505, "Version not supported");
}

static void parse_line(struct parse *p, struct slice line)
{
	struct sip_msg *m = p->m;
	struct sip_hdr *h;

	if (m->hdr_count >= SIP_HDRS_MAX) {
		reject(p, 400, "Too many headers");
		return;
	}
	h = &m->hdr[m->hdr_count];
	if (!text_cut(line, ':', &h->name, &h->value)) {
		reject(p, 400, "Header line without colon");
		return;
	}
	/* Blanks before the colon are legal (HCOLON), before the name not: it
	 * would be a fold, and unfold() took those away. */
	while (h->name.len > 0 && (h->name.ptr[h->name.len - 1] == ' ' ||
				   h->name.ptr[h->name.len - 1] == '\t'))
		h->name.len--;
	if (!text_all_token(h->name)) {
		reject(p, 400, "Bad header name");
		return;
	}
	h->id = sip_hdr_find(h->name);
	h->value = text_trim(h->value);
	m->hdr_count++;
}

/* Walk the head; returns the offset of the body. */
static size_t parse_head(struct parse *p, uint8_t *buf, size_t len)
{
	size_t end = unfold(buf, len, 0, false, p);
	size_t pos;

	if (end == SIZE_MAX) {
		reject(p, 400, "No line end");
		return len;
	}
	parse_start(p, slice_make(buf, end));
	for (pos = end + 2; pos < len; pos = end + 2) {
		end = unfold(buf, len, pos, true, p);
		if (end == SIZE_MAX)
			break;
		if (end == pos)
			return pos + 2;
		parse_line(p, slice_make(buf + pos, end - pos));
	}
	reject(p, 400, "No end of headers");
	return len;
}

static void check_singular(struct parse *p)
{
	uint8_t seen[SIP_HDR_COUNT] = {0};

	for (size_t i = 0; i < p->m->hdr_count; i++) {
		enum sip_hdr_id id = p->m->hdr[i].id;

		if (!is_singular[id])
			continue;
		if (seen[id])
			reject(p, 400, "Header given twice");
		seen[id] = 1;
	}
}

/* A From or To value: well-formed, at most one tag. */
static struct slice check_party(struct parse *p, struct slice value,
				const char *reason)
{
	struct sip_nameaddr a;
	struct sip_uri u;
	struct slice name;
	struct slice v;
	struct slice tag = SLICE_NULL;

	if (sip_nameaddr_parse(value, &a) != 0 ||
	    sip_uri_parse(a.uri, &u) == ERR_BAD) {
		reject(p, 400, reason);
		return SLICE_NULL;
	}
	while (sip_param_next(&a.params, &name, &v)) {
		if (!text_ieqs(name, "tag"))
			continue;
		if (tag.len > 0 || !text_all_token(v))
			reject(p, 400, reason);
		tag = v;
	}
	return tag;
}

static void parse_parties(struct parse *p)
{
	struct sip_msg *m = p->m;

	m->call_id = sip_msg_value(m, SIP_HDR_CALL_ID);
	m->from = sip_msg_value(m, SIP_HDR_FROM);
	m->to = sip_msg_value(m, SIP_HDR_TO);
	if (m->call_id.len == 0 || has_blank(m->call_id))
		reject(p, 400, "Bad or missing Call-ID");
	m->from_tag = check_party(p, m->from, "Bad or missing From");
	m->to_tag = check_party(p, m->to, "Bad or missing To");
}

static void parse_cseq(struct parse *p)
{
	struct sip_msg *m = p->m;
	struct slice v = sip_msg_value(m, SIP_HDR_CSEQ);
	struct slice method;
	size_t i = 0;
	uint64_t n;

	while (i < v.len && text_is_digit(v.ptr[i]))
		i++;
	method = text_trim(slice_from(v, i));
	if (text_dec(slice_sub(v, 0, i), CSEQ_MAX, &n) != 0 ||
	    i + method.len == v.len || !text_all_token(method)) {
		reject(p, 400, "Bad or missing CSeq");
		return;
	}
	m->cseq = (uint32_t)n;
	if (m->is_request) {
		if (!slice_eq(method, m->method_name))
			reject(p, 400, "CSeq method differs");
		return;
	}
	m->method_name = method;
	m->method = sip_method_find(method);
}

/* Walk values without skipping empty ones. */
static bool next_value(const struct sip_msg *m, enum sip_hdr_id id, size_t *pos,
		       struct slice *ret)
{
	size_t i = *pos >> POS_SHIFT;
	size_t off = *pos & ((1u << POS_SHIFT) - 1);

	for (; i < m->hdr_count; i++, off = 0) {
		struct slice rest;

		if (m->hdr[i].id != id)
			continue;
		rest = slice_from(m->hdr[i].value, off);
		if (text_next(&rest, ',', ret)) {
			off = m->hdr[i].value.len - rest.len;
			*pos = i << POS_SHIFT | off;
			return true;
		}
	}
	*pos = i << POS_SHIFT;
	return false;
}

static void parse_vias(struct parse *p)
{
	struct sip_msg *m = p->m;
	struct slice value;
	struct sip_via via;
	size_t pos = 0;
	size_t count = 0;

	while (next_value(m, SIP_HDR_VIA, &pos, &value)) {
		if (sip_via_parse(value, &via) != 0) {
			reject(p, 400, "Bad Via");
			return;
		}
		if (count == 0) {
			m->via = value;
			m->branch = via.branch;
		}
		if (++count > SIP_VIAS_MAX)
			reject(p, 400, "Too many Vias");
	}
	if (count == 0)
		reject(p, 400, "No Via");
}

static void parse_max_forwards(struct parse *p)
{
	const struct sip_hdr *h = sip_msg_find(p->m, SIP_HDR_MAX_FORWARDS);
	uint64_t v = 70;

	if (h && text_dec(h->value, 255, &v) != 0)
		reject(p, 400, "Bad Max-Forwards");
	p->m->max_forwards = (unsigned)v;
}

static void check_contacts(struct parse *p)
{
	struct sip_nameaddr a;
	struct slice value;
	size_t pos = 0;

	while (sip_msg_next(p->m, SIP_HDR_CONTACT, &pos, &value))
		if (sip_nameaddr_parse(value, &a) != 0)
			reject(p, 400, "Bad Contact");
}

static void parse_body(struct parse *p, struct slice body)
{
	const struct sip_hdr *h = sip_msg_find(p->m, SIP_HDR_CONTENT_LENGTH);
	uint64_t v = body.len;

	if (h && text_dec(h->value, SIP_MSG_MAX, &v) != 0)
		reject(p, 400, "Bad Content-Length");
	else if (v > body.len)
		reject(p, 400, "Body is shorter than Content-Length");
	p->m->body = slice_sub(body, 0, (size_t)v);
}

/* What is wrapped around a session description is of no interest to those
 * who read it; a body that cannot be opened stays closed. */
static void unwrap(struct sip_msg *m)
{
	struct sip_hdr *type = NULL;
	struct slice encoding = SLICE_NULL;
	struct slice session;
	struct slice session_type;

	for (size_t i = 0; i < m->hdr_count; i++) {
		if (m->hdr[i].id == SIP_HDR_CONTENT_TYPE)
			type = &m->hdr[i];
		else if (text_ieqs(m->hdr[i].name, "Content-Encoding") ||
			 text_ieqs(m->hdr[i].name, "e"))
			encoding = m->hdr[i].value;
	}
	if (!type || sip_type_is(type->value, "application/sdp") ||
	    sip_body_session(type->value, encoding, m->body, &session_type,
			     &session) != 0)
		return;
	m->package = m->body;
	m->package_type = type->value;
	m->body = session;
	type->value = session_type;
}

/* After a refusal: is there what an answer needs (RFC 3261 section 8.2.6)?
 * Doubled headers are answered too, with the first of them. */
static bool is_answerable(const struct sip_msg *m)
{
	return m->is_request && m->method != SIP_METHOD_ACK &&
	       sip_msg_find(m, SIP_HDR_VIA) && m->from.len > 0 &&
	       m->to.len > 0 && m->call_id.len > 0 &&
	       sip_msg_find(m, SIP_HDR_CSEQ);
}

int sip_msg_parse(uint8_t *buf, size_t len, struct sip_msg *ret,
		  struct sip_reject *reterr)
{
	struct parse p = {.m = ret};
	struct slice all = slice_make(buf, len);
	size_t body;

	memset(ret, 0, sizeof(*ret));
	body = parse_head(&p, buf, len);
	parse_body(&p, slice_from(all, body));
	ret->raw = slice_sub(all, 0, body + ret->body.len);
	unwrap(ret);
	check_singular(&p);
	parse_parties(&p);
	parse_cseq(&p);
	parse_vias(&p);
	parse_max_forwards(&p);
	check_contacts(&p);
	if (p.reject.status == 0)
		return 0;
	if (!is_answerable(ret))
		ret->via = SLICE_NULL;
	else if (ret->via.len == 0)
		ret->via = sip_msg_value(ret, SIP_HDR_VIA);
	if (reterr)
		*reterr = p.reject;
	return ERR_BAD;
}

struct slice sip_msg_entity(const struct sip_msg *m)
{
	return m->package.len > 0 ? m->package : m->body;
}

const struct sip_hdr *sip_msg_find(const struct sip_msg *m, enum sip_hdr_id id)
{
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id == id)
			return &m->hdr[i];
	return NULL;
}

struct slice sip_msg_value(const struct sip_msg *m, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_find(m, id);

	return h ? h->value : SLICE_NULL;
}

bool sip_msg_next(const struct sip_msg *m, enum sip_hdr_id id, size_t *pos,
		  struct slice *ret_value)
{
	struct slice value;

	while (next_value(m, id, pos, &value)) {
		if (value.len > 0) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

const struct sip_hdr *sip_msg_find_name(const struct sip_msg *m,
					const char *name)
{
	for (size_t i = 0; i < m->hdr_count; i++)
		if (text_ieqs(m->hdr[i].name, name))
			return &m->hdr[i];
	return NULL;
}

bool sip_msg_has_token(const struct sip_msg *m, enum sip_hdr_id id,
		       const char *token)
{
	struct slice value;
	size_t pos = 0;

	while (sip_msg_next(m, id, &pos, &value)) {
		/* "sdp;q=0.3" names sdp. */
		(void)text_cut(value, ';', &value, NULL);
		if (text_ieqs(text_trim(value), token))
			return true;
	}
	return false;
}
