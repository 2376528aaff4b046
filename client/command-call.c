/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip call: methods of the protocol called as they are, one after another in one session, for trying a server
 * out and for reproducing what it does wrong. Words become JSON by the method table, or are JSON themselves
 * with --raw; what an earlier call gave can be used in a later one. The number of arguments is never judged
 * here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "client/command.h"

#include "image/digest.h"
#include "protocol/message.h"
#include "protocol/method.h"

/* How much of what came through a pipe is shown, in bytes. */
#define SHOWN_MAX ((size_t)64 * 1024)

/* How deep an argument may nest, and a reply that is taken apart again. */
#define DEPTH_MAX 1000

struct call {
        const char *const *words; /* the method and its arguments */
        size_t n_words;
        const struct method *method; /* NULL: not one of the protocol's */
        struct json_object *value;   /* what it gave */
        uint32_t pipeid;
        bool succeeded;
};

struct calls {
        struct call *calls;
        size_t n;
};

static void calls_clear(struct calls *calls)
{
        for (size_t i = 0; i < calls->n; i++)
                json_object_put(calls->calls[i].value);
        free(calls->calls);
}

static int wrong(struct cip_error *error, const char *what, const char *word, const char *hint)
{
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%.200s' %s%s", word, what, hint);
}

/* ---- words ---- */

/* Whether @word is @N or @N.pipeid, and of which call. */
static bool is_backward(const char *word, size_t *ret_call, bool *ret_pipe)
{
        char *end;
        unsigned long number;

        if (word[0] != '@' || word[1] < '0' || word[1] > '9')
                return false;
        errno = 0;
        number = strtoul(word + 1, &end, 10);
        if (errno || (*end && strcmp(end, ".pipeid") != 0))
                return false;
        *ret_call = number;
        *ret_pipe = *end != '\0';
        return true;
}

/* What the words can be known to be wrong in, before a server is started. */
static int judge_word(const struct call *call, size_t number, size_t i, bool raw, struct cip_error *error)
{
        const char *word = call->words[i];
        struct json_object *json = NULL;
        size_t earlier;
        bool pipe, is_number;
        int r;

        if (is_backward(word, &earlier, &pipe)) {
                if (earlier >= 1 && earlier < number)
                        return 0;
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "'%.200s' in call %zu stands for no earlier call, which are counted from 1",
                                 word, number);
        }
        if (!raw &&
            (!call->method || i > call->method->n_arguments || call->method->arguments[i - 1] < ARGUMENT_IMAGE))
                return 0;
        r = json_parse(word, strlen(word), DEPTH_MAX, &json, NULL);
        is_number = json_object_is_type(json, json_type_int) || json_object_is_type(json, json_type_double);
        json_object_put(json);
        if (r < 0 && raw)
                return wrong(error, "is no JSON", word, ", which --raw wants: strings as '\"..\"'");
        if (!raw && !is_number)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "%s wants a number for its %s, not '%.200s'; --raw sends anything",
                                 call->method->name, argument_kind_name(call->method->arguments[i - 1]), word);
        return 0;
}

