/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes: started with everything prepared before the fork, in a process group of their own, dying
 * with their parent, waited for by pidfd, the last 64 KiB of their stderr kept. The caller's other children,
 * threads and signal handlers are left alone.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "base/deadline.h"

#define CHILD_STDERR_TAIL ((size_t)64 * 1024)

/* A descriptor that the child shall have, under number @target. The caller keeps @fd. */
struct child_fd {
        int fd;
        int target;
};

/* What to start. Borrowed for the time of the call. */
struct child_spec {
        const char *const *argv;    /* NULL-terminated; argv[0] is looked for on the environment's PATH */
        const char *const *envp;    /* NULL: this process's environment */
        const char *cwd;            /* NULL: this process's */
        const struct child_fd *fds; /* those that it does not name: 0 and 1 are /dev/null, 2 see below */
        size_t n_fds;
        bool keep_stderr; /* descriptor 2 stays this process's, instead of a pipe into the tail */
        bool close_stdin; /* descriptor 0 is closed in the child, unless @fds names it */
};

struct child;

/*
 * Starts a child. It is ended with SIGKILL when this process dies (when called from a thread other than the
 * main one too: the thread may end before the child). On failure nothing is left running; a command that
 * cannot be executed is class `local` with -ENOENT, -EACCES, .. and a sentence that names it.
 */
int child_start(const struct child_spec *spec, struct child **ret, struct cip_error *error);

/* Ends the whole process group with SIGKILL if it still runs, reaps, frees. Takes NULL. */
void child_free(struct child *child);
DEFINE_CLEANUP(struct child *, child_free);

pid_t child_pid(const struct child *child);

/* Readable when the child has ended. Borrowed. */
int child_pidfd(const struct child *child);

/* The read end of its stderr, non-blocking, for poll; -1 when there is none or it has ended. Borrowed. */
int child_stderr_fd(const struct child *child);

/* Takes in what stderr holds now, without waiting. Call it when child_stderr_fd is readable. */
void child_read_stderr(struct child *child);

/* The last bytes of stderr, at most CHILD_STDERR_TAIL, NUL-terminated, valid until the next call on @child. */
const char *child_stderr(struct child *child, size_t *ret_len);

/* How many bytes it has written to stderr in all. */
uint64_t child_stderr_total(const struct child *child);

/*
 * Waits for its end, taking in stderr meanwhile, so that a talkative child does not block. Returns 0 with
 * the status as waitpid(2) gives it (-1: somebody else reaped it), -ETIMEDOUT, or another negative errno. May
 * be called again after the end and gives the same status.
 */
int child_wait(struct child *child, struct deadline deadline, int *ret_status);

/*
 * Reaps a child whose end child_wait has seen, and signals nobody of its process group: who wants to know what
 * the child left running calls this first. child_pid is 0 afterwards.
 */
void child_reap(struct child *child);

/* Sends @signal to the whole process group, if the child was not reaped yet. */
void child_signal(struct child *child, int signal);

/*
 * What a status means, as a phrase: "exited with status 1", "was ended by signal 9 (Killed)". @ret of @size
 * bytes. Returns @ret.
 */
const char *child_status_text(int status, char *ret, size_t size);

#endif
