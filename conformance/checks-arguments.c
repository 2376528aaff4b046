/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of arguments: each method by a table of what it does not take, then what is worth a check of its own:
 * numbers that are cut or wrap around, so that a client's mistake reaches somebody else's image or pipe; texts
 * that are malformed, long or lead elsewhere; and FinishPipe with nothing at all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "conformance/check.h"
#include "conformance/groups.h"
#include "image/manifest.h"

#define FIXTURE "layers-1"

/* ---- each method by a table ---- */

/* What stands for a good argument in a wrong call. */
static const char *good_argument(struct check_context *c, enum argument_kind kind, uint64_t image)
{
        const struct manifest *manifest = check_fixture_manifest(c, FIXTURE);

        switch (kind) {
        case ARGUMENT_REFERENCE:
                return check_text(c, "\"%s\"", check_fixture(c, FIXTURE));
        case ARGUMENT_DIGEST:
                return check_text(c, "\"%s\"", manifest->entries[0].digest);
        case ARGUMENT_IMAGE:
                return check_text(c, "%" PRIu64, image);
        case ARGUMENT_SIZE:
                return check_text(c, "%" PRId64, manifest->entries[0].size);
        case ARGUMENT_PIPE:
                return "987654";
        }
        return "null";
}

/* The first @n arguments of @method, with @odd in the place of argument number @at (beyond: none). */
static const char *arguments(struct check_context *c, const struct method *method, uint64_t image, size_t n,
                             size_t at, const char *odd)
{
        const char *text = "";

        for (size_t i = 0; i < n; i++) {
                const char *one = i == at                   ? odd
                                  : i < method->n_arguments ? good_argument(c, method->arguments[i], image)
                                                            : "1";

                text = check_text(c, "%s%s%s", text, i ? "," : "", one);
        }
        return check_text(c, "[%s]", text);
}

/* Too few (not below @least), too many, and in each place what is of another type. */
static void refuses_wrong(struct check_context *c, enum method_id id, size_t least)
{
        static const char *const odds[] = {"null", "true", "[]", "{}"};
        const struct method *method = &methods[id];
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t n = method->n_arguments, none = METHOD_ARGUMENTS_MAX;

        for (size_t few = least; few < n; few++)
                check_call_refused(c, &answer, method->name, "%s",
                                   arguments(c, method, image, few, none, NULL));
        check_call_refused(c, &answer, method->name, "%s", arguments(c, method, image, n + 1, none, NULL));
        for (size_t at = 0; at < n; at++) {
                for (size_t i = 0; i < ARRAY_SIZE(odds); i++)
                        check_call_refused(c, &answer, method->name, "%s",
                                           arguments(c, method, image, n, at, odds[i]));
                if (method->arguments[at] == ARGUMENT_REFERENCE || method->arguments[at] == ARGUMENT_DIGEST)
                        check_call_refused(c, &answer, method->name, "%s",
                                           arguments(c, method, image, n, at, "7"));
        }
        check_still_serves(c);
}

#define METHOD_CHECK(name, id, least)                   \
        static void run_##name(struct check_context *c) \
        {                                               \
                refuses_wrong(c, id, least);            \
        }

METHOD_CHECK(open_image, METHOD_OPEN_IMAGE, 0)
METHOD_CHECK(open_image_optional, METHOD_OPEN_IMAGE_OPTIONAL, 0)
METHOD_CHECK(close_image, METHOD_CLOSE_IMAGE, 0)
METHOD_CHECK(get_manifest, METHOD_GET_MANIFEST, 0)
METHOD_CHECK(get_config, METHOD_GET_CONFIG, 0)
METHOD_CHECK(get_full_config, METHOD_GET_FULL_CONFIG, 0)
METHOD_CHECK(get_blob, METHOD_GET_BLOB, 0)
METHOD_CHECK(get_raw_blob, METHOD_GET_RAW_BLOB, 0)
METHOD_CHECK(get_layer_info, METHOD_GET_LAYER_INFO, 0)
METHOD_CHECK(get_layer_info_piped, METHOD_GET_LAYER_INFO_PIPED, 0)
/* FinishPipe without any has a check of its own. */
METHOD_CHECK(finish_pipe, METHOD_FINISH_PIPE, 1)

/* ---- image ids ---- */

