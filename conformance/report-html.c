/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTML report: one file that opens from disk, with nothing from elsewhere. One run is a matrix of one
 * column, so that both have the same page: the head, the runs, the groups, and a row for each check, those that
 * fell short first. Everything is in the page without a script; the script only filters. The
 * Content-Security-Policy lets nothing run and nothing load but the style and the script that the build
 * embedded, by their hashes; text is escaped by report-html-text.c.
 */
#include <openssl/evp.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "conformance/report-html.h"
#include "conformance/selection.h"

/* Bytes of a page, but for the one that has more without a single session. */
#define PAGE_MAX ((size_t)1900 * 1024)

/* Bytes of a name that are shown as the page's heading. */
#define TITLE_SHOWN 72

static bool is_single(const struct html_page *page)
{
        return page->matrix->n_columns == 1;
}

/* Two runs, both judged: then each row says what changed from the first to the second. */
static bool tells_change(const struct html_page *page)
{
        const struct matrix *matrix = page->matrix;

        return matrix->n_columns == 2 && matrix->columns[0].summary && matrix->columns[1].summary;
}

static enum change change_in(const struct html_page *page, const struct matrix_row *row)
{
        return tells_change(page) ? change_of(row->results[0], row->results[1]) : CHANGE_NONE;
}

/* ---- statuses and changes ---- */

static const char *const status_symbols[STATUSES] = {
        [STATUS_PASS] = "\xe2\x9c\x93",  /* check mark */
        [STATUS_FAIL] = "\xe2\x9c\x97",  /* cross */
        [STATUS_KNOWN] = "\xe2\x89\x88", /* almost equal */
        [STATUS_FIXED] = "\xe2\x98\x85", /* star */
        [STATUS_SKIP] = "\xe2\x80\x93",  /* dash */
        [STATUS_ERROR] = "!",
};

static const char *const change_symbols[CHANGES] = {
        [CHANGE_NONE] = "=",
        [CHANGE_FIXED] = "\xe2\x96\xb2",   /* up */
        [CHANGE_BROKEN] = "\xe2\x96\xbc",  /* down */
        [CHANGE_CHANGED] = "\xe2\x89\xa0", /* not equal */
        [CHANGE_NEW] = "+",
        [CHANGE_GONE] = "\xe2\x88\x92", /* minus */
};

void html_status(FILE *out, enum status status)
{
        fprintf(out, "<b class=\"s %s\">%s %s</b>", status_name(status), status_symbols[status],
                status_name(status));
}

static void put_change(FILE *out, enum change change)
{
        fprintf(out, "<b class=\"s %s\">%s %s</b>", change_name(change), change_symbols[change],
                change_name(change));
}

static bool has_status(const struct html_page *page, const struct matrix_row *row, enum status status)
{
        for (size_t i = 0; i < page->matrix->n_columns; i++)
                if (row->results[i] && row->results[i]->status == status)
                        return true;
        return false;
}

static size_t count_rows(const struct html_page *page, enum status status)
{
        size_t n = 0;

        for (size_t i = 0; i < page->rows->n; i++)
                n += has_status(page, &page->rows->rows[i], status);
        return n;
}

static bool is_failing(const struct html_page *page, const struct matrix_row *row)
{
        for (size_t i = 0; i < page->matrix->n_columns; i++)
                if (row->results[i] && row->results[i]->changed)
                        return true;
        return has_status(page, row, STATUS_FAIL) || has_status(page, row, STATUS_ERROR) ||
               has_status(page, row, STATUS_FIXED);
}

/* The group of a check that only a report knows has no place in the catalogue: it comes behind all others. */
static size_t group_of(const struct html_page *page, const struct check *check)
{
        const struct catalogue *catalogue = page->matrix->catalogue;
        const struct check_group *group = selection_group(catalogue, check);

        return group ? (size_t)(group - catalogue->groups) : catalogue->n_groups;
}

static const char *group_name(const struct html_page *page, size_t group)
{
        const struct catalogue *catalogue = page->matrix->catalogue;

        return group < catalogue->n_groups ? catalogue->groups[group].name : "other";
}

static const char *group_about(const struct html_page *page, size_t group)
{
        const struct catalogue *catalogue = page->matrix->catalogue;

        return group < catalogue->n_groups ? catalogue->groups[group].about
                                           : "What only a report knows, and not this version of the suite.";
}

