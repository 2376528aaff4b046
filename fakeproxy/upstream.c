/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the other server: what is ours is taken out of the command line and the environment, every other
 * descriptor is handed on under its number, and where the client's socket was, the server finds one of ours. Who
 * asks for help, or hands over something that is no socket, gets the server itself. relay.c has what follows.
 */
#include "fakeproxy/upstream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "base/fd.h"
#include "fakeproxy/alter.h"
#include "fakeproxy/edits.h"
#include "fakeproxy/go.h"
#include "fakeproxy/record.h"
#include "fakeproxy/relay.h"
#include "fakeproxy/scenario.h"
#include "protocol/message.h"

/* The words that a command line may have. */
#define WORDS_MAX 4096

/* ---- flags and environment ---- */

struct own_flag {
        const char *name, *environment;
        bool is_bool;
        bool of_recorder; /* else it stays where this program is its own upstream */
        size_t offset;
};

static const struct own_flag own_flags[] = {
        {"upstream", UPSTREAM_ENVIRONMENT, false, false, offsetof(struct upstream, command)},
        {"record", "CIP_FAKEPROXY_RECORD", false, true, offsetof(struct upstream, record)},
        {"record-data", "CIP_FAKEPROXY_RECORD_DATA", true, true, offsetof(struct upstream, record_data)},
        {"scenario", "CIP_FAKEPROXY_SCENARIO", false, false, offsetof(struct upstream, scenario)},
        {"verdict", "CIP_FAKEPROXY_VERDICT", false, false, offsetof(struct upstream, verdict)},
        {"seed", "CIP_FAKEPROXY_SEED", false, false, offsetof(struct upstream, seed)},
};

/* The own flag that @argument is, and its value; NULL: it is another. *@ret_value NULL: it stands in the next word. */
static const struct own_flag *find_flag(const char *argument, const char **ret_value)
{
        if (strncmp(argument, "--", 2) != 0)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(own_flags); i++) {
                size_t len = strlen(own_flags[i].name);

                if (strncmp(argument + 2, own_flags[i].name, len) != 0)
                        continue;
                if (argument[2 + len] == '=' || !argument[2 + len]) {
                        *ret_value = argument[2 + len] ? argument + 3 + len : NULL;
                        return &own_flags[i];
                }
        }
        return NULL;
}

static int set(const struct own_flag *flag, const char *value, struct upstream *upstream,
               struct cip_error *error)
{
        char *to = (char *)upstream + flag->offset;

        if (!flag->is_bool) {
                *(const char **)(void *)to = *value ? value : NULL;
                return 0;
        }
        if (go_parse_bool(value, (bool *)(void *)to))
                return 0;
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "--%s is true or false, not \"%s\"", flag->name,
                         value);
}

static int read_environment(struct upstream *upstream, struct cip_error *error)
{
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(own_flags) && r == 0; i++) {
                const char *value = getenv(own_flags[i].environment);

                if (value && *value)
                        r = set(&own_flags[i], value, upstream, error);
        }
        return r;
}

