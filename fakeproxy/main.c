/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program cip-fakeproxy, also by the name skopeo: help, lists, and the socket that is served. Exit status
 * as skopeo's: 0 after a clean end, 1 where it refuses, 2 for a panic; and 2 for a wrong setting of the fake's
 * own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/completion.h"
#include "fakeproxy/go.h"
#include "fakeproxy/help.h"
#include "fakeproxy/options.h"
#include "fakeproxy/replay.h"
#include "fakeproxy/server.h"
#include "fakeproxy/upstream.h"
#include "image/digest.h"

/* The behaviours that stand before the first packet. */
static struct behaviours behaviours_of(const struct options *options)
{
        struct behaviours b = options->emulation.behaviours;

        if (options->scenario)
                behaviours_add(&b, &options->scenario->with);
        return b;
}

/* ---- lists ---- */

static void list_quirks(void)
{
        char text[VERSION_TEXT_SIZE];

        for (size_t i = 0; i < n_quirks; i++) {
                printf("from %s", version_format(quirks[i].since, text));
                if (quirks[i].until.major)
                        printf(" to before %s", version_format(quirks[i].until, text));
                printf(": %s (%s)\n", behaviours_about(&quirks[i].with), quirks[i].reason);
        }
}

/* ---- scenarios ---- */

/* Says all that is wrong with each file. */
static int check_files(char *const *files, size_t n)
{
        size_t n_good = 0;

        for (size_t i = 0; i < n; i++) {
                struct problems problems CLEANUP(cleanup_problems) = {0};
                struct scenario *scenario CLEANUP(cleanup_scenario_free) = NULL;
                int r = scenario_read(files[i], &scenario, &problems);

                if (r == -ENOMEM)
                        fprintf(stderr, "%s: out of memory\n", files[i]);
                problems_print(&problems, files[i], stderr);
                n_good += r == 0;
        }
        printf("%zu of %zu scenario%s good\n", n_good, n, n == 1 ? " is" : "s are");
        return n_good == n ? 0 : 2;
}

/*
 * Whose name it goes by: a release that was asked for by name is one to the last line, as clients and suites
 * look.
 */
static bool speaks_for_itself(const struct options *options)
{
        return options->own_name && !options->emulation.is_release;
}

static void print_version(const struct options *options, FILE *to)
{
        char release[VERSION_TEXT_SIZE], protocol[VERSION_TEXT_SIZE];

        version_format(options->emulation.release, release);
        version_format(options->emulation.protocol, protocol);
        if (speaks_for_itself(options))
                fprintf(to, "cip-fakeproxy version %s (as skopeo version %s, protocol %s)\n", CIP_VERSION,
                        release, protocol);
        else
                fprintf(to, "skopeo version %s\n", release);
}

/* ---- serving ---- */

static int fatal(bool silent, const char *text)
{
        if (!silent)
                go_log("fatal", "%s", text);
        return 1;
}

/* Judges --sockfd as skopeo does, which makes a socket of it. Returns -1, or the status to end with. */
static int judge_socket(const struct options *options, const struct behaviours *b, int fd)
{
        int type;
        socklen_t len = sizeof(type);

        if (options->sockfd < 0) {
                if (b->panics_on_negative_sockfd)
                        go_panic(PANIC_NIL);
                return fatal(b->silent_about_closed_sockfd, "file file+net sock: bad file descriptor");
        }
        if (b->sockfd_at_most && (uint64_t)options->sockfd > b->sockfd_at_most)
                return fatal(false, "file file+net sock: number too large");
        if ((options->sockfd > INT32_MAX && !b->sockfd_wraps) || fcntl(fd, F_GETFD) < 0)
                return fatal(b->silent_about_closed_sockfd, "file file+net sock: fcntl: bad file descriptor");
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
                while (b->accepts_any_socket)
                        pause();
                return fatal(b->silent_about_no_socket,
                             "file file+net sock: getsockopt: socket operation on non-socket");
        }
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &len) == 0 && type != AF_UNIX) {
                while (b->accepts_any_socket)
                        pause();
                if (b->panics_on_other_sockets)
                        go_panic(PANIC_NIL);
                return fatal(b->silent_about_no_socket, "file file+net sock: protocol not supported");
        }
        return -1;
}

/* As many descriptors as may be had, for as many open pipes as a client wants; Go does the same. */
static void raise_descriptor_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
}

/*
 * No pipe may get the number of a standard descriptor that is closed, as what is written there would go into
 * it.
 */
