/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines on the monotonic clock, and the wait for one descriptor that everything small is built on.
 */
#include "base/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

uint64_t monotonic_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct deadline deadline_in_ms(uint64_t ms)
{
        uint64_t now = monotonic_ns();

        if (ms > (UINT64_MAX - now) / 1000000)
                return DEADLINE_NEVER;
        return (struct deadline){now + ms * 1000000};
}

struct deadline deadline_in_seconds(double seconds)
{
        /* Not a number compares false as well, and is never. */
        if (!(seconds > 0) || seconds > 1e9)
                return DEADLINE_NEVER;
        return deadline_in_ms((uint64_t)(seconds * 1000));
}

struct deadline deadline_min(struct deadline a, struct deadline b)
{
        return a.ns < b.ns ? a : b;
}

bool deadline_passed(struct deadline deadline)
{
        return deadline.ns != UINT64_MAX && monotonic_ns() >= deadline.ns;
}

int deadline_poll_ms(struct deadline deadline)
{
        uint64_t now, ms;

        if (deadline.ns == UINT64_MAX)
                return -1;
        now = monotonic_ns();
        if (now >= deadline.ns)
                return 0;
        ms = (deadline.ns - now + 999999) / 1000000;
        return ms > INT_MAX ? INT_MAX : (int)ms;
}

int wait_fd(int fd, short events, struct deadline deadline)
{
        struct pollfd pollfd = {.fd = fd, .events = events};

        for (;;) {
                int ms = deadline_poll_ms(deadline);
                int n = poll(&pollfd, 1, ms);

                if (n > 0)
                        return pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0 && ms == 0)
                        return -ETIMEDOUT;
        }
}
