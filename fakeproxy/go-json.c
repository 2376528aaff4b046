/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What encoding/json has against a text, found as it finds it: byte by byte, with a state for what may come next,
 * and a blank in the place of what is missing at the end. Nothing but the syntax is judged.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fakeproxy/go.h"

/* Levels of nesting that are taken. */
#define DEPTH_MAX 10000

struct scanner {
        const char *at, *end;
        char *levels; /* '{' or '[' for each that is open */
        size_t depth;
        bool ended;    /* a blank was put behind the end */
        char *problem; /* what is wrong; NULL: nothing yet */
        bool no_memory;
};

/* The next byte, and a blank where there is none. */
static unsigned char peek(const struct scanner *s)
{
        return s->at < s->end ? (unsigned char)*s->at : ' ';
}

static void step(struct scanner *s)
{
        if (s->at < s->end)
                s->at++;
        else
                s->ended = true;
}

static void skip_blanks(struct scanner *s)
{
        while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
                s->at++;
}

static bool fail(struct scanner *s, const char *context)
{
        size_t size;
        FILE *to;

        if (s->problem || s->no_memory)
                return false;
        to = open_memstream(&s->problem, &size);
        if (!to) {
                s->no_memory = true;
                return false;
        }
        fputs("invalid character '", to);
        go_quote_byte(to, peek(s));
        fprintf(to, "' %s", context);
        s->no_memory = fclose(to) != 0 || !s->problem;
        return false;
}

static bool fail_at_end(struct scanner *s)
{
        s->problem = strdup("unexpected end of JSON input");
        return false;
}

static bool scan_string(struct scanner *s)
{
        step(s);
        for (;;) {
                if (s->at == s->end)
                        return fail_at_end(s);
                if (peek(s) < 0x20)
                        return fail(s, "in string literal");
                if (peek(s) == '"')
                        break;
                if (peek(s) == '\\') {
                        step(s);
                        if (!strchr("bfnrt\\/\"u", peek(s)) || !peek(s))
                                return fail(s, "in string escape code");
                        for (int digits = peek(s) == 'u' ? 4 : 0; digits > 0; digits--) {
                                step(s);
                                if (!isxdigit(peek(s)))
                                        return fail(s, "in \\u hexadecimal character escape");
                        }
                }
                step(s);
        }
        step(s);
        return true;
}

/* Digits, of which there must be one. */
static bool scan_digits(struct scanner *s, const char *context)
{
        if (!isdigit(peek(s)))
                return fail(s, context);
        while (isdigit(peek(s)))
                step(s);
        return true;
}

static bool scan_number(struct scanner *s)
{
        if (peek(s) == '-')
                step(s);
        if (peek(s) == '0')
                step(s);
        else if (!scan_digits(s, "in numeric literal"))
                return false;
        if (peek(s) == '.') {
                step(s);
                if (!scan_digits(s, "after decimal point in numeric literal"))
                        return false;
        }
        if (peek(s) == 'e' || peek(s) == 'E') {
                step(s);
                if (peek(s) == '+' || peek(s) == '-')
                        step(s);
                return scan_digits(s, "in exponent of numeric literal");
        }
        return true;
}

static bool scan_word(struct scanner *s, const char *word)
{
        char context[64];

        for (const char *letter = word; *letter; letter++) {
                if (peek(s) != (unsigned char)*letter) {
                        snprintf(context, sizeof(context), "in literal %s (expecting '%c')", word, *letter);
                        return fail(s, context);
                }
                step(s);
        }
        return true;
}

static bool scan_plain(struct scanner *s)
{
        switch (peek(s)) {
        case '"':
                return scan_string(s);
        case 't':
                return scan_word(s, "true");
        case 'f':
                return scan_word(s, "false");
        case 'n':
                return scan_word(s, "null");
        default:
                return peek(s) == '-' || isdigit(peek(s)) ? scan_number(s)
                                                          : fail(s, "looking for beginning of value");
        }
}

/* A key and its colon. */
static bool scan_key(struct scanner *s)
{
        skip_blanks(s);
        if (s->at == s->end)
                return fail_at_end(s);
        if (peek(s) != '"')
                return fail(s, "looking for beginning of object key string");
        if (!scan_string(s))
                return false;
        skip_blanks(s);
        if (s->at == s->end)
                return fail_at_end(s);
        if (peek(s) != ':')
                return fail(s, "after object key");
        step(s);
        return true;
}

static bool open_level(struct scanner *s)
{
        if (s->depth == DEPTH_MAX) {
                s->problem = strdup("exceeded max depth");
                return false;
        }
        s->levels[s->depth++] = *s->at;
        step(s);
        return true;
}

/* Behind a value: closes levels until another one follows. False: the end, or what is wrong. */
static bool close_levels(struct scanner *s)
{
        while (s->depth > 0) {
                bool object = s->levels[s->depth - 1] == '{';

                skip_blanks(s);
                if (s->at == s->end)
                        return fail_at_end(s);
                if (peek(s) == ',') {
                        step(s);
                        return !object || scan_key(s);
                }
                if (peek(s) != (object ? '}' : ']'))
                        return fail(s, object ? "after object key:value pair" : "after array element");
                step(s);
                s->depth--;
        }
        return false;
}

/* One value or the beginning of one. False: there is something wrong. *@ret_whole: nothing of it is open. */
static bool scan_value(struct scanner *s, bool *ret_whole)
{
        skip_blanks(s);
        *ret_whole = false;
        if (s->at == s->end)
                return fail_at_end(s);
        if (peek(s) != '{' && peek(s) != '[') {
                *ret_whole = true;
                return scan_plain(s);
        }
        if (!open_level(s))
                return false;
        skip_blanks(s);
        if (s->at < s->end && peek(s) == (s->levels[s->depth - 1] == '{' ? '}' : ']')) {
                step(s);
                s->depth--;
                *ret_whole = true;
                return true;
        }
        return s->levels[s->depth - 1] == '[' || scan_key(s);
}

char *go_json_problem(const char *data, size_t len)
{
        struct scanner s = {.at = data, .end = data + len, .levels = malloc(DEPTH_MAX)};
        bool whole;

        if (!s.levels)
                return NULL;
        while (scan_value(&s, &whole))
                if (whole && !close_levels(&s))
                        break;
        if (!s.problem && !s.no_memory) {
                skip_blanks(&s);
                if (s.at < s.end)
                        (void)fail(&s, "after top-level value");
        }
        free(s.levels);
        return s.problem;
}
