#include "authz/rule.h"
#include "base/alloc.h"
#include "base/text.h"
#include "config/build.h"

enum { BLOCK_SIZE = 4096, BLOCK_ALIGN = 16 };

struct config_block {
	struct config_block *next;
	size_t used, cap;
	_Alignas(BLOCK_ALIGN) uint8_t data[];
};

void *config_alloc(struct config *c, size_t size)
{
	struct config_block *b = c->blocks;
	size_t need = (size + BLOCK_ALIGN - 1) & ~(size_t)(BLOCK_ALIGN - 1);
	void *p;

	if (!b || b->cap - b->used < need) {
		size_t cap = need > BLOCK_SIZE ? need : BLOCK_SIZE;

		b = alloc_zero(sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->cap = cap;
		b->next = c->blocks;
		c->blocks = b;
	}
	p = b->data + b->used;
	b->used += need;
	return p;
}

const char *config_keep(struct config *c, struct slice s)
{
	char *p = config_alloc(c, s.len + 1);

	if (p && s.len > 0)
		memcpy(p, s.ptr, s.len);
	return p;
}

void config_blocks_free(struct config *c)
{
	while (c->blocks) {
		struct config_block *b = c->blocks;

		c->blocks = b->next;
		alloc_free(b);
	}
}

static void *member(const struct config_option *o, void *obj)
{
	return (uint8_t *)obj + o->offset;
}

/* ---- reading --------------------------------------------------------- */

static int bad(struct writer *why, const char *expected)
{
	writer_str(why, expected);
	return ERR_BAD;
}

static int bad_words(struct writer *why, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			writer_str(why, words[i + 1] ? ", " : " or ");
		writer_str(why, words[i]);
	}
	return ERR_BAD;
}

static int word_find(const char *const *words, struct slice value,
		     uint32_t *ret)
{
	for (uint32_t i = 0; words[i]; i++) {
		if (slice_eqs(value, words[i])) {
			*ret = i;
			return 0;
		}
	}
	return ERR_NOTFOUND;
}

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	return true;
}

static int set_string(struct config *c, void *at, struct slice value)
{
	const char *p = config_keep(c, value);

	if (!p)
		return ERR_NOMEM;
	memcpy(at, &p, sizeof(p));
	return 0;
}

static int set_text(struct config_build *b, const struct config_option *o,
		    void *at, struct slice value, struct writer *why)
{
	if (value.len < o->min || !is_printable(value))
		return bad(why, o->min > 0 ? "printable text, not empty"
					   : "printable text");
	return set_string(b->c, at, value);
}

static int set_name(struct config_build *b, void *at, struct slice value,
		    struct writer *why)
{
	if (value.len > CONFIG_NAME_MAX ||
	    (value.len > 0 && !text_all_token(value)))
		return bad(why, "letters, digits and -.!%*_+`'~, at most 64");
	return set_string(b->c, at, value);
}

static bool is_token(struct slice value)
{
	return slice_eqs(slice_sub(value, 0, strlen("pkcs11:")), "pkcs11:");
}

static int set_path(struct config_build *b, const struct config_option *o,
		    void *at, struct slice value, struct writer *why)
{
	char buf[4 * CONFIG_TEXT_MAX];
	size_t most = o->max > 0 ? o->max : 2 * CONFIG_TEXT_MAX;
	struct writer w;

	if (!is_printable(value))
		return bad(why, "a path without control bytes");
	writer_init(&w, buf, sizeof(buf));
	if (value.len > 0 && value.ptr[0] != '/' &&
	    !(o->type == CONFIG_TYPE_KEY && is_token(value))) {
		writer_str(&w, b->base_dir);
		writer_str(&w, "/");
		writer_str(&w, o->words[0]);
		writer_str(&w, o->words[0][0] ? "/" : "");
	}
	writer_put(&w, value);
	if (!writer_ok(&w) || w.len > most) {
		writer_str(why, "a path of at most ");
		writer_dec(why, most);
		writer_str(why, " bytes");
		return ERR_BAD;
	}
	return set_string(b->c, at, writer_slice(&w));
}

static int set_bool(void *at, struct slice value, struct writer *why)
{
	bool v = slice_eqs(value, "yes");

	if (!v && !slice_eqs(value, "no"))
		return bad(why, "yes or no");
	memcpy(at, &v, sizeof(v));
	return 0;
}

