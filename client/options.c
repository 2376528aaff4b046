/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a session, and the command line that follows from them. Secrets go to the server as the
 * content of a sealed memory file under a descriptor number, never as an argument, a variable or a file with a
 * name, and are overwritten when the options are freed.
 */
#include "client/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"

/* The number under which the server finds its auth data; clear of what wrappers use. */
#define AUTH_FD 100

/* As much of a command's --help as is looked at. */
#define HELP_MAX (1024UL * 1024)

static const char *const default_command[] = {"skopeo", NULL};

/* ---- memory ---- */

static void free_secret(char *secret)
{
        if (secret)
                explicit_bzero(secret, strlen(secret));
        free(secret);
}

static void free_words(char **words)
{
        for (char **word = words; word && *word; word++)
                free(*word);
        free(words);
}
DEFINE_CLEANUP(char **, free_words);

static size_t count_words(const char *const *words)
{
        size_t n = 0;

        while (words && words[n])
                n++;
        return n;
}

static int copy_words(const char *const *words, char ***ret)
{
        size_t n = count_words(words);
        CLEANUP(cleanup_free_words) char **copy = calloc(n + 1, sizeof(*copy));

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                copy[i] = strdup(words[i]);
                if (!copy[i])
                        return -ENOMEM;
        }
        *ret = STEAL(copy);
        return 0;
}

static int set_words(char ***words, const char *const *value)
{
        char **copy = NULL;

        if (value && copy_words(value, &copy) < 0)
                return -ENOMEM;
        free_words(*words);
        *words = copy;
        return 0;
}

static int set_text(char **text, const char *value)
{
        char *copy = NULL;

        if (value && !*value)
                return -EINVAL;
        if (value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*text);
        *text = copy;
        return 0;
}

static int set_fd(int *fd, int value)
{
        int copy = -1;

        if (value >= 0) {
                copy = dup_fd(value, 3);
                if (copy < 0)
                        return copy;
        }
        fd_close(*fd);
        *fd = copy;
        return 0;
}

int cip_options_new(struct cip_options **ret)
{
        struct cip_options *options = calloc(1, sizeof(*options));

        if (!options)
                return -ENOMEM;
        options->tls_verify = true;
        options->request_timeout_ms = CIP_REQUEST_TIMEOUT_MS;
        options->stall_timeout_ms = CIP_STALL_TIMEOUT_MS;
        options->cancel_fd = options->transcript_fd = -1;
        *ret = options;
        return 0;
}

static void forget_credentials(struct cip_options *options)
{
        for (size_t i = 0; i < options->n_credentials; i++) {
                free(options->credentials[i].registry);
                free_secret(options->credentials[i].auth);
        }
        free(options->credentials);
        options->credentials = NULL;
        options->n_credentials = 0;
}

static void forget_auth_data(struct cip_options *options)
{
        if (options->auth_data)
                explicit_bzero(options->auth_data, options->auth_data_len);
        free(options->auth_data);
        options->auth_data = NULL;
        options->auth_data_len = 0;
}

void cip_options_free(struct cip_options *options)
{
        if (!options)
                return;
        free_words(options->command);
        free_words(options->environment);
        free(options->directory);
        free(options->authfile);
        forget_auth_data(options);
        forget_credentials(options);
        free(options->cert_dir);
        free_words(options->decryption_keys);
        free(options->policy);
        free(options->user_agent_prefix);
        free(options->architecture);
        free(options->os);
        free(options->variant);
        fd_close(options->cancel_fd);
        fd_close(options->transcript_fd);
        free(options);
}

/* ---- setters ---- */

int cip_options_set_command(struct cip_options *options, const char *const *argv)
{
        if (argv && (!argv[0] || !argv[0][0]))
                return -EINVAL;
        return set_words(&options->command, argv);
}

int cip_options_set_command_line(struct cip_options *options, const char *line)
{
        CLEANUP(cleanup_free) char *copy = NULL;
        CLEANUP(cleanup_free) const char **words = NULL;
        size_t n = 0;
        char *state;

        if (!line)
                return cip_options_set_command(options, NULL);
        copy = strdup(line);
        /* Every word but the last has a blank behind it. */
        words = calloc(strlen(line) / 2 + 2, sizeof(*words));
        if (!copy || !words)
                return -ENOMEM;
        for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state))
                words[n++] = word;
        return cip_options_set_command(options, words);
}

int cip_options_set_environment(struct cip_options *options, const char *const *envp)
{
        for (const char *const *word = envp; word && *word; word++)
                if (!strchr(*word, '='))
                        return -EINVAL;
        return set_words(&options->environment, envp);
}

