/* What each worker has of addresses and ports, and when it is too little. */
#include <check.h>
#include <stdio.h>

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
	listener.address = (struct config_endpoint){
		.transport = CONFIG_UDP, .addr = at("192.0.2.1:5060")};
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

/* ---- trunks ------------------------------------------------------------------- */

enum { TRUNKS = 40 };

static struct config_net net[TRUNKS];
static struct config_peer named[1];
static struct config_listener listeners[2];
static struct config_trunk trunks[TRUNKS];
static char names[TRUNKS][8];
static struct config_call_manager managers[TRUNKS];
static struct config many = {.listener = listeners,
			     .listener_count = 2,
			     .trunk = trunks,
			     .trunk_count = TRUNKS,
			     .call_manager = managers,
			     .call_manager_count = TRUNKS};

/* Trunks with an address and a call manager's address of their own, all at the
 * first of two listeners. */
static void setup_trunks(void)
{
	setup();
	for (uint32_t i = 0; i < 2; i++) {
		listeners[i] =
			(struct config_listener){.name = i ? "second" : "first",
						 .serves = CONFIG_TRUNKS};
		listeners[i].address = listener.address;
	}
	for (uint32_t i = 0; i < TRUNKS; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "t%u", i);
		net[i] = (struct config_net){.addr = at("198.51.100.1:0"),
					     .bits = 32};
		net[i].addr.ip[3] = (uint8_t)i;
		trunks[i] = (struct config_trunk){.name = names[i],
						  .source = &net[i],
						  .source_count = 1,
						  .listener_bits = 1,
						  .own_bits = 1U};
		managers[i] = (struct config_call_manager){
			.name = names[i],
			.own_trunk = i,
			.local_address = at("192.0.2.1:5070")};
	}
	named[0] = (struct config_peer){.priority = 1};
}

START_TEST(trunks_are_spread_by_their_names)
{
	uint32_t count[3] = {0};

	config_share(&many, 3);
	for (uint32_t i = 0; i < TRUNKS; i++) {
		struct addr a =
			config_local_address(&managers[i], trunks[i].worker);

		ck_assert(trunks[i].is_steered);
		count[trunks[i].worker]++;
		/* The call manager knows one address: it is the worker's. */
		ck_assert_uint_eq(a.port, 5070);
		for (uint32_t k = 0; k < 3; k++)
			for (uint32_t j = 0; j < k; j++) {
				struct addr x =
					config_local_address(&managers[i], k);
				struct addr y =
					config_local_address(&managers[i], j);

				ck_assert(!addr_eq(&x, &y));
				ck_assert_uint_le(x.port, 5072);
			}
	}
	for (int i = 0; i < 3; i++)
		ck_assert_uint_gt(count[i], TRUNKS / 3 / 3);
	config_share(&many, 1);
	for (uint32_t i = 0; i < TRUNKS; i++)
		ck_assert_uint_eq(trunks[i].worker, 0);
}
END_TEST

/* Whose source is not known is where his listener's strangers are. */
START_TEST(trunks_that_no_source_tells_are_at_home)
{
	trunks[0].identify = CONFIG_IDENTIFY_CERTIFICATE;
	trunks[1].source_count = 0;
	trunks[2].peer = named;
	trunks[2].peer_count = 1;
	for (uint32_t workers = 2; workers < 9; workers++) {
		config_share(&many, workers);
		for (uint32_t i = 0; i < 3; i++) {
			ck_assert(!trunks[i].is_steered);
			ck_assert_uint_eq(trunks[i].worker, listeners[0].home);
		}
		ck_assert(trunks[3].is_steered);
	}
}
END_TEST

START_TEST(listeners_that_such_a_trunk_joins_have_one_home)
{
	bool differed = false;

	for (uint32_t workers = 2; workers < 9; workers++) {
		trunks[0].identify = CONFIG_IDENTIFY_ADDRESS;
		trunks[0].listener_bits = 3;
		config_share(&many, workers);
		differed |= listeners[0].home != listeners[1].home;
		trunks[0].identify = CONFIG_IDENTIFY_CERTIFICATE;
		config_share(&many, workers);
		ck_assert_uint_eq(listeners[0].home, listeners[1].home);
		ck_assert_uint_eq(trunks[0].worker, listeners[0].home);
	}
	ck_assert(differed);
}
END_TEST

/* ---- the same while it runs ----------------------------------------------------- */

static struct config_trunk trunks_before[TRUNKS];
static struct config_listener listeners_before[2];
static struct config_call_manager managers_before[TRUNKS];
static struct config before = {.listener = listeners_before,
			       .listener_count = 2,
			       .trunk = trunks_before,
			       .call_manager = managers_before,
			       .call_manager_count = TRUNKS};

