/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of a suite: choosing, judging paths before anything is started, jobs in their order, baseline, reports.
 */
#include "conformance/suite.h"

#include <errno.h>
#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/random.h"
#include "base/tmpdir.h"
#include "conformance/commands.h"
#include "conformance/judge.h"
#include "conformance/options.h"
#include "conformance/place.h"
#include "conformance/selection.h"

#define JOBS_MAX 1024
#define REPEAT_MAX 100000

/* ---- options ---- */

int suite_take_filter(void *data, const char *value, struct cip_error *error)
{
        struct suite_settings *settings = data;
        const char **filters = realloc(settings->filters, (settings->n_filters + 1) * sizeof(*filters));

        if (!filters)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep it");
        settings->filters = filters;
        filters[settings->n_filters++] = value;
        return 0;
}

int suite_take_report(void *data, const char *value, struct cip_error *error)
{
        struct suite_settings *settings = data;
        struct report *reports = realloc(settings->reports, (settings->n_reports + 1) * sizeof(*reports));
        int r;

        if (!reports)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep it");
        settings->reports = reports;
        r = report_parse(value, &reports[settings->n_reports], error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < settings->n_reports; i++) {
                const char *a = reports[i].path, *b = reports[settings->n_reports].path;

                if (a == b || (a && b && strcmp(a, b) == 0))
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                         "two reports go to %s; name a file: %s:FILE", a ? a : "stdout",
                                         reports[settings->n_reports].format->name);
        }
        settings->n_reports++;
        return 0;
}

int suite_take_jobs(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, JOBS_MAX, &((struct suite_settings *)data)->jobs, error);
}

int suite_take_timeout(void *data, const char *value, struct cip_error *error)
{
        ((struct suite_settings *)data)->timeout_given = true;
        return option_seconds(value, &((struct suite_settings *)data)->timeout, error);
}

int suite_take_known(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct suite_settings *)data)->known = value;
        return 0;
}

int suite_take_no_known(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct suite_settings *)data)->no_known = true;
        return 0;
}

int suite_take_strict(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct suite_settings *)data)->strict = true;
        return 0;
}

int suite_take_repeat(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, REPEAT_MAX, &((struct suite_settings *)data)->repeat, error);
}

int suite_take_shuffle(void *data, const char *value, struct cip_error *error)
{
        struct suite_settings *settings = data;

        settings->shuffle = true;
        if (value)
                return option_number(value, 0, UINT32_MAX, &settings->seed, error);
        if (getrandom(&settings->seed, sizeof(settings->seed), 0) < 0)
                settings->seed = (unsigned long)monotonic_ns();
        settings->seed &= UINT32_MAX;
        return 0;
}

int suite_take_keep(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct suite_settings *)data)->keep = value;
        return 0;
}

int suite_take_help(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct suite_settings *)data)->help = true;
        return 0;
}

/* ---- before the run ---- */

unsigned long suite_processors(void)
{
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        return (unsigned long)CPU_COUNT(&set);
}

int suite_judge_keep(const char *keep, struct cip_error *error)
{
        if (mkdir(keep, 0777) < 0 && errno != EEXIST)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--keep: cannot make the folder %s",
                                       keep);
        if (access(keep, W_OK | X_OK) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--keep: cannot write to the folder %s",
                                       keep);
        return 0;
}

int suite_add_default_report(struct suite_settings *settings, struct cip_error *error)
{
        for (size_t i = 0; i < settings->n_reports; i++)
                if (!settings->reports[i].path)
                        return 0;
        return suite_take_report(settings, "human", error);
}

