/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix for people: who was judged, counts by status and by group, then what matters most first. Shortfalls
 * have a line for each check and a sentence beneath; recorded values stand side by side where they are unlike; checks
 * that only some columns have are summed up, as a version of the protocol brings many at once. It fits WIDTH columns
 * of text as long as there are not too many servers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/matrix.h"
#include "conformance/report-text.h"
#include "conformance/report.h"
#include "conformance/selection.h"

#define WIDTH 112
#define LABEL_WIDTH 10
#define ID_WIDTH_MAX 46
#define INDENT 6
#define CELL_MIN 7
#define CELL_MAX 22

/* Ids that are named one by one. */
#define IDS_NAMED 3

static const char *const colours[STATUSES] = {
        [STATUS_PASS] = "\033[32m",  [STATUS_FAIL] = "\033[1;31m", [STATUS_KNOWN] = "\033[33m",
        [STATUS_FIXED] = "\033[36m", [STATUS_SKIP] = "\033[2m",    [STATUS_ERROR] = "\033[1;35m",
};

/* What the parts below share. */
struct table {
        const struct matrix *matrix;
        const struct matrix_rows *rows;
        FILE *out;
        bool colour;
        size_t n; /* columns that were judged */
        const struct column **columns;
        size_t *places; /* of those in the matrix */
        bool *partial;  /* of each row: not every column has it (is_partial) */
};

static bool is_of_client(const struct table *table)
{
        return table->matrix->catalogue != &server_catalogue;
}

/* ---- cells ---- */

/* How wide a cell is where the lines begin with @first characters. */
static size_t cell_width(const struct table *table, size_t first)
{
        size_t width = WIDTH > first && table->n ? (WIDTH - first) / table->n : 0;

        return width > CELL_MAX ? CELL_MAX : width < CELL_MIN ? CELL_MIN : width;
}

/* @text on the right of a cell, cut where it does not fit. */
static void print_cell(const struct table *table, size_t width, const char *colour, const char *text)
{
        char safe[CELL_MAX + 1];
        size_t len;

        text_make_safe(safe, width < sizeof(safe) ? width : sizeof(safe), text, strlen(text));
        len = strlen(safe);
        fprintf(table->out, "%*s%s%s%s", len < width ? (int)(width - len) : 1, "",
                table->colour && *colour ? colour : "", safe, table->colour && *colour ? "\033[0m" : "");
}

/* Whether the names are too long for the narrowest table: then numbers stand for them, and a list says which. */
static bool has_numbers(const struct table *table)
{
        size_t width = cell_width(table, ID_WIDTH_MAX + 10);

        for (size_t i = 0; i < table->n; i++)
                if (strlen(table->columns[i]->name) >= width)
                        return true;
        return false;
}

static void print_numbers(const struct table *table)
{
        if (!has_numbers(table))
                return;
        for (size_t i = 0; i < table->n; i++)
                fprintf(table->out, "  [%zu] %s\n", i + 1, table->columns[i]->name);
        fputc('\n', table->out);
}

static void print_names(const struct table *table, size_t first, size_t width, const char *title)
{
        bool numbers = has_numbers(table);

        fprintf(table->out, "%-*s", (int)first, title);
        for (size_t i = 0; i < table->n; i++) {
                char number[32];

                snprintf(number, sizeof(number), "[%zu]", i + 1);
                print_cell(table, width, "", numbers ? number : table->columns[i]->name);
        }
        fputc('\n', table->out);
}

/* ---- who was judged, and the counts ---- */

static void print_heads(const struct table *table, size_t first, size_t width)
{
        char version[VERSION_TEXT_SIZE], seconds[32];

        print_names(table, first, width, "");
        fprintf(table->out, "%-*s", (int)first, is_of_client(table) ? "  release" : "  skopeo");
        for (size_t i = 0; i < table->n; i++) {
                const char *release = table->columns[i]->summary->release;

                print_cell(table, width, "", *release ? release : "-");
        }
        fputc('\n', table->out);
        if (!is_of_client(table)) {
                fprintf(table->out, "%-*s", (int)first, "  protocol");
                for (size_t i = 0; i < table->n; i++)
                        print_cell(table, width, "",
                                   version_format(table->columns[i]->summary->subject->version, version));
                fputc('\n', table->out);
        }
        fprintf(table->out, "%-*s", (int)first, "  seconds");
        for (size_t i = 0; i < table->n; i++) {
                snprintf(seconds, sizeof(seconds), "%.1f", table->columns[i]->summary->seconds);
                print_cell(table, width, "", seconds);
        }
        fputs("\n\n", table->out);
}

