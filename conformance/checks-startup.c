/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the start: the command line that clients use, the socket's place, and what a server does that
 * cannot start. Each starts the server itself. That a flag is accepted means that the session begins; what the
 * flag does is for the groups it belongs to.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/io.h"
#include "conformance/check.h"
#include "conformance/groups.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts a server that should refuse to start, and wants exit status 1, and mostly a sentence on stderr. */
static void wants_exit_1(struct check_context *c, struct server_start start)
{
        int status;

        start.no_initialize = true;
        check_start(c, &start);
        check_expect_exit(c, 1);
        check_expect_stderr(c);
        /* A server that starts all the same then ends at once, with another status. */
        check_hang_up(c);
        status = check_wait_exit(c);
        check_that(c, !WIFSIGNALED(status), "expected exit status 1, but signal %d ended the server",
                   WTERMSIG(status));
        check_that(c, WEXITSTATUS(status) == 1, "expected exit status 1, got %d", WEXITSTATUS(status));
}

static void wants_refusal(struct check_context *c, struct server_start start)
{
        wants_exit_1(c, start);
        check_that(c, check_stderr(c)[0], "expected a sentence on stderr that says what is wrong, got nothing");
}

/* Starts with flags that every server should take; check_start fails where the session does not begin. */
static void wants_start(struct check_context *c, const char *const *global_flags, const char *const *flags)
{
        check_start(c, &(struct server_start){.global_flags = global_flags, .flags = flags});
        check_still_serves(c);
        check_stop(c);
}

/* Asks for Initialize. The server may be gone already: then there is nothing wrong with the check. */
static bool answers_initialize(struct check_context *c)
{
        static const char request[] = "{\"method\":\"Initialize\",\"args\":[]}";

        (void)send(check_socket(c), request, strlen(request), MSG_NOSIGNAL);
        return !check_is_hung_up(c);
}

/* Whether a session begins with these flags, where nothing says that it should. */
static bool starts_with(struct check_context *c, const char *const *global_flags, const char *const *flags)
{
        CLEANUP_ANSWER struct answer answer = {0};
        bool served;

        check_start(
                c, &(struct server_start){.global_flags = global_flags, .flags = flags, .no_initialize = true});
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        served = answers_initialize(c);
        if (served) {
                check_answer(c, &answer);
                served = answer.success;
        }
        check_stop(c);
        return served;
}

static void run_sockfd(struct check_context *c)
{
        check_start(c, &(struct server_start){.sockfd = "3", .socket_target = 3});
        check_still_serves(c);
        check_start(c, &(struct server_start){.sockfd = "200", .socket_target = 200});
        check_still_serves(c);
}

static void run_sockfd_equals(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--sockfd=0"));
}

static void run_sockfd_negative(struct check_context *c)
{
        wants_exit_1(c, (struct server_start){.sockfd = "-1", .socket = SERVER_NOTHING});
}

static void run_sockfd_not_open(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.sockfd = "77", .socket = SERVER_NOTHING});
}

static void run_sockfd_no_number(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.sockfd = "three"});
}

static void run_no_socket(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.socket = SERVER_NOTHING});
}

static void run_unknown_flag(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.flags = FLAGS("--no-such-flag")});
        check_that(c, strstr(check_stderr(c), "no-such-flag"),
                   "expected the name of the unknown flag on stderr, got: %.500s", check_stderr(c));
}

static void run_extra_argument(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.flags = FLAGS("docker://example.com/image")});
}

static void run_insecure_policy(struct check_context *c)
{
        wants_start(c, FLAGS("--insecure-policy"), NULL);
}

static void run_override(struct check_context *c)
{
        wants_start(c, FLAGS("--override-arch", "arm64", "--override-os", "linux", "--override-variant", "v8"),
                    NULL);
}

static void run_authfile(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--authfile", "/dev/null"));
}

static void run_no_creds(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--no-creds"));
}

