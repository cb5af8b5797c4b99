/* The relay in the kernel does what a media backend must and, where there is a
 * network to its parties, withstands it. Needs the module and CAP_NET_ADMIN:
 * tests/kernel runs it in a virtual machine. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "media/kernel.h"
#include "unit/media/kernel_attacks.h"

enum { OWNERS = 4 /* more than any case has */ };

/* Flows outlive the process that made them; a case's next process wants their
 * ports. */
static struct media_backend_ops ops;
static void (*real_free)(struct media_backend *b);

static void flush_and_free(struct media_backend *b)
{
	for (uint64_t owner = 0; owner < OWNERS; owner++)
		b->ops->flush(b, owner);
	real_free(b);
}

/* Each of another instance, so that cases can run side by side. */
static int make(const struct media_socket_params *p, struct media_backend **ret)
{
	struct media_kernel_params kp = {
		.lease_s = 600, .max_flows = p->max_flows, .dscp = p->dscp};
	char why[MEDIA_WHY_MAX] = "";
	int err;

	ck_assert_int_eq(getrandom(&kp.instance, sizeof(kp.instance), 0),
			 sizeof(kp.instance));
	err = media_kernel_new(&kp, ret, why);
	if (err) {
		(void)fprintf(stderr, "%s\n", why);
		return err;
	}
	ops = *(*ret)->ops;
	real_free = ops.free;
	ops.free = flush_and_free;
	(*ret)->ops = &ops;
	return 0;
}

int main(void)
{
	const struct conform_backend b = {"kernel", make};

	bool has_network = getenv("CONFORM_NETNS") != NULL;

	return conform_run(&b, has_network ? kernel_attack_cases() : NULL)
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}
