/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configs as servers send them: a table of the members that OCI's config has, in the order and with the types
 * of its Go structures, and one function for each type that copies a member over. The order is that of
 * image-spec 1.1; servers built on 1.0 (skopeo 1.9.3) put `variant` before `os`, and are the same in all else.
 */
#include "image/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "image/local-error.h"
#include "protocol/message.h"

/* Go's encoding/json gives up at this depth. */
#define CONFIG_DEPTH 10000

enum field_type {
        FIELD_STRING,
        FIELD_TIME,
        FIELD_BOOL,
        FIELD_STRINGS,    /* an array of strings */
        FIELD_SET,        /* an object whose members' values are empty objects */
        FIELD_STRING_MAP, /* an object of strings */
        FIELD_OBJECT,
        FIELD_OBJECTS, /* an array of objects */
};

struct field {
        const char *name;
        enum field_type type;
        bool always;                /* written when it is empty too */
        const struct field *fields; /* of an object, or of an array's objects */
};

static const struct field image_config_fields[] = {
        {"User", FIELD_STRING},
        {"ExposedPorts", FIELD_SET},
        {"Env", FIELD_STRINGS},
        {"Entrypoint", FIELD_STRINGS},
        {"Cmd", FIELD_STRINGS},
        {"Volumes", FIELD_SET},
        {"WorkingDir", FIELD_STRING},
        {"Labels", FIELD_STRING_MAP},
        {"StopSignal", FIELD_STRING},
        {"ArgsEscaped", FIELD_BOOL},
        {0},
};

static const struct field rootfs_fields[] = {
        {"type", FIELD_STRING, true},
        {"diff_ids", FIELD_STRINGS, true},
        {0},
};

static const struct field history_fields[] = {
        {"created", FIELD_TIME},   {"created_by", FIELD_STRING}, {"author", FIELD_STRING},
        {"comment", FIELD_STRING}, {"empty_layer", FIELD_BOOL},  {0},
};

static const struct field image_fields[] = {
        {"created", FIELD_TIME},
        {"author", FIELD_STRING},
        {"architecture", FIELD_STRING, true},
        {"os", FIELD_STRING, true},
        {"os.version", FIELD_STRING},
        {"os.features", FIELD_STRINGS},
        {"variant", FIELD_STRING},
        {"config", FIELD_OBJECT, true, image_config_fields},
        {"rootfs", FIELD_OBJECT, true, rootfs_fields},
        {"history", FIELD_OBJECTS, false, history_fields},
        {0},
};

static const char *const go_types[] = {
        [FIELD_STRING] = "string",
        [FIELD_TIME] = "time.Time",
        [FIELD_BOOL] = "bool",
        [FIELD_STRINGS] = "[]string",
        [FIELD_SET] = "map[string]struct {}",
        [FIELD_STRING_MAP] = "map[string]string",
        [FIELD_OBJECT] = "v1.Image",
        [FIELD_OBJECTS] = "[]v1.History",
};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for the config");
}

static int wrong_type(struct json_object *value, const struct field *field, struct cip_error *error)
{
        const char *is = json_object_is_type(value, json_type_array)     ? "array"
                         : json_object_is_type(value, json_type_object)  ? "object"
                         : json_object_is_type(value, json_type_string)  ? "string"
                         : json_object_is_type(value, json_type_boolean) ? "bool"
                                                                         : "number";

        return local_error(error, -EBADMSG,
                           "json: cannot unmarshal %s into Go struct field Image.%s of type %s", is,
                           field->name, go_types[field->type]);
}

/* The member that Go would take for @name: without regard to case, the last one that is not null. */
static struct json_object *find_member(struct json_object *object, const char *name)
{
        struct json_object *found = NULL;

        json_object_object_foreach (object, key, value) {
                if (value && strcasecmp(key, name) == 0)
                        found = value;
        }
        return found;
}

static int copy_fields(struct json_object *from, const struct field *fields, struct json_object **ret,
                       struct cip_error *error);

static int copy_strings(struct json_object *from, const struct field *field, struct json_object **ret,
                        struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *array = json_object_new_array();

        if (!array)
                return no_memory(error);
        for (size_t i = 0; i < json_object_array_length(from); i++) {
                struct json_object *item = json_object_array_get_idx(from, i);
                struct json_object *copy = item ? json_object_get(item) : json_object_new_string("");

                if (item && !json_object_is_type(item, json_type_string)) {
                        json_object_put(copy);
                        return wrong_type(item, field, error);
                }
                if (!copy || json_object_array_add(array, copy) < 0) {
                        json_object_put(copy);
                        return no_memory(error);
                }
        }
        *ret = STEAL(array);
        return 0;
}

