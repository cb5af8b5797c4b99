#include "base/text.h"
#include "config/build.h"

#define OBJ(it, type) ((struct type *)(it)->obj)

bool check_is_kind(const struct config_item *it, const char *name)
{
	return it->obj && !it->is_bad && strcmp(it->section->name, name) == 0;
}

static struct config_item *single(struct config_build *b, const char *name)
{
	return &b->item[config_section_find(slice_str(name)) - config_schema];
}

void check_error(struct config_build *b, const struct config_item *it,
		 const char *option, const char *text)
{
	config_complain(b, it, option, true, text);
}

void check_warn(struct config_build *b, const struct config_item *it,
		const char *option, const char *text)
{
	config_complain(b, it, option, false, text);
}

void check_about(struct config_build *b, const struct config_item *it,
		 const char *option, bool is_error, const char *const part[3])
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf) - 1);
	for (int i = 0; i < 3; i++)
		writer_str(&w, part[i]);
	buf[w.len] = '\0';
	config_complain(b, it, option, is_error, buf);
}

/* ---- listeners and the call manager ---------------------------------- */

static bool is_datagram(enum config_transport t)
{
	return t == CONFIG_UDP;
}

bool config_is_clash(const struct config_endpoint *a,
		     const struct config_endpoint *b)
{
	return is_datagram(a->transport) == is_datagram(b->transport) &&
	       a->addr.port == b->addr.port &&
	       a->addr.family == b->addr.family &&
	       (addr_ip_eq(&a->addr, &b->addr) || addr_is_any(&a->addr) ||
		addr_is_any(&b->addr));
}

/* A PIN in the configuration would be readable for its whole group. */
static void check_key(struct config_build *b, const struct config_item *it,
		      const char *key)
{
	if (config_key_is_token(key) &&
	    text_find(slice_str(key), "pin-value") >= 0)
		check_error(
			b, it, "key",
			"has a PIN in it: write it into a file of its own and "
			"name that with pin-source=file:...");
}

static void check_listener_files(struct config_build *b,
				 const struct config_item *it)
{
	static const char *const names[] = {"certificate", "key", "trust"};
	const struct config_listener *l = OBJ(it, config_listener);
	const char *const value[] = {l->certificate, l->key, l->trust};

	for (int i = 0; i < 3; i++) {
		if (l->address.transport == CONFIG_TLS && !value[i][0])
			check_error(b, it, names[i],
				    "must be given for a tls: listener");
		if (l->address.transport != CONFIG_TLS && value[i][0])
			check_warn(b, it, names[i],
				   "has no effect without a tls: address");
	}
	check_key(b, it, l->key);
	if (strcmp(l->tls_policy, "legacy") == 0)
		check_warn(
			b, it, "tls-policy",
			"legacy allows protocols and ciphers that are no longer "
			"held to be safe");
}

static bool is_tls_listener(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->listener_count; i++)
		if (c->listener[i].address.transport == CONFIG_TLS &&
		    strcmp(c->listener[i].name, name) == 0)
			return true;
	return false;
}

static void check_certificate(struct config_build *b,
			      const struct config_item *it)
{
	const struct config_certificate *cert = OBJ(it, config_certificate);

	check_key(b, it, cert->key);
	for (uint32_t i = 0; i < cert->listeners.count; i++)
		if (!is_tls_listener(b->c, cert->listeners.item[i]))
			check_about(b, it, "listeners", true,
				    (const char *const[3]){
					    "no tls: listener is called \"",
					    cert->listeners.item[i], "\""});
}

/* At most 64 listeners: each pair is looked at. */
static void check_listeners(struct config_build *b)
{
	for (uint32_t i = CONFIG_SECTIONS; i < b->count; i++) {
		struct config_item *it = &b->item[i];

		if (!check_is_kind(it, "listener"))
			continue;
		check_listener_files(b, it);
		for (uint32_t k = CONFIG_SECTIONS; k < i; k++) {
			const struct config_item *o = &b->item[k];

			if (check_is_kind(o, "listener") &&
			    config_is_clash(&OBJ(o, config_listener)->address,
					    &OBJ(it, config_listener)->address))
				check_about(
					b, it, "address", true,
					(const char *const[3]){
						"is taken by listener \"",
						OBJ(o, config_listener)->name,
						"\" already"});
		}
	}
	for (uint32_t i = CONFIG_SECTIONS; i < b->count; i++)
		if (check_is_kind(&b->item[i], "certificate"))
			check_certificate(b, &b->item[i]);
	if (b->c->listener_count == 0)
		check_error(
			b, single(b, ""), NULL,
			"no listener: at least one section listener \"name\" "
			"{ address = ... } is needed");
}

