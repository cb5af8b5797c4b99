/* The peers' own encoder and decoder of SCCP, against messages that tshark
 * decoded. */
#include "lib/run.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

static void vector(const char *name, unsigned version, struct pdu *ret)
{
	char path[512], text[2048];
	size_t n = 0;
	FILE *f;
	int c;

	(void)snprintf(path, sizeof(path), TEST_SRCDIR "/vectors/sccp/%s.hex",
		       name);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while ((c = fgetc(f)) != EOF && n + 1 < sizeof(text))
		if (isxdigit(c))
			text[n++] = (char)c;
	text[n] = 0;
	(void)fclose(f);
	ret->version = version;
	ret->len = hex_bytes(text, ret->b, sizeof(ret->b));
	ck_assert_uint_eq(ret->len, u32le(ret->b) + PDU_HEAD);
}

#define KEYS                                    \
	" algorithm=1 keyLen=16 saltLen=14"     \
	" key=101112131415161718191a1b1c1d1e1f" \
	" salt=a0a1a2a3a4a5a6a7a8a9aaabacad0000 mki=0"

static const struct {
	const char *name;
	unsigned version;
	const char *expected; /* part of what is printed */
} rows[] = {
	{"register", 17, "deviceName=SEP001122334455 "},
	{"register", 17, " protocolVer=17 "},
	{"register", 17, " load=TEST41.1-0"},
	{"register-ack", 17,
	 "RegisterAck header=0 len=24 keepAliveInterval=30 "
	 "dateTemplate=M/D/Y pad=0 secondaryKeepAlive=60 protocolVer=17"},
	{"open-receive-channel-0", 11,
	 "conferenceId=16777217 passThroughPartyId=16777233 packetMs=20 "
	 "codec=4 "},
	{"open-receive-channel-0", 11, KEYS},
	{"open-receive-channel-17", 17, KEYS},
	{"open-receive-channel-17", 17, " ip=10.0.0.9 port=4000 ipType=0"},
	{"open-receive-channel-ack-0", 11,
	 "status=0 ip=10.0.0.5 port=20002 passThroughPartyId=16777233 "
	 "callReference=16777217"},
	{"open-receive-channel-ack-17", 17,
	 "status=0 ip=10.0.0.5 port=20002 passThroughPartyId=16777233 "
	 "callReference=16777217"},
	{"start-media-transmission-0", 11, " ip=10.0.0.9 port=30004 "},
	{"start-media-transmission-0", 11, KEYS},
	{"start-media-transmission-17", 17, " ip=10.0.0.9 port=30004 "},
	{"start-media-transmission-17", 17, KEYS},
	{"start-media-transmission-ack-17", 17,
	 " ip=10.0.0.5 port=20002 status=0"},
	{"call-info-v2-17", 17, " security=3 "},
	{"call-info-v2-17", 17, "strings=1001|1001|1002|1002||"},
};

START_TEST(vectors_are_decoded)
{
	struct pdu m;
	char text[2048];

	vector(rows[_i].name, rows[_i].version, &m);
	ck_assert_ptr_null(pdu_print(&m, text, sizeof(text)));
	ck_assert_msg(strstr(text, rows[_i].expected) != NULL, "%s: no %s",
		      text, rows[_i].expected);
}
END_TEST

START_TEST(a_message_built_by_name_is_the_vector)
{
	struct pdu m, expected;
	static const uint8_t key[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
					0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
					0x1c, 0x1d, 0x1e, 0x1f},
			     salt[14] = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4,
					 0xa5, 0xa6, 0xa7, 0xa8, 0xa9,
					 0xaa, 0xab, 0xac, 0xad};
	struct in_addr ip;

	ck_assert_int_eq(inet_pton(AF_INET, "10.0.0.9", &ip), 1);
	vector("start-media-transmission-17", 17, &expected);
	pdu_init(&m, 0x008A, 17);
	pdu_set(&m, "conferenceId", 0x01000001);
	pdu_set(&m, "passThroughPartyId", 0x01000011);
	pdu_set_ip(&m, "ip", ip);
	pdu_set(&m, "port", 30004);
	pdu_set(&m, "packetMs", 20);
	pdu_set(&m, "codec", 4);
	pdu_set(&m, "precedence", 184);
	pdu_set(&m, "callReference", 0x01000001);
	pdu_set(&m, "algorithm", 1);
	pdu_set(&m, "keyLen", 16);
	pdu_set(&m, "saltLen", 14);
	pdu_set_bytes(&m, "key", key, sizeof(key));
	pdu_set_bytes(&m, "salt", salt, sizeof(salt));
	pdu_set(&m, "rfc2833", 101);
	pdu_set(&m, "dtmfType", 10);
	ck_assert_uint_eq(m.len, expected.len);
	ck_assert_mem_eq(m.b, expected.b, m.len);
}
END_TEST

START_TEST(fields_are_there_as_far_as_the_bytes_go)
{
	struct pdu m;
	char text[2048];

	pdu_init(&m, 0x0105, 5);
	pdu_set(&m, "callReference", 7);
	pdu_cut(&m, 72);
	ck_assert(pdu_has(&m, "salt"));
	ck_assert(!pdu_has(&m, "mki"));
	ck_assert_uint_eq(pdu_get(&m, "callReference"), 7);
	ck_assert_ptr_null(pdu_print(&m, text, sizeof(text)));
	pdu_cut(&m, 28);
	ck_assert(!pdu_has(&m, "callReference"));
	ck_assert_uint_eq(pdu_get(&m, "callReference"), 0);
	pdu_cut(&m, 27);
	ck_assert_ptr_nonnull(pdu_print(&m, text, sizeof(text)));
}
END_TEST

START_TEST(what_follows_the_last_field_is_wrong)
{
	struct pdu m;
	char text[2048];

	pdu_init(&m, 0x0100, 17);
	ck_assert_ptr_null(pdu_print(&m, text, sizeof(text)));
	m.len += 4;
	ck_assert_ptr_nonnull(pdu_print(&m, text, sizeof(text)));
}
END_TEST

START_TEST(every_row_of_the_table_can_be_built_in_every_version)
{
	for (uint32_t id = 0; id <= 0x8101; id++)
		for (unsigned v = 0; wire_row(id) && v <= VERSION_MAX; v++) {
			const struct wire_row *row = wire_row(id);
			struct pdu m;
			char text[4096];

			pdu_init(&m, id, v);
			ck_assert_ptr_null(pdu_print(&m, text, sizeof(text)));
			ck_assert_ptr_eq(wire_row_named(row->name), row);
		}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("wire");

	tcase_add_loop_test(tc, vectors_are_decoded, 0, ROWS(rows));
	tcase_add_test(tc, a_message_built_by_name_is_the_vector);
	tcase_add_test(tc, fields_are_there_as_far_as_the_bytes_go);
	tcase_add_test(tc, what_follows_the_last_field_is_wrong);
	tcase_add_test(tc,
		       every_row_of_the_table_can_be_built_in_every_version);
	return run_case("sccp/wire", tc);
}
