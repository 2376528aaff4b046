/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling a pipe without waiting. A faithful pipe from a file is spliced, and what is verified is read a second
 * time, from the page cache, to be hashed while the client already reads; a pipe with steps is copied.
 */
#include "fakeproxy/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"

/* From this size on a pipe gets more than the usual 64 KiB, which the small ones are to keep as real servers'. */
#define LARGE ((uint64_t)4 * 1024 * 1024)
#define LARGE_CAPACITY (1024 * 1024)

/* Chunks that one pipe may have written before the others get their turn. */
#define TURNS 8

/* Steps, or parts of one, likewise. */
#define STEP_TURNS 64

/* Bytes that are read and hashed at a time, so that they stay in the nearest cache. */
#define HASH_PIECE ((size_t)32 * 1024)

int pipe_new(uint64_t size, struct pipe **ret, int *ret_read_fd)
{
        struct pipe *pipe = calloc(1, sizeof(*pipe));
        int fds[2];

        if (!pipe)
                return -ENOMEM;
        if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[1], F_SETFL, O_WRONLY | O_NONBLOCK) < 0) {
                free(pipe);
                return -errno;
        }
        if (size >= LARGE)
                (void)fcntl(fds[1], F_SETPIPE_SZ, LARGE_CAPACITY); /* refused where the user has many already */
        pipe->write_fd = fds[1];
        pipe->source_fd = -1;
        *ret_read_fd = fds[0];
        *ret = pipe;
        return 0;
}

void pipe_free(struct pipe *pipe)
{
        if (!pipe)
                return;
        fd_close(pipe->write_fd);
        fd_close(pipe->source_fd);
        digest_free(pipe->digest);
        free(pipe->memory);
        free(pipe->error);
        free(pipe);
}

int pipe_set_memory(struct pipe *pipe, const void *data, size_t len)
{
        pipe->memory = malloc(len + 1);
        if (!pipe->memory)
                return -ENOMEM;
        memcpy(pipe->memory, data, len);
        pipe->size = len;
        return 0;
}

static void end_with(struct pipe *pipe, enum error_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static void end_with(struct pipe *pipe, enum error_code code, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&pipe->error, format, ap) < 0)
                pipe->error = NULL;
        va_end(ap);
        pipe->code = code;
}

/* A raw blob's error pipe learns how its data pipe ended. */
static void tell_error_pipe(struct pipe *pipe)
{
        struct pipe *errors = pipe->error_pipe;
        char *text;
        size_t len;

        if (!errors)
                return;
        errors->held = false;
        pipe->error_pipe = NULL;
        if (errors->step || pipe->silent_errors || (!pipe->error && !pipe->errors_on_success))
                return;
        if (pipe_error_format(pipe->error ? pipe->code : ERROR_CODE_OTHER,
                              pipe->error ? pipe->error : "something went wrong", &text, &len) < 0)
                return;
        errors->memory = text;
        errors->size = len;
}

static void close_descriptors(struct pipe *pipe)
{
        if (pipe->closes_when_done)
                fd_clear(&pipe->write_fd);
        if (!pipe->keeps_source)
                fd_clear(&pipe->source_fd);
}

void pipe_end(struct pipe *pipe, enum error_code code, const char *error)
{
        if (pipe->done)
                return;
        if (error)
                end_with(pipe, code, "%s", error);
        pipe->done = true;
        tell_error_pipe(pipe);
        close_descriptors(pipe);
}

/* The whole content was sent: does it hold what was asked for? In the order in which skopeo asks. */
static void verify_and_end(struct pipe *pipe)
{
        char actual[DIGEST_TEXT_SIZE];

        if (pipe->digest &&
            (digest_finish(pipe->digest, actual) < 0 || strcmp(actual, pipe->expected_digest) != 0))
                end_with(pipe, ERROR_CODE_OTHER, "corrupted blob, expecting %s", pipe->expected_digest);
        else if (pipe->verify_size && pipe->offset != pipe->expected_size)
                end_with(pipe, ERROR_CODE_OTHER, "expected %llu bytes in blob, got %llu",
                         (unsigned long long)pipe->expected_size, (unsigned long long)pipe->offset);
        pipe_end(pipe, ERROR_CODE_NONE, NULL);
}

