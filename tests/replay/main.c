/*
 * Plays the scenarios named, or all.
 */
#include "replay/replay.h"

#include <glob.h>
#include <string.h>

static void play(const char *path)
{
	static struct run r;

	replay_file(&r, path);
	printf("ok %s\n", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	glob_t g;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			play(argv[i]);
		return 0;
	}
	if (glob(TEST_SRCDIR "/replay/*.scn", 0, NULL, &g) != 0)
		return 1;
	for (size_t i = 0; i < g.gl_pathc; i++)
		play(g.gl_pathv[i]);
	globfree(&g);
	return 0;
}