static int read_flags(int argc, char *const argv[], struct upstream *upstream, struct cip_error *error)
{
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
                const char *value = NULL;
                const struct own_flag *flag = find_flag(argv[i], &value);
                int r;

                if (!flag)
                        continue;
                if (!value && flag->is_bool)
                        value = "true";
                if (!value && i + 1 < argc)
                        value = argv[++i];
                if (!value)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "--%s needs a value", flag->name);
                r = set(flag, value, upstream, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has_replay(int argc, char *const argv[])
{
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (!strcmp(argv[i], "--replay") || !strncmp(argv[i], "--replay=", 9))
                        return true;
        return false;
}

/* The commands of our own, which start no server whatever the environment says. */
static bool is_own_command(int argc, char *const argv[])
{
        static const char *const commands[] = {"check", "format", "quirks", "schema"};
        const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;

        if (argc < 2 || !strcmp(base ? base + 1 : argv[0], "skopeo"))
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (!strcmp(argv[1], commands[i]))
                        return true;
        return false;
}

int upstream_read(int argc, char *const argv[], struct upstream *ret, struct cip_error *error)
{
        struct upstream upstream = {0};
        int r = is_own_command(argc, argv) ? 0 : read_environment(&upstream, error);

        if (r == 0)
                r = read_flags(argc, argv, &upstream, error);
        if (r < 0)
                return r;
        *ret = upstream;
        if (!upstream.command && !upstream.record)
                return 0;
        if (has_replay(argc, argv))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--replay answers out of a recording: it goes with neither --%s",
                                 upstream.command ? "upstream nor --record" : "record nor --upstream");
        if (upstream.command && upstream.command[strspn(upstream.command, " ")] == '\0')
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "--upstream needs a command");
        /* What the client sees is recorded: this program once more, before the one that has the scenario. */
        if (upstream.command && upstream.record && upstream.scenario)
                ret->command = NULL;
        return 1;
}

/* ---- the server's command line and environment ---- */

struct launch {
        char *command; /* the words of the upstream, cut apart */
        const char **argv;
        const char **envp;
        size_t n_command; /* the words of argv that are the upstream's */
        char *chain;
        struct scenario *scenario; /* NULL: none is beside it */
        uint64_t seed;
        struct edited edited; /* argv and envp as the scenario has them */
        struct child_fd *fds;
        size_t n_fds;
        bool stdin_closed;
        int sockfd; /* the client's socket */
        int type;   /* of socket */
};

static void launch_clear(struct launch *launch)
{
        free(launch->command);
        free(launch->argv);
        free(launch->envp);
        free(launch->chain);
        scenario_free(launch->scenario);
        edited_clear(&launch->edited);
        free(launch->fds);
}

static const char *const *launch_argv(const struct launch *launch)
{
        return launch->edited.argv ? launch->edited.argv : launch->argv;
}

static const char *const *launch_envp(const struct launch *launch)
{
        return launch->edited.envp ? launch->edited.envp : launch->envp;
}

/* Where this program is; the caller frees. NULL: no memory. */
static char *own_path(void)
{
        static const char link[] = "/proc/self/exe";
        char path[4096];
        ssize_t n = readlink(link, path, sizeof(path) - 1);

        path[n > 0 ? n : 0] = '\0';
        return strdup(n > 0 && access(path, X_OK) == 0 ? path : link);
}

static int make_argv(const struct upstream *upstream, int argc, char *const argv[], struct launch *launch)
{
        char *state = NULL;
        size_t n = 0, room = (size_t)argc + WORDS_MAX;
        bool ours = true;

        launch->argv = calloc(room + 1, sizeof(*launch->argv));
        launch->command = upstream->command ? strdup(upstream->command) : own_path();
        if (!launch->argv || !launch->command)
                return -ENOMEM;
        if (!upstream->command)
                launch->argv[n++] = launch->command;
        for (char *word = n ? NULL : strtok_r(launch->command, " \t", &state); word && n < WORDS_MAX;
             word = strtok_r(NULL, " \t", &state))
                launch->argv[n++] = word;
        launch->n_command = n;
        for (int i = 1; i < argc; i++) {
                const char *value = NULL;
                const struct own_flag *flag;

                ours = ours && strcmp(argv[i], "--") != 0;
                flag = ours ? find_flag(argv[i], &value) : NULL;
                if (!flag || (!flag->of_recorder && !upstream->command))
                        launch->argv[n++] = argv[i];
                else if (!value && !flag->is_bool)
                        i++;
        }
        return 0;
}

