/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of deadlines: what counts as never, as passed, and what a wait returns.
 */
#include "base/deadline.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/testing.h"

START_TEST(never_and_passed)
{
        struct deadline far = deadline_in_ms(1000000);

        ck_assert(!deadline_passed(DEADLINE_NEVER));
        ck_assert_int_eq(deadline_poll_ms(DEADLINE_NEVER), -1);
        ck_assert(deadline_passed(deadline_in_ms(0)));
        ck_assert_int_eq(deadline_poll_ms(deadline_in_ms(0)), 0);
        ck_assert(!deadline_passed(far));
        ck_assert_int_gt(deadline_poll_ms(far), 0);
        ck_assert_uint_eq(deadline_min(far, DEADLINE_NEVER).ns, far.ns);
        ck_assert_uint_eq(deadline_in_ms(UINT64_MAX).ns, UINT64_MAX);
        ck_assert_uint_eq(deadline_in_seconds(0).ns, UINT64_MAX);
        ck_assert_uint_eq(deadline_in_seconds(-1).ns, UINT64_MAX);
        ck_assert_uint_eq(deadline_in_seconds(NAN).ns, UINT64_MAX);
        ck_assert_uint_eq(deadline_in_seconds(1e300).ns, UINT64_MAX);
        ck_assert(!deadline_passed(deadline_in_seconds(1000.5)));
        ck_assert_int_gt(deadline_poll_ms(deadline_in_seconds(1e9)), 1000000);
}
END_TEST

START_TEST(wait_returns_events_timeout_or_error)
{
        int ends[2];

        ck_assert_ok(pipe2(ends, O_CLOEXEC));
        ck_assert_errno(wait_fd(ends[0], POLLIN, deadline_in_ms(20)), -ETIMEDOUT);
        ck_assert_int_eq(wait_fd(ends[1], POLLOUT, DEADLINE_NEVER), POLLOUT);
        ck_assert_int_eq(write(ends[1], "x", 1), 1);
        /* What is there is found, though the deadline has passed. */
        ck_assert_int_eq(wait_fd(ends[0], POLLIN, deadline_in_ms(0)), POLLIN);
        fd_close(ends[1]);
        ck_assert(wait_fd(ends[0], POLLIN, DEADLINE_NEVER) & POLLHUP);
        fd_close(ends[0]);
        ck_assert_errno(wait_fd(ends[0], POLLIN, DEADLINE_NEVER), -EBADF);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("deadline");
        TCase *tcase = testing_case(suite, "deadline");

        tcase_add_test(tcase, never_and_passed);
        tcase_add_test(tcase, wait_returns_events_timeout_or_error);
        return testing_main(suite);
}
