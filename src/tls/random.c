#include "tls/random.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

int tls_global_init(void)
{
	uint8_t probe[16];

	if (gnutls_global_init() < 0 ||
	    gnutls_rnd(GNUTLS_RND_RANDOM, probe, sizeof(probe)) < 0)
		return ERR_IO;
	return 0;
}

/* Without randomness every tag, nonce and key would be a guess: there is
 * nothing safe left to do. */
static void fill(void *ctx, uint8_t *buf, size_t len)
{
	(void)ctx;
	if (len > 0 && gnutls_rnd(GNUTLS_RND_RANDOM, buf, len) < 0)
		abort();
}

struct entropy tls_entropy(void)
{
	return (struct entropy){.fill = fill};
}