static bool is_variable(const char *entry, const char *name)
{
        size_t len = strlen(name);

        return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

/*
 * The server's environment has none of the settings that are ours. The upstream's name stays where it came that
 * way: a server that finds it and itself in the chain is this program again.
 */
static bool is_ours(const struct upstream *upstream, const char *entry)
{
        for (size_t i = 0; i < ARRAY_SIZE(own_flags); i++) {
                const struct own_flag *flag = &own_flags[i];

                if (!is_variable(entry, flag->environment))
                        continue;
                if (flag->offset == offsetof(struct upstream, command))
                        return upstream->command && strcmp(strchr(entry, '=') + 1, upstream->command) != 0;
                return flag->of_recorder || upstream->command;
        }
        return upstream->command && is_variable(entry, UPSTREAM_CHAIN_ENVIRONMENT);
}

static int make_environment(const struct upstream *upstream, struct launch *launch)
{
        const char *chain = getenv(UPSTREAM_CHAIN_ENVIRONMENT);
        size_t n = 0;

        for (char *const *entry = environ; *entry; entry++)
                n++;
        launch->envp = calloc(n + 2, sizeof(*launch->envp));
        if (!launch->envp || asprintf(&launch->chain, UPSTREAM_CHAIN_ENVIRONMENT "=%s%s\n", chain ? chain : "",
                                      upstream->command ? upstream->command : "") < 0) {
                launch->chain = NULL;
                return -ENOMEM;
        }
        n = 0;
        for (char *const *entry = environ; *entry; entry++)
                if (!is_ours(upstream, *entry))
                        launch->envp[n++] = *entry;
        if (upstream->command)
                launch->envp[n++] = launch->chain;
        return 0;
}

/* ---- an upstream that is this program ---- */

/* Whether an interposer that started us, or one that started that one, has the same upstream. */
static bool is_in_chain(const char *command)
{
        const char *chain = getenv(UPSTREAM_CHAIN_ENVIRONMENT);
        size_t len = strlen(command);

        for (; chain && *chain; chain = strchr(chain, '\n') ? strchr(chain, '\n') + 1 : NULL)
                if (strncmp(chain, command, len) == 0 && chain[len] == '\n')
                        return true;
        return false;
}

/* Whether PATH leads to this program by the name skopeo: then the real one was meant, and was not found. */
static bool is_own_link(const char *word)
{
        const char *search = getenv("PATH");
        struct stat own, found;

        if (strcmp(word, "skopeo") != 0 || !search || stat("/proc/self/exe", &own) < 0)
                return false;
        for (;; search++) {
                char path[4096];
                size_t len = strcspn(search, ":");

                if (snprintf(path, sizeof(path), "%.*s/%s", len ? (int)len : 1, len ? search : ".", word) <
                            (int)sizeof(path) &&
                    access(path, X_OK) == 0 && stat(path, &found) == 0 && S_ISREG(found.st_mode))
                        return found.st_dev == own.st_dev && found.st_ino == own.st_ino;
                search += len;
                if (!*search)
                        return false;
        }
}

/* ---- the client's socket and the other descriptors ---- */

/* The number behind --sockfd, else 0; -1: none that is one. */
static int find_sockfd(const char *const argv[])
{
        int64_t ret = 0;

        for (size_t i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++) {
                const char *value = NULL;

                if (!strcmp(argv[i], "--sockfd"))
                        value = argv[i + 1] ? argv[i + 1] : "";
                else if (!strncmp(argv[i], "--sockfd=", 9))
                        value = argv[i] + 9;
                if (value && go_parse_int(value, &ret))
                        return -1;
        }
        return ret < 0 || ret > INT32_MAX ? -1 : (int)ret;
}

static int socket_option(int fd, int option)
{
        int value = 0;
        socklen_t size = sizeof(value);

        return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

/* Whether it is one that we can stand before: connected, of the kinds that servers take. */
static bool is_session(struct launch *launch)
{
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);

        if (launch->sockfd < 0)
                return false;
        launch->type = socket_option(launch->sockfd, SO_TYPE);
        return (launch->type == SOCK_SEQPACKET || launch->type == SOCK_STREAM) &&
               socket_option(launch->sockfd, SO_DOMAIN) == AF_UNIX &&
               getpeername(launch->sockfd, (struct sockaddr *)(void *)&peer, &size) == 0;
}

/* Every descriptor that we were given, to be handed on under its number; those to be closed by exec are not. */
static int list_descriptors(struct launch *launch)
{
        DIR *folder = opendir("/proc/self/fd");
        struct dirent *entry;

        if (!folder)
                return -errno;
        launch->stdin_closed = true;
        while ((entry = readdir(folder))) {
                int fd = (int)strtol(entry->d_name, NULL, 10);
                struct child_fd *grown;

                if (entry->d_name[0] == '.' || fd == dirfd(folder) || fcntl(fd, F_GETFD) != 0)
                        continue;
                grown = reallocarray(launch->fds, launch->n_fds + 1, sizeof(*grown));
                if (!grown) {
                        closedir(folder);
                        return -ENOMEM;
                }
                launch->fds = grown;
                launch->fds[launch->n_fds++] = (struct child_fd){fd, fd};
                if (fd == 0)
                        launch->stdin_closed = false;
        }
        closedir(folder);
        return 0;
}

/* No descriptor of ours may get the number of a standard one. */
static void fill_standard_descriptors(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        while (fd >= 0 && fd <= 2);
        if (fd >= 0)
                fd_close(fd);
}

/* A pair of sockets like the client's: the same kind, with the same room. */
static int make_pair(const struct launch *launch, int ret[2])
{
        static const int options[] = {SO_SNDBUF, SO_RCVBUF};

        if (socketpair(AF_UNIX, launch->type | SOCK_CLOEXEC, 0, ret) < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                int size = socket_option(launch->sockfd, options[i]) /
                           2; /* the kernel tells twice what was asked */

                for (int end = 0; end < 2 && size > 0; end++)
                        if (socket_option(ret[end], options[i]) / 2 != size)
                                (void)setsockopt(ret[end], SOL_SOCKET, options[i], &size, sizeof(size));
        }
        return 0;
}

/* ---- the session ---- */

/* Ends as the server did. */
static int end_like(int status)
{
        static const struct rlimit none = {0, 0};
        sigset_t set;

        if (status == -1)
                return 1;
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        (void)setrlimit(RLIMIT_CORE, &none); /* the server has left one, where one was wanted */
        signal(WTERMSIG(status), SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, WTERMSIG(status));
        raise(WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        return 128 + WTERMSIG(status);
}

static int complain(const struct cip_error *error)
{
        fprintf(stderr, "cip-fakeproxy: %s\n", error->message);
        return 2;
}

static int read_seed(const char *text, uint64_t *seed, struct cip_error *error)
{
        char *end;

        errno = 0;
        *seed = strtoull(text, &end, 10);
        if (errno || *end || *text < '0' || *text > '9' || *seed > JSON_INTEGER_MAX)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--seed \"%s\": expected an integer of 0 to 2^53-1", text);
        return 0;
}

/* The scenario beside an upstream, if any, and how it has the upstream started. */
static int open_scenario(const struct upstream *upstream, struct launch *launch, struct cip_error *error)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        int r = 0;

        if (!upstream->scenario || !upstream->command)
                return 0;
        if (scenario_read(upstream->scenario, &launch->scenario, &problems) < 0) {
                problems_print(&problems, upstream->scenario, stderr);
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "this scenario cannot be played");
        }
        launch->seed = launch->scenario->seed;
        if (upstream->seed)
                r = read_seed(upstream->seed, &launch->seed, error);
        return r < 0 ? r
                     : edits_apply(&launch->scenario->upstream, launch->argv, launch->n_command, launch->envp,
                                   &launch->edited, error);
}

