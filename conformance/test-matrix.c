/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of laying runs side by side: the order of the rows, what is unlike in them, and what has changed from one
 * run to the next.
 */
#include "conformance/matrix.h"

#include <stdio.h>

#include "base/testing.h"

static void no_run(struct check_context *c)
{
        (void)c;
}

static const struct check checks[] = {
        {.id = "one/a", .requires = "A holds.", .reference = "a", .run = no_run},
        {.id = "one/b", .level = LEVEL_INFO, .requires = "B is recorded.", .reference = "b", .run = no_run},
        {.id = "one/c", .level = LEVEL_SHOULD, .requires = "C holds.", .reference = "c", .run = no_run},
};
static const size_t n_checks = 3;
static const struct check_group group = {"one", "The only one.", checks, &n_checks, false};
static const struct catalogue catalogue = {"check", "server", "list", &group, 1};

/* Checks that only a saved report knows: of a known group, and of one that is not. */
static const struct check later = {.id = "one/later", .requires = "It holds.", .reference = "a"};
static const struct check other = {.id = "other/x", .requires = "It holds.", .reference = "a"};

static const char *const command[] = {"skopeo", NULL};
static const struct subject subject = {.command = command, .version = {0, 2, 8}};
static char defect[] = "It is known.", reference[] = "r";
static const struct baseline_entry entry = {.check = &checks[0], .defect = defect, .reference = reference};

/* Makes a summary of @results, with their counts. */
static struct summary summarize(struct result *results, size_t n)
{
        struct summary summary = {
                .catalogue = &catalogue,
                .subject = &subject,
                .release = "1.2.3",
                .baseline_name = "known.json",
                .rerun = "cip-conformance server",
                .results = results,
                .n_results = n,
                .repeat = 1,
        };

        for (size_t i = 0; i < n; i++) {
                summary.counts[results[i].status]++;
                if (!results[i].message)
                        results[i].message = results[i].status == STATUS_PASS ? "" : "it came otherwise";
                if (results[i].status == STATUS_KNOWN || results[i].status == STATUS_FIXED)
                        results[i].entry = &entry;
        }
        return summary;
}

START_TEST(rows_are_in_the_catalogues_order_then_what_only_reports_know)
{
        struct result first[] = {{.check = &other}, {.check = &checks[2]}, {.check = &checks[0]}};
        struct result second[] = {{.check = &later}, {.check = &checks[0]}, {.check = &other}};
        struct summary a = summarize(first, 3), b = summarize(second, 3);
        struct column columns[] = {{"a", &a, NULL}, {"none", NULL, "no server"}, {"b", &b, NULL}};
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns, .n_columns = 3};
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = NULL;
        const char *const wanted[] = {"one/a", "one/c", "other/x", "one/later"};

        ck_assert_ok(matrix_rows_new(&matrix, &rows));
        ck_assert_uint_eq(rows->n, 4);
        for (size_t i = 0; i < rows->n; i++) {
                ck_assert_str_eq(rows->rows[i].check->id, wanted[i]);
                ck_assert_ptr_null(rows->rows[i].results[1]);
        }
        ck_assert_ptr_eq(rows->rows[0].results[0], &first[2]);
        ck_assert_ptr_eq(rows->rows[0].results[2], &second[1]);
        ck_assert_ptr_null(rows->rows[1].results[2]);
        ck_assert_ptr_eq(rows->rows[2].results[2], &second[2]);
        ck_assert_ptr_null(rows->rows[3].results[0]);
}
END_TEST

START_TEST(a_row_knows_what_is_unlike_and_what_falls_short)
{
        struct result first[] = {{.check = &checks[0], .status = STATUS_PASS},
                                 {.check = &checks[1], .value = "one"},
                                 {.check = &checks[2], .status = STATUS_FIXED}};
        struct result second[] = {{.check = &checks[0], .status = STATUS_SKIP},
                                  {.check = &checks[1], .value = "two"},
                                  {.check = &checks[2], .status = STATUS_FIXED}};
        struct summary a = summarize(first, 3), b = summarize(second, 3);
        struct column columns[] = {{"a", &a, NULL}, {"b", &b, NULL}};
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns, .n_columns = 2};
        CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = NULL;

        ck_assert_ok(matrix_rows_new(&matrix, &rows));
        ck_assert(rows->rows[0].differs && !rows->rows[0].short_somewhere);
        ck_assert(rows->rows[1].differs && !rows->rows[1].short_somewhere);
        ck_assert(!rows->rows[2].differs && rows->rows[2].short_somewhere);
        ck_assert(!matrix_is_fine(&matrix, false));
}
END_TEST