int cip_options_set_directory(struct cip_options *options, const char *path)
{
        return set_text(&options->directory, path);
}

int cip_options_set_authfile(struct cip_options *options, const char *path)
{
        return set_text(&options->authfile, path);
}

int cip_options_set_auth_data(struct cip_options *options, const void *data, size_t len)
{
        char *copy = NULL;

        if (data) {
                copy = malloc(len + 1);
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, data, len);
        }
        forget_auth_data(options);
        options->auth_data = copy;
        options->auth_data_len = copy ? len : 0;
        return 0;
}

void cip_options_set_anonymous(struct cip_options *options, bool anonymous)
{
        options->anonymous = anonymous;
}

/* Base64 of USER:PASSWORD. */
static int encode_auth(const char *user, const char *password, char **ret)
{
        char *plain = NULL;
        char *encoded;
        int len = asprintf(&plain, "%s:%s", user, password);

        if (len < 0)
                return -ENOMEM;
        encoded = len < INT_MAX / 2 ? malloc((size_t)(len + 2) / 3 * 4 + 1) : NULL;
        if (encoded)
                EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, len);
        free_secret(plain);
        if (!encoded)
                return -ENOMEM;
        *ret = encoded;
        return 0;
}

/* The entry of @registry, new where there is none. */
static int credentials_entry(struct cip_options *options, const char *registry, struct credentials **ret)
{
        struct credentials *grown;
        char *copy;

        for (size_t i = 0; i < options->n_credentials; i++) {
                if (strcmp(options->credentials[i].registry, registry) == 0) {
                        *ret = &options->credentials[i];
                        return 0;
                }
        }
        copy = strdup(registry);
        grown = reallocarray(options->credentials, options->n_credentials + 1, sizeof(*grown));
        if (grown)
                options->credentials = grown;
        if (!copy || !grown) {
                free(copy);
                return -ENOMEM;
        }
        *ret = &grown[options->n_credentials++];
        **ret = (struct credentials){.registry = copy};
        return 0;
}

int cip_options_add_credentials(struct cip_options *options, const char *registry, const char *user,
                                const char *password)
{
        struct credentials *entry;
        char *auth;
        int r;

        if (!registry) {
                forget_credentials(options);
                return 0;
        }
        /* What a registry's name is made of, and so nothing that JSON would have to escape. */
        if (!*registry || registry[strspn(registry, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                    "0123456789.-_:/[]")])
                return -EINVAL;
        if (!user || !password || strchr(user, ':'))
                return -EINVAL;
        r = encode_auth(user, password, &auth);
        if (r < 0)
                return r;
        r = credentials_entry(options, registry, &entry);
        if (r < 0) {
                free_secret(auth);
                return r;
        }
        free_secret(entry->auth);
        entry->auth = auth;
        return 0;
}

int cip_options_set_cert_dir(struct cip_options *options, const char *path)
{
        return set_text(&options->cert_dir, path);
}

int cip_options_add_decryption_key(struct cip_options *options, const char *key)
{
        size_t n = count_words((const char *const *)options->decryption_keys);
        char **grown;
        char *copy;

        if (!key)
                return set_words(&options->decryption_keys, NULL);
        if (!*key)
                return -EINVAL;
        copy = strdup(key);
        grown = reallocarray(options->decryption_keys, n + 2, sizeof(*grown));
        if (grown) {
                options->decryption_keys = grown;
                grown[n] = copy;
                grown[n + 1] = NULL;
        }
        if (!grown)
                free(copy);
        return grown && copy ? 0 : -ENOMEM;
}

void cip_options_set_tls_verify(struct cip_options *options, bool verify)
{
        options->tls_verify = verify;
}

void cip_options_set_insecure_policy(struct cip_options *options, bool insecure)
{
        options->insecure_policy = insecure;
}

int cip_options_set_policy(struct cip_options *options, const char *path)
{
        return set_text(&options->policy, path);
}

int cip_options_set_user_agent_prefix(struct cip_options *options, const char *prefix)
{
        return set_text(&options->user_agent_prefix, prefix);
}

int cip_options_set_platform(struct cip_options *options, const char *architecture, const char *os,
                             const char *variant)
{
        const char *const values[] = {architecture, os, variant};
        char **const members[] = {&options->architecture, &options->os, &options->variant};
        char *copies[ARRAY_SIZE(values)] = {NULL};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(values) && r == 0; i++)
                r = set_text(&copies[i], values[i]);
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                free(r == 0 ? *members[i] : copies[i]);
                if (r == 0)
                        *members[i] = copies[i];
        }
        return r;
}

