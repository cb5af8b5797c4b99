#include "base/alloc.h"
#include "config/build.h"
#include "config/schema.h"

struct line_node {
	struct table_node node;
	const struct config_device *device;
};

struct config *config_ref(struct config *c)
{
	c->refs++;
	return c;
}

static void rules_done(struct config_rules *r, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		acl_free(r[i].acl);
}

/* The arrays of all sections that have one. */
static void sections_free(struct config *c)
{
	for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
		const struct config_section *s = &config_schema[i];
		void *array;

		if (!s->label)
			continue;
		memcpy(&array, (uint8_t *)c + s->offset, sizeof(array));
		alloc_free(array);
	}
}

struct config *config_unref(struct config *c)
{
	if (!c || --c->refs > 0)
		return NULL;
	table_done(&c->devices_by_name);
	table_done(&c->devices_by_user);
	table_done(&c->devices_by_line);
	table_done(&c->profiles_by_name);
	table_done(&c->trunks_by_name);
	table_done(&c->trunks_by_subject);
	table_done(&c->trunks_by_net);
	table_done(&c->trunks_by_host);
	table_done(&c->applications_by_name);
	rules_done(c->acl, c->acl_count);
	rules_done(c->rights, c->rights_count);
	sections_free(c);
	config_blocks_free(c);
	return alloc_free(c);
}

const struct config_device *config_device_find(const struct config *c,
					       struct slice name)
{
	return TABLE_ENTRY(table_find(&c->devices_by_name, name),
			   struct config_device, by_name);
}

const struct config_device *config_device_by_user(const struct config *c,
						  struct slice user)
{
	return TABLE_ENTRY(table_find(&c->devices_by_user, user),
			   struct config_device, by_user);
}

const struct config_device *
config_device_by_user_next(const struct config_device *d)
{
	return TABLE_ENTRY(table_find_next(&d->by_user), struct config_device,
			   by_user);
}

const struct config_device *config_device_by_line(const struct config *c,
						  struct slice line)
{
	struct line_node *n = TABLE_ENTRY(table_find(&c->devices_by_line, line),
					  struct line_node, node);

	return n ? n->device : NULL;
}

int config_line_add(struct config *c, const struct config_device *d,
		    const char *line)
{
	struct line_node *n = config_alloc(c, sizeof(*n));

	if (!n)
		return ERR_NOMEM;
	n->device = d;
	return table_add(&c->devices_by_line, &n->node, slice_str(line));
}

bool config_device_has_line(const struct config_device *d, struct slice line)
{
	for (uint32_t i = 0; i < d->lines.count; i++)
		if (slice_eqs(line, d->lines.item[i]))
			return true;
	return false;
}

enum config_device_mode config_device_mode(const struct config *c,
					   const struct config_device *d)
{
	return c->mode == CONFIG_MODE_NONSECURE ? CONFIG_DEVICE_NONSECURE
						: d->security_mode;
}

const char *config_qop_str(enum config_qop q)
{
	return config_words_qop[q];
}

const struct config_digests *
config_device_digests(const struct config *c, const struct config_device *d)
{
	const struct config_model *m = NULL;

	if (d && d->digests.count > 0)
		return &d->digests;
	if (d && d->model[0])
		m = config_model_of(c, d, 0);
	return m && m->digests.count > 0 ? &m->digests : &c->digests;
}

enum config_media_policy config_device_media(const struct config *c,
					     const struct config_device *d)
{
	return c->mode == CONFIG_MODE_NONSECURE ? CONFIG_MEDIA_RTP_ONLY
						: d->media;
}

bool config_identity_at(const struct config *c, uint32_t i,
			struct config_identity *ret)
{
	for (uint32_t k = 0; k < c->listener_count; k++) {
		const struct config_listener *l = &c->listener[k];

		if (l->address.transport != CONFIG_TLS || i-- > 0)
			continue;
		*ret = (struct config_identity){.owner = l,
						.certificate = l->certificate,
						.key = l->key,
						.ocsp = l->ocsp};
		return true;
	}
	for (uint32_t k = 0; k < c->call_manager_count; k++) {
		const struct config_call_manager *m = &c->call_manager[k];

		if (m->address.transport != CONFIG_TLS || !m->certificate[0] ||
		    i-- > 0)
			continue;
		*ret = (struct config_identity){.manager = m,
						.certificate = m->certificate,
						.key = m->key,
						.ocsp = ""};
		return true;
	}
	for (uint32_t k = 0; k < c->sccp_manager_count; k++) {
		const struct config_sccp_manager *m = &c->sccp_manager[k];

		if (!m->has_tls || !m->certificate[0] || i-- > 0)
			continue;
		*ret = (struct config_identity){.sccp = m,
						.certificate = m->certificate,
						.key = m->key,
						.ocsp = ""};
		return true;
	}
	if (i >= c->certificate_count)
		return false;
	*ret = (struct config_identity){.section = &c->certificate[i],
					.certificate = c->certificate[i].file,
					.key = c->certificate[i].key,
					.ocsp = c->certificate[i].ocsp};
	return true;
}

bool config_identity_serves(const struct config_identity *id,
			    const struct config_listener *l)
{
	const struct config_strings *names;

	if (!id->section)
		return id->owner == l;
	names = &id->section->listeners;
	for (uint32_t i = 0; i < names->count; i++)
		if (strcmp(names->item[i], l->name) == 0)
			return true;
	return names->count == 0;
}

bool config_key_is_token(const char *key)
{
	return strncmp(key, "pkcs11:", strlen("pkcs11:")) == 0;
}
