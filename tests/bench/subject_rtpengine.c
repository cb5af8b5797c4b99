/* rtpengine's daemon in user space, driven by its ng protocol: a datagram of
 * a cookie, a blank and a bencoded dictionary; the answer has the cookie. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/b64.h"
#include "bench.h"

enum { NG_PORT = 2223, MSG_MAX = 8192 };

/* The bench is one thread and one relay at a time. */
static int ng = -1;
static char msg[MSG_MAX], answer[MSG_MAX];

static void ask(const char *dict)
{
	static unsigned cookie;
	char want[32];
	int n;

	(void)snprintf(want, sizeof(want), "%d_%u ", (int)getpid(), ++cookie);
	n = snprintf(msg, sizeof(msg), "%s%s", want, dict);
	/* A repeated cookie gets the cached answer, so asking again when
	 * nothing came within the socket's timeout is safe. An emulated
	 * processor takes seconds to start it. */
	for (int i = 0; i < 1000; i++) {
		ssize_t len;

		(void)send(ng, msg, (size_t)n, 0);
		len = recv(ng, answer, MSG_MAX - 1, 0);
		if (len <= 0) {
			struct timespec ts = {0, 50000000};

			(void)nanosleep(&ts, NULL);
			continue;
		}
		answer[len] = 0;
		if (strncmp(answer, want, strlen(want)) == 0)
			return;
	}
	die("rtpengine does not answer");
}

/* table: of the kernel module; -1: in user space. */
static void child(int table)
{
	char interface[ADDR_STR_MAX + 16], ip[ADDR_STR_MAX], option[32];
	bool is_verbose = getenv("BENCH_VERBOSE");
	struct writer w;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(CPU_RELAY);
	if (!freopen("/dev/null", "w", stdout) ||
	    (!is_verbose && !freopen("/dev/null", "w", stderr)))
		_exit(1);
	writer_init(&w, (uint8_t *)ip, sizeof(ip) - 1);
	addr_print_ip(&w, &setup.host);
	(void)snprintf(interface, sizeof(interface), "--interface=%.*s",
		       (int)w.len, ip);
	(void)snprintf(option, sizeof(option), "--table=%d", table);
	(void)execlp(
		"rtpengine", "rtpengine", option, "--no-fallback", interface,
		"--listen-ng=127.0.0.1:2223", "--port-min=30000",
		"--port-max=40000", "--num-threads=1", "--media-num-threads=0",
		"--endpoint-learning=immediate", "--foreground", "--log-stderr",
		is_verbose ? "--log-level=7" : "--log-level=4", (char *)NULL);
	_exit(127);
}

static pid_t start_with(int table)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(NG_PORT),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval tv = {.tv_usec = 200000};
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %m");
	if (pid == 0)
		child(table);
	ng = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(ng, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(ng, (struct sockaddr *)&a, sizeof(a)))
		die("connect: %m");
	ask("d7:command4:pinge");
	return pid;
}

static pid_t start(void)
{
	return start_with(-1);
}

static pid_t start_kernel(void)
{
	return start_with(0);
}

static unsigned port_of(void)
{
	const char *m = strstr(answer, "m=audio ");

	if (!m)
		die("rtpengine refused: %s", answer);
	return (unsigned)strtoul(m + 8, NULL, 10);
}

/* The key and the tag of the suite we measure, from the answered offer. */
static unsigned long key_of(struct flow_key *ret)
{
	const struct suite_info *info = suite_info(setup.suite);
	char name[64], text[SUITE_INLINE_MAX * 2] = "";
	uint8_t raw[SUITE_INLINE_MAX];
	const char *at, *tag;
	size_t len;

	(void)snprintf(name, sizeof(name), " %s inline:", info->name);
	at = strstr(answer, name);
	if (!at)
		die("no key in: %s", answer);
	len = strspn(at + strlen(name),
		     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		     "0123456789+/");
	if (len > sizeof(text) - 4)
		die("no key in: %s", answer);
	memcpy(text, at + strlen(name), len);
	while (len % 4)
		text[len++] = '=';
	if (b64_decode(slice_make(text, len), raw, sizeof(raw), &len) ||
	    len != (size_t)info->key_len + info->salt_len)
		die("no key in: %s", answer);
	for (tag = at; tag[-1] != ':'; tag--)
		continue;
	*ret = (struct flow_key){.suite = setup.suite};
	memcpy(ret->key, raw, info->key_len);
	memcpy(ret->salt, raw + info->key_len, info->salt_len);
	return strtoul(tag, NULL, 10);
}

