/*
 * A stream of Skinny messages: cut elsewhere it gives the same messages, a copy
 * is the same bytes, and whatever is replaced in one, it stays a message of the
 * same kind, with just those fields.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "rewrite/sccp_out.h"
#include "sccp/frame.h"
#include "sccp/key.h"
#include "sccp/msg.h"

static struct sccp_out out;

static void check_fields(const struct sccp_msg *m)
{
	for (int f = 0; f < SCCP_FIELD_COUNT; f++)
		fuzz_check(m->at[f] == 0 ||
			   m->at[f] + sccp_field_len((enum sccp_field)f,
						     m->is_long) <=
				   m->bytes.len);
}

static void check_again(const struct sccp_msg *m)
{
	struct sccp_pdu pdu;

	fuzz_check(sccp_frame(sccp_out_bytes(&out), SCCP_OUT_MAX, &pdu) == 0);
	fuzz_check(pdu.bytes.len == out.len && pdu.id == m->id &&
		   pdu.version == m->version);
	check_fields(&out.msg);
}

static void check_rewrite(const struct sccp_msg *m)
{
	struct addr a = {.family = ADDR_V4, .ip = {192, 0, 2, 1}, .port = 9};
	struct flow_key k = {.suite = SUITE_AES_CM_128_HMAC_SHA1_32}, got;
	struct addr back;

	sccp_out_copy(&out, m);
	fuzz_check(slice_eq(sccp_out_bytes(&out), m->bytes));
	sccp_out_clean(&out);
	sccp_out_station(&out, &a);
	fuzz_check(sccp_out_servers(&out, &a, 1) == 0);
	fuzz_check(sccp_out_addr(&out, SCCP_SRC_ADDR, SCCP_SRC_PORT, &a) == 0);
	fuzz_check(sccp_out_addr(&out, SCCP_ADDR, SCCP_PORT, &a) == 0);
	if (sccp_addr(&out.msg, SCCP_ADDR, SCCP_PORT, &back) == 0)
		fuzz_check(addr_eq(&a, &back));
	fuzz_check(out.len == m->bytes.len);
	if (sccp_out_key(&out, &k) == 0) {
		fuzz_check(sccp_key_parse(slice_sub(sccp_out_bytes(&out),
						    out.msg.at[SCCP_KEY],
						    sccp_key_len(&out.msg)),
					  &got) == 0);
		fuzz_check(flow_key_eq(&k, &got));
	}
	check_again(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct sccp_pdu pdu, cut;
	struct sccp_msg m;

	while (sccp_frame(in, SCCP_PDU_MAX, &pdu) == 0) {
		fuzz_check(sccp_frame(slice_sub(in, 0, pdu.bytes.len - 1),
				      SCCP_PDU_MAX, &cut) == ERR_MORE);
		fuzz_check(sccp_frame(pdu.bytes, SCCP_PDU_MAX, &cut) == 0 &&
			   slice_eq(cut.bytes, pdu.bytes));
		sccp_msg_parse(&pdu, &m);
		check_fields(&m);
		check_rewrite(&m);
		in = slice_from(in, pdu.bytes.len);
	}
	return 0;
}
