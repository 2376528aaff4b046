/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as a server opens them. The error messages in the table are those of skopeo 1.22.0, taken from it; "$"
 * is the test's folder.
 */
#include "image/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "image/digest.h"
#include "image/fixture.h"
#include "image/layout.h"

#define NO_SUCH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

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

/* @text with the folder in the place of each "$". The caller frees. */
static char *expand(const char *text)
{
        char *data = NULL;
        size_t len;
        FILE *stream = open_memstream(&data, &len);

        ck_assert_ptr_nonnull(stream);
        for (; *text; text++) {
                if (*text == '$')
                        fputs(folder, stream);
                else
                        putc(*text, stream);
        }
        ck_assert_int_eq(fclose(stream), 0);
        return data;
}

static void put_file(const char *name, const char *text)
{
        CLEANUP(cleanup_free) char *path = expand(name);
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(write_all(fd, text, strlen(text)));
}

static void put_fixture(const char *name, const char *where, const char *tag)
{
        CLEANUP(cleanup_free) char *path = expand(where);

        ck_assert_ok(fixture_write_oci(fixture_find(name), path, tag, NULL));
}

static void put_folder(const char *where)
{
        CLEANUP(cleanup_free) char *path = expand(where);

        ck_assert_int_eq(mkdir(path, 0777), 0);
}

/* ---- what goes wrong ---- */

static const char index_of_missing[] =
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
        "\",\"digest\":\"sha256:" NO_SUCH "\",\"size\":1}]}";

static void put_bad_images(void)
{
        put_fixture("layers-1", "$/good", "latest");
        put_fixture("layers-1", "$/two", "a");
        put_fixture("tar", "$/two", "b");
        put_fixture("broken-nested", "$/nested", NULL);
        put_fixture("broken-manifest", "$/cut", NULL);
        put_fixture("broken-schema-1", "$/schema-1", NULL);
        put_fixture("index", "$/index", NULL);
        put_folder("$/empty");
        put_folder("$/no-images");
        put_file("$/no-images/index.json", "{\"schemaVersion\":2,\"manifests\":[]}");
        put_folder("$/no-manifest");
        put_file("$/no-manifest/index.json", index_of_missing);
        put_folder("$/cut-index");
        put_file("$/cut-index/index.json", "{\"schemaVersion\":2,\"mani");
        put_folder("$/dir-cut");
        put_file("$/dir-cut/manifest.json", "{\"schemaVersion\":2,");
        put_folder("$/dir-list");
        put_file("$/dir-list/manifest.json", index_of_missing);
        put_file("$/file", "x");
}

#define HOST_MISSING "no image found in image index for architecture \"sparc\", variant \"\", OS \"linux\""

