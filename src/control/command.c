#include "control/command.h"

#include "base/secret.h"

#define NAME_ARG                                               \
	{                                                      \
		.name = "name", .is_required = true, .max = 64 \
	}
#define REALM_ARG                           \
	{                                   \
		.name = "realm", .max = 128 \
	}
#define HA1_ARGS                                                            \
	{.name = "md5", .is_required = true, .max = 32, .is_secret = true}, \
		{.name = "sha256",                                          \
		 .is_required = true,                                       \
		 .max = 64,                                                 \
		 .is_secret = true},                                        \
	{                                                                   \
		.name = "sha512-256", .max = 64, .is_secret = true          \
	}

#define FILTER_ARGS                       \
	{.name = "device", .max = 64},    \
	{                                 \
		.name = "line", .max = 64 \
	}

/* One of them; the name "*" is all. */
#define RESET_ARGS                        \
	{.name = "name", .max = 64},      \
	{                                 \
		.name = "pool", .max = 64 \
	}

/* With a CSV file as descriptor, see monitor_device_import. */
#define FILE_ARGS                                          \
	{.name = "file", .is_required = true, .max = 255}, \
		{.name = "mode", .max = 16},               \
	{                                                  \
		.name = "dry-run", .max = 4                \
	}

const struct control_command control_command[CONTROL_COMMANDS] = {
	[CONTROL_STATUS] = {.id = CONTROL_STATUS,
			    .name = "status",
			    .args = "",
			    .help = "version, uptime, processes, counters",
			    .who = CONTROL_BY_WORKERS},
	[CONTROL_REGISTRATIONS] = {.id = CONTROL_REGISTRATIONS,
				   .name = "registrations",
				   .args = "[--device NAME] [--line LINE]",
				   .help = "registered phones",
				   .who = CONTROL_BY_WORKERS,
				   .arg = {FILTER_ARGS}},
	[CONTROL_CALLS] = {.id = CONTROL_CALLS,
			   .name = "calls",
			   .args = "[--device NAME] [--line LINE]",
			   .help = "calls with their security",
			   .who = CONTROL_BY_WORKERS,
			   .arg = {FILTER_ARGS}},
	[CONTROL_CALL] =
		{.id = CONTROL_CALL,
		 .name = "call",
		 .args = "ID",
		 .help = "legs, streams and history of a call",
		 .who = CONTROL_BY_WORKERS,
		 .arg = {{.name = "call", .is_required = true, .max = 20}}},
	[CONTROL_USER_ADD] = {.id = CONTROL_USER_ADD,
			      .name = "user add",
			      .args = "NAME [--realm REALM] [--stdin]",
			      .help = "store digest credentials of a new user",
			      .who = CONTROL_BY_STORE,
			      .arg = {NAME_ARG, REALM_ARG, HA1_ARGS}},
	[CONTROL_USER_PASSWD] = {.id = CONTROL_USER_PASSWD,
				 .name = "user passwd",
				 .args = "NAME [--realm REALM] [--stdin]",
				 .help = "replace a user's credentials",
				 .who = CONTROL_BY_STORE,
				 .arg = {NAME_ARG, REALM_ARG, HA1_ARGS}},
	[CONTROL_USER_LIST] = {.id = CONTROL_USER_LIST,
			       .name = "user list",
			       .args = "",
			       .help = "users that have credentials",
			       .who = CONTROL_BY_STORE},
	[CONTROL_USER_DELETE] = {.id = CONTROL_USER_DELETE,
				 .name = "user delete",
				 .args = "NAME [--realm REALM]",
				 .help = "delete a user's credentials",
				 .who = CONTROL_BY_STORE,
				 .arg = {NAME_ARG, REALM_ARG}},
	[CONTROL_REALM_ADD] =
		{.id = CONTROL_REALM_ADD,
		 .name = "realm add",
		 .args = "REALM --user USER [--stdin]",
		 .help = "store what answers a call manager's challenges",
		 .who = CONTROL_BY_STORE,
		 .arg = {{.name = "realm", .is_required = true, .max = 128},
			 {.name = "user", .is_required = true, .max = 64},
			 {.name = "password",
			  .is_required = true,
			  .max = 128,
			  .is_secret = true}}},
	[CONTROL_REALM_LIST] = {.id = CONTROL_REALM_LIST,
				.name = "realm list",
				.args = "",
				.help = "realms of call managers with "
					"credentials",
				.who = CONTROL_BY_STORE},
	[CONTROL_REALM_DELETE] =
		{.id = CONTROL_REALM_DELETE,
		 .name = "realm delete",
		 .args = "REALM",
		 .help = "delete a realm's credentials",
		 .who = CONTROL_BY_STORE,
		 .arg = {{.name = "realm", .is_required = true, .max = 128}}},
	[CONTROL_DROP] =
		{.id = CONTROL_DROP,
		 .name = "drop",
		 .args = "CALL",
		 .help = "end a call, by its id in calls",
		 .who = CONTROL_BY_WORKERS,
		 .arg = {{.name = "call", .is_required = true, .max = 20}}},
	[CONTROL_RELOAD] = {.id = CONTROL_RELOAD,
			    .name = "reload",
			    .args = "",
			    .help = "read the configuration anew, drop no call",
			    .who = CONTROL_BY_WORKERS},
	[CONTROL_CHECK] = {.id = CONTROL_CHECK,
			   .name = "check",
			   .args = "",
			   .help = "tell what reload would do, change nothing",
			   .who = CONTROL_BY_MONITOR},
	[CONTROL_TRUNKS] = {.id = CONTROL_TRUNKS,
			    .name = "trunks",
			    .args = "",
			    .help = "trunks, their peers and counters",
			    .who = CONTROL_BY_WORKERS},
	[CONTROL_STRANGERS] = {.id = CONTROL_STRANGERS,
			       .name = "strangers",
			       .args = "",
			       .help = "who came to listeners for trunks and "
				       "is nobody known",
			       .who = CONTROL_BY_WORKERS},
	[CONTROL_CERTS] = {.id = CONTROL_CERTS,
			   .name = "certs",
			   .args = "",
			   .help = "our certificates and what is trusted",
			   .who = CONTROL_BY_ONE},
	[CONTROL_DEVICE_RESET_LSC] =
		{.id = CONTROL_DEVICE_RESET_LSC,
		 .name = "device reset-lsc",
		 .args = "NAME",
		 .help = "let a device that had an LSC in without one",
		 .who = CONTROL_BY_STORE,
		 .arg = {NAME_ARG}},
	[CONTROL_DEVICE_RESET] = {.id = CONTROL_DEVICE_RESET,
				  .name = "device reset",
				  .args = "NAME | --all | --pool POOL",
				  .help = "let phones start from anew",
				  .who = CONTROL_BY_WORKERS,
				  .arg = {RESET_ARGS}},
	[CONTROL_DEVICE_RESTART] = {.id = CONTROL_DEVICE_RESTART,
				    .name = "device restart",
				    .args = "NAME | --all | --pool POOL",
				    .help = "let phones register anew",
				    .who = CONTROL_BY_WORKERS,
				    .arg = {RESET_ARGS}},
	[CONTROL_DEVICE_IMPORT] =
		{.id = CONTROL_DEVICE_IMPORT,
		 .name = "device import",
		 .args = "FILE.csv [--dry-run] [--replace]",
		 .help = "put the devices of a CSV file into the store",
		 .who = CONTROL_BY_STORE,
		 .arg = {FILE_ARGS}},
	[CONTROL_DEVICE_ADD] = {.id = CONTROL_DEVICE_ADD,
				.name = "device add",
				.args = "NAME [OPTION=VALUE ...] [--dry-run]",
				.help = "put a new device into the store",
				.who = CONTROL_BY_STORE,
				.arg = {FILE_ARGS}},
	[CONTROL_DEVICE_DELETE] = {.id = CONTROL_DEVICE_DELETE,
				   .name = "device delete",
				   .args = "NAME",
				   .help = "delete a device of the store",
				   .who = CONTROL_BY_STORE,
				   .arg = {NAME_ARG}},
	[CONTROL_DEVICE_SHOW] = {.id = CONTROL_DEVICE_SHOW,
				 .name = "device show",
				 .args = "NAME",
				 .help = "all options of a device",
				 .who = CONTROL_BY_MONITOR,
				 .arg = {NAME_ARG}},
	[CONTROL_DEVICE_EXPORT] = {.id = CONTROL_DEVICE_EXPORT,
				   .name = "device export",
				   .args = "",
				   .help = "the store's devices as a CSV file",
				   .who = CONTROL_BY_MONITOR},
	[CONTROL_MEDIA] = {.id = CONTROL_MEDIA,
			   .name = "media",
			   .args = "",
			   .help = "who relays media, and who cannot and why",
			   .who = CONTROL_BY_MONITOR},
	[CONTROL_MEDIA_UNLOAD] =
		{.id = CONTROL_MEDIA_UNLOAD,
		 .name = "media unload",
		 .args = "[BACKEND]",
		 .help = "move its streams elsewhere and end it; the module "
			 "too",
		 .who = CONTROL_BY_MONITOR,
		 .arg = {{.name = "backend", .max = 8}}},
	[CONTROL_MEDIA_LOAD] =
		{.id = CONTROL_MEDIA_LOAD,
		 .name = "media load",
		 .args = "[BACKEND]",
		 .help = "take it back, with the streams that it can have",
		 .who = CONTROL_BY_MONITOR,
		 .arg = {{.name = "backend", .max = 8}}},
	[CONTROL_LOG] = {.id = CONTROL_LOG,
			 .name = "log",
			 .args = "[LEVEL] [--tail N]",
			 .help = "last messages; log from LEVEL on",
			 .who = CONTROL_BY_MONITOR,
			 .arg = {{.name = "level", .max = 16},
				 {.name = "tail", .max = 4}}},
	[CONTROL_AUTHZ_TEST] =
		{.id = CONTROL_AUTHZ_TEST,
		 .name = "authz test",
		 .args = "{--trunk T | --device D} --method M [--event E] ...",
		 .help = "what would become of a request, by which rule",
		 .who = CONTROL_BY_MONITOR,
		 .arg = {{.name = "trunk", .max = 64},
			 {.name = "device", .max = 64},
			 {.name = "method", .max = 32},
			 {.name = "event", .max = 64},
			 {.name = "user", .max = 64},
			 {.name = "from", .max = 256},
			 {.name = "to", .max = 256},
			 {.name = "header", .max = 512},
			 {.name = "body", .max = 128},
			 {.name = "refer-to", .max = 256},
			 {.name = "source", .max = 64},
			 {.name = "forward", .max = 256},
			 {.name = "replaces", .max = 4},
			 {.name = "in-dialog", .max = 4}}},
	[CONTROL_IPSEC] = {.id = CONTROL_IPSEC,
			   .name = "ipsec",
			   .args = "",
			   .help = "what IPsec has to protect, and whether it "
				   "does",
			   .who = CONTROL_BY_MONITOR},
	[CONTROL_IPSEC_RULES] = {.id = CONTROL_IPSEC_RULES,
				 .name = "ipsec rules",
				 .args = "",
				 .help = "nftables rules: gateways by IPsec "
					 "alone",
				 .who = CONTROL_BY_MONITOR},
	[CONTROL_IPSEC_INSTALL] = {.id = CONTROL_IPSEC_INSTALL,
				   .name = "ipsec install-rules",
				   .args = "",
				   .help = "put these in force (nft)",
				   .who = CONTROL_BY_MONITOR},
	[CONTROL_IPSEC_REMOVE] = {.id = CONTROL_IPSEC_REMOVE,
				  .name = "ipsec remove-rules",
				  .args = "",
				  .help = "take them away",
				  .who = CONTROL_BY_MONITOR},
	[CONTROL_DEVICES] = {.id = CONTROL_DEVICES,
			     .name = "devices",
			     .args = "[--device NAME] [--line LINE]",
			     .help = "configured devices",
			     .who = CONTROL_BY_MONITOR,
			     .arg = {FILTER_ARGS}},
};

