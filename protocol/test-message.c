/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of requests and replies as text: strict on what a client takes in, as Go's encoding/json on what a
 * server takes in.
 */
#include "protocol/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/testing.h"

static struct cip_error error;

/* ---- JSON ---- */

static const char *const not_json[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "'a'",
        "nul",
        "NULL",
        "NaN",
        "Infinity",
        "01",
        "00",
        "[1, 00]",
        "-01",
        "01.0",
        "00e1",
        "-.0",
        "1.",
        ".5",
        "+1",
        "1 2",
        "{} {}",
        "[1] x",
        "\"a",
        "{a:1}",
        "/* */ 1",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "[[[[[1]]]]]",
        "{\"a\":1 \"b\":2}",
        "-",
        "\"\\x\"",
        "1e",
        "1e+",
        "-NaN",
        "-Infinity",
        "[1 2]",
        "[1.,2]",
        "\"\t\"",
        "1.e3",
        "--1",
        "True",
};

START_TEST(what_is_no_json_is_refused)
{
        struct json_object *object;

        ck_assert_msg(json_parse(not_json[_i], strlen(not_json[_i]), 4, &object, &error) == -EBADMSG, "%s",
                      not_json[_i]);
        ck_assert_int_eq(error.error_class, CIP_ERROR_PROTOCOL);
}
END_TEST

static const char *const json[] = {
        "null",     "true",
        "1",        "-1",
        "1e3",      "\"\"",
        " [ ] ",    "{}\n",
        "[[[[]]]]", "\"\\u0000\\ud83d\\ude00\"",
        "[1.5]",    "[0, -0, 0.05, 1e-05, 100, 1.00e+00]",
};

START_TEST(all_of_json_is_taken)
{
        struct json_object *object;

        ck_assert_msg(json_parse(json[_i], strlen(json[_i]), 4, &object, &error) == 0, "%s: %s", json[_i],
                      error.message);
        json_object_put(object);
}
END_TEST

START_TEST(a_nul_byte_does_not_end_the_text)
{
        struct json_object *object;

        ck_assert_errno(json_parse("1\0", 2, 4, &object, &error), -EBADMSG);
        ck_assert_errno(json_parse("{}\0{}", 5, 4, &object, &error), -EBADMSG);
}
END_TEST

static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
} numbers[] = {
        {"0", 10, true, 0},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"1e1", 10, true, 10},
        {"10.0", 10, true, 10},
        {"9007199254740991", JSON_INTEGER_MAX, true, 9007199254740991},
        {"9007199254740992", JSON_INTEGER_MAX, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", JSON_INTEGER_MAX, false, 0},
        {"1e400", JSON_INTEGER_MAX, false, 0},
        {"-1", 10, false, 0},
        {"-9223372036854775809", JSON_INTEGER_MAX, false, 0},
        {"1.5", 10, false, 0},
        {"-0.5", 10, false, 0},
        {"\"1\"", 10, false, 0},
        {"true", 10, false, 0},
        {"null", 10, false, 0},
        {"[1]", 10, false, 0},
};

START_TEST(only_whole_numbers_in_range_are_integers)
{
        CLEANUP(cleanup_json) struct json_object *object = NULL;
        uint64_t value = 0;

        ck_assert_ok(json_parse(numbers[_i].text, strlen(numbers[_i].text), 4, &object, &error));
        ck_assert_msg(json_get_uint(object, numbers[_i].max, &value) == numbers[_i].good, "%s",
                      numbers[_i].text);
        ck_assert_uint_eq(value, numbers[_i].value);
}
END_TEST

/* ---- requests ---- */

