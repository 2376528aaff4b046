/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `client`: runs a command that fetches an image against one bad day of skopeo after another. All that can be
 * wrong with the command line, the scenarios and the command itself is found before anything is run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "conformance/client-options.h"
#include "conformance/commands.h"
#include "conformance/options.h"
#include "conformance/suite.h"

/* Many that wait take no longer than one: so many do beside the others. */
#define WAITING_JOBS 16
#define DEFAULT_PATIENCE 10
#define LONG_SECONDS 15
#define DEFAULT_REFERENCE "fake:scenario"

/* Seconds for judging a result, beyond the client's own. */
#define JUDGING_SECONDS 30

struct client_settings {
        struct suite_settings suite; /* its timeout is the patience */
        struct client_options client;
        const char *scenarios, *reference, *skopeo;
};

/* All that a run needs; freed as a whole. */
struct client_suite {
        struct client_settings settings;
        struct client client;
        struct scenarios *scenarios;
        struct suite suite;
        char *fake, *skopeo;
};

/* ---- options ---- */

static int take_scenarios(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct client_settings *)data)->scenarios = value;
        return 0;
}

static int take_reference(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct client_settings *)data)->reference = value;
        return 0;
}

static int take_skopeo(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct client_settings *)data)->skopeo = value;
        return 0;
}

#define OF_CLIENT offsetof(struct client_settings, client)

static const struct option_row rows[] = {
        {"filter", "GLOB", "only the scenarios that fit; a group's name stands for all of it (many)",
         suite_take_filter},
        {"result", "[=DIR]", CLIENT_RESULT_HELP, client_take_result, OF_CLIENT},
        {"jobs", "N",
         "scenarios at once, beside 16 that mostly wait\n(default: as many as there are processors)",
         suite_take_jobs},
        {"timeout", "SECONDS", "how much longer than a scenario says a client may take (default: 10)",
         suite_take_timeout},
        {"report", "FORMAT[:FILE]", REPORT_HELP, suite_take_report},
        {"known", "FILE", "what is known to fall short (default: nothing)", suite_take_known},
        {"release", "VERSION", "the client's release, for --known and for the reports", client_take_release,
         OF_CLIENT},
        {"strict", NULL, "what is known to fall short makes the run fail too", suite_take_strict},
        {"repeat", "N", "run everything N times, and list the results that changed", suite_take_repeat},
        {"shuffle", "[=SEED]", "run in random order; the seed is printed", suite_take_shuffle},
        {"keep", "DIR", "keep each scenario's transcript and the end of the output there", suite_take_keep},
        {"env", "NAME=VALUE", CLIENT_ENVIRONMENT_HELP, client_take_environment, OF_CLIENT},
        {"scenarios", "DIR", "another folder of scenarios", take_scenarios},
        {"reference", "REF", "what {ref} becomes (default: fake:scenario)", take_reference},
        {"skopeo", "PROGRAM", "the real one, for scenarios with a registry (default: the one on PATH)",
         take_skopeo},
        {"fake", "PROGRAM", CLIENT_FAKE_HELP, client_take_fake, OF_CLIENT},
        {"help", NULL, "print this", suite_take_help},
};

const struct option_table client_options = {rows, ARRAY_SIZE(rows)};

static void print_help(void)
{
        puts("Usage: cip-conformance client [options] -- COMMAND .. {ref} ..\n\n"
             "Runs COMMAND, which fetches the image {ref} completely, verified, with status 0 when all is "
             "well\n"
             "and another one when it is not, once for each scenario. `skopeo` is then a stand-in that does "
             "what\n"
             "the scenario says: first on PATH, and in CIP_SKOPEO.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        report_print_formats(stdout);
        puts("\nExit status: 0 nothing new falls short; 1 the client falls short, or no longer does where it "
             "is known\n"
             "to; 2 wrong use, or COMMAND cannot be started; 130 after Ctrl-C.\n\n"
             "  cip-conformance client -- my-client pull {ref}\n"
             "  cip-conformance client --result -- cip pull {ref} oci:{result}\n"
             "  cip-conformance client --filter 'data/*' --report junit:report.xml -- python3 pull.py {ref}");
}

/* ---- before the run ---- */

/* Whether the command can be started; it is looked for just where it will be. */
static int judge_command(const char *name, struct cip_error *error)
{
        const char *path = getenv("PATH");
        int r = -ENOENT;

        if (strchr(name, '/'))
                return access(name, X_OK) == 0
                               ? 0
                               : error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot start %s", name);
        for (path = path ? path : "/usr/bin:/bin"; *path;) {
                size_t len = strcspn(path, ":");
                CLEANUP(cleanup_free) char *file = NULL;

                if (asprintf(&file, "%.*s/%s", len ? (int)len : 1, len ? path : ".", name) < 0)
                        file = NULL;
                if (file && access(file, X_OK) == 0)
                        return 0;
                r = file && errno == EACCES ? -EACCES : r;
                path += len + (path[len] == ':');
        }
        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot start %s", name);
}

/* The real skopeo. That there is none is a reason to skip, unless one was named. */
static int find_skopeo(struct client_suite *run, struct cip_error *error)
{
        const char *named = run->settings.skopeo;
        int r = 0;

        if (!named)
                r = client_find_skopeo(run->fake, &run->skopeo, &run->client.no_skopeo);
        else if (access(named, X_OK) < 0 || !(run->skopeo = realpath(named, NULL)))
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--skopeo: cannot start %s", named);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot look for skopeo");
        if (run->skopeo && strpbrk(run->skopeo, " \t"))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--skopeo: the path of %s has blanks, where the interposer cuts it",
                                 run->skopeo);
        run->client.skopeo = run->skopeo;
        return 0;
}

