/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computing blobs instead of keeping them. Random bytes come from a counter, not from a state, so that any part of
 * a blob is computed alone. Compressed layers, which must be small, are kept in memory: stored blocks in frames, as
 * the fixtures have them, so that no library's version shows in the bytes.
 */
#include "image/generated.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/random.h"
#include "image/config.h"
#include "image/local-error.h"
#include "protocol/message.h"

#define EPOCH "1970-01-01T00:00:00Z"
#define TAR_BLOCK 512
#define PIECE ((size_t)256 * 1024)

/* The digests of zeros that take too long to compute whenever an image is opened. */
static const struct {
        uint64_t size;
        const char *digest;
} zero_digests[] = {
        {UINT64_C(1) << 20, "sha256:30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"},
        {UINT64_C(1) << 30, "sha256:49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"},
        {UINT64_C(10) << 30, "sha256:732377e7f4a2abdc13ddfa1eb4c9c497fd2a2b294674d056cf51581b47dd586d"},
};

struct generated_blob {
        uint64_t size;
        enum generated_content content;
        uint64_t seed;
        unsigned number; /* in the name of a tar's file */
        char *memory;    /* of a compressed layer and the config: its bytes. Owned */
        char digest[DIGEST_TEXT_SIZE];
        char diff_id[DIGEST_TEXT_SIZE];
        const struct generated_layer *layer;
};

struct generated {
        struct generated_blob *layers, config;
        size_t n_layers;
        struct json_object *json; /* the manifest */
        char *manifest;
        size_t manifest_len;
        char digest[DIGEST_TEXT_SIZE];
};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for a generated image");
}

/* ---- bytes ---- */

/* The number-th word of a seed's. */
static uint64_t random_word(uint64_t seed, uint64_t number)
{
        return htole64(random_mix(seed + (number + 1) * RANDOM_STEP));
}

void generated_random(uint64_t seed, uint64_t offset, void *to, size_t len)
{
        char *at = to;

        while (len > 0) {
                uint64_t word = random_word(seed, offset / sizeof(word));
                size_t skip = offset % sizeof(word);
                size_t n = sizeof(word) - skip < len ? sizeof(word) - skip : len;

                memcpy(at, (const char *)&word + skip, n);
                at += n;
                offset += n;
                len -= n;
        }
}

static uint64_t tar_file_size(uint64_t size)
{
        return (size - GENERATED_TAR_MIN) / TAR_BLOCK * TAR_BLOCK;
}

/* A ustar header; a size of 8 GiB or more is in base 256, as GNU tar has it. */
static void tar_header(char to[TAR_BLOCK], unsigned number, uint64_t size)
{
        static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};
        unsigned sum = 0;

        memset(to, 0, TAR_BLOCK);
        snprintf(to, 100, "layer-%u", number);
        memcpy(to + 100, "0000644", 8);
        memcpy(to + 108, "0000000", 8);
        memcpy(to + 116, "0000000", 8);
        if (size < UINT64_C(1) << 33) {
                snprintf(to + 124, 12, "%011llo", (unsigned long long)size);
        } else {
                to[124] = (char)0x80;
                for (int i = 0; i < 8; i++)
                        to[135 - i] = (char)(size >> (8 * i) & 0xff);
        }
        snprintf(to + 136, 12, "%011o", 0U);
        memset(to + 148, ' ', 8);
        to[156] = '0';
        memcpy(to + 257, magic, sizeof(magic));
        memcpy(to + 265, "root", 5);
        memcpy(to + 297, "root", 5);
        for (size_t i = 0; i < TAR_BLOCK; i++)
                sum += (unsigned char)to[i];
        snprintf(to + 148, 8, "%06o", sum);
        to[155] = ' ';
}

/* A part of a tar that lies within one of its three: header, file, zeros. Returns its length. */
static size_t read_tar(const struct generated_blob *blob, uint64_t offset, char *to, size_t len)
{
        uint64_t file = tar_file_size(blob->size), end = blob->size;
        char header[TAR_BLOCK];

        if (offset < TAR_BLOCK)
                end = TAR_BLOCK;
        else if (offset < TAR_BLOCK + file)
                end = TAR_BLOCK + file;
        if (end - offset < len)
                len = (size_t)(end - offset);
        if (offset < TAR_BLOCK) {
                tar_header(header, blob->number, file);
                memcpy(to, header + offset, len);
        } else if (offset < TAR_BLOCK + file) {
                generated_random(blob->seed, offset - TAR_BLOCK, to, len);
        } else {
                memset(to, 0, len);
        }
        return len;
}

