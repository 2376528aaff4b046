/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test file needs: one main function that runs its cases under libcheck, each in a process of
 * its own (unless CK_FORK=no), and finds the descriptors that a case left open.
 */
#ifndef BASE_TESTING_H
#define BASE_TESTING_H

#include <check.h>
#include <errno.h>
#include <string.h>

/* Remembers how many descriptors are open, and wants the same number at the end of the case. */
void testing_fds_setup(void);
void testing_fds_teardown(void);

/* Runs @suite's cases. Returns main's exit status. Prints libcheck's summary. */
int testing_main(Suite *suite);

/* A case of the test file with the descriptor count around it. */
TCase *testing_case(Suite *suite, const char *name);

/*
 * The real servers that a test is to be run on: those of CIP_TEST_SKOPEO, separated by colons, else the skopeo on PATH.
 * Returns how many there are, @max at most; the caller frees each of @ret.
 */
int testing_skopeos(char *ret[], int max);

/* Wants a function that returns 0 or a negative errno to have returned this. Shows errno names. */
#define ck_assert_errno(call, expected)                                                             \
        do {                                                                                        \
                int got_ = (call), want_ = (expected);                                              \
                ck_assert_msg(got_ == want_, "%s returned %d (%s) instead of %d (%s)", #call, got_, \
                              strerrorname_np(got_ < 0 ? -got_ : 0), want_,                         \
                              strerrorname_np(want_ < 0 ? -want_ : 0));                             \
        } while (0)
#define ck_assert_ok(call) ck_assert_errno(call, 0)

#endif
