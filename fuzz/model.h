/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes sequences of steps: a model of a session (images, pipes, ids that are, were, and never will be) chooses what a
 * client could do next, right, nearly right or wrong. What it makes follows from the seed, the number, the images and the
 * version alone, and not from what a server answers.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <stdint.h>

#include "fuzz/images.h"
#include "fuzz/step.h"
#include "protocol/version.h"

struct model_options {
        const struct fuzz_images *images;
        struct version version; /* that the server announces: which methods there are */
        uint64_t seed;
        size_t max_steps; /* of one sequence, 0: the default */
};

/* The @number-th sequence. NULL without memory. */
struct sequence *model_sequence(const struct model_options *options, uint64_t number);

#endif
