#include "base/text.h"

bool text_is_token(uint8_t c)
{
	return text_is_alnum(c) ||
	       (c != '\0' && strchr("-.!%*_+`'~", c) != NULL);
}

bool text_all_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!text_is_token(s.ptr[i]))
			return false;
	return s.len > 0;
}

bool text_ieq(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (text_lower(a.ptr[i]) != text_lower(b.ptr[i]))
			return false;
	return true;
}

bool text_ieqs(struct slice a, const char *str)
{
	return text_ieq(a, slice_str(str));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice text_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool text_cut(struct slice s, uint8_t c, struct slice *ret_head,
	      struct slice *ret_tail)
{
	const uint8_t *p = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
	size_t at = p ? (size_t)(p - s.ptr) : s.len;

	if (ret_head)
		*ret_head = slice_sub(s, 0, at);
	if (ret_tail)
		*ret_tail = p ? slice_from(s, at + 1) : SLICE_NULL;
	return p != NULL;
}

bool text_next(struct slice *s, uint8_t sep, struct slice *ret_item)
{
	bool quoted = false;
	bool angle = false;
	size_t i;

	if (s->len == 0)
		return false;
	for (i = 0; i < s->len; i++) {
		uint8_t c = s->ptr[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"' && !angle)
			quoted = !quoted;
		else if (c == '<' && !quoted)
			angle = true;
		else if (c == '>' && !quoted)
			angle = false;
		else if (c == sep && !quoted && !angle)
			break;
	}
	if (i > s->len)
		i = s->len;
	*ret_item = text_trim(slice_sub(*s, 0, i));
	*s = i < s->len ? slice_from(*s, i + 1) : SLICE_NULL;
	return true;
}

long text_find(struct slice s, const char *needle)
{
	const uint8_t *p;
	size_t n = strlen(needle);

	if (s.len == 0 || n == 0 || n > s.len)
		return -1;
	p = memmem(s.ptr, s.len, needle, n);
	return p ? (long)(p - s.ptr) : -1;
}

int text_dec(struct slice s, uint64_t max, uint64_t *ret_v)
{
	uint64_t v = 0;

	if (s.len == 0)
		return ERR_BAD;
	for (size_t i = 0; i < s.len; i++)
		if (!text_is_digit(s.ptr[i]))
			return ERR_BAD;
	for (size_t i = 0; i < s.len; i++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v) ||
		    v > max)
			return ERR_LIMIT;
	}
	*ret_v = v;
	return 0;
}

int text_copy(struct slice s, char *buf, size_t cap)
{
	if (s.len >= cap)
		return ERR_SPACE;
	if (s.len > 0 && memchr(s.ptr, 0, s.len))
		return ERR_BAD;
	if (s.len > 0)
		memcpy(buf, s.ptr, s.len);
	buf[s.len] = '\0';
	return 0;
}

uint64_t text_ihash(struct slice s, uint64_t seed)
{
	uint64_t h = 14695981039346656037ULL ^ seed;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ text_lower(s.ptr[i])) * 1099511628211ULL;
	return h;
}
