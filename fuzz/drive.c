/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session, driven by steps. Everything waits in one place, wait_round, which takes in replies, data of the
 * pipes that are being read, stderr and the server's end alike.
 */
#include "fuzz/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conformance/observe.h"
#include "protocol/message.h"
#include "protocol/packet.h"
#include "protocol/transcript.h"

/* A server is quiet that slept at so many looks in a row, so far apart, with nothing of its data under way. */
#define QUIET_LOOKS 3
#define QUIET_LOOK_MS 5

/* Requests that may be without an answer, and pipes of a session. */
#define ASKED_MAX 4096
#define PIPES_MAX 4096

/* A request that was sent, and has no answer yet. */
struct asked {
        size_t step;
        const struct method *method; /* NULL: none that the protocol knows */
        unsigned pipe;               /* FinishPipe: the number of its pipe, or 0 */
        uint32_t id;                 /* FinishPipe of an id that no pipe had yet; 0: none */
        bool leave;                  /* nobody reads that pipe before the server is quiet */
};

/* Our side of a pipe. */
struct reader {
        int fd;
        struct digest *digest;
        bool wanted; /* it is read whenever there is something */
};

struct session {
        struct mount mount;
        const struct drive_options *options;
        struct run *run;
        const struct sequence *sequence;
        struct transcript *transcript;
        struct deadline deadline; /* of the step */
        struct packet packet;
        struct asked asked[ASKED_MAX];
        size_t first_asked, n_asked; /* those from first on have no answer */
        struct reader readers[PIPES_MAX];
        bool server_ended;
        bool initialized;
        bool stopped; /* stop_fd said so */
        size_t step;
};

void run_clear(struct run *run)
{
        for (size_t i = 0; i < run->n_packets; i++)
                free(run->packets[i].data);
        for (size_t i = 0; i < run->n_pipes; i++)
                free(run->pipes[i].head);
        free(run->packets);
        free(run->pipes);
        free(run->stderr_text);
        free(run->leftovers);
        *run = (struct run){0};
}

/* ---- pipes ---- */

static void keep_pipe(struct session *session, size_t step, uint32_t pipeid, bool errors, int take_fd)
{
        struct run *run = session->run;
        struct seen_pipe *grown = reallocarray(run->pipes, run->n_pipes + 1, sizeof(*grown));
        struct reader *reader = &session->readers[run->n_pipes];

        if (!grown || run->n_pipes == PIPES_MAX || digest_new(DIGEST_SHA256, &reader->digest) < 0) {
                if (grown)
                        run->pipes = grown;
                fd_close(take_fd);
                return;
        }
        run->pipes = grown;
        grown[run->n_pipes++] = (struct seen_pipe){.step = step, .pipeid = pipeid, .errors = errors};
        reader->fd = take_fd;
        reader->wanted = false;
        fd_set_nonblocking(take_fd, true);
}

/* Closes our end, with the digest of what came. */
static void close_reader(struct session *session, size_t i)
{
        struct reader *reader = &session->readers[i];
        struct seen_pipe *pipe = &session->run->pipes[i];

        fd_clear(&reader->fd);
        digest_finish(reader->digest, pipe->digest);
        digest_free(reader->digest);
        reader->digest = NULL;
        transcript_pipe(session->transcript, "pipe", pipe->bytes, pipe->digest, pipe->ended ? "eof" : "closed");
}

static void keep_head(struct seen_pipe *pipe, const char *data, size_t len)
{
        size_t room = SEEN_HEAD - pipe->head_len;
        char *grown;

        if (room == 0)
                return;
        len = len < room ? len : room;
        grown = realloc(pipe->head, pipe->head_len + len + 1);
        if (!grown)
                return;
        pipe->head = grown;
        memcpy(grown + pipe->head_len, data, len);
        pipe->head_len += len;
        grown[pipe->head_len] = '\0';
}

/* Reads once. @max: at most so many bytes. Returns how many came, 0 where none did. */
static size_t read_once(struct session *session, size_t i, uint64_t max)
{
        struct reader *reader = &session->readers[i];
        struct seen_pipe *pipe = &session->run->pipes[i];
        char buffer[65536];
        ssize_t n = read(reader->fd, buffer, max < sizeof(buffer) ? (size_t)max : sizeof(buffer));

        if (n > 0) {
                digest_update(reader->digest, buffer, (size_t)n);
                keep_head(pipe, buffer, (size_t)n);
                pipe->bytes += (uint64_t)n;
                return (size_t)n;
        }
        if (n == 0 || errno != EAGAIN) {
                pipe->ended = true;
                pipe->ended_last = session->run->end_asked || session->server_ended;
                close_reader(session, i);
        }
        return 0;
}

