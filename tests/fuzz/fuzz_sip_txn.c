/*
 * sip/txn: any sequence of events and times. Each pair of bytes is one event:
 * what happens, and to which of a few branches or how long later. Whatever
 * comes: an event sends at most one message, a timer too; the table keeps its
 * limit; and when the user has answered all INVITEs, everything is over 64*T1
 * (and a little) later.
 */
#include <string.h>

#include "base/writer.h"
#include "fuzz/fuzz.h"
#include "sip/print.h"
#include "sip/txn.h"

enum { LIMIT = 6, BRANCHES = 8, T1 = 500, END_MS = 64 * T1 + 5000 };

struct world {
	struct sip_txns *t;
	uint64_t now_ms;
	unsigned sent;
	unsigned failed;
	struct handle last[BRANCHES];	/* last server transaction */
	struct handle invite[BRANCHES]; /* last of an INVITE */
	struct sip_msg m;
	uint8_t text[1024];
};

static struct world w;

static void on_send(void *ctx, const struct dest *dest, struct slice bytes)
{
	(void)ctx;
	fuzz_check(dest->ep.gen != 0 && bytes.len > 0);
	w.sent++;
}

static void on_fail(void *ctx, struct handle txn, uint64_t user,
		    enum sip_txn_fail why)
{
	(void)ctx;
	(void)why;
	fuzz_check(sip_txn_set_user(w.t, txn, user) == ERR_NOTFOUND);
	w.failed++;
}

static const enum sip_method methods[] = {SIP_METHOD_INVITE, SIP_METHOD_BYE,
					  SIP_METHOD_CANCEL, SIP_METHOD_ACK};

static struct dest dest_of(unsigned n)
{
	struct dest d = {.ep = {.index = n & 1, .gen = 1},
			 .peer = {.family = ADDR_V4, .port = 5060},
			 .is_reliable = (n & 1) != 0};

	return d;
}

/* The message of branch n into w.m. */
static void make(unsigned n, enum sip_method method, unsigned status)
{
	struct slice name = slice_str(sip_method_name(method));
	struct writer out;
	int err;

	writer_init(&out, w.text, sizeof(w.text));
	if (status)
		sip_print_status(&out, status, slice_str("x"));
	else
		sip_print_request(&out, name, slice_str("sip:b@h"));
	writer_str(&out, "Via: SIP/2.0/UDP h;branch=");
	/* Half of them without the cookie: RFC 2543 rules. */
	writer_str(&out, n & 4 ? "old" : "z9hG4bK");
	writer_u8(&out, (uint8_t)('0' + n));
	writer_str(&out, "\r\nFrom: <sip:a@h>;tag=a\r\nTo: <sip:b@h>;tag=b\r\n"
			 "Call-ID: c\r\nCSeq: 1 ");
	writer_put(&out, name);
	writer_str(&out, "\r\n");
	sip_print_body(&out, SLICE_NULL, SLICE_NULL);
	err = sip_msg_parse(w.text, out.len, &w.m, NULL);
	fuzz_check(err == 0);
}

static void client(unsigned n, enum sip_method method)
{
	struct dest d = dest_of(n);
	struct handle h;
	int err;

	if (method == SIP_METHOD_ACK)
		return; /* an ACK of a 2xx has no transaction */
	make(n, method, 0);
	err = sip_txn_client_new(w.t, method, w.m.branch, &d, w.m.raw, n,
				 w.now_ms, &h);
	fuzz_check(err == 0 || err == ERR_EXISTS || err == ERR_LIMIT);
}

