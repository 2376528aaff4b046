/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a pull. One loop serves all blobs that are open: it waits for any of them, writes what came
 * into that blob's temporary file, and names the file when libcip says that size and digest hold. No name is
 * made from what the server says before the form of its digest was checked.
 */
#include "client/pull.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "client/command.h"
#include "client/progress.h"
#include "image/digest.h"

/* Bytes that are read and written at once. */
#define PIECE ((size_t)256 * 1024)

/* How much one blob may take before the others have their turn, in bytes. */
#define TURN (8 * PIECE)

enum state {
        WAITING,
        OPEN,
        DONE,
        ASIDE, /* it failed, and the next attempt may bring it */
};

struct layer {
        const char *digest;
        int64_t size;
        enum state state;
        struct cip_blob *blob;
        struct layout_blob *file;
};

struct pull {
        struct cip_image *image;
        struct layout *layout;
        struct layer *layers;
        size_t n;
        size_t n_open, n_done, n_aside;
        struct cip_error why_aside; /* of the first one */
        uint64_t bytes_done;        /* by layers that are done */
        char *buffer;
        struct cip_blob **waited; /* room for the blobs that are open */
        struct progress progress;
        struct retry *retry;
        struct pulled *pulled;
};

static void layer_drop(struct layer *layer)
{
        cip_blob_close(STEAL(layer->blob));
        layout_blob_free(STEAL(layer->file));
}

static void pull_clear(struct pull *pull)
{
        progress_end(&pull->progress);
        for (size_t i = 0; i < pull->n; i++)
                layer_drop(&pull->layers[i]);
        free(pull->layers);
        free(pull->buffer);
        free(pull->waited);
}

static int by_digest(const void *a, const void *b)
{
        const struct content *const *x = a, *const *y = b;

        return strcmp((*x)->digest, (*y)->digest);
}

static int by_size(const void *a, const void *b)
{
        const struct layer *x = a, *y = b;

        return (x->size < y->size) - (x->size > y->size);
}

/* The different layers of the manifest, the largest first, so that none of those is left alone at the end. */
static int collect(struct pull *pull, const struct manifest *manifest, struct cip_error *error)
{
        CLEANUP(cleanup_free) const struct content **sorted = calloc(manifest->n_entries + 1, sizeof(void *));

        pull->layers = calloc(manifest->n_entries + 1, sizeof(*pull->layers));
        if (!sorted || !pull->layers)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        for (size_t i = 0; i < manifest->n_entries; i++) {
                if (!digest_parse(manifest->entries[i].digest, NULL))
                        return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                         "layer %zu has '%s' in the place of a digest", i + 1,
                                         manifest->entries[i].digest);
                sorted[i] = &manifest->entries[i];
        }
        qsort(sorted, manifest->n_entries, sizeof(void *), by_digest);
        pull->pulled->bytes = 0;
        for (size_t i = 0; i < manifest->n_entries; i++) {
                if (i > 0 && !strcmp(sorted[i]->digest, sorted[i - 1]->digest)) {
                        if (sorted[i]->size != sorted[i - 1]->size)
                                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG,
                                                 "the manifest gives layer %s two sizes", sorted[i]->digest);
                        continue;
                }
                pull->layers[pull->n++] = (struct layer){.digest = sorted[i]->digest, .size = sorted[i]->size};
                pull->pulled->bytes += sorted[i]->size > 0 ? (uint64_t)sorted[i]->size : 0;
        }
        qsort(pull->layers, pull->n, sizeof(*pull->layers), by_size);
        pull->pulled->layers = pull->n;
        return 0;
}

static void finish(struct pull *pull, struct layer *layer, bool fetched)
{
        uint64_t size = layer->size > 0 ? (uint64_t)layer->size : 0;

        layer->state = DONE;
        pull->n_done++;
        if (!fetched)
                return;
        pull->bytes_done += size;
        pull->pulled->fetched++;
        pull->pulled->bytes_fetched += size;
}

/* Starts one layer, unless it has come to be there meanwhile: another pull may fetch the same. */
static int begin(struct pull *pull, struct layer *layer, struct cip_error *error)
{
        int r;

        if (layout_has_blob(pull->layout, layer->digest, layer->size)) {
                finish(pull, layer, false);
                return 0;
        }
        r = layout_blob_new(pull->layout, &layer->file, error);
        if (r == 0)
                r = cip_blob_open(pull->image, layer->digest, layer->size, CIP_BLOB_NONBLOCK, &layer->blob,
                                  error);
        if (r < 0)
                return r;
        layer->state = OPEN;
        pull->n_open++;
        return 0;
}

