#include "transport/internal.h"

/*
 * What costs more than a message waits for its turn: a step of a handshake may
 * cost milliseconds, leave has to be taken of a phone that is gone, a
 * registration asks other processes and the call manager. When thousands come
 * at once, each round of the loop does a few of each kind, and calls go on
 * between them.
 */
static const uint8_t per_round[TURN_COUNT] = {
	[TURN_HANDSHAKE] = 2, /* steps */
	[TURN_PARTING] = 8,   /* connections */
	[TURN_UNIT] = 8,      /* units */
};

static void queue_work(struct turns *q)
{
	if (!list_empty(&q->waiting))
		loop_work_add(q->t->loop, &q->work);
}

/* What is left of the present round. */
static uint8_t *left(struct turns *q)
{
	uint64_t now = loop_round(q->t->loop);

	if (q->round != now)
		q->left = per_round[q->kind];
	q->round = now;
	return &q->left;
}

/* The work item of one kind. */
static void take_turns(void *arg)
{
	struct turns *q = arg;

	while (*left(q) > 0 && !list_empty(&q->waiting)) {
		struct conn *c =
			LIST_ENTRY(q->waiting.next, struct conn, turn_node);

		list_del(&c->turn_node);
		q->left--;
		q->is_granted = true;
		conn_turn(c, q->kind);
		q->is_granted = false;
	}
	queue_work(q);
}

void turns_init(struct transport *t)
{
	for (int i = 0; i < TURN_COUNT; i++) {
		struct turns *q = &t->turns[i];

		*q = (struct turns){.t = t, .kind = (enum turn)i};
		list_init(&q->waiting);
		loop_work_init(&q->work, take_turns, q);
	}
}

void turns_done(struct transport *t)
{
	for (int i = 0; i < TURN_COUNT; i++)
		loop_work_del(&t->turns[i].work);
}

void turn_wait(struct conn *c, enum turn kind)
{
	struct turns *q = &c->ep.t->turns[kind];

	if (!list_empty(&c->turn_node))
		return;
	list_append(&q->waiting, &c->turn_node);
	loop_fd_pause(q->t->loop, &c->w);
	queue_work(q);
}

bool transport_turn(struct transport *t)
{
	struct turns *q = &t->turns[TURN_UNIT];

	if (q->is_granted) {
		q->is_granted = false;
		return true;
	}
	if (!list_empty(&q->waiting) || *left(q) == 0)
		return false;
	q->left--;
	return true;
}
