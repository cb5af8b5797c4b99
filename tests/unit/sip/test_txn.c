/*
 * The transaction machines in virtual time: each timer of RFC 3261 table 4
 * and RFC 6026 to the millisecond. Times are relative to the first event,
 * which happens at 1000 ms.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "unit/sip/txn_world.h"

enum { T0 = 1000, LIMIT = 8 };

#define BRANCH "z9hG4bK-one"

static struct world *w;
static struct handle h;
static uint64_t user;

static void begin(void)
{
	w = world_new(LIMIT);
	h = HANDLE_NONE;
	user = 0;
}

static void end(void)
{
	world_free(w);
	w = NULL;
}

static int client(enum sip_method method, bool is_reliable)
{
	const struct sip_msg *m =
		world_request(w, sip_method_name(method), BRANCH);
	struct dest d = world_dest(is_reliable);

	return sip_txn_client_new(w->t, method, slice_str(BRANCH), &d, m->raw,
				  77, w->now_ms, &h);
}

static int response(unsigned status, const char *method)
{
	const struct sip_msg *m = world_response(w, status, method, BRANCH);
	struct handle got;

	return sip_txn_recv_response(w->t, m, w->now_ms, &got, &user);
}

static enum sip_txn_verdict request(const char *method, bool is_reliable)
{
	const struct sip_msg *m = world_request(w, method, BRANCH);
	struct dest d = world_dest(is_reliable);
	struct handle got;

	return sip_txn_recv_request(w->t, m, &d, w->now_ms, &got, &user);
}

static int server(const char *method, bool is_reliable)
{
	const struct sip_msg *m = world_request(w, method, BRANCH);
	struct dest d = world_dest(is_reliable);

	return sip_txn_server_new(w->t, m, &d, 88, w->now_ms, &h);
}

static int respond(unsigned status)
{
	const struct sip_msg *m = world_response(w, status, "INVITE", BRANCH);

	return sip_txn_respond(w->t, h, status, m->raw, w->now_ms);
}

/* The sendings so far were at exactly these times after T0. */
static void assert_sent(const uint64_t *at, size_t count)
{
	ck_assert_uint_eq(w->sent_count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(w->sent[i].at_ms, T0 + at[i]);
}

#define ASSERT_SENT(...)                                        \
	do {                                                    \
		const uint64_t at_[] = {__VA_ARGS__};           \
		assert_sent(at_, sizeof(at_) / sizeof(at_[0])); \
	} while (0)

static void assert_failed(uint64_t at_ms, uint64_t who)
{
	ck_assert_uint_eq(w->fail_count, 1);
	ck_assert_uint_eq(w->fail_ms[0], T0 + at_ms);
	ck_assert_uint_eq(w->fail_user[0], who);
	ck_assert_int_eq(w->fail_why[0], SIP_TXN_FAIL_TIMEOUT);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
}

/* Alive one millisecond before, gone at that instant, nobody told. */
static void assert_ends_silently(uint64_t at_ms)
{
	world_until(w, T0 + at_ms - 1);
	ck_assert_uint_eq(sip_txns_count(w->t), 1);
	world_until(w, T0 + at_ms);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
	ck_assert_uint_eq(w->fail_count, 0);
	ck_assert_uint_eq(sip_txns_deadline(w->t), UINT64_MAX);
}

/* ---- INVITE client: timers A, B, D, M ---- */

START_TEST(invite_client_retransmits_by_timer_a_until_timer_b)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0, 500, 1500, 3500, 7500, 15500, 31500);
	ck_assert_str_eq(w->sent[6].text, w->sent[0].text);
	assert_failed(32000, 77);
}
END_TEST

START_TEST(invite_client_over_tls_sends_once_and_fails_by_timer_b)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, true), 0);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0);
	assert_failed(32000, 77);
}
END_TEST

START_TEST(invite_client_is_quiet_after_a_provisional)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	world_until(w, T0 + 600);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	ck_assert_uint_eq(user, 77);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	world_until(w, T0 + 1000000);
	ASSERT_SENT(0, 500);
	ck_assert_uint_eq(w->fail_count, 0);
	ck_assert_uint_eq(sip_txns_count(w->t), 1);
}
END_TEST

