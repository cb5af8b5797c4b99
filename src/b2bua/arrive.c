/*
 * A phone whose address changed belongs to another worker now. That one tells
 * its siblings, and who has the phone's older binding ends it: otherwise the
 * call manager would ring a phone where it is no more until that registration
 * expires. Monotonic time is the same for all workers of a machine, so of two
 * that tell each other the later one wins.
 */
#include "b2bua/machine.h"

#include "base/reader.h"

enum { TOLD_MAX = 2048 };

void arrive_tell(struct calls *c, const struct binding *b)
{
	uint8_t buf[TOLD_MAX];
	struct writer w;

	if (!c->p.has_siblings)
		return;
	writer_init(&w, buf, sizeof(buf));
	writer_u64be(&w, b->accept_ms);
	writer_blob(&w, slice_str(b->line->device));
	writer_blob(&w, slice_str(b->line->aor));
	writer_blob(&w, slice_str(b->contact));
	writer_blob(&w, slice_str(b->instance));
	if (writer_ok(&w))
		calls_emit(c, &(struct action){.kind = ACTION_ARRIVED,
					       .bytes = writer_slice(&w)});
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
	l = line_find(c, aor, device);
	if (l)
		reg_replace(c, l,
			    &(struct reg_same){.contact = contact,
					       .instance = instance,
					       .accept_ms = accept_ms});
}
