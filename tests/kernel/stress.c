/*
 * stress SECONDS [SEED]: two processors at odds over the flows of nf_srtp, in
 * the laboratory's virtual machine. One sends and receives: SRTP of phones,
 * plain RTP of the other side, forged packets, packets it sent before. The
 * other adds streams, changes keys and destinations, holds, joins, parts,
 * queries and removes them, at random from a printed seed. Wrong is: what
 * decrypts under no key the stream has lately had, what arrives twice, a
 * payload that nobody sent, a refusal, and silence. That the kernel itself has
 * nothing to complain of is for the caller to see.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/log.h"
#include "media/kernel.h"
#include "rtp/srtp.h"

enum {
	STREAMS = 12,
	KEYS = 64,	/* generations whose packets may still be on the way */
	AHEAD = 16,	/* at most so many before the other thread has looked */
	SEEN = 1 << 14, /* packets that are remembered */
	PORT = 40000,	/* first port, here and there */
	LEN = 172,
	PARTIES = 3 /* phone, other side, another other side */
};

struct stream {
	struct flow_key up[KEYS], down[KEYS];
	atomic_uint written; /* keys of this generation may be in use */
	atomic_uint gen;     /* keys of this generation are */
	atomic_uint target;  /* which of the other sides: 1, 2 */
	atomic_uint heard; /* all that came before this generation was taken */
	/* Of the controlling thread. */
	struct flow flow[2];
	bool is_there;
	int joined; /* -1 = not */
	/* Of the sending thread. */
	int fd[PARTIES];
	struct rtp_srtp *out, *in[KEYS];
	unsigned out_gen, in_gen[KEYS];
	uint16_t seq[2];
	uint8_t last[LEN + 32];
	size_t last_len;
};

static struct stream stream[STREAMS];
static atomic_bool is_over;
static atomic_uint failures;
static uint64_t sent, heard[2], forged, replayed, done_ops[8];
static uint64_t seen[SEEN], counter;

static void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	(void)putchar('\n');
	va_end(ap);
	if (atomic_fetch_add(&failures, 1) > 10)
		exit(EXIT_FAILURE);
}

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(draw(state) >> 20) % n;
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		fail("no processor %u", cpu);
}

static struct addr at(uint8_t last, uint32_t port)
{
	return (struct addr){ADDR_V4, {10, 9, 0, last}, (uint16_t)port};
}

static struct addr relay_at(int i, int leg)
{
	return at(1, PORT + 4u * (unsigned)i + 2u * (unsigned)leg);
}

static struct addr party_at(int i, unsigned party)
{
	return at(2, PORT + 8u * (unsigned)i + 2 * party);
}

/* --- one processor ------------------------------------------------------- */

static void open_parties(int i)
{
	for (unsigned p = 0; p < PARTIES; p++) {
		struct addr a = party_at(i, p);
		struct sockaddr_storage ss;
		socklen_t len = addr_to_sockaddr(&a, &ss);
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		if (bind(fd, (struct sockaddr *)&ss, len) != 0)
			fail("cannot bind port %u", a.port);
		stream[i].fd[p] = fd;
	}
}

static void send_to(int i, unsigned party, const uint8_t *buf, size_t len)
{
	struct addr to = relay_at(i, party == 0);
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(&to, &ss);

	if (sendto(stream[i].fd[party], buf, len, 0, (struct sockaddr *)&ss,
		   ss_len) > 0)
		sent++;
}

/* The payload says which packet it is, over and over. */
static size_t make(int i, int which, uint8_t *buf)
{
	struct stream *s = &stream[i];
	uint16_t seq = s->seq[which]++;

	memset(buf, 0, LEN);
	buf[0] = 0x80;
	buf[2] = (uint8_t)(seq >> 8);
	buf[3] = (uint8_t)seq;
	buf[11] = (uint8_t)(i + 1);
	counter++;
	for (int at8 = 12; at8 < LEN; at8 += 8)
		memcpy(buf + at8, &counter, 8);
	return LEN;
}

