/* Names of SIP servers, against a name server that answers, lies, is slow, or
 * says nothing: on loopback, in the same loop. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/writer.h"
#include "dns/dns.h"
#include "lib/oom.h"
#include "lib/run.h"

enum { A = 1, NAPTR = 35, SRV = 33, AAAA = 28, OPT = 41, ROUNDS = 400 };

static struct loop *loop;
static struct dns *dns;
static struct loop_fd server;
static uint64_t now_ms = 1000000;
static char servers[32]; /* ours */

static struct dns_place place[DNS_PLACES_MAX];
static uint32_t place_count;
static unsigned changes, failures, questions;

/* What the server does. */
static bool is_silent, is_wrong_id, is_cut, is_failing;
static const char *srv_target; /* NULL: there are no SRV records */
static const char *naptr_name; /* NULL: no NAPTR */
static uint8_t last_byte;      /* of the address */
static uint32_t ttl_s;
static char srv_asked[64]; /* name of the last SRV question */

static uint64_t clock_ms(void *arg)
{
	(void)arg;
	return now_ms;
}

static void put_name(struct writer *w, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		writer_u8(w, (uint8_t)n);
		writer_bytes(w, name, n);
		name += n + (name[n] == '.');
	}
	writer_u8(w, 0);
}

/* An answer about the name of the question. */
static void put_head(struct writer *w, uint16_t type, uint16_t len)
{
	writer_u16be(w, 0xc00c);
	writer_u16be(w, type);
	writer_u16be(w, 1);
	writer_u32be(w, ttl_s);
	writer_u16be(w, len);
}

static void put_string(struct writer *w, const char *s)
{
	writer_u8(w, (uint8_t)strlen(s));
	writer_str(w, s);
}

static uint16_t put_answer(struct writer *w, uint16_t type)
{
	uint8_t data[256];
	struct writer d;

	writer_init(&d, data, sizeof(data));
	if (type == A) {
		writer_u32be(&d, 0x0a000000U | last_byte);
	} else if (type == AAAA) {
		writer_u32be(&d, 0x20010db8);
		writer_u64be(&d, 0);
		writer_u32be(&d, last_byte);
	} else if (type == SRV && srv_target) {
		writer_u16be(&d, 7);
		writer_u16be(&d, 3);
		writer_u16be(&d, 5066);
		put_name(&d, srv_target);
	} else if (type == NAPTR && naptr_name) {
		writer_u16be(&d, 1);
		writer_u16be(&d, 1);
		put_string(&d, "s");
		put_string(&d, "SIP+D2U");
		put_string(&d, "");
		put_name(&d, naptr_name);
	} else {
		return 0;
	}
	put_head(w, type, (uint16_t)d.len);
	writer_put(w, writer_slice(&d));
	return 1;
}

static void keep_name(const uint8_t *q, char *ret, size_t cap)
{
	size_t n = 0;

	while (*q && n + *q + 2 < cap) {
		memcpy(ret + n, q + 1, *q);
		n += *q;
		ret[n++] = '.';
		q += *q + 1;
	}
	ret[n] = '\0';
}

static void on_question(void *arg, uint32_t events)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint8_t q[1500];
	uint8_t out[1500];
	struct writer w;
	ssize_t n = recvfrom(server.fd, q, sizeof(q), 0,
			     (struct sockaddr *)&from, &len);
	size_t end = 12;
	uint16_t type;

	(void)arg;
	(void)events;
	if (n < 17)
		return;
	while (q[end] && end + q[end] + 5 < (size_t)n)
		end += q[end] + 1U;
	type = (uint16_t)(q[end + 1] << 8 | q[end + 2]);
	end += 5;
	questions++;
	if (type == SRV)
		keep_name(q + 12, srv_asked, sizeof(srv_asked));
	if (is_silent)
		return;
	writer_init(&w, out, sizeof(out));
	writer_u8(&w, q[0]);
	writer_u8(&w, is_wrong_id ? (uint8_t)~q[1] : q[1]);
	writer_u16be(&w, is_failing ? 0x8182 : 0x8180);
	writer_u16be(&w, 1);
	writer_u16be(&w, 0);
	writer_u32be(&w, 0);
	writer_bytes(&w, q + 12, end - 12);
	if (!is_failing)
		writer_patch_u16be(&w, 6, put_answer(&w, type));
	if (is_cut && w.len > end + 4)
		w.len -= 3;
	(void)!sendto(server.fd, out, w.len, 0, (struct sockaddr *)&from, len);
}

static uint32_t expected_id; /* of the watch that is told of */

static void on_changed(void *ctx, uint32_t id, const struct dns_place *p,
		       uint32_t n)
{
	(void)ctx;
	ck_assert_uint_eq(id, expected_id);
	memcpy(place, p, n * sizeof(*p));
	place_count = n;
	changes++;
}

static void on_failed(void *ctx, uint32_t id, const char *why)
{
	(void)ctx;
	(void)id;
	ck_assert_ptr_nonnull(why);
	failures++;
}

