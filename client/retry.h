/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attempts of a pull: which failure leads to another one, how long is waited before it, and what is said
 * meanwhile.
 */
#ifndef CLIENT_RETRY_H
#define CLIENT_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cip.h"

/*
 * How long is waited before the second attempt at most, in milliseconds; before each further one twice as long,
 * up to most_ms.
 */
struct retry_pace {
        uint64_t first_ms, most_ms;
};

/* That of this program. */
extern const struct retry_pace retry_pace;

struct retry {
        uint64_t attempts; /* that may be made in all, 1 or more */
        uint64_t attempt;  /* the one under way, from 1 */
        uint64_t wrong;    /* the first one in which data came wrong; 0: none */
};

/*
 * Whether another attempt may follow one in which this went wrong. What may be tried again once
 * (cip_error_retry) has one attempt to go wrong in, however many layers it concerns there.
 */
bool retry_takes(struct retry *retry, const struct cip_error *error);

/*
 * How long to wait after attempt @attempt, by @chance, of which every value is as good: between half of what
 * @pace allows and all of it, so that many clients of one registry do not come back all at the same moment.
 */
uint64_t retry_wait_ms(const struct retry_pace *pace, uint64_t attempt, uint32_t chance);

/* "attempt 2 of 4 in 1.7 s: REASON". @ret of @size bytes. Returns @ret. */
const char *retry_text(const struct retry *retry, double seconds, const char *reason, char *ret, size_t size);

/*
 * Says on stderr that another attempt comes and why, as a line that counts down where @lively, and waits.
 * Returns 0 with the next attempt under way; or -ECANCELED, as soon as @cancel_fd is readable, with @error,
 * which holds the reason, changed to say so.
 */
int retry_wait(struct retry *retry, int cancel_fd, bool lively, struct cip_error *error);

#endif
