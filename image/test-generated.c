/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of generated images: their bytes are those that the manifest tells of, at any offset, in any
 * compression, and what a recipe replaces is replaced.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/testing.h"
#include "image/generated.h"
#include "image/source.h"
#include "protocol/message.h"

/* Of the one layer of 5,000 bytes with the seed 1. */
#define LAYER_DIGEST "sha256:20d87fa5c5604c5a271fb102e8c10f04c825b9a2dbdf271efbbc7a7a5afa9d67"

static struct generated *make(const struct generated_layer *layers, size_t n)
{
        const struct generated_recipe recipe = {.layers = layers, .n_layers = n, .seed = 1};
        struct generated *generated = NULL;
        struct cip_error error = {0};

        ck_assert_msg(generated_new(&recipe, &generated, &error) == 0, "%s", error.message);
        return generated;
}

/* A layer's bytes, whose digest and size must be the manifest's. The caller frees. */
static char *read_layer(const struct generated *generated, size_t i, size_t *ret_len)
{
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = generated_parsed_manifest(generated);
        const struct content *entry = &manifest->entries[i];
        const struct generated_blob *blob;
        enum digest_algorithm algorithm;
        char actual[DIGEST_TEXT_SIZE], *data;
        bool is_so;

        ck_assert_uint_lt(i, manifest->n_entries);
        blob = generated_find(generated, entry->digest, &is_so);
        ck_assert_ptr_nonnull(blob);
        ck_assert(is_so);
        *ret_len = (size_t)generated_blob_size(blob);
        ck_assert_int_eq((int64_t)*ret_len, entry->size);
        data = malloc(*ret_len + 1);
        for (size_t at = 0, n; at < *ret_len; at += n) {
                n = generated_read(blob, at, data + at, 777);
                ck_assert_uint_gt(n, 0);
        }
        ck_assert_uint_eq(generated_read(blob, *ret_len, data, 1), 0);
        ck_assert(digest_parse(entry->digest, &algorithm));
        ck_assert_ok(digest_of(algorithm, data, *ret_len, actual));
        ck_assert_str_eq(actual, entry->digest);
        return data;
}

START_TEST(test_layers_have_the_bytes_that_the_manifest_tells)
{
        static const struct generated_layer layers[] = {
                {.size = 0},
                {.size = 1},
                {.size = 1535},
                {.size = 1536},
                {.size = 100001},
                {.size = 5000, .content = GENERATED_RANDOM},
                {.size = 5000, .content = GENERATED_ZERO},
                {.size = 5000, .content = GENERATED_SAME, .count = 2},
                {.size = 200000, .compression = GENERATED_GZIP},
                {.size = 300000, .compression = GENERATED_ZSTD},
                {.size = 0, .compression = GENERATED_GZIP},
                {.size = 0, .compression = GENERATED_ZSTD},
        };
        struct generated *generated CLEANUP(cleanup_generated_free) = make(layers, ARRAY_SIZE(layers));
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = generated_parsed_manifest(generated);

        ck_assert_uint_eq(manifest->n_entries, ARRAY_SIZE(layers) + 1);
        for (size_t i = 0; i < manifest->n_entries; i++) {
                size_t len;

                free(read_layer(generated, i, &len));
        }
        ck_assert_str_eq(manifest->entries[7].digest, manifest->entries[8].digest);
        ck_assert_str_ne(manifest->entries[5].digest, manifest->entries[7].digest);
        ck_assert_str_eq(manifest->entries[9].media_type, MEDIA_OCI_LAYER_GZIP);
        ck_assert_str_eq(manifest->entries[10].media_type, MEDIA_OCI_LAYER_ZSTD);
}
END_TEST

