/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches one blob of an image into a file, which appears under its name only when size and digest hold.
 *
 *     blob oci:/path/to/layout:tag sha256:0123.. FILE
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkostemp */
#endif
#include <cip.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fetch(struct cip_image *image, const char *digest, int fd, struct cip_error *error)
{
        struct cip_blob *blob;
        /* -1: the size is not known here. libcip asks the manifest where the server must be told. */
        int r = cip_blob_open(image, digest, -1, 0, &blob, error);

        if (r < 0)
                return r;
        r = cip_blob_to_fd(blob, fd, error);
        cip_blob_close(blob);
        return r;
}

static int fetch_to_file(const char *reference, const char *digest, int fd, struct cip_error *error)
{
        struct cip_session *session;
        struct cip_image *image = NULL;
        int r = cip_session_open(NULL, &session, error);

        if (r < 0)
                return r;
        r = cip_image_open(session, reference, &image, error);
        if (r == 0)
                r = fetch(image, digest, fd, error);
        cip_image_close(image, NULL);
        cip_session_close(session, NULL);
        return r;
}

int main(int argc, char **argv)
{
        struct cip_error error = {0};
        char temporary[4096];
        int fd, r;

        if (argc != 4 || strlen(argv[3]) > sizeof(temporary) - sizeof(".XXXXXX")) {
                fprintf(stderr, "usage: blob TRANSPORT:REFERENCE DIGEST FILE\n");
                return 2;
        }
        snprintf(temporary, sizeof(temporary), "%s.XXXXXX", argv[3]);
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0) {
                perror(temporary);
                return 2;
        }
        r = fetch_to_file(argv[1], argv[2], fd, &error);
        close(fd);
        if (r < 0)
                fprintf(stderr, "blob: %s\n", error.message);
        else if (rename(temporary, argv[3]) < 0)
                perror(argv[3]);
        else
                return 0;
        unlink(temporary);
        return 1;
}
