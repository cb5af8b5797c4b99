#include "conffile/conffile.h"

#include <confuse.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "conffile/tuples.h"
#include "config/schema.h"

/* No file can spell this option; its default is read when a section opens. */
#define OPENING "\001"

struct load {
	struct config_report *rep;
	struct tuples tuples;
	struct slice label; /* of the open section; the tuples own it */
	const char *file;   /* being read */
	char *file_name[CONFFILE_COUNT_MAX + 1]; /* tuples point at them */
	size_t file_count;
	char written[PATH_MAX / 2]; /* directory of the file, as named */
	char path[PATH_MAX];
	char base[PATH_MAX]; /* the same, absolute */
	int err;	     /* first failure that is no message */
	cfg_opt_t top[CONFIG_OPTIONS_MAX + CONFIG_SECTIONS + 1];
	cfg_opt_t section[CONFIG_SECTIONS][CONFIG_OPTIONS_MAX + 2];
};

/* libconfuse hands no context to its callbacks. Set during conffile_load. */
static struct load *current;

/* ---- messages -------------------------------------------------------- */

static void complain(struct load *l, unsigned line, const char *text)
{
	config_report_add(l->rep, true, l->file, line, slice_str(text));
}

static void complain_errno(struct load *l, const char *file, int err)
{
	config_report_add(l->rep, true, file, 0, slice_str(strerror(err)));
}

static void complain_unknown(struct load *l, const cfg_t *cfg, const char *name)
{
	const struct config_section *s =
		config_section_find(slice_str(cfg->name));
	const char *near;
	char buf[512];

	if (!s)
		s = &config_schema[0];
	near = config_nearest(s, slice_str(name));
	(void)snprintf(buf, sizeof(buf), "%s%sunknown option \"%.64s\"%s%s%s",
		       s->name, s->name[0] ? ": " : "", name,
		       near ? ", did you mean \"" : "", near ? near : "",
		       near ? "\"?" : "");
	complain(l, (unsigned)cfg->line, buf);
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char buf[512];

	if (strcmp(fmt, "no such option '%s'") == 0) {
		complain_unknown(current, cfg, va_arg(ap, const char *));
		return;
	}
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	complain(current, (unsigned)cfg->line, buf);
}

/* ---- what libconfuse found ------------------------------------------- */

static int add_tuple(const cfg_t *cfg, const char *name, const char *value)
{
	struct load *l = current;
	const struct config_section *s =
		config_section_find(slice_str(cfg->name));
	struct config_tuple t = {.section = s ? s->name : "",
				 .label = slice_str(cfg->title),
				 .name = name,
				 .value = slice_str(value),
				 .file = l->file,
				 .line = (uint32_t)cfg->line};
	int err;

	if (name)
		t.label = s ? l->label : SLICE_NULL;
	err = tuples_add(&l->tuples, &t);
	if (err == ERR_LIMIT)
		complain(l, t.line, "too many options");
	else if (err)
		l->err = err;
	if (err)
		return -1;
	if (!name)
		l->label = l->tuples.item[l->tuples.count - 1].label;
	return 0;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct config_section *s =
		config_section_find(slice_str(cfg->name));
	const struct config_option *o = config_option_find(
		s ? s : &config_schema[0], slice_str(opt->name));

	*(const char **)result = "";
	return o ? add_tuple(cfg, o->name, value) : -1;
}

static int on_opening(cfg_t *cfg, cfg_opt_t *opt, const char *value,
		      void *result)
{
	*(const char **)result = "";
	/* A default that cannot be set is no error to libconfuse, it ends the
	 * process: what went wrong stands in the report, or in err. */
	if (strcmp(value, OPENING) == 0) {
		(void)!add_tuple(cfg, NULL, "");
		return 0;
	}
	complain_unknown(current, cfg, opt->name);
	return -1;
}

/*
 * A section was read, and its tuples are kept: libconfuse need not. It would
 * look through all sections of a kind for each new one.
 */
static int on_closed(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg;
	return cfg_free_value(opt);
}

/* ---- what libconfuse accepts ----------------------------------------- */