START_TEST(invite_client_acknowledges_a_refusal_until_timer_d)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	world_until(w, T0 + 100);
	ck_assert_int_eq(response(486, "INVITE"), 0);
	world_until(w, T0 + 600);
	ck_assert_int_eq(response(486, "INVITE"), ERR_EXISTS);
	ck_assert_int_eq(response(180, "INVITE"), ERR_EXISTS);
	ASSERT_SENT(0, 100, 600);
	ck_assert_str_eq(w->sent[1].text,
			 "ACK sip:bob@example.com SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=" BRANCH "\r\n"
			 "Route: <sip:proxy.example.com;lr>\r\n"
			 "From: Alice <sip:alice@example.com>;tag=a1\r\n"
			 "To: Bob <sip:bob@example.com>;tag=b1\r\n"
			 "Call-ID: call@example.com\r\n"
			 "CSeq: 1 ACK\r\n"
			 "Max-Forwards: 70\r\n"
			 "Content-Length: 0\r\n\r\n");
	ck_assert_str_eq(w->sent[2].text, w->sent[1].text);
	assert_ends_silently(100 + 32000);
	ck_assert_int_eq(response(486, "INVITE"), ERR_NOTFOUND);
}
END_TEST

START_TEST(invite_client_over_tls_is_over_at_the_refusal)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, true), 0);
	ck_assert_int_eq(response(486, "INVITE"), 0);
	ck_assert_uint_eq(user, 77);
	ck_assert_uint_eq(w->sent_count, 2);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
}
END_TEST

START_TEST(invite_client_hands_up_every_2xx_until_timer_m)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, _i == 1), 0);
	world_until(w, T0 + 200);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	ck_assert_int_eq(response(200, "INVITE"), 0);
	world_until(w, T0 + 700);
	ck_assert_int_eq(response(200, "INVITE"), 0);
	ck_assert_int_eq(response(486, "INVITE"), ERR_EXISTS);
	ck_assert_int_eq(response(180, "INVITE"), ERR_EXISTS);
	ASSERT_SENT(0); /* the ACK is the user's */
	assert_ends_silently(200 + 32000);
}
END_TEST

START_TEST(invite_client_fails_64_t1_after_its_cancel)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	world_until(w, T0 + 5000);
	ck_assert_int_eq(client(SIP_METHOD_CANCEL, false), 0);
	world_until(w, T0 + 5100);
	ck_assert_int_eq(response(200, "CANCEL"), 0);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	world_until(w, T0 + 1000000);
	assert_failed(5000 + 32000, 77);
}
END_TEST

/* With nobody to send a CANCEL it must end all the same. */
START_TEST(invite_client_without_a_user_fails_64_t1_later)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	sip_txn_orphan(w->t, HANDLE_NONE, w->now_ms);
	world_until(w, T0 + 100);
	/* Timer B still runs: nothing to be mended. */
	sip_txn_orphan(w->t, h, w->now_ms);
	world_until(w, T0 + 200);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	ck_assert_uint_eq(sip_txns_deadline(w->t), UINT64_MAX);
	sip_txn_orphan(w->t, h, w->now_ms);
	world_until(w, T0 + 300);
	sip_txn_orphan(w->t, h, w->now_ms); /* once is enough */
	world_until(w, T0 + 100000);
	assert_failed(200 + 32000, 77);
}
END_TEST

START_TEST(invite_client_takes_487_after_its_cancel)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	ck_assert_int_eq(client(SIP_METHOD_CANCEL, false), 0);
	ck_assert_int_eq(client(SIP_METHOD_CANCEL, false), ERR_EXISTS);
	ck_assert_int_eq(response(200, "CANCEL"), 0);
	ck_assert_int_eq(response(487, "INVITE"), 0);
	ck_assert(strncmp(w->sent[2].text, "ACK ", 4) == 0);
	world_until(w, T0 + 1000000);
	ck_assert_uint_eq(w->fail_count, 0);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
}
END_TEST

/* ---- non-INVITE client: timers E, F, K ---- */

START_TEST(other_client_retransmits_by_timer_e_up_to_t2_until_timer_f)
{
	ck_assert_int_eq(client(SIP_METHOD_BYE, false), 0);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500,
		    31500);
	assert_failed(32000, 77);
}
END_TEST

