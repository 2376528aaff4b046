/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and replies of a check: whatever it wants to send, and replies read leniently. Everything goes into
 * the transcript. What does not come in time, or is no reply, ends the check with a sentence about it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "conformance/context.h"

/* Deeper than any reply, and shallower than what makes a parser stumble. */
#define REPLY_DEPTH 64

/* Bytes of a request that messages show. */
#define ASKED_SIZE 200

void answer_clear(struct answer *answer)
{
        json_object_put(answer->json);
        packet_free(&answer->packet);
        *answer = (struct answer){0};
}

/* What the server did instead of what was expected, for a message's end. */
static _Noreturn void fail_gone(struct check_context *c, const char *instead)
{
        const char *state = context_server_state(c);

        if (*c->asked)
                check_fail(c, "the server %s %s; it was asked last: %s", state, instead, c->asked);
        check_fail(c, "the server %s %s", state, instead);
}

/* ---- sending ---- */

void check_send(struct check_context *c, const void *data, size_t len, const int *fds, size_t n_fds)
{
        if (c->socket < 0)
                check_error(c, "the check sends after it has hung up");
        for (;;) {
                int r = packet_send(c->socket, data, len, fds, n_fds);

                if (r == 0)
                        break;
                if (r == -EAGAIN) {
                        context_doing(c, "waiting for room in the socket to send %zu bytes", len);
                        if (!context_wait(c, c->socket, POLLOUT, DEADLINE_NEVER))
                                check_fail(c, "the server took no packet for %g s; it was asked last: %s",
                                           c->timeout, c->asked);
                } else if (r == -EPIPE || r == -ECONNRESET) {
                        fail_gone(c, "before a request could be sent");
                } else {
                        check_error(c, "cannot send a packet of %zu bytes: %s", len, strerror(-r));
                }
        }
        transcript_packet(c->transcript, ">", data, len, fds, n_fds);
}

__attribute__((format(printf, 3, 0))) static void send_request(struct check_context *c, const char *method,
                                                               const char *args_format, va_list args)
{
        struct json_object *name = json_object_new_string(method);
        const char *quoted = json_object_to_json_string_ext(name, JSON_C_TO_STRING_NOSLASHESCAPE);
        char *text = NULL, *request = NULL;
        int len;

        if (args_format && vasprintf(&text, args_format, args) < 0)
                check_error(c, "out of memory");
        len = text ? asprintf(&request, "{\"method\":%s,\"args\":%s}", quoted, text)
                   : asprintf(&request, "{\"method\":%s}", quoted);
        if (len < 0)
                check_error(c, "out of memory");
        free(c->asked_text);
        if (asprintf(&c->asked_text, "%s%s%.*s%s", method, text ? " " : "", ASKED_SIZE, text ? text : "",
                     text && strlen(text) > ASKED_SIZE ? ".." : "") < 0)
                check_error(c, "out of memory");
        c->asked = c->asked_text;
        json_object_put(name);
        check_send(c, request, (size_t)len, NULL, 0);
        free(request);
        free(text);
}

void check_request(struct check_context *c, const char *method, const char *args_format, ...)
{
        va_list args;

        va_start(args, args_format);
        send_request(c, method, args_format, args);
        va_end(args);
}

/* ---- receiving ---- */

static void receive(struct check_context *c, struct packet *packet)
{
        struct cip_error error = {0};
        int r;

        if (c->socket < 0)
                check_error(c, "the check waits for an answer after it has hung up");
        context_doing(c, "waiting for the answer to %s", *c->asked ? c->asked : "a packet");
        for (;;) {
                r = packet_receive(c->socket, packet, &error);
                if (r != -EAGAIN)
                        break;
                if (!context_wait(c, c->socket, POLLIN, DEADLINE_NEVER))
                        check_fail(c, "no answer to %s within %g s; the server %s",
                                   *c->asked ? c->asked : "a packet", c->timeout, context_server_state(c));
        }
        if (r == 0 || r == -ECONNRESET)
                fail_gone(c, "instead of answering");
        if (r < 0)
                check_fail(c, "a packet cannot be taken: %s; the server was asked last: %s", error.message,
                           c->asked);
        transcript_packet(c->transcript, "<", packet->data, packet->len, packet->fds, packet->n_fds);
}

