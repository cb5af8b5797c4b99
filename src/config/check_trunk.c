/*
 * Checks of trunks and their profiles, what is derived from them, and the
 * tables they are found by.
 */
#include "base/text.h"
#include "config/build.h"

#define OBJ(it, type) ((struct type *)(it)->obj)

static const char *const transports[] = {"udp", "tcp", "tls", NULL};

/* ---- profiles ------------------------------------------------------------ */

static bool is_host(struct slice s)
{
	if (slice_starts(s, "*."))
		s = slice_from(s, 2);
	if (s.len == 0 || s.ptr[0] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '*' || s.ptr[i] == ' ')
			return false;
	return true;
}

static void check_subjects(struct config_build *b, const struct config_item *it,
			   const struct config_strings *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (!is_host(slice_str(l->item[i])))
			check_about(b, it, "subjects", true,
				    (const char *const[3]){
					    "expected a name, or *. before "
					    "one, got \"",
					    l->item[i], "\""});
}

static int check_profile(struct config_build *b, const struct config_item *it)
{
	struct config_trunk_profile *p = OBJ(it, config_trunk_profile);
	bool can_srtp = p->security_mode == CONFIG_DEVICE_ENCRYPTED;
	bool is_secure = p->security_mode != CONFIG_DEVICE_NONSECURE;

	if (p->media == CONFIG_MEDIA_AUTO)
		p->media = can_srtp ? CONFIG_MEDIA_SRTP_PREFERRED
				    : CONFIG_MEDIA_RTP_ONLY;
	/* RFC 4568 section 5: keys need a protected channel. */
	if (p->media != CONFIG_MEDIA_RTP_ONLY && !can_srtp)
		check_error(b, it, "srtp",
			    "SRTP needs security-mode = encrypted, or its keys "
			    "would travel in clear text");
	if (is_secure && p->incoming != CONFIG_INCOMING_ANY &&
	    p->incoming != CONFIG_INCOMING_TLS)
		check_error(b, it, "incoming-transport",
			    "must be tls or any unless security-mode is "
			    "nonsecure");
	if (is_secure && p->outgoing != CONFIG_OUTGOING_ANY &&
	    p->outgoing != CONFIG_OUTGOING_TLS)
		check_error(b, it, "outgoing-transport",
			    "must be tls or any unless security-mode is "
			    "nonsecure");
	if (!p->mutual_tls && p->subjects.count > 0)
		check_error(b, it, "subjects",
			    "need mutual-tls = yes: without a certificate "
			    "there are no names");
	if (p->lock && p->media == CONFIG_MEDIA_RTP_ONLY)
		check_warn(b, it, "trunk-lock",
			   "has no effect without SRTP: there is nothing a "
			   "lock could stand for");
	check_subjects(b, it, &p->subjects);
	return table_add(&b->c->profiles_by_name, &p->by_name,
			 slice_str(p->name));
}

/* ---- the parts of a trunk -------------------------------------------------- */

static void refuse_item(struct config_build *b, const struct config_item *it,
			const char *option, const char *what, const char *value)
{
	check_about(b, it, option, true,
		    (const char *const[3]){what, value, "\""});
}

static void set_listeners(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = OBJ(it, config_trunk);

	for (uint32_t i = 0; i < t->listeners.count; i++) {
		const char *name = t->listeners.item[i];
		uint32_t k = 0;

		while (k < b->c->listener_count &&
		       strcmp(b->c->listener[k].name, name) != 0)
			k++;
		if (k == b->c->listener_count)
			refuse_item(b, it, "listeners",
				    "no listener is called \"", name);
		else if (b->c->listener[k].serves == CONFIG_PHONES)
			refuse_item(b, it, "listeners",
				    "serves = trunks or both is not said by "
				    "listener \"",
				    name);
		else if (addr_is_any(&b->c->listener[k].address.addr))
			refuse_item(b, it, "listeners",
				    "peers are told its address, so it must be "
				    "one: that of listener \"",
				    name);
		else
			t->listener_bits |= 1ULL << k;
	}
}

