/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the command line: what clients say is taken, what skopeo refuses is refused in its words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fakeproxy/options.h"

/* Parses a command line of words with blanks between them; "" within is written ''. */
static int parse(const char *line, struct options *options, struct cip_error *error)
{
        static char text[1024];
        char *argv[40] = {0};
        char *state = NULL;
        int argc = 0;

        *error = (struct cip_error){0};
        snprintf(text, sizeof(text), "%s", line);
        for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
                argv[argc++] = strcmp(word, "''") ? word : word + 2;
        return options_read(argc, argv, options, error);
}

START_TEST(test_what_clients_say_is_taken)
{
        static const char *const lines[] = {
                "skopeo experimental-image-proxy",
                "skopeo experimental-image-proxy --sockfd 3",
                "skopeo --debug --insecure-policy --policy /p experimental-image-proxy --debug --sockfd=3",
                "skopeo --override-arch arm64 experimental-image-proxy --override-os linux",
                "skopeo --user-agent-prefix x/1 experimental-image-proxy",
                "skopeo experimental-image-proxy --authfile /proc/self/fd/100 --no-creds --cert-dir /c",
                "skopeo experimental-image-proxy --creds a:b --tls-verify=false --registry-token t",
                "skopeo experimental-image-proxy --username a --password b --override-os=linux",
                "skopeo experimental-image-proxy --decryption-key a --decryption-key b --shared-blob-dir /s",
                "skopeo --command-timeout 30m --tmpdir /t --registries.d /r experimental-image-proxy",
                "skopeo --emulate 0.2.3 experimental-image-proxy --seed 7",
        };
        struct options options;
        struct cip_error error;

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                ck_assert_msg(parse(lines[i], &options, &error) == 0, "%s: %s", lines[i], error.message);
                ck_assert_int_eq(options.action, ACTION_SERVE);
        }
}
END_TEST

START_TEST(test_values_arrive)
{
        struct options options;
        struct cip_error error;

        ck_assert_ok(parse("/usr/bin/skopeo --policy /p --override-arch=arm64 experimental-image-proxy "
                           "--sockfd 0x3 --creds '' --no-creds",
                           &options, &error));
        ck_assert(!options.own_name && options.has_creds && options.no_creds && !options.insecure_policy);
        ck_assert_str_eq(options.policy, "/p");
        ck_assert_str_eq(options.override_arch, "arm64");
        ck_assert_str_eq(options.creds, "");
        ck_assert_int_eq(options.sockfd, 3);
}
END_TEST

START_TEST(test_what_skopeo_refuses_is_refused_in_its_words)
{
        static const char *const cases[][2] = {
                {"skopeo", "Missing command 'skopeo COMMAND'"},
                {"skopeo nonsense", "Unrecognized command `skopeo nonsense`"},
                {"skopeo quirks", "Unrecognized command `skopeo quirks`"},
                {"skopeo --nonsense experimental-image-proxy", "unknown flag: --nonsense"},
                {"skopeo experimental-image-proxy --nonsense=3", "unknown flag: --nonsense"},
                {"skopeo --sockfd 3 experimental-image-proxy", "unknown flag: --sockfd"},
                {"skopeo experimental-image-proxy --version", "unknown flag: --version"},
                {"skopeo experimental-image-proxy -x", "unknown shorthand flag: 'x' in -x"},
                {"skopeo experimental-image-proxy --sockfd", "flag needs an argument: --sockfd"},
                {"skopeo experimental-image-proxy --sockfd=x",
                 "invalid argument \"x\" for \"--sockfd\" flag: strconv.ParseInt: parsing \"x\": invalid "
                 "syntax"},
                {"skopeo experimental-image-proxy --tls-verify=maybe",
                 "invalid argument \"maybe\" for \"--tls-verify\" flag: strconv.ParseBool: parsing \"maybe\": "
                 "invalid "
                 "syntax"},
                {"skopeo experimental-image-proxy -h=maybe",
                 "invalid argument \"maybe\" for \"-h, --help\" flag: strconv.ParseBool: parsing \"maybe\": "
                 "invalid "
                 "syntax"},
                {"skopeo experimental-image-proxy extra words", "accepts 0 arg(s), received 2"},
                {"skopeo experimental-image-proxy -- x", "accepts 0 arg(s), received 1"},
                {"skopeo experimental-image-proxy --=x", "bad flag syntax: --=x"},
                {"skopeo --emulate 1.22.0 experimental-image-proxy --decryption-key k",
                 "unknown flag: --decryption-key"},
                {"skopeo --emulate 0.2.6 --user-agent-prefix x experimental-image-proxy",
                 "unknown flag: --user-agent-prefix"},
        };
        struct options options;
        struct cip_error error;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_errno(parse(cases[i][0], &options, &error), -EPERM);
                ck_assert_str_eq(error.message, cases[i][1]);
        }
}
END_TEST

