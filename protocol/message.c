/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests, replies and what comes through pipes as JSON, by json-c. Every integer is looked at as a JSON
 * number, not as json-c's idea of one, which cuts and saturates.
 */
#include "protocol/message.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/printbuf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "protocol/json-grammar.h"

/* A reply holds a list of objects at the most; one that is nested deeper is hostile. */
#define REPLY_DEPTH 32

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free);

/* ---- values ---- */

/* What a value is, in JSON's words. */
static const char *json_word(struct json_object *object)
{
        static const char *const words[] = {
                [json_type_null] = "null",     [json_type_boolean] = "bool",  [json_type_double] = "number",
                [json_type_int] = "number",    [json_type_object] = "object", [json_type_array] = "array",
                [json_type_string] = "string",
        };

        return words[json_object_get_type(object)];
}

int json_parse(const char *data, size_t len, int depth, struct json_object **ret, struct cip_error *error)
{
        CLEANUP(cleanup_json_tokener_free) struct json_tokener *tokener = NULL;
        struct json_judgement judged = json_judge(data, len, depth);
        struct json_object *object;
        int kept = errno;

        if (len >= INT32_MAX - 64)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "JSON of %zu bytes is too large", len);
        if (!judged.whole && judged.right == len)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "unexpected end of JSON input");
        if (!judged.whole)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "invalid JSON at byte %zu", judged.right);
        /*
         * It takes memory for each level before it has seen one. Two more than there are, as it counts what is in
         * the innermost value too.
         */
        tokener = json_tokener_new_ex(judged.deepest + 2);
        /*
         * When it has no memory json-c says anything: success with half a text, or that the text is wrong. A
         * string that it cannot collect is cut in silence, so that room for the longest is made here.
         */
        if (!tokener || printbuf_memset(tokener->pb, 0, 0, (int)len + 1) < 0)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        printbuf_reset(tokener->pb);
        errno = 0;
        object = json_tokener_parse_ex(tokener, data, (int)len);
        /* A number may go on, until there is a byte that is none of it. */
        if (json_tokener_get_error(tokener) == json_tokener_continue)
                object = json_tokener_parse_ex(tokener, "", 1);
        if (errno == ENOMEM || json_tokener_get_error(tokener) != json_tokener_success) {
                json_object_put(object);
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        }
        errno = kept;
        *ret = object;
        return 0;
}

bool json_get_uint(struct json_object *object, uint64_t max, uint64_t *ret)
{
        uint64_t value;

        if (json_object_is_type(object, json_type_int)) {
                if (json_object_get_int64(object) < 0)
                        return false;
                value = json_object_get_uint64(object);
        } else if (json_object_is_type(object, json_type_double)) {
                double number = json_object_get_double(object);

                if (!(number >= 0 && number <= (double)JSON_INTEGER_MAX) || number != floor(number))
                        return false;
                value = (uint64_t)number;
        } else {
                return false;
        }
        if (value > max)
                return false;
        *ret = value;
        return true;
}

/* The same for a size in bytes, where -1 says that it is unknown. */
static bool json_get_size(struct json_object *object, int64_t *ret)
{
        uint64_t value;

        if (json_object_is_type(object, json_type_int) && json_object_get_int64(object) == -1) {
                *ret = -1;
                return true;
        }
        if (!json_get_uint(object, JSON_INTEGER_MAX, &value))
                return false;
        *ret = (int64_t)value;
        return true;
}

/* A copy of a JSON string, which may hold NUL bytes: they end the copy. Returns 0 or -ENOMEM. */
static int copy_string(struct json_object *object, char **ret)
{
        *ret = strdup(json_object_get_string(object));
        return *ret ? 0 : -ENOMEM;
}

/* ---- building ---- */

/* Stands by an object or array in which something is missing. */
static char incomplete;

/*
 * The keys that a message always has are constants: json-c need not copy them, nor look whether they are there.
 */
#define OWN_KEY (JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_KEY_IS_CONSTANT)

static void add_member(struct json_object *object, const char *key, struct json_object *take_value,
                       bool null_is_null, unsigned flags)
{
        if (object && (take_value || null_is_null) &&
            json_object_object_add_ex(object, key, take_value, flags) == 0)
                return;
        json_object_put(take_value);
        if (object)
                json_object_set_userdata(object, &incomplete, NULL);
}

