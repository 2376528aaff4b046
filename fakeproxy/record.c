/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing recordings. What goes through a pipe is duplicated by tee(2) into the pipe that the client reads, and
 * then read, hashed and kept as far as it is to be kept: nothing is taken that the client has no room for, so that
 * a recorded server is held up by its client just as one that is not. One that closes its end is told on at once.
 */
#include "fakeproxy/record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/digest.h"
#include "protocol/message.h"
#include "protocol/transcript.h"

/* Bytes that are moved at a time. */
#define CHUNK ((size_t)64 * 1024)

/* Chunks that one pipe may move before the others get their turn. */
#define TURNS 16

/* A pipe of the server's, and the one that the client has in its place. */
struct tap {
        struct tap *next;
        unsigned number;
        uint32_t id; /* what the reply calls it; 0: no FinishPipe can name it */
        char *name;  /* the method's */
        int from, to;
        bool finished; /* FinishPipe was called */

        uint64_t bytes;
        struct digest *digest;
        char *kept; /* a value that goes into the transcript; NULL: it does not */
        size_t room;
        int file; /* -1: its data are not kept */
};

/* An answer that is to come. */
struct due {
        char *method;
        uint32_t id; /* FinishPipe's */
};

struct record {
        struct transcript *transcript;
        char *path;
        int folder; /* -1: the data of blobs are not kept */
        int status; /* 0, or the first negative errno of keeping something */
        struct tap *taps;
        unsigned n_taps_made;
        struct due *due; /* the requests that have no answer yet, oldest first */
        size_t n_due;
        uint32_t answered_id; /* of the pipe whose FinishPipe was just answered; 0: none */
        char buffer[CHUNK];
};

/* ---- beginning ---- */

