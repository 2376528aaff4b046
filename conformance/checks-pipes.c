/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of data pipes and of FinishPipe, which ends them: what it waits for, what it reports, what stays
 * open until then, and many pipes at once. The value that is larger than a pipe holds is a manifest of 1 MiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "conformance/groups.h"
#include "conformance/sample.h"

#define NAMED(name) .id = "pipes/" name

static void begin(struct check_context *c, const char *method, uint64_t image, struct answer *ret)
{
        check_call_ok(c, ret, method, "[%" PRIu64 "]", image);
        check_that(c, ret->packet.n_fds == 1, "%s should send one descriptor, %zu came", method,
                   ret->packet.n_fds);
}

/* GetManifest of 1 MiB: more than a pipe holds. */
static void begin_large(struct check_context *c, const char *tag, struct answer *ret)
{
        begin(c, "GetManifest", sample_open(c, "manifest-1m", tag), ret);
}

/* GetBlob of the one layer of @fixture. */
static void begin_blob(struct check_context *c, const char *fixture, const char *tag, struct answer *ret)
{
        sample_get_blob(c, sample_open(c, fixture, tag), sample_layer_of(c, fixture, 0), ret);
}

/* What poll(2) says of a pipe now. */
static short state_of(struct check_context *c, int fd)
{
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};

        if (poll(&pollfd, 1, 0) < 0)
                check_error(c, "cannot poll: %s", strerror(errno));
        return pollfd.revents;
}

static void finish_waits_for_the_writer(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_large(c, "pipes.finish-waits-for-the-writer", &piped);
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, check_is_silent(c),
                   "FinishPipe should wait until the value of 1 MiB is written; it answers while the pipe is "
                   "unread");
        fd_clear(&piped.packet.fds[0]);
        check_answer(c, &finish);
}

static void finish_loses_nothing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        begin_large(c, "pipes.finish-loses-nothing", &piped);
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        /* Whether it waits is another check's question: here it shall be under way before the reading. */
        check_is_silent(c);
        check_read_to_end(c, piped.packet.fds[0], &data, &len);
        check_answer(c, &finish);
        sample_check_digest(c, data, len, sample_digest(c, "manifest-1m"),
                            "a value that is read while FinishPipe waits");
}

static void finish_succeeds_unread(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        char byte;

        begin_blob(c, "blob-1", "pipes.finish-succeeds-unread", &piped);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, finish.success,
                   "FinishPipe should succeed while a value of one byte waits in the pipe, it says: %s",
                   finish.error);
        check_that(c, check_read(c, piped.packet.fds[0], &byte, 1) == 1,
                   "a value that was not read before FinishPipe should still be there");
}

static void open_until_finish(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        char byte;

        begin_blob(c, "blob-1", "pipes.open-until-finish", &piped);
        check_that(c, check_read(c, piped.packet.fds[0], &byte, 1) == 1,
                   "the pipe ends before its one byte came");
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        check_that(c, state_of(c, piped.packet.fds[0]) == 0,
                   "a pipe should have no end before FinishPipe; its writer is gone");
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
}

static void end_after_finish(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        char byte;

        begin_blob(c, "blob-1", "pipes.end-after-finish", &piped);
        check_that(c, check_read(c, piped.packet.fds[0], &byte, 1) == 1,
                   "the pipe ends before its one byte came");
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        check_that(c, state_of(c, piped.packet.fds[0]) & POLLHUP,
                   "a pipe should end once FinishPipe is answered; the server has its write end open still");
}

static void data_before_finish(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_blob(c, "blob-1", "pipes.data-before-finish", &piped);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        check_that(c, state_of(c, piped.packet.fds[0]) & POLLIN,
                   "data should come without FinishPipe; the pipe is empty and the server sleeps");
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
}

static void finish_twice_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_blob(c, "blob-1", "pipes.finish-twice-is-refused", &piped);
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_call_refused(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
}

