/*
 * The netlink sockets towards nf_srtp: one for commands, which are answered
 * before the call returns, one for events. Belongs to one thread.
 */
#pragma once

#include <stdint.h>

#include "media/kernel_msg.h"

struct kernel_link {
	struct mnl_socket *commands;
	struct mnl_socket *events;
	uint16_t family;
	uint32_t seq;
	uint8_t out[KERNEL_MSG_MAX]; /* for the next request; wiped when sent */
	uint8_t in[2 * KERNEL_MSG_MAX]; /* two flows may go at once */
	char why[MEDIA_WHY_MAX]; /* what the module said to the last refusal */
};

/* Called for each of several messages. */
typedef void (*kernel_link_fn)(void *arg, const struct kernel_answer *a);

/*
 * Open both and find the module, which the kernel may load for it. reterr
 * (MEDIA_WHY_MAX bytes): why not. ERR_NOTFOUND: no module. ERR_DENIED: not
 * ours to command. ERR_IO.
 */
MUST_CHECK int kernel_link_open(struct kernel_link *l, char *reterr);
/* Close; l may be all zero. */
void kernel_link_close(struct kernel_link *l);
/*
 * Send the request h, which was made in l->out, and wait for its answer; *ret
 * (may be NULL) is all zero when it has none. The module's refusal as an error:
 * ERR_NOTFOUND, ERR_EXISTS, ERR_LIMIT, ERR_NOMEM, ERR_UNSUPPORTED, ERR_BAD,
 * ERR_DENIED, ERR_IO; its text is in l->why.
 */
MUST_CHECK int kernel_link_do(struct kernel_link *l, struct nlmsghdr *h,
			      struct kernel_answer *ret);
/* The same for a dump, or whatever has several answers: fn for each. */
MUST_CHECK int kernel_link_dump(struct kernel_link *l, struct nlmsghdr *h,
				kernel_link_fn fn, void *arg);
/* Readable when there are events. */
int kernel_link_event_fd(const struct kernel_link *l);
/* Take the oldest event. ERR_AGAIN: there is none. ERR_LIMIT: some were lost. */
MUST_CHECK int kernel_link_event(struct kernel_link *l,
				 struct kernel_answer *ret);
