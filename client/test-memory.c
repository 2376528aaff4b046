/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running out of memory: the 1st, the 2nd, the 3rd .. allocation of a whole session fails, and each time the
 * library says so, leaves nothing behind and never crashes. The allocations of our own code are meant (the
 * linker puts ours in place of malloc and its kin); those inside json-c and libcrypto are theirs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/testing.h"
#include "client/cip.h"
#include "client/test-server.h"

/* How many allocations go well before one fails; negative: all do. */
static long left = -1;
static bool failed;
static pid_t tester;

static bool fails(void)
{
        /* What a child does between fork and exec is not for us: under gcov it allocates. */
        if (left < 0 || getpid() != tester || left-- > 0)
                return false;
        failed = true;
        errno = ENOMEM;
        return true;
}

#define WRAP(type, name, declaration, arguments)                 \
        type __real_##name declaration;                          \
        type __wrap_##name declaration;                          \
        type __wrap_##name declaration                           \
        {                                                        \
                return fails() ? NULL : __real_##name arguments; \
        }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))

int __real_vasprintf(char **ret, const char *format, va_list arguments);
int __wrap_vasprintf(char **ret, const char *format, va_list arguments);
int __wrap_vasprintf(char **ret, const char *format, va_list arguments)
{
        return fails() ? -1 : __real_vasprintf(ret, format, arguments);
}

int __wrap_asprintf(char **ret, const char *format, ...);
int __wrap_asprintf(char **ret, const char *format, ...)
{
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = __wrap_vasprintf(ret, format, arguments);
        va_end(arguments);
        return r;
}

static const struct script scripts[] = {
        {.name = "0.2.3", .version = "0.2.3"},
        {.name = "0.2.6", .version = "0.2.6"},
        {.name = "0.2.8", .version = "0.2.8"},
};

/* This program. */
static char program[4096];

static int set_options(struct cip_options **ret, const char *script)
{
        const char *argv[] = {program, "server", script, NULL};
        int r = cip_options_new(ret);

        if (r == 0)
                r = cip_options_set_command(*ret, argv);
        if (r == 0)
                r = cip_options_set_platform(*ret, "amd64", "linux", "v1");
        if (r == 0)
                r = cip_options_add_credentials(*ret, "quay.io", "me", "secret");
        if (r == 0)
                r = cip_options_add_decryption_key(*ret, "/key");
        return r;
}

static int read_blob(struct cip_image *image, const char *digest, struct cip_error *error)
{
        struct cip_blob *blob = NULL;
        char buffer[256];
        ssize_t n;
        int r = cip_blob_open(image, digest, 12, 0, &blob, error);

        if (r < 0)
                return r;
        do
                n = cip_blob_read(blob, buffer, sizeof(buffer), error);
        while (n > 0);
        cip_blob_close(blob);
        return (int)n;
}

static int use_image(struct cip_session *session, const char *digest, struct cip_error *error)
{
        struct cip_image *image = NULL;
        const struct cip_layer *layers;
        const char *text;
        char *reply = NULL;
        size_t n;
        int r = cip_image_open(session, "ref", &image, error);

        if (r < 0)
                return r;
        r = cip_image_layers(image, &layers, &n, error);
        if (r == 0)
                r = cip_image_manifest(image, &text, &n, NULL, error);
        if (r == 0)
                r = cip_image_config(image, &text, &n, error);
        if (r == 0)
                r = read_blob(image, digest, error);
        if (r == 0)
                r = cip_call(session, "GetFullConfig", "[1]", &reply, NULL, error);
        free(reply);
        if (r < 0)
                cip_image_close(image, NULL);
        else
                r = cip_image_close(image, error);
        return r;
}

/* All that there is, from the first option to the end of the session. */
static int use_library(const char *script, const char *digest, struct cip_error *error)
{
        struct cip_options *options = NULL;
        struct cip_session *session = NULL;
        int r = set_options(&options, script);

        if (r == 0)
                r = cip_session_open(options, &session, error);
        else
                error->errnum = r;
        cip_options_free(options);
        if (r < 0)
                return r;
        r = use_image(session, digest, error);
        if (r < 0)
                cip_session_free(session);
        else
                r = cip_session_close(session, error);
        return r;
}

START_TEST(running_out_of_memory_anywhere_is_an_error)
{
        const char *digest = served("small")->digest;
        long n = readlink("/proc/self/exe", program, sizeof(program) - 1);

        ck_assert_int_gt(n, 0);
        n = 0;
        do {
                struct cip_error error = {0};
                int r;

                failed = false;
                tester = getpid();
                left = n;
                r = use_library(scripts[_i].name, digest, &error);
                left = -1;
                /* Where it was only for a better message, all goes well. */
                ck_assert_msg(r == 0 || (failed && r == -ENOMEM), "%ld: %d %s", n, r, error.message);
                ck_assert_int_eq(r, error.errnum);
                ck_assert(r == 0 || error.error_class != CIP_ERROR_REMOTE);
                test_no_children();
                n++;
        } while (failed);
        ck_assert_int_gt(n, 50);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("client/memory");
        TCase *tcase;

        if (argc > 2 && strcmp(argv[1], "server") == 0)
                return server_main(argc, argv, scripts, ARRAY_SIZE(scripts));
        tcase = testing_case(suite, "memory");
        tcase_add_loop_test(tcase, running_out_of_memory_anywhere_is_an_error, 0, ARRAY_SIZE(scripts));
        return testing_main(suite);
}
