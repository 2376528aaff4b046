/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `server`: chooses checks, looks at the server, runs the checks, judges by the baseline, writes the reports.
 * All that can be wrong with the command line and its files is found before anything is started.
 */
#include <errno.h>
#include <inttypes.h>
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
#include "base/tmpdir.h"
#include "conformance/baseline.h"
#include "conformance/commands.h"
#include "conformance/judge.h"
#include "conformance/options.h"
#include "conformance/place.h"
#include "conformance/probe.h"
#include "conformance/progress.h"
#include "conformance/report.h"
#include "conformance/runner.h"
#include "conformance/selection.h"

#define DEFAULT_TIMEOUT 30
#define JOBS_MAX 1024
#define REPEAT_MAX 100000

struct settings {
        const char **filters;
        size_t n_filters;
        struct report *reports;
        size_t n_reports;
        unsigned long jobs, repeat, seed;
        double timeout;
        const char *known, *keep, *protocol;
        bool no_known, strict, shuffle, help;
        enum profile profile;
        struct version wanted;
};

/* All that a run needs; freed as a whole. */
struct session {
        struct settings settings;
        struct subject subject;
        struct baseline *baseline;
        const struct check **checks;
        size_t n_checks;
        char *folder;
        struct runner *runner;
        struct progress progress;
        struct probe probe;
        struct job *jobs;
        struct result *results;
        char *rerun;
        const char **files;
};

/* ---- options ---- */

static int take_filter(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;
        const char **filters = realloc(settings->filters, (settings->n_filters + 1) * sizeof(*filters));

        if (!filters)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep it");
        settings->filters = filters;
        filters[settings->n_filters++] = value;
        return 0;
}

static int take_report(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;
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

static int take_jobs(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, JOBS_MAX, &((struct settings *)data)->jobs, error);
}

static int take_timeout(void *data, const char *value, struct cip_error *error)
{
        return option_seconds(value, &((struct settings *)data)->timeout, error);
}

static int take_known(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct settings *)data)->known = value;
        return 0;
}

static int take_no_known(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct settings *)data)->no_known = true;
        return 0;
}

static int take_strict(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct settings *)data)->strict = true;
        return 0;
}

static int take_repeat(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, REPEAT_MAX, &((struct settings *)data)->repeat, error);
}

static int take_shuffle(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;

        settings->shuffle = true;
        if (value)
                return option_number(value, 0, UINT32_MAX, &settings->seed, error);
        if (getrandom(&settings->seed, sizeof(settings->seed), 0) < 0)
                settings->seed = (unsigned long)monotonic_ns();
        settings->seed &= UINT32_MAX;
        return 0;
}

static int take_keep(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct settings *)data)->keep = value;
        return 0;
}

static int take_profile(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;

        if (strcmp(value, "skopeo") == 0)
                settings->profile = PROFILE_SKOPEO;
        else if (strcmp(value, "bare") == 0)
                settings->profile = PROFILE_BARE;
        else
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "there is no profile '%s'; there are skopeo and bare", value);
        return 0;
}

static int take_protocol(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;

        settings->protocol = value;
        if (version_parse(value, &settings->wanted) < 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is no version such as 0.2.8", value);
        return 0;
}

static int take_help(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct settings *)data)->help = true;
        return 0;
}

static const struct option_row rows[] = {
        {"filter", "GLOB", "only the checks that fit; a group's name stands for all of it (many)", take_filter},
        {"jobs", "N", "checks at once (default: as many as there are processors)", take_jobs},
        {"timeout", "SECONDS", "how long one check may take (default: 30)", take_timeout},
        {"report", "FORMAT[:FILE]", "human, tap, junit or json, to FILE or to stdout (many; default: human)",
         take_report},
        {"known", "FILE", "what is known to fall short (default: the known defects of released skopeos)",
         take_known},
        {"no-known", NULL, "nothing is known to fall short", take_no_known},
        {"strict", NULL, "what is known to fall short makes the run fail too", take_strict},
        {"repeat", "N", "run everything N times, and list the results that changed", take_repeat},
        {"shuffle", "[=SEED]", "run in random order; the seed is printed", take_shuffle},
        {"keep", "DIR", "keep each check's transcript and logs there", take_keep},
        {"profile", "NAME",
         "how the server is called:\nskopeo: COMMAND experimental-image-proxy (default)\n"
         "bare: COMMAND --sockfd 3",
         take_profile},
        {"protocol", "VERSION", "the version that the server must announce", take_protocol},
        {"help", NULL, "print this", take_help},
};