static const struct {
        const char *reference;
        int open_errno; /* 0: image_open_unread succeeds, and image_load fails */
        int load_errno;
        bool no_tag;
        const char *message;
        const char *architecture;
} bad[] = {
        {"", -EINVAL, 0, false, "Invalid image name \"\", expected colon-separated transport:reference"},
        {"foo", -EINVAL, 0, false, "Invalid image name \"foo\", expected colon-separated transport:reference"},
        {"nosuch:x", -EINVAL, 0, false, "Invalid image name \"nosuch:x\", unknown transport \"nosuch\""},
        {"docker://x", -EINVAL, 0, false,
         "this transport is not served here: use oci:DIR[:TAG], oci-archive:FILE[:TAG], dir:DIR, "
         "docker-archive:FILE[:NAME] or fake:NAME"},
        {"fake:nosuch", -ENOENT, 0, true, "there is no fixture named \"nosuch\" (cip-fixture list names them)"},
        {"oci:$/missing", -ENOENT, 0, false, "open $/missing/index.json: no such file or directory"},
        {"oci:$/missing:tag", -ENOENT, 0, false, "open $/missing/index.json: no such file or directory"},
        {"oci:$/missing/x:tag", -ENOENT, 0, false, "lstat $/missing: no such file or directory"},
        {"dir:$/missing/x", -ENOENT, 0, false, "lstat $/missing: no such file or directory"},
        {"oci:$/empty", -ENOENT, 0, false, "open $/empty/index.json: no such file or directory"},
        {"oci:$/file", -ENOTDIR, 0, false, "open $/file/index.json: not a directory"},
        {"oci:$/good:nosuch", -ENOENT, 0, true, "no descriptor found for reference \"nosuch\""},
        {"oci:$/good:a:b", -ENOENT, 0, true, "no descriptor found for reference \"a:b\""},
        {"oci:$/good:a b", -EINVAL, 0, false, "Invalid image a b"},
        {"oci:$/two", -EINVAL, 0, false, "more than one image in oci, choose an image"},
        {"oci:$/no-images", -ENOENT, 0, false, "more than one image in oci, choose an image"},
        {"oci:$/cut-index", -EBADMSG, 0, false, "$/cut-index/index.json: unexpected end of JSON input"},
        {"oci:$/no-manifest", 0, -ENOENT, false,
         "open $/no-manifest/blobs/sha256/" NO_SUCH ": no such file or directory"},
        {"oci:$/cut", 0, -EBADMSG, false, "unexpected end of JSON input"},
        {"oci:$/schema-1", 0, -ENOTSUP, false,
         "unsupported legacy manifest MIME type: application/vnd.docker.distribution.manifest.v1+json"},
        {"oci:$/nested", 0, -ENOTSUP, false,
         "unsupported manifest MIME type: application/vnd.oci.image.index.v1+json"},
        {"oci:$/index", 0, -ENOENT, false, HOST_MISSING, "sparc"},
        {"dir:$/missing", 0, -ENOENT, false, "open $/missing/manifest.json: no such file or directory"},
        {"dir:$/empty", 0, -ENOENT, false, "open $/empty/manifest.json: no such file or directory"},
        {"dir:$/file", 0, -ENOTDIR, false, "open $/file/manifest.json: not a directory"},
        {"dir:$/dir-cut", 0, -EBADMSG, false, "unexpected end of JSON input"},
        {"dir:$/dir-list", 0, -ENOENT, false,
         "open $/dir-list/" NO_SUCH ".manifest.json: no such file or directory"},
};

static void check_bad(size_t i)
{
        const struct platform platform = {bad[i].architecture, NULL, NULL};
        CLEANUP(cleanup_image_free) struct image *image = NULL, *at_once = NULL;
        CLEANUP(cleanup_free) char *reference = expand(bad[i].reference), *message = expand(bad[i].message);
        struct cip_error error = {0};
        bool no_tag = !bad[i].no_tag;
        int r = image_open_unread(reference, &platform, &image, &no_tag, &error);

        ck_assert_msg(r == bad[i].open_errno, "%s: opening returned %d", reference, r);
        ck_assert_msg(no_tag == bad[i].no_tag, "%s: no_tag is %d", reference, no_tag);
        for (int again = 0; r == 0 && again < 2; again++) {
                int load = image_load(image, &error);

                ck_assert_msg(load == bad[i].load_errno, "%s: loading returned %d", reference, load);
        }
        ck_assert_str_eq(error.message, message);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_errno(image_open(reference, &platform, &at_once, NULL),
                        bad[i].open_errno ? bad[i].open_errno : bad[i].load_errno);
}

/* In one go: making and removing all these layouts for each row takes its time on some file systems. */
START_TEST(what_cannot_be_opened_is_refused_when_and_as_servers_do)
{
        put_bad_images();
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_bad(i);
}
END_TEST

/* ---- what is understood, and not sent ---- */

/* Writes a blob into a layout. */
static void put_blob(const char *layout, const char *text, char ret_digest[DIGEST_TEXT_SIZE])
{
        char where[256];

        ck_assert_ok(digest_of(DIGEST_SHA256, text, strlen(text), ret_digest));
        snprintf(where, sizeof(where), "%s/blobs/sha256/%s", layout, digest_hex(ret_digest));
        put_file(where, text);
}

