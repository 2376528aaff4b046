/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of started servers. Each world is a numbered folder below the stable's.
 */
#include "fuzz/stable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/tmpdir.h"

struct stable {
        struct stable_options options;
        char *folder;  /* a copy of the options' */
        char *program; /* its own path, as servers run in another folder; NULL: it is looked for on PATH */
        unsigned long number; /* of worlds made */
        struct mount *mounts; /* options.ready of them; the next to be taken is at `next` */
        size_t next;
};

void mount_clear(struct mount *mount)
{
        child_free(mount->child);
        fd_close(mount->socket);
        world_free(mount->world);
        if (mount->folder)
                remove_tree_at(AT_FDCWD, mount->folder);
        free(mount->folder);
        *mount = (struct mount){.socket = -1};
}

static int make_world(struct stable *stable, struct mount *mount, struct cip_error *error)
{
        if (asprintf(&mount->folder, "%s/%lu", stable->folder, stable->number++) < 0) {
                mount->folder = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make a server's world");
        }
        if (mkdir(mount->folder, 0700) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make the folder %s",
                                       mount->folder);
        return world_new(mount->folder, stable->options.subject->environment, &mount->world, error);
}

static int start_server(struct stable *stable, struct mount *ret, struct cip_error *error)
{
        static const struct server_start usual;
        CLEANUP(cleanup_free) const char **argv = NULL;
        struct mount mount = {.socket = -1};
        struct child_fd fd;
        int ends[2] = {-1, -1};
        int r = make_world(stable, &mount, error);

        if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                r = error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make a socket");
        if (r < 0) {
                mount_clear(&mount);
                return r;
        }
        mount.socket = ends[0];
        fd.fd = ends[1];
        argv = subject_argv(stable->options.subject, &usual, &fd.target);
        if (argv && stable->program)
                argv[0] = stable->program;
        r = !argv ? error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot start a server")
                  : child_start(
                            &(struct child_spec){
                                    .argv = argv,
                                    .envp = world_environment(mount.world),
                                    .cwd = stable->options.images,
                                    .fds = &fd,
                                    .n_fds = 1,
                            },
                            &mount.child, error);
        fd_close(ends[1]);
        if (r < 0)
                mount_clear(&mount);
        else
                *ret = mount;
        return r;
}

int stable_new(const struct stable_options *options, struct stable **ret, struct cip_error *error)
{
        CLEANUP(cleanup_stable_free) struct stable *stable = calloc(1, sizeof(*stable));

        if (!stable || !(stable->mounts = calloc(options->ready, sizeof(*stable->mounts))) ||
            !(stable->folder = strdup(options->folder)))
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep servers ready");
        stable->options = *options;
        if (strchr(options->subject->command[0], '/'))
                stable->program = realpath(options->subject->command[0], NULL);
        for (size_t i = 0; i < options->ready; i++)
                stable->mounts[i].socket = -1;
        for (size_t i = 0; i < options->ready; i++) {
                int r = start_server(stable, &stable->mounts[i], error);

                if (r < 0)
                        return r;
        }
        *ret = STEAL(stable);
        return 0;
}

void stable_free(struct stable *stable)
{
        if (!stable)
                return;
        for (size_t i = 0; stable->mounts && i < stable->options.ready; i++)
                mount_clear(&stable->mounts[i]);
        free(stable->mounts);
        free(stable->folder);
        free(stable->program);
        free(stable);
}

int stable_take(struct stable *stable, struct mount *ret, struct cip_error *error)
{
        struct mount fresh;
        int r = start_server(stable, &fresh, error);

        if (r < 0)
                return r;
        *ret = stable->mounts[stable->next];
        stable->mounts[stable->next] = fresh;
        stable->next = (stable->next + 1) % stable->options.ready;
        return 0;
}
