/*
 * A phone whose address changed belongs to another worker now. That one tells
 * its siblings, and who has the phone's older binding ends it: otherwise the
 * call manager would ring a phone where it is no more until that registration
 * expires. Of a Skinny phone a worker that died may have left streams, which end
 * like this. Monotonic time is the same for all workers of a machine, so of two
 * that tell each other the later one wins.
 */
#include "b2bua/sccp.h"

#include "base/reader.h"

enum { TOLD_MAX = 2048 };

/* text: device, AOR, Contact, instance. */
static void tell(struct calls *c, uint64_t accept_ms, const char *const text[4])
{
	uint8_t buf[TOLD_MAX];
	struct writer w;

	if (!c->p.has_siblings)
		return;
	writer_init(&w, buf, sizeof(buf));
	writer_u64be(&w, accept_ms);
	for (int i = 0; i < 4; i++)
		writer_blob(&w, slice_str(text[i]));
	if (writer_ok(&w))
		calls_emit(c, &(struct action){.kind = ACTION_ARRIVED,
					       .bytes = writer_slice(&w)});
}

void arrive_tell(struct calls *c, const struct binding *b)
{
	tell(c, b->accept_ms,
	     (const char *const[]){b->line->device, b->line->aor, b->contact,
				   b->instance});
}

/* A Skinny phone has no line: its message names none. */
void arrive_tell_sccp(struct calls *c, const char *name)
{
	tell(c, c->now_ms, (const char *const[]){name, "", "", ""});
}

void arrive_told(struct calls *c, struct slice bytes)
{
	struct reader r;
	struct slice device;
	struct slice aor;
	struct slice contact;
	struct slice instance;
	uint64_t accept_ms;
	struct line *l;

	reader_init(&r, bytes);
	accept_ms = reader_u64be(&r);
	device = reader_blob(&r);
	aor = reader_blob(&r);
	contact = reader_blob(&r);
	instance = reader_blob(&r);
	if (!reader_end(&r))
		return;
	if (aor.len == 0) {
		sccp_left(c, device);
		return;
	}
	l = line_find(c, aor, device);
	if (l)
		reg_replace(c, l,
			    &(struct reg_same){.contact = contact,
					       .instance = instance,
					       .accept_ms = accept_ms});
}
