#include "daemon/roles.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/keys.h"
#include "daemon/media.h"
#include "daemon/setup.h"
#include "daemon/store.h"
#include "log/log.h"
#include "media/joins.h"
#include "media/journal.h"
#include "pki/signer.h"
#include "proxy/medialink.h"

_Static_assert((int)CONFIG_WORKER_FLOWS == (int)MEDIALINK_FLOWS_MAX,
	       "a worker's flows");
_Static_assert((int)CONFIG_NOTED_FLOWS == (int)JOURNAL_FLOWS, "noted flows");

/* A PKCS#11 module opens files and talks to its device at any time. */
static bool has_token(const struct config *c)
{
	struct config_identity id;

	for (uint32_t i = 0; config_identity_at(c, i, &id); i++)
		if (config_key_is_token(id.key))
			return true;
	return false;
}

int role_keys(void)
{
	struct config *c = setup_config_from_fd(ROLE_FD_CONFIG);
	const char **files =
		alloc_array(c->listener_count + c->certificate_count +
				    c->call_manager_count +
				    c->sccp_manager_count,
			    sizeof(*files));
	struct config_identity id;
	char store_key[ROLE_PATH_MAX];
	char tickets[ROLE_PATH_MAX];
	char empty[ROLE_PATH_MAX];
	struct keys_main_params p = {.files = files,
				     .store_key = store_key,
				     .control_fd = ROLE_FD_MONITOR};
	int status;

	setup_role(c, "keys", ROLE_FD_LOG);
	if (!files)
		log_fatal("out of memory");
	for (uint32_t i = 0; config_identity_at(c, i, &id); i++)
		files[p.file_count++] = id.key;
	(void)snprintf(store_key, sizeof(store_key), "%s/store.key",
		       c->state_directory);
	(void)snprintf(tickets, sizeof(tickets), "%s/tickets.key",
		       c->state_directory);
	if (c->session_lifetime_min > 0)
		p.ticket_file = tickets;
	p.ticket_period_s = c->session_lifetime_min * 60;
	(void)snprintf(empty, sizeof(empty), "%s/empty", c->state_directory);
	p.sandbox = setup_sandbox(c, SANDBOX_KEYS, empty);
	if (has_token(c)) {
		p.sandbox.role = SANDBOX_KEYS_TOKEN;
		p.sandbox.chroot_dir = NULL;
	}
	status = keys_main(&p);
	alloc_free(files);
	config_unref(c);
	return status;
}

static int enter_sandbox(void *ctx)
{
	const struct sandbox_params *p = ctx;
	char why[SANDBOX_ERR_MAX];

	if (sandbox_enter(p, why) == 0)
		return 0;
	log_error("sandbox: %s", why);
	return 1;
}

/*
 * The database is opened inside the sandbox: its journal files must belong to
 * the user the process runs as, or they could not be removed later.
 */
int role_store_process(uint32_t workers)
{
	struct config *c = setup_config_from_fd(ROLE_FD_CONFIG);
	struct sandbox_params sb = setup_sandbox(c, SANDBOX_STORE, NULL);
	char path[ROLE_PATH_MAX];
	char state[ROLE_PATH_MAX];
	struct role_store_params p = {
		.path = path,
		.state = store_state_params(c, workers, state),
		.monitor_fd = ROLE_FD_MONITOR};
	int status;

	setup_role(c, "store", ROLE_FD_LOG);
	(void)snprintf(path, sizeof(path), "%s/sallyport.db",
		       c->state_directory);
	(void)snprintf(state, sizeof(state), "%s/state.db", c->state_directory);
	status = enter_sandbox(&sb);
	if (status == 0)
		status = role_store(&p);
	config_unref(c);
	return status;
}

/* To speak with netfilter, as long as the backend lives. A module that is not
 * there when we begin is not asked later. */
static bool needs_net_admin(enum flow_backend b)
{
	return b == FLOW_BACKEND_QUEUE ||
	       (b == FLOW_BACKEND_KERNEL &&
		access("/sys/module/nf_srtp", F_OK) == 0);
}

int role_media_process(uint16_t queues)
{
	struct config *c = setup_config_from_fd(ROLE_FD_CONFIG);
	char empty[ROLE_PATH_MAX];
	struct sandbox_params sb = setup_sandbox(c, SANDBOX_MEDIA, empty);
	const struct addr bind[] = {c->media.outside_address,
				    c->media.inside_address};
	enum flow_backend backend[CONFIG_WORDS_MAX];
	struct role_media_params p = {
		.monitor_fd = ROLE_FD_MONITOR,
		.journal_fd = ROLE_FD_JOURNAL,
		.bind = bind,
		.bind_count = 2,
		.port_min = c->media.ports.min,
		.port_max = c->media.ports.max,
		.dscp = (uint8_t)c->media.dscp,
		/* limits.calls, which a reload may change, is the workers'. */
		.max_flows = JOINS_FLOWS_MAX,
		.backend = backend,
		.backend_count = c->media.backends.count,
		.lease_s = c->restart_lease_s,
		.queue_first = (uint16_t)c->media.queue_first,
		.queues = queues,
		.enter = enter_sandbox,
		.ctx = &sb,
	};
	int status;

	setup_role(c, "media", ROLE_FD_LOG);
	for (uint32_t i = 0; i < c->media.backends.count; i++) {
		backend[i] = (enum flow_backend)c->media.backends.item[i];
		sb.keeps_net_admin |= needs_net_admin(backend[i]);
	}
	(void)snprintf(empty, sizeof(empty), "%s/empty", c->state_directory);
	status = role_media(&p);
	config_unref(c);
	return status == 0 ? 0 : 1;
}
