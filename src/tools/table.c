#include "tools/table.h"

#include <time.h>

#include "base/alloc.h"
#include "base/slice.h"

enum { CELL_MAX = 512, COLUMNS_MAX = 16, GAP = 2 };

/* Printable text without control bytes; long text is cut. */
static void escape(const char *s, size_t len, char *buf)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 8 < CELL_MAX; i++) {
		unsigned char c = (unsigned char)s[i];
		/* C1 controls are 0xc2 0x80..0x9f in UTF-8. */
		bool is_c1 = c == 0xc2 && i + 1 < len &&
			     (unsigned char)s[i + 1] < 0xa0;

		if (c >= 0x20 && c != 0x7f && !is_c1) {
			buf[n++] = s[i];
			continue;
		}
		n += (size_t)snprintf(buf + n, CELL_MAX - n, "\\x%02x", c);
	}
	buf[n] = '\0';
}

static void cell_number(enum table_kind kind, json_int_t v, char *buf)
{
	time_t t = (time_t)v;
	struct tm tm;

	switch (kind) {
	case TABLE_DURATION:
		(void)snprintf(buf, CELL_MAX, "%lld:%02lld:%02lld",
			       (long long)(v / 3600), (long long)(v / 60 % 60),
			       (long long)(v % 60));
		return;
	case TABLE_DATE:
		if (gmtime_r(&t, &tm) &&
		    strftime(buf, CELL_MAX, "%Y-%m-%d %H:%M:%SZ", &tm) > 0)
			return;
		break;
	case TABLE_TEXT:
		break;
	}
	(void)snprintf(buf, CELL_MAX, "%lld", (long long)v);
}

static void cell(const struct table_column *c, const json_t *row, char *buf)
{
	const json_t *v = json_object_get(row, c->key);

	(void)snprintf(buf, CELL_MAX, "-");
	if (json_is_integer(v))
		cell_number(c->kind, json_integer_value(v), buf);
	else if (json_is_boolean(v))
		(void)snprintf(buf, CELL_MAX, "%s",
			       json_is_true(v) ? "yes" : "no");
	else if (json_string_length(v) > 0)
		escape(json_string_value(v), json_string_length(v), buf);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void put_cell(FILE *out, const char *s, size_t to, bool is_right,
		     bool is_last)
{
	size_t pad = to > width(s) ? to - width(s) : 0;

	if (is_right)
		(void)fprintf(out, "%*s%s", (int)pad, "", s);
	else if (is_last)
		(void)fprintf(out, "%s", s);
	else
		(void)fprintf(out, "%s%*s", s, (int)pad, "");
	(void)fprintf(out, "%s", is_last ? "\n" : "  ");
}

static bool is_number(const struct table_column *c, const json_t *rows)
{
	return c->kind != TABLE_DATE &&
	       json_is_integer(
		       json_object_get(json_array_get(rows, 0), c->key));
}

int table_print(FILE *out, const struct table_column *column,
		const json_t *rows)
{
	size_t to[COLUMNS_MAX] = {0};
	char buf[CELL_MAX];
	size_t count = 0;
	size_t i;
	json_t *row;

	if (!json_is_array(rows))
		return ERR_BAD;
	for (; column[count].key && count < COLUMNS_MAX; count++)
		to[count] = width(column[count].title);
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < count; k++) {
			cell(&column[k], row, buf);
			if (width(buf) > to[k])
				to[k] = width(buf);
		}
	}
	for (size_t k = 0; k < count; k++)
		put_cell(out, column[k].title, to[k],
			 is_number(&column[k], rows), k + 1 == count);
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < count; k++) {
			cell(&column[k], row, buf);
			put_cell(out, buf, to[k], is_number(&column[k], rows),
				 k + 1 == count);
		}
	}
	return 0;
}

void table_print_message(FILE *out, json_int_t time_ms, const char *process,
			 const char *level, const char *text)
{
	char when[CELL_MAX];
	char buf[CELL_MAX];

	cell_number(TABLE_DATE, time_ms / 1000, when);
	when[strcspn(when, "Z")] = '\0';
	escape(text ? text : "", text ? strlen(text) : 0, buf);
	(void)fprintf(out, "%s.%03dZ %s: %s: %s\n", when, (int)(time_ms % 1000),
		      process ? process : "-", level ? level : "-", buf);
}

static enum table_kind kind_of(const char *key)
{
	return strcmp(key, "uptime") == 0 ? TABLE_DURATION : TABLE_TEXT;
}

/* "name=keys pid=7": the members of an object inside another. */
static void put_inner(FILE *out, json_t *object)
{
	const char *key;
	json_t *value;
	const char *gap = "";

	json_object_foreach(object, key, value)
	{
		struct table_column c = {.key = key, .kind = kind_of(key)};
		char buf[CELL_MAX];

		cell(&c, object, buf);
		(void)fprintf(out, "%s%s=%s", gap, key, buf);
		gap = " ";
	}
	(void)fprintf(out, "%s\n", gap[0] ? "" : "-");
}

static void put_item(FILE *out, json_t *item)
{
	char buf[CELL_MAX];

	if (json_is_object(item)) {
		put_inner(out, item);
		return;
	}
	escape(json_string_value(item) ? json_string_value(item) : "",
	       json_string_length(item), buf);
	(void)fprintf(out, "%s\n", buf);
}

/* One line, or for a list of objects one line each. */
static void put_value(FILE *out, const char *key, json_t *object, size_t indent)
{
	struct table_column c = {.key = key, .kind = kind_of(key)};
	json_t *value = json_object_get(object, key);
	char buf[CELL_MAX];
	size_t i;
	json_t *item;

	if (json_is_object(value)) {
		put_inner(out, value);
	} else if (json_array_size(value) > 0) {
		json_array_foreach(value, i, item)
		{
			(void)fprintf(out, "%*s", i > 0 ? (int)indent : 0, "");
			put_item(out, item);
		}
	} else {
		cell(&c, object, buf);
		(void)fprintf(out, "%s\n", buf);
	}
}

void table_print_object(FILE *out, const json_t *object)
{
	const char *key;
	json_t *value;
	size_t to = 0;
	/* jansson's walk wants to write into its argument. */
	json_t *walk = json_deep_copy(object);

	json_object_foreach(walk, key, value)
	{
		if (width(key) > to)
			to = width(key);
	}
	json_object_foreach(walk, key, value)
	{
		(void)fprintf(out, "%s:%*s", key, (int)(to - width(key)) + GAP,
			      "");
		put_value(out, key, walk, to + 1 + GAP);
	}
	json_decref(walk);
}