static void unknown_id_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer finish = {0};

        check_call_refused(c, &finish, "FinishPipe", "[424242]");
}

static void finish_is_of_one_pipe(struct check_context *c)
{
        CLEANUP_ANSWER struct answer large = {0};
        CLEANUP_ANSWER struct answer small = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_large(c, "pipes.finish-is-of-one-pipe", &large);
        begin_blob(c, "blob-1", "pipes.finish-is-of-one-pipe", &small);
        check_request(c, "FinishPipe", "[%" PRIu64 "]", small.pipeid);
        check_that(c, !check_is_silent(c),
                   "FinishPipe should wait for the pipe that it names; it waits for another one");
        check_answer(c, &finish);
        fd_clear(&large.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", large.pipeid);
}

static void reader_gone_is_reported(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_large(c, "pipes.reader-gone-is-reported", &piped);
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, !finish.success,
                   "FinishPipe should report that the reader left before the 1 MiB was written; it succeeds");
}

static void reader_gone_is_epipe(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_large(c, "pipes.reader-gone-is-epipe", &piped);
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, finish.error_code && !strcmp(finish.error_code, "EPIPE"),
                   "the error code should be EPIPE where the reader left, it is %s (%s)",
                   finish.error_code ? finish.error_code : "missing", finish.error);
}

static void reader_gone_in_the_middle(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        char buffer[1000];

        begin_large(c, "pipes.reader-gone-in-the-middle", &piped);
        check_that(c, check_read(c, piped.packet.fds[0], buffer, sizeof(buffer)) == sizeof(buffer),
                   "the pipe ends before its first %zu bytes came", sizeof(buffer));
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, check_is_silent(c), "FinishPipe should wait for the writer");
        fd_clear(&piped.packet.fds[0]);
        check_answer(c, &finish);
        check_that(c, !finish.success,
                   "FinishPipe that waits should report that the reader left in the middle; it succeeds");
}

static void reader_gone_is_survived(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "layers-1", "pipes.reader-gone-is-survived");
        size_t len;

        begin_large(c, "pipes.reader-gone-is-survived", &piped);
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
}

#define TEN 10

static void ten_in_reverse_order(struct check_context *c)
{
        struct answer pipes[TEN] = {0};
        const struct content *layer = sample_layer_of(c, "blob-65536", 0);
        uint64_t id = sample_open(c, "blob-65536", "pipes.ten-in-reverse-order");

        for (size_t i = 0; i < TEN; i++)
                sample_get_blob(c, id, layer, &pipes[i]);
        for (size_t i = TEN; i-- > 0;) {
                CLEANUP_ANSWER struct answer finish = {0};
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                check_read_and_finish(c, &pipes[i], &finish, &data, &len);
                check_that(c, finish.success,
                           "FinishPipe of pipe %zu of ten, the last one first, should succeed: %s", i + 1,
                           finish.error);
                sample_check_digest(c, data, len, layer->digest,
                                    check_text(c, "the data of pipe %zu of ten", i + 1));
                answer_clear(&pipes[i]);
        }
}

/* Reads the last of ten first, none is finished. */
static void ten_are_filled_at_once(struct check_context *c)
{
        struct answer pipes[TEN] = {0};
        uint64_t id = sample_open(c, "manifest-1m", "pipes.ten-are-filled-at-once");
        char byte;

        for (size_t i = 0; i < TEN; i++)
                begin(c, "GetManifest", id, &pipes[i]);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        for (size_t i = 0; i < TEN; i++)
                check_that(c, state_of(c, pipes[i].packet.fds[0]) & POLLIN,
                           "ten pipes should be filled at once; pipe %zu is empty while none is read", i + 1);
        check_that(c, check_read(c, pipes[TEN - 1].packet.fds[0], &byte, 1) == 1, "the last pipe ends at once");
        for (size_t i = 0; i < TEN; i++)
                answer_clear(&pipes[i]);
        check_expect_open(c);
}