void json_add_member(struct json_object *object, const char *key, struct json_object *take_value)
{
        add_member(object, key, take_value, false, 0);
}

void json_add_member_or_null(struct json_object *object, const char *key, struct json_object *take_value)
{
        add_member(object, key, take_value, true, 0);
}

void json_add_item(struct json_object *array, struct json_object *take_value)
{
        if (array && take_value && json_object_array_add(array, take_value) == 0)
                return;
        json_object_put(take_value);
        if (array)
                json_object_set_userdata(array, &incomplete, NULL);
}

static bool is_whole(struct json_object *object)
{
        bool whole = json_object_get_userdata(object) != &incomplete;

        if (json_object_is_type(object, json_type_object)) {
                json_object_object_foreach (object, key, value) {
                        (void)key;
                        whole = whole && is_whole(value);
                }
        } else if (json_object_is_type(object, json_type_array)) {
                for (size_t i = 0; whole && i < json_object_array_length(object); i++)
                        whole = is_whole(json_object_array_get_idx(object, i));
        }
        return whole;
}

bool json_is_whole(struct json_object *object)
{
        return object && is_whole(object);
}

const char *json_text(struct json_object *object, int flags, size_t *ret_len)
{
        int kept = errno;
        const char *text;

        if (!json_is_whole(object))
                return NULL;
        errno = 0;
        text = json_object_to_json_string_length(object, flags, ret_len);
        if (errno == ENOMEM)
                return NULL;
        errno = kept;
        return text;
}

/* The text of @object, in memory of the caller's. Takes @object. */
static int format_and_put(struct json_object *take_object, char **ret, size_t *ret_len)
{
        size_t len = 0;
        const char *text =
                json_text(take_object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
        char *copy = text ? strndup(text, len) : NULL;

        json_object_put(take_object);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        *ret_len = len;
        return 0;
}

/* ---- requests ---- */

int request_format(const char *method, struct json_object *args, char **ret, size_t *ret_len)
{
        struct json_object *object = json_object_new_object();

        add_member(object, "method", json_object_new_string(method), false, OWN_KEY);
        if (args)
                add_member(object, "args", json_object_get(args), false, OWN_KEY);
        return format_and_put(object, ret, ret_len);
}

void request_clear(struct request *request)
{
        free(request->method);
        json_object_put(request->args);
        *request = (struct request){0};
}

/* A copy in which each invalid byte has become U+FFFD. */
static char *replace_invalid_utf8(const char *data, size_t len, size_t *ret_len)
{
        char *copy = malloc(len * 3 + 1);
        size_t out = 0;

        if (!copy)
                return NULL;
        for (size_t in = 0; in < len; in++) {
                size_t n = text_utf8_run(data + in, len - in);

                memcpy(copy + out, data + in, n);
                in += n;
                out += n;
                if (in == len)
                        break;
                memcpy(copy + out, "\xef\xbf\xbd", 3);
                out += 3;
        }
        copy[out] = '\0';
        *ret_len = out;
        return copy;
}

bool request_key_is(const char *key, const char *name)
{
        static const char long_s[] = "\xc5\xbf";

        for (; *key && *name; name++) {
                if ((*name == 's' || *name == 'S') && strncmp(key, long_s, sizeof(long_s) - 1) == 0)
                        key += sizeof(long_s) - 1;
                else if (tolower((unsigned char)*key++) != tolower((unsigned char)*name))
                        return false;
        }
        return !*key && !*name;
}

/* The text of a method's name. A zero byte does not end it: no method is called so. */
static int copy_method(struct json_object *value, char **ret)
{
        const char *text = json_object_get_string(value);
        size_t len = (size_t)json_object_get_string_len(value), n = 0;
        char *copy;

        if (strlen(text) == len)
                return copy_string(value, ret);
        copy = malloc(len * 6 + 1);
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < len; i++) {
                if (text[i])
                        copy[n++] = text[i];
                else
                        n += (size_t)sprintf(copy + n, "\\u0000");
        }
        copy[n] = '\0';
        *ret = copy;
        return 0;
}

static int take_request_member(const char *key, struct json_object *value, struct request *request,
                               struct cip_error *error)
{
        bool is_method = request_key_is(key, "method");

