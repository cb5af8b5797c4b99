/*
 * The torture messages of RFC 4475 through framer, parser and printer. Each
 * row says what the RFC asks for; where it leaves a choice, ours.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/run.h"
#include "sip/frame.h"
#include "sip/hdr.h"
#include "sip/msg.h"
#include "sip/print.h"
#include "unit/sip/vectors.h"

struct row {
	const char *file;
	unsigned status;  /* 0 = accepted, else how it is refused */
	bool is_answered; /* a refusal can be sent back */
	int stream;	  /* what the stream framer says of it */
	const char *section;
};

static const struct row rows[] = {
	{"wsinv", 0, false, 0, "3.1.1.1 a short tortuous INVITE"},
	{"intmeth", 0, false, 0, "3.1.1.2 wide range of valid characters"},
	{"esc01", 0, false, 0, "3.1.1.3 valid use of % escaping"},
	{"escnull", 0, false, 0, "3.1.1.4 escaped nulls in URIs"},
	{"esc02", 0, false, 0, "3.1.1.5 use of % when not an escape"},
	{"lwsdisp", 0, false, 0, "3.1.1.6 no LWS before <"},
	{"longreq", 0, false, 0, "3.1.1.7 long values"},
	{"dblreq", 0, false, 0, "3.1.1.8 extra trailing octets"},
	{"semiuri", 0, false, 0, "3.1.1.9 semicolon in the user part"},
	{"transports", 0, false, 0, "3.1.1.10 varied transport types"},
	{"mpart01", 0, false, 0, "3.1.1.11 multipart MIME with NULs"},
	{"unreason", 0, false, 0, "3.1.1.12 unusual reason phrase"},
	{"noreason", 0, false, 0, "3.1.1.13 empty reason phrase"},
	{"badinv01", 400, true, 0, "3.1.2.1 extraneous separators"},
	{"clerr", 400, true, ERR_MORE, "3.1.2.2 length too large"},
	{"ncl", 400, true, ERR_BAD, "3.1.2.3 negative Content-Length"},
	{"scalar02", 400, true, 0, "3.1.2.4 overlarge numbers"},
	{"scalarlg", 400, false, 0, "3.1.2.5 overlarge, response: drop"},
	{"quotbal", 400, true, 0, "3.1.2.6 unterminated quote"},
	{"ltgtruri", 400, true, 0, "3.1.2.7 <> around the Request-URI"},
	{"lwsruri", 400, true, 0, "3.1.2.8 LWS in the Request-URI"},
	{"lwsstart", 400, true, 0, "3.1.2.9 many SP in the start line"},
	{"trws", 400, true, 0, "3.1.2.10 SP at the end of the start line"},
	{"escruri", 400, true, 0, "3.1.2.11 headers in the Request-URI"},
	{"baddate", 0, false, 0, "3.1.2.12 Date is none of our business"},
	{"regbadct", 400, true, 0, "3.1.2.13 Contact should have had <>"},
	{"badaspec", 400, true, 0, "3.1.2.14 blanks in an addr-spec"},
	{"baddn", 400, true, 0, "3.1.2.15 non-token display name"},
	{"badvers", 505, true, 0, "3.1.2.16 unknown version"},
	{"mismatch01", 400, true, 0, "3.1.2.17 CSeq method differs"},
	{"mismatch02", 400, true, 0, "3.1.2.18 and is unknown"},
	{"bigcode", 400, false, 0, "3.1.2.19 overlarge status: drop"},
	{"badbranch", 0, false, 0, "3.2.1 the transaction layer's"},
	{"insuf", 400, false, 0, "3.3.1 no Call-ID, From, To"},
	{"unkscm", 416, true, 0, "3.3.2 unknown scheme"},
	{"novelsc", 416, true, 0, "3.3.3 known but not ours"},
	{"unksm2", 0, false, 0, "3.3.4 in headers: the registrar's"},
	{"bext01", 0, false, 0, "3.3.5 Require: 420 is the user's"},
	{"invut", 0, false, 0, "3.3.6 unknown body: 415 is the user's"},
	{"regaut01", 0, false, 0, "3.3.7 unknown auth scheme"},
	{"multi01", 400, true, 0, "3.3.8 doubled single headers"},
	{"mcl01", 400, true, ERR_BAD, "3.3.9 several Content-Lengths"},
	{"bcast", 0, false, 0, "3.3.10 broadcast Via in a response"},
	{"zeromf", 0, false, 0, "3.3.11 Max-Forwards 0 is the user's"},
	{"cparam01", 0, false, 0, "3.3.12 parameter of the Contact"},
	{"cparam02", 0, false, 0, "3.3.13 parameter of its URI"},
	{"regescrt", 0, false, 0, "3.3.14 headers in a Contact"},
	{"sdp01", 0, false, 0, "3.3.15 unacceptable Accept"},
	{"inv2543", 0, false, 0, "3.4.1 INVITE of RFC 2543"},
};

