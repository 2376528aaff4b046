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
};

static int ask(void *data, const struct sequence *sequence)
{
        struct question *question = data;
        struct trial trial = {.sequence = sequence, .stop_fd = engine_signal_fd()};
        int r = question->hunt->way->try(question->hunt, question->hunt->state, &trial, NULL);

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

static void report_new(struct hunt *hunt, uint64_t number, const struct fault *fault)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = model_sequence(&hunt->model, number);
        struct question question = {.hunt = hunt, .key = fault->key, .fault = *fault};
        CLEANUP(cleanup_free) char *path = NULL;
        struct cip_error error = {0};
        size_t steps;
        bool again;

        if (!sequence)
                return;
        steps = sequence->n_steps;
        again = !engine_interrupted() && ask(&question, sequence) == 1;
        if (again)
                minimise(&sequence, ask, &question, engine_deadline(MINIMISE_SECONDS, MINIMISE_LATE_SECONDS),
                         NULL);
        if (write_down(hunt, &question.fault, sequence, &path, &error) < 0) {
                hunt->error = fail_usage("%s: %s", hunt->way->command, error.message);
                engine_stop();
                return;
        }
        fprintf(stderr, "found  %s\n       %s\n       %s%zu of %zu steps: %s\n", fault->key,
                question.fault.sentence, again ? "" : "not again at the second try; ", sequence->n_steps, steps,
                path);
}

static void found(void *data, uint64_t number, const struct fault *fault)
{
        struct hunt *hunt = data;
        struct cause *cause = causes_count(&hunt->causes, fault->key);

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
        int r = hunt->way->begin(hunt, "minimise", 1, &hunt->state, error);

        return r < 0 ? r
                     : engine_run(
                               &(struct engine_options){
                                       .what = "sessions",
                                       .jobs = hunt->settings.jobs,
                                       .seconds = hunt->settings.seconds,
                                       .steps = hunt->settings.steps,
                                       .progress = true,
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
