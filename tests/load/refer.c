/*
 * A trunk's peer and the call manager behind Sallyport in one: sends REFER
 * requests outside of dialogs from the one, takes them at the other, declines
 * each (603), and waits for the answer to come back.
 *
 *	refer PEER:PORT SALLYPORT:PORT CM:PORT COUNT
 *
 * Prints the number of whole requests: out, through, and back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/writer.h"

enum { AT_ONCE = 8, TEXT_MAX = 1500, PATIENCE_MS = 3000 };

static void fail(const char *what)
{
	(void)fprintf(stderr, "refer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct addr address(const char *text)
{
	struct addr a;

	if (addr_parse(slice_str(text), 0, &a) != 0)
		fail(text);
	return a;
}

static int open_at(const char *text)
{
	struct addr a = address(text);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) != 0)
		fail(text);
	return fd;
}

struct refer {
	int peer, core;
	const char *from, *to; /* addresses as text */
	struct sockaddr_storage sallyport;
	socklen_t sallyport_len;
	unsigned sent, done, count;
};

static void ask(struct refer *r)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text),
			 "REFER sip:1001@%s SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP %s;branch=z9hG4bK-%d-%u\r\n"
			 "Max-Forwards: 70\r\n"
			 "From: <sip:click@%s>;tag=%u\r\n"
			 "To: <sip:1001@%s>\r\n"
			 "Call-ID: %d-%u@bench\r\n"
			 "CSeq: 1 REFER\r\n"
			 "Contact: <sip:click@%s>\r\n"
			 "Refer-To: <sip:2002@%s>\r\n"
			 "Content-Length: 0\r\n\r\n",
			 r->to, r->from, (int)getpid(), r->sent, r->from,
			 r->sent, r->to, (int)getpid(), r->sent, r->from,
			 r->to);

	if (sendto(r->peer, text, (size_t)n, 0, (void *)&r->sallyport,
		   r->sallyport_len) < 0)
		fail("send");
	r->sent++;
}

/* The header line that begins with name, without its end. */
static void copy_line(const char *text, const char *name, struct writer *w)
{
	const char *at = strstr(text, name);

	if (at)
		writer_bytes(w, at, strcspn(at, "\r\n"));
}

/* 603 to what came at the call manager; anything else is not for us. */
static void decline(const struct refer *r)
{
	static const char *const lines[] = {
		"Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "};
	char text[TEXT_MAX], out[TEXT_MAX];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t got = recvfrom(r->core, text, sizeof(text) - 1, 0,
			       (void *)&from, &len);
	struct writer w;

	if (got <= 0 || strncmp(text, "REFER ", 6) != 0)
		return;
	text[got] = '\0';
	writer_init(&w, out, sizeof(out));
	writer_str(&w, "SIP/2.0 603 Decline\r\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		copy_line(text, lines[i], &w);
		writer_str(&w, strcmp(lines[i], "To: ") == 0 ? ";tag=cm\r\n"
							     : "\r\n");
	}
	writer_str(&w, "Content-Length: 0\r\n\r\n");
	if (sendto(r->core, out, w.len, 0, (void *)&from, len) < 0)
		fail("answer");
}

static void take(struct refer *r)
{
	char text[TEXT_MAX];
	ssize_t n = recv(r->peer, text, sizeof(text) - 1, 0);

	if (n < 12)
		return;
	text[n] = '\0';
	if (strncmp(text, "SIP/2.0 603 ", 12) == 0)
		r->done++;
	else if (strncmp(text, "SIP/2.0 1", 9) != 0) {
		(void)fprintf(stderr, "refer: not declined:\n%s", text);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct refer r = {.count = 0};
	struct addr a;
	struct pollfd p[2];

	if (argc != 5) {
		(void)fprintf(stderr, "usage: refer PEER SALLYPORT CM COUNT\n");
		return 2;
	}
	r.from = argv[1];
	r.to = argv[2];
	r.peer = open_at(argv[1]);
	r.core = open_at(argv[3]);
	r.count = (unsigned)strtoul(argv[4], NULL, 10);
	a = address(argv[2]);
	r.sallyport_len = addr_to_sockaddr(&a, &r.sallyport);
	p[0] = (struct pollfd){.fd = r.peer, .events = POLLIN};
	p[1] = (struct pollfd){.fd = r.core, .events = POLLIN};
	while (r.done < r.count) {
		while (r.sent < r.count && r.sent - r.done < AT_ONCE)
			ask(&r);
		if (poll(p, 2, PATIENCE_MS) <= 0)
			fail("no answer");
		if (p[1].revents)
			decline(&r);
		if (p[0].revents)
			take(&r);
	}
	(void)printf("requests=%u\n", r.done);
	return 0;
}
