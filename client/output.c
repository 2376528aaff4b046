/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs in one go: to a descriptor or to a callback. Data that is not hashed is spliced into files and pipes
 * without passing through this process. An output that takes nothing for the moment is waited for like
 * everything else, so that a cancellation ends that too, and one whose reader is gone is an error, never a
 * signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "client/session.h"
#include "client/sigpipe.h"

#define CHUNK (256UL * 1024)
#define SPLICE_CHUNK (1024UL * 1024)

/* Where the data goes. */
struct output {
        int fd;
        int own_fd; /* ours to close, -1: none */
        bool is_socket;
        bool can_splice;
};

/* write(2), or splice(2) where @data is NULL. Returns how many bytes, or a negative errno. */
static ssize_t put_some(const struct output *output, int source, const void *data, size_t n)
{
        struct sigpipe_hold hold;
        ssize_t done;

        if (data && output->is_socket) {
                done = send(output->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
                return done < 0 ? -errno : done;
        }
        sigpipe_hold(&hold);
        done = data ? write(output->fd, data, n)
                    : splice(source, NULL, output->fd, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        sigpipe_release(&hold, done < 0 && errno == EPIPE);
        return done < 0 ? -errno : done;
}

/* ---- the output ---- */

static void open_output(int fd, struct output *ret)
{
        char path[32];
        struct stat st;

        *ret = (struct output){.fd = fd, .own_fd = -1};
        if (fstat(fd, &st) < 0)
                return;
        ret->is_socket = S_ISSOCK(st.st_mode);
        ret->can_splice = S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode);
        if (!S_ISFIFO(st.st_mode))
                return;
        /* Opened anew a pipe does not block, and the caller's own descriptor stays as it is. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ret->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (ret->own_fd >= 0)
                ret->fd = ret->own_fd;
}

static void close_output(struct output *output)
{
        fd_clear(&output->own_fd);
}

/* Until the output takes something again. The server's time does not run meanwhile. */
static int wait_for_output(struct cip_blob *blob, const struct output *output, struct cip_error *error)
{
        struct wait wait = {.until = DEADLINE_NEVER, .fd = output->fd, .events = POLLOUT};
        int r = session_wait(blob->session, &wait, error);

        blob->idle_since = 0;
        return r;
}

static int output_failed(int r, struct cip_error *error)
{
        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write the data");
}

static int put_all(struct cip_blob *blob, const struct output *output, const char *data, size_t n,
                   struct cip_error *error)
{
        while (n > 0) {
                ssize_t done = put_some(output, -1, data, n);
                int r = 0;

                if (done == -EAGAIN)
                        r = wait_for_output(blob, output, error);
                else if (done == -EINTR)
                        r = session_check_cancel(blob->session, error);
                else if (done < 0)
                        return output_failed((int)done, error);
                if (r < 0)
                        return r;
                if (done > 0) {
                        data += done;
                        n -= (size_t)done;
                }
        }
        return 0;
}

/* There is something in the pipe: moves it on. */
static int splice_some(struct cip_blob *blob, struct output *output, struct cip_error *error)
{
        uint64_t most = blob->size >= 0 ? (uint64_t)blob->size - blob->bytes : SPLICE_CHUNK;
        ssize_t done = put_some(output, blob->data_fd, NULL, most < SPLICE_CHUNK ? (size_t)most : SPLICE_CHUNK);

        switch (done) {
        case -EAGAIN:
                return wait_for_output(blob, output, error);
        case -EINTR:
        case 0:
                return 0;
        case -EINVAL:
                /* A file opened to append, or a file system that cannot. */
                output->can_splice = false;
                return 0;
        default:
                return done < 0 ? output_failed((int)done, error) : blob_took(blob, NULL, (size_t)done, error);
        }
}

/* One step: waits, or takes some data and hands it on. Returns 1 while there is more to do, 0 at the end. */
static int hand_on_some(struct cip_blob *blob, struct output *output, char *buffer, struct cip_error *error)
{
        bool splices = output->can_splice && !blob->hash && blob->spill_start == blob->spill_end;
        ssize_t n;
        int r = blob->result == 1 ? session_check_cancel(blob->session, error) : 0;

        if (r < 0)
                return r;
        n = blob_step(blob, splices ? NULL : buffer, CHUNK, error);
        if (n == 0)
                return 0;
        if (n == -EAGAIN)
                r = blob_wait(blob, -1, 0, error);
        else if (n < 0)
                r = (int)n;
        else if (splices && blob->data_fd >= 0)
                r = splice_some(blob, output, error);
        else if (!splices)
                r = put_all(blob, output, buffer, (size_t)n, error);
        return r < 0 ? r : 1;
}

int cip_blob_to_fd(struct cip_blob *blob, int fd, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *buffer = malloc(CHUNK);
        struct output output;
        int r;

        if (!buffer)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "%s", blob->what);
        open_output(fd, &output);
        do
                r = hand_on_some(blob, &output, buffer, error);
        while (r == 1);
        close_output(&output);
        return r;
}

int cip_blob_to_callback(struct cip_blob *blob, int (*callback)(void *data, const void *bytes, size_t n),
                         void *data, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *buffer = malloc(CHUNK);

        if (!buffer)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "%s", blob->what);
        for (;;) {
                ssize_t n = -EAGAIN;
                int r = blob->result == 1 ? session_check_cancel(blob->session, error) : 0;

                if (r == 0) {
                        n = blob_step(blob, buffer, CHUNK, error);
                        if (n == 0)
                                return 0;
                        if (n == -EAGAIN)
                                r = blob_wait(blob, -1, 0, error);
                        else if (n < 0)
                                r = (int)n;
                }
                if (r < 0)
                        return r;
                if (n > 0) {
                        r = callback(data, buffer, (size_t)n);
                        if (r < 0)
                                return error_set_errno(error, CIP_ERROR_LOCAL, r, "%s: the data was not taken",
                                                       blob->what);
                }
        }
}
