/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of packets and of requests as JSON: how large, how many at once, how spelled, and what happens to
 * text that is no request and to descriptors that come with one. Most of them ask for methods that do not
 * exist, under names of their own: the answer then shows that the packet was read, and nothing else happens.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "conformance/check.h"
#include "conformance/groups.h"

static void send_text(struct check_context *c, const char *text)
{
        check_send(c, text, strlen(text), NULL, 0);
}

static void call_text(struct check_context *c, struct answer *ret, const char *text)
{
        send_text(c, text);
        check_answer(c, ret);
}

/* Sends @text, and wants it refused and the server to go on. */
static void wants_refusal(struct check_context *c, const char *text)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer, text);
        check_that(c, !answer.success, "expected the packet %.200s to be refused, but it succeeded", text);
        check_still_serves(c);
}

/* A method that does not exist is refused whatever else is right or wrong: only its name in the error tells. */
static void wants_method_read(struct check_context *c, const char *text, const char *method)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer, text);
        check_that(
                c, !answer.success && strstr(answer.error, method),
                "expected the packet %.200s to be read and its method %s to be refused as unknown, got: %.500s",
                text, method, answer.packet.data);
}

static void run_one_reply(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethodOnce", "[]");
        check_that(c, check_is_silent(c), "expected one reply to one request, but another packet came");
        check_still_serves(c);
}

/* An OpenImage request of exactly @size bytes, filled up with blanks before or behind the closing brace. */
static void pad_request(struct check_context *c, char *packet, size_t size, bool brace_at_end)
{
        const char *text =
                check_text(c, "{\"method\":\"OpenImage\",\"args\":[\"%s\"]", check_fixture(c, "layers-1"));
        size_t len = strlen(text);

        if (len >= size)
                check_error(c, "cannot make a request of %zu bytes", size);
        memset(packet, ' ', size);
        for (size_t i = 0; i < len; i++)
                packet[i] = text[i];
        packet[brace_at_end ? size - 1 : len] = '}';
}

static void run_largest_request(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char packet[PACKET_REQUEST_MAX];

        pad_request(c, packet, sizeof(packet), true);
        check_send(c, packet, sizeof(packet), NULL, 0);
        check_answer(c, &answer);
        check_that(c, answer.success, "expected a request of 32,768 bytes to succeed, got the error: %.500s",
                   answer.error);
}

static void run_too_large_request(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char packet[PACKET_REQUEST_MAX + 1];

        pad_request(c, packet, sizeof(packet), true);
        check_send(c, packet, sizeof(packet), NULL, 0);
        check_answer(c, &answer);
        check_that(c, !answer.success, "expected a request of 32,769 bytes to be refused, but it succeeded");
        check_still_serves(c);
}

static void run_huge_request(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char packet[150000];

        pad_request(c, packet, sizeof(packet), true);
        check_send(c, packet, sizeof(packet), NULL, 0);
        check_answer(c, &answer);
        check_that(c, !answer.success, "expected a request of 150,000 bytes to be refused, but it succeeded");
        check_that(c, check_is_silent(c), "expected one reply to one packet, but another packet came");
        check_still_serves(c);
}

static void run_cut_request(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char packet[PACKET_REQUEST_MAX + 1];

        pad_request(c, packet, sizeof(packet), false);
        check_send(c, packet, sizeof(packet), NULL, 0);
        check_answer(c, &answer);
        check_record(c, answer.success ? "served" : "refused");
}

static void run_two_at_once(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_request(c, "NoSuchMethodTwoFirst", "[]");
        check_request(c, "NoSuchMethodTwoSecond", "[]");
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "TwoFirst"),
                   "expected the first of two requests to be answered first, got: %.500s", answer.packet.data);
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "TwoSecond"),
                   "expected the second of two requests to be answered second, got: %.500s",
                   answer.packet.data);
}

static void run_ten_at_once(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        for (int i = 0; i < 10; i++)
                check_request(c, check_text(c, "NoSuchMethodTen%d", i), "[]");
        for (int i = 0; i < 10; i++) {
                check_answer(c, &answer);
                check_that(c, strstr(answer.error, check_text(c, "Ten%d", i)),
                           "expected answer %d of ten to be that to request %d, got: %.500s", i, i,
                           answer.packet.data);
        }
}

static void run_empty_packet(struct check_context *c)
{
        int status;

        send_text(c, "");
        status = check_wait_exit(c);
        check_that(c, status == 0, "expected exit status 0 after a packet of zero bytes, got wait status 0x%x",
                   (unsigned)status);
}

