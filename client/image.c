/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: opening and closing them in the server, and their manifest, config and layers, each fetched once,
 * checked, and kept as long as the image. What can be checked of a converted manifest is checked here too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "client/session.h"
#include "image/manifest.h"

/* The largest list of layers, in bytes: some 60,000 of them. */
#define LAYERS_MAX (16UL * 1024 * 1024)

/*
 * All but the digest that GetLayerInfo tells of one layer, in bytes at most; and what a packet takes besides.
 */
#define LAYER_INFO_REST 160
#define PACKET_OVERHEAD 4096

#define LAYER_PREFIX "application/vnd.oci.image.layer."

static int out_of_memory(const char *what, struct cip_error *error)
{
        return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "%s", what);
}

/* ---- opening and closing ---- */

static int open_image(struct cip_session *session, const char *method, const char *reference,
                      struct cip_image **ret, struct cip_error *error)
{
        CLEANUP_ANSWER struct answer answer = ANSWER_NONE;
        CLEANUP(cleanup_json) struct json_object *args = json_object_new_array();
        struct cip_image *image;
        uint64_t id = 0;
        int r;

        json_add_item(args, json_object_new_string(reference));
        if (!args)
                return out_of_memory(method, error);
        r = session_check_cancel(session, error);
        if (r == 0)
                r = session_call(session, method, args, reference, &answer, error);
        if (r < 0)
                return r;
        /* That it is a number, and of OpenImage not 0, was checked with the reply. */
        json_get_uint(answer.reply.value, JSON_INTEGER_MAX, &id);
        if (id == 0) {
                *ret = NULL;
                return 0;
        }
        image = calloc(1, sizeof(*image));
        if (!image)
                return out_of_memory(method, error);
        image->session = session_ref(session);
        image->id = id;
        *ret = image;
        return 0;
}

int cip_image_open(struct cip_session *session, const char *reference, struct cip_image **ret,
                   struct cip_error *error)
{
        return open_image(session, "OpenImage", reference, ret, error);
}

int cip_image_open_optional(struct cip_session *session, const char *reference, struct cip_image **ret,
                            struct cip_error *error)
{
        int r = session_check(session, error);

        if (r < 0)
                return r;
        if (version_compare(session->version, methods[METHOD_OPEN_IMAGE_OPTIONAL].since) < 0)
                return error_set(
                        error, CIP_ERROR_LOCAL, -ENOTSUP,
                        "%s speaks protocol %s, and only 0.2.4 and later can tell a missing image from "
                        "another failure",
                        session->name, session->version_text);
        return open_image(session, "OpenImageOptional", reference, ret, error);
}

static int make_args(const struct cip_image *image, struct json_object **ret)
{
        CLEANUP(cleanup_json) struct json_object *args = json_object_new_array();

        json_add_item(args, json_object_new_uint64(image->id));
        if (!args)
                return -ENOMEM;
        *ret = STEAL(args);
        return 0;
}

static int close_in_server(struct cip_image *image, struct cip_error *error)
{
        CLEANUP_ANSWER struct answer answer = ANSWER_NONE;
        CLEANUP(cleanup_json) struct json_object *args = NULL;

        if (image->session->broken)
                return 0;
        if (make_args(image, &args) < 0)
                return out_of_memory("CloseImage", error);
        return session_call(image->session, "CloseImage", args, NULL, &answer, error);
}

int cip_image_close(struct cip_image *image, struct cip_error *error)
{
        int r;

        if (!image)
                return 0;
        r = close_in_server(image, error);
        free(image->manifest);
        free(image->digest);
        manifest_free(image->parsed);
        free(image->config);
        layer_infos_free(image->infos, image->n_infos);
        free(image->layers);
        session_unref(image->session);
        free(image);
        return r;
}

/* ---- piped values ---- */