/* Calls every method of this version that takes an image with @id in its place; all must be refused. */
static void refuses_image(struct check_context *c, const char *id)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        for (size_t i = 0; i < METHODS; i++) {
                const struct method *method = &methods[i];

                if (method->n_arguments == 0 || method->arguments[0] != ARGUMENT_IMAGE ||
                    version_compare(check_version(c), method->since) < 0)
                        continue;
                check_call_refused(c, &answer, method->name, "%s",
                                   arguments(c, method, image, method->n_arguments, 0, id));
        }
        check_still_serves(c);
}

static void run_image_zero(struct check_context *c)
{
        refuses_image(c, "0");
}

static void run_image_unknown(struct check_context *c)
{
        refuses_image(c, "987654");
}

static void run_image_negative(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        check_call_refused(c, &answer, "CloseImage", "[-%" PRIu64 "]", image);
        /* What becomes the image's id where 32 bits of it are kept. */
        check_call_refused(c, &answer, "CloseImage", "[-%" PRIu64 "]", (UINT64_C(1) << 32) - image);
}

static void run_image_fraction(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        check_call_refused(c, &answer, "CloseImage", "[%" PRIu64 ".5]", image);
}

static void run_image_wraps(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        check_call_refused(c, &answer, "CloseImage", "[%" PRIu64 "]", (UINT64_C(1) << 32) + image);
}

static void run_image_too_large(struct check_context *c)
{
        static const char *const numbers[] = {
                "9007199254740992",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551616",
                "18446744073709551617",
                "1e30",
                "-1e30",
        };
        CLEANUP_ANSWER struct answer answer = {0};

        check_open_image(c, check_fixture(c, FIXTURE));
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                check_call_refused(c, &answer, "CloseImage", "[%s]", numbers[i]);
        check_still_serves(c);
}

static void run_number_overflow(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "CloseImage", "[1e999]");
        check_still_serves(c);
}

static void run_number_as_string(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        check_call_refused(c, &answer, "CloseImage", "[\"%" PRIu64 "\"]", image);
}

static void run_number_spelling(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        bool exponent, point;

        check_call(c, &answer, "CloseImage", "[%" PRIu64 "e0]", image);
        exponent = answer.success;
        image = check_open_image(c, check_fixture(c, FIXTURE));
        check_call(c, &answer, "CloseImage", "[%" PRIu64 ".0]", image);
        point = answer.success;
        check_record(c, "1e0 %s, 1.0 %s", exponent ? "served" : "refused", point ? "served" : "refused");
}

/* ---- pipe ids ---- */

static void run_finish_empty(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "FinishPipe", "[]");
        check_still_serves(c);
}

static void run_pipe_unknown(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "FinishPipe", "[0]");
        check_call_refused(c, &answer, "FinishPipe", "[1234567]");
        check_call_refused(c, &answer, "FinishPipe", "[4294967295]");
        check_call_refused(c, &answer, "FinishPipe", "[-1]");
        check_call_refused(c, &answer, "FinishPipe", "[18446744073709551616]");
        check_still_serves(c);
}

/* A pipe is open; its number plus @add with a text @behind it must not end it. */
static void refuses_pipe(struct check_context *c, const char *behind, uint64_t add)
{
        CLEANUP_ANSWER struct answer piped = {0}, answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        check_call_refused(c, &answer, "FinishPipe", "[%" PRIu64 "%s]", piped.pipeid + add, behind);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success,
                   "expected the pipe to be as it was after a refusal, got the error: %.500s", finish.error);
}

static void run_pipe_extra(struct check_context *c)
{
        refuses_pipe(c, ", 1", 0);
}

static void run_pipe_fraction(struct check_context *c)
{
        refuses_pipe(c, ".5", 0);
}

static void run_pipe_wraps(struct check_context *c)
{
        refuses_pipe(c, "", UINT64_C(1) << 32);
}

/* ---- digests and sizes ---- */

static void run_digest_algorithm(struct check_context *c)
{
        static const char digest[] = "md5:d41d8cd98f00b204e9800998ecf8427e";
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        check_call_refused(c, &answer, "GetBlob", "[%" PRIu64 ", \"%s\", 2]", image, digest);
        if (version_compare(check_version(c), methods[METHOD_GET_RAW_BLOB].since) >= 0)
                check_call_refused(c, &answer, "GetRawBlob", "[%" PRIu64 ", \"%s\"]", image, digest);
        check_still_serves(c);
}

