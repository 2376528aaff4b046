/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to what a caller hands over, without the SIGPIPE that a write to a pipe without a reader raises, and
 * without a change to what the caller does with that signal: it is blocked in this thread alone for the time of
 * the write, and taken back if it was raised meanwhile.
 */
#ifndef CLIENT_SIGPIPE_H
#define CLIENT_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe_hold {
        sigset_t old;
        bool was_pending;
};

/* Holds SIGPIPE back in this thread. */
void sigpipe_hold(struct sigpipe_hold *ret);

/* Ends that; @broken_pipe: a write has failed with EPIPE (or may have). Leaves errno alone. */
void sigpipe_release(const struct sigpipe_hold *hold, bool broken_pipe);

#endif
