/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be seen of a process and its descendants from outside, in /proc: descriptors, memory, threads, and whether they
 * do anything. 0 is what cannot be seen.
 */
#ifndef CONFORMANCE_OBSERVE_H
#define CONFORMANCE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
        size_t memory_kib; /* that is its own: neither the program's text nor mapped files (RssAnon, RssShmem) */
        size_t fds;        /* as observe_fds counts them */
        size_t threads;
};

/* How many pipes, sockets and files (not directories, devices, Go's own epoll and eventfd) they have open. */
size_t observe_fds(pid_t pid);

void observe_use(pid_t pid, struct process_use *ret);

/* Whether all threads sleep just now, and the CPU time that they have used so far. */
bool observe_sleeps(pid_t pid, uint64_t *ret_cpu_ns);

#endif