static int play(const struct relay *relay, const struct launch *launch, const char *verdict, int *ret_status,
                struct cip_error *error)
{
        struct alteration alteration = {.client = relay->client,
                                        .server = relay->server,
                                        .stream = relay->stream,
                                        .child = relay->child,
                                        .scenario = launch->scenario,
                                        .verdict = verdict,
                                        .seed = launch->seed};

        return alter_run(&alteration, ret_status, error);
}

/* Starts the server with @take_theirs, and lets the relay do the rest. */
static int run_session(const struct upstream *upstream, struct launch *launch, int ours, int take_theirs)
{
        struct child_spec spec = {.argv = launch_argv(launch),
                                  .envp = launch_envp(launch),
                                  .fds = launch->fds,
                                  .n_fds = launch->n_fds,
                                  .keep_stderr = true,
                                  .close_stdin = launch->stdin_closed};
        struct relay relay = {.client = launch->sockfd, .server = ours, .stream = launch->type == SOCK_STREAM};
        struct record *record CLEANUP(cleanup_record_free) = NULL;
        struct cip_error error = {0};
        struct stat st;
        int r = 0, status = 0;

        if (fstat(take_theirs, &st) == 0)
                relay.server_inode = st.st_ino;
        for (size_t i = 0; i < launch->n_fds; i++)
                if (launch->fds[i].target == launch->sockfd)
                        launch->fds[i].fd = take_theirs;
        if (upstream->record)
                r = record_new(upstream->record, upstream->record_data, relay.stream ? "stream" : "seqpacket",
                               &record, &error);
        if (r == 0) {
                r = child_start(&spec, &relay.child, &error);
                if (r < 0)
                        error_prefix(&error, "the upstream");
        }
        fd_close(take_theirs);
        if (r < 0) {
                fd_close(ours);
                return complain(&error);
        }
        relay.record = record;
        r = launch->scenario ? play(&relay, launch, upstream->verdict, &status, &error)
                             : relay_run(&relay, &status, &error);
        if (r < 0)
                return complain(&error);
        r = record_finish(record, status, &error);
        return r < 0 ? complain(&error) : end_like(status);
}

