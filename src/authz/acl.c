#include "authz/acl.h"

#include "base/alloc.h"
#include "base/text.h"
#include "base/writer.h"

enum {
	TEXTS = ACL_FIELDS + 3, /* patterns of a rule */
	SHAPES_MAX = 64,	/* tables; further shapes share one chain */
	LITERAL_MAX = 32,	/* bytes of a pattern that are hashed */
	SHAPE_EXACT = 0xff,	/* no '*': the whole value is hashed */
	END = 0			/* of a chain; links are rule numbers + 1 */
};

/* Rules whose patterns begin with equally many literal bytes. */
struct shape {
	uint8_t literal[ACL_FIELDS]; /* bytes, or SHAPE_EXACT; 0 = any */
	uint32_t *bucket;	     /* mask + 1 chains, each ascending */
	uint32_t mask;
	uint32_t count; /* rules */
};

struct acl {
	struct acl_rule *rule; /* patterns view text */
	uint32_t *next;	       /* in the chain, by rule */
	size_t count;
	char *text;
	enum acl_action fallback;
	struct shape shape[SHAPES_MAX];
	uint32_t shape_count;
};

static struct slice *pattern_of(struct acl_rule *r, size_t i)
{
	struct slice *rest[] = {&r->header, &r->header_value, &r->body};

	return i < ACL_FIELDS ? &r->pattern[i] : rest[i - ACL_FIELDS];
}

static int check_rule(const struct acl_rule *r, size_t *text_len)
{
	struct acl_rule copy = *r;
	unsigned max = r->source.family == ADDR_V4 ? 32 : 128;

	if (r->source.family != ADDR_NONE && r->source_bits > max)
		return ERR_BAD;
	for (size_t i = 0; i < TEXTS; i++) {
		size_t len = pattern_of(&copy, i)->len;

		if (len > ACL_PATTERN_MAX)
			return ERR_LIMIT;
		*text_len += len;
	}
	return 0;
}

/* Copy the patterns of a into one block that a owns. */
static void own_texts(struct acl *a, size_t text_len)
{
	struct writer w;

	writer_init(&w, a->text, text_len);
	for (size_t i = 0; i < a->count; i++) {
		for (size_t k = 0; k < TEXTS; k++) {
			struct slice *s = pattern_of(&a->rule[i], k);
			size_t at = w.len;

			writer_put(&w, *s);
			*s = slice_make(a->text + at, s->len);
		}
	}
}

/* ---- shapes ----------------------------------------------------------- */

static uint8_t literal_of(struct slice pattern)
{
	size_t n = 0;

	if (pattern.len == 0)
		return 0;
	while (n < pattern.len && pattern.ptr[n] != '*')
		n++;
	if (n == pattern.len)
		return SHAPE_EXACT;
	return (uint8_t)(n < LITERAL_MAX ? n : LITERAL_MAX);
}

/* The table for a rule; the first takes what finds no place of its own. */
static struct shape *shape_of(struct acl *a, const struct acl_rule *r)
{
	uint8_t literal[ACL_FIELDS];

	for (size_t i = 0; i < ACL_FIELDS; i++)
		literal[i] = literal_of(r->pattern[i]);
	for (uint32_t i = 0; i < a->shape_count; i++)
		if (memcmp(a->shape[i].literal, literal, sizeof(literal)) == 0)
			return &a->shape[i];
	if (a->shape_count == SHAPES_MAX)
		return &a->shape[0];
	memcpy(a->shape[a->shape_count].literal, literal, sizeof(literal));
	return &a->shape[a->shape_count++];
}

/* Only the operator chooses what is hashed here: no seed is needed. False
 * when a text is too short for any rule of the shape. */
static bool shape_hash(const struct shape *s, const struct slice *text,
		       uint64_t *ret)
{
	uint64_t h = 0;

	for (size_t i = 0; i < ACL_FIELDS; i++) {
		size_t n = s->literal[i];

		if (n == 0)
			continue;
		if (n == SHAPE_EXACT)
			n = text[i].len;
		else if (text[i].len < n)
			return false;
		h = text_ihash(slice_sub(text[i], 0, n), h + i + 1);
	}
	*ret = h ^ h >> 32;
	return true;
}

static int make_buckets(struct shape *s)
{
	uint32_t cap = 1;

	while (cap < s->count)
		cap *= 2;
	s->mask = cap - 1;
	s->bucket = alloc_array(cap, sizeof(*s->bucket));
	return s->bucket ? 0 : ERR_NOMEM;
}