void cip_options_set_debug(struct cip_options *options, bool debug)
{
        options->debug = debug;
}

void cip_options_set_request_timeout(struct cip_options *options, uint64_t ms)
{
        options->request_timeout_ms = ms;
}

void cip_options_set_stall_timeout(struct cip_options *options, uint64_t ms)
{
        options->stall_timeout_ms = ms;
}

int cip_options_set_cancel_fd(struct cip_options *options, int fd)
{
        return set_fd(&options->cancel_fd, fd);
}

int cip_options_set_transcript_fd(struct cip_options *options, int fd)
{
        return set_fd(&options->transcript_fd, fd);
}

/* ---- the command line ---- */

static const char *const *options_command(const struct cip_options *options)
{
        return options->command ? (const char *const *)options->command : default_command;
}

const char *options_command_name(const struct cip_options *options)
{
        const char *command = options_command(options)[0];
        const char *slash = strrchr(command, '/');

        return slash && slash[1] ? slash + 1 : command;
}

static int check_credentials(const struct cip_options *options, struct cip_error *error)
{
        int ways = (options->authfile != NULL) + (options->auth_data != NULL) + options->anonymous +
                   (options->n_credentials > 0);

        if (ways > 1)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "only one of auth file, auth data, credentials and anonymous can be set");
        return 0;
}

/* containers-auth.json(5) of the credentials. What goes in needs no escape, see cip_options_add_credentials. */
static int format_credentials(const struct cip_options *options, char **ret, size_t *ret_len)
{
        FILE *stream = open_memstream(ret, ret_len);
        bool failed;

        if (!stream)
                return -ENOMEM;
        fputs("{\"auths\":{", stream);
        for (size_t i = 0; i < options->n_credentials; i++)
                fprintf(stream, "%s\"%s\":{\"auth\":\"%s\"}", i ? "," : "", options->credentials[i].registry,
                        options->credentials[i].auth);
        fputs("}}\n", stream);
        failed = ferror(stream);
        failed |= fclose(stream) != 0 || !*ret;
        return failed ? -ENOMEM : 0;
}