static void run_not_json(struct check_context *c)
{
        wants_refusal(c, "hello, world");
        wants_refusal(c, "{\"method\":\"NoSuchMethodCut\",\"args\":[");
        wants_refusal(c, "{'method':'NoSuchMethodQuotes'}");
}

static void run_not_an_object(struct check_context *c)
{
        wants_refusal(c, "[\"not an object\"]");
        wants_refusal(c, "\"not an object\"");
        wants_refusal(c, "12345");
        wants_refusal(c, "null");
}

static void run_blank(struct check_context *c)
{
        wants_refusal(c, "\t\t\t\t");
}

static void run_text_behind(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *request =
                check_text(c, "{\"method\":\"OpenImage\",\"args\":[\"%s\"]}", check_fixture(c, "layers-1"));

        wants_refusal(c, check_text(c, "%sx", request));
        wants_refusal(c, check_text(c, "%s%s", request, request));
        /* A zero byte is text too. */
        check_send(c, request, strlen(request) + 1, NULL, 0);
        check_answer(c, &answer);
        check_that(c, !answer.success,
                   "expected a request with a zero byte behind it to be refused, but it succeeded");
}

static void run_nested_too_deep(struct check_context *c)
{
        char text[30001];

        memset(text, '[', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        wants_refusal(c, text);
}

static void run_nested(struct check_context *c)
{
        char open[201], close[201];

        memset(open, '[', sizeof(open));
        memset(close, ']', sizeof(close));
        open[200] = close[200] = '\0';
        wants_method_read(c, check_text(c, "{\"method\":\"NoSuchMethodNested\",\"args\":%s%s}", open, close),
                          "NoSuchMethodNested");
}

static void run_unknown_keys(struct check_context *c)
{
        wants_method_read(c, "{\"method\":\"NoSuchMethodKeys\",\"args\":[],\"id\":7,\"extra\":{\"a\":[null]}}",
                          "NoSuchMethodKeys");
}

static void run_key_order(struct check_context *c)
{
        wants_method_read(c, "{\"args\":[],\"method\":\"NoSuchMethodOrder\"}", "NoSuchMethodOrder");
}

static void run_key_case(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer, "{\"Method\":\"NoSuchMethodCase\",\"ARGS\":[]}");
        check_record(c, strstr(answer.error, "NoSuchMethodCase") ? "any case" : "exact");
}

static void run_equal_keys(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer,
                  "{\"method\":\"NoSuchMethodEqualA\",\"method\":\"NoSuchMethodEqualB\",\"args\":[]}");
        check_record(c, strstr(answer.error, "EqualB")   ? "the last"
                        : strstr(answer.error, "EqualA") ? "the first"
                                                         : "refused");
}

static void run_invalid_utf8(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_json) struct json_object *parsed = NULL;

        call_text(c, &answer, "{\"method\":\"NoSuchMethod\xffUtf8\",\"args\":[]}");
        check_that(c, !answer.success, "expected a request with a byte that is not UTF-8 to be refused");
        check_that(c, json_parse(answer.packet.data, answer.packet.len, 32, &parsed, NULL) == 0,
                   "expected a reply in valid UTF-8 to a request that is not, got: %.500s", answer.packet.data);
        check_still_serves(c);
}

static void run_lone_surrogate(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_json) struct json_object *parsed = NULL;

        call_text(c, &answer, "{\"method\":\"NoSuchMethod\\ud800\",\"args\":[]}");
        check_that(c, json_parse(answer.packet.data, answer.packet.len, 32, &parsed, NULL) == 0,
                   "expected a reply in valid UTF-8 to a lone surrogate, got: %.500s", answer.packet.data);
        check_still_serves(c);
}

/* json-c, PHP and others write every slash this way. */
static void run_escaped_slash(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text = "{\"method\":\"OpenImage\",\"args\":[\"";

        for (const char *at = check_fixture(c, "layers-1"); *at; at++)
                text = check_text(c, "%s%s%c", text, *at == '/' ? "\\" : "", *at);
        text = check_text(c, "%s\"]}", text);
        call_text(c, &answer, text);
        check_that(c, answer.success, "expected %.300s to succeed, got the error: %.500s", text, answer.error);
}

static void run_escapes(struct check_context *c)
{
        wants_method_read(c, "{\"method\":\"NoSuch\\u004dethod\\u0045scapes\",\"args\":[]}",
                          "NoSuchMethodEscapes");
}

static void run_unicode(struct check_context *c)
{
        wants_method_read(c, "{\"method\":\"NoSuchMethod\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3\",\"args\":[]}",
                          "NoSuchMethod\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3");
}