START_TEST(a_request_is_written_and_read_again)
{
        CLEANUP(cleanup_json) struct json_object *args = json_tokener_parse("[1,\"sha256:a/b\",5]");
        CLEANUP(cleanup_request) struct request request = {0};
        char *text;
        size_t len;

        ck_assert_ok(request_format("GetBlob", args, &text, &len));
        ck_assert_str_eq(text, "{\"method\":\"GetBlob\",\"args\":[1,\"sha256:a/b\",5]}");
        ck_assert_uint_eq(len, strlen(text));
        ck_assert_ok(request_parse(text, len, &request, &error));
        ck_assert_str_eq(request.method, "GetBlob");
        ck_assert(json_object_equal(request.args, args));
        free(text);
        ck_assert_ok(request_format("Initialize", NULL, &text, &len));
        ck_assert_str_eq(text, "{\"method\":\"Initialize\"}");
        free(text);
}
END_TEST

/* As Go's encoding/json reads them. */
static const struct {
        const char *text, *method, *args;
} requests[] = {
        {"{\"method\":\"A\"}", "A", "[]"},
        {"{\"method\":\"A\",\"args\":null}", "A", "[]"},
        {"{\"METHOD\":\"A\",\"Args\":[1]}", "A", "[1]"},
        {"{\"method\":\"A\",\"method\":\"B\"}", "B", "[]"},
        {"{\"method\":\"A\",\"Method\":\"B\"}", "B", "[]"},
        {"{\"method\":\"A\",\"METHOD\":null}", "A", "[]"},
        {"{\"method\":\"A\",\"other\":{\"x\":[1]}}", "A", "[]"},
        {" \n{\"method\":\"A\"}\t", "A", "[]"},
        {"{}", "", "[]"},
        {"null", "", "[]"},
        {"{\"method\":\"\xff\"}", "\xef\xbf\xbd", "[]"},
        {"{\"method\":\"\\u0041\"}", "A", "[]"},
        {"{\"method\":\"A\\u0000B\"}", "A\\u0000B", "[]"},
        {"{\"method\":\"A\",\"arg\xc5\xbf\":[1]}", "A", "[1]"},
        {"{\"method\":\"A\",\"args \":[1],\"arg\":[2],\"argss\":[3]}", "A", "[]"},
};

START_TEST(requests_are_read_as_go_reads_them)
{
        CLEANUP(cleanup_request) struct request request = {0};

        ck_assert_ok(request_parse(requests[_i].text, strlen(requests[_i].text), &request, &error));
        ck_assert_str_eq(request.method, requests[_i].method);
        ck_assert_str_eq(json_object_to_json_string_ext(request.args, 0), requests[_i].args);
}
END_TEST

static const struct {
        const char *text, *message;
} bad_requests[] = {
        {"[1]", "json: cannot unmarshal array into Go value of type main.request"},
        {"\"x\"", "json: cannot unmarshal string into Go value of type main.request"},
        {"{\"method\":5}", "json: cannot unmarshal number into Go struct field request.method of type string"},
        {"{\"method\":\"A\",\"args\":{}}",
         "json: cannot unmarshal object into Go struct field request.args of type []interface {}"},
        {"{\"method\":\"A\",\"args\":true}",
         "json: cannot unmarshal bool into Go struct field request.args of type []interface {}"},
        {"{\"method\":\"A\"} x", "invalid JSON"},
        {"{\"method\":\"A\"", "unexpected end of JSON input"},
        {"", "unexpected end of JSON input"},
        {"x", "invalid JSON"},
        {"{\"method\":\"A\n\"}", "invalid JSON"},
};

START_TEST(bad_requests_are_refused_with_gos_words)
{
        struct request request;

        ck_assert_errno(request_parse(bad_requests[_i].text, strlen(bad_requests[_i].text), &request, &error),
                        -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, bad_requests[_i].message));
}
END_TEST

/* {"args":[[..]]} of @depth arrays and objects in all. */
static char *nested(size_t depth)
{
        char *text = malloc(2 * depth + 20), *at = text;

        at = stpcpy(at, "{\"args\":");
        memset(at, '[', depth - 1);
        at += depth - 1;
        memset(at, ']', depth - 1);
        at += depth - 1;
        stpcpy(at, "}");
        return text;
}