/* Calls @method with the image's id and reads its whole pipe. @ret_value, unless NULL, is the reply's. */
static int fetch_value(struct cip_image *image, const char *method, size_t max, char **ret, size_t *ret_len,
                       struct json_object **ret_value, struct cip_error *error)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = NULL;
        CLEANUP(cleanup_json) struct json_object *args = NULL;
        int r = session_check_cancel(image->session, error);

        if (r == 0 && make_args(image, &args) < 0)
                r = out_of_memory(method, error);
        if (r == 0)
                r = blob_open_call(image->session, method, args, NULL, -1, NULL, 0, &blob, error);
        if (r == 0)
                r = blob_wait_opened(blob, error);
        if (r == 0)
                r = blob_read_all(blob, max, ret, ret_len, error);
        if (r == 0 && ret_value)
                *ret_value = json_object_get(blob->answer.reply.value);
        return r;
}

/* Returns 0 or -ENOMEM. */
static int has_digest(const char *data, size_t len, const char *digest, bool *ret)
{
        enum digest_algorithm algorithm;
        char found[DIGEST_TEXT_SIZE];

        *ret = false;
        if (!digest_parse(digest, &algorithm))
                return 0;
        if (digest_of(algorithm, data, len, found) < 0)
                return -ENOMEM;
        *ret = strcmp(found, digest) == 0;
        return 0;
}

/* ---- manifest ---- */

/* Whether an object has no other members than these. */
static bool has_only(struct json_object *object, const char *const *names)
{
        if (!json_object_is_type(object, json_type_object))
                return false;
        json_object_object_foreach (object, key, value) {
                const char *const *name = names;

                (void)value;
                while (*name && strcmp(*name, key) != 0)
                        name++;
                if (!*name)
                        return false;
        }
        return true;
}

/*
 * Whether a manifest can be the conversion of docker's schema 2: that has no annotations, no subject, no
 * artifact type, nothing but OCI's own media types.
 */
static bool may_be_converted(const struct manifest *manifest)
{
        static const char *const members[] = {"schemaVersion", "mediaType", "config", "layers", NULL};
        static const char *const content_members[] = {"mediaType", "digest", "size", "urls", NULL};
        struct json_object *config, *layers;

        if (!has_only(manifest->json, members) ||
            !json_object_object_get_ex(manifest->json, "config", &config) ||
            !has_only(config, content_members) || strcmp(manifest->config.media_type, MEDIA_OCI_CONFIG) != 0 ||
            !json_object_object_get_ex(manifest->json, "layers", &layers))
                return false;
        for (size_t i = 0; i < manifest->n_entries; i++)
                if (strncmp(manifest->entries[i].media_type, LAYER_PREFIX, strlen(LAYER_PREFIX)) != 0 ||
                    !has_only(json_object_array_get_idx(layers, i), content_members))
                        return false;
        return true;
}

static int check_manifest(struct cip_image *image, struct cip_error *error)
{
        struct cip_error why = {0};
        int r;

        if (!digest_parse(image->digest, NULL))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "GetManifest: \"%s\" is no digest",
                                 image->digest);
        r = has_digest(image->manifest, image->manifest_len, image->digest, &image->verified);
        if (r == 0)
                r = manifest_parse(image->manifest, image->manifest_len, &image->parsed, &why);
        if (r == -ENOMEM)
                return out_of_memory("GetManifest", error);
        if (r < 0)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "GetManifest: what came is no manifest: %s", why.message);
        if (image->parsed->kind != MANIFEST_OCI)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "GetManifest: what came is not the manifest of an OCI image");
        if (!image->verified && !may_be_converted(image->parsed))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "GetManifest: what came does not have the digest %s", image->digest);
        return 0;
}

static void forget_manifest(struct cip_image *image)
{
        free(image->manifest);
        free(image->digest);
        manifest_free(image->parsed);
        image->manifest = image->digest = NULL;
        image->parsed = NULL;
        image->verified = false;
}