/* ---- replies ---- */

static const struct asked *oldest_asked(const struct session *session)
{
        return session->first_asked < session->n_asked ? &session->asked[session->first_asked] : NULL;
}

static void note_reply(struct session *session, const struct asked *asked)
{
        CLEANUP(cleanup_reply) struct reply reply = {0};
        struct run *run = session->run;
        bool good = reply_parse(session->packet.data, session->packet.len, &reply, NULL) == 0;
        bool raw = good && reply.pipeid == 0;

        for (size_t i = 0; i < session->packet.n_fds; i++)
                keep_pipe(session, asked ? asked->step : session->step, good ? reply.pipeid : 0, raw && i == 1,
                          steal_fd(&session->packet.fds[i]));
        if (!good || !reply.success || !asked || !asked->method)
                return;
        if (asked->method->id == METHOD_INITIALIZE && json_object_is_type(reply.value, json_type_string) &&
            version_parse(json_object_get_string(reply.value), &run->version) == 0)
                session->initialized = true;
        if (asked->method->id == METHOD_FINISH_PIPE && asked->pipe)
                run->pipes[asked->pipe - 1].finished = true;
}

/* The latest pipe that has the id, for ids come again; 0: none has. */
static unsigned find_pipe(const struct session *session, uint64_t id)
{
        for (size_t i = session->run->n_pipes; i > 0; i--)
                if (session->run->pipes[i - 1].pipeid == id)
                        return (unsigned)i;
        return 0;
}

/*
 * The oldest request may have named the id of a pipe that came after it was sent, by chance, or as the id came
 * again: it waits for that one's reader.
 */
static void look_for_pipe(struct session *session)
{
        struct asked *asked = &session->asked[session->first_asked];
        unsigned pipe = asked->id ? find_pipe(session, asked->id) : 0;

        if (!pipe)
                return;
        asked->pipe = pipe;
        session->readers[pipe - 1].wanted |= !asked->leave;
}

static void print_kinds(const struct packet *packet, char *ret, size_t size)
{
        size_t used = 0;

        *ret = '\0';
        for (size_t i = 0; i < packet->n_fds && used < size; i++)
                used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? " " : "",
                                         fd_kind(packet->fds[i]));
}

static void keep_packet(struct session *session)
{
        struct run *run = session->run;
        struct packet *packet = &session->packet;
        const struct asked *asked = oldest_asked(session);
        struct seen_packet seen = {.step = asked ? asked->step : session->step,
                                   .method = asked ? asked->method : NULL,
                                   .finishes = asked ? asked->pipe : 0,
                                   .len = packet->len,
                                   .n_fds = packet->n_fds};
        struct seen_packet *grown = reallocarray(run->packets, run->n_packets + 1, sizeof(*grown));

        transcript_packet(session->transcript, "<", packet->data, packet->len, packet->fds, packet->n_fds);
        if (!grown)
                return;
        run->packets = grown;
        print_kinds(packet, seen.kinds, sizeof(seen.kinds));
        seen.first_pipe = packet->n_fds ? (unsigned)run->n_pipes + 1 : 0;
        seen.data = malloc(packet->len + 1);
        if (!seen.data)
                return;
        memcpy(seen.data, packet->data, packet->len + 1);
        grown[run->n_packets++] = seen;
        note_reply(session, asked);
        if (asked)
                session->first_asked++;
        else
                run->extra_packet = true;
        if (run->n_packets == 1) {
                pid_t pid = child_pid(session->mount.child);
                struct process_use use;

                observe_use(pid, &use);
                run->fds_first = use.fds;
                run->memory_first = (uint64_t)use.memory_kib * 1024;
        }
}

/* Takes in what the socket has. */
static void receive(struct session *session)
{
        struct cip_error error;
        int r;

        do {
                r = packet_receive(session->mount.socket, &session->packet, &error);
                if (r == 1 && oldest_asked(session))
                        look_for_pipe(session);
                if (r == 1)
                        keep_packet(session);
                else if (r != -EAGAIN)
                        session->server_ended = true;
                /*
                 * A server that dies with requests unread is told first, and once; what it had answered still
                 * comes.
                 */
        } while (r == 1 || r == -ECONNRESET);
}

