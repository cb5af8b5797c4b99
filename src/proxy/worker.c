#include "proxy/worker.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/lease.h"
#include "log/log.h"
#include "proxy/worker_int.h"
#include "store/state_wire.h"
#include "store/wire.h"

enum {
	STORE_ASK_MAX = 512, /* bytes of a question to the store */
	CONNS_MORE = 64	     /* connections towards the core */
};

/* ---- from egress to the world ------------------------------------------- */

static void do_send(void *ctx, const struct dest *to, struct slice bytes)
{
	struct worker *w = ctx;
	int err = shield_holds(w->shield, &to->peer, true)
			  ? ERR_DENIED
			  : transport_send(w->transport, to, bytes);
	char addr[ADDR_STR_MAX];

	/* Streams report their end by conn_down; timers cover datagrams. */
	if (err)
		worker_core_lost(w, to->ep);
	if (err && worker_may_log(w))
		log_warn("send failed peer=%s reason=\"%s\"",
			 addr_str(&to->peer, addr),
			 err == ERR_DENIED ? "not protected by IPsec"
					   : err_str(err));
}

static void do_close(void *ctx, struct handle ep)
{
	struct worker *w = ctx;

	transport_close(w->transport, ep, "closed by the call machine");
}

static int do_flow_add(void *ctx, uint32_t number, const struct flow f[2])
{
	struct worker *w = ctx;

	return medialink_add(w->media, number, f);
}

static void do_flow_update(void *ctx, const struct flow *f)
{
	struct worker *w = ctx;

	medialink_update(w->media, f);
}

static void do_flow_del(void *ctx, uint64_t id)
{
	struct worker *w = ctx;

	medialink_del(w->media, id);
}

static void do_save(void *ctx, const struct action *a)
{
	struct worker *w = ctx;

	if (w->keep)
		keep_action(w->keep, a->kind == ACTION_SAVE, a->bytes);
}

static void do_record(void *ctx, const struct action *a)
{
	static const char *const names[] = {
		[RECORD_REGISTERED] = "registered",
		[RECORD_UNREGISTERED] = "unregistered",
		[RECORD_CALL_START] = "call start",
		[RECORD_CALL_ANSWER] = "call answered",
		[RECORD_CALL_END] = "call end",
		[RECORD_REFUSED] = "refused",
		[RECORD_MESSAGE] = "Skinny message",
		[RECORD_FALLBACK] = "fallback to RTP",
		[RECORD_CORE] = "call manager",
		[RECORD_TRUNK] = "trunk peer",
	};
	struct worker *w = ctx;

	if (a->record == RECORD_REFUSED && !worker_may_log(w))
		return;
	/* Its maker has escaped what came from outside. */
	log_info("%s %.*s", names[a->record], SLICE_FMT(a->bytes));
}

/* ---- the line to the media process -------------------------------------- */

static void media_answer(void *ctx, uint32_t number, int err)
{
	struct worker *w = ctx;
	uint64_t now = loop_now_ms(w->loop);

	if (err && worker_may_log(w))
		log_error("media process refused flows reason=\"%s\"",
			  err_str(err));
	egress_answer(w->egress, number, err, now);
	pipeline_expire(w->pipeline, now);
}

static void media_event(void *ctx, const struct media_event *e, uint64_t call)
{
	struct worker *w = ctx;
	struct event ev = {.flow = {.call = call,
				    .flow = e->flow,
				    .security = e->security,
				    .is_rolled = e->is_rolled,
				    .key = &e->key}};

	switch (e->kind) {
	case MEDIA_EVENT_LATCHED:
		ev.kind = EVENT_FLOW_LATCHED;
		break;
	case MEDIA_EVENT_IDLE:
		ev.kind = EVENT_FLOW_IDLE;
		break;
	case MEDIA_EVENT_ACTIVE:
		ev.kind = EVENT_FLOW_ACTIVE;
		break;
	case MEDIA_EVENT_FAILED:
		ev.kind = EVENT_FLOW_FAILED;
		break;
	case MEDIA_EVENT_ROLLED:
		ev.kind = EVENT_FLOW_ROLLED;
		break;
	case MEDIA_EVENT_JOINED:
		ev.kind = EVENT_FLOW_JOINED;
		break;
	case MEDIA_EVENT_PARTED:
		ev.kind = EVENT_FLOW_PARTED;
		break;
	}
	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
}

