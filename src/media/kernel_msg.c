#include "media/kernel_msg.h"

#include <linux/genetlink.h>
#include <netinet/in.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <nf_srtp.h>

_Static_assert((int)NF_SRTP_SUITE_MAX + 1 == (int)SUITE_COUNT,
	       "the module's suites are ours");
_Static_assert((int)NF_SRTP_LATCH_NAT == (int)FLOW_LATCH_NAT &&
		       (int)NF_SRTP_LATCH_RESTRICTED ==
			       (int)FLOW_LATCH_RESTRICTED,
	       "the module's latch modes are ours");

static struct nlmsghdr *begin(void *buf, uint16_t family, uint8_t cmd,
			      uint64_t owner)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g;

	h->nlmsg_type = family;
	h->nlmsg_flags = NLM_F_REQUEST;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = cmd;
	g->version = NF_SRTP_VERSION;
	if (owner)
		mnl_attr_put_u64(h, NF_SRTP_A_OWNER, owner);
	return h;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
	struct nlattr *nest;

	if (a->family == ADDR_NONE)
		return;
	nest = mnl_attr_nest_start(h, type);
	if (a->family == ADDR_V4)
		mnl_attr_put(h, NF_SRTP_ADDR_IP4, 4, a->ip);
	else
		mnl_attr_put(h, NF_SRTP_ADDR_IP6, 16, a->ip);
	mnl_attr_put_u16(h, NF_SRTP_ADDR_PORT, htons(a->port));
	mnl_attr_nest_end(h, nest);
}

static void put_streams(struct nlmsghdr *h, const struct media_streams *s,
			uint32_t rtcp_skip)
{
	for (uint32_t i = 0; i < s->count && i < RTP_SSRC_MAX; i++) {
		const struct rtp_mark *m = &s->mark[i];
		struct nlattr *nest =
			mnl_attr_nest_start(h, NF_SRTP_KEY_STREAM);

		mnl_attr_put_u32(h, NF_SRTP_STREAM_SSRC, m->ssrc);
		mnl_attr_put_u64(h, NF_SRTP_STREAM_RTP, m->rtp);
		mnl_attr_put_u32(h, NF_SRTP_STREAM_RTCP, m->rtcp + rtcp_skip);
		mnl_attr_nest_end(h, nest);
	}
}

static void put_key(struct nlmsghdr *h, uint16_t type, const struct flow_key *k,
		    const struct media_streams *s, uint32_t rtcp_skip)
{
	const struct suite_info *info = suite_info(k->suite);
	struct nlattr *nest;

	if (k->suite == SUITE_NONE)
		return;
	nest = mnl_attr_nest_start(h, type);
	mnl_attr_put_u16(h, NF_SRTP_KEY_SUITE, (uint16_t)k->suite);
	mnl_attr_put(h, NF_SRTP_KEY_KEY, info->key_len, k->key);
	mnl_attr_put(h, NF_SRTP_KEY_SALT, info->salt_len, k->salt);
	if (k->mki_len > 0)
		mnl_attr_put(h, NF_SRTP_KEY_MKI, k->mki_len, k->mki);
	if (s)
		put_streams(h, s, rtcp_skip);
	mnl_attr_nest_end(h, nest);
}

static uint32_t flags_of(const struct flow *f)
{
	return (f->is_blocked ? NF_SRTP_F_BLOCKED : 0u) |
	       (f->is_muxed ? NF_SRTP_F_MUXED : 0u) |
	       (f->is_raw ? NF_SRTP_F_RAW : 0u) |
	       (f->is_borrowed ? NF_SRTP_F_BORROWED : 0u);
}

