/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `matrix`: runs the suite on one server after another, each just as `server` does it, and takes runs that were made
 * elsewhere from their reports; all of them go side by side into one report. A server that cannot be judged has a
 * sentence in place of results, and stops nobody else. All that can be wrong with the command line and its files is
 * found before anything is started.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "conformance/commands.h"
#include "conformance/matrix.h"
#include "conformance/options.h"
#include "conformance/probe.h"
#include "conformance/report-read.h"
#include "conformance/selection.h"
#include "conformance/suite.h"
#include "conformance/words.h"

#define DEFAULT_TIMEOUT 30
#define NAME_MAX_LENGTH 32

/* One column to be made: of a server, or of a report. */
struct entry {
        char *name;
        char **words; /* the server's command; NULL: it is a report */
        enum profile profile;
        const char *path; /* the report's */
        struct saved_report *saved;

        struct suite_settings settings;
        struct subject subject;
        struct probe probe;
        struct suite suite;
        struct summary summary;
        char *keep;
        char *verdict;    /* why it could not be judged */
        bool environment; /* and the server is not to blame */
};

struct settings {
        struct suite_settings suite;
        enum profile profile;
        bool profile_is_unused;
        struct entry *entries;
        size_t n_entries;
};

/* ---- options ---- */

static bool is_name(const char *name)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+:@-";

        return *name && *name != '.' && *name != '-' && strspn(name, allowed) == strlen(name) &&
               strlen(name) <= NAME_MAX_LENGTH;
}

/* Adds a column for NAME=VALUE; *@ret_value is what is behind the '='. */
static int add_entry(struct settings *settings, const char *text, const char *what, struct entry **ret,
                     const char **ret_value, struct cip_error *error)
{
        const char *equals = strchr(text, '=');
        CLEANUP(cleanup_free) char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;
        struct entry *entries;

        if (!equals || !equals[1])
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is not NAME=%s", text, what);
        if (name && !is_name(name))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "'%s' is no name for a column: up to %d letters, digits and . _ + : @ -", name,
                                 NAME_MAX_LENGTH);
        for (size_t i = 0; name && i < settings->n_entries; i++)
                if (strcmp(settings->entries[i].name, name) == 0)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "two columns are called %s", name);
        entries = realloc(settings->entries, (settings->n_entries + 1) * sizeof(*entries));
        if (entries)
                settings->entries = entries;
        if (!name || !entries)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep it");
        *ret = &entries[settings->n_entries++];
        **ret = (struct entry){.name = STEAL(name)};
        *ret_value = equals + 1;
        return 0;
}

static int take_server(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;
        struct entry *entry = NULL;
        const char *command = NULL;
        int r = add_entry(settings, value, "'COMMAND ..'", &entry, &command, error);

        if (!entry)
                return r;
        entry->profile = settings->profile;
        settings->profile_is_unused = false;
        r = words_split(command, &entry->words, error);
        if (r < 0)
                error_prefix(error, "%s", entry->name);
        return r;
}

static int take_from(void *data, const char *value, struct cip_error *error)
{
        struct entry *entry = NULL;
        const char *path = NULL;
        int r = add_entry(data, value, "REPORT.json", &entry, &path, error);

        if (entry)
                entry->path = path;
        return r;
}

static int take_profile(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;

        settings->profile_is_unused = true;
        return profile_parse(value, &settings->profile, error);
}

static const struct option_row rows[] = {
        {"server", "NAME=COMMAND",
         "a column: a server, COMMAND in one word, split as a shell would\nwithout expanding anything (many)",
         take_server},
        {"from", "NAME=FILE",
         "a column: a JSON report that `server` wrote, or one out of a\nmatrix, FILE#NAME (many)", take_from},
        {"filter", "GLOB", "only the checks that fit; a group's name stands for all of it (many)",
         suite_take_filter},
        {"jobs", "N", "checks at once, besides those that mostly wait (default: two for each processor)",
         suite_take_jobs},
        {"timeout", "SECONDS", "how long one check may take (default: 30)", suite_take_timeout},
        {"report", "FORMAT[:FILE]", REPORT_HELP, suite_take_report},
        {"known", "FILE", "what is known to fall short (default: the known defects of released skopeos)",
         suite_take_known},
        {"no-known", NULL, "nothing is known to fall short", suite_take_no_known},
        {"strict", NULL, "what is known to fall short makes the run fail too", suite_take_strict},
        {"repeat", "N", "run everything N times, and list the results that changed", suite_take_repeat},
        {"shuffle", "[=SEED]", "run in random order; the seed is printed", suite_take_shuffle},
        {"keep", "DIR", "keep each check's transcript and logs in DIR/NAME", suite_take_keep},
        {"profile", "skopeo|bare",
         "how the servers behind it are called:\nskopeo: COMMAND experimental-image-proxy (default)\n"
         "bare: COMMAND --sockfd 3",
         take_profile},
        {"help", NULL, "print this", suite_take_help},
};