static void request(unsigned n, enum sip_method method)
{
	struct dest d = dest_of(n);
	struct handle h;
	uint64_t user;
	enum sip_txn_verdict v;

	make(n, method, 0);
	v = sip_txn_recv_request(w.t, &w.m, &d, w.now_ms, &h, &user);
	fuzz_check((v == SIP_TXN_ACK) <= (method == SIP_METHOD_ACK));
	fuzz_check((v == SIP_TXN_CANCEL) <= (method == SIP_METHOD_CANCEL));
	if (v == SIP_TXN_ACK && !handle_is_none(h))
		sip_txn_acked(w.t, h, w.now_ms);
	if (v != SIP_TXN_NEW && v != SIP_TXN_CANCEL)
		return;
	if (sip_txn_server_new(w.t, &w.m, &d, n, w.now_ms, &h) != 0) {
		fuzz_check(sip_txns_count(w.t) == LIMIT);
		return;
	}
	w.last[n] = h;
	if (method == SIP_METHOD_INVITE)
		w.invite[n] = h;
}

static void response(unsigned n, enum sip_method method, unsigned status)
{
	struct handle h;
	uint64_t user;
	int err;

	make(n, method, status);
	err = sip_txn_recv_response(w.t, &w.m, w.now_ms, &h, &user);
	fuzz_check(err == 0 || err == ERR_EXISTS || err == ERR_NOTFOUND);
	fuzz_check(err != 0 || user == n);
}

static void respond(unsigned n, struct handle txn, unsigned status)
{
	int err;

	make(n, SIP_METHOD_BYE, status);
	err = sip_txn_respond(w.t, txn, status, w.m.raw, w.now_ms);
	fuzz_check(err == 0 || err == ERR_STATE || err == ERR_NOTFOUND);
}

/* Run timers as a loop would; each fires for one transaction at a time. */
static void pass(uint64_t ms)
{
	uint64_t until = w.now_ms + ms;

	while (sip_txns_deadline(w.t) <= until) {
		uint64_t at = sip_txns_deadline(w.t);

		fuzz_check(at >= w.now_ms);
		w.now_ms = at;
		w.sent = 0;
		sip_txns_expire(w.t, at);
		fuzz_check(w.sent <= LIMIT);
		fuzz_check(sip_txns_deadline(w.t) > at);
	}
	w.now_ms = until;
}

static void event(uint8_t what, uint8_t how)
{
	static const unsigned statuses[] = {100, 180, 200, 202,
					    302, 404, 487, 603};
	unsigned n = how % BRANCHES;
	enum sip_method method = methods[what >> 6];
	unsigned status = statuses[what >> 3 & 7];

	w.sent = 0;
	switch (what & 7) {
	case 0:
		client(n, method);
		break;
	case 1:
	case 2:
		request(n, method);
		break;
	case 3:
		response(n, method, status);
		break;
	case 4:
		respond(n, w.last[n], status);
		break;
	case 5:
		pass(how);
		return;
	case 6:
		pass((uint64_t)how * 100);
		return;
	default:
		if (how < 8) {
			sip_txn_conn_down(w.t, dest_of(how).ep);
			fuzz_check(w.sent == 0);
		}
		break;
	}
	fuzz_check(w.sent <= 1 && sip_txns_count(w.t) <= LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_txn_params p = {
		.t1_ms = T1, .t2_ms = 4000, .t4_ms = 5000, .limit = LIMIT};
	struct sip_txn_cb cb = {.send = on_send, .fail = on_fail};

	memset(&w, 0, sizeof(w));
	w.now_ms = 1;
	w.t = sip_txns_new(&p, &cb);
	if (!w.t)
		return 0;
	for (size_t i = 0; i + 1 < size && i < 4096; i += 2)
		event(data[i], data[i + 1]);
	/* The user's part: no INVITE rings for ever, here or there. */
	for (unsigned n = 0; n < BRANCHES; n++) {
		respond(n, w.invite[n], 404);
		response(n, SIP_METHOD_INVITE, 404);
	}
	pass(END_MS);
	fuzz_check(sip_txns_count(w.t) == 0);
	fuzz_check(sip_txns_deadline(w.t) == UINT64_MAX);
	w.t = sip_txns_free(w.t);
	return 0;
}
