/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reads and writes of files and pipes, with a bound on what is taken in.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

int write_all(int fd, const void *data, size_t len)
{
        const char *from = data;

        while (len > 0) {
                ssize_t n = write(fd, from, len);

                if (n >= 0) {
                        from += n;
                        len -= (size_t)n;
                } else if (errno == EAGAIN) {
                        int r = wait_fd(fd, POLLOUT, DEADLINE_NEVER);

                        if (r < 0)
                                return r;
                } else if (errno != EINTR) {
                        return -errno;
                }
        }
        return 0;
}

char *memstream_close(FILE *take_stream, char **text)
{
        if (fclose(take_stream) == 0)
                return *text;
        free(*text);
        *text = NULL;
        return NULL;
}

/* Makes room for more than @len bytes and a NUL. */
static int grow(char **data, size_t len, size_t *allocated)
{
        size_t wanted = *allocated ? *allocated * 2 : 4096;
        char *grown;

        if (len + 1 < *allocated)
                return 0;
        grown = realloc(*data, wanted);
        if (!grown)
                return -ENOMEM;
        *data = grown;
        *allocated = wanted;
        return 0;
}

int read_to_end(int fd, size_t max, struct deadline deadline, char **ret_data, size_t *ret_len)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t allocated = 0, len = 0;

        for (;;) {
                ssize_t n;
                int r = grow(&data, len, &allocated);

                if (r < 0)
                        return r;
                r = wait_fd(fd, POLLIN, deadline);
                if (r < 0)
                        return r;
                n = read(fd, data + len, allocated - len - 1);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n == 0)
                        break;
                if (n > 0)
                        len += (size_t)n;
                if (len > max)
                        return -EFBIG;
        }
        data[len] = '\0';
        *ret_len = len;
        *ret_data = STEAL(data);
        return 0;
}

int read_file_at(int dir_fd, const char *path, size_t max, char **ret_data, size_t *ret_len,
                 struct cip_error *error)
{
        CLEANUP_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        int r;

        if (fd < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot open %s", path);
        if (fstat(fd, &st) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot read %s", path);
        if (S_ISDIR(st.st_mode))
                return error_set_errno(error, CIP_ERROR_LOCAL, -EISDIR, "cannot read %s", path);
        if (!S_ISREG(st.st_mode))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "cannot read %s: it is no regular file",
                                 path);
        r = read_to_end(fd, max, DEADLINE_NEVER, ret_data, ret_len);
        if (r == -EFBIG)
                return error_set(error, CIP_ERROR_LOCAL, r, "cannot read %s: it is larger than %zu bytes", path,
                                 max);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read %s", path);
        return 0;
}

int replace_file_at(int dir_fd, const char *path, const void *data, size_t len, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *temporary = NULL;
        CLEANUP_FD int fd = -1;
        int r;

        if (asprintf(&temporary, "%s.%d.tmp", path, (int)getpid()) < 0) {
                temporary = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write %s", path);
        }
        fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write %s", path);
        r = write_all(fd, data, len);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && renameat(dir_fd, temporary, dir_fd, path) < 0)
                r = -errno;
        if (r < 0) {
                unlinkat(dir_fd, temporary, 0);
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write %s", path);
        }
        return 0;
}
