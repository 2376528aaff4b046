/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `server`: chooses checks, looks at the server, runs the checks, judges by the baseline, writes the reports.
 * All that can be wrong with the command line and its files is found before anything is started.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "conformance/commands.h"
#include "conformance/options.h"
#include "conformance/probe.h"
#include "conformance/suite.h"

#define DEFAULT_TIMEOUT 30

struct settings {
        struct suite_settings suite;
        const char *protocol;
        enum profile profile;
        struct version wanted;
};

/* All that a run needs; freed as a whole. */
struct session {
        struct settings settings;
        struct subject subject;
        struct probe probe;
        struct suite suite;
};

/* ---- options ---- */

static int take_profile(void *data, const char *value, struct cip_error *error)
{
        return profile_parse(value, &((struct settings *)data)->profile, error);
}

static int take_protocol(void *data, const char *value, struct cip_error *error)
{
        struct settings *settings = data;

        settings->protocol = value;
        if (version_parse(value, &settings->wanted) < 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is no version such as 0.2.8", value);
        return 0;
}

static const struct option_row rows[] = {
        {"filter", "GLOB", "only the checks that fit; a group's name stands for all of it (many)",
         suite_take_filter},
        {"jobs", "N", "checks at once, besides those that mostly wait (default: two for each processor)",
         suite_take_jobs},
        {"timeout", "SECONDS", "how long one check may take (default: 30; those of load: as each needs)",
         suite_take_timeout},
        {"report", "FORMAT[:FILE]", REPORT_HELP, suite_take_report},
        {"known", "FILE", "what is known to fall short (default: the known defects of released skopeos)",
         suite_take_known},
        {"no-known", NULL, "nothing is known to fall short", suite_take_no_known},
        {"strict", NULL, "what is known to fall short makes the run fail too", suite_take_strict},
        {"repeat", "N", "run everything N times, and list the results that changed", suite_take_repeat},
        {"shuffle", "[=SEED]", "run in random order; the seed is printed", suite_take_shuffle},
        {"keep", "DIR", "keep each check's transcript and logs there", suite_take_keep},
        {"profile", "skopeo|bare",
         "how the server is called:\nskopeo: COMMAND experimental-image-proxy (default)\n"
         "bare: COMMAND --sockfd 3",
         take_profile},
        {"protocol", "VERSION", "the version that the server must announce", take_protocol},
        {"help", NULL, "print this", suite_take_help},
};

const struct option_table server_options = {rows, ARRAY_SIZE(rows)};

static void print_help(void)
{
        puts("Usage: cip-conformance server [options] -- COMMAND ..\n\n"
             "Starts COMMAND for each check in a closed world of its own and reports where it falls short.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        report_print_formats(stdout);
        puts("\nThe group load (very much, and for long) runs only where a filter names it: --filter load, "
             "--filter 'load/ten-*'.\n"
             "load/an-hour takes a minute, and with --timeout 3600 an hour.\n"
             "\nExit status: 0 nothing new falls short; 1 the server falls short, or no longer does where it "
             "is known\n"
             "to; 2 wrong use, or COMMAND cannot be started; 130 after Ctrl-C.\n\n"
             "  cip-conformance server -- skopeo\n"
             "  cip-conformance server --filter 'pipes/*' --report junit:report.xml -- ./skopeo --debug");
}

/* ---- the run ---- */

static int judge_probe(struct session *session)
{
        const struct settings *settings = &session->settings;
        char version[VERSION_TEXT_SIZE];

        if (*session->probe.message) {
                fail_usage("%s; %s", session->probe.message, session->probe.advice);
                return session->probe.exit_status;
        }
        session->subject.version = session->probe.version;
        session->subject.has_docker = session->probe.has_docker;
        session->subject.docker_problem = session->probe.docker_problem;
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
        int r;

        if (suite_make_server_runner(&session->suite, session->settings.profile, &error) < 0)
                return fail_usage("%s", error.message);
        r = probe_server(session->suite.runner, &session->subject, suite_needs_docker(&session->suite),
                         &session->probe, &error);
        if (r > 0) {
                fail_usage("interrupted before the server answered");
                return 128 + r;
        }
        if (r < 0)
                return fail_usage("%s", error.message);
        r = judge_probe(session);
        if (r != EXIT_FINE)
                return r;
        session->suite.progress.waits_for = NULL;
        return suite_run(&session->suite, session->probe.release, start);
}

int command_server(const char *const *argv)
{
        struct session session = {
                .settings.suite = {.jobs = 2 * suite_processors(), .repeat = 1, .timeout = DEFAULT_TIMEOUT},
                .suite.catalogue = &server_catalogue,
                .suite.has_built_in = true,
        };
        struct cip_error error = {0};
        bool dashes;
        int r = options_parse(rows, ARRAY_SIZE(rows), argv, &session.settings, &dashes, &error);

        session.suite.settings = &session.settings.suite;
        session.suite.subject = &session.subject;
        if (r < 0) {
                r = fail_usage("server: %s", error.message);
        } else if (session.settings.suite.help) {
                print_help();
                r = EXIT_FINE;
        } else if (!argv[r]) {
                r = fail_usage("server: which server? For example: cip-conformance server -- skopeo");
        } else {
                session.subject.command = argv + r;
                session.subject.profile = session.settings.profile;
                r = suite_prepare(&session.suite, &error) < 0 ? fail_usage("server: %s", error.message)
                                                              : run(&session);
        }
        suite_clear(&session.suite);
        return r;
}
