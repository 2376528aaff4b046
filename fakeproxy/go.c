/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's ways of writing and reading, as far as they show in what skopeo prints and answers.
 */
#include "fakeproxy/go.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

const char *go_type_name(struct json_object *object)
{
        switch (json_object_get_type(object)) {
        case json_type_boolean:
                return "bool";
        case json_type_double:
        case json_type_int:
                return "float64";
        case json_type_string:
                return "string";
        case json_type_array:
                return "[]interface {}";
        case json_type_object:
                return "map[string]interface {}";
        case json_type_null:
        default:
                return "<nil>";
        }
}

/* cvttsd2si: what does not fit is the smallest integer. */
static int64_t cut(double f)
{
        if (isnan(f) || f >= 0x1p63 || f < -0x1p63)
                return INT64_MIN;
        return (int64_t)f;
}

uint64_t go_uint64(double f)
{
        if (f < 0x1p63)
                return (uint64_t)cut(f);
        return (uint64_t)cut(f - 0x1p63) ^ (UINT64_C(1) << 63);
}

bool go_parse_bool(const char *text, bool *ret)
{
        static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
        static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
                if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
                        *ret = !strcmp(text, yes[i]);
                        return true;
                }
        }
        return false;
}

const char *go_parse_int(const char *text, int64_t *ret)
{
        const char *digits = text + (*text == '+' || *text == '-');
        int base = 10;
        char *end;
        long long value;

        if (digits[0] == '0' && digits[1]) {
                int prefix = tolower((unsigned char)digits[1]);

                base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
                digits += isdigit(prefix) ? 1 : 2;
        }
        if (!isxdigit((unsigned char)digits[0]))
                return "invalid syntax";
        errno = 0;
        value = strtoll(digits, &end, base);
        if (*end)
                return "invalid syntax";
        if (errno)
                return "value out of range";
        *ret = *text == '-' ? -value : value;
        return NULL;
}

