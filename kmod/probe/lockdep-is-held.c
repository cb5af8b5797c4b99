// SPDX-License-Identifier: GPL-2.0
#include <linux/lockdep.h>
#include <linux/mutex.h>

int probe(struct mutex *m);
int probe(struct mutex *m)
{
	return lockdep_is_held(m);
}
