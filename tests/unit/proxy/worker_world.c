/* The sockets of a worker under test, and what a phone says to it. */
#include "unit/proxy/worker_world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/entropy.h"
#include "priv/channel.h"
#include "priv/keys_wire.h"

struct loop *loop;
struct worker *worker;
struct config *config;
int phone, cm;
int media, store, keys;
struct sockaddr_in listener, stream, core;
struct sockaddr_in peer;
int core_type;
char text[TEXT_MAX];

static struct test_entropy entropy;

/* A socket of this type on loopback; *ret is its address. */
static int bound(int type, struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)ret, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

int udp(struct sockaddr_in *ret)
{
	return bound(SOCK_DGRAM, ret);
}

static struct slice print(char *buf, const char *prefix,
			  const struct sockaddr_in *a)
{
	int n = snprintf(buf, 64, "%s127.0.0.1:%u", prefix,
			 (unsigned)ntohs(a->sin_port));

	return slice_make(buf, (size_t)n);
}

struct config *make_config(const struct sockaddr_in *more)
{
	char l[64], s[64], p[64], c[64], m[64];
	struct slice ip = slice_str("127.0.0.1");
	struct slice dev = slice_str("SEP000000000002");
	struct slice dig = slice_str("SEP000000000003");
	const struct config_tuple t[] = {
		{"listener", slice_str("l"), NULL, SLICE_NULL, "t", 1, false},
		{"listener", slice_str("l"), "address",
		 print(l, "udp:", &listener), "t", 1, false},
		{"listener", slice_str("s"), NULL, SLICE_NULL, "t", 1, false},
		{"listener", slice_str("s"), "address",
		 print(s, "tcp:", &stream), "t", 1, false},
		{"call-manager", slice_str("cm"), NULL, SLICE_NULL, "t", 2,
		 false},
		{"call-manager", slice_str("cm"), "address",
		 print(p, core_type == SOCK_STREAM ? "tcp:" : "udp:", &peer),
		 "t", 2, false},
		{"call-manager", slice_str("cm"), "local-address",
		 print(c, "", &core), "t", 2, false},
		{"media", SLICE_NULL, NULL, SLICE_NULL, "t", 3, false},
		{"media", SLICE_NULL, "outside-address", ip, "t", 3, false},
		{"media", SLICE_NULL, "inside-address", ip, "t", 3, false},
		{"failover", SLICE_NULL, "options-interval", slice_str("0"),
		 "t", 3, false},
		{"device", dev, NULL, SLICE_NULL, "t", 4, false},
		{"device", dev, "lines", slice_str("2002"), "t", 4, false},
		{"device", dev, "security-mode", slice_str("nonsecure"), "t", 4,
		 false},
		{"device", dev, "digest", slice_str("no"), "t", 4, false},
		{"device", dig, NULL, SLICE_NULL, "t", 5, false},
		{"device", dig, "lines", slice_str("2003"), "t", 5, false},
		{"device", dig, "security-mode", slice_str("nonsecure"), "t", 5,
		 false},
		{"device", dig, "digest", slice_str("yes"), "t", 5, false},
		{"device", dig, "digest-user", slice_str("carol"), "t", 5,
		 false},
		{"listener", slice_str("m"), NULL, SLICE_NULL, "t", 6, false},
		{"listener", slice_str("m"), "address",
		 print(m, "udp:", more ? more : &peer), "t", 6, false},
	};
	struct config_report rep;
	struct config *ret = NULL;

	config_report_init(&rep);
	ck_assert_int_eq(config_build(t,
				      sizeof(t) / sizeof(t[0]) - (more ? 0 : 2),
				      "/etc", &rep, &ret),
			 0);
	config_report_done(&rep);
	return ret;
}

int pair(int *ret_ours)
{
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	*ret_ours = fds[1];
	return fds[0];
}

static void on_stats(void *ctx, uint32_t number, const struct flow_stats *s,
		     uint32_t n)
{
	(void)ctx;
	(void)number;
	(void)s;
	(void)n;
}

