/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layouts on disk: what a writer leaves behind when all goes well, when it is killed, when the disk is full and
 * when another writes at the same time; and that a reader cannot be led out of the folder.
 */
#include "image/layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"

#define NO_SUCH "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char *folder;
static char path[4096]; /* the layout in it */

static void setup(void)
{
        testing_fds_setup();
        ck_assert_ok(tmpdir_new("cip-test", &folder, NULL));
        snprintf(path, sizeof(path), "%s/layout", folder);
}

static void teardown(void)
{
        tmpdir_remove(folder);
        testing_fds_teardown();
}

static const char *below(const char *name)
{
        static char text[4096 + 256];

        snprintf(text, sizeof(text), "%s/%s", path, name);
        return text;
}

static void put_file(const char *name, const char *text)
{
        CLEANUP_FD int fd = open(below(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(write_all(fd, text, strlen(text)));
}

static void get_file(const char *name, char **ret)
{
        size_t len;

        ck_assert_ok(read_file_at(AT_FDCWD, below(name), 1 << 20, ret, &len, NULL));
}

/* Files in the layout's root that begin so. */
static size_t count_files(const char *prefix)
{
        DIR *directory = opendir(path);
        struct dirent *entry;
        size_t n = 0;

        ck_assert_ptr_nonnull(directory);
        while ((entry = readdir(directory))) {
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
        }
        closedir(directory);
        return n;
}

/* Adds a blob that is its own manifest, as far as a layout knows. */
static int add(struct layout *layout, const char *text, const char *tag, struct cip_error *error)
{
        char digest[DIGEST_TEXT_SIZE];
        int r = layout_write_blob(layout, DIGEST_SHA256, text, strlen(text), digest, error);

        return r < 0 ? r
                     : layout_add_manifest(layout, MEDIA_OCI_MANIFEST, digest, (int64_t)strlen(text), tag, NULL,
                                           error);
}

/* Everything that index.json names is there and whole. Returns how many entries there are. */
static size_t check_valid(void)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *index = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        int r = layout_open(path, &layout, &error);

        if (r == -ENOENT)
                return 0;
        ck_assert_msg(r == 0, "%s", error.message);
        get_file("index.json", &text);
        ck_assert_ok(manifest_parse(text, strlen(text), &index, NULL));
        for (size_t i = 0; i < index->n_entries; i++) {
                CLEANUP(cleanup_free) char *blob = NULL;
                size_t len;

                ck_assert_msg(
                        layout_read_blob(layout, index->entries[i].digest, 1 << 20, &blob, &len, &error) == 0,
                        "%s", error.message);
                ck_assert_uint_eq(len, (size_t)index->entries[i].size);
        }
        return index->n_entries;
}

/* ---- one writer ---- */

START_TEST(what_was_written_is_found_again_and_nothing_else_is_left)
{
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL, *reader = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *found;
        size_t len;

        ck_assert_ok(layout_create(path, &writer, NULL));
        ck_assert_ok(add(writer, "one", "tag", NULL));
        ck_assert_ok(layout_open(path, &reader, NULL));
        ck_assert_ok(layout_find(reader, "tag", &found, NULL));
        ck_assert_str_eq(found->media_type, MEDIA_OCI_MANIFEST);
        ck_assert_int_eq(found->size, 3);
        ck_assert_ok(layout_read_blob(reader, found->digest, 3, &text, &len, NULL));
        ck_assert_str_eq(text, "one");
        ck_assert_uint_eq(count_files(""), 3); /* blobs, index.json, oci-layout */
        ck_assert_uint_eq(check_valid(), 1);
}
END_TEST

START_TEST(a_layout_has_no_index_before_the_first_manifest)
{
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL, *reader = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        char digest[DIGEST_TEXT_SIZE], message[8192];

        ck_assert_ok(layout_create(path, &writer, NULL));
        ck_assert_ok(layout_write_blob(writer, DIGEST_SHA512, "x", 1, digest, NULL));
        get_file("oci-layout", &text);
        ck_assert_str_eq(text, "{\"imageLayoutVersion\":\"1.0.0\"}");
        ck_assert_errno(layout_open(path, &reader, &error), -ENOENT);
        snprintf(message, sizeof(message), "open %s/index.json: no such file or directory", path);
        ck_assert_str_eq(error.message, message);
}
END_TEST

START_TEST(a_missing_folder_is_told_from_one_that_cannot_be_made)
{
        struct layout *layout = NULL;
        struct cip_error error = {0};

        ck_assert_errno(layout_open(path, &layout, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, path));
        snprintf(path, sizeof(path), "%s/layout/deeper", folder);
        ck_assert_errno(layout_create(path, &layout, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, path));
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_errno(layout_create("/dev/null", &layout, &error), -ENOTDIR);
}
END_TEST

START_TEST(a_missing_tag_is_told_with_those_that_are_there)
{
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL, *reader = NULL, *empty = NULL;
        const struct content *found = NULL;
        struct cip_error error = {0};

        ck_assert_ok(layout_create(path, &writer, NULL));
        ck_assert_ok(add(writer, "one", "red", NULL));
        ck_assert_ok(layout_open(path, &reader, NULL));
        ck_assert_ok(layout_find(reader, NULL, &found, NULL));
        layout_free(STEAL(reader));
        ck_assert_ok(add(writer, "two", "blue", NULL));
        ck_assert_ok(layout_open(path, &reader, NULL));
        ck_assert_errno(layout_find(reader, "green", &found, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "\"green\"; the tags there: red, blue"));
        ck_assert_errno(layout_find(reader, NULL, &found, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "red, blue"));
        ck_assert_errno(layout_find(writer, "red", &found, &error), -EINVAL);
        put_file("index.json", "{\"schemaVersion\":2,\"manifests\":[]}");
        ck_assert_ok(layout_open(path, &empty, NULL));
        ck_assert_errno(layout_find(empty, NULL, &found, &error), -ENOENT);
}
END_TEST

START_TEST(of_many_tags_twenty_are_named_and_the_others_counted)
{
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL, *reader = NULL;
        const struct content *found = NULL;
        struct cip_error error = {0};

        ck_assert_ok(layout_create_unsynced(path, &writer, NULL));
        for (int i = 0; i < 23; i++) {
                char tag[8];

                snprintf(tag, sizeof(tag), "t%d", i);
                ck_assert_ok(add(writer, tag, tag, NULL));
        }
        ck_assert_ok(layout_open(path, &reader, NULL));
        ck_assert_errno(layout_find(reader, "none", &found, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "t18, t19 and 3 more"));
}
END_TEST

START_TEST(a_tag_moves_and_what_others_wrote_stays)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;

        ck_assert_ok(layout_create(path, &layout, NULL));
        put_file("index.json", "{\"schemaVersion\":2,\"manifests\":[],\"annotations\":{\"mine\":\"a/b\"}}");
        ck_assert_ok(add(layout, "one", "tag", NULL));
        ck_assert_ok(add(layout, "one", "other", NULL));
        ck_assert_ok(add(layout, "two", "tag", NULL));
        ck_assert_uint_eq(check_valid(), 2);
        ck_assert_ok(add(layout, "three", NULL, NULL));
        ck_assert_ok(add(layout, "three", NULL, NULL));
        ck_assert_uint_eq(check_valid(), 3);
        ck_assert_ok(add(layout, "three", "third", NULL)); /* takes the place of the untagged one */
        ck_assert_uint_eq(check_valid(), 3);
        ck_assert_ok(add(layout, "three", NULL, NULL)); /* is there already */
        ck_assert_uint_eq(check_valid(), 3);
        get_file("index.json", &text);
        ck_assert_ptr_nonnull(strstr(text, "\"annotations\":{\"mine\":\"a/b\"}"));
}
END_TEST

