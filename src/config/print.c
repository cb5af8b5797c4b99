#include "config/build.h"

typedef void (*emit_fn)(void *ctx, struct slice piece);

static void put(emit_fn emit, void *ctx, const char *s)
{
	emit(ctx, slice_str(s));
}

void config_quote_print(struct slice s, emit_fn emit, void *ctx)
{
	size_t from = 0;

	put(emit, ctx, "\"");
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		/* "${" would be a variable. */
		if (c != '"' && c != '\\' && c != '$')
			continue;
		emit(ctx, slice_sub(s, from, i - from));
		put(emit, ctx, "\\");
		from = i;
	}
	emit(ctx, slice_from(s, from));
	put(emit, ctx, "\"");
}

static void print_string(const void *at, emit_fn emit, void *ctx)
{
	const char *p;

	memcpy(&p, at, sizeof(p));
	config_quote_print(slice_str(p), emit, ctx);
}

static void print_word(const struct config_option *o, const void *at,
		       emit_fn emit, void *ctx)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	put(emit, ctx, o->words[v]);
}

static void print_uint(const void *at, emit_fn emit, void *ctx)
{
	char buf[16];
	struct writer w;
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	writer_init(&w, buf, sizeof(buf));
	writer_dec(&w, v);
	emit(ctx, writer_slice(&w));
}

static void print_addr(const struct config_option *o, const void *at,
		       emit_fn emit, void *ctx)
{
	char buf[ADDR_STR_MAX + 8];
	struct config_endpoint e = {0};
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	if (o->type == CONFIG_TYPE_ENDPOINT) {
		memcpy(&e, at, sizeof(e));
		writer_str(&w, o->words[e.transport]);
		writer_str(&w, ":");
	} else {
		memcpy(&e.addr, at, sizeof(e.addr));
	}
	if (o->type == CONFIG_TYPE_ADDR)
		addr_print_ip(&w, &e.addr);
	else
		addr_print(&w, &e.addr);
	config_quote_print(writer_slice(&w), emit, ctx);
}

static void print_ports(const void *at, emit_fn emit, void *ctx)
{
	char buf[16];
	struct config_ports p;
	struct writer w;

	memcpy(&p, at, sizeof(p));
	writer_init(&w, buf, sizeof(buf));
	writer_dec(&w, p.min);
	writer_str(&w, "-");
	writer_dec(&w, p.max);
	emit(ctx, writer_slice(&w));
}

static void print_names(const void *at, emit_fn emit, void *ctx)
{
	struct config_strings l;

	memcpy(&l, at, sizeof(l));
	put(emit, ctx, "{");
	for (uint32_t i = 0; i < l.count; i++) {
		put(emit, ctx, i > 0 ? ", " : " ");
		config_quote_print(slice_str(l.item[i]), emit, ctx);
	}
	put(emit, ctx, " }");
}

static void print_suites(const void *at, emit_fn emit, void *ctx)
{
	struct config_suites l;

	memcpy(&l, at, sizeof(l));
	put(emit, ctx, "{");
	for (uint32_t i = 0; i < l.count; i++) {
		put(emit, ctx, i > 0 ? ", \"" : " \"");
		put(emit, ctx, suite_info(l.item[i])->name);
		put(emit, ctx, "\"");
	}
	put(emit, ctx, " }");
}

void config_value_print(const struct config_option *o, const void *obj,
			emit_fn emit, void *ctx)
{
	const void *at = (const uint8_t *)obj + o->offset;
	bool is_on;

	switch (o->type) {
	case CONFIG_TYPE_TEXT:
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_KEY:
	case CONFIG_TYPE_CHOICE:
		print_string(at, emit, ctx);
		break;
	case CONFIG_TYPE_BOOL:
		memcpy(&is_on, at, sizeof(is_on));
		put(emit, ctx, is_on ? "yes" : "no");
		break;
	case CONFIG_TYPE_UINT:
		print_uint(at, emit, ctx);
		break;
	case CONFIG_TYPE_WORD:
		print_word(o, at, emit, ctx);
		break;
	case CONFIG_TYPE_ENDPOINT:
	case CONFIG_TYPE_ADDR:
	case CONFIG_TYPE_ADDRPORT:
		print_addr(o, at, emit, ctx);
		break;
	case CONFIG_TYPE_PORTS:
		print_ports(at, emit, ctx);
		break;
	case CONFIG_TYPE_NAMES:
		print_names(at, emit, ctx);
		break;
	case CONFIG_TYPE_SUITES:
		print_suites(at, emit, ctx);
		break;
	}
}

static void print_options(const struct config_section *s, const void *obj,
			  const char *indent, emit_fn emit, void *ctx)
{
	for (uint32_t i = 0; i < s->count; i++) {
		put(emit, ctx, indent);
		put(emit, ctx, s->option[i].name);
		put(emit, ctx, " = ");
		config_value_print(&s->option[i], obj, emit, ctx);
		put(emit, ctx, "\n");
	}
}

static void print_section(const struct config_section *s, const void *obj,
			  emit_fn emit, void *ctx)
{
	const char *name;

	put(emit, ctx, "\n");
	put(emit, ctx, s->name);
	put(emit, ctx, " ");
	if (s->label) {
		memcpy(&name, obj, sizeof(name)); /* first member */
		config_quote_print(slice_str(name), emit, ctx);
		put(emit, ctx, " ");
	}
	put(emit, ctx, "{\n");
	print_options(s, obj, "\t", emit, ctx);
	put(emit, ctx, "}\n");
}

/* Pieces are small: they are gathered, since emit may be a system call. */
struct sink {
	emit_fn emit;
	void *ctx;
	size_t len;
	uint8_t buf[2048];
};

static void sink_flush(struct sink *k)
{
	if (k->len > 0)
		k->emit(k->ctx, slice_make(k->buf, k->len));
	k->len = 0;
}

static void sink_emit(void *ctx, struct slice piece)
{
	struct sink *k = ctx;

	while (piece.len > 0) {
		size_t room = sizeof(k->buf) - k->len;
		size_t n = piece.len < room ? piece.len : room;

		memcpy(k->buf + k->len, piece.ptr, n);
		k->len += n;
		piece = slice_from(piece, n);
		if (k->len == sizeof(k->buf))
			sink_flush(k);
	}
}

void config_print(const struct config *c, emit_fn emit, void *ctx)
{
	const uint8_t *base = (const uint8_t *)c;
	struct sink k = {.emit = emit, .ctx = ctx};

	print_options(&config_schema[0], c, "", sink_emit, &k);
	for (size_t i = 1; i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];
		const uint8_t *array;
		uint32_t count;

		if (!s->label) {
			print_section(s, base + s->offset, sink_emit, &k);
			continue;
		}
		memcpy(&array, base + s->offset, sizeof(array));
		memcpy(&count, base + s->count_offset, sizeof(count));
		for (uint32_t n = 0; n < count; n++)
			print_section(s, array + n * s->size, sink_emit, &k);
	}
	sink_flush(&k);
}