/* Makes a layout of a manifest that stands in so many lists, one in the other. */
static void put_chain(const char *layout, size_t lists, const char *media_type, const char *manifest)
{
        char text[1000], where[256], digest[DIGEST_TEXT_SIZE];

        put_folder(layout);
        snprintf(where, sizeof(where), "%s/blobs", layout);
        put_folder(where);
        snprintf(where, sizeof(where), "%s/blobs/sha256", layout);
        put_folder(where);
        put_blob(layout, manifest, digest);
        for (size_t i = 0;; i++) {
                snprintf(text, sizeof(text),
                         "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
                         "\",\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":999}]}",
                         media_type, digest);
                if (i == lists)
                        break;
                media_type = MEDIA_OCI_INDEX;
                put_blob(layout, text, digest);
        }
        snprintf(where, sizeof(where), "%s/index.json", layout);
        put_file(where, text);
}

#define SCHEMA_1_TYPE "application/vnd.docker.distribution.manifest.v1+json"
#define SCHEMA_1                                                                                        \
        "{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"x\"}],\"history\":[{\"v1Compatibility\":\"{" \
        "\\\"id\\\":"                                                                                   \
        "\\\"" NO_SUCH "\\\",\\\"author\\\":\\\"me\\\"}\"}]}"
#define SCHEMA_1_CONFIG                                                                                       \
        "{\"author\":\"me\",\"architecture\":\"\",\"os\":\"\",\"config\":{},\"rootfs\":{\"type\":\"layers\"," \
        "\"diff_ids\":[\"\"]},\"history\":[{\"created\":\"0001-01-01T00:00:00Z\",\"author\":\"me\"}]}"

static void check_not_sent(const char *where, const char *message, const char *config, size_t n_layers)
{
        CLEANUP(cleanup_free) char *reference = expand(where);
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        size_t len, n;

        ck_assert_ok(image_open_unread(reference, NULL, &image, NULL, &error));
        /* Either may be asked first. */
        for (int again = 0; again < 2; again++) {
                ck_assert_ok(image_resolve(image, &error));
                ck_assert_errno(image_load(image, &error), -ENOTSUP);
                ck_assert_str_eq(error.message, message);
        }
        image_layers(image, &n);
        ck_assert_uint_eq(n, n_layers);
        ck_assert_ok(image_read_oci_config(image, false, &text, &len, &error));
        if (config)
                ck_assert_str_eq(text, config);
}

START_TEST(a_config_is_read_of_what_is_not_sent)
{
        put_fixture("broken-nested", "$/nested", NULL);
        put_chain("$/one", 0, SCHEMA_1_TYPE, SCHEMA_1);
        put_chain("$/list", 1, SCHEMA_1_TYPE, SCHEMA_1);
        check_not_sent("oci:$/nested", "unsupported manifest MIME type: " MEDIA_OCI_INDEX, NULL, 1);
        check_not_sent("oci:$/one", "unsupported legacy manifest MIME type: " SCHEMA_1_TYPE, SCHEMA_1_CONFIG,
                       1);
        check_not_sent("oci:$/list", "unsupported legacy manifest MIME type: " SCHEMA_1_TYPE, SCHEMA_1_CONFIG,
                       1);
}
END_TEST

