/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario of the fake registry: a strict JSON file that says where it listens, what it serves to whom, and
 * what it does wrong. Reading finds all that is wrong with a file in one go, each with a JSON pointer. It is
 * the brother of the fake proxy's, with a schema of its own. docs/fake-registry.md
 */
#ifndef FAKEREGISTRY_SCENARIO_H
#define FAKEREGISTRY_SCENARIO_H

#include <stddef.h>
#include <stdio.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "fakeregistry/registry.h"
#include "protocol/document.h"

/* Bounds of a file: bytes, levels of nesting. */
#define REGISTRY_SCENARIO_SIZE_MAX ((size_t)1024 * 1024)
#define REGISTRY_SCENARIO_NESTING_MAX 16

/* Everything in it is the scenario's own, and has to live as long as a registry that was started with it. */
struct registry_scenario {
        const char *name, *about;
        struct registry_config config;
};

/*
 * Reads @len bytes of text. @name is what the scenario must be called (NULL: anything). Returns 0; -EINVAL, and
 * @problems has all that is wrong; -ENOMEM.
 */
int registry_scenario_parse(const char *text, size_t len, const char *name, struct registry_scenario **ret,
                            struct problems *problems);

/*
 * Reads a file, whose name without ".json" must be the scenario's. What cannot be read is a problem like any
 * other. Returns as registry_scenario_parse.
 */
int registry_scenario_read(const char *path, struct registry_scenario **ret, struct problems *problems);

void registry_scenario_free(struct registry_scenario *scenario);
DEFINE_CLEANUP(struct registry_scenario *, registry_scenario_free);

/* Writes the JSON Schema of the format. Returns 0 or -ENOMEM. */
int registry_scenario_print_schema(FILE *to);

/* Writes the tables of docs/fake-registry.md, in Markdown. */
void registry_scenario_print_format(FILE *to);

#endif
