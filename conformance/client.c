/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of a client in a scenario. `skopeo` is a small sh script that is the fake with the scenario built in:
 * nothing has to come through the client's environment, which some clients clear. Where the scenario is that there
 * is no skopeo, each folder of PATH that has one is replaced by a folder of links to all else that is in it.
 */
#include "conformance/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "conformance/descendants.h"
#include "conformance/report.h"

/* Of the output the beginning and the end are kept, so many bytes each. */
#define OUTPUT_HEAD ((size_t)256 * 1024)
#define OUTPUT_TAIL ((size_t)512 * 1024)
#define OUTPUT_SIZE ((size_t)1024 * 1024)

/* How long what the client leaves behind, its servers foremost, may take to be gone by itself. */
#define LEFTOVER_GRACE_MS 5000

/* How long it takes at most to end what hangs. */
#define KILL_GRACE_MS 5000

/* The file that says that the fake was not there to be started. */
#define NO_FAKE "no-fake"

/* ---- the command ---- */

bool client_has_placeholder(const char *const *command, const char *placeholder)
{
        for (size_t i = 0; command[i]; i++)
                if (strstr(command[i], placeholder))
                        return true;
        return false;
}

/* One word with its placeholders replaced. */
static char *replace(const char *word, const char *reference, const char *result)
{
        static const char ref_mark[] = "{ref}", result_mark[] = "{result}";
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        if (!out)
                return NULL;
        while (*word) {
                if (strncmp(word, ref_mark, strlen(ref_mark)) == 0) {
                        fputs(reference, out);
                        word += strlen(ref_mark);
                } else if (strncmp(word, result_mark, strlen(result_mark)) == 0) {
                        fputs(result, out);
                        word += strlen(result_mark);
                } else {
                        fputc(*word++, out);
                }
        }
        return memstream_close(out, &text);
}

char **client_argv(const char *const *command, const char *reference, const char *result)
{
        size_t n = 0;
        char **argv;

        while (command[n])
                n++;
        argv = calloc(n + 1, sizeof(*argv));
        for (size_t i = 0; argv && i < n; i++) {
                argv[i] = replace(command[i], reference, result);
                if (!argv[i])
                        return NULL;
        }
        return argv;
}

/* ---- the world ---- */

static void make_folder(struct check_context *c, const char *path)
{
        if (mkdir(path, 0700) < 0)
                check_error(c, "cannot make the folder %s: %s", path, strerror(errno));
}

/* The script that a client starts as `skopeo`. Its process becomes the fake's. */
static void write_skopeo(struct visit *visit)
{
        const char *path = check_text(visit->c, "%s/skopeo", visit->bin);
        CLEANUP(cleanup_free) char *fake = shell_quote((const char *const[]){visit->client->fake, NULL});
        CLEANUP(cleanup_free) char *scenario = shell_quote((const char *const[]){visit->detail->path, NULL});
        CLEANUP(cleanup_free) char *verdict = shell_quote((const char *const[]){visit->verdicts, NULL});
        CLEANUP(cleanup_free) char *record = shell_quote((const char *const[]){visit->records, NULL});
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        const char *text;

        if (!fake || !scenario || !verdict || !record)
                check_error(visit->c, "out of memory");
        text = check_text(visit->c,
                          "#!/bin/sh\n"
                          "test -x %s || : >%s/" NO_FAKE "\n"
                          "case \" $* \" in *\" experimental-image-proxy \"*) : >%s/$$.started ;; esac\n"
                          "%s --scenario %s --verdict %s/$$.json --record %s/$$.jsonl \"$@\"\n",
                          fake, verdict, verdict,
                          visit->server ? visit->server : check_text(visit->c, "exec %s", fake), scenario,
                          verdict, record);
        if (fd < 0 || write_all(fd, text, strlen(text)) < 0)
                check_error(visit->c, "cannot write %s: %s", path, strerror(errno));
}

/* Links to all that is in @folder but skopeo. */
static const char *without_skopeo(struct visit *visit, const char *folder, size_t number)
{
        const char *links = check_text(visit->c, "%s/path-%zu", check_folder(visit->c), number);
        DIR *dir = opendir(folder);
        struct dirent *entry;

        make_folder(visit->c, links);
        while (dir && (entry = readdir(dir))) {
                CLEANUP(cleanup_free) char *from = NULL;
                CLEANUP(cleanup_free) char *to = NULL;

                if (strcmp(entry->d_name, "skopeo") == 0)
                        continue;
                if (asprintf(&from, "%s/%s", folder, entry->d_name) < 0)
                        from = NULL;
                if (asprintf(&to, "%s/%s", links, entry->d_name) < 0)
                        to = NULL;
                /* "." and "..", which are there, and what is there twice, stay as they are. */
                if (from && to && symlink(from, to) < 0 && errno != EEXIST)
                        check_error(visit->c, "cannot make the link %s: %s", to, strerror(errno));
        }
        if (dir)
                closedir(dir);
        return links;
}

