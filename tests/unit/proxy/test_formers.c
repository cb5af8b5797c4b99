/* Trunks that change or go while they have calls. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/oom.h"
#include "lib/run.h"
#include "unit/proxy/world.h"

static struct world w;
static char tag[64]; /* ours, of the call that is up */
static char contact[128];
static char invite[WORLD_TEXT_MAX]; /* as the call manager had it */

static const char *const new_trunk[][4] = {
	{"trunk", "new", "profile", "plain"},
	{"trunk", "new", "listeners", "trunks"},
	{"trunk", "new", "sources", "203.0.113.200"},
	{"trunk", "new", "call-managers", "cm"},
	{"trunk", "new", "direction", "in"},
};
enum { NEW_ROWS = sizeof(new_trunk) / sizeof(new_trunk[0]) };

static void setup(void)
{
	world_init(&w);
}

static void teardown(void)
{
	world_done(&w);
}

#define SDP                                       \
	"v=0\no=- 1 1 IN IP4 203.0.113.77\ns=-\n" \
	"c=IN IP4 203.0.113.77\nt=0 0\n"          \
	"m=audio 4000 RTP/AVP 0\n"
#define BODY "Content-Type: application/sdp\n\n" SDP

/* ---- a call of the trunk "carrier" ------------------------------------------- */

static void say(const char *method, const char *ruri, const char *to_tag,
		const char *branch)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "%s %s SIP/2.0\n"
		       "Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK%s\n"
		       "Max-Forwards: 70\n"
		       "From: <sip:4711@203.0.113.1>;tag=theirs\n"
		       "To: <sip:5551@192.0.2.1>%s%s\n"
		       "Call-ID: former\n"
		       "CSeq: %d %s\n"
		       "Contact: <sip:4711@203.0.113.1>\n%s",
		       method, ruri, branch, to_tag[0] ? ";tag=" : "", to_tag,
		       strcmp(method, "BYE") == 0 ? 99 : 1, method,
		       strcmp(method, "INVITE") == 0 ? BODY : "");
	world_forget(&w);
	world_say(&w, &w.carrier[0], SIDE_PHONE, NULL, text);
}

static const char *last(void)
{
	ck_assert_msg(w.sent_count > 0, "nothing was sent, stop %s: %s",
		      pipeline_stop_str(w.stop), w.why);
	return w.sent[w.sent_count - 1].text;
}

static void cut(const char *text, const char *before, const char *end,
		char *ret, size_t size)
{
	const char *p = strstr(text, before);

	ck_assert_msg(p != NULL, "no \"%s\" in %s", before, text);
	p += strlen(before);
	(void)snprintf(ret, size, "%.*s", (int)strcspn(p, end), p);
}

static void call(void)
{
	const char *t;

	w.answerer = &w.core_trunk;
	say("INVITE", "sip:5551@192.0.2.1", "", "call");
	world_media(&w, 0);
	memcpy(invite, last(), sizeof(invite));
	world_answer(&w, "200 OK", SDP);
	t = last();
	ck_assert_msg(strncmp(t, "SIP/2.0 200", 11) == 0, "%s", t);
	cut(strstr(t, "\r\nTo: "), "tag=", "\r;>", tag, sizeof(tag));
	cut(t, "Contact: <", ">", contact, sizeof(contact));
	say("ACK", contact, tag, "ack");
}

static void hang_up(void)
{
	say("BYE", contact, tag, "bye");
	ck_assert_uint_eq(w.sent_count, 2);
	ck_assert_msg(strncmp(w.sent[0].text, "SIP/2.0 200", 11) == 0, "%s",
		      w.sent[0].text);
	ck_assert_msg(strncmp(last(), "BYE sip:cm@", 11) == 0, "%s", last());
	world_answer(&w, "200 OK", "");
}

static void begins_nothing(void)
{
	say("INVITE", "sip:5552@192.0.2.1", "", "more");
	ck_assert_msg(strncmp(last(), "SIP/2.0 403", 11) == 0, "%s", last());
	ck_assert_uint_eq(w.sent_count, 1);
	ck_assert_int_eq(w.stop, STOP_STRANGER);
}

/* ---- what a worker does at a reload -------------------------------------------- */

static void gone(uint32_t number)
{
	struct event ev = {.kind = EVENT_TRUNK,
			   .trunk = {.number = number, .is_gone = true}};

	pipeline_event(w.pipeline, &ev, w.now);
}

