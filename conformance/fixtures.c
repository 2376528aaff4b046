/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture images as a check sees them: in its own folder when they are first asked for, so that it may break what
 * it likes. They are written once for all checks of a run, in a folder beside those of the checks, and linked from there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/tmpdir.h"
#include "conformance/context.h"
#include "image/fixture.h"
#include "image/layout.h"

#define FIXTURE_TAG "latest"

/* What is in the folder @from, by hard links in @to, which is made. */
static void link_folder(struct check_context *c, const char *from, const char *to)
{
        DIR *folder = opendir(from);
        struct dirent *entry;

        if (!folder || mkdir(to, 0777) < 0)
                check_error(c, "cannot copy the folder %s: %s", from, strerror(errno));
        while ((entry = readdir(folder))) {
                const char *source = check_text(c, "%s/%s", from, entry->d_name);
                const char *target = check_text(c, "%s/%s", to, entry->d_name);

                if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
                        continue;
                /* A folder cannot be linked. */
                if (link(source, target) < 0 && errno == EPERM)
                        link_folder(c, source, target);
                else if (access(target, F_OK) < 0)
                        check_error(c, "cannot link %s: %s", source, strerror(errno));
        }
        closedir(folder);
}

/* The fixture that all checks share, written by the first that asks: whoever is later by a moment throws its own away. */
static const char *shared_fixture(struct check_context *c, const struct fixture *fixture)
{
        const char *folder = check_text(c, "%s/../fixtures", c->folder);
        const char *path = check_text(c, "%s/%s", folder, fixture->name);
        const char *own = check_text(c, "%s.%d", path, (int)getpid());
        struct cip_error error = {0};

        if (access(path, F_OK) == 0)
                return path;
        mkdir(folder, 0777);
        if (fixture_write_oci(fixture, own, FIXTURE_TAG, &error) < 0)
                check_error(c, "%s", error.message);
        if (rename(own, path) < 0 && (remove_tree_at(AT_FDCWD, own) < 0 || access(path, F_OK) < 0))
                check_error(c, "cannot make the fixture %s: %s", path, strerror(errno));
        return path;
}

static struct fixture_copy *copy_of(struct check_context *c, const char *name)
{
        const struct fixture *fixture = fixture_find(name);
        struct fixture_copy *copy;

        for (copy = c->fixtures; copy; copy = copy->next)
                if (strcmp(copy->name, name) == 0)
                        return copy;
        if (!fixture)
                check_error(c, "there is no fixture %s", name);
        copy = calloc(1, sizeof(*copy));
        if (!copy)
                check_error(c, "out of memory");
        copy->name = fixture->name;
        copy->path = check_text(c, "%s/%s", c->folder, name);
        context_doing(c, "writing the fixture %s", name);
        link_folder(c, shared_fixture(c, fixture), copy->path);
        copy->next = c->fixtures;
        c->fixtures = copy;
        return copy;
}

const char *check_fixture_path(struct check_context *c, const char *name)
{
        return copy_of(c, name)->path;
}

const char *check_fixture(struct check_context *c, const char *name)
{
        return check_text(c, "oci:%s:%s", check_fixture_path(c, name), FIXTURE_TAG);
}

const char *check_fixture_archive(struct check_context *c, const char *fixture, const char *transport,
                                  const char *name)
{
        const struct fixture *found = fixture_find(fixture);
        const char *path = check_text(c, "%s/%s", c->folder, name);
        size_t len = strlen(name);
        bool gzip = len > 3 && strcmp(name + len - 3, ".gz") == 0;
        struct cip_error error = {0};
        int r;

        if (!found)
                check_error(c, "there is no fixture %s", fixture);
        context_doing(c, "writing the fixture %s into an archive", fixture);
        r = strcmp(transport, "oci-archive") == 0
                    ? fixture_write_oci_archive(found, path, FIXTURE_TAG, gzip, &error)
                    : fixture_write_docker_archive(found, path, "example.com/fixture:" FIXTURE_TAG, gzip,
                                                   &error);
        if (r < 0)
                check_error(c, "%s", error.message);
        return check_text(c, "%s:%s", transport, path);
}

const struct manifest *check_fixture_manifest(struct check_context *c, const char *name)
{
        struct fixture_copy *copy = copy_of(c, name);
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *content;
        struct cip_error error = {0};
        size_t len;

        if (copy->manifest)
                return copy->manifest;
        if (layout_open(copy->path, &layout, &error) < 0 ||
            layout_find(layout, FIXTURE_TAG, &content, &error) < 0 ||
            layout_read_blob(layout, content->digest, MANIFEST_MAX, &data, &len, &error) < 0 ||
            manifest_parse(data, len, &copy->manifest, &error) < 0)
                check_error(c, "the fixture %s: %s", name, error.message);
        return copy->manifest;
}
