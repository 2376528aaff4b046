/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row of the HTML report opens to: what the check requires and where that is written, and beneath it one
 * section for each run: what came, the known defect, the session packet by packet, what was written to stderr,
 * the command that runs it again. Long sessions are cut in their middle, and when a page has had its fill of
 * sessions the remaining ones are left out, with a note in their place.
 */
#include <string.h>

#include "base/cleanup.h"
#include "conformance/report-html.h"
#include "conformance/report-transcript.h"
#include "conformance/rules.h"
#include "conformance/selection.h"
#include "protocol/bytes.h"

/* What is shown of one session and of one log: more where there is one run alone. */
struct shown {
        size_t first, last, packet, log;
};
static const struct shown alone = {.first = 8, .last = 32, .packet = 1500, .log = 6000};
static const struct shown beside = {.first = 4, .last = 16, .packet = 400, .log = 1500};

static const struct shown *what_is_shown(const struct html_page *page)
{
        return page->matrix->n_columns == 1 ? &alone : &beside;
}

/* ---- the session ---- */

/* A packet's bytes, the method's name in bold, a failure marked. */
static void put_packet_text(FILE *out, const char *text, size_t len, size_t max)
{
        static const char request[] = "{\"method\":\"", failure[] = "{\"success\":false";
        size_t before = 0, marked = 0;

        if (len > strlen(request) && memcmp(text, request, strlen(request)) == 0) {
                before = strlen(request);
                marked = strcspn(text + before, "\"");
        } else if (len > strlen(failure) && memcmp(text, failure, strlen(failure)) == 0) {
                before = 1;
                marked = strlen(failure) - 1;
        }
        if (before + marked > len || before + marked > max)
                before = marked = 0;
        fputs("<code>", out);
        html_bytes(out, text, before, max, HTML_LINE);
        if (marked) {
                fputs(before > 1 ? "<b>" : "<em>", out);
                html_bytes(out, text + before, marked, max, HTML_LINE);
                fputs(before > 1 ? "</b>" : "</em>", out);
        }
        html_bytes(out, text + before + marked, len - before - marked, max - before - marked, HTML_LINE);
        fputs("</code>", out);
}

static void put_size(FILE *out, size_t len)
{
        fprintf(out, " <small>%zu byte%s</small>", len, len == 1 ? "" : "s");
}

static void put_descriptors(FILE *out, struct json_object *event)
{
        struct json_object *fds;

        if (!json_object_object_get_ex(event, "fds", &fds) || !json_object_is_type(fds, json_type_array))
                return;
        for (size_t i = 0; i < json_object_array_length(fds) && i < 300; i++) {
                fputs(" <span class=\"fd\">", out);
                html_text(out, json_object_get_string(json_object_array_get_idx(fds, i)));
                fputs("</span>", out);
        }
}

static void put_packet(const struct html_page *page, struct json_object *event)
{
        const char *base64 = transcript_member(event, "base64");
        CLEANUP(cleanup_free) char *bytes = NULL;
        struct json_object *text = NULL;
        size_t max = what_is_shown(page)->packet, len = 0;

        if (base64 && base64_decode(base64, strlen(base64), &bytes, &len) == 0) {
                put_packet_text(page->out, bytes, len, max);
                fputs(" <small>not UTF-8</small>", page->out);
        } else if (json_object_object_get_ex(event, "text", &text) &&
                   json_object_is_type(text, json_type_string)) {
                len = (size_t)json_object_get_string_len(text);
                put_packet_text(page->out, json_object_get_string(text), len, max);
        }
        put_size(page->out, len);
        put_descriptors(page->out, event);
}

