/* What peers say about credentials, in header lines of a response: challenges,
 * and nonces for the next request. Whatever they say, each question is answered
 * once, and what is kept has an end. */
#include <string.h>

#include "base/writer.h"
#include "fuzz/fuzz.h"
#include "lib/entropy.h"
#include "proxy/realm.h"

enum { INPUT_MAX = 4096 };

static uint64_t store_ticket, keys_ticket;
static unsigned asked, done_count;
static uint8_t lines[REALM_LINE_MAX];
static size_t lines_len;

static int on_credential(void *ctx, uint64_t ticket, struct slice realm)
{
	(void)ctx;
	fuzz_check(realm.len <= INPUT_MAX);
	store_ticket = ticket;
	asked++;
	return 0;
}

static int on_answer(void *ctx, uint64_t ticket, const struct keys_check *c)
{
	(void)ctx;
	fuzz_check(c->nonce.len > 0);
	fuzz_check(c->qop.len == 0 || c->nc.len == 8);
	keys_ticket = ticket;
	return 0;
}

static void on_done(void *ctx, uint64_t id, struct slice l, const char *why,
		    struct slice realm)
{
	(void)ctx;
	(void)id;
	(void)why;
	(void)realm;
	done_count++;
	fuzz_check(l.len <= sizeof(lines));
	if (l.len > 0)
		memcpy(lines, l.ptr, l.len);
	lines_len = l.len;
	/* No peer makes us write a line of his own. */
	for (size_t i = 0; i + 1 < l.len; i++)
		fuzz_check(l.ptr[i] != '\n' || l.ptr[i + 1] == 'A' ||
			   l.ptr[i + 1] == 'P');
}

/* Store and keys process answer until the question is. */
static void settle(struct realms *r)
{
	uint8_t buf[64];
	struct writer w;

	while (done_count == 0) {
		unsigned was = asked;

		realms_credential(r, store_ticket, 0, slice_str("blob"));
		writer_init(&w, buf, sizeof(buf));
		writer_blob(&w, slice_str("user"));
		writer_blob(&w, slice_str("0123"));
		realms_answered(r, keys_ticket, 0, writer_slice(&w));
		fuzz_check(asked <= was + 1 && asked <= 16);
	}
	fuzz_check(done_count == 1);
}

static struct slice exchange(uint8_t *buf, size_t cap, bool is_ahead,
			     struct slice cred, struct slice said)
{
	static const char common[] = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
				     "From: <sip:a@x>;tag=1\r\n"
				     "To: <sip:a@x>\r\nCall-ID: c\r\n"
				     "CSeq: 1 INVITE\r\n";
	static char text[2][2 * INPUT_MAX + 1024];
	struct writer w;

	for (int i = 0; i < 2; i++) {
		writer_init(&w, text[i], sizeof(text[i]) - 1);
		writer_str(&w, i ? "SIP/2.0 401 No\r\n"
				 : "INVITE sip:x@y SIP/2.0\r\n");
		writer_str(&w, common);
		writer_put(&w, i ? said : cred);
		writer_str(&w, "Max-Forwards: 70\r\nContent-Length: 0\r\n"
			       "\r\n");
		text[i][w.len] = '\0';
	}
	writer_init(&w, buf, cap);
	writer_u8(&w, is_ahead);
	writer_blob(&w, slice_str(text[0]));
	writer_blob(&w, said.ptr ? slice_str(text[1]) : SLICE_NULL);
	return writer_slice(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct realm_cb cb = {.credential = on_credential,
			      .answer = on_answer,
			      .done = on_done};
	struct dest peer = {.peer = {.family = ADDR_V4, .port = 5060}};
	static uint8_t buf[6 * INPUT_MAX];
	struct test_entropy te;
	struct entropy e = test_entropy(&te, 1);
	struct slice said = slice_make(data, size);
	struct realms *r;

	if (size > INPUT_MAX)
		return 0;
	r = realms_new(&cb, &e, 7);
	fuzz_check(r != NULL);
	for (int turn = 0; turn < 4; turn++) {
		struct slice cred =
			turn == 0 ? SLICE_NULL : slice_make(lines, lines_len);

		done_count = asked = 0;
		if (turn == 2) {
			realms_info(
				r, &peer,
				exchange(buf, sizeof(buf), false, cred, said));
			fuzz_check(realms_nonces(r) <= 4);
			continue;
		}
		/* Asked; asked again in vain; with what was told. */
		realms_ask(r, 1, &peer,
			   exchange(buf, sizeof(buf), turn == 1,
				    turn == 3 ? SLICE_NULL : cred,
				    turn == 3 ? SLICE_NULL : said));
		settle(r);
		if (turn == 1 && lines_len == 0)
			break;
	}
	realms_free(r);
	return 0;
}
