/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists the layers of an image, bottom first: digest, size in bytes, media type.
 *
 *     layers oci:/path/to/layout:tag
 */
#include <cip.h>
#include <stdio.h>

static int print_layers(struct cip_image *image, struct cip_error *error)
{
        const struct cip_layer *layers;
        size_t n;
        int r = cip_image_layers(image, &layers, &n, error);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                printf("%s %lld %s\n", layers[i].digest, (long long)layers[i].size, layers[i].media_type);
        return 0;
}

int main(int argc, char **argv)
{
        struct cip_session *session = NULL;
        struct cip_image *image = NULL;
        struct cip_error error = {0};
        int r;

        if (argc != 2) {
                fprintf(stderr, "usage: layers TRANSPORT:REFERENCE\n");
                return 2;
        }
        r = cip_session_open(NULL, &session, &error);
        if (r == 0)
                r = cip_image_open(session, argv[1], &image, &error);
        if (r == 0)
                r = print_layers(image, &error);
        /* Both take NULL, and free in any case. After an error only the first one counts. */
        if (cip_image_close(image, r == 0 ? &error : NULL) < 0)
                r = -1;
        if (cip_session_close(session, r == 0 ? &error : NULL) < 0)
                r = -1;
        if (r < 0)
                fprintf(stderr, "layers: %s\n", error.message);
        return r < 0;
}