START_TEST(test_wrong_settings_of_our_own_get_a_hint)
{
        static const char *const cases[][2] = {
                {"skopeo --emulate 0.3.0 experimental-image-proxy", "did you mean 0.2."},
                {"skopeo --emulate=nonsense experimental-image-proxy", "cannot emulate \"nonsense\""},
                {"skopeo experimental-image-proxy --seed x",
                 "--seed \"x\": expected an integer of 0 to 2^53-1"},
                {"skopeo --seed=-1 --help", "expected an integer"},
        };
        struct options options;
        struct cip_error error;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_errno(parse(cases[i][0], &options, &error), -EINVAL);
                ck_assert_msg(strstr(error.message, cases[i][1]) != NULL, "%s", error.message);
        }
}
END_TEST

START_TEST(test_environment_gives_way_to_flags)
{
        struct options options;
        struct cip_error error;

        setenv("CIP_FAKEPROXY_EMULATE", "0.2.4", 1);
        setenv("CIP_FAKEPROXY_SEED", "8", 1);
        ck_assert_ok(parse("skopeo experimental-image-proxy", &options, &error));
        ck_assert_uint_eq(options.emulation.protocol.patch, 4);
        ck_assert_uint_eq(options.seed, 8);
        ck_assert_ok(parse("skopeo --emulate 0.2.5 --seed 9 experimental-image-proxy", &options, &error));
        ck_assert_uint_eq(options.emulation.protocol.patch, 5);
        ck_assert_uint_eq(options.seed, 9);
        setenv("CIP_FAKEPROXY_EMULATE", "", 1);
        setenv("CIP_FAKEPROXY_SEED", "", 1);
        ck_assert_ok(parse("skopeo experimental-image-proxy", &options, &error));
        ck_assert_uint_eq(options.emulation.protocol.patch, 8);
        ck_assert_uint_eq(options.seed, 1);
        unsetenv("CIP_FAKEPROXY_EMULATE");
        unsetenv("CIP_FAKEPROXY_SEED");
}
END_TEST

START_TEST(test_help_and_version_come_before_all_else)
{
        static const struct {
                const char *line;
                enum options_action action;
        } cases[] = {
                {"skopeo --help", ACTION_HELP},
                {"skopeo -h", ACTION_HELP},
                {"skopeo help", ACTION_HELP},
                {"skopeo --version", ACTION_VERSION},
                {"skopeo -v", ACTION_VERSION},
                {"skopeo --version=false --version", ACTION_VERSION},
                {"skopeo experimental-image-proxy --help", ACTION_PROXY_HELP},
                {"skopeo experimental-image-proxy x -h", ACTION_PROXY_HELP},
                {"cip-fakeproxy quirks", ACTION_QUIRKS},
        };
        struct options options;
        struct cip_error error;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_msg(parse(cases[i].line, &options, &error) == 0, "%s: %s", cases[i].line,
                              error.message);
                ck_assert_int_eq(options.action, cases[i].action);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("options");
        TCase *tcase = testing_case(suite, "options");

        unsetenv("CIP_FAKEPROXY_EMULATE");
        unsetenv("CIP_FAKEPROXY_SEED");
        tcase_add_test(tcase, test_what_clients_say_is_taken);
        tcase_add_test(tcase, test_values_arrive);
        tcase_add_test(tcase, test_what_skopeo_refuses_is_refused_in_its_words);
        tcase_add_test(tcase, test_wrong_settings_of_our_own_get_a_hint);
        tcase_add_test(tcase, test_environment_gives_way_to_flags);
        tcase_add_test(tcase, test_help_and_version_come_before_all_else);
        return testing_main(suite);
}
