/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs, by both of the protocol's ways: whole and verified, and every way in which they can fall short: short,
 * long, corrupt, refused, stalled, cut off by the server's death. Several at once, closed early, cancelled, and
 * written to all kinds of outputs.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "client/session.h"
#include "client/test-server.h"

/* ---- the servers: each fault once with GetRawBlob (0.2.8) and once with GetBlob (0.2.3) ---- */

#define BOTH(name_, ...)                                                            \
        {.name = name_ "-raw", .version = "0.2.8", .plan = {__VA_ARGS__}},          \
        {                                                                           \
                .name = name_ "-piped", .version = "0.2.3", .plan = { __VA_ARGS__ } \
        }

static bool wrong_digest_in_manifest(struct server *server, const char *method)
{
        (void)method;
        server->manifest = "annotated";
        return false;
}

/* While one blob is read, another request is dealt with only after a word from the test. */
static bool refuse_all_blobs(struct server *server, const char *method)
{
        if (strcmp(method, "GetBlob") != 0 && strcmp(method, "GetRawBlob") != 0)
                return false;
        server_refuse(server, "the registry is busy, retry");
        return true;
}

static const struct script scripts[] = {
        BOTH("plain", 0),
        BOTH("unknown", .unknown = true),
        BOTH("short", .cut = true, .cut_at = 5),
        BOTH("short-and-told", .cut = true, .cut_at = 5, .error = "unexpected EOF"),
        BOTH("told-at-the-end", .error = "the source has failed"),
        BOTH("long", .extra = 3),
        BOTH("long-and-unknown", .extra = 3, .unknown = true),
        BOTH("endless", .extra = 1000000000),
        BOTH("corrupt", .corrupt = true),
        BOTH("lies", .lies = true),
        BOTH("hang", .cut = true, .cut_at = 5, .hang = true),
        BOTH("hang-at-end", .cut = true, .cut_at = 12, .hang = true),
        BOTH("die", .cut = true, .cut_at = 5, .die = true),
        BOTH("die-unknown", .cut = true, .cut_at = 5, .die = true, .unknown = true),
        BOTH("die-held", .cut = true, .cut_at = 5, .die = true, .orphan = true),
        BOTH("die-whole-held", .die = true, .orphan = true),
        BOTH("end-open", .end_open = true),
        BOTH("late", .late = true),
        {.name = "garbage-error-raw", .plan = {.garbage_error = true}},
        {.name = "unknown-code-raw", .plan = {.unknown_code = true}},
        {.name = "refuse-raw", .hook = refuse_all_blobs},
        {.name = "refuse-piped", .version = "0.2.3", .hook = refuse_all_blobs},
        {.name = "annotated", .version = "0.2.3", .hook = wrong_digest_in_manifest},
};

/* ---- helpers ---- */

struct subject {
        struct cip_session *session;
        struct cip_image *image;
        struct cip_error error;
};

static void subject_open(struct subject *subject, const char *script, bool raw)
{
        char name[64];

        snprintf(name, sizeof(name), "%s-%s", script, raw ? "raw" : "piped");
        *subject = (struct subject){.session = test_session(name)};
        subject->session->silence_ms = 50;
        subject->image = test_image(subject->session);
}

/* Closes, and wants it to end well: every pipe finished, the server's status 0. */
static void subject_close(struct subject *subject)
{
        int r = cip_image_close(subject->image, &subject->error);

        ck_assert_msg(r == 0, "%s", subject->error.message);
        r = cip_session_close(subject->session, &subject->error);
        ck_assert_msg(r == 0, "%s", subject->error.message);
        test_no_children();
}

/* Where the session is expected to be broken. */
static void subject_drop(struct subject *subject)
{
        cip_session_free(subject->session);
        ck_assert_ok(cip_image_close(subject->image, NULL));
        test_no_children();
}

static struct cip_blob *open_blob(struct subject *subject, const char *name, unsigned flags)
{
        struct cip_blob *blob;
        int r = cip_blob_open(subject->image, served(name)->digest, (int64_t)served(name)->len, flags, &blob,
                              &subject->error);

        ck_assert_msg(r == 0, "%s", subject->error.message);
        return blob;
}

