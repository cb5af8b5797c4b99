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

static bool has_item(const struct config_option *o, const void *at, uint32_t n)
{
	struct config_strings names;
	struct config_suites suites;
	struct config_digests digests;
	struct config_words words;

	if (o->type == CONFIG_TYPE_DIGESTS) {
		memcpy(&digests, at, sizeof(digests));
		return n < digests.count;
	}
	if (o->type == CONFIG_TYPE_WORDS) {
		memcpy(&words, at, sizeof(words));
		return n < words.count;
	}
	if (o->type == CONFIG_TYPE_NAMES || o->type == CONFIG_TYPE_TEXTS ||
	    o->type == CONFIG_TYPE_RULES) {
		memcpy(&names, at, sizeof(names));
		return n < names.count;
	}
	if (o->type == CONFIG_TYPE_SUITES) {
		memcpy(&suites, at, sizeof(suites));
		return n < suites.count;
	}
	return n == 0;
}

static const char *string_of(const void *at)
{
	const char *p;

	memcpy(&p, at, sizeof(p));
	return p;
}

static uint32_t number_of(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static const char *item_of(const struct config_option *o, const void *at,
			   uint32_t n)
{
	struct config_strings names;
	struct config_suites suites;
	struct config_digests digests;
	struct config_words words;

	if (o->type == CONFIG_TYPE_DIGESTS) {
		memcpy(&digests, at, sizeof(digests));
		return digest_alg_name(digests.item[n]);
	}
	if (o->type == CONFIG_TYPE_WORDS) {
		memcpy(&words, at, sizeof(words));
		return o->words[words.item[n]];
	}
	if (o->type == CONFIG_TYPE_NAMES || o->type == CONFIG_TYPE_TEXTS ||
	    o->type == CONFIG_TYPE_RULES) {
		memcpy(&names, at, sizeof(names));
		return names.item[n];
	}
	memcpy(&suites, at, sizeof(suites));
	return suite_info(suites.item[n])->name;
}

static void put_addr(const struct config_option *o, const void *at,
		     struct writer *w)
{
	struct config_endpoint e = {0};

	if (o->type == CONFIG_TYPE_ENDPOINT) {
		memcpy(&e, at, sizeof(e));
		writer_str(w,
			   o->words[e.is_sccp ? (size_t)e.transport + CONFIG_TLS
					      : (size_t)e.transport]);
		writer_str(w, ":");
	} else {
		memcpy(&e.addr, at, sizeof(e.addr));
	}
	if (o->type == CONFIG_TYPE_ADDR)
		addr_print_ip(w, &e.addr);
	else
		addr_print(w, &e.addr);
}

static void put_remote(const struct config_option *o, const void *at,
		       struct writer *w)
{
	struct config_remote r;

	memcpy(&r, at, sizeof(r));
	if (o->words) {
		writer_str(w, o->words[r.transport]);
		writer_str(w, ":");
	}
	if (r.addr.family != ADDR_NONE) {
		addr_print(w, &r.addr);
		return;
	}
	writer_str(w, r.host);
	if (r.port > 0) {
		writer_str(w, ":");
		writer_dec(w, r.port);
	}
}

static void put_ports(const void *at, struct writer *w)
{
	struct config_ports p;

	memcpy(&p, at, sizeof(p));
	writer_dec(w, p.min);
	writer_str(w, "-");
	writer_dec(w, p.max);
}

bool config_value_text(const struct config_option *o, const void *obj,
		       uint32_t n, char buf[CONFIG_PRINT_MAX],
		       struct slice *ret)
{
	const void *at = (const uint8_t *)obj + o->offset;
	struct writer w;
	bool is_on;

	if (!has_item(o, at, n))
		return false;
	writer_init(&w, buf, CONFIG_PRINT_MAX);
	switch (o->type) {
	case CONFIG_TYPE_TEXT:
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_KEY:
	case CONFIG_TYPE_CHOICE:
		*ret = slice_str(string_of(at));
		return true;
	case CONFIG_TYPE_NAMES:
	case CONFIG_TYPE_TEXTS:
	case CONFIG_TYPE_RULES:
	case CONFIG_TYPE_WORDS:
	case CONFIG_TYPE_SUITES:
	case CONFIG_TYPE_DIGESTS:
		*ret = slice_str(item_of(o, at, n));
		return true;
	case CONFIG_TYPE_BOOL:
		memcpy(&is_on, at, sizeof(is_on));
		writer_str(&w, is_on ? "yes" : "no");
		break;
	case CONFIG_TYPE_UINT:
		writer_dec(&w, number_of(at));
		break;
	case CONFIG_TYPE_WORD:
		writer_str(&w, o->words[number_of(at)]);
		break;
	case CONFIG_TYPE_ENDPOINT:
	case CONFIG_TYPE_ADDR:
	case CONFIG_TYPE_ADDRPORT:
		put_addr(o, at, &w);
		break;
	case CONFIG_TYPE_REMOTE:
		put_remote(o, at, &w);
		break;
	case CONFIG_TYPE_PORTS:
		put_ports(at, &w);
		break;
	}
	*ret = writer_slice(&w);
	return true;
}

/* What is a word or a number by its type needs no quotes. */
static bool is_bare(const struct config_option *o)
{
	return o->type == CONFIG_TYPE_BOOL || o->type == CONFIG_TYPE_UINT ||
	       o->type == CONFIG_TYPE_WORD || o->type == CONFIG_TYPE_PORTS;
}

void config_value_print(const struct config_option *o, const void *obj,
			emit_fn emit, void *ctx)
{
	bool is_list = config_option_is_list(o);
	char buf[CONFIG_PRINT_MAX];
	struct slice text;

	put(emit, ctx, is_list ? "{" : "");
	for (uint32_t n = 0; config_value_text(o, obj, n, buf, &text); n++) {
		if (is_list)
			put(emit, ctx, n > 0 ? ", " : " ");
		if (is_bare(o))
			emit(ctx, text);
		else
			config_quote_print(text, emit, ctx);
	}
	put(emit, ctx, is_list ? " }" : "");
}

struct text {
	char buf[CONFIG_WHY_MAX];
	struct writer w;
};

static void collect(void *ctx, struct slice piece)
{
	struct text *t = ctx;

	writer_put(&t->w, piece);
}

/* As its row writes it, so reading nothing gives the same. */
bool config_value_is_default(const struct config_option *o, const void *obj)
{
	char buf[CONFIG_PRINT_MAX];
	struct slice value;
	struct text t;

	if (!o->value)
		return false;
	if (!config_option_is_list(o))
		return config_value_text(o, obj, 0, buf, &value) &&
		       slice_eqs(value, o->value);
	if (!o->value[0])
		return !config_value_text(o, obj, 0, buf, &value);
	writer_init(&t.w, t.buf, sizeof(t.buf));
	config_value_print(o, obj, collect, &t);
	return writer_ok(&t.w) && slice_eqs(writer_slice(&t.w), o->value);
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

const void *config_section_at(const struct config *c,
			      const struct config_section *s, uint32_t n)
{
	const uint8_t *base = (const uint8_t *)c + s->offset;
	const uint8_t *array;

	if (!s->label)
		return base;
	memcpy(&array, base, sizeof(array));
	return array + n * s->size;
}

uint32_t config_section_count(const struct config *c,
			      const struct config_section *s)
{
	uint32_t n = 1;

	if (s->label)
		memcpy(&n, (const uint8_t *)c + s->count_offset, sizeof(n));
	return n;
}

void config_print(const struct config *c, emit_fn emit, void *ctx)
{
	struct sink k = {.emit = emit, .ctx = ctx};

	print_options(&config_schema[0], c, "", sink_emit, &k);
	for (size_t i = 1; i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];
		uint32_t count = config_section_count(c, s);

		for (uint32_t n = 0; n < count; n++)
			print_section(s, config_section_at(c, s, n), sink_emit,
				      &k);
	}
	sink_flush(&k);
}
