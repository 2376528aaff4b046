/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries a client in a scenario that is in memory, as the client suite would in one from a file: in a world of its own, with a
 * deadline, judged by the same judge. What it says becomes faults with keys.
 */
#ifndef FUZZ_CLIENT_TRY_H
#define FUZZ_CLIENT_TRY_H

#include <json-c/json.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "conformance/client.h"
#include "fuzz/engine.h"
#include "fuzz/harm.h"

struct client_try;

struct client_try_options {
        const struct client *client; /* borrowed */
        const char *folder;          /* a private one, which is there */
        unsigned seconds;            /* the client has so many of its own in each scenario */
};

/* For one process: it takes the signals that ask to end. 0 or a negative errno with @error. */
int client_try_new(const struct client_try_options *options, struct client_try **ret, struct cip_error *error);
void client_try_free(struct client_try *try);
DEFINE_CLEANUP(struct client_try *, client_try_free);

/* What came of it. */
struct client_trial {
        struct piece piece;
        enum scenario_must must;
        char words[HARM_WORDS_SIZE]; /* what does harm in it */
        const char *outcome;         /* "pass", "fail", "skip"; static */
        char *output, *transcript;   /* of what is at fault; may be NULL */
        char *scenario;              /* the text, with what was expected */
};

void client_trial_clear(struct client_trial *trial);
static inline void cleanup_client_trial(struct client_trial *trial)
{
        client_trial_clear(trial);
}

/* When to give up. */
struct client_limit {
        int stop_fd; /* readable: at once; -1: none */
        struct deadline deadline;
};

/*
 * Runs the client in @scenario, which stays as it is. Returns 0 with *@ret; -EINTR: a limit was reached, or a signal came, in
 * which case it has been raised again for the caller; -EINVAL: it is no scenario that can be tried; another negative errno
 * with @error: the client cannot be started or judged.
 */
int client_try(struct client_try *try, struct json_object *scenario, const struct client_limit *limit,
               struct client_trial *ret, struct cip_error *error);

/*
 * Adds to @scenario what is expected of a client in it, and returns its text, as it would be tried; borrowed from
 * @scenario.
 */
const char *client_scenario_text(const struct client_try *try, struct json_object *scenario);

/* Whether two keys have the same symptom: they are equal up to what was found to do harm. */
bool client_same_symptom(const char *key, const char *other);

/* What the faults are, for --help. */
extern const struct oracle client_oracles[];
extern const size_t n_client_oracles;

#endif