static void print_help(void)
{
        puts("Usage: cip-conformance server [options] -- COMMAND ..\n\n"
             "Starts COMMAND for each check in a closed world of its own and reports where it falls short.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        puts("\nExit status: 0 nothing new falls short; 1 the server falls short, or no longer does where it "
             "is known\n"
             "to; 2 wrong use, or COMMAND cannot be started; 130 after Ctrl-C.\n\n"
             "  cip-conformance server -- skopeo\n"
             "  cip-conformance server --filter 'pipes/*' --report junit:report.xml -- ./skopeo --debug");
}

/* ---- before the run ---- */

static unsigned long processors(void)
{
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        return (unsigned long)CPU_COUNT(&set);
}

static int judge_keep(const char *keep, struct cip_error *error)
{
        if (mkdir(keep, 0777) < 0 && errno != EEXIST)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--keep: cannot make the folder %s",
                                       keep);
        if (access(keep, W_OK | X_OK) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--keep: cannot write to the folder %s",
                                       keep);
        return 0;
}

static int add_default_report(struct settings *settings, struct cip_error *error)
{
        for (size_t i = 0; i < settings->n_reports; i++)
                if (!settings->reports[i].path)
                        return 0;
        return take_report(settings, "human", error);
}

/* Everything that can be wrong before a process is started. */
static int prepare(struct session *session, struct cip_error *error)
{
        struct settings *settings = &session->settings;
        int r;

        r = selection_filter(settings->filters, settings->n_filters, &session->checks, &session->n_checks,
                             error);
        if (r == 0 && settings->known)
                r = baseline_load(settings->known, &session->baseline, error);
        else if (r == 0 && !settings->no_known)
                r = baseline_built_in(&session->baseline, error);
        if (r == 0)
                r = add_default_report(settings, error);
        for (size_t i = 0; r == 0 && i < settings->n_reports; i++)
                r = report_judge_path(&settings->reports[i], error);
        if (r == 0 && settings->keep)
                r = judge_keep(settings->keep, error);
        if (r == 0)
                r = place_new("cip-conformance", &session->folder, error);
        return r;
}

/* "cip-conformance server --profile bare", for messages that say how to run a check again. */
static int make_rerun(struct session *session)
{
        const struct settings *settings = &session->settings;
        const char *words[8] = {"cip-conformance", "server"};
        size_t n = 2;

        if (settings->profile == PROFILE_BARE) {
                words[n++] = "--profile";
                words[n++] = "bare";
        }
        if (settings->known) {
                words[n++] = "--known";
                words[n++] = settings->known;
        } else if (settings->no_known) {
                words[n++] = "--no-known";
        }
        session->rerun = shell_quote(words);
        return session->rerun ? 0 : -ENOMEM;
}

static int make_runner(struct session *session, struct cip_error *error)
{
        const struct settings *settings = &session->settings;

        session->progress.plain = !isatty(STDERR_FILENO);
        session->progress.waits_for = "The server has not answered Initialize yet; waiting for it.";
        return runner_new(
                &(struct run_options){
                        .jobs = (unsigned)settings->jobs,
                        .timeout = settings->timeout,
                        .keep = settings->keep,
                        .folder = session->folder,
                        .progress = progress_show,
                        .progress_data = &session->progress,
                },
                &session->runner, error);
}

/* ---- the run ---- */

