/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads every layer of an image and throws it away, until all are read or somebody presses Enter: another
 * thread cancels by writing to an eventfd, and whatever the session is waiting for ends at once.
 *
 *     cancel docker://quay.io/podman/hello:latest
 */
#include <cip.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *cancel_on_enter(void *data)
{
        const int *event = data;
        const uint64_t one = 1;

        if (getchar() != EOF && write(*event, &one, sizeof(one)) < 0)
                perror("eventfd");
        return NULL;
}

static int read_layer(struct cip_image *image, const struct cip_layer *layer, struct cip_error *error)
{
        static char buffer[65536];
        struct cip_blob *blob = NULL;
        ssize_t n;
        int r = cip_blob_open(image, layer->digest, layer->size, 0, &blob, error);

        if (r < 0)
                return r;
        do
                n = cip_blob_read(blob, buffer, sizeof(buffer), error);
        while (n > 0);
        cip_blob_close(blob);
        return (int)n;
}

static int read_layers(struct cip_session *session, const char *reference, struct cip_error *error)
{
        struct cip_image *image = NULL;
        const struct cip_layer *layers;
        size_t n;
        int r = cip_image_open(session, reference, &image, error);

        if (r < 0)
                return r;
        r = cip_image_layers(image, &layers, &n, error);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = read_layer(image, &layers[i], error);
        cip_image_close(image, NULL);
        return r;
}

static int read_image(const char *reference, int event, struct cip_error *error)
{
        struct cip_options *options;
        struct cip_session *session = NULL;
        int r = cip_options_new(&options);

        if (r < 0)
                return r;
        r = cip_options_set_cancel_fd(options, event);
        if (r == 0)
                r = cip_session_open(options, &session, error);
        cip_options_free(options);
        if (r < 0)
                return r;
        r = read_layers(session, reference, error);
        cip_session_close(session, NULL);
        return r;
}

int main(int argc, char **argv)
{
        struct cip_error error = {0};
        pthread_t thread;
        int event = eventfd(0, EFD_CLOEXEC);
        int r;

        if (argc != 2 || event < 0) {
                fprintf(stderr, "usage: cancel TRANSPORT:REFERENCE\n");
                return 2;
        }
        if (pthread_create(&thread, NULL, cancel_on_enter, &event) != 0)
                return 2;
        pthread_detach(thread);
        r = read_image(argv[1], event, &error);
        if (r == -ECANCELED)
                fprintf(stderr, "cancel: stopped\n");
        else if (r < 0)
                fprintf(stderr, "cancel: %s\n", error.message);
        return r < 0;
}
