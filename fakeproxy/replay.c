/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session out of a recording: one loop over the socket and the pipes that are being filled. What the client asks is
 * compared with what was asked then; the pipes behave by the protocol, and times are not replayed. The server's end
 * comes where it came in the recording.
 */
#include "fakeproxy/replay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "fakeproxy/pipe.h"
#include "fakeproxy/recording.h"
#include "protocol/message.h"
#include "protocol/packet.h"

/* Bytes of a request that are shown where it is another than was recorded. */
#define SHOWN 2000

struct replay {
        char *path;
        struct recording recording;
        bool any_order;
        int socket;
        struct packet packet; /* what came */
        size_t n_asked;
        struct pipe *pipes; /* oldest first */
        char *buffer;       /* PIPE_CHUNK bytes */

        struct recorded_exchange *active; /* the one that is being answered; NULL: a request may come */
        size_t n_said;                    /* of its replies */
        struct pipe *finishing;           /* its answer waits for the writer of this one */
        int fds[PACKET_FDS_MAX];          /* of the reply that is next, made already */
        size_t n_fds;

        bool leaving; /* the server ends when its pipes are written */
        bool over;
        int status, signal;
};

int replay_new(const char *path, struct replay **ret, struct cip_error *error)
{
        struct replay *replay CLEANUP(cleanup_replay_free) = calloc(1, sizeof(*replay));
        int r;

        if (!replay)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot replay %s", path);
        replay->socket = -1;
        replay->path = strdup(path);
        replay->buffer = malloc(PIPE_CHUNK);
        if (!replay->path || !replay->buffer)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot replay %s", path);
        r = recording_read(path, &replay->recording, error);
        if (r == 0)
                *ret = STEAL(replay);
        return r;
}

void replay_free(struct replay *replay)
{
        if (!replay)
                return;
        while (replay->pipes) {
                struct pipe *next = replay->pipes->next;

                pipe_free(replay->pipes);
                replay->pipes = next;
        }
        for (size_t i = 0; i < replay->n_fds; i++)
                fd_close(replay->fds[i]);
        recording_clear(&replay->recording);
        packet_free(&replay->packet);
        fd_close(replay->socket);
        free(replay->buffer);
        free(replay->path);
        free(replay);
}

/* ---- is it what was asked then? ---- */

/* As requests: args may be left out, null or empty, members may stand in any order. Else byte by byte. */
static bool is_same(const struct recorded_packet *recorded, const char *data, size_t len)
{
        struct request a CLEANUP(cleanup_request) = {0}, b CLEANUP(cleanup_request) = {0};

        if (recorded->len == len && memcmp(recorded->data, data, len) == 0)
                return true;
        if (request_parse(recorded->data, recorded->len, &a, NULL) < 0 ||
            request_parse(data, len, &b, NULL) < 0)
                return false;
        return !strcmp(a.method, b.method) && json_object_equal(a.args, b.args);
}

static void show(const char *what, const char *data, size_t len)
{
        char safe[SHOWN];

        text_make_safe(safe, sizeof(safe), data, len);
        fprintf(stderr, "  %s %s\n", what, safe);
}

/* Names what was recorded. */
static void show_recorded(const struct recorded_exchange *exchange)
{
        if (!exchange)
                fprintf(stderr, "  recorded: nothing more\n");
        else if (exchange->kind == RECORDED_END)
                fprintf(stderr, "  recorded: the client's end\n");
        else
                show("recorded:", exchange->asked.data, exchange->asked.len);
}

/* The session goes another way than the recorded one. */
static void differ(struct replay *replay, const struct recorded_exchange *recorded, const char *data,
                   size_t len)
{
        if (replay->any_order)
                fprintf(stderr, "cip-fakeproxy: request %zu is not in the recording %s\n", replay->n_asked,
                        replay->path);
        else
                fprintf(stderr, "cip-fakeproxy: request %zu is not the one in the recording %s\n",
                        replay->n_asked, replay->path);
        if (!replay->any_order || recorded)
                show_recorded(recorded);
        if (data)
                show("asked:   ", data, len);
        else
                fprintf(stderr, "  asked:    the client has ended the session\n");
        replay->over = true;
        replay->status = 1;
}

