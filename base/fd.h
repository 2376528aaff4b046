/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owned file descriptors. Each is close-on-exec from birth, belongs to one variable, and that variable is -1
 * when it does not hold one. A function named take_.. or steal_.. owns a descriptor afterwards, dup_.. makes
 * one, every other borrows.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* Closes @fd unless it is negative. Closing one that is not open is a bug here and ends the program. */
void fd_close(int fd);

static inline void cleanup_fd(int *fd)
{
        fd_close(*fd);
}
#define CLEANUP_FD CLEANUP(cleanup_fd)

/* Hands a descriptor on: returns it and leaves -1 behind. */
static inline int steal_fd(int *fd)
{
        int stolen = *fd;

        *fd = -1;
        return stolen;
}

/* Closes what *@fd holds and leaves -1 behind. */
static inline void fd_clear(int *fd)
{
        fd_close(steal_fd(fd));
}

/* A close-on-exec duplicate of @fd, numbered @lowest or higher. Returns it, or a negative errno. */
int dup_fd(int fd, int lowest);

/* Turns O_NONBLOCK on or off, for every process that shares the open file. Returns 0 or a negative errno. */
int fd_set_nonblocking(int fd, bool nonblocking);

/*
 * How many descriptors process @pid has open (0: this process), not counting the one used to count. Returns
 * the number, or a negative errno.
 */
int fd_count(pid_t pid);

/*
 * What @fd is, as a word for messages and transcripts: "pipe-read", "pipe-write", "socket", "file",
 * "directory", "device", "closed", "other". Static text.
 */
const char *fd_kind(int fd);

#endif