/* Reads to the end, whatever that is, and compares what came with what should. */
static int read_whole(struct cip_blob *blob, const char *name, struct cip_error *error)
{
        const struct served_blob *expected = served(name);
        char *data = malloc(expected->len + 65536);
        size_t len = 0;
        ssize_t n;

        do {
                n = cip_blob_read(blob, data + len, expected->len + 65536 - len, error);
                if (n > 0)
                        len += (size_t)n;
        } while (n > 0);
        if (n == 0) {
                ck_assert_int_eq(len, expected->len);
                ck_assert_mem_eq(data, expected->data, len);
                ck_assert_int_eq(cip_blob_bytes(blob), len);
        }
        free(data);
        return (int)n;
}

#define ck_assert_error(error, class_, word)                                                                 \
        do {                                                                                                 \
                ck_assert_msg((error).error_class == (class_), "class %d: %s", (error).error_class,          \
                              (error).message);                                                              \
                ck_assert_msg(strstr((error).message, (word)), "no \"%s\" in: %s", (word), (error).message); \
        } while (0)

/* The blob "small" must fail so, and the session go on. */
static void fails_alone(const char *script, bool raw, unsigned flags, int errnum, enum cip_error_class class,
                        const char *word)
{
        struct subject subject;
        struct cip_blob *blob;
        struct cip_error again = {0};
        int r;

        subject_open(&subject, script, raw);
        r = cip_blob_open(subject.image, served("small")->digest, 12, flags, &blob, &subject.error);
        if (r == 0) {
                r = read_whole(blob, "small", &subject.error);
                ck_assert_int_eq(read_whole(blob, "small", &again), r);
                ck_assert_str_eq(again.message, subject.error.message);
                cip_blob_close(blob);
        }
        ck_assert_errno(r, errnum);
        ck_assert_error(subject.error, class, word);
        subject_close(&subject);
}

/* The blob "small" must fail so, and take the session with it. */
static void fails_for_good(const char *script, bool raw, unsigned flags, int errnum, enum cip_error_class class,
                           const char *word)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, script, raw);
        subject.session->stall_timeout_ms = 300;
        blob = open_blob(&subject, "small", flags);
        ck_assert_errno(read_whole(blob, "small", &subject.error), errnum);
        ck_assert_error(subject.error, class, word);
        ck_assert_errno(read_whole(blob, "small", &subject.error), -ENOTCONN);
        ck_assert_error(subject.error, class, word);
        cip_blob_close(blob);
        subject_drop(&subject);
}

/* ---- whole ---- */

/* _i: 0 by GetBlob, 1 by GetRawBlob */
START_TEST(blobs_of_every_size_come_whole)
{
        static const char *const names[] = {"small", "empty", "third", "large"};
        static const unsigned flags[] = {0, CIP_BLOB_UNVERIFIED, CIP_BLOB_SERVER_VERIFIED};
        struct subject subject;

        subject_open(&subject, "plain", _i);
        for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(flags); i++) {
                const char *name = names[i % ARRAY_SIZE(names)];
                struct cip_blob *blob = open_blob(&subject, name, flags[i / ARRAY_SIZE(names)]);

                ck_assert_int_eq(cip_blob_size(blob), served(name)->len);
                ck_assert_msg(read_whole(blob, name, &subject.error) == 0, "%s", subject.error.message);
                cip_blob_close(blob);
        }
        subject_close(&subject);
}
END_TEST

START_TEST(a_size_that_nobody_knows_is_no_obstacle)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, "unknown", _i);
        for (int i = 0; i < 2; i++) {
                ck_assert_ok(cip_blob_open(subject.image, served("large")->digest, i ? -1 : 3145728, 0, &blob,
                                           &subject.error));
                ck_assert_msg(read_whole(blob, "large", &subject.error) == 0, "%s", subject.error.message);
                cip_blob_close(blob);
        }
        subject_close(&subject);
}
END_TEST

START_TEST(get_blob_takes_an_unknown_size_from_the_manifest)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, "plain", false);
        ck_assert_ok(cip_blob_open(subject.image, served("small")->digest, -1, 0, &blob, &subject.error));
        ck_assert_int_eq(cip_blob_size(blob), 12);
        ck_assert_int_eq(read_whole(blob, "small", &subject.error), 0);
        cip_blob_close(blob);
        ck_assert_errno(cip_blob_open(subject.image, served("manifest")->digest, -1, 0, &blob, &subject.error),
                        -ENOTSUP);
        ck_assert_error(subject.error, CIP_ERROR_LOCAL, "size");
        subject_close(&subject);
}
END_TEST