static void media_last(void *ctx, uint64_t call, const struct flow_stats *s)
{
	(void)ctx;
	log_info("flow end call=%llu flow=%llu media=%s rtp=%llu rtcp=%llu "
		 "auth-failed=%llu replayed=%llu source-refused=%llu "
		 "malformed=%llu dropped=%llu",
		 (unsigned long long)call, (unsigned long long)s->id,
		 flow_backend_str((enum flow_backend)s->backend),
		 (unsigned long long)s->rtp_packets,
		 (unsigned long long)s->rtcp_packets,
		 (unsigned long long)s->auth_fail,
		 (unsigned long long)s->replay,
		 (unsigned long long)s->src_reject,
		 (unsigned long long)s->malformed,
		 (unsigned long long)s->dropped);
}

static void media_stats(void *ctx, uint32_t number, const struct flow_stats *s,
			uint32_t n)
{
	struct worker *w = ctx;

	w->p.stats(w->p.role_ctx, number, s, n);
}

/* Calls stay: their flows are made again by the next media process. */
static void media_down(void *ctx)
{
	struct worker *w = ctx;

	log_error("media process is gone: no voice until it is back");
	egress_media_down(w->egress);
	pipeline_expire(w->pipeline, loop_now_ms(w->loop));
}

/* ---- the line to the store process -------------------------------------- */

static void store_message(void *ctx, struct slice bytes, const int *fds,
			  size_t n)
{
	struct worker *w = ctx;
	struct store_reply r;

	(void)fds;
	(void)n; /* this channel carries no descriptors */
	if (state_again_is(bytes)) {
		if (w->keep)
			worker_keep_all(w);
		return;
	}
	if (store_reply_read(bytes, &r) != 0) {
		log_error("store process: unreadable answer");
		return;
	}
	if (r.op != STORE_OP_GET) {
		worker_lsc_answer(w, &r);
		return;
	}
	if (worker_realms_credential(w, r.id, r.status, r.blob))
		return;
	pipeline_credential(w->pipeline, r.id, r.status, r.blob,
			    loop_now_ms(w->loop));
}

static void store_down(void *ctx, const char *reason)
{
	struct worker *w = ctx;

	log_error("store process is gone reason=\"%s\"", reason);
	if (w->keep)
		keep_set_store(w->keep, NULL);
	w->store = channel_free(w->store);
	worker_lsc_lost(w);
	worker_realms_lost(w);
}

int worker_ask_store(struct worker *w, const struct store_request *r)
{
	uint8_t buf[STORE_ASK_MAX];
	struct writer wr;

	if (!w->store)
		return ERR_CLOSED;
	writer_init(&wr, buf, sizeof(buf));
	store_request_write(&wr, r);
	return writer_ok(&wr) ? channel_send(w->store, writer_slice(&wr))
			      : ERR_LIMIT;
}

int worker_store_get(struct worker *w, uint64_t ticket, struct slice user,
		     struct slice realm)
{
	return worker_ask_store(w, &(struct store_request){.op = STORE_OP_GET,
							   .id = ticket,
							   .user = user,
							   .realm = realm});
}

static int store_get_credential(void *ctx, uint64_t ticket, struct slice user,
				struct slice realm)
{
	return worker_store_get(ctx, ticket, user, realm);
}

static void do_link(void *ctx, const struct action *a)
{
	worker_sccp_link(ctx, a);
}

