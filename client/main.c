/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip: container images through a skopeo, for people and scripts. Here are the beginning and the end of the
 * program, and all that it says on stderr: libcip's options from the command line, the signals that cancel, the
 * exit status, and for each kind of failure what to do about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/completion.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "client/command.h"
#include "protocol/method.h"

enum exit_status {
        EXIT_FINE = 0,
        EXIT_SUBJECT = 1, /* the server or the image fell short */
        EXIT_USAGE = 2,   /* wrong use or environment */
        EXIT_SIGNAL = 128,
};

/* The most that --auth-stdin reads, in bytes. */
#define AUTH_MAX ((size_t)1024 * 1024)

static int (*const run[COMMANDS])(struct context *context, struct cip_error *error) = {
        [COMMAND_INSPECT] = command_inspect, [COMMAND_MANIFEST] = command_manifest,
        [COMMAND_CONFIG] = command_config,   [COMMAND_LAYERS] = command_layers,
        [COMMAND_BLOB] = command_blob,       [COMMAND_PULL] = command_pull,
        [COMMAND_CALL] = command_call,
};

/* ---- signals ---- */

static volatile sig_atomic_t interrupted_by; /* the signal, 0: none */
static int cancel_fd = -1;                   /* readable once there was one */

/* The first one ends what is under way in good order; a second one ends the program on the spot. */
static void on_interrupt(int number)
{
        int kept = errno;
        uint64_t one = 1;

        interrupted_by = number;
        if (write(cancel_fd, &one, sizeof(one)) < 0)
                _exit(EXIT_SIGNAL + number);
        errno = kept;
}

/* For signals that would kill us where an error is just as good. Ignored, they would be by children too. */
static void on_nothing(int number)
{
        (void)number;
}

