/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of packets and of requests as JSON: how large, how many at once, how spelled, and what happens to
 * text that is no request and to descriptors that come with one. Most of them ask for methods that do not
 * exist, under names of their own: the answer then shows that the packet was read, and nothing else happens.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

/* An OpenImage request of @size bytes, which is served or refused. */
static void wants_sized(struct check_context *c, size_t size, bool served)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *packet = malloc(size);

        if (!packet)
                check_error(c, "out of memory");
        pad_request(c, packet, size, true);
        check_send(c, packet, size, NULL, 0);
        check_answer(c, &answer);
        check_that(c, answer.success == served, "expected a request of %zu bytes to be %s, got: %.500s", size,
                   served ? "served" : "refused", answer.packet.data);
        check_still_serves(c);
}

static void run_nearly_largest_request(struct check_context *c)
{
        wants_sized(c, PACKET_REQUEST_MAX - 1, true);
}

static void run_two_bytes_too_large(struct check_context *c)
{
        wants_sized(c, PACKET_REQUEST_MAX + 2, false);
}

/* What is behind the cut is not taken for the next request. */
static void run_cut_is_gone(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        char packet[PACKET_REQUEST_MAX + 100];
        const char *behind = "{\"method\":\"NoSuchMethodBehindTheCut\",\"args\":[]}";

        memset(packet, ' ', sizeof(packet));
        for (size_t i = 0; behind[i]; i++)
                packet[PACKET_REQUEST_MAX + i] = behind[i];
        check_send(c, packet, sizeof(packet), NULL, 0);
        check_answer(c, &answer);
        check_that(c, !answer.success && !strstr(answer.error, "BehindTheCut"),
                   "expected a refusal of 32,768 blanks, got: %.500s", answer.packet.data);
        check_that(c, check_is_silent(c), "expected one reply to one packet, but another packet came");
}

static void run_byte_order_mark(struct check_context *c)
{
        wants_refusal(c, check_text(c, "\xef\xbb\xbf{\"method\":\"OpenImage\",\"args\":[\"%s\"]}",
                                    check_fixture(c, "layers-1")));
}

/* What some readers of JSON let pass; each would open an image. */
static void run_nearly_json(struct check_context *c)
{
        static const char *const formats[] = {
                "{\"method\":\"OpenImage\",\"args\":[\"%s\",]}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],}",
                "{method:\"OpenImage\",\"args\":[\"%s\"]}",
                "{\"method\":\"OpenImage\" /* first */,\"args\":[\"%s\"]}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"]",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":01}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":NaN}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":0x1}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":+1}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":.5}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":True}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":\"\\x41\"}",
                "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":\"\\u12g4\"}",
        };
        const char *reference = check_fixture(c, "layers-1");

        for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
                const char *at = strstr(formats[i], "%s");

                wants_refusal(c,
                              check_text(c, "%.*s%s%s", (int)(at - formats[i]), formats[i], reference, at + 2));
        }
}

static void run_raw_control(struct check_context *c)
{
        wants_refusal(c, "{\"method\":\"NoSuchMethod\nRaw\",\"args\":[]}");
        wants_refusal(c, check_text(c, "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"n\":\"\x01\"}",
                                    check_fixture(c, "layers-1")));
}

static void run_request_null(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0}, none CLEANUP_ANSWER = {0};

        call_text(c, &answer, "\t\tnull\t\t");
        call_text(c, &none, "\t\t{}\t\t");
        check_record(c, strcmp(answer.error, none.error) == 0 ? "as an object without members" : "otherwise");
}

/* Whether a request with an argument of @depth nested arrays is read: its method is then named as unknown. */
static bool reads_nested(struct check_context *c, size_t depth)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *text = NULL;
        static const char head[] = "{\"method\":\"NoSuchMethodDepth\",\"args\":";
        size_t n = sizeof(head) - 1;

        text = malloc(n + 2 * depth + 2);
        if (!text)
                check_error(c, "out of memory");
        memcpy(text, head, n);
        memset(text + n, '[', depth);
        memset(text + n + depth, ']', depth);
        text[n + 2 * depth] = '}';
        check_send(c, text, n + 2 * depth + 1, NULL, 0);
        check_answer(c, &answer);
        return strstr(answer.error, "NoSuchMethodDepth");
}

static void run_nesting_limit(struct check_context *c)
{
        static const size_t depths[] = {30, 1000, 9998, 9999, 10000, 10001};
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(depths); i++)
                if (reads_nested(c, depths[i]))
                        text = check_text(c, "%zu", depths[i]);
        check_record(c, "%s", *text ? text : "less");
}