START_TEST(wrong_arguments_are_not_sent)
{
        struct subject subject;
        struct cip_blob *blob = NULL;
        char byte;

        subject_open(&subject, "plain", true);
        ck_assert_errno(cip_blob_open(subject.image, "sha256:abc", 1, 0, &blob, &subject.error), -EINVAL);
        ck_assert_errno(cip_blob_open(subject.image, served("small")->digest, -2, 0, &blob, &subject.error),
                        -EINVAL);
        ck_assert_errno(cip_blob_open(subject.image, served("small")->digest, 12, 1024, &blob, &subject.error),
                        -EINVAL);
        ck_assert_errno(cip_blobs_wait(NULL, 0, -1, &subject.error), -EINVAL);
        blob = open_blob(&subject, "small", 0);
        ck_assert_int_eq(cip_blob_read(blob, &byte, 0, &subject.error), -EINVAL);
        ck_assert_int_eq(read_whole(blob, "small", &subject.error), 0);
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

START_TEST(a_pipe_that_stays_open_after_finish_pipe_is_at_its_end)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, "end-open", false);
        blob = open_blob(&subject, "large", 0);
        ck_assert_int_eq(read_whole(blob, "large", &subject.error), 0);
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

/* ---- short of what it should be ---- */

START_TEST(data_that_is_not_right_is_an_error)
{
        bool raw = _i;

        fails_alone("short", raw, 0, -EBADMSG, CIP_ERROR_PROTOCOL, "after 5 of 12 bytes");
        fails_alone("short", raw, CIP_BLOB_UNVERIFIED, -EBADMSG, CIP_ERROR_PROTOCOL, "after 5 of 12 bytes");
        fails_alone("long", raw, 0, -EBADMSG, CIP_ERROR_PROTOCOL, "more than 12 bytes");
        fails_alone("long-and-unknown", raw, CIP_BLOB_UNVERIFIED, -EBADMSG, CIP_ERROR_PROTOCOL,
                    "more than 12 bytes");
        fails_alone("endless", raw, 0, -EBADMSG, CIP_ERROR_PROTOCOL, "more than 12 bytes");
        fails_alone("corrupt", raw, 0, -EBADMSG, CIP_ERROR_PROTOCOL, "has the digest sha256:");
        fails_alone("lies", raw, 0, -EBADMSG, CIP_ERROR_PROTOCOL, "13 bytes, not 12");
}
END_TEST

START_TEST(what_the_server_says_comes_first)
{
        bool raw = _i;

        fails_alone("short-and-told", raw, 0, -EREMOTEIO, CIP_ERROR_REMOTE, "unexpected EOF");
        fails_alone("told-at-the-end", raw, 0, -EREMOTEIO, CIP_ERROR_REMOTE, "the source has failed");
        fails_alone("told-at-the-end", raw, CIP_BLOB_UNVERIFIED, -EREMOTEIO, CIP_ERROR_REMOTE,
                    "source has failed");
        fails_alone("refuse", raw, 0, -EREMOTEIO, CIP_ERROR_REMOTE, "the registry is busy");
}
END_TEST

START_TEST(a_corrupt_blob_is_not_noticed_unverified)
{
        struct subject subject;
        struct cip_blob *blob;
        char data[64];
        ssize_t n;

        subject_open(&subject, "corrupt", _i);
        blob = open_blob(&subject, "small", CIP_BLOB_UNVERIFIED);
        do
                n = cip_blob_read(blob, data, sizeof(data), &subject.error);
        while (n > 0);
        ck_assert_int_eq(n, 0);
        ck_assert_int_eq(cip_blob_bytes(blob), 12);
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

START_TEST(error_codes_are_kept)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, "refuse", true);
        ck_assert_errno(cip_blob_open(subject.image, served("small")->digest, 12, 0, &blob, &subject.error),
                        -EREMOTEIO);
        ck_assert_int_eq(subject.error.code, CIP_CODE_RETRYABLE);
        subject_close(&subject);
        subject_open(&subject, "refuse", false);
        ck_assert_errno(cip_blob_open(subject.image, served("small")->digest, 12, 0, &blob, &subject.error),
                        -EREMOTEIO);
        ck_assert_int_eq(subject.error.code, CIP_CODE_NONE);
        subject_close(&subject);
        subject_open(&subject, "told-at-the-end", true);
        blob = open_blob(&subject, "small", 0);
        ck_assert_errno(read_whole(blob, "small", &subject.error), -EREMOTEIO);
        ck_assert_int_eq(subject.error.code, CIP_CODE_RETRYABLE);
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