/* ---- the one wait ---- */

/* Waits at most to @limit for anything, and takes it in. False: nothing came. */
static bool wait_round(struct session *session, struct deadline limit)
{
        struct pollfd fds[4 + 64];
        size_t which[64], n = 4;

        fds[0] = (struct pollfd){session->server_ended ? -1 : session->mount.socket, POLLIN, 0};
        fds[1] = (struct pollfd){child_stderr_fd(session->mount.child), POLLIN, 0};
        fds[2] = (struct pollfd){session->options->stop_fd, POLLIN, 0};
        fds[3] = (struct pollfd){session->server_ended ? -1 : child_pidfd(session->mount.child), POLLIN, 0};
        for (size_t i = 0; i < session->run->n_pipes && n < ARRAY_SIZE(fds); i++) {
                if (session->readers[i].fd < 0 || !session->readers[i].wanted)
                        continue;
                which[n - 4] = i;
                fds[n++] = (struct pollfd){session->readers[i].fd, POLLIN, 0};
        }
        if (poll(fds, n, deadline_poll_ms(limit)) <= 0)
                return false;
        session->stopped |= fds[2].revents != 0;
        if (fds[1].revents)
                child_read_stderr(session->mount.child);
        for (size_t i = 4; i < n; i++)
                if (fds[i].revents)
                        read_once(session, which[i - 4], UINT64_MAX);
        if (fds[0].revents || fds[3].revents)
                receive(session);
        if (fds[3].revents)
                session->server_ended = true;
        return true;
}

/* Waits until the server sleeps, or something comes. False: something came, or the step's deadline has. */
static bool wait_quiet(struct session *session)
{
        uint64_t cpu;

        for (unsigned looks = 0; looks < QUIET_LOOKS;) {
                if (session->server_ended || session->stopped || deadline_passed(session->deadline))
                        return false;
                looks = observe_sleeps(child_pid(session->mount.child), NULL, &cpu) ? looks + 1 : 0;
                if (looks < QUIET_LOOKS && wait_round(session, deadline_in_ms(QUIET_LOOK_MS)))
                        return false;
        }
        return true;
}

/* The oldest request waits for a reader that is late on purpose: now it reads. */
static bool relent(struct session *session)
{
        struct asked *asked = &session->asked[session->first_asked];

        if (!asked->leave || !wait_quiet(session))
                return false;
        asked->leave = false;
        if (asked->pipe)
                session->readers[asked->pipe - 1].wanted = true;
        return true;
}

/* Waits for the answers of all requests. */
static void wait_answers(struct session *session)
{
        while (oldest_asked(session) && !session->server_ended && !session->stopped) {
                look_for_pipe(session);
                /* What came meanwhile may have been the answer. */
                if (oldest_asked(session)->leave && (relent(session) || !deadline_passed(session->deadline)))
                        continue;
                if (!wait_round(session, session->deadline) && deadline_passed(session->deadline)) {
                        uint64_t before, after;
                        bool idle;

                        idle = observe_sleeps(child_pid(session->mount.child), NULL, &before);
                        wait_round(session, deadline_in_ms(200));
                        idle = observe_sleeps(child_pid(session->mount.child), NULL, &after) && idle &&
                               before == after;
                        session->run->end = idle ? RUN_NO_ANSWER : RUN_BUSY;
                        return;
                }
        }
}

/* A step that names a pipe which is still to come waits for it, so that what it means is no matter of time. */
static void wait_pipe(struct session *session, unsigned number)
{
        if (number > session->run->n_pipes)
                wait_answers(session);
}

/* ---- steps ---- */

/* What a placeholder stands for where the pipe never came. */
#define NO_PIPE UINT32_MAX

/*
 * The packet with its placeholders replaced; the caller frees. *@ret_pipe: the number in the last of them, or
 * 0.
 */