/* Characters behind ASCII that unicode.IsPrint refuses: the common ones, as there is no table of all. */
static const struct {
        uint32_t first, last;
} unprintable[] = {
        {0x80, 0xa0},     {0xad, 0xad},       {0x378, 0x379},      {0x600, 0x605},   {0x61c, 0x61c},
        {0x6dd, 0x6dd},   {0x1680, 0x1680},   {0x180e, 0x180e},    {0x2000, 0x200f}, {0x2028, 0x202f},
        {0x205f, 0x206f}, {0x3000, 0x3000},   {0xd800, 0xf8ff},    {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
        {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff},
};

static bool is_printable(uint32_t c)
{
        for (size_t i = 0; i < ARRAY_SIZE(unprintable); i++)
                if (c >= unprintable[i].first && c <= unprintable[i].last)
                        return false;
        return c >= 0x20 && c != 0x7f;
}

/* A character as strconv.Quote writes it, @quote being the quotes around. */
static void quote_character(FILE *to, uint32_t c, char quote)
{
        static const char letters[] = "abtnvfr", codes[] = "\a\b\t\n\v\f\r";
        const char *found = c > 0 && c < 0x20 ? strchr(codes, (int)c) : NULL;

        if (c == (unsigned char)quote || c == '\\')
                fprintf(to, "\\%c", (int)c);
        else if (found)
                fprintf(to, "\\%c", letters[found - codes]);
        else if (c < 0x20 || c == 0x7f)
                fprintf(to, "\\x%02x", c);
        else if (!is_printable(c))
                fprintf(to, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
        else if (c < 0x80)
                fputc((int)c, to);
        else if (c < 0x800)
                fprintf(to, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
        else if (c < 0x10000)
                fprintf(to, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
                        (int)(0x80 | (c & 0x3f)));
        else
                fprintf(to, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
                        (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
}

void go_quote_byte(FILE *to, unsigned char byte)
{
        quote_character(to, byte, '\'');
}

/*
 * The character that valid UTF-8 goes on with; *@ret_len its bytes. A byte that is none counts for itself,
 * negative.
 */
static int32_t next_character(const unsigned char *text, size_t *ret_len)
{
        size_t len = text[0] < 0xc0 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
        uint32_t c = len == 1 ? text[0] : text[0] & (0x7fU >> len);

        *ret_len = 1;
        if (text[0] >= 0x80 && len == 1)
                return -(int32_t)text[0];
        for (size_t i = 1; i < len; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return -(int32_t)text[0];
                c = c << 6 | (text[i] & 0x3f);
        }
        *ret_len = len;
        return (int32_t)c;
}

char *go_quote(const char *text)
{
        char *quoted = NULL;
        size_t size, len;
        FILE *to = open_memstream(&quoted, &size);

        if (!to)
                return NULL;
        fputc('"', to);
        for (const unsigned char *at = (const unsigned char *)text; *at; at += len) {
                int32_t c = next_character(at, &len);

                if (c < 0)
                        fprintf(to, "\\x%02x", (unsigned)-c);
                else
                        quote_character(to, (uint32_t)c, '"');
        }
        fputc('"', to);
        if (fclose(to) || !quoted) {
                free(quoted);
                return NULL;
        }
        return quoted;
}

char *go_text(struct json_object *string)
{
        const char *from = json_object_get_string(string);
        size_t len = (size_t)json_object_get_string_len(string);
        char *text = malloc(len * strlen(GO_NUL) + 1), *to = text;

        for (size_t i = 0; text && i < len; i++) {
                if (from[i])
                        *to++ = from[i];
                else
                        to = mempcpy(to, GO_NUL, strlen(GO_NUL));
        }
        if (text)
                *to = '\0';
        return text;
}

struct json_object *go_string(const char *text)
{
        char *bytes CLEANUP(cleanup_free) = malloc(strlen(text) + 1), *to = bytes;

        if (!bytes)
                return NULL;
        for (const char *found; (found = strstr(text, GO_NUL)); text = found + strlen(GO_NUL)) {
                to = mempcpy(to, text, (size_t)(found - text));
                *to++ = '\0';
        }
        to = stpcpy(to, text);
        return json_object_new_string_len(bytes, (int)(to - bytes));
}

void go_log(const char *level, const char *format, ...)
{
        char *message CLEANUP(cleanup_free) = NULL;
        char *quoted CLEANUP(cleanup_free) = NULL;
        char when[32];
        time_t now = time(NULL);
        struct tm tm;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&message, format, ap);
        va_end(ap);
        if (n < 0) {
                message = NULL;
                return;
        }
        quoted = go_quote(message);
        if (!quoted || !gmtime_r(&now, &tm))
                return;
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
        fprintf(stderr, "time=\"%s\" level=%s msg=%s\n", when, level, quoted);
}

void go_panic(enum go_panic what)
{
        static const char *const texts[] = {
                [PANIC_INDEX] =
                        "panic: runtime error: index out of range [0] with length 0\n"
                        "\n"
                        "goroutine 1 [running]:\n"
                        "main.(*proxyHandler).FinishPipe(0xc0003feb00, {0x13c0a40?, 0x8000?, 0xbe5ca0?})\n"
                        "\tgithub.com/containers/skopeo/cmd/skopeo/proxy.go:578 +0x33a\n"
                        "main.main()\n"
                        "\tgithub.com/containers/skopeo/cmd/skopeo/main.go:132 +0x5f\n",
                [PANIC_NIL] = "panic: runtime error: invalid memory address or nil pointer dereference\n"
                              "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x55ce87]\n"
                              "\n"
                              "goroutine 1 [running]:\n"
                              "os.(*File).Name(...)\n"
                              "\tos/file.go:57\n"
                              "net.FileConn(0x0)\n"
                              "\tnet/file.go:24 +0x47\n"
                              "main.main()\n"
                              "\tgithub.com/containers/skopeo/cmd/skopeo/main.go:132 +0x5f\n",
                [PANIC_OTHER] = "panic: runtime error: slice bounds out of range [:1] with capacity 0\n"
                                "\n"
                                "goroutine 1 [running]:\n"
                                "main.main()\n"
                                "\tgithub.com/containers/skopeo/cmd/skopeo/main.go:132 +0x5f\n",
        };

        fputs(texts[what], stderr);
        fflush(stderr);
        _exit(2);
}