uint64_t generated_blob_size(const struct generated_blob *blob)
{
        return blob->size;
}

size_t generated_read(const struct generated_blob *blob, uint64_t offset, void *to, size_t len)
{
        if (offset >= blob->size)
                return 0;
        if (blob->size - offset < len)
                len = (size_t)(blob->size - offset);
        if (blob->memory)
                memcpy(to, blob->memory + offset, len);
        else if (blob->content == GENERATED_TAR)
                return read_tar(blob, offset, to, len);
        else if (blob->content == GENERATED_ZERO)
                memset(to, 0, len);
        else
                generated_random(blob->seed, offset, to, len);
        return len;
}

/* ---- compression ---- */

static char *put_le(char *to, uint64_t value, size_t n)
{
        for (size_t i = 0; i < n; i++)
                *to++ = (char)(value >> (8 * i) & 0xff);
        return to;
}

/* RFC 1952 and 1951: one member of stored blocks. */
static char *make_gzip(const char *data, size_t len, size_t *ret_len)
{
        size_t blocks = len / UINT16_MAX + 1, left = len;
        char *frame = malloc(len + blocks * 5 + 18), *p = frame;

        if (!frame)
                return NULL;
        p = put_le(p, 0x00088b1f, 4);
        p = put_le(p, 0, 4);
        p = put_le(p, 0xff00, 2);
        for (size_t i = 0; i < blocks; i++) {
                size_t n = left < UINT16_MAX ? left : UINT16_MAX;

                *p++ = i + 1 == blocks;
                p = put_le(p, n, 2);
                p = put_le(p, ~n & UINT16_MAX, 2);
                memcpy(p, data + (len - left), n);
                p += n;
                left -= n;
        }
        p = put_le(p, crc32_z(0, (const Bytef *)data, len), 4);
        p = put_le(p, len, 4);
        *ret_len = (size_t)(p - frame);
        return frame;
}

/* RFC 8878: a single segment with a content size of eight bytes, raw blocks, no checksum. */
static char *make_zstd(const char *data, size_t len, size_t *ret_len)
{
        const size_t most = (size_t)128 * 1024;
        size_t blocks = len / most + 1, left = len;
        char *frame = malloc(len + blocks * 3 + 13), *p = frame;

        if (!frame)
                return NULL;
        p = put_le(p, 0xfd2fb528, 4);
        p = put_le(p, 0xe0, 1);
        p = put_le(p, len, 8);
        for (size_t i = 0; i < blocks; i++) {
                size_t n = left < most ? left : most;

                p = put_le(p, n << 3 | (i + 1 == blocks), 3);
                memcpy(p, data + (len - left), n);
                p += n;
                left -= n;
        }
        *ret_len = (size_t)(p - frame);
        return frame;
}

/* Puts the compressed bytes in the place of the computed ones. */
static int compress_blob(struct generated_blob *blob)
{
        CLEANUP(cleanup_free) char *plain = malloc((size_t)blob->size + 1);
        size_t at = 0, n, len = 0;

        if (!plain)
                return -ENOMEM;
        while ((n = generated_read(blob, at, plain + at, (size_t)blob->size - at)) > 0)
                at += n;
        blob->memory = blob->layer->compression == GENERATED_GZIP ? make_gzip(plain, at, &len)
                                                                  : make_zstd(plain, at, &len);
        blob->size = len;
        return blob->memory ? 0 : -ENOMEM;
}

/* ---- layers ---- */

static const char *known_digest(const struct generated_layer *layer)
{
        for (size_t i = 0; i < ARRAY_SIZE(zero_digests); i++)
                if (layer->content == GENERATED_ZERO && layer->size == zero_digests[i].size)
                        return zero_digests[i].digest;
        return NULL;
}

const char *generated_layer_problem(const struct generated_layer *layer, bool sha512, const char **ret_member)
{
        *ret_member = "size";
        if (layer->size > GENERATED_SIZE_MAX)
                return "at most 2^50 bytes";
        if (layer->content == GENERATED_TAR && layer->size < GENERATED_TAR_MIN)
                return "a tar has at least 1536 bytes: make it larger, or its content \"random\"";
        if (layer->compression != GENERATED_PLAIN && layer->size > GENERATED_COMPRESSED_MAX)
                return "a compressed layer has at most 64 MiB before compression";
        if (layer->size > GENERATED_HASHED_MAX && !layer->digest && (sha512 || !known_digest(layer)))
                return "a layer of more than 1 GiB would take too long to hash: make it 10 GiB (10737418240) "
                       "of "
                       "content \"zero\", whose digest is known, or give its `digest`";
        *ret_member = "digest";
        if (layer->digest && !digest_parse(layer->digest, NULL))
                return "expected sha256: or sha512: and hex digits in lower case";
        return NULL;
}

