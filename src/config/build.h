/*
 * Inside of config/: what build.c and check.c share while a configuration is
 * being made, and the conversion of one value (value.c).
 */
#pragma once

#include "base/writer.h"
#include "config/config.h"
#include "config/schema.h"

struct config_place {
	const char *file;
	uint32_t line; /* 0 = not given */
};

/* A section while it is being read. */
struct config_item {
	const struct config_section *section;
	struct slice label; /* the tuple's */
	void *obj;	    /* its struct inside the config */
	struct config_place at;
	bool is_bad; /* a value was refused: not checked any further */
	struct config_place option[CONFIG_OPTIONS_MAX]; /* by row */
	struct table_node by_label;
};

struct config_build {
	struct config *c;
	struct config_report *rep;
	const char *base_dir;
	const char *file; /* of the first tuple, for messages about nothing */
	struct config_item *item; /* sections without label first */
	uint32_t count;
	uint32_t cap;
	struct table labels; /* items by label */
};

/* Options of the sections trunk and trunk-profile (schema_trunk.c), and the
 * words they share with those of devices (schema.c). */
enum { CONFIG_TRUNK_OPTIONS = 14, CONFIG_PROFILE_OPTIONS = 30 };
extern const struct config_option config_trunk_options[CONFIG_TRUNK_OPTIONS];
extern const struct config_option
	config_profile_options[CONFIG_PROFILE_OPTIONS];
extern const char *const config_words_security[];
extern const char *const config_words_offer[];
extern const char *const config_words_other[];
extern const char *const config_words_qop[];
extern const char *const config_words_nextnonce[];
extern const char *const config_words_digest_uri[];

enum {
	CONFIG_WHY_MAX = 512,
	CONFIG_PRINT_MAX = 64 /* bytes of a value that is no text */
};

/* size bytes that live as long as c, zeroed and aligned; NULL. */
void *config_alloc(struct config *c, size_t size);
/* Copy of s with a NUL that lives as long as c; NULL. */
const char *config_keep(struct config *c, struct slice s);
/* Free what config_alloc and config_keep gave. */
void config_blocks_free(struct config *c);
/* Make line, whose text lives as long as c, find d. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK int config_line_add(struct config *c, const struct config_device *d,
			       const char *line);
/*
 * Convert value and store it in the option's member of obj; a list grows by
 * one item. ERR_BAD: why got "expected ..., got ..."; ERR_NOMEM.
 */
MUST_CHECK int config_value_set(struct config_build *b,
				const struct config_option *o, void *obj,
				struct slice value, struct writer *why);
/* Set the option's member of obj to its default, which must exist. */
MUST_CHECK int config_value_default(struct config_build *b,
				    const struct config_option *o, void *obj);
/* Can both not be bound at once? */
bool config_is_clash(const struct config_endpoint *a,
		     const struct config_endpoint *b);
/* Is a's port one of the relay's? */
bool config_is_media_port(const struct config_media *m, const struct addr *a);
/*
 * Item n of the option's member of obj as text without quotes, into buf or a
 * view of what obj holds; false past the last. What is no list has one item.
 */
bool config_value_text(const struct config_option *o, const void *obj,
		       uint32_t n, char buf[CONFIG_PRINT_MAX],
		       struct slice *ret);
/* Has the option's member of obj the value it has when nothing is said? */
bool config_value_is_default(const struct config_option *o, const void *obj);
/* Print the option's member of obj as it is written in a file. */
void config_value_print(const struct config_option *o, const void *obj,
			void (*emit)(void *ctx, struct slice piece), void *ctx);
/* Print s in double quotes as libconfuse reads it. */
void config_quote_print(struct slice s,
			void (*emit)(void *ctx, struct slice piece), void *ctx);
/* Message about an option of it (NULL: about the section), with its place. */
void config_complain(struct config_build *b, const struct config_item *it,
		     const char *option, bool is_error, const char *text);
/* The struct number n of section s inside c; n is 0 where s has no label. */
const void *config_section_at(const struct config *c,
			      const struct config_section *s, uint32_t n);
/* How many structs of section s c has; 1 where s has no label. */
uint32_t config_section_count(const struct config *c,
			      const struct config_section *s);
/* What check.c and check_trunk.c share. Is it a usable section of this kind? */
bool check_is_kind(const struct config_item *it, const char *name);
/* Messages about an option of it (NULL: about the section). */
void check_error(struct config_build *b, const struct config_item *it,
		 const char *option, const char *text);
/* As check_error. */
void check_warn(struct config_build *b, const struct config_item *it,
		const char *option, const char *text);
/* "before "name" after", for messages that name another section. */
void check_about(struct config_build *b, const struct config_item *it,
		 const char *option, bool is_error, const char *const part[3]);
/* Trunks and their profiles: checks, derived values, tables. ERR_NOMEM. */
MUST_CHECK int config_check_trunks(struct config_build *b);
/* One address of a remote: transport (one of words) ":" host ":" port. Texts
 * are kept in c. ERR_BAD, ERR_NOMEM. */
MUST_CHECK int config_remote_read(struct config *c, const char *const *words,
				  struct slice value,
				  struct config_remote *ret);
/* Make subject, network or host find t; what it is called is copied. ERR_NOMEM,
 * ERR_LIMIT. */
MUST_CHECK int config_trunk_add_subject(struct config *c,
					const struct config_trunk *t,
					const char *subject);
/* As config_trunk_add_subject. */
MUST_CHECK int config_trunk_add_net(struct config *c,
				    const struct config_trunk *t,
				    const struct config_net *net);
/* The first trunk that was added with just this network and has one of these
 * listeners, or NULL. */
const struct config_trunk *config_trunk_by_net(const struct config *c,
					       const struct config_net *net,
					       uint64_t listener_bits);
/* As config_trunk_add_subject. */
MUST_CHECK int config_trunk_add_host(struct config *c,
				     const struct config_trunk *t,
				     const char *host);
/* The names that t accepts: its own, or its profile's. */
const struct config_strings *
config_trunk_subjects(const struct config_trunk *t);
/* What a says, as authz/ wants it; a name that is none is an error of it. */
void config_resolve_accept(struct config_build *b, const struct config_item *it,
			   const struct config_accept *a,
			   struct authz_list *ret);
/* The calling-rights section of this name; NULL for "" and, which is an error
 * of it, for none. */
const struct config_rules *config_resolve_rights(struct config_build *b,
						 const struct config_item *it,
						 const char *name);
/* An error of it unless name is "", "default" or a presence-group section. */
void config_check_group(struct config_build *b, const struct config_item *it,
			const char *option, const char *name);
/* Compile rules and resolve the names that sections about authorization use:
 * after the rest of config_check. ERR_NOMEM. */
MUST_CHECK int config_check_authz(struct config_build *b);
/* Skinny: listeners, call managers, models. ERR_NOMEM. */
MUST_CHECK int config_check_sccp(struct config_build *b);
/* Cross-option checks, derived values and look-up tables. ERR_NOMEM only;
 * errors are in the report. */
MUST_CHECK int config_check(struct config_build *b);
