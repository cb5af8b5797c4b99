/* What each worker has of addresses and ports, and when it is too little. */
#include <check.h>

#include "config/config.h"
#include "lib/run.h"

static struct config_listener listener = {.name = "phones"};
static struct config_call_manager manager[2] = {{.name = "cm1"},
						{.name = "cm2"}};
static struct config config = {.listener = &listener,
			       .listener_count = 1,
			       .call_manager = manager,
			       .call_manager_count = 2};

static struct addr at(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(slice_str(text), 0, &a), 0);
	return a;
}

static void setup(void)
{
	listener.address =
		(struct config_endpoint){.transport = CONFIG_UDP,
					 .addr = at("192.0.2.1:5060")};
	manager[0].address.transport = CONFIG_UDP;
	manager[0].local_address = at("192.0.2.1:5070");
	manager[1].address.transport = CONFIG_UDP;
	manager[1].local_address = at("192.0.2.1:5080");
	config.media.inside_address = at("192.0.2.1");
	config.media.outside_address = at("192.0.2.9");
	config.media.ports = (struct config_ports){16384, 32767};
	config.media.outside_ports = config.media.ports;
	config.media.inside_ports = config.media.ports;
}

/* Is what stands in the way of so many workers said with this word? */
static void expect(uint32_t workers, const char *word)
{
	struct config_report rep;
	int err;

	config_report_init(&rep);
	err = config_check_workers(&config, workers, &rep);
	if (word) {
		ck_assert_int_eq(err, ERR_BAD);
		ck_assert_uint_eq(rep.errors, 1);
		ck_assert_ptr_nonnull(strstr(rep.first->text, word));
	} else {
		ck_assert_int_eq(err, 0);
		ck_assert_ptr_null(rep.first);
	}
	config_report_done(&rep);
}

START_TEST(each_has_the_next_port)
{
	struct addr a = config_local_address(&manager[0], 3);
	struct addr want = at("192.0.2.1:5073");

	ck_assert(addr_eq(&a, &want));
	expect(10, NULL);
}
END_TEST

START_TEST(a_listeners_port_is_in_the_way)
{
	listener.address.addr = at("0.0.0.0:5072");
	expect(2, NULL);
	expect(3, "worker 2, 192.0.2.1:5072 is listener phones");
	listener.address.transport = CONFIG_TLS;
	expect(3, NULL);
}
END_TEST

START_TEST(another_managers_port_is_in_the_way)
{
	expect(11, "worker 10, 192.0.2.1:5080 is also that of "
		   "call-manager cm2");
	manager[1].local_address = at("192.0.2.2:5080");
	expect(11, NULL);
	/* One port for both managers is one port. */
	manager[1].local_address = manager[0].local_address;
	expect(11, NULL);
}
END_TEST

START_TEST(a_relay_port_is_in_the_way)
{
	manager[0].local_address = at("192.0.2.1:16383");
	expect(1, NULL);
	expect(2, "worker 1, 192.0.2.1:16384 is a relay port");
}
END_TEST

START_TEST(ports_end)
{
	manager[1].local_address = at("192.0.2.1:65535");
	expect(1, NULL);
	expect(2, "does not exist");
}
END_TEST

START_TEST(relay_ports_are_cut_into_equal_pairs)
{
	struct config_ports all = {10000, 10021}; /* 11 pairs */
	struct config_ports last = {0, 0};

	for (uint32_t i = 0; i < 3; i++) {
		struct config_ports p = config_worker_ports(&all, i, 3);

		ck_assert_uint_eq(p.min, 10000 + 6 * i);
		ck_assert_uint_eq(p.max, p.min + 5);
		last = p;
	}
	ck_assert_uint_le(last.max, all.max);
	all = (struct config_ports){2, 65535};
	last = config_worker_ports(&all, 59, 60);
	ck_assert_uint_le(last.min, last.max);
}
END_TEST

START_TEST(relay_ports_run_out)
{
	config.media.inside_ports = (struct config_ports){20000, 20015};
	expect(2, NULL);
	expect(3, "too few");
}
END_TEST

START_TEST(trunks_share_datagrams_with_phones_in_one_worker_only)
{
	listener.serves = CONFIG_BOTH;
	expect(1, NULL);
	expect(2, "serves = both on udp: needs workers = 1");
	listener.serves = CONFIG_TRUNKS;
	expect(2, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("workers");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, each_has_the_next_port);
	tcase_add_test(t, a_listeners_port_is_in_the_way);
	tcase_add_test(t, another_managers_port_is_in_the_way);
	tcase_add_test(t, a_relay_port_is_in_the_way);
	tcase_add_test(t, ports_end);
	tcase_add_test(t, relay_ports_are_cut_into_equal_pairs);
	tcase_add_test(t, relay_ports_run_out);
	tcase_add_test(t,
		       trunks_share_datagrams_with_phones_in_one_worker_only);
	return run_case("config/workers", t);
}
