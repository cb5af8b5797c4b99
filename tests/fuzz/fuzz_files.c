/* A copy of TLS files as another process gets it: what is read writes and reads
 * as itself. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "tls/files.h"

static void check_again(const struct tls_files *f)
{
	struct tls_files *g = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_check(fd >= 0 && tls_files_save(f, fd) == 0);
	fuzz_check(tls_files_load(fd, &g) == 0);
	fuzz_check(tls_files_count(f) == tls_files_count(g));
	for (size_t i = 0; i < tls_files_count(f); i++)
		fuzz_check(slice_eq(tls_files_at(f, i).bytes,
				    tls_files_at(g, i).bytes));
	(void)tls_files_free(g);
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_files *f = NULL;

	if (tls_files_parse(slice_make(data, size), &f) != 0)
		return 0;
	check_again(f);
	(void)tls_files_free(f);
	return 0;
}
