/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model makes the same of the same seed, leaves no method and no kind of step out, and names what is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/testing.h"
#include "base/tmpdir.h"
#include "fuzz/model.h"
#include "protocol/method.h"

#define SEQUENCES 600

static char *folder;
static struct fuzz_images *images;

static void setup(void)
{
        struct cip_error error = {0};

        ck_assert_ok(tmpdir_new("test-model", &folder, &error));
        ck_assert_msg(fuzz_images_make(folder, &images, &error) == 0, "%s", error.message);
}

static void teardown(void)
{
        fuzz_images_free(images);
        tmpdir_remove(folder);
}

static struct sequence *make(uint64_t seed, uint64_t number)
{
        return model_sequence(&(struct model_options){.images = images, .version = {0, 2, 8}, .seed = seed},
                              number);
}

static char *text_of(uint64_t seed, uint64_t number)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(seed, number);
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        ck_assert_ptr_nonnull(sequence);
        ck_assert_ok(sequence_write(sequence, out));
        fclose(out);
        return text;
}

START_TEST(test_the_same_seed_makes_the_same)
{
        for (uint64_t i = 0; i < 50; i++) {
                CLEANUP(cleanup_free) char *one = text_of(5, i);
                CLEANUP(cleanup_free) char *two = text_of(5, i);
                CLEANUP(cleanup_free) char *other = text_of(6, i);

                ck_assert_str_eq(one, two);
                ck_assert_str_ne(one, other);
        }
}
END_TEST

START_TEST(test_every_method_and_kind_comes)
{
        bool seen_methods[METHODS] = {false}, seen_kinds[STEP_KINDS] = {false}, seen_fds[STEP_FDS] = {false};
        bool pipelined = false, leaves = false, seen_images[256] = {false};

        for (uint64_t i = 0; i < SEQUENCES; i++) {
                CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(1, i);

                for (size_t s = 0; s < sequence->n_steps; s++) {
                        const struct step *step = &sequence->steps[s];

                        seen_kinds[step->kind] = true;
                        pipelined |= step->pipelined;
                        leaves |= step->leave;
                        for (size_t f = 0; f < step->n_fds; f++)
                                seen_fds[step->fds[f]] = true;
                        for (size_t m = 0; m < METHODS && step->kind == STEP_SEND; m++) {
                                char word[64];

                                snprintf(word, sizeof(word), "\"%s\"", methods[m].name);
                                seen_methods[m] |= memmem(step->text, step->len, word, strlen(word)) != NULL;
                        }
                        for (size_t m = 0; m < images->n_images && step->kind == STEP_SEND; m++)
                                seen_images[m] |= memmem(step->text, step->len, images->images[m].reference,
                                                         strlen(images->images[m].reference)) != NULL;
                }
        }
        for (size_t m = 0; m < METHODS; m++)
                ck_assert_msg(seen_methods[m], "%s never comes", methods[m].name);
        for (size_t k = 0; k < STEP_KINDS; k++)
                ck_assert_msg(seen_kinds[k], "kind %zu never comes", k);
        for (size_t f = 0; f < STEP_FDS; f++)
                ck_assert_msg(seen_fds[f], "descriptor %zu never comes", f);
        for (size_t m = 0; m < images->n_images; m++)
                ck_assert_msg(seen_images[m], "%s never comes", images->images[m].reference);
        ck_assert(pipelined && leaves);
}
END_TEST

START_TEST(test_steps_are_about_pipes_that_may_be_there)
{
        for (uint64_t i = 0; i < SEQUENCES; i++) {
                CLEANUP(cleanup_sequence_free) struct sequence *sequence = make(2, i);
                size_t requests = 0;

                for (size_t s = 0; s < sequence->n_steps; s++) {
                        const struct step *step = &sequence->steps[s];

                        /* No request opens more than two. */
                        requests += step->kind == STEP_SEND;
                        if (step->kind == STEP_READ || step->kind == STEP_DROP)
                                ck_assert(step->pipe >= 1 && step->pipe <= 2 * requests);
                        /* Nothing comes behind the end. */
                        if (step->kind == STEP_HANG_UP)
                                ck_assert_uint_eq(s, sequence->n_steps - 1);
                }
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("model");
        TCase *tcase = testing_case(suite, "model");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, test_the_same_seed_makes_the_same);
        tcase_add_test(tcase, test_every_method_and_kind_comes);
        tcase_add_test(tcase, test_steps_are_about_pipes_that_may_be_there);
        return testing_main(suite);
}
