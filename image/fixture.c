/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixtures: a table of recipes and what cooks them. Nothing in the bytes depends on the machine, the time
 * or a library's version: content comes from a small generator seeded by the fixture's name, layers are tar
 * archives of one file, JSON is written member by member. Compressed layers are stored (gzip) or raw (zstd)
 * blocks in frames written here, because what zlib and libzstd make of the same input differs between their
 * versions; tests show that both libraries read them. Configs are in the form that servers rewrite every config
 * to, so that what GetFullConfig sends has the digest that the manifest tells.
 */
#include "image/fixture.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/digest.h"
#include "image/layout.h"
#include "image/local-error.h"
#include "image/manifest.h"

#define MIB ((size_t)1024 * 1024)
#define EPOCH "1970-01-01T00:00:00Z"

enum compression {
        PLAIN,
        GZIP,
        ZSTD,
};

enum shape {
        SHAPE_IMAGE,
        SHAPE_INDEX,       /* one image for each of four platforms */
        SHAPE_NESTED,      /* the same, behind an index that is an entry too */
        SHAPE_ONLY_NESTED, /* an index of one entry, which is an index */
        SHAPE_SCHEMA_1,
};

enum defect {
        DEFECT_NONE,
        DEFECT_MISSING_BLOB,
        DEFECT_SIZE,
        DEFECT_DIGEST,
        DEFECT_MANIFEST,
        DEFECT_CONFIG,
};

struct fixture_recipe {
        unsigned layers;
        size_t size;                       /* of the file in each layer's tar, or of the layer itself */
        bool raw;                          /* layers are @size bytes, and no tar */
        bool sha512;                       /* of the layers; servers take no config of that algorithm */
        size_t manifest_size, config_size; /* padded to this; 0: as it is */
        enum compression compression;
        enum shape shape;
        enum defect defect;
};

#define IMAGE(...)                     \
        &(const struct fixture_recipe) \
        {                              \
                __VA_ARGS__            \
        }

const struct fixture fixtures[] = {
        {"layers-0", "An image without layers.", true, IMAGE(.layers = 0)},
        {"layers-1", "A small image of one layer, for most purposes.", true, IMAGE(.layers = 1, .size = 400)},
        {"layers-300", "300 layers: more than GetLayerInfo's reply can tell in 32 KiB.", true,
         IMAGE(.layers = 300, .size = 400)},
        {"layers-2000", "2,000 layers: more than GetLayerInfo's reply can tell in one packet.", true,
         IMAGE(.layers = 2000, .size = 400)},
        {"tar", "Two layers that are not compressed.", true, IMAGE(.layers = 2, .size = 10000)},
        {"gzip", "Two layers in gzip.", true, IMAGE(.layers = 2, .size = 10000, .compression = GZIP)},
        {"zstd", "Two layers in zstd.", true, IMAGE(.layers = 2, .size = 10000, .compression = ZSTD)},
        {"blob-0", "A layer of no bytes.", true, IMAGE(.layers = 1, .raw = true, .size = 0)},
        {"blob-1", "A layer of one byte.", true, IMAGE(.layers = 1, .raw = true, .size = 1)},
        {"blob-65535", "A layer one byte short of a pipe's usual capacity.", true,
         IMAGE(.layers = 1, .raw = true, .size = 65535)},
        {"blob-65536", "A layer of just a pipe's usual capacity.", true,
         IMAGE(.layers = 1, .raw = true, .size = 65536)},
        {"blob-65537", "A layer one byte past a pipe's usual capacity.", true,
         IMAGE(.layers = 1, .raw = true, .size = 65537)},
        {"blob-64m", "A layer of 64 MiB.", true, IMAGE(.layers = 1, .raw = true, .size = 64 * MIB)},
        {"index", "An index of four platforms.", true, IMAGE(.layers = 1, .size = 400, .shape = SHAPE_INDEX),
         .list = true},
        {"index-nested", "An index of four platforms and, before them, an index for which no server looks.",
         true, IMAGE(.layers = 1, .size = 400, .shape = SHAPE_NESTED), .list = true},
        {"docker", "Docker's schema 2 with layers in gzip.", true,
         IMAGE(.layers = 2, .size = 10000, .compression = GZIP), .docker = true},
        {"docker-list", "Docker's list of four platforms.", true,
         IMAGE(.layers = 1, .size = 400, .compression = GZIP, .shape = SHAPE_INDEX), .docker = true,
         .list = true},
        {"artifact", "An artifact: its config is the empty one, which servers refuse to send.", true,
         IMAGE(.layers = 1, .raw = true, .size = 1000), .artifact = true},
        {"manifest-1m", "A manifest of 1 MiB.", true, IMAGE(.layers = 1, .size = 400, .manifest_size = MIB)},
        {"config-1m", "A config of 1 MiB.", true, IMAGE(.layers = 1, .size = 400, .config_size = MIB)},
        {"sha512", "Layers with sha512 digests; manifest and config have sha256.", true,
         IMAGE(.layers = 2, .size = 400, .sha512 = true)},
        {"broken-missing-blob", "The layer's blob is not there.", false,
         IMAGE(.layers = 1, .size = 400, .defect = DEFECT_MISSING_BLOB), .refused_by = "GetBlob"},
        {"broken-size", "The layer's blob is one byte shorter than the manifest tells.", false,
         IMAGE(.layers = 1, .size = 400, .defect = DEFECT_SIZE), .refused_by = "GetBlob"},
        {"broken-digest", "The last bit of the layer's blob is flipped.", false,
         IMAGE(.layers = 1, .size = 400, .defect = DEFECT_DIGEST), .refused_by = "GetBlob"},
        {"broken-manifest", "The manifest ends in the middle; index.json tells its digest and size so.", false,
         IMAGE(.layers = 1, .size = 400, .defect = DEFECT_MANIFEST), .refused_by = "GetManifest"},
        {"broken-config", "The config is a JSON array.", false,
         IMAGE(.layers = 1, .size = 400, .defect = DEFECT_CONFIG), .refused_by = "GetFullConfig"},
        {"broken-nested", "An index whose only entry is an index.", false,
         IMAGE(.layers = 1, .size = 400, .shape = SHAPE_ONLY_NESTED), .list = true,
         .refused_by = "GetManifest"},
        {"broken-schema-1", "Docker's schema 1.", false,
         IMAGE(.layers = 1, .size = 400, .compression = GZIP, .shape = SHAPE_SCHEMA_1), .docker = true,
         .refused_by = "GetManifest"},
};
const size_t n_fixtures = ARRAY_SIZE(fixtures);

