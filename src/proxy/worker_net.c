#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "log/log.h"
#include "pki/cert.h"
#include "proxy/worker_int.h"
#include "sip/frame.h"

bool worker_may_log(struct worker *w)
{
	if (!bucket_take(&w->log_bucket, loop_now_ms(w->loop))) {
		w->log_suppressed++;
		return false;
	}
	if (w->log_suppressed > 0) {
		log_warn("refusals not logged one by one count=%llu",
			 (unsigned long long)w->log_suppressed);
		w->log_suppressed = 0;
	}
	return true;
}

/* ---- connections ------------------------------------------------------- */

static const struct {
	const char *name;
	const char *text;
} refusals[CONN_REFUSAL_COUNT] = {
	[CONN_REFUSAL_NONE] = {"none", "none"},
	[CONN_REFUSAL_LIMIT] = {"limit", "too many connections"},
	[CONN_REFUSAL_CORE] = {"not-call-manager", "not the call manager"},
	[CONN_REFUSAL_UNREADABLE] = {"certificate",
				     "the certificate cannot be read"},
	[CONN_REFUSAL_DEVICE] = {"device", "the certificate names no "
					   "configured device"},
	[CONN_REFUSAL_NULL_SUITE] = {"null-suite",
				     "suite without encryption, but the "
				     "device is not in authenticated mode"},
	[CONN_REFUSAL_MIC] = {"mic-after-lsc",
			      "the device has shown an LSC before, and now "
			      "another certificate (sallyportctl device "
			      "reset-lsc)"},
	[CONN_REFUSAL_TRUNK] = {"trunk", "is no configured trunk"},
	[CONN_REFUSAL_STORE] = {"store", "the store does not tell whether "
					 "the device has an LSC"},
};

const char *worker_refusal_str(enum conn_refusal r)
{
	return refusals[r].name;
}

const uint64_t *worker_refusals(const struct worker *w)
{
	return w->refusals;
}

void worker_refuse(struct worker *w, struct handle ep, const struct addr *peer,
		   enum conn_refusal why, struct slice name)
{
	char addr[ADDR_STR_MAX];
	char quoted[LOG_QUOTE_MAX];

	w->refusals[why]++;
	if (worker_may_log(w))
		log_warn("connection refused reason=%s text=\"%s\" peer=%s "
			 "name=\"%s\"",
			 refusals[why].name, refusals[why].text,
			 addr_str(peer, addr), log_quote(name, quoted));
	transport_close(w->transport, ep, refusals[why].text);
}

/*
 * Bind a connection to the device its certificate names. A suite without
 * encryption is for devices in authenticated mode only, and the suite is
 * known before the certificate: so it is judged here.
 */
static enum conn_refusal bind_device(struct worker *w, struct conn *c,
				     const struct transport_peer *peer,
				     char name[CERT_NAME_MAX])
{
	struct cert *cert = NULL;

	if (cert_parse(peer->tls->peer_cert, &cert) != 0)
		return CONN_REFUSAL_UNREADABLE;
	memcpy(name, cert->device, CERT_NAME_MAX);
	(void)snprintf(c->subject, sizeof(c->subject), "%s", cert->subject);
	c->device = config_device_find(w->config, slice_str(cert->device));
	c->sig = peer->tls->is_null ? SIG_AUTHENTICATED : SIG_ENCRYPTED;
	cert_free(cert);
	if (!c->device)
		return CONN_REFUSAL_DEVICE;
	if (peer->tls->is_null &&
	    c->device->security_mode != CONFIG_DEVICE_AUTHENTICATED)
		return CONN_REFUSAL_NULL_SUITE;
	return peer->tls->has_lsc ? worker_lsc_judge(w, c, peer->tls->is_lsc)
				  : CONN_REFUSAL_NONE;
}

static const char *name_of(const struct conn *c)
{
	return c->trunk ? c->trunk->name : c->device ? c->device->name : "-";
}

/*
 * Whoever connects to us as a call manager must have the name that we connect
 * to there ourselves; one that is configured by its address has no name. The
 * trust directory may vouch for others as well.
 */
