/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of GetBlob: every byte of blobs of each size, the size that the reply tells, and what the server
 * verifies: a wrong size or digest is reported by FinishPipe, behind the data.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "conformance/groups.h"
#include "conformance/sample.h"
#include "image/fixture.h"

#define NAMED(name) .id = "blobs/" name

#define ZEROS_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"

/* More than any buffer holds on the way. */
#define LARGE ((size_t)8 * 1024 * 1024)

/* The one layer of @fixture, whole. */
static void expect_whole(struct check_context *c, const char *fixture, const char *tag)
{
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *layer = sample_layer_of(c, fixture, 0);
        uint64_t id = sample_open(c, fixture, tag);
        size_t len;

        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size), &data, &len);
        check_that(c, len == (size_t)layer->size, "a blob of %" PRId64 " bytes should arrive whole, %zu came",
                   layer->size, len);
        sample_check_digest(c, data, len, layer->digest, "a blob");
}

static void empty_is_whole(struct check_context *c)
{
        expect_whole(c, "blob-0", "blobs.empty-is-whole");
}

static void one_byte_is_whole(struct check_context *c)
{
        expect_whole(c, "blob-1", "blobs.one-byte-is-whole");
}

static void less_than_a_pipe_is_whole(struct check_context *c)
{
        expect_whole(c, "blob-65535", "blobs.less-than-a-pipe-is-whole");
}

static void a_pipe_is_whole(struct check_context *c)
{
        expect_whole(c, "blob-65536", "blobs.a-pipe-is-whole");
}

static void more_than_a_pipe_is_whole(struct check_context *c)
{
        expect_whole(c, "blob-65537", "blobs.more-than-a-pipe-is-whole");
}

static void large_is_whole(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = malloc(LARGE + 1);
        CLEANUP(cleanup_free) char *came = malloc(LARGE);
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        char digest[DIGEST_TEXT_SIZE];
        struct content layer = {.digest = digest, .size = LARGE};
        const char *reference;
        size_t n;

        if (!data || !came)
                check_error(c, "out of memory");
        /* No two pages are the same, so that one that is lost or comes twice is noticed. */
        memset(data, '.', LARGE);
        for (size_t at = 0; at < LARGE; at += 4096)
                data[at + (size_t)sprintf(data + at, "%zx", at)] = '.';
        data[LARGE] = '\0';
        if (digest_of(DIGEST_SHA256, data, LARGE, digest) < 0)
                check_error(c, "cannot hash");
        reference = sample_add_image(c, "blobs.large-is-whole", NULL,
                                     &(struct sample_layer){MEDIA_OCI_LAYER, data}, 1);
        sample_get_blob(c, check_open_image(c, reference), &layer, &piped);
        /* The size is known, so that the end need not be waited for. */
        n = check_read(c, piped.packet.fds[0], came, LARGE);
        check_that(c, n == LARGE, "a blob of %zu bytes should arrive whole, %zu came", LARGE, n);
        check_that(c, !memcmp(came, data, LARGE),
                   "a blob of %zu bytes should arrive as it is, other bytes came", LARGE);
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
}

static void value_is_the_size(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        const struct content *layer = sample_layer_of(c, "blob-65535", 0);
        int64_t size;

        sample_get_blob(c, sample_open(c, "blob-65535", "blobs.value-is-the-size"), layer, &piped);
        check_that(c, json_object_is_type(piped.value, json_type_int),
                   "the value of GetBlob should be a size, it is: %s", json_object_to_json_string(piped.value));
        size = json_object_get_int64(piped.value);
        check_that(c, size == layer->size || size == -1,
                   "the value of GetBlob should be the size %" PRId64
                   ", or -1 where it is not known; it is %" PRId64,
                   layer->size, size);
        check_expect_open(c);
}

static void config_is_a_blob(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *config = &check_fixture_manifest(c, "layers-1")->config;
        uint64_t id = sample_open(c, "layers-1", "blobs.config-is-a-blob");
        size_t len;

        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, config->digest, config->size), &data, &len);
        sample_check_digest(c, data, len, config->digest, "the config, fetched by GetBlob,");
}

