/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry has of the images that it was given: every fixture, good and broken, layouts with several
 * tags, generated images, lists, and what refers to what.
 */
#include "fakeregistry/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "image/fixture.h"
#include "image/layout.h"
#include "protocol/message.h"

static char *folder;

static void setup(void)
{
        testing_fds_setup();
        ck_assert_ok(tmpdir_new("cip-test", &folder, NULL));
}

static void teardown(void)
{
        tmpdir_remove(folder);
        testing_fds_teardown();
}

static struct registry_store *store_of(const struct registry_image *images, size_t n)
{
        struct registry_store *store = NULL;
        struct cip_error error = {0};
        int r = registry_store_new(images, n, &store, &error);

        ck_assert_msg(r == 0, "%s", error.message);
        return store;
}

/* All bytes of a content, for the caller to free. Clears it. */
static char *bytes_of(struct registry_content *content)
{
        char *bytes = calloc(1, content->size + 1);

        for (uint64_t at = 0; at < content->size;) {
                ssize_t n = registry_content_read(content, at, bytes + at, content->size - at);

                ck_assert_int_gt(n, 0);
                at += (uint64_t)n;
        }
        registry_content_clear(content);
        return bytes;
}

/* Wants the digest of a content to be this. Clears it. */
static void assert_digest(struct registry_content *content, const char *wanted)
{
        uint64_t size = content->size;
        CLEANUP(cleanup_free) char *bytes = bytes_of(content);
        char digest[DIGEST_TEXT_SIZE];
        enum digest_algorithm algorithm = DIGEST_SHA256;

        digest_parse(wanted, &algorithm);
        ck_assert_ok(digest_of(algorithm, bytes, size, digest));
        ck_assert_str_eq(digest, wanted);
}

START_TEST(every_fixture_is_served_good_or_broken)
{
        const struct fixture *fixture = &fixtures[_i];
        const struct registry_image image = {.repository = "a", .fixture = fixture->name};
        CLEANUP(cleanup_registry_store_free) struct registry_store *store = NULL;
        const struct registry_manifest *manifest;
        struct registry_content content = {.fd = -1};

        /* These take their time, and are nothing special here. */
        if (!strcmp(fixture->name, "layers-2000") || !strcmp(fixture->name, "blob-64m"))
                return;
        store = store_of(&image, 1);
        manifest = registry_store_find(store, "a", "main", "latest");
        ck_assert_ptr_nonnull(manifest);
        ck_assert_ok(registry_store_open_manifest(store, manifest, &content));
        ck_assert_int_eq((int64_t)content.size, manifest->size);
        assert_digest(&content, manifest->digest);
        ck_assert_ptr_eq(registry_store_find(store, "a", "main", manifest->digest), manifest);
        ck_assert_errno(registry_store_open_blob(store, "a", "main", manifest->digest, &content), -ENOENT);
}
END_TEST

START_TEST(the_images_of_a_list_are_there_by_their_digests)
{
        static const struct {
                const char *fixture, *list, *image;
        } cases[] = {
                {"index", MEDIA_OCI_INDEX, MEDIA_OCI_MANIFEST},
                {"docker-list", MEDIA_DOCKER_LIST, MEDIA_DOCKER_MANIFEST},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct registry_image image = {.repository = "a", .fixture = cases[i].fixture};
                CLEANUP(cleanup_registry_store_free) struct registry_store *store = store_of(&image, 1);
                const struct registry_manifest *list = registry_store_find(store, "a", "main", "latest"), *one;
                CLEANUP(cleanup_manifest_free) struct manifest *parsed = NULL;
                struct registry_content content = {.fd = -1};
                CLEANUP(cleanup_free) char *text = NULL;

                ck_assert_str_eq(list->media_type, cases[i].list);
                ck_assert_ok(registry_store_open_manifest(store, list, &content));
                text = bytes_of(&content);
                ck_assert_ok(manifest_parse(text, strlen(text), &parsed, NULL));
                ck_assert_uint_eq(parsed->n_entries, 4);
                one = registry_store_find(store, "a", "main", parsed->entries[3].digest);
                ck_assert_ptr_nonnull(one);
                ck_assert_str_eq(one->media_type, cases[i].image);
                ck_assert_ptr_null(one->tag);
        }
}
END_TEST

