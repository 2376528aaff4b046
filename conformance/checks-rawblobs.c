/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of GetRawBlob, since 0.2.8: two pipes, one for data and one for errors, which end by themselves.
 * Nothing is verified; what goes wrong while data is sent stands on the error pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "conformance/groups.h"
#include "conformance/sample.h"

#define NAMED(name) .id = "rawblobs/" name

#define SINCE_RAW VERSION(0, 2, 8)

#define ZEROS_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static const char *raw_args(struct check_context *c, uint64_t image, const char *digest)
{
        return check_text(c, "[%" PRIu64 ", \"%s\"]", image, digest);
}

/* GetRawBlob that must succeed with two descriptors. */
static void begin(struct check_context *c, uint64_t image, const char *digest, struct answer *ret)
{
        check_call_ok(c, ret, "GetRawBlob", "%s", raw_args(c, image, digest));
        check_that(c, ret->packet.n_fds == 2, "GetRawBlob should send two descriptors, %zu came",
                   ret->packet.n_fds);
}

/* The one layer of @fixture. */
static const struct content *begin_layer(struct check_context *c, const char *fixture, const char *tag,
                                         struct answer *ret)
{
        const struct content *layer = sample_layer_of(c, fixture, 0);

        begin(c, sample_open(c, fixture, tag), layer->digest, ret);
        return layer;
}

static void comes_with_two_pipes(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t id = sample_open(c, "layers-1", "rawblobs.comes-with-two-pipes");

        check_call_ok(c, &raw, "GetRawBlob", "%s", raw_args(c, id, layer->digest));
        sample_check_pipes(c, &raw, 2);
}

static void pipeid_is_zero(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        begin_layer(c, "layers-1", "rawblobs.pipeid-is-zero", &raw);
        check_that(c, raw.pipeid == 0, "the pipe id of GetRawBlob should be 0, it is %" PRIu64, raw.pipeid);
}

static void value_is_the_size(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        const struct content *layer = begin_layer(c, "blob-65537", "rawblobs.value-is-the-size", &raw);
        int64_t size;

        check_that(c, json_object_is_type(raw.value, json_type_int),
                   "the value of GetRawBlob should be a size, it is: %s",
                   json_object_to_json_string(raw.value));
        size = json_object_get_int64(raw.value);
        check_that(c, size == layer->size || size == -1,
                   "the value of GetRawBlob should be the size %" PRId64
                   ", or -1 where it is not known; it is %" PRId64,
                   layer->size, size);
}

/* Reads exactly the blob, without a word about the end. */
static void expect_data(struct check_context *c, const struct answer *raw, const struct content *content)
{
        CLEANUP(cleanup_free) char *data = malloc((size_t)content->size + 1);
        size_t len;

        if (!data)
                check_error(c, "out of memory");
        len = check_read(c, raw->packet.fds[0], data, (size_t)content->size);
        check_that(c, len == (size_t)content->size, "a blob of %" PRId64 " bytes should arrive whole, %zu came",
                   content->size, len);
        sample_check_digest(c, data, len, content->digest, "a raw blob");
}

static void more_than_a_pipe_is_whole(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        expect_data(c, &raw, begin_layer(c, "blob-65537", "rawblobs.more-than-a-pipe-is-whole", &raw));
}

static void empty_is_whole(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        begin_layer(c, "blob-0", "rawblobs.empty-is-whole", &raw);
        check_read_to_end(c, raw.packet.fds[0], &data, &len);
        check_that(c, len == 0, "a raw blob of no bytes should be an empty pipe, %zu bytes came", len);
}

static void config_is_a_blob(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        const struct content *config = &check_fixture_manifest(c, "layers-1")->config;

        begin(c, sample_open(c, "layers-1", "rawblobs.config-is-a-blob"), config->digest, &raw);
        expect_data(c, &raw, config);
}

/* The pipe must end without FinishPipe: now, or before the server falls asleep. */
static void expect_end(struct check_context *c, int fd, const char *name)
{
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};

        if (poll(&pollfd, 1, 0) == 0) {
                check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
                poll(&pollfd, 1, 0);
        }
        check_that(c, pollfd.revents & POLLHUP, "the %s pipe should end without FinishPipe; its writer stays",
                   name);
}

