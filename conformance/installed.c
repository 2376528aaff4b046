/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking around from the folder of the running program.
 */
#include "conformance/installed.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Relative to the program's folder, NULL-terminated: installed, then built. */
static const char *const fake_places[] = {"cip-fakeproxy", "../fakeproxy/cip-fakeproxy", NULL};
static const char *const scenario_places[] = {"../share/cip/scenarios", "scenarios", NULL};
static const char *const broken_places[] = {"../share/cip/broken", "broken", NULL};

static int look(const char *const *places, int mode, const char *what, const char *option, char **ret,
                struct cip_error *error)
{
        char program[PATH_MAX], *slash;
        ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

        if (len < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot find %s: name it, %s", what,
                                       option);
        program[len] = '\0';
        slash = strrchr(program, '/');
        if (slash)
                *slash = '\0';
        for (size_t i = 0; places[i]; i++) {
                CLEANUP(cleanup_free) char *path = NULL;

                if (asprintf(&path, "%s/%s", program, places[i]) < 0) {
                        path = NULL;
                        return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot find %s", what);
                }
                if (access(path, mode) == 0 && (*ret = realpath(path, NULL)))
                        return 0;
        }
        return error_set(error, CIP_ERROR_LOCAL, -ENOENT, "cannot find %s near %s: name it, %s", what, program,
                         option);
}

int installed_fake(char **ret, struct cip_error *error)
{
        return look(fake_places, X_OK, "cip-fakeproxy", "--fake PROGRAM", ret, error);
}

int installed_scenarios(char **ret, struct cip_error *error)
{
        return look(scenario_places, R_OK | X_OK, "the scenarios", "--scenarios DIR", ret, error);
}

int installed_broken(const char *id, char **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *folder = NULL;
        int r = look(broken_places, R_OK | X_OK, "the scenarios that break rules", "by its path", &folder,
                     error);

        if (r < 0)
                return r;
        if (asprintf(ret, "%s/%s.json", folder, id) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot name the scenario of %s", id);
        for (char *p = *ret + strlen(*ret) - strlen(".json") - strlen(id); *p; p++)
                if (*p == '/')
                        *p = '-';
        return 0;
}
