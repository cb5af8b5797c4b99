#include "config/build.h"

#include "base/alloc.h"
#include "base/text.h"

void config_complain(struct config_build *b, const struct config_item *it,
		     const char *option, bool is_error, const char *text)
{
	char buf[CONFIG_WHY_MAX + 2 * CONFIG_NAME_MAX];
	struct config_place at = it->at;
	struct writer w;

	for (uint32_t i = 0; option && i < it->section->count; i++)
		if (strcmp(it->section->option[i].name, option) == 0 &&
		    it->option[i].file)
			at = it->option[i];
	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, it->section->name);
	if (it->section->label) {
		writer_str(&w, " \"");
		writer_put(&w, slice_sub(it->label, 0, CONFIG_NAME_MAX));
		writer_str(&w, "\"");
	}
	writer_str(&w, it->section->name[0] ? ": " : "");
	writer_str(&w, option ? option : "");
	writer_str(&w, option ? ": " : "");
	writer_put(&w, slice_sub(slice_str(text), 0, w.cap - w.len));
	config_report_add(b->rep, is_error, at.file ? at.file : b->file,
			  at.line, writer_slice(&w));
}

static void complain_tuple(struct config_build *b, const struct config_tuple *t,
			   const char *what, struct slice name,
			   const char *nearest)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	if (t->section[0] && t->name) {
		writer_str(&w, t->section);
		writer_str(&w, ": ");
	}
	writer_str(&w, what);
	writer_str(&w, " \"");
	writer_put(&w, slice_sub(name, 0, CONFIG_NAME_MAX));
	writer_str(&w, "\"");
	if (nearest) {
		writer_str(&w, ", did you mean \"");
		writer_str(&w, nearest);
		writer_str(&w, "\"?");
	}
	config_report_add(b->rep, true, t->file, t->line, writer_slice(&w));
}

/* ---- sections -------------------------------------------------------- */

/* Where the struct number index of section s lies. */
static void *object_at(struct config *c, const struct config_section *s,
		       uint32_t index)
{
	uint8_t *base = (uint8_t *)c + s->offset;
	uint8_t *array;

	if (!s->label)
		return base;
	memcpy(&array, base, sizeof(array));
	return array + index * s->size;
}

static void set_count(struct config *c, const struct config_section *s,
		      uint32_t n)
{
	memcpy((uint8_t *)c + s->count_offset, &n, sizeof(n));
}

static bool is_opening(const struct config_tuple *t,
		       const struct config_section *s)
{
	return !t->name && strcmp(t->section, s->name) == 0;
}

/* Room for the sections of each kind, as many as are opened. */
static int allocate(struct config_build *b, const struct config_tuple *t,
		    size_t count)
{
	b->cap = CONFIG_SECTIONS;
	for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];
		uint32_t n = 0;
		void *array;

		if (!s->label)
			continue;
		for (size_t k = 0; k < count && n < s->max; k++)
			n += is_opening(&t[k], s);
		array = alloc_array(n, s->size);
		if (!array)
			return ERR_NOMEM;
		memcpy((uint8_t *)b->c + s->offset, &array, sizeof(array));
		b->cap += n;
	}
	b->item = alloc_array(b->cap, sizeof(*b->item));
	return b->item ? 0 : ERR_NOMEM;
}

static struct config_item *find_label(const struct config_build *b,
				      const struct config_section *s,
				      struct slice label)
{
	struct table_node *n = table_find(&b->labels, label);

	for (; n; n = table_find_next(n)) {
		struct config_item *it =
			TABLE_ENTRY(n, struct config_item, by_label);

		if (it->section == s)
			return it;
	}
	return NULL;
}

static int complain_label(struct config_build *b, const struct config_tuple *t,
			  const char *text)
{
	struct config_item it = {
		.section = config_section_find(slice_str(t->section)),
		.label = t->label,
		.at = {t->file, t->line}};

	config_complain(b, &it, NULL, true, text);
	return 0;
}

/* A later line that silently wins would hide mistakes; so would a device of
 * the store that silently does not count. */
static void complain_twice(struct config_build *b, const struct config_tuple *t,
			   const char *option, const struct config_place *first)
{
	struct config_item it = {
		.section = config_section_find(slice_str(t->section)),
		.label = t->label,
		.at = {t->file, t->line}};
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf) - 1);
	writer_str(&w, t->is_stored ? "does not count, since the one at "
				    : "is there already at ");
	writer_put(&w, slice_sub(slice_str(first->file), 0, 256));
	if (first->line > 0) {
		writer_str(&w, ":");
		writer_dec(&w, first->line);
	}
	writer_str(&w, t->is_stored ? " does" : "");
	buf[w.len] = '\0';
	config_complain(b, &it, option, !t->is_stored, buf);
}

static bool is_device(const struct config_section *s)
{
	return strcmp(s->name, "device") == 0;
}

/* *ret stays NULL when the section is refused: its options are skipped. */
static int open_section(struct config_build *b, const struct config_tuple *t,
			const struct config_section *s,
			struct config_item **ret)
{
	struct config_item *it = find_label(b, s, t->label);
	uint32_t n = config_section_count(b->c, s);
	const char *name;
	int err;

