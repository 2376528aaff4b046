/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of servers' command lines, by profile.
 */
#include "conformance/subject.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "conformance/report.h"

static const char *const command[] = {"skopeo", "--debug", NULL};
static const struct subject skopeo = {.command = command}, bare = {.command = command, .profile = PROFILE_BARE};

/* The command line in one text; @expected_target is the socket's number. */
static void expect(const struct subject *subject, struct server_start start, const char *expected,
                   int expected_target)
{
        int target = -1;
        CLEANUP(cleanup_free) const char **argv = subject_argv(subject, &start, &target);
        CLEANUP(cleanup_free) char *text = shell_quote(argv);

        ck_assert_str_eq(text, expected);
        ck_assert_int_eq(target, expected_target);
}

START_TEST(skopeo_has_the_socket_as_descriptor_0)
{
        expect(&skopeo, (struct server_start){0}, "skopeo --debug experimental-image-proxy", 0);
}
END_TEST

START_TEST(flags_go_before_and_behind_the_subcommand)
{
        expect(&skopeo,
               (struct server_start){
                       .global_flags = (const char *const[]){"--insecure-policy", NULL},
                       .flags = (const char *const[]){"--no-creds", NULL},
                       .sockfd = "7",
                       .socket_target = 7,
               },
               "skopeo --debug --insecure-policy experimental-image-proxy --no-creds --sockfd 7", 7);
}
END_TEST

START_TEST(a_bare_server_is_told_the_sockets_number)
{
        expect(&bare, (struct server_start){0}, "skopeo --debug --sockfd 3", 3);
        expect(&bare, (struct server_start){.sockfd = "9", .socket_target = 9}, "skopeo --debug --sockfd 9", 9);
}
END_TEST

START_TEST(flags_are_beyond_a_bare_server)
{
        struct server_start with_flag = {.flags = (const char *const[]){"--debug", NULL}};

        ck_assert(subject_can_start(&skopeo, &with_flag));
        ck_assert(!subject_can_start(&bare, &with_flag));
        ck_assert(subject_can_start(&bare, &(struct server_start){.sockfd = "3"}));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("subject");
        TCase *cases = testing_case(suite, "subject");

        tcase_add_test(cases, skopeo_has_the_socket_as_descriptor_0);
        tcase_add_test(cases, flags_go_before_and_behind_the_subcommand);
        tcase_add_test(cases, a_bare_server_is_told_the_sockets_number);
        tcase_add_test(cases, flags_are_beyond_a_bare_server);
        return testing_main(suite);
}
