/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hunt for faults with sequences of a model: what `server` and `diff` have in common. The way of trying a sequence is what
 * differs: on one server, judged by oracles, or on two, compared.
 */
#ifndef FUZZ_HUNT_H
#define FUZZ_HUNT_H

#include "fuzz/causes.h"
#include "fuzz/commands.h"
#include "fuzz/finding.h"
#include "fuzz/model.h"

struct hunt;

/* What is tried, and what came of it. */
struct trial {
        const struct sequence *sequence;
        const char *transcript; /* a file to write, or NULL */
        int stop_fd;            /* or -1 */
        struct piece piece;     /* what came */
        char *stderr_text;      /* the server's, owned; NULL: none */
};

struct hunt_way {
        const char *command; /* "server": its name */
        /* Makes what trying needs: servers that are ready, in a folder called @name. */
        int (*begin)(struct hunt *hunt, const char *name, size_t ready, void **ret_state,
                     struct cip_error *error);
        int (*try)(struct hunt *hunt, void *state, struct trial *trial, struct cip_error *error);
        void (*end)(void *state);
};

struct hunt {
        struct fuzz_settings settings; /* the first member, for option tables */
        const struct hunt_way *way;
        struct subject subject; /* the server, */
        struct subject other;   /* and what it is compared with; command NULL: nothing */
        struct ground ground;
        struct probe probe;
        struct baseline *baseline;
        struct model_options model;
        void *state; /* for minimising, in this process */
        struct causes causes;
        int error; /* of writing a finding */
};

/* Makes folders and images, and looks at the server. Returns 0, or the exit status, and has said why. */
int hunt_prepare(struct hunt *hunt);

/* All of it. Returns the exit status. */
int hunt_run(struct hunt *hunt);

void hunt_clear(struct hunt *hunt);

/* What a run came to, judged by the oracles, for a way with one server. */
void hunt_judge(struct hunt *hunt, const struct sequence *sequence, const struct run *run, struct piece *ret);

/* Whether a trial has a fault of that key (NULL: any); it goes to @ret. */
bool trial_has_fault(const struct trial *trial, const char *key, struct fault *ret);

extern const struct hunt_way hunt_server, hunt_diff;

#endif
