#include "daemon/roles.h"

#include <stdio.h>

#include "base/alloc.h"
#include "daemon/keys.h"
#include "daemon/media.h"
#include "daemon/setup.h"
#include "daemon/store.h"
#include "log/log.h"
#include "pki/signer.h"

int role_keys(void)
{
	static const struct keys_named_file none;
	struct config *c = setup_config_from_fd(ROLE_FD_CONFIG);
	struct keys_named_file *files;
	char(*names)[SIGNER_KEY_ID_MAX + 1];
	char store_key[ROLE_PATH_MAX];
	char empty[ROLE_PATH_MAX];
	struct keys_main_params p = {.files = &none,
				     .store_key = store_key,
				     .control_fd = ROLE_FD_MONITOR};
	int status;

	setup_role(c, "keys");
	files = alloc_array(c->listener_count, sizeof(*files));
	names = alloc_array(c->listener_count, sizeof(*names));
	if (!files || !names)
		log_fatal("out of memory");
	for (uint32_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listener[i];

		if (l->address.transport != CONFIG_TLS)
			continue;
		(void)snprintf(names[p.file_count], sizeof(*names),
			       "listener:%.54s", l->name);
		files[p.file_count] = (struct keys_named_file){
			.name = names[p.file_count],
			.path = l->key,
		};
		p.file_count++;
	}
	if (p.file_count > 0)
		p.files = files;
	(void)snprintf(store_key, sizeof(store_key), "%s/store.key",
		       c->state_directory);
	(void)snprintf(empty, sizeof(empty), "%s/empty", c->state_directory);
	p.sandbox = setup_sandbox(c, SANDBOX_KEYS, empty);
	status = keys_main(&p);
	alloc_free(files);
	alloc_free(names);
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
int role_store_process(void)
{
	struct config *c = setup_config_from_fd(ROLE_FD_CONFIG);
	struct sandbox_params sb = setup_sandbox(c, SANDBOX_STORE, NULL);
	char path[ROLE_PATH_MAX];
	struct role_store_params p = {.path = path,
				      .monitor_fd = ROLE_FD_MONITOR};
	int status;

	setup_role(c, "store");
	(void)snprintf(path, sizeof(path), "%s/sallyport.db",
		       c->state_directory);
	status = enter_sandbox(&sb);
	if (status == 0)
		status = role_store(&p);
	config_unref(c);
	return status;
}

int role_media_process(void)
{
	struct config *c = setup_config_from_fd(ROLE_FD_CONFIG);
	char empty[ROLE_PATH_MAX];
	struct sandbox_params sb = setup_sandbox(c, SANDBOX_MEDIA, empty);
	const struct addr bind[] = {c->media.outside_address,
				    c->media.inside_address};
	struct role_media_params p = {
		.monitor_fd = ROLE_FD_MONITOR,
		.bind = bind,
		.bind_count = 2,
		.port_min = c->media.ports.min,
		.port_max = c->media.ports.max,
		.dscp = (uint8_t)c->media.dscp,
		.enter = enter_sandbox,
		.ctx = &sb,
	};
	int status;

	setup_role(c, "media");
	(void)snprintf(empty, sizeof(empty), "%s/empty", c->state_directory);
	status = role_media(&p);
	config_unref(c);
	return status == 0 ? 0 : 1;
}