/* Everything that can be wrong before a process is started. */
static int prepare(struct client_suite *run, struct cip_error *error)
{
        const struct client_settings *settings = &run->settings;
        struct client *client = &run->client;
        const char *const *command = client->subject.command;
        int r = client_options_judge(&settings->client, command, settings->suite.known, error);

        if (r == 0)
                r = judge_command(command[0], error);
        if (r == 0)
                r = scenarios_load(settings->scenarios, stderr, &run->scenarios, error);
        if (r == 0)
                r = client_options_apply(&settings->client, client, &run->fake, error);
        if (r == 0)
                r = find_skopeo(run, error);
        if (r < 0)
                return r;
        client->reference = settings->reference;
        client->patience = settings->suite.timeout;
        run->suite.catalogue = &run->scenarios->catalogue;
        r = suite_prepare(&run->suite, error);
        /* They have no code of their own. */
        return r;
}

/* ---- the run ---- */

/* Where a client waits for its own deadline. */
static bool mostly_waits(const struct check *check)
{
        return scenario_within(scenario_case_of(check)->scenario) >= LONG_SECONDS;
}

static int make_runner(struct client_suite *run, struct cip_error *error)
{
        const struct client_settings *settings = &run->settings;
        const char *words[16] = {"cip-conformance", "client"};
        CLEANUP(cleanup_free) char *result = NULL;
        uint64_t longest = 0;
        size_t n = 2;

        if (settings->client.result && asprintf(&result, "--result=%s", settings->client.result) < 0)
                result = NULL;
        if (settings->client.has_result)
                words[n++] = result ? result : "--result";
        if (settings->scenarios) {
                words[n++] = "--scenarios";
                words[n++] = settings->scenarios;
        }
        if (settings->client.fake) {
                words[n++] = "--fake";
                words[n++] = settings->client.fake;
        }
        if (settings->skopeo) {
                words[n++] = "--skopeo";
                words[n++] = settings->skopeo;
        }
        if (settings->suite.known) {
                words[n++] = "--release";
                words[n++] = settings->client.release;
                words[n++] = "--known";
                words[n++] = settings->suite.known;
        }
        for (size_t i = 0; i < run->suite.n_checks; i++) {
                uint64_t within = scenario_within(scenario_case_of(run->suite.checks[i])->scenario);

                longest = within > longest ? within : longest;
        }
        return suite_make_runner(&run->suite, words,
                                 (double)longest + settings->suite.timeout + JUDGING_SECONDS, error);
}

static int run_suite(struct client_suite *run)
{
        uint64_t start = monotonic_ns();
        struct cip_error error = {0};

        if (make_runner(run, &error) < 0)
                return fail_usage("%s", error.message);
        return suite_run(&run->suite, run->settings.client.release ? run->settings.client.release : "", start);
}

int command_client(const char *const *argv)
{
        struct client_suite run = {
                .settings = {.suite = {.jobs = suite_processors(), .repeat = 1, .timeout = DEFAULT_PATIENCE},
                             .reference = DEFAULT_REFERENCE},
        };
        struct cip_error error = {0};
        bool dashes;
        int r = options_parse(rows, ARRAY_SIZE(rows), argv, &run.settings, &dashes, &error);

        run.suite.settings = &run.settings.suite;
        run.suite.subject = &run.client.subject;
        run.suite.waiting = WAITING_JOBS;
        run.suite.waits = mostly_waits;
        if (r < 0) {
                r = fail_usage("client: %s", error.message);
        } else if (run.settings.suite.help) {
                print_help();
                r = EXIT_FINE;
        } else if (!argv[r]) {
                r = fail_usage(
                        "client: which client? For example: cip-conformance client -- my-client pull {ref}");
        } else {
                run.client.subject.command = argv + r;
                r = prepare(&run, &error) < 0 ? fail_usage("client: %s", error.message) : run_suite(&run);
        }
        suite_clear(&run.suite);
        scenarios_free(run.scenarios);
        free(run.fake);
        free(run.skopeo);
        client_options_clear(&run.settings.client);
        return r;
}
