/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario: a strict JSON file that says what a server does and what a good client makes of it. Reading finds all
 * that is wrong in one go, each with a JSON pointer. The format is described in docs/scenarios.md.
 */
#ifndef FAKEPROXY_SCENARIO_H
#define FAKEPROXY_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "fakeproxy/emulate.h"
#include "fakeproxy/rule.h"
#include "image/generated.h"
#include "protocol/document.h"

/* Bounds of a file: bytes, levels of nesting, characters of a number. */
#define SCENARIO_SIZE_MAX ((size_t)1024 * 1024)
#define SCENARIO_NESTING_MAX 16
#define SCENARIO_NUMBER_MAX ((size_t)32)

/* The level of a scenario, as of a server check. */
enum scenario_level {
        SCENARIO_MUST = 0,
        SCENARIO_SHOULD,
        SCENARIO_INFO,
};

/* What a good client does. */
enum scenario_must {
        CLIENT_SUCCEEDS = 1,
        CLIENT_FAILS,
        CLIENT_EITHER,
};

struct scenario_client {
        enum scenario_must must;
        uint64_t within_s;              /* seconds of the client's own; 0: not said */
        const char *const *mention;     /* texts that its output must have, ended by NULL; NULL: none */
        const char *const *not_mention; /* and those that it must not have */
        bool has_calls_at_most;
        uint64_t calls_at_most;
        bool no_result; /* it leaves nothing behind, also when it succeeds */
};

/* How the server behind the interposer is started: NULL members change nothing. */
struct scenario_upstream {
        const char *const *without; /* flags ("--NAME") that are left out with their values, ended by NULL */
        const char *const *with;    /* words behind the subcommand's flags, ended by NULL */
        const char *const *with_global;  /* words before the subcommand, ended by NULL */
        struct json_object *environment; /* variables: a string sets one, null unsets it */
        const char *since;               /* the release from which on it does what is told; NULL: any */
};

/* Everything in it is the scenario's own. */
struct scenario {
        const char *name, *about;
        const char *group;     /* NULL: none */
        const char *reference; /* an anchor of docs/protocol.md; NULL: none */
        enum scenario_level level;
        const char *breaks;  /* the id of the server check that must notice; NULL: none */
        const char *emulate; /* as written; NULL: EMULATE_DEFAULT */
        struct emulation emulation;
        uint64_t seed;
        struct behaviours with;
        const char *fixture;           /* what fake:scenario is; NULL: the generated image */
        struct generated_recipe image; /* where fixture is NULL */
        const struct rule *rules;
        size_t n_rules;
        bool has_client;
        struct scenario_client client;
        bool has_upstream;
        struct scenario_upstream upstream;
        struct json_object *registry, *files; /* for the client suite, which judges them; NULL: none */
};

/*
 * Reads @len bytes of text. @name is what the scenario must be called (NULL: anything). Returns 0; -EINVAL, and
 * @problems has all that is wrong; -ENOMEM.
 */
int scenario_parse(const char *text, size_t len, const char *name, struct scenario **ret,
                   struct problems *problems);

/*
 * Reads a file, whose name without ".json" must be the scenario's. What cannot be read is a problem like any
 * other. Returns as scenario_parse.
 */
int scenario_read(const char *path, struct scenario **ret, struct problems *problems);

/* Whether anything in it can hold only beside an upstream. */
bool scenario_needs_upstream(const struct scenario *scenario);

void scenario_free(struct scenario *scenario);
DEFINE_CLEANUP(struct scenario *, scenario_free);

/* ---- schema.c ---- */

/* Writes the JSON Schema of the format. Returns 0 or -ENOMEM. */
int scenario_print_schema(FILE *to);

/* Writes the tables of docs/scenarios.md, in Markdown. */
void scenario_print_format(FILE *to);

#endif
