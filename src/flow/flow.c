#include "flow/flow.h"

#include "base/secret.h"

enum { FLOW_VERSION = 2, FLOW_VERSION_GROUP = 3, FLOW_STATS_VERSION = 2 };

static void write_key(struct writer *w, const struct flow_key *k)
{
	const struct suite_info *si = suite_info(k->suite);

	writer_u8(w, (uint8_t)k->suite);
	if (k->suite == SUITE_NONE)
		return;
	writer_bytes(w, k->key, si->key_len);
	writer_bytes(w, k->salt, si->salt_len);
	writer_u8(w, k->mki_len);
	writer_bytes(w, k->mki, k->mki_len);
}

static void take(struct reader *r, uint8_t *buf, size_t len)
{
	struct slice s = reader_bytes(r, len);

	if (s.len != 0)
		memcpy(buf, s.ptr, s.len);
}

static void read_key(struct reader *r, struct flow_key *ret)
{
	uint8_t suite = reader_u8(r);
	const struct suite_info *si;

	if (suite >= SUITE_COUNT) {
		reader_fail(r);
		return;
	}
	ret->suite = (enum suite)suite;
	if (suite == SUITE_NONE)
		return;
	si = suite_info(ret->suite);
	take(r, ret->key, si->key_len);
	take(r, ret->salt, si->salt_len);
	ret->mki_len = reader_u8(r);
	if (ret->mki_len > sizeof(ret->mki)) {
		reader_fail(r);
		return;
	}
	take(r, ret->mki, ret->mki_len);
}

bool flow_key_eq(const struct flow_key *a, const struct flow_key *b)
{
	const struct suite_info *si = suite_info(a->suite);

	return a->suite == b->suite && a->mki_len == b->mki_len &&
	       secret_eq(slice_make(a->key, si->key_len),
			 slice_make(b->key, si->key_len)) &&
	       secret_eq(slice_make(a->salt, si->salt_len),
			 slice_make(b->salt, si->salt_len)) &&
	       memcmp(a->mki, b->mki, a->mki_len) == 0;
}

void flow_wipe(struct flow *f)
{
	secret_wipe(&f->in, sizeof(f->in));
	secret_wipe(&f->out, sizeof(f->out));
}

void flow_write(struct writer *w, const struct flow *f)
{
	bool has_group = f->group.family != ADDR_NONE;

	/* Flows without one are as they always were, also in the store. */
	writer_u8(w, has_group ? FLOW_VERSION_GROUP : FLOW_VERSION);
	writer_u64be(w, f->id);
	writer_u64be(w, f->peer_id);
	writer_u64be(w, f->call);
	addr_write(w, &f->local);
	addr_write(w, &f->remote);
	addr_write(w, &f->remote_rtcp);
	writer_u8(w, (uint8_t)f->latch);
	write_key(w, &f->in);
	write_key(w, &f->out);
	writer_u8(w, f->is_raw);
	writer_u8(w, f->is_borrowed);
	writer_u8(w, f->is_muxed);
	writer_u8(w, f->security);
	writer_u8(w, f->is_blocked);
	writer_u32be(w, f->idle_ms);
	if (has_group)
		addr_write(w, &f->group);
}

/* A group of the same family with room for RTCP behind RTP. */
static bool is_group(const struct flow *f)
{
	return addr_is_multicast(&f->group) &&
	       f->group.family == f->local.family && f->group.port != 0 &&
	       f->group.port != UINT16_MAX;
}

int flow_read(struct reader *r, struct flow *ret)
{
	struct flow f = {0};
	uint8_t latch, raw, borrowed, muxed, blocked;
	uint8_t version = reader_u8(r);

	if (version != FLOW_VERSION && version != FLOW_VERSION_GROUP)
		return ERR_BAD;
	f.id = reader_u64be(r);
	f.peer_id = reader_u64be(r);
	f.call = reader_u64be(r);
	addr_read(r, &f.local);
	addr_read(r, &f.remote);
	addr_read(r, &f.remote_rtcp);
	latch = reader_u8(r);
	read_key(r, &f.in);
	read_key(r, &f.out);
	raw = reader_u8(r);
	borrowed = reader_u8(r);
	muxed = reader_u8(r);
	f.security = reader_u8(r);
	blocked = reader_u8(r);
	f.idle_ms = reader_u32be(r);
	if (version == FLOW_VERSION_GROUP)
		addr_read(r, &f.group);
	if (!reader_ok(r) || (version == FLOW_VERSION_GROUP && !is_group(&f)) ||
	    latch > FLOW_LATCH_NAT || raw > 1 || borrowed > 1 || muxed > 1 ||
	    f.security > FLOW_SECURITY_MAX || blocked > 1) {
		flow_wipe(&f);
		return ERR_BAD;
	}
	f.latch = (enum flow_latch)latch;
	f.is_raw = raw == 1;
	f.is_borrowed = borrowed == 1;
	f.is_muxed = muxed == 1;
	f.is_blocked = blocked == 1;
	*ret = f;
	flow_wipe(&f);
	return 0;
}

const char *flow_backend_str(enum flow_backend b)
{
	switch (b) {
	case FLOW_BACKEND_KERNEL:
		return "kernel";
	case FLOW_BACKEND_QUEUE:
		return "queue";
	case FLOW_BACKEND_SOCKET:
		return "socket";
	case FLOW_BACKENDS:
		break;
	}
	return "unknown";
}

void flow_stats_write(struct writer *w, const struct flow_stats *s)
{
	writer_u8(w, FLOW_STATS_VERSION);
	writer_u8(w, s->backend);
	writer_u64be(w, s->id);
	addr_write(w, &s->latched);
	writer_u64be(w, s->rtp_packets);
	writer_u64be(w, s->rtp_bytes);
	writer_u64be(w, s->rtcp_packets);
	writer_u64be(w, s->auth_fail);
	writer_u64be(w, s->replay);
	writer_u64be(w, s->src_reject);
	writer_u64be(w, s->malformed);
	writer_u64be(w, s->dropped);
}

int flow_stats_read(struct reader *r, struct flow_stats *ret)
{
	struct flow_stats s = {0};

	if (reader_u8(r) != FLOW_STATS_VERSION)
		return ERR_BAD;
	s.backend = reader_u8(r);
	s.id = reader_u64be(r);
	addr_read(r, &s.latched);
	s.rtp_packets = reader_u64be(r);
	s.rtp_bytes = reader_u64be(r);
	s.rtcp_packets = reader_u64be(r);
	s.auth_fail = reader_u64be(r);
	s.replay = reader_u64be(r);
	s.src_reject = reader_u64be(r);
	s.malformed = reader_u64be(r);
	s.dropped = reader_u64be(r);
	if (!reader_ok(r) || s.backend >= FLOW_BACKENDS)
		return ERR_BAD;
	*ret = s;
	return 0;
}