START_TEST(a_platform_is_written_with_what_is_known_of_it)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;

        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_ok(layout_add_manifest(layout, "a", NO_SUCH, 1, NULL,
                                         &(struct platform){"arm64", "linux", "v8"}, NULL));
        get_file("index.json", &text);
        ck_assert_ptr_nonnull(
                strstr(text, "\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}}"));
}
END_TEST

START_TEST(a_dropped_blob_leaves_nothing)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        struct layout_blob *blob;
        struct cip_error error = {0};

        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_ok(layout_blob_new(layout, &blob, NULL));
        ck_assert_ok(write_all(layout_blob_fd(blob), "x", 1));
        layout_blob_free(blob);
        ck_assert_ok(layout_blob_new(layout, &blob, NULL));
        ck_assert_errno(layout_blob_commit(blob, "sha256:../../../../x", &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "invalid checksum digest length"));
        ck_assert_errno(layout_add_manifest(layout, "a", "sha256:x", 1, NULL, NULL, NULL), -EINVAL);
        layout_blob_free(NULL);
        ck_assert_uint_eq(count_files(""), 2);
}
END_TEST

START_TEST(a_layout_of_another_version_is_left_alone)
{
        struct layout *layout = NULL;
        struct cip_error error = {0};

        ck_assert_int_eq(mkdir(path, 0777), 0);
        put_file("oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
        ck_assert_errno(layout_create(path, &layout, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "oci-layout is not of version 1.0.0"));
        ck_assert_uint_eq(count_files(""), 1);
}
END_TEST

START_TEST(a_broken_index_is_refused_and_left_as_it_is)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};

        ck_assert_ok(layout_create(path, &layout, NULL));
        put_file("index.json", "{\"schemaVersion\":2,\"mani");
        ck_assert_errno(add(layout, "x", "tag", &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "index.json: unexpected end of JSON input"));
        get_file("index.json", &text);
        ck_assert_str_eq(text, "{\"schemaVersion\":2,\"mani");
        layout_free(STEAL(layout));
        ck_assert_errno(layout_open(path, &layout, &error), -EBADMSG);
        put_file("index.json", "{\"schemaVersion\":1}");
        ck_assert_errno(layout_open(path, &layout, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "it is no index"));
        put_file("index.json",
                 "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                 "\"config\":{\"mediaType\":\"a/b\",\"size\":0,\"digest\":\"sha256:"
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"},\"layers\":[]}");
        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_errno(add(layout, "x", "tag", &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "it is no index"));
}
END_TEST

