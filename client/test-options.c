/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: which command line each gives, that a secret reaches the server and nobody else, and what cannot be.
 * The server tells on request which arguments, environment, folder and descriptors it was started with.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "client/cip.h"
#include "client/test-server.h"

/* ---- the server ---- */

static void add_text(struct json_object *array, const char *text)
{
        json_object_array_add(array, json_object_new_string(text));
}

/* Methods that no real server has: what it was started with. */
static bool tell(struct server *server, const char *method)
{
        CLEANUP(cleanup_json) struct json_object *array = json_object_new_array();
        CLEANUP(cleanup_free) char *data = NULL;
        char text[4096] = "";
        size_t len;

        if (strcmp(method, "Arguments") == 0) {
                /* The program, "server", SCRIPT are the command. */
                for (int i = 3; i < server->argc; i++)
                        add_text(array, server->argv[i]);
        } else if (strcmp(method, "Auth") == 0) {
                for (int i = 3; i + 1 < server->argc; i++)
                        if (strcmp(server->argv[i], "--authfile") == 0 &&
                            read_file_at(AT_FDCWD, server->argv[i + 1], 65536, &data, &len, NULL) == 0)
                                add_text(array, data);
        } else if (strcmp(method, "Surroundings") == 0) {
                add_text(array, getenv("CIP_TEST") ? getenv("CIP_TEST") : "unset");
                add_text(array, getcwd(text, sizeof(text)));
                snprintf(text, sizeof(text), "%d descriptors", fd_count(0));
                add_text(array, text);
        } else {
                return false;
        }
        server_reply(server, json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN), 0, NULL, 0);
        return true;
}

static const struct script scripts[] = {{.name = "tell", .hook = tell}};

/* ---- helpers ---- */

