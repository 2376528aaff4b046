/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of very much, and of long: thousands of images, requests and blobs, 10 GiB in one, an hour. While
 * a check goes on it looks at the server now and then, and at the end compares the highest memory, descriptors
 * and threads of the second quarter with those of the last: a server may grow at first, but not for ever. They
 * run only where a filter names them. CIP_CONFORMANCE_LOAD=0.01 does a hundredth of everything.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "conformance/groups.h"
#include "conformance/sample.h"
#include "image/fixture.h"

#define NAMED(name) .id = "load/" name

#define SINCE_LAYER_INFO_PIPED VERSION(0, 2, 7)
#define SINCE_RAW VERSION(0, 2, 8)

/* How much more than in the second quarter is still flat in the last: garbage collectors take their time. */
#define MEMORY_PART 4 /* a quarter more, .. */
#define MEMORY_SLACK_KIB ((size_t)8 * 1024)
#define FDS_SLACK 32
#define THREADS_SLACK 8

/* How often a check looks at the server, and the fewest times that a scaled one does a thing. */
#define LOOKS 40
#define LEAST 100

#define MIB (1 << 20)

/* ---- how much ---- */

static double scale(struct check_context *c)
{
        const char *text = getenv("CIP_CONFORMANCE_LOAD");
        double value = 1;
        char *end;

        if (!text)
                return value;
        value = strtod(text, &end);
        if (end == text || *end || !(value > 0 && value <= 1))
                check_error(c,
                            "CIP_CONFORMANCE_LOAD is '%s', and should be a number that is more than 0 and at "
                            "most 1",
                            text);
        return value;
}

static size_t scaled(struct check_context *c, size_t n)
{
        size_t wanted = (size_t)((double)n * scale(c));

        return wanted < LEAST ? LEAST : wanted;
}

/* ---- flat ---- */

/* The highest that was seen in each quarter of the way. */
struct gauge {
        struct process_use peak[4];
        uint64_t looked; /* the last look's number, from 1 on */
};

static void raise_to(size_t *peak, size_t value)
{
        *peak = value > *peak ? value : *peak;
}

/* @done of @total is done: looks at the server, if it is time. */
static void gauge_look(struct check_context *c, struct gauge *gauge, uint64_t done, uint64_t total)
{
        uint64_t look = done * LOOKS / total + 1;
        struct process_use use, *peak = &gauge->peak[done < total ? done * 4 / total : 3];

        if (look == gauge->looked)
                return;
        gauge->looked = look;
        check_server_use(c, &use);
        raise_to(&peak->memory_kib, use.memory_kib);
        raise_to(&peak->fds, use.fds);
        raise_to(&peak->threads, use.threads);
}

static void print_use(const char *when, const struct process_use *use)
{
        printf("%s quarter: at most %zu KiB, %zu descriptors, %zu threads\n", when, use->memory_kib, use->fds,
               use->threads);
}

/* What was seen goes into the check's log, which --keep keeps. */
static void gauge_judge(struct check_context *c, const struct gauge *gauge, const char *what)
{
        const struct process_use *middle = &gauge->peak[1], *end = &gauge->peak[3];

        print_use("second", middle);
        print_use("last", end);
        fflush(stdout);
        check_that(
                c, end->memory_kib <= middle->memory_kib + middle->memory_kib / MEMORY_PART + MEMORY_SLACK_KIB,
                "%s should not cost memory for good: the server had at most %zu KiB in the second quarter of "
                "the way, and %zu KiB in the last",
                what, middle->memory_kib, end->memory_kib);
        check_that(
                c, end->fds <= middle->fds + FDS_SLACK,
                "%s should not cost descriptors for good: the server had at most %zu in the second quarter of "
                "the way, and %zu in the last",
                what, middle->fds, end->fds);
        check_that(
                c, end->threads <= middle->threads + THREADS_SLACK,
                "%s should not cost threads for good: the server had at most %zu in the second quarter of the "
                "way, and %zu in the last",
                what, middle->threads, end->threads);
}