static void run_nul_escape(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_start(c, &(struct server_start){.no_initialize = true});
        call_text(c, &answer, "{\"method\":\"Initialize\\u0000\",\"args\":[]}");
        check_that(c, !answer.success && answer.error[0],
                   "expected a refusal of a method with a zero byte in its name, got: %.500s",
                   answer.packet.data);
        call_text(c, &answer, "{\"method\":\"Initialize\",\"args\":[]}");
        check_that(c, answer.success, "expected Initialize to succeed, got the error: %.500s", answer.error);
}

static void run_surrogate_pair(struct check_context *c)
{
        wants_method_read(c, "{\"method\":\"NoSuchMethodPair\\ud83d\\udc33\",\"args\":[]}",
                          "NoSuchMethodPair\xf0\x9f\x90\xb3");
}

/* Overlong forms, surrogates and what is past U+10FFFF, which are no UTF-8 either. */
static void run_overlong_utf8(struct check_context *c)
{
        static const char *const odd[] = {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                          "\xe2\x82"};

        for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
                CLEANUP_ANSWER struct answer answer = {0};
                CLEANUP(cleanup_json) struct json_object *parsed = NULL;

                call_text(c, &answer,
                          check_text(c, "{\"method\":\"NoSuchMethod%sOverlong\",\"args\":[]}", odd[i]));
                check_that(c, json_parse(answer.packet.data, answer.packet.len, 32, &parsed, NULL) == 0,
                           "expected a reply in valid UTF-8 to a request that is not, got: %.500s",
                           answer.packet.data);
        }
        check_still_serves(c);
}

static void run_invalid_utf8_becomes(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer,
                  "{\"method\":\"NoSuchMethod\xff"
                  "Becomes\",\"args\":[]}");
        check_record(c, strstr(answer.error, "\xef\xbf\xbd"
                                             "Becomes")
                                ? "U+FFFD"
                        : strstr(answer.error, "Becomes") ? "something else"
                                                          : "refused");
}

static void run_equal_args(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer,
                  check_text(c, "{\"method\":\"OpenImage\",\"args\":[\"%s\"],\"args\":[1]}",
                             check_fixture(c, "layers-1")));
        check_record(c, answer.success ? "the first" : "the last");
}

static void run_equal_keys_of_other_case(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer,
                  "{\"method\":\"NoSuchMethodLower\",\"METHOD\":\"NoSuchMethodUpper\",\"args\":[]}");
        check_record(c, strstr(answer.error, "MethodUpper")   ? "the last"
                        : strstr(answer.error, "MethodLower") ? "the exact one"
                                                              : "refused");
}

/* Go folds letters as Unicode does: the long s is an s. */
static void run_key_folding(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        call_text(c, &answer,
                  check_text(c, "{\"method\":\"OpenImage\",\"arg\xc5\xbf\":[\"%s\"]}",
                             check_fixture(c, "layers-1")));
        check_record(c, answer.success ? "as Unicode does" : "as ASCII does");
}

static void run_hundred_refusals(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        for (int i = 0; i < 100; i++) {
                call_text(c, &answer, check_text(c, "refused %d", i));
                check_that(c, !answer.success, "expected a refusal of what is no JSON, got: %.500s",
                           answer.packet.data);
        }
        check_open_image(c, check_fixture(c, "layers-1"));
}

static void run_refused_among_others(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_request(c, "NoSuchMethodAmongFirst", "[]");
        send_text(c, "no JSON among others");
        check_request(c, "NoSuchMethodAmongLast", "[]");
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "AmongFirst"), "expected the first answer first, got: %.500s",
                   answer.packet.data);
        check_answer(c, &answer);
        check_that(c, !answer.success && !strstr(answer.error, "Among"),
                   "expected a refusal of what is no JSON second, got: %.500s", answer.packet.data);
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "AmongLast"), "expected the last answer last, got: %.500s",
                   answer.packet.data);
}

static void wants_end(struct check_context *c)
{
        int status = check_wait_exit(c);

        check_that(c, status == 0, "expected exit status 0 after a packet of zero bytes, got wait status 0x%x",
                   (unsigned)status);
}

static void run_empty_packet_first(struct check_context *c)
{
        check_start(c, &(struct server_start){.no_initialize = true});
        send_text(c, "");
        wants_end(c);
}

static void run_empty_packet_image_open(struct check_context *c)
{
        check_open_image(c, check_fixture(c, "layers-1"));
        send_text(c, "");
        wants_end(c);
}