static void phone_sends(int i, uint64_t *rnd)
{
	struct stream *s = &stream[i];
	unsigned gen = atomic_load(&s->gen);
	uint8_t buf[LEN + 32];
	size_t len;

	if (gen == 0)
		return;
	if (s->out_gen != gen) {
		rtp_srtp_free(s->out);
		s->out = rtp_srtp_new(&s->up[gen % KEYS]);
		s->out_gen = gen;
	}
	if (below(rnd, 16) == 0 && s->last_len > 0) {
		send_to(i, 0, s->last, s->last_len);
		replayed++;
		return;
	}
	len = make(i, 0, buf);
	if (rtp_srtp_protect(s->out, buf, len, sizeof(buf), &len) != 0) {
		fail("cannot protect");
		return;
	}
	memcpy(s->last, buf, len);
	s->last_len = len;
	if (below(rnd, 16) == 0) {
		buf[20] ^= 1;
		send_to(i, 0, buf, len);
		forged++;
		return;
	}
	send_to(i, 0, buf, len);
}

static void other_sends(int i)
{
	uint8_t buf[LEN + 32];

	send_to(i, atomic_load(&stream[i].target), buf, make(i, 1, buf));
}

static void check_payload(const uint8_t *buf, size_t len)
{
	uint64_t n, m;

	if (len != LEN) {
		fail("%zu bytes arrived", len);
		return;
	}
	memcpy(&n, buf + 12, 8);
	for (int at8 = 12; at8 < LEN; at8 += 8) {
		memcpy(&m, buf + at8, 8);
		if (m != n || n > counter) {
			fail("a payload that nobody sent");
			return;
		}
	}
	if (seen[n % SEEN] == n)
		fail("packet %llu arrived twice", (unsigned long long)n);
	seen[n % SEEN] = n;
}

static bool opens(struct stream *s, unsigned gen, uint8_t *buf, size_t *len)
{
	unsigned k = gen % KEYS;

	if (gen == 0)
		return false;
	if (s->in_gen[k] != gen) {
		rtp_srtp_free(s->in[k]);
		s->in[k] = rtp_srtp_new(&s->down[k]);
		s->in_gen[k] = gen;
	}
	return rtp_srtp_unprotect(s->in[k], buf, *len, len) == 0;
}

/* The key may be one that is about to be announced, or was one before. */
static void phone_hears(int i, const uint8_t *packet, size_t len)
{
	struct stream *s = &stream[i];
	unsigned gen = atomic_load(&s->written);
	uint8_t buf[512];

	for (int back = 0; back < KEYS - 2 && gen > 0; back++, gen--) {
		size_t n = len;

		memcpy(buf, packet, len);
		if (!opens(s, gen, buf, &n))
			continue;
		check_payload(buf, n);
		heard[1]++;
		return;
	}
	fail("stream %d: a packet under no key, or for the second time", i);
}

static void receive_all(int i)
{
	unsigned gen = atomic_load(&stream[i].written);
	uint8_t buf[512];
	ssize_t n;

	for (int p = 0; p < PARTIES; p++) {
		while ((n = recv(stream[i].fd[p], buf, sizeof(buf), 0)) > 0) {
			if (p == 0) {
				phone_hears(i, buf, (size_t)n);
			} else {
				check_payload(buf, (size_t)n);
				heard[0]++;
			}
		}
	}
	atomic_store(&stream[i].heard, gen);
}

static void *traffic(void *arg)
{
	uint64_t rnd = *(const uint64_t *)arg ^ 0x9e3779b97f4a7c15u;
	int there = open("/run/netns/gen", O_RDONLY);

	pin(0);
	if (there < 0 || setns(there, CLONE_NEWNET) != 0)
		fail("no namespace \"gen\"");
	for (int i = 0; i < STREAMS; i++)
		open_parties(i);
	while (!atomic_load(&is_over)) {
		int i = (int)below(&rnd, STREAMS);

		phone_sends(i, &rnd);
		other_sends(i);
		receive_all((int)below(&rnd, STREAMS));
		receive_all(i);
	}
	return NULL;
}

