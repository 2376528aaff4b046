/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `diff`: the same sequences to two servers, compared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fuzz/compare.h"
#include "fuzz/hunt.h"

static const struct option_row rows[] = {
        {"time", "SECONDS", "how long (default: until Ctrl-C, or until --steps)", take_time},
        {"steps", "N", "end after about so many steps", take_steps},
        {"seed", "N", "the same seed makes the same sequences (default: by chance; it is printed)", take_seed},
        {"jobs", "N", "sessions at once (default: one for each processor)", take_jobs},
        {"deadline", "SECONDS", "how long an answer may take (default: 10)", take_deadline},
        {"findings", "DIR", "where differences are written (default: findings)", take_findings},
        {"help", NULL, "print this", take_help},
};
const struct option_table diff_options = {rows, ARRAY_SIZE(rows)};

/* ---- the way of two servers ---- */

struct pair {
        struct stable *a, *b;
};

static void end(void *state)
{
        struct pair *pair = state;

        stable_free(pair->a);
        stable_free(pair->b);
        free(pair);
}

static int begin(struct hunt *hunt, const char *name, size_t ready, void **ret_state, struct cip_error *error)
{
        struct pair *pair = calloc(1, sizeof(*pair));
        char other[64];
        int r;

        if (!pair)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot begin");
        snprintf(other, sizeof(other), "%.40s-other", name);
        r = ground_stable(&hunt->ground, &hunt->subject, name, ready, &pair->a, error);
        if (r == 0)
                r = ground_stable(&hunt->ground, &hunt->other, other, ready, &pair->b, error);
        if (r < 0)
                end(pair);
        else
                *ret_state = pair;
        return r;
}

static int try_sequence(struct hunt *hunt, void *state, struct trial *trial, struct cip_error *error)
{
        struct drive_options options = {.deadline = hunt->settings.deadline,
                                        .stop_fd = trial->stop_fd,
                                        .transcript = trial->transcript};
        struct pair *pair = state;
        struct run a = {0}, b = {0};
        int r = drive(pair->a, trial->sequence, &options, &a, error);

        options.transcript = NULL;
        if (r == 0)
                r = drive(pair->b, trial->sequence, &options, &b, error);
        if (r == 0) {
                trial->piece.steps = a.end_step ? a.end_step : 1;
                trial->piece.slowest = a.slowest > b.slowest ? a.slowest : b.slowest;
                trial->piece.n_faults = runs_differ(trial->sequence, &a, &b, &trial->piece.faults[0]);
                trial->stderr_text = STEAL(a.stderr_text);
        }
        run_clear(&a);
        run_clear(&b);
        return r;
}

const struct hunt_way hunt_diff = {"diff", begin, try_sequence, end};

/* ---- the command ---- */

static void print_help(void)
{
        puts("Usage: cip-fuzz diff [options] -- COMMAND_A .. -- COMMAND_B ..\n\n"
             "Does the same to both servers and compares what comes: packets, pipes, ends.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        puts("\nWhat may differ:");
        for (size_t i = 0; i < n_allowances; i++)
                printf("  %s:\n      %s\n", allowances[i].what, allowances[i].reason);
        puts("\nExit status: 0 no difference, 1 a difference, 2 wrong use or environment, 130 after Ctrl-C.\n\n"
             "  cip-fuzz diff --steps 10000 -- skopeo -- cip-fakeproxy --emulate 1.9.3");
}

/* Takes "A .. -- B .." apart. The caller frees *@ret_first, whose strings are borrowed. */
static int split(const char *const *words, const char ***ret_first, const char *const **ret_second)
{
        size_t n = 0;
        const char **first;

        while (words[n] && strcmp(words[n], "--") != 0)
                n++;
        if (n == 0 || !words[n] || !words[n + 1])
                return -EINVAL;
        first = calloc(n + 1, sizeof(*first));
        if (!first)
                return -ENOMEM;
        memcpy(first, words, n * sizeof(*first));
        *ret_first = first;
        *ret_second = words + n + 1;
        return 0;
}

int command_diff(const char *const *argv)
{
        CLEANUP(cleanup_free) struct hunt *hunt = calloc(1, sizeof(*hunt));
        CLEANUP(cleanup_free) const char **first = NULL;
        struct cip_error error = {0};
        const char *const *second;
        bool dashes;
        int r;

        if (!hunt)
                return fail_usage("out of memory");
        fuzz_settings_init(&hunt->settings);
        hunt->settings.no_known = true;
        r = options_parse(rows, ARRAY_SIZE(rows), argv, hunt, &dashes, &error);
        if (r < 0)
                return fail_usage("diff: %s", error.message);
        if (hunt->settings.help) {
                print_help();
                return EXIT_FINE;
        }
        if (split(argv + r, &first, &second) < 0)
                return fail_usage(
                        "diff: give two servers: cip-fuzz diff -- skopeo -- cip-fakeproxy --emulate 1.9.3");
        fuzz_settings_complete(&hunt->settings);
        hunt->way = &hunt_diff;
        hunt->subject = (struct subject){.command = first};
        hunt->other = (struct subject){.command = second};
        r = hunt_prepare(hunt);
        if (r == 0)
                r = hunt_run(hunt);
        hunt_clear(hunt);
        return r;
}
