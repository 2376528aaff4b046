/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the shape of replies, the only ones that are strict about it. Those of the members go through a
 * session with successes and failures of every kind and judge one member in each reply; those of the methods
 * judge value, pipe id and descriptors of one method's reply by its row in the protocol's table.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "conformance/check.h"
#include "conformance/groups.h"
#include "image/manifest.h"

#define FIXTURE "layers-1"

/* ---- one member in every reply ---- */

/* Judges one reply; @what says which, for messages. */
typedef void (*judge_function)(struct check_context *c, const struct answer *answer, const char *what);

static bool has_method(struct check_context *c, enum method_id id)
{
        return version_compare(check_version(c), methods[id].since) >= 0;
}

static void close_descriptors(struct answer *answer)
{
        for (size_t i = 0; i < answer->packet.n_fds; i++)
                fd_clear(&answer->packet.fds[i]);
}

/* A call whose reply is judged, whichever it is. */
#define judged_call(c, judge, answer, method, ...)          \
        do {                                                \
                check_call(c, answer, method, __VA_ARGS__); \
                (judge)(c, answer, method);                 \
        } while (0)

/* The same for a piped value, and for the FinishPipe that ends it. */
static void judge_piped(struct check_context *c, judge_function judge, const char *method, const char *args)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        judged_call(c, judge, &answer, method, "%s", args);
        if (answer.packet.n_fds != 1 || !answer.pipeid)
                return;
        check_read_and_finish(c, &answer, &finish, &data, &len);
        judge(c, &finish, "FinishPipe");
}

/* Two failures by their method's names, which the check chose: a fault can be about them alone. */
static void judge_session(struct check_context *c, judge_function judge, const char *unknown_method)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *reference = check_fixture(c, FIXTURE), *blob, *image;
        const struct manifest *manifest = check_fixture_manifest(c, FIXTURE);

        /* Descriptors that a server leaks by these calls are another check's matter. */
        check_expect_open(c);
        judged_call(c, judge, &answer, unknown_method, "[]");
        judged_call(c, judge, &answer, "OpenImage", "[\"oci:%s/missing:latest\"]", check_folder(c));
        judged_call(c, judge, &answer, "GetManifest", "[987654]");
        image = check_text(c, "[%" PRIu64 "]", check_open_image(c, reference));
        judge_piped(c, judge, "GetManifest", image);
        judge_piped(c, judge, "GetConfig", image);
        judge_piped(c, judge, "GetFullConfig", image);
        blob = check_text(c, "%.*s, \"%s\"", (int)strcspn(image, "]"), image, manifest->entries[0].digest);
        judge_piped(c, judge, "GetBlob", check_text(c, "%s, %" PRId64 "]", blob, manifest->entries[0].size));
        if (has_method(c, METHOD_GET_LAYER_INFO))
                judged_call(c, judge, &answer, "GetLayerInfo", "%s", image);
        if (has_method(c, METHOD_GET_LAYER_INFO_PIPED))
                judge_piped(c, judge, "GetLayerInfoPiped", image);
        if (has_method(c, METHOD_OPEN_IMAGE_OPTIONAL))
                judged_call(c, judge, &answer, "OpenImageOptional", "[\"%s\"]", reference);
        if (has_method(c, METHOD_GET_RAW_BLOB)) {
                judged_call(c, judge, &answer, "GetRawBlob", "%s]", blob);
                close_descriptors(&answer);
        }
        judged_call(c, judge, &answer, "CloseImage", "%s", image);
        judged_call(c, judge, &answer, "CloseImage", "%s", image);
        judged_call(c, judge, &answer, "Initialize", "[]");
}

/* The member, which must be there and of this type. */
static struct json_object *member(struct check_context *c, const struct answer *answer, const char *what,
                                  const char *name, enum json_type type)
{
        struct json_object *value;

        check_that(c, json_object_object_get_ex(answer->json, name, &value),
                   "expected a member \"%s\" in the reply to %s, got %.300s", name, what, answer->packet.data);
        check_that(c, json_object_is_type(value, type),
                   "expected \"%s\" in the reply to %s to be a %s, got %.300s", name, what,
                   json_type_to_name(type), answer->packet.data);
        return value;
}

static void judge_success(struct check_context *c, const struct answer *answer, const char *what)
{
        member(c, answer, what, "success", json_type_boolean);
}

static void judge_value(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, json_object_object_get_ex(answer->json, "value", NULL),
                   "expected a member \"value\" in the reply to %s, got %.300s", what, answer->packet.data);
}

static void judge_pipeid(struct check_context *c, const struct answer *answer, const char *what)
{
        uint64_t number;

        check_that(c, json_get_uint(member(c, answer, what, "pipeid", json_type_int), UINT32_MAX, &number),
                   "expected \"pipeid\" in the reply to %s to be 0 to 2^32-1, got %.300s", what,
                   answer->packet.data);
}

