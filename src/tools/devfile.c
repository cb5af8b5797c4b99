#include "tools/devfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

static int write_all(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.ptr, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		s = slice_from(s, (size_t)n);
	}
	return 0;
}

static int seal(struct slice text, int *ret_fd)
{
	int fd = memfd_create("devices.csv", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return ERR_IO;
	if (write_all(fd, text) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
		(void)close(fd);
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

static int read_all(int fd, struct buf *b)
{
	char piece[2048];
	int err = 0;

	while (!err) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return 0;
		err = buf_add(b, slice_make(piece, (size_t)n), DEVFILE_MAX);
	}
	return err;
}

int devfile_open(const char *path, int *ret_fd)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int in = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = {.ptr = NULL};
	int err = in >= 0 ? read_all(in, &b) : ERR_IO;
	int saved = errno;

	if (in >= 0 && !is_stdin)
		(void)close(in);
	errno = saved;
	if (!err)
		err = seal(buf_slice(&b), ret_fd);
	buf_done(&b);
	return err;
}

static int add(struct buf *b, const char *before, struct slice s,
	       const char *after)
{
	int err = buf_add(b, slice_str(before), DEVFILE_MAX);

	if (!err)
		err = buf_add(b, s, DEVFILE_MAX);
	return err ? err : buf_add(b, slice_str(after), DEVFILE_MAX);
}

/* In quotes, with those inside doubled. */
static int add_quoted(struct buf *b, const char *before, struct slice s)
{
	int err = add(b, before, SLICE_NULL, "\"");
	struct slice head;

	while (!err && text_cut(s, '"', &head, &s))
		err = add(b, "", head, "\"\"");
	return err ? err : add(b, "", head, "\"");
}

int devfile_make(const char *name, char **words, int count, int *ret_fd)
{
	struct buf b = {.ptr = NULL};
	struct slice key;
	struct slice value;
	int err = add(&b, "name", SLICE_NULL, "");

	for (int i = 0; !err && i < count; i++) {
		if (!text_cut(slice_str(words[i]), '=', &key, NULL))
			err = ERR_BAD;
		else
			err = add(&b, ",", key, "");
	}
	if (!err)
		err = add_quoted(&b, "\n", slice_str(name));
	for (int i = 0; !err && i < count; i++) {
		(void)text_cut(slice_str(words[i]), '=', NULL, &value);
		err = add_quoted(&b, ",", value);
	}
	if (!err)
		err = add(&b, "\n", SLICE_NULL, "");
	if (!err)
		err = seal(buf_slice(&b), ret_fd);
	buf_done(&b);
	return err;
}
