/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading libarchive by the name that it has had on every system since its third version. What is not found in
 * it is named in the error: a library so old or so new that a function is missing.
 */
#include "image/archive-library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/local-error.h"

#define LIBRARY "libarchive.so.13"

/* A function of the library, and where its address goes. */
struct function {
        const char *name;
        size_t offset;
};

static const struct function functions[] = {
#define FUNCTION(name) {#name, offsetof(struct archive_library, name)},
        ARCHIVE_LIBRARY_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static int not_there(struct cip_error *error)
{
        const char *text = dlerror();

        return local_error(error, -ELIBACC, "images in archives need libarchive: %s", text ? text : LIBRARY);
}

int archive_library_load(struct archive_library *ret, struct cip_error *error)
{
        struct archive_library library;
        void *handle = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
        int r = handle ? 0 : not_there(error);

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(functions); i++) {
                void *address = dlsym(handle, functions[i].name);

                if (!address)
                        r = not_there(error);
                else
                        memcpy((char *)&library + functions[i].offset, &address, sizeof(address));
        }
        /* The handle goes, the library stays. */
        if (handle)
                dlclose(handle);
        if (r == 0)
                *ret = library;
        return r;
}