/* ---- reading what is hostile ---- */

START_TEST(a_wrong_blob_is_not_handed_out_as_read)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP_FD int fd = -1;
        struct cip_error error = {0};
        uint64_t size;
        char digest[DIGEST_TEXT_SIZE], name[256], *text;
        size_t len;

        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_ok(layout_write_blob(layout, DIGEST_SHA256, "right", 5, digest, NULL));
        ck_assert(layout_has_blob(layout, digest, 5));
        ck_assert(layout_has_blob(layout, digest, -1));
        ck_assert(!layout_has_blob(layout, digest, 4));
        ck_assert(!layout_has_blob(layout, NO_SUCH, -1));
        ck_assert(!layout_has_blob(layout, "sha256:x", -1));
        ck_assert_errno(layout_read_blob(layout, digest, 4, &text, &len, &error), -EFBIG);
        snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(digest));
        put_file(name, "wrong");
        ck_assert_errno(layout_read_blob(layout, digest, 5, &text, &len, &error), -EBADMSG);
        ck_assert_ok(layout_open_blob(layout, digest, &fd, &size, NULL));
        ck_assert_uint_eq(size, 5);
        ck_assert_errno(layout_read_blob(layout, NO_SUCH, 5, &text, &len, &error), -ENOENT);
        ck_assert_errno(layout_read_blob(layout, "sha256:../..", 5, &text, &len, &error), -EINVAL);
}
END_TEST

START_TEST(no_link_leads_out_of_a_layout_and_no_fifo_stops_a_reader)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        char digest[DIGEST_TEXT_SIZE], name[256];
        int fd = -1;

        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_ok(layout_write_blob(layout, DIGEST_SHA256, "x", 1, digest, NULL));
        snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(NO_SUCH));
        ck_assert_int_eq(symlink("/etc/passwd", below(name)), 0);
        ck_assert_errno(layout_open_blob(layout, NO_SUCH, &fd, NULL, NULL), -ELOOP);
        ck_assert(!layout_has_blob(layout, NO_SUCH, -1));
        ck_assert_int_eq(unlink(below(name)), 0);
        ck_assert_int_eq(mkfifo(below(name), 0666), 0);
        ck_assert_errno(layout_open_blob(layout, NO_SUCH, &fd, NULL, NULL), -EINVAL);
        ck_assert_int_eq(unlink(below(name)), 0);
        ck_assert_int_eq(mkdir(below(name), 0777), 0);
        ck_assert_errno(layout_open_blob(layout, NO_SUCH, &fd, NULL, NULL), -EISDIR);
        layout_free(STEAL(layout));

        ck_assert_int_eq(symlink("/etc", below("blobs/sha512")), 0);
        ck_assert_int_eq(symlink("/etc/passwd", below("index.json")), 0);
        ck_assert_errno(layout_open(path, &layout, NULL), -ELOOP);
        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_errno(layout_write_blob(layout, DIGEST_SHA512, "x", 1, digest, NULL), -ENOTDIR);
        ck_assert_errno(add(layout, "x", NULL, NULL), -ELOOP);
}
END_TEST

