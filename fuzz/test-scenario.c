/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invented scenarios are valid, the same for the same seed, and of every kind; what a good client makes of a scenario follows
 * from what does harm in it; and one that is made smaller keeps just what is needed.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fakeproxy/scenario-fields.h"
#include "fuzz/client-try.h"
#include "fuzz/harm.h"
#include "fuzz/invent.h"
#include "fuzz/reduce.h"
#include "protocol/message.h"

#define SCENARIOS 3000

START_TEST(test_every_scenario_is_valid_and_the_same_again)
{
        for (uint64_t i = 0; i < 500; i++) {
                CLEANUP(cleanup_json) struct json_object *one = invent_scenario(4, i);
                CLEANUP(cleanup_json) struct json_object *two = invent_scenario(4, i);
                CLEANUP(cleanup_problems) struct problems problems = {0};
                CLEANUP(cleanup_scenario_free) struct scenario *parsed = NULL;
                char words[HARM_WORDS_SIZE];
                const char *text;
                size_t len;

                ck_assert(json_object_equal(one, two));
                harm_add_client(one, harm_expect(one, words), 30);
                ck_assert(*words);
                text = json_object_to_json_string_length(one, JSON_C_TO_STRING_PLAIN, &len);
                ck_assert_msg(scenario_parse(text, len, NULL, &parsed, &problems) == 0, "%s: %s", text,
                              problems.n ? problems.problems[0].message : "");
                ck_assert(parsed->has_client);
        }
}
END_TEST

/* Notes each member of rules and steps. */
static void note(struct json_object *rules, bool *seen_rule, bool *seen_step)
{
        for (size_t i = 0; rules && i < json_object_array_length(rules); i++) {
                struct json_object *rule = json_object_array_get_idx(rules, i), *data;

                for (size_t f = 0; f < rule_fields.n; f++)
                        seen_rule[f] |= json_object_object_get_ex(rule, rule_fields.fields[f].name, NULL);
                if (!json_object_object_get_ex(rule, "data", &data))
                        continue;
                for (size_t s = 0; s < json_object_array_length(data); s++)
                        for (size_t f = 0; f < step_fields.n; f++)
                                seen_step[f] |= json_object_object_get_ex(json_object_array_get_idx(data, s),
                                                                          step_fields.fields[f].name, NULL);
        }
}

START_TEST(test_every_kind_of_fault_comes)
{
        bool seen_rule[64] = {false}, seen_step[64] = {false}, seen_must[4] = {false};

        for (uint64_t i = 0; i < SCENARIOS; i++) {
                CLEANUP(cleanup_json) struct json_object *scenario = invent_scenario(1, i);
                char words[HARM_WORDS_SIZE];

                seen_must[harm_expect(scenario, words)] = true;
                note(json_object_object_get(scenario, "rules"), seen_rule, seen_step);
        }
        for (size_t f = 0; f < rule_fields.n; f++)
                ck_assert_msg(seen_rule[f], "no rule has %s", rule_fields.fields[f].name);
        for (size_t f = 0; f < step_fields.n; f++)
                ck_assert_msg(seen_step[f], "no step has %s", step_fields.fields[f].name);
        ck_assert(seen_must[CLIENT_SUCCEEDS] && seen_must[CLIENT_FAILS] && seen_must[CLIENT_EITHER]);
}
END_TEST

#define ONE(rule) "{\"rules\": [" rule "]}"

