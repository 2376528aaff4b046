/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owned descriptors: closing, duplicating, counting, naming what one is.
 */
#include "base/fd.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int fd)
{
        int saved = errno;

        if (fd < 0)
                return;
        /* EINTR and EIO close it all the same on Linux; only EBADF is a bug. */
        if (close(fd) < 0)
                assert(errno != EBADF);
        errno = saved;
}

int dup_fd(int fd, int lowest)
{
        int r = fcntl(fd, F_DUPFD_CLOEXEC, lowest);

        return r < 0 ? -errno : r;
}

int fd_set_nonblocking(int fd, bool nonblocking)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0)
                return -errno;
        if (fcntl(fd, F_SETFL, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

int fd_count(pid_t pid)
{
        char path[64];
        DIR *directory;
        int count = 0;
        struct dirent *entry;

        if (pid)
                snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        else
                snprintf(path, sizeof(path), "/proc/self/fd");
        directory = opendir(path);
        if (!directory)
                return -errno;
        errno = 0;
        while ((entry = readdir(directory)))
                count += entry->d_name[0] != '.';
        if (errno)
                count = -errno;
        else if (!pid || pid == getpid())
                count--;
        closedir(directory);
        return count;
}

const char *fd_kind(int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return "closed";
        switch (st.st_mode & S_IFMT) {
        case S_IFIFO:
                return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? "pipe-read" : "pipe-write";
        case S_IFSOCK:
                return "socket";
        case S_IFREG:
                return "file";
        case S_IFDIR:
                return "directory";
        case S_IFCHR:
        case S_IFBLK:
                return "device";
        default:
                return "other";
        }
}
