/*
 * Tuples into a configuration. Input: one tuple a line, fields separated by
 * tabs: section, label, and for an option name and value. Properties: no
 * message without a refusal or the other way round; and what is accepted is
 * printed as text that gives an equal configuration.
 */
#include <string.h>

#include "base/alloc.h"
#include "config/config.h"
#include "config/schema.h"
#include "fuzz/fuzz.h"

enum { TUPLES_MAX = 256, TEXT_MAX = 1 << 20 };

struct input {
	struct config_tuple item[TUPLES_MAX];
	size_t count;
	char *keep[2 * TUPLES_MAX]; /* section and option names */
	size_t keep_count;
};

struct text {
	char *buf; /* TEXT_MAX bytes */
	size_t len;
};

static const char *keep(struct input *in, struct slice s)
{
	char *p = alloc_copy(s);

	if (!p)
		abort();
	in->keep[in->keep_count++] = p;
	return p;
}

static void input_done(struct input *in)
{
	for (size_t i = 0; i < in->keep_count; i++)
		alloc_free(in->keep[i]);
}

/* The first field of *rest up to sep; *rest goes behind it. */
static struct slice field(struct slice *rest, uint8_t sep, bool *ret_more)
{
	const uint8_t *p = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
	size_t n = p ? (size_t)(p - rest->ptr) : rest->len;
	struct slice head = slice_sub(*rest, 0, n);

	*ret_more = p != NULL;
	*rest = slice_from(*rest, n + (p ? 1 : 0));
	return head;
}

static void read_input(struct slice all, struct input *in)
{
	bool more = true;

	while (more && in->count < TUPLES_MAX) {
		struct slice line = field(&all, '\n', &more);
		struct config_tuple *t = &in->item[in->count];
		bool has_label, has_name;

		*t = (struct config_tuple){.file = "fuzz",
					   .line = (uint32_t)in->count + 1};
		t->section = keep(in, field(&line, '\t', &has_label));
		t->label = field(&line, '\t', &has_name);
		if (has_name) {
			t->name = keep(in, field(&line, '\t', &has_name));
			t->value = line;
		}
		in->count++;
	}
}

/* ---- reading a print-back -------------------------------------------- */

static void emit(void *ctx, struct slice piece)
{
	struct text *t = ctx;

	fuzz_check(t->len + piece.len < TEXT_MAX);
	memcpy(t->buf + t->len, piece.ptr, piece.len);
	t->len += piece.len;
	t->buf[t->len] = '\0';
}

/* A quoted text is unescaped in place; *p ends behind it. */
static struct slice quoted(char **p)
{
	char *from = ++*p;
	char *to = from;

	for (; **p != '"'; (*p)++) {
		if (**p == '\\')
			(*p)++;
		fuzz_check(**p != '\0');
		*to++ = **p;
	}
	(*p)++;
	return slice_make(from, (size_t)(to - from));
}

static struct slice value(char **p)
{
	char *from = *p;

	if (**p == '"')
		return quoted(p);
	*p += strcspn(*p, " \n");
	return slice_make(from, (size_t)(*p - from));
}

static void add(struct input *out, struct config_tuple t)
{
	fuzz_check(out->count < TUPLES_MAX);
	t.file = "print";
	t.line = (uint32_t)out->count + 1;
	out->item[out->count++] = t;
}

/* NAME = VALUE, or NAME = { VALUE, VALUE } */
static void read_option(char *line, struct config_tuple t, struct input *out)
{
	char *p = strstr(line, " = ");

	fuzz_check(p != NULL);
	t.name = keep(out, slice_make(line, (size_t)(p - line)));
	p += 3;
	if (*p != '{') {
		t.value = value(&p);
		add(out, t);
		return;
	}
	while (*++p && *p != '}') {
		if (*p == ' ' || *p == ',')
			continue;
		t.value = value(&p);
		add(out, t);
		p--;
	}
}

/* Lines end at a newline outside quotes; values hold none. */
static void read_print(struct text *text, struct input *out)
{
	struct config_tuple section = {.section = ""};
	char *next;

	for (char *line = text->buf; *line; line = next) {
		char *end = strchr(line, '\n');
		size_t n;

		fuzz_check(end != NULL);
		*end = '\0';
		next = end + 1;
		n = strlen(line);
		if (n == 0)
			continue;
		if (line[0] == '}') {
			section = (struct config_tuple){.section = ""};
		} else if (line[0] != '\t' && line[n - 1] == '{' &&
			   !strstr(line, " = ")) {
			size_t len = strcspn(line, " ");
			char *label = line + len + 1;

			section.section = keep(out, slice_make(line, len));
			section.label =
				*label == '"' ? quoted(&label) : SLICE_NULL;
			section.name = NULL;
			add(out, section);
		} else {
			read_option(line[0] == '\t' ? line + 1 : line, section,
				    out);
		}
	}
}

/* ---------------------------------------------------------------------- */

static int build(const struct input *in, struct config **ret)
{
	struct config_report rep;
	int err;

	config_report_init(&rep);
	err = config_build(in->item, in->count, "/etc/sallyport", &rep, ret);
	fuzz_check((err == 0) == (rep.errors == 0));
	config_report_done(&rep);
	return err;
}

static void check_print(const struct config *c)
{
	struct text first = {alloc_zero(TEXT_MAX), 0};
	struct text copy = {alloc_zero(TEXT_MAX), 0};
	struct text second = {alloc_zero(TEXT_MAX), 0};
	struct input *again = alloc_zero(sizeof(*again));
	struct config *d = NULL;

	if (!first.buf || !copy.buf || !second.buf || !again)
		abort();
	config_print(c, emit, &first);
	emit(&copy, slice_make(first.buf, first.len));
	read_print(&copy, again);
	fuzz_check(build(again, &d) == 0);
	config_print(d, emit, &second);
	fuzz_check(first.len == second.len &&
		   memcmp(first.buf, second.buf, first.len) == 0);
	config_unref(d);
	input_done(again);
	alloc_free(again);
	alloc_free(first.buf);
	alloc_free(copy.buf);
	alloc_free(second.buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input *in = alloc_zero(sizeof(*in));
	struct config *c = NULL;

	if (!in)
		abort();
	read_input(slice_make(data, size), in);
	if (build(in, &c) == 0)
		check_print(c);
	config_unref(c);
	input_done(in);
	alloc_free(in);
	return 0;
}
