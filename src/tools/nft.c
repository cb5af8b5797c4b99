#include "tools/nft.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* nft with fds[0] as its standard input. */
static int start(const int fds[2], pid_t *ret)
{
	static char name[] = "nft", file[] = "-f", in[] = "-";
	char *const argv[] = {name, file, in, NULL};
	posix_spawn_file_actions_t a;
	int err = posix_spawn_file_actions_init(&a);

	if (err)
		return err;
	err = posix_spawn_file_actions_adddup2(&a, fds[0], STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addclose(&a, fds[1]);
	if (!err)
		err = posix_spawnp(ret, name, &a, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&a);
	return err;
}

/* An nft that ends early says why itself, and its status does. */
static void write_lines(int fd, const json_t *rows)
{
	FILE *f = fdopen(fd, "w");
	const json_t *row;
	size_t i;

	if (!f) {
		(void)close(fd);
		return;
	}
	json_array_foreach(rows, i, row)
	{
		const char *line =
			json_string_value(json_object_get(row, "csv"));

		if (line)
			(void)fprintf(f, "%s\n", line);
	}
	(void)fclose(f);
}

int nft_apply(const json_t *rows)
{
	int fds[2];
	int status;
	pid_t pid;
	int err;

	if (pipe(fds) < 0)
		return errno;
	(void)signal(SIGPIPE, SIG_IGN);
	err = start(fds, &pid);
	(void)close(fds[0]);
	if (err) {
		(void)close(fds[1]);
		return err;
	}
	write_lines(fds[1], rows);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EIO;
}
