/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `server` and `client` have in common: the options that choose, repeat, report and compare with a baseline,
 * and the way from the choice to the exit status. What differs is the catalogue, and how the subject is known.
 */
#ifndef CONFORMANCE_SUITE_H
#define CONFORMANCE_SUITE_H

#include "conformance/baseline.h"
#include "conformance/catalogue.h"
#include "conformance/progress.h"
#include "conformance/report.h"
#include "conformance/runner.h"

/* The first member of a command's settings, so that the functions below find it. */
struct suite_settings {
        const char **filters;
        size_t n_filters;
        struct report *reports;
        size_t n_reports;
        unsigned long jobs, repeat, seed;
        double timeout;
        const char *known, *keep;
        bool no_known, strict, shuffle, help;
        bool timeout_given; /* a check's own time limit does not hold */
};

/* For rows of option tables. */
int suite_take_filter(void *settings, const char *value, struct cip_error *error);
int suite_take_jobs(void *settings, const char *value, struct cip_error *error);
int suite_take_timeout(void *settings, const char *value, struct cip_error *error);
int suite_take_report(void *settings, const char *value, struct cip_error *error);
int suite_take_known(void *settings, const char *value, struct cip_error *error);
int suite_take_no_known(void *settings, const char *value, struct cip_error *error);
int suite_take_strict(void *settings, const char *value, struct cip_error *error);
int suite_take_repeat(void *settings, const char *value, struct cip_error *error);
int suite_take_shuffle(void *settings, const char *value, struct cip_error *error);
int suite_take_keep(void *settings, const char *value, struct cip_error *error);
int suite_take_help(void *settings, const char *value, struct cip_error *error);

/* All that a run needs; cleared as a whole. The first six are the caller's. */
struct suite {
        const struct catalogue *catalogue;
        struct suite_settings *settings;
        struct subject *subject;
        bool has_built_in; /* the built-in baseline holds where no other is named */
        unsigned waiting;  /* so many that mostly wait run beside the others; 0: none does */
        bool (*waits)(const struct check *check); /* whether a check mostly waits. May be NULL */

        struct baseline *baseline;
        const struct check **checks;
        size_t n_checks;
        char *folder;
        struct runner *runner;
        struct progress progress;
        struct job *jobs;
        struct result *results;
        char *rerun;
};

/* The number of processors that this process may use. */
unsigned long suite_processors(void);

/* Two parts of suite_prepare: the folder of --keep, made if missing; a report for people unless one is on stdout. */
int suite_judge_keep(const char *keep, struct cip_error *error);
int suite_add_default_report(struct suite_settings *settings, struct cip_error *error);

/* Everything that can be wrong before a process is started. Returns 0 or a negative errno with @error. */
int suite_prepare(struct suite *suite, struct cip_error *error);

/*
 * Makes the runner. @words, NULL-terminated, is the command line up to the filter, for messages that say how to
 * run a check again. @timeout: seconds of one check. Returns 0 or a negative errno with @error.
 */
int suite_make_runner(struct suite *suite, const char *const *words, double timeout, struct cip_error *error);

/*
 * The same for the checks of a server that is called by @profile: `cip-conformance server` runs one again. Those
 * that mostly wait run beside the others, where more than one runs at once.
 */
int suite_make_server_runner(struct suite *suite, enum profile profile, struct cip_error *error);

/* Whether a check that was chosen needs a docker transport. */
bool suite_needs_docker(const struct suite *suite);

/* Runs all that was chosen, writes the reports, and returns the exit status. @release: the subject's, or "". */
int suite_run(struct suite *suite, const char *release, uint64_t start_ns);

/*
 * The first half of that: runs and judges. *@ret borrows from @suite. Returns 0, the number of the signal that
 * interrupted it (and *@ret has what was done), or a negative errno with @error.
 */
int suite_judge(struct suite *suite, const char *release, uint64_t start_ns, struct summary *ret,
                struct cip_error *error);

/* The other half: writes each report of @summary, or of @matrix where that is NULL. Returns EXIT_FINE or EXIT_USAGE. */
int suite_write_reports(const struct suite_settings *settings, struct summary *summary, struct matrix *matrix);

void suite_clear(struct suite *suite);

#endif
