/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be seen of a process and its descendants from outside, in /proc: descriptors, memory, threads, and
 * whether they do anything. 0 is what cannot be seen.
 */
#ifndef CONFORMANCE_OBSERVE_H
#define CONFORMANCE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
        size_t memory_kib; /* its own: neither program text nor mapped files (RssAnon, RssShmem) */
        size_t fds;        /* as observe_fds counts them */
        size_t threads;
};

/*
 * Files of /proc that a look has left open. Once somebody has looked at the threads of a process, the kernel
 * has entries of theirs to let go of when they end, and of all of them when the process is reaped; where that
 * comes at the same time, it does not sleep but turns in circles, for milliseconds on a busy machine. It passes
 * over what is open. So who will reap the process keeps these until then. Zero-initialise. More than find room
 * are not kept, which only costs time.
 */
struct observed {
        int fds[64];
        size_t n;
};

void observed_clear(struct observed *observed);

/*
 * How many pipes, sockets and files (not directories, devices, Go's own epoll and eventfd) they have open. What
 * is left open for it takes the place of what @observed had; it may be NULL.
 */
size_t observe_fds(pid_t pid, struct observed *observed);

void observe_use(pid_t pid, struct process_use *ret);

/* Whether all threads sleep just now, and the CPU time that they have used so far. @observed as above. */
bool observe_sleeps(pid_t pid, struct observed *observed, uint64_t *ret_cpu_ns);

#endif
