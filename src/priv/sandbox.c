#include "priv/sandbox.h"

#include <assert.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/text.h"
#include "config.h"
#include "log/log.h"

static const char default_user[] = "sallyport";

static int explain(char *reterr, const char *what, const char *subject, int err)
{
	(void)snprintf(reterr, SANDBOX_ERR_MAX, "%s %s: %s", what, subject,
		       err == ERR_NOTFOUND ? "not found" : strerror(errno));
	return err;
}

const char *sandbox_role_str(enum sandbox_role r)
{
	switch (r) {
	case SANDBOX_MONITOR:
		return "monitor";
	case SANDBOX_KEYS:
	case SANDBOX_KEYS_TOKEN:
		return "keys";
	case SANDBOX_STORE:
		return "store";
	case SANDBOX_MEDIA:
		return "media";
	case SANDBOX_WORKER:
		return "worker";
	case SANDBOX_ROLE_COUNT:
		break;
	}
	return "unknown";
}

int sandbox_mode_parse(struct slice s, enum sandbox_mode *ret)
{
	if (text_ieqs(s, "kill"))
		*ret = SANDBOX_KILL;
	else if (text_ieqs(s, "log"))
		*ret = SANDBOX_LOG;
	else if (text_ieqs(s, "off"))
		*ret = SANDBOX_OFF;
	else
		return ERR_BAD;
	return 0;
}

/* System calls of every role: memory, time, its own descriptors, threads of
 * libraries, the end. Names unknown to the architecture are skipped. */
static const char *const common_calls[] = {
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"clock_gettime",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	"getpid",
	"gettid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"uname",
	"sysinfo",
	"getrusage",
	"prlimit64",
	"getcpu",
	"sched_yield",
	"sched_getaffinity",
	"membarrier",
	"rseq",
	"set_robust_list",
	"set_tid_address",
	"arch_prctl",
	"futex",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"tgkill",
	"restart_syscall",
	"exit",
	"exit_group",
	"read",
	"readv",
	"write",
	"writev",
	"pread64",
	"close",
	"close_range",
	"dup",
	"fcntl",
	"fstat",
	"newfstatat",
	"lseek",
	"poll",
	"ppoll",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"signalfd4",
	"eventfd2",
	"recvmsg",
	"recvfrom",
	"sendmsg",
	"sendto",
	"recvmmsg",
	"sendmmsg",
	"shutdown",
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	"socketpair",
	/* the same on 32-bit machines; statx is fstat there */
	"statx",
	"mmap2",
	"set_thread_area",
	"clock_gettime64",
	"clock_nanosleep_time64",
	"futex_time64",
	"getuid32",
	"geteuid32",
	"getgid32",
	"getegid32",
	"ugetrlimit",
	"sigreturn",
	"fcntl64",
	"fstat64",
	"fstatat64",
	"_llseek",
	"ppoll_time64",
	"send",
	"recv",
	"recvmmsg_time64",
};

/* New stream and datagram sockets. */
static const char *const socket_calls[] = {
	"socket", "bind", "connect", "listen", "accept", "accept4",
};

static const char *const thread_calls[] = {
	"clone",
	"clone3",
	"sched_setaffinity",
	"sched_setscheduler",
	"sched_getscheduler",
	"sched_getparam",
	"setpriority",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"timerfd_settime64",
	"timerfd_gettime64",
};

/* Files below the role's own directory (SQLite). */
static const char *const file_calls[] = {
	"open",	     "openat",	    "stat",	  "lstat",    "access",
	"faccessat", "faccessat2",  "pwrite64",	  "fsync",    "fdatasync",
	"ftruncate", "fallocate",   "unlink",	  "unlinkat", "rename",
	"renameat",  "renameat2",   "mkdir",	  "mkdirat",  "getcwd",
	"readlink",  "readlinkat",  "fchmod",	  "fchown",   "chmod",
	"umask",     "utimensat",   "getdents64", "statfs",   "fstatfs",
	"flock",     "stat64",	    "lstat64",	  "fchown32", "statfs64",
	"fstatfs64", "ftruncate64",
};

/* Starting, watching and ending children as root. */
static const char *const monitor_calls[] = {
	"fork",
	"vfork",
	"execve",
	"execveat",
	"wait4",
	"waitid",
	"kill",
	"pidfd_open",
	"pidfd_send_signal",
	"dup2",
	"dup3",
	"pipe",
	"pipe2",
	"setuid",
	"setgid",
	"setresuid",
	"setresgid",
	"setgroups",
	"setreuid",
	"setregid",
	"capget",
	"capset",
	"prctl",
	"seccomp",
	"chroot",
	"chdir",
	"chown",
	"fchownat",
	"fchmodat",
	"setsid",
	"getppid",
	"getpgrp",
	"setrlimit",
	"getrlimit",
	"mlock",
	"munlock",
	"symlink",
	"link",
	"getresuid",
	"getresgid",
	"getgroups",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	"waitpid",
	"setuid32",
	"setgid32",
	"setresuid32",
	"setresgid32",
	"setreuid32",
	"setregid32",
	"setgroups32",
	"getresuid32",
	"getresgid32",
	"getgroups32",
	"chown32",
	"pselect6_time64",
	"pselect6",
	"select",
	"memfd_create",
};