START_TEST(an_error_pipe_with_garbage_is_an_error)
{
        fails_alone("garbage-error", true, 0, -EBADMSG, CIP_ERROR_PROTOCOL, "error pipe");
}
END_TEST

START_TEST(an_unknown_error_code_hides_no_words)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, "unknown-code", true);
        blob = open_blob(&subject, "small", 0);
        ck_assert_errno(read_whole(blob, "small", &subject.error), -EBADMSG);
        ck_assert_int_eq(subject.error.error_class, CIP_ERROR_PROTOCOL);
        ck_assert_msg(strstr(subject.error.message, "no more today") != NULL, "%s", subject.error.message);
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

/* ---- silence and death ---- */

START_TEST(data_that_stalls_ends_at_the_stall_deadline)
{
        fails_for_good("hang", _i, 0, -ETIMEDOUT, CIP_ERROR_TRANSPORT, served("small")->digest);
        fails_for_good("hang-at-end", _i, 0, -ETIMEDOUT, CIP_ERROR_TRANSPORT, served("small")->digest);
}
END_TEST

START_TEST(death_in_the_middle_is_told_with_the_last_words)
{
        fails_for_good("die", _i, 0, -ECONNRESET, CIP_ERROR_TRANSPORT,
                       "exited with status 2: out of everything");
        fails_for_good("die-unknown", _i, CIP_BLOB_UNVERIFIED, -ECONNRESET, CIP_ERROR_TRANSPORT,
                       "exited with status 2: out of everything");
}
END_TEST

START_TEST(death_is_noticed_though_a_child_of_the_server_holds_the_pipe)
{
        fails_for_good("die-held", _i, 0, -ECONNRESET, CIP_ERROR_TRANSPORT,
                       "exited with status 2: out of everything");
        fails_for_good("die-whole-held", _i, 0, -ECONNRESET, CIP_ERROR_TRANSPORT,
                       "exited with status 2: out of everything");
}
END_TEST

static void *write_event(void *data)
{
        uint64_t one = 1;

        ck_assert_int_eq(write(*(int *)data, &one, sizeof(one)), sizeof(one));
        return NULL;
}

START_TEST(another_thread_cancels_a_blob)
{
        struct cip_options *options = test_options(_i ? "hang-raw" : "hang-piped");
        int event = eventfd(0, EFD_CLOEXEC);
        struct subject subject = {0};
        struct cip_blob *blob;
        pthread_t thread;

        ck_assert_ok(cip_options_set_cancel_fd(options, event));
        ck_assert_ok(cip_session_open(options, &subject.session, &subject.error));
        cip_options_free(options);
        subject.image = test_image(subject.session);
        blob = open_blob(&subject, "small", 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, write_event, &event), 0);
        ck_assert_errno(read_whole(blob, "small", &subject.error), -ECANCELED);
        pthread_join(thread, NULL);
        close(event);
        cip_blob_close(blob);
        subject_drop(&subject);
}
END_TEST

/* ---- several at once ---- */

START_TEST(blobs_can_be_read_in_turns)
{
        static const char *const names[] = {"large", "third", "small", "large", "empty"};
        struct cip_blob *blobs[ARRAY_SIZE(names)];
        struct subject subject;
        size_t left = ARRAY_SIZE(names);
        char chunk[1000];

        subject_open(&subject, "plain", _i);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                blobs[i] = open_blob(&subject, names[i], 0);
        while (left > 0) {
                for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                        ssize_t n;

                        if (!blobs[i])
                                continue;
                        n = cip_blob_read(blobs[i], chunk, sizeof(chunk), &subject.error);
                        ck_assert_msg(n >= 0, "%s", subject.error.message);
                        if (n == 0) {
                                cip_blob_close(blobs[i]);
                                blobs[i] = NULL;
                                left--;
                        }
                }
        }
        subject_close(&subject);
}
END_TEST