static int commit(struct pull *pull, struct layer *layer, struct cip_error *error)
{
        int r = layout_blob_commit(STEAL(layer->file), layer->digest, error);

        cip_blob_close(STEAL(layer->blob));
        pull->n_open--;
        if (r < 0)
                return r;
        finish(pull, layer, true);
        return 0;
}

/*
 * A layer failed. Returns 0 where the others go on: another attempt may follow, and the session, which only an
 * error of the server's leaves as it was for certain, is not what failed.
 */
static int set_aside(struct pull *pull, struct layer *layer, int r, const struct cip_error *error)
{
        if (error->error_class != CIP_ERROR_REMOTE || !retry_takes(pull->retry, error))
                return r;
        if (pull->n_aside++ == 0)
                pull->why_aside = *error;
        layer_drop(layer);
        layer->state = ASIDE;
        pull->n_open--;
        return 0;
}

/* Takes in what one blob has now. */
static int serve(struct pull *pull, struct layer *layer, struct cip_error *error)
{
        for (size_t taken = 0; taken < TURN;) {
                ssize_t n = cip_blob_read(layer->blob, pull->buffer, PIECE, error);
                int r;

                if (n == -EAGAIN)
                        return 0;
                if (n < 0)
                        return set_aside(pull, layer, (int)n, error);
                if (n == 0)
                        return commit(pull, layer, error);
                r = write_all(layout_blob_fd(layer->file), pull->buffer, (size_t)n);
                if (r < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write layer %s",
                                               layer->digest);
                taken += (size_t)n;
        }
        return 0;
}

static void show(struct pull *pull)
{
        struct standing standing = {.bytes_done = pull->bytes_done};

        for (size_t i = 0; i < pull->n; i++) {
                const struct layer *layer = &pull->layers[i];
                uint64_t size = layer->size > 0 ? (uint64_t)layer->size : 0;
                uint64_t come = layer->blob ? cip_blob_bytes(layer->blob) : 0;

                if (layer->state != DONE) {
                        standing.bytes += size;
                        standing.bytes_done += come;
                }
                if (layer->state == OPEN && size > come && size - come > standing.slowest_left) {
                        standing.slowest = layer->digest;
                        standing.slowest_left = size - come;
                }
        }
        standing.bytes += pull->bytes_done;
        standing.layers = pull->n;
        standing.layers_done = pull->n_done;
        progress_draw(&pull->progress, &standing);
}

/* Waits until one of the open blobs has something, and serves those that have. */
static int turn(struct pull *pull, struct cip_error *error)
{
        size_t n = 0;
        int r;

        for (size_t i = 0; i < pull->n; i++)
                if (pull->layers[i].state == OPEN)
                        pull->waited[n++] = pull->layers[i].blob;
        if (n == 0)
                return 0;
        show(pull);
        r = cip_blobs_wait(pull->waited, n, pull->progress.lively ? PROGRESS_INTERVAL_MS : -1, error);
        if (r <= 0)
                return r;
        for (size_t i = 0; i < pull->n; i++) {
                r = pull->layers[i].state == OPEN ? serve(pull, &pull->layers[i], error) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* All has been tried. */
static int conclude(const struct pull *pull, struct cip_error *error)
{
        if (pull->n_aside == 0)
                return 0;
        *error = pull->why_aside;
        if (pull->n_aside > 1)
                error_append(error, " (and %zu more layers failed)", pull->n_aside - 1);
        return error->errnum;
}

int pull_layers(struct cip_image *image, const struct manifest *manifest, struct layout *layout, size_t jobs,
                struct retry *retry, struct pulled *pulled, struct cip_error *error)
{
        CLEANUP(pull_clear)
        struct pull pull = {.image = image, .layout = layout, .retry = retry, .pulled = pulled};
        int r = collect(&pull, manifest, error);

        if (r < 0)
                return r;
        pull.buffer = malloc(PIECE);
        pull.waited = calloc(jobs, sizeof(void *));
        if (!pull.buffer || !pull.waited)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        progress_begin(&pull.progress, is_lively(STDERR_FILENO));
        while (pull.n_done + pull.n_aside < pull.n) {
                for (size_t i = 0; i < pull.n && pull.n_open < jobs; i++) {
                        if (pull.layers[i].state != WAITING)
                                continue;
                        r = begin(&pull, &pull.layers[i], error);
                        if (r < 0)
                                return r;
                }
                r = turn(&pull, error);
                if (r < 0)
                        return r;
        }
        return conclude(&pull, error);
}