static void check_manager_files(struct config_build *b,
				const struct config_item *it)
{
	static const char *const names[] = {"certificate", "key"};
	const struct config_call_manager *m = OBJ(it, config_call_manager);
	const char *const value[] = {m->certificate, m->key};

	for (int i = 0; i < 2; i++) {
		if (m->address.transport == CONFIG_TLS && value[!i][0] &&
		    !value[i][0])
			check_error(
				b, it, names[i],
				"certificate and key must be given together");
		if (m->address.transport != CONFIG_TLS && value[i][0])
			check_warn(b, it, names[i],
				   "has no effect without a tls: address");
	}
	if (m->large_by_tcp && m->address.transport != CONFIG_UDP)
		check_warn(b, it, "large-by-tcp",
			   "has no effect without a udp: address");
}

static void check_manager(struct config_build *b, const struct config_item *it)
{
	const struct config_call_manager *m = OBJ(it, config_call_manager);
	bool is_name = m->address.addr.family == ADDR_NONE;

	if (!is_name && addr_is_any(&m->address.addr))
		check_error(b, it, "address",
			    "must be an address of the call manager");
	if (addr_is_any(&m->local_address))
		check_error(b, it, "local-address",
			    "must be one address, since it is told to the call "
			    "manager");
	if (!is_name && m->address.addr.family != m->local_address.family)
		check_error(b, it, "local-address",
			    "must be of the same IP version as address");
	if (addr_eq(&m->address.addr, &m->local_address))
		check_error(b, it, "local-address",
			    "is the call manager's own");
	check_manager_files(b, it);
}

static bool is_core_clash(const struct config_build *b,
			  const struct config_core *k,
			  const struct config_endpoint *other)
{
	const struct config_call_manager *m = &b->c->call_manager[k->manager];
	struct config_endpoint own = {.transport = k->transport,
				      .addr = m->local_address};

	return config_is_clash(&own, other);
}

static void check_core(struct config_build *b, const struct config_item *it,
		       const struct config_core *k)
{
	for (uint32_t i = 0; i < b->c->listener_count; i++)
		if (b->c->listener[i].address.addr.port > 0 &&
		    is_core_clash(b, k, &b->c->listener[i].address))
			check_about(b, it, "local-address", true,
				    (const char *const[3]){
					    "is taken by listener \"",
					    b->c->listener[i].name,
					    "\" already"});
	for (const struct config_core *o = b->c->core; o < k; o++) {
		const struct config_call_manager *m =
			&b->c->call_manager[o->manager];
		struct config_endpoint e = {.transport = o->transport,
					    .addr = m->local_address};

		if (is_core_clash(b, k, &e))
			check_about(
				b, it, "local-address", true,
				(const char *const[3]){
					"is taken by call-manager \"", m->name,
					"\" with another transport already"});
	}
}

/* The endpoint of this transport and address, made when it is new. */
static uint32_t core_of(struct config_build *b, const struct config_item *it,
			enum config_transport transport)
{
	const struct config_call_manager *m = OBJ(it, config_call_manager);
	struct config *c = b->c;
	struct config_core *k;

	for (uint32_t i = 0; i < c->core_count; i++)
		if (c->core[i].transport == transport &&
		    addr_eq(&c->call_manager[c->core[i].manager].local_address,
			    &m->local_address))
			return i;
	k = &c->core[c->core_count];
	*k = (struct config_core){
		.transport = transport,
		.manager = (uint32_t)(m - c->call_manager),
	};
	check_core(b, it, k);
	return c->core_count++;
}

static void set_core(struct config_build *b, const struct config_item *it)
{
	struct config_call_manager *m = OBJ(it, config_call_manager);

	m->core = CONFIG_CORE_NONE;
	m->core_large = CONFIG_CORE_NONE;
	if (m->address.transport != CONFIG_TLS || m->certificate[0])
		m->core = core_of(b, it, m->address.transport);
	if (m->large_by_tcp && m->address.transport == CONFIG_UDP)
		m->core_large = core_of(b, it, CONFIG_TCP);
}