/* A write failed. Returns whether that ends the pipe. */
static void write_failed(struct pipe *pipe, int errnum)
{
        pipe->reader_gone |= errnum == EPIPE;
        if (errnum == EPIPE && pipe->never_notices_reader_gone) {
                pipe->held = true;
                return;
        }
        if (errnum == EPIPE && pipe->forgets_reader_gone)
                pipe_end(pipe, ERROR_CODE_NONE, NULL);
        else
                end_with(pipe, errnum == EPIPE ? ERROR_CODE_EPIPE : ERROR_CODE_OTHER, "write |1: %s",
                         errnum == EPIPE ? "broken pipe" : strerrordesc_np(errnum));
        pipe_end(pipe, ERROR_CODE_NONE, NULL);
}

/* Reads up to @len bytes of content at the offset. 0 at its end, -1 when that failed (and has ended the pipe). */
static ssize_t read_content(struct pipe *pipe, char *buffer, size_t len)
{
        ssize_t n;

        if (pipe->generated)
                return (ssize_t)generated_read(pipe->generated, pipe->offset, buffer, len);
        if (pipe->memory || pipe->source_fd < 0) {
                uint64_t left = pipe->size - pipe->offset;

                n = (ssize_t)(left < len ? left : len);
                if (n > 0 && pipe->memory)
                        memcpy(buffer, pipe->memory + pipe->offset, (size_t)n);
                return n;
        }
        do
                n = pread(pipe->source_fd, buffer, len, (off_t)pipe->offset);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                pipe_end(pipe, ERROR_CODE_OTHER, strerrordesc_np(errno));
        return n;
}

/* Counts @n bytes of content as sent, which stand in @data (NULL: they are read again where they are hashed). */
static void took(struct pipe *pipe, const char *data, char *buffer, size_t n)
{
        while (n > 0) {
                size_t part = n < HASH_PIECE ? n : HASH_PIECE;

                if (pipe->digest && !data) {
                        ssize_t got = read_content(pipe, buffer, part);

                        if (got <= 0)
                                return;
                        part = (size_t)got;
                }
                if (pipe->digest)
                        digest_update(pipe->digest, data ? data : buffer, part);
                pipe->offset += part;
                n -= part;
                if (data)
                        data += part;
        }
}

static ssize_t write_some(struct pipe *pipe, const void *data, size_t len)
{
        ssize_t n;

        do
                n = write(pipe->write_fd, data, len);
        while (n < 0 && errno == EINTR);
        if (n > 0)
                pipe->written += (uint64_t)n;
        if (n < 0 && errno != EAGAIN)
                write_failed(pipe, errno);
        return n;
}

/* How much the pipe may take, so that no more is read than can be written. */
static size_t room(const struct pipe *pipe)
{
        int filled = 0, capacity = fcntl(pipe->write_fd, F_GETPIPE_SZ);

        if (capacity <= 0 || ioctl(pipe->write_fd, FIONREAD, &filled) < 0)
                return PIPE_CHUNK;
        return capacity - filled < 4096 ? 4096 : (size_t)(capacity - filled);
}

/* Sends up to @max bytes of content, inverted where asked. Returns what was sent; 0 at the end; -1: not now. */
static ssize_t send_content(struct pipe *pipe, char *buffer, uint64_t max, bool flip)
{
        size_t want = room(pipe);
        ssize_t n, sent;

        if (want > PIPE_CHUNK)
                want = PIPE_CHUNK;
        if (want > max)
                want = (size_t)max;
        n = read_content(pipe, buffer, want);
        if (n == 0 && pipe->grows)
                return -1;
        if (n <= 0)
                return n;
        for (ssize_t i = 0; flip && i < n; i++)
                buffer[i] = (char)~buffer[i];
        sent = write_some(pipe, buffer, (size_t)n);
        if (sent <= 0)
                return -1;
        for (ssize_t i = 0; flip && i < sent; i++)
                buffer[i] = (char)~buffer[i];
        took(pipe, buffer, buffer, (size_t)sent);
        return sent;
}

/* Whether all content was taken: seen without room in the pipe, which the last byte may have filled. */
static bool is_all_taken(const struct pipe *pipe)
{
        char byte;

        if (pipe->grows || pipe->offset < pipe->size)
                return false;
        return pipe->memory || pipe->generated || pipe->source_fd < 0 ||
               pread(pipe->source_fd, &byte, 1, (off_t)pipe->offset) == 0;
}

