/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of reading saved reports: what was written comes back to the byte, and what is damaged or hostile is refused
 * with the place where it is.
 */
#include "conformance/report-read.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "conformance/selection.h"

static char *folder, *path;

static void setup(void)
{
        ck_assert_ok(tmpdir_new("test-report-read", &folder, NULL));
        ck_assert_int_gt(asprintf(&path, "%s/report.json", folder), 0);
}

static void teardown(void)
{
        tmpdir_remove(folder);
        free(path);
}

static void write_file(const char *text, size_t len)
{
        ck_assert_ok(replace_file_at(AT_FDCWD, path, text, len, NULL));
}

/* ---- what was written ---- */

static char *format(const struct summary *summary, const struct matrix *matrix)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        if (summary)
                report_json(summary, out, false);
        else
                report_json_matrix(matrix, out, false);
        fclose(out);
        return text;
}

/* Every member that a report may have, hostile text in those that may have it. */
static char shortfall_session[] = "{\"t\":0.1,\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"a\\\":1}\"}\n"
                                  "no JSON \xff\n"
                                  "{\"t\":0.25,\"event\":\"exit\",\"status\":2}\n";
static char shortfall_stderr[] = "line\n\033[2J\xff\xfe <b>\n", shortfall_log[] = "tab\there";
static const struct job shortfall_job = {
        .transcript = shortfall_session, .stderr_text = shortfall_stderr, .log = shortfall_log};
static char changed_text[] = "pass, fail", defect[] = "It is known.",
            reference[] = "docs/protocol.md#known-defects", proof[] = "proof.jsonl";
static const struct baseline_entry known_entry = {
        .defect = defect, .reference = reference, .transcript = proof};
static const struct check unknown_check = {
        .id = "later/one", .level = LEVEL_SHOULD, .requires = "It \"holds\".", .reference = "an-anchor"};
static const struct check odd_check = {
        .id = "pipes/odd", .level = LEVEL_INFO, .requires = "It is recorded.", .reference = "a b"};
static const struct check last_check = {.id = "pipes/last", .requires = "It holds.", .reference = ""};
static const struct check other_check = {.id = "later/other", .requires = "", .reference = ""};
static const char *const words[] = {"sh", "-c", "it's", "", NULL};

static struct summary full_summary(struct result *results, const struct catalogue *catalogue,
                                   const struct subject *subject)
{
        return (struct summary){
                .catalogue = catalogue,
                .subject = subject,
                .release = "1.2.3",
                .baseline_name = "conformance/known/skopeo.json",
                .rerun = "cip-conformance server --profile bare",
                .results = results,
                .n_results = 4,
                .counts = {[STATUS_PASS] = 1, [STATUS_FAIL] = 1, [STATUS_KNOWN] = 1, [STATUS_SKIP] = 1},
                .n_changed = 1,
                .seconds = 12.3456,
                .repeat = 3,
                .shuffled = true,
                .seed = 77,
                .interrupted = SIGINT,
        };
}

static void fill(struct result results[4], const struct check *first)
{
        results[0] = (struct result){.check = first, .message = "", .seconds = 0.0004};
        results[1] = (struct result){.check = &unknown_check,
                                     .status = STATUS_FAIL,
                                     .message = "it came < > & \" otherwise",
                                     .seconds = 1.5,
                                     .closing = 1 | 16,
                                     .job = &shortfall_job,
                                     .changed = changed_text};
        results[2] = (struct result){.check = &odd_check,
                                     .status = STATUS_KNOWN,
                                     .message = "as known",
                                     .value = "a value",
                                     .entry = &known_entry};
        results[3] = (struct result){.check = &last_check, .status = STATUS_SKIP, .message = "needs 0.2.8"};
}

START_TEST(what_was_written_comes_back_to_the_byte)
{
        struct result results[4];
        struct subject subject = {.command = words, .version = {0, 2, 6}};
        static const struct catalogue clients = {"scenario", "client", "list", NULL, 0};

        for (int of_client = 0; of_client < 2; of_client++) {
                CLEANUP(cleanup_saved_report_free) struct saved_report *saved = NULL;
                struct cip_error error = {0};
                struct summary summary;

                fill(results,
                     of_client ? &odd_check : selection_find(&server_catalogue, "handshake/announced"));
                if (of_client)
                        results[2].check = &other_check;
                summary = full_summary(results, of_client ? &clients : &server_catalogue, &subject);
                CLEANUP(cleanup_free) char *first = format(&summary, NULL);
                write_file(first, strlen(first));
                ck_assert_msg(report_read(path, &saved, &error) == 0, "%s\n%s", error.message, first);
                CLEANUP(cleanup_free) char *second = format(saved_report_summary(saved), NULL);
                /* Too long for a message. */
                ck_assert_int_eq(strcmp(first, second), 0);
        }
}
END_TEST

