/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker-archive: images as servers present them. The messages are those of skopeo 1.22.0, taken from it.
 */
#include "image/docker-archive.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "image/digest.h"
#include "image/tarfile.h"

static char *folder, *path;

static void setup(void)
{
        testing_fds_setup();
        ck_assert_ok(tmpdir_new("cip-test", &folder, NULL));
        ck_assert_int_gt(asprintf(&path, "%s/x.tar", folder), 0);
}

static void teardown(void)
{
        free(path);
        tmpdir_remove(folder);
        testing_fds_teardown();
}

static const char *const layers[2] = {"gamma", "delta!"};
static char digests[2][DIGEST_TEXT_SIZE];

/* The config of an image of layers; -1 ends them. The caller frees. */
static char *config_of(const int *which)
{
        char *text = NULL;
        size_t len;
        FILE *to = open_memstream(&text, &len);

        ck_assert_ptr_nonnull(to);
        fputs("{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[",
              to);
        for (int i = 0; which[i] >= 0; i++) {
                ck_assert_ok(digest_of(DIGEST_SHA256, layers[which[i]], strlen(layers[which[i]]),
                                       digests[which[i]]));
                fprintf(to, "%s\"%s\"", i ? "," : "", digests[which[i]]);
        }
        fputs("]}}", to);
        fclose(to);
        return text;
}

/* An archive of: c.json, an image of both layers; one.json, of the first; l0, l1; links; manifest.json. */
static void put_archive(const char *items)
{
        CLEANUP(cleanup_free) char *both = config_of((const int[]){0, 1, -1});
        CLEANUP(cleanup_free) char *one = config_of((const int[]){0, -1});
        CLEANUP(cleanup_free) char *twice = config_of((const int[]){0, 0, -1});
        struct tarfile_writer *writer;

        ck_assert_ok(tarfile_writer_new(path, false, &writer, NULL));
        ck_assert_ok(tarfile_writer_add(writer, "c.json", both, strlen(both), NULL));
        ck_assert_ok(tarfile_writer_add(writer, "one.json", one, strlen(one), NULL));
        ck_assert_ok(tarfile_writer_add(writer, "twice.json", twice, strlen(twice), NULL));
        ck_assert_ok(tarfile_writer_add(writer, "array.json", "[]", 2, NULL));
        ck_assert_ok(tarfile_writer_add(writer, "./l0", layers[0], strlen(layers[0]), NULL));
        ck_assert_ok(tarfile_writer_add(writer, "l1", layers[1], strlen(layers[1]), NULL));
        ck_assert_ok(tarfile_writer_add_link(writer, "d/link", "../l0", NULL));
        ck_assert_ok(tarfile_writer_add_link(writer, "d/out", "../../../etc/passwd", NULL));
        ck_assert_ok(tarfile_writer_add_link(writer, "d/chain", "link", NULL));
        if (items)
                ck_assert_ok(tarfile_writer_add(writer, "manifest.json", items, strlen(items), NULL));
        ck_assert_ok(tarfile_writer_close(writer, NULL));
}

/* Opens and loads. The manifest is borrowed from *@ret. */
static int load(const char *reference, unsigned quirks, struct docker_archive **ret, const char **ret_manifest,
                struct cip_error *error)
{
        CLEANUP(cleanup_docker_archive_free) struct docker_archive *archive = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        int r;

        ck_assert_int_gt(asprintf(&text, "%s%s", path, reference), 0);
        r = docker_archive_open(text, &archive, error);
        if (r < 0)
                return r;
        docker_archive_set_quirks(archive, quirks);
        r = docker_archive_load(archive, ret_manifest, &len, error);
        if (r < 0)
                return r;
        ck_assert_int_eq(strlen(*ret_manifest), len);
        *ret = STEAL(archive);
        return 0;
}

#define ITEM(config, tags, layers_) "{\"Config\":\"" config "\",\"RepoTags\":" tags ",\"Layers\":[" layers_ "]}"
#define BOTH ITEM("c.json", "[\"both:v1\"]", "\"l0\",\"l1\"")
#define ONE ITEM("one.json", "[\"example.com/one\",\"library/uno:x\"]", "\"l0\"")