static const char docker_without_config[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST
        "\",\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"digest\":\"sha256:" NO_SUCH
        "\",\"size\":1},\"layers\":[{\"mediaType\":\"" MEDIA_DOCKER_LAYER_GZIP "\",\"digest\":\"sha256:" NO_SUCH
        "\",\"size\":1}]}";

START_TEST(layers_are_told_without_the_config)
{
        CLEANUP(cleanup_free) char *reference = expand("oci:$/docker");
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        struct cip_error error = {0};
        size_t n;

        put_chain("$/docker", 0, MEDIA_DOCKER_MANIFEST, docker_without_config);
        ck_assert_ok(image_open_unread(reference, NULL, &image, NULL, &error));
        ck_assert_errno(image_load(image, &error), -ENOENT);
        ck_assert_ok(image_resolve(image, &error));
        ck_assert_str_eq(image_layers(image, &n)->media_type, MEDIA_DOCKER_LAYER_GZIP);
        ck_assert_uint_eq(n, 1);
}
END_TEST

/* Appends a blank to a blob. */
static void tamper(const char *layout, const char *text)
{
        CLEANUP(cleanup_free) char *changed = NULL;
        char where[256], digest[DIGEST_TEXT_SIZE];

        ck_assert_ok(digest_of(DIGEST_SHA256, text, strlen(text), digest));
        ck_assert_int_ge(asprintf(&changed, "%s ", text), 0);
        snprintf(where, sizeof(where), "%s/blobs/sha256/%s", layout, digest_hex(digest));
        put_file(where, changed);
}

static const struct {
        const char *layout;
        size_t lists;
        const char *text;    /* innermost */
        bool tampered;       /* it is not what the list says any more */
        const char *message; /* its beginning */
} chains[] = {
        {"$/a", 1, SCHEMA_1, true, "Manifest does not match provided manifest digest sha256:"},
        {"$/b", 2, SCHEMA_1, true, "Image manifest does not match selected manifest digest sha256:"},
        {"$/c", 2, index_of_missing, false,
         "fetching target platform image selected from image index: open $/c/blobs/sha256/" NO_SUCH
         ": no such file or directory"},
        {"$/d", 2, "{\"schemaVersion\":2,\"manifests\":[]}", false,
         "choosing image instance: no image found in image index for "},
};

START_TEST(what_a_list_leads_to_is_verified)
{
        CLEANUP(cleanup_free) char *reference = NULL;
        CLEANUP(cleanup_free) char *message = expand(chains[_i].message);
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        struct cip_error error = {0};
        char where[256];

        put_chain(chains[_i].layout, chains[_i].lists, MEDIA_OCI_INDEX, chains[_i].text);
        if (chains[_i].tampered)
                tamper(chains[_i].layout, chains[_i].text);
        snprintf(where, sizeof(where), "oci:%s", chains[_i].layout);
        reference = expand(where);
        ck_assert_ok(image_open_unread(reference, NULL, &image, NULL, &error));
        ck_assert_int_lt(image_resolve(image, &error), 0);
        ck_assert_msg(strncmp(error.message, message, strlen(message)) == 0, "%s", error.message);
}
END_TEST

static const struct {
        const char *text, *path, *tag; /* @path NULL: refused */
} references[] = {
        {"/a/b", "/a/b", NULL},
        {"/a/b:", "/a/b", NULL},
        {"/a/b:tag", "/a/b", "tag"},
        {"", "", NULL},
        {":x", "", "x"},
        {"a:b:c", "a", "b:c"},
        {"a:docker.io/x/y:1@z", "a", "docker.io/x/y:1@z"},
        {"a:a--b", "a", "a--b"},
        {"a:-x", NULL, NULL},
        {"a:x-", NULL, NULL},
        {"a:x//y", NULL, NULL},
        {"a:/x", NULL, NULL},
        {"a:x/", NULL, NULL},
        {"a:a---b", NULL, NULL},
        {"a:@x", NULL, NULL},
        {"a:x y", NULL, NULL},
        {"a:\xc3\xa4", NULL, NULL},
};

START_TEST(oci_references_are_taken_apart_as_servers_do)
{
        CLEANUP(cleanup_free) char *path = NULL;
        CLEANUP(cleanup_free) char *tag = NULL;
        struct cip_error error = {0};

        ck_assert_errno(oci_reference_parse(references[_i].text, &path, &tag, &error),
                        references[_i].path ? 0 : -EINVAL);
        if (!references[_i].path) {
                ck_assert_ptr_nonnull(strstr(error.message, "Invalid image "));
                return;
        }
        ck_assert_str_eq(path, references[_i].path);
        ck_assert_pstr_eq(tag, references[_i].tag);
}
END_TEST

/* ---- what goes well ---- */

static int hash_file(int fd, enum digest_algorithm algorithm, char ret[DIGEST_TEXT_SIZE], uint64_t *ret_size)
{
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        static char buffer[1 << 16];
        ssize_t n;

        *ret_size = 0;
        ck_assert_ok(digest_new(algorithm, &digest));
        while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
                ck_assert_ok(digest_update(digest, buffer, (size_t)n));
                *ret_size += (uint64_t)n;
        }
        return n < 0 ? -errno : digest_finish(digest, ret);
}

