/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests as images use them: ALGORITHM:HEX with sha256 or sha512, lower case. On OpenSSL's libcrypto.
 */
#ifndef IMAGE_DIGEST_H
#define IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum digest_algorithm {
        DIGEST_SHA256,
        DIGEST_SHA512,
};

/* Bytes of the longest digest's text, with its NUL: "sha512:" and 128 hex digits. */
#define DIGEST_TEXT_SIZE (7 + 128 + 1)

/* Judges the form. False for other algorithms, upper case, a wrong length. @ret_algorithm may be NULL. */
bool digest_parse(const char *text, enum digest_algorithm *ret_algorithm);

/*
 * What is wrong with a digest that digest_parse refuses, in the words that servers use: "invalid checksum
 * digest format", "unsupported digest algorithm", "invalid checksum digest length". Static text.
 */
const char *digest_problem(const char *text);

/* The hex digits behind the colon of a digest that digest_parse accepts. */
const char *digest_hex(const char *text);

/* A digest under way. */
struct digest;

/* Returns 0 or -ENOMEM. */
int digest_new(enum digest_algorithm algorithm, struct digest **ret);
void digest_free(struct digest *digest);
DEFINE_CLEANUP(struct digest *, digest_free);

/* Takes in @len bytes. Returns 0 or a negative errno. */
int digest_update(struct digest *digest, const void *data, size_t len);

/* Writes the digest of all that was taken in, and starts anew. Returns 0 or a negative errno. */
int digest_finish(struct digest *digest, char ret[DIGEST_TEXT_SIZE]);

/*
 * For a program's main function: OpenSSL will not read the machine's configuration file, which takes longer
 * than most of what is hashed here. A library leaves that to whose process it is.
 */
void digest_skip_configuration(void);

/* The digest of @len bytes in one go. Returns 0 or a negative errno. */
int digest_of(enum digest_algorithm algorithm, const void *data, size_t len, char ret[DIGEST_TEXT_SIZE]);

#endif