static void fill_option(cfg_opt_t *at, const struct config_option *o)
{
	cfg_opt_t scalar = CFG_STR_CB(o->name, NULL, CFGF_NONE, on_value);
	cfg_opt_t list = CFG_STR_LIST_CB(o->name, NULL, CFGF_NONE, on_value);

	*at = config_option_is_list(o) ? list : scalar;
}

static void fill_options(struct load *l)
{
	static char opening_default[] = "{\"\\001\"}";
	cfg_opt_t opening = CFG_STR_LIST_CB(OPENING, opening_default, CFGF_NONE,
					    on_opening);
	cfg_opt_t end = CFG_END();
	size_t n = 0;

	for (uint32_t i = 0; i < config_schema[0].count; i++)
		fill_option(&l->top[n++], &config_schema[0].option[i]);
	for (size_t i = 1; i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];
		cfg_opt_t sec = CFG_SEC(
			s->name, l->section[i],
			CFGF_MULTI | (s->label ? CFGF_TITLE : CFGF_NONE));

		sec.validcb = on_closed;
		l->section[i][0] = opening;
		for (uint32_t k = 0; k < s->count; k++)
			fill_option(&l->section[i][k + 1], &s->option[k]);
		l->section[i][s->count + 1] = end;
		l->top[n++] = sec;
	}
	l->top[n] = end;
}

/* ---- files ----------------------------------------------------------- */

/* The lexer's modes, as far as needed to tell text from comments. */
enum scan { SCAN_TEXT, SCAN_DOUBLE, SCAN_SINGLE, SCAN_LINE, SCAN_BLOCK };

enum { SCAN_DEPTH = 8 };

static enum scan scan_text(const char *p)
{
	if (*p == '"')
		return SCAN_DOUBLE;
	if (*p == '\'')
		return SCAN_SINGLE;
	if (*p == '#' || (p[0] == '/' && p[1] == '/'))
		return SCAN_LINE;
	if (p[0] == '/' && p[1] == '*')
		return SCAN_BLOCK;
	return SCAN_TEXT;
}

static enum scan scan_step(enum scan mode, const char **p)
{
	const char *s = *p;

	switch (mode) {
	case SCAN_TEXT:
		mode = scan_text(s);
		if (mode == SCAN_BLOCK)
			*p = s + 1;
		return mode;
	case SCAN_DOUBLE:
	case SCAN_SINGLE:
		if (*s == '\\' && s[1] && s[1] != '\n')
			*p = s + 1;
		else if (*s == (mode == SCAN_DOUBLE ? '"' : '\''))
			return SCAN_TEXT;
		return mode;
	case SCAN_LINE:
		return *s == '\n' ? SCAN_TEXT : mode;
	case SCAN_BLOCK:
		if (s[0] != '*' || s[1] != '/')
			return mode;
		*p = s + 1;
		return SCAN_TEXT;
	}
	return mode;
}

struct scanner {
	enum scan mode;
	unsigned line;
	unsigned open[SCAN_DEPTH]; /* lines of braces not yet closed */
	unsigned depth;
	unsigned quote; /* line where a quote or comment began */
};

static void scan_brace(struct scanner *s, char c)
{
	if (s->mode != SCAN_TEXT)
		return;
	if (c == '{' && s->depth < SCAN_DEPTH)
		s->open[s->depth++] = s->line;
	else if (c == '}' && s->depth > 0)
		s->depth--;
}

static bool is_comment(enum scan mode)
{
	return mode == SCAN_LINE || mode == SCAN_BLOCK;
}

static void blank(char *from, const char *to)
{
	for (; from <= to; from++) {
		if (*from != '\n')
			*from = ' ';
	}
}

/*
 * Two things libconfuse takes silently are refused here: ${NAME}, which it
 * would expand from the environment, and a section the file ends in. Comments
 * are blanked: libconfuse 3.3 counts the line of each three times.
 */
