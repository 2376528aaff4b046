/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attempts of a pull. The waits double from one to the next, have a bound, are shortened by chance, and end
 * as soon as the user cancels.
 */
#include "client/retry.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "client/progress.h"
#include "client/quantity.h"

#define REASON_ROOM (CIP_ERROR_MESSAGE_SIZE + 100)

bool retry_takes(struct retry *retry, const struct cip_error *error)
{
        if (retry->attempt >= retry->attempts)
                return false;
        switch (cip_error_retry(error)) {
        case CIP_RETRY_LATER:
                return true;
        case CIP_RETRY_ONCE:
                if (retry->wrong == 0)
                        retry->wrong = retry->attempt;
                return retry->wrong == retry->attempt;
        case CIP_RETRY_NEVER:
                break;
        }
        return false;
}

uint64_t retry_wait_ms(const struct retry_pace *pace, uint64_t attempt, uint32_t chance)
{
        uint64_t most = pace->first_ms;

        for (uint64_t i = 1; i < attempt && most < pace->most_ms; i++)
                most *= 2;
        if (most > pace->most_ms)
                most = pace->most_ms;
        return most - most / 2 * chance / UINT32_MAX;
}

const char *retry_text(const struct retry *retry, double seconds, const char *reason, char *ret, size_t size)
{
        char when[QUANTITY_TEXT_SIZE];

        snprintf(ret, size, "attempt %" PRIu64 " of %" PRIu64 " in %s: %s", retry->attempt + 1, retry->attempts,
                 duration_text(seconds, when), reason);
        return ret;
}

/* One line for a log or a pipe. */
static void say_once(const char *text)
{
        char line[REASON_ROOM + 8];
        int n = snprintf(line, sizeof(line), "cip: %s\n", text);

        /* A reader of stderr that is gone stops no pull. */
        if (write(STDERR_FILENO, line, (size_t)n) < 0)
                return;
}

/* Waits, and counts down meanwhile where @lively. Returns 0 when the time is over, or -ECANCELED. */
static int wait_and_tell(const struct retry *retry, uint64_t ms, int cancel_fd, bool lively, const char *reason)
{
        struct deadline end = deadline_in_ms(ms);
        struct progress progress;
        char text[REASON_ROOM];
        int r;

        progress_begin(&progress, lively);
        if (!lively)
                say_once(retry_text(retry, (double)ms / 1000, reason, text, sizeof(text)));
        do {
                double left = (double)(int64_t)(end.ns - monotonic_ns()) / 1e9;

                progress_say(&progress, retry_text(retry, left, reason, text, sizeof(text)));
                r = wait_fd(cancel_fd, POLLIN,
                            lively ? deadline_min(end, deadline_in_ms(PROGRESS_INTERVAL_MS)) : end);
        } while (r == -ETIMEDOUT && !deadline_passed(end));
        progress_end(&progress);
        return r == -ETIMEDOUT ? 0 : -ECANCELED;
}

int retry_wait(struct retry *retry, int cancel_fd, bool lively, struct cip_error *error)
{
        /* The nanoseconds of the clock are chance enough. */
        uint32_t chance = (uint32_t)(monotonic_ns() * UINT64_C(0x9E3779B97F4A7C15) >> 32);
        uint64_t ms = retry_wait_ms(&retry_pace, retry->attempt, chance);

        if (wait_and_tell(retry, ms, cancel_fd, lively, error->message) < 0) {
                error_prefix(error, "cancelled before attempt %" PRIu64 " of %" PRIu64, retry->attempt + 1,
                             retry->attempts);
                error->error_class = CIP_ERROR_LOCAL;
                error->errnum = -ECANCELED;
                return -ECANCELED;
        }
        retry->attempt++;
        return 0;
}
