#include "tls/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/reader.h"
#include "base/text.h"
#include "base/writer.h"
#include "tls/creds.h"

enum { GROWTH = 64, VERSION = 1 };

struct entry {
	char *path;
	uint8_t *bytes;
	size_t len;
};

struct tls_files {
	struct entry *entry;
	size_t count;
	size_t cap;
	size_t bytes; /* of all */
};

static int explain(char *reterr, const char *name, const char *what, int err)
{
	(void)snprintf(reterr, TLS_CREDS_ERR_MAX, "%s: %s", name, what);
	return err;
}

int tls_files_new(struct tls_files **ret)
{
	*ret = alloc_zero(sizeof(**ret));
	return *ret ? 0 : ERR_NOMEM;
}

struct tls_files *tls_files_free(struct tls_files *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->count; i++) {
		(void)alloc_free(f->entry[i].path);
		(void)alloc_free(f->entry[i].bytes);
	}
	(void)alloc_free(f->entry);
	return alloc_free(f);
}

static int make_room(struct tls_files *f)
{
	struct entry *bigger;

	if (f->count == TLS_FILES_MAX)
		return ERR_LIMIT;
	if (f->count < f->cap)
		return 0;
	bigger = alloc_resize(f->entry, f->cap + GROWTH, sizeof(*bigger));
	if (!bigger)
		return ERR_NOMEM;
	f->entry = bigger;
	f->cap += GROWTH;
	return 0;
}

/* Take over bytes (alloc_free); also on error. */
static int add(struct tls_files *f, struct slice path, uint8_t *bytes,
	       size_t len)
{
	struct entry *e;
	int err = make_room(f);

	if (!err && len > TLS_FILES_BYTES - f->bytes)
		err = ERR_LIMIT;
	if (err) {
		(void)alloc_free(bytes);
		return err;
	}
	e = &f->entry[f->count];
	*e = (struct entry){
		.path = alloc_copy(path), .bytes = bytes, .len = len};
	if (!e->path) {
		(void)alloc_free(bytes);
		return ERR_NOMEM;
	}
	f->bytes += len;
	f->count++;
	return 0;
}

/* All of an open file into *ret_bytes (alloc_free). pread: processes that share
 * a descriptor share its offset. */
static int read_all(int fd, size_t len, uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t *p = alloc_zero(len + 1);
	size_t done = 0;

	if (!p)
		return ERR_NOMEM;
	while (done < len) {
		ssize_t n = pread(fd, p + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)alloc_free(p);
			return ERR_IO;
		}
		if (n == 0)
			break; /* it has become shorter */
		done += (size_t)n;
	}
	*ret_bytes = p;
	*ret_len = done;
	return 0;
}