static int index_rules(struct acl *a)
{
	/* Shape 0 has no literals: its one chain can take any rule. */
	a->shape_count = 1;
	for (size_t i = 0; i < a->count; i++)
		shape_of(a, &a->rule[i])->count++;
	for (uint32_t i = 0; i < a->shape_count; i++) {
		int err = make_buckets(&a->shape[i]);

		if (err)
			return err;
	}
	/* From the last on, so that chains are ascending. */
	for (size_t i = a->count; i-- > 0;) {
		struct shape *s = shape_of(a, &a->rule[i]);
		uint64_t h = 0;
		uint32_t *head;

		(void)shape_hash(s, a->rule[i].pattern, &h);
		head = &s->bucket[h & s->mask];
		a->next[i] = *head;
		*head = (uint32_t)i + 1;
	}
	return 0;
}

int acl_new(const struct acl_rule *rule, size_t count, enum acl_action fallback,
	    struct acl **ret)
{
	size_t text_len = 0;
	struct acl *a;
	int err = 0;

	if (count > ACL_RULES_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < count && !err; i++)
		err = check_rule(&rule[i], &text_len);
	if (err)
		return err;
	a = alloc_zero(sizeof(*a));
	if (!a)
		return ERR_NOMEM;
	a->rule = alloc_array(count, sizeof(*a->rule));
	a->next = alloc_array(count, sizeof(*a->next));
	a->text = alloc_zero(text_len);
	if (!a->rule || !a->next || !a->text) {
		acl_free(a);
		return ERR_NOMEM;
	}
	if (count > 0)
		memcpy(a->rule, rule, count * sizeof(*rule));
	a->count = count;
	a->fallback = fallback;
	own_texts(a, text_len);
	err = index_rules(a);
	if (err)
		acl_free(a);
	else
		*ret = a;
	return err;
}

struct acl *acl_free(struct acl *a)
{
	if (!a)
		return NULL;
	for (uint32_t i = 0; i < a->shape_count; i++)
		alloc_free(a->shape[i].bucket);
	alloc_free(a->rule);
	alloc_free(a->next);
	alloc_free(a->text);
	return alloc_free(a);
}

/* Only the last '*' is ever tried again: an earlier one that took less would
 * leave more for this one to take, so that trying it again gains nothing. */
bool acl_match(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0;
	size_t star = SIZE_MAX, star_t = 0;

	if (pattern.len == 0)
		return true;
	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			star_t = t;
		} else if (p < pattern.len && text_lower(pattern.ptr[p]) ==
						      text_lower(text.ptr[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_t;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool holds(const struct acl_rule *r, const struct acl_query *q)
{
	if (r->source.family != ADDR_NONE &&
	    !addr_in_prefix(&q->source, &r->source, r->source_bits))
		return false;
	for (size_t i = 0; i < ACL_FIELDS; i++)
		if (!acl_match(r->pattern[i], q->value[i]))
			return false;
	if (r->header.len > 0 &&
	    !(q->has_header &&
	      q->has_header(q->ctx, r->header, r->header_value)))
		return false;
	if (r->body.len == 0)
		return true;
	switch (q->has_body ? q->has_body(q->ctx, r->body) : ACL_BODY_NONE) {
	case ACL_BODY_NONE:
		break;
	case ACL_BODY_FOUND:
		return true;
	case ACL_BODY_UNCLEAR:
		return r->action == ACL_DENY;
	}
	return false;
}

/* The first rule of a shape that holds, before rule number best; else best. */
static size_t first_of(const struct acl *a, const struct shape *s,
		       const struct acl_query *q, size_t best)
{
	uint64_t h;

	if (s->count == 0 || !shape_hash(s, q->value, &h))
		return best;
	for (uint32_t i = s->bucket[h & s->mask]; i != END && i <= best;
	     i = a->next[i - 1])
		if (holds(&a->rule[i - 1], q))
			return i - 1;
	return best;
}

enum acl_action acl_eval(const struct acl *a, const struct acl_query *q,
			 int *ret_rule)
{
	size_t best = a->count;

	for (uint32_t i = 0; i < a->shape_count; i++)
		best = first_of(a, &a->shape[i], q, best);
	if (ret_rule)
		*ret_rule = best < a->count ? (int)best : ACL_NO_RULE;
	return best < a->count ? a->rule[best].action : a->fallback;
}
