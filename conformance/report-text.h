/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of others in a report: made safe as text_make_safe does, with what its form gives a meaning to escaped by a
 * table of that form. Nothing is cut, and no memory is needed.
 */
#ifndef CONFORMANCE_REPORT_TEXT_H
#define CONFORMANCE_REPORT_TEXT_H

#include <stdio.h>

/*
 * What stands for a character of ASCII in a form; for a newline too, where the form can say it. A table ends with
 * {0}.
 */
struct escape {
        char character;
        const char *replacement;
};

/* Writes hostile text as a part of one line: a newline without a replacement is a blank. NULL is no text. */
void text_print(const char *text, const struct escape *escapes, FILE *out);

/* Writes hostile text with lines, each made safe by itself, behind @indent and with a newline at its end. */
void text_print_lines(const char *text, const char *indent, const struct escape *escapes, FILE *out);

/* XML, in content and in attributes. */
extern const struct escape escapes_xml[];

/* A form that gives no character a meaning. */
extern const struct escape escapes_none[];

#endif
