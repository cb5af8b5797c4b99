#include "b2bua/action.h"

#include "base/alloc.h"
#include "base/secret.h"

enum { ACTIONS_FIRST = 8 };

static void action_done(struct action *a)
{
	void *bytes;

	/* Ours since actions_add, though a slice is read-only to its users. */
	memcpy(&bytes, &a->bytes.ptr, sizeof(bytes));
	/* Bytes may be a session description with keys in it. */
	if (a->bytes.len > 0)
		secret_wipe(bytes, a->bytes.len);
	alloc_free(bytes);
	flow_wipe(&a->flow[0]);
	flow_wipe(&a->flow[1]);
}

void actions_done(struct actions *a)
{
	for (uint32_t i = 0; i < a->count; i++)
		action_done(&a->item[i]);
	alloc_free(a->item);
	*a = (struct actions){.item = NULL};
}

/* A new block, since realloc would leave keys behind in the old one. */
static int grow(struct actions *a)
{
	uint32_t cap = a->cap ? a->cap * 2 : ACTIONS_FIRST;
	struct action *p = alloc_array(cap, sizeof(*p));

	if (!p)
		return ERR_NOMEM;
	if (a->count > 0) {
		memcpy(p, a->item, a->count * sizeof(*p));
		secret_wipe(a->item, a->count * sizeof(*p));
	}
	alloc_free(a->item);
	a->item = p;
	a->cap = cap;
	return 0;
}

int actions_add(struct actions *a, const struct action *act)
{
	struct slice bytes = SLICE_NULL;

	if (a->count == a->cap && grow(a) != 0)
		return ERR_NOMEM;
	if (act->bytes.len > 0) {
		bytes.ptr = alloc_copy(act->bytes);
		bytes.len = act->bytes.len;
		if (!bytes.ptr)
			return ERR_NOMEM;
	}
	a->item[a->count] = *act;
	a->item[a->count].bytes = bytes;
	a->count++;
	return 0;
}