static void set_managers(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = OBJ(it, config_trunk);
	const struct config *c = b->c;

	for (uint32_t k = 0; k < c->call_manager_count; k++)
		if (t->call_managers.count == 0 &&
		    c->call_manager[k].serves != CONFIG_PHONES)
			t->manager_bits |= 1U << k;
	for (uint32_t i = 0; i < t->call_managers.count; i++) {
		const char *name = t->call_managers.item[i];
		uint32_t k = 0;

		while (k < c->call_manager_count &&
		       strcmp(c->call_manager[k].name, name) != 0)
			k++;
		if (k == c->call_manager_count)
			refuse_item(b, it, "call-managers",
				    "no call-manager is called \"", name);
		else if (c->call_manager[k].serves == CONFIG_PHONES)
			refuse_item(b, it, "call-managers",
				    "serves = trunks or both is not said by "
				    "call-manager \"",
				    name);
		else
			t->manager_bits |= 1U << k;
	}
	if (t->manager_bits == 0 && t->call_managers.count == 0)
		check_error(b, it, NULL,
			    "no call-manager says serves = trunks or both");
}

/* "tls:sbc.example.com;priority=2" */
static int read_peer(struct config_build *b, const struct config_item *it,
		     const char *text, struct config_peer *ret)
{
	struct slice head, tail;
	bool has_tail = text_cut(slice_str(text), ';', &head, &tail);
	uint64_t priority = 1;
	int err = config_remote_read(b->c, transports, text_trim(head),
				     &ret->remote);

	if (err == ERR_NOMEM)
		return err;
	if (err || (has_tail && (!slice_starts(tail, "priority=") ||
				 text_dec(slice_from(tail, 9), UINT16_MAX,
					  &priority) != 0))) {
		refuse_item(b, it, "peers",
			    "expected udp:, tcp: or tls: followed by "
			    "address:port or host:port, and ;priority=N, got "
			    "\"",
			    text);
		return ERR_BAD;
	}
	ret->priority = (uint32_t)priority;
	return 0;
}

static int set_peers(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = OBJ(it, config_trunk);

	if (t->peers.count > CONFIG_PEERS_MAX)
		check_error(b, it, "peers", "at most 16 are possible");
	t->peer = config_alloc(b->c, t->peers.count * sizeof(*t->peer));
	if (!t->peer)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < t->peers.count && i < CONFIG_PEERS_MAX; i++) {
		int err = read_peer(b, it, t->peers.item[i],
				    &t->peer[t->peer_count]);

		if (err == ERR_NOMEM)
			return err;
		t->peer_count += !err;
	}
	return 0;
}

static bool read_net(struct slice text, struct config_net *ret)
{
	struct slice head, tail;
	bool has_tail = text_cut(text, '/', &head, &tail);
	uint64_t bits;
	struct addr rest;

	if (addr_parse_ip(head, &ret->addr) != 0)
		return false;
	bits = ret->addr.family == ADDR_V4 ? 32 : 128;
	if (has_tail && text_dec(tail, bits, &bits) != 0)
		return false;
	ret->bits = (unsigned)bits;
	/* Bits behind the prefix would be a mistake that hides. */
	rest = ret->addr;
	for (unsigned i = 0; i < sizeof(rest.ip); i++) {
		unsigned left = ret->bits > i * 8 ? ret->bits - i * 8 : 0;

		if (left < 8 && (rest.ip[i] & (0xffU >> left)) != 0)
			return false;
	}
	return true;
}

static int set_sources(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = OBJ(it, config_trunk);
	size_t most = t->sources.count + (size_t)t->peer_count;

	t->source = config_alloc(b->c, most * sizeof(*t->source));
	if (!t->source)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < t->sources.count; i++) {
		if (read_net(slice_str(t->sources.item[i]),
			     &t->source[t->source_count]))
			t->source_count++;
		else
			refuse_item(b, it, "sources",
				    "expected an address, or a prefix as in "
				    "192.0.2.0/24 with no bits set behind it, "
				    "got \"",
				    t->sources.item[i]);
	}
	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct addr *a = &t->peer[i].remote.addr;

		if (a->family == ADDR_NONE)
			continue;
		t->source[t->source_count++] = (struct config_net){
			.addr = addr_with_port(a, 0),
			.bits = a->family == ADDR_V4 ? 32 : 128};
	}
	return 0;
}

