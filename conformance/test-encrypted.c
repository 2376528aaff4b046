/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What encrypted.c makes is what others take for encrypted: the real skopeo decrypts it, with the right key alone.
 * With each command of CIP_TEST_SKOPEO (separated by colons), else the skopeo on PATH. Without one the tests say so
 * and are skipped (status 77).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "conformance/encrypted.h"
#include "image/fixture.h"
#include "image/layout.h"

#define COMMANDS_MAX 8
#define FIXTURE "gzip"

static char *commands[COMMANDS_MAX];
static int n_commands;

static char *folder;
static struct encrypted_key *right, *wrong;

#define ck_assert_works(call, error)                                                     \
        do {                                                                             \
                int works_ = (call);                                                     \
                ck_assert_msg(works_ == 0, "%s: %d %s", #call, works_, (error).message); \
        } while (0)

static const char *path_of(const char *name)
{
        static char paths[4][4200];
        static unsigned n;
        char *path = paths[n++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
        return path;
}

static void write_key(const char *name, const struct encrypted_key *key)
{
        const char *pem = encrypted_key_pem(key);
        struct cip_error error = {0};

        ck_assert_works(replace_file_at(AT_FDCWD, path_of(name), pem, strlen(pem), &error), error);
}

static void set_up(void)
{
        struct cip_error error = {0};

        ck_assert_works(tmpdir_new("cip-test-encrypted-", &folder, &error), error);
        ck_assert_works(fixture_write_oci(fixture_find(FIXTURE), path_of("layout"), "plain", &error), error);
        ck_assert_works(encrypted_key_new(&right, &error), error);
        ck_assert_works(encrypted_key_new(&wrong, &error), error);
        write_key("right.pem", right);
        write_key("wrong.pem", wrong);
}

static void tear_down(void)
{
        encrypted_key_free(right);
        encrypted_key_free(wrong);
        tmpdir_remove(folder);
}

/* Copies the image that is tagged "encrypted" to one of its own layout. Returns the status. */
static int copy(const char *command, const char *key)
{
        char from[4300], to[4300], key_flag[4300];
        const char *argv[] = {command, "copy", "--quiet", "--insecure-policy", from, to, key_flag, NULL};
        CLEANUP(cleanup_child_free) struct child *child = NULL;
        struct cip_error error = {0};
        int status;

        snprintf(from, sizeof(from), "oci:%s:encrypted", path_of("layout"));
        snprintf(to, sizeof(to), "oci:%s:decrypted", path_of("copy"));
        if (key)
                snprintf(key_flag, sizeof(key_flag), "--decryption-key=%s", path_of(key));
        else
                argv[6] = NULL;
        ck_assert_works(child_start(&(struct child_spec){.argv = argv}, &child, &error), error);
        ck_assert_ok(child_wait(child, deadline_in_seconds(60), &status));
        return status;
}

/* The digest of a layer in what the copy has made, or "" where it made nothing. */
static void layer_of(const char *layout_name, const char *tag, size_t n, char ret[DIGEST_TEXT_SIZE])
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *content;
        struct cip_error error = {0};
        size_t len;

        ret[0] = '\0';
        if (layout_open(path_of(layout_name), &layout, &error) < 0 ||
            layout_find(layout, tag, &content, &error) < 0)
                return;
        ck_assert_works(layout_read_blob(layout, content->digest, MANIFEST_MAX, &text, &len, &error), error);
        ck_assert_works(manifest_parse(text, len, &manifest, &error), error);
        ck_assert_uint_lt(n, manifest->n_entries);
        snprintf(ret, DIGEST_TEXT_SIZE, "%s", manifest->entries[n].digest);
}

static void encrypt_from(size_t from)
{
        struct cip_error error = {0};

        ck_assert_works(encrypted_add_image(path_of("layout"), "plain", "encrypted", from, right, &error),
                        error);
}

START_TEST(the_right_key_gives_the_plain_layers)
{
        encrypt_from(0);
        ck_assert_int_eq(copy(commands[_i], "right.pem"), 0);
        for (size_t n = 0; n < 2; n++) {
                char plain[DIGEST_TEXT_SIZE], encrypted[DIGEST_TEXT_SIZE], decrypted[DIGEST_TEXT_SIZE];

                layer_of("layout", "plain", n, plain);
                layer_of("layout", "encrypted", n, encrypted);
                layer_of("copy", "decrypted", n, decrypted);
                ck_assert_str_ne(plain, encrypted);
                ck_assert_str_eq(plain, decrypted);
        }
}
END_TEST

START_TEST(layers_below_may_be_plain)
{
        char plain[DIGEST_TEXT_SIZE], encrypted[DIGEST_TEXT_SIZE], decrypted[DIGEST_TEXT_SIZE];

        encrypt_from(1);
        layer_of("layout", "plain", 0, plain);
        layer_of("layout", "encrypted", 0, encrypted);
        ck_assert_str_eq(plain, encrypted);
        ck_assert_int_eq(copy(commands[_i], "right.pem"), 0);
        layer_of("layout", "plain", 1, plain);
        layer_of("copy", "decrypted", 1, decrypted);
        ck_assert_str_eq(plain, decrypted);
}
END_TEST

START_TEST(another_key_gives_nothing)
{
        char decrypted[DIGEST_TEXT_SIZE];

        encrypt_from(0);
        ck_assert_int_ne(copy(commands[_i], "wrong.pem"), 0);
        layer_of("copy", "decrypted", 0, decrypted);
        ck_assert_str_eq(decrypted, "");
}
END_TEST

START_TEST(without_a_key_layers_stay_encrypted)
{
        char encrypted[DIGEST_TEXT_SIZE], copied[DIGEST_TEXT_SIZE];

        encrypt_from(0);
        ck_assert_int_eq(copy(commands[_i], NULL), 0);
        layer_of("layout", "encrypted", 0, encrypted);
        layer_of("copy", "decrypted", 0, copied);
        ck_assert_str_eq(encrypted, copied);
}
END_TEST

START_TEST(a_list_is_not_encrypted)
{
        struct cip_error error = {0};

        ck_assert_works(fixture_write_oci(fixture_find("index"), path_of("list"), "plain", &error), error);
        ck_assert_errno(encrypted_add_image(path_of("list"), "plain", "encrypted", 0, right, &error), -ENOTSUP);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_ptr_nonnull(strstr(error.message, "only an OCI image's layers"));
}
END_TEST

START_TEST(a_tag_that_is_not_there_is_told)
{
        struct cip_error error = {0};

        ck_assert_errno(encrypted_add_image(path_of("layout"), "none", "encrypted", 0, right, &error), -ENOENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("conformance/encrypted");
        TCase *tcase;
        int status;

        n_commands = testing_skopeos(commands, COMMANDS_MAX);
        if (n_commands == 0) {
                puts("skipped: no skopeo on PATH, and CIP_TEST_SKOPEO is not set");
                return 77;
        }
        tcase = testing_case(suite, "encrypted");
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_loop_test(tcase, the_right_key_gives_the_plain_layers, 0, n_commands);
        tcase_add_loop_test(tcase, layers_below_may_be_plain, 0, n_commands);
        tcase_add_loop_test(tcase, another_key_gives_nothing, 0, n_commands);
        tcase_add_loop_test(tcase, without_a_key_layers_stay_encrypted, 0, n_commands);
        tcase_add_test(tcase, a_list_is_not_encrypted);
        tcase_add_test(tcase, a_tag_that_is_not_there_is_told);
        status = testing_main(suite);
        for (int i = 0; i < n_commands; i++)
                free(commands[i]);
        return status;
}
