/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from the other side: telling what is UTF-8, making it safe to show. And the hint at the nearest name for
 * what people mistype.
 */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

size_t utf8_character(const char *data, size_t len, uint32_t *ret_code)
{
        const unsigned char *text = (const unsigned char *)data;
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t n;
        uint32_t code;

        if (text[0] < 0x80) {
                *ret_code = text[0];
                return 1;
        }
        if (text[0] >= 0xc2 && text[0] < 0xe0) {
                n = 2;
                code = text[0] & 0x1f;
        } else if ((text[0] & 0xf0) == 0xe0) {
                n = 3;
                code = text[0] & 0x0f;
        } else if (text[0] >= 0xf0 && text[0] < 0xf5) {
                n = 4;
                code = text[0] & 0x07;
        } else {
                return 0;
        }
        if (len < n)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (text[i] & 0x3f);
        }
        if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
                return 0;
        *ret_code = code;
        return n;
}

bool text_is_utf8(const char *text, size_t len)
{
        uint32_t code;

        while (len > 0) {
                size_t n = utf8_character(text, len, &code);

                if (n == 0)
                        return false;
                text += n;
                len -= n;
        }
        return true;
}

/* Control characters, and those that turn the direction of a line or are no characters at all. */
bool text_is_harmful(uint32_t code)
{
        return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
               (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
               (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code & 0xfffe) == 0xfffe;
}

void text_make_safe(char *ret, size_t size, const char *text, size_t len)
{
        size_t out = 0;
        size_t fits = 0; /* how much of @ret leaves room for ".." */

        for (size_t in = 0; in < len;) {
                uint32_t code = 0;
                size_t n = utf8_character(text + in, len - in, &code);
                const char *from = text + in;

                in += n ? n : 1;
                if (code == '\n' || code == '\t' || code == '\r') {
                        from = " ";
                } else if (!n || text_is_harmful(code)) {
                        from = "?";
                        n = 1;
                }
                if (out + n >= size) {
                        memcpy(ret + fits, "..", 2);
                        out = fits + 2;
                        break;
                }
                memcpy(ret + out, from, n);
                out += n;
                if (out + 3 <= size)
                        fits = out;
        }
        ret[out] = '\0';
}

/* How many single insertions, removals, exchanges and swaps of neighbours turn @a into @b; names are short. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t rows[3][64];
        size_t a_len = strlen(a), b_len = strlen(b);

        if (a_len >= 63 || b_len >= 63)
                return SIZE_MAX;
        for (size_t j = 0; j <= b_len; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= a_len; i++) {
                size_t *row = rows[i % 3];
                const size_t *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

                row[0] = i;
                for (size_t j = 1; j <= b_len; j++) {
                        size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

                        if (above[j] + 1 < best)
                                best = above[j] + 1;
                        if (row[j - 1] + 1 < best)
                                best = row[j - 1] + 1;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            second[j - 2] + 1 < best)
                                best = second[j - 2] + 1;
                        row[j] = best;
                }
        }
        return rows[a_len % 3][b_len];
}

void text_nearest(struct nearest *nearest, const char *candidate)
{
        size_t distance = edit_distance(nearest->name, candidate);
        size_t longest = strlen(candidate) > strlen(nearest->name) ? strlen(candidate) : strlen(nearest->name);

        /* Names of which more than a third differs are not meant. */
        if (distance * 3 > longest || (nearest->best && distance >= nearest->distance))
                return;
        nearest->best = candidate;
        nearest->distance = distance;
}