/* PATH without any skopeo on it. */
static const char *bare_path(struct visit *visit)
{
        const char *path = getenv("PATH"), *result = "";
        size_t n = 0;

        for (path = path ? path : "/usr/bin:/bin"; *path;) {
                size_t len = strcspn(path, ":");
                const char *folder = len ? check_text(visit->c, "%.*s", (int)len, path) : ".";

                if (access(check_text(visit->c, "%s/skopeo", folder), F_OK) == 0)
                        folder = without_skopeo(visit, folder, n);
                result = check_text(visit->c, "%s%s%s", result, n ? ":" : "", folder);
                n++;
                path += len + (path[len] == ':');
        }
        return result;
}

static const char *client_path(struct visit *visit)
{
        const char *path = getenv("PATH");

        if (!visit->detail->path)
                return bare_path(visit);
        return check_text(visit->c, "%s:%s", visit->bin, path && *path ? path : "/usr/bin:/bin");
}

static bool is_of(const char *variable, const char *name)
{
        size_t len = strlen(name);

        return strncmp(variable, name, len) == 0 && variable[len] == '=';
}

/* Whether a later variable has the same name. */
static bool is_overridden(const char *const *environment, size_t i)
{
        size_t len = strcspn(environment[i], "=");

        for (size_t j = 0; j < i; j++)
                if (strncmp(environment[j], environment[i], len) == 0 && environment[j][len] == '=')
                        return true;
        return false;
}

/* The world's variables, each once: shells take the last of two, and programs the first. */
static const char **make_environment(struct visit *visit)
{
        const char *const *world = world_environment(visit->c->world);
        const char **environment;
        size_t n = 0, kept = 0;

        while (world[n])
                n++;
        environment = calloc(n + 3, sizeof(*environment));
        if (!environment)
                check_error(visit->c, "out of memory");
        for (size_t i = 0; i < n; i++)
                if (!is_of(world[i], "PATH") && !is_of(world[i], "CIP_SKOPEO") && !is_overridden(world, i) &&
                    strncmp(world[i], "CIP_FAKEPROXY_", strlen("CIP_FAKEPROXY_")) != 0)
                        environment[kept++] = world[i];
        environment[kept++] = check_text(visit->c, "PATH=%s", client_path(visit));
        environment[kept++] = check_text(visit->c, "CIP_SKOPEO=%s/skopeo", visit->bin);
        return environment;
}

static void prepare(struct visit *visit)
{
        struct check_context *c = visit->c;
        const char *folder = check_folder(c);

        visit->bin = check_text(c, "%s/bin", folder);
        visit->verdicts = check_text(c, "%s/verdicts", folder);
        visit->records = check_text(c, "%s/records", folder);
        visit->result = visit->client->result ? check_text(c, "%s/home/%s", folder, visit->client->result)
                                              : check_text(c, "%s/result", folder);
        make_folder(c, visit->bin);
        make_folder(c, visit->verdicts);
        make_folder(c, visit->records);
        if (visit->detail->registry)
                client_registry_start(visit);
        if (visit->detail->path)
                write_skopeo(visit);
}

/* ---- the run ---- */

/* Takes in what there is of the output, without waiting. */
static void read_output(struct visit *visit, int fd)
{
        for (;;) {
                ssize_t n;

                if (visit->output_len == OUTPUT_SIZE) {
                        memmove(visit->output + OUTPUT_HEAD, visit->output + OUTPUT_SIZE - OUTPUT_TAIL,
                                OUTPUT_TAIL);
                        visit->output_len = OUTPUT_HEAD + OUTPUT_TAIL;
                }
                n = read(fd, visit->output + visit->output_len, OUTPUT_SIZE - visit->output_len);
                if (n <= 0)
                        break;
                visit->output_len += (size_t)n;
        }
        visit->output[visit->output_len] = '\0';
}

static struct child *start(struct visit *visit, int output)
{
        struct check_context *c = visit->c;
        char **argv = client_argv(c->subject->command, visit->reference, visit->result);
        const struct child_fd fds[] = {{output, 1}, {output, 2}};
        struct cip_error error = {0};
        struct child *child = NULL;
        int r;

        if (!argv)
                check_error(c, "out of memory");
        context_doing(c, "starting %s", argv[0]);
        r = child_start(
                &(struct child_spec){
                        .argv = (const char *const *)argv,
                        .envp = make_environment(visit),
                        .fds = fds,
                        .n_fds = ARRAY_SIZE(fds),
                        .keep_stderr = true,
                },
                &child, &error);
        if (r < 0)
                check_error(c, "%s", error.message);
        c->outcome->server = child_pid(child);
        transcript_note(c->transcript, "the client was started");
        return child;
}