/* Takes the members out, as far as they are there and of a type that fits. */
static void read_members(struct answer *ret)
{
        struct json_object *member;
        uint64_t number;

        ret->error = "";
        ret->error_code = NULL;
        ret->value = NULL;
        ret->pipeid = 0;
        ret->success = json_object_object_get_ex(ret->json, "success", &member) &&
                       json_object_is_type(member, json_type_boolean) && json_object_get_boolean(member);
        if (json_object_object_get_ex(ret->json, "value", &member))
                ret->value = member;
        if (json_object_object_get_ex(ret->json, "pipeid", &member) &&
            json_get_uint(member, UINT64_MAX, &number))
                ret->pipeid = number;
        if (json_object_object_get_ex(ret->json, "error", &member) &&
            json_object_is_type(member, json_type_string))
                ret->error = json_object_get_string(member);
        if (json_object_object_get_ex(ret->json, "error_code", &member) &&
            json_object_is_type(member, json_type_string))
                ret->error_code = json_object_get_string(member);
}

void check_answer(struct check_context *c, struct answer *ret)
{
        struct cip_error error = {0};

        json_object_put(ret->json);
        ret->json = NULL;
        receive(c, &ret->packet);
        if (json_parse(ret->packet.data, ret->packet.len, REPLY_DEPTH, &ret->json, &error) < 0)
                check_fail(c, "the answer to %s is no JSON (%s): %.300s", c->asked, error.message,
                           ret->packet.data);
        if (!json_object_is_type(ret->json, json_type_object))
                check_fail(c, "the answer to %s is no JSON object: %.300s", c->asked, ret->packet.data);
        read_members(ret);
}

bool check_is_hung_up(struct check_context *c)
{
        char byte;
        ssize_t n;

        if (c->socket < 0)
                check_error(c, "the check watches a socket that it has closed");
        context_doing(c, "waiting for the server to close the socket");
        if (!context_wait(c, c->socket, POLLIN, DEADLINE_NEVER))
                check_fail(
                        c,
                        "the server neither answered nor closed the socket within %g s; it was asked last: %s",
                        c->timeout, c->asked);
        n = recv(c->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0)
                return false;
        c->end_is_due = true;
        return true;
}

bool check_is_silent(struct check_context *c)
{
        context_doing(c, "waiting for the server to sleep");
        if (context_server_sleeps(c, DEADLINE_NEVER, c->socket))
                return true;
        if (deadline_passed(c->deadline))
                check_fail(c, "the server used the CPU for %g s and did not answer; it was asked last: %s",
                           c->timeout, c->asked);
        return false;
}

/* ---- request and reply ---- */

#define CALL(c, ret, method, args_format)                         \
        do {                                                      \
                va_list args;                                     \
                va_start(args, args_format);                      \
                send_request((c), (method), (args_format), args); \
                va_end(args);                                     \
                check_answer((c), (ret));                         \
        } while (0)

void check_call(struct check_context *c, struct answer *ret, const char *method, const char *args_format, ...)
{
        CALL(c, ret, method, args_format);
}

void check_call_ok(struct check_context *c, struct answer *ret, const char *method, const char *args_format,
                   ...)
{
        CALL(c, ret, method, args_format);
        if (!ret->success)
                check_fail(c, "%s must succeed, and was answered: %.600s", c->asked, ret->packet.data);
}

void check_call_refused(struct check_context *c, struct answer *ret, const char *method,
                        const char *args_format, ...)
{
        CALL(c, ret, method, args_format);
        if (ret->success)
                check_fail(c, "%s must be refused, and was answered: %.600s", c->asked, ret->packet.data);
        if (!*ret->error)
                check_fail(c, "%s was refused without a word why: %.600s", c->asked, ret->packet.data);
}

uint64_t check_open_image(struct check_context *c, const char *reference)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct json_object *quoted = json_object_new_string(reference);
        uint64_t image;

        check_call_ok(c, &answer, "OpenImage", "[%s]",
                      json_object_to_json_string_ext(quoted, JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(quoted);
        if (!json_get_uint(answer.value, JSON_INTEGER_MAX, &image) || image == 0)
                check_fail(c, "OpenImage must answer an image's id, and answered %s",
                           json_object_to_json_string(answer.value));
        return image;
}

void check_still_serves(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "NoSuchMethod", "[]");
}
