#include "config/reload.h"

#include "base/alloc.h"
#include "base/reader.h"
#include "config/build.h"

enum {
	PACK_OPEN = 0xff,	 /* in place of an option: a section begins */
	PACK_OPEN_STORED = 0xfe, /* the same, from the store */
	PACK_SHARE = 0xfd,	 /* in place of a section: a list of workers */
	PACK_HEADER = 4,	 /* section, option, length */
	SHARE_STEERED = 0x80,	 /* bit of a trunk's worker */
	PACK_MAX = ALLOC_MAX
};

static struct slice label_of(const struct config_section *s, const void *obj)
{
	const char *name;

	if (!s->label)
		return SLICE_NULL;
	memcpy(&name, obj, sizeof(name)); /* the first member */
	return slice_str(name);
}

/* The section of c with obj's label, or NULL. */
static const void *counterpart(const struct config *c,
			       const struct config_section *s, const void *obj)
{
	struct slice label = label_of(s, obj);

	if (!s->label)
		return config_section_at(c, s, 0);
	if (strcmp(s->name, "device") == 0)
		return config_device_find(c, label);
	if (strcmp(s->name, "trunk") == 0)
		return config_trunk_find(c, label);
	for (uint32_t n = 0; n < config_section_count(c, s); n++) {
		const void *o = config_section_at(c, s, n);

		if (slice_eq(label_of(s, o), label))
			return o;
	}
	return NULL;
}

static enum config_when when_of(const struct config_section *s,
				const struct config_option *o)
{
	return o && o->when != CONFIG_WHEN_SECTION ? o->when : s->when;
}

/* Does running have the endpoint that m, of another configuration, wants for
 * this transport? */
static bool has_core(const struct config *running,
		     const struct config_call_manager *m,
		     enum config_transport transport)
{
	for (uint32_t i = 0; i < running->core_count; i++) {
		const struct config_core *k = &running->core[i];

		if (k->transport == transport &&
		    addr_eq(&running->call_manager[k->manager].local_address,
			    &m->local_address))
			return true;
	}
	return false;
}

static bool manager_joins(const struct config *running,
			  const struct config_call_manager *m)
{
	return (m->core == CONFIG_CORE_NONE ||
		has_core(running, m, m->address.transport)) &&
	       (m->core_large == CONFIG_CORE_NONE ||
		has_core(running, m, CONFIG_TCP));
}

static bool listener_joins(const struct config *running,
			   const struct config_listener *l)
{
	for (uint32_t i = 0; i < running->listener_count; i++)
		if (config_is_clash(&l->address, &running->listener[i].address))
			return false;
	return true;
}

/* Is obj, of another configuration, what can begin beside all that runs: a
 * listener, but not one under another name at the same address; a call manager
 * whose local address we have already? */
static bool joins(const struct config *running, const struct config_section *s,
		  const void *obj)
{
	if (!s->grows || counterpart(running, s, obj))
		return false;
	return strcmp(s->name, "listener") == 0 ? listener_joins(running, obj)
						: manager_joins(running, obj);
}

/* ---- differences ----------------------------------------------------- */

static bool is_same(const struct config_option *o, const void *a, const void *b)
{
	char buf_a[CONFIG_PRINT_MAX];
	char buf_b[CONFIG_PRINT_MAX];
	struct slice ta;
	struct slice tb;

	for (uint32_t n = 0;; n++) {
		bool has_a = config_value_text(o, a, n, buf_a, &ta);
		bool has_b = config_value_text(o, b, n, buf_b, &tb);

		if (has_a != has_b)
			return false;
		if (!has_a)
			return true;
		if (!slice_eq(ta, tb))
			return false;
	}
}

struct diff {
	const struct config *old, *next;
	void (*fn)(void *ctx, const struct config_change *change);
	void *ctx;
};

static void tell(const struct diff *d, enum config_change_kind kind,
		 const struct config_section *s, const void *obj,
		 const struct config_option *o)
{
	bool is_joining = kind == CONFIG_ADDED && joins(d->old, s, obj);
	struct config_change change = {.kind = kind,
				       .when = is_joining ? CONFIG_WHEN_NOW
							  : when_of(s, o),
				       .section = s,
				       .label = label_of(s, obj),
				       .option = o};

	d->fn(d->ctx, &change);
}

static void diff_options(const struct diff *d, const struct config_section *s,
			 const void *a, const void *b)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!is_same(&s->option[i], a, b))
			tell(d, CONFIG_CHANGED, s, b, &s->option[i]);
}

