#include "tls/policy.h"

#include <gnutls/gnutls.h>

#include "base/text.h"

/*
 * No static RSA in "default": it has no forward secrecy and keeps the
 * Bleichenbacher class of attacks alive. %PROFILE_* sets the smallest keys:
 * a string that begins with NONE has no lower limit of its own. TLS 1.3 knows no
 * integrity-only suites, and GnuTLS drops it from a string that has NULL. NULL
 * comes last, and our order counts: who can encrypt does.
 */
#define BASE                                                               \
	"NONE:+ECDHE-ECDSA:+ECDHE-RSA:+DHE-RSA:+AES-256-GCM:+AES-128-GCM:" \
	"+CHACHA20-POLY1305:+AES-256-CBC:+AES-128-CBC:+AEAD:+SHA256:"      \
	"+SHA384:+SHA1:+GROUP-ALL:+COMP-NULL:+CTYPE-X509:+SIGN-ALL"

static const struct tls_policy policies[] = {
	{.name = "default",
	 .priority = BASE ":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-SIGN-DSA-SHA1:"
			  "+VERS-TLS1.3:+VERS-TLS1.2:%PROFILE_MEDIUM",
	 .text = "TLS 1.2 and 1.3 with forward secrecy, keys from 2048 bits"},
	{.name = "authenticated",
	 .priority = BASE ":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-SIGN-DSA-SHA1:"
			  "+RSA:+NULL:+VERS-TLS1.2:%SERVER_PRECEDENCE:"
			  "%PROFILE_MEDIUM",
	 .text = "TLS 1.2, also integrity without encryption",
	 .may_null = true},
	{.name = "legacy",
	 .priority = BASE ":+RSA:+NULL:+VERS-TLS1.2:+VERS-TLS1.1:"
			  "+VERS-TLS1.0:%VERIFY_ALLOW_SIGN_WITH_SHA1:"
			  "%SERVER_PRECEDENCE:%PROFILE_LOW",
	 .text = "old phones: TLS 1.0, static RSA, SHA-1, 1024-bit keys, also "
		 "integrity without encryption",
	 .may_null = true},
};

enum { POLICY_COUNT = sizeof(policies) / sizeof(policies[0]) };

const struct tls_policy *tls_policy_at(size_t i)
{
	return i < POLICY_COUNT ? &policies[i] : NULL;
}

const struct tls_policy *tls_policy_find(struct slice name)
{
	for (size_t i = 0; i < POLICY_COUNT; i++)
		if (text_ieqs(name, policies[i].name))
			return &policies[i];
	return NULL;
}

int tls_policy_selftest(const char **reterr_name)
{
	for (size_t i = 0; i < POLICY_COUNT; i++) {
		gnutls_priority_t p = NULL;
		gnutls_session_t s = NULL;
		int err = gnutls_priority_init(&p, policies[i].priority, NULL);

		/* Only a session shows that no version was forbidden away. */
		if (!err)
			err = gnutls_init(&s, GNUTLS_SERVER);
		if (!err)
			err = gnutls_priority_set(s, p);
		if (s)
			gnutls_deinit(s);
		if (p)
			gnutls_priority_deinit(p);
		if (err) {
			*reterr_name = policies[i].name;
			return ERR_UNSUPPORTED;
		}
	}
	return 0;
}