static void do_auth(void *ctx, const struct action *a)
{
	worker_realms_ask(ctx, a);
}

/* ---- the line to the keys process ---------------------------------------- */

static void keys_answer(void *ctx, uint64_t cookie, int err, struct slice data)
{
	struct worker *w = ctx;

	/* A check answers with its error alone. */
	if (worker_realms_answered(w, cookie, err, data))
		return;
	pipeline_checked(w->pipeline, cookie, err, loop_now_ms(w->loop));
}

static void keys_down(void *ctx)
{
	struct worker *w = ctx;

	w->has_keys = false;
	log_error("keys process is gone: no TLS handshake and no digest "
		  "check until it is back");
}

static int keys_check_digest(void *ctx, uint64_t ticket,
			     struct keys_check *check)
{
	struct worker *w = ctx;

	return keys_client_check(w->keys, check, ticket);
}

/* ---- composition --------------------------------------------------------- */

/* The connection has proved whose it is: it no longer counts among those that
 * keep others waiting. */
static void on_admitted(void *ctx, struct handle conn)
{
	struct worker *w = ctx;

	transport_trust(w->transport, conn);
}

static void on_stopped(void *ctx, enum pipeline_stop why,
		       const struct sip_msg *m, const struct dest *from,
		       struct slice device, const char *text)
{
	struct worker *w = ctx;
	char addr[ADDR_STR_MAX];
	char dev[LOG_QUOTE_MAX];
	char method[LOG_QUOTE_MAX];
	char who[LOG_QUOTE_MAX];

	if (!worker_may_log(w))
		return;
	log_warn("request refused reason=%s text=\"%s\" method=%s peer=%s "
		 "device=%s from=\"%s\"",
		 pipeline_stop_str(why), text,
		 log_quote(m->method_name, method), addr_str(&from->peer, addr),
		 log_quote(device, dev), log_quote(m->from, who));
}

static int make_pipeline(struct worker *w)
{
	struct pipeline_params p = {
		.config = w->config,
		.retirees = &w->retirees,
		.formers = &w->formers,
		.calls = w->calls,
		.egress = w->egress,
		.cb = {.credential = store_get_credential,
		       .check = keys_check_digest,
		       .stopped = on_stopped,
		       .admitted = on_admitted,
		       .ctx = w},
		.entropy = w->p.entropy,
		.worker = w->p.number,
		.seed = entropy_u64(&w->p.entropy),
		.since_ms = loop_now_ms(w->loop),
	};
	int err;

	err = worker_nonce_key(w, p.nonce_key, p.nonce_boot);
	if (err)
		return err;
	w->pipeline = pipeline_new(&p);
	secret_wipe(p.nonce_key, sizeof(p.nonce_key));
	return w->pipeline ? 0 : ERR_NOMEM;
}

static struct core_params group_params(const struct config_failover *f)
{
	return (struct core_params){
		.options_interval_ms = f->options_interval_s * 1000,
		.failures = f->failures,
		.successes = f->successes,
		.hold_down_ms = f->hold_down_s * 1000,
		.try_timeout_ms = f->try_timeout_ms,
		.register_rate = f->register_rate,
		.datagram_max = f->datagram_max,
	};
}