/* ---- other writers, alive and dead ---- */

START_TEST(what_a_living_writer_writes_is_not_removed)
{
        CLEANUP(cleanup_layout_free) struct layout *first = NULL, *second = NULL;
        CLEANUP(cleanup_layout_blob_free) struct layout_blob *blob = NULL;
        char digest[DIGEST_TEXT_SIZE];

        ck_assert_ok(digest_of(DIGEST_SHA256, "x", 1, digest));
        ck_assert_ok(layout_create(path, &first, NULL));
        ck_assert_ok(layout_blob_new(first, &blob, NULL));
        ck_assert_ok(layout_create(path, &second, NULL));
        ck_assert_uint_eq(count_files(".cip-tmp-"), 1);
        ck_assert_ok(write_all(layout_blob_fd(blob), "x", 1));
        ck_assert_ok(layout_blob_commit(STEAL(blob), digest, NULL));
        ck_assert(layout_has_blob(second, digest, 1));
}
END_TEST

/* Runs @what in a process that is then killed. */
static void run_and_kill(void (*what)(int progress), size_t steps, uint64_t ns_more)
{
        int pipe_fds[2], status;
        pid_t pid;
        char byte;

        ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                fd_close(pipe_fds[0]);
                what(pipe_fds[1]);
                _exit(0);
        }
        fd_close(pipe_fds[1]);
        for (size_t i = 0; i < steps; i++)
                ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
        for (uint64_t start = monotonic_ns(); monotonic_ns() - start < ns_more;)
                ; /* to hit another place each time */
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        fd_close(pipe_fds[0]);
}

static void hold_a_blob(int progress)
{
        struct layout *layout;
        struct layout_blob *blob;

        if (layout_create(path, &layout, NULL) == 0 && layout_blob_new(layout, &blob, NULL) == 0 &&
            write_all(progress, "x", 1) == 0)
                pause();
}

START_TEST(what_a_dead_writer_left_is_removed_by_the_next)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;

        run_and_kill(hold_a_blob, 1, 0);
        ck_assert_uint_eq(count_files(".cip-tmp-"), 1);
        ck_assert_ok(layout_create(path, &layout, NULL));
        ck_assert_uint_eq(count_files(""), 2);
}
END_TEST

static void write_for_ever(int progress)
{
        struct layout *layout;

        if (layout_create_unsynced(path, &layout, NULL) < 0)
                return;
        for (unsigned i = 0;; i++) {
                char text[32], tag[32];

                snprintf(text, sizeof(text), "%d-%u", getpid(), i);
                snprintf(tag, sizeof(tag), "tag-%u", i % 20);
                if (add(layout, text, tag, NULL) < 0 || write_all(progress, "x", 1) < 0)
                        return;
        }
}

START_TEST(a_layout_is_valid_whenever_its_writer_is_killed)
{
        unsigned seed = 1;

        for (int round = 0; round < 40; round++) {
                struct layout *layout = NULL;

                run_and_kill(write_for_ever, (size_t)rand_r(&seed) % 4, (uint64_t)rand_r(&seed) % 400000);
                check_valid();
                ck_assert_ok(layout_create_unsynced(path, &layout, NULL));
                ck_assert_uint_eq(count_files(".cip-tmp-"), 0);
                ck_assert_ok(add(layout, "mine", "mine", NULL));
                layout_free(layout);
                ck_assert_uint_ge(check_valid(), 1);
                ck_assert_uint_eq(count_files(""), 3);
        }
}
END_TEST

#define WRITERS 3
#define TAGS 50

START_TEST(writers_at_the_same_time_lose_no_tag)
{
        CLEANUP(cleanup_layout_free) struct layout *reader = NULL;
        const struct content *found;
        pid_t pids[WRITERS];
        char text[32];
        int status;

        for (int writer = 0; writer < WRITERS; writer++) {
                pids[writer] = fork();
                ck_assert_int_ge(pids[writer], 0);
                if (pids[writer] == 0) {
                        struct layout *layout;
                        bool ok = layout_create_unsynced(path, &layout, NULL) == 0;

                        for (int i = 0; ok && i < TAGS; i++) {
                                snprintf(text, sizeof(text), "%d-%d", writer, i);
                                ok = add(layout, text, text, NULL) == 0;
                        }
                        _exit(ok ? 0 : 1);
                }
        }
        for (int writer = 0; writer < WRITERS; writer++) {
                ck_assert_int_eq(waitpid(pids[writer], &status, 0), pids[writer]);
                ck_assert_int_eq(status, 0);
        }
        ck_assert_uint_eq(check_valid(), (size_t)WRITERS * TAGS);
        ck_assert_ok(layout_open(path, &reader, NULL));
        for (int writer = 0; writer < WRITERS; writer++) {
                for (int i = 0; i < TAGS; i++) {
                        snprintf(text, sizeof(text), "%d-%d", writer, i);
                        ck_assert_ok(layout_find(reader, text, &found, NULL));
                }
        }
        ck_assert_uint_eq(count_files(""), 3);
}
END_TEST