static void data_ends_by_itself(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        expect_data(c, &raw, begin_layer(c, "blob-65536", "rawblobs.data-ends-by-itself", &raw));
        expect_end(c, raw.packet.fds[0], "data");
        check_expect_open(c);
}

static void errors_end_by_themselves(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        expect_data(c, &raw, begin_layer(c, "blob-65536", "rawblobs.errors-end-by-themselves", &raw));
        expect_end(c, raw.packet.fds[1], "error");
        check_expect_open(c);
}

static void nothing_behind_the_data(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *layer = begin_layer(c, "blob-65535", "rawblobs.nothing-behind-the-data", &raw);
        size_t len;

        check_read_to_end(c, raw.packet.fds[0], &data, &len);
        check_that(c, len <= (size_t)layer->size, "a blob of %" PRId64 " bytes should come alone, %zu came",
                   layer->size, len);
}

/* Data and errors, each to its end. */
static void read_both(struct check_context *c, struct answer *raw, char **ret, size_t *ret_len,
                      char **ret_errors, size_t *ret_errors_len)
{
        check_read_to_end(c, raw->packet.fds[0], ret, ret_len);
        check_read_to_end(c, raw->packet.fds[1], ret_errors, ret_errors_len);
}

static void no_error_on_success(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *errors = NULL;
        size_t len, errors_len;

        begin_layer(c, "blob-65537", "rawblobs.no-error-on-success", &raw);
        read_both(c, &raw, &data, &len, &errors, &errors_len);
        check_that(c, errors_len == 0, "the error pipe should be empty when all went well, it has: %.300s",
                   errors);
}

static void nothing_is_verified(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *stored = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *errors = NULL;
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        const char *path = sample_blob_path(c, "layers-1", layer->digest);
        size_t stored_len, len, errors_len;

        sample_read_file(c, path, &stored, &stored_len);
        if (!stored_len)
                check_error(c, "the layer of the fixture is empty");
        stored[0] ^= 1;
        sample_write_file(c, path, stored, stored_len);
        begin_layer(c, "layers-1", "rawblobs.nothing-is-verified", &raw);
        read_both(c, &raw, &data, &len, &errors, &errors_len);
        check_that(
                c, len == stored_len && !memcmp(data, stored, len),
                "a raw blob should come as it is stored, whatever its digest; %zu of %zu bytes came, or others",
                len, stored_len);
        check_that(c, errors_len == 0,
                   "the digest of a raw blob should not be verified; the error pipe has: %.300s", errors);
}

/* What stands on the error pipe must be one error. */
static void parse_error(struct check_context *c, const char *errors, size_t len, struct pipe_error *ret)
{
        struct cip_error error = {0};

        check_that(c, len > 0, "the error pipe should hold an error, it is empty");
        if (pipe_error_parse(errors, len, ret, &error) < 0)
                check_fail(c, "the error pipe should hold one error object, it holds %.300s: %s", errors,
                           error.message);
}

/* By its answer, or by its error pipe. */
static void expect_refused(struct check_context *c, uint64_t image, const char *digest, const char *what)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *errors = NULL;
        struct pipe_error error = {0};
        size_t len, errors_len;

        check_call(c, &raw, "GetRawBlob", "%s", raw_args(c, image, digest));
        if (!raw.success)
                return;
        check_that(c, raw.packet.n_fds == 2,
                   "GetRawBlob of %s should be refused, or send two descriptors; it succeeds with %zu", what,
                   raw.packet.n_fds);
        read_both(c, &raw, &data, &len, &errors, &errors_len);
        check_that(c, errors_len > 0,
                   "GetRawBlob of %s should be refused, or the error pipe say why; it succeeds, and the pipe "
                   "is empty",
                   what);
        parse_error(c, errors, errors_len, &error);
        free(error.message);
}

static void unknown_digest_is_refused(struct check_context *c)
{
        expect_refused(c, sample_open(c, "layers-1", "rawblobs.unknown-digest-is-refused"), ZEROS_DIGEST,
                       "a digest that no blob has");
}

static void malformed_digest_is_refused(struct check_context *c)
{
        expect_refused(c, sample_open(c, "layers-1", "rawblobs.malformed-digest-is-refused"), "sha256:abc",
                       "what is no digest");
}