START_TEST(nesting_ends_at_10000)
{
        struct request request;
        char *text = nested(10000);

        ck_assert_ok(request_parse(text, strlen(text), &request, &error));
        request_clear(&request);
        free(text);
        text = nested(10001);
        ck_assert_errno(request_parse(text, strlen(text), &request, &error), -EBADMSG);
        free(text);
}
END_TEST

/* ---- replies ---- */

START_TEST(a_reply_is_written_and_read_again)
{
        struct reply reply = {.value = json_object_new_int(7), .success = true, .pipeid = 4294967295};
        CLEANUP(cleanup_reply) struct reply again = {0};
        char *text;
        size_t len;

        ck_assert_ok(reply_format(&reply, &text, &len));
        ck_assert_str_eq(text, "{\"success\":true,\"value\":7,\"pipeid\":4294967295,\"error\":\"\"}");
        ck_assert_ok(reply_parse(text, len, &again, &error));
        ck_assert(again.success && !again.has_error_code && again.pipeid == 4294967295);
        free(text);
        reply_clear(&reply);
        reply_clear(&again);

        reply = (struct reply){
                .has_error_code = true, .error_code = ERROR_CODE_RETRYABLE, .error = strdup("a/b")};
        ck_assert_ok(reply_format(&reply, &text, &len));
        ck_assert_str_eq(text, "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"retryable\","
                               "\"error\":\"a/b\"}");
        ck_assert_ok(reply_parse(text, len, &again, &error));
        ck_assert_int_eq(again.error_code, ERROR_CODE_RETRYABLE);
        ck_assert_str_eq(again.error, "a/b");
        free(text);
        reply_clear(&reply);
}
END_TEST

static const struct {
        const char *text, *word; /* NULL: it is good */
} replies[] = {
        {"{\"success\":true,\"value\":null,\"pipeid\":0,\"error\":\"\"}", NULL},
        {"{\"error\":\"\",\"pipeid\":0,\"value\":{},\"success\":true,\"new\":[]}", NULL},
        {"{\"value\":null,\"pipeid\":0,\"error\":\"\"}", "\"success\" is missing"},
        {"{\"success\":true,\"pipeid\":0,\"error\":\"\"}", "\"value\" is missing"},
        {"{\"success\":true,\"value\":null,\"error\":\"\"}", "\"pipeid\" is missing"},
        {"{\"success\":true,\"value\":null,\"pipeid\":0}", "\"error\" is missing"},
        {"{\"success\":1,\"value\":null,\"pipeid\":0,\"error\":\"\"}", "\"success\" is of type number"},
        {"{\"success\":true,\"value\":null,\"pipeid\":-1,\"error\":\"\"}", "\"pipeid\" is no integer"},
        {"{\"success\":true,\"value\":null,\"pipeid\":1.5,\"error\":\"\"}", "\"pipeid\" is no integer"},
        {"{\"success\":true,\"value\":null,\"pipeid\":4294967296,\"error\":\"\"}", "\"pipeid\" is no integer"},
        {"{\"success\":true,\"value\":null,\"pipeid\":\"0\",\"error\":\"\"}", "\"pipeid\" is no integer"},
        {"{\"success\":true,\"value\":null,\"pipeid\":0,\"error\":null}", "\"error\" is of type null"},
        {"{\"success\":true,\"value\":null,\"pipeid\":0,\"error\":\"\",\"error_code\":\"odd\"}",
         "\"error_code\" is unknown: odd; the server says: "},
        {"{\"success\":true,\"value\":null,\"pipeid\":0,\"error\":\"\",\"error_code\":null}",
         "\"error_code\" is of type null"},
        {"[]", "of type array instead of object"},
        {"null", "of type null instead of object"},
        {"{}{}", "invalid JSON"},
        {"", "unexpected end"},
};

