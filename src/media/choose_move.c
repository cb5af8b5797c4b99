/*
 * A stream that goes on in another backend, with those it is joined with.
 */
#include "media/choose_int.h"

#include <unistd.h>

#include "log/log.h"

static void close_state(struct media_state *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->fd[i] >= 0)
			(void)close(s->fd[i]);
	}
}

static int take(struct backend *from, struct entry *const *e, uint32_t n,
		struct media_state *ret)
{
	uint64_t id[2];

	for (uint32_t i = 0; i < n; i++)
		id[i] = e[i]->key[1];
	return choose_ops(from)->take(from->b, e[0]->key[0], id, n, ret);
}

static int give(struct backend *to, struct entry *const *e, uint32_t n,
		const struct media_state *s)
{
	struct flow f[2] = {{.id = 0}};
	int err;

	for (uint32_t i = 0; i < n; i++)
		f[i] = e[i]->flow;
	err = choose_ops(to)->give(to->b, e[0]->key[0], f, s, n);
	for (uint32_t i = 0; i < n; i++)
		flow_wipe(&f[i]);
	return err;
}

static void settle(struct entry *const *e, uint32_t n, struct backend *from,
		   struct backend *to)
{
	for (uint32_t i = 0; i < n; i++)
		e[i]->at = to;
	from->flows -= n;
	to->flows += n;
}

/* Nobody relays them any more, and their owner is told. */
static int lose(struct choose *c, struct entry *const *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		log_error("a flow was lost on its way from=%s owner=%lu "
			  "flow=%lu",
			  flow_backend_str(e[i]->at->which),
			  (unsigned long)e[i]->key[0],
			  (unsigned long)e[i]->key[1]);
		choose_lose(c, e[i]);
	}
	return ERR_CLOSED;
}

/* Both flows of e's stream to another backend. On errors they are where they
 * were; if that had not the room any more either, or did not know how far they
 * had come, they are gone: ERR_CLOSED. */
static int move(struct choose *c, struct entry *e, struct backend *to)
{
	struct entry *pair[2] = {e, choose_find(c, e->key[0], e->flow.peer_id)};
	struct backend *from = e->at;
	uint32_t n = pair[1] && pair[1] != e && pair[1]->at == e->at &&
				     pair[1]->flow.peer_id == e->key[1]
			     ? 2
			     : 1;
	struct media_state s[2];
	int err;

	if (from == to)
		return 0;
	err = take(from, pair, n, s);
	if (err == ERR_CLOSED)
		return lose(c, pair, n);
	if (err)
		return err;
	err = give(to, pair, n, s);
	if (!err) {
		settle(pair, n, from, to);
		return 0;
	}
	if (give(from, pair, n, s) == 0)
		return err;
	for (uint32_t i = 0; i < n; i++)
		close_state(&s[i]);
	return lose(c, pair, n);
}

static int join_inside(const struct entry *e)
{
	struct media_backend *b = e->at->b;

	return b->ops->join(b, e->key, e->far->key);
}

/* The streams that both halves of one lead into come along, and lead there
 * again. */
static int move_far(struct choose *c, struct entry *const half[2],
		    struct backend *to)
{
	int err = 0;

	for (int i = 0; !err && i < 2; i++) {
		if (half[i] && half[i]->far)
			err = move(c, half[i]->far, to);
		if (!err && half[i] && half[i]->far)
			err = join_inside(half[i]);
	}
	return err;
}

int choose_move_joined(struct choose *c, struct entry *e, struct backend *to)
{
	struct entry *half[2] = {e, choose_find(c, e->key[0], e->flow.peer_id)};
	struct backend *from = e->at;
	int back, err = move(c, e, to);

	/* It was taken and given back: where it led, it leads again. */
	if (err && err != ERR_CLOSED)
		(void)move_far(c, half, from);
	if (err)
		return err;
	err = move_far(c, half, to);
	if (!err || err == ERR_CLOSED)
		return err;
	back = move(c, e, from);
	if (back == 0)
		(void)move_far(c, half, from);
	return back == ERR_CLOSED ? back : err;
}

int choose_move_on(struct choose *c, struct entry *e)
{
	struct backend *from = e->at;
	int err = ERR_STATE;

	for (uint32_t i = 0; i < c->count; i++) {
		struct backend *to = &c->backend[i];

		if (!to->b || to == from || to->is_leaving)
			continue;
		err = choose_move_joined(c, e, to);
		if (!err || err == ERR_CLOSED)
			return err;
	}
	return err;
}
