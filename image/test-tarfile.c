/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives, good, hostile and cut anywhere. Hostile ones are made with libarchive here, as the writer of the tree
 * makes none of them.
 */
#include "image/tarfile.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
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
#include "image/source.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

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

static const char *path_of(const char *name)
{
        static char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

/* An entry to write. */
struct hostile {
        const char *name;
        mode_t type;
        const char *data, *target;
        bool hard, sparse;
};

static void put_entry(struct archive *archive, const struct hostile *from)
{
        struct archive_entry *entry = archive_entry_new();
        size_t len = from->data ? strlen(from->data) : 0;

        archive_entry_set_pathname(entry, from->name);
        archive_entry_set_filetype(entry, from->type);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, from->sparse ? INT64_C(1) << 40 : (la_int64_t)len);
        if (from->sparse)
                archive_entry_sparse_add_entry(entry, 0, (la_int64_t)len);
        if (from->hard)
                archive_entry_set_hardlink(entry, from->target);
        else if (from->target)
                archive_entry_set_symlink(entry, from->target);
        ck_assert_int_eq(archive_write_header(archive, entry), ARCHIVE_OK);
        if (len > 0)
                ck_assert_int_eq(archive_write_data(archive, from->data, len), (la_ssize_t)len);
        archive_entry_free(entry);
}

static void put_hostile(const char *path, const struct hostile *entries, size_t n)
{
        struct archive *archive = archive_write_new();

        archive_write_set_format_pax(archive);
        ck_assert_int_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
        for (size_t i = 0; i < n; i++)
                put_entry(archive, &entries[i]);
        ck_assert_int_eq(archive_write_close(archive), ARCHIVE_OK);
        archive_write_free(archive);
}

static const struct {
        const char *name, *clean;
} names[] = {
        {"a", "a"},         {"./a", "a"},         {"a/", "a"},           {"/a", "a"},
        {"a//b", "a/b"},    {"a/./b", "a/b"},     {"a/../b", "b"},       {"../a", "a"},
        {"../../a", "a"},   {"a/b/../../c", "c"}, {"a/../../../b", "b"}, {"", "."},
        {".", "."},         {"/", "."},           {"..", "."},           {"a/..", "."},
        {"..a/b", "..a/b"}, {"a/b/..", "a"},      {".../a", ".../a"},
};

START_TEST(names_are_cleaned_and_never_lead_upwards)
{
        CLEANUP(cleanup_free) char *clean = tarfile_clean_name(names[_i].name);

        ck_assert_str_eq(clean, names[_i].clean);
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
        CLEANUP(cleanup_tarfile_reader_free) struct tarfile_reader *reader = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        struct tarfile_writer *writer;
        struct tarfile_item item;
        const char *path = path_of("x.tar");
        uint64_t size = 0;
        size_t len;

        ck_assert_ok(tarfile_writer_new(path, _i, &writer, NULL));
        ck_assert_ok(tarfile_writer_add(writer, "one", "first", 5, NULL));
        ck_assert_ok(tarfile_writer_add(writer, "empty", "", 0, NULL));
        ck_assert_ok(tarfile_writer_add_link(writer, "d/link", "../one", NULL));
        ck_assert_ok(tarfile_writer_add(writer, "two", "second", 6, NULL));
        ck_assert_ok(tarfile_writer_close(writer, NULL));

        ck_assert_ok(tarfile_reader_new(path, &reader));
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 1);
        ck_assert_str_eq(item.clean, "one");
        ck_assert_ok(tarfile_reader_read(reader, 5, &data, &len, NULL));
        ck_assert_str_eq(data, "first");
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 1);
        ck_assert_ok(tarfile_reader_copy(reader, -1, true, &size, NULL));
        ck_assert_int_eq(size, 0);
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 1);
        ck_assert_int_eq(item.kind, TARFILE_LINK);
        ck_assert_str_eq(item.target, "../one");
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 1);
        ck_assert_ptr_null(item.target);
        free(STEAL(data));
        ck_assert_errno(tarfile_reader_read(reader, 5, &data, &len, NULL), -EFBIG);
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 0);
}
END_TEST