static void run_size_negative(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        const struct content *layer = &check_fixture_manifest(c, FIXTURE)->entries[0];
        size_t len;

        /* A descriptor that a server leaks by GetBlob is another check's matter. */
        check_expect_open(c);
        check_call(c, &answer, "GetBlob", "[%" PRIu64 ", \"%s\", -1]", image, layer->digest);
        if (!answer.success)
                return;
        check_read_and_finish(c, &answer, &finish, &data, &len);
        check_that(c, !finish.success, "expected GetBlob of -1 bytes to be refused, at once or by FinishPipe");
}

/* ---- references ---- */

static void refuses_reference(struct check_context *c, const char *json_text)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", json_text);
        if (version_compare(check_version(c), methods[METHOD_OPEN_IMAGE_OPTIONAL].since) >= 0)
                check_call_refused(c, &answer, "OpenImageOptional", "[\"%s\"]", json_text);
}

static void run_reference_malformed(struct check_context *c)
{
        refuses_reference(c, "");
        refuses_reference(c, "no-transport");
        refuses_reference(c, "docker:example.com/no-slashes");
        refuses_reference(c, "docker://");
        refuses_reference(c, "docker://UPPER/Case");
        check_still_serves(c);
}

static void run_reference_transport(struct check_context *c)
{
        refuses_reference(c, "nosuchtransport:example");
        check_still_serves(c);
}

/* A server that takes the reference for a C string would open the image before the zero byte. */
static void run_reference_nul(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"%s\\u0000behind\"]", check_fixture(c, FIXTURE));
        check_still_serves(c);
}

static void refuses_long_reference(struct check_context *c, const char *transport, char fill)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char name[30721];

        memset(name, fill, sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        check_call_refused(c, &answer, "OpenImage", "[\"%s:/%s\"]", transport, name);
        check_still_serves(c);
}

static void run_reference_long(struct check_context *c)
{
        refuses_long_reference(c, "oci", 'x');
}

/*
 * Some encoders write `<` as \u003c. An error that holds the name twice, each byte as six, does not fit the
 * socket any more.
 */
static void run_reference_long_escaped(struct check_context *c)
{
        refuses_long_reference(c, "docker-archive", '<');
}

static void run_shutdown_arguments(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_request(c, "Shutdown", "[1]");
        if (check_is_hung_up(c)) {
                check_record(c, "ends");
                return;
        }
        check_answer(c, &answer);
        check_record(c, answer.success ? "answers" : "refuses");
}

/* ---- more numbers ---- */

/* Calls every method of this version that takes a number, with @odd in the place of each; all must be refused. */
static void refuses_number(struct check_context *c, const char *odd, bool images_alone)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        for (size_t i = 0; i < METHODS; i++) {
                const struct method *method = &methods[i];

                for (size_t at = 0; at < method->n_arguments; at++) {
                        enum argument_kind kind = method->arguments[at];

                        if (kind == ARGUMENT_REFERENCE || kind == ARGUMENT_DIGEST ||
                            (images_alone && kind != ARGUMENT_IMAGE) ||
                            version_compare(check_version(c), method->since) < 0)
                                continue;
                        check_call_refused(c, &answer, method->name, "%s",
                                           arguments(c, method, image, method->n_arguments, at, odd));
                }
        }
}

static void run_numbers_in_quotes(struct check_context *c)
{
        refuses_number(c, "\"1\"", false);
        check_still_serves(c);
}

static void run_numbers_empty(struct check_context *c)
{
        refuses_number(c, "\"\"", false);
        refuses_number(c, "false", false);
        refuses_number(c, "[1]", false);
        check_still_serves(c);
}

static void run_images_out_of_range(struct check_context *c)
{
        static const char *const numbers[] = {"-1", "0.5", "9007199254740993", "18446744073709551616", "1e300"};

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                refuses_number(c, numbers[i], true);
        check_still_serves(c);
}

static void run_image_closed(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", image);
        refuses_number(c, check_text(c, "%" PRIu64, image), true);
        check_still_serves(c);
}

/* An id of a pipe that is open, and of no image. */
static void run_pipe_for_image(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0}, answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        if (piped.pipeid != image)
                check_call_refused(c, &answer, "CloseImage", "[  %" PRIu64 "]", piped.pipeid);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success,
                   "expected the pipe to be as it was after a refusal, got the error: %.500s", finish.error);
        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", image);
}

