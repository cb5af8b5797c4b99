#include "authz/strangers.h"

#include "base/alloc.h"
#include "base/bucket.h"
#include "base/list.h"
#include "base/table.h"

struct entry {
	struct table_node node; /* by source */
	struct list used;	/* the one heard last comes first */
	struct addr source;
	struct bucket bucket; /* of answers, by the minute */
	uint64_t count, answered, first_ms, last_ms;
	uint8_t method_len, agent_len;
	char method[STRANGER_TEXT_MAX];
	char agent[STRANGER_TEXT_MAX];
};

struct strangers {
	struct table by_source;
	struct list used;
	uint32_t limit;
	uint64_t messages;
};

struct strangers *strangers_new(uint32_t limit, uint64_t seed)
{
	struct strangers *s = alloc_zero(sizeof(*s));

	if (!s)
		return NULL;
	s->limit = limit;
	table_init(&s->by_source, limit, seed);
	list_init(&s->used);
	return s;
}

static void entry_free(struct strangers *s, struct entry *e)
{
	table_del(&s->by_source, &e->node);
	list_del(&e->used);
	alloc_free(e);
}

struct strangers *strangers_free(struct strangers *s)
{
	if (!s)
		return NULL;
	while (!list_empty(&s->used))
		entry_free(s, LIST_ENTRY(s->used.next, struct entry, used));
	table_done(&s->by_source);
	return alloc_free(s);
}

/* A subscriber's IPv6 network is one source. */
static struct addr source_of(const struct addr *a)
{
	struct addr r = addr_with_port(a, 0);

	if (r.family == ADDR_V6)
		memset(r.ip + 8, 0, 8);
	return r;
}

static struct entry *entry_get(struct strangers *s, const struct addr *source,
			       uint64_t now_ms)
{
	struct addr a = source_of(source);
	struct slice key = slice_make(a.ip, sizeof(a.ip));
	struct table_node *n = table_find(&s->by_source, key);
	struct entry *e = TABLE_ENTRY(n, struct entry, node);

	if (e) {
		list_del(&e->used);
		list_append(s->used.next, &e->used); /* before the first */
		return e;
	}
	if (s->by_source.count >= s->limit)
		entry_free(s, LIST_ENTRY(s->used.prev, struct entry, used));
	e = alloc_zero(sizeof(*e));
	if (!e)
		return NULL;
	e->source = a;
	e->first_ms = now_ms;
	list_init(&e->used);
	if (table_add(&s->by_source, &e->node,
		      slice_make(e->source.ip, sizeof(e->source.ip))) != 0)
		return alloc_free(e);
	list_append(s->used.next, &e->used); /* before the first */
	return e;
}

static uint8_t keep_text(char buf[STRANGER_TEXT_MAX], struct slice text)
{
	uint8_t n = 0;

	for (size_t i = 0; i < text.len && n < STRANGER_TEXT_MAX; i++)
		if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f)
			buf[n++] = (char)text.ptr[i];
	return n;
}

bool strangers_note(struct strangers *s, const struct addr *source,
		    struct slice method, struct slice agent,
		    uint32_t per_minute, uint64_t now_ms)
{
	struct entry *e = entry_get(s, source, now_ms);
	bool may_answer;

	s->messages++;
	if (!e)
		return false;
	/* A bucket counts by the second: with time in sixtieths of its pace it
	 * counts by the minute. */
	if (e->count == 0)
		bucket_init(&e->bucket, per_minute, per_minute, now_ms / 60);
	else if (e->bucket.rate != per_minute)
		bucket_set(&e->bucket, per_minute, per_minute);
	may_answer = bucket_take(&e->bucket, now_ms / 60);
	e->count++;
	e->answered += may_answer;
	e->last_ms = now_ms;
	e->method_len = keep_text(e->method, method);
	e->agent_len = keep_text(e->agent, agent);
	return may_answer;
}

bool strangers_next(const struct strangers *s, uint32_t *pos,
		    struct stranger *ret)
{
	struct list *n = s->used.next;
	const struct entry *e;

	for (uint32_t i = 0; i < *pos && n != &s->used; i++)
		n = n->next;
	if (n == &s->used)
		return false;
	e = LIST_ENTRY(n, struct entry, used);
	*ret = (struct stranger){
		.source = e->source,
		.count = e->count,
		.answered = e->answered,
		.first_ms = e->first_ms,
		.last_ms = e->last_ms,
		.method = slice_make(e->method, e->method_len),
		.agent = slice_make(e->agent, e->agent_len),
	};
	(*pos)++;
	return true;
}

void strangers_counts(const struct strangers *s, uint32_t *ret_sources,
		      uint64_t *ret_messages)
{
	*ret_sources = (uint32_t)s->by_source.count;
	*ret_messages = s->messages;
}
