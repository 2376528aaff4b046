/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `replay` and `minimize`: a finding, a file of steps or a transcript on a server of one's choice. Where it is a finding,
 * that fault is looked for; else any.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "fuzz/hunt.h"
#include "fuzz/minimise.h"

#define MINIMISE_SECONDS 600

/* The hunt is the first member, for option tables. */
struct replay {
        struct hunt hunt;
        const char *output, *transcript;
        struct sequence *sequence;
        char *key; /* NULL: any fault will do */
        struct trial trial;
};

static int take_output(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct replay *)data)->output = value;
        return 0;
}

static int take_transcript(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct replay *)data)->transcript = value;
        return 0;
}

static const struct option_row replay_rows[] = {
        {"deadline", "SECONDS", "no answer for so long, while the server sleeps, is a fault (default: 10)",
         take_deadline},
        {"transcript", "FILE", "write the session down", take_transcript},
        {"profile", "skopeo|bare", "skopeo (default) or bare: COMMAND --sockfd 3", take_profile},
        {"help", NULL, "print this", take_help},
};
const struct option_table replay_options = {replay_rows, ARRAY_SIZE(replay_rows)};

static const struct option_row minimize_rows[] = {
        {"output", "FILE", "where the steps go (default: stdout)", take_output},
        {"time", "SECONDS", "how long it may take (default: 600)", take_time},
        {"deadline", "SECONDS", "no answer for so long, while the server sleeps, is a fault (default: 10)",
         take_deadline},
        {"profile", "skopeo|bare", "skopeo (default) or bare: COMMAND --sockfd 3", take_profile},
        {"help", NULL, "print this", take_help},
};
const struct option_table minimize_options = {minimize_rows, ARRAY_SIZE(minimize_rows)};

/* Runs the steps once. 1: the fault that is looked for shows; 0: it does not; negative errno with @error. */
static int try_once(struct replay *replay, const struct sequence *sequence, const char *transcript,
                    struct cip_error *error)
{
        struct hunt *hunt = &replay->hunt;
        struct fault fault;
        int r;

        free(replay->trial.stderr_text);
        replay->trial = (struct trial){.sequence = sequence, .transcript = transcript, .stop_fd = -1};
        r = hunt->way->try(hunt, hunt->state, &replay->trial, error);
        return r < 0 ? r : trial_has_fault(&replay->trial, replay->key, &fault);
}

static int test(void *data, const struct sequence *sequence)
{
        return try_once(data, sequence, NULL, NULL);
}

/* ---- replay ---- */

static int replay_run(struct replay *replay, struct cip_error *error)
{
        int r = try_once(replay, replay->sequence, replay->transcript, error);

        if (r < 0)
                return r;
        for (size_t i = 0; i < replay->trial.piece.n_faults; i++)
                printf("%s\n  %s\n", replay->trial.piece.faults[i].key, replay->trial.piece.faults[i].sentence);
        if (r == 0 && replay->key)
                printf("It does not happen: %s\n", replay->key);
        else if (r == 0)
                puts("Nothing is wrong.");
        return r == 1 ? EXIT_FOUND : EXIT_FINE;
}

/* ---- minimize ---- */

static int write_steps(const struct replay *replay, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        FILE *out = replay->output ? open_memstream(&text, &len) : stdout;

        if (!out || sequence_write(replay->sequence, out) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -EIO, "cannot write the steps");
        if (!replay->output)
                return 0;
        fclose(out);
        return replace_file_at(AT_FDCWD, replay->output, text, len, error);
}