/* items, reference, when (open or load), errno, message */
static const struct {
        const char *items, *reference;
        int expected;
        const char *message;
} refused[] = {
        {NULL, "", -EBADMSG, "loading tar component \"manifest.json\": file does not exist"},
        {"{}", "", -EBADMSG,
         "decoding tar manifest.json: json: cannot unmarshal object into Go value of type "
         "[]tarfile.ManifestItem"},
        {"[{", "", -EBADMSG, "decoding tar manifest.json: "},
        {"[]", "", -EBADMSG, "Unexpected tar manifest.json: expected 1 item, got 0"},
        {"[" BOTH "," ONE "]", "", -EINVAL, "Unexpected tar manifest.json: expected 1 item, got 2"},
        {"[" BOTH "," ONE "]", ":@2", -ENOENT, "Invalid source index @2, only 2 manifest items available"},
        {"[" BOTH "]", ":@-1", -EINVAL, "Invalid source index @-1: must not be negative"},
        {"[" BOTH "]", ":@x", -EINVAL, "Invalid source index @x: strconv.Atoi: parsing \"x\": invalid syntax"},
        {"[" BOTH "]", ":@", -EINVAL, "Invalid source index @: strconv.Atoi: parsing \"\": invalid syntax"},
        {"[" BOTH "]", ":@99999999999999999999", -EINVAL, "value out of range"},
        {"[" BOTH "]", ":none", -ENOENT, "Tag \"docker.io/library/none:latest\" not found"},
        {"[" BOTH "]", ":both:v2", -ENOENT, "Tag \"docker.io/library/both:v2\" not found"},
        {"[" BOTH "]", ":", -EINVAL, "docker-archive parsing reference: invalid reference format"},
        {"[" ITEM("none.json", "null", "") "]", "", -EBADMSG,
         "loading tar component \"none.json\": file does not exist"},
        {"[{}]", "", -EBADMSG, "loading tar component \"\": file does not exist"},
        {"[" ITEM("array.json", "null", "") "]", "", -EBADMSG,
         "decoding tar config \"array.json\": json: cannot unmarshal array into Go value of type "
         "manifest.Schema2Image"},
        {"[" ITEM("c.json", "null", "\"l0\"") "]", "", -EBADMSG,
         "Inconsistent layer count: 1 in manifest, 2 in config"},
        {"[" ITEM("c.json", "null", "\"l0\",\"l0\"") "]", "", -EBADMSG,
         "Layer tarfile \"l0\" used for two different DiffID values"},
        {"[" ITEM("one.json", "null", "\"l7\"") "]", "", -EBADMSG,
         "Some layer tarfiles are missing in the tarball"},
        {"[" ITEM("d/out", "null", "") "]", "", -EBADMSG,
         "loading tar component \"d/out\": file does not exist"},
        {"[" ITEM("one.json", "null", "\"d/chain\"") "]", "", -EBADMSG, "not a regular file"},
        {"[" ITEM("one.json", "[\"UPPER\"]", "\"l0\"") "]", ":a", -EBADMSG,
         "Invalid tag \"UPPER\" in manifest.json item @0: invalid reference format: repository name must be "
         "lowercase"},
};

START_TEST(what_is_wrong_is_told_as_servers_do)
{
        struct docker_archive *archive;
        struct cip_error error = {0};
        const char *manifest;

        put_archive(refused[_i].items);
        ck_assert_errno(load(refused[_i].reference, 0, &archive, &manifest, &error), refused[_i].expected);
        ck_assert_msg(strstr(error.message, refused[_i].message) != NULL, "%s", error.message);
}
END_TEST

