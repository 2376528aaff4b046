/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in tar files: of `docker save`, and OCI layouts. The input is a program: one entry of the archive after another,
 * put into a tar file with good checksums, so that a mutation is another archive and not a broken one; or the file as it
 * is. What is opened, loaded and read as a server does has the size that is told, and the digest where that was made of it;
 * no descriptor and no temporary file stays.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "fuzz/target.h"
#include "image/digest.h"
#include "image/source.h"

#define BLOCK 512
#define ENTRIES_MAX 64
#define MARK "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

static char *folder; /* TMPDIR of the code under test: nothing may stay in it */

static void remove_folder(void)
{
        tmpdir_remove(folder);
}

static void prepare(void)
{
        struct cip_error error;

        target_that(tmpdir_new("cip-fuzz", &folder, &error) == 0, "%s", error.message);
        atexit(remove_folder);
        setenv("TMPDIR", folder, 1);
}

static void judge_folder(void)
{
        DIR *directory = opendir(folder);
        struct dirent *entry;

        target_that(directory, "cannot list the temporary folder: %s", strerror(errno));
        while ((entry = readdir(directory)))
                target_that(entry->d_name[0] == '.', "a temporary file is left: %s", entry->d_name);
        closedir(directory);
}

/* ---- the archive ---- */

static const char *const docker_names[] = {"manifest.json", "config.json", "a.tar", "b.tar",     "a/layer.tar",
                                           "./a.tar",       "a/../b.tar",  "",      "oci-layout"};
static const char blob_name[] = "blobs/sha256/" MARK;
static const char *const oci_names[] = {"oci-layout", "index.json",   NULL, /* the blob's own name */
                                        blob_name,    "./index.json", "../index.json",
                                        "/blobs",     "blobs"};

struct builder {
        int fd;
        bool docker;
        char digest[DIGEST_TEXT_SIZE]; /* of the latest blob */
};

/* A header of one block, as POSIX has it; the bytes of @program change it before its sum is made. */
static void put_header(struct builder *builder, const char *name, char type, size_t size,
                       struct target_input *program)
{
        unsigned char header[BLOCK] = {0};
        unsigned sum = 0, changes = type == 'c' ? input_below(program, 4) : 0;

        memcpy(header, name, strnlen(name, 100));
        memcpy(header + 100, "0000644\0000000000\0000000000", 24);
        snprintf((char *)header + 124, 12, "%011zo", size);
        memcpy(header + 136, "00000000000", 12);
        header[156] = (unsigned char)(type == 'c' ? '0' : type);
        if (type == '1' || type == '2')
                snprintf((char *)header + 157, 100, "%s", docker_names[input_below(program, 9)]);
        memcpy(header + 257, "ustar\00000", 8);
        for (; changes; changes--) {
                size_t at = input_size(program, BLOCK - 1);

                header[at] = input_byte(program);
        }
        memset(header + 148, ' ', 8);
        for (size_t i = 0; i < sizeof(header); i++)
                sum += header[i];
        snprintf((char *)header + 148, 8, "%06o", sum);
        target_that(write_all(builder->fd, header, sizeof(header)) == 0, "cannot write the archive");
}

/* In place of 64 times '@' stands the digest of the blob before. */
static void put_data(const struct builder *builder, const uint8_t *data, size_t size)
{
        static const char zeros[BLOCK];
        CLEANUP(cleanup_free) char *text = malloc(size + 1);
        char *place;

        target_that(text, "no memory");
        memcpy(text, data, size);
        while (*builder->digest && (place = memmem(text, size, MARK, strlen(MARK))))
                memcpy(place, digest_hex(builder->digest), strlen(MARK));
        target_that(write_all(builder->fd, text, size) == 0 &&
                            write_all(builder->fd, zeros, (BLOCK - size % BLOCK) % BLOCK) == 0,
                    "cannot write the archive");
}