struct call_list {
	const char *const *names;
	size_t count;
};

#define CALLS(list)                                    \
	{                                              \
		list, sizeof(list) / sizeof((list)[0]) \
	}

static const struct call_list lists[] = {
	CALLS(common_calls), CALLS(socket_calls),  CALLS(thread_calls),
	CALLS(file_calls),   CALLS(monitor_calls),
};

enum {
	LIST_COMMON = 1,
	LIST_SOCKET = 2,
	LIST_THREAD = 4,
	LIST_FILE = 8,
	LIST_MONITOR = 16
};

static const unsigned role_lists[SANDBOX_ROLE_COUNT] = {
	[SANDBOX_MONITOR] = LIST_COMMON | LIST_SOCKET | LIST_THREAD |
			    LIST_FILE | LIST_MONITOR,
	[SANDBOX_KEYS] = LIST_COMMON,
	[SANDBOX_KEYS_TOKEN] =
		LIST_COMMON | LIST_FILE | LIST_SOCKET | LIST_THREAD,
	[SANDBOX_STORE] = LIST_COMMON | LIST_FILE,
	[SANDBOX_MEDIA] = LIST_COMMON | LIST_SOCKET | LIST_THREAD,
	[SANDBOX_WORKER] = LIST_COMMON | LIST_SOCKET | LIST_THREAD,
};

static int allow(scmp_filter_ctx f, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	/* Pseudo numbers (calls of other architectures) are not an error. */
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0) == 0 || nr < 0
		       ? 0
		       : ERR_IO;
}

/* Allow a call whose argument number arg is exactly value. */
static int allow_when(scmp_filter_ctx f, int nr, unsigned arg, uint64_t value)
{
	const struct scmp_arg_cmp is = {
		.arg = arg, .op = SCMP_CMP_EQ, .datum_a = value};

	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, nr, 1, &is) == 0
		       ? 0
		       : ERR_IO;
}

/* The C library asks whether a descriptor is a terminal, and how many bytes
 * wait; everything else of ioctl stays shut, TIOCSTI above all. prctl names
 * threads only. Files are not opened but found missing: libraries look for
 * time zones and locales. */
static int allow_partly(scmp_filter_ctx f, enum sandbox_role role)
{
	static const unsigned requests[] = {TCGETS, FIONREAD, FIONBIO};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (allow_when(f, SCMP_SYS(ioctl), 1, requests[i]) != 0)
			return ERR_IO;
	if (!(role_lists[role] & LIST_MONITOR) &&
	    allow_when(f, SCMP_SYS(prctl), 0, PR_SET_NAME) != 0)
		return ERR_IO;
	if (role_lists[role] & LIST_FILE)
		return 0;
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(open), 0) ==
				       0 &&
			       seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOENT),
						SCMP_SYS(openat), 0) == 0
		       ? 0
		       : ERR_IO;
}

static int filter(enum sandbox_role role, enum sandbox_mode mode)
{
	scmp_filter_ctx f = seccomp_init(
		mode == SANDBOX_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_LOG);
	int err = f ? 0 : ERR_NOMEM;

	assert(role < SANDBOX_ROLE_COUNT);
	for (size_t i = 0; !err && i < sizeof(lists) / sizeof(lists[0]); i++)
		for (size_t j = 0; !err && j < lists[i].count; j++)
			if (role_lists[role] & 1u << i)
				err = allow(f, lists[i].names[j]);
	if (!err)
		err = allow_partly(f, role);
	if (!err && seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) != 0)
		err = ERR_IO;
	if (!err && seccomp_load(f) != 0)
		err = ERR_IO;
	if (f)
		seccomp_release(f);
	return err;
}

struct ids {
	uid_t uid;
	gid_t gid;
};

static int look_up(const struct sandbox_params *p, struct ids *ret,
		   char *reterr)
{
	const char *user = p->user ? p->user : default_user;
	struct passwd *pw;
	struct group *gr;

	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return explain(reterr, "user", user, ERR_NOTFOUND);
	*ret = (struct ids){.uid = pw->pw_uid, .gid = pw->pw_gid};
	if (!p->group)
		return 0;
	gr = getgrnam(p->group);
	if (!gr)
		return explain(reterr, "group", p->group, ERR_NOTFOUND);
	ret->gid = gr->gr_gid;
	return 0;
}