START_TEST(a_file_that_is_not_there_or_no_file_is_refused)
{
        struct docker_archive *archive;
        struct cip_error error = {0};

        ck_assert_errno(docker_archive_open("/nosuch/x", &archive, &error), -ENOENT);
        ck_assert_str_eq(error.message,
                         "opening file \"/nosuch/x\": open /nosuch/x: no such file or directory");
        ck_assert_errno(docker_archive_open(folder, &archive, &error), -EISDIR);
        ck_assert_ptr_nonnull(strstr(error.message, "is a directory"));
        ck_assert_errno(docker_archive_open("", &archive, &error), -EINVAL);
}
END_TEST

static const struct {
        const char *reference, *config;
} picked[] = {
        {":both:v1", "c.json"},
        {":@0", "c.json"},
        {":@1", "one.json"},
        {":example.com/one", "one.json"},
        {":uno:x", "one.json"},
        {":docker.io/library/both:v1", "c.json"},
        {":index.docker.io/both:v1", "c.json"},
};

START_TEST(an_image_is_picked_by_name_or_number)
{
        CLEANUP(cleanup_docker_archive_free) struct docker_archive *archive = NULL;
        CLEANUP(cleanup_free)
        char *config = config_of(strcmp(picked[_i].config, "c.json") == 0 ? (const int[]){0, 1, -1}
                                                                          : (const int[]){0, -1});
        char digest[DIGEST_TEXT_SIZE];
        const char *manifest;

        put_archive("[" BOTH "," ONE "]");
        ck_assert_ok(digest_of(DIGEST_SHA256, config, strlen(config), digest));
        ck_assert_ok(load(picked[_i].reference, 0, &archive, &manifest, NULL));
        ck_assert_ptr_nonnull(strstr(manifest, digest));
}
END_TEST

START_TEST(the_manifest_is_docker_s_of_unpacked_layers)
{
        CLEANUP(cleanup_docker_archive_free) struct docker_archive *archive = NULL;
        const char *manifest;
        char wanted[1000];

        put_archive("[" ITEM("one.json", "null", "\"./l0\"") "]");
        ck_assert_ok(load("", 0, &archive, &manifest, NULL));
        snprintf(wanted, sizeof(wanted),
                 "\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar\",\"size\":5,"
                 "\"digest\":\"%s\"}]}",
                 digests[0]);
        ck_assert_ptr_nonnull(strstr(manifest, wanted));
        docker_archive_free(STEAL(archive));
        ck_assert_ok(load("", DOCKER_ARCHIVE_SAYS_GZIP, &archive, &manifest, NULL));
        ck_assert_ptr_nonnull(strstr(manifest, "diff.tar.gzip\",\"size\":5"));
}
END_TEST

START_TEST(a_link_counts_what_it_leads_to_but_for_servers)
{
        CLEANUP(cleanup_docker_archive_free) struct docker_archive *archive = NULL;
        const char *manifest;

        put_archive("[" ITEM("one.json", "null", "\"d/link\"") "]");
        ck_assert_ok(load("", 0, &archive, &manifest, NULL));
        ck_assert_ptr_nonnull(strstr(manifest, "\"size\":5,"));
        docker_archive_free(STEAL(archive));
        ck_assert_ok(load("", DOCKER_ARCHIVE_EMPTY_LINKS, &archive, &manifest, NULL));
        ck_assert_ptr_nonnull(strstr(manifest, "\"size\":0,"));
}
END_TEST

START_TEST(a_layer_that_is_there_twice_is_one_blob)
{
        CLEANUP(cleanup_docker_archive_free) struct docker_archive *archive = NULL;
        const char *manifest, *first;

        put_archive("[" ITEM("twice.json", "null", "\"l0\",\"l0\"") "]");
        ck_assert_ok(load("", 0, &archive, &manifest, NULL));
        first = strstr(manifest, digests[0]);
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_nonnull(strstr(first + 1, digests[0]));
}
END_TEST

static void expect_blob(struct docker_archive *archive, const char *digest, const char *wanted)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP_FD int fd = -1;
        uint64_t size = 0;
        size_t len;

        ck_assert_ok(docker_archive_open_blob(archive, digest, &fd, &size, NULL));
        ck_assert_ok(read_to_end(fd, 4096, DEADLINE_NEVER, &data, &len));
        ck_assert_str_eq(data, wanted);
        ck_assert_int_eq(size, len);
}

