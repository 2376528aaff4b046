/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The suite's proof that each check is worth its place: with the scenario that breaks a check's rule, the fake
 * makes that check fail, and no check of another rule. First the faithful fake, at every version that the checks need, is
 * run through all of them and must give pass or skip alone. Every pair of a fault and a check is a job of the
 * one runner, so a fault that hangs holds nothing up.
 *
 * The fake has no docker transport. With --skopeo the checks of registries are tried, and these alone: the fault is
 * one that the fake puts between the check and a real skopeo, or one that this skopeo has. What the fake cannot do
 * wrong, such as a request to a registry, a program in the scenario's place does: FOLDER/GROUP-NAME SKOPEO.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/tmpdir.h"
#include "conformance/judge.h"
#include "conformance/options.h"
#include "conformance/place.h"
#include "conformance/probe.h"
#include "conformance/rules.h"
#include "conformance/runner.h"
#include "conformance/selection.h"

/* Every version from the oldest to the newest is emulated, whether it was released or not. */
static const struct version versions[] = {
        {0, 2, 3}, {0, 2, 4}, {0, 2, 5}, {0, 2, 6}, {0, 2, 7}, {0, 2, 8},
};

/* One break that must show in other checks too, and why. Globs; the last row ends the table. */
static const struct {
        const char *fault, *check, *reason;
} exceptions[] = {
        {"images/unknown-transport-is-refused", "arguments/reference-transport",
         "an unknown transport is one refusal, seen as an argument and as an image"},
        {NULL, NULL, NULL},
};

struct settings {
        unsigned long jobs;
        double timeout;
        const char *filter;
        const char *broken; /* the folder of scenarios, one for each check: the id with '-' for '/' */
        bool all;
        const char *skopeo;     /* a real one, which has a docker transport; NULL: the fake alone */
        struct version version; /* as that one announces */
};

/* The fake with the scenario that breaks one check's rule, or faithful, at one version. */
struct variant {
        struct subject subject;
        const char *fault; /* that check's id; NULL: faithful */
        const char *command[5];
        const char *environment[2];
        char emulate[VERSION_TEXT_SIZE];
        char *setting, *program;
};

/* ---- options ---- */

static int take_jobs(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, 1024, &((struct settings *)data)->jobs, error);
}

static int take_timeout(void *data, const char *value, struct cip_error *error)
{
        return option_seconds(value, &((struct settings *)data)->timeout, error);
}

static int take_filter(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct settings *)data)->filter = value;
        return 0;
}

static int take_all(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct settings *)data)->all = true;
        return 0;
}

static int take_skopeo(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct settings *)data)->skopeo = value;
        return 0;
}

static const struct option_row rows[] = {
        {"jobs", "N", "checks at once", take_jobs},
        {"timeout", "SECONDS", "of one check", take_timeout},
        {"filter", "GLOB", "only for these checks", take_filter},
        {"skopeo", "FILE", "a real one: only the checks of registries, with the fake before it", take_skopeo},
        {"all", NULL, "every fault against every check, not only a part", take_all},
};

/* ---- jobs ---- */

static bool has_version(const struct check *check, struct version version)
{
        return judge_version(check, version, NULL, 0);
}

/* The newest version that a check holds for. */
static struct version newest_version(const struct check *check)
{
        for (size_t i = ARRAY_SIZE(versions); i > 0; i--)
                if (has_version(check, versions[i - 1]))
                        return versions[i - 1];
        return VERSION_NEWEST;
}

/* "PREFIX FOLDER/GROUP-NAME ENDING". The caller frees. */
static char *text_of(const char *prefix, const char *folder, const char *id, const char *ending)
{
        char *text;
        size_t before = strlen(prefix) + strlen(folder) + 1;

        if (asprintf(&text, "%s%s/%s%s", prefix, folder, id, ending) < 0)
                abort();
        for (char *p = text + before; *p; p++)
                if (*p == '/')
                        *p = '-';
        return text;
}

/* "CIP_FAKEPROXY_SCENARIO=FOLDER/GROUP-NAME.json", and the file must be there. */
static char *scenario_setting(const char *folder, const char *id)
{
        char *setting = text_of("CIP_FAKEPROXY_SCENARIO=", folder, id, ".json");

        if (access(strchr(setting, '=') + 1, R_OK) < 0) {
                fprintf(stderr, "test-faults: the check %s has no scenario that breaks its rule: %s: %s\n", id,
                        strchr(setting, '=') + 1, strerror(errno));
                exit(1);
        }
        return setting;
}