static void path_for_a_digest_is_refused(struct check_context *c)
{
        expect_refused(c, sample_open(c, "layers-1", "rawblobs.path-for-a-digest-is-refused"),
                       "sha256:../../index.json", "a path in the place of a digest");
}

static void unreadable_is_reported(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        const char *path = sample_blob_path(c, "layers-1", layer->digest);

        /* A folder can be opened as a file can, and fails when it is read: also for root. */
        if (unlink(path) < 0 || mkdir(path, 0755) < 0)
                check_error(c, "cannot put a folder in the place of %s: %s", path, strerror(errno));
        expect_refused(c, sample_open(c, "layers-1", "rawblobs.unreadable-is-reported"), layer->digest,
                       "a layer that cannot be read");
}

/* The config of 1 MiB, more than a pipe holds. */
static void begin_large(struct check_context *c, const char *tag, struct answer *ret)
{
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;

        begin(c, sample_open(c, "config-1m", tag), config->digest, ret);
}

static void reader_gone_is_epipe(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *errors = NULL;
        struct pipe_error error = {0};
        size_t len;

        begin_large(c, "rawblobs.reader-gone-is-epipe", &raw);
        fd_clear(&raw.packet.fds[0]);
        check_read_to_end(c, raw.packet.fds[1], &errors, &len);
        parse_error(c, errors, len, &error);
        check_that(c, error.code == ERROR_CODE_EPIPE,
                   "the error should have the code EPIPE where the reader left: %.300s", errors);
        free(error.message);
}

static void readers_gone_are_survived(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "layers-1", "rawblobs.readers-gone-are-survived");
        size_t len;

        begin_large(c, "rawblobs.readers-gone-are-survived", &raw);
        packet_clear(&raw.packet);
        /* Asleep: what the server does about it, it has done. */
        check_that(c, check_is_silent(c),
                   "the server answers what nobody asked, or ends, when both readers leave");
        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
}

#define MANY 10

static void ten_in_reverse_order(struct check_context *c)
{
        struct answer pipes[MANY] = {0};
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        uint64_t id = sample_open(c, "blob-65537", "rawblobs.ten-in-reverse-order");

        for (size_t i = 0; i < MANY; i++)
                begin(c, id, layer->digest, &pipes[i]);
        for (size_t i = MANY; i-- > 0;) {
                expect_data(c, &pipes[i], layer);
                answer_clear(&pipes[i]);
        }
}

static void finish_is_for_others(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        uint64_t id = sample_open(c, "blob-65537", "rawblobs.finish-is-for-others");
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        begin(c, id, layer->digest, &raw);
        sample_get_blob(c, id, layer, &piped);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success, "FinishPipe should not mind an open raw blob, it says: %s", finish.error);
        expect_data(c, &raw, layer);
}

static void survives_close_image(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP_ANSWER struct answer closed = {0};
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        uint64_t id = sample_open(c, "blob-65537", "rawblobs.survives-close-image");

        begin(c, id, layer->digest, &raw);
        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", id);
        expect_data(c, &raw, layer);
}

static void leave_no_descriptor(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "blob-1", 0);
        uint64_t id = sample_open(c, "blob-1", "rawblobs.leave-no-descriptor");
        size_t before = check_server_fds(c), after;

        for (int i = 0; i < 5; i++) {
                CLEANUP_ANSWER struct answer raw = {0};

                begin(c, id, layer->digest, &raw);
                expect_data(c, &raw, layer);
        }
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        after = check_server_fds(c);
        check_expect_open(c);
        check_that(c, after < before + 3,
                   "five raw blobs that were read should leave no descriptor in the server; it had %zu before "
                   "and has "
                   "%zu now",
                   before, after);
}

/* ---- sizes, readers, and several at once ---- */

static void expect_fixture(struct check_context *c, const char *fixture, const char *tag)
{
        CLEANUP_ANSWER struct answer raw = {0};

        expect_data(c, &raw, begin_layer(c, fixture, tag, &raw));
}

static void one_byte_is_whole(struct check_context *c)
{
        expect_fixture(c, "blob-1", "rawblobs.one-byte-is-whole");
}

static void less_than_a_pipe_is_whole(struct check_context *c)
{
        expect_fixture(c, "blob-65535", "rawblobs.less-than-a-pipe-is-whole");
}

