/*
 * Bodies and names of dialogs on their way to the other side. The first byte
 * says which reader gets the rest.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "rewrite/body.h"
#include "rewrite/dialog_id.h"
#include "rewrite/hosts.h"
#include "sip/multipart.h"

enum { OUT_MAX = 1 << 17 };

static uint8_t out[OUT_MAX];
static uint8_t again[OUT_MAX];

static struct addr ip(const char *text)
{
	struct addr a = {.family = ADDR_NONE};

	fuzz_check(addr_parse_ip(slice_str(text), &a) == 0);
	return a;
}

/* Most dialogs are known under other names, which are easily told. */
static bool dialog(void *ctx, bool to_phone, const struct sip_out_ids *in,
		   struct sip_out_ids *ret)
{
	(void)ctx;
	(void)to_phone;
	fuzz_check(in->call_id.len > 0);
	if (in->call_id.ptr[0] == 'x')
		return false;
	*ret = (struct sip_out_ids){.call_id = SLICE("C<&\""),
				    .tag = {SLICE("T0"), SLICE("T1")}};
	return true;
}

/* Some users are lines, whose names neither are part of an address nor let one
 * before them be read: behind "::" a number would do the one, a letter that is no
 * digit the other. */
static bool contact(void *ctx, bool to_phone, struct slice user,
		    struct slice *ret_uri, struct slice *ret_user)
{
	(void)ctx;
	(void)to_phone;
	*ret_uri = SLICE_NULL;
	*ret_user = (struct slice)SLICE("an1003");
	return user.len == 5;
}

/* Some of the others have covers. */
static bool name(void *ctx, bool to_phone, struct slice in, struct writer *w)
{
	(void)ctx;
	fuzz_check(to_phone && in.len > 0);
	writer_str(w, "cover");
	return in.ptr[in.len - 1] != 'x';
}

static bool is_inside(void *ctx, const struct addr *a)
{
	struct addr other = ip("10.0.0.7");

	(void)ctx;
	return addr_ip_eq(a, &other);
}

static struct sip_out_rules the_rules(void)
{
	static const struct sip_out_lookup lookup = {.dialog = dialog,
						     .contact = contact,
						     .name = name,
						     .is_inside = is_inside};

	return (struct sip_out_rules){.to_phone = true,
				      .has_body = true,
				      .lookup = &lookup,
				      .map = {.ours = ip("10.0.0.1"),
					      .ours_new = ip("192.0.2.1"),
					      .peer = ip("10.0.0.2"),
					      .peer_new = ip("192.0.2.1"),
					      .hides_all = true,
					      .inside = &lookup}};
}

/* An address that is replaced is gone, and nothing else changes. */
static void check_hosts(struct slice s)
{
	static const struct sip_out_map none;
	struct sip_out_rules r = the_rules();
	struct writer w;
	struct writer w2;

	writer_init(&w, out, sizeof(out));
	hosts_copy(&w, s, &none);
	fuzz_check(slice_eq(writer_slice(&w), s));
	writer_init(&w, out, sizeof(out));
	hosts_copy(&w, s, &r.map);
	fuzz_check(writer_ok(&w));
	writer_init(&w2, again, sizeof(again));
	hosts_copy(&w2, writer_slice(&w), &r.map);
	fuzz_check(slice_eq(writer_slice(&w), writer_slice(&w2)));
}

/* The walks end, and what they find lies in the body. */
static void check_named(struct slice s)
{
	static struct dialog_id_named n;
	struct slice text;
	size_t pos = 0;
	size_t was = 0;

	while (dialog_id_next_xml(s, &pos, &n)) {
		fuzz_check(pos > was && pos <= s.len);
		fuzz_check(n.ids.call_id.len <= DIALOG_ID_MAX);
		was = pos;
	}
	pos = was = 0;
	while (dialog_id_next_text(s, &pos, "softkeyevent", &text)) {
		fuzz_check(pos > was && pos <= s.len);
		fuzz_check(text.len == 0 ||
			   (text.ptr >= s.ptr &&
			    text.ptr + text.len <= s.ptr + s.len));
		was = pos;
	}
}

