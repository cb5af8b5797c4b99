#include "unit/sip/vectors.h"

#include <stdio.h>
#include <stdlib.h>

uint8_t *vector_read(const char *name, size_t *ret_len)
{
	char path[512];
	uint8_t *buf = malloc(VECTOR_MAX);
	FILE *f;

	snprintf(path, sizeof(path), "%s/vectors/%s", TEST_SRCDIR, name);
	f = fopen(path, "rb");
	if (!f || !buf) {
		fprintf(stderr, "cannot read %s\n", path);
		abort();
	}
	*ret_len = fread(buf, 1, VECTOR_MAX, f);
	fclose(f);
	return buf;
}
