/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe is checks that are in no table: Initialize, an image of docker://, and for skopeo `--version`. So it has
 * a closed world, a deadline and an end like any other check.
 */
#include "conformance/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conformance/context.h"

/* Bytes that `--version` may print. */
#define VERSION_TEXT_MAX 1024

/* The server's end is nobody's business here: only its answer counts. */
static void run_initialize(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct version version;

        check_start(c, &(struct server_start){.no_initialize = true});
        check_call(c, &answer, "Initialize", "[]");
        if (!answer.success || !json_object_is_type(answer.value, json_type_string))
                check_fail(c, "it answered Initialize with %.300s", answer.packet.data);
        if (version_parse(json_object_get_string(answer.value), &version) < 0)
                check_fail(c, "it announced the version %.300s, which is none",
                           json_object_to_json_string(answer.value));
        check_record(c, "%s", json_object_get_string(answer.value));
        /* What it was started for is done: it is not waited for, but ended. */
        check_skip(c, "asked");
}

/* Runs COMMAND --version and records the release. What it prints instead is no shortfall. */
static void run_version(struct check_context *c)
{
        const char *command = c->subject->command[0];
        char text[VERSION_TEXT_MAX + 1] = "";
        CLEANUP_FD int out = -1, in = -1;
        const char **argv = subject_argv(c->subject, &(struct server_start){0}, &(int){0});
        struct cip_error error = {0};
        unsigned a, b, d;
        size_t n = 0;
        int ends[2];

        if (!argv || pipe2(ends, O_CLOEXEC) < 0)
                check_error(c, "cannot ask %s for its version", command);
        out = ends[0];
        in = ends[1];
        while (c->subject->command[n])
                n++;
        argv[n] = "--version";
        if (child_start(
                    &(struct child_spec){
                            .argv = argv,
                            .envp = world_environment(c->world),
                            .fds = &(struct child_fd){in, 1},
                            .n_fds = 1,
                    },
                    &c->child, &error) < 0)
                check_error(c, "%s", error.message);
        c->outcome->server = child_pid(c->child);
        fd_clear(&in);
        n = check_read(c, out, text, VERSION_TEXT_MAX);
        text[n] = '\0';
        if (sscanf(text, "skopeo version %u.%u.%u", &a, &b, &d) == 3)
                check_record(c, "%u.%u.%u", a, b, d);
        check_skip(c, "asked");
}

/* A socket on a free port of loopback, where nobody accepts but ourselves. */
static int listen_somewhere(struct check_context *c, unsigned *ret_port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &len) < 0)
                check_error(c, "cannot listen on loopback: %s", strerror(errno));
        *ret_port = ntohs(address.sin_port);
        return fd;
}

/* That nobody comes says nothing of the server where nobody can. */
static void check_loopback(struct check_context *c, int listener)
{
        struct sockaddr_in address;
        socklen_t len = sizeof(address);
        CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0 ||
            connect(fd, (struct sockaddr *)&address, len) < 0)
                check_error(c, "cannot connect on loopback: %s", strerror(errno));
        fd_clear(&fd);
        /* Taken from the queue, so that what comes next is the server. */
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                check_error(c, "cannot accept on loopback: %s", strerror(errno));
}

/* Whether the server connects to a registry is seen from there; its answer is not waited for. */
static void run_docker(struct check_context *c)
{
        unsigned port;
        CLEANUP_FD int listener = listen_somewhere(c, &port);
        struct pollfd fds[] = {{.fd = listener, .events = POLLIN}, {.events = POLLIN}};

        check_loopback(c, listener);
        check_start(c, NULL);
        check_request(c, "OpenImage", "[\"docker://127.0.0.1:%u/probe\"]", port);
        fds[1].fd = check_socket(c);
        while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
                if (errno != EINTR)
                        check_error(c, "cannot wait: %s", strerror(errno));
        if (fds[0].revents)
                check_record(c, "docker");
        check_skip(c, "asked");
}

static const struct check probe_initialize = {
        .id = "probe/initialize", .run = run_initialize, .own_start = true};
static const struct check probe_docker = {.id = "probe/docker", .run = run_docker, .own_start = true};
static const struct check probe_version = {.id = "probe/version", .run = run_version, .own_start = true};

static void judge(const struct job *job, const struct subject *subject, struct probe *ret)
{
        const char *command = subject->command[0];

        if (job->kind == OUTCOME_ERROR) {
                ret->exit_status = 2;
                snprintf(ret->message, sizeof(ret->message), "%s", job->message);
                snprintf(ret->advice, sizeof(ret->advice),
                         "give a command that starts a server, such as: cip-conformance server -- skopeo");
        } else if (job->value && version_parse(job->value, &ret->version) == 0) {
                if (version_compare(ret->version, VERSION_OLDEST) >= 0)
                        return;
                ret->exit_status = 1;
                snprintf(ret->message, sizeof(ret->message),
                         "%s speaks version %s of the protocol; no client of today takes less than 0.2.3",
                         command, job->value);
                snprintf(ret->advice, sizeof(ret->advice), "use a skopeo of 1.6 or later");
        } else {
                bool bare = subject->profile == PROFILE_BARE;

                ret->exit_status = 1;
                snprintf(ret->message, sizeof(ret->message),
                         "%s is no server of the image proxy protocol, or does not get so far: %s", command,
                         job->message);
                snprintf(ret->advice, sizeof(ret->advice), "see what `%.200s %s` says%s", command,
                         bare ? "--sockfd 3" : "experimental-image-proxy --help",
                         bare ? "" : ", or use --profile bare for a server that is not skopeo");
        }
}

/* What each answer means. */
static void take_answer(const struct job *job, const struct subject *subject, struct probe *ret)
{
        if (job->check == &probe_initialize) {
                judge(job, subject, ret);
        } else if (job->check == &probe_docker) {
                ret->has_docker = job->value;
                if (job->kind == OUTCOME_ERROR)
                        snprintf(ret->docker_problem, sizeof(ret->docker_problem), "%s", job->message);
        } else if (job->value) {
                snprintf(ret->release, sizeof(ret->release), "%s", job->value);
        }
}

int probe_server(struct runner *runner, const struct subject *subject, bool docker, struct probe *ret,
                 struct cip_error *error)
{
        struct job jobs[3] = {{.check = &probe_initialize, .subject = subject}};
        size_t n = 1;
        int r;

        if (docker)
                jobs[n++] = (struct job){.check = &probe_docker, .subject = subject};
        if (subject->profile == PROFILE_SKOPEO)
                jobs[n++] = (struct job){.check = &probe_version, .subject = subject};
        r = runner_run(runner, jobs, n, error);
        *ret = (struct probe){0};
        for (size_t i = 0; r == 0 && i < n; i++)
                take_answer(&jobs[i], subject, ret);
        for (size_t i = 0; i < n; i++)
                job_clear(&jobs[i]);
        return r;
}