/* Starts the server in our place. */
static int become(const struct launch *launch)
{
        struct cip_error error = {0};

        execvpe(launch->argv[0], (char *const *)(uintptr_t)launch_argv(launch),
                (char *const *)(uintptr_t)launch_envp(launch));
        error_set_errno(&error, CIP_ERROR_LOCAL, -errno, "the upstream: cannot start %s", launch->argv[0]);
        return complain(&error);
}

static int run(const struct upstream *upstream, int argc, char *const argv[], struct launch *launch)
{
        struct cip_error error = {0};
        int ends[2] = {-1, -1}, r = list_descriptors(launch);

        if (r == 0)
                r = make_argv(upstream, argc, argv, launch);
        if (r == 0)
                r = make_environment(upstream, launch);
        if (r == 0 && upstream->command && (is_in_chain(upstream->command) || is_own_link(launch->argv[0]))) {
                error_set(&error, CIP_ERROR_LOCAL, -ELOOP,
                          "the upstream \"%s\" is cip-fakeproxy again: name the real server by its path",
                          upstream->command);
                return complain(&error);
        }
        if (r == 0 && open_scenario(upstream, launch, &error) < 0)
                return complain(&error);
        if (r == 0) {
                launch->sockfd = find_sockfd(launch->argv);
                if (!is_session(launch))
                        return upstream->command ? become(launch) : -1;
                fill_standard_descriptors();
                r = make_pair(launch, ends);
        }
        if (r < 0) {
                error_set_errno(&error, CIP_ERROR_LOCAL, r, "cannot stand before the upstream");
                return complain(&error);
        }
        return run_session(upstream, launch, ends[0], ends[1]);
}

int upstream_run(const struct upstream *upstream, int argc, char *const argv[])
{
        struct launch launch = {0};
        int ret = run(upstream, argc, argv, &launch);

        launch_clear(&launch);
        return ret;
}