START_TEST(no_more_is_read_than_was_allowed)
{
        CLEANUP(cleanup_tarfile_reader_free) struct tarfile_reader *reader = NULL;
        CLEANUP(cleanup_free) char *zeros = calloc(1, 300000), *data = NULL;
        struct tarfile_writer *writer;
        struct tarfile_item item;
        const char *path = path_of("x.tar");
        size_t len = 0;

        ck_assert_ok(tarfile_writer_new(path, false, &writer, NULL));
        ck_assert_ok(tarfile_writer_add(writer, "x", zeros, 300000, NULL));
        ck_assert_ok(tarfile_writer_add(writer, "y", zeros, 300000, NULL));
        ck_assert_ok(tarfile_writer_close(writer, NULL));
        ck_assert_ok(tarfile_reader_new(path, &reader));
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 1);
        ck_assert_ok(tarfile_reader_read(reader, 300000, &data, &len, NULL));
        ck_assert_int_eq(len, 300000);
        ck_assert_int_eq(tarfile_reader_next(reader, &item, NULL), 1);
        free(STEAL(data));
        ck_assert_errno(tarfile_reader_read(reader, 299999, &data, &len, NULL), -EFBIG);
}
END_TEST

START_TEST(archives_are_the_same_to_the_byte)
{
        const struct fixture *fixture = fixture_find("tar");
        CLEANUP(cleanup_free) char *one = NULL, *two = NULL;
        size_t one_len, two_len;

        ck_assert_ok(fixture_write_oci_archive(fixture, path_of("x"), "latest", _i, NULL));
        ck_assert_ok(read_file_at(AT_FDCWD, path_of("x"), 1 << 20, &one, &one_len, NULL));
        ck_assert_ok(fixture_write_oci_archive(fixture, path_of("x"), "latest", _i, NULL));
        ck_assert_ok(read_file_at(AT_FDCWD, path_of("x"), 1 << 20, &two, &two_len, NULL));
        ck_assert_int_eq(one_len, two_len);
        ck_assert_int_eq(memcmp(one, two, one_len), 0);
        /* The time in gzip's header. */
        if (_i)
                ck_assert_int_eq(memcmp(one + 4, "\0\0\0\0", 4), 0);
}
END_TEST

START_TEST(what_is_no_file_is_not_opened)
{
        struct tarfile_reader *reader;
        const char *path = path_of("fifo");

        ck_assert_errno(tarfile_reader_new("/nosuch", &reader), -ENOENT);
        ck_assert_errno(tarfile_reader_new(folder, &reader), -EISDIR);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_errno(tarfile_reader_new(path, &reader), -EINVAL);
}
END_TEST

/* How many files are below the folder. */
static size_t count_files(const char *path)
{
        DIR *directory = opendir(path);
        struct dirent *entry;
        char below[4096];
        size_t n = 0;

        ck_assert_ptr_nonnull(directory);
        while ((entry = readdir(directory))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
                n += entry->d_type == DT_DIR ? count_files(below) : 1;
        }
        closedir(directory);
        return n;
}

START_TEST(unpacking_makes_nothing_but_a_layout)
{
        static const struct hostile entries[] = {
                {"../escaped", AE_IFREG, "x"},
                {"/escaped", AE_IFREG, "x"},
                {"other", AE_IFREG, "x"},
                {"blobs/sha256/../../../escaped", AE_IFREG, "x"},
                {"blobs/sha256/short", AE_IFREG, "x"},
                {"blobs/md5/" HEX, AE_IFREG, "x"},
                {"blobs/sha256", AE_IFLNK, NULL, "/tmp"},
                {"index.json", AE_IFLNK, NULL, "/etc/passwd"},
                {"oci-layout", AE_IFREG, NULL, "/etc/passwd", true},
                {"blobs/sha256/" HEX, AE_IFCHR},
                {"blobs/sha256/" HEX "/x", AE_IFREG, "x"},
                {"./blobs//sha256/" HEX, AE_IFREG, "first"},
                {"blobs/sha256/" HEX, AE_IFREG, "second"},
        };
        CLEANUP(cleanup_free) char *data = NULL, *archive = strdup(path_of("x.tar"));
        const char *to = path_of("to");
        char blob[4200];
        size_t len;

        put_hostile(archive, entries, ARRAY_SIZE(entries));
        ck_assert_int_eq(mkdir(to, 0700), 0);
        ck_assert_ok(tarfile_unpack_layout(archive, to, NULL));
        ck_assert_int_eq(count_files(folder), 2);
        snprintf(blob, sizeof(blob), "%s/blobs/sha256/" HEX, to);
        ck_assert_ok(read_file_at(AT_FDCWD, blob, 100, &data, &len, NULL));
        ck_assert_str_eq(data, "second");
}
END_TEST

