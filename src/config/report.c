#include "base/alloc.h"
#include "base/hex.h"
#include "base/writer.h"
#include "config/config.h"

enum { MESSAGE_MAX = 1024 };

void config_report_init(struct config_report *rep)
{
	*rep = (struct config_report){0};
}

void config_report_done(struct config_report *rep)
{
	while (rep->first) {
		struct config_message *m = rep->first;

		rep->first = m->next;
		alloc_free(m);
	}
	config_report_init(rep);
}

/* Values come from the file: they must not write terminal sequences. */
static void put_escaped(struct writer *w, struct slice s)
{
	for (size_t i = 0; i < s.len && w->cap - w->len > 8; i++) {
		uint8_t c = s.ptr[i];

		if (c >= 0x20 && c != 0x7f) {
			writer_u8(w, c);
			continue;
		}
		writer_str(w, "\\x");
		hex_encode(w, slice_make(&c, 1));
	}
}

void config_report_add(struct config_report *rep, bool is_error,
		       const char *file, uint32_t line, struct slice text)
{
	char buf[MESSAGE_MAX];
	struct config_message *m;
	struct writer w;

	if (is_error)
		rep->errors++;
	else
		rep->warnings++;
	if (rep->errors + rep->warnings > CONFIG_MESSAGES_MAX)
		return;
	writer_init(&w, buf, sizeof(buf));
	put_escaped(&w, slice_str(file));
	if (line > 0) {
		writer_str(&w, ":");
		writer_dec(&w, line);
	}
	writer_str(&w, ": ");
	put_escaped(&w, text);
	m = alloc_zero(sizeof(*m) + w.len + 1);
	if (!m)
		return;
	memcpy(m + 1, buf, w.len);
	m->text = (const char *)(m + 1);
	m->is_error = is_error;
	if (rep->last)
		rep->last->next = m;
	else
		rep->first = m;
	rep->last = m;
}
