#include "config/build.h"

enum { DOC_COLUMNS = 76 };

struct doc {
	void (*emit)(void *ctx, struct slice piece);
	void *ctx;
};

static void put(const struct doc *d, const char *s)
{
	d->emit(d->ctx, slice_str(s));
}

static void put_dec(const struct doc *d, uint64_t v)
{
	char buf[24];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_dec(&w, v);
	d->emit(d->ctx, writer_slice(&w));
}

/* ---- the commented default file -------------------------------------- */

static void put_line(const struct doc *d, const char *indent, struct slice s)
{
	put(d, indent);
	put(d, "# ");
	d->emit(d->ctx, s);
	put(d, "\n");
}

/* text as comment lines of at most 76 columns. */
static void put_wrapped(const struct doc *d, const char *indent,
			const char *text)
{
	struct slice rest = slice_str(text);
	size_t width = DOC_COLUMNS - 8 * strlen(indent) - 2;

	while (rest.len > width) {
		size_t cut = width;

		while (cut > 0 && rest.ptr[cut] != ' ')
			cut--;
		if (cut == 0)
			cut = width;
		put_line(d, indent, slice_sub(rest, 0, cut));
		rest = slice_from(rest, cut + (rest.ptr[cut] == ' '));
	}
	if (rest.len > 0)
		put_line(d, indent, rest);
}

static void put_range(const struct doc *d, const struct config_option *o)
{
	if (o->type != CONFIG_TYPE_UINT)
		return;
	put_dec(d, o->min);
	put(d, " to ");
	put_dec(d, o->max);
	if (o->unit) {
		put(d, " ");
		put(d, o->unit);
	}
}

static bool is_quoted(const struct config_option *o)
{
	switch (o->type) {
	case CONFIG_TYPE_TEXT:
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_KEY:
	case CONFIG_TYPE_CHOICE:
	case CONFIG_TYPE_ENDPOINT:
	case CONFIG_TYPE_REMOTE:
	case CONFIG_TYPE_ADDR:
	case CONFIG_TYPE_ADDRPORT:
		return true;
	case CONFIG_TYPE_BOOL:
	case CONFIG_TYPE_UINT:
	case CONFIG_TYPE_WORD:
	case CONFIG_TYPE_PORTS:
	case CONFIG_TYPE_NAMES:
	case CONFIG_TYPE_TEXTS:
	case CONFIG_TYPE_RULES:
	case CONFIG_TYPE_WORDS:
	case CONFIG_TYPE_SUITES:
	case CONFIG_TYPE_DIGESTS:
		return false;
	}
	return false;
}

static void put_value(const struct doc *d, const struct config_option *o,
		      const char *value)
{
	if (is_quoted(o))
		config_quote_print(slice_str(value), d->emit, d->ctx);
	else
		put(d, value[0] ? value : "{ }");
}

static void default_option(const struct doc *d, const struct config_section *s,
			   const char *indent, const struct config_option *o)
{
	/* What has an example is part of a working file, the rest a choice. */
	bool is_active = o->example && o->example[0];

	put(d, "\n");
	put_wrapped(d, indent, o->text);
	if (o->type == CONFIG_TYPE_UINT) {
		put(d, indent);
		put(d, "# ");
		put_range(d, o);
		put(d, "\n");
	}
	put(d, indent);
	put(d, is_active && !s->is_example ? "" : "#");
	put(d, o->name);
	put(d, " = ");
	put_value(d, o, is_active ? o->example : o->value);
	put(d, "\n");
}

static void default_section(const struct doc *d, const struct config_section *s)
{
	const char *indent = s->name[0] ? "\t" : "";

	put(d, "\n");
	put_wrapped(d, "", s->text);
	if (s->name[0]) {
		put(d, s->is_example ? "#" : "");
		put(d, s->name);
		put(d, " ");
		if (s->label)
			config_quote_print(slice_str(s->label), d->emit,
					   d->ctx);
		put(d, s->label ? " {" : "{");
	}
	for (uint32_t i = 0; i < s->count; i++)
		default_option(d, s, indent, &s->option[i]);
	put(d, s->is_example ? "#" : "");
	put(d, s->name[0] ? "}\n" : "");
}