/* next, whose reference is taken, follows; formers are kept. */
static void reload(struct config *next)
{
	struct config *old = w.config;

	ck_assert_int_eq(ingress_trunk_numbers(w.calls, next), 0);
	ck_assert_int_eq(pipeline_room(w.pipeline, next), 0);
	for (uint32_t i = 0; i < old->trunk_count; i++) {
		const struct config_trunk *t = &old->trunk[i];
		const struct config_trunk *now =
			config_trunk_find(next, slice_str(t->name));

		if ((!now || !config_trunk_same_sources(t, now)) &&
		    calls_trunk_is_used(w.calls, t->number))
			ck_assert_int_eq(formers_add(&w.formers, old, t), 0);
	}
	w.config = next;
	pipeline_reload(w.pipeline, next, w.now);
	for (uint32_t i = 0; i < old->trunk_count; i++)
		if (!config_trunk_find(next, slice_str(old->trunk[i].name)))
			gone(old->trunk[i].number);
	for (uint32_t i = 0; i < next->trunk_count; i++) {
		struct event ev = {
			.kind = EVENT_TRUNK,
			.trunk = {.number = next->trunk[i].number,
				  .name = slice_str(next->trunk[i].name),
				  .managers = next->trunk[i].manager_bits,
				  .places = 2}};

		ingress_trunk_policy(&next->trunk[i], &ev.trunk.policy);
		pipeline_event(w.pipeline, &ev, w.now);
	}
	config_unref(old);
}

static bool goes_on(void *ctx, const struct config_trunk *t)
{
	(void)ctx;
	gone(t->number);
	return calls_trunk_is_known(w.calls, t->number);
}

static void forget(void *ctx, const struct config_trunk *t)
{
	(*(int *)ctx)++;
	pipeline_forget_trunk(w.pipeline, t, w.now);
}

/* A former whose number is not asked about. */
static bool keep_all(void *ctx, const struct config_trunk *t)
{
	(void)ctx;
	(void)t;
	return true;
}

static uint32_t number_of(const char *name)
{
	const struct config_trunk *t =
		config_trunk_find(w.config, slice_str(name));

	ck_assert_ptr_nonnull(t);
	return t->number;
}

/* ---- numbers --------------------------------------------------------------------- */

START_TEST(a_number_is_kept_by_name)
{
	uint32_t asked = number_of("asked");
	uint32_t shielded = number_of("shielded");

	ck_assert_uint_ne(asked, 0);
	reload(world_config(new_trunk, NEW_ROWS, "carrier"));
	ck_assert_uint_eq(number_of("asked"), asked);
	ck_assert_uint_eq(number_of("shielded"), shielded);
	/* Nothing went on: the number of the one that went is free. */
	reload(world_config(new_trunk, NEW_ROWS, "named"));
	ck_assert_uint_eq(number_of("asked"), asked);
	for (uint32_t i = 0; i < w.config->trunk_count; i++)
		for (uint32_t k = 0; k < i; k++)
			ck_assert_uint_ne(w.config->trunk[i].number,
					  w.config->trunk[k].number);
}
END_TEST

START_TEST(a_number_waits_for_the_last_call)
{
	uint32_t carrier = number_of("carrier");
	int forgotten = 0;

	call();
	reload(world_config(new_trunk, NEW_ROWS, "carrier"));
	ck_assert(calls_trunk_is_known(w.calls, carrier));
	ck_assert_uint_ne(number_of("new"), carrier);
	ck_assert(formers_sweep(&w.formers, goes_on, forget, &forgotten));
	ck_assert_int_eq(forgotten, 0);
	hang_up();
	/* The transactions of the BYE linger. */
	world_pass(&w, w.now + 60000);
	ck_assert(!formers_sweep(&w.formers, goes_on, forget, &forgotten));
	ck_assert_int_eq(forgotten, 1);
	ck_assert(!calls_trunk_is_known(w.calls, carrier));
	reload(world_config(NULL, 0, "named"));
	reload(world_config(new_trunk, NEW_ROWS, "named"));
	ck_assert_uint_eq(number_of("carrier"), carrier);
}
END_TEST

START_TEST(a_trunk_that_comes_back_has_its_number)
{
	uint32_t carrier = number_of("carrier");

	call();
	reload(world_config(new_trunk, NEW_ROWS, "carrier"));
	reload(world_config(NULL, 0, "new"));
	ck_assert_uint_eq(number_of("carrier"), carrier);
	hang_up();
}
END_TEST