static void run_empty_packet_behind(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_request(c, "NoSuchMethodBeforeEmpty", "[]");
        send_text(c, "");
        check_answer(c, &answer);
        check_that(c, strstr(answer.error, "BeforeEmpty"),
                   "expected the answer to the request before, got: %.500s", answer.packet.data);
        wants_end(c);
}

/* One of each kind that the kernel passes on. */
static size_t open_one_of_each(struct check_context *c, int fds[8])
{
        int ends[2];
        size_t n = 0;

        fds[n++] = open(check_text(c, "%s/file", check_folder(c)), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        fds[n++] = open(check_folder(c), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fds[n++] = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (pipe2(ends, O_CLOEXEC) < 0)
                check_error(c, "cannot make a pipe");
        fds[n++] = ends[0];
        fds[n++] = ends[1];
        fds[n++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        fds[n++] = eventfd(0, EFD_CLOEXEC);
        fds[n++] = memfd_create("cip", MFD_CLOEXEC);
        for (size_t i = 0; i < n; i++)
                if (fds[i] < 0)
                        check_error(c, "cannot open one of each kind of descriptor");
        return n;
}

static void run_descriptors_of_each_kind(struct check_context *c)
{
        static const char text[] = "{\"method\":\"NoSuchMethodFdKinds\",\"args\":[]}";
        CLEANUP_ANSWER struct answer answer = {0};
        int fds[8];
        size_t n = open_one_of_each(c, fds), before, after;

        before = check_server_fds(c);
        for (int round = 0; round < 3; round++) {
                check_send(c, text, strlen(text), fds, n);
                check_answer(c, &answer);
        }
        check_still_serves(c);
        after = check_server_fds(c);
        for (size_t i = 0; i < n; i++)
                fd_close(fds[i]);
        check_that(c, after <= before,
                   "expected descriptors of every kind to be closed: %zu were open, now %zu", before, after);
}

static void run_descriptors_many_times(struct check_context *c)
{
        static const char text[] = "{\"method\":\"NoSuchMethodFdPiles\",\"args\":[]}";
        CLEANUP_ANSWER struct answer answer = {0};
        int pipe_fds[2], fds[10];
        char byte;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                check_error(c, "cannot make a pipe");
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = pipe_fds[1];
        for (int round = 0; round < 100; round++) {
                check_send(c, text, strlen(text), fds, ARRAY_SIZE(fds));
                check_answer(c, &answer);
        }
        fd_close(pipe_fds[1]);
        check_that(c, check_read(c, pipe_fds[0], &byte, 1) == 0,
                   "expected the descriptors to be closed, but the server wrote to one");
        fd_close(pipe_fds[0]);
        check_still_serves(c);
}

/* With a request that succeeds, and one that has descriptors of its own to send. */
static void run_descriptors_are_ignored(struct check_context *c)
{
        const char *text =
                check_text(c, "{\"method\":\"OpenImage\",\"args\":[\"%s\" ]}", check_fixture(c, "layers-1"));
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;
        int fds[8];
        size_t n = open_one_of_each(c, fds);

        check_send(c, text, strlen(text), fds, n);
        check_answer(c, &answer);
        check_that(c, answer.success && answer.packet.n_fds == 0,
                   "expected OpenImage with descriptors to succeed as without, got: %.500s",
                   answer.packet.data);
        text = check_text(c, "{\"method\":\"GetManifest\",\"args\":[%" PRIu64 " ]}",
                          (uint64_t)json_object_get_int64(answer.value));
        check_send(c, text, strlen(text), fds, n);
        check_answer(c, &answer);
        for (size_t i = 0; i < n; i++)
                fd_close(fds[i]);
        check_that(c, answer.success && answer.packet.n_fds == 1,
                   "expected GetManifest with descriptors to succeed as without, got: %.500s",
                   answer.packet.data);
        check_read_and_finish(c, &answer, &finish, &data, &len);
        check_that(c, finish.success, "expected FinishPipe to succeed, got the error: %.500s", finish.error);
}

#define FRAMING(name, check_level, text, anchor, function, starts)                                          \
        {                                                                                                   \
                .id = "framing/" name, .level = (check_level), .since = VERSION_OLDEST, .requires = (text), \
                .reference = (anchor), .run = (function), .own_start = (starts)                             \
        }

const struct check checks_framing[] = {
        FRAMING("one-reply", LEVEL_MUST, "One request is answered by one packet.", "one-reply", run_one_reply,
                false),
        FRAMING("largest-request", LEVEL_MUST, "A request of exactly 32,768 bytes is served.", "packet-limit",
                run_largest_request, false),
        FRAMING("too-large-request", LEVEL_SHOULD,
                "A request of 32,769 bytes is refused, and the server still serves.", "packet-too-large",
                run_too_large_request, false),
        FRAMING("huge-request", LEVEL_SHOULD,
                "A request of 150,000 bytes is refused by one reply, and the server still serves.",
                "packet-too-large one-reply", run_huge_request, false),
        FRAMING("cut-request", LEVEL_INFO,
                "Records what happens to a packet of 32,769 bytes whose last byte is a blank behind the "
                "object.",
                "packet-cut", run_cut_request, false),
        FRAMING("two-at-once", LEVEL_MUST, "Two requests sent at once are answered in their order.",
                "served-in-order", run_two_at_once, false),
        FRAMING("ten-at-once", LEVEL_SHOULD, "Ten requests sent at once are answered in their order.",
                "pipelining", run_ten_at_once, false),
        FRAMING("empty-packet", LEVEL_SHOULD, "A packet of zero bytes is the end of input: exit status 0.",
                "empty-packet end-of-session-status", run_empty_packet, false),
        FRAMING("not-json", LEVEL_MUST, "A packet that is no JSON is refused, and the server still serves.",
                "not-a-request session-goes-on", run_not_json, false),
        FRAMING("not-an-object", LEVEL_SHOULD,
                "A packet that is JSON, but no object, is refused, and the server still serves.",
                "not-a-request request-null session-goes-on", run_not_an_object, false),
        FRAMING("blank", LEVEL_SHOULD, "A packet of white space is refused, and the server still serves.",
                "not-a-request session-goes-on", run_blank, false),
        FRAMING("text-behind", LEVEL_SHOULD, "Text behind the object, even a second request, is refused.",
                "text-behind", run_text_behind, false),
        FRAMING("nested", LEVEL_SHOULD, "A value nested 200 levels deep is read.", "nesting", run_nested,
                false),
        FRAMING("nested-too-deep", LEVEL_SHOULD,
                "A packet nested 30,000 levels deep is refused, and the server still serves.",
                "nesting session-goes-on", run_nested_too_deep, false),
        FRAMING("unknown-keys", LEVEL_SHOULD, "Unknown keys of a request are ignored.", "unknown-members",
                run_unknown_keys, false),
        FRAMING("key-order", LEVEL_MUST, "A request's members are taken in any order.", "members-in-any-order",
                run_key_order, false),
        FRAMING("key-case", LEVEL_INFO, "Records whether keys match without regard to case.", "key-case",
                run_key_case, false),
        FRAMING("equal-keys", LEVEL_INFO, "Records which of two equal keys counts.", "equal-keys",
                run_equal_keys, false),
        FRAMING("invalid-utf8", LEVEL_SHOULD,
                "A request that is not UTF-8 is answered in valid UTF-8, and the server still serves.",
                "invalid-utf8 reply-utf8", run_invalid_utf8, false),
        FRAMING("lone-surrogate", LEVEL_SHOULD,
                "A lone surrogate is answered in valid UTF-8, and the server still serves.",
                "invalid-utf8 reply-utf8", run_lone_surrogate, false),
        FRAMING("escaped-slash", LEVEL_MUST, "A slash may be escaped, as some JSON libraries do.",
                "request-text", run_escaped_slash, false),
        FRAMING("escapes", LEVEL_MUST, "Escapes by \\u are read.", "request-text", run_escapes, false),
        FRAMING("unicode", LEVEL_SHOULD, "Text outside ASCII is read, and comes back in errors.",
                "request-text", run_unicode, false),
        FRAMING("white-space", LEVEL_MUST, "White space around and within the object is ignored.",
                "white-space", run_white_space, false),
        FRAMING("args-missing", LEVEL_MUST, "A request without args has none.", "args-member", run_args_missing,
                true),
        FRAMING("args-null", LEVEL_SHOULD, "A request with null for args has none.", "args-member",
                run_args_null, true),
        FRAMING("args-not-array", LEVEL_SHOULD,
                "Args that are no array are refused, and the server still serves.", "args-member",
                run_args_not_array, false),
        FRAMING("no-method", LEVEL_MUST,
                "A request without a method, or with an empty one, is refused, and the server still serves.",
                "method-member", run_no_method, false),
        FRAMING("method-no-string", LEVEL_SHOULD,
                "A method that is no string is refused, and the server still serves.", "method-member",
                run_method_no_string, false),
        FRAMING("descriptor", LEVEL_SHOULD, "A descriptor that comes with a request is closed.",
                "descriptors-dropped", run_descriptor, false),
        FRAMING("most-descriptors", LEVEL_SHOULD, "253 descriptors, as many as a packet can carry, are closed.",
                "descriptors-dropped", run_most_descriptors, false),
        FRAMING("descriptors-with-garbage", LEVEL_SHOULD,
                "Descriptors that come with a packet that is no request are closed.", "descriptors-dropped",
                run_descriptors_with_garbage, false),
        FRAMING("nearly-largest-request", LEVEL_MUST, "A request of 32,767 bytes is served.", "packet-limit",
                run_nearly_largest_request, false),
        FRAMING("two-bytes-too-large", LEVEL_SHOULD,
                "A request of 32,770 bytes is refused, and the server still serves.", "packet-too-large",
                run_two_bytes_too_large, false),
        FRAMING("cut-is-gone", LEVEL_SHOULD,
                "What stands behind 32,768 bytes of a packet is not taken for the next request.",
                "packet-cut one-reply", run_cut_is_gone, false),
        FRAMING("byte-order-mark", LEVEL_SHOULD,
                "A request behind a byte order mark is refused, and the server still serves.",
                "byte-order-mark", run_byte_order_mark, false),
        FRAMING("nearly-json", LEVEL_SHOULD,
                "What is JSON but for a comma, a quote or a number's form is refused, and the server still "
                "serves.",
                "not-a-request", run_nearly_json, false),
        FRAMING("raw-control", LEVEL_SHOULD,
                "A control character within a string is refused, and the server still serves.", "not-a-request",
                run_raw_control, false),
        FRAMING("request-null", LEVEL_INFO, "Records whether null is taken for an object without members.",
                "request-null", run_request_null, false),
        FRAMING("nesting-limit", LEVEL_INFO, "Records how deep args may be nested.", "nesting",
                run_nesting_limit, false),
        FRAMING("nul-escape", LEVEL_SHOULD, "A zero byte does not end a method's name.", "request-text",
                run_nul_escape, true),
        FRAMING("surrogate-pair", LEVEL_MUST, "A pair of escapes for one character is read.", "request-text",
                run_surrogate_pair, false),
        FRAMING("overlong-utf8", LEVEL_SHOULD,
                "Overlong, cut and impossible UTF-8 is answered in valid UTF-8, and the server still serves.",
                "invalid-utf8 reply-utf8", run_overlong_utf8, false),
        FRAMING("invalid-utf8-becomes", LEVEL_INFO, "Records what a byte that is not UTF-8 becomes.",
                "invalid-utf8", run_invalid_utf8_becomes, false),
        FRAMING("equal-args", LEVEL_INFO, "Records which of two members `args` counts.", "equal-keys",
                run_equal_args, false),
        FRAMING("equal-keys-of-other-case", LEVEL_INFO,
                "Records which of two keys counts that differ by case alone.", "equal-keys key-case",
                run_equal_keys_of_other_case, false),
        FRAMING("key-folding", LEVEL_INFO, "Records whether a long s in a key is taken for an s.", "key-case",
                run_key_folding, false),
        FRAMING("hundred-refusals", LEVEL_MUST, "A hundred packets that are no JSON do not end the session.",
                "session-goes-on", run_hundred_refusals, false),
        FRAMING("refused-among-others", LEVEL_SHOULD,
                "A packet that is no JSON among requests sent at once is refused in its turn.",
                "served-in-order pipelining", run_refused_among_others, false),
        FRAMING("empty-packet-first", LEVEL_SHOULD,
                "A packet of zero bytes before Initialize is the end of input: exit status 0.", "empty-packet",
                run_empty_packet_first, true),
        FRAMING("empty-packet-image-open", LEVEL_SHOULD,
                "A packet of zero bytes with an image open is the end of input: exit status 0.", "empty-packet",
                run_empty_packet_image_open, false),
        FRAMING("empty-packet-behind", LEVEL_SHOULD,
                "A request before a packet of zero bytes is answered before the end.",
                "empty-packet end-answers-first", run_empty_packet_behind, false),
        FRAMING("descriptors-of-each-kind", LEVEL_SHOULD,
                "Files, folders, devices, pipes, sockets and events that come with a request are closed.",
                "descriptors-dropped", run_descriptors_of_each_kind, false),
        FRAMING("descriptors-many-times", LEVEL_SHOULD,
                "Ten descriptors with each of a hundred requests do not pile up.", "descriptors-dropped",
                run_descriptors_many_times, false),
        FRAMING("descriptors-are-ignored", LEVEL_SHOULD,
                "OpenImage and GetManifest with descriptors are answered as they are without.",
                "descriptors-ignored", run_descriptors_are_ignored, false),
};
const size_t n_checks_framing = ARRAY_SIZE(checks_framing);
