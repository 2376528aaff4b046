/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling in a struct cip_error. A function that fails returns a negative errno and, where a person must know
 * more, says so here; `return error_set(..)` does both. The library never prints and never exits.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/cip-error.h"
#include "base/text.h"

/*
 * Records class, @errnum (negative) and a formatted sentence in @error, which may be NULL. What is not UTF-8
 * or is a control character becomes '?'; a too long message is cut. Returns @errnum.
 */
int error_set(struct cip_error *error, enum cip_error_class error_class, int errnum, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The same, with ": " and the text of @errnum behind the sentence. */
int error_set_errno(struct cip_error *error, enum cip_error_class error_class, int errnum, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* Puts a formatted text and ": " before the message that @error holds. Returns @error's errnum. */
int error_prefix(struct cip_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a formatted text behind the message that @error holds. Returns @error's errnum. */
int error_append(struct cip_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The class as a word: "local", "transport", "protocol", "remote", "none". Static text. */
const char *error_class_name(enum cip_error_class error_class);

#endif