static void hundred_at_once(struct check_context *c)
{
        static struct answer pipes[100];
        const struct content *layer = sample_layer_of(c, "blob-1", 0);
        uint64_t id = sample_open(c, "blob-1", "pipes.hundred-at-once");
        char byte;

        for (size_t i = 0; i < ARRAY_SIZE(pipes); i++)
                sample_get_blob(c, id, layer, &pipes[i]);
        for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
                CLEANUP_ANSWER struct answer finish = {0};

                check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", pipes[i].pipeid);
                check_that(c, check_read(c, pipes[i].packet.fds[0], &byte, 1) == 1,
                           "pipe %zu of a hundred should have its one byte, it is empty", i + 1);
                answer_clear(&pipes[i]);
        }
}

static void served_while_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer large = {0};
        CLEANUP_ANSWER struct answer opened = {0};

        /* Not begin_large: it is the answer to this that must come while nobody reads. */
        check_request(c, "GetManifest", "[%" PRIu64 "]",
                      sample_open(c, "manifest-1m", "pipes.served-while-open"));
        check_that(c, !check_is_silent(c),
                   "a piped value should be answered before it is written; the server waits for a reader");
        check_answer(c, &large);
        check_call_ok(c, &opened, "OpenImage", "[\"%s\"]", check_fixture(c, "layers-1"));
        packet_clear(&large.packet);
        check_call(c, &opened, "FinishPipe", "[%" PRIu64 "]", large.pipeid);
}

static void ids_differ(struct check_context *c)
{
        CLEANUP_ANSWER struct answer one = {0};
        CLEANUP_ANSWER struct answer other = {0};
        uint64_t id = sample_open(c, "layers-1", "pipes.ids-differ");

        begin(c, "GetManifest", id, &one);
        begin(c, "GetFullConfig", id, &other);
        check_that(c, one.pipeid != other.pipeid, "two open pipes should have two ids, both have %" PRIu64,
                   one.pipeid);
        check_expect_open(c);
}

static void id_is_not_zero(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};

        begin(c, "GetManifest", sample_open(c, "layers-1", "pipes.id-is-not-zero"), &piped);
        check_that(c, piped.pipeid != 0, "a piped value should have a pipe id that is not 0");
        check_expect_open(c);
}

static void one_descriptor(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        uint64_t id = sample_open(c, "layers-1", "pipes.one-descriptor");

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", id);
        check_that(c, piped.packet.n_fds == 1, "a piped value should come with one descriptor, %zu came",
                   piped.packet.n_fds);
        check_expect_open(c);
}

static void is_a_read_end(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        uint64_t id = sample_open(c, "layers-1", "pipes.is-a-read-end");

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", id);
        sample_check_pipes(c, &piped, 1);
        check_expect_open(c);
}

static void is_blocking(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        int flags;

        begin(c, "GetManifest", sample_open(c, "layers-1", "pipes.is-blocking"), &piped);
        flags = fcntl(piped.packet.fds[0], F_GETFL);
        check_that(c, flags >= 0 && !(flags & O_NONBLOCK),
                   "the read end should be blocking, as a client that just reads expects; it has O_NONBLOCK");
        check_expect_open(c);
}

static void survives_close_image(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer closed = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "manifest-1m", "pipes.survives-close-image");
        size_t len;

        begin(c, "GetManifest", id, &piped);
        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", id);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success, "FinishPipe should succeed after the image was closed, it says: %s",
                   finish.error);
        sample_check_digest(c, data, len, sample_digest(c, "manifest-1m"),
                            "a value whose image was closed meanwhile");
}

