/*
 * The operator's commands: one row each, and the request line that names one.
 * A request is one line of JSON, {"command":"user add","args":{"name":"bob"}};
 * the answer is one line, {"ok":true,"result":...} or {"ok":false,
 * "error":"..."}. Arguments are strings, checked against the row before a
 * handler sees them. What results look like: status is an object with at
 * least "version", "uptime" (seconds) and "realm" (sallyportctl hashes
 * passwords with it); registrations, calls and user list are arrays of rows
 * (control/rows.h); the others are objects, shown if not empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	CONTROL_LINE_MAX = 4096,      /* bytes of a request with its newline */
	CONTROL_REPLY_MAX = 60 << 20, /* bytes of an answer */
	CONTROL_ARGS_MAX = 16,
};

enum control_id {
	CONTROL_STATUS,
	CONTROL_REGISTRATIONS,
	CONTROL_CALLS,
	CONTROL_CALL,
	CONTROL_USER_ADD,
	CONTROL_USER_PASSWD,
	CONTROL_USER_LIST,
	CONTROL_USER_DELETE,
	CONTROL_DROP,
	CONTROL_REALM_ADD,
	CONTROL_REALM_LIST,
	CONTROL_REALM_DELETE,
	CONTROL_RELOAD,
	CONTROL_CHECK,
	CONTROL_CERTS,
	CONTROL_DEVICE_RESET_LSC,
	CONTROL_DEVICE_RESET,
	CONTROL_DEVICE_RESTART,
	CONTROL_DEVICE_IMPORT,
	CONTROL_DEVICE_ADD,
	CONTROL_DEVICE_DELETE,
	CONTROL_DEVICE_SHOW,
	CONTROL_DEVICE_EXPORT,
	CONTROL_DEVICES,
	CONTROL_LOG,
	CONTROL_AUTHZ_TEST,
	CONTROL_MEDIA,
	CONTROL_MEDIA_UNLOAD,
	CONTROL_MEDIA_LOAD,
	CONTROL_TRUNKS,
	CONTROL_STRANGERS,
	CONTROL_IPSEC,
	CONTROL_IPSEC_RULES,
	CONTROL_IPSEC_INSTALL,
	CONTROL_IPSEC_REMOVE,
	CONTROL_COMMANDS /* count */
};

enum control_who {
	CONTROL_BY_MONITOR, /* answers from what it knows */
	CONTROL_BY_WORKERS, /* every worker answers, rows are joined */
	CONTROL_BY_ONE,	    /* any worker: all know the same */
	CONTROL_BY_STORE    /* keys and store processes */
};

struct control_arg {
	const char *name;
	bool is_required;
	uint16_t max;	/* bytes */
	bool is_secret; /* wiped after use, never logged */
};

struct control_command {
	enum control_id id;
	enum control_who who;
	const char *name; /* words, "user add" */
	const char *args; /* for people, "NAME [--realm REALM]" */
	const char *help; /* one line */
	struct control_arg arg[CONTROL_ARGS_MAX]; /* name NULL ends */
};

/* The table, by id. */
extern const struct control_command control_command[CONTROL_COMMANDS];

/* Command with this name ("user add"), or NULL. */
const struct control_command *control_command_find(struct slice name);
/*
 * Parse a request line (without its newline). ERR_BAD: reterr_text (static)
 * says what is wrong. *ret_args: a JSON object of strings as the row allows,
 * the caller's: control_args_free.
 */
MUST_CHECK int control_request_parse(struct slice line,
				     const struct control_command **ret_command,
				     json_t **ret_args,
				     const char **reterr_text);
/* Argument name of args, or NULL when it was not given. Valid as long as
 * args. */
const char *control_arg_get(const json_t *args, const char *name);
/* Wipe every string in args and free it; args may be NULL. Returns NULL. */
json_t *control_args_free(json_t *args);
