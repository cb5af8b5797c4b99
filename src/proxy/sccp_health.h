/*
 * Is a call manager for Skinny phones there? Learned from connections to it, and
 * from questions (connections that are closed at once) while phones would rather
 * be there. One that comes and goes is believed later each time. One worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	SCCP_DOWN_MS = 30000,  /* not tried, where there is another one */
	SCCP_PROBE_MS = 10000, /* between questions */
	SCCP_FLAP_MS = 600000, /* down again so soon: it is not to be trusted */
	SCCP_HOLD_MAX = 16     /* times the hold-down, at most */
};

/* Zeroed: nothing is known, and it is tried. */
struct sccp_health {
	uint64_t down_until_ms; /* 0: it is not down */
	uint64_t up_ms;		/* since then it answers; 0 = not known to */
	uint64_t probed_ms;	/* asked last */
	uint32_t hold;		/* times the hold-down, less one */
};

/* It could not be reached. */
void sccp_health_down(struct sccp_health *h, uint64_t now_ms);
/* It could. */
void sccp_health_up(struct sccp_health *h, uint64_t now_ms);
/* Is it passed over? */
bool sccp_health_is_down(const struct sccp_health *h, uint64_t now_ms);
/* Has it been up for long enough, as often as it has gone down? */
bool sccp_health_is_settled(const struct sccp_health *h, uint32_t hold_down_s,
			    uint64_t now_ms);
/* Is it to be asked now? Then it counts as asked. */
bool sccp_health_ask(struct sccp_health *h, uint64_t now_ms);