/* ---- single steps: none keeps memory of the check's own ---- */

static void open_and_close(struct check_context *c, const char *reference)
{
        CLEANUP_ANSWER struct answer closed = {0};

        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", check_open_image(c, reference));
}

/* A piped value, read and finished, which has this digest (NULL: any). */
static void take(struct check_context *c, struct answer *piped, const char *digest, const char *what)
{
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        check_read_and_finish(c, piped, &finish, &data, &len);
        check_that(c, finish.success, "FinishPipe should succeed, it says: %s", finish.error);
        if (digest)
                sample_check_digest(c, data, len, digest, what);
}

static void fetch(struct check_context *c, const char *method, uint64_t image, const char *digest)
{
        CLEANUP_ANSWER struct answer piped = {0};

        check_call_ok(c, &piped, method, "[%" PRIu64 "]", image);
        take(c, &piped, digest, method);
}

static void begin_blob(struct check_context *c, uint64_t image, const struct content *content,
                       struct answer *ret)
{
        check_call_ok(c, ret, "GetBlob", "[%" PRIu64 ",\"%s\",%" PRId64 "]", image, content->digest,
                      content->size);
        check_that(c, ret->packet.n_fds == 1, "GetBlob should send one descriptor, %zu came",
                   ret->packet.n_fds);
}

static void fetch_blob(struct check_context *c, uint64_t image, const struct content *content)
{
        CLEANUP_ANSWER struct answer piped = {0};

        begin_blob(c, image, content, &piped);
        take(c, &piped, content->digest, "a blob");
}

static void begin_raw_blob(struct check_context *c, uint64_t image, const char *digest, struct answer *ret)
{
        check_call_ok(c, ret, "GetRawBlob", "[%" PRIu64 ",\"%s\"]", image, digest);
        check_that(c, ret->packet.n_fds == 2, "GetRawBlob should send two descriptors, %zu came",
                   ret->packet.n_fds);
}

/* The error pipe must be empty. */
static void expect_no_error(struct check_context *c, const struct answer *raw)
{
        CLEANUP(cleanup_free) char *errors = NULL;
        size_t len;

        check_read_to_end(c, raw->packet.fds[1], &errors, &len);
        check_that(c, len == 0, "a raw blob should arrive without an error; the error pipe has: %.300s",
                   errors);
}

static void fetch_raw_blob(struct check_context *c, uint64_t image, const struct content *content)
{
        CLEANUP_ANSWER struct answer raw = {0};
        static char data[2 * MIB];
        size_t len;

        begin_raw_blob(c, image, content->digest, &raw);
        len = check_read(c, raw.packet.fds[0], data, (size_t)content->size);
        sample_check_digest(c, data, len, content->digest, "a raw blob");
        expect_no_error(c, &raw);
}

/* A reader that leaves before the 1 MiB is written, which FinishPipe must report. */
static void leave_early(struct check_context *c, uint64_t image, const struct content *content)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};

        begin_blob(c, image, content, &piped);
        fd_clear(&piped.packet.fds[0]);
        check_call_refused(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
}

/* ---- the checks ---- */

static void thousand_images(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "load.thousand-images");
        const char *digest = sample_digest(c, "layers-1");
        size_t n = scaled(c, 1000), rounds = 4;
        CLEANUP(cleanup_free) uint64_t *ids = calloc(n, sizeof(*ids));
        struct gauge gauge = {0};

        if (!ids)
                check_error(c, "out of memory");
        check_end_transcript(c);
        for (size_t round = 0; round < rounds; round++) {
                for (size_t i = 0; i < n; i++) {
                        ids[i] = check_open_image(c, reference);
                        gauge_look(c, &gauge, round * n + i, rounds * n);
                }
                fetch(c, "GetManifest", ids[0], digest);
                fetch(c, "GetManifest", ids[n - 1], digest);
                for (size_t i = 0; i < n; i++) {
                        CLEANUP_ANSWER struct answer closed = {0};

                        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", ids[i]);
                }
        }
        gauge_judge(c, &gauge, "images that are opened and closed, very many at once,");
}