START_TEST(test_what_a_good_client_does_follows_from_the_harm)
{
        static const struct {
                const char *text;
                enum scenario_must must;
                const char *words;
        } cases[] = {
                {"{}", CLIENT_SUCCEEDS, "nothing unusual"},
                {"{\"with\": {\"writes-on-stderr\": true}}", CLIENT_SUCCEEDS, "with writes-on-stderr"},
                {"{\"with\": {\"same-pipe-id\": true}}", CLIENT_EITHER, "with same-pipe-id"},
                {"{\"with\": {\"pad-replies-to\": 40000}}", CLIENT_SUCCEEDS, "with pad-replies-to"},
                {"{\"with\": {\"pad-replies-to\": 4000000}}", CLIENT_EITHER, "with pad-replies-to"},
                {"{\"image\": \"layers-1\"}", CLIENT_SUCCEEDS, "nothing unusual"},
                {"{\"image\": \"broken-digest\"}", CLIENT_EITHER, "image recipe"},
                {"{\"image\": {\"layers\": [{\"size\": 7}]}}", CLIENT_SUCCEEDS, "nothing unusual"},
                {"{\"image\": {\"layers\": [{\"size\": 7, \"digest\": \"x\"}]}}", CLIENT_EITHER,
                 "image recipe"},
                {ONE("{\"when\": {\"method\": \"GetBlob\"}, \"delay_ms\": 200}"), CLIENT_SUCCEEDS,
                 "GetBlob delay_ms"},
                {ONE("{\"delay_ms\": 9000}"), CLIENT_EITHER, "any delay_ms"},
                {ONE("{\"when\": {\"method\": \"GetBlob\"}, \"data\": [{\"send\": 3}, {\"wait_ms\": 9}]}"),
                 CLIENT_SUCCEEDS, "GetBlob data"},
                {ONE("{\"when\": {\"method\": \"GetBlob\"}, \"data\": [{\"send\": 3}, {\"corrupt\": 9}]}"),
                 CLIENT_EITHER, "GetBlob data.corrupt"},
                {ONE("{\"when\": {\"method\": \"GetBlob\"}, \"reply\": {\"more\": 3}}"), CLIENT_SUCCEEDS,
                 "GetBlob reply"},
                {ONE("{\"when\": {\"method\": \"GetBlob\"}, \"reply\": {\"Value\": 3}}"), CLIENT_EITHER,
                 "GetBlob reply.value"},
                {ONE("{\"when\": {\"method\": \"GetManifest\"}, \"fail\": \"x\"}"), CLIENT_FAILS,
                 "GetManifest fail"},
                {ONE("{\"when\": {\"method\": \"GetManifest\", \"nth\": 2}, \"fail\": \"x\"}"), CLIENT_EITHER,
                 "GetManifest fail"},
                {ONE("{\"when\": {\"method\": \"OpenImage\"}, \"fail\": \"x\"}"), CLIENT_EITHER,
                 "OpenImage fail"},
                {ONE("{\"when\": {\"method\": \"FinishPipe\"}, \"answer\": {\"success\": false}}"),
                 CLIENT_FAILS, "FinishPipe answer"},
                {ONE("{\"when\": {\"method\": \"FinishPipe\"}, \"answer\": {\"success\": true}}"),
                 CLIENT_EITHER, "FinishPipe answer"},
                {ONE("{\"when\": {\"method\": \"GetManifest\"}, \"fail\": \"x\"}, {\"stderr\": \"x\"}"),
                 CLIENT_EITHER, "GetManifest fail"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(cleanup_json) struct json_object *scenario = json_tokener_parse(cases[i].text);
                char words[HARM_WORDS_SIZE];

                ck_assert_ptr_nonnull(scenario);
                ck_assert_msg(harm_expect(scenario, words) == cases[i].must, "%s", cases[i].text);
                ck_assert_str_eq(words, cases[i].words);
        }
}
END_TEST

START_TEST(test_slow_scenarios_are_not_tried)
{
        static const struct {
                const char *text;
                bool bounded;
        } cases[] = {
                {"{}", true},
                {ONE("{\"delay_ms\": 200}"), true},
                {ONE("{\"delay_ms\": 200000}"), false},
                {ONE("{\"delay_after_ms\": 200000}"), false},
                {ONE("{\"data\": [{\"drip\": 100}]}"), true},
                {ONE("{\"data\": [{\"drip\": \"all\"}]}"), false},
                {ONE("{\"data\": [{\"drip\": \"all\", \"bytes_per_s\": 1000000}]}"), true},
                {ONE("{\"errors\": [{\"wait_ms\": 60000}]}"), false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(cleanup_json) struct json_object *scenario = json_tokener_parse(cases[i].text);

                ck_assert_msg(harm_is_bounded(scenario) == cases[i].bounded, "%s", cases[i].text);
        }
}
END_TEST

static int needs_corrupt(void *data, struct json_object *scenario)
{
        const char *text = json_object_to_json_string_ext(scenario, JSON_C_TO_STRING_PLAIN);

        (void)data;
        return strstr(text, "\"corrupt\":") && strstr(text, "GetBlob");
}

START_TEST(test_a_scenario_keeps_what_is_needed)
{
        struct json_object *scenario = json_tokener_parse(
                "{\"scenario\": \"s\", \"about\": \"a\", \"with\": {\"spins\": true}, \"rules\": "
                "[{\"delay_ms\": 7}, "
                "{\"name\": \"r\", \"when\": {\"method\": \"GetBlob\", \"nth\": 3}, \"stderr\": \"words\", "
                "\"data\": [{\"send\": 100}, {\"corrupt\": 64}, {\"end\": true}]}, {\"panic\": true}]}");
        size_t tries;

        ck_assert_ok(reduce(&scenario, needs_corrupt, NULL, DEADLINE_NEVER, &tries));
        ck_assert_str_eq(json_object_to_json_string_ext(scenario, JSON_C_TO_STRING_PLAIN),
                         "{\"scenario\":\"s\",\"about\":\"a\",\"rules\":[{\"when\":{\"method\":\"GetBlob\"},"
                         "\"data\":[{\"corrupt\":0}]}]}");
        ck_assert_uint_lt(tries, 60);
        json_object_put(scenario);
}
END_TEST

static int cannot_tell(void *data, struct json_object *scenario)
{
        (void)data;
        (void)scenario;
        return -EIO;
}

START_TEST(test_making_it_smaller_ends)
{
        struct json_object *scenario = json_tokener_parse("{\"rules\": [{\"panic\": true}], \"seed\": 7}");
        size_t tries;

        ck_assert_errno(reduce(&scenario, cannot_tell, NULL, DEADLINE_NEVER, &tries), -EIO);
        ck_assert_uint_eq(tries, 1);
        ck_assert_ok(reduce(&scenario, needs_corrupt, NULL, deadline_in_ms(0), &tries));
        ck_assert_uint_eq(tries, 0);
        ck_assert_str_eq(json_object_to_json_string_ext(scenario, JSON_C_TO_STRING_PLAIN),
                         "{\"rules\":[{\"panic\":true}],\"seed\":7}");
        json_object_put(scenario);
}
END_TEST

START_TEST(test_a_symptom_is_the_same_whatever_does_the_harm)
{
        ck_assert(client_same_symptom("hangs GetBlob | a", "hangs GetBlob | b"));
        ck_assert(!client_same_symptom("hangs GetBlob | a", "hangs | a"));
        ck_assert(!client_same_symptom("files | a", "other | a"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("scenario");
        TCase *tcase = testing_case(suite, "scenario");

        tcase_add_test(tcase, test_every_scenario_is_valid_and_the_same_again);
        tcase_add_test(tcase, test_every_kind_of_fault_comes);
        tcase_add_test(tcase, test_what_a_good_client_does_follows_from_the_harm);
        tcase_add_test(tcase, test_slow_scenarios_are_not_tried);
        tcase_add_test(tcase, test_a_scenario_keeps_what_is_needed);
        tcase_add_test(tcase, test_making_it_smaller_ends);
        tcase_add_test(tcase, test_a_symptom_is_the_same_whatever_does_the_harm);
        return testing_main(suite);
}
