/*
 * Inside of the backend made of backends, for media/choose*.c only: choose.c
 * does the commands, choose_move.c moves streams. One thread.
 */
#pragma once

#include "base/table.h"
#include "media/choose.h"

struct backend {
	struct media_backend *b; /* NULL = not there */
	enum flow_backend which;
	uint32_t flows;
	bool is_leaving; /* takes no new flows */
	bool is_left;	 /* has none either */
};

/* A flow and who has it. */
struct entry {
	struct table_node node;
	uint64_t key[2];   /* owner, id */
	struct flow flow;  /* as last said, with its keys */
	struct entry *far; /* joined with; NULL = not */
	struct backend *at;
	uint32_t round; /* the last one that looked at it */
	struct entry *next_lost;
};

struct choose {
	struct media_backend base;
	struct backend backend[FLOW_BACKENDS]; /* the most wanted first */
	uint32_t count;
	struct table flows;
	int epoll;	/* of the backends' event descriptors */
	uint32_t round; /* of looking at all flows, while some move */
	/* Flows that no backend has any more; their owners are not told yet. */
	struct entry *lost;
};

/* What b, which is there, can do. */
static inline const struct media_backend_ops *
choose_ops(const struct backend *b)
{
	return b->b->ops;
}

/* --- choose.c ----------------------------------------------------------- */
/* NULL: there is none. */
struct entry *choose_find(const struct choose *c, uint64_t owner, uint64_t id);
/* An entry that goes takes its stream's joins along. */
void choose_forget(struct choose *c, struct entry *e);
/* The same for one that no backend has any more: its owner is told so. */
void choose_lose(struct choose *c, struct entry *e);

/* --- choose_move.c ------------------------------------------------------ */
/*
 * Both flows of e's stream to another backend. Joined streams move together or
 * not at all: what passes unopened between them passes nowhere else. Errors are
 * the other backend's, and all is where it was. ERR_CLOSED: e, or one that it
 * was joined with, is gone, since there was no room any more where it had been,
 * or nobody knew how far it had come; its owner is told.
 */
MUST_CHECK int choose_move_joined(struct choose *c, struct entry *e,
				  struct backend *to);
/* The same to the first other one that takes it. ERR_STATE: there is none. */
MUST_CHECK int choose_move_on(struct choose *c, struct entry *e);
