/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes scenarios by chance: a member of each object of the format may be there with a value of its kind, as the tables of
 * the format have it, so that what the format learns is fuzzed at once. What the format then refuses is taken out again.
 * A scenario follows from its seed and number alone.
 */
#ifndef FUZZ_INVENT_H
#define FUZZ_INVENT_H

#include <json-c/json.h>
#include <stdint.h>

/*
 * The @number-th scenario, without what is expected of a client (harm.h). It can be parsed and does not keep a client for
 * longer than a few seconds unless it stalls for ever. The caller puts it. NULL without memory.
 */
struct json_object *invent_scenario(uint64_t seed, uint64_t number);

/* Takes out of @scenario whatever the format refuses. Returns 0, or -ENOMEM. */
int invent_repair(struct json_object *scenario);

#endif