START_TEST(replies_are_read_strictly)
{
        struct reply reply;
        int r = reply_parse(replies[_i].text, strlen(replies[_i].text), &reply, &error);

        if (!replies[_i].word) {
                ck_assert_ok(r);
                reply_clear(&reply);
                return;
        }
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_int_eq(error.error_class, CIP_ERROR_PROTOCOL);
        ck_assert_msg(strstr(error.message, replies[_i].word) != NULL, "%s", error.message);
}
END_TEST

#define OLD VERSION(0, 2, 3)
#define NEW VERSION(0, 2, 8)

static const struct {
        const char *text;
        enum method_id method;
        size_t n_fds;
        struct version version;
        const char *word;
} judged[] = {
        {"true,\"value\":\"0.2.3\",\"pipeid\":0,\"error\":\"\"", METHOD_INITIALIZE, 0, OLD, NULL},
        {"true,\"value\":\"0.2\",\"pipeid\":0,\"error\":\"\"", METHOD_INITIALIZE, 0, OLD, "is not a version"},
        {"true,\"value\":3,\"pipeid\":0,\"error\":\"\"", METHOD_INITIALIZE, 0, OLD, "is not a version"},
        {"true,\"value\":1,\"pipeid\":0,\"error\":\"\"", METHOD_OPEN_IMAGE, 0, OLD, NULL},
        {"true,\"value\":0,\"pipeid\":0,\"error\":\"\"", METHOD_OPEN_IMAGE, 0, OLD, "is not an image id"},
        {"true,\"value\":9007199254740992,\"pipeid\":0,\"error\":\"\"", METHOD_OPEN_IMAGE, 0, OLD,
         "is not an image id"},
        {"true,\"value\":0,\"pipeid\":0,\"error\":\"\"", METHOD_OPEN_IMAGE_OPTIONAL, 0, OLD, NULL},
        {"true,\"value\":null,\"pipeid\":0,\"error\":\"\"", METHOD_CLOSE_IMAGE, 0, OLD, NULL},
        {"true,\"value\":1,\"pipeid\":0,\"error\":\"\"", METHOD_CLOSE_IMAGE, 0, OLD, "is not null"},
        {"true,\"value\":\"sha256:a\",\"pipeid\":5,\"error\":\"\"", METHOD_GET_MANIFEST, 1, OLD, NULL},
        {"true,\"value\":\"sha256:a\",\"pipeid\":5,\"error\":\"\"", METHOD_GET_MANIFEST, 0, OLD,
         "0 descriptors"},
        {"true,\"value\":\"sha256:a\",\"pipeid\":5,\"error\":\"\"", METHOD_GET_MANIFEST, 2, OLD,
         "2 descriptors"},
        {"true,\"value\":\"sha256:a\",\"pipeid\":0,\"error\":\"\"", METHOD_GET_MANIFEST, 1, OLD, "\"pipeid\""},
        {"true,\"value\":-1,\"pipeid\":5,\"error\":\"\"", METHOD_GET_BLOB, 1, OLD, NULL},
        {"true,\"value\":-2,\"pipeid\":5,\"error\":\"\"", METHOD_GET_BLOB, 1, OLD, "is not a size"},
        {"true,\"value\":1.5,\"pipeid\":5,\"error\":\"\"", METHOD_GET_BLOB, 1, OLD, "is not a size"},
        {"true,\"value\":4,\"pipeid\":0,\"error\":\"\",\"error_code\":\"\"", METHOD_GET_RAW_BLOB, 2, NEW, NULL},
        {"true,\"value\":4,\"pipeid\":3,\"error\":\"\",\"error_code\":\"\"", METHOD_GET_RAW_BLOB, 2, NEW,
         "\"pipeid\""},
        {"true,\"value\":{},\"pipeid\":0,\"error\":\"\"", METHOD_GET_LAYER_INFO, 0, OLD, "is not an array"},
        {"true,\"value\":null,\"pipeid\":0,\"error\":\"bad\"", METHOD_CLOSE_IMAGE, 0, OLD,
         "\"error\" is not empty"},
        {"true,\"value\":null,\"pipeid\":0,\"error\":\"\"", METHOD_CLOSE_IMAGE, 0, NEW,
         "\"error_code\" is missing"},
        {"true,\"value\":null,\"pipeid\":0,\"error\":\"\",\"error_code\":\"other\"", METHOD_CLOSE_IMAGE, 0, NEW,
         "\"error_code\" is not empty"},
        {"false,\"value\":null,\"pipeid\":0,\"error\":\"no\"", METHOD_GET_MANIFEST, 0, OLD, NULL},
        {"false,\"value\":null,\"pipeid\":0,\"error\":\"no\",\"error_code\":\"EPIPE\"", METHOD_GET_MANIFEST, 0,
         NEW, NULL},
        {"false,\"value\":null,\"pipeid\":0,\"error\":\"no\",\"error_code\":\"\"", METHOD_GET_MANIFEST, 0, NEW,
         "\"error_code\" is empty"},
        {"false,\"value\":null,\"pipeid\":0,\"error\":\"\"", METHOD_GET_MANIFEST, 0, OLD, "\"error\" is empty"},
        {"false,\"value\":1,\"pipeid\":0,\"error\":\"no\"", METHOD_GET_MANIFEST, 0, OLD,
         "\"value\" is not null"},
        {"false,\"value\":null,\"pipeid\":2,\"error\":\"no\"", METHOD_GET_MANIFEST, 0, OLD,
         "\"pipeid\" is not 0"},
        {"false,\"value\":null,\"pipeid\":0,\"error\":\"no\"", METHOD_GET_MANIFEST, 1, OLD, "1 descriptors"},
};

