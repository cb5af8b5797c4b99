#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "log/log.h"
#include "priv/sandbox.h"

enum {
	ANSWER_MS = 20000,
	STALE_MAX = 256,      /* rules of dead keepers cleared at once */
	LISTING_MAX = 1 << 16 /* bytes of a tool's listing we look at */
};

#define KEEPER_NAME "sp-rules"

/* First byte of what the keeper says. */
enum {
	SAYS_NFTABLES = 'n',
	SAYS_IPTABLES = 'i',
	SAYS_FAILED = 'f',
	SAYS_REMOVED = 'r'
};

struct keeper {
	int fd; /* to the process; its end tells the keeper of ours */
	const char *tool;
};

/* --- tools ------------------------------------------------------------------ */

/* A tool's run: what it is given, and what it said. */
struct run {
	struct slice input;
	char *out; /* its output and its complaints; NUL at the end */
	size_t cap;
};

static void exec_tool(const char *const *argv, int in, int out)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	static char *const env[] = {path, locale, NULL};
	char *args[8] = {NULL};

	for (size_t i = 0; argv[i] && i < 7; i++)
		args[i] = (char *)(uintptr_t)argv[i];
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	(void)close_range(3, ~0u, 0);
	(void)signal(SIGTERM, SIG_DFL);
	(void)execvpe(args[0], args, env);
	(void)dprintf(2, "%s: %s\n", args[0], strerror(errno));
	_exit(127);
}