void config_doc_default(void (*emit)(void *ctx, struct slice piece), void *ctx)
{
	struct doc d = {emit, ctx};

	put(&d, "# Sallyport's configuration; see sallyport.conf(5).\n"
		"# Lines that begin with # and no blank show the defaults.\n"
		"# Check this file with: sallyportd -n\n"
		"# Files conf.d/*.conf beside this one are read too, in the "
		"order of their names.\n");
	for (size_t i = 0; i < CONFIG_SECTIONS; i++)
		default_section(&d, &config_schema[i]);
}

/* ---- the manual page's tables ---------------------------------------- */

/* - as a minus sign one can copy; a line must not begin with . or '. */
static void put_roff(const struct doc *d, const char *s)
{
	for (const char *p = s; *p; p++) {
		if (*p == '-')
			put(d, "\\-");
		else if (*p == '\\')
			put(d, "\\e");
		else
			d->emit(d->ctx, slice_make(p, 1));
	}
}

static void man_words(const struct doc *d, const struct config_option *o)
{
	for (size_t i = 0; o->words[i]; i++) {
		if (i > 0)
			put(d, o->words[i + 1] ? ", " : " or ");
		put_roff(d, o->words[i]);
	}
}

static void man_kind(const struct doc *d, const struct config_option *o)
{
	switch (o->type) {
	case CONFIG_TYPE_TEXT:
		put(d, "text");
		break;
	case CONFIG_TYPE_NAME:
		put(d, "name");
		break;
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_KEY:
		put(d, "path");
		break;
	case CONFIG_TYPE_BOOL:
		put(d, "yes or no");
		break;
	case CONFIG_TYPE_UINT:
		put_range(d, o);
		break;
	case CONFIG_TYPE_WORD:
	case CONFIG_TYPE_CHOICE:
		man_words(d, o);
		break;
	case CONFIG_TYPE_ENDPOINT:
		put(d, "transport:address:port");
		break;
	case CONFIG_TYPE_REMOTE:
		put(d, o->words ? "transport:host:port" : "host:port");
		break;
	case CONFIG_TYPE_ADDR:
		put(d, "address");
		break;
	case CONFIG_TYPE_ADDRPORT:
		put(d, "address:port");
		break;
	case CONFIG_TYPE_PORTS:
		put(d, "first\\-last");
		break;
	case CONFIG_TYPE_NAMES:
		put(d, "list of names");
		break;
	case CONFIG_TYPE_TEXTS:
		put(d, "list of texts");
		break;
	case CONFIG_TYPE_RULES:
		put(d, "list of rules");
		break;
	case CONFIG_TYPE_WORDS:
		put(d, "list of ");
		man_words(d, o);
		break;
	case CONFIG_TYPE_SUITES:
		put(d, "list of suites");
		break;
	case CONFIG_TYPE_DIGESTS:
		put(d, "list of algorithms");
		break;
	}
}

static void man_option(const struct doc *d, const struct config_option *o)
{
	put(d, ".TP\n.B ");
	put_roff(d, o->name);
	put(d, "\n");
	put_roff(d, o->text);
	put(d, "\n.br\n(");
	man_kind(d, o);
	if (!o->value) {
		put(d, "; must be given)\n");
		return;
	}
	put(d, "; default: ");
	put_roff(d, o->value[0] ? o->value : "empty");
	put(d, ")\n");
}

void config_doc_man(void (*emit)(void *ctx, struct slice piece), void *ctx)
{
	struct doc d = {emit, ctx};

	for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];

		put(&d, ".SS ");
		put(&d, s->name[0] ? "Section " : "Outside of any section");
		put_roff(&d, s->name);
		put(&d, s->label ? " \\(dqname\\(dq\n" : "\n");
		put_roff(&d, s->text);
		put(&d, "\n");
		for (uint32_t k = 0; k < s->count; k++)
			man_option(&d, &s->option[k]);
	}
}
