/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing text of others, character by character: first whether it is harmful anywhere, then whether its form
 * gives it a meaning. All forms but HTML, which shows what is harmful, and JSON, which keeps it, write by this.
 */
#include "conformance/report-text.h"

#include <string.h>

#include "base/text.h"

const struct escape escapes_none[] = {{0}};

const struct escape escapes_xml[] = {
        {'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}, {0},
};

static const char *find_replacement(const struct escape *escapes, char character)
{
        for (; escapes->character; escapes++)
                if (escapes->character == character)
                        return escapes->replacement;
        return NULL;
}

static void print_bytes(const char *text, size_t len, const struct escape *escapes, FILE *out)
{
        while (len > 0) {
                const char *replacement;
                uint32_t code;
                size_t n = utf8_character(text, len, &code);
                char safe[8];

                /* One character, or one byte that begins none. */
                n = n ? n : 1;
                text_make_safe(safe, sizeof(safe), text, n);
                replacement = n == 1 ? find_replacement(escapes, *text) : NULL;
                fputs(replacement ? replacement : safe, out);
                text += n;
                len -= n;
        }
}

void text_print(const char *text, const struct escape *escapes, FILE *out)
{
        if (text)
                print_bytes(text, strlen(text), escapes, out);
}

void text_print_lines(const char *text, const char *indent, const struct escape *escapes, FILE *out)
{
        while (*text) {
                size_t len = strcspn(text, "\n");

                fputs(indent, out);
                print_bytes(text, len, escapes, out);
                fputc('\n', out);
                text += len + (text[len] == '\n');
        }
}