static void run_credentials(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--creds", "user:password"));
        wants_start(c, NULL, FLAGS("--username", "user", "--password", "password"));
}

static void run_registry_token(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--registry-token", "token"));
}

static void run_tls(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--tls-verify=false", "--cert-dir", check_folder(c)));
}

static void run_conflicting_credentials(struct check_context *c)
{
        check_that(c, !starts_with(c, NULL, FLAGS("--no-creds", "--creds", "user:password")),
                   "expected a refusal of --no-creds together with --creds, but Initialize succeeded");
}

static void run_environment(struct check_context *c)
{
        wants_start(c, FLAGS("--tmpdir", check_folder(c), "--command-timeout", "1000s"), NULL);
}

/* Debugging writes on stderr on purpose, which the closing questions would count against the server. */
static void run_debug(struct check_context *c)
{
        check_start(c, &(struct server_start){.global_flags = FLAGS("--debug")});
        check_expect_stderr(c);
        check_still_serves(c);
        check_start(c, &(struct server_start){.flags = FLAGS("--debug")});
        check_expect_stderr(c);
        check_still_serves(c);
}

static void run_policy_missing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *path = check_text(c, "%s/no-such-policy.json", check_folder(c));

        check_start(c, &(struct server_start){.global_flags = FLAGS("--policy", path)});
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", check_fixture(c, "layers-1"));
        check_still_serves(c);
}

static void run_user_agent_prefix(struct check_context *c)
{
        check_record(c, starts_with(c, FLAGS("--user-agent-prefix", "cip/1"), NULL) ? "accepted" : "refused");
}

static void run_decryption_key(struct check_context *c)
{
        check_record(c, starts_with(c, NULL, FLAGS("--decryption-key", "/dev/null")) ? "accepted" : "refused");
}

static void run_stream_socket(struct check_context *c)
{
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_start(c, &(struct server_start){.socket = SERVER_STREAM, .no_initialize = true});
        check_record(c, answers_initialize(c) ? "served" : "refused");
        check_stop(c);
}

/* ---- what stands in the socket's place ---- */

static void run_sockfd_zero(struct check_context *c)
{
        check_start(c, &(struct server_start){.sockfd = "0"});
        check_still_serves(c);
}

static void run_sockfd_too_large(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.sockfd = "2147483648"});
}

/* Where C's int is all that is kept of it, this is descriptor 0. */
static void run_sockfd_wraps(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.sockfd = "4294967296"});
}

static void run_sockfd_out_of_range(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.sockfd = "9223372036854775808"});
}

static void run_sockfd_empty(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.sockfd = ""});
        wants_refusal(c, (struct server_start){.flags = FLAGS("--sockfd=")});
}

static void run_sockfd_missing(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.flags = FLAGS("--sockfd")});
}

static void run_sockfd_spelling(struct check_context *c)
{
        static const char *const numbers[] = {"+0", "00", "0x0", "0b0"};
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                text = check_text(c, "%s%s%s %s", text, i ? ", " : "", numbers[i],
                                  starts_with(c, NULL, FLAGS("--sockfd", numbers[i])) ? "served" : "refused");
        check_record(c, "%s", text);
}

static void run_sockfd_twice(struct check_context *c)
{
        check_record(c,
                     starts_with(c, NULL, FLAGS("--sockfd", "77", "--sockfd", "0")) ? "the last" : "refused");
}

#define PLACE_CHECKS(name, place)                                                                              \
        static void run_stdin_##name(struct check_context *c)                                                  \
        {                                                                                                      \
                wants_refusal(c, (struct server_start){.socket = (place)});                                    \
        }                                                                                                      \
        static void run_sockfd_##name(struct check_context *c)                                                 \
        {                                                                                                      \
                wants_refusal(c, (struct server_start){.sockfd = "3", .socket_target = 3, .socket = (place)}); \
        }