START_TEST(other_client_slows_to_t2_after_a_provisional)
{
	ck_assert_int_eq(client(SIP_METHOD_OPTIONS, false), 0);
	world_until(w, T0 + 100);
	ck_assert_int_eq(response(100, "OPTIONS"), 0);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0, 500, 4500, 8500, 12500, 16500, 20500, 24500, 28500);
	assert_failed(32000, 77);
}
END_TEST

START_TEST(other_client_absorbs_repeated_answers_until_timer_k)
{
	ck_assert_int_eq(client(SIP_METHOD_REGISTER, false), 0);
	world_until(w, T0 + 300);
	ck_assert_int_eq(response(200, "REGISTER"), 0);
	ck_assert_uint_eq(user, 77);
	ck_assert_int_eq(response(200, "REGISTER"), ERR_EXISTS);
	ASSERT_SENT(0);
	assert_ends_silently(300 + 5000);
}
END_TEST

START_TEST(other_client_over_tls_is_over_at_the_answer)
{
	ck_assert_int_eq(client(SIP_METHOD_REGISTER, true), 0);
	ck_assert_int_eq(response(200, "REGISTER"), 0);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
	ck_assert_int_eq(response(200, "REGISTER"), ERR_NOTFOUND);
}
END_TEST

/* ---- INVITE server: timers G, H, I, L ---- */

START_TEST(invite_server_repeats_its_last_provisional)
{
	ck_assert_int_eq(request("INVITE", false), SIP_TXN_NEW);
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert_int_eq(server("INVITE", false), ERR_EXISTS);
	ck_assert_int_eq(request("INVITE", false), SIP_TXN_ABSORBED);
	ck_assert_uint_eq(w->sent_count, 0);
	ck_assert_int_eq(respond(180), 0);
	world_until(w, T0 + 500);
	ck_assert_int_eq(request("INVITE", false), SIP_TXN_ABSORBED);
	ASSERT_SENT(0, 500);
	ck_assert_str_eq(w->sent[0].text, w->sent[1].text);
	world_until(w, T0 + 3600000);
	ck_assert_uint_eq(sip_txns_count(w->t), 1);
}
END_TEST

START_TEST(invite_server_repeats_a_refusal_by_timer_g_until_timer_h)
{
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert_int_eq(respond(486), 0);
	ck_assert_int_eq(respond(200), ERR_STATE);
	ck_assert_int_eq(respond(180), ERR_STATE);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500,
		    31500);
	assert_failed(32000, 88);
}
END_TEST

START_TEST(invite_server_answers_a_repeated_invite_with_the_refusal)
{
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert_int_eq(respond(486), 0);
	world_until(w, T0 + 200);
	ck_assert_int_eq(request("INVITE", false), SIP_TXN_ABSORBED);
	ASSERT_SENT(0, 200);
}
END_TEST

START_TEST(invite_server_is_quiet_after_the_ack_until_timer_i)
{
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert_int_eq(respond(486), 0);
	world_until(w, T0 + 700);
	ck_assert_int_eq(request("ACK", false), SIP_TXN_ABSORBED);
	ck_assert_int_eq(request("ACK", false), SIP_TXN_ABSORBED);
	ck_assert_int_eq(request("INVITE", false), SIP_TXN_ABSORBED);
	ASSERT_SENT(0, 500);
	assert_ends_silently(700 + 5000);
}
END_TEST

START_TEST(invite_server_over_tls_sends_a_refusal_once)
{
	ck_assert_int_eq(server("INVITE", true), 0);
	ck_assert_int_eq(respond(486), 0);
	world_until(w, T0 + 10000);
	ASSERT_SENT(0);
	ck_assert_int_eq(request("ACK", true), SIP_TXN_ABSORBED);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
}
END_TEST

START_TEST(invite_server_over_tls_misses_the_ack_by_timer_h)
{
	ck_assert_int_eq(server("INVITE", true), 0);
	ck_assert_int_eq(respond(486), 0);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0);
	assert_failed(32000, 88);
}
END_TEST