START_TEST(blobs_can_be_read_from_one_loop_without_blocking)
{
        static const char *const names[] = {"large", "third", "small", "large", "empty"};
        struct cip_blob *blobs[ARRAY_SIZE(names)];
        struct subject subject;
        size_t left = ARRAY_SIZE(names);
        char chunk[65536];

        subject_open(&subject, "plain", _i);
        for (size_t i = 0; i < left; i++)
                blobs[i] = open_blob(&subject, names[i], CIP_BLOB_NONBLOCK);
        while (left > 0) {
                int r = cip_blobs_wait(blobs, left, -1, &subject.error);

                ck_assert_msg(r == 1, "%d %s", r, subject.error.message);
                for (size_t i = 0; i < left; i++) {
                        ssize_t n = cip_blob_read(blobs[i], chunk, sizeof(chunk), &subject.error);

                        ck_assert_msg(n >= 0 || n == -EAGAIN, "%s", subject.error.message);
                        if (n == 0) {
                                cip_blob_close(blobs[i]);
                                blobs[i--] = blobs[--left];
                        }
                }
        }
        subject_close(&subject);
}
END_TEST

START_TEST(waiting_for_blobs_comes_back_when_its_time_is_over)
{
        struct subject subject;
        struct cip_blob *blob;
        char byte[64];

        subject_open(&subject, "hang", _i);
        blob = open_blob(&subject, "small", CIP_BLOB_NONBLOCK);
        ck_assert_int_eq(cip_blobs_wait(&blob, 1, -1, &subject.error), 1);
        ck_assert_int_eq(cip_blob_read(blob, byte, sizeof(byte), &subject.error), 5);
        ck_assert_int_eq(cip_blob_read(blob, byte, sizeof(byte), &subject.error), -EAGAIN);
        ck_assert_int_eq(cip_blobs_wait(&blob, 1, 0, &subject.error), 0);
        ck_assert_int_eq(cip_blobs_wait(&blob, 1, 20, &subject.error), 0);
        ck_assert_int_eq(cip_blob_read(blob, byte, sizeof(byte), &subject.error), -EAGAIN);
        cip_blob_close(blob);
        subject_drop(&subject);
}
END_TEST