/* ---- what goes together ------------------------------------------------------ */

static bool has_transport(const struct config *c, const struct config_trunk *t,
			  enum config_transport transport,
			  enum addr_family family)
{
	for (uint32_t k = 0; k < c->listener_count; k++) {
		const struct config_endpoint *e = &c->listener[k].address;

		if ((t->listener_bits >> k & 1) && e->transport == transport &&
		    (family == ADDR_NONE || e->addr.family == family))
			return true;
	}
	return false;
}

static bool may_go_out(const struct config_trunk_profile *p,
		       enum config_transport transport)
{
	switch (p->outgoing) {
	case CONFIG_OUTGOING_ANY:
		return p->security_mode == CONFIG_DEVICE_NONSECURE ||
		       transport == CONFIG_TLS;
	case CONFIG_OUTGOING_UDP:
		return transport == CONFIG_UDP;
	case CONFIG_OUTGOING_TCP:
		return transport == CONFIG_TCP;
	case CONFIG_OUTGOING_TLS:
		return transport == CONFIG_TLS;
	}
	return false;
}

bool config_profile_may_come(const struct config_trunk_profile *p,
			     enum config_transport transport)
{
	switch (p->incoming) {
	case CONFIG_INCOMING_ANY:
		return p->security_mode == CONFIG_DEVICE_NONSECURE ||
		       transport == CONFIG_TLS;
	case CONFIG_INCOMING_UDP_TCP:
		return transport != CONFIG_TLS;
	case CONFIG_INCOMING_UDP:
		return transport == CONFIG_UDP;
	case CONFIG_INCOMING_TCP:
		return transport == CONFIG_TCP;
	case CONFIG_INCOMING_TLS:
		return transport == CONFIG_TLS;
	}
	return false;
}

static void check_ways(struct config_build *b, const struct config_item *it)
{
	const struct config_trunk *t = OBJ(it, config_trunk);
	const struct config_trunk_profile *p = t->profile;
	bool may_come = false;

	for (uint32_t k = 0; k < b->c->listener_count; k++)
		if (t->listener_bits >> k & 1)
			may_come |= config_profile_may_come(
				p, b->c->listener[k].address.transport);
	if (t->listener_bits != 0 && !may_come)
		check_error(b, it, "listeners",
			    "none has a transport that the profile lets in");
	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct config_remote *r = &t->peer[i].remote;

		if (!may_go_out(p, r->transport))
			refuse_item(b, it, "peers",
				    "the profile does not allow the transport "
				    "of \"",
				    t->peers.item[i]);
		else if (t->listener_bits != 0 &&
			 !has_transport(b->c, t, r->transport, r->addr.family))
			refuse_item(b, it, "peers",
				    "no listener of this trunk has the "
				    "transport and IP version of \"",
				    t->peers.item[i]);
	}
	if (t->direction != CONFIG_DIRECTION_IN && t->peers.count == 0)
		check_error(b, it, "peers",
			    "must be given unless direction = in");
}

