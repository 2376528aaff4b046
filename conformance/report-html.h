/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the HTML report share. Every text that is not this program's own markup goes through
 * the functions of report-html-text.c: there is no other place where text is escaped.
 */
#ifndef CONFORMANCE_REPORT_HTML_H
#define CONFORMANCE_REPORT_HTML_H

#include <stdio.h>

#include "conformance/matrix.h"
#include "conformance/report.h"

/* The page's style and its script, as the build embedded them. */
extern const unsigned char report_html_css[];
extern const size_t report_html_css_size;
extern const unsigned char report_html_js[];
extern const size_t report_html_js_size;

/* ---- text ---- */

/*
 * Writes hostile text as the content of an element: markup escaped, bytes that are no UTF-8 as \xNN, control
 * characters as their pictures, characters that hide or turn text by their number. NULL is no text.
 */
void html_text(FILE *out, const char *text);

/* The same, with what stands `between backticks` as code: for sentences. */
void html_prose(FILE *out, const char *text);

enum html_form {
        HTML_LINE,  /* newlines are shown as what they are not, a picture: all of it stays in one line */
        HTML_LINES, /* newlines and tabs do what they do, as in an element that is preformatted */
};

/* The same for @len bytes, of which at most @max are written; a note says how much was cut. */
void html_bytes(FILE *out, const char *data, size_t len, size_t max, enum html_form form);

/* Writes hostile text as the value of an attribute, which the caller puts in quotation marks. */
void html_attribute(FILE *out, const char *text);

/* Writes it as a part of a fragment (#..), percent-encoded. */
void html_fragment(FILE *out, const char *text);

/* ---- one page ---- */

struct html_page {
        FILE *out;
        const struct matrix *matrix;
        const struct matrix_rows *rows;
        size_t room; /* so many bytes of sessions and logs the page may still take */
};

/* Whether clients were judged. */
static inline bool html_is_of_client(const struct html_page *page)
{
        return page->matrix->catalogue != &server_catalogue;
}

/* The status as a symbol and a word. */
void html_status(FILE *out, enum status status);

/* All that is known of a check and of what came of it in each column: what its row opens to. */
void html_detail(struct html_page *page, const struct matrix_row *row);

#endif
