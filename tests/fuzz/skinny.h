/* Saved streams of Skinny phones of the version that is built. */
#pragma once

#include "base/slice.h"

enum { SKINNY_OBJECTS = 4 };

/* As calls_restore takes them; they live as long as the program: of two phones in
 * a call, joined end to end, and of two with a far end elsewhere. */
void skinny_objects(struct slice ret[SKINNY_OBJECTS]);