static void data_is_not_mixed_up(struct check_context *c)
{
        struct answer pipes[2] = {0};
        const struct content *contents[] = {&check_fixture_manifest(c, "config-1m")->config,
                                            sample_layer_of(c, "blob-65536", 0)};
        uint64_t ids[] = {sample_open(c, "config-1m", "pipes.data-is-not-mixed-up"),
                          sample_open(c, "blob-65536", "pipes.data-is-not-mixed-up")};

        for (size_t i = 0; i < 2; i++)
                sample_get_blob(c, ids[i], contents[i], &pipes[i]);
        for (size_t i = 0; i < 2; i++) {
                CLEANUP_ANSWER struct answer finish = {0};
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                check_read_and_finish(c, &pipes[i], &finish, &data, &len);
                sample_check_digest(c, data, len, contents[i]->digest,
                                    i ? "the value asked for second" : "the value asked for first");
                answer_clear(&pipes[i]);
        }
}

static void leave_no_descriptor(struct check_context *c)
{
        uint64_t id = sample_open(c, "layers-1", "pipes.leave-no-descriptor");
        size_t before = check_server_fds(c), after;

        for (int i = 0; i < 20; i++) {
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        }
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        after = check_server_fds(c);
        check_that(c, after < before + 10,
                   "twenty pipes that were finished should leave no descriptor in the server; it had %zu "
                   "before and "
                   "has %zu now",
                   before, after);
}

/* ---- FinishPipe in every order, and in every state ---- */

static void three_in_every_order(struct check_context *c)
{
        static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        uint64_t id = sample_open(c, "blob-65537", "pipes.three-in-every-order");

        for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
                struct answer pipes[3] = {0};

                for (size_t i = 0; i < 3; i++)
                        sample_get_blob(c, id, layer, &pipes[i]);
                for (size_t i = 0; i < 3; i++) {
                        CLEANUP_ANSWER struct answer finish = {0};
                        CLEANUP(cleanup_free) char *data = NULL;
                        size_t len;

                        check_read_and_finish(c, &pipes[orders[o][i]], &finish, &data, &len);
                        check_that(c, finish.success,
                                   "FinishPipe of pipe %u of three should succeed as number %zu: %s",
                                   orders[o][i] + 1, i + 1, finish.error);
                        sample_check_digest(c, data, len, layer->digest,
                                            check_text(c, "the data of pipe %u of three", orders[o][i] + 1));
                }
                for (size_t i = 0; i < 3; i++)
                        answer_clear(&pipes[i]);
        }
}

/* Values that just fit a pipe: FinishPipe needs no reader, and the value stays. */
static void finish_unread_of_each_size(struct check_context *c)
{
        static const char *const fixtures[] = {"blob-0", "blob-1", "blob-65535", "blob-65536"};

        for (size_t i = 0; i < ARRAY_SIZE(fixtures); i++) {
                CLEANUP_ANSWER struct answer piped = {0};
                CLEANUP_ANSWER struct answer finish = {0};
                CLEANUP(cleanup_free) char *data = NULL;
                const struct content *layer = sample_layer_of(c, fixtures[i], 0);
                size_t len;

                begin_blob(c, fixtures[i], "pipes.finish-unread-of-each-size", &piped);
                check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
                check_that(c, finish.success,
                           "FinishPipe should succeed while a value of %" PRId64
                           " bytes waits in the pipe, it says: %s",
                           layer->size, finish.error);
                check_read_to_end(c, piped.packet.fds[0], &data, &len);
                sample_check_digest(c, data, len, layer->digest, "a value that was not read before FinishPipe");
        }
}

static void finish_of_one_byte_too_many_waits(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        char buffer[4096];

        begin_blob(c, "blob-65537", "pipes.finish-of-one-byte-too-many-waits", &piped);
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, check_is_silent(c),
                   "FinishPipe should wait while one byte does not fit the pipe; it answers while the pipe is "
                   "unread");
        /* The kernel gives room by pages. */
        check_that(c, check_read(c, piped.packet.fds[0], buffer, sizeof(buffer)) == sizeof(buffer),
                   "the pipe ends before its first %zu bytes came", sizeof(buffer));
        check_answer(c, &finish);
        check_that(c, finish.success, "FinishPipe should succeed once all is in the pipe, it says: %s",
                   finish.error);
}