/* What runs has the first count trunks, shared among workers. */
static void runs(uint32_t count, uint32_t workers)
{
	many.trunk_count = count;
	for (uint32_t i = 0; i < TRUNKS; i++)
		managers[i].own_trunk = i < count ? i : CONFIG_TRUNK_NONE;
	config_share(&many, workers);
	many.trunk_count = TRUNKS;
	memcpy(trunks_before, trunks, sizeof(trunks));
	memcpy(listeners_before, listeners, sizeof(listeners));
	memcpy(managers_before, managers, sizeof(managers));
	before.trunk_count = count;
	table_init(&before.trunks_by_name, TRUNKS, 1);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_int_eq(table_add(&before.trunks_by_name,
					   &trunks_before[i].by_name,
					   slice_str(names[i])),
				 0);
}

static int follow(uint32_t workers, const char *why)
{
	struct config_report rep;
	int err;

	/* As many as there are bits for. */
	many.call_manager_count = before.call_manager_count = 32;
	config_report_init(&rep);
	err = config_share_on(&many, &before, workers, &rep);
	ck_assert_msg(!err == !why && (!why || strstr(rep.first->text, why)),
		      "%s", err ? rep.first->text : "nothing");
	config_report_done(&rep);
	table_done(&before.trunks_by_name);
	return err;
}

START_TEST(trunks_keep_their_workers_when_others_come)
{
	bool differed = false;

	for (uint32_t i = 0; i < TRUNKS; i++) {
		trunks[i].own_bits = i < 30 ? 1U << i : 0;
		trunks[i].direction =
			i < 30 ? CONFIG_DIRECTION_BOTH : CONFIG_DIRECTION_IN;
	}
	runs(15, 3);
	for (uint32_t i = 0; i < 15; i++) {
		differed |= trunks[i].worker != 0;
		/* Not where its name would put it. */
		trunks[i].worker = trunks_before[i].worker + 7;
	}
	ck_assert(differed);
	ck_assert_int_eq(follow(3, NULL), 0);
	for (uint32_t i = 0; i < 15; i++)
		ck_assert_uint_eq(trunks[i].worker, trunks_before[i].worker);
	/* An address that was bound for nobody is the first worker's. */
	for (uint32_t i = 15; i < 30; i++)
		ck_assert_uint_eq(trunks[i].worker, 0);
	for (uint32_t i = 0; i < TRUNKS; i++)
		ck_assert_uint_eq(managers[i].first_worker,
				  managers_before[i].first_worker);
}
END_TEST

START_TEST(a_manager_that_joins_belongs_to_whom_its_address_does)
{
	runs(TRUNKS, 3);
	managers_before[5].local_address = managers[5].local_address =
		managers[31].local_address = at("192.0.2.1:6000");
	managers_before[5].first_worker = 2;
	managers[31].name = "new";
	for (uint32_t i = 0; i < TRUNKS; i++) {
		trunks[i].direction = CONFIG_DIRECTION_IN;
		trunks[i].own_bits = 0;
	}
	ck_assert_int_eq(follow(3, NULL), 0);
	ck_assert_uint_eq(managers[5].first_worker, 2);
	ck_assert_uint_eq(managers[31].first_worker, 2);
}
END_TEST

START_TEST(listeners_keep_their_homes)
{
	runs(TRUNKS, 8);
	listeners_before[0].home = 5;
	for (uint32_t i = 0; i < TRUNKS; i++) {
		trunks[i].direction = CONFIG_DIRECTION_IN;
		trunks[i].own_bits = 0;
	}
	(void)snprintf(names[0], sizeof(names[0]), "other");
	trunks[0].identify = CONFIG_IDENTIFY_CERTIFICATE;
	ck_assert_int_eq(follow(8, NULL), 0);
	ck_assert_uint_eq(listeners[0].home, 5);
	ck_assert_uint_eq(trunks[0].worker, 5);
}
END_TEST

START_TEST(what_another_worker_has_needs_a_restart)
{
	runs(TRUNKS, 8);
	for (uint32_t i = 0; i < TRUNKS; i++) {
		trunks_before[i].worker = 3;
		listeners_before[i % 2].home = 3;
		managers_before[i].first_worker = 3;
	}
	managers_before[5].first_worker = 1;
	trunks[5].own_bits = 1U << 5;
	for (uint32_t i = 0; i < TRUNKS; i++)
		trunks[i].direction = CONFIG_DIRECTION_IN;
	ck_assert_int_eq(follow(8, "trunk \"t5\": needs a restart"), ERR_BAD);
}
END_TEST