/* FinishPipe of the layer of @fixture must fail, when @size is asked for. */
static void expect_size_refused(struct check_context *c, const char *fixture, const char *tag, int64_t more)
{
        const struct content *layer = sample_layer_of(c, fixture, 0);
        uint64_t id = sample_open(c, fixture, tag);

        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size + more),
                               check_text(c, "a blob of %" PRId64 " bytes with the size %" PRId64, layer->size,
                                          layer->size + more));
}

static void larger_size_is_reported(struct check_context *c)
{
        expect_size_refused(c, "blob-65536", "blobs.larger-size-is-reported", 1);
}

static void smaller_size_is_reported(struct check_context *c)
{
        expect_size_refused(c, "blob-65536", "blobs.smaller-size-is-reported", -1);
}

static void size_zero_is_reported(struct check_context *c)
{
        expect_size_refused(c, "blob-1", "blobs.size-zero-is-reported", -1);
}

static void unknown_digest_is_refused(struct check_context *c)
{
        uint64_t id = sample_open(c, "layers-1", "blobs.unknown-digest-is-refused");

        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, ZEROS_DIGEST, 10),
                               "a digest that no blob has");
}

static void malformed_digest_is_refused(struct check_context *c)
{
        uint64_t id = sample_open(c, "layers-1", "blobs.malformed-digest-is-refused");
        static const char *const digests[] = {"", "sha256", "sha256:", "sha256:abc", "layer"};

        for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
                sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, digests[i], 10),
                                       check_text(c, "the digest '%s'", digests[i]));
}

static void path_for_a_digest_is_refused(struct check_context *c)
{
        struct stat st;
        const char *path = check_text(c, "%s/index.json", check_fixture_path(c, "layers-1"));
        uint64_t id = sample_open(c, "layers-1", "blobs.path-for-a-digest-is-refused");

        if (stat(path, &st) < 0)
                check_error(c, "cannot see %s", path);
        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, "sha256:../../index.json", st.st_size),
                               "a path in the place of a digest");
}

/* ---- broken images ---- */

/* The content of a broken fixture for which @is_broken holds; the check is an error where there is none. */
static const struct content *broken_content(struct check_context *c, const char *fixture,
                                            bool (*is_broken)(struct check_context *c,
                                                              const struct content *content, const char *path))
{
        const struct manifest *manifest = check_fixture_manifest(c, fixture);

        for (size_t i = 0; i < manifest->n_entries; i++) {
                const struct content *content = &manifest->entries[i];

                if (is_broken(c, content, sample_blob_path(c, fixture, content->digest)))
                        return content;
        }
        check_error(c, "the layers of the fixture %s are not broken", fixture);
}

static bool is_missing(struct check_context *c, const struct content *content, const char *path)
{
        (void)c;
        (void)content;
        return access(path, F_OK) < 0;
}

static bool is_of_another_size(struct check_context *c, const struct content *content, const char *path)
{
        struct stat st;

        (void)c;
        return stat(path, &st) == 0 && st.st_size != content->size;
}

static bool is_of_another_digest(struct check_context *c, const struct content *content, const char *path)
{
        CLEANUP(cleanup_free) char *data = NULL;
        char digest[DIGEST_TEXT_SIZE];
        size_t len;

        sample_read_file(c, path, &data, &len);
        return digest_of(DIGEST_SHA256, data, len, digest) == 0 && strcmp(digest, content->digest) != 0;
}

static void expect_broken_refused(struct check_context *c, const char *fixture, const char *tag,
                                  const struct content *content, const char *what)
{
        uint64_t id = sample_open(c, fixture, tag);

        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, content->digest, content->size), what);
}

static void missing_is_refused(struct check_context *c)
{
        expect_broken_refused(c, "broken-missing-blob", "blobs.missing-is-refused",
                              broken_content(c, "broken-missing-blob", is_missing),
                              "a layer that is not there");
}

static void wrong_size_of_manifest_is_reported(struct check_context *c)
{
        expect_broken_refused(c, "broken-size", "blobs.wrong-size-of-manifest-is-reported",
                              broken_content(c, "broken-size", is_of_another_size),
                              "a layer of another size than the manifest's");
}

static void wrong_digest_is_reported(struct check_context *c)
{
        expect_broken_refused(c, "broken-digest", "blobs.wrong-digest-is-reported",
                              broken_content(c, "broken-digest", is_of_another_digest),
                              "a layer of another digest than the manifest's");
}

