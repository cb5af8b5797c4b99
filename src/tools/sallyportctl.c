/*
 * sallyportctl: asks the running daemon. One command, one question, one
 * answer. Passwords never leave this process: only hashes of them do.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "authn/digest.h"
#include "base/alloc.h"
#include "control/control.h"
#include "control/rows.h"
#include "tools/devfile.h"
#include "tools/module.h"
#include "tools/nft.h"
#include "tools/password.h"
#include "tools/table.h"

enum {
	EXIT_FAILED = 1, /* the command was answered with an error */
	EXIT_USAGE = 2,	 /* it could not be asked like this */
	EXIT_ABSENT = 3, /* the daemon is not running */
	TIMEOUT_MS = 20000
};

static const struct table_column registrations[] = {
	{"device", "DEVICE", TABLE_TEXT},
	{"aor", "ADDRESS OF RECORD", TABLE_TEXT},
	{"contact", "CONTACT", TABLE_TEXT},
	{"peer", "PEER", TABLE_TEXT},
	{"transport", "TRANSPORT", TABLE_TEXT},
	{"security", "SECURITY", TABLE_TEXT},
	{"expires-in", "EXPIRES", TABLE_TEXT},
	{"worker", "WORKER", TABLE_TEXT},
	{"certificate", "CERTIFICATE", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column calls[] = {
	{"id", "ID", TABLE_TEXT},
	{"device", "DEVICE", TABLE_TEXT},
	{"from", "FROM", TABLE_TEXT},
	{"to", "TO", TABLE_TEXT},
	{"state", "STATE", TABLE_TEXT},
	{"security", "SECURITY", TABLE_TEXT},
	{"suite", "SUITE", TABLE_TEXT},
	{"media", "MEDIA", TABLE_TEXT},
	{"codec", "CODEC", TABLE_TEXT},
	{"duration", "DURATION", TABLE_DURATION},
	{"worker", "WORKER", TABLE_TEXT},
	{"packets-out-in", "OUT>IN", TABLE_TEXT},
	{"packets-in-out", "IN>OUT", TABLE_TEXT},
	{"srtp-errors", "ERRORS", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column users[] = {{"user", "USER", TABLE_TEXT},
					    {"realm", "REALM", TABLE_TEXT},
					    {"created", "CREATED", TABLE_DATE},
					    {"changed", "CHANGED", TABLE_DATE},
					    {NULL, NULL, TABLE_TEXT}};

static const struct table_column certs[] = {
	{"listener", "LISTENER", TABLE_TEXT},
	{"use", "USE", TABLE_TEXT},
	{"days-left", "DAYS", TABLE_TEXT},
	{"expires", "EXPIRES", TABLE_DATE},
	{"key", "KEY", TABLE_TEXT},
	{"ocsp", "OCSP", TABLE_TEXT},
	{"certificates", "TRUSTED", TABLE_TEXT},
	{"lists", "CRLS", TABLE_TEXT},
	{"lists-out-of-date", "OLD", TABLE_TEXT},
	{"subject", "SUBJECT OR DIRECTORY", TABLE_TEXT},
	{"issuer", "ISSUER", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column trunks[] = {
	{"trunk", "TRUNK", TABLE_TEXT},
	{"profile", "PROFILE", TABLE_TEXT},
	{"peer", "PEER", TABLE_TEXT},
	{"transport", "TRANSPORT", TABLE_TEXT},
	{"state", "STATE", TABLE_TEXT},
	{"priority", "PRIORITY", TABLE_TEXT},
	{"failures", "FAILURES", TABLE_TEXT},
	{"calls", "CALLS", TABLE_TEXT},
	{"requests", "REQUESTS", TABLE_TEXT},
	{"challenged", "CHALLENGED", TABLE_TEXT},
	{"refused", "REFUSED", TABLE_TEXT},
	{"over-limit", "OVER LIMIT", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column strangers[] = {
	{"source", "SOURCE", TABLE_TEXT},
	{"messages", "MESSAGES", TABLE_TEXT},
	{"answered", "ANSWERED", TABLE_TEXT},
	{"first", "FIRST AGO", TABLE_DURATION},
	{"last", "LAST AGO", TABLE_DURATION},
	{"method", "METHOD", TABLE_TEXT},
	{"agent", "USER AGENT", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column devices[] = {
	{"name", "DEVICE", TABLE_TEXT},
	{"lines", "LINES", TABLE_TEXT},
	{"security-mode", "SECURITY MODE", TABLE_TEXT},
	{"media", "MEDIA", TABLE_TEXT},
	{"digest-user", "DIGEST USER", TABLE_TEXT},
	{"source", "FROM", TABLE_TEXT},
	{"description", "DESCRIPTION", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column media[] = {
	{"backend", "BACKEND", TABLE_TEXT}, {"state", "STATE", TABLE_TEXT},
	{"flows", "FLOWS", TABLE_TEXT},	    {"rules", "RULES", TABLE_TEXT},
	{"why", "WHY NOT", TABLE_TEXT},	    {NULL, NULL, TABLE_TEXT}};

static const struct table_column ipsec[] = {
	{"kind", "KIND", TABLE_TEXT},
	{"name", "NAME", TABLE_TEXT},
	{"address", "ADDRESS", TABLE_TEXT},
	{"require-ipsec", "REQUIRED", TABLE_TEXT},
	{"state", "STATE", TABLE_TEXT},
	{NULL, NULL, TABLE_TEXT}};

static const struct table_column realms[] = {{"realm", "REALM", TABLE_TEXT},
					     {"created", "CREATED", TABLE_DATE},
					     {"changed", "CHANGED", TABLE_DATE},
					     {NULL, NULL, TABLE_TEXT}};

/* Results that are tables. */
static const struct {
	enum control_id id;
	const struct table_column *column;
} tables[] = {
	{CONTROL_REGISTRATIONS, registrations},
	{CONTROL_CALLS, calls},
	{CONTROL_USER_LIST, users},
	{CONTROL_DEVICES, devices},
	{CONTROL_CERTS, certs},
	{CONTROL_TRUNKS, trunks},
	{CONTROL_STRANGERS, strangers},
	{CONTROL_REALM_LIST, realms},
	{CONTROL_MEDIA, media},
	{CONTROL_IPSEC, ipsec},
};

/* Short names of commands. */
static const struct {
	const char *alias, *name;
} aliases[] = {{"users", "user list"}, {"device list", "devices"}};

/* What describes a request for authz test, as options and arguments. The last
 * ones are flags. */
static const char *const request_args[] = {
	"trunk", "method",   "event",  "from",	  "to",	      "header",
	"body",	 "refer-to", "source", "forward", "replaces", "in-dialog"};

enum {
	REQUEST_ARGS = sizeof(request_args) / sizeof(request_args[0]),
	REQUEST_FLAGS = 2,
	REQUEST_OPTION = 1000 /* what getopt_long says for the first */
};

struct options {
	const char *socket;
	const char *realm;	   /* NULL = the daemon's */
	const char *user;	   /* realm add */
	const char *device, *line; /* only rows of these; NULL = all */
	const char *pool;	   /* device reset: whose; NULL = none */
	const char *tail;	   /* log: how many; NULL = the usual */
	const char *request[REQUEST_ARGS]; /* NULL: not given */
	bool is_json;
	bool from_stdin;
	bool is_dry_run;
	bool is_replace;
	bool is_all;
	int passed; /* descriptor for the daemon; -1 = none */
};

/* ---- usage ----------------------------------------------------------- */

static void print_usage(FILE *out)
{
	(void)fprintf(out,
		      "usage: sallyportctl [--socket PATH] [--json] COMMAND\n"
		      "commands:\n");
	for (size_t i = 0; i < CONTROL_COMMANDS; i++) {
		const struct control_command *c = &control_command[i];
		char head[64];

		(void)snprintf(head, sizeof(head), "%s %s", c->name, c->args);
		(void)fprintf(out, "  %-42s %s\n", head, c->help);
	}
}

static int usage(const char *what, const char *name)
{
	(void)fprintf(stderr, "sallyportctl: %s%s%s\n", what, name ? " " : "",
		      name ? name : "");
	print_usage(stderr);
	return EXIT_USAGE;
}

/* ---- asking ---------------------------------------------------------- */

static int complain(int code, const char *text)
{
	(void)fprintf(stderr, "sallyportctl: %s\n", text);
	return code;
}

/* An exit code; *ret_result (a new reference) only with 0. */
static int ask(const struct options *o, enum control_id id, const json_t *args,
	       json_t **ret_result)
{
	json_t *answer = NULL;
	const char *error;
	int err = control_call_fd(o->socket, id, args, o->passed, TIMEOUT_MS,
				  &answer);

	if (err == ERR_NOTFOUND) {
		(void)fprintf(
			stderr,
			"sallyportctl: sallyportd is not running (nothing "
			"answers at %s)\n",
			o->socket);
		return EXIT_ABSENT;
	}
	if (err == ERR_DENIED) {
		(void)fprintf(stderr,
			      "sallyportctl: no permission for %s: become root "
			      "or a member of its group\n",
			      o->socket);
		return EXIT_FAILED;
	}
	if (err) {
		(void)fprintf(stderr, "sallyportctl: no answer: %s\n",
			      err_str(err));
		return EXIT_FAILED;
	}
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret_result = json_incref(json_object_get(answer, "result"));
		json_decref(answer);
		return EXIT_SUCCESS;
	}
	error = json_string_value(json_object_get(answer, "error"));
	(void)complain(EXIT_FAILED, error ? error : "refused");
	json_decref(answer);
	return EXIT_FAILED;
}

static int show_table(enum control_id id, const json_t *result)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (tables[i].id == id)
			return table_print(stdout, tables[i].column, result)
				       ? EXIT_FAILED
				       : EXIT_SUCCESS;
	return EXIT_FAILED;
}

/* Lines that the daemon has made; nothing of them is an outsider's. */
static void print_csv(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		json_t *line = json_object_get(row, "csv");

		if (json_is_string(line))
			(void)printf("%s\n", json_string_value(line));
	}
}

static void print_log(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row) table_print_message(
		stdout, json_integer_value(json_object_get(row, "time-ms")),
		json_string_value(json_object_get(row, "process")),
		json_string_value(json_object_get(row, "level")),
		json_string_value(json_object_get(row, "text")));
}

static int show(const struct options *o, enum control_id id, json_t *result)
{
	int code = EXIT_SUCCESS;

	if (o->is_json) {
		if (json_dumpf(result, stdout, JSON_INDENT(2)))
			code = EXIT_FAILED;
		(void)putchar('\n');
	} else if (id == CONTROL_DEVICE_EXPORT || id == CONTROL_IPSEC_RULES) {
		print_csv(result);
	} else if (id == CONTROL_LOG) {
		print_log(json_object_get(result, "lines"));
	} else if (json_is_object(result)) {
		table_print_object(stdout, result);
	} else if (json_is_array(result)) {
		code = show_table(id, result);
	}
	if (code)
		return complain(EXIT_FAILED, "the answer is not understood");
	return fflush(stdout) ? complain(EXIT_FAILED, "cannot write")
			      : EXIT_SUCCESS;
}

/* ---- users ----------------------------------------------------------- */

static int add_ha1(json_t *args, const char *key, enum digest_alg alg,
		   struct slice password)
{
	const char *user = control_arg_get(args, "name");
	const char *realm = control_arg_get(args, "realm");
	struct digest_hex ha1;
	int err = digest_ha1(alg, slice_str(user), slice_str(realm), password,
			     &ha1);

	if (!err &&
	    json_object_set_new(args, key, json_stringn(ha1.text, ha1.len)))
		err = ERR_NOMEM;
	secret_wipe(&ha1, sizeof(ha1));
	return err;
}

static int add_secrets(const struct options *o, json_t *args)
{
	struct secret password = {0};
	/* A script's pipe is meant, also without saying so. */
	int err = password_read(o->from_stdin || !isatty(STDIN_FILENO),
				&password);

	if (err)
		return EXIT_FAILED; /* said why */
	err = add_ha1(args, "md5", DIGEST_MD5, secret_slice(&password));
	if (!err)
		err = add_ha1(args, "sha256", DIGEST_SHA256,
			      secret_slice(&password));
	if (!err)
		err = add_ha1(args, "sha512-256", DIGEST_SHA512_256,
			      secret_slice(&password));
	secret_done(&password);
	return err ? complain(EXIT_FAILED, err_str(err)) : EXIT_SUCCESS;
}

/* Here the password itself is needed: the call manager asks for a response
 * that is calculated from it. */
static int add_realm_secrets(const struct options *o, json_t *args)
{
	struct secret password = {0};
	struct slice p;
	int err = 0;

	if (!o->user)
		return usage("--user is needed by", "realm add");
	if (password_read(o->from_stdin || !isatty(STDIN_FILENO), &password))
		return EXIT_FAILED; /* said why */
	p = secret_slice(&password);
	if (json_object_set_new(args, "user", json_string(o->user)) ||
	    json_object_set_new(args, "password",
				json_stringn((const char *)p.ptr, p.len)))
		err = ERR_BAD;
	secret_done(&password);
	return err ? complain(EXIT_FAILED, "user or password is not UTF-8")
		   : EXIT_SUCCESS;
}

/* The realm is part of what is hashed, so the daemon is asked for its own. */
static int add_realm(const struct options *o, json_t *args)
{
	json_t *status = NULL;
	json_t *realm;
	int code;

	if (o->realm)
		return json_object_set_new(args, "realm", json_string(o->realm))
			       ? complain(EXIT_USAGE, "--realm is not UTF-8")
			       : EXIT_SUCCESS;
	code = ask(o, CONTROL_STATUS, NULL, &status);
	if (code)
		return code;
	realm = json_object_get(status, "realm");
	if (!json_is_string(realm) || json_object_set(args, "realm", realm))
		code = complain(EXIT_FAILED, "the daemon names no realm: give "
					     "--realm");
	json_decref(status);
	return code;
}

static bool has_filters(const struct control_command *cmd)
{
	return cmd->arg[0].name && strcmp(cmd->arg[0].name, "device") == 0;
}

/* --device and --line, for a command that has such arguments. */
static int add_filters(const struct options *o,
		       const struct control_command *cmd, json_t *args)
{
	if ((o->device || o->line) && !has_filters(cmd))
		return ERR_BAD;
	if ((o->device &&
	     json_object_set_new(args, "device", json_string(o->device))) ||
	    (o->line &&
	     json_object_set_new(args, "line", json_string(o->line))))
		return ERR_BAD;
	return 0;
}

/* ---- authz test --------------------------------------------------------- */

static int add_arg(json_t *args, const char *name, const char *value)
{
	if (!value || json_object_set_new(args, name, json_string(value)) == 0)
		return 0;
	return ERR_BAD;
}

static int add_request(const struct options *o, enum control_id id,
		       json_t *args)
{
	int err = 0;

	for (int i = 0; i < REQUEST_ARGS && !err; i++) {
		if (o->request[i] && id != CONTROL_AUTHZ_TEST)
			return usage("only authz test takes", request_args[i]);
		err = add_arg(args, request_args[i], o->request[i]);
	}
	if (id == CONTROL_AUTHZ_TEST && !err)
		err = add_arg(args, "user", o->user);
	if (id == CONTROL_AUTHZ_TEST && !err)
		err = add_arg(args, "device", o->device);
	return err ? usage("an argument is not UTF-8", NULL) : EXIT_SUCCESS;
}

/* ---- devices --------------------------------------------------------- */

static bool has_file(enum control_id id)
{
	return id == CONTROL_DEVICE_IMPORT || id == CONTROL_DEVICE_ADD;
}

/* The CSV file that goes along: the one named, or one made of the words. */
static int add_file(struct options *o, enum control_id id, char **words,
		    int count, json_t *args)
{
	bool is_add = id == CONTROL_DEVICE_ADD;
	const char *mode = is_add ? "add" : o->is_replace ? "replace" : "put";
	int err = is_add ? devfile_make(words[0], words + 1, count - 1,
					&o->passed)
			 : devfile_open(words[0], &o->passed);

	if (err == ERR_BAD)
		return usage("expected OPTION=VALUE after the name", NULL);
	if (err) {
		(void)fprintf(stderr, "sallyportctl: %s: %s\n", words[0],
			      err == ERR_IO ? strerror(errno) : err_str(err));
		return EXIT_FAILED;
	}
	if (json_object_set_new(args, "mode", json_string(mode)) ||
	    (o->is_dry_run &&
	     json_object_set_new(args, "dry-run", json_string("yes"))) ||
	    (is_add &&
	     json_object_set_new(args, "file", json_string("device add"))))
		return complain(EXIT_FAILED, err_str(ERR_NOMEM));
	return EXIT_SUCCESS;
}

/* ---- media ----------------------------------------------------------- */

static bool is_kernel(const json_t *object, const char *key)
{
	const char *name = json_string_value(json_object_get(object, key));

	return name && strcmp(name, "kernel") == 0;
}

/* The daemon's sandbox does not see what there is of the module. */
static void add_module(const json_t *rows)
{
	char why[MODULE_WHY_MAX];
	struct utsname u;
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *state =
			json_string_value(json_object_get(row, "state"));

		if (is_kernel(row, "backend") && state &&
		    strcmp(state, "ready") != 0 && uname(&u) == 0 &&
		    module_why("", u.release, why))
			(void)json_object_set_new(row, "why", json_string(why));
	}
}

/* The daemon no longer uses the module: take it out of the kernel. */
static int end_module(json_t *result)
{
	int error;

	if (!is_kernel(result, "unloaded"))
		return EXIT_SUCCESS;
	error = module_unload();
	(void)json_object_set_new(
		result, "module",
		json_string(error == 0 ? "unloaded" : strerror(error)));
	if (error == 0 || error == ENOENT)
		return EXIT_SUCCESS;
	(void)fprintf(stderr,
		      "sallyportctl: the streams have moved, but module "
		      "nf_srtp stays loaded: %s\n",
		      error == EAGAIN || error == EBUSY
			      ? "another program uses it"
			      : strerror(error));
	return EXIT_FAILED;
}

/* ---- the packet filter ------------------------------------------------- */

static bool is_for_nft(enum control_id id)
{
	return id == CONTROL_IPSEC_INSTALL || id == CONTROL_IPSEC_REMOVE;
}

static int apply_rules(const json_t *rows)
{
	int err = nft_apply(rows);

	return err ? complain(EXIT_FAILED, err == EIO
						   ? "nft did not take the "
						     "rules: all is as it was"
						   : strerror(err))
		   : EXIT_SUCCESS;
}

/* ---- commands -------------------------------------------------------- */

static int run(struct options *o, enum control_id id, char **words, int count)
{
	const struct control_command *cmd = &control_command[id];
	json_t *args = json_object();
	json_t *result = NULL;
	int code = EXIT_SUCCESS;

	if (count > 0 &&
	    json_object_set_new(args, cmd->arg[0].name, json_string(words[0])))
		code = usage("not UTF-8:", cmd->arg[0].name);
	if (!code && o->tail &&
	    (id != CONTROL_LOG ||
	     json_object_set_new(args, "tail", json_string(o->tail))))
		code = usage("no --tail is taken by", cmd->name);
	if (!code && add_arg(args, "pool", o->pool))
		code = usage("not UTF-8:", "--pool");
	if (!code)
		code = add_request(o, id, args);
	if (!code && id != CONTROL_AUTHZ_TEST && add_filters(o, cmd, args))
		code = usage("no filter is taken by", cmd->name);
	if (!code && has_file(id))
		code = add_file(o, id, words, count, args);
	if (!code && (id == CONTROL_USER_ADD || id == CONTROL_USER_PASSWD ||
		      id == CONTROL_USER_DELETE))
		code = add_realm(o, args);
	if (!code && (id == CONTROL_USER_ADD || id == CONTROL_USER_PASSWD))
		code = add_secrets(o, args);
	if (!code && id == CONTROL_REALM_ADD)
		code = add_realm_secrets(o, args);
	if (!code)
		code = ask(o, id, args, &result);
	if (!code && id == CONTROL_MEDIA)
		add_module(result);
	if (!code && id == CONTROL_MEDIA_UNLOAD)
		code = end_module(result);
	if (!code)
		code = is_for_nft(id) ? apply_rules(result)
				      : show(o, id, result);
	json_decref(result);
	control_args_free(args);
	return code;
}

/* The command named by the words; a command of two words comes first. */
static const struct control_command *find(char **words, int count,
					  int *ret_used)
{
	const struct control_command *cmd = NULL;
	char two[64];

	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		*ret_used = strchr(aliases[i].alias, ' ') ? 2 : 1;
		(void)snprintf(two, sizeof(two), "%s%s%s",
			       count > 0 ? words[0] : "",
			       *ret_used > 1 ? " " : "",
			       *ret_used > 1 && count > 1 ? words[1] : "");
		if (count >= *ret_used && strcmp(two, aliases[i].alias) == 0)
			return control_command_find(slice_str(aliases[i].name));
	}

	if (count > 1) {
		(void)snprintf(two, sizeof(two), "%s %s", words[0], words[1]);
		cmd = control_command_find(slice_str(two));
		*ret_used = 2;
	}
	if (!cmd && count > 0) {
		cmd = control_command_find(slice_str(words[0]));
		*ret_used = 1;
	}
	return cmd;
}

static bool is_reset(enum control_id id)
{
	return id == CONTROL_DEVICE_RESET || id == CONTROL_DEVICE_RESTART;
}

static int dispatch(struct options *o, char **words, int count)
{
	const struct control_command *cmd;
	int used = 0;
	int wanted;
	int most;

	if (count == 0)
		return usage("no command given", NULL);
	cmd = find(words, count, &used);
	if (!cmd)
		return usage("unknown command", words[0]);
	if (o->is_all && is_reset(cmd->id) && count == used && !o->pool) {
		char all[] = "*";
		char *word = all;

		return run(o, cmd->id, &word, 1);
	}
	if (o->is_all || (o->pool && !is_reset(cmd->id)))
		return usage(o->is_all ? "--all is not taken by"
				       : "--pool is not taken by",
			     cmd->name);
	wanted = cmd->arg[0].name && (cmd->arg[0].is_required ||
				      (is_reset(cmd->id) && !o->pool))
			 ? 1
			 : 0;
	most = cmd->id == CONTROL_DEVICE_ADD ? count
	       : cmd->id == CONTROL_LOG || cmd->id == CONTROL_MEDIA_UNLOAD ||
			       cmd->id == CONTROL_MEDIA_LOAD
		       ? 1
		       : wanted;
	if (count - used < wanted || count - used > most)
		return usage(wanted ? "one argument is needed by"
			     : most ? "one argument at most is taken by"
				    : "no argument is taken by",
			     cmd->name);
	if (count > used &&
	    (words[used][0] == '\0' || strlen(words[used]) > cmd->arg[0].max))
		return usage("empty or too long:", cmd->arg[0].name);
	return run(o, cmd->id, words + used, count - used);
}

int main(int argc, char **argv)
{
	static const struct option basic[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"realm", required_argument, NULL, 'r'},
		{"user", required_argument, NULL, 'u'},
		{"stdin", no_argument, NULL, 'i'},
		{"device", required_argument, NULL, 'D'},
		{"line", required_argument, NULL, 'L'},
		{"pool", required_argument, NULL, 'P'},
		{"tail", required_argument, NULL, 't'},
		{"dry-run", no_argument, NULL, 'n'},
		{"replace", no_argument, NULL, 'R'},
		{"all", no_argument, NULL, 'A'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}};
	enum { BASIC = sizeof(basic) / sizeof(basic[0]) };
	struct option longs[REQUEST_ARGS + BASIC];
	struct options o = {.socket = SP_RUNDIR "/control.sock", .passed = -1};
	uint32_t seed = 1;
	int c;

	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = 1;
	rows_seed(seed);
	for (int i = 0; i < REQUEST_ARGS; i++)
		longs[i] = (struct option){request_args[i],
					   i < REQUEST_ARGS - REQUEST_FLAGS
						   ? required_argument
						   : no_argument,
					   NULL, REQUEST_OPTION + i};
	memcpy(longs + REQUEST_ARGS, basic, sizeof(basic));
	while ((c = getopt_long(argc, argv, "s:jr:hV", longs, NULL)) != -1) {
		if (c == 's') {
			o.socket = optarg;
		} else if (c == 'j') {
			o.is_json = true;
		} else if (c == 'r') {
			o.realm = optarg;
		} else if (c == 'u') {
			o.user = optarg;
		} else if (c == 'i') {
			o.from_stdin = true;
		} else if (c == 'D') {
			o.device = optarg;
		} else if (c == 'L') {
			o.line = optarg;
		} else if (c == 'P') {
			o.pool = optarg;
		} else if (c == 't') {
			o.tail = optarg;
		} else if (c == 'n') {
			o.is_dry_run = true;
		} else if (c == 'R') {
			o.is_replace = true;
		} else if (c >= REQUEST_OPTION) {
			o.request[c - REQUEST_OPTION] = optarg ? optarg : "yes";
		} else if (c == 'A') {
			o.is_all = true;
		} else if (c == 'h') {
			print_usage(stdout);
			return EXIT_SUCCESS;
		} else if (c == 'V') {
			(void)printf("sallyportctl %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		} else {
			return usage("unknown option", NULL);
		}
	}
	return dispatch(&o, argv + optind, argc - optind);
}