START_TEST(what_goes_wrong_with_one_shows_in_that_one)
{
        struct subject subject;
        struct cip_blob *blob;
        char byte;
        int r;

        subject_open(&subject, "refuse", _i);
        blob = open_blob(&subject, "small", CIP_BLOB_NONBLOCK);
        r = cip_blobs_wait(&blob, 1, -1, &subject.error);
        ck_assert_int_eq(r, 1);
        ck_assert_int_eq(cip_blob_read(blob, &byte, 1, &subject.error), -EREMOTEIO);
        ck_assert_error(subject.error, CIP_ERROR_REMOTE, "busy");
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

START_TEST(blobs_of_several_sessions_are_not_waited_for_together)
{
        struct subject a, b;
        struct cip_blob *blobs[2];

        subject_open(&a, "plain", true);
        subject_open(&b, "plain", true);
        blobs[0] = open_blob(&a, "small", 0);
        blobs[1] = open_blob(&b, "small", 0);
        ck_assert_errno(cip_blobs_wait(blobs, 2, -1, &a.error), -EINVAL);
        cip_blob_close(blobs[0]);
        cip_blob_close(blobs[1]);
        ck_assert_ok(cip_image_close(a.image, NULL));
        ck_assert_ok(cip_session_close(a.session, NULL));
        subject_close(&b);
}
END_TEST

/*
 * The source is slow, so FinishPipe went out; then another request waits behind it, while nobody reads, and all
 * of the data comes: 3 MiB, more than the pipe holds. The request must be answered all the same.
 */
START_TEST(a_request_does_not_wait_for_a_blob_that_nobody_reads)
{
        struct subject subject;
        struct cip_image *other;
        struct cip_blob *blob;

        subject_open(&subject, "late", false);
        blob = open_blob(&subject, "large", 0);
        ck_assert_int_eq(cip_blobs_wait(&blob, 1, 200, &subject.error), 0);
        ck_assert_msg(cip_image_open(subject.session, "ref", &other, &subject.error) == 0, "%s",
                      subject.error.message);
        ck_assert_ok(cip_image_close(other, &subject.error));
        ck_assert_msg(read_whole(blob, "large", &subject.error) == 0, "%s", subject.error.message);
        cip_blob_close(blob);
        subject_close(&subject);
}
END_TEST

/* ---- closed early ---- */

START_TEST(a_blob_can_be_closed_at_any_moment)
{
        struct subject subject;
        char byte;
        int before;

        subject_open(&subject, "plain", _i);
        before = fd_count(0);
        for (unsigned i = 0; i < 8; i++) {
                struct cip_blob *blob =
                        open_blob(&subject, i & 1 ? "large" : "small", i & 2 ? CIP_BLOB_NONBLOCK : 0);

                if (i & 4) {
                        ssize_t n = cip_blob_read(blob, &byte, 1, &subject.error);

                        ck_assert(n == 1 || n == -EAGAIN);
                }
                cip_blob_close(blob);
        }
        /* The session goes on, and what was left is seen to. */
        ck_assert_ok(cip_image_close(subject.image, &subject.error));
        ck_assert_int_eq(fd_count(0), before);
        subject.image = test_image(subject.session);
        subject_close(&subject);
        cip_blob_close(NULL);
}
END_TEST

START_TEST(a_blob_of_a_dead_server_can_be_closed)
{
        struct subject subject;
        struct cip_blob *blob;

        subject_open(&subject, "die", _i);
        blob = open_blob(&subject, "small", 0);
        cip_blob_close(blob);
        subject_drop(&subject);
}
END_TEST

/* ---- outputs ---- */

struct drain {
        int fd;
        char *data;
        size_t len;
        int result;
};

static void *drain_pipe(void *data)
{
        struct drain *drain = data;

        drain->result = read_to_end(drain->fd, 64UL * 1024 * 1024, DEADLINE_NEVER, &drain->data, &drain->len);
        return NULL;
}

static void wants_data(const char *data, size_t len, const char *name)
{
        ck_assert_int_eq(len, served(name)->len);
        ck_assert_mem_eq(data, served(name)->data, len);
}

static void write_to_file(struct subject *subject, unsigned flags, int open_flags)
{
        char path[] = "/tmp/test-blob-XXXXXX";
        struct cip_blob *blob = open_blob(subject, "large", flags);
        char *data = malloc(4UL * 1024 * 1024);
        int fd = mkostemp(path, O_CLOEXEC | open_flags);
        ssize_t n;

        ck_assert_int_ge(fd, 0);
        unlink(path);
        ck_assert_msg(cip_blob_to_fd(blob, fd, &subject->error) == 0, "%s", subject->error.message);
        n = pread(fd, data, 4UL * 1024 * 1024, 0);
        ck_assert_int_ge(n, 0);
        wants_data(data, (size_t)n, "large");
        free(data);
        close(fd);
        cip_blob_close(blob);
}

START_TEST(a_blob_is_written_to_files)
{
        struct subject subject;

        subject_open(&subject, "plain", _i);
        write_to_file(&subject, 0, 0);
        write_to_file(&subject, CIP_BLOB_UNVERIFIED, 0);
        write_to_file(&subject, CIP_BLOB_UNVERIFIED | CIP_BLOB_NONBLOCK, 0);
        /* There splice is refused. */
        write_to_file(&subject, CIP_BLOB_UNVERIFIED, O_APPEND);
        subject_close(&subject);
}
END_TEST

static void write_to_ends(struct subject *subject, unsigned flags, int read_end, int write_end)
{
        struct cip_blob *blob = open_blob(subject, "large", flags);
        struct drain drain = {.fd = read_end};
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, drain_pipe, &drain), 0);
        ck_assert_msg(cip_blob_to_fd(blob, write_end, &subject->error) == 0, "%s", subject->error.message);
        close(write_end);
        pthread_join(thread, NULL);
        close(read_end);
        ck_assert_ok(drain.result);
        wants_data(drain.data, drain.len, "large");
        free(drain.data);
        cip_blob_close(blob);
}