/* The keys process, which has answered before it is asked. */
static void keys_answer(uint32_t number, enum keys_op op, size_t len)
{
	static const uint8_t data[KEYS_WRAP_LEN + 16] = {1};
	struct keys_answer a = {.number = number,
				.op = (uint8_t)op,
				.data = slice_make(data, len)};
	uint8_t buf[256];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	keys_answer_print(&a, &w);
	ck_assert(writer_ok(&w));
	ck_assert_int_eq(send(keys, buf, w.len, 0), (ssize_t)w.len);
}

void store_says(struct slice what)
{
	ck_assert_int_eq(send(store, what.ptr, what.len, 0), (ssize_t)what.len);
}

void start(struct slice page, struct slice before)
{
	struct sockaddr_in any;
	char why[WORKER_ERR_MAX];
	int fd[] = {udp(&listener), bound(SOCK_STREAM, &stream)};
	int core_fd = bound(core_type, &core);
	struct worker_params p = {
		.listener_fd = fd, .core_fd = &core_fd, .stats = on_stats};

	ck_assert_int_eq(listen(fd[1], 8), 0);
	phone = udp(&any);
	cm = bound(core_type, &peer);
	if (core_type == SOCK_STREAM) {
		ck_assert_int_eq(listen(core_fd, 8), 0);
		ck_assert_int_eq(listen(cm, 8), 0);
	}
	config = make_config(NULL);
	ck_assert_int_eq(loop_new(&loop), 0);
	p.loop = loop;
	p.config = config;
	p.entropy = test_entropy(&entropy, 1);
	p.media_fd = pair(&media);
	p.store_fd = pair(&store);
	p.keys_fd = pair(&keys);
	p.restores = page.len > 0;
	if (p.restores) {
		keys_answer(1, KEYS_OP_NONCE, KEYS_WRAP_LEN + KEYS_BOOT_LEN);
		keys_answer(2, KEYS_OP_NONCE, KEYS_WRAP_LEN + KEYS_BOOT_LEN);
		keys_answer(3, KEYS_OP_WRAP, KEYS_WRAP_LEN + 16);
		if (before.len > 0)
			store_says(before);
		store_says(page);
	}
	ck_assert_msg(worker_new(&p, &worker, why) == 0, "%s", why);
}

void setup(void)
{
	core_type = SOCK_DGRAM;
	start(SLICE_NULL, SLICE_NULL);
}

void teardown(void)
{
	worker_free(worker);
	config_unref(config);
	loop_free(loop);
	(void)close(phone);
	(void)close(cm);
	(void)close(media);
	(void)close(store);
	(void)close(keys);
}

size_t wait_at(int fd)
{
	ssize_t n = -1;

	for (int i = 0; n < 0 && i < WAIT_MS / 10; i++) {
		ck_assert_int_eq(loop_step(loop, 10), 0);
		n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	}
	ck_assert_msg(n >= 0, "nothing came");
	text[n] = '\0';
	return (size_t)n;
}

void says(int fd, const struct sockaddr_in *to, const char *what)
{
	ck_assert_int_eq(sendto(fd, what, strlen(what), 0,
				(const struct sockaddr *)to, sizeof(*to)),
			 (ssize_t)strlen(what));
}

void registration(const char *user, const char *extra, char msg[1024])
{
	static unsigned count;

	(void)snprintf(msg, 1024,
		       "REGISTER sip:127.0.0.1 SIP/2.0\r\n"
		       "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK%u;rport\r\n"
		       "Max-Forwards: 70\r\n"
		       "From: <sip:%s@127.0.0.1>;tag=a\r\n"
		       "To: <sip:%s@127.0.0.1>\r\n"
		       "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n"
		       "Contact: <sip:%s@127.0.0.1>\r\n%s"
		       "Content-Length: 0\r\n\r\n",
		       ++count, user, user, user, extra);
}

void phone_registers(const char *user, const char *extra)
{
	char msg[1024];

	registration(user, extra, msg);
	says(phone, &listener, msg);
}

void cm_accepts(void)
{
	char msg[TEXT_MAX];
	const char *head = strstr(text, "\r\n") + 2;
	size_t len = strlen(head) - 4;

	(void)snprintf(msg, sizeof(msg), "SIP/2.0 200 OK\r\n%.*s\r\n\r\n",
		       (int)len, head);
	says(cm, &core, msg);
}