static int make_calls(struct worker *w)
{
	const struct config *c = w->config;
	struct config_ports out = config_worker_ports(&c->media.outside_ports,
						      w->p.number, w->p.count);
	struct config_ports in = config_worker_ports(&c->media.inside_ports,
						     w->p.number, w->p.count);
	struct calls_params p = {
		.group = group_params(&c->failover),
		.phone_managers = worker_phone_managers(c),
		.trunk_limit = PIPELINE_TRUNKS_MAX,
		.sccp = worker_sccp_params(c),
		.has_realms = true,
		.has_siblings = w->p.count > 1 && w->p.arrived,
		.media_outside = c->media.outside_address,
		.media_inside = c->media.inside_address,
		.outside_port_min = out.min,
		.outside_port_max = out.max,
		.inside_port_min = in.min,
		.inside_port_max = in.max,
		.port_cooldown_ms = c->media.cool_down_s * 1000,
		.binding_limit = c->limits.registrations,
		.call_limit = c->limits.calls,
		.txn_limit = c->limits.transactions,
		.sub_limit = c->limits.subscriptions,
		.sub_device_limit = c->limits.subscriptions_per_device,
		.expires_min_s = c->sip.expires_min_s,
		.expires_max_s = c->sip.expires_max_s,
		.session_s = c->sip.session_expires_s,
		.session_min_s = c->sip.min_se_s,
		.media_idle_ms = c->media.idle_timeout_s * 1000,
		.end_to_end = c->media.end_to_end,
		.show_phone_leg = c->sip.security_icon == CONFIG_ICON_PHONE_LEG,
		.t1_ms = c->sip.t1_ms,
		.t2_ms = c->sip.t2_ms,
		.t4_ms = c->sip.t4_ms,
		.server_name = c->server_name,
		.entropy = w->p.entropy,
		.seed = entropy_u64(&w->p.entropy),
		/* Later than any flow of a predecessor: nobody makes 2^20 of
		 * them in a millisecond. */
		.flow_base = loop_now_ms(w->loop) << 20,
	};
	int err;

	err = worker_names(w, &p.names);
	if (err)
		return err;
	w->calls = calls_new(&p, loop_now_ms(w->loop));
	return w->calls ? 0 : ERR_NOMEM;
}

static void do_arrived(void *ctx, struct slice bytes)
{
	struct worker *w = ctx;

	w->p.arrived(w->p.role_ctx, bytes);
}

static int make_egress(struct worker *w)
{
	struct egress_cb cb = {.send = do_send,
			       .close = do_close,
			       .flow_add = do_flow_add,
			       .flow_update = do_flow_update,
			       .flow_del = do_flow_del,
			       .record = do_record,
			       .save = do_save,
			       .arrived = do_arrived,
			       .auth = do_auth,
			       .link = do_link,
			       .ctx = w};

	w->egress = egress_new(&cb, entropy_u64(&w->p.entropy));
	return w->egress ? 0 : ERR_NOMEM;
}

static struct transport_limits transport_limits(const struct worker *w)
{
	const struct config_limits *l = &w->config->limits;

	return (struct transport_limits){
		.conn_max = w->leased[WORKER_CONNECTIONS],
		.conn_source_max = l->connections_per_address,
		/* Who is over waits in the kernel: a fixed part will do. */
		.pending_max =
			lease_share(l->handshakes, w->p.count, w->p.number) +
			(l->handshakes < w->p.count),
		.pending_source_max = l->handshakes_per_address,
		.write_max = l->output_bytes,
		.handshake_ms = l->handshake_timeout_s * 1000,
		.first_ms = l->first_message_timeout_s * 1000,
		.rest_ms = l->message_timeout_s * 1000,
		.idle_ms = l->idle_timeout_s * 1000,
	};
}

/* All of it, until what a predecessor had is there again; then our share,
 * until the monitor says otherwise. */
static void lease_all(struct worker *w, bool is_share)
{
	const struct config_limits *l = &w->config->limits;
	const uint32_t limit[WORKER_LEASES] = {
		[WORKER_CALLS] = l->calls,
		[WORKER_REGISTRATIONS] = l->registrations,
		[WORKER_CONNECTIONS] = l->connections,
		[WORKER_TRANSACTIONS] = l->transactions,
		[WORKER_SUBSCRIPTIONS] = l->subscriptions,
	};

	for (int i = 0; i < WORKER_LEASES; i++) {
		if (is_share)
			(void)worker_lease(
				w, (enum worker_lease)i,
				lease_share(limit[i], w->p.count, w->p.number));
		else
			w->leased[i] = limit[i];
	}
}

