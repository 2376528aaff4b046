/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fake saw of its client, as a JSON file: calls in order, pipes and what became of them, rules and how
 * often they fired, the end. The file is replaced whole, soon after each change and at the end, so that it can be
 * read at any moment. docs/scenarios.md#verdict
 */
#ifndef FAKEPROXY_VERDICT_H
#define FAKEPROXY_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "fakeproxy/rule.h"

struct verdict;

/* What stands in it from the start. Borrowed for as long as the verdict is there. */
struct verdict_start {
        const char *scenario; /* NULL: none */
        const char *emulate;
        uint64_t seed;
        const struct rule *rules;
        size_t n_rules;
};

/* Writes the first one to @path. Returns 0, or a negative errno with @error. */
int verdict_new(const char *path, const struct verdict_start *start, struct verdict **ret,
                struct cip_error *error);

/* Every function below takes NULL for @verdict and does nothing then. */
void verdict_free(struct verdict *verdict);
DEFINE_CLEANUP(struct verdict *, verdict_free);

/* A packet came; @method is "" where it is no request. */
void verdict_call(struct verdict *verdict, const char *method, size_t n_descriptors);

/* The last call was answered. */
void verdict_answer(struct verdict *verdict, bool success);

/* A pipe was opened by the last call. Returns its number, from 1 on; 0: it is not kept. */
size_t verdict_pipe(struct verdict *verdict, uint32_t id);

/* What became of it so far. */
void verdict_pipe_is(struct verdict *verdict, size_t number, uint64_t bytes, bool finished, bool reader_gone);

void verdict_fired(struct verdict *verdict, size_t rule);
void verdict_images(struct verdict *verdict, size_t n_open);

/* Something has changed that is told later. */
void verdict_touch(struct verdict *verdict);

/* How the session ended; the first one counts. Writes the file. */
void verdict_end(struct verdict *verdict, const char *ended, int status);

/* Writes the file if something has changed and the last time is a moment ago, or with @now in any case. */
void verdict_write(struct verdict *verdict, bool now);

/*
 * Whether it is small enough to be written before each answer, so that a client which kills the server as soon as it
 * has one finds nothing missing. A larger one follows with a little delay.
 */
bool verdict_is_small(const struct verdict *verdict);

/* When verdict_write will have something to do; UINT64_MAX: not before something changes. */
uint64_t verdict_wake_ns(const struct verdict *verdict);

#endif
