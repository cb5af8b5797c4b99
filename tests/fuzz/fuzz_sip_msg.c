/*
 * sip/msg, uri, hdr, print: bytes to message view or refusal. What is accepted
 * has its slices inside the buffer and no control byte in them, can be printed
 * and parsed to the same again, and can be answered.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "sip/hdr.h"
#include "sip/msg.h"
#include "sip/print.h"

enum { OUT_MAX = SIP_MSG_MAX * 2 + 4096 };

static uint8_t in[SIP_MSG_MAX];
static uint8_t out[OUT_MAX];
static struct sip_msg m;
static struct sip_msg again;

static void check_slice(struct slice s, bool is_text)
{
	if (s.len == 0)
		return;
	fuzz_check(s.ptr >= in && s.ptr + s.len <= in + sizeof(in));
	for (size_t i = 0; is_text && i < s.len; i++)
		fuzz_check((s.ptr[i] >= 0x20 || s.ptr[i] == '\t') &&
			   s.ptr[i] != 0x7f);
}

static void check_slices(void)
{
	check_slice(m.method_name, true);
	check_slice(m.ruri, true);
	check_slice(m.reason, true);
	check_slice(m.body, false);
	check_slice(m.call_id, true);
	check_slice(m.from_tag, true);
	check_slice(m.to_tag, true);
	check_slice(m.branch, true);
	for (size_t i = 0; i < m.hdr_count; i++) {
		check_slice(m.hdr[i].name, true);
		check_slice(m.hdr[i].value, true);
	}
}

static void check_again(void)
{
	struct writer w;
	size_t k = 0;

	writer_init(&w, out, sizeof(out));
	if (m.is_request)
		sip_print_request(&w, m.method_name, m.ruri);
	else
		sip_print_status(&w, m.status, m.reason);
	for (size_t i = 0; i < m.hdr_count; i++)
		if (m.hdr[i].id != SIP_HDR_CONTENT_LENGTH)
			sip_print_hdr_copy(&w, &m.hdr[i]);
	if (m.hdr_count == SIP_HDRS_MAX &&
	    !sip_msg_find(&m, SIP_HDR_CONTENT_LENGTH))
		return; /* no room for the one we add */
	sip_print_body(&w, SLICE_NULL, m.body);
	fuzz_check(writer_ok(&w));
	fuzz_check(sip_msg_parse(out, w.len, &again, NULL) == 0);
	fuzz_check(slice_eq(m.ruri, again.ruri) &&
		   slice_eq(m.method_name, again.method_name) &&
		   slice_eq(m.body, again.body) && slice_eq(m.via, again.via) &&
		   m.cseq == again.cseq &&
		   m.max_forwards == again.max_forwards);
	for (size_t i = 0; i < m.hdr_count; i++)
		if (m.hdr[i].id != SIP_HDR_CONTENT_LENGTH)
			fuzz_check(
				slice_eq(m.hdr[i].value, again.hdr[k++].value));
	fuzz_check(k + 1 == again.hdr_count);
}

static void check_answer(void)
{
	struct addr from = {.family = ADDR_V6, .port = 1};
	struct writer w;

	writer_init(&w, out, sizeof(out));
	sip_print_reply(&w, &m, 400, SLICE_NULL, slice_str("tag"), &from);
	sip_print_body(&w, SLICE_NULL, SLICE_NULL);
	fuzz_check(writer_ok(&w));
	fuzz_check(sip_msg_parse(out, w.len, &again, NULL) == 0 ||
		   m.hdr_count >= SIP_HDRS_MAX - 1);
	fuzz_check(slice_eq(m.branch, again.branch));
	from = sip_response_addr(&m, &from);
}

static void read_values(void)
{
	struct sip_nameaddr a;
	struct sip_uri u;
	struct sip_cred c;
	struct slice v;

	for (size_t i = 0; i < m.hdr_count; i++) {
		size_t pos = 0;

		if (sip_cred_parse(m.hdr[i].value, &c) == 0)
			check_slice(c.username, true);
		if (sip_nameaddr_parse(m.hdr[i].value, &a) == 0 &&
		    sip_uri_parse(a.uri, &u) == 0) {
			check_slice(u.host, true);
			fuzz_check(sip_uri_eq(&u, &u));
		}
		while (sip_msg_next(&m, m.hdr[i].id, &pos, &v))
			check_slice(v, true);
		(void)sip_expires(&m, m.hdr[i].value, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_reject why = {.status = 0};

	if (size > sizeof(in))
		return 0;
	memcpy(in, data, size);
	if (sip_msg_parse(in, size, &m, &why) == 0) {
		check_slices();
		read_values();
		check_again();
		if (m.is_request)
			check_answer();
	} else {
		fuzz_check(why.status >= 400 && why.status < 600 && why.reason);
		check_slices();
		read_values();
	}
	return 0;
}