START_TEST(invite_server_repeats_2xx_until_64_t1_without_ack)
{
	/* RFC 3261 section 13.3.1.4: over TCP too. */
	ck_assert_int_eq(server("INVITE", _i == 1), 0);
	ck_assert_int_eq(respond(200), 0);
	world_until(w, T0 + 100000);
	ASSERT_SENT(0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500,
		    31500);
	assert_failed(32000, 88);
}
END_TEST

START_TEST(invite_server_stops_2xx_when_acked_and_ends_by_timer_l)
{
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert_int_eq(respond(200), 0);
	world_until(w, T0 + 600);
	/* An ACK of a 2xx has a branch of its own: the user's. */
	ck_assert_int_eq(sip_txn_recv_request(
				 w->t, world_request(w, "ACK", "z9hG4bK-new"),
				 &w->sent[0].dest, w->now_ms, &h, &user),
			 SIP_TXN_ACK);
	ck_assert(handle_is_none(h));
	ck_assert_int_eq(request("ACK", false), SIP_TXN_ACK);
	ck_assert_uint_eq(user, 88);
	h = (struct handle){.index = 0, .gen = 1};
	sip_txn_acked(w->t, h, w->now_ms);
	ck_assert_int_eq(request("INVITE", false), SIP_TXN_ABSORBED);
	ASSERT_SENT(0, 500);
	assert_ends_silently(32000);
}
END_TEST

START_TEST(invite_server_lets_a_2xx_follow_a_2xx_only)
{
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert_int_eq(respond(200), 0);
	ck_assert_int_eq(respond(180), ERR_STATE);
	ck_assert_int_eq(respond(486), ERR_STATE);
	ck_assert_int_eq(respond(200), 0);
	ASSERT_SENT(0, 0);
}
END_TEST

/* ---- non-INVITE server: timer J ---- */

START_TEST(other_server_repeats_its_answer_until_timer_j)
{
	ck_assert_int_eq(server("BYE", false), 0);
	ck_assert_int_eq(request("BYE", false), SIP_TXN_ABSORBED);
	ck_assert_uint_eq(w->sent_count, 0);
	ck_assert_int_eq(respond(100), 0);
	ck_assert_int_eq(request("BYE", false), SIP_TXN_ABSORBED);
	world_until(w, T0 + 50);
	ck_assert_int_eq(respond(200), 0);
	ck_assert_int_eq(respond(200), ERR_STATE);
	world_until(w, T0 + 500);
	ck_assert_int_eq(request("BYE", false), SIP_TXN_ABSORBED);
	ASSERT_SENT(0, 0, 50, 500);
	assert_ends_silently(50 + 32000);
}
END_TEST

START_TEST(other_server_over_tls_is_over_at_the_answer)
{
	ck_assert_int_eq(server("BYE", true), 0);
	ck_assert_int_eq(respond(200), 0);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
	ck_assert_int_eq(respond(200), ERR_NOTFOUND);
}
END_TEST

START_TEST(other_server_without_an_answer_ends_after_64_t1)
{
	ck_assert_int_eq(server("BYE", _i == 1), 0);
	assert_ends_silently(32000);
	ck_assert_int_eq(respond(200), ERR_NOTFOUND);
}
END_TEST

/* ---- matching ---- */

START_TEST(cancel_finds_its_invite_and_its_own_repetition)
{
	struct dest d = world_dest(false);
	struct handle invite;
	struct handle got;

	ck_assert_int_eq(request("CANCEL", false), SIP_TXN_CANCEL);
	ck_assert_uint_eq(user, 0);
	ck_assert_int_eq(server("INVITE", false), 0);
	invite = h;
	ck_assert_int_eq(
		sip_txn_recv_request(w->t, world_request(w, "CANCEL", BRANCH),
				     &d, w->now_ms, &got, &user),
		SIP_TXN_CANCEL);
	ck_assert(handle_eq(got, invite));
	ck_assert_uint_eq(user, 88);
	ck_assert_int_eq(server("CANCEL", false), 0);
	ck_assert_int_eq(respond(200), 0);
	ck_assert_int_eq(request("CANCEL", false), SIP_TXN_ABSORBED);
	ck_assert_uint_eq(w->sent_count, 2);
	h = invite;
	ck_assert_int_eq(respond(487), 0);
	ck_assert_int_eq(request("ACK", false), SIP_TXN_ABSORBED);
}
END_TEST

