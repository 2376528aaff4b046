/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's schema 1. Its history is an array of texts, each of them JSON that describes a layer and the config
 * up to there, topmost first. What is checked, and in which words and order, follows
 * github.com/containers/image.
 */
#include "image/schema-1.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/config.h"
#include "image/local-error.h"
#include "protocol/message.h"
#include "protocol/version.h"

/* Go's encoding/json gives up at this depth. */
#define ENTRY_DEPTH 10000

#define ID_SIZE 64

/* A layer and its entry of the history. */
struct entry {
        struct json_object *json; /* the entry, owned; NULL: null */
        const char *digest;       /* borrowed from the manifest */
        const char *id, *parent;  /* borrowed from @json; empty: none */
        char *created;            /* owned */
};

struct schema_1 {
        struct entry *entries; /* topmost first */
        size_t n;
        struct content *layers; /* bottom first; their digests are owned */
};

#define broken(error, ...) local_error((error), -EBADMSG, __VA_ARGS__)

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for the manifest");
}

static void entry_clear(struct entry *entry)
{
        json_object_put(entry->json);
        free(entry->created);
}

void schema_1_free(struct schema_1 *schema_1)
{
        if (!schema_1)
                return;
        for (size_t i = 0; i < schema_1->n; i++) {
                entry_clear(&schema_1->entries[i]);
                if (schema_1->layers)
                        free(schema_1->layers[i].digest);
        }
        free(schema_1->entries);
        free(schema_1->layers);
        free(schema_1);
}

/* ---- members ---- */

static const char *go_name(struct json_object *value)
{
        return json_object_is_type(value, json_type_array)     ? "array"
               : json_object_is_type(value, json_type_object)  ? "object"
               : json_object_is_type(value, json_type_string)  ? "string"
               : json_object_is_type(value, json_type_boolean) ? "bool"
                                                               : "number";
}

/*
 * A member that is of the type, or missing, or null, both of which are NULL. @go: its place and type in Go's
 * words.
 */
static int get_member(struct json_object *object, const char *key, enum json_type type, const char *go,
                      struct json_object **ret, struct cip_error *error)
{
        struct json_object *value = json_object_object_get(object, key);

        if (value && !json_object_is_type(value, type))
                return broken(error, "json: cannot unmarshal %s into Go struct field %s", go_name(value), go);
        *ret = value;
        return 0;
}

static const char *text_of(struct json_object *value)
{
        return value ? json_object_get_string(value) : "";
}

/* The texts of an array of objects that have one member each. */
static int get_texts(struct json_object *manifest, const char *key, const char *go, const char *member,
                     const char *go_member, const char ***ret, size_t *ret_n, struct cip_error *error)
{
        struct json_object *array;
        const char **texts;
        size_t n;
        int r = get_member(manifest, key, json_type_array, go, &array, error);

        if (r < 0)
                return r;
        n = array ? json_object_array_length(array) : 0;
        texts = calloc(n + 1, sizeof(*texts));
        if (!texts)
                return no_memory(error);
        for (size_t i = 0; i < n && r == 0; i++) {
                struct json_object *item = json_object_array_get_idx(array, i), *text = NULL;

                if (item && !json_object_is_type(item, json_type_object))
                        r = broken(error, "json: cannot unmarshal %s into Go struct field %s", go_name(item),
                                   go);
                else if (item)
                        r = get_member(item, member, json_type_string, go_member, &text, error);
                texts[i] = r == 0 ? text_of(text) : NULL;
        }
        if (r < 0) {
                free((void *)texts);
                return r;
        }
        *ret = texts;
        *ret_n = n;
        return 0;
}

/* ---- an entry of the history ---- */

static const struct {
        const char *name;
        enum json_type type;
        const char *go;
} entry_members[] = {
        {"id", json_type_string, "Schema1V1Compatibility.id of type string"},
        {"parent", json_type_string, "Schema1V1Compatibility.parent of type string"},
        {"comment", json_type_string, "Schema1V1Compatibility.comment of type string"},
        {"author", json_type_string, "Schema1V1Compatibility.author of type string"},
        {"throwaway", json_type_boolean, "Schema1V1Compatibility.throwaway of type bool"},
        {"container_config", json_type_object,
         "Schema1V1Compatibility.container_config of type manifest.schema1V1CompatibilityContainerConfig"},
};

/* The command in its container_config; NULL: none. */
static int get_command(struct json_object *json, struct json_object **ret, struct cip_error *error)
{
        static const char go[] = "schema1V1CompatibilityContainerConfig.container_config.Cmd of type []string";
        struct json_object *config = json_object_object_get(json, "container_config");
        int r = get_member(config, "Cmd", json_type_array, go, ret, error);

        for (size_t i = 0; r == 0 && *ret && i < json_object_array_length(*ret); i++) {
                struct json_object *word = json_object_array_get_idx(*ret, i);

                if (word && !json_object_is_type(word, json_type_string))
                        return broken(
                                error, "json: cannot unmarshal %s into Go struct field %s", go_name(word),
                                "schema1V1CompatibilityContainerConfig.container_config.Cmd of type string");
        }
        return r;
}

