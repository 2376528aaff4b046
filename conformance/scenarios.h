/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client suite's scenarios as a catalogue: a folder of scenario files, and the one that no file can tell, in
 * which there is no skopeo at all. An id is GROUP/NAME.
 */
#ifndef CONFORMANCE_SCENARIOS_H
#define CONFORMANCE_SCENARIOS_H

#include <stdio.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "conformance/catalogue.h"
#include "conformance/client-registry.h"
#include "fakeproxy/scenario.h"

/* What struct check's `detail` points to in this catalogue. */
struct scenario_case {
        const struct scenario *scenario;
        const struct client_registry *registry; /* behind a real server; NULL: the server is the fake */
        const char *path; /* absolute; NULL: the command is missing, and there is no server */
};

struct scenarios {
        struct catalogue catalogue;
        char *folder; /* as found, for messages */
        struct scenario_store *store;
};

/* The seconds that a client has where its scenario does not say. */
#define SCENARIO_WITHIN_DEFAULT 30

uint64_t scenario_within(const struct scenario *scenario);

/*
 * Reads every *.json of @folder (NULL: those that came with this program). What is wrong in the files is printed
 * to @problems, a line each. Returns 0, or a negative errno with @error.
 */
int scenarios_load(const char *folder, FILE *problems, struct scenarios **ret, struct cip_error *error);
void scenarios_free(struct scenarios *scenarios);
DEFINE_CLEANUP(struct scenarios *, scenarios_free);

/* The case of a check of this catalogue. */
const struct scenario_case *scenario_case_of(const struct check *check);

/* "It fails within 10 s and says "unexpected EOF"." */
void scenario_print_expectation(const struct scenario *scenario, FILE *out);

#endif