int tls_files_read(struct tls_files *f, const char *path, char *reterr)
{
	struct slice known;
	struct stat st;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int fd;
	int err = 0;

	if (tls_files_find(f, path, &known) == 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		err = explain(reterr, path, strerror(errno), ERR_IO);
	else if (!S_ISREG(st.st_mode) || st.st_size > TLS_FILE_MAX)
		err = explain(reterr, path, "not a file, or too large",
			      ERR_LIMIT);
	if (!err)
		err = read_all(fd, (size_t)st.st_size, &bytes, &len);
	if (fd >= 0)
		(void)close(fd);
	if (!err) {
		err = add(f, slice_str(path), bytes, len);
		if (err)
			(void)explain(reterr, path, err_str(err), err);
	}
	return err;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t m = strlen(suffix);

	return n > m && text_ieqs(slice_str(name + n - m), suffix);
}

static int is_wanted(const struct dirent *d)
{
	static const char *const suffixes[] = {".pem", ".crt", ".cer", ".der",
					       ".crl"};

	if (d->d_name[0] == '.')
		return 0;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (has_suffix(d->d_name, suffixes[i]))
			return 1;
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* One directory without those below it. */
static int read_flat(struct tls_files *f, const char *dir, char *reterr)
{
	char path[TLS_PATH_MAX];
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_wanted, by_name);
	int err = 0;

	if (n < 0)
		return explain(reterr, dir, strerror(errno),
			       errno == ENOENT ? ERR_NOTFOUND : ERR_IO);
	for (int i = 0; i < n; i++) {
		if (!err && snprintf(path, sizeof(path), "%s/%s", dir,
				     names[i]->d_name) >= (int)sizeof(path))
			err = explain(reterr, dir, "path too long", ERR_LIMIT);
		if (!err)
			err = tls_files_read(f, path, reterr);
		free(names[i]);
	}
	free(names);
	return err;
}

int tls_files_read_dir(struct tls_files *f, const char *dir, char *reterr)
{
	char lsc[TLS_PATH_MAX];
	int err = read_flat(f, dir, reterr);

	if (err)
		return err == ERR_NOTFOUND ? ERR_IO : err;
	if (snprintf(lsc, sizeof(lsc), "%s/lsc", dir) >= (int)sizeof(lsc))
		return explain(reterr, dir, "path too long", ERR_LIMIT);
	err = read_flat(f, lsc, reterr);
	return err == ERR_NOTFOUND ? 0 : err;
}

size_t tls_files_count(const struct tls_files *f)
{
	return f->count;
}

struct tls_file tls_files_at(const struct tls_files *f, size_t i)
{
	const struct entry *e = &f->entry[i];

	return (struct tls_file){.path = e->path,
				 .bytes = slice_make(e->bytes, e->len)};
}

int tls_files_find(const struct tls_files *f, const char *path,
		   struct slice *ret)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->entry[i].path, path) != 0)
			continue;
		*ret = slice_make(f->entry[i].bytes, f->entry[i].len);
		return 0;
	}
	return ERR_NOTFOUND;
}

/* ---- from one process to another ----------------------------------------- */

static int put(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.ptr, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		s = slice_from(s, (size_t)n);
	}
	return 0;
}

static int put_u32(int fd, size_t v)
{
	uint8_t buf[4];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	writer_u32be(&w, (uint32_t)v);
	return put(fd, writer_slice(&w));
}

static int put_blob(int fd, struct slice s)
{
	int err = put_u32(fd, s.len);

	return err ? err : put(fd, s);
}

int tls_files_save(const struct tls_files *f, int fd)
{
	int err = put_u32(fd, VERSION);

	for (size_t i = 0; i < f->count && !err; i++) {
		struct tls_file e = tls_files_at(f, i);

		err = put_blob(fd, slice_str(e.path));
		if (!err)
			err = put_blob(fd, e.bytes);
	}
	return err;
}

static int parse_one(struct tls_files *f, struct reader *r)
{
	struct slice path = reader_blob(r);
	struct slice bytes = reader_blob(r);
	uint8_t *copy;

	if (!reader_ok(r) || path.len == 0 || path.len >= TLS_PATH_MAX ||
	    memchr(path.ptr, 0, path.len) || bytes.len > TLS_FILE_MAX)
		return ERR_BAD;
	copy = alloc_zero(bytes.len + 1);
	if (!copy)
		return ERR_NOMEM;
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	return add(f, path, copy, bytes.len);
}

int tls_files_parse(struct slice bytes, struct tls_files **ret)
{
	struct tls_files *f = NULL;
	struct reader r;
	int err = tls_files_new(&f);

	if (err)
		return err;
	reader_init(&r, bytes);
	if (reader_u32be(&r) != VERSION)
		err = ERR_BAD;
	while (!err && !reader_end(&r))
		err = parse_one(f, &r);
	if (err)
		(void)tls_files_free(f);
	else
		*ret = f;
	return err;
}

int tls_files_load(int fd, struct tls_files **ret)
{
	struct stat st;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int err;

	if (fstat(fd, &st) < 0)
		return ERR_IO;
	if (st.st_size < 0 || st.st_size > 2 * TLS_FILES_BYTES)
		return ERR_LIMIT;
	err = read_all(fd, (size_t)st.st_size, &bytes, &len);
	if (!err)
		err = tls_files_parse(slice_make(bytes, len), ret);
	(void)alloc_free(bytes);
	return err;
}
