/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program cip-fakeregistry: starts the registry that the command line describes, tells its address, and
 * waits for a signal. It ends with the program that started it. Exit status 0 after SIGTERM, 130 after SIGINT,
 * 1 where lines of the log were lost, 2 for wrong use and for what cannot be used.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/completion.h"
#include "base/error.h"
#include "base/fd.h"
#include "fakeregistry/options.h"
#include "protocol/message.h"

#define EXIT_LOST 1
#define EXIT_USAGE 2
#define EXIT_INTERRUPTED 130

static int refuse(const struct registry_options *options, int r, const struct cip_error *error)
{
        if (options->scenario_file)
                problems_print(&options->problems, options->scenario_file, stderr);
        fprintf(stderr, "cip-fakeregistry: %s%s\n", error->message,
                r == -EINVAL && options->problems.n == 0 ? " (try cip-fakeregistry --help)" : "");
        return EXIT_USAGE;
}

/* Output that did not arrive is an error: a full disk, a reader that left. */
static int finish_output(int status)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        fprintf(stderr, "cip-fakeregistry: cannot write the output: %s\n", strerror(errno));
        return EXIT_USAGE;
}

/* Says all that is wrong with each file. */
static int check_files(char *const *files, size_t n)
{
        size_t n_good = 0;

        for (size_t i = 0; i < n; i++) {
                CLEANUP(cleanup_problems) struct problems problems = {0};
                CLEANUP(cleanup_registry_scenario_free) struct registry_scenario *scenario = NULL;
                int r = registry_scenario_read(files[i], &scenario, &problems);

                if (r == -ENOMEM)
                        fprintf(stderr, "%s: out of memory\n", files[i]);
                problems_print(&problems, files[i], stderr);
                n_good += r == 0;
        }
        printf("%zu of %zu scenario%s good\n", n_good, n, n == 1 ? " is" : "s are");
        return n_good == n ? 0 : EXIT_USAGE;
}

/* ---- serving ---- */

/* Where the log goes; -1: nowhere. */
static int open_log(const struct registry_options *options, int *ret, struct cip_error *error)
{
        *ret = -1;
        if (!options->log)
                return 0;
        *ret = !strcmp(options->log, "-") ? dup_fd(STDOUT_FILENO, 3)
                                          : open(options->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (*ret >= 0)
                return 0;
        return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write the log %s", options->log);
}

/* {"address": .., "listeners": {NAME: ADDRESS, ..}} */
static int tell_as_json(const struct registry *registry, const struct registry_options *options)
{
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        struct json_object *listeners = json_object_new_object();
        const char *text;

        json_add_member(object, "address", json_object_new_string(registry_address(registry, NULL)));
        json_add_member(object, "tls", json_object_new_boolean(options->listeners[0].tls));
        for (size_t i = 0; i < options->config.n_listeners; i++) {
                const char *name = options->listeners[i].name ? options->listeners[i].name : "main";

                json_add_member(listeners, name, json_object_new_string(registry_address(registry, name)));
        }
        json_add_member(object, "listeners", listeners);
        text = json_text(object, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        return text && puts(text) >= 0 ? 0 : -ENOMEM;
}

/* Waits for the signal that ends it. Returns the exit status. */
static int wait_for_end(const sigset_t *signals)
{
        int signal = 0;

        while (sigwait(signals, &signal) != 0)
                continue;
        return signal == SIGINT ? EXIT_INTERRUPTED : 0;
}

static int serve(struct registry_options *options, const sigset_t *signals, struct cip_error *error)
{
        CLEANUP(cleanup_registry_free) struct registry *registry = NULL;
        CLEANUP_FD int log = -1;
        int status, r = open_log(options, &log, error);

        if (r == 0) {
                options->config.log_fd = log;
                r = registry_start(&options->config, &registry, error);
        }
        if (r == 0 && options->certificates_out)
                r = registry_write_certificates(registry, options->certificates_out, error);
        if (r < 0)
                return r;
        if (options->json)
                (void)tell_as_json(registry, options);
        else
                puts(registry_address(registry, NULL));
        status = finish_output(0);
        if (status == 0)
                status = wait_for_end(signals);
        registry_stop(registry);
        if (registry_log_status(registry) == 0)
                return status;
        fprintf(stderr, "cip-fakeregistry: lines of the log are lost: %s\n",
                strerror(-registry_log_status(registry)));
        return status ? status : EXIT_LOST;
}

/* Blocks the signals that end it, also in the threads that are still to come. */
static void take_signals(sigset_t *ret)
{
        pid_t parent = getppid();

        sigemptyset(ret);
        sigaddset(ret, SIGTERM);
        sigaddset(ret, SIGINT);
        sigaddset(ret, SIGHUP);
        sigprocmask(SIG_BLOCK, ret, NULL);
        signal(SIGPIPE, SIG_IGN);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                raise(SIGTERM);
}

static int run(struct registry_options *options, struct cip_error *error)
{
        sigset_t signals;
        int r;

        switch (options->action) {
        case REGISTRY_HELP:
                registry_options_help(stdout);
                return finish_output(0);
        case REGISTRY_VERSION:
                puts("cip-fakeregistry " CIP_VERSION);
                return finish_output(0);
        case REGISTRY_CHECK:
                return finish_output(check_files(options->words, options->n_words));
        case REGISTRY_SCHEMA:
                return finish_output(registry_scenario_print_schema(stdout) < 0 ? EXIT_USAGE : 0);
        case REGISTRY_FORMAT:
                registry_scenario_print_format(stdout);
                return finish_output(0);
        default:
                break;
        }
        take_signals(&signals);
        r = registry_options_read(options, error);
        return r < 0 ? r : serve(options, &signals, error);
}

int main(int argc, char **argv)
{
        struct registry_options options = {0};
        struct cip_error error = {0};
        int r;

        if (argc > 1 && !strcmp(argv[1], COMPLETION_OPTION)) {
                registry_options_complete((const char *const *)argv + 2, (size_t)argc - 2, stdout);
                return finish_output(0);
        }
        r = registry_options_parse(argc, argv, &options, &error);
        if (r == 0)
                r = run(&options, &error);
        if (r < 0)
                r = refuse(&options, r, &error);
        registry_options_clear(&options);
        return r;
}
