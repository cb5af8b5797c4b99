/* media/queue_rules.c: the text that tools are given. */
#include <check.h>
#include <stdlib.h>

#include "lib/run.h"
#include "media/queue_rules.h"

static const struct addr addrs[] = {
	{ADDR_V4, {192, 0, 2, 1}, 0},
	{ADDR_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 0},
};

static struct queue_rules rules(uint32_t addr_count, uint16_t queues)
{
	return (struct queue_rules){.addr = addrs,
				    .addr_count = addr_count,
				    .port_min = 20000,
				    .port_max = 20999,
				    .first = 5060,
				    .queues = queues,
				    .pid = 4711};
}

static uint8_t buf[QUEUE_RULES_TEXT_MAX];

static const char *text_of(struct writer *w)
{
	writer_u8(w, 0);
	ck_assert(writer_ok(w));
	return (const char *)buf;
}

START_TEST(nftables_has_a_table_of_its_own)
{
	struct queue_rules r = rules(2, 4);
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	queue_rules_nft(&w, &r);
	ck_assert_str_eq(
		text_of(&w),
		"table inet sallyport_5060_4711 {\n"
		"\tchain input {\n"
		"\t\ttype filter hook input priority 50; policy accept;\n"
		"\t\tip daddr 192.0.2.1 udp dport 20000-20999 "
		"queue num 5060-5063 fanout\n"
		"\t\tip6 daddr 2001:db8::1 udp dport 20000-20999 "
		"queue num 5060-5063 fanout\n"
		"\t}\n"
		"}\n");
}
END_TEST

START_TEST(iptables_has_a_chain_of_its_own)
{
	struct queue_rules r = rules(1, 2);
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	ck_assert(queue_rules_iptables(&w, &r, ADDR_V4));
	ck_assert_str_eq(text_of(&w),
			 "*security\n"
			 ":sallyport_5060_4711 - [0:0]\n"
			 "-A sallyport_5060_4711 -d 192.0.2.1 -p udp -m udp "
			 "--dport 20000:20999 -j NFQUEUE "
			 "--queue-balance 5060:5061 --queue-cpu-fanout\n"
			 "-I INPUT 1 -j sallyport_5060_4711\n"
			 "COMMIT\n");
	writer_init(&w, buf, sizeof(buf));
	ck_assert(!queue_rules_iptables(&w, &r, ADDR_V6));
	ck_assert_uint_eq(w.len, 0);
	writer_init(&w, buf, sizeof(buf));
	queue_rules_iptables_undo(&w, slice_str("sallyport_5060_4711"));
	ck_assert_str_eq(text_of(&w), "*security\n"
				      "-D INPUT -j sallyport_5060_4711\n"
				      "-F sallyport_5060_4711\n"
				      "-X sallyport_5060_4711\n"
				      "COMMIT\n");
}
END_TEST

START_TEST(one_queue_is_not_balanced)
{
	struct queue_rules r = rules(1, 1);
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	(void)queue_rules_iptables(&w, &r, ADDR_V4);
	ck_assert_ptr_nonnull(
		strstr(text_of(&w), "-j NFQUEUE --queue-num 5060\n"));
	writer_init(&w, buf, sizeof(buf));
	queue_rules_nft(&w, &r);
	ck_assert_ptr_nonnull(strstr(text_of(&w), "queue num 5060\n"));
}
END_TEST

START_TEST(no_rule_lets_packets_by_when_nobody_reads)
{
	struct queue_rules r = rules(2, 4);
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	queue_rules_nft(&w, &r);
	(void)queue_rules_iptables(&w, &r, ADDR_V4);
	(void)queue_rules_iptables(&w, &r, ADDR_V6);
	ck_assert_ptr_null(strstr(text_of(&w), "bypass"));
}
END_TEST

START_TEST(sixteen_addresses_fit)
{
	struct queue_rules r = rules(16, 16);
	struct addr many[16];
	struct writer w;

	for (int i = 0; i < 16; i++)
		many[i] = (struct addr){ADDR_V6, {0xfe, 0x80, [15] = 1}, 0};
	r.addr = many;
	writer_init(&w, buf, sizeof(buf));
	queue_rules_nft(&w, &r);
	ck_assert(writer_ok(&w));
	writer_init(&w, buf, sizeof(buf));
	ck_assert(queue_rules_iptables(&w, &r, ADDR_V6));
	ck_assert(writer_ok(&w));
}
END_TEST

START_TEST(names_are_ours_or_not)
{
	static const char *const others[] = {
		"sallyport",	   "sallyport_",    "sallyport_5060",
		"sallyport_5060_", "sallyport_x_1", "sallyport_70000_1",
		"mysallyport_1_1", "sallyport_1_1x"};
	struct queue_rules r = rules(1, 1);
	char name[QUEUE_RULES_NAME_MAX];
	uint16_t first;
	uint32_t pid;

	r.first = 65535;
	r.pid = 4194304; /* the highest Linux has */
	queue_rules_name(&r, name);
	ck_assert_str_eq(name, "sallyport_65535_4194304");
	ck_assert_uint_lt(strlen(name), 29); /* of a chain */
	ck_assert(queue_rules_name_parse(slice_str(name), &first, &pid));
	ck_assert_uint_eq(first, 65535);
	ck_assert_uint_eq(pid, 4194304);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!queue_rules_name_parse(slice_str(others[i]), &first,
						  &pid));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rules");

	tcase_add_test(t, nftables_has_a_table_of_its_own);
	tcase_add_test(t, iptables_has_a_chain_of_its_own);
	tcase_add_test(t, one_queue_is_not_balanced);
	tcase_add_test(t, no_rule_lets_packets_by_when_nobody_reads);
	tcase_add_test(t, sixteen_addresses_fit);
	tcase_add_test(t, names_are_ours_or_not);
	return run_case("media/queue_rules", t);
}