/* The next that is to come, in strict order; NULL: nothing more. */
static struct recorded_exchange *next_exchange(struct replay *replay)
{
        struct recording *recording = &replay->recording;

        for (size_t i = 1; i < recording->n_exchanges; i++)
                if (!recording->exchanges[i].used)
                        return &recording->exchanges[i];
        return NULL;
}

/* In any order: one that was not asked yet, else one that was. *@ret_near: one of the same method. */
static struct recorded_exchange *any_exchange(struct replay *replay, struct recorded_exchange **ret_near)
{
        struct recording *recording = &replay->recording;
        struct recorded_exchange *used = NULL;
        struct request asked CLEANUP(cleanup_request) = {0};

        *ret_near = NULL;
        (void)request_parse(replay->packet.data, replay->packet.len, &asked, NULL);
        for (size_t i = 1; i < recording->n_exchanges; i++) {
                struct recorded_exchange *exchange = &recording->exchanges[i];
                struct request request CLEANUP(cleanup_request) = {0};

                if (exchange->kind == RECORDED_END)
                        continue;
                if (is_same(&exchange->asked, replay->packet.data, replay->packet.len)) {
                        if (!exchange->used)
                                return exchange;
                        used = exchange;
                }
                if (!*ret_near && asked.method &&
                    request_parse(exchange->asked.data, exchange->asked.len, &request, NULL) == 0 &&
                    !strcmp(request.method, asked.method))
                        *ret_near = exchange;
        }
        return used;
}

/* ---- what follows from a request ---- */

/* Whether the recorded server ended of its own accord, which is behind the last exchange then. */
static bool is_servers_end(const struct replay *replay)
{
        const struct recording *recording = &replay->recording;
        enum recorded_kind last = recording->exchanges[recording->n_exchanges - 1].kind;

        return last == RECORDED_START || last == RECORDED_REQUEST;
}

static void end_as_recorded(struct replay *replay)
{
        replay->over = true;
        replay->status = replay->recording.status;
        replay->signal = replay->recording.signal;
}

/* FinishPipe: its answer waits for the oldest pipe of that id, which may be used again later. */
static struct pipe *pipe_to_finish(struct replay *replay, const struct recorded_exchange *exchange)
{
        struct request request CLEANUP(cleanup_request) = {0};
        uint64_t id;

        if (exchange->kind != RECORDED_REQUEST ||
            request_parse(exchange->asked.data, exchange->asked.len, &request, NULL) < 0 ||
            strcmp(request.method, "FinishPipe") != 0 ||
            !json_get_uint(json_object_array_get_idx(request.args, 0), UINT32_MAX, &id) || id == 0)
                return NULL;
        for (struct pipe *pipe = replay->pipes; pipe; pipe = pipe->next)
                if (pipe->id == id)
                        return pipe;
        return NULL;
}

static void take_exchange(struct replay *replay, struct recorded_exchange *exchange)
{
        exchange->used = true;
        replay->active = exchange;
        replay->n_said = 0;
        replay->finishing = pipe_to_finish(replay, exchange);
}

static void client_asks(struct replay *replay)
{
        const struct packet *packet = &replay->packet;
        struct recorded_exchange *exchange, *near;

        replay->n_asked++;
        if (replay->any_order) {
                exchange = any_exchange(replay, &near);
                if (!exchange) {
                        differ(replay, near, packet->data, packet->len);
                        return;
                }
        } else {
                exchange = next_exchange(replay);
                if (!exchange || exchange->kind == RECORDED_END ||
                    !is_same(&exchange->asked, packet->data, packet->len)) {
                        differ(replay, exchange, packet->data, packet->len);
                        return;
                }
        }
        take_exchange(replay, exchange);
}

/* An empty packet, or the client's end. */
static void client_ends(struct replay *replay)
{
        struct recorded_exchange *exchange = next_exchange(replay);

        replay->n_asked++;
        if (replay->any_order && is_servers_end(replay)) {
                replay->over = true;
        } else if (replay->any_order) {
                end_as_recorded(replay);
        } else if (exchange && exchange->kind == RECORDED_END) {
                take_exchange(replay, exchange);
        } else {
                differ(replay, exchange, NULL, 0);
        }
}