static int set_uint(const struct config_option *o, void *at, struct slice value,
		    struct writer *why)
{
	uint64_t v;
	uint32_t v32;

	if (text_dec(value, o->max, &v) || v < o->min) {
		writer_str(why, "a number from ");
		writer_dec(why, o->min);
		writer_str(why, " to ");
		writer_dec(why, o->max);
		if (o->unit) {
			writer_str(why, " (");
			writer_str(why, o->unit);
			writer_str(why, ")");
		}
		return ERR_BAD;
	}
	v32 = (uint32_t)v;
	memcpy(at, &v32, sizeof(v32));
	return 0;
}

static int set_word(const struct config_option *o, void *at, struct slice value,
		    struct writer *why)
{
	uint32_t v;

	if (word_find(o->words, value, &v))
		return bad_words(why, o->words);
	_Static_assert(sizeof(enum config_mode) == sizeof(v), "enum size");
	memcpy(at, &v, sizeof(v));
	return 0;
}

static int set_choice(struct config_build *b, const struct config_option *o,
		      void *at, struct slice value, struct writer *why)
{
	uint32_t v;

	if (word_find(o->words, value, &v))
		return bad_words(why, o->words);
	return set_string(b->c, at, value);
}

static int bad_endpoint(struct writer *why, const struct config_option *o)
{
	const char *const *words = o->words;

	if (!words)
		return bad(why, "address:port or host:port");
	for (size_t n = 0; words[n]; n++) {
		if (n > 0)
			writer_str(why, words[n + 1] ? ", " : " or ");
		writer_str(why, words[n]);
		writer_str(why, ":");
	}
	return bad(why, o->type == CONFIG_TYPE_REMOTE
				? " followed by address:port or host:port"
				: " followed by address:port");
}

static int set_endpoint(const struct config_option *o, void *at,
			struct slice value, struct writer *why)
{
	struct config_endpoint e = {0};
	struct slice head, tail;
	uint32_t v;

	if (!text_cut(value, ':', &head, &tail) ||
	    word_find(o->words, head, &v) || addr_parse(tail, 0, &e.addr) ||
	    e.addr.port == 0)
		return bad_endpoint(why, o);
	e.is_sccp = v > CONFIG_TLS;
	e.transport = (enum config_transport)(e.is_sccp ? v - CONFIG_TLS : v);
	memcpy(at, &e, sizeof(e));
	return 0;
}