PLACE_CHECKS(file, SERVER_FILE)
PLACE_CHECKS(folder, SERVER_FOLDER)
PLACE_CHECKS(pipe, SERVER_PIPE)
PLACE_CHECKS(terminal, SERVER_TERMINAL)

static void run_stdin_closed(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.socket = SERVER_CLOSED});
}

static void run_datagram_socket(struct check_context *c)
{
        wants_exit_1(c, (struct server_start){.socket = SERVER_DATAGRAM});
}

static void run_unconnected_socket(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.socket = SERVER_UNCONNECTED});
}

static void run_sockfd_stream(struct check_context *c)
{
        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_start(c,
                    &(struct server_start){
                            .sockfd = "3", .socket_target = 3, .socket = SERVER_STREAM, .no_initialize = true});
        check_record(c, answers_initialize(c) ? "served" : "refused");
        check_stop(c);
}

/* Each piece is sent when the one before it was answered, so that no two are read at once. */
static void run_stream_pieces(struct check_context *c)
{
        static const char *const pieces[] = {"{\"method\":\"Init", "ialize\"}"};
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text = "";

        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_start(c, &(struct server_start){.socket = SERVER_STREAM, .no_initialize = true});
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                (void)send(check_socket(c), pieces[i], strlen(pieces[i]), MSG_NOSIGNAL);
                if (check_is_hung_up(c)) {
                        text = check_text(c, "%s%sends", text, i ? ", " : "");
                        break;
                }
                check_answer(c, &answer);
                text = check_text(c, "%s%s%s", text, i ? ", " : "", answer.success ? "served" : "refused");
        }
        check_record(c, "%s", text);
        check_stop(c);
}

/* ---- flags ---- */

static void run_global_flags_behind(struct check_context *c)
{
        wants_start(c, NULL,
                    FLAGS("--insecure-policy", "--policy", "/dev/null", "--override-arch", "arm64",
                          "--override-os", "linux", "--override-variant", "v8", "--tmpdir", check_folder(c)));
}

/* Credentials that no other process can read: a descriptor of a file that has no name any more. */
static void run_authfile_descriptor(struct check_context *c)
{
        const char *path = check_text(c, "%s/auth.json", check_folder(c));
        CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0 || unlink(path) < 0 || write(fd, "{}\n", 3) != 3 || lseek(fd, 0, SEEK_SET) < 0)
                check_error(c, "cannot write the file of credentials");
        check_start(c, &(struct server_start){.flags = FLAGS("--authfile", "/proc/self/fd/100"),
                                              .more_fd = fd,
                                              .more_target = 100});
        check_still_serves(c);
        check_open_image(c, check_fixture(c, "layers-1"));
}

static void run_registries(struct check_context *c)
{
        wants_start(c, FLAGS("--registries.d", check_folder(c)), NULL);
}

static void run_shared_blob_dir(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--shared-blob-dir", check_folder(c)));
}

static void run_daemon_host(struct check_context *c)
{
        wants_start(c, NULL, FLAGS("--daemon-host", "unix:///var/run/docker.sock"));
}

static void run_value_of_flag(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.flags = FLAGS("--tls-verify=maybe")});
        wants_refusal(c, (struct server_start){.flags = FLAGS("--no-creds=maybe")});
        wants_refusal(c, (struct server_start){.global_flags = FLAGS("--command-timeout", "soon")});
}

static void run_short_flag(struct check_context *c)
{
        wants_refusal(c, (struct server_start){.flags = FLAGS("-d")});
}

static void run_username_alone(struct check_context *c)
{
        check_that(c, !starts_with(c, NULL, FLAGS("--username", "user")),
                   "expected a refusal of --username without --password, but Initialize succeeded");
}

static void run_creds_and_username(struct check_context *c)
{
        check_that(c, !starts_with(c, NULL, FLAGS("--creds", "a:b", "--username", "c", "--password", "d")),
                   "expected a refusal of --creds together with --username, but Initialize succeeded");
}

