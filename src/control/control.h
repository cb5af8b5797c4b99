/*
 * Command server on a Unix socket, owned by the monitor. The daemon gives one
 * handler per command; a handler answers at once or later, by token, so that
 * it can ask workers, store and keys over their channels first. One request
 * per connection. Slow, silent or oversized clients are closed by a deadline.
 */
#pragma once

#include <sys/types.h>

#include "control/command.h"

struct control;
struct loop;

enum {
	CONTROL_CLIENTS_MAX = 16, /* connections at once */
	CONTROL_IDLE_MS = 5000,	  /* to send a request, or take an answer */
	CONTROL_ANSWER_MS = 15000 /* for handlers to answer */
};

/* args belongs to the server and is wiped when the handler returns. token
 * names the request; answer it exactly once. */
typedef void (*control_fn)(void *ctx, uint64_t token, const json_t *args);

struct control_params {
	struct loop *loop;
	const char *path; /* of the socket; an old one is replaced */
	gid_t gid;	  /* group that may connect; (gid_t)-1 = root only */
	control_fn handler[CONTROL_COMMANDS]; /* NULL: "not available" */
	void *ctx;			      /* for the handlers */
};

/* Listen. ERR_EXISTS when another daemon answers on path, ERR_IO with errno.
 * Owner: the caller, until control_free. */
MUST_CHECK int control_new(const struct control_params *p,
			   struct control **ret_control);
/* Close all connections and remove the socket; c may be NULL. Returns NULL. */
struct control *control_free(struct control *c);
/* The descriptor that came with a request, or -1; the caller's from now on. */
int control_take_fd(struct control *c, uint64_t token);
/* Answer with a result, whose reference is taken (also on failure). A token
 * whose client has gone is ignored. */
void control_reply(struct control *c, uint64_t token, json_t *result);
/* Answer with an error for the operator to read. printf-like. */
void control_fail(struct control *c, uint64_t token, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a text of any length; its lines may be several. */
void control_fail_text(struct control *c, uint64_t token, const char *text);
/*
 * Add the rows of a JSON array in text, as a worker sent it, to the answer;
 * the last call sends it. ERR_BAD when text is no array or the answer grew
 * over CONTROL_REPLY_MAX; the client has then got an error.
 */
int control_reply_rows(struct control *c, uint64_t token, struct slice text,
		       bool is_last);

/*
 * The client side (sallyportctl): one request, one answer, blocking.
 * ERR_NOTFOUND when nothing listens at path, ERR_DENIED without permission,
 * passed goes along unless it is -1, and stays the caller's.
 * ERR_TIMEOUT, ERR_BAD for an answer that is none, ERR_IO. args may be NULL
 * and stays the caller's. *ret_answer is the caller's to json_decref.
 */
MUST_CHECK int control_call_fd(const char *path, enum control_id id,
			       const json_t *args, int passed, int timeout_ms,
			       json_t **ret_answer);
/* The same without a descriptor for the daemon. */
MUST_CHECK int control_call(const char *path, enum control_id id,
			    const json_t *args, int timeout_ms,
			    json_t **ret_answer);
