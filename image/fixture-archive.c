/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixtures as archives: the layout is written into a temporary folder, and packed from there. So whatever is
 * broken in a layout is broken in its oci-archive: in the same way.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/tmpdir.h"
#include "image/digest.h"
#include "image/fixture.h"
#include "image/layout.h"
#include "image/local-error.h"
#include "image/manifest.h"
#include "image/tarfile.h"
#include "protocol/message.h"

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for a fixture");
}

static int write_layout(const struct fixture *fixture, const char *tag, char **ret_folder,
                        struct cip_error *error)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        int r = tmpdir_new("cip-fixture", &folder, error);

        if (r == 0)
                r = fixture_write_oci(fixture, folder, tag, error);
        if (r == 0)
                *ret_folder = STEAL(folder);
        return r;
}

int fixture_write_oci_archive(const struct fixture *fixture, const char *path, const char *tag, bool gzip,
                              struct cip_error *error)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        int r = write_layout(fixture, tag, &folder, error);

        return r < 0 ? r : tarfile_pack_layout(folder, path, gzip, error);
}

/* ---- docker-archive: ---- */

/* A blob's name in the archive: "HEX.tar", "HEX.json". */
static void name_blob(const char *digest, const char *ending, char ret[DIGEST_TEXT_SIZE + 8])
{
        snprintf(ret, DIGEST_TEXT_SIZE + 8, "%s%s", digest_hex(digest), ending);
}

static int add_blob(struct layout *layout, struct tarfile_writer *writer, const char *digest,
                    const char *ending, struct cip_error *error)
{
        char name[DIGEST_TEXT_SIZE + 8];
        CLEANUP_FD int fd = -1;
        int r = layout_open_blob(layout, digest, &fd, NULL, error);

        if (r < 0)
                return r;
        name_blob(digest, ending, name);
        return tarfile_writer_add_fd(writer, name, fd, error);
}

static bool comes_before(const struct manifest *manifest, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!strcmp(manifest->entries[i].digest, manifest->entries[n].digest))
                        return true;
        return false;
}

/* manifest.json: one image. */
static struct json_object *make_items(const struct manifest *manifest, const char *tag)
{
        struct json_object *items = json_object_new_array(), *item = json_object_new_object();
        struct json_object *tags = tag ? json_object_new_array() : NULL, *layers = json_object_new_array();
        char name[DIGEST_TEXT_SIZE + 8];

        name_blob(manifest->config.digest, ".json", name);
        json_add_member(item, "Config", json_object_new_string(name));
        if (tag) {
                json_add_item(tags, json_object_new_string(tag));
                json_add_member(item, "RepoTags", tags);
        } else {
                json_add_member_or_null(item, "RepoTags", NULL);
        }
        for (size_t i = 0; i < manifest->n_entries; i++) {
                name_blob(manifest->entries[i].digest, ".tar", name);
                json_add_item(layers, json_object_new_string(name));
        }
        json_add_member(item, "Layers", layers);
        json_add_item(items, item);
        return items;
}

static int pack_image(struct layout *layout, const struct manifest *manifest, struct tarfile_writer *writer,
                      const char *tag, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *items = make_items(manifest, tag);
        const char *text = json_text(items, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        int r = text ? 0 : no_memory(error);

        for (size_t i = 0; r == 0 && i < manifest->n_entries; i++)
                if (!comes_before(manifest, i))
                        r = add_blob(layout, writer, manifest->entries[i].digest, ".tar", error);
        if (r == 0)
                r = add_blob(layout, writer, manifest->config.digest, ".json", error);
        return r < 0 ? r : tarfile_writer_add(writer, "manifest.json", text, strlen(text), error);
}

/* The manifest of the image that the layout has. */
static int read_manifest(const struct fixture *fixture, struct layout *layout, struct manifest **ret,
                         struct cip_error *error)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *entry;
        size_t len = 0;
        int r = layout_find(layout, NULL, &entry, error);

        if (r == 0)
                r = layout_read_blob(layout, entry->digest, MANIFEST_MAX, &text, &len, error);
        if (r < 0)
                return r;
        if (!fixture->list && !fixture->artifact)
                r = manifest_parse(text, len, &manifest, error);
        if (r == -ENOMEM)
                return r;
        if (!manifest || manifest->kind == MANIFEST_DOCKER_1)
                return local_error(error, -ENOTSUP, "a docker-archive: cannot hold the fixture %s",
                                   fixture->name);
        *ret = STEAL(manifest);
        return 0;
}

int fixture_write_docker_archive(const struct fixture *fixture, const char *path, const char *tag, bool gzip,
                                 struct cip_error *error)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_tarfile_writer_free) struct tarfile_writer *writer = NULL;
        int r = write_layout(fixture, NULL, &folder, error);

        if (r == 0)
                r = layout_open(folder, &layout, error);
        if (r == 0)
                r = read_manifest(fixture, layout, &manifest, error);
        if (r == 0)
                r = tarfile_writer_new(path, gzip, &writer, error);
        if (r == 0)
                r = pack_image(layout, manifest, writer, tag, error);
        return r == 0 ? tarfile_writer_close(STEAL(writer), error) : r;
}
