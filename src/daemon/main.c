/*
 * sallyportd: arguments, then one role. Without --role it is the monitor,
 * which runs this binary again for the others.
 */
#include <config.h>

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/roles.h"
#include "daemon/setup.h"

static const char usage_text[] =
	"usage: sallyportd [-c FILE] [-n [-v]]\n"
	"       sallyportd --version | --help\n"
	"\n"
	"  -c, --config FILE  configuration (default " SP_SYSCONFDIR
	"/sallyport.conf)\n"
	"  -n, --check        check the configuration and exit\n"
	"  -v, --verbose      with -n: print it back as it was understood\n"
	"  -V, --version      print the version and exit\n"
	"  -h, --help         print this and exit\n"
	"\n"
	"It runs in the foreground; the service manager does the rest.\n";

struct arguments {
	const char *config;
	const char *role;    /* NULL = monitor */
	const char *worker;  /* which one, for that role */
	const char *workers; /* how many, for the store process */
	const char *queues;  /* how many, for the media process */
	bool is_check;
	bool is_verbose;
};

static void emit(void *ctx, struct slice piece)
{
	(void)ctx;
	(void)fwrite(piece.ptr, 1, piece.len, stdout);
}

/* -n: what would be wrong with starting? */
static int check(const struct arguments *a)
{
	struct config *c = NULL;

	if (setup_load(a->config, &c) != 0)
		return 1;
	if (a->is_verbose)
		config_print(c, emit, NULL);
	else
		(void)printf("%s: ok\n", a->config);
	config_unref(c);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* which: "2/4", the number and how many there are. */
static int run_worker(const char *which)
{
	struct slice number;
	struct slice count;
	uint64_t n;
	uint64_t of;

	text_cut(slice_str(which ? which : ""), '/', &number, &count);
	if (text_dec(count, CONFIG_WORKERS_MAX, &of) == 0 &&
	    text_dec(number, of, &n) == 0 && n < of)
		return role_worker((uint32_t)n, (uint32_t)of);
	(void)fprintf(stderr, "sallyportd: which worker?\n");
	return 2;
}

static int run_store(const char *workers)
{
	uint64_t n;

	if (text_dec(slice_str(workers ? workers : ""), CONFIG_WORKERS_MAX,
		     &n) == 0 &&
	    n > 0)
		return role_store_process((uint32_t)n);
	(void)fprintf(stderr, "sallyportd: how many workers?\n");
	return 2;
}

static int run_media(const char *queues)
{
	uint64_t n = 0;

	if (!queues || text_dec(slice_str(queues), UINT16_MAX, &n) == 0)
		return role_media_process((uint16_t)n);
	(void)fprintf(stderr, "sallyportd: how many queues?\n");
	return 2;
}

static int run_role(const struct arguments *a)
{
	/* The terminal's ^C is for the monitor, which ends the others. */
	(void)signal(SIGINT, SIG_IGN);
	if (strcmp(a->role, "keys") == 0)
		return role_keys();
	if (strcmp(a->role, "store") == 0)
		return run_store(a->workers);
	if (strcmp(a->role, "worker") == 0)
		return run_worker(a->worker);
	if (strcmp(a->role, "media") == 0)
		return run_media(a->queues);
	(void)fprintf(stderr, "sallyportd: unknown role \"%s\"\n", a->role);
	return 2;
}

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{"role", required_argument, NULL, 'r'},
		{"worker", required_argument, NULL, 'w'},
		{"workers", required_argument, NULL, 'W'},
		{"queues", required_argument, NULL, 'q'},
		{NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "c:nvVh", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			ret->config = optarg;
			break;
		case 'n':
			ret->is_check = true;
			break;
		case 'v':
			ret->is_verbose = true;
			break;
		case 'r':
			ret->role = optarg;
			break;
		case 'w':
			ret->worker = optarg;
			break;
		case 'W':
			ret->workers = optarg;
			break;
		case 'q':
			ret->queues = optarg;
			break;
		case 'V':
			(void)printf("sallyportd %s\n", PACKAGE_VERSION);
			exit(0);
		case 'h':
			(void)fputs(usage_text, stdout);
			exit(0);
		default:
			(void)fputs(usage_text, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "sallyportd: what is \"%s\"?\n%s",
			      argv[optind], usage_text);
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments a = {.config = SP_SYSCONFDIR "/sallyport.conf"};
	struct config *c = NULL;
	int status = parse(argc, argv, &a);

	if (status != 0)
		return status;
	(void)signal(SIGPIPE, SIG_IGN);
	if (a.role)
		return run_role(&a);
	if (a.is_check)
		return check(&a);
	if (setup_load(a.config, &c) != 0)
		return 1;
	return role_monitor(a.config, c);
}
