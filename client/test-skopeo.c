/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library against the real skopeo: every fixture, every method, with each command of CIP_TEST_SKOPEO
 * (separated by colons), else the skopeo on PATH. Without one the tests say so and are skipped (status 77).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/testing.h"
#include "base/tmpdir.h"
#include "client/cip.h"
#include "image/digest.h"
#include "image/fixture.h"
#include "image/manifest.h"
#include "protocol/version.h"

#define COMMANDS_MAX 8

static char *commands[COMMANDS_MAX];
static int n_commands;

/* ---- helpers ---- */

#define ck_assert_works(call, error)                                                     \
        do {                                                                             \
                int works_ = (call);                                                     \
                ck_assert_msg(works_ == 0, "%s: %d %s", #call, works_, (error).message); \
        } while (0)

static struct cip_session *open_session(int i)
{
        struct cip_options *options;
        struct cip_session *session;
        struct cip_error error = {0};

        ck_assert_ok(cip_options_new(&options));
        ck_assert_ok(cip_options_set_command_line(options, commands[i]));
        cip_options_set_insecure_policy(options, true);
        ck_assert_ok(cip_options_set_platform(options, "amd64", "linux", NULL));
        ck_assert_works(cip_session_open(options, &session, &error), error);
        cip_options_free(options);
        return session;
}

static bool is_since(const struct cip_session *session, unsigned patch)
{
        struct version version;

        ck_assert_ok(version_parse(cip_session_version(session), &version));
        return version_compare(version, VERSION(0, 2, patch)) >= 0;
}

static char *write_fixture(const char *folder, const struct fixture *fixture)
{
        char *path, *reference;
        struct cip_error error = {0};

        ck_assert_int_gt(asprintf(&path, "%s/%s", folder, fixture->name), 0);
        ck_assert_works(fixture_write_oci(fixture, path, fixture->docker ? NULL : "tag", &error), error);
        ck_assert_int_gt(asprintf(&reference, "oci:%s%s", path, fixture->docker ? "" : ":tag"), 0);
        free(path);
        return reference;
}

static bool matches(const char *data, size_t len, const char *digest)
{
        enum digest_algorithm algorithm;
        char found[DIGEST_TEXT_SIZE];

        ck_assert(digest_parse(digest, &algorithm));
        ck_assert_ok(digest_of(algorithm, data, len, found));
        return strcmp(found, digest) == 0;
}

static int drop(void *data, const void *bytes, size_t n)
{
        (void)bytes;
        *(uint64_t *)data += n;
        return 0;
}

static int fetch_blob(struct cip_image *image, const char *digest, int64_t size, unsigned flags,
                      struct cip_error *error)
{
        struct cip_blob *blob;
        uint64_t bytes = 0;
        int r = cip_blob_open(image, digest, size, flags, &blob, error);

        if (r < 0)
                return r;
        r = cip_blob_to_callback(blob, drop, &bytes, error);
        if (r == 0 && size >= 0)
                ck_assert_int_eq(bytes, size);
        cip_blob_close(blob);
        return r;
}

/* Everything that the library can fetch of an image, as an errno. */
static int fetch_all(struct cip_session *session, const struct fixture *fixture, const char *reference,
                     struct cip_error *error)
{
        struct cip_image *image = NULL;
        struct manifest *manifest = NULL;
        const struct cip_layer *layers;
        const char *text, *digest;
        size_t len, n;
        int r = cip_image_open(session, reference, &image, error);

        if (r == 0)
                r = cip_image_manifest(image, &text, &len, &digest, error);
        if (r == 0) {
                ck_assert(matches(text, len, digest) == cip_image_manifest_verified(image));
                ck_assert(cip_image_manifest_verified(image) || fixture->docker);
                r = manifest_parse(text, len, &manifest, error);
        }
        if (r == 0)
                r = cip_image_config(image, &text, &len, error);
        if (r == 0)
                ck_assert(matches(text, len, manifest->config.digest));
        if (r == 0)
                r = cip_image_layers(image, &layers, &n, error);
        if (r == 0)
                ck_assert_int_eq(n, manifest->n_entries);
        for (size_t i = 0; r == 0 && i < n; i++) {
                ck_assert_str_eq(layers[i].digest, manifest->entries[i].digest);
                /* Of many layers a few will do. */
                if (i < 3 || i + 3 > n)
                        r = fetch_blob(image, layers[i].digest, layers[i].size, 0, error);
                if (r == 0 && i == 0)
                        r = fetch_blob(image, layers[i].digest, -1, 0, error);
                if (r == 0 && i == 0)
                        r = fetch_blob(image, layers[i].digest, layers[i].size, CIP_BLOB_SERVER_VERIFIED,
                                       error);
                if (r == 0 && i == 0)
                        r = fetch_blob(image, layers[i].digest, layers[i].size, CIP_BLOB_UNVERIFIED, error);
        }
        manifest_free(manifest);
        if (cip_image_close(image, r == 0 ? error : NULL) < 0 && r == 0)
                r = -EIO;
        return r;
}

/* ---- tests, each for one of the commands ---- */

START_TEST(every_good_fixture_comes_whole)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        struct cip_session *session = open_session(_i);
        struct cip_error error = {0};

        ck_assert_works(tmpdir_new("cip-test", &folder, &error), error);
        for (size_t i = 0; i < n_fixtures; i++) {
                char *reference;
                int r;

                if (!fixtures[i].good)
                        continue;
                reference = write_fixture(folder, &fixtures[i]);
                r = fetch_all(session, &fixtures[i], reference, &error);
                ck_assert_msg(r == 0, "%s: %s: %s", commands[_i], fixtures[i].name, error.message);
                free(reference);
                /* The session, and all before, are worth as much as they were. */
        }
        ck_assert_works(cip_session_close(session, &error), error);
}
END_TEST

