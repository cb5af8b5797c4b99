#include "config/devset.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/text.h"
#include "config/build.h"
#include "config/csv.h"

enum { TUPLES_FIRST = 256 };

struct item {
	struct table_node by_name;
	struct list node;
	uint32_t line;
	char *text;
	char name[]; /* NUL-terminated */
};

struct devset {
	struct table by_name;
	struct list list;
};

static struct item *of(struct list *n)
{
	return LIST_ENTRY(n, struct item, node);
}

static const struct config_section *device_section(void)
{
	return config_section_find(slice_str("device"));
}

/* ---- the set --------------------------------------------------------- */

struct devset *devset_new(void)
{
	struct devset *ds = alloc_zero(sizeof(*ds));

	if (!ds)
		return NULL;
	/* Only the operator fills it: no seed is needed. */
	table_init(&ds->by_name, CONFIG_DEVICES_MAX, 0);
	list_init(&ds->list);
	return ds;
}

static void item_free(struct devset *ds, struct item *i)
{
	table_del(&ds->by_name, &i->by_name);
	list_del(&i->node);
	alloc_free(i->text);
	alloc_free(i);
}

struct devset *devset_free(struct devset *ds)
{
	if (!ds)
		return NULL;
	while (!list_empty(&ds->list))
		item_free(ds, of(ds->list.next));
	table_done(&ds->by_name);
	return alloc_free(ds);
}

size_t devset_count(const struct devset *ds)
{
	return ds->by_name.count;
}

static struct item *find(const struct devset *ds, struct slice name)
{
	return TABLE_ENTRY(table_find(&ds->by_name, name), struct item,
			   by_name);
}

static struct devset_item view(const struct item *i)
{
	return (struct devset_item){
		.name = i->name, .text = i->text, .line = i->line};
}

bool devset_find(const struct devset *ds, struct slice name,
		 struct devset_item *ret)
{
	const struct item *i = find(ds, name);

	if (i)
		*ret = view(i);
	return i != NULL;
}

static int add(struct devset *ds, struct slice name, char *text, uint32_t line)
{
	struct item *i = alloc_zero(sizeof(*i) + name.len + 1);
	int err;

	if (!i)
		return ERR_NOMEM;
	if (name.len > 0)
		memcpy(i->name, name.ptr, name.len);
	err = table_add(&ds->by_name, &i->by_name,
			slice_make(i->name, name.len));
	if (err) {
		alloc_free(i);
		return err;
	}
	i->line = line;
	i->text = text;
	list_append(&ds->list, &i->node);
	return 0;
}

int devset_put(struct devset *ds, struct slice name, struct slice text,
	       uint32_t line)
{
	struct item *i = find(ds, name);
	char *copy = NULL;
	int err = text.len > DEVSET_TEXT_MAX ? ERR_LIMIT : 0;

	if (!err) {
		copy = alloc_copy(text);
		err = copy ? 0 : ERR_NOMEM;
	}
	if (!err && !i)
		err = add(ds, name, copy, line);
	if (err) {
		alloc_free(copy);
		return err;
	}
	if (i) {
		alloc_free(i->text);
		i->text = copy;
		i->line = line;
	}
	return 0;
}

int devset_del(struct devset *ds, struct slice name)
{
	struct item *i = find(ds, name);

	if (!i)
		return ERR_NOTFOUND;
	item_free(ds, i);
	return 0;
}

void devset_settle(struct devset *ds)
{
	struct list *n;

	list_for_each(n, &ds->list)
		of(n)->line = 0;
}

bool devset_next(const struct devset *ds, struct list **pos,
		 struct devset_item *ret)
{
	struct list *n = *pos ? (*pos)->next : ds->list.next;

	if (n == &ds->list)
		return false;
	*pos = n;
	*ret = view(of(n));
	return true;
}

/* ---- CSV ------------------------------------------------------------- */

/* A CSV file while it is read. */
struct table_reader {
	struct devset *ds;
	const char *file;
	struct config_report *rep;
	struct csv csv;
	/* By column; NULL: the name. */
	const struct config_option *column[CONFIG_OPTIONS_MAX + 1];
	uint32_t columns;
	uint32_t name_at; /* column of the name */
	struct buf text;  /* options of the record */
	char name[CSV_FIELD_MAX];
	size_t name_len;
	char field[CSV_FIELD_MAX];
};

static void complain(struct table_reader *t, uint32_t line,
		     const char *const part[4])
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	for (int i = 0; i < 4 && part[i]; i++)
		writer_put(&w, slice_sub(slice_str(part[i]), 0, 100));
	config_report_add(t->rep, true, t->file, line, writer_slice(&w));
}

/* What csv_field could not read: "column 3: why". */
static int complain_csv(struct table_reader *t)
{
	char number[12];
	struct writer w;

	writer_init(&w, number, sizeof(number) - 1);
	writer_dec(&w, t->csv.column);
	number[w.len] = '\0';
	complain(t, t->csv.line,
		 (const char *const[4]){"column ", number, ": ", t->csv.why});
	return ERR_BAD;
}

