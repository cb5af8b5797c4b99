// SPDX-License-Identifier: GPL-2.0
#include <net/flow.h>

struct flowi4 probe = {.flowi4_dscp = 0};