static bool is_core_name(struct worker *w, const struct transport_peer *peer,
			 const struct cert *cert)
{
	const struct config *cfg = w->config;
	struct core_info info;
	uint32_t pos = 0;

	while (core_next(w->calls, &pos, &info)) {
		if (!addr_ip_eq(&info.dest.peer, &peer->peer))
			continue;
		for (uint32_t i = 0; i < cfg->call_manager_count; i++) {
			const struct config_call_manager *m =
				&cfg->call_manager[i];

			if (slice_eqs(info.name, m->name) &&
			    (m->address.addr.family != ADDR_NONE ||
			     cert_names(cert, slice_str(m->address.host))))
				return true;
		}
	}
	return false;
}

static enum conn_refusal
bind_core(struct worker *w, const struct transport_peer *peer, char *ret_name)
{
	struct cert *cert = NULL;
	bool is_it;

	if (!calls_is_core(w->calls, &peer->peer))
		return CONN_REFUSAL_CORE;
	if (peer->is_outgoing || !peer->tls)
		return CONN_REFUSAL_NONE; /* compared in the handshake */
	if (cert_parse(peer->tls->peer_cert, &cert) != 0)
		return CONN_REFUSAL_UNREADABLE;
	(void)snprintf(ret_name, CERT_NAME_MAX, "%s", cert->device);
	is_it = is_core_name(w, peer, cert);
	cert_free(cert);
	return is_it ? CONN_REFUSAL_NONE : CONN_REFUSAL_CORE;
}

static void conn_up(void *ctx, struct handle ep,
		    const struct transport_peer *peer)
{
	struct worker *w = ctx;
	bool is_core =
		peer->tag == WORKER_TAG_CORE || peer->tag == WORKER_TAG_SCCP;
	char name[CERT_NAME_MAX] = "";
	char addr[ADDR_STR_MAX];
	enum conn_refusal why = CONN_REFUSAL_NONE;
	struct conn *c;

	if (conns_add(&w->conns, ep, &c) != 0) {
		worker_refuse(w, ep, &peer->peer, CONN_REFUSAL_LIMIT,
			      SLICE_NULL);
		return;
	}
	c->side = is_core ? SIDE_CORE : SIDE_PHONE;
	c->sig = SIG_NONSECURE;
	c->listener =
		peer->is_outgoing ? (uint32_t)CONFIG_LISTENER_NONE : peer->tag;
	if (peer->is_outgoing)
		c->origin = peer->origin;
	c->is_sccp = peer->is_outgoing
			     ? peer->tag == WORKER_TAG_SCCP
			     : !is_core && w->config->listener[peer->tag]
						   .address.is_sccp;
	/* It is up, so its address is known. */
	if (transport_dest(w->transport, ep, &c->dest) != 0)
		why = CONN_REFUSAL_LIMIT;
	else if (is_core && !c->is_sccp)
		why = bind_core(w, peer, name);
	else if (!is_core)
		why = worker_trunk_bind(w, c, peer, name);
	if (!why && !is_core && !c->trunk && peer->tls)
		why = bind_device(w, c, peer, name);
	if (why) {
		worker_refuse(w, ep, &peer->peer, why, slice_str(name));
		return; /* conn_down frees c */
	}
	log_info("connection up peer=%s side=%s device=%s tls=%s suite=%s",
		 addr_str(&peer->peer, addr),
		 is_core    ? "core"
		 : c->trunk ? "trunk"
			    : "phone",
		 name_of(c), peer->tls ? peer->tls->version : "-",
		 peer->tls ? peer->tls->suite : "-");
	if (is_core && c->is_sccp && !worker_sccp_up(w, c))
		transport_close(w->transport, ep, "nobody waits for it");
}