const struct option_table matrix_options = {rows, ARRAY_SIZE(rows)};

static void print_help(void)
{
        puts("Usage: cip-conformance matrix [options] --server NAME='COMMAND ..' .. --from NAME=REPORT.json "
             "..\n\n"
             "Runs the suite on each server, one after another, and lays the results side by side, with those\n"
             "of saved reports. The columns are in the order of the command line.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        report_print_formats(stdout);
        puts("\nExit status: 0 nothing new falls short in any column; 1 something does, or a server could not "
             "be\n"
             "judged; 2 wrong use, or a COMMAND cannot be started; 130 after Ctrl-C.\n\n"
             "  cip-conformance matrix --server old='skopeo --debug' --server new=./bin/skopeo\n"
             "  cip-conformance matrix --from trixie=trixie.json --server here=skopeo --report "
             "html:matrix.html");
}

/* ---- before the runs ---- */

static int prepare_server(struct settings *settings, struct entry *entry, struct cip_error *error)
{
        size_t n = settings->suite.n_filters;

        entry->settings = settings->suite;
        entry->settings.reports = NULL;
        entry->settings.n_reports = 0;
        entry->settings.filters = calloc(n + 1, sizeof(*entry->settings.filters));
        entry->subject =
                (struct subject){.command = (const char *const *)entry->words, .profile = entry->profile};
        entry->suite = (struct suite){
                .catalogue = &server_catalogue,
                .settings = &entry->settings,
                .subject = &entry->subject,
                .has_built_in = true,
        };
        if (settings->suite.keep && asprintf(&entry->keep, "%s/%s", settings->suite.keep, entry->name) < 0)
                entry->keep = NULL;
        if (!entry->settings.filters || (settings->suite.keep && !entry->keep))
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run checks");
        for (size_t i = 0; i < n; i++)
                entry->settings.filters[i] = settings->suite.filters[i];
        entry->settings.keep = entry->keep;
        return suite_prepare(&entry->suite, error);
}

static const struct catalogue *catalogue_of(const struct entry *entry)
{
        return entry->saved ? saved_report_summary(entry->saved)->catalogue : &server_catalogue;
}

/* Reads a report, and keeps what the filters fit. */
static int prepare_saved(struct settings *settings, struct entry *entry, struct cip_error *error)
{
        int r = report_read(entry->path, &entry->saved, error);

        if (r < 0)
                return r;
        if (saved_report_filter(entry->saved, settings->suite.filters, settings->suite.n_filters) == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "the report %s has no check%s; `cip-conformance list` shows them all",
                                 entry->path, settings->suite.n_filters ? " that a filter fits" : "");
        return 0;
}

static int prepare_entries(struct settings *settings, struct cip_error *error)
{
        for (size_t i = 0; i < settings->n_entries; i++) {
                struct entry *entry = &settings->entries[i];
                int r = entry->words ? prepare_server(settings, entry, error)
                                     : prepare_saved(settings, entry, error);

                if (r < 0)
                        return r;
                if (strcmp(catalogue_of(entry)->subject, catalogue_of(&settings->entries[0])->subject) != 0)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                         "%s is a %s, and %s is a %s: a matrix is of one suite",
                                         settings->entries[0].name,
                                         catalogue_of(&settings->entries[0])->subject, entry->name,
                                         catalogue_of(entry)->subject);
        }
        return 0;
}

static int prepare(struct settings *settings, struct cip_error *error)
{
        int r;

        if (settings->n_entries == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "which servers? For example: cip-conformance matrix --server old=skopeo "
                                 "--server new=./skopeo");
        if (settings->profile_is_unused)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--profile is for the servers behind it, and there is none");
        r = suite_add_default_report(&settings->suite, error);
        for (size_t i = 0; r == 0 && i < settings->suite.n_reports; i++)
                r = report_judge_path(&settings->suite.reports[i], error);
        if (r == 0 && settings->suite.keep)
                r = suite_judge_keep(settings->suite.keep, error);
        return r == 0 ? prepare_entries(settings, error) : r;
}

/* ---- one server ---- */