START_TEST(a_check_of_this_version_is_the_catalogues_own_and_others_go_by_their_group)
{
        CLEANUP(cleanup_saved_report_free) struct saved_report *saved = NULL;
        const struct check *check = selection_find(&server_catalogue, "handshake/announced");
        struct result results[4];
        struct subject subject = {.command = words, .version = {0, 2, 6}};
        struct summary summary;
        const struct result *read;

        fill(results, check);
        summary = full_summary(results, &server_catalogue, &subject);
        CLEANUP(cleanup_free) char *text = format(&summary, NULL);
        write_file(text, strlen(text));
        ck_assert_ok(report_read(path, &saved, NULL));
        read = saved_report_summary(saved)->results;
        ck_assert_ptr_eq(read[0].check, check);
        ck_assert_ptr_null(selection_group(&server_catalogue, read[1].check));
        ck_assert_str_eq(selection_group(&server_catalogue, read[2].check)->name, "pipes");
        ck_assert_str_eq(saved_report_summary(saved)->rerun, "cip-conformance server --profile bare");
}
END_TEST

START_TEST(a_column_of_a_matrix_is_read_by_its_name)
{
        struct result results[4];
        struct subject subject = {.command = words, .version = {0, 2, 6}};
        struct summary summary;
        struct column columns[] = {{"none", NULL, "it is no server"}, {"one", &summary, NULL}};
        struct matrix matrix = {.catalogue = &server_catalogue, .columns = columns, .n_columns = 2};
        struct saved_report *saved = NULL;
        struct cip_error error = {0};
        char name[4096];

        fill(results, &odd_check);
        results[2].check = &other_check;
        summary = full_summary(results, &server_catalogue, &subject);
        CLEANUP(cleanup_free) char *text = format(NULL, &matrix), *alone = format(&summary, NULL);
        write_file(text, strlen(text));
        snprintf(name, sizeof(name), "%s#one", path);
        ck_assert_ok(report_read(name, &saved, &error));
        CLEANUP(cleanup_free) char *again = format(saved_report_summary(saved), NULL);
        ck_assert_int_eq(strcmp(again, alone), 0);
        saved_report_free(saved);

        ck_assert_errno(report_read(path, &saved, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "FILE#NAME: none, one"));
        snprintf(name, sizeof(name), "%s#none", path);
        ck_assert_errno(report_read(name, &saved, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "/matrix/0: none could not be judged: it is no server"));
        snprintf(name, sizeof(name), "%s#two", path);
        ck_assert_errno(report_read(name, &saved, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "no column 'two'; it has none, one"));
        write_file(alone, strlen(alone));
        ck_assert_errno(report_read(name, &saved, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "this is no matrix"));
}
END_TEST

START_TEST(a_filter_keeps_what_it_fits_and_counts_anew)
{
        CLEANUP(cleanup_saved_report_free) struct saved_report *saved = NULL;
        struct result results[4];
        struct subject subject = {.command = words, .version = {0, 2, 6}};
        const char *const filters[] = {"pipes", "later/o*"};
        const struct summary *read;
        struct summary summary;

        fill(results, selection_find(&server_catalogue, "handshake/announced"));
        summary = full_summary(results, &server_catalogue, &subject);
        CLEANUP(cleanup_free) char *text = format(&summary, NULL);
        write_file(text, strlen(text));
        ck_assert_ok(report_read(path, &saved, NULL));
        ck_assert_uint_eq(saved_report_filter(saved, NULL, 0), 4);
        ck_assert_uint_eq(saved_report_filter(saved, filters, 2), 3);
        read = saved_report_summary(saved);
        ck_assert_uint_eq(read->n_results, 3);
        ck_assert_str_eq(read->results[0].check->id, "later/one");
        ck_assert_str_eq(read->results[1].check->id, "pipes/odd");
        ck_assert_uint_eq(read->counts[STATUS_KNOWN], 1);
        ck_assert_uint_eq(read->counts[STATUS_PASS], 0);
        ck_assert_uint_eq(read->n_changed, 1);
}
END_TEST

/* ---- what is refused ---- */

