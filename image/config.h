/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image configs as servers send them. A server never sends the bytes of a config blob: it reads them into the
 * fields that the OCI specification knows and writes those anew, so that unknown members are lost, members come
 * in a fixed order and text is escaped as Go's encoding/json does. docs/protocol.md#methods
 */
#ifndef IMAGE_CONFIG_H
#define IMAGE_CONFIG_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"

/*
 * The config of @len bytes as GetFullConfig sends it, or with @member_only its `config` alone, as GetConfig
 * does. *@ret is NUL-terminated and the caller's to free. Returns 0, -EBADMSG with @error (class `local`),
 * -ENOMEM.
 */
int config_to_oci(const char *data, size_t len, bool member_only, char **ret, size_t *ret_len,
                  struct cip_error *error);

/*
 * A time in JSON as Go writes what it read of it: without zeros behind a fraction, UTC as "Z"; missing or null
 * is the first second of the year 1. Servers read times in a config and write them anew. The caller frees
 * *@ret. Returns 0, -EBADMSG with @error (class `local`) for what is no time, -ENOMEM.
 */
int time_to_go(struct json_object *time, char **ret, struct cip_error *error);

/*
 * The text of @json as Go's encoding/json writes it: no blanks, no escaped slashes, and <, >, & and the two
 * line separators of Unicode as \u escapes. The caller frees *@ret. Returns 0 or -ENOMEM.
 */
int json_format_go(struct json_object *json, char **ret, size_t *ret_len);

#endif
