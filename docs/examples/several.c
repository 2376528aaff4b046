/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches all layers of an image, up to four at once, in one thread: cip_blobs_wait says when one of them can
 * go on, and none is ever waited for alone. Prints each digest when the layer has come whole.
 *
 *     several oci:/path/to/layout:tag
 */
#include <cip.h>
#include <errno.h>
#include <stdio.h>

#define AT_ONCE 4

/* Those under way, without gaps. */
struct running {
        struct cip_blob *blobs[AT_ONCE];
        const struct cip_layer *layers[AT_ONCE];
        size_t n;
};

static int start(struct running *running, struct cip_image *image, const struct cip_layer *layer,
                 struct cip_error *error)
{
        int r = cip_blob_open(image, layer->digest, layer->size, CIP_BLOB_NONBLOCK, &running->blobs[running->n],
                              error);

        if (r == 0)
                running->layers[running->n++] = layer;
        return r;
}

/* Takes what has come of one. 1: it is at its end, 0: not yet. */
static int take(struct cip_blob *blob, struct cip_error *error)
{
        static char buffer[65536];
        ssize_t n = cip_blob_read(blob, buffer, sizeof(buffer), error);

        if (n == 0)
                return 1;
        return n > 0 || n == -EAGAIN ? 0 : (int)n;
}

static int go_on(struct running *running, struct cip_error *error)
{
        int r = cip_blobs_wait(running->blobs, running->n, -1, error);

        for (size_t i = 0; r >= 0 && i < running->n; i++) {
                r = take(running->blobs[i], error);
                if (r != 1)
                        continue;
                puts(running->layers[i]->digest);
                cip_blob_close(running->blobs[i]);
                /* The last one fills the gap. */
                running->n--;
                running->blobs[i] = running->blobs[running->n];
                running->layers[i] = running->layers[running->n];
                i--;
        }
        return r < 0 ? r : 0;
}

static int fetch_layers(struct cip_image *image, struct cip_error *error)
{
        const struct cip_layer *layers;
        struct running running = {.n = 0};
        size_t n, next = 0;
        int r = cip_image_layers(image, &layers, &n, error);

        while (r == 0 && (next < n || running.n > 0)) {
                while (r == 0 && next < n && running.n < AT_ONCE)
                        r = start(&running, image, &layers[next++], error);
                if (r == 0)
                        r = go_on(&running, error);
        }
        while (running.n > 0)
                cip_blob_close(running.blobs[--running.n]);
        return r;
}

int main(int argc, char **argv)
{
        struct cip_session *session = NULL;
        struct cip_image *image = NULL;
        struct cip_error error = {0};
        int r;

        if (argc != 2) {
                fprintf(stderr, "usage: several TRANSPORT:REFERENCE\n");
                return 2;
        }
        r = cip_session_open(NULL, &session, &error);
        if (r == 0)
                r = cip_image_open(session, argv[1], &image, &error);
        if (r == 0)
                r = fetch_layers(image, &error);
        if (r < 0)
                fprintf(stderr, "several: %s\n", error.message);
        cip_image_close(image, NULL);
        cip_session_close(session, NULL);
        return r < 0;
}
