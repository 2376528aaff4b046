/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that are loaded when they are needed. One that brings a dozen others along makes each start of a program
 * slower, and each fork of one that has it; so nothing links it, and its functions are called through a table.
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <stddef.h>

#include "base/cip-error.h"

/* A function of the library, and where its address goes. */
struct library_function {
        const char *name;
        size_t offset;
};

/* The row of a function that is a member of the same name in @type. */
#define LIBRARY_FUNCTION(type, name)        \
        {                                   \
#name, offsetof(type, name) \
        }

/*
 * Loads the library called @soname, to stay until the process ends, and writes the addresses of @functions into @table.
 * @what: who needs it, in the plural, for the error: "images in archives". Returns 0 or -ELIBACC with @error of class
 * `local`, which names what is missing; @table is untouched then.
 */
int library_load(const char *soname, const char *what, const struct library_function *functions, size_t n,
                 void *table, struct cip_error *error);

#endif