static bool is_refused(struct load *l, char *text)
{
	struct scanner s = {.mode = SCAN_TEXT, .line = 1};

	for (const char *p = text; *p; p++) {
		char *first = text + (p - text);
		enum scan before = s.mode;

		if (p[0] == '$' && p[1] == '{' &&
		    (s.mode == SCAN_TEXT || s.mode == SCAN_DOUBLE)) {
			complain(l, s.line,
				 "variables are not expanded: write "
				 "the value instead of ${...}");
			return true;
		}
		s.line += *p == '\n';
		scan_brace(&s, *p);
		s.mode = scan_step(s.mode, &p);
		if (is_comment(before) || is_comment(s.mode))
			blank(first, p);
		if (before == SCAN_TEXT)
			s.quote = s.line;
	}
	if (s.mode == SCAN_DOUBLE || s.mode == SCAN_SINGLE)
		complain(l, s.quote, "this quoted text has no end");
	else if (s.mode == SCAN_BLOCK)
		complain(l, s.quote, "this comment has no end");
	else if (s.depth > 0)
		complain(l, s.open[s.depth - 1], "this { is not closed by }");
	else
		return false;
	return true;
}

static void parse_text(struct load *l, char *text, size_t len)
{
	cfg_t *cfg;
	FILE *fp;
	int rc;

	if (len == 0 || is_refused(l, text))
		return;
	cfg = cfg_init(l->top, CFGF_NONE);
	fp = fmemopen(text, len, "r");
	if (!cfg || !fp) {
		l->err = ERR_NOMEM;
	} else {
		/* cfg_init sets the user's language; messages stay ours. */
		(void)setlocale(LC_ALL, "C");
		(void)cfg_set_error_function(cfg, on_error);
		cfg->filename = strdup(l->file);
		rc = cfg_parse_fp(cfg, fp);
		if (rc != CFG_SUCCESS && !l->err && l->rep->errors == 0)
			complain(l, (unsigned)cfg->line, "cannot be read");
	}
	if (fp)
		(void)fclose(fp);
	if (cfg)
		(void)cfg_free(cfg);
}

/* The whole file with a NUL, or NULL after a message. */
static char *read_all(struct load *l, const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char *buf = NULL;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st)) {
		complain_errno(l, path, errno);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CONFFILE_SIZE_MAX) {
		complain(l, 0,
			 S_ISREG(st.st_mode) ? "is too long"
					     : "is no regular file");
		goto out;
	}
	buf = alloc_zero((size_t)st.st_size + 1);
	if (!buf)
		l->err = ERR_NOMEM;
	while (buf && len < (size_t)st.st_size) {
		ssize_t n = read(fd, buf + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (buf && memchr(buf, 0, len)) {
		complain(l, 0, "holds a NUL byte: this is no text file");
		buf = alloc_free(buf);
	}
	*ret_len = len;
out:
	if (fd >= 0)
		(void)close(fd);
	return buf;
}

static void load_file(struct load *l, const char *path)
{
	char *name = alloc_copy(slice_str(path));
	size_t len = 0;
	char *text;

	if (!name) {
		l->err = ERR_NOMEM;
		return;
	}
	l->file_name[l->file_count++] = name;
	l->file = name;
	text = read_all(l, path, &len);
	if (text)
		parse_text(l, text, len);
	alloc_free(text);
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 &&
	       strcmp(d->d_name + n - 5, ".conf") == 0;
}

/* Names in the order of their bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* l->path holds the directory, then each file in it. */
static void load_directory(struct load *l)
{
	struct dirent **names = NULL;
	int n = scandir(l->path, &names, is_conf, by_name);

	if (n < 0 && errno != ENOENT)
		complain_errno(l, l->path, errno);
	if (n > CONFFILE_COUNT_MAX)
		config_report_add(l->rep, true, l->path, 0,
				  slice_str("holds more than 1000 files"));
	for (int i = 0; i < n; i++) {
		if (n <= CONFFILE_COUNT_MAX && !l->err) {
			(void)snprintf(l->path, sizeof(l->path), "%sconf.d/%s",
				       l->written, names[i]->d_name);
			load_file(l, l->path);
		}
		free(names[i]);
	}
	free(names);
}

static int load(struct load *l, const char *path,
		const struct config_tuple *more, size_t count,
		struct config **ret_config)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	if (len >= sizeof(l->written)) {
		complain_errno(l, path, ENAMETOOLONG);
		return ERR_BAD;
	}
	memcpy(l->written, path, len);
	load_file(l, path);
	(void)snprintf(l->path, sizeof(l->path), "%sconf.d", l->written);
	if (l->rep->errors == 0 && !l->err)
		load_directory(l);
	if (l->err)
		return l->err;
	if (l->rep->errors > 0)
		return ERR_BAD;
	for (size_t i = 0; i < count; i++) {
		int err = tuples_add(&l->tuples, &more[i]);

		if (err)
			return err;
	}
	if (!realpath(len > 0 ? l->written : ".", l->base)) {
		complain_errno(l, path, errno);
		return ERR_BAD;
	}
	return config_build(l->tuples.item, l->tuples.count, l->base, l->rep,
			    ret_config);
}