static void behind_a_waiting_finish(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        begin_large(c, "pipes.behind-a-waiting-finish", &piped);
        check_request(c, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_request(c, "NoSuchMethodBehindFinish", "[]");
        check_that(c, check_is_silent(c), "nothing should be answered while FinishPipe waits for the writer");
        /* Freed so that the end need not be waited for. */
        data = malloc(1 << 20);
        len = data ? check_read(c, piped.packet.fds[0], data, 1 << 20) : 0;
        check_answer(c, &answer);
        check_that(c, answer.success,
                   "FinishPipe should be answered first, and succeed after %zu bytes: %.300s", len,
                   answer.packet.data);
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "BehindFinish"),
                   "the request behind FinishPipe should be answered second; what came is: %.300s",
                   answer.packet.data);
}

/* As clients do that know the size: they read so much, close, and call FinishPipe. */
static void closed_after_reading_all(struct check_context *c)
{
        static char data[65537];
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_blob(c, "blob-65537", "pipes.closed-after-reading-all", &piped);
        check_that(c, check_read(c, piped.packet.fds[0], data, sizeof(data)) == sizeof(data),
                   "the pipe ends before its %zu bytes came", sizeof(data));
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_that(c, finish.success,
                   "FinishPipe should succeed where the client read all before it closed its end, it says: %s",
                   finish.error);
}

static void closed_unread(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin(c, "GetManifest", sample_open(c, "layers-1", "pipes.closed-unread"), &piped);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        fd_clear(&piped.packet.fds[0]);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        check_record(c, finish.success ? "success" : "an error");
}

static void unknown_id_leaves_others(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "manifest-1m", "pipes.unknown-id-leaves-others");
        size_t len;

        begin(c, "GetManifest", id, &piped);
        check_call(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid + 5000);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success, "FinishPipe should succeed after one of an unknown id, it says: %s",
                   finish.error);
        sample_check_digest(c, data, len, sample_digest(c, "manifest-1m"),
                            "a value that is open while an unknown id is finished");
}

/* The data is the client's once it is in the pipe. */
static void outlives_the_server(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t id = sample_open(c, "layers-1", "pipes.outlives-the-server");
        size_t len;

        begin(c, "GetManifest", id, &piped);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        check_stop(c);
        check_read_to_end(c, piped.packet.fds[0], &data, &len);
        sample_check_digest(c, data, len, sample_digest(c, "layers-1"),
                            "a value that was in the pipe when the server ended");
}

static void ends_with_the_server(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        begin_large(c, "pipes.ends-with-the-server", &piped);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        check_stop(c);
        check_that(c, state_of(c, piped.packet.fds[0]) & POLLHUP,
                   "a pipe should end when the server does; somebody else has its write end");
        check_read_to_end(c, piped.packet.fds[0], &data, &len);
}

static void ids_come_again(struct check_context *c)
{
        CLEANUP_ANSWER struct answer first = {0};
        CLEANUP_ANSWER struct answer second = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        uint64_t id = sample_open(c, "layers-1", "pipes.ids-come-again"), ended;

        begin(c, "GetManifest", id, &first);
        ended = first.pipeid;
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", ended);
        check_that(c, check_is_silent(c), "a packet comes that nobody asked for");
        begin(c, "GetManifest", id, &second);
        check_record(c, second.pipeid == ended ? "the same again" : "another");
        check_expect_open(c);
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", second.pipeid);
}

static void image_id_is_no_pipe(struct check_context *c)
{
        CLEANUP_ANSWER struct answer finish = {0};

        check_call_refused(c, &finish, "FinishPipe", "[%" PRIu64 "]",
                           sample_open(c, "layers-1", "pipes.image-id-is-no-pipe"));
}

