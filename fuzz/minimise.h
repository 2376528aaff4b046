/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a sequence smaller as long as something stays true of it: whole steps are left out, then what is beside their
 * packets, then arguments, then bytes.
 */
#ifndef FUZZ_MINIMISE_H
#define FUZZ_MINIMISE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "fuzz/step.h"

/* Whether what is looked for still happens. Negative errno: could not tell, and it ends. */
typedef int (*minimise_test)(void *data, const struct sequence *sequence);

/*
 * *@sequence, for which @test is true, is replaced by ever smaller ones until none is found or @deadline has passed.
 * Returns 0, or what @test has returned below 0, or -ENOMEM; *@sequence is good in any case. *@ret_tries (may be NULL): how
 * often @test was asked.
 */
int minimise(struct sequence **sequence, minimise_test test, void *data, struct deadline deadline,
             size_t *ret_tries);

#endif