static int minimize_run(struct replay *replay, struct cip_error *error)
{
        double seconds = replay->hunt.settings.seconds > 0 ? replay->hunt.settings.seconds : MINIMISE_SECONDS;
        size_t before = replay->sequence->n_steps, tries = 0;
        int r = try_once(replay, replay->sequence, NULL, error);

        if (r == 0) {
                fail_usage("minimize: nothing is wrong with these steps on this server");
                return EXIT_FINE;
        }
        if (r == 1 && !replay->key && !(replay->key = strdup(replay->trial.piece.faults[0].key)))
                r = error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot minimise");
        if (r == 1)
                r = minimise(&replay->sequence, test, replay, deadline_in_seconds(seconds), &tries);
        if (r == 0)
                r = write_steps(replay, error);
        if (r < 0)
                return r;
        fprintf(stderr, "%s: %zu of %zu steps, after %zu tries\n", replay->key, replay->sequence->n_steps,
                before, tries);
        return EXIT_FOUND;
}

/* ---- both ---- */

static int prepare(struct replay *replay, const char *path, struct cip_error *error)
{
        struct hunt *hunt = &replay->hunt;
        int r = finding_read(path, &replay->sequence, &replay->key, error);

        if (r == 0)
                r = ground_make(&hunt->ground, error);
        return r < 0 ? r : hunt->way->begin(hunt, "server", 1, &hunt->state, error);
}

static void replay_clear(struct replay *replay)
{
        hunt_clear(&replay->hunt);
        sequence_free(replay->sequence);
        free(replay->trial.stderr_text);
        free(replay->key);
}

/* The servers: one, or two with "--" between them, which are compared. Returns an array to free, or NULL. */
static const char **take_servers(struct hunt *hunt, const char *const *words)
{
        size_t n = 0;
        const char **first;

        while (words[n] && strcmp(words[n], "--") != 0)
                n++;
        first = calloc(n + 1, sizeof(*first));
        if (!first)
                return NULL;
        memcpy(first, words, n * sizeof(*first));
        hunt->way = words[n] ? &hunt_diff : &hunt_server;
        hunt->subject = (struct subject){.command = first, .profile = hunt->settings.profile};
        if (words[n])
                hunt->other = (struct subject){.command = words + n + 1, .profile = hunt->settings.profile};
        return first;
}

static int command(const char *name, const struct option_row *rows, size_t n_rows, const char *about,
                   const char *const *argv, int (*run)(struct replay *replay, struct cip_error *error))
{
        CLEANUP(cleanup_free) struct replay *replay = calloc(1, sizeof(*replay));
        CLEANUP(cleanup_free) const char **words = NULL;
        struct cip_error error = {0};
        bool dashes;
        int r;

        if (!replay)
                return fail_usage("out of memory");
        fuzz_settings_init(&replay->hunt.settings);
        r = options_parse(rows, n_rows, argv, replay, &dashes, &error);
        if (r < 0)
                return fail_usage("%s: %s", name, error.message);
        if (replay->hunt.settings.help) {
                printf("Usage: cip-fuzz %s [options] FILE -- COMMAND ..\n\n%s\n\n", name, about);
                options_print(rows, n_rows, stdout);
                return EXIT_FINE;
        }
        if (dashes || !argv[r] || !argv[r + 1] || strcmp(argv[r + 1], "--") != 0 || !argv[r + 2])
                return fail_usage("%s: give a finding, and a server behind --: cip-fuzz %s FILE -- skopeo",
                                  name, name);
        words = take_servers(&replay->hunt, argv + r + 2);
        if (!words)
                return fail_usage("out of memory");
        r = prepare(replay, argv[r], &error);
        if (r == 0)
                r = run(replay, &error);
        if (r < 0)
                r = fail_usage("%s: %s", name, error.message);
        replay_clear(replay);
        return r;
}

int command_replay(const char *const *argv)
{
        return command("replay", replay_rows, ARRAY_SIZE(replay_rows),
                       "Runs the steps of a finding (its folder), of a file of steps, or of a transcript "
                       "again. Exit status 1\n"
                       "while the fault shows (for other files: any fault), 0 when it is gone.",
                       argv, replay_run);
}

int command_minimize(const char *const *argv)
{
        return command("minimize", minimize_rows, ARRAY_SIZE(minimize_rows),
                       "Leaves out of the steps what the fault does not need. Exit status 1 with the smaller "
                       "steps, 0 where\n"
                       "there is no fault.",
                       argv, minimize_run);
}