static void run_image_for_pipe(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0}, answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        if (piped.pipeid != image)
                check_call_refused(c, &answer, "FinishPipe", "[%" PRIu64 "]", image);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success,
                   "expected the pipe to be as it was after a refusal, got the error: %.500s", finish.error);
        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", image);
}

static void run_pipe_in_quotes(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0}, answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        check_call_refused(c, &answer, "FinishPipe", "[\"%" PRIu64 "\"]", piped.pipeid);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success,
                   "expected the pipe to be as it was after a refusal, got the error: %.500s", finish.error);
}

/* What becomes the pipe's id where a negative number is cut to 32 bits. */
static void run_pipe_negative(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0}, answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        check_call_refused(c, &answer, "FinishPipe", "[-%" PRIu64 "]", piped.pipeid);
        check_call_refused(c, &answer, "FinishPipe", "[-%" PRIu64 "]", (UINT64_C(1) << 32) - piped.pipeid);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success,
                   "expected the pipe to be as it was after a refusal, got the error: %.500s", finish.error);
}

static void run_number_forms(struct check_context *c)
{
        static const char *const formats[] = {"%s0e-1", "0.%se1", "%s00E-2", "%s.0e+0",
                                              "%s.00000000000000000001"};
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
                const char *id = check_text(c, "%" PRIu64, check_open_image(c, check_fixture(c, FIXTURE)));
                const char *at = strstr(formats[i], "%s");

                check_call(c, &answer, "CloseImage", "[%.*s%s%s]", (int)(at - formats[i]), formats[i], id,
                           at + 2);
                text = check_text(c, "%s%s%s", text, i ? " " : "", answer.success ? "served" : "refused");
        }
        check_record(c, "%s", text);
}

/* Ids are at most 2^53-1: a reader that has no larger integers loses nothing. */
static void run_zero_forms(struct check_context *c)
{
        static const char *const zeros[] = {"-0", "0.0", "-0.0", "0e5", "1e-999"};
        CLEANUP_ANSWER struct answer answer = {0};

        check_open_image(c, check_fixture(c, FIXTURE));
        for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
                check_call_refused(c, &answer, "CloseImage", "[%s]", zeros[i]);
        check_still_serves(c);
}

/* ---- more digests and sizes ---- */

/* GetBlob with these words for digest and size: refused at once, or by FinishPipe. */
static void refuses_blob(struct check_context *c, const char *digest, const char *size)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_expect_open(c);
        check_call(c, &answer, "GetBlob", "[%" PRIu64 ", \"%s\", %s]", image, digest, size);
        if (answer.success) {
                check_read_and_finish(c, &answer, &finish, &data, &len);
                check_that(c, !finish.success, "expected GetBlob of %.200s, %s bytes to be refused", digest,
                           size);
        }
        check_still_serves(c);
}

static const struct content *layer(struct check_context *c)
{
        return &check_fixture_manifest(c, FIXTURE)->entries[0];
}

static const char *layer_digest(struct check_context *c)
{
        const char *digest = layer(c)->digest;

        if (!digest || !strchr(digest, ':'))
                check_error(c, "the fixture's layer has no digest");
        return digest;
}

static void run_size_fraction(struct check_context *c)
{
        refuses_blob(c, layer(c)->digest, check_text(c, "%" PRId64 ".5", layer(c)->size));
}

static void run_size_too_large(struct check_context *c)
{
        static const char *const sizes[] = {"9007199254740992", "9223372036854775808", "18446744073709551615",
                                            "18446744073709551616", "1e300"};

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
                refuses_blob(c, layer(c)->digest, sizes[i]);
}

static void run_size_wraps(struct check_context *c)
{
        refuses_blob(c, layer(c)->digest, check_text(c, "%" PRId64, layer(c)->size + (INT64_C(1) << 32)));
}

static void run_size_spelling(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_expect_open(c);
        check_call(c, &answer, "GetBlob", "[%" PRIu64 ", \"%s\", %" PRId64 "e0]", image, layer(c)->digest,
                   layer(c)->size);
        if (answer.success)
                check_read_and_finish(c, &answer, &finish, &data, &len);
        check_record(c, "%s", answer.success && finish.success ? "served" : "refused");
}