int image_need_manifest(struct cip_image *image, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *value = NULL;
        int r = session_check(image->session, error);

        if (r < 0 || image->parsed)
                return r;
        r = fetch_value(image, "GetManifest", MANIFEST_MAX, &image->manifest, &image->manifest_len, &value,
                        error);
        if (r < 0)
                return r;
        image->digest = strdup(json_object_get_string(value));
        r = image->digest ? check_manifest(image, error) : out_of_memory("GetManifest", error);
        if (r < 0)
                forget_manifest(image);
        return r;
}

int cip_image_manifest(struct cip_image *image, const char **ret, size_t *ret_len, const char **ret_digest,
                       struct cip_error *error)
{
        int r = image_need_manifest(image, error);

        if (r < 0)
                return r;
        *ret = image->manifest;
        if (ret_len)
                *ret_len = image->manifest_len;
        if (ret_digest)
                *ret_digest = image->digest;
        return 0;
}

bool cip_image_manifest_verified(const struct cip_image *image)
{
        return image->verified;
}

/* ---- config ---- */

static int fetch_config_blob(struct cip_image *image, char **ret, size_t *ret_len, struct cip_error *error)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = NULL;
        const struct content *config = &image->parsed->config;
        int r = cip_blob_open(image, config->digest, config->size, 0, &blob, error);

        return r < 0 ? r : blob_read_all(blob, MANIFEST_MAX, ret, ret_len, error);
}

/*
 * What GetFullConfig gives was read and written anew by the server. For a converted manifest that is what its
 * config's digest is of. For an OCI image it is the same bytes only by chance, and the blob has them; a
 * manifest that matches its own digest vouches for the blob's.
 */
static int fetch_config(struct cip_image *image, char **ret, size_t *ret_len, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_json) struct json_object *parsed = NULL;
        const struct content *config = &image->parsed->config;
        struct cip_error why = {0};
        size_t len = 0;
        bool matches;
        int r;

        if (strcmp(config->media_type, MEDIA_OCI_CONFIG) != 0)
                return fetch_config_blob(image, ret, ret_len, error);
        r = fetch_value(image, "GetFullConfig", MANIFEST_MAX, &text, &len, NULL, error);
        if (r < 0)
                return r;
        if (has_digest(text, len, config->digest, &matches) < 0)
                return out_of_memory("GetFullConfig", error);
        if (matches) {
                *ret = STEAL(text);
                *ret_len = len;
                return 0;
        }
        r = json_parse(text, len, 32, &parsed, &why);
        if (r == -ENOMEM)
                return out_of_memory("GetFullConfig", error);
        if (r < 0 || !json_object_is_type(parsed, json_type_object))
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                 "GetFullConfig: what came is no config: %s",
                                 r < 0 ? why.message : "not an object");
        if (!image->verified)
                return error_set(
                        error, CIP_ERROR_PROTOCOL, -EBADMSG,
                        "GetFullConfig: what came does not have the digest %s of the converted manifest",
                        config->digest);
        return fetch_config_blob(image, ret, ret_len, error);
}

int cip_image_config(struct cip_image *image, const char **ret, size_t *ret_len, struct cip_error *error)
{
        int r = image_need_manifest(image, error);

        if (r == 0 && !image->config)
                r = fetch_config(image, &image->config, &image->config_len, error);
        if (r < 0)
                return r;
        *ret = image->config;
        if (ret_len)
                *ret_len = image->config_len;
        return 0;
}

/* ---- layers ---- */

static int read_infos(struct cip_image *image, const char *method, struct json_object *array,
                      struct cip_error *error)
{
        struct cip_error why = {0};
        int r = layer_infos_parse(array, &image->infos, &image->n_infos, &why);

        if (r == -ENOMEM)
                return out_of_memory(method, error);
        return r < 0 ? error_set(error, CIP_ERROR_PROTOCOL, r, "%s: %s", method, why.message) : 0;
}

