/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a scenario smaller as long as something stays true of it: whole rules are left out, then members, then numbers
 * and texts become simpler.
 */
#ifndef FUZZ_REDUCE_H
#define FUZZ_REDUCE_H

#include <json-c/json.h>
#include <stddef.h>

#include "base/deadline.h"

/* Whether what is looked for still happens; 0 too for what is no scenario. Negative errno: could not tell, and it ends. */
typedef int (*reduce_test)(void *data, struct json_object *scenario);

/*
 * *@scenario, for which @test is true, is replaced by ever smaller ones until none is found or @deadline has passed.
 * Returns 0, what @test has returned below 0, or -ENOMEM; *@scenario is good in any case. *@ret_tries (may be NULL): how
 * often @test was asked.
 */
int reduce(struct json_object **scenario, reduce_test test, void *data, struct deadline deadline,
           size_t *ret_tries);

#endif
