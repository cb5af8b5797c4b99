#include "daemon/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "conffile/conffile.h"
#include "config/reload.h"
#include "control/rows.h"
#include "daemon/wire.h"
#include "log/log.h"
#include "log/ring.h"
#include "media/journal.h"
#include "tls/files.h"
#include "tls/random.h"

static void print_report(const struct config_report *rep)
{
	for (const struct config_message *m = rep->first; m; m = m->next)
		(void)fprintf(stderr, "%s: %s\n",
			      m->is_error ? "error" : "warning", m->text);
	if (rep->errors > 0)
		(void)fprintf(stderr, "%u error%s\n", rep->errors,
			      rep->errors == 1 ? "" : "s");
}

uint32_t setup_workers(const struct config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->workers > 0)
		return c->workers;
	if (cores < 1)
		return 1;
	return cores < CONFIG_WORKERS_MAX ? (uint32_t)cores
					  : CONFIG_WORKERS_MAX;
}

/* What a process may have: the hard limit, which the children take. */
static uint64_t descriptors(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_max : UINT64_MAX;
}

/* A line of a small file, without its end. False: there is none. */
static bool read_line(const char *path, char *buf, int cap)
{
	FILE *f = fopen(path, "re");
	bool is_read = f && fgets(buf, cap, f);

	if (f)
		(void)fclose(f);
	if (is_read)
		buf[strcspn(buf, "\n")] = '\0';
	return is_read;
}

/* What the service manager or a container allows us (cgroup v2). */
static uint64_t group_memory(void)
{
	char group[256];
	char path[320];
	char text[64];
	uint64_t v;

	if (!read_line("/proc/self/cgroup", group, sizeof(group)) ||
	    strncmp(group, "0::", 3) != 0)
		return UINT64_MAX;
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max",
		       group + 3);
	if (!read_line(path, text, sizeof(text)) ||
	    text_dec(slice_str(text), UINT64_MAX, &v) != 0)
		return UINT64_MAX; /* "max" */
	return v;
}

/* Bytes that all processes may have. */
static uint64_t memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long size = sysconf(_SC_PAGESIZE);
	uint64_t group = group_memory();
	uint64_t all = UINT64_MAX;

	if (pages > 0 && size > 0)
		all = (uint64_t)pages * (uint64_t)size;
	return group < all ? group : all;
}

/* Only root takes other accounts; whoever checks as somebody else may not even
 * see those of the machine that the file is for. */
static void check_account(const struct config *c, struct config_report *rep)
{
	char text[320];

	if (geteuid() != 0)
		return;
	if (!getpwnam(c->user)) {
		(void)snprintf(text, sizeof(text),
			       "no account \"%s\": create it (systemd-sysusers) "
			       "before sallyportd is started",
			       c->user);
		config_report_add(rep, false, "user", 0, slice_str(text));
	}
	if (!getgrnam(c->group)) {
		(void)snprintf(text, sizeof(text), "no group \"%s\"",
			       c->group);
		config_report_add(rep, false, "group", 0, slice_str(text));
	}
}

int setup_load(const char *path, struct config **ret)
{
	struct config_report rep;
	struct config *c = NULL;
	int err;

	config_report_init(&rep);
	err = conffile_load(path, &rep, &c);
	if (!err)
		err = conffile_check_files(c, &rep);
	if (!err)
		err = config_check_workers(c, setup_workers(c), &rep);
	if (!err)
		config_check_needs(c, descriptors(), memory(), &rep);
	if (!err)
		check_account(c, &rep);
	print_report(&rep);
	config_report_done(&rep);
	if (err)
		config_unref(c);
	else {
		config_share(c, setup_workers(c));
		*ret = c;
	}
	return err;
}

static int write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		bytes = slice_from(bytes, (size_t)n);
	}
	return 0;
}

