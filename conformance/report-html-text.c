/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Escaping for the HTML report, all of it. Text of a server may hold markup, bytes that are no UTF-8, control
 * characters, and characters that turn a line's direction or hide in it. None of that reaches the page as
 * what it is, and all of it is shown, so that a person sees what came.
 */
#include <string.h>

#include "base/text.h"
#include "conformance/report-html.h"

static const char *entity(char c)
{
        switch (c) {
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '&':
                return "&amp;";
        case '"':
                return "&quot;";
        case '\'':
                return "&#39;";
        default:
                return NULL;
        }
}

/* One character, or one byte that begins none. @n is the character's length, 0 for such a byte. */
static void put_character(FILE *out, const char *text, size_t n, uint32_t code)
{
        const char *name = n == 1 ? entity(*text) : NULL;

        if (name)
                fputs(name, out);
        else if (n == 0)
                fprintf(out, "<i>\\x%02x</i>", (unsigned char)*text);
        else if (code < 0x20)
                fprintf(out, "<i>&#x%x;</i>", 0x2400 + code); /* the picture of the control character */
        else if (code == 0x7f)
                fputs("<i>&#x2421;</i>", out);
        else if (text_is_harmful(code))
                fprintf(out, "<i>U+%04X</i>", code);
        else
                fwrite(text, 1, n, out);
}

void html_bytes(FILE *out, const char *data, size_t len, size_t max, enum html_form form)
{
        size_t i = 0;

        while (i < len) {
                uint32_t code = 0;
                size_t n = utf8_character(data + i, len - i, &code);

                if (i + (n ? n : 1) > max)
                        break;
                if (form == HTML_LINES && (code == '\n' || code == '\t') && n)
                        fputc((int)code, out);
                else if (!(form == HTML_LINES && code == '\r' && n))
                        put_character(out, data + i, n, code);
                i += n ? n : 1;
        }
        if (i < len)
                fprintf(out, "<i class=\"more\">&hellip; %zu bytes more</i>", len - i);
}

/* Bytes that are shown of what should be a sentence. */
#define SENTENCE_SHOWN 4096

void html_text(FILE *out, const char *text)
{
        if (text)
                html_bytes(out, text, strlen(text), SENTENCE_SHOWN, HTML_LINE);
}

void html_prose(FILE *out, const char *text)
{
        const char *open, *close;

        while (text && strlen(text) <= SENTENCE_SHOWN && (open = strchr(text, '`')) &&
               (close = strchr(open + 1, '`'))) {
                html_bytes(out, text, (size_t)(open - text), SENTENCE_SHOWN, HTML_LINE);
                fputs("<code>", out);
                html_bytes(out, open + 1, (size_t)(close - open - 1), SENTENCE_SHOWN, HTML_LINE);
                fputs("</code>", out);
                text = close + 1;
        }
        html_text(out, text);
}

void html_attribute(FILE *out, const char *text)
{
        size_t len = strlen(text);

        for (size_t i = 0; i < len;) {
                uint32_t code = 0;
                size_t n = utf8_character(text + i, len - i, &code);

                if (n == 0 || text_is_harmful(code))
                        fputs("&#xfffd;", out);
                else
                        put_character(out, text + i, n, code);
                i += n ? n : 1;
        }
}

void html_fragment(FILE *out, const char *text)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";

        for (; *text; text++) {
                if (strchr(plain, *text))
                        fputc(*text, out);
                else
                        fprintf(out, "%%%02X", (unsigned char)*text);
        }
}