static uint8_t *load(int i, size_t *ret_len)
{
	char name[64];

	snprintf(name, sizeof(name), "rfc4475/%s.dat", rows[i].file);
	return vector_read(name, ret_len);
}

static struct sip_msg *msg_new(void)
{
	return calloc(1, sizeof(struct sip_msg));
}

START_TEST(torture_messages_are_accepted_or_refused_as_the_rfc_says)
{
	const struct row *r = &rows[_i];
	struct sip_msg *m = msg_new();
	struct sip_reject why = {0};
	struct sip_frame f;
	const char *reason = "";
	size_t len;
	uint8_t *buf = load(_i, &len);
	int err = sip_frame_datagram(buf, len, &f, &reason);

	ck_assert_msg(err == 0, "%s: framer: %s", r->file, reason);
	ck_assert_int_eq(f.kind, SIP_FRAME_MSG);
	err = sip_msg_parse(buf, f.len, m, &why);
	ck_assert_msg(why.status == r->status, "%s (%s): %u %s", r->file,
		      r->section, why.status, why.reason);
	ck_assert_int_eq(err, r->status ? ERR_BAD : 0);
	if (err)
		ck_assert_msg((m->via.len > 0) == r->is_answered, "%s: via",
			      r->file);
	free(m);
	free(buf);
}
END_TEST

/* Feed a stream that ends after each possible number of bytes, then whole:
 * whatever the split, the same unit comes out, and only at its last byte. */
START_TEST(stream_gives_the_same_unit_at_every_split_point)
{
	const struct row *r = &rows[_i];
	struct sip_frame whole = {.len = 0};
	const char *reason = "";
	size_t len;
	uint8_t *buf = load(_i, &len);
	size_t scanned = 0;
	int err = sip_frame_stream(buf, len, &scanned, &whole, &reason);

	ck_assert_msg(err == r->stream || r->stream == 0, "%s: %d %s", r->file,
		      err, reason);
	if (err) /* dozens of RFC examples have no Content-Length */
		whole.len = len;
	for (size_t cut = 0; cut <= len; cut++) {
		struct sip_frame f = {.len = 0};
		int first;

		scanned = 0;
		first = sip_frame_stream(buf, cut, &scanned, &f, &reason);
		if (first == ERR_MORE)
			first = sip_frame_stream(buf, len, &scanned, &f,
						 &reason);
		else
			ck_assert(err != 0 || cut >= whole.len);
		ck_assert_int_eq(first, err);
		if (!err)
			ck_assert_uint_eq(f.len, whole.len);
	}
	free(buf);
}
END_TEST

START_TEST(stream_fed_byte_by_byte_gives_the_same_unit)
{
	struct sip_frame whole = {.len = 0};
	struct sip_frame f = {.len = 0};
	const char *reason;
	size_t len;
	uint8_t *buf = load(_i, &len);
	size_t scanned = 0;
	int err = sip_frame_stream(buf, len, &scanned, &whole, &reason);
	int now = ERR_MORE;

	scanned = 0;
	for (size_t n = 0; n <= len && now == ERR_MORE; n++)
		now = sip_frame_stream(buf, n, &scanned, &f, &reason);
	ck_assert_int_eq(now, err);
	ck_assert_uint_eq(f.len, whole.len);
	free(buf);
}
END_TEST