static void a_pipe_is_whole(struct check_context *c)
{
        expect_fixture(c, "blob-65536", "rawblobs.a-pipe-is-whole");
}

static void sha512_is_whole(struct check_context *c)
{
        expect_fixture(c, "sha512", "rawblobs.sha512-is-whole");
}

static void large_is_whole(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        begin_large(c, "rawblobs.large-is-whole", &raw);
        expect_data(c, &raw, &check_fixture_manifest(c, "config-1m")->config);
}

static void missing_is_refused(struct check_context *c)
{
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        const char *path = sample_blob_path(c, "layers-1", layer->digest);

        if (unlink(path) < 0)
                check_error(c, "cannot remove %s: %s", path, strerror(errno));
        expect_refused(c, sample_open(c, "layers-1", "rawblobs.missing-is-refused"), layer->digest,
                       "a layer that is not there");
}

static void other_size_is_sent(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *stored = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *errors = NULL;
        const struct content *layer = sample_layer_of(c, "broken-size", 0);
        size_t stored_len, len, errors_len;

        sample_read_file(c, sample_blob_path(c, "broken-size", layer->digest), &stored, &stored_len);
        begin_layer(c, "broken-size", "rawblobs.other-size-is-sent", &raw);
        read_both(c, &raw, &data, &len, &errors, &errors_len);
        check_that(c, len == stored_len && !memcmp(data, stored, len),
                   "a raw blob should come as it is stored, whatever its size in the manifest; %zu of %zu "
                   "bytes came",
                   len, stored_len);
        check_that(c, errors_len == 0,
                   "the size of a raw blob should not be verified; the error pipe has: %.300s", errors);
}

/* Two blobs of one image, read by turns. */
static void different_at_once(struct check_context *c)
{
        struct answer raw[2] = {0};
        const struct content *contents[] = {sample_layer_of(c, "blob-65537", 0),
                                            &check_fixture_manifest(c, "blob-65537")->config};
        uint64_t id = sample_open(c, "blob-65537", "rawblobs.different-at-once");

        for (size_t i = 0; i < 2; i++)
                begin(c, id, contents[i]->digest, &raw[i]);
        for (size_t i = 2; i-- > 0;) {
                expect_data(c, &raw[i], contents[i]);
                answer_clear(&raw[i]);
        }
}

static void closed_image_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer closed = {0};
        CLEANUP_ANSWER struct answer raw = {0};
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t id = sample_open(c, "layers-1", "rawblobs.closed-image-is-refused");

        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", id);
        check_call_refused(c, &raw, "GetRawBlob", "%s", raw_args(c, id, layer->digest));
}

/* Only the data is wanted: nobody reads the errors. */
static void error_reader_gone_is_survived(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        begin_large(c, "rawblobs.error-reader-gone-is-survived", &raw);
        fd_clear(&raw.packet.fds[1]);
        expect_data(c, &raw, &check_fixture_manifest(c, "config-1m")->config);
}

static void reader_gone_ends_the_errors(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        char buffer[1000];

        begin_large(c, "rawblobs.reader-gone-ends-the-errors", &raw);
        check_that(c, check_read(c, raw.packet.fds[0], buffer, sizeof(buffer)) == sizeof(buffer),
                   "the data pipe ends before its first %zu bytes came", sizeof(buffer));
        fd_clear(&raw.packet.fds[0]);
        expect_end(c, raw.packet.fds[1], "error");
}

static void served_while_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "layers-1", "rawblobs.served-while-open");
        size_t len;

        begin_large(c, "rawblobs.served-while-open", &raw);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        sample_check_digest(c, data, len, sample_digest(c, "layers-1"),
                            "a manifest that is fetched while a raw blob is open");
        expect_data(c, &raw, &check_fixture_manifest(c, "config-1m")->config);
}

static void same_as_get_blob(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *verified = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *errors = NULL;
        const struct content *layer = sample_layer_of(c, "gzip", 0);
        uint64_t id = sample_open(c, "gzip", "rawblobs.same-as-get-blob");
        size_t verified_len, len, errors_len;

        sample_get_blob(c, id, layer, &piped);
        check_read_and_finish(c, &piped, &finish, &verified, &verified_len);
        begin(c, id, layer->digest, &raw);
        read_both(c, &raw, &data, &len, &errors, &errors_len);
        check_that(
                c, len == verified_len && !memcmp(data, verified, len),
                "GetRawBlob should send what GetBlob sends; GetBlob sent %zu bytes, GetRawBlob %zu, or others",
                verified_len, len);
}

