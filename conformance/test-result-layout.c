/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of how a client's result is compared with the image: what is the image, what only looks so, and what a
 * failed pull must not leave.
 */
#include "conformance/result-layout.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "image/fixture.h"
#include "image/layout.h"

static char *folder;
static struct expected_image *image;
static char reason[RESULT_TEXT_SIZE];

static const struct scenario scenario = {.name = "test", .about = "A test.", .fixture = "layers-1"};

static void setup(void)
{
        struct cip_error error = {0};

        ck_assert_msg(tmpdir_new("test-result", &folder, &error) == 0, "%s", error.message);
        ck_assert_msg(expected_image_new(&scenario, &image, &error) == 0, "%s", error.message);
        reason[0] = '\0';
}

static void teardown(void)
{
        expected_image_free(image);
        tmpdir_remove(folder);
}

/* The path of @name in the folder; static text. */
static const char *at(const char *name)
{
        static char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static void write_layout(const char *fixture)
{
        struct cip_error error = {0};

        ck_assert_msg(fixture_write_oci(fixture_find(fixture), at("layout"), "latest", &error) == 0, "%s",
                      error.message);
}

static void write_file(const char *path, const char *text)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(write_all(fd, text, strlen(text)));
}

/* The file of the first layer. */
static const char *layer_path(void)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *content;
        char name[256];
        size_t len;

        ck_assert_ok(layout_open(at("layout"), &layout, NULL));
        ck_assert_ok(layout_find(layout, NULL, &content, NULL));
        ck_assert_ok(layout_read_blob(layout, content->digest, MANIFEST_MAX, &text, &len, NULL));
        ck_assert_ok(manifest_parse(text, len, &manifest, NULL));
        snprintf(name, sizeof(name), "layout/blobs/sha256/%s", digest_hex(manifest->entries[0].digest));
        return at(name);
}

START_TEST(a_copy_of_the_image_is_the_image)
{
        write_layout("layers-1");
        ck_assert_msg(result_is_image(at("layout"), image, reason), "%s", reason);
        ck_assert_uint_eq(expected_image_layers(image), 1);
}
END_TEST

START_TEST(another_image_is_not)
{
        write_layout("layers-0");
        ck_assert(!result_is_image(at("layout"), image, reason));
        ck_assert_ptr_nonnull(strstr(reason, "has another manifest, sha256:"));
}
END_TEST

START_TEST(nothing_is_not)
{
        ck_assert(!result_is_image(at("layout"), image, reason));
        ck_assert_str_eq(reason, "is not there");
        ck_assert_int_eq(mkdir(at("layout"), 0777), 0);
        ck_assert(!result_is_image(at("layout"), image, reason));
        ck_assert_ptr_nonnull(strstr(reason, "is no layout of the image"));
}
END_TEST

START_TEST(half_a_layer_is_not)
{
        write_layout("layers-1");
        ck_assert_int_eq(truncate(layer_path(), 100), 0);
        ck_assert(!result_is_image(at("layout"), image, reason));
        ck_assert_ptr_nonnull(strstr(reason, "its layer sha256:"));
        ck_assert_ptr_nonnull(strstr(reason, "has another size"));
        ck_assert_int_eq(unlink(layer_path()), 0);
        ck_assert(!result_is_image(at("layout"), image, reason));
        ck_assert_ptr_nonnull(strstr(reason, "is missing"));
}
END_TEST

START_TEST(a_failed_pull_may_leave_nothing_or_whole_layers)
{
        ck_assert(!result_misleads(at("layout"), image, reason));
        write_layout("layers-1");
        write_file(at("layout/index.json"), "{\"schemaVersion\":2,\"manifests\":[]}");
        ck_assert_msg(!result_misleads(at("layout"), NULL, reason), "%s", reason);
}
END_TEST

START_TEST(a_failed_pull_leaves_no_image_in_the_index)
{
        write_layout("layers-1");
        ck_assert(!result_misleads(at("layout"), image, reason));
        ck_assert(result_misleads(at("layout"), NULL, reason));
        ck_assert_str_eq(reason, "has an image in its index.json");
        ck_assert_int_eq(truncate(layer_path(), 100), 0);
        ck_assert(result_misleads(at("layout"), image, reason));
        ck_assert_ptr_nonnull(strstr(reason, "has an image in its index.json, and its layer"));
}
END_TEST

START_TEST(a_failed_pull_leaves_no_half_layer_under_its_final_name)
{
        write_layout("layers-1");
        ck_assert_int_eq(truncate(layer_path(), 100), 0);
        ck_assert_int_eq(unlink(at("layout/index.json")), 0);
        ck_assert(result_misleads(at("layout"), image, reason));
        ck_assert_ptr_nonnull(strstr(reason, "which has other content than its name says"));
}
END_TEST

START_TEST(a_failed_pull_leaves_no_temporary_files)
{
        ck_assert_int_eq(mkdir(at("layout"), 0777), 0);
        write_file(at("layout/.tmp-4711"), "half");
        ck_assert(result_misleads(at("layout"), image, reason));
        ck_assert_str_eq(reason, "has a temporary file, .tmp-4711");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("result-layout");
        TCase *cases = testing_case(suite, "result-layout");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_add_test(cases, a_copy_of_the_image_is_the_image);
        tcase_add_test(cases, another_image_is_not);
        tcase_add_test(cases, nothing_is_not);
        tcase_add_test(cases, half_a_layer_is_not);
        tcase_add_test(cases, a_failed_pull_may_leave_nothing_or_whole_layers);
        tcase_add_test(cases, a_failed_pull_leaves_no_image_in_the_index);
        tcase_add_test(cases, a_failed_pull_leaves_no_half_layer_under_its_final_name);
        tcase_add_test(cases, a_failed_pull_leaves_no_temporary_files);
        return testing_main(suite);
}