static void print_again(struct writer *w, const struct sip_msg *m)
{
	if (m->is_request)
		sip_print_request(w, m->method_name, m->ruri);
	else
		sip_print_status(w, m->status, m->reason);
	for (size_t i = 0; i < m->hdr_count; i++)
		if (m->hdr[i].id != SIP_HDR_CONTENT_LENGTH)
			sip_print_hdr_copy(w, &m->hdr[i]);
	sip_print_body(w, SLICE_NULL, m->body);
}

static void assert_same(const struct sip_msg *a, const struct sip_msg *b)
{
	size_t k = 0;

	ck_assert_uint_eq(a->status, b->status);
	ck_assert(slice_eq(a->method_name, b->method_name));
	ck_assert(slice_eq(a->ruri, b->ruri));
	ck_assert(slice_eq(a->body, b->body));
	ck_assert(slice_eq(a->from_tag, b->from_tag));
	ck_assert(slice_eq(a->branch, b->branch));
	for (size_t i = 0; i < a->hdr_count; i++) {
		if (a->hdr[i].id == SIP_HDR_CONTENT_LENGTH)
			continue;
		ck_assert(slice_eq(a->hdr[i].name, b->hdr[k].name));
		ck_assert(slice_eq(a->hdr[i].value, b->hdr[k].value));
		k++;
	}
	ck_assert_uint_eq(k + 1, b->hdr_count);
}

START_TEST(printed_again_and_parsed_again_it_is_the_same_message)
{
	struct sip_msg *m = msg_new();
	struct sip_msg *again = msg_new();
	struct sip_frame f;
	uint8_t *out = malloc(VECTOR_MAX);
	struct writer w;
	size_t len;
	uint8_t *buf = load(_i, &len);

	if (rows[_i].status == 0) {
		ck_assert_int_eq(sip_frame_datagram(buf, len, &f, NULL), 0);
		ck_assert_int_eq(sip_msg_parse(buf, f.len, m, NULL), 0);
		writer_init(&w, out, VECTOR_MAX);
		print_again(&w, m);
		ck_assert(writer_ok(&w));
		ck_assert_int_eq(sip_msg_parse(out, w.len, again, NULL), 0);
		assert_same(m, again);
	}
	free(m);
	free(again);
	free(out);
	free(buf);
}
END_TEST

START_TEST(answer_to_it_is_a_message_too)
{
	struct sip_msg *m = msg_new();
	struct sip_msg *again = msg_new();
	struct addr from = {
		.family = ADDR_V4, .ip = {192, 0, 2, 77}, .port = 1234};
	struct sip_frame f;
	uint8_t *out = malloc(VECTOR_MAX);
	struct writer w;
	size_t len;
	uint8_t *buf = load(_i, &len);
	int err;

	ck_assert_int_eq(sip_frame_datagram(buf, len, &f, NULL), 0);
	err = sip_msg_parse(buf, f.len, m, NULL);
	if (m->is_request && err == 0) {
		writer_init(&w, out, VECTOR_MAX);
		sip_print_reply(&w, m, 404, SLICE_NULL, slice_str("our-tag"),
				&from);
		sip_print_body(&w, SLICE_NULL, SLICE_NULL);
		ck_assert(writer_ok(&w));
		ck_assert_int_eq(sip_msg_parse(out, w.len, again, NULL), 0);
		ck_assert_uint_eq(again->status, 404);
		ck_assert(slice_eq(again->branch, m->branch));
		ck_assert(slice_eq(again->call_id, m->call_id));
		ck_assert(again->to_tag.len > 0);
		ck_assert_uint_eq(again->cseq, m->cseq);
	}
	free(m);
	free(again);
	free(out);
	free(buf);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("torture");
	int n = (int)(sizeof(rows) / sizeof(rows[0]));

	tcase_add_loop_test(
		tc, torture_messages_are_accepted_or_refused_as_the_rfc_says, 0,
		n);
	tcase_add_loop_test(tc, stream_gives_the_same_unit_at_every_split_point,
			    0, n);
	tcase_add_loop_test(tc, stream_fed_byte_by_byte_gives_the_same_unit, 0,
			    n);
	tcase_add_loop_test(
		tc, printed_again_and_parsed_again_it_is_the_same_message, 0,
		n);
	tcase_add_loop_test(tc, answer_to_it_is_a_message_too, 0, n);
	return run_case("rfc4475", tc);
}