        if ((!is_method && !request_key_is(key, "args")) || !value)
                return 0;
        if (is_method ? !json_object_is_type(value, json_type_string)
                      : !json_object_is_type(value, json_type_array))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "json: cannot unmarshal %s into Go struct field request.%s of type %s",
                                 json_word(value), is_method ? "method" : "args",
                                 is_method ? "string" : "[]interface {}");
        if (is_method) {
                free(request->method);
                request->method = NULL;
                return copy_method(value, &request->method);
        }
        json_object_put(request->args);
        request->args = json_object_get(value);
        return 0;
}

int request_parse(const char *data, size_t len, struct request *ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *valid = NULL;
        CLEANUP(cleanup_json) struct json_object *object = NULL;
        CLEANUP(cleanup_request) struct request request = {0};
        int r;

        if (!text_is_utf8(data, len)) {
                valid = replace_invalid_utf8(data, len, &len);
                if (!valid)
                        return -ENOMEM;
                data = valid;
        }
        r = json_parse(data, len, JSON_DEPTH_MAX, &object, error);
        if (r < 0)
                return r;
        /* A lone null is an empty request, as it leaves every member as it was. */
        if (object && !json_object_is_type(object, json_type_object))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "json: cannot unmarshal %s into Go value of type main.request",
                                 json_word(object));
        if (object) {
                json_object_object_foreach (object, key, value) {
                        r = take_request_member(key, value, &request, error);
                        if (r < 0)
                                return r;
                }
        }
        if (!request.method)
                request.method = strdup("");
        if (!request.args)
                request.args = json_object_new_array();
        if (!request.method || !request.args)
                return -ENOMEM;
        *ret = request;
        request = (struct request){0};
        return 0;
}

/* ---- replies ---- */

static const char *const error_codes[] = {
        [ERROR_CODE_NONE] = "",
        [ERROR_CODE_EPIPE] = "EPIPE",
        [ERROR_CODE_RETRYABLE] = "retryable",
        [ERROR_CODE_OTHER] = "other",
};

const char *error_code_name(enum error_code code)
{
        return error_codes[code];
}

int error_code_parse(const char *name, enum error_code *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(error_codes); i++) {
                if (strcmp(error_codes[i], name) == 0) {
                        *ret = (enum error_code)i;
                        return 0;
                }
        }
        return -EINVAL;
}

void reply_clear(struct reply *reply)
{
        json_object_put(reply->value);
        free(reply->error);
        *reply = (struct reply){0};
}

static int broken(struct cip_error *error, const char *what, const char *member, const char *problem)
{
        return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "%s: member \"%s\" %s", what, member, problem);
}

/* Finds a member that must be there and of a type (json_type_null: any). */
static int get_member(struct json_object *object, const char *what, const char *key, enum json_type type,
                      struct json_object **ret, struct cip_error *error)
{
        if (!json_object_object_get_ex(object, key, ret))
                return broken(error, what, key, "is missing");
        if (type != json_type_null && !json_object_is_type(*ret, type))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "%s: member \"%s\" is of type %s instead of %s", what, key, json_word(*ret),
                                 json_type_to_name(type));
        return 0;
}

/* Parses an object, and nothing else, as @what. */
static int parse_object(const char *data, size_t len, const char *what, struct json_object **ret,
                        struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *object = NULL;
        int r = json_parse(data, len, REPLY_DEPTH, &object, error);

        if (r < 0) {
                error_prefix(error, "%s", what);
                return r;
        }
        if (!json_object_is_type(object, json_type_object))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "%s: is of type %s instead of object",
                                 what, json_word(object));
        *ret = STEAL(object);
        return 0;
}

/* A code that is not known does not hide the words that come with it. */
static int take_error_code(struct json_object *text, const char *what, const char *key, const char *words,
                           enum error_code *ret, struct cip_error *error)
{
        if (error_code_parse(json_object_get_string(text), ret) < 0)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "%s: member \"%s\" is unknown: %s; the server says: %s", what, key,
                                 json_object_get_string(text), words);
        return 0;
}

