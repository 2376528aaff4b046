/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of the protocol, as Initialize announces them, and where they begin to matter. Also read for the
 * releases of skopeo, which have the same form.
 */
#ifndef PROTOCOL_VERSION_H
#define PROTOCOL_VERSION_H

#include "base/cip-error.h"

struct version {
        unsigned major, minor, patch;
};

#define VERSION(a, b, c) ((struct version){(a), (b), (c)})

/* The oldest protocol that clients accept today, and the newest that this project knows. */
#define VERSION_OLDEST VERSION(0, 2, 3)
#define VERSION_NEWEST VERSION(0, 2, 8)

/* From this version on every reply has an error_code. */
#define VERSION_ERROR_CODE VERSION(0, 2, 8)

/* Bytes that version_format may need. */
#define VERSION_TEXT_SIZE 40

/* Reads MAJOR.MINOR.PATCH (decimal, no sign, nothing behind). Returns 0 or -EINVAL. */
int version_parse(const char *text, struct version *ret);

/* Writes it to @ret and returns @ret. */
const char *version_format(struct version version, char ret[VERSION_TEXT_SIZE]);

/* Below, at or above zero, as @a is older, the same, newer than @b. */
int version_compare(struct version a, struct version b);

#endif
