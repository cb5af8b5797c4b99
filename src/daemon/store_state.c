#include "daemon/store_state.h"

#include "daemon/setup.h"
#include "log/log.h"
#include "store/state_wire.h"

enum {
	COMMIT_MS = 100,      /* writes gather for so long */
	ALIVE_MS = 5000,      /* a sign of life without any */
	AGAIN_MIN_MS = 5000,  /* workers save everything anew so often, */
	AGAIN_MAX_MS = 60000, /* and less often while that does not help */
	LOG_RATE = 1,	      /* failures logged a second */
	LOG_BURST = 10
};

static uint64_t now_s(const struct store_state *s)
{
	return loop_now_ms(s->loop) / 1000;
}

static void note(struct store_state *s, const char *what, int err)
{
	if (!err)
		return;
	s->failed++;
	if (bucket_take(&s->log_bucket, loop_now_ms(s->loop)))
		log_error("state of calls not %s: %s (%s) failures=%llu", what,
			  err_str(err), state_error(s->state),
			  (unsigned long long)s->failed);
}

static void arm(struct store_state *s, uint64_t ms)
{
	/* It is set already, so moving it cannot fail but the first time. */
	if (loop_timer_set(s->loop, &s->timer, loop_now_ms(s->loop) + ms) != 0)
		log_error("no memory for a timer");
}

/* Something can be written. All that workers have may still be too much: who
 * lost it again is asked less often. */
static void say_again(struct store_state *s)
{
	uint64_t now = loop_now_ms(s->loop);
	uint8_t buf[1];
	struct writer w;

	if (now < s->again_ms)
		return;
	if (!s->is_lost) {
		s->pause_ms = AGAIN_MIN_MS;
		return;
	}
	writer_init(&w, buf, sizeof(buf));
	state_again_write(&w);
	s->is_lost = !s->cb.tell(s->cb.ctx, writer_slice(&w));
	s->again_ms = now + s->pause_ms;
	s->pause_ms *= 2;
	if (s->pause_ms > AGAIN_MAX_MS)
		s->pause_ms = AGAIN_MAX_MS;
	log_warn("state of calls: something was not written, workers save "
		 "everything anew");
}

static void on_timer(void *arg)
{
	struct store_state *s = arg;
	int err = state_commit(s->state, now_s(s));

	note(s, "committed", err);
	/* A sign of life alone is no loss. */
	if (err && s->is_dirty)
		s->is_lost = true;
	s->is_dirty = false;
	if (!err)
		say_again(s);
	arm(s, ALIVE_MS);
}

struct store_state_params store_state_params(const struct config *c,
					     uint32_t workers, const char *path)
{
	return (struct store_state_params){.path = path,
					   .lease_s = c->restart_lease_s,
					   .workers = workers,
					   /* A reload may raise limits. */
					   .rows_max = CONFIG_SAVED_MAX};
}

int store_state_open(struct store_state *s, struct loop *loop,
		     const struct store_state_params *p,
		     const struct store_state_cb *cb)
{
	char message[STATE_MESSAGE_MAX];
	char boot[SETUP_BOOT_MAX];
	struct state_params sp = {.path = p->path,
				  .boot = boot,
				  .lease_s = p->lease_s,
				  .workers = p->workers,
				  .rows_max = p->rows_max};
	int err;

	setup_boot(boot);
	s->loop = loop;
	s->cb = *cb;
	s->is_lost = false;
	s->again_ms = 0;
	s->pause_ms = AGAIN_MIN_MS;
	sp.now_s = now_s(s);
	err = state_open(&sp, &s->state, message);
	if (err) {
		log_error("state of calls: %s", message);
		return err;
	}
	if (message[0])
		log_warn("state of calls: %s", message);
	bucket_init(&s->log_bucket, LOG_RATE, LOG_BURST, loop_now_ms(loop));
	loop_timer_init(&s->timer, on_timer, s);
	arm(s, ALIVE_MS);
	return 0;
}

void store_state_close(struct store_state *s)
{
	if (!s->state)
		return;
	loop_timer_clear(s->loop, &s->timer);
	note(s, "committed", state_commit(s->state, now_s(s)));
	s->state = state_close(s->state);
}

struct page {
	struct writer w;
	bool is_full;
};

static bool add_entry(void *ctx, struct slice key, struct slice blob)
{
	struct page *page = ctx;

	page->is_full = !state_page_add(&page->w, key, blob);
	return !page->is_full;
}

static void answer_page(struct store_state *s, struct channel *ch,
			uint32_t worker, struct slice after)
{
	struct page page = {.is_full = false};
	int err;

	writer_init(&page.w, s->out, STATE_WIRE_MAX);
	state_page_begin(&page.w);
	err = state_list(s->state, worker, after, add_entry, &page);
	note(s, "listed", err);
	if (!err && !page.is_full)
		state_page_last(&page.w);
	if (channel_send(ch, writer_slice(&page.w)) != 0)
		log_warn("state of calls: a page was not sent worker=%u",
			 worker);
}

/* What came of a write. The disk may have taken back what was gathered before
 * it, too; what is refused would be refused again. */
static void note_write(struct store_state *s, const char *what, int err)
{
	note(s, what, err);
	if (err && err != ERR_BAD && err != ERR_LIMIT)
		s->is_lost = true;
}

void store_state_request(struct store_state *s, struct channel *ch,
			 uint32_t worker, struct slice bytes)
{
	struct state_request q;

	if (state_request_read(bytes, &q) != 0) {
		log_warn("unreadable request of %zu bytes dropped worker=%u",
			 bytes.len, worker);
		return;
	}
	switch (q.op) {
	case STATE_OP_SAVE:
		note_write(s, "saved",
			   state_put(s->state, worker, q.key, q.blob));
		break;
	case STATE_OP_FORGET:
		note_write(s, "forgotten", state_del(s->state, worker, q.key));
		break;
	case STATE_OP_MARK:
		note_write(s, "marked", state_mark(s->state, worker));
		break;
	case STATE_OP_SWEEP:
		note_write(s, "swept", state_sweep(s->state, worker));
		break;
	case STATE_OP_RESTORE:
		answer_page(s, ch, worker, q.key);
		return;
	case STATE_OP_AGAIN:
		return; /* is no request: it was not read */
	}
	if (!s->is_dirty)
		arm(s, COMMIT_MS);
	s->is_dirty = true;
}
