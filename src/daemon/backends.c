#include "daemon/backends.h"

#include <stdio.h>
#include <sys/random.h>

#include "log/log.h"
#include "media/kernel.h"
#include "media/queue.h"

int backends_find(struct slice name, enum flow_backend *ret)
{
	for (int i = 0; i < FLOW_BACKENDS; i++) {
		if (slice_eqs(name, flow_backend_str((enum flow_backend)i))) {
			*ret = (enum flow_backend)i;
			return 0;
		}
	}
	return ERR_NOTFOUND;
}

static int make_kernel(const struct backends_params *p,
		       struct media_backend **ret, char reterr[MEDIA_WHY_MAX])
{
	struct media_kernel_params kp = {.lease_s = p->lease_s,
					 .max_flows = p->socket.max_flows,
					 .dscp = p->socket.dscp};

	/* Without a journal nobody can find the flows again. */
	if (p->socket.journal)
		kp.instance = journal_instance(p->socket.journal);
	else if (getrandom(&kp.instance, sizeof(kp.instance), 0) < 0)
		return ERR_IO;
	return media_kernel_new(&kp, ret, reterr);
}

static int make_queue(const struct backends_params *p,
		      struct media_backend **ret, char reterr[MEDIA_WHY_MAX])
{
	struct media_queue_params qp = {.socket = p->socket,
					.first = p->queue_first};

	if (p->queues == 0) {
		(void)snprintf(reterr, MEDIA_WHY_MAX,
			       "the rules for packet queues are not there");
		return ERR_UNSUPPORTED;
	}
	qp.socket.threads = p->queues;
	return media_queue_new(&qp, ret, reterr);
}

static int make_socket(const struct backends_params *p,
		       struct media_backend **ret, char reterr[MEDIA_WHY_MAX])
{
	int err = media_socket_new(&p->socket, ret);

	if (err)
		(void)snprintf(reterr, MEDIA_WHY_MAX, "%s", err_str(err));
	return err;
}

static int make(const struct backends_params *p, enum flow_backend which,
		struct media_backend **ret, char reterr[MEDIA_WHY_MAX])
{
	switch (which) {
	case FLOW_BACKEND_KERNEL:
		return make_kernel(p, ret, reterr);
	case FLOW_BACKEND_QUEUE:
		return make_queue(p, ret, reterr);
	case FLOW_BACKEND_SOCKET:
		return make_socket(p, ret, reterr);
	case FLOW_BACKENDS:
		break;
	}
	return ERR_UNSUPPORTED;
}

int backends_open(struct backends *b, const struct backends_params *p,
		  struct media_params *mp, struct media **ret)
{
	struct media_backend *made[FLOW_BACKENDS];
	uint32_t n = 0;
	int err;

	b->params = *p;
	for (uint32_t i = 0; i < p->wanted_count; i++) {
		enum flow_backend which = p->wanted[i];
		const char *name = flow_backend_str(which);

		if (make(p, which, &made[n], b->why[which]) != 0) {
			log_info("media backend is not available backend=%s "
				 "reason=\"%s\"",
				 name, b->why[which]);
			continue;
		}
		log_info("media backend is ready backend=%s preference=%u",
			 name, i + 1);
		b->is_there[which] = true;
		n++;
	}
	if (n == 0) {
		log_error("no media backend can be had");
		return ERR_UNSUPPORTED;
	}
	mp->backend = made;
	mp->backend_count = n;
	err = media_new(mp, ret);
	mp->backend = NULL;
	return err;
}

int backends_load(struct backends *b, struct media *m, enum flow_backend which,
		  uint32_t *ret_moved, char reterr[MEDIA_WHY_MAX])
{
	struct media_backend *made;
	int err = ERR_NOTFOUND;

	/* Nor is there the capability it would need. */
	if (!b->is_there[which]) {
		(void)snprintf(reterr, MEDIA_WHY_MAX,
			       "it was not there when sallyportd started");
		return err;
	}
	if (media_flows(m, which, NULL)) {
		(void)snprintf(reterr, MEDIA_WHY_MAX, "it is in use");
		return ERR_EXISTS;
	}
	err = make(&b->params, which, &made, reterr);
	if (err)
		return err;
	err = media_load(m, made, ret_moved);
	if (err)
		(void)snprintf(reterr, MEDIA_WHY_MAX, "%s", err_str(err));
	return err;
}

json_t *backends_rows(const struct backends *b, const struct media *m)
{
	json_t *rows = json_array();

	for (uint32_t i = 0; i < b->params.wanted_count; i++) {
		enum flow_backend which = b->params.wanted[i];
		uint32_t flows = 0;
		const char *state = media_flows(m, which, &flows) ? "ready"
				    : b->is_there[which]	  ? "unloaded"
							 : "not available";

		(void)json_array_append_new(
			rows, json_pack("{s:s, s:s, s:I, s:s}", "backend",
					flow_backend_str(which), "state", state,
					"flows", (json_int_t)flows, "why",
					b->why[which]));
	}
	return rows;
}