static void unreadable_is_reported(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        const char *path = sample_blob_path(c, "layers-1", layer->digest);

        /* A folder can be opened as a file can, and fails when it is read: also for root. */
        if (unlink(path) < 0 || mkdir(path, 0755) < 0)
                check_error(c, "cannot put a folder in the place of %s: %s", path, strerror(errno));
        expect_broken_refused(c, "layers-1", "blobs.unreadable-is-reported", layer,
                              "a layer that cannot be read");
}

static void failure_is_survived(struct check_context *c)
{
        CLEANUP(cleanup_free) char *bad = NULL;
        CLEANUP(cleanup_free) char *good = NULL;
        CLEANUP_ANSWER struct answer finish = {0};
        const struct content *layer = sample_layer_of(c, "blob-65536", 0);
        uint64_t id = sample_open(c, "blob-65536", "blobs.failure-is-survived");
        size_t len;

        sample_fetch(c, "GetBlob", sample_blob_args(c, id, layer->digest, 1), &bad, &len, &finish);
        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size), &good, &len);
        sample_check_digest(c, good, len, layer->digest, "a blob that is fetched after one that failed");
}

/* ---- several ---- */

#define PIECE 4096

static void two_at_once(struct check_context *c)
{
        struct answer pipes[2] = {0};
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;
        const struct content *contents[2] = {layer, config};
        static char data[2][2 << 20];
        size_t len[2] = {0};

        sample_get_blob(c, sample_open(c, "blob-65537", "blobs.two-at-once"), layer, &pipes[0]);
        sample_get_blob(c, sample_open(c, "config-1m", "blobs.two-at-once"), config, &pipes[1]);
        if (layer->size > (int64_t)sizeof(data[0]) || config->size > (int64_t)sizeof(data[1]))
                check_error(c, "the fixture's blobs are too large for this check");
        for (bool more = true; more;) {
                more = false;
                for (size_t i = 0; i < 2; i++) {
                        size_t left = (size_t)contents[i]->size - len[i], want = left < PIECE ? left : PIECE;
                        size_t n = want ? check_read(c, pipes[i].packet.fds[0], data[i] + len[i], want) : 0;

                        len[i] += n;
                        more = more || n;
                }
        }
        for (size_t i = 0; i < 2; i++) {
                CLEANUP_ANSWER struct answer finish = {0};

                sample_check_digest(c, data[i], len[i], contents[i]->digest,
                                    "a blob that is read by turns with another");
                check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", pipes[i].pipeid);
                answer_clear(&pipes[i]);
        }
}

static void same_twice_at_once(struct check_context *c)
{
        CLEANUP_ANSWER struct answer first = {0};
        CLEANUP_ANSWER struct answer second = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        uint64_t id = sample_open(c, "blob-65537", "blobs.same-twice-at-once");
        struct answer *pipes[] = {&second, &first};

        sample_get_blob(c, id, layer, &first);
        sample_get_blob(c, id, layer, &second);
        for (size_t i = 0; i < 2; i++) {
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                check_read_and_finish(c, pipes[i], &finish, &data, &len);
                check_that(c, finish.success, "FinishPipe should succeed, it says: %s", finish.error);
                sample_check_digest(c, data, len, layer->digest, "a blob that is open twice");
        }
}

static void leave_no_descriptor(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "blob-1", 0);
        uint64_t id = sample_open(c, "blob-1", "blobs.leave-no-descriptor");
        size_t before = check_server_fds(c), after;

        for (int i = 0; i < 5; i++) {
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size), &data, &len);
        }
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        after = check_server_fds(c);
        check_expect_open(c);
        check_that(c, after < before + 3,
                   "five blobs that were fetched and finished should leave no descriptor in the server; it had "
                   "%zu "
                   "before and has %zu now",
                   before, after);
}

/* ---- algorithms, readers, and what else is asked for ---- */

static void sha512_is_whole(struct check_context *c)
{
        expect_whole(c, "sha512", "blobs.sha512-is-whole");
}