static void run_end_of_flags(struct check_context *c)
{
        check_record(c, starts_with(c, NULL, FLAGS("--no-creds", "--")) ? "served" : "refused");
}

static void run_no_creds_false(struct check_context *c)
{
        check_record(c, starts_with(c, NULL, FLAGS("--no-creds=false", "--creds", "user:password"))
                                ? "served"
                                : "refused");
}

/* ---- what is printed ---- */

/* Runs the command to its end, which should be exit status 0, and gives what it wrote on stdout. */
static const char *printed(struct check_context *c, const char *const *words)
{
        CLEANUP(cleanup_free) char *text = NULL;
        int status, ends[2];
        size_t len;

        if (pipe2(ends, O_CLOEXEC) < 0)
                check_error(c, "cannot make a pipe");
        check_start(c, &(struct server_start){.global_flags = words,
                                              .socket = SERVER_NOTHING,
                                              .no_subcommand = true,
                                              .stdout_fd = ends[1]});
        fd_close(ends[1]);
        check_expect_stderr(c);
        check_read_to_end(c, ends[0], &text, &len);
        fd_close(ends[0]);
        status = check_wait_exit(c);
        check_that(c, status == 0, "expected exit status 0 of %s, got wait status 0x%x", words[0],
                   (unsigned)status);
        return check_text(c, "%.*s", (int)len, text);
}

static void wants_names(struct check_context *c, const char *text, const char *const *names)
{
        for (size_t i = 0; names[i]; i++)
                check_that(c, strstr(text, names[i]),
                           "expected %s in the help on standard output, got: %.2000s", names[i], text);
}

static void run_help(struct check_context *c)
{
        wants_names(c, printed(c, FLAGS("--help")),
                    FLAGS("--debug", "--insecure-policy", "--override-arch", "--override-os",
                          "--override-variant", "--policy", "--tmpdir"));
}

static void run_help_of_command(struct check_context *c)
{
        wants_names(c, printed(c, FLAGS("experimental-image-proxy", "--help")),
                    FLAGS("--authfile", "--cert-dir", "--creds", "--no-creds", "--password", "--registry-token",
                          "--sockfd", "--tls-verify", "--username"));
}

static void run_help_user_agent_prefix(struct check_context *c)
{
        bool listed = strstr(printed(c, FLAGS("--help")), "--user-agent-prefix");
        bool accepted = starts_with(c, FLAGS("--user-agent-prefix", "cip/1"), NULL);

        check_that(
                c, listed == accepted,
                "expected `--help` to name --user-agent-prefix just where it is accepted, but it is %s and %s",
                listed ? "named" : "not named", accepted ? "accepted" : "refused");
}

/* The flags of both helps that not every server has. */
static void run_help_flags(struct check_context *c)
{
        static const char *const flags[] = {"--daemon-host",      "--decryption-key", "--registries-conf",
                                            "--registries.d",     "--require-signed", "--shared-blob-dir",
                                            "--user-agent-prefix"};
        const char *both = check_text(c, "%s%s", printed(c, FLAGS("--help")),
                                      printed(c, FLAGS("experimental-image-proxy", "--help")));
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (strstr(both, flags[i]))
                        text = check_text(c, "%s%s%s", text, *text ? " " : "", flags[i]);
        check_record(c, "%s", *text ? text : "none");
}

static void run_version_line(struct check_context *c)
{
        const char *text = printed(c, FLAGS("--version")), *at = strstr(text, " version ");
        int major, minor, patch;

        check_that(c, at && sscanf(at, " version %d.%d.%d", &major, &minor, &patch) == 3,
                   "expected `NAME version MAJOR.MINOR.PATCH` on standard output, got: %.200s", text);
        check_that(c, strchr(text, '\n') == text + strlen(text) - 1, "expected one line, got: %.200s", text);
}

