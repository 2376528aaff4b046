/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each difference between two runs is found by its member, and what may differ is let pass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/testing.h"
#include "fuzz/compare.h"

static char get[] = "{\"method\":\"GetManifest\",\"args\":[1]}",
            finish[] = "{\"method\":\"FinishPipe\",\"args\":[${pipe1}]}";
static struct step steps[] = {
        {.kind = STEP_SEND, .text = get, .len = sizeof(get) - 1},
        {.kind = STEP_SEND, .text = finish, .len = sizeof(finish) - 1},
};
static const struct sequence sequence = {.steps = steps, .n_steps = 2};

#define GOOD "{\"success\":true,\"value\":\"a\",\"pipeid\":7,\"error_code\":\"\",\"error\":\"\"}"
#define BAD "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"pipe 7: no\"}"

#define FINE "{\"success\":true,\"value\":null,\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}"

static char abc[] = "abc", abd[] = "abd";

/* A run of two packets and a pipe. */
struct made {
        struct run run;
        struct seen_packet packets[2];
        struct seen_pipe pipes[1];
        char texts[2][200];
};

static void make(struct made *made, const char *first, const char *second)
{
        *made = (struct made){
                .packets = {{.step = 0,
                             .data = made->texts[0],
                             .len = strlen(first),
                             .n_fds = 1,
                             .first_pipe = 1,
                             .kinds = "pipe-read"},
                            {.step = 1, .data = made->texts[1], .len = strlen(second)}},
                .pipes = {{.step = 0,
                           .pipeid = 7,
                           .bytes = 3,
                           .digest = "sha256:aa",
                           .ended = true,
                           .finished = true}},
                .run = {.n_packets = 2, .n_pipes = 1, .end_step = 2},
        };
        snprintf(made->texts[0], sizeof(made->texts[0]), "%s", first);
        snprintf(made->texts[1], sizeof(made->texts[1]), "%s", second);
        made->run.packets = made->packets;
        made->run.pipes = made->pipes;
}

static void want(const struct made *a, const struct made *b, const char *key)
{
        struct fault fault = {0};
        bool differs = runs_differ(&sequence, &a->run, &b->run, &fault);

        ck_assert_msg(differs == (key != NULL), "%s in place of %s", differs ? fault.key : "nothing",
                      key ? key : "nothing");
        if (key) {
                ck_assert_str_eq(fault.key, key);
                ck_assert_str_eq(fault.oracle->name, "diff");
                ck_assert(*fault.sentence);
        }
}

START_TEST(test_the_same_is_the_same)
{
        struct made a, b;

        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        want(&a, &b, NULL);
}
END_TEST

START_TEST(test_each_member_is_compared)
{
        static const struct {
                const char *first, *key;
        } cases[] = {
                {"{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"x\"}",
                 "diff GetManifest success"},
                {"{\"success\":true,\"value\":\"b\",\"pipeid\":7,\"error_code\":\"\",\"error\":\"\"}",
                 "diff GetManifest value"},
                {"{\"success\":true,\"value\":null,\"pipeid\":7,\"error_code\":\"\",\"error\":\"\"}",
                 "diff GetManifest value"},
                {"{\"success\":true,\"value\":\"a\",\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}",
                 "diff GetManifest pipeid"},
                {"{\"success\":true,\"value\":\"a\",\"pipeid\":7,\"error\":\"\"}",
                 "diff GetManifest error_code"},
                {"{\"success\":true,\"value\":\"a\",\"pipeid\":7,\"error_code\":\"\",\"error\":\"x\"}",
                 "diff GetManifest error"},
                {"nonsense", "diff GetManifest form"},
        };
        struct made a, b;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                make(&a, GOOD, BAD);
                make(&b, cases[i].first, BAD);
                want(&a, &b, cases[i].key);
        }
        make(&a, "nonsense", BAD);
        make(&b, "Nonsense", BAD);
        want(&a, &b, "diff GetManifest bytes");
}
END_TEST

START_TEST(test_descriptors_pipes_and_ends_are_compared)
{
        struct made a, b;

        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        strcpy(b.packets[0].kinds, "file");
        want(&a, &b, "diff GetManifest descriptors");
        make(&b, GOOD, BAD);
        b.pipes[0].bytes = 4;
        want(&a, &b, "diff GetManifest data");
        make(&b, GOOD, BAD);
        strcpy(b.pipes[0].digest, "sha256:bb");
        want(&a, &b, "diff GetManifest data");
        make(&b, GOOD, BAD);
        b.run.n_packets = 1;
        want(&a, &b, "diff FinishPipe packets");
        make(&b, GOOD, BAD);
        b.run.end = RUN_SERVER_ENDED;
        want(&a, &b, "diff epilogue end");
        make(&b, GOOD, BAD);
        b.run.status = W_EXITCODE(1, 0);
        want(&a, &b, "diff epilogue status");
        make(&b, GOOD, BAD);
        b.run.leftovers = get;
        want(&a, &b, "diff epilogue files");
        make(&b, GOOD, BAD);
        b.run.fds_last = 1;
        want(&a, &b, "diff session leak");
}
END_TEST