START_TEST(numbers_run_out)
{
	struct config *next = world_config(new_trunk, NEW_ROWS, "carrier");

	for (uint32_t n = 0; n < PIPELINE_TRUNKS_MAX; n++) {
		char name[16];
		struct event ev = {.kind = EVENT_TRUNK,
				   .trunk = {.number = n, .places = 1}};

		(void)snprintf(name, sizeof(name), "x%u", n);
		ev.trunk.name = slice_str(name);
		pipeline_event(w.pipeline, &ev, w.now);
	}
	ck_assert_int_eq(ingress_trunk_numbers(w.calls, next), ERR_LIMIT);
	config_unref(next);
}
END_TEST

/* ---- what may go on --------------------------------------------------------------- */

START_TEST(a_trunk_that_is_gone_ends_its_call_and_begins_nothing)
{
	call();
	reload(world_config(NULL, 0, "carrier"));
	begins_nothing();
	hang_up();
}
END_TEST

START_TEST(a_trunk_that_moved_ends_its_call_and_begins_nothing)
{
	static const char *const moved[][4] = {
		{"trunk", "carrier", "profile", "plain"},
		{"trunk", "carrier", "listeners", "trunks"},
		{"trunk", "carrier", "peers", "udp:203.0.113.9:5060"},
		{"trunk", "carrier", "call-managers", "cm-carrier"},
	};
	struct config_claim q = {.listener = 2};

	call();
	reload(world_config(NULL, 0, "carrier"));
	reload(world_config(moved, 4, "carrier"));
	begins_nothing();
	q.source = w.carrier[0].peer;
	ck_assert_ptr_null(config_trunk_identify(w.config, &q));
	ck_assert_ptr_eq(formers_identify(&w.formers, w.config, &q),
			 config_trunk_find(w.config, slice_str("carrier")));
	q.source.ip[3] = 99;
	ck_assert_ptr_null(formers_identify(&w.formers, w.config, &q));
	hang_up();
}
END_TEST

START_TEST(a_former_has_to_have_the_name_of_today)
{
	static const char *const told[][4] = {
		{"trunk", "told", "profile", "locked"},
		{"trunk", "told", "listeners", "tls-trunks"},
		{"trunk", "told", "subjects", "old.example"},
		{"trunk", "told", "call-managers", "cm"},
		{"trunk", "told", "direction", "in"},
	};
	static const char *const renamed[][4] = {
		{"trunk", "told", "profile", "locked"},
		{"trunk", "told", "listeners", "tls-trunks"},
		{"trunk", "told", "subjects", "new.example"},
		{"trunk", "told", "call-managers", "cm"},
		{"trunk", "told", "direction", "in"},
	};
	struct slice name = slice_str("old.example");
	struct config_claim q = {
		.listener = 4, .is_tls = true, .name = &name, .name_count = 1};
	struct config *a = world_config(told, 5, NULL);
	struct config *b = world_config(renamed, 5, NULL);
	struct config *c = world_config(NULL, 0, NULL);
	const struct config_trunk *t = config_trunk_find(a, slice_str("told"));

	while (!config_trunk_is(t, &q) && q.listener > 0)
		q.listener--;
	ck_assert(config_trunk_is(t, &q));
	ck_assert(!config_trunk_same_names(
		t, config_trunk_find(b, slice_str("told"))));
	ck_assert_int_eq(formers_add(&w.formers, a, t), 0);
	ck_assert_ptr_null(formers_identify(&w.formers, b, &q));
	ck_assert_ptr_eq(formers_identify(&w.formers, c, &q), t);
	ck_assert_ptr_eq(formers_find(&w.formers, slice_str("told")), t);
	ck_assert_ptr_null(formers_find(&w.formers, slice_str("nobody")));
	config_unref(a);
	config_unref(b);
	config_unref(c);
}
END_TEST

/* ---- NOTIFY in a call -------------------------------------------------------------- */

static const char *const strict[][4] = {
	{"trunk-profile", "plain", "security-mode", "nonsecure"},
};

/* The trunk notifies in its call; is it passed on? */
static bool notifies(int cseq, const char *event)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "NOTIFY %s SIP/2.0\n"
		       "Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bKn%d\n"
		       "Max-Forwards: 70\n"
		       "From: <sip:4711@203.0.113.1>;tag=theirs\n"
		       "To: <sip:5551@192.0.2.1>;tag=%s\n"
		       "Call-ID: former\n"
		       "CSeq: %d NOTIFY\n"
		       "Contact: <sip:4711@203.0.113.1>\n"
		       "Event: %s\n"
		       "Subscription-State: active\n",
		       contact, cseq, tag, cseq, event);
	world_forget(&w);
	world_say(&w, &w.carrier[0], SIDE_PHONE, NULL, text);
	if (strncmp(last(), "NOTIFY", 6) == 0) {
		world_answer(&w, "200 OK", "");
		return true;
	}
	ck_assert_msg(strncmp(last(), "SIP/2.0 481", 11) == 0, "%s", last());
	return false;
}

