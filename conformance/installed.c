/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking around from the folder of the running program: what is installed lies where it was configured to lie, as
 * seen from there, so that it is found below DESTDIR and after a move of the whole prefix too; in a build folder it
 * lies beside the program.
 */
#include "conformance/installed.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

/* What is looked for: in the programs' folder or in that of the data, and where a build folder has it. */
struct part {
        const char *what;
        bool is_program;
        const char *name, *built; /* the latter relative to the program's folder */
        int mode;
        const char *option; /* which names it where it is not found */
};

static const struct part fake = {"cip-fakeproxy", true, "cip-fakeproxy", "../fakeproxy/cip-fakeproxy", X_OK,
                                 "--fake PROGRAM"};
static const struct part scenarios = {"the scenarios", false,       "scenarios",
                                      "scenarios",     R_OK | X_OK, "--scenarios DIR"};
static const struct part broken = {
        "the scenarios that break rules", false, "broken", "broken", R_OK | X_OK, "by its path"};

/* Writes the way from the folder @from to the folder @to, both absolute: "../share". */
static void way_between(const char *from, const char *to, char *ret, size_t size)
{
        size_t same = 0, n = 0;

        for (size_t i = 0;; i++) {
                if ((!from[i] || from[i] == '/') && (!to[i] || to[i] == '/'))
                        same = i;
                if (!from[i] || from[i] != to[i])
                        break;
        }
        ret[0] = '\0';
        for (const char *c = from + same; *c; c++)
                if (*c == '/' && c[1] && c[1] != '/' && n < size)
                        n += (size_t)snprintf(ret + n, size - n, "../");
        if (n < size)
                snprintf(ret + n, size - n, "%s", to + same + (to[same] == '/'));
}

/* The place of an installed part, relative to the program's folder. */
static void installed_place(const struct part *part, char *ret, size_t size)
{
        char way[PATH_MAX];

        way_between(CIP_BINDIR, CIP_DATADIR, way, sizeof(way));
        if (part->is_program)
                snprintf(ret, size, "%s", part->name);
        else
                snprintf(ret, size, "%s/%s", way, part->name);
}

static int look(const struct part *part, char **ret, struct cip_error *error)
{
        char program[PATH_MAX], installed[PATH_MAX + 64], *slash;
        const char *places[] = {installed, part->built};
        ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

        if (len < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot find %s: name it, %s",
                                       part->what, part->option);
        installed_place(part, installed, sizeof(installed));
        program[len] = '\0';
        slash = strrchr(program, '/');
        if (slash)
                *slash = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                CLEANUP(cleanup_free) char *path = NULL;

                if (asprintf(&path, "%s/%s", program, places[i]) < 0) {
                        path = NULL;
                        return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot find %s", part->what);
                }
                if (access(path, part->mode) == 0 && (*ret = realpath(path, NULL)))
                        return 0;
        }
        return error_set(error, CIP_ERROR_LOCAL, -ENOENT, "cannot find %s near %s: name it, %s", part->what,
                         program, part->option);
}

int installed_fake(char **ret, struct cip_error *error)
{
        return look(&fake, ret, error);
}

int installed_scenarios(char **ret, struct cip_error *error)
{
        return look(&scenarios, ret, error);
}

int installed_broken(const char *id, char **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *folder = NULL;
        int r = look(&broken, &folder, error);

        if (r < 0)
                return r;
        if (asprintf(ret, "%s/%s.json", folder, id) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot name the scenario of %s", id);
        for (char *p = *ret + strlen(*ret) - strlen(".json") - strlen(id); *p; p++)
                if (*p == '/')
                        *p = '-';
        return 0;
}