static void flip_first_byte(struct check_context *c, const char *path)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_read_file(c, path, &data, &len);
        if (!len)
                check_error(c, "%s is empty", path);
        data[0] ^= 1;
        sample_write_file(c, path, data, len);
}

static void sha512_is_verified(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "sha512", 0);

        flip_first_byte(c, sample_blob_path(c, "sha512", layer->digest));
        expect_broken_refused(c, "sha512", "blobs.sha512-is-verified", layer,
                              "a layer whose bytes do not have its sha512 digest");
}

static void config_is_verified(struct check_context *c)
{
        const struct content *config = &check_fixture_manifest(c, "layers-1")->config;

        flip_first_byte(c, sample_blob_path(c, "layers-1", config->digest));
        expect_broken_refused(c, "layers-1", "blobs.config-is-verified", config,
                              "a config whose bytes do not have its digest");
}

/* The first and the last layer of each fixture, but of the two that take long and show no more. */
static void of_each_fixture(struct check_context *c)
{
        for (size_t f = 0; f < n_fixtures; f++) {
                const struct manifest *manifest;
                uint64_t id;

                if (!fixtures[f].good || fixtures[f].list || !strcmp(fixtures[f].name, "blob-64m") ||
                    !strcmp(fixtures[f].name, "layers-2000"))
                        continue;
                manifest = check_fixture_manifest(c, fixtures[f].name);
                id = check_open_image(
                        c, fixtures[f].docker
                                   ? sample_dir(c, fixtures[f].name,
                                                check_text(c, "blobs.of-each-fixture.%s", fixtures[f].name))
                                   : sample_reference(c, fixtures[f].name, "blobs.of-each-fixture"));
                for (size_t i = 0;
                     i<manifest->n_entries; i += manifest->n_entries> 1 ? manifest->n_entries - 1 : 1) {
                        CLEANUP(cleanup_free) char *data = NULL;
                        const struct content *layer = &manifest->entries[i];
                        size_t len;

                        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size),
                                        &data, &len);
                        sample_check_digest(
                                c, data, len, layer->digest,
                                check_text(c, "layer %zu of the fixture %s", i + 1, fixtures[f].name));
                }
        }
}

static void reader_gone_is_reported(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;

        sample_get_blob(c, sample_open(c, "config-1m", "blobs.reader-gone-is-reported"), config, &piped);
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, !finish.success,
                   "FinishPipe should report that the reader left before the blob of 1 MiB was "
                   "written; it succeeds");
}

static void reader_gone_is_survived(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;
        uint64_t id = sample_open(c, "config-1m", "blobs.reader-gone-is-survived");
        char buffer[1000];
        size_t len;

        sample_get_blob(c, id, config, &piped);
        check_that(c, check_read(c, piped.packet.fds[0], buffer, sizeof(buffer)) == sizeof(buffer),
                   "the pipe ends before its first %zu bytes came", sizeof(buffer));
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, config->digest, config->size), &data, &len);
        sample_check_digest(c, data, len, config->digest, "a blob that is fetched again after its reader left");
}

/* A call of GetBlob, whatever comes: "refused", or "served"; *@ret_len: bytes. */
static const char *try_blob(struct check_context *c, uint64_t id, const char *digest, int64_t size,
                            size_t *ret_len)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;

        check_expect_open(c);
        *ret_len = 0;
        check_call(c, &piped, "GetBlob", "%s", sample_blob_args(c, id, digest, size));
        if (!piped.success || piped.packet.n_fds < 1)
                return "refused by GetBlob";
        check_read_and_finish(c, &piped, &finish, &data, ret_len);
        return finish.success ? "served" : "refused by FinishPipe";
}

static void manifest_as_a_blob(struct check_context *c)
{
        const char *digest = sample_digest(c, "layers-1"), *path = sample_blob_path(c, "layers-1", digest);
        uint64_t id = sample_open(c, "layers-1", "blobs.manifest-as-a-blob");
        struct stat st;
        size_t len;

        if (stat(path, &st) < 0)
                check_error(c, "cannot see %s", path);
        check_record(c, "%s", try_blob(c, id, digest, st.st_size, &len));
}