START_TEST(a_sparse_file_is_refused_whatever_its_size)
{
        static const struct hostile entries[] = {{"index.json", AE_IFREG, "x", .sparse = true}};
        CLEANUP(cleanup_free) char *archive = strdup(path_of("x.tar"));
        struct cip_error error = {0};
        const char *to = path_of("to");

        put_hostile(archive, entries, 1);
        ck_assert_int_eq(mkdir(to, 0700), 0);
        ck_assert_errno(tarfile_unpack_layout(archive, to, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "sparse"));
}
END_TEST

/* Reads an image whole, as far as it goes. Returns the first error. */
static int try_image(const char *reference, struct cip_error *error)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        int r = image_open(reference, NULL, &image, error);

        for (size_t i = 0; r == 0 && i < image_parsed_manifest(image)->n_entries; i++) {
                CLEANUP_FD int fd = -1;

                r = image_open_blob(image, image_parsed_manifest(image)->entries[i].digest, &fd, NULL, error);
        }
        return r;
}

/* A cut in the end of an archive, which is zeros, takes nothing away. */
START_TEST(an_archive_that_is_cut_anywhere_is_a_clear_error)
{
        static const char *const kinds[] = {"oci-archive", "docker-archive"};
        CLEANUP(cleanup_free) char *path = strdup(path_of("x.tar"));
        const struct fixture *fixture = fixture_find("layers-1");
        size_t refused = 0, tried = 0;
        char reference[4200];
        struct stat st;

        for (size_t i = 0; i < 4; i++) {
                bool gzip = i >= 2;

                snprintf(reference, sizeof(reference), "%s:%s", kinds[i % 2], path);
                ck_assert_ok((i % 2 ? fixture_write_docker_archive
                                    : fixture_write_oci_archive)(fixture, path, NULL, gzip, NULL));
                ck_assert_int_eq(stat(path, &st), 0);
                ck_assert_ok(try_image(reference, NULL));
                for (off_t len = st.st_size; len > 0; len -= 97) {
                        struct cip_error error = {0};
                        int r;

                        ck_assert_int_eq(truncate(path, len), 0);
                        r = try_image(reference, &error);
                        ck_assert_msg(r == 0 || r == -EBADMSG || r == -ENOENT, "%lld bytes: %d", (long long)len,
                                      r);
                        ck_assert_int_eq(r == 0, error.message[0] == '\0');
                        tried++;
                        refused += r < 0;
                }
        }
        ck_assert_int_gt(refused, tried / 2);
}
END_TEST

START_TEST(what_is_no_archive_is_a_clear_error)
{
        static const struct {
                const char *data, *word;
        } files[] = {
                {"short", "unexpected EOF"},
                {"", "index.json"},
        };
        CLEANUP(cleanup_free) char *path = strdup(path_of("x"));
        char reference[4200], noise[2048];
        struct cip_error error = {0};
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        snprintf(reference, sizeof(reference), "oci-archive:%s", path);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                ck_assert_int_eq(ftruncate(fd, 0), 0);
                ck_assert_int_eq(pwrite(fd, files[i].data, strlen(files[i].data), 0),
                                 (ssize_t)strlen(files[i].data));
                ck_assert_errno(try_image(reference, &error), -EBADMSG);
                ck_assert_msg(strstr(error.message, files[i].word) != NULL, "%s", error.message);
        }
        memset(noise, 'x', sizeof(noise));
        ck_assert_int_eq(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
        ck_assert_errno(try_image(reference, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "invalid tar header"));
}
END_TEST

