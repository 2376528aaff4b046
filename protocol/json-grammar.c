/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of JSON. json-c, even when it is strict, lets pass what is none: bytes that are no UTF-8, control
 * characters in strings, NaN, a point without digits on both sides. And it takes memory before it has seen
 * anything, which hostile texts are not worth. So every text goes through here first, once from its beginning to its
 * end, and what is nested is kept in a bit for each level.
 */
#include "protocol/json-grammar.h"

#include <stdint.h>

#include "base/text.h"

struct scan {
        const char *data;
        size_t len, at;
};

/* What may come next, white space aside. */
enum expected {
        EXPECTED_VALUE,
        EXPECTED_ITEM_OR_END, /* behind '[' */
        EXPECTED_KEY_OR_END,  /* behind '{' */
        EXPECTED_KEY,
        EXPECTED_COLON,
        EXPECTED_COMMA_OR_END,
};

/* Bytes in a string that are more than a byte of it; most are not. */
static const bool tells_in_string[256] = {
        [0x00 ... 0x1f] = true, ['"'] = true, ['\\'] = true, [0x80 ... 0xff] = true};

static bool is_at(const struct scan *scan, char c)
{
        return scan->at < scan->len && scan->data[scan->at] == c;
}

static bool skip(struct scan *scan, char c)
{
        bool is = is_at(scan, c);

        scan->at += is;
        return is;
}

static void skip_blanks(struct scan *scan)
{
        while (is_at(scan, ' ') || is_at(scan, '\n') || is_at(scan, '\t') || is_at(scan, '\r'))
                scan->at++;
}

/* Each of these steps behind what it is named after; where it is none it stops at the first wrong byte. */

static bool scan_digits(struct scan *scan)
{
        size_t start = scan->at;

        while (scan->at < scan->len && (unsigned char)(scan->data[scan->at] - '0') < 10)
                scan->at++;
        return scan->at > start;
}

static bool scan_number(struct scan *scan)
{
        skip(scan, '-');
        if (!skip(scan, '0') && !scan_digits(scan))
                return false;
        if (skip(scan, '.') && !scan_digits(scan))
                return false;
        if (!skip(scan, 'e') && !skip(scan, 'E'))
                return true;
        if (!skip(scan, '+'))
                skip(scan, '-');
        return scan_digits(scan);
}

static bool scan_word(struct scan *scan, const char *word)
{
        while (*word && skip(scan, *word))
                word++;
        return !*word;
}

static bool is_hex(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_escape(struct scan *scan)
{
        scan->at++;
        if (scan->at == scan->len)
                return false;
        switch (scan->data[scan->at]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
                scan->at++;
                return true;
        case 'u':
                scan->at++;
                for (int i = 0; i < 4; i++, scan->at++)
                        if (scan->at == scan->len || !is_hex(scan->data[scan->at]))
                                return false;
                return true;
        default:
                return false;
        }
}

static bool scan_string(struct scan *scan)
{
        for (scan->at++;;) {
                size_t step = 0;
                uint32_t code;

                scan->at += text_run_until(scan->data + scan->at, scan->len - scan->at, tells_in_string);
                if (skip(scan, '"'))
                        return true;
                if (is_at(scan, '\\')) {
                        if (!scan_escape(scan))
                                return false;
                        continue;
                }
                if (scan->at < scan->len)
                        step = utf8_character(scan->data + scan->at, scan->len - scan->at, &code);
                if (step < 2) /* it is over, or a control character */
                        return false;
                scan->at += step;
        }
}

/* A value without any in it. */
static bool scan_scalar(struct scan *scan)
{
        switch (scan->data[scan->at]) {
        case '"':
                return scan_string(scan);
        case 'n':
                return scan_word(scan, "null");
        case 't':
                return scan_word(scan, "true");
        case 'f':
                return scan_word(scan, "false");
        default:
                return scan_number(scan);
        }
}

/* Arrays and objects that are open, the innermost last. */
struct nest {
        unsigned char objects[JSON_DEPTH_MAX / 8]; /* a bit for each level: it is an object */
        int level, deepest;
};

static void open_level(struct nest *nest, bool is_object)
{
        unsigned bit = 1U << nest->level % 8;
        unsigned char *byte = &nest->objects[nest->level / 8];

        *byte = (unsigned char)(is_object ? *byte | bit : *byte & ~bit);
        nest->level++;
        if (nest->level > nest->deepest)
                nest->deepest = nest->level;
}

static bool is_in_object(const struct nest *nest)
{
        return nest->level > 0 && nest->objects[(nest->level - 1) / 8] >> (nest->level - 1) % 8 & 1;
}

/* One token, and what may come behind it. */
static bool scan_token(struct scan *scan, struct nest *nest, int depth, enum expected *expected)
{
        char c = scan->data[scan->at];
        bool is_key = *expected == EXPECTED_KEY || *expected == EXPECTED_KEY_OR_END;

        switch (c) {
        case '[':
        case '{':
                if (*expected > EXPECTED_ITEM_OR_END || nest->level == depth)
                        return false;
                open_level(nest, c == '{');
                *expected = c == '{' ? EXPECTED_KEY_OR_END : EXPECTED_ITEM_OR_END;
                break;
        case ']':
        case '}':
                if (nest->level == 0 || is_in_object(nest) != (c == '}') ||
                    (*expected != EXPECTED_COMMA_OR_END &&
                     *expected != (c == '}' ? EXPECTED_KEY_OR_END : EXPECTED_ITEM_OR_END)))
                        return false;
                nest->level--;
                *expected = EXPECTED_COMMA_OR_END;
                break;
        case ',':
                if (*expected != EXPECTED_COMMA_OR_END || nest->level == 0)
                        return false;
                *expected = is_in_object(nest) ? EXPECTED_KEY : EXPECTED_VALUE;
                break;
        case ':':
                if (*expected != EXPECTED_COLON)
                        return false;
                *expected = EXPECTED_VALUE;
                break;
        default:
                if (*expected >= EXPECTED_COLON || (is_key && c != '"') || !scan_scalar(scan))
                        return false;
                *expected = is_key ? EXPECTED_COLON : EXPECTED_COMMA_OR_END;
                return true;
        }
        scan->at++;
        return true;
}

struct json_judgement json_judge(const char *data, size_t len, int depth)
{
        struct scan scan = {data, len, 0};
        struct nest nest = {0};
        enum expected expected = EXPECTED_VALUE;
        bool right = true;

        if (depth > JSON_DEPTH_MAX)
                depth = JSON_DEPTH_MAX;
        skip_blanks(&scan);
        while (right && scan.at < len) {
                right = scan_token(&scan, &nest, depth, &expected);
                if (right)
                        skip_blanks(&scan);
        }
        return (struct json_judgement){
                .right = scan.at,
                .deepest = nest.deepest,
                .whole = right && expected == EXPECTED_COMMA_OR_END && nest.level == 0,
        };
}
