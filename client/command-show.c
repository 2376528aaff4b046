/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip inspect, manifest, config and layers: what an image says of itself. Manifest and config are printed byte
 * by byte as they came, the other two as text for people or, with --json, as one object. Everything an image
 * says is hostile text, and goes through text_make_safe on its way to a person.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "client/command.h"
#include "client/destination.h"
#include "client/quantity.h"
#include "image/digest.h"
#include "image/manifest.h"
#include "protocol/message.h"

/* How deep a manifest or config may nest. */
#define DEPTH_MAX 1000

/* ---- text for people ---- */

/* Text that grows; a failed allocation shows when it is taken. */
struct text {
        FILE *file;
        char *data;
        size_t len;
};

static void text_clear(struct text *text)
{
        if (text->file)
                fclose(text->file);
        free(text->data);
}

static int text_begin(struct text *text, struct cip_error *error)
{
        text->file = open_memstream(&text->data, &text->len);
        if (!text->file)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        return 0;
}

static int text_write(struct context *context, struct text *text, struct cip_error *error)
{
        bool failed = ferror(text->file) != 0;

        /* glibc says that all went well where there was no memory in the end, and gives nothing. */
        if (fclose(STEAL(text->file)) != 0 || failed || !text->data)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        return output_write(context, text->data, text->len, error);
}

/* Puts hostile text into @text. */
static void put_safe(struct text *text, const char *hostile)
{
        char safe[CIP_ERROR_MESSAGE_SIZE];

        text_make_safe(safe, sizeof(safe), hostile, strlen(hostile));
        fputs(safe, text->file);
}

/* A line of the summary: a name and a value, left out where there is none. */
static void put_line(struct text *text, const char *name, const char *hostile)
{
        if (!hostile || !*hostile)
                return;
        fprintf(text->file, "%-12s", name);
        put_safe(text, hostile);
        fputc('\n', text->file);
}

/* ---- JSON of configs, which may be of any form ---- */

static struct json_object *member(struct json_object *object, const char *name, enum json_type type)
{
        struct json_object *value;

        if (!json_object_is_type(object, json_type_object) ||
            !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
                return NULL;
        return value;
}

static const char *text_member(struct json_object *object, const char *name)
{
        struct json_object *value = member(object, name, json_type_string);

        return value ? json_object_get_string(value) : NULL;
}

/* ---- what is known of an image ---- */

struct facts {
        const char *manifest_text, *digest;
        size_t manifest_len;
        bool verified;
        char own_digest[DIGEST_TEXT_SIZE]; /* of the bytes that came */
        struct manifest *manifest;
        const char *config_text;
        size_t config_len;
        struct json_object *config; /* NULL: it is no JSON object */
        const struct cip_layer *layers;
        size_t n_layers;
        int64_t layers_size; /* of all; -1: not known */
};

static void facts_clear(struct facts *facts)
{
        manifest_free(facts->manifest);
        json_object_put(facts->config);
}

static int facts_get_manifest(struct cip_image *image, struct facts *facts, struct cip_error *error)
{
        enum digest_algorithm algorithm = DIGEST_SHA256;
        int r = cip_image_manifest(image, &facts->manifest_text, &facts->manifest_len, &facts->digest, error);

        if (r < 0)
                return r;
        facts->verified = cip_image_manifest_verified(image);
        digest_parse(facts->digest, &algorithm);
        r = digest_of(algorithm, facts->manifest_text, facts->manifest_len, facts->own_digest);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot hash the manifest");
        return 0;
}

static int facts_parse_manifest(struct facts *facts, struct cip_error *error)
{
        int r = manifest_parse(facts->manifest_text, facts->manifest_len, &facts->manifest, error);

        /* It is the server's word that is broken, whatever the parser calls it. */
        if (r == -EBADMSG && error)
                error->error_class = CIP_ERROR_PROTOCOL;
        return r;
}

static int facts_get(struct cip_image *image, struct facts *facts, struct cip_error *error)
{
        int r = facts_get_manifest(image, facts, error);

        if (r == 0)
                r = facts_parse_manifest(facts, error);
        if (r == 0)
                r = cip_image_config(image, &facts->config_text, &facts->config_len, error);
        if (r == 0)
                r = cip_image_layers(image, &facts->layers, &facts->n_layers, error);
        if (r != 0)
                return r;
        /* Only artifacts have a config that is no JSON object. */
        r = json_parse(facts->config_text, facts->config_len, DEPTH_MAX, &facts->config, NULL);
        if (r == -ENOMEM)
                return error_set(error, CIP_ERROR_LOCAL, r, "out of memory");
        if (r < 0)
                facts->config = NULL;
        for (size_t i = 0; i < facts->n_layers && facts->layers_size >= 0; i++) {
                int64_t size = facts->layers[i].size;

                if (size < 0 || __builtin_add_overflow(facts->layers_size, size, &facts->layers_size))
                        facts->layers_size = -1;
        }
        return 0;
}

/* ---- layers ---- */

static struct json_object *layers_json(const struct cip_layer *layers, size_t n)
{
        struct json_object *array = json_object_new_array_ext((int)n);