static void run_digest_case(struct check_context *c)
{
        char *digest = strdup(layer(c)->digest);
        const char *text;

        for (char *p = digest ? strchr(digest, ':') : NULL; p && *p; p++)
                if (*p >= 'a' && *p <= 'f')
                        *p = (char)(*p - 'a' + 'A');
        text = check_text(c, "%s", digest ? digest : "");
        free(digest);
        refuses_blob(c, text, check_text(c, "%" PRId64, layer(c)->size));
}

static void run_digest_length(struct check_context *c)
{
        const char *digest = layer_digest(c), *size = check_text(c, "%" PRId64, layer(c)->size);

        refuses_blob(c, check_text(c, "%.*s", (int)strlen(digest) - 1, digest), size);
        refuses_blob(c, check_text(c, "%s0", digest), size);
        refuses_blob(c, "sha256:", size);
        refuses_blob(c, "sha256", size);
        refuses_blob(c, "", size);
        refuses_blob(c, strchr(digest, ':') + 1, size);
}

static void run_digest_decorated(struct check_context *c)
{
        const char *digest = layer_digest(c), *size = check_text(c, "%" PRId64, layer(c)->size);

        refuses_blob(c, check_text(c, " %s", digest), size);
        refuses_blob(c, check_text(c, "%s ", digest), size);
        refuses_blob(c, check_text(c, "%s\\n", digest), size);
        refuses_blob(c, check_text(c, "%s\\u0000", digest), size);
        refuses_blob(c, check_text(c, "@%s", digest), size);
}

/* ---- more references ---- */

static void run_reference_case(struct check_context *c)
{
        refuses_reference(c, check_text(c, "OCI:%s", strchr(check_fixture(c, FIXTURE), ':') + 1));
        check_still_serves(c);
}

static void run_reference_decorated(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\" %s\"]", check_fixture(c, FIXTURE));
        check_call_refused(c, &answer, "OpenImage", "[\"%s\\n\"]", check_fixture(c, FIXTURE));
        check_still_serves(c);
}

static void run_reference_empty_path(struct check_context *c)
{
        static const char *const references[] = {"oci:", "dir:", "docker-archive:", "oci-archive:"};
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
                check_call(c, &answer, "OpenImage", "[\"%s\"]", references[i]);
                text = check_text(c, "%s%s%s %s", text, i ? ", " : "", references[i],
                                  answer.success ? "opened" : "refused");
        }
        check_record(c, "%s", text);
}

static void run_reference_invalid_utf8(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_json) struct json_object *parsed = NULL;

        check_call_refused(c, &answer, "OpenImage", "[\"oci:%s/\xff\xfe:latest\"]", check_folder(c));
        check_that(c, json_parse(answer.packet.data, answer.packet.len, 32, &parsed, NULL) == 0,
                   "expected a reply in valid UTF-8 to a reference that is not, got: %.500s",
                   answer.packet.data);
        check_still_serves(c);
}

/* ---- many and long ---- */

static void run_many_arguments(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char many[20001];

        for (size_t i = 0; i < sizeof(many) - 1; i += 2) {
                many[i] = ',';
                many[i + 1] = '1';
        }
        many[sizeof(many) - 1] = '\0';
        check_call_refused(c, &answer, "CloseImage", "[%" PRIu64 "%s]",
                           check_open_image(c, check_fixture(c, FIXTURE)), many);
        check_still_serves(c);
}

static void run_null_behind(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "CloseImage", "[%" PRIu64 ", null]",
                           check_open_image(c, check_fixture(c, FIXTURE)));
        check_call_refused(c, &answer, "OpenImage", "[\"%s\", null]", check_fixture(c, FIXTURE));
        check_still_serves(c);
}

/* Long texts in the place of each argument that is none. */
static void run_text_long(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char text[30721];
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));

        memset(text, 'z', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        check_call_refused(c, &answer, "GetManifest", "[\"%s\"]", text);
        check_call_refused(c, &answer, "FinishPipe", "[\"%s\"]", text);
        check_call_refused(c, &answer, "GetBlob", "[%" PRIu64 ", \"%s\", 5]", image, text);
        check_call_refused(c, &answer, "GetBlob", "[%" PRIu64 ", \"sha256:%064d\", \"%s\"]", image, 0, text);
        check_still_serves(c);
}