START_TEST(every_broken_fixture_is_refused_and_the_session_goes_on)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        struct cip_session *session = open_session(_i);
        struct cip_error error = {0};

        ck_assert_works(tmpdir_new("cip-test", &folder, &error), error);
        for (size_t i = 0; i < n_fixtures; i++) {
                char *reference;
                int r;

                if (fixtures[i].good)
                        continue;
                reference = write_fixture(folder, &fixtures[i]);
                r = fetch_all(session, &fixtures[i], reference, &error);
                ck_assert_msg(r == -EREMOTEIO || r == -EBADMSG, "%s: %s: %d %s", commands[_i], fixtures[i].name,
                              r, error.message);
                free(reference);
        }
        ck_assert_works(cip_session_close(session, &error), error);
}
END_TEST

START_TEST(a_missing_image_is_told_from_others)
{
        struct cip_session *session = open_session(_i);
        struct cip_image *image = NULL;
        struct cip_error error = {0};
        int r;

        ck_assert_errno(cip_image_open(session, "oci:/nowhere/at/all:tag", &image, &error), -EREMOTEIO);
        ck_assert_int_eq(error.error_class, CIP_ERROR_REMOTE);
        ck_assert_int_eq(error.code, is_since(session, 8) ? CIP_CODE_OTHER : CIP_CODE_NONE);
        ck_assert_errno(cip_image_open(session, "nonsense", &image, &error), -EREMOTEIO);
        r = cip_image_open_optional(session, "dir:/nowhere/at/all", &image, &error);
        if (!is_since(session, 4))
                ck_assert_errno(r, -ENOTSUP);
        else
                ck_assert(r == -EREMOTEIO || (r == 0 && !image));
        ck_assert_works(cip_session_close(session, &error), error);
}
END_TEST

START_TEST(several_blobs_come_at_once_and_some_are_left)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        struct cip_session *session = open_session(_i);
        struct cip_blob *blobs[4];
        const struct cip_layer *layers;
        struct cip_image *image;
        struct cip_error error = {0};
        char *reference, *chunk = malloc(65536);
        size_t n, left = ARRAY_SIZE(blobs);

        ck_assert_works(tmpdir_new("cip-test", &folder, &error), error);
        reference = write_fixture(folder, fixture_find("layers-300"));
        ck_assert_works(cip_image_open(session, reference, &image, &error), error);
        ck_assert_works(cip_image_layers(image, &layers, &n, &error), error);
        ck_assert_int_ge(n, 8);
        for (size_t i = 0; i < left; i++)
                ck_assert_works(cip_blob_open(image, layers[i].digest, layers[i].size, CIP_BLOB_NONBLOCK,
                                              &blobs[i], &error),
                                error);
        while (left > 0) {
                ck_assert_int_eq(cip_blobs_wait(blobs, left, -1, &error), 1);
                for (size_t i = 0; i < left; i++) {
                        ssize_t got = cip_blob_read(blobs[i], chunk, 65536, &error);

                        ck_assert_msg(got >= 0 || got == -EAGAIN, "%s", error.message);
                        if (got == 0) {
                                cip_blob_close(blobs[i]);
                                blobs[i--] = blobs[--left];
                        }
                }
        }
        for (size_t i = 4; i < 8; i++) {
                ck_assert_works(cip_blob_open(image, layers[i].digest, layers[i].size, CIP_BLOB_NONBLOCK, blobs,
                                              &error),
                                error);
                cip_blob_close(blobs[0]);
        }
        ck_assert_works(cip_image_close(image, &error), error);
        ck_assert_works(cip_session_close(session, &error), error);
        free(reference);
        free(chunk);
}
END_TEST

START_TEST(a_panic_of_skopeo_is_told)
{
        struct cip_session *session = open_session(_i);
        struct cip_error error = {0};

        /* A known defect of all releases until now. One that has it no longer answers with an error. */
        int r = cip_call(session, "FinishPipe", "[]", NULL, NULL, &error);

        if (r != -EREMOTEIO) {
                ck_assert_errno(r, -ECONNRESET);
                ck_assert_ptr_nonnull(strstr(error.message, "exited with status 2: panic: "));
        }
        cip_session_free(session);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("client/skopeo");
        TCase *tcase;
        int status;

        n_commands = testing_skopeos(commands, COMMANDS_MAX);
        if (n_commands == 0) {
                puts("skipped: no skopeo on PATH, and CIP_TEST_SKOPEO is not set");
                return 77;
        }
        tcase = testing_case(suite, "skopeo");
        tcase_add_loop_test(tcase, every_good_fixture_comes_whole, 0, n_commands);
        tcase_add_loop_test(tcase, every_broken_fixture_is_refused_and_the_session_goes_on, 0, n_commands);
        tcase_add_loop_test(tcase, a_missing_image_is_told_from_others, 0, n_commands);
        tcase_add_loop_test(tcase, several_blobs_come_at_once_and_some_are_left, 0, n_commands);
        tcase_add_loop_test(tcase, a_panic_of_skopeo_is_told, 0, n_commands);
        status = testing_main(suite);
        for (int i = 0; i < n_commands; i++)
                free(commands[i]);
        return status;
}