static void run_white_space(struct check_context *c)
{
        wants_method_read(c, "\r\n\t { \"method\" : \"NoSuchMethodSpace\" ,\r\n\t\"args\" : [ ] }\n",
                          "NoSuchMethodSpace");
}

static void run_args_missing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_start(c, &(struct server_start){.no_initialize = true});
        call_text(c, &answer, "{\"method\":\"Initialize\" }");
        check_that(c, answer.success, "expected Initialize without args to succeed, got the error: %.500s",
                   answer.error);
}

static void run_args_null(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_start(c, &(struct server_start){.no_initialize = true});
        call_text(c, &answer, "{\"method\":\"Initialize\",\"args\":null}");
        check_that(c, answer.success,
                   "expected Initialize with null for args to succeed, got the error: %.500s", answer.error);
}

static void run_args_not_array(struct check_context *c)
{
        const char *reference = check_fixture(c, "layers-1");

        wants_refusal(c, check_text(c, "{\"method\":\"OpenImage\",\"args\":\"%s\"}", reference));
        wants_refusal(c, check_text(c, "{\"method\":\"OpenImage\",\"args\":{\"0\":\"%s\"}}", reference));
        wants_refusal(c, "{\"method\":\"OpenImage\",\"args\":1}");
        wants_refusal(c, "{\"method\":\"OpenImage\",\"args\":true}");
}

static void run_no_method(struct check_context *c)
{
        wants_refusal(c, "{\"args\":[]}");
        wants_refusal(c, "{\"method\":null,\"args\":[]}");
        wants_refusal(c, "{\"method\":\"\",\"args\":[]}");
        wants_refusal(c, "{}");
}

static void run_method_no_string(struct check_context *c)
{
        wants_refusal(c, "{\"method\":5,\"args\":[]}");
        wants_refusal(c, "{\"method\":[\"OpenImage\"],\"args\":[]}");
}

/*
 * Sends @text, twice, each with @n copies of the write end of a pipe. Where the server keeps one of them, the
 * pipe does not end. Twice, since a server may get the first one right and go wrong from then on.
 */
static void wants_descriptors_dropped(struct check_context *c, const char *text, size_t n)
{
        CLEANUP_ANSWER struct answer answer = {0};

        for (int round = 0; round < 2; round++) {
                int pipe_fds[2], fds[PACKET_FDS_MAX];
                char byte;

                if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                        check_error(c, "cannot make a pipe");
                for (size_t i = 0; i < n; i++)
                        fds[i] = pipe_fds[1];
                check_send(c, text, strlen(text), fds, n);
                fd_close(pipe_fds[1]);
                check_answer(c, &answer);
                check_that(c, !answer.success && answer.error[0],
                           "expected the request to be answered as if no descriptors had come with it, got: "
                           "%.500s",
                           answer.packet.data);
                /* The server has answered and waits for a request: what it still holds, it keeps. */
                if (check_read(c, pipe_fds[0], &byte, 1) != 0)
                        check_fail(c, "expected the descriptors to be closed, but the server wrote to one");
                fd_close(pipe_fds[0]);
        }
        check_still_serves(c);
}

static void run_descriptor(struct check_context *c)
{
        wants_descriptors_dropped(c, "{\"method\":\"NoSuchMethodFd\",\"args\":[]}", 1);
}

static void run_most_descriptors(struct check_context *c)
{
        wants_descriptors_dropped(c, "{\"method\":\"NoSuchMethodFds\",\"args\":[]}", PACKET_FDS_MAX);
}

static void run_descriptors_with_garbage(struct check_context *c)
{
        wants_descriptors_dropped(c, "garbage with descriptors", 3);
}

#define FRAMING(name, check_level, text, anchor, function, starts)                                          \
        {                                                                                                   \
                .id = "framing/" name, .level = (check_level), .since = VERSION_OLDEST, .requires = (text), \
                .reference = (anchor), .run = (function), .own_start = (starts)                             \
        }