static void read_all(int fd, struct run *r)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len + 1 < r->cap) {
		n = read(fd, r->out + len, r->cap - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	r->out[len] = '\0';
	/* Never let it wait for us. */
	while (n > 0) {
		char rest[512];

		n = read(fd, rest, sizeof(rest));
	}
}

/* A file with the input: a pipe might be too short. */
static int input_fd(struct slice input)
{
	int fd = memfd_create("rules", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (write(fd, input.ptr, input.len) == (ssize_t)input.len &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Run the tool; true when it was content. */
static bool run_tool(const char *const *argv, struct run *r)
{
	int in = input_fd(r->input), pipe_fd[2], status = -1;
	pid_t pid;

	r->out[0] = '\0';
	if (in < 0 || pipe2(pipe_fd, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		exec_tool(argv, in, pipe_fd[1]);
	(void)close(in);
	(void)close(pipe_fd[1]);
	if (pid > 0) {
		read_all(pipe_fd[0], r);
		(void)waitpid(pid, &status, 0);
	}
	(void)close(pipe_fd[0]);
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *const nft_set[] = {"nft", "-f", "-", NULL};
static const char *const nft_list[] = {"nft", "list", "tables", "inet", NULL};

/* [0]: IPv4, [1]: IPv6. */
static const char *const ipt_set[2][6] = {
	{"iptables-legacy-restore", "--noflush", "-w", "10", NULL},
	{"ip6tables-legacy-restore", "--noflush", "-w", "10", NULL},
};
static const char *const ipt_list[2][4] = {
	{"iptables-legacy-save", "-t", "security", NULL},
	{"ip6tables-legacy-save", "-t", "security", NULL},
};

/* --- rules of dead keepers ----------------------------------------------------- */

/* Whether a keeper has this number. One that was killed may still be counted
 * among the processes, until somebody asks for its status. */
static bool is_alive(uint32_t pid)
{
	char path[32], buf[64];
	ssize_t n;
	int fd;

	if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, buf, sizeof(buf) - 1);
	(void)close(fd);
	if (n <= 0)
		return true;
	buf[n] = '\0';
	return strstr(buf, "(" KEEPER_NAME ") ") &&
	       !strstr(buf, "(" KEEPER_NAME ") Z");
}

/* Ours, or of a keeper that is gone, or in the way of ours. */
static bool is_to_go(struct slice name, const struct queue_rules *r)
{
	uint16_t first;
	uint32_t pid;

	if (!queue_rules_name_parse(name, &first, &pid))
		return false;
	return pid == (uint32_t)getpid() || (r && first == r->first) ||
	       !is_alive(pid);
}

static void drop_table(struct slice name)
{
	char table[64], out[512];
	const char *const argv[] = {"nft",  "delete", "table",
				    "inet", table,    NULL};
	struct run run = {.out = out, .cap = sizeof(out)};

	if (text_copy(name, table, sizeof(table)) == 0)
		(void)run_tool(argv, &run);
}

static void drop_chain(int family, struct slice name)
{
	uint8_t text[512];
	char out[512];
	struct writer w;
	struct run run = {.out = out, .cap = sizeof(out)};

	writer_init(&w, text, sizeof(text));
	queue_rules_iptables_undo(&w, name);
	run.input = writer_slice(&w);
	(void)run_tool(ipt_set[family], &run);
}

/* The word behind what a line of the listing begins with. */
static bool name_in(struct slice line, const char *start, struct slice *ret)
{
	struct slice rest;

	if (!slice_starts(line, start))
		return false;
	(void)text_cut(slice_from(line, strlen(start)), ' ', ret, &rest);
	return true;
}

static void clear(const struct queue_rules *r)
{
	char *out = malloc(LISTING_MAX);
	struct run run = {.out = out, .cap = LISTING_MAX};
	struct slice text, line, name;
	int left = STALE_MAX;

	if (!out)
		return;
	if (run_tool(nft_list, &run)) {
		text = slice_str(out);
		while (left > 0 && text_next(&text, '\n', &line))
			if (name_in(line, "table inet ", &name) &&
			    is_to_go(name, r) && left-- > 0)
				drop_table(name);
	}
	for (int i = 0; i < 2; i++) {
		if (!run_tool(ipt_list[i], &run))
			continue;
		text = slice_str(out);
		while (left > 0 && text_next(&text, '\n', &line))
			if (name_in(line, ":", &name) && is_to_go(name, r) &&
			    left-- > 0)
				drop_chain(i, name);
	}
	free(out);
}

/* --- the keeper's process -------------------------------------------------------- */

static bool set_nft(const struct queue_rules *r, struct run *run)
{
	uint8_t text[QUEUE_RULES_TEXT_MAX];
	struct writer w;

	writer_init(&w, text, sizeof(text));
	queue_rules_nft(&w, r);
	run->input = writer_slice(&w);
	return writer_ok(&w) && run_tool(nft_set, run);
}

static bool set_iptables(const struct queue_rules *r, struct run *run)
{
	static const enum addr_family families[] = {ADDR_V4, ADDR_V6};
	uint8_t text[QUEUE_RULES_TEXT_MAX];
	bool is_set = true;

	for (int i = 0; is_set && i < 2; i++) {
		struct writer w;

		writer_init(&w, text, sizeof(text));
		if (!queue_rules_iptables(&w, r, families[i]))
			continue;
		run->input = writer_slice(&w);
		is_set = writer_ok(&w) && run_tool(ipt_set[i], run);
	}
	return is_set;
}

/* What a tool said, in one line. */
static void put_words(struct writer *w, const char *text)
{
	for (; *text != '\0' && *text != '\n'; text++)
		writer_u8(w, (uint8_t)*text);
}

static void say(int fd, uint8_t what, const char *nft, const char *ipt)
{
	uint8_t buf[MEDIA_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_u8(&w, what);
	if (what == SAYS_FAILED) {
		writer_str(&w, "nft: ");
		put_words(&w, nft);
		writer_str(&w, "; iptables: ");
		put_words(&w, ipt);
	}
	(void)!write(fd, w.buf, w.len);
}

static uint8_t set_rules(const struct queue_rules *r, struct run *nft,
			 struct run *ipt)
{
	if (set_nft(r, nft))
		return SAYS_NFTABLES;
	if (set_iptables(r, ipt))
		return SAYS_IPTABLES;
	return SAYS_FAILED;
}

/* Anything on the channel, and its end, means: take them away. */
static void keep(int fd, const struct queue_rules *rules)
{
	char nft[100], ipt[100], c;
	struct run nft_run = {.out = nft, .cap = sizeof(nft)};
	struct run ipt_run = {.out = ipt, .cap = sizeof(ipt)};
	struct queue_rules r;

	clear(rules);
	if (!rules) {
		say(fd, SAYS_REMOVED, "", "");
		return;
	}
	r = *rules;
	r.pid = (uint32_t)getpid();
	nft[0] = ipt[0] = '\0';
	say(fd, set_rules(&r, &nft_run, &ipt_run), nft, ipt);
	while (read(fd, &c, 1) < 0 && errno == EINTR)
		continue;
	clear(&r);
	say(fd, SAYS_REMOVED, "", "");
}

static _Noreturn void process(int fd, const struct queue_rules *r)
{
	static const int ignored[] = {SIGTERM, SIGINT,	SIGHUP,
				      SIGPIPE, SIGUSR1, SIGUSR2};

	(void)prctl(PR_SET_NAME, KEEPER_NAME, 0, 0, 0);
	/* Its end is the monitor's, not a signal's to all of them. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)setsid();
	if (fd > 3)
		(void)close_range(3, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	if (sandbox_limit_keeper() == 0)
		keep(fd, r);
	_exit(0);
}

/* --- the monitor's side --------------------------------------------------------------- */

static int hear(int fd, char *buf, size_t cap)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, ANSWER_MS) != 1)
		return ERR_TIMEOUT;
	n = read(fd, buf, cap - 1);
	if (n <= 0)
		return ERR_IO;
	buf[n] = '\0';
	return 0;
}

static int understand(struct keeper *k, const char *said, char *reterr)
{
	switch (said[0]) {
	case SAYS_NFTABLES:
		k->tool = "nftables";
		return 0;
	case SAYS_IPTABLES:
		k->tool = "iptables";
		return 0;
	case SAYS_REMOVED:
		return 0;
	default:
		(void)snprintf(reterr, MEDIA_WHY_MAX, "%.*s", MEDIA_WHY_MAX - 1,
			       said + 1);
		return ERR_UNSUPPORTED;
	}
}

int keeper_start(const struct queue_rules *r, struct keeper **ret,
		 char reterr[MEDIA_WHY_MAX])
{
	struct keeper *k = alloc_zero(sizeof(*k));
	char said[MEDIA_WHY_MAX];
	int fds[2], err;
	pid_t pid;

	(void)snprintf(reterr, MEDIA_WHY_MAX, "no memory");
	if (!k)
		return ERR_NOMEM;
	k->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
		keeper_free(k);
		return ERR_IO;
	}
	pid = fork();
	if (pid == 0)
		process(fds[1], r);
	(void)close(fds[1]);
	k->fd = fds[0];
	err = pid > 0 ? hear(k->fd, said, sizeof(said)) : ERR_IO;
	if (err)
		(void)snprintf(reterr, MEDIA_WHY_MAX,
			       "the keeper of the rules says nothing");
	else
		err = understand(k, said, reterr);
	if (err) {
		keeper_free(k);
		return err;
	}
	reterr[0] = '\0';
	*ret = k;
	return 0;
}

const char *keeper_tool(const struct keeper *k)
{
	return k->tool;
}

bool keeper_was_here(const char *path)
{
	return access(path, F_OK) == 0;
}

void keeper_mark(const char *path, bool has_rules)
{
	int fd;

	if (!has_rules) {
		(void)unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		log_warn("%s: %s: rules of the packet queues that stay behind "
			 "would not be looked for",
			 path, strerror(errno));
	else
		(void)close(fd);
}

int keeper_remove(struct keeper *k)
{
	char said[8];
	int err;

	if (write(k->fd, "x", 1) != 1)
		return ERR_IO;
	err = hear(k->fd, said, sizeof(said));
	return err ? err : said[0] == SAYS_REMOVED ? 0 : ERR_IO;
}

struct keeper *keeper_free(struct keeper *k)
{
	if (!k)
		return NULL;
	if (k->fd >= 0)
		(void)close(k->fd);
	return alloc_free(k);
}