static const struct platform platforms[] = {
        {"amd64", "linux", NULL},
        {"arm64", "linux", "v8"},
        {"ppc64le", "linux", NULL},
        {"s390x", "linux", NULL},
};

const struct fixture *fixture_find(const char *name)
{
        for (size_t i = 0; i < n_fixtures; i++) {
                if (strcmp(fixtures[i].name, name) == 0)
                        return &fixtures[i];
        }
        return NULL;
}

/* ---- content ---- */

/* xorshift64*, which is the same everywhere. */
struct generator {
        uint64_t state;
};

static struct generator new_generator(const char *name, const char *architecture, unsigned layer)
{
        char text[64];
        uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

        snprintf(text, sizeof(text), "%s/%s/%u", name, architecture, layer);
        for (const char *p = text; *p; p++)
                hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
        return (struct generator){hash ? hash : 1};
}

static void generate(struct generator *generator, char *to, size_t len)
{
        while (len > 0) {
                size_t n = len < 8 ? len : 8;
                uint64_t word;

                generator->state ^= generator->state >> 12;
                generator->state ^= generator->state << 25;
                generator->state ^= generator->state >> 27;
                word = htole64(generator->state * UINT64_C(2685821657736338717));
                memcpy(to, &word, n);
                to += n;
                len -= n;
        }
}

#define TAR_BLOCK 512

