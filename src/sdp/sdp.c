#include "sdp/sdp.h"

#include "base/text.h"
#include "sdp/line.h"

/* Where the parser stands; lives during sdp_parse only. */
struct parse {
	struct sdp *s;
	struct sdp_media *m; /* NULL in the session's part */
	struct addr addr;    /* c= of the section at hand */
	struct slice rtcp;   /* a=rtcp value of the section at hand */
	enum sdp_dir dir;    /* of the session */
	bool has_origin;
	bool has_addr; /* the part at hand has a c= */
};

/* Static payload types of RFC 3551 section 6; a phone may leave out their
 * a=rtpmap. */
static const struct {
	uint8_t type;
	const char *codec;
} static_codecs[] = {
	{0, "PCMU/8000"},   {3, "GSM/8000"},	{4, "G723/8000"},
	{5, "DVI4/8000"},   {6, "DVI4/16000"},	{7, "LPC/8000"},
	{8, "PCMA/8000"},   {9, "G722/8000"},	{10, "L16/44100/2"},
	{11, "L16/44100"},  {12, "QCELP/8000"}, {13, "CN/8000"},
	{14, "MPA/90000"},  {15, "G728/8000"},	{16, "DVI4/11025"},
	{17, "DVI4/22050"}, {18, "G729/8000"},	{25, "CelB/90000"},
	{26, "JPEG/90000"}, {28, "nv/90000"},	{31, "H261/90000"},
	{32, "MPV/90000"},  {33, "MP2T/90000"}, {34, "H263/90000"},
};

static const char *const proto_names[] = {
	[SDP_PROTO_OTHER] = "",
	[SDP_PROTO_RTP_AVP] = "RTP/AVP",
	[SDP_PROTO_RTP_SAVP] = "RTP/SAVP",
	[SDP_PROTO_RTP_AVPF] = "RTP/AVPF",
	[SDP_PROTO_RTP_SAVPF] = "RTP/SAVPF",
};

static const char *const dir_names[] = {
	[SDP_SENDRECV] = "sendrecv",
	[SDP_SENDONLY] = "sendonly",
	[SDP_RECVONLY] = "recvonly",
	[SDP_INACTIVE] = "inactive",
};

static enum sdp_proto find_proto(struct slice text)
{
	for (size_t i = SDP_PROTO_RTP_AVP; i <= SDP_PROTO_RTP_SAVPF; i++)
		if (text_ieqs(text, proto_names[i]))
			return (enum sdp_proto)i;
	return SDP_PROTO_OTHER;
}

/* "IN IP4 192.0.2.1/127" without "c="; a host name gives family NONE, because
 * the relay never looks names up. */
static int parse_addr(struct slice v, struct addr *ret)
{
	struct slice net = sdp_line_field(&v);
	struct slice type = sdp_line_field(&v);
	struct slice host = sdp_line_field(&v);

	if (host.len == 0 || sdp_line_field(&v).len > 0)
		return ERR_BAD;
	text_cut(host, '/', &host, NULL);
	if (!text_ieqs(net, "IN") ||
	    (!text_ieqs(type, "IP4") && !text_ieqs(type, "IP6")) ||
	    addr_parse_ip(host, ret) != 0)
		*ret = (struct addr){.family = ADDR_NONE};
	return 0;
}

static int parse_origin(struct parse *p, struct slice v)
{
	struct addr unused;
	struct slice user = sdp_line_field(&v);
	struct slice id = sdp_line_field(&v);
	struct slice version = sdp_line_field(&v);

	if (p->has_origin || p->m || version.len == 0 ||
	    parse_addr(v, &unused) != 0)
		return ERR_BAD;
	p->has_origin = true;
	p->s->origin_user = user;
	p->s->sess_id = id;
	p->s->sess_version = version;
	return 0;
}

/* RFC 8866 lets a section have several c= for multicast layers: the first
 * one counts. */
static int parse_connection(struct parse *p, struct slice v)
{
	struct addr a;

	if (parse_addr(v, &a) != 0)
		return ERR_BAD;
	if (p->has_addr)
		return p->m ? 0 : ERR_BAD;
	p->has_addr = true;
	p->addr = a;
	if (!p->m)
		p->s->addr = a;
	return 0;
}

