#include "authz/rule.h"
#include "base/alloc.h"
#include "config/build.h"

static const char default_group[] = "default";

/* 'no section KIND is called "NAME"' */
static void complain_name(struct config_build *b, const struct config_item *it,
			  const char *option, const char *kind,
			  const char *name)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf) - 1);
	writer_str(&w, "no section ");
	writer_str(&w, kind);
	writer_str(&w, " is called \"");
	writer_str(&w, name);
	writer_str(&w, "\"");
	buf[w.len] = '\0';
	config_complain(b, it, option, true, buf);
}

/* ---- rules ------------------------------------------------------------ */

static int compile(struct config_rules *r, enum rule_kind kind)
{
	struct acl_rule *rule = alloc_array(r->rules.count, sizeof(*rule));
	const char *why;
	int err = rule ? 0 : ERR_NOMEM;

	for (uint32_t i = 0; i < r->rules.count && !err; i++)
		err = rule_parse(kind, slice_str(r->rules.item[i]), &rule[i],
				 &why);
	if (!err)
		err = acl_new(rule, r->rules.count,
			      r->fallback == CONFIG_ALLOW ? ACL_ALLOW
							  : ACL_DENY,
			      &r->acl);
	alloc_free(rule);
	return err;
}

static int compile_all(struct config *c)
{
	int err = 0;

	for (uint32_t i = 0; i < c->acl_count && !err; i++)
		err = compile(&c->acl[i], RULE_METHODS);
	for (uint32_t i = 0; i < c->rights_count && !err; i++)
		err = compile(&c->rights[i], RULE_RIGHTS);
	return err;
}

static const struct config_rules *rules_find(const struct config_rules *r,
					     uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(r[i].name, name) == 0)
			return &r[i];
	return NULL;
}

void config_resolve_accept(struct config_build *b, const struct config_item *it,
			   const struct config_accept *a,
			   struct authz_list *ret)
{
	const struct config_rules *r;

	*ret = (struct authz_list){.accept =
					   (a->presence ? AUTHZ_PRESENCE : 0U) |
					   (a->refer ? AUTHZ_REFER : 0U) |
					   (a->notify ? AUTHZ_NOTIFY : 0U) |
					   (a->replaces ? AUTHZ_REPLACES : 0U)};
	if (!a->acl[0])
		return;
	r = rules_find(b->c->acl, b->c->acl_count, a->acl);
	if (!r) {
		complain_name(b, it, "acl", "acl", a->acl);
		return;
	}
	ret->acl = r->acl;
	ret->acl_name = r->name;
}

const struct config_rules *config_resolve_rights(struct config_build *b,
						 const struct config_item *it,
						 const char *name)
{
	const struct config_rules *r;

	if (!name[0])
		return NULL;
	r = rules_find(b->c->rights, b->c->rights_count, name);
	if (!r)
		complain_name(b, it, "calling-rights", "calling-rights", name);
	return r;
}

/* ---- presence groups --------------------------------------------------- */

static const struct config_presence_group *group_find(const struct config *c,
						      const char *name)
{
	for (uint32_t i = 0; i < c->presence_group_count; i++)
		if (strcmp(c->presence_group[i].name, name) == 0)
			return &c->presence_group[i];
	return NULL;
}

void config_check_group(struct config_build *b, const struct config_item *it,
			const char *option, const char *name)
{
	if (name[0] && strcmp(name, default_group) != 0 &&
	    !group_find(b->c, name))
		complain_name(b, it, option, "presence-group", name);
}

static bool has_name(const struct config_strings *l, const char *name)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (strcmp(l->item[i], name) == 0)
			return true;
	return false;
}

static void check_group(struct config_build *b, const struct config_item *it)
{
	const struct config_presence_group *g = it->obj;

	for (uint32_t i = 0; i < g->may_watch.count; i++)
		config_check_group(b, it, "may-watch", g->may_watch.item[i]);
	for (uint32_t i = 0; i < g->may_not_watch.count; i++) {
		const char *name = g->may_not_watch.item[i];

		config_check_group(b, it, "may-not-watch", name);
		if (has_name(&g->may_watch, name))
			config_complain(b, it, "may-not-watch", true,
					"names a group that may-watch names "
					"too");
		if (strcmp(name, g->name) == 0)
			config_complain(b, it, "may-not-watch", true,
					"names the group itself, whose members "
					"may always watch each other");
	}
}

bool config_presence_allows(const struct config *c, const char *watcher,
			    const char *watched, const char **ret_rule)
{
	const struct config_presence_group *g = group_find(c, watcher);

	*ret_rule = "the same presence group";
	if (strcmp(watcher, watched) == 0)
		return true;
	*ret_rule = "may-watch of the presence group";
	if (g && has_name(&g->may_watch, watched))
		return true;
	*ret_rule = "may-not-watch of the presence group";
	if (g && has_name(&g->may_not_watch, watched))
		return false;
	*ret_rule = c->presence_between_groups == CONFIG_ALLOW
			    ? "presence-between-groups = allow"
			    : "presence-between-groups = deny";
	return c->presence_between_groups == CONFIG_ALLOW;
}

