/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rule acts on which request, and what a request is about: its path, the range that it asks for, what it
 * accepts.
 */
#include "fakeregistry/rule.h"

#include "base/testing.h"
#include "fakeregistry/serve.h"

static const struct registry_facts blob = {
        .kind = REGISTRY_BLOB,
        .method = "GET",
        .listener = "main",
        .host = "localhost:5000",
        .repository = "team/app",
        .reference = "sha256:00",
        .user = "tom",
        .user_agent = "skopeo/1.9.3",
        .credentials = REGISTRY_CREDENTIALS_BEARER,
};

START_TEST(a_when_holds_only_where_all_of_it_holds)
{
        static const struct {
                struct registry_when when;
                bool fits;
        } cases[] = {
                {{0}, true},
                {{.kind = REGISTRY_BLOB}, true},
                {{.kind = REGISTRY_MANIFEST}, false},
                {{.method = "GET"}, true},
                {{.method = "HEAD"}, false},
                {{.listener = "main"}, true},
                {{.listener = "mirror"}, false},
                {{.host = "LOCALHOST"}, true},
                {{.host = "local"}, false},
                {{.host = "127.0.0.1"}, false},
                {{.repository = "team/*"}, true},
                {{.repository = "other/*"}, false},
                {{.reference = "sha256:*"}, true},
                {{.reference = "latest"}, false},
                {{.user = "tom"}, true},
                {{.user = "tim"}, false},
                {{.user_agent = "skopeo/"}, true},
                {{.user_agent = "podman"}, false},
                {{.credentials = REGISTRY_CREDENTIALS_BEARER}, true},
                {{.credentials = REGISTRY_CREDENTIALS_NONE}, false},
                {{.outcome = REGISTRY_OUTCOME_SUCCESS}, true},
                {{.outcome = REGISTRY_OUTCOME_FAILURE}, false},
                {{.range = true}, false},
                {{.kind = REGISTRY_BLOB, .method = "GET", .repository = "team/app"}, true},
                {{.kind = REGISTRY_BLOB, .method = "GET", .repository = "team/other"}, false},
        };
        struct registry_facts nothing = {.kind = REGISTRY_OTHER};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                ck_assert_msg(registry_when_fits(&cases[i].when, &blob) == cases[i].fits, "case %zu", i);
        ck_assert(registry_when_fits(&cases[0].when, &nothing));
        ck_assert(!registry_when_fits(&(struct registry_when){.user = "tom"}, &nothing));
        ck_assert(!registry_when_fits(&(struct registry_when){.repository = "*"}, &nothing));
}
END_TEST

START_TEST(the_nth_is_counted_among_those_that_fit_also_behind_a_rule_that_acted)
{
        static const struct registry_rule rules[] = {
                {.name = "first", .when = {.nth = 1}},
                {.name = "blob two to three", .when = {.kind = REGISTRY_BLOB, .from = 2, .until = 3}},
                {.name = "the fifth", .when = {.nth = 5}},
                {.name = "from six", .when = {.from = 6}},
        };
        static const char *const wanted[] = {"first",     "blob two to three", "blob two to three", NULL,
                                             "the fifth", "from six",          "from six"};
        uint64_t counts[ARRAY_SIZE(rules)] = {0};

        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                const struct registry_rule *rule =
                        registry_rules_match(rules, ARRAY_SIZE(rules), counts, &blob);

                ck_assert_pstr_eq(rule ? rule->name : NULL, wanted[i]);
        }
}
END_TEST