static int take_reply_members(struct json_object *object, struct reply *reply, struct cip_error *error)
{
        struct json_object *member;
        uint64_t number;
        int r;

        r = get_member(object, "reply", "success", json_type_boolean, &member, error);
        if (r < 0)
                return r;
        reply->success = json_object_get_boolean(member);
        r = get_member(object, "reply", "value", json_type_null, &member, error);
        if (r < 0)
                return r;
        reply->value = json_object_get(member);
        r = get_member(object, "reply", "pipeid", json_type_null, &member, error);
        if (r < 0)
                return r;
        if (!json_get_uint(member, UINT32_MAX, &number))
                return broken(error, "reply", "pipeid", "is no integer of 0 to 4294967295");
        reply->pipeid = (uint32_t)number;
        r = get_member(object, "reply", "error", json_type_string, &member, error);
        if (r < 0)
                return r;
        r = copy_string(member, &reply->error);
        if (r < 0)
                return r;
        reply->has_error_code = json_object_object_get_ex(object, "error_code", &member);
        if (!reply->has_error_code)
                return 0;
        r = get_member(object, "reply", "error_code", json_type_string, &member, error);
        if (r < 0)
                return r;
        return take_error_code(member, "reply", "error_code", reply->error, &reply->error_code, error);
}

int reply_parse(const char *data, size_t len, struct reply *ret, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *object = NULL;
        CLEANUP(cleanup_reply) struct reply reply = {0};
        int r = parse_object(data, len, "reply", &object, error);

        if (r < 0)
                return r;
        r = take_reply_members(object, &reply, error);
        if (r < 0)
                return r;
        *ret = reply;
        reply = (struct reply){0};
        return 0;
}

/* A failure: an error, and nothing else. */
static int check_failure(const struct reply *reply, size_t n_fds, struct cip_error *error)
{
        if (!*reply->error)
                return broken(error, "failed reply", "error", "is empty");
        if (reply->value)
                return broken(error, "failed reply", "value", "is not null");
        if (reply->pipeid)
                return broken(error, "failed reply", "pipeid", "is not 0");
        if (n_fds)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "failed reply: %zu descriptors came with it", n_fds);
        if (reply->has_error_code && reply->error_code == ERROR_CODE_NONE)
                return broken(error, "failed reply", "error_code", "is empty");
        return 0;
}

static bool value_fits(struct json_object *value, enum value_kind kind)
{
        struct version version;
        uint64_t id;
        int64_t size;

        switch (kind) {
        case VALUE_NULL:
        case VALUE_NO_REPLY:
                return !value;
        case VALUE_VERSION:
                return json_object_is_type(value, json_type_string) &&
                       version_parse(json_object_get_string(value), &version) == 0;
        case VALUE_DIGEST:
                return json_object_is_type(value, json_type_string);
        case VALUE_IMAGE:
                return json_get_uint(value, JSON_INTEGER_MAX, &id) && id > 0;
        case VALUE_IMAGE_OPTIONAL:
                return json_get_uint(value, JSON_INTEGER_MAX, &id);
        case VALUE_SIZE:
                return json_get_size(value, &size);
        case VALUE_LAYERS:
                return json_object_is_type(value, json_type_array);
        }
        return false;
}

static int check_success(const struct reply *reply, const struct method *method, size_t n_fds,
                         struct cip_error *error)
{
        static const char *const wanted[] = {
                [VALUE_NULL] = "null",
                [VALUE_VERSION] = "a version",
                [VALUE_IMAGE] = "an image id of 1 to 2^53-1",
                [VALUE_IMAGE_OPTIONAL] = "an image id of 0 to 2^53-1",
                [VALUE_DIGEST] = "a string",
                [VALUE_SIZE] = "a size of -1 to 2^53-1",
                [VALUE_LAYERS] = "an array",
                [VALUE_NO_REPLY] = "null",
        };

        if (*reply->error)
                return broken(error, "successful reply", "error", "is not empty");
        if (reply->error_code != ERROR_CODE_NONE)
                return broken(error, "successful reply", "error_code", "is not empty");
        if (!method)
                return 0;
        if (!value_fits(reply->value, method->value))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "reply to %s: member \"value\" is not %s: %s", method->name,
                                 wanted[method->value], json_object_to_json_string(reply->value));
        if (n_fds != (size_t)method->pipes)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "reply to %s: %zu descriptors came with it instead of %d", method->name, n_fds,
                                 (int)method->pipes);
        if ((reply->pipeid != 0) != (method->pipes == PIPES_FINISHED))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "reply to %s: member \"pipeid\" is %s 0",
                                 method->name, reply->pipeid ? "not" : "wrongly");
        return 0;
}

int reply_check(const struct reply *reply, const struct method *method, struct version version, size_t n_fds,
                struct cip_error *error)
{
        if (!reply->has_error_code && version_compare(version, VERSION_ERROR_CODE) >= 0)
                return broken(error, "reply", "error_code", "is missing");
        return reply->success ? check_success(reply, method, n_fds, error) : check_failure(reply, n_fds, error);
}