static void check_managers(struct config_build *b)
{
	for (uint32_t i = CONFIG_SECTIONS; i < b->count; i++) {
		if (!check_is_kind(&b->item[i], "call-manager"))
			continue;
		check_manager(b, &b->item[i]);
		set_core(b, &b->item[i]);
	}
	if (b->c->call_manager_count == 0 && b->c->sccp_manager_count == 0)
		check_error(
			b, single(b, ""), NULL,
			"no call manager: one section call-manager \"name\" "
			"{ address = ... local-address = ... } is needed");
}

/* ---- media ----------------------------------------------------------- */

/* The same address on both sides: RTP pairs of the halves do not meet. */
static void split_ports(struct config_media *m)
{
	unsigned half = (m->ports.max - m->ports.min + 1U) / 4 * 2;

	m->outside_ports = m->ports;
	m->inside_ports = m->ports;
	if (!addr_ip_eq(&m->outside_address, &m->inside_address))
		return;
	m->outside_ports.max = (uint16_t)(m->ports.min + half - 1);
	m->inside_ports.min = (uint16_t)(m->ports.min + half);
}

bool config_is_media_port(const struct config_media *m, const struct addr *a)
{
	return a->port >= m->ports.min && a->port <= m->ports.max &&
	       (addr_is_any(a) || addr_ip_eq(a, &m->outside_address) ||
		addr_ip_eq(a, &m->inside_address));
}

static void check_media(struct config_build *b)
{
	const struct config_item *it = single(b, "media");
	struct config_media *m = &b->c->media;

	if (it->is_bad)
		return;
	if (addr_is_any(&m->outside_address))
		check_error(b, it, "outside-address",
			    "must be one address, since phones are told it");
	if (addr_is_any(&m->inside_address))
		check_error(
			b, it, "inside-address",
			"must be one address, since the call manager is told it");
	split_ports(m);
	for (uint32_t i = 0; i < b->c->listener_count; i++)
		if (b->c->listener[i].address.transport == CONFIG_UDP &&
		    config_is_media_port(m, &b->c->listener[i].address.addr))
			check_about(b, it, "ports", true,
				    (const char *const[3]){
					    "hold the port of listener \"",
					    b->c->listener[i].name, "\""});
	for (uint32_t i = 0; i < b->c->call_manager_count; i++)
		if (b->c->call_manager[i].address.transport == CONFIG_UDP &&
		    config_is_media_port(m,
					 &b->c->call_manager[i].local_address))
			check_about(
				b, it, "ports", true,
				(const char *const[3]){
					"hold the local-address of call-manager "
					"\"",
					b->c->call_manager[i].name, "\""});
}

/* ---- numbers --------------------------------------------------------- */

static void check_numbers(struct config_build *b)
{
	const struct config *c = b->c;

	if (!single(b, "sip")->is_bad &&
	    c->sip.expires_min_s > c->sip.expires_max_s)
		check_error(b, single(b, "sip"), "expires-min",
			    "must not be more than expires-max");
	if (!single(b, "sip")->is_bad && c->sip.session_expires_s != 0 &&
	    c->sip.session_expires_s < c->sip.min_se_s)
		check_error(b, single(b, "sip"), "session-expires",
			    "must be 0 or not less than min-se");
	if (!single(b, "sip")->is_bad && c->sip.t1_ms > c->sip.t2_ms)
		check_error(b, single(b, "sip"), "t1",
			    "must not be more than t2");
	if (!single(b, "limits")->is_bad &&
	    c->limits.connections_per_address > c->limits.connections)
		check_warn(
			b, single(b, "limits"), "connections-per-address",
			"is more than connections: one address can use up all");
	if (!single(b, "limits")->is_bad && !single(b, "sip")->is_bad &&
	    c->limits.idle_timeout_s <= c->sip.expires_max_s)
		check_warn(
			b, single(b, "limits"), "idle-timeout",
			"is not more than expires-max: phones that send nothing "
			"between their registrations are cut off");
	if (c->sandbox != CONFIG_SANDBOX_ENFORCE)
		check_warn(b, single(b, ""), "sandbox",
			   "system calls are not restricted");
}

/* ---- devices --------------------------------------------------------- */