static struct nlmsghdr *put_flow(void *buf, uint16_t family, uint8_t cmd,
				 uint64_t owner, const struct flow *f,
				 const struct kernel_flow_options *o)
{
	struct nlmsghdr *h = begin(buf, family, cmd, owner);
	const struct media_state *s = o->state;

	mnl_attr_put_u64(h, NF_SRTP_A_ID, f->id);
	if (f->peer_id)
		mnl_attr_put_u64(h, NF_SRTP_A_PEER, f->peer_id);
	if (f->call)
		mnl_attr_put_u64(h, NF_SRTP_A_CALL, f->call);
	put_addr(h, NF_SRTP_A_LOCAL, &f->local);
	put_addr(h, NF_SRTP_A_REMOTE, &f->remote);
	put_addr(h, NF_SRTP_A_REMOTE_RTCP, &f->remote_rtcp);
	if (s) {
		put_addr(h, NF_SRTP_A_LATCHED, &s->proven[0]);
		put_addr(h, NF_SRTP_A_LATCHED_RTCP, &s->proven[1]);
	}
	mnl_attr_put_u8(h, NF_SRTP_A_LATCH, (uint8_t)f->latch);
	mnl_attr_put_u32(h, NF_SRTP_A_FLAGS, flags_of(f));
	put_key(h, NF_SRTP_A_IN, &f->in, s ? &s->in : NULL, 0);
	/* What was protected there must not be protected once more, and the
	 * last SRTCP packets of whoever had the flow may not be in s. */
	put_key(h, NF_SRTP_A_OUT, &f->out, s ? &s->out : NULL, MEDIA_RTCP_SKIP);
	if (f->idle_ms)
		mnl_attr_put_u32(h, NF_SRTP_A_IDLE_MS, f->idle_ms);
	if (o->dscp)
		mnl_attr_put_u8(h, NF_SRTP_A_DSCP, o->dscp);
	return h;
}

struct nlmsghdr *kernel_msg_features(void *buf, uint16_t family)
{
	return begin(buf, family, NF_SRTP_CMD_FEATURES, 0);
}

struct nlmsghdr *kernel_msg_owner(void *buf, uint16_t family, uint64_t owner,
				  uint32_t lease_s)
{
	struct nlmsghdr *h = begin(buf, family, NF_SRTP_CMD_OWNER_SET, owner);

	if (lease_s)
		mnl_attr_put_u32(h, NF_SRTP_A_LEASE, lease_s);
	return h;
}

struct nlmsghdr *kernel_msg_add(void *buf, uint16_t family, uint64_t owner,
				const struct flow *f,
				const struct kernel_flow_options *o)
{
	return put_flow(buf, family, NF_SRTP_CMD_FLOW_ADD, owner, f, o);
}

struct nlmsghdr *kernel_msg_set(void *buf, uint16_t family, uint64_t owner,
				const struct flow *f,
				const struct kernel_flow_options *o)
{
	return put_flow(buf, family, NF_SRTP_CMD_FLOW_SET, owner, f, o);
}

static struct nlmsghdr *put_id(void *buf, uint16_t family, uint8_t cmd,
			       uint64_t owner, uint64_t id)
{
	struct nlmsghdr *h = begin(buf, family, cmd, owner);

	mnl_attr_put_u64(h, NF_SRTP_A_ID, id);
	return h;
}

struct nlmsghdr *kernel_msg_del(void *buf, uint16_t family, uint64_t owner,
				uint64_t id, uint64_t peer)
{
	struct nlmsghdr *h =
		put_id(buf, family, NF_SRTP_CMD_FLOW_DEL, owner, id);

	if (peer)
		mnl_attr_put_u64(h, NF_SRTP_A_PEER, peer);
	return h;
}

struct nlmsghdr *kernel_msg_get(void *buf, uint16_t family, uint64_t owner,
				uint64_t id)
{
	return put_id(buf, family, NF_SRTP_CMD_FLOW_GET, owner, id);
}

struct nlmsghdr *kernel_msg_dump(void *buf, uint16_t family)
{
	struct nlmsghdr *h = begin(buf, family, NF_SRTP_CMD_FLOW_GET, 0);

	h->nlmsg_flags |= NLM_F_DUMP;
	return h;
}

struct nlmsghdr *kernel_msg_flush(void *buf, uint16_t family, uint64_t owner)
{
	return begin(buf, family, NF_SRTP_CMD_FLUSH, owner);
}

struct nlmsghdr *kernel_msg_join(void *buf, uint16_t family,
				 const uint64_t flow[2], const uint64_t far[2])
{
	struct nlmsghdr *h =
		put_id(buf, family, NF_SRTP_CMD_JOIN, flow[0], flow[1]);

	mnl_attr_put_u64(h, NF_SRTP_A_FAR_OWNER, far[0]);
	mnl_attr_put_u64(h, NF_SRTP_A_FAR_ID, far[1]);
	return h;
}

struct nlmsghdr *kernel_msg_part(void *buf, uint16_t family,
				 const uint64_t flow[2])
{
	return put_id(buf, family, NF_SRTP_CMD_PART, flow[0], flow[1]);
}

