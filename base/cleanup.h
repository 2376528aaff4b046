/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership: a variable with CLEANUP(f) is handed to f when it goes out of scope. Each room
 * defines the cleanup functions of its own types with DEFINE_CLEANUP.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>
#include <stdlib.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines cleanup_@function, which calls @function on a pointer variable unless it is NULL. */
#define DEFINE_CLEANUP(type, function)                               \
        static inline void cleanup_##function(__typeof__(type) *ptr) \
        {                                                            \
                if (*ptr)                                            \
                        function(*ptr);                              \
        }                                                            \
        struct cleanup_##function##_takes_a_semicolon

static inline void cleanup_free(void *ptr)
{
        free(*(void **)ptr);
}

/* Hands a pointer on: returns it and leaves NULL behind. */
#define STEAL(ptr)                              \
        __extension__({                         \
                __typeof__(ptr) stolen = (ptr); \
                (ptr) = NULL;                   \
                stolen;                         \
        })

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