static int make_transport(struct worker *w)
{
	struct transport_params p = {
		.loop = w->loop,
		.cb = &worker_transport_cb,
		.ctx = w,
		.limits = transport_limits(w),
	};

	conns_init(&w->conns, 2 * w->config->limits.connections + CONNS_MORE,
		   entropy_u64(&w->p.entropy));
	return transport_new(&p, &w->transport);
}

void worker_limit(struct worker *w)
{
	struct transport_limits l = transport_limits(w);

	transport_set_limits(w->transport, &l);
	w->conns.table.limit = 2 * w->config->limits.connections + CONNS_MORE;
}

static int open_store(struct worker *w, int fd)
{
	struct channel_params p = {.loop = w->loop,
				   .fd = fd,
				   .message = store_message,
				   .down = store_down,
				   .ctx = w};

	int err = channel_new(&p, &w->store);

	if (!err && w->keep)
		keep_set_store(w->keep, w->store);
	return err;
}

static int make_links(struct worker *w)
{
	struct medialink_cb mcb = {.answer = media_answer,
				   .event = media_event,
				   .last = media_last,
				   .stats = media_stats,
				   .down = media_down,
				   .ctx = w};
	struct keys_client_params kp = {.loop = w->loop,
					.fd = w->p.keys_fd,
					.timeout_ms = 5000,
					.answer = keys_answer,
					.down = keys_down,
					.ctx = w};
	int err = medialink_new(w->loop, w->p.media_fd, &mcb,
				entropy_u64(&w->p.entropy), &w->media);

	if (!err)
		err = keys_client_new(&kp, &w->keys);
	w->has_keys = !err;
	return err;
}

static uint64_t hook_deadline(void *arg)
{
	struct worker *w = arg;

	return pipeline_deadline(w->pipeline);
}

static void hook_run(void *arg, uint64_t now_ms)
{
	struct worker *w = arg;

	pipeline_expire(w->pipeline, now_ms);
}

int worker_new(const struct worker_params *p, struct worker **ret, char *reterr)
{
	struct worker *w = alloc_zero(sizeof(*w));
	int err;

	(void)snprintf(reterr, WORKER_ERR_MAX, "%s", err_str(ERR_NOMEM));
	if (!w)
		return ERR_NOMEM;
	w->p = *p;
	if (w->p.count == 0)
		w->p.count = 1;
	w->held = config_ref(p->config);
	w->config = w->held;
	w->loop = p->loop;
	worker_reload_init(w);
	worker_lsc_init(w);
	worker_realms_init(w);
	err = worker_sccp_init(w);
	bucket_init(&w->log_bucket, WORKER_LOG_RATE, WORKER_LOG_BURST,
		    loop_now_ms(w->loop));
	lease_all(w, false);
	w->shield = shield_new(w->config, entropy_u64(&w->p.entropy));
	if (!err)
		err = w->shield ? worker_core_init(w) : ERR_NOMEM;
	if (!err)
		err = make_links(w);
	if (!err)
		err = make_transport(w);
	if (!err)
		err = worker_net_open(w, reterr);
	if (!err)
		err = make_calls(w);
	if (!err)
		err = worker_realms_open(w);
	if (!err)
		err = make_egress(w);
	if (!err)
		err = make_pipeline(w);
	if (!err) {
		worker_core_start(w);
		worker_sccp_watch(w);
		worker_trunk_start(w);
	}
	if (!err && p->restores)
		err = worker_keep_open(w, reterr);
	if (!err)
		err = open_store(w, p->store_fd);
	if (err) {
		worker_free(w);
		return err;
	}
	w->hook = (struct loop_hook){
		.deadline = hook_deadline, .run = hook_run, .arg = w};
	loop_hook_add(w->loop, &w->hook);
	worker_claim_media(w);
	/* The configuration may not be the predecessor's. */
	(void)worker_sccp_judge(w);
	lease_all(w, true);
	*ret = w;
	return 0;
}