/* A small generator, the same everywhere (splitmix64). */
static uint64_t next_random(uint64_t *state)
{
        uint64_t z = (*state += 0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
}

static void shuffle(struct job *jobs, size_t n, uint64_t *state)
{
        for (size_t i = n; i > 1; i--) {
                size_t j = (size_t)(next_random(state) % i);
                struct job job = jobs[i - 1];

                jobs[i - 1] = jobs[j];
                jobs[j] = job;
        }
}

/* One job for each check that the server's version has, and repeat. */
static size_t make_jobs(struct session *session)
{
        const struct settings *settings = &session->settings;
        uint64_t state = settings->seed;
        size_t n = 0;

        session->jobs = calloc(session->n_checks * settings->repeat + 1, sizeof(*session->jobs));
        if (!session->jobs)
                return 0;
        for (unsigned r = 0; r < settings->repeat; r++) {
                size_t first = n;

                for (size_t i = 0; i < session->n_checks; i++)
                        if (judge_version(session->checks[i], session->subject.version, NULL, 0))
                                session->jobs[n++] = (struct job){
                                        .check = session->checks[i], .subject = &session->subject, .repeat = r};
                if (settings->shuffle)
                        shuffle(session->jobs + first, n - first, &state);
        }
        return n;
}

static int write_reports(struct session *session, struct summary *summary, struct cip_error *error)
{
        struct settings *settings = &session->settings;
        size_t n = 0;
        int result = 0;

        session->files = calloc(settings->n_reports + 1, sizeof(*session->files));
        if (!session->files)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write the reports");
        for (size_t i = 0; i < settings->n_reports; i++)
                if (settings->reports[i].path)
                        session->files[n++] = settings->reports[i].path;
        summary->files = session->files;
        /* Files first: what goes to stdout says where they are. */
        for (int to_stdout = 0; to_stdout < 2; to_stdout++)
                for (size_t i = 0; i < settings->n_reports; i++) {
                        int r;

                        if ((settings->reports[i].path == NULL) != (to_stdout == 1))
                                continue;
                        r = report_write(&settings->reports[i], summary, error);
                        if (r < 0 && result == 0)
                                result = r;
                        if (r < 0)
                                fail_usage("%s", error->message);
                }
        return result;
}

static int finish(struct session *session, size_t n_jobs, int interrupted, double seconds)
{
        struct settings *settings = &session->settings;
        struct cip_error error = {0};
        struct summary summary = {
                .subject = &session->subject,
                .release = session->probe.release,
                .baseline_name = session->baseline ? session->baseline->name : NULL,
                .rerun = session->rerun,
                .seconds = seconds,
                .repeat = (unsigned)settings->repeat,
                .shuffled = settings->shuffle,
                .seed = settings->seed,
                .interrupted = interrupted,
        };

        session->results = calloc(session->n_checks + 1, sizeof(*session->results));
        if (!session->results)
                return fail_usage("out of memory");
        summary.results = session->results;
        summary.n_results = session->n_checks;
        judge_results(&summary, session->checks, session->jobs, n_jobs, session->baseline);
        if (write_reports(session, &summary, &error) < 0)
                return EXIT_USAGE;
        if (interrupted)
                return 128 + interrupted;
        return summary_is_fine(&summary, settings->strict) ? EXIT_FINE : EXIT_SHORT;
}

static int judge_probe(struct session *session)
{
        const struct settings *settings = &session->settings;
        char version[VERSION_TEXT_SIZE];

        if (*session->probe.message) {
                fail_usage("%s", session->probe.message);
                return session->probe.exit_status;
        }
        session->subject.version = session->probe.version;
        if (settings->protocol && version_compare(settings->wanted, session->probe.version) != 0) {
                fail_usage("the server announces version %s of the protocol, and --protocol wants %s",
                           version_format(session->probe.version, version), settings->protocol);
                return EXIT_SHORT;
        }
        return EXIT_FINE;
}

static int run(struct session *session)
{
        uint64_t start = monotonic_ns();
        struct cip_error error = {0};
        size_t n;
        int r;

        if (make_rerun(session) < 0 || make_runner(session, &error) < 0)
                return fail_usage("%s", *error.message ? error.message : "out of memory");
        r = probe_server(session->runner, &session->subject, &session->probe, &error);
        if (r > 0) {
                fail_usage("interrupted before the server answered");
                return 128 + r;
        }
        if (r < 0)
                return fail_usage("%s", error.message);
        r = judge_probe(session);
        if (r != EXIT_FINE)
                return r;
        session->progress.waits_for = NULL;
        n = make_jobs(session);
        r = runner_run(session->runner, session->jobs, n, &error);
        progress_end(&session->progress);
        if (r < 0)
                return fail_usage("%s", error.message);
        return finish(session, n, r, (double)(monotonic_ns() - start) / 1e9);
}

static void session_clear(struct session *session)
{
        size_t n = session->n_checks * session->settings.repeat;

        for (size_t i = 0; session->jobs && i < n; i++)
                job_clear(&session->jobs[i]);
        if (session->results)
                results_clear(session->results, session->n_checks);
        free(session->jobs);
        free(session->results);
        free(session->checks);
        free(session->rerun);
        free(session->files);
        runner_free(session->runner);
        tmpdir_remove(session->folder);
        baseline_free(session->baseline);
        free(session->settings.filters);
        free(session->settings.reports);
}

int command_server(const char *const *argv)
{
        struct session session = {
                .settings = {.jobs = processors(), .repeat = 1, .timeout = DEFAULT_TIMEOUT},
        };
        struct cip_error error = {0};
        bool dashes;
        int r = options_parse(rows, ARRAY_SIZE(rows), argv, &session.settings, &dashes, &error);

        if (r < 0) {
                r = fail_usage("server: %s", error.message);
        } else if (session.settings.help) {
                print_help();
                r = EXIT_FINE;
        } else if (!argv[r]) {
                r = fail_usage("server: which server? For example: cip-conformance server -- skopeo");
        } else {
                session.subject.command = argv + r;
                session.subject.profile = session.settings.profile;
                r = prepare(&session, &error) < 0 ? fail_usage("server: %s", error.message) : run(&session);
        }
        session_clear(&session);
        return r;
}
