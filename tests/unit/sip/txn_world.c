#include "unit/sip/txn_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_send(void *ctx, const struct dest *dest, struct slice bytes)
{
	struct world *w = ctx;
	struct world_sent *s;

	if (w->sent_count == WORLD_MAX || bytes.len >= sizeof(s->text))
		abort();
	s = &w->sent[w->sent_count++];
	s->at_ms = w->now_ms;
	s->dest = *dest;
	memcpy(s->text, bytes.ptr, bytes.len);
	s->text[bytes.len] = '\0';
}

static void on_fail(void *ctx, struct handle txn, uint64_t user,
		    enum sip_txn_fail why)
{
	struct world *w = ctx;

	/* It is gone by now. */
	if (w->fail_count == WORLD_MAX || w->is_inside ||
	    sip_txn_set_user(w->t, txn, 1) != ERR_NOTFOUND)
		abort();
	w->fail_ms[w->fail_count] = w->now_ms;
	w->fail_user[w->fail_count] = user;
	w->fail_why[w->fail_count] = why;
	w->fail_count++;
}

struct world *world_new(uint32_t limit)
{
	static struct world only; /* calloc may be failing */
	struct world *w = &only;
	struct sip_txn_params p = {.t1_ms = 500,
				   .t2_ms = 4000,
				   .t4_ms = 5000,
				   .limit = limit,
				   .seed = 42};
	struct sip_txn_cb cb = {.send = on_send, .fail = on_fail, .ctx = w};

	memset(w, 0, sizeof(*w));
	w->now_ms = 1000;
	w->t = sip_txns_new(&p, &cb);
	return w;
}

void world_free(struct world *w)
{
	w->t = sip_txns_free(w->t);
}

void world_until(struct world *w, uint64_t at_ms)
{
	while (sip_txns_deadline(w->t) <= at_ms) {
		w->now_ms = sip_txns_deadline(w->t);
		sip_txns_expire(w->t, w->now_ms);
	}
	w->now_ms = at_ms;
}

const struct sip_msg *world_msg(struct world *w, const char *fmt, ...)
{
	char lf[2048];
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(lf, sizeof(lf), fmt, ap);
	va_end(ap);
	for (size_t i = 0; lf[i] != '\0'; i++) {
		if (lf[i] == '\n')
			w->text[n++] = '\r';
		w->text[n++] = lf[i];
	}
	if (sip_msg_parse((uint8_t *)w->text, n, &w->msg, NULL) != 0) {
		fprintf(stderr, "not a message:\n%s\n", lf);
		abort();
	}
	return &w->msg;
}

const struct sip_msg *world_request(struct world *w, const char *method,
				    const char *branch)
{
	return world_msg(w,
			 "%s sip:bob@example.com SIP/2.0\n"
			 "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=%s\n"
			 "Max-Forwards: 70\n"
			 "Route: <sip:proxy.example.com;lr>\n"
			 "From: Alice <sip:alice@example.com>;tag=a1\n"
			 "To: Bob <sip:bob@example.com>\n"
			 "Call-ID: call@example.com\n"
			 "CSeq: 1 %s\n"
			 "Contact: <sip:alice@192.0.2.1>\n"
			 "Content-Length: 0\n\n",
			 method, branch, method);
}

const struct sip_msg *world_response(struct world *w, unsigned status,
				     const char *method, const char *branch)
{
	return world_msg(w,
			 "SIP/2.0 %u Text\n"
			 "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=%s\n"
			 "From: Alice <sip:alice@example.com>;tag=a1\n"
			 "To: Bob <sip:bob@example.com>;tag=b1\n"
			 "Call-ID: call@example.com\n"
			 "CSeq: 1 %s\n"
			 "Content-Length: 0\n\n",
			 status, branch, method);
}

struct dest world_dest(bool is_reliable)
{
	struct dest d = {.ep = {.index = 1, .gen = 1},
			 .peer = {.family = ADDR_V4,
				  .ip = {192, 0, 2, 1},
				  .port = 5060}};

	if (is_reliable) {
		d.ep.index = 2;
		d.is_reliable = true;
		d.is_tls = true;
	}
	return d;
}