/* A host name as RFC 1123 has it: letters, digits, hyphens and dots. */
static bool is_host_name(struct slice s)
{
	if (s.len == 0 || s.len > 253 || s.ptr[0] == '.' || s.ptr[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!text_is_alnum(s.ptr[i]) && s.ptr[i] != '-' &&
		    s.ptr[i] != '.')
			return false;
	return true;
}

static uint16_t default_port(const char *const *words, enum config_transport t)
{
	return !words ? 0 : t == CONFIG_TLS ? 5061 : 5060;
}

int config_remote_read(struct config *c, const char *const *words,
		       struct slice value, struct config_remote *ret)
{
	struct config_remote r = {0};
	struct slice head, tail, host, port;
	uint64_t number = 0;
	uint32_t v;

	if (!words) {
		tail = value;
		v = CONFIG_TCP;
	} else if (!text_cut(value, ':', &head, &tail) ||
		   word_find(words, head, &v)) {
		return ERR_BAD;
	}
	r.transport = (enum config_transport)v;
	host = tail;
	if (addr_parse(tail, default_port(words, r.transport), &r.addr) == 0) {
		r.port = r.addr.port;
		if (host.len > 0 && host.ptr[0] == '[')
			(void)text_cut(slice_from(host, 1), ']', &host, NULL);
		else
			(void)text_cut(host, ':', &host, NULL);
	} else {
		if (text_cut(tail, ':', &host, &port) &&
		    (text_dec(port, 65535, &number) != 0 || number == 0))
			return ERR_BAD;
		r.port = (uint16_t)number;
		/* What consists of digits is a wrong address, not a name. */
		if (!is_host_name(host) ||
		    text_is_digit(host.ptr[host.len - 1]))
			return ERR_BAD;
	}
	/* Only SIP's names lead to ports by themselves (SRV). */
	if ((r.addr.family != ADDR_NONE || !words) && r.port == 0)
		return ERR_BAD;
	r.host = config_keep(c, host);
	if (!r.host)
		return ERR_NOMEM;
	*ret = r;
	return 0;
}

static int set_remote(struct config_build *b, const struct config_option *o,
		      void *at, struct slice value, struct writer *why)
{
	struct config_remote r;
	int err = config_remote_read(b->c, o->words, value, &r);

	if (err == ERR_BAD)
		return bad_endpoint(why, o);
	if (!err)
		memcpy(at, &r, sizeof(r));
	return err;
}

static int set_addr(const struct config_option *o, void *at, struct slice value,
		    struct writer *why)
{
	struct addr a;

	if (o->type == CONFIG_TYPE_ADDRPORT) {
		if (addr_parse(value, 0, &a) || a.port == 0)
			return bad(why, "address:port");
	} else if (addr_parse_ip(value, &a)) {
		return bad(why, "an IPv4 or IPv6 address");
	}
	memcpy(at, &a, sizeof(a));
	return 0;
}

static int set_ports(const struct config_option *o, void *at,
		     struct slice value, struct writer *why)
{
	struct slice head, tail;
	struct config_ports p;
	uint64_t min, max;

	if (!text_cut(value, '-', &head, &tail) ||
	    text_dec(text_trim(head), o->max, &min) ||
	    text_dec(text_trim(tail), o->max, &max) || min < o->min)
		return bad(why, "a range of ports within 1024-65535, as in "
				"16384-32767");
	/* RTP is on even ports, RTCP on the next one: whole pairs only. */
	min += min & 1;
	max -= max & 1 ? 0 : 1;
	if (min + 3 > max)
		return bad(why, "a range of at least four ports");
	p.min = (uint16_t)min;
	p.max = (uint16_t)max;
	memcpy(at, &p, sizeof(p));
	return 0;
}

static uint32_t string_count(const void *at)
{
	struct config_strings l;

	memcpy(&l, at, sizeof(l));
	return l.count;
}

static int add_string(struct config_build *b, void *at, struct slice value)
{
	struct config_strings l;
	int err;

	memcpy(&l, at, sizeof(l));
	if ((l.count & (l.count - 1)) == 0) {
		size_t cap = l.count ? l.count * (size_t)2 : 1;
		const char **p = config_alloc(b->c, cap * sizeof(*p));

		if (!p)
			return ERR_NOMEM;
		if (l.count > 0)
			memcpy(p, l.item, l.count * sizeof(*p));
		l.item = p;
	}
	err = set_string(b->c, &l.item[l.count], value);
	if (err)
		return err;
	l.count++;
	memcpy(at, &l, sizeof(l));
	return 0;
}

static int add_name(struct config_build *b, void *at, struct slice value,
		    struct writer *why)
{
	if (value.len == 0 || value.len > CONFIG_NAME_MAX ||
	    !text_all_token(value))
		return bad(why,
			   "1 to 64 letters, digits and -.!%*_+`'~ as item");
	if (string_count(at) >= CONFIG_LIST_MAX)
		return bad(why, "at most 32 items");
	return add_string(b, at, value);
}

static int add_text(struct config_build *b, void *at, struct slice value,
		    struct writer *why)
{
	if (value.len == 0 || !is_printable(value))
		return bad(why, "printable text, not empty, as item");
	if (string_count(at) >= CONFIG_LIST_MAX)
		return bad(why, "at most 32 items");
	return add_string(b, at, value);
}

static int add_rule(struct config_build *b, const struct config_option *o,
		    void *at, struct slice value, struct writer *why)
{
	const char *expected = "";
	struct acl_rule rule;

	if (!is_printable(value))
		return bad(why, "a rule without control bytes");
	if (rule_parse((enum rule_kind)o->min, value, &rule, &expected))
		return bad(why, expected);
	if (string_count(at) >= ACL_RULES_MAX)
		return bad(why, "at most 16384 rules");
	return add_string(b, at, value);
}

static int add_suite(void *at, struct slice value, struct writer *why)
{
	struct config_suites *l = at;
	enum suite s;

	if (suite_find(value, &s) || s == SUITE_NONE) {
		for (int i = SUITE_NONE + 1; i < SUITE_COUNT; i++) {
			if (i > SUITE_NONE + 1)
				writer_str(why,
					   i + 1 < SUITE_COUNT ? ", " : " or ");
			writer_str(why, suite_info((enum suite)i)->name);
		}
		return ERR_BAD;
	}
	for (uint32_t i = 0; i < l->count; i++)
		if (l->item[i] == s)
			return bad(why, "each suite once");
	l->item[l->count++] = s;
	return 0;
}

static int add_word(const struct config_option *o, void *at, struct slice value,
		    struct writer *why)
{
	struct config_words *l = at;
	uint32_t word;

	if (word_find(o->words, value, &word) != 0)
		return bad_words(why, o->words);
	for (uint32_t i = 0; i < l->count; i++)
		if (l->item[i] == word)
			return bad(why, "each word once");
	if (l->count == CONFIG_WORDS_MAX)
		return bad(why, "fewer words");
	l->item[l->count++] = (uint8_t)word;
	return 0;
}

static int add_digest(void *at, struct slice value, struct writer *why)
{
	struct config_digests *l = at;
	enum digest_alg a;

	if (value.len == 0 || digest_alg_find(value, &a) != 0)
		return bad(why, "SHA-512-256, SHA-256 or MD5");
	for (uint32_t i = 0; i < l->count; i++)
		if (l->item[i] == a)
			return bad(why, "each algorithm once");
	l->item[l->count++] = a;
	return 0;
}

static int value_set(struct config_build *b, const struct config_option *o,
		     void *at, struct slice value, struct writer *why)
{
	switch (o->type) {
	case CONFIG_TYPE_TEXT:
		return set_text(b, o, at, value, why);
	case CONFIG_TYPE_NAME:
		return set_name(b, at, value, why);
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_KEY:
		return set_path(b, o, at, value, why);
	case CONFIG_TYPE_BOOL:
		return set_bool(at, value, why);
	case CONFIG_TYPE_UINT:
		return set_uint(o, at, value, why);
	case CONFIG_TYPE_WORD:
		return set_word(o, at, value, why);
	case CONFIG_TYPE_CHOICE:
		return set_choice(b, o, at, value, why);
	case CONFIG_TYPE_ENDPOINT:
		return set_endpoint(o, at, value, why);
	case CONFIG_TYPE_REMOTE:
		return set_remote(b, o, at, value, why);
	case CONFIG_TYPE_ADDR:
	case CONFIG_TYPE_ADDRPORT:
		return set_addr(o, at, value, why);
	case CONFIG_TYPE_PORTS:
		return set_ports(o, at, value, why);
	case CONFIG_TYPE_NAMES:
		return add_name(b, at, value, why);
	case CONFIG_TYPE_TEXTS:
		return add_text(b, at, value, why);
	case CONFIG_TYPE_RULES:
		return add_rule(b, o, at, value, why);
	case CONFIG_TYPE_WORDS:
		return add_word(o, at, value, why);
	case CONFIG_TYPE_SUITES:
		return add_suite(at, value, why);
	case CONFIG_TYPE_DIGESTS:
		return add_digest(at, value, why);
	}
	return ERR_BAD;
}

int config_value_set(struct config_build *b, const struct config_option *o,
		     void *obj, struct slice value, struct writer *why)
{
	int err;

	writer_str(why, "expected ");
	if (value.len > CONFIG_TEXT_MAX)
		err = bad(why, "at most 256 bytes");
	else
		err = value_set(b, o, member(o, obj), value, why);
	if (err == ERR_BAD) {
		writer_str(why, ", got \"");
		writer_put(why, slice_sub(value, 0, 100));
		writer_str(why, value.len > 100 ? "...\"" : "\"");
	}
	return err;
}

int config_value_default(struct config_build *b, const struct config_option *o,
			 void *obj)
{
	struct slice rest = slice_str(o->value);
	struct slice item;
	struct writer w;
	char buf[CONFIG_WHY_MAX];

	writer_init(&w, buf, sizeof(buf));
	if (!config_option_is_list(o))
		return value_set(b, o, member(o, obj), rest, &w);
	/* { "a", "b" }: the items are what stands between the quotes. */
	while (text_cut(rest, '"', NULL, &rest)) {
		int err;

		(void)text_cut(rest, '"', &item, &rest);
		err = value_set(b, o, member(o, obj), item, &w);
		if (err)
			return err;
	}
	return 0;
}