static void __attribute__((format(printf, 2, 3)))
command(const char *head, const char *fmt, ...)
{
	char sdp[1024], dict[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(sdp, sizeof(sdp), fmt, ap);
	va_end(ap);
	(void)snprintf(dict, sizeof(dict),
		       "d%s3:sdp%d:%s3:ICE6:remove4:DTLS3:off"
		       "5:flagsl13:trust-addresse7:replacel6:origin"
		       "18:session-connectionee",
		       head, n, sdp);
	ask(dict);
}

/* The generator's own key, for the answer. */
static int key_text(const struct flow_key *k, char text[64])
{
	const struct suite_info *info = suite_info(k->suite);
	uint8_t master[SUITE_INLINE_MAX];
	struct writer w;

	memcpy(master, k->key, info->key_len);
	memcpy(master + info->key_len, k->salt, info->salt_len);
	writer_init(&w, (uint8_t *)text, 64);
	b64_encode(&w,
		   slice_make(master, (size_t)info->key_len + info->salt_len));
	return (int)w.len;
}

/* c= of a leg's SDP. */
static const char *connection(const struct call *c, char ret[ADDR_STR_MAX])
{
	struct writer w;

	writer_init(&w, (uint8_t *)ret, ADDR_STR_MAX - 1);
	addr_print_ip(&w, &c->self[0]);
	ret[w.len] = '\0';
	return ret;
}

static void call_add(unsigned i, struct call *c)
{
	char head[256], id[16], text[64], ip[ADDR_STR_MAX];
	unsigned long tag;
	int n = snprintf(id, sizeof(id), "c%u", i);

	(void)snprintf(head, sizeof(head),
		       "7:command5:offer7:call-id%d:%s8:from-tag1:A"
		       "18:transport-protocol8:RTP/SAVP",
		       n, id);
	command(head,
		"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
		"c=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/AVP 0\r\n"
		"a=sendrecv\r\n",
		connection(c, ip), c->self[0].port);
	c->relay[1] = addr_with_port(&setup.host, (uint16_t)port_of());
	tag = key_of(&c->from_relay);
	c->to_relay = c->from_relay;
	c->to_relay.key[0] ^= 0xff;
	(void)snprintf(head, sizeof(head),
		       "7:command6:answer7:call-id%d:%s8:from-tag1:A"
		       "6:to-tag1:B18:transport-protocol7:RTP/AVP",
		       n, id);
	command(head,
		"v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\n"
		"c=IN IP4 %s\r\nt=0 0\r\nm=audio %u RTP/SAVP 0\r\n"
		"a=crypto:%lu %s inline:%.*s\r\n"
		"a=sendrecv\r\n",
		connection(c, ip), c->self[1].port, tag,
		suite_info(setup.suite)->name, key_text(&c->to_relay, text),
		text);
	c->relay[0] = addr_with_port(&setup.host, (uint16_t)port_of());
}

static void stop(pid_t pid)
{
	(void)close(ng);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

const struct subject subject_rtpengine = {
	.name = "rtpengine 10.5 userspace",
	.start = start,
	.call_add = call_add,
	.stop = stop,
};

const struct subject subject_rtpengine_kernel = {
	.name = "xt_RTPENGINE 10.5",
	.start = start_kernel,
	.call_add = call_add,
	.stop = stop,
};