START_TEST(replies_are_judged_by_their_method)
{
        CLEANUP(cleanup_reply) struct reply reply = {0};
        CLEANUP(cleanup_free) char *text = NULL;
        int r;

        ck_assert_int_gt(asprintf(&text, "{\"success\":%s}", judged[_i].text), 0);
        ck_assert_ok(reply_parse(text, strlen(text), &reply, &error));
        r = reply_check(&reply, &methods[judged[_i].method], judged[_i].version, judged[_i].n_fds, &error);
        if (!judged[_i].word) {
                ck_assert_msg(r == 0, "%s", error.message);
                return;
        }
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_msg(strstr(error.message, judged[_i].word) != NULL, "%s", error.message);
}
END_TEST

/* ---- the error pipe, layers ---- */

START_TEST(the_error_pipe_is_read_strictly)
{
        static const char *const bad[] = {
                "",
                "{}",
                "{\"code\":\"other\"}",
                "{\"code\":\"odd\",\"message\":\"m\"}",
                "{\"code\":\"\",\"message\":\"m\"}",
                "{\"code\":1,\"message\":\"m\"}",
                "{\"code\":\"other\",\"message\":1}",
        };
        struct pipe_error parsed;
        char *text;
        size_t len;

        ck_assert_ok(pipe_error_format(ERROR_CODE_EPIPE, "gone", &text, &len));
        ck_assert_str_eq(text, "{\"code\":\"EPIPE\",\"message\":\"gone\"}");
        ck_assert_ok(pipe_error_parse(text, len, &parsed, &error));
        ck_assert_int_eq(parsed.code, ERROR_CODE_EPIPE);
        ck_assert_str_eq(parsed.message, "gone");
        free(parsed.message);
        free(text);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ck_assert_errno(pipe_error_parse(bad[i], strlen(bad[i]), &parsed, &error), -EBADMSG);
}
END_TEST

