/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the matching of rules and of the table of behaviours.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "fakeproxy/rule.h"
#include "protocol/message.h"

/* A request of a session, the @serial-th event of it. */
static struct rule_packet request(uint64_t serial, const char *method, struct json_object *args)
{
        return (struct rule_packet){.data = method,
                                    .len = strlen(method),
                                    .number = serial,
                                    .serial = serial,
                                    .method = method,
                                    .args = args};
}

START_TEST(test_the_first_rule_that_matches_acts)
{
        const struct rule rules[] = {{.when = {.method = "A"}}, {.when = {.method = "B"}}, {.when = {0}}};
        struct rule_state states[3] = {0};
        struct rule_packet a = request(1, "A", NULL), b = request(2, "B", NULL), c = request(3, "C", NULL);

        ck_assert_ptr_eq(rules_match(rules, 3, states, &a), &rules[0]);
        ck_assert_ptr_eq(rules_match(rules, 3, states, &b), &rules[1]);
        ck_assert_ptr_eq(rules_match(rules, 3, states, &c), &rules[2]);
        ck_assert_ptr_null(rules_match(rules, 2, states, &c));
        ck_assert_ptr_null(rules_match(NULL, 0, NULL, &a));
}
END_TEST

START_TEST(test_nth_counts_whichever_rule_acted)
{
        const struct rule rules[] = {{.when = {.method = "A", .nth = 1}}, {.when = {.method = "A", .nth = 2}}};
        struct rule_state states[2] = {0};
        const struct rule *wanted[] = {&rules[0], &rules[1], NULL};

        for (size_t i = 0; i < 3; i++) {
                struct rule_packet packet = request(i + 1, "A", NULL);

                ck_assert_ptr_eq(rules_match(rules, 2, states, &packet), wanted[i]);
                /* Asked twice for one event, it is counted once. */
                ck_assert_ptr_eq(rules_match(rules, 2, states, &packet), wanted[i]);
        }
}
END_TEST

START_TEST(test_from_holds_for_all_that_follow)
{
        const struct rule rules[] = {{.when = {.from = 2}}};
        struct rule_state states[1] = {0};

        for (uint64_t i = 1; i < 4; i++) {
                struct rule_packet packet = request(i, "A", NULL);

                ck_assert_ptr_eq(rules_match(rules, 1, states, &packet), i < 2 ? NULL : &rules[0]);
        }
}
END_TEST

START_TEST(test_an_outcome_is_asked_for_again)
{
        const struct rule rules[] = {{.when = {.outcome = OUTCOME_FAILURE, .nth = 1}}};
        struct rule_state states[1] = {0};
        struct rule_packet packet = request(1, "A", NULL);

        ck_assert_ptr_eq(rules_match(rules, 1, states, &packet), &rules[0]);
        packet.outcome = OUTCOME_SUCCESS;
        ck_assert_ptr_null(rules_match(rules, 1, states, &packet));
        packet = request(2, "A", NULL);
        packet.outcome = OUTCOME_FAILURE;
        ck_assert_ptr_eq(rules_match(rules, 1, states, &packet), &rules[0]);
}
END_TEST

START_TEST(test_an_argument_is_compared_as_json)
{
        const struct rule rules[] = {{.when = {.argument = 2, .argument_is = "{\"a\":[1]}"}}};
        struct json_object *args CLEANUP(cleanup_json) = json_tokener_parse("[3, {\"a\" : [ 1 ] }]");
        struct json_object *other CLEANUP(cleanup_json) = json_tokener_parse("[3]");
        struct rule_state states[1] = {0};
        struct rule_packet with = request(1, "A", args), without = request(2, "A", other);

        ck_assert_ptr_eq(rules_match(rules, 1, states, &with), &rules[0]);
        ck_assert_ptr_null(rules_match(rules, 1, states, &without));
}
END_TEST

START_TEST(test_every_condition_must_hold)
{
        const struct rule_when whens[] = {
                {.event = EVENT_START},    {.method = "B"},        {.packet = 2},
                {.contains = "no such"},   {.length_at_least = 2}, {.has_descriptors = true},
                {.arguments_at_least = 1}, {.argument = 1},        {.phase = PHASE_AFTER_INITIALIZE},
        };

        for (size_t i = 0; i < ARRAY_SIZE(whens); i++) {
                const struct rule rule = {.when = whens[i]};
                struct rule_state state = {0};
                struct rule_packet packet = request(1, "A", NULL);

                ck_assert_msg(!rules_match(&rule, 1, &state, &packet), "condition %zu", i);
        }
}
END_TEST

START_TEST(test_behaviours_add_up)
{
        struct behaviours b = {.spins = true, .request_buffer = 7};
        const struct behaviours more = {.ignores_shutdown = true, .exit_status = 3, .announces = "1.2.3"};

        behaviours_add(&b, &more);
        ck_assert(b.spins && b.ignores_shutdown && !b.leaves_file);
        ck_assert_uint_eq(b.request_buffer, 7);
        ck_assert_uint_eq(b.exit_status, 3);
        ck_assert_str_eq(b.announces, "1.2.3");
}
END_TEST

START_TEST(test_each_behaviour_is_in_the_table_once)
{
        for (size_t i = 0; i < n_behaviours; i++) {
                ck_assert_uint_gt(strlen(behaviour_table[i].about), 0);
                for (size_t j = 0; j < i; j++) {
                        ck_assert_str_ne(behaviour_table[i].name, behaviour_table[j].name);
                        ck_assert_uint_ne(behaviour_table[i].offset, behaviour_table[j].offset);
                }
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("rule");
        TCase *tcase = testing_case(suite, "rules");

        tcase_add_test(tcase, test_the_first_rule_that_matches_acts);
        tcase_add_test(tcase, test_nth_counts_whichever_rule_acted);
        tcase_add_test(tcase, test_from_holds_for_all_that_follow);
        tcase_add_test(tcase, test_an_outcome_is_asked_for_again);
        tcase_add_test(tcase, test_an_argument_is_compared_as_json);
        tcase_add_test(tcase, test_every_condition_must_hold);
        tcase = testing_case(suite, "tables");
        tcase_add_test(tcase, test_behaviours_add_up);
        tcase_add_test(tcase, test_each_behaviour_is_in_the_table_once);
        return testing_main(suite);
}
