/*
 * Configuration files to a struct config: reads one file and the *.conf files
 * of the directory conf.d beside it, in the order of their names, with
 * libconfuse, and hands what they say to config/ as tuples. Expansion of
 * ${variables} and include() are off: what the file says is what counts.
 * Not thread-safe (libconfuse has globals); used at start-up and for -n.
 */
#pragma once

#include "config/config.h"

enum {
	CONFFILE_SIZE_MAX = 32 << 20, /* bytes of one file */
	CONFFILE_COUNT_MAX = 1000     /* files in conf.d */
};

/*
 * Read path, a NUL-terminated file name, and conf.d beside it (which may be
 * missing). rep gets all messages. ERR_BAD when something is wrong with the
 * files or what they say, ERR_NOMEM. *ret_config has one reference.
 */
MUST_CHECK int conffile_load(const char *path, struct config_report *rep,
			     struct config **ret_config);
/* The same with count tuples more, after those of the files; they are copied.
 * ERR_LIMIT as ERR_BAD. */
MUST_CHECK int conffile_load_more(const char *path,
				  const struct config_tuple *more, size_t count,
				  struct config_report *rep,
				  struct config **ret_config);
/*
 * Do the files c names exist and can this process read them: certificates,
 * keys, trust directories? Each that cannot is an error in rep. ERR_BAD when
 * there was one.
 */
MUST_CHECK int conffile_check_files(const struct config *c,
				    struct config_report *rep);