static void print_statuses(const struct table *table, size_t first, size_t width)
{
        for (enum status s = 0; s < STATUSES; s++) {
                size_t all = 0;
                char label[LABEL_WIDTH + 3], number[24];

                for (size_t i = 0; i < table->n; i++)
                        all += table->columns[i]->summary->counts[s];
                if (all == 0 && s != STATUS_PASS && s != STATUS_FAIL)
                        continue;
                snprintf(label, sizeof(label), "  %s", status_name(s));
                fprintf(table->out, "%-*s", (int)first, label);
                for (size_t i = 0; i < table->n; i++) {
                        size_t count = table->columns[i]->summary->counts[s];

                        snprintf(number, sizeof(number), "%zu", count);
                        print_cell(table, width, count ? colours[s] : "", count ? number : "-");
                }
                fputc('\n', table->out);
        }
        fputc('\n', table->out);
}

/* Of one column, what the rows of a group came to. */
static void count_group(const struct table *table, const struct check_group *group, size_t place,
                        size_t counts[STATUSES])
{
        for (size_t i = 0; i < table->rows->n; i++) {
                const struct result *result = table->rows->rows[i].results[place];

                if (result && selection_group(table->matrix->catalogue, table->rows->rows[i].check) == group)
                        counts[result->status]++;
        }
}

/* "18/20 known": passed, run, and the worst of the rest. */
static void print_group_cell(const struct table *table, size_t width, const size_t counts[STATUSES])
{
        static const enum status worst[] = {STATUS_ERROR, STATUS_FAIL, STATUS_FIXED, STATUS_KNOWN};
        enum status status = STATUS_PASS;
        size_t run = 0;
        char text[64];

        for (enum status s = 0; s < STATUSES; s++)
                run += s == STATUS_SKIP ? 0 : counts[s];
        for (size_t i = ARRAY_SIZE(worst); i > 0; i--)
                if (counts[worst[i - 1]])
                        status = worst[i - 1];
        if (run == 0)
                snprintf(text, sizeof(text), "%s", counts[STATUS_SKIP] ? "skip" : "-");
        else if (status == STATUS_PASS)
                snprintf(text, sizeof(text), "%zu/%zu", counts[STATUS_PASS], run);
        else if (width >= 14)
                snprintf(text, sizeof(text), "%zu %s %zu/%zu", counts[status], status_name(status),
                         counts[STATUS_PASS], run);
        else
                snprintf(text, sizeof(text), "%zu/%zu%s", counts[STATUS_PASS], run,
                         status == STATUS_KNOWN ? "" : "!");
        print_cell(table, width, run ? colours[status] : "", text);
}

/* @group NULL: checks that are in no group which this version knows. */
static void print_group(const struct table *table, const struct check_group *group, size_t first, size_t width)
{
        char label[LABEL_WIDTH + 8];
        bool any = false;

        for (size_t i = 0; i < table->rows->n && !any; i++)
                any = selection_group(table->matrix->catalogue, table->rows->rows[i].check) == group;
        if (!any)
                return;
        snprintf(label, sizeof(label), "  %s", group ? group->name : "others");
        fprintf(table->out, "%-*s", (int)first, label);
        for (size_t i = 0; i < table->n; i++) {
                size_t counts[STATUSES] = {0};

                count_group(table, group, table->places[i], counts);
                print_group_cell(table, width, counts);
        }
        fputc('\n', table->out);
}

static void print_counts(const struct table *table)
{
        size_t first = LABEL_WIDTH + 4, width = cell_width(table, first);
        const struct catalogue *catalogue = table->matrix->catalogue;

        print_numbers(table);
        print_heads(table, first, width);
        print_statuses(table, first, width);
        fprintf(table->out, "%-*s\n", (int)first, "Passed of those that were run");
        for (size_t g = 0; g < catalogue->n_groups; g++)
                print_group(table, &catalogue->groups[g], first, width);
        print_group(table, NULL, first, width);
}

