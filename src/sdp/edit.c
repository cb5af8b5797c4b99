/*
 * Printing with substitution (sdp_print of sdp.h): which lines pass, which
 * are replaced, which are dropped.
 */
#include "base/text.h"
#include "sdp/line.h"
#include "sdp/sdp.h"

/*
 * Attributes that would lead media or keys around the relay, or promise what
 * a relay of two ports per stream does not do. A name that ends in '*' stands
 * for all with that beginning.
 */
static const char *const dropped[] = {
	/* other transport addresses: RFC 8839, 4091, 4570, 4975 */
	"candidate",
	"remote-candidates",
	"end-of-candidates",
	"ice-*",
	"x-candidate*",
	"alt",
	"source-filter",
	"path",
	"x-nat*",
	"oldmediaip",
	"oldoip",
	/* RTCP on other ports or in other shapes: RFC 3605, 5761, 5506 */
	"rtcp",
	"rtcp-mux",
	"rtcp-mux-only",
	"rtcp-rsize",
	/* keys of other schemes: RFC 5763, 8842, 4145, 6189, 4567, 8827 */
	"fingerprint",
	"setup",
	"connection",
	"direction",
	"tls-id",
	"dtls-id",
	"identity",
	"zrtp-hash",
	"key-mgmt",
	/* offers inside the offer: RFC 5939, 6871, 7006 */
	"creq",
	"csup",
	"acap",
	"tcap",
	"pcfg",
	"acfg",
	"rmcap",
	"omcap",
	"mfcap",
	"mscap",
	"lcfg",
	"sescap",
	"secap",
	"icap",
	"bcap",
	"ccap",
	/* streams that share a port: RFC 8843 */
	"bundle-only",
};

static bool is_named(struct slice name, const char *pattern)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return text_ieq(slice_sub(name, 0, n - 1),
				slice_make(pattern, n - 1));
	return text_ieqs(name, pattern);
}

static bool is_dropped(struct slice name, struct slice value)
{
	if (text_ieqs(name, "group"))
		return text_ieq(slice_sub(value, 0, 6), slice_str("BUNDLE")) ||
		       text_ieq(slice_sub(value, 0, 4), slice_str("ANAT"));
	for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
		if (is_named(name, dropped[i]))
			return true;
	return false;
}

static bool is_dir(struct slice name)
{
	for (size_t i = SDP_SENDRECV; i <= SDP_INACTIVE; i++)
		if (slice_eqs(name, sdp_dir_str((enum sdp_dir)i)))
			return true;
	return false;
}

static void end_line(struct writer *w)
{
	writer_str(w, "\r\n");
}

static void put_line(struct writer *w, struct slice line)
{
	writer_put(w, line);
	end_line(w);
}

static void put_addr(struct writer *w, const struct addr *a)
{
	writer_str(w, a->family == ADDR_V6 ? "IN IP6 " : "IN IP4 ");
	if (a->family == ADDR_NONE)
		writer_str(w, "0.0.0.0");
	else
		addr_print_ip(w, a);
	end_line(w);
}

static void put_connection(struct writer *w, const struct addr *a)
{
	writer_str(w, "c=");
	put_addr(w, a);
}

/* The user name may be a person's or a host's: RFC 8866 allows "-". */
static void put_origin(struct writer *w, const struct sdp_edit *e)
{
	writer_str(w, "o=- ");
	writer_dec(w, e->sess_id);
	writer_u8(w, ' ');
	writer_dec(w, e->sess_version);
	writer_u8(w, ' ');
	put_addr(w, &e->addr);
}

/* c= stands before b=, t=, r=, z=, k= and a= in the session's part, before
 * b=, k= and a= in a section (RFC 8866 section 5). */
static bool is_after_connection(struct slice line)
{
	return strchr("btrzka", line.ptr[0]) != NULL;
}

static bool is_head_line_kept(struct slice line)
{
	struct slice name, value;

	if (line.ptr[0] == 'c' || line.ptr[0] == 'k')
		return false;
	return !sdp_line_attr(line, &name, &value) ||
	       !(is_dropped(name, value) || text_ieqs(name, "crypto"));
}

static void print_head(struct writer *w, const struct sdp *s,
		       const struct sdp_edit *e)
{
	struct slice rest = s->head;
	struct slice line;
	bool done = false;

	while (sdp_line_next(&rest, &line)) {
		if (!done && is_after_connection(line)) {
			put_connection(w, &e->addr);
			done = true;
		}
		if (line.ptr[0] == 'o')
			put_origin(w, e);
		else if (is_head_line_kept(line))
			put_line(w, line);
	}
	if (!done)
		put_connection(w, &e->addr);
}

static void put_media(struct writer *w, const struct sdp_media *m,
		      const struct sdp_media_edit *e)
{
	writer_str(w, "m=");
	writer_put(w, m->type);
	writer_u8(w, ' ');
	writer_dec(w, e->port);
	writer_u8(w, ' ');
	if (e->proto == SDP_PROTO_OTHER)
		writer_put(w, m->proto_text);
	else
		writer_str(w, sdp_proto_str(e->proto));
	writer_u8(w, ' ');
	put_line(w, m->formats);
}

/* What we add to a section, at the place of its first attribute. */
static void put_attrs(struct writer *w, const struct sdp_media_edit *e)
{
	if (e->set_dir) {
		writer_str(w, "a=");
		writer_str(w, sdp_dir_str(e->dir));
		end_line(w);
	}
	if (e->port == 0)
		return;
	if (e->rtcp_mux) {
		writer_str(w, "a=rtcp-mux");
		end_line(w);
	}
	if (e->rtcp_port != 0 && e->rtcp_port != e->port + 1) {
		writer_str(w, "a=rtcp:");
		writer_dec(w, e->rtcp_port);
		end_line(w);
	}
	for (size_t i = 0; i < e->crypto_count && i < SUITE_COUNT; i++) {
		crypto_print(w, &e->crypto[i]);
		end_line(w);
	}
}

static bool is_media_line_kept(struct slice line,
			       const struct sdp_media_edit *e)
{
	struct slice name, value;

	if (line.ptr[0] == 'c' || line.ptr[0] == 'k' || line.ptr[0] == 'm')
		return false;
	if (!sdp_line_attr(line, &name, &value))
		return true;
	if (text_ieqs(name, "crypto"))
		return e->keep_crypto && e->port != 0;
	return !is_dropped(name, value) && !(e->set_dir && is_dir(name));
}

static void print_media(struct writer *w, const struct sdp_media *m,
			const struct sdp_edit *e,
			const struct sdp_media_edit *me)
{
	struct slice rest = m->text;
	struct slice line;
	bool has_addr = me->port == 0 || me->addr.family == ADDR_NONE ||
			addr_ip_eq(&me->addr, &e->addr);
	bool has_attrs = false;

	put_media(w, m, me);
	while (sdp_line_next(&rest, &line)) {
		if (!has_addr && is_after_connection(line)) {
			put_connection(w, &me->addr);
			has_addr = true;
		}
		if (!has_attrs && line.ptr[0] == 'a') {
			put_attrs(w, me);
			has_attrs = true;
		}
		if (is_media_line_kept(line, me))
			put_line(w, line);
	}
	if (!has_addr)
		put_connection(w, &me->addr);
	if (!has_attrs)
		put_attrs(w, me);
}

void sdp_print(struct writer *w, const struct sdp *s, const struct sdp_edit *e)
{
	print_head(w, s, e);
	for (size_t i = 0; i < s->media_count; i++)
		print_media(w, &s->media[i], e, &e->media[i]);
}