static void check_identify(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = OBJ(it, config_trunk);
	bool has_subjects = config_trunk_subjects(t)->count > 0;
	bool has_tls = has_transport(b->c, t, CONFIG_TLS, ADDR_NONE);

	if (t->identify == CONFIG_IDENTIFY_AUTO)
		t->identify = has_subjects && has_tls
				      ? CONFIG_IDENTIFY_CERTIFICATE
				      : CONFIG_IDENTIFY_ADDRESS;
	if (t->identify != CONFIG_IDENTIFY_ADDRESS) {
		if (!has_subjects)
			check_error(b, it, "identify",
				    "by certificate needs subjects, here or in "
				    "the profile");
		if (!has_tls)
			check_error(b, it, "identify",
				    "by certificate needs a tls: listener");
		if (!t->profile->mutual_tls)
			check_error(b, it, "identify",
				    "by certificate needs mutual-tls = yes in "
				    "the profile");
	}
	if (t->identify != CONFIG_IDENTIFY_CERTIFICATE && t->source_count == 0)
		check_error(b, it, "sources",
			    "must be given: the trunk is identified by its "
			    "address, and none of its peers is one");
	if (!t->profile->digest && t->identify == CONFIG_IDENTIFY_ADDRESS &&
	    config_profile_may_come(t->profile, CONFIG_UDP) &&
	    has_transport(b->c, t, CONFIG_UDP, ADDR_NONE))
		check_warn(b, it, "identify",
			   "by the address of datagrams alone, which can be "
			   "forged: without digest whoever does so is taken "
			   "for this trunk");
}

/* ---- telling trunks apart ---------------------------------------------------- */

static void clash(struct config_build *b, const struct config_item *it,
		  const char *option, const char *value,
		  const struct config_trunk *o)
{
	char buf[CONFIG_WHY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf) - 1);
	writer_str(&w, value);
	writer_str(&w, " is also of trunk \"");
	writer_str(&w, o->name);
	writer_str(&w, "\": nothing tells the two apart");
	buf[w.len] = '\0';
	check_error(b, it, option, buf);
}

/* Another trunk that would be found before by this claim. */
static const struct config_trunk *taken(const struct config *c,
					const struct config_trunk *t,
					const struct config_claim *q)
{
	const struct config_trunk *o = config_trunk_identify(c, q);

	return o != t ? o : NULL;
}

static int add_subjects(struct config_build *b, const struct config_item *it)
{
	const struct config_trunk *t = OBJ(it, config_trunk);
	const struct config_strings *l = config_trunk_subjects(t);
	int err = 0;

	for (uint32_t i = 0;
	     !err && t->identify != CONFIG_IDENTIFY_ADDRESS && i < l->count;
	     i++) {
		struct slice name = slice_str(l->item[i]);
		struct config_claim q = {
			.is_tls = true, .name = &name, .name_count = 1};
		const struct config_trunk *o = NULL;

		if (t->source_count > 0)
			q.source = t->source[0].addr;
		for (uint32_t k = 0; !o && k < b->c->listener_count; k++) {
			q.listener = k;
			if (t->listener_bits >> k & 1)
				o = taken(b->c, t, &q);
		}
		if (o)
			clash(b, it, "subjects", l->item[i], o);
		err = config_trunk_add_subject(b->c, t, l->item[i]);
	}
	return err;
}

static int add_nets(struct config_build *b, const struct config_item *it)
{
	const struct config_trunk *t = OBJ(it, config_trunk);
	int err = 0;

	for (uint32_t i = 0; !err && t->identify == CONFIG_IDENTIFY_ADDRESS &&
			     i < t->source_count;
	     i++) {
		/* A wider or narrower network may lie around it. */
		const struct config_trunk *o = config_trunk_by_net(
			b->c, &t->source[i], t->listener_bits);

		if (o == t)
			continue; /* a peer that stands in sources too */
		if (o)
			clash(b, it, "sources",
			      i < t->sources.count ? t->sources.item[i]
						   : "the address of a peer",
			      o);
		err = config_trunk_add_net(b->c, t, &t->source[i]);
	}
	return err;
}

static int add_hosts(struct config_build *b, const struct config_item *it)
{
	const struct config_trunk *t = OBJ(it, config_trunk);
	int err = 0;

	for (uint32_t i = 0; !err && i < t->hosts.count; i++) {
		struct slice host = slice_str(t->hosts.item[i]);
		const struct config_trunk *o = config_trunk_by_host(b->c, host);

		if (o)
			clash(b, it, "hosts", t->hosts.item[i], o);
		err = config_trunk_add_host(b->c, t, t->hosts.item[i]);
	}
	return err;
}

/* ---- which requests from inside are whose ------------------------------------- */