static char *expand(struct session *session, const struct step *step, size_t *ret_len, unsigned *ret_pipe)
{
        static const char mark[] = "${pipe";
        const char *at = step->text, *end = step->text + step->len;
        char *text = NULL;
        FILE *out = open_memstream(&text, ret_len);

        *ret_pipe = 0;
        while (out && at < end) {
                const char *found = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1);
                size_t plain = found ? (size_t)(found - at) : (size_t)(end - at);
                char *behind;
                unsigned long number;

                fwrite(at, 1, plain, out);
                at += plain;
                if (!found)
                        break;
                number = strtoul(found + sizeof(mark) - 1, &behind, 10);
                if (*behind != '}' || behind == found + sizeof(mark) - 1) {
                        fputc(*at++, out);
                        continue;
                }
                wait_pipe(session, number < PIPES_MAX ? (unsigned)number : PIPES_MAX);
                *ret_pipe = number <= session->run->n_pipes ? (unsigned)number : 0;
                fprintf(out, "%" PRIu32, *ret_pipe ? session->run->pipes[*ret_pipe - 1].pipeid : NO_PIPE);
                at = behind + 1;
        }
        if (!out || fclose(out) != 0)
                return NULL;
        return text;
}

static int open_fd(const struct session *session, enum step_fd kind)
{
        int ends[2] = {-1, -1};

        switch (kind) {
        case STEP_FD_PIPE_READ:
        case STEP_FD_PIPE_WRITE:
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -1;
                fd_close(ends[kind == STEP_FD_PIPE_READ]);
                return ends[kind == STEP_FD_PIPE_WRITE];
        case STEP_FD_FILE:
                return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        case STEP_FD_DIRECTORY:
                return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        case STEP_FD_SOCKET:
                return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        case STEP_FD_OWN_SOCKET:
                return dup_fd(session->mount.socket, 0);
        default:
                return open("/dev/zero", O_RDONLY | O_CLOEXEC);
        }
}

/* What the server makes of a packet: whether an answer is due, and for what. */
static void note_request(struct session *session, const struct step *step, const char *text, size_t len,
                         unsigned pipe)
{
        CLEANUP(cleanup_request) struct request request = {0};
        /* A longer one is cut by the server, and is broken then unless blanks are what is cut. */
        bool good =
                request_parse(text, len < PACKET_REQUEST_MAX ? len : PACKET_REQUEST_MAX, &request, NULL) == 0;
        const struct method *method = good ? method_find(request.method) : NULL;
        uint64_t id = 0;

        if (len == 0 || (method && method->id == METHOD_SHUTDOWN)) {
                session->run->end_asked = true;
                return;
        }
        if (session->run->end_asked)
                return;
        if (!method || method->id != METHOD_FINISH_PIPE)
                pipe = 0;
        else if (json_object_array_length(request.args) == 0 ||
                 !json_get_uint(json_object_array_get_idx(request.args, 0), UINT32_MAX, &id))
                id = 0;
        /* A number is a pipe's too, by chance; and of those with one id it is the latest. */
        if (id > 0)
                pipe = find_pipe(session, id);
        session->asked[session->n_asked++] = (struct asked){.step = session->step,
                                                            .method = method,
                                                            .pipe = pipe,
                                                            .id = (uint32_t)id,
                                                            .leave = step->leave};
        if (pipe) {
                /* One with other arguments may be refused, and leave the pipe as it was. */
                session->run->pipes[pipe - 1].finish_sent |=
                        json_object_array_length(request.args) == 1 &&
                        json_object_is_type(json_object_array_get_idx(request.args, 0), json_type_int);
                session->readers[pipe - 1].wanted |= !step->leave;
        }
}

static void send_packet(struct session *session, const struct step *step)
{
        CLEANUP(cleanup_free) char *text = NULL;
        int fds[PACKET_FDS_MAX];
        size_t len = 0, n = 0;
        unsigned pipe;
        int r;

        text = expand(session, step, &len, &pipe);
        if (!text || session->mount.socket < 0 || session->n_asked == ASKED_MAX)
                return;
        while (n < step->n_fds && (fds[n] = open_fd(session, step->fds[n])) >= 0)
                n++;
        transcript_packet(session->transcript, ">", text, len, fds, n);
        while ((r = packet_send(session->mount.socket, text, len, fds, n)) == -EAGAIN &&
               !session->server_ended && !session->stopped) {
                /* The server is at other requests; with their answers there will be room. */
                if (!wait_round(session, deadline_min(session->deadline, deadline_in_ms(10))) &&
                    deadline_passed(session->deadline))
                        break;
        }
        while (n > 0)
                fd_close(fds[--n]);
        if (r == 0)
                note_request(session, step, text, len, pipe);
        else if (r == -EPIPE || r == -ECONNRESET)
                session->server_ended = true;
        if (!step->pipelined)
                wait_answers(session);
}

