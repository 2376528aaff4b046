/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References as they come in OpenImage. Whatever they are, opening them gives an image or an error with words, and
 * leaves no descriptor.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "image/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_free) char *text = strndup((const char *)data, size), *path = NULL, *tag = NULL;
        struct cip_error error = {0};
        size_t fds = target_count_fds();
        int r;

        target_that(text, "no memory");
        if (oci_reference_parse(text, &path, &tag, NULL) == 0)
                target_that(strncmp(text, path, strlen(path)) == 0 && (!tag || *tag),
                            "%s was taken apart into %s and %s", text, path, tag ? tag : "nothing");
        /* The fixtures are made in the file system: not for each input. */
        if (strncmp(text, "fake:", 5) == 0)
                return 0;
        r = image_open_unread(text, NULL, &image, NULL, &error);
        target_that(r == 0 || (r < 0 && *error.message), "a reference was refused without a word");
        image_free(image);
        image = NULL;
        target_that(target_count_fds() == fds, "a descriptor is left open");
        return 0;
}
