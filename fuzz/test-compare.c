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
        make(&b, GOOD, "{\"success\":true,\"value\":null,\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}");
        want(&a, &b, "diff FinishPipe success");
        a.pipes[0].dropped = true;
        want(&a, &b, NULL);
        /* .. and how much came of a pipe without its end. */
        make(&a, GOOD, BAD);
        make(&b, GOOD, BAD);
        b.pipes[0].ended = false;
        b.pipes[0].bytes = 1;
        want(&a, &b, NULL);
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
        tcase_add_test(tcase, test_each_allowance_has_a_reason);
        return testing_main(suite);
}