/* ---- the head of the file ---- */

/* The source expression for the policy: 'sha256-..' */
static void put_hash(FILE *out, const unsigned char *data, size_t size)
{
        unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (!EVP_Digest(data, size, digest, &len, EVP_sha256(), NULL))
                return;
        EVP_EncodeBlock(text, digest, (int)len);
        fprintf(out, "'sha256-%s'", (const char *)text);
}

/* The command without the folders of its program. The caller frees. */
static char *short_command(const struct summary *summary)
{
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);
        const char *slash = command ? memrchr(command, '/', strcspn(command, " ")) : NULL;

        return command ? strdup(*command != '\'' && slash ? slash + 1 : command) : NULL;
}

/* What the page is about: "skopeo 1.9.3", or else the command. The caller frees. */
static char *page_name(const struct html_page *page)
{
        const struct column *column = &page->matrix->columns[0];
        char *name = NULL;
        int r = 0;

        if (!is_single(page))
                r = asprintf(&name, "%zu runs side by side", page->matrix->n_columns);
        else if (!column->summary)
                name = strdup(column->name);
        else if (*column->summary->release)
                r = asprintf(&name, "%s%s", html_is_of_client(page) ? "" : "skopeo ", column->summary->release);
        else
                name = short_command(column->summary);
        return r < 0 ? NULL : name;
}

static void put_file_head(const struct html_page *page)
{
        CLEANUP(cleanup_free) char *name = page_name(page);
        FILE *out = page->out;

        fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; "
              "form-action 'none'; style-src ",
              out);
        put_hash(out, report_html_css, report_html_css_size);
        fputs("; script-src ", out);
        put_hash(out, report_html_js, report_html_js_size);
        fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n"
              "<meta name=\"referrer\" content=\"no-referrer\">\n<title>",
              out);
        /* No element is one in a title: the plain form that attributes have. */
        html_attribute(out, name ? name : "");
        fprintf(out, " \xc2\xb7 %s report</title>\n<style>", page->matrix->catalogue->subject);
        fwrite(report_html_css, 1, report_html_css_size, out);
        fputs("</style>\n</head>\n", out);
}

/* ---- the head of the page ---- */

static size_t shortfalls(const struct summary *summary)
{
        return summary->counts[STATUS_FAIL] + summary->counts[STATUS_FIXED] + summary->counts[STATUS_ERROR];
}

/* In a sentence what a run came to. */
static void put_verdict(const struct html_page *page, const struct summary *summary)
{
        const char *noun = page->matrix->catalogue->noun;
        size_t n = shortfalls(summary), known = summary->counts[STATUS_KNOWN];
        bool fine = summary_is_fine(summary, false);

        fprintf(page->out, "<b class=\"%s\">%s ", fine ? "pass" : "fail",
                status_symbols[fine ? STATUS_PASS : STATUS_FAIL]);
        if (n)
                fprintf(page->out, "%zu of %zu %ss fall%s short", n, summary->n_results, noun,
                        n == 1 ? "s" : "");
        else
                fprintf(page->out, "Nothing %sfalls short", known ? "new " : "");
        fputs("</b>", page->out);
        if (known)
                fprintf(page->out, "%s %zu known defect%s", n ? ", and" : "; there are", known,
                        known == 1 ? "" : "s");
        if (summary->n_changed)
                fprintf(page->out, "; %zu result%s changed in repeats", summary->n_changed,
                        summary->n_changed == 1 ? "" : "s");
        if (summary->interrupted)
                fprintf(page->out, "; interrupted (%s): this is what was done so far",
                        strsignal(summary->interrupted));
}

/* How the statuses share all results, drawn. For the eye alone: the numbers stand beside it. */
static void put_bar(FILE *out, const size_t counts[STATUSES])
{
        static const enum status order[] = {STATUS_FAIL,  STATUS_ERROR, STATUS_FIXED,
                                            STATUS_KNOWN, STATUS_PASS,  STATUS_SKIP};
        size_t all = 0, x = 0;

        for (enum status s = 0; s < STATUSES; s++)
                all += counts[s];
        fprintf(out,
                "<svg class=\"bar\" viewBox=\"0 0 %zu 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
                all ? all : 1);
        for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
                if (counts[order[i]])
                        fprintf(out, "<rect class=\"%s\" x=\"%zu\" width=\"%zu\" height=\"1\"/>",
                                status_name(order[i]), x, counts[order[i]]);
                x += counts[order[i]];
        }
        fputs("</svg>\n", out);
}

