/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching the layers of an image into a layout, several at once in one session.
 */
#ifndef CLIENT_PULL_H
#define CLIENT_PULL_H

#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "client/cip.h"
#include "client/retry.h"
#include "image/layout.h"
#include "image/manifest.h"

/* What was done, in all attempts. */
struct pulled {
        size_t layers;  /* different ones */
        size_t fetched; /* of them; the others were there */
        uint64_t bytes; /* of all */
        uint64_t bytes_fetched;
};

/*
 * Brings every layer that @manifest names and @layout does not have into @layout, at most @jobs at once. A
 * layer that is there whole, by name and size, is taken as it is: it was verified and synced before it got its
 * name. What was finished before a failure stays.
 *
 * Where another attempt may follow by @retry, a layer that fails does not stop the others: its error, and how
 * many more there were, is returned when all have been tried. @pulled is filled in on failure too; of earlier
 * attempts its counts are kept.
 */
int pull_layers(struct cip_image *image, const struct manifest *manifest, struct layout *layout, size_t jobs,
                struct retry *retry, struct pulled *pulled, struct cip_error *error);

#endif
