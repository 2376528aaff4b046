/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers try sequences; a fault that is new is minimised and written down here at once, while they go on.
 */
#include "fuzz/hunt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "conformance/report.h"
#include "fuzz/minimise.h"

/* Servers that each worker keeps ready. */
#define READY 2

/* Seconds that one fault's minimising may take, also when the run's time is over. */
#define MINIMISE_SECONDS 60
#define MINIMISE_LATE_SECONDS 5

bool trial_has_fault(const struct trial *trial, const char *key, struct fault *ret)
{
        for (size_t i = 0; i < trial->piece.n_faults; i++) {
                if (key && strcmp(trial->piece.faults[i].key, key) != 0)
                        continue;
                *ret = trial->piece.faults[i];
                return true;
        }
        return false;
}

/* ---- in a worker ---- */

struct worker {
        struct hunt *hunt;
        void *state;
};

static int worker_begin(void *data, size_t number, void **ret_state, struct cip_error *error)
{
        struct worker *worker = calloc(1, sizeof(*worker));
        char name[32];

        if (!worker)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot begin");
        *ret_state = worker;
        worker->hunt = data;
        snprintf(name, sizeof(name), "worker-%zu", number);
        return worker->hunt->way->begin(worker->hunt, name, READY, &worker->state, error);
}

static void worker_end(void *state)
{
        struct worker *worker = state;

        if (worker->state)
                worker->hunt->way->end(worker->state);
        free(worker);
}

static int worker_run(void *state, uint64_t number, int stop_fd, struct piece *ret, struct cip_error *error)
{
        struct worker *worker = state;
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = model_sequence(&worker->hunt->model, number);
        struct trial trial = {.sequence = sequence, .stop_fd = stop_fd};
        int r;

        if (!sequence)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make a sequence");
        r = worker->hunt->way->try(worker->hunt, worker->state, &trial, error);
        free(trial.stderr_text);
        *ret = trial.piece;
        return r;
}

/* ---- findings ---- */

/* What minimising asks: does the sequence still have a fault of that key? */
struct question {
        struct hunt *hunt;
        const char *key;
        struct fault fault; /* of the last yes */
        size_t tries;
};

static int ask(void *data, const struct sequence *sequence)
{
        struct question *question = data;
        struct trial trial = {.sequence = sequence, .stop_fd = engine_signal_fd()};
        int r;

        engine_doing("minimising %.60s (%zu steps, try %zu)", question->key, sequence->n_steps,
                     ++question->tries);
        r = question->hunt->way->try(question->hunt, question->hunt->state, &trial, NULL);
        free(trial.stderr_text);
        return r < 0 ? r : trial_has_fault(&trial, question->key, &question->fault);
}

/* Runs the minimised sequence once more, for its transcript, and writes all down. */
static int write_down(struct hunt *hunt, const struct fault *fault, const struct sequence *sequence,
                      char **ret_path, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *transcript = NULL;
        struct trial trial = {.sequence = sequence, .stop_fd = engine_signal_fd()};
        char protocol[VERSION_TEXT_SIZE];
        int r;

        if (asprintf(&transcript, "%s/transcript", hunt->ground.folder) < 0) {
                transcript = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a finding");
        }
        trial.transcript = transcript;
        r = engine_interrupted() ? -EINTR : hunt->way->try(hunt, hunt->state, &trial, error);
        /* What was found is on disk in any case. */
        if (r == -EINTR)
                trial.transcript = NULL;
        if (r == 0 || r == -EINTR)
                r = finding_write(hunt->settings.findings,
                                  &(struct finding){
                                          .way = hunt->way->command,
                                          .fault = fault,
                                          .sequence = sequence,
                                          .command = hunt->subject.command,
                                          .other = hunt->other.command,
                                          .bare = hunt->subject.profile == PROFILE_BARE,
                                          .release = hunt->probe.release,
                                          .protocol = version_format(hunt->probe.version, protocol),
                                          .stderr_text = trial.stderr_text,
                                          .transcript = trial.transcript,
                                  },
                                  ret_path, error);
        free(trial.stderr_text);
        return r;
}

/*
 * Servers to try a fault on: not before there is one, as workers that are forked later would hold their sockets
 * open, and a server would not see its client go.
 */
static int begin_minimising(struct hunt *hunt, struct cip_error *error)
{
        return hunt->state ? 0 : hunt->way->begin(hunt, "minimise", READY, &hunt->state, error);
}

/* Makes *@sequence as small as @question allows, and writes it down. */
static int look_closely(struct question *question, struct sequence **sequence, bool *ret_again, char **ret_path,
                        struct cip_error *error)
{
        double after = question->fault.after;
        int r = begin_minimising(question->hunt, error);

        if (r < 0)
                return r;
        *ret_again = !engine_interrupted() && ask(question, *sequence) == 1;
        if (*ret_again)
                minimise(sequence, ask, question, engine_deadline(MINIMISE_SECONDS, MINIMISE_LATE_SECONDS),
                         NULL);
        question->fault.after = after;
        return write_down(question->hunt, &question->fault, *sequence, ret_path, error);
}