static void put_command(FILE *out, const struct summary *summary)
{
        CLEANUP(cleanup_free) char *command = shell_quote(summary->subject->command);

        fputs("<code>", out);
        html_text(out, command);
        fputs("</code>", out);
}

static void put_protocol(const struct html_page *page, const struct summary *summary)
{
        char version[VERSION_TEXT_SIZE];

        if (!html_is_of_client(page))
                fputs(version_format(summary->subject->version, version), page->out);
}

static void put_now(FILE *out)
{
        time_t now = time(NULL);
        struct tm tm;
        char text[64];

        if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm))
                fputs(text, out);
}

static void put_facts(const struct html_page *page, const struct summary *summary)
{
        FILE *out = page->out;

        fputs("<dl>\n<div><dt>judged</dt><dd>", out);
        put_command(out, summary);
        if (*summary->release) {
                fputs("</dd></div>\n<div><dt>release</dt><dd>", out);
                html_text(out, summary->release);
        }
        if (!html_is_of_client(page)) {
                fputs("</dd></div>\n<div><dt>protocol</dt><dd>", out);
                put_protocol(page, summary);
        }
        fprintf(out, "</dd></div>\n<div><dt>took</dt><dd>%.1f s for %zu %ss", summary->seconds,
                summary->n_results, page->matrix->catalogue->noun);
        if (summary->repeat > 1)
                fprintf(out, ", each %u times", summary->repeat);
        if (summary->shuffled)
                fprintf(out, ", in the order of <code>--shuffle=%lu</code>", summary->seed);
        if (summary->baseline_name) {
                fputs("</dd></div>\n<div><dt>known defects</dt><dd>as <code>", out);
                html_text(out, summary->baseline_name);
                fputs("</code> says of this release", out);
        }
        fputs("</dd></div>\n<div><dt>written</dt><dd>", out);
        put_now(out);
        fputs("</dd></div>\n</dl>\n", out);
        put_bar(out, summary->counts);
}

/* A cell with a number, which the script makes a link to what it counts. */
static void put_count(FILE *out, const char *group, enum status status, size_t n)
{
        if (n == 0) {
                fputs("<td class=\"n zero\">\xc2\xb7</td>", out);
                return;
        }
        fprintf(out, "<td class=\"n %s\"", status_name(status));
        if (group) {
                fputs(" data-show=\"group=", out);
                html_fragment(out, group);
                fprintf(out, "&amp;status=%s\"", status_name(status));
        }
        fprintf(out, ">%zu</td>", n);
}

static void put_count_heads(const struct html_page *page)
{
        for (enum status s = 0; s < STATUSES; s++)
                if (count_rows(page, s))
                        fprintf(page->out, "<th scope=\"col\" class=\"n\">%s %s</th>", status_symbols[s],
                                status_name(s));
}

static bool has_releases(const struct html_page *page)
{
        for (size_t i = 0; i < page->matrix->n_columns; i++)
                if (page->matrix->columns[i].summary && *page->matrix->columns[i].summary->release)
                        return true;
        return false;
}