/* The call manager asks for something in the trunk's call. */
static void core_asks(int cseq, const char *method, const char *header)
{
	char text[1024];
	char ids[3][96];

	/* The dialog as the call manager has it, from the INVITE. */
	cut(invite, "Call-ID: ", "\r", ids[0], sizeof(ids[0]));
	cut(strstr(invite, "\r\nFrom: "), "tag=", "\r;>", ids[1],
	    sizeof(ids[1]));
	cut(invite, "Contact: <", ">", ids[2], sizeof(ids[2]));
	(void)snprintf(text, sizeof(text),
		       "%s %s SIP/2.0\n"
		       "Via: SIP/2.0/UDP 10.0.0.2:5065;branch=z9hG4bKc%d\n"
		       "Max-Forwards: 70\n"
		       "From: <sip:5551@10.0.0.2>;tag=core\n"
		       "To: <sip:4711@10.0.0.1>;tag=%s\n"
		       "Call-ID: %s\n"
		       "CSeq: %d %s\n"
		       "Contact: <sip:cm@10.0.0.2:5065>\n"
		       "%s",
		       method, ids[2], cseq, ids[1], ids[0], cseq, method,
		       header);
	world_forget(&w);
	world_say(&w, &w.core_trunk, SIDE_CORE, NULL, text);
	ck_assert_msg(strncmp(last(), method, strlen(method)) == 0, "%s",
		      last());
	w.answerer = &w.carrier[0];
	memcpy(w.asked, last(), strlen(last()) + 1);
	world_answer(&w, "202 Accepted", "");
	w.answerer = &w.core_trunk;
}

START_TEST(a_profile_counts_at_the_next_request_in_a_call)
{
	call();
	ck_assert(notifies(2, "message-summary"));
	reload(world_config(strict, 1, "plain"));
	ck_assert(!notifies(3, "message-summary"));
	ck_assert_int_eq(w.stop, STOP_NONE); /* the call's own answer */
	hang_up();
}
END_TEST

START_TEST(in_a_call_a_trunk_notifies_of_what_was_asked_for)
{
	call();
	reload(world_config(strict, 1, "plain"));
	ck_assert(!notifies(2, "refer"));
	ck_assert(notifies(3, "telephone-event;rate=1000"));
	core_asks(1, "REFER", "Refer-To: <sip:7@10.0.0.2>\n");
	ck_assert(notifies(4, "refer"));
	ck_assert(!notifies(5, "kpml"));
	core_asks(2, "SUBSCRIBE", "Event: kpml\nExpires: 60\n");
	ck_assert(notifies(6, "kpml"));
	hang_up();
}
END_TEST

START_TEST(the_same_is_kept_once)
{
	const struct config_trunk *t = &w.config->trunk[0];
	int forgotten = 0;

	ck_assert_int_eq(formers_add(&w.formers, w.config, t), 0);
	ck_assert_int_eq(formers_add(&w.formers, w.config, t), 0);
	ck_assert(formers_sweep(&w.formers, keep_all, forget, &forgotten));
	ck_assert_ptr_eq(w.formers.list.next->next, &w.formers.list);
}
END_TEST

static void add(void *arg)
{
	struct formers f;

	(void)arg;
	formers_init(&f);
	if (formers_add(&f, w.config, &w.config->trunk[0]) == 0)
		ck_assert_ptr_nonnull(formers_find(&f, slice_str("carrier")));
	formers_done(&f);
}

START_TEST(missing_memory_leaks_nothing)
{
	oom_sweep(add, NULL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("trunks that change");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_number_is_kept_by_name);
	tcase_add_test(t, a_number_waits_for_the_last_call);
	tcase_add_test(t, a_trunk_that_comes_back_has_its_number);
	tcase_add_test(t, numbers_run_out);
	tcase_add_test(t,
		       a_trunk_that_is_gone_ends_its_call_and_begins_nothing);
	tcase_add_test(t, a_trunk_that_moved_ends_its_call_and_begins_nothing);
	tcase_add_test(t, a_former_has_to_have_the_name_of_today);
	tcase_add_test(t, a_profile_counts_at_the_next_request_in_a_call);
	tcase_add_test(t, in_a_call_a_trunk_notifies_of_what_was_asked_for);
	tcase_add_test(t, the_same_is_kept_once);
	tcase_add_test(t, missing_memory_leaks_nothing);
	return run_case("proxy/formers", t);
}