static int watch_signals(struct cip_error *error)
{
        static const int cancelling[] = {SIGINT, SIGTERM, SIGHUP};
        static const int harmless[] = {SIGPIPE, SIGXFSZ};
        struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
        struct sigaction inherited;

        cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (cancel_fd < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make an eventfd");
        for (size_t i = 0; i < ARRAY_SIZE(cancelling); i++) {
                /* nohup and the shell's & ignore some on our behalf. */
                if (sigaction(cancelling[i], NULL, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
                        sigaction(cancelling[i], &action, NULL);
        }
        action = (struct sigaction){.sa_handler = on_nothing, .sa_flags = SA_RESTART};
        for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
                sigaction(harmless[i], &action, NULL);
        return 0;
}

/* ---- libcip's options ---- */

/* What is wrong with a path that the server would be told, before it is. */
static int judge_path(const char *option, const char *path, bool folder, struct cip_error *error)
{
        struct stat status;

        if (!path)
                return 0;
        if (stat(path, &status) < 0 || access(path, R_OK) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--%s: cannot read '%s'", option, path);
        if (folder && !S_ISDIR(status.st_mode))
                return error_set(error, CIP_ERROR_LOCAL, -ENOTDIR, "--%s: '%s' is no folder", option, path);
        if (!folder && S_ISDIR(status.st_mode))
                return error_set(error, CIP_ERROR_LOCAL, -EISDIR, "--%s: '%s' is a folder, not a file", option,
                                 path);
        return 0;
}

static int judge_paths(const struct arguments *arguments, struct cip_error *error)
{
        int r = judge_path("authfile", arguments->authfile, false, error);

        if (r == 0)
                r = judge_path("cert-dir", arguments->cert_dir, true, error);
        if (r == 0)
                r = judge_path("policy", arguments->policy, false, error);
        /* A key with a colon in it is no path: ocicrypt has other kinds, and passphrases. */
        for (size_t i = 0; r == 0 && i < arguments->n_decryption_keys; i++)
                if (!strchr(arguments->decryption_keys[i], ':'))
                        r = judge_path("decryption-key", arguments->decryption_keys[i], false, error);
        return r;
}

static int read_auth(struct cip_options *options, struct cip_error *error)
{
        char *data;
        size_t len;
        int r = read_to_end(STDIN_FILENO, AUTH_MAX, DEADLINE_NEVER, &data, &len);

        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "--auth-stdin: cannot read standard input");
        if (len == 0) {
                free(data);
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--auth-stdin: standard input is empty; give it the content of an auth.json");
        }
        r = cip_options_set_auth_data(options, data, len);
        explicit_bzero(data, len);
        free(data);
        return r < 0 ? error_set_errno(error, CIP_ERROR_LOCAL, r, "--auth-stdin") : 0;
}

static int open_transcript(const struct arguments *arguments, struct cip_options *options,
                           struct cip_error *error)
{
        CLEANUP_FD int fd = -1;
        int r;

        if (arguments->transcript) {
                fd = open(arguments->transcript, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY,
                          0600);
                if (fd < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, -errno,
                                               "--transcript: cannot write to '%s'", arguments->transcript);
        } else if (arguments->debug) {
                fd = dup_fd(STDERR_FILENO, 3);
        }
        if (fd < 0)
                return 0;
        r = cip_options_set_transcript_fd(options, fd);
        return r < 0 ? error_set_errno(error, CIP_ERROR_LOCAL, r, "--transcript") : 0;
}

/* The server's command: as it is given, or from the environment. */
static int set_command(struct context *context, struct cip_error *error)
{
        const char *line = context->arguments->skopeo;
        const char *from = "--skopeo";
        int r;

        if (!line) {
                line = getenv("CIP_SKOPEO");
                from = "CIP_SKOPEO";
        }
        if (!line || !*line)
                return 0;
        r = cip_options_set_command_line(context->options, line);
        if (r == -ENOMEM)
                return error_set(error, CIP_ERROR_LOCAL, r, "out of memory");
        return r < 0 ? error_set(error, CIP_ERROR_LOCAL, r, "%s: '%s' is no command", from, line) : 0;
}

static int set_texts(const struct arguments *arguments, struct cip_options *options)
{
        int r = 0;

        if (arguments->authfile)
                r = cip_options_set_authfile(options, arguments->authfile);
        if (r == 0 && arguments->cert_dir)
                r = cip_options_set_cert_dir(options, arguments->cert_dir);
        for (size_t i = 0; r == 0 && i < arguments->n_decryption_keys; i++)
                r = cip_options_add_decryption_key(options, arguments->decryption_keys[i]);
        if (r == 0 && arguments->policy)
                r = cip_options_set_policy(options, arguments->policy);
        if (r == 0 && arguments->user_agent_prefix)
                r = cip_options_set_user_agent_prefix(options, arguments->user_agent_prefix);
        if (r == 0)
                r = cip_options_set_platform(options, arguments->architecture, arguments->os,
                                             arguments->variant);
        return r;
}

static int make_options(struct context *context, struct cip_error *error)
{
        const struct arguments *arguments = context->arguments;
        struct cip_options *options;
        int r = cip_options_new(&context->options);

        if (r < 0)
                return error_set(error, CIP_ERROR_LOCAL, r, "out of memory");
        options = context->options;
        cip_options_set_anonymous(options, arguments->no_creds);
        cip_options_set_tls_verify(options, arguments->tls_verify);
        cip_options_set_insecure_policy(options, arguments->insecure_policy);
        cip_options_set_debug(options, arguments->debug);
        cip_options_set_request_timeout(options, arguments->timeout_ms);
        cip_options_set_stall_timeout(options, arguments->stall_timeout_ms);
        r = judge_paths(arguments, error);
        if (r == 0)
                r = set_command(context, error);
        if (r < 0)
                return r;
        r = set_texts(arguments, options);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "an option cannot be handed on");
        r = open_transcript(arguments, options, error);
        if (r == 0 && arguments->auth_stdin)
                r = read_auth(options, error);
        if (r == 0)
                r = watch_signals(error);
        if (r == 0)
                r = cip_options_set_cancel_fd(options, cancel_fd);
        context->cancel_fd = cancel_fd;
        return r;
}

/* ---- what went wrong ---- */

/* What to do about an error: the first row that fits. */
static const struct {
        enum cip_error_class error_class;
        int errnum;    /* 0: any */
        bool starting; /* only where no session came to be */
        const char *hint;
} hints[] = {
        {CIP_ERROR_LOCAL, -ENOENT, true, "install skopeo, or name another with --skopeo or CIP_SKOPEO"},
        {CIP_ERROR_LOCAL, -EACCES, true, "name a program that can be run with --skopeo or CIP_SKOPEO"},
        {CIP_ERROR_LOCAL, -EISDIR, true, "name a program that can be run with --skopeo or CIP_SKOPEO"},
        {CIP_ERROR_LOCAL, -ENOEXEC, true, "name a program that can be run with --skopeo or CIP_SKOPEO"},
        {CIP_ERROR_LOCAL, -ENOSPC, false, "make room and try again"},
        {CIP_ERROR_TRANSPORT, -ETIMEDOUT, true, "is it a skopeo? --timeout SECONDS waits longer"},
        {CIP_ERROR_TRANSPORT, -ETIMEDOUT, false, "--timeout and --stall-timeout SECONDS wait longer"},
        {CIP_ERROR_TRANSPORT, 0, true, "it has to be a skopeo of 1.6 or later; --skopeo names another"},
        {CIP_ERROR_PROTOCOL, -EPROTONOSUPPORT, false,
         "a skopeo of 1.6 or later is needed; --skopeo names another"},
        {CIP_ERROR_PROTOCOL, 0, true, "is it a skopeo? --skopeo names another"},
};

/* The transports of references, for those who mistype one. */
static const char *const transports[] = {
        "docker", "docker-archive",     "docker-daemon", "oci",     "oci-archive", "dir",
        "sif",    "containers-storage", "ostree",        "tarball",
};

/* The transport that was probably meant, or NULL. */
static const char *meant_transport(const struct arguments *arguments)
{
        char name[64];
        struct nearest nearest = {.name = name};
        const char *reference = arguments->operands[0];

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(reference, ":"), reference);
        if (arguments->command->id == COMMAND_CALL)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
                text_nearest(&nearest, transports[i]);
        return nearest.best && strcmp(nearest.best, name) != 0 ? nearest.best : NULL;
}

static void put_error(const char *message)
{
        bool colour = is_lively(STDERR_FILENO);

        fprintf(stderr, "%scip:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", message);
}

static int exit_status(const struct context *context, int r, const struct cip_error *error)
{
        if (interrupted_by)
                return EXIT_SIGNAL + interrupted_by;
        if (context->reader_is_gone)
                return EXIT_SIGNAL + SIGPIPE;
        if (error->error_class == CIP_ERROR_LOCAL && r != -ENOTSUP)
                return EXIT_USAGE;
        return EXIT_SUBJECT;
}

/* Says what went wrong and what to do. Returns the exit status. */
static int report(const struct context *context, int r, struct cip_error *error)
{
        const char *transport = NULL;
        int status;

        /* Wherever it is, it is this machine that ran out. */
        if (r == -ENOMEM && error->error_class != CIP_ERROR_LOCAL)
                error_set(error, CIP_ERROR_LOCAL, r, "out of memory");
        status = exit_status(context, r, error);
        /* `cip manifest .. | head -1` has what it wanted. */
        if (context->reader_is_gone)
                return status;
        if (interrupted_by) {
                put_error(error->message);
                return status;
        }
        if (error->error_class == CIP_ERROR_REMOTE)
                transport = meant_transport(context->arguments);
        if (transport)
                error_append(error, "; did you mean '%s:'?", transport);
        for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
                if (hints[i].error_class != error->error_class || (hints[i].errnum && hints[i].errnum != r) ||
                    (hints[i].starting && !context->session_failed))
                        continue;
                error_append(error, "; %s", hints[i].hint);
                break;
        }
        put_error(error->message);
        return status;
}