/* Of a matrix: a line for each run. */
static void put_runs(const struct html_page *page)
{
        FILE *out = page->out;

        fputs("<div class=\"wide\" role=\"region\" aria-label=\"The runs\" "
              "tabindex=\"0\">\n<table>\n<thead><tr>"
              "<th scope=\"col\">run</th>",
              out);
        if (has_releases(page))
                fputs("<th scope=\"col\">release</th>", out);
        if (!html_is_of_client(page))
                fputs("<th scope=\"col\">protocol</th>", out);
        put_count_heads(page);
        fputs("<th scope=\"col\" class=\"n\">took</th><th scope=\"col\">judged</th></tr></thead>\n<tbody>\n",
              out);
        for (size_t i = 0; i < page->matrix->n_columns; i++) {
                const struct column *column = &page->matrix->columns[i];

                fputs("<tr><th scope=\"row\">", out);
                html_text(out, column->name);
                fputs("</th>", out);
                if (!column->summary) {
                        fputs("<td colspan=\"99\"><b class=\"s error\">! not judged</b> ", out);
                        html_text(out, column->verdict);
                        fputs("</td></tr>\n", out);
                        continue;
                }
                if (has_releases(page)) {
                        fputs("<td>", out);
                        html_text(out, column->summary->release);
                        fputs("</td>", out);
                }
                if (!html_is_of_client(page)) {
                        fputs("<td>", out);
                        put_protocol(page, column->summary);
                        fputs("</td>", out);
                }
                for (enum status s = 0; s < STATUSES; s++)
                        if (count_rows(page, s))
                                put_count(out, NULL, s, column->summary->counts[s]);
                fprintf(out, "<td class=\"n\">%.1f s</td><td class=\"cmd\">", column->summary->seconds);
                put_command(out, column->summary);
                fputs("</td></tr>\n", out);
        }
        fputs("</tbody>\n</table>\n</div>\n", out);
}

/* "; 3 fixed, 54 changed", or how many rows are not alike where there are more than two columns. */
static void put_differences(const struct html_page *page)
{
        size_t counts[CHANGES] = {0}, differ = 0;
        const char *separator = "; ";

        for (size_t i = 0; i < page->rows->n; i++) {
                counts[change_in(page, &page->rows->rows[i])]++;
                differ += page->rows->rows[i].differs;
        }
        if (!tells_change(page))
                fprintf(page->out, "; %zu of %zu %ss came out differently", differ, page->rows->n,
                        page->matrix->catalogue->noun);
        for (enum change c = CHANGE_NONE + 1; c < CHANGES; c++) {
                if (!counts[c])
                        continue;
                fprintf(page->out, "%s%zu %s", separator, counts[c], change_name(c));
                separator = ", ";
        }
        if (tells_change(page))
                fputs(counts[CHANGE_NONE] == page->rows->n ? "; nothing changed" : " in the second", page->out);
}

/* In a sentence what a matrix came to. */
static void put_matrix_verdict(const struct html_page *page)
{
        size_t n = 0;

        for (size_t i = 0; i < page->matrix->n_columns; i++) {
                const struct summary *summary = page->matrix->columns[i].summary;

                n += !summary || !summary_is_fine(summary, false);
        }
        fprintf(page->out, "<b class=\"%s\">%s ", n ? "fail" : "pass",
                status_symbols[n ? STATUS_FAIL : STATUS_PASS]);
        if (n)
                fprintf(page->out, "%zu of %zu runs fall%s short</b>", n, page->matrix->n_columns,
                        n == 1 ? "s" : "");
        else
                fputs("No run falls short anew</b>", page->out);
        put_differences(page);
}

static void put_page_head(const struct html_page *page)
{
        const struct summary *summary = page->matrix->columns[0].summary;
        CLEANUP(cleanup_free) char *name = page_name(page);
        FILE *out = page->out;

        fprintf(out, "<header>\n<p class=\"kind\">cip-conformance " CIP_VERSION " \xc2\xb7 %s suite</p>\n<h1>",
                page->matrix->catalogue->subject);
        html_bytes(out, name ? name : "", name ? strlen(name) : 0, TITLE_SHOWN, HTML_LINE);
        fputs("</h1>\n<p class=\"verdict\">", out);
        if (is_single(page) && summary)
                put_verdict(page, summary);
        else if (is_single(page))
                html_text(out, page->matrix->columns[0].verdict);
        else
                put_matrix_verdict(page);
        fputs("</p>\n", out);
        if (is_single(page) && summary) {
                put_facts(page, summary);
        } else if (!is_single(page)) {
                put_runs(page);
                fputs("<p class=\"kind\">written ", out);
                put_now(out);
                fputs("</p>\n", out);
        }
        fputs("</header>\n", out);
}

/* ---- the groups ---- */

/* What one column has of one group. Returns how many checks that is. */
static size_t count_group(const struct html_page *page, size_t group, size_t column, size_t counts[STATUSES])
{
        size_t n = 0;

        for (size_t i = 0; i < page->rows->n; i++) {
                const struct result *result = page->rows->rows[i].results[column];

                if (!result || group_of(page, page->rows->rows[i].check) != group)
                        continue;
                counts[result->status]++;
                n++;
        }
        return n;
}