static int open_folder(struct record *record, struct cip_error *error)
{
        char *path CLEANUP(cleanup_free) = NULL;

        if (asprintf(&path, "%s" RECORD_DATA_SUFFIX, record->path) < 0) {
                path = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot record");
        }
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make the folder %s", path);
        record->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (record->folder < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot open the folder %s", path);
        return 0;
}

static int begin(struct record *record, bool with_data, const char *socket, struct cip_error *error)
{
        int fd, r = 0;

        if (with_data)
                r = open_folder(record, error);
        if (r < 0)
                return r;
        fd = open(record->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot record into %s", record->path);
        r = transcript_new(fd, &record->transcript);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot record into %s", record->path);
        transcript_session(record->transcript, "cip-fakeproxy " CIP_VERSION, socket);
        r = transcript_status(record->transcript);
        return r < 0 ? error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot record into %s", record->path) : 0;
}

int record_new(const char *path, bool with_data, const char *socket, struct record **ret,
               struct cip_error *error)
{
        struct record *record CLEANUP(cleanup_record_free) = calloc(1, sizeof(*record));
        int r;

        if (!record)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot record");
        record->folder = -1;
        record->path = strdup(path);
        if (!record->path)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot record");
        r = begin(record, with_data, socket, error);
        if (r == 0)
                *ret = STEAL(record);
        return r;
}

static void failed(struct record *record, int errnum)
{
        if (record->status == 0)
                record->status = errnum;
}

/* ---- the data of blobs ---- */

/* The name under which a tap's data are written until their digest is known. */
static void part_name(const struct tap *tap, char ret[40])
{
        snprintf(ret, 40, ".part-%ld-%u", (long)getpid(), tap->number);
}

static void tap_free(struct record *record, struct tap *tap)
{
        char part[40];

        if (tap->file >= 0) {
                part_name(tap, part);
                (void)unlinkat(record->folder, part, 0);
        }
        fd_close(tap->file);
        fd_close(tap->from);
        fd_close(tap->to);
        digest_free(tap->digest);
        free(tap->kept);
        free(tap->name);
        free(tap);
}

void record_free(struct record *record)
{
        if (!record)
                return;
        while (record->taps) {
                struct tap *next = record->taps->next;

                tap_free(record, record->taps);
                record->taps = next;
        }
        for (size_t i = 0; i < record->n_due; i++)
                free(record->due[i].method);
        free(record->due);
        fd_close(record->folder);
        transcript_free(record->transcript);
        free(record->path);
        free(record);
}

/* Where what does not go into the transcript is kept, if anywhere. */
static void open_part(struct record *record, struct tap *tap)
{
        char part[40];

        if (record->folder < 0 || tap->file >= 0)
                return;
        part_name(tap, part);
        tap->file = openat(record->folder, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (tap->file < 0)
                failed(record, -errno);
}

/* A value that is too large for the transcript: it goes where blobs go. */
static void move_to_file(struct record *record, struct tap *tap)
{
        open_part(record, tap);
        if (tap->file >= 0) {
                int r = write_all(tap->file, tap->kept, (size_t)tap->bytes);

                if (r < 0)
                        failed(record, r);
        }
        free(STEAL(tap->kept));
}

static void keep(struct record *record, struct tap *tap, const char *data, size_t len)
{
        if (tap->kept && tap->bytes + len > RECORD_VALUE_MAX)
                move_to_file(record, tap);
        if (tap->kept && tap->bytes + len > tap->room) {
                char *grown = realloc(tap->kept, (size_t)tap->bytes + len + CHUNK);

                if (!grown) {
                        failed(record, -ENOMEM);
                        return;
                }
                tap->kept = grown;
                tap->room = (size_t)tap->bytes + len + CHUNK;
        }
        if (tap->kept) {
                memcpy(tap->kept + tap->bytes, data, len);
        } else if (tap->file >= 0) {
                int r = write_all(tap->file, data, len);

                if (r < 0)
                        failed(record, r);
        }
}

/* ---- pipes ---- */

/* Closes the file under its final name, "sha256-HEX". */
static void name_part(struct record *record, struct tap *tap, const char *digest, char ret[DIGEST_TEXT_SIZE])
{
        char part[40];

        part_name(tap, part);
        snprintf(ret, DIGEST_TEXT_SIZE, "%s", digest);
        ret[strcspn(ret, ":")] = '-';
        if (renameat(record->folder, part, record->folder, ret) < 0)
                failed(record, -errno);
        fd_clear(&tap->file);
}

/* The pipe is at its end, or at an end: @how. */
static void tap_end(struct record *record, struct tap *tap, const char *how)
{
        char digest[DIGEST_TEXT_SIZE] = "", file[DIGEST_TEXT_SIZE];
        struct transcript_content content = {.pipe = tap->number,
                                             .name = tap->name,
                                             .bytes = tap->bytes,
                                             .digest = digest,
                                             .end = how,
                                             .finished = tap->finished,
                                             .data = tap->kept};
        int r = digest_finish(tap->digest, digest);

        if (r < 0)
                failed(record, r);
        if (tap->file >= 0) {
                name_part(record, tap, digest, file);
                content.file = file;
        }
        transcript_pipe_content(record->transcript, &content);
        fd_clear(&tap->from);
        fd_clear(&tap->to);
}

/* Moves one chunk. True: another may follow. */
static bool move_chunk(struct record *record, struct tap *tap)
{
        ssize_t n = tee(tap->from, tap->to, CHUNK, SPLICE_F_NONBLOCK);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n <= 0) {
                tap_end(record, tap, n == 0 ? "eof" : errno == EPIPE ? "closed" : "failed");
                return false;
        }
        for (ssize_t left = n; left > 0;) {
                ssize_t got = read(tap->from, record->buffer, (size_t)left);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0) {
                        failed(record, got < 0 ? -errno : -EIO);
                        return false;
                }
                (void)digest_update(tap->digest, record->buffer, (size_t)got);
                keep(record, tap, record->buffer, (size_t)got);
                tap->bytes += (uint64_t)got;
                left -= got;
        }
        return true;
}

static short state_of(int fd, short events)
{
        struct pollfd poll_fd = {.fd = fd, .events = events};

        return poll(&poll_fd, 1, 0) == 1 ? poll_fd.revents : 0;
}

static bool reader_is_gone(const struct tap *tap)
{
        return state_of(tap->to, 0) & POLLERR;
}

void record_pump(struct record *record)
{
        struct tap **link = record ? &record->taps : NULL;

        while (link && *link) {
                struct tap *tap = *link;

                for (int turn = 0; turn < TURNS && move_chunk(record, tap); turn++)
                        ;
                if (tap->from >= 0 && reader_is_gone(tap))
                        tap_end(record, tap, "closed");
                if (tap->from >= 0) {
                        link = &tap->next;
                        continue;
                }
                *link = tap->next;
                tap_free(record, tap);
        }
}

size_t record_n_pipes(const struct record *record)
{
        size_t n = 0;

        for (const struct tap *tap = record ? record->taps : NULL; tap; tap = tap->next)
                n++;
        return n;
}

void record_polls(const struct record *record, struct pollfd *ret)
{
        for (const struct tap *tap = record ? record->taps : NULL; tap; tap = tap->next) {
                bool full = state_of(tap->to, POLLOUT) == 0;

                /* Either for more data, or for room; and in any case for a reader that goes. */
                *ret++ = (struct pollfd){.fd = full ? -1 : tap->from, .events = POLLIN};
                *ret++ = (struct pollfd){.fd = tap->to, .events = full ? POLLOUT : 0};
        }
}

bool record_holds_answer(const struct record *record)
{
        for (const struct tap *tap = record ? record->taps : NULL; tap; tap = tap->next)
                if (tap->id && tap->id == record->answered_id && tap->finished) {
                        short state = state_of(tap->from, POLLIN);

                        if ((state & POLLIN) && (state & POLLHUP))
                                return true;
                }
        return false;
}

bool record_is_settled(const struct record *record)
{
        for (const struct tap *tap = record ? record->taps : NULL; tap; tap = tap->next)
                if ((state_of(tap->from, POLLIN) & (POLLIN | POLLHUP)) && state_of(tap->to, POLLOUT))
                        return false;
        return true;
}

/* ---- packets ---- */

/* Remembers what the next answer but those that are due already belongs to. */
static void push_due(struct record *record, const char *method, uint32_t id)
{
        struct due *grown = reallocarray(record->due, record->n_due + 1, sizeof(*grown));
        char *copy = grown ? strdup(method) : NULL;

        if (grown)
                record->due = grown;
        if (copy)
                record->due[record->n_due++] = (struct due){copy, id};
        else
                failed(record, -ENOMEM);
}

/* What an answer belongs to; the caller frees the method, which is NULL for an answer to nothing. */
static struct due pop_due(struct record *record)
{
        struct due due = {0};

        if (record->n_due == 0)
                return due;
        due = record->due[0];
        record->n_due--;
        memmove(record->due, record->due + 1, record->n_due * sizeof(*record->due));
        return due;
}

/* Returns the id that FinishPipe names; 0: none. */
static uint32_t mark_finished(struct record *record, struct json_object *args)
{
        uint64_t id;

        if (!json_get_uint(json_object_array_get_idx(args, 0), UINT32_MAX, &id) || id == 0)
                return 0;
        for (struct tap *tap = record->taps; tap; tap = tap->next)
                if (tap->id == id)
                        tap->finished = true;
        return (uint32_t)id;
}

void record_request(struct record *record, const struct packet *packet)
{
        struct request request CLEANUP(cleanup_request) = {0};
        uint32_t id = 0;

        if (!record)
                return;
        transcript_packet(record->transcript, ">", packet->data, packet->len, packet->fds, packet->n_fds);
        if (request_parse(packet->data, packet->len, &request, NULL) < 0) {
                push_due(record, "", 0);
                return;
        }
        if (!strcmp(request.method, "FinishPipe"))
                id = mark_finished(record, request.args);
        if (strcmp(request.method, "Shutdown") != 0)
                push_due(record, request.method, id);
}

/* The pipe id that a reply names; 0: none. */
static uint32_t pipe_id(const struct packet *packet)
{
        struct json_object *reply CLEANUP(cleanup_json) = NULL;
        uint64_t id = 0;

        if (json_parse(packet->data, packet->len, 64, &reply, NULL) < 0 ||
            !json_object_is_type(reply, json_type_object))
                return 0;
        return json_get_uint(json_object_object_get(reply, "pipeid"), UINT32_MAX, &id) ? (uint32_t)id : 0;
}

/* Blobs are what only --record-data keeps. */
static bool is_blob(const char *method, size_t index)
{
        return !strcmp(method, "GetBlob") || (!strcmp(method, "GetRawBlob") && index == 0);
}

static struct tap *tap_new(struct record *record, const char *method, size_t index)
{
        struct tap *tap = calloc(1, sizeof(*tap));

        if (!tap)
                return NULL;
        tap->from = tap->to = tap->file = -1;
        tap->number = record->n_taps_made + 1;
        if (asprintf(&tap->name, "%s%s", method, !strcmp(method, "GetRawBlob") && index == 1 ? " errors" : "") <
            0)
                tap->name = NULL;
        if (!is_blob(method, index))
                tap->kept = malloc(tap->room = 1);
        if (!tap->name || (!is_blob(method, index) && !tap->kept) ||
            digest_new(DIGEST_SHA256, &tap->digest) < 0) {
                tap_free(record, tap);
                return NULL;
        }
        return tap;
}

/* Puts a pipe of ours in the place of *@fd. Returns its number; 0: it stays as it is. */
static unsigned add_tap(struct record *record, int *fd, const char *method, size_t index, uint32_t id)
{
        int capacity = fcntl(*fd, F_GETPIPE_SZ), ends[2];
        struct tap **link = &record->taps, *tap = tap_new(record, method, index);

        if (!tap || pipe2(ends, O_CLOEXEC) < 0) {
                failed(record, tap ? -errno : -ENOMEM);
                if (tap)
                        tap_free(record, tap);
                return 0;
        }
        if (capacity > 0)
                (void)fcntl(ends[1], F_SETPIPE_SZ, capacity); /* else it stays as it is */
        if (fcntl(*fd, F_GETFL) & O_NONBLOCK)
                (void)fd_set_nonblocking(ends[0], true);
        if (is_blob(method, index))
                open_part(record, tap);
        tap->from = *fd;
        tap->to = ends[1];
        tap->id = id;
        *fd = ends[0];
        while (*link)
                link = &(*link)->next;
        *link = tap;
        record->n_taps_made++;
        return tap->number;
}

void record_reply(struct record *record, struct packet *packet)
{
        char *method CLEANUP(cleanup_free) = NULL;
        unsigned pipes[PACKET_FDS_MAX] = {0};
        struct due due;
        uint32_t id;

        if (!record)
                return;
        due = pop_due(record);
        method = due.method;
        record->answered_id = due.id;
        id = packet->n_fds > 0 ? pipe_id(packet) : 0;
        for (size_t i = 0; i < packet->n_fds; i++)
                if (!strcmp(fd_kind(packet->fds[i]), "pipe-read"))
                        pipes[i] = add_tap(record, &packet->fds[i], method ? method : "", i, id);
        transcript_packet_with_pipes(record->transcript, "<", packet->data, packet->len, packet->fds, pipes,
                                     packet->n_fds);
        /* What fits is there before the reply is, so that who closes the pipe unread finds it as it was. */
        record_pump(record);
}

void record_empty(struct record *record, const char *direction)
{
        if (record)
                transcript_packet(record->transcript, direction, "", 0, NULL, 0);
}

void record_end(struct record *record, const char *direction)
{
        if (record)
                transcript_end(record->transcript, direction);
}

int record_finish(struct record *record, int status, struct cip_error *error)
{
        int r;

        if (!record)
                return 0;
        for (struct tap *tap = record->taps; tap; tap = tap->next)
                if (tap->from >= 0)
                        tap_end(record, tap, "open");
        r = transcript_status(record->transcript);
        if (r == 0)
                r = record->status;
        /* A recording that lacks something has no end, so that nobody replays it. */
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "the recording %s is not whole",
                                       record->path);
        transcript_exit(record->transcript, status);
        r = transcript_status(record->transcript);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "the recording %s is not whole",
                                       record->path);
        return 0;
}
