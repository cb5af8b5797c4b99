/*
 * Cases for test_kernel that need a network between the relay and its parties.
 */
#pragma once

#include "unit/media/conform.h"

/* See kernel_attacks.c. */
TCase *kernel_attack_cases(void);
