/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a run: a table of oracles, each a function that looks at what came of a sequence. Two
 * faults with the same key have the same cause.
 */
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "fuzz/drive.h"
#include "fuzz/images.h"
#include "fuzz/step.h"

#define FAULT_KEY_SIZE 200
#define FAULT_SENTENCE_SIZE 600

struct fault {
        const struct oracle *oracle;
        char key[FAULT_KEY_SIZE];           /* "panic main.(*proxyHandler).FinishPipe": safe text */
        char sentence[FAULT_SENTENCE_SIZE]; /* safe text */
        size_t step;                        /* the step with which it showed */
        double after; /* seconds after the run's start at which the engine's worker saw it */
};

/* A run, as oracles look at it. */
struct evidence {
        const struct sequence *sequence;
        const struct run *run;
        const struct fuzz_images *images;
};

struct oracle {
        const char *name;  /* "panic" */
        const char *about; /* one sentence: what it means for a user */
        /* True with @ret where the run is at fault; the first fault is enough. */
        bool (*judge)(const struct evidence *evidence, struct fault *ret);
};

extern const struct oracle oracles[];
extern const size_t n_oracles;

/* A list of @table for --help. */
void oracles_print(const struct oracle *table, size_t n, FILE *out);

/* Asks all. Up to @max faults go to @ret, and how many is returned. */
size_t oracles_judge(const struct evidence *evidence, struct fault *ret, size_t max);

#endif