        for (size_t i = 0; i < n; i++) {
                struct json_object *layer = json_object_new_object();

                json_add_text(layer, "digest", layers[i].digest);
                json_add_member(layer, "size", json_object_new_int64(layers[i].size));
                json_add_text(layer, "media_type", layers[i].media_type);
                json_add_item(array, layer);
        }
        return array;
}

static void put_layers(struct text *text, const struct cip_layer *layers, size_t n, const char *indent)
{
        int number = snprintf(NULL, 0, "%zu", n);
        int width = 0;

        for (size_t i = 0; i < n; i++) {
                int needed = snprintf(NULL, 0, "%jd", (intmax_t)layers[i].size);

                width = needed > width ? needed : width;
        }
        for (size_t i = 0; i < n; i++) {
                fprintf(text->file, "%s%*zu  ", indent, number, i + 1);
                put_safe(text, layers[i].digest);
                if (layers[i].size >= 0)
                        fprintf(text->file, "  %*jd  ", width, (intmax_t)layers[i].size);
                else
                        fprintf(text->file, "  %*s  ", width, "?");
                put_safe(text, layers[i].media_type);
                fputc('\n', text->file);
        }
}

int command_layers(struct context *context, struct cip_error *error)
{
        const char *reference = context->arguments->operands[0];
        CLEANUP(opened_clear) struct opened opened = {0};
        CLEANUP(text_clear) struct text text = {0};
        struct json_object *json = NULL;
        const struct cip_layer *layers = NULL;
        size_t n = 0;
        int r = opened_open(context, reference, &opened, error);

        if (r == 0)
                r = cip_image_layers(opened.image, &layers, &n, error);
        if (r < 0)
                return r;
        if (context->arguments->json) {
                json = json_object_new_object();
                json_add_text(json, "reference", reference);
                json_add_member(json, "layers", layers_json(layers, n));
        } else {
                r = text_begin(&text, error);
                if (r < 0)
                        return r;
                put_layers(&text, layers, n, "");
        }
        r = opened_close(&opened, error);
        if (r < 0) {
                json_object_put(json);
                return r;
        }
        return context->arguments->json ? output_json(context, json, error) : text_write(context, &text, error);
}

/* ---- inspect ---- */

static struct json_object *take(struct json_object *value)
{
        return json_object_get(value);
}

static struct json_object *facts_json(const char *reference, const char *version, const struct facts *facts)
{
        struct json_object *json = json_object_new_object(), *config = json_object_new_object();
        struct json_object *settings = member(facts->config, "config", json_type_object);