static void run_stdout(struct check_context *c)
{
        CLEANUP(cleanup_free) char *text = NULL;
        int ends[2];
        size_t len;

        if (pipe2(ends, O_CLOEXEC) < 0)
                check_error(c, "cannot make a pipe");
        check_start(c, &(struct server_start){.stdout_fd = ends[1]});
        fd_close(ends[1]);
        check_open_image(c, check_fixture(c, "layers-1"));
        check_still_serves(c);
        check_stop(c);
        check_read_to_end(c, ends[0], &text, &len);
        fd_close(ends[0]);
        check_that(c, len == 0, "expected nothing on standard output, got %zu bytes: %.200s", len, text);
}

/* ---- environment ---- */

/* An image is opened and read. The policy is named, as the place where it is looked for depends on HOME. */
static void works_with(struct check_context *c, const char *const *environment)
{
        static const char policy[] = "{\"default\": [{\"type\": \"insecureAcceptAnything\"}]}\n";
        const char *path = check_text(c, "%s/policy.json", check_folder(c));
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CLEANUP_ANSWER struct answer piped = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image;
        size_t len;

        if (fd < 0 || write_all(fd, policy, strlen(policy)) < 0)
                check_error(c, "cannot write the policy");
        check_start(
                c, &(struct server_start){.global_flags = FLAGS("--policy", path), .environment = environment});
        image = check_open_image(c, check_fixture(c, "layers-1"));
        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success && len > 0, "expected the manifest, got %zu bytes and the error: %.500s",
                   len, finish.error);
}

static void run_home_unset(struct check_context *c)
{
        works_with(c, FLAGS("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"));
}

static void run_home_missing(struct check_context *c)
{
        works_with(c, FLAGS("HOME=/nonexistent/home", "XDG_CONFIG_HOME=/nonexistent/home/.config",
                            "XDG_DATA_HOME=/nonexistent/home/.local/share"));
}

static void run_tmpdir_unset(struct check_context *c)
{
        works_with(c, FLAGS("TMPDIR"));
}

static void run_tmpdir_missing(struct check_context *c)
{
        works_with(c, FLAGS("TMPDIR=/nonexistent/tmp"));
}

static void run_runtime_dir(struct check_context *c)
{
        works_with(c, FLAGS("XDG_RUNTIME_DIR"));
        works_with(c, FLAGS("XDG_RUNTIME_DIR=/nonexistent/run"));
}

static void run_locale(struct check_context *c)
{
        works_with(c, FLAGS("LC_ALL", "LANG=xx_YY.UTF-8"));
}

/* The settings that name files, which a client may not set. */
static void run_settings_unset(struct check_context *c)
{
        works_with(c, FLAGS("REGISTRY_AUTH_FILE", "CONTAINERS_REGISTRIES_CONF"));
}

#define STARTUP(name, check_level, from, text, anchor, function)                                    \
        {                                                                                           \
                .id = "startup/" name, .level = (check_level), .since = (from), .requires = (text), \
                .reference = (anchor), .run = (function), .own_start = true                         \
        }
#define ALWAYS VERSION_OLDEST

