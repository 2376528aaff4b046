/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that look random and are the same everywhere for the same seed (splitmix64): for tests, shuffles and
 * generated content. Not for secrets.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* What splitmix64 makes of its counter. */
static inline uint64_t random_mix(uint64_t z)
{
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/* The next number; *@state is the seed at first. */
static inline uint64_t random_next(uint64_t *state)
{
        return random_mix(*state += RANDOM_STEP);
}

/* One of 0 to @bound - 1; @bound is at least 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
        return random_next(state) % bound;
}

#endif
