#include "log/journald.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

/* Keys that become fields: those that operators look for. A text of somebody
 * outside must not make up others. */
static const char *const keys[] = {
	"call", "certificate", "device",   "flow",  "from",
	"kind", "line",	       "listener", "media", "name",
	"peer", "reason",      "source",   "state", "suite",
	"to",	"trunk",       "user",	   "worker"};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

_Static_assert(KEYS <= 32, "a bit for each");

bool journald_is_stderr(const char *stream)
{
	char mine[48];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	return slice_eqs(slice_str(stream), mine);
}

int journald_open(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	if (text_copy(slice_str(path), a.sun_path, sizeof(a.sun_path)) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

/* A line feed would begin another field. */
static void put_value(struct writer *w, struct slice v)
{
	for (size_t i = 0; i < v.len; i++)
		writer_u8(w, v.ptr[i] == '\n' ? ' ' : v.ptr[i]);
	writer_u8(w, '\n');
}

static void put_field(struct writer *w, const char *key, struct slice v)
{
	writer_str(w, "SALLYPORT_");
	for (; *key; key++)
		writer_u8(w, (uint8_t)(*key - 'a' + 'A'));
	writer_u8(w, '=');
	put_value(w, v);
}

static size_t key_find(struct slice name)
{
	size_t i = 0;

	while (i < KEYS && !slice_eqs(name, keys[i]))
		i++;
	return i;
}

/* Cut the next word off, whose value may be in quotes. */
static bool next_word(struct slice *rest, struct slice *ret_name,
		      struct slice *ret_value)
{
	struct slice word;

	*rest = text_trim(*rest);
	if (rest->len == 0)
		return false;
	(void)text_cut(*rest, ' ', &word, NULL);
	*ret_value = SLICE_NULL;
	if (!text_cut(word, '=', ret_name, ret_value)) {
		*rest = slice_from(*rest, word.len);
		return true;
	}
	if (ret_value->len > 0 && ret_value->ptr[0] == '"') {
		(void)text_cut(slice_from(*rest, ret_name->len + 2), '"',
			       ret_value, rest);
		return true;
	}
	*rest = slice_from(*rest, word.len);
	return true;
}

void journald_print(struct writer *w, unsigned priority, const char *role,
		    struct slice text)
{
	struct slice rest = text;
	struct slice name;
	struct slice value;
	uint32_t seen = 0;

	writer_str(w, "MESSAGE=");
	put_value(w, text);
	writer_str(w, "PRIORITY=");
	writer_dec(w, priority);
	writer_str(w, "\nSYSLOG_IDENTIFIER=sallyportd\nSALLYPORT_ROLE=");
	put_value(w, slice_str(role));
	while (next_word(&rest, &name, &value)) {
		size_t i = key_find(name);

		if (i == KEYS || value.len == 0 || seen & 1u << i)
			continue;
		seen |= 1u << i;
		put_field(w, keys[i], value);
	}
}
