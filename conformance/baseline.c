/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading baselines. Every message names the file and the entry by its JSON pointer.
 */
#include "conformance/baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "conformance/known.h"
#include "conformance/selection.h"
#include "protocol/message.h"

#define BASELINE_MAX ((size_t)4 * 1024 * 1024)
#define BASELINE_FORMAT 1

/* Deeper than a baseline is. */
#define BASELINE_DEPTH 8

/* Where a reader is, for messages. */
struct place {
        const struct catalogue *catalogue;
        const char *file;
        size_t entry;
        struct cip_error *error;
};

static int wrong(const struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(const struct place *place, const char *format, ...)
{
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        return error_set(place->error, CIP_ERROR_LOCAL, -EBADMSG, "%s: /entries/%zu: %s", place->file,
                         place->entry, text);
}

/* The members of an entry. */
static const struct {
        const char *name;
        enum json_type type;
        size_t offset; /* of a text's char * in struct baseline_entry; 0: it is read otherwise */
        enum { REQUIRED, REQUIRED_OF_CHECKS, OPTIONAL } need;
} members[] = {
        {"check", json_type_string, 0, REQUIRED}, /* the catalogue's noun */
        {"releases", json_type_array, 0, REQUIRED},
        {"defect", json_type_string, offsetof(struct baseline_entry, defect), REQUIRED},
        {"effect", json_type_string, offsetof(struct baseline_entry, effect), REQUIRED_OF_CHECKS},
        {"reproducer", json_type_string, offsetof(struct baseline_entry, reproducer), REQUIRED_OF_CHECKS},
        {"shows", json_type_string, offsetof(struct baseline_entry, shows), OPTIONAL},
        {"reference", json_type_string, offsetof(struct baseline_entry, reference), REQUIRED},
        {"mention", json_type_string, offsetof(struct baseline_entry, mention), OPTIONAL},
        {"transcript", json_type_string, offsetof(struct baseline_entry, transcript), OPTIONAL},
        {"faults", json_type_string, offsetof(struct baseline_entry, faults), OPTIONAL},
        {"sometimes", json_type_boolean, 0, OPTIONAL},
};

/* A client's defects are reproduced by its suite, scenario by scenario. */
static bool is_required(const struct place *place, size_t i)
{
        return members[i].need == REQUIRED ||
               (members[i].need == REQUIRED_OF_CHECKS && place->catalogue == &server_catalogue);
}

static const char *type_name(enum json_type type)
{
        return type == json_type_array ? "array" : type == json_type_boolean ? "true or false" : "text";
}

static const char *member_name(const struct place *place, size_t i)
{
        return i == 0 ? place->catalogue->noun : members[i].name;
}

/* Refuses a key that is none of the members'. */
static int judge_key(const struct place *place, const char *key)
{
        struct nearest nearest = {.name = key};
        char hint[96];

        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                if (strcmp(member_name(place, i), key) == 0)
                        return 0;
                text_nearest(&nearest, member_name(place, i));
        }
        return wrong(place, "unknown key \"%s\"%s", key, nearest_hint(&nearest, hint, sizeof(hint)));
}

static int judge_members(const struct place *place, struct json_object *object)
{
        struct json_object *member;

        if (!json_object_is_type(object, json_type_object))
                return wrong(place, "an entry is an object");
        json_object_object_foreach (object, key, value) {
                int r = judge_key(place, key);

                (void)value;
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                const char *name = member_name(place, i);

                if (!json_object_object_get_ex(object, name, &member)) {
                        if (!is_required(place, i))
                                continue;
                        return wrong(place, "\"%s\" is missing", name);
                }
                if (!json_object_is_type(member, members[i].type))
                        return wrong(place, "\"%s\" is no %s", name, type_name(members[i].type));
                if (members[i].type == json_type_string && json_object_get_string_len(member) == 0)
                        return wrong(place, "\"%s\" is empty", name);
        }
        return 0;
}