static int bad_column(struct table_reader *t, struct slice name)
{
	char text[CONFIG_NAME_MAX + 1];
	const char *near = config_nearest(device_section(), name);
	bool has_semicolon = text_find(name, ";") >= 0;

	name = slice_sub(name, 0, CONFIG_NAME_MAX);
	if (text_copy(name, text, sizeof(text)) != 0)
		text[0] = '\0';
	if (has_semicolon)
		near = NULL;
	complain(t, t->csv.line,
		 (const char *const[4]){
			 "unknown column \"", text,
			 near		 ? "\", did you mean "
			 : has_semicolon ? "\": columns are separated by commas"
					 : "\"; the columns are name and the "
					   "options of a device",
			 near});
	return ERR_BAD;
}

static int add_column(struct table_reader *t, struct slice name)
{
	const struct config_option *o = NULL;
	uint32_t n = t->columns;

	name = text_trim(name);
	if (slice_eqs(name, "name")) {
		if (t->name_at != UINT32_MAX)
			return bad_column(t, name);
		t->name_at = n;
	} else {
		o = config_option_find(device_section(), name);
		if (!o)
			return bad_column(t, name);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (t->column[i] != o || i == t->name_at)
			continue;
		complain(t, t->csv.line,
			 (const char *const[4]){"column \"", o ? o->name : "",
						"\" is there twice", NULL});
		return ERR_BAD;
	}
	/* Each option once and the name: there is room. */
	t->column[t->columns++] = o;
	return 0;
}

static int read_head(struct table_reader *t)
{
	struct slice field;
	bool is_last = false;
	int err = 0;

	t->name_at = UINT32_MAX;
	while (!err && !is_last) {
		err = csv_field(&t->csv, t->field, &field, &is_last);
		if (err == ERR_NOTFOUND) {
			complain(t, 0,
				 (const char *const[4]){
					 "is empty: a first line with the "
					 "names of the columns is needed",
					 NULL});
			return ERR_BAD;
		}
		err = err ? complain_csv(t) : add_column(t, field);
	}
	if (!err && t->name_at == UINT32_MAX) {
		complain(t, 1,
			 (const char *const[4]){"no column \"name\"", NULL});
		err = ERR_BAD;
	}
	return err;
}

static int add_text(struct table_reader *t, struct slice s)
{
	return buf_add(&t->text, s, DEVSET_TEXT_MAX);
}

static int take_field(struct table_reader *t, struct slice value)
{
	const struct config_option *o = t->column[t->csv.column - 1];
	int err;

	if (!o) {
		value = text_trim(value);
		if (value.len > 0)
			memcpy(t->name, value.ptr, value.len);
		t->name_len = value.len;
		return 0;
	}
	if (value.len == 0)
		return 0;
	err = add_text(t, slice_str(o->name));
	if (!err)
		err = add_text(t, slice_str("="));
	if (!err)
		err = add_text(t, value);
	return err ? err : add_text(t, slice_str("\n"));
}

static int put_record(struct table_reader *t, uint32_t line)
{
	struct slice name = slice_make(t->name, t->name_len);
	struct devset_item old;
	char number[12];
	struct writer w;
	int err;

	if (devset_find(t->ds, name, &old)) {
		writer_init(&w, number, sizeof(number) - 1);
		writer_dec(&w, old.line);
		number[w.len] = '\0';
		complain(t, line,
			 (const char *const[4]){"device \"", old.name,
						"\" is there already at line ",
						number});
		return 0;
	}
	err = devset_put(t->ds, name, buf_slice(&t->text), line);
	if (err == ERR_LIMIT) {
		complain(t, line,
			 (const char *const[4]){"too many devices", NULL});
		return ERR_BAD;
	}
	return err;
}

static int complain_count(struct table_reader *t, uint32_t line, bool is_few)
{
	complain(t, line,
		 (const char *const[4]){
			 is_few ? "too few fields: " : "too many fields: ",
			 "one is expected for each column of the first line",
			 NULL});
	return 0;
}

/* ERR_NOTFOUND at the end. A record that is wrong in itself does not keep the
 * others from being read: all mistakes are told at once. */
static int read_record(struct table_reader *t)
{
	struct slice field;
	bool is_last = false;
	uint32_t line = 0;
	uint32_t count = 0;
	int err = 0;

	buf_done(&t->text);
	t->name_len = 0;
	while (!err && !is_last) {
		err = csv_field(&t->csv, t->field, &field, &is_last);
		if (err)
			return err == ERR_NOTFOUND ? err : complain_csv(t);
		line = t->csv.line;
		count = t->csv.column;
		if (count <= t->columns)
			err = take_field(t, field);
	}
	if (err == ERR_LIMIT) {
		complain(t, line,
			 (const char *const[4]){"the fields are too long",
						NULL});
		return ERR_BAD;
	}
	if (err)
		return err;
	return count == t->columns
		       ? put_record(t, line)
		       : complain_count(t, line, count < t->columns);
}

