/*
 * Skinny: which call managers a listener leads to, rules of messages, and what
 * models of phones do not go together with.
 */
#include "base/text.h"
#include "base/writer.h"
#include "config/build.h"

static const struct config_sccp_manager *find_manager(const struct config *c,
						      const char *name)
{
	for (uint32_t i = 0; i < c->sccp_manager_count; i++)
		if (strcmp(c->sccp_manager[i].name, name) == 0)
			return &c->sccp_manager[i];
	return NULL;
}

const struct config_sccp_manager *
config_sccp_manager_of(const struct config *c, const struct config_listener *l,
		       uint32_t n)
{
	if (l->sccp_managers.count > 0)
		return n < l->sccp_managers.count
			       ? find_manager(c, l->sccp_managers.item[n])
			       : NULL;
	return n < c->sccp_manager_count ? &c->sccp_manager[n] : NULL;
}

bool config_device_asks_rights(const struct config_device *d)
{
	return d->calling_rights[0] != '\0' ||
	       strcmp(d->presence_group, "default") != 0;
}

const struct config_model *config_model_of(const struct config *c,
					   const struct config_device *d,
					   uint32_t type)
{
	for (uint32_t i = 0; d && d->model[0] && i < c->model_count; i++)
		if (strcmp(c->model[i].name, d->model) == 0)
			return &c->model[i];
	for (uint32_t i = 0; type != 0 && i < c->model_count; i++)
		if (c->model[i].type == type)
			return &c->model[i];
	return NULL;
}

const struct config_suites *config_suites_of(const struct config_device *d,
					     const struct config_model *m)
{
	return m && m->suites.count > 0 && !d->has_suites ? &m->suites
							  : &d->suites;
}

/* "0x" and hexadecimal digits. */
static int parse_id(struct slice s, uint32_t *ret)
{
	uint32_t v = 0;

	if (s.len < 3 || s.len > 10 || !slice_starts(s, "0x"))
		return ERR_BAD;
	for (size_t i = 2; i < s.len; i++) {
		uint8_t b = text_lower(s.ptr[i]);

		if (text_is_digit(b))
			b = (uint8_t)(b - '0');
		else if (b >= 'a' && b <= 'f')
			b = (uint8_t)(b - 'a' + 10);
		else
			return ERR_BAD;
		v = v << 4 | b;
	}
	*ret = v;
	return 0;
}

static int parse_verdict(struct slice word, struct slice *ids,
			 struct config_sccp_rule *r)
{
	static const char *const words[] = {
		[CONFIG_SCCP_ALLOW] = "allow",
		[CONFIG_SCCP_DROP] = "drop",
		[CONFIG_SCCP_LOG] = "log",
		[CONFIG_SCCP_RATE] = "rate",
	};
	struct slice rate;
	uint64_t v;
	size_t i = 0;

	while (i < sizeof(words) / sizeof(words[0]) &&
	       !slice_eqs(word, words[i]))
		i++;
	if (i == sizeof(words) / sizeof(words[0]))
		return ERR_BAD;
	r->verdict = (enum config_verdict)i;
	if (r->verdict != CONFIG_SCCP_RATE)
		return 0;
	if (!text_cut(text_trim(*ids), ' ', &rate, ids) ||
	    text_dec(rate, 10000, &v) != 0 || v == 0)
		return ERR_BAD;
	r->rate = (uint32_t)v;
	return 0;
}

int config_sccp_rule_parse(struct slice s, struct config_sccp_rule *ret)
{
	struct config_sccp_rule r = {.rate = 0};
	struct slice verdict, ids, first, last;

	if (!text_cut(text_trim(s), ' ', &verdict, &ids) ||
	    parse_verdict(verdict, &ids, &r) != 0)
		return ERR_BAD;
	if (!text_cut(text_trim(ids), '-', &first, &last))
		last = first;
	if (parse_id(first, &r.first) || parse_id(last, &r.last) ||
	    r.first > r.last)
		return ERR_BAD;
	*ret = r;
	return 0;
}

/* Of a name the first source address says which addresses are looked up. */
static bool is_family(const struct config_sccp_manager *m,
		      enum addr_family family)
{
	if (m->address.addr.family != ADDR_NONE)
		return family == m->address.addr.family;
	return m->source_count == 0 || family == m->source[0].family;
}

/* What goes with TLS only. */
static void take_tls(struct config_build *b, const struct config_item *it)
{
	static const char *const names[] = {"certificate", "key"};
	struct config_sccp_manager *m = it->obj;
	const char *const value[] = {m->certificate, m->key};

	if (m->has_tls)
		m->address.transport = CONFIG_TLS;
	for (int i = 0; i < 2; i++) {
		if (m->has_tls && value[!i][0] && !value[i][0])
			check_error(
				b, it, names[i],
				"certificate and key must be given together");
		if (!m->has_tls && value[i][0])
			check_warn(b, it, names[i],
				   "has no effect without tls = yes");
	}
}

