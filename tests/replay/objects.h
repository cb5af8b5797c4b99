/*
 * Saved objects of the version that is built, for tests of what reads them:
 * made by playing scenarios, so that no bytes need to be kept in files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { OBJECTS_MAX = 64 };

/* What a scenario saved last under one key. */
struct object {
	char name[80]; /* "restart-out.scn C0", kind and number of it */
	char key[48];
	uint8_t *bytes; /* as calls_restore takes them */
	size_t len;
};

/* Play scenarios with objects of every kind and form; the program ends when one
 * does not run. Returns how many objects there are; they live as long as the
 * program. Always the same ones, made once. */
size_t objects_make(const struct object **ret);
/* The one of this name; ends the program when there is none. */
struct slice objects_find(const char *name);