static struct slice find_codec(const struct sdp_media *m)
{
	struct slice formats = m->formats;
	struct slice type = sdp_line_field(&formats);
	struct slice rest = m->text;
	struct slice line, name, value;
	uint64_t pt;

	if (!sdp_proto_is_rtp(m->proto))
		return SLICE_NULL;
	while (sdp_line_next(&rest, &line)) {
		if (!sdp_line_attr(line, &name, &value) ||
		    !slice_eqs(name, "rtpmap") ||
		    !slice_eq(sdp_line_field(&value), type))
			continue;
		return sdp_line_field(&value);
	}
	if (text_dec(type, 127, &pt) != 0)
		return SLICE_NULL;
	for (size_t i = 0; i < sizeof(static_codecs) / sizeof(*static_codecs);
	     i++)
		if (static_codecs[i].type == pt)
			return slice_str(static_codecs[i].codec);
	return SLICE_NULL;
}

/* RFC 3605: "a=rtcp:port [IN IP4 address]"; a malformed one is as good as
 * none, it is dropped on the way out anyway. */
static void finish_rtcp(const struct parse *p, struct sdp_media *m)
{
	struct slice v = p->rtcp;
	struct addr a = m->addr;
	uint64_t port;

	if (m->port > 0 && m->port < UINT16_MAX)
		m->rtcp = addr_with_port(&m->addr, (uint16_t)(m->port + 1));
	if (text_dec(sdp_line_field(&v), UINT16_MAX, &port) != 0 || port == 0)
		return;
	if (v.len > 0 && (parse_addr(v, &a) != 0 || a.family == ADDR_NONE))
		return;
	m->has_rtcp = true;
	m->rtcp = addr_with_port(&a, (uint16_t)port);
}

/* End of the session's part or of a section at byte end of the body. */
static void finish_part(struct parse *p, size_t end)
{
	struct sdp *s = p->s;
	struct sdp_media *m = p->m;

	if (!m) {
		s->head = slice_sub(s->text, 0, end);
	} else {
		m->text.len = end - (size_t)(m->text.ptr - s->text.ptr);
		m->addr = addr_with_port(p->has_addr ? &p->addr : &s->addr,
					 m->port);
		m->codec = find_codec(m);
		finish_rtcp(p, m);
	}
	p->has_addr = false;
	p->rtcp = SLICE_NULL;
}

/* "m=audio 49170/2 RTP/AVP 0 8" (RFC 8866 section 5.14). */
static int parse_media(struct parse *p, struct slice line)
{
	struct slice v = slice_from(line, 2);
	struct sdp_media m = {.dir = p->dir, .text = line};
	struct slice port, count;
	uint64_t n = 0, k = 1;

	if (p->s->media_count == SDP_MEDIA_MAX)
		return ERR_LIMIT;
	m.type = sdp_line_field(&v);
	port = sdp_line_field(&v);
	if (text_cut(port, '/', &port, &count) &&
	    (text_dec(count, UINT16_MAX, &k) != 0 || k == 0))
		return ERR_BAD;
	m.proto_text = sdp_line_field(&v);
	m.formats = text_trim(v);
	if (!text_all_token(m.type) || m.formats.len == 0 ||
	    text_dec(port, UINT16_MAX, &n) != 0)
		return ERR_BAD;
	m.port = (uint16_t)n;
	m.port_count = (uint16_t)k;
	m.proto = find_proto(m.proto_text);
	p->m = &p->s->media[p->s->media_count++];
	*p->m = m;
	return 0;
}

static void parse_attr(struct parse *p, struct slice name, struct slice value)
{
	for (size_t i = SDP_SENDRECV; i <= SDP_INACTIVE; i++) {
		if (!slice_eqs(name, dir_names[i]))
			continue;
		if (p->m)
			p->m->dir = (enum sdp_dir)i;
		else
			p->dir = (enum sdp_dir)i;
		return;
	}
	if (!p->m)
		return;
	if (slice_eqs(name, "crypto"))
		p->m->crypto_count++; /* SDP_LINES_MAX fits */
	else if (slice_eqs(name, "rtcp-mux"))
		p->m->has_rtcp_mux = true;
	else if (slice_eqs(name, "rtcp"))
		p->rtcp = value;
}

static bool is_clean(struct slice line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((line.ptr[i] < ' ' && line.ptr[i] != '\t') ||
		    line.ptr[i] == 0x7f)
			return false;
	return true;
}