/* Everything that can be wrong before a process is started. */
int suite_prepare(struct suite *suite, struct cip_error *error)
{
        struct suite_settings *settings = suite->settings;
        int r;

        r = selection_filter(suite->catalogue, settings->filters, settings->n_filters, &suite->checks,
                             &suite->n_checks, error);
        if (r == 0 && settings->known)
                r = baseline_load(suite->catalogue, settings->known, &suite->baseline, error);
        else if (r == 0 && suite->has_built_in && !settings->no_known)
                r = baseline_built_in(&suite->baseline, error);
        if (r == 0)
                r = suite_add_default_report(settings, error);
        for (size_t i = 0; r == 0 && i < settings->n_reports; i++)
                r = report_judge_path(&settings->reports[i], error);
        if (r == 0 && settings->keep)
                r = suite_judge_keep(settings->keep, error);
        if (r == 0)
                r = place_new("cip-conformance", &suite->folder, error);
        return r;
}

int suite_make_runner(struct suite *suite, const char *const *words, double timeout, struct cip_error *error)
{
        const struct suite_settings *settings = suite->settings;

        suite->rerun = shell_quote(words);
        if (!suite->rerun)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run %ss",
                                       suite->catalogue->noun);
        progress_start(&suite->progress, stderr);
        return runner_new(
                &(struct run_options){
                        .jobs = (unsigned)settings->jobs,
                        .waiting = suite->waiting,
                        .timeout = timeout,
                        .keep = settings->keep,
                        .folder = suite->folder,
                        .progress = progress_show,
                        .progress_data = &suite->progress,
                },
                &suite->runner, error);
}

/* Those that wait for the server, and to see that nothing comes, for most of their time. */
static bool mostly_waits(const struct check *check)
{
        static const char *const waiting[] = {"pipes/*",
                                              "end/*",
                                              "framing/one-reply",
                                              "framing/cut-is-gone",
                                              "framing/huge-request",
                                              "registry/*",
                                              "mirrors/blob*",
                                              "blobs/leave-no-descriptor"};

        for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
                if (fnmatch(waiting[i], check->id, 0) == 0)
                        return true;
        return false;
}

int suite_make_server_runner(struct suite *suite, enum profile profile, struct cip_error *error)
{
        const struct suite_settings *settings = suite->settings;
        const char *words[8] = {"cip-conformance", "server"};
        size_t n = 2;

        if (profile == PROFILE_BARE) {
                words[n++] = "--profile";
                words[n++] = "bare";
        }
        if (settings->known) {
                words[n++] = "--known";
                words[n++] = settings->known;
        } else if (settings->no_known) {
                words[n++] = "--no-known";
        }
        /* One at a time is just that. */
        suite->waiting = settings->jobs > 1 ? (unsigned)settings->jobs : 0;
        suite->waits = mostly_waits;
        suite->progress.waits_for = "The server has not answered Initialize yet; waiting for it.";
        return suite_make_runner(suite, words, settings->timeout, error);
}

bool suite_needs_docker(const struct suite *suite)
{
        for (size_t i = 0; i < suite->n_checks; i++)
                if (selection_group(suite->catalogue, suite->checks[i])->needs_docker)
                        return true;
        return false;
}

/* ---- the run ---- */

static void shuffle(struct job *jobs, size_t n, uint64_t *state)
{
        for (size_t i = n; i > 1; i--) {
                size_t j = (size_t)random_below(state, i);
                struct job job = jobs[i - 1];

                jobs[i - 1] = jobs[j];
                jobs[j] = job;
        }
}

/* One job for each check that the server's version has, and repeat. */
static size_t make_jobs(struct suite *suite)
{
        const struct suite_settings *settings = suite->settings;
        uint64_t state = settings->seed;
        size_t n = 0;

        suite->jobs = calloc(suite->n_checks * settings->repeat + 1, sizeof(*suite->jobs));
        if (!suite->jobs)
                return 0;
        for (unsigned r = 0; r < settings->repeat; r++) {
                size_t first = n;

                for (size_t i = 0; i < suite->n_checks; i++) {
                        const struct check *check = suite->checks[i];

                        if (judge_version(check, suite->subject->version, NULL, 0))
                                suite->jobs[n++] =
                                        (struct job){.check = check,
                                                     .subject = suite->subject,
                                                     .repeat = r,
                                                     .timeout = settings->timeout_given ? 0 : check->timeout_s,
                                                     .waits = suite->waits && suite->waits(check)};
                }
                if (settings->shuffle)
                        shuffle(suite->jobs + first, n - first, &state);
        }
        return n;
}