static void diff_section(const struct diff *d, const struct config_section *s)
{
	for (uint32_t n = 0; n < config_section_count(d->next, s); n++) {
		const void *b = config_section_at(d->next, s, n);
		const void *a = counterpart(d->old, s, b);

		if (a)
			diff_options(d, s, a, b);
		else
			tell(d, CONFIG_ADDED, s, b, NULL);
	}
	for (uint32_t n = 0; n < config_section_count(d->old, s); n++) {
		const void *a = config_section_at(d->old, s, n);

		if (!counterpart(d->next, s, a))
			tell(d, CONFIG_REMOVED, s, a, NULL);
	}
}

void config_diff(const struct config *old, const struct config *next,
		 void (*fn)(void *ctx, const struct config_change *change),
		 void *ctx)
{
	struct diff d = {.old = old, .next = next, .fn = fn, .ctx = ctx};

	for (size_t i = 0; i < CONFIG_SECTIONS; i++)
		diff_section(&d, &config_schema[i]);
}

/* ---- packing --------------------------------------------------------- */

static int put(struct buf *b, const struct config_section *s, unsigned option,
	       struct slice text)
{
	uint8_t head[PACK_HEADER];
	struct writer w;
	int err;

	if (text.len > UINT16_MAX)
		return ERR_LIMIT;
	writer_init(&w, head, sizeof(head));
	writer_u8(&w, (uint8_t)(s - config_schema));
	writer_u8(&w, (uint8_t)option);
	writer_u16be(&w, (uint16_t)text.len);
	err = buf_add(b, writer_slice(&w), PACK_MAX);
	return err ? err : buf_add(b, text, PACK_MAX);
}

static int pack_option(struct buf *b, const struct config_section *s,
		       unsigned i, const void *obj)
{
	const struct config_option *o = &s->option[i];
	char buf[CONFIG_PRINT_MAX];
	struct slice text;
	int err = 0;

	if (config_value_is_default(o, obj))
		return 0;
	for (uint32_t n = 0; !err && config_value_text(o, obj, n, buf, &text);
	     n++)
		err = put(b, s, i, text);
	return err;
}

/* a: the section as it runs, or NULL; b: as it shall be, or NULL. */
static int pack_section(struct buf *b, const struct config_section *s,
			const void *running, const void *next)
{
	const void *any = next ? next : running;
	unsigned opening = PACK_OPEN;
	int err = 0;

	if (strcmp(s->name, "device") == 0 &&
	    ((const struct config_device *)any)->is_stored)
		opening = PACK_OPEN_STORED;
	if (s->label)
		err = put(b, s, opening, label_of(s, any));
	for (uint32_t i = 0; !err && i < s->count; i++) {
		bool keeps = !next || (running && when_of(s, &s->option[i]) ==
							  CONFIG_WHEN_RESTART);

		err = pack_option(b, s, i, keeps ? running : next);
	}
	return err;
}

/* What next has and running has not, after all that runs, whose numbers so stay
 * as they are. */
static int pack_joining(struct buf *b, const struct config_section *s,
			const struct config *running, const struct config *next)
{
	int err = 0;

	for (uint32_t n = 0; !err && n < config_section_count(next, s); n++) {
		const void *obj = config_section_at(next, s, n);

		if (joins(running, s, obj))
			err = pack_section(b, s, NULL, obj);
	}
	return err;
}

int config_pack(const struct config *running, const struct config *next,
		struct buf *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];
		bool keeps_set =
			running && s->label && s->when == CONFIG_WHEN_RESTART;
		const struct config *set = keeps_set ? running : next;
		uint32_t count = config_section_count(set, s);

		for (uint32_t n = 0; !err && n < count; n++) {
			const void *obj = config_section_at(set, s, n);
			const void *other =
				!running ? NULL
					 : counterpart(keeps_set ? next
								 : running,
						       s, obj);

			err = keeps_set ? pack_section(ret, s, obj, other)
					: pack_section(ret, s, other, obj);
		}
		if (!err && keeps_set && s->grows)
			err = pack_joining(ret, s, running, next);
	}
	return err;
}

/* ---- whose what is --------------------------------------------------- */

/* Lists of workers, an octet for each item in the order of the sections. */
enum share { SHARE_LISTENERS, SHARE_MANAGERS, SHARE_TRUNKS, SHARES };

static uint32_t share_count(const struct config *c, unsigned which)
{
	return which == SHARE_LISTENERS	 ? c->listener_count
	       : which == SHARE_MANAGERS ? c->call_manager_count
					 : c->trunk_count;
}