static const char template[] =
        "{\"tool\":\"cip-conformance\",\"version\":\"1\",\"format\":1,\"suite\":\"server\",\"command\":["
        "\"skopeo\"],"
        "\"release\":\"1.9.3\",\"protocol\":\"0.2.3\",\"seconds\":1.5,"
        "\"counts\":{\"pass\":1,\"fail\":0,\"known\":0,\"fixed\":0,\"skip\":0,\"error\":0},"
        "\"checks\":[{\"id\":\"a/b\",\"level\":\"MUST\",\"status\":\"pass\",\"seconds\":0.1,\"message\":\"\","
        "\"requires\":\"r\",\"reference\":\"s\"}]}";

static int read_text(const char *text, size_t len, struct cip_error *error)
{
        struct saved_report *saved = NULL;
        int r;

        write_file(text, len);
        r = report_read(path, &saved, error);
        saved_report_free(saved);
        return r;
}

/* The template with @from replaced by @to. */
static int read_changed(const char *from, const char *to, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        const char *at = strstr(template, from);

        ck_assert_msg(at, "the template has no %s", from);
        ck_assert_int_gt(asprintf(&text, "%.*s%s%s", (int)(at - template), template, to, at + strlen(from)), 0);
        return read_text(text, strlen(text), error);
}

static const struct {
        const char *from, *to, *why;
} damages[] = {
        {"\"tool\":\"cip-conformance\",", "", "no report that cip-conformance wrote"},
        {"cip-conformance", "another", "no report that cip-conformance wrote"},
        {"\"tool\":\"cip-conformance\"", "\"tool\":1", "no report that cip-conformance wrote"},
        {"\"format\":1,", "", "\"format\" must be 1"},
        {"\"format\":1", "\"format\":2", "of another version"},
        {"\"format\":1", "\"format\":\"1\"", "\"format\" must be 1"},
        {"\"suite\":\"server\"", "\"suite\":\"other\"", "\"suite\" is \"other\"; there are server and client"},
        {"\"suite\":\"server\"", "\"suite\":null", "\"suite\" is not a text"},
        {"\"suite\":\"server\"", "\"diff\":{}", "what diff wrote"},
        {"\"suite\":\"server\"", "\"matrix\":{}", "\"matrix\" is not an array"},
        {"\"suite\":\"server\"", "\"matrix\":[1]", "/matrix/0: an object was expected"},
        {"\"suite\":\"server\"", "\"matrix\":[{\"name\":1}]", "/matrix/0: \"name\" is not a text"},
        {"[\"skopeo\"]", "\"skopeo\"", "\"command\" is not an array"},
        {"[\"skopeo\"]", "[1]", "\"command\" has what is no word"},
        {"\"release\":\"1.9.3\",", "", "\"release\" is missing"},
        {"\"0.2.3\"", "\"two\"", "\"protocol\" is \"two\", which is no version"},
        {"\"0.2.3\"", "\"\"", "\"protocol\" is \"\""},
        {"\"seconds\":1.5", "\"seconds\":-1", "\"seconds\" is not a number of seconds"},
        {"\"seconds\":1.5", "\"seconds\":1e300", "\"seconds\" is not a number of seconds"},
        {"\"seconds\":1.5", "\"seconds\":\"1\"", "\"seconds\" is not a number of seconds"},
        {"\"seconds\":1.5", "\"seconds\":1,\"repeat\":-1", "\"repeat\" is not a count"},
        {"\"seconds\":1.5", "\"seconds\":1,\"repeat\":1e3", "\"repeat\" is not a count"},
        {"\"seconds\":1.5", "\"seconds\":1,\"seed\":4294967296", "\"seed\" is not a count"},
        {"\"seconds\":1.5", "\"seconds\":1,\"changed\":1", "\"changed\" counts otherwise"},
        {"\"seconds\":1.5", "\"seconds\":1,\"interrupted\":1", "\"interrupted\" is not true or false"},
        {"\"pass\":1", "\"pass\":2", "/counts/pass: the checks are counted otherwise: 1"},
        {"\"fixed\":0,", "", "/counts/fixed: the checks are counted otherwise: 0"},
        {"\"fixed\":0", "\"fixed\":false", "/counts/fixed: "},
        {"\"checks\":[{", "\"checks\":[1,{", "/checks/0: an object was expected"},
        {"\"checks\":[{", "\"checks\":[null,{", "/checks/0: an object was expected"},
        {"\"id\":\"a/b\",", "", "/checks/0: \"id\" is missing"},
        {"a/b", "a", "/checks/0: \"id\" is not GROUP/NAME"},
        {"a/b", "a/b/c", "\"id\" is not GROUP/NAME"},
        {"a/b", "../b", "\"id\" is not GROUP/NAME"},
        {"a/b", "a/..", "\"id\" is not GROUP/NAME"},
        {"a/b", "/b", "\"id\" is not GROUP/NAME"},
        {"a/b", "a/b\\u001b[2J", "\"id\" is not GROUP/NAME"},
        {"a/b", "a/b\\u0000c", "\"id\" is not GROUP/NAME"},
        {"\"MUST\"", "\"must\"", "/checks/0: \"level\" is \"must\", which this version does not know"},
        {"\"status\":\"pass\"", "\"status\":\"passed\"", "/checks/0: \"status\" is \"passed\""},
        {"\"status\":\"pass\"", "\"status\":[]", "/checks/0: \"status\" is not a text"},
        {"\"status\":\"pass\"", "\"status\":\"known\"", "/checks/0: \"known\" is missing"},
        {"\"status\":\"pass\"", "\"status\":\"fail\"", "/counts/pass: "},
        {"\"requires\":\"r\",", "", "/checks/0: \"requires\" is missing"},
        {"\"message\":\"\"", "\"message\":\"\",\"closing\":[\"door\"]", "no closing question"},
        {"\"message\":\"\"", "\"message\":\"\",\"closing\":[1]", "no closing question"},
        {"\"message\":\"\"", "\"message\":\"\",\"known\":{\"defect\":\"d\"}",
         "/checks/0/known: \"reference\" is missing"},
        {"\"message\":\"\"", "\"message\":\"\",\"known\":[]", "/checks/0: \"known\" is not an object"},
        {"\"message\":\"\"", "\"message\":\"\",\"session\":[\"x\"]", "\"session\" has what is no event"},
        {"\"message\":\"\"", "\"message\":\"\",\"session\":\"x\"", "\"session\" is not an array"},
        {"\"message\":\"\"", "\"message\":\"\",\"stderr\":1", "\"stderr\" is not a text"},
        {"\"message\":\"\"", "\"message\":\"\xff\"",
         "a report is JSON, and this is none: invalid JSON at byte"},
        {"}]}", "}]}x", "a report is JSON, and this is none"},
        {"}]}",
         "},{\"id\":\"a/b\",\"level\":\"MUST\",\"status\":\"skip\",\"seconds\":0.1,\"message\":\"\","
         "\"requires\":\"r\",\"reference\":\"s\"}]}",
         "/checks: a/b is there twice"},
};

