/*
 * The firewall rules that lead packets into the relay's queues, as text for
 * the tools that set them: nft, or iptables-restore where the kernel lacks
 * nftables' queue expression. They are ours alone: one table, or one chain with
 * one jump to it, under a name that tells whose it is. They come behind the
 * operator's own filter (nftables' priority 50, iptables' table "security"),
 * which so decides first. No bypass: without a reader nothing gets in. Pure
 * functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

struct queue_rules {
	const struct addr *addr; /* the relay's; port is ignored */
	uint32_t addr_count;
	uint16_t port_min; /* lowest and highest UDP port */
	uint16_t port_max;
	uint16_t first;	 /* number of the first queue */
	uint16_t queues; /* that follow each other; at least 1 */
	uint32_t pid;	 /* of who keeps the rules; part of their name */
};

enum {
	QUEUE_RULES_NAME_MAX = 32,  /* with its NUL; what tables may have */
	QUEUE_RULES_TEXT_MAX = 3072 /* bytes of text for 16 addresses */
};

/* "sallyport_5060_4711": the first queue's number and pid. */
void queue_rules_name(const struct queue_rules *r,
		      char ret[QUEUE_RULES_NAME_MAX]);
/* Is s such a name? Whose, and for which queue. */
bool queue_rules_name_parse(struct slice s, uint16_t *ret_first,
			    uint32_t *ret_pid);
/* Append what "nft -f" takes. */
void queue_rules_nft(struct writer *w, const struct queue_rules *r);
/* Append what "iptables-restore --noflush" takes, or for family ADDR_V6
 * ip6tables-restore; false: no address of that family, nothing is needed. */
bool queue_rules_iptables(struct writer *w, const struct queue_rules *r,
			  enum addr_family family);
/* The same, to take away again what has this name. */
void queue_rules_iptables_undo(struct writer *w, struct slice name);
