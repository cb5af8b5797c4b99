#include "tools/module.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_LEN = 512 };

static const char name[] = "nf_srtp";

/* path becomes root, before, word, after in a row. */
static bool exists(const char *root, char path[PATH_LEN], const char *before,
		   const char *word, const char *after)
{
	(void)snprintf(path, PATH_LEN, "%s%s%s%s", root, before, word, after);
	return access(path, F_OK) == 0;
}

/* The same for a pattern; path becomes its first match. */
static bool matches(const char *root, char path[PATH_LEN], const char *before,
		    const char *word, const char *after)
{
	bool found = exists(root, path, before, word, after);
	glob_t g;

	if (found || glob(path, GLOB_NOSORT, NULL, &g) != 0)
		return found;
	(void)snprintf(path, PATH_LEN, "%s", g.gl_pathv[0]);
	globfree(&g);
	return true;
}

static size_t read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, buf, cap);
	(void)close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* Does the kernel take only modules that somebody it trusts has signed? */
static bool wants_signature(const char *root)
{
	char path[PATH_LEN], buf[128] = "";
	size_t n;

	if (exists(root, path, "/sys/module/module/parameters/", "sig_enforce",
		   "") &&
	    read_file(path, buf, sizeof(buf) - 1) > 0 && buf[0] == 'Y')
		return true;
	memset(buf, 0, sizeof(buf));
	if (exists(root, path, "/sys/kernel/security/", "lockdown", "") &&
	    read_file(path, buf, sizeof(buf) - 1) > 0 && !strstr(buf, "[none]"))
		return true;
	/* Four bytes of attributes, then the value. */
	if (!matches(root, path, "/sys/firmware/efi/efivars/", "SecureBoot-*",
		     ""))
		return false;
	n = read_file(path, buf, sizeof(buf));
	return n == 5 && buf[4] == 1;
}

/* The release in ".../lib/modules/RELEASE/...". */
static void release_of(const char *root, const char *path, char ret[64])
{
	const char *p = path + strlen(root) + strlen("/lib/modules/");

	(void)snprintf(ret, 64, "%.*s", (int)strcspn(p, "/"), p);
}

static bool is_built(const char *root, const char *release, char *path)
{
	return matches(root, path, "/lib/modules/", release,
		       "/*/nf_srtp.ko*") ||
	       matches(root, path, "/lib/modules/", release,
		       "/*/*/nf_srtp.ko*") ||
	       matches(root, path, "/lib/modules/", release,
		       "/*/*/*/nf_srtp.ko*");
}

static void why_not_built(const char *root, const char *release, char *ret)
{
	char path[PATH_LEN], other[64];
	/* under the names of kmod/dkms.conf */
	bool has_source = matches(root, path, "/usr/src/", name, "-*") ||
			  matches(root, path, "/var/lib/dkms/", name, "");

	if (has_source &&
	    !exists(root, path, "/lib/modules/", release, "/build"))
		(void)snprintf(ret, MODULE_WHY_MAX,
			       "it could not be built: the headers of kernel "
			       "%.64s are missing (linux-headers-%.64s)",
			       release, release);
	else if (is_built(root, "*", path)) {
		release_of(root, path, other);
		(void)snprintf(ret, MODULE_WHY_MAX,
			       "wrong kernel: it is built for %s, and %.64s is "
			       "running",
			       other, release);
	} else if (has_source)
		(void)snprintf(ret, MODULE_WHY_MAX,
			       "it is not built for kernel %.64s: dkms status",
			       release);
	else
		(void)snprintf(ret, MODULE_WHY_MAX,
			       "module %s is not installed for kernel %.64s",
			       name, release);
}

bool module_why(const char *root, const char *release, char ret[MODULE_WHY_MAX])
{
	char path[PATH_LEN];

	if (exists(root, path, "/sys/module/", name, ""))
		return false;
	if (!exists(root, path, "/proc/", "modules", ""))
		(void)snprintf(ret, MODULE_WHY_MAX,
			       "this kernel takes no modules");
	else if (!is_built(root, release, path))
		why_not_built(root, release, ret);
	else if (wants_signature(root))
		(void)snprintf(
			ret, MODULE_WHY_MAX,
			"module %s is not loaded: Secure Boot takes only "
			"signed modules (mokutil --import the key that "
			"DKMS signs with, then modprobe %s)",
			name, name);
	else
		(void)snprintf(ret, MODULE_WHY_MAX,
			       "module %s is not loaded: modprobe %s", name,
			       name);
	return true;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) == 0 ? 0 : errno;
}
