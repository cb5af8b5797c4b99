/*
 * Does IPsec protect what goes to an address and comes from it? Asked of the
 * kernel's policies and states as they were last read (RFC 4301: the security
 * policy and association databases); nothing is asked here.
 *
 * Protected means encrypted both ways: the policy that the kernel would take
 * for such a packet demands ESP, and a live ESP state with a real cipher is
 * there to fulfil it. AH alone shows the keys that travel over it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/writer.h"

enum {
	IPSEC_POLICIES_MAX = 16384, /* that are looked at */
	IPSEC_STATES_MAX = 32768
};

enum ipsec_dir { IPSEC_IN, IPSEC_OUT };

/* One end of a selector. */
struct ipsec_net {
	struct addr addr;	  /* family NONE: any */
	unsigned bits;		  /* of the prefix */
	uint16_t port, port_mask; /* mask 0: any port */
};

struct ipsec_policy {
	enum ipsec_dir dir;
	struct ipsec_net src, dst;
	uint8_t proto;	   /* of the packet; 0: any */
	uint32_t priority; /* the lowest is asked first */
	uint32_t index;	  /* of two equal ones the kernel's older comes first */
	bool is_block;	  /* discards */
	bool has_esp;	  /* demands ESP; false: passes in clear, or AH only */
	bool is_optional; /* ... or does without */
	bool is_tunnel;
	uint32_t reqid; /* of the states that fulfil it; 0: any */
	struct addr tunnel_src, tunnel_dst; /* family NONE: the packet's own */
};

struct ipsec_state {
	struct addr src, dst;
	bool is_esp, is_tunnel;
	bool is_encrypted; /* it has a cipher, not the null one */
	bool is_dead;	   /* acquired only, or its time is over */
	uint32_t reqid;
};

/* What the kernel has. The caller's memory. */
struct ipsec_view {
	const struct ipsec_policy *policy;
	size_t policy_count;
	const struct ipsec_state *state;
	size_t state_count;
	bool is_known; /* false: it could not be read */
};

/* Packets to judge: between these two, seen from us. Ports 0 and proto 0 ask
 * about all of them. */
struct ipsec_flow {
	struct addr local; /* family NONE: whatever the policy says */
	struct addr peer;
	uint8_t proto;
	uint16_t local_port, peer_port;
};

enum ipsec_verdict {
	IPSEC_PROTECTED,
	IPSEC_UNKNOWN,	     /* the kernel was not read yet, or refuses */
	IPSEC_NO_POLICY_OUT, /* nothing demands ESP towards it */
	IPSEC_NO_POLICY_IN,
	IPSEC_NO_STATE_OUT, /* the policy stands, no key is agreed */
	IPSEC_NO_STATE_IN,
	IPSEC_VERDICTS /* count */
};

/* Judge f. O(policies + states). */
enum ipsec_verdict ipsec_judge(const struct ipsec_view *v,
			       const struct ipsec_flow *f);
/* What is missing, for people: "no policy demands ESP towards it". Static. */
const char *ipsec_verdict_str(enum ipsec_verdict v);
