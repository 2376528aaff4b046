/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixtures are the same to the byte everywhere, for ever: the digest of each one's manifest, and so of all that
 * it names, stands here. Where a fixture is changed on purpose, its row changes with it.
 */
#include "image/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "image/digest.h"
#include "image/layout.h"

static const struct {
        const char *name;
        const char *digest; /* of the manifest or list that index.json names */
        int64_t size;
} pinned[] = {
        {"layers-0", "sha256:7f643f6b4369a82425a54a8dfdd032cecb5f87705a41d81076771e64d05c2d2c", 248},
        {"layers-1", "sha256:b00cb17e9bf5a5d272df6c0a02a8e310049c3c366b9dbe46f28d548151ac4995", 397},
        {"layers-300", "sha256:6151b5ee8912b417c9b2e36f924498efadb7c13df073a27c82c6d2f13eaecf4b", 45249},
        {"layers-2000", "sha256:0c9ccc5c435de17e204639f6422624e532d6af5b8c60ab4134a32c7c6baa631e", 300250},
        {"tar", "sha256:c25a43d924fb961a8c9d824c0cf988ccca8328c7a75df0e428feffd0dbc9b2c1", 549},
        {"gzip", "sha256:f8160b65de5e3c3659cff276243ac4173f4f541a97a3c34423b198596a2eb74f", 559},
        {"zstd", "sha256:eedacb719340bec35f74aa830e9278da308636e3a749b4282308bc4fa369e474", 559},
        {"blob-0", "sha256:87bcb5b96aebe726217f9106177e9e204779c94e800f70acbb51d7b45055a56d", 394},
        {"blob-1", "sha256:f48e799259cac3a0aa082d7780c90edae12b272f24fe8f80129942256acc02a3", 394},
        {"blob-65535", "sha256:1e19dd7782647ecd05b44965304cfd0ee0eb443f080271f9c502c8c39fc53f09", 398},
        {"blob-65536", "sha256:c9847f84dbb39ce827a30308d1c17d2b08c1f8c50401d848b6a29daa45481b79", 398},
        {"blob-65537", "sha256:5d2a79149bce03634c5245ac30e0f69dba5e8b31b81c1fa874b02e54b59f8093", 398},
        {"blob-64m", "sha256:d18074c0423992ca28d3a409ae01a664887bf604d941e7034402b68cd70a8e36", 401},
        {"index", "sha256:f14d686e5f446d5a46a28658c98aec070d5047be7f026d34f13c2ff6f2f2d309", 912},
        {"index-nested", "sha256:53a4b015a3554d9d540efdc6f0559b8893f44e7811e0f719592896a933b1fda9", 1062},
        {"docker", "sha256:be8e93f361186537a120e397f45303391d319f39c0f31293b677a5dc50a1c306", 587},
        {"docker-list", "sha256:a227feb49def200b0ccf8043fed2e349ff349335a707359920571cdec1f8a605", 970},
        {"artifact", "sha256:42a742f59d8b2ce3f0dd78d3423a87dc53afafcdeba0413d56e765a96aa89779", 423},
        {"manifest-1m", "sha256:eda52d0b5a4b95b2dfea12a35e3b03f7f5281d97f6ea2407a65dacd18cac3fee", 1048576},
        {"config-1m", "sha256:20eacbabad53f4b0416b536b24eceea2493e4c7d5a292d5ff1e0eff1df5e3427", 401},
        {"sha512", "sha256:7373e36f08a7f2ae2f1f7e696bb2c1b1ba8e4d7e043cebbe910b1220a9e4cc2c", 675},
        {"broken-missing-blob", "sha256:b10a16b36f511e1c3b324e2ea8d2e47eab3af9fb21bfa30af2ceac5902b0f0b4", 397},
        {"broken-size", "sha256:efe0e5339f8a75eecb164aa62525ff8b2793c69417d296f004314862fc1ab89f", 397},
        {"broken-digest", "sha256:e4f330171cac789d88fc8ffeda0a0f0bb6a9d5e30615486ca003aaca04057e87", 397},
        {"broken-manifest", "sha256:1a6a931ebda8205088680d35d1f69e04c7df14a17ba85cec432552aff885b7bc", 198},
        {"broken-config", "sha256:c552a1e37afdd0b87c0195484b2a706e7c71f55cea8f9fd63560c1b80d116d64", 396},
        {"broken-nested", "sha256:b2061e20f8401fe7b04534030aaa91bc781fa987f82f5217cd217d335561bfd1", 237},
        {"broken-schema-1", "sha256:bba8d5de4ee17876aef6d8b919eaf556105221dd71c2e391b972c0200a3b831e", 330},
};