/* "1.9.3" or "1.18.0..1.22.0". */
static int parse_range(const char *text, struct release_range *ret)
{
        const char *dots = strstr(text, "..");
        char first[VERSION_TEXT_SIZE];

        if (!dots)
                dots = text + strlen(text);
        if ((size_t)(dots - text) >= sizeof(first))
                return -EINVAL;
        memcpy(first, text, (size_t)(dots - text));
        first[dots - text] = '\0';
        if (version_parse(first, &ret->first) < 0)
                return -EINVAL;
        ret->last = ret->first;
        if (*dots && version_parse(dots + 2, &ret->last) < 0)
                return -EINVAL;
        if (version_compare(ret->first, ret->last) > 0 || (ret->first.major == 0) != (ret->last.major == 0))
                return -EINVAL;
        return 0;
}

static int parse_releases(const struct place *place, struct json_object *array, struct baseline_entry *entry)
{
        size_t n = json_object_array_length(array);

        if (n == 0)
                return wrong(place, "\"releases\" is empty");
        entry->releases = calloc(n, sizeof(*entry->releases));
        if (!entry->releases)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                struct json_object *item = json_object_array_get_idx(array, i);
                const char *text = json_object_get_string(item);

                if (!json_object_is_type(item, json_type_string) || parse_range(text, &entry->releases[i]) < 0)
                        return wrong(place, "\"%s\" is no release, such as \"1.9.3\" or \"1.18.0..1.22.0\"",
                                     text ? text : "null");
                entry->n_releases++;
        }
        return 0;
}

static int parse_check(const struct place *place, const char *id, struct baseline_entry *entry)
{
        struct nearest nearest = {.name = id};
        char hint[128];

        entry->check = selection_find(place->catalogue, id);
        selection_offer(place->catalogue, &nearest);
        if (!entry->check)
                return wrong(place, "there is no %s \"%s\"%s", place->catalogue->noun, id,
                             nearest_hint(&nearest, hint, sizeof(hint)));
        return 0;
}

static bool overlap(const struct baseline_entry *a, const struct baseline_entry *b)
{
        for (size_t i = 0; i < a->n_releases; i++)
                for (size_t j = 0; j < b->n_releases; j++)
                        if (version_compare(a->releases[i].first, b->releases[j].last) <= 0 &&
                            version_compare(b->releases[j].first, a->releases[i].last) <= 0)
                                return true;
        return false;
}

static int judge_duplicates(const struct place *place, const struct baseline *baseline,
                            const struct baseline_entry *entry)
{
        for (size_t i = 0; i < baseline->n_entries; i++)
                if (baseline->entries[i].check == entry->check && overlap(&baseline->entries[i], entry))
                        return wrong(place, "%s was in /entries/%zu already, for some of the same releases",
                                     entry->check->id, i);
        return 0;
}

static int parse_entry(const struct place *place, struct json_object *object, struct baseline *baseline)
{
        struct baseline_entry *entry = &baseline->entries[baseline->n_entries];
        int r = judge_members(place, object);

        if (r < 0)
                return r;
        entry->sometimes = json_object_get_boolean(json_object_object_get(object, "sometimes"));
        for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
                char **text = (char **)(void *)((char *)entry + members[i].offset);
                struct json_object *value;

                if (!members[i].offset || !json_object_object_get_ex(object, members[i].name, &value))
                        continue;
                *text = strdup(json_object_get_string(value));
                if (!*text)
                        return -ENOMEM;
        }
        r = parse_check(place, json_object_get_string(json_object_object_get(object, place->catalogue->noun)),
                        entry);
        if (r == 0)
                r = parse_releases(place, json_object_object_get(object, "releases"), entry);
        if (r == 0)
                r = judge_duplicates(place, baseline, entry);
        return r;
}

static int judge_top(const char *name, struct json_object *json, struct json_object **ret_entries,
                     struct cip_error *error)
{
        struct json_object *format;