static void check_device_modes(struct config_build *b,
			       const struct config_item *it)
{
	struct config_device *d = OBJ(it, config_device);
	bool can_srtp = d->security_mode == CONFIG_DEVICE_ENCRYPTED;

	if (d->media == CONFIG_MEDIA_AUTO)
		d->media = can_srtp ? CONFIG_MEDIA_SRTP_REQUIRED
				    : CONFIG_MEDIA_RTP_ONLY;
	/* RFC 4568 section 5: keys need a protected channel. */
	if (d->media != CONFIG_MEDIA_RTP_ONLY && !can_srtp)
		check_error(b, it, "media",
			    "SRTP needs security-mode = encrypted, or its keys "
			    "would travel in clear text");
	if (d->digest && !d->digest_user[0])
		check_error(b, it, "digest", "yes needs digest-user");
	if (d->lines.count == 0)
		check_warn(b, it, "lines",
			   "none: the device can register nothing");
	if (!d->digest &&
	    config_device_mode(b->c, d) == CONFIG_DEVICE_NONSECURE)
		check_warn(
			b, it, NULL,
			"neither a certificate nor digest: whoever says so is "
			"taken for this device");
}

static int index_lines(struct config_build *b, const struct config_item *it)
{
	struct config_device *d = OBJ(it, config_device);

	for (uint32_t i = 0; i < d->lines.count; i++) {
		const char *line = d->lines.item[i];
		const struct config_device *o =
			config_device_by_line(b->c, slice_str(line));
		int err;

		if (!o) {
			err = config_line_add(b->c, d, line);
			if (err)
				return err;
			continue;
		}
		check_about(b, it, "lines", false,
			    (const char *const[3]){
				    line,
				    o == d ? " is there twice"
					   : " is also a line of device ",
				    o == d ? "" : o->name});
	}
	return 0;
}

static int check_device(struct config_build *b, const struct config_item *it)
{
	struct config_device *d = OBJ(it, config_device);
	int err;

	check_device_modes(b, it);
	if (config_trunk_find(b->c, slice_str(d->name)))
		check_error(b, it, NULL,
			    "a trunk has this name: one of the two must have "
			    "another");
	err = table_add(&b->c->devices_by_name, &d->by_name,
			slice_str(d->name));
	if (!err && d->digest_user[0])
		err = table_add(&b->c->devices_by_user, &d->by_user,
				slice_str(d->digest_user));
	return err ? err : index_lines(b, it);
}

static void check_cluster(struct config_build *b)
{
	uint32_t secure = 0;
	uint32_t tls = 0;

	for (uint32_t i = 0; i < b->c->device_count; i++)
		secure += b->c->device[i].security_mode !=
			  CONFIG_DEVICE_NONSECURE;
	for (uint32_t i = 0; i < b->c->listener_count; i++)
		tls += b->c->listener[i].address.transport == CONFIG_TLS;
	if (secure > 0 && b->c->mode == CONFIG_MODE_NONSECURE)
		check_warn(
			b, single(b, ""), "cluster-security-mode",
			"nonsecure: security-mode and media of the devices do "
			"not count");
	else if (secure > 0 && tls == 0 && b->c->listener_count > 0)
		check_warn(
			b, single(b, ""), NULL,
			"there are devices with a security-mode, but no tls: "
			"listener they could come to");
}

static void check_served(struct config_build *b)
{
	const struct config *c = b->c;
	uint32_t listeners = 0;
	uint32_t managers = 0;

	for (uint32_t i = 0; i < c->listener_count; i++)
		listeners += c->listener[i].serves != CONFIG_TRUNKS;
	for (uint32_t i = 0; i < c->call_manager_count; i++)
		managers += c->call_manager[i].serves != CONFIG_TRUNKS;
	if (c->device_count == 0)
		return;
	if (listeners == 0 && c->listener_count > 0)
		check_error(b, single(b, ""), NULL,
			    "there are devices, but every listener has serves "
			    "= trunks");
	if (managers == 0 && c->call_manager_count > 0)
		check_error(b, single(b, ""), NULL,
			    "there are devices, but every call-manager has "
			    "serves = trunks");
}

int config_check(struct config_build *b)
{
	int err;

	check_listeners(b);
	check_managers(b);
	check_media(b);
	check_numbers(b);
	check_cluster(b);
	check_served(b);
	err = config_check_trunks(b);
	if (!err)
		err = config_check_sccp(b);
	if (err)
		return err;
	for (uint32_t i = CONFIG_SECTIONS; i < b->count; i++) {
		err = check_is_kind(&b->item[i], "device")
			      ? check_device(b, &b->item[i])
			      : 0;

		if (err)
			return err;
	}
	return config_check_authz(b);
}