/* The end of a data pipe: how much came, how it ended, its digest. */
static void put_pipe(const struct html_page *page, struct json_object *event)
{
        static const struct {
                const char *member, *before, *after;
        } parts[] = {
                {"name", "pipe of ", ": "},
                {"bytes", "<b>", " bytes</b>"},
                {"end", ", then ", ""},
                {"digest", " <small>", "</small>"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                const char *text = transcript_member(event, parts[i].member);

                if (!text)
                        continue;
                fputs(parts[i].before, page->out);
                html_text(page->out, text);
                fputs(parts[i].after, page->out);
        }
}

/* Any other event: its name and its members. */
static void put_members(const struct html_page *page, const char *name, struct json_object *event)
{
        const char *text = transcript_member(event, "text");

        if (strcmp(name, "note") == 0 && text) {
                html_text(page->out, text);
                return;
        }
        html_text(page->out, name);
        json_object_object_foreach (event, key, value) {
                if (strcmp(key, "t") == 0 || strcmp(key, "event") == 0)
                        continue;
                text = value ? json_object_get_string(value) : "null";
                fputc(' ', page->out);
                html_text(page->out, key);
                fputc(' ', page->out);
                html_bytes(page->out, text, strlen(text), what_is_shown(page)->packet, HTML_LINE);
        }
}

/* How an event's line looks, and how it is called: the first row without a direction is any event's. */
static const struct {
        const char *event, *direction, *class, *symbol, *spoken;
} looks[] = {
        {"packet", ">", "c", "\xe2\x86\x92", "client:"},
        {"packet", "<", "r", "\xe2\x86\x90", "server:"},
        {"pipe", NULL, "p", "\xe2\x87\x90", "data:"},
        {"exit", NULL, "x", "\xe2\x96\xa0", "end:"},
        {NULL, NULL, "o", "#", "note:"},
};

static void put_event(void *data, struct json_object *event, const char *line, size_t len)
{
        struct html_page *page = data;
        const char *name = event ? transcript_member(event, "event") : NULL;
        const char *direction = event ? transcript_member(event, "dir") : NULL;
        const char *time = event ? transcript_member(event, "t") : NULL;
        size_t i = 0;

        while (looks[i].event &&
               (!name || strcmp(looks[i].event, name) != 0 ||
                (looks[i].direction && (!direction || strcmp(looks[i].direction, direction) != 0))))
                i++;
        fprintf(page->out, "<li class=\"%s\"><time>", looks[i].class);
        html_text(page->out, time ? time : "");
        fprintf(page->out, "</time><b aria-hidden=\"true\">%s</b><span><span class=\"vh\">%s </span>",
                looks[i].symbol, looks[i].spoken);
        if (!event)
                html_bytes(page->out, line, len, what_is_shown(page)->packet, HTML_LINE);
        else if (name && strcmp(name, "packet") == 0)
                put_packet(page, event);
        else if (name && strcmp(name, "pipe") == 0)
                put_pipe(page, event);
        else
                put_members(page, name ? name : "?", event);
        fputs("</span></li>\n", page->out);
}

static void put_left_out(void *data, size_t n)
{
        struct html_page *page = data;

        fprintf(page->out,
                "<li class=\"cut\"><time></time><b aria-hidden=\"true\">&hellip;</b><span>%zu events "
                "more, left out here</span></li>\n",
                n);
}

static void put_session(struct html_page *page, const char *transcript)
{
        fputs("<h4>Session</h4>\n<ol class=\"session\">\n", page->out);
        transcript_walk(transcript, &(struct transcript_walk){
                                            .first = what_is_shown(page)->first,
                                            .last = what_is_shown(page)->last,
                                            .event = put_event,
                                            .left_out = put_left_out,
                                            .data = page,
                                    });
        fputs("</ol>\n", page->out);
}

/* The end of hostile text with lines. */
static void put_log(struct html_page *page, const char *title, const char *text)
{
        size_t len = strlen(text), max = what_is_shown(page)->log, skipped = len > max ? len - max : 0;

        fprintf(page->out, "<h4>%s</h4>\n<pre>", title);
        if (skipped)
                fprintf(page->out, "<i class=\"more\">%zu bytes before this, left out here &hellip;</i>\n",
                        skipped);
        html_bytes(page->out, text + skipped, len - skipped, max, HTML_LINES);
        fputs("</pre>\n", page->out);
}

static void put_logs(struct html_page *page, const struct job *job)
{
        if (job->transcript)
                put_session(page, job->transcript);
        if (job->stderr_text)
                put_log(page, html_is_of_client(page) ? "Output of the client" : "Stderr of the server",
                        job->stderr_text);
        if (job->log)
                put_log(page, "Output of the harness", job->log);
}

/* Session and logs, while the page has room for them: they can be most of it. */
static void put_job(struct html_page *page, const struct job *job)
{
        CLEANUP(cleanup_free) char *text = NULL;
        FILE *whole = page->out;
        size_t len = 0;

        if (!job->transcript && !job->stderr_text && !job->log)
                return;
        page->out = page->room > 0 ? open_memstream(&text, &len) : NULL;
        if (page->out) {
                put_logs(page, job);
                fclose(page->out);
        }
        page->out = whole;
        if (text && len <= page->room) {
                page->room -= len;
                fwrite(text, 1, len, whole);
        } else {
                fputs("<p class=\"note\">Session left out: this page is full.</p>\n", whole);
        }
}

/* ---- one run's section ---- */

static const char *const closing_questions[] = {
        "how it ended", "open descriptors", "processes left behind", "files left behind", "stderr",
};

static void put_defect(struct html_page *page, const struct summary *summary, const struct result *result)
{
        const struct baseline_entry *entry = result->entry;
        bool fixed = result->status == STATUS_FIXED;

        fprintf(page->out, "<dt>%s</dt><dd>", fixed ? "no longer so" : "known defect");
        html_prose(page->out, entry->defect);
        if (entry->reference) {
                fputs(" <small>", page->out);
                html_text(page->out, entry->reference);
                fputs("</small>", page->out);
        }
        fputs("</dd>\n", page->out);
        if (entry->effect) {
                fputs("<dt>effect</dt><dd>", page->out);
                html_prose(page->out, entry->effect);
                fputs("</dd>\n", page->out);
        }
        if (entry->reproducer) {
                fputs("<dt>shown by</dt><dd><code>", page->out);
                html_text(page->out, entry->reproducer);
                fputs("</code></dd>\n", page->out);
        }
        if (entry->transcript) {
                fputs("<dt>shown by</dt><dd><code>", page->out);
                html_text(page->out, entry->transcript);
                fputs("</code></dd>\n", page->out);
        }
        if (summary->baseline_name) {
                fprintf(page->out, "<dt>%s</dt><dd>", fixed ? "to do" : "says");
                fputs(fixed ? "remove the entry of this release from <code>" : "<code>", page->out);
                html_text(page->out, summary->baseline_name);
                fputs("</code></dd>\n", page->out);
        }
}

static void put_again(struct html_page *page, const struct summary *summary, const struct result *result)
{
        CLEANUP(cleanup_free) char *id = shell_quote((const char *[]){result->check->id, NULL});
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);

        /* One of another version cannot be run, and what passes beside others need not be. */
        if (!summary->rerun || !id || !command || (result->status == STATUS_SKIP && !result->job) ||
            (result->status == STATUS_PASS && page->matrix->n_columns > 1))
                return;
        fputs("<dt>again</dt><dd><code class=\"run\">", page->out);
        html_text(page->out, summary->rerun);
        fputs(" --filter ", page->out);
        html_text(page->out, id);
        fputs(" -- ", page->out);
        html_text(page->out, command);
        fputs("</code></dd>\n", page->out);
}

