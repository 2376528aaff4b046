/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The causes of faults that a run has met, by their keys: each is told once, and counted.
 */
#ifndef FUZZ_CAUSES_H
#define FUZZ_CAUSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "fuzz/oracle.h"

#define CAUSES_MAX 256

struct cause {
        char key[FAULT_KEY_SIZE];
        const char *known; /* the baseline's sentence, borrowed; NULL: it is new */
        uint64_t times;
        double after;   /* seconds after the start at which the first was seen */
        size_t same_as; /* another one's number, plus 1, that it turned out to be; 0: none */
};

struct causes {
        struct cause causes[CAUSES_MAX];
        size_t n, n_new;
};

/* Counts a fault. Returns its cause where it is the first of it, else NULL (also where there is no room). */
struct cause *causes_count(struct causes *causes, const struct fault *fault);

/* Says that a cause is known to a baseline, which says so in this sentence, or (NULL) new. */
void causes_settle(struct causes *causes, struct cause *cause, const char *known);

/*
 * Says that a cause has, looked at closely, this key. Returns the cause of that key where it is the first of
 * it, else NULL.
 */
struct cause *causes_rename(struct causes *causes, struct cause *cause, const char *key);

/* A line for each, the new ones first, and where they were written to. */
void causes_print(const struct causes *causes, const char *findings, FILE *out);

#endif
