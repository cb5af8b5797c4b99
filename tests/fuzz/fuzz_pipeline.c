/*
 * The whole of a worker but sockets: bytes through the framer into the
 * pipeline, with the real call machine and egress. The input is a play: a
 * byte says who speaks or what happens, the bytes to the next 0xff are what
 * he says. Nothing may leave but to the peers there are: an answer over UDP to
 * the address the request came from (the port is the sender's to choose), a
 * request to the call manager or to a phone's connection.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "sip/frame.h"
#include "unit/proxy/world.h"

enum { STEPS_MAX = 200, STEP_MS = 700, SIP_BYTES_MAX = 20000 };

static void check_dest(struct world *w, const struct dest *to)
{
	if (handle_eq(to->ep, w->phone.ep))
		fuzz_check(dest_eq(to, &w->phone.dest) && to->is_reliable);
	else if (handle_eq(to->ep, w->udp.ep))
		fuzz_check(addr_ip_eq(&to->peer, &w->udp.peer));
	else
		fuzz_check(handle_eq(to->ep, w->core.ep) &&
			   addr_ip_eq(&to->peer, &w->core.peer));
}

/* len bytes of a stream, cut into messages. */
static void stream(struct world *w, const uint8_t *data, size_t len)
{
	static uint8_t buf[SIP_BYTES_MAX];
	size_t scanned = 0;
	size_t off = 0;

	if (len > sizeof(buf))
		return;
	memcpy(buf, data, len);
	while (off < len) {
		const char *why = NULL;
		struct sip_frame f;

		if (sip_frame_stream(buf + off, len - off, &scanned, &f,
				     &why) != 0)
			return;
		if (f.kind == SIP_FRAME_MSG)
			pipeline_run(
				w->pipeline,
				&(struct pipeline_in){
					.bytes = slice_make(buf + off, f.len),
					.from = &w->phone.dest,
					.side = SIDE_PHONE,
					.conn = &w->phone},
				w->now);
		off += f.len;
		scanned = 0;
	}
}

static void datagram(struct world *w, const struct dest *from, enum side side,
		     struct slice bytes)
{
	struct sip_frame f;

	if (sip_frame_datagram(bytes.ptr, bytes.len, &f, NULL) == 0 &&
	    f.kind == SIP_FRAME_MSG)
		pipeline_run(w->pipeline,
			     &(struct pipeline_in){
				     .bytes = slice_sub(bytes, 0, f.len),
				     .from = from,
				     .side = side,
				     .listener = from->ep.index},
			     w->now);
}

static const char sdp[] = "v=0\no=- 1 1 IN IP4 10.0.0.3\ns=-\n"
			  "c=IN IP4 10.0.0.3\nt=0 0\n"
			  "m=audio 4000 RTP/AVP 0\n";

static void play(struct world *w, uint8_t what, struct slice bytes)
{
	switch (what % 12) {
	case 0:
		stream(w, bytes.ptr, bytes.len);
		break;
	case 1:
		datagram(w, &w->udp, SIDE_PHONE, bytes);
		break;
	case 2:
		datagram(w, &w->core, SIDE_CORE, bytes);
		break;
	case 3:
		world_pass(w, w->now + STEP_MS);
		break;
	case 4:
		world_pass(w, w->now + 60000);
		break;
	case 5:
		world_settle(w);
		break;
	case 6:
		world_store(w, ERR_NOTFOUND);
		break;
	case 7:
		/* As if every password were right. */
		world_store(w, 0);
		world_keys(w, 0);
		break;
	case 8:
		world_media(w, what < 128 ? 0 : ERR_LIMIT);
		break;
	case 9:
		world_answer(w, "180 Ringing", "");
		break;
	case 10:
		world_answer(w, what < 128 ? "200 OK" : "503 Busy", sdp);
		break;
	default:
		pipeline_conn_down(w->pipeline, w->phone.ep, w->now);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;

	world_init(&w);
	w.on_send = check_dest;
	for (int i = 0; i < STEPS_MAX && size > 0; i++) {
		const uint8_t *end = memchr(data + 1, 0xff, size - 1);
		size_t len = end ? (size_t)(end - data) : size;

		play(&w, data[0], slice_make(data + 1, len - 1));
		world_media(&w, 0);
		len += end ? 1 : 0;
		data += len;
		size -= len;
	}
	world_pass(&w, w.now + 400000);
	world_done(&w);
	return 0;
}