static void setup(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	struct dns_params p = {.timeout_ms = 100,
			       .servers = servers,
			       .changed = on_changed,
			       .failed = on_failed};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(servers, sizeof(servers), "127.0.0.1:%u",
		       ntohs(a.sin_port));
	ck_assert_int_eq(loop_new(&loop), 0);
	loop_set_clock(loop, clock_ms, NULL);
	ck_assert_int_eq(
		loop_fd_add(loop, &server, fd, LOOP_READ, on_question, NULL),
		0);
	p.loop = loop;
	ck_assert_int_eq(dns_new(&p, &dns), 0);
	changes = failures = questions = place_count = 0;
	is_silent = is_wrong_id = is_cut = is_failing = false;
	srv_target = naptr_name = NULL;
	last_byte = 5;
	ttl_s = 60;
}

static void teardown(void)
{
	int fd = server.fd;

	dns = dns_free(dns);
	loop_fd_del(loop, &server);
	(void)close(fd);
	loop = loop_free(loop);
}

static uint32_t watch(const char *host, uint16_t port, enum addr_family family)
{
	struct dns_watch p = {.host = host,
			      .transport = DNS_UDP,
			      .port = port,
			      .family = family};
	uint32_t id;

	ck_assert_int_eq(dns_watch(dns, &p, &id), 0);
	return id;
}

