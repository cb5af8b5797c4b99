#include "proxy/sccp_health.h"

void sccp_health_down(struct sccp_health *h, uint64_t now_ms)
{
	if (h->up_ms != 0 && now_ms - h->up_ms >= SCCP_FLAP_MS)
		h->hold = 0;
	else if (h->up_ms != 0 && h->hold < SCCP_HOLD_MAX - 1)
		h->hold = h->hold * 2 + 1;
	h->up_ms = 0;
	h->down_until_ms = now_ms + SCCP_DOWN_MS;
}

void sccp_health_up(struct sccp_health *h, uint64_t now_ms)
{
	h->down_until_ms = 0;
	if (h->up_ms == 0)
		h->up_ms = now_ms;
}

bool sccp_health_is_down(const struct sccp_health *h, uint64_t now_ms)
{
	return h->down_until_ms > now_ms;
}

bool sccp_health_is_settled(const struct sccp_health *h, uint32_t hold_down_s,
			    uint64_t now_ms)
{
	uint64_t hold_ms = (uint64_t)hold_down_s * 1000 * (h->hold + 1u);

	return h->up_ms != 0 && now_ms - h->up_ms >= hold_ms;
}

bool sccp_health_ask(struct sccp_health *h, uint64_t now_ms)
{
	if (sccp_health_is_down(h, now_ms) ||
	    now_ms - h->probed_ms < SCCP_PROBE_MS)
		return false;
	h->probed_ms = now_ms;
	return true;
}
