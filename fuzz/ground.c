/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place where servers are tried: images in one folder, the servers' worlds in others, all temporary.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/tmpdir.h"
#include "conformance/place.h"
#include "conformance/runner.h"
#include "fuzz/commands.h"

#define PROBE_SECONDS 30

static int make_below(const struct ground *ground, const char *name, char **ret, struct cip_error *error)
{
        if (asprintf(ret, "%s/%s", ground->folder, name) < 0) {
                *ret = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make a folder");
        }
        if (mkdir(*ret, 0700) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make the folder %s", *ret);
        return 0;
}

int ground_make(struct ground *ground, struct cip_error *error)
{
        int r = place_new("cip-fuzz", &ground->folder, error);

        if (r == 0)
                r = make_below(ground, "images", &ground->images_folder, error);
        return r < 0 ? r : fuzz_images_make(ground->images_folder, &ground->images, error);
}

void ground_clear(struct ground *ground)
{
        fuzz_images_free(ground->images);
        free(ground->images_folder);
        tmpdir_remove(ground->folder);
        *ground = (struct ground){0};
}

int ground_probe(const struct ground *ground, const struct subject *subject, struct probe *ret,
                 struct cip_error *error)
{
        CLEANUP(cleanup_runner_free) struct runner *runner = NULL;
        int r = runner_new(&(struct run_options){.jobs = 2, .timeout = PROBE_SECONDS, .folder = ground->folder},
                           &runner, error);

        return r < 0 ? r : probe_server(runner, subject, false, ret, error);
}

int ground_stable(const struct ground *ground, const struct subject *subject, const char *name, size_t ready,
                  struct stable **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *folder = NULL;
        int r = make_below(ground, name, &folder, error);

        return r < 0 ? r
                     : stable_new(
                               &(struct stable_options){
                                       .subject = subject,
                                       .images = ground->images_folder,
                                       .folder = folder,
                                       .ready = ready,
                               },
                               ret, error);
}