/* ---- the program ---- */

/*
 * Descriptors 0 to 2 are always open, so that nothing of ours can come to have their numbers. Those that were
 * closed cannot be written to: output to them is an error as it would have been.
 */
static void open_standard_descriptors(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDONLY);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
}

/* Ends standard output. What was not written is an error. */
static int finish_stdout(int status)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        if (errno == EPIPE)
                return EXIT_SIGNAL + SIGPIPE;
        fprintf(stderr, "cip: cannot write to standard output: %s\n", strerror(errno));
        return EXIT_USAGE;
}

static int print_version(void)
{
        printf("cip %s\n", cip_version());
        return finish_stdout(EXIT_FINE);
}

static void context_clear(struct context *context)
{
        cip_options_free(context->options);
        fd_clear(&cancel_fd);
}

static int run_command(const struct arguments *arguments)
{
        CLEANUP(context_clear) struct context context = {.arguments = arguments};
        struct cip_error error = {.error_class = CIP_ERROR_NONE};
        int r = make_options(&context, &error);

        if (r == 0)
                r = run[arguments->command->id](&context, &error);
        if (r < 0)
                return report(&context, r, &error);
        return finish_stdout(EXIT_FINE);
}

int main(int argc, char **argv)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {.action = ACTION_RUN};
        struct cip_error error;

        open_standard_descriptors();
        if (argc > 1 && !strcmp(argv[1], COMPLETION_OPTION)) {
                arguments_complete((const char *const *)argv + 2, (size_t)argc - 2, stdout);
                return finish_stdout(EXIT_FINE);
        }
        if (arguments_parse(argc, (const char *const *)argv, &arguments, &error) < 0) {
                put_error(error.message);
                return EXIT_USAGE;
        }
        switch (arguments.action) {
        case ACTION_HELP:
                arguments_print_help(stdout, arguments.command);
                return finish_stdout(EXIT_FINE);
        case ACTION_VERSION:
                return print_version();
        case ACTION_RUN:
                break;
        }
        return run_command(&arguments);
}
