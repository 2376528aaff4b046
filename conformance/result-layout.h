/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client left in the folder that it was to write an image to: an OCI layout, compared with the image that
 * the scenario's server has.
 */
#ifndef CONFORMANCE_RESULT_LAYOUT_H
#define CONFORMANCE_RESULT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "fakeproxy/scenario.h"

/* The image of a scenario, as far as a comparison needs it. */
struct expected_image;

/* Returns 0, or a negative errno with @error: -EBADMSG for an image that no client could take. */
int expected_image_new(const struct scenario *scenario, struct expected_image **ret, struct cip_error *error);
void expected_image_free(struct expected_image *image);
DEFINE_CLEANUP(struct expected_image *, expected_image_free);

/* How many layers of different digest it has. */
size_t expected_image_layers(const struct expected_image *image);

/* Bytes that a sentence about a result may need. */
#define RESULT_TEXT_SIZE 1024

/*
 * Whether the layout @path holds just @image: its manifest is the only one in index.json, config and layers are
 * there, every blob is what its name says. Where it does not, the reason, as a phrase ("has no index.json"), goes
 * to @reason.
 */
bool result_is_image(const char *path, const struct expected_image *image, char reason[RESULT_TEXT_SIZE]);

/*
 * What a failed pull left that it should not, as a phrase in @reason: an image in index.json that is not @image
 * (with @image NULL: any), a blob under its final name that is another, temporary files. False: nothing.
 */
bool result_misleads(const char *path, const struct expected_image *image, char reason[RESULT_TEXT_SIZE]);

#endif