/* A memory file that nobody changes any more; writes with fn. */
static int sealed_fd(const char *name, int (*fn)(int fd, const void *what),
		     const void *what, int *ret_fd)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return ERR_IO;
	if (fn(fd, what) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
		    0) {
		(void)close(fd);
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

static int write_slice(int fd, const void *what)
{
	return write_all(fd, *(const struct slice *)what);
}

int setup_config_fd(struct slice bytes, int *ret_fd)
{
	return sealed_fd("sallyport.conf", write_slice, &bytes, ret_fd);
}

static int write_files(int fd, const void *what)
{
	return tls_files_save(what, fd);
}

int setup_tls_fd(const struct tls_files *f, int *ret_fd)
{
	return sealed_fd("tls files", write_files, f, ret_fd);
}

/* pread: several processes share the descriptor, and so its offset. */
int setup_read_fd(int fd, size_t max, struct buf *ret)
{
	uint8_t piece[2048];
	off_t at = 0;
	int err = 0;

	while (!err) {
		ssize_t n = pread(fd, piece, sizeof(piece), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return 0;
		at += n;
		err = buf_add(ret, slice_make(piece, (size_t)n), max);
	}
	return err;
}

int setup_config_read(int fd, struct config **ret)
{
	struct config_report rep;
	struct buf bytes = {.ptr = NULL};
	int err = setup_read_fd(fd, ALLOC_MAX, &bytes);

	config_report_init(&rep);
	if (!err)
		err = config_unpack(buf_slice(&bytes), &rep, ret);
	if (err)
		log_error("configuration from the monitor cannot be read: %s",
			  rep.first ? rep.first->text : err_str(err));
	config_report_done(&rep);
	buf_done(&bytes);
	return err;
}

struct config *setup_config_from_fd(int fd)
{
	struct config *c = NULL;

	if (setup_config_read(fd, &c) != 0)
		exit(1);
	(void)close(fd);
	return c;
}

bool setup_pong(struct channel *monitor, struct slice bytes)
{
	uint8_t level;

	if (dwire_ping_read(bytes, &level) != 0)
		return false;
	if (level <= LOG_LEVEL_DEBUG)
		log_set_level((enum log_level)level);
	/* The monitor draws its own conclusion from silence. */
	if (channel_send(monitor, slice_str(DWIRE_PONG)) != 0)
		log_debug("no answer to the monitor's question");
	return true;
}

struct sandbox_params setup_sandbox(const struct config *c,
				    enum sandbox_role role,
				    const char *chroot_dir)
{
	struct sandbox_params p = {.role = role,
				   .mode = SANDBOX_KILL,
				   .user = c->user,
				   .group = c->group,
				   .chroot_dir = chroot_dir};

	switch (c->sandbox) {
	case CONFIG_SANDBOX_ENFORCE:
		break;
	case CONFIG_SANDBOX_LOG:
		p.mode = SANDBOX_LOG;
		break;
	case CONFIG_SANDBOX_OFF:
		p.mode = SANDBOX_OFF;
		break;
	}
	return p;
}

void setup_role(const struct config *c, const char *name, int log_fd)
{
	struct log_ring *ring = log_ring_map(log_fd);
	struct entropy e;

	log_init(name, (enum log_level)c->log_level);
	if (!ring)
		log_fatal("no memory for the last messages");
	log_keep(ring);
	(void)close(log_fd);
	if (tls_global_init() != 0)
		log_fatal("GnuTLS cannot be initialised");
	e = tls_entropy();
	rows_seed(entropy_u32(&e));
}

void setup_boot(char *buf)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, buf, SETUP_BOOT_MAX - 1);
		(void)close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
}

/* In memory it outlives the processes that use it, not the monitor. */
static int journal_in_memory(const char *boot, int *ret_fd)
{
	int fd = memfd_create("srtp.idx", MFD_CLOEXEC);

	if (fd >= 0 && journal_prepare(fd, boot) == 0) {
		*ret_fd = fd;
		return 0;
	}
	log_error("the journal of SRTP indices: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return ERR_IO;
}

int setup_journal_fd(const struct config *c, int *ret_fd)
{
	char path[CONFIG_TEXT_MAX + 32];
	char boot[SETUP_BOOT_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/srtp.idx", c->state_directory);
	setup_boot(boot);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && journal_prepare(fd, boot) == 0) {
		*ret_fd = fd;
		return 0;
	}
	log_error("%s: %s: kept in memory, calls that are up when the daemon "
		  "is started again will end",
		  path, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return journal_in_memory(boot, ret_fd);
}