static int hash_blob(const struct generated_blob *blob, enum digest_algorithm algorithm,
                     char ret[DIGEST_TEXT_SIZE])
{
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        CLEANUP(cleanup_free) char *buffer = malloc(PIECE);
        uint64_t offset = 0;
        size_t n;
        int r = digest_new(algorithm, &digest);

        if (r < 0 || !buffer)
                return -ENOMEM;
        while (r == 0 && (n = generated_read(blob, offset, buffer, PIECE)) > 0) {
                r = digest_update(digest, buffer, n);
                offset += n;
        }
        return r < 0 ? r : digest_finish(digest, ret);
}

/* FNV-1a of what tells one layer's bytes from another's. */
static uint64_t layer_seed(const struct generated_recipe *recipe, enum generated_content content, size_t number)
{
        char text[80];
        uint64_t hash = UINT64_C(14695981039346656037);

        snprintf(text, sizeof(text), "%llu/%zu", (unsigned long long)recipe->seed,
                 content == GENERATED_SAME ? SIZE_MAX : number);
        for (const char *p = text; *p; p++)
                hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
        return hash;
}

/* Digests that are known are copied, the others computed. */
static int hash_layer(const struct generated_recipe *recipe, struct generated_blob *blob)
{
        const struct generated_layer *layer = blob->layer;
        enum digest_algorithm algorithm = recipe->sha512 ? DIGEST_SHA512 : DIGEST_SHA256;
        const char *known = layer->digest ? layer->digest : recipe->sha512 ? NULL : known_digest(layer);
        int r;

        if (known && layer->compression == GENERATED_PLAIN) {
                snprintf(blob->digest, sizeof(blob->digest), "%s", known);
                memcpy(blob->diff_id, blob->digest, sizeof(blob->diff_id));
                return 0;
        }
        r = hash_blob(blob, DIGEST_SHA256, blob->diff_id);
        if (r == 0 && layer->compression != GENERATED_PLAIN)
                r = compress_blob(blob);
        if (r == 0 && layer->compression == GENERATED_PLAIN && algorithm == DIGEST_SHA256)
                memcpy(blob->digest, blob->diff_id, sizeof(blob->digest));
        else if (r == 0)
                r = hash_blob(blob, algorithm, blob->digest);
        if (r == 0 && layer->digest)
                snprintf(blob->digest, sizeof(blob->digest), "%s", layer->digest);
        return r;
}

static int make_layer(const struct generated_recipe *recipe, const struct generated_layer *layer,
                      struct generated_blob *blob, size_t number)
{
        blob->layer = layer;
        blob->size = layer->size;
        blob->number = (unsigned)number;
        blob->content = layer->content;
        if (blob->content == GENERATED_DEFAULT)
                blob->content = blob->size < GENERATED_TAR_MIN ? GENERATED_RANDOM : GENERATED_TAR;
        blob->seed = layer_seed(recipe, blob->content, number);
        return hash_layer(recipe, blob);
}

static int make_layers(const struct generated_recipe *recipe, struct generated *generated,
                       struct cip_error *error)
{
        size_t n = 0;

        for (size_t i = 0; i < recipe->n_layers; i++) {
                const char *member,
                        *problem = generated_layer_problem(&recipe->layers[i], recipe->sha512, &member);

                if (problem)
                        return local_error(error, -EINVAL, "layer %zu: %s: %s", i, member, problem);
                if (recipe->layers[i].count > GENERATED_LAYERS_MAX - n)
                        return local_error(error, -EINVAL, "more than %d layers", GENERATED_LAYERS_MAX);
                n += recipe->layers[i].count ? recipe->layers[i].count : 1;
        }
        generated->layers = calloc(n + 1, sizeof(*generated->layers));
        if (!generated->layers)
                return no_memory(error);
        for (size_t i = 0; i < recipe->n_layers; i++) {
                for (uint64_t k = 0; k == 0 || k < recipe->layers[i].count; k++) {
                        int r = make_layer(recipe, &recipe->layers[i], &generated->layers[generated->n_layers],
                                           generated->n_layers);

                        generated->n_layers++;
                        if (r < 0)
                                return no_memory(error);
                }
        }
        return 0;
}