        json_add_text(json, "reference", reference);
        json_add_text(json, "protocol", version);
        json_add_text(json, "digest", facts->digest);
        json_add_member(json, "converted", json_object_new_boolean(!facts->verified));
        json_add_text(json, "manifest_digest", facts->own_digest);
        json_add_member(json, "manifest_size", json_object_new_int64((int64_t)facts->manifest_len));
        json_add_text(config, "digest", facts->manifest->config.digest);
        json_add_member(config, "size", json_object_new_int64(facts->manifest->config.size));
        json_add_text(config, "media_type", facts->manifest->config.media_type);
        json_add_member(json, "config", config);
        json_add_text(json, "os", text_member(facts->config, "os"));
        json_add_text(json, "architecture", text_member(facts->config, "architecture"));
        json_add_text(json, "variant", text_member(facts->config, "variant"));
        json_add_text(json, "created", text_member(facts->config, "created"));
        json_add_text(json, "author", text_member(facts->config, "author"));
        json_add_member_or_null(json, "labels", take(member(settings, "Labels", json_type_object)));
        json_add_member_or_null(json, "env", take(member(settings, "Env", json_type_array)));
        json_add_member_or_null(json, "entrypoint", take(member(settings, "Entrypoint", json_type_array)));
        json_add_member_or_null(json, "cmd", take(member(settings, "Cmd", json_type_array)));
        json_add_text(json, "user", text_member(settings, "User"));
        json_add_text(json, "working_dir", text_member(settings, "WorkingDir"));
        json_add_member_or_null(json, "annotations",
                                take(member(facts->manifest->json, "annotations", json_type_object)));
        json_add_member(json, "size", json_object_new_int64(facts->layers_size));
        json_add_member(json, "layers", layers_json(facts->layers, facts->n_layers));
        return json;
}

static void put_platform(struct text *text, struct json_object *config)
{
        const char *variant = text_member(config, "variant");
        const char *os = text_member(config, "os"), *architecture = text_member(config, "architecture");

        if (!os && !architecture)
                return;
        fprintf(text->file, "%-12s", "Platform");
        put_safe(text, os ? os : "?");
        fputc('/', text->file);
        put_safe(text, architecture ? architecture : "?");
        if (variant && *variant) {
                fputc('/', text->file);
                put_safe(text, variant);
        }
        fputc('\n', text->file);
}

/* The strings of an array, a line each under the name, or all in one. */
static void put_array(struct text *text, const char *name, struct json_object *array, bool one_line)
{
        size_t n = array ? json_object_array_length(array) : 0;

        for (size_t i = 0; i < n; i++) {
                const char *word = json_object_get_string(json_object_array_get_idx(array, i));

                if (one_line && i > 0)
                        fputc(' ', text->file);
                else
                        fprintf(text->file, "%-12s", i == 0 ? name : "");
                put_safe(text, word ? word : "null");
                if (!one_line || i + 1 == n)
                        fputc('\n', text->file);
        }
}

static void put_object(struct text *text, const char *name, struct json_object *object)
{
        if (!object)
                return;
        json_object_object_foreach (object, key, value) {
                const char *word = json_object_get_string(value);

                fprintf(text->file, "%-12s", name);
                put_safe(text, key);
                fputc('=', text->file);
                put_safe(text, word ? word : "null");
                fputc('\n', text->file);
                name = "";
        }
}

static void put_facts(struct text *text, const char *reference, const struct facts *facts)
{
        struct json_object *settings = member(facts->config, "config", json_type_object);
        char size[QUANTITY_TEXT_SIZE];

        put_line(text, "Reference", reference);
        put_line(text, "Digest", facts->digest);
        if (!facts->verified) {
                put_line(text, "Manifest", facts->own_digest);
                put_line(text, "",
                         "(the server converted the image to OCI: the first digest is the original's)");
        }
        put_line(text, "Config", facts->manifest->config.digest);
        put_platform(text, facts->config);
        put_line(text, "Created", text_member(facts->config, "created"));
        put_line(text, "Author", text_member(facts->config, "author"));
        put_line(text, "User", text_member(settings, "User"));
        put_line(text, "Folder", text_member(settings, "WorkingDir"));
        put_array(text, "Entrypoint", member(settings, "Entrypoint", json_type_array), true);
        put_array(text, "Command", member(settings, "Cmd", json_type_array), true);
        put_array(text, "Environment", member(settings, "Env", json_type_array), false);
        put_object(text, "Labels", member(settings, "Labels", json_type_object));
        put_object(text, "Annotations", member(facts->manifest->json, "annotations", json_type_object));
        fprintf(text->file, "%-12s%zu, %s in all\n", "Layers", facts->n_layers,
                size_text(facts->layers_size, size));
        put_layers(text, facts->layers, facts->n_layers, "  ");
}

int command_inspect(struct context *context, struct cip_error *error)
{
        const char *reference = context->arguments->operands[0];
        CLEANUP(facts_clear) struct facts facts = {0};
        CLEANUP(opened_clear) struct opened opened = {0};
        CLEANUP(text_clear) struct text text = {0};
        struct json_object *json = NULL;
        int r = opened_open(context, reference, &opened, error);

        if (r == 0)
                r = facts_get(opened.image, &facts, error);
        if (r == 0)
                r = text_begin(&text, error);
        if (r != 0)
                return r;
        if (context->arguments->json)
                json = facts_json(reference, cip_session_version(opened.session), &facts);
        else
                put_facts(&text, reference, &facts);
        r = opened_close(&opened, error);
        if (r < 0) {
                json_object_put(json);
                return r;
        }
        return context->arguments->json ? output_json(context, json, error) : text_write(context, &text, error);
}

/* ---- manifest and config, as they are ---- */

/* Whether @data can go to a terminal: text without a character that does something there. */
static bool is_plain(const char *data, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)data[i];

