/*
 * What a fuzz target gives: one function, called with arbitrary bytes by
 * libFuzzer or by the replay of the corpus (fuzz/main.c). It must return 0,
 * keep nothing between calls, and call fuzz_check for each property that must
 * hold, which ends the program when it does not.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Run the unit under test on size bytes at data (not NUL-terminated). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The property cond must hold, or this input is a finding. */
#define fuzz_check(cond)                                               \
	do {                                                           \
		if (!(cond)) {                                         \
			(void)fprintf(stderr, "%s:%d: not true: %s\n", \
				      __FILE__, __LINE__, #cond);      \
			abort();                                       \
		}                                                      \
	} while (0)