/* Until its end or the deadline. */
static void watch(struct visit *visit, struct child *child, int output, struct deadline deadline)
{
        struct pollfd fds[] = {
                {.fd = child_pidfd(child), .events = POLLIN},
                {.fd = output, .events = POLLIN},
        };

        while (!deadline_passed(deadline)) {
                int r = poll(fds, ARRAY_SIZE(fds), deadline_poll_ms(deadline));

                if (r < 0 && errno != EINTR)
                        check_error(visit->c, "cannot wait: %s", strerror(errno));
                if (r > 0 && fds[1].revents) {
                        read_output(visit, output);
                        /* Closed by all: it would be ready for ever. */
                        if (!(fds[1].revents & POLLIN))
                                fds[1].fd = -1;
                }
                if (r > 0 && fds[0].revents)
                        return;
        }
        visit->hung = true;
}

/* This process is a subreaper: what the client left behind is a child of ours now. */
static void end_leftovers(struct visit *visit)
{
        struct deadline grace = deadline_in_ms(LEFTOVER_GRACE_MS);

        while (!visit->hung && !descendants_gone() && !deadline_passed(grace))
                context_wait(visit->c, -1, 0, deadline_in_ms(10));
        visit->n_left = descendants_end(visit->left);
}

static void run_command(struct visit *visit)
{
        struct check_context *c = visit->c;
        double limit = (double)scenario_within(visit->detail->scenario) + visit->client->patience;
        uint64_t begun = monotonic_ns();
        struct child *child;
        int ends[2];

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                check_error(c, "cannot make a pipe: %s", strerror(errno));
        /* Only our end does not block. */
        fd_set_nonblocking(ends[1], false);
        child = start(visit, ends[1]);
        fd_close(ends[1]);
        context_doing(c, "waiting for the client");
        watch(visit, child, ends[0], deadline_in_seconds(limit));
        visit->seconds = (double)(monotonic_ns() - begun) / 1e9;
        if (visit->hung)
                child_signal(child, SIGKILL);
        if (child_wait(child, deadline_in_ms(KILL_GRACE_MS), &visit->status) < 0)
                check_error(c, "the client could not be ended");
        child_reap(child);
        end_leftovers(visit);
        c->outcome->server = 0;
        read_output(visit, ends[0]);
        fd_close(ends[0]);
        child_free(child);
}

/* ---- what came of it ---- */

static size_t count_started(const char *folder)
{
        DIR *dir = opendir(folder);
        struct dirent *entry;
        size_t n = 0;

        while (dir && (entry = readdir(dir)))
                n += strstr(entry->d_name, ".started") != NULL;
        if (dir)
                closedir(dir);
        return n;
}

/* Puts what the fake recorded of the sessions into the check's transcript. */
static void take_records(struct visit *visit)
{
        CLEANUP_FD int to = open(visit->c->transcript_path, O_WRONLY | O_APPEND | O_CLOEXEC);
        CLEANUP_FD int from = open(visit->records, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent **names = NULL;
        int n = scandir(visit->records, &names, NULL, alphasort);

        for (int i = 0; i < n; i++) {
                CLEANUP(cleanup_free) char *text = NULL;
                size_t len;

                if (names[i]->d_name[0] != '.' &&
                    read_file_at(from, names[i]->d_name, OUTPUT_SIZE, &text, &len, NULL) == 0)
                        write_all(to, text, len);
                free(names[i]);
        }
        free(names);
}

/* The end of the output, for reports and --keep. */
static void keep_output(struct visit *visit)
{
        char *tail = visit->c->outcome->stderr_tail;
        size_t len = visit->output_len;
        size_t skip = len < OUTCOME_STDERR_SIZE ? 0 : len - OUTCOME_STDERR_SIZE + 1;

        memcpy(tail, visit->output + skip, len - skip);
        tail[len - skip] = '\0';
        /* Text for messages and searches, whatever it was. */
        for (size_t i = 0; i < len; i++)
                if (visit->output[i] == '\0')
                        visit->output[i] = ' ';
}

void client_run(struct check_context *c)
{
        const struct client *client =
                (const void *)((const char *)c->subject - offsetof(struct client, subject));
        struct visit visit = {
                .c = c, .client = client, .detail = scenario_case_of(c->check), .reference = client->reference};
        struct cip_error error = {0};

        visit.output = malloc(OUTPUT_SIZE + 1);
        if (!visit.output)
                check_error(c, "out of memory");
        visit.output[0] = '\0';
        prepare(&visit);
        run_command(&visit);
        keep_output(&visit);
        take_records(&visit);
        transcript_exit(c->transcript, visit.status);
        if (access(check_text(c, "%s/" NO_FAKE, visit.verdicts), F_OK) == 0)
                check_error(c, "%s can no longer be started", client->fake);
        visit.n_started = count_started(visit.verdicts);
        if (verdicts_read(visit.verdicts, &visit.seen, &error) < 0)
                check_error(c, "%s", error.message);
        context_doing(c, "judging what the client did");
        client_judge(&visit);
}
