/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests, lists and configs as JSON text: telling them apart, reading what is needed to serve or to pull an
 * image, converting docker's schema 2 to OCI, picking a platform out of a list. Strict: input is hostile.
 */
#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H

#include <json-c/json.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP MEDIA_OCI_LAYER "+gzip"
#define MEDIA_OCI_LAYER_ZSTD MEDIA_OCI_LAYER "+zstd"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP MEDIA_DOCKER_LAYER ".gzip"

/* The largest manifest or config that is read, in bytes. */
#define MANIFEST_MAX ((size_t)4 * 1024 * 1024)

enum manifest_kind {
        MANIFEST_OCI,
        MANIFEST_OCI_INDEX,
        MANIFEST_DOCKER,      /* schema 2 */
        MANIFEST_DOCKER_LIST, /* schema 2 */
        MANIFEST_DOCKER_1,    /* schema 1: told apart only to be refused */
};

/* A descriptor in the OCI sense: what a manifest says of a blob. */
struct content {
        char *media_type;
        char *digest;
        int64_t size;                      /* bytes */
        char *architecture, *os, *variant; /* of an entry of a list; NULL where it says none */
        char *ref_name;                    /* its annotation org.opencontainers.image.ref.name, or NULL */
};

struct manifest {
        enum manifest_kind kind;
        struct json_object *json; /* as parsed */
        struct content config;    /* of an image */
        struct content *entries;  /* the layers of an image, bottom first, or a list's manifests */
        size_t n_entries;
};

void manifest_free(struct manifest *manifest);
DEFINE_CLEANUP(struct manifest *, manifest_free);

/* Parses and judges @len bytes. Returns 0, -EBADMSG with @error (class `local`), or -ENOMEM. */
int manifest_parse(const char *data, size_t len, struct manifest **ret, struct cip_error *error);

/*
 * The text of an image manifest as OCI: *@ret is a copy of the bytes where it is OCI already, else the
 * conversion of docker's schema 2. Schema 1 and lists are -ENOTSUP. The caller frees.
 */
int manifest_to_oci(const struct manifest *manifest, const char *data, size_t len, char **ret, size_t *ret_len,
                    struct cip_error *error);

/*
 * The same for an image whose config is @config_len bytes of @config: where the manifest is docker's, the
 * converted one names the converted config (config_to_oci), as servers do. @config NULL: the config's own
 * digest and size are kept.
 */
int manifest_to_oci_with_config(const struct manifest *manifest, const char *data, size_t len,
                                const char *config, size_t config_len, char **ret, size_t *ret_len,
                                struct cip_error *error);

/* A kind's media type; for schema 1 that of an unsigned one. Static text. */
const char *manifest_kind_media_type(enum manifest_kind kind);

/* A platform in Go's words, "amd64", "linux", "v8". NULL: what is running here. */
struct platform {
        const char *architecture, *os, *variant;
};

/* The entry of a list for @platform; NULL and -ENOENT with @error where there is none. */
int manifest_pick(const struct manifest *list, const struct platform *platform, const struct content **ret,
                  struct cip_error *error);

#endif