/* The program in a scenario's place; NULL: there is none. The caller frees. */
static char *breaking_program(const char *folder, const char *id)
{
        CLEANUP(cleanup_free) char *path = text_of("", folder, id, "");

        return access(path, X_OK) == 0 ? STEAL(path) : NULL;
}

/* Whether anything breaks the check's rule. */
static bool has_fault_for(const char *folder, const char *id)
{
        CLEANUP(cleanup_free) char *path = text_of("", folder, id, ".json");
        CLEANUP(cleanup_free) char *program = breaking_program(folder, id);

        return program || access(path, R_OK) == 0;
}

static struct variant *new_variant(const char *fake, const struct settings *settings, const char *fault,
                                   struct version version)
{
        struct variant *variant = calloc(1, sizeof(*variant));

        if (!variant)
                abort();
        variant->program = fault && settings->skopeo ? breaking_program(settings->broken, fault) : NULL;
        variant->setting = fault && !variant->program ? scenario_setting(settings->broken, fault) : NULL;
        version_format(version, variant->emulate);
        variant->fault = fault;
        variant->command[0] = fake;
        variant->command[1] = settings->skopeo ? "--upstream" : "--emulate";
        variant->command[2] = settings->skopeo ? settings->skopeo : variant->emulate;
        if (variant->program) {
                variant->command[0] = variant->program;
                variant->command[1] = settings->skopeo;
                variant->command[2] = NULL;
        }
        variant->environment[0] = variant->setting;
        /* Without a version: a fault may announce another one than it emulates. */
        variant->subject = (struct subject){
                .command = variant->command,
                .environment = variant->environment,
                .has_docker = settings->skopeo,
        };
        return variant;
}

/* Of the checks that a fault meets besides its own, when not all are wanted: one in so many. */
#define SAMPLE_OF_GROUP 4
#define SAMPLE_OF_OTHERS 64

/* The same ones in each run, and spread evenly. */
static bool meets(const struct check *own, const struct check *other, const struct settings *settings)
{
        bool same_group = selection_group(&server_catalogue, own) == selection_group(&server_catalogue, other);
        unsigned hash = 5381;

        for (const char *p = own->id; *p; p++)
                hash = hash * 33 + (unsigned char)*p;
        for (const char *p = other->id; *p; p++)
                hash = hash * 33 + (unsigned char)*p;
        return settings->all || hash % (same_group ? SAMPLE_OF_GROUP : SAMPLE_OF_OTHERS) == 0;
}

static void add_job(struct job **jobs, size_t *n, const struct check *check, const struct variant *variant)
{
        if ((*n & (*n + 1)) == 0 || !*jobs) {
                *jobs = realloc(*jobs, (2 * *n + 2) * sizeof(**jobs));
                if (!*jobs)
                        abort();
        }
        (*jobs)[(*n)++] = (struct job){.check = check, .subject = &variant->subject};
}

static void add_faithful(const char *fake, const struct check *const *checks, size_t n_checks,
                         const struct settings *settings, struct job **jobs, size_t *n)
{
        for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
                const struct variant *variant = new_variant(fake, settings, NULL, versions[v]);

                for (size_t i = 0; i < n_checks; i++)
                        if (has_version(checks[i], versions[v]))
                                add_job(jobs, n, checks[i], variant);
        }
}

static void add_faults(const char *fake, const struct check *const *checks, size_t n_checks,
                       const struct settings *settings, struct job **jobs, size_t *n)
{
        for (size_t i = 0; i < n_checks; i++) {
                struct version version = settings->skopeo ? settings->version : newest_version(checks[i]);
                const struct variant *variant;

                if (settings->filter && fnmatch(settings->filter, checks[i]->id, 0) != 0)
                        continue;
                /* What a check records is compared with what it records of the faithful fake. */
                if (checks[i]->level == LEVEL_INFO || settings->skopeo)
                        add_job(jobs, n, checks[i], new_variant(fake, settings, NULL, version));
                if (settings->skopeo && !has_fault_for(settings->broken, checks[i]->id))
                        continue;
                variant = new_variant(fake, settings, checks[i]->id, version);
                for (size_t j = 0; j < n_checks; j++)
                        if (j == i || (!settings->skopeo && has_version(checks[j], version) &&
                                       meets(checks[i], checks[j], settings)))
                                add_job(jobs, n, checks[j], variant);
        }
}