START_TEST(a_matrix_without_a_column_or_a_result_has_no_row)
{
        struct summary a = summarize(NULL, 0);
        struct column columns[] = {{"none", NULL, "no server"}, {"a", &a, NULL}};
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns};

        for (matrix.n_columns = 0; matrix.n_columns <= 2; matrix.n_columns++) {
                CLEANUP(cleanup_matrix_rows_free) struct matrix_rows *rows = NULL;

                ck_assert_ok(matrix_rows_new(&matrix, &rows));
                ck_assert_uint_eq(rows->n, 0);
                ck_assert(matrix_is_fine(&matrix, true) == (matrix.n_columns == 0));
        }
}
END_TEST

START_TEST(what_is_known_makes_only_a_strict_matrix_fall_short)
{
        struct result results[] = {{.check = &checks[0], .status = STATUS_KNOWN}};
        struct summary a = summarize(results, 1);
        struct column columns[] = {{"a", &a, NULL}};
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns, .n_columns = 1};

        ck_assert(matrix_is_fine(&matrix, false));
        ck_assert(!matrix_is_fine(&matrix, true));
}
END_TEST

START_TEST(a_change_is_good_bad_or_neither)
{
        static const enum change wanted[STATUSES][STATUSES] = {
                [STATUS_PASS] = {CHANGE_NONE, CHANGE_BROKEN, CHANGE_BROKEN, CHANGE_CHANGED, CHANGE_CHANGED,
                                 CHANGE_BROKEN},
                [STATUS_FAIL] = {CHANGE_FIXED, CHANGE_NONE, CHANGE_CHANGED, CHANGE_FIXED, CHANGE_CHANGED,
                                 CHANGE_CHANGED},
                [STATUS_KNOWN] = {CHANGE_FIXED, CHANGE_CHANGED, CHANGE_NONE, CHANGE_FIXED, CHANGE_CHANGED,
                                  CHANGE_CHANGED},
                [STATUS_FIXED] = {CHANGE_CHANGED, CHANGE_BROKEN, CHANGE_BROKEN, CHANGE_NONE, CHANGE_CHANGED,
                                  CHANGE_BROKEN},
                [STATUS_SKIP] = {CHANGE_CHANGED, CHANGE_CHANGED, CHANGE_CHANGED, CHANGE_CHANGED, CHANGE_NONE,
                                 CHANGE_CHANGED},
                [STATUS_ERROR] = {CHANGE_FIXED, CHANGE_CHANGED, CHANGE_CHANGED, CHANGE_FIXED, CHANGE_CHANGED,
                                  CHANGE_NONE},
        };
        struct result one = {.value = "one"}, two = {.value = "two"}, none = {0};

        for (enum status a = 0; a < STATUSES; a++)
                for (enum status b = 0; b < STATUSES; b++) {
                        enum change change =
                                change_of(&(struct result){.status = a}, &(struct result){.status = b});

                        ck_assert_msg(change == wanted[a][b], "%s to %s is %s", status_name(a), status_name(b),
                                      change_name(change));
                }
        ck_assert_int_eq(change_of(NULL, &one), CHANGE_NEW);
        ck_assert_int_eq(change_of(&one, NULL), CHANGE_GONE);
        ck_assert_int_eq(change_of(&one, &one), CHANGE_NONE);
        ck_assert_int_eq(change_of(&one, &two), CHANGE_CHANGED);
        ck_assert_int_eq(change_of(&one, &none), CHANGE_CHANGED);
}
END_TEST

/* ---- for people ---- */

static void print(const struct matrix *matrix, bool colour, char **ret)
{
        size_t len;
        FILE *out = open_memstream(ret, &len);

        report_human_matrix(matrix, out, colour);
        fclose(out);
}

