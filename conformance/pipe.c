/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading data pipes: exactly so much, to the end, or to the end while FinishPipe is under way, as a good client
 * does it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "conformance/context.h"
#include "image/digest.h"

/* More than any check asks for; a pipe that never ends is not read into memory without end. */
#define READ_MAX ((size_t)1 << 30)

/* Data that grows. */
struct growing {
        char *data;
        size_t len, allocated;
};

/* Makes room for more, and for a NUL behind it. */
static void grow(struct check_context *c, struct growing *buffer)
{
        if (buffer->allocated - buffer->len > 65536)
                return;
        if (buffer->len > READ_MAX)
                check_fail(c, "a pipe gave more than %zu bytes, and no end came", READ_MAX);
        buffer->allocated = buffer->allocated ? buffer->allocated * 2 : 131072;
        buffer->data = realloc(buffer->data, buffer->allocated);
        if (!buffer->data)
                check_error(c, "out of memory");
}

/* Reads what is there. False at the end. */
static bool read_some(struct check_context *c, int fd, struct growing *buffer)
{
        ssize_t n;

        grow(c, buffer);
        n = read(fd, buffer->data + buffer->len, buffer->allocated - buffer->len - 1);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return true;
        if (n < 0)
                check_fail(c, "the data descriptor cannot be read: %s (it is a %s)", strerror(errno),
                           fd_kind(fd));
        buffer->len += (size_t)n;
        buffer->data[buffer->len] = '\0';
        return n > 0;
}

static void note_pipe(struct check_context *c, const struct growing *buffer, const char *end)
{
        char digest[DIGEST_TEXT_SIZE];
        bool known = digest_of(DIGEST_SHA256, buffer->data, buffer->len, digest) == 0;

        transcript_pipe(c->transcript, c->asked, buffer->len, known ? digest : NULL, end);
}

size_t check_read(struct check_context *c, int fd, void *buffer, size_t len)
{
        char *out = buffer;
        size_t got = 0;

        context_doing(c, "reading %zu bytes from a pipe", len);
        while (got < len) {
                ssize_t n;

                if (!context_wait(c, fd, POLLIN, DEADLINE_NEVER))
                        check_fail(c, "a pipe gave %zu of %zu bytes, and nothing more within %g s", got, len,
                                   c->timeout);
                n = read(fd, out + got, len - got);
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        check_fail(c, "the data descriptor cannot be read: %s (it is a %s)", strerror(errno),
                                   fd_kind(fd));
                if (n == 0)
                        break;
                got += n > 0 ? (size_t)n : 0;
        }
        return got;
}

void check_read_to_end(struct check_context *c, int fd, char **ret, size_t *ret_len)
{
        struct growing buffer = {0};

        context_doing(c, "reading a pipe to its end");
        do {
                if (!context_wait(c, fd, POLLIN, DEADLINE_NEVER))
                        check_fail(c,
                                   "a pipe gave %zu bytes, and neither more nor its end within %g s; asked "
                                   "last: %s",
                                   buffer.len, c->timeout, c->asked);
        } while (read_some(c, fd, &buffer));
        note_pipe(c, &buffer, "eof");
        *ret = buffer.data;
        *ret_len = buffer.len;
}

/* Waits for data or for an answer, whichever comes first. */
static void wait_for_either(struct check_context *c, int pipe_fd, int socket, struct pollfd fds[2])
{
        fds[0] = (struct pollfd){.fd = pipe_fd, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = socket, .events = POLLIN};
        for (;;) {
                /* The server's stderr is taken in here: a server that floods it would block. */
                struct pollfd all[] = {fds[0], fds[1], {.fd = child_stderr_fd(c->child), .events = POLLIN}};
                int r = poll(all, 3, deadline_poll_ms(c->deadline));

                if (r < 0 && errno != EINTR)
                        check_error(c, "cannot wait: %s", strerror(errno));
                if (r > 0 && all[2].revents)
                        child_read_stderr(c->child);
                if (r > 0 && (all[0].revents || all[1].revents)) {
                        fds[0].revents = all[0].revents;
                        fds[1].revents = all[1].revents;
                        return;
                }
                if (deadline_passed(c->deadline))
                        check_fail(c, "%s within %g s; asked last: %s",
                                   pipe_fd < 0  ? "FinishPipe was not answered"
                                   : socket < 0 ? "FinishPipe was answered, and the pipe did not end"
                                                : "FinishPipe was not answered, and the pipe did not end",
                                   c->timeout, c->asked);
        }
}

void check_read_and_finish(struct check_context *c, struct answer *piped, struct answer *ret_finish, char **ret,
                           size_t *ret_len)
{
        struct growing buffer = {0};
        bool answered = false;
        int fd;

        if (piped->packet.n_fds < 1)
                check_fail(c, "%s was answered without a descriptor: %.300s", c->asked, piped->packet.data);
        fd = steal_fd(&piped->packet.fds[0]);
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped->pipeid);
        context_doing(c, "reading a pipe to its end while %s is under way", c->asked);
        while (!answered || fd >= 0) {
                struct pollfd fds[2];

                wait_for_either(c, fd, answered ? -1 : c->socket, fds);
                if (fds[1].revents) {
                        check_answer(c, ret_finish);
                        answered = true;
                }
                if (fds[0].revents && !read_some(c, fd, &buffer))
                        fd_clear(&fd);
        }
        note_pipe(c, &buffer, "eof");
        *ret = buffer.data;
        *ret_len = buffer.len;
}
