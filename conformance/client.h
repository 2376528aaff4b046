/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a client in one scenario: a folder of its own with a program `skopeo` in front of PATH, a closed world, a
 * deadline, and what came of it all. client-judge.c judges.
 */
#ifndef CONFORMANCE_CLIENT_H
#define CONFORMANCE_CLIENT_H

#include "conformance/context.h"
#include "conformance/scenarios.h"
#include "conformance/subject.h"
#include "conformance/verdict.h"

/* The client that is judged. The subject's command has {ref}, and may have {result}. */
struct client {
        struct subject subject;
        const char *fake;      /* absolute path of cip-fakeproxy */
        const char *reference; /* what {ref} becomes */
        bool has_result;       /* it writes an OCI layout .. */
        const char *result;    /* .. there, below its HOME; NULL: to {result} */
        double patience;       /* seconds that a client gets beyond its scenario's own */
        const char *skopeo;    /* absolute path of a real one, for scenarios with a registry; NULL: .. */
        const char *no_skopeo; /* .. this is why */
};

/* One run of it, as it is judged. */
struct visit {
        struct check_context *c;
        const struct client *client;
        const struct scenario_case *detail;
        const char *reference;
        const char *bin, *verdicts, *records, *result; /* paths in the check's folder */
        const char *server; /* how the script begins that is `skopeo`: exports and a command */
        char *output;       /* stdout and stderr, NUL-terminated; its middle may be missing */
        size_t output_len;
        bool hung;
        int status; /* of waitpid */
        double seconds;
        size_t n_started; /* how often `skopeo` was */
        size_t n_left;    /* processes that it left behind */
        char left[64];    /* the name of one */
        struct verdicts seen;
        char *shortfalls; /* sentences, or NULL */
};

/* A check's function: runs the client that the context's subject is in the scenario that its check is. */
void client_run(struct check_context *c);

/* Judges a visit: ends the process where the client falls short, or has nothing to be judged. */
void client_judge(struct visit *visit);

/* The command with {ref} and {result} replaced; an array from malloc whose strings are too. NULL: no memory. */
char **client_argv(const char *const *command, const char *reference, const char *result);

/* Whether a word of the command has @placeholder. */
bool client_has_placeholder(const char *const *command, const char *placeholder);

#endif