static int judge_entry(struct entry *entry, struct cip_error *error)
{
        struct json_object *json = entry->json, *ignored;
        int r = 0;

        if (json && !json_object_is_type(json, json_type_object))
                return broken(error,
                              "json: cannot unmarshal %s into Go value of type "
                              "manifest.Schema1V1Compatibility",
                              go_name(json));
        for (size_t i = 0; i < ARRAY_SIZE(entry_members) && r == 0; i++)
                r = get_member(json, entry_members[i].name, entry_members[i].type, entry_members[i].go,
                               &ignored, error);
        if (r == 0)
                r = get_command(json, &ignored, error);
        if (r == 0)
                r = time_to_go(json_object_object_get(json, "created"), &entry->created, error);
        entry->id = text_of(json_object_object_get(json, "id"));
        entry->parent = text_of(json_object_object_get(json, "parent"));
        return r;
}

static int read_entry(struct entry *entry, size_t i, const char *text, const char *digest,
                      struct cip_error *error)
{
        struct cip_error inner = {0};
        int r = json_parse(text, strlen(text), ENTRY_DEPTH, &entry->json, &inner);

        entry->digest = digest;
        if (r == 0)
                r = judge_entry(entry, &inner);
        if (r == 0 || r == -ENOMEM)
                return r < 0 ? no_memory(error) : 0;
        return broken(error, "parsing v2s1 history entry %zu: %s", i, inner.message);
}

static int read_entries(struct json_object *manifest, struct schema_1 *schema_1, struct cip_error *error)
{
        CLEANUP(cleanup_free) const char **digests = NULL;
        CLEANUP(cleanup_free) const char **texts = NULL;
        size_t n_digests = 0, n_texts = 0;
        int r = get_texts(manifest, "fsLayers", "Schema1.fsLayers of type []manifest.Schema1FSLayers",
                          "blobSum", "Schema1FSLayers.fsLayers.blobSum of type digest.Digest", &digests,
                          &n_digests, error);

        if (r == 0)
                r = get_texts(manifest, "history", "Schema1.history of type []manifest.Schema1History",
                              "v1Compatibility", "Schema1History.history.v1Compatibility of type string",
                              &texts, &n_texts, error);
        if (r < 0)
                return r;
        if (n_digests != n_texts)
                return broken(error, "length of history not equal to number of layers");
        if (n_texts == 0)
                return broken(error, "no FSLayers in manifest");
        schema_1->entries = calloc(n_texts, sizeof(*schema_1->entries));
        if (!schema_1->entries)
                return no_memory(error);
        for (; schema_1->n < n_texts && r == 0; schema_1->n++)
                r = read_entry(&schema_1->entries[schema_1->n], schema_1->n, texts[schema_1->n],
                               digests[schema_1->n], error);
        return r;
}

/* ---- the chain of entries ---- */

static bool is_id(const char *text)
{
        return strlen(text) == ID_SIZE && strspn(text, "0123456789abcdef") == ID_SIZE;
}

/* An id that comes again, but not right behind itself. */
static const char *find_repeated(const struct schema_1 *schema_1)
{
        for (size_t i = 1; i < schema_1->n; i++) {
                if (strcmp(schema_1->entries[i].id, schema_1->entries[i - 1].id) == 0)
                        continue;
                for (size_t j = 0; j < i; j++)
                        if (strcmp(schema_1->entries[i].id, schema_1->entries[j].id) == 0)
                                return schema_1->entries[i].id;
        }
        return NULL;
}

static void remove_entry(struct schema_1 *schema_1, size_t i)
{
        entry_clear(&schema_1->entries[i]);
        memmove(&schema_1->entries[i], &schema_1->entries[i + 1],
                (--schema_1->n - i) * sizeof(*schema_1->entries));
}

/* Of entries with one id in a row the lowest stays; each other one names the id of that below it. */
static int judge_chain(struct schema_1 *schema_1, struct cip_error *error)
{
        const char *repeated;

        for (size_t i = 0; i < schema_1->n; i++)
                if (!is_id(schema_1->entries[i].id))
                        return broken(error, "image ID \"%s\" is invalid", schema_1->entries[i].id);
        if (*schema_1->entries[schema_1->n - 1].parent)
                return broken(error, "Invalid parent ID in the base layer of the image");
        repeated = find_repeated(schema_1);
        if (repeated)
                return broken(error, "ID %s appears multiple times in manifest", repeated);
        for (size_t i = schema_1->n - 1; i-- > 0;) {
                const struct entry *entry = &schema_1->entries[i], *below = entry + 1;

                if (strcmp(entry->id, below->id) == 0)
                        remove_entry(schema_1, i);
                else if (strcmp(entry->parent, below->id) != 0)
                        return broken(error, "Invalid parent ID. Expected %s, got \"%s\"", below->id,
                                      entry->parent);
        }
        return 0;
}

