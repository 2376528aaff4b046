/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the start: the command line that clients use, the socket's place, and what a server does that
 * cannot start. Each starts the server itself. That a flag is accepted means that the session begins; what the
 * flag does is for the groups it belongs to.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "conformance/check.h"
#include "conformance/groups.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts a server that should refuse to start, and wants exit status 1, and mostly a sentence on stderr. */
static void wants_exit_1(struct check_context *c, struct server_start start)
{
        int status;

        start.no_initialize = true;
        check_expect_exit(c, 1);
        check_expect_stderr(c);
        check_start(c, &start);
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

        check_expect_exit(c, -1);
        check_expect_stderr(c);
        check_start(
                c, &(struct server_start){.global_flags = global_flags, .flags = flags, .no_initialize = true});
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
        check_expect_stderr(c);
        check_start(c, &(struct server_start){.socket = SERVER_STREAM, .no_initialize = true});
        check_record(c, answers_initialize(c) ? "served" : "refused");
        check_stop(c);
}

#define STARTUP(name, check_level, from, text, anchor, function)                                    \
        {                                                                                           \
                .id = "startup/" name, .level = (check_level), .since = (from), .requires = (text), \
                .reference = (anchor), .run = (function), .own_start = true                         \
        }
#define ALWAYS VERSION_OLDEST

const struct check checks_startup[] = {
        STARTUP("sockfd", LEVEL_MUST, ALWAYS,
                "`--sockfd 3` makes the server talk on descriptor 3, and `--sockfd 200` on 200.", "transport",
                run_sockfd),
        STARTUP("sockfd-equals", LEVEL_SHOULD, ALWAYS,
                "`--sockfd=0` is the same as the flag and its value apart.", "command-line", run_sockfd_equals),
        STARTUP("sockfd-negative", LEVEL_SHOULD, ALWAYS,
                "`--sockfd -1` is refused with exit status 1, not by a crash.", "exit-status",
                run_sockfd_negative),
        STARTUP("sockfd-not-open", LEVEL_MUST, ALWAYS,
                "`--sockfd` with a descriptor that is not open is refused with exit status 1 and a sentence.",
                "exit-status", run_sockfd_not_open),
        STARTUP("sockfd-no-number", LEVEL_SHOULD, ALWAYS,
                "`--sockfd three` is refused with exit status 1 and a sentence.", "exit-status",
                run_sockfd_no_number),
        STARTUP("no-socket", LEVEL_MUST, ALWAYS,
                "A descriptor that is no socket ends the server with exit status 1 and a sentence.",
                "exit-status", run_no_socket),
        STARTUP("unknown-flag", LEVEL_MUST, ALWAYS,
                "An unknown flag ends the server with exit status 1 and a sentence that names it.",
                "command-line", run_unknown_flag),
        STARTUP("extra-argument", LEVEL_SHOULD, ALWAYS,
                "An argument behind the flags ends the server with exit status 1 and a sentence.",
                "command-line", run_extra_argument),
        STARTUP("debug", LEVEL_MUST, ALWAYS, "`--debug` is accepted, before the subcommand and behind it.",
                "command-line", run_debug),
        STARTUP("insecure-policy", LEVEL_MUST, ALWAYS, "`--insecure-policy` is accepted.", "command-line",
                run_insecure_policy),
        STARTUP("override-platform", LEVEL_MUST, ALWAYS,
                "`--override-arch`, `--override-os` and `--override-variant` are accepted.", "command-line",
                run_override),
        STARTUP("tmpdir", LEVEL_SHOULD, ALWAYS, "`--tmpdir` and `--command-timeout` are accepted.",
                "command-line", run_environment),
        STARTUP("authfile", LEVEL_MUST, ALWAYS, "`--authfile` is accepted.", "command-line", run_authfile),
        STARTUP("no-creds", LEVEL_MUST, ALWAYS, "`--no-creds` is accepted.", "command-line", run_no_creds),
        STARTUP("credentials", LEVEL_MUST, ALWAYS,
                "`--creds`, and `--username` with `--password`, are accepted.", "command-line",
                run_credentials),
        STARTUP("registry-token", LEVEL_SHOULD, ALWAYS, "`--registry-token` is accepted.", "command-line",
                run_registry_token),
        STARTUP("tls", LEVEL_MUST, ALWAYS, "`--tls-verify=false` and `--cert-dir` are accepted.",
                "command-line", run_tls),
        STARTUP("conflicting-credentials", LEVEL_SHOULD, ALWAYS,
                "`--no-creds` together with `--creds` is refused, at the start or by Initialize.",
                "command-line", run_conflicting_credentials),
        STARTUP("policy-missing", LEVEL_SHOULD, VERSION(0, 2, 6),
                "With `--policy` of a missing file OpenImage is refused, and the server still serves.",
                "command-line", run_policy_missing),
        STARTUP("user-agent-prefix", LEVEL_INFO, ALWAYS, "Records whether `--user-agent-prefix` is accepted.",
                "command-line", run_user_agent_prefix),
        STARTUP("decryption-key", LEVEL_INFO, ALWAYS, "Records whether `--decryption-key` is accepted.",
                "command-line", run_decryption_key),
        STARTUP("stream-socket", LEVEL_INFO, ALWAYS, "Records whether a SOCK_STREAM socket is served.",
                "transport", run_stream_socket),
};
const size_t n_checks_startup = ARRAY_SIZE(checks_startup);