static void read_pipe(struct session *session, const struct step *step)
{
        size_t i = step->pipe - 1;
        uint64_t left = step->bytes;

        wait_pipe(session, step->pipe);
        if (step->pipe == 0 || step->pipe > session->run->n_pipes)
                return;
        while (left > 0 && session->readers[i].fd >= 0 && !session->stopped &&
               !deadline_passed(session->deadline)) {
                struct pollfd fd = {session->readers[i].fd, POLLIN, 0};
                size_t n;

                if (poll(&fd, 1, 0) == 1) {
                        n = read_once(session, i, left);
                        left -= left == UINT64_MAX ? 0 : n;
                } else if (session->server_ended || wait_quiet(session)) {
                        /* Nothing will come; but look once more, as it may have come before the last look. */
                        if (poll(&fd, 1, 0) != 1)
                                return;
                }
        }
}

static void carry_out(struct session *session, const struct step *step)
{
        switch (step->kind) {
        case STEP_SEND:
                send_packet(session, step);
                break;
        case STEP_READ:
                read_pipe(session, step);
                break;
        case STEP_DROP:
                wait_pipe(session, step->pipe);
                if (step->pipe > 0 && step->pipe <= session->run->n_pipes &&
                    session->readers[step->pipe - 1].fd >= 0) {
                        session->run->pipes[step->pipe - 1].dropped = true;
                        close_reader(session, step->pipe - 1);
                }
                break;
        case STEP_SHUT:
                shutdown(session->mount.socket, SHUT_WR);
                session->run->end_asked = true;
                break;
        case STEP_HANG_UP:
        default:
                transcript_end(session->transcript, ">");
                fd_clear(&session->mount.socket);
                session->run->end_asked = true;
        }
}

/* Whether the session goes on: a next step makes sense. */
static bool goes_on(const struct session *session)
{
        return !session->server_ended && !session->stopped && session->run->end == RUN_DONE &&
               session->mount.socket >= 0;
}

static void run_steps(struct session *session)
{
        const struct sequence *sequence = session->sequence;

        for (session->step = 0; session->step < sequence->n_steps; session->step++) {
                uint64_t start = monotonic_ns();
                double seconds;

                session->deadline = deadline_in_seconds(session->options->deadline);
                carry_out(session, &sequence->steps[session->step]);
                seconds = (double)(monotonic_ns() - start) / 1e9;
                if (seconds > session->run->slowest) {
                        session->run->slowest = seconds;
                        session->run->slowest_step = session->step;
                }
                if (!goes_on(session) || session->run->end_asked)
                        break;
        }
        session->deadline = deadline_in_seconds(session->options->deadline);
        if (goes_on(session))
                wait_answers(session);
        session->run->end_step = session->step;
}

/* ---- the epilogue ---- */