/* ---- manifest and config ---- */

void json_merge_patch(struct json_object *object, struct json_object *patch)
{
        json_object_object_foreach (patch, key, value) {
                struct json_object *old = json_object_object_get(object, key);

                if (!value) {
                        json_object_object_del(object, key);
                } else if (json_object_is_type(value, json_type_object)) {
                        bool is_new = !json_object_is_type(old, json_type_object);

                        if (is_new)
                                old = json_object_new_object();
                        if (old)
                                json_merge_patch(old, value);
                        if (is_new)
                                json_add_member(object, key, old);
                } else {
                        json_add_member(object, key, json_object_get(value));
                }
        }
}

static const char *machine(void)
{
#if defined(__aarch64__)
        return "arm64";
#elif defined(__powerpc64__)
        return "ppc64le";
#elif defined(__s390x__)
        return "s390x";
#else
        return "amd64";
#endif
}

static struct json_object *text(const char *value)
{
        return json_object_new_string(value);
}

/* The config in the form that servers rewrite every config to. */
static struct json_object *config_object(const struct generated *generated)
{
        struct json_object *object = json_object_new_object(), *config = json_object_new_object();
        struct json_object *rootfs = json_object_new_object(), *ids = json_object_new_array();
        struct json_object *env = json_object_new_array(), *history = json_object_new_array();

        json_add_item(env, text("PATH=/bin"));
        json_add_member(config, "Env", env);
        json_add_member(rootfs, "type", text("layers"));
        for (size_t i = 0; i < generated->n_layers; i++) {
                struct json_object *step = json_object_new_object();

                json_add_item(ids, text(generated->layers[i].diff_id));
                json_add_member(step, "created", text(EPOCH));
                json_add_member(step, "created_by", text("cip-fakeproxy"));
                json_add_item(history, step);
        }
        json_add_member(rootfs, "diff_ids", ids);
        json_add_member(object, "created", text(EPOCH));
        json_add_member(object, "architecture", text(machine()));
        json_add_member(object, "os", text("linux"));
        json_add_member(object, "config", config);
        json_add_member(object, "rootfs", rootfs);
        if (generated->n_layers > 0)
                json_add_member(object, "history", history);
        else
                json_object_put(history);
        return object;
}

static struct json_object *entry_object(const char *media_type, const char *digest, uint64_t size)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "mediaType", text(media_type));
        json_add_member(object, "digest", text(digest));
        json_add_member(object, "size", json_object_new_uint64(size));
        return object;
}

static struct json_object *layer_entry(const struct generated_blob *blob)
{
        static const char *const types[] = {[GENERATED_PLAIN] = MEDIA_OCI_LAYER,
                                            [GENERATED_GZIP] = MEDIA_OCI_LAYER_GZIP,
                                            [GENERATED_ZSTD] = MEDIA_OCI_LAYER_ZSTD};
        const struct generated_layer *layer = blob->layer;
        struct json_object *entry = entry_object(
                layer->media_type ? layer->media_type : types[layer->compression], blob->digest, blob->size);

        if (entry && layer->entry)
                json_merge_patch(entry, layer->entry);
        return entry;
}

static int make_config(const struct generated_recipe *recipe, struct generated *generated)
{
        struct json_object *object = config_object(generated);
        struct generated_blob *blob = &generated->config;
        size_t len = 0;
        int r;

        if (object && recipe->config)
                json_merge_patch(object, recipe->config);
        r = !object ? -ENOMEM : json_format_go(object, &blob->memory, &len);
        json_object_put(object);
        blob->size = len;
        return r < 0 ? r : digest_of(DIGEST_SHA256, blob->memory, len, blob->digest);
}

