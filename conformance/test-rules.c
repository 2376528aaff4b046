/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the rules of docs/protocol.md against the checks: each rule has a check or a reason, each reference
 * leads to a rule or a heading, and references of several rules are read as such.
 */
#include "conformance/rules.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "conformance/selection.h"

static const struct check **all;
static size_t n_all;

static void take_all(void)
{
        ck_assert_ok(selection_all(&server_catalogue, &all, &n_all));
}

static void drop_all(void)
{
        free(all);
}

START_TEST(every_rule_has_a_name_of_its_own_and_says_something)
{
        ck_assert_uint_gt(n_protocol_rules, 0);
        for (size_t i = 0; i < n_protocol_rules; i++) {
                const struct protocol_rule *rule = &protocol_rules[i];

                ck_assert_msg(protocol_rule_find(rule->id, strlen(rule->id)) == rule, "%s is there twice",
                              rule->id);
                ck_assert_msg(!protocol_is_heading(rule->id, strlen(rule->id)), "%s is a heading too",
                              rule->id);
                ck_assert_msg(strlen(rule->sentence) > 10, "%s says: %s", rule->id, rule->sentence);
                ck_assert_msg(!rule->reason || strlen(rule->reason) > 10, "%s has the reason: %s", rule->id,
                              rule->reason);
                for (const char *p = rule->id; *p; p++)
                        ck_assert_msg(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-',
                                      "%s has '%c'", rule->id, *p);
        }
}
END_TEST

START_TEST(every_rule_has_a_check_or_a_reason)
{
        for (size_t i = 0; i < n_protocol_rules; i++) {
                const struct protocol_rule *rule = &protocol_rules[i];
                const struct check *check = NULL;

                for (size_t j = 0; j < n_all && !check; j++)
                        if (reference_has(all[j]->reference, rule->id))
                                check = all[j];
                ck_assert_msg(check || rule->reason, "no check refers to %s: %s", rule->id, rule->sentence);
                ck_assert_msg(!check || !rule->reason, "%s refers to %s, which says why none does",
                              check ? check->id : "", rule->id);
        }
}
END_TEST

START_TEST(every_reference_leads_to_a_rule_or_a_heading)
{
        for (size_t i = 0; i < n_all; i++) {
                size_t len, n = 0;

                for (const char *at = all[i]->reference; (len = reference_next(&at)) > 0; at += len, n++)
                        ck_assert_msg(protocol_rule_find(at, len) || protocol_is_heading(at, len),
                                      "%s refers to %.*s, which docs/protocol.md has not", all[i]->id, (int)len,
                                      at);
                ck_assert_msg(n > 0, "%s refers to nothing", all[i]->id);
        }
}
END_TEST

START_TEST(references_are_read_one_by_one)
{
        const char *at = " packet-limit  packets";
        size_t len = reference_next(&at);

        ck_assert_uint_eq(len, strlen("packet-limit"));
        ck_assert_ptr_nonnull(protocol_rule_find(at, len));
        ck_assert(!protocol_is_heading(at, len));
        at += len;
        len = reference_next(&at);
        ck_assert_str_eq(at, "packets");
        ck_assert(protocol_is_heading(at, len));
        ck_assert_ptr_null(protocol_rule_find(at, len));
        at += len;
        ck_assert_uint_eq(reference_next(&at), 0);
}
END_TEST

START_TEST(rules_are_shared_by_name_and_headings_are_not)
{
        ck_assert(reference_has("packet-cut packet-limit", "packet-limit"));
        ck_assert(!reference_has("packet-cut packet-limit", "packet"));
        ck_assert(references_share("packet-cut packet-limit", "packets packet-limit"));
        ck_assert(!references_share("packet-cut packets", "packets packet-limit"));
        ck_assert(!references_share("", "packet-limit"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("rules");
        TCase *cases = testing_case(suite, "rules");

        tcase_add_checked_fixture(cases, take_all, drop_all);
        tcase_add_test(cases, every_rule_has_a_name_of_its_own_and_says_something);
        tcase_add_test(cases, every_rule_has_a_check_or_a_reason);
        tcase_add_test(cases, every_reference_leads_to_a_rule_or_a_heading);
        tcase_add_test(cases, references_are_read_one_by_one);
        tcase_add_test(cases, rules_are_shared_by_name_and_headings_are_not);
        return testing_main(suite);
}