const struct control_command *control_command_find(struct slice name)
{
	for (size_t i = 0; i < CONTROL_COMMANDS; i++)
		if (slice_eqs(name, control_command[i].name))
			return &control_command[i];
	return NULL;
}

/* ---- requests -------------------------------------------------------- */

static int bad(const char **reterr_text, const char *text)
{
	*reterr_text = text;
	return ERR_BAD;
}

static const struct control_arg *arg_find(const struct control_command *cmd,
					  const char *name)
{
	for (size_t i = 0; i < CONTROL_ARGS_MAX && cmd->arg[i].name; i++)
		if (strcmp(cmd->arg[i].name, name) == 0)
			return &cmd->arg[i];
	return NULL;
}

static bool is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

static int check_args(const struct control_command *cmd, json_t *args,
		      const char **reterr_text)
{
	const char *key;
	json_t *value;

	json_object_foreach(args, key, value)
	{
		const struct control_arg *a = arg_find(cmd, key);
		size_t len = json_string_length(value);

		if (!a)
			return bad(reterr_text, "unknown argument");
		if (!json_is_string(value))
			return bad(reterr_text, "an argument is no string");
		if (len == 0 || len > a->max ||
		    !is_printable(json_string_value(value), len))
			return bad(reterr_text, "an argument is empty, too "
						"long, or not printable");
	}
	for (size_t i = 0; i < CONTROL_ARGS_MAX && cmd->arg[i].name; i++)
		if (cmd->arg[i].is_required &&
		    !json_object_get(args, cmd->arg[i].name))
			return bad(reterr_text, "an argument is missing");
	return 0;
}

