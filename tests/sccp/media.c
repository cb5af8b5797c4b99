/* See peer.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

enum {
	HEADER = 12,
	PAYLOAD = MEDIA_FRAME,
	PACKET_MS = 20,
	PACKET_MAX = 1500,
	LATE_MS = 200 /* more than this late, and packets are left out */
};

struct media {
	int fd;
	struct sockaddr_in address, to;
	uint32_t tag; /* the first bytes of what it says */
	uint32_t ssrc, noise;
	uint16_t sequence;
	uint32_t timestamp;
	bool is_sending, is_receiving;
	uint64_t next_ms;
	srtp_t in, out; /* NULL: RTP */
	bool has_last;
	uint8_t last[PAYLOAD]; /* heard */
	struct media_count count;
};

struct media *media_new(struct in_addr address, const char *name)
{
	struct media *m = calloc(1, sizeof(*m));
	socklen_t len = sizeof(m->address);
	static uint32_t made;

	if (!m)
		die("no memory");
	m->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	m->address = (struct sockaddr_in){.sin_family = AF_INET,
					  .sin_addr = address};
	if (m->fd < 0 ||
	    bind(m->fd, (struct sockaddr *)&m->address, sizeof(m->address)) ||
	    getsockname(m->fd, (struct sockaddr *)&m->address, &len))
		die("cannot open a media socket: %m");
	m->tag = hash_of(name);
	made++;
	m->ssrc = m->tag ^ (made * 2654435761u);
	m->noise = m->ssrc | 1;
	m->sequence = (uint16_t)m->ssrc;
	return m;
}

struct media *media_free(struct media *m)
{
	if (!m)
		return NULL;
	media_receive_stop(m);
	media_send_stop(m);
	(void)close(m->fd);
	free(m);
	return NULL;
}

int media_fd(const struct media *m)
{
	return m->fd;
}

struct sockaddr_in media_address(const struct media *m)
{
	return m->address;
}

int srtp_begin(void)
{
	return srtp_init() != srtp_err_status_ok;
}

static bool context(const struct media_key *key, srtp_ssrc_type_t which,
		    srtp_t *ret)
{
	srtp_policy_t policy = {.ssrc = {.type = which}};
	uint8_t master[MASTER_LEN];

	*ret = NULL;
	if (key->algorithm == 0)
		return true;
	if (key->algorithm == 1)
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
	else if (key->algorithm == 2)
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
	else
		return false;
	srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
	memcpy(master, key->master, sizeof(master));
	policy.key = master;
	policy.window_size = 1024;
	return srtp_create(ret, &policy) == srtp_err_status_ok;
}

static void drop(srtp_t *s)
{
	if (*s)
		(void)srtp_dealloc(*s);
	*s = NULL;
}

bool media_receive(struct media *m, const struct media_key *key)
{
	drop(&m->in);
	m->is_receiving = context(key, ssrc_any_inbound, &m->in);
	return m->is_receiving;
}

void media_receive_stop(struct media *m)
{
	drop(&m->in);
	m->is_receiving = false;
}

bool media_send(struct media *m, struct sockaddr_in to,
		const struct media_key *key)
{
	drop(&m->out);
	/* A new key begins a new stream: never one key stream for two. */
	m->ssrc = m->ssrc * 69069u + 1;
	m->to = to;
	m->to.sin_family = AF_INET;
	m->next_ms = 0;
	m->is_sending = context(key, ssrc_any_outbound, &m->out);
	return m->is_sending;
}

void media_send_stop(struct media *m)
{
	drop(&m->out);
	m->is_sending = false;
}

bool media_is_sending(const struct media *m)
{
	return m->is_sending;
}

static void put_be(uint8_t *p, size_t size, uint32_t v)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
}

/* The tag of who speaks, then noise: no two payloads are alike. */
static void speak(struct media *m, uint8_t *payload)
{
	put_be(payload, 4, m->tag);
	for (size_t i = 4; i < PAYLOAD; i++) {
		m->noise = m->noise * 1664525u + 1013904223u;
		payload[i] = (uint8_t)(m->noise >> 24);
	}
}

/* frame: NULL = what this one says by itself */
static void send_one(struct media *m, const uint8_t *frame)
{
	uint8_t b[PACKET_MAX] = {0x80, 0};
	int len = HEADER + PAYLOAD;

	put_be(b + 2, 2, m->sequence++);
	put_be(b + 4, 4, m->timestamp);
	put_be(b + 8, 4, m->ssrc);
	m->timestamp += PAYLOAD;
	if (frame)
		memcpy(b + HEADER, frame, PAYLOAD);
	else
		speak(m, b + HEADER);
	if (m->out && srtp_protect(m->out, b, &len) != srtp_err_status_ok)
		die("srtp_protect");
	if (sendto(m->fd, b, (size_t)len, 0, (struct sockaddr *)&m->to,
		   sizeof(m->to)) == len)
		m->count.sent++;
}

void media_tick(struct media *m, uint64_t now_ms)
{
	if (!m->is_sending)
		return;
	if (m->next_ms == 0 || now_ms > m->next_ms + LATE_MS)
		m->next_ms = now_ms;
	for (; m->next_ms <= now_ms; m->next_ms += PACKET_MS)
		send_one(m, NULL);
}

static void heard(struct media *m, const uint8_t *b, int len)
{
	if (len < HEADER || b[0] >> 6 != 2) {
		m->count.refused++;
		return;
	}
	m->count.received++;
	memcpy(&m->count.ssrc, b + 8, 4);
	if (len >= HEADER + 4)
		memcpy(m->count.payload, b + HEADER, 4);
	m->has_last = len >= HEADER + PAYLOAD;
	if (m->has_last)
		memcpy(m->last, b + HEADER, PAYLOAD);
}

bool media_heard(const struct media *m, uint8_t *ret)
{
	if (m->has_last)
		memcpy(ret, m->last, PAYLOAD);
	return m->has_last;
}

void media_say(struct media *m, const uint8_t *frame)
{
	if (m->is_sending)
		send_one(m, frame);
}

void media_readable(struct media *m)
{
	uint8_t b[PACKET_MAX];

	for (;;) {
		ssize_t n = recv(m->fd, b, sizeof(b), 0);
		int len = (int)n;

		if (n < 0 && (errno == ECONNREFUSED || errno == EINTR))
			continue;
		if (n < 0)
			return;
		if (!m->is_receiving ||
		    (m->in &&
		     srtp_unprotect(m->in, b, &len) != srtp_err_status_ok))
			m->count.refused++;
		else
			heard(m, b, len);
	}
}

struct media_count media_count(const struct media *m)
{
	return m->count;
}