START_TEST(another_source_cannot_touch_a_transaction)
{
	const struct sip_msg *m;
	struct dest other = world_dest(_i == 1);
	struct handle got;

	other.peer.ip[3] = 66;
	other.ep.index = 66;
	ck_assert_int_eq(server("INVITE", _i == 1), 0);
	m = world_request(w, "CANCEL", BRANCH);
	ck_assert_int_eq(
		sip_txn_recv_request(w->t, m, &other, w->now_ms, &got, &user),
		SIP_TXN_CANCEL);
	ck_assert(handle_is_none(got));
	m = world_request(w, "INVITE", BRANCH);
	ck_assert_int_eq(
		sip_txn_recv_request(w->t, m, &other, w->now_ms, &got, &user),
		SIP_TXN_NEW);
}
END_TEST

static const struct sip_msg *old_request(const char *method, unsigned cseq,
					 const char *via_more)
{
	return world_msg(w,
			 "%s sip:bob@example.com SIP/2.0\n"
			 "Via: SIP/2.0/UDP 192.0.2.1%s\n"
			 "From: <sip:alice@example.com>\n"
			 "To: <sip:bob@example.com>%s\n"
			 "Call-ID: old@example.com\n"
			 "CSeq: %u %s\n\n",
			 method, via_more,
			 strcmp(method, "ACK") == 0 ? ";tag=b1" : "", cseq,
			 method);
}

/* Without the cookie the rules of RFC 2543 hold; a branch that is the cookie
 * alone is none (RFC 4475 3.2.1). */
START_TEST(requests_of_rfc_2543_match_by_their_headers)
{
	const char *via = _i == 0 ? "" : ";branch=z9hG4bK";
	struct dest d = world_dest(false);
	struct handle got;

	ck_assert_int_eq(sip_txn_server_new(w->t, old_request("INVITE", 1, via),
					    &d, 88, w->now_ms, &h),
			 0);
	ck_assert_int_eq(respond(486), 0);
	ck_assert_int_eq(sip_txn_recv_request(w->t,
					      old_request("INVITE", 1, via), &d,
					      w->now_ms, &got, &user),
			 SIP_TXN_ABSORBED);
	ck_assert_int_eq(sip_txn_recv_request(w->t,
					      old_request("INVITE", 2, via), &d,
					      w->now_ms, &got, &user),
			 SIP_TXN_NEW);
	ck_assert_int_eq(sip_txn_recv_request(w->t,
					      old_request("CANCEL", 1, via), &d,
					      w->now_ms, &got, &user),
			 SIP_TXN_CANCEL);
	ck_assert(handle_eq(got, h));
	ck_assert_int_eq(sip_txn_recv_request(w->t, old_request("ACK", 1, via),
					      &d, w->now_ms, &got, &user),
			 SIP_TXN_ABSORBED);
	world_until(w, T0 + 4999);
	ASSERT_SENT(0, 0); /* Confirmed: no timer G */
}
END_TEST

/* Section 8.2.2.2: the same request by another way has another branch. */
START_TEST(request_by_a_second_way_is_merged)
{
	ck_assert(!sip_txn_is_merged(w->t, world_request(w, "INVITE", BRANCH)));
	ck_assert_int_eq(server("INVITE", false), 0);
	ck_assert(sip_txn_is_merged(w->t,
				    world_request(w, "INVITE", "z9hG4bK-two")));
	ck_assert(!sip_txn_is_merged(
		w->t, world_request(w, "OPTIONS", "z9hG4bK-two")));
	ck_assert(!sip_txn_is_merged(
		w->t, world_request(w, "CANCEL", "z9hG4bK-two")));
	ck_assert_int_eq(respond(486), 0);
	ck_assert(!sip_txn_is_merged(
		w->t, world_request(w, "INVITE", "z9hG4bK-two")));
}
END_TEST