static bool has_group(const struct html_page *page, size_t group)
{
        for (size_t i = 0; i < page->rows->n; i++)
                if (group_of(page, page->rows->rows[i].check) == group)
                        return true;
        return false;
}

/* A cell of a matrix: the counts with their symbols. */
static void put_group_cell(const struct html_page *page, size_t group, size_t column)
{
        size_t counts[STATUSES] = {0};

        if (!page->matrix->columns[column].summary)
                return;
        count_group(page, group, column, counts);
        fputs("<td>", page->out);
        for (enum status s = 0; s < STATUSES; s++)
                if (counts[s])
                        fprintf(page->out,
                                "<span class=\"s %s\">%s&nbsp;%zu<span class=\"vh\"> %s</span></span>",
                                status_name(s), status_symbols[s], counts[s], status_name(s));
        fputs("</td>", page->out);
}

static void put_group_row(const struct html_page *page, size_t group)
{
        FILE *out = page->out;
        size_t counts[STATUSES] = {0};

        fputs("<tr><th scope=\"row\"><a href=\"#g-", out);
        html_fragment(out, group_name(page, group));
        fputs("\" data-show=\"group=", out);
        html_fragment(out, group_name(page, group));
        fputs("\">", out);
        html_text(out, group_name(page, group));
        fputs("</a></th><td class=\"about\">", out);
        html_prose(out, group_about(page, group));
        fputs("</td>", out);
        if (is_single(page)) {
                count_group(page, group, 0, counts);
                for (enum status s = 0; s < STATUSES; s++)
                        if (count_rows(page, s))
                                put_count(out, group_name(page, group), s, counts[s]);
                fputs("<td class=\"fill\">", out);
                put_bar(out, counts);
                fputs("</td>", out);
        } else {
                for (size_t i = 0; i < page->matrix->n_columns; i++)
                        put_group_cell(page, group, i);
        }
        fputs("</tr>\n", out);
}

static void put_groups(const struct html_page *page)
{
        FILE *out = page->out;

        fputs("<details class=\"fold\" open>\n<summary><h2>Groups</h2></summary>\n<div class=\"wide\" "
              "role=\"region\" "
              "aria-label=\"Groups\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">group</th><th "
              "scope=\"col\" class=\"about\">about</th>",
              out);
        if (is_single(page))
                put_count_heads(page);
        for (size_t i = 0; !is_single(page) && i < page->matrix->n_columns; i++) {
                if (!page->matrix->columns[i].summary)
                        continue;
                fputs("<th scope=\"col\">", out);
                html_text(out, page->matrix->columns[i].name);
                fputs("</th>", out);
        }
        fputs(is_single(page) ? "<td></td></tr></thead>\n<tbody>\n" : "</tr></thead>\n<tbody>\n", out);
        for (size_t g = 0; g <= page->matrix->catalogue->n_groups; g++)
                if (has_group(page, g))
                        put_group_row(page, g);
        fputs("</tbody>\n</table>\n</div>\n</details>\n", out);
}

/* ---- the filters ---- */

/* A button that counts; without a script it is only the count. @symbol may be "". */
static void put_button(FILE *out, const char *facet, const char *value, const char *symbol, size_t n)
{
        fprintf(out,
                "<button type=\"button\" class=\"%s\" data-facet=\"%s\" data-value=\"%s\" disabled>%s%s"
                "%s <b>%zu</b></button>\n",
                value, facet, value, symbol, *symbol ? " " : "", value, n);
}

static void put_change_buttons(const struct html_page *page)
{
        size_t counts[CHANGES] = {0};

        fputs("<div class=\"f\" role=\"group\" aria-label=\"Change\">\n", page->out);
        for (size_t i = 0; i < page->rows->n; i++)
                counts[change_in(page, &page->rows->rows[i])]++;
        for (enum change c = CHANGE_NONE + 1; c < CHANGES; c++)
                if (counts[c])
                        put_button(page->out, "change", change_name(c), change_symbols[c], counts[c]);
        put_button(page->out, "change", change_name(CHANGE_NONE), change_symbols[CHANGE_NONE],
                   counts[CHANGE_NONE]);
        fputs("</div>\n", page->out);
}