/* --- the other ------------------------------------------------------------ */

static void new_key(struct flow_key *k, uint64_t *rnd)
{
	static const enum suite suites[] = {
		SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AES_CM_128_HMAC_SHA1_32,
		SUITE_AEAD_AES_128_GCM, SUITE_AES_256_CM_HMAC_SHA1_80,
		SUITE_AEAD_AES_256_GCM};

	*k = (struct flow_key){.suite = suites[below(rnd, 5)]};
	for (int i = 0; i < SUITE_KEY_MAX; i++)
		k->key[i] = (uint8_t)draw(rnd);
	for (int i = 0; i < SUITE_SALT_MAX; i++)
		k->salt[i] = (uint8_t)draw(rnd);
}

/* The keys of the next generation, known to the other thread before the kernel
 * has them, and announced when it has. */
static unsigned next_keys(struct stream *s, uint64_t *rnd)
{
	unsigned gen = atomic_load(&s->written) + 1;

	new_key(&s->up[gen % KEYS], rnd);
	new_key(&s->down[gen % KEYS], rnd);
	s->flow[0].out = s->down[gen % KEYS];
	s->flow[1].in = s->up[gen % KEYS];
	atomic_store(&s->written, gen);
	return gen;
}

static void set_target(int i, unsigned target)
{
	stream[i].flow[0].remote = party_at(i, target);
	stream[i].flow[0].remote_rtcp = (struct addr){.family = ADDR_NONE};
}

static int op_add(struct media_backend *b, int i, uint64_t *rnd)
{
	struct stream *s = &stream[i];
	unsigned gen = next_keys(s, rnd);
	int err;

	for (int leg = 0; leg < 2; leg++) {
		struct flow *f = &s->flow[leg];

		f->id = 2u * (unsigned)i + (unsigned)leg + 1;
		f->peer_id = 2u * (unsigned)i + 2 - (unsigned)leg;
		f->local = relay_at(i, leg);
		f->is_blocked = false;
	}
	s->flow[1].remote = party_at(i, 0);
	s->flow[1].latch = below(rnd, 2) ? FLOW_LATCH_NAT : FLOW_LATCH_OFF;
	set_target(i, atomic_load(&s->target));
	err = b->ops->add(b, 1, s->flow, 2);
	if (!err) {
		s->is_there = true;
		atomic_store(&s->gen, gen);
	}
	return err;
}

static int update_both(struct media_backend *b, struct stream *s)
{
	int err = b->ops->update(b, 1, &s->flow[0]);

	return err ? err : b->ops->update(b, 1, &s->flow[1]);
}

static int op_rekey(struct media_backend *b, int i, uint64_t *rnd)
{
	struct stream *s = &stream[i];
	unsigned gen = next_keys(s, rnd);
	int err = update_both(b, s);

	if (!err)
		atomic_store(&s->gen, gen);
	return err;
}

static int op_retarget(struct media_backend *b, int i, uint64_t *rnd)
{
	struct stream *s = &stream[i];
	unsigned target = 1 + below(rnd, 2);
	int err;

	set_target(i, target);
	err = update_both(b, s);
	if (!err)
		atomic_store(&s->target, target);
	return err;
}

static int op_hold(struct media_backend *b, int i, uint64_t *rnd)
{
	stream[i].flow[0].is_blocked = below(rnd, 4) == 0;
	return update_both(b, &stream[i]);
}

static void forget_join(int i)
{
	int far = stream[i].joined;

	if (far >= 0)
		stream[far].joined = -1;
	stream[i].joined = -1;
}

static int op_remove(struct media_backend *b, int i, uint64_t *rnd)
{
	struct stream *s = &stream[i];
	int first = (int)below(rnd, 2);
	int err = b->ops->remove(b, 1, s->flow[first].id, NULL);

	if (!err)
		err = b->ops->remove(b, 1, s->flow[1 - first].id, NULL);
	s->is_there = false;
	forget_join(i);
	return err;
}