int reply_format(const struct reply *reply, char **ret, size_t *ret_len)
{
        struct json_object *object = json_object_new_object();

        add_member(object, "success", json_object_new_boolean(reply->success), false, OWN_KEY);
        add_member(object, "value", json_object_get(reply->value), true, OWN_KEY);
        add_member(object, "pipeid", json_object_new_int64(reply->pipeid), false, OWN_KEY);
        if (reply->has_error_code)
                add_member(object, "error_code", json_object_new_string(error_code_name(reply->error_code)),
                           false, OWN_KEY);
        add_member(object, "error", json_object_new_string(reply->error ? reply->error : ""), false, OWN_KEY);
        return format_and_put(object, ret, ret_len);
}

/* ---- the raw blob's error pipe ---- */

int pipe_error_parse(const char *data, size_t len, struct pipe_error *ret, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *object = NULL;
        struct json_object *member, *words;
        struct pipe_error parsed;
        int r = parse_object(data, len, "error pipe", &object, error);

        if (r < 0)
                return r;
        r = get_member(object, "error pipe", "message", json_type_string, &words, error);
        if (r < 0)
                return r;
        r = get_member(object, "error pipe", "code", json_type_string, &member, error);
        if (r < 0)
                return r;
        r = take_error_code(member, "error pipe", "code", json_object_get_string(words), &parsed.code, error);
        if (r < 0)
                return r;
        if (parsed.code == ERROR_CODE_NONE)
                return broken(error, "error pipe", "code", "is empty");
        r = copy_string(words, &parsed.message);
        if (r < 0)
                return r;
        *ret = parsed;
        return 0;
}

int pipe_error_format(enum error_code code, const char *message, char **ret, size_t *ret_len)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "code", json_object_new_string(error_code_name(code)));
        json_add_member(object, "message", json_object_new_string(message));
        return format_and_put(object, ret, ret_len);
}

/* ---- layer lists ---- */

void layer_infos_free(struct layer_info *layers, size_t n_layers)
{
        if (!layers)
                return;
        for (size_t i = 0; i < n_layers; i++) {
                free(layers[i].digest);
                free(layers[i].media_type);
        }
        free(layers);
}

/* ALGORITHM:ENCODED as the OCI image specification has it, without knowing the algorithms. */
static bool is_digest(const char *text)
{
        size_t algorithm = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+._-");
        size_t encoded;

        if (algorithm == 0 || !isalnum((unsigned char)text[0]) || text[algorithm] != ':')
                return false;
        text += algorithm + 1;
        encoded = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_-");
        return encoded > 0 && !text[encoded];
}

static int take_layer(struct json_object *object, struct layer_info *layer, struct cip_error *error)
{
        struct json_object *member;
        int r;

        if (!json_object_is_type(object, json_type_object))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "layer: is of type %s instead of object",
                                 json_word(object));
        r = get_member(object, "layer", "digest", json_type_string, &member, error);
        if (r < 0)
                return r;
        r = copy_string(member, &layer->digest);
        if (r < 0)
                return r;
        if (!is_digest(layer->digest))
                return broken(error, "layer", "digest", "is no digest");
        r = get_member(object, "layer", "size", json_type_null, &member, error);
        if (r < 0)
                return r;
        if (!json_get_size(member, &layer->size))
                return broken(error, "layer", "size", "is no integer of -1 to 2^53-1");
        r = get_member(object, "layer", "media_type", json_type_string, &member, error);
        if (r < 0)
                return r;
        return copy_string(member, &layer->media_type);
}

int layer_infos_parse(struct json_object *array, struct layer_info **ret, size_t *ret_n,
                      struct cip_error *error)
{
        struct layer_info *layers;
        size_t n;

        if (!json_object_is_type(array, json_type_array))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "layers: is of type %s instead of array",
                                 json_word(array));
        n = json_object_array_length(array);
        layers = calloc(n + 1, sizeof(*layers));
        if (!layers)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = take_layer(json_object_array_get_idx(array, i), &layers[i], error);

                if (r < 0) {
                        if (r == -EBADMSG)
                                error_prefix(error, "layer %zu", i);
                        layer_infos_free(layers, n);
                        return r;
                }
        }
        *ret = layers;
        *ret_n = n;
        return 0;
}
