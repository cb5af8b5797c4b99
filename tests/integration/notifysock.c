/*
 * A service manager's notification socket: notifysock PATH binds it and prints
 * each message as it comes (sd_notify(3)), until it is ended.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char buf[2048];
	ssize_t n;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(a.sun_path)) {
		(void)fprintf(stderr, "usage: notifysock PATH\n");
		return 2;
	}
	memcpy(a.sun_path, argv[1], strlen(argv[1]) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
		perror(argv[1]);
		return 1;
	}
	while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0) {
		(void)printf("%.*s\n", (int)n, buf);
		(void)fflush(stdout);
	}
	return 1;
}