/* ---- judging ---- */

static const struct variant *variant_of(const struct job *job)
{
        /* The subject is the variant's first member. */
        return (const struct variant *)(const void *)job->subject;
}

static const char *kind_name(enum outcome_kind kind)
{
        static const char *const names[] = {"nothing", "pass", "fail", "skip", "error"};

        return names[kind];
}

/* Two checks of one rule may well fail together: what breaks a rule breaks it for both. */
static bool is_excused(const struct job *job)
{
        const char *fault = variant_of(job)->fault;

        if (references_share(selection_find(&server_catalogue, fault)->reference, job->check->reference))
                return true;

        for (size_t i = 0; exceptions[i].fault; i++)
                if (fnmatch(exceptions[i].fault, fault, 0) == 0 &&
                    fnmatch(exceptions[i].check, job->check->id, 0) == 0)
                        return true;
        return false;
}

static bool same_text(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A check that only records notices a fault when it records something else. */
static bool records_otherwise(const struct job *job, const struct job *jobs, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!variant_of(&jobs[i])->fault && jobs[i].check == job->check &&
                    strcmp(variant_of(&jobs[i])->emulate, variant_of(job)->emulate) == 0)
                        return !same_text(jobs[i].value, job->value);
        return false;
}

static bool is_noticed(const struct job *job, const struct job *jobs, size_t n)
{
        if (job->check->level == LEVEL_INFO)
                return job->kind == OUTCOME_PASS && records_otherwise(job, jobs, n);
        return job->kind == OUTCOME_FAIL;
}

/* Whether the check was run against the scenario that breaks its rule. */
static bool has_fault(const struct check *check, const struct job *jobs, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (jobs[i].check == check && variant_of(&jobs[i])->fault)
                        return true;
        return false;
}

/* Whether it is skipped without a fault too: something that it needs is not installed. */
static bool is_skipped(const struct check *check, const struct job *jobs, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (jobs[i].check == check && !variant_of(&jobs[i])->fault)
                        return jobs[i].kind == OUTCOME_SKIP;
        return false;
}

/* What is not as it should be, or NULL. */
static const char *judge(const struct job *job, const struct settings *settings, const struct job *jobs,
                         size_t n)
{
        const char *fault = variant_of(job)->fault;

        if (job->kind == OUTCOME_ERROR || job->kind == OUTCOME_NONE)
                return "the harness could not tell";
        /* A real server that falls short breaks the rule itself. */
        if (!fault && settings->skopeo)
                return job->kind == OUTCOME_PASS && !has_fault(job->check, jobs, n) ? "nothing breaks its rule"
                                                                                    : NULL;
        if (!fault)
                return job->kind == OUTCOME_FAIL ? "the faithful fake falls short" : NULL;
        if (settings->skopeo && is_skipped(job->check, jobs, n))
                return NULL;
        if (strcmp(fault, job->check->id) == 0)
                return is_noticed(job, jobs, n) ? NULL : "its own fault goes unnoticed";
        return job->kind == OUTCOME_FAIL && !is_excused(job) ? "another rule's fault shows" : NULL;
}

static size_t print_surprises(const struct settings *settings, const struct job *jobs, size_t n)
{
        size_t surprises = 0;

        for (size_t i = 0; i < n; i++) {
                const char *surprise = judge(&jobs[i], settings, jobs, n);

                if (!surprise)
                        continue;
                surprises++;
                printf("%-34s fault %-34s check %-34s %s at %s: %.160s\n", surprise,
                       variant_of(&jobs[i])->fault ? variant_of(&jobs[i])->fault : "-", jobs[i].check->id,
                       kind_name(jobs[i].kind), variant_of(&jobs[i])->emulate, jobs[i].message);
        }
        return surprises;
}

/* An exception that nothing needs has outlived its reason. Judged only when all was run. */
static size_t print_idle_exceptions(const struct job *jobs, size_t n)
{
        size_t idle = 0;

        for (size_t e = 0; exceptions[e].fault; e++) {
                bool needed = false;

                for (size_t i = 0; i < n && !needed; i++)
                        needed = variant_of(&jobs[i])->fault && jobs[i].kind == OUTCOME_FAIL &&
                                 strcmp(variant_of(&jobs[i])->fault, jobs[i].check->id) != 0 &&
                                 fnmatch(exceptions[e].fault, variant_of(&jobs[i])->fault, 0) == 0 &&
                                 fnmatch(exceptions[e].check, jobs[i].check->id, 0) == 0;
                if (needed)
                        continue;
                printf("an exception that nothing needs: %s in %s (%s)\n", exceptions[e].fault,
                       exceptions[e].check, exceptions[e].reason);
                idle++;
        }
        return idle;
}