static int check_request(json_t *root,
			 const struct control_command **ret_command,
			 const char **reterr_text)
{
	json_t *name = json_object_get(root, "command");
	json_t *args = json_object_get(root, "args");

	if (!json_is_string(name) ||
	    json_object_size(root) != (args ? 2U : 1U) ||
	    (args && !json_is_object(args)))
		return bad(reterr_text,
			   "expected {\"command\":\"...\",\"args\":{...}}");
	*ret_command = control_command_find(
		slice_make(json_string_value(name), json_string_length(name)));
	if (!*ret_command)
		return bad(reterr_text, "unknown command");
	return check_args(*ret_command, args, reterr_text);
}

int control_request_parse(struct slice line,
			  const struct control_command **ret_command,
			  json_t **ret_args, const char **reterr_text)
{
	const struct control_command *cmd = NULL;
	json_t *root = NULL;
	json_t *args;
	int err;

	if (line.len < CONTROL_LINE_MAX)
		root = json_loadb((const char *)line.ptr, line.len,
				  JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		return bad(reterr_text, "the request is no JSON object");
	err = check_request(root, &cmd, reterr_text);
	args = json_incref(json_object_get(root, "args"));
	if (!err && !args)
		args = json_object();
	if (!err && !args)
		err = bad(reterr_text, "out of memory");
	/* The object goes with its strings: args keeps its own. */
	json_decref(root);
	if (err) {
		control_args_free(args);
		return err;
	}
	*ret_command = cmd;
	*ret_args = args;
	return 0;
}

const char *control_arg_get(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

json_t *control_args_free(json_t *args)
{
	const char *key;
	json_t *value;

	json_object_foreach(args, key, value)
	{
		const char *text = json_string_value(value);
		void *p;

		if (!text)
			continue;
		/* Ours to destroy: jansson shows its strings as const. */
		memcpy(&p, &text, sizeof(p));
		secret_wipe(p, json_string_length(value));
	}
	json_decref(args);
	return NULL;
}
