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

/* ---- one method's refusal ---- */

/* In a spelling of its own again. All members are judged at once: each has a check of its own in the session. */
static void judge_refusal(struct check_context *c, const char *method, const char *args)
{
        const char *text = check_text(c, "{\"method\":\"%s\", \"args\":[ %s ]}", method, args);
        CLEANUP_ANSWER struct answer answer = {0};

        check_send(c, text, strlen(text), NULL, 0);
        check_answer(c, &answer);
        check_that(c, !answer.success, "expected a refusal of %.300s, got %.300s", text, answer.packet.data);
        judge_success(c, &answer, method);
        judge_value(c, &answer, method);
        judge_pipeid(c, &answer, method);
        judge_error(c, &answer, method);
        judge_error_on_failure(c, &answer, method);
        judge_failure_value(c, &answer, method);
        judge_failure_pipeid(c, &answer, method);
        judge_failure_descriptors(c, &answer, method);
        if (version_compare(check_version(c), VERSION_ERROR_CODE) >= 0) {
                judge_error_code(c, &answer, method);
                judge_code_on_failure(c, &answer, method);
        }
}

#define REFUSAL_CHECK(name, method, args)               \
        static void run_##name(struct check_context *c) \
        {                                               \
                judge_refusal(c, method, args);         \
        }

REFUSAL_CHECK(initialize_refused, "Initialize", "")
REFUSAL_CHECK(open_image_refused, "OpenImage", "\"oci:/nonexistent/image:latest\"")
REFUSAL_CHECK(open_image_optional_refused, "OpenImageOptional", "\"nosuchtransport:image\"")
REFUSAL_CHECK(close_image_refused, "CloseImage", "424242")
REFUSAL_CHECK(get_manifest_refused, "GetManifest", "424242")
REFUSAL_CHECK(get_config_refused, "GetConfig", "424242")
REFUSAL_CHECK(get_full_config_refused, "GetFullConfig", "424242")
REFUSAL_CHECK(get_blob_refused, "GetBlob", "424242, \"sha256:00\", 7")
REFUSAL_CHECK(get_raw_blob_refused, "GetRawBlob", "424242, \"sha256:00\"")
REFUSAL_CHECK(get_layer_info_refused, "GetLayerInfo", "424242")
REFUSAL_CHECK(get_layer_info_piped_refused, "GetLayerInfoPiped", "424242")
REFUSAL_CHECK(finish_pipe_refused, "FinishPipe", "424242")

/* ---- all members of all replies ---- */

static void judge_no_more_members(struct check_context *c, const struct answer *answer, const char *what)
{
        static const char *const names[] = {"success", "value", "pipeid", "error_code", "error"};

        json_object_object_foreach (answer->json, name, value) {
                bool known = false;

                (void)value;
                for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                        known |= strcmp(name, names[i]) == 0;
                check_that(c, known, "expected no member \"%s\" in the reply to %s, got %.300s", name, what,
                           answer->packet.data);
        }
}

static void judge_one_line(struct check_context *c, const struct answer *answer, const char *what)
{
        check_that(c,
                   !memchr(answer->packet.data, '\n', answer->packet.len) &&
                           !memchr(answer->packet.data, '\0', answer->packet.len),
                   "expected the reply to %s to have neither a newline nor a zero byte, got %.300s", what,
                   answer->packet.data);
}

static void judge_utf8(struct check_context *c, const struct answer *answer, const char *what)
{
        CLEANUP(cleanup_json) struct json_object *parsed = NULL;

        check_that(c, json_parse(answer->packet.data, answer->packet.len, 32, &parsed, NULL) == 0,
                   "expected the reply to %s to be JSON in valid UTF-8, got %.300s", what, answer->packet.data);
}

SESSION_CHECK(no_more_members, "MoreMembers")
SESSION_CHECK(one_line, "OneLine")
SESSION_CHECK(utf8, "Utf8")

