/*
 * A worker's answers to the challenges of call managers: realm.c between the
 * call machine, the store and the keys process. Their tickets share those two
 * lines with the pipeline's; a bit tells them apart.
 */
#include "base/alloc.h"
#include "log/log.h"
#include "proxy/worker_int.h"
#include "store/store.h"

static const uint64_t realm_bit = 1ULL << 63; /* no generation is so high */

/* A challenge that the loop will bring to realm.c: never from inside of a step
 * of the call machine, whose answer it may be at once. */
struct worker_challenge {
	struct list node;
	uint64_t id;
	struct dest peer;
	bool is_info; /* ACTION_AUTH_INFO */
	size_t len;
	uint8_t bytes[];
};

static int ask_store(void *ctx, uint64_t ticket, struct slice realm)
{
	return worker_store_get(ctx, ticket | realm_bit,
				slice_str(STORE_REALM_USER), realm);
}

static int ask_keys(void *ctx, uint64_t ticket, const struct keys_check *c)
{
	struct worker *w = ctx;

	return keys_client_answer(w->keys, c, ticket | realm_bit);
}

static void done(void *ctx, uint64_t id, struct slice lines, const char *why,
		 struct slice realm)
{
	struct worker *w = ctx;
	struct event ev = {.kind = EVENT_AUTH,
			   .auth = {.id = id, .lines = lines}};
	char quoted[LOG_QUOTE_MAX];

	if (why && worker_may_log(w))
		log_warn("challenge not answered reason=\"%s\" "
			 "realm=\"%s\"",
			 why, log_quote(realm, quoted));
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
}

static void bring(void *arg)
{
	struct worker *w = arg;

	while (!list_empty(&w->challenges)) {
		struct worker_challenge *c = LIST_ENTRY(
			w->challenges.next, struct worker_challenge, node);

		list_del(&c->node);
		if (c->is_info)
			realms_info(w->realms, &c->peer,
				    slice_make(c->bytes, c->len));
		else
			realms_ask(w->realms, c->id, &c->peer,
				   slice_make(c->bytes, c->len));
		alloc_free(c);
	}
}

int worker_realms_open(struct worker *w)
{
	struct realm_cb cb = {.credential = ask_store,
			      .answer = ask_keys,
			      .done = done,
			      .ctx = w};

	w->realms = realms_new(&cb, &w->p.entropy, entropy_u64(&w->p.entropy));
	return w->realms ? 0 : ERR_NOMEM;
}

void worker_realms_init(struct worker *w)
{
	list_init(&w->challenges);
	loop_work_init(&w->challenge_work, bring, w);
}

void worker_realms_close(struct worker *w)
{
	struct list *pos;
	struct list *tmp;

	loop_work_del(&w->challenge_work);
	list_for_each_safe(pos, tmp, &w->challenges)
		alloc_free(LIST_ENTRY(pos, struct worker_challenge, node));
	w->realms = realms_free(w->realms);
}

void worker_realms_ask(struct worker *w, const struct action *a)
{
	struct worker_challenge *c = alloc_zero(sizeof(*c) + a->bytes.len);

	if (!c)
		return; /* the call machine stops waiting by itself */
	c->id = a->id;
	c->peer = a->dest;
	c->is_info = a->kind == ACTION_AUTH_INFO;
	c->len = a->bytes.len;
	memcpy(c->bytes, a->bytes.ptr, a->bytes.len);
	list_append(&w->challenges, &c->node);
	loop_work_add(w->loop, &w->challenge_work);
}

bool worker_realms_credential(struct worker *w, uint64_t ticket, int err,
			      struct slice blob)
{
	if (!(ticket & realm_bit))
		return false;
	realms_credential(w->realms, ticket & ~realm_bit, err, blob);
	return true;
}

void worker_realms_lost(struct worker *w)
{
	realms_lost(w->realms);
}

bool worker_realms_answered(struct worker *w, uint64_t ticket, int err,
			    struct slice data)
{
	if (!(ticket & realm_bit))
		return false;
	realms_answered(w->realms, ticket & ~realm_bit, err, data);
	return true;
}