const struct check checks_startup[] = {
        STARTUP("sockfd", LEVEL_MUST, ALWAYS,
                "`--sockfd 3` makes the server talk on descriptor 3, and `--sockfd 200` on 200.",
                "sockfd-number flag-sockfd", run_sockfd),
        STARTUP("sockfd-equals", LEVEL_SHOULD, ALWAYS,
                "`--sockfd=0` is the same as the flag and its value apart.", "flag-equals flag-sockfd",
                run_sockfd_equals),
        STARTUP("sockfd-negative", LEVEL_SHOULD, ALWAYS,
                "`--sockfd -1` is refused with exit status 1, not by a crash.", "not-a-socket exit-2",
                run_sockfd_negative),
        STARTUP("sockfd-not-open", LEVEL_MUST, ALWAYS,
                "`--sockfd` with a descriptor that is not open is refused with exit status 1 and a sentence.",
                "not-a-socket exit-1 stderr-reason", run_sockfd_not_open),
        STARTUP("sockfd-no-number", LEVEL_SHOULD, ALWAYS,
                "`--sockfd three` is refused with exit status 1 and a sentence.", "flag-value exit-1",
                run_sockfd_no_number),
        STARTUP("no-socket", LEVEL_MUST, ALWAYS,
                "A descriptor that is no socket ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_no_socket),
        STARTUP("unknown-flag", LEVEL_MUST, ALWAYS,
                "An unknown flag ends the server with exit status 1 and a sentence that names it.",
                "flag-unknown exit-1", run_unknown_flag),
        STARTUP("extra-argument", LEVEL_SHOULD, ALWAYS,
                "An argument behind the flags ends the server with exit status 1 and a sentence.",
                "extra-argument exit-1", run_extra_argument),
        STARTUP("debug", LEVEL_MUST, ALWAYS, "`--debug` is accepted, before the subcommand and behind it.",
                "flag-debug flag-place", run_debug),
        STARTUP("insecure-policy", LEVEL_MUST, ALWAYS, "`--insecure-policy` is accepted.", "flag-policy",
                run_insecure_policy),
        STARTUP("override-platform", LEVEL_MUST, ALWAYS,
                "`--override-arch`, `--override-os` and `--override-variant` are accepted.", "flag-override",
                run_override),
        STARTUP("tmpdir", LEVEL_SHOULD, ALWAYS, "`--tmpdir` and `--command-timeout` are accepted.",
                "flag-tmpdir flag-command-timeout", run_environment),
        STARTUP("authfile", LEVEL_MUST, ALWAYS, "`--authfile` is accepted.", "flag-authfile", run_authfile),
        STARTUP("no-creds", LEVEL_MUST, ALWAYS, "`--no-creds` is accepted.", "flag-no-creds", run_no_creds),
        STARTUP("credentials", LEVEL_MUST, ALWAYS,
                "`--creds`, and `--username` with `--password`, are accepted.", "flag-creds", run_credentials),
        STARTUP("registry-token", LEVEL_SHOULD, ALWAYS, "`--registry-token` is accepted.",
                "flag-registry-token", run_registry_token),
        STARTUP("tls", LEVEL_MUST, ALWAYS, "`--tls-verify=false` and `--cert-dir` are accepted.",
                "flag-tls-verify flag-cert-dir", run_tls),
        STARTUP("conflicting-credentials", LEVEL_SHOULD, ALWAYS,
                "`--no-creds` together with `--creds` is refused, at the start or by Initialize.",
                "flag-conflict", run_conflicting_credentials),
        STARTUP("policy-missing", LEVEL_SHOULD, VERSION(0, 2, 6),
                "With `--policy` of a missing file OpenImage is refused, and the server still serves.",
                "flag-policy open-policy", run_policy_missing),
        STARTUP("user-agent-prefix", LEVEL_INFO, ALWAYS, "Records whether `--user-agent-prefix` is accepted.",
                "flag-user-agent-prefix", run_user_agent_prefix),
        STARTUP("decryption-key", LEVEL_INFO, ALWAYS, "Records whether `--decryption-key` is accepted.",
                "flag-decryption-key", run_decryption_key),
        STARTUP("stream-socket", LEVEL_INFO, ALWAYS, "Records whether a SOCK_STREAM socket is served.",
                "stream-socket", run_stream_socket),
        STARTUP("sockfd-zero", LEVEL_MUST, ALWAYS, "`--sockfd 0` is the same as no `--sockfd`: standard input.",
                "sockfd-default flag-sockfd", run_sockfd_zero),
        STARTUP("sockfd-too-large", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 2147483648` is refused with exit status 1 and a sentence.", "not-a-socket exit-1",
                run_sockfd_too_large),
        STARTUP("sockfd-wraps", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 4294967296` is refused with exit status 1 and a sentence, and is not descriptor 0.",
                "flag-value not-a-socket exit-1", run_sockfd_wraps),
        STARTUP("sockfd-out-of-range", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 9223372036854775808` is refused with exit status 1 and a sentence.",
                "flag-value exit-1", run_sockfd_out_of_range),
        STARTUP("sockfd-empty", LEVEL_SHOULD, ALWAYS,
                "`--sockfd ''` and `--sockfd=` are refused with exit status 1 and a sentence.",
                "flag-value exit-1", run_sockfd_empty),
        STARTUP("sockfd-missing-value", LEVEL_SHOULD, ALWAYS,
                "`--sockfd` without a value is refused with exit status 1 and a sentence.",
                "flag-missing-value exit-1", run_sockfd_missing),
        STARTUP("sockfd-spelling", LEVEL_INFO, ALWAYS, "Records which other spellings of 0 `--sockfd` takes.",
                "flag-value flag-sockfd", run_sockfd_spelling),
        STARTUP("sockfd-twice", LEVEL_INFO, ALWAYS, "Records which of two values of `--sockfd` counts.",
                "flag-repeated flag-sockfd", run_sockfd_twice),
        STARTUP("stdin-file", LEVEL_SHOULD, ALWAYS,
                "A file for standard input ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_stdin_file),
        STARTUP("stdin-folder", LEVEL_SHOULD, ALWAYS,
                "A folder for standard input ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_stdin_folder),
        STARTUP("stdin-pipe", LEVEL_MUST, ALWAYS,
                "A pipe for standard input ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_stdin_pipe),
        STARTUP("stdin-terminal", LEVEL_MUST, ALWAYS,
                "A terminal for standard input ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_stdin_terminal),
        STARTUP("stdin-closed", LEVEL_SHOULD, ALWAYS,
                "A closed standard input ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_stdin_closed),
        STARTUP("sockfd-file", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 3` that is a file ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_sockfd_file),
        STARTUP("sockfd-folder", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 3` that is a folder ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_sockfd_folder),
        STARTUP("sockfd-pipe", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 3` that is a pipe ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_sockfd_pipe),
        STARTUP("sockfd-terminal", LEVEL_SHOULD, ALWAYS,
                "`--sockfd 3` that is a terminal ends the server with exit status 1 and a sentence.",
                "not-a-socket stderr-reason", run_sockfd_terminal),
        STARTUP("datagram-socket", LEVEL_SHOULD, ALWAYS,
                "A socket of the internet is refused with exit status 1, not by a crash.",
                "wrong-socket exit-2", run_datagram_socket),
        STARTUP("unconnected-socket", LEVEL_SHOULD, ALWAYS,
                "A socket that is not connected ends the server with exit status 1 and a sentence.",
                "wrong-socket exit-1", run_unconnected_socket),
        STARTUP("sockfd-stream", LEVEL_INFO, ALWAYS,
                "Records whether `--sockfd 3` may be a SOCK_STREAM socket.", "stream-socket",
                run_sockfd_stream),
        STARTUP("stream-pieces", LEVEL_INFO, ALWAYS,
                "Records what becomes of a request that comes in two pieces on a SOCK_STREAM socket.",
                "stream-pieces", run_stream_pieces),
        STARTUP("global-flags-behind", LEVEL_SHOULD, ALWAYS,
                "Global flags are accepted behind the subcommand too.",
                "flag-place flag-policy flag-override flag-tmpdir", run_global_flags_behind),
        STARTUP("authfile-descriptor", LEVEL_MUST, ALWAYS,
                "`--authfile /proc/self/fd/100` is accepted, where 100 is a file without a name.",
                "flag-authfile", run_authfile_descriptor),
        STARTUP("registries", LEVEL_SHOULD, ALWAYS, "`--registries.d` is accepted.", "flag-registries",
                run_registries),
        STARTUP("shared-blob-dir", LEVEL_SHOULD, ALWAYS, "`--shared-blob-dir` is accepted.",
                "flag-shared-blob-dir", run_shared_blob_dir),
        STARTUP("daemon-host", LEVEL_SHOULD, ALWAYS, "`--daemon-host` is accepted.", "flag-daemon-host",
                run_daemon_host),
        STARTUP("value-of-flag", LEVEL_SHOULD, ALWAYS,
                "`maybe` for a yes or no, and `soon` for a time, are refused with exit status 1 and a "
                "sentence.",
                "flag-value exit-1", run_value_of_flag),
        STARTUP("short-flag", LEVEL_SHOULD, ALWAYS, "`-d` is refused with exit status 1 and a sentence.",
                "flag-unknown exit-1", run_short_flag),
        STARTUP("username-alone", LEVEL_SHOULD, ALWAYS,
                "`--username` without `--password` is refused, at the start or by Initialize.", "flag-conflict",
                run_username_alone),
        STARTUP("creds-and-username", LEVEL_SHOULD, ALWAYS,
                "`--creds` together with `--username` is refused, at the start or by Initialize.",
                "flag-conflict", run_creds_and_username),
        STARTUP("end-of-flags", LEVEL_INFO, ALWAYS, "Records whether `--` may stand behind the flags.",
                "extra-argument flag-no-creds", run_end_of_flags),
        STARTUP("no-creds-false", LEVEL_INFO, ALWAYS,
                "Records whether `--no-creds=false` may stand beside `--creds`.",
                "flag-conflict flag-equals flag-no-creds", run_no_creds_false),
        STARTUP("help", LEVEL_MUST, ALWAYS,
                "`--help` names the global flags that clients use on standard output, with exit status 0.",
                "help", run_help),
        STARTUP("help-of-command", LEVEL_SHOULD, ALWAYS,
                "`experimental-image-proxy --help` names the flags that clients use, with exit status 0.",
                "help", run_help_of_command),
        STARTUP("help-user-agent-prefix", LEVEL_MUST, ALWAYS,
                "`--help` names `--user-agent-prefix` just where it is accepted.",
                "help flag-user-agent-prefix", run_help_user_agent_prefix),
        STARTUP("help-flags", LEVEL_INFO, ALWAYS, "Records which of the rarer flags `--help` names.", "help",
                run_help_flags),
        STARTUP("version-line", LEVEL_SHOULD, ALWAYS,
                "`--version` prints a line that ends with a name, `version` and three numbers, with exit "
                "status 0.",
                "version-line", run_version_line),
        STARTUP("stdout", LEVEL_SHOULD, ALWAYS, "A session writes nothing on standard output.", "stdout-unused",
                run_stdout),
        STARTUP("home-unset", LEVEL_SHOULD, ALWAYS, "An image is served without HOME.", "environment",
                run_home_unset),
        STARTUP("home-missing", LEVEL_SHOULD, ALWAYS, "An image is served with a HOME that does not exist.",
                "environment", run_home_missing),
        STARTUP("tmpdir-unset", LEVEL_SHOULD, ALWAYS, "An image is served without TMPDIR.", "environment",
                run_tmpdir_unset),
        STARTUP("tmpdir-missing", LEVEL_SHOULD, ALWAYS, "An image is served with a TMPDIR that does not exist.",
                "environment", run_tmpdir_missing),
        STARTUP("runtime-dir", LEVEL_SHOULD, ALWAYS,
                "An image is served without XDG_RUNTIME_DIR, and with one that does not exist.", "environment",
                run_runtime_dir),
        STARTUP("locale", LEVEL_SHOULD, ALWAYS, "An image is served in a locale that does not exist.",
                "environment", run_locale),
        STARTUP("settings-unset", LEVEL_SHOULD, ALWAYS,
                "An image is served without REGISTRY_AUTH_FILE and CONTAINERS_REGISTRIES_CONF.", "environment",
                run_settings_unset),
};
const size_t n_checks_startup = ARRAY_SIZE(checks_startup);
