/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that somebody else wrote: hostile bytes from a server made safe to show, names that a person mistyped.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length in bytes of the well-formed UTF-8 character at @data, and its code; 0 where the first byte begins
 * none. Overlong forms, surrogates and what lies past U+10FFFF are not well-formed. @len is at least 1.
 */
size_t utf8_character(const char *data, size_t len, uint32_t *ret_code);

/* How many bytes of ASCII there are at the beginning. */
size_t text_ascii_run(const char *text, size_t len);

/* How many bytes of well-formed UTF-8 there are at the beginning (NUL is a character too). */
size_t text_utf8_run(const char *text, size_t len);

/* How many bytes at the beginning are none of @stops. */
size_t text_run_until(const char *text, size_t len, const bool stops[256]);

/* Whether all @len bytes are well-formed UTF-8. */
bool text_is_utf8(const char *text, size_t len);

/* Control characters, and those that hide, turn the direction of a line or are no characters at all. */
bool text_is_harmful(uint32_t code);

/*
 * Copies @len bytes of hostile text to @ret (of @size bytes, at least 4) as valid UTF-8 without control
 * characters: newlines and tabs become blanks, anything else that is not printable becomes '?'. What does not
 * fit is cut at a character and ends in "..". Always terminated.
 */
void text_make_safe(char *ret, size_t size, const char *text, size_t len);

/*
 * The search for the name that was meant: set .name, hand in all candidates, read .best (NULL: none is near).
 */
struct nearest {
        const char *name;
        const char *best;
        size_t distance;
};

void text_nearest(struct nearest *nearest, const char *candidate);

#endif