int suite_write_reports(const struct suite_settings *settings, struct summary *summary, struct matrix *matrix)
{
        CLEANUP(cleanup_free) const char **files = calloc(settings->n_reports + 1, sizeof(*files));
        struct cip_error error = {0};
        size_t n = 0;
        int status = EXIT_FINE;

        if (!files)
                return fail_usage("out of memory");
        for (size_t i = 0; i < settings->n_reports; i++)
                if (settings->reports[i].path)
                        files[n++] = settings->reports[i].path;
        if (summary)
                summary->files = files;
        else
                matrix->files = files;
        /* Files first: what goes to stdout says where they are. */
        for (int to_stdout = 0; to_stdout < 2; to_stdout++)
                for (size_t i = 0; i < settings->n_reports; i++) {
                        const struct report *report = &settings->reports[i];

                        if ((report->path == NULL) != (to_stdout == 1))
                                continue;
                        if ((summary ? report_write(report, summary, &error)
                                     : report_write_matrix(report, matrix, &error)) < 0)
                                status = fail_usage("%s", error.message);
                }
        if (summary)
                summary->files = NULL;
        else
                matrix->files = NULL;
        return status;
}

int suite_judge(struct suite *suite, const char *release, uint64_t start_ns, struct summary *ret,
                struct cip_error *error)
{
        const struct suite_settings *settings = suite->settings;
        size_t n_jobs = make_jobs(suite);
        int r;

        suite->results = calloc(suite->n_checks + 1, sizeof(*suite->results));
        if (!suite->jobs || !suite->results)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run %ss",
                                       suite->catalogue->noun);
        r = runner_run(suite->runner, suite->jobs, n_jobs, error);
        progress_end(&suite->progress);
        if (r < 0)
                return r;
        *ret = (struct summary){
                .catalogue = suite->catalogue,
                .subject = suite->subject,
                .release = release,
                .baseline_name = suite->baseline ? suite->baseline->name : NULL,
                .rerun = suite->rerun,
                .results = suite->results,
                .n_results = suite->n_checks,
                .seconds = (double)(monotonic_ns() - start_ns) / 1e9,
                .repeat = (unsigned)settings->repeat,
                .shuffled = settings->shuffle,
                .seed = settings->seed,
                .interrupted = r,
        };
        judge_results(ret, suite->checks, suite->jobs, n_jobs, suite->baseline);
        return r;
}

int suite_run(struct suite *suite, const char *release, uint64_t start_ns)
{
        struct cip_error error = {0};
        struct summary summary;
        int r = suite_judge(suite, release, start_ns, &summary, &error);

        if (r < 0)
                return fail_usage("%s", error.message);
        if (suite_write_reports(suite->settings, &summary, NULL) != EXIT_FINE)
                return EXIT_USAGE;
        if (r > 0)
                return 128 + r;
        return summary_is_fine(&summary, suite->settings->strict) ? EXIT_FINE : EXIT_SHORT;
}

void suite_clear(struct suite *suite)
{
        size_t n = suite->n_checks * suite->settings->repeat;

        for (size_t i = 0; suite->jobs && i < n; i++)
                job_clear(&suite->jobs[i]);
        if (suite->results)
                results_clear(suite->results, suite->n_checks);
        free(suite->jobs);
        free(suite->results);
        free(suite->checks);
        free(suite->rerun);
        runner_free(suite->runner);
        tmpdir_remove(suite->folder);
        baseline_free(suite->baseline);
        free(suite->settings->filters);
        free(suite->settings->reports);
}