static void print_verdicts(const struct table *table)
{
        for (size_t i = 0; i < table->matrix->n_columns; i++) {
                const struct column *column = &table->matrix->columns[i];

                if (column->summary)
                        continue;
                fprintf(table->out, "  %s%s%s was not judged: ", table->colour ? colours[STATUS_ERROR] : "",
                        column->name, table->colour ? "\033[0m" : "");
                text_print(column->verdict, escapes_none, table->out);
                fputc('\n', table->out);
        }
        if (table->n < table->matrix->n_columns)
                fputc('\n', table->out);
}

/* ---- shortfalls ---- */

static bool has(const struct matrix_row *row, const struct table *table, enum status status)
{
        for (size_t i = 0; i < table->n; i++)
                if (row->results[table->places[i]] && row->results[table->places[i]]->status == status)
                        return true;
        return false;
}

/* Whether a row has what nobody expected. */
static bool is_new_shortfall(const struct matrix_row *row, const struct table *table)
{
        return has(row, table, STATUS_FAIL) || has(row, table, STATUS_FIXED) || has(row, table, STATUS_ERROR);
}

static bool is_known_shortfall(const struct matrix_row *row, const struct table *table)
{
        return has(row, table, STATUS_KNOWN) && !is_new_shortfall(row, table);
}

static size_t id_width(const struct table *table,
                       bool (*wanted)(const struct matrix_row *, const struct table *))
{
        size_t width = 24;

        for (size_t i = 0; i < table->rows->n; i++) {
                size_t len = strlen(table->rows->rows[i].check->id) + 10;

                if (wanted(&table->rows->rows[i], table) && len > width)
                        width = len;
        }
        return width < ID_WIDTH_MAX + 10 ? width : ID_WIDTH_MAX + 10;
}

static void print_status_row(const struct table *table, const struct matrix_row *row, size_t first,
                             size_t width)
{
        int n = fprintf(table->out, "  %s %s", check_level_name(row->check->level), row->check->id);

        fprintf(table->out, "%*s", n < (int)first ? (int)first - n : 1, "");
        for (size_t i = 0; i < table->n; i++) {
                const struct result *result = row->results[table->places[i]];

                print_cell(table, width, result ? colours[result->status] : "",
                           result ? status_name(result->status) : "-");
        }
        fputc('\n', table->out);
}

/* The sentence that a shortfall has: what the baseline says, else what came. NULL: it is none. */
static const char *sentence(const struct result *result)
{
        if (!result || result->status == STATUS_PASS || result->status == STATUS_SKIP)
                return NULL;
        return result->entry ? result->entry->defect : result->message;
}

/* Whether two results fell short alike. */
static bool same_sentence(const struct result *a, const struct result *b)
{
        return sentence(a) && sentence(b) && strcmp(sentence(a), sentence(b)) == 0 &&
               (a->status == STATUS_FIXED) == (b->status == STATUS_FIXED);
}

/* Names of the columns from @from whose result says the same, as "a, b". */
static void print_same(const struct table *table, const struct matrix_row *row, size_t from,
                       bool (*same)(const struct result *, const struct result *))
{
        const char *separator = "";

        for (size_t i = from; i < table->n; i++) {
                if (!same(row->results[table->places[i]], row->results[table->places[from]]))
                        continue;
                fprintf(table->out, "%s%s", separator, table->columns[i]->name);
                separator = ", ";
        }
}

/* Whether a column before @i says the same. */
static bool was_said(const struct table *table, const struct matrix_row *row, size_t i,
                     bool (*same)(const struct result *, const struct result *))
{
        for (size_t j = 0; j < i; j++)
                if (same(row->results[table->places[j]], row->results[table->places[i]]))
                        return true;
        return false;
}

/* Whether all that fell short did so with the same sentence: then the statuses above it say whose it is. */
static bool is_said_by_all(const struct table *table, const struct matrix_row *row)
{
        const struct result *first = NULL;

        for (size_t i = 0; i < table->n; i++) {
                const struct result *result = row->results[table->places[i]];

                if (!sentence(result))
                        continue;
                if (first && !same_sentence(first, result))
                        return false;
                first = result;
        }
        return true;
}