static void put_status_buttons(const struct html_page *page)
{
        size_t levels[LEVEL_INFO + 1] = {0}, differ = 0;

        for (size_t i = 0; i < page->rows->n; i++) {
                levels[page->rows->rows[i].check->level]++;
                differ += page->rows->rows[i].differs;
        }
        fputs("<div class=\"f\" role=\"group\" aria-label=\"Status and level\">\n", page->out);
        for (enum status s = 0; s < STATUSES; s++)
                if (count_rows(page, s))
                        put_button(page->out, "status", status_name(s), status_symbols[s], count_rows(page, s));
        fputs("<span class=\"gap\"></span>\n", page->out);
        for (enum check_level l = LEVEL_MUST; l <= LEVEL_INFO; l++)
                if (levels[l])
                        put_button(page->out, "level", check_level_name(l), "", levels[l]);
        if (page->matrix->n_columns > 1 && !tells_change(page)) {
                fputs("<span class=\"gap\"></span>\n", page->out);
                put_button(page->out, "differs", "differs", change_symbols[CHANGE_CHANGED], differ);
        }
        fputs("</div>\n", page->out);
}

static void put_column_heads(const struct html_page *page)
{
        fprintf(page->out, "<div class=\"heads\" aria-hidden=\"true\"><span></span><span>%s</span>",
                page->matrix->catalogue->noun);
        for (size_t i = 0; i < page->matrix->n_columns; i++) {
                if (!page->matrix->columns[i].summary)
                        continue;
                fputs("<span>", page->out);
                html_text(page->out, page->matrix->columns[i].name);
                fputs("</span>", page->out);
        }
        fputs(tells_change(page) ? "<span>change</span></div>\n" : "</div>\n", page->out);
}

static void put_filters(const struct html_page *page)
{
        FILE *out = page->out;

        fputs("<section id=\"bar\" aria-label=\"Filters\">\n", out);
        if (tells_change(page))
                put_change_buttons(page);
        put_status_buttons(page);
        fputs("<div class=\"f js\" hidden>\n<input type=\"search\" id=\"q\" placeholder=\"Search&hellip;  /\" "
              "aria-label=\"Search in all that is said of a check\" autocomplete=\"off\" "
              "spellcheck=\"false\">\n"
              "<select id=\"group\" aria-label=\"Group\">\n<option value=\"\">all groups</option>\n",
              out);
        for (size_t g = 0; g <= page->matrix->catalogue->n_groups; g++) {
                if (!has_group(page, g))
                        continue;
                fputs("<option value=\"", out);
                html_attribute(out, group_name(page, g));
                fputs("\">", out);
                html_text(out, group_name(page, g));
                fputs("</option>\n", out);
        }
        fputs("</select>\n<button type=\"button\" id=\"reset\">Show all</button>\n"
              "<button type=\"button\" id=\"open\">Open all</button>\n"
              "<span id=\"shown\" role=\"status\"></span>\n</div>\n",
              out);
        if (!is_single(page))
                put_column_heads(page);
        fputs("</section>\n", out);
}

/* ---- the rows ---- */

/* What says most about a result in a line. */
static void put_sentence(FILE *out, const struct check *check, const struct result *result)
{
        if (result->entry)
                html_prose(out, result->entry->defect);
        else if (result->status != STATUS_PASS && *result->message)
                html_text(out, result->message);
        else if (result->value)
                html_text(out, result->value);
        else
                html_prose(out, check->requires);
}

static void put_single_summary(const struct html_page *page, const struct matrix_row *row)
{
        FILE *out = page->out;
        bool recorded = row->results[0]->value && row->results[0]->status == STATUS_PASS;

        html_status(out, row->results[0]->status);
        fputs("<span class=\"i\">", out);
        html_text(out, row->check->id);
        fprintf(out, "</span><span class=\"l\">%s</span><span class=\"m\">%s",
                check_level_name(row->check->level), recorded ? "<code>" : "");
        put_sentence(out, row->check, row->results[0]);
        fputs(recorded ? "</code></span>" : "</span>", out);
}