static const struct {
        const char *text, *word;
} layer_lists[] = {
        {"[]", NULL},
        {"[{\"digest\":\"sha256:aa\",\"size\":-1,\"media_type\":\"\"},{\"digest\":\"sha512:bb\",\"size\":9,"
         "\"media_type\":\"x\"}]",
         NULL},
        {"{}", "of type object"},
        {"[1]", "layer 0: layer: is of type number"},
        {"[{\"size\":1,\"media_type\":\"\"}]", "\"digest\" is missing"},
        {"[{\"digest\":\"../x\",\"size\":1,\"media_type\":\"\"}]", "\"digest\" is no digest"},
        {"[{\"digest\":\"sha256:\",\"size\":1,\"media_type\":\"\"}]", "\"digest\" is no digest"},
        {"[{\"digest\":\"sha256:a/b\",\"size\":1,\"media_type\":\"\"}]", "\"digest\" is no digest"},
        {"[{\"digest\":\"sha256:aa\",\"size\":-2,\"media_type\":\"\"}]", "\"size\" is no integer"},
        {"[{\"digest\":\"sha256:aa\",\"size\":1}]", "\"media_type\" is missing"},
};

START_TEST(layer_lists_are_read_strictly)
{
        CLEANUP(cleanup_json) struct json_object *array = json_tokener_parse(layer_lists[_i].text);
        struct layer_info *layers;
        size_t n;
        int r = layer_infos_parse(array, &layers, &n, &error);

        if (!layer_lists[_i].word) {
                ck_assert_ok(r);
                ck_assert_uint_eq(n, json_object_array_length(array));
                layer_infos_free(layers, n);
                return;
        }
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_msg(strstr(error.message, layer_lists[_i].word) != NULL, "%s", error.message);
}
END_TEST

START_TEST(json_that_lacks_something_has_no_text)
{
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        struct json_object *array = json_object_new_array();
        size_t len;

        json_add_item(array, json_object_new_int(1));
        json_add_member(object, "array", array);
        json_add_member_or_null(object, "nothing", NULL);
        ck_assert_str_eq(json_text(object, JSON_C_TO_STRING_PLAIN, &len), "{\"array\":[1],\"nothing\":null}");
        ck_assert_uint_eq(len, strlen("{\"array\":[1],\"nothing\":null}"));
        json_add_item(array, NULL);
        ck_assert(!json_is_whole(object));
        ck_assert_ptr_null(json_text(object, JSON_C_TO_STRING_PLAIN, NULL));
        ck_assert_ptr_null(json_text(NULL, JSON_C_TO_STRING_PLAIN, NULL));
        json_add_member(NULL, "key", json_object_new_int(1));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("message");
        TCase *tcase = testing_case(suite, "message");

        tcase_add_loop_test(tcase, what_is_no_json_is_refused, 0, ARRAY_SIZE(not_json));
        tcase_add_loop_test(tcase, all_of_json_is_taken, 0, ARRAY_SIZE(json));
        tcase_add_test(tcase, a_nul_byte_does_not_end_the_text);
        tcase_add_loop_test(tcase, only_whole_numbers_in_range_are_integers, 0, ARRAY_SIZE(numbers));
        tcase_add_test(tcase, a_request_is_written_and_read_again);
        tcase_add_loop_test(tcase, requests_are_read_as_go_reads_them, 0, ARRAY_SIZE(requests));
        tcase_add_loop_test(tcase, bad_requests_are_refused_with_gos_words, 0, ARRAY_SIZE(bad_requests));
        tcase_add_test(tcase, nesting_ends_at_10000);
        tcase_add_test(tcase, a_reply_is_written_and_read_again);
        tcase_add_loop_test(tcase, replies_are_read_strictly, 0, ARRAY_SIZE(replies));
        tcase_add_loop_test(tcase, replies_are_judged_by_their_method, 0, ARRAY_SIZE(judged));
        tcase_add_test(tcase, the_error_pipe_is_read_strictly);
        tcase_add_test(tcase, json_that_lacks_something_has_no_text);
        tcase_add_loop_test(tcase, layer_lists_are_read_strictly, 0, ARRAY_SIZE(layer_lists));
        return testing_main(suite);
}