/* @line, which it frees, in lines of WIDTH behind an indent. */
static void print_wrapped(const struct table *table, char *take_line)
{
        CLEANUP(cleanup_free) char *line = take_line;

        for (const char *p = line; p && *p;) {
                size_t len = strlen(p), end = len;

                if (len > WIDTH - INDENT) {
                        end = WIDTH - INDENT;
                        while (end > 0 && p[end] != ' ')
                                end--;
                        /* A very long word stays whole. */
                        if (p[end] != ' ')
                                end += strcspn(p + end, " ");
                }
                /* With something before it: text of a server is no command in the log of a CI. */
                fprintf(table->out, "%*s| %.*s\n", INDENT - 2, "", (int)end, p);
                p += end;
                p += *p == ' ';
        }
}

static void print_sentences(const struct table *table, const struct matrix_row *row)
{
        bool named = !is_said_by_all(table, row);

        for (size_t i = 0; i < table->n; i++) {
                const struct result *result = row->results[table->places[i]];
                const char *text = sentence(result);
                struct table part = *table;
                char *line = NULL;
                size_t len;

                if (!text || was_said(table, row, i, same_sentence))
                        continue;
                part.out = open_memstream(&line, &len);
                if (!part.out)
                        return;
                if (named)
                        print_same(&part, row, i, same_sentence);
                fprintf(part.out, "%s%s", named ? ": " : "",
                        result->status == STATUS_FIXED ? "no longer so: " : "");
                text_print(text, escapes_none, part.out);
                fclose(part.out);
                print_wrapped(table, line);
        }
}

static void print_shortfalls(const struct table *table, const char *title,
                             bool (*wanted)(const struct matrix_row *, const struct table *))
{
        size_t first = id_width(table, wanted), width = cell_width(table, first);
        bool any = false;

        for (size_t i = 0; i < table->rows->n; i++) {
                const struct matrix_row *row = &table->rows->rows[i];

                if (!wanted(row, table))
                        continue;
                if (!any) {
                        fputc('\n', table->out);
                        print_names(table, first, width, title);
                }
                any = true;
                print_status_row(table, row, first, width);
                print_sentences(table, row);
        }
}

/* ---- recorded values ---- */

static const char *value_of(const struct result *result)
{
        return result ? result->value : NULL;
}

static bool same_value(const struct result *a, const struct result *b)
{
        return value_of(a) && value_of(b) && strcmp(a->value, b->value) == 0;
}

/* Whether two columns recorded what is unlike. */
static bool values_differ(const struct matrix_row *row, const struct table *table)
{
        const char *first = NULL;

        if (row->check->level != LEVEL_INFO)
                return false;
        for (size_t i = 0; i < table->n; i++) {
                const char *value = value_of(row->results[table->places[i]]);

                if (value && first && strcmp(value, first) != 0)
                        return true;
                first = first ? first : value;
        }
        return false;
}

static void print_value_row(const struct table *table, const struct matrix_row *row, size_t first, size_t width)
{
        bool fits = true;

        for (size_t i = 0; i < table->n; i++) {
                const char *value = value_of(row->results[table->places[i]]);

                fits = fits && (!value || strlen(value) + 2 <= width);
        }
        fprintf(table->out, "  %s", row->check->id);
        if (fits) {
                size_t len = strlen(row->check->id) + 2;

                fprintf(table->out, "%*s", len < first ? (int)(first - len) : 1, "");
                for (size_t i = 0; i < table->n; i++) {
                        const struct result *result = row->results[table->places[i]];

                        print_cell(table, width, "",
                                   value_of(result) ? result->value
                                   : result         ? status_name(result->status)
                                                    : "-");
                }
                fputc('\n', table->out);
                return;
        }
        fputc('\n', table->out);
        for (size_t i = 0; i < table->n; i++) {
                if (!value_of(row->results[table->places[i]]) || was_said(table, row, i, same_value))
                        continue;
                fputs("      ", table->out);
                print_same(table, row, i, same_value);
                fputs(": ", table->out);
                text_print(value_of(row->results[table->places[i]]), escapes_none, table->out);
                fputc('\n', table->out);
        }
}

static void print_values(const struct table *table)
{
        size_t first = id_width(table, values_differ), width = cell_width(table, first), same = 0;
        bool any = false;

        for (size_t i = 0; i < table->rows->n; i++) {
                const struct matrix_row *row = &table->rows->rows[i];

                if (!values_differ(row, table)) {
                        for (size_t c = 0; c < table->n; c++)
                                if (row->check->level == LEVEL_INFO &&
                                    value_of(row->results[table->places[c]])) {
                                        same++;
                                        break;
                                }
                        continue;
                }
                if (!any) {
                        fputs("\nWhat they do unlike each other where nothing says what is right\n",
                              table->out);
                        print_names(table, first, width, "");
                }
                any = true;
                print_value_row(table, row, first, width);
        }
        if (any && same)
                fprintf(table->out, "  (and %zu values that are the same)\n", same);
}