static void run_number_long(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char digits[30001];

        memset(digits, '9', sizeof(digits) - 1);
        digits[sizeof(digits) - 1] = '\0';
        check_call_refused(c, &answer, "CloseImage", "[%s]", digits);
        check_call_refused(c, &answer, "FinishPipe", "[0.%s]", digits);
        check_still_serves(c);
}

/* ---- what a refusal leaves ---- */

static void run_refusals_change_nothing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0}, answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        size_t len;

        check_call_ok(c, &piped, "GetManifest", "[%" PRIu64 "]", image);
        check_call_refused(c, &answer, "GetManifest", "[\"changes nothing\"]");
        check_call_refused(c, &answer, "CloseImage", "[%" PRIu64 ", %" PRIu64 "]", image, image);
        check_call_refused(c, &answer, "OpenImage", "[7]");
        check_call_refused(c, &answer, "FinishPipe", "[{}]");
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success, "expected FinishPipe to succeed after refusals, got the error: %.500s",
                   finish.error);
        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", image);
}

static void run_refused_image_takes_no_id(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t first = check_open_image(c, check_fixture(c, FIXTURE));

        for (int i = 0; i < 5; i++)
                check_call_refused(c, &answer, "OpenImage", "[\"oci:%s/missing:latest\"]", check_folder(c));
        check_call_ok(c, &answer, "OpenImage", "[  \"%s\"]", check_fixture(c, FIXTURE));
        check_record(c, "%s",
                     (uint64_t)json_object_get_int64(answer.value) == first + 1 ? "the next id" : "another id");
}

#define ARGUMENTS_SINCE(name, check_level, from, text, anchor, function)                              \
        {                                                                                             \
                .id = "arguments/" name, .level = (check_level), .since = (from), .requires = (text), \
                .reference = (anchor), .run = (function)                                              \
        }
#define ARGUMENTS(name, level, text, anchor, function) \
        ARGUMENTS_SINCE(name, level, VERSION_OLDEST, text, anchor, function)
#define METHOD(name, from, method, anchor, function)                                                        \
        ARGUMENTS_SINCE(name, LEVEL_SHOULD, from,                                                           \
                        method                                                                              \
                        " refuses too few arguments, too many, and any of a wrong type, and still serves.", \
                        anchor, function)

