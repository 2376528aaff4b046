/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the config of an image for a platform of one's choice, with deadlines that are shorter than the usual
 * ones.
 *
 *     config docker://quay.io/podman/hello:latest arm64
 */
#include <cip.h>
#include <stdio.h>

static int make_options(const char *architecture, struct cip_options **ret)
{
        struct cip_options *options;
        int r = cip_options_new(&options);

        if (r < 0)
                return r;
        /* The server answers within 30 seconds, and is never silent for 10 while data is awaited. */
        cip_options_set_request_timeout(options, 30000);
        cip_options_set_stall_timeout(options, 10000);
        r = cip_options_set_platform(options, architecture, NULL, NULL);
        if (r < 0) {
                cip_options_free(options);
                return r;
        }
        *ret = options;
        return 0;
}

int main(int argc, char **argv)
{
        struct cip_options *options = NULL;
        struct cip_session *session = NULL;
        struct cip_image *image = NULL;
        struct cip_error error = {0};
        const char *config;
        int r;

        if (argc < 2 || argc > 3) {
                fprintf(stderr, "usage: config TRANSPORT:REFERENCE [ARCHITECTURE]\n");
                return 2;
        }
        if (make_options(argv[2], &options) < 0) {
                fprintf(stderr, "config: wrong architecture, or no memory\n");
                return 2;
        }
        r = cip_session_open(options, &session, &error);
        cip_options_free(options);
        if (r == 0)
                r = cip_image_open(session, argv[1], &image, &error);
        if (r == 0)
                r = cip_image_config(image, &config, NULL, &error);
        if (r == 0)
                puts(config);
        else
                fprintf(stderr, "config: %s\n", error.message);
        cip_image_close(image, NULL);
        cip_session_close(session, NULL);
        return r < 0;
}
