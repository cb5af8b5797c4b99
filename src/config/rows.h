/*
 * Inside of config/: how rows of the schema are written, and the rows that
 * stand in files of their own (schema_authz.c, schema_failover.c,
 * schema_limits.c, schema_sccp.c).
 */
#pragma once

#include "config/build.h"
#include "config/schema.h"

/* Row of one section: struct and member, name, type, default as written, then
 * what differs. */
#define CONFIG_ROW(obj, member, key, kind, dflt, ...)                       \
	{                                                                   \
		.name = (key), .type = CONFIG_TYPE_##kind, .value = (dflt), \
		.offset = offsetof(struct obj, member), __VA_ARGS__         \
	}

/* What a method list accepts: member is a struct config_accept of struct obj.
 * Five rows. */
#define CONFIG_ACCEPT_ROWS(obj, member)                                        \
	CONFIG_ROW(obj, member.presence, "accept-presence-subscription", BOOL, \
		   "no", .text = "Accept SUBSCRIBE to presence."),             \
		CONFIG_ROW(obj, member.refer, "accept-out-of-dialog-refer",    \
			   BOOL, "no",                                         \
			   .text = "Accept REFER outside of a dialog, as "     \
				   "click-to-dial sends it."),                 \
		CONFIG_ROW(obj, member.notify,                                 \
			   "accept-unsolicited-notification", BOOL, "no",      \
			   .text = "Accept NOTIFY that nobody subscribed to, " \
				   "as voice mail sends it for the lamp."),    \
		CONFIG_ROW(obj, member.replaces, "accept-replaces", BOOL,      \
			   "no",                                               \
			   .text = "Accept requests that replace a dialog: "   \
				   "with a Replaces header, or in Refer-To."), \
		CONFIG_ROW(obj, member.acl, "acl", NAME, "", .example = "",    \
			   .text = "Section acl whose rules are asked when "   \
				   "all of these accept a request; empty: "    \
				   "none.")

enum {
	CONFIG_ACL_ROWS = 2,
	CONFIG_RIGHTS_ROWS = 2,
	CONFIG_GROUP_ROWS = 2,
	CONFIG_GATEWAY_ROWS = 3,
	CONFIG_SCCP_ROWS = 4,
	CONFIG_SCCP_MANAGER_ROWS = 6,
	CONFIG_MODEL_ROWS = 6,
	CONFIG_FAILOVER_ROWS = 7,
	CONFIG_LIMIT_ROWS = 16,
	CONFIG_APPLICATION_ROWS = 7
};

extern const struct config_option config_acl_rows[CONFIG_ACL_ROWS];
extern const struct config_option config_rights_rows[CONFIG_RIGHTS_ROWS];
extern const struct config_option config_group_rows[CONFIG_GROUP_ROWS];
extern const struct config_option
	config_application_rows[CONFIG_APPLICATION_ROWS];
extern const struct config_option config_gateway_rows[CONFIG_GATEWAY_ROWS];
extern const struct config_option config_sccp_rows[CONFIG_SCCP_ROWS];
extern const struct config_option
	config_sccp_manager_rows[CONFIG_SCCP_MANAGER_ROWS];
extern const struct config_option config_model_rows[CONFIG_MODEL_ROWS];
extern const struct config_option config_failover_rows[CONFIG_FAILOVER_ROWS];
extern const struct config_option config_limit_rows[CONFIG_LIMIT_ROWS];
/* "no", "warn", "yes": the order of enum config_ipsec. */
extern const char *const config_ipsec_words[4];
/* Where file names are taken from that are not absolute: the directory of the
 * configuration, and trust/ in it. */
extern const char *const config_below_base[2];
extern const char *const config_below_trust[2];
/* "deny", "allow": the order of enum config_right. */
extern const char *const config_right_words[3];
