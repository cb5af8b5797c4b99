/*
 * Where call managers that speak Skinny are: their names, looked up as long as
 * the worker lives, and credentials towards those that are reached over TLS.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "log/log.h"
#include "proxy/worker_int.h"
#include "tls/creds.h"

/* ---- credentials ----------------------------------------------------------- */

int worker_sccp_creds(struct worker *w, const struct tls_files *f,
		      struct tls_creds *ret[CONFIG_SCCP_MANAGERS_MAX],
		      char *reterr)
{
	const struct config *c = w->config;
	int err = 0;

	for (uint32_t i = 0; !err && i < c->sccp_manager_count; i++) {
		const struct config_sccp_manager *m = &c->sccp_manager[i];
		struct worker_server s = {
			.sccp = m, .name = m->name, .trust = m->trust};

		reterr[0] = '\0';
		if (m->has_tls)
			err = worker_core_make_creds(w, &s, f, &ret[i], reterr);
		if (err && reterr[0] == '\0')
			(void)snprintf(reterr, WORKER_ERR_MAX,
				       "sccp-manager \"%s\": %s", m->name,
				       err_str(err));
	}
	return err;
}

void worker_sccp_set_creds(
	struct worker *w,
	struct tls_creds *const creds[CONFIG_SCCP_MANAGERS_MAX])
{
	for (uint32_t i = 0; i < CONFIG_SCCP_MANAGERS_MAX; i++) {
		tls_creds_unref(w->sccp.creds[i]);
		w->sccp.creds[i] = creds[i];
	}
}

void worker_sccp_keep_creds(struct worker *w, const struct config *old)
{
	struct tls_creds *kept[CONFIG_SCCP_MANAGERS_MAX] = {NULL};

	for (uint32_t i = 0; i < w->config->sccp_manager_count; i++)
		for (uint32_t k = 0; k < old->sccp_manager_count; k++)
			if (strcmp(w->config->sccp_manager[i].name,
				   old->sccp_manager[k].name) == 0 &&
			    w->sccp.creds[k])
				kept[i] = tls_creds_ref(w->sccp.creds[k]);
	worker_sccp_set_creds(w, kept);
}

/* ---- names ----------------------------------------------------------------- */

static enum addr_family family_of(const struct config_sccp_manager *m)
{
	return m->source_count > 0 ? m->source[0].family : ADDR_V4;
}

static struct worker_sccp_name *find(const struct worker *w,
				     const struct config_sccp_manager *m)
{
	for (uint32_t i = 0; i < w->sccp.name_count; i++) {
		struct worker_sccp_name *n = &w->sccp.name[i];

		if (strcmp(n->host, m->address.host) == 0 &&
		    n->port == m->address.port && n->family == family_of(m))
			return n;
	}
	return NULL;
}

static void watch(struct worker *w, const struct config_sccp_manager *m)
{
	struct config_remote r = m->address;
	struct worker_sccp_name *n;

	if (!w->dns) {
		log_error("sccp-manager \"%s\": a host name where there was "
			  "none before is looked up after a restart",
			  m->name);
		return;
	}
	if (w->sccp.name_count == CONFIG_SCCP_MANAGERS_MAX) {
		log_error("sccp-manager \"%s\": too many names have been "
			  "looked up; this one is after a restart",
			  m->name);
		return;
	}
	n = &w->sccp.name[w->sccp.name_count++];
	(void)snprintf(n->host, sizeof(n->host), "%s", r.host);
	n->port = r.port;
	n->family = family_of(m);
	r.transport = CONFIG_TCP; /* of which dns/ needs to know nothing */
	worker_core_watch(w, WORKER_OWNER_SCCP + w->sccp.name_count - 1, &r,
			  n->family);
}

void worker_sccp_watch(struct worker *w)
{
	for (uint32_t i = 0; i < w->config->sccp_manager_count; i++) {
		const struct config_sccp_manager *m =
			&w->config->sccp_manager[i];

		if (m->address.addr.family == ADDR_NONE && !find(w, m))
			watch(w, m);
	}
}

void worker_sccp_set(struct worker *w, uint32_t owner,
		     const struct worker_target *t, uint32_t n)
{
	struct worker_sccp_name *name =
		&w->sccp.name[owner - WORKER_OWNER_SCCP];

	name->count = 0;
	for (uint32_t i = 0; i < n && i < WORKER_TARGETS_MAX; i++)
		name->at[name->count++] = t[i].addr;
}

const char *worker_sccp_host(const struct worker *w, uint32_t owner)
{
	return w->sccp.name[owner - WORKER_OWNER_SCCP].host;
}

int worker_sccp_at(const struct worker *w, const struct config_sccp_manager *m,
		   struct addr *ret)
{
	const struct worker_sccp_name *n;

	if (m->address.addr.family != ADDR_NONE) {
		*ret = m->address.addr;
		return 0;
	}
	n = find(w, m);
	if (!n || n->count == 0)
		return ERR_NOTFOUND;
	*ret = n->at[n->next % n->count];
	return 0;
}

void worker_sccp_avoid(struct worker *w, const struct config_sccp_manager *m)
{
	struct worker_sccp_name *n = find(w, m);

	if (n)
		n->next++;
}

int worker_sccp_way(const struct worker *w, const struct config_sccp_manager *m,
		    struct transport_connect *ret)
{
	*ret = (struct transport_connect){.proto = TRANSPORT_TCP,
					  .tag = WORKER_TAG_SCCP};
	if (m->has_tls) {
		ret->proto = TRANSPORT_TLS;
		ret->creds = w->sccp.creds[m - w->config->sccp_manager];
		if (!ret->creds)
			return ERR_NOTFOUND;
		if (m->address.addr.family == ADDR_NONE)
			ret->expect_name = m->address.host;
	}
	return worker_sccp_at(w, m, &ret->peer);
}