static int infos_by_pipe(struct cip_image *image, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_json) struct json_object *array = NULL;
        struct cip_error why = {0};
        size_t len = 0;
        int r = fetch_value(image, "GetLayerInfoPiped", LAYERS_MAX, &text, &len, NULL, error);

        if (r < 0)
                return r;
        r = json_parse(text, len, 32, &array, &why);
        if (r == -ENOMEM)
                return out_of_memory("GetLayerInfoPiped", error);
        if (r < 0)
                return error_set(error, CIP_ERROR_PROTOCOL, r, "GetLayerInfoPiped: %s", why.message);
        return read_infos(image, "GetLayerInfoPiped", array, error);
}

static int infos_by_reply(struct cip_image *image, struct cip_error *error)
{
        CLEANUP_ANSWER struct answer answer = ANSWER_NONE;
        CLEANUP(cleanup_json) struct json_object *args = NULL;
        int r = session_check_cancel(image->session, error);

        if (r == 0 && make_args(image, &args) < 0)
                r = out_of_memory("GetLayerInfo", error);
        if (r == 0)
                r = session_call(image->session, "GetLayerInfo", args, NULL, &answer, error);
        return r < 0 ? r : read_infos(image, "GetLayerInfo", answer.reply.value, error);
}

/*
 * Whether GetLayerInfo's reply, of one packet, may be larger than the socket takes: released servers die of
 * that. The socket's other end, which the server has, was given the same room.
 */
static bool is_too_much_for_a_packet(const struct cip_image *image)
{
        size_t len = 256;
        int room = 0;
        socklen_t size = sizeof(room);

        for (size_t i = 0; i < image->parsed->n_entries; i++)
                len += strlen(image->parsed->entries[i].digest) + LAYER_INFO_REST;
        return getsockopt(image->session->socket, SOL_SOCKET, SO_SNDBUF, &room, &size) == 0 &&
               len > (size_t)room - PACKET_OVERHEAD;
}

/* The ways to learn of the layers, best first; *@ret: they are in image->infos, else in the manifest. */
static int learn_layers(struct cip_image *image, bool *ret, struct cip_error *error)
{
        struct version version = image->session->version;
        int r;

        *ret = true;
        if (version_compare(version, methods[METHOD_GET_LAYER_INFO_PIPED].since) >= 0)
                return infos_by_pipe(image, error);
        r = image_need_manifest(image, error);
        if (r < 0)
                return r;
        if (version_compare(version, methods[METHOD_GET_LAYER_INFO].since) >= 0 &&
            !is_too_much_for_a_packet(image))
                return infos_by_reply(image, error);
        *ret = false;
        return 0;
}

static int fetch_layers(struct cip_image *image, struct cip_error *error)
{
        bool by_infos = false;
        size_t n;
        int r = learn_layers(image, &by_infos, error);

        if (r < 0)
                return r;
        n = by_infos ? image->n_infos : image->parsed->n_entries;
        image->layers = calloc(n + 1, sizeof(*image->layers));
        if (!image->layers)
                return out_of_memory("layers", error);
        for (size_t i = 0; i < n; i++) {
                struct cip_layer *layer = &image->layers[i];

                if (by_infos)
                        *layer = (struct cip_layer){image->infos[i].digest, image->infos[i].size,
                                                    image->infos[i].media_type};
                else
                        *layer = (struct cip_layer){image->parsed->entries[i].digest,
                                                    image->parsed->entries[i].size,
                                                    image->parsed->entries[i].media_type};
        }
        image->n_layers = n;
        return 0;
}

int cip_image_layers(struct cip_image *image, const struct cip_layer **ret, size_t *ret_n,
                     struct cip_error *error)
{
        int r = session_check(image->session, error);

        if (r == 0 && !image->layers)
                r = fetch_layers(image, error);
        if (r < 0)
                return r;
        *ret = image->layers;
        *ret_n = image->n_layers;
        return 0;
}