START_TEST(test_compressed_layers_can_be_read)
{
        static const struct generated_layer layers[] = {
                {.size = 200000, .content = GENERATED_SAME},
                {.size = 200000, .content = GENERATED_SAME, .compression = GENERATED_GZIP},
                {.size = 200000, .content = GENERATED_SAME, .compression = GENERATED_ZSTD},
        };
        struct generated *generated CLEANUP(cleanup_generated_free) = make(layers, 3);
        z_stream stream = {0};
        char *out = malloc(200001), *plain, *packed;
        size_t len;

        plain = read_layer(generated, 0, &len);
        packed = read_layer(generated, 1, &len);
        ck_assert_int_eq(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
        stream.next_in = (Bytef *)packed;
        stream.avail_in = (uInt)len;
        stream.next_out = (Bytef *)out;
        stream.avail_out = 200001;
        ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
        ck_assert_uint_eq(stream.total_out, 200000);
        inflateEnd(&stream);
        ck_assert_mem_eq(out, plain, 200000);
        free(packed);
        packed = read_layer(generated, 2, &len);
        ck_assert_uint_eq(ZSTD_decompress(out, 200001, packed, len), 200000);
        ck_assert_mem_eq(out, plain, 200000);
        free(packed);
        free(plain);
        free(out);
}
END_TEST

START_TEST(test_a_tar_layer_is_a_tar)
{
        static const struct generated_layer layer = {.size = 10240 + 100, .content = GENERATED_TAR};
        struct generated *generated CLEANUP(cleanup_generated_free) = make(&layer, 1);
        size_t len, file;
        char *data CLEANUP(cleanup_free) = read_layer(generated, 0, &len);

        ck_assert_mem_eq(data + 257, "ustar", 6);
        file = strtoul(data + 124, NULL, 8);
        ck_assert_uint_eq(file, (10340UL - 1536) / 512 * 512);
        for (size_t i = 512 + file; i < len; i++)
                ck_assert_int_eq(data[i], 0);
}
END_TEST

/* From 8 GiB on the size is a number of base 256, for eleven octal digits hold no more. */
START_TEST(test_a_tar_of_many_gib_tells_its_size_in_bytes)
{
        static const struct generated_layer layer = {
                .size = UINT64_C(10) << 30,
                .content = GENERATED_TAR,
                .digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };
        struct generated *generated CLEANUP(cleanup_generated_free) = make(&layer, 1);
        const struct generated_blob *blob;
        unsigned char header[512];
        uint64_t size = 0;
        bool is_so;

        blob = generated_find(generated, layer.digest, &is_so);
        ck_assert_ptr_nonnull(blob);
        ck_assert_uint_eq(generated_read(blob, 0, header, sizeof(header)), sizeof(header));
        ck_assert_uint_eq(header[124], 0x80);
        for (size_t i = 125; i < 136; i++)
                size = size << 8 | header[i];
        ck_assert_uint_eq(size, layer.size - 1536);
}
END_TEST

START_TEST(test_a_config_is_found_by_the_digest_that_the_manifest_makes_up)
{
        struct json_object *manifest CLEANUP(cleanup_json) =
                json_tokener_parse("{\"config\": {\"digest\": \"sha256:ff\"}, \"layers\": 7}");
        const struct generated_recipe recipe = {.manifest = manifest};
        struct generated *generated CLEANUP(cleanup_generated_free) = NULL;
        struct manifest *parsed CLEANUP(cleanup_manifest_free) = NULL;
        bool is_so = true;

        ck_assert_ok(generated_new(&recipe, &generated, NULL));
        ck_assert_ptr_nonnull(generated_find(generated, "sha256:ff", &is_so));
        ck_assert(!is_so);
        parsed = generated_parsed_manifest(generated);
        ck_assert_uint_eq(parsed->n_entries, 0);
}
END_TEST

START_TEST(test_the_same_recipe_gives_the_same_image)
{
        static const struct generated_layer layer = {.size = 5000};
        struct generated *a CLEANUP(cleanup_generated_free) = make(&layer, 1);
        struct generated *b CLEANUP(cleanup_generated_free) = make(&layer, 1);
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = generated_parsed_manifest(a);

        ck_assert_str_eq(generated_manifest_digest(a), generated_manifest_digest(b));
        /* And so on every machine: the layer's digest, as the config has the machine's architecture in it. */
        ck_assert_str_eq(manifest->entries[0].digest, LAYER_DIGEST);
}
END_TEST

START_TEST(test_known_digests_of_zeros_are_right)
{
        static const struct generated_layer layers[] = {
                {.size = 1 << 20, .content = GENERATED_ZERO},
                {.size = UINT64_C(10) << 30, .content = GENERATED_ZERO}};
        struct generated *generated CLEANUP(cleanup_generated_free) = make(layers, 2);
        struct manifest *manifest CLEANUP(cleanup_manifest_free) = generated_parsed_manifest(generated);
        size_t len;

        free(read_layer(generated, 0, &len));
        ck_assert_str_eq(manifest->entries[1].digest,
                         "sha256:732377e7f4a2abdc13ddfa1eb4c9c497fd2a2b294674d056cf51581b47dd586d");
        ck_assert_int_eq(manifest->entries[1].size, INT64_C(10) << 30);
}
END_TEST

START_TEST(test_members_are_replaced)
{
        struct json_object *manifest CLEANUP(cleanup_json) = json_tokener_parse(
                "{\"mediaType\": null, \"annotations\": {\"a\": \"b\"}, \"config\": {\"size\": \"x\"}}");
        struct json_object *config CLEANUP(cleanup_json) =
                json_tokener_parse("{\"architecture\": null, \"rootfs\": {\"type\": \"other\"}}");
        struct json_object *entry CLEANUP(cleanup_json) = json_tokener_parse("{\"digest\": \"SHA256:AB\"}");
        const struct generated_layer layer = {.size = 3, .entry = entry, .media_type = "a/b"};
        const struct generated_recipe recipe = {
                .layers = &layer, .n_layers = 1, .manifest = manifest, .config = config, .sha512 = true};
        struct generated *generated CLEANUP(cleanup_generated_free) = NULL;
        struct cip_error error = {0};
        const char *text;
        bool is_so;
        size_t len;

        ck_assert_ok(generated_new(&recipe, &generated, &error));
        text = generated_manifest(generated, &len);
        ck_assert_ptr_null(strstr(text, "\"mediaType\":\"" MEDIA_OCI_MANIFEST "\""));
        ck_assert_ptr_nonnull(strstr(text, "\"annotations\":{\"a\":\"b\"}"));
        ck_assert_ptr_nonnull(strstr(text, "\"size\":\"x\""));
        ck_assert_ptr_nonnull(strstr(text, "{\"mediaType\":\"a/b\",\"digest\":\"SHA256:AB\",\"size\":3}"));
        text = generated_config(generated, &len);
        ck_assert_ptr_null(strstr(text, "architecture"));
        ck_assert_ptr_nonnull(strstr(text, "\"rootfs\":{\"type\":\"other\",\"diff_ids\":[\"sha256:"));
        ck_assert_ptr_nonnull(generated_find(generated, "SHA256:AB", &is_so));
        ck_assert(!is_so);
        ck_assert_ptr_null(generated_find(generated, "sha256:ab", &is_so));
}
END_TEST

START_TEST(test_recipes_that_cannot_be_made)
{
        static const struct {
                struct generated_layer layer;
                const char *words;
        } cases[] = {
                {{.size = 10, .content = GENERATED_TAR}, "layer 0: size: a tar has at least 1536 bytes"},
                {{.size = UINT64_C(1) << 32}, "would take too long to hash"},
                {{.size = (UINT64_C(1) << 50) + 1}, "layer 0: size: at most 2^50 bytes"},
                {{.size = UINT64_C(1) << 27, .compression = GENERATED_ZSTD}, "64 MiB"},
                {{.size = 1, .digest = "sha256:x"}, "layer 0: digest: expected sha256:"},
                {{.size = 1, .count = 10001}, "more than 10000 layers"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct generated_recipe recipe = {.layers = &cases[i].layer, .n_layers = 1};
                struct generated *generated = NULL;
                struct cip_error error = {0};

                ck_assert_errno(generated_new(&recipe, &generated, &error), -EINVAL);
                ck_assert_msg(strstr(error.message, cases[i].words) != NULL, "%s", error.message);
        }
}
END_TEST

START_TEST(test_a_generated_image_is_an_image)
{
        static const struct generated_layer layer = {.size = 5000};
        struct generated *generated CLEANUP(cleanup_generated_free) = make(&layer, 1);
        struct image *image CLEANUP(cleanup_image_free) = NULL;
        char *config CLEANUP(cleanup_free) = NULL;
        char *whole CLEANUP(cleanup_free) = NULL;
        char *part CLEANUP(cleanup_free) = NULL;
        char actual[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};
        const char *text;
        size_t len;
        int fd;

        ck_assert_ok(image_open_generated(generated, &image, &error));
        ck_assert_ok(image_load(image, &error));
        text = image_manifest(image, &len);
        ck_assert_ok(digest_of(DIGEST_SHA256, text, len, actual));
        ck_assert_str_eq(image_digest(image), actual);
        ck_assert_str_eq(image_list_digest(image), actual);
        ck_assert_ok(image_read_config(image, &config, &len, &error));
        ck_assert_ok(digest_of(DIGEST_SHA256, config, len, actual));
        ck_assert_str_eq(image_parsed_manifest(image)->config.digest, actual);
        ck_assert_ok(image_read_oci_config(image, false, &whole, &len, &error));
        ck_assert_str_eq(whole, config);
        ck_assert_ok(image_read_oci_config(image, true, &part, &len, &error));
        ck_assert_str_eq(part, "{\"Env\":[\"PATH=/bin\"]}");
        ck_assert_errno(image_open_blob(image, actual, &fd, NULL, &error), -ENOTSUP);
        ck_assert_ptr_eq(image_generated(image), generated);
}
END_TEST

/* Any part of the stream is the same, however it is asked for. */
START_TEST(test_random_bytes_have_their_places)
{
        char whole[100], part[100];

        generated_random(7, 1000, whole, sizeof(whole));
        for (size_t from = 0; from < 20; from++) {
                for (size_t len = 0; len < 30; len++) {
                        memset(part, 0, sizeof(part));
                        generated_random(7, 1000 + from, part, len);
                        ck_assert_mem_eq(part, whole + from, len);
                }
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("generated");
        TCase *tcase = testing_case(suite, "generated");

        tcase_add_test(tcase, test_layers_have_the_bytes_that_the_manifest_tells);
        tcase_add_test(tcase, test_compressed_layers_can_be_read);
        tcase_add_test(tcase, test_a_tar_layer_is_a_tar);
        tcase_add_test(tcase, test_a_tar_of_many_gib_tells_its_size_in_bytes);
        tcase_add_test(tcase, test_a_config_is_found_by_the_digest_that_the_manifest_makes_up);
        tcase_add_test(tcase, test_the_same_recipe_gives_the_same_image);
        tcase_add_test(tcase, test_known_digests_of_zeros_are_right);
        tcase_add_test(tcase, test_members_are_replaced);
        tcase_add_test(tcase, test_recipes_that_cannot_be_made);
        tcase_add_test(tcase, test_a_generated_image_is_an_image);
        tcase_add_test(tcase, test_random_bytes_have_their_places);
        return testing_main(suite);
}