struct nlmsghdr *kernel_msg_packet(void *buf, uint16_t family,
				   const uint64_t flow[2],
				   const struct addr *source, bool on_rtcp,
				   struct slice payload)
{
	struct nlmsghdr *h =
		put_id(buf, family, NF_SRTP_CMD_PACKET, flow[0], flow[1]);

	put_addr(h, NF_SRTP_A_SOURCE, source);
	mnl_attr_put(h, NF_SRTP_A_PAYLOAD, payload.len, payload.ptr);
	if (on_rtcp)
		mnl_attr_put(h, NF_SRTP_A_ON_RTCP, 0, NULL);
	return h;
}

/* --- reading ------------------------------------------------------------ */

static bool is_len(const struct nlattr *a, size_t len)
{
	return mnl_attr_get_payload_len(a) == len;
}

static uint64_t get_u64(const struct nlattr *a)
{
	uint64_t v = 0;

	if (is_len(a, sizeof(v)))
		memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return v;
}

static uint32_t get_u32(const struct nlattr *a)
{
	uint32_t v = 0;

	if (is_len(a, sizeof(v)))
		memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return v;
}

static void get_text(const struct nlattr *a, char ret[KERNEL_TEXT_MAX])
{
	size_t len = mnl_attr_get_payload_len(a);

	if (len >= KERNEL_TEXT_MAX)
		len = KERNEL_TEXT_MAX - 1;
	memcpy(ret, mnl_attr_get_payload(a), len);
	ret[len] = '\0';
}

/* Callbacks of libmnl's walks: an attribute, and where to. */
static int addr_attr(const struct nlattr *a, void *data)
{
	struct addr *r = data;
	const void *p = mnl_attr_get_payload(a);
	uint16_t type = mnl_attr_get_type(a);

	if (type == NF_SRTP_ADDR_IP4 && is_len(a, 4)) {
		r->family = ADDR_V4;
		memcpy(r->ip, p, 4);
	} else if (type == NF_SRTP_ADDR_IP6 && is_len(a, 16)) {
		r->family = ADDR_V6;
		memcpy(r->ip, p, 16);
	} else if (type == NF_SRTP_ADDR_PORT && is_len(a, 2)) {
		memcpy(&r->port, p, 2);
		r->port = ntohs(r->port);
	}
	return MNL_CB_OK;
}

static void get_addr(const struct nlattr *nest, struct addr *ret)
{
	(void)mnl_attr_parse_nested(nest, addr_attr, ret);
}

