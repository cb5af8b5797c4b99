#include "authz/acl.h"

#include "base/alloc.h"
#include "base/text.h"
#include "base/writer.h"

enum { TEXTS = 4 }; /* patterns of a rule */

struct acl {
	struct acl_rule *rule; /* patterns view text */
	size_t count;
	char *text;
	enum acl_action fallback;
};

static struct slice *pattern_of(struct acl_rule *r, size_t i)
{
	struct slice *all[TEXTS] = {&r->principal, &r->method, &r->from,
				    &r->to};

	return all[i];
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

int acl_new(const struct acl_rule *rule, size_t count, enum acl_action fallback,
	    struct acl **ret)
{
	size_t text_len = 0;
	struct acl *a;

	if (count > ACL_RULES_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		int err = check_rule(&rule[i], &text_len);

		if (err)
			return err;
	}
	a = alloc_zero(sizeof(*a));
	if (!a)
		return ERR_NOMEM;
	a->rule = alloc_array(count, sizeof(*a->rule));
	a->text = alloc_zero(text_len);
	if (!a->rule || !a->text) {
		acl_free(a);
		return ERR_NOMEM;
	}
	if (count > 0)
		memcpy(a->rule, rule, count * sizeof(*rule));
	a->count = count;
	a->fallback = fallback;
	own_texts(a, text_len);
	*ret = a;
	return 0;
}

struct acl *acl_free(struct acl *a)
{
	if (!a)
		return NULL;
	alloc_free(a->rule);
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
	return acl_match(r->method, q->method) &&
	       acl_match(r->principal, q->principal) &&
	       acl_match(r->from, q->from) && acl_match(r->to, q->to);
}

enum acl_action acl_eval(const struct acl *a, const struct acl_query *q,
			 int *ret_rule)
{
	for (size_t i = 0; i < a->count; i++) {
		if (!holds(&a->rule[i], q))
			continue;
		if (ret_rule)
			*ret_rule = (int)i;
		return a->rule[i].action;
	}
	if (ret_rule)
		*ret_rule = ACL_NO_RULE;
	return a->fallback;
}