/* In the same layout, and not of this image. */
static void blob_of_another_image(struct check_context *c)
{
        static const struct sample_layer layer = {MEDIA_OCI_LAYER, "of another image"};
        char digest[DIGEST_TEXT_SIZE];
        uint64_t id = sample_open(c, "layers-1", "blobs.blob-of-another-image");
        size_t len;

        sample_add_image(c, "another", NULL, &layer, 1);
        if (digest_of(DIGEST_SHA256, layer.data, strlen(layer.data), digest) < 0)
                check_error(c, "cannot hash");
        check_record(c, "%s", try_blob(c, id, digest, (int64_t)strlen(layer.data), &len));
}

static void bytes_before_a_smaller_size(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "blob-65536", 0);
        size_t len;

        try_blob(c, sample_open(c, "blob-65536", "blobs.bytes-before-a-smaller-size"), layer->digest, 1000,
                 &len);
        check_record(c, "%zu of 65536 bytes", len);
}

static void bytes_before_a_wrong_digest(struct check_context *c)
{
        const struct content *layer = broken_content(c, "broken-digest", is_of_another_digest);
        size_t len;

        try_blob(c, sample_open(c, "broken-digest", "blobs.bytes-before-a-wrong-digest"), layer->digest,
                 layer->size, &len);
        check_record(c, len == (size_t)layer->size ? "all bytes" : len ? "some bytes" : "no bytes");
}

static void upper_case_digest(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t id = sample_open(c, "layers-1", "blobs.upper-case-digest");
        char *digest = strdup(layer->digest);

        if (!digest)
                check_error(c, "out of memory");
        for (char *p = strchr(digest, ':'); p && *p; p++)
                if (*p >= 'a' && *p <= 'f')
                        *p = (char)(*p - 'a' + 'A');
        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, digest, layer->size),
                               "a digest in capital letters");
        free(digest);
}

static void digest_of_another_algorithm_is_refused(struct check_context *c)
{
        static const char *const digests[] = {
                "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:e3b0c44298fc1c149afbf4c8996fb924",
                "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};
        uint64_t id = sample_open(c, "layers-1", "blobs.digest-of-another-algorithm-is-refused");

        for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
                sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, digests[i], 0),
                                       check_text(c, "the digest '%s'", digests[i]));
}

