#include "tools/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static int complain(int err, const char *text)
{
	(void)fprintf(stderr, "sallyportctl: %s\n", text);
	return err;
}

/* One line, byte by byte: stdio would keep copies in its buffers. */
static int read_line(int fd, char *buf, size_t cap, size_t *ret_len)
{
	size_t len = 0;

	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n == 0 && len == 0))
			return complain(ERR_IO, "no password was given");
		if (n == 0 || c == '\n')
			break;
		if (len == cap)
			return complain(ERR_BAD, "the password is too long");
		buf[len++] = c;
	}
	if (len > 0 && buf[len - 1] == '\r')
		len--;
	if (len == 0)
		return complain(ERR_BAD, "an empty password is not taken");
	*ret_len = len;
	return 0;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		return; /* the answer is what counts */
}

static int read_twice(int fd, char *buf, size_t cap, size_t *ret_len)
{
	char again[PASSWORD_MAX];
	size_t len = 0;
	size_t len2 = 0;
	int err;

	say(fd, "Password: ");
	err = read_line(fd, buf, cap, &len);
	say(fd, "\n");
	if (!err) {
		say(fd, "Again: ");
		err = read_line(fd, again, sizeof(again), &len2);
		say(fd, "\n");
	}
	if (!err && !secret_eq(slice_make(buf, len), slice_make(again, len2)))
		err = complain(ERR_BAD, "the passwords differ");
	secret_wipe(again, sizeof(again));
	*ret_len = len;
	return err;
}

static int read_terminal(char *buf, size_t cap, size_t *ret_len)
{
	struct termios old, quiet;
	sigset_t block, before;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0 || tcgetattr(fd, &old)) {
		if (fd >= 0)
			(void)close(fd);
		return complain(ERR_IO, "no terminal to ask for a password: "
					"use --stdin");
	}
	/* An interrupt must not leave a terminal without echo: the terminal
	 * sends none meanwhile, and others wait. */
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGTERM);
	(void)sigaddset(&block, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &block, &before);
	(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	err = read_twice(fd, buf, cap, ret_len);
	(void)tcsetattr(fd, TCSAFLUSH, &old);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)close(fd);
	return err;
}

int password_read(bool from_stdin, struct secret *ret)
{
	char buf[PASSWORD_MAX];
	size_t len = 0;
	int err;

	err = from_stdin ? read_line(STDIN_FILENO, buf, sizeof(buf), &len)
			 : read_terminal(buf, sizeof(buf), &len);
	if (!err)
		err = secret_init(ret, slice_make(buf, len));
	secret_wipe(buf, sizeof(buf));
	return err;
}