static void judge_error(struct check_context *c, const struct answer *answer, const char *what)
{
        member(c, answer, what, "error", json_type_string);
}

static void judge_error_code(struct check_context *c, const struct answer *answer, const char *what)
{
        member(c, answer, what, "error_code", json_type_string);
}

static void judge_error_on_success(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, !answer->success || !*answer->error,
                   "expected an empty error in the reply to %s, which succeeded, got %.300s", what,
                   answer->packet.data);
}

static void judge_error_on_failure(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, answer->success || *answer->error,
                   "expected the reason in the reply to %s, which failed, got %.300s", what,
                   answer->packet.data);
}

static void judge_code_on_success(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, !answer->success || !answer->error_code || !*answer->error_code,
                   "expected an empty error_code in the reply to %s, which succeeded, got %.300s", what,
                   answer->packet.data);
}

static void judge_code_on_failure(struct check_context *c, const struct answer *answer, const char *what)
{
        enum error_code code;

        if (answer->success || !answer->error_code)
                return;
        check_that(c, error_code_parse(answer->error_code, &code) == 0 && code != ERROR_CODE_NONE,
                   "expected EPIPE, retryable or other for error_code in the reply to %s, which failed, got "
                   "%.300s",
                   what, answer->packet.data);
}

static void judge_failure_value(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, answer->success || !answer->value,
                   "expected null for value in the reply to %s, which failed, got %.300s", what,
                   answer->packet.data);
}

static void judge_failure_pipeid(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, answer->success || answer->pipeid == 0,
                   "expected 0 for pipeid in the reply to %s, which failed, got %.300s", what,
                   answer->packet.data);
}

static void judge_failure_descriptors(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c, answer->success || answer->packet.n_fds == 0,
                   "expected no descriptor with the reply to %s, which failed, got %zu with %.300s", what,
                   answer->packet.n_fds, answer->packet.data);
}