const struct check checks_blobs[] = {
        {
                NAMED("empty-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob of no bytes comes as an empty pipe.",
                .reference = "get-blob",
                .run = empty_is_whole,
        },
        {
                NAMED("one-byte-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob of one byte arrives whole.",
                .reference = "get-blob",
                .run = one_byte_is_whole,
        },
        {
                NAMED("less-than-a-pipe-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob of 65,535 bytes, one less than a pipe holds, arrives whole.",
                .reference = "get-blob",
                .run = less_than_a_pipe_is_whole,
        },
        {
                NAMED("a-pipe-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob of 65,536 bytes, just what a pipe holds, arrives whole.",
                .reference = "get-blob",
                .run = a_pipe_is_whole,
        },
        {
                NAMED("more-than-a-pipe-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob of 65,537 bytes, one more than a pipe holds, arrives whole.",
                .reference = "get-blob",
                .run = more_than_a_pipe_is_whole,
        },
        {
                NAMED("large-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob of 8 MiB, more than any buffer holds, arrives whole.",
                .reference = "get-blob",
                .run = large_is_whole,
        },
        {
                NAMED("value-is-the-size"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires =
                        "The value of GetBlob is the size of the blob in bytes, or -1 where it is not known.",
                .reference = "blob-value",
                .run = value_is_the_size,
        },
        {
                NAMED("config-is-a-blob"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetBlob sends the image's config too, as it is stored.",
                .reference = "blob-of-any-kind",
                .run = config_is_a_blob,
        },
        {
                NAMED("larger-size-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that is smaller than the size that was asked for is reported.",
                .reference = "finish-size blob-verified",
                .run = larger_size_is_reported,
        },
        {
                NAMED("smaller-size-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that is larger than the size that was asked for is reported.",
                .reference = "finish-size blob-verified",
                .run = smaller_size_is_reported,
        },
        {
                NAMED("size-zero-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires =
                        "The size 0 is verified as any other is: it does not mean that the size is unknown.",
                .reference = "finish-size",
                .run = size_zero_is_reported,
        },
        {
                NAMED("unknown-digest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetBlob of a digest that no blob has is refused, by the answer or by FinishPipe.",
                .reference = "blob-missing",
                .run = unknown_digest_is_refused,
        },
        {
                NAMED("malformed-digest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetBlob of what is no digest is refused.",
                .reference = "digest-argument",
                .run = malformed_digest_is_refused,
        },
        {
                NAMED("path-for-a-digest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "GetBlob does not take a path in the place of a digest.",
                .reference = "digest-argument",
                .run = path_for_a_digest_is_refused,
        },
        {
                NAMED("missing-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A layer that the manifest names and that is not there is refused.",
                .reference = "blob-missing",
                .run = missing_is_refused,
        },
        {
                NAMED("wrong-size-of-manifest-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A layer that does not have the size of the manifest is reported.",
                .reference = "finish-size",
                .run = wrong_size_of_manifest_is_reported,
        },
        {
                NAMED("wrong-digest-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that does not have the digest that was asked for is reported.",
                .reference = "finish-digest blob-verified",
                .run = wrong_digest_is_reported,
        },
        {
                NAMED("unreadable-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that cannot be read is refused, by the answer or by FinishPipe.",
                .reference = "finish-source",
                .run = unreadable_is_reported,
        },
        {
                NAMED("failure-is-survived"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that failed does not keep the next one from coming.",
                .reference = "blob-failure",
                .run = failure_is_survived,
        },
        {
                NAMED("two-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Two blobs can be read by turns.",
                .reference = "many-pipes",
                .run = two_at_once,
        },
        {
                NAMED("same-twice-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The same blob can be open twice; each pipe has all of it.",
                .reference = "blob-same-twice",
                .run = same_twice_at_once,
        },
        {
                NAMED("leave-no-descriptor"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that was fetched leaves no descriptor open in the server.",
                .reference = "pipe-leaves-nothing",
                .run = leave_no_descriptor,
        },
        {
                NAMED("sha512-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob with a sha512 digest arrives whole.",
                .reference = "get-blob digest-argument",
                .run = sha512_is_whole,
        },
        {
                NAMED("sha512-is-verified"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires =
                        "A blob that does not have its sha512 digest is refused, by FinishPipe at the latest.",
                .reference = "blob-verified finish-digest",
                .run = sha512_is_verified,
        },
        {
                NAMED("config-is-verified"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A config that does not have its digest is refused as any blob is.",
                .reference = "blob-verified finish-digest",
                .run = config_is_verified,
        },
        {
                NAMED("of-each-fixture"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The first and the last layer of each fixture arrive whole.",
                .reference = "get-blob",
                .run = of_each_fixture,
        },
        {
                NAMED("reader-gone-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe reports that the client closed its end before a blob was written.",
                .reference = "finish-epipe",
                .run = reader_gone_is_reported,
        },
        {
                NAMED("reader-gone-is-survived"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob whose reader left can be fetched again.",
                .reference = "reader-gone blob-failure",
                .run = reader_gone_is_survived,
        },
        {
                NAMED("manifest-as-a-blob"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records whether GetBlob serves the image's manifest.",
                .reference = "blob-of-the-layout",
                .run = manifest_as_a_blob,
        },
        {
                NAMED("blob-of-another-image"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records whether GetBlob serves a blob of the layout that is of another image.",
                .reference = "blob-of-the-layout",
                .run = blob_of_another_image,
        },
        {
                NAMED("bytes-before-a-smaller-size"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records how much of a blob comes when a smaller size is asked for.",
                .reference = "finish-size",
                .run = bytes_before_a_smaller_size,
        },
        {
                NAMED("bytes-before-a-wrong-digest"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records how much comes of a blob whose digest is wrong.",
                .reference = "finish-digest",
                .run = bytes_before_a_wrong_digest,
        },
        {
                NAMED("upper-case-digest"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "A digest in capital letters is refused.",
                .reference = "digest-argument",
                .run = upper_case_digest,
        },
        {
                NAMED("digest-of-another-algorithm-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A digest of an unknown algorithm, or of the wrong length, is refused.",
                .reference = "digest-argument",
                .run = digest_of_another_algorithm_is_refused,
        },
};
const size_t n_checks_blobs = ARRAY_SIZE(checks_blobs);
