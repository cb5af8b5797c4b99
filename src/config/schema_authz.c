#include "authz/rule.h"
#include "config/rows.h"

const char *const config_right_words[3] = {"deny", "allow", NULL};

const char *const config_ipsec_words[4] = {"no", "warn", "yes", NULL};

static const char *const words_gateway[] = {"mgcp", "h323", NULL};

#define RULES(member, key, kind, dflt, ...) \
	CONFIG_ROW(config_rules, member, key, kind, dflt, __VA_ARGS__)

const struct config_option config_acl_rows[CONFIG_ACL_ROWS] = {
	RULES(rules, "rules", RULES, "", .min = RULE_METHODS,
	      .example = "{ \"deny method=MESSAGE\", \"allow method=SUBSCRIBE "
			 "event=dialog from=*@crm.example.com\" }",
	      .text = "Rules, the first that holds decides. A rule is allow or "
		      "deny and conditions that must all hold: method=, event= "
		      "(package), from= and to= (user@host), user= (digest "
		      "user, in the list of an application), body= (media "
		      "type, also of a part), header=NAME or "
		      "header=NAME:VALUE, source=ADDRESS/PREFIX. Values are "
		      "patterns without blanks in which * stands for any "
		      "text."),
	RULES(fallback, "default", WORD, NULL, .words = config_right_words,
	      .example = "deny",
	      .text = "What becomes of a request for which no rule holds."),
};

const struct config_option config_rights_rows[CONFIG_RIGHTS_ROWS] = {
	RULES(rules, "rules", RULES, "", .min = RULE_RIGHTS,
	      .example = "{ \"deny transfer from=outside to=outside\", \"deny "
			 "forward to=outside\", \"deny call to=0900*\" }",
	      .text = "Rules, the first that holds decides. A rule is allow or "
		      "deny, then call, transfer or forward (none: all "
		      "three), and conditions: to= is the number that is to "
		      "be reached; from= is who would reach it: the caller, "
		      "for a transfer the party that is transferred, for a "
		      "forward the one that called. Values are patterns of "
		      "numbers, or inside or outside (see inside-numbers)."),
	RULES(fallback, "default", WORD, NULL, .words = config_right_words,
	      .example = "allow", .text = "What applies when no rule holds."),
};

#define GROUP(member, key, kind, dflt, ...) \
	CONFIG_ROW(config_presence_group, member, key, kind, dflt, __VA_ARGS__)

const struct config_option config_group_rows[CONFIG_GROUP_ROWS] = {
	GROUP(may_watch, "may-watch", NAMES, "", .example = "{ \"default\" }",
	      .text = "Groups whose members those of this group may subscribe "
		      "to. Members of one group may always watch each other."),
	GROUP(may_not_watch, "may-not-watch", NAMES, "",
	      .text = "Groups whose members those of this group may not "
		      "subscribe to. For other groups presence-between-groups "
		      "applies."),
};

#define APPLICATION(member, key, kind, dflt, ...) \
	CONFIG_ROW(config_application, member, key, kind, dflt, __VA_ARGS__)

const struct config_option config_application_rows[CONFIG_APPLICATION_ROWS] = {
	APPLICATION(description, "description", TEXT, "",
		    .text = "Text for people."),
	CONFIG_ACCEPT_ROWS(config_application, accept),
	APPLICATION(presence_group, "presence-group", NAME, "", .example = "",
		    .text = "Presence group of the application; empty: "
			    "that of the trunk it comes by."),
};

#define GATEWAY(member, key, kind, dflt, ...) \
	CONFIG_ROW(config_gateway, member, key, kind, dflt, __VA_ARGS__)

const struct config_option config_gateway_rows[CONFIG_GATEWAY_ROWS] = {
	GATEWAY(address, "address", ADDR, NULL, .example = "192.0.2.40",
		.text = "Address of the gateway."),
	GATEWAY(protocol, "protocol", WORD, "mgcp", .words = words_gateway,
		.text = "What it is controlled by: decides about the ports in "
			"the rules of sallyportctl ipsec rules."),
	GATEWAY(ipsec, "require-ipsec", WORD, "yes",
		.words = config_ipsec_words,
		.text = "yes, warn: its protection is watched, and what is "
			"missing is an error, or a warning, in the log. Only "
			"the packet filter can hold back what others send "
			"it."),
};