/* Which version of the protocol the real server has. */
static int learn_version(struct runner *runner, struct settings *settings, struct cip_error *error)
{
        const char *command[] = {settings->skopeo, NULL};
        struct probe probe;
        int r = probe_server(runner, &(struct subject){.command = command}, false, &probe, error);

        if (r == 0 && *probe.message)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "%s", probe.message);
        settings->version = probe.version;
        return r;
}

/* Leaves those to be tried: with a real server the checks of registries that its version has, else the others. */
static void keep_own(const struct settings *settings, const struct check **checks, size_t *n)
{
        size_t kept = 0;

        for (size_t i = 0; i < *n; i++) {
                bool docker = selection_group(&server_catalogue, checks[i])->needs_docker;

                if (settings->skopeo ? docker && has_version(checks[i], settings->version) : !docker)
                        checks[kept++] = checks[i];
        }
        *n = kept;
}

static int run(const char *fake, struct settings *settings)
{
        CLEANUP(cleanup_free) const struct check **checks = NULL;
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_runner_free) struct runner *runner = NULL;
        struct cip_error error = {0};
        static struct job *jobs; /* kept to the end, where leak checkers find it */
        uint64_t start = monotonic_ns();
        size_t n_checks, n = 0, surprises;
        int r;

        if (selection_all(&server_catalogue, &checks, &n_checks) < 0 ||
            place_new("cip-test-faults", &folder, &error) < 0 ||
            runner_new(&(struct run_options){.jobs = (unsigned)settings->jobs,
                                             .timeout = settings->timeout,
                                             .folder = folder},
                       &runner, &error) < 0) {
                fprintf(stderr, "test-faults: %s\n", error.message);
                return 2;
        }
        if (settings->skopeo && learn_version(runner, settings, &error) != 0) {
                fprintf(stderr, "test-faults: %s\n", error.message);
                return 2;
        }
        keep_own(settings, checks, &n_checks);
        if (!settings->filter && !settings->skopeo)
                add_faithful(fake, checks, n_checks, settings, &jobs, &n);
        add_faults(fake, checks, n_checks, settings, &jobs, &n);
        r = runner_run(runner, jobs, n, &error);
        if (r != 0) {
                fprintf(stderr, "test-faults: %s\n", r < 0 ? error.message : "interrupted");
                return 2;
        }
        surprises = print_surprises(settings, jobs, n);
        if (settings->all && !settings->filter)
                surprises += print_idle_exceptions(jobs, n);
        printf("%zu checks, %zu runs in %.1f s, %zu surprise%s\n", n_checks, n,
               (double)(monotonic_ns() - start) / 1e9, surprises, surprises == 1 ? "" : "s");
        return surprises ? 1 : 0;
}

/* AddressSanitizer keeps what was freed, which looks like a leak: not in servers that are started from here. */
static void forget_what_was_freed(void)
{
        const char *options = getenv("ASAN_OPTIONS");
        char text[4096];

        snprintf(text, sizeof(text), "%s%squarantine_size_mb=1", options ? options : "", options ? ":" : "");
        setenv("ASAN_OPTIONS", text, true);
}

int main(int argc, char **argv)
{
        struct settings settings = {.jobs = 4, .timeout = 10};
        struct cip_error error = {0};
        bool dashes;
        int r = options_parse(rows, ARRAY_SIZE(rows), (const char *const *)argv + (argc > 0), &settings,
                              &dashes, &error);

        if (r < 0 || !argv[1 + r] || !argv[2 + r]) {
                fprintf(stderr, "test-faults: %s\n",
                        r < 0 ? error.message
                              : "name the fake and the folder of the scenarios that break rules");
                options_print(rows, ARRAY_SIZE(rows), stderr);
                return 2;
        }
        settings.broken = argv[2 + r];
        /* The checks of load shall show that they notice, and not how long they can go on. */
        setenv("CIP_CONFORMANCE_LOAD", "0.01", true);
        forget_what_was_freed();
        return run(argv[1 + r], &settings);
}
