/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of steps, and transcripts read as such. What was read is written as steps, and read again, and written again, and
 * stays the same; a copy is the same too, and no descriptor is open afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/step.h"
#include "fuzz/target.h"

struct text {
        char *data;
        size_t len;
};

static void cleanup_text(struct text *text)
{
        free(text->data);
}

static void write_sequence(const struct sequence *sequence, struct text *ret)
{
        FILE *out = open_memstream(&ret->data, &ret->len);

        target_that(out && sequence_write(sequence, out) == 0 && fclose(out) == 0, "cannot write the steps");
}

static void judge_step(const struct step *step)
{
        target_that(step->kind < STEP_KINDS, "a step is of no kind");
        target_that((step->kind == STEP_SEND) == (step->text != NULL), "a step has a packet too few or many");
        target_that(step->n_fds == 0 || step->kind == STEP_SEND, "descriptors go along with no packet");
        target_that(step->pipe > 0 || (step->kind != STEP_READ && step->kind != STEP_DROP),
                    "a step of a pipe does not say which");
}

static void same_text(const struct text *a, const struct text *b, const char *what)
{
        target_that(a->len == b->len && memcmp(a->data, b->data, a->len) == 0, "%s:\n%s%s", what, a->data,
                    b->data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_sequence_free) struct sequence *first = NULL, *second = NULL, *copy = NULL;
        CLEANUP(cleanup_text) struct text once = {0}, twice = {0}, copied = {0};
        struct cip_error error = {0};

        if (sequence_parse("input", (const char *)data, size, &first, &error) < 0) {
                target_that(*error.message, "steps were refused without a word");
                return 0;
        }
        target_that(first->n_steps > 0, "there is no step");
        for (size_t i = 0; i < first->n_steps; i++)
                judge_step(&first->steps[i]);
        write_sequence(first, &once);
        target_that(sequence_parse("written", once.data, once.len, &second, &error) == 0,
                    "what was written is refused: %s\n%s", error.message, once.data);
        target_that(second->n_steps == first->n_steps, "%zu steps became %zu", first->n_steps, second->n_steps);
        write_sequence(second, &twice);
        same_text(&once, &twice, "written twice they are others");
        copy = sequence_copy(second, NULL);
        target_that(copy, "no memory");
        write_sequence(copy, &copied);
        same_text(&once, &copied, "the copy is another one");
        return 0;
}