/* The faithful way, for a while: a fast reader of one pipe is not to starve all else. Returns whether anything went. */
static bool pump_rest(struct pipe *pipe, char *buffer)
{
        bool progress = false;

        for (int turn = 0; turn < TURNS && !pipe->done && !pipe->held; turn++) {
                loff_t offset = (loff_t)pipe->offset;
                ssize_t n = -1;

                if (is_all_taken(pipe)) {
                        verify_and_end(pipe);
                        return true;
                }
                errno = EINVAL;
                if (!pipe->memory && !pipe->generated && pipe->source_fd >= 0)
                        n = splice(pipe->source_fd, &offset, pipe->write_fd, NULL, PIPE_CHUNK,
                                   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
                if (n > 0) {
                        pipe->written += (uint64_t)n;
                        took(pipe, NULL, buffer, (size_t)n);
                } else if (n < 0 && errno == EINVAL) {
                        n = send_content(pipe, buffer, UINT64_MAX,
                                         false); /* a file system that cannot splice */
                } else if (n < 0 && errno != EAGAIN) {
                        write_failed(pipe, errno);
                }
                if (n < 0 || (n == 0 && pipe->grows))
                        return progress;
                if (n == 0)
                        verify_and_end(pipe);
                progress = true;
        }
        return progress;
}

static bool next_step(struct pipe *pipe)
{
        pipe->step++;
        pipe->step_done = 0;
        pipe->step_began_ns = 0;
        pipe->wake_ns = 0;
        return true;
}

/* A step that sends @left bytes of content. */
static bool step_content(struct pipe *pipe, char *buffer, uint64_t left)
{
        ssize_t n;

        if (left == 0)
                return next_step(pipe);
        n = send_content(pipe, buffer, left, pipe->step->op == DATA_FLIP);
        if (n == 0)
                return next_step(pipe);
        if (n < 0)
                return false;
        pipe->step_done += (uint64_t)n;
        return true;
}

/* Bytes that a drip of @rate bytes a second has let go after @ns; the first one goes at once. */
static uint64_t dripped(uint64_t rate, uint64_t ns)
{
        return ns / 1000000000 * rate + ns % 1000000000 * rate / 1000000000 + 1;
}

/* A step that sends content slowly: what is due by now, and then it waits for the next byte, or a moment. */
static bool step_drip(struct pipe *pipe, char *buffer, uint64_t left)
{
        uint64_t rate = pipe->step->rate ? pipe->step->rate : 1000, now = monotonic_ns(), due;
        uint64_t pause = 1000000000 / rate < 1000000 ? 1000000 : 1000000000 / rate;
        ssize_t n;

        if (left == 0)
                return next_step(pipe);
        if (!pipe->step_began_ns)
                pipe->step_began_ns = now;
        due = dripped(rate, now - pipe->step_began_ns);
        if (due > pipe->step_done) {
                due -= pipe->step_done;
                n = send_content(pipe, buffer, due < left ? due : left, false);
                if (n == 0)
                        return next_step(pipe);
                if (n < 0)
                        return false;
                pipe->step_done += (uint64_t)n;
        }
        pipe->wake_ns = now + pause;
        return true;
}

/* A step that sends the last bytes of the content again. */
static bool step_repeat(struct pipe *pipe, char *buffer)
{
        uint64_t n = pipe->step->n < pipe->offset ? pipe->step->n : pipe->offset, left = n - pipe->step_done;
        uint64_t offset = pipe->offset;
        ssize_t got, sent;

        if (left == 0)
                return next_step(pipe);
        pipe->offset = offset - left;
        got = read_content(pipe, buffer, left < PIPE_CHUNK ? (size_t)left : PIPE_CHUNK);
        pipe->offset = offset;
        if (got <= 0)
                return got == 0 && next_step(pipe);
        sent = write_some(pipe, buffer, (size_t)got);
        if (sent <= 0)
                return false;
        pipe->step_done += (uint64_t)sent;
        return true;
}

/* A step that sends bytes which are not of the content. */
static bool step_bytes(struct pipe *pipe, char *buffer, const char *data, uint64_t left)
{
        size_t part = left < PIPE_CHUNK ? (size_t)left : PIPE_CHUNK;
        ssize_t n;

        if (left == 0)
                return next_step(pipe);
        if (!data && pipe->step->op == DATA_ZEROS)
                memset(buffer, 0, part);
        else if (!data)
                generated_random(pipe->seed, pipe->written, buffer, part);
        n = write_some(pipe, data ? data : buffer, part);
        if (n <= 0)
                return false;
        pipe->step_done += (uint64_t)n;
        return true;
}

/* A step without an end, for a while. */
static bool step_forever(struct pipe *pipe, char *buffer)
{
        for (int turn = 0; turn < TURNS; turn++)
                if (!step_bytes(pipe, buffer, NULL, PIPE_CHUNK))
                        break;
        return false;
}

/* A step that leaves content out. */
static bool step_skip(struct pipe *pipe, char *buffer)
{
        uint64_t left = pipe->size - pipe->offset, wanted = pipe->step->n - pipe->step_done;

        if (left > wanted)
                left = wanted;
        took(pipe, NULL, buffer, (size_t)left);
        pipe->step_done += left;
        return (pipe->step_done == pipe->step->n || !pipe->grows) && next_step(pipe);
}

/* One step, or a part of it. Returns whether the next may follow at once. */
static bool pump_step(struct pipe *pipe, char *buffer)
{
        const struct data_step *step = pipe->step;
        uint64_t left = step->n - pipe->step_done;

        switch (step->op) {
        case DATA_REST:
                pipe->step = NULL;
                return true;
        case DATA_SEND:
        case DATA_FLIP:
                return step_content(pipe, buffer, left);
        case DATA_DRIP:
                return step_drip(pipe, buffer, left);
        case DATA_REPEAT:
                return step_repeat(pipe, buffer);
        case DATA_SKIP:
                return step_skip(pipe, buffer);
        case DATA_BYTES:
                return step_bytes(pipe, buffer, step->bytes.data + pipe->step_done,
                                  step->bytes.len - pipe->step_done);
        case DATA_ZEROS:
        case DATA_RANDOM:
                return step_bytes(pipe, buffer, NULL, left);
        case DATA_FOREVER:
                return step_forever(pipe, buffer);
        case DATA_EXIT:
        case DATA_SIGNAL:
                pipe->ends_process = true;
                *(step->op == DATA_EXIT ? &pipe->exit_status : &pipe->exit_signal) = (int)step->n;
                pipe->held = true;
                return false;
        case DATA_WAIT:
                if (pipe->wake_ns)
                        return next_step(pipe);
                pipe->wake_ns = monotonic_ns() + step->n * 1000000;
                return true;
        case DATA_CLOSE:
                fd_clear(&pipe->write_fd);
                pipe_end(pipe, ERROR_CODE_NONE, NULL);
                return false;
        case DATA_FAIL:
                pipe_end(pipe, step->code ? (enum error_code)step->code : ERROR_CODE_OTHER, step->bytes.data);
                return false;
        case DATA_END:
                pipe_end(pipe, ERROR_CODE_NONE, NULL);
                return false;
        case DATA_STALL:
        default:
                return false;
        }
}

/* Whether what comes next is content that is not there yet. */
static bool lacks_content(const struct pipe *pipe)
{
        const struct data_step *step = pipe->step;

        if (!pipe->grows || pipe->offset < pipe->size)
                return false;
        return !step || step->op == DATA_REST ||
               ((step->op == DATA_SEND || step->op == DATA_FLIP || step->op == DATA_DRIP ||
                 step->op == DATA_SKIP) &&
                pipe->step_done < step->n);
}

bool pipe_wants_room(const struct pipe *pipe, uint64_t now_ns)
{
        if (pipe->done || pipe->held || pipe->write_fd < 0 || pipe->wake_ns > now_ns || lacks_content(pipe))
                return false;
        return !pipe->step || pipe->step->op != DATA_STALL;
}

bool pipe_pump(struct pipe *pipe, char *buffer)
{
        bool progress = false;

        for (int turn = 0; turn < STEP_TURNS && pipe->step &&
                           pipe_wants_room(pipe, pipe->wake_ns ? monotonic_ns() : 0) && pump_step(pipe, buffer);
             turn++)
                progress = true;
        if (!pipe->step && pipe_wants_room(pipe, 0))
                progress |= pump_rest(pipe, buffer);
        return progress || pipe->done;
}
