/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the HTML report's text, without a browser: what is escaped and how, what is cut, what a page holds
 * at most, and how runs lie side by side. What a person does with the page is tested in Chromium (test-html).
 */
#include "conformance/report-html.h"

#include <stdlib.h>
#include <string.h>

#include "base/testing.h"
#include "conformance/selection.h"

/* What a function writes, as text. The caller frees. */
#define WRITTEN(out, ...)                                     \
        __extension__({                                       \
                char *written = NULL;                         \
                size_t written_len;                           \
                FILE *out;                                    \
                                                              \
                out = open_memstream(&written, &written_len); \
                ck_assert_ptr_nonnull(out);                   \
                __VA_ARGS__;                                  \
                fclose(out);                                  \
                written;                                      \
        })

#define assert_has(text, part) ck_assert_msg(strstr((text), (part)) != NULL, "'%s' is not there", (part))
#define assert_lacks(text, part) ck_assert_msg(strstr((text), (part)) == NULL, "'%s' is there", (part))

/* ---- text ---- */

START_TEST(markup_is_text)
{
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_text(out, "<a b='\"'>&"));

        ck_assert_str_eq(text, "&lt;a b=&#39;&quot;&#39;&gt;&amp;");
}
END_TEST

START_TEST(what_hides_is_shown)
{
        static const char hostile[] =
                "\033\n\x7f\xff \xe2\x80\xae\xe2\x80\xac \xd8\x9c \xc2\x9b \xef\xbf\xbe \xc3\xa4";
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_text(out, hostile));

        ck_assert_str_eq(text,
                         "<i>&#x241b;</i><i>&#x240a;</i><i>&#x2421;</i><i>\\xff</i> <i>U+202E</i><i>U+202C</i> "
                         "<i>U+061C</i> <i>U+009B</i> <i>U+FFFE</i> \xc3\xa4");
}
END_TEST

START_TEST(an_attribute_has_no_markup)
{
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_attribute(out, "\"><\033\xff'x"));

        ck_assert_str_eq(text, "&quot;&gt;&lt;&#xfffd;&#xfffd;&#39;x");
}
END_TEST

START_TEST(a_fragment_is_percent_encoded)
{
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_fragment(out, "pipes/a-b\"'<&%# \xc3\xa4"));

        ck_assert_str_eq(text, "pipes/a-b%22%27%3C%26%25%23%20%C3%A4");
}
END_TEST

START_TEST(long_text_is_cut_between_characters)
{
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_bytes(out, "ab\xc3\xa4gh", 6, 3, HTML_LINE));

        ck_assert_str_eq(text, "ab<i class=\"more\">&hellip; 4 bytes more</i>");
}
END_TEST

START_TEST(lines_stay_lines_where_they_should)
{
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_bytes(out, "a\r\n\tb\0c", 7, 100, HTML_LINES));

        ck_assert_str_eq(text, "a\n\tb<i>&#x2400;</i>c");
}
END_TEST

START_TEST(backticks_make_code)
{
        CLEANUP(cleanup_free) char *text = WRITTEN(out, html_prose(out, "`--a <b>` and ` alone"));

        ck_assert_str_eq(text, "<code>--a &lt;b&gt;</code> and ` alone");
}
END_TEST

/* ---- pages ---- */

static const char *const command[] = {"/opt/a b/skopeo", "--debug", NULL};
static const struct subject subject = {.command = command, .version = {0, 2, 8}};

/* A run of every check with the same result. */
struct run {
        struct summary summary;
        struct result *results;
};

static void make_run(struct run *run, enum status status, const struct job *job)
{
        CLEANUP(cleanup_free) const struct check **checks = NULL;
        size_t n;

        ck_assert_ok(selection_all(&server_catalogue, &checks, &n));
        run->results = calloc(n, sizeof(*run->results));
        ck_assert_ptr_nonnull(run->results);
        for (size_t i = 0; i < n; i++)
                run->results[i] = (struct result){
                        .check = checks[i], .status = status, .message = "so it came", .job = job};
        run->summary = (struct summary){
                .catalogue = &server_catalogue,
                .subject = &subject,
                .release = "",
                .rerun = "cip-conformance server",
                .results = run->results,
                .n_results = n,
                .repeat = 1,
        };
        run->summary.counts[status] = n;
}