        if (!json_object_is_type(json, json_type_object))
                return error_set(error, CIP_ERROR_LOCAL, -EBADMSG, "%s: a baseline is a JSON object", name);
        json_object_object_foreach (json, key, value) {
                (void)value;
                if (strcmp(key, "baseline") != 0 && strcmp(key, "entries") != 0)
                        return error_set(error, CIP_ERROR_LOCAL, -EBADMSG,
                                         "%s: unknown key \"%s\"; there are \"baseline\" and \"entries\"", name,
                                         key);
        }
        if (!json_object_object_get_ex(json, "baseline", &format) ||
            !json_object_is_type(format, json_type_int) || json_object_get_int64(format) != BASELINE_FORMAT)
                return error_set(error, CIP_ERROR_LOCAL, -EBADMSG,
                                 "%s: \"baseline\" must be %d, the form's number", name, BASELINE_FORMAT);
        if (!json_object_object_get_ex(json, "entries", ret_entries) ||
            !json_object_is_type(*ret_entries, json_type_array))
                return error_set(error, CIP_ERROR_LOCAL, -EBADMSG, "%s: \"entries\" must be an array", name);
        return 0;
}

int baseline_parse(const struct catalogue *catalogue, const char *name, const char *text, size_t len,
                   struct baseline **ret, struct cip_error *error)
{
        CLEANUP(cleanup_baseline_free) struct baseline *baseline = calloc(1, sizeof(*baseline));
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        struct json_object *entries = NULL;
        size_t n;
        int r;

        if (!baseline || !(baseline->name = strdup(name)))
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read the baseline %s", name);
        r = json_parse(text, len, BASELINE_DEPTH, &json, error);
        if (r < 0) {
                error_prefix(error, "%s: a baseline is JSON, and this is none", name);
                return r;
        }
        r = judge_top(name, json, &entries, error);
        if (r < 0)
                return r;
        n = json_object_array_length(entries);
        baseline->entries = calloc(n + 1, sizeof(*baseline->entries));
        if (!baseline->entries)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read the baseline %s", name);
        for (size_t i = 0; i < n; i++) {
                r = parse_entry(&(struct place){catalogue, name, i, error},
                                json_object_array_get_idx(entries, i), baseline);
                if (r == -ENOMEM)
                        error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read the baseline %s", name);
                /* An entry that was read half is freed with the others. */
                baseline->n_entries++;
                if (r < 0)
                        return r;
        }
        *ret = STEAL(baseline);
        return 0;
}

int baseline_load(const struct catalogue *catalogue, const char *path, struct baseline **ret,
                  struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        int r = read_file_at(AT_FDCWD, path, BASELINE_MAX, &text, &len, error);

        if (r < 0) {
                error_prefix(error, "the baseline");
                return r;
        }
        return baseline_parse(catalogue, path, text, len, ret, error);
}

int baseline_built_in(struct baseline **ret, struct cip_error *error)
{
        return baseline_parse(&server_catalogue, "conformance/known/skopeo.json",
                              (const char *)known_skopeo_json, known_skopeo_json_size, ret, error);
}

void baseline_free(struct baseline *baseline)
{
        if (!baseline)
                return;
        for (size_t i = 0; i < baseline->n_entries; i++) {
                free(baseline->entries[i].releases);
                free(baseline->entries[i].defect);
                free(baseline->entries[i].effect);
                free(baseline->entries[i].reproducer);
                free(baseline->entries[i].shows);
                free(baseline->entries[i].reference);
                free(baseline->entries[i].mention);
                free(baseline->entries[i].transcript);
                free(baseline->entries[i].faults);
        }
        free(baseline->entries);
        free(baseline->name);
        free(baseline);
}

static bool in_range(const struct release_range *range, struct version version)
{
        return version_compare(range->first, version) <= 0 && version_compare(version, range->last) <= 0;
}

bool baseline_entry_holds(const struct baseline_entry *entry, struct version protocol, const char *release)
{
        struct version skopeo;
        bool has_release = version_parse(release, &skopeo) == 0;

        for (size_t i = 0; i < entry->n_releases; i++) {
                const struct release_range *range = &entry->releases[i];

                if (range->first.major == 0 ? in_range(range, protocol)
                                            : has_release && in_range(range, skopeo))
                        return true;
        }
        return false;
}

const struct baseline_entry *baseline_find(const struct baseline *baseline, const struct check *check,
                                           struct version protocol, const char *release, const char *message)
{
        for (size_t i = 0; baseline && i < baseline->n_entries; i++) {
                const struct baseline_entry *entry = &baseline->entries[i];

                if (entry->check == check && !(message && entry->mention && !strstr(message, entry->mention)) &&
                    baseline_entry_holds(entry, protocol, release))
                        return entry;
        }
        return NULL;
}