/* The members' names in the order in which they stand in the text. */
static const char *member_order(struct check_context *c, struct answer *answer)
{
        const char *text = "";

        json_object_object_foreach (answer->json, name, value) {
                (void)value;
                text = check_text(c, "%s%s%s", text, *text ? " " : "", name);
        }
        return text;
}

static void run_member_order(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchReplyOrder", "[]");
        check_record(c, "%s", member_order(c, &answer));
}

static void run_white_space(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        size_t outside = 0;
        bool quoted = false;

        check_call(c, &answer, "NoSuchReplySpace", "[]");
        for (const char *p = answer.packet.data; *p; p++) {
                if (*p == '"' && (p == answer.packet.data || p[-1] != '\\'))
                        quoted = !quoted;
                outside += !quoted && strchr(" \t\r\n", *p);
        }
        check_record(c, outside ? "some" : "none");
}

/* Which characters are written as escapes that need not be. */
static void run_escapes(struct check_context *c)
{
        static const struct {
                const char *character, *escape;
        } known[] = {
                {"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}, {"/", "\\/"}, {"\xc3\xa4", "\\u00e4"}};
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text = "";

        check_call(c, &answer, "NoSuchReplyEscapes<>&/\xc3\xa4", "[]");
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (strstr(answer.packet.data, known[i].escape))
                        text = check_text(c, "%s%s%s", text, *text ? " " : "", known[i].character);
        check_record(c, "%s", *text ? text : "none");
}

/* What an error repeats of a text that a terminal would act upon is written as escapes. */
static void run_control_characters(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchReplyControl\\u001b[31m\\u0007\\n", "[]");
        for (size_t i = 0; i < answer.packet.len; i++)
                check_that(c, (unsigned char)answer.packet.data[i] >= ' ',
                           "expected no control character in a reply, got 0x%02x",
                           (unsigned char)answer.packet.data[i]);
        check_that(c, !answer.success && *answer.error, "expected a refusal, got %.300s", answer.packet.data);
}

static void run_code_other(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "NoSuchReplyOther", "[]");
        check_that(c, answer.error_code && strcmp(answer.error_code, "other") == 0,
                   "expected the code other for an unknown method, got %.300s", answer.packet.data);
        check_call_refused(c, &answer, "GetManifest", "[ 535353 ]");
        check_that(c, answer.error_code && strcmp(answer.error_code, "other") == 0,
                   "expected the code other for an image that is not open, got %.300s", answer.packet.data);
}

/* ---- the words of errors ---- */

/* Records the error of one request, with the check's folder as DIR. A spelling of its own, once more. */
static void record_error(struct check_context *c, const char *method, const char *args)
{
        const char *request = check_text(c, "{\"method\":  \"%s\",\"args\":[%s]}", method, args), *at;
        CLEANUP_ANSWER struct answer answer = {0};
        size_t folder = strlen(check_folder(c));
        const char *text;

        check_send(c, request, strlen(request), NULL, 0);
        check_answer(c, &answer);
        text = answer.success ? "success" : answer.error;
        while ((at = strstr(text, check_folder(c))))
                text = check_text(c, "%.*sDIR%s", (int)(at - text), text, at + folder);
        check_record(c, "%s%s%s", text, answer.error_code && *answer.error_code ? "; " : "",
                     answer.error_code ? answer.error_code : "");
}

#define WORDS_CHECK(name, method, ...)                               \
        static void run_words_##name(struct check_context *c)        \
        {                                                            \
                record_error(c, method, check_text(c, __VA_ARGS__)); \
        }

static void run_words_not_initialized(struct check_context *c)
{
        check_start(c, &(struct server_start){.no_initialize = true});
        record_error(c, "GetManifest", "1");
}

/* How it goes on is the words of a library. */
static void run_words_not_json(struct check_context *c)
{
        static const char text[] = "what is no JSON, for its words";
        CLEANUP_ANSWER struct answer answer = {0};

        check_send(c, text, strlen(text), NULL, 0);
        check_answer(c, &answer);
        check_record(c, "%.*s", (int)strcspn(answer.error, ":"), answer.error);
}

static void run_words_no_object(struct check_context *c)
{
        static const char text[] = "[\"no object, for its words\"]";
        CLEANUP_ANSWER struct answer answer = {0};

        check_send(c, text, strlen(text), NULL, 0);
        check_answer(c, &answer);
        check_record(c, "%s", answer.error);
}

static void run_words_blob_missing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image = check_open_image(c, check_fixture(c, FIXTURE));
        const char *text = check_text(
                c, "{\"method\":  \"GetBlob\",\"args\":[%" PRIu64 ", \"sha256:%064d\", 5]}", image, 0);
        const char *at, *said;

        check_expect_open(c);
        check_send(c, text, strlen(text), NULL, 0);
        check_answer(c, &answer);
        said = answer.success ? "success" : answer.error;
        at = strstr(said, check_folder(c));
        check_record(c, "%.*s%s%s", (int)(at ? at - said : (long)strlen(said)), said, at ? "DIR" : "",
                     at ? at + strlen(check_folder(c)) : "");
}

WORDS_CHECK(unknown_method, "NoSuchReplyWords", "%s", "")
WORDS_CHECK(second_initialize, "Initialize", "%s", "")
WORDS_CHECK(too_few, "OpenImage", "%s", "")
WORDS_CHECK(too_many, "OpenImage", "\"a\", \"b\"")
WORDS_CHECK(reference_type, "OpenImage", "1")
WORDS_CHECK(image_type, "GetManifest", "\"1\"")
WORDS_CHECK(image_zero, "GetManifest", "0")
WORDS_CHECK(image_unknown, "GetManifest", "636363")
WORDS_CHECK(image_too_large, "GetManifest", "9007199254740993")
WORDS_CHECK(pipe_type, "FinishPipe", "\"7\"")
WORDS_CHECK(pipe_unknown, "FinishPipe", "636363")
WORDS_CHECK(no_transport, "OpenImage", "\"no-transport\"")
WORDS_CHECK(unknown_transport, "OpenImage", "\"nosuchtransport:words\"")
WORDS_CHECK(folder_missing, "OpenImage", "\"oci:%s/missing:latest\"", check_folder(c))
WORDS_CHECK(tag_missing, "OpenImage", "\"%.*snotag\"", (int)strlen(check_fixture(c, FIXTURE)) - 6,
            check_fixture(c, FIXTURE))

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

#define REFUSAL(name, from, method, function)                                                               \
        REPLIES_SINCE(name, LEVEL_MUST, from, "A refused " method "'s reply has all members of a failure.", \
                      "reply-members failed-reply reply-value reply-pipeid reply-error", function)
#define WORDS(check_name, anchor, function, starts)                                                  \
        {                                                                                            \
                .id = "replies/" check_name, .level = LEVEL_INFO, .since = VERSION_OLDEST,           \
                .requires = "Records the words of an error: " check_name ".", .reference = (anchor), \
                .run = (function), .own_start = (starts)                                             \
        }

const struct check checks_replies[] = {
        REPLIES("success", LEVEL_MUST, "Every reply has a boolean `success`.", "reply-success reply-members",
                run_success),
        REPLIES("value", LEVEL_MUST, "Every reply has a `value`, null where there is none.",
                "reply-value reply-members", run_value),
        REPLIES("pipeid", LEVEL_MUST, "Every reply has an integer `pipeid` of 0 to 2^32-1.",
                "reply-pipeid reply-members", run_pipeid),
        REPLIES("error", LEVEL_MUST, "Every reply has a string `error`.", "reply-error reply-members",
                run_error),
        REPLIES_SINCE("error-code", LEVEL_MUST, VERSION_ERROR_CODE,
                      "From 0.2.8 on every reply has a string `error_code`.", "reply-error-code code-since",
                      run_error_code),
        REPLIES("error-on-success", LEVEL_MUST, "`error` is empty on success.", "reply-error",
                run_error_on_success),
        REPLIES("error-on-failure", LEVEL_MUST, "`error` says why on failure.", "reply-error",
                run_error_on_failure),
        REPLIES_SINCE("code-on-success", LEVEL_MUST, VERSION_ERROR_CODE, "`error_code` is empty on success.",
                      "reply-error-code", run_code_on_success),
        REPLIES_SINCE("code-on-failure", LEVEL_MUST, VERSION_ERROR_CODE,
                      "`error_code` is EPIPE, retryable or other on failure.", "code-known reply-error-code",
                      run_code_on_failure),
        {.id = "replies/early-error-code",
         .level = LEVEL_INFO,
         .since = VERSION_OLDEST,
         .until = VERSION_ERROR_CODE,
         .requires = "Records whether error_code is sent before 0.2.8.",
         .reference = "code-since",
         .run = run_error_code_early},
        REPLIES("failure-value", LEVEL_MUST, "`value` is null on failure.", "reply-value", run_failure_value),
        REPLIES("failure-pipeid", LEVEL_MUST, "`pipeid` is 0 on failure.", "reply-pipeid failed-reply",
                run_failure_pipeid),
        REPLIES("failure-descriptors", LEVEL_MUST, "No descriptor comes with a failure.",
                "failure-descriptors failed-reply", run_failure_descriptors),
        REPLIES("error-fits", LEVEL_SHOULD,
                "An error reply is not larger than 32,768 bytes, whatever was asked.", "reply-size",
                run_error_fits),
        {.id = "replies/initialize",
         .level = LEVEL_MUST,
         .since = VERSION_OLDEST,
         .requires = "A successful Initialize's value, pipe id and descriptors are those of its description.",
         .reference = "has-initialize",
         .run = run_initialize,
         .own_start = true},
        METHOD("open-image", VERSION_OLDEST, "OpenImage", "has-open-image plain-value", run_open_image),
        METHOD("open-image-optional", VERSION(0, 2, 4), "OpenImageOptional", "has-open-image-optional",
               run_open_image_optional),
        METHOD("close-image", VERSION_OLDEST, "CloseImage", "has-close-image", run_close_image),
        METHOD("get-manifest", VERSION_OLDEST, "GetManifest", "has-get-manifest piped-value", run_get_manifest),
        METHOD("get-config", VERSION_OLDEST, "GetConfig", "has-get-config", run_get_config),
        METHOD("get-full-config", VERSION_OLDEST, "GetFullConfig", "has-get-full-config", run_get_full_config),
        METHOD("get-blob", VERSION_OLDEST, "GetBlob", "has-get-blob", run_get_blob),
        METHOD("get-raw-blob", VERSION(0, 2, 8), "GetRawBlob", "has-get-raw-blob raw-pipes", run_get_raw_blob),
        METHOD("get-layer-info", VERSION(0, 2, 5), "GetLayerInfo", "has-get-layer-info", run_get_layer_info),
        METHOD("get-layer-info-piped", VERSION(0, 2, 7), "GetLayerInfoPiped", "has-get-layer-info-piped",
               run_get_layer_info_piped),
        METHOD("finish-pipe", VERSION_OLDEST, "FinishPipe", "has-finish-pipe", run_finish_pipe),
        REFUSAL("initialize-refused", VERSION_OLDEST, "Initialize", run_initialize_refused),
        REFUSAL("open-image-refused", VERSION_OLDEST, "OpenImage", run_open_image_refused),
        REFUSAL("open-image-optional-refused", VERSION(0, 2, 4), "OpenImageOptional",
                run_open_image_optional_refused),
        REFUSAL("close-image-refused", VERSION_OLDEST, "CloseImage", run_close_image_refused),
        REFUSAL("get-manifest-refused", VERSION_OLDEST, "GetManifest", run_get_manifest_refused),
        REFUSAL("get-config-refused", VERSION_OLDEST, "GetConfig", run_get_config_refused),
        REFUSAL("get-full-config-refused", VERSION_OLDEST, "GetFullConfig", run_get_full_config_refused),
        REFUSAL("get-blob-refused", VERSION_OLDEST, "GetBlob", run_get_blob_refused),
        REFUSAL("get-raw-blob-refused", VERSION(0, 2, 8), "GetRawBlob", run_get_raw_blob_refused),
        REFUSAL("get-layer-info-refused", VERSION(0, 2, 5), "GetLayerInfo", run_get_layer_info_refused),
        REFUSAL("get-layer-info-piped-refused", VERSION(0, 2, 7), "GetLayerInfoPiped",
                run_get_layer_info_piped_refused),
        REFUSAL("finish-pipe-refused", VERSION_OLDEST, "FinishPipe", run_finish_pipe_refused),
        WORDS("words-unknown-method", "unknown-method", run_words_unknown_method, false),
        WORDS("words-second-initialize", "initialize-once", run_words_second_initialize, false),
        WORDS("words-too-few", "argument-count", run_words_too_few, false),
        WORDS("words-too-many", "argument-count", run_words_too_many, false),
        WORDS("words-reference-type", "reference-argument", run_words_reference_type, false),
        WORDS("words-image-type", "image-argument", run_words_image_type, false),
        WORDS("words-image-zero", "image-argument", run_words_image_zero, false),
        WORDS("words-image-unknown", "image-argument", run_words_image_unknown, false),
        WORDS("words-image-too-large", "image-argument", run_words_image_too_large, false),
        WORDS("words-pipe-type", "pipe-argument", run_words_pipe_type, false),
        WORDS("words-pipe-unknown", "pipe-argument", run_words_pipe_unknown, false),
        WORDS("words-no-transport", "reference-argument", run_words_no_transport, false),
        WORDS("words-unknown-transport", "open-transport", run_words_unknown_transport, false),
        WORDS("words-folder-missing", "open-missing", run_words_folder_missing, false),
        WORDS("words-tag-missing", "open-missing", run_words_tag_missing, false),
        WORDS("words-not-initialized", "initialize-first", run_words_not_initialized, true),
        WORDS("words-not-json", "not-a-request", run_words_not_json, false),
        WORDS("words-no-object", "not-a-request", run_words_no_object, false),
        WORDS("words-blob-missing", "blob-missing", run_words_blob_missing, false),

        REPLIES("no-more-members", LEVEL_SHOULD, "A reply has no members but those of its description.",
                "reply-members", run_no_more_members),
        REPLIES("one-line", LEVEL_SHOULD, "A reply has neither a newline nor a zero byte in it or behind it.",
                "reply-one-line", run_one_line),
        REPLIES("utf8", LEVEL_MUST, "A reply is JSON in valid UTF-8.", "reply-utf8", run_utf8),
        REPLIES("member-order", LEVEL_INFO, "Records the order of a reply's members.", "reply-order",
                run_member_order),
        REPLIES("white-space", LEVEL_INFO, "Records whether a reply has white space between its parts.",
                "reply-order", run_white_space),
        REPLIES("escapes", LEVEL_INFO,
                "Records which of the characters <>&/ and a letter outside ASCII are escaped.", "reply-utf8",
                run_escapes),
        REPLIES("control-characters", LEVEL_SHOULD,
                "Control characters that an error repeats are written as escapes.", "reply-one-line",
                run_control_characters),
        REPLIES_SINCE("code-other", LEVEL_SHOULD, VERSION_ERROR_CODE,
                      "The code of an unknown method and of an unknown image is `other`.", "code-other",
                      run_code_other),
};
const size_t n_checks_replies = ARRAY_SIZE(checks_replies);
