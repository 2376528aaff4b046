/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests of docker's schema 1, as far as servers go along with them: they refuse to send one, but make up a
 * config of its history and tell its layers. docs/protocol.md#getfullconfig
 */
#ifndef IMAGE_SCHEMA_1_H
#define IMAGE_SCHEMA_1_H

#include <json-c/json.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "image/manifest.h"

struct schema_1;

/*
 * Judges a manifest as servers do: as many layers as entries of history, each of which names the one below it.
 * The manifest is borrowed until schema_1_free. Returns 0, -EBADMSG with @error (class `local`) or -ENOMEM.
 */
int schema_1_read(struct json_object *manifest, struct schema_1 **ret, struct cip_error *error);
void schema_1_free(struct schema_1 *schema_1);
DEFINE_CLEANUP(struct schema_1 *, schema_1_free);

/*
 * The layers, bottom first, empty ones among them; without media type and size (-1). Their digests are as they
 * stand in the manifest, in any form: no names of files. Borrowed.
 */
const struct content *schema_1_layers(const struct schema_1 *schema_1, size_t *ret_n);

/*
 * The config that servers make up, in docker's form: the topmost entry of the history with a rootfs whose
 * diff_ids nobody knows. The caller frees. Returns 0 or -ENOMEM.
 */
int schema_1_config(const struct schema_1 *schema_1, char **ret, size_t *ret_len, struct cip_error *error);

#endif