/* Until something has been said so often; each round lasts 10 ms at most. */
static void until(const unsigned *what, unsigned n)
{
	for (int i = 0; i < ROUNDS && *what < n; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert_uint_ge(*what, n);
}

static void pass(uint64_t ms)
{
	now_ms += ms;
	ck_assert_int_eq(loop_step(loop, 0), 0);
}

static void is_at(uint32_t i, const char *addr)
{
	char buf[ADDR_STR_MAX];

	ck_assert_uint_lt(i, place_count);
	ck_assert_str_eq(addr_str(&place[i].addr, buf), addr);
}

START_TEST(a_name_with_a_port_is_an_address)
{
	watch("cm.test", 5070, ADDR_V4);
	until(&changes, 1);
	ck_assert_uint_eq(questions, 1);
	is_at(0, "10.0.0.5:5070");
}
END_TEST

START_TEST(the_family_asked_for_is_looked_up)
{
	watch("cm.test", 5070, ADDR_V6);
	until(&changes, 1);
	is_at(0, "[2001:db8::5]:5070");
}
END_TEST

START_TEST(without_srv_it_is_the_usual_port)
{
	watch("cm.test", 0, ADDR_V4);
	until(&changes, 1);
	is_at(0, "10.0.0.5:5060");
	ck_assert_str_eq(srv_asked, "_sip._udp.cm.test.");
}
END_TEST

START_TEST(srv_tells_host_port_and_priority)
{
	srv_target = "node1.test";
	watch("cm.test", 0, ADDR_V4);
	until(&changes, 1);
	is_at(0, "10.0.0.5:5066");
	ck_assert_uint_eq(place[0].priority, 7);
	ck_assert_uint_eq(place[0].weight, 3);
}
END_TEST

START_TEST(naptr_tells_the_name_of_srv)
{
	naptr_name = "_sip._udp.elsewhere.test";
	srv_target = "node1.test";
	watch("cm.test", 0, ADDR_V4);
	until(&changes, 1);
	ck_assert_str_eq(srv_asked, "_sip._udp.elsewhere.test.");
}
END_TEST

START_TEST(an_answer_lives_its_time)
{
	watch("cm.test", 5070, ADDR_V4);
	until(&changes, 1);
	last_byte = 6;
	pass(59999);
	ck_assert_uint_eq(questions, 1);
	pass(1);
	until(&changes, 2);
	is_at(0, "10.0.0.6:5070");
	/* The same again is no news. */
	pass(60000);
	until(&questions, 3);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(loop_step(loop, 1), 0);
	ck_assert_uint_eq(changes, 2);
}
END_TEST

START_TEST(a_short_life_is_not_believed)
{
	ttl_s = 0;
	watch("cm.test", 5070, ADDR_V4);
	until(&changes, 1);
	pass(DNS_TTL_MIN_S * 1000 - 1);
	ck_assert_uint_eq(questions, 1);
	pass(1);
	until(&questions, 2);
}
END_TEST

/* c-ares measures its own time. */
START_TEST(a_server_that_is_down_keeps_the_last_answer)
{
	watch("cm.test", 5070, ADDR_V4);
	until(&changes, 1);
	is_silent = true;
	pass(60000);
	for (int i = 0; i < ROUNDS && failures == 0; i++) {
		now_ms += 10;
		ck_assert_int_eq(loop_step(loop, 10), 0);
	}
	ck_assert_uint_eq(failures, 1);
	ck_assert_uint_eq(changes, 1);
	is_at(0, "10.0.0.5:5070");
	/* It is asked again, and answers again. */
	is_silent = false;
	last_byte = 9;
	pass(DNS_RETRY_S * 1000);
	until(&changes, 2);
	is_at(0, "10.0.0.9:5070");
}
END_TEST

START_TEST(the_last_answer_is_said_again_at_once)
{
	uint32_t id = watch("cm.test", 5070, ADDR_V4);

	dns_repeat(dns, id); /* there is none yet */
	ck_assert_uint_eq(changes, 0);
	until(&changes, 1);
	is_silent = true;
	place_count = 0;
	dns_repeat(dns, id);
	ck_assert_uint_eq(changes, 2);
	is_at(0, "10.0.0.5:5070");
	ck_assert_uint_eq(questions, 1);
	dns_unwatch(dns, id);
	dns_repeat(dns, id);
	ck_assert_uint_eq(changes, 2);
}
END_TEST

START_TEST(a_server_that_lies_is_not_believed)
{
	bool *lie[] = {&is_wrong_id, &is_cut, &is_failing};

	*lie[_i] = true;
	watch("cm.test", 5070, ADDR_V4);
	for (int i = 0; i < ROUNDS && failures == 0; i++) {
		now_ms += 10;
		ck_assert_int_eq(loop_step(loop, 10), 0);
	}
	ck_assert_uint_eq(changes, 0);
	ck_assert_uint_ge(failures, 1);
}
END_TEST

START_TEST(there_is_room_for_so_many_names)
{
	struct dns_watch p = {.host = "cm.test", .port = 1, .family = ADDR_V4};
	uint32_t id;

	for (int i = 0; i < DNS_WATCHES_MAX; i++)
		ck_assert_int_eq(dns_watch(dns, &p, &id), 0);
	ck_assert_int_eq(dns_watch(dns, &p, &id), ERR_LIMIT);
}
END_TEST

START_TEST(a_name_that_is_watched_no_more_makes_room)
{
	struct dns_watch p = {.host = "cm.test", .port = 1, .family = ADDR_V4};
	uint32_t id;

	for (int i = 0; i < DNS_WATCHES_MAX; i++)
		ck_assert_int_eq(dns_watch(dns, &p, &id), 0);
	dns_unwatch(dns, 7);
	ck_assert_int_eq(dns_watch(dns, &p, &id), 0);
	ck_assert_uint_eq(id, 7);
	ck_assert_int_eq(dns_watch(dns, &p, &id), ERR_LIMIT);
}
END_TEST

/* Its question is under way: the answer is nobody's, nor another's. */
START_TEST(nothing_is_told_of_a_name_that_is_watched_no_more)
{
	struct dns_watch p = {.host = "cm.test", .family = ADDR_V4};
	uint32_t first, second;

	ck_assert_int_eq(dns_watch(dns, &p, &first), 0);
	ck_assert_int_eq(loop_step(loop, 0), 0);
	dns_unwatch(dns, first);
	ck_assert_int_eq(dns_watch(dns, &p, &second), 0);
	ck_assert_uint_ne(first, second);
	expected_id = second;
	for (int i = 0; i < ROUNDS && changes + failures == 0; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(loop_step(loop, 10), 0);
	ck_assert_uint_eq(changes + failures, 1);
}
END_TEST

/* A name is looked up with one allocation missing: it fails, or is found. */
static void sweep_body(void *arg)
{
	struct dns_params p = {.loop = loop,
			       .timeout_ms = 100,
			       .servers = servers,
			       .changed = on_changed,
			       .failed = on_failed};
	struct dns_watch w = {.host = "cm.test", .family = ADDR_V4};
	struct dns *d = NULL;
	uint32_t id;
	int err;

	(void)arg;
	changes = failures = 0;
	err = dns_new(&p, &d);
	ck_assert(err == 0 || err == ERR_NOMEM);
	if (err)
		return;
	err = dns_watch(d, &w, &id);
	ck_assert(err == 0 || err == ERR_NOMEM);
	for (int i = 0; !err && i < ROUNDS && changes + failures == 0; i++) {
		err = loop_step(loop, 10);
		ck_assert(err == 0 || err == ERR_NOMEM);
	}
	(void)dns_free(d);
}

START_TEST(missing_memory_leaks_nothing)
{
	srv_target = "node1.test";
	oom_sweep(sweep_body, NULL);
	ck_assert_uint_eq(changes, 1);
	changes = 0;
	watch("cm.test", 5070, ADDR_V4);
	until(&changes, 1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("names");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_name_with_a_port_is_an_address);
	tcase_add_test(t, the_family_asked_for_is_looked_up);
	tcase_add_test(t, without_srv_it_is_the_usual_port);
	tcase_add_test(t, srv_tells_host_port_and_priority);
	tcase_add_test(t, naptr_tells_the_name_of_srv);
	tcase_add_test(t, an_answer_lives_its_time);
	tcase_add_test(t, a_short_life_is_not_believed);
	tcase_add_test(t, a_server_that_is_down_keeps_the_last_answer);
	tcase_add_loop_test(t, a_server_that_lies_is_not_believed, 0, 3);
	tcase_add_test(t, there_is_room_for_so_many_names);
	tcase_add_test(t, the_last_answer_is_said_again_at_once);
	tcase_add_test(t, a_name_that_is_watched_no_more_makes_room);
	tcase_add_test(t, nothing_is_told_of_a_name_that_is_watched_no_more);
	tcase_add_test(t, missing_memory_leaks_nothing);
	return run_case("dns/dns", t);
}