static void put_cell(const struct html_page *page, const struct matrix_row *row, size_t column)
{
        const struct result *result = row->results[column];
        FILE *out = page->out;

        fputs("<span class=\"c\"><span class=\"n\">", out);
        html_text(out, page->matrix->columns[column].name);
        fputs(" </span>", out);
        if (result)
                html_status(out, result->status);
        else
                fputs("<b class=\"s none\">not there</b>", out);
        if (result && result->value) {
                fputs("<span class=\"v\">", out);
                html_bytes(out, result->value, strlen(result->value), 120, HTML_LINE);
                fputs("</span>", out);
        }
        fputs("</span>", out);
}

static void put_matrix_summary(const struct html_page *page, const struct matrix_row *row)
{
        FILE *out = page->out;

        fputs("<span class=\"w\"><span class=\"i\">", out);
        html_text(out, row->check->id);
        fprintf(out, "</span> <span class=\"l\">%s</span><span class=\"m\">",
                check_level_name(row->check->level));
        html_prose(out, row->check->requires);
        fputs("</span></span>", out);
        for (size_t i = 0; i < page->matrix->n_columns; i++)
                if (page->matrix->columns[i].summary)
                        put_cell(page, row, i);
        if (tells_change(page)) {
                fputs("<span class=\"c\">", out);
                put_change(out, change_in(page, row));
                fputs("</span>", out);
        }
}

static void put_row(struct html_page *page, const struct matrix_row *row)
{
        FILE *out = page->out;
        const char *separator = "";

        fprintf(out, "<details class=\"k%s\" data-status=\"",
                is_failing(page, row) || has_status(page, row, STATUS_KNOWN) ? " short" : "");
        for (enum status s = 0; s < STATUSES; s++) {
                if (!has_status(page, row, s))
                        continue;
                fprintf(out, "%s%s", separator, status_name(s));
                separator = " ";
        }
        fprintf(out, "\" data-level=\"%s\" data-group=\"", check_level_name(row->check->level));
        html_attribute(out, group_name(page, group_of(page, row->check)));
        if (tells_change(page))
                fprintf(out, "\" data-change=\"%s", change_name(change_in(page, row)));
        fprintf(out, "%s\">\n<summary>", row->differs ? "\" data-differs=\"differs" : "");
        if (is_single(page))
                put_single_summary(page, row);
        else
                put_matrix_summary(page, row);
        fputs("</summary>\n", out);
        html_detail(page, row);
        fputs("</details>\n", out);
}

/* ---- the sections ---- */

static bool is_broken(const struct html_page *page, const struct matrix_row *row)
{
        return change_in(page, row) == CHANGE_BROKEN;
}

static bool is_fixed(const struct html_page *page, const struct matrix_row *row)
{
        return change_in(page, row) == CHANGE_FIXED;
}

static bool is_changed(const struct html_page *page, const struct matrix_row *row)
{
        return change_in(page, row) == CHANGE_CHANGED;
}

static bool is_new(const struct html_page *page, const struct matrix_row *row)
{
        return change_in(page, row) == CHANGE_NEW;
}

static bool is_gone(const struct html_page *page, const struct matrix_row *row)
{
        return change_in(page, row) == CHANGE_GONE;
}

static bool is_known(const struct html_page *page, const struct matrix_row *row)
{
        return has_status(page, row, STATUS_KNOWN);
}

/* Skipped in one and passed in the other is what versions are about, and is seen well enough in its group. */
static bool has_other_value(const struct html_page *page, const struct matrix_row *row)
{
        const char *first = NULL;

        for (size_t i = 0; i < page->matrix->n_columns; i++) {
                const char *value = row->results[i] ? row->results[i]->value : NULL;

                if (value && first && strcmp(value, first) != 0)
                        return true;
                first = first ? first : value;
        }
        return false;
}

/* A row is in the first section that takes it; what none takes is in its group's. */
static const struct {
        const char *id, *title, *about;
        bool (*takes)(const struct html_page *page, const struct matrix_row *row);
} sections[] = {
        {"broken", "Broken", "did not fall short in the first run, and does in the second", is_broken},
        {"fixed", "Fixed", "fell short in the first run, and does no more in the second", is_fixed},
        {"changed", "Changed", "another status or another value, for better or worse", is_changed},
        {"new", "New", "only the second run has them", is_new},
        {"gone", "Gone", "only the first run has them", is_gone},
        {"falls-short", "Falls short", "", is_failing},
        {"known", "Known defects", "fall short as the baseline says", is_known},
        {"values", "Recorded values that differ", "where nothing says what is right", has_other_value},
};