START_TEST(blobs_are_the_config_and_the_layers)
{
        CLEANUP(cleanup_docker_archive_free) struct docker_archive *archive = NULL;
        CLEANUP(cleanup_free) char *config = config_of((const int[]){0, 1, -1});
        char digest[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};
        const char *manifest;
        int fd;

        put_archive("[" BOTH "]");
        ck_assert_ok(load("", 0, &archive, &manifest, NULL));
        ck_assert_ok(digest_of(DIGEST_SHA256, config, strlen(config), digest));
        expect_blob(archive, digest, config);
        expect_blob(archive, digests[0], layers[0]);
        expect_blob(archive, digests[1], layers[1]);
        ck_assert_ok(digest_of(DIGEST_SHA256, "", 0, digest));
        ck_assert_errno(docker_archive_open_blob(archive, digest, &fd, NULL, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "Unknown blob sha256:e3b0"));
}
END_TEST

/* reference, what it is in full or (errno) why not */
static const struct {
        const char *text, *full;
        int expected;
} names[] = {
        {"a", "docker.io/library/a:latest", 0},
        {"a/b:c", "docker.io/a/b:c", 0},
        {"localhost/a", "localhost/a:latest", 0},
        {"h:1/a:2", "h:1/a:2", 0},
        {"Host.io/a", "Host.io/a:latest", 0},
        {"a__b-c---d.e", "docker.io/library/a__b-c---d.e:latest", 0},
        {"index.docker.io/x", "docker.io/library/x:latest", 0},
        {"docker.io/a/b", "docker.io/a/b:latest", 0},
        {"", "invalid reference format", -EINVAL},
        {"a:", "invalid reference format", -EINVAL},
        {"a:-b", "invalid reference format", -EINVAL},
        {"a//b", "invalid reference format", -EINVAL},
        {"a..b", "invalid reference format", -EINVAL},
        {"a___b", "invalid reference format", -EINVAL},
        {"-a", "invalid reference format", -EINVAL},
        {"a b", "invalid reference format", -EINVAL},
        {"h:x/a", "invalid reference format", -EINVAL},
        {"Upper", "repository name must be lowercase", -EINVAL},
        {"Upper/a", "repository name must be lowercase", -EINVAL},
        {"a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "reference does not include a tag", -EINVAL},
        {"a:b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "doesn't support digest references", -EINVAL},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "cannot specify 64-byte hexadecimal strings", -EINVAL},
};

START_TEST(names_are_completed_as_docker_does)
{
        CLEANUP(cleanup_free) char *full = NULL;
        struct cip_error error = {0};

        ck_assert_errno(docker_reference_normalize(names[_i].text, &full, &error), names[_i].expected);
        if (names[_i].expected == 0)
                ck_assert_str_eq(full, names[_i].full);
        else
                ck_assert_msg(strstr(error.message, names[_i].full) != NULL, "%s", error.message);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("docker-archive");
        TCase *tcase = tcase_create("docker-archive");

        tcase_set_timeout(tcase, 120);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_loop_test(tcase, what_is_wrong_is_told_as_servers_do, 0, ARRAY_SIZE(refused));
        tcase_add_test(tcase, a_file_that_is_not_there_or_no_file_is_refused);
        tcase_add_loop_test(tcase, an_image_is_picked_by_name_or_number, 0, ARRAY_SIZE(picked));
        tcase_add_test(tcase, the_manifest_is_docker_s_of_unpacked_layers);
        tcase_add_test(tcase, a_link_counts_what_it_leads_to_but_for_servers);
        tcase_add_test(tcase, a_layer_that_is_there_twice_is_one_blob);
        tcase_add_test(tcase, blobs_are_the_config_and_the_layers);
        tcase_add_loop_test(tcase, names_are_completed_as_docker_does, 0, ARRAY_SIZE(names));
        return testing_main(suite);
}