START_TEST(a_layout_brings_all_its_tags_or_the_one_that_is_named)
{
        const struct registry_image all = {.repository = "a", .layout = folder},
                                    one = {.repository = "a", .layout = folder, .layout_tag = "v1"},
                                    renamed = {.repository = "a",
                                               .tag = "new",
                                               .layout = folder,
                                               .layout_tag = "v2"},
                                    unclear = {.repository = "a", .tag = "new", .layout = folder};
        struct registry_store *store;
        struct cip_error error = {0};
        const char *const *tags;
        size_t n;

        ck_assert_ok(fixture_write_oci(fixture_find("layers-1"), folder, "v2", NULL));
        ck_assert_ok(fixture_write_oci(fixture_find("gzip"), folder, "v1", NULL));
        store = store_of(&all, 1);
        ck_assert_ok(registry_store_tags(store, "a", "main", &tags, &n));
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(tags[0], "v1");
        ck_assert_str_eq(tags[1], "v2");
        free((void *)(uintptr_t)tags);
        registry_store_free(store);

        store = store_of(&one, 1);
        ck_assert_ptr_nonnull(registry_store_find(store, "a", "main", "v1"));
        ck_assert_ptr_null(registry_store_find(store, "a", "main", "v2"));
        registry_store_free(store);

        store = store_of(&renamed, 1);
        ck_assert_ptr_nonnull(registry_store_find(store, "a", "main", "new"));
        registry_store_free(store);

        ck_assert_errno(registry_store_new(&unclear, 1, &store, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "a:new: "));
        ck_assert_ptr_nonnull(strstr(error.message, "no tag says which is meant"));
}
END_TEST

START_TEST(an_image_may_be_at_one_listener_alone)
{
        const struct registry_image images[] = {
                {.repository = "a", .fixture = "layers-1", .listener = "mirror"},
                {.repository = "b", .fixture = "layers-1"},
        };
        CLEANUP(cleanup_registry_store_free) struct registry_store *store = store_of(images, 2);

        ck_assert(registry_store_has(store, "a", "mirror") && !registry_store_has(store, "a", "main"));
        ck_assert(registry_store_has(store, "b", "mirror") && registry_store_has(store, "b", "main"));
        ck_assert_ptr_nonnull(registry_store_find(store, "a", "mirror", "latest"));
        ck_assert_ptr_null(registry_store_find(store, "a", "main", "latest"));
        ck_assert(!registry_store_has(store, "c", "main"));
}
END_TEST

START_TEST(a_generated_image_is_served_without_being_stored)
{
        const struct generated_layer layers[] = {{.size = 5000, .compression = GENERATED_GZIP}, {.size = 100}};
        const struct registry_image image = {
                .repository = "a", .tag = "v", .has_recipe = true, .recipe = {.layers = layers, .n_layers = 2}};
        CLEANUP(cleanup_registry_store_free) struct registry_store *store = store_of(&image, 1);
        const struct registry_manifest *manifest = registry_store_find(store, "a", "main", "v");
        CLEANUP(cleanup_manifest_free) struct manifest *parsed = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct registry_content content = {.fd = -1};

        ck_assert_ok(registry_store_open_manifest(store, manifest, &content));
        text = bytes_of(&content);
        ck_assert_ok(manifest_parse(text, strlen(text), &parsed, NULL));
        ck_assert_uint_eq(parsed->n_entries, 2);
        for (size_t i = 0; i < 2; i++) {
                ck_assert_ok(registry_store_open_blob(store, "a", "main", parsed->entries[i].digest, &content));
                assert_digest(&content, parsed->entries[i].digest);
        }
        ck_assert_ok(registry_store_open_blob(store, "a", "main", parsed->config.digest, &content));
        assert_digest(&content, parsed->config.digest);
}
END_TEST

/* Writes a manifest that refers to @subject, and puts it into index.json without a tag. */
static void write_referrer(const char *subject, const char *artifact_type)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        char empty[DIGEST_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
        int len;

        ck_assert_ok(layout_create_unsynced(folder, &layout, NULL));
        ck_assert_ok(layout_write_blob(layout, DIGEST_SHA256, "{}", 2, empty, NULL));
        len = asprintf(&text,
                       "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"artifactType\":\"%s\","
                       "\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":2},\"layers\":[],"
                       "\"subject\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":397},"
                       "\"annotations\":{\"note\":\"x\"}}",
                       MEDIA_OCI_MANIFEST, artifact_type, MEDIA_OCI_EMPTY, empty, MEDIA_OCI_MANIFEST, subject);
        ck_assert_int_gt(len, 0);
        ck_assert_ok(layout_write_blob(layout, DIGEST_SHA256, text, (size_t)len, digest, NULL));
        ck_assert_ok(layout_add_manifest(layout, MEDIA_OCI_MANIFEST, digest, len, NULL, NULL, NULL));
}