/* A fork reaches several phones behind us, each with its own URI. */
START_TEST(request_for_another_uri_is_not_merged)
{
	const struct sip_msg *m;

	ck_assert_int_eq(server("INVITE", false), 0);
	m = world_msg(w, "INVITE sip:carol@example.com SIP/2.0\n"
			 "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-two\n"
			 "From: Alice <sip:alice@example.com>;tag=a1\n"
			 "To: Bob <sip:bob@example.com>\n"
			 "Call-ID: call@example.com\n"
			 "CSeq: 1 INVITE\n"
			 "Content-Length: 0\n\n");
	ck_assert(!sip_txn_is_merged(w->t, m));
}
END_TEST

START_TEST(responses_to_nothing_are_not_found)
{
	ck_assert_int_eq(response(200, "INVITE"), ERR_NOTFOUND);
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	ck_assert_int_eq(response(200, "BYE"), ERR_NOTFOUND);
	ck_assert_int_eq(respond(200), ERR_NOTFOUND); /* not a server's */
}
END_TEST

/* ---- the table ---- */

START_TEST(table_refuses_beyond_its_limit)
{
	struct dest d = world_dest(false);
	char branch[32] = "z9hG4bK-x";
	const struct sip_msg *m;

	for (int i = 0; i < LIMIT; i++) {
		branch[8] = (char)('a' + i);
		m = world_request(w, "BYE", branch);
		ck_assert_int_eq(
			sip_txn_server_new(w->t, m, &d, 1, w->now_ms, &h), 0);
	}
	m = world_request(w, "BYE", "z9hG4bK-z");
	ck_assert_int_eq(sip_txn_server_new(w->t, m, &d, 1, w->now_ms, &h),
			 ERR_LIMIT);
	ck_assert_int_eq(client(SIP_METHOD_BYE, false), ERR_LIMIT);
	ck_assert_uint_eq(sip_txns_count(w->t), LIMIT);
	world_until(w, T0 + 32000);
	ck_assert_int_eq(client(SIP_METHOD_BYE, false), 0);
}
END_TEST

START_TEST(lost_connection_fails_its_clients_and_ends_its_servers)
{
	struct dest udp = world_dest(false);
	struct dest tls = world_dest(true);

	ck_assert_int_eq(client(SIP_METHOD_INVITE, true), 0);
	ck_assert_int_eq(client(SIP_METHOD_BYE, true), 0);
	ck_assert_int_eq(server("INVITE", true), 0);
	ck_assert_int_eq(server("OPTIONS", false), 0);
	sip_txn_conn_down(w->t, tls.ep);
	ck_assert_uint_eq(w->fail_count, 2);
	ck_assert_int_eq(w->fail_why[0], SIP_TXN_FAIL_TRANSPORT);
	ck_assert_uint_eq(sip_txns_count(w->t), 1);
	sip_txn_conn_down(w->t, udp.ep);
	ck_assert_uint_eq(w->fail_count, 2);
	ck_assert_uint_eq(sip_txns_count(w->t), 0);
}
END_TEST

START_TEST(user_number_can_be_changed)
{
	ck_assert_int_eq(client(SIP_METHOD_INVITE, false), 0);
	ck_assert_int_eq(sip_txn_set_user(w->t, h, 99), 0);
	ck_assert_int_eq(response(180, "INVITE"), 0);
	ck_assert_uint_eq(user, 99);
}
END_TEST

/* A late loop runs each timer once, not as often as it was missed. */
START_TEST(late_expiry_sends_once)
{
	ck_assert_int_eq(client(SIP_METHOD_BYE, false), 0);
	w->now_ms = T0 + 10000;
	sip_txns_expire(w->t, w->now_ms);
	ASSERT_SENT(0, 10000);
	ck_assert_uint_eq(sip_txns_deadline(w->t), T0 + 11000);
}
END_TEST

/* ---- memory ---- */

static void whole_lives(void *arg)
{
	(void)arg;
	begin();
	if (w->t) {
		if (client(SIP_METHOD_INVITE, false) == 0) {
			(void)response(180, "INVITE");
			(void)client(SIP_METHOD_CANCEL, false);
			(void)response(486, "INVITE");
			(void)response(486, "INVITE");
		}
		if (server("INVITE", false) == 0) {
			(void)respond(180);
			(void)respond(486);
			(void)request("ACK", false);
		}
		if (server("BYE", false) == 0)
			(void)respond(200);
		world_until(w, T0 + 200000);
		/* Only an INVITE that could not be answered still waits. */
		ck_assert_uint_le(sip_txns_count(w->t), 1);
	}
	end();
}