static void conn_down(void *ctx, struct handle ep, const char *reason)
{
	struct worker *w = ctx;
	struct conn *c = conns_find(&w->conns, ep);
	char addr[ADDR_STR_MAX];
	struct handle origin;
	bool is_sccp;

	if (!c)
		return;
	is_sccp = c->is_sccp;
	log_info("connection down peer=%s device=%s reason=\"%s\"",
		 addr_str(&c->dest.peer, addr), name_of(c), reason);
	origin = c->origin;
	worker_lsc_gone(w, c);
	conns_del(&w->conns, c);
	pipeline_conn_down(w->pipeline, ep, loop_now_ms(w->loop));
	if (is_sccp)
		worker_sccp_down(w, origin);
	else if (!handle_is_none(origin))
		worker_core_down(w, origin);
}

static void connect_failed(void *ctx, struct handle connector,
			   const char *reason)
{
	struct worker *w = ctx;

	(void)reason; /* the transport has logged it with the address */
	if (!worker_sccp_failed(w, connector))
		worker_core_down(w, connector);
}

/* ---- bytes -------------------------------------------------------------- */

/* Something came in from an address that IPsec has to protect and does not. */
static bool is_held_back(struct worker *w, const struct addr *peer)
{
	char addr[ADDR_STR_MAX];

	if (!shield_holds(w->shield, peer, false))
		return false;
	if (worker_may_log(w))
		log_warn("message not taken reason=\"not protected by IPsec\" "
			 "peer=%s",
			 addr_str(peer, addr));
	return true;
}

/* RFC 5626 section 3.5.1: a double CRLF on a connection is answered with a
 * single one. Not in a datagram, whose source may be forged: the RFC has STUN
 * there. */
static void pong(struct worker *w, const struct dest *to)
{
	static const struct slice crlf = SLICE("\r\n");

	/* A pong that cannot be sent shows the client a dead flow: right. */
	if (transport_send(w->transport, to, crlf) != 0)
		return;
}

/*
 * What phones send by the thousand when they come back, and nobody waits for:
 * it takes turns, so that calls go on meanwhile. A registration asks the store,
 * the keys process and the call manager. A trunk carries the calls of many.
 */
static bool is_of_a_crowd(struct slice msg)
{
	return slice_starts(msg, "REGISTER ") ||
	       slice_starts(msg, "SUBSCRIBE ") || slice_starts(msg, "PUBLISH ");
}

static long data(void *ctx, struct handle ep, const uint8_t *buf, size_t len,
		 const char **reterr_reason)
{
	struct worker *w = ctx;
	struct conn *c = conns_find(&w->conns, ep);
	struct sip_frame f;
	int err;

	if (!c) {
		*reterr_reason = "unknown connection";
		return ERR_CLOSED;
	}
	if (c->is_held)
		return 0;
	if (is_held_back(w, &c->dest.peer)) {
		*reterr_reason = "not protected by IPsec";
		return ERR_DENIED;
	}
	if (c->is_sccp)
		return worker_sccp_data(w, c, slice_make(buf, len),
					reterr_reason);
	err = sip_frame_stream(buf, len, &c->scanned, &f, reterr_reason);
	if (err == ERR_MORE)
		return 0;
	if (err)
		return err;
	if (f.kind == SIP_FRAME_MSG && c->side == SIDE_PHONE && !c->trunk &&
	    is_of_a_crowd(slice_make(buf, f.len)) &&
	    !transport_turn(w->transport))
		return ERR_MORE;
	c->scanned = 0;
	if (f.kind == SIP_FRAME_PING)
		pong(w, &c->dest);
	else if (f.kind == SIP_FRAME_MSG)
		pipeline_run(
			w->pipeline,
			&(struct pipeline_in){.bytes = slice_make(buf, f.len),
					      .from = &c->dest,
					      .side = c->side,
					      .listener = c->listener,
					      .conn = c},
			loop_now_ms(w->loop));
	return (long)f.len;
}

static void datagram(void *ctx, uint32_t tag, const struct dest *from,
		     struct slice bytes)
{
	struct worker *w = ctx;
	const char *reason = "";
	struct sip_frame f;
	char addr[ADDR_STR_MAX];