static int compare_keys(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Go writes maps in the order of their keys' bytes. */
static int copy_map(struct json_object *from, const struct field *field, struct json_object **ret,
                    struct cip_error *error)
{
        size_t n = (size_t)json_object_object_length(from), i = 0;
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        CLEANUP(cleanup_free) const char **keys = calloc(n + 1, sizeof(*keys));

        if (!object || !keys)
                return no_memory(error);
        json_object_object_foreach (from, key, unused) {
                (void)unused;
                keys[i++] = key;
        }
        qsort(keys, n, sizeof(*keys), compare_keys);
        for (i = 0; i < n; i++) {
                struct json_object *item = json_object_object_get(from, keys[i]), *copy;
                bool set = field->type == FIELD_SET;

                if (item && !json_object_is_type(item, set ? json_type_object : json_type_string))
                        return wrong_type(item, field, error);
                copy = set    ? json_object_new_object()
                       : item ? json_object_get(item)
                              : json_object_new_string("");
                if (!copy || json_object_object_add(object, keys[i], copy) < 0) {
                        json_object_put(copy);
                        return no_memory(error);
                }
        }
        *ret = STEAL(object);
        return 0;
}

static int copy_objects(struct json_object *from, const struct field *field, struct json_object **ret,
                        struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *array = json_object_new_array();

        if (!array)
                return no_memory(error);
        for (size_t i = 0; i < json_object_array_length(from); i++) {
                struct json_object *item = json_object_array_get_idx(from, i), *copy = NULL;
                int r;

                if (item && !json_object_is_type(item, json_type_object))
                        return wrong_type(item, field, error);
                r = copy_fields(item, field->fields, &copy, error);
                if (r < 0)
                        return r;
                if (json_object_array_add(array, copy) < 0) {
                        json_object_put(copy);
                        return no_memory(error);
                }
        }
        *ret = STEAL(array);
        return 0;
}

/* Go's "omitempty", and NULL for what is left out. */
static bool is_empty(struct json_object *value)
{
        switch (json_object_get_type(value)) {
        case json_type_boolean:
                return !json_object_get_boolean(value);
        case json_type_string:
                return json_object_get_string_len(value) == 0;
        case json_type_array:
                return json_object_array_length(value) == 0;
        case json_type_object:
                return json_object_object_length(value) == 0;
        default:
                return true;
        }
}

/* ---- times ---- */

/* Two digits, of a number of at most @max. Moves @at behind them. */
static bool take_two(const char **at, int max)
{
        const char *text = *at;

        if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
                return false;
        *at += 2;
        return (text[0] - '0') * 10 + text[1] - '0' <= max;
}

static bool take(const char **at, char wanted)
{
        return *(*at)++ == wanted;
}

/* The end of a time: "Z", or hours and minutes. */
static bool is_zone(const char *at)
{
        if (strcmp(at, "Z") == 0)
                return true;
        if (*at != '+' && *at != '-')
                return false;
        at++;
        return take_two(&at, 24) && take(&at, ':') && take_two(&at, 60) && !*at;
}

/* So many digits as a number. */
static int number_at(const char *text, size_t n)
{
        int number = 0;

        for (size_t i = 0; i < n; i++)
                number = number * 10 + text[i] - '0';
        return number;
}

/* Of a text that begins with a date in digits: there are so many days in that month. */
static bool has_day(const char *text)
{
        static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int year = number_at(text, 4), month = number_at(text + 5, 2), day = number_at(text + 8, 2);

        if (month < 1 || day < 1 || day > days[month - 1])
                return false;
        return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* RFC 3339; *@ret_fraction: where the fraction begins, *@ret_zone: where it has ended. */
static bool split_time(const char *text, const char **ret_fraction, const char **ret_zone)
{
        /* Two digits each, and what stands behind them; a year has four. */
        static const struct {
                int max;
                char behind;
        } parts[] = {{99, '\0'}, {99, '-'}, {12, '-'}, {31, 'T'}, {23, ':'}, {59, ':'}, {59, '\0'}};
        const char *at = text;

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                if (!take_two(&at, parts[i].max) || (parts[i].behind && !take(&at, parts[i].behind)))
                        return false;
        if (!has_day(text))
                return false;
        *ret_fraction = at;
        if (*at == '.') {
                at += 1 + strspn(at + 1, "0123456789");
                if (at == *ret_fraction + 1)
                        return false;
        }
        *ret_zone = at;
        return is_zone(at);
}

/* Digits of a fraction that Go keeps. */
#define NANO_DIGITS 9

int time_to_go(struct json_object *time, char **ret, struct cip_error *error)
{
        const char *text = time ? json_object_get_string(time) : "0001-01-01T00:00:00Z", *fraction, *zone;
        size_t len;

        if (time && !json_object_is_type(time, json_type_string))
                return local_error(error, -EBADMSG, "Time.UnmarshalJSON: input is not a JSON string");
        if (!split_time(text, &fraction, &zone))
                return local_error(error, -EBADMSG,
                                   "parsing time \"%s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"%s\" "
                                   "as \"2006\"",
                                   text, text);
        len = (size_t)(zone - fraction);
        len = len > NANO_DIGITS + 1 ? NANO_DIGITS + 1 : len;
        while (len > 0 && (fraction[len - 1] == '0' || fraction[len - 1] == '.'))
                len--;
        if (strcmp(zone, "+00:00") == 0 || strcmp(zone, "-00:00") == 0)
                zone = "Z";
        if (asprintf(ret, "%.*s%s", (int)(fraction - text + (ptrdiff_t)len), text, zone) >= 0)
                return 0;
        *ret = NULL;
        return no_memory(error);
}

static int copy_time(struct json_object *value, struct json_object **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        int r = time_to_go(value, &text, error);

        if (r < 0)
                return r;
        *ret = json_object_new_string(text);
        return *ret ? 0 : no_memory(error);
}

/* ---- members ---- */

static const enum json_type json_types[] = {
        [FIELD_STRING] = json_type_string, [FIELD_TIME] = json_type_string,
        [FIELD_BOOL] = json_type_boolean,  [FIELD_STRINGS] = json_type_array,
        [FIELD_SET] = json_type_object,    [FIELD_STRING_MAP] = json_type_object,
        [FIELD_OBJECT] = json_type_object, [FIELD_OBJECTS] = json_type_array,
};

/* *@ret: the member's new value, NULL for none. */
static int copy_field(struct json_object *value, const struct field *field, struct json_object **ret,
                      struct cip_error *error)
{
        if (value && field->type == FIELD_TIME)
                return copy_time(value, ret, error);
        if (value && !json_object_is_type(value, json_types[field->type]))
                return wrong_type(value, field, error);
        if (field->type == FIELD_OBJECT)
                return copy_fields(value, field->fields, ret, error);
        if (!value) {
                /* An array that is always written is null when there was none. */
                *ret = field->always && field->type == FIELD_STRING ? json_object_new_string("") : NULL;
                return 0;
        }
        switch (field->type) {
        case FIELD_STRINGS:
                return copy_strings(value, field, ret, error);
        case FIELD_SET:
        case FIELD_STRING_MAP:
                return copy_map(value, field, ret, error);
        case FIELD_OBJECTS:
                return copy_objects(value, field, ret, error);
        default:
                *ret = json_object_get(value);
                return 0;
        }
}

/* @from NULL: an empty object. */
static int copy_fields(struct json_object *from, const struct field *fields, struct json_object **ret,
                       struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();

        if (!object)
                return no_memory(error);
        for (const struct field *field = fields; field->name; field++) {
                struct json_object *copy = NULL;
                int r = copy_field(from ? find_member(from, field->name) : NULL, field, &copy, error);

                if (r < 0)
                        return r;
                if (!field->always && is_empty(copy)) {
                        json_object_put(copy);
                        continue;
                }
                if (json_object_object_add(object, field->name, copy) < 0) {
                        json_object_put(copy);
                        return no_memory(error);
                }
        }
        *ret = STEAL(object);
        return 0;
}

int config_to_oci(const char *data, size_t len, bool member_only, char **ret, size_t *ret_len,
                  struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *from = NULL;
        CLEANUP(cleanup_json) struct json_object *image = NULL;
        const struct field whole = {"", FIELD_OBJECT, true, image_fields};
        int r = json_parse(data, len, CONFIG_DEPTH, &from, error);

        if (r == -EBADMSG && error)
                error->error_class = CIP_ERROR_LOCAL;
        if (r < 0)
                return r;
        if (from && !json_object_is_type(from, json_type_object))
                return local_error(error, -EBADMSG, "json: cannot unmarshal %s into Go value of type v1.Image",
                                   json_object_is_type(from, json_type_array)     ? "array"
                                   : json_object_is_type(from, json_type_string)  ? "string"
                                   : json_object_is_type(from, json_type_boolean) ? "bool"
                                                                                  : "number");
        r = copy_fields(from, whole.fields, &image, error);
        if (r < 0)
                return r;
        r = json_format_go(member_only ? json_object_object_get(image, "config") : image, ret, ret_len);
        return r < 0 ? no_memory(error) : 0;
}

/* What Go escapes and json-c does not. All of it can stand within strings only. */
static const struct {
        const char *raw, *escaped;
        size_t raw_len;
} go_escapes[] = {
        {"<", "\\u003c", 1},
        {">", "\\u003e", 1},
        {"&", "\\u0026", 1},
        {"\xe2\x80\xa8", "\\u2028", 3},
        {"\xe2\x80\xa9", "\\u2029", 3},
};

/* The first bytes of those. */
static const bool begins_escape[256] = {['<'] = true, ['>'] = true, ['&'] = true, [0xe2] = true};

int json_format_go(struct json_object *json, char **ret, size_t *ret_len)
{
        size_t len = strlen("null"), n = 0;
        const char *text =
                json ? json_text(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len) : "null";
        char *out = text ? malloc(len * 6 + 1) : NULL;

        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < len;) {
                size_t run = text_run_until(text + i, len - i, begins_escape), e = 0;

                memcpy(out + n, text + i, run);
                n += run;
                i += run;
                if (i == len)
                        break;
                while (e < ARRAY_SIZE(go_escapes) &&
                       strncmp(text + i, go_escapes[e].raw, go_escapes[e].raw_len) != 0)
                        e++;
                if (e == ARRAY_SIZE(go_escapes)) {
                        out[n++] = text[i++];
                        continue;
                }
                memcpy(out + n, go_escapes[e].escaped, 6);
                n += 6;
                i += go_escapes[e].raw_len;
        }
        out[n] = '\0';
        *ret = out;
        *ret_len = n;
        return 0;
}