/* ---- no room ---- */

/* Fills the layout up until it is full. In a process of its own. Returns 0 when all is as it should be. */
static int fill_up(int wanted_errno)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        static char big[16384];
        char digest[DIGEST_TEXT_SIZE];
        int r = 0;

        if (layout_create(path, &layout, NULL) < 0 || add(layout, "before", "before", NULL) < 0)
                return 1;
        for (int i = 0; r == 0 && i < 100; i++) {
                memset(big, i, sizeof(big));
                r = layout_write_blob(layout, DIGEST_SHA256, big, sizeof(big), digest, NULL);
        }
        if (r != wanted_errno)
                return 2;
        /* No room for index.json either, or perhaps just enough. */
        if (digest_of(DIGEST_SHA256, "before", 6, digest) < 0)
                return 3;
        for (int i = 0; i < 100; i++) {
                char tag[32];

                snprintf(tag, sizeof(tag), "tag-%d", i);
                r = layout_add_manifest(layout, "a", digest, 6, tag, NULL, NULL);
                if (r < 0 && r != wanted_errno)
                        return 4;
        }
        return count_files(".cip-") == 0 ? 0 : 5;
}

static int in_own_process(int (*what)(void))
{
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(what());
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int fill_with_limit(void)
{
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, 8192});
        return fill_up(-EFBIG);
}

START_TEST(a_write_that_fails_leaves_the_old_layout)
{
        ck_assert_int_eq(in_own_process(fill_with_limit), 0);
        ck_assert_uint_ge(check_valid(), 1);
}
END_TEST

#define NO_MOUNT 99

/* A file system of 128 KiB, seen by this process alone. */
static int fill_small_disk(void)
{
        if ((unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
            mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", folder, "tmpfs", 0, "size=128k") < 0)
                return NO_MOUNT;
        if (fill_up(-ENOSPC) != 0)
                return 1;
        return check_valid() >= 1 ? 0 : 2;
}

START_TEST(a_full_disk_leaves_the_old_layout)
{
        int status = in_own_process(fill_small_disk);

        if (status == NO_MOUNT)
                puts("a_full_disk_leaves_the_old_layout: no private mounts here, not tried");
        else
                ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("layout");
        TCase *tcase = tcase_create("layout");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, what_was_written_is_found_again_and_nothing_else_is_left);
        tcase_add_test(tcase, a_layout_has_no_index_before_the_first_manifest);
        tcase_add_test(tcase, a_missing_folder_is_told_from_one_that_cannot_be_made);
        tcase_add_test(tcase, a_missing_tag_is_told_with_those_that_are_there);
        tcase_add_test(tcase, of_many_tags_twenty_are_named_and_the_others_counted);
        tcase_add_test(tcase, a_tag_moves_and_what_others_wrote_stays);
        tcase_add_test(tcase, a_platform_is_written_with_what_is_known_of_it);
        tcase_add_test(tcase, a_dropped_blob_leaves_nothing);
        tcase_add_test(tcase, a_layout_of_another_version_is_left_alone);
        tcase_add_test(tcase, a_broken_index_is_refused_and_left_as_it_is);
        tcase_add_test(tcase, a_wrong_blob_is_not_handed_out_as_read);
        tcase_add_test(tcase, no_link_leads_out_of_a_layout_and_no_fifo_stops_a_reader);
        tcase_add_test(tcase, what_a_living_writer_writes_is_not_removed);
        tcase_add_test(tcase, what_a_dead_writer_left_is_removed_by_the_next);
        tcase_add_test(tcase, a_layout_is_valid_whenever_its_writer_is_killed);
        tcase_add_test(tcase, writers_at_the_same_time_lose_no_tag);
        tcase_add_test(tcase, a_write_that_fails_leaves_the_old_layout);
        tcase_add_test(tcase, a_full_disk_leaves_the_old_layout);
        return testing_main(suite);
}
