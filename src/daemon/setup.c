#include "daemon/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conffile/conffile.h"
#include "control/rows.h"
#include "log/log.h"
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
	print_report(&rep);
	config_report_done(&rep);
	if (err)
		config_unref(c);
	else
		*ret = c;
	return err;
}

struct emitter {
	int fd;
	bool failed;
};

static void emit(void *ctx, struct slice piece)
{
	struct emitter *e = ctx;

	while (piece.len > 0 && !e->failed) {
		ssize_t n = write(e->fd, piece.ptr, piece.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			e->failed = true;
		else
			piece = slice_from(piece, (size_t)n);
	}
}

int setup_config_fd(const struct config *c, int *ret_fd)
{
	struct emitter e = {
		.fd = memfd_create("sallyport.conf",
				   MFD_CLOEXEC | MFD_ALLOW_SEALING)};

	if (e.fd < 0)
		return ERR_IO;
	config_print(c, emit, &e);
	if (e.failed || fcntl(e.fd, F_ADD_SEALS,
			      F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
				      F_SEAL_SEAL) != 0) {
		(void)close(e.fd);
		return ERR_IO;
	}
	*ret_fd = e.fd;
	return 0;
}

struct config *setup_config_from_fd(int fd)
{
	char path[64];
	struct config_report rep;
	struct config *c = NULL;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_report_init(&rep);
	if (conffile_load(path, &rep, &c) != 0) {
		print_report(&rep);
		log_fatal("configuration from the monitor cannot be read");
	}
	config_report_done(&rep);
	(void)close(fd);
	return c;
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

void setup_role(const struct config *c, const char *name)
{
	struct entropy e;

	log_init(name, (enum log_level)c->log_level);
	if (tls_global_init() != 0)
		log_fatal("GnuTLS cannot be initialised");
	e = tls_entropy();
	rows_seed(entropy_u32(&e));
}
