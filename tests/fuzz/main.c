/*
 * Replays a corpus through one fuzz target, without libFuzzer: every file,
 * and every beginning of a short file, each in a block of exactly its size so
 * that AddressSanitizer sees a read beyond it. Arguments are files or
 * directories; without any, the corpus beside the target's source.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
	INPUT_MAX = 1 << 20, /* bytes; larger corpus files are a mistake */
	PREFIX_MAX = 1024    /* cut files up to this size at every byte */
};

static int feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int ret;

	if (!copy)
		return -1;
	if (size)
		memcpy(copy, data, size);
	ret = LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return ret;
}

static int replay_file(const char *path)
{
	static uint8_t buf[INPUT_MAX + 1];
	FILE *f = fopen(path, "rb");
	size_t len;
	int ret = 0;

	if (!f) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), f);
	(void)fclose(f);
	if (len > INPUT_MAX) {
		(void)fprintf(stderr, "%s: larger than 1 MiB\n", path);
		return -1;
	}
	for (size_t cut = 0; len <= PREFIX_MAX && cut < len && !ret; cut++)
		ret = feed(buf, cut);
	if (!ret)
		ret = feed(buf, len);
	if (ret)
		(void)fprintf(stderr, "%s: target returned %d\n", path, ret);
	return ret;
}

/* Replay dir/name: 0, or -1. */
static int replay_entry(const char *dir, const char *name)
{
	char *path = NULL;
	int ret;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -1;
	ret = replay_file(path) ? -1 : 0;
	free(path);
	return ret;
}

/* Number of files replayed, or -1. */
static int replay(const char *path)
{
	struct dirent *e;
	struct stat st;
	int count = 0;
	DIR *dir;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return replay_file(path) ? -1 : 1;
	dir = opendir(path);
	if (!dir) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (count >= 0 && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		count = replay_entry(path, e->d_name) ? -1 : count + 1;
	}
	(void)closedir(dir);
	return count;
}

/* Replay one argument and say when there was nothing to replay. */
static int replay_arg(const char *path)
{
	int count = replay(path);

	if (count == 0)
		(void)fprintf(stderr, "%s: empty corpus\n", path);
	if (count > 0)
		(void)printf("%s: %d inputs\n", path, count);
	return count > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	const char *base = strrchr(argv[0], '/');
	char *corpus = NULL;
	int ret = 0;

	for (int i = 1; i < argc && !ret; i++)
		ret = replay_arg(argv[i]);
	if (argc > 1)
		return ret;
	if (asprintf(&corpus, "%s/fuzz/%s.in", srcdir ? srcdir : ".",
		     base ? base + 1 : argv[0]) < 0)
		return 1;
	ret = replay_arg(corpus);
	free(corpus);
	return ret;
}