static char *folder;
static char path[4096];

static void setup(void)
{
        testing_fds_setup();
        ck_assert_ok(tmpdir_new("cip-test", &folder, NULL));
        snprintf(path, sizeof(path), "%s/image", folder);
}

static void teardown(void)
{
        tmpdir_remove(folder);
        testing_fds_teardown();
}

/* Writes a fixture and opens it. */
static struct layout *write_fixture(const char *name, const struct content **ret)
{
        struct layout *layout;

        ck_assert_ok(fixture_write_oci(fixture_find(name), path, "latest", NULL));
        ck_assert_ok(layout_open(path, &layout, NULL));
        ck_assert_ok(layout_find(layout, "latest", ret, NULL));
        return layout;
}

static struct manifest *read_manifest(struct layout *layout, const struct content *content)
{
        CLEANUP(cleanup_free) char *text = NULL;
        struct manifest *manifest;
        size_t len;

        ck_assert_ok(layout_read_blob(layout, content->digest, MANIFEST_MAX, &text, &len, NULL));
        ck_assert_ok(manifest_parse(text, len, &manifest, NULL));
        return manifest;
}

static const struct {
        const char *name;
        size_t n_layers;
        int64_t layer_size, manifest_size, config_size; /* -1: whatever it is */
} sizes[] = {
        {"layers-0", 0, -1, -1, -1},
        {"layers-1", 1, 2048, -1, -1},
        {"layers-300", 300, 2048, -1, -1},
        {"layers-2000", 2000, 2048, -1, -1},
        {"blob-0", 1, 0, -1, -1},
        {"blob-1", 1, 1, -1, -1},
        {"blob-65535", 1, 65535, -1, -1},
        {"blob-65536", 1, 65536, -1, -1},
        {"blob-65537", 1, 65537, -1, -1},
        {"blob-64m", 1, 67108864, -1, -1},
        {"manifest-1m", 1, 2048, 1048576, -1},
        {"config-1m", 1, 2048, -1, 1048576},
        {"artifact", 1, 1000, -1, 2},
};

static void check_size(int64_t is, int64_t wanted)
{
        if (wanted >= 0)
                ck_assert_int_eq(is, wanted);
}

static void check_sizes(struct layout *layout, const struct content *content, const char *name)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        size_t s = 0;

        while (s < ARRAY_SIZE(sizes) && strcmp(sizes[s].name, name) != 0)
                s++;
        if (s == ARRAY_SIZE(sizes))
                return;
        manifest = read_manifest(layout, content);
        ck_assert_uint_eq(manifest->n_entries, sizes[s].n_layers);
        check_size(content->size, sizes[s].manifest_size);
        check_size(manifest->config.size, sizes[s].config_size);
        ck_assert(layout_has_blob(layout, manifest->config.digest, manifest->config.size));
        for (size_t i = 0; i < manifest->n_entries; i++) {
                check_size(manifest->entries[i].size, sizes[s].layer_size);
                ck_assert(layout_has_blob(layout, manifest->entries[i].digest, manifest->entries[i].size));
        }
}

START_TEST(no_fixture_has_changed_and_each_has_the_sizes_of_its_name)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        const struct content *content;

        layout = write_fixture(pinned[_i].name, &content);
        ck_assert_msg(strcmp(content->digest, pinned[_i].digest) == 0 && content->size == pinned[_i].size,
                      "%s is now {\"%s\", \"%s\", %lld}", pinned[_i].name, pinned[_i].name, content->digest,
                      (long long)content->size);
        ck_assert(layout_has_blob(layout, content->digest, content->size));
        check_sizes(layout, content, pinned[_i].name);
}
END_TEST