/* The value of the reply to @method, as compact JSON; the caller frees. Frees @options. */
static char *ask(struct cip_options *options, const char *method)
{
        CLEANUP(cleanup_json) struct json_object *reply = NULL;
        struct json_object *value;
        struct cip_session *session;
        struct cip_error error = {0};
        char *text, *told;
        int r = cip_session_open(options, &session, &error);

        ck_assert_msg(r == 0, "%s", error.message);
        cip_options_free(options);
        ck_assert_ok(cip_call(session, method, NULL, &text, NULL, &error));
        ck_assert_ok(cip_session_close(session, &error));
        reply = json_tokener_parse(text);
        free(text);
        ck_assert(json_object_object_get_ex(reply, "value", &value));
        told = strdup(
                json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        test_no_children();
        return told;
}

static void tells(struct cip_options *options, const char *method, const char *expected)
{
        char *told = ask(options, method);

        ck_assert_str_eq(told, expected);
        free(told);
}

/* ---- the command line ---- */

START_TEST(without_options_there_are_no_flags)
{
        tells(test_options("tell"), "Arguments", "[\"experimental-image-proxy\"]");
}
END_TEST

START_TEST(every_option_has_its_flag)
{
        struct cip_options *options = test_options("tell");

        cip_options_set_insecure_policy(options, true);
        cip_options_set_tls_verify(options, false);
        ck_assert_ok(cip_options_set_policy(options, "/policy.json"));
        ck_assert_ok(cip_options_set_platform(options, "arm64", "linux", "v8"));
        ck_assert_ok(cip_options_set_authfile(options, "/auth.json"));
        ck_assert_ok(cip_options_set_cert_dir(options, "/certs"));
        ck_assert_ok(cip_options_add_decryption_key(options, "/key1"));
        ck_assert_ok(cip_options_add_decryption_key(options, "/key2"));
        tells(options, "Arguments",
              "[\"--insecure-policy\",\"--policy\",\"/policy.json\",\"--override-arch\",\"arm64\","
              "\"--override-os\",\"linux\",\"--override-variant\",\"v8\",\"experimental-image-proxy\","
              "\"--authfile\",\"/auth.json\",\"--cert-dir\",\"/certs\",\"--tls-verify=false\","
              "\"--decryption-key\",\"/key1\",\"--decryption-key\",\"/key2\"]");
        options = test_options("tell");
        cip_options_set_anonymous(options, true);
        cip_options_set_debug(options, true);
        ck_assert_ok(cip_options_set_platform(options, NULL, NULL, "v7"));
        tells(options, "Arguments",
              "[\"--debug\",\"--override-variant\",\"v7\",\"experimental-image-proxy\",\"--no-creds\"]");
}
END_TEST

START_TEST(every_option_can_be_taken_back)
{
        struct cip_options *options = test_options("tell");

        ck_assert_ok(cip_options_set_policy(options, "/policy.json"));
        ck_assert_ok(cip_options_set_policy(options, NULL));
        ck_assert_ok(cip_options_set_platform(options, "arm64", "linux", "v8"));
        ck_assert_ok(cip_options_set_platform(options, NULL, NULL, NULL));
        ck_assert_ok(cip_options_set_authfile(options, "/auth.json"));
        ck_assert_ok(cip_options_set_authfile(options, NULL));
        ck_assert_ok(cip_options_set_auth_data(options, "{}", 2));
        ck_assert_ok(cip_options_set_auth_data(options, NULL, 0));
        ck_assert_ok(cip_options_add_credentials(options, "quay.io", "me", "secret"));
        ck_assert_ok(cip_options_add_credentials(options, NULL, NULL, NULL));
        ck_assert_ok(cip_options_set_cert_dir(options, "/certs"));
        ck_assert_ok(cip_options_set_cert_dir(options, NULL));
        ck_assert_ok(cip_options_add_decryption_key(options, "/key1"));
        ck_assert_ok(cip_options_add_decryption_key(options, NULL));
        ck_assert_ok(cip_options_set_user_agent_prefix(options, "x"));
        ck_assert_ok(cip_options_set_user_agent_prefix(options, NULL));
        ck_assert_ok(cip_options_set_cancel_fd(options, 0));
        ck_assert_ok(cip_options_set_cancel_fd(options, -1));
        ck_assert_ok(cip_options_set_transcript_fd(options, 2));
        ck_assert_ok(cip_options_set_transcript_fd(options, -1));
        tells(options, "Arguments", "[\"experimental-image-proxy\"]");
}
END_TEST

START_TEST(a_command_line_is_split_at_blanks)
{
        struct cip_options *options = test_options("tell");
        char path[4096];
        char line[8192];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        ck_assert_int_gt(n, 0);
        path[n] = '\0';
        snprintf(line, sizeof(line), " \t%s  server\ttell  one two ", path);
        ck_assert_ok(cip_options_set_command_line(options, line));
        tells(options, "Arguments", "[\"one\",\"two\",\"experimental-image-proxy\"]");
}
END_TEST

START_TEST(environment_and_folder_are_the_callers_choice)
{
        static const char *const environment[] = {"CIP_TEST=here", "PATH=/usr/bin:/bin", NULL};
        struct cip_options *options = test_options("tell");

        ck_assert_ok(cip_options_set_environment(options, environment));
        ck_assert_ok(cip_options_set_directory(options, "/usr"));
        /* 0 to 2 are all that it has of this process's descriptors. */
        tells(options, "Surroundings", "[\"here\",\"/usr\",\"3 descriptors\"]");
}
END_TEST

/* ---- secrets ---- */

START_TEST(auth_data_goes_by_a_descriptor)
{
        struct cip_options *options = test_options("tell");
        char data[] = "{\"auths\":{}}";

        ck_assert_ok(cip_options_set_auth_data(options, data, strlen(data)));
        memset(data, 'x', sizeof(data) - 1);
        tells(options, "Auth", "[\"{\\\"auths\\\":{}}\"]");
        options = test_options("tell");
        ck_assert_ok(cip_options_set_auth_data(options, "{}", 2));
        tells(options, "Arguments", "[\"experimental-image-proxy\",\"--authfile\",\"/proc/self/fd/100\"]");
}
END_TEST

START_TEST(credentials_go_by_a_descriptor)
{
        struct cip_options *options = test_options("tell");

        ck_assert_ok(cip_options_add_credentials(options, "quay.io", "me", "old"));
        ck_assert_ok(cip_options_add_credentials(options, "localhost:5000/ns", "you", "p:w\"\\"));
        ck_assert_ok(cip_options_add_credentials(options, "quay.io", "me", "secret"));
        /* base64 of me:secret and of you:p:w"\ */
        tells(options, "Auth",
              "[\"{\\\"auths\\\":{\\\"quay.io\\\":{\\\"auth\\\":\\\"bWU6c2VjcmV0\\\"},"
              "\\\"localhost:5000/ns\\\":{\\\"auth\\\":\\\"eW91OnA6dyJc\\\"}}}\\n\"]");
        options = test_options("tell");
        ck_assert_ok(cip_options_add_credentials(options, "quay.io", "me", "secret"));
        tells(options, "Arguments", "[\"experimental-image-proxy\",\"--authfile\",\"/proc/self/fd/100\"]");
}
END_TEST

START_TEST(two_ways_to_log_in_are_refused)
{
        for (int i = 0; i < 4; i++) {
                struct cip_options *options = test_options("tell");
                struct cip_session *session;
                struct cip_error error = {0};

                if (i != 0)
                        ck_assert_ok(cip_options_set_authfile(options, "/auth.json"));
                if (i != 1)
                        ck_assert_ok(cip_options_set_auth_data(options, "", 0));
                if (i != 2)
                        cip_options_set_anonymous(options, true);
                if (i != 3)
                        ck_assert_ok(cip_options_add_credentials(options, "quay.io", "me", "secret"));
                ck_assert_errno(cip_session_open(options, &session, &error), -EINVAL);
                ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
                ck_assert_ptr_nonnull(strstr(error.message, "only one of"));
                cip_options_free(options);
        }
}
END_TEST

/* ---- the user agent's prefix, which not every skopeo knows ---- */

static struct cip_options *prefix_options(const char *folder, const char *help)
{
        struct cip_options *options = test_options("tell");
        char path[4096], script[16384];
        const char *argv[] = {script, NULL};
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        FILE *file;

        path[n] = '\0';
        snprintf(script, sizeof(script), "%s/skopeo", folder);
        file = fopen(script, "we");
        ck_assert_ptr_nonnull(file);
        fprintf(file,
                "#!/bin/sh\nif [ \"$1\" = --help ]; then echo '%s'; exit 1; fi\nexec '%s' server tell \"$@\"\n",
                help, path);
        ck_assert_int_eq(fchmod(fileno(file), 0700), 0);
        fclose(file);
        ck_assert_ok(cip_options_set_command(options, argv));
        ck_assert_ok(cip_options_set_user_agent_prefix(options, "bootc/1.0"));
        return options;
}

START_TEST(the_user_agent_prefix_is_used_where_it_is_known)
{
        char folder[] = "/tmp/test-options-XXXXXX";
        char path[64];

        ck_assert_ptr_nonnull(mkdtemp(folder));
        tells(prefix_options(folder, "      --user-agent-prefix string   prefix"), "Arguments",
              "[\"--user-agent-prefix\",\"bootc/1.0\",\"experimental-image-proxy\"]");
        tells(prefix_options(folder, "      --policy string"), "Arguments", "[\"experimental-image-proxy\"]");
        snprintf(path, sizeof(path), "%s/skopeo", folder);
        unlink(path);
        rmdir(folder);
}
END_TEST

START_TEST(a_help_that_never_ends_does_not_hold_up_for_ever)
{
        static const char *const silent[] = {"sh", "-c", "exec sleep 1000", NULL};
        static const char *const endless[] = {"sh", "-c", "[ \"$0\" = --help ] && exec yes", NULL};
        struct cip_options *options = test_options("tell");
        int event = eventfd(1, EFD_CLOEXEC);
        struct cip_session *session;
        struct cip_error error = {0};

        ck_assert_ok(cip_options_set_command(options, silent));
        ck_assert_ok(cip_options_set_user_agent_prefix(options, "x"));
        cip_options_set_request_timeout(options, 100);
        ck_assert_errno(cip_session_open(options, &session, &error), -ETIMEDOUT);
        ck_assert_ptr_nonnull(strstr(error.message, "--help"));
        cip_options_set_request_timeout(options, 0);
        ck_assert_ok(cip_options_set_command(options, endless));
        ck_assert_errno(cip_session_open(options, &session, &error), -ECONNRESET);
        ck_assert_ok(cip_options_set_cancel_fd(options, event));
        ck_assert_ok(cip_options_set_command(options, silent));
        ck_assert_errno(cip_session_open(options, &session, &error), -ECANCELED);
        close(event);
        cip_options_free(options);
        test_no_children();
}
END_TEST

/* ---- what cannot be ---- */

START_TEST(what_cannot_be_is_refused)
{
        static const char *const nothing[] = {NULL};
        static const char *const empty[] = {"", NULL};
        static const char *const no_variable[] = {"NAME", NULL};
        struct cip_options *options = test_options("tell");

        ck_assert_errno(cip_options_set_command(options, nothing), -EINVAL);
        ck_assert_errno(cip_options_set_command(options, empty), -EINVAL);
        ck_assert_errno(cip_options_set_command_line(options, " "), -EINVAL);
        ck_assert_errno(cip_options_set_environment(options, no_variable), -EINVAL);
        ck_assert_errno(cip_options_set_authfile(options, ""), -EINVAL);
        ck_assert_errno(cip_options_set_platform(options, "arm64", "", NULL), -EINVAL);
        ck_assert_errno(cip_options_add_decryption_key(options, ""), -EINVAL);
        ck_assert_errno(cip_options_add_credentials(options, "", "me", "x"), -EINVAL);
        ck_assert_errno(cip_options_add_credentials(options, "quay\"io", "me", "x"), -EINVAL);
        ck_assert_errno(cip_options_add_credentials(options, "quay.io", "m:e", "x"), -EINVAL);
        ck_assert_errno(cip_options_add_credentials(options, "quay.io", "me", NULL), -EINVAL);
        ck_assert_errno(cip_options_set_cancel_fd(options, 12345), -EBADF);
        /* And nothing has changed by it. */
        tells(options, "Arguments", "[\"experimental-image-proxy\"]");
        cip_options_free(NULL);
        ck_assert_str_eq(cip_version(), CIP_VERSION);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("client/options");
        TCase *tcase;

        if (argc > 2 && strcmp(argv[1], "server") == 0)
                return server_main(argc, argv, scripts, ARRAY_SIZE(scripts));
        tcase = testing_case(suite, "command line");
        tcase_add_test(tcase, without_options_there_are_no_flags);
        tcase_add_test(tcase, every_option_has_its_flag);
        tcase_add_test(tcase, every_option_can_be_taken_back);
        tcase_add_test(tcase, a_command_line_is_split_at_blanks);
        tcase_add_test(tcase, environment_and_folder_are_the_callers_choice);
        tcase = testing_case(suite, "secrets");
        tcase_add_test(tcase, auth_data_goes_by_a_descriptor);
        tcase_add_test(tcase, credentials_go_by_a_descriptor);
        tcase_add_test(tcase, two_ways_to_log_in_are_refused);
        tcase = testing_case(suite, "user agent");
        tcase_add_test(tcase, the_user_agent_prefix_is_used_where_it_is_known);
        tcase_add_test(tcase, a_help_that_never_ends_does_not_hold_up_for_ever);
        tcase = testing_case(suite, "wrong");
        tcase_add_test(tcase, what_cannot_be_is_refused);
        return testing_main(suite);
}
