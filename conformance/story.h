/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario told as a story: who sends what, and when.
 */
#ifndef CONFORMANCE_STORY_H
#define CONFORMANCE_STORY_H

#include <stdio.h>

#include "conformance/scenarios.h"

/* Which image the server has, and what it does at what, a numbered line for each rule. Every line has @indent. */
void story_print(const struct scenario *scenario, const char *indent, FILE *out);

#endif