static void check_layers(struct image *image)
{
        const struct manifest *manifest = image_parsed_manifest(image);

        for (size_t i = 0; i < manifest->n_entries; i++) {
                const struct content *layer = &manifest->entries[i];
                enum digest_algorithm algorithm;
                CLEANUP_FD int fd = -1;
                char digest[DIGEST_TEXT_SIZE];
                uint64_t size, read_size;

                ck_assert(digest_parse(layer->digest, &algorithm));
                ck_assert_ok(image_open_blob(image, layer->digest, &fd, &size, NULL));
                ck_assert_uint_eq(size, (uint64_t)layer->size);
                ck_assert_ok(hash_file(fd, algorithm, digest, &read_size));
                ck_assert_uint_eq(read_size, size);
                ck_assert_str_eq(digest, layer->digest);
        }
}

/* A fixture's config is in the form that servers rewrite it to, so that both readings agree. */
static void check_config(struct image *image, bool artifact)
{
        CLEANUP(cleanup_free) char *raw = NULL;
        CLEANUP(cleanup_free) char *sent = NULL;
        struct cip_error error = {0};
        size_t raw_len, sent_len;

        ck_assert_ok(image_read_config(image, &raw, &raw_len, NULL));
        if (artifact) {
                ck_assert_errno(image_read_oci_config(image, false, &sent, &sent_len, &error), -ENOTSUP);
                ck_assert_str_eq(error.message, "unsupported image-specific operation on artifact with type "
                                                "\"application/vnd.example.fixture\"");
                return;
        }
        ck_assert_ok(image_read_oci_config(image, false, &sent, &sent_len, NULL));
        ck_assert_str_eq(sent, raw);
        free(STEAL(sent));
        ck_assert_ok(image_read_oci_config(image, true, &sent, &sent_len, NULL));
        ck_assert_ptr_nonnull(strstr(sent, "\"Labels\":{\"fixture\":"));
}

static void check_image(struct image *image, bool artifact)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        const char *text;
        size_t len;

        text = image_manifest(image, &len);
        ck_assert_ok(manifest_parse(text, len, &manifest, NULL));
        ck_assert_int_eq(manifest->kind, MANIFEST_OCI);
        ck_assert_str_eq(manifest->config.digest, image_parsed_manifest(image)->config.digest);
        ck_assert_int_eq(manifest->config.size, image_parsed_manifest(image)->config.size);
        check_config(image, artifact);
        check_layers(image);
}

START_TEST(every_good_fixture_can_be_read_whole)
{
        const struct platform platform = {"arm64", NULL, NULL};
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        char reference[64];

        if (!fixtures[_i].good)
                return;
        snprintf(reference, sizeof(reference), "fake:%s", fixtures[_i].name);
        ck_assert_ok(image_open(reference, &platform, &image, NULL));
        check_image(image, fixtures[_i].artifact);
        ck_assert_int_eq(strcmp(image_digest(image), image_list_digest(image)) != 0, fixtures[_i].list);
        ck_assert_int_eq(image_parsed_manifest(image)->kind == MANIFEST_DOCKER, fixtures[_i].docker);
}
END_TEST

START_TEST(every_good_fixture_but_lists_can_be_read_from_a_dir)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *path = expand("$/x"), *reference = expand("dir:$/x");

        /* What 2,000 layers show is shown by 300. */
        if (!fixtures[_i].good || fixtures[_i].list || strcmp(fixtures[_i].name, "layers-2000") == 0)
                return;
        ck_assert_ok(fixture_write_dir(&fixtures[_i], path, NULL));
        ck_assert_ok(image_open(reference, NULL, &image, NULL));
        check_image(image, fixtures[_i].artifact);
        ck_assert_str_eq(image_digest(image), image_list_digest(image));
}
END_TEST