int conffile_load_more(const char *path, const struct config_tuple *more,
		       size_t count, struct config_report *rep,
		       struct config **ret_config)
{
	struct load *l = alloc_zero(sizeof(*l));
	int err;

	if (!l)
		return ERR_NOMEM;
	l->rep = rep;
	fill_options(l);
	current = l;
	err = load(l, path, more, count, ret_config);
	current = NULL;
	tuples_done(&l->tuples);
	for (size_t i = 0; i < l->file_count; i++)
		alloc_free(l->file_name[i]);
	alloc_free(l);
	return err;
}

int conffile_load(const char *path, struct config_report *rep,
		  struct config **ret_config)
{
	return conffile_load_more(path, NULL, 0, rep, ret_config);
}

/* ---- files the configuration names ----------------------------------- */

static void check_file(const char *what, const char *path,
		       struct config_report *rep)
{
	char buf[256];

	if (!path[0] || access(path, R_OK) == 0)
		return;
	(void)snprintf(buf, sizeof(buf), "%s (%s)", strerror(errno), what);
	config_report_add(rep, true, path, 0, slice_str(buf));
}

static void check_key(const struct config_identity *id, const char *what,
		      struct config_report *rep)
{
	struct stat st;

	if (config_key_is_token(id->key))
		return;
	check_file(what, id->key, rep);
	if (stat(id->key, &st) != 0)
		return;
	if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		config_report_add(rep, false, id->key, 0,
				  slice_str("a private key that others may "
					    "read or write: chmod 600"));
	if (st.st_uid != 0 && st.st_uid != geteuid())
		config_report_add(rep, false, id->key, 0,
				  slice_str("a private key must belong to "
					    "root: chown root"));
}

int conffile_check_files(const struct config *c, struct config_report *rep)
{
	uint32_t before = rep->errors;
	struct config_identity id;

	for (uint32_t i = 0; config_identity_at(c, i, &id); i++) {
		const char *name = id.owner	? id.owner->name
				   : id.manager ? id.manager->name
				   : id.sccp	? id.sccp->name
						: id.section->name;
		const char *kind = id.owner	? "listener"
				   : id.manager ? "call-manager"
				   : id.sccp	? "sccp-manager"
						: "certificate";
		char what[3][CONFIG_NAME_MAX + 64];

		(void)snprintf(what[0], sizeof(what[0]),
			       "certificate of %s \"%s\"", kind, name);
		(void)snprintf(what[1], sizeof(what[1]), "key of %s \"%s\"",
			       kind, name);
		(void)snprintf(what[2], sizeof(what[2]), "ocsp of %s \"%s\"",
			       kind, name);
		check_file(what[0], id.certificate, rep);
		check_key(&id, what[1], rep);
		check_file(what[2], id.ocsp, rep);
		if (id.owner) {
			(void)snprintf(what[0], sizeof(what[0]),
				       "trust directory of listener \"%s\"",
				       name);
			check_file(what[0], id.owner->trust, rep);
		}
	}
	for (uint32_t i = 0; i < c->call_manager_count; i++) {
		const struct config_call_manager *m = &c->call_manager[i];
		char what[CONFIG_NAME_MAX + 64];

		(void)snprintf(what, sizeof(what),
			       "trust directory of call-manager \"%s\"",
			       m->name);
		if (m->address.transport == CONFIG_TLS)
			check_file(what, m->trust, rep);
	}
	for (uint32_t i = 0; i < c->sccp_manager_count; i++) {
		const struct config_sccp_manager *m = &c->sccp_manager[i];
		char what[CONFIG_NAME_MAX + 64];

		(void)snprintf(what, sizeof(what),
			       "trust directory of sccp-manager \"%s\"",
			       m->name);
		if (m->has_tls)
			check_file(what, m->trust, rep);
	}
	return rep->errors > before ? ERR_BAD : 0;
}