static void open_standard_descriptors(bool stdin_too)
{
        for (int fd = stdin_too ? 0 : 1; fd <= 2; fd++) {
                int null;

                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                null = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (null >= 0 && null != fd) {
                        (void)dup3(null, fd, O_CLOEXEC);
                        close(null);
                }
        }
}

/* Where the temporary files of archives go. */
static void use_tmpdir(const char *folder)
{
        char path[PATH_MAX];

        if (folder && realpath(folder, path))
                setenv("TMPDIR", path, 1);
}

/* Whether an environment variable is set, and what it names is there where it names a path. */
static bool has_variable(const char *name)
{
        const char *value = getenv(name);

        return value && (*value != '/' || strchr(value, ':') || access(value, F_OK) == 0);
}

static int serve(const struct options *options)
{
        struct behaviours b = behaviours_of(options);
        int fd = b.ignores_sockfd ? 0 : (int)options->sockfd;
        struct replay *replay CLEANUP(cleanup_replay_free) = NULL;
        struct cip_error error = {0};
        int status;

        if (options->replay && replay_new(options->replay, &replay, &error) < 0) {
                fprintf(stderr, "cip-fakeproxy: %s\n", error.message);
                return 2;
        }
        if (b.needs_variable && !has_variable(b.needs_variable))
                return fatal(false, "an environment variable is missing");
        use_tmpdir(options->tmpdir);
        open_standard_descriptors(!b.leaves_stdin_closed);
        status = judge_socket(options, &b, fd);
        if (status >= 0)
                return status;
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        raise_descriptor_limit();
        if (replay)
                return replay_run(replay, options->replay_any_order, fd);
        return server_run(options, fd);
}

/* Says why not. Returns the exit status. */
static int refuse(int r, const struct options *options, const struct cip_error *error)
{
        struct behaviours b = behaviours_of(options);

        if (r == -EPERM) {
                go_log("fatal", "%s%s%s", error->message, options->hint ? "\n" : "",
                       options->hint ? options->hint : "");
                return b.error_exit_status ? (int)b.error_exit_status : 1;
        }
        problems_print(&options->problems, options->scenario_file, stderr);
        fprintf(stderr, "cip-fakeproxy: %s\n", error->message);
        return 2;
}

static int act(const struct options *options)
{
        struct behaviours b = behaviours_of(options);
        int status = 0;

        if (options->global_tls_verify)
                go_log("warning", "'--tls-verify' is deprecated, please set this on the specific subcommand");
        switch (options->action) {
        case ACTION_HELP:
                (speaks_for_itself(options) ? help_own : help_root)(stdout, options->emulation.release,
                                                                    b.hides_flag);
                break;
        case ACTION_PROXY_HELP:
                help_proxy(stdout, options->emulation.release, b.hides_flag);
                break;
        case ACTION_VERSION:
                print_version(options, b.version_on_stderr ? stderr : stdout);
                break;
        case ACTION_QUIRKS:
                list_quirks();
                break;
        case ACTION_CHECK:
                status = check_files(options->words, options->n_words);
                break;
        case ACTION_SCHEMA:
                status = scenario_print_schema(stdout) < 0 ? 2 : 0;
                if (status)
                        fputs("cip-fakeproxy: schema: out of memory\n", stderr);
                break;
        case ACTION_FORMAT:
                scenario_print_format(stdout);
                break;
        case ACTION_SERVE:
        default:
                return serve(options);
        }
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        fprintf(stderr, "cip-fakeproxy: cannot write to standard output: %s\n", strerror(errno));
        return 2;
}

/* Skopeo knows of no such thing: by its name we do not either. */
static bool is_completion(int argc, char *argv[])
{
        const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;

        return argc > 1 && !strcmp(argv[1], COMPLETION_OPTION) &&
               strcmp(base ? base + 1 : argv[0], "skopeo") != 0;
}

int main(int argc, char *argv[])
{
        struct options options = {0};
        struct cip_error error = {0};
        struct upstream upstream = {0};
        int r;

        if (is_completion(argc, argv)) {
                options_complete((const char *const *)argv + 2, (size_t)argc - 2, stdout);
                return fflush(stdout) || ferror(stdout) ? 1 : 0;
        }
        digest_skip_configuration();
        r = upstream_read(argc, argv, &upstream, &error);
        if (r > 0) {
                int status = upstream_run(&upstream, argc, argv);

                if (status >= 0)
                        return status;
                r = 0;
        }
        if (r == 0)
                r = options_read(argc, argv, &options, &error);
        if (r == 0)
                r = act(&options);
        else
                r = refuse(r, &options, &error);
        options_clear(&options);
        return r;
}
