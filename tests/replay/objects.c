#include "replay/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/replay.h"

/* Calls both ways, joined and not, with several streams, twins, other media,
 * session timers, REFERs; bindings; subscriptions. */
static const char *const scenario[] = {
	"restart-out.scn",    "restart-in.scn",	   "restart-sub.scn",
	"joined.scn",	      "rtcp-mux.scn",	   "offer-two-lines.scn",
	"other-media.scn",    "session-timer.scn", "refer.scn",
	"subscribe-fork.scn", "streams.scn"};

static struct object object[OBJECTS_MAX];
static size_t count;
static size_t first; /* of this scenario */
static const char *now;

static struct object *object_of(const char *key)
{
	struct object *o;
	unsigned n = 0;

	for (size_t i = first; i < count; i++) {
		if (strcmp(object[i].key, key) == 0)
			return &object[i];
		n += object[i].key[0] == key[0];
	}
	if (count == OBJECTS_MAX)
		return NULL;
	o = &object[count++];
	snprintf(o->key, sizeof(o->key), "%s", key);
	snprintf(o->name, sizeof(o->name), "%s %c%u", now, key[0], n);
	return o;
}

static void keep(void *ctx, const char *key, struct slice bytes)
{
	struct object *o = object_of(key);

	(void)ctx;
	if (!o)
		return;
	free(o->bytes);
	o->bytes = malloc(bytes.len);
	o->len = bytes.len;
	if (!o->bytes)
		abort();
	memcpy(o->bytes, bytes.ptr, bytes.len);
}

size_t objects_make(const struct object **ret)
{
	static struct run r;
	char path[1024];

	*ret = object;
	if (count > 0)
		return count;
	for (size_t i = 0; i < sizeof(scenario) / sizeof(scenario[0]); i++) {
		now = scenario[i];
		first = count;
		snprintf(path, sizeof(path), "%s/replay/%s", TEST_SRCDIR, now);
		r.on_save = keep;
		replay_file(&r, path);
	}
	return count;
}

struct slice objects_find(const char *name)
{
	const struct object *all;
	size_t n = objects_make(&all);

	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].name, name) == 0)
			return slice_make(all[i].bytes, all[i].len);
	fprintf(stderr, "no object %s; there are:\n", name);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "  %s\n", all[i].name);
	exit(1);
}