static unsigned share_of(const struct config *c, unsigned which, uint32_t i)
{
	return which == SHARE_LISTENERS ? c->listener[i].home
	       : which == SHARE_MANAGERS
		       ? c->call_manager[i].first_worker
		       : c->trunk[i].worker |
				 (c->trunk[i].is_steered ? SHARE_STEERED : 0U);
}

static void set_share(struct config *c, unsigned which, uint32_t i,
		      unsigned value)
{
	switch ((enum share)which) {
	case SHARE_LISTENERS:
		c->listener[i].home = value;
		break;
	case SHARE_MANAGERS:
		c->call_manager[i].first_worker = value;
		break;
	case SHARE_TRUNKS:
		c->trunk[i].worker = value & (SHARE_STEERED - 1);
		c->trunk[i].is_steered = value & SHARE_STEERED;
		break;
	case SHARES:
		break;
	}
}

_Static_assert(CONFIG_WORKERS_MAX < 0x80, "a worker and a bit are an octet");

int config_pack_share(const struct config *c, struct buf *ret)
{
	uint8_t head[PACK_HEADER];
	struct writer w;
	int err = 0;

	for (unsigned which = 0; !err && which < SHARES; which++) {
		uint32_t n = share_count(c, which);

		writer_init(&w, head, sizeof(head));
		writer_u8(&w, PACK_SHARE);
		writer_u8(&w, (uint8_t)which);
		writer_u16be(&w, (uint16_t)n);
		err = buf_add(ret, writer_slice(&w), PACK_MAX);
		for (uint32_t i = 0; !err && i < n; i++) {
			uint8_t octet = (uint8_t)share_of(c, which, i);

			err = buf_add(ret, slice_make(&octet, 1), PACK_MAX);
		}
	}
	return err;
}

static int take_share(struct config *c, struct reader *r)
{
	for (unsigned which = 0; which < SHARES; which++) {
		if (reader_u8(r) != PACK_SHARE || reader_u8(r) != which ||
		    reader_u16be(r) != share_count(c, which))
			return ERR_BAD;
		for (uint32_t i = 0; i < share_count(c, which); i++)
			set_share(c, which, i, reader_u8(r));
	}
	return reader_end(r) ? 0 : ERR_BAD;
}

/* ---- unpacking ------------------------------------------------------- */

struct tuples {
	struct config_tuple *item;
	size_t count, cap;
};

static int add(struct tuples *t, const struct config_tuple *tuple)
{
	struct config_tuple *p;
	size_t cap = t->cap ? t->cap * 2 : 256;

	if (t->count == t->cap) {
		p = alloc_resize(t->item, cap, sizeof(*p));
		if (!p)
			return ERR_NOMEM;
		t->item = p;
		t->cap = cap;
	}
	t->item[t->count++] = *tuple;
	return 0;
}

static int read_tuple(struct reader *r, struct slice *label,
		      struct config_tuple *ret)
{
	unsigned section = reader_u8(r);
	unsigned option = reader_u8(r);
	struct slice text = reader_bytes(r, reader_u16be(r));
	const struct config_section *s;

	if (!reader_ok(r) || section >= CONFIG_SECTIONS)
		return ERR_BAD;
	s = &config_schema[section];
	*ret = (struct config_tuple){
		.section = s->name, .value = text, .file = "sallyport.conf"};
	if (option == PACK_OPEN || option == PACK_OPEN_STORED) {
		*label = text;
		ret->is_stored = option == PACK_OPEN_STORED;
	} else if (option < s->count) {
		ret->name = s->option[option].name;
	} else {
		return ERR_BAD;
	}
	ret->label = s->label ? *label : SLICE_NULL;
	return 0;
}

/* Are the lists of workers next? */
static bool is_share(const struct reader *r)
{
	struct reader ahead = *r;

	return reader_u8(&ahead) == PACK_SHARE;
}

int config_unpack(struct slice bytes, struct config_report *rep,
		  struct config **ret_config)
{
	struct tuples t = {.count = 0};
	struct config_tuple tuple;
	struct slice label = SLICE_NULL;
	struct config *c = NULL;
	struct reader r;
	int err = 0;

	reader_init(&r, bytes);
	while (!err && reader_left(&r) > 0 && !is_share(&r)) {
		err = read_tuple(&r, &label, &tuple);
		if (!err)
			err = add(&t, &tuple);
	}
	if (!err && !reader_ok(&r))
		err = ERR_BAD;
	if (!err)
		err = config_build(t.item, t.count, "/", rep, &c);
	alloc_free(t.item);
	if (!err && reader_left(&r) > 0)
		err = take_share(c, &r);
	if (err)
		config_unref(c);
	else
		*ret_config = c;
	return err;
}
