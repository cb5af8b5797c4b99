#include "daemon/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keys.h"

int keyfile_explain(char *reterr, const char *path, const char *text, int err)
{
	(void)snprintf(reterr, KEYS_ERR_MAX, "%s: %s", path, text);
	return err;
}

int keyfile_explain_errno(char *reterr, const char *path, const char *what)
{
	(void)snprintf(reterr, KEYS_ERR_MAX, "%.300s: %s: %s", path, what,
		       strerror(errno));
	return ERR_IO;
}

/* A key that others can read is no key. */
int keyfile_check(int fd, const char *path, uid_t owner, char *reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return keyfile_explain_errno(reterr, path,
					     "cannot look at the file");
	if (!S_ISREG(st.st_mode) || st.st_size > KEYFILE_MAX)
		return keyfile_explain(reterr, path, "not a file, or too large",
				       ERR_BAD);
	if (st.st_uid != 0 && st.st_uid != owner)
		return keyfile_explain(reterr, path, "must belong to root",
				       ERR_DENIED);
	if (st.st_mode & 077) {
		(void)snprintf(reterr, KEYS_ERR_MAX,
			       "%s: readable by others (mode %04o); "
			       "chmod 600 %s",
			       path, (unsigned)(st.st_mode & 07777), path);
		return ERR_DENIED;
	}
	return 0;
}

int keyfile_read_fd(int fd, const char *path, uid_t owner, uint8_t *buf,
		    size_t *ret_len, char *reterr)
{
	size_t len = 0;
	int err = keyfile_check(fd, path, owner, reterr);

	while (!err && len < KEYFILE_MAX) {
		ssize_t n = read(fd, buf + len, KEYFILE_MAX - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = keyfile_explain_errno(reterr, path,
						    "cannot read");
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (!err)
		*ret_len = len;
	return err;
}

int keyfile_read(const char *path, uint8_t *buf, size_t *ret_len, char *reterr)
{
	int err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return keyfile_explain_errno(reterr, path, "cannot open");
	err = keyfile_read_fd(fd, path, geteuid(), buf, ret_len, reterr);
	(void)close(fd);
	return err;
}