static void put_term(struct html_page *page, const char *term, const char *text)
{
        if (!text || !*text)
                return;
        fprintf(page->out, "<dt>%s</dt><dd>", term);
        html_bytes(page->out, text, strlen(text), what_is_shown(page)->packet, HTML_LINE);
        fputs("</dd>\n", page->out);
}

static void put_closing(struct html_page *page, unsigned closing)
{
        const char *separator = "";

        if (!closing)
                return;
        fputs("<dt>at the end</dt><dd>", page->out);
        for (size_t i = 0; i < ARRAY_SIZE(closing_questions); i++) {
                if (!(closing & (1U << i)))
                        continue;
                fprintf(page->out, "%s%s", separator, closing_questions[i]);
                separator = ", ";
        }
        fputs("</dd>\n", page->out);
}

static void put_result(struct html_page *page, const struct column *column, const struct result *result)
{
        const struct summary *summary = column->summary;

        fputs("<section>\n<h3>", page->out);
        if (page->matrix->n_columns > 1) {
                html_text(page->out, column->name);
                fputc(' ', page->out);
        }
        if (!result) {
                fputs("<b class=\"s none\">not there</b></h3>\n</section>\n", page->out);
                return;
        }
        html_status(page->out, result->status);
        fprintf(page->out, " <small>%.3f s</small></h3>\n<dl>\n", result->seconds);
        put_term(page, result->status == STATUS_SKIP ? "why" : "came", result->message);
        if (result->value) {
                fputs("<dt>recorded</dt><dd><code>", page->out);
                html_text(page->out, result->value);
                fputs("</code></dd>\n", page->out);
        }
        put_closing(page, result->closing);
        put_term(page, "repeats", result->changed);
        if (result->entry)
                put_defect(page, summary, result);
        put_again(page, summary, result);
        fputs("</dl>\n", page->out);
        if (result->job && result->status != STATUS_SKIP)
                put_job(page, result->job);
        fputs("</section>\n", page->out);
}