/* Six of one image's values at once, of all kinds that every version has. */
static void of_all_kinds_at_once(struct check_context *c)
{
        struct answer pipes[3] = {0};
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        const char *digests[] = {sample_digest(c, "layers-1"), layer->digest, sample_digest(c, "layers-1")};
        uint64_t id = sample_open(c, "layers-1", "pipes.of-all-kinds-at-once");

        begin(c, "GetManifest", id, &pipes[0]);
        sample_get_blob(c, id, layer, &pipes[1]);
        begin(c, "GetManifest", id, &pipes[2]);
        for (size_t i = 3; i-- > 0;) {
                CLEANUP_ANSWER struct answer finish = {0};
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                check_read_and_finish(c, &pipes[i], &finish, &data, &len);
                check_that(c, finish.success, "FinishPipe should succeed, it says: %s", finish.error);
                sample_check_digest(c, data, len, digests[i],
                                    i == 1 ? "a blob between two manifests" : "a manifest beside a blob");
                answer_clear(&pipes[i]);
        }
}

const struct check checks_pipes[] = {
        {
                NAMED("finish-waits-for-the-writer"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe is answered only when the whole value is written into the pipe.",
                .reference = "finish-waits",
                .run = finish_waits_for_the_writer,
        },
        {
                NAMED("finish-loses-nothing"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A value that is read while FinishPipe waits arrives whole.",
                .reference = "read-while-finishing",
                .run = finish_loses_nothing,
        },
        {
                NAMED("finish-succeeds-unread"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of a small value succeeds before it is read, and the value stays in "
                            "the pipe.",
                .reference = "finish-success",
                .run = finish_succeeds_unread,
        },
        {
                NAMED("open-until-finish"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The server keeps the write end open until FinishPipe: before that there is no end "
                            "of file.",
                .reference = "pipe-ends-after-finish",
                .run = open_until_finish,
        },
        {
                NAMED("end-after-finish"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Once FinishPipe is answered, the pipe ends.",
                .reference = "finish-pipe",
                .run = end_after_finish,
        },
        {
                NAMED("data-before-finish"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The value comes without FinishPipe being called.",
                .reference = "data-before-finish",
                .run = data_before_finish,
        },
        {
                NAMED("finish-twice-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of a pipe that is finished is an error.",
                .reference = "finish-second",
                .run = finish_twice_is_refused,
        },
        {
                NAMED("unknown-id-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of an id that was never given is an error.",
                .reference = "pipe-argument",
                .run = unknown_id_is_refused,
        },
        {
                NAMED("finish-is-of-one-pipe"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe waits for the pipe that it names, not for others that are unread.",
                .reference = "finish-pipe",
                .run = finish_is_of_one_pipe,
        },
        {
                NAMED("reader-gone-is-reported"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe reports that the client closed its read end before all was written.",
                .reference = "finish-epipe",
                .run = reader_gone_is_reported,
        },
        {
                NAMED("reader-gone-is-epipe"),
                .level = LEVEL_MUST,
                .since = VERSION_ERROR_CODE,
                .requires = "The error code of FinishPipe is EPIPE where the client closed its read end.",
                .reference = "finish-epipe code-epipe",
                .run = reader_gone_is_epipe,
        },
        {
                NAMED("reader-gone-in-the-middle"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe that waits ends with an error when the client closes its read end "
                            "meanwhile.",
                .reference = "finish-epipe",
                .run = reader_gone_in_the_middle,
        },
        {
                NAMED("reader-gone-is-survived"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A reader that leaves early does not keep the server from serving.",
                .reference = "reader-gone",
                .run = reader_gone_is_survived,
        },
        {
                NAMED("ten-in-reverse-order"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Ten pipes that are open at once can be finished in the reverse order.",
                .reference = "pipes-in-any-order",
                .run = ten_in_reverse_order,
        },
        {
                NAMED("ten-are-filled-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Pipes are filled in the background, however many are open and unread.",
                .reference = "filled-in-background",
                .run = ten_are_filled_at_once,
        },
        {
                NAMED("hundred-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A hundred pipes can be open at once.",
                .reference = "many-pipes",
                .run = hundred_at_once,
        },
        {
                NAMED("served-while-open"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires =
                        "A piped value is answered before it is read, and other requests are served meanwhile.",
                .reference = "filled-in-background",
                .run = served_while_open,
        },
        {
                NAMED("ids-differ"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Two pipes that are open have different ids.",
                .reference = "pipe-ids",
                .run = ids_differ,
        },
        {
                NAMED("id-is-not-zero"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The id of a pipe is not 0.",
                .reference = "piped-value reply-pipeid",
                .run = id_is_not_zero,
        },
        {
                NAMED("one-descriptor"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A piped value comes with exactly one descriptor.",
                .reference = "piped-value",
                .run = one_descriptor,
        },
        {
                NAMED("is-a-read-end"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "The descriptor of a piped value is the read end of a pipe.",
                .reference = "piped-value",
                .run = is_a_read_end,
        },
        {
                NAMED("is-blocking"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "The read end of a pipe is blocking.",
                .reference = "pipes-blocking",
                .run = is_blocking,
        },
        {
                NAMED("survives-close-image"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A pipe that is open when its image is closed is filled and finished as usual.",
                .reference = "pipe-outlives-image close-keeps-pipes",
                .run = survives_close_image,
        },
        {
                NAMED("data-is-not-mixed-up"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Of two pipes that are open each has its own value.",
                .reference = "many-pipes",
                .run = data_is_not_mixed_up,
        },
        {
                NAMED("leave-no-descriptor"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A pipe that was finished leaves no descriptor in the server.",
                .reference = "pipe-leaves-nothing",
                .run = leave_no_descriptor,
        },
        {
                NAMED("three-in-every-order"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Three pipes that are open at once can be finished in each of six orders.",
                .reference = "pipes-in-any-order",
                .run = three_in_every_order,
        },
        {
                NAMED("finish-unread-of-each-size"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of an unread value succeeds up to the 65,536 bytes that a pipe holds.",
                .reference = "finish-success",
                .run = finish_unread_of_each_size,
        },
        {
                NAMED("finish-of-one-byte-too-many-waits"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of an unread value of 65,537 bytes waits until there is room for the "
                            "last one.",
                .reference = "finish-waits",
                .run = finish_of_one_byte_too_many_waits,
        },
        {
                NAMED("behind-a-waiting-finish"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A request behind a FinishPipe that waits is answered after it.",
                .reference = "finish-serves-nothing-else served-in-order",
                .run = behind_a_waiting_finish,
        },
        {
                NAMED("closed-after-reading-all"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe succeeds where the client read all and then closed its end.",
                .reference = "data-before-finish finish-success",
                .run = closed_after_reading_all,
        },
        {
                NAMED("closed-unread"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records what FinishPipe says of a small value whose reader left before it read.",
                .reference = "finish-epipe",
                .run = closed_unread,
        },
        {
                NAMED("unknown-id-leaves-others"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of an unknown id disturbs no pipe that is open.",
                .reference = "pipe-argument refusal-changes-nothing",
                .run = unknown_id_leaves_others,
        },
        {
                NAMED("outlives-the-server"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires =
                        "A small value is in the pipe before FinishPipe, and stays there when the server ends.",
                .reference = "filled-in-background",
                .run = outlives_the_server,
        },
        {
                NAMED("ends-with-the-server"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A pipe that nobody finished ends when the server does.",
                .reference = "pipe-end-is-no-success end-with-pipes",
                .run = ends_with_the_server,
        },
        {
                NAMED("ids-come-again"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records whether the id of a finished pipe is given to the next one.",
                .reference = "pipe-ids",
                .run = ids_come_again,
        },
        {
                NAMED("image-id-is-no-pipe"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "FinishPipe of an image's id is an error.",
                .reference = "pipe-argument",
                .run = image_id_is_no_pipe,
        },
        {
                NAMED("of-all-kinds-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Pipes of several methods are open at once, each with its own value.",
                .reference = "pipes-in-any-order",
                .run = of_all_kinds_at_once,
        },
};
const size_t n_checks_pipes = ARRAY_SIZE(checks_pipes);