/* ---- what only some columns have ---- */

/* A row with a check that some column skips or lacks, and that nothing above has told of. */
static bool is_partial(const struct matrix_row *row, const struct table *table)
{
        bool lacks = false;

        if (is_new_shortfall(row, table) || is_known_shortfall(row, table))
                return false;
        for (size_t i = 0; i < table->n; i++) {
                const struct result *result = row->results[table->places[i]];

                lacks = lacks || !result || result->status == STATUS_SKIP;
        }
        return lacks;
}

/* Why a column does not have a check: the reason without the version of this one server. NULL: it has it. */
static const char *reason_of(const struct result *result, size_t *ret_len)
{
        static const char not_there[] = "it has no such check";
        const char *speaks;

        if (result && result->status != STATUS_SKIP)
                return NULL;
        if (!result) {
                *ret_len = strlen(not_there);
                return not_there;
        }
        speaks = strstr(result->message, ", the server speaks");
        *ret_len = speaks ? (size_t)(speaks - result->message) : strlen(result->message);
        return result->message;
}

/* Whether the same columns lack two checks, for the same reasons. */
static bool same_lack(const struct table *table, const struct matrix_row *a, const struct matrix_row *b)
{
        for (size_t i = 0; i < table->n; i++) {
                size_t len_a = 0, len_b = 0;
                const char *reason_a = reason_of(a->results[table->places[i]], &len_a);
                const char *reason_b = reason_of(b->results[table->places[i]], &len_b);

                if (!reason_a != !reason_b || len_a != len_b ||
                    (reason_a && strncmp(reason_a, reason_b, len_a) != 0))
                        return false;
        }
        return true;
}

/* "old, mid: needs 0.2.8; other: it has no such check" */
static void print_lack(const struct table *table, const struct matrix_row *row)
{
        const char *before = NULL, *separator = "";
        size_t before_len = 0;

        fputs("  ", table->out);
        for (size_t i = 0; i < table->n; i++) {
                size_t len = 0;
                const char *reason = reason_of(row->results[table->places[i]], &len);

                if (!reason)
                        continue;
                if (before && (len != before_len || strncmp(before, reason, len) != 0)) {
                        fprintf(table->out, ": %.*s; ", (int)before_len, before);
                        separator = "";
                }
                fprintf(table->out, "%s%s", separator, table->columns[i]->name);
                separator = ", ";
                before = reason;
                before_len = len;
        }
        fprintf(table->out, ": %.*s\n", (int)before_len, before ? before : "");
}

/* The checks of @row's kind: their ids where they are few, else how many each group has. */
static void print_lacking(const struct table *table, size_t row, size_t n)
{
        const struct catalogue *catalogue = table->matrix->catalogue;
        const struct matrix_row *rows = table->rows->rows;
        const char *separator = "      ";

        if (n > IDS_NAMED)
                fprintf(table->out, "      %zu %ss: ", n, catalogue->noun);
        if (n > IDS_NAMED)
                separator = "";
        for (size_t g = 0; n > IDS_NAMED && g <= catalogue->n_groups; g++) {
                const struct check_group *group = g < catalogue->n_groups ? &catalogue->groups[g] : NULL;
                size_t count = 0;

                for (size_t i = row; i < table->rows->n; i++)
                        count += selection_group(catalogue, rows[i].check) == group && table->partial[i] &&
                                 same_lack(table, &rows[i], &rows[row]);
                if (count == 0)
                        continue;
                fprintf(table->out, "%s%zu of %s", separator, count, group ? group->name : "others");
                separator = ", ";
        }
        for (size_t i = row; n <= IDS_NAMED && i < table->rows->n; i++) {
                if (!table->partial[i] || !same_lack(table, &rows[i], &rows[row]))
                        continue;
                fprintf(table->out, "%s%s", separator, rows[i].check->id);
                separator = ", ";
        }
        fputc('\n', table->out);
}