	if (is_held_back(w, &from->peer))
		return;
	if (sip_frame_datagram(bytes.ptr, bytes.len, &f, &reason) != 0) {
		if (worker_may_log(w))
			log_warn("datagram refused reason=\"%s\" peer=%s",
				 reason, addr_str(&from->peer, addr));
		return;
	}
	if (f.kind == SIP_FRAME_MSG)
		pipeline_run(w->pipeline,
			     &(struct pipeline_in){
				     .bytes = slice_sub(bytes, 0, f.len),
				     .from = from,
				     .side = tag == WORKER_TAG_CORE
						     ? SIDE_CORE
						     : SIDE_PHONE,
				     .listener = tag},
			     loop_now_ms(w->loop));
}

const struct transport_cb worker_transport_cb = {
	.conn_up = conn_up,
	.data = data,
	.datagram = datagram,
	.conn_down = conn_down,
	.connect_failed = connect_failed,
};

/* ---- opening ------------------------------------------------------------- */

/* Listener number i of c, which may be the next configuration. */
static int open_listener(struct worker *w, const struct config *c, uint32_t i,
			 int fd, const struct tls_files *f, char *reterr)
{
	const struct config_listener *l = &c->listener[i];
	struct transport_listen p = {.proto =
					     worker_proto(l->address.transport),
				     .fd = fd,
				     .tag = i};
	char addr[ADDR_STR_MAX];
	int err = 0;

	if (p.proto == TRANSPORT_TLS)
		err = worker_tls_creds(w, c, l, f, &p.creds, reterr);
	if (!err)
		err = transport_listen(w->transport, &p, &w->tls.listener[i]);
	if (err)
		tls_creds_unref(p.creds);
	else
		w->tls.creds[i] = p.creds;
	if (!err)
		log_info("listening name=%s on=%s:%s", l->name,
			 transport_proto_str(p.proto),
			 addr_str(&l->address.addr, addr));
	return err;
}

int worker_net_open(struct worker *w, char *reterr)
{
	const struct tls_files *f = w->p.files;
	struct tls_files *own = NULL;
	int err = worker_tls_begin(w);

	reterr[0] = '\0';
	if (!err && !f) {
		err = worker_tls_files(w->config, &own, reterr);
		f = own;
	}
	if (!err)
		err = worker_core_open(w, f, reterr);
	for (uint32_t i = 0; i < w->config->listener_count && !err; i++)
		err = open_listener(w, w->config, i, w->p.listener_fd[i], f,
				    reterr);
	(void)tls_files_free(own);
	w->p.files = NULL;
	if (err && reterr[0] == '\0')
		(void)snprintf(reterr, WORKER_ERR_MAX, "%s", err_str(err));
	return err;
}

static int open_copy(struct worker *w, const struct config *c, uint32_t i,
		     int socket, const struct tls_files *f, char *reterr)
{
	int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	int err = fd < 0 ? ERR_IO : open_listener(w, c, i, fd, f, reterr);

	if (err && fd >= 0)
		(void)close(fd);
	return err;
}

int worker_listen(struct worker *w, const struct config *next,
		  const int *sockets, const struct tls_files *f, char *reterr)
{
	uint32_t have = w->config->listener_count;
	uint32_t i = have;
	int err = 0;

	reterr[0] = '\0';
	if (next->listener_count > have)
		err = worker_tls_grow(w, next);
	for (; !err && i < next->listener_count; i++)
		err = open_copy(w, next, i, sockets[i - have], f, reterr);
	if (err)
		worker_unlisten(w, have);
	if (err && reterr[0] == '\0')
		(void)snprintf(reterr, WORKER_ERR_MAX, "%s", err_str(err));
	return err;
}

void worker_unlisten(struct worker *w, uint32_t count)
{
	struct worker_tls *t = &w->tls;

	for (uint32_t i = count; i < t->count; i++) {
		transport_unlisten(w->transport, t->listener[i]);
		t->listener[i] = HANDLE_NONE;
		tls_creds_unref(t->creds[i]);
		t->creds[i] = NULL;
	}
}