/* Out of root's rights, in the only order that works: directory, groups,
 * user with its capabilities. */
static int drop_ids(const struct sandbox_params *p, char *reterr)
{
	struct ids ids = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	int err = look_up(p, &ids, reterr);

	if (err)
		return err;
	if (p->chroot_dir && (chroot(p->chroot_dir) < 0 || chdir("/") < 0))
		return explain(reterr, "chroot", p->chroot_dir, ERR_IO);
	capng_clear(CAPNG_SELECT_BOTH);
	if (p->keeps_net_admin &&
	    prctl(PR_CAPBSET_READ, CAP_NET_ADMIN, 0, 0, 0) == 1)
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				   CAP_NET_ADMIN);
	if (setgroups(0, NULL) < 0)
		return explain(reterr, "cannot drop", "supplementary groups",
			       ERR_IO);
	/* Clears the bounding set while CAP_SETPCAP is still there. */
	if (capng_change_id((int)ids.uid, (int)ids.gid, CAPNG_CLEAR_BOUNDING) !=
	    0)
		return explain(reterr, "cannot become", "user and group",
			       ERR_IO);
	/* Proof, not hope. */
	if (setuid(0) == 0 || getuid() != ids.uid || getgid() != ids.gid) {
		errno = EPERM;
		return explain(reterr, "still", "root", ERR_IO);
	}
	return 0;
}

/* Stay root with these capabilities alone. */
static int limit_to(const unsigned *caps, size_t n)
{
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < n; i++)
		/* Only those we were given: a container may have fewer. */
		if (prctl(PR_CAPBSET_READ, caps[i], 0, 0, 0) == 1)
			(void)capng_update(CAPNG_ADD,
					   CAPNG_EFFECTIVE | CAPNG_PERMITTED |
						   CAPNG_BOUNDING_SET,
					   caps[i]);
	return capng_apply(CAPNG_SELECT_BOTH) == 0 ? 0 : ERR_IO;
}

int sandbox_limit_keeper(void)
{
	static const unsigned caps[] = {CAP_NET_ADMIN, CAP_NET_RAW};

	if (geteuid() != 0)
		return 0;
	return limit_to(caps, sizeof(caps) / sizeof(caps[0]));
}

/* The monitor stays root to restart children, with what that takes. */
static int limit_monitor(char *reterr)
{
	static const unsigned caps[] = {CAP_NET_BIND_SERVICE,
					CAP_NET_ADMIN,
					CAP_SETUID,
					CAP_SETGID,
					CAP_SETPCAP,
					CAP_SYS_CHROOT,
					CAP_KILL,
					CAP_CHOWN,
					CAP_FOWNER,
					CAP_DAC_OVERRIDE,
					CAP_SYS_NICE,
					CAP_SYS_RESOURCE};

	if (limit_to(caps, sizeof(caps) / sizeof(caps[0])) != 0)
		return explain(reterr, "cannot limit", "capabilities", ERR_IO);
	return 0;
}

static int drop(const struct sandbox_params *p, char *reterr)
{
	if (geteuid() != 0) {
		log_info("sandbox: not root: user, directory and "
			 "capabilities stay as they are role=%s uid=%u",
			 sandbox_role_str(p->role), (unsigned)getuid());
		return 0;
	}
	return p->role == SANDBOX_MONITOR ? limit_monitor(reterr)
					  : drop_ids(p, reterr);
}

int sandbox_enter(const struct sandbox_params *p, char *reterr)
{
	struct rlimit none = {0, 0};
	enum sandbox_mode mode = p->mode;
	char name[16];
	int err;

	reterr[0] = '\0';
	/* For ps and top; a re-executed process is called "exe". */
	(void)snprintf(name, sizeof(name), "sp-%s", sandbox_role_str(p->role));
	if (p->role != SANDBOX_MONITOR)
		(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return explain(reterr, "cannot forbid", "core dumps", ERR_IO);
	err = drop(p, reterr);
	if (err)
		return err;
	/* After the change of ids, which makes the process dumpable again. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return explain(reterr, "cannot forbid", "dumps", ERR_IO);
	/* The monitor's children must become other users: setuid programs are
	 * not meant, and no_new_privs does not stop setuid(2). */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return explain(reterr, "cannot set", "no_new_privs", ERR_IO);
#ifdef SP_SANITIZED
	if (mode != SANDBOX_OFF)
		log_info("sandbox: no system call filter with sanitizers "
			 "role=%s",
			 sandbox_role_str(p->role));
	mode = SANDBOX_OFF;
#endif
	if (mode == SANDBOX_OFF)
		return 0;
	err = filter(p->role, mode);
	return err ? explain(reterr, "cannot load", "the system call filter",
			     err)
		   : 0;
}