START_TEST(a_blob_is_written_to_pipes_and_sockets)
{
        static const unsigned flags[] = {0, CIP_BLOB_UNVERIFIED};
        struct subject subject;
        int ends[2];

        subject_open(&subject, "plain", _i);
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
                write_to_ends(&subject, flags[i], ends[0], ends[1]);
                ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
                write_to_ends(&subject, flags[i], ends[0], ends[1]);
                ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
                write_to_ends(&subject, flags[i], ends[0], ends[1]);
        }
        subject_close(&subject);
}
END_TEST

START_TEST(an_output_without_a_reader_is_an_error_and_no_signal)
{
        static const unsigned flags[] = {0, CIP_BLOB_UNVERIFIED};
        struct subject subject;

        signal(SIGPIPE, SIG_DFL);
        subject_open(&subject, "plain", _i);
        for (size_t i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
                struct cip_blob *blob = open_blob(&subject, "large", flags[i / 2]);
                int ends[2];

                if (i % 2)
                        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
                else
                        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
                close(ends[0]);
                ck_assert_errno(cip_blob_to_fd(blob, ends[1], &subject.error), -EPIPE);
                ck_assert_error(subject.error, CIP_ERROR_LOCAL, "write");
                close(ends[1]);
                cip_blob_close(blob);
        }
        subject_close(&subject);
}
END_TEST

START_TEST(an_output_that_takes_nothing_can_be_cancelled)
{
        struct cip_options *options = test_options(_i ? "plain-raw" : "plain-piped");
        int event = eventfd(0, EFD_CLOEXEC);
        struct subject subject = {0};
        struct cip_blob *blob;
        pthread_t thread;
        int ends[2];

        ck_assert_ok(cip_options_set_cancel_fd(options, event));
        ck_assert_ok(cip_session_open(options, &subject.session, &subject.error));
        cip_options_free(options);
        subject.image = test_image(subject.session);
        blob = open_blob(&subject, "large", 0);
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, write_event, &event), 0);
        ck_assert_errno(cip_blob_to_fd(blob, ends[1], &subject.error), -ECANCELED);
        pthread_join(thread, NULL);
        close(event);
        close(ends[0]);
        close(ends[1]);
        cip_blob_close(blob);
        subject_drop(&subject);
}
END_TEST

START_TEST(a_full_or_wrong_output_is_a_local_error)
{
        struct subject subject;
        struct cip_blob *blob;
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        subject_open(&subject, "plain", _i);
        blob = open_blob(&subject, "large", 0);
        ck_assert_errno(cip_blob_to_fd(blob, fd, &subject.error), -ENOSPC);
        ck_assert_error(subject.error, CIP_ERROR_LOCAL, "No space left");
        cip_blob_close(blob);
        blob = open_blob(&subject, "large", 0);
        ck_assert_errno(cip_blob_to_fd(blob, -1, &subject.error), -EBADF);
        ck_assert_error(subject.error, CIP_ERROR_LOCAL, "Bad file descriptor");
        cip_blob_close(blob);
        close(fd);
        subject_close(&subject);
}
END_TEST

struct taken {
        char data[4UL * 1024 * 1024];
        size_t len;
        size_t limit;
};

static int take_bytes(void *data, const void *bytes, size_t n)
{
        struct taken *taken = data;

        if (taken->len + n > taken->limit)
                return -E2BIG;
        memcpy(taken->data + taken->len, bytes, n);
        taken->len += n;
        return 0;
}

START_TEST(a_blob_is_handed_to_a_callback)
{
        struct subject subject;
        struct taken *taken = calloc(1, sizeof(*taken));
        struct cip_blob *blob;

        subject_open(&subject, "plain", _i);
        taken->limit = sizeof(taken->data);
        blob = open_blob(&subject, "large", 0);
        ck_assert_ok(cip_blob_to_callback(blob, take_bytes, taken, &subject.error));
        wants_data(taken->data, taken->len, "large");
        cip_blob_close(blob);
        taken->len = 0;
        taken->limit = 100000;
        blob = open_blob(&subject, "large", 0);
        ck_assert_errno(cip_blob_to_callback(blob, take_bytes, taken, &subject.error), -E2BIG);
        ck_assert_error(subject.error, CIP_ERROR_LOCAL, "not taken");
        cip_blob_close(blob);
        free(taken);
        subject_close(&subject);
}
END_TEST