const struct check checks_framing[] = {
        FRAMING("one-reply", LEVEL_MUST, "One request is answered by one packet.", "packets", run_one_reply,
                false),
        FRAMING("largest-request", LEVEL_MUST, "A request of exactly 32,768 bytes is served.", "packets",
                run_largest_request, false),
        FRAMING("too-large-request", LEVEL_SHOULD,
                "A request of 32,769 bytes is refused, and the server still serves.", "packets",
                run_too_large_request, false),
        FRAMING("huge-request", LEVEL_SHOULD,
                "A request of 150,000 bytes is refused by one reply, and the server still serves.", "packets",
                run_huge_request, false),
        FRAMING("cut-request", LEVEL_INFO,
                "Records what happens to a packet of 32,769 bytes whose last byte is a blank behind the "
                "object.",
                "packets", run_cut_request, false),
        FRAMING("two-at-once", LEVEL_MUST, "Two requests sent at once are answered in their order.", "packets",
                run_two_at_once, false),
        FRAMING("ten-at-once", LEVEL_SHOULD, "Ten requests sent at once are answered in their order.",
                "packets", run_ten_at_once, false),
        FRAMING("empty-packet", LEVEL_SHOULD, "A packet of zero bytes is the end of input: exit status 0.",
                "end-of-session", run_empty_packet, false),
        FRAMING("not-json", LEVEL_MUST, "A packet that is no JSON is refused, and the server still serves.",
                "requests", run_not_json, false),
        FRAMING("not-an-object", LEVEL_SHOULD,
                "A packet that is JSON, but no object, is refused, and the server still serves.", "requests",
                run_not_an_object, false),
        FRAMING("blank", LEVEL_SHOULD, "A packet of white space is refused, and the server still serves.",
                "requests", run_blank, false),
        FRAMING("text-behind", LEVEL_SHOULD, "Text behind the object, even a second request, is refused.",
                "requests", run_text_behind, false),
        FRAMING("nested", LEVEL_SHOULD, "A value nested 200 levels deep is read.", "requests", run_nested,
                false),
        FRAMING("nested-too-deep", LEVEL_SHOULD,
                "A packet nested 30,000 levels deep is refused, and the server still serves.", "requests",
                run_nested_too_deep, false),
        FRAMING("unknown-keys", LEVEL_SHOULD, "Unknown keys of a request are ignored.", "requests",
                run_unknown_keys, false),
        FRAMING("key-order", LEVEL_MUST, "A request's members are taken in any order.", "requests",
                run_key_order, false),
        FRAMING("key-case", LEVEL_INFO, "Records whether keys match without regard to case.", "requests",
                run_key_case, false),
        FRAMING("equal-keys", LEVEL_INFO, "Records which of two equal keys counts.", "requests", run_equal_keys,
                false),
        FRAMING("invalid-utf8", LEVEL_SHOULD,
                "A request that is not UTF-8 is answered in valid UTF-8, and the server still serves.",
                "requests", run_invalid_utf8, false),
        FRAMING("lone-surrogate", LEVEL_SHOULD,
                "A lone surrogate is answered in valid UTF-8, and the server still serves.", "requests",
                run_lone_surrogate, false),
        FRAMING("escaped-slash", LEVEL_MUST, "A slash may be escaped, as some JSON libraries do.", "requests",
                run_escaped_slash, false),
        FRAMING("escapes", LEVEL_MUST, "Escapes by \\u are read.", "requests", run_escapes, false),
        FRAMING("unicode", LEVEL_SHOULD, "Text outside ASCII is read, and comes back in errors.", "requests",
                run_unicode, false),
        FRAMING("white-space", LEVEL_MUST, "White space around and within the object is ignored.", "requests",
                run_white_space, false),
        FRAMING("args-missing", LEVEL_MUST, "A request without args has none.", "requests", run_args_missing,
                true),
        FRAMING("args-null", LEVEL_SHOULD, "A request with null for args has none.", "requests", run_args_null,
                true),
        FRAMING("args-not-array", LEVEL_SHOULD,
                "Args that are no array are refused, and the server still serves.", "requests",
                run_args_not_array, false),
        FRAMING("no-method", LEVEL_MUST,
                "A request without a method, or with an empty one, is refused, and the server still serves.",
                "requests", run_no_method, false),
        FRAMING("method-no-string", LEVEL_SHOULD,
                "A method that is no string is refused, and the server still serves.", "requests",
                run_method_no_string, false),
        FRAMING("descriptor", LEVEL_SHOULD, "A descriptor that comes with a request is closed.", "descriptors",
                run_descriptor, false),
        FRAMING("most-descriptors", LEVEL_SHOULD, "253 descriptors, as many as a packet can carry, are closed.",
                "descriptors", run_most_descriptors, false),
        FRAMING("descriptors-with-garbage", LEVEL_SHOULD,
                "Descriptors that come with a packet that is no request are closed.", "descriptors",
                run_descriptors_with_garbage, false),
};
const size_t n_checks_framing = ARRAY_SIZE(checks_framing);
