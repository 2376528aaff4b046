/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON reports read back, of one run and a column of a matrix, and told again in each form. What was read and is written
 * again reads the same and writes the same; what is XML is well-formed, whatever the texts of the report are, and nothing
 * of it harms a terminal.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conformance/report-read.h"
#include "fuzz/target.h"

/* A tag, "<NAME ..>", in XML text; deeper than any report nests is no tag of ours. */
#define DEPTH_MAX 8
#define NAME_MAX_LEN 32

struct text {
        char *data;
        size_t len;
};

static void cleanup_text(struct text *text)
{
        free(text->data);
}

static void tell(const struct report_format *format, const struct summary *summary, struct text *ret)
{
        FILE *out = open_memstream(&ret->data, &ret->len);

        target_that(out, "no memory");
        format->write(summary, out, false);
        target_that(fclose(out) == 0, "a report cannot be written");
}

/* Every character is one, and none turns a line round or moves the cursor. */
static void judge_characters(const char *form, const struct text *text)
{
        uint32_t code;

        for (size_t at = 0, n; at < text->len; at += n) {
                n = utf8_character(text->data + at, text->len - at, &code);
                target_that(n > 0, "%s: byte %zu is no UTF-8", form, at);
                target_that(code == '\n' || code == '\t' || !text_is_harmful(code),
                            "%s: character U+%04X at byte %zu", form, (unsigned)code, at);
        }
}

/* A tag up to its '>'; attributes are NAME="..". Returns the place behind it. */
static const char *skip_tag(const char *at, const char *end)
{
        bool quoted = false;

        for (; at < end && (quoted || *at != '>'); at++) {
                target_that(*at != '<', "junit: '<' in a tag");
                if (*at == '"')
                        quoted = !quoted;
        }
        target_that(at < end, "junit: a tag without an end");
        return at + 1;
}

/* Tags that are open are closed in the reverse order, and '&' begins an entity. */
static void judge_xml(const struct text *text)
{
        char open[DEPTH_MAX][NAME_MAX_LEN];
        const char *at = text->data, *end = at + text->len;
        size_t depth = 0;

        while (at < end) {
                const char *behind;
                size_t len;

                if (*at == '&') {
                        len = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789#x");
                        target_that(len && at[1 + len] == ';', "junit: '&' begins no entity");
                }
                if (*at++ != '<')
                        continue;
                behind = skip_tag(at, end);
                len = strcspn(at, " />\n?");
                if (*at == '/') {
                        target_that(depth > 0 && strlen(open[depth - 1]) == (size_t)(behind - at - 2) &&
                                            strncmp(open[depth - 1], at + 1, strlen(open[depth - 1])) == 0,
                                    "junit: a tag is closed that is not open");
                        depth--;
                } else if (*at != '?' && behind[-2] != '/') {
                        target_that(depth < DEPTH_MAX && len > 0 && len < NAME_MAX_LEN, "junit: a strange tag");
                        memcpy(open[depth], at, len);
                        open[depth++][len] = '\0';
                }
                at = behind;
        }
        target_that(depth == 0, "junit: a tag is open at the end");
}

static void judge_forms(const struct summary *summary)
{
        for (size_t i = 0; i < n_report_formats; i++) {
                CLEANUP(cleanup_text) struct text text = {0};
                const char *name = report_formats[i].name;

                tell(&report_formats[i], summary, &text);
                if (strcmp(name, "json") != 0)
                        judge_characters(name, &text);
                if (strcmp(name, "junit") == 0)
                        judge_xml(&text);
        }
}

/* Reads, and writes as JSON. False: refused. */
static bool rewrite(const void *data, size_t size, const char *column, bool all_forms, struct text *ret)
{
        CLEANUP(cleanup_saved_report_free) struct saved_report *saved = NULL;
        struct cip_error error = {0};
        struct target_file file;
        char path[sizeof(file.path) + 16];
        FILE *out;
        int r;

        target_file_open(&file, data, size);
        snprintf(path, sizeof(path), "%s%s", file.path, column);
        r = report_read(path, &saved, &error);
        target_file_close(&file);
        target_that(r == 0 || *error.message, "a report was refused without a word");
        if (r < 0)
                return false;
        out = open_memstream(&ret->data, &ret->len);
        target_that(out, "no memory");
        report_json(saved_report_summary(saved), out, false);
        fclose(out);
        if (all_forms)
                judge_forms(saved_report_summary(saved));
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const columns[] = {"", "#a"}; /* the whole report; the column "a" of a matrix */
        size_t fds = target_count_fds();

        for (size_t i = 0; i < 2; i++) {
                CLEANUP(cleanup_text) struct text first = {0}, second = {0};

                if (!rewrite(data, size, columns[i], true, &first))
                        continue;
                target_that(rewrite(first.data, first.len, "", false, &second),
                            "what was written is refused:\n%s", first.data);
                target_that(first.len == second.len && memcmp(first.data, second.data, first.len) == 0,
                            "written twice it is another one:\n%s%s", first.data, second.data);
        }
        target_that(target_count_fds() == fds, "a descriptor is left open");
        return 0;
}
