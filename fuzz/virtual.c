/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linker's --wrap=poll and --wrap=clock_gettime lead here.
 */
#include "fuzz/virtual.h"

#include <poll.h>
#include <time.h>

#include "fuzz/target.h"

/* Waits that find nothing and end at once, in a row: whoever does more of them turns in a circle. */
#define IDLE_ROUNDS_MAX 100000

static struct {
        bool on;
        uint64_t now, start, patience;
        virtual_peer peer;
        void *data;
        bool in_peer;
        unsigned idle_rounds;
        int (*look)(struct pollfd *fds, nfds_t n);
} world;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

void virtual_begin(virtual_peer peer, void *data, uint64_t patience_ns)
{
        world.on = true;
        world.now = world.start = UINT64_C(1000000000000);
        world.patience = patience_ns;
        world.peer = peer;
        world.data = data;
        world.in_peer = false;
        world.idle_rounds = 0;
}

void virtual_poll_by(int (*look)(struct pollfd *fds, nfds_t n))
{
        world.look = look;
}

void virtual_sleep(uint64_t ns)
{
        world.now += ns;
}

uint64_t virtual_elapsed(void)
{
        return world.now - world.start;
}

void virtual_end(void)
{
        world.on = false;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
        if (!world.on || clock != CLOCK_MONOTONIC)
                return __real_clock_gettime(clock, ret);
        ret->tv_sec = (time_t)(world.now / 1000000000);
        ret->tv_nsec = (long)(world.now % 1000000000);
        return 0;
}

static int look(struct pollfd *fds, nfds_t n)
{
        return world.look ? world.look(fds, n) : __real_poll(fds, n, 0);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
        if (!world.on)
                return __real_poll(fds, n, timeout);
        if (world.in_peer)
                return look(fds, n);
        for (;;) {
                int events = look(fds, n);
                bool moved;

                if (events != 0) {
                        world.idle_rounds = 0;
                        return events;
                }
                world.in_peer = true;
                moved = world.peer(world.data);
                world.in_peer = false;
                if (moved)
                        continue;
                target_that(timeout >= 0, "a wait has no end, and the peer has nothing more to do");
                target_that(timeout > 0 || ++world.idle_rounds < IDLE_ROUNDS_MAX, "it turns in a circle");
                world.now += (uint64_t)timeout * 1000000;
                target_that(virtual_elapsed() <= world.patience, "it waited past its deadlines: %.0f s",
                            (double)virtual_elapsed() / 1e9);
                return 0;
        }
}