static int op_join(struct media_backend *b, int i, uint64_t *rnd)
{
	int j = (int)below(rnd, STREAMS);
	uint64_t flow[2] = {1, stream[i].flow[0].id};
	uint64_t far[2] = {1, stream[j].flow[0].id};
	int err;

	if (i == j || !stream[j].is_there)
		return 0;
	if (stream[i].joined >= 0) {
		b->ops->part(b, flow);
		forget_join(i);
		return 0;
	}
	if (stream[j].joined >= 0)
		return 0;
	err = b->ops->join(b, flow, far);
	if (!err) {
		stream[i].joined = j;
		stream[j].joined = i;
	}
	return err;
}

static int op_query(struct media_backend *b, int i, uint64_t *rnd)
{
	struct flow_stats st;

	return b->ops->query(b, 1, stream[i].flow[below(rnd, 2)].id, &st);
}

/* All flows are listed, as by a process that comes after this one. */
static int op_dump(const struct media_kernel_params *p)
{
	struct media_backend *b;
	char why[MEDIA_WHY_MAX];
	int err = media_kernel_new(p, &b, why);

	if (!err)
		b->ops->free(b);
	return err;
}

static int one(struct media_backend *b, const struct media_kernel_params *p,
	       uint64_t *rnd)
{
	static int (*const op[])(struct media_backend *, int, uint64_t *) = {
		op_rekey,  op_rekey, op_retarget, op_hold,
		op_remove, op_join,  op_query};
	int i = (int)below(rnd, STREAMS);
	uint32_t which = below(rnd, 8);
	int err;

	/* An emulated processor may stand still for long: nobody could tell
	 * under which key a packet is that waits there. */
	if (atomic_load(&stream[i].written) >
	    atomic_load(&stream[i].heard) + AHEAD)
		return 0;
	if (!stream[i].is_there) {
		done_ops[4]++;
		return op_add(b, i, rnd);
	}
	done_ops[which]++;
	err = which == 7 ? op_dump(p) : op[which](b, i, rnd);
	if (err)
		fail("operation %u on stream %d: %s", which, i, err_str(err));
	return err;
}

static uint64_t now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

static void control(const struct media_kernel_params *p, uint64_t seconds,
		    uint64_t *rnd)
{
	uint64_t end = now_s() + seconds;
	struct media_backend *b;
	struct media_event e;
	char why[MEDIA_WHY_MAX];
	int err;

	pin(1);
	if (media_kernel_new(p, &b, why) != 0) {
		fail("%s", why);
		return;
	}
	while (now_s() < end) {
		err = one(b, p, rnd);
		if (err)
			fail("%s", err_str(err));
		while (b->ops->next_event(b, &e))
			continue;
	}
	atomic_store(&is_over, true);
	b->ops->flush(b, 1);
	b->ops->free(b);
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 120;
	uint64_t seed =
		argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	uint64_t rnd = seed * 2 + 1;
	struct media_kernel_params p = {.instance = seed << 16, .lease_s = 600};
	pthread_t thread;

	log_init("stress", LOG_LEVEL_WARN);
	(void)printf("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < STREAMS; i++) {
		stream[i].joined = -1;
		stream[i].seq[0] = stream[i].seq[1] = 65000;
		atomic_store(&stream[i].target, 1);
	}
	if (pthread_create(&thread, NULL, traffic, &seed) != 0)
		return EXIT_FAILURE;
	control(&p, seconds, &rnd);
	atomic_store(&is_over, true);
	(void)pthread_join(thread, NULL);
	(void)printf("%llu packets sent, %llu and %llu heard, %llu forged, "
		     "%llu played back; %llu times everything was listed\n",
		     (unsigned long long)sent, (unsigned long long)heard[0],
		     (unsigned long long)heard[1], (unsigned long long)forged,
		     (unsigned long long)replayed,
		     (unsigned long long)done_ops[7]);
	if (heard[0] < seconds || heard[1] < seconds || done_ops[7] == 0)
		fail("hardly anything happened");
	return atomic_load(&failures) ? EXIT_FAILURE : EXIT_SUCCESS;
}