static void ten_thousand_requests(struct check_context *c)
{
        size_t n = scaled(c, 10000);
        struct gauge gauge = {0};

        check_end_transcript(c);
        for (size_t i = 0; i < n; i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                check_call_refused(c, &answer, "NoSuchMethodLoad", "[]");
                gauge_look(c, &gauge, i, n);
        }
        gauge_judge(c, &gauge, "requests that are refused");
}

static void ten_thousand_opens(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "load.ten-thousand-opens");
        size_t n = scaled(c, 10000);
        struct gauge gauge = {0};

        check_end_transcript(c);
        for (size_t i = 0; i < n; i++) {
                open_and_close(c, reference);
                gauge_look(c, &gauge, i, n);
        }
        gauge_judge(c, &gauge, "images that are opened and closed");
}

/*
 * A layout whose one layer has so many zero bytes, in a file without data: "oci:DIR:@tag". Hashing them takes
 * time.
 */
static uint64_t open_zeros(struct check_context *c, const char *tag, uint64_t size, struct content *ret_layer,
                           char ret_digest[DIGEST_TEXT_SIZE])
{
        const char *path = check_text(c, "%s/zeros", check_folder(c));
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        struct cip_error error = {0};
        uint64_t image;
        size_t len;

        if (fixture_write_sparse(path, tag, size, &error) < 0)
                check_error(c, "%s", error.message);
        image = check_open_image(c, check_text(c, "oci:%s:%s", path, tag));
        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        if (manifest_parse(data, len, &manifest, &error) < 0 || manifest->n_entries != 1)
                check_fail(c, "the manifest of an image of one large layer cannot be read: %s", error.message);
        snprintf(ret_digest, DIGEST_TEXT_SIZE, "%s", manifest->entries[0].digest);
        *ret_layer = (struct content){.digest = ret_digest, .size = manifest->entries[0].size};
        return image;
}

/* Reads @size zeros, and looks at the server meanwhile. */
static void take_zeros(struct check_context *c, int fd, uint64_t size, struct gauge *gauge)
{
        static char buffer[MIB];
        uint64_t total = 0;

        while (total < size) {
                size_t want = size - total < sizeof(buffer) ? (size_t)(size - total) : sizeof(buffer);
                size_t n = check_read(c, fd, buffer, want);

                check_that(c, n == want,
                           "a blob of %" PRIu64 " bytes should arrive whole, it ends after %" PRIu64, size,
                           total + n);
                check_that(c, buffer[0] == 0 && !memcmp(buffer, buffer + 1, n - 1),
                           "a blob of zeros has something else behind %" PRIu64 " bytes", total);
                gauge_look(c, gauge, total, size);
                total += n;
        }
}

static uint64_t ten_gib(struct check_context *c)
{
        return (uint64_t)(10.0 * 1024 * MIB * scale(c));
}

static void ten_gib_blob(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        struct content layer;
        char digest[DIGEST_TEXT_SIZE];
        uint64_t size = ten_gib(c), image = open_zeros(c, "load.ten-gib-blob", size, &layer, digest);
        struct gauge gauge = {0};

        sample_get_blob(c, image, &layer, &piped);
        take_zeros(c, piped.packet.fds[0], size, &gauge);
        check_call_ok(c, &finish, "FinishPipe", "[%" PRIu64 "]", piped.pipeid);
        gauge_judge(c, &gauge, "the bytes of a blob");
}