START_TEST(lack_of_memory_anywhere_is_survived)
{
	oom_sweep(whole_lives, NULL);
}
END_TEST

static TCase *timed(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, begin, end);
	return tc;
}

static void add_clients(Suite *s)
{
	TCase *tc = timed("RFC 3261 17.1, RFC 6026 clients");

	tcase_add_test(tc, invite_client_retransmits_by_timer_a_until_timer_b);
	tcase_add_test(tc,
		       invite_client_over_tls_sends_once_and_fails_by_timer_b);
	tcase_add_test(tc, invite_client_is_quiet_after_a_provisional);
	tcase_add_test(tc, invite_client_acknowledges_a_refusal_until_timer_d);
	tcase_add_test(tc, invite_client_over_tls_is_over_at_the_refusal);
	tcase_add_loop_test(tc, invite_client_hands_up_every_2xx_until_timer_m,
			    0, 2);
	tcase_add_test(tc, invite_client_fails_64_t1_after_its_cancel);
	tcase_add_test(tc, invite_client_without_a_user_fails_64_t1_later);
	tcase_add_test(tc, invite_client_takes_487_after_its_cancel);
	tcase_add_test(
		tc, other_client_retransmits_by_timer_e_up_to_t2_until_timer_f);
	tcase_add_test(tc, other_client_slows_to_t2_after_a_provisional);
	tcase_add_test(tc, other_client_absorbs_repeated_answers_until_timer_k);
	tcase_add_test(tc, other_client_over_tls_is_over_at_the_answer);
	suite_add_tcase(s, tc);
}

static void add_servers(Suite *s)
{
	TCase *tc = timed("RFC 3261 17.2, RFC 6026 servers");

	tcase_add_test(tc, invite_server_repeats_its_last_provisional);
	tcase_add_test(
		tc, invite_server_repeats_a_refusal_by_timer_g_until_timer_h);
	tcase_add_test(
		tc, invite_server_answers_a_repeated_invite_with_the_refusal);
	tcase_add_test(tc, invite_server_is_quiet_after_the_ack_until_timer_i);
	tcase_add_test(tc, invite_server_over_tls_sends_a_refusal_once);
	tcase_add_test(tc, invite_server_over_tls_misses_the_ack_by_timer_h);
	tcase_add_loop_test(
		tc, invite_server_repeats_2xx_until_64_t1_without_ack, 0, 2);
	tcase_add_test(tc,
		       invite_server_stops_2xx_when_acked_and_ends_by_timer_l);
	tcase_add_test(tc, invite_server_lets_a_2xx_follow_a_2xx_only);
	tcase_add_test(tc, other_server_repeats_its_answer_until_timer_j);
	tcase_add_test(tc, other_server_over_tls_is_over_at_the_answer);
	tcase_add_loop_test(tc, other_server_without_an_answer_ends_after_64_t1,
			    0, 2);
	suite_add_tcase(s, tc);
}

static void add_table(Suite *s)
{
	TCase *tc = timed("matching and the table");

	tcase_add_test(tc, cancel_finds_its_invite_and_its_own_repetition);
	tcase_add_loop_test(tc, another_source_cannot_touch_a_transaction, 0,
			    2);
	tcase_add_loop_test(tc, requests_of_rfc_2543_match_by_their_headers, 0,
			    2);
	tcase_add_test(tc, request_by_a_second_way_is_merged);
	tcase_add_test(tc, request_for_another_uri_is_not_merged);
	tcase_add_test(tc, responses_to_nothing_are_not_found);
	tcase_add_test(tc, table_refuses_beyond_its_limit);
	tcase_add_test(tc,
		       lost_connection_fails_its_clients_and_ends_its_servers);
	tcase_add_test(tc, user_number_can_be_changed);
	tcase_add_test(tc, late_expiry_sends_once);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("txn");
	TCase *tc = tcase_create("memory");

	add_clients(s);
	add_servers(s);
	add_table(s);
	tcase_add_test(tc, lack_of_memory_anywhere_is_survived);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
