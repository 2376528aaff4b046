/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program as somebody outside of this tree would write it, valid in C and in C++: opens the image that it is
 * told, fetches manifest, config and every layer to nowhere, and prints what it found. ci/consumer compiles it
 * against the installed library. The command is CIP_SKOPEO, or skopeo.
 */
#include <cip.h>
#include <stdio.h>
#include <stdlib.h>

static int count(void *data, const void *bytes, size_t n)
{
        (void)bytes;
        *(unsigned long long *)data += n;
        return 0;
}

static int fetch(struct cip_image *image, struct cip_error *error)
{
        const struct cip_layer *layers;
        const char *manifest, *config, *digest;
        size_t manifest_len, config_len, n, i;
        unsigned long long bytes = 0;
        int r;

        r = cip_image_manifest(image, &manifest, &manifest_len, &digest, error);
        if (r == 0)
                r = cip_image_config(image, &config, &config_len, error);
        if (r == 0)
                r = cip_image_layers(image, &layers, &n, error);
        if (r < 0)
                return r;
        for (i = 0; i < n; i++) {
                struct cip_blob *blob;

                r = cip_blob_open(image, layers[i].digest, layers[i].size, 0, &blob, error);
                if (r < 0)
                        return r;
                r = cip_blob_to_callback(blob, count, &bytes, error);
                cip_blob_close(blob);
                if (r < 0)
                        return r;
        }
        printf("%s: manifest %lu, config %lu, %lu layers of %llu bytes\n", digest, (unsigned long)manifest_len,
               (unsigned long)config_len, (unsigned long)n, bytes);
        return n > 0 && bytes > 0 && manifest_len > 0 && config_len > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
        static struct cip_error error;
        struct cip_options *options;
        struct cip_session *session;
        struct cip_image *image;
        int r;

        if (argc != 2)
                return 2;
        if (cip_options_new(&options) < 0)
                return 2;
        if (getenv("CIP_SKOPEO") && cip_options_set_command_line(options, getenv("CIP_SKOPEO")) < 0)
                return 2;
        r = cip_session_open(options, &session, &error);
        cip_options_free(options);
        if (r == 0) {
                r = cip_image_open(session, argv[1], &image, &error);
                if (r == 0) {
                        r = fetch(image, &error);
                        cip_image_close(image, NULL);
                }
                if (r == 0)
                        r = cip_session_close(session, &error);
                else
                        cip_session_free(session);
        }
        if (r < 0) {
                fprintf(stderr, "consumer: %s\n", error.message);
                return 1;
        }
        return 0;
}
