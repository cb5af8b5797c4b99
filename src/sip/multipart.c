#include "sip/multipart.h"

#include <stdbool.h>

#include "base/text.h"
#include "sip/uri.h"

bool sip_type_is(struct slice type, const char *name)
{
	struct slice media;

	text_cut(type, ';', &media, NULL);
	return text_ieqs(text_trim(media), name);
}

static bool is_multipart(struct slice type)
{
	return type.len > 10 && text_ieqs(slice_sub(type, 0, 10), "multipart/");
}

static struct slice unquoted(struct slice s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return slice_sub(s, 1, s.len - 2);
	return s;
}

/* Bytes of the line that begins at pos, its end included. */
static size_t line_len(struct slice body, size_t pos)
{
	const uint8_t *nl = memchr(body.ptr + pos, '\n', body.len - pos);

	return nl ? (size_t)(nl - body.ptr) + 1 - pos : body.len - pos;
}

/* Is the line at pos a delimiter; is it the closing one? */
static bool is_delimiter(const struct sip_multipart *m, size_t pos,
			 bool *ret_closes)
{
	struct slice line = slice_sub(m->body, pos, line_len(m->body, pos));

	if (!slice_starts(line, "--") ||
	    !slice_eq(slice_sub(line, 2, m->boundary.len), m->boundary))
		return false;
	line = slice_from(line, 2 + m->boundary.len);
	*ret_closes = slice_starts(line, "--");
	if (*ret_closes)
		line = slice_from(line, 2);
	return text_trim(line).len == 0;
}

/* Offset of the next delimiter line at or after pos; body.len: none. */
static size_t find_delimiter(const struct sip_multipart *m, size_t pos,
			     bool *ret_closes)
{
	while (pos < m->body.len) {
		if (is_delimiter(m, pos, ret_closes))
			return pos;
		pos += line_len(m->body, pos);
	}
	return m->body.len;
}

int sip_multipart_open(struct slice type, struct slice body,
		       struct sip_multipart *ret)
{
	struct sip_multipart m = {.body = body};
	struct slice params = SLICE_NULL;
	bool closes = false;

	if (!is_multipart(type))
		return ERR_NOTFOUND;
	text_cut(type, ';', NULL, &params);
	if (!sip_param(params, "boundary", &m.boundary))
		return ERR_BAD;
	m.boundary = unquoted(m.boundary);
	if (m.boundary.len == 0 || m.boundary.len > SIP_BOUNDARY_MAX)
		return ERR_BAD;
	m.pos = find_delimiter(&m, 0, &closes);
	if (m.pos == body.len || closes)
		return ERR_BAD;
	*ret = m;
	return 0;
}

/* The header line's value when it has this name, its folds not undone. */
static bool named(struct slice line, const char *name, struct slice *ret)
{
	struct slice head;
	struct slice tail;

	if (!text_cut(line, ':', &head, &tail) ||
	    !text_ieqs(text_trim(head), name))
		return false;
	*ret = text_trim(tail);
	return true;
}

static void read_line(struct sip_part *part, struct slice line)
{
	struct slice value;

	if (named(line, "Content-Type", &value) || named(line, "c", &value))
		part->type = value;
	else if ((named(line, "Content-Transfer-Encoding", &value) ||
		  named(line, "Content-Encoding", &value)) &&
		 !text_ieqs(value, "binary") && !text_ieqs(value, "8bit") &&
		 !text_ieqs(value, "7bit") && !text_ieqs(value, "identity"))
		part->encoding = value;
}

/* Header lines up to the empty one; the rest is the part's body. */
static int read_head(struct slice whole, struct sip_part *part)
{
	size_t pos = 0;

	while (pos < whole.len) {
		size_t len = line_len(whole, pos);
		struct slice line = slice_sub(whole, pos, len);

		if (text_trim(line).len == 0) {
			part->head = slice_sub(whole, 0, pos);
			part->body = slice_from(whole, pos + len);
			return pos > SIP_PART_HEAD_MAX ? ERR_LIMIT : 0;
		}
		/* Folds are gone from SIP; here they would hide something. */
		if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
			return ERR_BAD;
		read_line(part, line);
		pos += len;
	}
	return ERR_BAD;
}

int sip_multipart_next(struct sip_multipart *m, struct sip_part *ret)
{
	struct sip_part part = {.head = SLICE_NULL};
	bool closes = false;
	size_t begin;
	size_t end;
	int err;

	if (is_delimiter(m, m->pos, &closes) && closes)
		return ERR_NOTFOUND;
	if (m->count == SIP_PARTS_MAX)
		return ERR_LIMIT;
	begin = m->pos + line_len(m->body, m->pos);
	end = find_delimiter(m, begin, &closes);
	if (end == m->body.len)
		return ERR_BAD;
	m->pos = end;
	m->count++;
	/* The line end before a delimiter belongs to it. */
	if (end > begin && m->body.ptr[end - 1] == '\n')
		end--;
	if (end > begin && m->body.ptr[end - 1] == '\r')
		end--;
	err = read_head(slice_sub(m->body, begin, end - begin), &part);
	if (!err)
		*ret = part;
	return err;
}

/* May a session description be in there that we cannot see? */
static bool may_hide(const struct sip_part *part)
{
	return is_multipart(part->type) ||
	       (part->encoding.len > 0 &&
		sip_type_is(part->type, "application/sdp"));
}

static int session_part(struct sip_multipart *m, struct slice *ret_type,
			struct slice *ret)
{
	struct sip_part part;
	struct sip_part found = {.body = SLICE_NULL};
	int err;

	while ((err = sip_multipart_next(m, &part)) == 0) {
		if (may_hide(&part))
			return ERR_UNSUPPORTED;
		if (!sip_type_is(part.type, "application/sdp"))
			continue;
		if (found.type.ptr)
			return ERR_UNSUPPORTED;
		found = part;
	}
	if (err != ERR_NOTFOUND)
		return err;
	if (found.body.len == 0)
		return ERR_NOTFOUND;
	*ret_type = found.type;
	*ret = found.body;
	return 0;
}

int sip_body_session(struct slice type, struct slice encoding,
		     struct slice body, struct slice *ret_type,
		     struct slice *ret)
{
	struct sip_multipart m;
	bool is_sdp = sip_type_is(type, "application/sdp");
	int err;

	if (body.len == 0 || (!is_sdp && !is_multipart(type)))
		return ERR_NOTFOUND;
	if (encoding.len > 0 && !text_ieqs(encoding, "identity"))
		return ERR_UNSUPPORTED;
	if (is_sdp) {
		*ret_type = type;
		*ret = body;
		return 0;
	}
	if (!sip_type_is(type, "multipart/mixed") &&
	    !sip_type_is(type, "multipart/related"))
		return ERR_UNSUPPORTED;
	err = sip_multipart_open(type, body, &m);
	return err ? err : session_part(&m, ret_type, ret);
}