static void print_partial(const struct table *table)
{
        const struct matrix_row *rows = table->rows->rows;
        bool any = false;

        for (size_t i = 0; i < table->rows->n; i++) {
                size_t n = 0;
                bool told = false;

                for (size_t j = 0; table->partial[i] && j < i && !told; j++)
                        told = table->partial[j] && same_lack(table, &rows[j], &rows[i]);
                if (!table->partial[i] || told)
                        continue;
                for (size_t j = i; j < table->rows->n; j++)
                        n += table->partial[j] && same_lack(table, &rows[j], &rows[i]);
                if (!any)
                        fprintf(table->out, "\nWhat not every %s was asked\n",
                                table->matrix->catalogue->subject);
                any = true;
                print_lack(table, &rows[i]);
                print_lacking(table, i, n);
        }
}

/* ---- the end ---- */

static void print_changed(const struct table *table)
{
        for (size_t c = 0; c < table->n; c++) {
                const struct summary *summary = table->columns[c]->summary;

                if (summary->repeat < 2)
                        continue;
                fprintf(table->out, "\n%s: %zu result%s changed in %u repeats%s\n", table->columns[c]->name,
                        summary->n_changed, summary->n_changed == 1 ? "" : "s", summary->repeat,
                        summary->n_changed ? ":" : ".");
                for (size_t i = 0; i < summary->n_results; i++)
                        if (summary->results[i].changed)
                                fprintf(table->out, "  %s: %s\n", summary->results[i].check->id,
                                        summary->results[i].changed);
        }
}

static void print_end(const struct table *table)
{
        const struct matrix *matrix = table->matrix;
        const struct check *check = NULL;
        const char *noun = matrix->catalogue->noun;

        fputc('\n', table->out);
        for (size_t i = 0; i < table->rows->n && !check; i++)
                if (is_new_shortfall(&table->rows->rows[i], table))
                        check = table->rows->rows[i].check;
        for (size_t i = 0; i < table->rows->n && !check; i++)
                if (is_known_shortfall(&table->rows->rows[i], table))
                        check = table->rows->rows[i].check;
        for (size_t i = 0; i < table->n; i++)
                if (table->columns[i]->summary->interrupted)
                        fprintf(table->out, "%s was interrupted: this is what was done so far.\n",
                                table->columns[i]->name);
        if (table->n)
                fprintf(table->out, "%zu %s%s, %zu %s%s%s.\n", table->rows->n, noun,
                        table->rows->n == 1 ? "" : "s", table->n, matrix->catalogue->subject,
                        table->n == 1 ? "" : "s", check ? "" : "; none falls short");
        for (size_t i = 0; matrix->files && matrix->files[i]; i++)
                fprintf(table->out, "Report: %s\n", matrix->files[i]);
        if (check)
                fprintf(table->out, "What a %s wants: cip-conformance explain %s\n", noun, check->id);
        if (table->n && (!matrix->files || !matrix->files[0]))
                fputs("With each transcript: --report html:FILE; for programs: --report json:FILE\n",
                      table->out);
}

void report_human_matrix(const struct matrix *matrix, FILE *out, bool colour)
{
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = NULL;
        CLEANUP(cleanup_free) const struct column **columns = calloc(matrix->n_columns + 1, sizeof(void *));
        CLEANUP(cleanup_free) size_t *places = calloc(matrix->n_columns + 1, sizeof(*places));
        CLEANUP(cleanup_free) bool *partial = NULL;
        struct table table = {
                .matrix = matrix, .out = out, .colour = colour, .columns = columns, .places = places};

        if (!columns || !places || matrix_rows_new(matrix, &rows) < 0)
                return;
        for (size_t i = 0; i < matrix->n_columns; i++) {
                if (!matrix->columns[i].summary)
                        continue;
                columns[table.n] = &matrix->columns[i];
                places[table.n++] = i;
        }
        table.rows = rows;
        table.partial = partial = calloc(rows->n + 1, sizeof(*partial));
        for (size_t i = 0; partial && i < rows->n; i++)
                partial[i] = is_partial(&rows->rows[i], &table);
        if (!partial)
                return;
        print_verdicts(&table);
        if (table.n)
                print_counts(&table);
        print_shortfalls(&table, "New", is_new_shortfall);
        print_shortfalls(&table, "Known, as the baseline says", is_known_shortfall);
        print_values(&table);
        print_partial(&table);
        print_changed(&table);
        print_end(&table);
}