static void is_blocking(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        begin_layer(c, "layers-1", "rawblobs.is-blocking", &raw);
        for (size_t i = 0; i < 2; i++) {
                int flags = fcntl(raw.packet.fds[i], F_GETFL);

                check_that(c, flags >= 0 && !(flags & O_NONBLOCK),
                           "the read end of the %s pipe should be blocking; it has O_NONBLOCK",
                           i ? "error" : "data");
        }
}

/* What stands on the error pipe when a blob cannot be read: its code. */
static void code_of_a_missing_blob(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};

        check_call(c, &raw, "GetRawBlob", "%s",
                   raw_args(c, sample_open(c, "layers-1", "rawblobs.code-of-a-missing-blob"), ZEROS_DIGEST));
        check_record(c, "%s", raw.success ? "success" : raw.error_code ? raw.error_code : "none");
}

const struct check checks_rawblobs[] = {
        {
                NAMED("comes-with-two-pipes"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "GetRawBlob comes with exactly two descriptors, each the read end of a pipe.",
                .reference = "raw-pipes",
                .run = comes_with_two_pipes,
        },
        {
                NAMED("pipeid-is-zero"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "The pipe id of GetRawBlob is 0, since there is nothing to finish.",
                .reference = "raw-ends-by-itself",
                .run = pipeid_is_zero,
        },
        {
                NAMED("value-is-the-size"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "The value of GetRawBlob is the size of the blob in bytes, or -1 where it is not "
                            "known.",
                .reference = "get-raw-blob",
                .run = value_is_the_size,
        },
        {
                NAMED("more-than-a-pipe-is-whole"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "A raw blob of 65,537 bytes, one more than a pipe holds, arrives whole.",
                .reference = "get-raw-blob",
                .run = more_than_a_pipe_is_whole,
        },
        {
                NAMED("empty-is-whole"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "A raw blob of no bytes comes as an empty pipe.",
                .reference = "get-raw-blob",
                .run = empty_is_whole,
        },
        {
                NAMED("config-is-a-blob"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "GetRawBlob sends the image's config too, as it is stored.",
                .reference = "get-raw-blob",
                .run = config_is_a_blob,
        },
        {
                NAMED("data-ends-by-itself"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "The data pipe of GetRawBlob ends without FinishPipe.",
                .reference = "raw-ends-by-itself",
                .run = data_ends_by_itself,
        },
        {
                NAMED("errors-end-by-themselves"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "The error pipe of GetRawBlob ends without FinishPipe.",
                .reference = "raw-ends-by-itself",
                .run = errors_end_by_themselves,
        },
        {
                NAMED("nothing-behind-the-data"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "The data pipe of GetRawBlob has no more than the blob.",
                .reference = "raw-data",
                .run = nothing_behind_the_data,
        },
        {
                NAMED("no-error-on-success"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "The error pipe of GetRawBlob is empty when all went well.",
                .reference = "raw-no-error",
                .run = no_error_on_success,
        },
        {
                NAMED("nothing-is-verified"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "GetRawBlob sends a blob as it is stored and verifies nothing.",
                .reference = "raw-unverified",
                .run = nothing_is_verified,
        },
        {
                NAMED("unknown-digest-is-refused"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "GetRawBlob of a digest that no blob has is refused, by the answer or on the error "
                            "pipe.",
                .reference = "raw-missing",
                .run = unknown_digest_is_refused,
        },
        {
                NAMED("malformed-digest-is-refused"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "GetRawBlob of what is no digest is refused, by the answer or on the error pipe.",
                .reference = "digest-argument",
                .run = malformed_digest_is_refused,
        },
        {
                NAMED("path-for-a-digest-is-refused"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "GetRawBlob does not take a path in the place of a digest.",
                .reference = "digest-argument",
                .run = path_for_a_digest_is_refused,
        },
        {
                NAMED("unreadable-is-reported"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "A raw blob that cannot be read is refused, by the answer or on the error pipe.",
                .reference = "raw-error",
                .run = unreadable_is_reported,
        },
        {
                NAMED("reader-gone-is-epipe"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "When the client closes the data pipe early, the error pipe says EPIPE.",
                .reference = "raw-error raw-code",
                .run = reader_gone_is_epipe,
        },
        {
                NAMED("readers-gone-are-survived"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "A client that closes both pipes early does not keep the server from serving.",
                .reference = "raw-reader-gone",
                .run = readers_gone_are_survived,
        },
        {
                NAMED("ten-in-reverse-order"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "Ten raw blobs can be open at once and read in the reverse order.",
                .reference = "raw-many",
                .run = ten_in_reverse_order,
        },
        {
                NAMED("finish-is-for-others"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "FinishPipe of a piped value works while a raw blob is open.",
                .reference = "finish-pipe",
                .run = finish_is_for_others,
        },
        {
                NAMED("survives-close-image"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "A raw blob that is open when its image is closed arrives whole.",
                .reference = "close-keeps-pipes",
                .run = survives_close_image,
        },
        {
                NAMED("leave-no-descriptor"),
                .level = LEVEL_MUST,
                .since = SINCE_RAW,
                .requires = "A raw blob that was read leaves no descriptor open in the server.",
                .reference = "raw-leaves-nothing",
                .run = leave_no_descriptor,
        },
        {
                NAMED("one-byte-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A raw blob of one byte arrives whole.",
                .reference = "get-raw-blob",
                .run = one_byte_is_whole,
        },
        {
                NAMED("less-than-a-pipe-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A raw blob of 65,535 bytes arrives whole.",
                .reference = "get-raw-blob",
                .run = less_than_a_pipe_is_whole,
        },
        {
                NAMED("a-pipe-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A raw blob of 65,536 bytes, just what a pipe holds, arrives whole.",
                .reference = "get-raw-blob",
                .run = a_pipe_is_whole,
        },
        {
                NAMED("large-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A raw blob of 1 MiB arrives whole.",
                .reference = "get-raw-blob",
                .run = large_is_whole,
        },
        {
                NAMED("sha512-is-whole"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A raw blob with a sha512 digest arrives whole.",
                .reference = "get-raw-blob digest-argument",
                .run = sha512_is_whole,
        },
        {
                NAMED("same-as-get-blob"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "GetRawBlob sends the same bytes as GetBlob.",
                .reference = "get-raw-blob",
                .run = same_as_get_blob,
        },
        {
                NAMED("other-size-is-sent"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A blob of another size than the manifest's comes as it is stored.",
                .reference = "raw-unverified",
                .run = other_size_is_sent,
        },
        {
                NAMED("missing-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires =
                        "A raw blob whose file is not there is refused, by the answer or on the error pipe.",
                .reference = "raw-missing",
                .run = missing_is_refused,
        },
        {
                NAMED("different-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "Two raw blobs of one image that are open at once are not mixed up.",
                .reference = "raw-many",
                .run = different_at_once,
        },
        {
                NAMED("closed-image-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "GetRawBlob of an image that was closed is refused.",
                .reference = "close-image",
                .run = closed_image_is_refused,
        },
        {
                NAMED("error-reader-gone-is-survived"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "A raw blob arrives whole where the client has closed the error pipe.",
                .reference = "raw-data",
                .run = error_reader_gone_is_survived,
        },
        {
                NAMED("reader-gone-ends-the-errors"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "The error pipe ends when the client leaves in the middle of the data.",
                .reference = "raw-ends-by-itself raw-error",
                .run = reader_gone_ends_the_errors,
        },
        {
                NAMED("served-while-open"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 8),
                .requires = "Other requests are served while a raw blob is open that nobody reads.",
                .reference = "raw-many",
                .run = served_while_open,
        },
        {
                NAMED("is-blocking"),
                .level = LEVEL_SHOULD,
                .since = VERSION(0, 2, 8),
                .requires = "The read ends of both pipes of GetRawBlob are blocking.",
                .reference = "pipes-blocking",
                .run = is_blocking,
        },
        {
                NAMED("code-of-a-missing-blob"),
                .level = LEVEL_INFO,
                .since = VERSION(0, 2, 8),
                .requires = "Records the error code of a raw blob that does not exist.",
                .reference = "raw-missing code-since",
                .run = code_of_a_missing_blob,
        },
};
const size_t n_checks_rawblobs = ARRAY_SIZE(checks_rawblobs);