START_TEST(every_fixture_is_pinned_and_found_by_its_name)
{
        ck_assert_uint_eq(n_fixtures, ARRAY_SIZE(pinned));
        for (size_t i = 0; i < n_fixtures; i++) {
                ck_assert_str_eq(fixtures[i].name, pinned[i].name);
                ck_assert_ptr_eq(fixture_find(fixtures[i].name), &fixtures[i]);
                ck_assert_int_eq(fixtures[i].refused_by == NULL, fixtures[i].good);
        }
        ck_assert_ptr_null(fixture_find("nosuch"));
}
END_TEST

/* The diff_id of layer 0, out of the config. */
static void first_diff_id(struct layout *layout, const struct manifest *manifest, char ret[DIGEST_TEXT_SIZE])
{
        CLEANUP(cleanup_free) char *config = NULL;
        const char *found;
        size_t len;

        ck_assert_ok(layout_read_blob(layout, manifest->config.digest, MANIFEST_MAX, &config, &len, NULL));
        found = strstr(config, "\"diff_ids\":[\"");
        ck_assert_ptr_nonnull(found);
        ck_assert_int_eq(sscanf(found, "\"diff_ids\":[\"%135[^\"]", ret), 1);
}

static size_t inflate_gzip(const char *data, size_t len, char *to, size_t size)
{
        z_stream stream = {.avail_in = (uInt)len, .avail_out = (uInt)size, .next_out = (Bytef *)to};
        CLEANUP(cleanup_free) char *copy = malloc(len);

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data, len);
        stream.next_in = (Bytef *)copy;
        ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
        ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
        ck_assert_uint_eq(stream.avail_in, 0);
        inflateEnd(&stream);
        return stream.total_out;
}

static size_t decompress_zstd(const char *data, size_t len, char *to, size_t size)
{
        return ZSTD_decompress(to, size, data, len);
}

static const struct {
        const char *name, *media_type;
        size_t (*decompress)(const char *data, size_t len, char *to, size_t size);
} compressed[] = {
        {"gzip", MEDIA_OCI_LAYER_GZIP, inflate_gzip},
        {"docker", MEDIA_DOCKER_LAYER_GZIP, inflate_gzip},
        {"zstd", MEDIA_OCI_LAYER_ZSTD, decompress_zstd},
};

START_TEST(compressed_layers_are_read_by_the_libraries)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        static char tar[1 << 16];
        char diff_id[DIGEST_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
        const struct content *content;
        size_t len, tar_len;

        layout = write_fixture(compressed[_i].name, &content);
        manifest = read_manifest(layout, content);
        ck_assert_str_eq(manifest->entries[0].media_type, compressed[_i].media_type);
        ck_assert_ok(layout_read_blob(layout, manifest->entries[0].digest, 1 << 16, &data, &len, NULL));
        tar_len = compressed[_i].decompress(data, len, tar, sizeof(tar));
        ck_assert_uint_eq(tar_len, 512 + 10240 + 1024);
        first_diff_id(layout, manifest, diff_id);
        ck_assert_ok(digest_of(DIGEST_SHA256, tar, tar_len, digest));
        ck_assert_str_eq(digest, diff_id);
        ck_assert_mem_eq(tar, "layer-0", 8);
}
END_TEST

START_TEST(lists_name_four_platforms_and_nested_ones_an_index_first)
{
        static const struct {
                const char *name;
                size_t n, first;
        } lists[] = {{"index", 4, 0}, {"docker-list", 4, 0}, {"index-nested", 5, 1}, {"broken-nested", 1, 1}};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
                CLEANUP(cleanup_manifest_free) struct manifest *list = NULL;
                const struct content *content;

                snprintf(path, sizeof(path), "%s/%s", folder, lists[i].name);
                layout = write_fixture(lists[i].name, &content);
                list = read_manifest(layout, content);
                ck_assert_uint_eq(list->n_entries, lists[i].n);
                ck_assert_int_eq(strcmp(list->entries[0].media_type, MEDIA_OCI_INDEX) == 0,
                                 (int)lists[i].first);
                if (lists[i].n >= 4)
                        ck_assert_str_eq(list->entries[lists[i].first].architecture, "amd64");
        }
}
END_TEST

