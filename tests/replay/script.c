#include "replay/replay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void replay_fail(struct run *r, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: at %" PRIu64 " ms: ", r->file, r->line,
		r->now_ms);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	for (size_t i = 0; i < r->conn_count; i++)
		for (size_t k = 0; k < r->conn[i].count; k++)
			fprintf(stderr, "--- waiting for %s:\n%s\n",
				r->conn[i].name, r->conn[i].queue[k]);
	for (size_t i = 0; i < r->flow_count; i++)
		fprintf(stderr, "--- waiting: flow %s\n", r->flow[i]);
	for (size_t i = 0; i < r->record_count; i++)
		fprintf(stderr, "--- record %s\n", r->record[i]);
	exit(1);
}

static const char *var_get(const struct run *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->var_count; i++)
		if (strlen(r->var[i].name) == len &&
		    memcmp(r->var[i].name, name, len) == 0)
			return r->var[i].value;
	return NULL;
}

void replay_var_set(struct run *r, const char *name, size_t nlen,
		    const char *value, size_t vlen)
{
	struct var *v = NULL;

	for (size_t i = 0; i < r->var_count; i++)
		if (strlen(r->var[i].name) == nlen &&
		    memcmp(r->var[i].name, name, nlen) == 0)
			v = &r->var[i];
	if (!v && r->var_count == VARS_MAX)
		replay_fail(r, "too many variables");
	if (!v)
		v = &r->var[r->var_count++];
	if (nlen >= sizeof(v->name) || vlen >= sizeof(v->value))
		replay_fail(r, "variable too long");
	memcpy(v->name, name, nlen);
	v->name[nlen] = '\0';
	memcpy(v->value, value, vlen);
	v->value[vlen] = '\0';
}

/* Replace ${name} by its value; $(name) captures stay. */
void replay_expand(struct run *r, const char *in, char *out, size_t cap)
{
	size_t n = 0;

	while (*in) {
		const char *end;
		const char *v;

		if (in[0] != '$' || in[1] != '{') {
			if (n + 1 >= cap)
				replay_fail(r, "text too long");
			out[n++] = *in++;
			continue;
		}
		end = strchr(in, '}');
		if (!end)
			replay_fail(r, "unterminated ${");
		v = var_get(r, in + 2, (size_t)(end - in) - 2);
		if (!v)
			replay_fail(r, "no variable %.*s", (int)(end - in - 1),
				    in + 2);
		if (n + strlen(v) + 1 >= cap)
			replay_fail(r, "text too long");
		memcpy(out + n, v, strlen(v));
		n += strlen(v);
		in = end + 1;
	}
	out[n] = '\0';
}

static bool is_word(char ch)
{
	return ch && !strchr(" \t;,<>\"@:=", ch);
}

/* '*' matches anything, $(name) a word, which is kept. */
bool replay_match(struct run *r, const char *pat, const char *s)
{
	if (!*pat)
		return !*s;
	if (*pat == '*') {
		for (;; s++) {
			if (replay_match(r, pat + 1, s))
				return true;
			if (!*s)
				return false;
		}
	}
	if (pat[0] == '$' && pat[1] == '(') {
		const char *end = strchr(pat, ')');
		size_t n = 0;

		while (is_word(s[n]))
			n++;
		for (; n > 0; n--) {
			if (!replay_match(r, end + 1, s + n))
				continue;
			replay_var_set(r, pat + 2, (size_t)(end - pat) - 2, s,
				       n);
			return true;
		}
		return false;
	}
	return *pat == *s && replay_match(r, pat + 1, s + 1);
}

bool replay_read_line(struct run *r, char *buf, size_t cap)
{
	size_t n;

	if (!fgets(buf, (int)cap, r->in))
		return false;
	r->line++;
	n = strlen(buf);
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		buf[--n] = '\0';
	return true;
}

void replay_read_text(struct run *r, char *out, size_t cap)
{
	static char line[2048];
	static char full[4096];
	size_t n = 0;

	out[0] = '\0';
	for (;;) {
		if (!replay_read_line(r, line, sizeof(line)))
			replay_fail(r, "EOF is missing");
		if (strcmp(line, "EOF") == 0)
			return;
		replay_expand(r, line, full, sizeof(full));
		if (n + strlen(full) + 2 > cap)
			replay_fail(r, "text too long");
		n += (size_t)sprintf(out + n, "%s\n", full);
	}
}