START_TEST(what_refers_to_an_image_is_found_by_its_digest_and_type)
{
        const struct registry_image image = {.repository = "a", .layout = folder};
        CLEANUP(cleanup_registry_store_free) struct registry_store *store = NULL;
        const struct registry_manifest *manifest;
        CLEANUP(cleanup_json) struct json_object *index = NULL;
        struct json_object *entry;
        char subject[DIGEST_TEXT_SIZE];
        size_t n;

        ck_assert_ok(fixture_write_oci(fixture_find("layers-1"), folder, "v1", NULL));
        store = store_of(&image, 1);
        manifest = registry_store_find(store, "a", "main", "v1");
        snprintf(subject, sizeof(subject), "%s", manifest->digest);
        index = registry_store_referrers(store, "a", "main", subject, NULL, &n);
        ck_assert_uint_eq(n, 0);
        json_object_put(index);
        registry_store_free(store);

        write_referrer(subject, "application/one");
        write_referrer(subject, "application/two");
        store = store_of(&image, 1);
        index = registry_store_referrers(store, "a", "main", subject, NULL, &n);
        ck_assert_uint_eq(n, 2);
        json_object_put(index);
        index = registry_store_referrers(store, "a", "main", subject, "application/two", &n);
        ck_assert_uint_eq(n, 1);
        entry = json_object_array_get_idx(json_object_object_get(index, "manifests"), 0);
        ck_assert_str_eq(json_object_get_string(json_object_object_get(entry, "artifactType")),
                         "application/two");
        ck_assert_str_eq(json_object_to_json_string_ext(json_object_object_get(entry, "annotations"),
                                                        JSON_C_TO_STRING_PLAIN),
                         "{\"note\":\"x\"}");
}
END_TEST

START_TEST(an_image_that_cannot_be_had_is_named)
{
        static const struct {
                struct registry_image image;
                int errnum;
                const char *words;
        } cases[] = {
                {{.repository = "A", .fixture = "tar"}, -EINVAL, "\"A\" is no name of a repository"},
                {{.repository = "a", .tag = "-", .fixture = "tar"}, -EINVAL, "\"-\" is no tag"},
                {{.repository = "a"}, -EINVAL, "a layout, a fixture or a recipe"},
                {{.repository = "a", .fixture = "x"}, -ENOENT, "a: there is no fixture named \"x\""},
                {{.repository = "a", .tag = "t", .layout = "/nosuch"}, -ENOENT, "a:t: open /nosuch/index.json"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct registry_store *store = NULL;
                struct cip_error error = {0};

                ck_assert_errno(registry_store_new(&cases[i].image, 1, &store, &error), cases[i].errnum);
                ck_assert_msg(strstr(error.message, cases[i].words) != NULL, "%s", error.message);
                ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        }
}
END_TEST

START_TEST(no_digest_leads_out_of_a_layout)
{
        static const char *const digests[] = {"sha256:../../../etc/passwd", "sha256:", "x", "", "../x"};
        const struct registry_image image = {.repository = "a", .fixture = "layers-1"};
        CLEANUP(cleanup_registry_store_free) struct registry_store *store = store_of(&image, 1);
        struct registry_content content;

        for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
                ck_assert_errno(registry_store_open_blob(store, "a", "main", digests[i], &content), -ENOENT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("store");
        TCase *tcase = tcase_create("store");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_loop_test(tcase, every_fixture_is_served_good_or_broken, 0, (int)n_fixtures);
        tcase_add_test(tcase, the_images_of_a_list_are_there_by_their_digests);
        tcase_add_test(tcase, a_layout_brings_all_its_tags_or_the_one_that_is_named);
        tcase_add_test(tcase, an_image_may_be_at_one_listener_alone);
        tcase_add_test(tcase, a_generated_image_is_served_without_being_stored);
        tcase_add_test(tcase, what_refers_to_an_image_is_found_by_its_digest_and_type);
        tcase_add_test(tcase, an_image_that_cannot_be_had_is_named);
        tcase_add_test(tcase, no_digest_leads_out_of_a_layout);
        return testing_main(suite);
}
