/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time on the monotonic clock. Every wait in the tree takes one, so that no peer can make us wait
 * for ever unless the caller asked for just that.
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds on CLOCK_MONOTONIC; UINT64_MAX is never. */
struct deadline {
        uint64_t ns;
};

#define DEADLINE_NEVER ((struct deadline){UINT64_MAX})

/* Nanoseconds on the monotonic clock, now. */
uint64_t monotonic_ns(void);

/* @ms milliseconds from now. */
struct deadline deadline_in_ms(uint64_t ms);

/* @seconds from now; never, where that is 0 or less. */
struct deadline deadline_in_seconds(double seconds);

/* The earlier of two. */
struct deadline deadline_min(struct deadline a, struct deadline b);

bool deadline_passed(struct deadline deadline);

/* What is left, in poll's terms: -1 never, 0 passed, else milliseconds, rounded up. */
int deadline_poll_ms(struct deadline deadline);

/*
 * Waits until one of @events of poll(2) (or an error or hang-up) happens on @fd. Returns the events,
 * -ETIMEDOUT when the deadline has passed, or another negative errno. Takes EINTR as time going by.
 */
int wait_fd(int fd, short events, struct deadline deadline);

#endif