static char *matrix_page(const struct column *columns, size_t n)
{
        const struct matrix matrix = {.catalogue = &server_catalogue, .columns = columns, .n_columns = n};

        return WRITTEN(out, report_html_matrix(&matrix, out, false));
}

/* A transcript of @n packets with @len bytes each. The caller frees. */
static char *make_transcript(size_t n, int len)
{
        return WRITTEN(out,
                       for (size_t i = 0; i < n; i++) fprintf(
                               out, "{\"t\":%zu.5,\"event\":\"packet\",\"dir\":\">\",\"text\":\"%0*zu\"}\n", i,
                               len, i));
}

START_TEST(a_page_has_a_limit_whatever_servers_say)
{
        CLEANUP(cleanup_free) char *transcript = make_transcript(60, 600), *page = NULL;
        struct job job = {.transcript = transcript, .stderr_text = transcript, .log = transcript};
        struct column columns[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
        struct run runs[3];

        for (size_t i = 0; i < 3; i++) {
                make_run(&runs[i], STATUS_FAIL, &job);
                columns[i].summary = &runs[i].summary;
        }
        page = matrix_page(columns, 3);
        ck_assert_uint_lt(strlen(page), (size_t)2 * 1024 * 1024);
        free(page);
        /* Where there are fewer results, there is room for some sessions. */
        for (size_t i = 0; i < 3; i++)
                runs[i].summary.n_results = runs[i].summary.counts[STATUS_FAIL] = 500;
        page = matrix_page(columns, 3);
        ck_assert_uint_lt(strlen(page), (size_t)2 * 1024 * 1024);
        assert_has(page, "40 events more");
        assert_has(page, "Session left out");
        assert_has(page, "</html>");
        for (size_t i = 0; i < 3; i++)
                free(runs[i].results);
}
END_TEST

START_TEST(a_session_is_told_packet_by_packet)
{
        char transcript[] =
                "{\"t\":0.1,\"event\":\"packet\",\"dir\":\">\",\"text\":\"{\\\"method\\\":\\\"GetBlob\\\"}\"}\n"
                "{\"t\":0.2,\"event\":\"packet\",\"dir\":\"<\",\"base64\":\"/zw=\",\"fds\":[\"pipe-read\"]}\n"
                "{\"t\":0.3,\"event\":\"pipe\",\"name\":\"GetBlob\",\"bytes\":7,\"end\":\"eof\"}\n"
                "{\"t\":0.4,\"event\":\"exit\",\"status\":2}\n"
                "{\"t\":0.5,\"event\":\"cu";
        const struct job job = {.transcript = transcript};
        struct run run;
        CLEANUP(cleanup_free) char *page = NULL;

        make_run(&run, STATUS_FAIL, &job);
        page = WRITTEN(out, report_html(&run.summary, out, false));
        assert_has(
                page,
                "client: </span><code>{&quot;method&quot;:&quot;<b>GetBlob</b>&quot;}</code> <small>20 bytes");
        assert_has(
                page,
                "server: </span><code><i>\\xff</i>&lt;</code> <small>not UTF-8</small> <small>2 bytes</small> "
                "<span class=\"fd\">pipe-read</span>");
        assert_has(page, "pipe of GetBlob: <b>7 bytes</b>, then eof");
        assert_has(page, "end: </span>exit status 2");
        assert_has(page, "{&quot;t&quot;:0.5,&quot;event&quot;:&quot;cu</span></li>");
        free(run.results);
}
END_TEST

START_TEST(a_check_says_how_to_run_it_again)
{
        struct run run;
        CLEANUP(cleanup_free) char *page = NULL;

        make_run(&run, STATUS_FAIL, NULL);
        page = WRITTEN(out, report_html(&run.summary, out, false));
        assert_has(page, "cip-conformance server --filter startup/sockfd -- &#39;/opt/a b/skopeo&#39; --debug");
        assert_has(page, "<title>&#39;/opt/a b/skopeo&#39; --debug \xc2\xb7 server report</title>");
        free(run.results);
}
END_TEST

START_TEST(a_server_that_was_not_judged_has_its_sentence)
{
        struct run run;
        CLEANUP(cleanup_free) char *page = NULL;

        make_run(&run, STATUS_PASS, NULL);
        page = matrix_page((const struct column[]){{.name = "new", .summary = &run.summary},
                                                   {.name = "<old>", .verdict = "has no such <command>"}},
                           2);
        assert_has(page, "<th scope=\"row\">&lt;old&gt;</th><td colspan=\"99\"><b class=\"s error\">! not "
                         "judged</b> has no "
                         "such &lt;command&gt;</td>");
        assert_has(page, "1 of 2 runs falls short");
        assert_lacks(page, "data-change");
        free(run.results);
}
END_TEST

START_TEST(two_runs_say_what_changed)
{
        struct run older, newer;
        CLEANUP(cleanup_free) char *page = NULL;

        make_run(&older, STATUS_PASS, NULL);
        make_run(&newer, STATUS_PASS, NULL);
        newer.results[0].status = STATUS_FAIL;
        newer.summary.counts[STATUS_PASS]--;
        newer.summary.counts[STATUS_FAIL]++;
        older.results[1].value = "once";
        newer.results[1].value = "twice";
        newer.summary.n_results--;
        page = matrix_page((const struct column[]){{.name = "a", .summary = &older.summary},
                                                   {.name = "b", .summary = &newer.summary}},
                           2);
        assert_has(page, "; 1 broken, 1 changed, 1 gone in the second</p>");
        assert_has(page, "<section class=\"sec\" id=\"s-broken\">");
        assert_has(page, "data-change=\"gone\"");
        assert_has(page, "<span class=\"v\">twice</span>");
        assert_has(page, "<b class=\"s none\">not there</b>");
        free(older.results);
        free(newer.results);
}
END_TEST

START_TEST(a_check_that_only_a_report_knows_has_a_place)
{
        static const struct check unknown = {
                .id = "stars/<shine>", .requires = "Stars shine.", .reference = ""};
        struct result result = {.check = &unknown, .status = STATUS_PASS, .message = ""};
        struct summary summary = {
                .catalogue = &server_catalogue,
                .subject = &subject,
                .release = "9.9.9",
                .results = &result,
                .n_results = 1,
                .counts = {[STATUS_PASS] = 1},
        };
        CLEANUP(cleanup_free) char *page = WRITTEN(out, report_html(&summary, out, false));

        assert_has(page, "id=\"g-other\"");
        assert_has(page, "id=\"stars/&lt;shine&gt;\"");
        assert_has(page, "href=\"#stars/%3Cshine%3E\"");
        assert_has(page, "<h1>skopeo 9.9.9</h1>");
}
END_TEST

START_TEST(nothing_runs_but_what_the_policy_names)
{
        struct run run;
        CLEANUP(cleanup_free) char *page = NULL;

        make_run(&run, STATUS_PASS, NULL);
        page = WRITTEN(out, report_html(&run.summary, out, false));
        assert_has(page,
                   "content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-");
        assert_has(page, "; script-src 'sha256-");
        assert_lacks(page, "unsafe-");
        assert_lacks(page, "http:");
        assert_lacks(page, "https:");
        free(run.results);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("report-html");
        TCase *cases = testing_case(suite, "report-html");

        tcase_add_test(cases, markup_is_text);
        tcase_add_test(cases, what_hides_is_shown);
        tcase_add_test(cases, an_attribute_has_no_markup);
        tcase_add_test(cases, a_fragment_is_percent_encoded);
        tcase_add_test(cases, long_text_is_cut_between_characters);
        tcase_add_test(cases, lines_stay_lines_where_they_should);
        tcase_add_test(cases, backticks_make_code);
        tcase_add_test(cases, a_page_has_a_limit_whatever_servers_say);
        tcase_add_test(cases, a_session_is_told_packet_by_packet);
        tcase_add_test(cases, a_check_says_how_to_run_it_again);
        tcase_add_test(cases, a_server_that_was_not_judged_has_its_sentence);
        tcase_add_test(cases, two_runs_say_what_changed);
        tcase_add_test(cases, a_check_that_only_a_report_knows_has_a_place);
        tcase_add_test(cases, nothing_runs_but_what_the_policy_names);
        return testing_main(suite);
}