static void ten_gib_raw_blob(struct check_context *c)
{
        CLEANUP_ANSWER struct answer raw = {0};
        struct content layer;
        char digest[DIGEST_TEXT_SIZE];
        uint64_t size = ten_gib(c), image = open_zeros(c, "load.ten-gib-raw-blob", size, &layer, digest);
        struct gauge gauge = {0};

        begin_raw_blob(c, image, layer.digest, &raw);
        take_zeros(c, raw.packet.fds[0], size, &gauge);
        expect_no_error(c, &raw);
        gauge_judge(c, &gauge, "the bytes of a raw blob");
}

/* Blobs of two sizes in turn: one that fits a pipe and one that does not. */
static void blobs_in_a_row(struct check_context *c, const char *tag, const char *what,
                           void (*fetch_one)(struct check_context *c, uint64_t image,
                                             const struct content *content))
{
        const struct content *layers[] = {sample_layer_of(c, "blob-1", 0), sample_layer_of(c, "blob-65537", 0)};
        uint64_t images[] = {sample_open(c, "blob-1", tag), sample_open(c, "blob-65537", tag)};
        size_t n = scaled(c, 1000);
        struct gauge gauge = {0};

        check_expect_open(c);
        check_end_transcript(c);
        for (size_t i = 0; i < n; i++) {
                fetch_one(c, images[i % 2], layers[i % 2]);
                gauge_look(c, &gauge, i, n);
        }
        gauge_judge(c, &gauge, what);
}

static void thousand_blobs(struct check_context *c)
{
        blobs_in_a_row(c, "load.thousand-blobs", "blobs that are fetched one after another", fetch_blob);
}

static void thousand_raw_blobs(struct check_context *c)
{
        blobs_in_a_row(c, "load.thousand-raw-blobs", "raw blobs that are fetched one after another",
                       fetch_raw_blob);
}

static void thousand_readers_gone(struct check_context *c)
{
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;
        uint64_t image = sample_open(c, "config-1m", "load.thousand-readers-gone");
        size_t n = scaled(c, 1000);
        struct gauge gauge = {0};

        check_expect_open(c);
        check_end_transcript(c);
        for (size_t i = 0; i < n; i++) {
                leave_early(c, image, config);
                gauge_look(c, &gauge, i, n);
        }
        gauge_judge(c, &gauge, "readers that leave early");
}

static void hundred_pipes(struct check_context *c)
{
        static struct answer pipes[100];
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;
        uint64_t large = sample_open(c, "config-1m", "load.hundred-pipes");
        uint64_t small = sample_open(c, "layers-1", "load.hundred-pipes");
        const char *digest = sample_digest(c, "layers-1");
        size_t n = scaled(c, 10000);
        struct gauge gauge = {0};

        check_expect_open(c);
        check_end_transcript(c);
        for (size_t i = 0; i < ARRAY_SIZE(pipes); i++)
                begin_blob(c, large, config, &pipes[i]);
        for (size_t i = 0; i < n; i++) {
                fetch(c, "GetManifest", small, digest);
                gauge_look(c, &gauge, i, n);
        }
        gauge_judge(c, &gauge, "what is fetched while a hundred pipes are open");
        for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
                take(c, &pipes[i], config->digest, "the value of a pipe that was open for long");
                answer_clear(&pipes[i]);
        }
}

/* One of everything that the server's version has. */
static void mix(struct check_context *c, const char *reference, const struct content *layer,
                const struct content *large, uint64_t large_image)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, reference);

        fetch(c, "GetManifest", image, NULL);
        fetch(c, "GetFullConfig", image, NULL);
        fetch_blob(c, image, layer);
        if (version_compare(check_version(c), SINCE_LAYER_INFO_PIPED) >= 0)
                fetch(c, "GetLayerInfoPiped", image, NULL);
        if (version_compare(check_version(c), SINCE_RAW) >= 0)
                fetch_raw_blob(c, image, layer);
        leave_early(c, large_image, large);
        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", image);
        check_call_refused(c, &answer, "GetManifest", "[%" PRIu64 "]", image);
}