START_TEST(people_read_shortfalls_first_then_values_then_what_only_some_were_asked)
{
        struct result first[] = {
                {.check = &checks[0], .status = STATUS_FAIL, .message = "the first came"},
                {.check = &checks[1], .value = "one"},
                {.check = &checks[2], .status = STATUS_SKIP, .message = "needs 0.2.8, the server speaks 0.2.6"},
        };
        struct result second[] = {
                {.check = &checks[0], .status = STATUS_ERROR, .message = "the second came"},
                {.check = &checks[1], .value = "another value that is far too long for a cell of a table"},
                {.check = &checks[2]},
                {.check = &other},
        };
        struct summary a = summarize(first, 3), b = summarize(second, 4);
        struct column columns[] = {
                {"old", &a, NULL}, {"bad", NULL, "it is \033[1mno\033[0m server"}, {"new", &b, NULL}};
        const char *const files[] = {"report.json", NULL};
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns, .n_columns = 3, .files = files};
        CLEANUP(cleanup_free) char *text = NULL;
        static const char *const wanted[] = {
                "  bad was not judged: it is ?[1mno?[0m server\n",
                "  release ",
                "  one                     1 fail 1/2           1 error 2/3\n",
                "  others                           -                   1/1\n",
                "\nNew ",
                "  MUST one/a ",
                "  fail ",
                "  error\n",
                "    | old: the first came\n",
                "    | new: the second came\n",
                "\nWhat they do unlike each other",
                "  one/b\n      old: one\n      new: another value that is far too long",
                "\nWhat not every server was asked\n",
                "  old: needs 0.2.8\n      one/c\n",
                "  old: it has no such check\n      other/x\n",
                "Report: report.json\n",
                "cip-conformance explain one/a\n",
        };
        const char *p;

        print(&matrix, false, &text);
        p = text;
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                p = strstr(p, wanted[i]);
                ck_assert_msg(p, "'%s' is not there, or not in its place:\n%s", wanted[i], text);
        }
        ck_assert_ptr_null(strchr(text, '\033'));
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
                ck_assert_msg(strcspn(line, "\n") <= 112, "a line is too long: %s", line);
}
END_TEST

START_TEST(what_all_say_alike_is_said_once)
{
        struct result first[] = {{.check = &checks[0], .status = STATUS_KNOWN}};
        struct result second[] = {{.check = &checks[0], .status = STATUS_KNOWN}};
        struct summary a = summarize(first, 1), b = summarize(second, 1);
        struct column columns[] = {{"old", &a, NULL}, {"new", &b, NULL}};
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns, .n_columns = 2};
        CLEANUP(cleanup_free) char *text = NULL;
        const char *said;

        print(&matrix, true, &text);
        said = strstr(text, "It is known.");
        ck_assert_ptr_nonnull(strstr(text, "\n    | It is known.\n"));
        ck_assert_ptr_null(strstr(said + 1, "It is known."));
        ck_assert_ptr_nonnull(strstr(text, "\033[33mknown\033[0m"));
        ck_assert_ptr_null(strstr(text, "\nNew "));
}
END_TEST

START_TEST(many_servers_keep_to_the_width_of_a_page)
{
        struct result results[] = {{.check = &checks[0], .status = STATUS_FAIL},
                                   {.check = &checks[1], .value = "one"}};
        struct summary a = summarize(results, 2);
        char names[12][32];
        struct column columns[12];
        struct matrix matrix = {.catalogue = &catalogue, .columns = columns, .n_columns = 12};
        CLEANUP(cleanup_free) char *text = NULL;

        for (size_t i = 0; i < 12; i++) {
                snprintf(names[i], sizeof(names[i]), "server-number-%zu", i);
                columns[i] = (struct column){names[i], &a, NULL};
        }
        print(&matrix, false, &text);
        ck_assert_ptr_nonnull(strstr(text, "  [12] server-number-11\n"));
        ck_assert_ptr_nonnull(strstr(text, "    [1]    [2] "));
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
                ck_assert_msg(strcspn(line, "\n") <= 112, "a line is too long: %s", line);
}
END_TEST

START_TEST(every_form_is_in_the_help_and_tells_of_several_servers)
{
        for (size_t i = 0; i < n_report_formats; i++) {
                char name[32];

                snprintf(name, sizeof(name), " %s", report_formats[i].name);
                ck_assert_msg(strstr(" " REPORT_HELP, name), "--help does not name %s", report_formats[i].name);
                ck_assert_ptr_nonnull(report_formats[i].write_matrix);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("matrix");
        TCase *cases = testing_case(suite, "matrix");

        tcase_add_test(cases, rows_are_in_the_catalogues_order_then_what_only_reports_know);
        tcase_add_test(cases, a_row_knows_what_is_unlike_and_what_falls_short);
        tcase_add_test(cases, a_matrix_without_a_column_or_a_result_has_no_row);
        tcase_add_test(cases, what_is_known_makes_only_a_strict_matrix_fall_short);
        tcase_add_test(cases, a_change_is_good_bad_or_neither);
        tcase_add_test(cases, people_read_shortfalls_first_then_values_then_what_only_some_were_asked);
        tcase_add_test(cases, what_all_say_alike_is_said_once);
        tcase_add_test(cases, many_servers_keep_to_the_width_of_a_page);
        tcase_add_test(cases, every_form_is_in_the_help_and_tells_of_several_servers);
        return testing_main(suite);
}
