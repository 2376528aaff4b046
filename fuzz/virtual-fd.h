/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that the kernel knows nothing of, for a session that is one process: sockets with packets and
 * descriptors in them, pipes, and a few others that a hostile peer may send. The linker's --wrap puts them
 * behind the system calls' own names, which cost a session more than all of its code otherwise. What is no
 * virtual descriptor goes to the kernel. Where the kernel would let a call wait for good, the oracle speaks.
 */
#ifndef FUZZ_VIRTUAL_FD_H
#define FUZZ_VIRTUAL_FD_H

#include <stddef.h>

/* What a pipe holds: one page. */
#define VIRTUAL_PIPE_SIZE 4096

enum virtual_kind {
        VIRTUAL_NOTHING,
        VIRTUAL_SOCKET,
        VIRTUAL_PIPE_IN, /* the end that is read */
        VIRTUAL_PIPE_OUT,
        VIRTUAL_NULL, /* /dev/null, to be written */
        VIRTUAL_ZERO, /* /dev/zero, to be read */
        VIRTUAL_DIRECTORY,
};

/* From now on there are none of them, and poll knows them. */
void virtual_fds_begin(void);

/*
 * As socketpair(2) of SOCK_SEQPACKET and pipe(2). All are O_NONBLOCK but the end of a pipe that is read, as
 * servers hand it out. Return 0, or -1 where there are too many.
 */
int virtual_socketpair(int ret[2]);
int virtual_pipe(int ret[2]);

/* One of the other kinds; -1 where there are too many. */
int virtual_open(enum virtual_kind kind);

/* How many are open, those in packets that nobody has received among them. */
size_t virtual_count_fds(void);

#endif