/* As long as the check may, less a sixth or ten seconds for its beginning and end. */
static uint64_t mixing_ns(struct check_context *c)
{
        double limit = check_timeout(c), less = limit / 6 < 10 ? limit / 6 : 10;

        return (uint64_t)((limit - less) * scale(c) * 1e9);
}

static void an_hour(struct check_context *c)
{
        const char *reference = sample_reference(c, "blob-65537", "load.an-hour");
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        const struct content *large = &check_fixture_manifest(c, "config-1m")->config;
        uint64_t large_image = check_open_image(c, check_fixture(c, "config-1m"));
        uint64_t start = monotonic_ns(), duration = mixing_ns(c), now, rounds = 0;
        struct gauge gauge = {0};

        check_expect_open(c);
        check_end_transcript(c);
        /* A machine that is very slow still gets as many rounds as a comparison needs. */
        while ((now = monotonic_ns() - start) < duration || rounds < LEAST) {
                uint64_t by_count = rounds * duration / LEAST;

                mix(c, reference, layer, large, large_image);
                gauge_look(c, &gauge, now < by_count ? now : by_count, duration);
                rounds++;
        }
        gauge_judge(c, &gauge, "requests of all kinds, for long,");
}

const struct check checks_load[] = {
        {
                NAMED("thousand-images"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires =
                        "A thousand images can be open at once, and leave nothing behind when they are closed.",
                .reference = "many-images close-leaves-nothing",
                .timeout_s = 120,
                .run = thousand_images,
        },
        {
                NAMED("ten-thousand-requests"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "Ten thousand requests that are refused leave nothing behind in the server.",
                .reference = "session-goes-on",
                .timeout_s = 120,
                .run = ten_thousand_requests,
        },
        {
                NAMED("ten-thousand-opens"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires =
                        "Ten thousand images that are opened and closed leave nothing behind in the server.",
                .reference = "close-leaves-nothing",
                .timeout_s = 120,
                .run = ten_thousand_opens,
        },
        {
                NAMED("ten-gib-blob"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "A blob of 10 GiB arrives whole, and its size costs the server no memory.",
                .reference = "get-blob",
                .timeout_s = 600,
                .run = ten_gib_blob,
        },
        {
                NAMED("ten-gib-raw-blob"),
                .level = LEVEL_SHOULD,
                .since = SINCE_RAW,
                .requires = "A raw blob of 10 GiB arrives whole, and its size costs the server no memory.",
                .reference = "get-raw-blob",
                .timeout_s = 600,
                .run = ten_gib_raw_blob,
        },
        {
                NAMED("thousand-blobs"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "A thousand blobs in a row leave nothing behind in the server.",
                .reference = "pipe-leaves-nothing",
                .timeout_s = 120,
                .run = thousand_blobs,
        },
        {
                NAMED("thousand-raw-blobs"),
                .level = LEVEL_SHOULD,
                .since = SINCE_RAW,
                .requires = "A thousand raw blobs in a row leave nothing behind in the server.",
                .reference = "raw-leaves-nothing",
                .timeout_s = 120,
                .run = thousand_raw_blobs,
        },
        {
                NAMED("thousand-readers-gone"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "A thousand readers that leave early leave nothing behind in the server.",
                .reference = "reader-gone pipe-leaves-nothing",
                .timeout_s = 120,
                .run = thousand_readers_gone,
        },
        {
                NAMED("hundred-pipes"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires =
                        "A hundred pipes that nobody reads stay good while ten thousand others come and go.",
                .reference = "many-pipes",
                .timeout_s = 120,
                .run = hundred_pipes,
        },
        {
                NAMED("an-hour"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires =
                        "Requests of all kinds, for as long as the check may take, leave nothing behind in the "
                        "server.",
                .reference = "pipe-leaves-nothing close-leaves-nothing",
                .timeout_s = 60,
                .run = an_hour,
        },
};
const size_t n_checks_load = ARRAY_SIZE(checks_load);