static int stream_attr(const struct nlattr *a, void *data)
{
	struct rtp_mark *m = data;

	switch (mnl_attr_get_type(a)) {
	case NF_SRTP_STREAM_SSRC:
		m->ssrc = get_u32(a);
		break;
	case NF_SRTP_STREAM_RTP:
		m->rtp = get_u64(a);
		break;
	case NF_SRTP_STREAM_RTCP:
		m->rtcp = get_u32(a);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int key_attr(const struct nlattr *a, void *data)
{
	struct media_streams *s = data;

	if (mnl_attr_get_type(a) == NF_SRTP_KEY_FINGERPRINT)
		s->print = get_u64(a);
	if (mnl_attr_get_type(a) != NF_SRTP_KEY_STREAM)
		return MNL_CB_OK;
	/* One that is left out would be used a second time. */
	if (s->count >= RTP_SSRC_MAX)
		return MNL_CB_ERROR;
	s->mark[s->count] = (struct rtp_mark){0};
	return mnl_attr_parse_nested(a, stream_attr, &s->mark[s->count++]);
}

static void get_stat(struct flow_stats *s, unsigned type, uint64_t n)
{
	switch (type) {
	case NF_SRTP_STAT_RTP_PACKETS:
		s->rtp_packets = n;
		break;
	case NF_SRTP_STAT_RTP_BYTES:
		s->rtp_bytes = n;
		break;
	case NF_SRTP_STAT_RTCP_PACKETS:
		s->rtcp_packets = n;
		break;
	case NF_SRTP_STAT_AUTH_FAIL:
		s->auth_fail = n;
		break;
	case NF_SRTP_STAT_REPLAY:
		s->replay = n;
		break;
	case NF_SRTP_STAT_SRC_REJECT:
		s->src_reject = n;
		break;
	case NF_SRTP_STAT_MALFORMED:
	case NF_SRTP_STAT_CHECKSUM:
	case NF_SRTP_STAT_PAYLOAD_TYPE:
		s->malformed += n;
		break;
	case NF_SRTP_STAT_SSRC_LIMIT:
	case NF_SRTP_STAT_BLOCKED:
	case NF_SRTP_STAT_NO_DEST:
	case NF_SRTP_STAT_NO_ROUTE:
	case NF_SRTP_STAT_TOO_BIG:
	case NF_SRTP_STAT_WORN:
	case NF_SRTP_STAT_NO_MEM:
	case NF_SRTP_STAT_SEND:
		s->dropped += n;
		break;
	default: /* not of a packet's end */
		break;
	}
}

static int stat_attr(const struct nlattr *a, void *data)
{
	get_stat(data, mnl_attr_get_type(a), get_u64(a));
	return MNL_CB_OK;
}

static void get_feature(const struct nlattr *a, struct kernel_features *f)
{
	switch (mnl_attr_get_type(a)) {
	case NF_SRTP_A_VERSION:
		get_text(a, f->version);
		break;
	case NF_SRTP_A_DRIVER_CTR:
		get_text(a, f->ctr);
		break;
	case NF_SRTP_A_DRIVER_MAC:
		get_text(a, f->mac);
		break;
	case NF_SRTP_A_HOOK:
		get_text(a, f->hook);
		break;
	case NF_SRTP_A_SUITES:
		f->suites = get_u32(a);
		break;
	case NF_SRTP_A_FLOWS_MAX:
		f->flows_max = get_u32(a);
		break;
	case NF_SRTP_A_PACKET_MAX:
		f->packet_max = get_u32(a);
		break;
	default: /* of a later version */
		break;
	}
}

static int answer_attr(const struct nlattr *a, void *data)
{
	struct kernel_answer *r = data;

	switch (mnl_attr_get_type(a)) {
	case NF_SRTP_A_OWNER:
		r->owner = get_u64(a);
		break;
	case NF_SRTP_A_ID:
		r->id = get_u64(a);
		break;
	case NF_SRTP_A_LOCAL:
		get_addr(a, &r->local);
		break;
	case NF_SRTP_A_LATCHED:
		get_addr(a, &r->latched[0]);
		break;
	case NF_SRTP_A_LATCHED_RTCP:
		get_addr(a, &r->latched[1]);
		break;
	case NF_SRTP_A_SOURCE:
		get_addr(a, &r->source);
		break;
	case NF_SRTP_A_ON_RTCP:
		r->on_rtcp = true;
		break;
	case NF_SRTP_A_AGE_MS:
		r->age_ms = get_u64(a);
		break;
	case NF_SRTP_A_STATS:
		return mnl_attr_parse_nested(a, stat_attr, &r->stats);
	case NF_SRTP_A_IN:
		return mnl_attr_parse_nested(a, key_attr, &r->in);
	case NF_SRTP_A_OUT:
		return mnl_attr_parse_nested(a, key_attr, &r->out);
	case NF_SRTP_A_FLOWS:
		r->flows = get_u32(a);
		break;
	case NF_SRTP_A_EVENT:
		r->event = get_u32(a);
		break;
	default:
		get_feature(a, &r->features);
		break;
	}
	return MNL_CB_OK;
}

int kernel_msg_read(const struct nlmsghdr *h, struct kernel_answer *ret)
{
	*ret = (struct kernel_answer){0};
	if (mnl_nlmsg_get_payload_len(h) < sizeof(struct genlmsghdr) ||
	    mnl_attr_parse(h, sizeof(struct genlmsghdr), answer_attr, ret) !=
		    MNL_CB_OK)
		return ERR_BAD;
	ret->stats.id = ret->id;
	ret->stats.latched = ret->latched[0];
	return 0;
}

bool kernel_msg_is_expiry(const struct kernel_answer *e)
{
	return e->event == NF_SRTP_EVENT_EXPIRED;
}

bool kernel_msg_event(const struct kernel_answer *e, struct media_event *ret)
{
	*ret = (struct media_event){.owner = e->owner, .flow = e->id};
	switch (e->event) {
	case NF_SRTP_EVENT_LATCHED:
		ret->kind = MEDIA_EVENT_LATCHED;
		ret->addr = e->source;
		return !e->on_rtcp;
	case NF_SRTP_EVENT_IDLE:
		ret->kind = MEDIA_EVENT_IDLE;
		return true;
	case NF_SRTP_EVENT_ACTIVE:
		ret->kind = MEDIA_EVENT_ACTIVE;
		return true;
	default:
		return false;
	}
}