/* Puts data into a memory file without a name that nobody can change. */
static int make_memory_file(const char *data, size_t len, int *ret, struct cip_error *error)
{
        CLEANUP_FD int fd = memfd_create("cip-auth", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r = fd < 0 ? -errno : write_all(fd, data, len);

        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = -errno;
        if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
                r = -errno;
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot keep the auth data in memory");
        *ret = steal_fd(&fd);
        return 0;
}

/* *@ret is -1 where there is no secret to hand over. */
static int make_auth_fd(const struct cip_options *options, int *ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        int r;

        *ret = -1;
        if (options->auth_data)
                return make_memory_file(options->auth_data, options->auth_data_len, ret, error);
        if (options->n_credentials == 0)
                return 0;
        r = format_credentials(options, &text, &len);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot hand over the credentials");
        r = make_memory_file(text, len, ret, error);
        explicit_bzero(text, len);
        return r;
}

/* Reads @fd to its end, or until HELP_MAX bytes have come. */
static int read_help(const struct cip_options *options, int fd, char **ret, struct cip_error *error)
{
        struct deadline deadline =
                options->request_timeout_ms ? deadline_in_ms(options->request_timeout_ms) : DEADLINE_NEVER;
        CLEANUP(cleanup_free) char *text = malloc(HELP_MAX + 1);
        size_t len = 0;
        ssize_t n = 1;

        if (!text)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot ask for the command's help");
        while (n > 0 && len < HELP_MAX) {
                struct pollfd pollfds[] = {{.fd = options->cancel_fd, .events = POLLIN},
                                           {.fd = fd, .events = POLLIN}};
                int events = poll(pollfds, ARRAY_SIZE(pollfds), deadline_poll_ms(deadline));

                if (events > 0 && pollfds[0].revents)
                        return error_set(error, CIP_ERROR_LOCAL, -ECANCELED, "cancelled");
                if (events > 0)
                        n = read(fd, text + len, HELP_MAX - len);
                else if (events == 0)
                        return error_set(error, CIP_ERROR_TRANSPORT, -ETIMEDOUT,
                                         "%s --help did not end in time", options_command_name(options));
                if (events > 0 && n > 0)
                        len += (size_t)n;
        }
        text[len] = '\0';
        *ret = STEAL(text);
        return 0;
}

/* Runs `COMMAND --help`, and returns what it says. */
static int run_help(const struct cip_options *options, const char *const *argv, char **ret,
                    struct cip_error *error)
{
        CLEANUP(cleanup_child_free) struct child *child = NULL;
        CLEANUP_FD int read_end = -1;
        CLEANUP_FD int write_end = -1;
        struct child_fd fds[] = {{.target = 1}};
        struct child_spec spec = {
                .argv = argv,
                .envp = (const char *const *)options->environment,
                .cwd = options->directory,
                .fds = fds,
                .n_fds = ARRAY_SIZE(fds),
        };
        int ends[2];
        int r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make a pipe");
        read_end = ends[0];
        write_end = ends[1];
        fds[0].fd = write_end;
        r = child_start(&spec, &child, error);
        if (r < 0)
                return r;
        fd_clear(&write_end);
        return read_help(options, read_end, ret, error);
}

/* Whether the command knows --user-agent-prefix. */
static int probe_user_agent_prefix(const struct cip_options *options, bool *ret, struct cip_error *error)
{
        const char *const *command = options_command(options);
        size_t n = count_words(command);
        CLEANUP(cleanup_free) const char **argv = calloc(n + 2, sizeof(*argv));
        CLEANUP(cleanup_free) char *help = NULL;
        int r;

        if (!argv)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot ask for the command's help");
        memcpy(argv, command, n * sizeof(*argv));
        argv[n] = "--help";
        r = run_help(options, argv, &help, error);
        if (r < 0)
                return r;
        *ret = help && strstr(help, "--user-agent-prefix");
        return 0;
}

/* The flags: a row each, with its value or as it stands, before the subcommand or behind it. */
struct flag {
        const char *name;
        const char *value; /* NULL: none */
        bool set;
};

static size_t put_flags(const char **argv, size_t n, const struct flag *flags, size_t n_flags)
{
        for (const struct flag *flag = flags; flag < flags + n_flags; flag++) {
                if (!flag->set)
                        continue;
                argv[n++] = flag->name;
                if (flag->value)
                        argv[n++] = flag->value;
        }
        return n;
}

static const char **make_argv(const struct cip_options *options, bool user_agent, bool auth_fd,
                              const char *auth_path)
{
        const struct flag global[] = {
                {"--debug", NULL, options->debug},
                {"--insecure-policy", NULL, options->insecure_policy},
                {"--policy", options->policy, options->policy},
                {"--override-arch", options->architecture, options->architecture},
                {"--override-os", options->os, options->os},
                {"--override-variant", options->variant, options->variant},
                {"--user-agent-prefix", options->user_agent_prefix, user_agent},
        };
        const struct flag own[] = {
                {"--authfile", options->authfile, options->authfile},
                {"--authfile", auth_path, auth_fd},
                {"--no-creds", NULL, options->anonymous},
                {"--cert-dir", options->cert_dir, options->cert_dir},
                {"--tls-verify=false", NULL, !options->tls_verify},
        };
        const char *const *command = options_command(options);
        const char *const *keys = (const char *const *)options->decryption_keys;
        size_t n = count_words(command);
        const char **argv = calloc(n + 2 * ARRAY_SIZE(global) + 2 * ARRAY_SIZE(own) + 2 * count_words(keys) + 2,
                                   sizeof(*argv));

        if (!argv)
                return NULL;
        memcpy(argv, command, n * sizeof(*argv));
        n = put_flags(argv, n, global, ARRAY_SIZE(global));
        argv[n++] = "experimental-image-proxy";
        n = put_flags(argv, n, own, ARRAY_SIZE(own));
        for (; keys && *keys; keys++) {
                argv[n++] = "--decryption-key";
                argv[n++] = *keys;
        }
        return argv;
}

int options_start(const struct cip_options *options, int socket, struct child **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) const char **argv = NULL;
        CLEANUP_FD int auth_fd = -1;
        struct child_fd fds[] = {{socket, 0}, {-1, AUTH_FD}};
        struct child_spec spec = {
                .envp = (const char *const *)options->environment,
                .cwd = options->directory,
                .fds = fds,
                .n_fds = 1,
                .keep_stderr = options->debug,
        };
        char auth_path[32];
        bool user_agent = false;
        int r = check_credentials(options, error);

        if (r == 0)
                r = make_auth_fd(options, &auth_fd, error);
        if (r == 0 && options->user_agent_prefix)
                r = probe_user_agent_prefix(options, &user_agent, error);
        if (r < 0)
                return r;
        if (auth_fd >= 0) {
                fds[1].fd = auth_fd;
                spec.n_fds = 2;
        }
        snprintf(auth_path, sizeof(auth_path), "/proc/self/fd/%d", AUTH_FD);
        argv = make_argv(options, user_agent, auth_fd >= 0, auth_path);
        if (!argv)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot start the server");
        spec.argv = argv;
        return child_start(&spec, ret, error);
}