static int judge_call(struct call *call, size_t number, bool raw, struct cip_error *error)
{
        struct nearest nearest;

        if (call->n_words == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "call %zu has no method: it is METHOD [ARG ..], with a + between two calls",
                                 number);
        call->method = method_find(call->words[0]);
        nearest = (struct nearest){.name = call->words[0]};
        for (size_t i = 0; i < METHODS; i++)
                text_nearest(&nearest, methods[i].name);
        if (!call->method && !raw && nearest.best)
                return error_set(
                        error, CIP_ERROR_LOCAL, -EINVAL,
                        "the protocol has no method '%.200s'; did you mean '%s'? --raw sends it as it is",
                        call->words[0], nearest.best);
        if (!call->method && !raw)
                return wrong(error, "is no method of the protocol; --raw sends it as it is", call->words[0],
                             "");
        for (size_t i = 1; i < call->n_words; i++) {
                int r = judge_word(call, number, i, raw, error);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Cuts the operands into calls at each lone +. */
static int calls_parse(const struct arguments *arguments, struct calls *ret, struct cip_error *error)
{
        const char *const *words = arguments->operands;
        size_t start = 0;

        ret->calls = calloc(arguments->n_operands + 1, sizeof(*ret->calls));
        if (!ret->calls)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        for (size_t i = 0; i <= arguments->n_operands; i++) {
                struct call *call = &ret->calls[ret->n];
                int r;

                if (i < arguments->n_operands && strcmp(words[i], "+") != 0)
                        continue;
                *call = (struct call){.words = words + start, .n_words = i - start};
                ret->n++;
                start = i + 1;
                r = judge_call(call, ret->n, arguments->raw, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- arguments ---- */

static int take_backward(const struct calls *calls, size_t number, bool pipe, struct json_object **ret,
                         struct cip_error *error)
{
        const struct call *call = &calls->calls[number - 1];

        if (!call->succeeded)
                return error_set(error, CIP_ERROR_REMOTE, -EREMOTEIO,
                                 "a later call wants what call %zu (%s) would have given, but it failed",
                                 number, call->words[0]);
        *ret = pipe ? json_object_new_int64(call->pipeid) : json_object_get(call->value);
        return 0;
}

static int make_argument(const struct calls *calls, const struct call *call, size_t i, bool raw,
                         struct json_object **ret, struct cip_error *error)
{
        const char *word = call->words[i];
        size_t number;
        bool pipe;

        *ret = NULL;
        if (is_backward(word, &number, &pipe))
                return take_backward(calls, number, pipe, ret, error);
        if (raw || (i <= call->method->n_arguments && call->method->arguments[i - 1] >= ARGUMENT_IMAGE))
                return json_parse(word, strlen(word), DEPTH_MAX, ret, error);
        *ret = json_object_new_string(word);
        return *ret ? 0 : error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
}

static int make_arguments(const struct calls *calls, const struct call *call, bool raw,
                          struct json_object **ret, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *array = json_object_new_array();

        if (!array)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        for (size_t i = 1; i < call->n_words; i++) {
                struct json_object *argument;
                int r = make_argument(calls, call, i, raw, &argument, error);

                if (r < 0)
                        return r;
                if (json_object_array_add(array, argument) < 0) {
                        json_object_put(argument);
                        return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
                }
        }
        *ret = STEAL(array);
        return 0;
}

/* ---- what came ---- */

/* What came through the pipes of a reply. */
struct data {
        bool there;
        unsigned pipes;
        uint64_t bytes;
        char digest[DIGEST_TEXT_SIZE];
        char *shown; /* its beginning; NULL: there was no memory for it */
        size_t n_shown;
};

static void data_clear(struct data *data)
{
        free(data->shown);
}

static int read_data(struct cip_blob *blob, struct data *data, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *buffer = malloc(SHOWN_MAX);
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        ssize_t n;

        data->shown = calloc(1, SHOWN_MAX + 1);
        if (!buffer || !data->shown || digest_new(DIGEST_SHA256, &digest) < 0)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        while ((n = cip_blob_read(blob, buffer, SHOWN_MAX, error)) > 0) {
                size_t room = SHOWN_MAX - data->n_shown;
                size_t more = (size_t)n < room ? (size_t)n : room;

                if (digest_update(digest, buffer, (size_t)n) < 0)
                        return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
                memcpy(data->shown + data->n_shown, buffer, more);
                data->n_shown += more;
                data->bytes += (uint64_t)n;
        }
        if (n == 0 && digest_finish(digest, data->digest) < 0)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        return (int)n;
}

/* Whether the beginning of the data is text that people and JSON can take: what would be shown as it is. */
static bool is_text(const struct data *data)
{
        if (!data->shown || data->bytes != data->n_shown)
                return false;
        for (size_t i = 0, n; i < data->n_shown; i += n) {
                uint32_t code;

                n = utf8_character(data->shown + i, data->n_shown - i, &code);
                if (n == 0 || (text_is_harmful(code) && code != '\n' && code != '\t'))
                        return false;
        }
        return true;
}

static void add_reply(struct json_object *object, const char *text)
{
        struct json_object *json = NULL;
        int r = text ? json_parse(text, strlen(text), DEPTH_MAX, &json, NULL) : 0;

        if (r == -ENOMEM)
                json_add_member(object, "reply", NULL);
        else
                json_add_member_or_null(object, "reply", json);
}

/* Notes what a reply gives to later calls. */
static int note_reply(struct call *call, const char *text, struct cip_error *error)
{
        CLEANUP(cleanup_reply) struct reply reply = {0};
        int r;

        if (!*text) {
                call->succeeded = true;
                return 0;
        }
        r = reply_parse(text, strlen(text), &reply, error);
        if (r == -ENOMEM)
                return error_set(error, CIP_ERROR_LOCAL, r, "out of memory");
        if (r < 0)
                return r;
        call->succeeded = reply.success;
        call->value = json_object_get(reply.value);
        call->pipeid = reply.pipeid;
        return 0;
}

static int print_json(struct context *context, const struct call *call, struct json_object *args,
                      const char *reply, const struct data *data, struct cip_error *error)
{
        struct json_object *json = json_object_new_object();

        json_add_text(json, "method", call->words[0]);
        json_add_member(json, "args", json_object_get(args));
        add_reply(json, reply);
        if (data->there) {
                struct json_object *came = json_object_new_object();

                json_add_member(came, "pipes", json_object_new_int((int)data->pipes));
                json_add_member(came, "bytes", json_object_new_int64((int64_t)data->bytes));
                json_add_text(came, "digest", data->digest);
                if (is_text(data))
                        json_add_member(came, "text", json_object_new_string(data->shown));
                else
                        json_add_member_or_null(came, "text", NULL);
                json_add_member(json, "data", came);
        } else {
                json_add_member_or_null(json, "data", NULL);
        }
        return output_json(context, json, error);
}

/* The reply's line. NULL: none came. The caller frees; NULL is out of memory. */
static char *reply_line(const char *reply)
{
        char *line;
        size_t room;

        if (!reply)
                return strdup("");
        if (!*reply)
                return strdup("< (no reply, and the server has ended well)\n");
        room = strlen(reply) * 3 + 4;
        line = malloc(room + 3);
        if (!line)
                return NULL;
        memcpy(line, "< ", 2);
        text_make_safe(line + 2, room, reply, strlen(reply));
        memcpy(line + strlen(line), "\n", 2);
        return line;
}

static int print_text(struct context *context, const struct call *call, const char *args, const char *reply,
                      const struct data *data, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_free) char *line = reply_line(reply);
        char came[300] = "";
        bool shown = data->there && data->bytes > 0 && is_text(data);
        int len;

        if (data->there)
                snprintf(came, sizeof(came), "  %s, %ju bytes, %s\n",
                         data->pipes == 2 ? "2 pipes, data and errors" : "1 pipe", (uintmax_t)data->bytes,
                         data->digest);
        len = !line ? -1
                    : asprintf(&text, "> %s %s\n%s%s%s%s", call->words[0], args, line, came,
                               shown ? data->shown : "",
                               shown && data->shown[data->n_shown - 1] != '\n' ? "\n" : "");
        if (len < 0) {
                text = NULL;
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        }
        return output_write(context, text, (size_t)len, error);
}

/* ---- the calls ---- */

/* One call. A refusal by the server is -EREMOTEIO, after which the session goes on. */
static int do_call(struct context *context, struct cip_session *session, struct calls *calls, struct call *call,
                   struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *args = NULL;
        CLEANUP(cleanup_free) char *reply = NULL;
        CLEANUP(data_clear) struct data data = {0};
        struct cip_blob *blob = NULL;
        struct cip_error because = {.error_class = CIP_ERROR_NONE};
        const char *args_text;
        int r, printed;

        r = make_arguments(calls, call, context->arguments->raw, &args, error);
        if (r < 0)
                return r;
        args_text = json_text(args, JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        if (!args_text)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        r = cip_call(session, call->words[0], args_text, &reply, &blob, &because);
        if (r < 0)
                error_prefix(&because, "call %zu", (size_t)(call - calls->calls) + 1);
        if (r == 0)
                r = note_reply(call, reply, &because);
        if (r == 0 && blob) {
                data.there = true;
                data.pipes = call->pipeid ? 1 : 2;
                r = read_data(blob, &data, &because);
        }
        cip_blob_close(blob);
        if (context->arguments->json)
                printed = print_json(context, call, args, reply, &data, error);
        else
                printed = print_text(context, call, args_text, reply, &data, error);
        if (printed < 0)
                return printed;
        if (r < 0)
                *error = because;
        return r;
}

int command_call(struct context *context, struct cip_error *error)
{
        CLEANUP(cleanup_session) struct cip_session *session = NULL;
        CLEANUP(calls_clear) struct calls calls = {0};
        struct cip_error because;
        int refused = 0;
        int r = calls_parse(context->arguments, &calls, error);

        if (r == 0)
                r = context_open_session(context, &session, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < calls.n; i++) {
                r = do_call(context, session, &calls, &calls.calls[i], &because);
                if (r == -EREMOTEIO && refused == 0) {
                        refused = r;
                        *error = because;
                } else if (r < 0 && r != -EREMOTEIO) {
                        *error = because;
                        return r;
                }
        }
        /* The last call may have been the end. */
        if (calls.calls[calls.n - 1].method && calls.calls[calls.n - 1].method->id == METHOD_SHUTDOWN)
                return refused;
        r = cip_session_close(STEAL(session), refused ? NULL : error);
        return refused ? refused : r;
}
