/*
 * A second opinion: libosip2's osipparser2 reads the same values. Where both
 * accept one they must agree on what it says. (Why the program itself does
 * not use it: doc/decisions/0005-sip-values.md.)
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osipparser2/osip_message.h>
#include <osipparser2/osip_parser.h>

#include "lib/run.h"
#include "sip/frame.h"
#include "sip/hdr.h"
#include "unit/sip/vectors.h"

/* Values phones and call managers send, beyond the RFC's. */
static const char *const parties[] = {
	"\"Alice\" <sip:alice@example.com>;tag=88sja8x",
	"<sip:+15551234@gw.example.com;user=phone>;tag=1",
	"sip:carol@192.0.2.3:5070;tag=9fxced76sl",
	"Bob <sips:bob@biloxi.example.com>;tag=a6c85cf;x=y",
	"\"a \\\" <b>;tag=no\" <sip:c@d>;tag=yes",
	"<sip:SEP001122334455@[2001:db8::9]:5061;transport=tls>;tag=2",
};
static const char *const vias[] = {
	"SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds",
	"SIP/2.0/TLS 192.0.2.4:5061;branch=z9hG4bKnashds7;rport;alias",
	"SIP / 2.0 / TCP h.example.com : 5060 ; branch = z9hG4bK1",
	"SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK2;received=192.0.2.1",
};

static char *cstr(struct slice s)
{
	char *p = calloc(1, s.len + 1);

	memcpy(p, s.ptr, s.len);
	return p;
}

static void assert_text(struct slice ours, const char *theirs, const char *of)
{
	ck_assert_msg(slice_eqs(ours, theirs ? theirs : ""), "%s: %.*s, %s", of,
		      (int)ours.len, (const char *)ours.ptr, theirs);
}

/* Without the brackets of IPv6, which osipparser2 takes off. */
static struct slice bare(struct slice host)
{
	return host.len > 2 && host.ptr[0] == '['
		       ? slice_sub(host, 1, host.len - 2)
		       : host;
}

static void compare_uri(const struct sip_uri *u, const osip_uri_t *theirs,
			const char *text)
{
	assert_text(bare(u->host), theirs->host, text);
	/* osipparser2 resolves escapes, we keep the text. */
	if (u->user.len > 0 && !memchr(u->user.ptr, '%', u->user.len))
		assert_text(u->user, theirs->username, text);
	ck_assert_int_eq(u->port, theirs->port ? atoi(theirs->port) : 0);
}

static int compare_party(struct slice value)
{
	struct sip_nameaddr a;
	struct sip_uri u;
	struct slice tag = SLICE_NULL;
	char *text = cstr(value);
	osip_from_t *from;
	osip_generic_param_t *p = NULL;
	int both = 0;

	ck_assert_int_eq(osip_from_init(&from), 0);
	if (osip_from_parse(from, text) == 0 &&
	    sip_nameaddr_parse(value, &a) == 0 &&
	    sip_uri_parse(a.uri, &u) == 0) {
		compare_uri(&u, from->url, text);
		(void)sip_param(a.params, "tag", &tag);
		osip_from_param_get_byname(from, (char *)(uintptr_t) "tag", &p);
		assert_text(tag, p ? p->gvalue : NULL, text);
		both = 1;
	}
	osip_from_free(from);
	free(text);
	return both;
}

static int compare_via(struct slice value)
{
	struct sip_via v;
	char *text = cstr(value);
	osip_via_t *via;
	osip_generic_param_t *p = NULL;
	int both = 0;

	ck_assert_int_eq(osip_via_init(&via), 0);
	if (osip_via_parse(via, text) == 0 && sip_via_parse(value, &v) == 0) {
		assert_text(bare(v.host), via->host, text);
		assert_text(v.transport, via->protocol, text);
		ck_assert_int_eq(v.port, via->port ? atoi(via->port) : 0);
		osip_via_param_get_byname(via, (char *)(uintptr_t) "branch",
					  &p);
		assert_text(v.branch, p ? p->gvalue : NULL, text);
		both = 1;
	}
	osip_via_free(via);
	free(text);
	return both;
}

START_TEST(plain_values_read_the_same)
{
	for (size_t i = 0; i < sizeof(parties) / sizeof(parties[0]); i++)
		ck_assert_msg(compare_party(slice_str(parties[i])), "%s",
			      parties[i]);
	for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++)
		ck_assert_msg(compare_via(slice_str(vias[i])), "%s", vias[i]);
}
END_TEST

static int compare_file(const char *name)
{
	struct sip_msg *m = calloc(1, sizeof(*m));
	struct sip_frame f;
	struct slice value;
	size_t pos = 0;
	size_t len;
	uint8_t *buf = vector_read(name, &len);
	int both = 0;

	if (sip_frame_datagram(buf, len, &f, NULL) == 0 &&
	    sip_msg_parse(buf, f.len, m, NULL) == 0) {
		both += compare_party(m->from);
		both += compare_party(m->to);
		while (sip_msg_next(m, SIP_HDR_VIA, &pos, &value))
			both += compare_via(value);
		pos = 0;
		while (sip_msg_next(m, SIP_HDR_CONTACT, &pos, &value))
			both += compare_party(value);
	}
	free(buf);
	free(m);
	return both;
}

START_TEST(values_of_accepted_torture_messages_read_the_same)
{
	DIR *d = opendir(TEST_SRCDIR "/vectors/rfc4475");
	struct dirent *e;
	char name[300];
	int both = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		if (!strstr(e->d_name, ".dat"))
			continue;
		snprintf(name, sizeof(name), "rfc4475/%s", e->d_name);
		both += compare_file(name);
	}
	closedir(d);
	ck_assert_int_gt(both, 100);
}
END_TEST

static void quiet(const char *file, int line, osip_trace_level_t level,
		  const char *format, va_list ap)
{
	(void)file;
	(void)line;
	(void)level;
	(void)format;
	(void)ap;
}

int main(void)
{
	TCase *tc = tcase_create("against osipparser2");

	osip_trace_initialize_func(END_TRACE_LEVEL, quiet);
	tcase_add_test(tc, plain_values_read_the_same);
	tcase_add_test(tc, values_of_accepted_torture_messages_read_the_same);
	return run_case("osip", tc);
}
