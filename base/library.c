/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a library by its name, and looking up what is called of it. A function that is not there means a library so
 * old or so new that it cannot be used: the error names it.
 */
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"

static int not_there(const char *soname, const char *what, struct cip_error *error)
{
        const char *text = dlerror();

        return error_set(error, CIP_ERROR_LOCAL, -ELIBACC, "%s need %s: %s", what, soname,
                         text ? text : "it cannot be used");
}

int library_load(const char *soname, const char *what, const struct library_function *functions, size_t n,
                 void *table, struct cip_error *error)
{
        void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
        void *address;
        int r = 0;

        if (!handle)
                return not_there(soname, what, error);
        for (size_t i = 0; r == 0 && i < n; i++)
                if (!dlsym(handle, functions[i].name))
                        r = not_there(soname, what, error);
        for (size_t i = 0; r == 0 && i < n; i++) {
                address = dlsym(handle, functions[i].name);
                memcpy((char *)table + functions[i].offset, &address, sizeof(address));
        }
        /* The handle goes, the library stays. */
        dlclose(handle);
        return r;
}