START_TEST(a_dir_has_the_same_manifest_as_a_layout)
{
        const struct fixture *fixture = fixture_find("blob-65537");
        const struct content *content = NULL;
        CLEANUP(cleanup_layout_free) struct layout *layout = write_fixture(fixture->name, &content);
        CLEANUP(cleanup_free) char *text = NULL;
        char dir[4096], digest[DIGEST_TEXT_SIZE];
        size_t len;

        ck_assert_ptr_nonnull(layout);
        snprintf(dir, sizeof(dir), "%s/dir", folder);
        ck_assert_ok(fixture_write_dir(fixture, dir, NULL));
        snprintf(dir, sizeof(dir), "%s/dir/manifest.json", folder);
        ck_assert_ok(read_file_at(AT_FDCWD, dir, MANIFEST_MAX, &text, &len, NULL));
        ck_assert_ok(digest_of(DIGEST_SHA256, text, len, digest));
        ck_assert_str_eq(digest, content->digest);
}
END_TEST

START_TEST(a_list_does_not_fit_into_a_dir)
{
        struct cip_error error = {0};

        ck_assert_errno(fixture_write_dir(fixture_find("index"), path, &error), -ENOTSUP);
        ck_assert_ptr_nonnull(strstr(error.message, "a dir: folder cannot hold the fixture index"));
}
END_TEST

START_TEST(a_place_that_cannot_be_written_to_is_told)
{
        const struct fixture *fixture = fixture_find("layers-1");
        struct cip_error error = {0};

        ck_assert_errno(fixture_write_oci(fixture, "/dev/null/x", NULL, &error), -ENOTDIR);
        ck_assert_ptr_nonnull(strstr(error.message, "/dev/null/x"));
        ck_assert_errno(fixture_write_dir(fixture, "/dev/null", &error), -ENOTDIR);
        ck_assert_errno(fixture_write_dir(fixture, "/nosuch/x", &error), -ENOENT);
        ck_assert_errno(fixture_write_sparse("/nosuch/x", NULL, 1, &error), -ENOENT);
        ck_assert_errno(fixture_write_sparse(path, NULL, UINT64_MAX, &error), -EFBIG);
}
END_TEST

START_TEST(a_sparse_blob_has_its_size_and_digest_and_takes_no_room)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *content;
        char file[8192];
        struct stat st;
        size_t len;

        ck_assert_ok(fixture_write_sparse(path, "latest", 3000000, NULL));
        ck_assert_ok(layout_open(path, &layout, NULL));
        ck_assert_ok(layout_find(layout, "latest", &content, NULL));
        manifest = read_manifest(layout, content);
        ck_assert_uint_eq(manifest->n_entries, 1);
        ck_assert_int_eq(manifest->entries[0].size, 3000000);
        ck_assert_ok(layout_read_blob(layout, manifest->entries[0].digest, 3000000, &data, &len, NULL));
        ck_assert_uint_eq(len, 3000000);
        snprintf(file, sizeof(file), "%s/blobs/sha256/%s", path, digest_hex(manifest->entries[0].digest));
        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_int_lt(st.st_blocks * 512, 1000000);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("fixture");
        TCase *tcase = tcase_create("fixture");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_loop_test(tcase, no_fixture_has_changed_and_each_has_the_sizes_of_its_name, 0,
                            ARRAY_SIZE(pinned));
        tcase_add_test(tcase, every_fixture_is_pinned_and_found_by_its_name);
        tcase_add_loop_test(tcase, compressed_layers_are_read_by_the_libraries, 0, ARRAY_SIZE(compressed));
        tcase_add_test(tcase, lists_name_four_platforms_and_nested_ones_an_index_first);
        tcase_add_test(tcase, a_dir_has_the_same_manifest_as_a_layout);
        tcase_add_test(tcase, a_list_does_not_fit_into_a_dir);
        tcase_add_test(tcase, a_place_that_cannot_be_written_to_is_told);
        tcase_add_test(tcase, a_sparse_blob_has_its_size_and_digest_and_takes_no_room);
        return testing_main(suite);
}