static int take_sources(struct config_build *b, const struct config_item *it)
{
	struct config_sccp_manager *m = it->obj;

	m->source =
		config_alloc(b->c, (m->sources.count + 1) * sizeof(*m->source));
	if (!m->source)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < m->sources.count; i++) {
		struct addr a;

		if (addr_parse_ip(slice_str(m->sources.item[i]), &a) != 0 ||
		    addr_is_any(&a) || !is_family(m, a.family))
			check_about(b, it, "source-addresses", true,
				    (const char *const[3]){
					    "\"", m->sources.item[i],
					    "\" is no address of ours of the "
					    "same IP version as address"});
		else
			m->source[m->source_count++] = a;
	}
	return 0;
}

/* Rights are asked about requests of SIP, which a Skinny phone never sends. */
static void warn_of_rights(struct config_build *b, const struct config_item *it)
{
	const struct config_device *first = NULL;
	char text[64];
	struct writer w;
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->c->device_count; i++) {
		const struct config_device *d = &b->c->device[i];

		if (!config_device_asks_rights(d))
			continue;
		if (!first)
			first = d;
		n++;
	}
	if (!first)
		return;
	writer_init(&w, (uint8_t *)text, sizeof(text) - 1);
	writer_str(&w, "\"");
	if (n > 1) {
		writer_str(&w, " and ");
		writer_dec(&w, n - 1);
		writer_str(&w, " more");
	}
	writer_str(&w, " have no effect");
	text[w.len] = '\0';
	check_about(b, it, NULL, false,
		    (const char *const[3]){
			    "over Skinny calling-rights and presence-group of "
			    "device \"",
			    first->name, text});
}

static void check_listener(struct config_build *b, const struct config_item *it)
{
	const struct config_listener *l = it->obj;

	if (!l->address.is_sccp) {
		if (l->sccp_managers.count > 0)
			check_warn(b, it, "sccp-managers",
				   "has no effect without an sccp: or sccps: "
				   "address");
		return;
	}
	if (l->serves != CONFIG_PHONES)
		check_error(b, it, "serves", "must be phones for Skinny");
	for (uint32_t i = 0; i < l->sccp_managers.count; i++)
		if (!find_manager(b->c, l->sccp_managers.item[i]))
			check_about(b, it, "sccp-managers", true,
				    (const char *const[3]){
					    "there is no section sccp-manager "
					    "\"",
					    l->sccp_managers.item[i], "\""});
	warn_of_rights(b, it);
	if (b->c->sccp_manager_count == 0)
		check_error(b, it, NULL,
			    "there is no section sccp-manager that its phones "
			    "could be taken to");
}

/* Key info of Skinny has room for the keys of these two only. */
static void check_model(struct config_build *b, const struct config_item *it)
{
	const struct config_model *m = it->obj;

	for (uint32_t i = 0; i < m->suites.count; i++)
		if (m->suites.item[i] == SUITE_AES_CM_128_HMAC_SHA1_32 ||
		    m->suites.item[i] == SUITE_AES_CM_128_HMAC_SHA1_80)
			return;
	if (m->suites.count > 0)
		check_error(b, it, "suites",
			    "Skinny can only do AES_CM_128_HMAC_SHA1_32 and "
			    "AES_CM_128_HMAC_SHA1_80");
}

/* The guide's own warning, for what it warns of. */
static void check_device(struct config_build *b, const struct config_item *it)
{
	struct config_device *d = it->obj;
	const struct config_model *m = config_model_of(b->c, d, 0);

	d->has_suites = !config_value_is_default(
		config_option_find(it->section, slice_str("suites")), d);
	if (d->model[0] && (!m || strcmp(m->name, d->model) != 0))
		check_about(b, it, "model", true,
			    (const char *const[3]){
				    "there is no section phone-model \"",
				    d->model, "\""});
	if (!m || config_device_mode(b->c, d) != CONFIG_DEVICE_ENCRYPTED)
		return;
	if (m->refuses_barge && d->built_in_bridge)
		check_warn(b, it, "built-in-bridge",
			   "this model, when it is configured for encryption, "
			   "cannot accept a barge request while it is in an "
			   "encrypted call: the barge attempt fails");
	if (!m->encrypts)
		check_warn(b, it, "model",
			   "this model does not encrypt media over SCCP");
}

static void check_rules(struct config_build *b, const struct config_item *it)
{
	const struct config_strings *rules = &b->c->sccp.rules;
	struct config_sccp_rule r;

	for (uint32_t i = 0; !it->is_bad && i < rules->count; i++)
		if (config_sccp_rule_parse(slice_str(rules->item[i]), &r) != 0)
			check_about(b, it, "rules", true,
				    (const char *const[3]){
					    "expected allow, drop, log or "
					    "\"rate N\" and an id such as "
					    "0x0049 or 0x0100-0x0180, got \"",
					    rules->item[i], "\""});
}

int config_check_sccp(struct config_build *b)
{
	const struct config_section *sccp =
		config_section_find(slice_str("sccp"));

	check_rules(b, &b->item[sccp - config_schema]);
	for (uint32_t i = CONFIG_SECTIONS; i < b->count; i++) {
		struct config_item *it = &b->item[i];

		if (check_is_kind(it, "sccp-manager")) {
			take_tls(b, it);
			if (take_sources(b, it) != 0)
				return ERR_NOMEM;
		}
		if (check_is_kind(it, "listener"))
			check_listener(b, it);
		if (check_is_kind(it, "device"))
			check_device(b, it);
		if (check_is_kind(it, "phone-model"))
			check_model(b, it);
	}
	return 0;
}