static void check_xml(struct slice s)
{
	static const struct sip_out_rules none;
	struct sip_out_rules r = the_rules();
	struct writer w;

	writer_init(&w, out, sizeof(out));
	dialog_id_copy_xml(&w, s, &none);
	fuzz_check(slice_eq(writer_slice(&w), s));
	writer_init(&w, out, sizeof(out));
	dialog_id_copy_xml(&w, s, &r);
	fuzz_check(writer_ok(&w));
	check_named(s);
}

static void check_values(struct slice s)
{
	struct sip_out_rules r = the_rules();
	struct writer w;

	writer_init(&w, out, sizeof(out));
	dialog_id_copy(&w, s, &r);
	dialog_id_copy_event(&w, s, &r);
	dialog_id_copy_refer_to(&w, s, &r);
	fuzz_check(writer_ok(&w));
	/* Nothing escaped becomes a line end. */
	for (size_t i = 0; i < w.len; i++)
		fuzz_check((out[i] != '\r' && out[i] != '\n') ||
			   memchr(s.ptr, out[i], s.len) != NULL);
}

/* Parts lie in the body, in order; a session description is one of them. */
static void check_parts(struct slice s)
{
	static const char boundary[] = "multipart/mixed;boundary=x";
	struct sip_multipart m;
	struct sip_part part;
	struct slice session;
	struct slice type;
	const uint8_t *at = s.ptr;
	int count = 0;

	if (sip_body_session(slice_str(boundary), SLICE_NULL, s, &type,
			     &session) == 0)
		fuzz_check(session.len > 0 && session.ptr >= s.ptr &&
			   session.ptr + session.len <= s.ptr + s.len);
	if (sip_multipart_open(slice_str(boundary), s, &m) != 0)
		return;
	while (sip_multipart_next(&m, &part) == 0) {
		fuzz_check(part.head.ptr >= at);
		fuzz_check(part.body.ptr >= part.head.ptr + part.head.len);
		at = part.body.ptr + part.body.len;
		fuzz_check(at <= s.ptr + s.len);
		fuzz_check(++count <= SIP_PARTS_MAX);
	}
}

/* A whole message: what is written reads as one again. */
static void check_message(const uint8_t *data, size_t size)
{
	static uint8_t in[SIP_MSG_MAX];
	static struct sip_msg m;
	static struct sip_msg m2;
	struct sip_out_rules r = the_rules();
	struct sip_out_response p = {
		.status = 200,
		.head = SLICE("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
			      "From: <sip:1@x>;tag=1\r\nTo: <sip:2@x>;tag=2\r\n"
			      "Call-ID: c\r\nCSeq: 1 MESSAGE\r\n"),
		.src = &m,
		.rules = &r};
	struct dest dest = {.ep = HANDLE_NONE};
	struct writer w;

	if (size > sizeof(in))
		return;
	memcpy(in, data, size);
	if (sip_msg_parse(in, size, &m, NULL) != 0)
		return;
	p.dest = &dest;
	if (m.package.len > 0) {
		p.type = (struct slice)SLICE("application/sdp");
		p.body = (struct slice)SLICE("v=0\r\n");
	}
	writer_init(&w, out, sizeof(out));
	sip_out_response(&w, &p);
	fuzz_check(writer_ok(&w));
	if (w.len > SIP_MSG_MAX || m.hdr_count > SIP_HDRS_MAX - 10)
		return;
	fuzz_check(sip_msg_parse(out, w.len, &m2, NULL) == 0 ||
		   m.hdr_count == 0 || m2.hdr_count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s;

	if (size < 2 || size > 16384)
		return 0;
	s = slice_make(data + 1, size - 1);
	switch ((uint8_t)(data[0] - '0') % 5) {
	case 0:
		check_hosts(s);
		break;
	case 1:
		check_xml(s);
		break;
	case 2:
		check_values(s);
		break;
	case 3:
		check_parts(s);
		break;
	default:
		check_message(s.ptr, s.len);
		break;
	}
	return 0;
}