                if ((c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == 127)
                        return false;
        }
        return true;
}

static int write_bytes(struct context *context, const char *data, size_t len, struct destination *destination,
                       struct cip_error *error)
{
        bool terminal = isatty(destination->fd);
        int r;

        if (terminal && !is_plain(data, len))
                return error_set(
                        error, CIP_ERROR_LOCAL, -EINVAL,
                        "this has control characters, which would spoil this terminal: use -o FILE, or a pipe");
        r = write_all(destination->fd, data, len);
        if (r == 0 && terminal && len > 0 && data[len - 1] != '\n')
                r = write_all(destination->fd, "\n", 1);
        if (r == -EPIPE)
                context->reader_is_gone = !destination->path;
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write to %s",
                                       context->arguments->output ? context->arguments->output
                                                                  : "standard output");
        return destination_commit(destination, error);
}

/* With --json: what is known of the bytes, and themselves as a string. */
static int write_json(struct context *context, const char *digest, bool verified, const char *data, size_t len,
                      struct cip_error *error)
{
        struct json_object *parsed = NULL;
        struct json_object *json = json_object_new_object();
        int r;

        json_add_text(json, "reference", context->arguments->operands[0]);
        json_add_text(json, "digest", digest);
        json_add_member(json, "verified", json_object_new_boolean(verified));
        json_add_member(json, "size", json_object_new_int64((int64_t)len));
        /* Bytes that are no JSON could not be told in JSON either. */
        r = json_parse(data, len, DEPTH_MAX, &parsed, NULL);
        if (r == 0 || r == -ENOMEM)
                json_add_member(json, "text", json_object_new_string_len(data, (int)len));
        else
                json_add_member_or_null(json, "text", NULL);
        json_object_put(parsed);
        return output_json(context, json, error);
}

static int show_bytes(struct context *context, bool config, struct cip_error *error)
{
        const struct arguments *arguments = context->arguments;
        CLEANUP(facts_clear) struct facts facts = {0};
        CLEANUP(opened_clear) struct opened opened = {0};
        CLEANUP(destination_clear) struct destination destination = DESTINATION_NONE;
        const char *data, *digest;
        size_t len;
        int r;

        if (arguments->json && arguments->output)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "of --json and --output only one can be given");
        r = destination_open(arguments->output, false, &destination, error);
        if (r == 0)
                r = opened_open(context, arguments->operands[0], &opened, error);
        if (r == 0)
                r = facts_get_manifest(opened.image, &facts, error);
        if (r == 0 && config)
                r = facts_parse_manifest(&facts, error);
        if (r == 0 && config)
                r = cip_image_config(opened.image, &facts.config_text, &facts.config_len, error);
        if (r != 0)
                return r;
        data = config ? facts.config_text : facts.manifest_text;
        len = config ? facts.config_len : facts.manifest_len;
        digest = config ? facts.manifest->config.digest : facts.digest;
        if (arguments->json)
                r = write_json(context, digest, config || facts.verified, data, len, error);
        else
                r = write_bytes(context, data, len, &destination, error);
        return r < 0 ? r : opened_close(&opened, error);
}

int command_manifest(struct context *context, struct cip_error *error)
{
        return show_bytes(context, false, error);
}

int command_config(struct context *context, struct cip_error *error)
{
        return show_bytes(context, true, error);
}
