/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: what is taken, what is refused and with which words, and that help and completion are made
 * of the same tables.
 */
#include "base/cleanup.h"
#include "base/testing.h"
#include "client/arguments.h"

#define WORDS_MAX 12

/* Parses the words of @line, which are separated by single blanks. */
static int parse(const char *line, struct arguments *ret, struct cip_error *error)
{
        static char copy[512];
        const char *argv[WORDS_MAX + 2] = {"cip"};
        int argc = 1;
        char *rest = copy, *word;

        snprintf(copy, sizeof(copy), "%s", line);
        while ((word = strsep(&rest, " ")) && argc <= WORDS_MAX)
                argv[argc++] = word;
        return arguments_parse(argc, argv, ret, error);
}

START_TEST(options_stand_anywhere)
{
        static const char *const lines[] = {
                "--json --jobs 3 pull docker://a oci:b",
                "pull docker://a --json oci:b --jobs=3",
                "pull docker://a oci:b -j3 --json",
                "-j 3 pull --json -- docker://a oci:b",
        };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                CLEANUP(cleanup_arguments) struct arguments arguments = {0};

                ck_assert_ok(parse(lines[i], &arguments, NULL));
                ck_assert_int_eq(arguments.action, ACTION_RUN);
                ck_assert_int_eq(arguments.command->id, COMMAND_PULL);
                ck_assert_uint_eq(arguments.n_operands, 2);
                ck_assert_str_eq(arguments.operands[0], "docker://a");
                ck_assert_str_eq(arguments.operands[1], "oci:b");
                ck_assert(arguments.json);
                ck_assert_uint_eq(arguments.jobs, 3);
        }
}
END_TEST

START_TEST(what_is_not_said_has_its_default)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {0};

        ck_assert_ok(parse("inspect a:b", &arguments, NULL));
        ck_assert(arguments.tls_verify);
        ck_assert(!arguments.insecure_policy && !arguments.no_creds && !arguments.debug && !arguments.json);
        ck_assert_uint_eq(arguments.timeout_ms, 120000);
        ck_assert_uint_eq(arguments.stall_timeout_ms, 60000);
        ck_assert_uint_eq(arguments.jobs, JOBS_DEFAULT);
        ck_assert_uint_eq(arguments.retries, 0);
        ck_assert_ptr_null(arguments.authfile);
        ck_assert_ptr_null(arguments.output);
}
END_TEST

START_TEST(further_attempts_are_none_to_many)
{
        static const struct {
                const char *line;
                uint64_t retries;
        } rows[] = {
                {"pull a:b oci:c --retry 0", 0},
                {"pull a:b --retry=3 oci:c", 3},
                {"--retry 100 pull a:b oci:c", RETRIES_MAX},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                CLEANUP(cleanup_arguments) struct arguments arguments = {0};

                ck_assert_ok(parse(rows[i].line, &arguments, NULL));
                ck_assert_uint_eq(arguments.retries, rows[i].retries);
        }
}
END_TEST

START_TEST(the_last_of_two_equal_options_holds)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {0};

        ck_assert_ok(
                parse("inspect a:b --tls-verify=false --tls-verify --policy x --policy=y", &arguments, NULL));
        ck_assert(arguments.tls_verify);
        ck_assert_str_eq(arguments.policy, "y");
}
END_TEST

START_TEST(keys_add_up)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {0};

        ck_assert_ok(parse("--decryption-key a inspect --decryption-key=b x:y", &arguments, NULL));
        ck_assert_uint_eq(arguments.n_decryption_keys, 2);
        ck_assert_str_eq(arguments.decryption_keys[0], "a");
        ck_assert_str_eq(arguments.decryption_keys[1], "b");
}
END_TEST