START_TEST(test_what_may_differ_may)
{
        struct made a, b;

        /* The numbers of pipeids, .. */
        make(&a, GOOD, BAD);
        make(&b, "{\"success\":true,\"value\":\"a\",\"pipeid\":12,\"error_code\":\"\",\"error\":\"\"}",
             "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"pipe 12: "
             "no\"}");
        want(&a, &b, NULL);
        /* .. FinishPipe of what was closed before, .. */
        make(&a, GOOD, BAD);
        make(&b, GOOD, FINE);
        want(&a, &b, "diff FinishPipe success");
        a.pipes[0].dropped = b.pipes[0].dropped = true;
        want(&a, &b, "diff FinishPipe success");
        a.packets[1].finishes = b.packets[1].finishes = 1;
        want(&a, &b, NULL);
        /* .. and how much came of a pipe without its end. */
        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        b.pipes[0].ended = false;
        b.pipes[0].bytes = 1;
        want(&a, &b, NULL);
}
END_TEST

/*
 * A number that is another pipe's with one of them: what FinishPipe answers says nothing any more, all else
 * does.
 */
START_TEST(test_pipes_that_change_places_confuse_nobody)
{
        struct made a, b;

        make(&a, GOOD, BAD);
        make(&b, GOOD, FINE);
        a.packets[1].method = b.packets[1].method = &methods[METHOD_FINISH_PIPE];
        want(&a, &b, "diff FinishPipe success");
        b.packets[1].finishes = 1;
        want(&a, &b, NULL);
        a.packets[1].method = b.packets[1].method = &methods[METHOD_GET_MANIFEST];
        want(&a, &b, "diff GetManifest success");
        /* In the epilogue one of them has more to do. */
        a.packets[1].step = b.packets[1].step = 2;
        want(&a, &b, NULL);
        b.run.n_packets = 1;
        want(&a, &b, "diff GetManifest packets");
        make(&a, GOOD, BAD);
        make(&b, FINE, BAD);
        b.packets[1].finishes = 1;
        want(&a, &b, "diff GetManifest value");
}
END_TEST

START_TEST(test_what_came_of_half_a_pipe_is_compared)
{
        struct made a, b;

        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        a.pipes[0].head = abc, a.pipes[0].head_len = 3;
        b.pipes[0].head = abd, b.pipes[0].head_len = 3;
        /* The digests say that it is the same, as long as it is whole. */
        want(&a, &b, NULL);
        b.pipes[0].ended = false;
        want(&a, &b, "diff GetManifest data");
        b.pipes[0].head_len = 2;
        want(&a, &b, NULL);
        b.pipes[0].head = NULL, b.pipes[0].head_len = 0;
        want(&a, &b, NULL);
}
END_TEST

/* Two pipes of a raw blob: data, which were read or not, and what went wrong. */
START_TEST(test_raw_pipes_are_compared_when_they_are_whole)
{
        struct seen_pipe x[2] = {{.ended = true, .digest = "sha256:aa"},
                                 {.errors = true, .ended = true, .bytes = 5, .digest = "sha256:bb"}};
        struct seen_pipe y[2] = {x[0], {.errors = true, .ended = true, .digest = "sha256:cc"}};
        struct made a, b;

        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        a.run.pipes = x, a.run.n_pipes = 2;
        b.run.pipes = y, b.run.n_pipes = 2;
        want(&a, &b, "diff GetManifest data");
        /* The writer was done, or it was not. */
        x[0].dropped = y[0].dropped = true;
        want(&a, &b, NULL);
        x[0].dropped = y[0].dropped = false;
        /* The session's end cut it short. */
        y[1].ended_last = true;
        want(&a, &b, NULL);
        y[1].ended_last = false;
        y[1].ended = false;
        want(&a, &b, NULL);
}
END_TEST

START_TEST(test_an_old_server_leaves_as_many_descriptors_as_it_sent_blobs)
{
        static char text[] = "{\"method\":\"GetBlob\",\"args\":[]}";
        struct made a, b;

        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        b.run.fds_last = 1;
        a.run.version = b.run.version = VERSION(0, 2, 3);
        want(&a, &b, "diff session leak");
        steps[0].text = text, steps[0].len = strlen(text);
        want(&a, &b, NULL);
        b.run.fds_last = 2;
        want(&a, &b, "diff session leak");
        b.run.fds_last = 1;
        a.run.version = b.run.version = VERSION(0, 2, 4);
        want(&a, &b, "diff session leak");
        steps[0].text = get, steps[0].len = strlen(get);
}
END_TEST

START_TEST(test_each_allowance_has_a_reason)
{
        for (size_t i = 0; i < n_allowances; i++)
                ck_assert(*allowances[i].what && *allowances[i].reason);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("compare");
        TCase *tcase = testing_case(suite, "compare");

        tcase_add_test(tcase, test_the_same_is_the_same);
        tcase_add_test(tcase, test_each_member_is_compared);
        tcase_add_test(tcase, test_descriptors_pipes_and_ends_are_compared);
        tcase_add_test(tcase, test_what_may_differ_may);
        tcase_add_test(tcase, test_pipes_that_change_places_confuse_nobody);
        tcase_add_test(tcase, test_what_came_of_half_a_pipe_is_compared);
        tcase_add_test(tcase, test_raw_pipes_are_compared_when_they_are_whole);
        tcase_add_test(tcase, test_an_old_server_leaves_as_many_descriptors_as_it_sent_blobs);
        tcase_add_test(tcase, test_each_allowance_has_a_reason);
        return testing_main(suite);
}