START_TEST(a_path_tells_what_a_request_is_about)
{
        static const struct {
                const char *path;
                enum registry_kind kind;
                const char *repository, *reference;
        } cases[] = {
                {"/v2/", REGISTRY_PING, "", ""},
                {"/v2", REGISTRY_PING, "", ""},
                {"/token", REGISTRY_TOKEN, "", ""},
                {"/v2/app/manifests/latest", REGISTRY_MANIFEST, "app", "latest"},
                {"/v2/a/b/c/manifests/sha256:12", REGISTRY_MANIFEST, "a/b/c", "sha256:12"},
                {"/v2/a/blobs/sha256:12", REGISTRY_BLOB, "a", "sha256:12"},
                {"/v2/blobs/blobs/blobs/x", REGISTRY_BLOB, "blobs/blobs", "x"},
                {"/v2/a/tags/list", REGISTRY_TAGS, "a", ""},
                {"/v2/a/referrers/sha256:12", REGISTRY_REFERRERS, "a", "sha256:12"},
                {"/v2/manifests/latest", REGISTRY_OTHER, "", ""},
                {"/v2/a/manifests/", REGISTRY_OTHER, "", ""},
                {"/v2/tags/list", REGISTRY_OTHER, "", ""},
                {"/v2//manifests/x", REGISTRY_OTHER, "", ""},
                {"/v2/a/blobs/uploads/x", REGISTRY_OTHER, "", ""},
                {"/v1/a/manifests/x", REGISTRY_OTHER, "", ""},
                {"/", REGISTRY_OTHER, "", ""},
                {"", REGISTRY_OTHER, "", ""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char *repository, *reference;
                enum registry_kind kind;

                ck_assert_ok(registry_path_parse(cases[i].path, &kind, &repository, &reference));
                ck_assert_msg(kind == cases[i].kind && !strcmp(repository, cases[i].repository) &&
                                      !strcmp(reference, cases[i].reference),
                              "%s: %s, '%s', '%s'", cases[i].path, registry_kind_name(kind), repository,
                              reference);
                free(repository);
                free(reference);
        }
}
END_TEST

START_TEST(a_range_is_a_part_or_the_whole_or_not_there)
{
        static const struct {
                const char *range;
                int wanted;
                uint64_t offset, length;
        } cases[] = {
                {"bytes=0-", 1, 0, 100},
                {"bytes=10-19", 1, 10, 10},
                {"bytes=99-99", 1, 99, 1},
                {"bytes=90-1000", 1, 90, 10},
                {"bytes=-5", 1, 95, 5},
                {"bytes=-500", 1, 0, 100},
                {"bytes=100-", -ERANGE, 0, 0},
                {"bytes=-0", -ERANGE, 0, 0},
                {"bytes=0-18446744073709551615", 1, 0, 100},
                {"bytes=18446744073709551616-", 0, 0, 0},
                {"bytes=5-4", 0, 0, 0},
                {"bytes=0-1,5-6", 0, 0, 0},
                {"bytes=-", 0, 0, 0},
                {"bytes=a-b", 0, 0, 0},
                {"items=0-1", 0, 0, 0},
                {"", 0, 0, 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                uint64_t offset = 0, length = 0;

                ck_assert_msg(registry_range_parse(cases[i].range, 100, &offset, &length) == cases[i].wanted,
                              "%s", cases[i].range);
                if (cases[i].wanted == 1)
                        ck_assert_msg(offset == cases[i].offset && length == cases[i].length, "%s",
                                      cases[i].range);
        }
        ck_assert_errno(registry_range_parse("bytes=0-", 0, &(uint64_t){0}, &(uint64_t){0}), -ERANGE);
}
END_TEST

START_TEST(what_accept_leaves_out_is_not_accepted)
{
        ck_assert(registry_accepts("", MEDIA_OCI_MANIFEST));
        ck_assert(registry_accepts("*/*", MEDIA_OCI_MANIFEST));
        ck_assert(registry_accepts("text/html, application/*;q=0.5", MEDIA_OCI_MANIFEST));
        ck_assert(registry_accepts("text/html, " MEDIA_OCI_MANIFEST, MEDIA_OCI_MANIFEST));
        ck_assert(registry_accepts(MEDIA_OCI_MANIFEST ";q=1", MEDIA_OCI_MANIFEST));
        ck_assert(!registry_accepts("text/*", MEDIA_OCI_MANIFEST));
        ck_assert(!registry_accepts(MEDIA_OCI_INDEX, MEDIA_OCI_MANIFEST));
        ck_assert(!registry_accepts(",,,", MEDIA_OCI_MANIFEST));
}
END_TEST

START_TEST(names_are_those_that_the_api_allows)
{
        ck_assert(registry_repository_is_good("a"));
        ck_assert(registry_repository_is_good("team/app-1.2_x/y__z/w---v"));
        ck_assert(!registry_repository_is_good(""));
        ck_assert(!registry_repository_is_good("A"));
        ck_assert(!registry_repository_is_good("/a"));
        ck_assert(!registry_repository_is_good("a/"));
        ck_assert(!registry_repository_is_good("a..b"));
        ck_assert(!registry_repository_is_good("-a"));
        ck_assert(!registry_repository_is_good("a-"));
        ck_assert(!registry_repository_is_good("../a"));
        ck_assert(registry_tag_is_good("v1.0-rc_1"));
        ck_assert(registry_tag_is_good("_"));
        ck_assert(!registry_tag_is_good(""));
        ck_assert(!registry_tag_is_good(".x"));
        ck_assert(!registry_tag_is_good("a/b"));
        ck_assert(!registry_tag_is_good("a:b"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("rule");
        TCase *tcase = testing_case(suite, "rule");

        tcase_add_test(tcase, a_when_holds_only_where_all_of_it_holds);
        tcase_add_test(tcase, the_nth_is_counted_among_those_that_fit_also_behind_a_rule_that_acted);
        tcase_add_test(tcase, a_path_tells_what_a_request_is_about);
        tcase_add_test(tcase, a_range_is_a_part_or_the_whole_or_not_there);
        tcase_add_test(tcase, what_accept_leaves_out_is_not_accepted);
        tcase_add_test(tcase, names_are_those_that_the_api_allows);
        return testing_main(suite);
}