/* The exchange has had all its answers. */
static void exchange_ends(struct replay *replay)
{
        const struct recording *recording = &replay->recording;
        const struct recorded_exchange *last = &recording->exchanges[recording->n_exchanges - 1];
        bool was_last = replay->active == last;

        replay->finishing = NULL;
        if (was_last && is_servers_end(replay))
                replay->leaving = true;
        else if (was_last || (replay->any_order && replay->active->kind == RECORDED_SHUTDOWN))
                end_as_recorded(replay);
        replay->active = NULL;
}

/* ---- descriptors ---- */

/* What a descriptor that was no pipe's read end was. Returns it, or a negative errno. */
static int make_other(const char *kind)
{
        int fds[2], fd;

        if (!strcmp(kind, "file"))
                fd = memfd_create("cip-fakeproxy", MFD_CLOEXEC);
        else if (!strcmp(kind, "directory"))
                fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        else if (!strcmp(kind, "device"))
                fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        else if (!strcmp(kind, "socket")) {
                fd = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
                if (fd == 0) {
                        fd = fds[0];
                        fd_close(fds[1]);
                }
        } else {
                bool writes = !strcmp(kind, "pipe-write");

                fd = pipe2(fds, O_CLOEXEC);
                if (fd == 0) {
                        fd = fds[writes];
                        fd_close(fds[!writes]);
                }
        }
        return fd < 0 ? -errno : fd;
}

/* A pipe with what went through the recorded one. Returns its read end, or a negative errno. */
static int make_pipe(struct replay *replay, const struct recorded_pipe *recorded, uint32_t id)
{
        struct pipe **link = &replay->pipes, *pipe;
        int r, read_fd, file = -1;

        if (recorded->file >= 0) {
                file = dup_fd(recorded->file, 3);
                if (file < 0)
                        return file;
        }
        r = pipe_new(recorded->bytes, &pipe, &read_fd);
        if (r == 0 && file < 0) {
                r = pipe_set_memory(pipe, recorded->data ? recorded->data : "", (size_t)recorded->bytes);
                if (r < 0) {
                        pipe_free(pipe);
                        fd_close(read_fd);
                }
        }
        if (r < 0) {
                fd_close(file);
                return r;
        }
        if (file >= 0) {
                pipe->source_fd = file;
                pipe->size = recorded->bytes;
        }
        pipe->id = id;
        pipe->closes_when_done = recorded->ended && !recorded->finished;
        while (*link)
                link = &(*link)->next;
        *link = pipe;
        (void)pipe_pump(pipe, replay->buffer);
        return read_fd;
}

/* The pipe id that a reply names; 0: none. */
static uint32_t pipe_id(const struct recorded_packet *reply)
{
        struct json_object *json CLEANUP(cleanup_json) = NULL;
        uint64_t id = 0;

        if (json_parse(reply->data, reply->len, 64, &json, NULL) < 0 ||
            !json_object_is_type(json, json_type_object))
                return 0;
        return json_get_uint(json_object_object_get(json, "pipeid"), UINT32_MAX, &id) ? (uint32_t)id : 0;
}

static int make_fds(struct replay *replay, const struct recorded_packet *reply)
{
        uint32_t id = reply->n_fds > 0 ? pipe_id(reply) : 0;

        while (replay->n_fds < reply->n_fds) {
                const struct recorded_fd *recorded = &reply->fds[replay->n_fds];
                int fd = recorded->number
                                 ? make_pipe(replay, &replay->recording.pipes[recorded->number - 1], id)
                                 : make_other(recorded->kind);

                if (fd < 0)
                        return fd;
                replay->fds[replay->n_fds++] = fd;
        }
        return 0;
}

/* ---- answering ---- */

static void fail(struct replay *replay, const char *what, int errnum)
{
        fprintf(stderr, "cip-fakeproxy: %s: %s\n", what, strerrordesc_np(-errnum));
        replay->over = true;
        replay->status = 1;
}

/* FinishPipe's writer is done: that pipe is at its end, and its id another's. */
static void end_finished(struct replay *replay)
{
        if (replay->finishing && replay->finishing->write_fd >= 0)
                fd_clear(&replay->finishing->write_fd);
        if (replay->finishing)
                replay->finishing->id = 0;
}

