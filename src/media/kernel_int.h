/*
 * Inside of the kernel backend, for media/kernel*.c only: kernel.c does the
 * commands, kernel_events.c what comes from the module by itself.
 */
#pragma once

#include "base/handle.h"
#include "base/table.h"
#include "media/kernel.h"
#include "media/kernel_link.h"

enum { KERNEL_OUTBOX_MAX = 1024 /* events not yet taken */ };

/* epoll's data of what is no flow's socket. */
#define KERNEL_DATA_EVENTS UINT64_MAX
#define KERNEL_DATA_TIMER  (UINT64_MAX - 1)

/* A flow of the module. */
struct kernel_flow {
	uint64_t key[2]; /* owner, id */
	uint64_t peer_id;
	struct addr local;
	struct addr latched; /* last reported */
	uint64_t out_print;  /* of the key it sends under; 0: plain, borrowed */
	struct rtp_spent spent;
	uint32_t idle_ms;
	bool is_idle;	 /* reported */
	bool is_rolled;	 /* reported */
	uint8_t owed;	 /* bit per event kind: found no room in the outbox */
	bool is_waiting; /* of a predecessor, nobody has revived it */
	int fd[2];	 /* RTP, RTCP; -1 = closed */
	struct flow_stats base; /* counted elsewhere, before */
	struct handle handle;	/* in slots */
	struct table_node node; /* in by_key */
};

struct kernel_relay {
	struct media_backend base;
	struct media_kernel_params params;
	struct kernel_features features;
	struct kernel_link link;
	struct table by_key;
	struct slots slots;
	int epoll;
	int timer;	      /* when to renew the leases */
	uint64_t deadline_ms; /* what still waits then is removed */
	uint8_t leased[MEDIA_KERNEL_OWNERS / 8]; /* bit per owner */
	struct media_event outbox[KERNEL_OUTBOX_MAX];
	uint32_t out_head, out_count;
	bool owes;		       /* some flow does */
	struct kernel_answer taken[2]; /* op_take's, too long for a frame */
};

/* Owners here are small numbers; in the module the instance above them tells
 * them apart from those of other programs. */
uint64_t kernel_owner_out(const struct kernel_relay *r, uint64_t owner);
/* The other way; false: another program's. */
bool kernel_owner_in(const struct kernel_relay *r, uint64_t owner,
		     uint64_t *ret);
/* A flow, also one that waits; NULL when there is none. */
struct kernel_flow *kernel_find_any(const struct kernel_relay *r,
				    uint64_t owner, uint64_t id);
/* A flow that does not wait. */
struct kernel_flow *kernel_find(const struct kernel_relay *r, uint64_t owner,
				uint64_t id);
/* Log err of a command, but ERR_NOTFOUND, with the module's own text; returns
 * it. */
int kernel_told(struct kernel_relay *r, const char *what, int err);
/* Have r's descriptor readable when fd is. ERR_IO. */
MUST_CHECK int kernel_watch(struct kernel_relay *r, int fd, uint64_t data);
/* Remove f from the module, *ret (may be NULL) is its last word, and forget
 * it. */
void kernel_destroy(struct kernel_relay *r, struct kernel_flow *f,
		    struct kernel_answer *ret);
/* Have fn told of all flows in the module, whoever's. */
MUST_CHECK int kernel_dump(struct kernel_relay *r, kernel_link_fn fn);
/* Have owner's flows go by themselves when we are gone for long; once is enough
 * until they are renewed. */
void kernel_lease(struct kernel_relay *r, uint64_t owner);
/* Hand the packets that wait in f's sockets to the module. */
void kernel_hand_back(struct kernel_relay *r, struct kernel_flow *f);
/* Look once at what is readable: events into the outbox, packets back to the
 * module, leases renewed. */
void kernel_look(struct kernel_relay *r);
/* Put an event about f into the outbox, or have f owe it. */
void kernel_emit(struct kernel_relay *r, struct kernel_flow *f,
		 enum media_event_kind kind);
/* Put what is owed into the outbox, as far as it fits. O(flows) when something
 * is. */
void kernel_tell_owed(struct kernel_relay *r);
/* Monotonic. */
uint64_t kernel_now_ms(void);
