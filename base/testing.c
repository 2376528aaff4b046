/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit tests' main function and the count of descriptors around each case.
 */
#include "base/testing.h"

#include <signal.h>
#include <stdlib.h>

#include "base/fd.h"

static int fds_before;

void testing_fds_setup(void)
{
        fds_before = fd_count(0);
        ck_assert_int_gt(fds_before, 0);
}

void testing_fds_teardown(void)
{
        ck_assert_int_eq(fd_count(0), fds_before);
}

TCase *testing_case(Suite *suite, const char *name)
{
        TCase *tcase = tcase_create(name);

        /* There to end a hang, on a machine that is much slower too. */
        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, testing_fds_setup, testing_fds_teardown);
        suite_add_tcase(suite, tcase);
        return tcase;
}

int testing_main(Suite *suite)
{
        SRunner *runner = srunner_create(suite);
        int failed;

        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int testing_skopeos(char *ret[], int max)
{
        const char *list = getenv("CIP_TEST_SKOPEO");
        char *copy, *state;
        int n = 0;

        if (!list && system("command -v skopeo >/dev/null 2>&1") == 0)
                list = "skopeo";
        copy = strdup(list ? list : "");
        for (char *word = strtok_r(copy, ":", &state); word && n < max; word = strtok_r(NULL, ":", &state))
                ret[n++] = strdup(word);
        free(copy);
        return n;
}
