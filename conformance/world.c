/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closed world: folders, policy and environment, from two tables. Names of the machine's environment that
 * a server may still see are listed; everything else (proxies, credentials, containers' settings) is gone.
 */
#include "conformance/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"

struct world {
        char *folder;
        char **environment;
        size_t n_environment;
        char **own; /* files that the check made, below the folder */
        size_t n_own;
};

/*
 * What an ordinary user's server remembers of blobs, on purpose and for its next start (root's is in /var/lib).
 */
#define BLOB_INFO_CACHE "home/.local/share/containers/cache"

/* What the world holds from its start, below the folder. */
static const struct {
        const char *path;
        const char *content; /* NULL: a folder */
} furniture[] = {
        {"tmp", NULL},
        {"run", NULL},
        {"home", NULL},
        {"home/.config", NULL},
        {"home/.config/containers", NULL},
        {"home/.config/containers/policy.json", "{\"default\": [{\"type\": \"insecureAcceptAnything\"}]}\n"},
        {"home/.config/containers/registries.conf", "unqualified-search-registries = []\n"},
        {"home/.config/containers/auth.json", "{}\n"},
        /* Where there is one, /etc/containers/registries.d is not read. */
        {"home/.config/containers/registries.d", NULL},
        {"home/.local", NULL},
        {"home/.local/share", NULL},
        {"home/.local/share/containers", NULL},
        {BLOB_INFO_CACHE, NULL},
        {"home/.cache", NULL},
};

/* Variables that point into the world. */
static const struct {
        const char *name, *path;
} places[] = {
        {"HOME", "home"},
        {"TMPDIR", "tmp"},
        {"XDG_RUNTIME_DIR", "run"},
        {"XDG_CONFIG_HOME", "home/.config"},
        {"XDG_DATA_HOME", "home/.local/share"},
        {"XDG_CACHE_HOME", "home/.cache"},
        {"REGISTRY_AUTH_FILE", "home/.config/containers/auth.json"},
        {"CONTAINERS_REGISTRIES_CONF", "home/.config/containers/registries.conf"},
};

/* Variables of the machine that are kept: what is needed to find and to debug a server. */
static const char *const kept[] = {
        "PATH",         "CIP_FAKEPROXY_*", "LD_LIBRARY_PATH",   "LD_PRELOAD",   "GODEBUG",
        "GOTRACEBACK",  "GORACE",          "GOCOVERDIR",        "ASAN_OPTIONS", "UBSAN_OPTIONS",
        "LSAN_OPTIONS", "TSAN_OPTIONS",    "LLVM_PROFILE_FILE",
};

static bool is_kept(const char *variable)
{
        size_t len = strcspn(variable, "=");
        char name[128];

        if (len >= sizeof(name))
                return false;
        memcpy(name, variable, len);
        name[len] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                if (fnmatch(kept[i], name, 0) == 0)
                        return true;
        return false;
}

static int environment_new(struct world *world, const char *const *more)
{
        size_t n = ARRAY_SIZE(places) + 2;

        for (size_t i = 0; environ[i]; i++)
                n++;
        for (size_t i = 0; more && more[i]; i++)
                n++;
        world->environment = calloc(n, sizeof(*world->environment));
        if (!world->environment)
                return -ENOMEM;
        /* getenv takes the first of two: @more comes first. */
        for (size_t i = 0; more && more[i]; i++)
                world->environment[world->n_environment++] = strdup(more[i]);
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                char *text = NULL;

                if (asprintf(&text, "%s=%s/%s", places[i].name, world->folder, places[i].path) < 0)
                        return -ENOMEM;
                world->environment[world->n_environment++] = text;
        }
        world->environment[world->n_environment++] = strdup("LC_ALL=C");
        for (size_t i = 0; environ[i]; i++)
                if (is_kept(environ[i]))
                        world->environment[world->n_environment++] = strdup(environ[i]);
        for (size_t i = 0; i < world->n_environment; i++)
                if (!world->environment[i])
                        return -ENOMEM;
        return 0;
}

static int write_new(int folder, const char *path, const char *content)
{
        CLEANUP_FD int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        return fd < 0 ? -errno : write_all(fd, content, strlen(content));
}

