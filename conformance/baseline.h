/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baselines: what released servers are known to do wrong, so that a run tells what is new from what is old. A
 * JSON file, read strictly:
 *
 *   {"baseline": 1, "entries": [
 *     {"check": ID, "releases": ["1.9.3", "1.18.0..1.22.0", "0.2.6"], "defect": SENTENCE, "effect": SENTENCE,
 *      "reproducer": COMMAND, "shows": TEXT, "reference": TEXT}]}
 *
 * A release with a major number of 0 is a version of the protocol, any other one is a release of skopeo, as
 * `COMMAND --version` says. A..B is from A to B, both included. An optional "mention" is a text that the
 * shortfall's message must have for the entry to fit, an optional "transcript" names a file that shows it,
 * and an optional "sometimes", true, says that it depends on chance: then a pass is a pass, and not fixed. "effect"
 * is what the defect does to a user. "reproducer" is a command line for sh that shows the defect, with skopeo on PATH
 * being the server; "shows" is what its output then has, and has not where there is no such defect.
 *
 * A client's baseline has "scenario" in place of "check", its releases are the client's, as --release says, and
 * "effect" and "reproducer" are optional.
 */
#ifndef CONFORMANCE_BASELINE_H
#define CONFORMANCE_BASELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "conformance/catalogue.h"

struct release_range {
        struct version first, last;
};

struct baseline_entry {
        const struct check *check;
        struct release_range *releases;
        size_t n_releases;
        char *defect, *reference;
        char *effect, *reproducer;          /* NULL in a client's, and where a report does not have them */
        char *mention, *transcript, *shows; /* may be NULL */
        char *faults;   /* globs over keys of cip-fuzz's faults, '|' between them; may be NULL */
        bool sometimes; /* a pass does not mean that it is fixed */
};

struct baseline {
        char *name; /* the file's name, for messages */
        struct baseline_entry *entries;
        size_t n_entries;
};

/* Reads a file. Returns 0, or a negative errno with @error, which names the file and what is wrong there. */
int baseline_load(const struct catalogue *catalogue, const char *path, struct baseline **ret,
                  struct cip_error *error);

/* Reads a text, called @name in messages. */
int baseline_parse(const struct catalogue *catalogue, const char *name, const char *text, size_t len,
                   struct baseline **ret, struct cip_error *error);

/* The baseline that this program was built with: conformance/known/skopeo.json. */
int baseline_built_in(struct baseline **ret, struct cip_error *error);

void baseline_free(struct baseline *baseline);
DEFINE_CLEANUP(struct baseline *, baseline_free);

/* Whether the entry is about a server of this protocol and release ("" where it has none). */
bool baseline_entry_holds(const struct baseline_entry *entry, struct version protocol, const char *release);

/*
 * The entry for a check of a server of this protocol and release ("" where it has none), or NULL. @message: the
 * shortfall's, or NULL where there is none.
 */
const struct baseline_entry *baseline_find(const struct baseline *baseline, const struct check *check,
                                           struct version protocol, const char *release, const char *message);

#endif