static int list_layers(struct schema_1 *schema_1, struct cip_error *error)
{
        static char none[] = "";

        schema_1->layers = calloc(schema_1->n, sizeof(*schema_1->layers));
        if (!schema_1->layers)
                return no_memory(error);
        for (size_t i = 0; i < schema_1->n; i++) {
                struct content *layer = &schema_1->layers[schema_1->n - 1 - i];

                *layer = (struct content){.media_type = none, .size = -1};
                layer->digest = strdup(schema_1->entries[i].digest);
                if (!layer->digest)
                        return no_memory(error);
        }
        return 0;
}

/* A text that another reader might take for something else. */
static int refuse_ambiguous(struct json_object *manifest, struct cip_error *error)
{
        static const char *const others[] = {"config", "layers", "manifests"};
        char found[64] = "";

        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                size_t len = strlen(found);

                if (json_object_object_get(manifest, others[i]))
                        snprintf(found + len, sizeof(found) - len, "%s\"%s\"", len ? ", " : "", others[i]);
        }
        if (!*found)
                return 0;
        return broken(error,
                      "rejecting ambiguous manifest, unexpected fields []string{%s} in supposedly "
                      "application/vnd.docker.distribution.manifest.v1+prettyjws",
                      found);
}

int schema_1_read(struct json_object *manifest, struct schema_1 **ret, struct cip_error *error)
{
        CLEANUP(cleanup_schema_1_free) struct schema_1 *schema_1 = calloc(1, sizeof(*schema_1));
        int r;

        if (!schema_1)
                return no_memory(error);
        r = refuse_ambiguous(manifest, error);
        if (r == 0)
                r = read_entries(manifest, schema_1, error);
        if (r == 0)
                r = judge_chain(schema_1, error);
        if (r == 0)
                r = list_layers(schema_1, error);
        if (r == 0)
                *ret = STEAL(schema_1);
        return r;
}

const struct content *schema_1_layers(const struct schema_1 *schema_1, size_t *ret_n)
{
        *ret_n = schema_1->n;
        return schema_1->layers;
}

/* ---- the config ---- */

static bool is_empty_layer(const struct entry *entry)
{
        return json_object_get_boolean(json_object_object_get(entry->json, "throwaway"));
}

/* The words of its command, with a blank between them. The caller puts the object. */
static struct json_object *command_line(const struct entry *entry)
{
        struct json_object *words, *ret;
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return NULL;
        words = json_object_object_get(json_object_object_get(entry->json, "container_config"), "Cmd");
        for (size_t i = 0; words && i < json_object_array_length(words); i++)
                fprintf(to, "%s%s", i ? " " : "", text_of(json_object_array_get_idx(words, i)));
        ret = fclose(to) == 0 && text ? json_object_new_string(text) : NULL;
        free(text);
        return ret;
}

static struct json_object *history_item(const struct entry *entry)
{
        struct json_object *item = json_object_new_object();

        json_add_member(item, "created", json_object_new_string(entry->created));
        json_add_member(item, "created_by", command_line(entry));
        for (const char *const *name = (const char *const[]){"author", "comment", NULL}; *name; name++)
                json_add_member(item, *name,
                                json_object_new_string(text_of(json_object_object_get(entry->json, *name))));
        json_add_member(item, "empty_layer", json_object_new_boolean(is_empty_layer(entry)));
        return item;
}

static struct json_object *make_rootfs(const struct schema_1 *schema_1)
{
        struct json_object *rootfs = json_object_new_object(), *ids = json_object_new_array();
        bool any = false;

        for (size_t i = 0; i < schema_1->n; i++) {
                if (is_empty_layer(&schema_1->entries[i]))
                        continue;
                json_add_item(ids, json_object_new_string(""));
                any = true;
        }
        json_add_member(rootfs, "type", json_object_new_string("layers"));
        if (any)
                json_add_member(rootfs, "diff_ids", ids);
        else
                json_object_put(ids);
        return rootfs;
}

/* Releases of docker before 1.8.3 left out what is not there, and servers add it. */
static bool is_old(struct json_object *json)
{
        struct json_object *text = json_object_object_get(json, "docker_version");
        struct version version;

        return json_object_is_type(text, json_type_string) &&
               version_parse(json_object_get_string(text), &version) == 0 &&
               version_compare(version, VERSION(1, 8, 3)) < 0;
}

int schema_1_config(const struct schema_1 *schema_1, char **ret, size_t *ret_len, struct cip_error *error)
{
        const struct entry *top = &schema_1->entries[0];
        CLEANUP(cleanup_json) struct json_object *config = json_object_new_object();
        struct json_object *history = json_object_new_array();

        json_object_object_foreach (top->json, key, value)
                json_add_member_or_null(config, key, json_object_get(value));
        if (is_old(top->json))
                json_add_member(config, "created", json_object_new_string(top->created));
        for (size_t i = schema_1->n; i-- > 0;)
                json_add_item(history, history_item(&schema_1->entries[i]));
        json_add_member(config, "rootfs", make_rootfs(schema_1));
        json_add_member(config, "history", history);
        return json_is_whole(config) && json_format_go(config, ret, ret_len) == 0 ? 0 : no_memory(error);
}