static void call(struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void call(struct session *session, const char *format, ...)
{
        struct step step = {.kind = STEP_SEND};
        va_list args;
        int n;

        va_start(args, format);
        n = vasprintf(&step.text, format, args);
        va_end(args);
        if (n < 0)
                return;
        step.len = (size_t)n;
        session->deadline = deadline_in_seconds(session->options->deadline);
        if (goes_on(session))
                send_packet(session, &step);
        session->step++;
        free(step.text);
}

/* The image ids that were told, and may be open. */
static void close_images(struct session *session)
{
        const size_t n = session->run->n_packets;

        for (size_t i = 0; i < n; i++) {
                const struct seen_packet *packet = &session->run->packets[i];
                CLEANUP(cleanup_reply) struct reply reply = {0};
                CLEANUP(cleanup_request) struct request request = {0};
                const struct step *step = packet->step < session->sequence->n_steps
                                                  ? &session->sequence->steps[packet->step]
                                                  : NULL;
                uint64_t id;

                if (step && step->kind == STEP_SEND &&
                    request_parse(step->text, step->len, &request, NULL) == 0 &&
                    strncmp(request.method, "OpenImage", strlen("OpenImage")) == 0 &&
                    reply_parse(packet->data, packet->len, &reply, NULL) == 0 && reply.success &&
                    json_get_uint(reply.value, JSON_INTEGER_MAX, &id) && id > 0)
                        call(session, "{\"method\":\"CloseImage\",\"args\":[%" PRIu64 "]}", id);
        }
}

static void finish_pipes(struct session *session)
{
        const size_t n = session->run->n_pipes;

        for (size_t i = 0; i < n; i++) {
                struct seen_pipe *pipe = &session->run->pipes[i];

                if (pipe->pipeid && !pipe->finished && !pipe->finish_sent)
                        call(session, "{\"method\":\"FinishPipe\",\"args\":[${pipe%zu}]}", i + 1);
                session->readers[i].wanted = true;
        }
        session->deadline = deadline_in_seconds(session->options->deadline);
        for (size_t i = 0; i < n; i++)
                while (session->readers[i].fd >= 0 && goes_on(session) && !deadline_passed(session->deadline))
                        wait_round(session, session->deadline);
}

/* What the session leaves open, when nobody needs it any more. */
static void take_stock(struct session *session)
{
        pid_t pid = child_pid(session->mount.child);
        struct run *run = session->run;
        struct process_use use;

        if (!goes_on(session) || run->end_asked || !session->initialized)
                return;
        session->step = session->sequence->n_steps;
        finish_pipes(session);
        close_images(session);
        run->end_step = session->step;
        if (!goes_on(session))
                return;
        /* Some is closed behind the answer. */
        session->deadline = deadline_in_seconds(session->options->deadline);
        observe_use(pid, &use);
        if (use.fds > run->fds_first) {
                wait_quiet(session);
                observe_use(pid, &use);
        }
        run->fds_last = use.fds;
        run->threads_last = use.threads;
        run->memory_last = (uint64_t)use.memory_kib * 1024;
}

/* ---- the end ---- */

/* Waits for the server's end, as long as anybody wants to know. */
static int wait_end(struct session *session)
{
        struct deadline deadline = deadline_in_seconds(session->options->deadline), now = {0};
        struct child *child = session->mount.child;

        while (!session->stopped && !deadline_passed(deadline)) {
                struct pollfd fds[] = {{child_pidfd(child), POLLIN, 0},
                                       {child_stderr_fd(child), POLLIN, 0},
                                       {session->options->stop_fd, POLLIN, 0}};

                if (poll(fds, ARRAY_SIZE(fds), deadline_poll_ms(deadline)) <= 0)
                        continue;
                if (fds[1].revents)
                        child_read_stderr(child);
                if (fds[0].revents)
                        break;
                session->stopped = fds[2].revents != 0;
        }
        return child_wait(child, now, &session->run->status);
}

static void end_session(struct session *session)
{
        struct run *run = session->run;
        struct child *child = session->mount.child;
        const char *text;
        char names[1024];
        size_t len;

        if (session->server_ended && !run->end_asked && run->end == RUN_DONE)
                run->end = RUN_SERVER_ENDED;
        for (size_t i = 0; i < run->n_pipes; i++) {
                /* What a server that is gone has left in a pipe still counts. */
                while (session->server_ended && session->readers[i].fd >= 0 &&
                       read_once(session, i, UINT64_MAX))
                        ;
                if (session->readers[i].fd >= 0)
                        close_reader(session, i);
        }
        fd_clear(&session->mount.socket);
        if (wait_end(session) < 0) {
                run->killed = true;
                child_signal(child, SIGKILL);
                child_wait(child, DEADLINE_NEVER, &run->status);
        }
        transcript_exit(session->transcript, run->status);
        child_read_stderr(child);
        text = child_stderr(child, &len);
        if (len && (run->stderr_text = malloc(len + 1)))
                memcpy(run->stderr_text, text, len + 1);
        if (world_leftovers(session->mount.world, names, sizeof(names)) > 0)
                run->leftovers = strdup(names);
}

static int open_transcript(struct session *session, struct cip_error *error)
{
        const char *path = session->options->transcript;
        int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;

        if (path && (fd < 0 || transcript_new(fd, &session->transcript) < 0))
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write %s", path);
        return 0;
}

int drive(struct stable *stable, const struct sequence *sequence, const struct drive_options *options,
          struct run *ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) struct session *session = calloc(1, sizeof(*session));
        struct run run = {0};
        int r;

        if (!session)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run a session");
        session->options = options;
        session->sequence = sequence;
        session->run = &run;
        r = open_transcript(session, error);
        if (r == 0)
                r = stable_take(stable, &session->mount, error);
        if (r < 0) {
                transcript_free(session->transcript);
                return r;
        }
        run_steps(session);
        take_stock(session);
        end_session(session);
        mount_clear(&session->mount);
        packet_free(&session->packet);
        transcript_free(session->transcript);
        if (session->stopped) {
                run_clear(&run);
                return error_set(error, CIP_ERROR_LOCAL, -EINTR, "interrupted");
        }
        *ret = run;
        return 0;
}