START_TEST(every_broken_fixture_is_refused_where_it_says)
{
        const struct fixture *fixture = &fixtures[_i];
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *layer;
        char reference[64], digest[DIGEST_TEXT_SIZE];
        CLEANUP_FD int fd = -1;
        uint64_t size;
        size_t len;
        int r;

        if (fixture->good)
                return;
        snprintf(reference, sizeof(reference), "fake:%s", fixture->name);
        ck_assert_ok(image_open_unread(reference, NULL, &image, NULL, NULL));
        r = image_load(image, NULL);
        ck_assert_int_eq(r < 0, strcmp(fixture->refused_by, "GetManifest") == 0);
        if (r < 0)
                return;
        r = image_read_oci_config(image, false, &text, &len, NULL);
        ck_assert_int_eq(r < 0, strcmp(fixture->refused_by, "GetFullConfig") == 0);
        if (r < 0)
                return;
        ck_assert_str_eq(fixture->refused_by, "GetBlob");
        layer = &image_parsed_manifest(image)->entries[0];
        r = image_open_blob(image, layer->digest, &fd, &size, NULL);
        if (r < 0)
                ck_assert_int_eq(r, -ENOENT);
        else
                ck_assert_ok(hash_file(fd, DIGEST_SHA256, digest, &size));
        ck_assert(r < 0 || size != (uint64_t)layer->size || strcmp(digest, layer->digest) != 0);
}
END_TEST

START_TEST(the_platform_asked_for_is_served_and_its_list_is_remembered)
{
        CLEANUP(cleanup_image_free) struct image *one = NULL, *other = NULL;

        ck_assert_ok(image_open("fake:index", &(struct platform){"amd64", "linux", NULL}, &one, NULL));
        ck_assert_ok(image_open("fake:index", &(struct platform){"s390x", "linux", NULL}, &other, NULL));
        ck_assert_str_ne(image_digest(one), image_digest(other));
        ck_assert_str_eq(image_list_digest(one), image_list_digest(other));
}
END_TEST

START_TEST(a_manifest_that_was_changed_has_the_digest_of_what_it_is)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *path = expand("$/x"), *reference = expand("oci:$/x:latest");
        CLEANUP(cleanup_free) char *text = NULL, *changed = NULL;
        const struct content *entry;
        char name[256], digest[DIGEST_TEXT_SIZE];
        size_t len;

        put_fixture("layers-1", "$/x", "latest");
        ck_assert_ok(layout_open(path, &layout, NULL));
        ck_assert_ok(layout_find(layout, "latest", &entry, NULL));
        ck_assert_ok(layout_read_blob(layout, entry->digest, MANIFEST_MAX, &text, &len, NULL));
        ck_assert_int_gt(asprintf(&changed, "%s\n", text), 0);
        snprintf(name, sizeof(name), "$/x/blobs/sha256/%s", digest_hex(entry->digest));
        put_file(name, changed);
        ck_assert_ok(image_open(reference, NULL, &image, NULL));
        ck_assert_ok(digest_of(DIGEST_SHA256, changed, strlen(changed), digest));
        ck_assert_str_eq(image_digest(image), digest);
}
END_TEST

START_TEST(a_changed_config_is_refused)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *reference = expand("oci:$/x");
        struct cip_error error = {0};
        char name[256], *text;
        size_t len;

        put_fixture("layers-1", "$/x", "latest");
        ck_assert_ok(image_open(reference, NULL, &image, NULL));
        snprintf(name, sizeof(name), "$/x/blobs/sha256/%s",
                 digest_hex(image_parsed_manifest(image)->config.digest));
        put_file(name, "{}");
        ck_assert_errno(image_read_config(image, &text, &len, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "Download config.json digest sha256:44136fa355"));
        ck_assert_errno(image_read_oci_config(image, false, &text, &len, &error), -EBADMSG);
}
END_TEST