static size_t section_of(const struct html_page *page, const struct matrix_row *row)
{
        size_t i = 0;

        while (i < ARRAY_SIZE(sections) && !sections[i].takes(page, row))
                i++;
        return i == ARRAY_SIZE(sections) ? i + group_of(page, row->check) : i;
}

static void put_section(struct html_page *page, size_t section)
{
        bool is_group = section >= ARRAY_SIZE(sections);
        size_t group = is_group ? section - ARRAY_SIZE(sections) : 0, n = 0;
        FILE *out = page->out;

        for (size_t i = 0; i < page->rows->n; i++)
                n += section_of(page, &page->rows->rows[i]) == section;
        if (n == 0)
                return;
        fprintf(out, "<section class=\"sec\" id=\"%s", is_group ? "g-" : "s-");
        html_attribute(out, is_group ? group_name(page, group) : sections[section].id);
        fputs("\">\n<h2>", out);
        html_text(out, is_group ? group_name(page, group) : sections[section].title);
        fprintf(out, " <small><span class=\"count\">%zu</span> ", n);
        html_prose(out, is_group ? group_about(page, group) : sections[section].about);
        fputs("</small></h2>\n", out);
        for (size_t i = 0; i < page->rows->n; i++)
                if (section_of(page, &page->rows->rows[i]) == section)
                        put_row(page, &page->rows->rows[i]);
        fputs("</section>\n", out);
}

/* ---- the page ---- */

static void put_page(struct html_page *page)
{
        FILE *out = page->out;

        put_file_head(page);
        fprintf(out, "<body class=\"%s\">\n<a class=\"go\" href=\"#checks\">Skip to the %ss</a>\n",
                is_single(page) ? "one" : "many", page->matrix->catalogue->noun);
        put_page_head(page);
        fputs("<main>\n", out);
        put_groups(page);
        put_filters(page);
        fputs("<div id=\"checks\" tabindex=\"-1\">\n", out);
        for (size_t i = 0; i <= ARRAY_SIZE(sections) + page->matrix->catalogue->n_groups; i++)
                put_section(page, i);
        fputs("</div>\n</main>\n<footer>\n<p class=\"js keys\" hidden><kbd>/</kbd> searches, <kbd>Esc</kbd> "
              "forgets it, "
              "<kbd>j</kbd> and <kbd>k</kbd> go from row to row, <kbd>Enter</kbd> opens one. The address "
              "always holds "
              "what is shown.</p>\n<noscript><p>Filters need JavaScript; everything there is, is on this page "
              "without "
              "it.</p></noscript>\n<p>In sessions <b>&rarr;</b> is what the client sent, <b>&larr;</b> what "
              "the "
              "server sent, with the descriptors that came along.",
              out);
        if (!html_is_of_client(page))
                fputs(" What a check wants: <code>cip-conformance explain ID</code>.", out);
        fputs("</p>\n</footer>\n<script>", out);
        fwrite(report_html_js, 1, report_html_js_size, out);
        fputs("</script>\n</body>\n</html>\n", out);
}

/* What a page without sessions and logs leaves of its limit for them. */
static size_t measure_room(struct html_page page)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;

        page.out = open_memstream(&text, &len);
        if (!page.out)
                return 0;
        put_page(&page);
        fclose(page.out);
        return len < PAGE_MAX ? PAGE_MAX - len : 0;
}

void report_html_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = NULL;
        struct html_page page = {.out = out, .matrix = matrix};

        (void)colour;
        if (matrix_rows_new(matrix, &rows) < 0) {
                fputs("<!DOCTYPE html>\n<title>no report</title>\n<p>There was no memory for the report.</p>\n",
                      out);
                return;
        }
        page.rows = rows;
        page.room = measure_room(page);
        put_page(&page);
}

void report_html(const struct summary *summary, FILE *out, bool colour)
{
        const struct column column = {
                .name = *summary->release ? summary->release : summary->catalogue->subject, .summary = summary};

        report_html_matrix(
                &(struct matrix){.catalogue = summary->catalogue, .columns = &column, .n_columns = 1}, out,
                colour);
}