START_TEST(a_damaged_report_is_refused_with_its_place)
{
        struct cip_error error = {0};
        int r = read_changed(damages[_i].from, damages[_i].to, &error);

        ck_assert_msg(r == -EINVAL && strstr(error.message, damages[_i].why) &&
                              strncmp(error.message, path, strlen(path)) == 0,
                      "%s: %d, %s", damages[_i].to, r, error.message);
}
END_TEST

START_TEST(members_of_a_later_version_are_passed_over)
{
        struct cip_error error = {0};

        ck_assert_ok(read_changed("\"format\":1", "\"format\":1,\"later\":{\"x\":[1]}", &error));
        ck_assert_ok(read_changed("\"message\":\"\"", "\"message\":\"\",\"later\":[null]", &error));
        ck_assert_ok(read_text(template, strlen(template), &error));
}
END_TEST

START_TEST(a_report_that_was_cut_anywhere_is_refused)
{
        struct cip_error error = {0};

        for (size_t len = 0; len < strlen(template); len++)
                ck_assert_errno(read_text(template, len, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "unexpected end of JSON input"));
}
END_TEST

START_TEST(hostile_texts_are_safe_to_show)
{
        CLEANUP(cleanup_saved_report_free) struct saved_report *saved = NULL;
        const struct summary *summary;
        static const char hostile[] =
                "{\"tool\":\"cip-conformance\",\"version\":\"1\",\"format\":1,\"suite\":\"server\","
                "\"command\":[\"a\\u001b[2J\"],\"release\":\"\\u001b\",\"protocol\":\"0.2.3\",\"seconds\":1.5,"
                "\"counts\":{\"pass\":0,\"fail\":1,\"known\":0,\"fixed\":0,\"skip\":0,\"error\":0},"
                "\"checks\":[{\"id\":\"a/b\",\"level\":\"MUST\",\"status\":\"fail\",\"seconds\":0.1,"
                "\"message\":\"x\\u001b[31m\\n\\u0000\\u202e\",\"requires\":\"\\u0007\",\"reference\":"
                "\"\\u0007\","
                "\"stderr\":\"a\\u0000b\"}]}";

        write_file(hostile, strlen(hostile));
        ck_assert_ok(report_read(path, &saved, NULL));
        summary = saved_report_summary(saved);
        ck_assert_str_eq(summary->subject->command[0], "a?[2J");
        ck_assert_str_eq(summary->release, "?");
        ck_assert_str_eq(summary->results[0].message, "x?[31m ??");
        ck_assert_str_eq(summary->results[0].check->requires, "?");
        ck_assert_str_eq(summary->results[0].job->stderr_text, "a?b");
}
END_TEST