/* How many trunks each call manager may call. */
static void count_users(const struct config *c,
			uint32_t ret[CONFIG_MANAGERS_MAX])
{
	for (uint32_t i = 0; i < c->trunk_count; i++)
		for (uint32_t k = 0;
		     k < c->call_manager_count &&
		     c->trunk[i].direction != CONFIG_DIRECTION_IN;
		     k++)
			ret[k] += c->trunk[i].manager_bits >> k & 1;
}

/* Does all that arrives at this manager's local-address come to t? */
static bool is_own(const struct config *c, const struct config_trunk *t,
		   uint32_t manager, const uint32_t users[CONFIG_MANAGERS_MAX])
{
	for (uint32_t k = 0; k < c->call_manager_count; k++) {
		const struct config_call_manager *m = &c->call_manager[k];

		if (addr_eq(&m->local_address,
			    &c->call_manager[manager].local_address) &&
		    (m->serves != CONFIG_TRUNKS || users[k] != 1 ||
		     !(t->manager_bits >> k & 1)))
			return false;
	}
	return true;
}

static void set_own(struct config_build *b, const struct config_item *it,
		    const uint32_t users[CONFIG_MANAGERS_MAX])
{
	struct config_trunk *t = OBJ(it, config_trunk);

	if (t->direction == CONFIG_DIRECTION_IN)
		return;
	for (uint32_t k = 0; k < b->c->call_manager_count; k++)
		if ((t->manager_bits >> k & 1) && is_own(b->c, t, k, users)) {
			t->own_bits |= 1U << k;
			b->c->call_manager[k].own_trunk =
				(uint32_t)(t - b->c->trunk);
		}
	if (t->own_bits == 0 && t->hosts.count == 0 && t->manager_bits != 0)
		check_error(b, it, "hosts",
			    "must be given, or a call-manager of its own with "
			    "serves = trunks: otherwise nothing tells which "
			    "requests of the call managers are for this trunk");
}

/* ---- all ----------------------------------------------------------------------- */

static int check_trunk(struct config_build *b, const struct config_item *it)
{
	struct config_trunk *t = OBJ(it, config_trunk);
	int err;

	t->number = (uint32_t)(t - b->c->trunk);
	set_listeners(b, it);
	set_managers(b, it);
	err = set_peers(b, it);
	if (!err)
		err = set_sources(b, it);
	if (err)
		return err;
	check_subjects(b, it, &t->subjects);
	t->profile = config_profile_find(b->c, slice_str(t->profile_name));
	if (!t->profile) {
		refuse_item(b, it, "profile", "no trunk-profile is called \"",
			    t->profile_name);
		return 0;
	}
	check_ways(b, it);
	check_identify(b, it);
	for (uint32_t k = 0; k < b->c->listener_count; k++)
		if ((t->listener_bits >> k & 1) && !t->profile->mutual_tls)
			b->c->listener[k].is_peer_optional = true;
	err = add_subjects(b, it);
	if (!err)
		err = add_nets(b, it);
	if (!err)
		err = add_hosts(b, it);
	return err ? err
		   : table_add(&b->c->trunks_by_name, &t->by_name,
			       slice_str(t->name));
}

int config_check_trunks(struct config_build *b)
{
	uint32_t users[CONFIG_MANAGERS_MAX] = {0};
	int err = 0;

	for (uint32_t i = CONFIG_SECTIONS; !err && i < b->count; i++)
		if (check_is_kind(&b->item[i], "trunk-profile"))
			err = check_profile(b, &b->item[i]);
	for (uint32_t i = CONFIG_SECTIONS; !err && i < b->count; i++)
		if (check_is_kind(&b->item[i], "trunk"))
			err = check_trunk(b, &b->item[i]);
	for (uint32_t k = 0; k < b->c->call_manager_count; k++)
		b->c->call_manager[k].own_trunk = CONFIG_TRUNK_NONE;
	count_users(b->c, users);
	for (uint32_t i = CONFIG_SECTIONS; !err && i < b->count; i++)
		if (check_is_kind(&b->item[i], "trunk"))
			set_own(b, &b->item[i], users);
	return err;
}