START_TEST(an_archive_is_unpacked_as_long_as_it_is_open)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *path = strdup(path_of("x.tar")), *temporary = strdup(path_of("tmp"));
        char reference[4200];
        CLEANUP_FD int fd = -1;
        struct cip_error error = {0};

        ck_assert_int_eq(mkdir(temporary, 0700), 0);
        setenv("TMPDIR", temporary, 1);
        ck_assert_ok(fixture_write_oci_archive(fixture_find("layers-1"), path, "v1", false, NULL));
        snprintf(reference, sizeof(reference), "oci-archive:%s:v1", path);
        ck_assert_ok(image_open(reference, NULL, &image, &error));
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_ok(image_open_blob(image, image_parsed_manifest(image)->config.digest, &fd, NULL, NULL));
        ck_assert_int_gt(count_files(temporary), 0);
        image_free(STEAL(image));
        ck_assert_int_eq(count_files(temporary), 0);
        ck_assert_errno(image_open(reference, NULL, &image, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "archive file not found"));
        ck_assert_int_eq(count_files(temporary), 0);
        unsetenv("TMPDIR");
}
END_TEST

START_TEST(every_good_fixture_is_served_from_an_archive)
{
        CLEANUP(cleanup_free) char *path = strdup(path_of("x.tar"));
        char reference[4200];
        int r;

        /* What 2,000 layers and 64 MiB show is shown by less. */
        if (!fixtures[_i].good || !strcmp(fixtures[_i].name, "layers-2000") ||
            !strcmp(fixtures[_i].name, "blob-64m"))
                return;
        ck_assert_ok(fixture_write_oci_archive(&fixtures[_i], path, "v1", true, NULL));
        snprintf(reference, sizeof(reference), "oci-archive:%s:v1", path);
        ck_assert_ok(try_image(reference, NULL));
        r = fixture_write_docker_archive(&fixtures[_i], path, "a:v1", true, NULL);
        if (fixtures[_i].list || fixtures[_i].artifact) {
                ck_assert_errno(r, -ENOTSUP);
                return;
        }
        ck_assert_ok(r);
        snprintf(reference, sizeof(reference), "docker-archive:%s:a:v1", path);
        ck_assert_ok(try_image(reference, NULL));
}
END_TEST

START_TEST(an_archive_that_cannot_be_written_is_a_clear_error)
{
        struct cip_error error = {0};

        ck_assert_errno(fixture_write_oci_archive(fixture_find("tar"), "/nosuch/x", NULL, false, &error),
                        -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "/nosuch/x"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("tarfile");
        TCase *tcase = tcase_create("tarfile");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_loop_test(tcase, names_are_cleaned_and_never_lead_upwards, 0, ARRAY_SIZE(names));
        tcase_add_loop_test(tcase, what_is_written_is_read_again, 0, 2);
        tcase_add_test(tcase, no_more_is_read_than_was_allowed);
        tcase_add_loop_test(tcase, archives_are_the_same_to_the_byte, 0, 2);
        tcase_add_test(tcase, what_is_no_file_is_not_opened);
        tcase_add_test(tcase, unpacking_makes_nothing_but_a_layout);
        tcase_add_test(tcase, a_sparse_file_is_refused_whatever_its_size);
        tcase_add_test(tcase, an_archive_that_is_cut_anywhere_is_a_clear_error);
        tcase_add_test(tcase, what_is_no_archive_is_a_clear_error);
        tcase_add_test(tcase, an_archive_is_unpacked_as_long_as_it_is_open);
        tcase_add_loop_test(tcase, every_good_fixture_is_served_from_an_archive, 0, (int)n_fixtures);
        tcase_add_test(tcase, an_archive_that_cannot_be_written_is_a_clear_error);
        return testing_main(suite);
}