struct worker *worker_free(struct worker *w)
{
	if (!w)
		return NULL;
	if (w->hook.run)
		loop_hook_del(&w->hook);
	transport_free(w->transport);
	worker_lsc_done(w);
	worker_tls_end(w);
	worker_core_close(w);
	worker_realms_close(w);
	worker_sccp_done(w);
	pipeline_free(w->pipeline);
	egress_free(w->egress);
	calls_free(w->calls);
	medialink_free(w->media);
	keep_free(w->keep, w->store);
	channel_free(w->store);
	keys_client_free(w->keys);
	conns_done(&w->conns);
	shield_free(w->shield);
	worker_reload_done(w);
	secret_wipe(w->cover_key, sizeof(w->cover_key));
	return alloc_free(w);
}

int worker_new_media(struct worker *w, int fd)
{
	int err = medialink_reconnect(w->media, fd);

	if (!err) {
		calls_media_new(w->calls);
		worker_claim_media(w);
	}
	return err;
}

int worker_new_store(struct worker *w, int fd)
{
	int err;

	if (w->keep)
		keep_set_store(w->keep, NULL);
	w->store = channel_free(w->store);
	worker_lsc_lost(w);
	worker_realms_lost(w);
	err = open_store(w, fd);
	if (!err && w->keep)
		worker_keep_all(w);
	if (!err)
		worker_lsc_again(w);
	return err;
}

int worker_new_keys(struct worker *w, int fd)
{
	int err = keys_client_reconnect(w->keys, fd);

	w->has_keys = !err;
	return err;
}

uint16_t worker_number(const struct worker *w)
{
	return w->p.number;
}

const struct config *worker_config(const struct worker *w)
{
	return w->config;
}

const struct calls *worker_calls(const struct worker *w)
{
	return w->calls;
}

const struct pipeline *worker_pipeline(const struct worker *w)
{
	return w->pipeline;
}

const struct transport_stats *worker_transport(const struct worker *w)
{
	return transport_stats(w->transport);
}

const char *worker_subject(const struct worker *w, const struct dest *d,
			   enum transport_proto *ret_proto)
{
	const struct conn *c = conns_find(&w->conns, d->ep);

	*ret_proto = d->is_tls	      ? TRANSPORT_TLS
		     : d->is_reliable ? TRANSPORT_TCP
				      : TRANSPORT_UDP;
	return c ? c->subject : "";
}

int worker_stats(struct worker *w, const uint64_t *id, uint32_t n,
		 uint32_t *ret_number)
{
	return medialink_stats(w->media, id, n, ret_number);
}

void worker_drop(struct worker *w, uint64_t call)
{
	struct event ev = {.kind = EVENT_CALL_DROP, .call = call};

	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
}

void worker_arrived(struct worker *w, struct slice bytes)
{
	struct event ev = {.kind = EVENT_ARRIVED, .bytes = bytes};

	pipeline_event(w->pipeline, &ev, loop_now_ms(w->loop));
}

void worker_links(const struct worker *w, bool *ret_media, bool *ret_store,
		  bool *ret_keys)
{
	*ret_media = medialink_is_up(w->media);
	*ret_store = w->store != NULL;
	*ret_keys = w->has_keys;
}

int worker_shield_follow(struct worker *w, const struct config *c)
{
	struct shield *s = shield_new(c, entropy_u64(&w->p.entropy));

	if (!s)
		return ERR_NOMEM;
	shield_follow(s, w->shield);
	shield_free(w->shield);
	w->shield = s;
	return 0;
}

int worker_shield_set(struct worker *w, struct slice news)
{
	return shield_set(w->shield, news);
}

void worker_shield_stats(const struct worker *w, struct shield_stats *ret)
{
	shield_stats(w->shield, ret);
}