START_TEST(no_output_is_whole_unless_the_blob_is)
{
        struct subject subject;
        struct cip_blob *blob;
        int fd = memfd_create("out", MFD_CLOEXEC);

        subject_open(&subject, "corrupt", _i);
        blob = open_blob(&subject, "large", 0);
        ck_assert_errno(cip_blob_to_fd(blob, fd, &subject.error), -EBADMSG);
        ck_assert_error(subject.error, CIP_ERROR_PROTOCOL, "has the digest");
        cip_blob_close(blob);
        close(fd);
        subject_close(&subject);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("client/blob");
        TCase *tcase;

        if (argc > 2 && strcmp(argv[1], "server") == 0)
                return server_main(argc, argv, scripts, ARRAY_SIZE(scripts));
        tcase = testing_case(suite, "whole");
        tcase_add_loop_test(tcase, blobs_of_every_size_come_whole, 0, 2);
        tcase_add_loop_test(tcase, a_size_that_nobody_knows_is_no_obstacle, 0, 2);
        tcase_add_test(tcase, get_blob_takes_an_unknown_size_from_the_manifest);
        tcase_add_test(tcase, wrong_arguments_are_not_sent);
        tcase_add_test(tcase, a_pipe_that_stays_open_after_finish_pipe_is_at_its_end);
        tcase = testing_case(suite, "wrong");
        tcase_add_loop_test(tcase, data_that_is_not_right_is_an_error, 0, 2);
        tcase_add_loop_test(tcase, what_the_server_says_comes_first, 0, 2);
        tcase_add_loop_test(tcase, a_corrupt_blob_is_not_noticed_unverified, 0, 2);
        tcase_add_test(tcase, error_codes_are_kept);
        tcase_add_test(tcase, an_error_pipe_with_garbage_is_an_error);
        tcase_add_test(tcase, an_unknown_error_code_hides_no_words);
        tcase = testing_case(suite, "silence and death");
        tcase_add_loop_test(tcase, data_that_stalls_ends_at_the_stall_deadline, 0, 2);
        tcase_add_loop_test(tcase, death_in_the_middle_is_told_with_the_last_words, 0, 2);
        tcase_add_loop_test(tcase, death_is_noticed_though_a_child_of_the_server_holds_the_pipe, 0, 2);
        tcase_add_loop_test(tcase, another_thread_cancels_a_blob, 0, 2);
        tcase = testing_case(suite, "several");
        tcase_add_loop_test(tcase, blobs_can_be_read_in_turns, 0, 2);
        tcase_add_loop_test(tcase, blobs_can_be_read_from_one_loop_without_blocking, 0, 2);
        tcase_add_loop_test(tcase, waiting_for_blobs_comes_back_when_its_time_is_over, 0, 2);
        tcase_add_loop_test(tcase, what_goes_wrong_with_one_shows_in_that_one, 0, 2);
        tcase_add_test(tcase, blobs_of_several_sessions_are_not_waited_for_together);
        tcase_add_test(tcase, a_request_does_not_wait_for_a_blob_that_nobody_reads);
        tcase = testing_case(suite, "closed early");
        tcase_add_loop_test(tcase, a_blob_can_be_closed_at_any_moment, 0, 2);
        tcase_add_loop_test(tcase, a_blob_of_a_dead_server_can_be_closed, 0, 2);
        tcase = testing_case(suite, "outputs");
        tcase_add_loop_test(tcase, a_blob_is_written_to_files, 0, 2);
        tcase_add_loop_test(tcase, a_blob_is_written_to_pipes_and_sockets, 0, 2);
        tcase_add_loop_test(tcase, an_output_without_a_reader_is_an_error_and_no_signal, 0, 2);
        tcase_add_loop_test(tcase, an_output_that_takes_nothing_can_be_cancelled, 0, 2);
        tcase_add_loop_test(tcase, a_full_or_wrong_output_is_a_local_error, 0, 2);
        tcase_add_loop_test(tcase, a_blob_is_handed_to_a_callback, 0, 2);
        tcase_add_loop_test(tcase, no_output_is_whole_unless_the_blob_is, 0, 2);
        return testing_main(suite);
}
