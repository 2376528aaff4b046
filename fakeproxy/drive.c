/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driving a server in tests, by packets and descriptors alone. Deadlines are there to end hangs.
 */
#include "fakeproxy/drive.h"

#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "protocol/message.h"

#define PATIENCE_MS 60000

/* Adds the words of @text, which is changed, to @words. */
static size_t split(char *text, const char **words, size_t n, size_t max)
{
        char *state = NULL;

        for (char *word = strtok_r(text, " ", &state); word && n < max; word = strtok_r(NULL, " ", &state))
                words[n++] = word;
        return n;
}

/* This process's environment and one more. */
static const char **environment_with(const char *more)
{
        size_t n = 0;
        const char **ret;

        while (environ[n])
                n++;
        ret = calloc(n + 2, sizeof(*ret));
        ck_assert_ptr_nonnull(ret);
        for (size_t i = 0; i < n; i++)
                ret[i] = environ[i];
        ret[n] = more;
        return ret;
}

void drive_start(struct drive *drive, const char *command, const char *environment, const char *flags)
{
        char *first CLEANUP(cleanup_free) = strdup(command);
        char *rest CLEANUP(cleanup_free) = strdup(flags);
        const char **envp CLEANUP(cleanup_free) = environment_with(environment);
        const char *argv[64] = {0};
        int sockets[2];
        struct child_fd fd = {.target = 0};
        struct child_spec spec = {.argv = argv, .envp = envp, .fds = &fd, .n_fds = 1};
        struct cip_error error = {0};
        size_t n;

        *drive = (struct drive){.socket = -1};
        n = split(first, argv, 0, 60);
        split(rest, argv, n, 63);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
        fd.fd = sockets[1];
        ck_assert_msg(child_start(&spec, &drive->child, &error) == 0, "%s", error.message);
        fd_close(sockets[1]);
        drive->socket = sockets[0];
}

void drive_send_bytes(struct drive *drive, const void *data, size_t len, const int *fds, size_t n_fds)
{
        ck_assert_ok(packet_send(drive->socket, data, len, fds, n_fds));
}

void drive_send(struct drive *drive, const char *text)
{
        drive_send_bytes(drive, text, strlen(text), NULL, 0);
}

const char *drive_receive(struct drive *drive)
{
        struct deadline deadline = deadline_in_ms(PATIENCE_MS);
        struct cip_error error = {0};
        int r;

        while ((r = packet_receive(drive->socket, &drive->packet, &error)) == -EAGAIN)
                ck_assert_int_ge(wait_fd(drive->socket, POLLIN, deadline), 0);
        if (r == 0 || r == -ECONNRESET)
                return NULL;
        ck_assert_msg(r == 1, "%s", error.message);
        return drive->packet.data;
}

const char *drive_call(struct drive *drive, const char *text)
{
        drive_send(drive, text);
        return drive_receive(drive);
}

bool drive_is_silent(struct drive *drive)
{
        struct pollfd poll_fd = {.fd = drive->socket, .events = POLLIN};

        return poll(&poll_fd, 1, 200) == 0;
}

unsigned drive_pipe_id(const struct drive *drive)
{
        struct json_object *json CLEANUP(cleanup_json) = NULL;

        ck_assert_ok(json_parse(drive->packet.data, drive->packet.len, 100, &json, NULL));
        return (unsigned)json_object_get_int64(json_object_object_get(json, "pipeid"));
}

static char *read_and_close(int take_fd, size_t *ret_len)
{
        char *data;

        ck_assert_ok(read_to_end(take_fd, DRIVE_DATA_MAX, deadline_in_ms(PATIENCE_MS), &data, ret_len));
        fd_close(take_fd);
        return data;
}

char *drive_read(struct drive *drive, size_t index, size_t *ret_len)
{
        ck_assert_uint_lt(index, drive->packet.n_fds);
        /* A hole is left behind that packet_clear does not mind. */
        return read_and_close(steal_fd(&drive->packet.fds[index]), ret_len);
}

char *drive_finish(struct drive *drive, size_t *ret_len)
{
        char request[80];
        char *data;
        int fd;

        ck_assert_uint_eq(drive->packet.n_fds, 1);
        snprintf(request, sizeof(request), "{\"method\":\"FinishPipe\",\"args\":[%u]}", drive_pipe_id(drive));
        fd = steal_fd(&drive->packet.fds[0]);
        drive_send(drive, request);
        data = read_and_close(fd, ret_len);
        ck_assert_ptr_nonnull(drive_receive(drive));
        return data;
}

int drive_wait(struct drive *drive)
{
        int status;

        ck_assert_ok(child_wait(drive->child, deadline_in_ms(PATIENCE_MS), &status));
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int drive_end(struct drive *drive)
{
        packet_clear(&drive->packet);
        fd_clear(&drive->socket);
        return drive_wait(drive);
}

const char *drive_stderr(struct drive *drive)
{
        size_t len;

        return child_stderr(drive->child, &len);
}

void drive_clear(struct drive *drive)
{
        packet_free(&drive->packet);
        fd_clear(&drive->socket);
        child_free(drive->child);
        drive->child = NULL;
}