static int furnish(struct world *world, struct cip_error *error)
{
        CLEANUP_FD int folder = open(world->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (folder < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot open the folder %s",
                                       world->folder);
        for (size_t i = 0; i < ARRAY_SIZE(furniture); i++) {
                int r = 0;

                if (furniture[i].content)
                        r = write_new(folder, furniture[i].path, furniture[i].content);
                else if (mkdirat(folder, furniture[i].path, 0700) < 0)
                        r = -errno;
                if (r < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot make %s in %s",
                                               furniture[i].path, world->folder);
        }
        return 0;
}

int world_new(const char *folder, const char *const *more, struct world **ret, struct cip_error *error)
{
        CLEANUP(cleanup_world_free) struct world *world = calloc(1, sizeof(*world));
        int r;

        if (!world || !(world->folder = strdup(folder)) || environment_new(world, more) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make the server's world");
        r = furnish(world, error);
        if (r < 0)
                return r;
        *ret = STEAL(world);
        return 0;
}

void world_free(struct world *world)
{
        if (!world)
                return;
        for (size_t i = 0; i < world->n_environment; i++)
                free(world->environment[i]);
        free(world->environment);
        for (size_t i = 0; i < world->n_own; i++)
                free(world->own[i]);
        free(world->own);
        free(world->folder);
        free(world);
}

const char *const *world_environment(const struct world *world)
{
        return (const char *const *)world->environment;
}

int world_own(struct world *world, const char *path)
{
        char **grown = reallocarray(world->own, world->n_own + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        world->own = grown;
        grown[world->n_own] = strdup(path);
        if (!grown[world->n_own])
                return -ENOMEM;
        world->n_own++;
        return 0;
}

/* Whether the server found it there. */
static bool is_known(const struct world *world, const char *path)
{
        size_t len = strlen(path);

        for (size_t i = 0; i < ARRAY_SIZE(furniture); i++)
                if (strcmp(furniture[i].path, path) == 0)
                        return true;
        for (size_t i = 0; i < world->n_own; i++)
                if (strncmp(world->own[i], path, len) == 0 && strchr("/", world->own[i][len]))
                        return true;
        return false;
}

/* The list of leftovers under way. */
struct leftovers {
        char *text;
        size_t size, used;
        int n;
};

static void leftovers_add(struct leftovers *list, const char *path)
{
        list->n++;
        if (list->used < list->size)
                list->used += (size_t)snprintf(list->text + list->used, list->size - list->used, "%s%s",
                                               list->n > 1 ? ", " : "", path);
}

static int walk(const struct world *world, int parent, const char *name, const char *path,
                struct leftovers *list)
{
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
        struct dirent *entry;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir) {
                r = -errno;
                fd_close(fd);
                return r;
        }
        while (r == 0 && (entry = readdir(dir))) {
                char below[4096];
                struct stat st;

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
                if (!is_known(world, below))
                        leftovers_add(list, below);
                else if (strcmp(below, BLOB_INFO_CACHE) != 0 &&
                         fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                         S_ISDIR(st.st_mode))
                        r = walk(world, dirfd(dir), entry->d_name, below, list);
        }
        closedir(dir);
        return r;
}

/*
 * Takes the furniture away, from the innermost out. False: something stands in the way, which may be a
 * leftover. That there is none, as a rule, is seen far faster so than by looking into each folder.
 */
static bool clear_out(int folder)
{
        for (size_t i = ARRAY_SIZE(furniture); i-- > 0;)
                if (unlinkat(folder, furniture[i].path, furniture[i].content ? 0 : AT_REMOVEDIR) < 0 &&
                    errno != ENOENT)
                        return false;
        return true;
}

int world_leftovers(const struct world *world, char *ret, size_t size)
{
        static const char *const roots[] = {"tmp", "run", "home"};
        CLEANUP_FD int folder = open(world->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char text[1024] = "";
        struct leftovers list = {text, sizeof(text), 0, 0};
        bool is_clear;

        if (folder < 0)
                return -errno;
        is_clear = clear_out(folder);
        for (size_t i = 0; !is_clear && i < ARRAY_SIZE(roots); i++) {
                int r = walk(world, folder, roots[i], roots[i], &list);

                /* A server that removed its own home left nothing there. */
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        text_make_safe(ret, size, text, strlen(text));
        return list.n;
}