static void cannot_judge(struct entry *entry, const char *why, bool environment)
{
        entry->verdict = strdup(why);
        entry->environment = environment || !entry->verdict;
}

/* Returns 0, the number of a signal, or a negative errno with @error. */
static int run_checks(struct entry *entry, struct cip_error *error)
{
        uint64_t start = monotonic_ns();
        int r;

        entry->suite.progress.title = entry->name;
        r = suite_make_server_runner(&entry->suite, entry->profile, error);
        if (r == 0)
                r = probe_server(entry->suite.runner, &entry->subject, suite_needs_docker(&entry->suite),
                                 &entry->probe, error);
        if (r > 0)
                cannot_judge(entry, "interrupted before the server answered", false);
        if (r != 0)
                return r;
        if (*entry->probe.message) {
                cannot_judge(entry, entry->probe.message, entry->probe.exit_status == EXIT_USAGE);
                return 0;
        }
        entry->subject.version = entry->probe.version;
        entry->subject.has_docker = entry->probe.has_docker;
        entry->subject.docker_problem = entry->probe.docker_problem;
        entry->suite.progress.waits_for = NULL;
        return suite_judge(&entry->suite, entry->probe.release, start, &entry->summary, error);
}

static int run_entry(struct entry *entry)
{
        struct cip_error error = {0};
        int r = run_checks(entry, &error);

        progress_end(&entry->suite.progress);
        if (r < 0)
                cannot_judge(entry, error.message, true);
        /* A program has one runner at a time. */
        runner_free(STEAL(entry->suite.runner));
        return r > 0 ? r : 0;
}

/* ---- all of them ---- */

static int report(struct settings *settings, int interrupted)
{
        CLEANUP(cleanup_free) struct column *columns = calloc(settings->n_entries + 1, sizeof(*columns));
        struct matrix matrix = {
                .catalogue = catalogue_of(&settings->entries[0]),
                .columns = columns,
                .n_columns = settings->n_entries,
        };
        bool environment = false;

        if (!columns)
                return fail_usage("out of memory");
        for (size_t i = 0; i < settings->n_entries; i++) {
                struct entry *entry = &settings->entries[i];

                columns[i].name = entry->name;
                if (entry->saved)
                        columns[i].summary = saved_report_summary(entry->saved);
                else if (entry->summary.results)
                        columns[i].summary = &entry->summary;
                else
                        columns[i].verdict = entry->verdict ? entry->verdict : "not run: interrupted";
                environment = environment || entry->environment;
        }
        if (suite_write_reports(&settings->suite, NULL, &matrix) != EXIT_FINE)
                return EXIT_USAGE;
        if (interrupted)
                return 128 + interrupted;
        if (environment)
                return EXIT_USAGE;
        return matrix_is_fine(&matrix, settings->suite.strict) ? EXIT_FINE : EXIT_SHORT;
}

static int run(struct settings *settings)
{
        int interrupted = 0;

        for (size_t i = 0; i < settings->n_entries && !interrupted; i++)
                if (settings->entries[i].words)
                        interrupted = run_entry(&settings->entries[i]);
        return report(settings, interrupted);
}

static void settings_clear(struct settings *settings)
{
        for (size_t i = 0; i < settings->n_entries; i++) {
                struct entry *entry = &settings->entries[i];

                if (entry->suite.settings)
                        suite_clear(&entry->suite);
                saved_report_free(entry->saved);
                words_free(entry->words);
                free(entry->name);
                free(entry->keep);
                free(entry->verdict);
        }
        free(settings->entries);
        free(settings->suite.filters);
        free(settings->suite.reports);
}

int command_matrix(const char *const *argv)
{
        struct settings settings = {
                .suite = {.jobs = 2 * suite_processors(), .repeat = 1, .timeout = DEFAULT_TIMEOUT},
        };
        struct cip_error error = {0};
        bool dashes;
        int r = options_parse(rows, ARRAY_SIZE(rows), argv, &settings, &dashes, &error);

        if (r >= 0 && argv[r] && !settings.suite.help)
                r = error_set(&error, CIP_ERROR_LOCAL, -EINVAL,
                              "takes no word such as '%s'; a server is --server NAME='COMMAND ..'", argv[r]);
        if (r >= 0 && !settings.suite.help)
                r = prepare(&settings, &error);
        if (r < 0) {
                r = fail_usage("matrix: %s", error.message);
        } else if (settings.suite.help) {
                print_help();
                r = EXIT_FINE;
        } else {
                r = run(&settings);
        }
        settings_clear(&settings);
        return r;
}