int devset_read_csv(struct devset *ds, struct slice text, const char *file,
		    struct config_report *rep)
{
	struct table_reader *t = alloc_zero(sizeof(*t));
	uint32_t before = rep->errors;
	int err;

	if (!t)
		return ERR_NOMEM;
	t->ds = ds;
	t->file = file;
	t->rep = rep;
	csv_init(&t->csv, text);
	err = read_head(t);
	while (!err)
		err = read_record(t);
	buf_done(&t->text);
	alloc_free(t);
	if (err == ERR_NOTFOUND)
		err = rep->errors > before ? ERR_BAD : 0;
	return err;
}

/* ---- tuples ---------------------------------------------------------- */

static int push(struct devset_tuples *t, size_t *cap,
		const struct config_tuple *tuple)
{
	size_t more = *cap ? *cap * 2 : TUPLES_FIRST;
	struct config_tuple *p;

	if (t->count == *cap) {
		p = alloc_resize(t->item, more, sizeof(*p));
		if (!p)
			return ERR_NOMEM;
		t->item = p;
		*cap = more;
	}
	t->item[t->count++] = *tuple;
	return 0;
}

static void unknown_option(struct config_report *rep,
			   const struct config_tuple *t, struct slice name)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, "device \"");
	writer_put(&w, slice_sub(t->label, 0, CONFIG_NAME_MAX));
	writer_str(&w, "\": unknown option \"");
	writer_put(&w, slice_sub(name, 0, CONFIG_NAME_MAX));
	writer_str(&w, "\"");
	config_report_add(rep, true, t->file, t->line, writer_slice(&w));
}

/* One "option=value" line: a tuple, or one for each item of a list. */
static int push_option(struct devset_tuples *ret, size_t *cap,
		       struct config_tuple t, struct slice line,
		       struct config_report *rep)
{
	const struct config_option *o;
	struct slice name;
	struct slice value;
	int err = 0;

	(void)text_cut(line, '=', &name, &value);
	o = config_option_find(device_section(), name);
	if (!o) {
		unknown_option(rep, &t, name);
		return 0;
	}
	t.name = o->name;
	if (!config_option_is_list(o)) {
		t.value = value;
		return push(ret, cap, &t);
	}
	while (!err && text_next(&value, ' ', &t.value))
		if (t.value.len > 0)
			err = push(ret, cap, &t);
	return err;
}

static int push_device(struct devset_tuples *ret, size_t *cap,
		       const struct item *i, const char *file,
		       struct config_report *rep)
{
	struct config_tuple t = {.section = "device",
				 .label = slice_str(i->name),
				 .file = i->line > 0 ? file : "device store",
				 .line = i->line,
				 .is_stored = true};
	struct slice rest = slice_str(i->text);
	struct slice line;
	int err = push(ret, cap, &t);

	while (!err && rest.len > 0) {
		(void)text_cut(rest, '\n', &line, &rest);
		err = push_option(ret, cap, t, line, rep);
	}
	return err;
}

int devset_tuples(const struct devset *ds, const char *file,
		  struct config_report *rep, struct devset_tuples *ret)
{
	struct devset_tuples t = {.count = 0};
	uint32_t before = rep->errors;
	size_t cap = 0;
	int err = 0;

	for (struct list *n = ds->list.next; !err && n != &ds->list;
	     n = n->next)
		err = push_device(&t, &cap, of(n), file, rep);
	if (!err && rep->errors > before)
		err = ERR_BAD;
	if (err)
		alloc_free(t.item);
	else
		*ret = t;
	return err;
}

/* ---- back to text ---------------------------------------------------- */

static int add_option(struct buf *b, const struct config_option *o,
		      const struct config_device *d)
{
	char buf[CONFIG_PRINT_MAX];
	struct slice value;
	int err = buf_add(b, slice_str(o->name), DEVSET_TEXT_MAX);

	for (uint32_t n = 0; !err && config_value_text(o, d, n, buf, &value);
	     n++) {
		err = buf_add(b, slice_str(n > 0 ? " " : "="), DEVSET_TEXT_MAX);
		if (!err)
			err = buf_add(b, value, DEVSET_TEXT_MAX);
	}
	return err ? err : buf_add(b, slice_str("\n"), DEVSET_TEXT_MAX);
}

int devset_text_of(const struct config_device *d, struct buf *ret)
{
	const struct config_section *s = device_section();
	int err = 0;

	for (uint32_t i = 0; !err && i < s->count; i++)
		if (!config_value_is_default(&s->option[i], d))
			err = add_option(ret, &s->option[i], d);
	return err;
}