	if (it) {
		complain_twice(b, t, NULL, &it->at);
		return 0;
	}
	if (t->label.len == 0 || t->label.len > CONFIG_NAME_MAX ||
	    !text_all_token(t->label))
		return complain_label(b, t,
				      "a name has 1 to 64 letters, "
				      "digits and -.!%*_+`'~");
	if (n >= s->max)
		return complain_label(b, t,
				      s->max == 1 ? "only one such section is "
						    "possible in this version"
						  : "too many such sections");
	it = &b->item[b->count++];
	*it = (struct config_item){.section = s,
				   .label = t->label,
				   .at = {t->file, t->line},
				   .obj = object_at(b->c, s, n)};
	name = config_keep(b->c, t->label);
	if (!name)
		return ERR_NOMEM;
	memcpy(it->obj, &name, sizeof(name)); /* the first member */
	if (t->is_stored && is_device(s))
		((struct config_device *)it->obj)->is_stored = true;
	set_count(b->c, s, n + 1);
	err = table_add(&b->labels, &it->by_label, slice_str(name));
	if (!err)
		*ret = it;
	return err;
}

/* ---- options --------------------------------------------------------- */

static int set_option(struct config_build *b, const struct config_tuple *t,
		      struct config_item *it)
{
	const struct config_section *s = it->section;
	const struct config_option *o =
		config_option_find(s, slice_str(t->name));
	struct config_place *at;
	char buf[CONFIG_WHY_MAX];
	struct writer why;
	int err;

	if (!o) {
		struct slice name = slice_str(t->name);

		complain_tuple(b, t, "unknown option", name,
			       config_nearest(s, name));
		return 0;
	}
	at = &it->option[o - s->option];
	if (at->file && !config_option_is_list(o)) {
		complain_twice(b, t, o->name, at);
		return 0;
	}
	*at = (struct config_place){t->file, t->line};
	writer_init(&why, buf, sizeof(buf) - 1);
	err = config_value_set(b, o, it->obj, t->value, &why);
	if (err != ERR_BAD)
		return err;
	buf[why.len] = '\0';
	config_complain(b, it, o->name, true, buf);
	it->is_bad = true;
	/* No member is left unset, whatever is wrong. */
	return o->value && !config_option_is_list(o)
		       ? config_value_default(b, o, it->obj)
		       : 0;
}

static int take_tuple(struct config_build *b, const struct config_tuple *t,
		      struct config_item **open)
{
	const struct config_section *s =
		config_section_find(slice_str(t->section));

	if (!s) {
		complain_tuple(b, t, "unknown section", slice_str(t->section),
			       config_nearest(&config_schema[0],
					      slice_str(t->section)));
		return 0;
	}
	if (!s->label) {
		struct config_item *it = &b->item[s - config_schema];

		if (!it->at.file || it->at.line == 0)
			it->at = (struct config_place){t->file, t->line};
		return t->name ? set_option(b, t, it) : 0;
	}
	if (!t->name) {
		*open = NULL;
		return open_section(b, t, s, open);
	}
	if (*open && (*open)->section == s &&
	    slice_eq((*open)->label, t->label))
		return set_option(b, t, *open);
	return 0; /* of a section that was refused */
}

static int fill_defaults(struct config_build *b, struct config_item *it)
{
	for (uint32_t i = 0; i < it->section->count; i++) {
		const struct config_option *o = &it->section->option[i];
		int err;

		if (it->option[i].file)
			continue;
		if (!o->value) {
			config_complain(b, it, o->name, true, "must be given");
			it->is_bad = true;
			continue;
		}
		err = config_value_default(b, o, it->obj);
		if (err)
			return err;
	}
	return 0;
}

static int build(struct config_build *b, const struct config_tuple *t,
		 size_t count)
{
	struct config_item *open = NULL;
	int err = allocate(b, t, count);

	if (err)
		return err;
	/* One item for each row of the schema; those with labels unused. */
	for (; b->count < CONFIG_SECTIONS; b->count++) {
		const struct config_section *s = &config_schema[b->count];
		struct config_item *it = &b->item[b->count];

		it->section = s;
		it->obj = s->label ? NULL : object_at(b->c, s, 0);
	}
	for (size_t i = 0; i < count && !err; i++)
		err = take_tuple(b, &t[i], &open);
	for (uint32_t i = 0; i < b->count && !err; i++)
		if (b->item[i].obj)
			err = fill_defaults(b, &b->item[i]);
	return err ? err : config_check(b);
}

int config_build(const struct config_tuple *t, size_t count,
		 const char *base_dir, struct config_report *rep,
		 struct config **ret_config)
{
	struct config_build b = {.rep = rep, .base_dir = base_dir};
	uint32_t before = rep->errors;
	int err;

	b.c = alloc_zero(sizeof(*b.c));
	if (!b.c)
		return ERR_NOMEM;
	b.c->refs = 1;
	b.file = count > 0 ? t[0].file : "sallyport.conf";
	/* Only the operator fills these tables: no seed is needed. */
	table_init(&b.labels, UINT32_MAX, 0);
	table_init(&b.c->devices_by_name, UINT32_MAX, 0);
	table_init(&b.c->devices_by_user, UINT32_MAX, 0);
	table_init(&b.c->devices_by_line, UINT32_MAX, 0);
	table_init(&b.c->profiles_by_name, UINT32_MAX, 0);
	table_init(&b.c->trunks_by_name, UINT32_MAX, 0);
	table_init(&b.c->trunks_by_subject, UINT32_MAX, 0);
	table_init(&b.c->trunks_by_net, UINT32_MAX, 0);
	table_init(&b.c->trunks_by_host, UINT32_MAX, 0);
	table_init(&b.c->applications_by_name, UINT32_MAX, 0);
	err = build(&b, t, count);
	if (!err && rep->errors > before)
		err = ERR_BAD;
	table_done(&b.labels);
	alloc_free(b.item);
	if (err)
		config_unref(b.c);
	else
		*ret_config = b.c;
	return err;
}