const struct check checks_arguments[] = {
        METHOD("open-image", VERSION_OLDEST, "OpenImage", "argument-count reference-argument", run_open_image),
        METHOD("open-image-optional", VERSION(0, 2, 4), "OpenImageOptional",
               "argument-count reference-argument", run_open_image_optional),
        METHOD("close-image", VERSION_OLDEST, "CloseImage", "argument-count image-argument", run_close_image),
        METHOD("get-manifest", VERSION_OLDEST, "GetManifest", "argument-count image-argument",
               run_get_manifest),
        METHOD("get-config", VERSION_OLDEST, "GetConfig", "argument-count image-argument", run_get_config),
        METHOD("get-full-config", VERSION_OLDEST, "GetFullConfig", "argument-count image-argument",
               run_get_full_config),
        METHOD("get-blob", VERSION_OLDEST, "GetBlob",
               "argument-count image-argument digest-argument size-argument", run_get_blob),
        METHOD("get-raw-blob", VERSION(0, 2, 8), "GetRawBlob", "argument-count image-argument digest-argument",
               run_get_raw_blob),
        METHOD("get-layer-info", VERSION(0, 2, 5), "GetLayerInfo", "argument-count image-argument",
               run_get_layer_info),
        METHOD("get-layer-info-piped", VERSION(0, 2, 7), "GetLayerInfoPiped", "argument-count image-argument",
               run_get_layer_info_piped),
        ARGUMENTS("finish-pipe", LEVEL_SHOULD,
                  "FinishPipe refuses too many arguments, and one of a wrong type, and still serves.",
                  "pipe-argument", run_finish_pipe),
        ARGUMENTS("finish-pipe-empty", LEVEL_MUST,
                  "FinishPipe without an argument is refused, and the server still serves.",
                  "finish-no-argument", run_finish_empty),
        ARGUMENTS("shutdown", LEVEL_INFO, "Records what Shutdown with an argument does.", "shutdown-arguments",
                  run_shutdown_arguments),
        ARGUMENTS("image-zero", LEVEL_MUST, "No method takes 0 for an image.",
                  "image-argument refusal-changes-nothing", run_image_zero),
        ARGUMENTS("image-unknown", LEVEL_MUST, "An image id that was never given is refused by every method.",
                  "image-argument refusal-changes-nothing", run_image_unknown),
        ARGUMENTS("image-negative", LEVEL_SHOULD, "A negative image id does not reach another image.",
                  "negative-numbers", run_image_negative),
        ARGUMENTS("image-fraction", LEVEL_SHOULD, "An image id and a half does not reach the image.",
                  "fractions", run_image_fraction),
        ARGUMENTS("image-wraps", LEVEL_MUST, "An image id of 2^32 more does not reach the image.",
                  "wrapped-numbers", run_image_wraps),
        ARGUMENTS("image-too-large", LEVEL_SHOULD, "Numbers over 2^53-1 are no image ids.", "image-argument",
                  run_image_too_large),
        ARGUMENTS("number-overflow", LEVEL_SHOULD,
                  "A number that no machine holds (1e999) is refused, and the server still serves.",
                  "image-argument", run_number_overflow),
        ARGUMENTS("number-as-string", LEVEL_SHOULD, "A number in quotes is no number.",
                  "quoted-numbers image-argument", run_number_as_string),
        ARGUMENTS("number-spelling", LEVEL_INFO, "Records whether 1e0 and 1.0 are taken for 1.",
                  "number-spelling", run_number_spelling),
        ARGUMENTS("pipe-unknown", LEVEL_MUST,
                  "FinishPipe of a pipe that does not exist is refused, and the server still serves.",
                  "pipe-argument", run_pipe_unknown),
        ARGUMENTS("pipe-extra", LEVEL_SHOULD, "FinishPipe with a second argument does not end the pipe.",
                  "finish-more-arguments", run_pipe_extra),
        ARGUMENTS("pipe-fraction", LEVEL_SHOULD, "A pipe id and a half does not end the pipe.", "fractions",
                  run_pipe_fraction),
        ARGUMENTS("pipe-wraps", LEVEL_SHOULD, "A pipe id of 2^32 more does not end the pipe.",
                  "wrapped-numbers", run_pipe_wraps),
        ARGUMENTS("digest-algorithm", LEVEL_SHOULD, "A digest of an unknown algorithm is refused as a blob.",
                  "digest-argument", run_digest_algorithm),
        ARGUMENTS("size-negative", LEVEL_SHOULD, "GetBlob of -1 bytes is refused, at once or by FinishPipe.",
                  "negative-numbers", run_size_negative),
        ARGUMENTS("reference-malformed", LEVEL_MUST,
                  "A text that is no reference is refused, and the server still serves.", "reference-argument",
                  run_reference_malformed),
        ARGUMENTS("reference-transport", LEVEL_MUST, "An unknown transport is refused.",
                  "reference-argument open-transport", run_reference_transport),
        ARGUMENTS("reference-nul", LEVEL_SHOULD, "A reference does not end at a zero byte.",
                  "reference-argument", run_reference_nul),
        ARGUMENTS("reference-long", LEVEL_SHOULD,
                  "A reference of 30 KiB is refused, and the server still serves.", "long-argument",
                  run_reference_long),
        ARGUMENTS("reference-long-escaped", LEVEL_SHOULD,
                  "A reference of 30 KiB that an error would show six times as long is refused, and the server "
                  "still serves.",
                  "long-argument reply-unsent", run_reference_long_escaped),
        ARGUMENTS("numbers-in-quotes", LEVEL_SHOULD, "No method takes \"1\" for a number.",
                  "quoted-numbers image-argument size-argument pipe-argument", run_numbers_in_quotes),
        ARGUMENTS("numbers-empty", LEVEL_SHOULD, "No method takes an empty text, false or [1] for a number.",
                  "image-argument size-argument pipe-argument", run_numbers_empty),
        ARGUMENTS("images-out-of-range", LEVEL_SHOULD,
                  "Every method refuses -1, 0.5, 2^53+1, 2^64 and 1e300 for an image.",
                  "image-argument fractions negative-numbers", run_images_out_of_range),
        ARGUMENTS("image-closed", LEVEL_MUST, "Every method refuses the id of an image that was closed.",
                  "image-argument close-image", run_image_closed),
        ARGUMENTS("pipe-for-image", LEVEL_MUST, "The id of a pipe is no image id.", "image-argument",
                  run_pipe_for_image),
        ARGUMENTS("image-for-pipe", LEVEL_MUST, "The id of an image is no pipe id.", "pipe-argument",
                  run_image_for_pipe),
        ARGUMENTS("pipe-in-quotes", LEVEL_SHOULD, "A pipe id in quotes does not end the pipe.",
                  "quoted-numbers pipe-argument", run_pipe_in_quotes),
        ARGUMENTS("pipe-negative", LEVEL_SHOULD, "A negative pipe id does not end another pipe.",
                  "negative-numbers wrapped-numbers", run_pipe_negative),
        ARGUMENTS("number-forms", LEVEL_INFO,
                  "Records whether 10e-1, 0.1e1, 100E-2, 1.0e+0 and 1.00000000000000000001 are taken for 1.",
                  "number-spelling", run_number_forms),
        ARGUMENTS("zero-forms", LEVEL_SHOULD, "Whatever is 0, as -0, 0.0 and 1e-999, is no image id.",
                  "image-argument", run_zero_forms),
        ARGUMENTS("size-fraction", LEVEL_SHOULD,
                  "GetBlob of a size and a half is refused, at once or by FinishPipe.", "fractions",
                  run_size_fraction),
        ARGUMENTS("size-too-large", LEVEL_SHOULD,
                  "GetBlob of 2^53 bytes or more is refused, at once or by FinishPipe, and the server still "
                  "serves.",
                  "size-argument", run_size_too_large),
        ARGUMENTS("size-wraps", LEVEL_SHOULD, "GetBlob of 2^32 bytes more than there are is refused.",
                  "finish-size wrapped-numbers", run_size_wraps),
        ARGUMENTS("size-spelling", LEVEL_INFO, "Records whether a size with an exponent is taken.",
                  "number-spelling", run_size_spelling),
        ARGUMENTS("digest-case", LEVEL_SHOULD, "A digest in upper case is refused as a blob.",
                  "digest-argument", run_digest_case),
        ARGUMENTS("digest-length", LEVEL_MUST,
                  "A digest that is too short, too long, or lacks one of its halves is refused as a blob.",
                  "digest-argument", run_digest_length),
        ARGUMENTS("digest-decorated", LEVEL_SHOULD,
                  "A digest with a blank, a newline or a zero byte at its end is refused as a blob.",
                  "digest-argument", run_digest_decorated),
        ARGUMENTS("reference-case", LEVEL_SHOULD, "`OCI:` is another transport than `oci:`, and unknown.",
                  "reference-argument open-transport", run_reference_case),
        ARGUMENTS("reference-decorated", LEVEL_SHOULD,
                  "A blank before a reference, and a newline behind it, are part of it.", "reference-argument",
                  run_reference_decorated),
        ARGUMENTS("reference-empty-path", LEVEL_INFO, "Records whether a transport without a path is opened.",
                  "reference-argument", run_reference_empty_path),
        ARGUMENTS("reference-invalid-utf8", LEVEL_SHOULD,
                  "A reference that is not UTF-8 is refused in valid UTF-8, and the server still serves.",
                  "reply-utf8", run_reference_invalid_utf8),
        ARGUMENTS("many-arguments", LEVEL_SHOULD, "Ten thousand arguments are refused.", "argument-count",
                  run_many_arguments),
        ARGUMENTS("null-behind", LEVEL_SHOULD, "A null behind the last argument is one too many.",
                  "argument-count", run_null_behind),
        ARGUMENTS("text-long", LEVEL_SHOULD,
                  "A text of 30 KiB is refused for an image, a pipe, a digest and a size, and the server still "
                  "serves.",
                  "long-argument", run_text_long),
        ARGUMENTS("number-long", LEVEL_SHOULD,
                  "A number of 30,000 digits is refused, and the server still serves.", "long-argument",
                  run_number_long),
        ARGUMENTS("refusals-change-nothing", LEVEL_MUST,
                  "Refused calls leave an open image and an open pipe as they were.", "refusal-changes-nothing",
                  run_refusals_change_nothing),
        ARGUMENTS("refused-image-takes-no-id", LEVEL_INFO,
                  "Records whether an OpenImage that is refused uses an image id up.",
                  "refusal-changes-nothing", run_refused_image_takes_no_id),
};
const size_t n_checks_arguments = ARRAY_SIZE(checks_arguments);
