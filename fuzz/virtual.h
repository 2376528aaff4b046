/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual time for the session targets, which are one process and one thread: poll(2) and the monotonic clock
 * are put in place of libc's by the linker (--wrap). A wait first lets the peer, which is a function of the
 * target, do the next thing of its program; where it has nothing to do the clock jumps to the wait's end. So an
 * hour takes no time, and a wait without an end is seen at once.
 */
#ifndef FUZZ_VIRTUAL_H
#define FUZZ_VIRTUAL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* The peer's next thing. False: it has none, now or ever. */
typedef bool (*virtual_peer)(void *data);

/*
 * From now on time is virtual. @patience_ns: how far the clock may go before virtual_end before that is a fault
 * of the one who waits.
 */
void virtual_begin(virtual_peer peer, void *data, uint64_t patience_ns);

/* Who looks at descriptors in poll's place, without waiting; the kernel otherwise. */
void virtual_poll_by(int (*look)(struct pollfd *fds, nfds_t n));

/* The peer lets time go by. */
void virtual_sleep(uint64_t ns);

/* How far the clock has gone since virtual_begin. */
uint64_t virtual_elapsed(void);

/* Time is real again. */
void virtual_end(void);

#endif
