// SPDX-License-Identifier: GPL-2.0
#include <net/genetlink.h>

struct genl_multicast_group probe = {.flags = GENL_UNS_ADMIN_PERM};
