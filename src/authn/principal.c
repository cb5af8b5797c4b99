#include "authn/principal.h"

#include "base/text.h"

const char *principal_kind_str(enum principal_kind k)
{
	static const char *const name[] = {
		[PRINCIPAL_NONE] = "none",     [PRINCIPAL_CERT] = "certificate",
		[PRINCIPAL_DIGEST] = "digest", [PRINCIPAL_ADDR] = "address",
		[PRINCIPAL_TRUNK] = "trunk",
	};

	return name[k];
}

const char *principal_level_str(enum principal_level l)
{
	static const char *const name[] = {
		[PRINCIPAL_NONSECURE] = "nonsecure",
		[PRINCIPAL_AUTHENTICATED] = "authenticated",
		[PRINCIPAL_ENCRYPTED] = "encrypted",
	};

	return name[l];
}

const char *authn_verdict_str(enum authn_verdict v)
{
	static const char *const name[] = {
		[AUTHN_OK] = "ok",	   [AUTHN_CHALLENGE] = "challenge",
		[AUTHN_STALE] = "stale",   [AUTHN_WRONG] = "wrong",
		[AUTHN_REFUSE] = "refuse",
	};

	return name[v];
}

bool principal_is_device(const struct principal *p, struct slice name)
{
	return p->kind != PRINCIPAL_NONE && p->kind != PRINCIPAL_TRUNK &&
	       p->device.len > 0 && text_ieq(p->device, name);
}
