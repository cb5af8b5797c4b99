#include "lib/hidden.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHORT = 8 };

static bool knows(const struct hidden *h, int side, const char *id)
{
	for (unsigned i = 0; i < h->count[side] && i < HIDDEN_MAX; i++)
		if (strcmp(h->id[side][i], id) == 0)
			return true;
	return false;
}

static void add(struct hidden *h, int side, const char *id, size_t len)
{
	char copy[HIDDEN_LEN];

	if (len < SHORT || len >= sizeof(copy))
		return;
	memcpy(copy, id, len);
	copy[len] = '\0';
	if (!knows(h, side, copy))
		memcpy(h->id[side][h->count[side]++ % HIDDEN_MAX], copy,
		       len + 1);
}

/* The value of ;name= in a header line. */
static void add_param(struct hidden *h, int side, const char *line,
		      const char *name)
{
	const char *p = strstr(line, name);
	const char *end = strpbrk(line, "\r\n");

	if (p && end && p < end)
		add(h, side, p + strlen(name),
		    strcspn(p + strlen(name), ";,> \t\r\n"));
}

void hidden_learn(struct hidden *h, int side, const char *text)
{
	const char *line = strchr(text, '\n');

	for (; line && line[1] && line[1] != '\r' && line[1] != '\n';
	     line = strchr(line, '\n')) {
		line++;
		if (strncasecmp(line, "Call-ID:", 8) == 0)
			add(h, side, line + 8 + strspn(line + 8, " "),
			    strcspn(line + 8 + strspn(line + 8, " "),
				    " \t\r\n"));
		else if (strncasecmp(line, "From:", 5) == 0 ||
			 strncasecmp(line, "To:", 3) == 0)
			add_param(h, side, line, ";tag=");
		else if (strncasecmp(line, "Via:", 4) == 0)
			add_param(h, side, line, ";branch=");
	}
}

/* Not as a part of a longer word, which random ones may happen to be. */
static bool stands_in(const char *text, const char *id)
{
	size_t len = strlen(id);

	for (const char *p = strstr(text, id); p; p = strstr(p + 1, id))
		if ((p == text || !isalnum((unsigned char)p[-1])) &&
		    !isalnum((unsigned char)p[len]))
			return true;
	return false;
}

const char *hidden_find(const struct hidden *h, int side, const char *text)
{
	for (unsigned i = 0; i < h->count[!side] && i < HIDDEN_MAX; i++)
		if (stands_in(text, h->id[!side][i]))
			return h->id[!side][i];
	return NULL;
}
