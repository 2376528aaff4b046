/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip blob: one blob to standard output or to a file. Bytes that go to standard output are not known to be good
 * before the end; the exit status says. A file only ever has its name when it is good.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "client/command.h"
#include "client/destination.h"
#include "image/digest.h"
#include "protocol/message.h"

/* Its size, where the manifest names it: older servers want to be told. -1: not known. */
static int64_t size_of(struct cip_image *image, const char *digest)
{
        const struct cip_layer *layers;
        size_t n;

        if (cip_image_layers(image, &layers, &n, NULL) < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                if (!strcmp(layers[i].digest, digest))
                        return layers[i].size;
        return -1;
}

static int fetch(struct context *context, struct cip_image *image, const char *digest, int fd,
                 uint64_t *ret_bytes, struct cip_error *error)
{
        struct cip_blob *blob;
        struct cip_error because;
        int r;

        /*
         * The size is looked up by the library, unless the layers that the server serves are not the
         * manifest's.
         */
        r = cip_blob_open(image, digest, -1, 0, &blob, error);
        if (r == -ENOTSUP && size_of(image, digest) >= 0)
                r = cip_blob_open(image, digest, size_of(image, digest), 0, &blob, error);
        if (r < 0)
                return r;
        r = cip_blob_to_fd(blob, fd, &because);
        *ret_bytes = cip_blob_bytes(blob);
        cip_blob_close(blob);
        if (r == -EPIPE && because.error_class == CIP_ERROR_LOCAL)
                context->reader_is_gone = !context->arguments->output;
        if (r < 0 && error)
                *error = because;
        return r;
}

static int report(struct context *context, const char *digest, uint64_t bytes, struct cip_error *error)
{
        struct json_object *json = json_object_new_object();

        json_add_text(json, "digest", digest);
        json_add_member(json, "size", json_object_new_int64((int64_t)bytes));
        json_add_text(json, "file", context->arguments->output);
        return output_json(context, json, error);
}

int command_blob(struct context *context, struct cip_error *error)
{
        const struct arguments *arguments = context->arguments;
        const char *digest = arguments->operands[1];
        CLEANUP(opened_clear) struct opened opened = {0};
        CLEANUP(destination_clear) struct destination destination = DESTINATION_NONE;
        uint64_t bytes = 0;
        int r;

        if (!digest_parse(digest, NULL))
                return error_set(
                        error, CIP_ERROR_LOCAL, -EINVAL,
                        "'%s' is no digest, which is sha256: and 64 hexadecimal digits, or sha512: and 128",
                        digest);
        if (arguments->json && (!arguments->output || !strcmp(arguments->output, "-")))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--json prints where the blob would go: give the blob a file with -o FILE");
        r = destination_open(arguments->output, true, &destination, error);
        if (r == 0)
                r = opened_open(context, arguments->operands[0], &opened, error);
        if (r == 0)
                r = fetch(context, opened.image, digest, destination.fd, &bytes, error);
        if (r == 0)
                r = opened_close(&opened, error);
        if (r == 0)
                r = destination_commit(&destination, error);
        if (r == 0 && arguments->json)
                r = report(context, digest, bytes, error);
        return r;
}
