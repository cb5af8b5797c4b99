/*
 * The public files that TLS credentials are made of (certificate chains, OCSP
 * responses, trusted certificates, revocation lists) as they were at one
 * moment. One process reads them from the disk, another one, which may not
 * open files any more, builds credentials from the copy. Private keys never
 * are among them. One owner, one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
	TLS_FILE_MAX = 1 << 20,	    /* bytes of one file */
	TLS_FILES_MAX = 8192,	    /* files of one copy */
	TLS_FILES_BYTES = 64 << 20, /* bytes of one copy */
	TLS_PATH_MAX = 2048	    /* bytes of a path with its NUL */
};

struct tls_files;

/* One file; both are valid as long as the copy. */
struct tls_file {
	const char *path;
	struct slice bytes;
};

/* An empty copy. ERR_NOMEM. */
MUST_CHECK int tls_files_new(struct tls_files **ret);
/* Free f (may be NULL); returns NULL. */
struct tls_files *tls_files_free(struct tls_files *f);
/*
 * Read one file; reading it twice keeps the first. ERR_IO, ERR_LIMIT,
 * ERR_NOMEM with reterr (TLS_CREDS_ERR_MAX bytes) naming the file.
 */
MUST_CHECK int tls_files_read(struct tls_files *f, const char *path,
			      char *reterr);
/*
 * Read the files of a trust directory: *.pem, *.crt, *.cer, *.der and *.crl,
 * but none that begins with a dot; the same of its subdirectory lsc, where
 * there is one. Errors as tls_files_read.
 */
MUST_CHECK int tls_files_read_dir(struct tls_files *f, const char *dir,
				  char *reterr);
/* Number of files. */
size_t tls_files_count(const struct tls_files *f);
/* File number i, less than tls_files_count, in the order of reading. */
struct tls_file tls_files_at(const struct tls_files *f, size_t i);
/* Content of the file with that path, ERR_NOTFOUND. O(files). */
MUST_CHECK int tls_files_find(const struct tls_files *f, const char *path,
			      struct slice *ret);
/* Write the copy to a descriptor, such as a memory file: ERR_IO. */
MUST_CHECK int tls_files_save(const struct tls_files *f, int fd);
/* Read what tls_files_save wrote, from the beginning of fd. ERR_BAD, ERR_IO,
 * ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int tls_files_load(int fd, struct tls_files **ret);
/* The same from bytes in memory. ERR_BAD, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK int tls_files_parse(struct slice bytes, struct tls_files **ret);
