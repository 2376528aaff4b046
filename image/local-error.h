/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of class `local`, which all in this room are. The macros are @errnum_ itself, so that a reader, and
 * the static analyzer, see without looking into error.c that a function which returns one has failed.
 */
#ifndef IMAGE_LOCAL_ERROR_H
#define IMAGE_LOCAL_ERROR_H

#include "base/error.h"

/* error_set of class `local`. */
#define local_error(error_, errnum_, ...)                                  \
        __extension__({                                                    \
                const int value_ = (errnum_);                              \
                error_set((error_), CIP_ERROR_LOCAL, value_, __VA_ARGS__); \
                value_;                                                    \
        })

/* error_set_errno of class `local`. */
#define local_errno(error_, errnum_, ...)                                        \
        __extension__({                                                          \
                const int value_ = (errnum_);                                    \
                error_set_errno((error_), CIP_ERROR_LOCAL, value_, __VA_ARGS__); \
                value_;                                                          \
        })

#endif
