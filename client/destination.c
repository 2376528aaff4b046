/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where fetched bytes go. A file is written without a name where the system can do that (O_TMPFILE), so that
 * not even kill -9 leaves a part of it behind; elsewhere under a temporary name beside it. A rename then puts
 * it in the place of what was there before.
 */
#include "client/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

static int open_stdout(bool binary, struct destination *ret, struct cip_error *error)
{
        int fd;

        if (binary && isatty(STDOUT_FILENO))
                return error_set(
                        error, CIP_ERROR_LOCAL, -EINVAL,
                        "a blob would spoil this terminal: write it to a file with -o FILE, or to a pipe");
        fd = dup_fd(STDOUT_FILENO, 3);
        if (fd < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, fd, "cannot write to standard output");
        ret->fd = fd;
        return 0;
}

/* The folder of @path, for the caller to free. */
static char *folder_of(const char *path)
{
        CLEANUP(cleanup_free) char *copy = strdup(path);

        return copy ? strdup(dirname(copy)) : NULL;
}

static int open_temporary(struct destination *destination)
{
        CLEANUP(cleanup_free) char *folder = folder_of(destination->path);
        mode_t mask = umask(0);

        umask(mask);
        if (!folder)
                return -ENOMEM;
        destination->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        if (destination->fd >= 0)
                return 0;
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
                return -errno;
        if (asprintf(&destination->temporary, "%s.XXXXXX", destination->path) < 0) {
                destination->temporary = NULL;
                return -ENOMEM;
        }
        destination->fd = mkostemp(destination->temporary, O_CLOEXEC);
        if (destination->fd < 0) {
                int r = -errno;

                free(STEAL(destination->temporary));
                return r;
        }
        return fchmod(destination->fd, 0666 & ~mask) < 0 ? -errno : 0;
}

int destination_open(const char *path, bool binary, struct destination *ret, struct cip_error *error)
{
        struct destination destination = DESTINATION_NONE;
        struct stat status;
        int r;

        if (!path || !strcmp(path, "-"))
                return open_stdout(binary, ret, error);
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
                return error_set(error, CIP_ERROR_LOCAL, -EISDIR,
                                 "cannot write to '%s': it is a folder; name a file", path);
        if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
                ret->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
                if (ret->fd < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write to '%s'", path);
                return 0;
        }
        /* A link stays, and what it leads to is replaced. */
        destination.path = realpath(path, NULL);
        if (!destination.path)
                destination.path = strdup(path);
        r = destination.path ? open_temporary(&destination) : -ENOMEM;
        if (r < 0) {
                destination_clear(&destination);
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write to '%s'", path);
        }
        *ret = destination;
        return 0;
}

/* Gives a file without a name a temporary one. */
static int name_it(struct destination *destination)
{
        char self[64];

        snprintf(self, sizeof(self), "/proc/self/fd/%d", destination->fd);
        for (unsigned i = 0; i < 1000; i++) {
                char *name;

                if (asprintf(&name, "%s.%d-%u", destination->path, getpid(), i) < 0)
                        return -ENOMEM;
                if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0) {
                        destination->temporary = name;
                        return 0;
                }
                free(name);
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

int destination_commit(struct destination *destination, struct cip_error *error)
{
        int r = 0;

        if (!destination->path)
                return 0;
        if (fsync(destination->fd) < 0 && errno != EINVAL)
                r = -errno;
        if (r == 0 && !destination->temporary)
                r = name_it(destination);
        if (r == 0 && rename(destination->temporary, destination->path) < 0)
                r = -errno;
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write '%s'", destination->path);
        free(STEAL(destination->temporary));
        return 0;
}

void destination_clear(struct destination *destination)
{
        if (destination->temporary)
                unlink(destination->temporary);
        free(STEAL(destination->temporary));
        free(STEAL(destination->path));
        fd_clear(&destination->fd);
}