START_TEST(another_transport_needs_a_restart)
{
	runs(1, 2);
	trunks[0].own_bits = 1;
	for (uint32_t i = 1; i < TRUNKS; i++)
		trunks[i].direction = CONFIG_DIRECTION_IN;
	for (uint32_t i = 1; i < TRUNKS; i++)
		trunks[i].own_bits = 0;
	managers[4].address.transport = CONFIG_TLS;
	ck_assert_int_eq(follow(2, "call-manager \"t4\": address: another "
				   "transport needs a restart"),
			 ERR_BAD);
}
END_TEST

START_TEST(sources_that_tell_no_more_need_a_restart)
{
	runs(TRUNKS, 8);
	for (uint32_t i = 0; i < TRUNKS; i++) {
		trunks_before[i].worker = 3;
		managers_before[i].first_worker = 3;
	}
	listeners_before[0].home = 2;
	trunks[7].source_count = 0;
	for (uint32_t i = 0; i < TRUNKS; i++)
		trunks[i].direction = CONFIG_DIRECTION_IN;
	ck_assert_int_eq(follow(8, "trunk \"t7\": needs a restart: its "
				   "sources do not tell"),
			 ERR_BAD);
}
END_TEST

/* Call managers that route by host know the first worker's addresses. */
START_TEST(trunks_that_hosts_tell_are_the_first_workers)
{
	for (uint32_t i = 0; i < TRUNKS; i += 2)
		trunks[i].own_bits = 0;
	trunks[1].direction = CONFIG_DIRECTION_IN;
	trunks[1].own_bits = 0;
	config_share(&many, 8);
	for (uint32_t i = 0; i < TRUNKS; i += 2)
		ck_assert_uint_eq(trunks[i].worker, 0);
	trunks[0].identify = CONFIG_IDENTIFY_CERTIFICATE;
	trunks[3].identify = CONFIG_IDENTIFY_CERTIFICATE;
	trunks[3].listener_bits = 3;
	config_share(&many, 8);
	ck_assert_uint_eq(listeners[0].home, 0);
	ck_assert_uint_eq(listeners[1].home, 0);
	ck_assert_uint_eq(trunks[3].worker, 0);
}
END_TEST

START_TEST(more_sources_than_the_kernel_is_told_are_at_home)
{
	trunks[7].source_count = CONFIG_STEERED_MAX - TRUNKS + 1;
	config_share(&many, 8);
	ck_assert(trunks[0].is_steered);
	trunks[7].source_count++;
	config_share(&many, 8);
	for (uint32_t i = 0; i < TRUNKS; i++) {
		ck_assert(!trunks[i].is_steered);
		ck_assert_uint_eq(trunks[i].worker, listeners[0].home);
	}
}
END_TEST

START_TEST(a_trunk_shares_datagrams_with_phones_where_its_sources_are_known)
{
	listener.serves = CONFIG_BOTH;
	config.trunk = trunks;
	config.trunk_count = 1;
	expect(2, NULL);
	trunks[0].peer = named;
	trunks[0].peer_count = 1;
	expect(1, NULL);
	expect(2, "trunk \"t0\": comes by udp: at listener \"phones\"");
	listener.address.transport = CONFIG_TLS;
	expect(2, NULL);
	config.trunk_count = 0;
	listener.serves = CONFIG_PHONES;
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("workers");

	tcase_add_checked_fixture(t, setup_trunks, NULL);
	tcase_add_test(t, each_has_the_next_port);
	tcase_add_test(t, a_listeners_port_is_in_the_way);
	tcase_add_test(t, another_managers_port_is_in_the_way);
	tcase_add_test(t, a_relay_port_is_in_the_way);
	tcase_add_test(t, ports_end);
	tcase_add_test(t, relay_ports_are_cut_into_equal_pairs);
	tcase_add_test(t, relay_ports_run_out);
	tcase_add_test(t, trunks_are_spread_by_their_names);
	tcase_add_test(t, trunks_that_no_source_tells_are_at_home);
	tcase_add_test(t, listeners_that_such_a_trunk_joins_have_one_home);
	tcase_add_test(t, trunks_keep_their_workers_when_others_come);
	tcase_add_test(t,
		       a_manager_that_joins_belongs_to_whom_its_address_does);
	tcase_add_test(t, listeners_keep_their_homes);
	tcase_add_test(t, what_another_worker_has_needs_a_restart);
	tcase_add_test(t, another_transport_needs_a_restart);
	tcase_add_test(t, sources_that_tell_no_more_need_a_restart);
	tcase_add_test(t, trunks_that_hosts_tell_are_the_first_workers);
	tcase_add_test(t, more_sources_than_the_kernel_is_told_are_at_home);
	tcase_add_test(
		t,
		a_trunk_shares_datagrams_with_phones_where_its_sources_are_known);
	return run_case("config/workers", t);
}