static void report_new(struct hunt *hunt, uint64_t number, const struct fault *fault)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = model_sequence(&hunt->model, number);
        struct question question = {.hunt = hunt, .key = fault->key, .fault = *fault};
        CLEANUP(cleanup_free) char *path = NULL;
        struct cip_error error = {0};
        size_t steps;
        bool again;
        int r;

        if (!sequence)
                return;
        steps = sequence->n_steps;
        r = look_closely(&question, &sequence, &again, &path, &error);
        engine_doing(NULL);
        if (r < 0) {
                engine_say("%s", "");
                hunt->error = fail_usage("%s: %s", hunt->way->command, error.message);
                engine_stop();
                return;
        }
        engine_say("found  %s  after %.1f s\n       %s\n       %s%zu of %zu steps: %s\n", fault->key,
                   fault->after, question.fault.sentence, again ? "" : "not again at the second try; ",
                   sequence->n_steps, steps, path);
}

static void found(void *data, uint64_t number, const struct fault *fault)
{
        struct hunt *hunt = data;
        struct cause *cause = causes_count(&hunt->causes, fault);

        if (!cause)
                return;
        causes_settle(&hunt->causes, cause,
                      known_fault(hunt->baseline, hunt->probe.version, hunt->probe.release, fault->key));
        if (!cause->known)
                report_new(hunt, number, fault);
}

/* ---- the run ---- */

static void print_summary(const struct hunt *hunt, const struct engine_result *result)
{
        printf("%" PRIu64 " sessions, %" PRIu64 " steps in %.1f s (%.0f a second), %" PRIu64
               " states; seed %lu\n",
               result->pieces, result->steps, result->seconds, (double)result->steps / result->seconds,
               result->states, hunt->settings.seed);
        causes_print(&hunt->causes, hunt->settings.findings, stdout);
}

static int start(struct hunt *hunt, struct engine_result *result, struct cip_error *error)
{
        const struct engine_job job = {worker_begin, worker_run, worker_end, found, hunt};

        return engine_run(
                &(struct engine_options){
                        .what = "sessions",
                        .jobs = hunt->settings.jobs,
                        .seconds = hunt->settings.seconds,
                        .steps = hunt->settings.steps,
                        .progress = true,
                        .start = hunt->settings.start,
                },
                &job, result, error);
}

int hunt_run(struct hunt *hunt)
{
        struct engine_result result;
        struct cip_error error = {0};

        fprintf(stderr, "seed %lu\n", hunt->settings.seed);
        if (start(hunt, &result, &error) < 0)
                return fail_usage("%s: %s", hunt->way->command, error.message);
        print_summary(hunt, &result);
        if (hunt->error)
                return hunt->error;
        return result.interrupted ? 128 + result.interrupted : hunt->causes.n_new ? EXIT_FOUND : EXIT_FINE;
}

/* ---- before ---- */

static int prepare(struct hunt *hunt, struct cip_error *error)
{
        const struct fuzz_settings *settings = &hunt->settings;
        int r = 0;

        if (settings->known)
                r = baseline_load(&server_catalogue, settings->known, &hunt->baseline, error);
        else if (!settings->no_known)
                r = baseline_built_in(&hunt->baseline, error);
        if (r == 0)
                r = finding_judge_folder(settings->findings, error);
        if (r == 0)
                r = ground_make(&hunt->ground, error);
        return r < 0 ? r : ground_probe(&hunt->ground, &hunt->subject, &hunt->probe, error);
}

/* A word that names a file here may name none where servers run. */
static void warn_of_paths(const struct hunt *hunt, const struct subject *subject)
{
        for (size_t i = 1; subject->command && subject->command[0] && subject->command[i]; i++) {
                const char *word = subject->command[i];

                if (*word && *word != '/' && *word != '-' && access(word, F_OK) == 0)
                        fprintf(stderr,
                                "cip-fuzz: %s: servers run in another folder than this one, where %s is a "
                                "file: if that "
                                "is meant, give its absolute path\n",
                                hunt->way->command, word);
        }
}

int hunt_prepare(struct hunt *hunt)
{

        struct cip_error error = {0};
        int r = prepare(hunt, &error);

        if (r > 0)
                return 128 + r;
        if (r < 0)
                return fail_usage("%s: %s", hunt->way->command, error.message);
        if (*hunt->probe.message)
                return fail_usage("%s: %s; %s", hunt->way->command, hunt->probe.message, hunt->probe.advice);
        warn_of_paths(hunt, &hunt->subject);
        warn_of_paths(hunt, &hunt->other);
        hunt->subject.version = hunt->other.version = hunt->probe.version;
        hunt->model = (struct model_options){
                .images = hunt->ground.images, .version = hunt->probe.version, .seed = hunt->settings.seed};
        return 0;
}

void hunt_clear(struct hunt *hunt)
{
        if (hunt->state)
                hunt->way->end(hunt->state);
        ground_clear(&hunt->ground);
        baseline_free(hunt->baseline);
}
