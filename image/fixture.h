/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images that tests need, good and broken, generated the same to the byte on every machine. A row of the
 * table each; `fake:NAME`, the tests and the checks all take them from here.
 */
#ifndef IMAGE_FIXTURE_H
#define IMAGE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"

struct fixture {
        const char *name;  /* "layers-1", "gzip", "broken-missing-blob" */
        const char *about; /* one sentence */
        bool good;         /* a server opens it and serves all of it; else it refuses somewhere */
        const struct fixture_recipe *recipe;
        /* Docker's: open it as oci:DIR, for skopeo before 1.19 (schema 1: any) does not see its tag. */
        bool docker;
        bool artifact; /* good, but servers refuse its config as no image's */
        bool list;     /* an index or list: dir: cannot hold it */
        /* Of a broken one: the method that fails; of GetBlob, it may be its FinishPipe. */
        const char *refused_by;
};

extern const struct fixture fixtures[];
extern const size_t n_fixtures;

/* The fixture of that name, or NULL. */
const struct fixture *fixture_find(const char *name);

/*
 * Writes it as an OCI layout into @path (made if missing), tagged @tag (NULL: without one), and syncs nothing:
 * a test image need not outlive a crash of the machine. Returns 0 or a negative errno.
 */
int fixture_write_oci(const struct fixture *fixture, const char *path, const char *tag,
                      struct cip_error *error);

/*
 * Writes a layout with an image of one layer of @size zero bytes, which is a sparse file. For benchmarks; it
 * takes as long as hashing that much.
 */
int fixture_write_sparse(const char *path, const char *tag, uint64_t size, struct cip_error *error);

/*
 * Writes the layout into the file @path, as oci-archive: reads it; with @gzip compressed as a whole. Like the two
 * others it replaces the file.
 */
int fixture_write_oci_archive(const struct fixture *fixture, const char *path, const char *tag, bool gzip,
                              struct cip_error *error);

/*
 * Writes it as `docker save` does, with the name @tag ("example.com/image:tag"; NULL: none). Layers are put in as
 * they are, compressed or not. -ENOTSUP for what a docker-archive: cannot hold: a list, an artifact, a broken
 * manifest.
 */
int fixture_write_docker_archive(const struct fixture *fixture, const char *path, const char *tag, bool gzip,
                                 struct cip_error *error);

/* Writes it as a dir: image. -ENOTSUP for what dir: cannot hold (a list). */
int fixture_write_dir(const struct fixture *fixture, const char *path, struct cip_error *error);

#endif
