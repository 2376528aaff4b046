/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe is two checks that are in no table: Initialize, and for skopeo `--version`. So it has a closed
 * world, a deadline and an end like any other check.
 */
#include "conformance/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

static const struct check probe_initialize = {
        .id = "probe/initialize", .run = run_initialize, .own_start = true};
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

int probe_server(struct runner *runner, const struct subject *subject, struct probe *ret,
                 struct cip_error *error)
{
        struct job jobs[] = {
                {.check = &probe_initialize, .subject = subject},
                {.check = &probe_version, .subject = subject},
        };
        size_t n = subject->profile == PROFILE_SKOPEO ? 2 : 1;
        int r = runner_run(runner, jobs, n, error);

        *ret = (struct probe){0};
        if (r == 0) {
                judge(&jobs[0], subject, ret);
                if (jobs[1].value)
                        snprintf(ret->release, sizeof(ret->release), "%s", jobs[1].value);
        }
        for (size_t i = 0; i < n; i++)
                job_clear(&jobs[i]);
        return r;
}
