/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a good client makes of a scenario that nobody has thought about: it must succeed where nothing in it does harm, must
 * fail where something does that no client can do without, and else does either, in time and with the right result. Errs
 * on the side of either.
 */
#ifndef FUZZ_HARM_H
#define FUZZ_HARM_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "fakeproxy/scenario.h"

/* Bytes of the words that name what does harm. */
#define HARM_WORDS_SIZE 96

/*
 * Judges @scenario, which can be parsed. *@ret_words is the first thing in it that does harm, or else that is there at all:
 * "GetBlob data.corrupt"; for the keys of faults.
 */
enum scenario_must harm_expect(struct json_object *scenario, char ret_words[HARM_WORDS_SIZE]);

/* Whether a server that does not stall for ever is done with it in a few seconds. */
bool harm_is_bounded(struct json_object *scenario);

/* Puts in what is expected: the client's end within @seconds. */
void harm_add_client(struct json_object *scenario, enum scenario_must must, unsigned seconds);

#endif
