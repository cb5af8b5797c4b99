/* The call manager: answers every request over UDP at once; and the caller
 * who asks it directly, for comparison. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

static const char sdp[] = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\n"
			  "c=IN IP4 127.0.0.1\r\nt=0 0\r\n"
			  "m=audio 42000 RTP/AVP 0\r\n";

/* Copy all header lines called name of msg to the end of buf. */
static size_t copy(const char *msg, const char *name, const char *more,
		   char *buf, size_t cap)
{
	size_t n = 0;

	for (const char *h = header_of(msg, name); h; h = header_of(h, name)) {
		size_t len = strcspn(h, "\r");

		n += (size_t)snprintf(buf + n, cap - n, "%.*s%s\r\n", (int)len,
				      h, more);
		h += len;
	}
	return n;
}

static void respond(int fd, const struct sockaddr_in *to, const char *msg,
		    const char *status, const char *self)
{
	bool is_invite = strncmp(msg, "INVITE ", 7) == 0;
	bool has_sdp = is_invite && strncmp(status, "200", 3) == 0;
	const char *t = header_of(msg, "To:");
	bool has_tag = t && memmem(t, strcspn(t, "\r"), ";tag=", 5);
	static char buf[MSG_MAX];
	size_t n;

	n = (size_t)snprintf(buf, sizeof(buf), "SIP/2.0 %s\r\n", status);
	n += copy(msg, "Via:", "", buf + n, sizeof(buf) - n);
	n += copy(msg, "Record-Route:", "", buf + n, sizeof(buf) - n);
	n += copy(msg, "From:", "", buf + n, sizeof(buf) - n);
	n += copy(msg, "To:", has_tag ? "" : ";tag=cm", buf + n,
		  sizeof(buf) - n);
	n += copy(msg, "Call-ID:", "", buf + n, sizeof(buf) - n);
	n += copy(msg, "CSeq:", "", buf + n, sizeof(buf) - n);
	if (is_invite)
		n += (size_t)snprintf(buf + n, sizeof(buf) - n,
				      "Contact: <sip:cm@%s>\r\n", self);
	else
		n += copy(msg, "Contact:", ";expires=3600", buf + n,
			  sizeof(buf) - n);
	n += (size_t)snprintf(
		buf + n, sizeof(buf) - n, "%sContent-Length: %zu\r\n\r\n%s",
		has_sdp ? "Content-Type: application/sdp\r\n" : "",
		has_sdp ? strlen(sdp) : 0, has_sdp ? sdp : "");
	(void)sendto(fd, buf, n, 0, (const struct sockaddr *)to, sizeof(*to));
}

static int udp(const char *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = 8 << 20;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (address) {
		struct sockaddr_in a = address_of(address);

		if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
			die("bind %s: %m", address);
	}
	return fd;
}

void cm_run(const char *address)
{
	int fd = udp(address);

	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		static char msg[MSG_MAX];
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, msg, sizeof(msg) - 1, 0,
				     (struct sockaddr *)&from, &len);

		if (n <= 0)
			continue;
		msg[n] = 0;
		if (strncmp(msg, "SIP/2.0", 7) == 0 ||
		    strncmp(msg, "ACK ", 4) == 0)
			continue;
		if (strncmp(msg, "INVITE ", 7) == 0)
			respond(fd, &from, msg, "180 Ringing", address);
		respond(fd, &from, msg, "200 OK", address);
	}
}

static void send_to(int fd, const struct sockaddr_in *to, const char *method,
		    unsigned call, const char *self)
{
	bool has_sdp = strcmp(method, "INVITE") == 0;
	static char msg[MSG_MAX];
	int n = snprintf(msg, sizeof(msg),
			 "%s sip:9@cm SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP %s;branch=z9hG4bK%u%s\r\n"
			 "From: <sip:1@load>;tag=%u\r\nTo: <sip:9@cm>%s\r\n"
			 "Call-ID: %u\r\nCSeq: %u %s\r\nContact: <sip:1@%s>\r\n"
			 "Max-Forwards: 70\r\n%sContent-Length: %zu\r\n\r\n%s",
			 method, self, call, method, call,
			 has_sdp ? "" : ";tag=cm", call,
			 strcmp(method, "BYE") == 0 ? 2 : 1, method, self,
			 has_sdp ? "Content-Type: application/sdp\r\n" : "",
			 has_sdp ? strlen(sdp) : 0, has_sdp ? sdp : "");

	(void)sendto(fd, msg, (size_t)n, 0, (const struct sockaddr *)to,
		     sizeof(*to));
}

static void direct_call(struct load *l, int fd, const struct sockaddr_in *to,
			unsigned call)
{
	uint64_t begun = now_us();
	static char msg[MSG_MAX];

	send_to(fd, to, "INVITE", call, "127.0.0.1");
	l->calls_begun++;
	for (;;) {
		struct pollfd pfd = {fd, POLLIN, 0};
		ssize_t n = poll(&pfd, 1, 1000) == 1
				    ? recv(fd, msg, sizeof(msg) - 1, 0)
				    : -1;

		if (n < 0) {
			l->calls_failed++;
			return;
		}
		msg[n] = 0;
		if (strncmp(msg, "SIP/2.0 180", 11) == 0)
			sample(l, begun);
		else if (header_of(msg, "Content-Type:"))
			break;
	}
	send_to(fd, to, "ACK", call, "127.0.0.1");
	send_to(fd, to, "BYE", call, "127.0.0.1");
	l->calls_done++;
}

void cm_direct(struct load *l, const char *address, unsigned rate,
	       unsigned seconds)
{
	struct sockaddr_in to = address_of(address);
	int fd = udp(NULL);
	uint64_t due = now_us();

	for (unsigned i = 0; i < rate * seconds; i++) {
		uint64_t now = now_us();

		if (now < due)
			(void)usleep((useconds_t)(due - now));
		due += 1000000 / rate;
		direct_call(l, fd, &to, i);
	}
	(void)close(fd);
}