/* Says what is to be said now. False: the socket has no room. */
static bool say(struct replay *replay)
{
        while (replay->active && !replay->over && !(replay->finishing && !replay->finishing->done)) {
                const struct recorded_packet *reply = replay->active->replies + replay->n_said;
                int r;

                end_finished(replay);
                if (replay->n_said == replay->active->n_replies) {
                        exchange_ends(replay);
                        continue;
                }
                r = make_fds(replay, reply);
                if (r < 0) {
                        fail(replay, "cannot make a pipe", r);
                        return true;
                }
                r = packet_send(replay->socket, reply->data, reply->len, replay->fds, replay->n_fds);
                if (r == -EAGAIN)
                        return false;
                if (r < 0) {
                        fail(replay, "cannot answer", r);
                        return true;
                }
                while (replay->n_fds > 0)
                        fd_close(replay->fds[--replay->n_fds]);
                replay->n_said++;
        }
        return true;
}

static void receive(struct replay *replay)
{
        struct cip_error error = {0};
        int r = packet_receive(replay->socket, &replay->packet, &error);

        if (r == 1)
                client_asks(replay);
        else if (r == 0 || r == -ECONNRESET)
                client_ends(replay);
        else if (r != -EAGAIN)
                fail(replay, error.message, r);
        packet_clear(&replay->packet);
}

/* ---- the loop ---- */

static void pump(struct replay *replay)
{
        struct pipe **link = &replay->pipes;

        while (*link) {
                struct pipe *pipe = *link;

                if (pipe_wants_room(pipe, 0))
                        (void)pipe_pump(pipe, replay->buffer);
                if (!pipe->done || pipe->write_fd >= 0 || pipe == replay->finishing) {
                        link = &pipe->next;
                        continue;
                }
                *link = pipe->next;
                pipe_free(pipe);
        }
}

static bool all_done(const struct replay *replay)
{
        for (const struct pipe *pipe = replay->pipes; pipe; pipe = pipe->next)
                if (!pipe->done)
                        return false;
        return true;
}

static int wait_for_events(struct replay *replay, struct pollfd **fds, bool has_room, short *ret_events)
{
        size_t n = 1;
        struct pollfd *grown;
        bool listens = !replay->active && !replay->leaving;

        for (const struct pipe *pipe = replay->pipes; pipe; pipe = pipe->next)
                n++;
        grown = reallocarray(*fds, n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        *fds = grown;
        grown[0] = (struct pollfd){.fd = listens || !has_room ? replay->socket : -1,
                                   .events = listens ? POLLIN : POLLOUT};
        n = 1;
        for (const struct pipe *pipe = replay->pipes; pipe; pipe = pipe->next)
                if (pipe_wants_room(pipe, 0))
                        grown[n++] = (struct pollfd){.fd = pipe->write_fd, .events = POLLOUT};
        if (poll(grown, n, -1) < 0 && errno != EINTR)
                return -errno;
        *ret_events = grown[0].revents;
        return 0;
}

static void loop(struct replay *replay)
{
        struct pollfd *fds CLEANUP(cleanup_free) = NULL;

        take_exchange(replay, &replay->recording.exchanges[0]);
        while (!replay->over) {
                short events = 0;
                bool has_room;
                int r;

                pump(replay);
                has_room = say(replay);
                if (replay->leaving && all_done(replay)) {
                        end_as_recorded(replay);
                        break;
                }
                if (replay->over)
                        break;
                r = wait_for_events(replay, &fds, has_room, &events);
                if (r < 0)
                        fail(replay, "cannot wait for a request", r);
                else if (events && !replay->active && !replay->leaving)
                        receive(replay);
        }
}

int replay_run(struct replay *replay, bool any_order, int take_socket)
{
        static const struct rlimit none = {0, 0};
        int status;

        assert(replay->socket < 0);
        replay->socket = take_socket;
        replay->any_order = any_order;
        signal(SIGPIPE, SIG_IGN);
        loop(replay);
        status = replay->status;
        if (replay->signal) {
                (void)setrlimit(RLIMIT_CORE, &none);
                signal(replay->signal, SIG_DFL);
                raise(replay->signal);
        }
        return status;
}
