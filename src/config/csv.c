#include "config/csv.h"

#include <string.h>

void csv_init(struct csv *c, struct slice text)
{
	*c = (struct csv){.rest = text, .line = 1};
	if (slice_starts(text, "\xef\xbb\xbf"))
		c->rest = slice_from(text, 3);
}

static int bad(struct csv *c, const char *why)
{
	c->why = why;
	return ERR_BAD;
}

/* Bytes of the line end at the beginning of s: 0, 1 or 2. */
static size_t line_end(struct slice s)
{
	if (s.len > 0 && s.ptr[0] == '\n')
		return 1;
	return slice_starts(s, "\r\n") ? 2 : 0;
}

static bool is_control(uint8_t b)
{
	return b < 0x20 || b == 0x7f;
}

/* What may follow a field: a comma, a line end or the end of the text. */
static int finish(struct csv *c, bool *ret_is_last)
{
	size_t end = line_end(c->rest);

	c->was_comma_last = c->rest.len > 0 && c->rest.ptr[0] == ',';
	if (c->was_comma_last) {
		c->rest = slice_from(c->rest, 1);
		*ret_is_last = false;
		return 0;
	}
	if (c->rest.len > 0 && end == 0)
		return bad(c, "text after a closing quote: a comma was "
			      "expected, or a quote inside quotes must be "
			      "doubled");
	*ret_is_last = true;
	c->is_in_record = false;
	return 0;
}

static int read_quoted(struct csv *c, char *buf, struct slice *ret)
{
	const uint8_t *p = c->rest.ptr;
	size_t n = 0;
	size_t i = 1;

	for (; i < c->rest.len; i++) {
		if (p[i] == '"' && (i + 1 == c->rest.len || p[i + 1] != '"')) {
			c->rest = slice_from(c->rest, i + 1);
			*ret = slice_make(buf, n);
			return 0;
		}
		if (is_control(p[i]))
			return bad(c, p[i] == '\n' || p[i] == '\r'
					      ? "the line ends inside quotes"
					      : "a control byte");
		if (n == CSV_FIELD_MAX)
			return bad(c, "a field of more than 4096 bytes");
		i += p[i] == '"';
		buf[n++] = (char)p[i];
	}
	return bad(c, "a quote is not closed");
}

static int read_plain(struct csv *c, struct slice *ret)
{
	const uint8_t *p = c->rest.ptr;
	size_t n = 0;

	while (n < c->rest.len && p[n] != ',' &&
	       line_end(slice_from(c->rest, n)) == 0) {
		if (p[n] == '"')
			return bad(c, "a quote inside a field that is not "
				      "quoted");
		if (is_control(p[n]))
			return bad(c, "a control byte");
		n++;
	}
	if (n > CSV_FIELD_MAX)
		return bad(c, "a field of more than 4096 bytes");
	*ret = slice_sub(c->rest, 0, n);
	c->rest = slice_from(c->rest, n);
	return 0;
}

/* The line ends that separate the last record from the next one. */
static void skip_line_ends(struct csv *c)
{
	size_t n;

	while ((n = line_end(c->rest)) > 0) {
		c->rest = slice_from(c->rest, n);
		c->line++;
	}
}

int csv_field(struct csv *c, char *buf, struct slice *ret, bool *ret_is_last)
{
	struct slice field = SLICE_NULL;
	int err;

	if (!c->is_in_record) {
		skip_line_ends(c);
		if (c->rest.len == 0)
			return ERR_NOTFOUND;
		c->is_in_record = true;
		c->column = 0;
	}
	c->column++;
	if (c->rest.len > 0 && c->rest.ptr[0] == '"')
		err = read_quoted(c, buf, &field);
	else
		err = read_plain(c, &field);
	if (!err)
		err = finish(c, ret_is_last);
	if (!err)
		*ret = field;
	return err;
}

bool csv_needs_quotes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == ',' || s.ptr[i] == '"' || is_control(s.ptr[i]))
			return true;
	return s.len > 0 && (s.ptr[0] == ' ' || s.ptr[s.len - 1] == ' ');
}