START_TEST(seconds_may_be_fractions_and_zero_is_for_ever)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {0};

        ck_assert_ok(parse("inspect a:b --timeout 1.5 --stall-timeout 0", &arguments, NULL));
        ck_assert_uint_eq(arguments.timeout_ms, 1500);
        ck_assert_uint_eq(arguments.stall_timeout_ms, 0);
        arguments_clear(&arguments);
        ck_assert_ok(parse("inspect a:b --timeout 0.0001", &arguments, NULL));
        ck_assert_uint_eq(arguments.timeout_ms, 1);
}
END_TEST

START_TEST(the_words_of_a_call_are_left_alone)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {0};

        ck_assert_ok(parse("call --raw GetBlob -1 --json + -- -x", &arguments, NULL));
        ck_assert(arguments.raw);
        ck_assert(!arguments.json);
        ck_assert_uint_eq(arguments.n_operands, 6);
        ck_assert_str_eq(arguments.operands[1], "-1");
        ck_assert_str_eq(arguments.operands[2], "--json");
        ck_assert_str_eq(arguments.operands[5], "-x");
}
END_TEST

START_TEST(help_needs_nothing_else)
{
        CLEANUP(cleanup_arguments) struct arguments arguments = {0};

        ck_assert_ok(parse("--help", &arguments, NULL));
        ck_assert_int_eq(arguments.action, ACTION_HELP);
        ck_assert_ptr_null(arguments.command);
        arguments_clear(&arguments);
        ck_assert_ok(parse("blob -h", &arguments, NULL));
        ck_assert_int_eq(arguments.action, ACTION_HELP);
        ck_assert_int_eq(arguments.command->id, COMMAND_BLOB);
        arguments_clear(&arguments);
        ck_assert_ok(parse("-V", &arguments, NULL));
        ck_assert_int_eq(arguments.action, ACTION_VERSION);
}
END_TEST

START_TEST(a_mistake_is_told_with_what_was_meant)
{
        static const struct {
                const char *line, *words;
        } rows[] = {
                {"--jsn inspect a:b", "there is no option '--jsn'; did you mean '--json'?"},
                {"inspect a:b --authfil=x", "did you mean '--authfile'?"},
                {"inspect a:b --xyzzy", "there is no option '--xyzzy'; `cip --help` names them all"},
                {"inspect a:b -x", "there is no option '-x'"},
                {"inspct a:b", "there is no command 'inspct'; did you mean 'inspect'?"},
                {"frobnicate", "there is no command 'frobnicate'; `cip --help`"},
                {"--json", "a command is missing"},
                {"inspect", "too few arguments: it is `cip inspect REF`"},
                {"blob a:b", "it is `cip blob REF DIGEST`"},
                {"inspect a:b c:d", "too many arguments, 'c:d' is the first"},
                {"inspect a:b --jobs 3", "--jobs is an option of pull, not of inspect"},
                {"pull a:b oci:c -o x", "--output is an option of manifest, config, blob, not of pull"},
                {"pull a:b oci:c --jobs 0", "--jobs wants a number from 1 to 64, not '0'"},
                {"pull a:b oci:c --jobs 65", "not '65'"},
                {"pull a:b oci:c --jobs 3x", "not '3x'"},
                {"pull a:b oci:c --jobs -1", "not '-1'"},
                {"inspect a:b --retry 3", "--retry is an option of pull, not of inspect"},
                {"pull a:b oci:c --retry -1", "--retry wants a number from 0 to 100, not '-1'"},
                {"pull a:b oci:c --retry=101", "not '101'"},
                {"pull a:b oci:c --retry 18446744073709551617", "not '18446744073709551617'"},
                {"pull a:b oci:c --retry often", "not 'often'"},
                {"pull a:b oci:c --retry 1.5", "not '1.5'"},
                {"pull a:b oci:c --retry +1", "not '+1'"},
                {"pull a:b oci:c --retry=", "--retry was given an empty value"},
                {"pull a:b oci:c --retry", "--retry wants a value: --retry N"},
                {"inspect a:b --timeout soon",
                 "--timeout wants seconds, 0 or more, as in --timeout=30, not 'soon'"},
                {"inspect a:b --timeout -1", "not '-1'"},
                {"inspect a:b --timeout nan", "not 'nan'"},
                {"inspect a:b --timeout", "--timeout wants a value: --timeout SECONDS"},
                {"inspect a:b --authfile=", "--authfile was given an empty value"},
                {"inspect a:b --json=yes", "--json takes no value"},
                {"inspect a:b --tls-verify=maybe", "--tls-verify wants true or false"},
                {"inspect a:b --authfile x --no-creds", "only one can be given"},
                {"inspect a:b --auth-stdin --no-creds", "only one can be given"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct arguments arguments;
                struct cip_error error;

                ck_assert_errno(parse(rows[i].line, &arguments, &error), -EINVAL);
                ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
                ck_assert_msg(strstr(error.message, rows[i].words), "'%s' gives: %s", rows[i].line,
                              error.message);
        }
}
END_TEST

START_TEST(secrets_are_not_taken_from_the_command_line)
{
        static const char *const lines[] = {
                "inspect a:b --creds u:secret",
                "inspect a:b --creds=u:secret",
                "inspect a:b --password secret",
                "--registry-token=secret inspect a:b",
        };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                struct arguments arguments;
                struct cip_error error;

                ck_assert_errno(parse(lines[i], &arguments, &error), -EINVAL);
                ck_assert_ptr_nonnull(strstr(error.message, "--auth-stdin"));
                ck_assert_ptr_null(strstr(error.message, "secret"));
        }
}
END_TEST

