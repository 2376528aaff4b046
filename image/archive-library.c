/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading libarchive by the name that it has had on every system since its third version.
 */
#include "image/archive-library.h"

#include "base/cleanup.h"
#include "base/library.h"

#define LIBRARY "libarchive.so.13"

static const struct library_function functions[] = {
#define FUNCTION(name) LIBRARY_FUNCTION(struct archive_library, name),
        ARCHIVE_LIBRARY_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

int archive_library_load(struct archive_library *ret, struct cip_error *error)
{
        return library_load(LIBRARY, "images in archives", functions, ARRAY_SIZE(functions), ret, error);
}