static void put_entry(struct builder *builder, struct target_input *program)
{
        static const char types[] = {'0', '0', '0', '0', '0', '0', 'c', '1', '2', '5'};
        unsigned which = input_byte(program);
        char type = types[input_below(program, sizeof(types))];
        size_t size = input_size(program, 4096);
        const uint8_t *data = input_bytes(program, &size);
        const char *name = builder->docker ? docker_names[which % ARRAY_SIZE(docker_names)]
                                           : oci_names[which % ARRAY_SIZE(oci_names)];
        char blob[sizeof("blobs/sha256/") + DIGEST_TEXT_SIZE];

        if (!name) {
                digest_of(DIGEST_SHA256, data, size, builder->digest);
                snprintf(blob, sizeof(blob), "blobs/sha256/%s", digest_hex(builder->digest));
                name = blob;
        }
        if (type != '0' && type != 'c')
                size = 0;
        put_header(builder, name, type, size, program);
        put_data(builder, data, size);
}

static void put_archive(int fd, bool docker, struct target_input *program)
{
        static const char zeros[2 * BLOCK];
        struct builder builder = {.fd = fd, .docker = docker};

        for (size_t i = 0; i < ENTRIES_MAX && program->size; i++)
                put_entry(&builder, program);
        target_that(write_all(fd, zeros, sizeof(zeros)) == 0, "cannot write the archive");
}

/* ---- reading it ---- */

/* @ours: the digest was made here, of the data; else the archive or the layout says it, and a server checks it. */
static void judge_blob(struct image *image, const char *digest, bool ours)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP_FD int fd = -1;
        struct cip_error error = {0};
        char real[DIGEST_TEXT_SIZE];
        uint64_t told = 0;
        size_t len;
        struct stat st;

        if (image_open_blob(image, digest, &fd, &told, &error) < 0) {
                target_that(*error.message, "a blob was refused without a word");
                return;
        }
        target_that(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == told,
                    "a blob is another size than told");
        if (!ours)
                return;
        target_that(read_to_end(fd, (size_t)64 * 1024 * 1024, DEADLINE_NEVER, &data, &len) == 0,
                    "a blob cannot be read");
        digest_of(DIGEST_SHA256, data, len, real);
        target_that(strcmp(real, digest) == 0, "a blob was asked for as %s and is %s", digest, real);
}

static void judge(const char *reference, bool docker)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *config = NULL;
        const struct manifest *manifest;
        struct cip_error error = {0};
        size_t len;

        if (image_open_unread(reference, NULL, &image, NULL, &error) < 0 || image_load(image, &error) < 0) {
                target_that(*error.message, "an archive was refused without a word");
                return;
        }
        manifest = image_parsed_manifest(image);
        if (manifest->config.digest)
                judge_blob(image, manifest->config.digest, docker);
        for (size_t i = 0; i < manifest->n_entries && i < ENTRIES_MAX; i++)
                judge_blob(image, manifest->entries[i].digest, false);
        image_read_oci_config(image, false, &config, &len, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const tails[] = {"", ":latest", ":a", ":@0"};
        struct target_input program = {data, size};
        unsigned form = input_byte(&program);
        bool docker = form & 1, as_it_is = form & 2;
        char reference[128];
        size_t fds;
        int fd;

        if (!folder)
                prepare();
        fds = target_count_fds();
        fd = memfd_create("archive", MFD_CLOEXEC);
        target_that(fd >= 0, "cannot make a file: %s", strerror(errno));
        if (as_it_is)
                target_that(write_all(fd, program.data, program.size) == 0, "cannot write the archive");
        else
                put_archive(fd, docker, &program);
        snprintf(reference, sizeof(reference), "%s:/proc/self/fd/%d%s",
                 docker ? "docker-archive" : "oci-archive", fd, tails[form / 4 % ARRAY_SIZE(tails)]);
        judge(reference, docker);
        fd_close(fd);
        target_that(target_count_fds() == fds, "a descriptor is left open");
        judge_folder();
        return 0;
}