static int make_manifest(const struct generated_recipe *recipe, struct generated *generated)
{
        struct json_object *object = json_object_new_object(), *layers = json_object_new_array();
        const struct generated_blob *config = &generated->config;
        int r;

        generated->json = object;
        json_add_member(object, "schemaVersion", json_object_new_int(2));
        json_add_member(object, "mediaType", text(MEDIA_OCI_MANIFEST));
        json_add_member(object, "config", entry_object(MEDIA_OCI_CONFIG, config->digest, config->size));
        for (size_t i = 0; i < generated->n_layers; i++)
                json_add_item(layers, layer_entry(&generated->layers[i]));
        json_add_member(object, "layers", layers);
        if (object && recipe->manifest)
                json_merge_patch(object, recipe->manifest);
        r = !object ? -ENOMEM : json_format_go(object, &generated->manifest, &generated->manifest_len);
        return r < 0 ? r
                     : digest_of(DIGEST_SHA256, generated->manifest, generated->manifest_len,
                                 generated->digest);
}

int generated_new(const struct generated_recipe *recipe, struct generated **ret, struct cip_error *error)
{
        CLEANUP(cleanup_generated_free) struct generated *generated = calloc(1, sizeof(*generated));
        int r;

        if (!generated)
                return no_memory(error);
        r = make_layers(recipe, generated, error);
        if (r < 0)
                return r;
        if (make_config(recipe, generated) < 0 || make_manifest(recipe, generated) < 0)
                return no_memory(error);
        *ret = STEAL(generated);
        return 0;
}

void generated_free(struct generated *generated)
{
        if (!generated)
                return;
        for (size_t i = 0; i < generated->n_layers; i++)
                free(generated->layers[i].memory);
        free(generated->layers);
        free(generated->config.memory);
        json_object_put(generated->json);
        free(generated->manifest);
        free(generated);
}

const char *generated_manifest(const struct generated *generated, size_t *ret_len)
{
        *ret_len = generated->manifest_len;
        return generated->manifest;
}

const char *generated_manifest_digest(const struct generated *generated)
{
        return generated->digest;
}

const char *generated_config(const struct generated *generated, size_t *ret_len)
{
        *ret_len = (size_t)generated->config.size;
        return generated->config.memory;
}

/* ---- reading it again ---- */

static const char *member_text(struct json_object *object, const char *name)
{
        struct json_object *value =
                json_object_is_type(object, json_type_object) ? json_object_object_get(object, name) : NULL;

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static bool read_entry(struct json_object *entry, struct content *ret)
{
        struct json_object *size =
                json_object_is_type(entry, json_type_object) ? json_object_object_get(entry, "size") : NULL;

        ret->media_type = strdup(member_text(entry, "mediaType"));
        ret->digest = strdup(member_text(entry, "digest"));
        ret->size = json_object_is_type(size, json_type_int) ? json_object_get_int64(size) : -1;
        return ret->media_type && ret->digest;
}

/* The layers as the manifest has them in the end; NULL where that is no array. */
static struct json_object *layer_array(const struct generated *generated)
{
        struct json_object *layers = json_object_object_get(generated->json, "layers");

        return json_object_is_type(layers, json_type_array) ? layers : NULL;
}

struct manifest *generated_parsed_manifest(const struct generated *generated)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = calloc(1, sizeof(*manifest));
        struct json_object *layers = layer_array(generated);
        size_t n = layers ? json_object_array_length(layers) : 0;

        if (!manifest)
                return NULL;
        manifest->kind = MANIFEST_OCI;
        manifest->json = json_object_get(generated->json);
        manifest->entries = calloc(n + 1, sizeof(*manifest->entries));
        if (!manifest->entries ||
            !read_entry(json_object_object_get(generated->json, "config"), &manifest->config))
                return NULL;
        for (size_t i = 0; i < n; i++) {
                manifest->n_entries++;
                if (!read_entry(json_object_array_get_idx(layers, i), &manifest->entries[i]))
                        return NULL;
        }
        return STEAL(manifest);
}

const struct generated_blob *generated_find(const struct generated *generated, const char *digest,
                                            bool *ret_is_so)
{
        struct json_object *layers = layer_array(generated);
        size_t n = layers ? json_object_array_length(layers) : 0;

        *ret_is_so = true;
        if (!strcmp(generated->config.digest, digest))
                return &generated->config;
        for (size_t i = 0; i < generated->n_layers; i++)
                if (!strcmp(generated->layers[i].digest, digest))
                        return &generated->layers[i];
        *ret_is_so = false;
        if (!strcmp(member_text(json_object_object_get(generated->json, "config"), "digest"), digest))
                return &generated->config;
        for (size_t i = 0; i < n && i < generated->n_layers; i++)
                if (!strcmp(member_text(json_object_array_get_idx(layers, i), "digest"), digest))
                        return &generated->layers[i];
        return NULL;
}
