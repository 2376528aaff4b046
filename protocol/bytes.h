/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as members of JSON objects, in transcripts, recordings and steps: as text where they are plain UTF-8, else under
 * another name in base64.
 */
#ifndef PROTOCOL_BYTES_H
#define PROTOCOL_BYTES_H

#include <json-c/json.h>
#include <stddef.h>

/* Adds @len bytes to @object: under @text_key as they are, where they are UTF-8 without NUL, else under @base64_key. */
void bytes_to_json(struct json_object *object, const char *text_key, const char *base64_key, const char *data,
                   size_t len);

/*
 * The other way round: *@ret is NUL-terminated behind its *@ret_len bytes and the caller's to free. Returns 1; 0 where
 * neither member is there as a string; -EINVAL for what is no base64; -ENOMEM.
 */
int bytes_from_json(struct json_object *object, const char *text_key, const char *base64_key, char **ret,
                    size_t *ret_len);

/* Decodes base64 with its padding. As above: 0, -EINVAL or -ENOMEM. */
int base64_decode(const char *text, size_t len, char **ret, size_t *ret_len);

#endif