#define SESSION_CHECK(name, method)                                   \
        static void run_##name(struct check_context *c)               \
        {                                                             \
                judge_session(c, judge_##name, "NoSuchReply" method); \
        }

SESSION_CHECK(success, "Success")
SESSION_CHECK(value, "Value")
SESSION_CHECK(pipeid, "Pipeid")
SESSION_CHECK(error, "Error")
SESSION_CHECK(error_code, "ErrorCode")
SESSION_CHECK(error_on_success, "ErrorOnSuccess")
SESSION_CHECK(error_on_failure, "ErrorOnFailure")
SESSION_CHECK(code_on_success, "CodeOnSuccess")
SESSION_CHECK(code_on_failure, "CodeOnFailure")
SESSION_CHECK(failure_value, "FailureValue")
SESSION_CHECK(failure_pipeid, "FailurePipeid")
SESSION_CHECK(failure_descriptors, "FailureDescriptors")

static void run_error_code_early(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchReplyEarlyCode", "[]");
        check_record(c, answer.error_code ? "sent" : "not sent");
}

/* An error that repeats what was sent may be longer than it: clients read 32 KiB. */
static void run_error_fits(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char name[30001];

        memset(name, 'y', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        check_call(c, &answer, "OpenImage", "[\"docker-archive:/%s\"]", name);
        check_that(c, !answer.success, "expected OpenImage of a name of 30,000 bytes to be refused");
        check_that(c, answer.packet.len <= PACKET_REQUEST_MAX,
                   "expected an error reply of at most 32,768 bytes, which is what clients read; got %zu bytes",
                   answer.packet.len);
}

/* ---- one method's reply ---- */

static bool value_fits(struct json_object *value, enum value_kind kind)
{
        uint64_t number;

        switch (kind) {
        case VALUE_NULL:
                return !value;
        case VALUE_VERSION:
        case VALUE_DIGEST:
                return json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0;
        case VALUE_IMAGE:
                return json_get_uint(value, JSON_INTEGER_MAX, &number) && number > 0;
        case VALUE_IMAGE_OPTIONAL:
                return json_get_uint(value, JSON_INTEGER_MAX, &number);
        case VALUE_SIZE:
                return json_get_uint(value, JSON_INTEGER_MAX, &number) ||
                       (json_object_is_type(value, json_type_int) && json_object_get_int64(value) == -1);
        case VALUE_LAYERS:
                return json_object_is_type(value, json_type_array);
        case VALUE_NO_REPLY:
                return false;
        }
        return false;
}

static const char *value_name(enum value_kind kind)
{
        static const char *const names[] = {
                [VALUE_NULL] = "null",
                [VALUE_VERSION] = "a string",
                [VALUE_IMAGE] = "an integer from 1 on",
                [VALUE_IMAGE_OPTIONAL] = "an integer from 0 on",
                [VALUE_DIGEST] = "a string",
                [VALUE_SIZE] = "an integer from -1 on",
                [VALUE_LAYERS] = "an array",
                [VALUE_NO_REPLY] = "no reply",
        };

        return names[kind];
}

static void judge_method(struct check_context *c, const struct answer *answer, const struct method *method)
{
        check_that(c, answer->success, "expected %s to succeed, got the error: %.500s", method->name,
                   answer->error);
        check_that(c, value_fits(answer->value, method->value), "expected %s as the value of %s, got %.300s",
                   value_name(method->value), method->name, answer->packet.data);
        check_that(c, answer->packet.n_fds == (size_t)method->pipes,
                   "expected %d descriptors with the reply to %s, got %zu", (int)method->pipes, method->name,
                   answer->packet.n_fds);
        for (size_t i = 0; i < answer->packet.n_fds; i++)
                check_that(c, strcmp(fd_kind(answer->packet.fds[i]), "pipe-read") == 0,
                           "expected the read end of a pipe with the reply to %s, got a %s", method->name,
                           fd_kind(answer->packet.fds[i]));
        check_that(c, (answer->pipeid != 0) == (method->pipes == PIPES_FINISHED),
                   "expected %s for pipeid in the reply to %s, got %.300s",
                   method->pipes == PIPES_FINISHED ? "a number other than 0" : "0", method->name,
                   answer->packet.data);
}

/*
 * Sends a request in a spelling that no other check uses, so that a fault can be about it alone: every check
 * depends on these replies.
 */
static void call_spelled(struct check_context *c, struct answer *ret, enum method_id id, const char *args)
{
        const char *text = check_text(c, "{\"method\":\"%s\",\"args\":[ %s ]}", methods[id].name, args);

        check_send(c, text, strlen(text), NULL, 0);
        check_answer(c, ret);
}

/* Calls the method on an image that is open, and ends what it began. */
static void judge_call(struct check_context *c, enum method_id id, const char *more_args)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        check_expect_open(c);
        call_spelled(c, &answer, id, check_text(c, "%" PRIu64 "%s", image, more_args));
        judge_method(c, &answer, &methods[id]);
        if (methods[id].pipes == PIPES_FINISHED)
                check_read_and_finish(c, &answer, &finish, &data, &len);
        close_descriptors(&answer);
}

static void run_initialize(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_start(c, &(struct server_start){.no_initialize = true});
        call_spelled(c, &answer, METHOD_INITIALIZE, "");
        judge_method(c, &answer, &methods[METHOD_INITIALIZE]);
}

static void run_open_image(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_spelled(c, &answer, METHOD_OPEN_IMAGE, check_text(c, "\"%s\"", check_fixture(c, FIXTURE)));
        judge_method(c, &answer, &methods[METHOD_OPEN_IMAGE]);
}

static void run_open_image_optional(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_spelled(c, &answer, METHOD_OPEN_IMAGE_OPTIONAL,
                     check_text(c, "\"%s\"", check_fixture(c, FIXTURE)));
        judge_method(c, &answer, &methods[METHOD_OPEN_IMAGE_OPTIONAL]);
}

static void run_close_image(struct check_context *c)
{
        judge_call(c, METHOD_CLOSE_IMAGE, "");
}

static void run_get_manifest(struct check_context *c)
{
        judge_call(c, METHOD_GET_MANIFEST, "");
}

static void run_get_config(struct check_context *c)
{
        judge_call(c, METHOD_GET_CONFIG, "");
}

static void run_get_full_config(struct check_context *c)
{
        judge_call(c, METHOD_GET_FULL_CONFIG, "");
}

static void run_get_layer_info(struct check_context *c)
{
        judge_call(c, METHOD_GET_LAYER_INFO, "");
}

static void run_get_layer_info_piped(struct check_context *c)
{
        judge_call(c, METHOD_GET_LAYER_INFO_PIPED, "");
}

static void run_get_blob(struct check_context *c)
{
        const struct content *layer = &check_fixture_manifest(c, FIXTURE)->entries[0];

        judge_call(c, METHOD_GET_BLOB, check_text(c, ", \"%s\", %" PRId64, layer->digest, layer->size));
}

static void run_get_raw_blob(struct check_context *c)
{
        const struct content *layer = &check_fixture_manifest(c, FIXTURE)->entries[0];

        judge_call(c, METHOD_GET_RAW_BLOB, check_text(c, ", \"%s\"", layer->digest));
}

static void run_finish_pipe(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        /* The manifest fits into the pipe: nobody has to read it meanwhile. */
        check_call_ok(c, &answer, "GetManifest", "[%" PRIu64 "]", image);
        call_spelled(c, &finish, METHOD_FINISH_PIPE, check_text(c, "%" PRIu64, answer.pipeid));
        judge_method(c, &finish, &methods[METHOD_FINISH_PIPE]);
        if (answer.packet.n_fds)
                check_read_to_end(c, answer.packet.fds[0], &data, &len);
}

#define REPLIES_SINCE(name, check_level, from, text, anchor, function)                              \
        {                                                                                           \
                .id = "replies/" name, .level = (check_level), .since = (from), .requires = (text), \
                .reference = (anchor), .run = (function)                                            \
        }
#define REPLIES(name, level, text, anchor, function) \
        REPLIES_SINCE(name, level, VERSION_OLDEST, text, anchor, function)
#define METHOD(name, from, method, anchor, function)                                     \
        REPLIES_SINCE(name, LEVEL_MUST, from,                                            \
                      "A successful " method                                             \
                      "'s value, pipe id and descriptors are those of its description.", \
                      anchor, function)

const struct check checks_replies[] = {
        REPLIES("success", LEVEL_MUST, "Every reply has a boolean `success`.", "replies", run_success),
        REPLIES("value", LEVEL_MUST, "Every reply has a `value`, null where there is none.", "replies",
                run_value),
        REPLIES("pipeid", LEVEL_MUST, "Every reply has an integer `pipeid` of 0 to 2^32-1.", "replies",
                run_pipeid),
        REPLIES("error", LEVEL_MUST, "Every reply has a string `error`.", "replies", run_error),
        REPLIES_SINCE("error-code", LEVEL_MUST, VERSION_ERROR_CODE,
                      "From 0.2.8 on every reply has a string `error_code`.", "error-codes", run_error_code),
        REPLIES("error-on-success", LEVEL_MUST, "`error` is empty on success.", "replies",
                run_error_on_success),
        REPLIES("error-on-failure", LEVEL_MUST, "`error` says why on failure.", "replies",
                run_error_on_failure),
        REPLIES_SINCE("code-on-success", LEVEL_MUST, VERSION_ERROR_CODE, "`error_code` is empty on success.",
                      "error-codes", run_code_on_success),
        REPLIES_SINCE("code-on-failure", LEVEL_MUST, VERSION_ERROR_CODE,
                      "`error_code` is EPIPE, retryable or other on failure.", "error-codes",
                      run_code_on_failure),
        {.id = "replies/early-error-code",
         .level = LEVEL_INFO,
         .since = VERSION_OLDEST,
         .until = VERSION_ERROR_CODE,
         .requires = "Records whether error_code is sent before 0.2.8.",
         .reference = "error-codes",
         .run = run_error_code_early},
        REPLIES("failure-value", LEVEL_MUST, "`value` is null on failure.", "replies", run_failure_value),
        REPLIES("failure-pipeid", LEVEL_MUST, "`pipeid` is 0 on failure.", "replies", run_failure_pipeid),
        REPLIES("failure-descriptors", LEVEL_MUST, "No descriptor comes with a failure.", "descriptors",
                run_failure_descriptors),
        REPLIES("error-fits", LEVEL_SHOULD,
                "An error reply is not larger than 32,768 bytes, whatever was asked.", "packets",
                run_error_fits),
        {.id = "replies/initialize",
         .level = LEVEL_MUST,
         .since = VERSION_OLDEST,
         .requires = "A successful Initialize's value, pipe id and descriptors are those of its description.",
         .reference = "initialize",
         .run = run_initialize,
         .own_start = true},
        METHOD("open-image", VERSION_OLDEST, "OpenImage", "openimage", run_open_image),
        METHOD("open-image-optional", VERSION(0, 2, 4), "OpenImageOptional", "openimageoptional",
               run_open_image_optional),
        METHOD("close-image", VERSION_OLDEST, "CloseImage", "closeimage", run_close_image),
        METHOD("get-manifest", VERSION_OLDEST, "GetManifest", "getmanifest", run_get_manifest),
        METHOD("get-config", VERSION_OLDEST, "GetConfig", "getconfig", run_get_config),
        METHOD("get-full-config", VERSION_OLDEST, "GetFullConfig", "getfullconfig", run_get_full_config),
        METHOD("get-blob", VERSION_OLDEST, "GetBlob", "getblob", run_get_blob),
        METHOD("get-raw-blob", VERSION(0, 2, 8), "GetRawBlob", "getrawblob", run_get_raw_blob),
        METHOD("get-layer-info", VERSION(0, 2, 5), "GetLayerInfo", "getlayerinfo", run_get_layer_info),
        METHOD("get-layer-info-piped", VERSION(0, 2, 7), "GetLayerInfoPiped", "getlayerinfopiped",
               run_get_layer_info_piped),
        METHOD("finish-pipe", VERSION_OLDEST, "FinishPipe", "finishpipe", run_finish_pipe),
};
const size_t n_checks_replies = ARRAY_SIZE(checks_replies);
