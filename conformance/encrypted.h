/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images whose layers are encrypted in the manner of ocicrypt, as `skopeo copy --encryption-key jwe:FILE` makes them:
 * AES-256-CTR with an HMAC, the key of each layer wrapped for a recipient's RSA key in an annotation. With keys made
 * for the run. On OpenSSL's libcrypto. docs/protocol.md#encrypted-layers
 */
#ifndef CONFORMANCE_ENCRYPTED_H
#define CONFORMANCE_ENCRYPTED_H

#include "base/cip-error.h"
#include "base/cleanup.h"

#define MEDIA_ENCRYPTED "+encrypted"

/* A recipient's pair of keys. */
struct encrypted_key;

/* Makes one. Returns 0 or a negative errno with @error. */
int encrypted_key_new(struct encrypted_key **ret, struct cip_error *error);
void encrypted_key_free(struct encrypted_key *key);
DEFINE_CLEANUP(struct encrypted_key *, encrypted_key_free);

/* The private key as PEM, as --decryption-key wants it in a file. Borrowed. */
const char *encrypted_key_pem(const struct encrypted_key *key);

/*
 * Adds an image to a layout: the one that is tagged @tag, with the layers from number @from on, counted from the
 * bottom, encrypted for @key. It is tagged @new_tag. Returns 0 or a negative errno with @error.
 */
int encrypted_add_image(const char *layout_path, const char *tag, const char *new_tag, size_t from,
                        const struct encrypted_key *key, struct cip_error *error);

#endif