/* @before, then @text @n times, then @after. */
static int read_repeated(const char *before, const char *text, size_t n, const char *after,
                         struct cip_error *error)
{
        CLEANUP(cleanup_free) char *all = NULL;
        size_t len;
        FILE *out = open_memstream(&all, &len);

        fputs(before, out);
        for (size_t i = 0; i < n; i++)
                fputs(text, out);
        fputs(after, out);
        fclose(out);
        return read_text(all, len, error);
}

START_TEST(what_would_cost_much_is_refused)
{
        struct cip_error error = {0};
        struct saved_report *saved = NULL;

        ck_assert_errno(read_repeated("", "[", 100000, "", &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "this is none"));
        ck_assert_errno(read_repeated("{\"a\":[1", ",[]", 3000000, "]}", &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "no report has so many values"));
        /* Commas in a text are no values. */
        ck_assert_errno(read_repeated("{\"a\":\"\\\"", ",", 3000000, "\"}", &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "no report that cip-conformance wrote"));
        ck_assert_errno(
                read_repeated("{\"tool\":\"cip-conformance\",\"version\":\"1\",\"format\":1,\"suite\":"
                              "\"client\",\"command\":[],\"release\":\"\",\"protocol\":\"\",\"seconds\":1,"
                              "\"counts\":{},\"checks\":[1",
                              ",1", REPORT_CHECKS_MAX, "]}", &error),
                -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "more than 10000 are not read"));
        ck_assert_int_eq(truncate(path, (off_t)REPORT_SIZE_MAX + 1), 0);
        ck_assert_errno(report_read(path, &saved, &error), -EFBIG);
        ck_assert_ptr_nonnull(strstr(error.message, path));
}
END_TEST

START_TEST(a_client_suite_of_very_many_groups_is_refused)
{
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        size_t len;

        for (int n = 100; n <= 101; n++) {
                FILE *out = open_memstream(&text, &len);

                fputs("{\"tool\":\"cip-conformance\",\"version\":\"1\",\"format\":1,\"suite\":\"client\","
                      "\"command\":[],\"release\":\"\",\"protocol\":\"\",\"seconds\":1,\"checks\":[",
                      out);
                for (int i = 0; i < n; i++)
                        fprintf(out,
                                "%s{\"id\":\"g%d/x\",\"level\":\"MUST\",\"status\":\"pass\",\"seconds\":0,"
                                "\"message\":\"\",\"requires\":\"\",\"reference\":\"\"}",
                                i ? "," : "", i);
                fprintf(out,
                        "],\"counts\":{\"pass\":%d,\"fail\":0,\"known\":0,\"fixed\":0,\"skip\":0,\"error\":0}}",
                        n);
                fclose(out);
                ck_assert_errno(read_text(text, len, &error), n == 100 ? 0 : -EINVAL);
                free(STEAL(text));
        }
        ck_assert_ptr_nonnull(strstr(error.message, "no suite has more than 100 groups"));
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
        struct cip_error error = {0};
        struct saved_report *saved = NULL;

        ck_assert_errno(report_read(path, &saved, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "the report: "));
        ck_assert_int_lt(report_read(folder, &saved, &error), 0);
        ck_assert_int_lt(report_read("", &saved, &error), 0);
        ck_assert_int_lt(report_read("#", &saved, &error), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("report-read");
        TCase *cases = testing_case(suite, "report-read");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_set_timeout(cases, 60);
        tcase_add_test(cases, what_was_written_comes_back_to_the_byte);
        tcase_add_test(cases, a_check_of_this_version_is_the_catalogues_own_and_others_go_by_their_group);
        tcase_add_test(cases, a_column_of_a_matrix_is_read_by_its_name);
        tcase_add_test(cases, a_filter_keeps_what_it_fits_and_counts_anew);
        tcase_add_loop_test(cases, a_damaged_report_is_refused_with_its_place, 0, (int)ARRAY_SIZE(damages));
        tcase_add_test(cases, members_of_a_later_version_are_passed_over);
        tcase_add_test(cases, a_report_that_was_cut_anywhere_is_refused);
        tcase_add_test(cases, hostile_texts_are_safe_to_show);
        tcase_add_test(cases, what_would_cost_much_is_refused);
        tcase_add_test(cases, a_client_suite_of_very_many_groups_is_refused);
        tcase_add_test(cases, what_is_no_file_is_refused);
        return testing_main(suite);
}