/* What @print writes. The caller frees. */
static char *printed(void (*print)(FILE *file))
{
        char *text = NULL;
        size_t len;
        FILE *file = open_memstream(&text, &len);

        ck_assert_ptr_nonnull(file);
        print(file);
        fclose(file);
        return text;
}

static void print_help(FILE *file)
{
        arguments_print_help(file, NULL);
}

static void print_completion(FILE *file)
{
        static const char *const lines[][2] = {{"--", NULL}, {"blob", "--"}, {"pull", "--"}, {"call", ""}};

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                arguments_complete(lines[i], lines[i][1] ? 2 : 1, file);
        arguments_complete(NULL, 0, file);
}

START_TEST(help_and_completion_name_every_command_and_option)
{
        CLEANUP(cleanup_free) char *help = printed(print_help);
        CLEANUP(cleanup_free) char *completion = printed(print_completion);
        static const char *const some[] = {"--output",     "--jobs",       "--retry",
                                           "--tls-verify", "--auth-stdin", "--decryption-key"};

        for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
                ck_assert_ptr_nonnull(strstr(help, some[i]));
                ck_assert_ptr_nonnull(strstr(completion, some[i]));
        }
        for (size_t i = 0; i < COMMANDS; i++) {
                ck_assert_ptr_nonnull(strstr(help, commands[i].name));
                ck_assert_ptr_nonnull(strstr(completion, commands[i].name));
                ck_assert_int_eq(commands[i].id, i);
        }
        ck_assert_ptr_nonnull(strstr(completion, "Initialize\t\nOpenImage\t"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("arguments");
        TCase *tcase = testing_case(suite, "arguments");

        tcase_add_test(tcase, options_stand_anywhere);
        tcase_add_test(tcase, what_is_not_said_has_its_default);
        tcase_add_test(tcase, further_attempts_are_none_to_many);
        tcase_add_test(tcase, the_last_of_two_equal_options_holds);
        tcase_add_test(tcase, keys_add_up);
        tcase_add_test(tcase, seconds_may_be_fractions_and_zero_is_for_ever);
        tcase_add_test(tcase, the_words_of_a_call_are_left_alone);
        tcase_add_test(tcase, help_needs_nothing_else);
        tcase_add_test(tcase, a_mistake_is_told_with_what_was_meant);
        tcase_add_test(tcase, secrets_are_not_taken_from_the_command_line);
        tcase_add_test(tcase, help_and_completion_name_every_command_and_option);
        return testing_main(suite);
}