START_TEST(a_blob_that_is_no_digest_or_not_there_is_refused)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *reference = expand("oci:$/x");
        CLEANUP(cleanup_free)
        char *message = expand("open $/x/blobs/sha256/" NO_SUCH ": no such file or directory");
        struct cip_error error = {0};
        int fd;

        put_fixture("layers-1", "$/x", "latest");
        ck_assert_ok(image_open(reference, NULL, &image, NULL));
        ck_assert_errno(image_open_blob(image, "sha256:../../index.json", &fd, NULL, &error), -EINVAL);
        ck_assert_str_eq(error.message, "invalid checksum digest length");
        ck_assert_errno(image_open_blob(image, "sha256:" NO_SUCH, &fd, NULL, &error), -ENOENT);
        ck_assert_str_eq(error.message, message);
}
END_TEST

START_TEST(no_link_leads_out_of_a_dir)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *path = expand("$/x"), *reference = expand("dir:$/x");
        CLEANUP(cleanup_free) char *link = expand("$/x/" NO_SUCH);
        int fd;

        ck_assert_ok(fixture_write_dir(fixture_find("layers-1"), path, NULL));
        ck_assert_int_eq(symlink("/etc/passwd", link), 0);
        ck_assert_ok(image_open(reference, NULL, &image, NULL));
        ck_assert_errno(image_open_blob(image, "sha256:" NO_SUCH, &fd, NULL, NULL), -ELOOP);
}
END_TEST

/* The folder that a descriptor's file is in, by the error message of a blob that is not there. */
static void fake_folder(struct image *image, char ret[4096])
{
        struct cip_error error = {0};
        int fd;

        ck_assert_errno(image_open_blob(image, "sha256:" NO_SUCH, &fd, NULL, &error), -ENOENT);
        ck_assert_int_eq(sscanf(error.message, "open %4095[^:]", ret), 1);
        *strstr(ret, "/blobs/") = '\0';
}

START_TEST(a_fixture_is_made_once_and_goes_with_its_last_image)
{
        struct image *one, *two;
        char first[4096], second[4096];

        ck_assert_ok(image_open("fake:layers-1", NULL, &one, NULL));
        ck_assert_ok(image_open("fake:layers-1", NULL, &two, NULL));
        fake_folder(one, first);
        fake_folder(two, second);
        ck_assert_str_eq(first, second);
        image_free(one);
        ck_assert_int_eq(access(first, F_OK), 0);
        image_free(two);
        ck_assert_int_eq(access(first, F_OK), -1);
        image_free(NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("source");
        TCase *tcase = tcase_create("source");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, what_cannot_be_opened_is_refused_when_and_as_servers_do);
        tcase_add_test(tcase, a_config_is_read_of_what_is_not_sent);
        tcase_add_test(tcase, layers_are_told_without_the_config);
        tcase_add_loop_test(tcase, what_a_list_leads_to_is_verified, 0, ARRAY_SIZE(chains));
        tcase_add_loop_test(tcase, oci_references_are_taken_apart_as_servers_do, 0, ARRAY_SIZE(references));
        tcase_add_loop_test(tcase, every_good_fixture_can_be_read_whole, 0, (int)n_fixtures);
        tcase_add_loop_test(tcase, every_good_fixture_but_lists_can_be_read_from_a_dir, 0, (int)n_fixtures);
        tcase_add_loop_test(tcase, every_broken_fixture_is_refused_where_it_says, 0, (int)n_fixtures);
        tcase_add_test(tcase, the_platform_asked_for_is_served_and_its_list_is_remembered);
        tcase_add_test(tcase, a_manifest_that_was_changed_has_the_digest_of_what_it_is);
        tcase_add_test(tcase, a_changed_config_is_refused);
        tcase_add_test(tcase, a_blob_that_is_no_digest_or_not_there_is_refused);
        tcase_add_test(tcase, no_link_leads_out_of_a_dir);
        tcase_add_test(tcase, a_fixture_is_made_once_and_goes_with_its_last_image);
        return testing_main(suite);
}
