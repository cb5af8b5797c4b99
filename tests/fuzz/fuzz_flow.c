/* Messages of the media channel and the flows in them: what is read is written
 * as the same bytes again. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "media/wire.h"

static uint8_t buf[MEDIA_WIRE_MAX];

static void check_request(struct slice s)
{
	static struct media_request rq;
	struct writer w;

	if (media_wire_read_request(s, &rq))
		return;
	writer_init(&w, buf, sizeof(buf));
	switch (rq.op) {
	case MEDIA_OP_ADD:
		media_wire_add(&w, rq.req, rq.flow, rq.flow_count);
		break;
	case MEDIA_OP_UPDATE:
		media_wire_update(&w, rq.req, rq.flow);
		break;
	case MEDIA_OP_DEL:
		media_wire_del(&w, rq.req, rq.id[0]);
		break;
	case MEDIA_OP_QUERY:
		media_wire_query(&w, rq.req, rq.id[0]);
		break;
	case MEDIA_OP_FLUSH:
		media_wire_flush(&w, rq.req);
		break;
	case MEDIA_OP_DISOWN:
		media_wire_disown(&w, rq.req);
		break;
	case MEDIA_OP_CLAIM:
		media_wire_claim(&w, rq.req, rq.flow);
		break;
	case MEDIA_OP_SWEEP:
		media_wire_sweep(&w, rq.req);
		break;
	case MEDIA_OP_STATS:
		media_wire_stats(&w, rq.req, rq.id, rq.id_count);
		break;
	}
	fuzz_check(writer_ok(&w) && slice_eq(writer_slice(&w), s));
	media_request_wipe(&rq);
}

static void check_reply(struct slice s)
{
	static struct media_reply r;
	struct writer w;

	if (media_wire_read_reply(s, &r))
		return;
	writer_init(&w, buf, sizeof(buf));
	if (r.is_event) {
		/* Fields that an event does not have are not repeated. */
		media_wire_event(&w, &r.event);
		fuzz_check(writer_ok(&w) && buf[1] == s.ptr[1]);
		media_reply_wipe(&r);
		return;
	}
	media_wire_answer(&w, r.req, r.err, r.stats, r.stats_count);
	fuzz_check(writer_ok(&w) && slice_eq(writer_slice(&w), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_make(data, size);

	check_request(s);
	check_reply(s);
	return 0;
}
