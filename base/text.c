/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from the other side: telling what is UTF-8, making it safe to show. And the hint at the nearest name for
 * what people mistype.
 */
#include "base/text.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* How many bytes a character has that begins with this one; 0: none does. */
static const unsigned char utf8_lengths[256] = {
        [0x00 ... 0x7f] = 1,
        [0xc2 ... 0xdf] = 2,
        [0xe0 ... 0xef] = 3,
        [0xf0 ... 0xf4] = 4,
};

size_t utf8_character(const char *data, size_t len, uint32_t *ret_code)
{
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        static const unsigned char bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        const unsigned char *text = (const unsigned char *)data;
        size_t n = utf8_lengths[text[0]];
        uint32_t code = text[0] & bits[n];

        if (n == 0 || len < n)
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

/* Eight at a time. */
size_t text_ascii_run(const char *text, size_t len)
{
        size_t n = 0;

        for (; len - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
                uint64_t eight;

                memcpy(&eight, text + n, sizeof(eight));
                eight &= UINT64_C(0x8080808080808080);
                if (eight)
                        return n + (size_t)__builtin_ctzll(le64toh(eight)) / 8;
        }
        while (n < len && !(text[n] & 0x80))
                n++;
        return n;
}

size_t text_utf8_run(const char *text, size_t len)
{
        size_t n = 0, more = 1;
        uint32_t code;

        while (n < len && more > 0) {
                more = text_ascii_run(text + n, len - n);
                if (more == 0)
                        more = utf8_character(text + n, len - n, &code);
                n += more;
        }
        return n;
}

size_t text_run_until(const char *text, size_t len, const bool stops[256])
{
        size_t n = 0;

        while (n < len && !stops[(unsigned char)text[n]])
                n++;
        return n;
}

bool text_is_utf8(const char *text, size_t len)
{
        return text_utf8_run(text, len) == len;
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
                const char *from = text + in;
                size_t n;

                /* Nearly all that is said. */
                if (*from >= 0x20 && *from < 0x7f && out + 1 < size) {
                        ret[out++] = *from;
                        in++;
                        if (out + 3 <= size)
                                fits = out;
                        continue;
                }
                n = utf8_character(from, len - in, &code);
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