/* ---- the whole ---- */

static const char *about_level(enum check_level level)
{
        static const char *const texts[] = {
                [LEVEL_MUST] = "the manual says so, or every client depends on it",
                [LEVEL_SHOULD] = "falling short hurts people",
                [LEVEL_INFO] = "records what is done where nothing says what is right; never falls short",
        };

        return texts[level];
}

static void put_versions(FILE *out, const struct check *check)
{
        char since[VERSION_TEXT_SIZE], until[VERSION_TEXT_SIZE];
        bool ends = version_compare(check->until, (struct version){0}) > 0;

        if (version_compare(check->since, VERSION_OLDEST) <= 0 && !ends)
                fputs("every version", out);
        else
                fprintf(out, "%s and later%s%s", version_format(check->since, since), ends ? ", before " : "",
                        ends ? version_format(check->until, until) : "");
}

/* Each rule with its sentence, so that nobody needs the document. */
static void put_references(FILE *out, const struct check *check)
{
        const char *at = check->reference ? check->reference : "";
        size_t len;

        if (!*at)
                return;
        fputs("<dt>reference</dt>", out);
        for (; (len = reference_next(&at)) > 0; at += len) {
                const struct protocol_rule *rule = protocol_rule_find(at, len);

                fputs("<dd><code>docs/protocol.md#", out);
                html_bytes(out, at, len, 200, HTML_LINE);
                fputs("</code>", out);
                if (rule) {
                        fputs(" <small>", out);
                        html_prose(out, rule->sentence);
                        fputs("</small>", out);
                }
                fputs("</dd>\n", out);
        }
}

void html_detail(struct html_page *page, const struct matrix_row *row)
{
        const struct check *check = row->check;
        FILE *out = page->out;

        fputs("<div class=\"d\" id=\"", out);
        html_attribute(out, check->id);
        fprintf(out, "\">\n<dl>\n<dt>%s</dt><dd class=\"req\">",
                html_is_of_client(page) ? "scenario" : "requires");
        html_prose(out, check->requires);
        fprintf(out, "</dd>\n<dt>level</dt><dd>%s <small>%s</small></dd>\n", check_level_name(check->level),
                about_level(check->level));
        if (!html_is_of_client(page)) {
                fputs("<dt>holds for</dt><dd>", out);
                put_versions(out, check);
                fputs("</dd>\n", out);
        }
        put_references(out, check);
        fputs("<dt>link</dt><dd><a href=\"#", out);
        html_fragment(out, check->id);
        fputs("\">#", out);
        html_text(out, check->id);
        fputs("</a></dd>\n</dl>\n<div class=\"runs\">\n", out);
        for (size_t i = 0; i < page->matrix->n_columns; i++)
                if (page->matrix->columns[i].summary)
                        put_result(page, &page->matrix->columns[i], row->results[i]);
        fputs("</div>\n</div>\n", out);
}
