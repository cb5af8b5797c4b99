/*
 * The schema: every section and option of the configuration, one row each.
 * Static and constant. Readers: config.c (values), conffile/ (what libconfuse
 * accepts), doc.c (manual page table and commented default file).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum config_type {
	CONFIG_TYPE_TEXT,     /* const char *: printable text */
	CONFIG_TYPE_NAME,     /* const char *: token characters */
	CONFIG_TYPE_PATH,     /* const char *: absolute or below words[0] */
	CONFIG_TYPE_KEY,      /* as PATH, or a pkcs11: URI as it is */
	CONFIG_TYPE_BOOL,     /* bool: yes or no */
	CONFIG_TYPE_UINT,     /* uint32_t: min..max, in unit */
	CONFIG_TYPE_WORD,     /* enum: index into words + min */
	CONFIG_TYPE_CHOICE,   /* const char *: one of words */
	CONFIG_TYPE_ENDPOINT, /* struct config_endpoint: one of words first */
	CONFIG_TYPE_REMOTE, /* struct config_remote: one of words first, or, without
				 words, address:port or host:port */
	CONFIG_TYPE_ADDR,     /* struct addr without a port */
	CONFIG_TYPE_ADDRPORT, /* struct addr with a port */
	CONFIG_TYPE_PORTS,    /* struct config_ports: min..max */
	CONFIG_TYPE_NAMES,    /* struct config_strings: list of names */
	CONFIG_TYPE_TEXTS,    /* struct config_strings: list of texts */
	CONFIG_TYPE_RULES,    /* struct config_strings: rules of kind min */
	CONFIG_TYPE_WORDS,    /* struct config_words: list of words */
	CONFIG_TYPE_SUITES,   /* struct config_suites: list of suites */
	CONFIG_TYPE_DIGESTS,  /* struct config_digests: list of algorithms */
};

/* What a change of an option asks for while the daemon runs. */
enum config_when {
	CONFIG_WHEN_SECTION, /* options: what the row of the section says */
	CONFIG_WHEN_RESTART, /* the daemon must be started anew */
	CONFIG_WHEN_NOW,     /* a reload takes it up */
	CONFIG_WHEN_RESET    /* the same, and the phone must be reset */
};

struct config_option {
	const char *name;
	enum config_type type;
	const char *unit;	  /* "seconds", ...; NULL = none */
	uint32_t min, max;	  /* CONFIG_TYPE_UINT: range */
	const char *value;	  /* default as written; NULL = must be given */
	const char *example;	  /* for the default file; NULL = value */
	const char *const *words; /* NULL-terminated; see the types */
	size_t offset;		  /* of the member in the section's struct */
	enum config_when when;	  /* a change counts */
	const char *text;	  /* what it does, one or two sentences */
};

struct config_section {
	const char *name;    /* "" = top level */
	const char *label;   /* example of its name; NULL = has none */
	size_t offset;	     /* of its struct, or pointer to them, in config */
	size_t count_offset; /* of their count; 0 where there is one only */
	size_t size;	     /* of one struct */
	const char *text;
	const struct config_option *option; /* count rows */
	uint32_t max; /* sections of this kind at most; 1 = merged */
	uint32_t count;
	bool is_example; /* commented out in the default file */
	bool grows;	 /* listeners: a reload opens new ones, whatever counts
			    when */
	/* A change of an option counts, also of the set of sections; never
	 * CONFIG_WHEN_SECTION. */
	enum config_when when;
};

enum {
	CONFIG_SECTIONS = 19,	/* rows of config_schema */
	CONFIG_OPTIONS_MAX = 32 /* options of one section at most */
};

/* All sections, the top level first. */
extern const struct config_section config_schema[CONFIG_SECTIONS];

/* Section with this name, or NULL. */
const struct config_section *config_section_find(struct slice name);
/* Option of s with this name, or NULL. */
const struct config_option *config_option_find(const struct config_section *s,
					       struct slice name);
/* True when the option takes a list of values. */
bool config_option_is_list(const struct config_option *o);
/*
 * The known name nearest to a mistyped one: an option of s, or, at the top
 * level, a section. NULL when nothing is near (edit distance over a third of
 * the length). A bounded amount of work for any name.
 */
const char *config_nearest(const struct config_section *s, struct slice name);
/* Write the commented default file through emit. */
void config_doc_default(void (*emit)(void *ctx, struct slice piece), void *ctx);
/* Write the tables of options for sallyport.conf(5), in man macros. */
void config_doc_man(void (*emit)(void *ctx, struct slice piece), void *ctx);