static int parse_line(struct parse *p, struct slice line)
{
	struct slice name, value;

	if (line.len < 2 || line.ptr[0] < 'a' || line.ptr[0] > 'z' ||
	    line.ptr[1] != '=' || !is_clean(line))
		return ERR_BAD;
	value = slice_from(line, 2);
	switch (line.ptr[0]) {
	case 'o':
		return parse_origin(p, value);
	case 'c':
		return parse_connection(p, value);
	case 'm':
		finish_part(p, (size_t)(line.ptr - p->s->text.ptr));
		return parse_media(p, line);
	case 'a':
		sdp_line_attr(line, &name, &value);
		parse_attr(p, name, value);
		return 0;
	default:
		return 0;
	}
}

int sdp_parse(struct slice body, struct sdp *ret)
{
	struct sdp s = {.text = body};
	struct parse p = {.s = &s, .dir = SDP_SENDRECV};
	struct slice rest, line;
	size_t lines = 0;

	if (body.len > SDP_MAX)
		return ERR_LIMIT;
	/* Senders add empty lines behind the body; they are no part of it. */
	while (s.text.len > 0 && (s.text.ptr[s.text.len - 1] == '\n' ||
				  s.text.ptr[s.text.len - 1] == '\r'))
		s.text.len--;
	rest = s.text;
	while (sdp_line_next(&rest, &line)) {
		int err;

		if (lines == SDP_LINES_MAX)
			return ERR_LIMIT;
		if (lines++ == 0 && !slice_eqs(line, "v=0"))
			return ERR_BAD;
		err = parse_line(&p, line);
		if (err)
			return err;
	}
	if (!p.has_origin)
		return ERR_BAD;
	finish_part(&p, s.text.len);
	*ret = s;
	return 0;
}

bool sdp_crypto_next(const struct sdp_media *m, size_t *pos,
		     struct slice *ret_value)
{
	struct slice rest = slice_from(m->text, *pos);
	struct slice line, name, value;

	while (sdp_line_next(&rest, &line)) {
		*pos = m->text.len - rest.len;
		if (sdp_line_attr(line, &name, &value) &&
		    slice_eqs(name, "crypto")) {
			*ret_value = value;
			return true;
		}
	}
	*pos = m->text.len;
	return false;
}

bool sdp_media_attr(const struct sdp_media *m, const char *name,
		    struct slice *ret_value)
{
	struct slice rest = m->text;
	struct slice line, n, value;

	while (sdp_line_next(&rest, &line)) {
		if (sdp_line_attr(line, &n, &value) && slice_eqs(n, name)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

bool sdp_wants_media(const struct sdp_media *m)
{
	return m->port != 0 && !addr_is_any(&m->addr) &&
	       (m->dir == SDP_SENDRECV || m->dir == SDP_RECVONLY);
}

bool sdp_sends_media(const struct sdp_media *m)
{
	return m->port != 0 &&
	       (m->dir == SDP_SENDRECV || m->dir == SDP_SENDONLY);
}

bool sdp_proto_is_rtp(enum sdp_proto p)
{
	return p != SDP_PROTO_OTHER;
}

bool sdp_proto_is_secure(enum sdp_proto p)
{
	return p == SDP_PROTO_RTP_SAVP || p == SDP_PROTO_RTP_SAVPF;
}

enum sdp_proto sdp_proto_with(enum sdp_proto p, bool secure)
{
	switch (p) {
	case SDP_PROTO_RTP_AVP:
	case SDP_PROTO_RTP_SAVP:
		return secure ? SDP_PROTO_RTP_SAVP : SDP_PROTO_RTP_AVP;
	case SDP_PROTO_RTP_AVPF:
	case SDP_PROTO_RTP_SAVPF:
		return secure ? SDP_PROTO_RTP_SAVPF : SDP_PROTO_RTP_AVPF;
	case SDP_PROTO_OTHER:
		break;
	}
	return SDP_PROTO_OTHER;
}

const char *sdp_proto_str(enum sdp_proto p)
{
	return proto_names[p];
}

const char *sdp_dir_str(enum sdp_dir d)
{
	return dir_names[d];
}

enum sdp_dir sdp_dir_reverse(enum sdp_dir d)
{
	if (d == SDP_SENDONLY)
		return SDP_RECVONLY;
	return d == SDP_RECVONLY ? SDP_SENDONLY : d;
}