/* A ustar header of a regular file, all of whose variable parts are given. */
static void tar_header(char to[TAR_BLOCK], unsigned layer, size_t size)
{
        static const char magic[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};
        unsigned sum = 0;

        memset(to, 0, TAR_BLOCK);
        snprintf(to, 100, "layer-%u", layer);
        memcpy(to + 100, "0000644", 8);
        memcpy(to + 108, "0000000", 8);
        memcpy(to + 116, "0000000", 8);
        snprintf(to + 124, 12, "%011zo", size);
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

/* A tar of one file of @size bytes. */
static char *make_tar(struct generator *generator, unsigned layer, size_t size, size_t *ret_len)
{
        size_t padded = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        char *tar = calloc(1, TAR_BLOCK + padded + 2 * (size_t)TAR_BLOCK);

        if (!tar)
                return NULL;
        tar_header(tar, layer, size);
        generate(generator, tar + TAR_BLOCK, size);
        *ret_len = TAR_BLOCK + padded + 2 * (size_t)TAR_BLOCK;
        return tar;
}

static char *put_le(char *to, uint64_t value, size_t n)
{
        for (size_t i = 0; i < n; i++)
                *to++ = (char)(value >> (8 * i) & 0xff);
        return to;
}

/* RFC 1952: one member without name and time, one stored block. */
static char *make_gzip(const char *data, size_t len, size_t *ret_len)
{
        char *frame = malloc(len + 23), *p = frame;

        assert(len <= UINT16_MAX);
        if (!frame)
                return NULL;
        p = put_le(p, 0x00088b1f, 4); /* magic, deflate, no flags */
        p = put_le(p, 0, 4);          /* time */
        p = put_le(p, 0xff00, 2);     /* no extra flags, system unknown */
        *p++ = 1;                     /* last block, stored */
        p = put_le(p, len, 2);
        p = put_le(p, ~len & UINT16_MAX, 2);
        memcpy(p, data, len);
        p = put_le(p + len, crc32(0, (const Bytef *)data, (uInt)len), 4);
        p = put_le(p, len, 4);
        *ret_len = (size_t)(p - frame);
        return frame;
}

/* RFC 8878: a single segment with a content size of four bytes, one raw block, no checksum. */
static char *make_zstd(const char *data, size_t len, size_t *ret_len)
{
        char *frame = malloc(len + 12), *p = frame;

        assert(len <= 128 * (size_t)1024);
        if (!frame)
                return NULL;
        p = put_le(p, 0xfd2fb528, 4);
        p = put_le(p, 0xa0, 1);
        p = put_le(p, len, 4);
        p = put_le(p, len << 3 | 1, 3); /* last block, raw */
        memcpy(p, data, len);
        *ret_len = (size_t)(p + len - frame);
        return frame;
}

/* ---- where it goes ---- */

/* Writes into a layout, or into a dir: folder. */
struct writer {
        const struct fixture *fixture;
        const struct fixture_recipe *recipe;
        struct layout *layout;
        int dir_fd;
        const char *path;
        struct cip_error *error;
};

/* What a manifest tells of a blob. */
struct blob {
        const char *media_type;
        char digest[DIGEST_TEXT_SIZE];
        char diff_id[DIGEST_TEXT_SIZE]; /* of a layer: the digest of what it is uncompressed */
        uint64_t size;
};

static int write_failed(const struct writer *writer, int r)
{
        return local_errno(writer->error, r, "cannot write the fixture into %s", writer->path);
}

static int open_new(const struct writer *writer, const char *name, int *ret_fd)
{
        *ret_fd = openat(writer->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
        return *ret_fd < 0 ? -errno : 0;
}

static int write_file(const struct writer *writer, const char *name, const char *data, size_t len)
{
        CLEANUP_FD int fd = -1;
        int r = open_new(writer, name, &fd);

        if (r == 0)
                r = write_all(fd, data, len);
        return r < 0 ? write_failed(writer, r) : 0;
}

/* Writes bytes under the name of @digest, whatever their own is. */
static int write_as(struct writer *writer, const char *digest, const char *data, size_t len)
{
        CLEANUP(cleanup_layout_blob_free) struct layout_blob *file = NULL;
        int r;

        if (!writer->layout)
                return write_file(writer, digest_hex(digest), data, len);
        r = layout_blob_new(writer->layout, &file, writer->error);
        if (r < 0)
                return r;
        r = write_all(layout_blob_fd(file), data, len);
        if (r < 0)
                return write_failed(writer, r);
        return layout_blob_commit(STEAL(file), digest, writer->error);
}

static int put(struct writer *writer, const char *data, size_t len, struct blob *ret)
{
        int r = digest_of(DIGEST_SHA256, data, len, ret->digest);

        ret->size = len;
        return r < 0 ? write_failed(writer, r) : write_as(writer, ret->digest, data, len);
}

/* ---- layers ---- */

static const char *layer_media_type(const struct writer *writer)
{
        if (writer->fixture->docker)
                return writer->recipe->compression == GZIP ? MEDIA_DOCKER_LAYER_GZIP : MEDIA_DOCKER_LAYER;
        if (writer->fixture->artifact)
                return "application/octet-stream";
        return writer->recipe->compression == GZIP   ? MEDIA_OCI_LAYER_GZIP
               : writer->recipe->compression == ZSTD ? MEDIA_OCI_LAYER_ZSTD
                                                     : MEDIA_OCI_LAYER;
}

/* The layer's file, with the defect that the recipe wants of it. @data is changed. */
static int put_layer_bytes(struct writer *writer, char *data, size_t len, struct blob *ret)
{
        int r = digest_of(writer->recipe->sha512 ? DIGEST_SHA512 : DIGEST_SHA256, data, len, ret->digest);

        if (r < 0)
                return write_failed(writer, r);
        ret->size = len;
        switch (writer->recipe->defect) {
        case DEFECT_MISSING_BLOB:
                return 0;
        case DEFECT_SIZE:
                ret->size++;
                break;
        case DEFECT_DIGEST:
                data[len - 1] ^= 1;
                break;
        default:
                break;
        }
        return write_as(writer, ret->digest, data, len);
}

static int put_tar_layer(struct writer *writer, struct generator *generator, unsigned layer, struct blob *ret)
{
        CLEANUP(cleanup_free) char *packed = NULL;
        size_t len, packed_len = 0;
        CLEANUP(cleanup_free) char *tar = make_tar(generator, layer, writer->recipe->size, &len);
        int r;

        if (!tar)
                return write_failed(writer, -ENOMEM);
        r = digest_of(DIGEST_SHA256, tar, len, ret->diff_id);
        if (r < 0)
                return write_failed(writer, r);
        if (writer->recipe->compression == PLAIN)
                return put_layer_bytes(writer, tar, len, ret);
        packed = writer->recipe->compression == GZIP ? make_gzip(tar, len, &packed_len)
                                                     : make_zstd(tar, len, &packed_len);
        return packed ? put_layer_bytes(writer, packed, packed_len, ret) : write_failed(writer, -ENOMEM);
}

/* Generated, hashed and written piece by piece: there may be much of it. */
static int stream_raw(struct generator *generator, size_t size, int fd, struct digest *digest)
{
        CLEANUP(cleanup_free) char *buffer = malloc(MIB);

        if (!buffer)
                return -ENOMEM;
        while (size > 0) {
                size_t n = size < MIB ? size : MIB;
                int r;

                generate(generator, buffer, n);
                r = digest_update(digest, buffer, n);
                if (r == 0)
                        r = write_all(fd, buffer, n);
                if (r < 0)
                        return r;
                size -= n;
        }
        return 0;
}

static int put_raw_layer(struct writer *writer, struct generator *generator, struct blob *ret)
{
        static const char temp[] = ".cip-fixture";
        CLEANUP(cleanup_layout_blob_free) struct layout_blob *file = NULL;
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        CLEANUP_FD int fd = -1;
        int r = digest_new(DIGEST_SHA256, &digest);

        if (r == 0 && !writer->layout)
                r = open_new(writer, temp, &fd);
        if (r < 0)
                return write_failed(writer, r);
        r = writer->layout ? layout_blob_new(writer->layout, &file, writer->error) : 0;
        if (r < 0)
                return r;
        r = stream_raw(generator, writer->recipe->size, file ? layout_blob_fd(file) : fd, digest);
        if (r == 0)
                r = digest_finish(digest, ret->digest);
        if (r == 0 && !file && renameat(writer->dir_fd, temp, writer->dir_fd, digest_hex(ret->digest)) < 0)
                r = -errno;
        if (r < 0)
                return write_failed(writer, r);
        memcpy(ret->diff_id, ret->digest, sizeof(ret->diff_id));
        ret->size = writer->recipe->size;
        return file ? layout_blob_commit(STEAL(file), ret->digest, writer->error) : 0;
}

static int put_layer(struct writer *writer, const char *architecture, unsigned layer, struct blob *ret)
{
        struct generator generator = new_generator(writer->fixture->name, architecture, layer);

        ret->media_type = layer_media_type(writer);
        return writer->recipe->raw ? put_raw_layer(writer, &generator, ret)
                                   : put_tar_layer(writer, &generator, layer, ret);
}

/* ---- JSON ---- */

/* A text that grows. */
struct text {
        FILE *stream;
        char *data;
        size_t len;
};

static void text_free(struct text *text)
{
        if (text->stream)
                fclose(text->stream);
        free(text->data);
}

static int text_open(struct text *text)
{
        text->stream = open_memstream(&text->data, &text->len);
        return text->stream ? 0 : -ENOMEM;
}

/* Afterwards @data and @len are valid. */
static int text_close(struct text *text)
{
        FILE *stream = STEAL(text->stream);

        return fclose(stream) == 0 && text->data ? 0 : -ENOMEM;
}

static void print_padding(FILE *to, size_t len)
{
        for (size_t i = 0; i < len; i++)
                putc_unlocked('x', to);
}

static void print_blob(FILE *to, const struct blob *blob)
{
        fprintf(to, "\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%" PRIu64, blob->media_type, blob->digest,
                blob->size);
}

/* @padding: bytes of a label that fills the config up; 0 for none. */
static int format_config(const struct writer *writer, const char *architecture, const struct blob *layers,
                         size_t padding, struct text *ret)
{
        FILE *to;

        if (text_open(ret) < 0)
                return -ENOMEM;
        to = ret->stream;
        fprintf(to,
                "{\"created\":\"" EPOCH "\",\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Env\":"
                "[\"PATH=/bin\"],\"Cmd\":[\"/bin/sh\"],\"Labels\":{\"fixture\":\"%s\"",
                architecture, writer->fixture->name);
        if (padding > 0) {
                fputs(",\"padding\":\"", to);
                print_padding(to, padding);
                putc('"', to);
        }
        fputs("}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", to);
        for (unsigned i = 0; i < writer->recipe->layers; i++)
                fprintf(to, "%s\"%s\"", i ? "," : "", layers[i].diff_id);
        fputs("]}", to);
        for (unsigned i = 0; i < writer->recipe->layers; i++)
                fprintf(to, "%s{\"created\":\"" EPOCH "\",\"created_by\":\"layer %u\"}",
                        i ? "," : ",\"history\":[", i);
        fputs(writer->recipe->layers ? "]}" : "}", to);
        return text_close(ret);
}

static int format_manifest(const struct writer *writer, const struct blob *config, const struct blob *layers,
                           size_t padding, struct text *ret)
{
        FILE *to;

        if (text_open(ret) < 0)
                return -ENOMEM;
        to = ret->stream;
        fprintf(to, "{\"schemaVersion\":2,\"mediaType\":\"%s\",",
                writer->fixture->docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST);
        if (writer->fixture->artifact)
                fputs("\"artifactType\":\"application/vnd.example.fixture\",", to);
        fputs("\"config\":{", to);
        print_blob(to, config);
        fputs("},\"layers\":[", to);
        for (unsigned i = 0; i < writer->recipe->layers; i++) {
                fputs(i ? ",{" : "{", to);
                print_blob(to, &layers[i]);
                putc('}', to);
        }
        putc(']', to);
        if (padding > 0) {
                fputs(",\"annotations\":{\"padding\":\"", to);
                print_padding(to, padding);
                fputs("\"}", to);
        }
        putc('}', to);
        return text_close(ret);
}

/* What the servers refuse whole: enough of it to be told apart. */
static int format_schema_1(const struct writer *writer, const struct blob *layer, struct text *ret)
{
        if (text_open(ret) < 0)
                return -ENOMEM;
        fprintf(ret->stream,
                "{\"schemaVersion\":1,\"name\":\"%s\",\"tag\":\"latest\",\"architecture\":\"amd64\","
                "\"fsLayers\":"
                "[{\"blobSum\":\"%s\"}],\"history\":[{\"v1Compatibility\":\"{\\\"id\\\":\\\"%s\\\","
                "\\\"created\\\":\\\"" EPOCH "\\\"}\"}]}",
                writer->fixture->name, layer->digest, digest_hex(layer->digest));
        return text_close(ret);
}

/* ---- images and indexes ---- */

/* Formats once to learn the size, and where the recipe wants more, again with what is missing. */
static int make_config(const struct writer *writer, const char *architecture, const struct blob *layers,
                       struct text *ret)
{
        size_t wanted = writer->recipe->config_size;
        int r = format_config(writer, architecture, layers, wanted ? 1 : 0, ret);

        if (r < 0 || ret->len >= wanted)
                return r;
        wanted = wanted - ret->len + 1;
        text_free(ret);
        *ret = (struct text){0};
        return format_config(writer, architecture, layers, wanted, ret);
}

static int make_manifest(const struct writer *writer, const struct blob *config, const struct blob *layers,
                         struct text *ret)
{
        size_t wanted = writer->recipe->manifest_size;
        int r;

        if (writer->recipe->shape == SHAPE_SCHEMA_1)
                return format_schema_1(writer, &layers[0], ret);
        r = format_manifest(writer, config, layers, wanted ? 1 : 0, ret);
        if (r < 0 || ret->len >= wanted)
                return r;
        wanted = wanted - ret->len + 1;
        text_free(ret);
        *ret = (struct text){0};
        return format_manifest(writer, config, layers, wanted, ret);
}

static int put_config(struct writer *writer, const char *architecture, const struct blob *layers,
                      struct blob *ret)
{
        static const char empty[] = "{}", wrong[] = "[\"not a config\"]";
        CLEANUP(text_free) struct text text = {0};
        int r;

        ret->media_type = writer->fixture->artifact ? MEDIA_OCI_EMPTY
                          : writer->fixture->docker ? MEDIA_DOCKER_CONFIG
                                                    : MEDIA_OCI_CONFIG;
        if (writer->fixture->artifact)
                return put(writer, empty, strlen(empty), ret);
        if (writer->recipe->defect == DEFECT_CONFIG)
                return put(writer, wrong, strlen(wrong), ret);
        r = make_config(writer, architecture, layers, &text);
        return r < 0 ? write_failed(writer, r) : put(writer, text.data, text.len, ret);
}

/* Writes a manifest as the blob it is; in a dir: folder it is manifest.json. */
static int put_manifest(struct writer *writer, const char *data, size_t len, struct blob *ret)
{
        int r;

        if (writer->layout)
                return put(writer, data, len, ret);
        r = digest_of(DIGEST_SHA256, data, len, ret->digest);
        ret->size = len;
        return r < 0 ? write_failed(writer, r) : write_file(writer, "manifest.json", data, len);
}

static const char *image_media_type(const struct writer *writer)
{
        return writer->recipe->shape == SHAPE_SCHEMA_1 ? manifest_kind_media_type(MANIFEST_DOCKER_1)
               : writer->fixture->docker               ? MEDIA_DOCKER_MANIFEST
                                                       : MEDIA_OCI_MANIFEST;
}

static int put_image(struct writer *writer, const char *architecture, struct blob *ret)
{
        CLEANUP(cleanup_free) struct blob *layers = calloc(writer->recipe->layers + 1, sizeof(*layers));
        CLEANUP(text_free) struct text text = {0};
        struct blob config = {0};
        int r;

        if (!layers)
                return write_failed(writer, -ENOMEM);
        for (unsigned i = 0; i < writer->recipe->layers; i++) {
                r = put_layer(writer, architecture, i, &layers[i]);
                if (r < 0)
                        return r;
        }
        r = put_config(writer, architecture, layers, &config);
        if (r < 0)
                return r;
        r = make_manifest(writer, &config, layers, &text);
        if (r < 0)
                return write_failed(writer, r);
        ret->media_type = image_media_type(writer);
        return put_manifest(writer, text.data,
                            writer->recipe->defect == DEFECT_MANIFEST ? text.len / 2 : text.len, ret);
}

static void print_entry(FILE *to, const struct blob *blob, const struct platform *platform)
{
        putc('{', to);
        print_blob(to, blob);
        if (platform)
                fprintf(to, ",\"platform\":{\"architecture\":\"%s\",\"os\":\"%s\"%s%s%s}",
                        platform->architecture, platform->os, platform->variant ? ",\"variant\":\"" : "",
                        platform->variant ? platform->variant : "", platform->variant ? "\"" : "");
        putc('}', to);
}

/* An index of @first (NULL: none), which has no platform, and @n images of all platforms. */
static int put_list(struct writer *writer, const struct blob *first, const struct blob *images, size_t n,
                    struct blob *ret)
{
        CLEANUP(text_free) struct text text = {0};

        ret->media_type = writer->fixture->docker ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX;
        if (text_open(&text) < 0)
                return write_failed(writer, -ENOMEM);
        fprintf(text.stream, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[", ret->media_type);
        if (first)
                print_entry(text.stream, first, NULL);
        for (size_t i = 0; i < n; i++) {
                fputs(first || i ? "," : "", text.stream);
                print_entry(text.stream, &images[i], &platforms[i]);
        }
        fputs("]}", text.stream);
        if (text_close(&text) < 0)
                return write_failed(writer, -ENOMEM);
        return put(writer, text.data, text.len, ret);
}

static int put_index(struct writer *writer, struct blob *ret)
{
        struct blob images[ARRAY_SIZE(platforms)] = {0}, nested = {0};
        enum shape shape = writer->recipe->shape;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(platforms); i++)
                r = put_image(writer, platforms[i].architecture, &images[i]);
        if (r < 0)
                return r;
        if (shape == SHAPE_INDEX)
                return put_list(writer, NULL, images, ARRAY_SIZE(images), ret);
        r = put_list(writer, NULL, images, ARRAY_SIZE(images), &nested);
        if (r < 0)
                return r;
        return put_list(writer, &nested, images, shape == SHAPE_NESTED ? ARRAY_SIZE(images) : 0, ret);
}

static int put_all(struct writer *writer, struct blob *ret)
{
        return writer->fixture->list ? put_index(writer, ret)
                                     : put_image(writer, platforms[0].architecture, ret);
}

int fixture_write_oci(const struct fixture *fixture, const char *path, const char *tag, struct cip_error *error)
{
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        struct writer writer = {fixture, fixture->recipe, .dir_fd = -1, .path = path, .error = error};
        struct blob top = {0};
        int r = layout_create_unsynced(path, &layout, error);

        if (r < 0)
                return r;
        writer.layout = layout;
        r = put_all(&writer, &top);
        if (r < 0)
                return r;
        return layout_add_manifest(layout, top.media_type, top.digest, (int64_t)top.size, tag, NULL, error);
}

int fixture_write_dir(const struct fixture *fixture, const char *path, struct cip_error *error)
{
        static const char version[] = "Directory Transport Version: 1.1\n";
        CLEANUP_FD int fd = -1;
        struct writer writer = {fixture, fixture->recipe, .path = path, .error = error};
        struct blob top = {0};
        int r;

        if (fixture->list)
                return local_error(error, -ENOTSUP,
                                   "a dir: folder cannot hold the fixture %s, which is a list of images",
                                   fixture->name);
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
                return local_errno(error, -errno, "cannot make the folder %s", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return local_errno(error, -errno, "cannot open the folder %s", path);
        writer.dir_fd = fd;
        r = write_file(&writer, "version", version, strlen(version));
        return r < 0 ? r : put_all(&writer, &top);
}

/* ---- a sparse blob ---- */

static int hash_zeros(uint64_t size, char ret[DIGEST_TEXT_SIZE])
{
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        CLEANUP(cleanup_free) char *zeros = calloc(1, MIB);
        int r = zeros ? digest_new(DIGEST_SHA256, &digest) : -ENOMEM;

        while (r == 0 && size > 0) {
                size_t n = size < MIB ? (size_t)size : MIB;

                r = digest_update(digest, zeros, n);
                size -= n;
        }
        return r < 0 ? r : digest_finish(digest, ret);
}

int fixture_write_sparse(const char *path, const char *tag, uint64_t size, struct cip_error *error)
{
        static const struct fixture_recipe recipe = {.layers = 1};
        static const struct fixture sparse = {"sparse", "One layer of zero bytes.", true, &recipe};
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_layout_blob_free) struct layout_blob *file = NULL;
        CLEANUP(text_free) struct text text = {0};
        struct writer writer = {&sparse, &recipe, .dir_fd = -1, .path = path, .error = error};
        struct blob layer = {MEDIA_OCI_LAYER, .size = size}, config = {0}, top = {0};
        int r = layout_create_unsynced(path, &layout, error);

        if (r == 0)
                r = layout_blob_new(layout, &file, error);
        if (r < 0)
                return r;
        writer.layout = layout;
        if (size > INT64_MAX || ftruncate(layout_blob_fd(file), (off_t)size) < 0)
                return write_failed(&writer, size > INT64_MAX ? -EFBIG : -errno);
        r = hash_zeros(size, layer.digest);
        if (r < 0)
                return write_failed(&writer, r);
        memcpy(layer.diff_id, layer.digest, sizeof(layer.diff_id));
        r = layout_blob_commit(STEAL(file), layer.digest, error);
        if (r == 0)
                r = put_config(&writer, platforms[0].architecture, &layer, &config);
        if (r < 0)
                return r;
        r = make_manifest(&writer, &config, &layer, &text);
        if (r < 0)
                return write_failed(&writer, r);
        r = put(&writer, text.data, text.len, &top);
        if (r < 0)
                return r;
        return layout_add_manifest(layout, MEDIA_OCI_MANIFEST, top.digest, (int64_t)top.size, tag, NULL, error);
}