/* ---- IPsec ------------------------------------------------------------------ */

/* Addresses of t that are its own alone: peers as numbers, single sources. */
static bool trunk_guard(const struct config_trunk *t, uint32_t *i,
			struct config_guard *ret)
{
	if (t->ipsec == CONFIG_IPSEC_NO)
		return false;
	if (*i >= t->source_count) {
		*i -= t->source_count;
		return false;
	}
	*ret = (struct config_guard){
		.name = t->name, .ipsec = t->ipsec, .peer = t->source[*i].addr};
	ret->peer.port = 0;
	return true;
}

bool config_guard_at(const struct config *c, uint32_t i,
		     struct config_guard *ret)
{
	for (uint32_t k = 0; k < c->trunk_count; k++)
		if (trunk_guard(&c->trunk[k], &i, ret))
			return true;
	for (uint32_t k = 0; k < c->gateway_count; k++) {
		const struct config_gateway *g = &c->gateway[k];

		if (g->ipsec == CONFIG_IPSEC_NO || i-- > 0)
			continue;
		*ret = (struct config_guard){.name = g->name,
					     .is_gateway = true,
					     .ipsec = g->ipsec,
					     .peer = g->address};
		return true;
	}
	return false;
}

/* What a name stands for, and whom a prefix holds, changes: such an address
 * cannot be watched. */
static void check_ipsec(struct config_build *b, const struct config_item *it,
			const struct config_trunk *t)
{
	bool is_numeric = t->source_count > 0;

	for (uint32_t i = 0; i < t->peer_count; i++)
		if (t->peer[i].remote.addr.family == ADDR_NONE)
			is_numeric = false;
	for (uint32_t i = 0; i < t->source_count; i++) {
		const struct config_net *n = &t->source[i];

		if (n->bits != (n->addr.family == ADDR_V4 ? 32U : 128U))
			is_numeric = false;
	}
	if (t->ipsec != CONFIG_IPSEC_NO && !is_numeric)
		config_complain(b, it, "require-ipsec", true,
				"needs peers and sources that are single "
				"addresses: what protects a name or a network "
				"nobody can tell");
}

/* ---- who is asked ------------------------------------------------------- */

bool config_is_inside(const struct config *c, struct slice user)
{
	if (config_device_by_line(c, user))
		return true;
	for (uint32_t i = 0; i < c->inside_numbers.count; i++)
		if (acl_match(slice_str(c->inside_numbers.item[i]), user))
			return true;
	return false;
}

const struct config_application *config_application_find(const struct config *c,
							 struct slice user)
{
	return TABLE_ENTRY(table_find(&c->applications_by_name, user),
			   struct config_application, by_name);
}

static int check_application(struct config_build *b,
			     const struct config_item *it)
{
	struct config_application *a = it->obj;

	config_resolve_accept(b, it, &a->accept, &a->list);
	config_check_group(b, it, "presence-group", a->presence_group);
	return table_add(&b->c->applications_by_name, &a->by_name,
			 slice_str(a->name));
}

static void check_device(struct config_build *b, const struct config_item *it)
{
	struct config_device *d = it->obj;

	d->rights = config_resolve_rights(b, it, d->calling_rights);
	config_check_group(b, it, "presence-group", d->presence_group);
}

/* The guide's reason, in words for who reads the message. */
static void check_profile(struct config_build *b, const struct config_item *it)
{
	struct config_trunk_profile *p = it->obj;

	config_resolve_accept(b, it, &p->accept, &p->list);
	if (p->per_application && !p->digest)
		config_complain(b, it, "application-authorization", true,
				"yes needs digest = yes: which application it "
				"is that asks, its digest credentials alone "
				"tell");
	if (p->per_application && b->c->application_count == 0)
		config_complain(b, it, "application-authorization", false,
				"yes, but there is no application-user: nobody "
				"can come by trunks of this profile");
}

static void check_trunk(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = it->obj;

	t->rights = config_resolve_rights(b, it, t->calling_rights);
	config_check_group(b, it, "presence-group", t->presence_group);
	check_ipsec(b, it, t);
}

int config_check_authz(struct config_build *b)
{
	int err = compile_all(b->c);
	struct config_guard guard;

	for (uint32_t i = CONFIG_SECTIONS; i < b->count && !err; i++) {
		const struct config_item *it = &b->item[i];

		if (check_is_kind(it, "application-user"))
			err = check_application(b, it);
		else if (check_is_kind(it, "presence-group"))
			check_group(b, it);
		else if (check_is_kind(it, "trunk-profile"))
			check_profile(b, it);
		else if (check_is_kind(it, "trunk"))
			check_trunk(b, it);
		else if (check_is_kind(it, "device"))
			check_device(b, it);
	}
	if (!err && config_guard_at(b->c, CONFIG_GUARDS_MAX, &guard))
		config_complain(b, &b->item[0], NULL, true,
				"require-ipsec: at most 2500 addresses of "
				"trunks and gateways can be watched");
	return err;
}
