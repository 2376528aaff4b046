/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and replies as JSON text, in both directions. A reply that comes in is judged strictly: this is
 * what a client relies on. A request that comes in is read as Go's encoding/json reads it, which is what
 * servers do. docs/protocol.md#request-and-reply
 */
#ifndef PROTOCOL_MESSAGE_H
#define PROTOCOL_MESSAGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "protocol/method.h"
#include "protocol/version.h"

/* The largest integer that a JSON number carries exactly. */
#define JSON_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

static inline void cleanup_json(struct json_object **object)
{
        json_object_put(*object);
}

/*
 * Parses exactly one JSON value of @len bytes, white space around it allowed, nesting up to @depth; valid UTF-8
 * only. The value is the caller's to put; JSON's null is *@ret NULL. Returns 0, -EBADMSG with @error (class
 * `protocol`, the offset and what is wrong there), or -ENOMEM.
 */
int json_parse(const char *data, size_t len, int depth, struct json_object **ret, struct cip_error *error);

/*
 * Building JSON. A value that could not be made (NULL) or added leaves a mark on what it should have become a part of,
 * which may be NULL itself; json_text sees the mark. So nobody has to look at each step.
 */
void json_add_member(struct json_object *object, const char *key, struct json_object *take_value);
void json_add_item(struct json_object *array, struct json_object *take_value);

/* The same, where NULL stands for JSON's null. */
void json_add_member_or_null(struct json_object *object, const char *key, struct json_object *take_value);

/* Whether all that was added is there. False for NULL. */
bool json_is_whole(struct json_object *object);

/*
 * The text of @object in json-c's @flags, which belongs to @object and lives as long; its length where @ret_len is not
 * NULL. NULL when memory ran out, now or when @object was built: json-c itself would leave out what it has no room
 * for, and say nothing.
 */
const char *json_text(struct json_object *object, int flags, size_t *ret_len);

/* Takes an integer of 0 to @max out of a JSON number (1e3 and 2.0 are integers). False: it is none such. */
bool json_get_uint(struct json_object *object, uint64_t max, uint64_t *ret);

/* ---- requests ---- */

/*
 * The text of a request. @args is a JSON array, borrowed; NULL leaves the member out. *@ret is NUL-terminated
 * and the caller's to free. Returns 0 or -ENOMEM.
 */
int request_format(const char *method, struct json_object *args, char **ret, size_t *ret_len);

/* A request that came in. */
struct request {
        char *method;             /* as sent, a zero byte as \u0000; "" where the member was missing or null */
        struct json_object *args; /* an array; empty where it was missing or null */
};

void request_clear(struct request *request);
static inline void cleanup_request(struct request *request)
{
        request_clear(request);
}

/*
 * Reads a request as Go's encoding/json does: unknown keys ignored, keys without regard to case, the last of
 * two equal ones wins, null leaves a member as it was, a lone byte of invalid UTF-8 becomes U+FFFD, nesting
 * past 10,000 and text after the value are errors. Returns 0, or -EBADMSG with @error of class `protocol`
 * whose message is what a server answers behind "invalid request: ", or -ENOMEM.
 */
int request_parse(const char *data, size_t len, struct request *ret, struct cip_error *error);

/* Whether Go takes @key for the member @name: without regard to case as Unicode has it, where a long s is an s. */
bool request_key_is(const char *key, const char *name);

/* ---- replies ---- */

/* The error codes of protocol 0.2.8. docs/protocol.md#error-codes */
enum error_code {
        ERROR_CODE_NONE = 0, /* "" on success; also: the reply has no such member */
        ERROR_CODE_EPIPE,
        ERROR_CODE_RETRYABLE,
        ERROR_CODE_OTHER,
};

/* The code's text on the wire: "", "EPIPE", "retryable", "other". */
const char *error_code_name(enum error_code code);

/* Returns 0, or -EINVAL where there is no code of that name. */
int error_code_parse(const char *name, enum error_code *ret);

struct reply {
        bool success;
        struct json_object *value; /* NULL: JSON's null */
        uint32_t pipeid;
        bool has_error_code;
        enum error_code error_code;
        char *error; /* "" on success; hostile text, see text_make_safe */
};

void reply_clear(struct reply *reply);
static inline void cleanup_reply(struct reply *reply)
{
        reply_clear(reply);
}

/*
 * Reads a reply strictly: one JSON object with success, value, pipeid, error, each of its type; error_code may
 * be missing (reply_check knows the version). Members that the protocol does not know are ignored. Returns 0,
 * or -EBADMSG with @error of class `protocol` that names the member, or -ENOMEM.
 */
int reply_parse(const char *data, size_t len, struct reply *ret, struct cip_error *error);

/*
 * Judges a parsed reply with @n_fds descriptors as the answer to @method (NULL: one that the protocol does not
 * know) by a server of @version: error_code there when it must be, success and error in keeping, value of the
 * method's type, pipeid and the number of descriptors as the method says. Returns 0, or -EBADMSG with @error.
 */
int reply_check(const struct reply *reply, const struct method *method, struct version version, size_t n_fds,
                struct cip_error *error);

/* The text of a reply; error_code is written where has_error_code. As request_format in all else. */
int reply_format(const struct reply *reply, char **ret, size_t *ret_len);

/* ---- the raw blob's error pipe ---- */

struct pipe_error {
        enum error_code code;
        char *message; /* hostile text */
};

/* Reads the one object of GetRawBlob's error pipe, strictly. Returns 0, -EBADMSG with @error, or -ENOMEM. */
int pipe_error_parse(const char *data, size_t len, struct pipe_error *ret, struct cip_error *error);

/* Its text. As request_format. */
int pipe_error_format(enum error_code code, const char *message, char **ret, size_t *ret_len);

/* ---- layer lists ---- */

/* A layer as GetLayerInfo tells of it; the strings are the array's own. */
struct layer_info {
        char *digest;
        int64_t size; /* bytes, -1 unknown */
        char *media_type;
};

void layer_infos_free(struct layer_info *layers, size_t n_layers);

/*
 * Reads the array of GetLayerInfo's value or of GetLayerInfoPiped's pipe, strictly; digests are checked for
 * their form. The array is the caller's to layer_infos_free. Returns 0, -EBADMSG with @error, or -ENOMEM.
 */
int layer_infos_parse(struct json_object *array, struct layer_info **ret, size_t *ret_n,
                      struct cip_error *error);

#endif
